/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * provoke WHAT [ARGUMENT...]: brings a domain or the host into a state that a live update refuses.
 *
 * Runs in dom0. What it makes it leaves behind, but for "zombie", which lasts as long as the program
 * runs. Domains that it creates are empty; their number is printed. Devices are named as bus:slot.function
 * in hexadecimal, without the segment.
 */
#include "common.h"

#include <sys/mman.h>
#include <xencall.h>
#include <xenctrl.h>
#include <xendevicemodel.h>
#include <xenforeignmemory.h>

/* After xenctrl.h, which makes them the tools' own. */
#include <xen/hvm/params.h>
#include <xen/platform.h>
#include <xen/xenoprof.h>

#define RING_GFN    0xfeff0
#define PAGES_OF_2M 512
#define MAX_PAYLOAD 65536
#define ID_SIZE     20
#define XEN_ID      0xa5 /* see nothing.S */
#define GSI_UNUSED  23

static xc_interface *xch;
static char **arg; /* behind WHAT */

static uint32_t number(const char *text)
{
    char *end;
    unsigned long n = strtoul(text, &end, 0);

    if (*end || end == text) {
        fprintf(stderr, "provoke: %s: not a number\n", text);
        exit(1);
    }
    return n;
}

/* bus << 8 | slot << 3 | function */
static unsigned int device(const char *text)
{
    unsigned int bus, slot, function;

    if (sscanf(text, "%x:%x.%x", &bus, &slot, &function) != 3) {
        fprintf(stderr, "provoke: %s: not a device\n", text);
        exit(1);
    }
    return bus << 8 | slot << 3 | function;
}

/* A hypercall that no library offers; @data goes there and back. */
static int raw(unsigned int hypercall, unsigned long op, void *data, size_t size)
{
    xencall_handle *call = xencall_open(NULL, 0);
    void *buffer = call ? xencall_alloc_buffer(call, size) : NULL;
    int rc;

    if (!buffer)
        return -1;
    memcpy(buffer, data, size);
    rc = xencall2(call, hypercall, op, (unsigned long)buffer);
    memcpy(data, buffer, size);
    xencall_free_buffer(call, buffer);
    xencall_close(call);
    return rc;
}

/* --- Domains --- */

static int create_without_vcpu(unsigned int flags, unsigned int emulation, uint32_t *domid)
{
    struct xen_domctl_createdomain config = {
        .flags = flags,
        .max_vcpus = 1,
        .max_evtchn_port = -1,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .grant_opts = XEN_DOMCTL_GRANT_version(1),
        .arch.emulation_flags = emulation,
    };

    *domid = 0;
    if (xc_domain_create(xch, domid, &config))
        return -1;
    printf("%u\n", *domid);
    fflush(stdout);
    return 0;
}

static int create(unsigned int flags, unsigned int emulation, uint32_t *domid)
{
    return create_without_vcpu(flags, emulation, domid) || xc_domain_max_vcpus(xch, *domid, 1) ||
           xc_domain_setmaxmem(xch, *domid, 1U << 30);
}

static int create_pv(void)
{
    uint32_t domid;

    return create(0, 0, &domid);
}

static int create_hvm_domain(unsigned int flags, uint32_t *domid)
{
    unsigned int mb = 4;

    /* With everything emulated that a device model relies on. */
    return create(XEN_DOMCTL_CDF_hvm | flags, XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI, domid) ||
           xc_shadow_control(xch, *domid, XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION, &mb, 0);
}

static int create_hvm_with(unsigned int flags)
{
    uint32_t domid;

    return create_hvm_domain(flags, &domid);
}

static int create_hvm(void)
{
    return create_hvm_with(XEN_DOMCTL_CDF_hap);
}

/* As far as the toolstack gets with its first hypercall. */
static int create_begun(void)
{
    uint32_t domid;

    return create_without_vcpu(XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
                               XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI, &domid);
}

static int create_begun_pv(void)
{
    uint32_t domid;

    return create_without_vcpu(0, 0, &domid);
}

/* With some memory, in pages and in a large piece; what would be written there, and registers, are still to come. */
static int give_memory(uint32_t domid)
{
    xen_pfn_t frames[16], large = PAGES_OF_2M;

    for (unsigned int i = 0; i < sizeof(frames) / sizeof(frames[0]); i++)
        frames[i] = i;
    return xc_domain_populate_physmap_exact(xch, domid, sizeof(frames) / sizeof(frames[0]), 0, 0,
                                            frames) ||
           xc_domain_populate_physmap_exact(xch, domid, 1, 9, 0, &large);
}

