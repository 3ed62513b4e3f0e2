/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A Xen for unit tests: takes the place of kexec/xen.c when the tests are linked,
 * and answers from memory.
 */
#ifndef FAKE_XEN_H
#define FAKE_XEN_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <liveupdate.h>

#define FAKE_DOMAINS 100

struct fake_xen {
    char version[64];
    struct xen_liveupdate_query query;
    struct xen_liveupdate_result result;
    struct xen_liveupdate_domain domain[FAKE_DOMAINS];
    uint32_t nr_domains;
    int64_t boot_ns;
    int fail_op; /* this sub-command fails with ... */
    int error;   /* ... this errno; 0: none does */
    /* What an execute or a rehearsal comes to. */
    bool fails;
    bool pvh_dom0;
    void (*on_execute)(void);
};

extern struct fake_xen fake;

/* A host with @nr domains, never updated. */
void fake_reset(uint32_t nr);

#endif /* FAKE_XEN_H */
