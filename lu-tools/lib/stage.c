/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Staging: hours before the update, without effect on anybody.
 */

#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

static void describe(struct xenlu_target *out, const struct lu_target *t,
                     const struct lu_plan *plan, const char *cmdline)
{
    *out = (struct xenlu_target){
        .format = t->note.format,
        .format_oldest = t->note.format_oldest,
        .footprint = lu_target_footprint(t),
        .entry = plan->xen_entry,
        .nr_segments = LU_PLAN_NR,
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

/* What the file is, whether it suits, and where all of it goes. */
static enum lu_kexec_error prepare(struct xenlu *lu, const struct lu_place *place, const char *path,
                                   const char *append, struct lu_plan *plan,
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
        describe(out, &target, plan, cmdline);

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
                             void *out, size_t size, struct xenlu_error *err)
{
    struct xenlu_target description;
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
    error = prepare(lu, &place, path, append, &plan, &description, &why);
    if (!error && load)
        error = lu_xen_load(lu->xen, &plan, &why);
    lu_plan_free(&plan);
    if (!error)
        xenlu_give(out, size, &description, sizeof(description));

    return error ? target_error(err, path, &why) : XENLU_OK;
}

enum xenlu_code xenlu_check_target(struct xenlu *lu, const char *path, const char *append,
                                   struct xenlu_target *target, size_t size,
                                   struct xenlu_error *err)
{
    return stage(lu, path, append, false, target, size, err);
}

enum xenlu_code xenlu_stage(struct xenlu *lu, const char *path, const char *append,
                            struct xenlu_target *target, size_t size, struct xenlu_error *err)
{
    return stage(lu, path, append, true, target, size, err);
}

enum xenlu_code xenlu_unstage(struct xenlu *lu, struct xenlu_error *err)
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
