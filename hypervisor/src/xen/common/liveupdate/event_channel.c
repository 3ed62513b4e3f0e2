/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "evtchn": the ports of a domain, under their exact
 * numbers, and the global VIRQs that it handles.  Included by
 * xen/common/event_channel.c.
 *
 * Pending and mask bits are in pages of the domain (shared_info, or the event
 * array; see event_fifo.c) and stay there.  What Xen keeps besides is small:
 * what a port is bound to, whom it notifies, and for FIFO the queue it was last
 * linked to.  The latter outlives the binding: a port that has been closed may
 * still be the tail of its queue.
 *
 * The chains that Xen derives from the bindings (virq_to_evtchn[] and
 * pirq_evtchn_head of each vCPU) are derived again.  Resource "pirq", which
 * comes later, completes a port bound to a pirq: here chn->u.pirq.irq and the
 * vCPU's chain are set; there pirq->evtchn, the guest's binding to the irq and
 * its affinity.
 *
 * The two ends of an interdomain channel are restored each with its domain,
 * which all exist by then, and compared once the last domain has its ports.
 *
 * A reset that was interrupted is gone on with by another hypercall.  A guest need
 * not make it, so that this may be the domain's state for ever.
 *
 * Carried: event channels of all kinds under their numbers (2-level and FIFO
 * ABI), bindings, priorities, global VIRQs, how far a reset has come.
 */

#include <xen/liveupdate.h>

#include "evtchn.h"

/*
 * Source.
 */

/* EVTCHNSTAT_*, or -1 for a state that is not carried. */
static int port_status(const struct evtchn *chn)
{
    switch ( chn->state )
    {
    case ECS_FREE:
        return EVTCHNSTAT_closed;

    case ECS_UNBOUND:
        return EVTCHNSTAT_unbound;

    case ECS_INTERDOMAIN:
        return EVTCHNSTAT_interdomain;

    case ECS_PIRQ:
        return EVTCHNSTAT_pirq;

    case ECS_VIRQ:
        return EVTCHNSTAT_virq;

    case ECS_IPI:
        return EVTCHNSTAT_ipi;
    }

    return -1;
}

/* LU_CONSUMER_*, or -1 for a service that is not carried. */
static int port_consumer(const struct evtchn *chn)
{
    if ( !consumer_is_xen(chn) )
        return LU_CONSUMER_GUEST;

    /* The default action, which only xen/common/ioreq.c asks for. */
    if ( xen_notification_fn(chn) == default_xen_notification_fn )
        return LU_CONSUMER_IOREQ;

    return -1;
}

static bool ends_agree(const struct domain *d, const struct evtchn *chn)
{
    const struct domain *rd = chn->u.interdomain.remote_dom;
    const struct evtchn *rchn = _evtchn_from_port(
        rd, chn->u.interdomain.remote_port);

    return rchn && rchn != chn && rchn->state == ECS_INTERDOMAIN &&
           rchn->u.interdomain.remote_dom == d &&
           rchn->u.interdomain.remote_port == chn->port;
}

static int check_port(const struct domain *d, const struct evtchn *chn)
{
    if ( port_status(chn) < 0 )
        return liveupdate_refuse(d, -EOPNOTSUPP, "port %u is in state %u",
                                 chn->port, chn->state);

    if ( port_consumer(chn) < 0 )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "port %u is consumed by Xen in %ps",
                                 chn->port, xen_notification_fn(chn));

    /* A reset leaves the ports of device models, wherever they are. */
    if ( chn->state != ECS_FREE && chn->port >= max_evtchns(d) )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "port %u is in use, of %u that its ABI has",
                                 chn->port, max_evtchns(d));

    /* Either end changes under the event locks of both domains only. */
    if ( chn->state == ECS_INTERDOMAIN && !ends_agree(d, chn) )
        return liveupdate_refuse(d, -EINVAL,
                                 "port %u does not match %pd port %u, which it is bound to",
                                 chn->port, chn->u.interdomain.remote_dom,
                                 chn->u.interdomain.remote_port);

#ifdef CONFIG_XSM_FLASK
    if ( chn->ssid.flask_sid )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "port %u has a security label", chn->port);
#endif

    return 0;
}

/*
 * Run by the source, and by the target once all domains have their ports.
 * @done: ports that have been checked.
 */
static int check_ports(struct domain *d, unsigned long *done)
{
    int rc = 0;

    read_lock(&d->event_lock);
    while ( !rc && port_is_valid(d, *done + 1) )
    {
        rc = check_port(d, evtchn_from_port(d, ++*done));
        if ( !rc && liveupdate_slice_over(1) )
            rc = -ERESTART;
    }
    read_unlock(&d->event_lock);

    return rc;
}

static int cf_check evtchn_check(struct domain *d)
{
    return check_ports(d, liveupdate_position());
}

