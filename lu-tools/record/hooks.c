/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks: executables that the host's administrator puts into a directory for each
 * occasion.  They get the facts in their environment, nothing on standard input,
 * and standard error for what they have to say; nothing else of whoever called
 * comes to them.
 *
 * Which files are hooks is run-parts' rule, whom they may belong to is sshd's.  A file
 * that looks like a hook and would not be run is a problem: somebody relies on it.
 * (run-parts itself leaves such a file out without a word, runs what anybody may
 * write to, and neither ends a hook that hangs nor the one that runs when it is ended.)
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

#define HOOK_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* Seconds; XEN_LIVEUPDATE_HOOK_TIMEOUT says otherwise, 0: for ever. */
#define HOOK_TIMEOUT     300
#define HOOK_TIMEOUT_MAX 1000000
/* Seconds between SIGTERM and SIGKILL. */
#define HOOK_GRACE 2

static const char timeout_name[] = "XEN_LIVEUPDATE_HOOK_TIMEOUT";
/* Settings of xen-liveupdate, so that it is the same one when a hook calls it. */
static const char *const settings[] = {"XEN_LIVEUPDATE_DIR", "XEN_LIVEUPDATE_HOOKS",
                                       "XEN_LIVEUPDATE_METRICS", timeout_name};
#define NR_SETTINGS (sizeof(settings) / sizeof(settings[0]))

void facts_add(struct facts *f, const char *name, const char *fmt, ...)
{
    va_list args;
    char *value;

    va_start(args, fmt);
    if (vasprintf(&value, fmt, args) < 0)
        abort();
    va_end(args);
    if (f->nr == FACTS_MAX)
        abort();
    f->fact[f->nr++] = (struct fact){.name = name, .value = value};
}

void facts_free(struct facts *f)
{
    for (unsigned int i = 0; i < f->nr; i++)
        free(f->fact[i].value);
    f->nr = 0;
}

/* ---- problems ---- */

