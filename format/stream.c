/* SPDX-License-Identifier: MIT */
/*
 * The stream's writer, its reader, and the checks that need one record at a time.
 *
 * lu_stream_open() runs twice within the pause, in the source and in the target:
 * it goes through the stream once for the CRC and once for the records.  What
 * records say about each other is looked at in check.c.
 */

#include <xen-liveupdate/stream.h>

#ifndef __XEN__
#include <assert.h>
#define ASSERT(p) assert(p)
#endif

#define ALIGN8(n) (((n) + 7) & ~(uint64_t)7)

const char *lu_verdict_str(enum lu_verdict v)
{
    switch (v) {
    case LU_OK: return "ok";
    case LU_BAD_TRUNCATED: return "truncated";
    case LU_BAD_MAGIC: return "not a live update stream";
    case LU_BAD_FORMAT: return "format version that cannot be read";
    case LU_BAD_HEADER_CRC: return "checksum of the header is wrong";
    case LU_BAD_BODY_CRC: return "checksum of the records is wrong";
    case LU_BAD_RECORD: return "malformed record";
    case LU_BAD_UNKNOWN: return "mandatory record that is not known";
    case LU_BAD_ORDER: return "record missing, doubled or misplaced";
    case LU_BAD_REFERENCE: return "reference to something that is not there";
    }

    return "?";
}

/* ---- writing ---- */

/* Takes @n zeroed bytes of the buffer; NULL: no room, now or before. */
static void *take(struct lu_writer *w, uint64_t n)
{
    void *p = w->buf + w->used;

    w->need += n;
    if (w->full || n > w->size - w->used) {
        w->full = true;
        w->open = NULL;
        return NULL;
    }
    memset(p, 0, n);
    w->used += n;

    return p;
}

void lu_writer_init(struct lu_writer *w, void *buf, uint64_t size)
{
    struct lu_stream_header *hdr;

    ASSERT(!((uintptr_t)buf & 7));
    memset(w, 0, sizeof(*w));
    w->buf = buf;
    w->size = size;

    hdr = take(w, sizeof(*hdr));
    if (hdr)
        /* Makes the records that have been ended readable from now on. */
        hdr->header_len = sizeof(*hdr);
}

void *lu_record_begin(struct lu_writer *w, enum lu_record_type type, uint16_t domid, uint16_t index)
{
    const struct lu_record_desc *desc = lu_record_desc(type);
    struct lu_record *r;

    ASSERT(desc && !w->desc);
    w->desc = desc;
    w->nr_records++;

    r = take(w, sizeof(*r) + desc->fixed_len);
    if (!r)
        return NULL;

    r->type = desc->type;
    r->version = desc->version;
    r->flags = desc->flags;
    r->domid = domid;
    r->index = index;
    r->fixed_len = desc->fixed_len;
    r->entry_len = desc->entry_len;
    w->open = r;

    return r + 1;
}

void *lu_record_entries(struct lu_writer *w, uint32_t nr)
{
    uint64_t bytes;
    void *p;

    ASSERT(w->desc);
    bytes = (uint64_t)nr * w->desc->entry_len;

    /* The length in the record header has 32 bits. */
    if (w->open && w->buf + w->used - (uint8_t *)w->open + bytes > UINT32_MAX - 7)
        w->full = true;

    p = take(w, bytes);
    if (p)
        w->open->nr += nr;

    return p;
}

void lu_record_drop(struct lu_writer *w, uint32_t nr)
{
    uint64_t bytes;

    ASSERT(w->desc);
    bytes = (uint64_t)nr * w->desc->entry_len;
    w->need -= bytes;
    if (!w->open)
        return;

    ASSERT(nr <= w->open->nr);
    w->open->nr -= nr;
    w->used -= bytes;
}

void lu_record_end(struct lu_writer *w)
{
    struct lu_record *r = w->open;

    ASSERT(w->desc);
    take(w, ALIGN8(w->need) - w->need);
    if (w->open)
        r->length = w->buf + w->used - (uint8_t *)(r + 1);
    w->open = NULL;
    w->desc = NULL;
}

void lu_stream_seal(void *stream, uint64_t length)
{
    struct lu_stream_header *hdr = stream;

    hdr->body_crc = lu_crc32c(0, hdr + 1, length - sizeof(*hdr));
    hdr->header_crc = 0;
    hdr->header_crc = lu_crc32c(0, hdr, sizeof(*hdr));
}

