/* SPDX-License-Identifier: MIT */

#include <stdio.h>
#include <stdlib.h>

#include <CUnit/Basic.h>

#include "suite.h"

int run_suites(CU_SuiteInfo *suites)
{
    unsigned int failures;

    if (CU_initialize_registry() != CUE_SUCCESS || CU_register_suites(suites) != CUE_SUCCESS) {
        fprintf(stderr, "CUnit: %s\n", CU_get_error_msg());
        return 2;
    }
    /* So that a crash takes no line with it, and whoever reads along sees the first failure. */
    setvbuf(stdout, NULL, _IOLBF, 0);
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures() + CU_get_number_of_suites_failed();
    CU_cleanup_registry();

    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
