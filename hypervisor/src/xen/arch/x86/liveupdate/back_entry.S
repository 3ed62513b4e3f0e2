/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: where a CPU comes back to the source (back.c).
 *
 * Like a resume from S3, but that no memory was lost and that nothing else has
 * stopped: what has to be put back is what a CPU holds.
 */

        .file __FILE__

#include <asm/asm_defns.h>
#include <asm/liveupdate-back.h>
#include <asm/msr-index.h>
#include <asm/page.h>
#include <asm/processor.h>

        .text
        .code64

/* Xen's own macro for this has another name in each release. */
        .macro  function name
        .balign 16
        .globl  \name
        .type   \name, @function
\name:
        .endm

/*
 * bool liveupdate_back_point(struct liveupdate_context *ctx)
 *
 * Returns false; and once more, with true, when the CPU comes back.  As with
 * setjmp(), the caller must not have returned by then.
 */
        function liveupdate_back_point
        mov     (%rsp), %rax
        mov     %rax, LU_CTX_rip(%rdi)
        lea     8(%rsp), %rax
        mov     %rax, LU_CTX_rsp(%rdi)
        mov     %rbp, LU_CTX_rbp(%rdi)
        mov     %rbx, LU_CTX_rbx(%rdi)
        mov     %r12, LU_CTX_r12(%rdi)
        mov     %r13, LU_CTX_r13(%rdi)
        mov     %r14, LU_CTX_r14(%rdi)
        mov     %r15, LU_CTX_r15(%rdi)
        mov     %cr0, %rax
        mov     %rax, LU_CTX_cr0(%rdi)
        mov     %cr3, %rax
        mov     %rax, LU_CTX_cr3(%rdi)
        mov     %cr4, %rax
        mov     %rax, LU_CTX_cr4(%rdi)

        xor     %eax, %eax
        RET

/*
 * The target's page tables are loaded, and map this code at its machine address.
 * EDI: the local APIC id.  Nothing else is as this Xen has left it.
 */
        function liveupdate_back_entry
        ENDBR64
        cli
        cld

        /* This Xen's page tables have NX set. */
        mov     $MSR_EFER, %ecx
        mov     liveupdate_back_efer(%rip), %eax
        xor     %edx, %edx
        wrmsr

        /* Its own, with the same mapping. */
        mov     liveupdate_back_cr3(%rip), %rax
        mov     %rax, %cr3
        movabs  $.Lmapped, %rax
        jmp     *%rax

.Lmapped:
        lgdt    boot_gdtr(%rip)

        mov     $__HYPERVISOR_DS64, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %fs
        mov     %eax, %gs
        mov     %eax, %ss

        /* Which CPU is this? */
        mov     liveupdate_contexts(%rip), %rbx
        mov     liveupdate_nr_contexts(%rip), %ecx
.Lnext: test    %ecx, %ecx
        jz      .Lnone
        cmp     %edi, LU_CTX_apic_id(%rbx)
        je      .Lfound
        add     $LU_CTX_sizeof, %rbx
        dec     %ecx
        jmp     .Lnext

        /* One that never left. */
.Lnone: hlt
        jmp     .Lnone

.Lfound:
        mov     LU_CTX_cr0(%rbx), %rax
        mov     %rax, %cr0
        mov     LU_CTX_rsp(%rbx), %rsp

        /* Reload the code selector. */
        pushq   $__HYPERVISOR_CS
        lea     1f(%rip), %rax
        pushq   %rax
        lretq
1:
        mov     LU_CTX_cr3(%rbx), %rax
        mov     %rax, %cr3
        call    load_system_tables
        mov     LU_CTX_cr4(%rbx), %rax
        mov     %rax, %cr4

        mov     %rbx, %rdi
        mov     LU_CTX_rbp(%rdi), %rbp
        mov     LU_CTX_rbx(%rdi), %rbx
        mov     LU_CTX_r12(%rdi), %r12
        mov     LU_CTX_r13(%rdi), %r13
        mov     LU_CTX_r14(%rdi), %r14
        mov     LU_CTX_r15(%rdi), %r15
        pushq   LU_CTX_rip(%rdi)
        mov     $1, %eax
        RET

/*
 * A CPU that the target has left behind is started here, from a copy in a page below
 * 1 MiB: from real mode to liveupdate_back_entry(), with the page tables of this
 * Xen's that map the first 4 GiB one to one.  CR0.CD and NW are left to that, too.
 */
#define START(label) ((label) - liveupdate_back_start)

        .balign 16
        .globl  liveupdate_back_start
liveupdate_back_start:
        .code16
        cli
        cld
        mov     %cs, %ax
        mov     %ax, %ds
        movzwl  %ax, %ebx
        shl     $4, %ebx

        add     %ebx, START(.Lgdt_base)
        add     %ebx, START(.Lto32)
        add     %ebx, START(.Lto64)

        lgdtl   START(.Lgdtr)
        mov     %cr0, %eax
        or      $X86_CR0_PE, %eax
        mov     %eax, %cr0
        ljmpl   *START(.Lto32)

        .code32
.Lstart32:
        mov     $0x18, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss

        mov     $X86_CR4_PAE, %eax
        mov     %eax, %cr4
        mov     START(.Lcr3)(%ebx), %eax
        mov     %eax, %cr3
        /* LMA is the CPU's to set. */
        mov     $MSR_EFER, %ecx
        mov     START(.Lefer)(%ebx), %eax
        and     $~EFER_LMA, %eax
        xor     %edx, %edx
        wrmsr
        mov     %cr0, %eax
        or      $X86_CR0_PG, %eax
        mov     %eax, %cr0
        ljmpl   *START(.Lto64)(%ebx)

        .code64
.Lstart64:
        mov     START(.Lentry)(%rbx), %eax
        mov     START(.Lapic_id)(%rbx), %edi
        jmp     *%rax

        .balign 8
.Lgdt:  .quad   0
        .quad   0x00cf9b000000ffff      /* 0x08: code, 32 bits */
        .quad   0x00af9b000000ffff      /* 0x10: code, 64 bits */
        .quad   0x00cf93000000ffff      /* 0x18: data */
.Lgdtr: .word   .Lgdtr - .Lgdt - 1
.Lgdt_base:
        .long   START(.Lgdt)
        .balign 4
.Lto32: .long   START(.Lstart32)
        .word   0x08
        .balign 4
.Lto64: .long   START(.Lstart64)
        .word   0x10
        .balign 4
        .globl  liveupdate_back_start_args
liveupdate_back_start_args:
.Lcr3:  .long   0
.Lefer: .long   0
.Lentry:
        .long   0
.Lapic_id:
        .long   0
        .globl  liveupdate_back_start_end
liveupdate_back_start_end:
