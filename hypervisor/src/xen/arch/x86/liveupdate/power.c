/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: power states of CPUs.
 *
 * Xen does not interpret the methods of the ACPI tables.  The hardware domain
 * does, tells Xen once (XENPF_set_processor_pminfo, xen-acpi-processor), and will
 * not tell again.  What it said is kept as it was said, and repeated to the target
 * by the functions that the hypercall uses: idle states (Cx), and performance
 * states (Px) with what they belong to.  A driver of Xen's own that ignores it
 * (mwait-idle) does so once more.
 *
 * Where these functions copy the states from the hardware domain, the target has
 * them from here: liveupdate_copy_cx() and liveupdate_copy_px().
 *
 * What xenpm changed on top of it is not carried.
 *
 * Carried: idle states and performance states of CPUs, as the hardware domain
 * told them.
 */

#include <xen/acpi.h>
#include <xen/guest_access.h>
#include <xen/init.h>
#include <xen/list.h>
#include <xen/pmstat.h>
#include <xen/sched.h>
#include <xen/spinlock.h>
#include <xen/xmalloc.h>

#include <asm/liveupdate-power.h>

#include <acpi/cpufreq/cpufreq.h>

/* Of one CPU.  Xen's statistics count performance states in a byte. */
#define MAX_STATES 255

/* What was told of one CPU.  The handles are not used. */
struct told {
    struct list_head list;
    uint32_t acpi_id;
    struct xen_processor_power cx;      /* count 0: nothing */
    struct xen_processor_cx *cstates;
    struct xen_processor_performance px;    /* flags 0: nothing */
    struct xen_processor_px *pstates;
};

/* Under xenpf_lock, as the hypercall is. */
static LIST_HEAD(told_list);

/* Something was told that is not in the list: why. */
static const char *missing;

/* Target: whose states the hypercall's functions are to have. */
static const struct told *telling;

static struct told *find(uint32_t acpi_id)
{
    /* A CPU's states come one after the other.  None is ever freed. */
    static struct told *last;

    if ( last && last->acpi_id == acpi_id )
        return last;

    list_for_each_entry ( last, &told_list, list )
        if ( last->acpi_id == acpi_id )
            return last;

    last = xzalloc(struct told);
    if ( last )
    {
        last->acpi_id = acpi_id;
        list_add_tail(&last->list, &told_list);
    }

    return last;
}

/*
 * Source.
 */

static int note_cx(struct told *t, const struct xen_processor_power *cx)
{
    struct xen_processor_cx *states = NULL;

    if ( cx->count > MAX_STATES )
        return -E2BIG;

    if ( cx->count )
    {
        states = xmalloc_array(struct xen_processor_cx, cx->count);
        if ( !states )
            return -ENOMEM;
        if ( copy_from_guest(states, cx->states, cx->count) )
        {
            xfree(states);
            return -EFAULT;
        }
    }

    xfree(t->cstates);
    t->cstates = states;
    t->cx = *cx;

    return 0;
}

/* Parts can come one by one; see set_px_pminfo(). */
static int note_px(struct told *t, const struct xen_processor_performance *px)
{
    if ( px->flags & ~LU_PX_ALL )
        return -EOPNOTSUPP;

    if ( px->flags & XEN_PX_PSS )
    {
        struct xen_processor_px *states;

        if ( px->state_count > MAX_STATES )
            return -E2BIG;

        states = xmalloc_array(struct xen_processor_px, px->state_count);
        if ( !states )
            return -ENOMEM;
        if ( copy_from_guest(states, px->states, px->state_count) )
        {
            xfree(states);
            return -EFAULT;
        }
        xfree(t->pstates);
        t->pstates = states;
        t->px.state_count = px->state_count;
    }

    if ( px->flags & XEN_PX_PCT )
    {
        t->px.control_register = px->control_register;
        t->px.status_register = px->status_register;
    }
    if ( px->flags & XEN_PX_PSD )
    {
        t->px.domain_info = px->domain_info;
        t->px.shared_type = px->shared_type;
    }
    if ( px->flags & XEN_PX_PPC )
        t->px.platform_limit = px->platform_limit;
    t->px.flags |= px->flags;

    return 0;
}

