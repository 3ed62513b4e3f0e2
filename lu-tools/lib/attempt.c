/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An attempt, from the lock to what became of it.
 *
 * Nothing has an effect before Begin is in the journal, on the disk.  From then on
 * an attempt ends with an End there, written by this process or, if it does not live,
 * by the next one that asks (../record/complete.c).
 *
 * Execution is asynchronous.  The process that waits is stopped with its domain and
 * goes on under the new Xen; it sees the generation grow.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define POLL_NS     (20 * 1000 * 1000)
#define LOCK_TRIES  10
#define LOCK_TRY_NS (20 * 1000 * 1000)

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec + t.tv_nsec / 1e9;
}

static void delay(long ns)
{
    nanosleep(&(struct timespec){.tv_nsec = ns}, NULL);
}

void xenlu_set_warn(struct xenlu *lu, xenlu_warn_fn *warn, void *data)
{
    lu->warn = warn;
    lu->warn_data = data;
}

void xenlu_warn(struct xenlu *lu, const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (!lu->warn)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    lu->warn(text, lu->warn_data);
}

/* ---- the lock ---- */

static enum xenlu_code journal_error(struct xenlu_error *err, const struct record_why *why,
                                     const char *so)
{
    return xenlu_fail(err, XENLU_JOURNAL, 0, ADVICE_DISK, "the journal: %s%s", why->text, so);
}

static enum xenlu_code open_journal(struct xenlu *lu, bool write, struct xenlu_error *err)
{
    struct record_why why;
    int rc = 0;

    /* Who looks at the journal may complete it, and has the lock for that moment. */
    for (int i = 0; !lu->locks && (rc = journal_open(&lu->journal, write, &why)) == EBUSY; i++) {
        if (i == LOCK_TRIES)
            return xenlu_fail(err, XENLU_BUSY, 0, "try again in a moment",
                              "an update is under way, or a target is being staged: another "
                              "program is at it");
        delay(LOCK_TRY_NS);
    }
    if (rc)
        return journal_error(err, &why, "");
    lu->locks++;

    return XENLU_OK;
}

enum xenlu_code xenlu_lock(struct xenlu *lu, struct xenlu_error *err)
{
    return open_journal(lu, true, err);
}

void xenlu_unlock(struct xenlu *lu)
{
    if (lu->locks && !--lu->locks)
        journal_close(&lu->journal);
}

void xenlu_update_metrics(struct xenlu *lu)
{
    struct xenlu_status status;
    struct record_why why;

    if (!xenlu_get_status(lu, &status, sizeof(status), NULL) &&
        metrics_write(&status, &lu->journal, &why))
        xenlu_warn(lu, "metrics: %s", why.text);
}

enum xenlu_code xenlu_take_manifest(struct xenlu *lu, Lu__Manifest **m, struct xenlu_error *err)
{
    struct record_why why;

    if (manifest_take(lu, m, &why))
        return xenlu_fail(err, XENLU_INVENTORY, 0, "",
                          "what there is to carry cannot be listed: %s", why.text);

    return XENLU_OK;
}

/* ---- prepare ---- */

/* Xen is not asked: it might be ready by then, and go ahead without an entry in the journal. */
static enum xenlu_code is_ready(struct xenlu *lu, struct xenlu_error *err)
{
    bool rehearsal = lu->attempt.plan.kind == XENLU_REHEARSAL;
    struct xenlu_status s;
    enum xenlu_code code = xenlu_get_status(lu, &s, sizeof(s), err);

    if (code)
        return code;
    if (s.busy)
        return xenlu_fail(err, XENLU_BUSY, 0, "try again in a moment",
                          "an update is under way or has not settled yet");
    if (rehearsal && !s.can_rehearse)
        return xenlu_fail(err, XENLU_UNSUPPORTED, 0, "", "the running Xen cannot rehearse");
    if (!rehearsal && !s.nr_slots)
        return xenlu_fail(err, XENLU_NO_REGION, 0,
                          "set liveupdate=<size> on Xen's command line; it takes a reboot",
                          "the running Xen has reserved no memory for a live update");
    if (!rehearsal && !s.staged)
        return xenlu_fail(err, XENLU_NOT_STAGED, 0, "xen-liveupdate stage TARGET first",
                          "no target is staged");

    return XENLU_OK;
}

