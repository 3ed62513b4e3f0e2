/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "frames": who owns a frame, as what type, and how often
 * it is referred to.
 *
 * Page types and counts are carried, not established again: walking all page
 * tables would take minutes, and pins cannot be found that way at all.  What is
 * carried is what guest page tables, grants, pins and the allocation hold.
 * References that a Xen holds for its own objects are taken off by the source
 * (liveupdate_xen_ref()) and taken again by each resource in the target.  A
 * guest may have given up a page that Xen goes on using, so that Xen's are the
 * last ones: plan() keeps such a frame by a reference of its own, which commit()
 * drops once every resource has its own back.  It is free when its last user
 * goes, as it would have been without the update.
 *
 * The page tables themselves stay where they are.  Only the slots of validated
 * L4 tables that belong to Xen point at the source's tables: commit() rewrites
 * them, as the very first thing that guests could see.
 *
 * Carried: the memory of domains, in place: who owns a frame, its type, page
 * table level, pins and counts of references, whether it is broken or going
 * offline; limits of memory.
 */

#include <xen/domain_page.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/sort.h>
#include <xen/xmalloc.h>

#include <asm/liveupdate-compat.h>
#include <asm/page.h>

/*
 * References of Xen's own objects.
 */

static struct liveupdate_ref *refs;
static unsigned int nr_refs, max_refs;

int liveupdate_refs_alloc(void)
{
    struct domain *d;

    /* Per vCPU: two page tables, 16 GDT frames, vcpu_info, control block. */
    max_refs = 64;
    rcu_read_lock(&domlist_read_lock);
    for_each_domain ( d )
        max_refs += d->max_vcpus * 24 + 160;
    rcu_read_unlock(&domlist_read_lock);

    refs = xmalloc_array(struct liveupdate_ref, max_refs);
    nr_refs = 0;

    return refs ? 0 : -ENOMEM;
}

void liveupdate_refs_free(void)
{
    XFREE(refs);
}

void liveupdate_refs_reset(void)
{
    nr_refs = 0;
}

void liveupdate_xen_ref(mfn_t mfn, unsigned int general, unsigned int type)
{
    /* Overflow is reported by liveupdate_refs_sort(). */
    if ( nr_refs < max_refs )
        refs[nr_refs] = (struct liveupdate_ref){ mfn_x(mfn), general, type };
    nr_refs++;
}

static int cf_check cmp_ref(const void *a, const void *b)
{
    const struct liveupdate_ref *x = a, *y = b;

    return x->mfn < y->mfn ? -1 : x->mfn > y->mfn;
}

static void cf_check swap_ref(void *a, void *b, size_t size)
{
    struct liveupdate_ref *x = a, *y = b, t = *x;

    *x = *y;
    *y = t;
}

int liveupdate_refs_sort(void)
{
    unsigned int i, n = 0;

    if ( nr_refs > max_refs )
        return liveupdate_refuse(NULL, -ENOSPC,
                                 "Xen itself refers to more frames than expected (%u)",
                                 nr_refs);

    sort(refs, nr_refs, sizeof(*refs), cmp_ref, swap_ref);

    /* One entry a frame. */
    for ( i = 0; i < nr_refs; i++ )
    {
        if ( n && refs[n - 1].mfn == refs[i].mfn )
        {
            refs[n - 1].refs += refs[i].refs;
            refs[n - 1].typerefs += refs[i].typerefs;
        }
        else
            refs[n++] = refs[i];
    }
    nr_refs = n;

    return 0;
}

const struct liveupdate_ref *liveupdate_refs_next(unsigned long mfn,
                                                  unsigned int *cursor)
{
    while ( *cursor < nr_refs && refs[*cursor].mfn < mfn )
        ++*cursor;

    return *cursor < nr_refs && refs[*cursor].mfn == mfn ? &refs[*cursor] : NULL;
}

/*
 * Source.
 */

static bool is_l4(unsigned int flags)
{
    return LU_FRAME_TYPE(flags) == LU_FRAME_TYPE_L4 &&
           (flags & LU_FRAME_VALIDATED);
}

/* Does this L4 show the guest the machine-to-physical table? */
static bool l4_has_ro_m2p(unsigned long mfn)
{
    l4_pgentry_t *l4t = map_domain_page(_mfn(mfn));
    bool ro = l4e_get_flags(l4t[l4_table_offset(RO_MPT_VIRT_START)]) &
              _PAGE_PRESENT;

    unmap_domain_page(l4t);

    return ro;
}

