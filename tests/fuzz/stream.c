/* SPDX-License-Identifier: MIT */
/*
 * The stream's reader against any input, in libFuzzer's form.
 *
 * The input is opened as it is, and once more with the magic, length and checksums
 * made right: else nothing would get past them.  A stream that is accepted has to
 * be readable in every way that the hypervisor and the tools read it; a stream
 * that is refused has to be dumped nevertheless.
 */

#include <stdio.h>
#include <stdlib.h>

#include <xen-liveupdate/dump.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

static void read_record(const struct lu_stream *s, const struct lu_record *r)
{
    static uint8_t part[1 << 16];
    const struct lu_record_desc *desc = lu_record_desc(r->type);
    uint32_t i;

    if (!desc || r->version > desc->version)
        return;

    lu_record_fixed(r, part, desc->fixed_len);
    for (i = 0; i < r->nr; i++)
        lu_record_entry(r, i, part, desc->entry_len);

    if (desc->scope == LU_SCOPE_VCPU)
        expect(lu_record_find_vcpu(s, desc->type, r->domid, r->index) == r, "vCPU's record");
    else
        expect(lu_record_find(s, NULL, desc->type, r->domid) == r, "record not found");
}

static void read_all(const struct lu_stream *s)
{
    const struct lu_record *r = NULL;

    while ((r = lu_record_next(s, r)))
        read_record(s, r);
}

/* A sound stream is the same after JSON; any other is at least dumped. */
static void dump(const struct lu_stream *s, bool sound)
{
    char error[LU_JSON_ERROR_LEN];
    json_t *json = lu_stream_to_json(s);
    uint64_t length;
    void *back;

    expect(json, "no JSON");
    back = lu_stream_from_json(json, &length, error);
    if (sound)
        expect(back && length == s->length && !memcmp(back, s->buf, length), "differs after JSON");
    free(back);
    json_decref(json);
}

static void open_it(const uint8_t *buf, uint64_t size)
{
    const struct lu_stream raw = {.buf = buf, .length = size};
    /* JSON takes longer than all the rest: only some, chosen by the input. */
    bool dumped = lu_crc32c(0, buf, size) % 32 == 0;
    struct lu_complaint why;
    struct lu_stream s;
    enum lu_verdict verdict = lu_stream_open(&s, buf, size, &why);

    expect(verdict == why.verdict, "verdict and complaint differ");
    if (verdict == LU_OK) {
        read_all(&s);
        if (dumped)
            dump(&s, true);
    } else {
        expect(why.what && why.offset <= size, "complaint");
        if (dumped)
            dump(&raw, false);
    }
}

/* What the checksums would hide. */
static void repair(uint8_t *buf, uint64_t size)
{
    struct lu_stream_header *hdr = (void *)buf;
    const struct lu_record *r = NULL;
    struct lu_stream s = {.buf = buf, .length = size};

    hdr->magic = LU_STREAM_MAGIC;
    hdr->format = LU_FORMAT_VERSION;
    hdr->header_len = sizeof(*hdr);
    hdr->length = size;
    hdr->nr_records = 0;
    do {
        uint64_t offset = r ? (const uint8_t *)r - buf + sizeof(*r) + r->length : sizeof(*hdr);

        if (offset % 8 || offset > size || size - offset < sizeof(*r))
            break;
        hdr->nr_records++;
    } while ((r = lu_record_next(&s, r)));
    lu_stream_seal(buf, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *buf;

    /* Of the exact size: the sanitizer sees a look beyond it. */
    size &= ~(size_t)7;
    buf = malloc(size ?: 1);
    memcpy(buf, data, size);
    open_it(buf, size);
    if (size >= sizeof(struct lu_stream_header)) {
        repair(buf, size);
        open_it(buf, size);
    }
    free(buf);

    return 0;
}
