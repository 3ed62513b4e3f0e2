/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * xen-liveupdate itself, with all of its verbs, on a Xen that is a piece of C: exit codes, what it
 * says, what it leaves in journal, hooks and metrics.  Each call is a process of its own.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>
#include <sqlite3.h>

#include "../../lu-tools/record/record.h"
#include "fake_xen.h"
#include "kexec_test.h"
#include "world.h"

/* main.c's. */
int xen_liveupdate_main(int argc, char **argv);
/* example/update.c's. */
int example_main(int argc, char **argv);

static int (*program)(int argc, char **argv) = xen_liveupdate_main;

static char dir[64];
/* What the last call said. */
static char out[1 << 18], err[1 << 14];
static json_t *json; /* of a call with -j, else NULL */

/* ---- calling it ---- */

static void read_text(const char *name, char *text, size_t size)
{
    FILE *f = fopen(name, "r");
    size_t n = 0;

    if (f) {
        n = fread(text, 1, size - 1, f);
        fclose(f);
    }
    text[n] = '\0';
}

static void redirect(const char *name, int flags, int to)
{
    int fd = open(name, flags, 0600);

    if (fd < 0 || dup2(fd, to) < 0)
        abort();
    close(fd);
}

static int lines(const char *text)
{
    int n = 0;

    for (; *text; text++)
        n += *text == '\n';

    return n;
}

static const char *stdout_name = "out";
static bool close_stderr;

