/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Hyper-V interface, as a Windows guest uses it: every register and shared page stays what it is on
 * each vCPU, the hypercall page works, reference time goes on with system time, a periodic timer ticks
 * on, one that runs once fires once and not too early.
 *
 * Registers and messages: Microsoft's Hypervisor Top Level Functional Specification.
 */
/* guest: vcpus=2 */
#include "lib/guest.h"
#include "lib/pvh.h"

/* HVM_PARAM_VIRIDIAN has to be set before the guest starts: kernels.sh does so. */
#define CPUID_BASE    0x40000000U
#define SIGNATURE_EBX 0x7263694dU /* "Micr" */

#define MSR_GUEST_OS_ID      0x40000000U
#define MSR_HYPERCALL        0x40000001U
#define MSR_VP_INDEX         0x40000002U
#define MSR_TIME_REF_COUNT   0x40000020U
#define MSR_REFERENCE_TSC    0x40000021U
#define MSR_VP_ASSIST_PAGE   0x40000073U
#define MSR_SCONTROL         0x40000080U
#define MSR_SIEFP            0x40000082U
#define MSR_SIMP             0x40000083U
#define MSR_EOM              0x40000084U
#define MSR_SINT(n)          (0x40000090U + (n))
#define MSR_STIMER_CONFIG(n) (0x400000b0U + 2 * (n))
#define MSR_STIMER_COUNT(n)  (0x400000b1U + 2 * (n))
#define MSR_CRASH_P(n)       (0x40000100U + (n))
#define MSR_APIC_BASE        0x1bU
#define MSR_X2APIC_SPIV      0x80fU

#define ENABLED           1UL
#define APIC_X2APIC       0xc00UL
#define APIC_SOFT_ON      0x1ffUL
#define SINT_MASKED       (1UL << 16) /* messages are delivered nevertheless, and looked for */
#define SINT_AUTO_EOI     (1UL << 17)
#define TIMER_ENABLE      1UL
#define TIMER_PERIODIC    2UL
#define SLOT(timer)       (2 + (timer))
#define TIMER_SINT(timer) ((uint64_t)SLOT(timer) << 16)
#define TIMER_EXPIRED     0x80000010U
#define HYPERCALL_SPIN    8UL    /* HvNotifyLongSpinWait: an answer is all that it gives */
#define PER_MS            10000L /* units of reference time, 100 ns */
#define PERIOD            (20 * PER_MS)
#define ONCE              (2000 * PER_MS)
#define TOLERANCE         PER_MS
#define OWN_SLOT          5

enum { PERIODIC, SINGLE };

struct message {
    uint32_t type;
    uint8_t size, flags, reserved[2];
    uint64_t origin;
    uint32_t timer, pad;
    uint64_t expiry, delivery;
    uint8_t rest[216];
};

struct reference_tsc {
    uint32_t sequence, pad;
    uint64_t scale;
    int64_t offset;
};

struct reg {
    uint32_t msr;
    uint64_t value;
};

static char hyper_page[PAGE_SIZE] page_aligned, tsc_page[PAGE_SIZE] page_aligned;
static char assist_page[2][PAGE_SIZE] page_aligned;
static struct message messages[2][16] page_aligned;

static unsigned int request, answer; /* of vCPU 1: rounds */
static unsigned int different[2];
static unsigned int ticks, shots, early, unexpected;
static uint64_t last_expiry, shot_due;
static int64_t last_reference, backwards;
static struct pair {
    int64_t reference, system, error; /* 100 ns; what lies between the two is off by no more */
} start;
static bool shot_armed;

static uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static void wrmsr(uint32_t msr, uint64_t value)
{
    asm volatile("wrmsr"
                 :
                 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                 : "memory");
}

static uint64_t page_msr(const void *page)
{
    return (uintptr_t)page | ENABLED;
}

static int64_t reference_time(void)
{
    int64_t t = rdmsr(MSR_TIME_REF_COUNT);

    if (t < last_reference)
        backwards++;
    last_reference = t;
    return t;
}

/* Both clocks at one moment: the best of some tries. */
static struct pair both_times(void)
{
    struct pair best = {.error = INT64_MAX};

