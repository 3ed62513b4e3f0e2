/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xen-liveupdate: options, verbs, exit codes.
 */

#include <fcntl.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "table.h"

#define DEFAULT_TIMEOUT 300

static const struct {
    const char *name;
    int (*run)(struct cli *c);
} functions[] = {
    {"check", verb_check},   {"stage", verb_stage},       {"unstage", verb_unstage},
    {"status", verb_status}, {"rehearse", verb_rehearse}, {"apply", verb_apply},
    {"abort", verb_abort},   {"result", verb_result},     {"history", verb_history},
    {"report", verb_report}, {"inspect", verb_inspect},   {"read-stream", verb_read_stream},
    {"fault", verb_fault},
};

void say(const struct cli *c, const char *fmt, ...)
{
    va_list args;

    if (c->json || c->quiet)
        return;
    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);
}

static int exit_code(enum xenlu_code code)
{
    switch (code) {
    case XENLU_OK: return EXIT_DONE;
    case XENLU_BUSY: return EXIT_BUSY;
    case XENLU_REFUSED: return EXIT_REFUSED;
    default: return EXIT_ERROR;
    }
}

int complain(struct cli *c, const struct xenlu_error *err)
{
    fprintf(stderr, "xen-liveupdate: %s\n", err->message);
    if (err->advice[0])
        fprintf(stderr, "  what to do: %s\n", err->advice);
    json_object_set_new(c->out, "error", json_error(xenlu_code_name(err->code), err));

    return exit_code(err->code);
}

int complain_text(struct cli *c, int exit_code, const char *code, const char *advice,
                  const char *fmt, ...)
{
    struct xenlu_error err = {.domid = XENLU_NO_DOMAIN};
    va_list args;

    va_start(args, fmt);
    vsnprintf(err.message, sizeof(err.message), fmt, args);
    va_end(args);
    snprintf(err.advice, sizeof(err.advice), "%s", advice);
    fprintf(stderr, "xen-liveupdate: %s\n", err.message);
    if (err.advice[0])
        fprintf(stderr, "  what to do: %s\n", err.advice);
    json_object_set_new(c->out, "error", json_error(code, &err));

    return exit_code;
}

void warn(struct cli *c, const char *fmt, ...)
{
    json_t *list = json_object_get(c->out, "warnings");
    char text[512];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    fprintf(stderr, "xen-liveupdate: warning: %s\n", text);
    if (!list) {
        list = json_array();
        json_object_set_new(c->out, "warnings", list);
    }
    json_array_append_new(list, json_string(text));
}

static void print_option(FILE *to, const struct option_row *o)
{
    char text[64];

    if (o->short_name)
        snprintf(text, sizeof(text), "-%c, --%s", o->short_name, o->name);
    else
        snprintf(text, sizeof(text), "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
    fprintf(to, "  %-26s %s\n", text, o->what);
}

static void usage(FILE *to)
{
    char text[256];

    fprintf(to, "Usage: xen-liveupdate [-v|-q|-n|-j] VERB [ARGUMENTS]\n\n");
    for (unsigned int i = 0; i < nr_verbs; i++) {
        verb_usage(&verb_table[i], text, sizeof(text));
        fprintf(to, "  %s\n        %s\n", text, verb_table[i].what);
    }
    fprintf(to, "\n");
    for (unsigned int i = 0; i < NR_OPTIONS; i++)
        print_option(to, &option_table[i]);
    fprintf(to, "\nExit codes: " TABLE_EXIT_CODES ".\n");
}

static const struct verb_row *find_verb(const char *name)
{
    for (unsigned int i = 0; i < nr_verbs; i++)
        if (!strcmp(verb_table[i].name, name))
            return &verb_table[i];

    return NULL;
}

static bool parse_number(const char *text, const char *option, const char *unit,
                         unsigned int *number)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (!*text || *text == '-' || *end || n > 1000000) {
        fprintf(stderr, "xen-liveupdate: --%s %s: not a number of %s\n", option, text, unit);
        return false;
    }
    *number = n;

    return true;
}

static bool parse_format(struct cli *c, const char *text)
{
    if (strcmp(text, "text") && strcmp(text, "json") && strcmp(text, "trace")) {
        fprintf(stderr, "xen-liveupdate: --format %s: not text, json or trace\n", text);
        return false;
    }
    c->format = text;

    return true;
}