/* The words up to NULL; returns the exit code, -1: it was ended by a signal. */
static int call(const char *word, ...)
{
    char *argv[16] = {"xen-liveupdate"};
    int argc = 1, status;
    va_list args;
    pid_t child;

    va_start(args, word);
    for (; word; word = va_arg(args, const char *))
        argv[argc++] = (char *)word;
    va_end(args);

    fflush(stdout);
    child = fork();
    if (!child) {
        redirect("/dev/null", O_RDONLY, STDIN_FILENO);
        redirect(stdout_name, O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
        redirect("err", O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
        if (close_stderr)
            close(STDERR_FILENO);
        setvbuf(stdout, NULL, _IOFBF, 1 << 16);
        exit(program(argc, argv));
    }
    CU_ASSERT_EQUAL_FATAL(waitpid(child, &status, 0), child);
    read_text("out", out, sizeof(out));
    read_text("err", err, sizeof(err));
    json_decref(json);
    json = json_loads(out, 0, NULL);

    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define CALL(...) call(__VA_ARGS__, NULL)

static bool says(const char *text)
{
    bool found = strstr(out, text);

    if (!found)
        fprintf(stderr, "\n    not said: %s\n%s%s", text, out, err);

    return found;
}

static bool complains(const char *text)
{
    bool found = strstr(err, text);

    if (!found)
        fprintf(stderr, "\n    no complaint: %s\n%s%s", text, out, err);

    return found;
}

/* "a.b.1": a member of the JSON; NULL: it is not there. */
static const json_t *at(const char *path)
{
    const json_t *o = json;
    char copy[128], *word, *rest = copy;

    snprintf(copy, sizeof(copy), "%s", path);
    while (o && (word = strsep(&rest, ".")))
        o = json_is_array(o) ? json_array_get(o, atoi(word)) : json_object_get(o, word);

    return o;
}

static const char *text_at(const char *path)
{
    const char *text = json_string_value(at(path));

    return text ? text : "(no text)";
}

static json_int_t number_at(const char *path)
{
    return json_is_integer(at(path)) ? json_integer_value(at(path)) : -4711;
}

/* ---- the host ---- */

static void run_command(const char *command)
{
    if (system(command))
        abort();
}

static int start(void)
{
    strcpy(dir, "/tmp/cli-test.XXXXXX");
    if (!mkdtemp(dir) || chdir(dir))
        return 1;
    setenv("XEN_LIVEUPDATE_DIR", "state", 1);
    setenv("XEN_LIVEUPDATE_HOOKS", "hooks", 1);
    setenv("XEN_LIVEUPDATE_METRICS", "metrics", 1);
    setenv("TZ", "UTC", 1);
    umask(022);

    return 0;
}

static int stop(void)
{
    char command[128];

    json_decref(json);
    snprintf(command, sizeof(command), "cd / && rm -rf %s", dir);
    run_command(command);

    return 0;
}

static void write_file(const char *name, const void *data, size_t size)
{
    struct record_why why;

    CU_ASSERT_EQUAL_FATAL(record_replace(name, 0600, data, size, &why), 0);
}

/* Nothing has ever happened; a target lies in "xen", of the release that runs. */
static void fresh(uint32_t nr_domains)
{
    struct image image;

    run_command("rm -rf state hooks metrics log && mkdir hooks metrics");
    fake_reset(nr_domains);
    image_good(&image);
    write_file("xen", &image, sizeof(image));
}

/* What xen-liveupdate knows of the target that fake_reset() has staged. */
static void remember(const char *version, const char *build_id)
{
    Lu__Target target = LU__TARGET__INIT;
    struct record_why why;
    Lu__Manifest *m;
    struct xenlu *lu;

    target.path = "xen";
    target.version = (char *)version;
    target.build_id = (char *)build_id;
    CU_ASSERT_EQUAL_FATAL(xenlu_open(&lu, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(manifest_take(lu, &m, &why), 0);
    CU_ASSERT_EQUAL_FATAL(staged_write(m->host, &target, &why), 0);
    lu__manifest__free_unpacked(m, NULL);
    xenlu_close(lu);
}

/* The same, and an update can be made. */
static void ready(uint32_t nr_domains)
{
    fresh(nr_domains);
    remember("4.17.6-new", "");
}

/* A hook that runs @command after it has written its name and @words to "log". */
static void write_command_hook(const char *when, const char *words, const char *command)
{
    char path[128];
    FILE *f;

    snprintf(path, sizeof(path), "hooks/%s", when);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "hooks/%s/10-test", when);
    f = fopen(path, "w");
    fprintf(f, "#!/bin/sh\ncd %s\necho \"$XEN_LIVEUPDATE_HOOK %s\" >>log\n%s\n", dir, words,
            command);
    fclose(f);
    chmod(path, 0755);
}

static void write_hook(const char *when, const char *words, int rc)
{
    char command[32];

    snprintf(command, sizeof(command), "exit %d", rc);
    write_command_hook(when, words, command);
}

static void write_all_hooks(void)
{
    write_hook("pre-check", "$XEN_LIVEUPDATE_VERB", 0);
    write_hook("pre-apply", "$XEN_LIVEUPDATE_ID $XEN_LIVEUPDATE_DOMAINS", 0);
    write_hook("post-apply", "$XEN_LIVEUPDATE_OUTCOME $XEN_LIVEUPDATE_PAUSE_NS", 0);
    write_hook("on-failure",
               "$XEN_LIVEUPDATE_OUTCOME $XEN_LIVEUPDATE_PHASE $XEN_LIVEUPDATE_RESOURCE "
               "$XEN_LIVEUPDATE_DOMAIN",
               0);
}

static bool hooks_said(const char *text)
{
    char log[1024];

    read_text("log", log, sizeof(log));
    if (strcmp(log, text))
        fprintf(stderr, "\n    hooks said: %s", log);

    return !strcmp(log, text);
}

/* The outcome of the last attempt, as the next call sees it. */
static bool last_is(const char *outcome)
{
    char path[32];
    size_t nr;

    CU_ASSERT_EQUAL(CALL("-j", "history"), 0);
    nr = json_array_size(at("attempts"));
    snprintf(path, sizeof(path), "attempts.%zu.outcome", nr - 1);
    if (nr && strcmp(text_at(path), outcome))
        fprintf(stderr, "\n    the last one is: %s", text_at(path));

    return nr && !strcmp(text_at(path), outcome);
}

static size_t attempts(void)
{
    CU_ASSERT_EQUAL(CALL("-j", "history"), 0);

    return json_array_size(at("attempts"));
}

/* ---- options, exit codes ---- */

static void usage(void)
{
    static const char *const bad[][4] = {
        {NULL},
        {"nonsense"},
        {"--nonsense", "status"},
        {"status", "more"},
        {"stage"},
        {"stage", "one", "two"},
        {"status", "--timeout", "5"},
        {"apply", "--append", "loglvl=all"},
        {"apply", "--timeout", "5x"},
        {"apply", "--timeout", "-5"},
        {"apply", "--timeout", "1000001"},
        {"apply", "--max-pause", ""},
        {"report", "--format", "xml"},
        {"inspect"},
        {"inspect", "xen", "--last"},
        {"check", "--append", "loglvl=all"},
        {"check", "--without", "shadow-paging"},
        {"stage", "--without=shadow", "xen"},
        {"stage", "--without=shadow-paging,,pv32", "xen"},
        {"apply", "--without", "shadow-paging"},
        {"fault", "nonsense"},
    };

    ready(1);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CU_ASSERT_EQUAL(CALL(bad[i][0], bad[i][1], bad[i][2], bad[i][3]), 64);
        CU_ASSERT_TRUE(complains("\n  what to do: see xen-liveupdate "));
        CU_ASSERT_TRUE(lines(err) == 2);
        CU_ASSERT_EQUAL(strlen(out), 0);
        /* As JSON, wherever -j stands. */
        for (int first = 0; first < 2; first++) {
            if (first)
                CU_ASSERT_EQUAL(CALL("-j", bad[i][0], bad[i][1], bad[i][2], bad[i][3]), 64);
            if (!first && bad[i][2])
                CU_ASSERT_EQUAL(CALL(bad[i][0], bad[i][1], bad[i][2], "-j"), 64);
            if (!first && !bad[i][2])
                continue;
            CU_ASSERT_STRING_EQUAL(text_at("error.code"), "usage");
            CU_ASSERT_EQUAL(number_at("exit_code"), 64);
            CU_ASSERT_EQUAL(number_at("schema"), 2);
        }
    }
    CU_ASSERT_EQUAL(CALL("apply", "--foo"), 64);
    CU_ASSERT_TRUE(complains("xen-liveupdate: no option --foo\n"));
    CU_ASSERT_EQUAL(CALL("apply", "-x"), 64);
    CU_ASSERT_TRUE(complains("xen-liveupdate: no option -x\n"));
    CU_ASSERT_EQUAL(CALL("apply", "--timeout"), 64);
    CU_ASSERT_TRUE(complains("xen-liveupdate: --timeout: an argument is missing\n"));
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    CU_ASSERT_EQUAL(CALL("--help"), 0);
    CU_ASSERT_TRUE(says("Exit codes: 0 done, 1 error (nothing was tried), 2 busy (try again)"));
    CU_ASSERT_TRUE(says("64 wrong use") && says("\n  read-stream FILE\n"));
    /* Of one verb, whichever way it is asked for. */
    CU_ASSERT_EQUAL(CALL("help", "report"), 0);
    CU_ASSERT_TRUE(says("report [ID] [--format FORMAT]\n") &&
                   says("--format FORMAT            text"));
    CU_ASSERT_PTR_NULL(strstr(out, "read-stream"));
    CU_ASSERT_PTR_NULL(strstr(out, "--append"));
    CU_ASSERT_EQUAL(CALL("apply", "--help"), 0);
    CU_ASSERT_TRUE(says("apply [--timeout SECONDS] [--max-pause MILLISECONDS]\n"));
    CU_ASSERT_PTR_NULL(strstr(out, "report"));
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    CU_ASSERT_EQUAL(CALL("help", "nonsense"), 64);
    CU_ASSERT_EQUAL(CALL("help", "one", "two"), 64);
    CU_ASSERT_EQUAL(CALL("-j", "help", "nonsense"), 64);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "usage");
    CU_ASSERT_EQUAL(CALL("help"), 0);
    CU_ASSERT_TRUE(says("\n  read-stream FILE\n"));
    CU_ASSERT_EQUAL(CALL("--version"), 0);
    CU_ASSERT_TRUE(says("xen-liveupdate "));
    CU_ASSERT_EQUAL(CALL("apply", "--timeout", "1000000", "-n"), 0);
}

static void no_xen(void)
{
    static const char *const need[] = {"check", "stage", "unstage", "status", "rehearse",
                                       "apply", "abort", "result",  "fault"};

    fresh(1);
    fake.open_error = ENOENT;
    for (size_t i = 0; i < sizeof(need) / sizeof(need[0]); i++) {
        bool argument = !strcmp(need[i], "stage") || !strcmp(need[i], "fault");

        CU_ASSERT_EQUAL(CALL("-j", need[i], argument ? "off" : NULL), 1);
        CU_ASSERT_STRING_EQUAL(text_at("error.code"), "no-xen");
        CU_ASSERT_TRUE(json_is_null(at("error.domain")));
    }
    /* The journal is there all the same. */
    CU_ASSERT_EQUAL(CALL("history"), 0);
    CU_ASSERT_TRUE(says("no update so far\n"));

    fresh(1);
    fake.fail_op = XEN_LIVEUPDATE_query;
    fake.error = EPERM;
    CU_ASSERT_EQUAL(CALL("-j", "status"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "not-dom0");
    CU_ASSERT_STRING_EQUAL(text_at("error.errno"), "EPERM");
}

static void output(void)
{
    fresh(1);
    CU_ASSERT_EQUAL(CALL("-q", "status"), 0);
    CU_ASSERT_STRING_EQUAL(out, "");
    CU_ASSERT_EQUAL(CALL("-j", "status"), 0);
    CU_ASSERT_PTR_NOT_NULL(json);
    CU_ASSERT_TRUE(json_is_true(at("ok")));
    CU_ASSERT_EQUAL(number_at("exit_code"), 0);
    CU_ASSERT_STRING_EQUAL(text_at("verb"), "status");
    CU_ASSERT_EQUAL(json_array_size(at("warnings")), 0);

    /* What could not be said is told. */
    stdout_name = "/dev/full";
    CU_ASSERT_EQUAL(CALL("status"), 1);
    stdout_name = "out";
    CU_ASSERT_TRUE(complains("xen-liveupdate: stdout: "));
}

/* ---- looking ---- */

static void status(void)
{
    fresh(1);
    CU_ASSERT_EQUAL(CALL("status", "-v"), 0);
    CU_ASSERT_TRUE(says("xen: 4.17.5-old\n"));
    CU_ASSERT_TRUE(says("region: 64 MiB at 0x40000000, 2 slots\n"));
    CU_ASSERT_TRUE(says("next slot: 32 MiB at 0x42000000\n"));
    CU_ASSERT_TRUE(says("staged: yes\nphase: idle\ncrash kernel: not armed\n"));
    CU_ASSERT_TRUE(says("rehearsal: yes\nfault injection: no\n"));
    CU_ASSERT_EQUAL(CALL("-j", "status"), 0);
    CU_ASSERT_STRING_EQUAL(text_at("status.next_slot.start"), "0x42000000");
    CU_ASSERT_EQUAL(number_at("status.next_slot.size"), 32 << 20);
    CU_ASSERT_TRUE(json_is_null(at("target")));
    CU_ASSERT_TRUE(json_is_null(at("last")));
    CU_ASSERT_EQUAL(CALL("-j", "result"), 0);
    CU_ASSERT_STRING_EQUAL(text_at("result.state"), "none");
    CU_ASSERT_TRUE(json_is_null(at("result.pause_ns")));
}

static void check(void)
{
    fresh(2);
    CU_ASSERT_EQUAL(CALL("check", "-v"), 0);
    CU_ASSERT_TRUE(says("domain 1: yes (3 resources asked)\n"));
    CU_ASSERT_TRUE(says("memory: 118 MiB needed, 390 MiB free\n"));
    CU_ASSERT_TRUE(says("check: passed\n"));
    CU_ASSERT_EQUAL(CALL("-j", "check"), 0);
    CU_ASSERT_EQUAL(number_at("memory.needed"), 30000 * 4096);
    CU_ASSERT_EQUAL(number_at("memory.free"), 100000 * 4096);

    fake_refuse(1, EOPNOTSUPP, "grant", "has a grant that nobody knows");
    fake_refuse(XEN_LIVEUPDATE_NO_DOMAIN, EBUSY, "host", "is not ready");
    CU_ASSERT_EQUAL(CALL("check", "-v"), 3);
    CU_ASSERT_TRUE(says("refused: domain 1: grant: has a grant that nobody knows (EOPNOTSUPP)\n"));
    CU_ASSERT_TRUE(says("refused: host: host: is not ready (EBUSY)\n"));
    CU_ASSERT_TRUE(says("domain 0: yes (") && says("domain 1: no ("));
    CU_ASSERT_TRUE(says("check: refused\n"));
    CU_ASSERT_EQUAL(CALL("-j", "check"), 3);
    CU_ASSERT_TRUE(json_is_false(at("ok")));
    CU_ASSERT_EQUAL(number_at("exit_code"), 3);
    CU_ASSERT_EQUAL(number_at("refusals.0.domain"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("refusals.0.errno"), "EOPNOTSUPP");
    CU_ASSERT_TRUE(json_is_null(at("refusals.1.domain")));
    CU_ASSERT_TRUE(json_is_true(at("domains.0.carried")));
    CU_ASSERT_EQUAL(number_at("domains.0.refusals"), 0);
    CU_ASSERT_TRUE(json_is_false(at("domains.1.carried")));
}

static void check_target(void)
{
    struct image image;

    fresh(1);
    CU_ASSERT_EQUAL(CALL("check", "xen", "--append", "loglvl=all"), 0);
    CU_ASSERT_TRUE(says("target: 4.17.5-test (none), xen\n"));
    CU_ASSERT_TRUE(says("tools for 4.17: "));
    CU_ASSERT_EQUAL(fake.loads, 0);
    CU_ASSERT_EQUAL(CALL("-j", "check", "xen", "--append", "iommu=off"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "option-refused");
    CU_ASSERT_EQUAL(CALL("check", "/nowhere"), 1);

    /* What is wrong with the target refuses, whatever domains say. */
    write_file("not-xen", "something", 9);
    CU_ASSERT_EQUAL(CALL("check", "not-xen"), 3);
    CU_ASSERT_TRUE(complains("not-xen: not an ELF file"));
    CU_ASSERT_TRUE(says("check: refused\n"));

    /* Of another release, without its tools; what it says of itself is not for the terminal to obey. */
    image_good(&image);
    strcpy(image_note(&image)->version, "4.99.1-\033[2J\x9b\n");
    write_file("other", &image, sizeof(image));
    CU_ASSERT_EQUAL(CALL("check", "other"), 3);
    CU_ASSERT_TRUE(says("target: 4.99.1-?[2J?? (none), other\n"));
    CU_ASSERT_TRUE(complains("the target is Xen 4.99, whose tools are not installed"));
    CU_ASSERT_TRUE(says("tools for 4.99: none\n"));
    CU_ASSERT_EQUAL(CALL("check", "other", "--without", "tools"), 0);

    /* Nothing takes xenstored along. */
    fake.query.staged = 0;
    CU_ASSERT_EQUAL(CALL("-j", "stage", "other"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "features-lost");
    CU_ASSERT_TRUE(strstr(text_at("error.message"), "another release than 4.17.5-old") != NULL);
    CU_ASSERT_EQUAL(fake.loads, 0);
    CU_ASSERT_EQUAL(CALL("stage", "other", "--without", "tools"), 0);
    CU_ASSERT_EQUAL(fake.loads, 1);
    strcpy(image_note(&image)->version, "4.1.5");
    write_file("other", &image, sizeof(image));
    CU_ASSERT_EQUAL(CALL("stage", "other"), 3);
}

/* ---- staging ---- */

static void staging(void)
{
    fresh(1);
    fake.query.staged = 0;
    CU_ASSERT_EQUAL(CALL("-n", "stage", "xen"), 0);
    CU_ASSERT_TRUE(says("would stage: xen\n"));
    CU_ASSERT_EQUAL(fake.loads, 0);
    CU_ASSERT_EQUAL(CALL("-j", "stage", "xen"), 0);
    CU_ASSERT_EQUAL(fake.loads, 1);
    CU_ASSERT_STRING_EQUAL(text_at("target.entry"), "0x42200000");
    CU_ASSERT_STRING_EQUAL(text_at("running.version"), "4.17.5-old");
    CU_ASSERT_EQUAL(CALL("status"), 0);
    CU_ASSERT_TRUE(says("target: 4.17.5-test (none), xen\n"));

    CU_ASSERT_EQUAL(CALL("-n", "unstage"), 0);
    CU_ASSERT_TRUE(says("would unstage\n"));
    CU_ASSERT_EQUAL(fake.unloads, 0);
    CU_ASSERT_EQUAL(CALL("unstage"), 0);
    CU_ASSERT_EQUAL(fake.unloads, 1);
    CU_ASSERT_EQUAL(CALL("-j", "unstage"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "not-staged");

    fake.stage = fake.stuck = FAKE_SETTLE;
    fake.query.phase = XEN_LIVEUPDATE_PHASE_settle;
    CU_ASSERT_EQUAL(CALL("stage", "xen"), 2);
}

/* ---- what a target is built without ---- */

static void write_target(const char *name, uint32_t features)
{
    struct image image;

    image_good(&image);
    image_note(&image)->flags = features;
    write_file(name, &image, sizeof(image));
}

/* Of an older Xen on either side it is not known, and nothing is refused. */
static void features_not_known(void)
{
    fresh(2);
    fake.needs = LU_HAS_HVM;
    CU_ASSERT_EQUAL(CALL("check", "xen"), 0);
    CU_ASSERT_TRUE(says("lost: not known (its note does not say what it is built with)\n"));
    CU_ASSERT_EQUAL(CALL("-j", "check", "xen"), 0);
    CU_ASSERT_TRUE(json_is_null(at("target.features")));
    CU_ASSERT_TRUE(json_is_array(at("target.lost")));
    CU_ASSERT_EQUAL(json_array_size(at("target.lost")), 0);
    CU_ASSERT_EQUAL(CALL("-j", "stage", "xen"), 0);
    CU_ASSERT_EQUAL(CALL("check"), 0);
    /* Bits without the one that makes them count. */
    write_target("odd", LU_HAS_PV);
    CU_ASSERT_EQUAL(CALL("check", "odd"), 0);
    CU_ASSERT_TRUE(says("lost: not known"));

    fresh(2);
    fake.query.features = 0;
    fake.query.caps = XEN_LIVEUPDATE_CAP_REHEARSE;
    write_target("less", LU_HAS_KNOWN | LU_HAS_PV);
    CU_ASSERT_EQUAL(CALL("check", "less"), 0);
    CU_ASSERT_FALSE(strstr(out, "lost: ") != NULL);
    CU_ASSERT_EQUAL(CALL("-j", "stage", "less"), 0);
    CU_ASSERT_EQUAL(json_array_size(at("target.features")), 1);
    CU_ASSERT_STRING_EQUAL(text_at("target.features.0"), "pv");
    CU_ASSERT_TRUE(json_is_null(at("running.features")));
}

/* What nobody needs may be lost by whoever agrees to it. */
static void features_lost(void)
{
    static const char both[] = "the target is built without what the running Xen has: "
                               "shadow-paging, sched-null\n";

    fresh(2);
    write_target("same", FAKE_FEATURES | LU_HAS_XSM_SILO);
    CU_ASSERT_EQUAL(CALL("check", "same"), 0);
    CU_ASSERT_FALSE(strstr(out, "lost: ") != NULL);
    CU_ASSERT_EQUAL(CALL("stage", "same"), 0);
    CU_ASSERT_EQUAL(fake.loads, 1);

    write_target("less", FAKE_FEATURES & ~(LU_HAS_SHADOW_PAGING | LU_HAS_SCHED_NULL));
    CU_ASSERT_EQUAL(CALL("check", "less"), 3);
    CU_ASSERT_TRUE(says("lost: shadow-paging: live migration of PV domains, HVM domains without "
                        "hardware assisted paging\nlost: sched-null: the scheduler null\n"));
    CU_ASSERT_TRUE(says("check: refused\n") && complains(both));
    CU_ASSERT_TRUE(complains("say --without shadow-paging,sched-null\n"));
    CU_ASSERT_EQUAL(CALL("-j", "check", "less", "--without", "shadow-paging"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "features-lost");
    CU_ASSERT_TRUE(complains("the running Xen has: sched-null\n"));
    CU_ASSERT_TRUE(complains("say --without shadow-paging,sched-null\n"));
    CU_ASSERT_EQUAL(json_array_size(at("target.lost")), 2);
    CU_ASSERT_STRING_EQUAL(text_at("target.lost.1"), "sched-null");
    CU_ASSERT_EQUAL(CALL("check", "less", "--without", "sched-null,shadow-paging"), 0);
    CU_ASSERT_TRUE(says("lost: sched-null: the scheduler null (accepted)\n"));

    CU_ASSERT_EQUAL(CALL("-n", "stage", "less"), 3);
    CU_ASSERT_EQUAL(CALL("-j", "stage", "less"), 3);
    CU_ASSERT_TRUE(complains(both));
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "features-lost");
    CU_ASSERT_EQUAL(fake.loads, 1);
    /* What was staged before still is. */
    CU_ASSERT_EQUAL(CALL("-j", "status"), 0);
    CU_ASSERT_STRING_EQUAL(text_at("target.path"), "same");
    CU_ASSERT_EQUAL(json_array_size(at("status.staged_features")), 7);

    CU_ASSERT_EQUAL(CALL("-n", "stage", "less", "--without", "sched-null,shadow-paging"), 0);
    CU_ASSERT_EQUAL(CALL("stage", "less", "--without", "sched-null", "--without", "shadow-paging"),
                    0);
    CU_ASSERT_TRUE(says("lost: sched-null: the scheduler null (accepted)\n"));
    CU_ASSERT_EQUAL(fake.loads, 2);
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 0);
    CU_ASSERT_EQUAL(CALL("history", "1"), 0);
    CU_ASSERT_TRUE(says("lost: shadow-paging\nlost: sched-null\n"));
    CU_ASSERT_EQUAL(CALL("-j", "history", "1"), 0);
    CU_ASSERT_STRING_EQUAL(text_at("attempt.begin.plan.target.lost.0"), "shadow-paging");
    /* Gone is gone: the next of that kind loses nothing. */
    CU_ASSERT_EQUAL(CALL("check", "less"), 0);
}

/* What a domain needs cannot be given up: not when it is staged, nor by one that comes later. */
static void features_needed(void)
{
    fresh(3);
    write_target("less", FAKE_FEATURES & ~LU_HAS_HVM);
    write_target("same", FAKE_FEATURES);
    fake.needs = LU_HAS_HVM;
    fake.needs_domid = 2;
    fake.query.staged = 0;
    CU_ASSERT_EQUAL(CALL("check", "less", "--without", "hvm"), 3);
    CU_ASSERT_TRUE(
        says("refused: domain 2: target: the target is built without its need (EOPNOTSUPP)\n"));
    CU_ASSERT_EQUAL(CALL("-n", "stage", "less", "--without", "hvm"), 3);
    CU_ASSERT_EQUAL(CALL("-j", "stage", "less", "--without", "hvm"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "refused");
    CU_ASSERT_EQUAL(number_at("error.domain"), 2);
    CU_ASSERT_TRUE(complains("domain 2: the target is built without its need\n"));
    /* It is told before what can be agreed to. */
    CU_ASSERT_EQUAL(CALL("stage", "less"), 3);
    CU_ASSERT_TRUE(complains("domain 2: the target is built without its need\n"));
    CU_ASSERT_EQUAL(fake.loads, 0);
    CU_ASSERT_EQUAL(CALL("check", "same"), 0);

    /* Other reasons are the check's, and keep nothing from being staged. */
    fake.needs = 0;
    fake_refuse(1, EOPNOTSUPP, "grant", "for a test");
    CU_ASSERT_EQUAL(CALL("stage", "less", "--without", "hvm"), 0);
    CU_ASSERT_EQUAL(fake.loads, 1);
    fake.nr_refusals = 0;
    CU_ASSERT_EQUAL(CALL("check"), 0);
    fake.needs = LU_HAS_HVM;
    CU_ASSERT_EQUAL(CALL("check"), 3);
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "refused");
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    CU_ASSERT_EQUAL(attempts(), 0);
    /* Another target than the staged one is asked for by itself. */
    CU_ASSERT_EQUAL(CALL("check", "same"), 0);
    CU_ASSERT_EQUAL(CALL("check", "xen"), 0);
}

/* ---- updating ---- */

static void update(void)
{
    fresh(2);
    write_all_hooks();
    CU_ASSERT_EQUAL(CALL("stage", "xen"), 0);
    CU_ASSERT_EQUAL(CALL("-n", "apply"), 0);
    CU_ASSERT_TRUE(says("would update: generation 0, Xen 4.17.5-old\n"));
    CU_ASSERT_TRUE(hooks_said("pre-check apply\n"));
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    CU_ASSERT_EQUAL(attempts(), 0);

    unlink("log");
    CU_ASSERT_EQUAL(CALL("apply"), 0);
    CU_ASSERT_TRUE(says("updating: generation 0, Xen 4.17.5-old\n"));
    CU_ASSERT_TRUE(says("now: check\nnow: save\nnow: settle\n"));
    CU_ASSERT_TRUE(says("state: done\nfrom: 4.17.5-old\nto: 4.17.6-new\n"));
    CU_ASSERT_TRUE(says("pause: 31.000 ms\n"));
    CU_ASSERT_TRUE(says("survivors: all of 2 domains"));
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply 1 2\npost-apply done 31000000\n"));
    CU_ASSERT_EQUAL(fake.stage, FAKE_IDLE);
    CU_ASSERT_TRUE(last_is("done"));
    CU_ASSERT_STRING_EQUAL(text_at("attempts.0.begin.plan.target.path"), "xen");
    CU_ASSERT_EQUAL(access("state/staged", F_OK), -1);

    /* The first of several phases, and that something was staged. */
    CU_ASSERT_EQUAL(CALL("-j", "result"), 0);
    CU_ASSERT_STRING_EQUAL(text_at("result.state"), "done");
    CU_ASSERT_EQUAL(number_at("result.phase_ns.save"), 10000000);
    CU_ASSERT_PTR_NULL(at("result.phase_ns.check"));
    CU_ASSERT_TRUE(json_is_null(at("result.failure")));
    CU_ASSERT_EQUAL(number_at("last.id"), 1);

    /* Not ready: nothing is tried, and nothing is written down. */
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "not-staged");
    fake.query.staged = 1;
    fake.query.nr_slots = 0;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "no-region");
    fake.query.nr_slots = 2;
    fake.query.phase = XEN_LIVEUPDATE_PHASE_settle;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 2);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "busy");
    fake.query.phase = XEN_LIVEUPDATE_PHASE_idle;
    CU_ASSERT_EQUAL(attempts(), 1);
}

static void refused(void)
{
    ready(2);
    write_all_hooks();
    fake_refuse(1, EOPNOTSUPP, "grant", "for a test");
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "refused");
    CU_ASSERT_TRUE(complains("refused: domain 1: grant: for a test (EOPNOTSUPP)\n"));
    CU_ASSERT_TRUE(hooks_said("pre-check apply\n"));

    fake.nr_refusals = 0;
    write_hook("pre-apply", "no", 1);
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "hook");
    write_hook("pre-check", "no", 1);
    CU_ASSERT_EQUAL(CALL("-j", "check"), 3);
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 3);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    CU_ASSERT_EQUAL(attempts(), 0);
}