uint64_t lu_writer_finish(struct lu_writer *w)
{
    struct lu_stream_header *hdr = (struct lu_stream_header *)w->buf;

    lu_record_begin(w, LU_REC_END, 0, 0);
    lu_record_end(w);
    if (w->full)
        return 0;

    hdr->magic = LU_STREAM_MAGIC;
    hdr->format = LU_FORMAT_VERSION;
    hdr->nr_records = w->nr_records;
    hdr->length = w->used;
    lu_stream_seal(hdr, w->used);

    return w->used;
}

/* ---- reading ---- */

static const struct lu_record *record_at(const struct lu_stream *s, uint64_t offset)
{
    return (const struct lu_record *)(s->buf + offset);
}

static uint64_t offset_of(const struct lu_stream *s, const struct lu_record *r)
{
    return (const uint8_t *)r - s->buf;
}

const struct lu_record *lu_record_next(const struct lu_stream *s, const struct lu_record *prev)
{
    uint64_t offset = prev ? offset_of(s, prev) + sizeof(*prev) + prev->length
                           : ((const struct lu_stream_header *)s->buf)->header_len;

    return offset < s->length ? record_at(s, offset) : NULL;
}

const struct lu_record *lu_record_find(const struct lu_stream *s, const struct lu_record *prev,
                                       enum lu_record_type type, uint16_t domid)
{
    const struct lu_record_desc *desc = lu_record_desc(type);
    const struct lu_record *r, *last = NULL;

    if (s->indexed && desc) {
        unsigned int i = desc - lu_records;

        if (!s->where[i].first)
            return NULL;
        last = record_at(s, s->where[i].last);
        if (prev >= last)
            return NULL;
        r = record_at(s, s->where[i].first);
        if (prev >= r)
            r = lu_record_next(s, prev);
    } else {
        r = lu_record_next(s, prev);
    }

    for (; r; r = r == last ? NULL : lu_record_next(s, r))
        if (r->type == type && (domid == LU_ANY_DOMID || r->domid == domid) &&
            (!desc || r->version <= desc->version))
            return r;

    return NULL;
}

const struct lu_record *lu_record_find_vcpu(const struct lu_stream *s, enum lu_record_type type,
                                            uint16_t domid, uint16_t index)
{
    const struct lu_record *r = NULL;

    while ((r = lu_record_find(s, r, type, domid)))
        if (r->index == index)
            break;

    return r;
}

/* Copies what is there of @size bytes, the rest reads as zeroes. */
static void copy(void *to, uint32_t size, const uint8_t *from, uint32_t len)
{
    if (len > size)
        len = size;
    memcpy(to, from, len);
    memset((uint8_t *)to + len, 0, size - len);
}

void lu_record_fixed(const struct lu_record *r, void *fixed, uint32_t size)
{
    copy(fixed, size, (const uint8_t *)(r + 1), r->fixed_len);
}

void lu_record_entry(const struct lu_record *r, uint32_t i, void *entry, uint32_t size)
{
    const uint8_t *entries = lu_record_bytes(r);

    ASSERT(i < r->nr);
    copy(entry, size, entries + (uint64_t)i * r->entry_len, r->entry_len);
}

const void *lu_record_bytes(const struct lu_record *r)
{
    return (const uint8_t *)(r + 1) + r->fixed_len;
}

/* ---- checking ---- */

enum lu_verdict lu_complain(struct lu_complaint *why, enum lu_verdict verdict, uint64_t offset,
                            const struct lu_record *r, const char *what)
{
    if (why)
        *why = (struct lu_complaint){
            .verdict = verdict,
            .offset = offset,
            .type = r ? r->type : 0,
            .domid = r ? r->domid : 0,
            .index = r ? r->index : 0,
            .what = what,
        };

    return verdict;
}

static enum lu_verdict check_header(const uint8_t *buf, uint64_t size, struct lu_complaint *why)
{
    struct lu_stream_header hdr;
    uint32_t crc;

    if (size < sizeof(hdr))
        return lu_complain(why, LU_BAD_TRUNCATED, 0, NULL, "header");
    memcpy(&hdr, buf, sizeof(hdr));

    if (hdr.magic != LU_STREAM_MAGIC)
        return lu_complain(why, LU_BAD_MAGIC, 0, NULL, "magic");

    /* Another format may append to the header; what is in ours stays where it is. */
    if (hdr.header_len < sizeof(hdr) || hdr.header_len % 8)
        return lu_complain(why, LU_BAD_HEADER_CRC, 0, NULL, "header_len");
    if (hdr.header_len > size)
        return lu_complain(why, LU_BAD_TRUNCATED, 0, NULL, "header");

