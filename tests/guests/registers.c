/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers: vCPU 0 holds patterns in its general, x87 and SSE registers and looks at nothing but them
 * until the update is over. vCPU 1 holds what can be changed only by hypercall or by tables: debug
 * registers, segment bases, GDT, LDT, and that its next x87 instruction is to trap.
 */
/* guest: vcpus=2 */
#include "lib/pv.h"

/* --- vCPU 0: patterns --- */

static struct {
    uint64_t general[11]; /* rbx rcx rdx rdi r8 to r14 */
    uint64_t r15;
    uint8_t sse[16][16];
    uint8_t fx[2][512] __attribute__((aligned(16))); /* before and after */
    uint64_t flags;
    uint32_t known;
} held, wanted;
_Static_assert(offsetof(__typeof__(held), fx) == 352 && offsetof(__typeof__(held), flags) == 1376,
               "spin() knows the offsets");

#define FLAG_DF 0x400UL
/* In what fxsave writes: control words and MXCSR; where the last x87 instruction was is not kept. */
#define FX_POINTERS     8
#define FX_POINTERS_END 24
#define FX_END          416

#define FOR_SSE(x) \
    x(0) x(1) x(2) x(3) x(4) x(5) x(6) x(7) x(8) x(9) x(10) x(11) x(12) x(13) x(14) x(15)
#define SSE_LOAD(n)  "movdqu 96+16*" #n "(%%rbp), %%xmm" #n "\n"
#define SSE_STORE(n) "movdqu %%xmm" #n ", 96+16*" #n "(%%rbp)\n"
#define FOR_GENERAL(x)                                                                      \
    x(0, rbx) x(1, rcx) x(2, rdx) x(3, rdi) x(4, r8) x(5, r9) x(6, r10) x(7, r11) x(8, r12) \
        x(9, r13) x(10, r14) x(11, r15)
#define GENERAL_LOAD(n, reg)  "mov 8*" #n "(%%rbp), %%" #reg "\n"
#define GENERAL_STORE(n, reg) "mov %%" #reg ", 8*" #n "(%%rbp)\n"

/* Until *word differs from held.known. rbp says where the patterns are; rax and rsi do the work. */
static void spin(const uint32_t *word)
{
    void *p = &held;

    asm volatile(
        "push %%rbp\n"
        "mov %%rax, %%rbp\n" FOR_SSE(SSE_LOAD) "fxsave 352(%%rbp)\n" FOR_GENERAL(
            GENERAL_LOAD) "std\n"
                          "1: mov (%%rsi), %%eax\n"
                          "cmp %%eax, 1384(%%rbp)\n"
                          "je 1b\n"
                          "pushfq\n"
                          "cld\n"
                          "popq 1376(%%rbp)\n" FOR_GENERAL(
                              GENERAL_STORE) "fxsave 864(%%rbp)\n" FOR_SSE(SSE_STORE) "pop %%rbp\n"
        : "+a"(p)
        : "S"(word)
        : "memory", "cc", "rbx", "rcx", "rdx", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
          "r15");
}

static void load_x87(void)
{
    static const uint16_t control = 0x0b7f; /* round up, 53 bits */
    static const uint32_t mxcsr = 0xdf80;   /* flush to zero, round up */
    static const double value = -1234.5678e-300;

    asm volatile("fninit; fldcw %0; fld1; fldpi; fldl2e; fldln2; fldl %1; fchs; ldmxcsr %2"
                 :
                 : "m"(control), "m"(value), "m"(mxcsr));
}

static void fill_patterns(void)
{
    uint64_t x = 0x9e3779b97f4a7c15;

    for (unsigned int i = 0; i < offsetof(__typeof__(held), fx) / 8;
         i++, x = x * 6364136223846793005 + 1)
        ((uint64_t *)&held)[i] = x;
    wanted = held;
}

