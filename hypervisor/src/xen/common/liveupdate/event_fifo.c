/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "evtchn_fifo": the event channel ABI of a domain.
 * Included by xen/common/event_fifo.c.
 *
 * With the 2-level ABI all there is lies in shared_info: such a domain has no
 * record, and the target leaves it as evtchn_init() made it.
 *
 * With the FIFO ABI the event words and the queue heads are in pages of the
 * domain and stay as they are; Xen keeps these pages mapped and referenced.
 * The tails of the queues are known to Xen alone.  They cannot be found in the
 * pages: a head that the guest has consumed is not valid any more.  An event
 * that is delivered between save() and the jump would make the saved tails
 * wrong and lose a port for good, so save() relies on every CPU being held with
 * interrupts off.
 *
 * The target maps the pages again, by frame: the guest may have taken them out of
 * its physmap, or given them up, since it named them.  It writes nothing to them.
 * Ports do not exist yet at this point.
 *
 * Carried: the FIFO ABI of event channels: pages of the event array and control
 * blocks, in place; tails of queues.
 */

#include <xen/liveupdate.h>

#include "evtchn.h"

#define NR_QUEUES (EVTCHN_FIFO_PRIORITY_MIN + 1)

void liveupdate_fifo_get_lastq(const struct evtchn *chn, uint16_t *vcpu_id,
                               uint8_t *priority)
{
    union evtchn_fifo_lastq lastq = { .raw = chn->fifo_lastq };

    *vcpu_id = lastq.last_vcpu_id;
    *priority = lastq.last_priority;
}

int liveupdate_fifo_set_lastq(const struct domain *d, struct evtchn *chn,
                              uint16_t vcpu_id, uint8_t priority)
{
    union evtchn_fifo_lastq lastq = {};

    if ( !domain_vcpu(d, vcpu_id) || priority >= NR_QUEUES )
        return -EINVAL;

    lastq.last_vcpu_id = vcpu_id;
    lastq.last_priority = priority;
    chn->fifo_lastq = lastq.raw;

    return 0;
}

/*
 * Source.
 */

static unsigned int nr_array_pages(const struct domain *d)
{
    return d->evtchn_fifo->num_evtchns / EVTCHN_FIFO_EVENT_WORDS_PER_PAGE;
}

static mfn_t mapped_mfn(const void *virt)
{
    return domain_page_map_to_mfn((void *)((unsigned long)virt & PAGE_MASK));
}

/* See map_guest_page(): one reference, as a writable page, for each mapping. */
static void cf_check evtchn_fifo_refs(struct domain *d)
{
    const struct vcpu *v;
    unsigned int i;

    if ( !d->evtchn_fifo )
        return;

    for ( i = 0; i < nr_array_pages(d); i++ )
        liveupdate_xen_ref(mapped_mfn(d->evtchn_fifo->event_array[i]), 1, 1);

    for_each_vcpu ( d, v )
        if ( v->evtchn_fifo && v->evtchn_fifo->control_block )
            liveupdate_xen_ref(mapped_mfn(v->evtchn_fifo->control_block), 1, 1);
}

static int save_array(struct lu_writer *w, const struct domain *d)
{
    struct lu_evtchn_fifo_entry *e;
    unsigned int i, nr = nr_array_pages(d);

    if ( !lu_record_begin(w, LU_REC_EVTCHN_FIFO, d->domain_id, 0) )
        return -ENOSPC;

    if ( nr )
    {
        e = lu_record_entries(w, nr);
        if ( !e )
            return -ENOSPC;
        for ( i = 0; i < nr; i++ )
            e[i].mfn = mfn_x(mapped_mfn(d->evtchn_fifo->event_array[i]));
    }

    lu_record_end(w);

    return 0;
}

static int save_queues(struct lu_writer *w, const struct vcpu *v)
{
    struct evtchn_fifo_vcpu *efv = v->evtchn_fifo;
    struct lu_evtchn_queues *rec;
    struct lu_evtchn_queues_entry *e;
    unsigned int i;

    if ( !efv || !efv->control_block )
        return 0;

    rec = lu_record_begin(w, LU_REC_EVTCHN_QUEUES, v->domain->domain_id,
                          v->vcpu_id);
    if ( !rec )
        return -ENOSPC;
    rec->control_mfn = mfn_x(mapped_mfn(efv->control_block));
    rec->control_offset = (unsigned long)efv->control_block & ~PAGE_MASK;

    e = lu_record_entries(w, NR_QUEUES);
    if ( !e )
        return -ENOSPC;
    for ( i = 0; i < NR_QUEUES; i++ )
    {
        if ( spin_is_locked(&efv->queue[i].lock) )
            return liveupdate_refuse(v->domain, -EBUSY,
                                     "an event is being queued to vCPU %u",
                                     v->vcpu_id);
        e[i].tail = efv->queue[i].tail;
    }

    lu_record_end(w);

    return 0;
}

