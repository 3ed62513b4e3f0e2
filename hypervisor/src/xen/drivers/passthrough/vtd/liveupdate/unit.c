/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: VT-d units, their root and context tables.  Included at the end of
 * drivers/passthrough/vtd/iommu.c, whose statics it needs.
 *
 * A unit translates and remaps all the way through an update; TE and IRE are
 * never cleared.  I/O page tables belong to their domain and stay where they are
 * (arch/x86/liveupdate/iommu.c).  What is Xen's own is made anew by the target's
 * boot:
 *
 *  - It turns off queued invalidation only, and gives the unit a new queue.
 *  - Before it points the unit at its own root table, it fills that, and context
 *    tables below, with what the unit's present ones say.
 *  - So it does with remapped interrupts: intremap.c.
 *  - Then the unit forgets what it has cached, as on any boot.  For a device
 *    nothing has changed.
 *  - plan() of "io_tables" tells by which identifier a unit knows the domain.
 *  - plan() of "pci" adds the devices to their domain as a cold boot does, and
 *    finds each context entry to be right already.
 *
 * The old tables are private to the source, unused from here on, and go to the
 * heap once the domains run again.  Until then nobody writes to them: a source to
 * which its target comes back points each unit at them again (vtd_take_back()),
 * whether the target has got to that unit or not.
 */

#include <xen/liveupdate-core.h>

#include <asm/liveupdate-iommu.h>

/* Bits 11:10 of the root table's address: another format, if not 0. */
#define RTADDR_TTM 0xc00

static bool unit_translates(const struct vtd_iommu *iommu)
{
    return dmar_readl(iommu->reg, DMAR_GSTS_REG) & DMA_GSTS_TES;
}

bool liveupdate_vtd_remaps(const struct vtd_iommu *iommu)
{
    return liveupdate_restoring &&
           (dmar_readl(iommu->reg, DMAR_GSTS_REG) & DMA_GSTS_IRES);
}

int liveupdate_vtd_root_table(struct vtd_iommu *iommu)
{
    uint64_t old_maddr = dmar_readq(iommu->reg, DMAR_RTADDR_REG);
    const struct root_entry *old;
    unsigned int bus;
    int rc = 0;

    if ( !liveupdate_restoring || !unit_translates(iommu) )
        return 0;
    if ( old_maddr & RTADDR_TTM )
        return -EOPNOTSUPP;

    /* Its queue and its remapped interrupts have changed over. */
    liveupdate_step(LU_STEP_unit);

    old = map_domain_page(maddr_to_mfn(old_maddr));
    for ( bus = 0; bus < PAGE_SIZE / sizeof(*old); bus++ )
    {
        uint64_t to;
        void *context;

        if ( !root_present(old[bus]) )
            continue;

        spin_lock(&iommu->lock);
        to = bus_to_context_maddr(iommu, bus);
        spin_unlock(&iommu->lock);
        if ( !to )
        {
            rc = -ENOMEM;
            break;
        }

        context = map_vtd_domain_page(to);
        copy_domain_page(maddr_to_mfn(to),
                         maddr_to_mfn(get_context_addr(old[bus])));
        iommu_sync_cache(context, PAGE_SIZE);
        unmap_vtd_domain_page(context);
    }
    unmap_domain_page(old);

    return rc;
}

/*
 * Source.
 */

/* See domain_context_mapping(). */
static bool cf_check vtd_has_unit(const struct pci_dev *pdev)
{
    switch ( pdev->type )
    {
    case DEV_TYPE_PCI_HOST_BRIDGE:
    case DEV_TYPE_PCIe_BRIDGE:
    case DEV_TYPE_PCIe2PCI_BRIDGE:
    case DEV_TYPE_LEGACY_PCI_BRIDGE:
        return true;

    case DEV_TYPE_PCIe_ENDPOINT:
    case DEV_TYPE_PCI:
        return acpi_find_matched_drhd_unit(pdev);

    default:
        return false;
    }
}

