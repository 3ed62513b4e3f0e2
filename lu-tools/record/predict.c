/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long will the pause be?
 *
 * A rehearsal measures the source's part.  The target's part (boot, and filling in
 * what it has to know about each frame) is that of an earlier update of this host,
 * brought to its present size; before the first one, that of a reference machine,
 * brought to the speed of this one by the part that was measured.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

/*
 * The reference: ns, on the machine of docs/limits.md (release build, emulated at
 * one instruction a ns).  Source: per frame of domains.  Target: at all, per CPU, per
 * frame of the host (frame table), per frame of domains (plan).
 */
#define REF_SOURCE_FRAME 39
#define REF_TARGET       2000000
#define REF_TARGET_CPU   1500000
#define REF_TARGET_HOST  10
#define REF_TARGET_FRAME 30

struct size {
    double frames, host_frames, cpus;
};

static struct size size_of(const Lu__Manifest *m)
{
    return (struct size){manifest_pages(m), m->host->total_pages, m->host->cpus};
}

static double reference_source(const struct size *s)
{
    return REF_SOURCE_FRAME * s->frames;
}

static double reference_target(const struct size *s)
{
    return REF_TARGET + REF_TARGET_CPU * s->cpus + REF_TARGET_HOST * s->host_frames +
           REF_TARGET_FRAME * s->frames;
}

static int64_t phase_ns(const Lu__Result *r, const char *name)
{
    for (size_t i = 0; i < r->n_phases; i++)
        if (!strcmp(r->phases[i]->name, name))
            return r->phases[i]->ns;

    return 0;
}

/* Of the pause, what the source takes until it knows its stream to be sound. */
static int64_t source_part(const Lu__Result *r)
{
    return phase_ns(r, "quiesce") + phase_ns(r, "save") + phase_ns(r, "verify");
}

/* The last attempt of @kind that has been measured. */
static const struct attempt *last_measured(const struct journal *j, Lu__Kind kind)
{
    for (size_t i = j->nr_attempts; i-- > 0;) {
        const struct attempt *a = &j->attempts[i];

        if (a->begin->plan->kind == kind && a->end && a->end->result &&
            a->end->result->pause_ns > 0 &&
            (a->end->outcome == LU__OUTCOME__DONE || a->end->outcome == LU__OUTCOME__LOST ||
             a->end->outcome == LU__OUTCOME__REHEARSED))
            return a;
    }

    return NULL;
}

struct basis {
    char text[160];
};

static double source_time(const struct journal *j, const struct size *now,
                          const Lu__Result *rehearsed, struct basis *b)
{
    const struct attempt *r = last_measured(j, LU__KIND__REHEARSAL);
    const struct attempt *u = last_measured(j, LU__KIND__UPDATE);
    const struct attempt *a = r && (!u || r->begin->id > u->begin->id) ? r : u;
    struct size then;

    if (rehearsed && rehearsed->pause_ns > 0) {
        snprintf(b->text, sizeof(b->text), "this rehearsal");
        return rehearsed->pause_ns;
    }
    if (!a) {
        snprintf(b->text, sizeof(b->text), "the reference machine");
        return reference_source(now);
    }
    then = size_of(a->begin->before);
    snprintf(b->text, sizeof(b->text), "%s %u", a == r ? "rehearsal" : "update", a->begin->id);

    return (a == r ? a->end->result->pause_ns : source_part(a->end->result)) *
           (reference_source(now) / reference_source(&then));
}

/* @source: what the source's part takes. */
static double target_time(const struct journal *j, const struct size *now, double source,
                          struct basis *b)
{
    const struct attempt *u = last_measured(j, LU__KIND__UPDATE);
    struct size then;

    if (!u || u->begin->before->host->cpus != now->cpus) {
        snprintf(b->text, sizeof(b->text), "a reference machine at the speed of this one");
        return reference_target(now) * source / reference_source(now);
    }
    then = size_of(u->begin->before);
    snprintf(b->text, sizeof(b->text), "update %u", u->begin->id);

    return (u->end->result->pause_ns - source_part(u->end->result)) *
           (reference_target(now) / reference_target(&then));
}

Lu__Prediction *predict_pause(const struct journal *j, const Lu__Manifest *m,
                              const Lu__Result *rehearsed)
{
    Lu__Prediction *p = record_alloc(sizeof(*p));
    struct size now = size_of(m);
    struct basis source_basis, target_basis;
    double source = source_time(j, &now, rehearsed, &source_basis);
    double target = target_time(j, &now, source, &target_basis);
    char text[sizeof(source_basis) + sizeof(target_basis) + 32];

    lu__prediction__init(p);
    p->source_ns = source;
    p->pause_ns = source + target;
    snprintf(text, sizeof(text), "up to the jump: %s; behind it: %s", source_basis.text,
             target_basis.text);
    p->basis = record_text(text);

    return p;
}
