/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "ioreq": device models of HVM domains.  Included by
 * xen/common/ioreq.c.
 *
 * A device model is a process in another domain.  It has pages in which vCPUs
 * leave requests, event channels to be told of them, and a list of what it
 * emulates; it goes on after the update as if nothing had been, with its
 * mappings of the pages and of the guest's memory, which are references of its
 * own domain.  Xen maps the pages as well.  They are either guest frames, taken
 * out of the guest's physmap while the device model is enabled, or were made by
 * Xen and belong to the guest without being in its physmap ("extra").  In both
 * cases the frame stays, and its content, and is one of resource "frames".
 *
 * Requests that are buffered wait in the ring; nobody waits for them.  A vCPU
 * whose request is not answered yet is in the middle of an instruction.  It
 * keeps waiting in the target: the request is in the page, and what the vCPU
 * does with the answer is either nothing, or the same instruction or port access
 * once more, which this time finds the answer where the request was.  The target
 * need not know that the vCPU is blocked: it looks for the answer when it is
 * scheduled, and blocks again.  quiesce() asks for another attempt only where
 * an instruction makes several accesses and has got answers to some.
 *
 * Carried: device models of HVM domains: their ids, pages, event channels, what
 * they emulate, requests under way.
 */

#include <xen/liveupdate.h>
#include <xen/rangeset.h>

#include <asm/hvm/domain.h>
#include <asm/hvm/emulate.h>
#include <asm/liveupdate-compat.h>

/*
 * Source.
 */

/* Has an instruction under emulation got data already that it would lose? */
static bool has_partial_data(const struct vcpu *v)
{
    const struct hvm_vcpu_io *hvio = &v->arch.hvm.hvm_io;
    unsigned int i;

    for ( i = 0; i < hvio->mmio_cache_count; i++ )
        if ( liveupdate_has_mmio_data(hvio, i) )
            return true;

    return false;
}

static int quiesce_vcpu(const struct vcpu *v)
{
    const struct vcpu_io *vio = &v->io;
    bool waits = vcpu_ioreq_pending((struct vcpu *)v);

    if ( !waits && (vio->req.state != STATE_IOREQ_NONE ||
                    vio->completion != VIO_no_completion) )
        return liveupdate_refuse(v->domain, -EBUSY,
                                 "vCPU %u is in the middle of an I/O instruction",
                                 v->vcpu_id);

    if ( waits && (has_partial_data(v) ||
                   v->arch.hvm.hvm_io.msix_unmask_address ||
                   v->arch.hvm.hvm_io.msix_snoop_address ||
                   (vio->completion != VIO_no_completion &&
                    vio->completion != VIO_mmio_completion &&
                    vio->completion != VIO_pio_completion)) )
        return liveupdate_refuse(v->domain, -EBUSY,
                                 "vCPU %u waits for a device model with an instruction half done",
                                 v->vcpu_id);

    return 0;
}

static int cf_check lu_ioreq_quiesce(struct domain *d)
{
    struct ioreq_server *s;
    const struct vcpu *v;
    unsigned int id;
    int rc = 0;

    if ( !is_hvm_domain(d) )
        return 0;

    if ( liveupdate_rspin_is_held(&d->ioreq_server.lock) )
        return liveupdate_refuse(d, -EBUSY, "its device models are changing");

    FOR_EACH_IOREQ_SERVER(d, id, s)
        if ( spin_is_locked(&s->lock) || spin_is_locked(&s->bufioreq_lock) )
            return liveupdate_refuse(d, -EBUSY, "device model %u is locked", id);

    for_each_vcpu ( d, v )
        rc = rc ?: quiesce_vcpu(v);

    return rc;
}

/* prepare_ring_for_helper(), ioreq_server_alloc_mfn() */
static void page_refs(const struct ioreq_page *iorp)
{
    if ( iorp->page )
        liveupdate_xen_ref(page_to_mfn(iorp->page), 1, 1);
}

static void cf_check lu_ioreq_refs(struct domain *d)
{
    const struct ioreq_server *s;
    unsigned int id;

    FOR_EACH_IOREQ_SERVER(d, id, s)
    {
        page_refs(&s->ioreq);
        page_refs(&s->bufioreq);
    }
}

static uint64_t page_mfn(const struct ioreq_page *iorp)
{
    return iorp->page ? mfn_x(page_to_mfn(iorp->page)) : LU_IOREQ_NONE;
}

static uint64_t page_gfn(const struct ioreq_page *iorp)
{
    return gfn_eq(iorp->gfn, INVALID_GFN) ? LU_IOREQ_NONE : gfn_x(iorp->gfn);
}

