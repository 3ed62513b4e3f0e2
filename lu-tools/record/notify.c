/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whom updates are told to: the system's log, and node_exporter.
 *
 * Messages go to systemd's journal in its native protocol (a datagram of
 * "FIELD=value" lines), with an id that never changes; without a journal to syslog.
 *
 * Not by sd_journal_send(): without a journal it says that all is well, and it waits for one
 * that takes no more; an update must not be held up by its log.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "record.h"

#ifndef JOURNAL_SOCKET /* a test has its own */
#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#endif

/* Documented in xen-liveupdate(8). */
static const char id_begin[] = "344d96443c10434cb84af342be38d982";
static const char id_done[] = "eced5237c01646c7822d166a6b4c3a0c";
static const char id_failed[] = "4f13d1fe1a614084bd6e2f3ff25a447f";
static const char id_returned[] = "540513d078624837bf0260859e12868e";
static const char id_lost[] = "4ac54396285e4ad9a0fcc2ccf153fd87";
static const char id_not_known[] = "1534b03ff7fe4318975916c00cbf350d";
static const char id_rehearsed[] = "a919c3a347cf4926a5ca6184379d5b5a";
static const char id_crash_kernel[] = "387da35ee4fd4ab59dc926fe1c6f4771";

struct message {
    char *text;
    size_t size;
    FILE *to;
};

/* False: there is no journal.  No value has a newline. */
static bool to_journal(const char *id, int priority, const char *text, uint32_t number,
                       const Lu__Result *r)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = JOURNAL_SOCKET};
    struct message m = {0};
    bool sent;
    int fd;

    m.to = open_memstream(&m.text, &m.size);
    if (!m.to)
        return false;
    fprintf(m.to,
            "MESSAGE_ID=%s\nPRIORITY=%d\nSYSLOG_IDENTIFIER=xen-liveupdate\nMESSAGE=%s\n"
            "XEN_LIVEUPDATE_ID=%u\n",
            id, priority, text, number);
    if (r)
        fprintf(m.to, "XEN_LIVEUPDATE_GENERATION=%u\nXEN_LIVEUPDATE_PAUSE_NS=%" PRId64 "\n",
                r->generation, r->pause_ns);
    if (fclose(m.to)) {
        free(m.text);
        return false;
    }

    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sent = fd >= 0 && sendto(fd, m.text, m.size, MSG_NOSIGNAL | MSG_DONTWAIT,
                             (struct sockaddr *)&address, sizeof(address)) >= 0;
    /* It takes no more, and syslog(3), whose socket is the journal's as well, would wait for it. */
    if (fd >= 0 && !sent && errno == EAGAIN)
        sent = true;
    if (fd >= 0)
        close(fd);
    free(m.text);

    return sent;
}

static void tell(const char *id, int priority, uint32_t number, const Lu__Result *r, char *text)
{
    /* Behind a newline there would be another field. */
    for (char *c = text; *c; c++)
        if (*c == '\n')
            *c = ' ';
    if (to_journal(id, priority, text, number, r))
        return;
    openlog("xen-liveupdate", LOG_PID, LOG_DAEMON);
    syslog(priority, "%s [%s]", text, id);
    closelog();
}

void notify_begin(const Lu__Begin *begin)
{
    const Lu__Host *h = begin->before->host;
    char text[256];

    if (begin->plan->kind == LU__KIND__REHEARSAL)
        return;
    snprintf(text, sizeof(text), "live update %u of Xen %s begins, %zu domains", begin->id,
             h->version, begin->before->n_domains);
    tell(id_begin, LOG_NOTICE, begin->id, NULL, text);
}

