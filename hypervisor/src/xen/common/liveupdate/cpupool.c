/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: cpupools.  Included by common/sched/cpupool.c.
 *
 * The target makes them at the moment when it would put all CPUs into cpupool
 * 0, so that no CPU changes from one scheduler to another, and creates domains
 * right into theirs ("domain").  With cpupool 0 alone, and all CPUs in it, there
 * is nothing to tell.
 *
 * CPUs are named by APIC id.
 *
 * Carried: cpupools with their numbers, CPUs, schedulers, and the parameters of
 * these; CPUs that are in no cpupool.
 */

#include <xen/liveupdate-core.h>

static int cf_check lu_cpupool_check(struct domain *unused)
{
    const struct cpupool *c;
    int rc = 0;

    spin_lock(&cpupool_lock);

    list_for_each_entry ( c, &cpupool_list, list )
    {
        if ( c->sched_gran != 1 )
            rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                                   "cpupool %u: vCPUs are scheduled in groups (sched-gran)",
                                   c->cpupool_id);

        if ( !liveupdate_scheduler_carried(c->sched) )
            rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                                   "cpupool %u: scheduler %s is not carried",
                                   c->cpupool_id, c->sched->opt_name);
    }

    spin_unlock(&cpupool_lock);

    return rc;
}

/* The build option of the scheduler, 0: it has none that is told. */
static uint32_t lu_feature_of(const struct scheduler *s)
{
    switch ( s->sched_id )
    {
    case XEN_SCHEDULER_CREDIT:
        return LU_HAS_SCHED_CREDIT;

    case XEN_SCHEDULER_CREDIT2:
        return LU_HAS_SCHED_CREDIT2;

    case XEN_SCHEDULER_RTDS:
        return LU_HAS_SCHED_RTDS;

    case XEN_SCHEDULER_ARINC653:
        return LU_HAS_SCHED_ARINC653;

    case XEN_SCHEDULER_NULL:
        return LU_HAS_SCHED_NULL;

    default:
        return 0;
    }
}

/* For the resource "target". */
int liveupdate_cpupools_suit(void)
{
    const struct cpupool *c;
    int rc = 0;

    spin_lock(&cpupool_lock);

    list_for_each_entry ( c, &cpupool_list, list )
    {
        uint32_t feature = lu_feature_of(c->sched);

        if ( feature && liveupdate_target_lacks(feature) )
            rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                                   "cpupool %u: the target is built without its scheduler (%s)",
                                   c->cpupool_id, c->sched->opt_name);
    }

    spin_unlock(&cpupool_lock);

    return rc;
}

static int cf_check lu_cpupool_quiesce(struct domain *unused)
{
    if ( cpupool_moving_cpu != -1 )
        return liveupdate_refuse(NULL, -EBUSY,
                                 "CPU %d is on its way out of a cpupool",
                                 cpupool_moving_cpu);

    return 0;
}

static int lu_save_cpus(struct lu_writer *w)
{
    const struct cpupool *c;
    struct lu_cpupool_cpus_entry *e;
    unsigned int cpu;

    if ( !lu_record_begin(w, LU_REC_CPUPOOL_CPUS, 0, 0) )
        return -ENOSPC;

    for_each_online_cpu ( cpu )
    {
        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        e->apic_id = cpu_physical_id(cpu);
        e->cpupool = LU_CPUPOOL_NONE;
        list_for_each_entry ( c, &cpupool_list, list )
            if ( cpumask_test_cpu(cpu, c->cpu_valid) )
                e->cpupool = c->cpupool_id;
    }

    lu_record_end(w);

    return 0;
}

/* Nobody changes the list: who could is paused. */
static int cf_check lu_cpupool_save(struct lu_writer *w, struct domain *unused)
{
    const struct cpupool *c;
    struct lu_cpupools_entry *e;
    int rc = 0;

    if ( n_cpupools == 1 && cpumask_equal(cpupool0->cpu_valid, &cpu_online_map) )
        return 0;

    if ( !lu_record_begin(w, LU_REC_CPUPOOLS, 0, 0) )
        return -ENOSPC;

    list_for_each_entry ( c, &cpupool_list, list )
    {
        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        e->cpupool = c->cpupool_id;
        rc = liveupdate_scheduler_get(c->sched, e);
        if ( rc )
            return rc;
    }

    lu_record_end(w);

    return lu_save_cpus(w);
}

/* What goes wrong here is noticed by plan(). */
void __init liveupdate_create_cpupools(void)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_CPUPOOLS, LU_ANY_DOMID);
    unsigned int i;

    for ( i = 0; r && i < r->nr; i++ )
    {
        char name[sizeof_field(struct lu_cpupools_entry, scheduler) + 1] = {};
        struct lu_cpupools_entry e;
        struct cpupool *c;
        int sched_id;

        LU_ENTRY(r, i, &e);
        memcpy(name, e.scheduler, sizeof(e.scheduler));
        sched_id = sched_get_id_by_name(name);
        if ( !e.cpupool || sched_id < 0 )
            continue;

        c = cpupool_create(e.cpupool, sched_id);
        if ( !IS_ERR(c) )
            cpupool_put(c);
    }
}

/* The cpupool to put @cpu into; NULL: none. */
struct cpupool *__init liveupdate_cpupool(unsigned int cpu)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_CPUPOOL_CPUS,
                                               LU_ANY_DOMID);
    unsigned int i;

    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_cpupool_cpus_entry e;

        LU_ENTRY(r, i, &e);
        if ( e.apic_id == cpu_physical_id(cpu) )
            return cpupool_find_by_id(e.cpupool);
    }

    return cpupool0;
}

static int cf_check lu_cpupool_plan(struct domain *unused)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_CPUPOOLS, LU_ANY_DOMID);
    unsigned int i;

    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_cpupools_entry e;
        struct cpupool *c;
        int rc;

        LU_ENTRY(r, i, &e);
        c = cpupool_get_by_id(e.cpupool);
        if ( !c )
            return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                     "cpupool %u (scheduler %.16s) cannot be created",
                                     e.cpupool, e.scheduler);
        rc = liveupdate_scheduler_set(c->sched, &e);
        cpupool_put(c);
        if ( rc )
            return rc;
    }

    return 0;
}

const struct liveupdate_resource liveupdate_res_cpupool = {
    .name = "cpupool",
    .host = true,
    .check = lu_cpupool_check,
    .quiesce = lu_cpupool_quiesce,
    .save = lu_cpupool_save,
    .plan = lu_cpupool_plan,
};
