/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The target's command line.
 *
 * Most options of Xen shape what domains see or what the stream describes (CPUs,
 * IOMMU, memory, consoles): a target with another value would not be the host
 * that the domains know.  So the source's line is taken over as it is, and only
 * options that are known to be harmless can be added.
 *
 * The line is split as Xen does it (parse_params() in common/kernel.c): at
 * spaces, "key=value" or "key" or "no-key".
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lu-kexec.h"

#define MIB (1u << 20)

/* Options without effect on domains and on what crosses (docs/misc/xen-command-line). */
static const char *const harmless[] = {
    "apic_verbosity",
    "async-show-all",
    "bootscrub",
    "bootscrub_chunk",
    "conring_size",
    "console_timestamps",
    "console_to_ring",
    "cpuidle",
    "cpuinfo",
    "crash-debug-debugkey",
    "crash-debug-hwdom",
    "crash-debug-kexeccmd",
    "crash-debug-panic",
    "crash-debug-watchdog",
    "debug_stack_lines",
    "debugtrace",
    "e820-verbose",
    "guest_loglvl",
    "idle_latency_factor",
    "loglvl",
    "max_cstate",
    "mce_verbosity",
    "mtrr.show",
    "mwait-idle",
    "noreboot",
    "preferred-cstates",
    "rcu-idle-timer-period-ms",
    "reboot",
    "scrub-domheap",
    "serial_tx_buffer",
    "sync_console",
    "watchdog",
    "watchdog_timeout",
};

/* One option: a piece of a command line. */
struct option {
    const char *text;
    size_t len;      /* of all of it */
    const char *key; /* without "no-" */
    size_t key_len;
};

/* The next option at *line, which is moved behind it; false at the end. */
static bool next_option(const char **line, struct option *o)
{
    const char *p = *line + strspn(*line, " ");

    o->text = p;
    o->len = strcspn(p, " ");
    *line = p + o->len;

    o->key = o->text;
    o->key_len = strcspn(o->text, " =");
    /* "no-real-mode" is the one name that starts like a negation. */
    if (o->key_len > 3 && !strncmp(o->key, "no-", 3) && strncmp(o->key, "no-real-mode", 12)) {
        o->key += 3;
        o->key_len -= 3;
    }

    return o->len;
}

static bool key_is(const struct option *o, const char *key)
{
    return o->key_len == strlen(key) && !strncmp(o->key, key, o->key_len);
}

/* The last option of @line with the same key as @o: the one that counts. */
static bool same_in(const char *line, const struct option *o)
{
    struct option p;
    bool same = false;

    while (next_option(&line, &p))
        if (p.key_len == o->key_len && !strncmp(p.key, o->key, o->key_len))
            same = p.len == o->len && !strncmp(p.text, o->text, o->len);

    return same;
}

static bool is_harmless(const struct option *o)
{
    for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
        if (key_is(o, harmless[i]))
            return true;

    return false;
}

struct line {
    char *out;
    size_t used;
    bool full;
};

static void add(struct line *l, const char *text, size_t len)
{
    size_t space = l->used ? 1 : 0;

    if (l->full || l->used + space + len >= LU_CMDLINE_MAX) {
        l->full = true;
        return;
    }
    if (space)
        l->out[l->used++] = ' ';
    memcpy(l->out + l->used, text, len);
    l->used += len;
    l->out[l->used] = '\0';
}

static enum lu_kexec_error append_options(struct line *l, const char *source, const char *append,
                                          struct lu_kexec_why *why)
{
    struct option o;

    while (next_option(&append, &o)) {
        /* No change, or one that is made in any case. */
        if (same_in(source, &o) || key_is(&o, "no-real-mode"))
            continue;
        if (key_is(&o, "liveupdate"))
            return lu_kexec_complain(
                why, LU_KEXEC_CMDLINE_OPTION,
                "option \"%.*s\": the region is handed on by the update itself", (int)o.len,
                o.text);
        if (!is_harmless(&o))
            return lu_kexec_complain(why, LU_KEXEC_CMDLINE_OPTION,
                                     "option \"%.*s\" may not change in a live update: domains, or "
                                     "what is handed over, could depend on \"%.*s\"",
                                     (int)o.len, o.text, (int)o.key_len, o.key);
        add(l, o.text, o.len);
    }

    return LU_KEXEC_OK;
}

/*
 * The target looks for the handover page where the option says that the region
 * starts, and learns about all slots from that page: so this is its own slot, as
 * kexec-tools has it, too.
 */
static void add_region(struct line *l, const struct lu_place *place)
{
    char text[64];
    int n = snprintf(text, sizeof(text), "liveupdate=%" PRIu64 "M@%#" PRIx64,
                     place->slot_size / MIB, place->slot_start);

    add(l, text, n);
}

enum lu_kexec_error lu_cmdline_derive(char out[LU_CMDLINE_MAX], const char *source,
                                      const char *append, const struct lu_place *place,
                                      struct lu_kexec_why *why)
{
    struct line l = {.out = out};
    enum lu_kexec_error error = LU_KEXEC_OK;
    const char *p = source;
    bool real_mode = true;
    struct option o;

    out[0] = '\0';
    if (strlen(source) >= LU_CMDLINE_MAX - 1)
        return lu_kexec_complain(why, LU_KEXEC_CMDLINE_LENGTH,
                                 "the running Xen keeps only %u bytes of its command line, so its "
                                 "end is not known",
                                 LU_CMDLINE_MAX - 1);

    while (next_option(&p, &o)) {
        real_mode = real_mode && !key_is(&o, "no-real-mode");
        if (!key_is(&o, "liveupdate"))
            add(&l, o.text, o.len);
    }
    if (append)
        error = append_options(&l, source, append, why);
    if (error)
        return error;

    /* BIOS calls would disturb hardware that domains drive. */
    if (real_mode)
        add(&l, "no-real-mode", strlen("no-real-mode"));
    add_region(&l, place);
    if (l.full)
        return lu_kexec_complain(why, LU_KEXEC_CMDLINE_LENGTH,
                                 "the target's command line would be longer than the %u bytes that "
                                 "Xen keeps",
                                 LU_CMDLINE_MAX - 1);

    return LU_KEXEC_OK;
}
