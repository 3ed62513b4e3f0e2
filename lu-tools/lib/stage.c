/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Staging: hours before the update, without effect on anybody.
 */

#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

static void describe(struct xenlu_target *out, const struct lu_target *t,
                     const struct lu_plan *plan, const char *cmdline, uint32_t running)
{
    *out = (struct xenlu_target){
        .format = t->note.format,
        .format_oldest = t->note.format_oldest,
        .footprint = lu_target_footprint(t),
        .entry = plan->xen_entry,
        .nr_segments = LU_PLAN_NR,
        .features = t->note.flags,
        .lost = features_lost(running, t->note.flags),
    };
    snprintf(out->version, sizeof(out->version), "%s", t->note.version);
    snprintf(out->changeset, sizeof(out->changeset), "%s", t->note.changeset);
    snprintf(out->command_line, sizeof(out->command_line), "%s", cmdline);
    snprintf(out->build_id, sizeof(out->build_id), "%s", t->build_id);
    for (unsigned int i = 0; i < LU_PLAN_NR; i++) {
        snprintf(out->segment[i].name, sizeof(out->segment[i].name), "%s", plan->segment[i].name);
        out->segment[i].start = plan->segment[i].dest;
        out->segment[i].size = plan->segment[i].dest_size;
        out->segment[i].crc32c = plan->segment[i].crc;
    }
}

/* What the file is, whether it suits, and where all of it goes.  @running: features of the running Xen. */
static enum lu_kexec_error prepare(struct xenlu *lu, const struct lu_place *place, uint32_t running,
                                   const char *path, const char *append, struct lu_plan *plan,
                                   struct xenlu_target *out, struct lu_kexec_why *why)
{
    char source[LU_CMDLINE_MAX], cmdline[LU_CMDLINE_MAX];
    struct lu_memory_range *map = NULL;
    unsigned int nr_map = 0;
    struct lu_target target;
    struct lu_file file;
    enum lu_kexec_error error = lu_file_read(&file, path, why);

    if (error)
        return error;
    error = lu_target_parse(&target, file.data, file.size, why);
    if (!error)
        error = lu_target_suits(&target, place, why);
    if (!error)
        error = lu_xen_cmdline(lu->xen, source, why);
    if (!error)
        error = lu_cmdline_derive(cmdline, source, append, place, why);
    if (!error)
        error = lu_xen_memory_map(lu->xen, &map, &nr_map, why);
    if (!error)
        error = lu_plan_make(plan, &file, &target, place, cmdline, map, nr_map, why);
    if (!error)
        describe(out, &target, plan, cmdline, running);

    free(map);
    lu_file_free(&file);

    return error;
}

/* What is wrong with the file is told with its name. */
static enum xenlu_code target_error(struct xenlu_error *err, const char *path,
                                    const struct lu_kexec_why *why)
{
    enum xenlu_code code = xenlu_fail_kexec(err, why);

    if (err && code >= XENLU_TRUNCATED && code <= XENLU_DOES_NOT_FIT)
        snprintf(err->message, sizeof(err->message), "%.100s: %s", path, why->text);

    return code;
}

static enum xenlu_code stage(struct xenlu *lu, const char *path, const char *append, bool load,
                             struct xenlu_target *out, struct xenlu_error *err)
{
    struct xen_liveupdate_query query;
    struct lu_place place;
    struct lu_plan plan = {0};
    struct lu_kexec_why why;
    enum lu_kexec_error error;
    bool pvh;
    enum xenlu_code code = xenlu_query(lu, &query, err);

    if (code)
        return code;
    if (load && query.phase != XEN_LIVEUPDATE_PHASE_idle)
        return xenlu_fail(err, XENLU_BUSY, 0, "try again in a moment",
                          "an update is under way or has not settled yet (phase %s)",
                          xenlu_phase_name(query.phase) ? xenlu_phase_name(query.phase) : "?");
    if (lu_xen_translated(lu->xen, &pvh, &why))
        return xenlu_fail_kexec(err, &why);
    if (pvh)
        return xenlu_fail(err, XENLU_REFUSED, 0, "boot with a PV dom0; it takes a reboot",
                          "dom0 is PVH, which cannot be carried");

