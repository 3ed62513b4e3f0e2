/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest brings itself, or another one, into a state that is not carried, and keeps it there: the check says so by a name, and
 * the host can be updated without it.
 */
/* guest: vcpus=1 */
/* cases: PROFILE:pv LEND:pv KEEP:pv */
#include "../lib/pv.h"

#include <xen/xenoprof.h>

enum {
    PROFILE, /* it has a buffer for xenoprof's samples, which needs no privilege */
    LEND,    /* lends a page to each of the next domains */
    KEEP,    /* has that page mapped, which the one before cannot go without */
};

_Static_assert(CASE <= KEEP, "a case");

#define FIRST     8 /* of the references, behind those of the toolstack */
#define NR_GUESTS 16

static struct grant_entry_v1 table[PAGE_SIZE / sizeof(struct grant_entry_v1)] page_aligned;
static char page[PAGE_SIZE] page_aligned;

static void get_profiled(void)
{
    struct xenoprof_get_buffer op = {.max_samples = 64};
    long rc = hypercall(xenoprof_op, XENOPROF_get_buffer, &op);

    require(!rc, "xenoprof's buffer: %ld", rc);
}

static void lend(void)
{
    long rc = map_grant_table(table, 1);
    unsigned int self = own_domid();

    require(!rc, "a grant table: %ld", rc);
    for (unsigned int i = 0; i < NR_GUESTS; i++) {
        table[FIRST + i].frame = gfn_of(page);
        table[FIRST + i].domid = self + 1 + i;
        mb();
        table[FIRST + i].flags = GTF_permit_access;
    }
}

static void keep(void)
{
    unsigned int self = own_domid();
    grant_handle_t handle;
    int rc = -1;

    require(!set_pte(page, 0), "the page cannot be unmapped");
    for (unsigned int i = 0; rc && i < NR_GUESTS; i++)
        rc = map_grant(page, self - 1 - i, FIRST + i, GNTMAP_host_map, &handle);
    require(!rc, "no domain before this one lends a page: %d", rc);
}

void setup(void)
{
    switch (CASE) {
    case PROFILE: get_profiled(); break;
    case LEND: lend(); break;
    case KEEP: keep(); break;
    }
}

void verify(unsigned int round)
{
    (void)round;
}
