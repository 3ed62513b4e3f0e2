/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: PCI devices, and other facts about the platform that the hardware
 * domain has told Xen once and will not tell again.
 *
 *  - PHYSDEVOP_pci_device_add: devices, their virtual functions, their node.
 *    A target that is not told anew would know none of them, and give them no
 *    interrupts.
 *  - PHYSDEVOP_pci_mmcfg_reserved: where configuration space can be accessed
 *    through memory.
 *  - PHYSDEVOP_setup_gsi: gsi.c.
 *
 * (Power states of CPUs: power.c.)
 *
 * save() reads Xen's inventory, plan() replays the calls; a device that a domain
 * drives itself (passthrough) is given to it at once, as it is never without the
 * domain's I/O page tables.  No device is written to.  Devices that Xen keeps
 * for itself (a serial port, an IOMMU) are found by the target's own boot, and
 * have to be the same.
 *
 * Carried: PCI devices with their virtual functions, which domain drives them
 * (passthrough), MSI-X tables, where configuration space is in memory (MMCFG),
 * GSIs as they were set up, interrupts that arrive in the meantime.
 */

#include <xen/acpi.h>
#include <xen/domain_page.h>
#include <xen/init.h>
#include <xen/irq.h>
#include <xen/lib.h>
#include <xen/numa.h>
#include <xen/pci.h>
#include <xen/rangeset.h>
#include <xen/sched.h>

#include <asm/io_apic.h>
#include <asm/liveupdate-compat.h>
#include <asm/liveupdate-irq.h>
#include <asm/msi.h>
#include <asm/mm.h>
#include <asm/pci.h>

#include <public/physdev.h>

#include "../x86_64/mmconfig.h"

/* Proximity domains beyond this are not looked for. */
#define MAX_PXM 1024

#define CLASS_VGA   0x0300
#define CLASS_IOMMU 0x0806

/*
 * Source.
 */

static int check_host(void)
{
    if ( skip_ioapic_setup || !nr_ioapics )
        return liveupdate_refuse(NULL, -EOPNOTSUPP, "no I/O APIC is in use");

    return 0;
}

/*
 * One in quarantine has no access to memory at all, or (a reserved region, a
 * scratch page) by page tables of its own.
 */
static bool has_own_tables(const struct pci_dev *pdev)
{
    return pdev->arch.vtd.pgd_maddr || pdev->arch.amd.root_table;
}

/* Devices with an owner: a domain, nobody (in quarantine), or Xen itself. */
static int check_devices(const struct domain *owner)
{
    const struct pci_dev *pdev;
    int rc = 0;

    for_each_pdev ( owner, pdev )
    {
        if ( owner == dom_io && has_own_tables(pdev) )
            rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                                   "device %pp is quarantined with page tables of its own",
                                   &pdev->sbdf);
        else if ( pdev->vpci )
            rc = liveupdate_refuse(owner, -EOPNOTSUPP,
                                   "device %pp is emulated by vPCI", &pdev->sbdf);
        else if ( pdev->broken )
            rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                                   "device %pp is marked as broken",
                                   &pdev->sbdf);
    }

    return rc;
}

static int cf_check pci_check(struct domain *unused)
{
    const struct domain *d;
    int rc = check_host(), rc2;

    pcidevs_lock();
    for_each_domain ( d )
    {
        rc2 = check_devices(d);
        rc = rc ?: rc2;
    }
    rc2 = check_devices(dom_xen);
    rc = rc ?: rc2;
    rc2 = check_devices(dom_io);
    rc = rc ?: rc2;
    pcidevs_unlock();

    return rc;
}

/* Node numbers are Xen's own; the SRAT's are the host's. */
static uint32_t node_pxm(nodeid_t node)
{
    unsigned int pxm;

    if ( node == NUMA_NO_NODE )
        return LU_PCI_NO_PXM;

    for ( pxm = 0; pxm < MAX_PXM; pxm++ )
        if ( pxm_to_node(pxm) == node )
            return pxm;

    return LU_PCI_NO_PXM;
}

