/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: memory that a vCPU shares with Xen.
 *
 * A guest may move each vcpu_info out of shared_info into a page of its own,
 * and may name two areas, by guest virtual address, that Xen writes whenever
 * the vCPU is scheduled: its runstate and a second copy of the time.  From 4.18
 * on it may name them by physical address as well, and Xen keeps them mapped.
 *
 * The content of all of them is guest memory and stays as it is.  The target
 * maps vcpu_info again, without what VCPUOP_register_vcpu_info does besides:
 * copying the old content, and marking every event as pending.  The version
 * counters in the time areas are in those pages too, so they go on counting
 * from where they were at the first update of each area, which comes with the
 * vCPU's first time slice.
 *
 * Carried: vcpu_info, and the areas of runstate and time that a guest has
 * registered.
 */

#include <xen/domain_page.h>
#include <xen/guest_access.h>
#include <xen/liveupdate.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/shared.h>

#include <asm/domain.h>
#include <asm/liveupdate-compat.h>

#include <compat/vcpu.h>

static void page_ref(const struct guest_area *area)
{
    if ( area && area->pg )
        liveupdate_xen_ref(page_to_mfn(area->pg), 1, 1);
}

static void cf_check area_refs(struct domain *d)
{
    const struct vcpu *v;

    for_each_vcpu ( d, v )
    {
        if ( !mfn_eq(liveupdate_info_mfn(v), INVALID_MFN) )
            liveupdate_xen_ref(liveupdate_info_mfn(v), 1, 1);
        page_ref(liveupdate_runstate_area(v));
        page_ref(liveupdate_time_area(v));
    }
}

/* Areas that were named by physical address are mapped for as long as they are. */
static void save_mapped(struct lu_area *rec, const struct vcpu *v)
{
    const struct guest_area *area = liveupdate_runstate_area(v);

    if ( area && area->pg )
    {
        rec->flags |= LU_AREA_RUNSTATE_MFN |
                      (liveupdate_runstate_32(v) ? LU_AREA_RUNSTATE_32 : 0);
        rec->runstate_mfn = mfn_x(page_to_mfn(area->pg));
        rec->runstate_offset = PAGE_OFFSET(area->map);
    }

    area = liveupdate_time_area(v);
    if ( area && area->pg )
    {
        rec->flags |= LU_AREA_TIME_MFN;
        rec->time_mfn = mfn_x(page_to_mfn(area->pg));
        rec->time_offset = PAGE_OFFSET(area->map);
    }
}

static int cf_check area_save(struct lu_writer *w, struct domain *d)
{
    const struct vcpu *v;

    for_each_vcpu ( d, v )
    {
        struct lu_area *rec = lu_record_begin(w, LU_REC_AREA, d->domain_id,
                                              v->vcpu_id);

        if ( !rec )
            return -ENOSPC;

        if ( !mfn_eq(liveupdate_info_mfn(v), INVALID_MFN) )
        {
            rec->flags |= LU_AREA_VCPU_INFO;
            rec->vcpu_info_mfn = mfn_x(liveupdate_info_mfn(v));
            rec->vcpu_info_offset = PAGE_OFFSET(liveupdate_info_map(v));
        }

        rec->runstate = (unsigned long)runstate_guest(v).p;
        rec->time = (unsigned long)v->arch.time_info_guest.p;
        save_mapped(rec, v);

        if ( is_pv_vcpu(v) )
            rec->flags |= (v->arch.pv.need_update_runstate_area
                           ? LU_AREA_RUNSTATE_DUE : 0) |
                          (v->arch.pv.pending_system_time.version
                           ? LU_AREA_TIME_DUE : 0);

        lu_record_end(w);
    }

    return 0;
}

static int map_info(struct vcpu *v, const struct lu_area *rec)
{
    void *mapping;
    int rc;

    /* A guest may have been in 32-bit mode when it placed it, and need not be now. */
    if ( rec->vcpu_info_offset > PAGE_SIZE - sizeof(vcpu_info_t) ||
         (rec->vcpu_info_offset & (alignof(uint32_t) - 1)) )
        return liveupdate_refuse(v->domain, -EINVAL, "vcpu_info at offset %#x",
                                 rec->vcpu_info_offset);

    rc = liveupdate_map_page(v->domain, rec->vcpu_info_mfn, "vcpu_info",
                             &mapping);
    if ( rc )
        return rc;

    liveupdate_set_info(v, _mfn(rec->vcpu_info_mfn),
                        mapping + rec->vcpu_info_offset);

    return 0;
}

