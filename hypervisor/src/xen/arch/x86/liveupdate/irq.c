/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: physical interrupts (pirqs).  Included at the end of
 * arch/x86/irq.c, whose guest_action() and domain_irq_pirq it needs.
 *
 * A pirq is a domain's own number for a GSI, or for an interrupt that a device
 * sends as a message (MSI, MSI-X).  A GSI keeps its number; the irq and the
 * vector behind a message are Xen's choice, and the target chooses again.
 *
 *  - save(): which pirq is what, which event channel it is bound to, what the
 *    domain has masked.
 *  - plan(): irqs and vectors allocated, pirqs mapped and bound.  Nothing is
 *    written to a device: pirq_guest_bind() leaves the hardware alone while
 *    liveupdate_restoring, and an interrupt that comes all the same is only
 *    remembered (liveupdate_irq_held()).
 *  - commit(): messages and routing entries are written, then unmasked, but for
 *    lines that are level triggered.
 *  - resume(): what came in between is given to the domains once more; see
 *    pending.c.  What cannot be known (an edge while the line was masked) is
 *    made up for by one spurious event for each pirq that is not level
 *    triggered, unless liveupdate-spurious=no.  Lines that are level triggered
 *    are unmasked.
 *
 * An EOI that a domain still owes is not waited for: Xen forces it one
 * millisecond after the interrupt anyway (irq_guest_eoi_timer_fn()), and a line
 * that is still asserted interrupts again as soon as it is unmasked.  It would do
 * so every millisecond until the domain runs: that is why such lines come last.
 *
 * An HVM guest gets interrupts of its own devices by its emulated interrupt
 * controllers: "passthrough" binds those.
 *
 * Carried: pirqs of GSIs, MSI and MSI-X, and those of an HVM guest's emulated
 * devices, under their numbers, what they are bound to, masks, the EOI map, the
 * permission for their irq.
 */

static bool __read_mostly opt_spurious = true;
boolean_param("liveupdate-spurious", opt_spurious);

/* The domain gets it by its emulated interrupt controllers: see passthrough.c. */
static bool pirq_is_passed_through(const struct domain *d,
                                   const struct pirq *info)
{
    return is_hvm_domain(d) &&
           (info->arch.hvm.dpci.flags & HVM_IRQ_DPCI_MAPPED);
}

/* HVM guests: what they bind to a port is bound by their device model already. */
static bool pirq_is_bound(const struct domain *d, const struct pirq *info)
{
    return is_hvm_domain(d) ? pirq_is_passed_through(d, info) : info->evtchn;
}

/*
 * Source.
 */

/* Fills @e; returns NULL, or why the irq cannot be carried. */
static const char *irq_describe(const struct domain *d,
                                const struct pirq *info,
                                struct irq_desc *desc,
                                struct lu_pirqs_entry *e)
{
    const irq_guest_action_t *action = guest_action(desc);

    ASSERT(spin_is_locked(&desc->lock));

    if ( pirq_is_bound(d, info) && !action )
        return "bound to an event channel, but not to the domain";

    if ( action && action->shareable )
        e->flags |= LU_PIRQF_SHAREABLE;
    if ( info->masked )
        e->flags |= LU_PIRQF_EOI_DUE;
    if ( pirq_is_passed_through(d, info) && info->arch.hvm.dpci.masked )
        e->flags |= LU_PIRQF_FIRED;

    if ( desc->msi_desc )
        return liveupdate_msi_describe(d, desc, e);

    if ( desc->irq >= nr_irqs_gsi )
        return "neither a GSI nor a message";
    if ( !IO_APIC_IRQ(desc->irq) )
        return "delivered by the 8259A";

    e->kind = LU_PIRQ_GSI;

    return NULL;
}

/*
 * An HVM guest may take the interrupts of emulated devices by event channel: the
 * pirq then stands for a line of the emulated I/O APIC, or for messages, and
 * nothing of the host is behind it.
 */