static bool is_readonly(const struct pci_dev *pdev)
{
    const unsigned long *ro_map = pci_get_ro_map(pdev->seg);

    return ro_map && test_bit(pdev->sbdf.bdf, ro_map);
}

static bool has_sriov_sizes(const struct pci_dev *pdev)
{
    unsigned int i;

    if ( !liveupdate_has_vf_rlen(pdev) )
        return false;

    for ( i = 0; i < ARRAY_SIZE(pdev->LIVEUPDATE_VF_RLEN); i++ )
        if ( pdev->LIVEUPDATE_VF_RLEN[i] )
            return true;

    return false;
}

/*
 * AMD IOMMUs are hidden before pci_segments_init() makes a new list of segments,
 * which does not have them.  The hardware domain has the device once more.
 */
static bool is_orphan(const struct pci_dev *pdev)
{
    bool found;

    if ( pdev->domain != dom_xen )
        return false;

    pcidevs_lock();
    found = pci_get_pdev(NULL, pdev->sbdf) == pdev;
    pcidevs_unlock();

    return !found;
}

typedef int pdev_fn(struct lu_writer *w, const struct pci_dev *pdev);

/* The oldest first: physical functions precede their virtual ones. */
static int save_devices_of(struct lu_writer *w, const struct domain *owner,
                           pdev_fn *fn)
{
    const struct pci_dev *pdev;
    int rc = 0;

    list_for_each_entry_reverse ( pdev, &owner->pdev_list, domain_list )
    {
        if ( is_orphan(pdev) )
            continue;
        rc = fn(w, pdev);
        if ( rc )
            break;
    }

    return rc;
}

/* One record with what @fn writes for each device. */
static int save_devices(struct lu_writer *w, enum lu_record_type type,
                        pdev_fn *fn)
{
    const struct domain *d;
    int rc;

    if ( !lu_record_begin(w, type, 0, 0) )
        return -ENOSPC;

    /* The hardware domain is the first of all. */
    rc = save_devices_of(w, dom_xen, fn);
    for_each_domain ( d )
        rc = rc ?: save_devices_of(w, d, fn);
    rc = rc ?: save_devices_of(w, dom_io, fn);
    if ( !rc )
        lu_record_end(w);

    return rc;
}

static int cf_check save_device(struct lu_writer *w, const struct pci_dev *pdev)
{
    struct lu_pci_entry *e = lu_record_entries(w, 1);

    if ( !e )
        return -ENOSPC;

    e->sbdf = pdev->sbdf.sbdf;
    e->flags = (pdev->info.is_extfn ? LU_PCI_EXTFN : 0) |
               (pdev->info.is_virtfn ? LU_PCI_VIRTFN : 0) |
               (pdev->domain == dom_xen ? LU_PCI_HIDDEN : 0) |
               (is_readonly(pdev) ? LU_PCI_READONLY : 0) |
               (pdev->quarantine ? LU_PCI_QUARANTINE : 0);
    if ( pdev->info.is_virtfn )
        e->physfn = (pdev->info.physfn.bus << 8) | pdev->info.physfn.devfn;
    e->pxm = node_pxm(pdev->node);

    return 0;
}

static int cf_check save_sriov(struct lu_writer *w, const struct pci_dev *pdev)
{
    struct lu_pci_sriov_entry *e;

    if ( !has_sriov_sizes(pdev) )
        return 0;

    e = lu_record_entries(w, 1);
    if ( !e )
        return -ENOSPC;

    BUILD_BUG_ON(sizeof(e->bar_size) != sizeof(pdev->LIVEUPDATE_VF_RLEN));
    e->sbdf = pdev->sbdf.sbdf;
    memcpy(e->bar_size, pdev->LIVEUPDATE_VF_RLEN, sizeof(e->bar_size));

    return 0;
}

