/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest brings itself into a state that Xen accepts by one way and would refuse by another. */
/* guest: vcpus=2 */
/* cases: STACK:pv HALF:pv USER:pv TIMERS INFO32:pvh CR0:pvh CR3:pvh LMA:pvh GFN:pvh */
#ifdef PV
#include "../lib/pv.h"
#else
#include "../lib/pvh.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#endif

enum {
    STACK,  /* the kernel's stack is at a non-canonical address */
    HALF,   /* a vCPU whose initialisation has failed: its page table is none */
    USER,   /* the same with a page table that is one, but none for processes; more than once */
    TIMERS, /* timers at the end of time, and in the past */
    INFO32, /* vcpu_info where only 32-bit guests may have it, in a guest that is in 64-bit mode */
    CR0,    /* a vCPU, not brought up, with bits in CR0 that are reserved */
    CR3,    /* the same, CR3 beyond what the CPU has of addresses */
    LMA,    /* the same, in long mode without paging */
    GFN,    /* a page far behind all memory: tables for AMD's CPUs have it where page is */
};

#define FAR_ADDRESS  0x8000000000000000UL
#define END_OF_TIME  (~0UL >> 1)
#define CODE_ACCESS  0xc9b /* 32 bits, 4 KiB units, present, accessed */
#define DATA_ACCESS  0xc93
#define TSS_ACCESS   0x8b
#define CR0_PE_ET_PG 0x80000011UL
#define CR4_PAE      0x20
#define EFER_LME     0x100
#define EFER_LMA     0x400
#define FAR_GFN      (1UL << 59)
#define XEN_EINVAL   22

#ifdef PV
static char page[PAGE_SIZE] page_aligned;

/* Xen keeps what it has done so far, and takes the vCPU for one in reset. */
static void init_half(void)
{
    static struct vcpu_guest_context c;
    unsigned long none = mfn_of(page);
    long rc;

    c.flags = VGCF_IN_KERNEL;
    c.kernel_ss = FLAT_KERNEL_SS;
    c.user_regs.cs = FLAT_KERNEL_CS;
    c.user_regs.ss = FLAT_KERNEL_SS;
    c.ctrlreg[3] = xen_pfn_to_cr3(CASE == HALF ? none : mfn_of(top_table()));
    c.ctrlreg[1] = xen_pfn_to_cr3(none);
    rc = hypercall(vcpu_op, VCPUOP_initialise, 1, &c);
    require(rc < 0, "a page that is writable is taken for a page table: %ld", rc);
}

static void go_odd(void)
{
    long rc;

    if (CASE != STACK) {
        init_half();
        /* Xen forgot that it had a page table already, and the domain could never go. */
        if (CASE == USER)
            init_half();
        return;
    }
    rc = hypercall(stack_switch, FLAT_KERNEL_SS, FAR_ADDRESS);
    require(!rc, "stack_switch: %ld", rc);
}
#else
static char page[PAGE_SIZE] page_aligned;

/*
 * Makes a hypercall of two arguments in 32-bit mode, by a code segment for it. All that it touches is below 4 GiB.
 */
static uint32_t hypercall32(unsigned int nr, uint32_t a1, uint32_t a2)
{
    static uint64_t gdt[] page_aligned = {0, 0x00af9b000000ffff, 0x00cf93000000ffff,
                                          0x00cf9b000000ffff};
    const struct {
        uint16_t limit;
        uint64_t *base;
    } __attribute__((packed)) pointer = {sizeof(gdt) - 1, gdt};
    uint32_t rc;

    asm volatile("lgdt %[gdt]\n\t"
                 "pushq $0x18\n\t"
                 "leaq 1f(%%rip), %%rax\n\t"
                 "pushq %%rax\n\t"
                 "lretq\n"
                 "1:\n\t"
                 ".code32\n\t"
                 "movl %[entry], %%eax\n\t"
                 "call *%%eax\n\t"
                 "ljmp $0x08, $2f\n"
                 "2:\n\t"
                 ".code64\n\t"
                 : "=a"(rc), "+b"(a1), "+c"(a2)
                 : [gdt] "m"(pointer), [entry] "S"((uint32_t)(uintptr_t)hypercall_page + nr * 32)
                 : "rdx", "rdi", "memory", "cc");
    return rc;
}

