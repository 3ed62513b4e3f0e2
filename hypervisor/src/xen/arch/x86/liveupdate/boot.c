/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: the reserved region, and how a target boots inside it.
 *
 * A cold boot sets the region (liveupdate=<size>[@<addr>][,slots=<n>]) aside
 * before the heap exists; nothing of it is ever handed out.  A target finds the
 * handover page at the region's address and then
 *
 *  1. takes memory from its own slot only (liveupdate_boot_pages()),
 *  2. once the direct map stands, checks the stream and learns from its memory
 *     map which frames are free (liveupdate_adopt()): the frame table and the
 *     first part of the heap come from those,
 *  3. rebuilds the domains (common/liveupdate/core.c),
 *  4. and when they run again gives the rest, and what was private to the
 *     source, to the heap (settle, in small steps).
 *
 * Until step 2 not a byte outside of the slot and of the first MiB is written.
 */

#include <xen/acpi.h>
#include <xen/init.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/multiboot.h>
#include <xen/param.h>
#include <xen/pfn.h>

#include <asm/e820.h>
#include <asm/liveupdate-compat.h>
#include <asm/liveupdate-efi.h>
#include <asm/page.h>
#include <asm/setup.h>

#define SLOT_ALIGN MB(2)

/* What a slot needs besides the image: boot page tables, stream, per-CPU data. */
#define SLOT_MIN   MB(16)

bool __read_mostly liveupdate_boot;
bool __read_mostly liveupdate_restoring;

struct lu_stream liveupdate_stream;
struct liveupdate_region liveupdate_region;

static struct lu_handover __initdata handover;
static const char *__initdata handover_error;
static bool __initdata slot_given;
static bool __initdata adopted;

static int __init cf_check parse_liveupdate(const char *s)
{
    const char *e;

    liveupdate_region = (struct liveupdate_region){
        .size = parse_size_and_unit(s, &e),
        .nr_slots = 2,
    };

    if ( *e == '@' )
        liveupdate_region.start = simple_strtoull(e + 1, &e, 0);
    if ( !strncmp(e, ",slots=", 7) )
        liveupdate_region.nr_slots = simple_strtoul(e + 7, &e, 0);

    if ( *e || !liveupdate_region.nr_slots || liveupdate_region.nr_slots > 8 ||
         (liveupdate_region.start & (SLOT_ALIGN - 1)) ||
         (liveupdate_region.start &&
          liveupdate_region.size < SLOT_MIN) ||
         liveupdate_region.start + liveupdate_region.size > GB(4) )
    {
        liveupdate_region = (struct liveupdate_region){};
        return -EINVAL;
    }

    return 0;
}
custom_param("liveupdate", parse_liveupdate);

static uint64_t slot_size(void)
{
    return (liveupdate_region.size / liveupdate_region.nr_slots) &
           ~(uint64_t)(SLOT_ALIGN - 1);
}

bool liveupdate_in_region(paddr_t s, paddr_t e)
{
    return liveupdate_region.start &&
           s < liveupdate_region.start + liveupdate_region.size &&
           e > liveupdate_region.start;
}

int liveupdate_next_slot(paddr_t *start, uint64_t *size, bool *in_place)
{
    unsigned int slot;

    if ( !liveupdate_region.start )
        return -ENODEV;

    slot = find_first_zero_bit(&liveupdate_region.busy,
                               liveupdate_region.nr_slots);
    *in_place = slot < liveupdate_region.nr_slots;
    if ( !*in_place )
        slot = 0;

    *size = slot_size();
    *start = liveupdate_region.start + slot * *size;

    return 0;
}

static void __init mark_busy(paddr_t s, paddr_t e)
{
    unsigned int i;

    for ( i = 0; i < liveupdate_region.nr_slots; i++ )
    {
        paddr_t slot = liveupdate_region.start + i * slot_size();

        if ( s < slot + slot_size() && e > slot )
            __set_bit(i, &liveupdate_region.busy);
    }
}

/* Of the whole page: what a later source adds to the structure counts as well. */
static uint32_t __init handover_crc(struct lu_handover *page)
{
    uint32_t crc = page->crc;
    uint32_t sum;

    page->crc = 0;
    sum = lu_crc32c(0, page, PAGE_SIZE);
    page->crc = crc;

    return sum;
}

/* Firmware and ordinary boot loaders start no live update. */
static bool __init from_kexec(const char *loader)
{
    return !strncmp(loader, LU_LOADER_NAME, strlen(LU_LOADER_NAME)) ||
           !strncmp(loader, LU_LOADER_KEXEC, strlen(LU_LOADER_KEXEC));
}

/*
 * Is this a live update?  Runs right after the command line is parsed; an error
 * is kept until liveupdate_adopt() can print it.
 */
