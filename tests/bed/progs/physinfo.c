/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * physinfo [domains]: Xen's memory in pages, exactly (xl info rounds to MiB), when scrubbing is done.
 *
 * domains: a line for each domain instead, and one with the sum of them.
 */
#include "common.h"

#include <xenctrl.h>

#define SCRUB_WAIT_MS 20000
#define MAX_DOMAINS   256

static int print_domains(xc_interface *xch)
{
    static xc_domaininfo_t list[MAX_DOMAINS];
    unsigned long long sum = 0;
    int nr = xc_domain_getinfolist(xch, 0, MAX_DOMAINS, list);

    for (int i = 0; i < nr; i++) {
        const xc_domaininfo_t *d = &list[i];

        sum += d->tot_pages;
        printf("domain=%u tot_pages=%llu max_pages=%llu outstanding=%llu shared=%llu paged=%llu "
               "vcpus=%u "
               "pool=%u\n",
               d->domain, (unsigned long long)d->tot_pages, (unsigned long long)d->max_pages,
               (unsigned long long)d->outstanding_pages, (unsigned long long)d->shr_pages,
               (unsigned long long)d->paged_pages, d->max_vcpu_id + 1, d->cpupool);
    }
    printf("domains=%d sum=%llu\n", nr, sum);
    return nr < 0;
}

int main(int argc, char **argv)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    xc_physinfo_t info = {0};

    if (!xch)
        return 1;
    if (argc == 2 && !strcmp(argv[1], "domains"))
        return print_domains(xch);
    for (int ms = 0; ms < SCRUB_WAIT_MS; ms += 100) {
        if (xc_physinfo(xch, &info)) {
            perror("xc_physinfo");
            return 1;
        }
        if (!info.scrub_pages)
            break;
        usleep(100000);
    }
    printf("free_pages=%llu scrub_pages=%llu total_pages=%llu nr_cpus=%u\n",
           (unsigned long long)info.free_pages, (unsigned long long)info.scrub_pages,
           (unsigned long long)info.total_pages, info.nr_cpus);
    xc_interface_close(xch);
    return 0;
}