static void fails(void)
{
    ready(2);
    write_all_hooks();
    fake.fails = true;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 4);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "failed");
    CU_ASSERT_EQUAL(number_at("error.domain"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("result.failure.reason"), "for a test");
    CU_ASSERT_STRING_EQUAL(text_at("result.failure.errno"), "EINVAL");
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply 1 2\non-failure failed save grant 1\n"));
    CU_ASSERT_TRUE(last_is("failed"));
    CU_ASSERT_STRING_EQUAL(text_at("attempts.0.end.result.failure.reason"), "for a test");
    CU_ASSERT_TRUE(json_is_false(at("attempts.0.end.afterwards")));
    CU_ASSERT_EQUAL(CALL("result"), 0);
    CU_ASSERT_TRUE(says("failed phase: save\nfailed resource: grant\nfailed domain: 1\n"
                        "reason: for a test\n"));
    fake.result.domid = XEN_LIVEUPDATE_NO_DOMAIN;
    CU_ASSERT_EQUAL(CALL("result"), 0);
    CU_ASSERT_TRUE(says("failed domain: -\n"));
    fake.result.domid = 0;
    CU_ASSERT_EQUAL(CALL("result"), 0);
    CU_ASSERT_TRUE(says("failed domain: 0\n"));

    /* A hook behind the event cannot undo it, but its failure is told. */
    write_hook("on-failure", "bad", 2);
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 4);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at("warnings.0"), "failed with exit code 2"));
}

