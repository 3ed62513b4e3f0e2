/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: the console.  Part of drivers/char/console.c.
 *
 * A serial line takes 90 us for each character: what Xen has to say during an
 * update would cost more than the update.  While the console is held, text goes
 * into the ring only ("xl dmesg"); after the release it is sent in small
 * portions, and what is printed meanwhile waits for its turn.  A crash sends
 * everything at once.
 *
 * The source holds from the first paused vCPU to the jump, the target from the
 * first line to the first running vCPU.  The target keeps away from the screen
 * altogether: it is dom0's by then.  "vga=keep" thus ends with a live update.
 *
 * The end of the source's ring and its position travel in an optional record,
 * so that "xl dmesg" tells the whole story and incremental readers go on where
 * they were.  So do log levels, and what was typed for dom0 but not yet read.
 * What is typed during the update is dom0's, too: taken for Xen's debug keys, a
 * line of shell could reboot the host.
 *
 * Carried: the console's ring (its last 16 KiB), who gets typed input, log
 * levels.
 */

#include <xen/liveupdate.h>

/* Print at once, whatever it costs: for debugging. */
static bool __read_mostly opt_verbose;
boolean_param("liveupdate-verbose", opt_verbose);

/* Sent per period: what 115200 baud and the transmit buffer can swallow. */
#define DRAIN_CHUNK   128
#define DRAIN_BURST   2048
#define DRAIN_PERIOD  MILLISECS(100)

/* Part of the ring that a stream carries. */
#define RING_TAIL     16384

/* All protected by console_lock. */
static bool held;               /* text is kept back */
static bool draining;           /* ... but on its way out */
static uint32_t held_from;      /* position in the ring: not sent from here on */

static struct timer drain_timer;

void liveupdate_console_hold(void)
{
    unsigned long flags;

    if ( opt_verbose )
        return;

    flags = console_lock_recursive_irqsave();
    if ( !held )
    {
        held = true;
        held_from = conringp;
    }
    draining = false;
    console_unlock_recursive_irqrestore(flags);
}

bool liveupdate_console_held(void)
{
    return held;
}

/* Copies ring content to @buf; returns how much. */
static unsigned int ring_read(uint32_t from, char *buf, unsigned int len)
{
    unsigned int i;

    len = min_t(uint32_t, len, conringp - from);
    for ( i = 0; i < len; i++ )
        buf[i] = conring[CONRING_IDX_MASK(from + i)];

    return len;
}

/* Sends the next piece; returns whether there is more.  Ends the hold if not. */
static bool drain_chunk(void)
{
    char buf[DRAIN_CHUNK];
    unsigned int len;

    ASSERT(rspin_is_locked(&console_lock));

    /* Overtaken: the rest is lost here, as it is in the ring. */
    if ( conringp - held_from > conring_size )
        held_from = conringp - conring_size;

    len = ring_read(held_from, buf, sizeof(buf));
    console_output(buf, len);
    held_from += len;
    held = held_from != conringp;

    return held;
}

static void cf_check drain(void *unused)
{
    unsigned int sent;

    for ( sent = 0; sent < DRAIN_BURST; sent += DRAIN_CHUNK )
    {
        bool more;

        nrspin_lock_irq(&console_lock);
        more = held && draining && drain_chunk();
        nrspin_unlock_irq(&console_lock);

        if ( !more )
            return;
    }

    set_timer(&drain_timer, NOW() + DRAIN_PERIOD);
}

void liveupdate_console_release(void)
{
    if ( !held )
        return;
    draining = true;

    /* Nobody has been told of the new text in the ring. */
    tasklet_schedule(&notify_dom0_con_ring_tasklet);

    /* Not at once: the domains come first. */
    if ( !drain_timer.function )
        init_timer(&drain_timer, drain, NULL, 0);
    set_timer(&drain_timer, NOW() + DRAIN_PERIOD);
}

unsigned int liveupdate_console_tail(char *buf, unsigned int len)
{
    len = min(len, min(conring_size, conringp - conringc));

    return ring_read(conringp - len, buf, len);
}

/* Crash: everything out, now; if it is one. */
void liveupdate_console_flush(void)
{
    unsigned long flags;

    if ( liveupdate_can_go_back() )
        return;

    flags = console_lock_recursive_irqsave();

    while ( held && drain_chunk() )
        continue;

    console_unlock_recursive_irqrestore(flags);
}

/* console_init_preirq() */
void __init liveupdate_console_init(void)
{
    liveupdate_console_hold();
    console_rx = 1;
}

