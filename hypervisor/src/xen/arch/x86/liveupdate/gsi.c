/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: global system interrupts (GSIs), the lines of the I/O APICs.
 *
 * The ACPI tables tell Xen about the legacy lines only.  How the others are
 * triggered is in the AML, which only the hardware domain can interpret: it
 * tells by PHYSDEVOP_setup_gsi while it boots, and never again.  The source
 * reads this back from the routing entries; the target, whose own boot has
 * cleared them, programs them anew.  They stay masked until a pirq that is
 * bound to one of them is committed (arch/x86/liveupdate/irq.c).
 */

#include <xen/irq.h>
#include <xen/lib.h>

#include <asm/io_apic.h>
#include <asm/liveupdate-irq.h>
#include <asm/mpspec.h>

/* False: nothing is connected to @gsi. */
static bool gsi_describe(unsigned int gsi, struct lu_gsis_entry *e)
{
    struct IO_APIC_route_entry rte;

    if ( !liveupdate_read_rte(gsi, &rte) )
        return false;

    *e = (struct lu_gsis_entry){
        .gsi = gsi,
        .flags = (rte.trigger ? LU_GSI_LEVEL : 0) |
                 (rte.polarity ? LU_GSI_LOW : 0) |
                 (liveupdate_gsi_programmed(gsi) ? LU_GSI_PROGRAMMED : 0),
    };

    return true;
}

int liveupdate_gsi_save(struct lu_writer *w)
{
    struct lu_gsis_entry e, *p;
    unsigned int gsi;

    if ( !lu_record_begin(w, LU_REC_GSIS, 0, 0) )
        return -ENOSPC;

    for ( gsi = 0; gsi < nr_irqs_gsi; gsi++ )
    {
        if ( !gsi_describe(gsi, &e) )
            continue;

        p = lu_record_entries(w, 1);
        if ( !p )
            return -ENOSPC;
        *p = e;
    }
    lu_record_end(w);

    return 0;
}

/*
 * Writes a routing entry, which is the hardware's; but a masked one, and the
 * boot has overwritten what the source had there anyway.
 */
static int gsi_plan(const struct lu_gsis_entry *e)
{
    struct lu_gsis_entry now = {};
    int rc;

    if ( e->gsi >= nr_irqs_gsi )
        return liveupdate_refuse(NULL, -ENODEV, "no I/O APIC has GSI %u", e->gsi);
    if ( e->flags & ~LU_GSI_ALL )
        return liveupdate_refuse(NULL, -EINVAL, "GSI %u: unknown flags %#x",
                                 e->gsi, e->flags);

    /* Legacy lines are connected already; most of them are what they were. */
    if ( gsi_describe(e->gsi, &now) && now.flags == e->flags )
        return 0;

    rc = mp_register_gsi(e->gsi, !!(e->flags & LU_GSI_LEVEL),
                         !!(e->flags & LU_GSI_LOW));
    if ( !rc )
        return 0;

    /* Xen itself uses the line: it has to agree on how. */
    if ( rc == -EEXIST &&
         !((now.flags ^ e->flags) & (LU_GSI_LEVEL | LU_GSI_LOW)) )
        return 0;

    return liveupdate_refuse(NULL, rc, "GSI %u cannot be set up", e->gsi);
}

int liveupdate_gsi_plan(void)
{
    const struct lu_record *r;
    struct lu_gsis_entry e;
    unsigned int i;
    int rc = 0;

    r = lu_record_find(&liveupdate_stream, NULL, LU_REC_GSIS, LU_ANY_DOMID);
    if ( !r )
        return liveupdate_refuse(NULL, -ENODATA, "no GSIS record");

    for ( i = 0; !rc && i < r->nr; i++ )
    {
        LU_ENTRY(r, i, &e);
        rc = gsi_plan(&e);
    }

    return rc;
}
