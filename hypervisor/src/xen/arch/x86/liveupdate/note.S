/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The note by which the tools recognise a Xen that can be the target of a live
 * update: struct lu_note in <xen-liveupdate/handover.h>.
 */

#include <xen/compile.h>
#include <xen/stringify.h>

#define LU_FORMAT_VERSION 1
#define LU_FORMAT_OLDEST  1

        .set    .Lhas, 0x80000000       /* LU_HAS_KNOWN */
#define LU_FEATURE(bit, option, name, use) \
        .set    .Lhas, .Lhas | (IS_ENABLED(CONFIG_##option) << bit);
#include <xen-liveupdate/features.def>

        .section .note.Xen, "a", @note
        .balign 4
        .long   .Lname_end - .Lname
        .long   .Ldesc_end - .Ldesc
        .long   1                       /* LU_NOTE_TYPE */
.Lname: .asciz  "XenLiveUpdate"         /* LU_NOTE_NAME */
.Lname_end:
        .balign 4
.Ldesc: .short  LU_FORMAT_VERSION
        .short  LU_FORMAT_OLDEST
        .long   .Lhas                   /* flags */
        .quad   16 << 20                /* slot_min */
.Lversion:
        .ascii  __stringify(XEN_VERSION)
        .ascii  "."
        .ascii  __stringify(XEN_SUBVERSION)
        .asciz  XEN_EXTRAVERSION
        .fill   32 - (. - .Lversion), 1, 0
.Lchangeset:
        .asciz  XEN_CHANGESET
        .fill   64 - (. - .Lchangeset), 1, 0
.Ldesc_end:
        .balign 4
