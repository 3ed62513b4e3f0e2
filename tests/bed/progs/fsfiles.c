/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fsfiles write DIR FILES STATUS: writes files of 256 KiB, each under another
 *     name first, and fsyncs file and directory: FILES names in turn.
 * fsfiles verify DIR FILES STATUS: each file that STATUS says is on the disk
 *     has every byte that was written last, or those of the round after it.
 * Reported by write: written (files known to be on the disk), errors.
 */
#define _GNU_SOURCE
#include "common.h"

#include <fcntl.h>
#include <stdbool.h>

#define SIZE (256 * 1024)

static uint64_t content[SIZE / sizeof(uint64_t)], found[SIZE / sizeof(uint64_t)];

static void make_content(uint64_t number)
{
    content[0] = number;
    for (size_t i = 1; i < SIZE / sizeof(*content); i++)
        content[i] = random_at(number, i);
}

static bool write_file(int dir, uint64_t number, uint64_t files)
{
    int fd = openat(dir, "new", O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char name[32];
    bool good;

    make_content(number);
    good = fd >= 0 && write(fd, content, SIZE) == SIZE && !fsync(fd);
    if (fd >= 0)
        close(fd);
    snprintf(name, sizeof(name), "file%llu", (unsigned long long)(number % files));
    return good && !renameat(dir, "new", dir, name) && !fsync(dir);
}

static int write_files(int dir, uint64_t files, const char *status)
{
    unsigned long long written = 0, errors = 0;

    while (!stop_requested && !errors) {
        if (write_file(dir, written, files))
            written++;
        else
            errors++;
        write_status(status, "written=%llu errors=%llu\n", written, errors);
    }
    return errors != 0;
}

static bool file_is_right(int dir, uint64_t number, uint64_t files)
{
    char name[32];
    bool good;
    int fd;

    snprintf(name, sizeof(name), "file%llu", (unsigned long long)(number % files));
    fd = openat(dir, name, O_RDONLY);
    good = fd >= 0 && read(fd, found, SIZE) == SIZE;
    if (fd >= 0)
        close(fd);
    if (!good || (found[0] != number && found[0] != number + files))
        return false;
    make_content(found[0]);
    return !memcmp(content, found, SIZE);
}

static int verify_files(int dir, uint64_t files, const char *status)
{
    unsigned long long written = 0, bad = 0;
    FILE *f = fopen(status, "r");

    if (!f || fscanf(f, "written=%llu", &written) != 1 || !written) {
        fprintf(stderr, "fsfiles: nothing was written\n");
        return 1;
    }
    fclose(f);
    for (uint64_t n = written > files ? written - files : 0; n < written; n++)
        bad += !file_is_right(dir, n, files);
    printf("files=%llu bad=%llu\n", written < files ? written : (unsigned long long)files, bad);
    return bad != 0;
}

int main(int argc, char **argv)
{
    uint64_t files;
    int dir;

    if (argc != 5)
        usage("fsfiles write|verify DIR FILES STATUS");
    run_behind_others();
    files = strtoull(argv[3], NULL, 0);
    dir = open(argv[2], O_RDONLY | O_DIRECTORY);
    if (dir < 0) {
        perror(argv[2]);
        return 1;
    }
    return strcmp(argv[1], "verify") ? write_files(dir, files, argv[4])
                                     : verify_files(dir, files, argv[4]);
}
