/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program that was compiled for an older or a newer libxenliveupdate than the one that it runs with
 * (abi.awk makes both headers): what it knows is there, what the library does not know is 0, and
 * nothing is written behind the program's structures, of which AddressSanitizer sees to the last byte.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_xen.h"
#include "kexec_test.h"
#include "suite.h"
#include "xenliveupdate.h"

#ifdef NEWER
#define CHECK_ADDED(p) CU_ASSERT(!memcmp((p)->added, (uint64_t[5]){0}, sizeof((p)->added)))
#else
#define CHECK_ADDED(p) (void)(p)
#endif

static struct xenlu *lu;
static struct xenlu_error err;

/* A structure of the program's, with what was there before. */
static void *old_memory(size_t size)
{
    void *p = malloc(size);

    if (!p)
        abort();

    return memset(p, 0xa5, size);
}

#define NEW(type, p) struct type *p = old_memory(sizeof(*p))

static void test_status(void)
{
    NEW(xenlu_status, s);

    CU_ASSERT_EQUAL(xenlu_get_status(lu, s, sizeof(*s), &err), XENLU_OK);
    CU_ASSERT_STRING_EQUAL(s->version, "4.17.5-old");
    CU_ASSERT_EQUAL(s->slot_size, 32u << 20);
    CU_ASSERT(s->staged && !s->busy);
    CHECK_ADDED(s);
    free(s);
}

static void test_inventory(void)
{
    NEW(xenlu_inventory, inv);
    struct xenlu_domain *d;

    CU_ASSERT_EQUAL(xenlu_get_inventory(lu, inv, sizeof(*inv), &d, sizeof(*d), &err), XENLU_OK);
    CU_ASSERT_EQUAL(inv->nr_domains, 3);
    CHECK_ADDED(inv);
    for (uint32_t i = 0; i < inv->nr_domains; i++) {
        CU_ASSERT_EQUAL(d[i].domid, i);
        CU_ASSERT_EQUAL(d[i].max_pages, 32768);
        CHECK_ADDED(&d[i]);
    }
    free(d);
    free(inv);
}

static void test_check(void)
{
    struct xenlu_refusal *list;
    unsigned int nr;

    fake_refuse(1, 95, "grant", "one");
    fake_refuse(2, 22, "vcpu", "two");
    CU_ASSERT_EQUAL(xenlu_check(lu, &list, sizeof(*list), &nr, &err), XENLU_OK);
    CU_ASSERT_EQUAL_FATAL(nr, 2);
    CU_ASSERT_STRING_EQUAL(list[0].resource, "grant");
    CU_ASSERT_EQUAL(list[1].domid, 2);
    CU_ASSERT_STRING_EQUAL(list[1].resource, "vcpu");
    CHECK_ADDED(&list[1]);
    free(list);
}

static void test_target(void)
{
    NEW(xenlu_target, t);
    char path[] = "/tmp/abi-target.XXXXXX";
    struct image image;
    int fd = mkstemp(path);
    FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

    image_good(&image);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f);
    CU_ASSERT_EQUAL(fwrite(&image, sizeof(image), 1, f), 1);
    fclose(f);
    CU_ASSERT_EQUAL(xenlu_check_target(lu, path, NULL, t, sizeof(*t), &err), XENLU_OK);
    CU_ASSERT_STRING_EQUAL(t->version, "4.17.5-test");
    CU_ASSERT(t->nr_segments && t->segment[0].size);
    CHECK_ADDED(t);
    memset(t, 0xa5, sizeof(*t));
    CU_ASSERT_EQUAL(xenlu_stage(lu, path, NULL, t, sizeof(*t), &err), XENLU_OK);
    CU_ASSERT_EQUAL(t->entry, 0x42000000 + IMAGE_PADDR);
    CHECK_ADDED(t);
    remove(path);
    free(t);
}

static void test_result(void)
{
    NEW(xenlu_plan, plan);
    NEW(xenlu_result, r);

    memset(plan, 0, sizeof(*plan));
    plan->kind = XENLU_REHEARSAL;
    CU_ASSERT_EQUAL(xenlu_start(lu, plan, sizeof(*plan), &err), XENLU_OK);
    CU_ASSERT_EQUAL(xenlu_wait(lu, NULL, NULL, r, sizeof(*r), &err), XENLU_OK);
    CU_ASSERT_EQUAL(r->state, XENLU_STATE_REHEARSED);
    CHECK_ADDED(r);
    memset(r, 0xa5, sizeof(*r));
    CU_ASSERT_EQUAL(xenlu_get_result(lu, r, sizeof(*r), &err), XENLU_OK);
    CU_ASSERT_EQUAL(r->state, XENLU_STATE_REHEARSED);
    CU_ASSERT_EQUAL(r->nr_vcpus, fake.result.nr_vcpus);
    CHECK_ADDED(r);
#ifdef NEWER
    /* What the library does not know it does not pass over. */
    plan->added[4] = 1;
    CU_ASSERT_EQUAL(xenlu_start(lu, plan, sizeof(*plan), &err), XENLU_UNSUPPORTED);
    CU_ASSERT_EQUAL(fake.calls[XEN_LIVEUPDATE_rehearse], 1);
#endif
    free(plan);
    free(r);
}

static void test_fault(void)
{
    NEW(xenlu_fault, f);

    fake.query.caps |= XEN_LIVEUPDATE_CAP_FAULT;
    CU_ASSERT_EQUAL(xenlu_set_fault(lu, XEN_LIVEUPDATE_PHASE_save, 1, f, sizeof(*f), &err),
                    XENLU_OK);
    CU_ASSERT_EQUAL(f->exists, 1);
    CHECK_ADDED(f);
    free(f);
}

static void test_error(void)
{
    fake.fail_op = XEN_LIVEUPDATE_result;
    fake.error = 5;
    {
        NEW(xenlu_result, r);
        NEW(xenlu_error, e);

        CU_ASSERT_EQUAL(xenlu_get_result(lu, r, sizeof(*r), e), XENLU_SYSTEM);
        CU_ASSERT_EQUAL(e->errnum, 5);
        CU_ASSERT_EQUAL(e->reserved[0], 0);
        CU_ASSERT_EQUAL(r->state, XENLU_STATE_NONE);
        CU_ASSERT_EQUAL(r->pause_ns, -1);
        CHECK_ADDED(r);
        free(e);
        free(r);
    }
    CU_ASSERT_EQUAL(xenlu_version(), XENLU_VERSION);
}

static void set_up(void)
{
    fake_reset(3);
    if (!lu && xenlu_open(&lu, NULL))
        abort();
}

static char dir[] = "/tmp/abi-test.XXXXXX";

static int start(void)
{
    return !mkdtemp(dir) || setenv("XEN_LIVEUPDATE_DIR", dir, 1);
}

static int stop(void)
{
    static const char *const files[] = {"lock", "journal.db", "journal.db-journal", "staged"};
    char path[64];

    xenlu_close(lu);
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
        remove(path);
    }
    remove(dir);

    return 0;
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"status", test_status},  {"inventory", test_inventory},
        {"refusals", test_check}, {"target", test_target},
        {"result", test_result},  {"fault", test_fault},
        {"errors", test_error},   CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"a program for another version", start, stop, set_up, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    return run_suites(suites);
}
