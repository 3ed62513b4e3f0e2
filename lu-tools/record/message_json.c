/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages as JSON, and the schema of that, from their descriptors: a new field
 * in format/ needs nothing here, but for Result and Segment, whose numbers read better by
 * name or in hexadecimal.
 */

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "message_json.h"
#include "record.h"

static json_t *enum_name(const ProtobufCEnumDescriptor *e, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(e, value);
    char text[32];
    size_t i = 0;

    if (!v)
        return json_integer(value);
    for (; v->name[i] && i < sizeof(text) - 1; i++)
        text[i] = v->name[i] == '_' ? '-' : tolower((unsigned char)v->name[i]);
    text[i] = '\0';

    return json_string(text);
}

static json_t *bytes(const ProtobufCBinaryData *data)
{
    char text[2 * 64 + 1] = "";

    for (size_t i = 0; i < data->len && i < 64; i++)
        sprintf(text + 2 * i, "%02x", data->data[i]);

    return json_string(text);
}

/* What is not there is null. */
static json_t *text(const char *s)
{
    json_t *json = s && *s ? json_string(s) : json_null();

    return json ? json : json_string("(not printable)");
}

/* One value; *size: how far the next one of an array is. */
static json_t *value_json(const ProtobufCFieldDescriptor *f, const void *at, size_t *size)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32: *size = sizeof(int32_t); return json_integer(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        *size = sizeof(uint32_t);
        return json_integer(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
        *size = sizeof(int64_t);
        return *(const int64_t *)at == -1 ? json_null() : json_integer(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
        *size = sizeof(uint64_t);
        return json_integer(*(const uint64_t *)at);
    case PROTOBUF_C_TYPE_BOOL:
        *size = sizeof(protobuf_c_boolean);
        return json_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        *size = sizeof(int);
        return enum_name(f->descriptor, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING: *size = sizeof(char *); return text(*(char *const *)at);
    case PROTOBUF_C_TYPE_BYTES: *size = sizeof(ProtobufCBinaryData); return bytes(at);
    case PROTOBUF_C_TYPE_MESSAGE:
        *size = sizeof(void *);
        return message_json(*(const ProtobufCMessage *const *)at);
    default: *size = 0; return json_null();
    }
}

static json_t *field_json(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const char *at = (const char *)m + f->offset;
    json_t *list;
    size_t size, nr;

    if (f->label != PROTOBUF_C_LABEL_REPEATED)
        return value_json(f, at, &size);

    nr = *(const size_t *)((const char *)m + f->quantifier_offset);
    list = json_array();
    at = *(const char *const *)at;
    for (size_t i = 0; i < nr; i++) {
        json_array_append_new(list, value_json(f, at, &size));
        at += size;
    }

    return list;
}

static json_t *segment_json(const Lu__Segment *s)
{
    char start[20], crc[12];

    snprintf(start, sizeof(start), "0x%" PRIx64, s->start);
    snprintf(crc, sizeof(crc), "%08x", s->crc32c);

    return json_pack("{s:o, s:s, s:I, s:s}", "name", text(s->name), "start", start, "size",
                     (json_int_t)s->size, "crc32c", crc);
}

static json_t *failure_json(const Lu__Result *r)
{
    const char *name = r->errnum ? strerrorname_np(r->errnum) : NULL;

    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "phase",
                     strcmp(r->failed_phase, "?") ? text(r->failed_phase) : json_null(), "resource",
                     text(r->failed_resource), "domain",
                     r->failed_domain < 0 ? json_null() : json_integer(r->failed_domain), "errno",
                     text(name), "reason", text(r->reason));
}

static json_t *result_json(const Lu__Result *r)
{
    json_t *phases = json_object();

    for (size_t i = 0; i < r->n_phases; i++)
        json_object_set_new(phases, r->phases[i]->name, json_integer(r->phases[i]->ns));

    return json_pack("{s:o, s:I, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:o}",
                     "state", text(r->state), "generation", (json_int_t)r->generation, "attempts",
                     (json_int_t)r->attempts, "from", text(r->from), "to", text(r->to), "pause_ns",
                     r->pause_ns < 0 ? json_null() : json_integer(r->pause_ns), "phase_ns", phases,
                     "stream_bytes", (json_int_t)r->stream_bytes, "records", (json_int_t)r->records,
                     "events", (json_int_t)r->events, "spurious", (json_int_t)r->spurious,
                     "domains", (json_int_t)r->domains, "vcpus", (json_int_t)r->vcpus, "failure",
                     r->failed_phase[0] ? failure_json(r) : json_null());
}

json_t *message_json(const ProtobufCMessage *m)
{
    json_t *o;

    if (!m)
        return json_null();
    if (m->descriptor == &lu__result__descriptor)
        return result_json((const Lu__Result *)m);
    if (m->descriptor == &lu__segment__descriptor)
        return segment_json((const Lu__Segment *)m);
    o = json_object();
    for (unsigned int i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

        json_object_set_new(o, f->name, field_json(m, f));
    }

    return o;
}

/* ---- schema ---- */

static json_t *enum_schema(const ProtobufCEnumDescriptor *e)
{
    json_t *names = json_array();

    for (unsigned int i = 0; i < e->n_values; i++)
        json_array_append_new(names, enum_name(e, e->values[i].value));

    return json_pack("{s:o}", "enum", names);
}

static json_t *value_schema(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_BOOL: return json_pack("{s:s}", "type", "boolean");
    case PROTOBUF_C_TYPE_ENUM: return enum_schema(f->descriptor);
    /* Those of a list are not empty. */
    case PROTOBUF_C_TYPE_STRING:
        return f->label == PROTOBUF_C_LABEL_REPEATED
                   ? json_pack("{s:s}", "type", "string")
                   : json_pack("{s:[s, s]}", "type", "string", "null");
    case PROTOBUF_C_TYPE_BYTES:
        return json_pack("{s:s, s:s}", "type", "string", "pattern", "^([0-9a-f]{2})*$");
    case PROTOBUF_C_TYPE_INT64: return json_pack("{s:[s, s]}", "type", "integer", "null");
    case PROTOBUF_C_TYPE_MESSAGE:
        return json_pack("{s:[o, {s:s}]}", "anyOf", message_schema(f->descriptor), "type", "null");
    default: return json_pack("{s:s}", "type", "integer");
    }
}

json_t *message_schema(const ProtobufCMessageDescriptor *d)
{
    json_t *properties, *required;

    if (d == &lu__result__descriptor)
        return json_pack("{s:s}", "$ref", "common.json#/$defs/result");
    if (d == &lu__segment__descriptor)
        return json_pack("{s:s}", "$ref", "common.json#/$defs/segment");
    properties = json_object();
    required = json_array();
    for (unsigned int i = 0; i < d->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &d->fields[i];
        json_t *s = value_schema(f);

        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            s = json_pack("{s:s, s:o}", "type", "array", "items", s);
        json_object_set_new(properties, f->name, s);
        json_array_append_new(required, json_string(f->name));
    }

    return json_pack("{s:s, s:o, s:o}", "type", "object", "properties", properties, "required",
                     required);
}
