/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * firmware: what Xen tells of the EFI firmware that booted the host.
 * firmware clock: the time by the firmware's own service, as seconds since 1970.
 */
#include "common.h"

#include <stdbool.h>

#include <xencall.h>
#include <xen/xen.h>
#include <xen/platform.h>

static xencall_handle *call;
static struct xen_platform_op *op;
static uint16_t *vendor; /* UCS-2 */
#define VENDOR_SIZE 256
/* Where the looking for memory ends; how it goes through what is none. */
#define END       (6ULL << 30)
#define HOLE_STEP 0x10000

/* One question of XENPF_firmware_info; what else it takes is in @op already. */
static bool ask(uint32_t index)
{
    op->cmd = XENPF_firmware_info;
    op->interface_version = XENPF_INTERFACE_VERSION;
    op->u.firmware_info.type = XEN_FW_EFI_INFO;
    op->u.firmware_info.index = index;
    return !xencall1(call, __HYPERVISOR_platform_op, (unsigned long)op);
}

static int tell(void)
{
    union xenpf_efi_info *info = &op->u.firmware_info.u.efi_info;
    uint64_t addr = 0;

    if (!ask(XEN_FW_EFI_VERSION)) {
        perror("not booted by EFI");
        return 1;
    }
    printf("version %#x\n", info->version);
    if (ask(XEN_FW_EFI_RT_VERSION))
        printf("runtime services %#x\n", info->version);
    if (ask(XEN_FW_EFI_CONFIG_TABLE))
        printf("configuration table %#llx, %u entries\n", (unsigned long long)info->cfg.addr,
               info->cfg.nent);

    info->vendor.bufsz = VENDOR_SIZE;
    info->vendor.name = (void *)vendor;
    if (ask(XEN_FW_EFI_VENDOR)) {
        printf("vendor ");
        for (const uint16_t *c = vendor; *c; c++)
            putchar(*c);
        printf(", revision %#x\n", info->vendor.revision);
    }

    /* The range that an address is in, to its end; between ranges there are holes. */
    while (addr < END) {
        info->mem.addr = addr;
        info->mem.size = UINT64_MAX;
        if (ask(XEN_FW_EFI_MEM_INFO) && info->mem.addr + info->mem.size > addr) {
            printf("memory %#llx + %#llx: type %u, attributes %#llx\n",
                   (unsigned long long)info->mem.addr, (unsigned long long)info->mem.size,
                   info->mem.type, (unsigned long long)info->mem.attr);
            addr = info->mem.addr + info->mem.size;
        } else {
            addr += HOLE_STEP - addr % HOLE_STEP;
        }
    }
    return 0;
}

static int tell_time(void)
{
    const struct xenpf_efi_time *t = &op->u.efi_runtime_call.u.get_time.time;
    struct tm tm;

    op->cmd = XENPF_efi_runtime_call;
    op->interface_version = XENPF_INTERFACE_VERSION;
    op->u.efi_runtime_call.function = XEN_EFI_get_time;
    if (xencall1(call, __HYPERVISOR_platform_op, (unsigned long)op) ||
        op->u.efi_runtime_call.status) {
        fprintf(stderr, "GetTime: errno %d, EFI status %#lx\n", errno,
                (unsigned long)op->u.efi_runtime_call.status);
        return 1;
    }
    tm = (struct tm){.tm_year = t->year - 1900,
                     .tm_mon = t->month - 1,
                     .tm_mday = t->day,
                     .tm_hour = t->hour,
                     .tm_min = t->min,
                     .tm_sec = t->sec};
    printf("%lld\n", (long long)timegm(&tm));
    return 0;
}

int main(int argc, char **argv)
{
    call = xencall_open(NULL, 0);
    op = call ? xencall_alloc_buffer(call, sizeof(*op)) : NULL;
    vendor = call ? xencall_alloc_buffer(call, VENDOR_SIZE) : NULL;
    if (!op || !vendor) {
        perror("xencall");
        return 1;
    }
    memset(op, 0, sizeof(*op));
    return argc == 2 && !strcmp(argv[1], "clock") ? tell_time() : tell();
}