static void tell(const struct hooks_how *how, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
static void tell(const struct hooks_how *how, const char *fmt, ...)
{
    struct record_why why;
    va_list args;

    va_start(args, fmt);
    vsnprintf(why.text, sizeof(why.text), fmt, args);
    va_end(args);
    how->problem(why.text, how->data);
}

/* False: the setting is no good, and *seconds is what counts without it. */
static bool time_limit(unsigned int *seconds)
{
    const char *text = record_dir(timeout_name, "");
    char *end;
    unsigned long n = strtoul(text, &end, 10);

    *seconds = HOOK_TIMEOUT;
    if (!*text)
        return true;
    if (!isdigit((unsigned char)*text) || *end || n > HOOK_TIMEOUT_MAX)
        return false;
    *seconds = n;

    return true;
}

/* ---- which files ---- */

/* As run-parts takes them. */
static bool is_name(const char *name)
{
    for (const char *c = name; *c; c++)
        if (!isascii(*c) || (!isalnum((unsigned char)*c) && *c != '_' && *c != '-'))
            return false;

    return true;
}

/* Nobody takes these for hooks: what dpkg, ucf, rpm and editors leave, hidden files, an explanation. */
static bool is_passed_over(const char *name)
{
    static const char *const suffixes[] = {".rpmnew", ".rpmorig", ".rpmsave"};
    const char *dot = strrchr(name, '.');

    if (name[0] == '.' || name[strlen(name) - 1] == '~' || !strcmp(name, "README"))
        return true;
    if (dot && (!strncmp(dot, ".dpkg-", 6) || !strncmp(dot, ".ucf-", 5)))
        return true;
    for (size_t i = 0; dot && i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (!strcmp(dot, suffixes[i]))
            return true;

    return false;
}

static int is_candidate(const struct dirent *e)
{
    return !is_passed_over(e->d_name);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

/*
 * Nobody but root and the caller decides what is run: neither @path nor a directory
 * that it is in, up to the root, belongs to or may be written by somebody else.  Who may write
 * into a sticky directory cannot replace what others have there; that is enough farther up.
 */
static bool is_safe(const char *path, const struct hooks_how *how)
{
    char *real = realpath(path, NULL), *slash;
    bool safe = false;
    struct stat st;

    if (!real) {
        tell(how, "hook %s: %s", path, strerror(errno));
        return false;
    }
    for (int up = 0;; up++) {
        const char *at = *real ? real : "/";

        if (stat(at, &st)) {
            tell(how, "hook %s: %s: %s", path, at, strerror(errno));
        } else if (st.st_uid && st.st_uid != geteuid()) {
            tell(how, "hook %s: %s belongs to user %u, not to root", path, at, st.st_uid);
        } else if ((st.st_mode & (S_IWGRP | S_IWOTH)) && (up < 2 || !(st.st_mode & S_ISVTX))) {
            tell(how, "hook %s: others than its owner may write to %s (mode %04o)", path, at,
                 st.st_mode & 07777);
        } else if (*real) {
            slash = strrchr(real, '/');
            *slash = '\0';
            continue;
        } else {
            safe = true;
        }
        break;
    }
    free(real);

    return safe;
}

static bool is_hook(const char *path, const char *name, const struct hooks_how *how)
{
    struct stat st;

    if (!is_name(name)) {
        tell(how, "hook %s: a name with other characters than letters, digits, _ and -", path);
    } else if (stat(path, &st)) {
        tell(how, "hook %s: %s", path,
             errno == ENOENT ? "a link to what is not there" : strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        tell(how, "hook %s: no regular file", path);
    } else if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS)) {
        tell(how, "hook %s: not executable", path);
    } else {
        return is_safe(path, how);
    }

    return false;
}

/* ---- running one ---- */

static char *variable(const char *prefix, const char *name, const char *value)
{
    char *text;

    if (asprintf(&text, "%s%s=%s", prefix, name, value) < 0)
        abort();

    return text;
}

static void make_environment(char *env[], const char *occasion, const struct facts *facts)
{
    unsigned int n = 0;

    env[n++] = variable("", "PATH", HOOK_PATH);
    env[n++] = variable("XEN_LIVEUPDATE_", "HOOK", occasion);
    for (size_t i = 0; i < NR_SETTINGS; i++)
        if (*record_dir(settings[i], ""))
            env[n++] = variable("", settings[i], record_dir(settings[i], ""));
    for (unsigned int i = 0; i < facts->nr; i++)
        env[n++] = variable("XEN_LIVEUPDATE_", facts->fact[i].name, facts->fact[i].value);
    env[n] = NULL;
}

/* In a process group of its own, with nothing of this process but standard error; 0 or an errno. */
static int spawn(pid_t *pid, const char *path, char *env[])
{
    char *argv[] = {(char *)path, NULL};
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    mode_t mask = umask(022);
    sigset_t all, none;
    int rc;

    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                        POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&attr, 0);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawn_file_actions_init(&files);
    rc = posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (!rc)
        rc = posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
    if (!rc)
        rc = posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
    if (!rc)
        rc = posix_spawn_file_actions_addchdir_np(&files, "/");
    if (!rc)
        rc = posix_spawn(pid, path, &files, &attr, argv, env);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attr);
    umask(mask);

    return rc;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);

    return t.tv_sec + t.tv_nsec / 1e9;
}

/* It stays to be waited for, so that its group's number is nobody else's. */
static bool has_ended(pid_t pid)
{
    siginfo_t info = {0};

    return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid;
}

/* Until it has ended, *stop is set (NULL: never), or @seconds are over (0: never). */
static void wait_for(pid_t pid, unsigned int seconds, const volatile sig_atomic_t *stop)
{
    struct timespec delay = {.tv_nsec = 10 * 1000 * 1000};
    double deadline = now() + seconds;

    while (!has_ended(pid) && !(stop && *stop) && !(seconds && now() > deadline))
        nanosleep(&delay, NULL);
}

static void kill_group(pid_t pid)
{
    kill(-pid, SIGTERM);
    wait_for(pid, HOOK_GRACE, NULL);
    kill(-pid, SIGKILL);
}

