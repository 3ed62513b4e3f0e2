/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: work in slices.
 *
 * What an update does while domains run takes the longer the more memory and the
 * more domains there are, and the CPU that does it does nothing else meanwhile.
 * So it is done in slices of a millisecond.  A job (struct liveupdate_job) says
 * how far it is; whoever runs it, a tasklet (core.c) or a hypercall (op.c), gives
 * the CPU back after each slice and comes again.
 *
 * Between two slices anything may happen to a domain: it changes, it dies, others
 * are created.  A position is a number (a domid, a frame, a port), never a
 * pointer, and is looked up anew.  What the whole tells is a forecast, as it is
 * in one go: quiesce() and save() ask again with the domains paused.
 *
 * There is one slice at a time in the host: jobs of hypercalls are run under the
 * lock of the kexec hypercall, and not while an update is under way.
 */

#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/sched.h>
#include <xen/time.h>

#include <asm/setup.h>

/* Frames, entries and the like between two looks at the clock. */
#define WORK_PER_LOOK 256

/* The job whose slice this is.  NULL: domains are paused, nothing is cut. */
static struct liveupdate_job *running;

void liveupdate_job_init(struct liveupdate_job *job, const char *what)
{
    *job = (struct liveupdate_job){ .what = what };
}

void liveupdate_slice_begin(struct liveupdate_job *job)
{
    ASSERT(!running);
    job->work = 0;
    job->began = NOW();
    running = job;
    /* Only within a slice: a domain may be gone after it. */
    rcu_read_lock(&domlist_read_lock);
}

void liveupdate_slice_end(void)
{
    struct liveupdate_job *job = running;
    s_time_t took;

    rcu_read_unlock(&domlist_read_lock);
    running = NULL;

    took = NOW() - job->began;
    if ( took > job->longest )
    {
        job->longest = took;
        job->longest_at = liveupdate_where();
    }
}

bool liveupdate_slice_over(unsigned int work)
{
    struct liveupdate_job *job = running;

    if ( !job )
        return false;

    job->work += work;
    if ( job->work < WORK_PER_LOOK )
        return false;
    job->work = 0;

    return NOW() - job->began >= LIVEUPDATE_SLICE;
}

bool liveupdate_step_over(void)
{
    return liveupdate_slice_over(WORK_PER_LOOK);
}

struct liveupdate_job *liveupdate_job(void)
{
    return running;
}

unsigned long *liveupdate_position(void)
{
    return &running->position;
}

struct domain *liveupdate_domain_from(unsigned int domid)
{
    struct domain *d;

    for_each_domain ( d )
        if ( d->domain_id >= domid )
            break;

    return d;
}

void liveupdate_slices_done(const char *what, s_time_t longest, const char *at)
{
#ifndef NDEBUG
    static s_time_t longest_ever;

    if ( longest <= longest_ever )
        return;
    longest_ever = longest;
    printk(XENLOG_INFO "liveupdate: the longest slice of %s took %"PRI_stime" us (%s)\n",
           what, longest / MICROSECS(1), at ?: "-");
#endif
}

void liveupdate_job_done(const struct liveupdate_job *job)
{
    liveupdate_slices_done(job->what, job->longest, job->longest_at);
}
