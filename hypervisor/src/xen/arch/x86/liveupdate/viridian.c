/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: the Hyper-V interface of HVM domains, a part of the resource
 * "hvm".
 *
 * The HVM records VIRIDIAN_DOMAIN and VIRIDIAN_VCPU are not used: reading them
 * clears the pages that a guest shares with Xen, and they do not have all that
 * a guest can ask for.
 *
 * A pause stops reference time and timers; unpausing the domain starts both
 * again.  Here, and where the source goes on after all, reference time goes on as
 * TSC and system time do, so that what a guest computes from its reference TSC
 * page needs no new offset.  A periodic timer goes on as if started one period
 * before it is to expire, because one that is started again is set one period
 * ahead; see start_stimer().
 */

#include <xen/domain_page.h>
#include <xen/liveupdate.h>
#include <xen/mm.h>
#include <xen/sched.h>

#include <asm/hvm/hvm.h>
#include <asm/hvm/viridian.h>

#include <public/hvm/params.h>

static mfn_t page_mfn(const struct viridian_page *vp)
{
    return vp->ptr ? domain_page_map_to_mfn(vp->ptr) : _mfn(0);
}

static void page_ref(const struct viridian_page *vp)
{
    if ( vp->ptr )
        liveupdate_xen_ref(page_mfn(vp), 1, 1);
}

void liveupdate_viridian_refs(const struct domain *d)
{
    const struct vcpu *v;

    page_ref(&d->arch.hvm.viridian->reference_tsc);
    for_each_vcpu ( d, v )
    {
        page_ref(&v->arch.hvm.viridian->vp_assist);
        page_ref(&v->arch.hvm.viridian->simp);
    }
}

static int save_vcpu(struct lu_writer *w, const struct vcpu *v)
{
    const struct viridian_vcpu *vv = v->arch.hvm.viridian;
    struct lu_viridian_vcpu *rec = lu_record_begin(w, LU_REC_VIRIDIAN_VCPU,
                                                   v->domain->domain_id,
                                                   v->vcpu_id);
    unsigned int i;

    if ( !rec )
        return -ENOSPC;

    rec->vp_assist = vv->vp_assist.msr.raw;
    rec->vp_assist_mfn = mfn_x(page_mfn(&vv->vp_assist));
    rec->simp = vv->simp.msr.raw;
    rec->simp_mfn = mfn_x(page_mfn(&vv->simp));
    rec->scontrol = vv->scontrol;
    rec->siefp = vv->siefp;
    rec->flags = vv->apic_assist_pending ? LU_VIRIDIAN_ASSIST : 0;

    BUILD_BUG_ON(ARRAY_SIZE(rec->sint) != ARRAY_SIZE(vv->sint));
    for ( i = 0; i < ARRAY_SIZE(vv->sint); i++ )
        rec->sint[i] = vv->sint[i].as_uint64;

    BUILD_BUG_ON(ARRAY_SIZE(rec->crash) != ARRAY_SIZE(vv->crash_param));
    for ( i = 0; i < ARRAY_SIZE(vv->crash_param); i++ )
        rec->crash[i] = vv->crash_param[i];

    BUILD_BUG_ON(ARRAY_SIZE(rec->timer_count) != ARRAY_SIZE(vv->stimer));
    for ( i = 0; i < ARRAY_SIZE(vv->stimer); i++ )
    {
        const struct viridian_stimer *vs = &vv->stimer[i];

        rec->timer_config[i] = vs->config.as_uint64;
        rec->timer_count[i] = vs->count;
        rec->timer_expiry[i] = vs->expiration;
        rec->timers_started |= vs->started << i;
    }
    rec->timers_pending = vv->stimer_pending;

    lu_record_end(w);

    return 0;
}

int liveupdate_viridian_save(struct lu_writer *w, const struct domain *d)
{
    const struct viridian_domain *vd = d->arch.hvm.viridian;
    struct lu_viridian *rec = lu_record_begin(w, LU_REC_VIRIDIAN,
                                              d->domain_id, 0);
    const struct vcpu *v;
    int rc = 0;

    if ( !rec )
        return -ENOSPC;

    rec->guest_os_id = vd->guest_os_id.raw;
    rec->hypercall = vd->hypercall_gpa.raw;
    rec->reference_tsc = vd->reference_tsc.msr.raw;
    rec->reference_tsc_mfn = mfn_x(page_mfn(&vd->reference_tsc));
    rec->time_offset = vd->time_ref_count.off;
    rec->time = vd->time_ref_count.val;
    lu_record_end(w);

    for_each_vcpu ( d, v )
        if ( !rc )
            rc = save_vcpu(w, v);

    return rc;
}

