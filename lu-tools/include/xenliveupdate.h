/* SPDX-License-Identifier: MIT */
/*
 * libxenliveupdate: replace the running Xen while every domain lives on.
 *
 * How an update goes:
 *
 *     struct xenlu *lu;
 *     struct xenlu_error err;
 *     struct xenlu_plan plan = {.kind = XENLU_UPDATE, .timeout = 60};
 *     struct xenlu_result result;
 *
 *     if (xenlu_open(&lu, &err) ||
 *         xenlu_stage(lu, "/boot/xen-4.17.6.gz", NULL, NULL, 0, &err) ||
 *         xenlu_start(lu, &plan, sizeof(plan), &err) ||
 *         xenlu_wait(lu, NULL, NULL, &result, sizeof(result), &err))
 *             fprintf(stderr, "%s\n", err.message);
 *     xenlu_close(lu);
 *
 * The handle stays valid across the update: the calling process is stopped with
 * its domain, wakes up under the new Xen, and xenlu_wait() returns what became
 * of it.
 *
 * Whoever updates by it does so as xen-liveupdate does: one at a time (a lock on the host), with
 * an entry in the journal before anything happens and the outcome in it afterwards, whoever lives
 * to write it, and with a look whether all are there that were there before.  Where that is kept,
 * and the environment that changes it: xen-liveupdate(8).
 *
 * Hooks (xen-liveupdate.d(5)) are the command line's alone, as they may take minutes: nothing in
 * this library runs one, or asks one whether it agrees.  What the host's hooks see to (refusing an
 * update at the wrong time, taking guests away, loading the crash kernel again) is the program's
 * to see to; who wants the hooks calls xen-liveupdate(8).
 *
 * Every function that can fail returns XENLU_OK (0) or what is wrong, and fills
 * *err then (err may be NULL).  Nothing is printed, unless there is no memory for a few KiB, which
 * ends the program.  A handle is for one thread at a time, and not for a child after fork().
 * All of it is for root in the hardware domain (dom0).
 *
 * Stable from version 1.0 on: a program runs with every library of the major version that it
 * was built for.  What there is stays as it is; a structure grows at its end only, and a
 * function that fills one is told how long the caller's is (size = sizeof): a shorter one
 * gets what fits, and in a longer one what this library does not know is 0.  The two exceptions
 * never grow: struct xenlu_error, and structures inside others.
 */
#ifndef XENLIVEUPDATE_H
#define XENLIVEUPDATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- version ---- */

#define XENLU_VERSION_MAJOR 0
#define XENLU_VERSION_MINOR 1
#define XENLU_VERSION       (XENLU_VERSION_MAJOR << 16 | XENLU_VERSION_MINOR)

/* XENLU_VERSION of the library that runs; the macros are of the one that was compiled for. */
uint32_t xenlu_version(void);

/* ---- errors ---- */

enum xenlu_code {
    XENLU_OK = 0,
    XENLU_NO_MEMORY,
    XENLU_SYSTEM, /* a file or a hypercall failed for a reason of its own: see errnum */

    /* This process cannot do it. */
    XENLU_NO_XEN,      /* not running on Xen, or not as root */
    XENLU_NOT_DOM0,    /* not the hardware domain, or not privileged there */
    XENLU_UNSUPPORTED, /* the running Xen was built without (this part of) live update */

    /* Not now. */
    XENLU_BUSY,             /* an update is under way, or not settled yet: try again */
    XENLU_NOT_STAGED,       /* there is no staged target */
    XENLU_NOTHING_TO_ABORT, /* no update is scheduled */
    XENLU_NO_STREAM,        /* no stream to read: neither rehearsed nor started by an update */

    /* The target. */
    XENLU_TRUNCATED, /* the file ends before its content does */
    XENLU_BAD_FILE,  /* a damaged archive, or an ELF file that contradicts itself */
    XENLU_NOT_ELF,
    XENLU_NOT_XEN,
    XENLU_NOT_MULTIBOOT2,
    XENLU_NOT_RELOCATABLE,
    XENLU_NO_NOTE,        /* a Xen built without live update */
    XENLU_FORMAT_TOO_OLD, /* it cannot read what the running Xen writes */
    XENLU_FORMAT_TOO_NEW, /* it no longer reads what the running Xen writes */
    XENLU_DOES_NOT_FIT,   /* it cannot run at the address of the slot */
    XENLU_OPTION_REFUSED, /* an option that must not change */
    XENLU_BOOT_INFO,      /* command line or memory map too long */

