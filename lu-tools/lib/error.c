/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Errors: what the layer below reports, in the terms of this library, with an
 * advice.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "internal.h"

/* Callers allocate it, and nobody is told its size. */
_Static_assert(sizeof(struct xenlu_error) == 824, "it never grows");

static const char *const names[] = {
    [XENLU_OK] = "ok",
    [XENLU_NO_MEMORY] = "no-memory",
    [XENLU_SYSTEM] = "system",
    [XENLU_NO_XEN] = "no-xen",
    [XENLU_NOT_DOM0] = "not-dom0",
    [XENLU_UNSUPPORTED] = "unsupported",
    [XENLU_BUSY] = "busy",
    [XENLU_NOT_STAGED] = "not-staged",
    [XENLU_NOTHING_TO_ABORT] = "nothing-to-abort",
    [XENLU_NO_STREAM] = "no-stream",
    [XENLU_TRUNCATED] = "truncated",
    [XENLU_BAD_FILE] = "bad-file",
    [XENLU_NOT_ELF] = "not-elf",
    [XENLU_NOT_XEN] = "not-xen",
    [XENLU_NOT_MULTIBOOT2] = "not-multiboot2",
    [XENLU_NOT_RELOCATABLE] = "not-relocatable",
    [XENLU_NO_NOTE] = "no-note",
    [XENLU_FORMAT_TOO_OLD] = "format-too-old",
    [XENLU_FORMAT_TOO_NEW] = "format-too-new",
    [XENLU_DOES_NOT_FIT] = "does-not-fit",
    [XENLU_OPTION_REFUSED] = "option-refused",
    [XENLU_BOOT_INFO] = "boot-info",
    [XENLU_NO_REGION] = "no-region",
    [XENLU_REGION_TOO_SMALL] = "region-too-small",
    [XENLU_REFUSED] = "refused",
    [XENLU_FAILED] = "failed",
    [XENLU_TIMEOUT] = "timeout",
    [XENLU_NOT_KNOWN] = "not-known",
    [XENLU_UNDER_WAY] = "under-way",
    [XENLU_NOT_STARTED] = "not-started",
    [XENLU_JOURNAL] = "journal",
    [XENLU_INVENTORY] = "inventory",
    [XENLU_TARGET_UNKNOWN] = "target-unknown",
    [XENLU_TARGET_CHANGED] = "target-changed",
    [XENLU_PAUSE_TOO_LONG] = "pause-too-long",
    [XENLU_INTERRUPTED] = "interrupted",
    [XENLU_LOST] = "lost",
    [XENLU_FEATURES_LOST] = "features-lost",
};

#define ADVICE_XEN    "take the \"xen\" or \"xen.gz\" of a Xen built with CONFIG_LIVEUPDATE=y"
#define ADVICE_COPY   "copy the file again"
#define ADVICE_REGION "change Xen's command line in the boot loader; it takes a reboot"

/* What the layer below says, what it is here, and what to do about it. */
static const struct {
    enum xenlu_code code;
    const char *advice;
} kexec_errors[] = {
    [LU_KEXEC_OK] = {XENLU_OK, ""},
    [LU_KEXEC_NO_MEMORY] = {XENLU_NO_MEMORY, "free some of dom0's memory"},
    [LU_KEXEC_FILE] = {XENLU_SYSTEM, ""},
    [LU_KEXEC_BAD_ARCHIVE] = {XENLU_BAD_FILE, ADVICE_COPY},
    [LU_KEXEC_TRUNCATED] = {XENLU_TRUNCATED, ADVICE_COPY},
    [LU_KEXEC_NOT_ELF] = {XENLU_NOT_ELF, ADVICE_XEN},
    [LU_KEXEC_BAD_ELF] = {XENLU_BAD_FILE, ADVICE_COPY},
    [LU_KEXEC_NOT_XEN] = {XENLU_NOT_XEN, ADVICE_XEN},
    [LU_KEXEC_NOT_MULTIBOOT2] = {XENLU_NOT_MULTIBOOT2, ADVICE_XEN},
    [LU_KEXEC_NOT_RELOCATABLE] = {XENLU_NOT_RELOCATABLE, ADVICE_XEN},
    [LU_KEXEC_NO_NOTE] = {XENLU_NO_NOTE, ADVICE_XEN},
    [LU_KEXEC_FORMAT_TOO_OLD] = {XENLU_FORMAT_TOO_OLD, "take a newer target"},
    [LU_KEXEC_FORMAT_TOO_NEW] = {XENLU_FORMAT_TOO_NEW, "update to a release in between first"},
    [LU_KEXEC_NO_REGION] = {XENLU_NO_REGION, ADVICE_REGION},
    [LU_KEXEC_REGION_TOO_SMALL] = {XENLU_REGION_TOO_SMALL, ADVICE_REGION},
    [LU_KEXEC_DOES_NOT_FIT] = {XENLU_DOES_NOT_FIT,
                               "choose another place: liveupdate=<size>@<addr>"},
    [LU_KEXEC_CMDLINE_OPTION] = {XENLU_OPTION_REFUSED, "leave it for the next reboot"},
    [LU_KEXEC_CMDLINE_LENGTH] = {XENLU_BOOT_INFO, "shorten Xen's command line; it takes a reboot"},
    [LU_KEXEC_MEMORY_MAP] = {XENLU_BOOT_INFO, ""},
    [LU_KEXEC_NO_XEN] = {XENLU_NO_XEN, "run it as root in dom0, with xen_privcmd loaded"},
    [LU_KEXEC_HYPERCALL] = {XENLU_SYSTEM, ""},
};

const char *xenlu_code_name(enum xenlu_code code)
{
    return (unsigned int)code < sizeof(names) / sizeof(names[0]) ? names[code] : "unknown";
}

enum xenlu_code xenlu_fail(struct xenlu_error *err, enum xenlu_code code, int errnum,
                           const char *advice, const char *fmt, ...)
{
    va_list args;

    if (!err)
        return code;

    *err = (struct xenlu_error){.code = code, .errnum = errnum, .domid = XENLU_NO_DOMAIN};
    va_start(args, fmt);
    vsnprintf(err->message, sizeof(err->message), fmt, args);
    va_end(args);
    snprintf(err->advice, sizeof(err->advice), "%s", advice);

    return code;
}

enum xenlu_code xenlu_fail_kexec(struct xenlu_error *err, const struct lu_kexec_why *why)
{
    enum xenlu_code code = kexec_errors[why->error].code;
    const char *advice = kexec_errors[why->error].advice;

    if (why->error == LU_KEXEC_HYPERCALL && (why->errnum == EPERM || why->errnum == EACCES))
        return xenlu_fail(err, XENLU_NOT_DOM0, why->errnum, "run it in dom0",
                          "%s: only the hardware domain may do this", why->text);
    if (why->error == LU_KEXEC_HYPERCALL && why->errnum == EBUSY)
        return xenlu_fail(err, XENLU_BUSY, why->errnum, "try again in a moment",
                          "an update is under way or has not settled yet");

    code = xenlu_fail(err, code, why->errnum, advice, "%s", why->text);
    if (err)
        err->size_needed = why->size_needed;

    return code;
}