static bool pirq_is_emulated(const struct domain *d, const struct pirq *info)
{
    int emuirq = is_hvm_domain(d) ? info->arch.hvm.emuirq : IRQ_UNBOUND;

    return (emuirq != IRQ_UNBOUND && emuirq != IRQ_PT) ||
           (is_hvm_domain(d) && info->evtchn && info->arch.irq <= 0);
}

static int pirq_describe_emulated(const struct domain *d,
                                  const struct pirq *info,
                                  struct lu_pirqs_entry *e)
{
    int emuirq = info->arch.hvm.emuirq;

    if ( emuirq == IRQ_PT ||
         (info->arch.irq && info->arch.irq != PIRQ_ALLOCATED) )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "pirq %d is of an emulated device and of one passed through",
                                 info->pirq);

    e->kind = LU_PIRQ_EMULATED;
    e->flags = info->arch.irq == PIRQ_ALLOCATED ? LU_PIRQF_HELD : 0;
    e->irq = emuirq == IRQ_UNBOUND ? LU_PIRQ_IRQ_NONE
             : emuirq == IRQ_MSI_EMU ? LU_PIRQ_IRQ_MSI : emuirq;

    return 0;
}

static int pirq_describe(const struct domain *d, const struct pirq *info,
                         struct lu_pirqs_entry *e)
{
    int irq = info->arch.irq;
    struct irq_desc *desc;
    unsigned long flags;
    const char *why;

    *e = (struct lu_pirqs_entry){
        .pirq = info->pirq,
        .port = info->evtchn,
        .creator = DOMID_INVALID,
    };

    if ( pirq_is_emulated(d, info) )
        return pirq_describe_emulated(d, info, e);

    if ( irq == PIRQ_ALLOCATED && !info->evtchn )
    {
        e->kind = LU_PIRQ_RESERVED;
        return 0;
    }
    if ( irq <= 0 )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "pirq %d was unmapped while bound to port %u",
                                 info->pirq, info->evtchn);

    e->irq = irq;
    desc = irq_to_desc(irq);
    spin_lock_irqsave(&desc->lock, flags);
    why = irq_describe(d, info, desc, e);
    spin_unlock_irqrestore(&desc->lock, flags);

    return why ? liveupdate_refuse(d, -EOPNOTSUPP, "pirq %d (irq %d): %s",
                                   info->pirq, irq, why)
               : 0;
}

/* Left over from a mapping, or an identity mapping that each Xen makes. */
static bool pirq_is_default(const struct domain *d, const struct pirq *info)
{
    int irq = info->arch.irq;

    if ( info->evtchn ||
         (is_hvm_domain(d) && info->arch.hvm.emuirq != IRQ_UNBOUND) )
        return false;

    return !irq || (irq == info->pirq && platform_legacy_irq(irq) &&
                    !IO_APIC_IRQ(irq));
}

typedef int pirq_fn(struct domain *d, const struct lu_pirqs_entry *e,
                    void *arg);

/* @go_on: a failure does not end the walk; the first one is returned. */
static int walk_pirqs(struct domain *d, pirq_fn *fn, void *arg, bool go_on)
{
    struct pirq *pirqs[16];
    unsigned int i, n, next = 0;
    int first = 0;

    do {
        n = radix_tree_gang_lookup(&d->pirq_tree, (void **)pirqs, next,
                                   ARRAY_SIZE(pirqs));
        for ( i = 0; i < n; i++ )
        {
            struct lu_pirqs_entry e;
            int rc;

            next = pirqs[i]->pirq + 1;
            if ( pirq_is_default(d, pirqs[i]) )
                continue;

            rc = pirq_describe(d, pirqs[i], &e) ?: fn(d, &e, arg);
            if ( rc && !go_on )
                return rc;
            first = first ?: rc;
        }
    } while ( n == ARRAY_SIZE(pirqs) );

    return first;
}

