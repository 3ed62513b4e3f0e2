/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "memmap": what every frame of the host is used for.
 *
 * The source walks its frame table once and writes runs of frames of one
 * class.  What no run names is free.  The machine-to-physical table is a
 * resource of its own kind: PV guests read it and privileged tools map it, so
 * its frames are kept and the target maps them instead of allocating new ones
 * (liveupdate_m2p_chunk()).  The target uses the map long before any callback
 * could run, see liveupdate_adopt().
 *
 * Memory that is broken, or was taken offline, stays out of use: the target gives
 * it to nobody, and plan() puts it into the state that it has in the source.  What
 * badpage= names is no state: a boot leaves it out of the heap.  So it is noted, for
 * the map and for what the target frees at run time.
 *
 * Carried: what each frame of the host is used for, memory that is broken or
 * offline; the machine-to-physical table, in place.
 */

#include <xen/domain_page.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/pfn.h>
#include <xen/sched.h>

#include <asm/e820.h>
#include <asm/liveupdate-iommu.h>
#include <asm/page.h>
#include <asm/pv/domain.h>
#include <asm/setup.h>

mfn_t liveupdate_stream_mfn = INVALID_MFN_INITIALIZER;
unsigned long liveupdate_stream_nr;

struct run {
    unsigned int class;         /* LU_MEM_*, 0: free */
    domid_t domid;
};

/* Bad memory that a boot was told of (badpage=), or knows of the platform. */
struct bad_range {
    unsigned long s, e;
};
static struct bad_range __ro_after_init bad_ranges[64];
static unsigned int __ro_after_init nr_bad_ranges;

void __init liveupdate_note_bad_pages(unsigned long s, unsigned long e)
{
    unsigned int i;

    /* The boot says so for each piece of memory, the source once more. */
    for ( i = 0; i < nr_bad_ranges; i++ )
        if ( bad_ranges[i].s <= s && bad_ranges[i].e >= e )
            return;

    /* The option has room for 50. */
    if ( nr_bad_ranges == ARRAY_SIZE(bad_ranges) )
        panic("liveupdate: too many ranges of bad memory\n");
    bad_ranges[nr_bad_ranges++] = (struct bad_range){ s, e };
}

bool liveupdate_bad_page(unsigned long mfn)
{
    unsigned int i;

    for ( i = 0; i < nr_bad_ranges; i++ )
        if ( mfn >= bad_ranges[i].s && mfn < bad_ranges[i].e )
            return true;

    return false;
}

/* A frame that the target has no use for: what becomes of it there? */
static struct run classify_unused(unsigned long mfn, const struct page_info *pg)
{
    if ( pg->count_info & PGC_broken )
        return (struct run){ LU_MEM_BROKEN };
    if ( liveupdate_bad_page(mfn) )
        return (struct run){ LU_MEM_BAD };
    if ( page_state_is(pg, offlining) || page_state_is(pg, offlined) )
        return (struct run){ LU_MEM_OFFLINE };

    return (struct run){ LU_MEM_PRIVATE };
}

static struct run classify(unsigned long mfn, const struct page_info *pg)
{
    const struct domain *owner;
    paddr_t maddr = pfn_to_paddr(mfn);
    bool shared;

    if ( page_state_is(pg, free) )
        return (struct run){};

    if ( page_state_is(pg, offlined) )
        return classify_unused(mfn, pg);

    if ( liveupdate_in_region(maddr, maddr + PAGE_SIZE) ||
         (maddr >= kexec_crash_area.start &&
          maddr < kexec_crash_area.start + PAGE_ALIGN(kexec_crash_area.size)) )
        return (struct run){ LU_MEM_KEPT };

    if ( mfn >= mfn_x(liveupdate_stream_mfn) &&
         mfn < mfn_x(liveupdate_stream_mfn) + liveupdate_stream_nr &&
         page_state_is(pg, inuse) )
        return (struct run){ LU_MEM_STREAM };

