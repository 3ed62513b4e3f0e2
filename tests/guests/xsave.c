/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Extended state that is enabled in part: x87 alone in XCR0, and SSE in use all the same, as CR4.OSFXSR is set. (A CPU
 * without XSAVE has nothing to hold.)
 */
/* guest: vcpus=1 */
#include "lib/pvh.h"

#define CPUID_1_ECX_XSAVE (1U << 26)
#define CR0_EM            (1UL << 2)
#define CR0_TS            (1UL << 3)
#define CR4_OSFXSR        (1UL << 9)
#define CR4_OSXSAVE       (1UL << 18)
#define XCR0_X87          1U

static const uint64_t pattern[2] = {0x0123456789abcdef, 0xfedcba9876543210};
static bool has_xsave;

static bool cpu_has_xsave(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;

    asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ecx & CPUID_1_ECX_XSAVE;
}

void setup(void)
{
    unsigned long cr;

    has_xsave = cpu_has_xsave();
    if (!has_xsave)
        return;

    asm volatile("mov %%cr0, %0" : "=r"(cr));
    asm volatile("mov %0, %%cr0" ::"r"(cr & ~(CR0_EM | CR0_TS)));
    asm volatile("mov %%cr4, %0" : "=r"(cr));
    asm volatile("mov %0, %%cr4" ::"r"(cr | CR4_OSFXSR | CR4_OSXSAVE));
    asm volatile("xsetbv" ::"c"(0), "a"(XCR0_X87), "d"(0));
    asm volatile("movdqu %0, %%xmm7" ::"m"(pattern));
}

void verify(unsigned int round)
{
    uint32_t low, high;
    uint64_t seen[2];

    (void)round;
    if (!has_xsave)
        return;

    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    expect(low == XCR0_X87 && !high, "XCR0 is %u", low);
    asm volatile("movdqu %%xmm7, %0" : "=m"(seen));
    expect(seen[0] == pattern[0] && seen[1] == pattern[1], "SSE registers are not what they were");
}