static int describe(struct domain *d, unsigned long mfn,
                    const struct page_info *pg,
                    const struct liveupdate_ref *ref, struct lu_frames_entry *e)
{
    static const uint8_t types[] = {
        [PGT_none >> PG_shift(3)]          = LU_FRAME_TYPE_NONE,
        [PGT_l1_page_table >> PG_shift(3)] = LU_FRAME_TYPE_L1,
        [PGT_l2_page_table >> PG_shift(3)] = LU_FRAME_TYPE_L2,
        [PGT_l3_page_table >> PG_shift(3)] = LU_FRAME_TYPE_L3,
        [PGT_l4_page_table >> PG_shift(3)] = LU_FRAME_TYPE_L4,
        [PGT_seg_desc_page >> PG_shift(3)] = LU_FRAME_TYPE_SEG_DESC,
        [PGT_writable_page >> PG_shift(3)] = LU_FRAME_TYPE_WRITABLE,
    };
    unsigned long c = pg->count_info, t = pg->u.inuse.type_info;
    unsigned long nr_c = c & PGC_count_mask, nr_t = t & PGT_count_mask;
    unsigned int type = (t & PGT_type_mask) >> PG_shift(3);

    if ( !page_state_is(pg, inuse) && !page_state_is(pg, offlining) )
        return liveupdate_refuse(d, -EINVAL, "frame %#lx is not in use", mfn);
    if ( (t & PGT_type_mask) == PGT_shared_page || (t & PGT_pae_xen_l2) )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "frame %#lx is of a type that is not carried",
                                 mfn);
    if ( t & PGT_locked )
        return liveupdate_refuse(d, -EBUSY,
                                 "frame %#lx is being validated", mfn);

    if ( ref )
    {
        if ( nr_c < ref->refs || nr_t < ref->typerefs )
            return liveupdate_refuse(d, -EINVAL,
                                     "frame %#lx has %lu/%lu references, Xen alone claims %u/%u",
                                     mfn, nr_c, nr_t, ref->refs, ref->typerefs);
        nr_c -= ref->refs;
        nr_t -= ref->typerefs;
    }
    if ( nr_c > UINT32_MAX || nr_t > UINT32_MAX )
        return liveupdate_refuse(d, -EOVERFLOW,
                                 "frame %#lx has too many references", mfn);

    e->refs = nr_c;
    e->typerefs = nr_t;
    e->flags = LU_FRAME_SET_TYPE(types[type]) |
               (t & PGT_pinned ? LU_FRAME_PINNED : 0) |
               (t & PGT_validated ? LU_FRAME_VALIDATED : 0) |
               (t & PGT_partial ? LU_FRAME_PARTIAL : 0) |
               (t & PGT_non_coherent ? LU_FRAME_NONCOHERENT : 0) |
               (c & PGC_allocated ? LU_FRAME_ALLOCATED : 0) |
               (c & PGC_xen_heap ? LU_FRAME_XENHEAP : 0) |
               (c & PGC_page_table ? LU_FRAME_PAGETABLE : 0) |
               (c & PGC_extra ? LU_FRAME_EXTRA : 0) |
               (page_state_is(pg, offlining) ? LU_FRAME_OFFLINING : 0) |
               (c & PGC_broken ? LU_FRAME_BROKEN : 0);
    e->linear = 0;

    switch ( t & PGT_type_mask )
    {
    case PGT_l4_page_table:
        if ( (t & PGT_validated) && l4_has_ro_m2p(mfn) )
            e->flags |= LU_FRAME_RO_M2P;
        /* fallthrough */
    case PGT_l3_page_table:
    case PGT_l2_page_table:
    case PGT_l1_page_table:
        /* The field is a time stamp unless the page is in use as a table. */
        if ( t & (PGT_validated | PGT_partial) )
            e->linear = pg->linear_pt_count;
        break;
    }

    return 0;
}

static bool joins(const struct lu_frames_entry *a,
                  const struct lu_frames_entry *b)
{
    return a->mfn + a->nr == b->mfn && a->refs == b->refs &&
           a->typerefs == b->typerefs && a->flags == b->flags &&
           a->linear == b->linear && (uint64_t)a->nr + b->nr <= UINT32_MAX;
}

/*
 * How many frames from @pg on, @max at most, are like the one before, word for
 * word?  Most are.  Page tables have more to tell than these words, and so has
 * a frame that Xen refers to.
 */
