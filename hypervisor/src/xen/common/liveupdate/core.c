/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: one update from end to end.
 *
 * Source (prepare() and perform(), in tasklets on CPU 0, as a domain cannot be
 * paused from its own hypercall):
 *
 *   check     every resource of every domain, domains run; in slices (slice.c)
 *   quiesce   all vCPUs stopped, their state flushed     -- the pause begins
 *             every CPU held with interrupts off
 *   save      records written
 *   verify    the target's own reader goes over the stream
 *   collect   other CPUs parked, pending interrupts noted   -- point of no return
 *   jump
 *
 * Whatever fails up to "collect" is undone in reverse and reported; domains go
 * on as if nothing had been.
 *
 * Target: adopt is done by arch/x86/liveupdate/boot.c before the heap exists;
 * liveupdate_restore() stands in for building dom0 (plan, then commit), and
 * liveupdate_resume_domains() for unpausing it    -- the pause ends
 *
 * Both walk the table in table.c.
 */

#include <xen/cpu.h>
#include <xen/init.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/param.h>
#include <xen/sched.h>
#include <xen/softirq.h>
#include <xen/spinlock.h>
#include <xen/tasklet.h>
#include <xen/timer.h>

#include <asm/setup.h>

/* Between the preparations and the pause, and between two attempts at it. */
#define BREATHER MILLISECS(20)

/* Pauses that may end because a vCPU is in the middle of something. */
#define BUSY_RETRIES 10

const void *liveupdate_stream_buf;
uint64_t liveupdate_stream_len;

struct liveupdate_fault liveupdate_fault;

/* The stream's memory: contiguous, so that it is one extent. */
static struct {
    void *buf;
    unsigned int order;
} stream;

/*
 * The walk.
 */

/*
 * Debug builds: fail once at the point that was asked for.  It is for an
 * attempt, not for the check that the tools ask for beforehand.
 */
static int fault(const struct liveupdate_resource *res,
                 enum liveupdate_phase phase, const struct domain *d)
{
#ifndef NDEBUG
    if ( liveupdate_fault.phase == phase && !liveupdate_fault.hit &&
         !liveupdate_refusals &&
         liveupdate_resources[liveupdate_fault.resource] == res )
    {
        liveupdate_fault.hit++;
        return liveupdate_refuse(d, -EIO, "injected fault");
    }
#endif

    return 0;
}

typedef int pass_fn(const struct liveupdate_resource *res, struct domain *d,
                    void *arg);

/*
 * Calls @fn for each resource in the table's order, and for each domain where
 * it is not the host's.  Domains are paused.
 */
static int walk(enum liveupdate_phase phase, pass_fn *fn, void *arg)
{
    const struct liveupdate_resource *const *p;

    for ( p = liveupdate_resources; *p; p++ )
    {
        const struct liveupdate_resource *res = *p;
        struct domain *d = res->host ? NULL : domain_list;

        do {
            int rc;

            liveupdate_at(res, d ? d->domain_id : DOMID_INVALID);
            rc = fn(res, d, arg);
            if ( !rc && liveupdate_fault_exists(res, phase) )
                rc = fault(res, phase, d);
            if ( rc )
            {
                liveupdate_fail(d, rc);
                return rc;
            }
        } while ( d && (d = rcu_dereference(d->next_in_list)) );
    }
    liveupdate_at(NULL, DOMID_INVALID);

    return 0;
}

static int cf_check quiesce_one(const struct liveupdate_resource *res,
                                struct domain *d, void *unused)
{
    return res->quiesce ? res->quiesce(d) : 0;
}

static int cf_check refs_one(const struct liveupdate_resource *res,
                             struct domain *d, void *unused)
{
    if ( res->refs )
        res->refs(d);

    return 0;
}

static int cf_check save_one(const struct liveupdate_resource *res,
                             struct domain *d, void *arg)
{
    struct lu_writer *w = arg;
    int rc = res->save ? res->save(w, d) : 0;

    if ( rc == -ENOSPC && w->full )
        liveupdate_refuse(d, rc, "the stream outgrew its %lu KiB",
                          (PAGE_SIZE << stream.order) >> 10);

    return rc;
}

static int cf_check plan_one(const struct liveupdate_resource *res,
                             struct domain *d, void *unused)
{
    return res->plan ? res->plan(d) : 0;
}

