/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: reasons to refuse that belong to no resource.
 *
 * What another file carries, that file also checks.  Here stands what nobody
 * carries, one line for each member of struct domain and struct vcpu (and of
 * what hangs on them) that says so, and the same for the host.  A member that
 * is neither carried, nor derived, nor refused fails tests/unit/members.
 *
 * The checks run again once the domains are paused: some of it may have come
 * up in between.
 *
 * Carried: nothing. These are refusals only.
 */

#include <xen/lib.h>
#include <xen/livepatch.h>
#include <xen/liveupdate.h>
#include <xen/sched.h>
#include <xen/trace.h>

#include <asm/guest.h>
#include <asm/hvm/hvm.h>
#include <asm/paging.h>
#include <asm/pv/shim.h>
#include <asm/shadow.h>
#include <asm/smp.h>
#include <asm/tboot.h>
#include <asm/vpmu.h>

#include <public/sysctl.h>

static bool livepatches_applied(void)
{
#ifdef CONFIG_LIVEPATCH
    struct xen_sysctl_livepatch_op op = { .cmd = XEN_SYSCTL_LIVEPATCH_LIST };

    return livepatch_op(&op) < 0 || op.u.list.nr;
#else
    return false;
#endif
}

/* Buffers stay with whoever mapped them after tracing was switched off. */
static bool trace_buffers_exist(void)
{
#ifdef CONFIG_TRACEBUFFER
    struct xen_sysctl_tbuf_op op = { .cmd = XEN_SYSCTL_TBUFOP_get_info };

    return tb_control(&op) || op.buffer_mfn;
#else
    return false;
#endif
}

/* The host is a resource of its own: this is not said in the name of a domain. */
static int cf_check platform_check(struct domain *unused)
{
    int rc = 0;

    REFUSE_IF(NULL, pv_shim || xen_guest, -EOPNOTSUPP,
              "Xen itself runs as a guest of Xen");
    REFUSE_IF(NULL, system_state != SYS_STATE_active, -EBUSY,
              "the host is booting, or going to sleep");
#ifdef CONFIG_TBOOT
    REFUSE_IF(NULL, tboot_in_measured_env(), -EOPNOTSUPP,
              "the host was booted by tboot");
#endif
    REFUSE_IF(NULL, vpmu_mode != XENPMU_MODE_OFF, -EOPNOTSUPP,
              "performance counters are virtualised (vpmu)");
    REFUSE_IF(NULL, livepatches_applied(), -EOPNOTSUPP,
              "live patches are loaded");
    REFUSE_IF(NULL, trace_buffers_exist(), -EOPNOTSUPP,
              "trace buffers are allocated (xentrace)");

    return rc;
}

static int check_type(const struct domain *d)
{
    int rc = 0;

    REFUSE_IF(d, is_pv_32bit_domain(d), -EOPNOTSUPP, "is a 32-bit PV domain");

    return rc;
}

static int check_memory(const struct domain *d)
{
    int rc = 0;

    REFUSE_IF(d, is_pv_domain(d) && paging_mode_enabled(d), -EOPNOTSUPP,
              "is in a paging mode (%#x: shadow or log-dirty)",
              d->arch.paging.mode);
    REFUSE_IF(d, d->arch.paging.preempt.dom, -EBUSY,
              "a paging operation is under way");
#ifdef CONFIG_MEM_SHARING
    REFUSE_IF(d, atomic_read(&d->shr_pages) || d->vm_event_share || d->parent,
              -EOPNOTSUPP, "shares memory (mem_sharing)");
#endif
#ifdef CONFIG_MEM_PAGING
    REFUSE_IF(d, atomic_read(&d->paged_pages) || d->vm_event_paging, -EOPNOTSUPP,
              "has paged-out memory (mem_paging)");
#endif
    REFUSE_IF(d, d->outstanding_pages, -EBUSY, "has claimed %u pages",
              d->outstanding_pages);
    REFUSE_IF(d, d->vnuma, -EOPNOTSUPP, "has virtual NUMA nodes");

    return rc;
}

static int check_devices(const struct domain *d)
{
    unsigned int i;
    int rc = 0;

    REFUSE_IF(d, has_vpci(d), -EOPNOTSUPP, "vPCI is in use");
#ifdef CONFIG_ARGO
    REFUSE_IF(d, d->argo, -EOPNOTSUPP, "uses Argo");
#endif

    /* Cache and memory bandwidth allocation, and their monitoring. */
    REFUSE_IF(d, d->arch.psr_rmid, -EOPNOTSUPP, "its cache use is monitored (PSR)");
    for ( i = 0; d->arch.psr_cos_ids && i < nr_sockets; i++ )
        REFUSE_IF(d, d->arch.psr_cos_ids[i], -EOPNOTSUPP,
                  "has an allocation of cache or bandwidth (PSR)");

    return rc;
}

static int check_observers(const struct domain *d)
{
    const struct vcpu *v;
    int rc = 0;

    REFUSE_IF(d, d->vm_event_monitor || d->monitor.guest_request_enabled,
              -EOPNOTSUPP, "is watched (vm_event)");
    REFUSE_IF(d, d->vmtrace_size, -EOPNOTSUPP, "is traced (vmtrace)");
#ifdef CONFIG_XENOPROF
    REFUSE_IF(d, d->xenoprof, -EOPNOTSUPP, "is profiled (xenoprof)");
#endif

    for_each_vcpu ( d, v )
    {
        REFUSE_IF(d, v->arch.vm_event || atomic_read(&v->vm_event_pause_count),
                  -EOPNOTSUPP, "vCPU %u is watched (vm_event)", v->vcpu_id);
        REFUSE_IF(d, v->arch.gdbsx_vcpu_event, -EOPNOTSUPP,
                  "vCPU %u has stopped for a debugger", v->vcpu_id);
        REFUSE_IF(d, v->arch.vpmu.flags || v->arch.vpmu.xenpmu_data, -EOPNOTSUPP,
                  "vCPU %u uses performance counters (vpmu)", v->vcpu_id);
    }

    return rc;
}

static int cf_check features_check(struct domain *d)
{
    int type = check_type(d);
    int memory = check_memory(d);
    int devices = check_devices(d);
    int observers = check_observers(d);

    return type ?: memory ?: devices ?: observers;
}

const struct liveupdate_resource liveupdate_res_platform = {
    .name = "platform",
    .host = true,
    .check = platform_check,
    .quiesce = platform_check,
};

const struct liveupdate_resource liveupdate_res_features = {
    .name = "features",
    .check = features_check,
    .quiesce = features_check,
};
