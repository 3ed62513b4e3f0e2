/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * memsum SEED STATUS [MIB PAUSE_MS]: holds 64 (or MIB) MiB of known memory and known FPU registers.
 *
 * Every pass loads x87, SSE and (if there is AVX) the upper halves of the AVX
 * registers with patterns, sums the memory with integer instructions only, and
 * reads the registers back. Reported: passes, memory_errors, register_errors,
 * avx (1 if the AVX part was checked), first_error. It rests PAUSE_MS milliseconds between passes.
 */
#include "common.h"

#include <cpuid.h>
#include <immintrin.h>
#include <stdbool.h>
#include <stddef.h>

#define DEFAULT_MIB   64
#define WORDS_PER_MIB (1024UL * 1024 / sizeof(uint64_t))

static size_t words;

/* XSAVE's standard format; Intel SDM vol. 1, 10.5.1 and 13.4 (FXSAVE is its start). */
struct fpu_area {
    uint16_t fcw, fsw;
    uint8_t ftw, rsvd;
    uint8_t last_instruction[18];
    uint32_t mxcsr, mxcsr_mask;
    struct {
        uint8_t bytes[10], pad[6];
    } st[8];
    uint8_t xmm[16][16];
    uint8_t unused[96];
    uint64_t xstate_bv, xcomp_bv, header[6];
    uint8_t ymm_high[16][16];
} __attribute__((aligned(64)));

_Static_assert(offsetof(struct fpu_area, xmm) == 160, "FXSAVE layout");
_Static_assert(offsetof(struct fpu_area, xstate_bv) == 512, "XSAVE layout");
_Static_assert(offsetof(struct fpu_area, ymm_high) == 576, "XSAVE layout");

#define XSTATE_X87_SSE_AVX 7
#define FCW_PATTERN        0x0f7f /* all exceptions masked, extended precision, round to zero */
#define MXCSR_PATTERN      0xffc0 /* all exceptions masked, round to zero, FTZ, DAZ */

/* The CPU has it, and who runs us has it enabled: a PV guest's processes see the host's CPUID. */
static bool has_avx(void)
{
    unsigned int a, b, c, d;

    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
        return false;
    asm volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    return (a & XSTATE_X87_SSE_AVX) == XSTATE_X87_SSE_AVX;
}

static void fill_pattern(struct fpu_area *area, uint64_t seed)
{
    uint8_t *xmm = &area->xmm[0][0], *ymm = &area->ymm_high[0][0];

    memset(area, 0, sizeof(*area));
    area->fcw = FCW_PATTERN;
    area->ftw = 0xff;
    area->mxcsr = MXCSR_PATTERN;
    area->xstate_bv = XSTATE_X87_SSE_AVX;
    for (unsigned int i = 0; i < 8; i++)
        for (unsigned int j = 0; j < 10; j++)
            area->st[i].bytes[j] = random_at(seed, 1000 + i * 10 + j);
    for (unsigned int i = 0; i < sizeof(area->xmm); i++)
        xmm[i] = random_at(seed, 2000 + i);
    for (unsigned int i = 0; i < sizeof(area->ymm_high); i++)
        ymm[i] = random_at(seed, 3000 + i);
}

/* The sum of the memory, with the FPU registers holding `in` all the while. */
__attribute__((noinline, target("general-regs-only"))) static uint64_t sum_holding(
    const uint64_t *mem, const struct fpu_area *in, struct fpu_area *out, bool avx)
{
    const uint32_t mxcsr = 0x1f80;
    uint64_t sum = 0;

    if (avx)
        asm volatile("xrstor64 %0" ::"m"(*in), "a"(XSTATE_X87_SSE_AVX), "d"(0));
    else
        asm volatile("fxrstor64 %0" ::"m"(*in));

    for (size_t i = 0; i < words; i++)
        sum = (sum << 7 | sum >> 57) + mem[i];

    if (avx)
        asm volatile("xsave64 %0" : "+m"(*out) : "a"(XSTATE_X87_SSE_AVX), "d"(0));
    else
        asm volatile("fxsave64 %0" : "+m"(*out));
    asm volatile("fninit; ldmxcsr %0" ::"m"(mxcsr));
    if (avx)
        asm volatile("vzeroupper");
    return sum;
}

static const char *register_difference(const struct fpu_area *a, const struct fpu_area *b, bool avx)
{
    if (a->fcw != b->fcw || a->ftw != b->ftw)
        return "x87-control";
    if (a->mxcsr != b->mxcsr)
        return "mxcsr";
    for (unsigned int i = 0; i < 8; i++)
        if (memcmp(a->st[i].bytes, b->st[i].bytes, sizeof(a->st[i].bytes)))
            return "x87-register";
    if (memcmp(a->xmm, b->xmm, sizeof(a->xmm)))
        return "xmm";
    if (avx && memcmp(a->ymm_high, b->ymm_high, sizeof(a->ymm_high)))
        return "ymm";
    return NULL;
}

static void report(const char *path, unsigned long long passes, unsigned long long memory_errors,
                   unsigned long long register_errors, bool avx, const char *first)
{
    write_status(path,
                 "passes=%llu memory_errors=%llu register_errors=%llu avx=%d first_error=%s\n",
                 passes, memory_errors, register_errors, avx, first);
}

int main(int argc, char **argv)
{
    static struct fpu_area in, out;
    uint64_t *mem, seed, expected = 0;
    unsigned long long passes = 0, memory_errors = 0, register_errors = 0;
    const char *first = "none";
    bool avx = has_avx();
    useconds_t pause_us;

    if (argc != 3 && argc != 5)
        usage("memsum SEED STATUS [MIB PAUSE_MS]");
    run_behind_others();
    words = WORDS_PER_MIB * (argc == 5 ? strtoul(argv[3], NULL, 0) : DEFAULT_MIB);
    pause_us = argc == 5 ? 1000 * strtoul(argv[4], NULL, 0) : 0;
    seed = strtoull(argv[1], NULL, 0);
    mem = malloc(words * sizeof(*mem));
    if (!mem) {
        perror("memsum");
        return 1;
    }
    for (size_t i = 0; i < words; i++) {
        mem[i] = random_at(seed, i);
        expected = (expected << 7 | expected >> 57) + mem[i];
    }
    fill_pattern(&in, seed);
    /* The first pass may take long, behind others. */
    report(argv[2], 0, 0, 0, avx, first);

    while (!stop_requested) {
        const char *difference;

        memset(&out, 0, sizeof(out));
        if (sum_holding(mem, &in, &out, avx) != expected) {
            memory_errors++;
            first = memory_errors + register_errors == 1 ? "memory" : first;
        }
        difference = register_difference(&in, &out, avx);
        if (difference) {
            register_errors++;
            first = memory_errors + register_errors == 1 ? difference : first;
        }
        passes++;
        report(argv[2], passes, memory_errors, register_errors, avx, first);
        usleep(pause_us);
    }
    return memory_errors || register_errors;
}