static void set_info32(void)
{
    static struct xen_hvm_param callback = {.domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ};
    struct vcpu_register_vcpu_info op = {.mfn = gfn_of(page), .offset = 4};
    long rc = hypercall(hvm_op, HVMOP_get_param, &callback);

    require(!rc, "callback: %ld", rc);
    rc = hypercall(vcpu_op, VCPUOP_register_vcpu_info, 1, &op);
    require(rc, "vcpu_info at offset 4 in a 64-bit guest");
    /* The width of shared_info is that of the mode in which the guest says how it wants its events. */
    rc = (int32_t)hypercall32(__HYPERVISOR_hvm_op, HVMOP_set_param, (uintptr_t)&callback);
    require(!rc, "callback, in 32-bit mode: %ld", rc);
    rc = hypercall(vcpu_op, VCPUOP_register_vcpu_info, 1, &op);
    require(!rc, "vcpu_info at offset 4: %ld", rc);
    rc = hypercall(hvm_op, HVMOP_set_param, &callback);
    require(!rc, "callback, in 64-bit mode: %ld", rc);
}

static void init_vcpu32(uint32_t cr0, uint32_t cr3, uint64_t efer)
{
    struct vcpu_hvm_context c = {.mode = VCPU_HVM_MODE_32B};
    struct vcpu_hvm_x86_32 *r = &c.cpu_regs.x86_32;
    long rc;

    r->cr0 = cr0;
    r->cr3 = cr3;
    r->cr4 = CR4_PAE;
    r->efer = efer;
    r->cs_limit = r->ds_limit = r->ss_limit = r->es_limit = ~0U;
    r->tr_limit = 0x67;
    r->cs_ar = CODE_ACCESS;
    r->ds_ar = r->ss_ar = r->es_ar = DATA_ACCESS;
    r->tr_ar = TSS_ACCESS;
    rc = hypercall(vcpu_op, VCPUOP_initialise, 1, &c);
    require(!rc, "vCPU 1: %ld", rc);
}

static void init_vcpu64(uint64_t cr3)
{
    struct vcpu_hvm_context c = {.mode = VCPU_HVM_MODE_64B};
    long rc;

    c.cpu_regs.x86_64.cr0 = CR0_PE_ET_PG;
    c.cpu_regs.x86_64.cr3 = cr3;
    c.cpu_regs.x86_64.cr4 = CR4_PAE;
    c.cpu_regs.x86_64.efer = EFER_LME;
    rc = hypercall(vcpu_op, VCPUOP_initialise, 1, &c);
    require(!rc, "vCPU 1: %ld", rc);
}

static void map_far_away(void)
{
    unsigned long gfn = FAR_GFN | gfn_of(page);
    long rc = map_grant_frame(0, gfn);

    /* Tables for Intel's refuse it. */
    require(!rc || rc == -XEN_EINVAL, "grant table at gfn %#lx: %ld", gfn, rc);
}

static void go_odd(void)
{
    switch ((int)CASE) {
    case INFO32: set_info32(); break;
    case CR0:
        init_vcpu32(0x00c00001, 0, 0); /* and no ET */
        break;
    case CR3: init_vcpu64(~0UL); break;
    case LMA: init_vcpu32(1, 0, EFER_LME | EFER_LMA); break;
    case GFN: map_far_away(); break;
    }
}
#endif

static void set_timers(void)
{
    struct vcpu_set_singleshot_timer once = {.timeout_abs_ns = END_OF_TIME};
    struct vcpu_set_periodic_timer often = {.period_ns = END_OF_TIME - 1};
    struct sched_watchdog watchdog = {.timeout = ~0U};

    /* Whether Xen accepts one is not the question. */
    hypercall(vcpu_op, VCPUOP_set_singleshot_timer, 0, &once);
    hypercall(vcpu_op, VCPUOP_set_periodic_timer, 0, &often);
    hypercall(sched_op, SCHEDOP_watchdog, &watchdog);
    hypercall(set_timer_op, 1UL);
    once.timeout_abs_ns = END_OF_TIME / 2;
    hypercall(vcpu_op, VCPUOP_set_singleshot_timer, 1, &once);
}

void setup(void)
{
    if (CASE == TIMERS)
        set_timers();
    else
        go_odd();
}

void verify(unsigned int round)
{
    (void)round;
#ifdef PV
    if (CASE == USER)
        init_half();
#endif
}
