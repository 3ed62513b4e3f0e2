/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update resource "host": what both Xens must agree on, and the facts for
 * the report.  The target reads HOST itself as early as liveupdate_adopt();
 * plan() only verifies what could not be verified by then.
 *
 * CPUs that were taken offline (xen-hptool cpu-offline, smt-disable) stay so: the
 * target brings them up and down again where a boot does it with those that smt=
 * or maxcpus= leave out, so that they sleep in the target's code, and whoever
 * brings them online later finds what he would have found in the source.
 *
 * Carried: which Xen the source is, its CPUs by APIC id, which of them are offline,
 * whether SMT was switched at run time, its number of irqs, the crash kernel's
 * region, of which releases the tools may be, the times of its phases.
 */

#include <xen/init.h>
#include <xen/irq.h>
#include <xen/kexec.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/version.h>

#include <asm/liveupdate-efi.h>
#include <asm/setup.h>
#include <asm/smp.h>

/* What the command line says of SMT; opt_smt is changed at run time. */
static int8_t __ro_after_init booted_smt;

static int cf_check host_check(struct domain *d)
{
    /* The target would not know which ones to bring back. */
    if ( IS_ENABLED(CONFIG_CORE_PARKING) && get_cur_idle_nums() )
        return liveupdate_refuse(d, -EOPNOTSUPP,
                                 "%u CPUs sleep as the hardware domain wants it (core parking)",
                                 get_cur_idle_nums());

    return 0;
}

static int save_offline_cpus(struct lu_writer *w)
{
    struct lu_offline_cpus *o = lu_record_begin(w, LU_REC_OFFLINE_CPUS, 0, 0);
    unsigned int cpu;

    if ( !o )
        return -ENOSPC;
    if ( opt_smt != booted_smt )
        o->smt = opt_smt ? LU_SMT_ON : LU_SMT_OFF;
    for_each_present_cpu ( cpu )
    {
        struct lu_offline_cpus_entry *e;

        if ( cpu_online(cpu) || cpu_physical_id(cpu) == BAD_APICID )
            continue;
        e = lu_record_entries(w, 1);
        if ( !e )
            return -ENOSPC;
        e->apic_id = cpu_physical_id(cpu);
        e->cpu = cpu;
    }
    lu_record_end(w);

    return 0;
}

static int cf_check host_save(struct lu_writer *w, struct domain *unused)
{
    const struct liveupdate_report *rep = &liveupdate_report;
    struct lu_host *h = lu_record_begin(w, LU_REC_HOST, 0, 0);
    struct lu_source_phases *p;
    struct lu_cpus *c;
    const struct domain *d;
    unsigned int cpu;
    int rc;

    if ( !h )
        return -ENOSPC;
    h->generation = liveupdate_region.generation;
    h->xen_major = xen_major_version();
    h->xen_minor = xen_minor_version();
    strlcpy(h->xen_extra, xen_extra_version(), sizeof(h->xen_extra));
    strlcpy(h->xen_changeset, xen_changeset(), sizeof(h->xen_changeset));
    h->max_page = max_page;
    for_each_domain ( d )
        h->nr_domains++;
    h->nr_irqs = nr_irqs;
    h->rsdp = liveupdate_rsdp();
    h->tools = liveupdate_tools();
    if ( kexec_crash_area.size )
    {
        h->crash_start = kexec_crash_area.start;
        h->crash_size = kexec_crash_area.size;
    }
    lu_record_end(w);

    c = lu_record_begin(w, LU_REC_CPUS, 0, 0);
    if ( !c )
        return -ENOSPC;
    c->nr_online = num_online_cpus();
    for_each_online_cpu ( cpu )
    {
        struct lu_cpus_entry *e = lu_record_entries(w, 1);

        if ( !e )
            return -ENOSPC;
        e->apic_id = cpu_physical_id(cpu);
        e->cpu = cpu;
    }
    lu_record_end(w);

    rc = save_offline_cpus(w);
    if ( rc )
        return rc;

    p = lu_record_begin(w, LU_REC_SOURCE_PHASES, 0, 0);
    if ( !p )
        return -ENOSPC;
    p->pause_start = rep->pause_start;
    p->quiesce_ns = rep->phase_ns[LU_PHASE_quiesce];
    p->check_ns = rep->phase_ns[LU_PHASE_check];
    lu_record_end(w);

    return 0;
}

/* Before other CPUs are brought up: what was said of SMT at run time holds on. */
static int __init cf_check smt_init(void)
{
    const struct lu_record *r = liveupdate_boot
        ? lu_record_find(&liveupdate_stream, NULL, LU_REC_OFFLINE_CPUS,
                         LU_ANY_DOMID)
        : NULL;
    struct lu_offline_cpus o;

    booted_smt = opt_smt;
    if ( !r )
        return 0;

    LU_FIXED(r, &o);
    if ( o.smt != LU_SMT_BOOT )
        opt_smt = o.smt == LU_SMT_ON;

    return 0;
}
presmp_initcall(smt_init);

bool __init liveupdate_cpu_offline(unsigned int cpu)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_OFFLINE_CPUS,
                                               LU_ANY_DOMID);
    unsigned int i;

    for ( i = 0; r && i < r->nr; i++ )
    {
        struct lu_offline_cpus_entry e;

        LU_ENTRY(r, i, &e);
        if ( e.apic_id == cpu_physical_id(cpu) )
            return true;
    }

    return false;
}

static int cf_check host_plan(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_HOST, LU_ANY_DOMID);
    struct liveupdate_report *rep = &liveupdate_report;
    struct lu_host h;
    struct lu_cpus c;

    LU_FIXED(r, &h);
    if ( h.nr_irqs > nr_irqs )
        return liveupdate_refuse(NULL, -ERANGE,
                                 "the source had %u irqs, this Xen has %u",
                                 h.nr_irqs, nr_irqs);

    liveupdate_set_tools(h.tools);
    snprintf(rep->from, sizeof(rep->from), "%u.%u%s", h.xen_major,
             h.xen_minor, h.xen_extra);

    r = lu_record_find(&liveupdate_stream, NULL, LU_REC_CPUS, LU_ANY_DOMID);
    LU_FIXED(r, &c);
    if ( c.nr_online > num_online_cpus() )
        printk(XENLOG_WARNING
               "liveupdate: %u of %"PRIu64" CPUs came back\n",
               num_online_cpus(), c.nr_online);

    return 0;
}

const struct liveupdate_resource liveupdate_res_host = {
    .name = "host",
    .host = true,
    .check = host_check,
    .save = host_save,
    .plan = host_plan,
};
