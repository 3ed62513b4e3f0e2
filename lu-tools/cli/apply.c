/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * apply and rehearse: what the library does (../lib/attempt.c), with hooks around it, and told to
 * people.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../lib/internal.h"
#include "../record/message_json.h"
#include "cli.h"

/* ---- what is said of it ---- */

static void tell_prediction(struct cli *c)
{
    const Lu__Prediction *p = c->lu->attempt.prediction;

    json_object_set_new(c->out, "prediction", message_json(&p->base));
    print_prediction(c, p);
}

static void compare_prediction(struct cli *c)
{
    const struct xenlu_attempt *a = &c->lu->attempt;
    int64_t predicted = a->prediction->pause_ns, real = a->result.pause_ns;
    char text[32];

    json_object_set_new(c->out, "prediction", message_json(&a->prediction->base));
    format_ms(text, sizeof(text), predicted);
    say(c, "predicted pause: %s (%+.0f %% against the real one)\n", text,
        real > 0 ? 100.0 * (predicted - real) / real : 0.0);
}

struct progress {
    struct cli *c;
    uint32_t last;
    bool updating;
};

/* Xen has been asked for the update; behind the rehearsal, if there was a limit to keep. */
static void tell_updating(struct progress *p)
{
    const struct xenlu_attempt *a = &p->c->lu->attempt;
    const Lu__Host *h = a->before->host;

    p->updating = true;
    if (a->plan.max_pause_ns)
        tell_prediction(p->c);
    say(p->c, "updating: generation %u, Xen %s\n", h->generation, h->version);
    fflush(stdout);
}

static void progress(struct xenlu *lu, uint32_t phase, void *data)
{
    struct progress *p = data;
    const char *name = xenlu_phase_name(phase);

    if (!p->updating && lu->attempt.plan.kind == XENLU_UPDATE &&
        lu->attempt.stage == ATTEMPT_STARTED)
        tell_updating(p);
    if (phase == p->last || !name || !phase)
        return;
    p->last = phase;
    if (isatty(STDOUT_FILENO))
        say(p->c, "\r\033[Know: %s", name);
    else
        say(p->c, "now: %s\n", name);
    fflush(stdout);
}

static void progress_done(const struct progress *p)
{
    if (p->last && isatty(STDOUT_FILENO))
        say(p->c, "\r\033[K");
}

/* Who is missing is an error, and told in any case. */
static void tell_survivors(struct cli *c)
{
    const struct xenlu_attempt *a = &c->lu->attempt;
    json_t *missing = json_array(), *left = json_array();
    const char *text;

    for (unsigned int i = 0; (text = xenlu_missing(c->lu, i)); i++) {
        fprintf(stderr, "missing: %s\n", text);
        json_array_append_new(missing, json_string(text));
    }
    json_object_set_new(c->out, "missing", missing);
    for (unsigned int i = 0; (text = xenlu_left(c->lu, i)); i++) {
        say(c, "left: %s\n", text);
        json_array_append_new(left, json_string(text));
    }
    json_object_set_new(c->out, "left", left);
    if (a->outcome == ATTEMPT_DONE && a->plan.kind == XENLU_UPDATE)
        say(c, "survivors: all of %zu domains, %zu devices%s\n", a->before->n_domains,
            a->before->n_devices, xenlu_left(c->lu, 0) ? ", but for those that have left" : "");
}

/* Returns an exit code. */
static int tell_outcome(struct cli *c, enum xenlu_code code, const struct xenlu_error *err)
{
    const struct xenlu_attempt *a = &c->lu->attempt;
    bool done = !code || code == XENLU_LOST || code == XENLU_INVENTORY;
    int rc;

    if (done || code == XENLU_FAILED)
        json_object_set_new(c->out, "result", json_result(&a->result));
    if (code == XENLU_PAUSE_TOO_LONG)
        tell_prediction(c);
    if (done) {
        print_result(c, &a->result);
        if (a->plan.kind == XENLU_UPDATE)
            compare_prediction(c);
        else
            tell_prediction(c);
        tell_survivors(c);
    }
    if (!code)
        return EXIT_DONE;

    rc = complain(c, err);
    /* What was too late may have been taken back in time. */
    if (a->outcome == ATTEMPT_FAILED)
        return EXIT_FAILED;
    if (a->outcome == ATTEMPT_RETURNED)
        return EXIT_RETURNED;

    return code == XENLU_INVENTORY ? EXIT_UNKNOWN : rc;
}

/* ---- hooks ---- */

static void update_facts(struct cli *c, struct facts *f)
{
    const struct xenlu_attempt *a = &c->lu->attempt;
    const Lu__Target *t = a->staged->target;

    base_facts(c, f);
    facts_add(f, "VERB", "apply");
    facts_add(f, "ID", "%u", a->id);
    facts_add(f, "DOMAINS", "%zu", a->before->n_domains);
    facts_add(f, "TARGET", "%s", t->path);
    facts_add(f, "TARGET_VERSION", "%s", t->version);
    facts_add(f, "TARGET_CHANGESET", "%s", t->changeset);
    facts_add(f, "PREDICTED_PAUSE_NS", "%" PRId64, a->prediction->pause_ns);
}