static int save_servers(struct lu_writer *w, const struct domain *d)
{
    struct lu_ioreq *rec = lu_record_begin(w, LU_REC_IOREQ, d->domain_id, 0);
    unsigned int id;

    if ( !rec )
        return -ENOSPC;

    rec->gfn_base = d->arch.hvm.ioreq_gfn.base;
    rec->gfn_free = d->arch.hvm.ioreq_gfn.mask;
    rec->legacy_free = d->arch.hvm.ioreq_gfn.legacy_mask >> HVM_PARAM_IOREQ_PFN;

    for ( id = 0; id < MAX_NR_IOREQ_SERVERS; id++ )
    {
        const struct ioreq_server *s = GET_IOREQ_SERVER(d, id);
        struct lu_ioreq_entry *e;

        if ( !s )
            continue;

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        e->sync_mfn = page_mfn(&s->ioreq);
        e->sync_gfn = page_gfn(&s->ioreq);
        e->buffered_mfn = page_mfn(&s->bufioreq);
        e->buffered_gfn = page_gfn(&s->bufioreq);
        e->buffered_port = HANDLE_BUFIOREQ(s) ? s->bufioreq_evtchn : 0;
        e->emulator = s->emulator->domain_id;
        e->id = id;
        e->flags = s->enabled ? LU_IOREQ_ENABLED : 0;
        e->buffered = s->bufioreq_handling;
    }
    lu_record_end(w);

    return 0;
}

struct save_range {
    struct lu_writer *w;
    unsigned int id, type;
};

static int cf_check save_range(unsigned long first, unsigned long last,
                               void *arg)
{
    const struct save_range *range = arg;
    struct lu_ioreq_ranges_entry *e = lu_record_entries(range->w, 1);

    if ( !e )
        return -ENOSPC;
    e->first = first;
    e->last = last;
    e->id = range->id;
    e->type = range->type;

    return 0;
}

static int save_ranges(struct lu_writer *w, const struct domain *d)
{
    struct save_range range = { .w = w };
    int rc = 0;

    if ( !lu_record_begin(w, LU_REC_IOREQ_RANGES, d->domain_id, 0) )
        return -ENOSPC;

    for ( range.id = 0; range.id < MAX_NR_IOREQ_SERVERS; range.id++ )
    {
        const struct ioreq_server *s = GET_IOREQ_SERVER(d, range.id);

        for ( range.type = 0; s && !rc && range.type < NR_IO_RANGE_TYPES;
              range.type++ )
            rc = rangeset_report_ranges(s->range[range.type], 0, ~0UL,
                                        save_range, &range);
    }
    if ( !rc )
        lu_record_end(w);

    return rc;
}

static void save_access(struct lu_ioreq_vcpu *rec, const struct vcpu *v)
{
    const struct hvm_vcpu_io *hvio = &v->arch.hvm.hvm_io;
    const ioreq_t *req = &v->io.req;

    rec->state = req->state;
    if ( req->state == STATE_IOREQ_NONE )
        return;

    rec->addr = req->addr;
    rec->data = req->data;
    rec->count = req->count;
    rec->size = req->size;
    rec->type = req->type;
    rec->flags |= (req->dir == IOREQ_READ ? LU_IOREQ_VCPU_READ : 0) |
                  (req->data_is_ptr ? LU_IOREQ_VCPU_POINTER : 0) |
                  (req->df ? LU_IOREQ_VCPU_DOWN : 0);

    switch ( v->io.completion )
    {
    case VIO_mmio_completion:
        rec->then = LU_IOREQ_THEN_EMULATE;
        BUILD_BUG_ON(sizeof(rec->insn) != sizeof(hvio->mmio_insn));
        rec->insn_len = hvio->mmio_insn_bytes;
        memcpy(rec->insn, hvio->mmio_insn, rec->insn_len);
        break;

    case VIO_pio_completion:
        rec->then = LU_IOREQ_THEN_PORT;
        break;

    default:
        rec->then = LU_IOREQ_THEN_RESUME;
        break;
    }
}

static int save_vcpu(struct lu_writer *w, const struct vcpu *v)
{
    const struct domain *d = v->domain;
    struct lu_ioreq_vcpu *rec = lu_record_begin(w, LU_REC_IOREQ_VCPU,
                                                d->domain_id, v->vcpu_id);
    const struct ioreq_server *s;
    unsigned int id;

    if ( !rec )
        return -ENOSPC;

    rec->flags = v->mapcache_invalidate ? LU_IOREQ_VCPU_MAPCACHE : 0;
    save_access(rec, v);

    FOR_EACH_IOREQ_SERVER(d, id, s)
    {
        const struct ioreq_vcpu *sv;

        list_for_each_entry ( sv, &s->ioreq_vcpu_list, list_entry )
        {
            struct lu_ioreq_vcpu_entry *e;

            if ( sv->vcpu != v )
                continue;

            e = lu_record_entries(w, 1);
            if ( !e )
                return -ENOSPC;
            e->port = sv->ioreq_evtchn;
            e->id = id;
            e->waits = sv->pending;
        }
    }
    lu_record_end(w);

    return 0;
}

