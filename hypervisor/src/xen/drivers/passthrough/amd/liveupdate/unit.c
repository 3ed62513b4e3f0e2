/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: AMD IOMMUs and their device tables.  Included at the end of
 * drivers/passthrough/amd/iommu_init.c, whose statics it needs.
 *
 * A unit translates and remaps all the way through an update; IommuEn is never
 * cleared.  I/O page tables belong to their domain and stay where they are
 * (arch/x86/liveupdate/iommu.c).  What is Xen's own is made anew:
 *
 *  - The target's boot finds the unit enabled and stops only its queues: the
 *    command buffer and the logs (liveupdate_amd_take_over()).
 *  - It fills a new device table with what the unit's present one says, but for
 *    interrupt remapping tables: each is replaced by a copy (intremap.c).
 *  - It points the unit at the new table, by a single write, gives it new queues
 *    and makes it forget what it has cached.  For a device nothing has changed.
 *  - plan() of "pci" adds the devices to their domain as a cold boot does, and
 *    finds each device table entry to be right already.
 *
 * The old tables are private to the source, unused from here on, and go to the
 * heap once the domains run again.  Until then nobody writes to them: a source to
 * which its target comes back points each unit at them again (amd_take_back()),
 * whether the target has got to that unit or not.
 */

#include <xen/liveupdate-core.h>

#include <asm/liveupdate-compat.h>
#include <asm/liveupdate-iommu.h>

/* Far longer than a unit takes to finish what it is at. */
#define QUEUE_STOP_LOOPS 1000000U

/* The unit goes on translating and remapping.  Returns what it is left at. */
static union amd_iommu_control stop_queues(const struct amd_iommu *iommu)
{
    union amd_iommu_control ctrl;
    unsigned int loops = QUEUE_STOP_LOOPS;
    uint32_t running = IOMMU_STATUS_CMD_BUFFER_RUN |
                       IOMMU_STATUS_EVENT_LOG_RUN | IOMMU_STATUS_PPR_LOG_RUN;

    ctrl.raw = readq(iommu->mmio_base + IOMMU_CONTROL_MMIO_OFFSET);
    ctrl.cmd_buf_en = false;
    ctrl.com_wait_int_en = false;
    ctrl.event_log_en = false;
    ctrl.event_int_en = false;
    ctrl.ppr_en = false;
    ctrl.ppr_log_en = false;
    ctrl.ppr_int_en = false;
    writeq(ctrl.raw, iommu->mmio_base + IOMMU_CONTROL_MMIO_OFFSET);

    while ( (readl(iommu->mmio_base + IOMMU_STATUS_MMIO_OFFSET) & running) &&
            --loops )
        cpu_relax();
    if ( !loops )
        panic("AMD-Vi: the queues of IOMMU %pp do not stop\n",
              &PCI_SBDF(iommu->seg, iommu->bdf));

    return ctrl;
}

bool __init liveupdate_amd_take_over(struct amd_iommu *iommu)
{
    union amd_iommu_control ctrl;

    if ( !liveupdate_boot )
        return false;

    ctrl.raw = readq(iommu->mmio_base + IOMMU_CONTROL_MMIO_OFFSET);
    if ( !ctrl.iommu_en )
        return false;

    /* All later writes of the register start from this. */
    iommu->ctrl = stop_queues(iommu);

    return true;
}

/* Where the unit's table is, and its length, as the register has it. */
static uint64_t device_table_reg(const struct amd_iommu *iommu)
{
    return readq(iommu->mmio_base + IOMMU_DEV_TABLE_BASE_LOW_OFFSET);
}

/*
 * A device that ACPI does not name, but the source has found: what
 * find_iommu_for_device() would make of it when it is looked for.
 */
static void __init adopt_unnamed(struct ivrs_mappings *mappings,
                                 unsigned int bdf)
{
    unsigned int bd0 = bdf & ~PCI_FUNC(~0);
    struct ivrs_mappings *mapping = &mappings[bdf];

    if ( mapping->iommu || !mappings[bd0].iommu ||
         mappings[bd0].iommu->bdf == bdf )
        return;

    *mapping = mappings[bd0];
    if ( mapping->dte_requestor_id == bd0 )
        mapping->dte_requestor_id = bdf;
    mapping->intremap_table = NULL;
    mapping->intremap_inuse = NULL;
    spin_lock_init(&mapping->intremap_lock);
}

