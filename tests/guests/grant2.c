/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grants of version 2, whose state Xen writes into status frames of its own: version and status stay;
 * parts of pages can be copied; the table grows, and can go back to version 1 and come again.
 */
/* guest: vcpus=1 max_grant_frames=32 max_grant_version=2 */
#include "lib/pv.h"

#define REFS_A_FRAME   (PAGE_SIZE / sizeof(union grant_entry_v2))
#define MAX_FRAMES     20
#define STATUS_A_FRAME (PAGE_SIZE / sizeof(grant_status_t))

enum { FULL = 40, READONLY, PART, TWICE, NR_PAGES };

static union grant_entry_v2 table[MAX_FRAMES * REFS_A_FRAME] page_aligned;
static grant_status_t status[MAX_FRAMES * REFS_A_FRAME + STATUS_A_FRAME] page_aligned;
static char pages[NR_PAGES + 1][PAGE_SIZE] page_aligned;
static char area[5][PAGE_SIZE] page_aligned;
static char target[PAGE_SIZE] page_aligned;

static unsigned int self, nr_frames = 4, last;
static grant_handle_t full, readonly, twice[2], end;

static unsigned int nr_status(void)
{
    return (nr_frames * REFS_A_FRAME + STATUS_A_FRAME - 1) / STATUS_A_FRAME;
}

static char *page_of(unsigned int ref)
{
    return pages[ref < NR_PAGES ? ref : NR_PAGES];
}

static void grant(unsigned int ref, unsigned int flags)
{
    memset(page_of(ref), ref, PAGE_SIZE);
    *(uint64_t *)page_of(ref) = ref;
    table[ref].hdr.domid = self;
    table[ref].full_page.frame = gfn_of(page_of(ref));
    if (flags & GTF_sub_page) {
        table[ref].sub_page.page_off = 100;
        table[ref].sub_page.length = 200;
    }
    mb();
    table[ref].hdr.flags = GTF_permit_access | flags;
}

static void must_map(void *p, unsigned int ref, unsigned int flags, grant_handle_t *handle)
{
    int rc = map_grant(p, self, ref, flags | GNTMAP_host_map, handle);

    require(!rc, "grant %u cannot be mapped: %d", ref, rc);
}

static void map_table(void)
{
    long rc = map_grant_table(table, nr_frames) ?: map_grant_status(status, nr_status());

    require(!rc, "a table of %u frames: %ld", nr_frames, rc);
    last = nr_frames * REFS_A_FRAME - 1;
}

static void prepare(void)
{
    grant(FULL, 0);
    grant(READONLY, GTF_readonly);
    grant(PART, GTF_sub_page);
    grant(TWICE, 0);
    grant(last, 0);
    must_map(area[0], FULL, 0, &full);
    must_map(area[1], READONLY, GNTMAP_readonly, &readonly);
    must_map(area[2], TWICE, GNTMAP_readonly, &twice[0]);
    must_map(area[3], TWICE, 0, &twice[1]);
    must_map(area[4], last, 0, &end);
}

void setup(void)
{
    long rc = set_grant_version(2);

    require(!rc, "version 2: %ld", rc);
    self = own_domid();
    map_table();
    for (unsigned int i = 0; i < ARRAY_SIZE(area); i++)
        require(!set_pte(area[i], 0), "page %u cannot be unmapped", i);
    prepare();
}

static void expect_status(unsigned int ref, unsigned int expected)
{
    expect(status[ref] == expected, "grant %u has status %#x, expected %#x", ref, status[ref],
           expected);
}

static void expect_mapped(void *p, unsigned int ref)
{
    expect(*(volatile uint64_t *)p == ref, "grant %u: reads %#lx", ref, *(volatile uint64_t *)p);
}

static void expect_unmap(void *p, grant_handle_t handle, unsigned int ref, unsigned int expected)
{
    int rc = unmap_grant(p, handle);

    expect(!rc, "grant %u cannot be unmapped: %d", ref, rc);
    expect_status(ref, expected);
}

static void verify_version(void)
{
    struct gnttab_get_version v = {.dom = DOMID_SELF};
    struct gnttab_query_size size = {.dom = DOMID_SELF};

    hypercall(grant_table_op, GNTTABOP_get_version, &v, 1);
    expect(v.version == 2, "the table is of version %u", v.version);
    hypercall(grant_table_op, GNTTABOP_query_size, &size, 1);
    expect(size.nr_frames == nr_frames, "%u frames, were %u", size.nr_frames, nr_frames);
    expect(size.max_nr_frames == 32, "at most %u frames", size.max_nr_frames);
}

static void verify_part(void)
{
    int rc = copy_grant(PART, 100, target, 200);

    expect(!rc && !memcmp(target, page_of(PART) + 100, 200), "part of a page cannot be copied: %d",
           rc);
    expect(copy_grant(PART, 99, target, 200) == GNTST_general_error,
           "more than a part can be copied");
    expect_status(PART, 0);
}

/* Back to version 1 goes only if nobody refers to the status frames; and version 2 begins anew. */
static void verify_switch(void)
{
    long rc;

    memset(table, 0, nr_frames * PAGE_SIZE);
    for (unsigned int i = 0; i < nr_status(); i++)
        set_pte((char *)status + i * PAGE_SIZE, 0);
    rc = set_grant_version(1);
    expect(!rc, "back to version 1: %ld", rc);
    rc = set_grant_version(2);
    expect(!rc, "and to version 2 again: %ld", rc);
}

void verify(unsigned int round)
{
    verify_version();
    expect_status(FULL, GTF_reading | GTF_writing);
    expect_status(READONLY, GTF_reading);
    expect_status(TWICE, GTF_reading | GTF_writing);
    expect_status(PART, 0);
    expect_status(last, GTF_reading | GTF_writing);
    expect_mapped(area[0], FULL);
    expect_mapped(area[1], READONLY);
    expect_mapped(area[2], TWICE);
    expect_mapped(area[3], TWICE);
    expect_mapped(area[4], last);
    expect_unmap(area[0], full, FULL, 0);
    expect_unmap(area[1], readonly, READONLY, 0);
    expect_unmap(area[3], twice[1], TWICE, GTF_reading);
    expect_unmap(area[2], twice[0], TWICE, 0);
    expect_unmap(area[4], end, last, 0);
    verify_part();
    if (round % 2)
        verify_switch();
    if (nr_frames + 8 <= MAX_FRAMES)
        nr_frames += 8;
    map_table();
    prepare();
}
