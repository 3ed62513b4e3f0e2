/* SPDX-License-Identifier: MIT */
/*
 * The stream: what one Xen tells the next about its domains.
 *
 * A stream is a header followed by records, all little endian, each record
 * aligned to 8 bytes.  The hypervisor writes it (struct lu_writer) and reads it
 * (struct lu_stream) with the very code that the tools use; nothing in here
 * allocates memory, prints, or depends on anything but <string.h>.
 */
#ifndef XEN_LIVEUPDATE_STREAM_H
#define XEN_LIVEUPDATE_STREAM_H

#include "records.h"

#define LU_STREAM_MAGIC   0x525453554c4e4558ULL /* the bytes "XENLUSTR" */
#define LU_FORMAT_VERSION 1u                    /* what this build writes */
#define LU_FORMAT_OLDEST  1u                    /* the oldest it reads (N-1, once there is one) */

struct lu_stream_header {
    uint64_t magic;
    uint16_t format;     /* LU_FORMAT_VERSION of the writer */
    uint16_t header_len; /* sizeof(struct lu_stream_header) of the writer */
    uint32_t nr_records; /* END included */
    uint64_t length;     /* bytes, header included */
    uint32_t body_crc;   /* CRC-32C of everything behind the header */
    uint32_t header_crc; /* CRC-32C of the header, this field as 0 */
};

struct lu_record {
    uint32_t type; /* LU_REC_* */
    uint16_t version;
    uint16_t flags;     /* LU_MANDATORY */
    uint16_t domid;     /* LU_SCOPE_DOMAIN, LU_SCOPE_VCPU */
    uint16_t index;     /* LU_SCOPE_VCPU: vcpu_id */
    uint16_t fixed_len; /* bytes of the fixed part, a multiple of 8 */
    uint16_t entry_len; /* bytes of one entry, 0: none */
    uint32_t nr;        /* entries */
    uint32_t length;    /* fixed_len + nr * entry_len, rounded up to 8 */
};

/* What is wrong with a stream, and where. */
enum lu_verdict {
    LU_OK = 0,
    LU_BAD_TRUNCATED, /* shorter than it says */
    LU_BAD_MAGIC,
    LU_BAD_FORMAT, /* a format version that this reader does not read */
    LU_BAD_HEADER_CRC,
    LU_BAD_BODY_CRC,
    LU_BAD_RECORD,    /* a record header contradicts itself or its type */
    LU_BAD_UNKNOWN,   /* a mandatory record that is not known, or too new */
    LU_BAD_ORDER,     /* missing, doubled or misplaced record */
    LU_BAD_REFERENCE, /* a record refers to something that is not there */
};
const char *lu_verdict_str(enum lu_verdict v);

struct lu_complaint {
    enum lu_verdict verdict;
    uint64_t offset; /* of the offending record, bytes from the start */
    uint32_t type;   /* its type, 0 if none */
    uint16_t domid;
    uint16_t index;
    const char *what; /* static text, e.g. the name of the field */
};

/* ---- writing ---- */

/*
 * A writer fills one buffer that the caller owns.  Running out of room is
 * sticky: every later call returns NULL, lu_writer_finish() returns 0, and
 * @need goes on counting so that the caller learns what size would have done.
 */
struct lu_writer {
    uint8_t *buf;
    uint64_t size;
    uint64_t used;
    uint64_t need;
    struct lu_record *open;            /* NULL once it does not fit */
    const struct lu_record_desc *desc; /* of the open record */
    uint32_t nr_records;
    bool full;
};

/* @buf is aligned to 8 bytes. */
void lu_writer_init(struct lu_writer *w, void *buf, uint64_t size);
/* Opens a record and returns its zeroed fixed part (NULL: no room). */
void *lu_record_begin(struct lu_writer *w, enum lu_record_type type, uint16_t domid,
                      uint16_t index);
/* Appends @nr zeroed entries to the open record, returns the first (NULL: no room). */
void *lu_record_entries(struct lu_writer *w, uint32_t nr);
/* Takes back the last @nr entries of the open record. */
void lu_record_drop(struct lu_writer *w, uint32_t nr);
void lu_record_end(struct lu_writer *w);
/* Writes END and the header; returns the stream's length, 0 if it did not fit. */
uint64_t lu_writer_finish(struct lu_writer *w);
/* Computes both CRCs again after a finished stream was altered in place. */
void lu_stream_seal(void *stream, uint64_t length);