static unsigned int count_alike(const struct page_info *pg, unsigned int max)
{
    unsigned long c = pg[-1].count_info, t = pg[-1].u.inuse.type_info;
    unsigned int n = 0;

    if ( (t & PGT_type_mask) && (t & PGT_type_mask) != PGT_writable_page )
        return 0;

    while ( n < max && pg[n].count_info == c && pg[n].u.inuse.type_info == t )
        n++;

    return n;
}

/*
 * Tables that a guest has left half validated, as it has not gone on with a
 * hypercall that was interrupted.  Each is a run of its own in FRAMES.
 */
static int save_partial_tables(struct lu_writer *w, const struct domain *d)
{
    const struct lu_stream s = { .buf = w->buf, .length = w->used };
    const struct lu_record *r = lu_record_find(&s, NULL, LU_REC_FRAMES,
                                               d->domain_id);
    unsigned int i;

    if ( !r || !lu_record_begin(w, LU_REC_PARTIAL_TABLES, d->domain_id, 0) )
        return -ENOSPC;

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_partial_tables_entry *p;
        const struct page_info *pg;
        struct lu_frames_entry e;

        LU_ENTRY(r, i, &e);
        if ( !(e.flags & LU_FRAME_PARTIAL) )
            continue;

        p = lu_record_entries(w, 1);
        if ( !p )
            return -ENOSPC;
        pg = mfn_to_page(_mfn(e.mfn));
        p->mfn = e.mfn;
        p->validated = pg->nr_validated_ptes;
        p->next_partial = !!pg->partial_flags;
    }
    lu_record_end(w);

    return 0;
}

/* The frames of @d are found by the memory map, which has just been written. */
static int save_owner(struct lu_writer *w, struct domain *d)
{
    const struct lu_stream s = { .buf = w->buf, .length = w->used };
    const struct lu_record *map;
    struct lu_frames *f;
    struct lu_frames_entry *last = NULL;
    unsigned int i, cursor = 0;
    bool partial = false;

    map = lu_record_find(&s, NULL, LU_REC_MEMMAP, LU_ANY_DOMID);
    if ( !map )
        return -ENOENT;

    f = lu_record_begin(w, LU_REC_FRAMES, d->domain_id, 0);
    if ( !f )
        return -ENOSPC;
    /* A page that the target has made by itself is not among the frames. */
    f->tot_pages = d->tot_pages - !!liveupdate_apic_page(d);
    f->max_pages = d->max_pages;
    f->xenheap_pages = d->xenheap_pages;
    f->extra_pages = d->extra_pages - !!liveupdate_apic_page(d);

    for ( i = 0; i < map->nr; i++ )
    {
        struct lu_memmap_entry m;
        unsigned long mfn;

        LU_ENTRY(map, i, &m);
        if ( d == dom_xen
             ? m.class != LU_MEM_KEPT
             : (m.class != LU_MEM_DOMAIN || m.domid != d->domain_id) )
            continue;

        for ( mfn = m.mfn; mfn < m.mfn + m.nr; mfn++ )
        {
            struct lu_frames_entry e = { .mfn = mfn, .nr = 1 };
            const struct page_info *pg = mfn_to_page(_mfn(mfn));
            const struct liveupdate_ref *ref;
            unsigned long next_ref;
            int rc;

            if ( d == dom_xen &&
                 (!mfn_valid(_mfn(mfn)) || page_get_owner(pg) != dom_xen) )
                continue;

            ref = liveupdate_refs_next(mfn, &cursor);
            rc = describe(d, mfn, pg, ref, &e);
            if ( rc )
                return rc;
            if ( !ref && d != dom_xen )
            {
                next_ref = cursor < nr_refs ? refs[cursor].mfn : ~0UL;
                e.nr += count_alike(pg + 1, min(m.mfn + m.nr, next_ref) - mfn - 1);
            }

            partial |= e.flags & LU_FRAME_PARTIAL;
            f->nr_frames += e.nr;
            mfn += e.nr - 1;
            if ( last && joins(last, &e) && !(e.flags & LU_FRAME_PARTIAL) )
                last->nr += e.nr;
            else
            {
                last = lu_record_entries(w, 1);
                if ( !last )
                    return -ENOSPC;
                *last = e;
            }
        }
    }
    lu_record_end(w);

    return partial ? save_partial_tables(w, d) : 0;
}

