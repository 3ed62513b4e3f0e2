/* SPDX-License-Identifier: MIT */
/*
 * What the records of a stream say about each other.
 *
 * Each record is all right in itself when this is reached (stream.c).  It runs
 * within the pause: runs of frames are walked side by side, everything else is
 * found by bisection, as entries ascend by the number that others refer to.
 */

#include <xen-liveupdate/handover.h>
#include <xen-liveupdate/stream.h>

#define DOMID_XEN 0x7ff2u

/* state of EVTCHN's entries: EVTCHNSTAT_* of xen/event_channel.h */
#define PORT_INTERDOMAIN 2
#define PORT_PIRQ        3
#define PORT_LAST        5

/* lu_record_entry() for the loops that matter: constant size, no call. */
#define GET(r, i, e)                                                                        \
    do {                                                                                    \
        if ((r)->entry_len < sizeof(*(e)))                                                  \
            lu_record_entry(r, i, e, sizeof(*(e)));                                         \
        else                                                                                \
            memcpy(e, (const uint8_t *)lu_record_bytes(r) + (uint64_t)(i) * (r)->entry_len, \
                   sizeof(*(e)));                                                           \
    } while (0)

struct check {
    const struct lu_stream *s;
    struct lu_complaint *why;
    const struct lu_record *memmap;
};

static enum lu_verdict bad(const struct check *c, const struct lu_record *r, const char *what)
{
    return lu_complain(c->why, LU_BAD_REFERENCE, (const uint8_t *)r - c->s->buf, r, what);
}

#define for_each_record(c, r, type) \
    for ((r) = NULL; ((r) = lu_record_find((c)->s, r, type, LU_ANY_DOMID));)

/* ---- looking up ---- */

/*
 * The record of one type for any domain.  Entries of one domain refer to few
 * others, so that remembering the last ones found saves most searches; records
 * ascend, so that those who ask in order go on from the last.
 */
struct finder {
    enum lu_record_type type;
    const struct lu_record *last;
    const struct lu_record *recent[32];
};

static const struct lu_record *find(const struct check *c, struct finder *f, uint16_t domid)
{
    const struct lu_record **slot = &f->recent[domid % 32];
    const struct lu_record *r = f->last;

    if (*slot && (*slot)->domid == domid)
        return *slot;

    if (r && r->domid >= domid)
        r = NULL;
    while ((r = lu_record_find(c->s, r, f->type, LU_ANY_DOMID)) && r->domid < domid)
        f->last = r;
    if (!r || r->domid != domid)
        return NULL;
    f->last = r;
    *slot = r;

    return r;
}

/* The first entry whose 32-bit field at @offset is not below @key; r->nr: none. */
static uint32_t bisect(const struct lu_record *r, uint32_t offset, uint32_t key)
{
    uint32_t low = 0, high = r->nr;

    /* An older version might not have the field. */
    if (r->entry_len < offset + sizeof(key))
        return r->nr;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2, value;

        memcpy(&value, (const uint8_t *)lu_record_bytes(r) + (uint64_t)mid * r->entry_len + offset,
               sizeof(value));
        if (value < key)
            low = mid + 1;
        else
            high = mid;
    }

    return low;
}

static bool find_port(const struct lu_record *r, uint32_t port, struct lu_evtchn_entry *e)
{
    uint32_t i;

    if (!r)
        return false;
    i = bisect(r, offsetof(struct lu_evtchn_entry, port), port);
    if (i == r->nr)
        return false;
    GET(r, i, e);

    return e->port == port;
}

static bool find_grant(const struct lu_record *r, uint32_t ref, struct lu_grant_active_entry *e)
{
    uint32_t i;

    if (!r)
        return false;
    i = bisect(r, offsetof(struct lu_grant_active_entry, ref), ref);
    if (i == r->nr)
        return false;
    GET(r, i, e);

    return e->ref == ref;
}

/* Does run @i of the memory map end at or below @mfn? */
static bool run_below(const struct lu_record *map, uint32_t i, uint64_t mfn)
{
    struct lu_memmap_entry e;

    GET(map, i, &e);

    return e.mfn + e.nr <= mfn;
}

/* The first run from @i on that ends above @mfn; map->nr: none.  Strides double. */
static uint32_t run_of(const struct lu_record *map, uint32_t i, uint64_t mfn)
{
    uint32_t step = 1, high;

    while (step < map->nr - i && run_below(map, i + step - 1, mfn)) {
        i += step;
        step *= 2;
    }

    high = step < map->nr - i ? i + step : map->nr;
    while (i < high) {
        uint32_t mid = i + (high - i) / 2;

        if (run_below(map, mid, mfn))
            i = mid + 1;
        else
            high = mid;
    }

    return i;
}

/* For frames_are(): of a domain, whichever it is, or Xen's own. */
#define ANYBODYS 0