static int create_half_pv(void)
{
    uint32_t domid;

    return create(0, 0, &domid) || give_memory(domid);
}

static int create_half_hvm(void)
{
    uint32_t domid;

    return create_hvm_domain(XEN_DOMCTL_CDF_hap, &domid) || give_memory(domid);
}

static int create_nested(void)
{
    return create_hvm_with(XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_nested_virt);
}

static int create_shadow(void)
{
    return create_hvm_with(0);
}

static int create_iommu(void)
{
    return create_hvm_with(XEN_DOMCTL_CDF_hap | XEN_DOMCTL_CDF_iommu);
}

static int destroy(void)
{
    return xc_domain_destroy(xch, number(arg[0]));
}

/* Destroyed, but a frame of it is still mapped. */
static int zombie(void)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    xen_pfn_t frame = 0;
    uint32_t domid;

    if (!fmem || create(0, 0, &domid) ||
        xc_domain_populate_physmap_exact(xch, domid, 1, 0, 0, &frame) ||
        !xenforeignmemory_map(fmem, domid, PROT_READ, 1, &frame, NULL) ||
        xc_domain_destroy(xch, domid))
        return -1;
    stop_on_sigterm();
    while (!stop_requested)
        pause();
    return 0;
}

static int stubdom(void)
{
    return xc_domain_set_target(xch, number(arg[0]), number(arg[1]));
}

/* --- Memory --- */

static int log_dirty(void)
{
    return xc_shadow_control(xch, number(arg[0]), XEN_DOMCTL_SHADOW_OP_ENABLE_LOGDIRTY, NULL, 0);
}

static int log_dirty_off(void)
{
    return xc_shadow_control(xch, number(arg[0]), XEN_DOMCTL_SHADOW_OP_OFF, NULL, 0);
}

static int claim(void)
{
    return xc_domain_claim_pages(xch, number(arg[0]), number(arg[1]));
}

static int vnuma(void)
{
    xen_vmemrange_t range = {.start = 0, .end = 1 << 20};
    unsigned int distance = 10, vcpu_to_node = 0, node = 0;

    return xc_domain_setvnuma(xch, number(arg[0]), 1, 1, 1, &range, &distance, &vcpu_to_node,
                              &node);
}

/* The domain gets what is free, but for some MiB. */
static int fill(void)
{
    uint32_t domid = number(arg[0]);
    uint64_t left = (uint64_t)number(arg[1]) << 8;
    xc_physinfo_t info = {0};
    xen_pfn_t frame = 0;

    for (unsigned int i = 0; !xc_physinfo(xch, &info) && info.free_pages > left + PAGES_OF_2M;
         i++) {
        frame = (xen_pfn_t)i * PAGES_OF_2M;
        if (xc_domain_populate_physmap_exact(xch, domid, 1, 9, 0, &frame))
            return -1;
    }
    return 0;
}

static int populate_on_demand(void)
{
    xen_pfn_t gfn = 0;

    return xc_domain_populate_physmap_exact(xch, number(arg[0]), 1, 9, XENMEMF_populate_on_demand,
                                            &gfn);
}

/* --- Observers --- */

static int debugger(void)
{
    return xc_domain_setdebugging(xch, number(arg[0]), 1);
}

static int monitor(void)
{
    uint32_t domid = number(arg[0]), port;

    if (xc_hvm_param_set(xch, domid, HVM_PARAM_MONITOR_RING_PFN, RING_GFN))
        return -1;
    return xc_monitor_enable(xch, domid, &port) ? 0 : -1;
}

static int trace(void)
{
    unsigned long mfn, size;

    return xc_tbuf_enable(xch, 1, &mfn, &size) ?: xc_tbuf_disable(xch);
}

/* Memory of the domain's profile is shared with dom0, which profiles. */
static int profile(void)
{
    xenoprof_init_t init = {0};
    xenoprof_passive_t passive = {.domain_id = number(arg[0]), .max_samples = 64};

    return raw(__HYPERVISOR_xenoprof_op, XENOPROF_init, &init, sizeof(init))
               ?: raw(__HYPERVISOR_xenoprof_op, XENOPROF_set_passive, &passive, sizeof(passive));
}

