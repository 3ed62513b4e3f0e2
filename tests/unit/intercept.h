/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs a piece of the program in a child, and has each of its system calls that touch files,
 * and each hypercall of the fake Xen, decided by the test (seccomp(2), user notification): whatever
 * makes them, the program, libc's stdio or another library.
 */
#ifndef INTERCEPT_H
#define INTERCEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct intercepted {
    pid_t pid;
    int nr; /* SYS_... */
    uint64_t args[6];
};

/* What a decision says: that it is made, that it fails with -errno, or that the child ends there. */
#define INTERCEPT_GO_ON 0
#define INTERCEPT_KILL  1

/*
 * Returns what waitpid() says of the child, which ends with what @run returns.  What @prepare does there
 * is not intercepted.
 */
int intercept(void (*prepare)(void), int (*run)(void),
              int (*decide)(const struct intercepted *call));
/* Does it change anything? */
bool intercept_changes(const struct intercepted *call);
/* "fdatasync state/journal.db" */
void intercept_describe(const struct intercepted *call, char *text, size_t size);
/* The path of the file that is open as @fd in the child. */
void intercept_path(const struct intercepted *call, int fd, char *path, size_t size);
/* For fake.on_call: 0 or an errno. */
int intercept_hypercall(void);

#endif /* INTERCEPT_H */
