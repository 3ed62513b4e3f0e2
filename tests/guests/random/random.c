/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypercalls at random, with arguments that are plausible most of the time: all that an unprivileged guest may ask for,
 * and some of what it may not. The pages that it does this to are its own and there for nothing else, so that the kernel
 * lives on for a while; if it does not, it is one guest less. "seed=" among its words repeats what it does.
 */
/* guest: vcpus=3 max_event_channels=1023 max_grant_frames=8 max_maptrack_frames=8 */
#ifdef PV
#include "../lib/pv.h"
#else
#include "../lib/guest.h"

#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#endif

#include <xen/physdev.h>
#include <xen/xenoprof.h>

#define NR_PAGES     48
#define NR_GRANTS    64
#define NR_MAPPED    32
#define NR_RUNNING   2 /* vCPUs that make hypercalls; the others are there to be initialised */
#define NR_VCPUS     3
#define NR_CALLS     8  /* at most, in one multicall */
#define BATCH        40 /* calls without a rest */
#define ABANDON      12 /* one of so many is not gone on with when Xen interrupts it */
#define OP_SIZE      256
#define HOLE         0x10000UL /* a guest frame number without memory, the first of many */
#define NONCANONICAL 0x8000000000000000UL
#define XEN_ADDRESS  0xffff830000100000UL
#define NR_HVM_PARAM 40
#define NOT_DONE     1  /* no status of a grant operation */
#define RESET_GO_ON  14 /* EVTCHNOP_reset_cont, what a reset becomes when it is interrupted */
#define EXTENT_SHIFT 6  /* MEMOP_EXTENT_SHIFT, likewise */
#define DB_VECTOR    1
#define NMI_VECTOR   2
#define BP_VECTOR    3
#define OLDER_DOMID  4 /* peers have domids this far below, or above */

/* A hypercall to be. */
struct call {
    unsigned int nr;
    unsigned long a[5];
    void *op;
};

static char pages[NR_PAGES][PAGE_SIZE] page_aligned;
static char grants[2][PAGE_SIZE] page_aligned;
static char ops[NR_RUNNING][NR_CALLS][OP_SIZE] __attribute__((aligned(64)));
static struct call calls[NR_RUNNING][NR_CALLS];
/*
 * Where grants are mapped. A PV guest must not change such an entry of a page table by itself: a debug build of Xen fails
 * an assertion when it cleans up after that guest (is_iomem_page()), with an update or without.
 */
static struct {
    uint64_t address;
    grant_handle_t handle;
    bool used;
} places[NR_MAPPED];
#ifdef PV
static char mapped[NR_MAPPED][PAGE_SIZE] page_aligned;
#endif
static unsigned int domid, console_peer;
static unsigned long seed, nr_calls[NR_RUNNING], nr_succeeded[NR_RUNNING], nr_abandoned, nr_caught;

/* --- Chance --- */

static uint64_t states[NR_RUNNING];

static uint64_t any(void)
{
    uint64_t *s = &states[this_vcpu()];

    *s ^= *s << 13;
    *s ^= *s >> 7;
    *s ^= *s << 17;
    return *s * 0x2545f4914f6cdd1dUL;
}

static unsigned int below(unsigned int n)
{
    return (any() >> 33) % n;
}

static bool one_in(unsigned int n)
{
    return !below(n);
}

#define ONE_OF(...)                              \
    ({                                           \
        const uint64_t these_[] = {__VA_ARGS__}; \
        these_[below(ARRAY_SIZE(these_))];       \
    })

static uint64_t odd_number(void)
{
    return ONE_OF(0, 1, 2, below(64), below(4096), 4096, 0x7fffffff, 0x80000000, 0xffffffff,
                  NONCANONICAL, NONCANONICAL - 1, ~0UL, ~0UL - 1, any());
}

/* A number below @n, rarely another one. */
static uint64_t number(unsigned int n)
{
    return one_in(24) ? odd_number() : below(n);
}

static void *page(void)
{
    return pages[below(NR_PAGES)];
}

static uint64_t address(void)
{
    if (one_in(20))
        return ONE_OF(0, 1, NONCANONICAL, ~0UL, XEN_ADDRESS, 0x7ffffffff000, odd_number());
    return (uintptr_t)page() + (one_in(2) ? 0 : below(PAGE_SIZE) & (one_in(2) ? ~7 : ~0));
}

static uint64_t frame(void)
{
    if (one_in(20))
        return ONE_OF(0, 0xa0, ~0UL, below(1 << 19), odd_number());
#ifndef PV
    if (one_in(6))
        return HOLE + below(64);
#endif
    return gfn_of(page());
}

static unsigned int some_domid(void)
{
    switch (below(12)) {
    case 0: return 0;
    case 1:
    case 2:
    case 3: return domid;
    case 4: return domid - 1 - below(OLDER_DOMID);
    case 5: return domid + 1 + below(OLDER_DOMID);
    case 6:
        if (one_in(3))
            return ONE_OF(DOMID_IO, DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_IDLE, odd_number());
        /* fall through */
    default: return DOMID_SELF;
    }
}

