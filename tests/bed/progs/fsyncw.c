/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fsyncw write FILE BLOCKS STATUS: writes numbered, checksummed 4 KiB blocks
 *     round and round over FILE (or a block device), fsync after each.
 * fsyncw verify FILE BLOCKS STATUS: checks every block that STATUS says is on
 *     the disk, past the page cache.
 * Reported by write: written (blocks known to be on the disk), errors.
 */
#define _GNU_SOURCE
#include "common.h"

#include <fcntl.h>

#define BLOCK 4096

struct block {
    uint64_t number, check, data[BLOCK / 8 - 2];
} __attribute__((aligned(BLOCK)));

static void make_block(struct block *b, uint64_t number)
{
    b->number = number;
    b->check = 0;
    for (size_t i = 0; i < sizeof(b->data) / 8; i++)
        b->check += b->data[i] = random_at(number, i);
}

static int write_blocks(int fd, uint64_t blocks, const char *status)
{
    static struct block b;
    unsigned long long written = 0, errors = 0;

    while (!stop_requested && !errors) {
        make_block(&b, written);
        if (pwrite(fd, &b, BLOCK, written % blocks * BLOCK) != BLOCK || fsync(fd))
            errors++;
        else
            written++;
        write_status(status, "written=%llu errors=%llu\n", written, errors);
    }
    return errors != 0;
}

static int verify_blocks(int fd, uint64_t blocks, const char *status)
{
    static struct block b, expected;
    unsigned long long written = 0, bad = 0;
    FILE *f = fopen(status, "r");

    if (!f || fscanf(f, "written=%llu", &written) != 1 || !written) {
        fprintf(stderr, "fsyncw: nothing was written\n");
        return 1;
    }
    fclose(f);
    for (uint64_t n = written > blocks ? written - blocks : 0; n < written; n++) {
        make_block(&expected, n);
        /* The block after the last known one may have been written over the oldest. */
        if (pread(fd, &b, BLOCK, n % blocks * BLOCK) != BLOCK ||
            (memcmp(&b, &expected, BLOCK) && b.number != n + blocks))
            bad++;
    }
    printf("blocks=%llu bad=%llu\n", written < blocks ? written : (unsigned long long)blocks, bad);
    return bad != 0;
}

int main(int argc, char **argv)
{
    int fd, verify;
    uint64_t blocks;

    if (argc != 5)
        usage("fsyncw write|verify FILE BLOCKS STATUS");
    run_behind_others();
    verify = !strcmp(argv[1], "verify");
    blocks = strtoull(argv[3], NULL, 0);
    fd = open(argv[2], verify ? O_RDONLY | O_DIRECT : O_RDWR | O_CREAT, 0600);
    if (fd < 0 && verify) /* tmpfs knows no O_DIRECT */
        fd = open(argv[2], O_RDONLY);
    if (fd < 0) {
        perror(argv[2]);
        return 1;
    }
    return verify ? verify_blocks(fd, blocks, argv[4]) : write_blocks(fd, blocks, argv[4]);
}
