/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal: what was about to be done, and what became of it.
 *
 * A file that is only appended to (format/report.proto has its layout).  Before
 * anything happens Begin is on the disk; whoever finds a Begin without its End
 * later, and the journal not locked, knows that the process has been killed or the
 * power was cut, and adds what can be known (complete.c).
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen-liveupdate/stream.h>

#include "record.h"

static const char magic[4] = "XLUJ";

struct frame {
    char magic[4];
    uint32_t length;
    uint32_t crc;
};

/* No manifest is that large: 64 MiB are more domains than there are numbers for. */
#define MAX_LENGTH (64u << 20)

/* ---- reading ---- */

static void add_entry(struct journal *j, Lu__Entry *e)
{
    j->entries = realloc(j->entries, (j->nr_entries + 1) * sizeof(*j->entries));
    j->attempts = realloc(j->attempts, (j->nr_entries + 1) * sizeof(*j->attempts));
    if (!j->entries || !j->attempts)
        abort();
    j->entries[j->nr_entries++] = e;

    if (e->what_case == LU__ENTRY__WHAT_BEGIN)
        j->attempts[j->nr_attempts++] = (struct attempt){.begin = e->begin};
    if (e->what_case == LU__ENTRY__WHAT_END)
        for (size_t i = j->nr_attempts; i-- > 0;)
            if (j->attempts[i].begin->id == e->end->id) {
                j->attempts[i].end = e->end;
                break;
            }
}

/* The frame at @data, if it is a sound one; its length. */
static size_t read_frame(struct journal *j, const uint8_t *data, size_t size)
{
    struct frame f;
    Lu__Entry *e;

    if (size < sizeof(f))
        return 0;
    memcpy(&f, data, sizeof(f));
    if (memcmp(f.magic, magic, sizeof(magic)) || f.length > MAX_LENGTH ||
        f.length > size - sizeof(f) || lu_crc32c(0, data + sizeof(f), f.length) != f.crc)
        return 0;

    e = lu__entry__unpack(NULL, f.length, data + sizeof(f));
    /* Sound, but of a later version: passed over. */
    if (e && (e->what_case == LU__ENTRY__WHAT__NOT_SET ||
              (e->what_case == LU__ENTRY__WHAT_BEGIN &&
               (!e->begin->before || !e->begin->before->host || !e->begin->plan)))) {
        lu__entry__free_unpacked(e, NULL);
        e = NULL;
    }
    if (e)
        add_entry(j, e);

    return sizeof(f) + f.length;
}

static void read_frames(struct journal *j, const uint8_t *data, size_t size)
{
    size_t at = 0;

    while (at < size) {
        size_t n = read_frame(j, data + at, size - at);

        if (n) {
            at += n;
            j->sound = at;
        } else {
            /* Behind what is damaged the next frame may be sound. */
            const void *next = memmem(data + at + 1, size - at - 1, magic, sizeof(magic));
            size_t skipped = next ? (const uint8_t *)next - data - at : size - at;

            j->skipped += skipped;
            at += skipped;
        }
    }
}

static int read_file(struct journal *j, struct record_why *why)
{
    uint8_t *data;
    struct stat st;
    ssize_t n = 0;
    size_t size = 0;
    int rc = 0, fd = open(j->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st)) {
        int errnum = errno;

        if (fd >= 0)
            close(fd);
        return record_fail(why, errnum, "%s: cannot be read: %s", j->path, strerror(errnum));
    }

    data = record_alloc(st.st_size + 1);
    while (size < (size_t)st.st_size && (n = read(fd, data + size, st.st_size - size)) > 0)
        size += n;
    /* What cannot be read now is not to be written over. */
    if (n < 0)
        rc = record_fail(why, errno, "%s: cannot be read: %s", j->path, strerror(errno));
    close(fd);
    if (!rc)
        read_frames(j, data, size);
    free(data);

    return rc;
}

/* ---- opening ---- */

