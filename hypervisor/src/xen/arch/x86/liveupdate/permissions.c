/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: which hardware a domain may use.
 *
 * I/O memory, I/O ports and GSIs are the machine's own numbers and are carried
 * as ranges.  They are all that the domain gets: the default rules for dom0 are
 * not applied again, as the toolstack may have changed what they gave.
 *
 * An interrupt that is not a GSI has a number that Xen made up; in another Xen
 * it is another device's.  Permissions for those are left out here.  They come
 * back with their MSI, in "pirq".
 *
 * With the hardware domain come the frames of which even it may only read.  Most
 * of them any Xen finds by itself; the rest it would, while building dom0.
 *
 * Carried: what a domain may use of I/O memory, I/O ports and GSIs; frames that
 * are read-only.
 */

#include <xen/iocap.h>
#include <xen/irq.h>
#include <xen/liveupdate.h>
#include <xen/rangeset.h>
#include <xen/sched.h>

#include <asm/mm.h>

struct save_ctxt {
    struct lu_writer *w;
    unsigned int kind;
};

static int cf_check save_range(unsigned long s, unsigned long e, void *arg)
{
    const struct save_ctxt *ctxt = arg;
    struct lu_permissions_entry *entry = lu_record_entries(ctxt->w, 1);

    if ( !entry )
        return -ENOSPC;

    entry->first = s;
    entry->last = e;
    entry->kind = ctxt->kind;

    return 0;
}

static int cf_check permissions_save(struct lu_writer *w, struct domain *d)
{
    const struct {
        struct rangeset *r;
        unsigned long last;
        unsigned int kind;
    } sets[] = {
        { d->iomem_caps, ~0UL, LU_PERM_IOMEM },
        { d->arch.ioport_caps, ~0UL, LU_PERM_IOPORT },
        { d->irq_caps, nr_irqs_gsi - 1, LU_PERM_GSI },
        { is_hardware_domain(d) ? mmio_ro_ranges : NULL, ~0UL, LU_PERM_READONLY },
    };
    unsigned int i;

    if ( !lu_record_begin(w, LU_REC_PERMISSIONS, d->domain_id, 0) )
        return -ENOSPC;

    for ( i = 0; i < ARRAY_SIZE(sets); i++ )
    {
        struct save_ctxt ctxt = { .w = w, .kind = sets[i].kind };
        int rc = sets[i].r ? rangeset_report_ranges(sets[i].r, 0, sets[i].last,
                                                    save_range, &ctxt)
                           : 0;

        if ( rc )
            return rc;
    }

    lu_record_end(w);

    return 0;
}

static int permit(struct domain *d, const struct lu_permissions_entry *e)
{
    switch ( e->kind )
    {
    case LU_PERM_IOMEM:
        return iomem_permit_access(d, e->first, e->last);

    case LU_PERM_IOPORT:
        if ( e->last > 0xffff )
            return -ERANGE;
        return ioports_permit_access(d, e->first, e->last);

    case LU_PERM_GSI:
        if ( e->last >= nr_irqs_gsi )
            return -ERANGE;
        return irqs_permit_access(d, e->first, e->last);

    case LU_PERM_READONLY:
        return rangeset_add_range(mmio_ro_ranges, e->first, e->last);

    default:
        return -EOPNOTSUPP;
    }
}

static int cf_check permissions_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_PERMISSIONS, d->domain_id);
    unsigned int i;

    if ( !r )
        return liveupdate_refuse(d, -ENODATA, "no permissions");

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_permissions_entry e;
        int rc;

        LU_ENTRY(r, i, &e);

        rc = e.first <= e.last ? permit(d, &e) : -EINVAL;
        if ( rc )
            return liveupdate_refuse(d, rc,
                                     "permission of kind %u for %#"PRIx64" .. %#"PRIx64,
                                     e.kind, e.first, e.last);
    }

    return 0;
}

const struct liveupdate_resource liveupdate_res_permissions = {
    .name = "permissions",
    .save = permissions_save,
    .plan = permissions_plan,
};
