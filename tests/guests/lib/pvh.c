/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of the library that knows of PVH guests: start, exceptions, events, vCPUs, grants. */
#include "internal.h"

#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#include <xen/io/console.h>

#define CS           0x08
#define CALLBACK     0xf3
#define CALLBACK_VIA (2UL << 56 | CALLBACK) /* a vector of the IDT, see HVM_PARAM_CALLBACK_IRQ */
#define NMI          2
#define CR0          0x80010031UL
#define CR4          0x620UL
#define EFER         0x500UL
#define CPUID_XEN    0x40000000U

static char shared_info_page[PAGE_SIZE] page_aligned;
extern uint64_t boot_l4[];
extern uint32_t start_info_address;

/* An interrupt gate. */
struct gate {
    uint16_t offset_low, selector, attributes, offset_middle;
    uint32_t offset_high, reserved;
};
extern struct {
    uint16_t limit;
    struct gate *idt;
} __attribute__((packed)) idt_pointer;

unsigned long gfn_of(const volatile void *p)
{
    return pfn_of(p);
}

/* --- Grants --- */

long map_grant_frame(unsigned int nr, unsigned long gfn)
{
    struct xen_add_to_physmap op = {.domid = DOMID_SELF,
                                    .space = XENMAPSPACE_grant_table,
                                    .idx = nr,
                                    .gpfn = gfn};

    return hypercall(memory_op, XENMEM_add_to_physmap, &op);
}

long map_grant_table(void *pages, unsigned int nr)
{
    long rc = 0;

    for (unsigned int i = 0; !rc && i < nr; i++)
        rc = map_grant_frame(i, gfn_of((char *)pages + i * PAGE_SIZE));
    return rc;
}

/* --- Events --- */

void events_off(void)
{
    asm volatile("cli" ::: "memory");
}

void events_on(void)
{
    asm volatile("sti" ::: "memory");
}

void block(void)
{
    asm volatile("sti; hlt; cli" ::: "memory");
}

/* --- Exceptions and vCPUs --- */

unsigned long fault_address(void)
{
    unsigned long address;

    asm volatile("mov %%cr2, %0" : "=r"(address));
    return address;
}

static void set_gate(unsigned int vector, const void *entry)
{
    uint64_t address = (uintptr_t)entry;

    idt_pointer.idt[vector] = (struct gate){
        .offset_low = address,
        .selector = CS,
        .attributes = 0x8e00,
        .offset_middle = address >> 16,
        .offset_high = address >> 32,
    };
}

/* NMIs come by the IDT. */
long register_nmi(void)
{
    return 0;
}

long init_vcpu(unsigned int vcpu, void (*function)(void))
{
    struct vcpu_hvm_context c = {.mode = VCPU_HVM_MODE_64B};

    vcpu_functions[vcpu] = function;
    c.cpu_regs.x86_64.rip = (uintptr_t)secondary_start;
    c.cpu_regs.x86_64.rsp = (uintptr_t)stacks[vcpu + 1] - 16;
    c.cpu_regs.x86_64.rflags = 2;
    c.cpu_regs.x86_64.cr0 = CR0;
    c.cpu_regs.x86_64.cr3 = (uintptr_t)boot_l4;
    c.cpu_regs.x86_64.cr4 = CR4;
    c.cpu_regs.x86_64.efer = EFER;
    return hypercall(vcpu_op, VCPUOP_initialise, vcpu, &c);
}

/* --- Start --- */

static void set_hypercall_page(void)
{
    uint32_t base = CPUID_XEN, eax = base, ebx, ecx = 0, edx;

    /* With the Hyper-V interface that comes first. */
    asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if (ebx != XEN_CPUID_SIGNATURE_EBX)
        base += 0x100;
    eax = base + 2;
    ecx = 0;
    asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    asm volatile("wrmsr" : : "c"(ebx), "a"((uint32_t)(uintptr_t)hypercall_page), "d"(0) : "memory");
}

static uint64_t get_param(unsigned int index)
{
    struct xen_hvm_param op = {.domid = DOMID_SELF, .index = index};
    long rc = hypercall(hvm_op, HVMOP_get_param, &op);

    return rc ? 0 : op.value;
}

_Noreturn void pvh_main(void)
{
    const struct hvm_start_info *start_info = (void *)(uintptr_t)start_info_address;
    struct xen_add_to_physmap map = {.domid = DOMID_SELF,
                                     .space = XENMAPSPACE_shared_info,
                                     .gpfn = pfn_of(shared_info_page)};
    struct xen_hvm_param callback = {.domid = DOMID_SELF,
                                     .index = HVM_PARAM_CALLBACK_IRQ,
                                     .value = CALLBACK_VIA};

    set_hypercall_page();
    for (unsigned int i = 0; i < ARRAY_SIZE(trap_entries); i++)
        set_gate(i, trap_entries[i]);
    set_gate(NMI, nmi_entry);
    set_gate(CALLBACK, event_entry);
    asm volatile("lidt %0" : : "m"(idt_pointer));

    hypercall(memory_op, XENMEM_add_to_physmap, &map);
    shared_info = (struct shared_info *)shared_info_page;
    for (unsigned int i = 0; i < MAX_VCPUS; i++)
        vcpu_infos[i] = &shared_info->vcpu_info[i];
    if (start_info->cmdline_paddr)
        command_line = (const char *)start_info->cmdline_paddr;
    console_init((void *)(get_param(HVM_PARAM_CONSOLE_PFN) * PAGE_SIZE),
                 get_param(HVM_PARAM_CONSOLE_EVTCHN));
    require(!hypercall(hvm_op, HVMOP_set_param, &callback), "no callback for events");
    guest_main();
}