    /* The region. */
    XENLU_NO_REGION,        /* Xen was booted without liveupdate=<size> */
    XENLU_REGION_TOO_SMALL, /* size_needed tells what would do */

    /* The update. */
    XENLU_REFUSED, /* the check found something that cannot be carried */
    XENLU_FAILED, /* tried, undone, domains go on: see the result, whose state is failed or returned */
    XENLU_TIMEOUT,   /* no outcome in time; it may still come */
    XENLU_NOT_KNOWN, /* begun, and then Xen could not be asked */
    XENLU_UNDER_WAY, /* xenlu_poll(): no outcome yet */
    XENLU_NOT_STARTED,

    /* What is recorded of it. */
    XENLU_JOURNAL,        /* it cannot be written, so nothing is begun */
    XENLU_INVENTORY,      /* what there is to carry, or has been carried, cannot be listed */
    XENLU_TARGET_UNKNOWN, /* there is no record of what is staged */
    XENLU_TARGET_CHANGED, /* it is no longer what was there when the attempt began */
    XENLU_PAUSE_TOO_LONG, /* than it may be */
    XENLU_INTERRUPTED,    /* by xenlu_abort(), before Xen was asked for it */
    XENLU_LOST,           /* done, but not all is there that was there before: xenlu_missing() */

    /* The target, once more. */
    XENLU_FEATURES_LOST, /* it lacks what the running Xen has: xenlu_set_without() */
};

struct xenlu_error {
    enum xenlu_code code;
    int errnum;           /* errno, 0: none belongs to it */
    uint32_t domid;       /* the domain it is about, XENLU_NO_DOMAIN: none */
    uint64_t size_needed; /* XENLU_REGION_TOO_SMALL: bytes of the whole region, else 0 */
    char message[512];    /* what and why: one sentence */
    char advice[256];     /* what to do about it, may be "" */
    uint64_t reserved[4]; /* 0 */
};

#define XENLU_NO_DOMAIN UINT32_MAX

/* "region-too-small" and the like; never changes. */
const char *xenlu_code_name(enum xenlu_code code);

/* ---- the handle ---- */

struct xenlu;

/* XENLU_NO_XEN, XENLU_NO_MEMORY.  *lu is closed by xenlu_close(). */
enum xenlu_code xenlu_open(struct xenlu **lu, struct xenlu_error *err);
/* @lu may be NULL. */
void xenlu_close(struct xenlu *lu);

/*
 * @warn is told, in a sentence, of what keeps nothing from being done: metrics that cannot be written,
 * an outcome that cannot, another Xen than was approved.  NULL: nobody is told.
 */
typedef void xenlu_warn_fn(const char *text, void *data);
void xenlu_set_warn(struct xenlu *lu, xenlu_warn_fn *warn, void *data);

/*
 * The lock that xenlu_stage(), xenlu_unstage() and xenlu_start() take, held over several of them: what
 * is executed is what was staged last, by whichever program.  As often as it is taken it has to be
 * given back.  XENLU_BUSY: another program has it; XENLU_JOURNAL.
 */
enum xenlu_code xenlu_lock(struct xenlu *lu, struct xenlu_error *err);
void xenlu_unlock(struct xenlu *lu);

/* ---- what is ---- */

struct xenlu_status {
    char version[64]; /* of the running Xen, as in "xl info" */
    char changeset[64];
    uint32_t generation;    /* live updates since the host booted */
    uint16_t format;        /* of the stream that the running Xen writes */
    uint16_t format_oldest; /* the oldest that it reads */
    uint32_t nr_slots;      /* 0: no region was reserved */
    uint32_t nr_resources;  /* kinds of things that an update carries */
    uint64_t region_start;  /* machine address; all slots */
    uint64_t region_size;   /* bytes */
    uint64_t slot_start;    /* where the next target goes */
    uint64_t slot_size;     /* bytes */
    bool staged;            /* a target is loaded */
    bool busy;              /* an update is under way or settling: see phase */
    bool can_rehearse;
    bool can_fault;    /* a debug build: xenlu_set_fault() works */
    bool crash_loaded; /* a crash kernel is armed; it has to be loaded again after an update */
    uint32_t phase;    /* of the update under way; xenlu_phase_name() */
    uint32_t reserved; /* 0 */
    char build_id[72]; /* of the running Xen, hexadecimal, "": none */
    char command_line[1024];
    uint32_t features;        /* that the running Xen is built with */
    uint32_t staged_features; /* of the staged target, as Xen knows it */
};