static unsigned int other_domid(void)
{
    return one_in(2) ? some_domid() : domid + below(2 * OLDER_DOMID) - OLDER_DOMID;
}

/* The console's port is not closed but by a reset. */
static unsigned int port(void)
{
    unsigned int p = number(40);

    return p == console_channel() ? p + 1 : p;
}

static unsigned int vcpu(void)
{
    return number(NR_VCPUS);
}

/* Where the operation is, or not at all. */
static uint64_t pointer(const struct call *c)
{
    return one_in(40) ? address() : (uintptr_t)c->op;
}

static int64_t soon(void)
{
    return now() + (int64_t)below(1000) * NS_PER_MS - 200 * NS_PER_MS;
}

#define OP(type, ...)                                                \
    ({                                                               \
        _Static_assert(sizeof(struct type) <= OP_SIZE, "operation"); \
        *(struct type *)c->op = (struct type){__VA_ARGS__};          \
        pointer(c);                                                  \
    })
/* CALL(c, event_channel_op, arguments...) */
#define CALL(c, name, ...)                       \
    do {                                         \
        const uint64_t args_[5] = {__VA_ARGS__}; \
        (c)->nr = __HYPERVISOR_##name;           \
        memcpy((c)->a, args_, sizeof(args_));    \
    } while (0)

/* --- Event channels --- */

static void event_call(struct call *c)
{
    unsigned int cmd = one_in(60) ? below(18) : ONE_OF(0, 1, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 6, 7);
    uint64_t arg;

    switch (cmd) {
    case EVTCHNOP_bind_interdomain:
        arg = OP(evtchn_bind_interdomain, .remote_dom = other_domid(), .remote_port = number(40));
        break;
    case EVTCHNOP_bind_virq: arg = OP(evtchn_bind_virq, .virq = number(24), .vcpu = vcpu()); break;
    case EVTCHNOP_bind_pirq: arg = OP(evtchn_bind_pirq, .pirq = number(64)); break;
    case EVTCHNOP_close: arg = OP(evtchn_close, .port = port()); break;
    case EVTCHNOP_send: arg = OP(evtchn_send, .port = number(40)); break;
    case EVTCHNOP_status: arg = OP(evtchn_status, .dom = some_domid(), .port = number(40)); break;
    case EVTCHNOP_alloc_unbound:
        arg = OP(evtchn_alloc_unbound, .dom = some_domid(), .remote_dom = other_domid());
        break;
    case EVTCHNOP_bind_ipi: arg = OP(evtchn_bind_ipi, .vcpu = vcpu()); break;
    case EVTCHNOP_bind_vcpu: arg = OP(evtchn_bind_vcpu, .port = number(40), .vcpu = vcpu()); break;
    case EVTCHNOP_unmask: arg = OP(evtchn_unmask, .port = number(40)); break;
    case EVTCHNOP_reset:
    case RESET_GO_ON: arg = OP(evtchn_reset, .dom = some_domid()); break;
    case EVTCHNOP_init_control:
        arg = OP(evtchn_init_control, .control_gfn = frame(), .offset = number(500) * 8,
                 .vcpu = vcpu());
        break;
    case EVTCHNOP_expand_array: arg = OP(evtchn_expand_array, .array_gfn = frame()); break;
    case EVTCHNOP_set_priority:
        arg = OP(evtchn_set_priority, .port = number(40), .priority = number(17));
        break;
    default: arg = address();
    }
    CALL(c, event_channel_op, cmd, arg);
}

/* --- Grants --- */

/* Permits somebody something in the table, as it is laid out in version 1 or 2. */
static void permit(void *unused)
{
    unsigned int ref = below(NR_GRANTS);

    (void)unused;
    if (one_in(2)) {
        grant_entry_v1_t *e = &((grant_entry_v1_t *)grants)[ref];

        *e = (grant_entry_v1_t){.domid = one_in(3) ? domid : other_domid(), .frame = frame()};
        WRITE_ONCE(e->flags,
                   one_in(8) ? any() : GTF_permit_access | (one_in(3) ? GTF_readonly : 0));
    } else {
        grant_entry_v2_t *e = &((grant_entry_v2_t *)grants)[ref];

        e->full_page.frame = frame();
        e->hdr.domid = one_in(3) ? domid : other_domid();
        WRITE_ONCE(e->hdr.flags, one_in(8) ? any() : GTF_permit_access);
    }
}

/* One that is in use, if there is no other, has an address that no guest can have. */
static uint64_t free_place(void)
{
    unsigned int n = below(NR_MAPPED);

    if (__atomic_exchange_n(&places[n].used, true, __ATOMIC_ACQ_REL))
        return NONCANONICAL;
#ifdef PV
    places[n].address = (uintptr_t)mapped[n];
#else
    places[n].address = (HOLE + 64 + n) * PAGE_SIZE;
#endif
    return places[n].address;
}

