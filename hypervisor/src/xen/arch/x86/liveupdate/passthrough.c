/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "passthrough": what HVM domains need to drive devices of
 * their own, besides what any domain does.
 *
 * That the device is theirs is told by "pci", what it may access by "io_tables",
 * its registers are in "p2m", its interrupts come by "pirq".  But such a guest
 * knows nothing of pirqs: an interrupt asserts a line of an emulated device, or
 * becomes a message to an emulated local APIC.
 *
 *  - An interrupt on its way to the guest (a softirq) is given to it once more
 *    by "pirq".
 *  - A line stays asserted until the guest acknowledges it, which then goes on to
 *    the host's line.  The emulated line is one of the HVM records; the host's
 *    interrupts again as soon as it is unmasked, if it is asserted still.  Then
 *    that counts as the one to be acknowledged.  Else the guest has silenced its
 *    device, and what it is yet to acknowledge are the emulated lines that are
 *    asserted.
 *  - A vCPU that waits for its device model in the middle of unmasking an entry
 *    of an MSI-X table is let run on: see "ioreq".
 *
 * MSI-X tables are in vmsi.c.
 *
 * Carried: how interrupts of devices that HVM domains drive get to the guest, as
 * lines and as messages; MSI-X tables as the guest sees them; mapped I/O ports.
 */

#include <xen/event.h>
#include <xen/iommu.h>
#include <xen/irq.h>
#include <xen/liveupdate.h>
#include <xen/pci.h>
#include <xen/sched.h>

#include <asm/hvm/domain.h>
#include <asm/hvm/irq.h>
#include <asm/hvm/support.h>

#include <public/domctl.h>

#define MAX_IOPORTS 0x10000

/* Flags of a pirq that gets to the guest. */
#define LINE (HVM_IRQ_DPCI_MAPPED | HVM_IRQ_DPCI_MACH_PCI | HVM_IRQ_DPCI_GUEST_PCI)
#define MSI  (HVM_IRQ_DPCI_MAPPED | HVM_IRQ_DPCI_MACH_MSI | HVM_IRQ_DPCI_GUEST_MSI)

/*
 * Source.
 */

static int cf_check check_irq(struct domain *d, struct hvm_pirq_dpci *dpci,
                              void *arg)
{
    const struct pirq *info = dpci_pirq(dpci);
    int *first = arg, rc = 0;

    if ( dpci->flags != LINE && dpci->flags != MSI )
        rc = liveupdate_refuse(d, -EOPNOTSUPP,
                               "pirq %d gets to the guest in a way that is not carried (%#x)",
                               info->pirq, dpci->flags);
    else if ( info->arch.irq <= 0 )
        rc = liveupdate_refuse(d, -EOPNOTSUPP,
                               "pirq %d was unmapped while bound to the guest",
                               info->pirq);
    *first = *first ?: rc;

    return 0;
}

static int cf_check passthrough_check(struct domain *d)
{
    int rc = 0;

    if ( !is_hvm_domain(d) )
        return 0;

    read_lock(&d->event_lock);
    pt_pirq_iterate(d, check_irq, &rc);
    read_unlock(&d->event_lock);

    return rc;
}

static int cf_check save_irq(struct domain *d, struct hvm_pirq_dpci *dpci,
                             void *w)
{
    struct lu_pt_irqs_entry *e = lu_record_entries(w, 1);

    if ( !e )
        return -ENOSPC;

    e->pirq = dpci_pirq(dpci)->pirq;
    e->kind = dpci->flags == LINE ? LU_PT_LINE : LU_PT_MSI;
    if ( e->kind == LU_PT_MSI )
    {
        e->vector = dpci->gmsi.gvec;
        e->target = dpci->gmsi.gflags;
    }

    return 0;
}

static int cf_check save_lines(struct domain *d, struct hvm_pirq_dpci *dpci,
                               void *w)
{
    const struct dev_intx_gsi_link *digl;

    list_for_each_entry ( digl, &dpci->digl_list, list )
    {
        struct lu_pt_lines_entry *e = lu_record_entries(w, 1);

        if ( !e )
            return -ENOSPC;
        e->pirq = dpci_pirq(dpci)->pirq;
        e->bus = digl->bus;
        e->device = digl->device;
        e->pin = digl->intx;
    }

    return 0;
}

