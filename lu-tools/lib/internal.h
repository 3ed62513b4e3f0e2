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

#include "lu-kexec.h"
#include "xenliveupdate.h"

struct xenlu {
    struct lu_xen *xen;
    struct xenlu_plan plan; /* of what has been started; kind 0: nothing is under way */
    uint32_t generation;    /* that has been asked for it */
    double deadline;        /* s of CLOCK_MONOTONIC */
};

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