static void grant_call(struct call *c)
{
    unsigned int cmd =
        one_in(30) ? below(16) : ONE_OF(0, 0, 0, 1, 2, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12);
    uint64_t arg, nr = one_in(30) ? odd_number() : 1;
    unsigned int n;

    /* What lies behind one is an older one, which would map something where there is something by now. */
    if (cmd == GNTTABOP_map_grant_ref || cmd == GNTTABOP_unmap_and_replace)
        nr = !one_in(30);
    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        arg = OP(gnttab_map_grant_ref, .host_addr = free_place(),
                 .flags = one_in(12) ? any() & ~GNTMAP_contains_pte
                                     : GNTMAP_host_map | (one_in(3) ? GNTMAP_readonly : 0) |
                                           (one_in(8) ? GNTMAP_device_map : 0),
                 .ref = number(NR_GRANTS), .dom = one_in(2) ? domid : other_domid(),
                 .status = NOT_DONE);
        break;
    case GNTTABOP_unmap_grant_ref:
        n = below(NR_MAPPED);
        arg = OP(gnttab_unmap_grant_ref, .host_addr = one_in(20) ? address() : places[n].address,
                 .handle = one_in(20) ? below(16) : places[n].handle, .status = NOT_DONE);
        break;
    case GNTTABOP_setup_table:
        arg = OP(gnttab_setup_table, .dom = some_domid(), .nr_frames = number(10),
                 .frame_list.p = (void *)address());
        break;
    case GNTTABOP_transfer:
        arg = OP(gnttab_transfer, .mfn = frame(), .domid = other_domid(), .ref = number(NR_GRANTS));
        break;
    case GNTTABOP_copy:
        arg =
            OP(gnttab_copy,
               .source = {.u.ref = number(NR_GRANTS), .domid = other_domid(), .offset = number(64)},
               .dest = {.u.gmfn = frame(), .domid = DOMID_SELF, .offset = number(64)},
               .len = number(4096), .flags = number(4));
        break;
    case GNTTABOP_query_size: arg = OP(gnttab_query_size, .dom = some_domid()); break;
    case GNTTABOP_unmap_and_replace:
        n = below(NR_MAPPED);
        arg = OP(gnttab_unmap_and_replace, .host_addr = places[n].address,
                 .new_addr = address() & PAGE_MASK, .handle = places[n].handle);
        break;
    case GNTTABOP_set_version: arg = OP(gnttab_set_version, .version = number(4)); break;
    case GNTTABOP_get_status_frames:
        arg = OP(gnttab_get_status_frames, .dom = some_domid(), .nr_frames = number(3),
                 .frame_list.p = (void *)address());
        break;
    case GNTTABOP_get_version: arg = OP(gnttab_get_version, .dom = some_domid()); break;
    case GNTTABOP_swap_grant_ref:
        arg = OP(gnttab_swap_grant_ref, .ref_a = number(NR_GRANTS), .ref_b = number(NR_GRANTS));
        break;
    case GNTTABOP_cache_flush:
        arg = OP(gnttab_cache_flush, .a.dev_bus_addr = frame() * PAGE_SIZE, .offset = number(4096),
                 .length = number(4096), .op = number(4));
        break;
    default: arg = address();
    }
    CALL(c, grant_table_op, cmd, arg, nr);
}

/* --- Memory --- */

static void memory_call(struct call *c)
{
    unsigned int cmd = one_in(10) ? below(30) : ONE_OF(0, 1, 1, 6, 6, 6, 7, 7, 7, 11, 15, 23);
    xen_pfn_t *list = (xen_pfn_t *)((char *)c->op + OP_SIZE - 8 * sizeof(*list));
    int *errors = (int *)(list - 4);
    unsigned int nr = 1 + below(4);
    uint64_t arg;

    for (unsigned int i = 0; i < 4; i++) {
        void *p = page();

        list[i] = cmd == XENMEM_populate_physmap ? pfn_of(p) : one_in(8) ? frame() : gfn_of(p);
        list[i + 4] = pfn_of(page());
#ifdef PV
        if (cmd == XENMEM_decrease_reservation && !one_in(4))
            set_pte(p, 0);
#endif
    }
    switch (cmd) {
    case XENMEM_increase_reservation:
    case XENMEM_decrease_reservation:
    case XENMEM_populate_physmap:
        arg = OP(xen_memory_reservation, .extent_start.p = one_in(30) ? (void *)address() : list,
                 .nr_extents = number(nr + 1), .extent_order = one_in(10) ? number(10) : 0,
                 .mem_flags = one_in(10) ? any() : 0,
                 .domid = one_in(20) ? some_domid() : DOMID_SELF);
        break;
    case XENMEM_exchange:
        arg = OP(xen_memory_exchange,
                 .in = {.extent_start.p = list,
                        .nr_extents = nr,
                        .domid = DOMID_SELF,
                        .extent_order = one_in(10) ? number(10) : 0},
                 .out = {.extent_start.p = list + 4, .nr_extents = nr, .domid = DOMID_SELF},
                 .nr_exchanged = one_in(20) ? odd_number() : 0);
        break;
    case XENMEM_add_to_physmap:
        /* shared_info stays where it is: the kernel reads the time there. */
        arg = OP(xen_add_to_physmap, .domid = DOMID_SELF, .size = number(4),
                 .space = one_in(12) ? 2 + number(4) : XENMAPSPACE_grant_table,
                 .idx = one_in(2)   ? number(10)
                        : one_in(2) ? XENMAPIDX_grant_table_status | number(3)
                                    : frame(),
                 .gpfn = frame());
        break;
    case XENMEM_add_to_physmap_batch:
        arg = OP(xen_add_to_physmap_batch, .domid = DOMID_SELF, .space = ONE_OF(1, 1, 2, 3, 4, 5),
                 .size = number(4), .u.foreign_domid = other_domid(), .idxs.p = (void *)list,
                 .gpfns.p = list + 4, .errs.p = errors);
        break;
    case XENMEM_remove_from_physmap:
        arg = OP(xen_remove_from_physmap, .domid = some_domid(), .gpfn = frame());
        break;
    default:
        memset(c->op, 0, OP_SIZE);
        *(domid_t *)c->op = some_domid();
        arg = pointer(c);
    }
    CALL(c, memory_op, cmd | (one_in(60) ? odd_number() << EXTENT_SHIFT : 0), arg);
}

