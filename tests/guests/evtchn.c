/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels of the 2-level ABI: ports of every kind keep number, binding, pending and mask bit; an
 * event comes exactly once, at its vCPU; none is lost between two vCPUs that play ping-pong meanwhile.
 */
/* guest: vcpus=3 max_event_channels=4095 */
#include "lib/guest.h"

#include <xen/errno.h>

enum { IDLE, MASKED, MASKED_PENDING, UNMASKED_PENDING, NR_STATES };

/* A channel to itself for each state; events are sent into the first port and come out of the second. */
static unsigned int from[NR_STATES], to[NR_STATES];
static unsigned int ping, pong, ipi_masked, timer[3], debug, dom_exc, half_open, highest,
    lowest_free;
/* vCPU 2 keeps events masked until it is asked to take them. */
static unsigned int asked, answered;

static struct evtchn_status noted[NR_2L_PORTS];
static bool noted_pending[NR_2L_PORTS], noted_masked[NR_2L_PORTS];

static unsigned int must_bind(long port, const char *what)
{
    require(port > 0, "%s: %ld", what, port);
    set_port_masked(port, false);
    return port;
}

static void loopback(unsigned int state, unsigned int vcpu)
{
    from[state] = must_bind(alloc_unbound(DOMID_SELF), "an unbound port");
    to[state] = must_bind(bind_interdomain(DOMID_SELF, from[state]), "a channel to itself");
    set_port_pending(to[state], false); /* Xen has set it, in case that it missed something */
    require(!bind_vcpu(to[state], vcpu), "binding port %u to vCPU %u", to[state], vcpu);
}

static void player(void)
{
    unsigned int seen = 0;

    events_on();
    for (;;) {
        if (!wait_until(1, READ_ONCE(event_count[1][ping]) != seen))
            continue;
        seen = event_count[1][ping];
        send_port(pong);
    }
}

static void taker(void)
{
    for (;;) {
        while (READ_ONCE(asked) == answered)
            idle();
        events_on();
        events_off();
        WRITE_ONCE(answered, asked);
    }
}

/* All ports up to the last one, then every other one closed again in a part of them. */
static void fill(void)
{
    long port;

    while ((port = alloc_unbound(0)) > 0)
        highest = port;
    require(port == -XEN_ENOSPC && highest == NR_2L_PORTS - 1, "the highest port is %u (%ld)",
            highest, port);
    for (port = 1001; port < 2000; port += 2)
        close_port(port);
    lowest_free = 1001;
}

/* The states in which ports are during the update. */
static void prepare(void)
{
    set_port_masked(to[MASKED], true);
    set_port_masked(to[MASKED_PENDING], true);
    set_port_masked(ipi_masked, true);
    send_port(from[MASKED_PENDING]);
    send_port(from[UNMASKED_PENDING]);
    send_port(ipi_masked);

    for (unsigned int port = 1; port < NR_2L_PORTS; port++) {
        require(!port_status(port, &noted[port]), "status of port %u", port);
        noted_pending[port] = port_pending(port);
        noted_masked[port] = port_masked(port);
    }
    events_on();
}

void setup(void)
{
    ping = must_bind(bind_ipi(1), "an IPI");
    pong = must_bind(bind_ipi(0), "an IPI");
    ipi_masked = must_bind(bind_ipi(1), "an IPI");
    loopback(IDLE, 0);
    loopback(MASKED, 1);
    loopback(MASKED_PENDING, 0);
    loopback(UNMASKED_PENDING, 2);
    for (unsigned int v = 0; v < 3; v++) {
        hypercall(vcpu_op, VCPUOP_stop_periodic_timer, v, NULL); /* 100 Hz, unless told otherwise */
        timer[v] = must_bind(bind_virq(VIRQ_TIMER, v), "VIRQ_TIMER");
    }
    debug = must_bind(bind_virq(VIRQ_DEBUG, 1), "VIRQ_DEBUG");
    dom_exc = must_bind(bind_virq(VIRQ_DOM_EXC, 0), "VIRQ_DOM_EXC");
    require(!bind_vcpu(dom_exc, 1), "a global VIRQ moves to another vCPU");
    /* The end that stays open waits for a new peer. */
    half_open = must_bind(alloc_unbound(DOMID_SELF), "an unbound port");
    close_port(must_bind(bind_interdomain(DOMID_SELF, half_open), "a channel to itself"));
    fill();

    start_vcpu(1, player);
    start_vcpu(2, taker);
    prepare();
}

void during(void)
{
    unsigned int seen = event_count[0][pong];

    send_port(ping);
    if (!wait_until(20, READ_ONCE(event_count[0][pong]) != seen))
        fail("ping-pong stands still after %u rounds", seen);
}

