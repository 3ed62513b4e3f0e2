/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: how domains and vCPUs are scheduled.  Included by
 * common/sched/core.c.
 *
 * Carried are the parameters that the toolstack sets (weight, cap, affinities),
 * what keeps a vCPU from running (it is blocked, polls, or was paused), and how
 * long it has been in which state.  What the scheduler itself made of it, such
 * as credits and placement, is not: the target's starts afresh, as it does for
 * a domain that comes out of another cpupool.
 *
 * A paused vCPU is in state blocked or offline since some system time.  Both go
 * on in the target, so that the first change of state there accounts for the
 * update itself, once and under what the vCPU was doing.
 *
 * Physical CPUs are named by APIC id, and NUMA nodes by where their memory is.
 *
 * Carried: weights, caps and other parameters of credit2 and credit, the
 * cpupool; hard and soft affinities, nodes; what a vCPU waits for, its pauses,
 * how long it has been in which state.
 */

#include <xen/ioreq.h>

/* Has it a name in sched=, and are its parameters known here? */
bool liveupdate_scheduler_carried(const struct scheduler *s)
{
    return s->sched_id == XEN_SCHEDULER_CREDIT2 ||
           s->sched_id == XEN_SCHEDULER_CREDIT ||
           s->sched_id == XEN_SCHEDULER_NULL;
}

/* Name and parameters of @s as a whole. */
int liveupdate_scheduler_get(const struct scheduler *s,
                             struct lu_cpupools_entry *e)
{
    struct xen_sysctl_scheduler_op op = {
        .sched_id = s->sched_id,
        .cmd = XEN_SYSCTL_SCHEDOP_getinfo,
    };
    int rc;

    strlcpy(e->scheduler, s->opt_name, sizeof(e->scheduler));
    if ( s->sched_id == XEN_SCHEDULER_NULL )
        return 0;

    rc = sched_adjust_cpupool(s, &op);
    if ( rc )
        return rc;

    if ( s->sched_id == XEN_SCHEDULER_CREDIT2 )
        e->ratelimit_us = op.u.sched_credit2.ratelimit_us;
    else
    {
        e->ratelimit_us = op.u.sched_credit.ratelimit_us;
        e->tslice_ms = op.u.sched_credit.tslice_ms;
        e->migration_delay_us = op.u.sched_credit.vcpu_migr_delay_us;
    }

    return 0;
}

int liveupdate_scheduler_set(const struct scheduler *s,
                             const struct lu_cpupools_entry *e)
{
    struct xen_sysctl_scheduler_op op = {
        .sched_id = s->sched_id,
        .cmd = XEN_SYSCTL_SCHEDOP_putinfo,
    };
    struct lu_cpupools_entry now = {};
    int rc = liveupdate_scheduler_get(s, &now);

    if ( rc )
        return rc;

    if ( strncmp(e->scheduler, now.scheduler, sizeof(now.scheduler)) )
        return liveupdate_refuse(NULL, -EINVAL, "scheduler %.16s is now %s",
                                 e->scheduler, now.scheduler);

    /* It prints what it does, so let it do only what has to be done. */
    if ( e->ratelimit_us == now.ratelimit_us &&
         e->tslice_ms == now.tslice_ms &&
         e->migration_delay_us == now.migration_delay_us )
        return 0;

    if ( s->sched_id == XEN_SCHEDULER_CREDIT2 )
        op.u.sched_credit2.ratelimit_us = e->ratelimit_us;
    else
    {
        op.u.sched_credit.ratelimit_us = e->ratelimit_us;
        op.u.sched_credit.tslice_ms = e->tslice_ms;
        op.u.sched_credit.vcpu_migr_delay_us = e->migration_delay_us;
    }

    return sched_adjust_cpupool(s, &op);
}

static int cf_check lu_sched_quiesce(struct domain *d)
{
    const struct vcpu *v;

    for_each_vcpu ( d, v )
    {
        /*
         * Migration to another physical CPU is over as soon as v runs again, and
         * what it has used up of a cap (parked) is the scheduler's own.
         */
        unsigned long flags = v->pause_flags & ~(VPF_blocked | VPF_down |
                                                 VPF_migrating | VPF_parked);
        int pauses = atomic_read(&v->pause_count) - v->controller_pause_count -
                     v->paused_for_shutdown;
        /* "ioreq" knows what for: a device model. */
        bool waits = vcpu_ioreq_pending((struct vcpu *)v);

        if ( waits )
            flags &= ~VPF_blocked_in_xen;

        /*
         * Left behind by an initialisation that failed, or that its caller did not
         * go on with: it keeps from running what is down anyway, and is set again
         * by the next attempt.  A reset of the toolstack's that is interrupted
         * leaves is_initialised alone until it is through.
         */
        if ( !v->is_initialised )
            flags &= ~VPF_in_reset;

        if ( v->is_running )
            return liveupdate_refuse(d, -EBUSY, "vCPU %u still runs", v->vcpu_id);

        /* A hypercall that goes on in a tasklet, or waits in Xen. */
        if ( flags || pauses || (v->affinity_broken & VCPU_AFFINITY_WAIT) )
            return liveupdate_refuse(d, -EBUSY,
                                     "vCPU %u waits for Xen (%#lx, %d)",
                                     v->vcpu_id, flags, pauses);

        if ( v->defer_shutdown && !waits )
            return liveupdate_refuse(d, -EBUSY,
                                     "vCPU %u holds back a shutdown", v->vcpu_id);
    }

    return 0;
}

