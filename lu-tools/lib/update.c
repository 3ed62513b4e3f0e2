/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What Xen is asked around an attempt: the check, the result, abort, the stream, faults.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

#define READ_CHUNK (256u << 10)
/* Refusals that are asked for at first; asked again if there are more. */
#define REFUSALS_ROOM 64u

static void copy_text(char *to, size_t size, const char *from, size_t from_size)
{
    snprintf(to, size, "%.*s", (int)strnlen(from, from_size), from);
}

/* ---- check ---- */

/* @features NULL: for the staged target. */
static enum xenlu_code check_room(struct xenlu *lu, const uint32_t *features, uint32_t room,
                                  struct xen_liveupdate_refusal **list, uint32_t *found,
                                  struct xenlu_error *err)
{
    struct xen_liveupdate op = {.op = XEN_LIVEUPDATE_check, .u.check.nr = room};
    size_t size = room * sizeof(**list);
    enum xenlu_code code;

    if (features) {
        op.flags = XEN_LIVEUPDATE_CHECK_TARGET;
        op.u.check.features = *features;
    }
    *list = calloc(room, sizeof(**list));
    if (!*list)
        return xenlu_fail(err, XENLU_NO_MEMORY, ENOMEM, "", "no memory");
    code = xenlu_op(lu, &op, *list, size, err);
    *found = op.u.check.nr;

    return code;
}

static enum xenlu_code check(struct xenlu *lu, const uint32_t *features,
                             struct xenlu_refusal **refusals, size_t size, unsigned int *nr,
                             struct xenlu_error *err)
{
    struct xen_liveupdate_refusal *list;
    uint32_t room = REFUSALS_ROOM, found;
    enum xenlu_code code = check_room(lu, features, room, &list, &found, err);

    *refusals = NULL;
    *nr = 0;
    if (!code && found > room) {
        free(list);
        room = found;
        code = check_room(lu, features, room, &list, &found, err);
    }
    if (!code && found && !list[0].reason[0])
        snprintf(list[0].reason, sizeof(list[0].reason), "no reason given");
    /* Xen collects a limited number; what it has dropped is blank. */
    if (!code)
        while (*nr < found && *nr < room && list[*nr].reason[0])
            ++*nr;
    if (!code && *nr) {
        *refusals = calloc(*nr, size);
        if (!*refusals)
            code = xenlu_fail(err, XENLU_NO_MEMORY, ENOMEM, "", "no memory");
    }
    for (unsigned int i = 0; !code && i < *nr; i++) {
        struct xenlu_refusal r = {.domid = list[i].domid, .errnum = list[i].error};

        copy_text(r.resource, sizeof(r.resource), list[i].resource, sizeof(list[i].resource));
        copy_text(r.reason, sizeof(r.reason), list[i].reason, sizeof(list[i].reason));
        xenlu_give((char *)*refusals + i * size, size, &r, sizeof(r));
    }
    free(list);

    return code;
}

enum xenlu_code xenlu_check(struct xenlu *lu, struct xenlu_refusal **refusals, size_t size,
                            unsigned int *nr, struct xenlu_error *err)
{
    return check(lu, NULL, refusals, size, nr, err);
}

enum xenlu_code xenlu_check_features(struct xenlu *lu, uint32_t features,
                                     struct xenlu_refusal **refusals, size_t size, unsigned int *nr,
                                     struct xenlu_error *err)
{
    struct xen_liveupdate_query query;
    enum xenlu_code code = xenlu_query(lu, &query, err);

    if (code)
        return code;

    /* An older Xen asks for no target's features. */
    return check(lu, query.caps & XEN_LIVEUPDATE_CAP_TARGET ? &features : NULL, refusals, size, nr,
                 err);
}

/* ---- result ---- */

