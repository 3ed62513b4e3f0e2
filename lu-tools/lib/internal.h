/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the library share.
 */
#ifndef XENLU_INTERNAL_H
#define XENLU_INTERNAL_H

#include <stdint.h>
#include <string.h>

#include <xen/xen.h>
#include <liveupdate.h>

#include "../record/record.h"
#include "lu-kexec.h"
#include "xenliveupdate.h"

/* What the hooks behind the event are told. */
enum attempt_outcome {
    ATTEMPT_REFUSED, /* nothing has been tried */
    ATTEMPT_DONE,    /* rehearsed, or another Xen runs, and nothing is missing */
    ATTEMPT_FAILED,  /* tried, and everything is as it was */
    ATTEMPT_LOST,    /* another Xen runs, and something is missing */
    ATTEMPT_UNKNOWN,
    ATTEMPT_RETURNED, /* failed by the target, which has come back: nothing is staged */
};

struct xenlu_attempt {
    /* From PREPARED on it has the lock; from BEGUN on Begin is in the journal. */
    enum {
        ATTEMPT_NONE,
        ATTEMPT_PREPARED,
        ATTEMPT_BEGUN,
        ATTEMPT_REHEARSING, /* before an update */
        ATTEMPT_STARTED,
        ATTEMPT_OVER,
    } stage;
    struct xenlu_plan plan;
    uint32_t id;
    Lu__Manifest *before;   /* the journal's, once begun */
    const Lu__Begin *begin; /* the journal's */
    Lu__Staged *staged;     /* what is to be checked, approved and executed */
    Lu__Prediction *prediction;
    struct domids ended; /* seen to have shut down by themselves since it began */
    bool stop; /* taken back, as far as that was possible; Xen is not to be asked any more */
    uint32_t generation; /* of the Xen that has been asked */
    double deadline;     /* s of CLOCK_MONOTONIC */
    struct xenlu_result result;
    enum attempt_outcome outcome;
};

struct xenlu {
    struct lu_xen *xen;
    xenlu_warn_fn *warn; /* NULL: nobody is told */
    void *warn_data;
    const volatile sig_atomic_t *interrupted; /* once set, it is taken back; NULL: never */
    struct journal journal;                   /* open if ... */
    unsigned int locks;                       /* ... this is not 0 */
    uint32_t without;                         /* features that a target may lack */
    struct xenlu_attempt attempt;
    Lu__End *told; /* what xenlu_missing() and xenlu_left() have; NULL: nothing */
};

void xenlu_warn(struct xenlu *lu, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void xenlu_update_metrics(struct xenlu *lu);
enum xenlu_code xenlu_take_manifest(struct xenlu *lu, Lu__Manifest **m, struct xenlu_error *err);

/* The resource by whose name Xen refuses what the target lacks. */
#define RESOURCE_TARGET "target"

/* What @running has and @target lacks, as far as both say and this library knows it. */
uint32_t features_lost(uint32_t running, uint32_t target);
/* "4.17" of "4.17.5-lu" */
void release_of(char *text, size_t size, const char *version);
/* The names of all in @set. */
void features_text(char *text, size_t size, const char *separator, uint32_t set);
/* May target @t lack what it lacks?  XENLU_FEATURES_LOST. */
enum xenlu_code target_accept_loss(const struct xenlu *lu, const struct xenlu_target *t,
                                   struct xenlu_error *err);
/* The same, and does nobody need it?  XENLU_REFUSED. */
enum xenlu_code target_accept(struct xenlu *lu, const struct xenlu_target *t,
                              struct xenlu_error *err);

/*
 * xenlu_start() in steps, and xenlu_wait() with the lock held behind it, for who has hooks to run in
 * between.  @err is not NULL.  attempt_close() follows attempt_prepare(), but if that fails.
 */
enum xenlu_code attempt_prepare(struct xenlu *lu, const struct xenlu_plan *plan, bool dry_run,
                                struct xenlu_error *err);
/* Takes the manifest again: what hooks have shut down or moved away is not what may not get lost. */
enum xenlu_code attempt_begin(struct xenlu *lu, struct xenlu_error *err);
enum xenlu_code attempt_go(struct xenlu *lu, struct xenlu_error *err);
enum xenlu_code attempt_wait(struct xenlu *lu, xenlu_progress_fn *progress, void *data,
                             struct xenlu_error *err);
void attempt_close(struct xenlu *lu);

/*
 * @from, of @from_size bytes, into the caller's structure at @to (NULL: he wants none), which may be
 * that of an older or a newer header.
 */
void xenlu_give(void *to, size_t size, const void *from, size_t from_size);
/* Fills *err (unless NULL) and returns @code. */
enum xenlu_code xenlu_fail(struct xenlu_error *err, enum xenlu_code code, int errnum,
                           const char *advice, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* The same from what the layer below says. */
enum xenlu_code xenlu_fail_kexec(struct xenlu_error *err, const struct lu_kexec_why *why);

/*
 * A sub-command, after it has been made sure that the running Xen has them.  See
 * lu_xen_liveupdate().  An error that is not the same for all is left to the
 * caller: XENLU_SYSTEM, with errnum.
 */
enum xenlu_code xenlu_op(struct xenlu *lu, struct xen_liveupdate *op, void *buf, size_t size,
                         struct xenlu_error *err);
enum xenlu_code xenlu_query(struct xenlu *lu, struct xen_liveupdate_query *query,
                            struct xenlu_error *err);

#endif /* XENLU_INTERNAL_H */