static void predict(struct xenlu *lu, const struct xenlu_result *rehearsed)
{
    struct xenlu_attempt *a = &lu->attempt;
    Lu__Result *r = rehearsed ? journal_result(rehearsed) : NULL;

    if (a->prediction)
        lu__prediction__free_unpacked(a->prediction, NULL);
    a->prediction = predict_pause(&lu->journal, a->before, r);
    if (r)
        lu__result__free_unpacked(r, NULL);
}

void attempt_close(struct xenlu *lu)
{
    struct xenlu_attempt *a = &lu->attempt;

    if (!a->stage)
        return;
    if (a->before && !a->begin)
        lu__manifest__free_unpacked(a->before, NULL);
    if (a->prediction)
        lu__prediction__free_unpacked(a->prediction, NULL);
    if (a->staged)
        lu__staged__free_unpacked(a->staged, NULL);
    free(a->ended.domid);
    *a = (struct xenlu_attempt){0};
    xenlu_unlock(lu);
}

static void forget_told(struct xenlu *lu)
{
    if (lu->told)
        lu__end__free_unpacked(lu->told, NULL);
    lu->told = NULL;
}

enum xenlu_code attempt_prepare(struct xenlu *lu, const struct xenlu_plan *plan, bool dry_run,
                                struct xenlu_error *err)
{
    struct xenlu_attempt *a = &lu->attempt;
    struct record_why why;
    enum xenlu_code code;

    if (a->stage)
        return xenlu_fail(err, XENLU_BUSY, 0, "wait for its outcome",
                          "an attempt of this program is under way");
    forget_told(lu);
    *a = (struct xenlu_attempt){.plan = *plan, .result.pause_ns = -1};
    code = is_ready(lu, err);
    if (!code)
        code = open_journal(lu, !dry_run, err);
    if (code)
        return code;
    a->stage = ATTEMPT_PREPARED;
    if (!dry_run && journal_complete(&lu->journal, lu, &why))
        code = journal_error(err, &why, "");
    /* Once more: from here on nobody else stages or updates. */
    if (!code)
        code = is_ready(lu, err);
    if (!code)
        code = xenlu_take_manifest(lu, &a->before, err);
    if (!code) {
        predict(lu, NULL);
        a->id = journal_next_id(&lu->journal);
        if (plan->kind == XENLU_UPDATE && !(a->staged = staged_read(a->before->host)))
            code = xenlu_fail(err, XENLU_TARGET_UNKNOWN, 0, "xen-liveupdate stage TARGET",
                              "what is staged is not known: it was not by this library that it was "
                              "staged, or who did it was killed; nothing has been tried");
    }
    if (code)
        attempt_close(lu);

    return code;
}

/* ---- begin ---- */

static Lu__Plan *make_plan(const struct xenlu_attempt *a)
{
    Lu__Plan *plan = record_alloc(sizeof(*plan));

    lu__plan__init(plan);
    plan->kind = a->plan.kind == XENLU_UPDATE ? LU__KIND__UPDATE : LU__KIND__REHEARSAL;
    plan->timeout_s = a->plan.timeout;
    plan->max_pause_ns = a->plan.max_pause_ns;
    if (a->staged)
        plan->target = target_copy(a->staged->target);
    plan->prediction = record_alloc(sizeof(*plan->prediction));
    lu__prediction__init(plan->prediction);
    plan->prediction->pause_ns = a->prediction->pause_ns;
    plan->prediction->source_ns = a->prediction->source_ns;
    plan->prediction->basis = record_text(a->prediction->basis);

    return plan;
}

enum xenlu_code attempt_begin(struct xenlu *lu, struct xenlu_error *err)
{
    struct xenlu_attempt *a = &lu->attempt;
    Lu__Begin *b = record_alloc(sizeof(*b));
    struct record_why why;
    char version[24];
    enum xenlu_code code;

    lu__begin__init(b);
    code = xenlu_take_manifest(lu, &b->before, err);
    if (code) {
        free(b);
        return code;
    }
    b->id = a->id;
    b->time_ns = record_now();
    snprintf(version, sizeof(version), "%u.%u", XENLU_VERSION_MAJOR, XENLU_VERSION_MINOR);
    b->tool = record_text(version);
    b->pid = getpid();
    b->plan = make_plan(a);
    if (journal_begin(&lu->journal, b, &why))
        return journal_error(err, &why, "; nothing has been tried");
    lu__manifest__free_unpacked(a->before, NULL);
    a->begin = b;
    a->before = b->before;
    a->stage = ATTEMPT_BEGUN;
    notify_begin(b);

    return XENLU_OK;
}