/* The console's ring tells that the update is over; it is looked at without leaving the patterns. */
void during(void)
{
    fill_patterns();
    load_x87();
    held.known = READ_ONCE(*console_input());
    spin(console_input());

    for (unsigned int i = 0; i < 12; i++)
        expect(((uint64_t *)&held)[i] == ((uint64_t *)&wanted)[i],
               "general register %u: %#lx, was %#lx", i, ((uint64_t *)&held)[i],
               ((uint64_t *)&wanted)[i]);
    for (unsigned int i = 0; i < 16; i++)
        expect(!memcmp(held.sse[i], wanted.sse[i], 16), "xmm%u has changed", i);
    for (unsigned int i = 0; i < FX_END; i++)
        if (i < FX_POINTERS || i >= FX_POINTERS_END)
            expect(held.fx[0][i] == held.fx[1][i], "x87/SSE state at %u: %#x, was %#x", i,
                   held.fx[1][i], held.fx[0][i]);
    expect(held.flags & FLAG_DF, "the direction flag is %#lx", held.flags);
}

/* --- vCPU 1: what belongs to Xen --- */

#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_SHADOW_GS_BASE 0xc0000102
#define FS_BASE            0x123456789000UL
#define GS_KERNEL          0x234567890000UL
#define GS_USER            0x7edcba987000UL

#define GDT_ENTRIES          1024
#define GDT_OWN              700 /* on the second page */
#define LDT_ENTRIES          600
#define LDT_LOADED           4   /* in use all the time */
#define LDT_LATER            580 /* on the second page, loaded only after the update */
#define SELECTOR(index, ldt) ((index) << 3 | ((ldt) ? 4 : 0) | 3)

/* Break at writes of 8 bytes, for breakpoints 0 and 1; 2 and 3 are not enabled. */
#define DR7 0x99990705UL

#define VECTOR_DB 1
#define VECTOR_UD 6
#define VECTOR_NM 7

static uint64_t gdt[2][512] page_aligned, ldt[2][512] page_aligned;
static uint64_t segment[512] page_aligned;
static uint64_t watched[4];
static unsigned int asked, answered;
static unsigned long trapped_dr6;

static uint64_t descriptor(void *p)
{
    uint64_t base = (uintptr_t)p;

    /* Data, for ring 3, writable, accessed; limit 4 GiB. */
    return 0x00cff3000000ffffUL | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
}

static uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;

    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static void load_tables(void)
{
    unsigned long frames[2] = {mfn_of(gdt[0]), mfn_of(gdt[1])};
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT,
                           .arg1.linear_addr = (uintptr_t)ldt,
                           .arg2.nr_ents = LDT_ENTRIES};
    long rc;

    segment[1] = 0x5e65e65e6;
    gdt[GDT_OWN / 512][GDT_OWN % 512] = descriptor(segment);
    ldt[0][LDT_LOADED] = descriptor(segment);
    ldt[LDT_LATER / 512][LDT_LATER % 512] = descriptor(segment);
    rc = make_readonly(gdt[0]) ?: make_readonly(gdt[1]) ?: make_readonly(ldt[0]) ?: make_readonly(ldt[1]);
    require(!rc, "tables cannot be made read-only: %ld", rc);
    rc = hypercall(set_gdt, frames, GDT_ENTRIES);
    require(!rc, "the GDT cannot be set: %ld", rc);
    rc = hypercall(mmuext_op, &op, 1, NULL, DOMID_SELF);
    require(!rc, "the LDT cannot be set: %ld", rc);
    asm volatile("mov %0, %%es" : : "r"(SELECTOR(LDT_LOADED, true)));
}

static void load_others(void)
{
    for (unsigned int i = 0; i < 4; i++)
        require(!hypercall(set_debugreg, i, &watched[i]), "debug register %u", i);
    require(!hypercall(set_debugreg, 6, 0) && !hypercall(set_debugreg, 7, DR7), "debug register 7");
    hypercall(set_segment_base, SEGBASE_FS, FS_BASE);
    hypercall(set_segment_base, SEGBASE_GS_KERNEL, GS_KERNEL);
    hypercall(set_segment_base, SEGBASE_GS_USER, GS_USER);
    hypercall(fpu_taskswitch, 1);
}

