/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: the way back from a target that refuses.
 *
 * Until a target commits (liveupdate_take_over()) it has written to its slot and
 * to memory that was free, and the source, with all its domains, is where it was.
 * A target that cannot go on up to then, be it that it refuses or that it panics,
 * writes its verdict into the handover page, and every CPU that it runs on jumps
 * to the source's code.  There each CPU takes up what it was at, as if it came
 * out of S3 (one that the target has begun to start, and that cannot jump any more,
 * the source starts), and the source puts back what the target's boot has set
 * otherwise:
 *
 *   CPU       descriptor tables, control registers, MSRs, VMX and SVM
 *             local APIC, machine check banks, the NMI watchdog's counter
 *   host      IOMMUs, the trampoline below 1 MiB, UART, 8259A, I/O APICs, timers
 *   memory    what was free is no longer scrubbed
 *
 * Nothing was told to a domain or to its devices by then.  Interrupts that the
 * target has received in the meantime are given to the domains on suspicion.
 *
 * There is no way back if the target was put over the source (one slot), or if
 * the source uses CET.
 */

#include <xen/acpi.h>
#include <xen/cpu.h>
#include <xen/cpumask.h>
#include <xen/delay.h>
#include <xen/init.h>
#include <xen/iommu.h>
#include <xen/irq.h>
#include <xen/kexec.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/percpu.h>
#include <xen/serial.h>
#include <xen/smp.h>
#include <xen/softirq.h>

#include <asm/apic.h>
#include <asm/hvm/support.h>
#include <asm/io_apic.h>
#include <asm/liveupdate-back.h>
#include <asm/liveupdate-compat.h>
#include <asm/liveupdate-iommu.h>
#include <asm/liveupdate-irq.h>
#include <asm/msr.h>
#include <asm/nmi.h>
#include <asm/page.h>
#include <asm/processor.h>
#include <asm/setup.h>
#include <asm/spec_ctrl.h>
#include <asm/system.h>
#include <asm/xstate.h>

#include "../cpu/mcheck/mce.h"
#include "../cpu/mcheck/x86_mca.h"

#define IDENTITY_SIZE GB(4)

/*
 * Both sides: the first 4 GiB, mapped one to one.  It takes the place of what is
 * mapped below 512 GiB, which is the trampoline at most.
 */
static l3_pgentry_t __aligned(PAGE_SIZE) identity_l3[L3_PAGETABLE_ENTRIES];
static l2_pgentry_t __aligned(PAGE_SIZE)
    identity_l2[(IDENTITY_SIZE >> L3_PAGETABLE_SHIFT) * L2_PAGETABLE_ENTRIES];

static void map_identity(l4_pgentry_t *l4)
{
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE(identity_l2); i++ )
        identity_l2[i] = l2e_from_paddr((paddr_t)i << L2_PAGETABLE_SHIFT,
                                        __PAGE_HYPERVISOR | _PAGE_PSE);
    for ( i = 0; i < IDENTITY_SIZE >> L3_PAGETABLE_SHIFT; i++ )
        identity_l3[i] = l3e_from_paddr(
            virt_to_maddr(&identity_l2[i * L2_PAGETABLE_ENTRIES]),
            __PAGE_HYPERVISOR);
    l4[0] = l4e_from_paddr(virt_to_maddr(identity_l3), __PAGE_HYPERVISOR);
}

/*
 * Source: one CPU.
 */

struct liveupdate_context *liveupdate_contexts;
unsigned int liveupdate_nr_contexts;
uint32_t liveupdate_back_efer;
uint64_t liveupdate_back_cr3;

static l4_pgentry_t __aligned(PAGE_SIZE) back_l4[L4_PAGETABLE_ENTRIES];

void liveupdate_back_entry(void);

/* Registers of a local APIC that hold what Xen has set, in the order of writing. */
static const struct {
    unsigned int reg;
    int lvt;            /* exists if the highest LVT entry is this one or above */
    bool xapic;         /* not in x2APIC mode */
} apic_regs[] = {
    { APIC_DFR, 0, true },
    { APIC_LDR, 0, true },
    { APIC_TASKPRI, 0 },
    { APIC_SPIV, 0 },
    { APIC_LVT0, 0 },
    { APIC_LVT1, 0 },
    { APIC_LVTERR, 3 },
    { APIC_LVTPC, 4 },
    { APIC_LVTT, 0 },
    { APIC_TDCR, 0 },
    { APIC_CMCI, 6 },
};

