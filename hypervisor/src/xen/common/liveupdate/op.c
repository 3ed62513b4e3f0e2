/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: the sub-commands of the kexec hypercall, and the staged image.
 *
 * An image's segments go either straight to a slot that the running Xen does
 * not use ("in place"), or, where the target overwrites the running Xen (one
 * slot only, or stock kexec-tools), to pages that the jump copies.
 */

#include <xen/errno.h>
#include <xen/guest_access.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/spinlock.h>
#include <xen/timer.h>
#include <xen/xmalloc.h>

#include <asm/setup.h>

#include <public/sched.h>

/* Refusals that one check can report. */
#define MAX_REFUSALS 256

/* A caller that has not come back for so long has gone. */
#define PATIENCE SECONDS(1)

/* Bytes of an image between two looks at the clock. */
#define IMAGE_STEP KB(64)

/*
 * The staged image.
 */

static bool within(paddr_t s, paddr_t e, paddr_t start, paddr_t end)
{
    return s >= start && e <= end && s <= e;
}

bool liveupdate_segment_in_place(const xen_kexec_segment_t *seg)
{
    paddr_t start;
    uint64_t size;
    bool in_place;

    return !liveupdate_next_slot(&start, &size, &in_place) && in_place &&
           within(seg->dest_maddr, seg->dest_maddr + seg->dest_size,
                  start + PAGE_SIZE, start + size);
}

bool liveupdate_image_in_place(const struct kexec_image *image)
{
    unsigned int i;

    for ( i = 0; i < image->nr_segments; i++ )
        if ( !guest_handle_is_null(image->segments[i].buf.h) &&
             !liveupdate_segment_in_place(&image->segments[i]) )
            return false;

    return true;
}

/* Where a CRC over the segments of an image that are in place is. */
struct image_crc {
    unsigned int segment;
    uint64_t offset;
    uint32_t crc;
};

/* A step of it.  False: that was all. */
static bool crc_step(struct image_crc *c, const xen_kexec_segment_t *segs,
                     unsigned int nr)
{
    const xen_kexec_segment_t *seg = &segs[c->segment];
    uint64_t n;

    if ( c->segment == nr )
        return false;

    n = liveupdate_segment_in_place(seg)
        ? min_t(uint64_t, seg->dest_size - c->offset, IMAGE_STEP) : 0;
    if ( n )
    {
        c->crc = lu_crc32c(c->crc, maddr_to_virt(seg->dest_maddr + c->offset), n);
        c->offset += n;
    }
    else
    {
        c->segment++;
        c->offset = 0;
    }

    return true;
}

/*
 * What was loaded.  Its CRC is made after the hypercall has returned, by a timer,
 * in slices, and is needed by nobody before an update.  The segments are the slot's
 * memory, so nothing happens if the image goes meanwhile.
 */
static struct {
    spinlock_t lock;
    s_time_t longest;
    xen_kexec_segment_t segs[KEXEC_SEGMENT_MAX];
    unsigned int nr;
    struct image_crc at;
    bool complete;
    bool valid;                 /* it is of what was loaded last */
    struct timer timer;
} staged = { .lock = SPIN_LOCK_UNLOCKED };

/* True: the CRC is complete. */
static bool staged_step(void)
{
    bool complete;

    spin_lock(&staged.lock);
    if ( !staged.complete )
        staged.complete = !crc_step(&staged.at, staged.segs, staged.nr);
    complete = staged.complete;
    spin_unlock(&staged.lock);

    return complete;
}

static void cf_check staged_slice(void *unused)
{
    s_time_t start = NOW(), now = start;
    bool complete;

    do {
        complete = staged_step();
        now = NOW();
    } while ( !complete && now - start < LIVEUPDATE_SLICE );
    staged.longest = max(staged.longest, now - start);

    if ( complete )
        liveupdate_slices_done("the image's CRC", staged.longest, NULL);
    else
        set_timer(&staged.timer, now + LIVEUPDATE_SLICE);
}

