/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "grant": what a domain lends to others, and what it has
 * borrowed.  Included by xen/common/grant_table.c.
 *
 * The frames of the table (grant entries, and status words of version 2) are
 * Xen's, shared with the domain, and stay where they are; grant_table_init()
 * allocates none in a live update.  That they belong to the domain, and how
 * often they are referred to, is the business of "frames", and so are the
 * references that a mapping holds on the frame that is lent.
 *
 * Two things are known to Xen alone.  The granter's active entries say what is
 * lent right now and cannot be read from the table any more: the guest may have
 * overwritten the entry since.  The grantee's maptrack says which handle stands
 * for which grant; handles are in the hands of the guest and keep their value.
 * Which free handle comes next is nobody's business, but a free list that was
 * in use must not become empty: see put_maptrack_handle().
 *
 * Each side of a mapping is restored with its own domain.  The source has
 * compared them: both sides are at rest while vCPUs are stopped, as no grant
 * table operation keeps a lock, or the pin of a copy, across a continuation.
 *
 * Carried: grant tables of version 1 and 2, their frames in place; active
 * grants, mappings under their handles.
 */

#include <xen/liveupdate.h>

void liveupdate_grant_limits(const struct domain *d,
                             unsigned int *max_grant_frames,
                             unsigned int *max_maptrack_frames,
                             unsigned int *max_version)
{
    const struct grant_table *gt = d->grant_table;

    *max_grant_frames = gt->max_grant_frames;
    *max_maptrack_frames = gt->max_maptrack_frames;
    *max_version = gt->max_version;
}

/*
 * Source.
 */

static struct grant_mapping *mapping(const struct grant_table *gt,
                                     grant_handle_t handle)
{
    struct grant_mapping *page = gt->maptrack[handle / MAPTRACK_PER_PAGE];

    return &page[handle % MAPTRACK_PER_PAGE];
}

static int estimate_grants(struct grant_table *gt, unsigned long *position,
                           uint64_t *bytes)
{
    int rc = 0;

    grant_read_lock(gt);
    for ( ; !rc && *position < nr_grant_entries(gt); ++*position )
    {
        if ( read_atomic(&_active_entry(gt, *position).pin) )
            *bytes += sizeof(struct lu_grant_active_entry);
        if ( liveupdate_slice_over(1) )
            rc = -ERESTART;
    }
    grant_read_unlock(gt);

    return rc;
}

static int estimate_mappings(struct grant_table *gt, unsigned long *position,
                             uint64_t *bytes)
{
    /* See get_maptrack_handle(): a page is there before its handles are. */
    unsigned int limit = read_atomic(&gt->maptrack_limit);

    smp_rmb();
    while ( *position < limit )
    {
        /* At worst a free handle of another vCPU follows each mapping. */
        if ( read_atomic(&mapping(gt, *position)->flags) )
            *bytes += 2 * sizeof(struct lu_grant_maps_entry);
        ++*position;
        if ( liveupdate_slice_over(1) )
            return -ERESTART;
    }

    return 0;
}

int liveupdate_grant_estimate(const struct domain *d, unsigned int part,
                              unsigned long *position, uint64_t *bytes)
{
    return part ? estimate_mappings(d->grant_table, position, bytes)
                : estimate_grants(d->grant_table, position, bytes);
}

uint64_t liveupdate_grant_frames(unsigned int nr_frames, uint64_t nr_handles)
{
    return num_act_frames_from_sha_frames(nr_frames) +
           DIV_ROUND_UP(nr_handles, MAPTRACK_PER_PAGE);
}

uint64_t liveupdate_grant_frames_of(const struct domain *d)
{
    const struct grant_table *gt = d->grant_table;

    return liveupdate_grant_frames(read_atomic(&gt->nr_grant_frames),
                                   read_atomic(&gt->maptrack_limit));
}

static int cf_check grant_check(struct domain *d)
{
    const struct grant_table *gt = d->grant_table;
    unsigned int version = read_atomic(&gt->gt_version);

    if ( version != 1 && version != 2 )
        return liveupdate_refuse(d, -EOPNOTSUPP, "a grant table of version %u",
                                 version);

    return 0;
}

/*
 * An active entry is locked only under the table's lock, which is taken for
 * reading by naming it in a per-CPU variable, and for real if that is in use.
 */