    /*
     * Without a reference the owner field may hold anything: xmalloc() keeps a
     * size there.  But a domain may have given up its shared_info, or a frame of
     * its grant table, which stay in use.  The type count that made these writable
     * is still there, and nothing else of Xen's heap has one.  Those of a dying
     * domain are about to be freed.
     */
    shared = (pg->count_info & PGC_xen_heap) &&
             (pg->u.inuse.type_info & PGT_count_mask);
    owner = shared || (pg->count_info & (PGC_allocated | PGC_count_mask))
            ? page_get_owner(pg) : NULL;
    if ( owner && owner->is_dying &&
         !(pg->count_info & (PGC_allocated | PGC_count_mask)) )
        owner = NULL;
    if ( !owner )
    {
        domid_t domid = liveupdate_io_table_of(pg);

        return domid == DOMID_INVALID
               ? classify_unused(mfn, pg)
               : (struct run){ LU_MEM_IO_TABLE, domid };
    }
    if ( owner == dom_xen || owner == dom_io )
        return (struct run){ LU_MEM_KEPT };
    if ( pg == liveupdate_apic_page(owner) )
        return classify_unused(mfn, pg);

    return (struct run){ LU_MEM_DOMAIN, owner->domain_id };
}

static bool same(struct run a, struct run b)
{
    return a.class == b.class && a.domid == b.domid;
}

/*
 * How many frames from @pg on, @max at most, belong to the domain that has the
 * one before?  That rules the region and the stream out.  While domains run, it
 * may have lost it meanwhile.
 */
static unsigned int count_same_owner(const struct page_info *pg,
                                     unsigned int max)
{
    const struct domain *owner = page_get_owner(pg - 1);
    const struct page_info *apic_page;
    unsigned int n = 0;

    if ( !owner )
        return 0;
    apic_page = liveupdate_apic_page(owner);

    while ( n < max &&
            (pg[n].count_info & (PGC_broken | PGC_state)) == PGC_state_inuse &&
            (pg[n].count_info & (PGC_allocated | PGC_count_mask)) &&
            pg[n].v.inuse._domain == pg[-1].v.inuse._domain &&
            pg + n != apic_page )
        n++;

    return n;
}

/* Frames that are looked at in one go: a tenth of a slice, or so. */
#define STRETCH 4096UL

/* Where a walk over RAM is. */
struct walk {
    unsigned int ram;           /* in e820 */
    unsigned long mfn;          /* next; 0: the first of this one */
    unsigned long start;        /* of the run that it is in */
    struct run cur;
};

typedef int run_fn(unsigned long mfn, unsigned long nr, struct run run,
                   void *arg);

/*
 * What kind of frame is the next, and how many are of the same at least?
 * @work: how many were looked at.
 */
static always_inline struct run look(unsigned long mfn, unsigned long end,
                                     unsigned long *step, unsigned int *work)
{
    const struct page_info *pg;
    struct run r;

    /* Frames of a group are valid together, see mfn_valid(). */
    BUILD_BUG_ON(STRETCH > PDX_GROUP_COUNT);

    *step = *work = 1;
    if ( !mfn_valid(_mfn(mfn)) )
        return (struct run){ LU_MEM_KEPT };

    pg = mfn_to_page(_mfn(mfn));
    r = classify(mfn, pg);
    /* A free buddy is free as a whole. */
    if ( !r.class && page_state_is(pg, free) && PFN_ORDER(pg) <= MAX_ORDER )
        *step = 1UL << PFN_ORDER(pg);
    if ( r.class == LU_MEM_DOMAIN )
    {
        *step += count_same_owner(
            pg + 1, min(end, (mfn | (STRETCH - 1)) + 1) - mfn - 1);
        *work = *step;
    }

    return r;
}

/* The run up to @mfn, if there is one, and another begins. */
static always_inline int end_run(struct walk *w, unsigned long mfn,
                                 struct run next, run_fn *fn, void *arg)
{
    int rc = mfn > w->start ? fn(w->start, mfn - w->start, w->cur, arg) : 0;

    w->start = mfn;
    w->cur = next;

    return rc;
}