static int __init adopt_dte(struct ivrs_mappings *mappings, unsigned int bdf,
                            const struct amd_iommu_dte *old,
                            struct amd_iommu_dte *new)
{
    struct ivrs_mappings *mapping = &mappings[bdf];
    int rc = 0;

    *new = *old;
    if ( old->tv || old->it_root )
        adopt_unnamed(mappings, bdf);
    if ( !mapping->iommu || !iommu_intremap )
        return 0;

    if ( old->iv && old->it_root &&
         old->int_ctl == IOMMU_DEV_TABLE_INT_CONTROL_TRANSLATED )
        rc = liveupdate_amd_intremap_adopt(mapping->iommu, mapping, bdf, old);
    if ( mapping->intremap_table )
    {
        amd_iommu_set_intremap_table(new, mapping->intremap_table,
                                     mapping->iommu, iommu_intremap);
        /* See amd_iommu_disable_domain_device(): one in quarantine. */
        if ( old->it_root )
            new->int_ctl = old->int_ctl;
    }

    return rc;
}

int __init liveupdate_amd_device_table(uint16_t seg,
                                       struct ivrs_mappings *mappings,
                                       struct amd_iommu_dte *dt)
{
    const unsigned int per_page = PAGE_SIZE / sizeof(*dt);
    const struct amd_iommu *iommu;
    unsigned int bdf, nr;
    uint64_t reg = 0;
    int rc = 0;

    /* Units of a segment share a table. */
    for_each_amd_iommu ( iommu )
        if ( iommu->seg == seg && iommu->ctrl.iommu_en )
        {
            if ( reg && reg != device_table_reg(iommu) )
                return -EINVAL;
            reg = device_table_reg(iommu);
        }
    if ( !reg )
        return 0;

    nr = min(((reg & IOMMU_DEV_TABLE_SIZE_MASK) + 1) * per_page,
             0UL + ivrs_bdf_entries);

    for ( bdf = 0; !rc && bdf < nr; )
    {
        unsigned int i, end = min(bdf + per_page, nr);
        const struct amd_iommu_dte *old =
            map_domain_page(mfn_add(_mfn(paddr_to_pfn(reg & PADDR_MASK)),
                                    bdf / per_page));

        for ( i = 0; !rc && bdf < end; i++, bdf++ )
            rc = adopt_dte(mappings, bdf, &old[i], &dt[bdf]);
        unmap_domain_page(old);
    }

    return rc;
}

/* In place of register_iommu_dev_table_in_mmio_space(), which writes halves. */
bool liveupdate_amd_change_over(struct amd_iommu *iommu)
{
    if ( !iommu->ctrl.iommu_en )
        return false;

    writeq(virt_to_maddr(iommu->dev_table.buffer) |
           (PFN_DOWN(iommu->dev_table.alloc_size) - 1),
           iommu->mmio_base + IOMMU_DEV_TABLE_BASE_LOW_OFFSET);
    liveupdate_step(LU_STEP_unit);

    return true;
}

/* Page tables are what they were: only the two other kinds are new. */
static void forget_tables(struct amd_iommu *iommu)
{
    const struct amd_iommu_dte *dt = iommu->dev_table.buffer;
    unsigned int bdf;

    for ( bdf = 0; bdf < iommu->dev_table.entries; bdf++ )
        if ( dt[bdf].tv || dt[bdf].it_root )
        {
            amd_iommu_flush_device(iommu, bdf, DOMID_INVALID);
            amd_iommu_flush_intremap(iommu, bdf);
        }
}

void liveupdate_amd_forget(struct amd_iommu *iommu)
{
    /* Else enable_iommu() does it all by one command. */
    if ( liveupdate_restoring && !iommu->features.flds.ia_sup )
        forget_tables(iommu);
}

/*
 * Source.
 */

static bool is_unit(const struct pci_dev *pdev)
{
    const struct amd_iommu *iommu;

    for_each_amd_iommu ( iommu )
        if ( iommu->seg == pdev->seg && iommu->bdf == pdev->sbdf.bdf )
            return true;

    return false;
}

/* find_iommu_for_device() without its side effects; and see amd_iommu_add_device(). */
static bool cf_check amd_has_unit(const struct pci_dev *pdev)
{
    const struct ivrs_mappings *m = get_ivrs_mappings(pdev->seg);
    unsigned int bdf = pdev->sbdf.bdf;

    if ( is_unit(pdev) || pdev->type == DEV_TYPE_PCI_HOST_BRIDGE )
        return true;
    if ( !m || bdf >= ivrs_bdf_entries )
        return false;

    if ( !m[bdf].iommu )
        bdf &= ~PCI_FUNC(~0);

    return m[bdf].iommu && m[m[bdf].dte_requestor_id].valid;
}

