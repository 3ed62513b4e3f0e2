/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: memory of fixed cacheability.  Included by hvm/mtrr.c.
 *
 * Device models pin the frame buffer, and what they load ROMs into.
 */

#include <xen/liveupdate.h>

int liveupdate_cacheattr_save(struct lu_writer *w, const struct domain *d)
{
    const struct hvm_mem_pinned_cacheattr_range *range;

    if ( list_empty(&d->arch.hvm.pinned_cacheattr_ranges) )
        return 0;

    if ( !lu_record_begin(w, LU_REC_CACHEATTR, d->domain_id, 0) )
        return -ENOSPC;

    list_for_each_entry ( range, &d->arch.hvm.pinned_cacheattr_ranges, list )
    {
        struct lu_cacheattr_entry *e = lu_record_entries(w, 1);

        if ( !e )
            return -ENOSPC;
        e->first = range->start;
        e->last = range->end;
        e->type = range->type;
    }
    lu_record_end(w);

    return 0;
}

int liveupdate_cacheattr_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_CACHEATTR, d->domain_id);
    unsigned int i;

    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_cacheattr_entry e;
        int rc;

        LU_ENTRY(r, i, &e);
        rc = hvm_set_mem_pinned_cacheattr(d, e.first, e.last, e.type);
        if ( rc )
            return liveupdate_refuse(d, rc,
                                     "gfns %#"PRIx64" to %#"PRIx64" with cache attribute %"PRIu64,
                                     e.first, e.last, e.type);
    }

    return 0;
}
