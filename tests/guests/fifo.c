/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels of the FIFO ABI: queues stay as they are, and Xen still knows where each of them ends;
 * priorities, masked ports, ports closed while they are in a queue, ports without an event word, the
 * highest port.
 */
/* guest: vcpus=2 max_event_channels=5119 */
#include "lib/guest.h"

#include <xen/errno.h>

/* Above the 2-level ABI's 4095. This one goes up to 131071, but Xen looks for a free port one by one. */
#define NR_PORTS       5120U
#define WORDS_A_PAGE   (PAGE_SIZE / sizeof(event_word_t))
#define BIT(n)         (1U << (n))
#define PENDING        BIT(EVTCHN_FIFO_PENDING)
#define MASKED         BIT(EVTCHN_FIFO_MASKED)
#define LINKED         BIT(EVTCHN_FIFO_LINKED)
#define DEFAULT        EVTCHN_FIFO_PRIORITY_DEFAULT
#define CONTROL_OFFSET 128

static event_word_t words[NR_PORTS] page_aligned;
static char control_pages[2][PAGE_SIZE] page_aligned;
static struct evtchn_fifo_control_block *control[2];
static unsigned int array_pages;

/* Events are sent into one port of a channel to itself, and come out of the other. */
struct channel {
    unsigned int from, to;
};
static struct channel a, b, c, late, urgent, moved, masked, drained, closing, wordless, lively;
static unsigned int echoes;

static event_word_t word(unsigned int port)
{
    return READ_ONCE(words[port]);
}

static void unmask(unsigned int port)
{
    __atomic_fetch_and(&words[port], ~MASKED, __ATOMIC_SEQ_CST);
}

static void set_priority(unsigned int port, unsigned int priority)
{
    struct evtchn_set_priority op = {.port = port, .priority = priority};
    long rc = hypercall(event_channel_op, EVTCHNOP_set_priority, &op);

    require(!rc, "priority %u of port %u: %ld", priority, port, rc);
}

static struct channel loopback(unsigned int priority)
{
    long from = alloc_unbound(DOMID_SELF), to;

    require(from > 0, "an unbound port: %ld", from);
    to = bind_interdomain(DOMID_SELF, from);
    require(to > 0, "a channel to itself: %ld", to);
    /* Xen has set it pending, in case that it missed something. */
    words[to] = 0;
    set_priority(to, priority);
    return (struct channel){from, to};
}

static void expand_array(void)
{
    struct evtchn_expand_array op = {.array_gfn = gfn_of((char *)words + array_pages * PAGE_SIZE)};
    long rc = hypercall(event_channel_op, EVTCHNOP_expand_array, &op);

    require(!rc, "page %u of the event array: %ld", array_pages, rc);
    array_pages++;
}

/* The port that a queue of this vCPU begins with, or the one that follows a port. */
static unsigned int head(unsigned int vcpu, unsigned int priority)
{
    return READ_ONCE(control[vcpu]->head[priority]);
}

static unsigned int next(unsigned int port)
{
    return word(port) & EVTCHN_FIFO_LINK_MASK;
}

/*
 * Takes the first event of a queue, as a guest does, and returns its port; 0: there is none. The guest
 * remembers heads by itself: that in the control block counts when the queue was empty.
 */
static unsigned int local_head[2][EVTCHN_FIFO_MAX_QUEUES];

static unsigned int take(unsigned int vcpu, unsigned int priority)
{
    unsigned int port = local_head[vcpu][priority];
    event_word_t old, new;

    if (!port) {
        if (!(__atomic_fetch_and(&control[vcpu]->ready, ~BIT(priority), __ATOMIC_SEQ_CST) &
              BIT(priority)))
            return 0;
        port = head(vcpu, priority);
    }
    old = word(port);
    do
        new = old & ~(LINKED | EVTCHN_FIFO_LINK_MASK);
    while (!__atomic_compare_exchange_n(&words[port], &old, new, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST));
    local_head[vcpu][priority] = old & EVTCHN_FIFO_LINK_MASK;
    __atomic_fetch_and(&words[port], ~PENDING, __ATOMIC_SEQ_CST);
    return port;
}

/* vCPU 1 answers all the time, through queues of its own. */
static void echo(void)
{
    for (;;) {
        if (take(1, 1) == lively.to)
            WRITE_ONCE(echoes, echoes + 1);
        else
            idle();
    }
}

static void set_control(unsigned int vcpu, unsigned int offset)
{
    struct evtchn_init_control op = {.control_gfn = gfn_of(control_pages[vcpu]),
                                     .offset = offset,
                                     .vcpu = vcpu};
    long rc = hypercall(event_channel_op, EVTCHNOP_init_control, &op);

    require(!rc, "control block of vCPU %u: %ld", vcpu, rc);
    control[vcpu] = (void *)(control_pages[vcpu] + offset);
}

/*
 * Up to the last port, which ends a channel; most others are closed again. The array's last page is
 * still missing then: what comes for a port without an event word Xen has to remember.
 */
