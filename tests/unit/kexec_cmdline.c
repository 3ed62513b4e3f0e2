/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The target's command line.
 */

#include "kexec_test.h"

#define SLOT " liveupdate=32M@0x40000000"

/* Derived line (without the slot), or the option that is refused. */
static const struct {
    const char *source, *append, *line;
    const char *refused;
} cases[] = {
    {"", NULL, "no-real-mode"},
    {"console=com1 com1=115200,8n1", NULL, "console=com1 com1=115200,8n1 no-real-mode"},
    {"  a   b ", "", "a b no-real-mode"},
    {"a no-real-mode b", NULL, "a no-real-mode b"},
    {"a", "no-real-mode", "a no-real-mode"},
    {"liveupdate=64M a liveupdate=64M@0x40000000,slots=1", NULL, "a no-real-mode"},
    {"liveupdate=64M", NULL, "no-real-mode"},
    {"liveupdated a", NULL, "liveupdated a no-real-mode"},
    {"placeholder dom0_mem=1G,max:1G crashkernel=64M@32M", NULL,
     "placeholder dom0_mem=1G,max:1G crashkernel=64M@32M no-real-mode"},
    {"a", "loglvl=all guest_loglvl=all", "a loglvl=all guest_loglvl=all no-real-mode"},
    {"loglvl=all", "loglvl=warning", "loglvl=all loglvl=warning no-real-mode"},
    {"a", "no-watchdog", "a no-watchdog no-real-mode"},
    {"watchdog", "watchdog=0", "watchdog watchdog=0 no-real-mode"},

    /* What is there already is no change ... */
    {"iommu=off", "iommu=off", "iommu=off no-real-mode"},
    {"pcid=0 a", "a pcid=0", "pcid=0 a no-real-mode"},
    /* ... unless a later one had overruled it. */
    {"iommu=off iommu=on", "iommu=off", NULL, "iommu"},
    {"no-x2apic", "x2apic", NULL, "x2apic"},

    {"", "iommu=off", NULL, "iommu"},
    {"", "x2apic=0", NULL, "x2apic"},
    {"", "no-x2apic", NULL, "x2apic"},
    {"", "crashkernel=64M", NULL, "crashkernel"},
    {"", "extra_guest_irqs=64", NULL, "extra_guest_irqs"},
    {"", "xpti=0", NULL, "xpti"},
    {"", "pcid=0", NULL, "pcid"},
    {"", "com1=9600", NULL, "com1"},
    {"", "console=vga", NULL, "console"},
    {"", "dom0_max_vcpus=9", NULL, "dom0_max_vcpus"},
    {"", "spec-ctrl=no", NULL, "spec-ctrl"},
    {"", "loglvl=all sched=rtds", NULL, "sched"},
    {"", "ivrs_ioapic[4]=00:14.0", NULL, "ivrs_ioapic[4]"},
    {"", "something-new", NULL, "something-new"},
    {"", "loglvlx=all", NULL, "loglvlx"},
    {"", "-- root=/dev/sda", NULL, "--"},
    {"liveupdate=64M", "liveupdate=128M", NULL, "liveupdate"},
};

static void table(void)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char out[LU_CMDLINE_MAX], expected[LU_CMDLINE_MAX];
        struct lu_kexec_why why = {0};
        enum lu_kexec_error error =
            lu_cmdline_derive(out, cases[i].source, cases[i].append, &place_good, &why);

        if (cases[i].line) {
            snprintf(expected, sizeof(expected), "%s" SLOT, cases[i].line);
            CU_ASSERT_EQUAL_FATAL(error, LU_KEXEC_OK);
            CU_ASSERT_STRING_EQUAL(out, expected);
        } else {
            snprintf(expected, sizeof(expected), "\"%s", cases[i].refused);
            CU_ASSERT_EQUAL(error, LU_KEXEC_CMDLINE_OPTION);
            CU_ASSERT_PTR_NOT_NULL(strstr(why.text, cases[i].refused));
        }
    }
}

/* The next update starts from what this one made. */
static void again(void)
{
    char once[LU_CMDLINE_MAX], twice[LU_CMDLINE_MAX];
    struct lu_kexec_why why;

    CU_ASSERT_EQUAL(lu_cmdline_derive(once, "a liveupdate=64M", NULL, &place_good, &why), 0);
    CU_ASSERT_EQUAL(lu_cmdline_derive(twice, once, NULL, &place_good, &why), 0);
    CU_ASSERT_STRING_EQUAL(once, twice);
}

static void lengths(void)
{
    char out[LU_CMDLINE_MAX], line[LU_CMDLINE_MAX];
    struct lu_kexec_why why;
    size_t fits = 0;

    for (size_t n = 1; n < sizeof(line); n++) {
        enum lu_kexec_error error;

        memset(line, 'a', n);
        line[n] = '\0';
        error = lu_cmdline_derive(out, line, NULL, &place_good, &why);
        CU_ASSERT(error == LU_KEXEC_OK || error == LU_KEXEC_CMDLINE_LENGTH);
        if (!error) {
            CU_ASSERT_EQUAL(fits, n - 1);
            CU_ASSERT(strlen(out) < LU_CMDLINE_MAX);
            fits = n;
        }
        if (n == sizeof(line) - 1)
            break;
    }
    CU_ASSERT_EQUAL(fits, LU_CMDLINE_MAX - 1 - strlen(" no-real-mode" SLOT));
}

/* Its own slot, not the region; and what Xen has cut off is not known. */
static void slots(void)
{
    char out[LU_CMDLINE_MAX], line[LU_CMDLINE_MAX] = "liveupdate=";
    struct lu_place place = place_good;
    struct lu_kexec_why why;

    place.slot_start += place.slot_size;
    CU_ASSERT_EQUAL(lu_cmdline_derive(out, "a", NULL, &place, &why), LU_KEXEC_OK);
    CU_ASSERT_STRING_EQUAL(out, "a no-real-mode liveupdate=32M@0x42000000");

    memset(line + strlen(line), '1', LU_CMDLINE_MAX - 1 - strlen(line));
    CU_ASSERT_EQUAL(strlen(line), LU_CMDLINE_MAX - 1);
    CU_ASSERT_EQUAL(lu_cmdline_derive(out, line, NULL, &place, &why), LU_KEXEC_CMDLINE_LENGTH);
    line[LU_CMDLINE_MAX - 2] = '\0';
    CU_ASSERT_EQUAL(lu_cmdline_derive(out, line, NULL, &place, &why), LU_KEXEC_OK);
}

CU_TestInfo cmdline_tests[] = {
    {"what is taken over, added, refused", table},
    {"update after update", again},
    {"lengths", lengths},
    {"slots", slots},
    CU_TEST_INFO_NULL,
};