static bool run_is(const struct lu_memmap_entry *e, uint16_t class, uint16_t domid)
{
    if (class == ANYBODYS)
        return e->class == LU_MEM_DOMAIN || e->class == LU_MEM_KEPT;

    return e->class == class && e->domid == domid;
}

/*
 * Are these frames all of @class (and @domid's)?  *@cursor goes along with
 * ascending questions; it starts as 0.
 */
static bool frames_are(const struct check *c, uint32_t *cursor, uint64_t mfn, uint64_t nr,
                       uint16_t class, uint16_t domid)
{
    uint32_t i = run_of(c->memmap, *cursor, mfn);

    for (; nr; i++) {
        struct lu_memmap_entry e;
        uint64_t n;

        *cursor = i;
        if (i == c->memmap->nr)
            return false;
        GET(c->memmap, i, &e);
        if (e.mfn > mfn || !run_is(&e, class, domid))
            return false;

        n = e.mfn + e.nr - mfn;
        if (n > nr)
            n = nr;
        mfn += n;
        nr -= n;
    }

    return true;
}

static bool owns(const struct check *c, uint16_t domid, uint64_t mfn)
{
    uint32_t cursor = 0;

    return frames_are(c, &cursor, mfn, 1, LU_MEM_DOMAIN, domid);
}

/* ---- what has to be there ---- */

static enum lu_verdict missing(const struct check *c, const char *what)
{
    return lu_complain(c->why, LU_BAD_ORDER, c->s->length, NULL, what);
}

/* Records are of declared domains and existing vCPUs, once each: counting is enough. */
static enum lu_verdict check_presence(const struct check *c)
{
    static const enum lu_record_index host[] = {LU_INDEX_CPUS, LU_INDEX_TIME, LU_INDEX_MEMMAP};
    static const enum lu_record_index domain[] = {LU_INDEX_DOMAIN, LU_INDEX_EVTCHN};
    static const enum lu_record_index vcpu[] = {LU_INDEX_VCPU, LU_INDEX_AREA, LU_INDEX_TIMER};
    const struct lu_record *r;
    struct lu_host fixed;
    struct lu_domain d;
    uint64_t nr_vcpus = 0;
    unsigned int i;

    for (i = 0; i < sizeof(host) / sizeof(host[0]); i++)
        if (!c->s->where[host[i]].nr)
            return missing(c, lu_records[host[i]].name);

    LU_FIXED(lu_record_find(c->s, NULL, LU_REC_HOST, 0), &fixed);
    for (i = 0; i < sizeof(domain) / sizeof(domain[0]); i++)
        if (c->s->where[domain[i]].nr != fixed.nr_domains)
            return missing(c, lu_records[domain[i]].name);

    for_each_record(c, r, LU_REC_DOMAIN) {
        LU_FIXED(r, &d);
        if (d.nr_vcpus > d.max_vcpus)
            return bad(c, r, "nr_vcpus");
        nr_vcpus += d.nr_vcpus;
    }
    for (i = 0; i < sizeof(vcpu) / sizeof(vcpu[0]); i++)
        if (c->s->where[vcpu[i]].nr != nr_vcpus)
            return missing(c, lu_records[vcpu[i]].name);

    return LU_OK;
}

/* ---- memory ---- */

/* @owned: frames that belong to domains. */
static enum lu_verdict check_memmap(const struct check *c, uint64_t *owned)
{
    const struct lu_record *r = c->memmap;
    struct lu_memmap_entry e;
    struct lu_memmap fixed;
    struct lu_host host;
    uint64_t next = 0, sum = 0;
    uint32_t pieces = 0, i;

    LU_FIXED(lu_record_find(c->s, NULL, LU_REC_HOST, 0), &host);
    *owned = 0;

    for (i = 0; i < r->nr; i++) {
        GET(r, i, &e);
        if (!e.nr)
            return bad(c, r, "run without frames");
        if (e.mfn < next)
            return bad(c, r, "runs overlap or do not ascend");
        if (e.mfn > host.max_page || e.nr > host.max_page - e.mfn)
            return bad(c, r, "run beyond max_page");
        if (e.class < LU_MEM_DOMAIN || e.class > LU_MEM_BAD)
            return bad(c, r, "class");
        if (e.class == LU_MEM_DOMAIN)
            *owned += e.nr;
        else if (e.class != LU_MEM_IO_TABLE && e.domid)
            return bad(c, r, "domid");
        /* The reader keeps them until it has read all of it. */
        if (e.class == LU_MEM_STREAM && ++pieces > LU_HANDOVER_EXTENTS)
            return bad(c, r, "stream in too many pieces");
        next = e.mfn + e.nr;
        sum += e.nr;
    }

    LU_FIXED(r, &fixed);

    return sum == fixed.nr_frames ? LU_OK : bad(c, r, "nr_frames");
}

