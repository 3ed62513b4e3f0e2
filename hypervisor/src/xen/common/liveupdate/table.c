/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The order of a live update.
 *
 * This table is the only place that says in which order resources are checked,
 * saved and restored.  Ownership of frames precedes their types, types precede
 * vCPUs, and a granter's ownership precedes the grantee's mapping.
 */

#include <xen/liveupdate.h>

const struct liveupdate_resource *const liveupdate_resources[] = {
    /* Host facts: known before the target's heap exists. */
    &liveupdate_res_host,
    &liveupdate_res_time,
    &liveupdate_res_efi,
    &liveupdate_res_memmap,
    &liveupdate_res_console,

    /* Reasons to refuse that belong to no resource. */
    &liveupdate_res_platform,
    &liveupdate_res_features,
    &liveupdate_res_target,

    /* Schedulers: a domain is created into one. */
    &liveupdate_res_cpupool,

    /* Domains with their ids and settings; empty so far. */
    &liveupdate_res_domain,
    &liveupdate_res_cpu_policy,
    &liveupdate_res_sched,

    /* A physmap depends on which frames are read-only. */
    &liveupdate_res_permissions,

    /* Who owns which frame, page types, counts, page tables. */
    &liveupdate_res_frames,
    &liveupdate_res_p2m,
    &liveupdate_res_io_tables,

    /* What guests share with Xen and with each other. */
    &liveupdate_res_grant,
    &liveupdate_res_area,
    &liveupdate_res_evtchn_fifo,
    &liveupdate_res_evtchn,

    /* Registers, then the clocks that drive them. */
    &liveupdate_res_vcpu,
    &liveupdate_res_hvm,
    &liveupdate_res_ioreq,
    &liveupdate_res_timer,

    /* Devices and interrupts. */
    &liveupdate_res_iommu,
    &liveupdate_res_pci,
    &liveupdate_res_pirq,
    &liveupdate_res_passthrough,
    &liveupdate_res_power,

    NULL
};
