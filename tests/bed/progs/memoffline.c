/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memoffline offline|online|query MFN...: takes frames out of use, and back. A line for each: what became of it.
 *
 * xen-hptool does it as well, but exchanges a guest's frame for another one.
 */
#include "common.h"

#include <xenctrl.h>
#include <xenguest.h>

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    int failed = 0;

    if (!xch)
        return 1;
    if (argc < 3)
        usage("memoffline offline|online|query MFN...");

    for (int i = 2; i < argc; i++) {
        unsigned long mfn = strtoul(argv[i], NULL, 0);
        uint32_t status = 0;
        const char *is;
        int rc;

        if (!strcmp(argv[1], "offline"))
            rc = xc_mark_page_offline(xch, mfn, mfn, &status);
        else if (!strcmp(argv[1], "online"))
            rc = xc_mark_page_online(xch, mfn, mfn, &status);
        else if (!strcmp(argv[1], "query"))
            rc = xc_query_page_offline_status(xch, mfn, mfn, &status);
        else
            usage("memoffline offline|online|query MFN...");

        if (rc)
            perror(argv[i]);
        failed |= rc;

        if (rc || strcmp(argv[1], "query"))
            continue;
        is = status & PG_OFFLINE_STATUS_BROKEN            ? "broken"
             : status & PG_OFFLINE_STATUS_OFFLINED        ? "offline"
             : status & PG_OFFLINE_STATUS_OFFLINE_PENDING ? "pending"
                                                          : "online";
        printf("%#lx %s\n", mfn, is);
    }
    xc_interface_close(xch);
    return failed ? 1 : 0;
}
