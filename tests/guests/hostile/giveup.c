/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest gives up a page that Xen goes on using for it. The page is Xen's until its last user goes, with an update in
 * between or without; the guest has no harm from it.
 */
/* guest: vcpus=2 */
/* cases: INFO GDT:pv LDT:pv L4:pv EOI:pv ASSIST:pvh SHARED GRANT GRANT_INFO:pv FIFO REMOVED:pvh */
#ifdef PV
#include "../lib/pv.h"
#else
#include "../lib/guest.h"
#endif

#include <xen/physdev.h>

enum {
    INFO,       /* vcpu_info of vCPU 1 */
    GDT,        /* a frame of the GDT of vCPU 0 */
    LDT,        /* a page of the LDT that has been used */
    L4,         /* the page table that vCPU 1 starts with, not pinned */
    EOI,        /* the map of PHYSDEVOP_pirq_eoi_gmfn_v2 */
    ASSIST,     /* the VP assist page of the Hyper-V interface */
    SHARED,     /* shared_info */
    GRANT,      /* the first frame of the grant table */
    GRANT_INFO, /* the same, and vcpu_info of vCPU 1 is in it */
    FIFO,       /* a control block of the FIFO ABI */
    REMOVED,    /* the same: it has left the physmap, but is still the domain's */
};

#define MSR_GUEST_OS_ID    0x40000000
#define MSR_VP_ASSIST_PAGE 0x40000073
#define OS_ID              (1UL << 48 | 1)
#define LDT_ENTRIES        512
#define DATA_OF_RING_3     0x00cff3000000ffffUL
#define LDT_SELECTOR(n)    ((n) << 3 | 4 | 3)

static char page[PAGE_SIZE] page_aligned;
static char other[PAGE_SIZE] page_aligned;

static void give_up_frame(unsigned long frame)
{
    xen_pfn_t f = frame;
    struct xen_memory_reservation op = {.extent_start.p = &f, .nr_extents = 1, .domid = DOMID_SELF};
    long rc = hypercall(memory_op, XENMEM_decrease_reservation, &op);

    require(rc == 1, "frame %#lx cannot be given up: %ld", frame, rc);
}

/* What is mapped at @p, without leaving a mapping. */
static void give_up_page(void *p)
{
#ifdef PV
    unsigned long frame = PTE_MFN(pte_of(p));

    require(!set_pte(p, 0), "the page cannot be unmapped");
#else
    unsigned long frame = gfn_of(p);
#endif

    give_up_frame(frame);
}

static void set_info(unsigned int vcpu, void *p, unsigned long frame)
{
    struct vcpu_register_vcpu_info op = {.mfn = frame};
    long rc = hypercall(vcpu_op, VCPUOP_register_vcpu_info, vcpu, &op);

    require(!rc, "vcpu_info of vCPU %u: %ld", vcpu, rc);
    vcpu_infos[vcpu] = p;
}

static void set_control_block(void)
{
    struct evtchn_init_control op = {.control_gfn = gfn_of(page), .vcpu = 1};
    long rc = hypercall(event_channel_op, EVTCHNOP_init_control, &op);

    require(!rc, "control block: %ld", rc);
}

static void map_grants(void)
{
    long rc = map_grant_table(page, 1);

    require(!rc, "grant table: %ld", rc);
}

#ifdef PV
static void set_gdt(void)
{
    xen_pfn_t frame = mfn_of(page);
    long rc;

    require(!set_pte(page, 0), "the page cannot be unmapped");
    rc = hypercall(set_gdt, &frame, 512);
    require(!rc, "set_gdt: %ld", rc);
    give_up_frame(frame);
}

static void set_ldt(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT,
                           .arg1.linear_addr = (unsigned long)page,
                           .arg2.nr_ents = LDT_ENTRIES};
    long rc;

    ((uint64_t *)page)[1] = DATA_OF_RING_3;
    require(!make_readonly(page), "read-only");
    rc = hypercall(mmuext_op, &op, 1, NULL, DOMID_SELF);
    require(!rc, "LDT: %ld", rc);
    asm volatile("mov %0, %%fs; mov %1, %%fs"
                 :
                 : "r"((unsigned short)LDT_SELECTOR(1)), "r"((unsigned short)0));
    give_up_page(page);
}

static void set_l4(void)
{
    static struct vcpu_guest_context c;
    long rc;

    for (unsigned int i = 0; i < 256; i++)
        ((uint64_t *)page)[i] = top_table()[i];
    require(!make_readonly(page), "read-only");
    c.flags = VGCF_IN_KERNEL;
    c.kernel_ss = FLAT_KERNEL_SS;
    c.user_regs.cs = FLAT_KERNEL_CS;
    c.user_regs.ss = FLAT_KERNEL_SS;
    c.ctrlreg[3] = xen_pfn_to_cr3(mfn_of(page));
    rc = hypercall(vcpu_op, VCPUOP_initialise, 1, &c);
    require(!rc, "vCPU 1: %ld", rc);
    give_up_page(page);
}

static void set_eoi_map(void)
{
    struct physdev_pirq_eoi_gmfn op = {.gmfn = gfn_of(page)};
    long rc = hypercall(physdev_op, PHYSDEVOP_pirq_eoi_gmfn_v2, &op);

    require(!rc, "EOI map: %ld", rc);
    give_up_page(page);
}

/* What the guest keeps in its place is nothing that Xen writes to. */
static void give_up_shared_info(void)
{
    unsigned long frame = PTE_MFN(pte_of((void *)shared_info));

    require(!set_pte((void *)shared_info, make_pte(mfn_of(page), PTE_RW)), "shared_info");
    give_up_frame(frame);
}

static void give_up_pv(void)
{
    switch ((int)CASE) {
    case GDT: set_gdt(); break;
    case LDT: set_ldt(); break;
    case L4: set_l4(); break;
    case EOI: set_eoi_map(); break;
    case GRANT:
        map_grants();
        give_up_page(page);
        break;
    case GRANT_INFO:
        map_grants();
        set_info(1, page, PTE_MFN(pte_of(page)));
        give_up_page(page);
        break;
    }
}
#else
static void write_msr(unsigned int msr, uint64_t value)
{
    asm volatile("wrmsr"
                 :
                 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                 : "memory");
}

static void give_up_shared_info(void)
{
    give_up_page(shared_info);
    shared_info = (void *)page;
}

static void remove_page(void *p)
{
    struct xen_remove_from_physmap op = {.domid = DOMID_SELF, .gpfn = gfn_of(p)};
    long rc = hypercall(memory_op, XENMEM_remove_from_physmap, &op);

    require(!rc, "the page does not leave the physmap: %ld", rc);
}

static void give_up_pvh(void)
{
    switch ((int)CASE) {
    case ASSIST:
        write_msr(MSR_GUEST_OS_ID, OS_ID);
        write_msr(MSR_VP_ASSIST_PAGE, (unsigned long)page | 1);
        give_up_page(page);
        break;
    case GRANT:
        map_grants();
        give_up_page(page);
        break;
    case REMOVED:
        set_control_block();
        remove_page(page);
        break;
    }
}
#endif

void setup(void)
{
    switch ((int)CASE) {
    case INFO:
        set_info(1, page, gfn_of(page));
        give_up_page(page);
        break;
    case SHARED:
        /* vCPU 0 needs one that stays. */
        set_info(0, other, gfn_of(other));
        give_up_shared_info();
        break;
    case FIFO:
        set_control_block();
        give_up_page(page);
        break;
    default:
#ifdef PV
        give_up_pv();
#else
        give_up_pvh();
#endif
    }
}

void verify(unsigned int round)
{
    (void)round;
}
