/* SPDX-License-Identifier: MIT */
/* Writer and reader, and what the reader says about each record by itself. */

#include <stdlib.h>

#include <xen-liveupdate/handover.h>

#include "suite.h"
#include "world.h"

static enum lu_verdict judge(const void *buf, uint64_t size, struct lu_complaint *why)
{
    struct lu_stream s;

    return lu_stream_open(&s, buf, size, why);
}

/* ---- round trips ---- */

/* Every type, filled from different seeds, reads as it was written. */
static void round_trip(void)
{
    static uint64_t buf[1 << 13];
    uint32_t seed, nr, i;
    unsigned int n;

    for (n = 0; n < lu_nr_records; n++)
        for (seed = 1; seed < 5; seed++) {
            const struct lu_record_desc *desc = &lu_records[n];
            const struct lu_stream s = {.buf = (void *)buf, .length = sizeof(buf)};
            const struct lu_record *r;
            struct lu_writer w;
            uint8_t fixed[4096], entry[4096];
            static uint8_t wanted[1 << 16];

            nr = desc->entry_len ? seed * 3 : 0;
            CU_ASSERT_EQUAL_FATAL(world_fill_bytes(wanted, sizeof(wanted), desc, 7, 9, nr, seed),
                                  desc->fixed_len + nr * desc->entry_len);
            lu_writer_init(&w, buf, sizeof(buf));
            world_fill_record(&w, desc, 7, 9, nr, seed);
            CU_ASSERT_FALSE(w.full);

            r = lu_record_next(&s, NULL);
            CU_ASSERT_PTR_NOT_NULL_FATAL(r);
            CU_ASSERT_EQUAL(r->type, desc->type);
            CU_ASSERT_EQUAL(r->version, desc->version);
            CU_ASSERT_EQUAL(r->flags, desc->flags);
            CU_ASSERT_EQUAL(r->domid, 7);
            CU_ASSERT_EQUAL(r->index, 9);
            CU_ASSERT_EQUAL(r->fixed_len, desc->fixed_len);
            CU_ASSERT_EQUAL(r->nr, nr);
            CU_ASSERT_EQUAL(r->length % 8, 0);
            CU_ASSERT_EQUAL(w.used, sizeof(struct lu_stream_header) + sizeof(*r) + r->length);

            /* What was filled in is what comes back, be it asked for more than there is. */
            memset(fixed, 0xa5, sizeof(fixed));
            lu_record_fixed(r, fixed, desc->fixed_len + 8);
            CU_ASSERT_FALSE(memcmp(fixed, wanted, desc->fixed_len));
            for (i = 0; i < 8; i++)
                CU_ASSERT_EQUAL(fixed[desc->fixed_len + i], 0);
            for (i = 0; i < nr; i++) {
                memset(entry, 0xa5, sizeof(entry));
                lu_record_entry(r, i, entry, desc->entry_len + 8);
                CU_ASSERT_FALSE(
                    memcmp(entry, wanted + desc->fixed_len + i * desc->entry_len, desc->entry_len));
                CU_ASSERT_EQUAL(entry[desc->entry_len], 0);
            }
        }
}

static void descriptions(void)
{
    unsigned int i, j, sum;

    for (i = 0; i < lu_nr_records; i++) {
        const struct lu_record_desc *desc = &lu_records[i];

        CU_ASSERT_PTR_EQUAL(lu_record_desc(desc->type), desc);
        CU_ASSERT(desc->version >= 1);
        CU_ASSERT_EQUAL(desc->fixed_len % 8, 0);
        for (j = sum = 0; j < desc->nr_fixed; j++)
            sum += desc->fixed[j].size;
        CU_ASSERT_EQUAL(sum, desc->fixed_len);
        for (j = sum = 0; j < desc->nr_entry; j++)
            sum += desc->entry[j].size;
        CU_ASSERT_EQUAL(sum, desc->entry_len);
    }
    CU_ASSERT_PTR_NULL(lu_record_desc(0));
    CU_ASSERT_PTR_NULL(lu_record_desc(0xdeadbeef));
    CU_ASSERT_FALSE(memcmp(&(uint64_t){LU_STREAM_MAGIC}, "XENLUSTR", 8));
}

