/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: registers of vCPUs.  Those of HVM and PVH domains are the
 * business of "hvm", but for MSRs, exceptions and machine checks.
 *
 * A paused PV vCPU sits between two instructions: Xen descends into the
 * scheduler only on its way back to the guest, where a preempted hypercall has
 * already set RIP back to its beginning.  What can be in between is refused as
 * busy by quiesce() of "sched".
 *
 * Most of the state crosses as the public struct vcpu_guest_context, through
 * arch_get_info_guest() and arch_set_info_guest().  The rest, which these two do
 * not know of, has fields of its own.
 *
 * arch_set_info_guest() runs in plan().  It finds page types and counts in
 * place, and takes the references that refs() told of on the source:
 *  - guest_table and guest_table_user by get_page_type_preemptible().  The frame
 *    is of type L4 and validated, if only with a count of 0, so this neither
 *    validates nor can be preempted.
 *  - GDT frames by pv_set_gdt(), likewise with seg_desc.
 * What it would write to guest pages is kept from happening by hooks on
 * liveupdate_restoring, as the source has done it when the guest asked for it:
 *  - fill_ro_mpt() and zap_ro_mpt() on L4 tables: "frames" rewrites the slots
 *    that are Xen's in commit(), with the choice of the M2P slot kept.  The pass
 *    over all L4 tables for a late m2p_strict does not happen as "domain" has
 *    set the domain's vm_assist before.
 *  - update_domain_wallclock_time(): shared_info has the time, and it is right.
 * Its other uses of current are harmless while that is the idle vCPU: its
 * old_guest_table is empty, and no debug register belongs to it.
 *
 * References to the LDT are taken lazily, on page faults; quiesce() drops them.
 * No TLB needs flushing for that: loading the page tables of a vCPU does it.
 *
 * Carried: registers, FPU and extended state, debug registers, descriptor
 * tables, callbacks, MSRs, virtual machine check banks, pending NMI and MCE; a page
 * table that is being torn down.
 */

#include <xen/liveupdate.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/xmalloc.h>

#include <asm/domain.h>
#include <asm/liveupdate-compat.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/pv/mm.h>
#include <asm/xstate.h>

#include <public/arch-x86/hvm/save.h>

#define NR_GDT_FRAMES(v) DIV_ROUND_UP((v)->arch.pv.gdt_ents, 512)

static int cf_check vcpu_quiesce(struct domain *d)
{
    struct vcpu *v;

    if ( !is_pv_domain(d) )
        return 0;

    for_each_vcpu ( d, v )
        pv_destroy_ldt(v);

    return 0;
}

static void cf_check vcpu_refs(struct domain *d)
{
    const struct vcpu *v;
    unsigned int i;

    /* A translated domain has page tables that Xen knows nothing of. */
    if ( !is_pv_domain(d) )
        return;

    for_each_vcpu ( d, v )
    {
        if ( !pagetable_is_null(v->arch.guest_table) )
            liveupdate_xen_ref(pagetable_get_mfn(v->arch.guest_table), 1, 1);
        if ( !pagetable_is_null(v->arch.guest_table_user) )
            liveupdate_xen_ref(pagetable_get_mfn(v->arch.guest_table_user), 1, 1);

        for ( i = 0; i < NR_GDT_FRAMES(v); i++ )
            liveupdate_xen_ref(_mfn(v->arch.pv.gdt_frames[i]), 1, 1);
    }
}

/* async_exception_mask has bits by VCPU_TRAP_*, the stream has its own. */
static uint8_t mask_to_stream(uint8_t mask)
{
    return (mask & (1 << VCPU_TRAP_NMI) ? 1 : 0) |
           (mask & (1 << VCPU_TRAP_MCE) ? 2 : 0);
}

static uint8_t mask_from_stream(uint8_t mask)
{
    return (mask & 1 ? 1 << VCPU_TRAP_NMI : 0) | (mask & 2 ? 1 << VCPU_TRAP_MCE : 0);
}

