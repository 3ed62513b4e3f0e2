/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared by the test programs: they run until SIGTERM and keep a file of
 * "key=value" words up to date for the scenario to read.
 */
#ifndef BED_COMMON_H
#define BED_COMMON_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SEC 1000000000LL

static volatile sig_atomic_t stop_requested;

static inline void on_sigterm(int sig)
{
    (void)sig;
    stop_requested = 1;
}

/* No SA_RESTART: a blocking call returns, so that the loop sees the request. */
static inline void stop_on_sigterm(void)
{
    struct sigaction sa = {.sa_handler = on_sigterm};

    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
}

/* A busy program in the background: it gets what others leave, so that what looks at it need not wait for it. */
static inline void run_behind_others(void)
{
    stop_on_sigterm();
    setpriority(PRIO_PROCESS, 0, 19);
}

static inline int64_t now_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* Replaces the status file in one step: a reader never sees half of it. */
__attribute__((format(printf, 2, 3))) static inline void write_status(const char *path,
                                                                      const char *fmt, ...)
{
    char tmp[4096];
    va_list ap;
    FILE *f;

    snprintf(tmp, sizeof(tmp), "%s.new", path);
    f = fopen(tmp, "w");
    if (!f)
        return;
    va_start(ap, fmt);
    vfprintf(f, fmt, ap);
    va_end(ap);
    fclose(f);
    rename(tmp, path);
}

/* splitmix64: the value at a position of a pseudo-random sequence. */
static inline uint64_t random_at(uint64_t seed, uint64_t pos)
{
    uint64_t z = seed + (pos + 1) * 0x9e3779b97f4a7c15ULL;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}

/* Bytes of that sequence from a position on, counted in bytes. */
static inline void random_bytes(uint8_t *buf, size_t n, uint64_t seed, uint64_t pos)
{
    uint64_t word = random_at(seed, pos / 8) >> (pos % 8 * 8);

    for (size_t i = 0; i < n; i++, pos++) {
        if (pos % 8 == 0)
            word = random_at(seed, pos / 8);
        buf[i] = word;
        word >>= 8;
    }
}

static inline _Noreturn void usage(const char *text)
{
    fprintf(stderr, "usage: %s\n", text);
    exit(2);
}

#endif