/* The tables in SPEC.md that are written by hand. */
static void layout(void)
{
#define AT(type, field, offset) CU_ASSERT_EQUAL(offsetof(type, field), offset)
    AT(struct lu_stream_header, magic, 0);
    AT(struct lu_stream_header, format, 8);
    AT(struct lu_stream_header, header_len, 10);
    AT(struct lu_stream_header, nr_records, 12);
    AT(struct lu_stream_header, length, 16);
    AT(struct lu_stream_header, body_crc, 24);
    AT(struct lu_stream_header, header_crc, 28);
    CU_ASSERT_EQUAL(sizeof(struct lu_stream_header), 32);

    AT(struct lu_record, type, 0);
    AT(struct lu_record, version, 4);
    AT(struct lu_record, flags, 6);
    AT(struct lu_record, domid, 8);
    AT(struct lu_record, index, 10);
    AT(struct lu_record, fixed_len, 12);
    AT(struct lu_record, entry_len, 14);
    AT(struct lu_record, nr, 16);
    AT(struct lu_record, length, 20);
    CU_ASSERT_EQUAL(sizeof(struct lu_record), 24);

    AT(struct lu_handover, magic, 0);
    AT(struct lu_handover, format, 8);
    AT(struct lu_handover, nr_extents, 10);
    AT(struct lu_handover, crc, 12);
    AT(struct lu_handover, stream_len, 16);
    AT(struct lu_handover, stream_crc, 24);
    AT(struct lu_handover, generation, 28);
    AT(struct lu_handover, slot_start, 32);
    AT(struct lu_handover, slot_size, 40);
    AT(struct lu_handover, region_start, 48);
    AT(struct lu_handover, region_size, 56);
    AT(struct lu_handover, nr_slots, 64);
    AT(struct lu_handover, flags, 68);
    AT(struct lu_handover, save_start, 72);
    AT(struct lu_handover, verify_start, 80);
    AT(struct lu_handover, collect_start, 88);
    AT(struct lu_handover, jump_start, 96);
    AT(struct lu_handover, extent, 104);
    AT(struct lu_handover, rsdp, 1128);
    AT(struct lu_handover, way_back, 1136);
    AT(struct lu_handover, fault_phase, 1144);
    AT(struct lu_handover, fault_point, 1148);
    AT(struct lu_handover, deadline, 1152);
    CU_ASSERT_EQUAL(sizeof(struct lu_handover), 1160);
    CU_ASSERT_EQUAL(sizeof(struct lu_return), 2040);
    CU_ASSERT_EQUAL(LU_HANDOVER_EXTENTS, 64);
    CU_ASSERT_FALSE(memcmp(&(uint64_t){LU_HANDOVER_MAGIC}, "XENLUHND", 8));

    AT(struct lu_note, format, 0);
    AT(struct lu_note, format_oldest, 2);
    AT(struct lu_note, flags, 4);
    AT(struct lu_note, slot_min, 8);
    AT(struct lu_note, version, 16);
    AT(struct lu_note, changeset, 48);
    CU_ASSERT_EQUAL(sizeof(struct lu_note), 112);
#undef AT
}