static void save_vmce(struct lu_vcpu *rec, const struct vcpu *v)
{
    const struct vmce *vmce = &v->arch.vmce;
    unsigned int i;

    BUILD_BUG_ON(ARRAY_SIZE(rec->mci_status) != GUEST_MC_BANK_NUM);

    rec->mcg_cap = vmce->mcg_cap;
    rec->mcg_status = vmce->mcg_status;
    rec->mcg_ext_ctl = vmce->mcg_ext_ctl;
    for ( i = 0; i < GUEST_MC_BANK_NUM; i++ )
    {
        rec->mci_status[i] = vmce->bank[i].mci_status;
        rec->mci_addr[i] = vmce->bank[i].mci_addr;
        rec->mci_misc[i] = vmce->bank[i].mci_misc;
        rec->mci_ctl2[i] = vmce->bank[i].mci_ctl2;
    }
}

static void save_exceptions(struct lu_vcpu *rec, const struct vcpu *v)
{
    const struct trap_bounce *tb = &v->arch.pv.trap_bounce;

    rec->flags |= (v->arch.nmi_pending ? LU_VCPU_NMI : 0) |
                  (v->arch.mce_pending ? LU_VCPU_MCE : 0);
    rec->async_mask = mask_to_stream(v->arch.async_exception_mask);
    rec->nmi_old_mask = mask_to_stream(v->arch.nmi_state.old_mask);
    rec->mce_old_mask = mask_to_stream(v->arch.mce_state.old_mask);

    /* An exception is bounced after softirqs: see test_all_events in entry.S. */
    if ( !is_pv_vcpu(v) || !(tb->flags & TBF_EXCEPTION) )
        return;

    rec->flags |=
        LU_VCPU_EXCEPTION |
        (tb->flags & TBF_EXCEPTION_ERRCODE ? LU_VCPU_EXCEPTION_ERRCODE : 0) |
        (tb->flags & TBF_INTERRUPT ? LU_VCPU_EXCEPTION_MASKS : 0);
    rec->exception_rip = tb->eip;
    rec->exception_cs = tb->cs;
    rec->exception_errcode = tb->error_code;
}

static void save_pv(struct lu_vcpu *rec, const struct vcpu *v)
{
    const struct pv_vcpu *pv = &v->arch.pv;

    rec->flags |= (pv->syscall32_disables_events ? LU_VCPU_SYSCALL32_MASKS : 0) |
                  (pv->sysenter_disables_events ? LU_VCPU_SYSENTER_MASKS : 0);
    rec->syscall32_cs = pv->syscall32_callback_cs;
    rec->sysenter_cs = pv->sysenter_callback_cs;
    rec->syscall32_rip = pv->syscall32_callback_eip;
    rec->sysenter_rip = pv->sysenter_callback_eip;
    rec->iobmp = (unsigned long)pv->iobmp.p;
    rec->iobmp_limit = pv->iobmp_nr;
    rec->dr7_emulated = pv->dr7_emul;
}

static int save_registers(struct lu_writer *w, struct vcpu *v)
{
    struct lu_vcpu *rec = lu_record_begin(w, LU_REC_VCPU, v->domain->domain_id,
                                          v->vcpu_id);
    vcpu_guest_context_u c;

    if ( !rec )
        return -ENOSPC;

    rec->flags = v->is_initialised ? LU_VCPU_INITIALISED : 0;
    if ( is_pv_vcpu(v) )
        save_pv(rec, v);
    save_exceptions(rec, v);
    save_vmce(rec, v);

    if ( is_pv_vcpu(v) && v->is_initialised )
    {
        c.nat = lu_record_entries(w, sizeof(*c.nat));
        if ( !c.nat )
            return -ENOSPC;
        arch_get_info_guest(v, c);
        /* It would also say so of one that was online when it was set up. */
        if ( v->pause_flags & VPF_down )
            c.nat->flags &= ~VGCF_online;
    }

    lu_record_end(w);

    return 0;
}

