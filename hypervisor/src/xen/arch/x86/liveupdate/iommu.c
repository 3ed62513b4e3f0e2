/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "iommu": units that translate what devices access and
 * remap their interrupts.
 *
 * Devices go on all the time, so translation and remapping do as well: neither
 * Xen ever turns them off.  The target's boot takes units over, long before any
 * callback runs, from what their registers say, and gives them tables of its own
 * which say the same; see the drivers (drivers/passthrough/{amd,vtd}/liveupdate/).
 * plan() only compares with the stream.  Until resume() both Xens' messages are
 * remapped; then those of the source are forgotten.
 *
 * What devices walk, the I/O page tables, belongs to domains: io_tables.c.
 *
 * Carried: IOMMUs (AMD-Vi, VT-d) with their translation and remapped interrupts,
 * both on throughout.
 */

#include <xen/iommu.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/sched.h>

#include <asm/liveupdate-iommu.h>

#include "../../../drivers/passthrough/ats.h"

const struct liveupdate_iommu *liveupdate_iommu_driver(void)
{
    return iommu_enabled ? liveupdate_amd_iommu() ?: liveupdate_vtd_iommu()
                         : NULL;
}

/*
 * Source.
 */

static int check_devices(const struct liveupdate_iommu *driver,
                         const struct domain *owner)
{
    const struct pci_dev *pdev;
    int rc = 0;

    for_each_pdev ( owner, pdev )
    {
        if ( pci_ats_device(pdev->seg, pdev->bus, pdev->devfn) &&
             pci_ats_enabled(pdev->seg, pdev->bus, pdev->devfn) )
            rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                                   "device %pp translates addresses by itself (ATS)",
                                   &pdev->sbdf);

        if ( owner == hardware_domain && !driver->has_unit(pdev) )
            rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                                   "device %pp is behind no IOMMU", &pdev->sbdf);
    }

    return rc;
}

static int check_all_devices(const struct liveupdate_iommu *driver)
{
    const struct domain *d;
    int rc, rc2;

    pcidevs_lock();
    rc = check_devices(driver, dom_xen);
    for_each_domain ( d )
    {
        rc2 = check_devices(driver, d);
        rc = rc ?: rc2;
    }
    pcidevs_unlock();

    return rc;
}

static int cf_check units_check(struct domain *unused)
{
    const struct liveupdate_iommu *driver = liveupdate_iommu_driver();
    int rc = 0, rc2;

    if ( !iommu_enabled )
        return 0;

    if ( !driver )
        return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                 "an IOMMU of a kind that is not carried is in use");
    if ( iommu_intpost )
        rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                               "interrupts are posted by an IOMMU");

    rc2 = driver->check_units();
    rc = rc ?: rc2;
    rc2 = check_all_devices(driver);

    return rc ?: rc2;
}

static unsigned int host_flags(void)
{
    return (iommu_intremap ? LU_IOMMU_INTREMAP : 0) |
           (iommu_hwdom_passthrough ? LU_IOMMU_PASSTHROUGH : 0);
}

static int cf_check units_save(struct lu_writer *w, struct domain *unused)
{
    const struct liveupdate_iommu *driver = liveupdate_iommu_driver();
    struct lu_iommu *rec;
    int rc;

    if ( !driver )
        return 0;

    rec = lu_record_begin(w, LU_REC_IOMMU, 0, 0);
    if ( !rec )
        return -ENOSPC;
    rec->kind = driver->kind;
    rec->flags = host_flags();

    rc = driver->save_units(w);
    if ( !rc )
        lu_record_end(w);

    return rc;
}

/*
 * Target.
 */

static int cf_check units_plan(struct domain *unused)
{
    const struct liveupdate_iommu *driver = liveupdate_iommu_driver();
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_IOMMU, LU_ANY_DOMID);
    struct lu_iommu rec;
    unsigned int i;
    int rc = 0;

    if ( !r != !driver )
        return liveupdate_refuse(NULL, -EOPNOTSUPP, "the source used %s IOMMU",
                                 r ? "an" : "no");
    if ( !r )
        return 0;

    LU_FIXED(r, &rec);
    if ( rec.kind != driver->kind || rec.flags != host_flags() )
        return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                 "the source used IOMMUs in another way (%u:%#x, %u:%#x here)",
                                 rec.kind, rec.flags, driver->kind, host_flags());

    for ( i = 0; !rc && i < r->nr; i++ )
    {
        struct lu_iommu_entry e;

        LU_ENTRY(r, i, &e);
        rc = driver->plan_unit(&e);
    }

    return rc;
}

static void cf_check units_resume(struct domain *unused)
{
    const struct liveupdate_iommu *driver = liveupdate_iommu_driver();

    if ( driver )
        driver->forget_source();
}

const struct liveupdate_resource liveupdate_res_iommu = {
    .name = "iommu",
    .host = true,
    .check = units_check,
    .save = units_save,
    .plan = units_plan,
    .resume = units_resume,
};
