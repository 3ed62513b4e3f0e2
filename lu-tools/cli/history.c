/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * history: the journal, for people and programs.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int64_t pause_of(const struct attempt *a)
{
    return a->end && a->end->result ? a->end->result->pause_ns : -1;
}

static const char *target_of(const struct attempt *a)
{
    const Lu__Target *t = a->begin->plan->target;

    if (a->end && a->end->result && a->end->outcome == LU__OUTCOME__DONE)
        return a->end->result->to;

    return t && t->version[0] ? t->version : "-";
}

static void print_line(const struct cli *c, const struct attempt *a)
{
    const Lu__Begin *b = a->begin;
    bool rehearsal = b->plan->kind == LU__KIND__REHEARSAL;
    char when[32], pause[32];

    format_time(when, sizeof(when), b->time_ns);
    format_ms(pause, sizeof(pause), pause_of(a));
    say(c, "%4u  %s  %-9s  %-10s  %-14s  %s%s%s\n", b->id, when, rehearsal ? "rehearsal" : "update",
        journal_outcome(a), pause, b->before->host->version, rehearsal ? "" : " -> ",
        rehearsal ? "" : target_of(a));
    if (a->end && (a->end->outcome == LU__OUTCOME__NOT_KNOWN || c->verbose))
        say(c, "      %s\n", a->end->message);
}

static void print_result_message(const struct cli *c, const Lu__Result *r)
{
    char text[32];

    format_ms(text, sizeof(text), r->pause_ns);
    say(c, "pause: %s\n", text);
    for (size_t i = 0; i < r->n_phases; i++) {
        format_ms(text, sizeof(text), r->phases[i]->ns);
        say(c, "phase %s: %s\n", r->phases[i]->name, text);
    }
    say(c, "stream: %" PRIu64 " bytes\n", r->stream_bytes);
    if (!r->failed_phase[0])
        return;
    say(c, "failed phase: %s\n", r->failed_phase);
    say(c, "failed resource: %s\n", r->failed_resource[0] ? r->failed_resource : "-");
    if (r->failed_domain >= 0)
        say(c, "failed domain: %" PRId64 "\n", r->failed_domain);
    say(c, "reason: %s\n", r->reason);
}

static void print_manifest(const struct cli *c, const Lu__Manifest *m)
{
    char who[128];

    for (size_t i = 0; i < m->n_domains; i++) {
        const Lu__Domain *d = m->domains[i];

        manifest_name(m, d->domid, who, sizeof(who));
        say(c, "%s: %u vCPUs, %" PRIu64 " MiB\n", who, d->vcpus, d->pages / 256);
    }
    if (!c->verbose)
        return;
    for (size_t i = 0; i < m->n_devices; i++)
        say(c, "device: %s %s%s%s\n", m->devices[i]->bus, m->devices[i]->name,
            m->devices[i]->driver[0] ? ", " : "", m->devices[i]->driver);
}

static void print_whole(const struct cli *c, const struct attempt *a)
{
    const Lu__Begin *b = a->begin;
    char when[32];

    say(c, "id: %u\n", b->id);
    say(c, "kind: %s\n", b->plan->kind == LU__KIND__REHEARSAL ? "rehearsal" : "update");
    format_time(when, sizeof(when), b->time_ns);
    say(c, "began: %s\n", when);
    if (a->end) {
        format_time(when, sizeof(when), a->end->time_ns);
        say(c, "%s: %s\n", a->end->afterwards ? "looked at" : "ended", when);
    }
    say(c, "outcome: %s\n", journal_outcome(a));
    if (a->end)
        say(c, "message: %s\n", a->end->message);
    say(c, "from: %s (%s)\n", b->before->host->version, b->before->host->changeset);
    if (b->plan->target)
        say(c, "target: %s (%s), %s\n", b->plan->target->version, b->plan->target->changeset,
            b->plan->target->path);
    for (size_t i = 0; b->plan->target && i < b->plan->target->n_lost; i++)
        say(c, "lost: %s\n", b->plan->target->lost[i]);
    if (b->plan->prediction)
        print_prediction(c, b->plan->prediction);
    if (a->end && a->end->result)
        print_result_message(c, a->end->result);
    print_manifest(c, b->before);
    for (size_t i = 0; a->end && i < a->end->n_missing; i++)
        say(c, "missing: %s\n", a->end->missing[i]);
    for (size_t i = 0; a->end && i < a->end->n_left; i++)
        say(c, "left: %s\n", a->end->left[i]);
}

static int one(struct cli *c, const struct journal *j)
{
    char *end;
    unsigned long id = strtoul(c->args[0], &end, 10);
    const struct attempt *a =
        *c->args[0] && !*end && id && id <= UINT32_MAX ? journal_find(j, id, 0) : NULL;

    if (!a)
        return complain_text(c, EXIT_ERROR, "no-attempt", "xen-liveupdate history lists all",
                             "there is no attempt \"%s\" in the journal", c->args[0]);
    json_object_set_new(c->out, "attempt", json_attempt(a));
    print_whole(c, a);

    return EXIT_DONE;
}

int verb_history(struct cli *c)
{
    struct journal j;
    int rc = read_journal(c, &j);

    if (rc)
        return rc;
    if (j.skipped)
        warn(c, "%s: %zu entries are damaged, or of a later version, and were left out", j.path,
             j.skipped);

    if (c->nr_args) {
        rc = one(c, &j);
    } else {
        json_t *list = json_array();

        for (size_t i = 0; i < j.nr_attempts; i++) {
            json_array_append_new(list, json_attempt(&j.attempts[i]));
            print_line(c, &j.attempts[i]);
        }
        json_object_set_new(c->out, "attempts", list);
        if (!j.nr_attempts)
            say(c, "no update so far\n");
    }
    journal_close(&j);

    return rc;
}
