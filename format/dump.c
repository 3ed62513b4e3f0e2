/* SPDX-License-Identifier: MIT */
/*
 * Streams as JSON and back: see <xen-liveupdate/dump.h>.
 *
 * Both directions walk the description of a record's fixed part and entries; the
 * two halves of this file mirror each other.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <xen-liveupdate/dump.h>

/* What a double, and so every reader of JSON, holds exactly. */
#define EXACT_MAX ((uint64_t)1 << 53)

static const char kind_size[] = {
    [LU_KIND_u8] = 1,  [LU_KIND_u16] = 2, [LU_KIND_u32] = 4,
    [LU_KIND_u64] = 8, [LU_KIND_s64] = 8, [LU_KIND_chars] = 1,
};

/* Entries that are one byte each are a blob. */
static bool is_blob(const struct lu_record_desc *desc)
{
    return desc && desc->nr_entry == 1 && desc->entry[0].kind == LU_KIND_u8 &&
           desc->entry[0].count == 1;
}

/* How many of the @nr fields make up @len bytes; -1: it ends within a field. */
static int nr_fields(const struct lu_field_desc *fields, unsigned int nr, uint32_t len)
{
    unsigned int i;
    uint32_t sum = 0;

    for (i = 0; i < nr && sum < len; i++)
        sum += fields[i].size;

    return sum == len ? (int)i : -1;
}

/* Can the fields of a record with these lengths be named? */
static bool is_named(const struct lu_record_desc *desc, uint16_t version, uint16_t fixed_len,
                     uint16_t entry_len)
{
    return desc && version <= desc->version &&
           nr_fields(desc->fixed, desc->nr_fixed, fixed_len) >= 0 &&
           nr_fields(desc->entry, desc->nr_entry, entry_len) >= 0;
}

/* ---- to JSON ---- */

static json_t *hex_to_json(const uint8_t *p, uint64_t n)
{
    static const char digits[] = "0123456789abcdef";
    char *text = malloc(2 * n + 1);
    json_t *json;
    uint64_t i;

    if (!text)
        return NULL;
    for (i = 0; i < n; i++) {
        text[2 * i] = digits[p[i] >> 4];
        text[2 * i + 1] = digits[p[i] & 0xf];
    }
    json = json_stringn(text, 2 * n);
    free(text);

    return json;
}

static json_t *chars_to_json(const uint8_t *p, uint16_t n)
{
    uint16_t len = strnlen((const char *)p, n), i;
    bool text = true;

    for (i = 0; i < n; i++)
        text &= i < len ? p[i] >= 0x20 && p[i] < 0x7f : !p[i];

    return text ? json_stringn((const char *)p, len) : json_pack("{s:o}", "hex", hex_to_json(p, n));
}

static json_t *unsigned_to_json(uint64_t value)
{
    char text[24];

    if (value <= EXACT_MAX)
        return json_integer(value);
    snprintf(text, sizeof(text), "0x%" PRIx64, value);

    return json_string(text);
}

static json_t *signed_to_json(int64_t value)
{
    char text[24];

    if (value <= (int64_t)EXACT_MAX && value >= -(int64_t)EXACT_MAX)
        return json_integer(value);
    snprintf(text, sizeof(text), "%" PRId64, value);

    return json_string(text);
}

static json_t *scalar_to_json(enum lu_kind kind, const uint8_t *p)
{
    uint64_t value = 0;

    memcpy(&value, p, kind_size[kind]);

    return kind == LU_KIND_s64 ? signed_to_json((int64_t)value) : unsigned_to_json(value);
}

static json_t *field_to_json(const struct lu_field_desc *f, const uint8_t *p)
{
    json_t *array;
    unsigned int i;

    if (f->kind == LU_KIND_chars)
        return chars_to_json(p, f->count);
    if (f->count == 1)
        return scalar_to_json(f->kind, p);
    if (f->kind == LU_KIND_u8)
        return hex_to_json(p, f->count);

    array = json_array();
    for (i = 0; i < f->count; i++)
        json_array_append_new(array, scalar_to_json(f->kind, p + i * kind_size[f->kind]));

    return array;
}

static json_t *fields_to_json(const struct lu_field_desc *fields, unsigned int nr, const uint8_t *p)
{
    json_t *json = json_object();
    unsigned int i;

    for (i = 0; i < nr; i++) {
        json_object_set_new(json, fields[i].name, field_to_json(&fields[i], p));
        p += fields[i].size;
    }

    return json;
}

