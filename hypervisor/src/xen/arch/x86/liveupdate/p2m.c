/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "p2m": the physmap of translated (HVM and PVH) domains.
 *
 * The source walks the p2m and writes down extents; the tables themselves, and
 * the pool that they come from, are its own memory and are left behind.  The
 * target makes a pool of the same size and enters the extents anew, with
 * superpages where there were some.  The other direction, the M2P, stays where
 * it is.
 *
 * Log-dirty types are written down as plain memory.  They are there for the
 * display of a device model, which asks for a range of frames to be tracked:
 * the target knows of no such range, and answers the next question as it
 * answers a first one, with "all of it is dirty".
 *
 * The page that VMX uses as a stand-in for the local APIC's registers has no
 * content: the target has made another one when it created the domain, and
 * enters it as it would when a toolstack lets a new domain go.  See
 * liveupdate_apic_page().
 *
 * Carried: the physmap of HVM and PVH domains with hardware assisted paging:
 * memory, grants and device registers, superpages as such; the size of the pool
 * for its tables.
 */

#include <xen/iommu.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/softirq.h>

#include <asm/altp2m.h>
#include <asm/apicdef.h>
#include <asm/liveupdate-compat.h>
#include <asm/p2m.h>
#include <asm/paging.h>

#include "../mm/mm-locks.h"

static const unsigned int stream_types[] = {
    [p2m_ram_rw]       = LU_P2M_RAM_RW,
    [p2m_ram_logdirty] = LU_P2M_RAM_RW,
    [p2m_ram_ro]       = LU_P2M_RAM_RO,
    [p2m_mmio_direct]  = LU_P2M_MMIO_DIRECT,
    [p2m_grant_map_rw] = LU_P2M_GRANT_RW,
    [p2m_grant_map_ro] = LU_P2M_GRANT_RO,
};

const struct page_info *liveupdate_apic_page(const struct domain *d)
{
    if ( !is_hvm_domain(d) || !cpu_has_vmx ||
         !mfn_x(d->arch.hvm.vmx.apic_access_mfn) )
        return NULL;

    return mfn_to_page(d->arch.hvm.vmx.apic_access_mfn);
}

/* Frames of the pool of @d, in use or not. */
unsigned long liveupdate_p2m_pool(const struct domain *d)
{
    return is_hvm_domain(d) ? liveupdate_pool(d)->total_pages +
                              liveupdate_pool(d)->p2m_pages : 0;
}

struct kind {
    p2m_type_t t;
    p2m_access_t a;
};

/* Why memory of this kind cannot be carried, or NULL. */
static const char *reason_against(struct kind k)
{
    if ( k.t == p2m_populate_on_demand )
        return "has memory to be populated on demand (PoD)";
    if ( p2m_is_foreign(k.t) )
        return "maps memory of another domain";
    if ( k.t >= ARRAY_SIZE(stream_types) || !stream_types[k.t] )
        return "has shared, paged out, broken or intercepted memory";
    if ( k.a != p2m_access_rwx )
        return "has memory with restricted access (mem_access)";

    return NULL;
}

static bool joins(const struct lu_p2m_entry *a, const struct lu_p2m_entry *b)
{
    return a->gfn + a->nr == b->gfn && a->mfn + a->nr == b->mfn &&
           a->type == b->type && a->order == b->order &&
           (uint64_t)a->nr + b->nr <= UINT32_MAX;
}

/*
 * The last gfn that can be in tables of four levels, which are all that there
 * are.  A guest can have had a higher one entered: p2m_find_entry() looks at 32
 * bits of an index only, so that 1UL << 59 is where 0 is, and max_mapped_pfn
 * says 1UL << 59.  A walk up to there does not end.
 */
static unsigned long last_gfn(const struct p2m_domain *p2m)
{
    return min(p2m->max_mapped_pfn, (1UL << (4 * PAGETABLE_ORDER)) - 1);
}

/* What looking up a gfn counts, in liveupdate_slice_over(). */
#define LOOKUP_WORK 8

/*
 * Calls @fn for each extent of @d, in ascending order.  Ends with -EOPNOTSUPP at
 * memory that cannot be carried, which is @last then.  While domains run, with
 * -ERESTART where a slice is over; *@next is the gfn to go on from, an extent is
 * two if it lies in the middle of one.
 */
