/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest makes a hypercall that takes long, and does not go on with it when Xen has interrupted it. What is half done
 * stays so for as long as the guest likes, and must not keep the host from its update; going on is possible after it.
 */
/* guest: vcpus=1 max_event_channels=255 */
/* cases: PIN:pv TEARDOWN:pv RESET:pv */
#include "../lib/pv.h"

#include <xen/errno.h>

enum {
    PIN,      /* page tables are validated in part */
    TEARDOWN, /* page tables are torn down in part */
    RESET,    /* event channels are closed in part */
};

#define NR_TABLES    16
#define NR_PORTS     100
#define RESET_UNTIL  64 /* Xen looks whether it should stop at multiples of this port */
#define RESET_GO_ON  14 /* EVTCHNOP_reset_cont, what the hypercall becomes when it is interrupted */
#define CONSOLE_PORT (start_info->console.domU.evtchn)

static uint64_t l3[512] page_aligned, l2[512] page_aligned, l1[NR_TABLES][512] page_aligned;
static char page[PAGE_SIZE] page_aligned;
static unsigned int console_peer;

/* --- Leaving a hypercall --- */

static void *place[5];

static void leave_hypercall(void)
{
    __builtin_longjmp(place, 1);
}

/*
 * Was the function's hypercall interrupted? An event that is pending already is what Xen stops for. Once in a while it
 * comes before the hypercall has begun.
 */
static bool abandon(void (*function)(void))
{
    struct vcpu_info *v = vcpu_infos[0];

    if (__builtin_setjmp(place)) {
        scan_events = scan_events_2l;
        return true;
    }
    scan_events = leave_hypercall;
    WRITE_ONCE(v->evtchn_upcall_pending, 1);
    barrier();
    WRITE_ONCE(v->evtchn_upcall_mask, 0);
    barrier();
    function();
    events_off();
    scan_events = scan_events_2l;
    return false;
}

/* --- Page tables --- */

static void make_tables(void)
{
    for (unsigned int t = 0; t < NR_TABLES; t++) {
        for (unsigned int i = 0; i < 512; i++)
            l1[t][i] = make_pte(mfn_of(page), PTE_RO);
        l2[t] = make_pte(mfn_of(l1[t]), PTE_TABLE);
        require(!make_readonly(l1[t]), "table %u", t);
    }
    l3[0] = make_pte(mfn_of(l2), PTE_TABLE);
    require(!make_readonly(l2) && !make_readonly(l3), "tables");
}

static void pin(void)
{
    pin_table(3, l3);
}

static void unpin(void)
{
    unpin_table(l3);
}

static void abandon_tables(void)
{
    if (CASE == TEARDOWN)
        require(!pin_table(3, l3), "the tables cannot be pinned");
    require(abandon(CASE == PIN ? pin : unpin), "Xen was not interrupted");
}

/* Nothing holds the tables any more, and each becomes a table again. */
static void check_tables(void)
{
    long rc;

    if (CASE == PIN) {
        rc = pin_table(3, l3) ?: unpin_table(l3);
    } else {
        /* What has been begun is gone on with by any operation of this kind. */
        rc = mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
        unpin_table(l3);
    }
    expect(!rc, "the rest of the hypercall: %ld", rc);
    rc = make_writable(l3) ?: make_writable(l2);
    for (unsigned int t = 0; t < NR_TABLES; t++)
        rc = rc ?: make_writable(l1[t]);
    expect(!rc, "a table does not become writable: %ld", rc);
    rc = make_writable(page);
    expect(!rc, "the page does not become writable: %ld", rc);
}

/* --- Event channels --- */

static long reset(unsigned int cmd)
{
    struct evtchn_reset op = {.dom = DOMID_SELF};

    return hypercall(event_channel_op, cmd, &op);
}

static void begin_reset(void)
{
    reset(EVTCHNOP_reset);
}

/* The console's channel is among those that are closed: it is made again, under its number. */
static void abandon_reset(void)
{
    struct evtchn_status status;
    long port;

    for (unsigned int i = 0; i < NR_PORTS; i++) {
        port = alloc_unbound(DOMID_SELF);
        require(port > 0, "an unbound port: %ld", port);
    }
    do {
        require(abandon(begin_reset), "Xen was not interrupted");
        port_status(RESET_UNTIL - 1, &status);
    } while (status.status != EVTCHNSTAT_closed);
    for (unsigned int i = 1; i < CONSOLE_PORT; i++) {
        port = alloc_unbound(DOMID_SELF);
        require(port == i, "port %u is %ld", i, port);
    }
    port = bind_interdomain(0, console_peer);
    require(port == CONSOLE_PORT, "the console's port is %ld", port);
    set_port_masked(CONSOLE_PORT, true);
}

static void check_reset(void)
{
    struct evtchn_status status;
    long rc = reset(EVTCHNOP_reset);

    expect(rc == -XEN_EBUSY, "another reset begins: %ld", rc);
    rc = port_status(RESET_UNTIL + 1, &status);
    expect(!rc && status.status == EVTCHNSTAT_unbound, "port %u: %ld, %u", RESET_UNTIL + 1, rc,
           status.status);
    /* The ports of above are in use. */
    rc = reset(RESET_GO_ON);
    expect(rc == -XEN_EAGAIN, "the reset ends with %ld", rc);
    rc = port_status(RESET_UNTIL + 1, &status);
    expect(!rc && status.status == EVTCHNSTAT_closed, "port %u is not closed: %ld, %u",
           RESET_UNTIL + 1, rc, status.status);
    for (unsigned int i = 1; i < CONSOLE_PORT; i++)
        expect(!close_port(i), "port %u", i);
}

/* --- The test --- */

static void do_half(void)
{
    if (CASE == RESET) {
        abandon_reset();
        return;
    }
    make_tables();
    abandon_tables();
}

void setup(void)
{
    struct evtchn_status status;
    long rc = port_status(CONSOLE_PORT, &status);

    require(!rc && status.status == EVTCHNSTAT_interdomain, "the console's port: %ld", rc);
    console_peer = status.u.interdomain.port;
    do_half();
}

void verify(unsigned int round)
{
    (void)round;
    if (CASE == RESET)
        check_reset();
    else
        check_tables();
    do_half();
}
