/* SPDX-License-Identifier: MIT */
/*
 * golden DIRECTORY: writes the golden vectors of this version.
 *
 * A vector that has been released never changes: a record that changes gets a new
 * version, and so new files, and the old ones stay for the test to read.
 */

#include <stdio.h>
#include <stdlib.h>

#include "vectors.h"

static void write_file(const char *dir, const char *name, const char *suffix, const void *bytes,
                       uint64_t length)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s.%s", dir, name, suffix);
    f = fopen(path, "wb");
    if (!f || fwrite(bytes, 1, length, f) != length || fclose(f)) {
        perror(path);
        exit(EXIT_FAILURE);
    }
}

int main(int argc, char **argv)
{
    unsigned int i;

    if (argc != 2) {
        fprintf(stderr, "usage: golden DIRECTORY\n");
        return 2;
    }

    for (i = 0; i < vector_count(); i++) {
        struct vector v;
        char *text;

        vector_make(&v, i);
        text = vector_text(v.json);
        write_file(argv[1], v.name, "bin", v.bytes, v.length);
        write_file(argv[1], v.name, "json", text, strlen(text));
        free(text);
        vector_free(&v);
    }

    return EXIT_SUCCESS;
}
