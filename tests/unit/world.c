/* SPDX-License-Identifier: MIT */
/* A small host as a stream: see world.h. */

#include <assert.h>
#include <stdlib.h>

#include "world.h"

const uint16_t world_domid[WORLD_DOMAINS] = {0, 1, 5};
const uint32_t world_vcpus[WORLD_DOMAINS] = {2, 1, 3};

#define DOMID_XEN 0x7ff2u

/* EVTCHNSTAT_* */
enum { UNBOUND = 1, INTERDOMAIN, PIRQ, VIRQ, IPI };

/* splitmix64: S. Vigna, public domain. */
uint64_t world_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;

    return z ^ z >> 31;
}

/*
 * A writer without room returns NULL, and goes on counting: what would have been
 * written goes here.
 */
static void *or_waste(void *p)
{
    static _Alignas(8) uint8_t waste[1 << 16];

    return p ? p : waste;
}

#define BEGIN(w, NAME, domid, index) or_waste(lu_record_begin(w, LU_REC_##NAME, domid, index))
#define ENTRIES(w, nr)               or_waste(lu_record_entries(w, nr))

/* ---- records filled from a seed ---- */

static void fill_fields(uint8_t *p, const struct lu_field_desc *fields, unsigned int nr,
                        uint64_t *state)
{
    unsigned int i, j;

    for (i = 0; i < nr; p += fields[i++].size) {
        if (!strncmp(fields[i].name, "pad", 3))
            continue;
        for (j = 0; j < fields[i].size; j++) {
            uint8_t byte = world_random(state) >> 32;

            /* Text leaves its last byte free. */
            if (fields[i].kind == LU_KIND_chars)
                byte = j + 1u < fields[i].size ? 'a' + byte % 26 : 0;
            p[j] = byte;
        }
    }
}

static uint64_t seed_of(const struct lu_record_desc *desc, uint16_t domid, uint16_t index,
                        uint32_t seed)
{
    return (uint64_t)seed << 32 | desc->type << 16 | domid << 8 | index;
}

uint32_t world_fill_bytes(uint8_t *bytes, uint32_t size, const struct lu_record_desc *desc,
                          uint16_t domid, uint16_t index, uint32_t nr, uint32_t seed)
{
    uint64_t state = seed_of(desc, domid, index, seed);
    uint32_t used = desc->fixed_len + nr * desc->entry_len, i;

    assert(used <= size);
    memset(bytes, 0, used);
    fill_fields(bytes, desc->fixed, desc->nr_fixed, &state);
    for (i = 0; i < nr; i++)
        fill_fields(bytes + desc->fixed_len + i * desc->entry_len, desc->entry, desc->nr_entry,
                    &state);

    return used;
}

void world_fill_record(struct lu_writer *w, const struct lu_record_desc *desc, uint16_t domid,
                       uint16_t index, uint32_t nr, uint32_t seed)
{
    uint64_t state = seed_of(desc, domid, index, seed);
    uint32_t i;

    fill_fields(or_waste(lu_record_begin(w, desc->type, domid, index)), desc->fixed, desc->nr_fixed,
                &state);
    for (i = 0; i < nr && desc->entry_len; i++)
        fill_fields(ENTRIES(w, 1), desc->entry, desc->nr_entry, &state);
    lu_record_end(w);
}

/* ---- records that refer to each other ---- */

/* Index of @domid. */
static unsigned int nr_of(uint16_t domid)
{
    unsigned int i;

    for (i = 0; world_domid[i] != domid; i++)
        assert(i < WORLD_DOMAINS);

    return i;
}

static void write_host(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_host *host = BEGIN(w, HOST, domid, index);

    host->generation = 3;
    host->xen_major = 4;
    host->xen_minor = 17;
    strcpy(host->xen_extra, ".5-test");
    strcpy(host->xen_changeset, "no changeset");
    host->max_page = WORLD_MAX_PAGE;
    host->nr_domains = WORLD_DOMAINS;
    host->nr_irqs = 64;
    host->rsdp = 0xf5a90;
    lu_record_end(w);
}

