/* SPDX-License-Identifier: GPL-2.0-only */
/* The part of the library that knows of PV guests: start, exceptions, vCPUs, page tables. */
#include "internal.h"
#include "pv.h"

#include <xen/io/console.h>

struct start_info *start_info;

static unsigned long *mfn_list;
static char shared_info_page[PAGE_SIZE] page_aligned;

/* --- Frames and page tables --- */

unsigned long mfn_of(const volatile void *p)
{
    return mfn_list[pfn_of(p)];
}

unsigned long gfn_of(const volatile void *p)
{
    return mfn_of(p);
}

void *virt_of_mfn(unsigned long mfn)
{
    const unsigned long *m2p = (const unsigned long *)MACH2PHYS_VIRT_START;

    return (void *)(m2p[mfn] * PAGE_SIZE);
}

void set_mfn_of(void *p, unsigned long mfn)
{
    mfn_list[pfn_of(p)] = mfn;
}

uint64_t *top_table(void)
{
    return (uint64_t *)start_info->pt_base;
}

unsigned int table_index(const void *p, unsigned int level)
{
    return (uintptr_t)p >> (12 + 9 * (level - 1)) & 511;
}

uint64_t *table_of(const void *p, unsigned int level)
{
    uint64_t *table = top_table();

    for (unsigned int l = 4; l > level; l--) {
        uint64_t e = READ_ONCE(table[table_index(p, l)]);

        if (!(e & PTE_PRESENT))
            return NULL;
        table = virt_of_mfn(PTE_MFN(e));
    }
    return table;
}

uint64_t pte_of(const void *p)
{
    uint64_t *table = table_of(p, 1);

    return table ? READ_ONCE(table[table_index(p, 1)]) & ~PTE_GLOBAL : 0;
}

long set_pte(void *p, uint64_t pte)
{
    return hypercall(update_va_mapping, p, pte, UVMF_INVLPG | UVMF_ALL);
}

long mmu_update(void *entry, uint64_t value)
{
    struct mmu_update op = {
        .ptr = mfn_of(entry) * PAGE_SIZE | ((uintptr_t)entry & ~PAGE_MASK) | MMU_NORMAL_PT_UPDATE,
        .val = value,
    };

    return hypercall(mmu_update, &op, 1, NULL, DOMID_SELF);
}

long mmuext(unsigned int cmd, unsigned long mfn)
{
    struct mmuext_op op = {.cmd = cmd, .arg1.mfn = mfn};

    return hypercall(mmuext_op, &op, 1, NULL, DOMID_SELF);
}

long pin_table(unsigned int level, const void *table)
{
    return mmuext(MMUEXT_PIN_L1_TABLE + level - 1, mfn_of(table));
}

long unpin_table(const void *table)
{
    return mmuext(MMUEXT_UNPIN_TABLE, mfn_of(table));
}

long make_readonly(void *page)
{
    return set_pte(page, make_pte(mfn_of(page), PTE_RO));
}

long make_writable(void *page)
{
    return set_pte(page, make_pte(mfn_of(page), PTE_RW));
}

static long reservation(void)
{
    domid_t domid = DOMID_SELF;

    return hypercall(memory_op, XENMEM_current_reservation, &domid);
}

bool renew_page(void *page)
{
    xen_pfn_t frame = mfn_of(page);
    struct xen_memory_reservation op = {.extent_start.p = &frame,
                                        .nr_extents = 1,
                                        .domid = DOMID_SELF};
    long before = reservation();
    bool left;

    require(!set_pte(page, 0), "page %p cannot be unmapped", page);
    left =
        hypercall(memory_op, XENMEM_decrease_reservation, &op) == 1 && reservation() == before - 1;
    frame = pfn_of(page);
    require(hypercall(memory_op, XENMEM_populate_physmap, &op) == 1, "no new page for %p", page);
    set_mfn_of(page, frame);
    require(!make_writable(page), "the new page at %p cannot be mapped", page);
    return left;
}

void add_tables(void *p, unsigned long nr_pages, void *pages, unsigned int nr_tables)
{
    char *end = (char *)p + nr_pages * PAGE_SIZE;

    for (unsigned int level = 3; level; level--)
        for (char *a = p; a < end;
             a = (char *)(((uintptr_t)a | ((PAGE_SIZE << 9 * level) - 1)) + 1)) {
            uint64_t *parent = table_of(a, level + 1);
            unsigned int i = table_index(a, level + 1);
            long rc;

            if (parent[i] & PTE_PRESENT)
                continue;
            require(nr_tables--, "more page tables are needed");
            memset(pages, 0, PAGE_SIZE);
            rc = make_readonly(pages) ?: mmu_update(&parent[i], make_pte(mfn_of(pages), PTE_TABLE));
            require(!rc, "a page table of level %u: %ld", level, rc);
            pages = (char *)pages + PAGE_SIZE;
        }
}

