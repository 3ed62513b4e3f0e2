/* SPDX-License-Identifier: MIT */
/*
 * Runs a harness without libFuzzer: mutates the files a number of times, the same way with the same seed.
 *
 *   driver [-n inputs] [-s seed] [-b] [-o crash-file] file...
 *
 * Without -n each file is run once, as it is.  Files are streams: the mutations know where records
 * and their headers are, and what they make of one is often still a stream.  With -b
 * they are bytes of any kind.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <xen-liveupdate/stream.h>

#define MAX_SIZE (1u << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A single input that takes longer is a bug as well. */
#define MAX_SECONDS 10

/* Shared with the child that does the work, so that its last input outlives it. */
static struct shared {
    unsigned long runs;
    size_t size;
    _Alignas(8) uint8_t bytes[MAX_SIZE];
} * shared;

#define input      (shared->bytes)
#define input_size (shared->size)

static const char *crash_file = "crash.bin";
static uint64_t state;

static void save_input(void)
{
    FILE *f = fopen(crash_file, "wb");

    if (f) {
        fwrite(input, 1, input_size, f);
        fclose(f);
        fprintf(stderr, "fuzz: input %lu is in %s\n", shared->runs, crash_file);
    }
}

/* splitmix64, by S. Vigna, public domain. */
static uint64_t rnd(uint64_t below)
{
    uint64_t z = state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;

    return (z ^ z >> 31) % below;
}

/* ---- mutations ---- */

static uint64_t some_value(void)
{
    static const uint64_t values[] = {
        0,          1,          2,          7,          8,
        0x7fff,     0x8000,     0x7ff0,     0x7ff2,     0xffff,
        0x10000,    0x7fffffff, 0x80000000, UINT32_MAX, UINT32_MAX - 7,
        1ull << 32, 1ull << 52, INT64_MAX,  1ull << 63, UINT64_MAX,
    };

    return rnd(3) ? values[rnd(sizeof(values) / sizeof(values[0]))] : rnd(1 << 12);
}

/* A random record; NULL: there is none that ends within the input. */
static struct lu_record *some_record(void)
{
    size_t offset = sizeof(struct lu_stream_header), nr = 0;
    struct lu_record *found = NULL;

    while (offset + sizeof(struct lu_record) <= input_size) {
        struct lu_record *r = (void *)(input + offset);

        if (r->length % 8 || r->length > input_size - offset - sizeof(*r))
            break;
        if (!rnd(++nr))
            found = r;
        offset += sizeof(*r) + r->length;
    }

    return found;
}

static void set(void *p, size_t size)
{
    uint64_t value = some_value(), old = 0;

    memcpy(&old, p, size);
    switch (rnd(4)) {
    case 0: value = old + 1; break;
    case 1: value = old - 1; break;
    case 2: value = old ^ 1ull << rnd(8 * size); break;
    }
    memcpy(p, &value, size);
}

static void change_anything(void)
{
    size_t size = 1u << rnd(4);

    if (input_size >= 8)
        set(input + (rnd(input_size - 7) & -size), size);
}

static void change_header(void)
{
    static const struct {
        size_t offset, size;
    } fields[] = {
#define F(field) {offsetof(struct lu_record, field), sizeof(((struct lu_record *)0)->field)}
        F(type),      F(version),   F(flags), F(domid),  F(index),
        F(fixed_len), F(entry_len), F(nr),    F(length),
    };
    unsigned int i = rnd(sizeof(fields) / sizeof(fields[0]));
    struct lu_record *r = some_record();

    if (r)
        set((uint8_t *)r + fields[i].offset, fields[i].size);
}

static void change_field(void)
{
    struct lu_record *r = some_record();
    size_t size = 2u << rnd(3);

    if (r && r->length >= 8)
        set((uint8_t *)(r + 1) + (rnd(r->length - 7) & -size), size);
}

/* Adds or takes away entries, the lengths being right. */
static void change_nr(void)
{
    struct lu_record *r = some_record();
    size_t at, old, new;
    uint32_t nr;

    if (!r || !r->entry_len)
        return;
    nr = r->nr + rnd(3) - 1;
    at = (uint8_t *)r - input;
    old = sizeof(*r) + r->length;
    new = sizeof(*r) + ((r->fixed_len + (uint64_t)nr * r->entry_len + 7) & ~7ull);
    if (nr > r->nr + 1 || input_size - old + new > MAX_SIZE)
        return;
    memmove(input + at + new, input + at + old, input_size - at - old);
    input_size += new - old;
    r->nr = nr;
    r->length = new - sizeof(*r);
}