static enum lu_verdict check_frames_of(const struct check *c, const struct lu_record *r,
                                       uint64_t *sum)
{
    bool xen = r->domid == DOMID_XEN;
    struct lu_frames_entry e;
    struct lu_frames fixed;
    uint64_t next = 0;
    uint32_t i, cursor = 0;

    *sum = 0;
    for (i = 0; i < r->nr; i++) {
        GET(r, i, &e);
        if (!e.nr)
            return bad(c, r, "run without frames");
        if (e.mfn < next)
            return bad(c, r, "runs overlap or do not ascend");
        if (e.mfn + e.nr < e.mfn ||
            !frames_are(c, &cursor, e.mfn, e.nr, xen ? LU_MEM_KEPT : LU_MEM_DOMAIN,
                        xen ? 0 : r->domid))
            return bad(c, r, "run that MEMMAP does not give to its owner");
        if (LU_FRAME_TYPE(e.flags) > LU_FRAME_TYPE_WRITABLE ||
            e.flags & ~(LU_FRAME_SET_TYPE(0xf) | LU_FRAME_ALL) ||
            (e.flags & (LU_FRAME_OFFLINING | LU_FRAME_BROKEN)) == LU_FRAME_BROKEN)
            return bad(c, r, "flags");
        next = e.mfn + e.nr;
        *sum += e.nr;
    }

    LU_FIXED(r, &fixed);

    return *sum == fixed.nr_frames ? LU_OK : bad(c, r, "nr_frames");
}

/*
 * Every run belongs to its owner and none is named twice.  So if the sums agree,
 * MEMMAP gives nothing to anybody that FRAMES does not know of.
 */
static enum lu_verdict check_frames(const struct check *c)
{
    const struct lu_record *r;
    uint64_t owned, nr, sum = 0;
    enum lu_verdict verdict;

    verdict = check_memmap(c, &owned);
    if (verdict)
        return verdict;

    for_each_record(c, r, LU_REC_FRAMES) {
        verdict = check_frames_of(c, r, &nr);
        if (verdict)
            return verdict;
        if (r->domid != DOMID_XEN)
            sum += nr;
    }

    return sum == owned ? LU_OK : bad(c, c->memmap, "frames of domains that FRAMES does not name");
}

static enum lu_verdict check_partial_tables(const struct check *c)
{
    struct lu_partial_tables_entry e;
    const struct lu_record *r;
    uint32_t i;

    for_each_record(c, r, LU_REC_PARTIAL_TABLES) {
        uint32_t cursor = 0;

        for (i = 0; i < r->nr; i++) {
            GET(r, i, &e);
            if (!frames_are(c, &cursor, e.mfn, 1, LU_MEM_DOMAIN, r->domid))
                return bad(c, r, "mfn");
        }
    }

    return LU_OK;
}

static enum lu_verdict check_shared_pages(const struct check *c)
{
    struct lu_domain domain;
    struct lu_area area;
    struct lu_pirqs pirqs;
    struct lu_viridian viridian;
    struct lu_viridian_vcpu viridian_vcpu;
    struct lu_old_table table;
    const struct lu_record *r;

    for_each_record(c, r, LU_REC_DOMAIN) {
        LU_FIXED(r, &domain);
        if (!owns(c, r->domid, domain.shared_info_mfn))
            return bad(c, r, "shared_info_mfn");
    }

    for_each_record(c, r, LU_REC_AREA) {
        LU_FIXED(r, &area);
        if (area.flags & LU_AREA_VCPU_INFO && !owns(c, r->domid, area.vcpu_info_mfn))
            return bad(c, r, "vcpu_info_mfn");
        if (area.flags & LU_AREA_RUNSTATE_MFN && !owns(c, r->domid, area.runstate_mfn))
            return bad(c, r, "runstate_mfn");
        if (area.flags & LU_AREA_TIME_MFN && !owns(c, r->domid, area.time_mfn))
            return bad(c, r, "time_mfn");
    }

    for_each_record(c, r, LU_REC_PIRQS) {
        LU_FIXED(r, &pirqs);
        if (pirqs.eoi_map_mfn && !owns(c, r->domid, pirqs.eoi_map_mfn))
            return bad(c, r, "eoi_map_mfn");
    }

    for_each_record(c, r, LU_REC_OLD_TABLE) {
        LU_FIXED(r, &table);
        if (!owns(c, r->domid, table.mfn))
            return bad(c, r, "mfn");
        if (table.parent_mfn && !owns(c, r->domid, table.parent_mfn))
            return bad(c, r, "parent_mfn");
    }

    for_each_record(c, r, LU_REC_VIRIDIAN) {
        LU_FIXED(r, &viridian);
        if (viridian.reference_tsc_mfn && !owns(c, r->domid, viridian.reference_tsc_mfn))
            return bad(c, r, "reference_tsc_mfn");
    }