static json_t *entries_to_json(const struct lu_record *r, const struct lu_record_desc *desc)
{
    int nr = nr_fields(desc->entry, desc->nr_entry, r->entry_len);
    json_t *array = json_array();
    uint32_t i;

    for (i = 0; i < r->nr; i++)
        json_array_append_new(array, fields_to_json(desc->entry, nr,
                                                    (const uint8_t *)lu_record_bytes(r) +
                                                        (uint64_t)i * r->entry_len));

    return array;
}

static void header_to_json(const struct lu_record *r, const struct lu_record_desc *desc,
                           json_t *json)
{
    bool plain = desc && r->flags == desc->flags && r->fixed_len == desc->fixed_len &&
                 r->entry_len == desc->entry_len;

    if (desc)
        json_object_set_new(json, "type", json_string(desc->name));
    else
        json_object_set_new(json, "type", json_integer(r->type));
    json_object_set_new(json, "version", json_integer(r->version));

    if (!desc || desc->scope != LU_SCOPE_HOST || r->domid)
        json_object_set_new(json, "domid", json_integer(r->domid));
    if (desc && desc->scope == LU_SCOPE_VCPU)
        json_object_set_new(json, "vcpu", json_integer(r->index));
    else if (!desc || r->index)
        json_object_set_new(json, "index", json_integer(r->index));

    if (!plain) {
        json_object_set_new(json, "flags", json_integer(r->flags));
        json_object_set_new(json, "fixed_len", json_integer(r->fixed_len));
        json_object_set_new(json, "entry_len", json_integer(r->entry_len));
    }
}

json_t *lu_record_to_json(const struct lu_record *r)
{
    const struct lu_record_desc *desc = lu_record_desc(r->type);
    const uint8_t *fixed = (const uint8_t *)(r + 1), *bytes = lu_record_bytes(r);
    bool named = is_named(desc, r->version, r->fixed_len, r->entry_len);
    json_t *json = json_object();

    header_to_json(r, desc, json);

    if (r->fixed_len)
        json_object_set_new(
            json, "fixed",
            named ? fields_to_json(desc->fixed,
                                   nr_fields(desc->fixed, desc->nr_fixed, r->fixed_len), fixed)
                  : hex_to_json(fixed, r->fixed_len));
    if (r->entry_len)
        json_object_set_new(json, "entries",
                            named && !is_blob(desc)
                                ? entries_to_json(r, desc)
                                : hex_to_json(bytes, (uint64_t)r->nr * r->entry_len));

    return json;
}

/* Does what stands at @r look like a record that ends within the stream? */
static bool is_record(const struct lu_stream *s, const struct lu_record *r)
{
    uint64_t room = s->length - ((const uint8_t *)r - s->buf);

    return room >= sizeof(*r) && r->length <= room - sizeof(*r) && !(r->length % 8) &&
           r->fixed_len + (uint64_t)r->nr * r->entry_len <= r->length;
}

json_t *lu_stream_to_json(const struct lu_stream *s)
{
    const struct lu_stream_header *hdr = (const void *)s->buf;
    json_t *json = json_object(), *records = json_array();
    const struct lu_record *r = NULL;

    if (s->length < sizeof(*hdr) || hdr->header_len % 8 || hdr->header_len < sizeof(*hdr)) {
        json_object_set_new(json, "broken_at", json_integer(0));
        json_object_set_new(json, "records", records);
        return json;
    }

    json_object_set_new(json, "format", json_integer(hdr->format));
    while ((r = lu_record_next(s, r))) {
        if (!is_record(s, r)) {
            json_object_set_new(json, "broken_at", json_integer((const uint8_t *)r - s->buf));
            break;
        }
        json_array_append_new(records, lu_record_to_json(r));
    }
    json_object_set_new(json, "records", records);

    return json;
}

/* ---- from JSON ---- */

/* Bytes written so far. */
struct out {
    uint8_t *buf;
    uint64_t len, room;
    char *error;
};

static bool fail(struct out *o, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(o->error, LU_JSON_ERROR_LEN, format, args);
    va_end(args);

    return false;
}

/* Appends @n zeroes. */
static bool grow(struct out *o, uint64_t n)
{
    if (n > o->room - o->len) {
        uint64_t room = 2 * o->room + n + 4096;
        uint8_t *buf = realloc(o->buf, room);

        if (!buf)
            return fail(o, "out of memory");
        o->buf = buf;
        o->room = room;
    }
    memset(o->buf + o->len, 0, n);
    o->len += n;

    return true;
}

static bool integer_from_json(const json_t *json, uint64_t *value)
{
    const char *text = json_string_value(json);
    char *end;

    if (json_is_integer(json)) {
        *value = json_integer_value(json);
        return true;
    }
    if (!text || !*text)
        return false;

    errno = 0;
    *value = *text == '-' ? (uint64_t)strtoll(text, &end, 10) : strtoull(text, &end, 0);

    return !*end && !errno;
}

