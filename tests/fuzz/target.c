/* SPDX-License-Identifier: MIT */
/*
 * Any file as a target, in libFuzzer's form: gzip, ELF, multiboot2 header, note, up to the plan.
 *
 * The input is taken as it is, and once more with the checksum of its multiboot2 header made
 * right.  What is accepted has to be laid out within the slot.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lu-kexec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct lu_place place = {
    .region_start = 0x40000000,
    .region_size = 64u << 20,
    .slot_start = 0x42000000,
    .slot_size = 32u << 20,
    .nr_slots = 2,
    .format = LU_FORMAT_VERSION,
};

static void expect(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

static void lay_out(const struct lu_file *file, const struct lu_target *t)
{
    static const struct lu_memory_range map[] = {{0, 0x9f000, 1}, {0x100000, 0xbff00000, 1}};
    struct lu_kexec_why why;
    struct lu_plan plan;

    if (lu_plan_make(&plan, file, t, &place, "no-real-mode", map, 2, &why))
        return;
    for (unsigned int i = 0; i < LU_PLAN_NR; i++) {
        const struct lu_segment *s = &plan.segment[i];

        expect(s->dest >= place.slot_start + LU_PAGE_SIZE &&
                   s->dest + s->dest_size <= place.slot_start + place.slot_size,
               "a segment outside of the slot");
        expect(s->buf_size <= s->dest_size, "more bytes than room");
    }
    lu_plan_free(&plan);
}

/* The file is nowhere but in memory. */
static enum lu_kexec_error read_back(struct lu_file *file, const uint8_t *data, size_t size,
                                     struct lu_kexec_why *why)
{
    int fd = memfd_create("target", MFD_CLOEXEC);
    enum lu_kexec_error error;
    char path[32];

    expect(fd >= 0 && write(fd, data, size) == (ssize_t)size, "no file for the input");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    error = lu_file_read(file, path, why);
    close(fd);
    /* Of the exact size, so that the sanitizer sees a look behind the end. */
    if (!error)
        file->data = realloc(file->data, file->size ? file->size : 1);

    return error;
}

static void take(const uint8_t *data, size_t size)
{
    struct lu_kexec_why why = {0};
    struct lu_target t;
    struct lu_file file;
    enum lu_kexec_error error = read_back(&file, data, size, &why);

    if (!error) {
        error = lu_target_parse(&t, file.data, file.size, &why);
        if (!error)
            error = lu_target_suits(&t, &place, &why);
        if (!error)
            lay_out(&file, &t);
        lu_file_free(&file);
    }
    expect(!error || (why.error == error && why.text[0]), "an error without words");
}

/* Words of the header: magic, architecture, length, checksum. */
static void seal(uint8_t *data, size_t size)
{
    uint32_t h[4];

    for (size_t at = 0; at + sizeof(h) <= size; at += 8) {
        memcpy(h, data + at, sizeof(h));
        if (h[0] != 0xe85250d6)
            continue;
        h[3] = -(h[0] + h[1] + h[2]);
        memcpy(data + at, h, sizeof(h));
        return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    take(copy, size);
    seal(copy, size);
    take(copy, size);
    free(copy);

    return 0;
}
