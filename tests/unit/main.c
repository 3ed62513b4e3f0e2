/* SPDX-License-Identifier: MIT */
/* Unit tests of the stream format. */

#include <stdio.h>

#include "suite.h"

const char *golden_dir, *build_dir;

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {
        {"crc32c", NULL, NULL, NULL, NULL, crc32c_tests},
        {"stream", NULL, NULL, NULL, NULL, stream_tests},
        {"check", NULL, NULL, NULL, NULL, check_tests},
        {"dump", NULL, NULL, NULL, NULL, dump_tests},
        {"golden", NULL, NULL, NULL, NULL, golden_tests},
        CU_SUITE_INFO_NULL,
    };

    if (argc != 3) {
        fprintf(stderr, "usage: format GOLDEN_DIR BUILD_DIR\n");
        return 2;
    }
    golden_dir = argv[1];
    build_dir = argv[2];

    return run_suites(suites);
}
