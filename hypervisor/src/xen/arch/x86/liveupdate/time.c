/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: time.  Part of arch/x86/time.c.
 *
 * System time is a function of the TSC: a (TSC, system time) pair and a rate.
 * The source tells its pair and its rate; the target goes on with both, so that
 * the pause is neither lost nor counted twice, and NOW() is right from the
 * moment on at which the stream can be read: before the scheduler and the
 * timers start.  This needs a TSC that nobody writes in between.  A live-update
 * boot never does: whether it could be written, whether TSC_ADJUST is sane and
 * whether the CPUs' TSCs are in step is what the source found out, and INIT
 * changes none of it (Intel SDM vol. 3A, "Processor State After Reset").
 *
 * The platform timer is started anew, at the system time that the TSC gives.
 * Other CPUs take their clock from the boot CPU through the platform timer when
 * they come up, as in any boot.
 *
 * A boot also measures: the TSC against the platform timer (50 ms), the local
 * APIC's timer (50 ms), whether the timer interrupt arrives (100 ms), whether
 * TSCs warp (20 ms); and waits for the RTC (up to 1 s).  The host has not
 * changed: what the source measured is used, and taken as the truth, since
 * nothing else can be known without measuring again.  A platform timer that the
 * target cannot use is therefore no reason to give up: it uses the next best.
 *
 * Carried: system time and wall clock, frequencies and reliability of the TSC,
 * the time spent in the update itself.
 */

#include <xen/delay.h>
#include <xen/init.h>
#include <xen/liveupdate-core.h>

/* Target: what the source said. */
static struct lu_time __read_mostly source_time;

/* Frequencies, once measured: of the TSC, and of the local APIC's timer. */
static uint64_t __read_mostly tsc_hz;
static unsigned long __read_mostly apic_hz;

int64_t __read_mostly liveupdate_boot_ns;

/* Spent in liveupdate_ap_udelay(). */
static unsigned int ap_wait_us;

/* Attempts at routing the timer interrupt (io_apic.c). */
static unsigned int __read_mostly timer_irq_tries;

static const struct {
    unsigned int flag;
    unsigned int cap;
    const char *name;
} tsc_flag_caps[] = {
    { LU_TIME_TSC_CONSTANT, X86_FEATURE_CONSTANT_TSC, "constant" },
    { LU_TIME_TSC_NONSTOP,  X86_FEATURE_NONSTOP_TSC,  "nonstop" },
    { LU_TIME_TSC_RELIABLE, X86_FEATURE_TSC_RELIABLE, "reliable" },
};

/*
 * Source
 */

static int cf_check check_time(struct domain *d)
{
    /*
     * These are clocks of the Xen or Hyper-V below us, whose shared pages
     * would have to be handed over, too.
     */
    if ( !strcmp(plt_src.id, "xen") || !strcmp(plt_src.id, "hyperv") )
        return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                 "platform timer \"%s\" cannot be handed over",
                                 plt_src.id);

    return 0;
}

static int cf_check save_time(struct lu_writer *w, struct domain *d)
{
    const struct cpu_time *t = &this_cpu(cpu_time);
    struct lu_time *r = lu_record_begin(w, LU_REC_TIME, 0, 0);
    unsigned long flags;
    unsigned int i;

    if ( !r )
        return -ENOSPC;

    /* The CPU that saves is the one that jumps, and the target's boot CPU. */
    ASSERT(!smp_processor_id());

    local_irq_save(flags);
    r->tsc = rdtsc_ordered();
    r->stime = get_s_time_fixed(r->tsc);
    r->tsc_to_system_mul = t->tsc_scale.mul_frac;
    r->tsc_shift = t->tsc_scale.shift;
    local_irq_restore(flags);

    r->tsc_hz = tsc_hz;
    r->apic_hz = apic_hz;
    r->platform_hz = plt_src.frequency;
    strlcpy(r->platform, plt_src.id, sizeof(r->platform));
    liveupdate_wallclock_get(&r->wc_sec, &r->wc_nsec);

    for ( i = 0; i < ARRAY_SIZE(tsc_flag_caps); i++ )
        if ( boot_cpu_has(tsc_flag_caps[i].cap) )
            r->flags |= tsc_flag_caps[i].flag;
    if ( disable_tsc_sync )
        r->flags |= LU_TIME_TSC_READONLY;
    if ( timer_irq_tries == 1 )
        r->flags |= LU_TIME_IOAPIC_TIMER;

    lu_record_end(w);

    return 0;
}

