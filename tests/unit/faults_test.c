/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Each verb that changes something, once for each of its system calls and hypercalls: that one fails,
 * or xen-liveupdate is killed at it, or the power is cut at it, as the disk sees it.  What
 * Xen has done and what the history says of it afterwards have to be the same, and the
 * next update has to be made and recorded.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../lu-tools/record/record.h"
#include "fake_xen.h"
#include "intercept.h"
#include "kexec_test.h"
#include "old_frame.h"
#include "suite.h"

/* main.c's. */
int xen_liveupdate_main(int argc, char **argv);

static char dir[64];

/* The fake Xen goes on with each call, not with time. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)wanted, (void)left;

    return 0;
}

/* Asked for where a test decides; nobody else waits for the disk. */
static bool intercepted;

int fsync(int fd)
{
    return intercepted ? syscall(SYS_fsync, fd) : 0;
}

int fdatasync(int fd)
{
    return intercepted ? syscall(SYS_fdatasync, fd) : 0;
}

/* ---- files ---- */

static void copy_file(const char *from, const char *to)
{
    static char data[1 << 20];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t n = read(in, data, sizeof(data));

    if (in < 0 || out < 0 || n < 0 || n == sizeof(data) || write(out, data, n) != n)
        abort();
    close(in);
    close(out);
}

/* Calls @each for the files in directory @name. */
static void for_files(const char *name, void (*each)(const char *file))
{
    DIR *d = opendir(name);
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (e->d_type == DT_REG)
            each(e->d_name);
    if (d)
        closedir(d);
}

static const char *at(const char *in, const char *file)
{
    static char paths[2][320];
    static int turn;

    turn = !turn;
    snprintf(paths[turn], sizeof(paths[turn]), "%.63s/%.255s", in, file);

    return paths[turn];
}

static void remove_state(const char *file)
{
    unlink(at("state", file));
}

static void to_template(const char *file)
{
    copy_file(at("state", file), at("template", file));
}

static void from_template(const char *file)
{
    copy_file(at("template", file), at("state", file));
}

static void remove_template(const char *file)
{
    unlink(at("template", file));
}

/* ---- what a power cut leaves: only what was synced, and under its name only if the directory was ---- */

static struct {
    char name[64];
    ino_t ino;
} durable[16];
static unsigned int nr_durable;

static const char *content_of(ino_t ino)
{
    static char path[64];

    snprintf(path, sizeof(path), "synced/%lu", (unsigned long)ino);

    return path;
}

static void keep_name(const char *file)
{
    struct stat st;

    if (stat(at("state", file), &st) || nr_durable == 16 || strlen(file) > 63)
        abort();
    strcpy(durable[nr_durable].name, file);
    durable[nr_durable++].ino = st.st_ino;
}

static void keep_all(const char *file)
{
    struct stat st;

    stat(at("state", file), &st);
    copy_file(at("state", file), content_of(st.st_ino));
    keep_name(file);
}

static void remove_synced(const char *file)
{
    unlink(at("synced", file));
}

static void power_on(void)
{
    for_files("synced", remove_synced);
    nr_durable = 0;
    for_files("state", keep_all);
}

/* Called before it is made: nothing else happens in between. */
static void see_sync(const struct intercepted *call)
{
    char path[256], state[128];
    struct stat st;

    if (call->nr != SYS_fsync && call->nr != SYS_fdatasync)
        return;
    intercept_path(call, call->args[0], path, sizeof(path));
    snprintf(state, sizeof(state), "%s/state", dir);
    if (strncmp(path, state, strlen(state)) || stat(path, &st))
        return;
    if (S_ISDIR(st.st_mode)) {
        nr_durable = 0;
        for_files("state", keep_name);
    } else {
        copy_file(path, content_of(st.st_ino));
    }
}

static void power_off(void)
{
    for_files("state", remove_state);
    for (unsigned int i = 0; i < nr_durable; i++) {
        const char *to = at("state", durable[i].name);

        if (!access(content_of(durable[i].ino), F_OK))
            copy_file(content_of(durable[i].ino), to);
        else
            close(open(to, O_WRONLY | O_CREAT, 0600));
    }
}

/* ---- one call of the tool ---- */

enum mode { FAIL, KILL, CUT };
static const char *const modes[] = {"failed", "killed at", "power cut at"};

