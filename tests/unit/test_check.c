/* SPDX-License-Identifier: MIT */
/* What the reader says about records that do not go together: one field is wrong each time. */

#include <stdlib.h>
#include <time.h>

#include <xen-liveupdate/handover.h>

#include "suite.h"
#include "world.h"

#define FIXED (-1)
#define XEN   0x7ff2

struct edit {
    uint32_t type; /* 0: none */
    uint16_t domid, index;
    int entry;
    const char *field;
    uint64_t value;
};

struct rule {
    const char *what; /* the complaint; NULL: all is well */
    uint32_t type;    /* of the record it is about, 0: none */
    struct edit edits[2];
    enum lu_verdict verdict; /* 0: LU_BAD_REFERENCE */
};

static const struct rule rules[] = {
    /* Memory. */
    {"run without frames", LU_REC_MEMMAP, {{LU_REC_MEMMAP, 0, 0, 1, "nr", 0}}},
    {"runs overlap or do not ascend",
     LU_REC_MEMMAP,
     {{LU_REC_MEMMAP, 0, 0, 1, "nr", WORLD_FRAMES + 1}}},
    {"runs overlap or do not ascend", LU_REC_MEMMAP, {{LU_REC_MEMMAP, 0, 0, 1, "mfn", 0}}},
    {"run beyond max_page", LU_REC_MEMMAP, {{LU_REC_HOST, 0, 0, FIXED, "max_page", 0xfff}}},
    {"run beyond max_page", LU_REC_MEMMAP, {{LU_REC_MEMMAP, 0, 0, 7, "mfn", UINT64_MAX - 15}}},
    {"class", LU_REC_MEMMAP, {{LU_REC_MEMMAP, 0, 0, 0, "class", 0}}},
    {"class", LU_REC_MEMMAP, {{LU_REC_MEMMAP, 0, 0, 0, "class", 9}}},
    {NULL, 0, {{LU_REC_MEMMAP, 0, 0, 5, "class", LU_MEM_OFFLINE}}},
    {NULL, 0, {{LU_REC_MEMMAP, 0, 0, 5, "class", LU_MEM_BROKEN}}},
    {NULL, 0, {{LU_REC_MEMMAP, 0, 0, 5, "class", LU_MEM_BAD}}},
    {"domid",
     LU_REC_MEMMAP,
     {{LU_REC_MEMMAP, 0, 0, 5, "class", LU_MEM_BROKEN}, {LU_REC_MEMMAP, 0, 0, 5, "domid", 1}}},
    {"domid", LU_REC_MEMMAP, {{LU_REC_MEMMAP, 0, 0, 0, "domid", 1}}},
    {"nr_frames", LU_REC_MEMMAP, {{LU_REC_MEMMAP, 0, 0, FIXED, "nr_frames", 1}}},
    {"frames of domains that FRAMES does not name",
     LU_REC_MEMMAP,
     {{LU_REC_FRAMES, 1, 0, 3, "nr", 57}, {LU_REC_FRAMES, 1, 0, FIXED, "nr_frames", 63}}},
    {"frames of domains that FRAMES does not name",
     LU_REC_MEMMAP,
     {{LU_REC_MEMMAP, 0, 0, 5, "class", LU_MEM_DOMAIN}}},
    {"run without frames", LU_REC_FRAMES, {{LU_REC_FRAMES, 1, 0, 0, "nr", 0}}},
    {"runs overlap or do not ascend", LU_REC_FRAMES, {{LU_REC_FRAMES, 1, 0, 0, "nr", 5}}},
    {"runs overlap or do not ascend",
     LU_REC_FRAMES,
     {{LU_REC_FRAMES, 1, 0, 1, "mfn", WORLD_FRAME(1)}}},
    {"run that MEMMAP does not give to its owner",
     LU_REC_FRAMES,
     {{LU_REC_FRAMES, 1, 0, 0, "mfn", WORLD_FRAME(1) - 1}}},
    {"run that MEMMAP does not give to its owner",
     LU_REC_FRAMES,
     {{LU_REC_FRAMES, 1, 0, 3, "nr", WORLD_FRAMES - 5}}},
    {"run that MEMMAP does not give to its owner",
     LU_REC_FRAMES,
     {{LU_REC_FRAMES, 1, 0, 3, "mfn", UINT64_MAX}}},
    {"run that MEMMAP does not give to its owner",
     LU_REC_FRAMES,
     {{LU_REC_MEMMAP, 0, 0, 2, "class", LU_MEM_PRIVATE}, {LU_REC_MEMMAP, 0, 0, 2, "domid", 0}}},
    {"run that MEMMAP does not give to its owner",
     LU_REC_FRAMES,
     {{LU_REC_MEMMAP, 0, 0, 4, "mfn", WORLD_FRAME(2) + 9}, {LU_REC_MEMMAP, 0, 0, 4, "nr", 56}}},
    {"run that MEMMAP does not give to its owner",
     LU_REC_FRAMES,
     {{LU_REC_FRAMES, XEN, 0, 0, "mfn", 0x850}}},
    {"nr_frames", LU_REC_FRAMES, {{LU_REC_FRAMES, 1, 0, FIXED, "nr_frames", 63}}},
    {"flags", LU_REC_FRAMES, {{LU_REC_FRAMES, 1, 0, 0, "flags", 0x800}}},
    {"flags", LU_REC_FRAMES, {{LU_REC_FRAMES, 1, 0, 0, "flags", LU_FRAME_BROKEN}}},
    {NULL, 0, {{LU_REC_FRAMES, 1, 0, 0, "flags", LU_FRAME_BROKEN | LU_FRAME_OFFLINING}}},
    {"flags", LU_REC_FRAMES, {{LU_REC_FRAMES, 1, 0, 0, "flags", LU_FRAME_SET_TYPE(7)}}},

    {"mfn", LU_REC_PARTIAL_TABLES, {{LU_REC_PARTIAL_TABLES, 1, 0, 1, "mfn", 0x810}}},
    {"mfn", LU_REC_OLD_TABLE, {{LU_REC_OLD_TABLE, 1, 0, FIXED, "mfn", 0x810}}},
    {"parent_mfn", LU_REC_OLD_TABLE, {{LU_REC_OLD_TABLE, 1, 0, FIXED, "parent_mfn", 0x810}}},

    /* Domains and shared pages. */
    {"DOMAIN", 0, {{LU_REC_HOST, 0, 0, FIXED, "nr_domains", 2}}, LU_BAD_ORDER},
    {"nr_vcpus", LU_REC_DOMAIN, {{LU_REC_DOMAIN, 1, 0, FIXED, "max_vcpus", 0}}},
    {"VCPU",
     0,
     {{LU_REC_DOMAIN, 1, 0, FIXED, "max_vcpus", 4}, {LU_REC_DOMAIN, 1, 0, FIXED, "nr_vcpus", 2}},
     LU_BAD_ORDER},
    {NULL, 0, {{LU_REC_DOMAIN, 1, 0, FIXED, "max_vcpus", 4}}},
    {"no such vCPU", LU_REC_EVTCHN_QUEUES, {{LU_REC_DOMAIN, 5, 0, FIXED, "nr_vcpus", 2}}},
    {"shared_info_mfn",
     LU_REC_DOMAIN,
     {{LU_REC_DOMAIN, 1, 0, FIXED, "shared_info_mfn", WORLD_FRAME(0)}}},
    {"shared_info_mfn", LU_REC_DOMAIN, {{LU_REC_DOMAIN, 1, 0, FIXED, "shared_info_mfn", 0xfff}}},
    {"shared_info_mfn", LU_REC_DOMAIN, {{LU_REC_DOMAIN, 1, 0, FIXED, "shared_info_mfn", 1 << 20}}},
    {"vcpu_info_mfn", LU_REC_AREA, {{LU_REC_AREA, 5, 1, FIXED, "vcpu_info_mfn", 0x810}}},
    {"runstate_mfn", LU_REC_AREA, {{LU_REC_AREA, 5, 1, FIXED, "runstate_mfn", 0x810}}},
    {"time_mfn", LU_REC_AREA, {{LU_REC_AREA, 5, 1, FIXED, "time_mfn", 0x810}}},
    {"eoi_map_mfn", LU_REC_PIRQS, {{LU_REC_PIRQS, 1, 0, FIXED, "eoi_map_mfn", 0x810}}},
    {"reference_tsc_mfn",
     LU_REC_VIRIDIAN,
     {{LU_REC_VIRIDIAN, 5, 0, FIXED, "reference_tsc_mfn", 0x810}}},
    {"vp_assist_mfn",
     LU_REC_VIRIDIAN_VCPU,
     {{LU_REC_VIRIDIAN_VCPU, 5, 1, FIXED, "vp_assist_mfn", 0x810}}},
    {"simp_mfn", LU_REC_VIRIDIAN_VCPU, {{LU_REC_VIRIDIAN_VCPU, 5, 0, FIXED, "simp_mfn", 0x810}}},

    /* Translated domains. */
    {"order", LU_REC_P2M, {{LU_REC_P2M, 5, 0, 2, "order", 10}}},
    {"extent that is not made of whole mappings",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 2, "gfn", 0x401}}},
    {"extent that is not made of whole mappings", LU_REC_P2M, {{LU_REC_P2M, 5, 0, 2, "order", 18}}},
    {"extent that is not made of whole mappings", LU_REC_P2M, {{LU_REC_P2M, 5, 0, 0, "nr", 0}}},
    {"type", LU_REC_P2M, {{LU_REC_P2M, 5, 0, 1, "type", 6}}},
    {"extents overlap or do not ascend", LU_REC_P2M, {{LU_REC_P2M, 5, 0, 1, "gfn", 15}}},
    {"extents overlap or do not ascend",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 2, "gfn", UINT64_MAX << 9}}},
    {"nr_frames", LU_REC_P2M, {{LU_REC_P2M, 5, 0, FIXED, "nr_frames", 16}}},
    {"extent that is not made of whole mappings",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 2, "mfn", 0x401}}},
    {"extents overlap or do not ascend", LU_REC_P2M, {{LU_REC_P2M, 5, 0, 2, "gfn", 0}}},
    {"extent that ends behind the last frame",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 2, "mfn", UINT64_MAX << 9}}},
    /* Its memory: of another domain, of Xen, of nobody, beyond the last frame, partly its own. */
    {"extent whose frames MEMMAP does not give to its domain",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 0, "mfn", WORLD_FRAME(1)}}},
    {"extent whose frames MEMMAP does not give to its domain",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 0, "mfn", 0x810}}},
    {"extent whose frames MEMMAP does not give to its domain",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 0, "mfn", 0x700}}},
    {"extent whose frames MEMMAP does not give to its domain",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 0, "mfn", 1ull << 40}}},
    {"extent whose frames MEMMAP does not give to its domain",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 0, "mfn", WORLD_FRAME(3) - 15}}},
    {NULL, 0, {{LU_REC_P2M, 5, 0, 0, "mfn", WORLD_FRAME(3) - 16}}},
    {NULL, 0, {{LU_REC_P2M, 5, 0, 0, "type", LU_P2M_RAM_RO}}},
    /* A grant is of somebody; a device's registers are of nobody. */
    {"extent whose frames MEMMAP does not give to its domain",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 1, "mfn", 0x900}}},
    {NULL, 0, {{LU_REC_P2M, 5, 0, 1, "mfn", WORLD_FRAME(2) - 4}}},
    {NULL, 0, {{LU_REC_P2M, 5, 0, 1, "mfn", 0xf40}}},
    {"extent whose frames MEMMAP does not give to its domain",
     LU_REC_P2M,
     {{LU_REC_P2M, 5, 0, 2, "type", LU_P2M_RAM_RW}}},

    /* Event channels. */
    {"ports do not ascend", LU_REC_EVTCHN, {{LU_REC_EVTCHN, 1, 0, 1, "port", 1}}},
    {"reset", LU_REC_EVTCHN, {{LU_REC_EVTCHN, 1, 0, FIXED, "reset", 65}}},
    {"port beyond nr_ports", LU_REC_EVTCHN, {{LU_REC_EVTCHN, 1, 0, FIXED, "nr_ports", 63}}},
    {"port of a vCPU that is not there", LU_REC_EVTCHN, {{LU_REC_EVTCHN, 1, 0, 1, "vcpu", 1}}},
    {"port of a vCPU that is not there", LU_REC_EVTCHN, {{LU_REC_EVTCHN, 5, 0, 1, "last_vcpu", 3}}},
    {"state", LU_REC_EVTCHN, {{LU_REC_EVTCHN, 5, 0, 1, "state", 6}}},
    {"interdomain port without its other end",
     LU_REC_EVTCHN,
     {{LU_REC_EVTCHN, 5, 0, 2, "target", 13}}},
    {"interdomain port without its other end",
     LU_REC_EVTCHN,
     {{LU_REC_EVTCHN, 5, 0, 2, "target", 22}}},
    {"interdomain port without its other end",
     LU_REC_EVTCHN,
     {{LU_REC_EVTCHN, 5, 0, 2, "remote_domid", 7}}},
    {"interdomain port without its other end",
     LU_REC_EVTCHN,
     {{LU_REC_EVTCHN, 0, 0, 0, "target", 1}}},
    {"interdomain port without its other end",
     LU_REC_EVTCHN,
     {{LU_REC_EVTCHN, 5, 0, 2, "state", 1}}},
    {"interdomain port without its other end",
     LU_REC_EVTCHN,
     {{LU_REC_EVTCHN, 0, 0, 4, "state", 1}}},
    {"interdomain port without its other end",
     LU_REC_EVTCHN,
     {{LU_REC_EVTCHN, 1, 0, 4, "state", 1}}},
    /* The next port behind the one that is named points back. */
    {"interdomain port without its other end",
     LU_REC_EVTCHN,
     {{LU_REC_EVTCHN, 1, 0, 2, "target", 10}}},
    {"tail", LU_REC_EVTCHN_QUEUES, {{LU_REC_EVTCHN_QUEUES, 5, 1, 3, "tail", 64}}},
    {"control_mfn",
     LU_REC_EVTCHN_QUEUES,
     {{LU_REC_EVTCHN_QUEUES, 5, 1, FIXED, "control_mfn", WORLD_FRAME(1)}}},
    {"mfn", LU_REC_EVTCHN_FIFO, {{LU_REC_EVTCHN_FIFO, 5, 0, 0, "mfn", 0xf50}}},

    /* Interrupts. */
    {"pirqs do not ascend", LU_REC_PIRQS, {{LU_REC_PIRQS, 0, 0, 1, "pirq", 9}}},
    {"pirq whose port is not bound to it", LU_REC_PIRQS, {{LU_REC_PIRQS, 0, 0, 0, "port", 1}}},
    {"pirq whose port is not bound to it", LU_REC_PIRQS, {{LU_REC_PIRQS, 0, 0, 0, "port", 50}}},
    {"pirq whose port is not bound to it", LU_REC_PIRQS, {{LU_REC_PIRQS, 0, 0, 1, "port", 4}}},
    {"pirq whose port is not bound to it", LU_REC_PIRQS, {{LU_REC_EVTCHN, 0, 0, 3, "target", 32}}},
    {"port bound to a pirq that PIRQS does not name",
     0,
     {{LU_REC_PIRQS, 0, 0, 2, "port", 0}},
     LU_BAD_ORDER},
    {"entries that VECTORS does not have", LU_REC_PENDING, {{LU_REC_PENDING, 0, 0, 1, "nr", 2}}},
    {"entries that VECTORS does not have",
     LU_REC_PENDING,
     {{LU_REC_PENDING, 0, 0, 1, "first", UINT32_MAX}}},
    {NULL, 0, {{LU_REC_PENDING, 0, 0, 1, "first", 0}}},
    {"interrupts do not ascend", LU_REC_PT_IRQS, {{LU_REC_PT_IRQS, 1, 0, 1, "pirq", 17}}},
    {"interrupt of no device that PIRQS names",
     LU_REC_PT_IRQS,
     {{LU_REC_PT_IRQS, 1, 0, 2, "pirq", 56}}},
    {"interrupt of no device that PIRQS names",
     LU_REC_PT_IRQS,
     {{LU_REC_PIRQS, 1, 0, 1, "kind", LU_PIRQ_EMULATED}}},
    {"interrupt of no device that PIRQS names",
     LU_REC_PT_IRQS,
     {{LU_REC_PIRQS, 1, 0, 1, "kind", 0}}},
    {"lines do not ascend", LU_REC_PT_LINES, {{LU_REC_PT_LINES, 1, 0, 0, "pirq", 18}}},
    {"line that PT_IRQS does not name", LU_REC_PT_LINES, {{LU_REC_PT_LINES, 1, 0, 2, "pirq", 55}}},
    {"line that PT_IRQS does not name", LU_REC_PT_LINES, {{LU_REC_PT_LINES, 1, 0, 2, "pirq", 19}}},

    /* Power states. */
    {"state of a CPU that PERFORMANCE does not name",
     LU_REC_PSTATES,
     {{LU_REC_PSTATES, 0, 0, 2, "acpi_id", 7}}},
    {"state of a CPU that PERFORMANCE does not name",
     LU_REC_PSTATES,
     {{LU_REC_PSTATES, 0, 0, 0, "acpi_id", 2}}},

    /* Physical CPUs. */
    {"smt", LU_REC_OFFLINE_CPUS, {{LU_REC_OFFLINE_CPUS, 0, 0, FIXED, "smt", 3}}},
    {"CPU that CPUS has as well", LU_REC_OFFLINE_CPUS, {{LU_REC_CPUS, 0, 0, 2, "apic_id", 5}}},

    /* Firmware. */
    {"flags", LU_REC_EFI, {{LU_REC_EFI, 0, 0, FIXED, "flags", LU_EFI_ALL + 1}}},
    {"no tables", LU_REC_EFI, {{LU_REC_EFI, 0, 0, FIXED, "config_table", 0}}},
    {"no tables", LU_REC_EFI, {{LU_REC_EFI, 0, 0, FIXED, "runtime_services", 0}}},
    {"memory map", LU_REC_EFI, {{LU_REC_EFI, 0, 0, 0, "start", 0x1234}}},
    {"memory map", LU_REC_EFI, {{LU_REC_EFI, 0, 0, 1, "nr", UINT64_MAX >> 12}}},

    /* Cpupools. */
    {"cpupools do not ascend from 0", LU_REC_CPUPOOLS, {{LU_REC_CPUPOOLS, 0, 0, 0, "cpupool", 1}}},
    {"cpupools do not ascend from 0", LU_REC_CPUPOOLS, {{LU_REC_CPUPOOLS, 0, 0, 2, "cpupool", 1}}},
    {"cpupools do not ascend from 0",
     LU_REC_CPUPOOLS,
     {{LU_REC_CPUPOOLS, 0, 0, 0, "cpupool", 1}, {LU_REC_CPUPOOLS, 0, 0, 1, "cpupool", 2}}},
    {"cpupool", LU_REC_CPUPOOLS, {{LU_REC_CPUPOOLS, 0, 0, 2, "cpupool", LU_CPUPOOL_NONE}}},
    {"CPU of a cpupool that CPUPOOLS does not name",
     LU_REC_CPUPOOL_CPUS,
     {{LU_REC_CPUPOOL_CPUS, 0, 0, 1, "cpupool", 3}}},
    {"cpupool that CPUPOOLS does not name",
     LU_REC_CPUPOOL,
     {{LU_REC_CPUPOOL, 1, 0, FIXED, "cpupool", 2}}},

    /* Devices, IOMMUs. */
    {"device of a domain that is not there",
     LU_REC_PCI_OWNER,
     {{LU_REC_PCI_OWNER, 0, 0, 0, "domid", 7}}},
    {"device of a domain that is not there",
     LU_REC_PCI_OWNER,
     {{LU_REC_PCI_OWNER, 0, 0, 0, "domid", 0x10001}}},
    {"root_mfn",
     LU_REC_IO_TABLES,
     {{LU_REC_IO_TABLES, 0, 0, FIXED, "root_mfn", WORLD_IO_TABLES + 4}}},
    {"root_mfn", LU_REC_IO_TABLES, {{LU_REC_IO_TABLES, 0, 0, FIXED, "root_mfn", WORLD_FRAME(0)}}},
    {NULL, 0, {{LU_REC_IO_TABLES, 0, 0, FIXED, "root_mfn", 0}}},
    {"nr_frames", LU_REC_IO_TABLES, {{LU_REC_IO_TABLES, 0, 0, FIXED, "nr_frames", 3}}},
    {"image_mfn", LU_REC_IO_TABLES, {{LU_REC_IO_TABLES, 0, 0, FIXED, "image_nr", WORLD_MAX_PAGE}}},
    {"I/O page tables of a domain without IO_TABLES",
     LU_REC_MEMMAP,
     {{LU_REC_MEMMAP, 0, 0, 6, "class", LU_MEM_IO_TABLE}, {LU_REC_MEMMAP, 0, 0, 6, "domid", 1}}},

    /* Grants. */
    {"nr_frames", LU_REC_GRANT, {{LU_REC_GRANT, 1, 0, FIXED, "nr_frames", UINT32_MAX}}},
    {"mfn", LU_REC_GRANT, {{LU_REC_GRANT, 1, 0, 1, "mfn", WORLD_FRAME(0)}}},
    {"grants do not ascend", LU_REC_GRANT_ACTIVE, {{LU_REC_GRANT_ACTIVE, 1, 0, 0, "ref", 9}}},
    {"grant used by a domain that is not there",
     LU_REC_GRANT_ACTIVE,
     {{LU_REC_GRANT_ACTIVE, 1, 0, 1, "domid", 3}}},
    {"trans_domid", LU_REC_GRANT_ACTIVE, {{LU_REC_GRANT_ACTIVE, 1, 0, 1, "trans_domid", 3}}},
    {"handles are not each named once",
     LU_REC_GRANT_MAPS,
     {{LU_REC_GRANT_MAPS, 0, 0, 1, "handle", 0}}},
    {"handles are not each named once",
     LU_REC_GRANT_MAPS,
     {{LU_REC_GRANT_MAPS, 0, 0, 5, "flags", 2}}},
    {"handles are not each named once", LU_REC_GRANT_MAPS, {{LU_REC_GRANT_MAPS, 0, 0, 0, "nr", 0}}},
    {"handle of a vCPU that is not there",
     LU_REC_GRANT_MAPS,
     {{LU_REC_GRANT_MAPS, 0, 0, 5, "vcpu", 2}}},
    {"mapping of a grant that is not there",
     LU_REC_GRANT_MAPS,
     {{LU_REC_GRANT_MAPS, 0, 0, 0, "ref", 7}}},
    {"mapping of a grant that is not there",
     LU_REC_GRANT_MAPS,
     {{LU_REC_GRANT_MAPS, 0, 0, 0, "domid", 0}}},
    {"mapping of a grant that is not there",
     LU_REC_GRANT_MAPS,
     {{LU_REC_GRANT_ACTIVE, 5, 0, 0, "domid", 1}}},
    {"nr_handles", LU_REC_GRANT_MAPS, {{LU_REC_GRANT_MAPS, 0, 0, FIXED, "nr_handles", 129}}},
};

