/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * domwatchdog SECONDS: has Xen end this domain (dom0: the host) SECONDS after it was last told not to, and tells it so
 * five times a second, until ended by SIGTERM (xen/include/public/sched.h, SCHEDOP_watchdog).
 */
#include "common.h"

#include <xenctrl.h>

int main(int argc, char *argv[])
{
    unsigned int seconds = argc == 2 ? atoi(argv[1]) : 0;
    xc_interface *xc;
    int id;

    if (!seconds) {
        fprintf(stderr, "usage: domwatchdog SECONDS\n");
        return 2;
    }
    xc = xc_interface_open(NULL, NULL, 0);
    if (!xc || (id = xc_watchdog(xc, 0, seconds)) <= 0) {
        perror("domwatchdog");
        return 1;
    }
    stop_on_sigterm();
    while (!stop_requested) {
        usleep(200000);
        if (xc_watchdog(xc, id, seconds)) {
            perror("domwatchdog");
            return 1;
        }
    }

    return xc_watchdog(xc, id, 0) != 0;
}