void __init liveupdate_early_init(const char *loader)
{
    struct lu_handover *h;

    if ( !liveupdate_region.start )
        return;

    h = liveupdate_bootstrap_map(liveupdate_region.start, PAGE_SIZE);
    if ( h && h->magic == LU_HANDOVER_MAGIC && !from_kexec(loader) )
    {
        printk(XENLOG_WARNING
               "liveupdate: a handover page at %#"PRIx64" is left over from somebody, and ignored\n",
               liveupdate_region.start);
        h->magic = 0;
    }
    else if ( h && h->magic == LU_HANDOVER_MAGIC )
    {
        bool intact = handover_crc(h) == h->crc;

        handover = *h;
        /* Not to be mistaken for news by an ordinary boot later on. */
        h->magic = 0;

        liveupdate_boot = liveupdate_restoring = true;

        if ( !intact )
            handover_error = "the handover page is corrupt";
        else if ( handover.format < LU_FORMAT_OLDEST ||
                  handover.format > LU_FORMAT_VERSION )
            handover_error = "the stream's format is not one that this Xen reads";
        else if ( !handover.nr_extents ||
                  handover.nr_extents > LU_HANDOVER_EXTENTS )
            handover_error = "the handover page lists no stream";
        else
        {
            liveupdate_region = (struct liveupdate_region){
                .start = handover.region_start,
                .size = handover.region_size,
                .nr_slots = handover.nr_slots,
                .generation = handover.generation,
            };
            rsdp_hint = handover.rsdp;
        }
        if ( intact )
            liveupdate_back_learn(&handover);
    }
    liveupdate_bootstrap_unmap();
}

/* Cold boot: find room below @e that nothing else wants.  Returns the new end. */
uint64_t __init liveupdate_place_region(uint64_t s, uint64_t e, uint64_t end)
{
    uint64_t start;

    if ( liveupdate_boot || !liveupdate_region.size || liveupdate_region.start )
        return e;

    if ( liveupdate_region.size < SLOT_MIN * liveupdate_region.nr_slots )
    {
        printk(XENLOG_ERR
               "liveupdate: %#"PRIx64" bytes are too few for %u slots of %#llx\n",
               liveupdate_region.size, liveupdate_region.nr_slots, SLOT_MIN);
        liveupdate_region.size = 0;
        return e;
    }

    end = min(end, (uint64_t)GB(4)) & ~(uint64_t)(SLOT_ALIGN - 1);
    if ( end < s + liveupdate_region.size )
        return e;

    start = (end - liveupdate_region.size) & ~(uint64_t)(SLOT_ALIGN - 1);
    if ( start < s )
        return e;

    liveupdate_region.start = start;

    return min(e, start);
}

uint64_t __init liveupdate_wanted_size(void)
{
    return liveupdate_region.start ? 0 : liveupdate_region.size;
}

/* Cold boot: nobody else gets the region. */
void __init liveupdate_reserve(struct e820map *map)
{
    static bool __initdata reserved;

    if ( liveupdate_boot || reserved || !liveupdate_region.start )
        return;

    reserved = true;
    if ( !reserve_e820_ram(map, liveupdate_region.start,
                           liveupdate_region.start + liveupdate_region.size) )
    {
        printk(XENLOG_ERR "liveupdate: no RAM for %#"PRIx64" bytes at %#"PRIpaddr"\n",
               liveupdate_region.size, liveupdate_region.start);
        liveupdate_region = (struct liveupdate_region){};
    }
}

/*
 * The same once more, now that a place was found and everything else is reserved.
 * Target: the slot goes to the boot allocator before any other memory is mapped,
 * as page tables come from there: memory maps begin with odd pieces.
 */
void __init liveupdate_reserve_late(struct e820map *map)
{
    unsigned int i;

    if ( !liveupdate_boot )
    {
        liveupdate_reserve(map);
        return;
    }

    for ( i = 0; i < map->nr_map; i++ )
        if ( map->map[i].type == E820_RAM )
            init_boot_pages(PAGE_ALIGN(map->map[i].addr),
                            (map->map[i].addr + map->map[i].size) & PAGE_MASK);
    slot_given = true;
    liveupdate_step(LU_STEP_memory);
}

/*
 * Target, before the stream has been read: nothing but the slot may be given to
 * the boot allocator, less its first page (the handover page).
 */
bool __init liveupdate_boot_pages(paddr_t *ps, paddr_t *pe)
{
    if ( !liveupdate_boot || adopted )
        return true;
    if ( slot_given )
        return false;

    *ps = max_t(paddr_t, *ps, handover.slot_start + PAGE_SIZE);
    *pe = min_t(paddr_t, *pe, handover.slot_start + handover.slot_size);

    return *ps < *pe;
}

/* What is left of init sections and BSS holes stays out of the heap: the next
 * image may be copied right there. */
bool liveupdate_keep_image(void)
{
    return liveupdate_region.size;
}

/*
 * A target's boot allocator: the slot's left-overs never enter the heap, or the
 * next update would overwrite somebody's page.
 */
void __init liveupdate_boot_end(unsigned long *s, unsigned long *e)
{
    liveupdate_step(LU_STEP_heap);
    *s = PFN_DOWN(liveupdate_region.start);
    *e = PFN_UP(liveupdate_region.start + liveupdate_region.size);
}