static void finding(void)
{
    const struct lu_record *r;
    struct lu_stream s, plain;
    uint64_t length;
    void *buf = world_make(&length);
    unsigned int d, nr;

    CU_ASSERT_EQUAL_FATAL(lu_stream_open(&s, buf, length, NULL), LU_OK);
    plain = (struct lu_stream){.buf = buf, .length = length};

    for (d = 0; d < WORLD_DOMAINS; d++) {
        r = lu_record_find(&s, NULL, LU_REC_DOMAIN, world_domid[d]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(r);
        CU_ASSERT_EQUAL(r->domid, world_domid[d]);
        CU_ASSERT_PTR_EQUAL(r, lu_record_find(&plain, NULL, LU_REC_DOMAIN, world_domid[d]));
        CU_ASSERT_PTR_NULL(lu_record_find(&s, r, LU_REC_DOMAIN, world_domid[d]));

        for (nr = 0; nr < world_vcpus[d]; nr++) {
            r = lu_record_find_vcpu(&s, LU_REC_VCPU, world_domid[d], nr);
            CU_ASSERT_PTR_NOT_NULL_FATAL(r);
            CU_ASSERT_EQUAL(r->index, nr);
            CU_ASSERT_PTR_EQUAL(r, lu_record_find_vcpu(&plain, LU_REC_VCPU, world_domid[d], nr));
        }
        CU_ASSERT_PTR_NULL(lu_record_find_vcpu(&s, LU_REC_VCPU, world_domid[d], nr));
    }
    CU_ASSERT_PTR_NULL(lu_record_find(&s, NULL, LU_REC_DOMAIN, 77));
    CU_ASSERT_PTR_NULL(lu_record_find(&s, NULL, (enum lu_record_type)0x1234, LU_ANY_DOMID));

    /* From anywhere in the stream, the next is the same with and without the index. */
    r = NULL;
    do {
        for (d = 0; d < lu_nr_records; d++)
            CU_ASSERT_PTR_EQUAL(lu_record_find(&s, r, lu_records[d].type, LU_ANY_DOMID),
                                lu_record_find(&plain, r, lu_records[d].type, LU_ANY_DOMID));
        r = lu_record_next(&s, r);
    } while (r);

    free(buf);
}

/* A writer's records can be read as soon as they have been ended. */
static void reading_along(void)
{
    static uint64_t buf[512];
    struct lu_writer w;
    struct lu_stream s;

    lu_writer_init(&w, buf, sizeof(buf));
    s = (struct lu_stream){.buf = w.buf, .length = w.used};
    CU_ASSERT_PTR_NULL(lu_record_next(&s, NULL));
    world_fill_record(&w, lu_record_desc(LU_REC_MEMMAP), 0, 0, 2, 1);
    s.length = w.used;
    CU_ASSERT_PTR_NOT_NULL(lu_record_find(&s, NULL, LU_REC_MEMMAP, LU_ANY_DOMID));
    CU_ASSERT_PTR_NULL(lu_record_find(&s, NULL, LU_REC_M2P, LU_ANY_DOMID));
}

/* ---- the writer ---- */

static void dropping(void)
{
    static uint64_t one[64], two[64];
    struct lu_writer w;
    uint64_t length;

    lu_writer_init(&w, one, sizeof(one));
    lu_record_begin(&w, LU_REC_GSIS, 0, 0);
    memset(lu_record_entries(&w, 5), 0x55, 5 * sizeof(struct lu_gsis_entry));
    lu_record_drop(&w, 3);
    lu_record_end(&w);
    CU_ASSERT_EQUAL(w.need, w.used);
    length = lu_writer_finish(&w);

    lu_writer_init(&w, two, sizeof(two));
    lu_record_begin(&w, LU_REC_GSIS, 0, 0);
    memset(lu_record_entries(&w, 2), 0x55, 2 * sizeof(struct lu_gsis_entry));
    CU_ASSERT_PTR_NOT_NULL(lu_record_entries(&w, 0));
    lu_record_end(&w);
    CU_ASSERT_EQUAL(lu_writer_finish(&w), length);
    CU_ASSERT_FALSE(memcmp(one, two, length));
}

/* Whatever the buffer held before, padding and unset fields are zero. */
static void zeroed(void)
{
    static uint64_t buf[64];
    struct lu_writer w;
    uint8_t *p;
    int i;

    memset(buf, 0xff, sizeof(buf));
    lu_writer_init(&w, buf, sizeof(buf));
    lu_record_begin(&w, LU_REC_CONSOLE, 0, 0);
    p = lu_record_entries(&w, 8);
    memset(p, 'x', 8);
    lu_record_drop(&w, 5);
    lu_record_end(&w);
    for (i = 3; i < 8; i++)
        CU_ASSERT_EQUAL(p[i], 0);
}

/* With every size that is too small: no length, nothing behind the end, need is right. */
static void no_room(void)
{
    uint64_t length, size;
    void *full = world_make(&length);
    uint8_t *buf = malloc(length + 8);
    struct lu_writer w;

    for (size = 0; size < length; size += size < 200 || length - size < 200 ? 1 : 61) {
        memset(buf + size, 0xa5, length + 8 - size);
        CU_ASSERT_EQUAL(world_write(&w, buf, size), 0);
        CU_ASSERT_TRUE(w.full);
        CU_ASSERT_EQUAL(w.need, length);
        CU_ASSERT_TRUE(w.used <= size);
        CU_ASSERT_EQUAL(buf[size], 0xa5);
        CU_ASSERT_FALSE(memcmp(buf + size, buf + size + 1, length + 7 - size));
    }
    CU_ASSERT_EQUAL(world_write(&w, buf, length), length);
    CU_ASSERT_EQUAL(w.need, length);
    CU_ASSERT_FALSE(memcmp(buf, full, length));

    free(buf);
    free(full);
}

/* The length in a record's header has 32 bits, the writer's room has more. */
static void too_long(void)
{
    static uint64_t buf[64];
    struct lu_writer w;

    lu_writer_init(&w, buf, sizeof(buf));
    lu_record_begin(&w, LU_REC_GSIS, 0, 0);
    w.size = 1ull << 40;
    CU_ASSERT_PTR_NULL(lu_record_entries(&w, UINT32_MAX));
    CU_ASSERT_TRUE(w.full);
}

static void sealing(void)
{
    uint64_t length;
    void *buf = world_make(&length);
    struct lu_record *r = world_record(buf, length, LU_REC_PENDING, 0, 0);
    unsigned int size;

    ++*(uint32_t *)world_field(r, 0, "irr", &size);
    CU_ASSERT_EQUAL(judge(buf, length, NULL), LU_BAD_BODY_CRC);
    lu_stream_seal(buf, length);
    CU_ASSERT_EQUAL(judge(buf, length, NULL), LU_OK);
    free(buf);
}

/* ---- damage ---- */

/* No single bit can be flipped unnoticed, and the header says what it is about. */
static void bit_flips(void)
{
    struct lu_complaint why;
    uint64_t length, bit;
    uint8_t *buf = world_make(&length);

    CU_ASSERT_EQUAL_FATAL(judge(buf, length, &why), LU_OK);
    CU_ASSERT_EQUAL(why.verdict, LU_OK);

    for (bit = 0; bit < 8 * length; bit++) {
        enum lu_verdict verdict;

        buf[bit / 8] ^= 1 << bit % 8;
        verdict = judge(buf, length, &why);
        CU_ASSERT_NOT_EQUAL(verdict, LU_OK);
        CU_ASSERT_EQUAL(why.verdict, verdict);
        if (bit < 64)
            CU_ASSERT_EQUAL(verdict, LU_BAD_MAGIC);
        if (bit >= 8 * sizeof(struct lu_stream_header))
            CU_ASSERT_EQUAL(verdict, LU_BAD_BODY_CRC);
        buf[bit / 8] ^= 1 << bit % 8;
    }
    CU_ASSERT_EQUAL(judge(buf, length, &why), LU_OK);
    free(buf);
}

/*
 * Every length: as it is, and with a header that says so.  A copy of the exact size
 * lets the sanitizer see a look beyond the end.
 */
static void truncation(void)
{
    uint64_t length, size;
    uint8_t *buf = world_make(&length);

    for (size = 0; size < length; size++) {
        uint8_t *copy = malloc(size ?: 1);
        struct lu_stream_header *hdr = (void *)copy;

        memcpy(copy, buf, size);
        CU_ASSERT_EQUAL(judge(copy, size, NULL), LU_BAD_TRUNCATED);
        if (size >= sizeof(*hdr)) {
            hdr->length = size;
            lu_stream_seal(copy, size);
            CU_ASSERT_NOT_EQUAL(judge(copy, size, NULL), LU_OK);
        }
        free(copy);
    }
    free(buf);
}

/* What follows the stream in its buffer is none of its business. */
static void room_behind(void)
{
    uint64_t length;
    uint8_t *buf = world_make(&length);

    buf = realloc(buf, length + 4096);
    memset(buf + length, 0xff, 4096);
    CU_ASSERT_EQUAL(judge(buf, length + 4096, NULL), LU_OK);
    free(buf);
}

/* Headers with a right checksum that nevertheless cannot be read. */
static void headers(void)
{
    uint64_t length;
    uint8_t *buf = world_make(&length);
    struct lu_stream_header *hdr = (void *)buf, good = *hdr;
    struct lu_complaint why;
    struct lu_stream s;

#define HEADER(statement, v, w)                       \
    do {                                              \
        *hdr = good;                                  \
        statement;                                    \
        lu_stream_seal(buf, length);                  \
        CU_ASSERT_EQUAL(judge(buf, length, &why), v); \
        CU_ASSERT_STRING_EQUAL(why.what, w);          \
    } while (0)
    HEADER(hdr->format = LU_FORMAT_VERSION + 1, LU_BAD_FORMAT, "format");
    HEADER(hdr->format = LU_FORMAT_OLDEST - 1, LU_BAD_FORMAT, "format");
    HEADER(hdr->header_len = 24, LU_BAD_HEADER_CRC, "header_len");
    HEADER(hdr->header_len = 36, LU_BAD_HEADER_CRC, "header_len");
    HEADER(hdr->length = length + 8, LU_BAD_TRUNCATED, "length");
    HEADER(hdr->length = 8, LU_BAD_FORMAT, "length");
    HEADER(hdr->length = length - 4, LU_BAD_FORMAT, "length");
    HEADER(hdr->nr_records++, LU_BAD_ORDER, "nr_records");
    HEADER(hdr->nr_records--, LU_BAD_ORDER, "nr_records");
    HEADER(hdr->magic++, LU_BAD_MAGIC, "magic");
#undef HEADER

    /* Of a stream that is refused nothing is left to be read. */
    memset(&s, 0xff, sizeof(s));
    CU_ASSERT_EQUAL(lu_stream_open(&s, buf, length, NULL), LU_BAD_MAGIC);
    CU_ASSERT_PTR_NULL(s.buf);
    *hdr = good;
    hdr->nr_records++;
    lu_stream_seal(buf, length);
    CU_ASSERT_EQUAL(lu_stream_open(&s, buf, length, NULL), LU_BAD_ORDER);
    CU_ASSERT_PTR_NULL(s.buf);
    CU_ASSERT_EQUAL(s.length, 0);
    free(buf);
}

/* ---- record headers ---- */

struct header_edit {
    const char *name;
    uint32_t type;
    uint16_t domid, index;
    uint32_t offset, size; /* of the field of struct lu_record */
    uint64_t value;
    enum lu_verdict verdict;
    const char *what;
};

#define F(field) offsetof(struct lu_record, field), sizeof(((struct lu_record *)0)->field)

/* Neither type nor number is in records.def. */
#define UNKNOWN 0x7e57u

static const struct header_edit header_edits[] = {
    {"unknown, mandatory", LU_REC_TIME, 0, 0, F(type), UNKNOWN, LU_BAD_UNKNOWN, "type"},
    {"version 0", LU_REC_TIME, 0, 0, F(version), 0, LU_BAD_RECORD, "version"},
    {"too new, mandatory", LU_REC_TIME, 0, 0, F(version), 99, LU_BAD_UNKNOWN, "version"},
    {"made optional", LU_REC_TIME, 0, 0, F(flags), 0, LU_BAD_RECORD, "flags"},
    {"made mandatory", LU_REC_SOURCE_PHASES, 0, 0, F(flags), 1, LU_BAD_RECORD, "flags"},
    {"unknown flag", LU_REC_TIME, 0, 0, F(flags), 3, LU_BAD_RECORD, "flags"},
    {"fixed_len odd", LU_REC_CPUS, 0, 0, F(fixed_len), 12, LU_BAD_RECORD, "fixed_len"},
    {"fixed_len short", LU_REC_CPUS, 0, 0, F(fixed_len), 0, LU_BAD_RECORD, "length"},
    {"entry_len 0", LU_REC_CPUS, 0, 0, F(entry_len), 0, LU_BAD_RECORD, "nr"},
    {"entry_len other", LU_REC_CPUS, 0, 0, F(entry_len), 16, LU_BAD_RECORD, "length"},
    {"nr too few", LU_REC_CPUS, 0, 0, F(nr), 1, LU_BAD_RECORD, "length"},
    {"nr huge", LU_REC_CPUS, 0, 0, F(nr), UINT32_MAX, LU_BAD_RECORD, "length"},
    {"length short", LU_REC_CPUS, 0, 0, F(length), 8, LU_BAD_RECORD, "length"},
    {"length huge", LU_REC_CPUS, 0, 0, F(length), UINT32_MAX, LU_BAD_RECORD, "length"},
    {"length odd", LU_REC_CPUS, 0, 0, F(length), 33, LU_BAD_RECORD, "length"},
    {"host with domid", LU_REC_TIME, 0, 0, F(domid), 1, LU_BAD_RECORD, "domid"},
    {"host with index", LU_REC_TIME, 0, 0, F(index), 1, LU_BAD_RECORD, "index"},
    {"domain with index", LU_REC_SCHED, 1, 0, F(index), 1, LU_BAD_RECORD, "index"},
    {"domain not there", LU_REC_SCHED, 5, 0, F(domid), 6, LU_BAD_REFERENCE,
     "no such domain before it"},
    {"reserved domid", LU_REC_DOMAIN, 0, 0, F(domid), 0x7ff0, LU_BAD_RECORD, "domid"},
    {"frames of another system domain", LU_REC_FRAMES, 0x7ff2, 0, F(domid), 0x7ff1, LU_BAD_RECORD,
     "domid"},
    {"vCPU not there", LU_REC_TIMER, 5, 2, F(index), 3, LU_BAD_REFERENCE, "no such vCPU"},
    {"doubled", LU_REC_TIMER, 5, 2, F(index), 1, LU_BAD_ORDER, "doubled"},
    {"does not ascend", LU_REC_SCHED, 5, 0, F(domid), 0, LU_BAD_ORDER,
     "domid and index do not ascend"},
    {"another record as END", LU_REC_MEMMAP, 0, 0, F(type), LU_REC_END, LU_BAD_RECORD, "size"},
};

static void record_headers(void)
{
    uint64_t length;
    uint8_t *buf = world_make(&length), *copy = malloc(length);
    unsigned int i;

    for (i = 0; i < sizeof(header_edits) / sizeof(header_edits[0]); i++) {
        const struct header_edit *e = &header_edits[i];
        struct lu_complaint why;
        struct lu_record *r;

        memcpy(copy, buf, length);
        r = world_record(copy, length, e->type, e->domid, e->index);
        memcpy((uint8_t *)r + e->offset, &e->value, e->size);
        lu_stream_seal(copy, length);
        if (judge(copy, length, &why) != e->verdict || !why.what || strcmp(why.what, e->what) ||
            why.offset != (uint64_t)((uint8_t *)r - copy) || why.type != r->type ||
            why.domid != r->domid || why.index != r->index)
            fprintf(stderr, "\n    %s: %s: %s at %#lx", e->name, lu_verdict_str(why.verdict),
                    why.what, why.offset);
        CU_ASSERT_EQUAL(why.verdict, e->verdict);
        CU_ASSERT_STRING_EQUAL(why.what, e->what);
        CU_ASSERT_EQUAL(why.offset, (uint64_t)((uint8_t *)r - copy));
        CU_ASSERT_EQUAL(why.type, r->type);
        CU_ASSERT_EQUAL(why.domid, r->domid);
        CU_ASSERT_EQUAL(why.index, r->index);
    }
    free(copy);
    free(buf);
}

static void padding(void)
{
    uint64_t length;
    uint8_t *buf = world_make(&length);
    struct lu_record *r = world_record(buf, length, LU_REC_CONSOLE, 0, 0);
    struct lu_complaint why;

    CU_ASSERT_EQUAL_FATAL(r->nr, 3);
    ((uint8_t *)lu_record_bytes(r))[7] = 1;
    lu_stream_seal(buf, length);
    CU_ASSERT_EQUAL(judge(buf, length, &why), LU_BAD_RECORD);
    CU_ASSERT_STRING_EQUAL(why.what, "padding");
    free(buf);
}

/* ---- unknown, missing, doubled and misplaced records ---- */

/* A reader of this version does not see it. */
static void unknown_optional(void)
{
    uint64_t length;
    uint8_t *buf = world_make(&length);
    struct lu_record *r = world_record(buf, length, LU_REC_CONSOLE, 0, 0);
    struct lu_stream s;

    r->type = UNKNOWN;
    r->version = 12;
    r->domid = 0x1234;
    r->index = 0x4321;
    lu_stream_seal(buf, length);
    CU_ASSERT_EQUAL(lu_stream_open(&s, buf, length, NULL), LU_OK);
    CU_ASSERT_PTR_NULL(lu_record_find(&s, NULL, LU_REC_CONSOLE, LU_ANY_DOMID));

    r->flags = 2;
    lu_stream_seal(buf, length);
    CU_ASSERT_EQUAL(judge(buf, length, NULL), LU_BAD_UNKNOWN);
    free(buf);
}

static void newer_optional(void)
{
    uint64_t length;
    uint8_t *buf = world_make(&length);
    struct lu_record *r = world_record(buf, length, LU_REC_CONSOLE, 0, 0);
    struct lu_stream s;

    r->version = lu_record_desc(LU_REC_CONSOLE)->version + 1;
    lu_stream_seal(buf, length);
    CU_ASSERT_EQUAL(lu_stream_open(&s, buf, length, NULL), LU_OK);
    CU_ASSERT_PTR_NULL(lu_record_find(&s, NULL, LU_REC_CONSOLE, LU_ANY_DOMID));
    s.indexed = false;
    CU_ASSERT_PTR_NULL(lu_record_find(&s, NULL, LU_REC_CONSOLE, LU_ANY_DOMID));
    free(buf);
}

/* Nor can a mandatory one be skipped by calling it optional. */
static void newer_and_optional(void)
{
    static const uint32_t types[] = {LU_REC_HOST, LU_REC_TIME, LU_REC_END};
    unsigned int i;

    for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        struct lu_complaint why;
        uint64_t length;
        uint8_t *buf = world_make(&length);
        struct lu_record *r = world_record(buf, length, types[i], 0, 0);

        r->version++;
        r->flags = LU_OPTIONAL;
        lu_stream_seal(buf, length);
        CU_ASSERT_EQUAL(judge(buf, length, &why), LU_BAD_RECORD);
        CU_ASSERT_STRING_EQUAL(why.what, "flags");
        free(buf);
    }
}