static int make_directory(const char *dir)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s", dir);
    for (char *p = path + 1; *p; p++)
        if (*p == '/') {
            *p = '\0';
            mkdir(path, 0755);
            *p = '/';
        }

    return mkdir(path, 0700) && errno != EEXIST ? errno : 0;
}

static int lock(struct journal *j, const char *dir, struct record_why *why)
{
    char path[PATH_MAX];
    int rc = make_directory(dir);

    if (rc)
        return record_fail(why, rc, "%s: cannot be made: %s", dir, strerror(rc));
    snprintf(path, sizeof(path), "%s/lock", dir);
    j->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (j->lock < 0)
        return record_fail(why, errno, "%s: cannot be opened: %s", path, strerror(errno));
    if (!flock(j->lock, LOCK_EX | LOCK_NB))
        return 0;

    rc = errno == EWOULDBLOCK ? EBUSY : errno;
    close(j->lock);
    j->lock = -1;

    return record_fail(why, rc, "%s: cannot be locked: %s", path, strerror(rc));
}

int journal_open(struct journal *j, bool write, struct record_why *why)
{
    const char *dir = record_dir("XEN_LIVEUPDATE_DIR", RECORD_DIR);
    int rc = 0;

    *j = (struct journal){.lock = -1};
    if (asprintf(&j->path, "%s/journal", dir) < 0)
        return record_fail(why, ENOMEM, "no memory");
    if (write)
        rc = lock(j, dir, why);
    if (!rc)
        rc = read_file(j, why);
    if (rc)
        journal_close(j);

    return rc;
}

void journal_close(struct journal *j)
{
    for (size_t i = 0; i < j->nr_entries; i++)
        lu__entry__free_unpacked(j->entries[i], NULL);
    free(j->entries);
    free(j->attempts);
    free(j->path);
    if (j->lock >= 0)
        close(j->lock);
    *j = (struct journal){.lock = -1};
}

/* ---- writing ---- */

