/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * powerstates tell | show | odd: what xen-acpi-processor does on hosts whose ACPI tables have power
 * states; QEMU's have none. Runs in dom0.
 *
 * tell: idle states C1 (by MWAIT, which QEMU's CPUs lack: Xen goes on with HLT) and C2 (a port that
 * does nothing; not entered, since it takes a second to leave), and two performance states, for each
 * CPU, by its number in the MADT. show: how many idle states Xen knows, and how often it was in C2, a
 * line for each CPU. odd: performance states with a part that nobody knows.
 */
#include "common.h"

#include <xencall.h>
#include <xenctrl.h>

#include <xen/platform.h>

#define SPACE_FIXED 0x7f
#define SPACE_IO    1
#define PORT_POST   0x80
#define MAX_STATES  8

/* Memory that a hypercall may read. */
static struct {
    struct xen_platform_op op;
    struct xen_processor_cx cx[2];
    struct xen_processor_px px[2];
} * buffer;

static int set_pminfo(xencall_handle *call, uint32_t acpi_id, uint32_t type)
{
    buffer->op.cmd = XENPF_set_processor_pminfo;
    buffer->op.interface_version = XENPF_INTERFACE_VERSION;
    buffer->op.u.set_pminfo.id = acpi_id;
    buffer->op.u.set_pminfo.type = type;
    return xencall1(call, __HYPERVISOR_platform_op, (unsigned long)&buffer->op);
}

static int tell_cx(xencall_handle *call, uint32_t acpi_id)
{
    struct xen_processor_power *power = &buffer->op.u.set_pminfo.u.power;

    memset(buffer, 0, sizeof(*buffer));
    buffer->cx[0] = (struct xen_processor_cx){
        .type = 1,
        .latency = 1,
        .power = 1000,
        .reg = {.space_id = SPACE_FIXED, .bit_width = 1, .bit_offset = 2, .access_size = 1}};
    buffer->cx[1] = (struct xen_processor_cx){.type = 2,
                                              .latency = 1000000,
                                              .power = 500,
                                              .reg = {.space_id = SPACE_IO,
                                                      .bit_width = 8,
                                                      .address = PORT_POST}};
    power->count = 2;
    power->flags.has_cst = 1;
    set_xen_guest_handle_raw(power->states, buffer->cx);
    return set_pminfo(call, acpi_id, XEN_PM_CX);
}

static int tell_px(xencall_handle *call, uint32_t acpi_id, uint32_t flags)
{
    struct xen_processor_performance *perf = &buffer->op.u.set_pminfo.u.perf;

    memset(buffer, 0, sizeof(*buffer));
    for (int i = 0; i < 2; i++)
        buffer->px[i] = (struct xen_processor_px){.core_frequency = 2600 - 1000 * i,
                                                  .power = 65000 - 30000 * i,
                                                  .transition_latency = 10,
                                                  .bus_master_latency = 10,
                                                  .control = 0x1a00 - 0xa00 * i,
                                                  .status = 0x1a00 - 0xa00 * i};
    perf->flags = flags;
    perf->state_count = 2;
    set_xen_guest_handle_raw(perf->states, buffer->px);
    perf->control_register =
        (struct xen_pct_register){.descriptor = 0x82, .length = 12, .space_id = SPACE_FIXED};
    perf->status_register =
        (struct xen_pct_register){.descriptor = 0x82, .length = 12, .space_id = SPACE_FIXED};
    perf->domain_info = (struct xen_psd_package){.num_entries = 5,
                                                 .domain = acpi_id,
                                                 .coord_type = 0xfc,
                                                 .num_processors = 1};
    perf->shared_type = XEN_CPUPERF_SHARED_TYPE_ALL;
    return set_pminfo(call, acpi_id, XEN_PM_PX);
}

static int show(void)
{
    xc_interface *xch = xc_interface_open(NULL, NULL, 0);
    uint64_t triggers[MAX_STATES], residencies[MAX_STATES];
    int max;

    for (int cpu = 0; xch && !xc_pm_get_max_cx(xch, cpu, &max); cpu++) {
        struct xc_cx_stat stat = {.nr = MAX_STATES,
                                  .triggers = triggers,
                                  .residencies = residencies};

        if (xc_pm_get_cxstat(xch, cpu, &stat))
            return -1;
        printf("cpu=%d states=%u max=%d c2=%llu\n", cpu, stat.nr, max,
               (unsigned long long)triggers[2]);
    }
    return xch ? 0 : -1;
}

int main(int argc, char **argv)
{
    xencall_handle *call = xencall_open(NULL, 0);
    long nr = sysconf(_SC_NPROCESSORS_ONLN);
    int rc = call && (buffer = xencall_alloc_buffer(call, sizeof(*buffer))) ? 0 : -1;

    if (!rc && argc == 2 && !strcmp(argv[1], "show"))
        rc = show();
    else if (!rc && argc == 2 && !strcmp(argv[1], "odd"))
        rc = tell_px(call, 0, 0x10);
    else if (!rc && argc == 2 && !strcmp(argv[1], "tell"))
        for (long id = 0; !rc && id < nr; id++)
            rc = tell_cx(call, id) ||
                         tell_px(call, id, XEN_PX_PCT | XEN_PX_PSS | XEN_PX_PPC | XEN_PX_PSD)
                     ? -1
                     : 0;
    else
        rc = -1;
    if (rc)
        perror("powerstates");
    return rc ? 1 : 0;
}