void liveupdate_note_pminfo(const struct xenpf_set_processor_pminfo *info)
{
    struct told *t;
    int rc;

    /* The answer to _PDC is worked out anew each time, and not kept. */
    if ( info->type == XEN_PM_PDC )
        return;

    t = find(info->id);
    if ( !t )
        rc = -ENOMEM;
    else if ( info->type == XEN_PM_CX )
        rc = note_cx(t, &info->u.power);
    else if ( info->type == XEN_PM_PX )
        rc = note_px(t, &info->u.perf);
    else
        rc = -EOPNOTSUPP;

    switch ( rc )
    {
    case 0:
        break;
    case -ENOMEM:
        missing = "there was no memory to note them";
        break;
    case -E2BIG:
        missing = "a CPU has too many of them";
        break;
    case -EFAULT:
        missing = "they were gone when they were to be noted";
        break;
    default:
        missing = "they are of an unknown kind";
        break;
    }
}

/* What xenpm can change, as far as it is not what a boot would make of it. */
static int check_policy(unsigned int cpu)
{
    const struct cpufreq_policy *policy = per_cpu(cpufreq_cpu_policy, cpu);
    const struct cpufreq_governor *usual =
        cpufreq_opt_governor ?: CPUFREQ_DEFAULT_GOVERNOR;
    const struct processor_pminfo *info = processor_pminfo[cpu];

    if ( !policy )
        return 0;

    if ( policy->governor != usual )
        return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                 "CPU %u has another frequency governor than the command line says (xenpm set-scaling-governor)",
                                 cpu);

    if ( policy->turbo == CPUFREQ_TURBO_DISABLED )
        return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                 "CPU %u has its turbo mode disabled (xenpm disable-turbo-mode)",
                                 cpu);

    /* The platform's own limit is told again. */
    if ( policy->min != policy->cpuinfo.min_freq ||
         (policy->max != policy->cpuinfo.max_freq &&
          !(info && info->perf.platform_limit)) )
        return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                 "CPU %u is limited to frequencies of its own (xenpm set-scaling-maxfreq)",
                                 cpu);

    return 0;
}

static int cf_check power_check(struct domain *unused)
{
    unsigned int cpu;
    int rc = 0, rc2;

    if ( missing )
        rc = liveupdate_refuse(NULL, -EOPNOTSUPP,
                               "power states of CPUs cannot be told again: %s",
                               missing);

    for_each_online_cpu ( cpu )
    {
        rc2 = check_policy(cpu);
        rc = rc ?: rc2;
    }

    return rc;
}

static int cf_check save_cstates(struct lu_writer *w, const struct told *t)
{
    unsigned int i;

    for ( i = 0; i < t->cx.count; i++ )
    {
        const struct xen_processor_cx *cx = &t->cstates[i];
        struct lu_cstates_entry *e = lu_record_entries(w, 1);

        if ( !e )
            return -ENOSPC;

        e->acpi_id = t->acpi_id;
        e->flags = (t->cx.flags.bm_control ? LU_CX_BM_CONTROL : 0) |
                   (t->cx.flags.bm_check ? LU_CX_BM_CHECK : 0) |
                   (t->cx.flags.has_cst ? LU_CX_HAS_CST : 0);
        e->state = cx->type;
        e->latency = cx->latency;
        e->power = cx->power;
        e->address = cx->reg.address;
        e->space_id = cx->reg.space_id;
        e->bit_width = cx->reg.bit_width;
        e->bit_offset = cx->reg.bit_offset;
        e->access_size = cx->reg.access_size;
    }

    return 0;
}

static void describe_register(struct lu_performance_entry *e, unsigned int i,
                              const struct xen_pct_register *reg)
{
    e->address[i] = reg->address;
    e->length[i] = reg->length;
    e->descriptor[i] = reg->descriptor;
    e->space_id[i] = reg->space_id;
    e->bit_width[i] = reg->bit_width;
    e->bit_offset[i] = reg->bit_offset;
}