/* ---- reading ---- */

/*
 * lu_stream_open() fills it.  With @buf and @length alone, the records that a
 * writer has ended can be looked at; this takes longer, as there is no index.
 */
struct lu_stream {
    const uint8_t *buf;
    uint64_t length;
    struct {
        uint64_t first, last; /* offsets, 0: no such record */
        uint32_t nr;
    } where[LU_NR_RECORDS];
    bool indexed;
};

/*
 * Checks everything that can be told from the stream alone: header, CRCs, each
 * record against its description, order, and references between records.
 * Fills @s for the functions below.  Touches nothing but @buf, which is aligned
 * to 8 bytes.  @why may be NULL.
 */
enum lu_verdict lu_stream_open(struct lu_stream *s, const void *buf, uint64_t size,
                               struct lu_complaint *why);

/*
 * Parts of lu_stream_open(): the references between records that are all right
 * in themselves (check.c), and the form in which any of it complains.
 */
enum lu_verdict lu_stream_check(const struct lu_stream *s, struct lu_complaint *why);
enum lu_verdict lu_complain(struct lu_complaint *why, enum lu_verdict verdict, uint64_t offset,
                            const struct lu_record *r, const char *what);

/* The record behind @prev (NULL: the first); NULL behind the last. */
const struct lu_record *lu_record_next(const struct lu_stream *s, const struct lu_record *prev);
/*
 * The next record of @type behind @prev, for @domid (LU_ANY_DOMID: whatever).
 * An optional record of a version that is too new is not found.
 */
#define LU_ANY_DOMID 0xffffu
const struct lu_record *lu_record_find(const struct lu_stream *s, const struct lu_record *prev,
                                       enum lu_record_type type, uint16_t domid);
/* The record of @type for one vCPU, or NULL. */
const struct lu_record *lu_record_find_vcpu(const struct lu_stream *s, enum lu_record_type type,
                                            uint16_t domid, uint16_t index);

/*
 * Copies the fixed part resp. entry @i.  A record of an older version is
 * shorter: the missing tail reads as zeroes.
 */
void lu_record_fixed(const struct lu_record *r, void *fixed, uint32_t size);
void lu_record_entry(const struct lu_record *r, uint32_t i, void *entry, uint32_t size);
#define LU_FIXED(r, p)    lu_record_fixed(r, p, sizeof(*(p)))
#define LU_ENTRY(r, i, p) lu_record_entry(r, i, p, sizeof(*(p)))
/* Raw view of the entries, for blobs whose entry is one byte. */
const void *lu_record_bytes(const struct lu_record *r);

/*
 * CRC-32C (Castagnoli, as iSCSI's), reflected, initial and final value inverted.
 * Start with @crc = 0; a result can be fed in again to go on.
 */
uint32_t lu_crc32c(uint32_t crc, const void *buf, uint64_t len);

/* ---- descriptions, for dumps and documentation ---- */

enum lu_kind { LU_KIND_u8, LU_KIND_u16, LU_KIND_u32, LU_KIND_u64, LU_KIND_s64, LU_KIND_chars };

/* Fields follow each other without gaps: the sizes before it are a field's offset. */
struct lu_field_desc {
    const char *name;
    const char *doc;
    enum lu_kind kind;
    uint16_t count; /* 1: a scalar */
    uint16_t size;  /* bytes, of all of them */
};

struct lu_record_desc {
    const char *name;
    const char *doc;
    const char *entry_doc;
    uint32_t type;
    uint16_t version;
    uint16_t flags;
    enum lu_scope scope;
    uint16_t fixed_len, entry_len;
    uint16_t nr_fixed, nr_entry; /* fields in either part */
    const struct lu_field_desc *fixed, *entry;
};

extern const struct lu_record_desc lu_records[];
extern const unsigned int lu_nr_records;
const struct lu_record_desc *lu_record_desc(uint32_t type);

#endif /* XEN_LIVEUPDATE_STREAM_H */
