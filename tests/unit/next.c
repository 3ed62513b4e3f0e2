/* SPDX-License-Identifier: MIT */
/*
 * Two versions of the format side by side.  This program is built against records
 * that next.sed has moved one version ahead:
 *
 *  - it reads the streams of the present version (the golden vectors);
 *  - it leaves a stream of its own, which the present version's test has to refuse
 *    (test_stream.c, "stream of the next version").
 */

#include <stdio.h>
#include <stdlib.h>

#include "suite.h"
#include "world.h"

static const char *golden;

static void *read_golden(const char *name, uint64_t *length)
{
    char path[4096];
    void *buf = malloc(1 << 20);
    FILE *f;

    snprintf(path, sizeof(path), "%s/%s", golden, name);
    f = fopen(path, "rb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    *length = fread(buf, 1, 1 << 20, f);
    fclose(f);

    return buf;
}

/* What was appended reads as 0, everything else as it was written. */
static void reads_the_old(void)
{
    struct lu_watchdog_entry e;
    const struct lu_record *r;
    struct lu_timer timer;
    struct lu_stream s;
    uint64_t length;
    void *buf = read_golden("stream-1.bin", &length);
    int64_t singleshot;
    uint32_t id;

    CU_ASSERT_EQUAL_FATAL(lu_stream_open(&s, buf, length, NULL), LU_OK);

    r = lu_record_find_vcpu(&s, LU_REC_TIMER, 5, 2);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(r->version, 1);
    CU_ASSERT_EQUAL(r->fixed_len, sizeof(timer) - 8);
    memset(&timer, 0xff, sizeof(timer));
    LU_FIXED(r, &timer);
    memcpy(&singleshot, r + 1, sizeof(singleshot));
    CU_ASSERT_EQUAL(timer.singleshot, singleshot);
    CU_ASSERT_EQUAL(timer.added, 0);

    r = lu_record_find(&s, NULL, LU_REC_WATCHDOG, 5);
    CU_ASSERT_PTR_NOT_NULL_FATAL(r);
    CU_ASSERT_EQUAL(r->nr, 3);
    CU_ASSERT_EQUAL(r->entry_len, sizeof(e) - 8);
    memset(&e, 0xff, sizeof(e));
    LU_ENTRY(r, 2, &e);
    memcpy(&id, (const uint8_t *)lu_record_bytes(r) + 2 * 16 + 8, sizeof(id));
    CU_ASSERT_EQUAL(e.id, id);
    CU_ASSERT_EQUAL(e.added, 0);

    CU_ASSERT_PTR_NULL(lu_record_find(&s, NULL, LU_REC_NEXT, LU_ANY_DOMID));
    free(buf);
}

static void reads_its_own(void)
{
    struct lu_stream s;
    uint64_t length;
    void *buf = world_make(&length);

    CU_ASSERT_EQUAL(lu_stream_open(&s, buf, length, NULL), LU_OK);
    CU_ASSERT_PTR_NOT_NULL(lu_record_find(&s, NULL, LU_REC_NEXT, LU_ANY_DOMID));
    free(buf);
}

/* An old version that claims to be larger than the present one. */
static void old_and_large(void)
{
    struct lu_complaint why;
    struct lu_stream s;
    uint64_t length;
    void *buf = world_make(&length);
    struct lu_record *r = world_record(buf, length, LU_REC_TIMER, 0, 0);

    r->version = 1;
    lu_stream_seal(buf, length);
    CU_ASSERT_EQUAL(lu_stream_open(&s, buf, length, &why), LU_OK);
    r->fixed_len += 8;
    r->length += 8;
    lu_stream_seal(buf, length);
    CU_ASSERT_EQUAL(lu_stream_open(&s, buf, length, &why), LU_BAD_RECORD);
    CU_ASSERT_STRING_EQUAL(why.what, "size");
    free(buf);
}

static CU_TestInfo tests[] = {
    {"reads the old version", reads_the_old},
    {"reads its own version", reads_its_own},
    {"old, but too large", old_and_large},
    CU_TEST_INFO_NULL,
};

/* For the present version's test. */
static bool write_stream(const char *dir)
{
    char path[4096];
    uint64_t length;
    void *buf = world_make(&length);
    FILE *f;
    bool ok;

    snprintf(path, sizeof(path), "%s/next-stream.bin", dir);
    f = fopen(path, "wb");
    ok = f && fwrite(buf, 1, length, f) == length;
    ok = f && !fclose(f) && ok;
    free(buf);

    return ok;
}

int main(int argc, char **argv)
{
    CU_SuiteInfo suites[] = {
        {"next", NULL, NULL, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    if (argc != 3) {
        fprintf(stderr, "usage: next GOLDEN_DIR BUILD_DIR\n");
        return 2;
    }
    golden = argv[1];
    if (!write_stream(argv[2])) {
        perror(argv[2]);
        return 2;
    }

    return run_suites(suites);
}