static int lu_get_params(const struct domain *d, struct lu_sched *rec)
{
    struct scheduler *s = dom_scheduler(d);
    struct xen_domctl_scheduler_op op = {
        .sched_id = s->sched_id,
        .cmd = XEN_DOMCTL_SCHEDOP_getinfo,
    };
    struct lu_cpupools_entry all = {};
    int rc = liveupdate_scheduler_get(s, &all);

    if ( rc )
        return rc;

    strlcpy(rec->scheduler, all.scheduler, sizeof(rec->scheduler));
    rec->ratelimit_us = all.ratelimit_us;
    rec->tslice_ms = all.tslice_ms;
    rec->migration_delay_us = all.migration_delay_us;

    if ( s->sched_id == XEN_SCHEDULER_NULL )
        return 0;

    rc = sched_adjust_dom(s, (struct domain *)d, &op);
    if ( rc )
        return rc;

    if ( s->sched_id == XEN_SCHEDULER_CREDIT2 )
    {
        rec->weight = op.u.credit2.weight;
        rec->cap = op.u.credit2.cap;
    }
    else
    {
        rec->weight = op.u.credit.weight;
        rec->cap = op.u.credit.cap;
    }

    return 0;
}

static int lu_save_cpupool(struct lu_writer *w, const struct domain *d)
{
    struct lu_cpupool *rec;

    if ( d->cpupool == cpupool0 )
        return 0;

    rec = lu_record_begin(w, LU_REC_CPUPOOL, d->domain_id, 0);
    if ( !rec )
        return -ENOSPC;
    rec->cpupool = d->cpupool->cpupool_id;
    lu_record_end(w);

    return 0;
}

static int lu_save_domain(struct lu_writer *w, const struct domain *d)
{
    struct lu_sched *rec = lu_record_begin(w, LU_REC_SCHED, d->domain_id, 0);
    unsigned int node;
    int rc;

    if ( !rec )
        return -ENOSPC;

    rc = lu_get_params(d, rec);
    if ( rc )
        return rc;

    if ( d->auto_node_affinity )
        rec->flags |= LU_SCHED_AUTO_NODES;
    else
        for_each_node_mask ( node, d->node_affinity )
        {
            struct lu_sched_entry *e;

            if ( !node_online(node) || !node_spanned_pages(node) )
                continue;

            e = lu_record_entries(w, 1);
            if ( !e )
                return -ENOSPC;
            e->mfn = node_start_pfn(node);
        }

    lu_record_end(w);

    return lu_save_cpupool(w, d);
}

static int lu_save_affinity(struct lu_writer *w, const struct vcpu *v,
                            struct lu_sched_vcpu *rec)
{
    const struct sched_unit *unit = v->sched_unit;
    const struct {
        const cpumask_t *mask;
        unsigned int set, all;
    } masks[] = {
        { unit->cpu_hard_affinity, LU_AFFINITY_HARD, LU_SCHED_HARD_ALL },
        { v->affinity_broken ? unit->cpu_hard_affinity_saved : &cpumask_all,
          LU_AFFINITY_SAVED, LU_SCHED_SAVED_ALL },
        { unit->cpu_soft_affinity, LU_AFFINITY_SOFT, LU_SCHED_SOFT_ALL },
    };
    unsigned int i, cpu;

    /* All that are there, online or not, is all that may come. */
    for ( i = 0; i < ARRAY_SIZE(masks); i++ )
        rec->flags |= masks[i].all;
    for_each_present_cpu ( cpu )
        for ( i = 0; i < ARRAY_SIZE(masks); i++ )
            if ( !cpumask_test_cpu(cpu, masks[i].mask) )
                rec->flags &= ~masks[i].all;

    for_each_present_cpu ( cpu )
    {
        struct lu_sched_vcpu_entry *e;
        unsigned int set = 0;

        for ( i = 0; i < ARRAY_SIZE(masks); i++ )
            if ( !(rec->flags & masks[i].all) &&
                 cpumask_test_cpu(cpu, masks[i].mask) )
                set |= masks[i].set;
        if ( !set )
            continue;

        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        e->apic_id = cpu_physical_id(cpu);
        e->set = set;
    }