    place = (struct lu_place){
        .region_start = query.region_start,
        .region_size = query.region_size,
        .slot_start = query.slot_start,
        .slot_size = query.slot_size,
        .nr_slots = query.nr_slots,
        .format = query.format,
    };
    error = prepare(lu, &place, query.features, path, append, &plan, out, &why);
    if (!error && load) {
        code = target_accept(lu, out, err);
        if (!code)
            error = lu_xen_load(lu->xen, &plan, &why);
    }
    lu_plan_free(&plan);

    return error ? target_error(err, path, &why) : code;
}

static enum xenlu_code unstage(struct xenlu *lu, struct xenlu_error *err)
{
    struct xen_liveupdate_query query;
    struct lu_kexec_why why;
    enum xenlu_code code = xenlu_query(lu, &query, err);

    if (code)
        return code;
    if (!query.staged)
        return xenlu_fail(err, XENLU_NOT_STAGED, 0, "", "no target is staged");
    if (lu_xen_unload(lu->xen, &why))
        return xenlu_fail_kexec(err, &why);

    return XENLU_OK;
}

static bool is_staged(struct xenlu *lu)
{
    struct xen_liveupdate_query query;

    return !xenlu_query(lu, &query, NULL) && query.staged;
}

/*
 * With the lock.  The record of what is staged goes before Xen gets another target, and comes after
 * it: cut off anywhere it never tells of a target that Xen does not have.  @path NULL: unstages.
 */
static enum xenlu_code change(struct xenlu *lu, const Lu__Host *host, const char *path,
                              const char *append, struct xenlu_target *out, struct xenlu_error *err)
{
    Lu__Staged *old = staged_read(host);
    Lu__Target *target = NULL;
    struct record_why why;
    enum xenlu_code code;

    if (staged_write(NULL, NULL, &why)) {
        code = xenlu_fail(err, XENLU_JOURNAL, 0, ADVICE_DISK, "what is staged: %s", why.text);
        goto done;
    }
    code = path ? stage(lu, path, append, true, out, err) : unstage(lu, err);
    if (!code && path)
        target = target_message(path, out);
    /* After an error what was staged before still is. */
    if (code && old && is_staged(lu))
        target = target_copy(old->target);
    if (target && staged_write(host, target, &why)) {
        unstage(lu, NULL);
        if (code)
            xenlu_warn(lu, "what was staged is not any more: %s", why.text);
        else
            code = xenlu_fail(err, XENLU_JOURNAL, 0, ADVICE_DISK,
                              "what is staged cannot be remembered: %s; nothing is staged now",
                              why.text);
    }
    xenlu_update_metrics(lu);
    if (target)
        lu__target__free_unpacked(target, NULL);
done:
    if (old)
        lu__staged__free_unpacked(old, NULL);

    return code;
}

static enum xenlu_code change_locked(struct xenlu *lu, const char *path, const char *append,
                                     struct xenlu_target *out, struct xenlu_error *err)
{
    struct xen_liveupdate_query query;
    Lu__Manifest *m;
    enum xenlu_code code = xenlu_query(lu, &query, err);

    if (!code)
        code = xenlu_lock(lu, err);
    if (code)
        return code;
    code = xenlu_take_manifest(lu, &m, err);
    if (!code) {
        code = change(lu, m->host, path, append, out, err);
        lu__manifest__free_unpacked(m, NULL);
    }
    xenlu_unlock(lu);

    return code;
}

enum xenlu_code xenlu_check_target(struct xenlu *lu, const char *path, const char *append,
                                   struct xenlu_target *target, size_t size,
                                   struct xenlu_error *err)
{
    struct xenlu_target t;
    enum xenlu_code code = stage(lu, path, append, false, &t, err);

    if (!code)
        xenlu_give(target, size, &t, sizeof(t));

    return code;
}

enum xenlu_code xenlu_stage(struct xenlu *lu, const char *path, const char *append,
                            struct xenlu_target *target, size_t size, struct xenlu_error *err)
{
    struct xenlu_target t;
    enum xenlu_code code = change_locked(lu, path, append, &t, err);

    if (!code)
        xenlu_give(target, size, &t, sizeof(t));

    return code;
}

enum xenlu_code xenlu_unstage(struct xenlu *lu, struct xenlu_error *err)
{
    return change_locked(lu, NULL, NULL, NULL, err);
}