static int cf_check save_performance(struct lu_writer *w,
                                     const struct told *t)
{
    struct lu_performance_entry *e;

    if ( !t->px.flags )
        return 0;

    e = lu_record_entries(w, 1);
    if ( !e )
        return -ENOSPC;

    e->acpi_id = t->acpi_id;
    e->flags = t->px.flags;
    e->platform_limit = t->px.platform_limit;
    e->shared_type = t->px.shared_type;
    BUILD_BUG_ON(sizeof(e->domain) != sizeof(t->px.domain_info));
    memcpy(e->domain, &t->px.domain_info, sizeof(e->domain));
    describe_register(e, 0, &t->px.control_register);
    describe_register(e, 1, &t->px.status_register);

    return 0;
}

static int cf_check save_pstates(struct lu_writer *w, const struct told *t)
{
    unsigned int i;

    for ( i = 0; i < t->px.state_count; i++ )
    {
        const struct xen_processor_px *px = &t->pstates[i];
        struct lu_pstates_entry *e = lu_record_entries(w, 1);

        if ( !e )
            return -ENOSPC;

        e->acpi_id = t->acpi_id;
        e->frequency = px->core_frequency;
        e->power = px->power;
        e->transition_latency = px->transition_latency;
        e->bus_master_latency = px->bus_master_latency;
        e->control = px->control;
        e->status = px->status;
    }

    return 0;
}

static int save_all(struct lu_writer *w, enum lu_record_type type,
                    int (*save)(struct lu_writer *w, const struct told *t))
{
    const struct told *t;
    int rc = 0;

    if ( !lu_record_begin(w, type, 0, 0) )
        return -ENOSPC;

    list_for_each_entry ( t, &told_list, list )
        rc = rc ?: save(w, t);
    if ( !rc )
        lu_record_end(w);

    return rc;
}

static int cf_check power_save(struct lu_writer *w, struct domain *unused)
{
    if ( list_empty(&told_list) )
        return 0;

    return save_all(w, LU_REC_CSTATES, save_cstates) ?:
           save_all(w, LU_REC_PERFORMANCE, save_performance) ?:
           save_all(w, LU_REC_PSTATES, save_pstates);
}

/*
 * Target.
 */

/* Room for one more state in an array of @nr of them. */
#define grow(array, nr)                                             \
    ((nr) < MAX_STATES                                              \
     ? _xrealloc(array, ((nr) + 1) * sizeof(*(array)),              \
                 __alignof__(*(array)))                             \
     : NULL)

static int __init cf_check plan_cstate(const struct lu_record *r,
                                       unsigned int i)
{
    struct lu_cstates_entry e;
    struct xen_processor_cx *states;
    struct told *t;

    LU_ENTRY(r, i, &e);
    t = find(e.acpi_id);
    states = t ? grow(t->cstates, t->cx.count) : NULL;
    if ( !states )
        return -ENOMEM;

    t->cstates = states;
    t->cx.flags.bm_control = !!(e.flags & LU_CX_BM_CONTROL);
    t->cx.flags.bm_check = !!(e.flags & LU_CX_BM_CHECK);
    t->cx.flags.has_cst = !!(e.flags & LU_CX_HAS_CST);
    states[t->cx.count++] = (struct xen_processor_cx){
        .type = e.state,
        .latency = e.latency,
        .power = e.power,
        .reg = {
            .address = e.address,
            .space_id = e.space_id,
            .bit_width = e.bit_width,
            .bit_offset = e.bit_offset,
            .access_size = e.access_size,
        },
    };

    return 0;
}

static struct xen_pct_register __init
get_register(const struct lu_performance_entry *e, unsigned int i)
{
    return (struct xen_pct_register){
        .address = e->address[i],
        .length = e->length[i],
        .descriptor = e->descriptor[i],
        .space_id = e->space_id[i],
        .bit_width = e->bit_width[i],
        .bit_offset = e->bit_offset[i],
    };
}

