/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: domains with their ids and settings.
 *
 * The source writes one DOMAIN record for each domain, and E820 and PIT where
 * it has them.  The target creates the domain from it, empty but for its vCPUs,
 * which are offline.  Everything else is put in by the resources further down
 * in the table.
 *
 * shared_info is the only page of its own that domain_create() would hand to
 * the guest.  It is not allocated anew but adopted at its old place; that it
 * belongs to the domain is the business of "frames".
 *
 * A restored domain is paused as often as its toolstack had paused it, and once
 * more for the restore itself.  That last pause is dropped by domain_unpause(),
 * not by domain_unpause_by_systemcontroller(), which would count as the
 * toolstack's.
 *
 * That a domain is HVM or PVH is told by an HVM record (hvm.c), that it uses an
 * IOMMU by IO_TABLES (iommu.c), that it is in another cpupool than 0 by CPUPOOL
 * (sched.c).
 *
 * Carried: domids, handles, limits, privileges, VM assists, shutdown state, the
 * toolstack's pauses, the memory map (e820), TSC mode, the emulated PIT, the
 * wall clock's offset; shared_info, in place.
 */

#include <xen/domain.h>
#include <xen/err.h>
#include <xen/grant_table.h>
#include <xen/irq.h>
#include <xen/liveupdate.h>
#include <xen/mm.h>
#include <xen/sched.h>
#include <xen/xmalloc.h>

#include <asm/domain.h>
#include <asm/e820.h>
#include <asm/hvm/hvm.h>
#include <asm/hvm/vpt.h>
#include <asm/liveupdate-compat.h>
#include <asm/time.h>

#include <public/domctl.h>

/* XEN_DOMCTL_CDF_* that a domain may have and that its records can express. */
#define CARRIED_OPTIONS (XEN_DOMCTL_CDF_hvm |          \
                         XEN_DOMCTL_CDF_iommu |        \
                         XEN_DOMCTL_CDF_hap |          \
                         XEN_DOMCTL_CDF_s3_integrity | \
                         XEN_DOMCTL_CDF_oos_off |      \
                         XEN_DOMCTL_CDF_xs_domain)

static int cf_check domain_check(struct domain *d)
{
    int rc = 0;

    if ( d->options & ~CARRIED_OPTIONS )
        rc = liveupdate_refuse(d, -EOPNOTSUPP,
                               "was created with options %#x that are not carried",
                               d->options & ~CARRIED_OPTIONS);

    if ( d->cdf & ~CDF_privileged )
        rc = liveupdate_refuse(d, -EOPNOTSUPP,
                               "has internal creation flags %#x", d->cdf);

    if ( is_hardware_domain(d) && d->domain_id )
        rc = liveupdate_refuse(d, -EOPNOTSUPP,
                               "a hardware domain other than dom0");

    if ( d->target )
        rc = liveupdate_refuse(d, -EOPNOTSUPP, "serves %pd as its stub domain",
                               d->target);

    if ( d->debugger_attached )
        rc = liveupdate_refuse(d, -EOPNOTSUPP, "a debugger is attached");

    if ( d->arch.emulation_flags &
         (is_hvm_domain(d) ? X86_EMU_VPCI : ~X86_EMU_PIT) )
        rc = liveupdate_refuse(d, -EOPNOTSUPP, "has emulated devices (%#x)",
                               d->arch.emulation_flags);

    if ( d->ssid )
        rc = liveupdate_refuse(d, -EOPNOTSUPP, "has a security label");

    if ( d->is_dying )
        rc = liveupdate_refuse(d, -EBUSY, "is being destroyed");

    return rc;
}

static int cf_check domain_quiesce(struct domain *d)
{
    /* One pause is the update's own. */
    int pauses = atomic_read(&d->pause_count) - d->controller_pause_count - 1;

    if ( d->is_dying )
        return liveupdate_refuse(d, -EBUSY, "is being destroyed");

    if ( pauses )
        return liveupdate_refuse(d, -EBUSY, "is paused by Xen itself (%d)", pauses);

    return 0;
}