static void apply(uint8_t *stream, uint64_t length, const struct edit *e)
{
    unsigned int size;
    void *p;

    if (!e->type)
        return;
    p = world_field(world_record(stream, length, e->type, e->domid, e->index), e->entry, e->field,
                    &size);
    memcpy(p, &e->value, size);
}

static void each_rule(void)
{
    uint64_t length;
    uint8_t *buf = world_make(&length), *copy = malloc(length);
    unsigned int i;

    for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        const struct rule *rule = &rules[i];
        enum lu_verdict verdict = !rule->what     ? LU_OK
                                  : rule->verdict ? rule->verdict
                                                  : LU_BAD_REFERENCE;
        struct lu_complaint why;
        struct lu_stream s;
        bool good;

        memcpy(copy, buf, length);
        apply(copy, length, &rule->edits[0]);
        apply(copy, length, &rule->edits[1]);
        lu_stream_seal(copy, length);

        good = lu_stream_open(&s, copy, length, &why) == verdict && why.type == rule->type &&
               (!why.what == !rule->what) && (!why.what || !strcmp(why.what, rule->what));
        if (!good)
            fprintf(stderr, "\n    %s (%s in %#x): %s, %s in %#x", rule->what, rule->edits[0].field,
                    rule->type, lu_verdict_str(why.verdict), why.what, why.type);
        CU_ASSERT_TRUE(good);
    }
    free(copy);
    free(buf);
}

