/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Start of a PVH guest kernel, and the ways into it: exceptions, events, NMI. Long mode with the first
 * 4 GiB mapped one to one.
 */
#include <xen/elfnote.h>

#define STACK_SIZE 16384 /* and aligned to that; see this_vcpu() */

#define CS 0x08
#define DS 0x10

#define CR0_PE_WP_PG    0x80010001
#define CR4_PAE_SSE     0x620
#define MSR_EFER        0xc0000080
#define EFER_LME        0x100

    .pushsection .note.Xen, "a", @note
    .balign 4
    .long 2f - 1f, 4f - 3f, XEN_ELFNOTE_PHYS32_ENTRY
1:  .asciz "Xen"
2:  .balign 4
3:  .long _start
4:  .balign 4
    .popsection

    .text
    .code32
    .globl _start
_start:
    cld
    movl %ebx, start_info_address
    movl $boot_l4, %eax
    movl %eax, %cr3
    movl $CR4_PAE_SSE, %eax
    movl %eax, %cr4
    movl $MSR_EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    wrmsr
    movl $CR0_PE_WP_PG, %eax
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $CS, $start64

    .code64
start64:
    leaq stacks + STACK_SIZE(%rip), %rsp
    call load_segments
    xorl %ebp, %ebp
    call pvh_main
    ud2

/* A secondary vCPU starts here, in long mode, on its own stack. */
    .globl secondary_start
secondary_start:
    cld
    lgdt gdt_pointer(%rip)
    call load_segments
    lidt idt_pointer(%rip)
    xorl %ebp, %ebp
    call secondary_main
    ud2

load_segments:
    popq %rax
    movl $DS, %ecx
    movl %ecx, %ds
    movl %ecx, %es
    movl %ecx, %ss
    pushq $CS
    pushq %rax
    lretq

.macro arrive
.endm

.macro leave
    iretq
.endm

#include "entry.inc"

    .balign 4096
    .globl hypercall_page
hypercall_page:
    .skip 4096

    .data
    .balign 4096
    .globl boot_l4
boot_l4:
    .quad boot_l3 + 0x7
    .skip 4096 - 8
boot_l3:
    .quad boot_l2 + 0x7, boot_l2 + 0x1007, boot_l2 + 0x2007, boot_l2 + 0x3007
    .skip 4096 - 32
boot_l2:
    .set address, 0
    .rept 2048
    .quad address + 0xe7    /* present, writable, accessed, dirty, 2 MiB */
    .set address, address + 0x200000
    .endr

    .globl start_info_address
start_info_address:
    .quad 0

gdt:
    .quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_end:
    .balign 8
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

    .globl idt
    .balign 8
    .globl idt_pointer
idt_pointer:
    .word 4095
    .quad idt

    .bss
    .balign 4096
idt:
    .skip 4096
    .balign STACK_SIZE
    .globl stacks
stacks:
    .skip STACK_SIZE * 8

    .section .note.GNU-stack, "", @progbits
