/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables of PV guests: pinned and not, in use and not, tables that map themselves; their types and
 * counts allow the same as before, and forbid the same, and a page comes free when nothing needs it.
 */
/* guest: vcpus=1 */
#include "lib/pv.h"

#define AREA       ((char *)0x4000000000) /* mapped by tables of our own; slot 0 of L4 */
#define AREA_PAGES 600
#define LINEAR     300UL /* the slot of L4 that maps L4 itself */
#define OTHER      301UL /* the slot of the second L4 that maps the first */
#define NX         (1UL << 63)

static char area_tables[4][PAGE_SIZE] page_aligned;
static uint64_t pinned_l1[512] page_aligned, pinned_l2[512] page_aligned,
    inner_l1[512] page_aligned;
static uint64_t pinned_l3[512] page_aligned, second_l4[512] page_aligned, idle_l1[512] page_aligned;
static char data[4][PAGE_SIZE] page_aligned;

#define MUST(op)                            \
    do {                                    \
        long rc_ = (op);                    \
        require(!rc_, "%s: %ld", #op, rc_); \
    } while (0)
#define EXPECT(op)                         \
    do {                                   \
        long rc_ = (op);                   \
        expect(!rc_, "%s: %ld", #op, rc_); \
    } while (0)
#define EXPECT_REFUSED(op) expect((op) != 0, "%s: is not refused", #op)

static char *area_page(unsigned int i)
{
    return AREA + i * PAGE_SIZE;
}

static uint64_t area_pte(unsigned int i)
{
    /* Bits 9 to 11 are free for software. */
    return make_pte(mfn_of(data[i % 4]), i % 3 ? PTE_RO : PTE_RW) | (i % 8) << 9 | (i % 5 ? 0 : NX);
}

/* Where the self-map shows the entry of L4, L3, L2 or L1 that an address goes through. */
static volatile uint64_t *linear_entry(const void *p, unsigned int level)
{
    uint64_t a = (uintptr_t)p & 0xffffffffffff, base = 0xffff000000000000 | LINEAR << 39;

    for (unsigned int l = 1; l < level; l++)
        a = a >> 9 | LINEAR << 39;
    return (uint64_t *)(base | (a >> 9 & 0x7ffffffff8));
}

static void build(void)
{
    uint64_t *l4 = top_table();

    memset(data, 0, sizeof(data));
    for (unsigned int i = 0; i < 4; i++)
        *(uint64_t *)data[i] = 0xda7a0000 + i;

    pinned_l1[7] = make_pte(mfn_of(data[1]), PTE_RW);
    pinned_l1[8] = make_pte(mfn_of(pinned_l3), PTE_RO); /* a page that becomes a table */
    MUST(make_readonly(pinned_l1));
    MUST(pin_table(1, pinned_l1));

    inner_l1[511] = make_pte(mfn_of(data[2]), PTE_RO);
    MUST(make_readonly(inner_l1));
    pinned_l2[3] = make_pte(mfn_of(inner_l1), PTE_TABLE);
    pinned_l2[4] = make_pte(mfn_of(inner_l1), PTE_TABLE);
    pinned_l2[5] = make_pte(mfn_of(pinned_l1), PTE_TABLE);
    MUST(make_readonly(pinned_l2));
    MUST(pin_table(2, pinned_l2));

    pinned_l3[9] = make_pte(mfn_of(pinned_l2), PTE_TABLE);
    MUST(make_readonly(pinned_l3));
    MUST(pin_table(3, pinned_l3));

    MUST(mmu_update(&l4[LINEAR], make_pte(mfn_of(l4), PTE_RO)));
    for (unsigned int i = 0; i < 256; i++)
        second_l4[i] = l4[i];
    second_l4[OTHER] = make_pte(mfn_of(l4), PTE_RO);
    second_l4[400] = make_pte(mfn_of(pinned_l3), PTE_TABLE);
    MUST(make_readonly(second_l4));
    MUST(pin_table(4, second_l4));
    MUST(mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(second_l4)));
}

void setup(void)
{
    MUST(hypercall(vm_assist, VMASST_CMD_enable, VMASST_TYPE_writable_pagetables));
    add_tables(AREA, AREA_PAGES, area_tables, ARRAY_SIZE(area_tables));
    for (unsigned int i = 0; i < AREA_PAGES; i++)
        MUST(set_pte(area_page(i), area_pte(i)));
    build();
}

static void write_to(void *p)
{
    *(volatile uint64_t *)p = 1;
}

static void verify_area(void)
{
    for (unsigned int i = 0; i < AREA_PAGES; i++) {
        uint64_t *p = (uint64_t *)area_page(i), pte = pte_of(p), wanted = area_pte(i);

        expect(*(volatile uint64_t *)p == 0xda7a0000 + i % 4, "page %u of the area is another one",
               i);
        expect(pte == wanted, "entry of page %u: %#lx, was %#lx", i, pte, wanted);
        expect((*linear_entry(p, 1) & ~PTE_GLOBAL) == pte,
               "the linear map shows another entry %#lx", *linear_entry(p, 1));
    }
    expect(catch_trap(write_to, area_page(1)) == 14, "a read-only page can be written to");
    expect(catch_trap(write_to, top_table()) == 14, "the L4 table can be written to");
    for (unsigned int level = 1; level <= 4; level++)
        expect(*linear_entry(AREA, level) == table_of(AREA, level)[table_index(AREA, level)],
               "the linear map differs at level %u", level);
    for (char *p = (char *)area_tables; p < (char *)data; p += PAGE_SIZE)
        expect(virt_of_mfn(mfn_of(p)) == p, "the M2P entry of frame %#lx is wrong", mfn_of(p));
}

/* Entries of a table in use can be changed in all ways. */
static void verify_changes(void)
{
    uint64_t *entry = &table_of(AREA, 1)[0], old = *entry;

    EXPECT(mmu_update(entry, make_pte(mfn_of(data[3]), PTE_RO)));
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
    expect(*(volatile uint64_t *)AREA == 0xda7a0003, "an entry does not change");
    /* Written to like memory: Xen does it in the guest's place (writable_pagetables). */
    *(volatile uint64_t *)entry = make_pte(mfn_of(data[2]), PTE_RO);
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
    expect(*(volatile uint64_t *)AREA == 0xda7a0002, "an entry that is written to does not change");
    EXPECT_REFUSED(mmu_update(entry, make_pte(mfn_of(entry), PTE_RW)));
    EXPECT_REFUSED(mmu_update(entry, make_pte(0, PTE_RO)));
    EXPECT(mmu_update(entry, old));
    mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
}

/* Runs on the second L4 for a moment. */
static void verify_switch(void)
{
    long rc = mmuext(MMUEXT_NEW_BASEPTR, mfn_of(second_l4));

    expect(!rc, "the second L4 cannot be used: %ld", rc);
    if (!rc) {
        /* pinned_l3, pinned_l2, inner_l1 */
        uint64_t *p =
            (uint64_t *)(0xffff000000000000 | 400UL << 39 | 9UL << 30 | 4UL << 21 | 511UL << 12);

        expect(*(volatile uint64_t *)p == 0xda7a0002, "the second L4 shows another page");
        EXPECT(mmuext(MMUEXT_NEW_BASEPTR, mfn_of(top_table())));
    }
}

/* A table that nothing needs any more becomes an ordinary page. */
static void take_back(uint64_t *table, bool pinned)
{
    long rc = pinned ? unpin_table(table) : 0;

    expect(!rc, "the table at %p cannot be unpinned: %ld", table, rc);
    rc = make_writable(table);
    expect(!rc, "the table at %p cannot be made writable: %ld", table, rc);
    if (!rc)
        memset(table, 0, PAGE_SIZE);
}

/* A pinned table stays what it is, until it is unpinned and nothing else refers to it. */
static void verify_types(void)
{
    uint64_t *l4 = top_table();

    EXPECT_REFUSED(make_writable(pinned_l1));
    EXPECT_REFUSED(make_writable(inner_l1));
    EXPECT_REFUSED(make_writable(pinned_l3));
    EXPECT_REFUSED(make_writable(second_l4));
    EXPECT_REFUSED(pin_table(2, pinned_l1));
    EXPECT_REFUSED(unpin_table(inner_l1));
    EXPECT_REFUSED(unpin_table(idle_l1));

    EXPECT(mmuext(MMUEXT_NEW_USER_BASEPTR, 0));
    EXPECT_REFUSED(make_writable(second_l4));
    take_back(second_l4, true);
    EXPECT(mmu_update(&l4[LINEAR], 0));
    take_back(pinned_l3, true);
    EXPECT_REFUSED(make_writable(inner_l1));
    take_back(pinned_l2, true);
    take_back(inner_l1, false);
    take_back(pinned_l1, true);

    /* Any page can become a table, and stop to be one. */
    EXPECT(make_readonly(idle_l1));
    EXPECT(pin_table(1, idle_l1));
    take_back(idle_l1, true);
}

void verify(unsigned int round)
{
    (void)round;
    verify_area();
    verify_changes();
    verify_switch();
    verify_types();
    expect(renew_page(inner_l1), "a page that was a table does not become free");
    expect(renew_page(second_l4), "a page that was an L4 table does not become free");
    memset(inner_l1, 0, PAGE_SIZE);
    memset(second_l4, 0, PAGE_SIZE);
    build();
}
