/* SPDX-License-Identifier: MIT */
/* What the CUnit programs share, and main.c's suites. */
#ifndef TESTS_UNIT_SUITE_H
#define TESTS_UNIT_SUITE_H

#include <CUnit/CUnit.h>

/* The end of main(): runs them, says what was found; returns the exit code. */
int run_suites(CU_SuiteInfo *suites);

/* Directories, from the command line: golden vectors; files made by other programs. */
extern const char *golden_dir, *build_dir;

extern CU_TestInfo crc32c_tests[], stream_tests[], check_tests[], dump_tests[], golden_tests[];

#endif
