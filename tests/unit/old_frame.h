/* SPDX-License-Identifier: GPL-2.0-only */
/* Writes what old_journal.c reads: one frame behind another. */
#ifndef OLD_FRAME_H
#define OLD_FRAME_H

#include <stdio.h>
#include <stdlib.h>

#include <xen-liveupdate/stream.h>

#include "report.pb-c.h"

static inline void old_frame_write(FILE *f, const Lu__Entry *e)
{
    uint32_t head[2] = {lu__entry__get_packed_size(e)};
    uint8_t *data = malloc(head[0] + 1);

    lu__entry__pack(e, data);
    head[1] = lu_crc32c(0, data, head[0]);
    if (fwrite("XLUJ", 4, 1, f) != 1 || fwrite(head, sizeof(head), 1, f) != 1 ||
        fwrite(data, head[0], 1, f) != 1)
        abort();
    free(data);
}

static inline void old_frame_begin(FILE *f, Lu__Begin *b)
{
    Lu__Entry e = LU__ENTRY__INIT;

    e.what_case = LU__ENTRY__WHAT_BEGIN;
    e.begin = b;
    old_frame_write(f, &e);
}

static inline void old_frame_end(FILE *f, Lu__End *end)
{
    Lu__Entry e = LU__ENTRY__INIT;

    e.what_case = LU__ENTRY__WHAT_END;
    e.end = end;
    old_frame_write(f, &e);
}

#endif /* OLD_FRAME_H */