static void add_run(struct lu_writer *w, struct lu_memmap *map, uint64_t mfn, uint32_t nr,
                    uint16_t class, uint16_t domid)
{
    struct lu_memmap_entry *e = ENTRIES(w, 1);

    *e = (struct lu_memmap_entry){.mfn = mfn, .nr = nr, .class = class, .domid = domid};
    map->nr_frames += nr;
}

/* The last domain's frames are in two runs that touch. */
static void write_memmap(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_memmap *map = BEGIN(w, MEMMAP, domid, index);
    unsigned int i;

    map->nr_frames = 0;
    add_run(w, map, 0x80, 16, LU_MEM_KEPT, 0);
    for (i = 0; i < WORLD_DOMAINS; i++) {
        bool split = i == WORLD_DOMAINS - 1;

        add_run(w, map, WORLD_FRAME(i), split ? 8 : WORLD_FRAMES, LU_MEM_DOMAIN, world_domid[i]);
        if (split)
            add_run(w, map, WORLD_FRAME(i) + 8, WORLD_FRAMES - 8, LU_MEM_DOMAIN, world_domid[i]);
    }
    add_run(w, map, 0x800, 256, LU_MEM_PRIVATE, 0);
    add_run(w, map, 0x900, 4, LU_MEM_STREAM, 0);
    add_run(w, map, WORLD_IO_TABLES, 4, LU_MEM_IO_TABLE, world_domid[0]);
    add_run(w, map, 0xf00, 0x100, LU_MEM_KEPT, 0);
    lu_record_end(w);
}

static void write_domain(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_domain *d = BEGIN(w, DOMAIN, domid, index);

    d->max_vcpus = world_vcpus[nr_of(domid)];
    d->nr_vcpus = d->max_vcpus;
    memset(d->handle, 0x10 + domid, sizeof(d->handle));
    d->max_evtchn_port = 4095;
    d->max_grant_frames = 64;
    d->max_maptrack_frames = 1024;
    d->max_grant_version = 2;
    d->nr_pirqs = 64;
    d->shared_info_mfn = WORLD_FRAME(nr_of(domid));
    d->shutdown_code = UINT32_MAX;
    d->time_offset = -3600;
    lu_record_end(w);
}

static void write_frames(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_frames *f = BEGIN(w, FRAMES, domid, index);
    struct lu_frames_entry *e = ENTRIES(w, 4);
    uint64_t mfn = WORLD_FRAME(nr_of(domid));

    f->nr_frames = WORLD_FRAMES;
    f->tot_pages = WORLD_FRAMES - 4;
    f->max_pages = 2 * WORLD_FRAMES;
    f->xenheap_pages = 4;
    e[0] = (struct lu_frames_entry){
        .mfn = mfn, .nr = 4, .refs = 2, .typerefs = 1, .flags = LU_FRAME_XENHEAP};
    e[1] = (struct lu_frames_entry){
        .mfn = mfn + 4,
        .nr = 1,
        .refs = 2,
        .typerefs = 2,
        .flags = LU_FRAME_SET_TYPE(LU_FRAME_TYPE_L4) | LU_FRAME_PINNED | LU_FRAME_VALIDATED |
                 LU_FRAME_ALLOCATED | LU_FRAME_PAGETABLE,
    };
    e[2] = (struct lu_frames_entry){
        .mfn = mfn + 5,
        .nr = 1,
        .refs = 3,
        .typerefs = 2,
        .flags = LU_FRAME_SET_TYPE(LU_FRAME_TYPE_L3) | LU_FRAME_VALIDATED | LU_FRAME_ALLOCATED,
        .linear = (uint16_t)-1,
    };
    e[3] = (struct lu_frames_entry){
        .mfn = mfn + 6,
        .nr = WORLD_FRAMES - 6,
        .refs = 2,
        .typerefs = 1,
        .flags =
            LU_FRAME_SET_TYPE(LU_FRAME_TYPE_WRITABLE) | LU_FRAME_VALIDATED | LU_FRAME_ALLOCATED,
    };
    lu_record_end(w);
}