/* @name of the object, or @value if there is no such member. */
static bool member_from_json(struct out *o, const json_t *json, const char *name, uint64_t max,
                             uint64_t *value)
{
    const json_t *member = json_object_get(json, name);

    if (!member)
        return true;
    if (!integer_from_json(member, value))
        return fail(o, "%s: not an integer", name);
    if (*value > max)
        return fail(o, "%s: %" PRIu64 " is too large", name, *value);

    return true;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Appends the bytes; @n: how many there have to be, UINT64_MAX: any number. */
static bool hex_from_json(struct out *o, const json_t *json, const char *name, uint64_t n)
{
    const char *text = json_string_value(json);
    uint64_t len = json_string_length(json) / 2, at = o->len, i;

    if (!text || json_string_length(json) % 2)
        return fail(o, "%s: not a string of pairs of digits", name);
    if (n != UINT64_MAX && len != n)
        return fail(o, "%s: %" PRIu64 " bytes instead of %" PRIu64, name, len, n);
    if (!grow(o, len))
        return false;

    for (i = 0; i < len; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);

        if (high < 0 || low < 0)
            return fail(o, "%s: not a hexadecimal digit", name);
        o->buf[at + i] = high << 4 | low;
    }

    return true;
}

static bool chars_from_json(struct out *o, const json_t *json, const struct lu_field_desc *f)
{
    uint64_t at = o->len;

    if (json_is_object(json))
        return hex_from_json(o, json_object_get(json, "hex"), f->name, f->count);
    if (!json_is_string(json))
        return fail(o, "%s: not a string", f->name);
    if (json_string_length(json) > f->count)
        return fail(o, "%s: more than %u characters", f->name, f->count);
    if (!grow(o, f->count))
        return false;
    memcpy(o->buf + at, json_string_value(json), json_string_length(json));

    return true;
}

static bool scalar_from_json(struct out *o, const json_t *json, const struct lu_field_desc *f)
{
    unsigned int size = kind_size[f->kind];
    uint64_t value, at = o->len;

    if (!integer_from_json(json, &value))
        return fail(o, "%s: not an integer", f->name);
    if (size < 8 && value >> (8 * size))
        return fail(o, "%s: does not fit in %u bytes", f->name, size);
    if (!grow(o, size))
        return false;
    memcpy(o->buf + at, &value, size);

    return true;
}

static bool field_from_json(struct out *o, const json_t *json, const struct lu_field_desc *f)
{
    unsigned int i;

    if (f->kind == LU_KIND_chars)
        return chars_from_json(o, json, f);
    if (f->count == 1)
        return scalar_from_json(o, json, f);
    if (f->kind == LU_KIND_u8)
        return hex_from_json(o, json, f->name, f->count);

    if (json_array_size(json) != f->count)
        return fail(o, "%s: not an array of %u", f->name, f->count);
    for (i = 0; i < f->count; i++)
        if (!scalar_from_json(o, json_array_get(json, i), f))
            return false;

    return true;
}

static bool fields_from_json(struct out *o, const json_t *json, const struct lu_field_desc *fields,
                             int nr)
{
    int i;

    if (nr != (int)json_object_size(json))
        return fail(o, "%zu fields instead of %d", json_object_size(json), nr);

    for (i = 0; i < nr; i++) {
        const json_t *field = json_object_get(json, fields[i].name);

        if (!field)
            return fail(o, "%s is missing", fields[i].name);
        if (!field_from_json(o, field, &fields[i]))
            return false;
    }

    return true;
}

static bool type_from_json(struct out *o, const json_t *json, struct lu_record *r,
                           const struct lu_record_desc **desc)
{
    const json_t *type = json_object_get(json, "type");
    uint64_t number;
    unsigned int i;

    *desc = NULL;
    if (json_is_integer(type)) {
        number = json_integer_value(type);
        if (number > UINT32_MAX)
            return fail(o, "type: does not fit in 4 bytes");
        r->type = number;
        *desc = lu_record_desc(r->type);
        return true;
    }

    for (i = 0; i < lu_nr_records && json_is_string(type); i++)
        if (!strcmp(lu_records[i].name, json_string_value(type)))
            *desc = &lu_records[i];
    if (!*desc)
        return fail(o, "type: not known");
    r->type = (*desc)->type;

    return true;
}

