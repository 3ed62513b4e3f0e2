/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: interrupt remapping tables of AMD IOMMUs.  Included at the end of
 * drivers/passthrough/amd/iommu_intr.c, whose table entries it needs.
 *
 * A message of a device, or an entry of an I/O APIC, names an entry of the
 * device's table; that one has the vector.  As long as a device still sends the
 * source's messages, the source's entries have to be there: the target's boot
 * makes its own table for each device and copies them to their old place, where
 * they are in use for the target's allocator.  commit() of "pirq" programs the
 * device as always, which takes a fresh entry beside them.  No entry that a
 * device could use is ever changed, so that no interrupt is blocked meanwhile.
 * resume() clears the source's.
 */

#include <xen/domain_page.h>
#include <xen/init.h>

#include <asm/liveupdate-iommu.h>

/* The source's entries in one of our tables. */
struct inherited {
    struct inherited *next;
    struct amd_iommu *iommu;
    uint16_t bdf;
    uint64_t it_root;           /* of the source's table */
    DECLARE_BITMAP(entries, INTREMAP_MAX_ENTRIES);
};
static struct inherited *inherited;

static unsigned int entry_size(const struct amd_iommu *iommu)
{
    return iommu->ctrl.ga_en ? sizeof(union irte128) : sizeof(union irte32);
}

/* The table may lie beyond what is always mapped. */
static void __init read_memory(void *to, paddr_t from, unsigned int len)
{
    while ( len )
    {
        unsigned int n = min_t(unsigned int, len, PAGE_SIZE - PAGE_OFFSET(from));
        const void *p = map_domain_page(maddr_to_mfn(from));

        memcpy(to, p + PAGE_OFFSET(from), n);
        unmap_domain_page(p);
        to += n;
        from += n;
        len -= n;
    }
}

/* Functions that send with each other's id have one table. */
static bool __init share_table(const struct amd_iommu *iommu,
                               struct ivrs_mappings *mapping, uint16_t bdf,
                               uint64_t it_root)
{
    const struct ivrs_mappings *other;
    const struct inherited *i;

    for ( i = inherited; i; i = i->next )
        if ( i->it_root == it_root && i->iommu->seg == iommu->seg )
            break;
    if ( !i )
        return false;

    other = &get_ivrs_mappings(iommu->seg)[i->bdf];
    if ( mapping->intremap_table != other->intremap_table )
    {
        amd_iommu_free_intremap_table(iommu, mapping, bdf);
        mapping->intremap_table = other->intremap_table;
        mapping->intremap_inuse = other->intremap_inuse;
    }

    return true;
}

int __init liveupdate_amd_intremap_adopt(struct amd_iommu *iommu,
                                         struct ivrs_mappings *mapping,
                                         uint16_t bdf,
                                         const struct amd_iommu_dte *dte)
{
    unsigned int i, nr = 1u << dte->int_tab_len, size = entry_size(iommu);
    unsigned int used = 0;
    struct inherited *in;
    union irte_ptr table;

    if ( nr > INTREMAP_MAX_ENTRIES )
        return -EINVAL;
    if ( share_table(iommu, mapping, bdf, dte->it_root) )
        return 0;

    in = xzalloc(struct inherited);
    table.ptr = xmalloc_bytes(nr * size);
    if ( !in || !table.ptr )
    {
        xfree(in);
        xfree(table.ptr);
        return -ENOMEM;
    }

    *in = (struct inherited){
        .next = inherited, .iommu = iommu, .bdf = bdf, .it_root = dte->it_root,
    };
    inherited = in;

    read_memory(table.ptr, dte->it_root << 6, nr * size);
    for ( i = 0; i < nr; i++ )
        /* The RemapEn fields match for all formats. */
        if ( (iommu->ctrl.ga_en ? table.ptr32[4 * i] : table.ptr32[i]).flds.remap_en )
        {
            __set_bit(i, in->entries);
            used++;
        }

    /* Room for as many again: see liveupdate_amd_intremap_check(). */
    if ( mapping->intremap_table &&
         intremap_table_entries(mapping->intremap_table, iommu) <
         max(nr, 2 * used) )
        amd_iommu_free_intremap_table(iommu, mapping, bdf);
    if ( !mapping->intremap_table )
        mapping->intremap_table =
            amd_iommu_alloc_intremap_table(iommu, &mapping->intremap_inuse,
                                           max(nr, 2 * used));
    if ( mapping->intremap_table )
    {
        memcpy(mapping->intremap_table, table.ptr, nr * size);
        bitmap_or(mapping->intremap_inuse, mapping->intremap_inuse, in->entries,
                  nr);
    }
    xfree(table.ptr);

    return mapping->intremap_table ? 0 : -ENOMEM;
}

void cf_check liveupdate_amd_intremap_release(void)
{
    struct inherited *in;

    while ( (in = inherited) != NULL )
    {
        spinlock_t *lock = get_intremap_lock(in->iommu->seg, in->bdf);
        unsigned long flags;
        unsigned int i;

        spin_lock_irqsave(lock, flags);
        for ( i = find_first_bit(in->entries, INTREMAP_MAX_ENTRIES);
              i < INTREMAP_MAX_ENTRIES;
              i = find_next_bit(in->entries, INTREMAP_MAX_ENTRIES, i + 1) )
            free_intremap_entry(in->iommu, in->bdf, i);
        spin_unlock_irqrestore(lock, flags);

        amd_iommu_flush_intremap(in->iommu, in->bdf);

        inherited = in->next;
        xfree(in);
    }
}

static int cf_check check_table(const struct amd_iommu *iommu,
                                struct ivrs_mappings *mapping, uint16_t bdf)
{
    unsigned int used;

    if ( !mapping->intremap_table )
        return 0;

    used = bitmap_weight(mapping->intremap_inuse,
                         intremap_table_entries(mapping->intremap_table, iommu));
    if ( 2 * used > INTREMAP_MAX_ENTRIES )
        return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                 "device %pp has too many remapped interrupts (%u)",
                                 &PCI_SBDF(iommu->seg, bdf), used);

    return 0;
}

/* While a device changes over, its table holds the entries of both Xens. */
int liveupdate_amd_intremap_check(void)
{
    return iommu_intremap ? iterate_ivrs_entries(check_table) : 0;
}