    for_each_record(c, r, LU_REC_VIRIDIAN_VCPU) {
        LU_FIXED(r, &viridian_vcpu);
        if (viridian_vcpu.vp_assist_mfn && !owns(c, r->domid, viridian_vcpu.vp_assist_mfn))
            return bad(c, r, "vp_assist_mfn");
        if (viridian_vcpu.simp_mfn && !owns(c, r->domid, viridian_vcpu.simp_mfn))
            return bad(c, r, "simp_mfn");
    }

    return LU_OK;
}

/* ---- event channels ---- */

/* A port by itself. */
static enum lu_verdict check_ports(const struct check *c, const struct lu_record *r,
                                   struct finder *domains)
{
    struct lu_evtchn_entry e;
    struct lu_evtchn fixed;
    struct lu_domain domain;
    uint32_t i, next = 0;

    LU_FIXED(r, &fixed);
    LU_FIXED(find(c, domains, r->domid), &domain);

    if (fixed.reset > fixed.nr_ports)
        return bad(c, r, "reset");

    for (i = 0; i < r->nr; i++) {
        GET(r, i, &e);
        if (e.port < next)
            return bad(c, r, "ports do not ascend");
        if (e.port >= fixed.nr_ports)
            return bad(c, r, "port beyond nr_ports");
        if (e.vcpu >= domain.nr_vcpus || e.last_vcpu >= domain.nr_vcpus)
            return bad(c, r, "port of a vCPU that is not there");
        if (e.state > PORT_LAST)
            return bad(c, r, "state");
        next = e.port + 1;
    }

    return LU_OK;
}

/* Does @e, a port of @domid, have its other end, and does that point back? */
static bool joined(const struct check *c, struct finder *evtchn, uint16_t domid,
                   const struct lu_evtchn_entry *e)
{
    struct lu_evtchn_entry remote;

    return find_port(find(c, evtchn, e->remote_domid), e->target, &remote) &&
           remote.state == PORT_INTERDOMAIN && remote.remote_domid == domid &&
           remote.target == e->port;
}

/*
 * The ends in the domains of higher domid are looked at one by one.  Each has its
 * own other end, so if those in the lower domains are as many, they are the same.
 */
static enum lu_verdict check_interdomain(const struct check *c, struct finder *evtchn)
{
    const struct lu_record *r;
    struct lu_evtchn_entry e;
    uint64_t upward = 0, downward = 0;
    uint32_t i;

    for_each_record(c, r, LU_REC_EVTCHN)
        for (i = 0; i < r->nr; i++) {
            GET(r, i, &e);
            if (e.state != PORT_INTERDOMAIN)
                continue;
            if (e.remote_domid > r->domid) {
                upward++;
                continue;
            }
            if (!joined(c, evtchn, r->domid, &e))
                return bad(c, r, "interdomain port without its other end");
            downward += e.remote_domid < r->domid;
        }

    if (upward == downward)
        return LU_OK;

    for_each_record(c, r, LU_REC_EVTCHN)
        for (i = 0; i < r->nr; i++) {
            GET(r, i, &e);
            if (e.state == PORT_INTERDOMAIN && !joined(c, evtchn, r->domid, &e))
                return bad(c, r, "interdomain port without its other end");
        }

    return missing(c, "EVTCHN");
}

/* Ports and pirqs that are bound to each other. */
static enum lu_verdict check_pirqs(const struct check *c, struct finder *evtchn)
{
    const struct lu_record *r;
    struct lu_evtchn_entry port;
    struct lu_pirqs_entry e;
    uint64_t pirqs = 0, ports = 0;
    uint32_t i, next;

    for_each_record(c, r, LU_REC_PIRQS)
        for (i = next = 0; i < r->nr; i++) {
            GET(r, i, &e);
            if (e.pirq < next)
                return bad(c, r, "pirqs do not ascend");
            next = e.pirq + 1;
            if (!e.port)
                continue;
            if (!find_port(find(c, evtchn, r->domid), e.port, &port) || port.state != PORT_PIRQ ||
                port.target != e.pirq)
                return bad(c, r, "pirq whose port is not bound to it");
            pirqs++;
        }

    for_each_record(c, r, LU_REC_EVTCHN)
        for (i = 0; i < r->nr; i++) {
            GET(r, i, &port);
            ports += port.state == PORT_PIRQ;
        }

    /* Each pirq found its own port. */
    return ports == pirqs ? LU_OK : missing(c, "port bound to a pirq that PIRQS does not name");
}

static enum lu_verdict check_fifo(const struct check *c, struct finder *evtchn)
{
    struct finder fifo = {.type = LU_REC_EVTCHN_FIFO};
    struct lu_evtchn_queues_entry queue;
    struct lu_evtchn_queues queues;
    struct lu_evtchn_fifo_entry page;
    struct lu_evtchn ports;
    const struct lu_record *r, *e;
    uint32_t i;

    for_each_record(c, r, LU_REC_EVTCHN_FIFO)
        for (i = 0; i < r->nr; i++) {
            GET(r, i, &page);
            if (!owns(c, r->domid, page.mfn))
                return bad(c, r, "mfn");
        }