static int cf_check commit_one(const struct liveupdate_resource *res,
                               struct domain *d, void *unused)
{
    if ( res->commit )
        res->commit(d);

    return 0;
}

static int cf_check resume_one(const struct liveupdate_resource *res,
                               struct domain *d, void *unused)
{
    if ( res->resume )
        res->resume(d);

    return 0;
}

/*
 * Source.
 */

/* False: there is more to do. */
static bool check_one(const struct liveupdate_resource *res, struct domain *d,
                      struct liveupdate_job *job)
{
    int rc;

    liveupdate_at(res, d ? d->domain_id : DOMID_INVALID);
    rc = res->check ? res->check(d) : 0;
    if ( rc == -ERESTART )
        return false;

    job->position = 0;
    if ( !rc && liveupdate_fault_exists(res, LU_PHASE_check) )
        rc = fault(res, LU_PHASE_check, d);
    if ( rc )
    {
        liveupdate_fail(d, rc);
        job->rc = job->rc ?: rc;
    }

    return true;
}

/* False: the slice is over. */
static bool check_domains(const struct liveupdate_resource *res,
                          struct liveupdate_job *job)
{
    struct domain *d;

    for ( d = liveupdate_domain_from(job->domid); d;
          d = rcu_dereference(d->next_in_list) )
    {
        /* The one that it was at is gone. */
        if ( d->domain_id != job->domid )
            job->position = 0;
        job->domid = d->domain_id;

        if ( !check_one(res, d, job) )
            return false;

        job->domid++;
        if ( liveupdate_step_over() )
            return false;
    }

    return true;
}

/*
 * As walk(), for all refusals, but in slices: -ERESTART at the end of each, then
 * the first failure.
 */
int liveupdate_check_some(struct liveupdate_job *job)
{
    const struct liveupdate_resource *res;

    while ( (res = liveupdate_resources[job->resource]) != NULL )
    {
        if ( !(res->host ? check_one(res, NULL, job) : check_domains(res, job)) )
            return -ERESTART;

        job->resource++;
        job->domid = 0;
        if ( liveupdate_step_over() )
            return -ERESTART;
    }
    liveupdate_at(NULL, DOMID_INVALID);

    return job->rc;
}

static void free_stream(void)
{
    /* Not the one that this Xen was started with. */
    if ( liveupdate_stream_buf == stream.buf )
    {
        liveupdate_stream_buf = NULL;
        liveupdate_stream_len = 0;
    }
    liveupdate_stream_mfn = INVALID_MFN;
    liveupdate_stream_nr = 0;
    free_xenheap_pages(stream.buf, stream.order);
    stream.buf = NULL;
}

static int alloc_stream(uint64_t size)
{
    if ( stream.buf )
        free_stream();

    stream.order = get_order_from_bytes(size);
    stream.buf = alloc_xenheap_pages(stream.order, 0);
    if ( !stream.buf )
        return liveupdate_refuse(NULL, -ENOMEM,
                                 "no %"PRIu64" KiB of contiguous memory for the stream",
                                 size >> 10);

    liveupdate_stream_mfn = _mfn(virt_to_mfn(stream.buf));
    liveupdate_stream_nr = 1UL << stream.order;

    return 0;
}

static void pause_domains(void)
{
    struct domain *d;
    struct vcpu *v;

    /* All at once first; then wait for each. */
    for_each_domain ( d )
        domain_pause_nosync(d);

    for_each_domain ( d )
        for_each_vcpu ( d, v )
        {
            vcpu_sleep_sync(v);
            /* What a CPU still holds lazily has to be in the vCPU. */
            sync_vcpu_execstate(v);
        }
}

/*
 * Both sides.  domain_unpause(), but what the toolstack has stopped by pausing
 * @d stays so: it may unpause @d on another CPU meanwhile, and starts it then.
 */
static void unpause(struct domain *d)
{
    struct vcpu *v;

    if ( !d->controller_pause_count )
        arch_domain_unpause(d);

    if ( atomic_dec_and_test(&d->pause_count) )
        for_each_vcpu ( d, v )
            vcpu_wake(v);
}

static void unpause_domains(void)
{
    struct domain *d;

    for_each_domain ( d )
    {
        if ( is_hvm_domain(d) )
            liveupdate_viridian_go_on(d);
        unpause(d);
    }
}