static int cf_check check_one(struct domain *d, const struct lu_pirqs_entry *e,
                              void *unused)
{
    /* Mapping grants it.  Somebody has taken it away again. */
    if ( (e->kind == LU_PIRQ_MSI || e->kind == LU_PIRQ_MSIX) &&
         !irq_access_permitted(d, e->irq) )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "pirq %u: access to its irq was denied",
                                 e->pirq);

    return 0;
}

/*
 * A permission for a number that Xen gave dynamically is told with the pirq.
 * There must be no other: the number will mean something else.
 */
static int check_dynamic_permissions(struct domain *d)
{
    unsigned int irq;
    int rc = 0;

    for ( irq = nr_irqs_gsi; irq < nr_irqs; irq++ )
    {
        const struct irq_desc *desc = irq_to_desc(irq);

        if ( !irq_access_permitted(d, irq) || domain_irq_to_pirq(d, irq) ||
             (irq_desc_initialized(desc) &&
              desc->arch.creator_domid == d->domain_id) )
            continue;

        rc = liveupdate_refuse(d, -EOPNOTSUPP,
                               "may use irq %u, which is not its own", irq);
    }

    return rc;
}

static int cf_check pirq_check(struct domain *d)
{
    int rc, rc2;

    pcidevs_lock();
    read_lock(&d->event_lock);
    rc = walk_pirqs(d, check_one, NULL, true);
    rc2 = check_dynamic_permissions(d);
    read_unlock(&d->event_lock);
    pcidevs_unlock();

    return rc ?: rc2;
}

static void cf_check pirq_refs(struct domain *d)
{
    /* PHYSDEVOP_pirq_eoi_gmfn_v{1,2} */
    if ( d->arch.pirq_eoi_map )
        liveupdate_xen_ref(_mfn(d->arch.pirq_eoi_map_mfn), 1, 1);
}

static int cf_check save_one(struct domain *d, const struct lu_pirqs_entry *e,
                             void *w)
{
    struct lu_pirqs_entry *p = lu_record_entries(w, 1);

    if ( !p )
        return -ENOSPC;

    *p = *e;

    return 0;
}

/* All CPUs are held: the locks that pirq_check() takes are not needed. */
static int cf_check pirq_save(struct lu_writer *w, struct domain *d)
{
    struct lu_pirqs *p = lu_record_begin(w, LU_REC_PIRQS, d->domain_id, 0);
    int rc;

    if ( !p )
        return -ENOSPC;

    p->eoi_map_mfn = d->arch.pirq_eoi_map_mfn;
    rc = walk_pirqs(d, save_one, w, false);
    lu_record_end(w);

    return rc;
}

/*
 * Target.
 */

/* commit() has begun: interrupts are delivered. */
static bool pirqs_live;

bool liveupdate_irq_held(struct irq_desc *desc)
{
    const irq_guest_action_t *action = guest_action(desc);

    if ( !liveupdate_restoring || pirqs_live )
        return false;

    /* What ->ack() has left to ->end(), less its effect on the line. */
    if ( action->ack_type == ACKTYPE_EOI )
        ack_APIC_irq();

    desc->status |= IRQ_PENDING;

    return true;
}

/* The domain has it mapped; whoever asked for it on its behalf may use it too. */
static int permit_msi(struct domain *d, struct irq_desc *desc,
                      const struct lu_pirqs_entry *e)
{
    struct domain *creator;
    int rc = irq_permit_access(d, desc->irq);

    if ( rc || e->creator == DOMID_INVALID )
        return rc;

    creator = rcu_lock_domain_by_id(e->creator);
    if ( !creator )
        return liveupdate_refuse(d, -ESRCH, "pirq %u: no domain %u", e->pirq,
                                 e->creator);

    rc = irq_permit_access(creator, desc->irq);
    if ( !rc )
        desc->arch.creator_domid = creator->domain_id;
    rcu_unlock_domain(creator);

    return rc;
}