/* --- vCPUs and time --- */

#ifdef PV
static unsigned long initial_context(unsigned int cpu)
{
    static struct vcpu_guest_context contexts[NR_RUNNING];
    struct vcpu_guest_context *x = &contexts[this_vcpu()];

    (void)cpu;
    memset(x, 0, sizeof(*x));
    x->flags = one_in(4) ? any() : VGCF_IN_KERNEL;
    x->kernel_ss = x->user_regs.ss = one_in(8) ? odd_number() : FLAT_KERNEL_SS;
    x->user_regs.cs = one_in(8) ? odd_number() : FLAT_KERNEL_CS;
    x->kernel_sp = address();
    x->user_regs.rip = address();
    x->user_regs.rsp = address();
    x->user_regs.rflags = one_in(4) ? any() : 0;
    x->ctrlreg[3] = xen_pfn_to_cr3(one_in(3) ? frame() : mfn_of(top_table()));
    x->ctrlreg[1] = one_in(3) ? xen_pfn_to_cr3(frame()) : 0;
    x->ctrlreg[0] = one_in(4) ? any() : 0;
    x->ctrlreg[4] = one_in(4) ? any() : 0;
    x->ldt_base = one_in(4) ? address() : 0;
    x->ldt_ents = one_in(4) ? number(8192) : 0;
    x->gdt_ents = one_in(4) ? number(2048) : 0;
    for (unsigned int i = 0; i < 4; i++)
        x->gdt_frames[i] = frame();
    for (unsigned int i = 0; i < 8; i++)
        x->debugreg[i] = one_in(4) ? any() : 0;
    x->fs_base = address();
    x->gs_base_kernel = address();
    x->event_callback_eip = address();
    x->failsafe_callback_eip = address();
    x->syscall_callback_eip = address();
    x->vm_assist = one_in(4) ? any() : 0;
    return (uintptr_t)x;
}
#else
static unsigned long initial_context(unsigned int cpu)
{
    static struct vcpu_hvm_context contexts[NR_RUNNING];
    struct vcpu_hvm_context *x = &contexts[this_vcpu()];

    (void)cpu;
    memset(x, 0, sizeof(*x));
    if (one_in(2)) {
        struct vcpu_hvm_x86_32 *r = &x->cpu_regs.x86_32;

        x->mode = VCPU_HVM_MODE_32B;
        r->eip = address();
        r->cr0 = one_in(2) ? 1 : any();
        r->cr3 = one_in(2) ? 0 : any();
        r->cr4 = one_in(2) ? 0 : 1 << below(23);
        r->efer = one_in(2) ? 0 : 1 << below(15);
        r->cs_limit = r->ds_limit = r->ss_limit = r->es_limit = ~0U;
        r->tr_limit = 0x67;
        r->cs_ar = 0xc9b;
        r->ds_ar = r->ss_ar = r->es_ar = one_in(8) ? any() : 0xc93;
        r->tr_ar = 0x8b;
    } else {
        x->mode = one_in(20) ? odd_number() : VCPU_HVM_MODE_64B;
        x->cpu_regs.x86_64.rip = address();
        x->cpu_regs.x86_64.rflags = one_in(2) ? 2 : any();
        x->cpu_regs.x86_64.cr0 = one_in(2) ? 0x80000011 : any();
        x->cpu_regs.x86_64.cr3 = address();
        x->cpu_regs.x86_64.cr4 = 0x20 | (one_in(2) ? 0 : 1 << below(23));
        x->cpu_regs.x86_64.efer = 0x500 | (one_in(2) ? 0 : 1 << below(15));
    }
    return (uintptr_t)x;
}
#endif