static void count_vcpus(void)
{
    struct liveupdate_report *rep = &liveupdate_report;
    const struct domain *d;
    const struct vcpu *v;

    rep->nr_domains = rep->nr_vcpus = 0;
    for_each_domain ( d )
    {
        rep->nr_domains++;
        for_each_vcpu ( d, v )
            rep->nr_vcpus++;
    }
}

/* With every CPU held: write the stream and let the target's reader judge it. */
static int save(struct lu_writer *w)
{
    struct liveupdate_report *rep = &liveupdate_report;
    struct lu_complaint why;
    struct lu_stream s;
    uint64_t len;
    int rc;

    liveupdate_phase_begin(LU_PHASE_save);
    lu_writer_init(w, stream.buf, (uint64_t)PAGE_SIZE << stream.order);

    liveupdate_refs_reset();
    walk(LU_PHASE_idle, refs_one, NULL);
    rc = liveupdate_refs_sort();
    if ( !rc )
        rc = walk(LU_PHASE_save, save_one, w);
    if ( rc )
        return rc;

    len = lu_writer_finish(w);
    if ( !len )
        return liveupdate_refuse(NULL, -ENOSPC, "the stream outgrew its %lu KiB",
                                 (PAGE_SIZE << stream.order) >> 10);
    rep->stream_bytes = len;
    rep->nr_records = w->nr_records;

    liveupdate_phase_begin(LU_PHASE_verify);
    liveupdate_at(liveupdate_resources[0], DOMID_INVALID);
    if ( lu_stream_open(&s, stream.buf, len, &why) )
    {
        liveupdate_at(NULL, why.domid);
        return liveupdate_refuse(NULL, -EILSEQ,
                                 "own stream refused: %s at %"PRIu64", record %#x: %s",
                                 lu_verdict_str(why.verdict), why.offset,
                                 why.type, why.what ?: "-");
    }

    return liveupdate_verify_memory(&s) ?:
           fault(liveupdate_resources[0], LU_PHASE_verify, NULL);
}

/* How far the preparations are. */
static struct liveupdate_job preparation;
static enum { PREPARE_check, PREPARE_memory, PREPARE_image } prepare_step;

/*
 * With domains running: everything that takes time and may fail.  In slices:
 * -ERESTART at the end of each.
 */
static int prepare(struct kexec_image *image)
{
    int rc = 0;

    switch ( prepare_step )
    {
    case PREPARE_check:
        rc = liveupdate_check_some(&preparation);
        if ( rc )
            break;
        prepare_step = PREPARE_memory;
        if ( liveupdate_step_over() )
            return -ERESTART;
        /* fallthrough */
    case PREPARE_memory:
        rc = alloc_stream(preparation.outlook.stream) ?: liveupdate_refs_alloc();
        if ( rc )
            break;
        liveupdate_back_prepare(image);
        prepare_step = PREPARE_image;
        if ( liveupdate_step_over() )
            return -ERESTART;
        /* fallthrough */
    case PREPARE_image:
        rc = image ? liveupdate_image_verify(image, &preparation) : 0;
        if ( !rc )
            count_vcpus();
        break;
    }

    return rc;
}

/*
 * The pause.  Returns only if the update did not happen, or was not meant to.
 */
static int perform(struct kexec_image *image)
{
    struct lu_writer w;
    struct lu_extent extent;
    int rc;

    /* CPUs must neither come nor go. */
    if ( !get_cpu_maps() )
        return liveupdate_refuse(NULL, -EBUSY, "a CPU is coming or going");

    liveupdate_console_hold();

    liveupdate_phase_begin(LU_PHASE_quiesce);
    liveupdate_report.pause_start = NOW();
    pause_domains();
    rc = walk(LU_PHASE_quiesce, quiesce_one, NULL);
    if ( rc )
        goto unpause;

    rc = liveupdate_hold_cpus();
    if ( rc )
        goto unpause;

    rc = save(&w);
    if ( !rc && image )
    {
        liveupdate_phase_begin(LU_PHASE_collect);
        liveupdate_park_cpus();
        liveupdate_report.stream_bytes =
            liveupdate_alter_stream(stream.buf, liveupdate_report.stream_bytes);
        /* The collected interrupts went into the stream: seal it again. */
        lu_stream_seal(stream.buf, liveupdate_report.stream_bytes);

        extent.mfn = mfn_x(liveupdate_stream_mfn);
        extent.nr = PFN_UP(liveupdate_report.stream_bytes);
        rc = liveupdate_jump(image, &extent, 1, liveupdate_report.stream_bytes);
    }

    liveupdate_release_cpus();

 unpause:
    unpause_domains();
    liveupdate_report.pause_ns = NOW() - liveupdate_report.pause_start;
    liveupdate_console_release();
    put_cpu_maps();

    return rc;
}

