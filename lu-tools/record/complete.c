/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What became of an attempt whose process did not live to write it down.
 *
 * dom0's boot id tells whether the host was rebooted; Xen's generation whether
 * it was replaced; the number of attempts whether this Xen was asked for
 * anything.  What cannot be known is said to be not known.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "record.h"

bool result_undone(const struct xenlu_result *r)
{
    return r->state == XENLU_STATE_FAILED || r->state == XENLU_STATE_RETURNED;
}

Lu__Result *journal_result(const struct xenlu_result *r)
{
    Lu__Result *m = record_alloc(sizeof(*m));
    const char *phase = xenlu_phase_name(r->phase);

    lu__result__init(m);
    m->state = record_text(xenlu_state_name(r->state));
    m->generation = r->generation;
    m->attempts = r->attempts;
    m->from = record_text(r->from);
    m->to = record_text(r->to);
    m->pause_ns = r->pause_ns;
    m->stream_bytes = r->stream_bytes;
    m->records = r->nr_records;
    m->events = r->nr_events;
    m->spurious = r->nr_spurious;
    m->domains = r->nr_domains;
    m->vcpus = r->nr_vcpus;
    m->failed_domain = -1;

    m->phases = record_alloc(XENLU_NR_PHASES * sizeof(*m->phases));
    for (unsigned int i = 1; i < XENLU_NR_PHASES && xenlu_phase_name(i); i++) {
        Lu__Phase *p;

        if (r->phase_ns[i] < 0)
            continue;
        p = record_alloc(sizeof(*p));
        lu__phase__init(p);
        p->name = record_text(xenlu_phase_name(i));
        p->ns = r->phase_ns[i];
        m->phases[m->n_phases++] = p;
    }

    if (result_undone(r)) {
        m->errnum = r->errnum;
        m->failed_phase = record_text(phase ? phase : "?");
        m->failed_resource = record_text(r->resource);
        m->failed_domain = r->domid == XENLU_NO_DOMAIN ? -1 : (int64_t)r->domid;
        m->reason = record_text(r->reason);
    }

    return m;
}

static Lu__End *end_as(const Lu__Begin *begin, Lu__Outcome outcome, const char *message,
                       const struct xenlu_result *r)
{
    Lu__End *end = record_alloc(sizeof(*end));

    lu__end__init(end);
    end->id = begin->id;
    end->time_ns = record_now();
    end->outcome = outcome;
    end->message = record_text(message);
    end->afterwards = true;
    if (r)
        end->result = journal_result(r);

    return end;
}

/* The Xen of that time has been replaced. */
static Lu__End *judge_replaced(const Lu__Begin *begin, const Lu__Host *now,
                               const struct xenlu_result *r)
{
    const Lu__Plan *plan = begin->plan;

    if (plan->kind == LU__KIND__REHEARSAL)
        return end_as(begin, LU__OUTCOME__NOT_KNOWN,
                      "whether the rehearsal ended is not known: Xen was updated since", NULL);
    if (now->generation != begin->before->host->generation + 1 ||
        (plan->target && plan->target->version[0] && strcmp(plan->target->version, now->version)))
        return end_as(begin, LU__OUTCOME__NOT_KNOWN,
                      "began, not known to have ended: Xen was updated by other means since", NULL);

    return end_as(begin, LU__OUTCOME__DONE, "done; who had asked for it was ended before", r);
}