/*
 * Target, in the order of its boot
 */

/* As soon as the stream can be read: NOW() is right from here on. */
void __init liveupdate_time_seed(void)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_TIME, LU_ANY_DOMID);
    struct cpu_time *t = &this_cpu(cpu_time);
    uint64_t tsc = rdtsc_ordered();

    if ( !r )
        panic("Live update: the stream does not tell the time\n");
    LU_FIXED(r, &source_time);
    source_time.platform[sizeof(source_time.platform) - 1] = '\0';
    if ( !source_time.tsc_hz || !source_time.tsc_to_system_mul )
        panic("Live update: the stream tells an impossible TSC frequency\n");

    t->tsc_scale.mul_frac = source_time.tsc_to_system_mul;
    t->tsc_scale.shift = (int8_t)source_time.tsc_shift;
    /*
     * A TSC that went back was reset on the way, against all rules.  The pause
     * is lost then, but time does not leap by centuries.
     */
    t->stamp.local_tsc = min(tsc, source_time.tsc);
    t->stamp.local_stime = source_time.stime;
    t->stamp.master_stime = source_time.stime;
}

/* early_time_init(), before it does anything. */
void __init liveupdate_time_prepare(void)
{
    unsigned int i;

    /* Where reset_percpu_time() starts from, for all CPUs. */
    boot_tsc_stamp = this_cpu(cpu_time).stamp.local_tsc;
    boot_stime = source_time.stime;

    /*
     * Have init_platform_timer() look for the source's timer first, whatever
     * the command line says; "tsc" is switched to once all CPUs are up.
     */
    strlcpy(opt_clocksource, source_time.platform, sizeof(opt_clocksource));

    for ( i = 0; i < ARRAY_SIZE(tsc_flag_caps); i++ )
        if ( !(source_time.flags & tsc_flag_caps[i].flag) )
            setup_clear_cpu_cap(tsc_flag_caps[i].cap);
        else if ( !boot_cpu_has(tsc_flag_caps[i].cap) )
            printk(XENLOG_WARNING "TSC is no longer taken to be %s\n",
                   tsc_flag_caps[i].name);

    /* See tsc_check_writability(). */
    if ( (source_time.flags & LU_TIME_TSC_READONLY) &&
         !boot_cpu_has(X86_FEATURE_NONSTOP_TSC) )
        cpuidle_disable_deep_cstate();

    /* CPU bring-up leaves the TSCs as they are; undone in plan_time(). */
    disable_tsc_sync = true;

    apic_hz = source_time.apic_hz;
}

/*
 * The platform timer goes on from here, at the system time that the TSC gives.
 * Nothing may come between the two readings: what does, the first calibration
 * takes for time that the TSC has missed, and system time leaps ahead by it
 * under the domains.  (In other boots there are none yet.)
 */
static void pair_up(void)
{
    unsigned long flags;
    uint64_t count, tsc;

    spin_lock_irqsave(&platform_timer_lock, flags);
    count = read_counter();
    tsc = rdtsc_ordered();
    plt_stamp64 += (count - plt_stamp) & plt_mask;
    plt_stamp = count;
    platform_timer_stamp = plt_stamp64;
    stime_platform_stamp = get_s_time_fixed(tsc);
    spin_unlock_irqrestore(&platform_timer_lock, flags);
}

void __init liveupdate_time_pair(void)
{
    if ( liveupdate_boot )
        pair_up();
}

/*
 * Source: a target that came back has set up the same timers.  System time is
 * the TSC's, which nobody has written.
 */
void liveupdate_restore_timers(void)
{
    preinit_pit();
    resume_platform_timer();
    if ( !_disable_pit_irq(false) )
        BUG();
    pair_up();
}

