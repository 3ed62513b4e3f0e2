/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A Xen for unit tests: takes the place of kexec/xen.c when the tests are linked,
 * and answers from memory, which children of the test share with it.
 *
 * As with the real one an attempt goes on while others look: execute and rehearse
 * return at once, and each sub-command that follows brings the attempt forward.
 */
#ifndef FAKE_XEN_H
#define FAKE_XEN_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <liveupdate.h>
#include <xen-liveupdate/handover.h>

#include "lu-kexec.h"

#define FAKE_DOMAINS  200
#define FAKE_REFUSALS 200
/* More than what is read at once. */
#define FAKE_STREAM ((256u << 10) + 4711)

/* What it is built with. */
#define FAKE_FEATURES                                                                      \
    (LU_HAS_KNOWN | LU_HAS_PV | LU_HAS_HVM | LU_HAS_SHADOW_PAGING | LU_HAS_SCHED_CREDIT2 | \
     LU_HAS_SCHED_NULL | LU_HAS_LIVEPATCH)

/* Where an attempt is. */
enum fake_stage {
    FAKE_IDLE,
    FAKE_SCHEDULED,
    FAKE_CHECK, /* running; what follows cannot be taken back */
    FAKE_SAVE,
    FAKE_SETTLE, /* of an update: the new Xen */
};

struct fake_xen {
    char version[64], next_version[64];
    char build_id[LU_BUILD_ID_TEXT];
    uint64_t free_pages, needed_pages;
    /* Of the image that was loaded last; empty: none was, and an update keeps the build id. */
    char staged_version[64], staged_build_id[LU_BUILD_ID_TEXT];
    struct xen_liveupdate_query query;
    struct xen_liveupdate_result result;
    struct xen_liveupdate_domain domain[FAKE_DOMAINS];
    uint32_t nr_domains, nr_cpus;
    int64_t boot_ns;
    struct xen_liveupdate_refusal refusal[FAKE_REFUSALS];
    uint32_t nr_refusals;
    uint32_t needs,
        needs_domid; /* features that this domain could not do without; 0: nobody does */
    uint8_t stream[FAKE_STREAM];
    uint64_t stream_len;  /* 0: there is none */
    int fail_op;          /* this sub-command fails with ... */
    int error;            /* ... this errno; 0: none does */
    int open_error;       /* there is no Xen; errno */
    int (*on_call)(void); /* asked before every hypercall: 0, or the errno that it fails with */
    bool pvh_dom0, crash_loaded;

    /* The attempt. */
    enum fake_stage stage;
    uint32_t op;           /* XEN_LIVEUPDATE_execute, _rehearse */
    unsigned int asked;    /* sub-commands since the stage began */
    enum fake_stage stuck; /* never leaves it; FAKE_IDLE: goes on */
    bool fails;            /* what it comes to */
    bool returns;          /* so does an update, but behind the jump: the target comes back */
    bool loses;            /* for on_stage */
    void (*on_stage)(enum fake_stage stage); /* called at the beginning of each */

    /* What was asked for. */
    unsigned int calls[16]; /* by sub-command */
    unsigned int loads, unloads;
    void (*on_load)(void); /* called when it has another target */
    uint32_t fault_phase, fault_resource, fault_hits;
};

extern struct fake_xen *fake_xen;
#define fake (*fake_xen)

/* A host with @nr domains, never updated. */
void fake_reset(uint32_t nr);
/* The host refuses. */
void fake_refuse(uint32_t domid, int error, const char *resource, const char *reason);

#endif /* FAKE_XEN_H */