    for_each_record(c, r, LU_REC_EVTCHN_QUEUES) {
        LU_FIXED(r, &queues);
        if (!owns(c, r->domid, queues.control_mfn))
            return bad(c, r, "control_mfn");
        if (!find(c, &fifo, r->domid))
            return bad(c, r, "queues of a domain without EVTCHN_FIFO");
        e = find(c, evtchn, r->domid);
        LU_FIXED(e, &ports);
        for (i = 0; i < r->nr; i++) {
            GET(r, i, &queue);
            if (queue.tail && queue.tail >= ports.nr_ports)
                return bad(c, r, "tail");
        }
    }

    return LU_OK;
}

static enum lu_verdict check_evtchn(const struct check *c, struct finder *domains)
{
    struct finder evtchn = {.type = LU_REC_EVTCHN};
    const struct lu_record *r;
    enum lu_verdict verdict;

    for_each_record(c, r, LU_REC_EVTCHN) {
        verdict = check_ports(c, r, domains);
        if (verdict)
            return verdict;
    }

    verdict = check_interdomain(c, &evtchn);
    if (!verdict)
        verdict = check_pirqs(c, &evtchn);
    if (!verdict)
        verdict = check_fifo(c, &evtchn);

    return verdict;
}

/* ---- grants ---- */

static enum lu_verdict check_grant_table(const struct check *c, const struct lu_record *r)
{
    struct lu_grant_entry e;
    struct lu_grant fixed;
    uint32_t i;

    LU_FIXED(r, &fixed);
    if ((uint64_t)fixed.nr_frames + fixed.nr_status != r->nr)
        return bad(c, r, "nr_frames");

    for (i = 0; i < r->nr; i++) {
        GET(r, i, &e);
        if (!owns(c, r->domid, e.mfn))
            return bad(c, r, "mfn");
    }

    return LU_OK;
}

static enum lu_verdict check_active(const struct check *c, const struct lu_record *r,
                                    struct finder *domains)
{
    struct lu_grant_active_entry e;
    uint32_t i, next = 0;

    for (i = 0; i < r->nr; i++) {
        GET(r, i, &e);
        if (e.ref < next || e.ref == UINT32_MAX)
            return bad(c, r, "grants do not ascend");
        if (!find(c, domains, e.domid))
            return bad(c, r, "grant used by a domain that is not there");
        if (!find(c, domains, e.trans_domid))
            return bad(c, r, "trans_domid");
        next = e.ref + 1;
    }

    return LU_OK;
}

static enum lu_verdict check_mappings(const struct check *c, const struct lu_record *r,
                                      struct finder *domains, struct finder *active)
{
    struct lu_grant_active_entry grant;
    struct lu_grant_maps_entry e;
    struct lu_grant_maps fixed;
    struct lu_domain domain;
    uint64_t next = 0;
    uint32_t i;

    LU_FIXED(find(c, domains, r->domid), &domain);

    for (i = 0; i < r->nr; i++) {
        GET(r, i, &e);
        if (!e.nr || e.handle != next || (e.flags && e.nr != 1))
            return bad(c, r, "handles are not each named once");
        next += e.nr;
        if (e.vcpu >= domain.nr_vcpus)
            return bad(c, r, "handle of a vCPU that is not there");
        /* The handle of a grant may outlive the domain that granted it. */
        if (!e.flags || !find(c, domains, e.domid))
            continue;
        if (!find_grant(find(c, active, e.domid), e.ref, &grant) || grant.domid != r->domid)
            return bad(c, r, "mapping of a grant that is not there");
    }

    LU_FIXED(r, &fixed);

    return next == fixed.nr_handles ? LU_OK : bad(c, r, "nr_handles");
}

static enum lu_verdict check_grants(const struct check *c, struct finder *domains)
{
    struct finder active = {.type = LU_REC_GRANT_ACTIVE};
    const struct lu_record *r;
    enum lu_verdict verdict;

    for_each_record(c, r, LU_REC_GRANT) {
        verdict = check_grant_table(c, r);
        if (verdict)
            return verdict;
    }

    for_each_record(c, r, LU_REC_GRANT_ACTIVE) {
        verdict = check_active(c, r, domains);
        if (verdict)
            return verdict;
    }

    for_each_record(c, r, LU_REC_GRANT_MAPS) {
        verdict = check_mappings(c, r, domains, &active);
        if (verdict)
            return verdict;
    }

    return LU_OK;
}

/* ---- interrupts ---- */

static enum lu_verdict check_pending(const struct check *c)
{
    const struct lu_record *vectors = lu_record_find(c->s, NULL, LU_REC_VECTORS, LU_ANY_DOMID);
    const struct lu_record *r;
    struct lu_pending_entry e;
    uint32_t i;

