/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is staged: a file of its own beside the journal, in one piece (record_replace()).
 */

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record.h"

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

    rc = record_make_directory(dir);
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

Lu__Target *target_message(const char *path, const struct xenlu_target *t)
{
    Lu__Target *m = record_alloc(sizeof(*m));

    lu__target__init(m);
    m->path = record_text(path);
    m->version = record_text(t->version);
    m->changeset = record_text(t->changeset);
    m->build_id = record_text(t->build_id);
    m->command_line = record_text(t->command_line);
    m->segments = record_alloc(t->nr_segments * sizeof(*m->segments) + 1);
    for (unsigned int i = 0; i < t->nr_segments; i++) {
        Lu__Segment *s = record_alloc(sizeof(*s));

        lu__segment__init(s);
        s->name = record_text(t->segment[i].name);
        s->start = t->segment[i].start;
        s->size = t->segment[i].size;
        s->crc32c = t->segment[i].crc32c;
        m->segments[m->n_segments++] = s;
    }
    m->lost = record_alloc(32 * sizeof(*m->lost));
    for (unsigned int i = 0; xenlu_feature_name(i); i++)
        if (t->lost & (1u << i))
            m->lost[m->n_lost++] = record_text(xenlu_feature_name(i));

    return m;
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
