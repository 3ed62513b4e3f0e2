/* SPDX-License-Identifier: GPL-2.0-only */
/* A domain keeps its id, whatever it is: e2e/kernels.sh starts this one under high ids, with gaps between. */
/* guest: vcpus=1 */
#include "lib/guest.h"

static unsigned int id;

void setup(void)
{
    id = own_domid();
    say("domain %u", id);
}

void verify(unsigned int round)
{
    (void)round;
    expect(own_domid() == id, "domain %u was domain %u", own_domid(), id);
}
