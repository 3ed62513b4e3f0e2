/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: memory that no domain has.
 *
 * A target boots within its slot.  Its frame table and the first part of its heap
 * come out of memory that was free in the source, as the memory map has it
 * (liveupdate_feed_boot_allocator()).  The rest, and what only the source needed,
 * goes to the heap in small steps once the domains run again (settle).
 *
 * Guests decide into how many pieces free memory is (decrease_reservation), so no
 * list is made of them: whoever wants them walks RAM and memory map side by side.
 * Whether there is enough to start with is found out by the same code in the
 * source's check (from its frame table), in its verify and in the target (both
 * from the stream).
 */

#include <xen/init.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/numa.h>
#include <xen/param.h>
#include <xen/pfn.h>
#include <xen/sched.h>
#include <xen/timer.h>

#include <asm/e820.h>
#include <asm/page.h>
#include <asm/setup.h>

/* Heap that a target starts with, whatever domains there are. */
#define EARLY_HEAP MB(64)

/* What plan() allocates for each, besides what struct liveupdate_needs counts. */
#define PER_DOMAIN MB(2)
#define PER_VCPU   KB(64)
#define PER_CPU    MB(1)

/* The boot allocator's list holds 256 runs, and splits some. */
#define MAX_BOOT_RUNS 192

#define LARGE_PAGE_PAGES (1UL << PAGETABLE_ORDER)

/* In one go: between two looks at the clock, and every other millisecond. */
#define SETTLE_CHUNK_PAGES 512U
#define SETTLE_STEP_PAGES  4096U
#define SETTLE_PERIOD      MILLISECS(2)

struct run {
    unsigned long mfn, nr;
};

/*
 * What is needed, what is there.
 */

/* 2 MiB pages: see init_frametable_chunk(). */
static unsigned long frame_table_pages(void)
{
    return DIV_ROUND_UP(max_pdx * sizeof(struct page_info), MB(2));
}

uint64_t liveupdate_frames_to_start(const struct liveupdate_needs *n)
{
    return (frame_table_pages() << PAGETABLE_ORDER) + PFN_DOWN(EARLY_HEAP) +
           n->domains * (uint64_t)PFN_DOWN(PER_DOMAIN) +
           n->vcpus * (uint64_t)PFN_DOWN(PER_VCPU) +
           n->cpus * (uint64_t)PFN_DOWN(PER_CPU) + n->frames;
}

static unsigned long large_pages(unsigned long mfn, unsigned long nr)
{
    unsigned long s = ROUNDUP(mfn, LARGE_PAGE_PAGES);
    unsigned long e = (mfn + nr) & ~(LARGE_PAGE_PAGES - 1);

    return s < e ? (e - s) >> PAGETABLE_ORDER : 0;
}

void liveupdate_count_piece(struct liveupdate_pieces *p, unsigned long mfn,
                            unsigned long nr)
{
    unsigned int i = flsl(nr) - 1;

    p->size[i].nr++;
    p->size[i].frames += nr;
    p->size[i].large += large_pages(mfn, nr);
}

/* The largest pieces that are enough, or as many of them as can be had. */
struct choice {
    unsigned int size;          /* all that are larger ... */
    unsigned long nr;           /* ... and so many of this size */
    uint64_t frames;            /* they have at least */
    unsigned long large;
};

static bool choose(const struct liveupdate_pieces *p, uint64_t frames,
                   struct choice *c)
{
    unsigned int i = ARRAY_SIZE(p->size);
    unsigned long left = MAX_BOOT_RUNS;

    *c = (struct choice){};
    while ( i-- && left )
    {
        c->size = i;
        c->nr = min(left, p->size[i].nr);
        if ( c->nr == p->size[i].nr )
        {
            c->frames += p->size[i].frames;
            c->large += p->size[i].large;
        }
        else
        {
            c->frames += (uint64_t)c->nr << i;
            c->large += c->nr * ((1UL << i) / LARGE_PAGE_PAGES -
                                 ((1UL << i) >= LARGE_PAGE_PAGES));
        }
        left -= c->nr;

        /* One more: what is not aligned may be taken out of the first. */
        if ( c->frames >= frames && c->large > frame_table_pages() )
            return true;
    }

