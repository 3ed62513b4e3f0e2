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

    return run_suites(suites);
}