/* Paused vCPUs are outside of Xen, so that a lock that is held is a bug. */
static int cf_check evtchn_quiesce(struct domain *d)
{
    struct vcpu *v;

    if ( rw_is_write_locked(&d->event_lock) )
        return liveupdate_refuse(d, -EBUSY, "event_lock is held");

    for_each_vcpu ( d, v )
        if ( rw_is_write_locked(&v->virq_lock) )
            return liveupdate_refuse(d, -EBUSY, "virq_lock of vCPU %u is held",
                                     v->vcpu_id);

    return 0;
}

static void describe_port(const struct evtchn *chn, struct lu_evtchn_entry *e)
{
    e->port = chn->port;
    e->vcpu = chn->notify_vcpu_id;
    e->priority = chn->priority;
    e->state = port_status(chn);
    e->consumer = port_consumer(chn);
    e->flags = chn->pending ? LU_PORT_PENDING : 0;
    liveupdate_fifo_get_lastq(chn, &e->last_vcpu, &e->last_priority);

    switch ( chn->state )
    {
    case ECS_UNBOUND:
        e->remote_domid = chn->u.unbound.remote_domid;
        break;

    case ECS_INTERDOMAIN:
        e->remote_domid = chn->u.interdomain.remote_dom->domain_id;
        e->target = chn->u.interdomain.remote_port;
        break;

    case ECS_PIRQ:
        e->target = chn->u.pirq.irq;
        break;

    case ECS_VIRQ:
        e->target = chn->u.virq;
        break;
    }
}

static uint64_t handled_virqs(const struct domain *d)
{
    unsigned int virq;
    uint64_t virqs = 0;

    BUILD_BUG_ON(NR_VIRQS >= 64);

    for ( virq = 0; virq < NR_VIRQS; virq++ )
        if ( global_virq_handlers[virq] == d )
            virqs |= 1ULL << virq;

    return virqs;
}

static int cf_check evtchn_save(struct lu_writer *w, struct domain *d)
{
    struct lu_evtchn *rec = lu_record_begin(w, LU_REC_EVTCHN, d->domain_id, 0);
    unsigned int port, active = 0;

    if ( !rec )
        return -ENOSPC;
    rec->virqs = handled_virqs(d);
    rec->nr_ports = d->valid_evtchns;
    rec->reset = d->next_evtchn;

    for ( port = 1; port < d->valid_evtchns; port++ )
    {
        struct evtchn *chn = evtchn_from_port(d, port);
        struct lu_evtchn_entry *e;
        int rc;

        if ( chn->state != ECS_FREE )
            active++;
        /* Without queues nobody will ask for the last one. */
        else if ( !d->evtchn_fifo || (!chn->fifo_lastq && !chn->pending) )
            continue;

        if ( rw_is_write_locked(&chn->lock) )
            return liveupdate_refuse(d, -EBUSY, "port %u is locked", port);

        rc = check_port(d, chn);
        if ( rc )
            return rc;

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        describe_port(chn, e);
    }

    if ( active != d->active_evtchns )
        return liveupdate_refuse(d, -EINVAL, "%u ports are in use, %u counted",
                                 active, d->active_evtchns);

    lu_record_end(w);

    return 0;
}

/*
 * Target.
 */

/* The part of evtchn_allocate_port() that provides the ports up to @nr. */
static int add_buckets(struct domain *d, unsigned int nr)
{
    ASSERT(rw_is_write_locked(&d->event_lock));

    while ( d->valid_evtchns < nr )
    {
        unsigned int port = d->valid_evtchns;
        struct evtchn *bucket;

        if ( !group_from_port(d, port) )
        {
            group_from_port(d, port) = xzalloc_array(struct evtchn *,
                                                     BUCKETS_PER_GROUP);
            if ( !group_from_port(d, port) )
                return -ENOMEM;
        }

        bucket = alloc_evtchn_bucket(d, port);
        if ( !bucket )
            return -ENOMEM;
        bucket_from_port(d, port) = bucket;
        write_atomic(&d->valid_evtchns, port + EVTCHNS_PER_BUCKET);
    }

    return 0;
}

static int bind_interdomain(struct evtchn *chn, const struct lu_evtchn_entry *e)
{
    struct domain *rd = rcu_lock_domain_by_id(e->remote_domid);

    if ( !rd )
        return -ESRCH;
    /* While it lives its channels are closed before it goes. */
    rcu_unlock_domain(rd);

    chn->u.interdomain.remote_dom = rd;
    chn->u.interdomain.remote_port = e->target;
    chn->state = ECS_INTERDOMAIN;

    return 0;
}

static int bind_virq(struct evtchn *chn, struct vcpu *v, unsigned int virq)
{
    if ( virq >= NR_VIRQS )
        return -EINVAL;

    /* A global one may notify another vCPU, but vCPU 0 knows of it. */
    if ( virq_is_global(virq) )
        v = v->domain->vcpu[0];
    if ( v->virq_to_evtchn[virq] )
        return -EEXIST;

    chn->u.virq = virq;
    chn->state = ECS_VIRQ;
    write_atomic(&v->virq_to_evtchn[virq], chn->port);

    return 0;
}