static unsigned int domain_flags(const struct domain *d)
{
    return (d->is_privileged ? LU_DOMAIN_PRIVILEGED : 0) |
           (is_hardware_domain(d) ? LU_DOMAIN_HARDWARE : 0) |
           (d->is_console ? LU_DOMAIN_CONSOLE : 0) |
           (d->creation_finished ? LU_DOMAIN_CREATION_FINISHED : 0) |
           (d->options & XEN_DOMCTL_CDF_xs_domain ? LU_DOMAIN_XS : 0) |
           (d->options & XEN_DOMCTL_CDF_s3_integrity
            ? LU_DOMAIN_S3_INTEGRITY : 0) |
           (has_vpit(d) ? LU_DOMAIN_PIT : 0) |
           (d->arch.msr_relaxed ? LU_DOMAIN_MSR_RELAXED : 0) |
           (d->arch.auto_unmask ? LU_DOMAIN_AUTO_UNMASK : 0) |
           (d->is_shutting_down ? LU_DOMAIN_SHUTTING_DOWN : 0) |
           (d->is_shut_down ? LU_DOMAIN_SHUT_DOWN : 0) |
           (d->time_offset.set ? LU_DOMAIN_TIME_OFFSET_SET : 0) |
           (d->arch.vtsc ? LU_DOMAIN_TSC_EMULATED : 0);
}

static int save_settings(struct lu_writer *w, struct domain *d)
{
    struct lu_domain *rec = lu_record_begin(w, LU_REC_DOMAIN, d->domain_id, 0);
    unsigned int grant_frames, maptrack_frames, grant_version;
    const struct vcpu *v;

    if ( !rec )
        return -ENOSPC;

    rec->max_vcpus = d->max_vcpus;
    for_each_vcpu ( d, v )
        rec->nr_vcpus++;

    BUILD_BUG_ON(sizeof(rec->handle) != sizeof(d->handle));
    memcpy(rec->handle, d->handle, sizeof(rec->handle));

    rec->flags = domain_flags(d);
    rec->max_evtchn_port = d->max_evtchn_port;

    liveupdate_grant_limits(d, &grant_frames, &maptrack_frames, &grant_version);
    rec->max_grant_frames = grant_frames;
    rec->max_maptrack_frames = maptrack_frames;
    rec->max_grant_version = grant_version;

    rec->nr_pirqs = d->nr_pirqs;
    rec->shared_info_mfn = virt_to_mfn(d->shared_info);
    rec->vm_assist = d->vm_assist;
    rec->controller_pauses = d->controller_pause_count;
    rec->shutdown_code = d->shutdown_code;
    rec->suspend_port = d->suspend_evtchn;
    rec->address_bits = d->arch.physaddr_bitsize;
    rec->time_offset = d->time_offset.seconds;

    rec->tsc_offset = d->arch.vtsc_offset;
    rec->tsc_last = d->arch.vtsc_last;
    rec->tsc_mode = d->arch.tsc_mode;
    rec->tsc_khz = d->arch.tsc_khz;
    rec->tsc_incarnation = d->arch.incarnation;

    rec->pci_cf8 = d->arch.pci_cf8;
    rec->cmos_index = d->arch.cmos_idx;
    rec->x87_fip_width = d->arch.x87_fip_width;
    rec->unique_id = liveupdate_unique_id(d);

    lu_record_end(w);

    return 0;
}

static int save_e820(struct lu_writer *w, const struct domain *d)
{
    struct lu_e820_entry *e;
    unsigned int i;

    if ( !d->arch.nr_e820 )
        return 0;

    if ( !lu_record_begin(w, LU_REC_E820, d->domain_id, 0) ||
         !(e = lu_record_entries(w, d->arch.nr_e820)) )
        return -ENOSPC;

    for ( i = 0; i < d->arch.nr_e820; i++ )
        e[i] = (struct lu_e820_entry){
            .addr = d->arch.e820[i].addr,
            .size = d->arch.e820[i].size,
            .type = d->arch.e820[i].type,
        };

    lu_record_end(w);

    return 0;
}

