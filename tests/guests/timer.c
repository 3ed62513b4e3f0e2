/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Timers: a singleshot timer fires once and not too early, a periodic one goes on, a poll with a time
 * limit returns; system time never goes back. vCPU 0 watches, each other one has a timer of its own.
 */
/* guest: vcpus=5 */
#include "lib/guest.h"

enum { WATCH, SHORT, LONG, PERIODIC, POLL, NR_VCPUS };

#define SHORT_NS (30 * NS_PER_MS)
#define LONG_NS  (5 * NS_PER_SEC)
/* The clocks of two CPUs may differ by a little. */
#define TOLERANCE_NS NS_PER_MS
#define PERIOD_NS    (20 * NS_PER_MS)

static unsigned int port[NR_VCPUS];
static unsigned int rounds[NR_VCPUS];
static int64_t last_time[NR_VCPUS], latest[NR_VCPUS], earliest[NR_VCPUS];
static unsigned int early[NR_VCPUS], twice[NR_VCPUS], backwards[NR_VCPUS], errors[NR_VCPUS];
static unsigned int woken; /* polls that ended before their time */

static int64_t time_of(unsigned int v)
{
    int64_t t = now();

    if (t < last_time[v])
        backwards[v]++;
    last_time[v] = t;
    return t;
}

static void done(unsigned int v, int64_t due)
{
    int64_t late = time_of(v) - due;

    if (late < -TOLERANCE_NS)
        early[v]++;
    if (late < earliest[v])
        earliest[v] = late;
    if (late > latest[v])
        latest[v] = late;
    WRITE_ONCE(rounds[v], rounds[v] + 1);
}

static long arm(unsigned int v, int64_t due)
{
    struct vcpu_set_singleshot_timer op = {.timeout_abs_ns = due};

    return hypercall(vcpu_op, VCPUOP_set_singleshot_timer, v, &op);
}

static void singleshot(int64_t ns)
{
    unsigned int v = this_vcpu();

    for (;;) {
        unsigned int before = event_count[v][port[v]];
        int64_t due = time_of(v) + ns;

        if (arm(v, due))
            errors[v]++;
        while (event_count[v][port[v]] == before)
            block();
        done(v, due);
        /* Once is enough. */
        before = event_count[v][port[v]];
        events_on();
        idle();
        events_off();
        if (event_count[v][port[v]] != before)
            twice[v]++;
    }
}

static void short_timer(void)
{
    singleshot(SHORT_NS);
}

static void long_timer(void)
{
    singleshot(LONG_NS);
}

/* This one fires only while its vCPU runs. A tick can be late; what was missed is not made up for. */
static void periodic_timer(void)
{
    unsigned int v = this_vcpu();
    struct vcpu_set_periodic_timer op = {.period_ns = PERIOD_NS};

    if (hypercall(vcpu_op, VCPUOP_set_periodic_timer, v, &op))
        errors[v]++;
    events_on();
    for (;;) {
        unsigned int before = READ_ONCE(event_count[v][port[v]]);

        while (READ_ONCE(event_count[v][port[v]]) == before)
            hypercall(sched_op, SCHEDOP_yield, NULL);
        done(v, last_time[v]);
    }
}

static void poll(void)
{
    unsigned int v = this_vcpu();

    for (unsigned int i = 0;; i++) {
        evtchn_port_t p = port[v];
        int64_t due = time_of(v) + (i % 8 == 7 ? 2 * NS_PER_SEC : 50 * NS_PER_MS);
        struct sched_poll op = {.ports.p = &p, .nr_ports = 1, .timeout = due};

        /*
         * Xen wakes all who poll without a port yet for any event of the domain, and do_poll() has a few
         * instructions in which that is so. It must be rare (verify_errors()).
         */
        for (;;) {
            if (hypercall(sched_op, SCHEDOP_poll, &op))
                errors[v]++;
            if (time_of(v) >= due - TOLERANCE_NS)
                break;
            woken++;
        }
        done(v, due);
    }
}