    return false;
}

int liveupdate_enough_pieces(const struct liveupdate_pieces *p,
                             uint64_t frames)
{
    struct choice c;

    if ( choose(p, frames, &c) )
        return 0;

    return liveupdate_refuse(NULL, -ENOMEM,
                             "free memory is in small pieces: the largest %u have %"PRIu64" MiB, %lu of them in 2 MiB pages, the target needs %"PRIu64" MiB and %lu",
                             MAX_BOOT_RUNS, c.frames >> (20 - PAGE_SHIFT),
                             c.large * 2, (frames >> (20 - PAGE_SHIFT)) + 1,
                             (frame_table_pages() + 1) * 2);
}

/*
 * Walking RAM and memory map side by side.
 */

struct walk {
    const struct lu_record *map;
    unsigned int ram, entry;    /* where: in e820, in the map */
    unsigned int taken;         /* ... in boot_runs */
    unsigned long mfn;          /* next, at the earliest */
};

/* What the heap has been given before settle, in ascending order. */
static struct run boot_runs[MAX_BOOT_RUNS + MAX_NUMNODES];
static unsigned int nr_boot_runs;

/* [s, e) is not to be given away: end *end there, or behind it if it begins there. */
static bool step_over(struct walk *w, unsigned long s, unsigned long e,
                      unsigned long *end)
{
    if ( w->mfn >= s && w->mfn < e )
    {
        w->mfn = min(e, *end);
        return true;
    }
    if ( w->mfn < s )
        *end = min(*end, s);

    return false;
}

/*
 * The next run of one class (0: free), less the region, this Xen and what its
 * boot allocator has had.  @class: LU_MEM_*.  False: that was all.
 */
static bool next_run(struct walk *w, struct run *run, unsigned int *class)
{
    const struct lu_record *map = w->map;
    unsigned long region = PFN_DOWN(liveupdate_region.start);
    /* Whole 2 MiB pages, and the headroom below: see liveupdate_keep_image(). */
    unsigned long image_end = PFN_UP(ROUNDUP(__pa(__2M_rwdata_end), MB(2)));

    for ( ; w->ram < e820.nr_map; w->ram++ )
    {
        const struct e820entry *ram = &e820.map[w->ram];
        unsigned long end = PFN_DOWN(ram->addr + ram->size);

        if ( ram->type != E820_RAM )
            continue;

        w->mfn = max(w->mfn, PFN_UP(max_t(uint64_t, ram->addr, MB(1))));
        while ( w->mfn < end )
        {
            struct lu_memmap_entry m = { .mfn = ~0UL };
            unsigned long e;

            while ( w->entry < map->nr &&
                    (LU_ENTRY(map, w->entry, &m), m.mfn + m.nr <= w->mfn) )
                w->entry++;
            if ( w->entry == map->nr )
                m.mfn = ~0UL;

            *class = w->mfn < m.mfn ? 0 : m.class;
            e = min_t(uint64_t, end, *class ? m.mfn + m.nr : m.mfn);

            while ( w->taken < nr_boot_runs &&
                    boot_runs[w->taken].mfn + boot_runs[w->taken].nr <= w->mfn )
                w->taken++;
            if ( step_over(w, region,
                           region + PFN_DOWN(liveupdate_region.size), &e) ||
                 step_over(w, PFN_DOWN(xen_phys_start), image_end, &e) ||
                 (w->taken < nr_boot_runs &&
                  step_over(w, boot_runs[w->taken].mfn,
                            boot_runs[w->taken].mfn + boot_runs[w->taken].nr,
                            &e)) )
                continue;

            *run = (struct run){ w->mfn, e - w->mfn };
            w->mfn = e;
            return true;
        }
    }

    return false;
}

static struct walk start_walk(const struct lu_stream *s)
{
    return (struct walk){ .map = lu_record_find(s, NULL, LU_REC_MEMMAP, 0) };
}

static void count_pieces(const struct lu_stream *s,
                         struct liveupdate_pieces *pieces)
{
    struct walk w = start_walk(s);
    unsigned int class;
    struct run run;