    crc = hdr.header_crc;
    hdr.header_crc = 0;
    if (lu_crc32c(lu_crc32c(0, &hdr, sizeof(hdr)), buf + sizeof(hdr),
                  hdr.header_len - sizeof(hdr)) != crc)
        return lu_complain(why, LU_BAD_HEADER_CRC, 0, NULL, "header_crc");

    if (hdr.format < LU_FORMAT_OLDEST || hdr.format > LU_FORMAT_VERSION)
        return lu_complain(why, LU_BAD_FORMAT, 0, NULL, "format");
    if (hdr.format == LU_FORMAT_VERSION && hdr.header_len != sizeof(hdr))
        return lu_complain(why, LU_BAD_FORMAT, 0, NULL, "header_len");

    if (hdr.length > size)
        return lu_complain(why, LU_BAD_TRUNCATED, size, NULL, "length");
    if (hdr.length < hdr.header_len || hdr.length % 8)
        return lu_complain(why, LU_BAD_FORMAT, 0, NULL, "length");

    if (lu_crc32c(0, buf + hdr.header_len, hdr.length - hdr.header_len) != hdr.body_crc)
        return lu_complain(why, LU_BAD_BODY_CRC, hdr.header_len, NULL, "body_crc");

    return LU_OK;
}

/* Does the record header make sense by itself?  @room: bytes up to the stream's end. */
static const char *check_lengths(const struct lu_record *r, uint64_t room)
{
    uint64_t used = r->fixed_len + (uint64_t)r->nr * r->entry_len;
    const uint8_t *p;

    if (r->fixed_len % 8)
        return "fixed_len";
    if (!r->entry_len && r->nr)
        return "nr";
    if (r->length != ALIGN8(used))
        return "length";
    if (r->length > room - sizeof(*r))
        return "length exceeds the stream";

    p = (const uint8_t *)(r + 1);
    for (; used < r->length; used++)
        if (p[used])
            return "padding";

    return NULL;
}

/* Is the record what records.def says?  Its version is ours or older. */
static const char *check_description(const struct lu_record *r, const struct lu_record_desc *desc)
{
    if (!r->version)
        return "version";

    if (r->version == desc->version
            ? r->fixed_len != desc->fixed_len || r->entry_len != desc->entry_len
            : r->fixed_len > desc->fixed_len || r->entry_len > desc->entry_len)
        return "size";

    if (desc->scope == LU_SCOPE_HOST && r->domid)
        return "domid";
    if (desc->scope != LU_SCOPE_VCPU && r->index)
        return "index";

    return NULL;
}

/* System domains (DOMID_XEN, ...) come before the others. */
#define DOMID_FIRST_RESERVED 0x7ff0u
#define DOMID_XEN            0x7ff2u

static uint32_t sort_key(const struct lu_record *r)
{
    uint16_t domid = r->domid - DOMID_FIRST_RESERVED;

    return (uint32_t)domid << 16 | r->index;
}

/*
 * Finds the DOMAIN record of @r, which has to be among those seen so far.  Records
 * of one type ascend, so *@domain seldom has to go back.
 */
static const struct lu_record *find_domain(const struct lu_stream *s, const struct lu_record *r,
                                           const struct lu_record **domain)
{
    if (*domain && (*domain)->domid == r->domid)
        return *domain;
    if (*domain && (*domain)->domid > r->domid)
        *domain = NULL;

    while ((*domain = lu_record_find(s, *domain, LU_REC_DOMAIN, LU_ANY_DOMID)))
        if ((*domain)->domid >= r->domid)
            break;

    return *domain && (*domain)->domid == r->domid ? *domain : NULL;
}

static enum lu_verdict check_scope(const struct lu_stream *s, const struct lu_record *r,
                                   const struct lu_record_desc *desc,
                                   const struct lu_record **domain, struct lu_complaint *why)
{
    struct lu_domain fixed;

    if (desc->scope == LU_SCOPE_HOST)
        return LU_OK;

    if (r->type == LU_REC_FRAMES && r->domid == DOMID_XEN)
        return LU_OK;
    if (r->domid >= DOMID_FIRST_RESERVED)
        return lu_complain(why, LU_BAD_RECORD, offset_of(s, r), r, "domid");
    if (r->type == LU_REC_DOMAIN)
        return LU_OK;

    if (!find_domain(s, r, domain))
        return lu_complain(why, LU_BAD_REFERENCE, offset_of(s, r), r, "no such domain before it");

    if (desc->scope == LU_SCOPE_VCPU) {
        LU_FIXED(*domain, &fixed);
        if (r->index >= fixed.nr_vcpus)
            return lu_complain(why, LU_BAD_REFERENCE, offset_of(s, r), r, "no such vCPU");
    }

    return LU_OK;
}

