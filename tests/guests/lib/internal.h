/* SPDX-License-Identifier: GPL-2.0-only */
/* What the library's files owe each other; start-*.S, pv.c and pvh.c know of a kind of guest. */
#ifndef GUEST_INTERNAL_H
#define GUEST_INTERNAL_H

#include "guest.h"

struct xencons_interface;

#define STACK_SIZE 16384
extern char stacks[MAX_VCPUS][STACK_SIZE];

/* In entry.inc and the start of each kind of guest. */
extern void *const trap_entries[20];
extern char event_entry[], nmi_entry[], secondary_start[];

/* What a vCPU runs; init_vcpu() sets it. */
extern void (*vcpu_functions[MAX_VCPUS])(void);
/* The address of a page fault. */
unsigned long fault_address(void);

/* Called by the part for a kind of guest, once shared_info and console are known. */
_Noreturn void guest_main(void);
void console_init(struct xencons_interface *ring, unsigned int port);
_Noreturn void halt(void);

#endif