/* early_time_init(), when the platform timer is there; in any boot. */
void __init liveupdate_time_start(uint64_t hz)
{
    struct cpu_time *t = &this_cpu(cpu_time);

    tsc_hz = hz;
    if ( !liveupdate_boot )
        return;

    /* Calibration may have refined the rate; guests were told this one. */
    t->tsc_scale.mul_frac = source_time.tsc_to_system_mul;
    t->tsc_scale.shift = (int8_t)source_time.tsc_shift;

    liveupdate_time_pair();
    liveupdate_step(LU_STEP_time);

    liveupdate_wallclock_set(source_time.wc_sec, source_time.wc_nsec);

    if ( strcmp(source_time.platform, plt_src.id) &&
         strcmp(source_time.platform, "tsc") )
        printk(XENLOG_WARNING "Platform timer was \"%s\" before\n",
               source_time.platform);
}

/* calibrate_tsc(), init_pit() */
uint64_t __init liveupdate_tsc_hz(void)
{
    return source_time.tsc_hz;
}

/* calibrate_APIC_clock(): 0 if it has to be measured. */
unsigned long __init liveupdate_apic_hz(void)
{
    return apic_hz;
}

void __init liveupdate_apic_measured(unsigned long hz)
{
    apic_hz = hz;
}

/*
 * timer_irq_works(), before it tries: does it work for sure?  Only the first
 * way, the one that firmware describes, is remembered; what took several
 * attempts takes them again.
 */
bool __init liveupdate_timer_irq_works(void)
{
    return ++timer_irq_tries == 1 && liveupdate_boot &&
           (source_time.flags & LU_TIME_IOAPIC_TIMER);
}

/*
 * init_percpu_time(): TSC_ADJUST is as the source left it, and writing it would
 * move the TSC.  Remember it for CPUs that are added later.
 */
bool liveupdate_keep_tsc_adjust(void)
{
    if ( !liveupdate_restoring )
        return false;

    rdmsrl(MSR_IA32_TSC_ADJUST,
           tsc_adjust[cpu_to_socket(smp_processor_id())]);

    return true;
}

/*
 * CPU bring-up in xAPIC mode: waits around INIT and SIPI.  Only chips older than
 * long mode, and Pentium 4, need the long ones (Linux: smp_quirk_init_udelay());
 * in x2APIC mode there are none to begin with.
 */
void liveupdate_ap_udelay(unsigned int usecs)
{
    bool slow = boot_cpu_data.x86_vendor == X86_VENDOR_INTEL &&
                boot_cpu_data.x86 == 0xf;

    udelay(liveupdate_restoring && !slow ? min(usecs, 10U) : usecs);
    ap_wait_us += usecs;
}

/*
 * How long a part of this Xen's own boot took: from before the other CPUs come up to
 * the last initcall but for those behind this one, without the waits that a live update
 * spares itself.  The next Xen has the same to do, so that tells the tools what its
 * boot will cost here, which nothing that runs later resembles.
 */
static s_time_t __initdata boot_part_start;

static int __init cf_check boot_part_begin(void)
{
    boot_part_start = NOW();
    liveupdate_step(LU_STEP_cpus);

    return 0;
}
presmp_initcall(boot_part_begin);

static int __init cf_check boot_part_end(void)
{
    s_time_t spared = 0;

    if ( !liveupdate_boot )
    {
        spared = MICROSECS((s_time_t)ap_wait_us);
        if ( boot_cpu_has(X86_FEATURE_TSC_RELIABLE) )
            spared += MILLISECS(20); /* do TSCs warp? */
    }
    liveupdate_boot_ns = NOW() - boot_part_start - spared;
    liveupdate_step(LU_STEP_drivers);

    return 0;
}
__initcall(boot_part_end);

static int cf_check plan_time(struct domain *d)
{
    disable_tsc_sync = source_time.flags & LU_TIME_TSC_READONLY;

    return 0;
}

const struct liveupdate_resource liveupdate_res_time = {
    .name = "time",
    .host = true,
    .check = check_time,
    .save = save_time,
    .plan = plan_time,
};