/*
 * A page table that the vCPU gives up takes long to tear down, and the hypercall
 * is interrupted.  The reference that is to be dropped stays with it until the
 * guest goes on, which it need not do: FRAMES counts it.
 */
static int save_old_table(struct lu_writer *w, const struct vcpu *v)
{
    struct lu_old_table *rec;

    if ( !v->arch.old_guest_table )
        return 0;

    rec = lu_record_begin(w, LU_REC_OLD_TABLE, v->domain->domain_id, v->vcpu_id);
    if ( !rec )
        return -ENOSPC;
    rec->mfn = mfn_x(page_to_mfn(v->arch.old_guest_table));
    rec->parent_mfn = v->arch.old_guest_ptpg
                      ? mfn_x(page_to_mfn(v->arch.old_guest_ptpg)) : 0;
    rec->partial = v->arch.old_guest_table_partial;
    lu_record_end(w);

    return 0;
}

static int save_xstate(struct lu_writer *w, struct vcpu *v)
{
    struct lu_xstate *rec;
    unsigned int size;
    void *area;

    /* HVM records have it. */
    if ( !is_pv_vcpu(v) || !xsave_enabled(v) )
        return 0;

    rec = lu_record_begin(w, LU_REC_XSTATE, v->domain->domain_id, v->vcpu_id);
    if ( !rec )
        return -ENOSPC;

    rec->xcr0 = v->arch.xcr0;
    rec->xcr0_accum = v->arch.xcr0_accum;

    size = xstate_uncompressed_size(v->arch.xcr0_accum);
    area = lu_record_entries(w, size);
    if ( !area )
        return -ENOSPC;
    expand_xsave_states(v, area, size);

    lu_record_end(w);

    return 0;
}

/*
 * struct vcpu_msrs as a list.  Values are taken and set as they are: what the
 * policy lets a guest write was checked when the guest wrote it.
 */
static const struct msr_slot {
    uint32_t index;
    uint16_t offset, size;
} msr_slots[] = {
#define SLOT(msr, field) \
    { msr, offsetof(struct vcpu_msrs, field), \
      sizeof(((struct vcpu_msrs *)NULL)->field) }
    SLOT(MSR_SPEC_CTRL, spec_ctrl.raw),
    SLOT(MSR_INTEL_MISC_FEATURES_ENABLES, misc_features_enables.raw),
    SLOT(MSR_IA32_XSS, xss.raw),
    SLOT(MSR_TSC_AUX, tsc_aux),
    SLOT(MSR_VIRT_SPEC_CTRL, virt_spec_ctrl.raw),
    SLOT(MSR_AMD64_DR0_ADDRESS_MASK, dr_mask[0]),
    SLOT(MSR_AMD64_DR1_ADDRESS_MASK, dr_mask[1]),
    SLOT(MSR_AMD64_DR2_ADDRESS_MASK, dr_mask[2]),
    SLOT(MSR_AMD64_DR3_ADDRESS_MASK, dr_mask[3]),
#undef SLOT
};

static int save_msrs(struct lu_writer *w, const struct vcpu *v)
{
    unsigned int i;

    if ( !lu_record_begin(w, LU_REC_VCPU_MSRS, v->domain->domain_id, v->vcpu_id) )
        return -ENOSPC;

    for ( i = 0; i < ARRAY_SIZE(msr_slots); i++ )
    {
        struct lu_vcpu_msrs_entry *e;
        uint64_t value = 0;

        memcpy(&value, (void *)v->arch.msrs + msr_slots[i].offset,
               msr_slots[i].size);
        if ( !value )
            continue;

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        e->index = msr_slots[i].index;
        e->value = value;
    }

    lu_record_end(w);

    return 0;
}