/* ---- whole records ---- */

static unsigned int take_but(struct lu_record *r, void *type)
{
    return r->type != *(uint32_t *)type;
}

/* What others refer to is there, and what comes together does. */
static void each_missing(void)
{
    static const struct {
        uint32_t type;
        const char *what;
    } missing[] = {
        {LU_REC_CPUS, "CPUS"},
        {LU_REC_TIME, "TIME"},
        {LU_REC_MEMMAP, "MEMMAP"},
        {LU_REC_EVTCHN, "EVTCHN"},
        {LU_REC_VCPU, "VCPU"},
        {LU_REC_AREA, "AREA"},
        {LU_REC_TIMER, "TIMER"},
        {LU_REC_IOMMU, "no IOMMU"},
        {LU_REC_VECTORS, "PENDING without VECTORS"},
        {LU_REC_EVTCHN_FIFO, "queues of a domain without EVTCHN_FIFO"},
        {LU_REC_P2M, "P2M"},
        {LU_REC_HVM_CONTEXT, "HVM_CONTEXT"},
        {LU_REC_HVM_TIMERS, "HVM_TIMERS"},
        {LU_REC_HVM_VCPU, "HVM_VCPU"},
        {LU_REC_IO_TABLES, "I/O page tables of a domain without IO_TABLES"},
        {LU_REC_PT_IRQS, "line that PT_IRQS does not name"},
        {LU_REC_PERFORMANCE, "state of a CPU that PERFORMANCE does not name"},
    };
    uint64_t length, new_length;
    uint8_t *buf = world_make(&length), *copy;
    unsigned int i;

    for (i = 0; i < sizeof(missing) / sizeof(missing[0]); i++) {
        uint32_t type = missing[i].type;
        struct lu_complaint why;
        struct lu_stream s;

        copy = world_rewrite(buf, length, take_but, &type, &new_length);
        CU_ASSERT_NOT_EQUAL(lu_stream_open(&s, copy, new_length, &why), LU_OK);
        CU_ASSERT_STRING_EQUAL(why.what, missing[i].what);
        free(copy);
    }
    free(buf);
}