/* XENLU_NOT_DOM0, XENLU_UNSUPPORTED. */
enum xenlu_code xenlu_get_status(struct xenlu *lu, struct xenlu_status *status, size_t size,
                                 struct xenlu_error *err);

/*
 * What a Xen is built with, of what matters to domains and to who looks after them: bits, which count if
 * this one is set.  Without it, it is not known (an older Xen does not say).
 */
#define XENLU_FEATURES_KNOWN (1u << 31)
/* For xenlu_set_without() alone: the target may be of another release, under which the tools that run do not go on. */
#define XENLU_WITHOUT_TOOLS (1u << 30)

/*
 * "shadow-paging" and the like, which never changes; what there is no more without it, in words.  NULL: this
 * library does not know that bit, nor any behind it.
 */
const char *xenlu_feature_name(unsigned int bit);
const char *xenlu_feature_use(unsigned int bit);

/* Phases are numbered from 0 (idle) on; NULL behind the last. */
const char *xenlu_phase_name(uint32_t phase);

/* ---- what there is to carry ---- */

struct xenlu_inventory {
    uint32_t nr_domains;
    uint32_t nr_cpus;      /* physical, online */
    uint64_t total_pages;  /* of 4 KiB: the host's memory */
    uint64_t free_pages;   /* not used by anybody */
    uint64_t needed_pages; /* that an update wants to be free; 0: not known, one is under way */
    int64_t boot_ns;       /* a part of Xen's boot that the next one has, too; 0: not known */
};

#define XENLU_DOMAIN_HARDWARE (1u << 0) /* dom0 */
#define XENLU_DOMAIN_HVM      (1u << 1)
#define XENLU_DOMAIN_PAUSED   (1u << 2) /* by the toolstack */
#define XENLU_DOMAIN_SHUTDOWN (1u << 3)
#define XENLU_DOMAIN_DYING    (1u << 4)
#define XENLU_DOMAIN_ENDED    (1u << 5) /* shut down, and it has not crashed */

struct xenlu_domain {
    uint32_t domid;
    uint32_t flags; /* XENLU_DOMAIN_* */
    uint32_t nr_vcpus;
    uint32_t nr_online; /* vCPUs that are not down */
    uint64_t pages;     /* of 4 KiB */
    uint64_t max_pages;
    uint8_t handle[16]; /* UUID */
};

/*
 * All domains, in the order of their numbers: to be compared after an update, by
 * whichever Xen runs then.  *domains is the caller's to free(); it has
 * inventory->nr_domains entries of @domain_size bytes.  XENLU_UNSUPPORTED.
 */
enum xenlu_code xenlu_get_inventory(struct xenlu *lu, struct xenlu_inventory *inventory,
                                    size_t size, struct xenlu_domain **domains, size_t domain_size,
                                    struct xenlu_error *err);

/* ---- the target ---- */

struct xenlu_target {
    char version[32]; /* "4.17.6-lu" */
    char changeset[64];
    uint16_t format;        /* of the stream that it writes */
    uint16_t format_oldest; /* the oldest that it reads */
    uint64_t footprint;     /* bytes that a slot must have for it */
    uint64_t entry;         /* machine address of its entry point */
    char command_line[1024];
    unsigned int nr_segments;
    struct {
        char name[16];
        uint64_t start;  /* machine address */
        uint64_t size;   /* bytes */
        uint32_t crc32c; /* of all bytes, zeroes at the end included */
    } segment[4];
    char build_id[72]; /* hexadecimal, "": none */
    uint32_t features; /* that it is built with */
    uint32_t lost;     /* of the running Xen's; 0 as well if one of both is not known */
};

/*
 * Can the Xen in file @path follow the running one?  Changes nothing.  @append:
 * options to be added to its command line, NULL: none.  @target may be NULL (@size 0).
 * Does not judge what it lacks: see target->lost and xenlu_check_features().
 * Errors: those of "The target" and "The region" above; XENLU_SYSTEM if the file
 * cannot be read.
 */
