/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test kernel is made of. A test sets one thing up, says that it is ready, runs on through a
 * live update, and looks whether the thing is unharmed; then the same once more for the next update.
 *
 * All memory is static and mapped one to one, at its pseudo-physical address. There are no threads:
 * each vCPU runs one function. Events are masked (as for interrupts) until events_on().
 */
#ifndef GUEST_H
#define GUEST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypercall.h"

#define PAGE_SIZE     4096UL
#define PAGE_MASK     (~(PAGE_SIZE - 1))
#define page_aligned  __attribute__((aligned(4096)))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NS_PER_MS     1000000L
#define NS_PER_SEC    1000000000L
#define MAX_VCPUS     8

#define barrier()   asm volatile("" ::: "memory")
#define mb()        asm volatile("mfence" ::: "memory")
#define cpu_relax() asm volatile("pause" ::: "memory")
/* Reads a variable that Xen or another vCPU changes. */
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* --- What a test provides --- */

void setup(void);                /* on vCPU 0, before the first update */
void during(void);               /* again and again until the update is over; default: idle() */
void verify(unsigned int round); /* after the update; also prepares for the next one */

/* --- What it says: lines on the console --- */

void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Notes a failure of this round; the first one's text becomes the reason. */
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Ends the test: there is no use in going on. */
_Noreturn void give_up(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* expect(condition, text...): a check; require(): without it the test ends. */
#define expect(cond, ...)  ((cond) ? true : (fail(__VA_ARGS__), false))
#define require(cond, ...) ((cond) ? (void)0 : give_up(__VA_ARGS__))

/* The words that the toolstack gave it: those of xl's "extra" or "cmdline". */
extern const char *command_line;
/* The console's event channel, and that it is another one now. */
unsigned int console_channel(void);
void set_console_channel(unsigned int port);
/* Is the update over? No hypercall is made as long as it is not. */
bool update_is_over(void);
/* The word that changes just before: for loops that do not want to call a function. */
const uint32_t *console_input(void);

/* --- Printing, without a console --- */

int format(char *buf, size_t size, const char *fmt, va_list ap);
void *memset(void *s, int c, size_t n);
void *memcpy(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);

/* --- vCPUs --- */

extern struct shared_info *shared_info;
extern struct vcpu_info *vcpu_infos[MAX_VCPUS];

unsigned int this_vcpu(void);
/* Initialises a vCPU to run a function, which must not return, and brings it up. */
void start_vcpu(unsigned int vcpu, void (*function)(void));
long init_vcpu(unsigned int vcpu, void (*function)(void));

/* Runs function(arg); returns the exception that it ended with, or -1. */
int catch_trap(void (*function)(void *), void *arg);
/* The handler of NMIs on vCPU 0, once it has been registered. */
void on_nmi(void);
long register_nmi(void);

/* Handles an exception and returns true, if the test has one to handle. Default: false. */
struct trap_frame;
bool handle_trap(struct trap_frame *f);

struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error_code;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* --- Events --- */

#define NR_2L_PORTS 4096
extern unsigned int event_count[MAX_VCPUS][NR_2L_PORTS]; /* how often a vCPU has met a port */

void on_events(void);             /* the upcall */
extern void (*scan_events)(void); /* finds and counts events; default: by the 2-level ABI */
void scan_events_2l(void);

void events_on(void); /* also takes what is pending */
void events_off(void);

bool port_pending(unsigned int port);
bool port_masked(unsigned int port);
void set_port_pending(unsigned int port, bool on);
void set_port_masked(unsigned int port, bool on);
long unmask_port(unsigned int port); /* by hypercall */

long alloc_unbound(unsigned int remote_domid); /* these return a port, or an error */
long bind_interdomain(unsigned int domid, unsigned int port);
long bind_virq(unsigned int virq, unsigned int vcpu);
long bind_ipi(unsigned int vcpu);
long bind_vcpu(unsigned int port, unsigned int vcpu);
long close_port(unsigned int port);
long send_port(unsigned int port);
long port_status(unsigned int port, struct evtchn_status *status);

/* This domain's id, which Xen tells of an event channel to oneself only. */
unsigned int own_domid(void);

/* --- Time --- */

int64_t now(void); /* system time in ns */
void idle(void);   /* gives the CPU away for some milliseconds */
void block(void);  /* until an event comes; returns with events masked again */
/* Waits until the condition holds, but not longer. */
#define wait_until(seconds, cond)                    \
    ({                                               \
        int64_t end_ = now() + (seconds)*NS_PER_SEC; \
        bool met_;                                   \
        while (!(met_ = (cond)) && now() < end_)     \
            idle();                                  \
        met_;                                        \
    })

/* --- Memory --- */

static inline unsigned long pfn_of(const volatile void *p)
{
    return (unsigned long)p / PAGE_SIZE;
}

unsigned long mfn_of(const volatile void *p);
/* What Xen takes for a frame of this guest. */
unsigned long gfn_of(const volatile void *p);

/* --- Grants --- */

/* Provides the first frames of the grant table, and of the status words of version 2, in place of pages. */
long map_grant_table(void *pages, unsigned int nr);
long map_grant_status(void *pages, unsigned int nr);
long set_grant_version(unsigned int version);

/* Maps a grant, or unmaps it: GNTST_*, or an error. */
int map_grant(void *p, unsigned int domid, unsigned int ref, unsigned int flags,
              grant_handle_t *handle);
int unmap_grant(void *p, grant_handle_t handle);
/* Copies from a grant of this domain into a page of its own. */
int copy_grant(unsigned int ref, unsigned int offset, void *to, unsigned int bytes);

#endif