/* Those that make a domain translated are all of the same one. */
static void of_another(void)
{
    static const uint32_t types[] = {LU_REC_P2M, LU_REC_HVM_CONTEXT, LU_REC_HVM_TIMERS};
    unsigned int i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        uint64_t length;
        uint8_t *buf = world_make(&length);
        struct lu_complaint why;
        struct lu_stream s;

        world_record(buf, length, types[i], 5, 0)->domid = 1;
        lu_stream_seal(buf, length);
        CU_ASSERT_EQUAL(lu_stream_open(&s, buf, length, &why), LU_BAD_REFERENCE);
        CU_ASSERT_STRING_EQUAL(why.what, "P2M, HVM_CONTEXT or HVM_TIMERS is of another domain");
        CU_ASSERT_EQUAL(why.type, LU_REC_HVM);
        free(buf);
    }
}

/*
 * A large host: the work must not grow with the square of anything.  A quadratic
 * check of it would take minutes.
 */
#define MANY_RUNS    200000u
#define MANY_DOMAINS 30000u

static void write_runs(struct lu_writer *w)
{
    struct lu_memmap *m = lu_record_begin(w, LU_REC_MEMMAP, 0, 0);
    struct lu_memmap_entry *e = lu_record_entries(w, MANY_RUNS);
    unsigned int i;

    m->nr_frames = MANY_RUNS;
    for (i = 0; i < MANY_RUNS; i++)
        e[i] = (struct lu_memmap_entry){
            .mfn = 2ull * i,
            .nr = 1,
            .class = LU_MEM_DOMAIN,
            .domid = i < MANY_DOMAINS ? i : 0,
        };
    lu_record_end(w);
}