static void vcpu_call(struct call *c)
{
    unsigned int cmd = one_in(20) ? below(16) : ONE_OF(0, 1, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11, 13);
    unsigned int cpu = vcpu();
    uint64_t arg = 0;

    switch (cmd) {
    case VCPUOP_initialise: arg = one_in(40) ? address() : initial_context(cpu); break;
    case VCPUOP_up:
        /* With registers like these that is mostly the guest's end. */
        if (!one_in(400))
            cmd = VCPUOP_is_up;
        /* fall through */
    case VCPUOP_down:
        if (cpu < NR_RUNNING)
            cpu = NR_VCPUS - 1;
        break;
    case VCPUOP_get_runstate_info: arg = address(); break;
    case VCPUOP_register_runstate_memory_area:
    case VCPUOP_register_vcpu_time_memory_area:
        arg = OP(vcpu_register_runstate_memory_area, .addr.p = address());
        break;
    case VCPUOP_set_periodic_timer:
        arg = OP(vcpu_set_periodic_timer,
                 .period_ns = one_in(8) ? odd_number() : (10 + below(1000)) * NS_PER_MS);
        break;
    case VCPUOP_set_singleshot_timer:
        arg = OP(vcpu_set_singleshot_timer,
                 .timeout_abs_ns = one_in(8) ? odd_number() : (uint64_t)soon(), .flags = number(2));
        break;
    case VCPUOP_register_vcpu_info:
        arg = OP(vcpu_register_vcpu_info, .mfn = frame(), .offset = number(500) * 8);
        if (cpu < NR_RUNNING)
            cpu = NR_VCPUS - 1;
        break;
    case VCPUOP_get_physid: arg = pointer(c); break;
    }
    CALL(c, vcpu_op, cmd, cpu, arg);
}

static void sched_call(struct call *c)
{
    evtchn_port_t *ports = (evtchn_port_t *)((char *)c->op + OP_SIZE - 64);

    for (unsigned int i = 0; i < 4; i++)
        ports[i] = number(40);
    switch (below(5)) {
    case 0: CALL(c, sched_op, SCHEDOP_yield); break;
    case 1:
        CALL(c, sched_op, SCHEDOP_poll,
             OP(sched_poll, .ports.p = ports, .nr_ports = number(5),
                .timeout = now() + 1 + below(20) * NS_PER_MS));
        break;
    case 2:
        CALL(c, sched_op, SCHEDOP_watchdog,
             OP(sched_watchdog, .id = number(4), .timeout = one_in(8) ? ~0U : 3600));
        break;
    case 3:
        CALL(c, sched_op, SCHEDOP_remote_shutdown,
             OP(sched_remote_shutdown, .domain_id = domid + 1, .reason = SHUTDOWN_crash));
        break;
    case 4:
        CALL(c, sched_op, SCHEDOP_pin_override, OP(sched_pin_override, .pcpu = number(4)));
        break;
    }
}

/* --- What only one kind of guest has --- */

#ifdef PV
static uint64_t entry(void)
{
    uint64_t flags = one_in(10)  ? any() & 0xfff
                     : one_in(3) ? 0
                                 : PTE_RO | (one_in(2) ? PTE_WRITE : 0);

    return make_pte(frame() & 0xffffffffff, flags) | (one_in(40) ? any() & ~0xfffUL << 40 : 0);
}

/*
 * Not the first entry: a debug build of Xen fails an assertion (promote_l4_table()) where that one of a level 3 table is
 * a level 2 table that becomes valid in part only, with an update or without.
 */
static void fill_table(void *p)
{
    uint64_t *table = p;

    for (unsigned int i = 0; i < 512; i++)
        table[i] = i > 0 && i <= 8 && !one_in(3) ? make_pte(mfn_of(page()), PTE_RW) : 0;
}