static int save_pit(struct lu_writer *w, const struct domain *d)
{
    const struct PITState *pit = &d->arch.vpit;
    struct lu_pit *rec;
    struct lu_pit_entry *e;
    unsigned int i;

    if ( !has_vpit(d) )
        return 0;

    rec = lu_record_begin(w, LU_REC_PIT, d->domain_id, 0);
    if ( !rec )
        return -ENOSPC;
    rec->speaker = pit->hw.speaker_data_on;

    e = lu_record_entries(w, ARRAY_SIZE(pit->hw.channels));
    if ( !e )
        return -ENOSPC;

    for ( i = 0; i < ARRAY_SIZE(pit->hw.channels); i++ )
    {
        const struct hvm_hw_pit_channel *c = &pit->hw.channels[i];

        e[i] = (struct lu_pit_entry){
            .load_time = pit->count_load_time[i],
            .count = c->count,
            .latched_count = c->latched_count,
            .count_latched = c->count_latched,
            .status_latched = c->status_latched,
            .status = c->status,
            .read_state = c->read_state,
            .write_state = c->write_state,
            .write_latch = c->write_latch,
            .rw_mode = c->rw_mode,
            .mode = c->mode,
            .bcd = c->bcd,
            .gate = c->gate,
            .stop_time = liveupdate_pit_stop_time(pit, i),
            .stopped = liveupdate_pit_stopped(pit, i),
        };
    }

    lu_record_end(w);

    return 0;
}

static int cf_check domain_save(struct lu_writer *w, struct domain *d)
{
    return save_settings(w, d) ?: save_e820(w, d) ?: save_pit(w, d);
}

/*
 * Whether Xen emulates the TSC is not decided anew: the guest has seen it.
 * Going through emulation makes tsc_set_info() compute both scales from the
 * frequency; it does nothing for the hardware domain, which has none.
 */
static int restore_tsc(struct domain *d, const struct lu_domain *rec)
{
    int rc = tsc_set_info(d, XEN_CPUID_TSC_MODE_ALWAYS_EMULATE, 0, rec->tsc_khz,
                          rec->tsc_incarnation - 1);

    if ( rc )
        return rc;

    d->arch.vtsc = rec->flags & LU_DOMAIN_TSC_EMULATED;
    if ( d->arch.vtsc && is_hardware_domain(d) )
        return liveupdate_refuse(d, -EINVAL,
                                 "a hardware domain with an emulated TSC");

    d->arch.tsc_mode = rec->tsc_mode;
    d->arch.tsc_khz = rec->tsc_khz;
    d->arch.incarnation = rec->tsc_incarnation;
    d->arch.vtsc_offset = rec->tsc_offset;
    d->arch.vtsc_last = rec->tsc_last;

    if ( is_hvm_domain(d) )
    {
        if ( hvm_tsc_scaling_supported && !d->arch.vtsc )
            d->arch.hvm.tsc_scaling_ratio =
                hvm_get_tsc_scaling_ratio(d->arch.tsc_khz);
        hvm_set_rdtsc_exiting(d, d->arch.vtsc);
    }

    return 0;
}

static int restore_e820(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_E820, d->domain_id);
    struct e820entry *e820;
    unsigned int i;

    if ( !r )
        return 0;

    if ( r->nr > E820MAX )
        return liveupdate_refuse(d, -E2BIG, "a memory map of %u ranges", r->nr);

    e820 = xmalloc_array(struct e820entry, r->nr);
    if ( !e820 )
        return -ENOMEM;

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_e820_entry e;

        LU_ENTRY(r, i, &e);
        e820[i].addr = e.addr;
        e820[i].size = e.size;
        e820[i].type = e.type;
    }

    d->arch.e820 = e820;
    d->arch.nr_e820 = r->nr;

    return 0;
}

