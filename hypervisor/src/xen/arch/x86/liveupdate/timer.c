/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: the timers of vCPUs, and watchdogs.
 *
 * Timers are absolute, in system time, which goes on across an update; they are
 * written down as they are and armed again when the domains are about to run.
 * One that expired in the meantime fires at once, as it would have.
 *
 * The periodic timer needs no arming: the scheduler does that whenever it gives
 * the vCPU a CPU.
 *
 * A watchdog measures how long the domain did nothing, and while the update
 * goes on it cannot do anything.  So what is carried is the time that is left.
 *
 * Carried: singleshot, periodic and poll timers of vCPUs, watchdogs.
 */

#include <xen/liveupdate-core.h>
#include <xen/sched.h>
#include <xen/timer.h>

static int save_watchdogs(struct lu_writer *w, const struct domain *d)
{
    s_time_t now = NOW();
    unsigned int id;

    if ( !d->watchdog_inuse_map )
        return 0;

    if ( !lu_record_begin(w, LU_REC_WATCHDOG, d->domain_id, 0) )
        return -ENOSPC;

    for ( id = 0; id < NR_DOMAIN_WATCHDOG_TIMERS; id++ )
    {
        struct lu_watchdog_entry *e;

        if ( !test_bit(id, &d->watchdog_inuse_map) )
            continue;

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;

        e->id = id + 1;
        e->remaining = max_t(s_time_t, d->watchdog_timer[id].expires - now, 0);
    }

    lu_record_end(w);

    return 0;
}

/*
 * Source, after a target came back: nobody could set them meanwhile.  (That
 * the target hung may have taken longer than a watchdog waits.)
 */
void liveupdate_delay_watchdogs(void)
{
    s_time_t paused = NOW() - liveupdate_report.phase_start[LU_PHASE_quiesce];
    struct domain *d;
    unsigned int id;

    for_each_domain ( d )
        for ( id = 0; id < NR_DOMAIN_WATCHDOG_TIMERS; id++ )
            if ( test_bit(id, &d->watchdog_inuse_map) )
                set_timer(&d->watchdog_timer[id],
                          d->watchdog_timer[id].expires + paused);
}

static int cf_check timer_save(struct lu_writer *w, struct domain *d)
{
    const struct vcpu *v;

    for_each_vcpu ( d, v )
    {
        struct lu_timer *rec = lu_record_begin(w, LU_REC_TIMER, d->domain_id,
                                               v->vcpu_id);

        if ( !rec )
            return -ENOSPC;

        if ( timer_is_active(&v->singleshot_timer) )
        {
            rec->flags |= LU_TIMER_SINGLESHOT;
            rec->singleshot = v->singleshot_timer.expires;
        }
        if ( timer_is_active(&v->poll_timer) )
        {
            rec->flags |= LU_TIMER_POLL;
            rec->poll = v->poll_timer.expires;
        }
        rec->period = v->periodic_period;
        rec->last_tick = v->periodic_last_event;

        lu_record_end(w);
    }

    return save_watchdogs(w, d);
}

static int cf_check timer_plan(struct domain *d)
{
    const struct lu_record *r;
    struct vcpu *v;
    unsigned int i;

    for_each_vcpu ( d, v )
    {
        struct lu_timer rec;

        r = lu_record_find_vcpu(&liveupdate_stream, LU_REC_TIMER, d->domain_id,
                                v->vcpu_id);
        if ( !r )
            return liveupdate_refuse(d, -ENODATA, "no timers of vCPU %u",
                                     v->vcpu_id);
        LU_FIXED(r, &rec);

        v->periodic_period = rec.period;
        v->periodic_last_event = rec.last_tick;
    }

    r = lu_record_find(&liveupdate_stream, NULL, LU_REC_WATCHDOG, d->domain_id);
    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_watchdog_entry e;

        LU_ENTRY(r, i, &e);
        if ( !e.id || e.id > NR_DOMAIN_WATCHDOG_TIMERS )
            return liveupdate_refuse(d, -EOPNOTSUPP, "watchdog %u", e.id);
    }

    return 0;
}

static void arm(struct timer *timer, const struct vcpu *v, s_time_t expires)
{
    migrate_timer(timer, v->processor);
    set_timer(timer, expires);
}

static void cf_check timer_resume(struct domain *d)
{
    const struct lu_record *r;
    struct vcpu *v;
    unsigned int i;

    for_each_vcpu ( d, v )
    {
        struct lu_timer rec;

        LU_FIXED(lu_record_find_vcpu(&liveupdate_stream, LU_REC_TIMER,
                                     d->domain_id, v->vcpu_id), &rec);

        if ( rec.flags & LU_TIMER_SINGLESHOT )
            arm(&v->singleshot_timer, v, rec.singleshot);
        if ( rec.flags & LU_TIMER_POLL )
            arm(&v->poll_timer, v, rec.poll);
    }

    r = lu_record_find(&liveupdate_stream, NULL, LU_REC_WATCHDOG, d->domain_id);
    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_watchdog_entry e;

        LU_ENTRY(r, i, &e);
        d->watchdog_inuse_map |= 1U << (e.id - 1);
        set_timer(&d->watchdog_timer[e.id - 1], NOW() + e.remaining);
    }
}

const struct liveupdate_resource liveupdate_res_timer = {
    .name = "timer",
    .save = timer_save,
    .plan = timer_plan,
    .resume = timer_resume,
};
