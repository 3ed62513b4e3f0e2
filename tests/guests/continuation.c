/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypercalls that take long: Xen interrupts them and has the guest call again for the rest. An update in
 * the middle of one must not lose or repeat a part. vCPU 0 makes them all the time.
 */
/* guest: vcpus=1 memory=16 */
#include "lib/pv.h"

#include <xen/errno.h>

#define AREA       ((char *)0x4000000000)
#define AREA_PAGES 2048
#define NR_CALLS   1024
#define NR_TABLES  32
#define NR_EXTENTS 512
#define NR_COPIES  512

static char area_tables[8][PAGE_SIZE] page_aligned;
static char data[2][PAGE_SIZE] page_aligned;
static struct mmu_update updates[AREA_PAGES];
static struct multicall_entry calls[NR_CALLS];
static uint64_t l4[512] page_aligned, l3[512] page_aligned, l2[512] page_aligned;
static uint64_t l1[NR_TABLES][512] page_aligned;
static xen_pfn_t extents[NR_EXTENTS];
static struct gnttab_copy copies[NR_COPIES];
static char copy_from[PAGE_SIZE] page_aligned, copy_to[NR_COPIES * 8] page_aligned;
static unsigned int done[5];

void setup(void)
{
    add_tables(AREA, AREA_PAGES, area_tables, ARRAY_SIZE(area_tables));

    for (unsigned int i = 0; i < 256; i++)
        l4[i] = top_table()[i];
    l4[400] = make_pte(mfn_of(l3), PTE_TABLE);
    l3[0] = make_pte(mfn_of(l2), PTE_TABLE);
    for (unsigned int t = 0; t < NR_TABLES; t++) {
        for (unsigned int i = 0; i < 512; i++)
            l1[t][i] = make_pte(mfn_of(data[i % 2]), i % 3 ? PTE_RW : PTE_RO);
        l2[t] = make_pte(mfn_of(l1[t]), PTE_TABLE);
        require(!make_readonly(l1[t]), "table %u", t);
    }
    require(!make_readonly(l2) && !make_readonly(l3) && !make_readonly(l4), "tables");

    /* The end of memory, which nobody has mapped. */
    for (unsigned int i = 0; i < NR_EXTENTS; i++)
        extents[i] = mfn_of((void *)((start_info->nr_pages - NR_EXTENTS + i) * PAGE_SIZE));
    for (unsigned int i = 0; i < PAGE_SIZE; i++)
        copy_from[i] = i * 7;
}

/* Every entry of the area changes in one hypercall. */
static void update_many(unsigned int turn)
{
    uint64_t pte = make_pte(mfn_of(data[turn % 2]), PTE_RW);
    unsigned int nr = 0;
    long rc;

    for (unsigned int i = 0; i < AREA_PAGES; i++) {
        char *p = AREA + i * PAGE_SIZE;
        uint64_t *entry = &table_of(p, 1)[table_index(p, 1)];

        updates[i].ptr = mfn_of(entry) * PAGE_SIZE | ((uintptr_t)entry & ~PAGE_MASK);
        updates[i].val = pte;
    }
    rc = hypercall(mmu_update, updates, AREA_PAGES, &nr, DOMID_SELF);
    expect(!rc && nr == AREA_PAGES, "mmu_update: %ld, %u of %lu done", rc, nr, (long)AREA_PAGES);
    for (unsigned int i = 0; i < AREA_PAGES; i++)
        expect((pte_of(AREA + i * PAGE_SIZE) | PTE_ACCESSED | PTE_DIRTY) == pte,
               "entry %u has not changed", i);
}

