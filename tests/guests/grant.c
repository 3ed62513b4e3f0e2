/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grants of version 1, mapped by the domain itself: mappings, handles and flags stay; what is mapped
 * can be unmapped, and then nothing refers to the page any more.
 */
/* guest: vcpus=1 */
#include "lib/pv.h"

#define NR_FRAMES    3
#define REFS_A_FRAME (PAGE_SIZE / sizeof(struct grant_entry_v1))
#define NR_REFS      (NR_FRAMES * REFS_A_FRAME)
/* More than one page of Xen's list of mappings has room for; a grant can be mapped 255 times. */
#define NR_MANY      700
#define MANY_A_GRANT 200

/* Grants by their references. */
enum {
    SHARED = 64,
    READONLY,
    BY_PTE,
    UNMAPPED,
    OVERWRITTEN,
    GIVEN_AWAY,
    MANY,
    MANY_END = MANY + 4,
    LAST = NR_REFS - 1
};

static struct grant_entry_v1 table[NR_REFS] page_aligned;
static char pages[128][PAGE_SIZE] page_aligned;
static char area[8][PAGE_SIZE] page_aligned;
static char tables[8][PAGE_SIZE] page_aligned;
static char target[PAGE_SIZE] page_aligned;
/* Where the many mappings of one page lie: beyond all memory. */
#define MANY_AT ((char *)0x4000000000)

static unsigned int self;
static grant_handle_t shared_rw, shared_ro, readonly, by_pte, overwritten, given_away, last;
static grant_handle_t many[NR_MANY];

static char *page_of(unsigned int ref)
{
    return pages[ref % ARRAY_SIZE(pages)];
}

static void grant(unsigned int ref, unsigned int flags)
{
    for (unsigned int i = 0; i < PAGE_SIZE; i += 8)
        *(uint64_t *)(page_of(ref) + i) = (uint64_t)ref << 32 | i;
    table[ref].frame = gfn_of(page_of(ref));
    table[ref].domid = self;
    mb();
    table[ref].flags = GTF_permit_access | flags;
}

static void must_map(void *p, unsigned int ref, unsigned int flags, grant_handle_t *handle)
{
    int rc = map_grant(p, self, ref, flags | GNTMAP_host_map, handle);

    require(!rc, "grant %u cannot be mapped at %p: %d", ref, p, rc);
}

static uint64_t *pte_address(void *p)
{
    return &table_of(p, 1)[table_index(p, 1)];
}

static uint64_t pte_maddr(void *p)
{
    uint64_t *pte = pte_address(p);

    return mfn_of(pte) * PAGE_SIZE + ((uintptr_t)pte & ~PAGE_MASK);
}

static void prepare(void)
{
    grant(SHARED, 0);
    grant(READONLY, GTF_readonly);
    grant(BY_PTE, 0);
    grant(UNMAPPED, 0);
    grant(OVERWRITTEN, 0);
    grant(GIVEN_AWAY, 0);
    grant(LAST, 0);

    must_map(area[0], SHARED, 0, &shared_rw);
    must_map(area[1], SHARED, GNTMAP_readonly, &shared_ro);
    must_map(area[2], READONLY, GNTMAP_readonly, &readonly);
    must_map((void *)pte_maddr(area[3]), BY_PTE, GNTMAP_contains_pte, &by_pte);
    must_map(area[4], OVERWRITTEN, 0, &overwritten);
    must_map(area[5], GIVEN_AWAY, 0, &given_away);
    must_map(area[6], LAST, 0, &last);
    /* Xen goes by what it saw when the grant was mapped. */
    table[OVERWRITTEN].frame = gfn_of(page_of(UNMAPPED));
}

static void map_many(unsigned int i)
{
    must_map(MANY_AT + i * PAGE_SIZE, MANY + i / MANY_A_GRANT, i % 2 ? GNTMAP_readonly : 0,
             &many[i]);
}

void setup(void)
{
    long rc = map_grant_table(table, NR_FRAMES);

    require(!rc, "the grant table cannot be set up: %ld", rc);
    self = own_domid();
    add_tables(MANY_AT, NR_MANY, tables, ARRAY_SIZE(tables));
    for (unsigned int i = 0; i < ARRAY_SIZE(area); i++)
        require(!set_pte(area[i], 0), "page %u cannot be unmapped", i);
    prepare();
    for (unsigned int ref = MANY; ref < MANY_END; ref++)
        grant(ref, 0);
    for (unsigned int i = 0; i < NR_MANY; i++)
        map_many(i);
}