static int cf_check vtd_check_units(void)
{
    const struct acpi_drhd_unit *drhd;
    int rc = 0;

    for_each_drhd_unit ( drhd )
        if ( 2 * drhd->iommu->intremap.num > IREMAP_ENTRY_NR )
            rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                                   "the IOMMU at %#"PRIx64" remaps too many interrupts (%u)",
                                   drhd->address, drhd->iommu->intremap.num);

    return rc;
}

static int cf_check vtd_check_domain(const struct domain *d)
{
    return 0;
}

static int cf_check vtd_save_units(struct lu_writer *w)
{
    const struct acpi_drhd_unit *drhd;

    for_each_drhd_unit ( drhd )
    {
        const struct vtd_iommu *iommu = drhd->iommu;
        struct lu_iommu_entry *e = lu_record_entries(w, 1);

        if ( !e )
            return -ENOSPC;
        e->base = drhd->address;
        e->features = dmar_readq(iommu->reg, DMAR_CAP_REG);
        e->features2 = dmar_readq(iommu->reg, DMAR_ECAP_REG);
        e->translates = unit_translates(iommu);
    }

    return 0;
}

static int cf_check vtd_save_domain(struct lu_writer *w, const struct domain *d,
                                    struct lu_io_tables *rec)
{
    const struct domain_iommu *hd = dom_iommu(d);
    const struct acpi_drhd_unit *drhd;

    rec->root_mfn = paddr_to_pfn(hd->arch.vtd.pgd_maddr);
    rec->levels = agaw_to_level(hd->arch.vtd.agaw);

    for_each_drhd_unit ( drhd )
    {
        struct lu_io_tables_entry *e;
        int did;

        if ( !test_bit(drhd->iommu->index, hd->arch.vtd.iommu_bitmap) )
            continue;

        did = get_iommu_did(d->domain_id, drhd->iommu, true);
        if ( did < 0 )
            return liveupdate_refuse(d, -EINVAL,
                                     "has no identifier with the IOMMU at %#"PRIx64,
                                     drhd->address);

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        e->base = drhd->address;
        e->did = did;
    }

    return 0;
}

struct unit_state {
    uint32_t fectl;
};

static size_t cf_check vtd_state_size(void)
{
    return nr_iommus * sizeof(struct unit_state);
}

static void cf_check vtd_keep_state(void *state)
{
    const struct acpi_drhd_unit *drhd;
    struct unit_state *u = state;

    for_each_drhd_unit ( drhd )
        u[drhd->iommu->index].fectl = dmar_readl(drhd->iommu->reg,
                                                 DMAR_FECTL_REG);
}

/* Only a queue without work can be turned off. */
static void wait_for_queue(const struct vtd_iommu *iommu)
{
    unsigned int tail;

    if ( ecap_queued_inval(iommu->ecap) &&
         (dmar_readl(iommu->reg, DMAR_GSTS_REG) & DMA_GSTS_QIES) )
        IOMMU_WAIT_OP(iommu, DMAR_IQT_REG, dmar_readl,
                      tail == dmar_readl(iommu->reg, DMAR_IQH_REG), tail);
}

static void cf_check vtd_take_back(const void *state)
{
    const struct acpi_drhd_unit *drhd;
    const struct unit_state *u = state;

    for_each_drhd_unit ( drhd )
    {
        struct vtd_iommu *iommu = drhd->iommu;

        wait_for_queue(iommu);
        disable_qinval(iommu);
        enable_qinval(iommu);
        liveupdate_vtd_intremap_take_back(iommu);
        if ( iommu_set_root_entry(iommu) )
            BUG();

        dmar_writel(iommu->reg, DMAR_FEDATA_REG, iommu->msi.msg.data);
        dmar_writel(iommu->reg, DMAR_FEADDR_REG, iommu->msi.msg.address_lo);
        if ( x2apic_enabled )
            dmar_writel(iommu->reg, DMAR_FEUADDR_REG,
                        iommu->msi.msg.address_hi);
        dmar_writel(iommu->reg, DMAR_FECTL_REG, u[iommu->index].fectl);
    }

    if ( iommu_flush_all() )
        panic("liveupdate: an IOMMU does not forget the target's tables\n");

    /* Its interrupt may have been the target's. */
    tasklet_schedule(&vtd_fault_tasklet);
}