/* The target refuses behind the jump: the same Xen goes on, after a pause, and nothing is staged any more. */
static void returns(void)
{
    char text[8192];

    ready(2);
    write_all_hooks();
    fake.returns = true;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 7);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "failed");
    CU_ASSERT_EQUAL(number_at("error.domain"), 1);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(text_at("error.message"),
               "the target refused in phase plan, resource p2m, domain 1: "
               "the target has had enough (Cannot allocate memory), and came back"));
    CU_ASSERT_STRING_EQUAL(text_at("result.state"), "returned");
    CU_ASSERT_EQUAL(number_at("result.pause_ns"), 52000000);
    CU_ASSERT_STRING_EQUAL(text_at("result.failure.phase"), "plan");
    CU_ASSERT_STRING_EQUAL(text_at("result.failure.resource"), "p2m");
    CU_ASSERT_EQUAL(number_at("result.failure.domain"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("result.failure.errno"), "ENOMEM");
    CU_ASSERT_STRING_EQUAL(text_at("result.failure.reason"), "the target has had enough");
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply 1 2\non-failure returned plan p2m 1\n"));
    CU_ASSERT_TRUE(last_is("returned"));
    CU_ASSERT_STRING_EQUAL(text_at("attempts.0.end.outcome"), "returned");
    CU_ASSERT_STRING_EQUAL(text_at("attempts.0.end.result.failure.reason"),
                           "the target has had enough");
    read_text("metrics/xen_liveupdate.prom", text, sizeof(text));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "_last_result{outcome=\"returned\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "_last_result{outcome=\"failed\"} 0\n"));
    CU_ASSERT_PTR_NULL(strstr(text, "rehearsed"));

    CU_ASSERT_EQUAL(CALL("result"), 0);
    CU_ASSERT_TRUE(says("state: returned\n") && says("last update: 1, ") && says(": returned\n"));
    CU_ASSERT_TRUE(says("failed phase: plan\nfailed resource: p2m\nfailed domain: 1\n"));
    CU_ASSERT_EQUAL(CALL("history", "1"), 0);
    CU_ASSERT_TRUE(says("outcome: returned\n") && says("pause: 52.000 ms\n"));
    CU_ASSERT_TRUE(says("reason: the target has had enough\n"));
    CU_ASSERT_EQUAL(CALL("apply"), 1);
    CU_ASSERT_TRUE(complains("no target is staged"));

    /* As text: where the rest of it stands. A rehearsal before it does not fail. */
    ready(1);
    fake.returns = true;
    CU_ASSERT_EQUAL(CALL("apply", "--max-pause", "10000"), 7);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_rehearse], 1);
    CU_ASSERT_TRUE(complains("after a pause of 52.000 ms") && complains("xl dmesg"));
    CU_ASSERT_EQUAL(CALL("rehearse"), 0);
}

static void lose_one(enum fake_stage stage)
{
    if (stage == FAKE_SETTLE)
        fake.nr_domains--;
}

static void loses(void)
{
    ready(3);
    write_all_hooks();
    fake.on_stage = lose_one;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 6);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "lost");
    CU_ASSERT_STRING_EQUAL(text_at("missing.0"), "domain 2 is gone");
    CU_ASSERT_TRUE(complains("missing: domain 2 is gone\n"));
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply 1 3\non-failure lost   \n"));
    CU_ASSERT_TRUE(last_is("lost"));
}

static void leave_one(enum fake_stage stage)
{
    if (stage == FAKE_SAVE)
        fake.domain[2].flags = XEN_LIVEUPDATE_DOMAIN_SHUTDOWN | XEN_LIVEUPDATE_DOMAIN_ENDED;
    /* The toolstack removes it, as it does unless it was told otherwise. */
    if (stage == FAKE_IDLE)
        fake.nr_domains = 2;
}

/* A guest that shuts itself down meanwhile is not lost, though it is gone; one that crashes is. */
static void leaves(void)
{
    ready(3);
    write_all_hooks();
    fake.on_stage = leave_one;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 0);
    CU_ASSERT_STRING_EQUAL(text_at("left.0"), "domain 2 has shut down by itself");
    CU_ASSERT_EQUAL(json_array_size(at("missing")), 0);
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply 1 3\npost-apply done 31000000\n"));
    CU_ASSERT_TRUE(last_is("done"));
    CU_ASSERT_EQUAL(CALL("history", "1"), 0);
    CU_ASSERT_TRUE(says("left: domain 2 has shut down by itself\n"));
}

static void too_late(void)
{
    ready(1);
    fake.stuck = FAKE_SAVE;
    CU_ASSERT_EQUAL(CALL("-j", "apply", "--timeout", "1"), 5);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "timeout");
    /* It may still come, and whoever looks then writes it down. */
    CU_ASSERT_TRUE(last_is("under-way"));
    CU_ASSERT_TRUE(json_is_null(at("attempts.0.end")));
    CU_ASSERT_EQUAL(CALL("history"), 0);
    CU_ASSERT_TRUE(says("  update     under way   -               4.17.5-old -> "));
    fake.stuck = FAKE_IDLE;
    while (fake.stage != FAKE_IDLE)
        CU_ASSERT_EQUAL(CALL("history"), 0);
    CU_ASSERT_TRUE(last_is("done"));
    CU_ASSERT_TRUE(json_is_true(at("attempts.0.end.afterwards")));

    ready(1);
    fake.stuck = FAKE_SCHEDULED;
    CU_ASSERT_EQUAL(CALL("-j", "apply", "--timeout", "1"), 4);
    CU_ASSERT_TRUE(last_is("failed"));
}

static void busy(void)
{
    struct record_why why;
    struct journal j;

    ready(1);
    setenv("XEN_LIVEUPDATE_DIR", "state", 1);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 2);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "busy");
    /* Whoever only looks is not kept out. */
    CU_ASSERT_EQUAL(CALL("history"), 0);
    journal_close(&j);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);

    /* Without a journal nothing is tried. */
    setenv("XEN_LIVEUPDATE_DIR", "/dev/null/state", 1);
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "journal");
    setenv("XEN_LIVEUPDATE_DIR", "state", 1);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    CU_ASSERT_EQUAL(CALL("apply"), 0);
}

/* ---- a limit for the pause ---- */

