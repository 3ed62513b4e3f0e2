/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NMIs: the update comes while a handler runs, and another NMI waits for its end. It has to come then, and
 * not before, and only once. dom0 sends them, see e2e/kernels.sh.
 */
/* guest: vcpus=1 */
#include "lib/guest.h"

static unsigned int nmis, nested;
static bool in_handler;

/* Runs until the update is over, the first time in each round. */
void on_nmi(void)
{
    uint32_t known = READ_ONCE(*console_input());

    if (in_handler)
        nested++;
    in_handler = true;
    if (++nmis % 2) {
        say("in NMI %u", nmis / 2 + 1);
        while (READ_ONCE(*console_input()) == known)
            idle();
    }
    in_handler = false;
}

void setup(void)
{
    long rc = register_nmi();

    require(!rc, "an NMI handler cannot be registered: %ld", rc);
}

void verify(unsigned int round)
{
    expect(wait_until(10, READ_ONCE(nmis) >= 2 * round), "%u NMIs, expected %u", nmis, 2 * round);
    idle();
    expect(nmis == 2 * round, "%u NMIs, expected %u", nmis, 2 * round);
    expect(!nested, "an NMI interrupted the handler of another");
}