/* Before those of the domains. */
static void write_frames_of_xen(struct lu_writer *w)
{
    struct lu_frames *f = BEGIN(w, FRAMES, DOMID_XEN, 0);
    struct lu_frames_entry *e = ENTRIES(w, 1);

    f->nr_frames = 0x80;
    *e = (struct lu_frames_entry){.mfn = 0xf40, .nr = 0x80, .refs = 1, .flags = LU_FRAME_XENHEAP};
    lu_record_end(w);
}

/* The last domain uses the FIFO ABI. */
static bool has_fifo(uint16_t domid)
{
    return domid == world_domid[WORLD_DOMAINS - 1];
}

static void write_evtchn_fifo(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_evtchn_fifo_entry *e;

    if (!has_fifo(domid))
        return;
    BEGIN(w, EVTCHN_FIFO, domid, index);
    e = ENTRIES(w, 1);
    e->mfn = WORLD_FRAME(nr_of(domid)) + 20;
    lu_record_end(w);
}

static void write_evtchn_queues(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_evtchn_queues *q;
    struct lu_evtchn_queues_entry *e;

    if (!has_fifo(domid))
        return;
    q = BEGIN(w, EVTCHN_QUEUES, domid, index);
    e = ENTRIES(w, 16);
    q->control_mfn = WORLD_FRAME(nr_of(domid)) + 21 + index;
    e[7].tail = index;
    lu_record_end(w);
}

static void add_port(struct lu_writer *w, uint32_t port, uint8_t state, uint16_t remote_domid,
                     uint32_t target)
{
    struct lu_evtchn_entry *e = ENTRIES(w, 1);

    *e = (struct lu_evtchn_entry){
        .port = port,
        .state = state,
        .remote_domid = remote_domid,
        .target = target,
        .priority = 7,
    };
}

/*
 * Domain 0 is joined to every other by its ports 10 and 20 + n, to itself by 1 and
 * 2; domains 1 and 5 to each other.
 */
static void write_evtchn(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_evtchn *rec = BEGIN(w, EVTCHN, domid, index);
    unsigned int i;

    rec->nr_ports = 64;
    if (domid == 0) {
        add_port(w, 1, INTERDOMAIN, 0, 2);
        add_port(w, 2, INTERDOMAIN, 0, 1);
        add_port(w, 3, PIRQ, 0, 9);
        add_port(w, 4, PIRQ, 0, 33);
        for (i = 1; i < WORLD_DOMAINS; i++)
            add_port(w, 10 + i, INTERDOMAIN, world_domid[i], 3);
        for (i = 1; i < WORLD_DOMAINS; i++)
            add_port(w, 20 + i, INTERDOMAIN, world_domid[i], 4);
    } else {
        add_port(w, 1, UNBOUND, 0, 0);
        add_port(w, 2, VIRQ, 0, 1);
        add_port(w, 3, INTERDOMAIN, 0, 10 + nr_of(domid));
        add_port(w, 4, INTERDOMAIN, 0, 20 + nr_of(domid));
        add_port(w, 30, INTERDOMAIN, domid == 1 ? 5 : 1, 30);
        add_port(w, 63, IPI, 0, 0);
    }
    lu_record_end(w);
}

static void write_grant(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_grant *g = BEGIN(w, GRANT, domid, index);
    struct lu_grant_entry *e = ENTRIES(w, 2);

    g->version = 2;
    g->nr_frames = 1;
    g->nr_status = 1;
    e[0].mfn = WORLD_FRAME(nr_of(domid)) + 1;
    e[1].mfn = WORLD_FRAME(nr_of(domid)) + 2;
    lu_record_end(w);
}

/* Guests lend two frames to domain 0. */
static void write_grant_active(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_grant_active_entry *e;
    unsigned int i;

    if (!domid)
        return;
    BEGIN(w, GRANT_ACTIVE, domid, index);
    e = ENTRIES(w, 2);
    for (i = 0; i < 2; i++)
        e[i] = (struct lu_grant_active_entry){
            .mfn = WORLD_FRAME(nr_of(domid)) + 40 + i,
            .ref = 8 + i,
            .trans_ref = 8 + i,
            .trans_domid = domid,
            .length = 4096,
            .host_write = 1,
        };
    lu_record_end(w);
}

