/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * apply and rehearse: from the question whether it may be done to what became of it.
 *
 * Nothing has an effect before Begin is in the journal, on the disk.  From then on
 * an attempt ends with an End there, written by this process or, if it does not live,
 * by the next one that asks (../record/complete.c).
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

/* What the hooks behind the event are told. */
enum outcome {
    REFUSED, /* nothing has been tried */
    DONE,    /* another Xen runs, and nothing is missing */
    FAILED,  /* tried, and everything is as it was */
    LOST,    /* another Xen runs, and something is missing */
    UNKNOWN,
};

struct attempt_data {
    struct journal journal;
    Lu__Manifest *before;       /* the journal's, once begun */
    const Lu__Begin *begin;     /* the journal's */
    Lu__Staged *staged;         /* owned; what is to be checked, approved and executed */
    Lu__Prediction *prediction; /* owned */
    struct facts facts;
    struct domids ended; /* seen to have shut down by themselves since it began */
    uint32_t id;
    bool hooks_began; /* so others have to follow, whatever comes */
    enum outcome outcome;
    enum xenlu_code code; /* of the attempt */
    struct xenlu_error err;
    struct xenlu_result result;
};

/* ---- progress ---- */

struct progress {
    const struct cli *c;
    struct domids *ended;
    uint32_t last;
    bool taken_back; /* as far as that was possible */
};