static void limit(void)
{
    ready(1);
    CU_ASSERT_EQUAL(CALL("-j", "apply", "--max-pause", "1"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "pause-too-long");
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_rehearse], 1);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    CU_ASSERT_TRUE(last_is("not-tried"));
    CU_ASSERT_STRING_EQUAL(text_at("attempts.0.begin.plan.kind"), "update");
    CU_ASSERT_EQUAL(CALL("-j", "apply", "--max-pause", "10000"), 0);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_rehearse], 2);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at("prediction.basis"), "this rehearsal"));

    ready(2);
    fake.fails = true;
    CU_ASSERT_EQUAL(CALL("-j", "apply", "--max-pause", "10000"), 4);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "failed");
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    CU_ASSERT_TRUE(last_is("failed"));
}

static void rehearsal(void)
{
    fresh(1);
    CU_ASSERT_EQUAL(CALL("-n", "rehearse"), 0);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_rehearse], 0);
    CU_ASSERT_EQUAL(CALL("rehearse"), 0);
    CU_ASSERT_TRUE(says("state: rehearsed\n") && says("pause: 11.000 ms\n"));
    CU_ASSERT_TRUE(says("predicted pause: "));
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_rehearse], 1);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    CU_ASSERT_TRUE(last_is("rehearsed"));
    CU_ASSERT_STRING_EQUAL(text_at("attempts.0.begin.plan.kind"), "rehearsal");
    CU_ASSERT_EQUAL(fake.query.staged, 1);
    fake.query.caps = 0;
    CU_ASSERT_EQUAL(CALL("-j", "rehearse"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "unsupported");
    fake.query.caps = XEN_LIVEUPDATE_CAP_REHEARSE;
    fake.fails = true;
    CU_ASSERT_EQUAL(CALL("rehearse"), 4);
    CU_ASSERT_TRUE(last_is("failed"));
}

/* Who updates by the library alone has what the command line has. */
static void example(void)
{
    struct record_why why;
    struct image image;

    fresh(3);
    image_good(&image);
    CU_ASSERT_EQUAL_FATAL(record_replace("xen", 0600, &image, sizeof(image), &why), 0);
    program = example_main;
    CU_ASSERT_EQUAL(CALL("xen"), 0);
    CU_ASSERT_TRUE(says("rehearsed: domains stood still for 11000000 ns\n") && says("save\n"));
    CU_ASSERT_TRUE(says("4.17.5-old -> 4.17.6-new, domains stood still for 31000000 ns\n"));
    program = xen_liveupdate_main;
    CU_ASSERT_TRUE(last_is("done"));
    CU_ASSERT_EQUAL(json_array_size(at("attempts")), 2);
    CU_ASSERT_STRING_EQUAL(text_at("attempts.1.begin.plan.target.path"), "xen");

    fake_refuse(1, EOPNOTSUPP, "grant", "for a test");
    program = example_main;
    CU_ASSERT_EQUAL(CALL("xen"), 3);
    CU_ASSERT_TRUE(complains("domain 1, grant: for a test"));
    program = xen_liveupdate_main;
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 1);
}

/* ---- interrupts ---- */

static enum fake_stage signal_at;
static int signal_nr;
static uint32_t signal_op;

static void send_signal(enum fake_stage stage)
{
    if (stage == signal_at && fake.op == signal_op)
        raise(signal_nr);
}

static void interrupt(enum fake_stage stage, uint32_t op, int nr)
{
    ready(1);
    write_all_hooks();
    fake.on_stage = send_signal;
    signal_at = stage;
    signal_op = op;
    signal_nr = nr;
}

static void interrupts(void)
{
    static const int signals[] = {SIGINT, SIGTERM};

    for (size_t i = 0; i < 2; i++) {
        /* Before it has begun it is taken back; later it is too late, and it goes ahead. */
        interrupt(FAKE_SCHEDULED, XEN_LIVEUPDATE_execute, signals[i]);
        CU_ASSERT_EQUAL(CALL("-j", "apply"), 4);
        CU_ASSERT_PTR_NOT_NULL(strstr(text_at("error.message"), "taken back before it began"));
        CU_ASSERT_EQUAL(fake.query.generation, 0);
        CU_ASSERT_TRUE(last_is("failed"));
        interrupt(FAKE_CHECK, XEN_LIVEUPDATE_execute, signals[i]);
        CU_ASSERT_EQUAL(CALL("apply"), 0);
        CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_abort], 1);
        CU_ASSERT_EQUAL(fake.query.generation, 1);
        CU_ASSERT_TRUE(last_is("done"));

        /* At any moment of the rehearsal, its end included, it keeps from the update. */
        for (enum fake_stage stage = FAKE_SCHEDULED; stage <= FAKE_SAVE; stage++) {
            interrupt(stage, XEN_LIVEUPDATE_rehearse, signals[i]);
            CU_ASSERT_EQUAL(CALL("-j", "apply", "--max-pause", "10000"),
                            stage == FAKE_SCHEDULED ? 4 : 1);
            CU_ASSERT_STRING_EQUAL(text_at("error.code"),
                                   stage == FAKE_SCHEDULED ? "failed" : "interrupted");
            CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
            CU_ASSERT_EQUAL(fake.query.generation, 0);
            CU_ASSERT_TRUE(last_is(stage == FAKE_SCHEDULED ? "failed" : "not-tried"));
        }
        interrupt(FAKE_IDLE, XEN_LIVEUPDATE_rehearse, signals[i]);
        CU_ASSERT_EQUAL(CALL("-j", "apply", "--max-pause", "10000"), 1);
        CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
        CU_ASSERT_TRUE(last_is("not-tried"));
    }

    /* Whose terminal is closed goes on. */
    interrupt(FAKE_CHECK, XEN_LIVEUPDATE_execute, SIGHUP);
    CU_ASSERT_EQUAL(CALL("apply"), 0);
    CU_ASSERT_TRUE(last_is("done"));
    interrupt(FAKE_SCHEDULED, XEN_LIVEUPDATE_execute, SIGPIPE);
    CU_ASSERT_EQUAL(CALL("apply"), 0);
    CU_ASSERT_TRUE(last_is("done"));

    /* Killed: the next one that looks writes down what became of it. */
    interrupt(FAKE_CHECK, XEN_LIVEUPDATE_execute, SIGKILL);
    CU_ASSERT_EQUAL(CALL("apply"), -1);
    CU_ASSERT_TRUE(last_is("under-way") || last_is("done"));
    while (fake.stage != FAKE_IDLE)
        CU_ASSERT_EQUAL(CALL("status"), 0);
    CU_ASSERT_TRUE(last_is("done"));
}

/* ---- what was approved is what is executed ---- */

static void die(void)
{
    raise(SIGKILL);
}

static void block_record(void)
{
    mkdir("state/staged", 0700);
}

static void alone(void)
{
    struct record_why why;
    struct journal j;

    /* One lock for all that stage, unstage, rehearse or update; who changes nothing needs none. */
    ready(1);
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    CU_ASSERT_EQUAL(CALL("-j", "stage", "xen"), 2);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "busy");
    CU_ASSERT_EQUAL(CALL("unstage"), 2);
    CU_ASSERT_EQUAL(CALL("rehearse"), 2);
    CU_ASSERT_EQUAL(CALL("-n", "stage", "xen"), 0);
    CU_ASSERT_EQUAL(CALL("-n", "unstage"), 0);
    CU_ASSERT_EQUAL(fake.loads + fake.unloads, 0);
    journal_close(&j);
    CU_ASSERT_EQUAL(CALL("stage", "xen"), 0);

    /* What is refused leaves what is staged, and what is known of it. */
    write_file("not-xen", "something", 9);
    CU_ASSERT_EQUAL(CALL("stage", "not-xen"), 1);
    CU_ASSERT_EQUAL(CALL("status"), 0);
    CU_ASSERT_TRUE(says("target: 4.17.5-test (none), xen\n"));

    /* Killed when Xen has another one: nothing is known of it. */
    fake.on_load = die;
    CU_ASSERT_EQUAL(CALL("stage", "xen"), -1);
    fake.on_load = NULL;
    CU_ASSERT_EQUAL(fake.query.staged, 1);
    CU_ASSERT_EQUAL(CALL("-j", "status"), 0);
    CU_ASSERT_TRUE(json_is_null(at("target")));
    CU_ASSERT_EQUAL(CALL("apply"), 3);

    /* One that could not be remembered is not staged. */
    run_command("mkdir state/staged");
    CU_ASSERT_EQUAL(CALL("-j", "stage", "xen"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "journal");
    run_command("rmdir state/staged");
    CU_ASSERT_EQUAL(CALL("unstage"), 0);
    fake.on_load = block_record;
    CU_ASSERT_EQUAL(CALL("-j", "stage", "xen"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "journal");
    fake.on_load = NULL;
    CU_ASSERT_EQUAL(fake.query.staged, 0);
}

static void unstage_it(enum fake_stage stage)
{
    if (stage == FAKE_IDLE)
        fake.query.staged = 0;
}

static void approved(void)
{
    /* Somebody else's, of which nothing is known. */
    fresh(1);
    write_all_hooks();
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "target-unknown");
    CU_ASSERT_EQUAL(CALL("-n", "apply"), 3);
    CU_ASSERT_TRUE(hooks_said(""));
    CU_ASSERT_EQUAL(attempts(), 0);

    /* Another one, between the check and the update. */
    ready(1);
    write_all_hooks();
    remember("4.17.7-other", "");
    run_command("mv state/staged other");
    remember("4.17.6-new", "");
    write_command_hook("pre-apply", "", "cp other state/staged");
    /* What is written down is what was checked, so the update is not made. */
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "target-changed");
    CU_ASSERT_TRUE(last_is("not-tried"));
    CU_ASSERT_STRING_EQUAL(text_at("attempts.0.begin.plan.target.version"), "4.17.6-new");
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply \non-failure refused   \n"));
    ready(1);
    fake.on_stage = unstage_it;
    CU_ASSERT_EQUAL(CALL("-j", "apply", "--max-pause", "10000"), 3);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "target-changed");
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);

    /* Which Xen it was can be seen afterwards. */
    ready(1);
    remember("4.17.6-new", "0123abcd");
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 0);
    CU_ASSERT_EQUAL(json_array_size(at("warnings")), 0);
    ready(1);
    remember("4.17.6-new", "feed");
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at("warnings.0"), "its build id is 0123abcd, not feed"));
}

