/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "hvm": what HVM and PVH domains have besides memory.
 *
 * Registers and emulated devices cross as the records that Xen uses to save and
 * migrate such a domain, which are public ABI.  Those are made for a machine
 * that stops here and goes on elsewhere, some time later: the guest's clocks
 * would stand still in between and its timers would start from their full
 * period.  But this is the same machine, and its time goes on.  So
 *  - while records are made and while they are read, guest time is held at one
 *    and the same instant, so that every counter comes out as it went in;
 *    afterwards it follows system time with the offset that it had;
 *  - the TSC's offset is carried as it is;
 *  - timers are put back to the system time at which they were to expire.
 * One that expired in the meantime fires at once.
 *
 * VMX keeps a vCPU's state on the CPU that ran it, and gets it from there by an
 * interrupt.  By the time of save() no other CPU answers one: quiesce() brings
 * the state to memory.
 *
 * Carried: HVM and PVH domains: all HVM save records (registers, extended state,
 * local APIC, I/O APIC, PICs, PIT, RTC, HPET, PM timer, MTRRs), HVM parameters,
 * TSC offsets, guest time, emulated timers, pinned cache attributes; the Hyper-V
 * interface (viridian), its time, timers and pages.
 */

#include <xen/liveupdate.h>
#include <xen/sched.h>

#include <asm/hvm/cacheattr.h>
#include <asm/hvm/domain.h>
#include <asm/hvm/hvm.h>
#include <asm/hvm/irq.h>
#include <asm/hvm/nestedhvm.h>
#include <asm/hvm/save.h>
#include <asm/hvm/support.h>
#include <asm/hvm/viridian.h>
#include <asm/hvm/vlapic.h>
#include <asm/hvm/vmx/vmcs.h>
#include <asm/hvm/vpt.h>

#include <public/hvm/params.h>

/* Typecodes up to here need no device: the registers of CPUs. */
#define LAST_CPU_CODE HVM_SAVE_CODE(CPU)

/* Time and emulated devices of a domain are saved by way of its first vCPU. */
static int check_vcpus(const struct domain *d)
{
    return d->vcpu && d->vcpu[0]
           ? 0 : liveupdate_refuse(d, -EBUSY, "has no vCPU yet");
}

static int cf_check hvm_check(struct domain *d)
{
    if ( !is_hvm_domain(d) )
        return 0;

    if ( is_hardware_domain(d) )
        return liveupdate_refuse(d, -EOPNOTSUPP, "is a PVH hardware domain");
    if ( nestedhvm_enabled(d) )
        return liveupdate_refuse(d, -EOPNOTSUPP, "runs virtual machines (nested HVM)");
    if ( d->arch.hvm.is_s3_suspended )
        return liveupdate_refuse(d, -EOPNOTSUPP, "sleeps (ACPI S3)");

    return check_vcpus(d);
}

static int quiesce_vcpu(struct vcpu *v)
{
    struct domain *d = v->domain;
    struct hvm_hw_cpu unused;

    if ( v->arch.hvm.inject_event.vector != HVM_EVENT_VECTOR_UNSET )
        return liveupdate_refuse(d, -EBUSY,
                                 "vCPU %u waits for an event to be injected",
                                 v->vcpu_id);
    if ( v->arch.hvm.single_step )
        return liveupdate_refuse(d, -EOPNOTSUPP, "vCPU %u is single-stepped",
                                 v->vcpu_id);
    if ( v->arch.hvm.cache_mode != NORMAL_CACHE_MODE || d->arch.hvm.is_in_uc_mode )
        return liveupdate_refuse(d, -EBUSY, "vCPU %u has switched its caches off",
                                 v->vcpu_id);
    if ( vcpu_vlapic(v)->init_sipi.icr )
        return liveupdate_refuse(d, -EBUSY,
                                 "vCPU %u is being started by an INIT or SIPI",
                                 v->vcpu_id);
    if ( !list_empty(&d->arch.hvm.write_map.list) )
        return liveupdate_refuse(d, -EBUSY, "Xen has mapped its memory for writing");

    /* Of one that an INIT has stopped, too: its VMCS is where it last ran. */
    if ( cpu_has_vmx )
        alternative_vcall(hvm_funcs.save_cpu_ctxt, v, &unused);

    return 0;
}