static int cf_check save_msix(struct lu_writer *w, const struct pci_dev *pdev)
{
    const struct arch_msix *msix = pdev->msix;
    struct lu_pci_msix_entry *e;

    /* What Xen does with a device of its own, the target does anew. */
    if ( pdev->domain == dom_xen || !msix ||
         !(msix->used_entries || msix->host_maskall || msix->guest_maskall) )
        return 0;

    e = lu_record_entries(w, 1);
    if ( !e )
        return -ENOSPC;

    e->sbdf = pdev->sbdf.sbdf;
    e->used = msix->used_entries;
    e->flags = (msix->host_maskall ? LU_MSIX_HOST_MASKALL : 0) |
               (msix->guest_maskall ? LU_MSIX_GUEST_MASKALL : 0);
    e->table_first = msix->table.first;
    e->table_last = msix->table.last;
    e->pba_first = msix->pba.first;
    e->pba_last = msix->pba.last;

    return 0;
}

static int cf_check save_owner(struct lu_writer *w, const struct pci_dev *pdev)
{
    struct lu_pci_owner_entry *e;

    if ( pdev->domain == dom_xen || pdev->domain == hardware_domain )
        return 0;

    e = lu_record_entries(w, 1);
    if ( !e )
        return -ENOSPC;

    e->sbdf = pdev->sbdf.sbdf;
    e->domid = pdev->domain == dom_io ? LU_PCI_NOBODY
                                      : pdev->domain->domain_id;

    return 0;
}

static bool mmcfg_in_use(const struct acpi_mcfg_allocation *cfg)
{
    unsigned int seg, bdf;

    return pci_mmcfg_decode(PFN_DOWN(cfg->address) +
                            PCI_BDF(cfg->start_bus_number, 0, 0),
                            &seg, &bdf) &&
           seg == cfg->pci_segment;
}

static int save_mmcfg(struct lu_writer *w)
{
    unsigned int i;

    if ( !lu_record_begin(w, LU_REC_MMCFG, 0, 0) )
        return -ENOSPC;

    for ( i = 0; i < pci_mmcfg_config_num; i++ )
    {
        const struct acpi_mcfg_allocation *cfg = &pci_mmcfg_config[i];
        struct lu_mmcfg_entry *e = lu_record_entries(w, 1);

        if ( !e )
            return -ENOSPC;

        e->address = cfg->address;
        e->segment = cfg->pci_segment;
        e->start_bus = cfg->start_bus_number;
        e->end_bus = cfg->end_bus_number;
        e->flags = mmcfg_in_use(cfg) ? LU_MMCFG_IN_USE : 0;
    }
    lu_record_end(w);

    return 0;
}

static int cf_check pci_save(struct lu_writer *w, struct domain *unused)
{
    return save_devices(w, LU_REC_PCI, save_device) ?:
           save_devices(w, LU_REC_PCI_SRIOV, save_sriov) ?:
           save_devices(w, LU_REC_PCI_MSIX, save_msix) ?:
           save_devices(w, LU_REC_PCI_OWNER, save_owner) ?:
           save_mmcfg(w) ?:
           liveupdate_gsi_save(w) ?:
           liveupdate_pending_reserve(w);
}

/*
 * Target.
 */

static int cf_check plan_mmcfg(const struct lu_record *r, unsigned int i)
{
    struct lu_mmcfg_entry e;
    int rc;

    LU_ENTRY(r, i, &e);
    rc = pci_mmcfg_reserved(e.address, e.segment, e.start_bus, e.end_bus,
                            e.flags & LU_MMCFG_IN_USE ? XEN_PCI_MMCFG_RESERVED
                                                      : 0);

    return rc ? liveupdate_refuse(NULL, rc,
                                  "MMCFG of segment %#x, buses %#x-%#x, at %#"PRIx64" is unknown",
                                  e.segment, e.start_bus, e.end_bus, e.address)
              : 0;
}