/* The irq that is to be behind the pirq, or -errno. */
static int pirq_plan_irq(struct domain *d, const struct lu_pirqs_entry *e)
{
    struct irq_desc *desc;
    int irq, rc;

    switch ( e->kind )
    {
    case LU_PIRQ_GSI:
        if ( !e->irq || e->irq >= nr_irqs_gsi || !IO_APIC_IRQ(e->irq) )
            return liveupdate_refuse(d, -ENODEV, "pirq %u: no I/O APIC has GSI %u",
                                     e->pirq, e->irq);
        return e->irq;

    case LU_PIRQ_MSI:
    case LU_PIRQ_MSIX:
        irq = create_irq(NUMA_NO_NODE, false);
        if ( irq < 0 )
            return liveupdate_refuse(d, irq, "pirq %u: no irq or vector is left",
                                     e->pirq);
        desc = irq_to_desc(irq);
        rc = liveupdate_msi_adopt(d, desc, e) ?: permit_msi(d, desc, e);
        return rc ?: irq;
    }

    return liveupdate_refuse(d, -EINVAL, "pirq %u is of unknown kind %u",
                             e->pirq, e->kind);
}

/* event_channel.c has restored the port; this is its other end. */
static int pirq_plan_port(struct domain *d, struct pirq *info,
                          const struct lu_pirqs_entry *e)
{
    const struct evtchn *chn;

    if ( !port_is_valid(d, e->port) )
        return liveupdate_refuse(d, -EINVAL, "pirq %u: no port %u", e->pirq,
                                 e->port);

    chn = evtchn_from_port(d, e->port);
    if ( chn->state != ECS_PIRQ || chn->u.pirq.irq != e->pirq ||
         chn->notify_vcpu_id >= d->max_vcpus || !d->vcpu[chn->notify_vcpu_id] )
        return liveupdate_refuse(d, -EINVAL, "port %u is not bound to pirq %u",
                                 e->port, e->pirq);

    info->evtchn = e->port;

    return 0;
}

static int pirq_plan_bind(struct domain *d, struct pirq *info,
                          const struct lu_pirqs_entry *e)
{
    int rc = pirq_plan_port(d, info, e);

    if ( rc )
        return rc;

    /* See arch_evtchn_bind_pirq(). */
    if ( is_hvm_domain(d) )
        return map_domain_emuirq_pirq(d, e->pirq, IRQ_PT);

    rc = pirq_guest_bind(d->vcpu[evtchn_from_port(d, e->port)->notify_vcpu_id],
                         info, e->flags & LU_PIRQF_SHAREABLE);
    if ( rc )
        return liveupdate_refuse(d, rc, "pirq %u cannot be bound: irq %d is in use",
                                 e->pirq, info->arch.irq);

    return 0;
}

static int pirq_plan_emulated(struct domain *d, const struct lu_pirqs_entry *e)
{
    int emuirq = e->irq == LU_PIRQ_IRQ_MSI ? IRQ_MSI_EMU : e->irq;
    struct pirq *info = pirq_get_info(d, e->pirq);
    int rc = 0;

    if ( !info )
        return -ENOMEM;
    if ( !is_hvm_domain(d) )
        return liveupdate_refuse(d, -EINVAL, "pirq %u is emulated", e->pirq);

    if ( e->flags & LU_PIRQF_HELD )
        info->arch.irq = PIRQ_ALLOCATED;

    if ( e->irq != LU_PIRQ_IRQ_NONE )
    {
        if ( emuirq != IRQ_MSI_EMU && e->irq >= nr_irqs )
            rc = -ERANGE;
        rc = rc ?: map_domain_emuirq_pirq(d, e->pirq, emuirq);
        if ( !rc && info->arch.hvm.emuirq != emuirq )
            rc = -EEXIST;
        if ( rc )
            return liveupdate_refuse(d, rc, "pirq %u cannot stand for emulated irq %d",
                                     e->pirq, emuirq);
    }

    return e->port ? pirq_plan_port(d, info, e) : 0;
}

