/* SPDX-License-Identifier: GPL-2.0-only */
/* vCPUs and exceptions, as far as all kinds of guests have them in common. */
#include "internal.h"

struct shared_info *shared_info;
struct vcpu_info *vcpu_infos[MAX_VCPUS];
void (*vcpu_functions[MAX_VCPUS])(void);

unsigned int this_vcpu(void)
{
    uintptr_t sp;

    asm("movq %%rsp, %0" : "=r"(sp));
    return (sp - (uintptr_t)stacks) / STACK_SIZE;
}

void secondary_main(void)
{
    vcpu_functions[this_vcpu()]();
    give_up("vCPU %u has nothing left to do", this_vcpu());
}

void start_vcpu(unsigned int vcpu, void (*function)(void))
{
    long rc = init_vcpu(vcpu, function);

    require(!rc, "vCPU %u cannot be initialised: %ld", vcpu, rc);
    rc = hypercall(vcpu_op, VCPUOP_up, vcpu, NULL);
    require(!rc, "vCPU %u cannot be brought up: %ld", vcpu, rc);
}

static struct {
    bool armed;
    int vector;
    void *place[5];
} caught[MAX_VCPUS];

static _Noreturn void leave_trap(unsigned long cpu)
{
    __builtin_longjmp(caught[cpu].place, 1);
}

int catch_trap(void (*function)(void *), void *arg)
{
    volatile unsigned int cpu = this_vcpu();

    if (__builtin_setjmp(caught[cpu].place))
        return caught[cpu].vector;
    caught[cpu].armed = true;
    barrier();
    function(arg);
    barrier();
    caught[cpu].armed = false;
    return -1;
}

__attribute__((weak)) bool handle_trap(struct trap_frame *f)
{
    (void)f;
    return false;
}

void on_trap(struct trap_frame *f)
{
    unsigned int cpu = this_vcpu();

    if (handle_trap(f))
        return;
    if (caught[cpu].armed) {
        caught[cpu].armed = false;
        caught[cpu].vector = f->vector;
        f->rip = (uintptr_t)leave_trap;
        f->rdi = cpu;
        f->rsp &= ~15UL;
        return;
    }
    give_up("exception %lu (error code %#lx) on vCPU %u at %#lx, address %#lx", f->vector,
            f->error_code, cpu, f->rip, fault_address());
}

__attribute__((weak)) void on_nmi(void)
{
    give_up("an NMI");
}
