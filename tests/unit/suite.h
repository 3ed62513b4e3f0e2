/* SPDX-License-Identifier: MIT */
/* What main.c runs, and where the files are. */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <CUnit/CUnit.h>

/* Directories, from the command line: golden vectors; files made by other programs. */
extern const char *golden_dir, *build_dir;

extern CU_TestInfo crc32c_tests[], stream_tests[], check_tests[], dump_tests[], golden_tests[];

#endif
