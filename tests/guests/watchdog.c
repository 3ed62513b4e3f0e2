/* SPDX-License-Identifier: GPL-2.0-only */
/* Watchdogs: an update does not set them off, and they are armed as before: same ids, same effect. */
/* guest: vcpus=1 */
#include "lib/guest.h"

#include <xen/errno.h>

#define SECONDS 60
/* Refreshed by verify() alone: longer than any run. */
#define LONG_SECONDS 7200

static int first, second;

/* Xen returns errors of this operation as unsigned numbers. */
static int watchdog(unsigned int id, unsigned int seconds)
{
    struct sched_watchdog op = {.id = id, .timeout = seconds};

    return hypercall(sched_op, SCHEDOP_watchdog, &op);
}

void setup(void)
{
    first = watchdog(0, SECONDS);
    second = watchdog(0, LONG_SECONDS);
    require(first > 0 && second > 0 && first != second, "watchdogs: %d, %d", first, second);
    require(watchdog(0, SECONDS) == -XEN_ENOSPC, "there are more than two watchdogs");
}

void during(void)
{
    int rc = watchdog(first, SECONDS);

    expect(!rc, "watchdog %d cannot be refreshed: %d", first, rc);
    idle();
}

void verify(unsigned int round)
{
    int rc;

    (void)round;
    expect(watchdog(0, SECONDS) == -XEN_ENOSPC, "a watchdog was lost");
    rc = watchdog(second, LONG_SECONDS);
    expect(!rc, "watchdog %d cannot be refreshed: %d", second, rc);
    rc = watchdog(first, 0);
    expect(!rc, "watchdog %d cannot be destroyed: %d", first, rc);
    rc = watchdog(0, SECONDS);
    expect(rc == first, "a new watchdog is number %d", rc);
}
