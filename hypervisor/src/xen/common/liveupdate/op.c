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
#include <xen/xmalloc.h>

#include <asm/setup.h>

#include <public/sched.h>

/* Refusals that one check can report. */
#define MAX_REFUSALS 256

/*
 * The staged image.
 */

static uint32_t staged_crc;

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

    return entry_ok ? 0 : -EADDRNOTAVAIL;
}

static uint32_t image_crc(const struct kexec_image *image)
{
    uint32_t crc = 0;
    unsigned int i;

    for ( i = 0; i < image->nr_segments; i++ )
    {
        const xen_kexec_segment_t *seg = &image->segments[i];

        if ( liveupdate_segment_in_place(seg) )
            crc = lu_crc32c(crc, maddr_to_virt(seg->dest_maddr),
                            seg->dest_size);
    }

    return crc;
}

int liveupdate_image_loaded(const struct kexec_image *image)
{
    staged_crc = image_crc(image);
    liveupdate_target_loaded(image);

    return 0;
}

int liveupdate_image_verify(const struct kexec_image *image)
{
    if ( image_crc(image) != staged_crc )
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

/* @target: for the one that @c tells of, not the staged one. */
static int op_check(struct xen_liveupdate_check *c, bool target)
{
    struct liveupdate_refusals l = { .room = MAX_REFUSALS };
    int rc = 0;

    if ( liveupdate_busy() )
        return -EBUSY;

    l.list = xzalloc_array(struct xen_liveupdate_refusal, l.room);
    if ( !l.list )
        return -ENOMEM;

    /* A check of its own: it must not disturb what the last attempt reports. */
    {
        struct liveupdate_report saved = liveupdate_report;

        liveupdate_refusals = &l;
        liveupdate_asked_features = target ? &c->features : NULL;
        liveupdate_check_all();
        liveupdate_asked_features = NULL;
        liveupdate_refusals = NULL;
        liveupdate_report = saved;
    }

    if ( copy_to_guest(guest_handle_cast(c->buf.h, xen_liveupdate_refusal_t),
                       l.list, min(l.nr, min(l.room, c->nr))) )
        rc = -EFAULT;
    c->nr = l.nr;
    xfree(l.list);

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
        /* A CPU that hangs before it is online would not come back. */
        f->exists = liveupdate_step_exists(f->resource) &&
                    !(hang && f->resource == LU_STEP_ap);
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

static int op_inventory(struct xen_liveupdate_inventory *inv)
{
    const struct domain *d;
    unsigned int n = 0;
    int rc = 0;

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
    /*
     * This looks at every frame that is not free: before settle ends these are
     * nearly all, one by one, and this CPU would do nothing else for seconds.
     */
    inv->needed_pages = liveupdate_busy() ? 0 : liveupdate_frames_needed();
    rcu_read_unlock(&domlist_read_lock);

    inv->nr = n;
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

    if ( !rc && copy_to_guest(guest_handle_cast(uarg, xen_liveupdate_t), op, 1) )
        rc = -EFAULT;

 out:
    xfree(op);

    return rc;
}