static struct {
    enum mode mode;
    unsigned int count, at;
    bool said_nothing; /* what failed was its standard output or error */
    char what[320];    /* the call that it was about */
} fault;

static int decide(const struct intercepted *call)
{
    if (fault.mode == CUT)
        see_sync(call);
    /* Between two changes it does not matter where it ends. */
    if (fault.mode != FAIL && !intercept_changes(call))
        return INTERCEPT_GO_ON;
    if (++fault.count != fault.at)
        return INTERCEPT_GO_ON;
    intercept_describe(call, fault.what, sizeof(fault.what));
    if (fault.mode != FAIL)
        return INTERCEPT_KILL;
    fault.said_nothing = call->nr == SYS_write && call->args[0] == STDERR_FILENO;

    return call->nr == SYS_write || call->nr == SYS_pwrite64 ? -ENOSPC : -EIO;
}

static void redirect(const char *name, int flags, int to)
{
    int fd = open(name, flags, 0600);

    if (fd < 0 || dup2(fd, to) < 0)
        abort();
    close(fd);
}

static const char *const *words;

static int run_tool(void)
{
    char *argv[8] = {"xen-liveupdate"};
    int argc = 1, rc;

    while (words[argc - 1]) {
        argv[argc] = (char *)words[argc - 1];
        argc++;
    }
    optind = 0;
    rc = xen_liveupdate_main(argc, argv);
    fflush(stdout);

    return rc;
}

static void redirect_all(void)
{
    redirect("/dev/null", O_RDONLY, STDIN_FILENO);
    redirect("out", O_WRONLY | O_CREAT | O_TRUNC, STDOUT_FILENO);
    redirect("err", O_WRONLY | O_CREAT | O_TRUNC, STDERR_FILENO);
}

/* Nothing fails; returns the exit code. */
static int call(const char *const *w)
{
    pid_t child;
    int status;

    words = w;
    fflush(stdout);
    child = fork();
    if (!child) {
        redirect_all();
        _exit(run_tool());
    }
    if (waitpid(child, &status, 0) != child || !WIFEXITED(status))
        return -1;

    return WEXITSTATUS(status);
}

#define CALL(...) call((const char *const[]){__VA_ARGS__, NULL})

static bool complained(void)
{
    struct stat st;

    return !stat("err", &st) && st.st_size;
}

/* ---- the host ---- */

static struct fake_xen saved;

static void stage_again(void)
{
    CU_ASSERT_EQUAL_FATAL(CALL("stage", "xen"), 0);
}

static void prepare_staged(void)
{
    stage_again();
}

/* As left by the tools of before: two attempts, one of them without an End. */
static void prepare_old(void)
{
    struct record_why why;
    struct xenlu *lu;
    FILE *f;

    stage_again();
    for_files("state", remove_state);
    CU_ASSERT_EQUAL_FATAL(xenlu_open(&lu, NULL), 0);
    f = fopen("state/journal", "w");
    for (uint32_t id = 1; f && id <= 2; id++) {
        Lu__Plan plan = LU__PLAN__INIT;
        Lu__Begin b = LU__BEGIN__INIT;
        Lu__End e = LU__END__INIT;

        b.id = e.id = id;
        b.plan = &plan;
        e.outcome = LU__OUTCOME__FAILED;
        CU_ASSERT_EQUAL_FATAL(manifest_take(lu, &b.before, &why), 0);
        old_frame_begin(f, &b);
        if (id == 1)
            old_frame_end(f, &e);
        if (id == 2) {
            Lu__Target target = LU__TARGET__INIT;

            target.path = "xen";
            target.version = "4.17.5-test";
            CU_ASSERT_EQUAL_FATAL(staged_write(b.before->host, &target, &why), 0);
        }
        lu__manifest__free_unpacked(b.before, NULL);
    }
    CU_ASSERT_TRUE_FATAL(f && !fclose(f));
    xenlu_close(lu);
}

/* An update that went on when the tool was killed, and whose End the next one writes. */
static void prepare_cut_off(void)
{
    stage_again();
    fake.stuck = FAKE_SAVE;
    CU_ASSERT_EQUAL_FATAL(CALL("apply", "--timeout", "1"), 5);
    fake.stuck = FAKE_IDLE;
    for (int i = 0; i < 100 && fake.stage != FAKE_IDLE; i++) {
        struct xenlu_status s;
        struct xenlu *lu;

        CU_ASSERT_EQUAL_FATAL(xenlu_open(&lu, NULL), 0);
        xenlu_get_status(lu, &s, sizeof(s), NULL);
        xenlu_close(lu);
    }
}

