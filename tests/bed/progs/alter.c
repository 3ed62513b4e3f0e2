/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * alter STREAM ALTERATION...: has the next update hand over an altered stream (debug builds of Xen only).
 * alter made:                 how many of the alterations were made; those that were not are forgotten.
 *
 * STREAM is a file with what a rehearsal wrote: it tells where things are. An alteration is
 *
 *   RECORD[.DOMID[.VCPU]]:remove                 the record goes
 *   RECORD[.DOMID[.VCPU]]:FIELD=VALUE            a field of its fixed part is set
 *   RECORD[.DOMID[.VCPU]]:FIELD[N]=VALUE         ... of its Nth entry, from 0
 *   RECORD[.DOMID[.VCPU]]:FIELD[NAME=N]=VALUE    ... of its first entry whose field NAME is N
 *
 * with the names of the format's description. VALUE is a number; 'TEXT', of which the first bytes count; +N or ^N, which
 * is added to what STREAM has there, or turns its bits over; or @RECORD...:FIELD..., which is what STREAM has in another
 * place. An array is set at its first element. Exit status 2: STREAM has no such record or entry.
 */
#include "common.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <xencall.h>

#include <liveupdate.h>
#include <xen-liveupdate/stream.h>

static struct lu_stream stream;

__attribute__((format(printf, 2, 3))) static _Noreturn void fail(int status, const char *fmt, ...)
{
    va_list ap;

    fputs("alter: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    exit(status);
}

static uint64_t number(const char *text, const char **end)
{
    char *behind;
    uint64_t n = strtoull(text, &behind, 0);

    if (behind == text)
        fail(1, "%s: not a number", text);
    *end = behind;
    return n;
}

static void open_stream(const char *path)
{
    int fd = open(path, O_RDONLY);
    struct lu_complaint why;
    struct stat st;
    void *buf;

    if (fd < 0 || fstat(fd, &st) || !(buf = malloc(st.st_size)) ||
        read(fd, buf, st.st_size) != st.st_size)
        fail(1, "%s: %s", path, strerror(errno));
    close(fd);
    if (lu_stream_open(&stream, buf, st.st_size, &why))
        fail(1, "%s: %s (%s)", path, lu_verdict_str(why.verdict), why.what ? why.what : "-");
}

static const struct lu_record_desc *describe(const char *name, size_t len)
{
    unsigned int i;

    for (i = 0; i < lu_nr_records; i++)
        if (strlen(lu_records[i].name) == len && !strncmp(lu_records[i].name, name, len))
            return &lu_records[i];
    fail(1, "%.*s: no record has this name", (int)len, name);
}

/* One of @nr fields, and where it begins; NULL: it is none of them. */
static const struct lu_field_desc *field(const struct lu_field_desc *fields, unsigned int nr,
                                         const char *name, size_t len, uint32_t *offset)
{
    unsigned int i;

    *offset = 0;
    for (i = 0; i < nr; *offset += fields[i++].size)
        if (strlen(fields[i].name) == len && !strncmp(fields[i].name, name, len))
            return &fields[i];
    return NULL;
}

/* Of which the first element counts. */
static uint32_t element_size(const struct lu_field_desc *f)
{
    uint32_t size = f->kind == LU_KIND_chars ? f->size : f->size / f->count;

    return size < sizeof(uint64_t) ? size : sizeof(uint64_t);
}

static uint64_t value_at(const void *part, const struct lu_field_desc *f, uint32_t offset)
{
    uint64_t value = 0;

    memcpy(&value, (const char *)part + offset, element_size(f));
    return value;
}

static const void *entry_at(const struct lu_record *r, uint32_t i)
{
    return (const char *)lu_record_bytes(r) + (uint64_t)i * r->entry_len;
}

/* What is in brackets; ends at the closing one. */
static uint32_t choose_entry(const struct lu_record *r, const struct lu_record_desc *desc,
                             const char *word, const char **end)
{
    const char *eq = word + strcspn(word, "=]");
    const struct lu_field_desc *f;
    uint32_t i, offset;
    uint64_t wanted;

    if (*eq != '=') {
        i = number(word, end);
        if (i >= r->nr)
            fail(2, "%s has no entry %u", desc->name, i);
        return i;
    }

    f = field(desc->entry, desc->nr_entry, word, eq - word, &offset);
    if (!f)
        fail(1, "%s: not a field of %s's entries", word, desc->name);
    wanted = number(eq + 1, end);
    for (i = 0; i < r->nr; i++)
        if (value_at(entry_at(r, i), f, offset) == wanted)
            return i;
    fail(2, "%s has no entry with %.*s = %#llx", desc->name, (int)(eq - word), word,
         (unsigned long long)wanted);
}

/* A place in the stream, as a word names it. */
struct place {
    const struct lu_record_desc *desc;
    const struct lu_record *r;
    uint32_t entry; /* or XEN_LIVEUPDATE_ALTER_* */
    uint32_t offset, size;
    uint64_t value;  /* what is there */
    const char *end; /* of the word that named it */
};

static struct place find_place(const char *word)
{
    const char *p = word + strcspn(word, ".:"), *name;
    struct place at = {.desc = describe(word, p - word)};
    const struct lu_field_desc *f;
    const void *part;
    uint32_t domid = 0, index = 0;

    if (*p == '.')
        domid = number(p + 1, &p);
    if (*p == '.')
        index = number(p + 1, &p);
    if (*p != ':')
        fail(1, "%s: : is missing", word);
    at.r = lu_record_find_vcpu(&stream, at.desc->type, domid, index);
    if (!at.r)
        fail(2, "there is no record %.*s", (int)(p - word), word);

    name = p + 1;
    p = name + strcspn(name, "[=");
    if (!strcmp(name, "remove")) {
        at.entry = XEN_LIVEUPDATE_ALTER_REMOVE;
        at.end = p;
        return at;
    }

    if (*p == '[') {
        f = field(at.desc->entry, at.desc->nr_entry, name, p - name, &at.offset);
        at.entry = choose_entry(at.r, at.desc, p + 1, &p);
        part = entry_at(at.r, at.entry);
        if (*p++ != ']')
            fail(1, "%s: ] is missing", word);
    } else {
        f = field(at.desc->fixed, at.desc->nr_fixed, name, p - name, &at.offset);
        at.entry = XEN_LIVEUPDATE_ALTER_FIXED;
        part = at.r + 1;
    }
    if (!f)
        fail(1, "%s: %s has no such field", word, at.desc->name);
    at.size = element_size(f);
    at.value = value_at(part, f, at.offset);
    at.end = p;

    return at;
}

static uint64_t new_value(const char *word, uint64_t now)
{
    uint64_t value = 0;
    const char *end;

    switch (*word) {
    case '\'':
        end = strchr(word + 1, '\'');
        if (!end || end[1])
            fail(1, "%s: not a text", word);
        memcpy(&value, word + 1, end - word - 1 < 8 ? end - word - 1 : 8);
        return value;
    case '@': {
        struct place from = find_place(word + 1);

        value = from.value;
        end = from.end;
        break;
    }
    case '+': value = now + number(word + 1, &end); break;
    case '^': value = now ^ number(word + 1, &end); break;
    default: value = number(word, &end); break;
    }
    if (*end)
        fail(1, "%s: not a value", word);

    return value;
}

static struct xen_liveupdate_alter parse(const char *word)
{
    struct place at = find_place(word);
    struct xen_liveupdate_alter a = {
        .record = at.desc->type,
        .domid = at.r->domid,
        .index = at.r->index,
        .entry = at.entry,
        .offset = at.offset,
        .size = at.size,
    };

    if (at.entry == XEN_LIVEUPDATE_ALTER_REMOVE)
        return a;
    if (*at.end != '=')
        fail(1, "%s: = is missing", word);
    a.value = new_value(at.end + 1, at.value);

    return a;
}

static struct xen_liveupdate_alter hypercall(struct xen_liveupdate_alter a)
{
    xencall_handle *call = xencall_open(NULL, 0);
    struct xen_liveupdate *op = call ? xencall_alloc_buffer(call, sizeof(*op)) : NULL;

    if (!op)
        fail(1, "%s", strerror(errno));
    *op = (struct xen_liveupdate){.op = XEN_LIVEUPDATE_alter, .u.alter = a};
    if (xencall2(call, __HYPERVISOR_kexec_op, KEXEC_CMD_liveupdate, (unsigned long)op))
        fail(1, "%s", strerror(errno));
    a = op->u.alter;
    xencall_free_buffer(call, op);
    xencall_close(call);

    return a;
}

int main(int argc, char **argv)
{
    int i;

    if (argc == 2 && !strcmp(argv[1], "made")) {
        printf("%u\n", hypercall((struct xen_liveupdate_alter){0}).made);
        return 0;
    }
    if (argc < 3)
        fail(1, "usage: alter STREAM ALTERATION...; alter made");

    open_stream(argv[1]);
    /* All of them have to make sense before the first is asked for. */
    for (i = 2; i < argc; i++)
        parse(argv[i]);
    for (i = 2; i < argc; i++)
        hypercall(parse(argv[i]));

    return 0;
}