    for (unsigned int i = 0; i < 20; i++) {
        int64_t before = now(), r = reference_time(), after = now();

        if (after - before < best.error)
            best = (struct pair){r, (before + after) / 2, after - before};
    }
    best.system /= 100;
    best.error /= 200;
    return best;
}

/* --- Registers and pages of a vCPU --- */

#define NR_REGS 12

static void registers(unsigned int v, struct reg *regs)
{
    const struct reg r[NR_REGS] = {
        {MSR_GUEST_OS_ID, 0x0001040601771db1},
        {MSR_HYPERCALL, page_msr(hyper_page)},
        {MSR_REFERENCE_TSC, page_msr(tsc_page)},
        {MSR_VP_ASSIST_PAGE, page_msr(assist_page[v])},
        {MSR_SCONTROL, 1},
        {MSR_SIEFP, 0x123456789000 + v},
        {MSR_SIMP, page_msr(messages[v])},
        {MSR_SINT(2), 0x52 | SINT_MASKED | SINT_AUTO_EOI},
        {MSR_SINT(15), 0x60 + v},
        {MSR_CRASH_P(0), 0xdead00 + v},
        {MSR_CRASH_P(4), 0xdead0000dead04 + v},
        {MSR_VP_INDEX, v}, /* read only: what is written is ignored */
    };

    memcpy(regs, r, sizeof(r));
}

static bool is_filled(const char *page, size_t from, char c)
{
    for (size_t i = from; i < PAGE_SIZE; i++)
        if (page[i] != c)
            return false;
    return true;
}

static void set_up_vcpu(unsigned int v)
{
    struct reg regs[NR_REGS];

    registers(v, regs);
    /* Those of the domain are set once. */
    for (unsigned int i = v ? 3 : 0; i < NR_REGS; i++)
        wrmsr(regs[i].msr, regs[i].value);
    /* Xen has cleared the pages just now. */
    memset(assist_page[v] + 8, 'a' + v, PAGE_SIZE - 8);
    memset(&messages[v][OWN_SLOT], 'A' + v, sizeof(struct message));
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | APIC_X2APIC);
    wrmsr(MSR_X2APIC_SPIV, APIC_SOFT_ON);
}

static void look_at_vcpu(unsigned int v)
{
    struct reg regs[NR_REGS];
    struct message own;

    registers(v, regs);
    memset(&own, 'A' + v, sizeof(own));
    for (unsigned int i = 0; i < NR_REGS; i++)
        if (rdmsr(regs[i].msr) != regs[i].value) {
            say("vCPU %u: register %x is %lx", v, regs[i].msr, rdmsr(regs[i].msr));
            different[v]++;
        }
    if (!is_filled(assist_page[v], 8, 'a' + v) || memcmp(&messages[v][OWN_SLOT], &own, sizeof(own)))
        different[v]++;
}

static void other_vcpu(void)
{
    set_up_vcpu(1);
    for (;;) {
        unsigned int round = READ_ONCE(request);

        if (round != answer) {
            if (round > 1)
                look_at_vcpu(1);
            WRITE_ONCE(answer, round);
        }
        idle();
    }
}

/* --- Time --- */

/* Each has a slot of its own: in a shared one the other's message may always be there first. */
static void take_message(unsigned int timer)
{
    struct message *m = &messages[0][SLOT(timer)];

    if (READ_ONCE(m->type) != TIMER_EXPIRED)
        return;
    if (m->delivery < m->expiry)
        early++;
    if (m->timer != timer) {
        unexpected++;
    } else if (timer == PERIODIC && m->expiry > last_expiry) {
        last_expiry = m->expiry;
        ticks++;
    } else if (timer == SINGLE && shot_armed && m->expiry == shot_due) {
        shot_armed = false;
        shots++;
    } else {
        unexpected++;
    }
    WRITE_ONCE(m->type, 0);
    wrmsr(MSR_EOM, 0);
}

static void arm_shot(void)
{
    shot_due = reference_time() + ONCE;
    shot_armed = true;
    wrmsr(MSR_STIMER_CONFIG(SINGLE), TIMER_SINT(SINGLE));
    wrmsr(MSR_STIMER_COUNT(SINGLE), shot_due);
    wrmsr(MSR_STIMER_CONFIG(SINGLE), TIMER_ENABLE | TIMER_SINT(SINGLE));
}

