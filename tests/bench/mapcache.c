/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mapcache MIB PROCESSES FILE STATUS: much page cache, mapped many times.
 *
 * Fills FILE with MIB mebibytes and lets each of PROCESSES processes map all of
 * it, every page present; every second process maps it writable. Writes "ready"
 * to STATUS and stays: for Xen this is a guest with many page tables and many
 * references on each page.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static int fill(const char *path, size_t mib)
{
    static char block[1 << 20];
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0)
        fail(path);
    for (size_t i = 0; i < mib; i++) {
        memset(block, (int)i + 1, sizeof(block));
        if (write(fd, block, sizeof(block)) != sizeof(block))
            fail(path);
    }
    return fd;
}

static void map_and_stay(int fd, size_t size, int prot, int ready)
{
    if (mmap(NULL, size, prot, MAP_SHARED | MAP_POPULATE, fd, 0) == MAP_FAILED)
        fail("mmap");
    if (write(ready, "", 1) != 1)
        fail("pipe");
    for (;;)
        pause();
}

int main(int argc, char **argv)
{
    size_t mib;
    int processes, fd, ready[2];
    FILE *status;
    char c;

    if (argc != 5) {
        fprintf(stderr, "usage: mapcache MIB PROCESSES FILE STATUS\n");
        return 2;
    }
    mib = strtoul(argv[1], NULL, 0);
    processes = atoi(argv[2]);
    fd = fill(argv[3], mib);
    if (pipe(ready))
        fail("pipe");

    /* One after the other: the same order in every run. */
    for (int i = 0; i < processes; i++) {
        pid_t pid = fork();

        if (pid < 0)
            fail("fork");
        if (!pid)
            map_and_stay(fd, mib << 20, i & 1 ? PROT_READ | PROT_WRITE : PROT_READ, ready[1]);
        if (read(ready[0], &c, 1) != 1)
            fail("pipe");
    }

    status = fopen(argv[4], "w");
    if (!status || fputs("ready\n", status) < 0 || fclose(status))
        fail(argv[4]);
    while (wait(NULL) > 0)
        ;
    return 0;
}