static int cf_check grant_quiesce(struct domain *d)
{
    struct grant_table *gt = d->grant_table;
    struct vcpu *v;
    unsigned int cpu;
    bool busy = rw_is_locked(&gt->lock.rwlock) || gt->lock.writer_activating ||
                spin_is_locked(&gt->maptrack_lock);

    for_each_online_cpu ( cpu )
        if ( per_cpu(grant_rwlock, cpu) == &gt->lock )
            busy = true;

    for_each_vcpu ( d, v )
        if ( spin_is_locked(&v->maptrack_freelist_lock) )
            busy = true;

    return !busy ? 0
                 : liveupdate_refuse(d, -EBUSY, "its grant table is in use");
}

static int save_table(struct lu_writer *w, const struct domain *d)
{
    const struct grant_table *gt = d->grant_table;
    struct lu_grant *rec = lu_record_begin(w, LU_REC_GRANT, d->domain_id, 0);
    struct lu_grant_entry *e;
    unsigned int i;

    if ( !rec )
        return -ENOSPC;
    rec->version = gt->gt_version;
    rec->nr_frames = nr_grant_frames(gt);
    rec->nr_status = nr_status_frames(gt);

    e = lu_record_entries(w, rec->nr_frames + rec->nr_status);
    if ( !e )
        return -ENOSPC;
    for ( i = 0; i < rec->nr_frames; i++ )
        e++->mfn = virt_to_mfn(gt->shared_raw[i]);
    for ( i = 0; i < rec->nr_status; i++ )
        e++->mfn = virt_to_mfn(gt->status[i]);

    lu_record_end(w);

    return 0;
}

static unsigned int pin_count(uint32_t pin, unsigned int shift)
{
    return (pin >> shift) & GNTPIN_cntr_mask;
}

static int save_active(struct lu_writer *w, const struct domain *d)
{
    struct grant_table *gt = d->grant_table;
    unsigned int ref, nr_refs = nr_grant_entries(gt);

    if ( !lu_record_begin(w, LU_REC_GRANT_ACTIVE, d->domain_id, 0) )
        return -ENOSPC;

    for ( ref = 0; ref < nr_refs; ref++ )
    {
        const struct active_grant_entry *act = &_active_entry(gt, ref);
        struct lu_grant_active_entry *e;

        if ( !act->pin )
            continue;

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        *e = (struct lu_grant_active_entry){
            .mfn = mfn_x(act->mfn),
            .ref = ref,
            .trans_ref = act->trans_gref,
            .trans_domid = liveupdate_grant_src(act),
            .domid = act->domid,
            .start = act->start,
            .length = act->length,
            .host_write = pin_count(act->pin, GNTPIN_hstw_shift),
            .host_read = pin_count(act->pin, GNTPIN_hstr_shift),
            .dev_write = pin_count(act->pin, GNTPIN_devw_shift),
            .dev_read = pin_count(act->pin, GNTPIN_devr_shift),
            .flags = act->is_sub_page ? LU_GRANT_SUB_PAGE : 0,
        };
    }

    lu_record_end(w);

    return 0;
}

/* Does the granter know of it? */
static bool mapping_agrees(const struct domain *d,
                           const struct grant_mapping *mt)
{
    struct domain *rd = rcu_lock_domain_by_id(mt->domid);
    const struct active_grant_entry *act;
    bool ro = mt->flags & GNTMAP_readonly, ok = false;

    /*
     * A grantee that drops its page tables without unmapping keeps the handle,
     * even beyond the death of the granter; see unmap_common().
     */
    if ( !rd )
        return true;

    if ( mt->ref < nr_grant_entries(rd->grant_table) )
    {
        act = &_active_entry(rd->grant_table, mt->ref);
        ok = act->domid == d->domain_id &&
             (!(mt->flags & GNTMAP_host_map) ||
              (act->pin & (ro ? GNTPIN_hstr_mask : GNTPIN_hstw_mask))) &&
             (!(mt->flags & GNTMAP_device_map) ||
              (act->pin & (ro ? GNTPIN_devr_mask : GNTPIN_devw_mask)));
    }

    rcu_unlock_domain(rd);

    return ok;
}

