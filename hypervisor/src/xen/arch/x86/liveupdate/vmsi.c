/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: MSI-X tables of devices that HVM domains drive.  Included by
 * hvm/vmsi.c.
 *
 * The device model emulates such a table, but for the mask bits, which are Xen's
 * business: an entry that the guest masks is masked in the device, without the
 * device model.  It is told of an unmasked entry only when there is news.
 */

#include <xen/liveupdate.h>

/* One that has left the domain may have left its table behind. */
static const struct pci_dev *table_device(const struct domain *d,
                                          const struct msixtbl_entry *entry)
{
    const struct pci_dev *pdev;

    for_each_pdev ( d, pdev )
        if ( pdev == entry->pdev )
            return pdev;

    return NULL;
}

int liveupdate_msixtbl_save(struct lu_writer *w, const struct domain *d)
{
    const struct msixtbl_entry *entry;

    if ( !msixtbl_initialised(d) || list_empty(&d->arch.hvm.msixtbl_list) )
        return 0;

    if ( !lu_record_begin(w, LU_REC_PT_MSIX, d->domain_id, 0) )
        return -ENOSPC;

    list_for_each_entry ( entry, &d->arch.hvm.msixtbl_list, list )
    {
        const struct pci_dev *pdev = table_device(d, entry);
        struct lu_pt_msix_entry *e;

        if ( !pdev )
            continue;

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;

        BUILD_BUG_ON(sizeof(e->changed) != sizeof(entry->table_flags));
        BUILD_BUG_ON(sizeof(e->shadow) != sizeof(entry->gentries));
        e->sbdf = pdev->sbdf.sbdf;
        e->bound = atomic_read(&entry->refcnt);
        e->address = entry->gtable;
        memcpy(e->changed, entry->table_flags, sizeof(e->changed));
        memcpy(e->shadow, entry->gentries, sizeof(e->shadow));
        e->shadow_valid = entry->acc_valid[0];
    }
    lu_record_end(w);

    return 0;
}

int liveupdate_msixtbl_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_PT_MSIX, d->domain_id);
    const struct pci_dev *owned;
    unsigned int i;

    ASSERT(pcidevs_locked());

    /* See pdev_msix_assign(). */
    for_each_pdev ( d, owned )
        if ( owned->msix )
            msixtbl_init(d);

    for ( i = 0; r && i < r->nr; i++ )
    {
        struct msixtbl_entry *entry;
        struct lu_pt_msix_entry e;
        struct pci_dev *pdev;
        pci_sbdf_t sbdf;

        LU_ENTRY(r, i, &e);
        sbdf.sbdf = e.sbdf;
        pdev = pci_get_pdev(d, sbdf);
        if ( !pdev || !pdev->msix || !msixtbl_initialised(d) ||
             (e.shadow_valid >> (3 * MAX_MSIX_ACC_ENTRIES)) )
            return liveupdate_refuse(d, -EINVAL,
                                     "device %pp cannot have its MSI-X table at %#"PRIx64,
                                     &sbdf, e.address);

        entry = xzalloc(struct msixtbl_entry);
        if ( !entry )
            return -ENOMEM;

        add_msixtbl_entry(d, pdev, e.address, entry);
        atomic_set(&entry->refcnt, e.bound);
        memcpy(entry->table_flags, e.changed, sizeof(e.changed));
        memcpy(entry->gentries, e.shadow, sizeof(e.shadow));
        entry->acc_valid[0] = e.shadow_valid;
    }

    return 0;
}