/*
 * Calls @fn for each run of RAM, in ascending order.  In slices it ends with
 * -ERESTART where one is over, and long runs are cut, as what @fn does takes time
 * as well; but not those of free memory, whose size counts.  Inline, as it is a
 * part of the pause whether it counts slices or not.
 */
static always_inline int for_each_run(struct walk *w, bool slices, run_fn *fn,
                                      void *arg)
{
    int rc;

    for ( ; w->ram < e820.nr_map; w->ram++, w->mfn = 0 )
    {
        const struct e820entry *e = &e820.map[w->ram];
        unsigned long end;

        if ( e->type != E820_RAM )
            continue;

        if ( !w->mfn )
        {
            w->start = w->mfn = PFN_UP(max_t(uint64_t, e->addr, MB(1)));
            w->cur = (struct run){};
        }
        end = min(PFN_DOWN(e->addr + e->size), max_page);

        while ( w->mfn < end )
        {
            unsigned long step;
            unsigned int work;
            struct run r = look(w->mfn, end, &step, &work);

            if ( !same(r, w->cur) && (rc = end_run(w, w->mfn, r, fn, arg)) )
                return rc;
            w->mfn += step;

            if ( !slices )
                continue;
            if ( r.class && w->mfn - w->start >= STRETCH &&
                 (rc = end_run(w, w->mfn, r, fn, arg)) )
                return rc;
            if ( liveupdate_slice_over(work) )
                return -ERESTART;
        }

        if ( (rc = end_run(w, end, (struct run){}, fn, arg)) )
            return rc;
    }

    return 0;
}

struct save {
    struct lu_writer *w;
    uint64_t nr_frames;
};

static int cf_check save_run(unsigned long mfn, unsigned long nr,
                             struct run run, void *arg)
{
    struct save *s = arg;
    unsigned long i;

    for ( i = 0; run.class == LU_MEM_IO_TABLE && i < nr; i++ )
        if ( !page_state_is(mfn_to_page(_mfn(mfn + i)), inuse) )
            return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                     "frame %#lx is going offline, and holds an I/O page table",
                                     mfn + i);

    /* What no run names is free. */
    while ( run.class && nr )
    {
        struct lu_memmap_entry *e = lu_record_entries(s->w, 1);
        uint32_t n = min(nr, (unsigned long)UINT32_MAX);

        if ( !e )
            return -ENOSPC;
        e->mfn = mfn;
        e->nr = n;
        e->class = run.class;
        e->domid = run.domid;
        s->nr_frames += n;
        mfn += n;
        nr -= n;
    }

    return 0;
}

static int save_m2p_part(struct lu_writer *w, unsigned long start,
                         unsigned long end, bool compat)
{
    unsigned long v;

    for ( v = start; v != end; v += 1UL << L2_PAGETABLE_SHIFT )
    {
        l3_pgentry_t l3e;
        struct lu_m2p_entry *e;
        unsigned long mfn;

        if ( !(l4e_get_flags(idle_pg_table[l4_table_offset(v)]) &
               _PAGE_PRESENT) )
            continue;
        l3e = l3e_from_l4e(idle_pg_table[l4_table_offset(v)],
                           l3_table_offset(v));
        if ( !(l3e_get_flags(l3e) & _PAGE_PRESENT) )
        {
            v |= (1UL << L3_PAGETABLE_SHIFT) - (1UL << L2_PAGETABLE_SHIFT);
            continue;
        }
        if ( l3e_get_flags(l3e) & _PAGE_PSE )
            mfn = l3e_get_pfn(l3e) + (l2_table_offset(v) << PAGETABLE_ORDER);
        else
        {
            l2_pgentry_t l2e = l2e_from_l3e(l3e, l2_table_offset(v));

            if ( !(l2e_get_flags(l2e) & _PAGE_PRESENT) )
                continue;
            mfn = l2e_get_pfn(l2e);
        }

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        e->mfn = mfn;
        e->index = (v - start) >> L2_PAGETABLE_SHIFT;
        e->compat = compat;
    }

    return 0;
}