static int __init cf_check plan_performance(const struct lu_record *r,
                                            unsigned int i)
{
    struct lu_performance_entry e;
    struct told *t;

    LU_ENTRY(r, i, &e);
    t = find(e.acpi_id);
    if ( !t )
        return -ENOMEM;

    t->px.flags = e.flags;
    t->px.platform_limit = e.platform_limit;
    t->px.shared_type = e.shared_type;
    memcpy(&t->px.domain_info, e.domain, sizeof(e.domain));
    t->px.control_register = get_register(&e, 0);
    t->px.status_register = get_register(&e, 1);

    return 0;
}

static int __init cf_check plan_pstate(const struct lu_record *r,
                                       unsigned int i)
{
    struct lu_pstates_entry e;
    struct xen_processor_px *states;
    struct told *t;

    LU_ENTRY(r, i, &e);
    t = find(e.acpi_id);
    states = t ? grow(t->pstates, t->px.state_count) : NULL;
    if ( !states )
        return -ENOMEM;

    t->pstates = states;
    states[t->px.state_count++] = (struct xen_processor_px){
        .core_frequency = e.frequency,
        .power = e.power,
        .transition_latency = e.transition_latency,
        .bus_master_latency = e.bus_master_latency,
        .control = e.control,
        .status = e.status,
    };

    return 0;
}

static int __init plan_all(enum lu_record_type type,
                           int (*plan)(const struct lu_record *r,
                                       unsigned int i))
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL, type,
                                               LU_ANY_DOMID);
    unsigned int i;
    int rc = 0;

    for ( i = 0; r && !rc && i < r->nr; i++ )
        rc = plan(r, i);

    return rc;
}

static int __init cf_check power_plan(struct domain *unused)
{
    return plan_all(LU_REC_CSTATES, plan_cstate) ?:
           plan_all(LU_REC_PERFORMANCE, plan_performance) ?:
           plan_all(LU_REC_PSTATES, plan_pstate);
}

/* A CPU without its states runs none the worse for the domains. */
static void __init complain(const struct told *t, const char *what, int rc)
{
    if ( rc )
        printk(XENLOG_WARNING "liveupdate: %s states of CPU with ACPI ID %#x: %d\n",
               what, t->acpi_id, rc);
}

/* Domains are still paused, so that nobody else tells Xen anything. */
static void __init cf_check power_resume(struct domain *unused)
{
    struct told *t;

    list_for_each_entry ( t, &told_list, list )
    {
        telling = t;
        if ( t->cx.count && (xen_processor_pmbits & XEN_PROCESSOR_PM_CX) )
            complain(t, "idle", set_cx_pminfo(t->acpi_id, &t->cx));
        if ( t->px.flags && (xen_processor_pmbits & XEN_PROCESSOR_PM_PX) )
            complain(t, "performance", set_px_pminfo(t->acpi_id, &t->px));
    }
    telling = NULL;
}

/*
 * Both.
 */

int liveupdate_copy_cx(struct xen_processor_cx *to,
                       XEN_GUEST_HANDLE(xen_processor_cx_t) from,
                       unsigned int i)
{
    if ( !telling )
        return copy_from_guest_offset(to, from, i, 1) ? -EFAULT : 0;

    *to = telling->cstates[i];

    return 0;
}

int liveupdate_copy_px(struct xen_processor_px *to,
                       XEN_GUEST_HANDLE(xen_processor_px_t) from,
                       unsigned int nr)
{
    if ( !telling )
        return copy_from_guest(to, from, nr) ? -EFAULT : 0;

    memcpy(to, telling->pstates, nr * sizeof(*to));

    return 0;
}

const struct liveupdate_resource liveupdate_res_power = {
    .name = "power",
    .host = true,
    .check = power_check,
    .save = power_save,
    .plan = power_plan,
    .resume = power_resume,
};