static int pirq_plan_one(struct domain *d, const struct lu_pirqs_entry *e)
{
    struct pirq *info;
    struct irq_desc *desc;
    unsigned long flags;
    int irq, rc;

    if ( e->pirq >= d->nr_pirqs || (e->flags & ~LU_PIRQF_ALL) )
        return liveupdate_refuse(d, -EINVAL, "pirq %u of %u, flags %#x",
                                 e->pirq, d->nr_pirqs, e->flags);
    if ( domain_pirq_to_irq(d, e->pirq) )
        return liveupdate_refuse(d, -EEXIST, "pirq %u is mapped already",
                                 e->pirq);

    if ( e->kind == LU_PIRQ_RESERVED )
    {
        info = pirq_get_info(d, e->pirq);
        if ( !info )
            return -ENOMEM;
        info->arch.irq = PIRQ_ALLOCATED;
        return 0;
    }

    if ( e->kind == LU_PIRQ_EMULATED )
        return pirq_plan_emulated(d, e);

    irq = pirq_plan_irq(d, e);
    if ( irq < 0 )
        return irq;

    if ( domain_irq_to_pirq(d, irq) )
        return liveupdate_refuse(d, -EEXIST, "irq %d is mapped already", irq);

    rc = prepare_domain_irq_pirq(d, irq, e->pirq, &info);
    if ( rc < 0 )
        return rc;

    desc = irq_to_desc(irq);
    spin_lock_irqsave(&desc->lock, flags);
    set_domain_irq_pirq(d, irq, info);
    spin_unlock_irqrestore(&desc->lock, flags);

    return e->port ? pirq_plan_bind(d, info, e) : 0;
}

/* PHYSDEVOP_pirq_eoi_gmfn_v{1,2}, once more. */
static int pirq_plan_eoi_map(struct domain *d, unsigned long mfn)
{
    void *map;
    int rc;

    if ( !mfn )
        return 0;

    rc = liveupdate_map_page(d, mfn, "the EOI map", &map);
    if ( rc )
        return rc;

    d->arch.pirq_eoi_map = map;
    d->arch.pirq_eoi_map_mfn = mfn;

    return 0;
}

static int cf_check pirq_plan(struct domain *d)
{
    const struct lu_record *r;
    struct lu_pirqs_entry e;
    struct lu_pirqs fixed;
    unsigned int i;
    int rc = 0;

    r = lu_record_find(&liveupdate_stream, NULL, LU_REC_PIRQS, d->domain_id);
    if ( !r )
        return liveupdate_refuse(d, -ENODATA, "no PIRQS record");

    pcidevs_lock();
    write_lock(&d->event_lock);
    for ( i = 0; !rc && i < r->nr; i++ )
    {
        LU_ENTRY(r, i, &e);
        rc = pirq_plan_one(d, &e);
    }
    write_unlock(&d->event_lock);
    pcidevs_unlock();

    if ( rc )
        return rc;

    /* Last: binding writes to the map, which is the domain's memory. */
    LU_FIXED(r, &fixed);

    return pirq_plan_eoi_map(d, fixed.eoi_map_mfn);
}

/* Whom an interrupt is for: it should arrive where that one runs. */
static const struct vcpu *pirq_target(const struct domain *d,
                                      const struct pirq *info)
{
    const struct hvm_gmsi_info *gmsi = &info->arch.hvm.dpci.gmsi;

    if ( !pirq_is_passed_through(d, info) )
        return d->vcpu[evtchn_from_port(d, info->evtchn)->notify_vcpu_id];

    return d->vcpu[gmsi->dest_vcpu_id >= 0 ? gmsi->dest_vcpu_id : 0];
}

static bool is_level_triggered(const struct irq_desc *desc)
{
    return guest_action(desc)->ack_type != ACKTYPE_NONE && !desc->msi_desc;
}

