/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of record/ share.
 */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "record.h"

int record_fail(struct record_why *why, int errnum, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    vsnprintf(why->text, sizeof(why->text), fmt, args);
    va_end(args);

    return errnum;
}

/* Not from the environment of somebody who is not root. */
const char *record_dir(const char *variable, const char *standard)
{
    const char *dir = secure_getenv(variable);

    return dir && *dir ? dir : standard;
}

void *record_alloc(size_t size)
{
    void *p = calloc(1, size);

    if (!p) {
        fputs("xen-liveupdate: no memory\n", stderr);
        exit(1);
    }

    return p;
}

/* An empty text is the one that messages have by default, so that it can be told from a copy. */
char *record_text(const char *text)
{
    size_t size = strlen(text) + 1;

    return size == 1 ? (char *)protobuf_c_empty_string : memcpy(record_alloc(size), text, size);
}

int64_t record_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);

    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}
