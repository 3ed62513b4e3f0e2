/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: HVM save records.  Included by hvm/save.c.
 *
 * This is hvm_save() and hvm_load() for a host at rest: into the stream instead
 * of a buffer, without a word on the console for each record, without softirqs
 * (CPUs are held, interrupts are off), and with the registers of vCPUs that are
 * switched off: the source of an ordinary save may forget those, as its guest
 * has been asked to suspend itself.
 */

#include <xen/liveupdate.h>

#include <asm/liveupdate-compat.h>
#include <asm/paging.h>
#include <asm/xstate.h>

/*
 * Xen saves SSE whatever the guest has enabled in XCR0, but does not count it as
 * used before the guest enables it: it would not accept its own record.
 */
static void lu_adjust_xsave(const hvm_domain_context_t *h)
{
    struct hvm_hw_cpu_xsave *ctxt =
        (void *)&h->data[sizeof(struct hvm_save_descriptor)];

    ctxt->xcr0_accum |= XSTATE_FP_SSE;
}

static int lu_save_one(struct lu_writer *w, struct vcpu *v, unsigned int code)
{
    hvm_domain_context_t h = { .size = hvm_sr_handlers[code].size };
    bool down = v->is_initialised && test_and_clear_bit(_VPF_down,
                                                        &v->pause_flags);
    int rc;

    h.data = lu_record_entries(w, h.size);
    rc = h.data ? hvm_sr_handlers[code].save(v, &h) : -ENOSPC;
    if ( h.data )
        lu_record_drop(w, h.size - h.cur);
    if ( !rc && code == CPU_XSAVE_CODE && h.cur )
        lu_adjust_xsave(&h);

    /* It is paused: nobody has seen the bit go. */
    if ( down )
        set_bit(_VPF_down, &v->pause_flags);

    if ( rc && h.data )
        return liveupdate_refuse(v->domain, -EIO,
                                 "vCPU %u: HVM state %s cannot be saved",
                                 v->vcpu_id, hvm_sr_handlers[code].name);

    return rc;
}

int liveupdate_hvm_save(struct lu_writer *w, struct domain *d)
{
    unsigned int code;
    struct vcpu *v;
    int rc = 0;

    for ( code = 0; code <= HVM_SAVE_CODE_MAX; code++ )
    {
        if ( !hvm_sr_handlers[code].save )
            continue;
        if ( code == HVM_SAVE_CODE(VIRIDIAN_DOMAIN) ||
             code == HVM_SAVE_CODE(VIRIDIAN_VCPU) )
            continue; /* records of their own: see viridian.c */

        if ( hvm_sr_handlers[code].kind == HVMSR_PER_DOM )
            rc = lu_save_one(w, d->vcpu[0], code);
        else
            for_each_vcpu ( d, v )
                if ( (rc = lu_save_one(w, v, code)) != 0 )
                    break;
        if ( rc )
            return rc;
    }

    return 0;
}

/*
 * VCPUOP_initialise lets a guest put anything into the control registers of a
 * vCPU, which at worst ends the guest when that vCPU is to run; a save record
 * must not have it.  Then they are put in behind its back.
 */
static int lu_load_cpu(struct domain *d, hvm_domain_context_t *h)
{
    const struct hvm_save_descriptor *desc = (void *)&h->data[h->cur];
    struct {
        struct hvm_save_descriptor desc;
        struct hvm_hw_cpu ctxt;
    } copy;
    hvm_domain_context_t replaced = { .size = sizeof(copy),
                                      .data = (void *)&copy };
    struct vcpu *v = domain_vcpu(d, desc->instance);
    struct hvm_hw_cpu ctxt;
    uint32_t start = h->cur;
    int rc = hvm_sr_handlers[HVM_SAVE_CODE(CPU)].load(d, h);

    if ( !rc || !v || desc->length != sizeof(ctxt) )
        return rc;

    memcpy(&copy, desc, sizeof(copy));
    ctxt = copy.ctxt;
    copy.ctxt.cr0 = X86_CR0_ET;
    copy.ctxt.cr3 = 0;
    copy.ctxt.msr_efer = 0;
    rc = hvm_sr_handlers[HVM_SAVE_CODE(CPU)].load(d, &replaced);
    if ( rc )
        return rc;

    h->cur = start + replaced.cur;
    v->arch.hvm.guest_cr[0] = ctxt.cr0;
    v->arch.hvm.guest_cr[3] = ctxt.cr3;
    v->arch.hvm.guest_efer = ctxt.msr_efer;
    hvm_update_guest_cr(v, 0);
    hvm_update_guest_cr(v, 3);
    hvm_update_guest_efer(v);
    paging_update_paging_modes(v);

    return 0;
}