#define MAX_BANKS 64

struct cpu_state {
    uint32_t apic[ARRAY_SIZE(apic_regs)];
    /* Machine check banks: what makes them raise an interrupt.  0: nothing. */
    uint64_t ctl2[MAX_BANKS];
};
static DEFINE_PER_CPU(struct cpu_state, saved);

static bool has_reg(unsigned int i)
{
    return get_maxlvt() >= apic_regs[i].lvt &&
           !(apic_regs[i].xapic && x2apic_enabled);
}

void liveupdate_back_save_cpu(void)
{
    unsigned int i, banks = liveupdate_nr_cmci_banks();

    for ( i = 0; cpu_has_apic && i < ARRAY_SIZE(apic_regs); i++ )
        if ( has_reg(i) )
            this_cpu(saved).apic[i] = apic_read(apic_regs[i].reg);

    for ( i = 0; i < MAX_BANKS; i++ )
        if ( i >= banks ||
             rdmsr_safe(MSR_IA32_MCx_CTL2(i), this_cpu(saved).ctl2[i]) )
            this_cpu(saved).ctl2[i] = 0;
}

/* Which CPU looks after which bank Xen remembers, and need not find out again. */
static void restore_cmci(void)
{
    unsigned int i;

    for ( i = 0; i < MAX_BANKS; i++ )
        if ( this_cpu(saved).ctl2[i] & CMCI_EN )
            wrmsr_safe(MSR_IA32_MCx_CTL2(i), this_cpu(saved).ctl2[i]);
}

static void restore_apic(void)
{
    unsigned int i;

    if ( !cpu_has_apic )
        return;

    for ( i = 0; i < ARRAY_SIZE(apic_regs); i++ )
        if ( has_reg(i) )
            apic_write(apic_regs[i].reg, this_cpu(saved).apic[i]);

    apic_write(APIC_ESR, 0);
    apic_read(APIC_ESR);
}

/* The register, whatever Xen believes that it has written there. */
static void restore_xstate(void)
{
    uint64_t xcr0 = get_xcr0();
    uint64_t other = LIVEUPDATE_XCR0_X87;

    if ( !cpu_has_xsave )
        return;

    if ( xcr0 == other )
        other |= X86_XCR0_SSE;
    if ( !set_xcr0(other) || !set_xcr0(xcr0) )
        BUG();
    if ( cpu_has_xsaves )
        wrmsrl(MSR_IA32_XSS, get_msr_xss());
}

/*
 * What the CPU lost, be it that it was somewhere else or that it was only made
 * ready to leave (jump.c).  With interrupts off.
 */
void liveupdate_back_restore_cpu(void)
{
    unsigned int cpu = smp_processor_id();
    struct cpu_info *info = get_cpu_info();

    /* It may have left by an NMI's handler. */
    nmi_count(cpu) = 0;

    if ( boot_cpu_has(X86_FEATURE_PAT) )
        wrmsrl(MSR_IA32_CR_PAT, XEN_MSR_PAT);
    restore_xstate();
    if ( boot_cpu_has(X86_FEATURE_IBRSB) || boot_cpu_has(X86_FEATURE_IBRS) )
    {
        wrmsrl(MSR_SPEC_CTRL, default_xen_spec_ctrl);
        info->last_spec_ctrl = default_xen_spec_ctrl;
    }
    percpu_traps_init();

    /* An INIT should leave the mode alone, but not each one does. */
    x2apic_ap_setup();
    restore_apic();
    /* Its counter may have gone over while nobody took the NMI. */
    if ( cpu_has_apic && nmi_watchdog == NMI_LOCAL_APIC )
        setup_apic_nmi_watchdog();
    liveupdate_forget_eois();
    restore_cmci();
    mcheck_init(&cpu_data[cpu], false);
    if ( hvm_cpu_up() )
        panic("liveupdate: CPU %u cannot go back to VMX or SVM\n", cpu);

    enable_nmis();
    liveupdate_hang_settled();

    raise_softirq(TIMER_SOFTIRQ);
}