static int cf_check amd_check_units(void)
{
    int rc = 0, rc2;

    if ( iommu_intremap && !amd_iommu_perdev_intremap )
        rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                               "all devices share one table of remapped interrupts");

    rc2 = liveupdate_amd_intremap_check();

    return rc ?: rc2;
}

static int cf_check amd_check_domain(const struct domain *d)
{
    if ( liveupdate_has_guest_iommu(d) )
        return liveupdate_refuse(d, -EOPNOTSUPP, "has an emulated IOMMU");

    return 0;
}

static int cf_check amd_save_units(struct lu_writer *w)
{
    const struct amd_iommu *iommu;

    for_each_amd_iommu ( iommu )
    {
        struct lu_iommu_entry *e = lu_record_entries(w, 1);

        if ( !e )
            return -ENOSPC;
        e->base = iommu->mmio_base_phys;
        e->features = iommu->features.raw;
        e->sbdf = PCI_SBDF(iommu->seg, iommu->bdf).sbdf;
        e->translates = iommu->enabled;
    }

    return 0;
}

static int cf_check amd_save_domain(struct lu_writer *w, const struct domain *d,
                                    struct lu_io_tables *rec)
{
    const struct domain_iommu *hd = dom_iommu(d);

    if ( hd->arch.amd.root_table )
        rec->root_mfn = mfn_x(page_to_mfn(hd->arch.amd.root_table));
    rec->levels = hd->arch.amd.paging_mode;

    return 0;
}

/* Registers that a target's boot sets, in the order of writing them again. */
static const struct {
    unsigned int offset;
    bool ppr;                   /* exists if the unit has a log of page requests */
    bool xt;                    /* if it sends its own interrupts as messages of x2APIC */
} kept_regs[] = {
    { IOMMU_EXCLUSION_LIMIT_LOW_OFFSET },
    { IOMMU_EXCLUSION_BASE_LOW_OFFSET },
    { IOMMU_CMD_BUFFER_BASE_LOW_OFFSET },
    { IOMMU_EVENT_LOG_BASE_LOW_OFFSET },
    { IOMMU_EVENT_LOG_HEAD_OFFSET },
    { IOMMU_EVENT_LOG_TAIL_OFFSET },
    { IOMMU_PPR_LOG_BASE_LOW_OFFSET, .ppr = true },
    { IOMMU_PPR_LOG_HEAD_OFFSET, .ppr = true },
    { IOMMU_PPR_LOG_TAIL_OFFSET, .ppr = true },
    { IOMMU_XT_INT_CTRL_MMIO_OFFSET, .xt = true },
    { IOMMU_XT_PPR_INT_CTRL_MMIO_OFFSET, .xt = true },
    { IOMMU_XT_GA_INT_CTRL_MMIO_OFFSET, .xt = true },
};

struct unit_state {
    uint64_t ctrl, device_table, reg[ARRAY_SIZE(kept_regs)];
    uint16_t msi_ctrl;
    uint32_t msi[4];            /* address, data, mask: what there is of them */
};

static bool has_reg(const struct amd_iommu *iommu, unsigned int i)
{
    return (!kept_regs[i].ppr || iommu->features.flds.ppr_sup) &&
           (!kept_regs[i].xt || iommu->ctrl.int_cap_xt_en);
}

static unsigned int msi_words(uint16_t ctrl)
{
    return 2 + !!(ctrl & PCI_MSI_FLAGS_64BIT) + !!(ctrl & PCI_MSI_FLAGS_MASKBIT);
}

static size_t cf_check amd_state_size(void)
{
    const struct amd_iommu *iommu;
    size_t nr = 0;

    for_each_amd_iommu ( iommu )
        nr++;

    return nr * sizeof(struct unit_state);
}

