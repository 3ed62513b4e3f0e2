/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: IOMMUs.  What the resources (arch/x86/liveupdate/iommu.c) ask of
 * a driver, and the drivers' hooks.
 */
#ifndef __ASM_X86_LIVEUPDATE_IOMMU_H__
#define __ASM_X86_LIVEUPDATE_IOMMU_H__

#include <xen/liveupdate.h>

struct amd_iommu;
struct amd_iommu_dte;
struct domain;
struct ivrs_mappings;
struct page_info;
struct vtd_iommu;

#ifdef CONFIG_LIVEUPDATE

struct pci_dev;
struct lu_io_tables;
struct lu_iommu_entry;

/* A driver.  All but forget_source() return 0 or -errno, and explain a refusal. */
struct liveupdate_iommu {
    unsigned int kind;          /* LU_IOMMU_* */

    /* Source: units; is this device behind one, or needs none? An entry for each unit. */
    int (*check_units)(void);
    bool (*has_unit)(const struct pci_dev *pdev);
    int (*save_units)(struct lu_writer *w);
    /* Source: a domain's tables. */
    int (*check_domain)(const struct domain *d);
    int (*save_domain)(struct lu_writer *w, const struct domain *d,
                       struct lu_io_tables *rec);

    /* Target: was this unit taken over by the boot?  Then a domain's tables. */
    int (*plan_unit)(const struct lu_iommu_entry *e);
    int (*plan_domain)(struct domain *d, const struct lu_record *r);
    /* Target: devices send no messages of the source any more. */
    void (*forget_source)(void);

    /*
     * Source: what units have in their registers, before the jump and after a
     * target has come back (back.c).  Domains have not run in between.
     */
    size_t (*state_size)(void);
    void (*keep_state)(void *state);
    void (*take_back)(const void *state);
};

/* Of the units in use; NULL: there are none. */
const struct liveupdate_iommu *liveupdate_iommu_driver(void);
/* NULL: there are no such units. */
const struct liveupdate_iommu *liveupdate_amd_iommu(void);
const struct liveupdate_iommu *liveupdate_vtd_iommu(void);

/* Source: tell I/O page tables from other anonymous pages, and stop doing so. */
void liveupdate_io_tables_mark(bool mark);
/* DOMID_INVALID: not marked. */
domid_t liveupdate_io_table_of(const struct page_info *pg);
/* Bytes that the tables of @d add to the memory map; it may run. */
uint64_t liveupdate_io_tables_estimate(struct domain *d);

/*
 * --- Hooks of the AMD driver (drivers/passthrough/amd/liveupdate/) ---
 */

/* A unit's registers are mapped.  True: it translates already; leave it so. */
bool liveupdate_amd_take_over(struct amd_iommu *iommu);
/* Make a segment's new device table @dt say what the source's says. */
int liveupdate_amd_device_table(uint16_t seg, struct ivrs_mappings *mappings,
                                struct amd_iommu_dte *dt);
/* True: a unit that translates has changed over to its new device table. */
bool liveupdate_amd_change_over(struct amd_iommu *iommu);
/* The unit takes commands again. */
void liveupdate_amd_forget(struct amd_iommu *iommu);

/* Between the driver's files: interrupt remapping. */
int liveupdate_amd_intremap_adopt(struct amd_iommu *iommu,
                                  struct ivrs_mappings *mapping, uint16_t bdf,
                                  const struct amd_iommu_dte *dte);
void liveupdate_amd_intremap_release(void);
int liveupdate_amd_intremap_check(void);

/*
 * --- Hooks of the VT-d driver (drivers/passthrough/vtd/liveupdate/) ---
 */

/* A live update, and interrupts are being remapped: they have to be throughout. */
bool liveupdate_vtd_remaps(const struct vtd_iommu *iommu);
/* Make a unit's new tables say what those say that it uses. */
int liveupdate_vtd_root_table(struct vtd_iommu *iommu);
int liveupdate_vtd_intremap_adopt(struct vtd_iommu *iommu, bool eim);

/* Between the driver's files. */
void liveupdate_vtd_intremap_release(void);
void liveupdate_vtd_intremap_take_back(struct vtd_iommu *iommu);

#else /* !CONFIG_LIVEUPDATE */

static inline bool liveupdate_amd_take_over(struct amd_iommu *iommu)
{
    return false;
}
static inline int liveupdate_amd_device_table(uint16_t seg,
                                              struct ivrs_mappings *mappings,
                                              struct amd_iommu_dte *dt)
{
    return 0;
}
static inline bool liveupdate_amd_change_over(struct amd_iommu *iommu)
{
    return false;
}
static inline void liveupdate_amd_forget(struct amd_iommu *iommu) {}
static inline bool liveupdate_vtd_remaps(const struct vtd_iommu *iommu)
{
    return false;
}
static inline int liveupdate_vtd_root_table(struct vtd_iommu *iommu)
{
    return 0;
}
static inline int liveupdate_vtd_intremap_adopt(struct vtd_iommu *iommu,
                                                bool eim)
{
    return 0;
}

#endif

#endif /* __ASM_X86_LIVEUPDATE_IOMMU_H__ */
