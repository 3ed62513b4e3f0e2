/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: what a CPU takes up again when it comes back to the source
 * (arch/x86/liveupdate/back.c and back_entry.S).
 */
#ifndef __ASM_X86_LIVEUPDATE_BACK_H__
#define __ASM_X86_LIVEUPDATE_BACK_H__

#define LU_CTX_apic_id 0
#define LU_CTX_rip     8
#define LU_CTX_rsp     16
#define LU_CTX_rbp     24
#define LU_CTX_rbx     32
#define LU_CTX_r12     40
#define LU_CTX_r13     48
#define LU_CTX_r14     56
#define LU_CTX_r15     64
#define LU_CTX_cr0     72
#define LU_CTX_cr3     80
#define LU_CTX_cr4     88
#define LU_CTX_sizeof  96

#ifndef __ASSEMBLY__

#include <xen/types.h>

struct liveupdate_context {
    uint32_t apic_id;
    uint64_t rip, rsp, rbp, rbx, r12, r13, r14, r15;
    uint64_t cr0, cr3, cr4;
};

/*
 * Returns false; and once more, with true, when the CPU comes back.  The caller
 * must not have returned by then.
 */
bool liveupdate_back_point(struct liveupdate_context *ctx)
    __attribute__ ((__returns_twice__));

/*
 * Where a CPU begins that is started by this Xen (real mode): what is put below
 * 1 MiB, and in it what the CPU needs to know.
 */
extern const char liveupdate_back_start[], liveupdate_back_start_end[];
extern const char liveupdate_back_start_args[];

struct liveupdate_start_args {
    uint32_t cr3, efer;
    uint32_t entry;             /* machine address of liveupdate_back_entry() */
    uint32_t apic_id;
};

#endif /* __ASSEMBLY__ */

#endif /* __ASM_X86_LIVEUPDATE_BACK_H__ */