/*
 * One attempt at a time: idle -> scheduled -> running -> its outcome.
 */

static struct kexec_image *work_image;

static void finish(int rc)
{
    struct liveupdate_report *rep = &liveupdate_report;

    liveupdate_phase_end();
    liveupdate_refs_free();
    liveupdate_back_forget();

    if ( rc )
    {
        liveupdate_fail(NULL, rc);
        if ( stream.buf )
            free_stream();
        /* Its image is not what was staged any more. */
        if ( rep->returned )
            kexec_liveupdate_unstage();
        printk(XENLOG_ERR "liveupdate: %s: %s (phase %u, resource %s, %d)\n",
               rep->returned ? "the target has refused" : "not done", rep->reason, rep->phase,
               rep->resource ? rep->resource->name : "-", rc);
    }
    else
    {
        liveupdate_stream_buf = stream.buf;
        liveupdate_stream_len = rep->stream_bytes;
    }

    /* That of the reason, which is the first of several. */
    if ( !rc )
        rep->error = 0;
    smp_wmb();
    if ( rep->returned )
        rep->state = XEN_LIVEUPDATE_STATE_returned;
    else
        rep->state = rc ? XEN_LIVEUPDATE_STATE_failed
                        : XEN_LIVEUPDATE_STATE_rehearsed;
}

static struct timer breather;
static unsigned int busy_retries;

/* While it is running: who wants to abort it, and the pause, exclude each other. */
static enum { PREPARING, PAUSING, TAKEN_BACK } running;

static int taken_back(void)
{
    struct liveupdate_report *rep = &liveupdate_report;

    rep->resource = NULL;
    rep->domid = DOMID_INVALID;
    rep->error = -EINTR;
    safe_strcpy(rep->reason, "taken back before it began");

    return rep->error;
}

static void cf_check pause_work(void *unused)
{
    struct liveupdate_report *rep = &liveupdate_report;
    int rc = cmpxchg(&running, PREPARING, PAUSING) == PREPARING
             ? perform(work_image) : taken_back();

    /*
     * A vCPU was caught in the middle of something, say an I/O instruction: it
     * is through with it as soon as it has run a little.
     */
    if ( rc == -EBUSY && busy_retries && !rep->returned )
    {
        busy_retries--;
        rep->reason[0] = '\0';
        rep->phase = LU_PHASE_idle;
        rep->phase_ns[LU_PHASE_quiesce] = rep->phase_ns[LU_PHASE_save] = -1;
        write_atomic(&running, PREPARING);
        set_timer(&breather, NOW() + BREATHER);
        return;
    }

    finish(rc);
}
static DECLARE_TASKLET(pause_tasklet, pause_work, NULL);

static struct tasklet *next_work;

static void cf_check breather_over(void *unused)
{
    tasklet_schedule_on_cpu(next_work, 0);
}

static void begin(void)
{
    liveupdate_job_init(&preparation, "preparations");
    prepare_step = PREPARE_check;
    liveupdate_phase_begin(LU_PHASE_check);
    if ( !breather.function )
        init_timer(&breather, breather_over, NULL, 0);
}

static void cf_check liveupdate_work(void *unused);
static DECLARE_TASKLET(work, liveupdate_work, NULL);

