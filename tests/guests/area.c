/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a vCPU shares with Xen, and what it waits for: vcpu_info in a page of its own, runstate and time
 * areas, vCPUs that are up, down, not initialised yet, or wait in a poll without a time limit.
 */
/* guest: vcpus=7 */
#include "lib/guest.h"

#include <xen/errno.h>

enum { MAIN, MOVED, POLLING, BLOCKED, DOWN, NEVER_UP, NEVER_INITIALISED, NR_VCPUS };

/* Two of them in one page, and not at its beginning. */
static char info_page[PAGE_SIZE] page_aligned;
#define INFO_OFFSET(v) (256 + 128 * (v))

static struct vcpu_runstate_info runstate[NR_VCPUS] __attribute__((aligned(64)));
static struct vcpu_time_info time_area[NR_VCPUS] __attribute__((aligned(64)));
static unsigned int ipi[NR_VCPUS], loops[NR_VCPUS], poll_port;
static int64_t registered_at, registered_sum;

static void register_areas(unsigned int v)
{
    struct vcpu_register_runstate_memory_area r = {.addr.v = &runstate[v]};
    struct vcpu_register_time_memory_area t = {.addr.v = &time_area[v]};
    long rc = hypercall(vcpu_op, VCPUOP_register_runstate_memory_area, v, &r);

    require(!rc, "runstate area of vCPU %u: %ld", v, rc);
    rc = hypercall(vcpu_op, VCPUOP_register_vcpu_time_memory_area, v, &t);
    require(!rc, "time area of vCPU %u: %ld", v, rc);
}

static void move_info(unsigned int v)
{
    struct vcpu_register_vcpu_info op = {.mfn = gfn_of(info_page), .offset = INFO_OFFSET(v)};
    long rc = hypercall(vcpu_op, VCPUOP_register_vcpu_info, v, &op);

    require(!rc, "vcpu_info of vCPU %u cannot be moved: %ld", v, rc);
    vcpu_infos[v] = (struct vcpu_info *)(info_page + INFO_OFFSET(v));
}

static void count(unsigned int v)
{
    WRITE_ONCE(loops[v], loops[v] + 1);
}

static void wait_for_events(void)
{
    unsigned int v = this_vcpu();

    for (;;) {
        count(v);
        block();
    }
}

static void poll_for_ever(void)
{
    evtchn_port_t port = poll_port;
    struct sched_poll op = {.ports.p = &port, .nr_ports = 1};

    for (;;) {
        count(POLLING);
        hypercall(sched_op, SCHEDOP_poll, &op);
        set_port_pending(port, false);
    }
}

static void go_down(void)
{
    unsigned int v = this_vcpu();

    for (;;) {
        count(v);
        hypercall(vcpu_op, VCPUOP_down, v, NULL);
    }
}

static int64_t sum(const struct vcpu_runstate_info *r)
{
    return r->time[0] + r->time[1] + r->time[2] + r->time[3];
}

static struct vcpu_runstate_info get_runstate(unsigned int v)
{
    struct vcpu_runstate_info r = {0};

    hypercall(vcpu_op, VCPUOP_get_runstate_info, v, &r);
    return r;
}

/* Of the main vCPU, which nobody took off its CPU between this and *when. */
static struct vcpu_runstate_info runstate_at(int64_t *when)
{
    struct vcpu_runstate_info r, again;

    do {
        r = get_runstate(MAIN);
        *when = now();
        again = get_runstate(MAIN);
    } while (again.state_entry_time != r.state_entry_time);
    return r;
}

void setup(void)
{
    struct vcpu_runstate_info r;

    for (unsigned int v = 0; v < NR_VCPUS; v++) {
        long rc = bind_ipi(v);

        require(rc > 0, "an IPI: %ld", rc);
        ipi[v] = rc;
    }
    poll_port = ipi[POLLING];
    set_port_masked(poll_port, true);
    move_info(MOVED);
    move_info(BLOCKED);
    for (unsigned int v = 0; v < NR_VCPUS; v++) {
        hypercall(vcpu_op, VCPUOP_stop_periodic_timer, v, NULL);
        register_areas(v);
    }
    start_vcpu(MOVED, wait_for_events);
    start_vcpu(BLOCKED, wait_for_events);
    start_vcpu(POLLING, poll_for_ever);
    start_vcpu(DOWN, go_down);
    require(wait_until(20, hypercall(vcpu_op, VCPUOP_is_up, DOWN, NULL) == 0 && loops[DOWN]),
            "vCPU %u does not go down", DOWN);
    require(!init_vcpu(NEVER_UP, go_down), "vCPU %u cannot be initialised", NEVER_UP);

    r = runstate_at(&registered_at);
    registered_sum = sum(&r);
}