const char *xenlu_state_name(enum xenlu_state state)
{
    static const char *const names[] = {
        [XENLU_STATE_NONE] = "none",           [XENLU_STATE_SCHEDULED] = "scheduled",
        [XENLU_STATE_RUNNING] = "running",     [XENLU_STATE_FAILED] = "failed",
        [XENLU_STATE_REHEARSED] = "rehearsed", [XENLU_STATE_DONE] = "done",
        [XENLU_STATE_RETURNED] = "returned",
    };

    return (unsigned int)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

_Static_assert((int)XENLU_STATE_RETURNED == XEN_LIVEUPDATE_STATE_returned, "states");
_Static_assert(XENLU_NO_DOMAIN == XEN_LIVEUPDATE_NO_DOMAIN, "no domain");

static enum xenlu_code get_result(struct xenlu *lu, struct xenlu_result *r, struct xenlu_error *err)
{
    struct xen_liveupdate op = {.op = XEN_LIVEUPDATE_result};
    const struct xen_liveupdate_result *x = &op.u.result;
    enum xenlu_code code = xenlu_op(lu, &op, NULL, 0, err);

    *r = (struct xenlu_result){.pause_ns = -1, .domid = XENLU_NO_DOMAIN};
    if (code)
        return code;

    r->state = x->state;
    r->generation = x->generation;
    r->attempts = x->attempts;
    r->errnum = x->error;
    r->phase = x->phase;
    r->domid = x->domid;
    copy_text(r->resource, sizeof(r->resource), x->resource, sizeof(x->resource));
    copy_text(r->reason, sizeof(r->reason), x->reason, sizeof(x->reason));
    copy_text(r->from, sizeof(r->from), x->from, sizeof(x->from));
    copy_text(r->to, sizeof(r->to), x->to, sizeof(x->to));
    r->pause_ns = x->pause_ns;
    for (unsigned int i = 0; i < XENLU_NR_PHASES; i++)
        r->phase_ns[i] = x->phase_ns[i];
    r->stream_bytes = x->stream_bytes;
    r->nr_records = x->nr_records;
    r->nr_events = x->nr_events;
    r->nr_spurious = x->nr_spurious;
    r->nr_domains = x->nr_domains;
    r->nr_vcpus = x->nr_vcpus;

    return XENLU_OK;
}

enum xenlu_code xenlu_get_result(struct xenlu *lu, struct xenlu_result *result, size_t size,
                                 struct xenlu_error *err)
{
    struct xenlu_result r;
    enum xenlu_code code = get_result(lu, &r, err);

    xenlu_give(result, size, &r, sizeof(r));

    return code;
}

/* ---- abort ---- */

enum xenlu_code xenlu_abort(struct xenlu *lu, struct xenlu_error *err)
{
    struct xen_liveupdate op = {.op = XEN_LIVEUPDATE_abort};
    struct xenlu_error own;
    enum xenlu_code code = xenlu_op(lu, &op, NULL, 0, &own);

    /* Xen has not been asked for the update yet, and is not going to be. */
    if (lu->attempt.stage == ATTEMPT_BEGUN || lu->attempt.stage == ATTEMPT_REHEARSING) {
        lu->attempt.stop = true;
        return XENLU_OK;
    }
    if (code == XENLU_SYSTEM && own.errnum == ENOENT)
        return xenlu_fail(err, XENLU_NOTHING_TO_ABORT, ENOENT, "", "no update is scheduled");
    if (code == XENLU_BUSY)
        return xenlu_fail(err, XENLU_BUSY, EBUSY, "wait for the outcome: xen-liveupdate result",
                          "too late: the update is running");
    if (code && err)
        *err = own;

    return code;
}

/* ---- the stream ---- */

enum xenlu_code xenlu_read_stream(struct xenlu *lu, void **buf, size_t *size,
                                  struct xenlu_error *err)
{
    struct xenlu_error own;
    uint64_t total = 1, at = 0;
    uint8_t *stream = NULL;

    *buf = NULL;
    while (at < total) {
        struct xen_liveupdate op = {.op = XEN_LIVEUPDATE_read,
                                    .u.read = {.offset = at, .length = READ_CHUNK}};
        uint8_t *more = realloc(stream, at + READ_CHUNK);
        enum xenlu_code code;

        if (!more) {
            free(stream);
            return xenlu_fail(err, XENLU_NO_MEMORY, ENOMEM, "", "no memory for the stream");
        }
        stream = more;
        code = xenlu_op(lu, &op, stream + at, READ_CHUNK, &own);
        if (code) {
            free(stream);
            if (code == XENLU_SYSTEM && own.errnum == ENODATA)
                return xenlu_fail(err, XENLU_NO_STREAM, ENODATA,
                                  "xen-liveupdate rehearse makes one",
                                  "there is no stream: this Xen was not started by a live update, "
                                  "and none was rehearsed");
            if (err)
                *err = own;
            return code;
        }
        if (!op.u.read.length)
            break;
        at += op.u.read.length;
        total = op.u.read.total;
    }
    *buf = stream;
    *size = at;

    return XENLU_OK;
}

/* ---- faults ---- */

enum xenlu_code xenlu_set_fault(struct xenlu *lu, uint32_t phase, uint32_t resource,
                                struct xenlu_fault *fault, size_t size, struct xenlu_error *err)
{
    struct xen_liveupdate op = {.op = XEN_LIVEUPDATE_fault,
                                .u.fault = {.phase = phase, .resource = resource}};
    struct xenlu_fault set = {0};
    struct xenlu_error own;
    enum xenlu_code code = xenlu_op(lu, &op, NULL, 0, &own);

    if (!code) {
        set = (struct xenlu_fault){.hit = op.u.fault.hit, .exists = op.u.fault.exists};
        copy_text(set.resource, sizeof(set.resource), op.u.fault.name, sizeof(op.u.fault.name));
    }
    xenlu_give(fault, size, &set, sizeof(set));
    if (code == XENLU_SYSTEM && own.errnum == EOPNOTSUPP)
        return xenlu_fail(err, XENLU_UNSUPPORTED, EOPNOTSUPP, "use a debug build of Xen",
                          "the running Xen injects no faults");
    if (code && err)
        *err = own;

    return code;
}
