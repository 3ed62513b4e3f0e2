/* SPDX-License-Identifier: GPL-2.0-only */
/* Hypercalls, through the page that Xen or its loader has filled in. */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#include <stdint.h>

#include <xen/xen.h>
#include <xen/callback.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

extern char hypercall_page[];

static inline long hypercall5(unsigned int nr, unsigned long a1, unsigned long a2, unsigned long a3,
                              unsigned long a4, unsigned long a5)
{
    register unsigned long r10 asm("r10") = a4;
    register unsigned long r8 asm("r8") = a5;
    long rc;

    asm volatile("call *%[entry]"
                 : "=a"(rc), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
                 : [entry] "b"(hypercall_page + nr * 32)
                 : "rcx", "r11", "memory", "cc");
    return rc;
}

#define HYPERCALL_ARGS(nr, a1, a2, a3, a4, a5, ...)                               \
    hypercall5(nr, (unsigned long)(a1), (unsigned long)(a2), (unsigned long)(a3), \
               (unsigned long)(a4), (unsigned long)(a5))
/* hypercall(console_io, CONSOLEIO_write, n, text): up to five arguments. */
#define hypercall(name, ...) HYPERCALL_ARGS(__HYPERVISOR_##name, __VA_ARGS__, 0, 0, 0, 0, 0)

#endif