/* ---- end ---- */

static Lu__End *new_end(const struct xenlu *lu, Lu__Outcome outcome, const char *message)
{
    Lu__End *end = record_alloc(sizeof(*end));

    lu__end__init(end);
    end->id = lu->attempt.id;
    end->time_ns = record_now();
    end->outcome = outcome;
    end->message = record_text(message);

    return end;
}

static void change_end(Lu__End *end, Lu__Outcome outcome, const char *message)
{
    end->outcome = outcome;
    free(end->message);
    end->message = record_text(message);
}

static void write_end(struct xenlu *lu, Lu__End *end)
{
    struct record_why why;

    if (journal_end(&lu->journal, end, &why))
        xenlu_warn(lu, "the journal: %s", why.text);
    else
        notify_end(lu->attempt.begin, end);
    xenlu_update_metrics(lu);
}

/* For whoever asks when the journal is closed. */
static void tell(struct xenlu *lu, const Lu__End *end)
{
    size_t size = lu__end__get_packed_size(end);
    uint8_t *data = record_alloc(size + 1);

    lu__end__pack(end, data);
    lu->told = lu__end__unpack(NULL, size, data);
    free(data);
}

const char *xenlu_missing(struct xenlu *lu, unsigned int i)
{
    return lu->told && i < lu->told->n_missing ? lu->told->missing[i] : NULL;
}

const char *xenlu_left(struct xenlu *lu, unsigned int i)
{
    return lu->told && i < lu->told->n_left ? lu->told->left[i] : NULL;
}

/* Xen was asked for what had been approved; that it is what runs can only be seen now. */
static void compare_build(struct xenlu *lu)
{
    const char *approved = lu->attempt.begin->plan->target->build_id;
    struct xenlu_status s;

    if (*approved && !xenlu_get_status(lu, &s, sizeof(s), NULL) && strcmp(approved, s.build_id))
        xenlu_warn(lu,
                   "the Xen that runs is not the one that was approved: its build id is %s, not %s",
                   s.build_id[0] ? s.build_id : "none", approved);
}

/* Are all still there? */
static enum xenlu_code finish_done(struct xenlu *lu, struct xenlu_error *err)
{
    struct xenlu_attempt *a = &lu->attempt;
    bool rehearsal = a->plan.kind == XENLU_REHEARSAL;
    const char *what = rehearsal ? "rehearsed" : "Xen was updated";
    Lu__End *end = new_end(lu, rehearsal ? LU__OUTCOME__REHEARSED : LU__OUTCOME__DONE,
                           rehearsal ? "rehearsed" : "all that were there still are");
    enum xenlu_code code = XENLU_OK;
    struct record_why why;

    a->outcome = ATTEMPT_DONE;
    end->result = journal_result(&a->result);
    if (rehearsal)
        predict(lu, &a->result);
    else
        compare_build(lu);
    if (manifest_take(lu, &end->after, &why)) {
        a->outcome = ATTEMPT_UNKNOWN;
        change_end(end, LU__OUTCOME__NOT_KNOWN,
                   "done; whether all are there that were before is not known");
        code = xenlu_fail(err, XENLU_INVENTORY, 0, "look at the domains: xl list",
                          "%s, but who survived cannot be told: %s", what, why.text);
    } else {
        manifest_compare(a->before, end->after, &a->ended, end);
    }
    if (end->n_missing) {
        a->outcome = ATTEMPT_LOST;
        change_end(end, LU__OUTCOME__LOST, "not all is there that was there before");
        code =
            xenlu_fail(err, XENLU_LOST, 0, "look at the domains: xl list, xl dmesg",
                       "%s, but not all is there that was there before: %s", what, end->missing[0]);
    }
    tell(lu, end);
    write_end(lu, end);
    if (!rehearsal)
        staged_write(NULL, NULL, &why);

    return code;
}

/* The End of an attempt that came to @code; returns what is to be told. */
static enum xenlu_code finish(struct xenlu *lu, enum xenlu_code code, struct xenlu_error *err)
{
    struct xenlu_attempt *a = &lu->attempt;
    struct xenlu_result r;
    Lu__End *end;

    a->stage = ATTEMPT_OVER;
    if (!code)
        return finish_done(lu, err);
    /* Without an End whoever asks next finds out. */
    a->outcome = ATTEMPT_UNKNOWN;
    if (code == XENLU_NOT_KNOWN)
        return code;
    if (code == XENLU_TIMEOUT) {
        if (xenlu_get_result(lu, &r, sizeof(r), NULL) || !result_undone(&r))
            return code;
        a->result = r;
    }

