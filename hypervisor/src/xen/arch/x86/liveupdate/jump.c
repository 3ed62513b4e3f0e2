/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: holding CPUs, parking them, and the jump.
 *
 * This is not the path of an ordinary kexec: smp_send_stop() ends in
 * fixup_irqs(), disable_IO_APIC() and disable_local_APIC(), which throw away
 * what is pending and change the APIC's mode.  Here every CPU is first held in
 * a loop with interrupts off (and can still be let go); then each one notes its
 * pending interrupts and is stopped by an INIT, and the boot CPU jumps with its
 * local APIC as it is: what arrives from now on stays latched there.
 *
 * From the last instruction here to the target's own IDT, each step, what must
 * hold and why it does: docs/handover.md, "The jump, instruction by instruction".
 */

#include <xen/acpi.h>
#include <xen/cpumask.h>
#include <xen/delay.h>
#include <xen/domain_page.h>
#include <xen/irq.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/smp.h>
#include <xen/spinlock.h>
#include <xen/tasklet.h>
#include <xen/version.h>
#include <xen/watchdog.h>

#include <asm/apic.h>
#include <asm/hvm/support.h>
#include <asm/liveupdate-back.h>
#include <asm/liveupdate-compat.h>
#include <asm/liveupdate-efi.h>
#include <asm/liveupdate-irq.h>
#include <asm/msr.h>
#include <asm/nmi.h>
#include <asm/processor.h>
#include <asm/setup.h>

#include <xen-liveupdate/stream.h>

#include "../cpu/mcheck/x86_mca.h"

#define HOLD_TIMEOUT MILLISECS(1000)

static enum { RELEASED, HELD, PARKED } command;
static cpumask_t held;
static atomic_t nr_parked;
/* Those of them that execute this Xen's code, since somebody has asked. */
static cpumask_t here;

/* For a CPU to come back from the target by an NMI, or by a start of ours. */
#define COME_BACK_TIMEOUT MILLISECS(500)

/*
 * No NMI from a source that can be masked: the watchdog's counter, or a pin of
 * the local APIC.  The jump leaves Xen's IDT behind, and code of Xen's that an
 * NMI would wake a parked CPU in.  Who boots next sets them up as after a reset.
 */
static void mask_nmis(void)
{
    static const struct {
        unsigned int reg;
        int index;      /* Exists if the highest LVT is this one or above. */
    } lvts[] = {
        { APIC_LVT0, 0 },
        { APIC_LVT1, 0 },
        { APIC_LVTPC, 4 },
        { APIC_LVTTHMR, 5 },
        { APIC_CMCI, 6 },
    };
    unsigned int i;

    if ( !cpu_has_apic )
        return;

    for ( i = 0; i < ARRAY_SIZE(lvts); i++ )
    {
        uint32_t lvt;

        if ( get_maxlvt() < lvts[i].index )
            continue;

        lvt = apic_read(lvts[i].reg);
        if ( (lvt & APIC_DM_MASK) == APIC_DM_NMI )
            apic_write(lvts[i].reg, lvt | APIC_LVT_MASKED);
    }
}

unsigned int liveupdate_nr_cmci_banks(void)
{
    uint64_t cap;

    if ( !boot_cpu_has(X86_FEATURE_MCA) ||
         rdmsr_safe(MSR_IA32_MCG_CAP, cap) || !(cap & MCG_CMCI_P) )
        return 0;

    return cap & MCG_CAP_COUNT;
}

/*
 * Corrected machine checks and thermal events.  Neither INIT nor the jump takes
 * back what makes a bank raise an interrupt, and the boot CPU's local APIC keeps
 * its entries.  Who boots next would take such a bank for one that another CPU
 * looks after (do_cmci_discover()), such an entry for the firmware's.
 */