static void progress(struct xenlu *lu, uint32_t phase, void *data)
{
    struct progress *p = data;
    const char *name = xenlu_phase_name(phase);
    struct xenlu_inventory inventory;
    struct xenlu_domain *list;

    if (interrupted && !p->taken_back) {
        p->taken_back = true;
        xenlu_abort(lu, NULL);
    }
    if (!xenlu_get_inventory(lu, &inventory, sizeof(inventory), &list, sizeof(*list), NULL)) {
        manifest_note_ended(list, inventory.nr_domains, p->ended);
        free(list);
    }
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

static enum xenlu_code attempt(struct cli *c, struct attempt_data *d, bool rehearse)
{
    struct xenlu_plan plan = {.kind = rehearse ? XENLU_REHEARSAL : XENLU_UPDATE,
                              .timeout = c->timeout};
    struct progress p = {.c = c, .ended = &d->ended};
    enum xenlu_code code;

    code = xenlu_start(c->lu, &plan, sizeof(plan), &d->err);
    if (code)
        return code;
    code = xenlu_wait(c->lu, progress, &p, &d->result, sizeof(d->result), &d->err);
    progress_done(&p);

    return code;
}

/* ---- begin ---- */

static Lu__Plan *make_plan(struct cli *c, const struct attempt_data *d, Lu__Kind kind)
{
    Lu__Plan *plan = record_alloc(sizeof(*plan));

    lu__plan__init(plan);
    plan->kind = kind;
    plan->timeout_s = c->timeout;
    plan->max_pause_ns = c->max_pause_ms * INT64_C(1000000);
    if (d->staged)
        plan->target = target_copy(d->staged->target);
    plan->prediction = record_alloc(sizeof(*plan->prediction));
    lu__prediction__init(plan->prediction);
    plan->prediction->pause_ns = d->prediction->pause_ns;
    plan->prediction->source_ns = d->prediction->source_ns;
    plan->prediction->basis = record_text(d->prediction->basis);

    return plan;
}

static int begin(struct cli *c, struct attempt_data *d, Lu__Kind kind)
{
    Lu__Begin *b = record_alloc(sizeof(*b));
    struct record_why why;

    lu__begin__init(b);
    b->id = d->id;
    b->time_ns = record_now();
    b->tool = record_text(LU_TOOLS_VERSION);
    b->pid = getpid();
    b->plan = make_plan(c, d, kind);
    b->before = d->before;
    d->before = NULL;
    if (journal_begin(&d->journal, b, &why))
        return complain_text(c, EXIT_ERROR, "journal", ADVICE_DISK,
                             "the journal: %s; nothing has been tried", why.text);
    d->begin = b;
    d->before = b->before;
    notify_begin(b);
    json_object_set_new(c->out, "id", json_integer(b->id));

    return EXIT_DONE;
}

/* ---- end ---- */

static Lu__End *new_end(const struct attempt_data *d, Lu__Outcome outcome, const char *message)
{
    Lu__End *end = record_alloc(sizeof(*end));

    lu__end__init(end);
    end->id = d->id;
    end->time_ns = record_now();
    end->outcome = outcome;
    end->message = record_text(message);

    return end;
}

static void write_end(struct cli *c, struct attempt_data *d, Lu__End *end)
{
    struct record_why why;

    if (journal_end(&d->journal, end, &why))
        warn(c, "the journal: %s", why.text);
    else
        notify_end(d->begin, end);
    update_metrics(c, &d->journal);
}

/* Not done: what is known of it.  Without an End whoever asks next finds out. */
static void end_not_done(struct cli *c, struct attempt_data *d)
{
    struct xenlu_result r;
    Lu__End *end;

    d->outcome = UNKNOWN;
    if (d->code == XENLU_NOT_KNOWN)
        return;
    if (d->code == XENLU_TIMEOUT) {
        if (xenlu_get_result(c->lu, &r, sizeof(r), NULL) || r.state != XENLU_STATE_FAILED)
            return;
        d->result = r;
    }

    if (d->code == XENLU_FAILED || d->code == XENLU_TIMEOUT) {
        d->outcome = FAILED;
        end = new_end(d, LU__OUTCOME__FAILED, d->err.message);
        end->result = journal_result(&d->result);
    } else {
        d->outcome = REFUSED;
        end = new_end(d, LU__OUTCOME__NOT_TRIED, d->err.message);
    }
    write_end(c, d, end);
}

/* What was too late may have been taken back in time. */
static int exit_code_of(const struct attempt_data *d, int rc)
{
    return d->outcome == FAILED ? EXIT_FAILED : rc;
}

/* Begun, and ended before Xen was asked for the update. */
static void end_not_tried(struct cli *c, struct attempt_data *d, const char *message)
{
    d->outcome = REFUSED;
    write_end(c, d, new_end(d, LU__OUTCOME__NOT_TRIED, message));
}

/* Returns an exit code: are all still there? */
static int end_done(struct cli *c, struct attempt_data *d, bool rehearsal)
{
    Lu__End *end = new_end(d, rehearsal ? LU__OUTCOME__REHEARSED : LU__OUTCOME__DONE,
                           rehearsal ? "rehearsed" : "all that were there still are");
    json_t *missing = json_array(), *left = json_array();
    struct record_why why;
    int rc = EXIT_DONE;

    d->outcome = DONE;
    end->result = journal_result(&d->result);
    if (manifest_take(c->lu, &end->after, &why)) {
        rc = complain_text(c, EXIT_UNKNOWN, "inventory", "look at the domains: xl list",
                           "%s, but who survived cannot be told: %s",
                           rehearsal ? "rehearsed" : "Xen was updated", why.text);
        d->outcome = UNKNOWN;
        end->outcome = LU__OUTCOME__NOT_KNOWN;
        free(end->message);
        end->message = record_text("done; whether all are there that were before is not known");
    } else {
        manifest_compare(d->before, end->after, &d->ended, end);
    }
    for (size_t i = 0; i < end->n_missing; i++) {
        fprintf(stderr, "missing: %s\n", end->missing[i]);
        json_array_append_new(missing, json_string(end->missing[i]));
    }
    json_object_set_new(c->out, "missing", missing);
    for (size_t i = 0; i < end->n_left; i++) {
        say(c, "left: %s\n", end->left[i]);
        json_array_append_new(left, json_string(end->left[i]));
    }
    json_object_set_new(c->out, "left", left);
    if (end->n_missing) {
        rc = complain_text(c, EXIT_LOST, "lost", "look at the domains: xl list, xl dmesg",
                           "%s, but not all is there that was there before: %s",
                           rehearsal ? "rehearsed" : "Xen was updated", end->missing[0]);
        d->outcome = LOST;
        end->outcome = LU__OUTCOME__LOST;
        free(end->message);
        end->message = record_text("not all is there that was there before");
    } else if (!rc && !rehearsal) {
        say(c, "survivors: all of %zu domains, %zu devices%s\n", d->before->n_domains,
            d->before->n_devices, end->n_left ? ", but for those that have left" : "");
    }
    write_end(c, d, end);

    return rc;
}

/* ---- what is said of it ---- */

static void tell_prediction(struct cli *c, struct attempt_data *d)
{
    json_object_set_new(c->out, "prediction", message_json(&d->prediction->base));
    print_prediction(c, d->prediction);
}

static void predict(struct attempt_data *d, const Lu__Result *rehearsed)
{
    if (d->prediction)
        lu__prediction__free_unpacked(d->prediction, NULL);
    d->prediction = predict_pause(&d->journal, d->before, rehearsed);
}

static void compare_prediction(struct cli *c, const struct attempt_data *d)
{
    int64_t predicted = d->prediction->pause_ns, real = d->result.pause_ns;
    char text[32];

    json_object_set_new(c->out, "prediction", message_json(&d->prediction->base));
    format_ms(text, sizeof(text), predicted);
    say(c, "predicted pause: %s (%+.0f %% against the real one)\n", text,
        real > 0 ? 100.0 * (predicted - real) / real : 0.0);
}

/* ---- hooks ---- */

static void update_facts(struct cli *c, struct attempt_data *d)
{
    const Lu__Target *t = d->staged->target;

    base_facts(c, &d->facts);
    facts_add(&d->facts, "VERB", "apply");
    facts_add(&d->facts, "ID", "%u", d->id);
    facts_add(&d->facts, "DOMAINS", "%zu", d->before->n_domains);
    facts_add(&d->facts, "TARGET", "%s", t->path);
    facts_add(&d->facts, "TARGET_VERSION", "%s", t->version);
    facts_add(&d->facts, "TARGET_CHANGESET", "%s", t->changeset);
    facts_add(&d->facts, "PREDICTED_PAUSE_NS", "%" PRId64, d->prediction->pause_ns);
}

static void outcome_facts(const struct cli *c, struct attempt_data *d)
{
    static const char *const names[] = {[REFUSED] = "refused",
                                        [DONE] = "done",
                                        [FAILED] = "failed",
                                        [LOST] = "lost",
                                        [UNKNOWN] = "unknown"};
    const json_t *error = json_object_get(c->out, "error");
    const char *phase = xenlu_phase_name(d->result.phase);
    bool failed = d->outcome == FAILED;

    facts_add(&d->facts, "OUTCOME", "%s", names[d->outcome]);
    facts_add(&d->facts, "PAUSE_NS", "%" PRId64, d->result.pause_ns);
    if (!error)
        return;
    facts_add(&d->facts, "ERROR", "%s", json_string_value(json_object_get(error, "message")));
    facts_add(&d->facts, "PHASE", "%s", failed && phase ? phase : "");
    facts_add(&d->facts, "RESOURCE", "%s", failed ? d->result.resource : "");
    if (failed && d->result.domid != XENLU_NO_DOMAIN)
        facts_add(&d->facts, "DOMAIN", "%u", d->result.domid);
    else
        facts_add(&d->facts, "DOMAIN", "%s", "");
}

/* Once for each run of pre-apply, an interrupted one included. */
static void run_last_hooks(struct cli *c, struct attempt_data *d)
{
    if (!d->hooks_began)
        return;
    outcome_facts(c, d);
    crash_kernel_facts(c, d->before, &d->facts);
    run_post_hooks(c, d->outcome == DONE ? "post-apply" : "on-failure", &d->facts);
    tell_crash_kernel(c, &d->journal, d->before, d->id);
}

/* ---- the attempt ---- */

/* With a limit to keep: rehearses and predicts.  EXIT_DONE: it will be kept. */
static int keep_limit(struct cli *c, struct attempt_data *d)
{
    int64_t limit = c->max_pause_ms * INT64_C(1000000);
    char predicted[32];

    d->code = attempt(c, d, true);
    if (d->code && d->code != XENLU_UNSUPPORTED) {
        int rc = complain(c, &d->err);

        end_not_done(c, d);
        return exit_code_of(d, rc);
    }
    if (!d->code) {
        Lu__Result *r = journal_result(&d->result);

        predict(d, r);
        lu__result__free_unpacked(r, NULL);
    }
    tell_prediction(c, d);
    if (d->prediction->pause_ns <= limit)
        return EXIT_DONE;

    format_ms(predicted, sizeof(predicted), d->prediction->pause_ns);
    end_not_tried(c, d, "the pause would be longer than allowed");

    return complain_text(c, EXIT_REFUSED, "pause-too-long",
                         "allow a longer pause, or have fewer domains",
                         "the pause would be %s, longer than the %u ms that are allowed (%s); "
                         "nothing has been tried",
                         predicted, c->max_pause_ms, d->prediction->basis);
}

/*
 * Directly before Xen is asked, with the lock: is that staged what was checked, told to the
 * hooks and written into the journal?  Xen itself does not tell what it has.
 */
static int check_approved(struct cli *c, struct attempt_data *d)
{
    Lu__Staged *now = NULL;
    struct xenlu_status s;
    bool same;

    if (!xenlu_get_status(c->lu, &s, sizeof(s), NULL) && s.staged &&
        s.generation == d->before->host->generation)
        now = staged_read(d->before->host);
    same = now && target_equal(now->target, d->begin->plan->target);
    if (now)
        lu__staged__free_unpacked(now, NULL);
    if (same)
        return EXIT_DONE;
    end_not_tried(c, d, "what is staged is not what had been approved");

    return complain_text(c, EXIT_REFUSED, "target-changed", "look at what is staged, and try again",
                         "what is staged is no longer what was checked; nothing has been tried");
}

/* Xen was asked for what had been approved; that it is what runs can only be seen now. */
static void compare_build(struct cli *c, const struct attempt_data *d)
{
    const char *approved = d->begin->plan->target->build_id;
    struct xenlu_status s;

    if (*approved && !xenlu_get_status(c->lu, &s, sizeof(s), NULL) && strcmp(approved, s.build_id))
        warn(c, "the Xen that runs is not the one that was approved: its build id is %s, not %s",
             s.build_id[0] ? s.build_id : "none", approved);
}

static int execute(struct cli *c, struct attempt_data *d)
{
    int rc;

    if (c->max_pause_ms) {
        rc = keep_limit(c, d);
        if (rc)
            return rc;
    }
    /* An interrupt holds until Xen is asked for the update: nothing has happened yet. */
    rc = stop_if_interrupted(c);
    if (rc) {
        end_not_tried(c, d, "interrupted before the update");
        return rc;
    }
    rc = check_approved(c, d);
    if (rc)
        return rc;

    say(c, "updating: generation %u, Xen %s\n", d->before->host->generation,
        d->before->host->version);
    fflush(stdout);
    d->code = attempt(c, d, false);
    if (!d->code || d->code == XENLU_FAILED)
        json_object_set_new(c->out, "result", json_result(&d->result));
    if (d->code) {
        rc = complain(c, &d->err);
        end_not_done(c, d);
        return exit_code_of(d, rc);
    }

    print_result(c, &d->result);
    compare_prediction(c, d);
    compare_build(c, d);
    rc = end_done(c, d, false);
    staged_write(NULL, NULL, &(struct record_why){0});

    return rc;
}

/* Xen is not asked: it might be ready by then, and go ahead without an entry in the journal. */
static int is_ready(struct cli *c, bool rehearsal)
{
    struct xenlu_status s;
    struct xenlu_error err;

    if (xenlu_get_status(c->lu, &s, sizeof(s), &err))
        return complain(c, &err);
    if (s.busy)
        return complain_text(c, EXIT_BUSY, xenlu_code_name(XENLU_BUSY), "try again in a moment",
                             "an update is under way or has not settled yet");
    if (rehearsal && !s.can_rehearse)
        return complain_text(c, EXIT_ERROR, xenlu_code_name(XENLU_UNSUPPORTED), "",
                             "the running Xen cannot rehearse");
    if (!rehearsal && !s.nr_slots)
        return complain_text(c, EXIT_ERROR, xenlu_code_name(XENLU_NO_REGION),
                             "set liveupdate=<size> on Xen's command line; it takes a reboot",
                             "the running Xen has reserved no memory for a live update");
    if (!rehearsal && !s.staged)
        return complain_text(c, EXIT_ERROR, xenlu_code_name(XENLU_NOT_STAGED),
                             "xen-liveupdate stage TARGET first", "no target is staged");

    return EXIT_DONE;
}

/* The lock, the journal, the manifest and a prediction. */
static int prepare(struct cli *c, struct attempt_data *d, bool rehearsal)
{
    int rc = is_ready(c, rehearsal);

    if (!rc)
        rc = c->dry_run ? read_journal(c, &d->journal) : open_journal(c, &d->journal);
    /* Once more: from here on nobody else stages or updates. */
    if (!rc)
        rc = is_ready(c, rehearsal);
    if (rc)
        return rc;
    rc = take_manifest(c, &d->before);
    if (rc)
        return rc;
    predict(d, NULL);
    d->id = journal_next_id(&d->journal);

    return EXIT_DONE;
}

static void release(struct attempt_data *d)
{
    if (d->before && !d->begin)
        lu__manifest__free_unpacked(d->before, NULL);
    if (d->prediction)
        lu__prediction__free_unpacked(d->prediction, NULL);
    if (d->staged)
        lu__staged__free_unpacked(d->staged, NULL);
    free(d->ended.domid);
    facts_free(&d->facts);
    journal_close(&d->journal);
}

/* Everything before the first side effect. */
static int may_update(struct cli *c, struct attempt_data *d)
{
    int rc = check_hooks(c);

    if (!rc)
        rc = run_pre_hooks(c, "pre-check", &d->facts);
    if (!rc)
        rc = check_domains(c, stderr, d->before);
    if (rc == EXIT_REFUSED && !json_object_get(c->out, "error"))
        return complain_text(c, rc, "refused", "xen-liveupdate check lists all reasons",
                             "the check refuses; nothing has been tried");
    if (!rc)
        rc = stop_if_interrupted(c);
    if (!rc && c->dry_run)
        tell_prediction(c, d);
    if (!rc && !c->dry_run) {
        d->hooks_began = true;
        rc = run_pre_hooks(c, "pre-apply", &d->facts);
    }

    return rc;
}

/* What hooks have shut down or moved away is not what the update may lose. */
static int retake_manifest(struct cli *c, struct attempt_data *d)
{
    Lu__Manifest *m;
    int rc = take_manifest(c, &m);

    if (rc)
        return rc;
    lu__manifest__free_unpacked(d->before, NULL);
    d->before = m;

    return EXIT_DONE;
}

static int apply(struct cli *c, struct attempt_data *d)
{
    int rc = prepare(c, d, false);

    if (rc)
        return rc;
    d->staged = staged_read(d->before->host);
    if (!d->staged)
        return complain_text(
            c, EXIT_REFUSED, "target-unknown", "xen-liveupdate stage TARGET",
            "what is staged is not known: it was not xen-liveupdate that did it, or "
            "that was killed; nothing has been tried");
    catch_signals();
    update_facts(c, d);
    rc = may_update(c, d);
    if (!rc && c->dry_run) {
        say(c, "would update: generation %u, Xen %s\n", d->before->host->generation,
            d->before->host->version);
        return EXIT_DONE;
    }
    if (!rc)
        rc = retake_manifest(c, d);
    if (!rc)
        rc = begin(c, d, LU__KIND__UPDATE);
    if (!rc)
        rc = execute(c, d);
    run_last_hooks(c, d);

    return rc;
}

static int rehearse(struct cli *c, struct attempt_data *d)
{
    Lu__Result *r;
    int rc = prepare(c, d, true);

    if (rc)
        return rc;
    if (c->dry_run) {
        tell_prediction(c, d);
        say(c, "would rehearse\n");
        return EXIT_DONE;
    }
    catch_signals();
    rc = begin(c, d, LU__KIND__REHEARSAL);
    if (rc)
        return rc;

    d->code = attempt(c, d, true);
    if (!d->code || d->code == XENLU_FAILED)
        json_object_set_new(c->out, "result", json_result(&d->result));
    if (d->code) {
        rc = complain(c, &d->err);
        end_not_done(c, d);
        return exit_code_of(d, rc);
    }
    print_result(c, &d->result);
    r = journal_result(&d->result);
    predict(d, r);
    lu__result__free_unpacked(r, NULL);
    tell_prediction(c, d);

    return end_done(c, d, true);
}

static int run(struct cli *c, bool rehearsal)
{
    struct attempt_data d = {.journal = {.lock = -1}, .result.pause_ns = -1};
    int rc = (rehearsal ? rehearse : apply)(c, &d);

    release(&d);

    return rc;
}

int verb_apply(struct cli *c)
{
    return run(c, false);
}

int verb_rehearse(struct cli *c)
{
    return run(c, true);
}