/* Once more, after HVM records have restarted the channels of an HVM domain. */
int liveupdate_restore_pit(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_PIT, d->domain_id);
    struct PITState *pit = &d->arch.vpit;
    struct lu_pit rec;
    unsigned int i;

    if ( !has_vpit(d) != !r ||
         (r && r->nr != ARRAY_SIZE(pit->hw.channels)) )
        return liveupdate_refuse(d, -EINVAL, "the emulated PIT does not match");

    if ( !r )
        return 0;

    LU_FIXED(r, &rec);
    pit->hw.speaker_data_on = rec.speaker;

    for ( i = 0; i < r->nr; i++ )
    {
        struct hvm_hw_pit_channel *c = &pit->hw.channels[i];
        struct lu_pit_entry e;

        LU_ENTRY(r, i, &e);

        /* The emulation divides by it. */
        if ( !e.count || e.count > 0x10000 )
            return liveupdate_refuse(d, -EINVAL, "PIT channel %u counts from %#x",
                                     i, e.count);

        pit->count_load_time[i] = e.load_time;
        liveupdate_set_pit_stop(pit, i, e.stop_time ?: e.load_time, e.stopped);
        *c = (struct hvm_hw_pit_channel){
            .count = e.count,
            .latched_count = e.latched_count,
            .count_latched = e.count_latched,
            .status_latched = e.status_latched,
            .status = e.status,
            .read_state = e.read_state,
            .write_state = e.write_state,
            .write_latch = e.write_latch,
            .rw_mode = e.rw_mode,
            .mode = e.mode,
            .bcd = e.bcd,
            .gate = e.gate,
        };
    }

    return 0;
}

/* What was set since the domain was created. */
static int restore_settings(struct domain *d, const struct lu_domain *rec)
{
    if ( rec->vm_assist & ~arch_vm_assist_valid_mask(d) )
        return liveupdate_refuse(d, -EOPNOTSUPP, "has unknown VM assists %#lx",
                                 rec->vm_assist & ~arch_vm_assist_valid_mask(d));
    d->vm_assist = rec->vm_assist;

    d->is_console = rec->flags & LU_DOMAIN_CONSOLE;
    d->creation_finished = rec->flags & LU_DOMAIN_CREATION_FINISHED;
    d->controller_pause_count = rec->controller_pauses;
    atomic_set(&d->pause_count, rec->controller_pauses + 1);

    /* vCPUs that are paused for it: see "sched". */
    d->is_shutting_down = rec->flags & LU_DOMAIN_SHUTTING_DOWN;
    d->is_shut_down = rec->flags & LU_DOMAIN_SHUT_DOWN;
    d->shutdown_code = rec->shutdown_code;
    d->suspend_evtchn = rec->suspend_port;

    d->time_offset.seconds = rec->time_offset;
    d->time_offset.set = rec->flags & LU_DOMAIN_TIME_OFFSET_SET;

    d->arch.physaddr_bitsize = rec->address_bits;
    d->arch.pci_cf8 = rec->pci_cf8;
    d->arch.cmos_idx = rec->cmos_index;
    d->arch.x87_fip_width = rec->x87_fip_width;
    d->arch.auto_unmask = rec->flags & LU_DOMAIN_AUTO_UNMASK;
    liveupdate_set_unique_id(d, rec->unique_id);

    return 0;
}

