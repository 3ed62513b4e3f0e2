/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The console: a ring in a page that dom0's xenconsoled serves. Lines go out, and what comes in is
 * the word that an update is over: a newline. It is seen without a hypercall.
 */
#include "internal.h"

#include <xen/io/console.h>

static struct xencons_interface *ring;
static unsigned int console_port;
static unsigned int lock;

const char *command_line = "";

unsigned int console_channel(void)
{
    return console_port;
}

void set_console_channel(unsigned int port)
{
    console_port = port;
}

void console_init(struct xencons_interface *r, unsigned int port)
{
    ring = r;
    console_port = port;
    /* Nobody waits for it, but it must not wake those who wait for something else. */
    set_port_masked(port, true);
}

static void put(const char *text, size_t n)
{
    while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
        cpu_relax();
    for (; n; n--, text++) {
        while (ring->out_prod - READ_ONCE(ring->out_cons) >= sizeof(ring->out)) {
            send_port(console_port);
            hypercall(sched_op, SCHEDOP_yield, NULL);
        }
        ring->out[MASK_XENCONS_IDX(ring->out_prod, ring->out)] = *text;
        mb();
        ring->out_prod++;
    }
    __atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
    send_port(console_port);
}

static void vsay(const char *start, const char *fmt, va_list ap)
{
    char line[256];
    size_t n = strlen(start);

    memcpy(line, start, n);
    n += format(line + n, sizeof(line) - n - 1, fmt, ap);
    if (n > sizeof(line) - 2)
        n = sizeof(line) - 2;
    line[n++] = '\n';
    put(line, n);
}

void say(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsay("", fmt, ap);
    va_end(ap);
}

const uint32_t *console_input(void)
{
    return &ring->in_prod;
}

bool update_is_over(void)
{
    bool over = false;
    XENCONS_RING_IDX cons = ring->in_cons;

    if (READ_ONCE(ring->in_prod) == cons)
        return false;
    mb();
    for (; cons != READ_ONCE(ring->in_prod); cons++)
        if (ring->in[MASK_XENCONS_IDX(cons, ring->in)] == '\n')
            over = true;
    mb();
    ring->in_cons = cons;
    send_port(console_port);
    return over;
}

/* --- Results --- */

static char reason[160];
static unsigned int failures;

void fail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    if (__atomic_fetch_add(&failures, 1, __ATOMIC_SEQ_CST) == 0)
        format(reason, sizeof(reason), fmt, ap);
    else if (failures <= 20) {
        /* A whole table gone wrong is not worth more lines. */
        vsay("also: ", fmt, ap);
    }
    va_end(ap);
}

void give_up(const char *fmt, ...)
{
    char text[200];
    va_list ap;

    va_start(ap, fmt);
    format(text, sizeof(text), fmt, ap);
    va_end(ap);
    say("FAIL: %s", text);
    halt();
}

__attribute__((weak)) void during(void)
{
    idle();
}

void guest_main(void)
{
    setup();
    for (unsigned int round = 1;; round++) {
        failures = 0;
        say("ready %u", round);
        while (!update_is_over())
            during();
        verify(round);
        if (failures)
            say("FAIL %u: %s", round, reason);
        else
            say("PASS %u", round);
    }
}
