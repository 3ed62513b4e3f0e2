/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What can be wrong, as a name for programs and as a sentence for people.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lu-kexec.h"

static const char *const names[] = {
    [LU_KEXEC_OK] = "ok",
    [LU_KEXEC_NO_MEMORY] = "no-memory",
    [LU_KEXEC_FILE] = "file",
    [LU_KEXEC_BAD_ARCHIVE] = "bad-archive",
    [LU_KEXEC_TRUNCATED] = "truncated",
    [LU_KEXEC_NOT_ELF] = "not-elf",
    [LU_KEXEC_BAD_ELF] = "bad-elf",
    [LU_KEXEC_NOT_XEN] = "not-xen",
    [LU_KEXEC_NOT_MULTIBOOT2] = "not-multiboot2",
    [LU_KEXEC_NOT_RELOCATABLE] = "not-relocatable",
    [LU_KEXEC_NO_NOTE] = "no-note",
    [LU_KEXEC_FORMAT_TOO_OLD] = "format-too-old",
    [LU_KEXEC_FORMAT_TOO_NEW] = "format-too-new",
    [LU_KEXEC_NO_REGION] = "no-region",
    [LU_KEXEC_REGION_TOO_SMALL] = "region-too-small",
    [LU_KEXEC_DOES_NOT_FIT] = "does-not-fit",
    [LU_KEXEC_CMDLINE_OPTION] = "option-refused",
    [LU_KEXEC_CMDLINE_LENGTH] = "command-line-too-long",
    [LU_KEXEC_MEMORY_MAP] = "memory-map",
    [LU_KEXEC_NO_XEN] = "no-xen",
    [LU_KEXEC_HYPERCALL] = "hypercall",
};

const char *lu_kexec_error_name(enum lu_kexec_error error)
{
    if ((unsigned int)error >= sizeof(names) / sizeof(names[0]))
        return "unknown";

    return names[error];
}

enum lu_kexec_error lu_kexec_complain(struct lu_kexec_why *why, enum lu_kexec_error error,
                                      const char *fmt, ...)
{
    va_list args;

    memset(why, 0, sizeof(*why));
    why->error = error;
    va_start(args, fmt);
    vsnprintf(why->text, sizeof(why->text), fmt, args);
    va_end(args);

    return error;
}