static void outcome_facts(const struct cli *c, struct facts *f)
{
    static const char *const names[] = {
        [ATTEMPT_REFUSED] = "refused", [ATTEMPT_DONE] = "done",
        [ATTEMPT_FAILED] = "failed",   [ATTEMPT_LOST] = "lost",
        [ATTEMPT_UNKNOWN] = "unknown", [ATTEMPT_RETURNED] = "returned"};
    const struct xenlu_attempt *a = &c->lu->attempt;
    const json_t *error = json_object_get(c->out, "error");
    const char *phase = xenlu_phase_name(a->result.phase);
    bool failed = a->outcome == ATTEMPT_FAILED || a->outcome == ATTEMPT_RETURNED;

    facts_add(f, "OUTCOME", "%s", names[a->outcome]);
    facts_add(f, "PAUSE_NS", "%" PRId64, a->result.pause_ns);
    if (!error)
        return;
    facts_add(f, "ERROR", "%s", json_string_value(json_object_get(error, "message")));
    facts_add(f, "PHASE", "%s", failed && phase ? phase : "");
    facts_add(f, "RESOURCE", "%s", failed ? a->result.resource : "");
    if (failed && a->result.domid != XENLU_NO_DOMAIN)
        facts_add(f, "DOMAIN", "%u", a->result.domid);
    else
        facts_add(f, "DOMAIN", "%s", "");
}

/* Everything before the first side effect.  *began: pre-apply, so others have to follow, whatever comes. */
static int may_update(struct cli *c, const struct facts *facts, bool *began)
{
    int rc = check_hooks(c);

    if (!rc)
        rc = run_pre_hooks(c, "pre-check", facts);
    if (!rc)
        rc = check_domains(c, stderr, c->lu->attempt.before, NULL);
    if (rc == EXIT_REFUSED && !json_object_get(c->out, "error"))
        return complain_text(c, rc, "refused", "xen-liveupdate check lists all reasons",
                             "the check refuses; nothing has been tried");
    if (!rc)
        rc = stop_if_interrupted(c);
    if (!rc && c->dry_run)
        tell_prediction(c);
    if (!rc && !c->dry_run) {
        *began = true;
        rc = run_pre_hooks(c, "pre-apply", facts);
    }

    return rc;
}

/* ---- the attempt ---- */

static int begin_and_wait(struct cli *c)
{
    struct progress p = {.c = c};
    struct xenlu_error err;
    enum xenlu_code code = attempt_begin(c->lu, &err);

    if (code)
        return complain(c, &err);
    json_object_set_new(c->out, "id", json_integer(c->lu->attempt.id));
    code = attempt_go(c->lu, &err);
    if (!code)
        code = attempt_wait(c->lu, progress, &p, &err);
    progress_done(&p);

    return tell_outcome(c, code, &err);
}

static int apply(struct cli *c)
{
    const Lu__Host *h = c->lu->attempt.before->host;
    struct facts facts = {0};
    bool hooks_began = false;
    int rc;

    update_facts(c, &facts);
    rc = may_update(c, &facts, &hooks_began);
    if (!rc && c->dry_run)
        say(c, "would update: generation %u, Xen %s\n", h->generation, h->version);
    else if (!rc)
        rc = begin_and_wait(c);
    /* Once for each run of pre-apply, an interrupted one included; the lock is still held. */
    if (hooks_began) {
        outcome_facts(c, &facts);
        crash_kernel_facts(c, c->lu->attempt.before, &facts);
        run_post_hooks(c, c->lu->attempt.outcome == ATTEMPT_DONE ? "post-apply" : "on-failure",
                       &facts);
        tell_crash_kernel(c, c->lu->attempt.before, c->lu->attempt.id);
    }
    facts_free(&facts);

    return rc;
}

static int rehearse(struct cli *c)
{
    if (!c->dry_run)
        return begin_and_wait(c);
    tell_prediction(c);
    say(c, "would rehearse\n");

    return EXIT_DONE;
}

static int run(struct cli *c, enum xenlu_kind kind)
{
    struct xenlu_plan plan = {.kind = kind,
                              .timeout = c->timeout,
                              .max_pause_ns = c->max_pause_ms * INT64_C(1000000)};
    struct xenlu_error err;
    int rc;

    if (attempt_prepare(c->lu, &plan, c->dry_run, &err))
        return complain(c, &err);
    catch_signals();
    c->lu->interrupted = &interrupted;
    rc = (kind == XENLU_UPDATE ? apply : rehearse)(c);
    attempt_close(c->lu);

    return rc;
}

int verb_apply(struct cli *c)
{
    return run(c, XENLU_UPDATE);
}

int verb_rehearse(struct cli *c)
{
    return run(c, XENLU_REHEARSAL);
}