void setup(void)
{
    static void (*const functions[])(void) = {NULL, short_timer, long_timer, periodic_timer, poll};

    for (unsigned int v = 0; v < NR_VCPUS; v++) {
        long rc = bind_virq(VIRQ_TIMER, v);

        require(rc > 0, "VIRQ_TIMER: %ld", rc);
        port[v] = rc;
        set_port_masked(port[v], v == POLL);
        hypercall(vcpu_op, VCPUOP_stop_periodic_timer, v, NULL);
    }
    for (unsigned int v = 1; v < NR_VCPUS; v++)
        start_vcpu(v, functions[v]);
    events_on();
    for (unsigned int v = 1; v < NR_VCPUS; v++)
        require(wait_until(20, READ_ONCE(rounds[v])), "vCPU %u does not start", v);
}

void during(void)
{
    time_of(WATCH);
    idle();
}

/* From now on each has to come back once more. */
static void verify_progress(void)
{
    unsigned int before[NR_VCPUS];

    for (unsigned int v = 1; v < NR_VCPUS; v++)
        before[v] = READ_ONCE(rounds[v]);
    for (unsigned int v = 1; v < NR_VCPUS; v++)
        expect(wait_until(30, READ_ONCE(rounds[v]) != before[v]), "the timer of vCPU %u was lost",
               v);
}

static void verify_period(void)
{
    int64_t start = now();
    unsigned int before = READ_ONCE(rounds[PERIODIC]), ticks;

    while (now() < start + NS_PER_SEC)
        idle();
    ticks = READ_ONCE(rounds[PERIODIC]) - before;
    /* Fewer, if the host is busy. */
    expect(ticks > 1 && ticks <= (now() - start) / PERIOD_NS + 2,
           "%u ticks in a second, expected 50", ticks);
}

static void verify_errors(void)
{
    for (unsigned int v = 0; v < NR_VCPUS; v++) {
        expect(!early[v], "vCPU %u: %u times too early, by %ld ns", v, early[v], -earliest[v]);
        early[v] = earliest[v] = 0;
        expect(!twice[v], "vCPU %u: %u times twice", v, twice[v]);
        expect(!backwards[v], "vCPU %u: time went back %u times", v, backwards[v]);
        expect(!errors[v], "vCPU %u: %u hypercalls failed", v, errors[v]);
    }
    expect(woken * 20 <= rounds[POLL], "%u of %u polls ended before their time", woken,
           rounds[POLL]);
    expect(latest[SHORT] < 60 * NS_PER_SEC, "a timer was late by %ld ns", latest[SHORT]);
}

/* vCPU 0 has armed nothing so far. */
static void verify_own(void)
{
    unsigned int before = event_count[0][port[0]];
    int64_t due;

    arm(0, now() - NS_PER_SEC);
    expect(wait_until(10, READ_ONCE(event_count[0][port[0]]) == before + 1),
           "a time in the past brings no event");
    before++;
    due = now() + 20 * NS_PER_MS;
    hypercall(set_timer_op, due);
    expect(wait_until(10, READ_ONCE(event_count[0][port[0]]) != before) && now() >= due,
           "a new timer does not fire, or too early");
    arm(0, now() + 50 * NS_PER_MS);
    hypercall(vcpu_op, VCPUOP_stop_singleshot_timer, 0, NULL);
    due = now() + 100 * NS_PER_MS;
    while (now() < due)
        idle();
    expect(event_count[0][port[0]] == before + 1, "a timer that was stopped fires");
}

void verify(unsigned int round)
{
    say("round %u: late by at most %ld us (%ld ms timer), %ld us (poll)", round,
        latest[SHORT] / 1000, SHORT_NS / NS_PER_MS, latest[POLL] / 1000);
    verify_progress();
    verify_period();
    verify_own();
    verify_errors();
    memset(latest, 0, sizeof(latest));
}