/* Returns false if the option's argument is no good. */
static bool take_option(struct cli *c, enum option_id id, const char *argument)
{
    switch (id) {
    case OPT_VERBOSE: c->verbose = true; break;
    case OPT_QUIET: c->quiet = true; break;
    case OPT_DRY_RUN: c->dry_run = true; break;
    case OPT_JSON: c->json = true; break;
    case OPT_APPEND: c->append = argument; break;
    case OPT_LAST: c->last = true; break;
    case OPT_REHEARSED: c->rehearsed = true; break;
    case OPT_FORMAT: return parse_format(c, argument);
    case OPT_TIMEOUT: return parse_number(argument, "timeout", "seconds", &c->timeout);
    case OPT_MAX_PAUSE:
        return parse_number(argument, "max-pause", "milliseconds", &c->max_pause_ms);
    default: break;
    }

    return true;
}

/* Returns the options met as bits, -1: print usage and fail, -2: done. */
static int parse_options(struct cli *c, int argc, char **argv)
{
    enum { LONG = 256 };
    struct option options[NR_OPTIONS + 1] = {0};
    char letters[NR_OPTIONS + 1] = "";
    int o, n = 0, met = 0;

    for (int i = 0; i < NR_OPTIONS; i++) {
        options[i].name = option_table[i].name;
        options[i].has_arg = option_table[i].argument ? required_argument : no_argument;
        options[i].val = LONG + i;
        if (option_table[i].short_name)
            letters[n++] = option_table[i].short_name;
    }

    while ((o = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        int id = o - LONG;

        for (int i = 0; o < LONG && i < NR_OPTIONS; i++)
            if (option_table[i].short_name == o)
                id = i;
        if (id < 0 || !take_option(c, id, optarg))
            return -1;
        if (id == OPT_HELP) {
            usage(stdout);
            return -2;
        }
        if (id == OPT_VERSION) {
            printf("xen-liveupdate " LU_TOOLS_VERSION "\n");
            return -2;
        }
        if (!option_table[id].short_name)
            met |= 1 << id;
    }

    return met;
}

/* Opens the library where the verb needs it, and runs the verb. */
static int run(struct cli *c, const struct verb_row *verb)
{
    struct xenlu_error err;
    int rc = EXIT_ERROR;

    if (verb->needs_xen && xenlu_open(&c->lu, &err)) {
        rc = complain(c, &err);
    } else {
        for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
            if (!strcmp(functions[i].name, verb->name))
                rc = functions[i].run(c);
    }
    xenlu_close(c->lu);

    return rc;
}

static void print_json(struct cli *c, const char *verb, int rc)
{
    if (!json_object_get(c->out, "error"))
        json_object_set_new(c->out, "error", json_null());
    if (!json_object_get(c->out, "warnings"))
        json_object_set_new(c->out, "warnings", json_array());
    json_object_set_new(c->out, "verb", json_string(verb));
    json_object_set_new(c->out, "ok", json_boolean(rc == EXIT_DONE));
    json_object_set_new(c->out, "exit_code", json_integer(rc));
    json_dumpf(c->out, stdout, JSON_INDENT(2) | JSON_SORT_KEYS);
    printf("\n");
}

/* Else a file of ours would become standard output or error, and be written to. */
static void open_standard_files(void)
{
    int fd;

    while ((fd = open("/dev/null", O_RDWR)) >= 0 && fd <= STDERR_FILENO)
        ;
    if (fd >= 0)
        close(fd);
}

int main(int argc, char **argv)
{
    struct cli c = {.timeout = DEFAULT_TIMEOUT, .format = "text"};
    const struct verb_row *verb;
    int rc, met;

    open_standard_files();
    met = parse_options(&c, argc, argv);
    if (met == -2)
        return EXIT_DONE;
    if (met < 0 || optind == argc) {
        usage(stderr);
        return EXIT_ERROR;
    }

    verb = find_verb(argv[optind]);
    if (!verb) {
        fprintf(stderr, "xen-liveupdate: no verb \"%s\"; see xen-liveupdate --help\n",
                argv[optind]);
        return EXIT_ERROR;
    }
    c.args = argv + optind + 1;
    c.nr_args = argc - optind - 1;
    if ((met & ~verb->options) || c.nr_args < verb->min_args || c.nr_args > verb->max_args) {
        char text[256];

        verb_usage(verb, text, sizeof(text));
        fprintf(stderr, "Usage: xen-liveupdate [-v|-q|-n|-j] %s\n", text);
        return EXIT_ERROR;
    }

    c.out = json_object();
    rc = run(&c, verb);
    if (c.json)
        print_json(&c, verb->name, rc);
    json_decref(c.out);
    if (fflush(stdout) || ferror(stdout)) {
        perror("xen-liveupdate: stdout");
        return rc ? rc : EXIT_ERROR;
    }

    return rc;
}