/* Run by the source, and by the target once all domains have their grants. */
static int check_mappings(const struct domain *d)
{
    const struct grant_table *gt = d->grant_table;
    grant_handle_t handle;

    for ( handle = 0; handle < gt->maptrack_limit; handle++ )
    {
        const struct grant_mapping *mt = mapping(gt, handle);
        const struct vcpu *v = domain_vcpu(d, mt->vcpu);

        if ( !v )
            return liveupdate_refuse(d, -EINVAL,
                                     "grant handle %#x belongs to vCPU %u, which does not exist",
                                     handle, mt->vcpu);

        if ( !mt->flags )
            continue;

        if ( v->maptrack_tail == MAPTRACK_TAIL )
            return liveupdate_refuse(d, -EINVAL,
                                     "grant handle %#x belongs to vCPU %u, which has no free list",
                                     handle, mt->vcpu);

        if ( !mapping_agrees(d, mt) )
            return liveupdate_refuse(d, -EINVAL,
                                     "grant handle %#x does not match d%u grant %#x",
                                     handle, mt->domid, mt->ref);
    }

    return 0;
}

static int save_maps(struct lu_writer *w, const struct domain *d)
{
    const struct grant_table *gt = d->grant_table;
    struct lu_grant_maps *rec = lu_record_begin(w, LU_REC_GRANT_MAPS,
                                                d->domain_id, 0);
    struct lu_grant_maps_entry *e = NULL;
    grant_handle_t handle;

    if ( !rec )
        return -ENOSPC;
    rec->nr_handles = gt->maptrack_limit;

    for ( handle = 0; handle < gt->maptrack_limit; handle++ )
    {
        const struct grant_mapping *mt = mapping(gt, handle);

        if ( !mt->flags && e && !e->flags && e->vcpu == mt->vcpu )
        {
            e->nr++;
            continue;
        }

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        e->handle = handle;
        e->nr = 1;
        e->vcpu = mt->vcpu;
        if ( mt->flags )
        {
            e->ref = mt->ref;
            e->domid = mt->domid;
            e->flags = mt->flags;
        }
    }

    lu_record_end(w);

    return 0;
}

static int cf_check grant_save(struct lu_writer *w, struct domain *d)
{
    return check_mappings(d) ?: save_table(w, d) ?: save_active(w, d) ?:
           save_maps(w, d);
}

/*
 * Target.
 */

static int alloc_active(struct grant_table *gt, unsigned int nr_frames)
{
    unsigned int i, j;

    ASSERT(!nr_grant_frames(gt));

    for ( i = 0; i < num_act_frames_from_sha_frames(nr_frames); i++ )
    {
        gt->active[i] = alloc_xenheap_page();
        if ( !gt->active[i] )
            return -ENOMEM;
        clear_page(gt->active[i]);
        for ( j = 0; j < ACGNT_PER_PAGE; j++ )
            spin_lock_init(&gt->active[i][j].lock);
    }

    return 0;
}

static int adopt_frame(const struct domain *d, const struct lu_record *r,
                       unsigned int i, void **virt)
{
    struct lu_grant_entry e;

    LU_ENTRY(r, i, &e);
    if ( !mfn_valid(_mfn(e.mfn)) ||
         page_get_owner(mfn_to_page(_mfn(e.mfn))) != d ||
         !is_xen_heap_mfn(_mfn(e.mfn)) )
        return liveupdate_refuse(d, -EINVAL,
                                 "frame %#"PRIx64" is no frame of a grant table",
                                 e.mfn);

    *virt = mfn_to_virt(e.mfn);

    return 0;
}