/* What pirq_guest_bind() has left out. */
static void start_irq(struct domain *d, struct irq_desc *desc,
                      const struct pirq *info)
{
    const irq_guest_action_t *action = guest_action(desc);
    const struct vcpu *v = pirq_target(d, info);

    if ( action->ack_type != ACKTYPE_NONE )
        set_pirq_eoi(d, info->pirq);
    else
        clear_pirq_eoi(d, info->pirq);

    /* A shared line is started for the first of those who share it. */
    if ( action->guest[0] != d )
        return;

    if ( desc->handler->set_affinity && !opt_noirqbalance )
        desc->handler->set_affinity(desc, cpumask_of(v->processor));
    /* A message is started by liveupdate_msi_unmask(), a level by resume(). */
    if ( !desc->msi_desc && !is_level_triggered(desc) )
        desc->handler->startup(desc);
}

static void pirq_commit_one(struct domain *d, const struct lu_pirqs_entry *e)
{
    const struct pirq *info = pirq_info(d, e->pirq);
    struct irq_desc *desc;
    unsigned long flags;

    desc = info ? pirq_spin_lock_irq_desc(info, &flags) : NULL;
    if ( !desc )
    {
        ASSERT(e->kind == LU_PIRQ_RESERVED || e->kind == LU_PIRQ_EMULATED);
        return;
    }

    if ( desc->msi_desc )
        liveupdate_msi_program(desc);
    if ( pirq_is_bound(d, info) )
        start_irq(d, desc, info);
    if ( desc->msi_desc )
        liveupdate_msi_unmask(desc, e);

    spin_unlock_irqrestore(&desc->lock, flags);
}

static void cf_check pirq_commit(struct domain *d)
{
    const struct lu_record *r;
    struct lu_pirqs_entry e;
    unsigned int i;

    /* Event channels of all domains have been committed. */
    pirqs_live = true;

    r = lu_record_find(&liveupdate_stream, NULL, LU_REC_PIRQS, d->domain_id);
    for ( i = 0; i < r->nr; i++ )
    {
        LU_ENTRY(r, i, &e);
        pirq_commit_one(d, &e);
    }
}

static void pirq_resume_one(struct domain *d, const struct lu_pirqs_entry *e)
{
    struct pirq *info = pirq_info(d, e->pirq);
    const irq_guest_action_t *action;
    struct irq_desc *desc;
    unsigned long flags;
    bool fired, last;

    desc = pirq_spin_lock_irq_desc(info, &flags);
    if ( !desc )
    {
        ASSERT_UNREACHABLE();
        return;
    }

    action = guest_action(desc);
    fired = liveupdate_pending_irq(e->irq) || (desc->status & IRQ_PENDING) ||
            (e->flags & LU_PIRQF_FIRED);
    /* Others who share the line have to be told as well. */
    last = action->guest[action->nr_guests - 1] == d;
    if ( last )
        desc->status &= ~IRQ_PENDING;

    /* A level interrupts again by itself. */
    if ( is_level_triggered(desc) )
    {
        fired = false;
        if ( last )
            desc->handler->startup(desc);
    }
    else if ( fired )
        liveupdate_nr_reinjected++;
    /* A guest that sees messages by itself is not to see one that it has masked. */
    else if ( opt_spurious && !(is_hvm_domain(d) &&
                                (e->flags & LU_PIRQF_GUEST_MASKED)) )
    {
        liveupdate_nr_spurious++;
        fired = true;
    }

    if ( fired && (!is_hvm_domain(d) || !hvm_do_IRQ_dpci(d, info)) )
        send_guest_pirq(d, info);

    spin_unlock_irqrestore(&desc->lock, flags);
}

static void cf_check pirq_resume(struct domain *d)
{
    const struct lu_record *r;
    struct lu_pirqs_entry e;
    unsigned int i;

    r = lu_record_find(&liveupdate_stream, NULL, LU_REC_PIRQS, d->domain_id);
    for ( i = 0; i < r->nr; i++ )
    {
        LU_ENTRY(r, i, &e);
        if ( e.kind != LU_PIRQ_EMULATED &&
             pirq_is_bound(d, pirq_info(d, e.pirq)) )
            pirq_resume_one(d, &e);
    }
}

