/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * report: the time line of an update, as text, as JSON, or as Chrome's trace
 * events, which Perfetto and chrome://tracing draw.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Tracks of the trace. */
enum { TRACK_DOMAINS = 1, TRACK_SOURCE, TRACK_TARGET };

/* One stretch of time, from the beginning of the attempt on. */
struct span {
    const char *name;
    int64_t start, ns;
    int track;
    bool paused; /* domains stand still */
};

#define MAX_SPANS 20

struct line {
    struct span span[MAX_SPANS];
    unsigned int nr;
    int64_t pause_start, pause_ns;
};

/* Phases in their order: whose they are, and do domains run. */
static const struct {
    const char *name;
    int track;
    bool paused;
} phases[] = {
    {"check", TRACK_SOURCE, false}, {"quiesce", TRACK_SOURCE, true}, {"save", TRACK_SOURCE, true},
    {"verify", TRACK_SOURCE, true}, {"collect", TRACK_SOURCE, true}, {"jump", TRACK_SOURCE, true},
    {"adopt", TRACK_TARGET, true},  {"plan", TRACK_TARGET, true},    {"commit", TRACK_TARGET, true},
    {"resume", TRACK_TARGET, true}, {"settle", TRACK_TARGET, false},
};

static int64_t phase_ns(const Lu__Result *r, const char *name)
{
    for (size_t i = 0; i < r->n_phases; i++)
        if (!strcmp(r->phases[i]->name, name))
            return r->phases[i]->ns;

    return -1;
}

/*
 * Phases are told by their length; what is between them (CPUs held and released) is
 * the rest of the pause and stands at its end, before domains go on.
 */
static void make_line(struct line *l, const Lu__Result *r)
{
    int64_t at = 0, paused = 0;

    *l = (struct line){.pause_start = -1, .pause_ns = r->pause_ns};
    for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
        int64_t ns = phase_ns(r, phases[i].name);

        if (ns < 0)
            continue;
        if (phases[i].paused && l->pause_start < 0)
            l->pause_start = at;
        if (!phases[i].paused && l->pause_start >= 0 && r->pause_ns > paused)
            at = l->pause_start + r->pause_ns;
        l->span[l->nr++] = (struct span){phases[i].name, at, ns, phases[i].track, phases[i].paused};
        at += ns;
        if (phases[i].paused)
            paused += ns;
    }
}

static void print_line(const struct cli *c, const struct line *l)
{
    char start[32], length[32];

    for (unsigned int i = 0; i < l->nr; i++) {
        format_ms(start, sizeof(start), l->span[i].start);
        format_ms(length, sizeof(length), l->span[i].ns);
        say(c, "%14s  %-8s %14s  %s%s\n", start, l->span[i].name, length,
            l->span[i].track == TRACK_SOURCE ? "old Xen" : "new Xen",
            l->span[i].paused ? ", domains stand still" : "");
    }
    format_ms(length, sizeof(length), l->pause_ns);
    say(c, "pause: %s\n", length);
}

static json_t *line_json(const struct line *l)
{
    json_t *list = json_array();

    for (unsigned int i = 0; i < l->nr; i++)
        json_array_append_new(list,
                              json_pack("{s:s, s:I, s:I, s:s, s:b}", "phase", l->span[i].name,
                                        "start_ns", (json_int_t)l->span[i].start, "ns",
                                        (json_int_t)l->span[i].ns, "xen",
                                        l->span[i].track == TRACK_SOURCE ? "source" : "target",
                                        "paused", l->span[i].paused));

    return list;
}

/* ---- trace events ---- */

static void event(json_t *events, const char *name, int track, int64_t start, int64_t ns)
{
    json_array_append_new(events, json_pack("{s:s, s:s, s:s, s:f, s:f, s:i, s:i}", "name", name,
                                            "cat", "liveupdate", "ph", "X", "ts", start / 1e3,
                                            "dur", ns / 1e3, "pid", 1, "tid", track));
}

static void name_track(json_t *events, int track, const char *name)
{
    json_array_append_new(events,
                          json_pack("{s:s, s:s, s:i, s:i, s:{s:s}}", "name", "thread_name", "ph",
                                    "M", "pid", 1, "tid", track, "args", "name", name));
}

static int print_trace(const struct attempt *a, const struct line *l)
{
    json_t *events = json_array(), *trace;

    json_array_append_new(events,
                          json_pack("{s:s, s:s, s:i, s:{s:s}}", "name", "process_name", "ph", "M",
                                    "pid", 1, "args", "name", "Xen live update"));
    name_track(events, TRACK_DOMAINS, "domains");
    name_track(events, TRACK_SOURCE, "old Xen");
    name_track(events, TRACK_TARGET, "new Xen");
    if (l->pause_ns >= 0 && l->pause_start >= 0)
        event(events, "pause", TRACK_DOMAINS, l->pause_start, l->pause_ns);
    for (unsigned int i = 0; i < l->nr; i++)
        event(events, l->span[i].name, l->span[i].track, l->span[i].start, l->span[i].ns);

    trace = json_pack("{s:o, s:s, s:{s:i, s:s, s:s}}", "traceEvents", events, "displayTimeUnit",
                      "ms", "otherData", "id", a->begin->id, "from", a->end->result->from, "to",
                      a->end->result->to);
    json_dumpf(trace, stdout, JSON_INDENT(1));
    printf("\n");
    json_decref(trace);

    return EXIT_DONE;
}

/* ---- the verb ---- */

static int report(struct cli *c, const struct attempt *a)
{
    struct line l;

    if (!a)
        return complain_text(c, EXIT_ERROR, "no-attempt", "xen-liveupdate history lists all",
                             "there is no such update in the journal");
    if (!a->end || !a->end->result)
        return complain_text(c, EXIT_ERROR, "no-result", "",
                             "of attempt %u no times are known: it is %s", a->begin->id,
                             journal_outcome(a));

    make_line(&l, a->end->result);
    if (!strcmp(c->format, "trace") && !c->json)
        return print_trace(a, &l);
    if (!strcmp(c->format, "json"))
        c->json = true;
    json_object_set_new(c->out, "attempt", json_attempt(a));
    json_object_set_new(c->out, "time_line", line_json(&l));
    say(c, "%s %u: %s\n", a->begin->plan->kind == LU__KIND__REHEARSAL ? "rehearsal" : "update",
        a->begin->id, journal_outcome(a));
    print_line(c, &l);

    return EXIT_DONE;
}

int verb_report(struct cli *c)
{
    struct journal j;
    uint32_t id = c->nr_args ? strtoul(c->args[0], NULL, 10) : 0;
    int rc = read_journal(c, &j);

    if (rc)
        return rc;
    if (c->nr_args && !id)
        rc = complain_usage(c, "report %s: not the number of an attempt", c->args[0]);
    else
        rc = report(c, journal_find(&j, id, LU__KIND__UPDATE));
    journal_close(&j);

    return rc;
}