/* One that has expired, which the guest was not told, is to be set anew. */
static void keep_expiration(struct viridian_vcpu *vv, unsigned int i)
{
    struct viridian_stimer *vs = &vv->stimer[i];

    if ( vs->config.periodic && !test_bit(i, &vv->stimer_pending) )
        vs->expiration -= vs->count;
}

/*
 * Unpausing leaves time that runs as it is.  Where it had been stopped before the
 * update, by the toolstack or by a shutdown, it goes on from there.
 */
static void keep_time(struct domain *d)
{
    if ( !d->controller_pause_count && !d->is_shutting_down )
        d->arch.hvm.viridian->time_ref_count.flags |= TRC_running;
}

/* Source: @d is paused for an update that did not happen, and will go on. */
void liveupdate_viridian_go_on(struct domain *d)
{
    struct vcpu *v;
    unsigned int i;

    if ( !is_viridian_domain(d) || d->is_dying )
        return;

    for_each_vcpu ( d, v )
        for ( i = 0; i < ARRAY_SIZE(v->arch.hvm.viridian->stimer); i++ )
            if ( v->arch.hvm.viridian->stimer[i].started )
                keep_expiration(v->arch.hvm.viridian, i);
    keep_time(d);
}

/* As viridian_map_guest_page() does, but for clearing the page. */
static int map_page(struct domain *d, struct viridian_page *vp, uint64_t msr,
                    uint64_t mfn)
{
    vp->msr.raw = msr;

    return mfn ? liveupdate_map_page(d, mfn, "a page of the Hyper-V interface",
                                     &vp->ptr)
               : 0;
}

static int plan_vcpu(struct vcpu *v)
{
    const struct lu_record *r = lu_record_find_vcpu(&liveupdate_stream,
                                                    LU_REC_VIRIDIAN_VCPU,
                                                    v->domain->domain_id,
                                                    v->vcpu_id);
    struct viridian_vcpu *vv = v->arch.hvm.viridian;
    struct lu_viridian_vcpu rec;
    unsigned int i;

    if ( !r )
        return liveupdate_refuse(v->domain, -ENODATA,
                                 "viridian: nothing about vCPU %u", v->vcpu_id);
    LU_FIXED(r, &rec);
    if ( rec.flags & ~LU_VIRIDIAN_ALL )
        return liveupdate_refuse(v->domain, -EOPNOTSUPP,
                                 "viridian: vCPU %u has unknown flags %#x",
                                 v->vcpu_id, rec.flags & ~LU_VIRIDIAN_ALL);

    vv->scontrol = rec.scontrol;
    vv->siefp = rec.siefp;
    vv->apic_assist_pending = rec.flags & LU_VIRIDIAN_ASSIST;

    for ( i = 0; i < ARRAY_SIZE(vv->sint); i++ )
    {
        vv->sint[i].as_uint64 = rec.sint[i];
        /* Vectors from 0 to 15 are none: the SINT was never written. */
        if ( vv->sint[i].vector >= 0x10 )
            vv->vector_to_sintx[vv->sint[i].vector] = i;
    }

    for ( i = 0; i < ARRAY_SIZE(vv->crash_param); i++ )
        vv->crash_param[i] = rec.crash[i];

    vv->stimer_enabled = rec.timers_started;
    vv->stimer_pending = rec.timers_pending;
    for ( i = 0; i < ARRAY_SIZE(vv->stimer); i++ )
    {
        struct viridian_stimer *vs = &vv->stimer[i];

        vs->config.as_uint64 = rec.timer_config[i];
        vs->count = rec.timer_count[i];
        vs->expiration = rec.timer_expiry[i];
        vs->started = rec.timers_started & (1u << i);
        keep_expiration(vv, i);
    }

    return map_page(v->domain, &vv->vp_assist, rec.vp_assist,
                    rec.vp_assist_mfn) ?:
           map_page(v->domain, &vv->simp, rec.simp, rec.simp_mfn);
}

int liveupdate_viridian_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_VIRIDIAN, d->domain_id);
    struct viridian_domain *vd = d->arch.hvm.viridian;
    struct lu_viridian rec;
    struct vcpu *v;
    int rc;

    if ( !r != !is_viridian_domain(d) )
        return liveupdate_refuse(d, -EINVAL,
                                 "viridian: parameter and records do not agree");
    if ( !r )
        return 0;
    LU_FIXED(r, &rec);

    vd->guest_os_id.raw = rec.guest_os_id;
    vd->hypercall_gpa.raw = rec.hypercall;

    vd->time_ref_count.off = rec.time_offset;
    vd->time_ref_count.val = rec.time;
    keep_time(d);

    rc = map_page(d, &vd->reference_tsc, rec.reference_tsc,
                  rec.reference_tsc_mfn);
    for_each_vcpu ( d, v )
        if ( !rc )
            rc = plan_vcpu(v);

    return rc;
}