/* Returns whether it was well. */
static bool run_hook(const char *path, const char *occasion, const struct facts *facts,
                     const struct hooks_how *how)
{
    char *env[FACTS_MAX + NR_SETTINGS + 3];
    unsigned int seconds;
    bool killed = false;
    int status, rc;
    pid_t pid;

    /* Ignored, as it may have come to this process, it would take the exit code away. */
    signal(SIGCHLD, SIG_DFL);
    time_limit(&seconds);
    make_environment(env, occasion, facts);
    rc = spawn(&pid, path, env);
    for (char **e = env; *e; e++)
        free(*e);
    if (rc) {
        tell(how, "hook %s: cannot be run: %s", path, strerror(rc));
        return false;
    }

    wait_for(pid, seconds, how->stop);
    if (!has_ended(pid)) {
        kill_group(pid);
        killed = true;
    }
    while ((rc = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
        ;
    if (rc < 0)
        tell(how, "hook %s: %s", path, strerror(errno));
    else if (killed && how->stop && *how->stop)
        tell(how, "hook %s was interrupted", path);
    else if (killed)
        tell(how, "hook %s took longer than %u seconds and was killed", path, seconds);
    else if (WIFSIGNALED(status))
        tell(how, "hook %s was ended by signal %d", path, WTERMSIG(status));
    else if (WEXITSTATUS(status))
        tell(how, "hook %s failed with exit code %d", path, WEXITSTATUS(status));
    else
        return true;

    return false;
}

/* ---- an occasion ---- */

/* Not there, neither as a link to what is not. */
static bool is_absent(const char *path)
{
    struct stat st;

    return lstat(path, &st) && errno == ENOENT;
}

/* Of @occasion, without a link in it; NULL: there is none, or it has been told why (*problems). */
static char *find_directory(const char *occasion, const struct hooks_how *how,
                            unsigned int *problems)
{
    const char *top = record_dir("XEN_LIVEUPDATE_HOOKS", HOOKS_DIR);
    char path[PATH_MAX], *real;
    int errnum;

    snprintf(path, sizeof(path), "%s/%s", top, occasion);
    real = realpath(path, NULL);
    errnum = errno;
    if (!real && !(is_absent(path) && (is_absent(top) || !access(top, F_OK)))) {
        tell(how, "hooks in %s cannot be listed: %s", path, strerror(errnum));
        ++*problems;
    }

    return real;
}

/* Returns the number of problems, of which the first ends it where hooks can refuse. */
static unsigned int go_through(const char *dir, struct dirent *const found[], int nr,
                               const char *occasion, const struct facts *facts,
                               const struct hooks_how *how)
{
    unsigned int problems = 0;
    char path[PATH_MAX];

    for (int i = 0; i < nr; i++) {
        if (facts && how->stop && (problems || *how->stop))
            break;
        snprintf(path, sizeof(path), "%s/%s", dir, found[i]->d_name);
        if (!is_hook(path, found[i]->d_name, how) ||
            (facts && !run_hook(path, occasion, facts, how)))
            problems++;
    }

    return problems;
}

unsigned int hooks_run(const char *occasion, const struct facts *facts, const struct hooks_how *how)
{
    unsigned int problems = 0;
    char *dir = find_directory(occasion, how, &problems);
    struct dirent **found = NULL;
    int nr;

    if (!dir)
        return problems;
    nr = scandir(dir, &found, is_candidate, by_name);
    if (nr < 0) {
        tell(how, "hooks in %s cannot be listed: %s", dir, strerror(errno));
        problems = 1;
    } else if (nr && !is_safe(dir, how)) {
        problems = 1;
    } else {
        problems = go_through(dir, found, nr, occasion, facts, how);
    }
    for (int i = 0; i < nr; i++)
        free(found[i]);
    free(found);
    free(dir);

    return problems;
}

unsigned int hooks_check(const char *occasion, const struct hooks_how *how)
{
    unsigned int seconds;

    if (!time_limit(&seconds)) {
        tell(how, "%s=%s: not a number of seconds", timeout_name, record_dir(timeout_name, ""));
        return 1;
    }

    return hooks_run(occasion, NULL, how);
}