static int cf_check hvm_quiesce(struct domain *d)
{
    struct vcpu *v;
    int rc = 0;

    if ( !is_hvm_domain(d) )
        return 0;

    rc = check_vcpus(d);
    for_each_vcpu ( d, v )
        if ( rc || (rc = quiesce_vcpu(v)) != 0 )
            break;

    return rc;
}

static void cf_check hvm_refs(struct domain *d)
{
    if ( is_viridian_domain(d) )
        liveupdate_viridian_refs(d);
}

/*
 * Guest time.
 */

/*
 * Whoever asks for the time of @d gets @now, in ns, until it is released.  It
 * grows by one with each question: see hvm_get_guest_time_fixed().
 */
static void hold_time(struct domain *d, uint64_t now)
{
    struct pl_time *pl = d->arch.hvm.pl_time;

    pl->stime_offset = -(STIME_MAX / 2);
    pl->last_guest_time = now;
}

/* From here on it is system time plus @offset again, and not before @now. */
static void release_time(struct domain *d, int64_t offset, uint64_t now)
{
    struct pl_time *pl = d->arch.hvm.pl_time;

    pl->stime_offset = offset;
    pl->last_guest_time = now;
}

/*
 * Timers.
 */

/* The timers of @d, in the order of the stream; NULL: no more of @kind. */
static struct periodic_time *get_timer(struct domain *d, unsigned int kind,
                                       unsigned int index)
{
    struct pl_time *pl = d->arch.hvm.pl_time;

    switch ( kind )
    {
    case LU_HVM_TIMER_LAPIC:
        return has_vlapic(d) && index < d->max_vcpus && d->vcpu[index]
               ? &vcpu_vlapic(d->vcpu[index])->pt : NULL;

    case LU_HVM_TIMER_PIT:
        return has_vpit(d) && !index ? &d->arch.vpit.pt0 : NULL;

    case LU_HVM_TIMER_RTC:
        return has_vrtc(d) && !index ? &pl->vrtc.pt : NULL;

    case LU_HVM_TIMER_HPET:
        return has_vhpet(d) && index < ARRAY_SIZE(pl->vhpet.pt)
               ? &pl->vhpet.pt[index] : NULL;
    }

    return NULL;
}

static int save_timers(struct lu_writer *w, struct domain *d)
{
    unsigned int kind, index;
    const struct periodic_time *pt;

    if ( !lu_record_begin(w, LU_REC_HVM_TIMERS, d->domain_id, 0) )
        return -ENOSPC;

    for ( kind = LU_HVM_TIMER_LAPIC; kind <= LU_HVM_TIMER_HPET; kind++ )
        for ( index = 0; (pt = get_timer(d, kind, index)) != NULL; index++ )
        {
            struct lu_hvm_timers_entry *e;

            if ( !pt->vcpu || !pt_active(pt) )
                continue;

            e = lu_record_entries(w, 1);
            if ( !e )
                return -ENOSPC;
            *e = (struct lu_hvm_timers_entry){
                .kind = kind,
                .index = index,
                .flags = (timer_is_active(&pt->timer) ? LU_HVM_TIMER_RUNS : 0) |
                         (pt->irq_issued ? LU_HVM_TIMER_ISSUED : 0) |
                         (pt->do_not_freeze ? LU_HVM_TIMER_AWAKE : 0),
                .pending = pt->pending_intr_nr,
                .scheduled = pt->scheduled,
                .last_irq = pt->last_plt_gtime,
            };
        }
    lu_record_end(w);

    return 0;
}

static const struct lu_hvm_timers_entry *find_timer(
    const struct lu_record *r, unsigned int kind, unsigned int index,
    struct lu_hvm_timers_entry *e)
{
    unsigned int i;

    for ( i = 0; i < r->nr; i++ )
    {
        LU_ENTRY(r, i, e);
        if ( e->kind == kind && e->index == index )
            return e;
    }

    return NULL;
}

/*
 * The HVM records have started every timer that is programmed.  Those that had
 * expired by then stop again, the others get back to where they were.  One
 * whose time came during the update may have fired already: then it is off.
 */
