/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: interrupt remapping tables of VT-d units.  Included at the end of
 * drivers/passthrough/vtd/intremap.c, whose statics it needs.
 *
 * A message of a device, or an entry of an I/O APIC, names an entry of its unit's
 * table; that one has the vector.  As long as a device still sends the source's
 * messages, the source's entries have to be there: the target's boot copies them
 * to the same place of its own table, where they are in use for the target's
 * allocator.  commit() of "pirq" programs the device as always, which takes a
 * fresh entry beside them.  No entry that a device could use is ever changed, so
 * that no interrupt is blocked meanwhile.  resume() clears the source's.
 */

#include <xen/domain_page.h>
#include <xen/iommu.h>
#include <xen/liveupdate.h>
#include <xen/xmalloc.h>

#include <asm/liveupdate-iommu.h>

/* Size field of the table's address. */
#define IRTA_SIZE 0xf

/* The source's entries in one of our tables. */
struct inherited {
    struct inherited *next;
    struct vtd_iommu *iommu;
    DECLARE_BITMAP(entries, IREMAP_ENTRY_NR);
};
static struct inherited *inherited;

int liveupdate_vtd_intremap_adopt(struct vtd_iommu *iommu, bool eim)
{
    uint64_t irta = dmar_readq(iommu->reg, DMAR_IRTA_REG);
    const unsigned int per_page = 1U << IREMAP_ENTRY_ORDER;
    unsigned int i, j, nr = 2U << (irta & IRTA_SIZE);
    struct inherited *in;

    if ( !liveupdate_vtd_remaps(iommu) )
        return 0;
    /* One for x2APIC has other entries; and ours is as large as they come. */
    if ( !(irta & IRTA_EIME) == eim )
        return -EOPNOTSUPP;
    BUILD_BUG_ON(IREMAP_ENTRY_NR != 2U << IRTA_SIZE);

    in = xzalloc(struct inherited);
    if ( !in )
        return -ENOMEM;
    in->iommu = iommu;
    in->next = inherited;
    inherited = in;

    for ( i = 0; i < nr; i += per_page )
    {
        mfn_t mfn = maddr_to_mfn(iommu->intremap.maddr + i * sizeof(struct iremap_entry));
        struct iremap_entry *table;

        copy_domain_page(mfn, maddr_to_mfn((irta & PAGE_MASK) +
                                           i * sizeof(struct iremap_entry)));
        table = map_domain_page(mfn);
        for ( j = 0; j < min(per_page, nr); j++ )
            if ( table[j].val )
            {
                __set_bit(i + j, in->entries);
                iommu->intremap.num++;
            }
        /* A small table may share its page with something else. */
        if ( nr < per_page )
            memset(&table[nr], 0, (per_page - nr) * sizeof(*table));
        iommu_sync_cache(table, PAGE_SIZE);
        unmap_domain_page(table);
    }

    return 0;
}

/* Bits of the global status that say what is on; the others are those of commands that are through. */
#define GSTS_ON (DMA_GSTS_TES | DMA_GSTS_AFLS | DMA_GSTS_QIES | \
                 DMA_GSTS_IRES | DMA_GSTS_CFIS)

/*
 * Source, after a target came back: our own table, which has all that devices
 * could have asked the target's for.  Remapping stays on.
 */
void liveupdate_vtd_intremap_take_back(struct vtd_iommu *iommu)
{
    uint32_t sts = dmar_readl(iommu->reg, DMAR_GSTS_REG);

    if ( !iommu->intremap.maddr || !(sts & DMA_GSTS_IRES) )
        return;

    dmar_writeq(iommu->reg, DMAR_IRTA_REG,
                iommu->intremap.maddr | IRTA_REG_TABLE_SIZE |
                (iommu_x2apic_enabled ? IRTA_EIME : 0));
    dmar_writel(iommu->reg, DMAR_GCMD_REG, (sts & GSTS_ON) | DMA_GCMD_SIRTP);
    IOMMU_WAIT_OP(iommu, DMAR_GSTS_REG, dmar_readl, sts & DMA_GSTS_SIRTPS, sts);

    iommu_flush_iec_global(iommu);
}

void cf_check liveupdate_vtd_intremap_release(void)
{
    struct inherited *in;

    while ( (in = inherited) != NULL )
    {
        struct vtd_iommu *iommu = in->iommu;
        unsigned long flags;
        unsigned int i;

        spin_lock_irqsave(&iommu->intremap.lock, flags);
        for ( i = find_first_bit(in->entries, IREMAP_ENTRY_NR);
              i < IREMAP_ENTRY_NR;
              i = find_next_bit(in->entries, IREMAP_ENTRY_NR, i + 1) )
            free_remap_entry(iommu, i);
        spin_unlock_irqrestore(&iommu->intremap.lock, flags);

        inherited = in->next;
        xfree(in);
    }
}
