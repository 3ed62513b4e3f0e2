/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one table of verbs and options.  The program itself, its help, the shell
 * completion and the man page's synopsis and list of verbs are made from it.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>

/* The exit code says what happened. */
#define TABLE_EXIT_CODES                                                                         \
    "0 done, 1 error (nothing was tried), 2 busy (try again), 3 refused,\n"                      \
    "4 failed (everything is as it was), 5 not known, 6 done and something is lost,\n"           \
    "7 the target refused and came back (everything is as it was, nothing is staged), 64 wrong " \
    "use"

/* Options of verbs; for any verb: short_name is not 0. */
enum option_id {
    OPT_VERBOSE,
    OPT_QUIET,
    OPT_DRY_RUN,
    OPT_JSON,
    OPT_HELP,
    OPT_VERSION,
    OPT_APPEND,
    OPT_WITHOUT,
    OPT_TIMEOUT,
    OPT_MAX_PAUSE,
    OPT_LAST,
    OPT_REHEARSED,
    OPT_FORMAT,
    NR_OPTIONS,
};

struct option_row {
    const char *name;
    char short_name;      /* 0: an option of some verbs only */
    const char *argument; /* NULL: it takes none */
    const char *choices;  /* of the argument, for completion; "file": a file; NULL: any */
    const char *what;
};

/* What the arguments of a verb are, for completion. */
enum complete { COMPLETE_NOTHING, COMPLETE_FILE, COMPLETE_FAULT };

struct cli;

struct verb_row {
    const char *name;
    int min_args, max_args;
    unsigned int options; /* 1u << OPT_* */
    bool needs_xen;
    const char *arguments; /* "" or as in the usage */
    enum complete complete;
    const char *what;
};

extern const struct option_row option_table[NR_OPTIONS];
extern const struct verb_row verb_table[];
extern const unsigned int nr_verbs;

/* "stage TARGET [--append OPTIONS]" */
void verb_usage(const struct verb_row *v, char *text, unsigned int size);

#endif /* TABLE_H */
