/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tscpair: what the TSC and the clock say at one moment.
 *
 * The clock is CLOCK_MONOTONIC_RAW, which is the kernel's clock source with nothing
 * adjusted. Read a thousand times, with the TSC before and after; the reading with
 * the least between is taken. Printed:
 *   tsc      the TSC in the middle of it
 *   raw_ns   the clock
 *   ticks    how many ticks of the TSC it took
 */
#include "common.h"

#include <x86intrin.h>

#define READINGS 1000

int main(void)
{
    uint64_t best = UINT64_MAX, tsc = 0;
    int64_t raw = 0;

    for (int i = 0; i < READINGS; i++) {
        uint64_t before = __rdtsc();
        int64_t now = now_ns(CLOCK_MONOTONIC_RAW);
        uint64_t took = __rdtsc() - before;

        if (took < best) {
            best = took;
            tsc = before + took / 2;
            raw = now;
        }
    }
    printf("tsc=%llu raw_ns=%lld ticks=%llu\n", (unsigned long long)tsc, (long long)raw,
           (unsigned long long)best);
    return 0;
}