static void verify_runstate(void)
{
    struct vcpu_runstate_info seen = runstate[MAIN], r;
    int64_t when, elapsed, counted;

    r = runstate_at(&when);
    elapsed = when - registered_at;
    counted = sum(&r) - registered_sum;

    expect(counted > elapsed - 20 * NS_PER_MS && counted < elapsed + 20 * NS_PER_MS,
           "runstates add up to %ld ns, %ld ns have gone by", counted, elapsed);
    expect(seen.state == RUNSTATE_running, "vCPU 0 is in state %u", seen.state);
    expect(wait_until(10, READ_ONCE(runstate[MAIN].state_entry_time) != seen.state_entry_time),
           "the runstate area is not written to any more");
    expect(READ_ONCE(runstate[MOVED].state) == RUNSTATE_blocked, "vCPU %u is in state %u", MOVED,
           runstate[MOVED].state);
}

static void verify_time_area(void)
{
    const struct vcpu_time_info *mine = &vcpu_infos[MAIN]->time, *area = &time_area[MAIN];
    uint32_t version = READ_ONCE(area->version);

    /* With every time that Xen takes, both are written. */
    expect(wait_until(10, READ_ONCE(area->version) != version),
           "the time area is not written to any more");
    expect(wait_until(10, !(READ_ONCE(area->version) & 1) &&
                              READ_ONCE(area->tsc_timestamp) == READ_ONCE(mine->tsc_timestamp) &&
                              READ_ONCE(area->system_time) == READ_ONCE(mine->system_time)),
           "the time area says %lu, vcpu_info %lu", area->system_time, mine->system_time);
}

static void verify_info(unsigned int v)
{
    struct vcpu_register_vcpu_info op = {.mfn = gfn_of(info_page), .offset = INFO_OFFSET(v)};
    unsigned int events = event_count[v][ipi[v]], before = loops[v];
    long again;

    expect(shared_info->vcpu_info[v].evtchn_pending_sel == 0 &&
               !shared_info->vcpu_info[v].evtchn_upcall_pending,
           "the old vcpu_info of vCPU %u is in use", v);
    again = hypercall(vcpu_op, VCPUOP_register_vcpu_info, v, &op);
    /* The latter from Xen 4.18 on. */
    expect(again == -XEN_EINVAL || again == -XEN_EBUSY,
           "vcpu_info of vCPU %u can be moved once more (%ld)", v, again);
    send_port(ipi[v]);
    expect(wait_until(10, READ_ONCE(loops[v]) != before), "vCPU %u does not wake up", v);
    expect(event_count[v][ipi[v]] == events + 1, "vCPU %u got %u events", v,
           event_count[v][ipi[v]] - events);
}

static void verify_poll(void)
{
    unsigned int before = READ_ONCE(loops[POLLING]);

    idle();
    idle();
    expect(READ_ONCE(loops[POLLING]) == before, "a poll without time limit has ended");
    expect(READ_ONCE(runstate[POLLING].state) == RUNSTATE_blocked,
           "the polling vCPU is in state %u", runstate[POLLING].state);
    send_port(poll_port);
    expect(wait_until(10, READ_ONCE(loops[POLLING]) != before), "a poll does not end");
}

static void verify_up(unsigned int v, const char *what)
{
    unsigned int before = READ_ONCE(loops[v]);
    long rc = hypercall(vcpu_op, VCPUOP_is_up, v, NULL);

    expect(rc == 0, "%s: the vCPU is up (%ld)", what, rc);
    rc = hypercall(vcpu_op, VCPUOP_up, v, NULL);
    expect(!rc, "%s: cannot be brought up: %ld", what, rc);
    expect(wait_until(10, READ_ONCE(loops[v]) == before + 1), "%s: does not run", what);
    expect(wait_until(10, hypercall(vcpu_op, VCPUOP_is_up, v, NULL) == 0),
           "%s: does not go down again", what);
}

void verify(unsigned int round)
{
    verify_runstate();
    verify_time_area();
    verify_info(MOVED);
    verify_info(BLOCKED);
    verify_poll();
    verify_up(DOWN, "a vCPU that was down");
    verify_up(NEVER_UP, "a vCPU that was never up");
    if (round == 1) {
        long rc = hypercall(vcpu_op, VCPUOP_up, NEVER_INITIALISED, NULL);

        expect(rc == -XEN_EINVAL, "a vCPU without registers can be brought up: %ld", rc);
        rc = init_vcpu(NEVER_INITIALISED, go_down);
        expect(!rc, "a vCPU cannot be initialised: %ld", rc);
    }
    verify_up(NEVER_INITIALISED, "a vCPU that was not initialised");
}