    if (code == XENLU_FAILED || code == XENLU_TIMEOUT) {
        bool returned = a->result.state == XENLU_STATE_RETURNED;

        a->outcome = returned ? ATTEMPT_RETURNED : ATTEMPT_FAILED;
        end = new_end(lu, returned ? LU__OUTCOME__RETURNED : LU__OUTCOME__FAILED, err->message);
        end->result = journal_result(&a->result);
    } else {
        a->outcome = ATTEMPT_REFUSED;
        end = new_end(lu, LU__OUTCOME__NOT_TRIED, err->message);
    }
    write_end(lu, end);

    return code;
}

/* ---- go ---- */

static enum xenlu_code ask(struct xenlu *lu, bool update, struct xenlu_error *err)
{
    struct xen_liveupdate op = {.op = update ? XEN_LIVEUPDATE_execute : XEN_LIVEUPDATE_rehearse};
    struct xen_liveupdate_query query;
    struct lu_kexec_why why;
    enum xenlu_code code = xenlu_query(lu, &query, err);

    if (code)
        return code;
    if (lu_xen_liveupdate(lu->xen, &op, NULL, 0, &why)) {
        if (why.errnum == ENOENT)
            return xenlu_fail(err, XENLU_NOT_STAGED, ENOENT, "xen-liveupdate stage TARGET first",
                              "no target is staged");
        if (why.errnum == ENODEV)
            return xenlu_fail(err, XENLU_NO_REGION, ENODEV,
                              "set liveupdate=<size> on Xen's command line; it takes a reboot",
                              "the running Xen has reserved no memory for a live update");
        if (why.errnum == EOPNOTSUPP)
            return xenlu_fail(err, XENLU_UNSUPPORTED, why.errnum, "",
                              "the running Xen cannot do this");
        return xenlu_fail_kexec(err, &why);
    }
    lu->attempt.generation = query.generation;
    lu->attempt.deadline = now() + lu->attempt.plan.timeout;

    return XENLU_OK;
}

/*
 * Directly before Xen is asked, with the lock: is that staged what was checked, told to the
 * hooks and written into the journal?  Xen itself does not tell what it has.
 */
static enum xenlu_code check_approved(struct xenlu *lu, struct xenlu_error *err)
{
    const struct xenlu_attempt *a = &lu->attempt;
    Lu__Staged *staged = NULL;
    struct xenlu_status s;
    bool same;

    if (!xenlu_get_status(lu, &s, sizeof(s), NULL) && s.staged &&
        s.generation == a->before->host->generation)
        staged = staged_read(a->before->host);
    same = staged && target_equal(staged->target, a->begin->plan->target);
    if (staged)
        lu__staged__free_unpacked(staged, NULL);
    if (same)
        return XENLU_OK;

    return xenlu_fail(err, XENLU_TARGET_CHANGED, 0, "look at what is staged, and try again",
                      "what is staged is no longer what was checked; nothing has been tried");
}

static bool is_stopped(const struct xenlu *lu)
{
    return lu->attempt.stop || (lu->interrupted && *lu->interrupted);
}

static enum xenlu_code go_ahead(struct xenlu *lu, struct xenlu_error *err)
{
    struct xenlu_attempt *a = &lu->attempt;
    bool update = a->plan.kind == XENLU_UPDATE;
    enum xenlu_code code = XENLU_OK;

    if (is_stopped(lu))
        code = xenlu_fail(err, XENLU_INTERRUPTED, 0, "", "interrupted; nothing has been tried");
    if (!code && update)
        code = check_approved(lu, err);
    if (!code)
        code = ask(lu, update, err);
    if (code)
        return finish(lu, code, err);
    a->stage = ATTEMPT_STARTED;

    return XENLU_OK;
}

/* With a limit to keep, and a rehearsal made if there can be one. */
static enum xenlu_code keep_limit(struct xenlu *lu, const struct xenlu_result *rehearsed,
                                  struct xenlu_error *err)
{
    const struct xenlu_attempt *a = &lu->attempt;

    if (rehearsed)
        predict(lu, rehearsed);
    if (a->prediction->pause_ns <= a->plan.max_pause_ns)
        return go_ahead(lu, err);
    xenlu_fail(err, XENLU_PAUSE_TOO_LONG, 0, "allow a longer pause, or have fewer domains",
               "the pause would be %.3f ms, longer than the %g ms that are allowed (%s); "
               "nothing has been tried",
               a->prediction->pause_ns / 1e6, a->plan.max_pause_ns / 1e6, a->prediction->basis);