/*
 * The resource
 */

static struct lu_console source_console;
static bool restored;           /* ... is valid */

static int cf_check check_console(struct domain *d)
{
    /* To start these takes long, and resets a controller under dom0's feet. */
    if ( sercon_handle != -1 &&
         ((sercon_handle & SERHND_IDX) == SERHND_DBGP ||
          (sercon_handle & SERHND_IDX) == SERHND_XHCI) )
        return liveupdate_refuse(NULL, -EOPNOTSUPP,
                                 "the console is on a USB debug port");

    return 0;
}

static void save_typed(struct lu_console *r)
{
    uint32_t i;

    r->nr_typed = serial_rx_prod - serial_rx_cons;
    for ( i = 0; i < r->nr_typed; i++ )
        r->typed[i] = serial_rx_ring[SERIAL_RX_MASK(serial_rx_cons + i)];
}

static int cf_check save_console(struct lu_writer *w, struct domain *d)
{
    struct lu_console *r = lu_record_begin(w, LU_REC_CONSOLE, 0, 0);
    unsigned long flags;
    uint32_t len;
    char *text;

    if ( !r )
        return -ENOSPC;

    r->input = console_rx;
    r->loglvl = xenlog_lower_thresh;
    r->loglvl_rate = xenlog_upper_thresh;
    r->guest_loglvl = xenlog_guest_lower_thresh;
    r->guest_loglvl_rate = xenlog_guest_upper_thresh;
    save_typed(r);

    flags = console_lock_recursive_irqsave();
    r->position = conringp;
    len = min_t(uint32_t, conringp - conringc, RING_TAIL);
    text = lu_record_entries(w, len);
    if ( text )
        ring_read(conringp - len, text, len);
    console_unlock_recursive_irqrestore(flags);

    if ( !text )
        return -ENOSPC;
    lu_record_end(w);

    return 0;
}

/* In front of what came in since: nobody has read any of it yet. */
static void plan_typed(void)
{
    uint32_t i, room = SERIAL_RX_SIZE - (serial_rx_prod - serial_rx_cons);
    uint32_t nr = min(source_console.nr_typed, room);

    BUILD_BUG_ON(sizeof(source_console.typed) < SERIAL_RX_SIZE);

    for ( i = 0; i < nr; i++ )
        serial_rx_ring[SERIAL_RX_MASK(serial_rx_cons - nr + i)] =
            source_console.typed[i];
    serial_rx_cons -= nr;
}

/* The source's text first, then what this Xen has said up to now. */
static int cf_check plan_console(struct domain *d)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_CONSOLE, LU_ANY_DOMID);
    uint32_t shift, len;
    unsigned long flags;
    char *own;

    if ( !r )
        return 0;
    LU_FIXED(r, &source_console);

    own = xmalloc_array(char, conring_size);
    if ( !own )
        return liveupdate_refuse(NULL, -ENOMEM, "no memory to move the ring");

    flags = console_lock_recursive_irqsave();
    len = ring_read(conringc, own, conring_size);
    shift = source_console.position - conringc;
    conringc = conringp = source_console.position - r->nr;
    conring_puts(lu_record_bytes(r), r->nr);
    conring_puts(own, len);
    held_from += shift;
    console_unlock_recursive_irqrestore(flags);

    xfree(own);
    plan_typed();
    restored = true;

    return 0;
}

static void set_loglvl(int *lower, int *upper, uint8_t l, uint8_t u, char *val)
{
    *lower = min_t(uint8_t, l, 4);
    *upper = min_t(uint8_t, u, 4);
    xenlog_update_val(*lower, *upper, val);
}

/* Behind console_endboot(). */
static void cf_check resume_console(struct domain *d)
{
    const struct lu_console *s = &source_console;

    if ( serial_rx_prod != serial_rx_cons )
        send_global_virq(VIRQ_CONSOLE);

    if ( !restored )
        return;
    if ( s->input <= max_init_domid + 1 )
        console_rx = s->input;
    set_loglvl(&xenlog_lower_thresh, &xenlog_upper_thresh,
               s->loglvl, s->loglvl_rate, xenlog_val);
    set_loglvl(&xenlog_guest_lower_thresh, &xenlog_guest_upper_thresh,
               s->guest_loglvl, s->guest_loglvl_rate, xenlog_guest_val);
}

const struct liveupdate_resource liveupdate_res_console = {
    .name = "console",
    .host = true,
    .check = check_console,
    .save = save_console,
    .plan = plan_console,
    .resume = resume_console,
};
