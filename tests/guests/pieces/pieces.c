/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Gives up every second page of its memory, as a balloon driver may: free memory of the host is in as many pieces, and so
 * is what the domain has. It has the same after an update.
 */
/* guest: vcpus=1 */
#include "../lib/pv.h"

#define FIRST 16384UL /* pages: image, page tables and the list of frames are in the first 64 MiB */
#define BATCH 512

static long pages(void)
{
    domid_t self = DOMID_SELF;

    return hypercall(memory_op, XENMEM_current_reservation, &self);
}

static long kept;

static void give_up_frames(xen_pfn_t *frames, unsigned long n)
{
    struct xen_memory_reservation op = {.extent_start.p = frames,
                                        .nr_extents = n,
                                        .domid = DOMID_SELF};
    long rc = hypercall(memory_op, XENMEM_decrease_reservation, &op);

    require(rc == (long)n, "%ld of %lu frames could be given up", rc, n);
}

void setup(void)
{
    static xen_pfn_t frames[BATCH];
    const unsigned long *mfns = (unsigned long *)start_info->mfn_list;
    unsigned long n = 0, given = 0;

    for (unsigned long pfn = FIRST; pfn < start_info->nr_pages; pfn++) {
        if (!(mfns[pfn] & 1))
            continue;
        frames[n++] = mfns[pfn];
        given++;
        if (n == BATCH) {
            give_up_frames(frames, n);
            n = 0;
        }
    }
    if (n)
        give_up_frames(frames, n);
    kept = pages();
    say("gave %lu of %lu pages", given, start_info->nr_pages);
}

void verify(unsigned int round)
{
    long now = pages();

    (void)round;
    expect(now == kept, "%ld pages, not %ld", now, kept);
}
