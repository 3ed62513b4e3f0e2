/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any file as the journal, in libFuzzer's form: as the database, which is read or refused; and as the
 * journal of before, as it is and with the checksums of its frames made right, which is
 * always readable.  Each attempt in it can be shown.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <xen-liveupdate/stream.h>

#include "../../lu-tools/record/message_json.h"
#include "../../lu-tools/record/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

static void show(const struct journal *j)
{
    for (size_t i = 0; i < j->nr_attempts; i++) {
        const struct attempt *a = &j->attempts[i];
        json_t *begin = message_json(&a->begin->base);
        json_t *end = message_json(a->end ? &a->end->base : NULL);
        Lu__Prediction *p = predict_pause(j, a->begin->before, NULL);
        char *text = json_dumps(begin, 0);

        expect(journal_outcome(a) && text, "an attempt that cannot be shown");
        free(text);
        lu__prediction__free_unpacked(p, NULL);
        json_decref(begin);
        json_decref(end);
    }
}

static void take(const char *name, bool any, const uint8_t *data, size_t size)
{
    struct record_why why = {0};
    struct journal j;
    int rc, fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    expect(fd >= 0 && write(fd, data, size) == (ssize_t)size, "no place for the journal");
    close(fd);
    rc = journal_open(&j, false, &why);
    expect(!rc || (any && why.text[0]), "a journal that cannot be opened");
    if (!rc) {
        expect(j.skipped <= size && j.nr_attempts <= size, "more than there is");
        show(&j);
        journal_next_id(&j);
        journal_close(&j);
    }
    unlink(name);
}

/* Frames: "XLUJ", length, checksum. */
static void seal(uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 12 <= size; at++) {
        uint32_t length, crc;

        if (memcmp(data + at, "XLUJ", 4))
            continue;
        memcpy(&length, data + at + 4, 4);
        if (length > size - at - 12)
            continue;
        crc = lu_crc32c(0, data + at + 12, length);
        memcpy(data + at + 8, &crc, 4);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;
    uint8_t *copy = malloc(size ? size : 1);

    /* The journal is in the working directory. */
    if (!ready)
        ready = !setenv("XEN_LIVEUPDATE_DIR", ".", 1);
    memcpy(copy, data, size);
    take("journal.db", true, copy, size);
    take("journal", false, copy, size);
    seal(copy, size);
    take("journal", false, copy, size);
    free(copy);

    return 0;
}