static int cf_check lu_ioreq_save(struct lu_writer *w, struct domain *d)
{
    const struct vcpu *v;
    int rc;

    if ( !is_hvm_domain(d) )
        return 0;

    rc = save_servers(w, d) ?: save_ranges(w, d);
    for_each_vcpu ( d, v )
        rc = rc ?: save_vcpu(w, v);

    return rc;
}

/*
 * Target.
 */

/* What prepare_ring_for_helper() and ioreq_server_alloc_mfn() do, with no p2m. */
static int plan_page(struct domain *d, struct ioreq_page *iorp, uint64_t mfn,
                     uint64_t gfn)
{
    int rc;

    iorp->gfn = gfn == LU_IOREQ_NONE ? INVALID_GFN : _gfn(gfn);
    if ( mfn == LU_IOREQ_NONE )
        return 0;

    rc = liveupdate_map_page(d, mfn, "a device model's page", &iorp->va);
    if ( !rc )
        iorp->page = mfn_to_page(_mfn(mfn));

    return rc;
}

/* A port that Xen has, for device models. */
static int check_port(const struct domain *d, unsigned int port)
{
    const struct evtchn *chn = port_is_valid(d, port)
                               ? evtchn_from_port(d, port) : NULL;

    return chn && chn->xen_consumer
           ? 0
           : liveupdate_refuse(d, -EINVAL, "port %u is not for a device model",
                               port);
}

static int plan_server(struct domain *d, const struct lu_ioreq_entry *e)
{
    struct ioreq_server *s;
    int rc;

    if ( e->id >= MAX_NR_IOREQ_SERVERS || GET_IOREQ_SERVER(d, e->id) ||
         (e->flags & ~LU_IOREQ_ALL) ||
         e->buffered > HVM_IOREQSRV_BUFIOREQ_ATOMIC )
        return liveupdate_refuse(d, -EINVAL, "device model %u (%#x, %u)", e->id,
                                 e->flags, e->buffered);

    s = xzalloc(struct ioreq_server);
    if ( !s )
        return -ENOMEM;

    /* As ioreq_server_init() does it. */
    s->target = d;
    s->emulator = get_domain_by_id(e->emulator);
    if ( !s->emulator )
    {
        xfree(s);
        return liveupdate_refuse(d, -ESRCH, "device model %u: no domain %u",
                                 e->id, e->emulator);
    }
    spin_lock_init(&s->lock);
    INIT_LIST_HEAD(&s->ioreq_vcpu_list);
    spin_lock_init(&s->bufioreq_lock);
    s->bufioreq_handling = e->buffered;
    s->bufioreq_evtchn = e->buffered_port;
    /* Its pages have left the physmap already: no ioreq_server_enable(). */
    s->enabled = e->flags & LU_IOREQ_ENABLED;
    set_ioreq_server(d, e->id, s);

    rc = ioreq_server_alloc_rangesets(s, e->id) ?:
         plan_page(d, &s->ioreq, e->sync_mfn, e->sync_gfn) ?:
         plan_page(d, &s->bufioreq, e->buffered_mfn, e->buffered_gfn);
    if ( !rc && HANDLE_BUFIOREQ(s) )
        rc = check_port(d, s->bufioreq_evtchn);

    return rc;
}

static int plan_ranges(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_IOREQ_RANGES,
                                               d->domain_id);
    unsigned int i;

    if ( !r )
        return liveupdate_refuse(d, -ENODATA,
                                 "nothing says what device models emulate");

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_ioreq_ranges_entry e;
        struct ioreq_server *s;
        int rc = -EINVAL;

        LU_ENTRY(r, i, &e);
        s = get_ioreq_server(d, e.id);
        if ( s && e.type < NR_IO_RANGE_TYPES && e.first <= e.last )
            rc = rangeset_add_range(s->range[e.type], e.first, e.last);
        if ( rc )
            return liveupdate_refuse(d, rc,
                                     "device model %u: range %#"PRIx64"-%#"PRIx64" of type %u",
                                     e.id, e.first, e.last, e.type);
    }

    return 0;
}