static void stop_mce_interrupts(void)
{
    static const struct {
        unsigned int reg;
        int index;
    } lvts[] = {
        { APIC_LVTTHMR, 5 },
        { APIC_CMCI, 6 },
    };
    unsigned int i, banks = liveupdate_nr_cmci_banks();
    uint64_t ctl2;

    for ( i = 0; cpu_has_apic && i < ARRAY_SIZE(lvts); i++ )
        if ( get_maxlvt() >= lvts[i].index &&
             (apic_read(lvts[i].reg) & APIC_DM_MASK) == APIC_DM_FIXED )
            apic_write(lvts[i].reg, APIC_LVT_MASKED);

    for ( i = 0; i < banks; i++ )
        if ( !rdmsr_safe(MSR_IA32_MCx_CTL2(i), ctl2) && (ctl2 & CMCI_EN) )
            wrmsrl(MSR_IA32_MCx_CTL2(i),
                   ctl2 & ~(CMCI_EN | CMCI_THRESHOLD_MASK));
}

/*
 * What Xen takes for granted when it boots a CPU, but neither INIT nor the jump
 * resets (Intel SDM vol. 3, "Processor State After Reset": INIT leaves MSRs as
 * they are): Xen remembers what it has written to these, from zero on.
 */
static void reset_msrs(void)
{
    ctxt_switch_levelling(NULL);
    wrmsr_tsc_aux(0);
    if ( boot_cpu_has(X86_FEATURE_IBRSB) || boot_cpu_has(X86_FEATURE_IBRS) )
        wrmsrl(MSR_SPEC_CTRL, 0);
}

/* What makes a CPU ready for whoever boots next. */
void liveupdate_leave_cpu(void)
{
    mask_nmis();
    stop_mce_interrupts();
    /* INIT is blocked in VMX operation, and with SVM while GIF is clear. */
    hvm_cpu_down();
    reset_msrs();
}

/*
 * Ready for an INIT, which comes from stop_cpu(), or from a target that starts
 * this CPU.  Returns if the target does not go through with it, be it that this
 * CPU has waited here, be it that it comes back from the target.
 */
static void park(void)
{
    struct liveupdate_context *ctx = liveupdate_back_note_cpu();
    unsigned int cpu = smp_processor_id();
    bool came_back;

    liveupdate_pending_fill(cpu);
    liveupdate_back_save_cpu();
    came_back = ctx && liveupdate_back_point(ctx);
    if ( !came_back )
    {
        liveupdate_leave_cpu();
        atomic_inc(&nr_parked);
    }

    while ( !ctx )
        halt();
    while ( read_atomic(&command) == PARKED )
    {
        if ( !cpumask_test_cpu(cpu, &here) )
            cpumask_set_cpu(cpu, &here);
        if ( !came_back )
            liveupdate_hang_watch();
        cpu_relax();
    }

    liveupdate_back_restore_cpu();
}

/*
 * In a tasklet, that is by the idle vCPU and outside of any lock: the CPU that
 * saves takes some of them.
 */
static void cf_check hold(void *unused)
{
    local_irq_disable();
    cpumask_set_cpu(smp_processor_id(), &held);

    while ( read_atomic(&command) == HELD )
        cpu_relax();

    if ( read_atomic(&command) == PARKED )
        park();

    cpumask_clear_cpu(smp_processor_id(), &held);
    local_irq_enable();
}

static DEFINE_PER_CPU(struct tasklet, hold_tasklet);

/* nr_cpu_ids: there is none. */
static unsigned int first_not_held(void)
{
    unsigned int cpu;

    for_each_online_cpu ( cpu )
        if ( cpu != smp_processor_id() && !cpumask_test_cpu(cpu, &held) )
            return cpu;

    return nr_cpu_ids;
}

