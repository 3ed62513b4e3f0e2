/* SPDX-License-Identifier: MIT */
/* Golden vectors: this version writes what it always wrote, and reads all that ever was. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "suite.h"
#include "vectors.h"

/* The file, with a NUL behind it; NULL: not there. */
static char *read_file(const char *name, const char *suffix, uint64_t *length)
{
    char path[4096], *text = NULL;
    long size;
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s%s", golden_dir, name, suffix);
    f = fopen(path, "rb");
    if (!f)
        return NULL;
    if (!fseek(f, 0, SEEK_END) && (size = ftell(f)) >= 0) {
        rewind(f);
        text = calloc(1, size + 1);
        *length = fread(text, 1, size, f);
    }
    fclose(f);

    return text;
}

static void complain(const char *name, const char *what)
{
    fprintf(stderr, "\n    %s: %s", name, what);
    CU_FAIL("golden vector");
}

/*
 * Fails after a record was changed: once a version has been released, give the
 * record a new one.  Until then `make golden` writes the vectors again.
 */
static void written(void)
{
    unsigned int i;

    for (i = 0; i < vector_count(); i++) {
        struct vector v;
        uint64_t length = 0;
        char *bytes, *text, *json;

        vector_make(&v, i);
        bytes = read_file(v.name, ".bin", &length);
        if (!bytes || length != v.length || memcmp(bytes, v.bytes, length))
            complain(v.name, bytes ? "is written differently" : "has no vector");
        text = read_file(v.name, ".json", &length);
        json = vector_text(v.json);
        if (!text || strcmp(text, json))
            complain(v.name, "has another JSON");
        free(json);
        free(text);
        free(bytes);
        vector_free(&v);
    }
}

static bool is_sound(const uint8_t *bytes, uint64_t length)
{
    const struct lu_record *r = (const void *)bytes;

    return length >= sizeof(*r) && length == sizeof(*r) + r->length && lu_record_desc(r->type) &&
           r->version <= lu_record_desc(r->type)->version;
}

/* Bytes to JSON and back, both as in the files. */
static void read_vector(const char *name)
{
    bool stream = !strncmp(name, "stream-", 7);
    char error[LU_JSON_ERROR_LEN], *bytes, *text, *json;
    uint64_t length = 0, text_length, back_length;
    json_t *parsed, *dumped;
    struct lu_stream s;
    void *back;

    bytes = read_file(name, ".bin", &length);
    text = read_file(name, ".json", &text_length);
    if (!bytes || !text) {
        complain(name, "lacks a file");
        return;
    }
    if (stream ? lu_stream_open(&s, bytes, length, NULL) != LU_OK
               : !is_sound((void *)bytes, length)) {
        complain(name, "cannot be read");
        return;
    }

    dumped = stream ? lu_stream_to_json(&s) : lu_record_to_json((void *)bytes);
    json = vector_text(dumped);
    if (strcmp(json, text))
        complain(name, "has another JSON");

    parsed = json_loads(text, 0, NULL);
    back = stream ? lu_stream_from_json(parsed, &back_length, error)
                  : lu_record_from_json(parsed, &back_length, error);
    if (!back)
        complain(name, error);
    else if (back_length != length || memcmp(back, bytes, length))
        complain(name, "differs after JSON");

    free(back);
    json_decref(parsed);
    json_decref(dumped);
    free(json);
    free(text);
    free(bytes);
}

static void read_all(void)
{
    unsigned int nr = 0;
    struct dirent *e;
    DIR *dir = opendir(golden_dir);

    CU_ASSERT_PTR_NOT_NULL_FATAL(dir);
    while ((e = readdir(dir))) {
        char *suffix = strrchr(e->d_name, '.');

        if (!suffix || strcmp(suffix, ".bin"))
            continue;
        *suffix = 0;
        read_vector(e->d_name);
        nr++;
    }
    closedir(dir);
    CU_ASSERT_TRUE(nr >= vector_count());
}

CU_TestInfo golden_tests[] = {
    {"written as ever", written},
    {"all can be read", read_all},
    CU_TEST_INFO_NULL,
};