    while ( next_run(&w, &run, &class) )
        if ( !class )
            liveupdate_count_piece(pieces, run.mfn, run.nr);
}

/* Those that are offline are brought up as well, if not for long. */
static unsigned int nr_cpus(const struct lu_stream *s)
{
    const struct lu_record *r = lu_record_find(s, NULL, LU_REC_CPUS,
                                               LU_ANY_DOMID);
    const struct lu_record *offline = lu_record_find(s, NULL,
                                                     LU_REC_OFFLINE_CPUS,
                                                     LU_ANY_DOMID);

    return r->nr + (offline ? offline->nr : 0);
}

#define for_each_record(s, r, type)                                       \
    for ( (r) = NULL;                                                     \
          ((r) = lu_record_find(s, r, type, LU_ANY_DOMID)) != NULL; )

static void stream_needs(const struct lu_stream *s, struct liveupdate_needs *n)
{
    const struct lu_record *r;

    *n = (struct liveupdate_needs){ .cpus = nr_cpus(s) };
    for_each_record ( s, r, LU_REC_DOMAIN )
    {
        struct lu_domain rec;

        LU_FIXED(r, &rec);
        n->domains++;
        n->vcpus += rec.nr_vcpus;
    }
    for_each_record ( s, r, LU_REC_P2M )
    {
        struct lu_p2m rec;

        LU_FIXED(r, &rec);
        n->frames += rec.pool_pages;
    }
    for_each_record ( s, r, LU_REC_GRANT )
    {
        struct lu_grant rec;

        LU_FIXED(r, &rec);
        n->frames += liveupdate_grant_frames(rec.nr_frames, 0);
    }
    for_each_record ( s, r, LU_REC_GRANT_MAPS )
    {
        struct lu_grant_maps rec;

        LU_FIXED(r, &rec);
        n->frames += liveupdate_grant_frames(0, rec.nr_handles);
    }
    for_each_record ( s, r, LU_REC_EVTCHN )
    {
        struct lu_evtchn rec;

        LU_FIXED(r, &rec);
        n->frames += DIV_ROUND_UP(rec.nr_ports, EVTCHNS_PER_BUCKET);
    }
}

int liveupdate_verify_memory(const struct lu_stream *s)
{
    struct liveupdate_pieces pieces = {};
    struct liveupdate_needs needs;

    stream_needs(s, &needs);
    count_pieces(s, &pieces);

    return liveupdate_enough_pieces(&pieces,
                                    liveupdate_frames_to_start(&needs));
}

/*
 * Target.
 */

static void __init note_boot_run(struct run run)
{
    unsigned int i = nr_boot_runs++;

    BUG_ON(i == ARRAY_SIZE(boot_runs));
    for ( ; i && boot_runs[i - 1].mfn > run.mfn; i-- )
        boot_runs[i] = boot_runs[i - 1];
    boot_runs[i] = run;
}

void __init liveupdate_feed_boot_allocator(void)
{
    struct walk w = start_walk(&liveupdate_stream);
    struct liveupdate_pieces pieces = {};
    struct liveupdate_needs needs;
    unsigned long large = frame_table_pages() + 1;
    unsigned int class;
    uint64_t frames;
    struct choice c;
    struct run run;

    stream_needs(&liveupdate_stream, &needs);
    frames = liveupdate_frames_to_start(&needs);
    count_pieces(&liveupdate_stream, &pieces);
    if ( !choose(&pieces, frames, &c) )
        panic("liveupdate: short of memory to start with: %"PRIu64" frames and %lu 2 MiB pages of %"PRIu64" and %lu\n",
              c.frames, c.large, frames, large);

    while ( (frames || large) && next_run(&w, &run, &class) )
    {
        unsigned int size = flsl(run.nr) - 1;
        /* From the top, in whole 2 MiB pages, for the frame table's sake. */
        unsigned long nr = max_t(uint64_t, ROUNDUP(frames, LARGE_PAGE_PAGES),
                                 large << PAGETABLE_ORDER) + LARGE_PAGE_PAGES;

        if ( class || size < c.size || (size == c.size && !c.nr) )
            continue;
        if ( size == c.size )
            c.nr--;

        if ( run.nr >= nr + LARGE_PAGE_PAGES )
        {
            run.mfn += run.nr - nr;
            run.nr = nr;
        }
        note_boot_run(run);
        init_boot_pages(pfn_to_paddr(run.mfn), pfn_to_paddr(run.mfn + run.nr));

        frames -= min_t(uint64_t, frames, run.nr);
        large -= min(large, large_pages(run.mfn, run.nr));
    }
}