static int restore_timers(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_HVM_TIMERS, d->domain_id);
    unsigned int kind, index;
    struct periodic_time *pt;

    if ( !r )
        return liveupdate_refuse(d, -ENODATA, "no emulated timers");

    for ( kind = LU_HVM_TIMER_LAPIC; kind <= LU_HVM_TIMER_HPET; kind++ )
        for ( index = 0; (pt = get_timer(d, kind, index)) != NULL; index++ )
        {
            struct lu_hvm_timers_entry buf;
            const struct lu_hvm_timers_entry *e = find_timer(r, kind, index, &buf);

            if ( !pt->vcpu || !pt_active(pt) )
                continue;
            if ( !e )
            {
                destroy_periodic_time(pt);
                continue;
            }

            pt->irq_issued = e->flags & LU_HVM_TIMER_ISSUED;
            pt->do_not_freeze = e->flags & LU_HVM_TIMER_AWAKE;
            pt->pending_intr_nr = e->pending;
            pt->scheduled = e->scheduled;
            pt->last_plt_gtime = e->last_irq;

            /* Else it goes on with its interrupt, or when the vCPU does. */
            if ( e->flags & LU_HVM_TIMER_RUNS )
                set_timer(&pt->timer, pt->scheduled);
            else
                stop_timer(&pt->timer);
        }

    return 0;
}

/*
 * Save.
 */

/*
 * What keeps interrupts and NMIs from a vCPU for the moment is in its VMCS or
 * VMCB, and not in the HVM records.
 */
static unsigned int interrupt_shadow(struct vcpu *v)
{
    unsigned int shadow;

    if ( !v->is_initialised )
        return 0;

    if ( cpu_has_vmx )
        vmx_vmcs_enter(v);
    shadow = alternative_call(hvm_funcs.get_interrupt_shadow, v);
    if ( cpu_has_vmx )
        vmx_vmcs_exit(v);

    return (shadow & HVM_INTR_SHADOW_NMI ? LU_HVM_VCPU_NMI : 0) |
           (shadow & (HVM_INTR_SHADOW_STI | HVM_INTR_SHADOW_MOV_SS)
            ? LU_HVM_VCPU_SHADOW : 0);
}

static int save_vcpu(struct lu_writer *w, struct vcpu *v)
{
    const struct hvm_vcpu *hvm = &v->arch.hvm;
    struct lu_hvm_vcpu *rec = lu_record_begin(w, LU_REC_HVM_VCPU,
                                              v->domain->domain_id, v->vcpu_id);

    if ( !rec )
        return -ENOSPC;

    rec->tsc_offset = hvm->cache_tsc_offset;
    rec->time_offset = hvm->stime_offset;
    rec->frozen_time = hvm->guest_time;
    rec->lapic_update = hvm->vlapic.timer_last_update;
    rec->upcall_vector = hvm->evtchn_upcall_vector;
    rec->flags = (v->pause_flags & VPF_down ? LU_HVM_VCPU_DOWN : 0) |
                 (hvm->assert_evtchn_irq_tasklet.scheduled_on >= 0
                  ? LU_HVM_VCPU_UPCALL : 0) |
                 interrupt_shadow(v);
    lu_record_end(w);

    return 0;
}

static int save_params(struct lu_writer *w, struct domain *d, uint64_t now)
{
    struct lu_hvm *rec = lu_record_begin(w, LU_REC_HVM, d->domain_id, 0);
    unsigned int i;

    if ( !rec )
        return -ENOSPC;

    rec->emulation = d->arch.emulation_flags;
    rec->flags = (has_32bit_shinfo(d) ? LU_HVM_SHINFO_32 : 0) |
                 (d->arch.hvm.bug_x2apic_ldr_vcpu_id ? LU_HVM_APIC_LDR : 0);
    rec->time_offset = d->arch.hvm.pl_time->stime_offset;
    rec->save_time = now;
    rec->save_tsc = d->arch.hvm.sync_tsc = rdtsc();
    rec->pci_cf8 = d->arch.hvm.pci_cf8;

    for ( i = 0; i < HVM_NR_PARAMS; i++ )
    {
        struct lu_hvm_entry *e;

        if ( !d->arch.hvm.params[i] )
            continue;

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        e->index = i;
        e->value = d->arch.hvm.params[i];
    }
    lu_record_end(w);

    return 0;
}

