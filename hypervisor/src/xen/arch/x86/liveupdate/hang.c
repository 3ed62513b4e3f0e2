/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: a target that hangs before it commits.
 *
 * The handover page says by when (TSC) the source expects the target to have
 * committed.  After that another CPU sends an NMI to the one that boots: one that
 * still waits in the source's park(), or, once the target has started it, one
 * that executes the target's idle loop.  To the target an NMI at that time means
 * that somebody has waited too long, and it goes back (back.c).  While the only other
 * CPU is being started, the boot CPU, which waits for it, looks at the clock itself.
 *
 * So this needs a second CPU.  It does not help if the boot CPU takes no NMI, or
 * none that ends well: in its first instructions, or after a triple fault.
 */

#include <xen/cpu.h>
#include <xen/delay.h>
#include <xen/init.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/param.h>
#include <xen/smp.h>
#include <xen/timer.h>

#include <asm/apic.h>
#include <asm/liveupdate-compat.h>
#include <asm/msr.h>
#include <asm/nmi.h>
#include <asm/processor.h>
#include <asm/time.h>

#include <xen-liveupdate/handover.h>

/* liveupdate-timeout=<seconds>: for the target's boot; 0: no end. */
static unsigned int __read_mostly opt_timeout = 30;
integer_param("liveupdate-timeout", opt_timeout);

/* From one NMI to the next, should the first have come to nothing. */
#define PERIOD MILLISECS(100)

/* TSC; 0: there is none. */
static uint64_t __read_mostly deadline;

static bool is_late(void)
{
    uint64_t when = read_atomic(&deadline);

    return when && rdtsc() >= when;
}

/* For another CPU, whose TSC may be ahead of the boot CPU's. */
static bool is_late_for_all(void)
{
    uint64_t when = read_atomic(&deadline);

    return when && rdtsc() >= when + cpu_khz;
}

static void wake_boot_cpu(void)
{
    unsigned long flags;

    local_irq_save(flags);
    apic_icr_write(APIC_DM_NMI | APIC_DEST_PHYSICAL, cpu_physical_id(0));
    local_irq_restore(flags);
}

/*
 * Source.
 */

/* Just before the jump.  Returns what the target has to know. */
uint64_t liveupdate_hang_begin(void)
{
    uint64_t when = 0;

    if ( opt_timeout && cpu_has_apic && num_online_cpus() > 1 )
        when = rdtsc() + (uint64_t)opt_timeout * cpu_khz * 1000;

    write_atomic(&deadline, when);

    return when;
}

/* A parked CPU, again and again. */
void liveupdate_hang_watch(void)
{
    static uint64_t last;
    uint64_t before = read_atomic(&last), now = rdtsc();

    if ( is_late_for_all() &&
         now - before > (uint64_t)cpu_khz * (PERIOD / MILLISECS(1)) &&
         cmpxchg(&last, before, now) == before )
        wake_boot_cpu();
}

static int cf_check came_too_late(const struct cpu_user_regs *regs, int cpu)
{
    return !cpu;
}

/* The target came back.  NMIs are still blocked, and one may be on its way. */
void liveupdate_hang_end(void)
{
    if ( is_late() )
        set_nmi_callback(came_too_late);
    write_atomic(&deadline, 0);
}

/* It has come by now. */
void liveupdate_hang_settled(void)
{
    if ( !smp_processor_id() )
        unset_nmi_callback();
}

/*
 * Target.
 */

static struct timer watch;

static void give_up(void)
{
    if ( !liveupdate_can_go_back() )
        return;

    liveupdate_refuse(NULL, -ETIMEDOUT,
                      "took longer than the source waits (liveupdate-timeout)");
    panic("liveupdate: hangs\n");
}

/* Earlier ones are anybody's. */
static int cf_check target_is_late(const struct cpu_user_regs *regs, int cpu)
{
    if ( cpu || !is_late() )
        return 0;

    give_up();

    return 1;
}

void __init liveupdate_hang_learn(const struct lu_handover *h)
{
    deadline = h->deadline;
    if ( deadline )
        set_nmi_callback(target_is_late);
}

static void cf_check look(void *unused)
{
    if ( is_late_for_all() )
    {
        if ( smp_processor_id() )
            wake_boot_cpu();
        else
            give_up();
    }
    set_timer(&watch, NOW() + PERIOD);
}

/* Another CPU's timer, if there is one. */
static void move_watch(void)
{
    unsigned int cpu = cpumask_next(0, &cpu_online_map);

    if ( watch.function && cpu < nr_cpu_ids )
        migrate_timer(&watch, cpu);
}

static int cf_check cpu_callback(struct notifier_block *nfb,
                                 unsigned long action, void *hcpu)
{
    if ( action == CPU_ONLINE )
        move_watch();

    return NOTIFY_DONE;
}

static struct notifier_block cpu_nfb = {
    .notifier_call = cpu_callback,
};

/* No other CPU has been started so far. */
static int __init cf_check start_watch(void)
{
    if ( deadline )
    {
        init_timer(&watch, look, NULL, 0);
        look(NULL);
        register_cpu_notifier(&cpu_nfb);
    }

    return 0;
}
presmp_initcall(start_watch);

/* Those that are to be offline are so again, perhaps the one that was chosen. */
static int __init cf_check choose_again(void)
{
    move_watch();

    return 0;
}
__initcall(choose_again);

/* This Xen commits: there is no way back any more. */
void __init liveupdate_hang_over(void)
{
    if ( !deadline )
        return;

    if ( watch.function )
        kill_timer(&watch);
    /* One may be on its way. */
    if ( is_late() )
        udelay(100);
    deadline = 0;
    unset_nmi_callback();
}