static int save_irqs(struct lu_writer *w, struct domain *d)
{
    const struct hvm_irq_dpci *dpci = domain_get_irq_dpci(d);
    struct lu_pt_irqs *rec;
    int rc;

    if ( !dpci )
        return 0;

    rec = lu_record_begin(w, LU_REC_PT_IRQS, d->domain_id, 0);
    if ( !rec )
        return -ENOSPC;
    rec->isa_irqs = dpci->isairq_map[0];

    read_lock(&d->event_lock);
    rc = pt_pirq_iterate(d, save_irq, w);
    if ( !rc )
    {
        lu_record_end(w);
        rc = lu_record_begin(w, LU_REC_PT_LINES, d->domain_id, 0)
             ? pt_pirq_iterate(d, save_lines, w) : -ENOSPC;
    }
    read_unlock(&d->event_lock);
    if ( !rc )
        lu_record_end(w);

    return rc;
}

static int save_ports(struct lu_writer *w, const struct domain *d)
{
    const struct g2m_ioport *port;

    if ( list_empty(&d->arch.hvm.g2m_ioport_list) )
        return 0;

    if ( !lu_record_begin(w, LU_REC_PT_PORTS, d->domain_id, 0) )
        return -ENOSPC;

    list_for_each_entry ( port, &d->arch.hvm.g2m_ioport_list, list )
    {
        struct lu_pt_ports_entry *e = lu_record_entries(w, 1);

        if ( !e )
            return -ENOSPC;
        e->guest_port = port->gport;
        e->host_port = port->mport;
        e->nr = port->np;
    }
    lu_record_end(w);

    return 0;
}

static int cf_check passthrough_save(struct lu_writer *w, struct domain *d)
{
    if ( !is_hvm_domain(d) )
        return 0;

    return save_irqs(w, d) ?: liveupdate_msixtbl_save(w, d) ?: save_ports(w, d);
}

/*
 * Target.
 */

static int make_dpci(struct domain *d, unsigned int isa_irqs)
{
    struct hvm_irq_dpci *dpci = xzalloc(struct hvm_irq_dpci);
    unsigned int i;

    if ( !dpci )
        return -ENOMEM;

    for ( i = 0; i < ARRAY_SIZE(dpci->girq); i++ )
        INIT_LIST_HEAD(&dpci->girq[i]);
    dpci->isairq_map[0] = isa_irqs;
    hvm_domain_irq(d)->dpci = dpci;

    return 0;
}

/* See pt_irq_create_bind(). */
static int plan_irq(struct domain *d, const struct lu_pt_irqs_entry *e)
{
    struct pirq *info = pirq_info(d, e->pirq);
    struct hvm_pirq_dpci *dpci;
    int rc = -EINVAL;

    if ( !info || info->arch.irq <= 0 || info->arch.hvm.dpci.flags ||
         (e->kind != LU_PT_LINE && e->kind != LU_PT_MSI) )
        return liveupdate_refuse(d, rc, "pirq %u is not one of a device (%u)",
                                 e->pirq, e->kind);

    dpci = &info->arch.hvm.dpci;
    dpci->dom = d;
    dpci->flags = e->kind == LU_PT_LINE ? LINE : MSI;
    if ( e->kind == LU_PT_MSI )
    {
        dpci->gmsi.gvec = e->vector;
        dpci->gmsi.gflags = e->target;
        dpci->gmsi.dest_vcpu_id = hvm_girq_dest_2_vcpu_id(
            d, MASK_EXTR(e->target, XEN_DOMCTL_VMSI_X86_DEST_ID_MASK),
            !!(e->target & XEN_DOMCTL_VMSI_X86_DM_MASK));
    }

    rc = pirq_guest_bind(d->vcpu[0], info,
                         e->kind == LU_PT_LINE ? BIND_PIRQ__WILL_SHARE : 0);

    return rc ? liveupdate_refuse(d, rc,
                                  "pirq %u cannot be bound: irq %d is in use",
                                  e->pirq, info->arch.irq)
              : 0;
}