/* Removes a record, or moves or copies it to another one's place. */
static void move_record(void)
{
    struct lu_record *r = some_record(), *to = some_record();
    static uint8_t copy[MAX_SIZE];
    size_t at, to_at, length;

    if (!r || !to)
        return;
    length = sizeof(*r) + r->length;
    at = (uint8_t *)r - input;
    to_at = (uint8_t *)to - input;
    memcpy(copy, r, length);

    if (rnd(2)) {
        memmove(input + at, input + at + length, input_size - at - length);
        input_size -= length;
        to_at -= to_at > at ? length : 0;
        if (rnd(2))
            return;
    }
    if (input_size + length > MAX_SIZE)
        return;
    memmove(input + to_at + length, input + to_at, input_size - to_at);
    memcpy(input + to_at, copy, length);
    input_size += length;
}

static void truncate_input(void)
{
    input_size = rnd(input_size + 1) & ~(size_t)7;
}

/* A byte becomes another one that is in the input, or any. */
static void change_byte(void)
{
    if (input_size)
        input[rnd(input_size)] = rnd(2) ? input[rnd(input_size)] : rnd(256);
}

static void change_unaligned(void)
{
    size_t size = 1u << rnd(4);

    if (input_size >= size)
        set(input + rnd(input_size - size + 1), size);
}

/* Some bytes are taken away, are there twice, or stand over others. */
static void move_bytes(void)
{
    size_t n = 1 + rnd(rnd(4) ? 16 : 256), at, to;

    if (input_size < 2 * n)
        return;
    at = rnd(input_size - n);
    to = rnd(input_size - n);
    if (!rnd(3)) {
        memmove(input + at, input + at + n, input_size - at - n);
        input_size -= n;
    } else if (rnd(2) && input_size + n <= MAX_SIZE) {
        memmove(input + at + n, input + at, input_size - at);
        input_size += n;
    } else {
        memmove(input + to, input + at, n);
    }
}

static void cut(void)
{
    input_size = rnd(input_size + 1);
}

/* Are the files bytes of any kind? */
static bool bytes;

static void mutate(void)
{
    static void (*const of_streams[])(void) = {
        change_field,  change_field, change_field, change_anything,
        change_header, change_nr,    move_record,
    };
    static void (*const of_bytes[])(void) = {
        change_byte, change_byte, change_unaligned, change_unaligned, move_bytes,
    };
    unsigned int n;

    for (n = 1 + rnd(4); n; n--)
        if (bytes)
            of_bytes[rnd(sizeof(of_bytes) / sizeof(of_bytes[0]))]();
        else
            of_streams[rnd(sizeof(of_streams) / sizeof(of_streams[0]))]();
    if (!rnd(50))
        (bytes ? cut : truncate_input)();
}

/* ---- running ---- */

static void load(const char *path)
{
    FILE *f = fopen(path, "rb");

    if (!f) {
        perror(path);
        exit(2);
    }
    input_size = fread(input, 1, MAX_SIZE, f);
    fclose(f);
}

/* Each file once, as it is, then @inputs in all. */
static void run(char **files, unsigned int nr, unsigned long inputs, uint64_t seed)
{
    for (; shared->runs < nr || shared->runs < inputs; shared->runs++) {
        load(files[shared->runs % nr]);
        /* Each input has a sequence of its own, so that any can be had again. */
        state = seed << 32 | shared->runs;
        if (shared->runs >= nr)
            mutate();
        alarm(MAX_SECONDS);
        LLVMFuzzerTestOneInput(input, input_size);
    }
}

int main(int argc, char **argv)
{
    unsigned long inputs = 0, seed = 1;
    int opt, status = 0;
    pid_t child;

    while ((opt = getopt(argc, argv, "n:s:bo:")) != -1)
        switch (opt) {
        case 'n': inputs = strtoul(optarg, NULL, 0); break;
        case 'b': bytes = true; break;
        case 's': seed = strtoul(optarg, NULL, 0); break;
        case 'o': crash_file = optarg; break;
        default: return 2;
        }
    if (optind == argc) {
        fprintf(stderr, "usage: driver [-n inputs] [-s seed] [-b] [-o crash-file] file...\n");
        return 2;
    }

    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 2;
    }

    child = fork();
    if (!child) {
        run(argv + optind, argc - optind, inputs, seed);
        return 0;
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status) {
        save_input();
        return 1;
    }
    printf("fuzz: %s: %lu inputs, seed %lu: ok\n", program_invocation_short_name, shared->runs,
           seed);

    return 0;
}