/* The initial local APIC id: needs no mapping of the APIC's registers. */
static uint32_t my_apic_id(void)
{
    if ( cpuid_eax(0) >= 0xb && cpuid_count_ebx(0xb, 0) )
        return cpuid_edx(0xb);

    return cpuid_ebx(1) >> 24;
}

/* By which id the target knows this CPU, which may have come online only now. */
struct liveupdate_context *liveupdate_back_note_cpu(void)
{
    unsigned int cpu = smp_processor_id();

    if ( cpu >= liveupdate_nr_contexts )
        return NULL;
    liveupdate_contexts[cpu].apic_id = my_apic_id();

    return &liveupdate_contexts[cpu];
}

/*
 * Source: the host.
 */

static struct {
    paddr_t entry;              /* of liveupdate_back_entry() */
    unsigned int trampoline_size;
    void *page0;                /* a target's boot begins with a stack there */
    void *trampoline;
    uint64_t *mce_gates;        /* lower halves: machine_kexec() disarms them */
    void *units;                /* registers of IOMMUs */
} kept;

bool liveupdate_back_offered(void)
{
    return liveupdate_nr_contexts;
}

void liveupdate_back_forget(void)
{
    liveupdate_nr_contexts = 0;
    XFREE(liveupdate_contexts);
    free_xenheap_page(kept.page0);
    kept.page0 = NULL;
    XFREE(kept.trampoline);
    XFREE(kept.mce_gates);
    XFREE(kept.units);
}

/* With domains running.  Without memory, or with CET, there is no way back. */
void liveupdate_back_prepare(const struct kexec_image *image)
{
    const struct liveupdate_iommu *driver = liveupdate_iommu_driver();
    unsigned int cpu;

    liveupdate_back_forget();
    if ( !image || !liveupdate_image_in_place(image) ||
         (read_cr4() & X86_CR4_CET) ||
         virt_to_maddr(_end) > IDENTITY_SIZE )
        return;

    kept.entry = virt_to_maddr(liveupdate_back_entry);
    kept.trampoline_size = trampoline_end - trampoline_start;
    liveupdate_contexts = xzalloc_array(struct liveupdate_context, nr_cpu_ids);
    kept.page0 = alloc_xenheap_page();
    kept.trampoline = xmalloc_bytes(kept.trampoline_size);
    kept.mce_gates = xzalloc_array(uint64_t, nr_cpu_ids);
    if ( driver )
        kept.units = xzalloc_bytes(driver->state_size());
    if ( !liveupdate_contexts || !kept.page0 || !kept.trampoline ||
         !kept.mce_gates || (driver && !kept.units) )
    {
        printk(XENLOG_WARNING
               "liveupdate: no memory for the way back from a target that refuses\n");
        return;
    }

    for ( cpu = 0; cpu < nr_cpu_ids; cpu++ )
        liveupdate_contexts[cpu].apic_id = BAD_APICID;

    liveupdate_nr_contexts = nr_cpu_ids;
}

/* The last thing before the jump.  Returns what the target has to know. */
paddr_t liveupdate_back_save(void)
{
    unsigned int cpu;

    if ( !liveupdate_back_offered() )
        return 0;

    memcpy(kept.page0, maddr_to_virt(0), PAGE_SIZE);
    memcpy(kept.trampoline, maddr_to_virt(bootsym_phys(trampoline_start)),
           kept.trampoline_size);
    for ( cpu = 0; cpu < nr_cpu_ids; cpu++ )
        if ( idt_tables[cpu] )
            kept.mce_gates[cpu] = idt_tables[cpu][X86_EXC_MC].a;

    memcpy(back_l4, idle_pg_table, PAGE_SIZE);
    map_identity(back_l4);
    liveupdate_back_cr3 = virt_to_maddr(back_l4);
    liveupdate_back_efer = read_efer();

    if ( kept.units )
        liveupdate_iommu_driver()->keep_state(kept.units);
    ioapic_suspend();
    i8259A_suspend();

    return kept.entry;
}

/*
 * Another one, in wait-for-SIPI: it comes back as if it had jumped.  Where the
 * trampoline is going to be again its first instructions are put for this.
 */
