/* SPDX-License-Identifier: MIT */
/*
 * Golden vectors: what each record, and a whole stream, looks like, byte by byte
 * and as JSON.  format/golden/ keeps those of every version that ever was.
 */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include <xen-liveupdate/dump.h>

struct vector {
    char name[64]; /* file name without .bin and .json */
    void *bytes;
    uint64_t length;
    json_t *json;
};

/* Vectors 0 .. vector_count() - 1 are those of this version.  Owned by the caller. */
unsigned int vector_count(void);
void vector_make(struct vector *v, unsigned int i);
void vector_free(struct vector *v);

/* The JSON as it stands in the file; the caller frees it. */
char *vector_text(const json_t *json);

#endif