enum xenlu_code xenlu_check_target(struct xenlu *lu, const char *path, const char *append,
                                   struct xenlu_target *target, size_t size,
                                   struct xenlu_error *err);

/*
 * The same, and loads it.  Has no effect on domains and replaces what was staged
 * before; after an error what was staged before still is.  Also XENLU_BUSY, XENLU_JOURNAL,
 * XENLU_INVENTORY; XENLU_REFUSED if it lacks what a domain needs now, XENLU_FEATURES_LOST if
 * it lacks anything else that the running Xen has and that was not agreed to by xenlu_set_without(),
 * or is of another release.
 */
enum xenlu_code xenlu_stage(struct xenlu *lu, const char *path, const char *append,
                            struct xenlu_target *target, size_t size, struct xenlu_error *err);

/* What may be lost by what xenlu_stage() stages: bits, in the place of those agreed to before (none). */
void xenlu_set_without(struct xenlu *lu, uint32_t features);

/* XENLU_NOT_STAGED, XENLU_BUSY, XENLU_JOURNAL, XENLU_INVENTORY. */
enum xenlu_code xenlu_unstage(struct xenlu *lu, struct xenlu_error *err);

/* ---- the update ---- */

struct xenlu_refusal {
    uint32_t domid; /* XENLU_NO_DOMAIN: the host */
    int errnum;
    char resource[32]; /* what cannot be carried */
    char reason[192];  /* why, in words */
};

/*
 * Asks every resource of every domain whether it can be carried, to the staged target
 * if there is one, while domains run.  Returns XENLU_OK whatever the answers are; *nr == 0: an update would go
 * ahead.  *refusals is the caller's to free(): *nr of @size bytes.  XENLU_BUSY.
 */
enum xenlu_code xenlu_check(struct xenlu *lu, struct xenlu_refusal **refusals, size_t size,
                            unsigned int *nr, struct xenlu_error *err);
/* The same for a target that is built with @features (xenlu_target), whatever is staged. */
enum xenlu_code xenlu_check_features(struct xenlu *lu, uint32_t features,
                                     struct xenlu_refusal **refusals, size_t size, unsigned int *nr,
                                     struct xenlu_error *err);

enum xenlu_state {
    XENLU_STATE_NONE = 0, /* no attempt yet */
    XENLU_STATE_SCHEDULED,
    XENLU_STATE_RUNNING,
    XENLU_STATE_FAILED, /* everything is as it was; error, phase, reason tell more */
    XENLU_STATE_REHEARSED,
    XENLU_STATE_DONE,     /* the running Xen was started by a live update */
    XENLU_STATE_RETURNED, /* the target refused and came back; as it was, but nothing is staged */
};
const char *xenlu_state_name(enum xenlu_state state);

#define XENLU_NR_PHASES 16

struct xenlu_result {
    enum xenlu_state state;
    uint32_t generation; /* of the Xen that answers */
    uint32_t attempts;   /* of this Xen */
    int errnum;          /* of a failure, else 0 */
    uint32_t phase;      /* where it failed, or is */
    uint32_t domid;      /* whose resource failed, XENLU_NO_DOMAIN: none */
    char resource[32];
    char reason[192];
    char from[64];                     /* version of the source, "" if none */
    char to[64];                       /* version of the Xen that answers */
    int64_t pause_ns;                  /* first vCPU stopped until first vCPU runs, -1: none */
    int64_t phase_ns[XENLU_NR_PHASES]; /* -1: not entered */
    uint64_t stream_bytes;
    uint64_t nr_records;
    uint64_t nr_events; /* interrupts collected in the pause and delivered after it */
    uint32_t nr_domains;
    uint32_t nr_vcpus;
    uint64_t nr_spurious; /* interrupts given to domains on suspicion: an edge may have been lost */
};

/* What became of the last attempt. */
enum xenlu_code xenlu_get_result(struct xenlu *lu, struct xenlu_result *result, size_t size,
                                 struct xenlu_error *err);

enum xenlu_kind {
    XENLU_UPDATE = 1, /* to the staged target */
    XENLU_REHEARSAL,  /* everything but the jump: pauses, saves, verifies; needs no target */
};