static int bind_port(struct domain *d, struct evtchn *chn, struct vcpu *v,
                     const struct lu_evtchn_entry *e)
{
    switch ( e->state )
    {
    case EVTCHNSTAT_closed:
        return 0;

    case EVTCHNSTAT_unbound:
        chn->u.unbound.remote_domid = e->remote_domid;
        chn->state = ECS_UNBOUND;
        return 0;

    case EVTCHNSTAT_interdomain:
        return bind_interdomain(chn, e);

    case EVTCHNSTAT_pirq:
        if ( e->target >= d->nr_pirqs )
            return -ERANGE;
        chn->u.pirq.irq = e->target;
        link_pirq_port(chn->port, chn, v);
        chn->state = ECS_PIRQ;
        return 0;

    case EVTCHNSTAT_virq:
        return bind_virq(chn, v, e->target);

    case EVTCHNSTAT_ipi:
        chn->state = ECS_IPI;
        return 0;
    }

    return -EOPNOTSUPP;
}

static int set_consumer(struct domain *d, struct evtchn *chn,
                        unsigned int consumer)
{
    switch ( consumer )
    {
    case LU_CONSUMER_GUEST:
        return 0;

    case LU_CONSUMER_IOREQ:
        chn->xen_consumer = get_xen_consumer(NULL);
        write_atomic(&d->xen_evtchns, d->xen_evtchns + 1);
        return 0;
    }

    return -EOPNOTSUPP;
}

static int plan_port(struct domain *d, const struct lu_evtchn_entry *e)
{
    struct vcpu *v = domain_vcpu(d, e->vcpu);
    struct evtchn *chn = _evtchn_from_port(d, e->port);
    int rc;

    if ( !chn || !v || chn->state != ECS_FREE ||
         (e->flags & ~LU_PORT_FLAGS_ALL) ||
         e->priority > EVTCHN_FIFO_PRIORITY_MIN ||
         (e->state == EVTCHNSTAT_closed ? e->consumer != LU_CONSUMER_GUEST
                                        : e->port >= max_evtchns(d)) )
        return liveupdate_refuse(d, -EINVAL,
                                 "port %u (vCPU %u, priority %u, flags %#x)",
                                 e->port, e->vcpu, e->priority, e->flags);

    evtchn_write_lock(chn);

    chn->notify_vcpu_id = e->vcpu;
    chn->priority = e->priority;
    chn->pending = e->flags & LU_PORT_PENDING;

    rc = liveupdate_fifo_set_lastq(d, chn, e->last_vcpu, e->last_priority) ?:
         set_consumer(d, chn, e->consumer) ?:
         bind_port(d, chn, v, e);
    if ( !rc && chn->state != ECS_FREE )
        write_atomic(&d->active_evtchns, d->active_evtchns + 1);

    evtchn_write_unlock(chn);

    return !rc ? 0
               : liveupdate_refuse(d, rc,
                                   "port %u (state %u, target %u, remote d%u, consumer %u)",
                                   e->port, e->state, e->target,
                                   e->remote_domid, e->consumer);
}

static int plan_ports(struct domain *d, const struct lu_record *r,
                      unsigned int nr_ports)
{
    unsigned int i, last = 0;
    int rc;

    if ( nr_ports > MAX_NR_EVTCHNS )
        return liveupdate_refuse(d, -E2BIG, "%u event channels", nr_ports);

    rc = add_buckets(d, nr_ports);

    for ( i = 0; !rc && i < r->nr; i++ )
    {
        struct lu_evtchn_entry e;

        LU_ENTRY(r, i, &e);
        if ( e.port <= last )
            return liveupdate_refuse(d, -EINVAL, "port %u follows port %u",
                                     e.port, last);
        last = e.port;

        rc = plan_port(d, &e);
    }

    return rc;
}

static int plan_virqs(struct domain *d, uint64_t virqs)
{
    unsigned int virq;
    int rc = virqs >> NR_VIRQS ? -EOPNOTSUPP : 0;

    for ( virq = 0; !rc && virq < NR_VIRQS; virq++ )
        if ( virqs & (1ULL << virq) )
            rc = set_global_virq_handler(d, virq);

    return !rc ? 0
               : liveupdate_refuse(d, rc, "global VIRQs %#"PRIx64, virqs);
}

static int cf_check evtchn_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_EVTCHN, d->domain_id);
    struct lu_evtchn rec;
    int rc;

    if ( !r )
        return liveupdate_refuse(d, -ENOENT, "no event channels in the stream");
    LU_FIXED(r, &rec);

    write_lock(&d->event_lock);
    rc = plan_ports(d, r, rec.nr_ports);
    d->next_evtchn = rec.reset;
    write_unlock(&d->event_lock);

    if ( !rc )
        rc = plan_virqs(d, rec.virqs);

    /* The last domain: now both ends of all channels are there. */
    if ( !rc && !d->next_in_list )
        for_each_domain ( d )
        {
            unsigned long done = 0;

            rc = rc ?: check_ports(d, &done);
        }

    return rc;
}

const struct liveupdate_resource liveupdate_res_evtchn = {
    .name = "evtchn",
    .check = evtchn_check,
    .quiesce = evtchn_quiesce,
    .save = evtchn_save,
    .plan = evtchn_plan,
};