    for_each_record(c, r, LU_REC_PENDING) {
        if (!vectors)
            return bad(c, r, "PENDING without VECTORS");
        for (i = 0; i < r->nr; i++) {
            GET(r, i, &e);
            if (e.first > vectors->nr || e.nr > vectors->nr - e.first)
                return bad(c, r, "entries that VECTORS does not have");
        }
    }

    return LU_OK;
}

/* ---- devices ---- */

static enum lu_verdict check_owners(const struct check *c)
{
    const struct lu_record *r;
    struct lu_pci_owner_entry e;
    uint32_t i;

    for_each_record(c, r, LU_REC_PCI_OWNER) {
        for (i = 0; i < r->nr; i++) {
            GET(r, i, &e);
            if (e.domid == LU_PCI_NOBODY)
                continue;
            if (e.domid >= LU_ANY_DOMID || !lu_record_find(c->s, NULL, LU_REC_DOMAIN, e.domid))
                return bad(c, r, "device of a domain that is not there");
        }
    }

    return LU_OK;
}

/* ---- IOMMUs ---- */

/* Every frame of a table is counted by the domain that it serves. */
static enum lu_verdict check_io_tables(const struct check *c)
{
    const struct lu_record *r;
    struct lu_memmap_entry e;
    struct lu_io_tables fixed;
    struct lu_host host;
    uint64_t nr, max_page, all = 0, sum = 0;
    uint32_t i, cursor;

    LU_FIXED(lu_record_find(c->s, NULL, LU_REC_HOST, 0), &host);
    max_page = host.max_page;

    for (i = 0; i < c->memmap->nr; i++) {
        GET(c->memmap, i, &e);
        if (e.class == LU_MEM_IO_TABLE)
            all += e.nr;
    }

    for_each_record(c, r, LU_REC_IO_TABLES) {
        LU_FIXED(r, &fixed);
        if (!c->s->where[LU_INDEX_IOMMU].nr)
            return bad(c, r, "no IOMMU");
        cursor = 0;
        if (fixed.root_mfn && !frames_are(c, &cursor, fixed.root_mfn, 1, LU_MEM_IO_TABLE, r->domid))
            return bad(c, r, "root_mfn");
        for (i = 0, nr = 0; i < c->memmap->nr; i++) {
            GET(c->memmap, i, &e);
            if (e.class == LU_MEM_IO_TABLE && e.domid == r->domid)
                nr += e.nr;
        }
        if (nr != fixed.nr_frames)
            return bad(c, r, "nr_frames");
        if (fixed.image_mfn > max_page || fixed.image_nr > max_page - fixed.image_mfn)
            return bad(c, r, "image_mfn");
        sum += nr;
    }

    return sum == all ? LU_OK : bad(c, c->memmap, "I/O page tables of a domain without IO_TABLES");
}

/* ---- devices that translated domains drive ---- */

/* The next entry of PIRQS that is not below @pirq; both ascend. */
static bool has_pirq(const struct lu_record *r, uint32_t *i, uint32_t pirq)
{
    struct lu_pirqs_entry e = {0};

    for (; r && *i < r->nr; ++*i) {
        GET(r, *i, &e);
        if (e.pirq >= pirq)
            break;
    }

    return r && *i < r->nr && e.pirq == pirq && e.kind >= LU_PIRQ_GSI && e.kind <= LU_PIRQ_MSIX;
}

static bool has_line(const struct lu_record *r, uint32_t *i, uint32_t pirq)
{
    struct lu_pt_irqs_entry e = {0};

    for (; r && *i < r->nr; ++*i) {
        GET(r, *i, &e);
        if (e.pirq >= pirq)
            break;
    }

    return r && *i < r->nr && e.pirq == pirq && e.kind == LU_PT_LINE;
}

static enum lu_verdict check_passthrough(const struct check *c)
{
    const struct lu_record *r, *of;
    struct lu_pt_lines_entry line;
    struct lu_pt_irqs_entry irq;
    uint32_t i, j, next;

    for_each_record(c, r, LU_REC_PT_IRQS) {
        of = lu_record_find(c->s, NULL, LU_REC_PIRQS, r->domid);
        for (i = j = next = 0; i < r->nr; i++) {
            GET(r, i, &irq);
            if (irq.pirq < next)
                return bad(c, r, "interrupts do not ascend");
            next = irq.pirq + 1;
            if (!has_pirq(of, &j, irq.pirq))
                return bad(c, r, "interrupt of no device that PIRQS names");
        }
    }

    for_each_record(c, r, LU_REC_PT_LINES) {
        of = lu_record_find(c->s, NULL, LU_REC_PT_IRQS, r->domid);
        for (i = j = next = 0; i < r->nr; i++) {
            GET(r, i, &line);
            if (line.pirq < next)
                return bad(c, r, "lines do not ascend");
            next = line.pirq;
            if (!has_line(of, &j, line.pirq))
                return bad(c, r, "line that PT_IRQS does not name");
        }
    }

    return LU_OK;
}

/* ---- cpupools ---- */