static int map_area(struct vcpu *v, struct guest_area *area, uint64_t mfn,
                    unsigned int offset, unsigned int size)
{
    void *mapping;
    int rc;

    if ( !area )
        return liveupdate_refuse(v->domain, -EOPNOTSUPP,
                                 "vCPU %u has its runstate or time at a physical address",
                                 v->vcpu_id);
    if ( offset > PAGE_SIZE - size || (offset & (alignof(uint32_t) - 1)) )
        return liveupdate_refuse(v->domain, -EINVAL,
                                 "runstate or time at offset %#x", offset);

    rc = liveupdate_map_page(v->domain, mfn, "an area of runstate or time",
                             &mapping);
    if ( !rc )
    {
        area->pg = mfn_to_page(_mfn(mfn));
        area->map = mapping + offset;
    }

    return rc;
}

static int map_areas(struct vcpu *v, const struct lu_area *rec)
{
    int rc = 0;

    if ( rec->flags & LU_AREA_RUNSTATE_MFN )
        rc = map_area(v, liveupdate_runstate_area(v), rec->runstate_mfn,
                      rec->runstate_offset,
                      rec->flags & LU_AREA_RUNSTATE_32
                      ? sizeof(struct compat_vcpu_runstate_info)
                      : sizeof(struct vcpu_runstate_info));
    if ( !rc && (rec->flags & LU_AREA_TIME_MFN) )
        rc = map_area(v, liveupdate_time_area(v), rec->time_mfn,
                      rec->time_offset, sizeof(struct vcpu_time_info));
    liveupdate_set_runstate_32(v, rec->flags & LU_AREA_RUNSTATE_32);

    return rc;
}

static int cf_check area_plan(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu ( d, v )
    {
        const struct lu_record *r = lu_record_find_vcpu(&liveupdate_stream,
                                                        LU_REC_AREA,
                                                        d->domain_id, v->vcpu_id);
        struct lu_area rec;
        int rc;

        if ( !r )
            return liveupdate_refuse(d, -ENODATA, "no areas of vCPU %u",
                                     v->vcpu_id);
        LU_FIXED(r, &rec);

        if ( rec.flags & ~LU_AREA_ALL )
            return liveupdate_refuse(d, -EOPNOTSUPP,
                                     "vCPU %u has unknown flags %#x",
                                     v->vcpu_id, rec.flags & ~LU_AREA_ALL);

        if ( (rec.flags & LU_AREA_VCPU_INFO) && (rc = map_info(v, &rec)) )
            return rc;
        rc = map_areas(v, &rec);
        if ( rc )
            return rc;

        runstate_guest(v).p = (void *)rec.runstate;
        v->arch.time_info_guest.p = (void *)rec.time;
        if ( is_pv_vcpu(v) )
            v->arch.pv.need_update_runstate_area =
                rec.flags & LU_AREA_RUNSTATE_DUE;
    }

    return 0;
}

/*
 * An update of the time area that found its page not mapped is kept until the
 * guest's kernel runs.  What is kept equals the vCPU's first copy of the time,
 * only that its version says "being updated"; see __update_vcpu_system_time().
 */
static void cf_check area_commit(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu ( d, v )
    {
        struct lu_area rec;

        LU_FIXED(lu_record_find_vcpu(&liveupdate_stream, LU_REC_AREA,
                                     d->domain_id, v->vcpu_id), &rec);

        if ( !is_pv_vcpu(v) || !(rec.flags & LU_AREA_TIME_DUE) )
            continue;

        v->arch.pv.pending_system_time = vcpu_info(v, time);
        v->arch.pv.pending_system_time.version--;
    }
}

const struct liveupdate_resource liveupdate_res_area = {
    .name = "area",
    .refs = area_refs,
    .save = area_save,
    .plan = area_plan,
    .commit = area_commit,
};