static void write_domain(struct lu_writer *w, uint16_t domid)
{
    struct lu_domain *d = lu_record_begin(w, LU_REC_DOMAIN, domid, 0);

    d->max_vcpus = d->nr_vcpus = 1;
    d->shared_info_mfn = 2ull * domid;
    lu_record_end(w);
}

/* Domain 0 owns all frames but the first of each domain. */
static void write_owner(struct lu_writer *w, uint16_t domid)
{
    unsigned int nr = domid ? 1 : MANY_RUNS - MANY_DOMAINS + 1, i;
    struct lu_frames *f = lu_record_begin(w, LU_REC_FRAMES, domid, 0);
    struct lu_frames_entry *e = lu_record_entries(w, nr);

    f->nr_frames = nr;
    e[0] = (struct lu_frames_entry){.mfn = 2ull * domid, .nr = 1};
    for (i = 1; i < nr; i++)
        e[i] = (struct lu_frames_entry){.mfn = 2ull * (MANY_DOMAINS + i - 1), .nr = 1};
    lu_record_end(w);
}

/* Each domain is joined to domain 0. */
static void write_ports(struct lu_writer *w, uint16_t domid)
{
    unsigned int nr = domid ? 1 : MANY_DOMAINS - 1, i;
    struct lu_evtchn *f = lu_record_begin(w, LU_REC_EVTCHN, domid, 0);
    struct lu_evtchn_entry *e = lu_record_entries(w, nr);

    f->nr_ports = MANY_DOMAINS;
    for (i = 0; i < nr; i++)
        e[i] = (struct lu_evtchn_entry){
            .port = 1 + i,
            .state = 2,
            .remote_domid = domid ? 0 : i + 1,
            .target = domid ? domid : 1,
        };
    lu_record_end(w);
}

