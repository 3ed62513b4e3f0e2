/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A live patch for Xen that changes nothing: what every payload must have (docs/misc/livepatch.pandoc in Xen), and
 * a load hook, which is never called, as the payload is never applied. The build id that it depends on is filled
 * in by `provoke live-patch`.
 */
#define NT_GNU_BUILD_ID 3
#define ID_SIZE         20
/* Known to provoke.c. */
#define XEN_ID          0xa5

.macro build_id section, byte
    .section \section, "a", @note
    .balign 4
    .long 4, ID_SIZE, NT_GNU_BUILD_ID
    .asciz "GNU"
    .fill ID_SIZE, 1, \byte
.endm

    build_id .note.gnu.build-id, 0x5a
    build_id .livepatch.depends, XEN_ID
    build_id .livepatch.xen_depends, XEN_ID

    .text
nothing:
    ret
    .size nothing, . - nothing
    .type nothing, @function

    .section .livepatch.hooks.load, "a", @progbits
    .balign 8
    .quad nothing

    .section .note.GNU-stack, "", @progbits