static void pv_call(struct call *c)
{
    unsigned int cmd;
    void *p = page();

    switch (below(11)) {
    case 0:
    case 1:
        CALL(c, update_va_mapping, one_in(30) ? address() : (uintptr_t)p, entry(), number(16));
        break;
    case 2:
        CALL(c, update_va_mapping, (uintptr_t)p, make_pte(mfn_of(p), one_in(3) ? PTE_RO : PTE_RW),
             UVMF_INVLPG | UVMF_ALL);
        break;
    case 3:
        CALL(c, update_va_mapping_otherdomain, (uintptr_t)p, entry(), number(16), some_domid());
        break;
    case 4:
        CALL(c, mmu_update,
             OP(mmu_update, .ptr = frame() * PAGE_SIZE + number(520) * 8 + number(4),
                .val = entry()),
             one_in(30) ? odd_number() : 1, 0, one_in(8) ? some_domid() : DOMID_SELF);
        break;
    case 5:
    case 6:
    case 7:
        /* The base of its own page tables stays. */
        cmd = one_in(3) ? below(24) : ONE_OF(0, 0, 1, 1, 2, 3, 4, 4, 4, 13, 15);
        if (cmd == MMUEXT_NEW_BASEPTR)
            cmd = MMUEXT_TLB_FLUSH_LOCAL;
        CALL(c, mmuext_op,
             cmd == MMUEXT_SET_LDT || cmd == MMUEXT_INVLPG_LOCAL || cmd == MMUEXT_INVLPG_ALL
                 ? OP(mmuext_op, .cmd = cmd, .arg1.linear_addr = address(),
                      .arg2.nr_ents = number(8193))
                 : OP(mmuext_op, .cmd = cmd, .arg1.mfn = one_in(40) ? frame() : mfn_of(p),
                      .arg2.src_mfn = frame()),
             one_in(30) ? odd_number() : 1, 0, one_in(8) ? some_domid() : DOMID_SELF);
        break;
    case 8: {
        xen_pfn_t *list = c->op;

        for (unsigned int i = 0; i < 8; i++)
            list[i] = one_in(12) ? frame() : mfn_of(page());
        CALL(c, set_gdt, pointer(c), one_in(2) ? 512 * number(8) : number(7000));
        break;
    }
    case 9:
        switch (below(8)) {
        case 0: CALL(c, stack_switch, one_in(8) ? odd_number() : FLAT_KERNEL_SS, address()); break;
        case 1: CALL(c, fpu_taskswitch, below(2)); break;
        case 2: CALL(c, set_segment_base, number(4), address()); break;
        case 3: CALL(c, update_descriptor, frame() * PAGE_SIZE + number(512) * 8, any()); break;
        case 4: CALL(c, set_debugreg, number(8), one_in(2) ? address() : any()); break;
        case 5: CALL(c, get_debugreg, number(8)); break;
        case 6:
            CALL(c, callback_op, CALLBACKOP_register,
                 OP(callback_register, .type = ONE_OF(2, 3, 5, 7, 8 + below(64)),
                    .flags = number(2), .address = address()));
            break;
        case 7: {
            struct trap_info *traps = c->op;

            traps[0] = (struct trap_info){.vector = 32 + below(224),
                                          .flags = number(8),
                                          .cs = number(0x10000),
                                          .address = address()};
            traps[1] = (struct trap_info){0};
            CALL(c, set_trap_table, (uintptr_t)traps);
            break;
        }
        }
        break;
    case 10:
        CALL(c, xenoprof_op, number(15), pointer(c));
        /* The buffer alone is a reason to refuse, and a known one. */
        if (c->a[0] == XENOPROF_get_buffer)
            c->a[0] = XENOPROF_release_counters;
        /* Without a buffer Xen writes a line about it. */
        if (c->a[0] == XENOPROF_enable_virq && !one_in(16))
            c->a[0] = XENOPROF_disable_virq;
        break;
    }
}
#else
static void hvm_call(struct call *c)
{
    unsigned int cmd = one_in(4) ? below(27) : HVMOP_set_param;
    unsigned int index =
        ONE_OF(HVM_PARAM_VM86_TSS, HVM_PARAM_VM86_TSS_SIZED, HVM_PARAM_ACPI_IOPORTS_LOCATION,
               HVM_PARAM_VM_GENERATION_ID_ADDR, HVM_PARAM_STORE_EVTCHN, HVM_PARAM_X87_FIP_WIDTH,
               HVM_PARAM_CALLBACK_IRQ, below(NR_HVM_PARAM));
    uint64_t arg, value = one_in(2) ? number(9) : any();

    switch (cmd) {
    case HVMOP_set_param:
        /* Xen ends a guest for more than 32 bits, and the kernel needs its own callback. */
        if (index == HVM_PARAM_VM86_TSS)
            value = (uint32_t)value;
        if (index == HVM_PARAM_VM86_TSS_SIZED)
            value = (uint64_t)(0x68 + below(0x2000)) << 32 | (uint32_t)value;
        if (index == HVM_PARAM_CALLBACK_IRQ)
            value = 2UL << 56 | 0xf3;
        arg = OP(xen_hvm_param, .domid = some_domid(), .index = index, .value = value);
        break;
    case HVMOP_get_param:
        arg = OP(xen_hvm_param, .domid = some_domid(), .index = number(NR_HVM_PARAM));
        break;
    case HVMOP_set_evtchn_upcall_vector:
        arg = OP(xen_hvm_evtchn_upcall_vector, .vcpu = NR_VCPUS - 1, .vector = number(256));
        break;
    default:
        memset(c->op, 0, OP_SIZE);
        *(domid_t *)c->op = some_domid();
        arg = pointer(c);
    }
    CALL(c, hvm_op, cmd, arg);
}
#endif

/* --- The rest --- */

static void physdev_call(struct call *c)
{
    unsigned int cmd = one_in(3) ? below(34) : ONE_OF(5, 6, 7, 12, 13, 14, 17, 23, 28);
    uint64_t arg;

    switch (cmd) {
    case PHYSDEVOP_eoi: arg = OP(physdev_eoi, .irq = number(64)); break;
    case PHYSDEVOP_irq_status_query: arg = OP(physdev_irq_status_query, .irq = number(64)); break;
    case PHYSDEVOP_set_iopl: arg = OP(physdev_set_iopl, .iopl = number(4)); break;
    case PHYSDEVOP_set_iobitmap:
        arg = OP(physdev_set_iobitmap, .bitmap.p = (void *)address(), .nr_ports = number(65537));
        break;
    case PHYSDEVOP_pirq_eoi_gmfn_v1:
    case PHYSDEVOP_pirq_eoi_gmfn_v2: arg = OP(physdev_pirq_eoi_gmfn, .gmfn = frame()); break;
    case PHYSDEVOP_map_pirq:
        arg = OP(physdev_map_pirq, .domid = some_domid(), .type = number(5), .index = number(64),
                 .pirq = one_in(2) ? -1 : (int)number(64));
        break;
    case PHYSDEVOP_unmap_pirq:
        arg = OP(physdev_unmap_pirq, .domid = some_domid(), .pirq = number(64));
        break;
    case PHYSDEVOP_get_free_pirq: arg = OP(physdev_get_free_pirq, .type = number(3)); break;
    default: memset(c->op, one_in(2) ? 0 : any(), OP_SIZE); arg = pointer(c);
    }
    CALL(c, physdev_op, cmd, arg);
}