/* One mapping is of a domain that is dead by now. */
static void write_grant_maps(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_grant_maps *m;
    struct lu_grant_maps_entry *e;
    unsigned int i;

    if (domid)
        return;
    m = BEGIN(w, GRANT_MAPS, domid, index);
    m->nr_handles = 128;
    e = ENTRIES(w, 2 * (WORLD_DOMAINS - 1) + 2);
    for (i = 0; i < 2 * (WORLD_DOMAINS - 1); i++)
        e[i] = (struct lu_grant_maps_entry){
            .handle = i,
            .nr = 1,
            .ref = 8 + i % 2,
            .domid = world_domid[1 + i / 2],
            .flags = 2,
        };
    e[i] = (struct lu_grant_maps_entry){.handle = i, .nr = 1, .ref = 700, .domid = 3, .flags = 2};
    e[i + 1] = (struct lu_grant_maps_entry){.handle = i + 1, .nr = 128 - i - 1, .vcpu = 1};
    lu_record_end(w);
}

/* The last domain is translated. */
static bool is_translated(uint16_t domid)
{
    return domid == world_domid[WORLD_DOMAINS - 1];
}

static void write_p2m(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_p2m *p;
    struct lu_p2m_entry *e;

    if (!is_translated(domid))
        return;
    p = BEGIN(w, P2M, domid, index);
    e = ENTRIES(w, 3);
    p->nr_frames = 16 + 8 + 1024;
    p->pool_pages = 256;
    e[0] = (struct lu_p2m_entry){.gfn = 0,
                                 .mfn = WORLD_FRAME(nr_of(domid)),
                                 .nr = 16,
                                 .type = LU_P2M_RAM_RW};
    e[1] = (struct lu_p2m_entry){.gfn = 16,
                                 .mfn = WORLD_FRAME(1) + 40,
                                 .nr = 8,
                                 .type = LU_P2M_GRANT_RO};
    e[2] = (struct lu_p2m_entry){
        .gfn = 0x400, .mfn = 0x80000, .nr = 1024, .type = LU_P2M_MMIO_DIRECT, .order = 9};
    lu_record_end(w);
}

/* Those of a translated domain without anything that refers to others. */
static void write_translated(struct lu_writer *w, uint32_t type, uint16_t domid, uint16_t index)
{
    if (is_translated(domid))
        world_fill_record(w, lu_record_desc(type), domid, index, 3, WORLD_SEED);
}

static void write_hvm(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    write_translated(w, LU_REC_HVM, domid, index);
}

static void write_hvm_context(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    write_translated(w, LU_REC_HVM_CONTEXT, domid, index);
}

static void write_hvm_timers(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    write_translated(w, LU_REC_HVM_TIMERS, domid, index);
}

static void write_hvm_vcpu(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    write_translated(w, LU_REC_HVM_VCPU, domid, index);
}

static void write_viridian(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_viridian *v;

    if (!is_translated(domid))
        return;
    v = BEGIN(w, VIRIDIAN, domid, index);
    v->guest_os_id = 0x0001040601771db1;
    v->hypercall = 0x9001;
    v->reference_tsc = 0xa001;
    v->reference_tsc_mfn = WORLD_FRAME(nr_of(domid)) + 29;
    v->time_offset = -123456789;
    v->time = 9876543210;
    lu_record_end(w);
}

static void write_viridian_vcpu(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_viridian_vcpu *v;

    if (!is_translated(domid))
        return;
    v = BEGIN(w, VIRIDIAN_VCPU, domid, index);
    v->vp_assist = 0xb001 + 0x1000 * index;
    v->vp_assist_mfn = WORLD_FRAME(nr_of(domid)) + 28;
    v->simp = 0xc001;
    v->simp_mfn = index ? 0 : WORLD_FRAME(nr_of(domid)) + 27;
    v->sint[2] = 0x20052;
    v->timer_config[0] = 0x20003;
    v->timer_count[0] = 100000;
    v->timer_expiry[0] = 9876543999;
    v->flags = LU_VIRIDIAN_ASSIST;
    v->timers_started = 1;
    lu_record_end(w);
}

