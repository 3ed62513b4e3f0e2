/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal as it was before there was a database: a file of frames, each "XLUJ", the
 * length and the CRC-32C of the Entry that follows.  Only read here, once, by
 * the first who opens the journal for writing.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

/* Numbers rise: of two attempts of one number, as of two hosts' journals, the later gets another. */
static void add_begin(struct journal *j, Lu__Begin *begin, uint32_t *old_ids)
{
    old_ids[j->nr_attempts] = begin->id;
    if (begin->id <= j->last_id)
        begin->id = j->last_id + 1;
    journal_add(j, begin, NULL);
}

static bool add_end(struct journal *j, Lu__End *end, const uint32_t *old_ids)
{
    for (size_t i = j->nr_attempts; i-- > 0;)
        if (old_ids[i] == end->id && !j->attempts[i].end) {
            end->id = j->attempts[i].begin->id;
            j->attempts[i].end = end;
            return true;
        }

    return false;
}

static void take_entry(struct journal *j, Lu__Entry *e, uint32_t *old_ids)
{
    if (e->what_case == LU__ENTRY__WHAT_BEGIN && journal_understands(e->begin)) {
        add_begin(j, e->begin, old_ids);
        e->what_case = LU__ENTRY__WHAT__NOT_SET;
    } else if (e->what_case == LU__ENTRY__WHAT_END && add_end(j, e->end, old_ids)) {
        e->what_case = LU__ENTRY__WHAT__NOT_SET;
    } else {
        j->skipped++;
    }
    lu__entry__free_unpacked(e, NULL);
}

/* The frame at @data, if it is a sound one; its length. */
static size_t read_frame(struct journal *j, const uint8_t *data, size_t size, uint32_t *old_ids)
{
    struct frame f;
    Lu__Entry *e;

    if (size < sizeof(f))
        return 0;
    memcpy(&f, data, sizeof(f));
    if (memcmp(f.magic, magic, sizeof(magic)) || f.length > size - sizeof(f) ||
        lu_crc32c(0, data + sizeof(f), f.length) != f.crc)
        return 0;

    e = lu__entry__unpack(NULL, f.length, data + sizeof(f));
    if (e)
        take_entry(j, e, old_ids);
    else
        j->skipped++;

    return sizeof(f) + f.length;
}

static void read_frames(struct journal *j, const uint8_t *data, size_t size)
{
    uint32_t *old_ids = record_alloc((size / sizeof(struct frame) + 1) * sizeof(*old_ids));
    size_t at = 0;

    while (at < size) {
        size_t n = read_frame(j, data + at, size - at, old_ids);

        if (!n) {
            /* Behind what is damaged the next frame may be sound. */
            const uint8_t *next = memmem(data + at + 1, size - at - 1, magic, sizeof(magic));

            n = (next ? next : data + size) - (data + at);
            j->skipped++;
        }
        at += n;
    }
    free(old_ids);
}

int old_journal_read(struct journal *j, const char *path, struct record_why *why)
{
    uint8_t *data;
    struct stat st;
    ssize_t n = 0;
    size_t size = 0;
    int rc = 0, fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return 0;
    if (fd < 0 || fstat(fd, &st)) {
        rc = errno;
        if (fd >= 0)
            close(fd);
        return record_fail(why, rc, "%s: cannot be read: %s", path, strerror(rc));
    }

    data = record_alloc(st.st_size + 1);
    while (size < (size_t)st.st_size && (n = read(fd, data + size, st.st_size - size)) > 0)
        size += n;
    /* What cannot be read now is not to be left behind. */
    if (n < 0)
        rc = record_fail(why, errno, "%s: cannot be read: %s", path, strerror(errno));
    close(fd);
    if (!rc)
        read_frames(j, data, size);
    free(data);

    return rc;
}
