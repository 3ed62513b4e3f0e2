/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "io_tables": domains' I/O page tables, which devices walk.
 *
 * They stay where they are and change hands: the memory map tells their frames,
 * and the target enters them in the domain's list, from where they are freed with
 * the domain.  They are anonymous memory, told from the rest by a mark that exists
 * only while the memory map is written.
 *
 * A unit's own tables lead to the root table; how, is the driver's business
 * (drivers/passthrough/{amd,vtd}/liveupdate/).
 *
 * To the hardware domain all memory is mapped, unless it is "strict", but for
 * Xen's image.  The source's image becomes memory like any other, which somebody
 * may want to have written to by a device: resume() maps it, and unmaps the
 * target's.
 *
 * HVM domains with VMX are refused: how cacheable their memory is depends on
 * their having devices, and none of it could be run.
 *
 * Carried: the I/O page tables of PV domains and, with SVM, of HVM domains, in
 * place.
 */

#include <xen/iommu.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/pfn.h>
#include <xen/sched.h>

#include <asm/liveupdate-iommu.h>
#include <asm/setup.h>

/*
 * Marks.  Only the owner of an anonymous page gives its type a meaning.
 */

#define IO_TABLE      (0x4c55494fUL << 32)
#define IO_TABLE_MASK (0xffffffffUL << 32)

void liveupdate_io_tables_mark(bool mark)
{
    struct page_info *pg;
    struct domain *d;

    for_each_domain ( d )
        if ( is_iommu_enabled(d) )
            page_list_for_each ( pg, &dom_iommu(d)->arch.pgtables.list )
                pg->u.inuse.type_info = mark ? IO_TABLE | d->domain_id : 0;
}

domid_t liveupdate_io_table_of(const struct page_info *pg)
{
    unsigned long t = pg->u.inuse.type_info;

    return (t & IO_TABLE_MASK) == IO_TABLE ? (domid_t)t : DOMID_INVALID;
}

static unsigned long count_tables(struct domain *d)
{
    struct domain_iommu *hd = dom_iommu(d);
    const struct page_info *pg;
    unsigned long nr = 0;

    if ( !is_iommu_enabled(d) )
        return 0;

    spin_lock(&hd->arch.pgtables.lock);
    page_list_for_each ( pg, &hd->arch.pgtables.list )
        nr++;
    spin_unlock(&hd->arch.pgtables.lock);

    return nr;
}

uint64_t liveupdate_io_tables_estimate(struct domain *d)
{
    /* At worst each of them is a run of its own and cuts another in two. */
    return 2 * count_tables(d) * sizeof(struct lu_memmap_entry);
}

/* See arch_iommu_hwdom_init(). */
static bool maps_all(const struct domain *d)
{
    return is_hardware_domain(d) && is_iommu_enabled(d) &&
           !need_iommu_pt_sync(d) && !iommu_hwdom_passthrough;
}

/*
 * Source.
 */

static int cf_check io_tables_check(struct domain *d)
{
    const struct liveupdate_iommu *driver = liveupdate_iommu_driver();

    if ( !is_iommu_enabled(d) )
        return 0;

    if ( iommu_use_hap_pt(d) )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "shares its page tables with an IOMMU");
    if ( is_hvm_domain(d) && cpu_has_vmx )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "uses an IOMMU on a CPU with VMX");

    return driver ? driver->check_domain(d) : 0;
}

static int cf_check io_tables_save(struct lu_writer *w, struct domain *d)
{
    struct lu_io_tables *rec;
    int rc;

    if ( !is_iommu_enabled(d) )
        return 0;

    rec = lu_record_begin(w, LU_REC_IO_TABLES, d->domain_id, 0);
    if ( !rec )
        return -ENOSPC;
    rec->nr_frames = count_tables(d);
    rec->flags = LU_IO_TABLES_MARKED |
                 (need_iommu_pt_sync(d) ? LU_IO_TABLES_SYNC : 0);
    if ( maps_all(d) )
    {
        rec->image_mfn = PFN_DOWN(__pa(_stext));
        rec->image_nr = PFN_UP(__pa(__2M_rwdata_end)) - rec->image_mfn;
    }
    rc = liveupdate_iommu_driver()->save_domain(w, d, rec);
    if ( !rc )
        lu_record_end(w);

    return rc;
}

/*
 * Target.
 */

/* As if they had come from iommu_alloc_pgtable(). */
static void adopt_tables(struct domain *d)
{
    struct page_list_head *list = &dom_iommu(d)->arch.pgtables.list;
    const struct lu_record *map = lu_record_find(&liveupdate_stream, NULL,
                                                 LU_REC_MEMMAP, LU_ANY_DOMID);
    unsigned int i, j;

    for ( i = 0; i < map->nr; i++ )
    {
        struct lu_memmap_entry e;

        LU_ENTRY(map, i, &e);
        if ( e.class != LU_MEM_IO_TABLE || e.domid != d->domain_id )
            continue;

        for ( j = 0; j < e.nr; j++ )
        {
            struct page_info *pg = mfn_to_page(_mfn(e.mfn + j));

            ASSERT(page_state_is(pg, inuse) && !page_get_owner(pg));
            page_list_add_tail(pg, list);
        }
    }
}

static int cf_check io_tables_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_IO_TABLES, d->domain_id);
    struct lu_io_tables rec;

    /* The domain was created accordingly. */
    ASSERT(!r == !is_iommu_enabled(d));
    if ( !r )
        return 0;

    LU_FIXED(r, &rec);
    if ( (rec.flags & ~LU_IO_TABLES_ALL) || !(rec.flags & LU_IO_TABLES_MARKED) )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "its I/O page tables are of an unknown kind (%#x)",
                                 rec.flags);
    if ( !need_iommu_pt_sync(d) != !(rec.flags & LU_IO_TABLES_SYNC) )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "its I/O page tables were kept in another way");

    adopt_tables(d);

    return liveupdate_iommu_driver()->plan_domain(d, r);
}

/* What xen_in_range() keeps from the hardware domain. */
static int unmap_image(struct domain *d, const void *start, const void *end,
                       unsigned int *flush_flags)
{
    unsigned long mfn = PFN_DOWN(__pa(start));

    return iommu_unmap(d, _dfn(mfn), PFN_UP(__pa(end)) - mfn, 0, flush_flags);
}

static void cf_check io_tables_resume(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_IO_TABLES, d->domain_id);
    unsigned int flush_flags = 0;
    struct lu_io_tables rec;

    if ( !r || !maps_all(d) )
        return;

    LU_FIXED(r, &rec);
    /* In this order: the target may have been loaded over the source. */
    if ( iommu_map(d, _dfn(rec.image_mfn), _mfn(rec.image_mfn), rec.image_nr,
                   IOMMUF_readable | IOMMUF_writable, &flush_flags) ||
         unmap_image(d, _stext, __2M_rodata_end, &flush_flags) ||
         unmap_image(d, __2M_rwdata_start, __2M_rwdata_end, &flush_flags) ||
         iommu_iotlb_flush_all(d, flush_flags) )
        printk(XENLOG_WARNING
               "liveupdate: %pd: devices' access to Xen's image is not as it was\n",
               d);
}

const struct liveupdate_resource liveupdate_res_io_tables = {
    .name = "io_tables",
    .check = io_tables_check,
    .save = io_tables_save,
    .plan = io_tables_plan,
    .resume = io_tables_resume,
};