/* One slice of the preparations, or the end of them. */
static void cf_check liveupdate_work(void *unused)
{
    int rc;

    switch ( cmpxchg(&liveupdate_report.state, XEN_LIVEUPDATE_STATE_scheduled,
                     XEN_LIVEUPDATE_STATE_running) )
    {
    case XEN_LIVEUPDATE_STATE_scheduled:
        begin();
        break;

    case XEN_LIVEUPDATE_STATE_running:
        break;

    default:
        return;         /* aborted */
    }

    if ( read_atomic(&running) == TAKEN_BACK )
    {
        finish(taken_back());
        return;
    }

    liveupdate_slice_begin(&preparation);
    rc = prepare(work_image);
    liveupdate_slice_end();

    /* The domains of CPU 0 get as much of it, and catch up before they are paused. */
    if ( rc == -ERESTART )
    {
        next_work = &work;
        set_timer(&breather, NOW() + LIVEUPDATE_SLICE);
        return;
    }

    liveupdate_job_done(&preparation);
    liveupdate_phase_end();
    if ( rc )
    {
        finish(rc);
        return;
    }

    busy_retries = BUSY_RETRIES;
    next_work = &pause_tasklet;
    set_timer(&breather, NOW() + BREATHER);
}

bool liveupdate_busy(void)
{
    unsigned int state = read_atomic(&liveupdate_report.state);

    return state == XEN_LIVEUPDATE_STATE_scheduled ||
           state == XEN_LIVEUPDATE_STATE_running || liveupdate_restoring ||
           liveupdate_settling();
}

/* @image: NULL to rehearse.  The caller holds the kexec hypercall's lock. */
int liveupdate_execute(struct kexec_image *image)
{
    if ( liveupdate_busy() )
        return -EBUSY;

    liveupdate_report_reset();
    liveupdate_report.attempts++;
    running = PREPARING;
    work_image = image;
    smp_wmb();
    liveupdate_report.state = XEN_LIVEUPDATE_STATE_scheduled;
    tasklet_schedule_on_cpu(&work, 0);

    return 0;
}

int liveupdate_abort(void)
{
    struct liveupdate_report *rep = &liveupdate_report;

    switch ( cmpxchg(&rep->state, XEN_LIVEUPDATE_STATE_scheduled,
                     XEN_LIVEUPDATE_STATE_failed) )
    {
    case XEN_LIVEUPDATE_STATE_scheduled:
        taken_back();
        return 0;

    case XEN_LIVEUPDATE_STATE_running:
        return cmpxchg(&running, PREPARING, TAKEN_BACK) == PAUSING ? -EBUSY : 0;

    default:
        return -ENOENT;
    }
}

/*
 * Target.
 */

struct domain *__init liveupdate_restore(void)
{
    struct liveupdate_report *rep = &liveupdate_report;
    const struct lu_stream_header *hdr = (const void *)liveupdate_stream.buf;
    const struct lu_record *r;
    struct lu_source_phases p = {};
    s_time_t now;
    int rc;

    r = lu_record_find(&liveupdate_stream, NULL, LU_REC_SOURCE_PHASES,
                       LU_ANY_DOMID);
    if ( r )
        LU_FIXED(r, &p);

    liveupdate_start_node_heaps();

    liveupdate_report_reset();
    now = NOW();
    rep->pause_start = p.pause_start;
    rep->phase_ns[LU_PHASE_check] = p.check_ns;
    rep->phase_ns[LU_PHASE_quiesce] = p.quiesce_ns;
    liveupdate_source_stamps(rep, now);
    rep->stream_bytes = liveupdate_stream.length;
    rep->nr_records = hdr->nr_records;

    liveupdate_phase_begin(LU_PHASE_plan);
    rc = walk(LU_PHASE_plan, plan_one, NULL);
    if ( rc )
        panic("liveupdate: %s (resource %s, domain %u, %d)\n", rep->reason,
              rep->resource->name, rep->domid, rc);

    liveupdate_take_over();

    liveupdate_phase_begin(LU_PHASE_commit);
    walk(LU_PHASE_commit, commit_one, NULL);
    liveupdate_phase_end();

    return hardware_domain;
}

void __init liveupdate_resume_domains(void)
{
    struct liveupdate_report *rep = &liveupdate_report;
    struct domain *d;

    liveupdate_phase_begin(LU_PHASE_resume);
    walk(LU_PHASE_resume, resume_one, NULL);

    rep->pause_ns = NOW() - rep->pause_start;
    for_each_domain ( d )
        unpause(d);
    liveupdate_phase_end();

    liveupdate_restoring = false;
    liveupdate_fault = (struct liveupdate_fault){};
    count_vcpus();
    rep->state = XEN_LIVEUPDATE_STATE_done;

    liveupdate_console_release();
    liveupdate_start_settle();
}