static bool header_from_json(struct out *o, const json_t *json, struct lu_record *r,
                             const struct lu_record_desc **desc)
{
    uint64_t version, flags, domid = 0, index = 0, fixed_len, entry_len;

    if (!type_from_json(o, json, r, desc))
        return false;
    version = *desc ? (*desc)->version : 0;
    flags = *desc ? (*desc)->flags : 0;
    fixed_len = *desc ? (*desc)->fixed_len : 0;
    entry_len = *desc ? (*desc)->entry_len : 0;

    if (!member_from_json(o, json, "version", UINT16_MAX, &version) ||
        !member_from_json(o, json, "flags", UINT16_MAX, &flags) ||
        !member_from_json(o, json, "domid", UINT16_MAX, &domid) ||
        !member_from_json(o, json, "index", UINT16_MAX, &index) ||
        !member_from_json(o, json, "vcpu", UINT16_MAX, &index) ||
        !member_from_json(o, json, "fixed_len", UINT16_MAX, &fixed_len) ||
        !member_from_json(o, json, "entry_len", UINT16_MAX, &entry_len))
        return false;

    r->version = version;
    r->flags = flags;
    r->domid = domid;
    r->index = index;
    r->fixed_len = fixed_len;
    r->entry_len = entry_len;

    return true;
}

static bool entries_from_json(struct out *o, const json_t *json, struct lu_record *r,
                              const struct lu_record_desc *desc)
{
    int nr = nr_fields(desc->entry, desc->nr_entry, r->entry_len);
    size_t i;

    if (!json_is_array(json))
        return fail(o, "entries: not an array");
    for (i = 0; i < json_array_size(json); i++)
        if (!fields_from_json(o, json_array_get(json, i), desc->entry, nr))
            return false;

    return true;
}

static bool body_from_json(struct out *o, const json_t *json, struct lu_record *r,
                           const struct lu_record_desc *desc)
{
    bool named = is_named(desc, r->version, r->fixed_len, r->entry_len);
    const json_t *fixed = json_object_get(json, "fixed");
    const json_t *entries = json_object_get(json, "entries");
    uint64_t at = o->len;

    if (r->fixed_len &&
        !(named ? fields_from_json(o, fixed, desc->fixed,
                                   nr_fields(desc->fixed, desc->nr_fixed, r->fixed_len))
                : hex_from_json(o, fixed, "fixed", r->fixed_len)))
        return false;

    if (!r->entry_len)
        return true;
    if (!(named && !is_blob(desc) ? entries_from_json(o, entries, r, desc)
                                  : hex_from_json(o, entries, "entries", UINT64_MAX)))
        return false;
    if ((o->len - at - r->fixed_len) % r->entry_len)
        return fail(o, "entries: do not make up entries of %u bytes", r->entry_len);
    if (o->len - at > UINT32_MAX - 7)
        return fail(o, "entries: too many");
    r->nr = (o->len - at - r->fixed_len) / r->entry_len;

    return true;
}

static bool record_from_json(struct out *o, const json_t *json)
{
    const struct lu_record_desc *desc;
    struct lu_record r = {0};
    uint64_t at = o->len;

    if (!grow(o, sizeof(r)) || !header_from_json(o, json, &r, &desc) ||
        !body_from_json(o, json, &r, desc) || !grow(o, -o->len & 7))
        return false;
    r.length = o->len - at - sizeof(r);
    memcpy(o->buf + at, &r, sizeof(r));

    return true;
}

void *lu_record_from_json(const json_t *json, uint64_t *length, char error[LU_JSON_ERROR_LEN])
{
    struct out o = {.error = error};

    if (!record_from_json(&o, json)) {
        free(o.buf);
        return NULL;
    }
    *length = o.len;

    return o.buf;
}

static bool stream_from_json(struct out *o, const json_t *json)
{
    const json_t *records = json_object_get(json, "records");
    struct lu_stream_header hdr = {
        .magic = LU_STREAM_MAGIC,
        .header_len = sizeof(hdr),
        .nr_records = json_array_size(records),
    };
    uint64_t format = LU_FORMAT_VERSION;
    size_t i;

    if (!json_is_array(records))
        return fail(o, "records: not an array");
    if (!grow(o, sizeof(hdr)) || !member_from_json(o, json, "format", UINT16_MAX, &format))
        return false;

    for (i = 0; i < json_array_size(records); i++)
        if (!record_from_json(o, json_array_get(records, i))) {
            char what[LU_JSON_ERROR_LEN];

            memcpy(what, o->error, sizeof(what));
            return fail(o, "record %zu: %.130s", i, what);
        }

    hdr.format = format;
    hdr.length = o->len;
    memcpy(o->buf, &hdr, sizeof(hdr));
    lu_stream_seal(o->buf, o->len);

    return true;
}

void *lu_stream_from_json(const json_t *json, uint64_t *length, char error[LU_JSON_ERROR_LEN])
{
    struct out o = {.error = error};

    if (!stream_from_json(&o, json)) {
        free(o.buf);
        return NULL;
    }
    *length = o.len;

    return o.buf;
}
