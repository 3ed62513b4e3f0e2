/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hooks: executables that the host's administrator puts into a directory for each
 * occasion.  They get the facts in their environment, nothing on standard input,
 * and standard error for what they have to say.
 */

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#include "record.h"

void facts_add(struct facts *f, const char *name, const char *fmt, ...)
{
    va_list args;
    char *value;

    va_start(args, fmt);
    if (vasprintf(&value, fmt, args) < 0)
        abort();
    va_end(args);
    if (f->nr == sizeof(f->fact) / sizeof(f->fact[0]))
        abort();
    f->fact[f->nr++] = (struct fact){.name = name, .value = value};
}

void facts_free(struct facts *f)
{
    for (unsigned int i = 0; i < f->nr; i++)
        free(f->fact[i].value);
    f->nr = 0;
}

/* As run-parts has it: no back-up files, nothing that a package manager has left. */
static int is_hook(const struct dirent *e)
{
    const char *c = e->d_name;

    if (!*c)
        return 0;
    for (; *c; c++)
        if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
            return 0;

    return 1;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void exec_hook(const char *path, const char *name, const struct facts *facts)
{
    int null = open("/dev/null", O_RDONLY);

    dup2(null, STDIN_FILENO);
    dup2(STDERR_FILENO, STDOUT_FILENO);
    setenv("XEN_LIVEUPDATE_HOOK", name, 1);
    for (unsigned int i = 0; i < facts->nr; i++) {
        char variable[64];

        snprintf(variable, sizeof(variable), "XEN_LIVEUPDATE_%s", facts->fact[i].name);
        setenv(variable, facts->fact[i].value, 1);
    }
    execl(path, path, (char *)NULL);
    fprintf(stderr, "%s: cannot be run: %s\n", path, strerror(errno));
    _exit(127);
}

static int run_hook(const char *path, const char *name, const struct facts *facts,
                    struct record_why *why)
{
    int status;
    pid_t pid = fork();

    if (pid < 0)
        return record_fail(why, ECANCELED, "hook %s: cannot be started: %s", path, strerror(errno));
    if (!pid)
        exec_hook(path, name, facts);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return record_fail(why, ECANCELED, "hook %s: %s", path, strerror(errno));

    if (WIFSIGNALED(status))
        return record_fail(why, ECANCELED, "hook %s was ended by signal %d", path,
                           WTERMSIG(status));
    if (WEXITSTATUS(status))
        return record_fail(why, ECANCELED, "hook %s failed with exit code %d", path,
                           WEXITSTATUS(status));

    return 0;
}

int hooks_run(const char *name, const struct facts *facts, struct record_why *why)
{
    char dir[PATH_MAX / 2], path[PATH_MAX];
    struct dirent **found;
    struct stat st;
    int nr, rc = 0;

    snprintf(dir, sizeof(dir), "%s/%s", record_dir("XEN_LIVEUPDATE_HOOKS", HOOKS_DIR), name);
    nr = scandir(dir, &found, is_hook, by_name);
    if (nr < 0 && errno == ENOENT)
        return 0;
    if (nr < 0)
        return record_fail(why, ECANCELED, "hooks in %s cannot be listed: %s", dir,
                           strerror(errno));

    for (int i = 0; i < nr; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, found[i]->d_name);
        /* What is no executable file is no hook: a README, say. */
        if (!rc && !stat(path, &st) && S_ISREG(st.st_mode) && (st.st_mode & 0111))
            rc = run_hook(path, name, facts, why);
        free(found[i]);
    }
    free(found);

    return rc;
}