Lu__End *journal_judge(const Lu__Begin *begin, const Lu__Host *now, bool busy,
                       const struct xenlu_result *r)
{
    const Lu__Host *then = begin->before->host;
    bool rehearsal = begin->plan->kind == LU__KIND__REHEARSAL;
    uint32_t tried = r->attempts - then->attempts;

    if (strcmp(then->boot_id, now->boot_id))
        return end_as(begin, LU__OUTCOME__NOT_KNOWN,
                      "began, not known to have ended; the host rebooted since", NULL);
    if (now->generation != then->generation)
        return judge_replaced(begin, now, r);
    if (busy)
        return NULL;
    if (!tried)
        return end_as(begin, LU__OUTCOME__NOT_TRIED,
                      "ended before Xen was asked for anything; nothing has happened", NULL);
    /* An update that has to keep a limit rehearses first. */
    if (tried > (rehearsal ? 1 : 2))
        return end_as(begin, LU__OUTCOME__NOT_KNOWN,
                      "not done; how it ended is not known: other attempts followed", NULL);
    if (r->state == XENLU_STATE_RETURNED)
        return end_as(begin, LU__OUTCOME__RETURNED,
                      "the target refused and came back; everything is as it was, but nothing is "
                      "staged any more",
                      r);
    if (result_undone(r))
        return end_as(begin, LU__OUTCOME__FAILED, "failed; everything is as it was", r);
    if (r->state == XENLU_STATE_REHEARSED && rehearsal)
        return end_as(begin, LU__OUTCOME__REHEARSED, "rehearsed", r);
    if (r->state == XENLU_STATE_REHEARSED)
        return end_as(begin, LU__OUTCOME__NOT_TRIED, "ended after the rehearsal, before the update",
                      r);

    return end_as(begin, LU__OUTCOME__NOT_KNOWN, "how it ended is not known", r);
}

/* Somebody may have gone of his own accord since; it is told all the same. */
static void add_survivors(Lu__End *end, const Lu__Begin *begin, Lu__Manifest *now)
{
    manifest_compare(begin->before, now, &(struct domids){0}, end);
    if (end->n_missing) {
        if (end->message != protobuf_c_empty_string)
            free(end->message);
        end->message = record_text("done; who had asked for it was ended before, and by the time "
                                   "that somebody looked something was missing");
        end->outcome = LU__OUTCOME__LOST;
    }
}

bool host_lost_crash_kernel(const Lu__Host *before, const struct xenlu_status *s)
{
    return before->crash_kernel && !s->crash_loaded && s->generation != before->generation;
}

/* Who came before is of the generation before; a host that has booted begins with 0 again. */
bool journal_lost_crash_kernel(const struct journal *j, const struct xenlu_status *s)
{
    for (size_t i = j->nr_attempts; i-- > 0;) {
        const Lu__Begin *b = j->attempts[i].begin;

        if (b->plan->kind == LU__KIND__UPDATE && b->before->host->generation + 1 == s->generation)
            return host_lost_crash_kernel(b->before->host, s);
    }

    return false;
}

int journal_complete(struct journal *j, struct xenlu *lu, struct record_why *why)
{
    Lu__Manifest *now = NULL;
    struct xenlu_status status;
    struct xenlu_result result;
    struct xenlu_error err;
    size_t nr = j->nr_attempts;
    int rc = 0;

    for (size_t i = 0; !rc && i < nr; i++) {
        const Lu__Begin *begin = j->attempts[i].begin;
        Lu__End *end;

        if (j->attempts[i].end)
            continue;
        if (!now) {
            if (xenlu_get_status(lu, &status, sizeof(status), &err) ||
                xenlu_get_result(lu, &result, sizeof(result), &err))
                return record_fail(why, err.errnum, "%s", err.message);
            rc = manifest_take(lu, &now, why);
            if (rc)
                return rc;
        }
        end = journal_judge(begin, now->host, status.busy, &result);
        if (!end)
            continue;
        if (end->outcome == LU__OUTCOME__DONE)
            add_survivors(end, begin, now);
        rc = journal_end(j, end, why);
        if (rc)
            break;
        notify_end(begin, end);
        /* Nobody was there to run the hooks that would have loaded it again. */
        if ((end->outcome == LU__OUTCOME__DONE || end->outcome == LU__OUTCOME__LOST) &&
            host_lost_crash_kernel(begin->before->host, &status))
            notify_crash_kernel(begin->id);
    }
    if (now)
        lu__manifest__free_unpacked(now, NULL);

    return rc;
}