static unsigned int take_but(struct lu_record *r, void *type)
{
    return r->type != *(uint32_t *)type;
}

static unsigned int take_twice(struct lu_record *r, void *type)
{
    return r->type == *(uint32_t *)type ? 2 : 1;
}

static void presence(void)
{
    static const struct {
        uint32_t type;
        enum lu_verdict missing;
    } records[] = {
        {LU_REC_HOST, LU_BAD_ORDER},
        {LU_REC_END, LU_BAD_ORDER},
        {LU_REC_CPUS, LU_BAD_ORDER},
        {LU_REC_TIME, LU_BAD_ORDER},
        {LU_REC_MEMMAP, LU_BAD_ORDER},
        {LU_REC_FRAMES, LU_BAD_REFERENCE},
        {LU_REC_EVTCHN, LU_BAD_ORDER},
        {LU_REC_VCPU, LU_BAD_ORDER},
        {LU_REC_AREA, LU_BAD_ORDER},
        {LU_REC_TIMER, LU_BAD_ORDER},
        {LU_REC_PIRQS, LU_BAD_ORDER},
        {LU_REC_GRANT_ACTIVE, LU_BAD_REFERENCE},
        {LU_REC_DOMAIN, LU_BAD_REFERENCE},
        {LU_REC_VECTORS, LU_BAD_REFERENCE},
        {LU_REC_EVTCHN_FIFO, LU_BAD_REFERENCE},
        {LU_REC_CONSOLE, LU_OK},
        {LU_REC_SOURCE_PHASES, LU_OK},
    };
    uint64_t length, new_length;
    uint8_t *buf = world_make(&length), *copy;
    unsigned int i;

    for (i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
        uint32_t type = records[i].type;

        copy = world_rewrite(buf, length, take_but, &type, &new_length);
        CU_ASSERT_EQUAL(judge(copy, new_length, NULL), records[i].missing);
        free(copy);

        copy = world_rewrite(buf, length, take_twice, &type, &new_length);
        CU_ASSERT_EQUAL(judge(copy, new_length, NULL), LU_BAD_ORDER);
        free(copy);
    }
    free(buf);
}

