/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Start of a PV guest kernel, and the ways into it: exceptions, events, NMI.
 * Virtual addresses equal pseudo-physical ones (VIRT_BASE is 0).
 */
#include <xen/elfnote.h>

#define STACK_SIZE      16384   /* and aligned to that; see this_vcpu() */
#define HYPERCALL_IRET  (hypercall_page + 23 * 32)

.macro note type, kind, value:vararg
    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 2f - 1f, 4f - 3f, \type
1:  .asciz "Xen"
2:  .balign 4
3:  \kind \value
4:  .balign 4
    .popsection
.endm

    note XEN_ELFNOTE_GUEST_OS,       .asciz, "live update test"
    note XEN_ELFNOTE_GUEST_VERSION,  .asciz, "1"
    note XEN_ELFNOTE_XEN_VERSION,    .asciz, "xen-3.0"
    note XEN_ELFNOTE_LOADER,         .asciz, "generic"
    note XEN_ELFNOTE_PAE_MODE,       .asciz, "yes"
    note XEN_ELFNOTE_VIRT_BASE,      .quad, 0
    note XEN_ELFNOTE_ENTRY,          .quad, _start
    note XEN_ELFNOTE_HYPERCALL_PAGE, .quad, hypercall_page

    .text
    .globl _start
_start:
    cld
    movq %rsi, start_info(%rip)
    leaq stacks + STACK_SIZE(%rip), %rsp
    xorl %ebp, %ebp
    call pv_main
    ud2

/* A secondary vCPU starts here, on its own stack. */
    .globl secondary_start
secondary_start:
    cld
    xorl %ebp, %ebp
    call secondary_main
    ud2

/* Xen has pushed the frame and, on top of it, two registers. Events are masked until iret. */
.macro arrive
    popq %rcx
    popq %r11
.endm

.macro leave
    pushq $0
    jmp HYPERCALL_IRET
.endm

#include "entry.inc"

/* A segment register could not be loaded on the way to the guest. */
    .globl failsafe_entry
failsafe_entry:
    andq $-16, %rsp
    call on_failsafe
    ud2

    .balign 4096
    .globl hypercall_page
hypercall_page:
    .skip 4096

    .bss
    .balign STACK_SIZE
    .globl stacks
stacks:
    .skip STACK_SIZE * 8

    .section .note.GNU-stack, "", @progbits
