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
 * one before?  That rules the region and the stream out.
 */
static unsigned int count_same_owner(const struct page_info *pg,
                                     unsigned int max)
{
    const struct domain *owner = page_get_owner(pg - 1);
    const struct page_info *apic_page = liveupdate_apic_page(owner);
    unsigned int n = 0;

    while ( n < max &&
            (pg[n].count_info & (PGC_broken | PGC_state)) == PGC_state_inuse &&
            (pg[n].count_info & (PGC_allocated | PGC_count_mask)) &&
            pg[n].v.inuse._domain == pg[-1].v.inuse._domain &&
            pg + n != apic_page )
        n++;

    return n;
}

/* Calls @fn for each run of RAM, in ascending order. */
static int for_each_run(int (*fn)(unsigned long mfn, unsigned long nr,
                                  struct run run, void *arg), void *arg)
{
    unsigned int i;
    int rc = 0;

    for ( i = 0; i < e820.nr_map; i++ )
    {
        unsigned long mfn, start, end;
        struct run cur = {};

        if ( e820.map[i].type != E820_RAM )
            continue;

        start = mfn = PFN_UP(max_t(uint64_t, e820.map[i].addr, MB(1)));
        end = min(PFN_DOWN(e820.map[i].addr + e820.map[i].size), max_page);

        while ( mfn < end )
        {
            struct run r = {};
            unsigned long step = 1;

            if ( mfn_valid(_mfn(mfn)) )
            {
                const struct page_info *pg = mfn_to_page(_mfn(mfn));

                r = classify(mfn, pg);
                /* A free buddy is free as a whole. */
                if ( !r.class && page_state_is(pg, free) &&
                     PFN_ORDER(pg) <= MAX_ORDER )
                    step = 1UL << PFN_ORDER(pg);
                /* Frames of a group are valid together, see mfn_valid(). */
                if ( r.class == LU_MEM_DOMAIN )
                    step += count_same_owner(
                        pg + 1, min(end, (mfn | (PDX_GROUP_COUNT - 1)) + 1) -
                                mfn - 1);
            }
            else
                r.class = LU_MEM_KEPT;

            if ( !same(r, cur) )
            {
                if ( mfn > start && (rc = fn(start, mfn - start, cur, arg)) )
                    return rc;
                start = mfn;
                cur = r;
            }
            mfn += step;
        }

        if ( end > start && (rc = fn(start, end - start, cur, arg)) )
            return rc;
    }

    return rc;
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

/* The target is going to live there. */
static int check_region(void)
{
    unsigned long mfn = PFN_DOWN(liveupdate_region.start);
    unsigned long end = mfn + PFN_DOWN(liveupdate_region.size);

    if ( !mfn )
        return 0;

    for ( ; mfn < end; mfn++ )
        if ( classify_unused(mfn, mfn_to_page(_mfn(mfn))).class !=
             LU_MEM_PRIVATE )
            return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                     "frame %#lx of the region is broken or going offline",
                                     mfn);

    return 0;
}

/* What the source's frame table tells of the update to come; domains may run. */
struct outlook {
    uint64_t stream;            /* bytes */
    struct liveupdate_pieces free;
};

static int cf_check count_run(unsigned long mfn, unsigned long nr,
                              struct run run, void *arg)
{
    struct outlook *o = arg;
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

static void look_out(struct outlook *o)
{
    struct domain *d;

    *o = (struct outlook){ .stream = KB(256) + liveupdate_io_tables_estimate() };
    for_each_run(count_run, o);

    rcu_read_lock(&domlist_read_lock);
    for_each_domain ( d )
        o->stream += KB(64) + d->max_vcpus * KB(16) + d->valid_evtchns * 64UL +
                     liveupdate_grant_estimate(d) + liveupdate_p2m_estimate(d);
    rcu_read_unlock(&domlist_read_lock);

    /* Domains still run: they may add some until they are paused. */
    o->stream += o->stream / 4;
}

uint64_t liveupdate_estimate_stream(void)
{
    struct outlook o;

    look_out(&o);

    return o.stream;
}

static uint64_t frames_needed(const struct outlook *o)
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

uint64_t liveupdate_frames_needed(void)
{
    struct outlook o;

    look_out(&o);

    return frames_needed(&o);
}

static int cf_check memmap_check(struct domain *d)
{
    uint64_t need, avail = avail_domheap_pages();
    int rc = check_region();
    struct outlook o;

    d = NULL;
    look_out(&o);
    need = frames_needed(&o);

    if ( mem_hotplug )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "the host supports memory hotplug");

    if ( avail < need )
        return liveupdate_refuse(d, -ENOMEM,
                                 "%"PRIu64" MiB of memory are free, the target needs %"PRIu64" MiB to start with",
                                 avail >> (20 - PAGE_SHIFT),
                                 (need >> (20 - PAGE_SHIFT)) + 1);

    return liveupdate_enough_pieces(&o.free, need) ?: rc;
}

static int cf_check memmap_save(struct lu_writer *w, struct domain *d)
{
    struct save s = { .w = w };
    struct lu_memmap *map = lu_record_begin(w, LU_REC_MEMMAP, 0, 0);
    struct lu_m2p *m2p;
    int rc;

    if ( !map )
        return -ENOSPC;

    liveupdate_io_tables_mark(true);
    rc = for_each_run(save_run, &s);
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