/* The first record becomes another, and that one the first. */
static unsigned int swap_host(struct lu_record *r, void *unused)
{
    (void)unused;
    if (r->type == LU_REC_HOST)
        *r = (struct lu_record){.type = UNKNOWN};
    return 1;
}

static void first_and_last(void)
{
    static const struct lu_record stranger = {.type = UNKNOWN};
    uint64_t length, new_length;
    uint8_t *buf = world_make(&length), *copy;
    struct lu_complaint why;

    copy = world_rewrite(buf, length, swap_host, NULL, &new_length);
    CU_ASSERT_EQUAL(judge(copy, new_length, &why), LU_BAD_ORDER);
    CU_ASSERT_STRING_EQUAL(why.what, "HOST is not the first");
    free(copy);

    /* Also what a reader would pass over must not stand behind END. */
    copy = malloc(length + sizeof(stranger));
    memcpy(copy, buf, length);
    memcpy(copy + length, &stranger, sizeof(stranger));
    ((struct lu_stream_header *)copy)->length += sizeof(stranger);
    ((struct lu_stream_header *)copy)->nr_records++;
    new_length = length + sizeof(stranger);
    lu_stream_seal(copy, new_length);
    CU_ASSERT_EQUAL(judge(copy, new_length, &why), LU_BAD_ORDER);
    CU_ASSERT_STRING_EQUAL(why.what, "behind END");
    free(copy);
    free(buf);
}