/* The slot is about to be written to: what was there is not what it was. */
static void forget_crc(void)
{
    spin_lock(&staged.lock);
    staged.complete = true;
    staged.valid = false;
    spin_unlock(&staged.lock);
}

/*
 * Everything has to go into the slot, less the handover page, or over the
 * running Xen's image and not beyond it.
 */
int liveupdate_image_check(const xen_kexec_segment_t *segs, unsigned int nr,
                           paddr_t entry)
{
    paddr_t start, xen_start = __pa(_start);
    paddr_t xen_end = ROUNDUP(__pa(__2M_rwdata_end), MB(2));
    uint64_t size;
    bool in_place, entry_ok = false;
    unsigned int i;
    int rc = liveupdate_next_slot(&start, &size, &in_place);

    if ( rc )
    {
        printk(XENLOG_ERR "liveupdate: no region was reserved (liveupdate=<size>)\n");
        return rc;
    }

    if ( liveupdate_busy() )
        return -EBUSY;

    for ( i = 0; i < nr; i++ )
    {
        paddr_t s = segs[i].dest_maddr, e = s + segs[i].dest_size;

        /* Only to be mapped, as kexec-tools does with the first MiB. */
        if ( guest_handle_is_null(segs[i].buf.h) )
            continue;

        if ( !within(s, e, start + PAGE_SIZE, start + size) &&
             !within(s, e, xen_start, xen_end) )
        {
            printk(XENLOG_ERR
                   "liveupdate: segment [%"PRIpaddr", %"PRIpaddr") fits neither the slot [%"PRIpaddr", %"PRIpaddr") nor Xen [%"PRIpaddr", %"PRIpaddr")\n",
                   s, e, start + PAGE_SIZE, start + size, xen_start, xen_end);
            return -EADDRNOTAVAIL;
        }
        if ( entry >= s && entry < e )
            entry_ok = true;
    }

    if ( !entry_ok )
        return -EADDRNOTAVAIL;
    forget_crc();

    return 0;
}

int liveupdate_image_loaded(const struct kexec_image *image)
{
    spin_lock(&staged.lock);
    staged.nr = image->nr_segments;
    memcpy(staged.segs, image->segments, staged.nr * sizeof(*staged.segs));
    staged.at = (struct image_crc){};
    staged.complete = false;
    staged.valid = true;
    spin_unlock(&staged.lock);

    if ( !staged.timer.function )
        init_timer(&staged.timer, staged_slice, NULL, 0);
    set_timer(&staged.timer, NOW() + LIVEUPDATE_SLICE);

    liveupdate_target_loaded(image);

    return 0;
}

int liveupdate_image_verify(const struct kexec_image *image,
                            struct liveupdate_job *job)
{
    struct image_crc c = {
        .segment = job->segment, .offset = job->offset, .crc = job->crc,
    };
    bool more;

    while ( !staged_step() )
        if ( liveupdate_step_over() )
            return -ERESTART;

    do {
        more = crc_step(&c, image->segments, image->nr_segments);
        job->segment = c.segment;
        job->offset = c.offset;
        job->crc = c.crc;
        if ( more && liveupdate_step_over() )
            return -ERESTART;
    } while ( more );

    if ( !staged.valid || c.crc != staged.at.crc )
        return liveupdate_refuse(NULL, -EILSEQ,
                                 "the staged image has changed since it was loaded");

    return 0;
}

int liveupdate_get_range(xen_kexec_range_t *range)
{
    paddr_t start;
    uint64_t size;
    bool in_place;
    int rc = liveupdate_next_slot(&start, &size, &in_place);

    if ( !rc )
    {
        range->start = start;
        range->size = size;
    }

    return rc;
}

/*
 * Sub-commands.
 */

