/* SPDX-License-Identifier: MIT */
/*
 * Any text as a stream's JSON, in libFuzzer's form.  What is made of it is a stream for the reader,
 * sound or not, and after JSON once more the same bytes.
 */

#include <stdio.h>
#include <stdlib.h>

#include <xen-liveupdate/dump.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "fuzz: %s\n", what);
    abort();
}

static void read_it(const void *buf, uint64_t length)
{
    char error[LU_JSON_ERROR_LEN];
    struct lu_stream s;
    uint64_t again_length;
    json_t *json;
    void *again;

    if (lu_stream_open(&s, buf, length, NULL) != LU_OK)
        s = (struct lu_stream){.buf = buf, .length = length};
    json = lu_stream_to_json(&s);
    again = lu_stream_from_json(json, &again_length, error);
    if (!json_object_get(json, "broken_at"))
        expect(again && again_length == length && !memcmp(again, buf, length),
               "differs after JSON");
    free(again);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json = json_loadb((const char *)data, size, 0, NULL);
    char error[LU_JSON_ERROR_LEN] = "";
    uint64_t length;
    void *buf;

    if (!json)
        return 0;
    buf = lu_stream_from_json(json, &length, error);
    if (buf)
        read_it(buf, length);
    else
        expect(error[0], "an error without words");
    free(buf);
    json_decref(json);

    return 0;
}