    return 0;
}

static int lu_save_vcpu(struct lu_writer *w, const struct vcpu *v)
{
    const struct domain *d = v->domain;
    struct lu_sched_vcpu *rec = lu_record_begin(w, LU_REC_SCHED_VCPU,
                                                d->domain_id, v->vcpu_id);
    unsigned int i;
    int rc;

    if ( !rec )
        return -ENOSPC;

    rec->flags = (v->pause_flags & VPF_blocked ? LU_SCHED_BLOCKED : 0) |
                 (v->paused_for_shutdown ? LU_SCHED_SHUT_DOWN : 0) |
                 (v->affinity_broken & VCPU_AFFINITY_OVERRIDE
                  ? LU_SCHED_PIN_OVERRIDE : 0);
    if ( test_bit(v->vcpu_id, d->poll_mask) )
    {
        rec->flags |= LU_SCHED_POLLING;
        rec->poll_port = max(v->poll_evtchn, 0);
    }
    rec->controller_pauses = v->controller_pause_count;

    BUILD_BUG_ON(ARRAY_SIZE(rec->time) != ARRAY_SIZE(v->runstate.time));
    rec->runstate = v->runstate.state;
    rec->entry_time = v->runstate.state_entry_time;
    for ( i = 0; i < ARRAY_SIZE(rec->time); i++ )
        rec->time[i] = v->runstate.time[i];

    rc = lu_save_affinity(w, v, rec);
    if ( rc )
        return rc;

    lu_record_end(w);

    return 0;
}

static int cf_check lu_sched_save(struct lu_writer *w, struct domain *d)
{
    const struct vcpu *v;
    int rc = lu_save_domain(w, d);

    for_each_vcpu ( d, v )
    {
        if ( rc )
            break;
        rc = lu_save_vcpu(w, v);
    }

    return rc;
}

static int lu_set_params(struct domain *d, const struct lu_sched *rec)
{
    struct scheduler *s = dom_scheduler(d);
    struct xen_domctl_scheduler_op op = {
        .sched_id = s->sched_id,
        .cmd = XEN_DOMCTL_SCHEDOP_putinfo,
    };
    struct lu_cpupools_entry all = {
        .ratelimit_us = rec->ratelimit_us,
        .tslice_ms = rec->tslice_ms,
        .migration_delay_us = rec->migration_delay_us,
    };
    struct lu_sched now = {};
    int rc;

    BUILD_BUG_ON(sizeof(all.scheduler) != sizeof(rec->scheduler));
    memcpy(all.scheduler, rec->scheduler, sizeof(all.scheduler));
    rc = liveupdate_scheduler_set(s, &all) ?: lu_get_params(d, &now);
    if ( rc || s->sched_id == XEN_SCHEDULER_NULL )
        return rc;

    if ( rec->weight == now.weight && rec->cap == now.cap )
        return 0;

    if ( s->sched_id == XEN_SCHEDULER_CREDIT2 )
    {
        op.u.credit2.weight = rec->weight;
        op.u.credit2.cap = rec->cap;
    }
    else
    {
        op.u.credit.weight = rec->weight;
        op.u.credit.cap = rec->cap;
    }

    return sched_adjust_dom(s, d, &op);
}

static int lu_restore_nodes(struct domain *d, const struct lu_record *r,
                            const struct lu_sched *rec)
{
    nodemask_t nodes;
    unsigned int i;

    if ( rec->flags & LU_SCHED_AUTO_NODES )
    {
        domain_update_node_affinity(d);
        return 0;
    }

    nodes_clear(nodes);
    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_sched_entry e;

        LU_ENTRY(r, i, &e);
        if ( e.mfn >= max_page )
            return liveupdate_refuse(d, -EINVAL, "no node at frame %#"PRIx64,
                                     e.mfn);
        node_set(mfn_to_nid(_mfn(e.mfn)), nodes);
    }

    return domain_set_node_affinity(d, &nodes);
}

/* The masks of @set, from the entries of @r. */
static void lu_read_affinity(const struct lu_record *r, unsigned int set, bool all,
                             cpumask_t *mask)
{
    unsigned int i, cpu;

    if ( all )
    {
        cpumask_setall(mask);
        return;
    }

    cpumask_clear(mask);
    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_sched_vcpu_entry e;

        LU_ENTRY(r, i, &e);
        if ( !(e.set & set) )
            continue;

        for_each_present_cpu ( cpu )
            if ( cpu_physical_id(cpu) == e.apic_id )
                __cpumask_set_cpu(cpu, mask);
    }
}

