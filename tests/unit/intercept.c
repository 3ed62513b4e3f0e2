/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * System calls that the test decides: see intercept.h.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "intercept.h"

/* A system call that nothing else here makes stands for the hypercall. */
#define SYS_HYPERCALL SYS_getsid

static const struct {
    int nr;
    const char *name;
    int fd, path; /* which argument; -1: none */
} calls[] = {
    {SYS_HYPERCALL, "hypercall", -1, -1},
    {SYS_openat, "open", -1, 1},
    {SYS_read, "read", 0, -1},
    {SYS_pread64, "pread", 0, -1},
    {SYS_write, "write", 0, -1},
    {SYS_pwrite64, "pwrite", 0, -1},
    {SYS_fsync, "fsync", 0, -1},
    {SYS_fdatasync, "fdatasync", 0, -1},
    {SYS_ftruncate, "ftruncate", 0, -1},
    {SYS_rename, "rename", -1, 0},
    {SYS_renameat2, "renameat2", -1, 1},
    {SYS_unlink, "unlink", -1, 0},
    {SYS_mkdir, "mkdir", -1, 0},
    {SYS_flock, "flock", 0, -1},
    {SYS_fcntl, "fcntl", 0, -1},
    {SYS_fchmod, "fchmod", 0, -1},
    {SYS_newfstatat, "stat", -1, 1},
    {SYS_fstat, "fstat", 0, -1},
    {SYS_getdents64, "getdents", 0, -1},
    {SYS_readlink, "readlink", -1, 0},
    {SYS_lseek, "lseek", 0, -1},
    {SYS_socket, "socket", -1, -1},
};

#define NR_CALLS (sizeof(calls) / sizeof(calls[0]))

int intercept_hypercall(void)
{
    return syscall(SYS_HYPERCALL, 0) < 0 ? errno : 0;
}

bool intercept_changes(const struct intercepted *call)
{
    switch (call->nr) {
    case SYS_openat: return call->args[2] & O_CREAT;
    case SYS_HYPERCALL:
    case SYS_write:
    case SYS_pwrite64:
    case SYS_fsync:
    case SYS_fdatasync:
    case SYS_ftruncate:
    case SYS_rename:
    case SYS_renameat2:
    case SYS_unlink:
    case SYS_mkdir:
    case SYS_fchmod: return true;
    default: return false;
    }
}

void intercept_path(const struct intercepted *call, int fd, char *path, size_t size)
{
    char link[64];
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/%d/fd/%d", call->pid, fd);
    n = readlink(link, path, size - 1);
    path[n > 0 ? n : 0] = '\0';
}

void intercept_describe(const struct intercepted *call, char *text, size_t size)
{
    char path[256] = "";
    size_t i = 0;

    while (i < NR_CALLS - 1 && calls[i].nr != call->nr)
        i++;
    if (calls[i].fd >= 0)
        intercept_path(call, call->args[calls[i].fd], path, sizeof(path));
    if (calls[i].path >= 0) {
        struct iovec to = {path, sizeof(path) - 1};
        struct iovec from = {(void *)call->args[calls[i].path], sizeof(path) - 1};

        if (process_vm_readv(call->pid, &to, 1, &from, 1, 0) <= 0)
            strcpy(path, "?");
    }
    snprintf(text, size, "%s %s", calls[i].name, path);
}

/* Returns the listener. */
static int install(void)
{
    struct sock_filter filter[NR_CALLS + 3];
    struct sock_fprog program = {.len = NR_CALLS + 3, .filter = filter};

    filter[0] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < NR_CALLS; i++)
        filter[1 + i] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].nr, NR_CALLS - i, 0);
    filter[NR_CALLS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[NR_CALLS + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                   &program);
}

/* Decides until the child has ended. */
static void serve(int listener, int (*decide)(const struct intercepted *))
{
    for (;;) {
        struct pollfd p = {.fd = listener, .events = POLLIN};
        struct seccomp_notif n = {0};
        struct seccomp_notif_resp r = {0};
        struct intercepted call;
        int verdict;

        if (poll(&p, 1, -1) < 0 && errno == EINTR)
            continue;
        if (!(p.revents & POLLIN) || ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &n))
            return;
        call = (struct intercepted){.pid = n.pid, .nr = n.data.nr};
        for (int i = 0; i < 6; i++)
            call.args[i] = n.data.args[i];
        verdict = decide(&call);
        if (verdict == INTERCEPT_KILL) {
            kill(n.pid, SIGKILL);
            return;
        }
        r.id = n.id;
        r.error = verdict;
        /* The next call has to see it, nobody waits for the disk. */
        if (!verdict && n.data.nr != SYS_HYPERCALL && n.data.nr != SYS_fsync &&
            n.data.nr != SYS_fdatasync)
            r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &r);
    }
}

int intercept(void (*prepare)(void), int (*run)(void),
              int (*decide)(const struct intercepted *call))
{
    volatile int *listener =
        mmap(NULL, sizeof(int), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status, pidfd, fd;
    pid_t child;

    if (listener == MAP_FAILED)
        abort();
    fflush(NULL);
    child = fork();
    if (!child) {
        prepare();
        *listener = install();
        _exit(*listener < 0 ? 125 : run());
    }
    while (!*listener)
        usleep(20);
    if (*listener > 0) {
        pidfd = syscall(SYS_pidfd_open, child, 0);
        fd = syscall(SYS_pidfd_getfd, pidfd, *listener, 0);
        if (pidfd < 0 || fd < 0)
            abort();
        /* Or the listener, which the child has as well, would never be hung up. */
        close(pidfd);
        serve(fd, decide);
        close(fd);
    }
    munmap((void *)listener, sizeof(int));
    if (waitpid(child, &status, 0) != child)
        abort();

    return status;
}