/* What Xen has behind what this one knows of a local APIC: errors yet to be told. */
static uint32_t lu_pending_esr(const struct hvm_save_descriptor *desc)
{
    uint32_t esr = 0;

    if ( LU_PENDING_ESR && desc->typecode == HVM_SAVE_CODE(LAPIC) &&
         desc->length == sizeof(struct hvm_hw_lapic) + LU_PENDING_ESR )
        memcpy(&esr, (const char *)(desc + 1) + sizeof(struct hvm_hw_lapic),
               sizeof(esr));

    return esr;
}

static int lu_load_lapic(struct domain *d, hvm_domain_context_t *h)
{
    const struct hvm_save_descriptor *desc = (void *)&h->data[h->cur];
    struct {
        struct hvm_save_descriptor desc;
        struct hvm_hw_lapic ctxt;
    } copy;
    hvm_domain_context_t shorter = { .size = sizeof(copy),
                                     .data = (void *)&copy };
    int rc;

    if ( !LU_PENDING_ESR ||
         desc->length != sizeof(copy.ctxt) + LU_PENDING_ESR )
        return hvm_sr_handlers[HVM_SAVE_CODE(LAPIC)].load(d, h);

    memcpy(&copy, desc, sizeof(copy));
    copy.desc.length = sizeof(copy.ctxt);
    rc = hvm_sr_handlers[HVM_SAVE_CODE(LAPIC)].load(d, &shorter);
    h->cur += sizeof(*desc) + desc->length;

    return rc;
}

/* Here an error stands in the register as soon as it is there. */
static void lu_tell_errors(const struct domain *d, const void *data,
                           uint32_t len)
{
    const struct hvm_save_descriptor *desc;
    uint32_t cur;

    for ( cur = 0; len - cur >= sizeof(*desc);
          cur += sizeof(*desc) + desc->length )
    {
        uint32_t esr;
        struct vlapic *apic;

        desc = data + cur;
        if ( desc->length > len - cur - sizeof(*desc) )
            break;
        esr = lu_pending_esr(desc);
        if ( !esr || !domain_vcpu(d, desc->instance) )
            continue;
        apic = vcpu_vlapic(d->vcpu[desc->instance]);
        vlapic_set_reg(apic, APIC_ESR, vlapic_get_reg(apic, APIC_ESR) | esr);
    }
}

static int lu_load_one(struct domain *d, hvm_domain_context_t *h,
                       unsigned int code)
{
    switch ( code )
    {
    case HVM_SAVE_CODE(CPU):
        return lu_load_cpu(d, h);

    case HVM_SAVE_CODE(LAPIC):
        return lu_load_lapic(d, h);
    }

    return hvm_sr_handlers[code].load(d, h);
}

int liveupdate_hvm_load(struct domain *d, const void *data, uint32_t len,
                        unsigned int first, unsigned int last)
{
    hvm_domain_context_t h = { .size = len, .data = (void *)data };

    while ( h.size - h.cur >= sizeof(struct hvm_save_descriptor) )
    {
        const struct hvm_save_descriptor *desc = (void *)&h.data[h.cur];
        uint32_t next;

        if ( desc->length > h.size - h.cur - sizeof(*desc) )
            break;
        next = h.cur + sizeof(*desc) + desc->length;

        if ( desc->typecode > HVM_SAVE_CODE_MAX ||
             !hvm_sr_handlers[desc->typecode].load )
            return liveupdate_refuse(d, -EOPNOTSUPP,
                                     "HVM state %u is not known here",
                                     desc->typecode);

        if ( desc->typecode >= first && desc->typecode <= last )
        {
            hvm_domain_context_t checked = h;
            int rc = liveupdate_hvm_check(&hvm_sr_handlers[desc->typecode], d,
                                          &checked);

            if ( !rc )
                rc = lu_load_one(d, &h, desc->typecode);
            if ( rc || h.cur != next )
                return liveupdate_refuse(d, rc ?: -EINVAL,
                                         "HVM state %s/%u is not accepted",
                                         hvm_sr_handlers[desc->typecode].name,
                                         desc->instance);
        }
        h.cur = next;
    }

    if ( h.cur != h.size )
        return liveupdate_refuse(d, -EINVAL, "its HVM state is cut off");
    if ( last >= HVM_SAVE_CODE(LAPIC_REGS) )
        lu_tell_errors(d, data, len);

    return 0;
}
