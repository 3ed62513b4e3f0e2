/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What people read: lines "key: value", which scripts may pick from as well.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli.h"

#define MIB (1u << 20)

static const char *errno_name(int errnum)
{
    const char *name = strerrorname_np(errnum);

    return name ? name : "?";
}

void format_ms(char *text, size_t size, int64_t ns)
{
    if (ns < 0)
        snprintf(text, size, "-");
    else
        snprintf(text, size, "%" PRId64 ".%03" PRId64 " ms", ns / 1000000, ns / 1000 % 1000);
}

void format_time(char *text, size_t size, int64_t time_ns)
{
    time_t t = time_ns / 1000000000;
    struct tm tm;

    if (!localtime_r(&t, &tm) || !strftime(text, size, "%Y-%m-%d %H:%M:%S", &tm))
        snprintf(text, size, "?");
}

void print_prediction(const struct cli *c, const Lu__Prediction *p)
{
    char pause[32];

    format_ms(pause, sizeof(pause), p->pause_ns);
    say(c, "predicted pause: %s (%s)\n", pause, p->basis);
}

static void say_ms(const struct cli *c, const char *what, int64_t ns)
{
    if (ns >= 0)
        say(c, "%s: %" PRId64 ".%03" PRId64 " ms\n", what, ns / 1000000, ns / 1000 % 1000);
}

void print_status(const struct cli *c, const struct xenlu_status *s)
{
    const char *phase = xenlu_phase_name(s->phase);

    say(c, "xen: %s\n", s->version);
    say(c, "changeset: %s\n", s->changeset);
    say(c, "build id: %s\n", s->build_id[0] ? s->build_id : "-");
    say(c, "generation: %u\n", s->generation);
    say(c, "stream format: writes %u, reads %u to %u\n", s->format, s->format_oldest, s->format);
    if (s->nr_slots) {
        say(c, "region: %" PRIu64 " MiB at 0x%" PRIx64 ", %u slot%s\n", s->region_size / MIB,
            s->region_start, s->nr_slots, s->nr_slots == 1 ? "" : "s");
        say(c, "next slot: %" PRIu64 " MiB at 0x%" PRIx64 "\n", s->slot_size / MIB, s->slot_start);
    } else {
        say(c, "region: none (boot Xen with liveupdate=<size>)\n");
    }
    say(c, "staged: %s\n", s->staged ? "yes" : "no");
    say(c, "phase: %s\n", phase ? phase : "?");
    say(c, "crash kernel: %s\n", s->crash_loaded ? "armed" : "not armed");
    if (c->verbose) {
        say(c, "resources: %u\n", s->nr_resources);
        say(c, "rehearsal: %s\n", s->can_rehearse ? "yes" : "no");
        say(c, "fault injection: %s\n", s->can_fault ? "yes" : "no");
    }
}

void print_target(const struct cli *c, const char *path, const struct xenlu_target *t)
{
    say(c, "target: %s (%s), %s\n", t->version, t->changeset, path);
    say(c, "build id: %s\n", t->build_id[0] ? t->build_id : "-");
    say(c, "needs: %" PRIu64 " MiB\n", t->footprint / MIB);
    if (!c->verbose)
        return;

    say(c, "target stream format: writes %u, reads %u to %u\n", t->format, t->format_oldest,
        t->format);
    for (unsigned int i = 0; i < t->nr_segments; i++)
        say(c, "segment %s: 0x%" PRIx64 " to 0x%" PRIx64 ", CRC-32C %08x\n", t->segment[i].name,
            t->segment[i].start, t->segment[i].start + t->segment[i].size, t->segment[i].crc32c);
    say(c, "entry: 0x%" PRIx64 "\n", t->entry);
    say(c, "command line: %s\n", t->command_line);
}

void print_lost(const struct cli *c, const struct xenlu_target *t)
{
    if (!(t->features & XENLU_FEATURES_KNOWN))
        say(c, "lost: not known (its note does not say what it is built with)\n");
    for (unsigned int i = 0; xenlu_feature_name(i); i++)
        if (t->lost & (1u << i))
            say(c, "lost: %s: %s%s\n", xenlu_feature_name(i), xenlu_feature_use(i),
                c->without & (1u << i) ? " (accepted)" : "");
}

static void print_failure(const struct cli *c, const struct xenlu_result *r)
{
    const char *phase = xenlu_phase_name(r->phase);

    say(c, "error: %s (%s)\n", errno_name(r->errnum), strerror(r->errnum));
    say(c, "failed phase: %s\n", phase ? phase : "?");
    say(c, "failed resource: %s\n", r->resource[0] ? r->resource : "-");
    if (r->domid == XENLU_NO_DOMAIN)
        say(c, "failed domain: -\n");
    else
        say(c, "failed domain: %u\n", r->domid);
    say(c, "reason: %s\n", r->reason);
}

void print_result(const struct cli *c, const struct xenlu_result *r)
{
    char what[32];

    say(c, "state: %s\n", xenlu_state_name(r->state));
    if (r->from[0])
        say(c, "from: %s\n", r->from);
    say(c, "to: %s\n", r->to);
    say(c, "generation: %u\n", r->generation);
    say(c, "attempts: %u\n", r->attempts);
    if (result_undone(r))
        print_failure(c, r);
    if (r->state == XENLU_STATE_NONE)
        return;

    say_ms(c, "pause", r->pause_ns);
    for (unsigned int i = 1; i < XENLU_NR_PHASES && xenlu_phase_name(i); i++) {
        snprintf(what, sizeof(what), "phase %s", xenlu_phase_name(i));
        say_ms(c, what, r->phase_ns[i]);
    }
    say(c, "stream: %" PRIu64 " bytes\n", r->stream_bytes);
    say(c, "records: %" PRIu64 "\n", r->nr_records);
    say(c, "interrupts given again: %" PRIu64 ", on suspicion: %" PRIu64 "\n", r->nr_events,
        r->nr_spurious);
    say(c, "domains: %u\n", r->nr_domains);
    say(c, "vcpus: %u\n", r->nr_vcpus);
}

void print_refusals(FILE *to, const struct xenlu_refusal *list, unsigned int nr,
                    const Lu__Manifest *names)
{
    for (unsigned int i = 0; i < nr; i++) {
        const struct xenlu_refusal *r = &list[i];
        char who[128] = "host";

        if (r->domid != XENLU_NO_DOMAIN && names)
            manifest_name(names, r->domid, who, sizeof(who));
        else if (r->domid != XENLU_NO_DOMAIN)
            snprintf(who, sizeof(who), "domain %u", r->domid);
        fprintf(to, "refused: %s: %s: %s (%s)\n", who, r->resource[0] ? r->resource : "-",
                r->reason, errno_name(r->errnum));
    }
}