    return finish(lu, XENLU_PAUSE_TOO_LONG, err);
}

enum xenlu_code attempt_go(struct xenlu *lu, struct xenlu_error *err)
{
    enum xenlu_code code;

    if (lu->attempt.plan.kind == XENLU_REHEARSAL || !lu->attempt.plan.max_pause_ns ||
        is_stopped(lu))
        return go_ahead(lu, err);
    lu->attempt.stage = ATTEMPT_REHEARSING;
    code = ask(lu, false, err);
    if (code == XENLU_UNSUPPORTED)
        return keep_limit(lu, NULL, err);

    return code ? finish(lu, code, err) : XENLU_OK;
}

/* ---- what became of it ---- */

static enum xenlu_code failed(const struct xenlu_result *r, struct xenlu_error *err)
{
    const char *phase = xenlu_phase_name(r->phase);
    char domain[32] = "the host", where[384];

    if (r->domid != XENLU_NO_DOMAIN)
        snprintf(domain, sizeof(domain), "domain %u", r->domid);
    snprintf(where, sizeof(where), "in phase %s, resource %s, %s: %s (%s)", phase ? phase : "?",
             r->resource[0] ? r->resource : "-", domain, r->reason, strerror(r->errnum));
    if (r->state == XENLU_STATE_RETURNED)
        xenlu_fail(
            err, XENLU_FAILED, r->errnum,
            "read the end of the target's log (xl dmesg: \"liveupdate: target:\"), mend what it "
            "names or take another target, and stage again",
            "the target refused %s, and came back; all domains go on under the same Xen, "
            "after a pause of %.3f ms, and nothing is staged any more",
            where, r->pause_ns / 1e6);
    else
        xenlu_fail(err, XENLU_FAILED, r->errnum,
                   "see xen-liveupdate check, and Xen's log (xl dmesg)",
                   "the update failed %s; all domains go on under the same Xen", where);
    err->domid = r->domid;

    return XENLU_FAILED;
}

/* Too late: take it back if it has not begun. */
static enum xenlu_code timed_out(struct xenlu *lu, struct xenlu_error *err)
{
    struct xen_liveupdate op = {.op = XEN_LIVEUPDATE_abort};
    unsigned int timeout = lu->attempt.plan.timeout;

    if (!xenlu_op(lu, &op, NULL, 0, NULL))
        return xenlu_fail(err, XENLU_TIMEOUT, ETIMEDOUT, "",
                          "the update did not begin within %u seconds and was taken back", timeout);

    return xenlu_fail(err, XENLU_TIMEOUT, ETIMEDOUT, "ask xen-liveupdate result",
                      "no outcome within %u seconds", timeout);
}

static enum xenlu_code not_told(const struct xenlu_error *why, struct xenlu_error *err)
{
    return xenlu_fail(err, XENLU_NOT_KNOWN, why->errnum, "ask xen-liveupdate result",
                      "Xen took the attempt, and then did not tell what became of it: %.384s",
                      why->message);
}

static enum xenlu_code under_way(struct xenlu_error *err)
{
    return xenlu_fail(err, XENLU_UNDER_WAY, 0, "", "there is no outcome yet");
}

/* Under way as long as Xen does not take another attempt. */
static enum xenlu_code outcome(struct xenlu *lu, bool update, struct xenlu_error *err)
{
    struct xenlu_attempt *a = &lu->attempt;
    struct xenlu_result *r = &a->result;
    struct xen_liveupdate_query query;
    struct xenlu_error why;

    /* In this order: what was idle before the result came may be another Xen. */
    if (xenlu_get_result(lu, r, sizeof(*r), &why) || xenlu_query(lu, &query, &why))
        return not_told(&why, err);

    if (query.phase == XEN_LIVEUPDATE_PHASE_idle) {
        enum xenlu_state wanted = update ? XENLU_STATE_DONE : XENLU_STATE_REHEARSED;

        /* Once more: the last phase may have ended between the two. */
        if (r->state == wanted && (r->generation != a->generation) == update)
            return xenlu_get_result(lu, r, sizeof(*r), &why) ? not_told(&why, err) : XENLU_OK;
        if (result_undone(r))
            return failed(r, err);
    }
    if (a->plan.timeout && now() > a->deadline)
        return timed_out(lu, err);
    r->phase = query.phase;