int liveupdate_hold_cpus(void)
{
    unsigned int cpu, late;
    s_time_t deadline = NOW() + HOLD_TIMEOUT;

    ASSERT(!smp_processor_id());

    write_atomic(&command, HELD);
    cpumask_clear(&held);
    atomic_set(&nr_parked, 0);
    smp_wmb();

    for_each_online_cpu ( cpu )
    {
        struct tasklet *t = &per_cpu(hold_tasklet, cpu);

        if ( !cpu )
            continue;
        tasklet_init(t, hold, NULL);
        tasklet_schedule_on_cpu(t, cpu);
    }

    while ( (late = first_not_held()) < nr_cpu_ids )
    {
        if ( NOW() > deadline )
        {
            write_atomic(&command, RELEASED);
            for_each_online_cpu ( cpu )
                if ( cpu )
                    tasklet_kill(&per_cpu(hold_tasklet, cpu));
            return liveupdate_refuse(NULL, -ETIMEDOUT,
                                     "CPU %u could not be held", late);
        }
        cpu_relax();
    }

    /* No CPU will take a tick for a while. */
    watchdog_disable();
    local_irq_disable();
    /* Locks are taken with interrupts off from here on, by this CPU alone. */
    spin_debug_disable();

    return 0;
}

void liveupdate_release_cpus(void)
{
    s_time_t deadline = NOW() + HOLD_TIMEOUT;

    write_atomic(&command, RELEASED);
    while ( !cpumask_empty(&held) )
    {
        /* One that a target has taken with it. */
        if ( NOW() > deadline )
            panic("liveupdate: CPU %u has not come back\n", cpumask_first(&held));
        cpu_relax();
    }

    spin_debug_enable();
    local_irq_enable();
    watchdog_enable();
}

/*
 * A parked CPU that only halted would execute Xen's code again, after an SMI or
 * because the target never starts it.  By then something else is there.  In
 * wait-for-SIPI it executes nothing.  The same goes for one that is offline: it
 * halts, or waits for a write to a line of Xen's, in play_dead().
 * With a way back the source's code stays until the target commits: it is the
 * target that stops those which it has not started.
 */
void liveupdate_stop_cpu(uint32_t apic_id)
{
    s_time_t deadline = NOW() + MILLISECS(1);

    apic_icr_write(APIC_INT_LEVELTRIG | APIC_INT_ASSERT | APIC_DM_INIT,
                   apic_id);
    /* There is no such bit in x2APIC mode. */
    while ( !x2apic_enabled && (apic_read(APIC_ICR) & APIC_ICR_BUSY) &&
            NOW() < deadline )
        cpu_relax();
}

/* Those that are offline; with @held_too, all but this one. */
void liveupdate_stop_cpus(bool held_too)
{
    unsigned int cpu;

    for_each_present_cpu ( cpu )
        if ( cpu && cpu_physical_id(cpu) != BAD_APICID &&
             (held_too || !cpu_online(cpu)) )
            liveupdate_stop_cpu(cpu_physical_id(cpu));
}

static bool is_here(unsigned int cpu)
{
    s_time_t deadline = NOW() + COME_BACK_TIMEOUT;

    while ( !cpumask_test_cpu(cpu, &here) )
    {
        if ( NOW() > deadline )
            return false;
        cpu_relax();
    }

    return true;
}

/*
 * The target came back.  CPUs that it had not started are here, and those that it
 * has called come.  One that it has begun to start, and that never came so far as
 * to take an NMI, does not: it is started once more, by ours.  All are stopped
 * before the first is started, as they may execute where that begins.
 */
void liveupdate_recall_cpus(void)
{
    static cpumask_t lost;
    unsigned int cpu;

    cpumask_clear(&here);
    cpumask_clear(&lost);
    smp_mb();

    for_each_cpu ( cpu, &held )
        if ( !is_here(cpu) )
            cpumask_set_cpu(cpu, &lost);

    for_each_cpu ( cpu, &lost )
        liveupdate_stop_cpu(cpu_physical_id(cpu));

    for_each_cpu ( cpu, &lost )
    {
        printk(XENLOG_WARNING
               "liveupdate: CPU %u was left behind by the target, and starts again\n",
               cpu);
        liveupdate_back_start_cpu(cpu);
        /* What waits for it in vain is liveupdate_release_cpus(). */
        if ( !is_here(cpu) )
            liveupdate_stop_cpu(cpu_physical_id(cpu));
    }
}