/* What the caller fills in; what he sets to 0 is not asked for. */
struct xenlu_plan {
    uint32_t kind;    /* enum xenlu_kind */
    uint32_t timeout; /* seconds until it is taken back, if that still can be; 0: none */
    /* Of an update: rehearses first, and goes ahead if the pause is not expected to be longer. */
    int64_t max_pause_ns;
};

/*
 * Takes the lock, completes in the journal what others left when they were killed, writes down
 * what the host has and what is going to be done, asks Xen for it, and returns: it begins in some
 * milliseconds.  Does not check first: see xenlu_check().
 * Errors: XENLU_NOT_STAGED, XENLU_NO_REGION, XENLU_BUSY, XENLU_JOURNAL, XENLU_INVENTORY,
 * XENLU_TARGET_UNKNOWN, XENLU_TARGET_CHANGED, XENLU_PAUSE_TOO_LONG, XENLU_UNSUPPORTED (also:
 * something in @plan that this library does not know); nothing has been tried.
 */
enum xenlu_code xenlu_start(struct xenlu *lu, const struct xenlu_plan *plan, size_t size,
                            struct xenlu_error *err);

/*
 * What has become of what xenlu_start() began?  To be asked every 20 ms or so, from the caller's
 * own loop, until it is another answer than XENLU_UNDER_WAY; then the outcome is in the journal, and
 * the lock given back.
 * XENLU_OK: done, nothing is missing, and Xen takes the next attempt; XENLU_LOST, XENLU_INVENTORY:
 * done, but; XENLU_FAILED; XENLU_TIMEOUT; XENLU_NOT_KNOWN; with max_pause_ns also what xenlu_start()
 * returns.  XENLU_NOT_STARTED: there is nothing to ask for.
 * *result (may be NULL, @size 0) is filled when it is done or has failed, and while it is under way:
 * phase is the one that Xen is in.
 * A program that ends before leaves the outcome to the next one that asks for anything.
 */
enum xenlu_code xenlu_poll(struct xenlu *lu, struct xenlu_result *result, size_t size,
                           struct xenlu_error *err);

/*
 * xenlu_poll() until there is an outcome.  In between @progress is called with the phase that
 * Xen is in; it may call xenlu_abort().  NULL: nobody is called.
 */
typedef void xenlu_progress_fn(struct xenlu *lu, uint32_t phase, void *data);
enum xenlu_code xenlu_wait(struct xenlu *lu, xenlu_progress_fn *progress, void *data,
                           struct xenlu_result *result, size_t size, struct xenlu_error *err);

/*
 * What the host had before the last attempt of this handle, and has not after it, each as a
 * sentence ("domain 3 (web1) is gone"); and who has shut down by himself meanwhile.  NULL behind
 * the last.  The library's, until the next xenlu_start() or xenlu_close().
 */
const char *xenlu_missing(struct xenlu *lu, unsigned int i);
const char *xenlu_left(struct xenlu *lu, unsigned int i);

/* Takes back an update that has not begun.  XENLU_NOTHING_TO_ABORT; XENLU_BUSY: too late. */
enum xenlu_code xenlu_abort(struct xenlu *lu, struct xenlu_error *err);

/*
 * The stream of the last rehearsal, or that the running Xen was started with.
 * *buf is the caller's to free().  XENLU_NO_STREAM, XENLU_BUSY.
 */
enum xenlu_code xenlu_read_stream(struct xenlu *lu, void **buf, size_t *size,
                                  struct xenlu_error *err);

/* ---- for tests, with debug builds of Xen ---- */

struct xenlu_fault {
    uint32_t hit;      /* how often the point that was set before has been hit */
    uint32_t exists;   /* 1: the point asked for can be hit */
    char resource[32]; /* its resource */
};

/*
 * The next attempt fails once in @phase, when resource number @resource (below
 * nr_resources) gets its turn.  @phase 0: no fault any more; with XENLU_FAULT_HANG: the
 * target hangs at that step of its boot.
 */
#define XENLU_FAULT_HANG 0x80000000u
enum xenlu_code xenlu_set_fault(struct xenlu *lu, uint32_t phase, uint32_t resource,
                                struct xenlu_fault *fault, size_t size, struct xenlu_error *err);

#ifdef __cplusplus
}
#endif

#endif /* XENLIVEUPDATE_H */
