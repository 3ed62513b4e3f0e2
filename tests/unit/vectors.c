/* SPDX-License-Identifier: MIT */
/* Golden vectors: see vectors.h. */

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "vectors.h"
#include "world.h"

unsigned int vector_count(void)
{
    return lu_nr_records + 1;
}

/* The record as it stands in a stream, header included. */
static void make_record(struct vector *v, const struct lu_record_desc *desc)
{
    static uint64_t buf[1 << 12];
    const struct lu_stream_header *hdr = (const void *)buf;
    struct lu_writer w;
    char *p;

    lu_writer_init(&w, buf, sizeof(buf));
    world_fill_record(&w, desc, desc->scope == LU_SCOPE_HOST ? 0 : 5,
                      desc->scope == LU_SCOPE_VCPU ? 2 : 0, 3, WORLD_SEED);
    assert(!w.full);

    snprintf(v->name, sizeof(v->name), "%s-%u", desc->name, desc->version);
    for (p = v->name; *p; p++)
        *p = tolower((unsigned char)*p);
    v->length = w.used - sizeof(*hdr);
    v->bytes = malloc(v->length);
    memcpy(v->bytes, hdr + 1, v->length);
    v->json = lu_record_to_json(v->bytes);
}

static void make_stream(struct vector *v)
{
    struct lu_stream s = {0};

    snprintf(v->name, sizeof(v->name), "stream-%u", LU_FORMAT_VERSION);
    v->bytes = world_make(&v->length);
    s.buf = v->bytes;
    s.length = v->length;
    v->json = lu_stream_to_json(&s);
}

void vector_make(struct vector *v, unsigned int i)
{
    if (i < lu_nr_records)
        make_record(v, &lu_records[i]);
    else
        make_stream(v);
}

void vector_free(struct vector *v)
{
    free(v->bytes);
    json_decref(v->json);
}

char *vector_text(const json_t *json)
{
    return json_dumps(json, JSON_INDENT(1));
}