static int plan_table(struct domain *d, const struct lu_record *r)
{
    struct grant_table *gt = d->grant_table;
    struct lu_grant rec;
    unsigned int i, nr_status;
    void *virt;
    int rc;

    LU_FIXED(r, &rec);

    if ( !rec.version || rec.version > gt->max_version ||
         rec.nr_frames < INITIAL_NR_GRANT_FRAMES ||
         rec.nr_frames > gt->max_grant_frames )
        return liveupdate_refuse(d, -EINVAL,
                                 "a grant table of version %u with %u frames",
                                 rec.version, rec.nr_frames);

    nr_status = rec.version > 1 ? grant_to_status_frames(rec.nr_frames) : 0;
    if ( rec.nr_status != nr_status || r->nr != rec.nr_frames + nr_status )
        return liveupdate_refuse(d, -EINVAL,
                                 "%u status frames for %u grant frames",
                                 rec.nr_status, rec.nr_frames);

    rc = alloc_active(gt, rec.nr_frames);
    for ( i = 0; !rc && i < rec.nr_frames; i++ )
        rc = adopt_frame(d, r, i, &gt->shared_raw[i]);
    for ( i = 0; !rc && i < nr_status; i++ )
    {
        rc = adopt_frame(d, r, rec.nr_frames + i, &virt);
        if ( !rc )
            gt->status[i] = virt;
    }
    if ( rc )
        return rc;

    gt->gt_version = rec.version;
    gt->nr_grant_frames = rec.nr_frames;
    gt->nr_status_frames = nr_status;

    return 0;
}

static int plan_active(struct domain *d, const struct lu_record *r)
{
    struct grant_table *gt = d->grant_table;
    unsigned int i, nr_refs = nr_grant_entries(gt);

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_grant_active_entry e;
        struct active_grant_entry *act;
        struct domain *td;

        LU_ENTRY(r, i, &e);
        td = rcu_lock_domain_by_id(e.trans_domid);
        if ( td )
            rcu_unlock_domain(td);

        act = e.ref < nr_refs ? &_active_entry(gt, e.ref) : NULL;
        if ( !td || !act || act->pin || (e.flags & ~LU_GRANT_FLAGS_ALL) ||
             e.start > PAGE_SIZE || e.length > PAGE_SIZE )
            return liveupdate_refuse(d, -EINVAL,
                                     "active grant %#x (of d%u, [%#x, +%#x), flags %#x)",
                                     e.ref, e.trans_domid, e.start, e.length,
                                     e.flags);

        act->pin = (e.host_write << GNTPIN_hstw_shift) |
                   (e.host_read << GNTPIN_hstr_shift) |
                   (e.dev_write << GNTPIN_devw_shift) |
                   ((uint32_t)e.dev_read << GNTPIN_devr_shift);
        act->domid = e.domid;
        act->start = e.start;
        act->length = e.length;
        act->is_sub_page = e.flags & LU_GRANT_SUB_PAGE;
        liveupdate_set_grant_src(act, td);
        act->trans_gref = e.trans_ref;
        act->mfn = _mfn(e.mfn);
        act_set_gfn(act, td == d ? mfn_to_gfn(d, act->mfn) : INVALID_GFN);
    }

    return 0;
}

static int alloc_maptrack(struct grant_table *gt, uint64_t nr_handles)
{
    uint64_t nr = DIV_ROUND_UP(nr_handles, MAPTRACK_PER_PAGE);

    if ( nr > gt->max_maptrack_frames )
        return -ENOSPC;

    while ( nr_maptrack_frames(gt) < nr )
    {
        struct grant_mapping *page = alloc_xenheap_page();

        if ( !page )
            return -ENOMEM;
        clear_page(page);
        gt->maptrack[nr_maptrack_frames(gt)] = page;
        gt->maptrack_limit += MAPTRACK_PER_PAGE;
    }

    return 0;
}

/* Appends @nr handles to the free list of @v. */
static void add_free(struct grant_table *gt, struct vcpu *v,
                     grant_handle_t handle, unsigned int nr)
{
    for ( ; nr--; handle++ )
    {
        struct grant_mapping *mt = mapping(gt, handle);

        mt->vcpu = v->vcpu_id;
        mt->ref = MAPTRACK_TAIL;
        if ( v->maptrack_tail == MAPTRACK_TAIL )
            v->maptrack_head = handle;
        else
            mapping(gt, v->maptrack_tail)->ref = handle;
        v->maptrack_tail = handle;
    }
}

