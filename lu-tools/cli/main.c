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
    case XENLU_REFUSED:
    case XENLU_TARGET_UNKNOWN:
    case XENLU_TARGET_CHANGED:
    case XENLU_PAUSE_TOO_LONG:
    case XENLU_FEATURES_LOST: return EXIT_REFUSED;
    case XENLU_FAILED: return EXIT_FAILED;
    case XENLU_LOST: return EXIT_LOST;
    case XENLU_TIMEOUT:
    case XENLU_NOT_KNOWN: return EXIT_UNKNOWN;
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

static int complain_args(struct cli *c, int exit_code, const char *code, const char *advice,
                         const char *fmt, va_list args)
{
    struct xenlu_error err = {.domid = XENLU_NO_DOMAIN};

    vsnprintf(err.message, sizeof(err.message), fmt, args);
    snprintf(err.advice, sizeof(err.advice), "%s", advice);
    fprintf(stderr, "xen-liveupdate: %s\n", err.message);
    if (err.advice[0])
        fprintf(stderr, "  what to do: %s\n", err.advice);
    json_object_set_new(c->out, "error", json_error(code, &err));

    return exit_code;
}

int complain_text(struct cli *c, int exit_code, const char *code, const char *advice,
                  const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    exit_code = complain_args(c, exit_code, code, advice, fmt, args);
    va_end(args);

    return exit_code;
}

int complain_usage(struct cli *c, const char *fmt, ...)
{
    char advice[64];
    va_list args;

    snprintf(advice, sizeof(advice), "see xen-liveupdate %.32s%s", c->verb ? c->verb : "",
             c->verb ? " --help" : "--help");
    va_start(args, fmt);
    complain_args(c, EXIT_USAGE, "usage", advice, fmt, args);
    va_end(args);

    return EXIT_USAGE;
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

static void print_option(const struct option_row *o)
{
    char text[64];

    if (o->short_name)
        snprintf(text, sizeof(text), "-%c, --%s", o->short_name, o->name);
    else
        snprintf(text, sizeof(text), "--%s%s%s", o->name, o->argument ? " " : "",
                 o->argument ? o->argument : "");
    printf("  %-26s %s\n", text, o->what);
}

static void print_help(void)
{
    char text[256];

    printf("Usage: xen-liveupdate [-v|-q|-n|-j] VERB [ARGUMENTS]\n"
           "       xen-liveupdate help VERB\n\n");
    for (unsigned int i = 0; i < nr_verbs; i++) {
        verb_usage(&verb_table[i], text, sizeof(text));
        printf("  %s\n        %s\n", text, verb_table[i].what);
    }
    printf("\n");
    for (unsigned int i = 0; i < NR_OPTIONS; i++)
        print_option(&option_table[i]);
    printf("\nExit codes: " TABLE_EXIT_CODES ".\n");
}

static void print_verb_help(const struct verb_row *v)
{
    char text[256];

    verb_usage(v, text, sizeof(text));
    printf("Usage: xen-liveupdate [-v|-q|-n|-j] %s\n\n%s\n", text, v->what);
    if (v->options)
        printf("\n");
    for (unsigned int i = 0; i < NR_OPTIONS; i++)
        if (v->options & (1u << i))
            print_option(&option_table[i]);
}

static const struct verb_row *find_verb(const char *name)
{
    for (unsigned int i = 0; i < nr_verbs; i++)
        if (!strcmp(verb_table[i].name, name))
            return &verb_table[i];

    return NULL;
}

static int parse_number(struct cli *c, const char *text, const char *option, const char *unit,
                        unsigned int *number)
{
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || n > 1000000)
        return complain_usage(c, "--%s %s: not a number of %s", option, text, unit);
    *number = n;

    return EXIT_DONE;
}

/* "pv32,sched-null" */
static int parse_features(struct cli *c, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, ",");
        const char *name;
        unsigned int i;

        for (i = 0; (name = xenlu_feature_name(i)); i++)
            if (strlen(name) == n && !strncmp(name, text, n))
                break;
        if (name)
            c->without |= 1u << i;
        else if (n == strlen("tools") && !strncmp(text, "tools", n))
            c->without |= XENLU_WITHOUT_TOOLS;
        else
            return complain_usage(c, "%.*s: not a feature of a Xen", (int)n, text);
        text += n + (text[n] == ',');
    }

    return EXIT_DONE;
}

static int parse_format(struct cli *c, const char *text)
{
    if (strcmp(text, "text") && strcmp(text, "json") && strcmp(text, "trace"))
        return complain_usage(c, "--format %s: not text, json or trace", text);
    c->format = text;

    return EXIT_DONE;
}

static int take_option(struct cli *c, enum option_id id, const char *argument)
{
    switch (id) {
    case OPT_VERBOSE: c->verbose = true; break;
    case OPT_QUIET: c->quiet = true; break;
    case OPT_DRY_RUN: c->dry_run = true; break;
    case OPT_JSON: c->json = true; break;
    case OPT_HELP: c->help = true; break;
    case OPT_VERSION: c->version = true; break;
    case OPT_APPEND: c->append = argument; break;
    case OPT_LAST: c->last = true; break;
    case OPT_REHEARSED: c->rehearsed = true; break;
    case OPT_WITHOUT: return parse_features(c, argument);
    case OPT_FORMAT: return parse_format(c, argument);
    case OPT_TIMEOUT: return parse_number(c, argument, "timeout", "seconds", &c->timeout);
    case OPT_MAX_PAUSE:
        return parse_number(c, argument, "max-pause", "milliseconds", &c->max_pause_ms);
    default: break;
    }

    return EXIT_DONE;
}

