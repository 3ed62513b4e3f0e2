/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tickwatch STATUS [MS]: watches time from inside a domain.
 *
 * Sleeps about MS milliseconds (default: 1) over and over and looks at the clocks. A pause of
 * the whole domain shows as a gap between two samples. Reported:
 *   max_gap_us      the largest gap: the pause as this domain saw it
 *   second_gap_us   the next one, to tell the pause from a busy machine
 *   gaps            how many gaps were longer than 100 ms
 *   backwards       how often CLOCK_MONOTONIC went back (must be 0)
 *   wall_backwards  the same of CLOCK_REALTIME
 *   wall_shift_us   how far CLOCK_REALTIME moved against CLOCK_MONOTONIC
 *   timer_lost      periods that timerfds of 1, 10 and 100 ms never counted.
 *                   The kernel counts the periods that passed during a pause,
 *                   so a pause loses none: what is missing was lost otherwise.
 *   timer_gained    periods that they counted before their time had come
 *   timer_late_us   how long after its time an expiry was seen, at most
 *   samples, elapsed_us
 */
#include "common.h"

#include <stdbool.h>
#include <sys/timerfd.h>

#define NS_PER_MS   1000000L
#define LONG_GAP_NS 100000000LL
#define REPORT_NS   (NS_PER_SEC / 4)
#define LAST_NS     NS_PER_SEC

/* A periodic timer. Its expiries are due at start + period, start + 2 * period, ... */
struct wheel {
    int64_t period, start;
    int fd;
    int64_t counted, lost, gained, late;
};

#define WHEELS 3
static const int64_t periods[WHEELS] = {1000000, 10000000, 100000000};

struct watch {
    int64_t start, last, max_gap, second_gap;
    uint64_t samples, gaps, backwards, wall_backwards;
    int64_t wall_offset, wall_shift, wall_last;
    struct wheel wheels[WHEELS];
};

static int64_t magnitude(int64_t v)
{
    return v < 0 ? -v : v;
}

static void start_wheel(struct wheel *t, int64_t period)
{
    struct itimerspec spec = {
        .it_interval = {.tv_sec = period / NS_PER_SEC, .tv_nsec = period % NS_PER_SEC},
    };

    t->period = period;
    t->start = now_ns(CLOCK_MONOTONIC);
    spec.it_value.tv_sec = (t->start + period) / NS_PER_SEC;
    spec.it_value.tv_nsec = (t->start + period) % NS_PER_SEC;
    t->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (t->fd < 0 || timerfd_settime(t->fd, TFD_TIMER_ABSTIME, &spec, NULL)) {
        perror("tickwatch: timerfd");
        exit(1);
    }
}

/*
 * A read that succeeds brings the count up to that moment, however late the
 * interrupt was: so it must agree with the clock to the period.
 */
static bool read_wheel(struct wheel *t)
{
    int64_t before = now_ns(CLOCK_MONOTONIC), next = t->start + (t->counted + 1) * t->period;
    int64_t after, due;
    uint64_t count;

    if (read(t->fd, &count, sizeof(count)) != sizeof(count))
        return false;
    after = now_ns(CLOCK_MONOTONIC);
    t->counted += (int64_t)count;

    due = (before - t->start) / t->period - t->counted;
    if (due > t->lost)
        t->lost = due;
    due = t->counted - (after - t->start) / t->period;
    if (due > t->gained)
        t->gained = due;
    if (before - next > t->late)
        t->late = before - next;
    return true;
}

/* What a timer that no longer expires has failed to count. */
static void read_wheel_at_last(struct wheel *t)
{
    const struct timespec nap = {.tv_nsec = NS_PER_MS};
    int64_t until = now_ns(CLOCK_MONOTONIC) + LAST_NS, due;

    while (!read_wheel(t)) {
        if (now_ns(CLOCK_MONOTONIC) > until) {
            due = (until - t->start) / t->period - t->counted;
            t->lost = due > t->lost ? due : t->lost;
            return;
        }
        nanosleep(&nap, NULL);
    }
}

static void sample(struct watch *w)
{
    /* Twice, and the smaller: being descheduled between two reads is no shift. */
    int64_t shift = INT64_MAX, now, wall, gap;

    for (int i = 0; i < 2; i++) {
        int64_t mono = now_ns(CLOCK_MONOTONIC);
        int64_t s = now_ns(CLOCK_REALTIME) - mono - w->wall_offset;

        if (magnitude(s) < magnitude(shift))
            shift = s;
    }
    if (magnitude(shift) > magnitude(w->wall_shift))
        w->wall_shift = shift;

    wall = now_ns(CLOCK_REALTIME);
    if (wall < w->wall_last)
        w->wall_backwards++;
    w->wall_last = wall;

    now = now_ns(CLOCK_MONOTONIC);
    gap = now - w->last;
    w->last = now;
    w->samples++;
    if (gap < 0)
        w->backwards++;
    if (gap > LONG_GAP_NS)
        w->gaps++;
    if (gap > w->max_gap) {
        w->second_gap = w->max_gap;
        w->max_gap = gap;
    } else if (gap > w->second_gap)
        w->second_gap = gap;

    for (int i = 0; i < WHEELS; i++)
        read_wheel(&w->wheels[i]);
}

static void report(const struct watch *w, const char *path)
{
    int64_t lost = 0, gained = 0, late = 0;

    for (int i = 0; i < WHEELS; i++) {
        lost += w->wheels[i].lost;
        gained += w->wheels[i].gained;
        late = w->wheels[i].late > late ? w->wheels[i].late : late;
    }
    write_status(path,
                 "max_gap_us=%lld second_gap_us=%lld gaps=%llu backwards=%llu wall_backwards=%llu "
                 "wall_shift_us=%lld timer_lost=%lld timer_gained=%lld timer_late_us=%lld "
                 "samples=%llu elapsed_us=%lld\n",
                 (long long)w->max_gap / 1000, (long long)w->second_gap / 1000,
                 (unsigned long long)w->gaps, (unsigned long long)w->backwards,
                 (unsigned long long)w->wall_backwards, (long long)w->wall_shift / 1000,
                 (long long)lost, (long long)gained, (long long)late / 1000,
                 (unsigned long long)w->samples, (long long)(w->last - w->start) / 1000);
}

int main(int argc, char **argv)
{
    struct timespec nap = {.tv_nsec = NS_PER_MS};
    struct watch w = {0};
    int64_t reported;

    if (argc != 2 && argc != 3)
        usage("tickwatch STATUS [MS]");
    if (argc == 3)
        nap.tv_nsec = NS_PER_MS * strtoul(argv[2], NULL, 0);
    if (nap.tv_nsec <= 0 || nap.tv_nsec >= NS_PER_SEC)
        usage("tickwatch STATUS [MS]");
    stop_on_sigterm();

    w.start = w.last = reported = now_ns(CLOCK_MONOTONIC);
    w.wall_last = now_ns(CLOCK_REALTIME);
    w.wall_offset = w.wall_last - now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < WHEELS; i++)
        start_wheel(&w.wheels[i], periods[i]);

    while (!stop_requested) {
        nanosleep(&nap, NULL);
        sample(&w);
        if (w.last - reported > REPORT_NS) {
            report(&w, argv[1]);
            reported = w.last;
        }
    }
    for (int i = 0; i < WHEELS; i++)
        read_wheel_at_last(&w.wheels[i]);
    report(&w, argv[1]);
    return 0;
}