static int cf_check frames_check(struct domain *d)
{
    if ( d->outstanding_pages )
        return liveupdate_refuse(d, -EBUSY, "%u pages are claimed",
                                 d->outstanding_pages);

    return 0;
}

static int cf_check frames_save(struct lu_writer *w, struct domain *d)
{
    int rc = 0;

    /* Once, ahead of the first domain: what all privileged domains may map. */
    if ( is_hardware_domain(d) )
        rc = save_owner(w, dom_xen);

    return rc ?: save_owner(w, d);
}

/*
 * Target.
 */

/* What all frames of a run have in their struct page_info. */
static struct page_info frame_words(const struct lu_frames_entry *e)
{
    static const unsigned long types[] = {
        [LU_FRAME_TYPE_NONE]     = PGT_none,
        [LU_FRAME_TYPE_L1]       = PGT_l1_page_table,
        [LU_FRAME_TYPE_L2]       = PGT_l2_page_table,
        [LU_FRAME_TYPE_L3]       = PGT_l3_page_table,
        [LU_FRAME_TYPE_L4]       = PGT_l4_page_table,
        [LU_FRAME_TYPE_SEG_DESC] = PGT_seg_desc_page,
        [LU_FRAME_TYPE_WRITABLE] = PGT_writable_page,
    };
    struct page_info pg = {};

    pg.count_info = e->refs |
                    (e->flags & LU_FRAME_ALLOCATED ? PGC_allocated : 0) |
                    (e->flags & LU_FRAME_XENHEAP ? PGC_xen_heap : 0) |
                    (e->flags & LU_FRAME_PAGETABLE ? PGC_page_table : 0) |
                    (e->flags & LU_FRAME_EXTRA ? PGC_extra : 0) |
                    (e->flags & LU_FRAME_OFFLINING ? PGC_state_offlining : 0) |
                    (e->flags & LU_FRAME_BROKEN ? PGC_broken : 0);
    pg.u.inuse.type_info = types[LU_FRAME_TYPE(e->flags)] | e->typerefs |
                           (e->flags & LU_FRAME_PINNED ? PGT_pinned : 0) |
                           (e->flags & LU_FRAME_VALIDATED ? PGT_validated : 0) |
                           (e->flags & LU_FRAME_PARTIAL ? PGT_partial : 0) |
                           (e->flags & LU_FRAME_NONCOHERENT
                            ? PGT_non_coherent : 0);
    /* Every TLB of the host is empty by now, so a time stamp of 0 will do. */
    pg.tlbflush_timestamp = 0;
    if ( e->linear )
        pg.linear_pt_count = e->linear;

    return pg;
}

static void plan_frame(struct page_info *pg, const struct page_info *words)
{
    pg->count_info = words->count_info;
    pg->u.inuse.type_info = words->u.inuse.type_info;
    /* linear_pt_count is the upper half of this. */
    pg->tlbflush_timestamp = words->tlbflush_timestamp;
}

static int plan_owner(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_FRAMES, d->domain_id);
    struct lu_frames f;
    unsigned int i;

    if ( !r )
        return liveupdate_refuse(d, -ENOENT, "no frames in the stream");
    LU_FIXED(r, &f);

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_frames_entry e;
        struct page_list_head *list;
        struct page_info words, *pg;
        unsigned long n;

        LU_ENTRY(r, i, &e);
        if ( LU_FRAME_TYPE(e.flags) > LU_FRAME_TYPE_WRITABLE )
            return liveupdate_refuse(d, -EINVAL, "frame %#"PRIx64" is of no known type",
                                     e.mfn);

        list = e.flags & LU_FRAME_XENHEAP ? &d->xenpage_list
               : e.flags & LU_FRAME_EXTRA ? &d->extra_page_list : &d->page_list;

        words = frame_words(&e);
        pg = mfn_to_page(_mfn(e.mfn));

        for ( n = 0; n < e.nr; n++, pg++ )
        {
            /* The M2P has been shared while booting; only the counts are new. */
            if ( d == dom_xen )
            {
                if ( page_get_owner(pg) != dom_xen )
                    return liveupdate_refuse(NULL, -EINVAL,
                                             "frame %#"PRIx64" is no part of the M2P",
                                             e.mfn + n);
                plan_frame(pg, &words);
                continue;
            }

            if ( pg->count_info || page_get_owner(pg) )
                return liveupdate_refuse(d, -EEXIST,
                                         "frame %#"PRIx64" is in use already",
                                         e.mfn + n);
            plan_frame(pg, &words);
            page_set_owner(pg, d);
            if ( !e.refs )
                pg->count_info++;       /* until commit(), see let_go() */
            /* On the list until the last reference goes, allocated or not. */
            page_list_add_tail(pg, list);
        }

        if ( is_l4(e.flags) && is_pv_domain(d) )
            atomic_add(e.nr, &d->arch.pv.nr_l4_pages);
    }

    if ( d == dom_xen )
        return 0;

    /*
     * One reference each for the first page, see assign_pages() and
     * share_xen_page_with_guest().  VMX's APIC page is there already.
     */
    if ( !d->tot_pages && f.tot_pages )
        get_knownalive_domain(d);
    if ( !d->xenheap_pages && f.xenheap_pages )
        get_knownalive_domain(d);
    d->max_pages = f.max_pages;
    d->tot_pages += f.tot_pages;
    d->extra_pages += f.extra_pages;
    d->xenheap_pages += f.xenheap_pages;

    return 0;
}

