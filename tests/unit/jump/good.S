/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A jump that every CPU takes: what "test" plants its errors in.  It has the
 * names and the shape that "check" looks for, and is never run.
 */
        .text
        .globl kexec_reloc, kexec_reloc_end, machine_kexec
        .balign 4096
kexec_reloc:
        .code64
        movq    %rcx, %rbp
        lidt    no_idt(%rip)
        leaq    (stack_end - kexec_reloc)(%rdi), %rsp
        movq    %rsi, %cr3
        leaq    (1f - kexec_reloc)(%rdi), %rax
        jmpq    *%rax
1:      movq    %cr0, %rax
        andl    $0xfffafff3, %eax
        orl     $0x80000001, %eax
        movq    %rax, %cr0
        movl    $0x20, %eax
        movq    %rax, %cr4
        leaq    gdt(%rip), %rax
        movq    %rax, (gdt_desc + 2)(%rip)
        lgdt    gdt_desc(%rip)
        leal    entry32(%rip), %eax
        movl    %eax, far_pointer(%rip)
        ljmp    *far_pointer(%rip)

        .code32
entry32:
        movl    $0x0008, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    %cr0, %eax
        andl    $0x7fffffff, %eax
        movl    %eax, %cr0
        movl    $0xc0000080, %ecx
        rdmsr
        andl    $0xfffffeff, %eax
        wrmsr
        xorl    %eax, %eax
        movl    %eax, %cr4
        call    *%ebp
        ud2

        .macro object name
        .type \name, @object
        .size \name, . - \name
        .endm

        .balign 4
far_pointer:
        .long 0
        .word 0x0010
        object far_pointer
gdt_desc:
        .word 23
        .quad 0
        object gdt_desc
no_idt: .word 0
        .quad 0
        object no_idt
        .balign 8
gdt:    .quad 0
        .quad 0x00cf93000000ffff        /* 0x08: data */
        .quad 0x00cf9b000000ffff        /* 0x10: code */
        object gdt
        .balign 8
stack:  .fill 16, 8, 0
stack_end:
        object stack
kexec_reloc_end:

        .code64
machine_kexec:
        ret
        .size machine_kexec, . - machine_kexec