/* The target is going to live there.  In slices; @done: frames. */
static int check_region(unsigned long *done)
{
    unsigned long start = PFN_DOWN(liveupdate_region.start);

    for ( ; start && *done < PFN_DOWN(liveupdate_region.size); ++*done )
    {
        unsigned long mfn = start + *done;

        if ( liveupdate_slice_over(1) )
            return -ERESTART;

        if ( classify_unused(mfn, mfn_to_page(_mfn(mfn))).class !=
             LU_MEM_PRIVATE )
            return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                     "frame %#lx of the region is broken or going offline",
                                     mfn);
    }

    return 0;
}

/*
 * What the source's frame table tells of the update to come; domains run.
 */

static int cf_check count_run(unsigned long mfn, unsigned long nr,
                              struct run run, void *arg)
{
    struct liveupdate_outlook *o = arg;
    const struct page_info *pg;
    unsigned long i;

    if ( !run.class )
    {
        liveupdate_count_piece(&o->free, mfn, nr);
        return 0;
    }

    o->stream += sizeof(struct lu_memmap_entry);
    if ( run.class != LU_MEM_DOMAIN )
        return 0;

    /* Frames that differ from their neighbour begin a run of FRAMES. */
    for ( pg = mfn_to_page(_mfn(mfn)), i = 0; i < nr; pg++, i++ )
    {
        if ( !i || pg[0].count_info != pg[-1].count_info ||
             pg[0].u.inuse.type_info != pg[-1].u.inuse.type_info )
            o->stream += sizeof(struct lu_frames_entry);
    }

    return 0;
}

static int look_at_frames(struct liveupdate_outlook *o)
{
    struct walk w = {
        .ram = o->ram, .mfn = o->mfn, .start = o->start,
        .cur = { o->class, o->run_domid },
    };
    int rc = for_each_run(&w, true, count_run, o);

    o->ram = w.ram;
    o->mfn = w.mfn;
    o->start = w.start;
    o->class = w.cur.class;
    o->run_domid = w.cur.domid;

    return rc;
}

/* Each domain in parts, which have a position of their own. */
static int look_at_domains(struct liveupdate_outlook *o)
{
    struct domain *d;

    for ( d = liveupdate_domain_from(o->domid); d;
          d = rcu_dereference(d->next_in_list) )
    {
        int rc;

        /* A new one, or that at hand is gone. */
        if ( d->domain_id != o->domid || !o->part )
        {
            o->domid = d->domain_id;
            o->part = 1;
            o->position = 0;
            o->stream += KB(64) + d->max_vcpus * KB(16) +
                         d->valid_evtchns * 64UL +
                         liveupdate_io_tables_estimate(d);
        }

        for ( ; o->part < 4; o->part++, o->position = 0 )
        {
            rc = o->part == 3
                 ? liveupdate_p2m_estimate(d, &o->position, &o->stream)
                 : liveupdate_grant_estimate(d, o->part - 1, &o->position,
                                             &o->stream);
            if ( rc )
                return rc;
        }

        o->domid++;
        o->part = 0;
        if ( liveupdate_step_over() )
            return -ERESTART;
    }

    return 0;
}

int liveupdate_look_out(struct liveupdate_outlook *o)
{
    int rc;

    switch ( o->at )
    {
    case LU_LOOK_begin:
        *o = (struct liveupdate_outlook){
            .at = LU_LOOK_frames,
            .stream = KB(256),
        };
        /* fallthrough */
    case LU_LOOK_frames:
        rc = look_at_frames(o);
        if ( rc )
            return rc;
        o->at = LU_LOOK_domains;
        /* fallthrough */
    case LU_LOOK_domains:
        rc = look_at_domains(o);
        if ( rc )
            return rc;
        /* Domains still run: they may add some until they are paused. */
        o->stream += o->stream / 4;
        o->at = LU_LOOK_done;
        /* fallthrough */
    case LU_LOOK_done:
        break;
    }

    return 0;
}