static void write_area(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_area *a = BEGIN(w, AREA, domid, index);

    if (index) {
        a->flags = LU_AREA_VCPU_INFO;
        a->vcpu_info_mfn = WORLD_FRAME(nr_of(domid)) + 30;
        a->vcpu_info_offset = 64 * index;
        a->flags |= LU_AREA_RUNSTATE_MFN | LU_AREA_TIME_MFN;
        a->runstate_mfn = a->time_mfn = a->vcpu_info_mfn;
        a->runstate_offset = 0x800 + 64 * index;
        a->time_offset = 0xc00 + 64 * index;
    }
    a->runstate = 0xffff888000001000 + 0x40 * index;
    lu_record_end(w);
}

static void write_pirqs(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_pirqs *p = BEGIN(w, PIRQS, domid, index);
    struct lu_pirqs_entry *e;

    if (!domid) {
        p->eoi_map_mfn = WORLD_FRAME(0) + 31;
        e = ENTRIES(w, 3);
        e[0] = (struct lu_pirqs_entry){
            .pirq = 9, .irq = 9, .port = 3, .kind = LU_PIRQ_GSI, .creator = 0x7ff4};
        e[1] =
            (struct lu_pirqs_entry){.pirq = 16, .irq = 16, .kind = LU_PIRQ_GSI, .creator = 0x7ff4};
        e[2] = (struct lu_pirqs_entry){
            .pirq = 33, .irq = 49, .port = 4, .sbdf = 0x18, .kind = LU_PIRQ_MSIX, .entry = 1};
    } else if (domid == world_domid[1]) {
        e = ENTRIES(w, 3);
        e[0] =
            (struct lu_pirqs_entry){.pirq = 17, .irq = 17, .kind = LU_PIRQ_GSI, .creator = 0x7ff4};
        e[1] =
            (struct lu_pirqs_entry){.pirq = 18, .irq = 18, .kind = LU_PIRQ_GSI, .creator = 0x7ff4};
        e[2] = (struct lu_pirqs_entry){.pirq = 55, .irq = 50, .sbdf = 0x18, .kind = LU_PIRQ_MSIX};
    }
    lu_record_end(w);
}

/* The second domain drives a device. */
static void write_pt_irqs(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_pt_irqs_entry *e;

    if (domid != world_domid[1])
        return;
    BEGIN(w, PT_IRQS, domid, index);
    e = ENTRIES(w, 3);
    e[0] = (struct lu_pt_irqs_entry){.pirq = 17, .kind = LU_PT_LINE};
    e[1] = (struct lu_pt_irqs_entry){.pirq = 18, .kind = LU_PT_LINE};
    e[2] = (struct lu_pt_irqs_entry){.pirq = 55, .kind = LU_PT_MSI, .vector = 0x31};
    lu_record_end(w);
}

static void write_pt_lines(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_pt_lines_entry *e;

    if (domid != world_domid[1])
        return;
    BEGIN(w, PT_LINES, domid, index);
    e = ENTRIES(w, 3);
    e[0] = (struct lu_pt_lines_entry){.pirq = 17, .device = 5};
    e[1] = (struct lu_pt_lines_entry){.pirq = 17, .device = 6, .pin = 1};
    e[2] = (struct lu_pt_lines_entry){.pirq = 18, .device = 7};
    lu_record_end(w);
}

static void write_performance(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_performance_entry *e;

    BEGIN(w, PERFORMANCE, domid, index);
    e = ENTRIES(w, 2);
    e[0] = (struct lu_performance_entry){.acpi_id = 4,
                                         .flags = LU_PX_ALL,
                                         .shared_type = 2,
                                         .address = {0x880, 0x884}};
    e[1] = (struct lu_performance_entry){.acpi_id = 2, .flags = LU_PX_PSS};
    lu_record_end(w);
}