/*
 * Source, each CPU that comes back from a target, whose boot finishes what it
 * finds in service: guests need not do so any more.
 */
void liveupdate_forget_eois(void)
{
    struct pending_eoi *peoi = this_cpu(pending_eoi);
    unsigned int sp = pending_eoi_sp(peoi), i, nr = 0;

    for ( i = 0; i < sp; i++ )
    {
        struct irq_desc *desc = irq_to_desc(peoi[i].irq);

        if ( apic_isr_read(peoi[i].vector) )
        {
            peoi[nr++] = peoi[i];
            continue;
        }

        spin_lock(&desc->lock);
        if ( desc->status & IRQ_GUEST )
            cpumask_clear_cpu(smp_processor_id(),
                              guest_action(desc)->cpu_eoi_map);
        spin_unlock(&desc->lock);
    }
    pending_eoi_sp(peoi) = nr;
}

/*
 * Source, after a target came back: liveupdate_pending_steer() has moved what
 * guests have to CPU 0, and left in the tables of CPUs where it was before.
 * With the other CPUs held; what they still have pending is suspected below.
 */
void liveupdate_finish_moves(void)
{
    unsigned int cpu, vector, irq;

    for_each_online_cpu ( cpu )
        for ( vector = FIRST_DYNAMIC_VECTOR; vector <= LAST_HIPRIORITY_VECTOR;
              vector++ )
        {
            int *entry = &per_cpu(vector_irq, cpu)[vector];
            const struct irq_desc *desc = *entry < 0 ? NULL
                                                     : irq_to_desc(*entry);

            if ( !desc || !(desc->status & IRQ_GUEST) ||
                 desc->handler->enable == enable_8259A_irq ||
                 (vector == desc->arch.vector &&
                  cpumask_test_cpu(cpu, desc->arch.cpu_mask)) )
                continue;

            *entry = ~*entry;
            if ( desc->arch.used_vectors && vector != desc->arch.vector )
                __clear_bit(vector, desc->arch.used_vectors);
        }

    for ( irq = 0; irq < nr_irqs; irq++ )
    {
        struct irq_desc *desc = irq_to_desc(irq);

        if ( !(desc->status & IRQ_GUEST) ||
             desc->handler->enable == enable_8259A_irq )
            continue;

        desc->arch.move_in_progress = 0;
        desc->arch.move_cleanup_count = 0;
        desc->arch.old_vector = IRQ_VECTOR_UNASSIGNED;
        cpumask_clear(desc->arch.old_cpu_mask);
    }
}

/* What fired in between fired there. */
void liveupdate_suspect_irqs(void)
{
    unsigned int irq;

    for ( irq = 0; irq < nr_irqs; irq++ )
    {
        struct irq_desc *desc = irq_to_desc(irq);
        const irq_guest_action_t *action;
        unsigned int i;

        if ( !(desc->status & IRQ_GUEST) )
            continue;

        spin_lock(&desc->lock);
        action = guest_action(desc);
        /* A level interrupts again by itself. */
        for ( i = 0; !is_level_triggered(desc) && i < action->nr_guests; i++ )
        {
            struct domain *d = action->guest[i];
            struct pirq *info = pirq_info(d, domain_irq_to_pirq(d, irq));

            if ( is_hvm_domain(d) && desc->msi_desc &&
                 desc->msi_desc->msi_attrib.guest_masked )
                continue;
            if ( !is_hvm_domain(d) || !hvm_do_IRQ_dpci(d, info) )
                send_guest_pirq(d, info);
        }
        spin_unlock(&desc->lock);
    }
}

const struct liveupdate_resource liveupdate_res_pirq = {
    .name = "pirq",
    .check = pirq_check,
    .refs = pirq_refs,
    .save = pirq_save,
    .plan = pirq_plan,
    .commit = pirq_commit,
    .resume = pirq_resume,
};