/* Xen's frames, shared with this domain, take the place of pages. */
static void map_frames(void *pages, const xen_pfn_t *frames, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++) {
        long rc = set_pte((char *)pages + i * PAGE_SIZE, make_pte(frames[i], PTE_RW));

        require(!rc, "frame %#lx cannot be mapped: %ld", frames[i], rc);
    }
}

long map_grant_table(void *pages, unsigned int nr)
{
    xen_pfn_t frames[nr];
    struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = nr, .frame_list.p = frames};
    long rc = hypercall(grant_table_op, GNTTABOP_setup_table, &op, 1) ?: op.status;

    if (!rc)
        map_frames(pages, frames, nr);
    return rc;
}

long map_grant_status(void *pages, unsigned int nr)
{
    xen_pfn_t frames[nr];
    struct gnttab_get_status_frames op = {.dom = DOMID_SELF,
                                          .nr_frames = nr,
                                          .frame_list.p = frames};
    long rc = hypercall(grant_table_op, GNTTABOP_get_status_frames, &op, 1) ?: op.status;

    if (!rc)
        map_frames(pages, frames, nr);
    return rc;
}

/* --- Exceptions --- */

static struct trap_info trap_table[ARRAY_SIZE(trap_entries) + 1];

void on_failsafe(void)
{
    give_up("a segment register could not be loaded");
}

/* --- Events --- */

void events_off(void)
{
    WRITE_ONCE(vcpu_infos[this_vcpu()]->evtchn_upcall_mask, 1);
    barrier();
}

void events_on(void)
{
    struct vcpu_info *v = vcpu_infos[this_vcpu()];

    barrier();
    WRITE_ONCE(v->evtchn_upcall_mask, 0);
    mb();
    /* What came while they were masked has had no upcall, and will not get one by itself. */
    if (READ_ONCE(v->evtchn_upcall_pending))
        hypercall(xen_version, XENVER_version, NULL);
}

void block(void)
{
    hypercall(sched_op, SCHEDOP_block, NULL);
    events_off();
}

/* --- vCPUs --- */

unsigned long fault_address(void)
{
    return vcpu_infos[this_vcpu()]->arch.cr2;
}

extern char failsafe_entry[];

long init_vcpu(unsigned int vcpu, void (*function)(void))
{
    static struct vcpu_guest_context c;

    vcpu_functions[vcpu] = function;
    memset(&c, 0, sizeof(c));
    c.flags = VGCF_IN_KERNEL;
    memcpy(c.trap_ctxt, trap_table, sizeof(trap_table));
    c.kernel_ss = FLAT_KERNEL_SS;
    c.kernel_sp = (uintptr_t)stacks[vcpu + 1] - 8;
    c.user_regs.cs = FLAT_KERNEL_CS;
    c.user_regs.ss = FLAT_KERNEL_SS;
    c.user_regs.rip = (uintptr_t)secondary_start;
    c.user_regs.rsp = (uintptr_t)stacks[vcpu + 1] - 16;
    c.ctrlreg[3] = xen_pfn_to_cr3(mfn_of(top_table()));
    c.event_callback_eip = (uintptr_t)event_entry;
    c.failsafe_callback_eip = (uintptr_t)failsafe_entry;
    return hypercall(vcpu_op, VCPUOP_initialise, vcpu, &c);
}

long register_nmi(void)
{
    struct callback_register nmi = {.type = CALLBACKTYPE_nmi, .address = (uintptr_t)nmi_entry};

    return hypercall(callback_op, CALLBACKOP_register, &nmi);
}

static void set_entries(void)
{
    struct callback_register event = {.type = CALLBACKTYPE_event,
                                      .address = (uintptr_t)event_entry};
    struct callback_register failsafe = {.type = CALLBACKTYPE_failsafe,
                                         .address = (uintptr_t)failsafe_entry};

    for (unsigned int i = 0; i < ARRAY_SIZE(trap_entries); i++)
        trap_table[i] = (struct trap_info){
            .vector = i,
            .flags = 4 | (i == 3 || i == 4 ? 3 : 0), /* masks events; int3 and into are for all */
            .cs = FLAT_KERNEL_CS,
            .address = (uintptr_t)trap_entries[i],
        };
    hypercall(set_trap_table, trap_table);
    hypercall(callback_op, CALLBACKOP_register, &event);
    hypercall(callback_op, CALLBACKOP_register, &failsafe);
}

_Noreturn void pv_main(void)
{
    mfn_list = (unsigned long *)start_info->mfn_list;
    set_pte(shared_info_page, start_info->shared_info | PTE_RW);
    shared_info = (struct shared_info *)shared_info_page;
    for (unsigned int i = 0; i < MAX_VCPUS; i++)
        vcpu_infos[i] = &shared_info->vcpu_info[i];
    set_entries();
    command_line = (const char *)start_info->cmd_line;
    console_init(virt_of_mfn(start_info->console.domU.mfn), start_info->console.domU.evtchn);
    guest_main();
}