static int save_context(struct lu_writer *w, struct domain *d, uint64_t now)
{
    int64_t offset = d->arch.hvm.pl_time->stime_offset;
    uint64_t frozen = d->vcpu[0]->arch.hvm.guest_time;
    int rc;

    if ( !lu_record_begin(w, LU_REC_HVM_CONTEXT, d->domain_id, 0) )
        return -ENOSPC;

    /* Its time may stand still already, where the target's is held. */
    d->vcpu[0]->arch.hvm.guest_time = 0;
    hold_time(d, now);
    rc = liveupdate_hvm_save(w, d);
    release_time(d, offset, now);
    d->vcpu[0]->arch.hvm.guest_time = frozen;
    if ( !rc )
        lu_record_end(w);

    return rc;
}

static int cf_check hvm_save_domain(struct lu_writer *w, struct domain *d)
{
    struct vcpu *v;
    uint64_t now;
    int rc;

    if ( !is_hvm_domain(d) )
        return 0;

    now = get_s_time() + d->arch.hvm.pl_time->stime_offset;
    rc = save_params(w, d, now);
    for_each_vcpu ( d, v )
        if ( !rc )
            rc = save_vcpu(w, v);
    if ( rc )
        return rc;

    rc = save_context(w, d, now) ?: save_timers(w, d) ?:
         liveupdate_cacheattr_save(w, d);
    if ( !rc && is_viridian_domain(d) )
        rc = liveupdate_viridian_save(w, d);

    return rc;
}

/*
 * Restore.
 */

static int restore_params(struct domain *d, const struct lu_record *r)
{
    unsigned int i;

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_hvm_entry e;
        int rc = 0;

        LU_ENTRY(r, i, &e);

        if ( e.index >= HVM_NR_PARAMS )
            return liveupdate_refuse(d, -EOPNOTSUPP, "HVM parameter %u = %#"PRIx64,
                                     e.index, e.value);

        /* The one that registers of a device depend on. */
        if ( e.index == HVM_PARAM_ACPI_IOPORTS_LOCATION )
            rc = pmtimer_change_ioport(d, e.value);
        if ( rc )
            return liveupdate_refuse(d, rc, "ACPI ports of version %"PRIu64,
                                     e.value);

        d->arch.hvm.params[e.index] = e.value;
    }

    return 0;
}

static void set_interrupt_shadow(struct vcpu *v, unsigned int flags)
{
    if ( cpu_has_vmx )
        vmx_vmcs_enter(v);
    alternative_vcall(hvm_funcs.set_interrupt_shadow, v,
                      (flags & LU_HVM_VCPU_NMI ? HVM_INTR_SHADOW_NMI : 0) |
                      (flags & LU_HVM_VCPU_SHADOW ? HVM_INTR_SHADOW_STI : 0));
    if ( cpu_has_vmx )
        vmx_vmcs_exit(v);
}

/* Between the registers and the devices, which ask for the TSC. */
static int restore_vcpu(struct vcpu *v)
{
    const struct lu_record *r = lu_record_find_vcpu(&liveupdate_stream,
                                                    LU_REC_HVM_VCPU,
                                                    v->domain->domain_id,
                                                    v->vcpu_id);
    struct hvm_vcpu *hvm = &v->arch.hvm;
    struct lu_hvm_vcpu rec;

    if ( !r )
        return liveupdate_refuse(v->domain, -ENODATA, "nothing about vCPU %u",
                                 v->vcpu_id);
    LU_FIXED(r, &rec);
    if ( rec.flags & ~LU_HVM_VCPU_ALL )
        return liveupdate_refuse(v->domain, -EOPNOTSUPP,
                                 "vCPU %u has unknown flags %#x", v->vcpu_id,
                                 rec.flags & ~LU_HVM_VCPU_ALL);

    hvm->stime_offset = rec.time_offset;
    hvm->guest_time = rec.frozen_time;
    hvm->evtchn_upcall_vector = rec.upcall_vector;

    hvm->cache_tsc_offset = rec.tsc_offset;
    if ( v->is_initialised )
    {
        hvm_set_tsc_offset(v, rec.tsc_offset, 0);
        set_interrupt_shadow(v, rec.flags);
    }

    if ( rec.flags & LU_HVM_VCPU_DOWN )
        set_bit(_VPF_down, &v->pause_flags);

    return 0;
}

