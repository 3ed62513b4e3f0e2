/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: what became of the last attempt.
 *
 * A failed attempt is reported by the Xen that made it; a successful one by the
 * target, which adds its own phases to those that it finds in the stream.
 */

#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/sched.h>
#include <xen/time.h>
#include <xen/version.h>

#include <asm/liveupdate-irq.h>

struct liveupdate_report liveupdate_report = { .pause_ns = -1 };
struct liveupdate_refusals *liveupdate_refusals;

/* Where the walk is.  The report has where it failed: a check goes on after that. */
static struct {
    const struct liveupdate_resource *resource;
    domid_t domid;
} at = { .domid = DOMID_INVALID };

void liveupdate_report_reset(void)
{
    unsigned int attempts = liveupdate_report.attempts;
    unsigned int i;

    liveupdate_report = (struct liveupdate_report){
        .attempts = attempts,
        .domid = DOMID_INVALID,
        .pause_ns = -1,
    };
    for ( i = 0; i < LU_PHASE_nr; i++ )
        liveupdate_report.phase_ns[i] = -1;
    liveupdate_at(NULL, DOMID_INVALID);
}

void liveupdate_phase_begin(enum liveupdate_phase phase)
{
    liveupdate_phase_end();
    liveupdate_report.phase = phase;
    liveupdate_report.phase_start[phase] = NOW();
}

void liveupdate_phase_end(void)
{
    enum liveupdate_phase phase = liveupdate_report.phase;

    if ( phase != LU_PHASE_idle && liveupdate_report.phase_start[phase] &&
         liveupdate_report.phase_ns[phase] < 0 )
        liveupdate_report.phase_ns[phase] =
            NOW() - liveupdate_report.phase_start[phase];
}

void liveupdate_at(const struct liveupdate_resource *res, domid_t domid)
{
    at.resource = res;
    at.domid = domid;
}

static const char *resource_name(const struct liveupdate_resource *res)
{
    return res ? res->name : "";
}

const char *liveupdate_where(void)
{
    return at.resource ? at.resource->name : NULL;
}

int liveupdate_refuse(const struct domain *d, int rc, const char *fmt, ...)
{
    va_list args;
    char text[sizeof(liveupdate_report.reason)];
    domid_t domid = d ? d->domain_id : at.domid;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    /* The first one is the reason; a check goes on and collects all of them. */
    if ( !liveupdate_report.reason[0] )
    {
        safe_strcpy(liveupdate_report.reason, text);
        liveupdate_report.resource = at.resource;
        liveupdate_report.domid = domid;
        liveupdate_report.error = rc;
    }

    if ( liveupdate_refusals )
    {
        struct liveupdate_refusals *l = liveupdate_refusals;

        if ( l->nr < l->room )
        {
            struct xen_liveupdate_refusal *r = &l->list[l->nr];

            r->domid = domid != DOMID_INVALID ? domid : XEN_LIVEUPDATE_NO_DOMAIN;
            r->error = -rc;
            safe_strcpy(r->resource, resource_name(at.resource));
            safe_strcpy(r->reason, text);
        }
        l->nr++;
    }

    return rc;
}

/* A failure that nobody has explained is explained by its number alone. */
int liveupdate_fail(const struct domain *d, int rc)
{
    if ( !liveupdate_report.reason[0] )
        liveupdate_refuse(d, rc, "error %d", -rc);

    return rc;
}

bool liveupdate_fault_exists(const struct liveupdate_resource *res,
                             enum liveupdate_phase phase)
{
    switch ( phase )
    {
    case LU_PHASE_check:
        return res->check;

    case LU_PHASE_quiesce:
        return res->quiesce;

    case LU_PHASE_save:
        return res->save;

    /* One point for the whole of it. */
    case LU_PHASE_verify:
        return res == liveupdate_resources[0];

    /* On the target, which comes back. */
    case LU_PHASE_plan:
        return res->plan;

    default:
        return false;
    }
}

void liveupdate_get_result(struct xen_liveupdate_result *r)
{
    const struct liveupdate_report *rep = &liveupdate_report;
    unsigned int i;

    BUILD_BUG_ON(LU_PHASE_nr > ARRAY_SIZE(r->phase_ns));

    memset(r, 0, sizeof(*r));
    r->generation = liveupdate_region.generation;
    r->error = -rep->error;
    r->state = rep->state;
    r->phase = rep->phase;
    r->domid = rep->domid == DOMID_INVALID || !rep->error
               ? XEN_LIVEUPDATE_NO_DOMAIN : rep->domid;
    r->attempts = rep->attempts;
    r->stream_bytes = rep->stream_bytes;
    r->nr_records = rep->nr_records;
    for ( i = 0; i < ARRAY_SIZE(r->phase_ns); i++ )
        r->phase_ns[i] = i < LU_PHASE_nr ? rep->phase_ns[i] : -1;
    r->pause_ns = rep->pause_ns;
    r->nr_events = liveupdate_nr_reinjected;
    r->nr_spurious = liveupdate_nr_spurious;
    r->nr_domains = rep->nr_domains;
    r->nr_vcpus = rep->nr_vcpus;
    if ( rep->error )
    {
        safe_strcpy(r->resource, resource_name(rep->resource));
        safe_strcpy(r->reason, rep->reason);
    }
    safe_strcpy(r->from, rep->from);
    snprintf(r->to, sizeof(r->to), "%u.%u%s", xen_major_version(),
             xen_minor_version(), xen_extra_version());
}