static int op_query(struct xen_liveupdate_query *q)
{
    unsigned int n = 0;
    bool in_place;

    memset(q, 0, sizeof(*q));
    q->caps = XEN_LIVEUPDATE_CAP_REHEARSE | XEN_LIVEUPDATE_CAP_TARGET;
#ifndef NDEBUG
    q->caps |= XEN_LIVEUPDATE_CAP_FAULT;
#endif
    q->format = LU_FORMAT_VERSION;
    q->format_oldest = LU_FORMAT_OLDEST;
    q->generation = liveupdate_region.generation;
    q->phase = liveupdate_busy() ? liveupdate_report.phase : LU_PHASE_idle;
    q->staged = kexec_liveupdate_image() != NULL;
    while ( liveupdate_resources[n] )
        n++;
    q->nr_resources = n;
    q->features = liveupdate_features;
    q->staged_features = liveupdate_staged_features();

    if ( liveupdate_region.start )
    {
        q->nr_slots = liveupdate_region.nr_slots;
        q->region_start = liveupdate_region.start;
        q->region_size = liveupdate_region.size;
        liveupdate_next_slot(&q->slot_start, &q->slot_size, &in_place);
    }

    return 0;
}

/*
 * What takes long is done in slices, each of which is a call of its own: the
 * hypercall is continued.  The caller keeps a ticket meanwhile, by which it is known
 * when it comes back; who has none waits until the one before has done, or has not
 * come for a while, as its vCPU does not run.
 */
static struct {
    uint64_t ticket, last_ticket;   /* 0: nobody's */
    s_time_t seen;
    struct liveupdate_job job;
    struct liveupdate_refusals refusals;
} work;

static void work_done(void)
{
    work.ticket = 0;
    XFREE(work.refusals.list);
}

/* 0: it is the caller's turn; -ERESTART: it is not; -EBUSY: there is an update. */
static int work_begin(uint64_t *ticket, const char *what)
{
    s_time_t now = NOW();

    if ( liveupdate_busy() )
    {
        work_done();
        return -EBUSY;
    }

    if ( !*ticket || *ticket != work.ticket )
    {
        if ( work.ticket && now - work.seen < PATIENCE )
            return -ERESTART;
        work_done();
        work.ticket = *ticket = ++work.last_ticket;
        liveupdate_job_init(&work.job, what);
        work.refusals = (struct liveupdate_refusals){};
    }
    work.seen = now;

    return 0;
}

/* A check of its own: it must not disturb what the last attempt reports. */
static int check_slice(const uint32_t *features)
{
    struct liveupdate_report saved = liveupdate_report;
    int rc;

    liveupdate_refusals = &work.refusals;
    liveupdate_asked_features = features;
    liveupdate_slice_begin(&work.job);
    rc = liveupdate_check_some(&work.job);
    liveupdate_slice_end();
    liveupdate_asked_features = NULL;
    liveupdate_refusals = NULL;
    liveupdate_report = saved;

    return rc;
}

/* @target: for the one that @c tells of, not the staged one. */
static int op_check(struct xen_liveupdate_check *c, bool target)
{
    struct liveupdate_refusals *l = &work.refusals;
    int rc = work_begin(&c->ticket, "check");

    if ( rc )
        return rc;

    if ( !l->list )
    {
        l->room = MAX_REFUSALS;
        l->list = xzalloc_array(struct xen_liveupdate_refusal, l->room);
        rc = l->list ? 0 : -ENOMEM;
    }
    if ( !rc && check_slice(target ? &c->features : NULL) == -ERESTART )
        return -ERESTART;

    liveupdate_job_done(&work.job);
    if ( !rc &&
         copy_to_guest(guest_handle_cast(c->buf.h, xen_liveupdate_refusal_t),
                       l->list, min(l->nr, min(l->room, c->nr))) )
        rc = -EFAULT;
    c->nr = l->nr;
    c->ticket = 0;
    work_done();

    return rc;
}

static int op_read(struct xen_liveupdate_read *r)
{
    uint64_t n;

    if ( liveupdate_busy() && !liveupdate_settling() )
        return -EBUSY;
    if ( !liveupdate_stream_buf )
        return -ENODATA;

    r->total = liveupdate_stream_len;
    if ( r->offset > r->total )
        return -EINVAL;

    n = min_t(uint64_t, r->length, MB(1));
    n = min(n, r->total - r->offset);
    if ( copy_to_guest(guest_handle_cast(r->buf.h, char),
                       (const char *)liveupdate_stream_buf + r->offset, n) )
        return -EFAULT;
    r->length = n;

    return 0;
}