void liveupdate_back_start_cpu(unsigned int cpu)
{
    const struct liveupdate_start_args args = {
        .cr3 = liveupdate_back_cr3,
        .efer = liveupdate_back_efer,
        .entry = kept.entry,
        /* CPUID's, which is not always what the APIC answers to. */
        .apic_id = liveupdate_contexts[cpu].apic_id,
    };
    paddr_t where = bootsym_phys(trampoline_start);
    char *page = maddr_to_virt(where);
    unsigned int i;

    memcpy(page, liveupdate_back_start,
           liveupdate_back_start_end - liveupdate_back_start);
    memcpy(page + (liveupdate_back_start_args - liveupdate_back_start), &args,
           sizeof(args));
    smp_wmb();

    /* Intel SDM vol. 3, "MP Initialization Protocol Algorithm for MP Systems". */
    mdelay(10);
    for ( i = 0; i < 2; i++ )
    {
        apic_icr_write(APIC_DM_STARTUP | PFN_DOWN(where), cpu_physical_id(cpu));
        udelay(200);
    }
}

static void restore_host(void)
{
    unsigned int cpu;

    kexecing = false;
    for ( cpu = 0; cpu < nr_cpu_ids; cpu++ )
        if ( idt_tables[cpu] )
            idt_tables[cpu][X86_EXC_MC].a = kept.mce_gates[cpu];

    memcpy(maddr_to_virt(0), kept.page0, PAGE_SIZE);
    memcpy(maddr_to_virt(bootsym_phys(trampoline_start)), kept.trampoline,
           kept.trampoline_size);
    acpi_dmar_zap();

    /* The target has had free memory, and leaves it as it is. */
    liveupdate_dirty_heap();
}

/* What the target has printed, line by line. */
static void print_log(const char *log)
{
    while ( *log )
    {
        const char *end = strchr(log, '\n') ?: log + strlen(log);

        printk("liveupdate: target: %.*s\n", (int)(end - log), log);
        log = end + !!*end;
    }
}

/* CPU 0, and the others still held.  Says why the target came back. */
int liveupdate_back_restore(const struct lu_handover *h)
{
    const struct lu_return *v = (const void *)h + LU_RETURN_OFFSET;
    struct lu_return verdict = *v;
    unsigned int i;

    liveupdate_report.returned = true;

    /* Not the one that jumps. */
    unset_nmi_callback();
    liveupdate_hang_end();
    liveupdate_recall_cpus();
    restore_host();
    liveupdate_back_restore_cpu();
    /* Those that the target has taken down again sit in its code. */
    liveupdate_stop_cpus(false);

    /* Before the I/O APICs, whose entries name those of our tables. */
    if ( kept.units )
        liveupdate_iommu_driver()->take_back(kept.units);
    ioapic_resume();
    i8259A_resume();
    liveupdate_restore_timers();
    serial_resume();
    liveupdate_delay_watchdogs();
    liveupdate_finish_moves();
    liveupdate_suspect_irqs();

    if ( verdict.magic != LU_RETURN_MAGIC )
    {
        liveupdate_at(NULL, DOMID_INVALID);
        return liveupdate_refuse(NULL, -EIO, "the target came back without a word");
    }

    verdict.resource[sizeof(verdict.resource) - 1] = '\0';
    verdict.reason[sizeof(verdict.reason) - 1] = '\0';
    verdict.log[min_t(unsigned int, verdict.log_len,
                      sizeof(verdict.log) - 1)] = '\0';

    for ( i = 0; liveupdate_resources[i]; i++ )
        if ( !strcmp(liveupdate_resources[i]->name, verdict.resource) )
            break;
    liveupdate_at(liveupdate_resources[i],
                  verdict.domid < DOMID_FIRST_RESERVED ? verdict.domid
                                                       : DOMID_INVALID);
    liveupdate_report.phase = verdict.phase < LU_PHASE_nr ? verdict.phase
                                                          : LU_PHASE_adopt;
    print_log(verdict.log);

    return liveupdate_refuse(NULL, verdict.error && verdict.error < 4096
                                   ? -(int)verdict.error : -EIO,
                             "%s", verdict.reason);
}

/*
 * Target.
 */

