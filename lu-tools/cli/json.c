/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What programs read.  Keys are only ever added.  Sizes are in bytes, times in
 * nanoseconds, addresses are text ("0x..."), what is not there is null.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static json_t *address(uint64_t maddr)
{
    char text[20];

    snprintf(text, sizeof(text), "0x%" PRIx64, maddr);

    return json_string(text);
}

static json_t *domain(uint32_t domid)
{
    return domid == XENLU_NO_DOMAIN ? json_null() : json_integer(domid);
}

static json_t *error_number(int errnum)
{
    const char *name = strerrorname_np(errnum);

    return errnum && name ? json_string(name) : json_null();
}

static json_t *duration(int64_t ns)
{
    return ns < 0 ? json_null() : json_integer(ns);
}

/* Texts of Xen are ASCII; should one not be, the JSON must still be sound. */
static json_t *text(const char *s)
{
    json_t *json = json_string(s);

    return json ? json : json_string("(not printable)");
}

static void set(json_t *object, const char *key, json_t *value)
{
    json_object_set_new(object, key, value);
}

static json_t *range(uint64_t start, uint64_t size)
{
    json_t *o = json_object();

    set(o, "start", address(start));
    set(o, "size", json_integer(size));

    return o;
}

json_t *json_status(const struct xenlu_status *s)
{
    json_t *o = json_object();

    set(o, "version", text(s->version));
    set(o, "changeset", text(s->changeset));
    set(o, "build_id", s->build_id[0] ? text(s->build_id) : json_null());
    set(o, "command_line", text(s->command_line));
    set(o, "generation", json_integer(s->generation));
    set(o, "format", json_integer(s->format));
    set(o, "format_oldest", json_integer(s->format_oldest));
    set(o, "slots", json_integer(s->nr_slots));
    set(o, "region", s->nr_slots ? range(s->region_start, s->region_size) : json_null());
    set(o, "next_slot", s->nr_slots ? range(s->slot_start, s->slot_size) : json_null());
    set(o, "staged", json_boolean(s->staged));
    set(o, "busy", json_boolean(s->busy));
    set(o, "phase", xenlu_phase_name(s->phase) ? text(xenlu_phase_name(s->phase)) : json_null());
    set(o, "resources", json_integer(s->nr_resources));
    set(o, "can_rehearse", json_boolean(s->can_rehearse));
    set(o, "can_fault", json_boolean(s->can_fault));
    set(o, "crash_kernel", json_boolean(s->crash_loaded));

    return o;
}

json_t *json_target(const char *path, const struct xenlu_target *t)
{
    json_t *o = json_object(), *segments = json_array();

    for (unsigned int i = 0; i < t->nr_segments; i++) {
        json_t *s = range(t->segment[i].start, t->segment[i].size);
        char crc[12];

        snprintf(crc, sizeof(crc), "%08x", t->segment[i].crc32c);
        set(s, "name", text(t->segment[i].name));
        set(s, "crc32c", json_string(crc));
        json_array_append_new(segments, s);
    }

    set(o, "path", text(path));
    set(o, "version", text(t->version));
    set(o, "changeset", text(t->changeset));
    set(o, "build_id", t->build_id[0] ? text(t->build_id) : json_null());
    set(o, "format", json_integer(t->format));
    set(o, "format_oldest", json_integer(t->format_oldest));
    set(o, "footprint", json_integer(t->footprint));
    set(o, "entry", address(t->entry));
    set(o, "command_line", text(t->command_line));
    set(o, "segments", segments);

    return o;
}

static json_t *phases(const struct xenlu_result *r)
{
    json_t *o = json_object();

    for (unsigned int i = 1; i < XENLU_NR_PHASES && xenlu_phase_name(i); i++)
        if (r->phase_ns[i] >= 0)
            set(o, xenlu_phase_name(i), json_integer(r->phase_ns[i]));

    return o;
}

json_t *json_result(const struct xenlu_result *r)
{
    const char *phase = xenlu_phase_name(r->phase);
    json_t *o = json_object(), *failure;

    set(o, "state", text(xenlu_state_name(r->state)));
    set(o, "generation", json_integer(r->generation));
    set(o, "attempts", json_integer(r->attempts));
    set(o, "from", r->from[0] ? text(r->from) : json_null());
    set(o, "to", text(r->to));
    set(o, "pause_ns", duration(r->pause_ns));
    set(o, "phase_ns", phases(r));
    set(o, "stream_bytes", json_integer(r->stream_bytes));
    set(o, "records", json_integer(r->nr_records));
    set(o, "events", json_integer(r->nr_events));
    set(o, "spurious", json_integer(r->nr_spurious));
    set(o, "domains", json_integer(r->nr_domains));
    set(o, "vcpus", json_integer(r->nr_vcpus));

    if (r->state != XENLU_STATE_FAILED) {
        set(o, "failure", json_null());
        return o;
    }
    failure = json_object();
    set(failure, "phase", phase ? text(phase) : json_null());
    set(failure, "resource", r->resource[0] ? text(r->resource) : json_null());
    set(failure, "domain", domain(r->domid));
    set(failure, "errno", error_number(r->errnum));
    set(failure, "reason", text(r->reason));
    set(o, "failure", failure);

    return o;
}

json_t *json_refusals(const struct xenlu_refusal *list, unsigned int nr)
{
    json_t *all = json_array();

    for (unsigned int i = 0; i < nr; i++) {
        json_t *o = json_object();

        set(o, "domain", domain(list[i].domid));
        set(o, "resource", text(list[i].resource));
        set(o, "errno", error_number(list[i].errnum));
        set(o, "reason", text(list[i].reason));
        json_array_append_new(all, o);
    }

    return all;
}

json_t *json_error(const char *code, const struct xenlu_error *err)
{
    json_t *o = json_object();

    set(o, "code", json_string(code));
    set(o, "errno", error_number(err->errnum));
    set(o, "domain", domain(err->domid));
    set(o, "size_needed", err->size_needed ? json_integer(err->size_needed) : json_null());
    set(o, "message", text(err->message));
    set(o, "advice", err->advice[0] ? text(err->advice) : json_null());

    return o;
}

json_t *json_attempt(const struct attempt *a)
{
    json_t *o;

    if (!a)
        return json_null();
    o = json_object();
    set(o, "id", json_integer(a->begin->id));
    set(o, "outcome", json_string(journal_outcome(a)));
    set(o, "begin", message_json(&a->begin->base));
    set(o, "end", a->end ? message_json(&a->end->base) : json_null());

    return o;
}