static int cf_check vcpu_save(struct lu_writer *w, struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu ( d, v )
    {
        int rc = save_registers(w, v) ?: save_old_table(w, v) ?:
                 save_xstate(w, v) ?: save_msrs(w, v);

        if ( rc )
            return rc;
    }

    return 0;
}

/*
 * Nothing stops a process from pointing RSP, or a branch that is about to fault,
 * to a non-canonical address, and Xen takes a kernel's stack pointer as it is.  A
 * new context must not have that anywhere, but this is not a new one.
 */
static const struct address_slot {
    uint16_t context, vcpu;
} address_slots[] = {
#define SLOT(c, v) { offsetof(struct vcpu_guest_context, c), \
                     offsetof(struct vcpu, arch.v) }
    SLOT(user_regs.rip, user_regs.rip),
    SLOT(user_regs.rsp, user_regs.rsp),
    SLOT(kernel_sp, pv.kernel_sp),
#undef SLOT
};

static int restore_context(struct vcpu *v, const struct lu_record *r)
{
    unsigned long addresses[ARRAY_SIZE(address_slots)];
    vcpu_guest_context_u c;
    unsigned int i;
    int rc;

    if ( r->nr != sizeof(*c.nat) )
        return liveupdate_refuse(v->domain, -EINVAL,
                                 "vCPU %u has a context of %u bytes",
                                 v->vcpu_id, r->nr);

    c.nat = alloc_vcpu_guest_context();
    if ( !c.nat )
        return -ENOMEM;
    memcpy(c.nat, lu_record_bytes(r), sizeof(*c.nat));

    for ( i = 0; i < ARRAY_SIZE(address_slots); i++ )
    {
        unsigned long *p = (void *)c.nat + address_slots[i].context;

        addresses[i] = *p;
        if ( !is_canonical_address(*p) )
            *p = 0;
    }

    rc = arch_set_info_guest(v, c);
    if ( rc )
        rc = liveupdate_refuse(v->domain, rc,
                               "vCPU %u does not accept its context", v->vcpu_id);
    else
    {
        for ( i = 0; i < ARRAY_SIZE(address_slots); i++ )
            *(unsigned long *)((void *)v + address_slots[i].vcpu) = addresses[i];
        /* Accepted once, even if the guest has changed CR4.DE since. */
        v->arch.dr7 = c.nat->debugreg[7];
        /* Says nothing of later on: the vCPU may go offline. */
        v->arch.pv.vgc_flags &= ~VGCF_online;
    }

    free_vcpu_guest_context(c.nat);

    return rc;
}

static int restore_vmce(struct vcpu *v, const struct lu_vcpu *rec)
{
    const struct hvm_vmce_vcpu ctxt = {
        .caps = rec->mcg_cap,
        .mci_ctl2_bank0 = rec->mci_ctl2[0],
        .mci_ctl2_bank1 = rec->mci_ctl2[1],
        .mcg_ext_ctl = rec->mcg_ext_ctl,
    };
    unsigned int i;

    if ( vmce_restore_vcpu(v, &ctxt) )
        return liveupdate_refuse(v->domain, -EOPNOTSUPP,
                                 "vCPU %u has machine check capabilities %#"PRIx64,
                                 v->vcpu_id, rec->mcg_cap);

    v->arch.vmce.mcg_status = rec->mcg_status;
    for ( i = 0; i < GUEST_MC_BANK_NUM; i++ )
    {
        v->arch.vmce.bank[i].mci_status = rec->mci_status[i];
        v->arch.vmce.bank[i].mci_addr = rec->mci_addr[i];
        v->arch.vmce.bank[i].mci_misc = rec->mci_misc[i];
    }

    return 0;
}