static void write_to(void *p)
{
    *(volatile uint64_t *)p = 1;
}

static void use_x87(void *p)
{
    (void)p;
    asm volatile("fninit");
}

static void undefined(void *p)
{
    (void)p;
    asm volatile("ud2");
}

static void verify_debug(void)
{
    for (unsigned int i = 0; i < 4; i++)
        expect(hypercall(get_debugreg, i) == (long)&watched[i], "DR%u is %#lx", i,
               hypercall(get_debugreg, i));
    expect((hypercall(get_debugreg, 7) & 0xffff03ff) == (DR7 & 0xffff03ff), "DR7 is %#lx",
           hypercall(get_debugreg, 7));
    expect(catch_trap(write_to, &watched[1]) == VECTOR_DB, "breakpoint 1 is not hit");
    trapped_dr6 = hypercall(get_debugreg, 6);
    expect((trapped_dr6 & 15) == 2, "DR6 is %#lx", trapped_dr6);
    expect(catch_trap(write_to, &watched[2]) == -1, "breakpoint 2, which is off, is hit");
}

static uint64_t read_by_fs(unsigned int selector)
{
    uint64_t value;

    asm volatile("mov %1, %%fs; mov %%fs:8, %0" : "=r"(value) : "r"(selector));
    return value;
}

static void verify_segments(void)
{
    unsigned int es;

    asm volatile("mov %%es, %0" : "=r"(es));
    expect(es == SELECTOR(LDT_LOADED, true), "ES is %#x", es);
    expect(read_msr(MSR_FS_BASE) == FS_BASE, "the base of FS is %#lx", read_msr(MSR_FS_BASE));
    expect(read_msr(MSR_GS_BASE) == GS_KERNEL, "the base of GS is %#lx", read_msr(MSR_GS_BASE));
    expect(read_msr(MSR_SHADOW_GS_BASE) == GS_USER, "the other base of GS is %#lx",
           read_msr(MSR_SHADOW_GS_BASE));
    expect(read_by_fs(SELECTOR(LDT_LATER, true)) == segment[1],
           "a segment of the LDT is another one");
    expect(read_by_fs(SELECTOR(GDT_OWN, false)) == segment[1],
           "a segment of the GDT is another one");
    expect(make_writable(ldt[0]) && make_writable(gdt[1]), "a table in use can be made writable");
}

/* Puts the tables away; nothing must refer to their pages then. */
static void drop_tables(void)
{
    struct mmuext_op op = {.cmd = MMUEXT_SET_LDT};
    long rc;

    asm volatile("mov %0, %%es; mov %0, %%fs" : : "r"(0));
    rc = hypercall(mmuext_op, &op, 1, NULL, DOMID_SELF) ?: hypercall(set_gdt, NULL, 0);
    expect(!rc, "tables cannot be taken out of use: %ld", rc);
    rc = make_writable(ldt[0]) ?: make_writable(ldt[1]) ?: make_writable(gdt[0]) ?: make_writable(gdt[1]);
    expect(!rc, "pages of tables cannot be made writable: %ld", rc);
}

static void second(void)
{
    for (;;) {
        load_tables();
        load_others();
        WRITE_ONCE(answered, asked);
        while (READ_ONCE(asked) == answered)
            idle();
        expect(catch_trap(use_x87, NULL) == VECTOR_NM, "the x87 instruction did not trap");
        expect(catch_trap(use_x87, NULL) == -1, "the second x87 instruction trapped");
        expect(catch_trap(undefined, NULL) == VECTOR_UD, "an undefined instruction did not trap");
        verify_debug();
        verify_segments();
        drop_tables();
    }
}

void setup(void)
{
    asked = 1;
    start_vcpu(1, second);
    require(wait_until(20, READ_ONCE(answered) == asked), "vCPU 1 does not start");
}

void verify(unsigned int round)
{
    (void)round;
    WRITE_ONCE(asked, asked + 1);
    expect(wait_until(20, READ_ONCE(answered) == asked), "vCPU 1 does not go on");
}
