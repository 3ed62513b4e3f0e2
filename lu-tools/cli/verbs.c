/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verbs that an operator uses for an update.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/internal.h"
#include "../record/message_json.h"
#include "cli.h"

static void changes(struct cli *c, const char *what, const char *old, const char *new)
{
    if (!strcmp(old, new))
        say(c, "%s: %s (the same)\n", what, old);
    else
        say(c, "%s: %s -> %s\n", what, old, new);
}

/* What would be another one after the update. */
static void tell_changes(struct cli *c, const struct xenlu_status *s, const struct xenlu_target *t)
{
    json_object_set_new(c->out, "running", json_status(s));
    changes(c, "version", s->version, t->version);
    changes(c, "changeset", s->changeset, t->changeset);
    changes(c, "build", s->build_id, t->build_id);
    changes(c, "command line", s->command_line, t->command_line);
}

static enum xenlu_code stage(struct cli *c, struct xenlu_target *target, struct xenlu_error *err)
{
    enum xenlu_code code;

    if (!c->dry_run)
        return xenlu_stage(c->lu, c->args[0], c->append, target, sizeof(*target), err);
    code = xenlu_check_target(c->lu, c->args[0], c->append, target, sizeof(*target), err);

    return code ? code : target_accept(c->lu, target, err);
}

int verb_stage(struct cli *c)
{
    struct xenlu_target target;
    struct xenlu_status status;
    struct xenlu_error err;

    if (xenlu_get_status(c->lu, &status, sizeof(status), &err) || stage(c, &target, &err))
        return complain(c, &err);

    json_object_set_new(c->out, "target", json_target(c->args[0], &target));
    say(c, "%s: %s\n", c->dry_run ? "would stage" : "staged", c->args[0]);
    print_target(c, c->args[0], &target);
    print_lost(c, &target);
    tell_changes(c, &status, &target);

    return EXIT_DONE;
}

int verb_unstage(struct cli *c)
{
    struct xenlu_status status;
    struct xenlu_error err;

    if (c->dry_run ? xenlu_get_status(c->lu, &status, sizeof(status), &err)
                   : xenlu_unstage(c->lu, &err))
        return complain(c, &err);
    if (c->dry_run)
        say(c, status.staged ? "would unstage\n" : "nothing is staged\n");
    else
        say(c, "unstaged\n");

    return EXIT_DONE;
}

/* The target, if it was staged by these tools under this Xen. */
static void tell_staged(struct cli *c, const struct xenlu_status *s)
{
    Lu__Host host = LU__HOST__INIT;
    Lu__Staged *staged = NULL;
    Lu__Manifest *m;
    struct record_why why;

    if (s->staged && !manifest_take(c->lu, &m, &why)) {
        host.boot_id = m->host->boot_id;
        host.generation = s->generation;
        staged = staged_read(&host);
        lu__manifest__free_unpacked(m, NULL);
    }
    json_object_set_new(c->out, "target",
                        staged ? message_json(&staged->target->base) : json_null());
    if (!staged)
        return;
    say(c, "target: %s (%s), %s\n", staged->target->version, staged->target->changeset,
        staged->target->path);
    lu__staged__free_unpacked(staged, NULL);
}

/* The last update, in a line; with @s also what is not as it was before, and the metrics anew. */
static void tell_last(struct cli *c, const struct xenlu_status *s)
{
    const struct attempt *a;
    struct record_why why;
    struct journal j;
    char when[32];

    if (read_journal(c, &j))
        return;
    a = journal_find(&j, 0, LU__KIND__UPDATE);
    json_object_set_new(c->out, "last", json_attempt(a));
    if (a) {
        format_time(when, sizeof(when), a->begin->time_ns);
        say(c, "last update: %u, %s: %s\n", a->begin->id, when, journal_outcome(a));
    }
    if (s && journal_lost_crash_kernel(&j, s))
        say(c, "crash kernel before the update: armed (load it again)\n");
    if (s && !c->dry_run && metrics_write(s, &j, &why))
        warn(c, "metrics: %s", why.text);
    journal_close(&j);
}

int verb_status(struct cli *c)
{
    struct xenlu_status status;
    struct xenlu_error err;

    if (xenlu_get_status(c->lu, &status, sizeof(status), &err))
        return complain(c, &err);
    json_object_set_new(c->out, "status", json_status(&status));
    print_status(c, &status);
    tell_staged(c, &status);
    tell_last(c, &status);

    return EXIT_DONE;
}

int verb_abort(struct cli *c)
{
    struct xenlu_error err;

    if (c->dry_run) {
        say(c, "would take back an update that has not begun\n");
        return EXIT_DONE;
    }
    if (xenlu_abort(c->lu, &err))
        return complain(c, &err);
    say(c, "aborted\n");

    return EXIT_DONE;
}

int verb_result(struct cli *c)
{
    struct xenlu_result result;
    struct xenlu_error err;

    if (xenlu_get_result(c->lu, &result, sizeof(result), &err))
        return complain(c, &err);
    json_object_set_new(c->out, "result", json_result(&result));
    print_result(c, &result);
    tell_last(c, NULL);

    return EXIT_DONE;
}