/* ---- what follows pre-apply ---- */

static enum fake_stage break_at;
static int break_op;

static void break_xen(enum fake_stage stage)
{
    if (stage == break_at) {
        fake.fail_op = break_op;
        fake.error = EIO;
    }
}

/* Applies with these words; it ends with this exit code, and this is what hooks said. */
static bool follows(int rc, const char *said, const char *word, const char *argument)
{
    char wanted[128];
    int found = CALL("-j", "apply", word, argument);

    if (found != rc)
        fprintf(stderr, "\n    exit code %d: %s", found, err);
    snprintf(wanted, sizeof(wanted), "pre-check apply\npre-apply 1 2\non-failure %s\n", said);
    fake.on_stage = NULL;
    fake.error = 0;

    return hooks_said(wanted) && found == rc;
}

static void ready_with_hooks(void (*on_stage)(enum fake_stage))
{
    ready(2);
    write_all_hooks();
    fake.on_stage = on_stage;
}

static void shut_one_down(int signal)
{
    (void)signal;
    fake.nr_domains--;
}

/* Whatever happens behind pre-apply, one of the other two is run, once, and is told the truth. */
static void last_hooks(void)
{
    ready_with_hooks(NULL);
    CU_ASSERT_TRUE(follows(3, "refused   ", "--max-pause", "1"));
    ready_with_hooks(NULL);
    fake.fails = true;
    CU_ASSERT_TRUE(follows(4, "failed save grant 1", "--max-pause", "10000"));

    /* The hooks themselves: one that fails, one that is interrupted, in a group of its own. */
    ready_with_hooks(NULL);
    write_hook("pre-apply", "$XEN_LIVEUPDATE_ID $XEN_LIVEUPDATE_DOMAINS", 1);
    CU_ASSERT_TRUE(follows(3, "refused   ", NULL, NULL));
    ready_with_hooks(NULL);
    write_command_hook("pre-apply", "$XEN_LIVEUPDATE_ID $XEN_LIVEUPDATE_DOMAINS",
                       "kill -INT $PPID; exec sleep 30 2>/dev/null >&2");
    CU_ASSERT_TRUE(follows(1, "refused   ", NULL, NULL));
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "interrupted");
    CU_ASSERT_EQUAL(attempts(), 0);

    /* Interrupted in the rehearsal; in the update, in time. */
    ready_with_hooks(send_signal);
    signal_at = FAKE_IDLE;
    signal_op = XEN_LIVEUPDATE_rehearse;
    signal_nr = SIGQUIT;
    CU_ASSERT_TRUE(follows(1, "refused   ", "--max-pause", "10000"));
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    ready_with_hooks(send_signal);
    signal_at = FAKE_SCHEDULED;
    signal_op = XEN_LIVEUPDATE_execute;
    CU_ASSERT_TRUE(follows(4, "failed idle  ", NULL, NULL));

    /* An error of the tool itself; one of Xen, before it took the update. */
    ready_with_hooks(NULL);
    write_command_hook("pre-apply", "$XEN_LIVEUPDATE_ID $XEN_LIVEUPDATE_DOMAINS",
                       "rm -f state/journal.db; mkdir state/journal.db");
    CU_ASSERT_TRUE(follows(1, "refused   ", NULL, NULL));
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "journal");
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_execute], 0);
    ready_with_hooks(NULL);
    fake.fail_op = XEN_LIVEUPDATE_execute;
    fake.error = EIO;
    CU_ASSERT_TRUE(follows(1, "refused   ", NULL, NULL));
    CU_ASSERT_TRUE(last_is("not-tried"));

    /* Begun, and then it is not known: neither failed nor not tried. */
    ready_with_hooks(NULL);
    fake.stuck = FAKE_SAVE;
    CU_ASSERT_TRUE(follows(5, "unknown   ", "--timeout", "1"));
    CU_ASSERT_TRUE(last_is("under-way"));
    ready_with_hooks(break_xen);
    break_at = FAKE_CHECK;
    break_op = XEN_LIVEUPDATE_result;
    CU_ASSERT_TRUE(follows(5, "unknown   ", NULL, NULL));
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "not-known");
    CU_ASSERT_TRUE(last_is("under-way"));
    ready_with_hooks(break_xen);
    break_at = FAKE_SETTLE;
    break_op = XEN_LIVEUPDATE_inventory;
    CU_ASSERT_TRUE(follows(5, "unknown   ", NULL, NULL));
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "inventory");
    CU_ASSERT_TRUE(last_is("not-known"));

    /* What a hook has shut down is not lost. */
    ready_with_hooks(NULL);
    signal(SIGUSR1, shut_one_down);
    write_command_hook("pre-apply", "$XEN_LIVEUPDATE_DOMAINS", "kill -USR1 $PPID");
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 0);
    signal(SIGUSR1, SIG_DFL);
    CU_ASSERT_EQUAL(fake.nr_domains, 1);
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply 2\npost-apply done 31000000\n"));

    /* Those that follow are all run, whichever of them fails. */
    ready(2);
    write_hook("post-apply", "$XEN_LIVEUPDATE_OUTCOME", 1);
    run_command("sed 's/10-test/20-test/; s/exit 1/exit 2/' hooks/post-apply/10-test "
                ">hooks/post-apply/20-test && chmod 755 hooks/post-apply/20-test");
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 0);
    CU_ASSERT_TRUE(hooks_said("post-apply done\npost-apply done\n"));
    CU_ASSERT_EQUAL(json_array_size(at("warnings")), 2);
}

/* ---- the crash kernel ---- */

/* What a hook has loaded is loaded. */
static int look_for_loaded(void)
{
    if (!access("loaded", F_OK))
        fake.crash_loaded = true;

    return 0;
}

static void ready_with_crash_kernel(void)
{
    ready_with_hooks(NULL);
    unlink("loaded");
    fake.crash_loaded = true;
    write_hook("pre-apply", "$XEN_LIVEUPDATE_CRASH_KERNEL$XEN_LIVEUPDATE_CRASH_KERNEL_LOST", 0);
    write_hook("post-apply", "$XEN_LIVEUPDATE_CRASH_KERNEL_LOST", 0);
    write_hook("on-failure", "$XEN_LIVEUPDATE_CRASH_KERNEL_LOST", 0);
}

static bool metric_is(const char *name, int value)
{
    char text[8192], wanted[64];

    read_text("metrics/xen_liveupdate.prom", text, sizeof(text));
    snprintf(wanted, sizeof(wanted), "\nxen_liveupdate_%s %d\n", name, value);

    return strstr(text, wanted);
}

static void crash_kernel(void)
{
    static const char lost[] = "the crash kernel that was armed before the update is not any more";

    /* Loaded before and not after: hooks are told, and everybody behind them. */
    ready_with_crash_kernel();
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 0);
    CU_ASSERT_TRUE(json_is_true(at("crash_kernel.before")));
    CU_ASSERT_TRUE(json_is_false(at("crash_kernel.after")));
    CU_ASSERT_EQUAL(json_array_size(at("warnings")), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at("warnings.0"), lost));
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply 1\npost-apply 1\n"));
    CU_ASSERT_TRUE(metric_is("crash_kernel_lost", 1));
    CU_ASSERT_EQUAL(CALL("status"), 0);
    CU_ASSERT_TRUE(says("crash kernel: not armed\n"));
    CU_ASSERT_TRUE(says("crash kernel before the update: armed (load it again)\n"));
    CU_ASSERT_TRUE(last_is("done"));
    CU_ASSERT_TRUE(json_is_true(at("attempts.0.begin.before.host.crash_kernel")));
    /* An attempt that has come to nothing is not the one that it was lost in. */
    fake.query.staged = 1;
    remember("4.17.7-newer", "");
    fake.fails = true;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 4);
    CU_ASSERT_TRUE(json_is_false(at("crash_kernel.before")));
    CU_ASSERT_EQUAL(json_array_size(at("warnings")), 0);
    CU_ASSERT_EQUAL(CALL("status"), 0);
    CU_ASSERT_TRUE(says("crash kernel before the update: armed"));
    /* The operator loads it. */
    fake.crash_loaded = true;
    CU_ASSERT_EQUAL(CALL("-n", "status"), 0);
    CU_ASSERT_TRUE(metric_is("crash_kernel_lost", 1));
    CU_ASSERT_EQUAL(CALL("status"), 0);
    CU_ASSERT_PTR_NULL(strstr(out, "before the update"));
    CU_ASSERT_TRUE(metric_is("crash_kernel_lost", 0) && metric_is("crash_kernel_armed", 1));

    /* A hook loads it. */
    ready_with_crash_kernel();
    fake.on_call = look_for_loaded;
    write_command_hook("post-apply", "$XEN_LIVEUPDATE_CRASH_KERNEL_LOST", "touch loaded");
    CU_ASSERT_EQUAL(CALL("apply"), 0);
    CU_ASSERT_TRUE(says("crash kernel: armed again\n"));
    CU_ASSERT_STRING_EQUAL(err, "");
    CU_ASSERT_TRUE(metric_is("crash_kernel_lost", 0) && metric_is("crash_kernel_armed", 1));

    /* It is lost as well if something else is. */
    ready_with_crash_kernel();
    fake.on_stage = lose_one;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 6);
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply 1\non-failure 1\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at("warnings.0"), lost));

    /* Nothing has happened to it; none was loaded. */
    ready_with_crash_kernel();
    fake.fails = true;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 4);
    CU_ASSERT_TRUE(json_is_true(at("crash_kernel.after")));
    CU_ASSERT_EQUAL(json_array_size(at("warnings")), 0);
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply 1\non-failure 0\n"));
    CU_ASSERT_EQUAL(CALL("apply"), 4);
    CU_ASSERT_PTR_NULL(strstr(out, "armed again"));
    ready_with_crash_kernel();
    fake.crash_loaded = false;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 0);
    CU_ASSERT_TRUE(json_is_false(at("crash_kernel.before")));
    CU_ASSERT_EQUAL(json_array_size(at("warnings")), 0);
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply 0\npost-apply 0\n"));
    CU_ASSERT_TRUE(metric_is("crash_kernel_lost", 0));
}