static int plan_partial_tables(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_PARTIAL_TABLES,
                                               d->domain_id);
    unsigned int i;

    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_partial_tables_entry e;
        struct page_info *pg;

        LU_ENTRY(r, i, &e);
        pg = mfn_valid(_mfn(e.mfn)) ? mfn_to_page(_mfn(e.mfn)) : NULL;
        if ( !pg || page_get_owner(pg) != d ||
             !(pg->u.inuse.type_info & PGT_partial) ||
             e.validated > L1_PAGETABLE_ENTRIES || e.next_partial > 1 )
            return liveupdate_refuse(d, -EINVAL,
                                     "frame %#"PRIx64" cannot be a page table with %u entries validated",
                                     e.mfn, e.validated);

        pg->nr_validated_ptes = e.validated;
        pg->partial_flags = e.next_partial;     /* PTF_partial_set, see mm.c */
    }

    return 0;
}

static int cf_check frames_plan(struct domain *d)
{
    int rc = 0;

    if ( is_hardware_domain(d) )
        rc = plan_owner(dom_xen);

    return rc ?: plan_owner(d) ?: plan_partial_tables(d);
}

int liveupdate_map_page(struct domain *d, uint64_t mfn, const char *use,
                        void **virt)
{
    struct page_info *pg = mfn_valid(_mfn(mfn)) ? mfn_to_page(_mfn(mfn)) : NULL;

    if ( !pg || !get_page_and_type(pg, d, PGT_writable_page) )
        return liveupdate_refuse(d, -EINVAL, "frame %#"PRIx64" cannot be %s",
                                 mfn, use);

    *virt = __map_domain_page_global(pg);
    if ( !*virt )
    {
        put_page_and_type(pg);
        return -ENOMEM;
    }

    return 0;
}

/*
 * A frame that was kept by plan(): Xen's own references are back.  One of Xen's
 * heap to which there are none is no more on the domain's list, nor counted, as
 * free_domheap_pages() has it; shared_info and grant frames are used by address.
 */
static void let_go(struct domain *d, struct page_info *pg)
{
    if ( is_xen_heap_page(pg) && (pg->count_info & PGC_count_mask) == 1 )
    {
        page_list_del(pg, &d->xenpage_list);
        pg->count_info--;
    }
    else
        put_page(pg);
}

static void cf_check frames_commit(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_FRAMES, d->domain_id);
    unsigned int i;

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_frames_entry e;
        unsigned long n;

        LU_ENTRY(r, i, &e);
        for ( n = 0; !e.refs && n < e.nr; n++ )
            let_go(d, mfn_to_page(_mfn(e.mfn + n)));

        if ( !is_l4(e.flags) || !is_pv_domain(d) )
            continue;

        for ( n = 0; n < e.nr; n++ )
        {
            mfn_t mfn = _mfn(e.mfn + n);
            l4_pgentry_t *l4t = map_domain_page(mfn);

            init_xen_l4_slots(l4t, mfn, d, INVALID_MFN,
                              e.flags & LU_FRAME_RO_M2P);
            unmap_domain_page(l4t);
        }
    }
}

const struct liveupdate_resource liveupdate_res_frames = {
    .name = "frames",
    .check = frames_check,
    .save = frames_save,
    .plan = frames_plan,
    .commit = frames_commit,
};
