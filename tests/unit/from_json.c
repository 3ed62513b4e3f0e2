/* SPDX-License-Identifier: MIT */
/*
 * from_json FILE: the stream that "xen-liveupdate -j inspect" has printed to FILE,
 * as bytes on standard output.
 */

#include <stdio.h>
#include <stdlib.h>

#include <xen-liveupdate/dump.h>

int main(int argc, char **argv)
{
    char error[LU_JSON_ERROR_LEN];
    json_error_t where;
    json_t *json = argc == 2 ? json_load_file(argv[1], 0, &where) : NULL;
    uint64_t length;
    void *stream;

    if (!json) {
        fprintf(stderr, "usage: from_json FILE\n");
        return 2;
    }
    stream = lu_stream_from_json(json_object_get(json, "stream"), &length, error);
    if (!stream) {
        fprintf(stderr, "%s: %s\n", argv[1], error);
        return 1;
    }
    if (fwrite(stream, 1, length, stdout) != length || fflush(stdout))
        return 1;
    free(stream);
    json_decref(json);

    return 0;
}
