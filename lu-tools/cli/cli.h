/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xen-liveupdate: what its files share.
 *
 * A verb does its work, tells people on stdout (print_*() in text.c) and puts
 * the same facts into one JSON object (json_*() in json.c), which main() prints
 * in their place with --json.  Errors go to stderr in either case.
 */
#ifndef CLI_H
#define CLI_H

#include <signal.h>
#include <stdbool.h>

#include <stdio.h>

#include <jansson.h>

#include "../record/record.h"
#include "xenliveupdate.h"

/* Exit codes. */
enum {
    EXIT_DONE = 0,
    EXIT_ERROR = 1,    /* nothing has been tried */
    EXIT_BUSY = 2,     /* try again */
    EXIT_REFUSED = 3,  /* nothing has been tried */
    EXIT_FAILED = 4,   /* tried, and everything is as it was */
    EXIT_UNKNOWN = 5,  /* what became of it, or of who was there */
    EXIT_LOST = 6,     /* another Xen runs, and something is missing */
    EXIT_RETURNED = 7, /* the target refused and came back: as it was, but nothing is staged */
    EXIT_USAGE = 64,   /* as in sysexits.h */
};

struct cli {
    bool json, quiet, verbose, dry_run, help, version;
    const char *verb;          /* as it was called; NULL: none */
    const char *append;        /* --append */
    uint32_t without;          /* --without, bits of features */
    const char *format;        /* --format */
    unsigned int timeout;      /* --timeout, seconds */
    unsigned int max_pause_ms; /* --max-pause, 0: any */
    bool last, rehearsed;      /* --last, --rehearsed */
    char **args;               /* behind the verb */
    int nr_args;

    struct xenlu *lu;
    json_t *out; /* the verb's facts */
};

/* Text that people read, unless --json or --quiet. */
void say(const struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* One error on stderr, and in the JSON object; returns the exit code for it. */
int complain(struct cli *c, const struct xenlu_error *err);
/* The same for an error that is not the library's; @code never changes, @advice may be "". */
int complain_text(struct cli *c, int exit_code, const char *code, const char *advice,
                  const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* Wrong use; who asks further is told where. */
int complain_usage(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Something that does not keep the verb from being done. */
void warn(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* ---- text.c ---- */

void print_status(const struct cli *c, const struct xenlu_status *s);
void print_target(const struct cli *c, const char *path, const struct xenlu_target *t);
/* What it lacks that the running Xen has, a line each, or that this is not known. */
void print_lost(const struct cli *c, const struct xenlu_target *t);
void print_result(const struct cli *c, const struct xenlu_result *r);
/* "refused: domain 3: grant: reason (EOPNOTSUPP)" for each. */
void print_refusals(FILE *to, const struct xenlu_refusal *list, unsigned int nr,
                    const Lu__Manifest *names);
/* "41.234 ms" */
void format_ms(char *text, size_t size, int64_t ns);
/* "2026-01-31 12:00:00", local time */
void format_time(char *text, size_t size, int64_t time_ns);
void print_prediction(const struct cli *c, const Lu__Prediction *p);

/* ---- json.c ---- */

/* Of what is printed: another one when a key goes or says something else. */
#define JSON_SCHEMA 2

json_t *json_status(const struct xenlu_status *s);
json_t *json_target(const char *path, const struct xenlu_target *t);
json_t *json_result(const struct xenlu_result *r);
json_t *json_refusals(const struct xenlu_refusal *list, unsigned int nr);
json_t *json_error(const char *code, const struct xenlu_error *err);

/* Begin and end of an attempt, and its outcome; null for NULL. */
json_t *json_attempt(const struct attempt *a);

/* ---- common.c: what several verbs do ---- */

/* SIGINT, SIGQUIT or SIGTERM has come since catch_signals(). */
extern volatile sig_atomic_t interrupted;
/*
 * Who closes the terminal does not end what is under way; who interrupts it takes it
 * back, if that can be.
 */
void catch_signals(void);
void release_signals(void);
/* Before anything has been tried: an error if interrupted. */
int stop_if_interrupted(struct cli *c);

/*
 * The journal, completed if that can be done now.  Returns an exit code; on EXIT_DONE the caller
 * closes it.
 */
int read_journal(struct cli *c, struct journal *j);
/* The manifest of the host as it is. */
int take_manifest(struct cli *c, Lu__Manifest **m);
/* Facts that every hook gets. */
void base_facts(struct cli *c, struct facts *f);
/* Would all hooks be run?  Refuses if one would not that could have refused; others: a warning. */
int check_hooks(struct cli *c);
/* Hooks that can refuse: the first one that fails does. */
int run_pre_hooks(struct cli *c, const char *occasion, const struct facts *f);
/* Hooks behind the event: all are run, and what is wrong with one is a warning. */
void run_post_hooks(struct cli *c, const char *occasion, const struct facts *f);
/* Facts for hooks behind the event; @before may be NULL: nothing has happened. */
void crash_kernel_facts(struct cli *c, const Lu__Manifest *before, struct facts *f);
/*
 * Behind those hooks: was a crash kernel loaded @before attempt @id, and is it now?  A warning if it is not, in the
 * system's log as well.
 */
void tell_crash_kernel(struct cli *c, const Lu__Manifest *before, uint32_t id);
/*
 * Asks every resource, for target @t (NULL: the staged one); refusals go to @to as text.  EXIT_DONE if there
 * are none.
 */
int check_domains(struct cli *c, FILE *to, const Lu__Manifest *names, const struct xenlu_target *t);

/* ---- verbs ---- */

int verb_stage(struct cli *c);
int verb_unstage(struct cli *c);
int verb_status(struct cli *c);
int verb_check(struct cli *c);    /* check.c */
int verb_apply(struct cli *c);    /* apply.c */
int verb_rehearse(struct cli *c); /* apply.c */
int verb_abort(struct cli *c);
int verb_result(struct cli *c);
int verb_history(struct cli *c);     /* history.c */
int verb_report(struct cli *c);      /* report.c */
int verb_inspect(struct cli *c);     /* inspect.c */
int verb_read_stream(struct cli *c); /* inspect.c */
int verb_fault(struct cli *c);       /* fault.c */

#endif /* CLI_H */