static int restore_domain(const struct lu_record *r)
{
    struct lu_domain rec;
    struct xen_domctl_createdomain config = {};
    const struct lu_record *cpupool, *hvm, *io_tables;
    struct domain *d;
    unsigned int i;
    int rc;

    LU_FIXED(r, &rec);

    if ( rec.flags & ~LU_DOMAIN_ALL )
        return liveupdate_refuse(NULL, -EOPNOTSUPP, "d%u: unknown flags %#x",
                                 r->domid, rec.flags & ~LU_DOMAIN_ALL);
    if ( !mfn_valid(_mfn(rec.shared_info_mfn)) )
        return liveupdate_refuse(NULL, -EINVAL,
                                 "d%u: shared_info in frame %#"PRIx64,
                                 r->domid, rec.shared_info_mfn);

    config.flags =
        (rec.flags & LU_DOMAIN_XS ? XEN_DOMCTL_CDF_xs_domain : 0) |
        (rec.flags & LU_DOMAIN_S3_INTEGRITY ? XEN_DOMCTL_CDF_s3_integrity : 0);
    config.max_vcpus = rec.max_vcpus;
    config.max_evtchn_port = rec.max_evtchn_port;
    config.max_grant_frames = rec.max_grant_frames;
    config.max_maptrack_frames = rec.max_maptrack_frames;
    config.grant_opts = XEN_DOMCTL_GRANT_version(rec.max_grant_version);
    config.arch.emulation_flags = rec.flags & LU_DOMAIN_PIT ? XEN_X86_EMU_PIT : 0;
    cpupool = lu_record_find(&liveupdate_stream, NULL, LU_REC_CPUPOOL, r->domid);
    if ( cpupool )
    {
        struct lu_cpupool cpupool_rec;

        LU_FIXED(cpupool, &cpupool_rec);
        config.cpupool_id = cpupool_rec.cpupool;
    }
    io_tables = lu_record_find(&liveupdate_stream, NULL, LU_REC_IO_TABLES,
                               r->domid);
    if ( io_tables )
    {
        struct lu_io_tables io_rec;

        LU_FIXED(io_tables, &io_rec);
        config.flags |= XEN_DOMCTL_CDF_iommu;
        /* Its own even where they could be shared with the CPU. */
        if ( io_rec.flags & LU_IO_TABLES_SYNC )
            config.iommu_opts = XEN_DOMCTL_IOMMU_no_sharept;
    }
    hvm = lu_record_find(&liveupdate_stream, NULL, LU_REC_HVM, r->domid);
    if ( hvm )
    {
        struct lu_hvm hvm_rec;

        LU_FIXED(hvm, &hvm_rec);
        config.flags |= XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap;
        config.arch.emulation_flags = hvm_rec.emulation;
    }
    config.arch.misc_flags =
        rec.flags & LU_DOMAIN_MSR_RELAXED ? XEN_X86_MSR_RELAXED : 0;
    memcpy(config.handle, rec.handle, sizeof(config.handle));

    d = domain_create(r->domid, &config,
                      rec.flags & LU_DOMAIN_PRIVILEGED ? CDF_privileged : 0);
    if ( IS_ERR(d) )
        return liveupdate_refuse(NULL, PTR_ERR(d), "d%u cannot be created",
                                 r->domid);

    /* Not allocated by arch_domain_create(): see the head of this file. */
    ASSERT(!d->shared_info);
    d->shared_info = mfn_to_virt(rec.shared_info_mfn);

    if ( !is_hardware_domain(d) != !(rec.flags & LU_DOMAIN_HARDWARE) )
        return liveupdate_refuse(d, -EINVAL,
                                 "another domain is the hardware domain here");
    if ( d->nr_pirqs < rec.nr_pirqs )
        return liveupdate_refuse(d, -ENOSPC, "may have %u pirqs, here only %u",
                                 rec.nr_pirqs, d->nr_pirqs);

    for ( i = 0; i < rec.nr_vcpus; i++ )
        if ( !vcpu_create(d, i) )
            return liveupdate_refuse(d, -ENOMEM, "vCPU %u cannot be created", i);

    rc = restore_settings(d, &rec) ?: restore_tsc(d, &rec) ?: restore_e820(d) ?:
         liveupdate_restore_pit(d);

    return rc;
}

/* Called with NULL, as there is no domain yet: creates them all. */
static int cf_check domain_plan(struct domain *d)
{
    const struct lu_record *r = NULL;

    if ( d )
        return 0;

    while ( (r = lu_record_find(&liveupdate_stream, r, LU_REC_DOMAIN,
                                LU_ANY_DOMID)) != NULL )
    {
        int rc = restore_domain(r);

        if ( rc )
            return rc;
    }

    return hardware_domain
           ? 0 : liveupdate_refuse(NULL, -EINVAL, "no hardware domain");
}

const struct liveupdate_resource liveupdate_res_domain = {
    .name = "domain",
    .check = domain_check,
    .quiesce = domain_quiesce,
    .save = domain_save,
    .plan = domain_plan,
};
