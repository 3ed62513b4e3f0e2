/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first instructions after the jump.
 *
 * Xen enters here in 32-bit protected mode with paging off, flat segments and
 * interrupts disabled (arch/x86/x86_64/kexec_reloc.S), and Xen's own entry point
 * wants to be entered as by a multiboot2 loader ("Multiboot2 Specification",
 * 3.5).  Registers are undefined, so both addresses are put into the code by
 * whoever places it (plan.c); it then runs from any address.
 */

#include "multiboot2.h"

        .section .rodata.lu_entry32, "a", @progbits
        .code32

        .globl lu_entry32, lu_entry32_mbi, lu_entry32_xen, lu_entry32_end
        .hidden lu_entry32, lu_entry32_mbi, lu_entry32_xen, lu_entry32_end

lu_entry32:
        cli
        cld
        .byte   0xbb            /* movl $<multiboot2 information>, %ebx */
lu_entry32_mbi:
        .long   0
        .byte   0xb9            /* movl $<Xen's entry point>, %ecx */
lu_entry32_xen:
        .long   0
        movl    $MB2_BOOT_MAGIC, %eax
        jmp     *%ecx
lu_entry32_end:

        .section .note.GNU-stack, "", @progbits