static int cf_check evtchn_fifo_save(struct lu_writer *w, struct domain *d)
{
    const struct vcpu *v;
    int rc;

    ASSERT(!local_irq_is_enabled());

    if ( !d->evtchn_fifo )
        return 0;

    rc = save_array(w, d);
    for_each_vcpu ( d, v )
        if ( !rc )
            rc = save_queues(w, v);

    return rc;
}

/*
 * Target.
 */

static int plan_array(struct domain *d, const struct lu_record *r)
{
    unsigned int i;
    int rc = 0;

    if ( r->nr > EVTCHN_FIFO_MAX_EVENT_ARRAY_PAGES )
        return liveupdate_refuse(d, -ENOSPC, "an event array of %u pages", r->nr);

    for ( i = 0; !rc && i < r->nr; i++ )
    {
        struct lu_evtchn_fifo_entry e;
        void *virt = NULL;

        LU_ENTRY(r, i, &e);
        rc = liveupdate_map_page(d, e.mfn, "a page of the event array", &virt);
        d->evtchn_fifo->event_array[i] = virt;
        if ( !rc )
            d->evtchn_fifo->num_evtchns += EVTCHN_FIFO_EVENT_WORDS_PER_PAGE;
    }

    return rc;
}

static int plan_queues(struct vcpu *v)
{
    struct domain *d = v->domain;
    const struct lu_record *r = lu_record_find_vcpu(&liveupdate_stream,
                                                    LU_REC_EVTCHN_QUEUES,
                                                    d->domain_id, v->vcpu_id);
    struct lu_evtchn_queues rec;
    unsigned int i;
    void *virt;
    int rc;

    if ( !r )
        return 0;

    LU_FIXED(r, &rec);
    if ( r->nr != NR_QUEUES || (rec.control_offset & 7) ||
         rec.control_offset > PAGE_SIZE - sizeof(evtchn_fifo_control_block_t) )
        return liveupdate_refuse(d, -EINVAL,
                                 "vCPU %u: %u event queues, control block at %#x",
                                 v->vcpu_id, r->nr, rec.control_offset);

    rc = liveupdate_map_page(d, rec.control_mfn, "an event control block", &virt);
    if ( rc )
        return rc;
    v->evtchn_fifo->control_block = virt + rec.control_offset;

    for ( i = 0; i < NR_QUEUES; i++ )
    {
        struct lu_evtchn_queues_entry e;

        LU_ENTRY(r, i, &e);
        /* evtchn_fifo_set_pending() follows the tail unchecked. */
        if ( e.tail && !evtchn_fifo_word_from_port(d, e.tail) )
            return liveupdate_refuse(d, -EINVAL,
                                     "vCPU %u: queue %u ends in port %u, which has no event word",
                                     v->vcpu_id, i, e.tail);
        v->evtchn_fifo->queue[i].head = &v->evtchn_fifo->control_block->head[i];
        v->evtchn_fifo->queue[i].tail = e.tail;
    }

    return 0;
}

static int cf_check evtchn_fifo_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_EVTCHN_FIFO,
                                               d->domain_id);
    struct vcpu *v;
    int rc = 0;

    if ( !r )
        return 0;

    /* As evtchn_fifo_init_control() does for the first control block. */
    write_lock(&d->event_lock);

    for_each_vcpu ( d, v )
        rc = rc ?: setup_control_block(v);
    rc = rc ?: setup_event_array(d);
    rc = rc ?: plan_array(d, r);
    for_each_vcpu ( d, v )
        rc = rc ?: plan_queues(v);

    if ( !rc )
        d->evtchn_port_ops = &evtchn_port_ops_fifo;

    write_unlock(&d->event_lock);

    return rc;
}

const struct liveupdate_resource liveupdate_res_evtchn_fifo = {
    .name = "evtchn_fifo",
    .refs = evtchn_fifo_refs,
    .save = evtchn_fifo_save,
    .plan = evtchn_fifo_plan,
};