static int for_each_extent(struct domain *d,
                           int (*fn)(const struct lu_p2m_entry *e, void *arg),
                           void *arg, struct kind *last, unsigned long *next)
{
    const struct page_info *apic_page = liveupdate_apic_page(d);
    struct p2m_domain *p2m = p2m_get_hostp2m(d);
    struct lu_p2m_entry cur = {};
    unsigned long gfn;
    int rc;

    while ( (gfn = *next) <= last_gfn(p2m) )
    {
        struct lu_p2m_entry e;
        unsigned int order;
        unsigned long step;
        mfn_t mfn;

        if ( liveupdate_slice_over(LOOKUP_WORK) )
            return (cur.nr ? fn(&cur, arg) : 0) ?: -ERESTART;

        mfn = p2m->get_entry(p2m, _gfn(gfn), &last->t, &last->a, 0, &order,
                             NULL);
        step = 1UL << order;
        *next = (gfn | (step - 1)) + 1;
        if ( last->t == p2m_mmio_dm || last->t == p2m_invalid ||
             (apic_page && mfn_eq(mfn, page_to_mfn(apic_page))) )
            continue;

        if ( reason_against(*last) )
            return -EOPNOTSUPP;
        e = (struct lu_p2m_entry){
            .gfn = gfn,
            .mfn = mfn_x(mfn),
            .nr = step,
            .type = stream_types[last->t],
            .order = order,
        };

        if ( cur.nr && joins(&cur, &e) )
        {
            cur.nr += e.nr;
            continue;
        }
        if ( cur.nr && (rc = fn(&cur, arg)) )
            return rc;
        cur = e;
    }

    return cur.nr ? fn(&cur, arg) : 0;
}

static int cf_check count_extent(const struct lu_p2m_entry *e, void *arg)
{
    *(uint64_t *)arg += sizeof(*e);

    return 0;
}

int liveupdate_p2m_estimate(struct domain *d, unsigned long *position,
                            uint64_t *bytes)
{
    struct kind last;
    int rc;

    if ( !paging_mode_translate(d) )
        return 0;

    p2m_read_lock(p2m_get_hostp2m(d));
    rc = for_each_extent(d, count_extent, bytes, &last, position);
    p2m_read_unlock(p2m_get_hostp2m(d));

    /* What cannot be carried p2m_check() tells. */
    return rc == -ERESTART ? rc : 0;
}

static int cf_check p2m_check(struct domain *d)
{
    struct p2m_domain *p2m;
    struct kind last;
    uint64_t bytes = 0;
    int rc;

    if ( !is_hvm_domain(d) )
        return 0;

    if ( !hap_enabled(d) )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "has shadow page tables (no hardware assisted paging)");

    p2m = p2m_get_hostp2m(d);
    if ( p2m->default_access != p2m_access_rwx || p2m->access_required )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "has memory with restricted access (mem_access)");
    if ( p2m->pod.count || p2m->pod.entry_count )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "has memory to be populated on demand (PoD)");
    if ( p2m->ioreq.server )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "a device model intercepts writes to its memory");
    if ( altp2m_active(d) )
        return liveupdate_refuse(d, -EOPNOTSUPP, "has alternate physmaps (altp2m)");
    if ( p2m->global_logdirty )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "its memory is tracked (log-dirty)");

    p2m_read_lock(p2m);
    rc = for_each_extent(d, count_extent, &bytes, &last, liveupdate_position());
    p2m_read_unlock(p2m);

    return rc == -EOPNOTSUPP
           ? liveupdate_refuse(d, rc, "%s", reason_against(last)) : rc;
}

static int cf_check p2m_quiesce(struct domain *d)
{
    /* What a preempted pass over the physmap has left to do. */
    if ( is_hvm_domain(d) && d->arch.paging.preempt.dom )
        return liveupdate_refuse(d, -EBUSY, "a paging operation is under way");

    return 0;
}

struct save {
    struct lu_writer *w;
    struct lu_p2m *rec;
};

static int cf_check save_extent(const struct lu_p2m_entry *e, void *arg)
{
    struct save *s = arg;
    struct lu_p2m_entry *to = lu_record_entries(s->w, 1);

    if ( !to )
        return -ENOSPC;
    *to = *e;
    s->rec->nr_frames += e->nr;

    return 0;
}

static int cf_check p2m_save(struct lu_writer *w, struct domain *d)
{
    struct save s = { .w = w };
    unsigned long next = 0;
    struct kind last;
    int rc;

    if ( !is_hvm_domain(d) )
        return 0;

    s.rec = lu_record_begin(w, LU_REC_P2M, d->domain_id, 0);
    if ( !s.rec )
        return -ENOSPC;
    s.rec->pool_pages = liveupdate_p2m_pool(d);

    rc = for_each_extent(d, save_extent, &s, &last, &next);
    if ( !rc )
        lu_record_end(w);

    return rc == -EOPNOTSUPP
           ? liveupdate_refuse(d, rc, "%s", reason_against(last)) : rc;
}