/*
 * A node's lists are built when it gets its first memory.  That must not be while
 * others allocate, who look into any node that has some.
 */
void __init liveupdate_start_node_heaps(void)
{
    struct walk w = start_walk(&liveupdate_stream);
    unsigned int class, without = 0;
    nodeid_t node;
    struct run run;

    /* The pause goes on: no walk that has nothing to find. */
    for_each_online_node ( node )
        if ( node_spanned_pages(node) && !liveupdate_has_heap(node) )
            without++;

    while ( without && next_run(&w, &run, &class) )
    {
        unsigned long end = run.mfn + run.nr;

        for ( ; !class && run.mfn < end; run.mfn += run.nr )
        {
            node = mfn_to_nid(_mfn(run.mfn));
            run.nr = min(end, node_end_pfn(node)) - run.mfn;
            if ( liveupdate_has_heap(node) )
                continue;

            run.nr = min(run.nr, LARGE_PAGE_PAGES);
            note_boot_run(run);
            liveupdate_init_heap(_mfn(run.mfn), run.nr);
            w.taken = 0;
            without--;
        }
    }
}

/*
 * Settle, one step at a time.  The domains run again, so keep it short; what is
 * handed over counts as dirty and is scrubbed by idle CPUs, or when it is
 * allocated.
 */

static struct walk settle_walk;
static struct run settle_run;
static bool settling;
static s_time_t settle_longest;
static struct timer settle_timer;

/*
 * The stream goes last: the memory map may be in it.  It is in no more pieces
 * than these: lu_stream_open().
 */
static struct run stream_runs[LU_HANDOVER_EXTENTS];
static unsigned int nr_stream_runs;

/* @run: empty if the next is none for the heap. */
static bool next_to_settle(struct run *run)
{
    unsigned int class;

    if ( settle_walk.map && next_run(&settle_walk, run, &class) )
    {
        ASSERT(run->mfn + run->nr <= max_page);
        if ( class == LU_MEM_STREAM && nr_stream_runs < ARRAY_SIZE(stream_runs) )
            stream_runs[nr_stream_runs++] = *run;
        if ( class && class != LU_MEM_PRIVATE )
            run->nr = 0;
        return true;
    }

    settle_walk.map = NULL;
    if ( !nr_stream_runs )
        return false;
    *run = stream_runs[--nr_stream_runs];

    return true;
}

static void cf_check settle(void *unused)
{
    unsigned int left = SETTLE_STEP_PAGES;
    s_time_t start = NOW(), now = start;
    bool more = true;

    while ( more && left && now - start < LIVEUPDATE_SLICE )
    {
        unsigned long n = min_t(unsigned long, settle_run.nr,
                                min(left, SETTLE_CHUNK_PAGES));

        if ( n )
        {
            /* From the end, so that chunks are as aligned as they come. */
            settle_run.nr -= n;
            left -= n;
            liveupdate_init_heap(_mfn(settle_run.mfn + settle_run.nr), n);
        }
        else
        {
            more = next_to_settle(&settle_run);
            left--;
        }
        now = NOW();
    }
    settle_longest = max(settle_longest, now - start);

    if ( more )
        set_timer(&settle_timer, now + SETTLE_PERIOD);
    else
    {
        liveupdate_phase_end();
        smp_wmb();
        settling = false;
        liveupdate_slices_done("settle", settle_longest, NULL);
    }
}

bool liveupdate_settling(void)
{
    return settling;
}

void __init liveupdate_start_settle(void)
{
    liveupdate_phase_begin(LU_PHASE_settle);
    settle_walk = start_walk(&liveupdate_stream);
    settling = true;
    init_timer(&settle_timer, settle, NULL, 0);
    set_timer(&settle_timer, NOW() + SETTLE_PERIOD);
}
