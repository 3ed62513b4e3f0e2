/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What several verbs do: signals, the journal, manifests, hooks, metrics, the crash kernel, the check.
 */

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "../lib/internal.h"
#include "cli.h"

/* ---- signals ---- */

volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

void catch_signals(void)
{
    struct sigaction stop = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};

    sigaction(SIGINT, &stop, NULL);
    sigaction(SIGQUIT, &stop, NULL);
    sigaction(SIGTERM, &stop, NULL);
    sigaction(SIGHUP, &ignore, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
}

void release_signals(void)
{
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
}

int stop_if_interrupted(struct cli *c)
{
    if (!interrupted)
        return EXIT_DONE;

    return complain_text(c, EXIT_ERROR, "interrupted", "", "interrupted; nothing has been tried");
}

/* ---- the journal ---- */

/* Whoever only reads is neither kept out nor stopped by what cannot be completed. */
int read_journal(struct cli *c, struct journal *j)
{
    struct record_why why;
    struct xenlu_error err;

    if (!c->lu && xenlu_open(&c->lu, &err))
        c->lu = NULL;
    if (c->lu && !c->dry_run && !journal_open(j, true, &why)) {
        if (journal_complete(j, c->lu, &why))
            warn(c, "the journal could not be completed: %s", why.text);
        return EXIT_DONE;
    }
    if (journal_open(j, false, &why))
        return complain_text(c, EXIT_ERROR, "journal", "run it as root", "the journal: %s",
                             why.text);

    return EXIT_DONE;
}

int take_manifest(struct cli *c, Lu__Manifest **m)
{
    struct xenlu_error err;

    return xenlu_take_manifest(c->lu, m, &err) ? complain(c, &err) : EXIT_DONE;
}

/* ---- hooks ---- */

void base_facts(struct cli *c, struct facts *f)
{
    struct xenlu_status s;
    struct xenlu_error err;

    *f = (struct facts){0};
    if (xenlu_get_status(c->lu, &s, sizeof(s), &err))
        return;
    facts_add(f, "VERSION", "%s", s.version);
    facts_add(f, "CHANGESET", "%s", s.changeset);
    facts_add(f, "GENERATION", "%u", s.generation);
    facts_add(f, "STAGED", "%u", s.staged);
    facts_add(f, "CRASH_KERNEL", "%u", s.crash_loaded);
}

static void first_problem(const char *text, void *data)
{
    struct record_why *why = data;

    if (!why->text[0])
        snprintf(why->text, sizeof(why->text), "%s", text);
}

static void warn_problem(const char *text, void *data)
{
    warn(data, "%s", text);
}

int check_hooks(struct cli *c)
{
    static const char *const refuse[] = {"pre-check", "pre-apply"};
    static const char *const follow[] = {"post-apply", "on-failure"};
    struct record_why why = {0};

    for (size_t i = 0; i < sizeof(refuse) / sizeof(refuse[0]); i++)
        if (hooks_check(refuse[i], &(struct hooks_how){.problem = first_problem, .data = &why}))
            return complain_text(c, EXIT_REFUSED, "hook",
                                 "mend it, or take it out of the directory",
                                 "%s; nothing has been tried", why.text);
    for (size_t i = 0; i < sizeof(follow) / sizeof(follow[0]); i++)
        hooks_check(follow[i], &(struct hooks_how){.problem = warn_problem, .data = c});

    return EXIT_DONE;
}

int run_pre_hooks(struct cli *c, const char *occasion, const struct facts *f)
{
    struct record_why why = {0};
    struct hooks_how how = {.problem = first_problem, .data = &why, .stop = &interrupted};

    if (hooks_run(occasion, f, &how) && !interrupted)
        return complain_text(c, EXIT_REFUSED, "hook", "see what the hook says",
                             "%s; nothing has been tried", why.text);

    return stop_if_interrupted(c);
}

void run_post_hooks(struct cli *c, const char *occasion, const struct facts *f)
{
    hooks_run(occasion, f, &(struct hooks_how){.problem = warn_problem, .data = c});
}

/* ---- the crash kernel ---- */

void crash_kernel_facts(struct cli *c, const Lu__Manifest *before, struct facts *f)
{
    struct xenlu_status s;

    facts_add(f, "CRASH_KERNEL_LOST", "%u",
              before && !xenlu_get_status(c->lu, &s, sizeof(s), NULL) &&
                  host_lost_crash_kernel(before->host, &s));
}

void tell_crash_kernel(struct cli *c, const Lu__Manifest *before, uint32_t id)
{
    struct xenlu_status s;

    if (!before || xenlu_get_status(c->lu, &s, sizeof(s), NULL))
        return;
    json_object_set_new(c->out, "crash_kernel",
                        json_pack("{s:b,s:b}", "before", before->host->crash_kernel, "after",
                                  s.crash_loaded));
    if (!before->host->crash_kernel || s.generation == before->host->generation)
        return;
    xenlu_update_metrics(c->lu);
    if (!host_lost_crash_kernel(before->host, &s)) {
        say(c, "crash kernel: armed again\n");
        return;
    }
    notify_crash_kernel(id);
    warn(c, "the crash kernel that was armed before the update is not any more: until it is loaded "
            "again (kdump-config load, or kexec -p) no crash is caught");
}

/* ---- check ---- */

int check_domains(struct cli *c, FILE *to, const Lu__Manifest *names, const struct xenlu_target *t)
{
    struct xenlu_refusal *list;
    struct xenlu_error err;
    unsigned int nr;

    if (t ? xenlu_check_features(c->lu, t->features, &list, sizeof(*list), &nr, &err)
          : xenlu_check(c->lu, &list, sizeof(*list), &nr, &err))
        return complain(c, &err);
    json_object_set_new(c->out, "refusals", json_refusals(list, nr));
    if (!c->json || to == stderr)
        print_refusals(to, list, nr, names);
    free(list);

    return nr ? EXIT_REFUSED : EXIT_DONE;
}