/*
 * Target.
 */

static struct acpi_drhd_unit *find_unit(uint64_t base)
{
    struct acpi_drhd_unit *drhd;

    for_each_drhd_unit ( drhd )
        if ( drhd->address == base )
            return drhd;

    return NULL;
}

static int cf_check vtd_plan_unit(const struct lu_iommu_entry *e)
{
    const struct acpi_drhd_unit *drhd = find_unit(e->base);

    if ( drhd &&
         e->features == dmar_readq(drhd->iommu->reg, DMAR_CAP_REG) &&
         e->features2 == dmar_readq(drhd->iommu->reg, DMAR_ECAP_REG) &&
         e->translates == unit_translates(drhd->iommu) )
        return 0;

    return liveupdate_refuse(NULL, -ENODEV,
                             "the IOMMU at %#"PRIx64" is not there, or not the same",
                             e->base);
}

/* The number that context entries have for the domain. */
static int adopt_did(struct domain *d, const struct lu_io_tables_entry *e)
{
    const struct acpi_drhd_unit *drhd = find_unit(e->base);
    struct vtd_iommu *iommu = drhd ? drhd->iommu : NULL;
    bool valid;

    if ( !iommu || e->did >= cap_ndoms(iommu->cap) )
        valid = false;
    else if ( domid_mapping(iommu) )
    {
        valid = !__test_and_set_bit(e->did, iommu->domid_bitmap);
        if ( valid )
            iommu->domid_map[e->did] = d->domain_id;
    }
    else
        valid = e->did == convert_domid(iommu, d->domain_id);

    if ( !valid )
        return liveupdate_refuse(d, -EINVAL,
                                 "cannot be %u for the IOMMU at %#"PRIx64,
                                 e->did, e->base);

    set_bit(iommu->index, dom_iommu(d)->arch.vtd.iommu_bitmap);

    return 0;
}

static int cf_check vtd_plan_domain(struct domain *d, const struct lu_record *r)
{
    struct domain_iommu *hd = dom_iommu(d);
    struct lu_io_tables rec;
    unsigned int i;
    int rc = 0;

    LU_FIXED(r, &rec);
    if ( rec.levels != agaw_to_level(hd->arch.vtd.agaw) )
        return liveupdate_refuse(d, -EINVAL, "I/O page tables of %u levels",
                                 rec.levels);

    ASSERT(!hd->arch.vtd.pgd_maddr);
    hd->arch.vtd.pgd_maddr = pfn_to_paddr(rec.root_mfn);

    for ( i = 0; !rc && i < r->nr; i++ )
    {
        struct lu_io_tables_entry e;

        LU_ENTRY(r, i, &e);
        rc = adopt_did(d, &e);
    }

    return rc;
}

static const struct liveupdate_iommu vtd_liveupdate = {
    .kind = LU_IOMMU_VTD,
    .check_units = vtd_check_units,
    .has_unit = vtd_has_unit,
    .save_units = vtd_save_units,
    .check_domain = vtd_check_domain,
    .save_domain = vtd_save_domain,
    .plan_unit = vtd_plan_unit,
    .plan_domain = vtd_plan_domain,
    .forget_source = liveupdate_vtd_intremap_release,
    .state_size = vtd_state_size,
    .keep_state = vtd_keep_state,
    .take_back = vtd_take_back,
};

const struct liveupdate_iommu *liveupdate_vtd_iommu(void)
{
    return !list_empty(&acpi_drhd_units) ? &vtd_liveupdate : NULL;
}