/*
 * Whether Xen itself uses a device must not have changed.  But for the screen:
 * the source keeps it from guests, and the target has not looked for it.  And
 * for AMD's IOMMUs, which each release wants to keep, and which 4.17 forgets
 * (is_orphan()): whoever has kept one, it is kept from now on.
 */
static int __init plan_hidden(pci_sbdf_t sbdf, unsigned int flags)
{
    const unsigned int all = LU_PCI_HIDDEN | LU_PCI_READONLY;
    const struct pci_dev *pdev;
    unsigned int now = 0, class;

    flags &= all;
    pcidevs_lock();
    pdev = pci_get_pdev(NULL, sbdf);
    if ( pdev )
        now = (pdev->domain == dom_xen ? LU_PCI_HIDDEN : 0) |
              (is_readonly(pdev) ? LU_PCI_READONLY : 0);
    pcidevs_unlock();

    if ( flags == now )
        return 0;

    class = pci_conf_read16(sbdf, PCI_CLASS_DEVICE);
    if ( class == CLASS_VGA && flags == LU_PCI_HIDDEN && !now )
        return pci_hide_device(sbdf.seg, sbdf.bus, sbdf.devfn);
    if ( class == CLASS_IOMMU && flags == all && !now )
        return pci_ro_device(sbdf.seg, sbdf.bus, sbdf.devfn);
    if ( class == CLASS_IOMMU && !flags && now == all )
        return 0;

    return liveupdate_refuse(NULL, -EBUSY, "device %pp was %s by the source",
                             &sbdf, flags & LU_PCI_HIDDEN ? "kept"
                                                          : "not kept");
}

static struct domain *owner;

/* Whom pci_add_device() gives a device that nobody has. */
struct domain *liveupdate_pci_owner(void)
{
    return liveupdate_restoring && owner ? owner : hardware_domain;
}

/* NULL: the hardware domain. */
static struct domain *__init find_owner(uint32_t sbdf)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_PCI_OWNER, LU_ANY_DOMID);
    struct domain *d = NULL;
    unsigned int i;

    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_pci_owner_entry e;

        LU_ENTRY(r, i, &e);
        if ( e.sbdf == sbdf )
            d = e.domid == LU_PCI_NOBODY ? dom_io : get_domain_by_id(e.domid);
    }
    /* Nobody destroys domains here. */
    if ( d && d != dom_io )
        put_domain(d);

    return d;
}

static int __init cf_check plan_device(const struct lu_record *r, unsigned int i)
{
    struct lu_pci_entry e;
    struct pci_dev_info info = {};
    struct pci_dev *pdev;
    pci_sbdf_t sbdf;
    int rc;

    LU_ENTRY(r, i, &e);
    sbdf.sbdf = e.sbdf;
    if ( e.flags & ~LU_PCI_ALL )
        return liveupdate_refuse(NULL, -EINVAL, "device %pp: unknown flags %#x",
                                 &sbdf, e.flags);

    rc = plan_hidden(sbdf, e.flags);
    if ( rc )
        return rc;

    info.is_extfn = e.flags & LU_PCI_EXTFN;
    info.is_virtfn = e.flags & LU_PCI_VIRTFN;
    info.physfn.bus = e.physfn >> 8;
    info.physfn.devfn = e.physfn;

    owner = find_owner(e.sbdf);
    rc = pci_add_device(sbdf.seg, sbdf.bus, sbdf.devfn, &info,
                        e.pxm != LU_PCI_NO_PXM ? pxm_to_node(e.pxm)
                                               : NUMA_NO_NODE);
    if ( rc )
        return liveupdate_refuse(NULL, rc, "device %pp cannot be added", &sbdf);

    pcidevs_lock();
    pdev = pci_get_pdev(NULL, sbdf);
    pdev->quarantine = e.flags & LU_PCI_QUARANTINE;
    pcidevs_unlock();

    return 0;
}