const char *const liveupdate_step_names[LU_STEP_nr] = {
    [LU_STEP_handover] = "handover",
    [LU_STEP_memory] = "memory",
    [LU_STEP_stream] = "stream",
    [LU_STEP_adopted] = "adopted",
    [LU_STEP_heap] = "heap",
    [LU_STEP_m2p] = "m2p",
    [LU_STEP_time] = "time",
    [LU_STEP_apic] = "apic",
    [LU_STEP_unit] = "unit",
    [LU_STEP_cpus] = "cpus",
    [LU_STEP_start] = "start",
    [LU_STEP_ap] = "ap",
    [LU_STEP_drivers] = "drivers",
};

bool liveupdate_step_exists(unsigned int step)
{
    return step < LU_STEP_nr && (step != LU_STEP_unit || iommu_enabled) &&
           ((step != LU_STEP_start && step != LU_STEP_ap) ||
            num_online_cpus() > 1);
}

static bool fails_at(enum liveupdate_step step)
{
#ifndef NDEBUG
    return liveupdate_restoring && liveupdate_fault.phase == LU_PHASE_adopt &&
           liveupdate_fault.resource == step;
#else
    return false;
#endif
}

void liveupdate_step(enum liveupdate_step step)
{
    if ( fails_at(step) )
    {
        while ( liveupdate_fault.hang )
            cpu_relax();
        panic("liveupdate: injected fault, step %s\n",
              liveupdate_step_names[step]);
    }
}

/* The CPU that is being started. */
static unsigned int starting = NR_CPUS;

static int cf_check cpu_callback(struct notifier_block *nfb,
                                 unsigned long action, void *hcpu)
{
    /* cli; 1: hlt; jmp 1b */
    static const uint8_t stay_here[] = { 0xfa, 0xf4, 0xeb, 0xfd };

    switch ( action )
    {
    case CPU_UP_PREPARE:
        starting = (unsigned long)hcpu;
        if ( fails_at(LU_STEP_start) )
            memcpy(maddr_to_virt(bootsym_phys(trampoline_realmode_entry)),
                   stay_here, sizeof(stay_here));
        break;

    case CPU_STARTING:
        liveupdate_step(LU_STEP_ap);
        break;

    case CPU_UP_CANCELED:
        liveupdate_step(LU_STEP_start);
        /* fallthrough */
    case CPU_ONLINE:
        starting = NR_CPUS;
        break;
    }

    return NOTIFY_DONE;
}

static struct notifier_block cpu_nfb = {
    .notifier_call = cpu_callback,
};

static int __init cf_check watch_cpus(void)
{
    if ( liveupdate_boot )
        register_cpu_notifier(&cpu_nfb);

    return 0;
}
presmp_initcall(watch_cpus);

static paddr_t __read_mostly back_entry;    /* of the source */
static enum { NO_WAY, MAY_GO_BACK, GOING_BACK } back_state;
static struct lu_handover *__read_mostly page;  /* at its machine address */
static bool __read_mostly apic_is_ours;         /* and the CPU's MSRs */

void __init liveupdate_back_learn(const struct lu_handover *h)
{
    back_entry = h->way_back;
    back_state = back_entry ? MAY_GO_BACK : NO_WAY;
    page = (void *)h->slot_start;
    liveupdate_fault.phase = h->fault_phase & ~LU_FAULT_HANG;
    liveupdate_fault.hang = h->fault_phase & LU_FAULT_HANG;
    liveupdate_fault.resource = h->fault_point;
    liveupdate_hang_learn(h);
    liveupdate_step(LU_STEP_handover);
}

/* setup_local_APIC() of the boot CPU. */
void liveupdate_back_apic(void)
{
    apic_is_ours = true;
    liveupdate_step(LU_STEP_apic);
}

bool liveupdate_can_go_back(void)
{
    return read_atomic(&back_state) != NO_WAY;
}

/*
 * From here on there is no way back.  CPUs that this Xen has not started still
 * execute the source's code.
 */