uint64_t liveupdate_frames_needed(const struct liveupdate_outlook *o)
{
    struct liveupdate_needs needs = { .cpus = num_present_cpus() };
    struct domain *d;
    uint64_t frames;

    rcu_read_lock(&domlist_read_lock);
    for_each_domain ( d )
    {
        needs.domains++;
        needs.vcpus += d->max_vcpus;
        needs.frames += liveupdate_p2m_pool(d) + liveupdate_grant_frames_of(d) +
                        DIV_ROUND_UP(d->valid_evtchns, EVTCHNS_PER_BUCKET);
    }
    rcu_read_unlock(&domlist_read_lock);

    /* The stream is taken from the same memory; and whole 2 MiB count. */
    frames = liveupdate_frames_to_start(&needs);

    return frames + frames / 8 + PFN_UP(o->stream);
}

static int cf_check memmap_check(struct domain *unused)
{
    struct liveupdate_outlook *o = &liveupdate_job()->outlook;
    uint64_t need, avail;
    int rc = liveupdate_look_out(o);

    if ( rc )
        return rc;

    rc = check_region(liveupdate_position());
    if ( rc == -ERESTART )
        return rc;

    avail = avail_domheap_pages();
    need = liveupdate_frames_needed(o);

    if ( mem_hotplug )
        return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                 "the host supports memory hotplug");

    if ( avail < need )
        return liveupdate_refuse(NULL, -ENOMEM,
                                 "%"PRIu64" MiB of memory are free, the target needs %"PRIu64" MiB to start with",
                                 avail >> (20 - PAGE_SHIFT),
                                 (need >> (20 - PAGE_SHIFT)) + 1);

    return liveupdate_enough_pieces(&o->free, need) ?: rc;
}

static int cf_check memmap_save(struct lu_writer *w, struct domain *d)
{
    struct save s = { .w = w };
    struct walk walk = {};
    struct lu_memmap *map = lu_record_begin(w, LU_REC_MEMMAP, 0, 0);
    struct lu_m2p *m2p;
    int rc;

    if ( !map )
        return -ENOSPC;

    liveupdate_io_tables_mark(true);
    rc = for_each_run(&walk, false, save_run, &s);
    liveupdate_io_tables_mark(false);
    if ( rc )
        return rc;
    map->nr_frames = s.nr_frames;
    lu_record_end(w);

    m2p = lu_record_begin(w, LU_REC_M2P, 0, 0);
    if ( !m2p )
        return -ENOSPC;
    m2p->entries = max_page;

    rc = save_m2p_part(w, RDWR_MPT_VIRT_START, RDWR_MPT_VIRT_END, false);
    if ( !rc && opt_pv32 )
        rc = save_m2p_part(w, RDWR_COMPAT_MPT_VIRT_START,
                           RDWR_COMPAT_MPT_VIRT_END, true);
    if ( !rc )
        lu_record_end(w);

    return rc;
}

/* Target: to be found as in the source, by whoever asks and by the next update. */
static int __init cf_check memmap_plan(struct domain *unused)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_MEMMAP, 0);
    unsigned int i;

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_memmap_entry e;
        unsigned long mfn;

        LU_ENTRY(r, i, &e);
        if ( e.class == LU_MEM_BAD )
            liveupdate_note_bad_pages(e.mfn, e.mfn + e.nr);
        if ( e.class != LU_MEM_OFFLINE && e.class != LU_MEM_BROKEN )
            continue;

        for ( mfn = e.mfn; mfn < e.mfn + e.nr; mfn++ )
        {
            struct page_info *pg = mfn_valid(_mfn(mfn))
                                   ? mfn_to_page(_mfn(mfn)) : NULL;

            if ( !pg || pg->count_info || page_get_owner(pg) )
                return liveupdate_refuse(NULL, -EINVAL,
                                         "frame %#lx cannot be taken offline",
                                         mfn);
            liveupdate_offline_page(pg, e.class == LU_MEM_BROKEN);
        }
    }

    return 0;
}

const struct liveupdate_resource liveupdate_res_memmap = {
    .name = "memmap",
    .host = true,
    .check = memmap_check,
    .save = memmap_save,
    .plan = memmap_plan,
};