static void restore_exceptions(struct vcpu *v, const struct lu_vcpu *rec)
{
    v->arch.nmi_pending = rec->flags & LU_VCPU_NMI;
    v->arch.mce_pending = rec->flags & LU_VCPU_MCE;
    v->arch.async_exception_mask = mask_from_stream(rec->async_mask);
    v->arch.nmi_state.old_mask = mask_from_stream(rec->nmi_old_mask);
    v->arch.mce_state.old_mask = mask_from_stream(rec->mce_old_mask);

    if ( is_pv_vcpu(v) && (rec->flags & LU_VCPU_EXCEPTION) )
        v->arch.pv.trap_bounce = (struct trap_bounce){
            .eip = rec->exception_rip,
            .cs = rec->exception_cs,
            .error_code = rec->exception_errcode,
            .flags = TBF_EXCEPTION |
                     (rec->flags & LU_VCPU_EXCEPTION_ERRCODE
                      ? TBF_EXCEPTION_ERRCODE : 0) |
                     (rec->flags & LU_VCPU_EXCEPTION_MASKS ? TBF_INTERRUPT : 0),
        };
}

static void restore_pv(struct vcpu *v, const struct lu_vcpu *rec)
{
    struct pv_vcpu *pv = &v->arch.pv;

    /* In the context both halves of DR7 are one. */
    pv->dr7_emul = rec->dr7_emulated;
    v->arch.dr7 &= ~(unsigned long)rec->dr7_emulated;

    pv->syscall32_callback_eip = rec->syscall32_rip;
    pv->syscall32_callback_cs = rec->syscall32_cs;
    pv->syscall32_disables_events = rec->flags & LU_VCPU_SYSCALL32_MASKS;
    pv->sysenter_callback_eip = rec->sysenter_rip;
    pv->sysenter_callback_cs = rec->sysenter_cs;
    pv->sysenter_disables_events = rec->flags & LU_VCPU_SYSENTER_MASKS;
    pv->iobmp.p = (void *)rec->iobmp;
    pv->iobmp_nr = rec->iobmp_limit;
}

static int restore_registers(struct vcpu *v)
{
    const struct lu_record *r = lu_record_find_vcpu(&liveupdate_stream,
                                                    LU_REC_VCPU,
                                                    v->domain->domain_id,
                                                    v->vcpu_id);
    struct lu_vcpu rec;
    int rc;

    if ( !r )
        return liveupdate_refuse(v->domain, -ENODATA, "no registers of vCPU %u",
                                 v->vcpu_id);
    LU_FIXED(r, &rec);
    if ( rec.flags & ~LU_VCPU_ALL )
        return liveupdate_refuse(v->domain, -EOPNOTSUPP,
                                 "vCPU %u has unknown flags %#x", v->vcpu_id,
                                 rec.flags & ~LU_VCPU_ALL);

    if ( is_pv_vcpu(v) )
    {
        if ( (rec.flags & LU_VCPU_INITIALISED) && (rc = restore_context(v, r)) )
            return rc;
        restore_pv(v, &rec);
    }

    restore_exceptions(v, &rec);

    return restore_vmce(v, &rec);
}

static struct page_info *own_page(const struct domain *d, uint64_t mfn)
{
    struct page_info *pg = mfn_valid(_mfn(mfn)) ? mfn_to_page(_mfn(mfn)) : NULL;

    return pg && page_get_owner(pg) == d ? pg : NULL;
}

/* After the registers: what sets them would begin by tearing it down. */
static int restore_old_table(struct vcpu *v)
{
    const struct domain *d = v->domain;
    const struct lu_record *r = lu_record_find_vcpu(&liveupdate_stream,
                                                    LU_REC_OLD_TABLE,
                                                    d->domain_id, v->vcpu_id);
    struct page_info *table, *parent = NULL;
    struct lu_old_table rec;

    if ( !r )
        return 0;
    LU_FIXED(r, &rec);

    table = own_page(d, rec.mfn);
    if ( rec.parent_mfn )
        parent = own_page(d, rec.parent_mfn);
    if ( !is_pv_domain(d) || !table || !parent != !rec.parent_mfn ||
         rec.partial > 1 )
        return liveupdate_refuse(d, -EINVAL,
                                 "vCPU %u cannot go on tearing down frame %#"PRIx64,
                                 v->vcpu_id, rec.mfn);

    v->arch.old_guest_table = table;
    v->arch.old_guest_ptpg = parent;
    v->arch.old_guest_table_partial = rec.partial;

    return 0;
}