static void run(void)
{
    reference_time();
    take_message(PERIODIC);
    take_message(SINGLE);
    if (!shot_armed)
        arm_shot();
    idle();
}

/* --- The test --- */

void setup(void)
{
    uint32_t eax = CPUID_BASE, ebx, ecx = 0, edx;

    asm volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    require(ebx == SIGNATURE_EBX, "no Hyper-V interface");
    set_up_vcpu(0);
    memset(tsc_page + 2048, 't', 2048);
    request = 1;
    start_vcpu(1, other_vcpu);
    require(wait_until(20, READ_ONCE(answer) == 1), "vCPU 1 does not start");

    start = both_times();
    wrmsr(MSR_STIMER_COUNT(PERIODIC), PERIOD);
    wrmsr(MSR_STIMER_CONFIG(PERIODIC), TIMER_ENABLE | TIMER_PERIODIC | TIMER_SINT(PERIODIC));
    for (int64_t end = now() + 20 * NS_PER_SEC; (ticks < 3 || !shots) && now() < end;)
        run();
    require(ticks >= 3 && shots, "timers do not fire (%u, %u)", ticks, shots);
}

void during(void)
{
    run();
}

static void verify_time(void)
{
    struct reference_tsc *page = (void *)tsc_page;
    struct pair t = both_times();
    int64_t passed = t.reference - start.reference, off = passed - (t.system - start.system);
    int64_t tolerance = TOLERANCE + t.error + start.error;

    say("reference time is off by %ld us (error %ld us) after %ld ms, %u ticks", off / 10,
        (t.error + start.error) / 10, passed / PER_MS, ticks);
    expect(!backwards, "reference time went back %ld times", backwards);
    expect(off > -tolerance && off < tolerance, "reference time is off by %ld us", off / 10);
    expect((int64_t)ticks <= passed / PERIOD + 1, "%u ticks in %ld ms", ticks, passed / PER_MS);
    if (page->sequence) {
        unsigned __int128 scaled;
        int64_t before = reference_time(), r;
        uint32_t low, high;

        asm volatile("rdtsc" : "=a"(low), "=d"(high));
        scaled = (unsigned __int128)((uint64_t)high << 32 | low) * page->scale;
        r = (int64_t)(scaled >> 64) + page->offset;
        expect(r >= before && r <= reference_time(), "the reference TSC page says %ld, not %ld", r,
               before);
    }
    expect(is_filled(tsc_page, 2048, 't'), "the reference TSC page has changed");
}

static void verify_timers(void)
{
    unsigned int t = ticks, s = shots;

    for (int64_t end = now() + 30 * NS_PER_SEC; (ticks < t + 5 || shots < s + 2) && now() < end;)
        run();
    expect(ticks >= t + 5, "the periodic timer was lost");
    expect(shots >= s + 2, "the other timer was lost");
    expect(!early, "%u times too early", early);
    expect(!unexpected, "%u messages that were not expected", unexpected);
}

static uint64_t viridian_hypercall(uint64_t code)
{
    uint64_t rax;
    register uint64_t r8 asm("r8") = 0;

    asm volatile("call *%[page]"
                 : "=a"(rax), "+c"(code), "+r"(r8)
                 : [page] "r"(hyper_page), "d"(0UL)
                 : "r9", "r10", "r11", "memory", "cc");
    return rax;
}

void verify(unsigned int round)
{
    look_at_vcpu(0);
    WRITE_ONCE(request, round + 1);
    expect(wait_until(20, READ_ONCE(answer) == round + 1), "vCPU 1 does not answer");
    for (unsigned int v = 0; v < 2; v++)
        expect(!different[v], "vCPU %u: %u registers or pages have changed", v, different[v]);
    verify_time();
    verify_timers();
    expect(!viridian_hypercall(HYPERCALL_SPIN), "the hypercall page does not work");
    expect(viridian_hypercall(0x7fff) == 2, "an unknown hypercall is known");
}