/* What asks for a privilege, or for nothing at all. */
static void other_call(struct call *c)
{
    for (unsigned int i = 0; i < OP_SIZE / 8; i++)
        ((uint64_t *)c->op)[i] = one_in(4) ? odd_number() : 0;
    switch (below(12)) {
    case 0:
    case 1:
    case 2:
        ((uint32_t *)c->op)[0] = 1 + below(90);
        ((uint32_t *)c->op)[1] = 0x15; /* its version: that of Xen 4.17 */
        ((uint32_t *)c->op)[2] = some_domid();
        if (one_in(2))
            CALL(c, domctl, pointer(c));
        else
            CALL(c, sysctl, pointer(c));
        break;
    case 3:
        ((uint32_t *)c->op)[1] = 0x03000001;
        CALL(c, platform_op, pointer(c));
        break;
    case 4: CALL(c, kexec_op, number(12), pointer(c)); break;
    case 5: CALL(c, xsm_op, pointer(c)); break;
    case 6: CALL(c, vm_assist, number(2), number(6)); break;
    case 7: CALL(c, xen_version, number(13), address()); break;
    case 8: CALL(c, set_timer_op, one_in(4) ? odd_number() : (uint64_t)soon()); break;
    case 9: CALL(c, argo_op, number(8), pointer(c), pointer(c), number(8), number(8)); break;
    case 10: CALL(c, xenpmu_op, number(8), pointer(c)); break;
    case 11: CALL(c, hypfs_op, number(8), pointer(c), number(8), pointer(c), number(8)); break;
    }
}

static void choose(struct call *c)
{
    switch (below(16)) {
    case 0:
    case 1:
    case 2: event_call(c); break;
    case 3:
    case 4:
    case 5: grant_call(c); break;
    case 6:
    case 7:
    case 8: memory_call(c); break;
    case 9: vcpu_call(c); break;
    case 10: sched_call(c); break;
    case 11: physdev_call(c); break;
    case 12: other_call(c); break;
    default:
#ifdef PV
        pv_call(c);
#else
        hvm_call(c);
#endif
    }
}

/* --- Making them --- */

static void *place[5];

static void leave_hypercall(void)
{
    if (this_vcpu())
        scan_events_2l();
    else
        __builtin_longjmp(place, 1);
}

/*
 * An event that is pending already is what Xen stops a long hypercall for; its handler does not return. Those of the
 * other vCPU are not left.
 */
static void abandon(void (*function)(void))
{
    struct vcpu_info *v = vcpu_infos[0];

    if (__builtin_setjmp(place)) {
        nr_abandoned++;
    } else {
        scan_events = leave_hypercall;
        WRITE_ONCE(v->evtchn_upcall_pending, 1);
        barrier();
#ifdef PV
        WRITE_ONCE(v->evtchn_upcall_mask, 0);
#else
        asm volatile("sti" ::: "memory");
#endif
        barrier();
        function();
    }
    events_off();
    scan_events = scan_events_2l;
}

static unsigned int nr_chosen[NR_RUNNING];

static void make_calls(void)
{
    unsigned int cpu = this_vcpu(), n = nr_chosen[cpu];
    struct call *c = calls[cpu];
    long rc;

    if (n == 1) {
        rc = hypercall5(c->nr, c->a[0], c->a[1], c->a[2], c->a[3], c->a[4]);
        nr_succeeded[cpu] += rc >= 0;
    } else {
        static multicall_entry_t lists[NR_RUNNING][NR_CALLS];

        for (unsigned int i = 0; i < n; i++) {
            lists[cpu][i] = (multicall_entry_t){.op = c[i].nr};
            for (unsigned int j = 0; j < 5; j++)
                lists[cpu][i].args[j] = c[i].a[j];
        }
        hypercall(multicall, lists[cpu], n);
        for (unsigned int i = 0; i < n; i++)
            nr_succeeded[cpu] += (long)lists[cpu][i].result >= 0;
    }
    nr_calls[cpu] += n;
}

/* Words of a page get any value, whatever Xen uses it for. */
static void scribble(void *p)
{
    uint64_t *words = p;
    unsigned int n = 1 + below(8);

    for (unsigned int i = 0; i < n; i++)
        words[below(one_in(2) ? 16 : 512)] = one_in(2) ? any() : odd_number();
}

/* Xen takes an address without a look at it if the handle, which may be anybody's, is one of a mapping for a device. */
static bool is_mapped(unsigned int i)
{
#ifdef PV
    return pte_of(mapped[i]) & PTE_PRESENT;
#else
    (void)i;
    return false;
#endif
}

