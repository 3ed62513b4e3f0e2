/* SPDX-License-Identifier: GPL-2.0-only */
/* Unit tests of kexec/. */

#include "kexec_test.h"

int main(void)
{
    CU_SuiteInfo suites[] = {
        {"target", NULL, NULL, NULL, NULL, elf_tests},
        {"plan", NULL, NULL, NULL, NULL, plan_tests},
        {"command line", NULL, NULL, NULL, NULL, cmdline_tests},
        CU_SUITE_INFO_NULL,
    };
    unsigned int failures;

    if (CU_initialize_registry() || CU_register_suites(suites))
        return 1;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    failures = CU_get_number_of_failures();
    CU_cleanup_registry();

    return failures ? 1 : 0;
}