void liveupdate_park_cpus(void)
{
    unsigned int others = num_online_cpus() - 1;

    liveupdate_pending_steer();

    write_atomic(&command, PARKED);
    while ( atomic_read(&nr_parked) != others )
        cpu_relax();

    liveupdate_stop_cpus(!liveupdate_back_offered());

    liveupdate_pending_fill(smp_processor_id());
}

static struct kexec_image *jump_image;

static void noreturn leave(void)
{
    reset_msrs();

    kexecing = true;
    machine_kexec(jump_image);
    BUG();
}

static int cf_check leave_in_nmi(const struct cpu_user_regs *regs, int cpu)
{
    /* One jumps; another, should there be any that still takes an NMI, stays. */
    if ( cpu )
        return 1;

    leave();
}

/*
 * An NMI blocks further ones until the next IRET (Intel SDM vol. 3, "Handling
 * Multiple NMIs"; AMD APM vol. 2, "Non-Maskable Interrupt").  So the jump is
 * made by the handler of one that this CPU sends to itself: whatever NMI comes
 * then waits for the target, which has an IDT when it executes its first IRET.
 */
static void noreturn leave_with_nmis_blocked(void)
{
    s_time_t deadline = NOW() + MILLISECS(1);

    set_nmi_callback(leave_in_nmi);
    self_nmi();
    while ( NOW() < deadline )
        cpu_relax();

    /* It does not come: no reason to stay. */
    leave();
}

int liveupdate_jump(struct kexec_image *image,
                    const struct lu_extent *extents, unsigned int nr_extents,
                    uint64_t stream_len)
{
    struct liveupdate_context *ctx = liveupdate_back_note_cpu();
    const struct liveupdate_report *rep = &liveupdate_report;
    const struct lu_stream_header *hdr = mfn_to_virt(extents[0].mfn);
    struct lu_handover *h;
    paddr_t start;
    uint64_t size;
    bool in_place;

    if ( liveupdate_next_slot(&start, &size, &in_place) )
        BUG();

    h = maddr_to_virt(start);
    memset(h, 0, PAGE_SIZE);
    *h = (struct lu_handover){
        .magic = LU_HANDOVER_MAGIC,
        .format = LU_FORMAT_VERSION,
        .nr_extents = nr_extents,
        .stream_len = stream_len,
        .stream_crc = hdr->header_crc,
        .generation = liveupdate_region.generation + 1,
        .slot_start = start,
        .slot_size = size,
        .region_start = liveupdate_region.start,
        .region_size = liveupdate_region.size,
        .nr_slots = liveupdate_region.nr_slots,
        .save_start = rep->phase_start[LU_PHASE_save],
        .verify_start = rep->phase_start[LU_PHASE_verify],
        .collect_start = rep->phase_start[LU_PHASE_collect],
        .rsdp = liveupdate_rsdp(),
    };
    if ( liveupdate_fault.phase > LU_PHASE_jump && !liveupdate_fault.hit )
    {
        h->fault_phase = liveupdate_fault.phase |
                         (liveupdate_fault.hang ? LU_FAULT_HANG : 0);
        h->fault_point = liveupdate_fault.resource;
        liveupdate_fault.hit++;
    }
    memcpy(h->extent, extents, nr_extents * sizeof(*extents));

    /* Xen hides the DMAR table from dom0; its successor wants to see it. */
    acpi_dmar_reinstate();
    liveupdate_back_save_cpu();
    mask_nmis();
    stop_mce_interrupts();
    hvm_cpu_down();
    h->way_back = liveupdate_back_save();
    if ( h->way_back )
        h->deadline = liveupdate_hang_begin();
    liveupdate_efi_prepare_jump();

    h->jump_start = NOW();
    h->crc = lu_crc32c(0, h, PAGE_SIZE);

    if ( ctx && liveupdate_back_point(ctx) )
        return liveupdate_back_restore(h);

    jump_image = image;
    if ( cpu_has_apic )
        leave_with_nmis_blocked();
    leave();
}