static void fill(void)
{
    long port;

    wordless.from = alloc_unbound(DOMID_SELF);
    do
        port = alloc_unbound(0);
    while (port > 0 && port < NR_PORTS - 2);
    wordless.to = bind_interdomain(DOMID_SELF, wordless.from);
    require(wordless.to == NR_PORTS - 1, "the last port is %u (%ld)", wordless.to, port);
    for (port = WORDS_A_PAGE; port < NR_PORTS - 1; port++)
        if (port % 100)
            close_port(port);
}

static void prepare(void)
{
    send_port(b.from);
    send_port(a.from);
    send_port(c.from);
    send_port(urgent.from);
    send_port(moved.from);
    set_priority(moved.to, 2);
    __atomic_fetch_or(&words[masked.to], MASKED, __ATOMIC_SEQ_CST);
    send_port(masked.from);
    /* A queue that has been used and is empty: Xen remembers its last port. */
    send_port(drained.from);
    require(take(0, 3) == drained.to, "queue 3 does not begin with port %u", drained.to);
    /* A queue that ends in a port that is closed. */
    send_port(closing.from);
    close_port(closing.to);
}

void setup(void)
{
    for (unsigned int i = 0; i < NR_PORTS; i++)
        words[i] = MASKED;
    set_control(0, 0);
    set_control(1, CONTROL_OFFSET);
    while (array_pages < NR_PORTS / WORDS_A_PAGE - 1)
        expand_array();

    a = loopback(DEFAULT);
    b = loopback(DEFAULT);
    c = loopback(DEFAULT);
    late = loopback(DEFAULT);
    urgent = loopback(EVTCHN_FIFO_PRIORITY_MAX);
    moved = loopback(EVTCHN_FIFO_PRIORITY_MIN);
    masked = loopback(5);
    drained = loopback(3);
    closing = loopback(9);
    lively = loopback(1);
    require(!bind_vcpu(lively.to, 1), "binding to vCPU 1");
    fill();
    require(send_port(wordless.from) == 0, "an event for a port without a word");

    start_vcpu(1, echo);
    prepare();
}

void during(void)
{
    unsigned int seen = READ_ONCE(echoes);

    send_port(lively.from);
    if (!wait_until(20, READ_ONCE(echoes) != seen))
        fail("vCPU 1 does not answer any more, after %u times", seen);
}

static void expect_queue(unsigned int priority, const unsigned int *ports, unsigned int nr)
{
    for (unsigned int i = 0; i < nr; i++) {
        unsigned int port = take(0, priority);

        expect(port == ports[i], "queue %u: port %u at place %u, expected %u", priority, port, i,
               ports[i]);
    }
}

#define QUEUE(priority, ...)                                 \
    expect_queue(priority, (unsigned int[]){__VA_ARGS__, 0}, \
                 ARRAY_SIZE(((unsigned int[]){__VA_ARGS__, 0})))

static void verify_queues(void)
{
    expect(head(0, DEFAULT) == b.to && next(b.to) == a.to && next(a.to) == c.to && !next(c.to),
           "queue 7 is %u %u %u %u", head(0, DEFAULT), next(b.to), next(a.to), next(c.to));
    expect(word(late.to) == 0, "port %u: word %#x", late.to, word(late.to));
    /* Only Xen knows where a queue ends. */
    send_port(late.from);
    expect(next(c.to) == late.to, "a new event was linked to %u", next(c.to));
    QUEUE(DEFAULT, b.to, a.to, c.to, late.to);
    QUEUE(EVTCHN_FIFO_PRIORITY_MAX, urgent.to);

    send_port(drained.from);
    QUEUE(3, drained.to);
}

/* A port whose priority has changed stays in its queue, and goes to another one the next time. */
static void verify_moved(void)
{
    QUEUE(EVTCHN_FIFO_PRIORITY_MIN, moved.to);
    send_port(moved.from);
    QUEUE(EVTCHN_FIFO_PRIORITY_MIN, 0);
    QUEUE(2, moved.to);
    set_priority(moved.to, EVTCHN_FIFO_PRIORITY_MIN);
}

static void verify_masks(void)
{
    expect(word(masked.to) == (PENDING | MASKED), "masked port: word %#x", word(masked.to));
    QUEUE(5, 0);
    unmask_port(masked.to);
    QUEUE(5, masked.to);
}

/* Whoever comes next in the queue follows a port that is closed. */
static void verify_closed(void)
{
    unsigned int old = closing.to;
    struct channel other = loopback(9);

    send_port(other.from);
    QUEUE(9, old, other.to);
    close_port(other.to);
    close_port(other.from);
    close_port(closing.from);
    closing = loopback(9);
}

static void verify_highest(void)
{
    if (array_pages < NR_PORTS / WORDS_A_PAGE) {
        unmask(wordless.to);
        expand_array();
        QUEUE(DEFAULT, wordless.to);
    }
    send_port(wordless.from);
    QUEUE(DEFAULT, wordless.to);
}

void verify(unsigned int round)
{
    (void)round;
    verify_queues();
    verify_moved();
    verify_masks();
    verify_closed();
    verify_highest();
    for (unsigned int i = 0; i <= EVTCHN_FIFO_PRIORITY_MIN; i++)
        QUEUE(i, 0);
    prepare();
}