/* The device of a later record; NULL, and refused: there was none in PCI. */
static struct pci_dev *find_device(uint32_t sbdf_)
{
    pci_sbdf_t sbdf = { .sbdf = sbdf_ };
    struct pci_dev *pdev;

    pcidevs_lock();
    pdev = pci_get_pdev(NULL, sbdf);
    pcidevs_unlock();

    if ( !pdev )
        liveupdate_refuse(NULL, -ENODEV, "device %pp is unknown", &sbdf);

    return pdev;
}

static int cf_check plan_sriov(const struct lu_record *r, unsigned int i)
{
    struct lu_pci_sriov_entry e;
    struct pci_dev *pdev;

    LU_ENTRY(r, i, &e);
    pdev = find_device(e.sbdf);
    if ( !pdev )
        return -ENODEV;
    if ( !liveupdate_has_vf_rlen(pdev) )
        return liveupdate_refuse(NULL, -EINVAL,
                                 "device %pp is a virtual function with virtual functions",
                                 &pdev->sbdf);

    memcpy(pdev->LIVEUPDATE_VF_RLEN, e.bar_size, sizeof(pdev->LIVEUPDATE_VF_RLEN));

    return 0;
}

static int cf_check plan_msix(const struct lu_record *r, unsigned int i)
{
    struct lu_pci_msix_entry e;
    struct arch_msix *msix;
    struct pci_dev *pdev;

    LU_ENTRY(r, i, &e);
    pdev = find_device(e.sbdf);
    if ( !pdev )
        return -ENODEV;

    msix = pdev->msix;
    if ( !msix || e.used > msix->nr_entries + 1 || (e.flags & ~LU_MSIX_ALL) ||
         e.table_first > e.table_last || e.pba_first > e.pba_last )
        return liveupdate_refuse(NULL, -EINVAL,
                                 "device %pp cannot have %u entries of MSI-X",
                                 &pdev->sbdf, e.used);

    msix->host_maskall = e.flags & LU_MSIX_HOST_MASKALL;
    msix->guest_maskall = e.flags & LU_MSIX_GUEST_MASKALL;
    msix->used_entries = e.used;
    if ( !e.used )
        return 0;

    msix->table.first = e.table_first;
    msix->table.last = e.table_last;
    msix->pba.first = e.pba_first;
    msix->pba.last = e.pba_last;

    return rangeset_add_range(mmio_ro_ranges, e.table_first, e.table_last) ?:
           rangeset_add_range(mmio_ro_ranges, e.pba_first, e.pba_last);
}

static int plan_entries(enum lu_record_type type, const char *name,
                        int (*fn)(const struct lu_record *r, unsigned int i))
{
    const struct lu_record *r;
    unsigned int i;
    int rc = 0;

    r = lu_record_find(&liveupdate_stream, NULL, type, LU_ANY_DOMID);
    if ( !r )
        return liveupdate_refuse(NULL, -ENODATA, "no %s record", name);

    for ( i = 0; !rc && i < r->nr; i++ )
        rc = fn(r, i);

    return rc;
}

static int __init cf_check pci_plan(struct domain *unused)
{
    /* Extended configuration space first: capabilities are looked up in it. */
    return plan_entries(LU_REC_MMCFG, "MMCFG", plan_mmcfg) ?:
           plan_entries(LU_REC_PCI, "PCI", plan_device) ?:
           plan_entries(LU_REC_PCI_SRIOV, "PCI_SRIOV", plan_sriov) ?:
           plan_entries(LU_REC_PCI_MSIX, "PCI_MSIX", plan_msix) ?:
           liveupdate_gsi_plan() ?:
           liveupdate_pending_plan();
}

const struct liveupdate_resource liveupdate_res_pci = {
    .name = "pci",
    .host = true,
    .check = pci_check,
    .save = pci_save,
    .plan = pci_plan,
};