static void write_pstates(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_pstates_entry *e;

    BEGIN(w, PSTATES, domid, index);
    e = ENTRIES(w, 3);
    e[0] = (struct lu_pstates_entry){.acpi_id = 4, .frequency = 2600, .control = 0x1a00};
    e[1] = (struct lu_pstates_entry){.acpi_id = 4, .frequency = 1600, .control = 0x1000};
    e[2] = (struct lu_pstates_entry){.acpi_id = 2, .frequency = 2600, .power = 65000};
    lu_record_end(w);
}

static void write_offline_cpus(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_offline_cpus *o = BEGIN(w, OFFLINE_CPUS, domid, index);
    struct lu_offline_cpus_entry *e = ENTRIES(w, 2);

    o->smt = LU_SMT_OFF;
    e[0] = (struct lu_offline_cpus_entry){.apic_id = 1, .cpu = 1};
    e[1] = (struct lu_offline_cpus_entry){.apic_id = 5, .cpu = 3};
    lu_record_end(w);
}

static void write_efi(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_efi *r = BEGIN(w, EFI, domid, index);
    struct lu_efi_entry *e = ENTRIES(w, 2);

    r->flags = LU_EFI_RUNTIME;
    r->version = 2 << 16 | 70;
    r->boot_revision = 2 << 16 | 70;
    r->fw_vendor = 0xbf5ec000;
    r->runtime_services = 0xbf7eb018;
    r->config_table = 0xbf7ec018;
    r->nr_config = 9;
    r->mps = UINT64_MAX;
    r->acpi = 0xbf77d000;
    r->acpi20 = 0xbf77d014;
    r->smbios = 0xbf5cc000;
    r->smbios3 = UINT64_MAX;
    r->directmap = 0xffff830000000000;
    e[0] = (struct lu_efi_entry){.type = 7, .start = 0x100000, .nr = 0x700, .attribute = 0xf};
    e[1] = (struct lu_efi_entry){.type = 6,
                                 .start = 0xbf5ec000,
                                 .nr = 0x200,
                                 .attribute = 0x800000000000000f};
    lu_record_end(w);
}

static void write_cpupools(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_cpupools_entry *e;

    BEGIN(w, CPUPOOLS, domid, index);
    e = ENTRIES(w, 3);
    e[0] = (struct lu_cpupools_entry){.ratelimit_us = 1000, .scheduler = "credit2"};
    e[1] = (struct lu_cpupools_entry){.cpupool = 1,
                                      .ratelimit_us = 1000,
                                      .tslice_ms = 30,
                                      .scheduler = "credit"};
    e[2] = (struct lu_cpupools_entry){.cpupool = 4, .scheduler = "null"};
    lu_record_end(w);
}

static void write_cpupool_cpus(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_cpupool_cpus_entry *e;

    BEGIN(w, CPUPOOL_CPUS, domid, index);
    e = ENTRIES(w, 3);
    e[0] = (struct lu_cpupool_cpus_entry){.apic_id = 0, .cpupool = 0};
    e[1] = (struct lu_cpupool_cpus_entry){.apic_id = 2, .cpupool = 4};
    e[2] = (struct lu_cpupool_cpus_entry){.apic_id = 4, .cpupool = LU_CPUPOOL_NONE};
    lu_record_end(w);
}

static void write_cpupool(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_cpupool *c;

    if (domid != world_domid[1])
        return;
    c = BEGIN(w, CPUPOOL, domid, index);
    c->cpupool = 4;
    lu_record_end(w);
}

static void write_vectors(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_vectors *v = BEGIN(w, VECTORS, domid, index);
    struct lu_vectors_entry *e = ENTRIES(w, 3);
    unsigned int i;

    v->nr_irqs = 64;
    for (i = 0; i < 3; i++)
        e[i] = (struct lu_vectors_entry){.irq = 9 + i, .vector = 0x30 + 8 * i};
    lu_record_end(w);
}