static int plan_maps(struct domain *d, const struct lu_record *r)
{
    struct grant_table *gt = d->grant_table;
    struct lu_grant_maps rec;
    uint64_t handle = 0;
    unsigned int i;
    int rc;

    LU_FIXED(r, &rec);
    rc = alloc_maptrack(gt, rec.nr_handles);
    if ( rc )
        return liveupdate_refuse(d, rc, "%"PRIu64" grant handles, limit %u frames",
                                 rec.nr_handles, gt->max_maptrack_frames);

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_grant_maps_entry e;
        struct grant_mapping *mt;
        struct vcpu *v;

        LU_ENTRY(r, i, &e);
        v = domain_vcpu(d, e.vcpu);
        if ( !v || e.handle != handle || !e.nr || (e.flags && e.nr != 1) ||
             e.nr > rec.nr_handles - handle )
            return liveupdate_refuse(d, -EINVAL,
                                     "grant handles %#x + %u (vCPU %u, flags %#x)",
                                     e.handle, e.nr, e.vcpu, e.flags);
        handle += e.nr;

        if ( !e.flags )
        {
            add_free(gt, v, e.handle, e.nr);
            continue;
        }

        mt = mapping(gt, e.handle);
        mt->ref = e.ref;
        mt->domid = e.domid;
        mt->vcpu = e.vcpu;
        mt->flags = e.flags;
    }

    if ( handle != rec.nr_handles )
        return liveupdate_refuse(d, -EINVAL,
                                 "%"PRIu64" grant handles of %"PRIu64,
                                 handle, rec.nr_handles);

    /* What this Xen's pages hold beyond those of the source. */
    if ( gt->maptrack_limit > handle )
        add_free(gt, d->vcpu[0], handle, gt->maptrack_limit - handle);

    return 0;
}

/*
 * Who has grants mapped for its devices as well counts, for each frame, how
 * often.  The mappings themselves are there: see "io_tables".
 */
static int count_io_mappings(struct domain *d)
{
    struct grant_table *gt = d->grant_table;
    grant_handle_t handle;

    if ( !gnttab_need_iommu_mapping(d) )
        return 0;

    for ( handle = 0; handle < gt->maptrack_limit; handle++ )
    {
        const struct grant_mapping *mt = mapping(gt, handle);
        union maptrack_node node = {};
        struct domain *rd;
        unsigned long mfn;
        void **slot;
        int rc = 0;

        if ( !mt->flags || mt->domid == d->domain_id )
            continue;

        /* See mapping_agrees(): one that nobody will ever unmap. */
        rd = rcu_lock_domain_by_id(mt->domid);
        if ( !rd )
            continue;
        mfn = mfn_x(_active_entry(rd->grant_table, mt->ref).mfn);
        rcu_unlock_domain(rd);

        slot = radix_tree_lookup_slot(&gt->maptrack_tree, mfn);
        if ( slot )
            node.raw = radix_tree_ptr_to_ulong(*slot);
        if ( mt->flags & GNTMAP_readonly )
            node.cnt.rd++;
        else
            node.cnt.wr++;

        if ( slot )
            radix_tree_replace_slot(slot, radix_tree_ulong_to_ptr(node.raw));
        else
            rc = radix_tree_insert(&gt->maptrack_tree, mfn,
                                   radix_tree_ulong_to_ptr(node.raw));
        if ( rc )
            return rc;
    }

    return 0;
}

static const struct lu_record *find(const struct domain *d,
                                    enum lu_record_type type)
{
    return lu_record_find(&liveupdate_stream, NULL, type, d->domain_id);
}

static int cf_check grant_plan(struct domain *d)
{
    const struct lu_record *table = find(d, LU_REC_GRANT);
    const struct lu_record *active = find(d, LU_REC_GRANT_ACTIVE);
    const struct lu_record *maps = find(d, LU_REC_GRANT_MAPS);
    int rc;

    if ( !table || !active || !maps )
        return liveupdate_refuse(d, -ENOENT, "no grant table in the stream");

    grant_write_lock(d->grant_table);
    rc = plan_table(d, table) ?: plan_active(d, active) ?: plan_maps(d, maps);
    grant_write_unlock(d->grant_table);

    /* The last domain: now both sides of all mappings are there. */
    if ( !rc && !d->next_in_list )
        for_each_domain ( d )
            rc = rc ?: check_mappings(d) ?: count_io_mappings(d);

    return rc;
}

const struct liveupdate_resource liveupdate_res_grant = {
    .name = "grant",
    .check = grant_check,
    .quiesce = grant_quiesce,
    .save = grant_save,
    .plan = grant_plan,
};
