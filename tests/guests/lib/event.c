/* SPDX-License-Identifier: GPL-2.0-only */
/* Event channels and time. */
#include "internal.h"

unsigned int event_count[MAX_VCPUS][NR_2L_PORTS];
/* The vCPU that a port notifies: a word of pending bits is shared by all. */
static unsigned char notified[NR_2L_PORTS];
void (*scan_events)(void) = scan_events_2l;

/* --- The 2-level ABI --- */

static bool test_bit_in(const xen_ulong_t *map, unsigned int n)
{
    return READ_ONCE(map[n / 64]) >> (n % 64) & 1;
}

static void assign_bit(xen_ulong_t *map, unsigned int n, bool on)
{
    if (on)
        __atomic_fetch_or(&map[n / 64], 1UL << (n % 64), __ATOMIC_SEQ_CST);
    else
        __atomic_fetch_and(&map[n / 64], ~(1UL << (n % 64)), __ATOMIC_SEQ_CST);
}

bool port_pending(unsigned int port)
{
    return test_bit_in(shared_info->evtchn_pending, port);
}

bool port_masked(unsigned int port)
{
    return test_bit_in(shared_info->evtchn_mask, port);
}

void set_port_pending(unsigned int port, bool on)
{
    assign_bit(shared_info->evtchn_pending, port, on);
}

void set_port_masked(unsigned int port, bool on)
{
    assign_bit(shared_info->evtchn_mask, port, on);
}

/* Takes every event that is selected for this vCPU, and counts it. */
void scan_events_2l(void)
{
    unsigned int cpu = this_vcpu();
    xen_ulong_t sel =
        __atomic_exchange_n(&vcpu_infos[cpu]->evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    for (unsigned int word = 0; sel; word++, sel >>= 1) {
        xen_ulong_t bits;

        if (!(sel & 1))
            continue;
        bits = READ_ONCE(shared_info->evtchn_pending[word]) &
               ~READ_ONCE(shared_info->evtchn_mask[word]);
        for (unsigned int bit = 0; bits; bit++, bits >>= 1) {
            if (!(bits & 1) || notified[word * 64 + bit] != cpu)
                continue;
            set_port_pending(word * 64 + bit, false);
            WRITE_ONCE(event_count[cpu][word * 64 + bit], event_count[cpu][word * 64 + bit] + 1);
        }
    }
}

void on_events(void)
{
    struct vcpu_info *v = vcpu_infos[this_vcpu()];

    while (__atomic_exchange_n(&v->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST))
        scan_events();
}

/* --- Hypercalls --- */

static long bound(long rc, unsigned int port, unsigned int vcpu)
{
    if (rc)
        return rc;
    if (port < NR_2L_PORTS)
        notified[port] = vcpu;
    return port;
}

long alloc_unbound(unsigned int remote_domid)
{
    struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = remote_domid};
    long rc = hypercall(event_channel_op, EVTCHNOP_alloc_unbound, &op);

    return bound(rc, op.port, 0);
}

long bind_interdomain(unsigned int domid, unsigned int port)
{
    struct evtchn_bind_interdomain op = {.remote_dom = domid, .remote_port = port};
    long rc = hypercall(event_channel_op, EVTCHNOP_bind_interdomain, &op);

    return bound(rc, op.local_port, 0);
}

long bind_virq(unsigned int virq, unsigned int vcpu)
{
    struct evtchn_bind_virq op = {.virq = virq, .vcpu = vcpu};
    long rc = hypercall(event_channel_op, EVTCHNOP_bind_virq, &op);

    return bound(rc, op.port, vcpu);
}

long bind_ipi(unsigned int vcpu)
{
    struct evtchn_bind_ipi op = {.vcpu = vcpu};
    long rc = hypercall(event_channel_op, EVTCHNOP_bind_ipi, &op);

    return bound(rc, op.port, vcpu);
}

long bind_vcpu(unsigned int port, unsigned int vcpu)
{
    struct evtchn_bind_vcpu op = {.port = port, .vcpu = vcpu};
    long rc = hypercall(event_channel_op, EVTCHNOP_bind_vcpu, &op);

    bound(rc, port, vcpu);
    return rc;
}

long close_port(unsigned int port)
{
    struct evtchn_close op = {.port = port};

    return hypercall(event_channel_op, EVTCHNOP_close, &op);
}

long send_port(unsigned int port)
{
    struct evtchn_send op = {.port = port};

    return hypercall(event_channel_op, EVTCHNOP_send, &op);
}

long unmask_port(unsigned int port)
{
    struct evtchn_unmask op = {.port = port};

    return hypercall(event_channel_op, EVTCHNOP_unmask, &op);
}

long port_status(unsigned int port, struct evtchn_status *status)
{
    memset(status, 0, sizeof(*status));
    status->dom = DOMID_SELF;
    status->port = port;
    return hypercall(event_channel_op, EVTCHNOP_status, status);
}

unsigned int own_domid(void)
{
    struct evtchn_status status;
    long first = alloc_unbound(DOMID_SELF), second;

    require(first > 0, "an unbound port: %ld", first);
    second = bind_interdomain(DOMID_SELF, first);
    require(second > 0, "a port to itself: %ld", second);
    require(!port_status(second, &status), "status of a port to itself");
    close_port(second);
    close_port(first);
    return status.u.interdomain.dom;
}

/* --- Time --- */

int64_t now(void)
{
    const struct vcpu_time_info *t = &vcpu_infos[this_vcpu()]->time;
    uint32_t version, low, high;
    uint64_t delta, ns;

    do {
        version = READ_ONCE(t->version);
        barrier();
        asm volatile("lfence; rdtsc" : "=a"(low), "=d"(high));
        delta = ((uint64_t)high << 32 | low) - READ_ONCE(t->tsc_timestamp);
        delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift : delta << t->tsc_shift;
        ns = t->system_time + (uint64_t)((unsigned __int128)delta * t->tsc_to_system_mul >> 32);
        barrier();
    } while ((version & 1) || version != READ_ONCE(t->version));
    return ns;
}

void idle(void)
{
    struct sched_poll op = {.timeout = now() + 20 * NS_PER_MS};

    hypercall(sched_op, SCHEDOP_poll, &op);
}

void halt(void)
{
    for (;;) {
        events_off();
        idle();
    }
}