static void write_pending(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_pending_entry *e;

    BEGIN(w, PENDING, domid, index);
    e = ENTRIES(w, 2);
    e[0] = (struct lu_pending_entry){.apic_id = 0, .first = 0, .nr = 2, .collected = 1};
    e[1] = (struct lu_pending_entry){.apic_id = 1, .first = 2, .nr = 1, .collected = 1};
    e[1].irr[1] = 0x00010000;
    lu_record_end(w);
}

static void write_pci_owner(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_pci_owner_entry *e;

    BEGIN(w, PCI_OWNER, domid, index);
    e = ENTRIES(w, 2);
    e[0] = (struct lu_pci_owner_entry){.sbdf = 0x18, .domid = world_domid[1]};
    e[1] = (struct lu_pci_owner_entry){.sbdf = 0x20, .domid = LU_PCI_NOBODY};
    lu_record_end(w);
}

/* The first domain alone has an IOMMU. */
static void write_io_tables(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_io_tables *t;

    if (domid != world_domid[0])
        return;
    t = BEGIN(w, IO_TABLES, domid, index);
    t->root_mfn = WORLD_IO_TABLES + 1;
    t->nr_frames = 4;
    t->levels = 3;
    t->flags = LU_IO_TABLES_MARKED;
    t->image_mfn = 0x810;
    t->image_nr = 16;
    lu_record_end(w);
}

static void write_partial_tables(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_partial_tables_entry *e;

    if (domid != world_domid[1])
        return;
    BEGIN(w, PARTIAL_TABLES, domid, index);
    e = ENTRIES(w, 2);
    e[0] = (struct lu_partial_tables_entry){.mfn = WORLD_FRAME(1) + 4, .validated = 511};
    e[1] = (struct lu_partial_tables_entry){.mfn = WORLD_FRAME(1) + 5, .next_partial = 1};
    lu_record_end(w);
}

static void write_old_table(struct lu_writer *w, uint16_t domid, uint16_t index)
{
    struct lu_old_table *t;

    if (domid != world_domid[1])
        return;
    t = BEGIN(w, OLD_TABLE, domid, index);
    t->mfn = WORLD_FRAME(1) + 5;
    t->parent_mfn = WORLD_FRAME(1) + 4;
    t->partial = 1;
    lu_record_end(w);
}

static const struct {
    uint32_t type;
    void (*write)(struct lu_writer *w, uint16_t domid, uint16_t index);
} writers[] = {
    {LU_REC_HOST, write_host},
    {LU_REC_MEMMAP, write_memmap},
    {LU_REC_DOMAIN, write_domain},
    {LU_REC_FRAMES, write_frames},
    {LU_REC_PARTIAL_TABLES, write_partial_tables},
    {LU_REC_OLD_TABLE, write_old_table},
    {LU_REC_EVTCHN_FIFO, write_evtchn_fifo},
    {LU_REC_EVTCHN_QUEUES, write_evtchn_queues},
    {LU_REC_EVTCHN, write_evtchn},
    {LU_REC_GRANT, write_grant},
    {LU_REC_GRANT_ACTIVE, write_grant_active},
    {LU_REC_GRANT_MAPS, write_grant_maps},
    {LU_REC_AREA, write_area},
    {LU_REC_P2M, write_p2m},
    {LU_REC_HVM, write_hvm},
    {LU_REC_HVM_CONTEXT, write_hvm_context},
    {LU_REC_HVM_TIMERS, write_hvm_timers},
    {LU_REC_HVM_VCPU, write_hvm_vcpu},
    {LU_REC_VIRIDIAN, write_viridian},
    {LU_REC_VIRIDIAN_VCPU, write_viridian_vcpu},
    {LU_REC_PIRQS, write_pirqs},
    {LU_REC_PT_IRQS, write_pt_irqs},
    {LU_REC_PT_LINES, write_pt_lines},
    {LU_REC_VECTORS, write_vectors},
    {LU_REC_PENDING, write_pending},
    {LU_REC_PCI_OWNER, write_pci_owner},
    {LU_REC_IO_TABLES, write_io_tables},
    {LU_REC_PERFORMANCE, write_performance},
    {LU_REC_PSTATES, write_pstates},
    {LU_REC_OFFLINE_CPUS, write_offline_cpus},
    {LU_REC_EFI, write_efi},
    {LU_REC_CPUPOOLS, write_cpupools},
    {LU_REC_CPUPOOL_CPUS, write_cpupool_cpus},
    {LU_REC_CPUPOOL, write_cpupool},
};