static const struct verb {
    const char *words[6];
    void (*prepare)(void);
    uint32_t attempts; /* in the history after prepare() */
    bool updates, rehearses;
} verbs[] = {
    {{"apply"}, prepare_staged, 0, .updates = true},
    {{"apply", "--max-pause", "1000"}, prepare_staged, 0, .updates = true, .rehearses = true},
    {{"apply"}, prepare_old, 2, .updates = true},
    {{"rehearse"}, prepare_staged, 0, .rehearses = true},
    {{"stage", "xen"}, prepare_staged, 0},
    {{"unstage"}, prepare_staged, 0},
    {{"history"}, prepare_cut_off, 1},
};

static void remember_host(const struct verb *v)
{
    for_files("state", remove_state);
    for_files("template", remove_template);
    fake_reset(3);
    fake.query.staged = 0;
    strcpy(fake.next_version, "4.17.5-test"); /* the image's */
    v->prepare();
    saved = fake;
    for_files("state", to_template);
}

static void restore_host(void)
{
    for_files("state", remove_state);
    for_files("template", from_template);
    fake = saved;
    fake.on_call = intercept_hypercall;
}

/* As somebody who looks until it has come to rest. */
static void let_xen_finish(void)
{
    struct xenlu_status s;
    struct xenlu *lu;

    fake.on_call = NULL;
    if (xenlu_open(&lu, NULL))
        abort();
    for (int i = 0; i < 100 && fake.stage != FAKE_IDLE; i++)
        xenlu_get_status(lu, &s, sizeof(s), NULL);
    xenlu_close(lu);
}

/* ---- what has to hold ---- */

static unsigned int wrong;
static const struct verb *verb;

static bool hold(bool condition, const char *what)
{
    if (!condition) {
        wrong++;
        fprintf(stderr, "\n    %s %s (%s %u: %s): %s", verb->words[0],
                verb->words[1] ? verb->words[1] : "", modes[fault.mode], fault.at, fault.what,
                what);
    }

    return condition;
}

/* What the history says of attempt @nr (from 0); NULL: it does not know it. */
static const char *outcome_of(const struct journal *j, size_t nr)
{
    return nr < j->nr_attempts ? journal_outcome(&j->attempts[nr]) : NULL;
}

static bool one_of(const char *text, const char *const *texts)
{
    while (text && *texts)
        if (!strcmp(text, *texts++))
            return true;

    return false;
}

/* The attempt that the verb has made, if it has. */
static void check_attempt(const struct journal *j, bool updated, bool ended)
{
    static const char *const undone[] = {"not tried", "failed", NULL};
    static const char *const looked[] = {"rehearsed", "not tried", "failed", NULL};
    const char *outcome = outcome_of(j, verb->attempts);
    const Lu__End *end = outcome ? j->attempts[verb->attempts].end : NULL;

    if (verb->attempts &&
        hold(outcome_of(j, 0) != NULL, "an attempt of before is not known any more"))
        hold(!strcmp(outcome_of(j, 0), verb->updates ? "failed" : "done"),
             "an attempt of before has another outcome");
    hold(j->nr_attempts <= verb->attempts + 1, "too many attempts");
    hold(!j->skipped, "attempts that are not understood");
    bool unseen; /* done, and then the domains could not be listed */

    unseen = end && end->outcome == LU__OUTCOME__NOT_KNOWN && !strncmp(end->message, "done; ", 6);
    if (updated && hold(outcome != NULL, "updated without a record"))
        hold(unseen || !strcmp(outcome, "done"), outcome);
    if (!updated && outcome)
        hold(verb->updates ? one_of(outcome, undone) : unseen || one_of(outcome, looked), outcome);
    if (ended && (verb->updates || verb->rehearses))
        hold(outcome && one_of(outcome, (const char *const[]){"done", "rehearsed", NULL}),
             "done, says the exit code, and the history does not");
}

static void check_history(bool updated, bool ended)
{
    struct record_why why = {0};
    struct journal j;

    if (!hold(CALL("history") == 0, "no history"))
        return;
    if (!hold(!journal_open(&j, true, &why), why.text))
        return;
    check_attempt(&j, updated, ended);
    journal_close(&j);
}