static int plan_line(struct domain *d, const struct lu_pt_lines_entry *e)
{
    struct hvm_irq_dpci *dpci = domain_get_irq_dpci(d);
    struct pirq *info = pirq_info(d, e->pirq);
    struct dev_intx_gsi_link *digl;
    struct hvm_girq_dpci_mapping *girq;

    if ( !dpci || !info || info->arch.hvm.dpci.flags != LINE ||
         e->device > PCI_SLOT(~0) || e->pin > 3 )
        return liveupdate_refuse(d, -EINVAL,
                                 "pirq %u is no line of device %#x, pin %u",
                                 e->pirq, e->device, e->pin);

    digl = xmalloc(struct dev_intx_gsi_link);
    girq = xmalloc(struct hvm_girq_dpci_mapping);
    if ( !digl || !girq )
    {
        xfree(digl);
        xfree(girq);
        return -ENOMEM;
    }

    girq->bus = digl->bus = e->bus;
    girq->device = digl->device = e->device;
    girq->intx = digl->intx = e->pin;
    girq->machine_gsi = e->pirq;
    list_add_tail(&digl->list, &info->arch.hvm.dpci.digl_list);
    list_add_tail(&girq->list,
                  &dpci->girq[hvm_pci_intx_gsi(e->device, e->pin)]);
    dpci->link_cnt[hvm_pci_intx_link(e->device, e->pin)]++;

    return 0;
}

static int plan_irqs(struct domain *d, const struct lu_record *irqs)
{
    const struct lu_record *lines = lu_record_find(&liveupdate_stream, NULL,
                                                   LU_REC_PT_LINES,
                                                   d->domain_id);
    struct lu_pt_irqs rec;
    unsigned int i;
    int rc;

    LU_FIXED(irqs, &rec);
    rc = make_dpci(d, rec.isa_irqs);

    for ( i = 0; !rc && i < irqs->nr; i++ )
    {
        struct lu_pt_irqs_entry e;

        LU_ENTRY(irqs, i, &e);
        rc = plan_irq(d, &e);
    }

    for ( i = 0; !rc && lines && i < lines->nr; i++ )
    {
        struct lu_pt_lines_entry e;

        LU_ENTRY(lines, i, &e);
        rc = plan_line(d, &e);
    }

    return rc;
}

static int plan_ports(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_PT_PORTS, d->domain_id);
    unsigned int i;

    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_pt_ports_entry e;
        struct g2m_ioport *port;

        LU_ENTRY(r, i, &e);
        if ( !e.nr || e.nr > MAX_IOPORTS || e.guest_port + e.nr > MAX_IOPORTS ||
             e.host_port + e.nr > MAX_IOPORTS )
            return liveupdate_refuse(d, -EINVAL,
                                     "%u ports at %#x cannot be at %#x", e.nr,
                                     e.host_port, e.guest_port);

        port = xmalloc(struct g2m_ioport);
        if ( !port )
            return -ENOMEM;
        port->gport = e.guest_port;
        port->mport = e.host_port;
        port->np = e.nr;
        list_add_tail(&port->list, &d->arch.hvm.g2m_ioport_list);
    }

    return 0;
}

static int cf_check passthrough_plan(struct domain *d)
{
    const struct lu_record *irqs = lu_record_find(&liveupdate_stream, NULL,
                                                  LU_REC_PT_IRQS, d->domain_id);
    int rc;

    if ( !is_hvm_domain(d) )
        return irqs ? liveupdate_refuse(d, -EINVAL,
                                        "its interrupts do not match its kind")
                    : 0;

    pcidevs_lock();
    write_lock(&d->event_lock);
    rc = irqs ? plan_irqs(d, irqs) : 0;
    rc = rc ?: liveupdate_msixtbl_plan(d);
    write_unlock(&d->event_lock);
    pcidevs_unlock();

    return rc ?: plan_ports(d);
}

/* Emulated lines that the guest has not acknowledged. */
static unsigned int count_asserted(const struct domain *d,
                                   const struct hvm_pirq_dpci *dpci)
{
    const struct dev_intx_gsi_link *digl;
    unsigned int nr = 0;

    list_for_each_entry ( digl, &dpci->digl_list, list )
        nr += test_bit(digl->device * 4 + digl->intx,
                       &hvm_domain_irq(d)->pci_intx.i);

    return nr;
}

static void cf_check passthrough_resume(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_PT_IRQS, d->domain_id);
    unsigned int i;

    write_lock(&d->event_lock);
    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_pt_irqs_entry e;
        struct hvm_pirq_dpci *dpci;

        LU_ENTRY(r, i, &e);
        dpci = &pirq_info(d, e.pirq)->arch.hvm.dpci;
        /* Else the line is asserted still, and has interrupted again. */
        if ( e.kind == LU_PT_LINE && !dpci->masked && !dpci->pending )
            dpci->pending = count_asserted(d, dpci);
    }
    write_unlock(&d->event_lock);
}

const struct liveupdate_resource liveupdate_res_passthrough = {
    .name = "passthrough",
    .check = passthrough_check,
    .save = passthrough_save,
    .plan = passthrough_plan,
    .resume = passthrough_resume,
};
