/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The handle, and what the running Xen says about itself.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

_Static_assert(sizeof(((struct xenlu_status *)0)->build_id) >= LU_BUILD_ID_TEXT, "build id");
_Static_assert(sizeof(((struct xenlu_status *)0)->command_line) == LU_CMDLINE_MAX, "command line");

uint32_t xenlu_version(void)
{
    return XENLU_VERSION;
}

void xenlu_give(void *to, size_t size, const void *from, size_t from_size)
{
    size_t common = size < from_size ? size : from_size;

    if (!to)
        return;
    memcpy(to, from, common);
    memset((char *)to + common, 0, size - common);
}

enum xenlu_code xenlu_open(struct xenlu **lu, struct xenlu_error *err)
{
    struct lu_kexec_why why;

    *lu = calloc(1, sizeof(**lu));
    if (!*lu)
        return xenlu_fail(err, XENLU_NO_MEMORY, ENOMEM, "", "no memory");

    if (lu_xen_open(&(*lu)->xen, &why)) {
        free(*lu);
        *lu = NULL;
        return xenlu_fail_kexec(err, &why);
    }

    return XENLU_OK;
}

void xenlu_close(struct xenlu *lu)
{
    if (!lu)
        return;
    attempt_close(lu);
    if (lu->locks)
        journal_close(&lu->journal);
    if (lu->told)
        lu__end__free_unpacked(lu->told, NULL);
    lu_xen_close(lu->xen);
    free(lu);
}

enum xenlu_code xenlu_query(struct xenlu *lu, struct xen_liveupdate_query *query,
                            struct xenlu_error *err)
{
    static const char advice[] = "boot a Xen built with CONFIG_LIVEUPDATE=y";
    struct xen_liveupdate op = {.op = XEN_LIVEUPDATE_query};
    struct lu_kexec_why why;

    if (lu_xen_liveupdate(lu->xen, &op, NULL, 0, &why)) {
        if (why.errnum == ENOSYS || why.errnum == EINVAL || why.errnum == EOPNOTSUPP)
            return xenlu_fail(err, XENLU_UNSUPPORTED, why.errnum, advice,
                              "the running Xen has no live update");
        return xenlu_fail_kexec(err, &why);
    }
    /* A kexec hypercall that does not know the command returns 0 and does nothing. */
    if (!op.u.query.format)
        return xenlu_fail(err, XENLU_UNSUPPORTED, ENOSYS, advice,
                          "the running Xen has no live update");
    *query = op.u.query;

    return XENLU_OK;
}

enum xenlu_code xenlu_op(struct xenlu *lu, struct xen_liveupdate *op, void *buf, size_t size,
                         struct xenlu_error *err)
{
    struct xen_liveupdate_query query;
    struct lu_kexec_why why;
    enum xenlu_code code = xenlu_query(lu, &query, err);

    if (code)
        return code;
    if (lu_xen_liveupdate(lu->xen, op, buf, size, &why))
        return xenlu_fail_kexec(err, &why);

    return XENLU_OK;
}

static enum xenlu_code get_status(struct xenlu *lu, struct xenlu_status *s, struct xenlu_error *err)
{
    struct xen_liveupdate_query query;
    struct lu_kexec_why why;
    enum xenlu_code code = xenlu_query(lu, &query, err);

    if (code)
        return code;
    if (lu_xen_version(lu->xen, s->version, s->changeset, &why) ||
        lu_xen_cmdline(lu->xen, s->command_line, &why) ||
        lu_xen_build_id(lu->xen, s->build_id, &why))
        return xenlu_fail_kexec(err, &why);
    /* No crash region: Xen knows no crash kernel, which is not an error. */
    if (lu_xen_crash_loaded(lu->xen, &s->crash_loaded, &why))
        s->crash_loaded = false;

    s->generation = query.generation;
    s->format = query.format;
    s->format_oldest = query.format_oldest;
    s->nr_slots = query.nr_slots;
    s->nr_resources = query.nr_resources;
    s->region_start = query.region_start;
    s->region_size = query.region_size;
    s->slot_start = query.slot_start;
    s->slot_size = query.slot_size;
    s->staged = query.staged;
    s->busy = query.phase != XEN_LIVEUPDATE_PHASE_idle;
    s->phase = query.phase;
    s->can_rehearse = query.caps & XEN_LIVEUPDATE_CAP_REHEARSE;
    s->can_fault = query.caps & XEN_LIVEUPDATE_CAP_FAULT;
    s->features = query.features;
    s->staged_features = query.staged_features;

    return XENLU_OK;
}

enum xenlu_code xenlu_get_status(struct xenlu *lu, struct xenlu_status *status, size_t size,
                                 struct xenlu_error *err)
{
    struct xenlu_status s = {0};
    enum xenlu_code code = get_status(lu, &s, err);

    xenlu_give(status, size, &s, sizeof(s));

    return code;
}

const char *xenlu_phase_name(uint32_t phase)
{
    static const char *const names[] = {
        [XEN_LIVEUPDATE_PHASE_idle] = "idle",       [XEN_LIVEUPDATE_PHASE_stage] = "stage",
        [XEN_LIVEUPDATE_PHASE_check] = "check",     [XEN_LIVEUPDATE_PHASE_quiesce] = "quiesce",
        [XEN_LIVEUPDATE_PHASE_save] = "save",       [XEN_LIVEUPDATE_PHASE_verify] = "verify",
        [XEN_LIVEUPDATE_PHASE_collect] = "collect", [XEN_LIVEUPDATE_PHASE_jump] = "jump",
        [XEN_LIVEUPDATE_PHASE_adopt] = "adopt",     [XEN_LIVEUPDATE_PHASE_plan] = "plan",
        [XEN_LIVEUPDATE_PHASE_commit] = "commit",   [XEN_LIVEUPDATE_PHASE_resume] = "resume",
        [XEN_LIVEUPDATE_PHASE_settle] = "settle",
    };

    return phase < sizeof(names) / sizeof(names[0]) ? names[phase] : NULL;
}