/* What is known to be staged can be applied; and in any case the next update is made.  (Takes longest.) */
static void check_next(uint32_t generation)
{
    int rc;

    fake.query.staged = fake.query.staged && fake.query.generation == generation;
    if (fake.query.staged) {
        rc = CALL("apply");
        hold(rc == 0 || rc == 3, "what is staged is neither applied nor refused");
        if (!rc)
            return;
    }
    generation = fake.query.generation;
    hold(CALL("stage", "xen") == 0, "the next target is not staged");
    hold(CALL("apply") == 0 && fake.query.generation == generation + 1,
         "the next update is not made");
    hold(!CALL("history") && !complained(), "the history is not sound");
}

/* Returns false when there are not that many calls. */
static bool try_one(enum mode mode, unsigned int nr)
{
    uint32_t generation = saved.query.generation;
    bool updated, done;
    int status;

    restore_host();
    memset(&fault, 0, sizeof(fault));
    fault.mode = mode;
    fault.at = nr;
    if (mode == CUT)
        power_on();
    words = verb->words;
    intercepted = true;
    status = intercept(redirect_all, run_tool, decide);
    intercepted = false;
    if (fault.count < nr)
        return false;
    done = WIFEXITED(status) && !WEXITSTATUS(status);
    if (mode == FAIL) {
        hold(WIFEXITED(status), "ended by a signal");
        hold(done || complained() || fault.said_nothing, "failed without a word");
    }
    let_xen_finish();
    if (mode == CUT)
        power_off();

    updated = fake.query.generation != generation;
    hold(fake.query.generation - generation <= verb->updates, "more updates than were asked for");
    hold(!done || mode != FAIL || updated == verb->updates,
         "done, says the exit code, and it is not");
    check_history(updated, mode == FAIL && done && !complained());
    if (nr % 3 == 0)
        check_next(generation);

    return true;
}

static void try_all(enum mode mode)
{
    unsigned int total = 0;

    wrong = 0;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        unsigned int nr = 0;

        verb = &verbs[i];
        remember_host(verb);
        while (try_one(mode, nr + 1))
            nr++;
        CU_ASSERT_TRUE(nr > 10);
        printf("\n    %4u calls: %s", nr, verb->words[0]);
        for (size_t w = 1; verb->words[w]; w++)
            printf(" %s", verb->words[w]);
        printf("%s", verb->attempts ? ", behind an attempt that was cut off" : "");
        total += nr;
    }
    printf("\n    %4u calls, %u of them with another outcome than it should be ", total, wrong);
    CU_ASSERT_EQUAL(wrong, 0);
}

static void each_fails(void)
{
    try_all(FAIL);
}

static void each_is_the_last(void)
{
    try_all(KILL);
}

static void power_is_cut(void)
{
    try_all(CUT);
}

static int start(void)
{
    struct image image;
    cpu_set_t one;
    FILE *f;

    /* Test and tool take turns: on one CPU that is a switch, on two a wake-up. */
    CPU_ZERO(&one);
    CPU_SET(sched_getcpu(), &one);
    sched_setaffinity(0, sizeof(one), &one);
    strcpy(dir, "/tmp/faults-test.XXXXXX");
    if (!mkdtemp(dir) || chdir(dir) || mkdir("state", 0700) || mkdir("template", 0700) ||
        mkdir("synced", 0700) || mkdir("metrics", 0700))
        return 1;
    setenv("XEN_LIVEUPDATE_DIR", "state", 1);
    setenv("XEN_LIVEUPDATE_HOOKS", "hooks", 1);
    setenv("XEN_LIVEUPDATE_METRICS", "metrics", 1);
    setenv("TZ", "UTC", 1);
    image_good(&image);
    /* Little to sum up. */
    image_load(&image)->p_memsz = 0x8000;
    f = fopen("xen", "w");
    if (!f || fwrite(&image, sizeof(image), 1, f) != 1 || fclose(f))
        return 1;

    return 0;
}

static int stop(void)
{
    char command[128];

    snprintf(command, sizeof(command), "cd / && rm -rf %s", dir);

    return system(command) ? 1 : 0;
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"each call fails once", each_fails},
        {"killed at each call", each_is_the_last},
        {"the power is cut at each call", power_is_cut},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"xen-liveupdate", start, stop, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    return run_suites(suites);
}