static bool lively(unsigned int port)
{
    return port == ping || port == pong || port == 1 || port == 2; /* 1 and 2: xenstore, console */
}

static void verify_ports(void)
{
    for (unsigned int port = 1; port < NR_2L_PORTS; port++) {
        struct evtchn_status s;
        long rc = port_status(port, &s);

        expect(!rc && !memcmp(&s, &noted[port], sizeof(s)),
               "port %u: status %u (%ld), vCPU %u, was %u, vCPU %u", port, s.status, rc, s.vcpu,
               noted[port].status, noted[port].vcpu);
        if (lively(port))
            continue;
        expect(port_pending(port) == noted_pending[port], "port %u: pending %u, was %u", port,
               port_pending(port), noted_pending[port]);
        expect(port_masked(port) == noted_masked[port], "port %u: masked %u, was %u", port,
               port_masked(port), noted_masked[port]);
    }
}

/* The next event of a port comes to this vCPU, once, and to no other. */
static void expect_event(unsigned int port, unsigned int vcpu, unsigned int *before,
                         const char *what)
{
    bool came = wait_until(10, READ_ONCE(event_count[vcpu][port]) != before[vcpu]);

    for (unsigned int v = 0; v < 3; v++)
        expect(READ_ONCE(event_count[v][port]) == before[v] + (v == vcpu),
               "%s: vCPU %u got it %u times%s", what, v, event_count[v][port] - before[v],
               came ? "" : " (it did not come)");
}

static void counts(unsigned int port, unsigned int *before)
{
    for (unsigned int v = 0; v < 3; v++)
        before[v] = READ_ONCE(event_count[v][port]);
}

static void verify_delivery(void)
{
    unsigned int before[3];

    counts(to[MASKED_PENDING], before);
    unmask_port(to[MASKED_PENDING]);
    expect_event(to[MASKED_PENDING], 0, before, "masked and pending, now unmasked");

    counts(to[UNMASKED_PENDING], before);
    WRITE_ONCE(asked, asked + 1);
    expect(wait_until(10, READ_ONCE(answered) == asked), "vCPU 2 does not take its events");
    expect_event(to[UNMASKED_PENDING], 2, before, "pending, now events are on");

    counts(to[IDLE], before);
    send_port(from[IDLE]);
    expect_event(to[IDLE], 0, before, "sent after the update");

    counts(to[MASKED], before);
    send_port(from[MASKED]);
    expect(port_pending(to[MASKED]), "sent into a masked port: not pending");
    unmask_port(to[MASKED]);
    expect_event(to[MASKED], 1, before, "sent into a masked port, now unmasked");

    counts(ipi_masked, before);
    unmask_port(ipi_masked);
    expect_event(ipi_masked, 1, before, "a pending IPI, now unmasked");
}

static void verify_timers(void)
{
    for (unsigned int v = 0; v < 2; v++) {
        struct vcpu_set_singleshot_timer op = {.timeout_abs_ns = now() + 20 * NS_PER_MS};
        unsigned int before[3];

        counts(timer[v], before);
        if (v == 0) {
            hypercall(vcpu_op, VCPUOP_set_singleshot_timer, v, &op);
            expect_event(timer[v], v, before, "VIRQ_TIMER");
        } else /* only a vCPU itself may set its timer */
            expect(bind_virq(VIRQ_TIMER, v) == -XEN_EEXIST, "VIRQ_TIMER can be bound twice");
    }
}

static void verify_allocation(void)
{
    long a = alloc_unbound(0), b, c;

    expect(a == lowest_free, "the lowest free port is %ld, was %u", a, lowest_free);
    b = bind_interdomain(DOMID_SELF, half_open);
    expect(b == lowest_free + 2, "a peer for port %u: %ld", half_open, b);
    set_port_masked(b, true);
    set_port_pending(b, false);
    expect(send_port(half_open) == 0 && port_pending(b), "an event for a new peer does not come");
    set_port_pending(b, false);
    c = close_port(b);
    expect(!c && send_port(b) == -XEN_EINVAL, "closing port %ld: %ld", b, c);
    expect(!close_port(a), "port %ld cannot be closed", a);
    expect(!close_port(highest) && alloc_unbound(0) == lowest_free && !close_port(lowest_free),
           "the highest port cannot be closed");
    /* Ports given out in ascending order: the highest comes last. */
    for (unsigned int port = lowest_free; port < 2000; port += 2)
        expect(alloc_unbound(0) == port, "port %u is not free any more", port);
    expect(alloc_unbound(0) == highest, "port %u does not come back", highest);
    for (unsigned int port = lowest_free; port < 2000; port += 2)
        close_port(port);
}

void verify(unsigned int round)
{
    (void)round;
    verify_ports();
    verify_delivery();
    verify_timers();
    verify_allocation();
    prepare();
}