/* After the registers, whose context sets the legacy part of the area. */
static int restore_xstate(struct vcpu *v)
{
    const struct lu_record *r = lu_record_find_vcpu(&liveupdate_stream,
                                                    LU_REC_XSTATE,
                                                    v->domain->domain_id,
                                                    v->vcpu_id);
    const struct xsave_struct *area;
    struct lu_xstate rec;
    int rc;

    if ( !r )
        return 0;

    if ( !cpu_has_xsave )
        return liveupdate_refuse(v->domain, -EOPNOTSUPP,
                                 "vCPU %u has extended state, this Xen does without XSAVE",
                                 v->vcpu_id);

    LU_FIXED(r, &rec);
    area = lu_record_bytes(r);

    /* Xen itself saves FP and SSE whether or not the guest has enabled them. */
    rc = -EINVAL;
    if ( r->nr >= XSTATE_AREA_MIN_SIZE )
        rc = validate_xstate(v->domain, rec.xcr0,
                             rec.xcr0_accum | XSTATE_FP_SSE, &area->xsave_hdr);
    if ( !rc && r->nr != xstate_uncompressed_size(rec.xcr0_accum) )
        rc = -EINVAL;
    if ( rc )
        return liveupdate_refuse(v->domain, rc,
                                 "vCPU %u has %u bytes of extended state %#"PRIx64"/%#"PRIx64,
                                 v->vcpu_id, r->nr, rec.xcr0, rec.xcr0_accum);

    v->arch.xcr0 = rec.xcr0;
    v->arch.xcr0_accum = rec.xcr0_accum;
    v->arch.nonlazy_xstate_used = rec.xcr0_accum & XSTATE_NONLAZY;
    compress_xsave_states(v, area, r->nr);

    return 0;
}

static int restore_msrs(struct vcpu *v)
{
    const struct lu_record *r = lu_record_find_vcpu(&liveupdate_stream,
                                                    LU_REC_VCPU_MSRS,
                                                    v->domain->domain_id,
                                                    v->vcpu_id);
    unsigned int i, j;

    if ( !r )
        return liveupdate_refuse(v->domain, -ENODATA, "no MSRs of vCPU %u",
                                 v->vcpu_id);

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_vcpu_msrs_entry e;

        LU_ENTRY(r, i, &e);

        for ( j = 0; j < ARRAY_SIZE(msr_slots); j++ )
            if ( msr_slots[j].index == e.index )
                break;
        if ( j == ARRAY_SIZE(msr_slots) ||
             (msr_slots[j].size == 4 && e.value != (uint32_t)e.value) )
            return liveupdate_refuse(v->domain, -EOPNOTSUPP,
                                     "vCPU %u has MSR %#x = %#"PRIx64,
                                     v->vcpu_id, e.index, e.value);

        memcpy((void *)v->arch.msrs + msr_slots[j].offset, &e.value,
               msr_slots[j].size);
    }

    return 0;
}

static int cf_check vcpu_plan(struct domain *d)
{
    struct vcpu *v;

    for_each_vcpu ( d, v )
    {
        int rc = restore_registers(v) ?: restore_old_table(v) ?:
                 restore_xstate(v) ?: restore_msrs(v);

        if ( rc )
            return rc;
    }

    return 0;
}

const struct liveupdate_resource liveupdate_res_vcpu = {
    .name = "vcpu",
    .quiesce = vcpu_quiesce,
    .refs = vcpu_refs,
    .save = vcpu_save,
    .plan = vcpu_plan,
};