    return under_way(err);
}

/* Who shuts down meanwhile is not lost: the toolstack may remove him at once. */
static void note_ended(struct xenlu *lu)
{
    struct xenlu_inventory inv;
    struct xenlu_domain *list;

    if (xenlu_get_inventory(lu, &inv, sizeof(inv), &list, sizeof(*list), NULL))
        return;
    manifest_note_ended(list, inv.nr_domains, &lu->attempt.ended);
    free(list);
}

static enum xenlu_code attempt_poll(struct xenlu *lu, struct xenlu_error *err)
{
    struct xenlu_attempt *a = &lu->attempt;
    bool first = a->stage == ATTEMPT_REHEARSING;
    enum xenlu_code code;

    if (!first && a->stage != ATTEMPT_STARTED)
        return xenlu_fail(err, XENLU_NOT_STARTED, 0, "", "no attempt of this program is under way");
    /* Once: later it is too late. */
    if (!a->stop && is_stopped(lu)) {
        a->stop = true;
        xenlu_abort(lu, NULL);
    }
    code = outcome(lu, !first && a->plan.kind == XENLU_UPDATE, err);
    if (code == XENLU_UNDER_WAY) {
        note_ended(lu);
        return code;
    }
    if (code || !first)
        return finish(lu, code, err);
    code = keep_limit(lu, &a->result, err);

    return code ? code : under_way(err);
}

enum xenlu_code attempt_wait(struct xenlu *lu, xenlu_progress_fn *progress, void *data,
                             struct xenlu_error *err)
{
    enum xenlu_code code;

    while ((code = attempt_poll(lu, err)) == XENLU_UNDER_WAY) {
        if (progress)
            progress(lu, lu->attempt.result.phase, data);
        delay(POLL_NS);
    }

    return code;
}

/* ---- for programs ---- */

/* What there is, as far as the caller's header and this library know of the same. */
static enum xenlu_code read_plan(struct xenlu_plan *plan, const void *from, size_t size,
                                 struct xenlu_error *err)
{
    const uint8_t *p = from;

    for (size_t i = sizeof(*plan); i < size; i++)
        if (p[i])
            return xenlu_fail(err, XENLU_UNSUPPORTED, 0, "install a newer libxenliveupdate",
                              "this library does not know all that it is asked for");
    xenlu_give(plan, sizeof(*plan), from, size);
    if ((plan->kind != XENLU_UPDATE && plan->kind != XENLU_REHEARSAL) || plan->max_pause_ns < 0)
        return xenlu_fail(err, XENLU_UNSUPPORTED, EINVAL, "",
                          "neither an update nor a rehearsal is asked for");

    return XENLU_OK;
}

enum xenlu_code xenlu_start(struct xenlu *lu, const struct xenlu_plan *plan, size_t size,
                            struct xenlu_error *err)
{
    struct xenlu_error own;
    struct xenlu_plan p;
    enum xenlu_code code = read_plan(&p, plan, size, err);

    if (code)
        return code;
    code = attempt_prepare(lu, &p, false, &own);
    if (!code) {
        code = attempt_begin(lu, &own);
        if (!code)
            code = attempt_go(lu, &own);
        if (code)
            attempt_close(lu);
    }
    if (code && err)
        *err = own;

    return code;
}

/* What has ended is given away, and the lock with it. */
static enum xenlu_code hand_over(struct xenlu *lu, enum xenlu_code code, void *result, size_t size,
                                 const struct xenlu_error *own, struct xenlu_error *err)
{
    if (code != XENLU_NOT_STARTED)
        xenlu_give(result, size, &lu->attempt.result, sizeof(lu->attempt.result));
    if (code != XENLU_NOT_STARTED && code != XENLU_UNDER_WAY)
        attempt_close(lu);
    if (code && err)
        *err = *own;

    return code;
}

enum xenlu_code xenlu_poll(struct xenlu *lu, struct xenlu_result *result, size_t size,
                           struct xenlu_error *err)
{
    struct xenlu_error own;

    return hand_over(lu, attempt_poll(lu, &own), result, size, &own, err);
}

enum xenlu_code xenlu_wait(struct xenlu *lu, xenlu_progress_fn *progress, void *data,
                           struct xenlu_result *result, size_t size, struct xenlu_error *err)
{
    struct xenlu_error own;

    return hand_over(lu, attempt_wait(lu, progress, data, &own), result, size, &own, err);
}
