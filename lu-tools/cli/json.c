/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What programs read: one shape for one fact, wherever it stands (message_json()).  Sizes are in bytes, times in
 * nanoseconds, addresses are text ("0x..."), what is not there is null.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../record/message_json.h"
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

/* Texts of Xen are ASCII; should one not be, the JSON must still be sound. */
static json_t *text(const char *s)
{
    json_t *json = json_string(s);

    return json ? json : json_string("(not printable)");
}

/* The names of those that this program knows. */
static json_t *features(uint32_t set)
{
    json_t *list;

    if (!(set & XENLU_FEATURES_KNOWN))
        return json_null();
    list = json_array();
    for (unsigned int i = 0; xenlu_feature_name(i); i++)
        if (set & (1u << i))
            json_array_append_new(list, json_string(xenlu_feature_name(i)));

    return list;
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
    set(o, "features", features(s->features));
    set(o, "staged_features", features(s->staged_features));

    return o;
}

/* As the journal has it, and what is told only when it is staged. */
json_t *json_target(const char *path, const struct xenlu_target *t)
{
    Lu__Target *m = target_message(path, t);
    json_t *o = message_json(&m->base);

    set(o, "format", json_integer(t->format));
    set(o, "format_oldest", json_integer(t->format_oldest));
    set(o, "footprint", json_integer(t->footprint));
    set(o, "entry", address(t->entry));
    set(o, "features", features(t->features));
    lu__target__free_unpacked(m, NULL);

    return o;
}

json_t *json_result(const struct xenlu_result *r)
{
    Lu__Result *m = journal_result(r);
    json_t *o = message_json(&m->base);

    lu__result__free_unpacked(m, NULL);

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
    json_t *o, *end;

    if (!a)
        return json_null();
    o = json_object();
    end = message_json(a->end ? &a->end->base : NULL);
    set(o, "id", json_integer(a->begin->id));
    /* The End's own word for it: while there is none it is under way. */
    set(o, "outcome",
        a->end ? json_incref(json_object_get(end, "outcome")) : json_string("under-way"));
    set(o, "begin", message_json(&a->begin->base));
    set(o, "end", end);

    return o;
}