/* Domain 0 maps grant 0 of each. */
static void write_active(struct lu_writer *w, uint16_t domid)
{
    struct lu_grant_active_entry *e;

    lu_record_begin(w, LU_REC_GRANT_ACTIVE, domid, 0);
    e = lu_record_entries(w, 1);
    e->trans_domid = domid;
    lu_record_end(w);
}

static void write_mappings(struct lu_writer *w, uint16_t domid)
{
    unsigned int nr = domid ? 0 : MANY_DOMAINS, i;
    struct lu_grant_maps *m = lu_record_begin(w, LU_REC_GRANT_MAPS, domid, 0);
    struct lu_grant_maps_entry *e = lu_record_entries(w, nr);

    m->nr_handles = nr;
    for (i = 0; i < nr; i++)
        e[i] = (struct lu_grant_maps_entry){.handle = i, .nr = 1, .domid = i, .flags = 2};
    lu_record_end(w);
}

static void write_vcpu(struct lu_writer *w, uint16_t domid)
{
    static const enum lu_record_type types[] = {LU_REC_VCPU, LU_REC_AREA, LU_REC_TIMER};
    unsigned int i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        lu_record_begin(w, types[i], domid, 0);
        lu_record_end(w);
    }
}

static void large(void)
{
    static void (*const writers[])(struct lu_writer * w, uint16_t domid) = {
        write_domain, write_owner, write_ports, write_active, write_mappings, write_vcpu,
    };
    uint64_t size = 64ull << 20, length;
    void *buf = malloc(size);
    struct lu_host *host;
    struct lu_complaint why;
    struct lu_writer w;
    struct lu_stream s;
    unsigned int i, domid;
    clock_t start;

    lu_writer_init(&w, buf, size);
    host = lu_record_begin(&w, LU_REC_HOST, 0, 0);
    host->max_page = 1 << 20;
    host->nr_domains = MANY_DOMAINS;
    lu_record_end(&w);
    world_fill_record(&w, lu_record_desc(LU_REC_CPUS), 0, 0, 0, 1);
    world_fill_record(&w, lu_record_desc(LU_REC_TIME), 0, 0, 0, 1);
    write_runs(&w);
    for (i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
        for (domid = 0; domid < MANY_DOMAINS; domid++)
            writers[i](&w, domid);
    length = lu_writer_finish(&w);
    CU_ASSERT_NOT_EQUAL_FATAL(length, 0);

    start = clock();
    CU_ASSERT_EQUAL(lu_stream_open(&s, buf, length, &why), LU_OK);
    CU_ASSERT_TRUE((clock() - start) / CLOCKS_PER_SEC < 20);
    free(buf);
}

/* A host without domains whose stream is in @nr pieces. */
static enum lu_verdict open_pieces(unsigned int nr, struct lu_complaint *why)
{
    uint64_t size = 1 << 20, length;
    void *buf = malloc(size);
    struct lu_memmap_entry *e;
    struct lu_memmap *m;
    enum lu_verdict verdict;
    struct lu_host *host;
    struct lu_writer w;
    struct lu_stream s;
    unsigned int i;

    lu_writer_init(&w, buf, size);
    host = lu_record_begin(&w, LU_REC_HOST, 0, 0);
    host->max_page = 1 << 20;
    host->nr_domains = 0;
    lu_record_end(&w);
    world_fill_record(&w, lu_record_desc(LU_REC_CPUS), 0, 0, 0, 1);
    world_fill_record(&w, lu_record_desc(LU_REC_TIME), 0, 0, 0, 1);
    m = lu_record_begin(&w, LU_REC_MEMMAP, 0, 0);
    m->nr_frames = nr;
    e = lu_record_entries(&w, nr);
    for (i = 0; i < nr; i++)
        e[i] = (struct lu_memmap_entry){.mfn = 2ull * i, .nr = 1, .class = LU_MEM_STREAM};
    lu_record_end(&w);
    length = lu_writer_finish(&w);
    verdict = lu_stream_open(&s, buf, length, why);
    free(buf);

    return verdict;
}

/* A reader keeps so many until it has read all of them, and frees no others. */
static void stream_pieces(void)
{
    struct lu_complaint why;

    CU_ASSERT_EQUAL(open_pieces(LU_HANDOVER_EXTENTS, &why), LU_OK);
    CU_ASSERT_EQUAL_FATAL(open_pieces(LU_HANDOVER_EXTENTS + 1, &why), LU_BAD_REFERENCE);
    CU_ASSERT_EQUAL(why.type, LU_REC_MEMMAP);
    CU_ASSERT_STRING_EQUAL(why.what, "stream in too many pieces");
}

CU_TestInfo check_tests[] = {
    {"each rule", each_rule},
    {"each record that has to be there", each_missing},
    {"records of another domain", of_another},
    {"large host", large},
    {"pieces of the stream", stream_pieces},
    CU_TEST_INFO_NULL,
};