static int device_model(void)
{
    xendevicemodel_handle *dm = xendevicemodel_open(NULL, 0);
    ioservid_t id;

    return dm ? xendevicemodel_create_ioreq_server(dm, number(arg[0]), 0, &id) : -1;
}

/* It hears of writes to memory of one kind. */
static int intercept(void)
{
    xendevicemodel_handle *dm = xendevicemodel_open(NULL, 0);
    uint32_t domid = number(arg[0]);
    ioservid_t id;

    return !dm || xendevicemodel_create_ioreq_server(dm, domid, 0, &id) ||
           xendevicemodel_map_mem_type_to_ioreq_server(dm, domid, id, HVMMEM_ioreq_server,
                                                       XEN_DMOP_IOREQ_MEM_ACCESS_WRITE);
}

static int hvm_param(void)
{
    return xc_hvm_param_set(xch, number(arg[0]), number(arg[1]), number(arg[2]));
}

/* nothing.S, for the Xen that runs. */
static int live_patch(void)
{
    static unsigned char payload[MAX_PAYLOAD];
    xen_build_id_t *id = calloc(1, sizeof(*id) + ID_SIZE);
    FILE *file = fopen(arg[0], "rb");
    size_t size = file ? fread(payload, 1, sizeof(payload), file) : 0;

    if (!size || !id)
        return -1;
    id->len = ID_SIZE;
    if (xc_version(xch, XENVER_build_id, id) != ID_SIZE)
        return -1;
    for (unsigned char *p = payload; p + ID_SIZE <= payload + size; p++)
        if (p[0] == XEN_ID && !memcmp(p, p + 1, ID_SIZE - 1))
            memcpy(p, id->buf, ID_SIZE);
    return xc_livepatch_upload(xch, "nothing", payload, size);
}

static int live_patch_unload(void)
{
    return xc_livepatch_unload(xch, "nothing", 0, 0);
}

/* --- Hardware --- */

/* A host's line becomes one of an HVM domain, in a way that only old device models know. */
static int bind_translated(void)
{
    uint32_t domid = number(arg[0]);
    int pirq = GSI_UNUSED;

    if (xc_physdev_map_pirq(xch, domid, GSI_UNUSED, &pirq) ||
        xc_domain_irq_permission(xch, domid, pirq, 1))
        return -1;
    return xc_domain_bind_pt_irq(xch, domid, pirq, PT_IRQ_TYPE_MSI_TRANSLATE, 0, 4, 0, 0);
}

/* A pirq of dom0 loses its irq while an event channel is bound to it. Prints the port. */
static int unmap_bound(void)
{
    int pirq = GSI_UNUSED;
    struct evtchn_bind_pirq bind = {0};

    if (xc_physdev_map_pirq(xch, 0, GSI_UNUSED, &pirq))
        return -1;
    bind.pirq = pirq;
    if (raw(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_pirq, &bind, sizeof(bind)) ||
        xc_physdev_unmap_pirq(xch, 0, pirq))
        return -1;
    printf("%u\n", bind.port);
    return 0;
}

static int close_port(void)
{
    struct evtchn_close close = {.port = number(arg[0])};

    return raw(__HYPERVISOR_event_channel_op, EVTCHNOP_close, &close, sizeof(close));
}

/* A message of a device (MSI) becomes a pirq of dom0. Prints it. */
static int map_message(void)
{
    unsigned int sbdf = device(arg[0]);
    int pirq = -1;

    if (xc_physdev_map_pirq_msi(xch, 0, -1, &pirq, sbdf & 0xff, sbdf >> 8, 0, 0))
        return -1;
    printf("%d\n", pirq);
    return 0;
}

/* The same with several messages. */
static int map_messages(void)
{
    unsigned int sbdf = device(arg[0]);
    struct physdev_map_pirq map = {
        .domid = DOMID_SELF,
        .type = MAP_PIRQ_TYPE_MULTI_MSI,
        .index = -1,
        .pirq = -1,
        .bus = sbdf >> 8,
        .devfn = sbdf & 0xff,
        .entry_nr = number(arg[1]),
    };

    if (raw(__HYPERVISOR_physdev_op, PHYSDEVOP_map_pirq, &map, sizeof(map)))
        return -1;
    printf("%d\n", map.pirq);
    return 0;
}