/* By what Xen says of it, not by what the operation began with: it may not have come to it. */
static void learn_place(const struct call *c, unsigned int i)
{
    const struct gnttab_map_grant_ref *map = c->op;
    const struct gnttab_unmap_grant_ref *unmap = c->op;

    if (c->a[0] == GNTTABOP_map_grant_ref && map->host_addr == places[i].address) {
        if (map->status == 0)
            places[i].handle = map->handle;
        else
            places[i].used = is_mapped(i);
    }
    if (c->a[0] == GNTTABOP_unmap_grant_ref && unmap->host_addr == places[i].address &&
        unmap->status == 0)
        places[i].used = is_mapped(i);
}

/* What succeeded changes what later calls can be about. */
static void learn(const struct call *c)
{
    if (c->nr == __HYPERVISOR_grant_table_op)
        for (unsigned int i = 0; i < NR_MAPPED; i++)
            learn_place(c, i);
#ifdef PV
    if (c->nr == __HYPERVISOR_memory_op && c->a[0] == XENMEM_exchange) {
        struct xen_memory_exchange *op = c->op;
        xen_pfn_t *list = (xen_pfn_t *)((char *)op + OP_SIZE - 8 * sizeof(*list));

        for (unsigned int i = 0; i < 4 && i < op->nr_exchanged; i++)
            set_mfn_of(page(), list[i + 4]);
    }
#endif
}

/* A page without memory gets some again, so that there is always enough to play with. */
static void refill(void *p)
{
    xen_pfn_t f = pfn_of(p);
    struct xen_memory_reservation op = {.extent_start.p = &f, .nr_extents = 1, .domid = DOMID_SELF};

#ifdef PV
    if (pte_of(p) & PTE_PRESENT)
        return;
    if (hypercall(memory_op, XENMEM_populate_physmap, &op) == 1) {
        set_mfn_of(p, f);
        make_writable(p);
    }
#else
    hypercall(memory_op, XENMEM_populate_physmap, &op);
#endif
}

/* A reset closes the console's channel as well. */
static void keep_console(void)
{
    struct evtchn_status status;
    long rc = port_status(console_channel(), &status);

    if (!rc && status.status == EVTCHNSTAT_interdomain)
        return;
    rc = bind_interdomain(0, console_peer);
    if (rc > 0)
        set_console_channel(rc);
}

static void step(void *unused)
{
    unsigned int cpu = this_vcpu(), n = one_in(12) ? 2 + below(NR_CALLS - 1) : 1;

    (void)unused;
    for (unsigned int i = 0; i < n; i++) {
        calls[cpu][i].op = ops[cpu][i];
        choose(&calls[cpu][i]);
    }
    nr_chosen[cpu] = n;
    if (!cpu && one_in(ABANDON))
        abandon(make_calls);
    else
        make_calls();
    for (unsigned int i = 0; i < n; i++)
        learn(&calls[cpu][i]);
}

static void batch(void)
{
    for (unsigned int i = 0; i < BATCH; i++) {
        void (*also)(void *) = one_in(4) ? scribble : one_in(4) ? permit : NULL;

#ifdef PV
        if (one_in(16))
            also = fill_table;
#endif
        /* A page may be read-only, or not there. */
        if (also && catch_trap(also, page()) >= 0)
            nr_caught++;
        if (catch_trap(step, NULL) >= 0) {
            nr_caught++;
            events_off();
            if (!this_vcpu())
                scan_events = scan_events_2l;
        }
        if (one_in(8))
            refill(page());
    }
}

static void secondary(void)
{
    for (;;) {
        batch();
        idle();
    }
}

/* Debug registers hold anything, and NMIs are among what a vCPU sends itself. */
bool handle_trap(struct trap_frame *f)
{
    return f->vector == DB_VECTOR || f->vector == NMI_VECTOR || f->vector == BP_VECTOR;
}

void on_nmi(void)
{
}

static void map_grants(void)
{
    long rc = map_grant_table(grants, ARRAY_SIZE(grants));

    require(!rc, "grant table: %ld", rc);
}

void setup(void)
{
    struct evtchn_status status;
    const char *s = command_line;

    while (*s && memcmp(s, "seed=", 5))
        s++;
    for (s += *s ? 5 : 0; *s >= '0' && *s <= '9'; s++)
        seed = seed * 10 + (*s - '0');
    require(seed, "no seed among its words: %s", command_line);
    for (unsigned int i = 0; i < NR_RUNNING; i++)
        states[i] = (seed + i) * 0x9e3779b97f4a7c15UL;

    domid = own_domid();
    require(!port_status(console_channel(), &status), "the console's port");
    console_peer = status.u.interdomain.port;
    register_nmi();
    map_grants();
#ifdef PV
    for (unsigned int i = 0; i < NR_MAPPED; i++)
        require(!set_pte(mapped[i], 0), "page %u cannot be unmapped", i);
#endif
    say("seed %lu, domain %u", seed, domid);
    start_vcpu(1, secondary);
}

static void say_counts(void)
{
    say("calls %lu, %lu of them successful, %lu abandoned, %lu exceptions",
        nr_calls[0] + nr_calls[1], nr_succeeded[0] + nr_succeeded[1], nr_abandoned, nr_caught);
}

void during(void)
{
    static unsigned int n;

    batch();
    keep_console();
    if (++n % 4 == 0)
        say_counts();
    idle();
}

void verify(unsigned int round)
{
    (void)round;
    say_counts();
}