static int type_from_stream(unsigned int type, p2m_type_t *t)
{
    unsigned int i;

    for ( i = 0; i < ARRAY_SIZE(stream_types); i++ )
        if ( type && stream_types[i] == type && i != p2m_ram_logdirty )
        {
            *t = i;
            return 0;
        }

    return -EINVAL;
}

/* Memory is the domain's own; what is granted belongs to somebody. */
static bool may_map(const struct domain *d, mfn_t mfn, p2m_type_t t)
{
    const struct domain *owner;

    if ( t == p2m_mmio_direct )
        return true;
    if ( !mfn_valid(mfn) )
        return false;
    owner = page_get_owner(mfn_to_page(mfn));

    return p2m_is_grant(t) ? owner != NULL : owner == d;
}

static int map_extent(struct domain *d, struct p2m_domain *p2m,
                      const struct lu_p2m_entry *e)
{
    unsigned long step = 1UL << e->order, i;
    p2m_type_t t;
    int rc = type_from_stream(e->type, &t);

    if ( e->order != PAGE_ORDER_4K && e->order != PAGE_ORDER_2M &&
         e->order != PAGE_ORDER_1G )
        rc = -EINVAL;
    if ( rc || !e->nr || ((e->gfn | e->mfn | e->nr) & (step - 1)) )
        return liveupdate_refuse(d, -EINVAL,
                                 "gfn %#"PRIx64", %u frames: type %u, order %u make no sense",
                                 e->gfn, e->nr, e->type, e->order);

    for ( i = 0; i < e->nr; i += step )
    {
        mfn_t mfn = _mfn(e->mfn + i);

        if ( !may_map(d, mfn, t) )
            return liveupdate_refuse(d, -EINVAL,
                                     "gfn %#"PRIx64" is in frame %#"PRI_mfn", which is not its own",
                                     e->gfn + i, mfn_x(mfn));

        rc = p2m_set_entry(p2m, _gfn(e->gfn + i), mfn, e->order, t,
                           p2m_access_rwx);
        if ( rc )
            return liveupdate_refuse(d, rc, "gfn %#"PRIx64" cannot be mapped",
                                     e->gfn + i);
    }

    return 0;
}

static int make_pool(struct domain *d, uint64_t pages)
{
    int rc;

    do {
        rc = arch_set_paging_mempool_size(d, pages << PAGE_SHIFT);
        if ( rc == -ERESTART )
            process_pending_softirqs();
    } while ( rc == -ERESTART );

    return rc ? liveupdate_refuse(d, rc, "no %"PRIu64" frames for its p2m", pages)
              : 0;
}

/*
 * What the last step of creating a domain adds: VMX's APIC page.  A guest that
 * has put a page of its own in that place has it there.
 */
static int finish_creation(struct domain *d)
{
    bool was_down = d->is_shutting_down;
    p2m_type_t t;

    if ( !d->creation_finished ||
         !mfn_eq(get_gfn_query_unlocked(d, PFN_DOWN(APIC_DEFAULT_PHYS_BASE), &t),
                 INVALID_MFN) )
        return 0;

    arch_domain_creation_finished(d);

    /* All that it does about an error is to crash the domain. */
    return d->is_shutting_down && !was_down
           ? liveupdate_refuse(d, -ENOMEM, "its APIC page cannot be mapped") : 0;
}

static int cf_check p2m_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_P2M, d->domain_id);
    struct p2m_domain *p2m;
    struct lu_p2m rec;
    unsigned int i;
    bool sync;
    int rc;

    if ( !is_hvm_domain(d) != !r )
        return liveupdate_refuse(d, -EINVAL, "its physmap does not match its kind");
    if ( !r )
        return 0;

    LU_FIXED(r, &rec);
    rc = make_pool(d, rec.pool_pages);
    if ( rc )
        return rc;

    p2m = p2m_get_hostp2m(d);
    p2m_lock(p2m);
    /* I/O page tables say it already: "io_tables" will adopt them. */
    sync = need_iommu_pt_sync(d);
    dom_iommu(d)->need_sync = false;
    for ( i = 0; !rc && i < r->nr; i++ )
    {
        struct lu_p2m_entry e;

        LU_ENTRY(r, i, &e);
        rc = map_extent(d, p2m, &e);
    }
    dom_iommu(d)->need_sync = sync;
    p2m_unlock(p2m);

    return rc ?: finish_creation(d);
}

const struct liveupdate_resource liveupdate_res_p2m = {
    .name = "p2m",
    .check = p2m_check,
    .quiesce = p2m_quiesce,
    .save = p2m_save,
    .plan = p2m_plan,
};