void notify_end(const Lu__Begin *begin, const Lu__End *end)
{
    static const struct {
        const char *id;
        int priority;
    } how[] = {
        [LU__OUTCOME__DONE] = {id_done, LOG_NOTICE},
        [LU__OUTCOME__FAILED] = {id_failed, LOG_ERR},
        [LU__OUTCOME__NOT_TRIED] = {id_failed, LOG_ERR},
        [LU__OUTCOME__RETURNED] = {id_returned, LOG_ERR},
        [LU__OUTCOME__LOST] = {id_lost, LOG_CRIT},
        [LU__OUTCOME__NOT_KNOWN] = {id_not_known, LOG_WARNING},
        [LU__OUTCOME__REHEARSED] = {id_rehearsed, LOG_INFO},
    };
    struct attempt a = {begin, end};
    char text[512];

    if (end->outcome >= sizeof(how) / sizeof(how[0]) || !how[end->outcome].id)
        return;
    snprintf(text, sizeof(text), "live %s %u: %s: %s",
             begin->plan->kind == LU__KIND__REHEARSAL ? "update rehearsal" : "update", begin->id,
             journal_outcome(&a), end->message);
    tell(how[end->outcome].id, how[end->outcome].priority, begin->id, end->result, text);
}

void notify_crash_kernel(uint32_t id)
{
    char text[] = "the crash kernel is not armed since the live update: load it again";

    tell(id_crash_kernel, LOG_WARNING, id, NULL, text);
}

/* ---- metrics ---- */

static void gauge(FILE *f, const char *name, const char *help, double value)
{
    fprintf(f,
            "# HELP xen_liveupdate_%s %s\n# TYPE xen_liveupdate_%s gauge\nxen_liveupdate_%s %.9g\n",
            name, help, name, name, value);
}

/* One sample for each outcome, of which one is 1. */
static void outcome_gauge(FILE *f, const struct attempt *last)
{
    static const char name[] = "xen_liveupdate_last_result";

    fprintf(f, "# HELP %s What became of the last update: 1 for the one that applies.\n", name);
    fprintf(f, "# TYPE %s gauge\n", name);
    for (int o = LU__OUTCOME__UNDER_WAY; o <= LU__OUTCOME__RETURNED; o++) {
        Lu__End end = {.outcome = o};
        struct attempt a = {NULL, &end};
        bool is =
            last && (last->end ? last->end->outcome : LU__OUTCOME__UNDER_WAY) == (Lu__Outcome)o;

        if (o == LU__OUTCOME__REHEARSED)
            continue;
        fprintf(f, "%s{outcome=\"%s\"} %d\n", name, journal_outcome(&a), is);
    }
}

static void write_metrics(FILE *f, const struct xenlu_status *s, const struct journal *j)
{
    const struct attempt *last = journal_find(j, 0, LU__KIND__UPDATE);
    const Lu__Result *r = last && last->end ? last->end->result : NULL;

    gauge(f, "generation", "Live updates since the host booted.", s->generation);
    gauge(f, "staged", "1 if a target is staged.", s->staged);
    gauge(f, "region_bytes", "Memory set aside for targets.", s->region_size);
    gauge(f, "crash_kernel_armed", "1 if a crash kernel is loaded.", s->crash_loaded);
    gauge(f, "crash_kernel_lost", "1 if one was loaded before the last update and is not since.",
          journal_lost_crash_kernel(j, s));
    outcome_gauge(f, last);
    if (last)
        gauge(f, "last_begin_timestamp_seconds", "When the last update began.",
              last->begin->time_ns / 1e9);
    if (r && r->pause_ns >= 0)
        gauge(f, "last_pause_seconds", "How long domains stood still in the last update.",
              r->pause_ns / 1e9);
    if (r)
        gauge(f, "last_stream_bytes", "What the last update handed over.", r->stream_bytes);
}

int metrics_write(const struct xenlu_status *s, const struct journal *j, struct record_why *why)
{
    const char *dir = record_dir("XEN_LIVEUPDATE_METRICS", METRICS_DIR);
    struct message m = {0};
    char path[PATH_MAX];
    int rc;

    if (access(dir, F_OK))
        return 0;
    snprintf(path, sizeof(path), "%s/xen_liveupdate.prom", dir);
    m.to = open_memstream(&m.text, &m.size);
    if (!m.to)
        return record_fail(why, ENOMEM, "no memory");
    write_metrics(m.to, s, j);
    /* The collector reads *.prom only, so it never sees half of one. */
    rc = fclose(m.to) ? record_fail(why, ENOMEM, "no memory")
                      : record_replace(path, 0644, m.text, m.size, why);
    free(m.text);

    return rc;
}