void __init liveupdate_take_over(void)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_PENDING, LU_ANY_DOMID);
    unsigned int i, cpu;

    switch ( cmpxchg(&back_state, MAY_GO_BACK, NO_WAY) )
    {
    case NO_WAY:
        return;

    case GOING_BACK:
        /* Another CPU failed, and its NMI is on the way. */
        for ( ; ; )
            cpu_relax();

    default:
        break;
    }

    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_pending_entry e;

        LU_ENTRY(r, i, &e);
        for_each_online_cpu ( cpu )
            if ( cpu_physical_id(cpu) == e.apic_id )
                break;
        if ( cpu >= nr_cpu_ids )
            liveupdate_stop_cpu(e.apic_id);
    }
    liveupdate_hang_over();
}

static void noreturn leave(void)
{
    local_irq_disable();
    if ( apic_is_ours )
        liveupdate_leave_cpu();

    if ( read_cr4() & X86_CR4_CET )
    {
        wrmsrl(MSR_S_CET, 0);
        write_cr4(read_cr4() & ~X86_CR4_CET);
    }

    asm volatile ( "mov %[cr4], %%cr4\n\t"
                   "mov %[cr3], %%cr3\n\t"
                   "jmp *%[entry]"
                   :: [cr4] "r" (X86_CR4_PAE + 0UL),
                      [cr3] "r" (virt_to_maddr(idle_pg_table)),
                      [entry] "r" (back_entry),
                      "D" (my_apic_id())
                   : "memory" );
    unreachable();
}

static int cf_check leave_in_nmi(const struct cpu_user_regs *regs, int cpu)
{
    leave();
}

/*
 * The others, by an NMI.  One that is being started takes it once it has its IDT;
 * before that it is not in VMX operation, and the source can start it by an INIT.
 */
static void call_others(void)
{
    unsigned int cpu = starting, self = smp_processor_id();
    bool not_yet_online = cpu < nr_cpu_ids && cpu != self &&
                          !cpu_online(cpu) && cpu_data[cpu].x86;

    /* This one may not be online yet. */
    if ( !not_yet_online &&
         cpumask_subset(&cpu_online_map, cpumask_of(self)) )
        return;

    set_nmi_callback(leave_in_nmi);
    smp_wmb();
    smp_send_nmi_allbutself();

    if ( not_yet_online )
    {
        apic_wait_icr_idle();
        apic_icr_write(APIC_DM_NMI | APIC_DEST_PHYSICAL, cpu_physical_id(cpu));
    }
}

/* What panic() was called with, in a line. */
static void format_reason(char *buf, size_t size, const char *fmt, va_list args)
{
    static const char prefix[] = "liveupdate: ";
    char *end;
    va_list copy;

    if ( !strncmp(fmt, prefix, strlen(prefix)) )
        fmt += strlen(prefix);

    va_copy(copy, args);
    vsnprintf(buf, size, fmt, copy);
    va_end(copy);

    end = strchr(buf, '\n');
    if ( end )
        *end = '\0';
}

/* panic(): goes back to the source, if there is a way. */
void liveupdate_go_back(const char *fmt, va_list args)
{
    const struct liveupdate_report *rep = &liveupdate_report;
    struct lu_return *v = (void *)page + LU_RETURN_OFFSET;

    switch ( cmpxchg(&back_state, MAY_GO_BACK, GOING_BACK) )
    {
    case NO_WAY:
        return;

    case GOING_BACK:
        /* Another CPU is at it, and its NMI on the way; or this very code failed. */
        local_irq_disable();
        for ( ; ; )
            cpu_relax();

    default:
        break;
    }

    local_irq_disable();

    map_identity(idle_pg_table);
    write_cr3(virt_to_maddr(idle_pg_table));

    memset(v, 0, sizeof(*v));
    v->phase = rep->phase == LU_PHASE_idle ? LU_PHASE_adopt : rep->phase;
    v->domid = XEN_LIVEUPDATE_NO_DOMAIN;
    v->error = EIO;
    if ( rep->reason[0] )
    {
        v->error = -rep->error;
        if ( rep->domid != DOMID_INVALID )
            v->domid = rep->domid;
        if ( rep->resource )
            strlcpy(v->resource, rep->resource->name, sizeof(v->resource));
        strlcpy(v->reason, rep->reason, sizeof(v->reason));
    }
    else
        format_reason(v->reason, sizeof(v->reason), fmt, args);
    v->log_len = liveupdate_console_tail(v->log, sizeof(v->log));
    smp_wmb();
    v->magic = LU_RETURN_MAGIC;

    call_others();
    leave();
}