/* A hook that would not be run refuses before anything has begun, or is told at once. */
static void bad_hooks(void)
{
    static const char *const refuse[] = {"pre-check", "pre-apply"};
    struct stat st;

    for (size_t i = 0; i < 2; i++) {
        char path[64];

        ready_with_hooks(NULL);
        snprintf(path, sizeof(path), "hooks/%s/10-test", refuse[i]);
        chmod(path, 0644);
        CU_ASSERT_EQUAL(CALL("-j", "apply"), 3);
        CU_ASSERT_STRING_EQUAL(text_at("error.code"), "hook");
        CU_ASSERT_PTR_NOT_NULL(strstr(text_at("error.message"), "/10-test: not executable; "));
        CU_ASSERT_EQUAL(CALL("-n", "apply"), 3);
        CU_ASSERT_EQUAL(CALL("check"), 3);
        CU_ASSERT_TRUE(hooks_said(""));
        CU_ASSERT_EQUAL(attempts(), 0);
    }
    ready_with_hooks(NULL);
    chmod("hooks/on-failure/10-test", 0644);
    CU_ASSERT_EQUAL(CALL("-j", "check"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at("warnings.0"), "/on-failure/10-test: not executable"));
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at("warnings.0"), "/on-failure/10-test: not executable"));

    /* What hooks say is lost if nobody hears it; it does not go into a file of ours. */
    ready_with_hooks(NULL);
    write_command_hook("pre-apply", "", "echo said; echo said >&2");
    close_stderr = true;
    CU_ASSERT_EQUAL(CALL("apply"), 0);
    close_stderr = false;
    CU_ASSERT_TRUE(hooks_said("pre-check apply\npre-apply \npost-apply done 31000000\n"));
    CU_ASSERT_TRUE(!stat("state/lock", &st) && !st.st_size);

    setenv("XEN_LIVEUPDATE_HOOK_TIMEOUT", "soon", 1);
    fake.query.staged = 1;
    remember("4.17.6-new", "");
    CU_ASSERT_EQUAL(CALL("apply"), 3);
    CU_ASSERT_TRUE(complains("XEN_LIVEUPDATE_HOOK_TIMEOUT=soon: not a number of seconds"));
    unsetenv("XEN_LIVEUPDATE_HOOK_TIMEOUT");
}

static void aborting(void)
{
    fresh(1);
    CU_ASSERT_EQUAL(CALL("-n", "abort"), 0);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_abort], 0);
    CU_ASSERT_EQUAL(CALL("-j", "abort"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "nothing-to-abort");
    fake.stage = fake.stuck = FAKE_SAVE;
    CU_ASSERT_EQUAL(CALL("-j", "abort"), 2);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "busy");
    fake.stage = FAKE_SCHEDULED;
    CU_ASSERT_EQUAL(CALL("abort"), 0);
    CU_ASSERT_TRUE(says("aborted\n"));
}

/* ---- the journal ---- */

static void history(void)
{
    struct record_why why;
    struct journal j;
    FILE *f;

    ready(2);
    CU_ASSERT_EQUAL(CALL("apply"), 0);
    CU_ASSERT_EQUAL(CALL("rehearse"), 0);
    CU_ASSERT_EQUAL(CALL("history"), 0);
    CU_ASSERT_TRUE(says("  update     done        31.000 ms       4.17.5-old -> 4.17.6-new\n"));
    CU_ASSERT_TRUE(says("  rehearsal  rehearsed   11.000 ms       4.17.6-new\n"));
    CU_ASSERT_EQUAL(CALL("history", "1"), 0);
    CU_ASSERT_TRUE(says("id: 1\nkind: update\nbegan: "));
    CU_ASSERT_TRUE(says("outcome: done\n") && says("phase save: 10.000 ms\n"));
    CU_ASSERT_TRUE(says("domain 1: 2 vCPUs, 128 MiB\n"));
    CU_ASSERT_EQUAL(CALL("-j", "history", "2"), 0);
    CU_ASSERT_EQUAL(number_at("attempt.id"), 2);
    CU_ASSERT_EQUAL(CALL("history", "3"), 1);
    CU_ASSERT_EQUAL(CALL("history", "1x"), 1);
    CU_ASSERT_EQUAL(CALL("history", "0"), 1);
    CU_ASSERT_TRUE(complains("there is no attempt \"0\" in the journal"));

    /* Who only says what would be done completes nothing. */
    ready(1);
    fake.stuck = FAKE_SAVE;
    CU_ASSERT_EQUAL(CALL("apply", "--timeout", "1"), 5);
    fake.stuck = FAKE_IDLE;
    for (int i = 0; i < 20 && fake.stage != FAKE_IDLE; i++)
        CU_ASSERT_EQUAL(CALL("-n", "status"), 0);
    CU_ASSERT_EQUAL(CALL("-n", "rehearse"), 0);
    CU_ASSERT_EQUAL(CALL("-n", "-j", "history"), 0);
    CU_ASSERT_TRUE(json_is_null(at("attempts.0.end")));
    CU_ASSERT_EQUAL(CALL("-j", "history"), 0);
    CU_ASSERT_FALSE(json_is_null(at("attempts.0.end")));

    /* One that has been cut off, and is not known to have ended. */
    CU_ASSERT_EQUAL_FATAL(journal_open(&j, true, &why), 0);
    journal_close(&j);
    fake.stage = fake.stuck = FAKE_SAVE;
    fake.query.phase = XEN_LIVEUPDATE_PHASE_save;
    f = fopen("state/journal.db", "r+");
    fwrite("garbage", 1, 7, f);
    fclose(f);
    CU_ASSERT_EQUAL(CALL("-j", "history"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at("error.message"), "journal.db: is damaged"));
    fake.stage = fake.stuck = FAKE_IDLE;
    fake.query.phase = XEN_LIVEUPDATE_PHASE_idle;
    fake.query.staged = 1;
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "journal");
}

static void warnings(void)
{
    sqlite3 *db;

    /* Two at once: a hook, and metrics that cannot be written. */
    ready(1);
    CU_ASSERT_EQUAL(CALL("apply"), 0);
    fake.query.staged = 1;
    remember("4.17.6-new", "");
    write_hook("post-apply", "bad", 1);
    run_command("rm metrics/xen_liveupdate.prom && mkdir metrics/xen_liveupdate.prom");
    CU_ASSERT_EQUAL(CALL("-j", "apply"), 0);
    CU_ASSERT_EQUAL(json_array_size(at("warnings")), 2);
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at("warnings.0"), "metrics: "));
    CU_ASSERT_PTR_NOT_NULL(strstr(text_at("warnings.1"), "exit code 1"));
    CU_ASSERT_EQUAL_FATAL(sqlite3_open("state/journal.db", &db), SQLITE_OK);
    CU_ASSERT_EQUAL(sqlite3_exec(db, "UPDATE attempt SET begin = x'' WHERE id = 1", NULL, NULL,
                                 NULL),
                    SQLITE_OK);
    sqlite3_close(db);
    CU_ASSERT_EQUAL(CALL("history"), 0);
    CU_ASSERT_TRUE(complains("warning: state/journal.db: 1 entries are damaged"));
}