/* Each verdict has words of its own. */
static void verdicts(void)
{
    unsigned int i, j;

    for (i = LU_OK; i <= LU_BAD_REFERENCE; i++)
        for (j = LU_OK; j < i; j++)
            CU_ASSERT_STRING_NOT_EQUAL(lu_verdict_str(i), lu_verdict_str(j));
    CU_ASSERT_STRING_EQUAL(lu_verdict_str(LU_BAD_REFERENCE + 1), "?");
    CU_ASSERT_STRING_EQUAL(lu_verdict_str(LU_BAD_ORDER), "record missing, doubled or misplaced");
    CU_ASSERT_STRING_EQUAL(lu_verdict_str(LU_OK), "ok");
}

/* The program "next" left it: format version 2, two mandatory records of version 2. */
static void next_version(void)
{
    struct lu_complaint why;
    struct lu_stream_header *hdr;
    char path[4096];
    uint64_t length;
    uint8_t *buf = malloc(1 << 20);
    FILE *f;

    snprintf(path, sizeof(path), "%s/next-stream.bin", build_dir);
    f = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    length = fread(buf, 1, 1 << 20, f);
    fclose(f);

    CU_ASSERT_EQUAL(judge(buf, length, &why), LU_BAD_FORMAT);

    /* Were the format still read, the record would be named. */
    hdr = (void *)buf;
    hdr->format = LU_FORMAT_VERSION;
    lu_stream_seal(buf, length);
    CU_ASSERT_EQUAL(judge(buf, length, &why), LU_BAD_UNKNOWN);
    CU_ASSERT_EQUAL(why.type, LU_REC_WATCHDOG);
    CU_ASSERT_STRING_EQUAL(why.what, "version");
    free(buf);
}

