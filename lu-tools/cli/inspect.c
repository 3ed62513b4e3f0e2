/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Streams: what is in one, and a copy of the last one.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen-liveupdate/dump.h>

#include "cli.h"

/* No region holds a longer one; and /dev/zero does not end. */
#define MAX_STREAM (256u << 20)

static int read_file(struct cli *c, const char *path, void **buf, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = NULL;
    size_t room = 0, n;

    if (!f)
        return complain_text(c, EXIT_ERROR, "file", "", "%s: cannot be opened: %s", path,
                             strerror(errno));

    *size = 0;
    do {
        uint8_t *more;

        room = room ? 2 * room : 1u << 20;
        more = realloc(data, room);
        if (!more) {
            free(data);
            fclose(f);
            return complain_text(c, EXIT_ERROR, "file", "", "%s: no memory", path);
        }
        data = more;
        n = fread(data + *size, 1, room - *size, f);
        *size += n;
    } while (*size == room && room < MAX_STREAM);

    if (*size == MAX_STREAM) {
        free(data);
        fclose(f);
        return complain_text(c, EXIT_ERROR, "file", "", "%s: longer than any stream (%u MiB)", path,
                             MAX_STREAM >> 20);
    }
    if (ferror(f)) {
        free(data);
        fclose(f);
        return complain_text(c, EXIT_ERROR, "file", "", "%s: cannot be read: %s", path,
                             strerror(errno));
    }
    fclose(f);
    *buf = data;

    return EXIT_DONE;
}

/* The stream that Xen has; it is either that of its start or of a rehearsal. */
static int read_from_xen(struct cli *c, void **buf, size_t *size)
{
    struct xenlu_result result;
    struct xenlu_error err;

    if (xenlu_open(&c->lu, &err) || xenlu_get_result(c->lu, &result, sizeof(result), &err) ||
        xenlu_read_stream(c->lu, buf, size, &err))
        return complain(c, &err);

    if ((result.state == XENLU_STATE_REHEARSED) != c->rehearsed) {
        free(*buf);
        return complain_text(c, EXIT_ERROR, "no-stream",
                             c->rehearsed ? "use --last" : "use --rehearsed",
                             "the stream that Xen keeps is %s",
                             c->rehearsed ? "that of an update" : "that of a rehearsal");
    }

    return EXIT_DONE;
}

static void print_record(const struct lu_record *r, uint64_t offset)
{
    const struct lu_record_desc *desc = lu_record_desc(r->type);
    char type[16], where[32] = "host";

    snprintf(type, sizeof(type), "%#x", r->type);
    if (desc && desc->scope == LU_SCOPE_DOMAIN)
        snprintf(where, sizeof(where), "domain %u", r->domid);
    else if (desc && desc->scope == LU_SCOPE_VCPU)
        snprintf(where, sizeof(where), "domain %u vcpu %u", r->domid, r->index);
    printf("%10" PRIu64 "  %-16s %-18s v%u  %u entries, %u bytes\n", offset,
           desc ? desc->name : type, where, r->version, r->nr, r->length);
}

static void print_stream(const struct cli *c, const struct lu_stream *s)
{
    const struct lu_record *r = NULL;

    if (c->quiet)
        return;
    while ((r = lu_record_next(s, r)))
        print_record(r, (const uint8_t *)r - s->buf);
}

/* Checks as the target would; a stream that it refuses is still dumped as JSON. */
static int inspect(struct cli *c, const void *buf, size_t size)
{
    struct lu_stream s;
    struct lu_complaint why;
    enum lu_verdict verdict = lu_stream_open(&s, buf, size, &why);

    json_object_set_new(c->out, "verdict", json_string(lu_verdict_str(verdict)));
    if (c->json) {
        if (verdict)
            s = (struct lu_stream){.buf = buf, .length = size};
        json_object_set_new(c->out, "stream", lu_stream_to_json(&s));
    } else if (!verdict) {
        print_stream(c, &s);
    }
    if (verdict)
        return complain_text(c, EXIT_ERROR, "bad-stream", "",
                             "the stream is not sound: %s, at byte %" PRIu64 ", record %#x: %s",
                             lu_verdict_str(verdict), why.offset, why.type,
                             why.what ? why.what : "-");
    say(c, "stream: %zu bytes, sound\n", size);

    return EXIT_DONE;
}

int verb_inspect(struct cli *c)
{
    void *buf;
    size_t size;
    int rc;

    if (c->nr_args + c->last + c->rehearsed != 1)
        return complain_usage(c, "inspect takes one of FILE, --last, --rehearsed");

    if (c->nr_args)
        rc = read_file(c, c->args[0], &buf, &size);
    else
        rc = read_from_xen(c, &buf, &size);
    if (rc)
        return rc;

    rc = inspect(c, buf, size);
    free(buf);

    return rc;
}

int verb_read_stream(struct cli *c)
{
    struct xenlu_error err;
    struct record_why why;
    size_t size;
    void *buf;
    int rc;

    if (xenlu_read_stream(c->lu, &buf, &size, &err))
        return complain(c, &err);

    json_object_set_new(c->out, "bytes", json_integer(size));
    if (c->dry_run) {
        free(buf);
        say(c, "would write: %s, %zu bytes\n", c->args[0], size);
        return EXIT_DONE;
    }
    /* Registers of guests are in it: for root alone. */
    rc = record_replace(c->args[0], 0600, buf, size, &why);
    free(buf);
    if (rc)
        return complain_text(c, EXIT_ERROR, "file", "", "%s", why.text);

    say(c, "stream: %zu bytes\n", size);

    return EXIT_DONE;
}