static bool is_cpupool(const struct check *c, uint32_t cpupool)
{
    const struct lu_record *pools = lu_record_find(c->s, NULL, LU_REC_CPUPOOLS, LU_ANY_DOMID);
    struct lu_cpupools_entry e;
    uint32_t i;

    for (i = 0; pools && i < pools->nr; i++) {
        GET(pools, i, &e);
        if (e.cpupool == cpupool)
            return true;
    }

    return false;
}

static enum lu_verdict check_cpupools(const struct check *c)
{
    const struct lu_record *r;
    struct lu_cpupools_entry pool;
    struct lu_cpupool_cpus_entry cpu;
    struct lu_cpupool fixed;
    uint32_t i, last = 0;

    for_each_record(c, r, LU_REC_CPUPOOLS) {
        for (i = 0; i < r->nr; i++) {
            GET(r, i, &pool);
            if (i ? pool.cpupool <= last : pool.cpupool)
                return bad(c, r, "cpupools do not ascend from 0");
            last = pool.cpupool;
        }
        if (last == LU_CPUPOOL_NONE)
            return bad(c, r, "cpupool");
    }

    for_each_record(c, r, LU_REC_CPUPOOL_CPUS) {
        for (i = 0; i < r->nr; i++) {
            GET(r, i, &cpu);
            if (cpu.cpupool != LU_CPUPOOL_NONE && !is_cpupool(c, cpu.cpupool))
                return bad(c, r, "CPU of a cpupool that CPUPOOLS does not name");
        }
    }

    for_each_record(c, r, LU_REC_CPUPOOL) {
        LU_FIXED(r, &fixed);
        if (!is_cpupool(c, fixed.cpupool))
            return bad(c, r, "cpupool that CPUPOOLS does not name");
    }

    return LU_OK;
}

/* ---- physical CPUs ---- */

static enum lu_verdict check_cpus(const struct check *c)
{
    const struct lu_record *online = lu_record_find(c->s, NULL, LU_REC_CPUS, LU_ANY_DOMID);
    const struct lu_record *r = lu_record_find(c->s, NULL, LU_REC_OFFLINE_CPUS, LU_ANY_DOMID);
    struct lu_offline_cpus fixed;
    struct lu_offline_cpus_entry off;
    struct lu_cpus_entry on;
    uint32_t i, j;

    if (!r)
        return LU_OK;

    LU_FIXED(r, &fixed);
    if (fixed.smt > LU_SMT_ON)
        return bad(c, r, "smt");

    for (i = 0; i < r->nr; i++) {
        GET(r, i, &off);
        for (j = 0; j < online->nr; j++) {
            GET(online, j, &on);
            if (on.apic_id == off.apic_id)
                return bad(c, r, "CPU that CPUS has as well");
        }
    }

    return LU_OK;
}

/* ---- firmware ---- */

static enum lu_verdict check_efi(const struct check *c)
{
    const struct lu_record *r = lu_record_find(c->s, NULL, LU_REC_EFI, LU_ANY_DOMID);
    struct lu_efi fixed;
    struct lu_efi_entry e;
    uint32_t i;

    if (!r)
        return LU_OK;

    LU_FIXED(r, &fixed);
    if (fixed.flags & ~LU_EFI_ALL)
        return bad(c, r, "flags");
    /* An address is 0 if there is nothing. */
    if (!fixed.config_table || !fixed.runtime_services)
        return bad(c, r, "no tables");
    if (!r->nr)
        return bad(c, r, "no memory map");

    for (i = 0; i < r->nr; i++) {
        GET(r, i, &e);
        if ((e.start & 0xfff) || e.nr > (~(uint64_t)0 - e.start) >> 12)
            return bad(c, r, "memory map");
    }

    return LU_OK;
}

/* ---- power states ---- */

/* Both are in the order of CPUs in which they were told. */
static enum lu_verdict check_pstates(const struct check *c)
{
    const struct lu_record *r, *cpus = lu_record_find(c->s, NULL, LU_REC_PERFORMANCE, LU_ANY_DOMID);
    struct lu_performance_entry cpu;
    struct lu_pstates_entry e;
    uint32_t i, j = 0;

    for_each_record(c, r, LU_REC_PSTATES) {
        for (i = 0; i < r->nr; i++) {
            GET(r, i, &e);
            for (; cpus && j < cpus->nr; j++) {
                GET(cpus, j, &cpu);
                if (cpu.acpi_id == e.acpi_id)
                    break;
            }
            if (!cpus || j == cpus->nr)
                return bad(c, r, "state of a CPU that PERFORMANCE does not name");
        }
    }

    return LU_OK;
}

/* ---- translated domains ---- */

/* Memory is the domain's own; a device's registers are nobody's. */
static bool may_map(const struct check *c, uint32_t *cursor, const struct lu_record *r,
                    const struct lu_p2m_entry *e)
{
    switch (e->type) {
    case LU_P2M_MMIO_DIRECT: return true;
    case LU_P2M_GRANT_RW:
    case LU_P2M_GRANT_RO: return frames_are(c, cursor, e->mfn, e->nr, ANYBODYS, 0);
    default: return frames_are(c, cursor, e->mfn, e->nr, LU_MEM_DOMAIN, r->domid);
    }
}