/* A record of an older version is shorter: the tail reads as zeroes. */
static void shorter(void)
{
    _Alignas(8) uint8_t bytes[sizeof(struct lu_record) + 8 + 3 * 4];
    struct lu_record *r = (void *)bytes;
    struct {
        uint64_t old, appended;
    } fixed;
    struct {
        uint32_t old, appended;
    } entry;
    unsigned int i;

    memset(bytes, 0xff, sizeof(bytes));
    *r = (struct lu_record){.fixed_len = 8, .entry_len = 4, .nr = 3, .length = 24};

    memset(&fixed, 0xaa, sizeof(fixed));
    LU_FIXED(r, &fixed);
    CU_ASSERT_EQUAL(fixed.old, UINT64_MAX);
    CU_ASSERT_EQUAL(fixed.appended, 0);
    for (i = 0; i < 3; i++) {
        memset(&entry, 0xaa, sizeof(entry));
        LU_ENTRY(r, i, &entry);
        CU_ASSERT_EQUAL(entry.old, UINT32_MAX);
        CU_ASSERT_EQUAL(entry.appended, 0);
    }
}

CU_TestInfo stream_tests[] = {
    {"round trip of every record", round_trip},
    {"descriptions", descriptions},
    {"layout", layout},
    {"finding", finding},
    {"reading along with the writer", reading_along},
    {"dropping entries", dropping},
    {"zeroed", zeroed},
    {"no room", no_room},
    {"too long", too_long},
    {"sealing", sealing},
    {"every bit flipped", bit_flips},
    {"every truncation", truncation},
    {"room behind", room_behind},
    {"stream headers", headers},
    {"record headers", record_headers},
    {"padding", padding},
    {"unknown optional record", unknown_optional},
    {"newer optional record", newer_optional},
    {"newer, and no longer mandatory", newer_and_optional},
    {"missing and doubled records", presence},
    {"first and last record", first_and_last},
    {"verdicts", verdicts},
    {"shorter record", shorter},
    {"stream of the next version", next_version},
    CU_TEST_INFO_NULL,
};
