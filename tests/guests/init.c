/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vCPU that ran, was put into reset by an INIT of its local APIC, and waits for a start that does not come. It is down
 * after the update, and can be started.
 */
/* guest: vcpus=2 */
#include "lib/pvh.h"

#define MSR_APIC_BASE  0x1b
#define APIC_X2APIC    0xc00 /* enabled, in x2APIC mode */
#define MSR_X2APIC_ICR 0x830
#define ICR_INIT       0x4500         /* level, assert */
#define APIC_ID(vcpu)  (2UL * (vcpu)) /* as Xen gives them out */

static volatile unsigned long turns;

static void spin(void)
{
    for (;;)
        turns++;
}

static uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;

    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return low | (uint64_t)high << 32;
}

static void write_msr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

static bool is_up(void)
{
    return hypercall(vcpu_op, VCPUOP_is_up, 1, NULL) == 1;
}

static void run_and_reset(void)
{
    unsigned long before = turns;

    start_vcpu(1, spin);
    require(wait_until(20, turns > before + 100000), "vCPU 1 does not run");
    write_msr(MSR_X2APIC_ICR, APIC_ID(1) << 32 | ICR_INIT);
    require(wait_until(20, !is_up()), "vCPU 1 is not stopped by an INIT");
}

void setup(void)
{
    write_msr(MSR_APIC_BASE, read_msr(MSR_APIC_BASE) | APIC_X2APIC);
    run_and_reset();
}

void verify(unsigned int round)
{
    unsigned long before = turns;

    idle();
    expect(!is_up() && turns == before, "vCPU 1 runs after update %u, and nobody has started it",
           round);
    run_and_reset();
}