/* What reading HVM state has set, and should not. */
static void restore_clocks(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu ( d, v )
    {
        struct lu_hvm_vcpu rec;

        LU_FIXED(lu_record_find_vcpu(&liveupdate_stream, LU_REC_HVM_VCPU,
                                     d->domain_id, v->vcpu_id), &rec);
        v->arch.hvm.vlapic.timer_last_update = rec.lapic_update;
    }
}

static int load(struct domain *d, const struct lu_record *context)
{
    const void *bytes = lu_record_bytes(context);
    struct vcpu *v;
    int rc;

    rc = liveupdate_hvm_load(d, bytes, context->nr, 0, LAST_CPU_CODE);
    for_each_vcpu ( d, v )
        if ( !rc )
            rc = restore_vcpu(v);
    if ( !rc )
        rc = liveupdate_hvm_load(d, bytes, context->nr, LAST_CPU_CODE + 1,
                                 HVM_SAVE_CODE_MAX);

    return rc;
}

static int cf_check hvm_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_HVM, d->domain_id);
    const struct lu_record *context = lu_record_find(&liveupdate_stream, NULL,
                                                     LU_REC_HVM_CONTEXT,
                                                     d->domain_id);
    struct lu_hvm rec;
    int rc;

    if ( !is_hvm_domain(d) )
        return 0;
    if ( !r || !context )
        return liveupdate_refuse(d, -ENODATA, "no HVM state");

    LU_FIXED(r, &rec);
    if ( rec.flags & ~LU_HVM_ALL )
        return liveupdate_refuse(d, -EOPNOTSUPP, "has unknown HVM flags %#x",
                                 rec.flags & ~LU_HVM_ALL);

    d->arch.has_32bit_shinfo = rec.flags & LU_HVM_SHINFO_32;
    d->arch.hvm.pci_cf8 = rec.pci_cf8;
    rc = restore_params(d, r);
    if ( rc )
        return rc;

    d->arch.hvm.sync_tsc = rec.save_tsc;
    hold_time(d, rec.save_time);
    rc = load(d, context);
    release_time(d, rec.time_offset, rec.save_time);
    if ( rc )
        return rc;

    d->arch.hvm.bug_x2apic_ldr_vcpu_id = rec.flags & LU_HVM_APIC_LDR;
    restore_clocks(d);

    return restore_timers(d) ?: liveupdate_restore_pit(d) ?:
           liveupdate_cacheattr_plan(d) ?: liveupdate_viridian_plan(d);
}

/*
 * hvm_set_callback_via() wakes every vCPU.  One that waits without anything
 * pending has to go on waiting: a poll ends when it is woken.
 */
static void set_callback(struct domain *d)
{
    uint64_t via = d->arch.hvm.params[HVM_PARAM_CALLBACK_IRQ];

    /* A vector is not asserted: what is pending counts when the vCPU runs. */
    if ( MASK_EXTR(via, HVM_PARAM_CALLBACK_IRQ_TYPE_MASK) + 1 ==
         HVMIRQ_callback_vector )
    {
        hvm_domain_irq(d)->callback_via_type = HVMIRQ_callback_vector;
        hvm_domain_irq(d)->callback_via.vector = via;
    }
    else
        hvm_set_callback_via(d, via);
}

/*
 * Whether an event upcall is asserted is not in the HVM records: it follows from
 * what is pending, once everything is in place.
 */
static void cf_check hvm_resume(struct domain *d)
{
    struct vcpu *v;

    if ( !is_hvm_domain(d) )
        return;

    set_callback(d);

    for_each_vcpu ( d, v )
    {
        struct lu_hvm_vcpu rec;

        LU_FIXED(lu_record_find_vcpu(&liveupdate_stream, LU_REC_HVM_VCPU,
                                     d->domain_id, v->vcpu_id), &rec);
        if ( rec.flags & LU_HVM_VCPU_UPCALL )
            hvm_assert_evtchn_irq(v);
    }
}

const struct liveupdate_resource liveupdate_res_hvm = {
    .name = "hvm",
    .check = hvm_check,
    .quiesce = hvm_quiesce,
    .refs = hvm_refs,
    .save = hvm_save_domain,
    .plan = hvm_plan,
    .resume = hvm_resume,
};