static void cf_check amd_keep_state(void *state)
{
    const struct amd_iommu *iommu;
    struct unit_state *u = state;

    for_each_amd_iommu ( iommu )
    {
        pci_sbdf_t sbdf = PCI_SBDF(iommu->seg, iommu->bdf);
        unsigned int i, pos = iommu->msi.msi_attrib.pos;

        u->ctrl = readq(iommu->mmio_base + IOMMU_CONTROL_MMIO_OFFSET);
        u->device_table = device_table_reg(iommu);
        for ( i = 0; i < ARRAY_SIZE(kept_regs); i++ )
            if ( has_reg(iommu, i) )
                u->reg[i] = readq(iommu->mmio_base + kept_regs[i].offset);

        if ( pos )
        {
            u->msi_ctrl = pci_conf_read16(sbdf, msi_control_reg(pos));
            for ( i = 0; i < msi_words(u->msi_ctrl); i++ )
                u->msi[i] = pci_conf_read32(sbdf,
                                            msi_lower_address_reg(pos) + 4 * i);
        }
        u++;
    }
}

static void cf_check amd_take_back(const void *state)
{
    struct amd_iommu *iommu;
    const struct unit_state *u = state;

    for_each_amd_iommu ( iommu )
    {
        pci_sbdf_t sbdf = PCI_SBDF(iommu->seg, iommu->bdf);
        unsigned int i, pos = iommu->msi.msi_attrib.pos;

        stop_queues(iommu);
        writeq(u->device_table,
               iommu->mmio_base + IOMMU_DEV_TABLE_BASE_LOW_OFFSET);
        for ( i = 0; i < ARRAY_SIZE(kept_regs); i++ )
            if ( has_reg(iommu, i) )
                writeq(u->reg[i], iommu->mmio_base + kept_regs[i].offset);
        /* No command is left in there: each one was waited for. */
        writeq(iommu->cmd_buffer.tail,
               iommu->mmio_base + IOMMU_CMD_BUFFER_HEAD_OFFSET);
        writeq(iommu->cmd_buffer.tail,
               iommu->mmio_base + IOMMU_CMD_BUFFER_TAIL_OFFSET);

        if ( pos )
        {
            for ( i = 0; i < msi_words(u->msi_ctrl); i++ )
                pci_conf_write32(sbdf, msi_lower_address_reg(pos) + 4 * i,
                                 u->msi[i]);
            pci_conf_write16(sbdf, msi_control_reg(pos), u->msi_ctrl);
        }
        writeq(u->ctrl, iommu->mmio_base + IOMMU_CONTROL_MMIO_OFFSET);
        u++;

        if ( iommu->features.flds.ia_sup )
            amd_iommu_flush_all_caches(iommu);
        else
            forget_tables(iommu);
    }

    /* Its interrupt may have been the target's. */
    tasklet_schedule(&amd_iommu_irq_tasklet);
}

/*
 * Target.
 */

static int cf_check amd_plan_unit(const struct lu_iommu_entry *e)
{
    const struct amd_iommu *iommu;

    for_each_amd_iommu ( iommu )
        if ( iommu->mmio_base_phys == e->base &&
             iommu->enabled == e->translates &&
             iommu->features.raw == e->features &&
             PCI_SBDF(iommu->seg, iommu->bdf).sbdf == e->sbdf )
            return 0;

    return liveupdate_refuse(NULL, -ENODEV,
                             "the IOMMU at %#"PRIx64" is not there, or not the same",
                             e->base);
}

static int cf_check amd_plan_domain(struct domain *d, const struct lu_record *r)
{
    struct domain_iommu *hd = dom_iommu(d);
    struct lu_io_tables rec;

    LU_FIXED(r, &rec);
    if ( !rec.levels || rec.levels > IOMMU_MAX_PT_LEVELS )
        return liveupdate_refuse(d, -EINVAL, "I/O page tables of %u levels",
                                 rec.levels);

    ASSERT(!hd->arch.amd.root_table);
    hd->arch.amd.paging_mode = rec.levels;
    if ( rec.root_mfn )
        hd->arch.amd.root_table = mfn_to_page(_mfn(rec.root_mfn));

    return 0;
}

static const struct liveupdate_iommu amd_liveupdate = {
    .kind = LU_IOMMU_AMD,
    .check_units = amd_check_units,
    .has_unit = amd_has_unit,
    .save_units = amd_save_units,
    .check_domain = amd_check_domain,
    .save_domain = amd_save_domain,
    .plan_unit = amd_plan_unit,
    .plan_domain = amd_plan_domain,
    .forget_source = liveupdate_amd_intremap_release,
    .state_size = amd_state_size,
    .keep_state = amd_keep_state,
    .take_back = amd_take_back,
};

const struct liveupdate_iommu *liveupdate_amd_iommu(void)
{
    return iommu_found() ? &amd_liveupdate : NULL;
}
