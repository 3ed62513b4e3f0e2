/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long will the pause be?
 *
 * Up to the jump it takes what a rehearsal or an earlier update took.  Behind the jump,
 * what the last update took; before the first one
 *
 *  - the target's boot, for which the running Xen's own boot stands: it has measured a
 *    part of it (XEN_LIVEUPDATE_inventory).  Code that a CPU meets for the first time,
 *    devices, other CPUs: nothing that runs later is like it;
 *  - going over frames, as fast as the rehearsal did.
 *
 * Everything is brought to the present size.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

/* ns for each frame of domains or of the host, on the machine of docs/limits.md. */
#define REF_SOURCE_FRAME 39
#define REF_TARGET_FRAME 30
#define REF_TARGET_HOST  10

/* The target's boot, in times of the part that was measured; and that part, if it was not. */
#define BOOT_TIMES  4
#define REF_BOOT_NS 5000000

struct size {
    double frames, host_frames;
};

static struct size size_of(const Lu__Manifest *m)
{
    return (struct size){manifest_pages(m), m->host->total_pages};
}

static double reference_source(const struct size *s)
{
    return REF_SOURCE_FRAME * s->frames;
}

static double reference_target(const struct size *s)
{
    return REF_TARGET_HOST * s->host_frames + REF_TARGET_FRAME * s->frames;
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

/* A part of the pause. */
struct part {
    double ns;
    char basis[64];
};

/* *slowness: how many times as long as the machine of docs/limits.md this one takes. */
static struct part up_to_jump(const struct journal *j, const struct size *now,
                              const Lu__Result *rehearsed, double *slowness)
{
    const struct attempt *r = last_measured(j, LU__KIND__REHEARSAL);
    const struct attempt *u = last_measured(j, LU__KIND__UPDATE);
    const struct attempt *a = r && (!u || r->begin->id > u->begin->id) ? r : u;
    struct part p;

    if (rehearsed) {
        *slowness = source_part(rehearsed) / reference_source(now);
        snprintf(p.basis, sizeof(p.basis), "this rehearsal");
    } else if (a) {
        struct size then = size_of(a->begin->before);

        *slowness = source_part(a->end->result) / reference_source(&then);
        snprintf(p.basis, sizeof(p.basis), "%s %u", a == r ? "rehearsal" : "update", a->begin->id);
    } else {
        *slowness = 1;
        snprintf(p.basis, sizeof(p.basis), "a guess, rehearse measures it");
    }
    p.ns = *slowness * reference_source(now);

    return p;
}

static struct part behind_jump(const struct journal *j, const struct size *now,
                               const Lu__Host *host, double slowness)
{
    const struct attempt *u = last_measured(j, LU__KIND__UPDATE);
    struct part p;

    if (u && u->begin->before->host->cpus == host->cpus) {
        struct size then = size_of(u->begin->before);

        p.ns = u->end->result->pause_ns - source_part(u->end->result) +
               slowness * (reference_target(now) - reference_target(&then));
        snprintf(p.basis, sizeof(p.basis), "update %u", u->begin->id);
    } else {
        p.ns = BOOT_TIMES * (host->boot_ns > 0 ? host->boot_ns : REF_BOOT_NS) +
               slowness * reference_target(now);
        snprintf(p.basis, sizeof(p.basis), "%s",
                 host->boot_ns > 0 ? "the boot of this Xen" : "a guess");
    }

    return p;
}

Lu__Prediction *predict_pause(const struct journal *j, const Lu__Manifest *m,
                              const Lu__Result *rehearsed)
{
    Lu__Prediction *p = record_alloc(sizeof(*p));
    struct size now = size_of(m);
    double slowness;
    struct part source = up_to_jump(j, &now, rehearsed, &slowness);
    struct part target = behind_jump(j, &now, m->host, slowness);
    char text[sizeof(source.basis) + sizeof(target.basis) + 32];

    lu__prediction__init(p);
    p->source_ns = source.ns;
    p->pause_ns = source.ns + (target.ns > 0 ? target.ns : 0);
    snprintf(text, sizeof(text), "up to the jump: %s; behind it: %s", source.basis, target.basis);
    p->basis = record_text(text);

    return p;
}
