/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest brings itself into a state that is not carried, and stays in it: the check says so by its name, and the host can be
 * updated without it.
 */
/* guest: vcpus=1 */
/* cases: PROFILE:pv */
#include "../lib/pv.h"

#include <xen/xenoprof.h>

enum {
    PROFILE, /* it has a buffer for xenoprof's samples, which needs no privilege */
};

_Static_assert(CASE == PROFILE, "a case");

void setup(void)
{
    struct xenoprof_get_buffer op = {.max_samples = 64};
    long rc = hypercall(xenoprof_op, XENOPROF_get_buffer, &op);

    require(!rc, "xenoprof's buffer: %ld", rc);
}

void verify(unsigned int round)
{
    (void)round;
}