static void write_to(void *p)
{
    *(volatile uint64_t *)p = 1;
}

static void verify_mapping(const char *what, void *p, unsigned int ref, bool writable)
{
    volatile uint64_t *mine = (uint64_t *)(page_of(ref) + 64),
                      *mapped = (uint64_t *)((char *)p + 64);
    uint64_t expected = (uint64_t)ref << 32 | 64;

    expect(*mapped == expected, "%s: reads %#lx", what, *mapped);
    *mine = ~expected;
    expect(*mapped == ~expected, "%s: is another page", what);
    *mine = expected;
    if (writable) {
        *mapped = 1;
        expect(*mine == 1, "%s: writes to another page", what);
        *mine = expected;
    } else
        expect(catch_trap(write_to, p) == 14, "%s: can be written to", what);
}

static void expect_flags(unsigned int ref, unsigned int flags)
{
    expect(table[ref].flags == flags, "grant %u has flags %#x, expected %#x", ref, table[ref].flags,
           flags);
}

static void expect_unmap(void *p, grant_handle_t handle, unsigned int ref, unsigned int flags)
{
    int rc = unmap_grant(p, handle);

    expect(!rc, "grant %u, handle %u: cannot be unmapped: %d", ref, handle, rc);
    expect(unmap_grant(p, handle) == GNTST_bad_handle, "grant %u: handle %u is still good", ref,
           handle);
    expect_flags(ref, GTF_permit_access | flags);
}

static void verify_single(void)
{
    expect_flags(SHARED, GTF_permit_access | GTF_reading | GTF_writing);
    expect_flags(READONLY, GTF_permit_access | GTF_readonly | GTF_reading);
    expect_flags(UNMAPPED, GTF_permit_access);
    verify_mapping("a shared page", area[0], SHARED, true);
    verify_mapping("a shared page, read-only", area[1], SHARED, false);
    verify_mapping("a read-only grant", area[2], READONLY, false);
    verify_mapping("mapped by PTE", area[3], BY_PTE, true);
    verify_mapping("an overwritten grant", area[4], OVERWRITTEN, true);
    verify_mapping("the last grant", area[6], LAST, true);

    expect_unmap(area[0], shared_rw, SHARED, GTF_reading);
    expect_unmap(area[1], shared_ro, SHARED, 0);
    expect_unmap(area[2], readonly, READONLY, GTF_readonly);
    expect_unmap((void *)pte_maddr(area[3]), by_pte, BY_PTE, 0);
    expect_unmap(area[4], overwritten, OVERWRITTEN, 0);
    expect_unmap(area[6], last, LAST, 0);
    expect(!(pte_of(area[0]) & PTE_PRESENT), "an unmapped grant is still there");
}

static void verify_copy(void)
{
    int rc = copy_grant(UNMAPPED, 0, target, PAGE_SIZE);

    expect(!rc && !memcmp(target, page_of(UNMAPPED), PAGE_SIZE), "a grant cannot be copied: %d",
           rc);
    expect_flags(UNMAPPED, GTF_permit_access);
}

static void verify_many(unsigned int round)
{
    for (unsigned long i = 0; i < NR_MANY; i++) {
        char *p = MANY_AT + i * PAGE_SIZE;

        expect(*(volatile uint64_t *)(p + 8) == ((MANY + i / MANY_A_GRANT) << 32 | 8),
               "mapping %lu is another page", i);
        if (i % 3 != round % 3)
            continue;
        expect(!unmap_grant(p, many[i]), "mapping %lu cannot be unmapped", i);
        map_many(i);
    }
    for (unsigned int i = 0; i < NR_MANY; i++)
        for (unsigned int j = 0; j < i; j++)
            expect(many[i] != many[j], "mappings %u and %u have the same handle", i, j);
}

/* A page that was mapped as a grant leaves the domain: nothing refers to it any more. */
static void verify_count(void)
{
    expect_unmap(area[5], given_away, GIVEN_AWAY, 0);
    table[GIVEN_AWAY].flags = 0;
    expect(renew_page(page_of(GIVEN_AWAY)), "a page that was granted does not become free");
}

void verify(unsigned int round)
{
    verify_single();
    verify_copy();
    verify_many(round);
    verify_count();
    prepare();
}