static int plan_access(struct vcpu *v, const struct lu_ioreq_vcpu *rec)
{
    static const enum vio_completion completions[] = {
        [LU_IOREQ_THEN_RESUME]  = VIO_no_completion,
        [LU_IOREQ_THEN_EMULATE] = VIO_mmio_completion,
        [LU_IOREQ_THEN_PORT]    = VIO_pio_completion,
    };
    struct hvm_vcpu_io *hvio = &v->arch.hvm.hvm_io;

    if ( (rec->flags & ~LU_IOREQ_VCPU_ALL) ||
         rec->state > STATE_IORESP_READY ||
         rec->then >= ARRAY_SIZE(completions) ||
         rec->insn_len > sizeof(hvio->mmio_insn) ||
         (rec->state == STATE_IOREQ_NONE && rec->then != LU_IOREQ_THEN_RESUME) )
        return liveupdate_refuse(v->domain, -EOPNOTSUPP,
                                 "vCPU %u: access in state %u, then %u (%#x)",
                                 v->vcpu_id, rec->state, rec->then, rec->flags);

    v->mapcache_invalidate = rec->flags & LU_IOREQ_VCPU_MAPCACHE;
    v->io.completion = completions[rec->then];
    v->io.req = (ioreq_t){
        .addr = rec->addr,
        .data = rec->data,
        .count = rec->count,
        .size = rec->size,
        .type = rec->type,
        .state = rec->state,
        .dir = rec->flags & LU_IOREQ_VCPU_READ ? IOREQ_READ : IOREQ_WRITE,
        .data_is_ptr = !!(rec->flags & LU_IOREQ_VCPU_POINTER),
        .df = !!(rec->flags & LU_IOREQ_VCPU_DOWN),
    };

    if ( rec->then == LU_IOREQ_THEN_EMULATE )
    {
        hvio->mmio_insn_bytes = rec->insn_len;
        memcpy(hvio->mmio_insn, rec->insn, rec->insn_len);
        /* On, and empty: what the instruction has read is read again. */
        hvmemul_cache_restore(v, 0);
    }

    return 0;
}

static int plan_vcpu(struct vcpu *v)
{
    struct domain *d = v->domain;
    const struct lu_record *r = lu_record_find_vcpu(&liveupdate_stream,
                                                    LU_REC_IOREQ_VCPU,
                                                    d->domain_id, v->vcpu_id);
    struct lu_ioreq_vcpu rec;
    unsigned int i;
    int rc;

    if ( !r )
        return liveupdate_refuse(d, -ENODATA,
                                 "vCPU %u has no ports to device models",
                                 v->vcpu_id);
    LU_FIXED(r, &rec);
    rc = plan_access(v, &rec);
    if ( rc )
        return rc;

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_ioreq_vcpu_entry e;
        struct ioreq_server *s;
        struct ioreq_vcpu *sv;

        LU_ENTRY(r, i, &e);
        s = get_ioreq_server(d, e.id);
        if ( !s || (e.waits && !s->ioreq.va) )
            return liveupdate_refuse(d, -EINVAL, "vCPU %u: no device model %u",
                                     v->vcpu_id, e.id);
        rc = check_port(d, e.port);
        if ( rc )
            return rc;

        sv = xzalloc(struct ioreq_vcpu);
        if ( !sv )
            return -ENOMEM;
        sv->vcpu = v;
        sv->ioreq_evtchn = e.port;
        sv->pending = e.waits;
        /* As vcpu_start_shutdown_deferral(): until it has its answer. */
        if ( e.waits )
            v->defer_shutdown = 1;
        list_add(&sv->list_entry, &s->ioreq_vcpu_list);
    }

    return 0;
}

static int cf_check lu_ioreq_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_IOREQ, d->domain_id);
    struct lu_ioreq rec;
    struct vcpu *v;
    unsigned int i;
    int rc = 0;

    if ( !is_hvm_domain(d) != !r )
        return liveupdate_refuse(d, -EINVAL,
                                 "its device models do not match its kind");
    if ( !r )
        return 0;

    LU_FIXED(r, &rec);
    d->arch.hvm.ioreq_gfn.base = rec.gfn_base;
    d->arch.hvm.ioreq_gfn.mask = rec.gfn_free;
    d->arch.hvm.ioreq_gfn.legacy_mask = (rec.legacy_free & 3) << HVM_PARAM_IOREQ_PFN;

    for ( i = 0; !rc && i < r->nr; i++ )
    {
        struct lu_ioreq_entry e;

        LU_ENTRY(r, i, &e);
        rc = plan_server(d, &e);
    }

    rc = rc ?: plan_ranges(d);
    for_each_vcpu ( d, v )
        rc = rc ?: plan_vcpu(v);

    return rc;
}

const struct liveupdate_resource liveupdate_res_ioreq = {
    .name = "ioreq",
    .quiesce = lu_ioreq_quiesce,
    .refs = lu_ioreq_refs,
    .save = lu_ioreq_save,
    .plan = lu_ioreq_plan,
};