/* ---- the stream ---- */

static void write_record(struct lu_writer *w, const struct lu_record_desc *desc, uint16_t domid,
                         uint16_t index)
{
    unsigned int i;

    for (i = 0; i < sizeof(writers) / sizeof(writers[0]); i++)
        if (writers[i].type == desc->type) {
            writers[i].write(w, domid, index);
            return;
        }
    world_fill_record(w, desc, domid, index, 3, WORLD_SEED);
}

uint64_t world_write(struct lu_writer *w, void *buf, uint64_t size)
{
    unsigned int i, d, v;

    lu_writer_init(w, buf, size);
    for (i = 0; i < lu_nr_records; i++) {
        const struct lu_record_desc *desc = &lu_records[i];

        if (desc->type == LU_REC_END)
            continue;
        if (desc->type == LU_REC_FRAMES)
            write_frames_of_xen(w);

        for (d = 0; d < (desc->scope == LU_SCOPE_HOST ? 1 : WORLD_DOMAINS); d++)
            for (v = 0; v < (desc->scope == LU_SCOPE_VCPU ? world_vcpus[d] : 1); v++)
                write_record(w, desc, desc->scope == LU_SCOPE_HOST ? 0 : world_domid[d], v);
    }

    return lu_writer_finish(w);
}

void *world_make(uint64_t *length)
{
    struct lu_writer w;
    void *buf = malloc(1 << 20);

    assert(buf);
    *length = world_write(&w, buf, 1 << 20);
    assert(*length);

    return buf;
}

/* ---- altering it ---- */

struct lu_record *world_record(void *stream, uint64_t length, uint32_t type, uint16_t domid,
                               uint16_t index)
{
    const struct lu_stream s = {.buf = stream, .length = length};
    const struct lu_record *r = lu_record_find(&s, NULL, type, domid);

    while (r && r->index != index)
        r = lu_record_find(&s, r, type, domid);
    assert(r);

    return (struct lu_record *)r;
}

void *world_field(struct lu_record *r, int entry, const char *field, unsigned int *size)
{
    const struct lu_record_desc *desc = lu_record_desc(r->type);
    const struct lu_field_desc *f = entry < 0 ? desc->fixed : desc->entry;
    unsigned int i, nr = entry < 0 ? desc->nr_fixed : desc->nr_entry;
    uint8_t *p = (uint8_t *)(r + 1);

    if (entry >= 0)
        p += r->fixed_len + entry * r->entry_len;
    for (i = 0; i < nr && strcmp(f[i].name, field); i++)
        p += f[i].size;
    assert(i < nr && (entry < 0 || (uint32_t)entry < r->nr));
    *size = f[i].size;

    return p;
}

void *world_rewrite(const void *stream, uint64_t length, world_edit *edit, void *arg,
                    uint64_t *new_length)
{
    const struct lu_stream s = {.buf = stream, .length = length};
    uint8_t *buf = malloc(2 * length), *scratch = malloc(length + 4096);
    struct lu_stream_header *hdr = (void *)buf;
    const struct lu_record *r = NULL;

    assert(buf && scratch);
    memcpy(buf, stream, sizeof(*hdr));
    hdr->nr_records = 0;
    hdr->length = sizeof(*hdr);

    while ((r = lu_record_next(&s, r))) {
        struct lu_record *copy = (void *)scratch;
        unsigned int times;

        memcpy(copy, r, sizeof(*r) + r->length);
        for (times = edit(copy, arg); times; times--) {
            memcpy(buf + hdr->length, copy, sizeof(*copy) + copy->length);
            hdr->length += sizeof(*copy) + copy->length;
            hdr->nr_records++;
        }
    }
    free(scratch);
    *new_length = hdr->length;
    lu_stream_seal(buf, hdr->length);

    return buf;
}