/* Records of one type ascend by domain and vCPU. */
static const char *check_order(const struct lu_stream *s, const struct lu_record *r,
                               const struct lu_record_desc *desc)
{
    uint64_t last = s->where[desc - lu_records].last;

    if (last && sort_key(r) == sort_key(record_at(s, last)))
        return "doubled";
    if (last && sort_key(r) < sort_key(record_at(s, last)))
        return "domid and index do not ascend";

    return NULL;
}

static enum lu_verdict check_record(struct lu_stream *s, const struct lu_record *r,
                                    const struct lu_record **domain, struct lu_complaint *why)
{
    const struct lu_record_desc *desc = lu_record_desc(r->type);
    uint64_t offset = offset_of(s, r);
    enum lu_verdict verdict;
    const char *what;

    what = check_lengths(r, s->length - offset);
    if (what)
        return lu_complain(why, LU_BAD_RECORD, offset, r, what);

    /* Whether a type is mandatory never changes, be the version known or not. */
    if (desc && r->flags != desc->flags)
        return lu_complain(why, LU_BAD_RECORD, offset, r, "flags");

    if (!desc || r->version > desc->version) {
        if (r->flags & ~LU_MANDATORY)
            return lu_complain(why, LU_BAD_UNKNOWN, offset, r, "flags");
        if (r->flags & LU_MANDATORY)
            return lu_complain(why, LU_BAD_UNKNOWN, offset, r, desc ? "version" : "type");
        return LU_OK;
    }

    what = check_description(r, desc);
    if (what)
        return lu_complain(why, LU_BAD_RECORD, offset, r, what);

    what = check_order(s, r, desc);
    if (what)
        return lu_complain(why, LU_BAD_ORDER, offset, r, what);

    verdict = check_scope(s, r, desc, domain, why);
    if (verdict)
        return verdict;

    s->where[desc - lu_records].last = offset;
    if (!s->where[desc - lu_records].nr++)
        s->where[desc - lu_records].first = offset;

    return LU_OK;
}

static enum lu_verdict check_records(struct lu_stream *s, struct lu_complaint *why)
{
    const struct lu_stream_header *hdr = (const void *)s->buf;
    const struct lu_record *r, *prev = NULL, *domain = NULL;
    uint32_t nr = 0;

    for (; (r = lu_record_next(s, prev)); prev = r) {
        enum lu_verdict verdict;

        if (s->length - offset_of(s, r) < sizeof(*r))
            return lu_complain(why, LU_BAD_RECORD, offset_of(s, r), NULL, "record header");
        if (!prev && r->type != LU_REC_HOST)
            return lu_complain(why, LU_BAD_ORDER, offset_of(s, r), r, "HOST is not the first");
        if (prev && prev->type == LU_REC_END)
            return lu_complain(why, LU_BAD_ORDER, offset_of(s, r), r, "behind END");

        verdict = check_record(s, r, &domain, why);
        if (verdict)
            return verdict;
        nr++;
    }

    if (!prev || prev->type != LU_REC_END)
        return lu_complain(why, LU_BAD_ORDER, s->length, NULL, "END is missing");
    if (nr != hdr->nr_records)
        return lu_complain(why, LU_BAD_ORDER, 0, NULL, "nr_records");

    return LU_OK;
}

enum lu_verdict lu_stream_open(struct lu_stream *s, const void *buf, uint64_t size,
                               struct lu_complaint *why)
{
    enum lu_verdict verdict;

    ASSERT(!((uintptr_t)buf & 7));
    memset(s, 0, sizeof(*s));
    lu_complain(why, LU_OK, 0, NULL, NULL);

    verdict = check_header(buf, size, why);
    if (verdict)
        return verdict;

    s->buf = buf;
    s->length = ((const struct lu_stream_header *)buf)->length;
    s->indexed = true;

    verdict = check_records(s, why);
    if (!verdict)
        verdict = lu_stream_check(s, why);
    if (verdict)
        memset(s, 0, sizeof(*s));

    return verdict;
}