static int unmap(void)
{
    return xc_physdev_unmap_pirq(xch, 0, number(arg[0]));
}

static int permit_irq(void)
{
    return xc_domain_irq_permission(xch, number(arg[0]), number(arg[1]), number(arg[2]));
}

static int assign(void)
{
    return xc_assign_device(xch, number(arg[0]), device(arg[1]), 0);
}

static int deassign(void)
{
    return xc_deassign_device(xch, number(arg[0]), device(arg[1]));
}

/* So many CPUs are to sleep, as Linux asks for when the firmware does (acpi_pad). */
static int park(void)
{
    xencall_handle *call = xencall_open(NULL, 0);
    struct xen_platform_op *op = call ? xencall_alloc_buffer(call, sizeof(*op)) : NULL;
    int rc;

    if (!op)
        return -1;
    *op = (struct xen_platform_op){
        .cmd = XENPF_core_parking,
        .interface_version = XENPF_INTERFACE_VERSION,
        .u.core_parking = {.type = XEN_CORE_PARKING_SET, .idle_nums = number(arg[0])},
    };
    rc = xencall1(call, __HYPERVISOR_platform_op, (unsigned long)op);
    xencall_free_buffer(call, op);
    xencall_close(call);
    return rc;
}

static const struct deed {
    const char *what, *arguments;
    unsigned int nr;
    int (*fn)(void);
} deeds[] = {
    {"park", "CPUS", 1, park},
    {"create-pv", "", 0, create_pv},
    {"create-hvm", "", 0, create_hvm},
    {"create-half-pv", "", 0, create_half_pv},
    {"create-half-hvm", "", 0, create_half_hvm},
    {"create-nested", "", 0, create_nested},
    {"create-begun", "", 0, create_begun},
    {"create-begun-pv", "", 0, create_begun_pv},
    {"create-shadow", "", 0, create_shadow},
    {"create-iommu", "", 0, create_iommu},
    {"destroy", "DOMID", 1, destroy},
    {"zombie", "", 0, zombie},
    {"stubdom", "DOMID TARGET", 2, stubdom},
    {"log-dirty", "DOMID", 1, log_dirty},
    {"log-dirty-off", "DOMID", 1, log_dirty_off},
    {"claim", "DOMID PAGES", 2, claim},
    {"vnuma", "DOMID", 1, vnuma},
    {"fill", "DOMID MIB-LEFT", 2, fill},
    {"populate-on-demand", "DOMID", 1, populate_on_demand},
    {"debugger", "DOMID", 1, debugger},
    {"monitor", "DOMID", 1, monitor},
    {"trace", "", 0, trace},
    {"profile", "DOMID", 1, profile},
    {"device-model", "DOMID", 1, device_model},
    {"intercept", "DOMID", 1, intercept},
    {"hvm-param", "DOMID PARAMETER VALUE", 3, hvm_param},
    {"bind-translated", "DOMID", 1, bind_translated},
    {"live-patch", "FILE", 1, live_patch},
    {"live-patch-unload", "", 0, live_patch_unload},
    {"unmap-bound", "", 0, unmap_bound},
    {"close-port", "PORT", 1, close_port},
    {"map-message", "DEVICE", 1, map_message},
    {"map-messages", "DEVICE NR", 2, map_messages},
    {"unmap", "PIRQ", 1, unmap},
    {"permit-irq", "DOMID PIRQ 0|1", 3, permit_irq},
    {"assign", "DOMID DEVICE", 2, assign},
    {"deassign", "DOMID DEVICE", 2, deassign},
};

int main(int argc, char **argv)
{
    for (unsigned int i = 0; argc > 1 && i < sizeof(deeds) / sizeof(deeds[0]); i++) {
        const struct deed *d = &deeds[i];

        if (strcmp(argv[1], d->what) || argc - 2 != (int)d->nr)
            continue;
        arg = argv + 2;
        xch = xc_interface_open(NULL, NULL, 0);
        if (!xch || d->fn()) {
            fprintf(stderr, "provoke: %s: %s\n", d->what, strerror(errno));
            return 1;
        }
        return 0;
    }
    fputs("usage: provoke WHAT [ARGUMENT...]\n", stderr);
    for (unsigned int i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++)
        fprintf(stderr, "    %s %s\n", deeds[i].what, deeds[i].arguments);
    return 1;
}