static int op_fault(struct xen_liveupdate_fault *f)
{
#ifndef NDEBUG
    bool hang = f->phase & XEN_LIVEUPDATE_FAULT_HANG;
    uint32_t phase = f->phase & ~XEN_LIVEUPDATE_FAULT_HANG;
    unsigned int n = 0;

    while ( liveupdate_resources[n] )
        n++;
    f->hit = liveupdate_fault.hit;
    if ( !phase )
    {
        liveupdate_fault = (struct liveupdate_fault){};
        return 0;
    }
    if ( f->resource >= n )
        return -ENOENT;

    /* Steps of the target's boot have no resource. */
    if ( phase == LU_PHASE_adopt )
    {
        /* There the boot CPU hangs with another one lost, and a third has to call. */
        f->exists = liveupdate_step_exists(f->resource) &&
                    !(hang && f->resource == LU_STEP_start &&
                      num_online_cpus() < 3);
        if ( f->exists )
            strlcpy(f->name, liveupdate_step_names[f->resource],
                    sizeof(f->name));
        liveupdate_fault = (struct liveupdate_fault){
            .phase = f->exists ? phase : LU_PHASE_idle,
            .resource = f->resource,
            .hang = hang,
        };
        return 0;
    }

    strlcpy(f->name, liveupdate_resources[f->resource]->name, sizeof(f->name));
    f->exists = !hang &&
                liveupdate_fault_exists(liveupdate_resources[f->resource],
                                        phase);
    liveupdate_fault = (struct liveupdate_fault){
        .phase = f->exists ? phase : LU_PHASE_idle,
        .resource = f->resource,
    };

    return 0;
#else
    return -EOPNOTSUPP;
#endif
}

static void describe_domain(struct xen_liveupdate_domain *to,
                            const struct domain *d)
{
    const struct vcpu *v;

    *to = (struct xen_liveupdate_domain){
        .domid = d->domain_id,
        .tot_pages = domain_tot_pages(d),
        .max_pages = d->max_pages,
        .flags =
            (is_hardware_domain(d) ? XEN_LIVEUPDATE_DOMAIN_HARDWARE : 0) |
            (is_hvm_domain(d) ? XEN_LIVEUPDATE_DOMAIN_HVM : 0) |
            (d->controller_pause_count ? XEN_LIVEUPDATE_DOMAIN_PAUSED : 0) |
            (d->is_shut_down ? XEN_LIVEUPDATE_DOMAIN_SHUTDOWN : 0) |
            (d->is_dying ? XEN_LIVEUPDATE_DOMAIN_DYING : 0) |
            /* Power-off, reboot, suspend; a watchdog is no wish of the guest's. */
            (d->is_shut_down && d->shutdown_code < SHUTDOWN_crash
                 ? XEN_LIVEUPDATE_DOMAIN_ENDED : 0),
    };
    memcpy(to->handle, d->handle, sizeof(to->handle));
    for_each_vcpu ( d, v )
    {
        to->nr_vcpus++;
        to->nr_online += !(v->pause_flags & VPF_down);
    }
}

/*
 * This looks at every frame that is not free: before settle ends these are nearly
 * all, one by one, and it would take seconds.
 */
static int op_needed_pages(struct xen_liveupdate_inventory *inv)
{
    struct liveupdate_outlook *o = &work.job.outlook;
    int rc;

    inv->needed_pages = 0;
    rc = work_begin(&inv->ticket, "inventory");
    if ( rc )
        return rc == -EBUSY ? 0 : rc;

    liveupdate_slice_begin(&work.job);
    rc = liveupdate_look_out(o);
    if ( !rc )
        inv->needed_pages = liveupdate_frames_needed(o);
    liveupdate_slice_end();

    if ( !rc )
    {
        liveupdate_job_done(&work.job);
        work_done();
    }

    return rc;
}