static int lu_restore_affinity(struct vcpu *v, const struct lu_record *r,
                               const struct lu_sched_vcpu *rec)
{
    struct sched_unit *unit = v->sched_unit;
    cpumask_var_t hard, soft;
    spinlock_t *lock;
    int rc = -ENOMEM;

    if ( (rec->flags & (LU_SCHED_HARD_ALL | LU_SCHED_SOFT_ALL |
                        LU_SCHED_PIN_OVERRIDE)) ==
         (LU_SCHED_HARD_ALL | LU_SCHED_SOFT_ALL) )
        return 0;

    if ( !zalloc_cpumask_var(&hard) )
        return rc;
    if ( !zalloc_cpumask_var(&soft) )
        goto out;

    lu_read_affinity(r, LU_AFFINITY_HARD, rec->flags & LU_SCHED_HARD_ALL, hard);
    lu_read_affinity(r, LU_AFFINITY_SOFT, rec->flags & LU_SCHED_SOFT_ALL, soft);

    rc = 0;
    if ( !cpumask_intersects(hard, VCPU2ONLINE(v)) )
    {
        rc = liveupdate_refuse(v->domain, -EINVAL,
                               "no physical CPU that vCPU %u may run on is online",
                               v->vcpu_id);
        goto out;
    }

    rcu_read_lock(&sched_res_rculock);
    lock = unit_schedule_lock_irq(unit);

    if ( rec->flags & LU_SCHED_PIN_OVERRIDE )
    {
        v->affinity_broken = VCPU_AFFINITY_OVERRIDE;
        lu_read_affinity(r, LU_AFFINITY_SAVED, rec->flags & LU_SCHED_SAVED_ALL,
                         unit->cpu_hard_affinity_saved);
    }
    sched_set_affinity(unit, hard, soft);
    sched_unit_migrate_start(unit);

    unit_schedule_unlock_irq(lock, unit);
    sched_unit_migrate_finish(unit);
    rcu_read_unlock(&sched_res_rculock);

 out:
    free_cpumask_var(soft);
    free_cpumask_var(hard);

    return rc;
}

static void lu_restore_runstate(struct vcpu *v, const struct lu_sched_vcpu *rec)
{
    struct sched_unit *unit = v->sched_unit;
    spinlock_t *lock;
    unsigned int i;

    rcu_read_lock(&sched_res_rculock);
    lock = unit_schedule_lock_irq(unit);

    unit->runstate_cnt[v->runstate.state]--;
    /* It is paused, and the scheduler relies on what follows from that. */
    v->runstate.state = rec->runstate == RUNSTATE_blocked ? RUNSTATE_blocked
                                                          : RUNSTATE_offline;
    v->runstate.state_entry_time = rec->entry_time;
    for ( i = 0; i < ARRAY_SIZE(rec->time); i++ )
        v->runstate.time[i] = rec->time[i];
    unit->runstate_cnt[v->runstate.state]++;

    if ( rec->flags & LU_SCHED_POLLING )
    {
        v->poll_evtchn = rec->poll_port ?: -1;
        set_bit(v->vcpu_id, v->domain->poll_mask);
    }
    if ( rec->flags & LU_SCHED_BLOCKED )
        set_bit(_VPF_blocked, &v->pause_flags);
    vcpu_urgent_count_update(v);

    unit_schedule_unlock_irq(lock, unit);
    rcu_read_unlock(&sched_res_rculock);

    v->controller_pause_count = rec->controller_pauses;
    v->paused_for_shutdown = rec->flags & LU_SCHED_SHUT_DOWN;
    atomic_set(&v->pause_count,
               v->controller_pause_count + v->paused_for_shutdown);
}

static int lu_restore_vcpu(struct vcpu *v)
{
    const struct lu_record *r = lu_record_find_vcpu(&liveupdate_stream,
                                                    LU_REC_SCHED_VCPU,
                                                    v->domain->domain_id,
                                                    v->vcpu_id);
    struct lu_sched_vcpu rec;
    int rc;

    if ( !r )
        return liveupdate_refuse(v->domain, -ENODATA,
                                 "nothing says how vCPU %u is scheduled",
                                 v->vcpu_id);
    LU_FIXED(r, &rec);

    rc = lu_restore_affinity(v, r, &rec);
    if ( !rc )
        lu_restore_runstate(v, &rec);

    return rc;
}

static int cf_check lu_sched_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_SCHED, d->domain_id);
    struct lu_sched rec;
    struct vcpu *v;
    int rc;

    if ( !r )
        return liveupdate_refuse(d, -ENODATA, "nothing says how it is scheduled");
    LU_FIXED(r, &rec);

    rc = lu_set_params(d, &rec);
    for_each_vcpu ( d, v )
    {
        if ( rc )
            break;
        rc = lu_restore_vcpu(v);
    }

    return rc ?: lu_restore_nodes(d, r, &rec);
}

const struct liveupdate_resource liveupdate_res_sched = {
    .name = "sched",
    .quiesce = lu_sched_quiesce,
    .save = lu_sched_save,
    .plan = lu_sched_plan,
};