static void report(void)
{
    ready(1);
    CU_ASSERT_EQUAL(CALL("report"), 1);
    fake.stuck = FAKE_SAVE;
    CU_ASSERT_EQUAL(CALL("apply", "--timeout", "1"), 5);
    CU_ASSERT_EQUAL(CALL("-j", "report"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "no-result");
    ready(1);
    CU_ASSERT_EQUAL(CALL("apply"), 0);
    CU_ASSERT_EQUAL(CALL("report"), 0);
    CU_ASSERT_TRUE(says("update 1: done\n") && says("pause: 31.000 ms\n"));
    CU_ASSERT_EQUAL(CALL("report", "x"), 64);
    CU_ASSERT_EQUAL(CALL("report", "9"), 1);
}

/* Phases one behind the other; domains stand still from the first paused one on. */
static void time_line(void)
{
    /* An update whose process was killed, with these times. */
    interrupt(FAKE_SAVE, XEN_LIVEUPDATE_execute, SIGKILL);
    CU_ASSERT_EQUAL(CALL("apply"), -1);
    fake.on_stage = NULL;
    fake.stage = FAKE_IDLE;
    fake.query.phase = XEN_LIVEUPDATE_PHASE_idle;
    fake.query.generation = fake.result.generation = 1;
    strcpy(fake.version, "4.17.6-new");
    fake.result.state = XEN_LIVEUPDATE_STATE_done;
    fake.result.pause_ns = 31000000;
    for (int i = 0; i < 16; i++)
        fake.result.phase_ns[i] = -1;
    fake.result.phase_ns[XEN_LIVEUPDATE_PHASE_check] = 4000000;
    fake.result.phase_ns[XEN_LIVEUPDATE_PHASE_save] = 10000000;
    fake.result.phase_ns[XEN_LIVEUPDATE_PHASE_resume] = 500;
    fake.result.phase_ns[XEN_LIVEUPDATE_PHASE_settle] = 2000000;

    CU_ASSERT_EQUAL(CALL("-j", "report"), 0);
    CU_ASSERT_EQUAL(json_array_size(at("time_line")), 4);
    CU_ASSERT_EQUAL(number_at("time_line.0.start_ns"), 0);
    CU_ASSERT_TRUE(json_is_false(at("time_line.0.paused")));
    CU_ASSERT_EQUAL(number_at("time_line.1.start_ns"), 4000000);
    CU_ASSERT_TRUE(json_is_true(at("time_line.1.paused")));
    CU_ASSERT_STRING_EQUAL(text_at("time_line.1.xen"), "source");
    CU_ASSERT_EQUAL(number_at("time_line.2.start_ns"), 14000000);
    CU_ASSERT_STRING_EQUAL(text_at("time_line.2.xen"), "target");
    CU_ASSERT_EQUAL(number_at("time_line.3.start_ns"), 35000000);
    CU_ASSERT_TRUE(json_is_false(at("time_line.3.paused")));

    CU_ASSERT_EQUAL(CALL("report"), 0);
    CU_ASSERT_TRUE(says("     14.000 ms  resume         0.000 ms  new Xen, domains stand still\n"));
    CU_ASSERT_TRUE(says("     35.000 ms  settle         2.000 ms  new Xen\n"));
    CU_ASSERT_EQUAL(CALL("report", "--format", "trace"), 0);
    CU_ASSERT_STRING_EQUAL(text_at("traceEvents.4.name"), "pause");
    CU_ASSERT_EQUAL(json_real_value(at("traceEvents.4.ts")), 4000);
    CU_ASSERT_EQUAL(json_real_value(at("traceEvents.4.dur")), 31000);
    CU_ASSERT_EQUAL(CALL("report", "--format", "json"), 0);
    CU_ASSERT_EQUAL(json_array_size(at("time_line")), 4);
}

/* ---- streams ---- */

static void inspect(void)
{
    uint64_t length;
    uint8_t *buf = world_make(&length);
    char *many = calloc(1, 3 << 20);

    fresh(1);
    write_file("stream", buf, length);
    CU_ASSERT_EQUAL(CALL("inspect", "stream"), 0);
    CU_ASSERT_TRUE(says("        32  HOST             host               v1  0 entries,"));
    CU_ASSERT_TRUE(says("TIMER            domain 5 vcpu 2    v1"));
    CU_ASSERT_TRUE(says(" bytes, sound\n"));
    CU_ASSERT_EQUAL(CALL("-j", "inspect", "stream"), 0);
    CU_ASSERT_STRING_EQUAL(text_at("verdict"), "ok");
    CU_ASSERT_STRING_EQUAL(text_at("stream.records.0.type"), "HOST");
    buf[length - 30] ^= 1;
    write_file("stream", buf, length);
    CU_ASSERT_EQUAL(CALL("-j", "inspect", "stream"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "bad-stream");
    CU_ASSERT_STRING_EQUAL(text_at("stream.records.0.type"), "HOST");
    CU_ASSERT_EQUAL(CALL("inspect", "/nowhere"), 1);
    CU_ASSERT_EQUAL(CALL("inspect", "/dev/zero"), 1);
    CU_ASSERT_TRUE(complains("/dev/zero: longer than any stream (256 MiB)"));

    /* Larger than what is read at once: the header says how long it is. */
    buf[length - 30] ^= 1;
    memcpy(many, buf, length);
    write_file("stream", many, 3 << 20);
    CU_ASSERT_EQUAL(CALL("inspect", "stream"), 0);
    CU_ASSERT_TRUE(says("stream: 3145728 bytes, sound\n"));

    /* The stream that Xen has: of its start, or of a rehearsal. */
    memcpy(fake.stream, buf, length);
    CU_ASSERT_EQUAL(CALL("-j", "inspect", "--last"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "no-stream");
    fake.stream_len = length;
    fake.result.state = XEN_LIVEUPDATE_STATE_rehearsed;
    CU_ASSERT_EQUAL(CALL("inspect", "--rehearsed"), 0);
    CU_ASSERT_EQUAL(CALL("-j", "inspect", "--last"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.advice"), "use --rehearsed");
    fake.result.state = XEN_LIVEUPDATE_STATE_done;
    CU_ASSERT_EQUAL(CALL("inspect", "--last"), 0);
    CU_ASSERT_EQUAL(CALL("inspect", "--rehearsed"), 1);
    free(many);
    free(buf);
}

/* Registers of guests are in a stream: for root alone, and nowhere but where it was told to. */
static void read_stream(void)
{
    struct rlimit limit;
    struct stat st;
    char text[16];

    fresh(1);
    CU_ASSERT_EQUAL(CALL("-j", "read-stream", "saved"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "no-stream");
    CU_ASSERT_EQUAL(access("saved", F_OK), -1);
    fake.stream_len = FAKE_STREAM;
    CU_ASSERT_EQUAL(CALL("-n", "read-stream", "saved"), 0);
    CU_ASSERT_TRUE(says("would write: saved, "));
    CU_ASSERT_EQUAL(access("saved", F_OK), -1);
    CU_ASSERT_EQUAL(CALL("-j", "read-stream", "saved"), 0);
    CU_ASSERT_EQUAL(number_at("bytes"), FAKE_STREAM);
    CU_ASSERT_TRUE(!stat("saved", &st) && st.st_size == FAKE_STREAM);
    CU_ASSERT_EQUAL(st.st_mode & 0777, 0600);

    chmod("saved", 0644);
    CU_ASSERT_EQUAL(CALL("read-stream", "saved"), 0);
    CU_ASSERT_TRUE(!stat("saved", &st) && (st.st_mode & 0777) == 0600);

    write_file("other", "other", 5);
    CU_ASSERT_EQUAL_FATAL(symlink("other", "link"), 0);
    CU_ASSERT_EQUAL(CALL("read-stream", "link"), 0);
    read_text("other", text, sizeof(text));
    CU_ASSERT_STRING_EQUAL(text, "other");

    CU_ASSERT_EQUAL(CALL("-j", "read-stream", "/nowhere/saved"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "file");
    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = FAKE_STREAM - 1;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    CU_ASSERT_EQUAL(CALL("-j", "read-stream", "saved"), 1);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_FSIZE, &limit);
    CU_ASSERT_TRUE(!stat("saved", &st) && st.st_size == FAKE_STREAM);
}

/* ---- faults ---- */

static void faults(void)
{
    fresh(1);
    CU_ASSERT_EQUAL(CALL("-j", "fault", "list"), 1);
    CU_ASSERT_STRING_EQUAL(text_at("error.code"), "unsupported");
    fake.query.caps |= XEN_LIVEUPDATE_CAP_FAULT;
    CU_ASSERT_EQUAL(CALL("fault", "save", "three"), 0);
    CU_ASSERT_EQUAL(fake.fault_phase, XEN_LIVEUPDATE_PHASE_save);
    CU_ASSERT_EQUAL(fake.fault_resource, 2);
    CU_ASSERT_EQUAL(CALL("fault", "list"), 0);
    CU_ASSERT_STRING_EQUAL(out, "save two\nsave three\nadopt two\nsettle three\n");
    CU_ASSERT_EQUAL(fake.fault_phase, 0);
    CU_ASSERT_EQUAL(CALL("fault", "save", "one"), 64);
    CU_ASSERT_TRUE(complains("resource one does nothing in phase save"));
    CU_ASSERT_EQUAL(CALL("fault", "save", "four"), 64);
    CU_ASSERT_EQUAL(fake.fault_phase, 0);
    /* It only looks by changing something. */
    CU_ASSERT_EQUAL(CALL("fault", "save", "three"), 0);
    CU_ASSERT_EQUAL(CALL("-n", "fault", "off"), 64);
    CU_ASSERT_EQUAL(CALL("-n", "fault", "list"), 64);
    CU_ASSERT_EQUAL(fake.fault_resource, 2);
    CU_ASSERT_EQUAL(CALL("fault", "nowhere", "two"), 64);
    CU_ASSERT_EQUAL(CALL("fault", "adopt", "two", "hang"), 0);
    CU_ASSERT_TRUE(says("fault: adopt two hang\n"));
    CU_ASSERT_EQUAL(fake.fault_phase, XEN_LIVEUPDATE_PHASE_adopt | XEN_LIVEUPDATE_FAULT_HANG);
    CU_ASSERT_EQUAL(fake.fault_resource, 1);
    CU_ASSERT_EQUAL(CALL("fault", "adopt", "two"), 0);
    CU_ASSERT_EQUAL(fake.fault_phase, XEN_LIVEUPDATE_PHASE_adopt);
    CU_ASSERT_EQUAL(CALL("fault", "save", "three", "hang"), 64);
    CU_ASSERT_TRUE(complains("nothing hangs at three in phase save"));
    CU_ASSERT_EQUAL(CALL("fault", "adopt", "two", "wait"), 64);
    CU_ASSERT_TRUE(complains("no fault \"wait\": there is hang"));
    fake.fault_hits = 3;
    CU_ASSERT_EQUAL(CALL("fault", "off"), 0);
    CU_ASSERT_TRUE(says("hit: 3\n"));
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"wrong use", usage},
        {"no Xen", no_xen},
        {"output", output},
        {"status", status},
        {"check", check},
        {"check of a target", check_target},
        {"staging", staging},
        {"features that are not known", features_not_known},
        {"features that are lost", features_lost},
        {"features that a domain needs", features_needed},
        {"update", update},
        {"refused", refused},
        {"an update that fails", fails},
        {"a target that comes back", returns},
        {"an update that loses a domain", loses},
        {"a guest that shuts itself down meanwhile", leaves},
        {"an update that takes too long", too_late},
        {"somebody else's update", busy},
        {"a limit for the pause", limit},
        {"rehearsal", rehearsal},
        {"the library's example", example},
        {"interrupts", interrupts},
        {"one at a time", alone},
        {"what was approved", approved},
        {"what follows pre-apply", last_hooks},
        {"the crash kernel", crash_kernel},
        {"hooks that would not be run", bad_hooks},
        {"abort", aborting},
        {"history", history},
        {"warnings", warnings},
        {"report", report},
        {"time line", time_line},
        {"inspect", inspect},
        {"read-stream", read_stream},
        {"fault", faults},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"xen-liveupdate", start, stop, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    return run_suites(suites);
}