/* Appends behind the last sound frame: what a power cut has left there is in nobody's way. */
static int append(struct journal *j, Lu__Entry *e, struct record_why *why)
{
    size_t length = lu__entry__get_packed_size(e);
    uint8_t *data = record_alloc(sizeof(struct frame) + length);
    struct frame f = {.length = length};
    int rc = 0, fd = open(j->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    memcpy(f.magic, magic, sizeof(magic));
    lu__entry__pack(e, data + sizeof(f));
    f.crc = lu_crc32c(0, data + sizeof(f), length);
    memcpy(data, &f, sizeof(f));

    if (fd < 0 || ftruncate(fd, j->sound) || lseek(fd, 0, SEEK_END) < 0)
        rc = errno;
    if (!rc)
        rc = record_write(fd, data, sizeof(f) + length);
    if (!rc && fsync(fd))
        rc = errno;
    if (fd >= 0)
        close(fd);
    if (!rc)
        rc = record_sync_directory(j->path);
    free(data);
    if (rc) {
        lu__entry__free_unpacked(e, NULL);
        return record_fail(why, rc, "%s: cannot be written: %s", j->path, strerror(rc));
    }

    j->sound += sizeof(f) + length;
    add_entry(j, e);

    return 0;
}

int journal_begin(struct journal *j, Lu__Begin *begin, struct record_why *why)
{
    Lu__Entry *e = record_alloc(sizeof(*e));

    lu__entry__init(e);
    e->what_case = LU__ENTRY__WHAT_BEGIN;
    e->begin = begin;

    return append(j, e, why);
}

int journal_end(struct journal *j, Lu__End *end, struct record_why *why)
{
    Lu__Entry *e = record_alloc(sizeof(*e));

    lu__entry__init(e);
    e->what_case = LU__ENTRY__WHAT_END;
    e->end = end;

    return append(j, e, why);
}

/* ---- looking things up ---- */

uint32_t journal_next_id(const struct journal *j)
{
    uint32_t last = 0;

    for (size_t i = 0; i < j->nr_attempts; i++)
        if (j->attempts[i].begin->id > last)
            last = j->attempts[i].begin->id;

    return last + 1;
}

const struct attempt *journal_find(const struct journal *j, uint32_t id, Lu__Kind kind)
{
    for (size_t i = j->nr_attempts; i-- > 0;)
        if (id ? j->attempts[i].begin->id == id : j->attempts[i].begin->plan->kind == kind)
            return &j->attempts[i];

    return NULL;
}

const char *journal_outcome(const struct attempt *a)
{
    static const char *const names[] = {
        [LU__OUTCOME__UNDER_WAY] = "under way", [LU__OUTCOME__DONE] = "done",
        [LU__OUTCOME__FAILED] = "failed",       [LU__OUTCOME__NOT_TRIED] = "not tried",
        [LU__OUTCOME__LOST] = "lost",           [LU__OUTCOME__NOT_KNOWN] = "not known",
        [LU__OUTCOME__REHEARSED] = "rehearsed",
    };
    unsigned int outcome = a->end ? a->end->outcome : LU__OUTCOME__UNDER_WAY;

    return outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "?";
}

/* ---- what is staged ---- */

static void staged_path(char *path, size_t size)
{
    snprintf(path, size, "%s/staged", record_dir("XEN_LIVEUPDATE_DIR", RECORD_DIR));
}

int staged_write(const Lu__Host *host, const Lu__Target *target, struct record_why *why)
{
    const char *dir = record_dir("XEN_LIVEUPDATE_DIR", RECORD_DIR);
    char path[PATH_MAX];
    Lu__Staged s = LU__STAGED__INIT;
    uint8_t *data;
    size_t size;
    int rc;

    staged_path(path, sizeof(path));
    if (!target) {
        if (unlink(path))
            rc = errno == ENOENT ? 0 : errno;
        else
            rc = record_sync_directory(path);
        return rc ? record_fail(why, rc, "%s: cannot be removed: %s", path, strerror(rc)) : 0;
    }

    rc = make_directory(dir);
    if (rc)
        return record_fail(why, rc, "%s: cannot be made: %s", dir, strerror(rc));
    s.boot_id = host->boot_id;
    s.generation = host->generation;
    s.time_ns = record_now();
    s.target = (Lu__Target *)target;
    size = lu__staged__get_packed_size(&s);
    data = record_alloc(size + 1);
    lu__staged__pack(&s, data);
    rc = record_replace(path, 0600, data, size, why);
    free(data);

    return rc;
}

Lu__Staged *staged_read(const Lu__Host *host)
{
    char path[PATH_MAX];
    uint8_t data[16384];
    Lu__Staged *s = NULL;
    size_t size;
    FILE *f;

    staged_path(path, sizeof(path));
    f = fopen(path, "rbe");
    if (!f)
        return NULL;
    size = fread(data, 1, sizeof(data), f);
    fclose(f);
    if (size < sizeof(data))
        s = lu__staged__unpack(NULL, size, data);
    if (s &&
        (strcmp(s->boot_id, host->boot_id) || s->generation != host->generation || !s->target)) {
        lu__staged__free_unpacked(s, NULL);
        s = NULL;
    }

    return s;
}

/* The caller frees it. */
static uint8_t *target_pack(const Lu__Target *t, size_t *size)
{
    uint8_t *data;

    *size = lu__target__get_packed_size(t);
    data = record_alloc(*size + 1);
    lu__target__pack(t, data);

    return data;
}

Lu__Target *target_copy(const Lu__Target *t)
{
    size_t size;
    uint8_t *data = target_pack(t, &size);
    Lu__Target *copy = lu__target__unpack(NULL, size, data);

    free(data);
    if (!copy)
        abort();

    return copy;
}

bool target_equal(const Lu__Target *a, const Lu__Target *b)
{
    size_t size_a, size_b;
    uint8_t *data_a = target_pack(a, &size_a), *data_b = target_pack(b, &size_b);
    bool equal = size_a == size_b && !memcmp(data_a, data_b, size_a);

    free(data_a);
    free(data_b);

    return equal;
}