/* One contiguous view of the stream, inside the slot where it fits. */
static const void *__init gather_stream(void)
{
    unsigned int i;
    uint64_t left = handover.stream_len;
    void *buf, *p;

    if ( handover.stream_len > handover.slot_size / 4 )
    {
        if ( handover.nr_extents > 1 )
            panic("liveupdate: a stream of %"PRIu64" bytes in pieces does not fit the slot\n",
                  handover.stream_len);
        return mfn_to_virt(handover.extent[0].mfn);
    }

    p = buf = mfn_to_virt(mfn_x(alloc_boot_pages(PFN_UP(handover.stream_len), 1)));
    for ( i = 0; i < handover.nr_extents && left; i++ )
    {
        uint64_t n = min(left, handover.extent[i].nr << PAGE_SHIFT);

        memcpy(p, mfn_to_virt(handover.extent[i].mfn), n);
        p += n;
        left -= n;
    }
    if ( left )
        panic("liveupdate: the handover page lists %"PRIu64" bytes too few\n", left);

    liveupdate_stream_buf = buf;
    liveupdate_stream_len = handover.stream_len;

    return buf;
}

/*
 * Check the stream, learn what is free, and give the boot allocator the means
 * for the frame table.  Nothing outside of the slot has been written so far.
 */
void __init liveupdate_adopt(void)
{
    struct lu_complaint why;
    const struct lu_record *r;
    const struct lu_stream_header *hdr;
    struct lu_host host;

    if ( !liveupdate_boot )
    {
        if ( !liveupdate_region.start )
        {
            if ( liveupdate_region.size )
                printk(XENLOG_ERR "liveupdate: no room for a region of %#"PRIx64" bytes below 4 GiB\n",
                       liveupdate_region.size);
            return;
        }

        map_pages_to_xen((unsigned long)__va(liveupdate_region.start),
                         maddr_to_mfn(liveupdate_region.start),
                         PFN_DOWN(liveupdate_region.size), PAGE_HYPERVISOR);
        printk("liveupdate: %u slots of %"PRIu64" MiB at %#"PRIpaddr"\n",
               liveupdate_region.nr_slots, slot_size() >> 20,
               liveupdate_region.start);
        return;
    }

    if ( handover_error )
        panic("liveupdate: %s\n", handover_error);

    liveupdate_step(LU_STEP_stream);
    hdr = gather_stream();
    if ( lu_stream_open(&liveupdate_stream, hdr, handover.stream_len, &why) )
        panic("liveupdate: stream refused: %s at offset %"PRIu64", record %#x, domain %u: %s\n",
              lu_verdict_str(why.verdict), why.offset, why.type, why.domid,
              why.what ?: "-");
    if ( hdr->header_crc != handover.stream_crc )
        panic("liveupdate: this is not the stream that the handover page speaks of\n");

    r = lu_record_find(&liveupdate_stream, NULL, LU_REC_HOST, 0);
    LU_FIXED(r, &host);
    if ( host.max_page != max_page )
        panic("liveupdate: the source had %#"PRIx64" frames, this Xen sees %#lx\n",
              host.max_page, max_page);

    liveupdate_time_seed();
    liveupdate_efi_adopt();

    kexec_crash_area.start = host.crash_start;
    kexec_crash_area.size = host.crash_size;

    mark_busy(handover.slot_start, handover.slot_start + handover.slot_size);
    mark_busy(__pa(_start), __pa(__2M_rwdata_end));

    adopted = true;
    liveupdate_step(LU_STEP_adopted);

    liveupdate_scrub_heap();
    liveupdate_feed_boot_allocator();
}

/*
 * A 2 MiB part of the machine-to-physical table, which stays where it is.
 * NULL: the source had none there, nor shall we.
 */
static struct page_info *__init liveupdate_m2p_chunk(unsigned long index, bool compat)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_M2P, 0);
    unsigned int i;

    liveupdate_step(LU_STEP_m2p);
    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_m2p_entry e;

        LU_ENTRY(r, i, &e);
        if ( e.index == index && !!e.compat == compat )
            return mfn_to_page(_mfn(e.mfn));
    }

    return NULL;
}

struct page_info *__init liveupdate_m2p_page(unsigned long index, bool compat,
                                             unsigned int memflags)
{
    return liveupdate_boot
           ? liveupdate_m2p_chunk(index, compat)
           : alloc_domheap_pages(NULL, PAGETABLE_ORDER, memflags);
}

void __init liveupdate_source_stamps(struct liveupdate_report *rep,
                                     s_time_t now)
{
    rep->phase_ns[LU_PHASE_save] = handover.verify_start - handover.save_start;
    rep->phase_ns[LU_PHASE_verify] =
        handover.collect_start - handover.verify_start;
    rep->phase_ns[LU_PHASE_collect] =
        handover.jump_start - handover.collect_start;
    /* The jump and the boot up to here: there is no clock in between. */
    rep->phase_ns[LU_PHASE_adopt] = now - handover.jump_start;
}