/* Each call once, in order: the last one for a page counts, and each has its own result. */
static void call_many(unsigned int turn)
{
    long rc;

    for (unsigned int i = 0; i < NR_CALLS; i++) {
        struct multicall_entry *c = &calls[i];

        memset(c, 0, sizeof(*c));
        c->result = 0x5555;
        if (i % 4 == 3) {
            c->op = __HYPERVISOR_xen_version; /* XENVER_version */
        } else {
            c->op = __HYPERVISOR_update_va_mapping;
            c->args[0] = (uintptr_t)AREA + (i / 8) * PAGE_SIZE;
            c->args[1] = make_pte(mfn_of(data[(i + turn) % 2]), PTE_RO);
            c->args[2] = UVMF_INVLPG;
        }
    }
    rc = hypercall(multicall, calls, NR_CALLS);
    expect(!rc, "multicall: %ld", rc);
    for (unsigned int i = 0; i < NR_CALLS; i++)
        expect(i % 4 == 3 ? calls[i].result >> 16 == 4 : calls[i].result == 0, "call %u: %ld", i,
               (long)calls[i].result);
    for (unsigned int i = 0; i < NR_CALLS / 8; i++)
        expect(PTE_MFN(pte_of(AREA + i * PAGE_SIZE)) == mfn_of(data[(i * 8 + 6 + turn) % 2]),
               "page %u shows an earlier call's frame", i);
}

/* A whole tree is validated, and torn down again. */
static void pin_tree(unsigned int turn)
{
    long rc = pin_table(4, l4);

    expect(!rc, "pinning: %ld", rc);
    /* Now and then only: Xen logs each. */
    if (turn % 64 == 0)
        expect(make_writable(l1[NR_TABLES - 1]), "a table that is pinned can be made writable");
    rc = unpin_table(l4);
    expect(!rc, "unpinning: %ld", rc);
    rc = make_writable(l1[0]) ?: make_readonly(l1[0]) ?: make_writable(l4) ?: make_readonly(l4);
    expect(!rc, "a table that was unpinned does not become writable: %ld", rc);
}

/* Gives memory back and gets other. */
static void exchange_memory(unsigned int turn)
{
    struct xen_memory_reservation op = {.extent_start.p = extents,
                                        .nr_extents = NR_EXTENTS,
                                        .domid = DOMID_SELF};
    unsigned long first = start_info->nr_pages - NR_EXTENTS;
    domid_t self = DOMID_SELF;
    long rc = hypercall(memory_op, XENMEM_decrease_reservation, &op);

    (void)turn;
    expect(rc == NR_EXTENTS, "decrease_reservation: %ld", rc);
    for (unsigned int i = 0; i < NR_EXTENTS; i++)
        extents[i] = first + i;
    rc = hypercall(memory_op, XENMEM_populate_physmap, &op);
    expect(rc == NR_EXTENTS, "populate_physmap: %ld", rc);
    for (unsigned int i = 0; i < NR_EXTENTS; i++)
        expect(virt_of_mfn(extents[i]) == (void *)((first + i) * PAGE_SIZE),
               "page %u came elsewhere", i);
    rc = hypercall(memory_op, XENMEM_current_reservation, &self);
    expect(rc == (long)start_info->nr_pages, "%ld pages, were %lu", rc, start_info->nr_pages);
}

static void copy_many(unsigned int turn)
{
    long rc;
    unsigned int wrong = 0;

    memset(copy_to, 0, sizeof(copy_to));
    for (unsigned int i = 0; i < NR_COPIES; i++)
        copies[i] = (struct gnttab_copy){
            .source = {.u.gmfn = gfn_of(copy_from),
                       .domid = DOMID_SELF,
                       .offset = (i + turn) % 256 * 8},
            .dest = {.u.gmfn = gfn_of(copy_to + i * 8),
                     .domid = DOMID_SELF,
                     .offset = i * 8 % PAGE_SIZE},
            .len = 8,
        };
    rc = hypercall(grant_table_op, GNTTABOP_copy, copies, NR_COPIES);
    expect(!rc, "copying: %ld", rc);
    for (unsigned int i = 0; i < NR_COPIES; i++)
        wrong += copies[i].status || memcmp(copy_to + i * 8, copy_from + (i + turn) % 256 * 8, 8);
    expect(!wrong, "%u copies went wrong", wrong);
}

void during(void)
{
    static void (*const all[])(unsigned int) = {update_many, call_many, pin_tree, exchange_memory,
                                                copy_many};
    static unsigned int turn;
    unsigned int which = turn++ % ARRAY_SIZE(all);

    all[which](turn / ARRAY_SIZE(all));
    done[which]++;
}

void verify(unsigned int round)
{
    say("round %u: %u of each so far", round, done[ARRAY_SIZE(done) - 1]);
    for (unsigned int i = 0; i < 2 * ARRAY_SIZE(done); i++)
        during();
}
