/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: messages that devices send as interrupts (MSI, MSI-X).  Included
 * at the end of arch/x86/msi.c, whose ways to a device's registers it needs.
 *
 * The device goes on with its registers as they are; what it sends during the
 * update arrives under a vector of the source and is noted (pending.c).  The
 * target builds its own descriptor beside (plan), without a write to the device,
 * and then tells the device its own vector (commit).  Where the device can mask
 * an entry, that happens under the mask: what it wants to send meanwhile stays
 * in its pending bit.  The capability's control word, and whether messages are
 * enabled in it, is the domain's, and not touched.
 */

#include <asm/liveupdate-compat.h>

const char *liveupdate_msi_describe(const struct domain *d,
                                    const struct irq_desc *desc,
                                    struct lu_pirqs_entry *e)
{
    const struct msi_desc *msi = desc->msi_desc;

    switch ( msi->msi_attrib.type )
    {
    case PCI_CAP_ID_MSI:
        if ( msi->msi_attrib.entry_nr || msi->msi.nvec != 1 )
            return "one of several messages of one capability";
        e->kind = LU_PIRQ_MSI;
        break;

    case PCI_CAP_ID_MSIX:
        e->kind = LU_PIRQ_MSIX;
        e->entry = msi->msi_attrib.entry_nr;
        break;

    default:
        return "a message to Xen";
    }

    if ( msi->dev->domain != d )
        return "a message of another domain's device";

    e->sbdf = msi->dev->sbdf.sbdf;
    e->creator = desc->arch.creator_domid;
    if ( msi->msi_attrib.guest_masked )
        e->flags |= LU_PIRQF_GUEST_MASKED;
    if ( msi->msi_attrib.host_masked )
        e->flags |= LU_PIRQF_HOST_MASKED;

    return NULL;
}

/* See msi_capability_init(). */
static int adopt_msi(struct pci_dev *pdev, struct msi_desc *msi)
{
    unsigned int pos = liveupdate_find_cap(pdev, PCI_CAP_ID_MSI);
    uint16_t control;

    if ( !pos )
        return -ENODEV;

    control = pci_conf_read16(pdev->sbdf, msi_control_reg(pos));
    msi->msi_attrib.type = PCI_CAP_ID_MSI;
    msi->msi_attrib.pos = pos;
    msi->msi_attrib.is_64 = is_64bit_address(control);
    msi->msi_attrib.maskbit = is_mask_bit_support(control);
    msi->msi.nvec = 1;
    if ( msi->msi_attrib.maskbit )
        msi->msi.mpos = msi_mask_bits_reg(pos, is_64bit_address(control));

    return 0;
}

/* See msix_capability_init(); pci.c has restored pdev->msix. */
static int adopt_msix(struct pci_dev *pdev, struct msi_desc *msi,
                      unsigned int entry)
{
    struct arch_msix *msix = pdev->msix;
    unsigned int pos = liveupdate_find_cap(pdev, PCI_CAP_ID_MSIX);
    paddr_t table, addr;
    int idx;

    if ( !pos || !msix || !msix->used_entries )
        return -ENODEV;
    if ( entry >= msix->nr_entries )
        return -EINVAL;

    table = pfn_to_paddr(msix->table.first) +
            PAGE_OFFSET(pci_conf_read32(pdev->sbdf, msix_table_offset_reg(pos)) &
                        ~PCI_MSIX_BIRMASK);
    addr = table + entry * PCI_MSIX_ENTRY_SIZE;
    if ( PFN_DOWN(addr) > msix->table.last )
        return -EINVAL;

    idx = msix_get_fixmap(msix, table, addr);
    if ( idx < 0 )
        return idx;

    msi->msi_attrib.type = PCI_CAP_ID_MSIX;
    msi->msi_attrib.pos = pos;
    msi->msi_attrib.is_64 = 1;
    msi->msi_attrib.maskbit = 1;
    msi->msi_attrib.entry_nr = entry;
    msi->mask_base = fix_to_virt(idx) + PAGE_OFFSET(addr);

    return 0;
}

int liveupdate_msi_adopt(struct domain *d, struct irq_desc *desc,
                         const struct lu_pirqs_entry *e)
{
    pci_sbdf_t sbdf = { .sbdf = e->sbdf };
    struct pci_dev *pdev = pci_get_pdev(d, sbdf);
    struct msi_desc *msi;
    unsigned long flags;
    int rc = -EPERM;

    ASSERT(pcidevs_locked());

    if ( !use_msi )
        return liveupdate_refuse(d, rc, "pirq %u: messages (MSI) are disabled",
                                 e->pirq);
    if ( !pdev )
        return liveupdate_refuse(d, -ENODEV, "pirq %u: no device %pp", e->pirq,
                                 &sbdf);

    msi = alloc_msi_entry(1);
    if ( !msi )
        return -ENOMEM;

    memset(&msi->msi_attrib, 0, sizeof(msi->msi_attrib));
    msi->msg = (struct msi_msg){};
    msi->dev = pdev;
    msi->irq = desc->irq;

    if ( e->kind == LU_PIRQ_MSIX )
        rc = adopt_msix(pdev, msi, e->entry);
    else
        rc = adopt_msi(pdev, msi);
    if ( rc )
    {
        xfree(msi);
        return liveupdate_refuse(d, rc, "pirq %u: device %pp has no entry %u",
                                 e->pirq, &sbdf, e->entry);
    }

    msi->msi_attrib.guest_masked = !!(e->flags & LU_PIRQF_GUEST_MASKED);
    msi->msi_attrib.host_masked = !!(e->flags & LU_PIRQF_HOST_MASKED);
    list_add_tail(&msi->list, &pdev->msi_list);

    spin_lock_irqsave(&desc->lock, flags);
    desc->msi_desc = msi;
    desc->handler = msi_maskable_irq(msi) ? &pci_msi_maskable
                                          : &pci_msi_nonmaskable;
    spin_unlock_irqrestore(&desc->lock, flags);

    return 0;
}

/*
 * The table of MSI-X is memory of the device.  Where that is switched off, the
 * message waits for pci_restore_msi_state(), as after a suspend.
 */
static bool msi_reachable(const struct msi_desc *msi)
{
    return msi->msi_attrib.type != PCI_CAP_ID_MSIX || memory_decoded(msi->dev);
}

void liveupdate_msi_program(struct irq_desc *desc)
{
    struct msi_desc *msi = desc->msi_desc;

    ASSERT(spin_is_locked(&desc->lock));

    if ( !msi_reachable(msi) )
    {
        msi_compose_msg(desc->arch.vector, desc->arch.cpu_mask, &msi->msg);
        return;
    }

    if ( msi_maskable_irq(msi) )
        msi_set_mask_bit(desc, true, msi->msi_attrib.guest_masked);
    if ( setup_msi_irq(desc, msi) )
        ASSERT_UNREACHABLE();
}

void liveupdate_msi_unmask(struct irq_desc *desc,
                           const struct lu_pirqs_entry *e)
{
    /* Xen's own mask on a bound one was for a moment only (rate limit). */
    bool host = (e->flags & LU_PIRQF_HOST_MASKED) &&
                !(desc->status & IRQ_GUEST);

    ASSERT(spin_is_locked(&desc->lock));

    if ( msi_maskable_irq(desc->msi_desc) && msi_reachable(desc->msi_desc) )
        msi_set_mask_bit(desc, host, e->flags & LU_PIRQF_GUEST_MASKED);
}