static enum lu_verdict check_extents(const struct check *c, const struct lu_record *r)
{
    struct lu_p2m_entry e;
    struct lu_p2m fixed;
    uint64_t next = 0, next_mfn = 0, sum = 0;
    uint32_t i, cursor = 0;

    for (i = 0; i < r->nr; i++) {
        GET(r, i, &e);
        if (e.order != 0 && e.order != 9 && e.order != 18)
            return bad(c, r, "order");
        if (!e.nr || (e.gfn | e.mfn | e.nr) & ((1u << e.order) - 1))
            return bad(c, r, "extent that is not made of whole mappings");
        if (e.type < LU_P2M_RAM_RW || e.type > LU_P2M_GRANT_RO)
            return bad(c, r, "type");
        if (e.gfn < next || e.gfn + e.nr < e.gfn)
            return bad(c, r, "extents overlap or do not ascend");
        if (e.mfn + e.nr < e.mfn)
            return bad(c, r, "extent that ends behind the last frame");
        /* The memory behind a physmap mostly ascends with it. */
        if (e.mfn < next_mfn)
            cursor = 0;
        if (!may_map(c, &cursor, r, &e))
            return bad(c, r, "extent whose frames MEMMAP does not give to its domain");
        next_mfn = e.mfn + e.nr;
        next = e.gfn + e.nr;
        sum += e.nr;
    }

    LU_FIXED(r, &fixed);

    return sum == fixed.nr_frames ? LU_OK : bad(c, r, "nr_frames");
}

/* What makes a domain translated comes together: as many of each, of the same domains. */
static enum lu_verdict check_translated(const struct check *c)
{
    static const enum lu_record_index domain[] = {LU_INDEX_P2M, LU_INDEX_HVM_CONTEXT,
                                                  LU_INDEX_HVM_TIMERS};
    const struct lu_record *hvm, *p2m, *context, *timers;
    uint64_t nr_vcpus = 0;
    enum lu_verdict verdict;
    struct lu_domain d;
    unsigned int i;

    for (i = 0; i < sizeof(domain) / sizeof(domain[0]); i++)
        if (c->s->where[domain[i]].nr != c->s->where[LU_INDEX_HVM].nr)
            return missing(c, lu_records[domain[i]].name);

    p2m = context = timers = NULL;
    for_each_record(c, hvm, LU_REC_HVM) {
        p2m = lu_record_find(c->s, p2m, LU_REC_P2M, LU_ANY_DOMID);
        context = lu_record_find(c->s, context, LU_REC_HVM_CONTEXT, LU_ANY_DOMID);
        timers = lu_record_find(c->s, timers, LU_REC_HVM_TIMERS, LU_ANY_DOMID);
        if (p2m->domid != hvm->domid || context->domid != hvm->domid || timers->domid != hvm->domid)
            return bad(c, hvm, "P2M, HVM_CONTEXT or HVM_TIMERS is of another domain");
        verdict = check_extents(c, p2m);
        if (verdict)
            return verdict;
        LU_FIXED(lu_record_find(c->s, NULL, LU_REC_DOMAIN, hvm->domid), &d);
        nr_vcpus += d.nr_vcpus;
    }

    return c->s->where[LU_INDEX_HVM_VCPU].nr == nr_vcpus ? LU_OK : missing(c, "HVM_VCPU");
}

enum lu_verdict lu_stream_check(const struct lu_stream *s, struct lu_complaint *why)
{
    struct check c = {.s = s, .why = why};
    struct finder domains = {.type = LU_REC_DOMAIN};
    enum lu_verdict verdict;

    verdict = check_presence(&c);
    if (verdict)
        return verdict;
    c.memmap = lu_record_find(s, NULL, LU_REC_MEMMAP, LU_ANY_DOMID);

    verdict = check_frames(&c);
    if (!verdict)
        verdict = check_partial_tables(&c);
    if (!verdict)
        verdict = check_shared_pages(&c);
    if (!verdict)
        verdict = check_translated(&c);
    if (!verdict)
        verdict = check_evtchn(&c, &domains);
    if (!verdict)
        verdict = check_grants(&c, &domains);
    if (!verdict)
        verdict = check_pending(&c);
    if (!verdict)
        verdict = check_owners(&c);
    if (!verdict)
        verdict = check_io_tables(&c);
    if (!verdict)
        verdict = check_passthrough(&c);
    if (!verdict)
        verdict = check_cpus(&c);
    if (!verdict)
        verdict = check_efi(&c);
    if (!verdict)
        verdict = check_pstates(&c);
    if (!verdict)
        verdict = check_cpupools(&c);

    return verdict;
}