/* Which option getopt_long() has met; -1: it does not know it. */
static int which_option(int o, int first_long)
{
    for (int i = 0; o < first_long && i < NR_OPTIONS; i++)
        if (option_table[i].short_name == o)
            return i;

    return o - first_long;
}

/* *met: the options of some verbs only, as bits.  All are read, so that an error is told as -j wants it. */
static int parse_options(struct cli *c, int argc, char **argv, unsigned int *met)
{
    enum { LONG = 256 };
    struct option options[NR_OPTIONS + 1] = {0};
    char letters[NR_OPTIONS + 2] = ":";
    int o, n = 1, rc = EXIT_DONE;

    for (int i = 0; i < NR_OPTIONS; i++) {
        options[i].name = option_table[i].name;
        options[i].has_arg = option_table[i].argument ? required_argument : no_argument;
        options[i].val = LONG + i;
        if (option_table[i].short_name)
            letters[n++] = option_table[i].short_name;
    }

    while ((o = getopt_long(argc, argv, letters, options, NULL)) != -1) {
        int id = which_option(o, LONG);

        if (rc && id != OPT_JSON)
            continue;
        if (o == ':')
            rc = complain_usage(c, "%s: an argument is missing", argv[optind - 1]);
        else if (o == '?' && optopt && optopt < LONG)
            rc = complain_usage(c, "no option -%c", optopt);
        else if (o == '?')
            rc = complain_usage(c, "no option %s", argv[optind - 1]);
        else if (take_option(c, id, optarg))
            rc = EXIT_USAGE;
        else if (!option_table[id].short_name)
            *met |= 1u << id;
    }

    return rc;
}

static void tell_warning(const char *text, void *data)
{
    warn(data, "%s", text);
}

/* Opens the library where the verb needs it, and runs the verb. */
static int run(struct cli *c, const struct verb_row *verb)
{
    struct xenlu_error err;
    int rc = EXIT_ERROR;

    if (verb->needs_xen && xenlu_open(&c->lu, &err)) {
        rc = complain(c, &err);
    } else {
        if (c->lu) {
            xenlu_set_warn(c->lu, tell_warning, c);
            xenlu_set_without(c->lu, c->without);
        }
        for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
            if (!strcmp(functions[i].name, verb->name))
                rc = functions[i].run(c);
    }
    xenlu_close(c->lu);

    return rc;
}

static void print_json(struct cli *c, int rc)
{
    if (!json_object_get(c->out, "error"))
        json_object_set_new(c->out, "error", json_null());
    if (!json_object_get(c->out, "warnings"))
        json_object_set_new(c->out, "warnings", json_array());
    json_object_set_new(c->out, "schema", json_integer(JSON_SCHEMA));
    json_object_set_new(c->out, "verb", c->verb ? json_string(c->verb) : json_null());
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

static int help(struct cli *c, const char *word)
{
    const struct verb_row *verb = word ? find_verb(word) : NULL;

    if (word && !verb)
        return complain_usage(c, "no verb \"%s\"", word);
    if (verb)
        print_verb_help(verb);
    else
        print_help();

    return EXIT_DONE;
}

/* Is it a verb, and are these its arguments and options? */
static int take_verb(struct cli *c, unsigned int met, const struct verb_row **verb)
{
    char text[256];

    if (!c->nr_args)
        return complain_usage(c, "a verb is missing");
    *verb = find_verb(c->args[0]);
    if (!*verb)
        return complain_usage(c, "no verb \"%s\"", c->args[0]);
    c->verb = (*verb)->name;
    c->args++;
    c->nr_args--;
    verb_usage(*verb, text, sizeof(text));
    for (unsigned int i = 0; i < NR_OPTIONS; i++)
        if (met & ~(*verb)->options & (1u << i))
            return complain_usage(c, "%s does not take --%s: it is used so: %s", c->verb,
                                  option_table[i].name, text);
    if (c->nr_args < (*verb)->min_args || c->nr_args > (*verb)->max_args)
        return complain_usage(c, "%s arguments: it is used so: %s",
                              c->nr_args < (*verb)->min_args ? "too few" : "too many", text);

    return EXIT_DONE;
}

static int run_words(struct cli *c, unsigned int met)
{
    const struct verb_row *verb = NULL;
    int rc;

    if (c->nr_args && !strcmp(c->args[0], "help")) {
        c->help = true;
        c->args++;
        c->nr_args--;
        if (c->nr_args > 1)
            return complain_usage(c, "help takes one verb");
    }
    if (c->help)
        return help(c, c->args[0]);
    if (c->version) {
        printf("xen-liveupdate " LU_TOOLS_VERSION "\n");
        return EXIT_DONE;
    }
    rc = take_verb(c, met, &verb);

    return rc ? rc : run(c, verb);
}

int main(int argc, char **argv)
{
    struct cli c = {.timeout = DEFAULT_TIMEOUT, .format = "text"};
    unsigned int met = 0;
    int rc;

    open_standard_files();
    c.out = json_object();
    rc = parse_options(&c, argc, argv, &met);
    c.args = argv + optind;
    c.nr_args = argc - optind;
    if (!rc)
        rc = run_words(&c, met);
    /* Help is for people, what is wrong with it for programs as well. */
    if (c.json && (rc || !(c.help || c.version)))
        print_json(&c, rc);
    json_decref(c.out);
    if (fflush(stdout) || ferror(stdout)) {
        perror("xen-liveupdate: stdout");
        /* 1 would say that nothing has been tried. */
        return rc ? rc : c.verb && !strcmp(c.verb, "apply") ? EXIT_UNKNOWN : EXIT_ERROR;
    }

    return rc;
}