static int op_inventory(struct xen_liveupdate_inventory *inv)
{
    const struct domain *d;
    unsigned int n = 0;
    int rc = op_needed_pages(inv);

    if ( rc )
        return rc;

    rcu_read_lock(&domlist_read_lock);
    for_each_domain ( d )
    {
        struct xen_liveupdate_domain desc;

        if ( n < inv->nr )
        {
            describe_domain(&desc, d);
            if ( copy_to_guest_offset(
                     guest_handle_cast(inv->buf.h, xen_liveupdate_domain_t),
                     n, &desc, 1) )
            {
                rc = -EFAULT;
                break;
            }
        }
        n++;
    }
    rcu_read_unlock(&domlist_read_lock);

    inv->nr = n;
    inv->ticket = 0;
    inv->nr_cpus = num_online_cpus();
    inv->total_pages = total_pages;
    inv->free_pages = avail_domheap_pages();
    inv->boot_ns = liveupdate_boot_ns;

    return rc;
}

static int op_execute(void)
{
    struct kexec_image *image = kexec_liveupdate_image();

    if ( !liveupdate_region.start )
        return -ENODEV;
    /* Settling, no image is staged; but that is not what stands in the way. */
    if ( liveupdate_busy() )
        return -EBUSY;
    if ( !image )
        return -ENOENT;

    return liveupdate_execute(image);
}

int liveupdate_kexec_allowed(unsigned long cmd)
{
    if ( !is_hvm_domain(current->domain) || cmd == KEXEC_CMD_liveupdate )
        return 0;

    return -EOPNOTSUPP;
}

int liveupdate_op(XEN_GUEST_HANDLE_PARAM(void) uarg)
{
    struct xen_liveupdate *op = xmalloc(struct xen_liveupdate);
    int rc;

    if ( !op )
        return -ENOMEM;

    rc = -EFAULT;
    if ( copy_from_guest(op, guest_handle_cast(uarg, xen_liveupdate_t), 1) )
        goto out;

    rc = -EINVAL;
    if ( op->flags & ~(op->op == XEN_LIVEUPDATE_check
                       ? XEN_LIVEUPDATE_CHECK_TARGET : 0) )
        goto out;

    switch ( op->op )
    {
    case XEN_LIVEUPDATE_query:
        rc = op_query(&op->u.query);
        break;

    case XEN_LIVEUPDATE_check:
        rc = op_check(&op->u.check, op->flags & XEN_LIVEUPDATE_CHECK_TARGET);
        break;

    case XEN_LIVEUPDATE_rehearse:
        rc = liveupdate_execute(NULL);
        break;

    case XEN_LIVEUPDATE_execute:
        rc = op_execute();
        break;

    case XEN_LIVEUPDATE_abort:
        rc = liveupdate_abort();
        break;

    case XEN_LIVEUPDATE_result:
        liveupdate_get_result(&op->u.result);
        rc = 0;
        break;

    case XEN_LIVEUPDATE_read:
        rc = op_read(&op->u.read);
        break;

    case XEN_LIVEUPDATE_fault:
        rc = op_fault(&op->u.fault);
        break;

    case XEN_LIVEUPDATE_inventory:
        rc = op_inventory(&op->u.inventory);
        break;

    case XEN_LIVEUPDATE_alter:
        rc = liveupdate_op_alter(&op->u.alter);
        break;

    default:
        rc = -EOPNOTSUPP;
        break;
    }

    if ( (!rc || rc == -ERESTART) &&
         copy_to_guest(guest_handle_cast(uarg, xen_liveupdate_t), op, 1) )
        rc = -EFAULT;
    if ( rc == -ERESTART )
        rc = hypercall_create_continuation(__HYPERVISOR_kexec_op, "lh",
                                           KEXEC_CMD_liveupdate + 0UL, uarg);

 out:
    xfree(op);

    return rc;
}
