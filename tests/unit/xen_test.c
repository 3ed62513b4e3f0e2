/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypercalls (kexec/xen.c), with a libxencall that is a piece of C: what goes to Xen,
 * what comes back, and that every buffer is given back.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xencall.h>
#include <xentoollog.h>
#include <xen/xen.h>
#include <xen/features.h>
#include <xen/memory.h>
#include <xen/version.h>
#include <xen/kexec.h>
#include <liveupdate.h>

#include "lu-kexec.h"
#include "suite.h"

static struct {
    int open_error, error; /* errno; 0: all is well */
    unsigned int buffers;  /* that are out */
    uint64_t op, cmd;      /* of the last call */
    long answer;
    xen_kexec_load_t load;
    xen_kexec_segment_t segment[LU_PLAN_NR];
    uint8_t bytes[LU_PLAN_NR][64];
    struct xen_liveupdate sub;
    uint32_t type; /* of an unload or a question */
} xen;

/* ---- libxencall ---- */

xencall_handle *xencall_open(xentoollog_logger *logger, unsigned int flags)
{
    (void)logger, (void)flags;
    errno = xen.open_error;

    return xen.open_error ? NULL : (xencall_handle *)&xen;
}

int xencall_close(xencall_handle *call)
{
    (void)call;

    return 0;
}

void *xencall_alloc_buffer(xencall_handle *call, size_t size)
{
    (void)call;
    xen.buffers++;

    return malloc(size);
}

void xencall_free_buffer(xencall_handle *call, void *p)
{
    (void)call;
    xen.buffers--;
    free(p);
    errno = ENOTTY; /* a caller must not rely on it */
}

static void kexec_load(const xen_kexec_load_t *load)
{
    xen.load = *load;
    for (unsigned int i = 0; i < load->nr_segments && i < LU_PLAN_NR; i++) {
        xen.segment[i] = load->segments.h.p[i];
        memcpy(xen.bytes[i], xen.segment[i].buf.h.p, xen.segment[i].buf_size);
    }
}

static void memory_map(struct xen_memory_map *map)
{
    const struct lu_memory_range ranges[] = {{0, 0x9f000, 1}, {0x100000, 0x700000, 1}};

    CU_ASSERT_TRUE(map->nr_entries >= 2);
    memcpy(map->buffer.p, ranges, sizeof(ranges));
    map->nr_entries = 2;
}

static void sub_command(struct xen_liveupdate *op)
{
    xen.sub = *op;
    if (op->op == XEN_LIVEUPDATE_read) {
        strcpy(op->u.read.buf.h.p, "stream");
        op->u.read.length = 7;
    } else if (op->op == XEN_LIVEUPDATE_check) {
        strcpy(op->u.check.buf.h.p, "refusals");
    } else if (op->op == XEN_LIVEUPDATE_inventory) {
        strcpy(op->u.inventory.buf.h.p, "domains");
    } else {
        op->u.query.generation = 7;
    }
}

int xencall2(xencall_handle *call, unsigned int op, uint64_t cmd, uint64_t arg)
{
    void *p = (void *)(uintptr_t)arg;

    (void)call;
    xen.op = op;
    xen.cmd = cmd;
    if (xen.error) {
        errno = xen.error;
        return -1;
    }
    if (op == __HYPERVISOR_memory_op) {
        memory_map(p);
    } else if (op == __HYPERVISOR_kexec_op) {
        switch (cmd) {
        case KEXEC_CMD_kexec_load: kexec_load(p); break;
        case KEXEC_CMD_kexec_unload: xen.type = ((xen_kexec_unload_t *)p)->type; break;
        case KEXEC_CMD_kexec_status: xen.type = ((xen_kexec_status_t *)p)->type; break;
        case KEXEC_CMD_liveupdate: sub_command(p); break;
        }
    } else {
        switch (cmd) {
        case XENVER_version: return 4 << 16 | 17;
        case XENVER_extraversion: strcpy(p, ".5-test"); break;
        case XENVER_changeset: memset(p, 'c', sizeof(xen_changeset_info_t)); break;
        case XENVER_commandline: memset(p, 'l', LU_CMDLINE_MAX); break;
        case XENVER_get_features: ((struct xen_feature_info *)p)->submap = xen.answer; return 0;
        case XENVER_build_id:
            CU_ASSERT_EQUAL(((xen_build_id_t *)p)->len, 64);
            memcpy(((xen_build_id_t *)p)->buf, "\x01\xab", 2);
            break;
        }
    }

    return xen.answer;
}

/* ---- tests ---- */

static struct lu_xen *handle;
static struct lu_kexec_why why;

static void fresh(void)
{
    CU_ASSERT_EQUAL(xen.buffers, 0);
    memset(&xen, 0, sizeof(xen));
    memset(&why, 0, sizeof(why));
}

static int start(void)
{
    return lu_xen_open(&handle, &why);
}

static int stop(void)
{
    lu_xen_close(handle);
    lu_xen_close(NULL);

    return xen.buffers;
}

static void opening(void)
{
    struct lu_xen *none;

    fresh();
    xen.open_error = EACCES;
    CU_ASSERT_EQUAL(lu_xen_open(&none, &why), LU_KEXEC_NO_XEN);
    CU_ASSERT_EQUAL(why.errnum, EACCES);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "Permission denied"));
    CU_ASSERT_PTR_NULL(none);
}

static void facts(void)
{
    char version[64], changeset[64], line[LU_CMDLINE_MAX], id[LU_BUILD_ID_TEXT];
    bool translated = true;

    fresh();
    CU_ASSERT_EQUAL(lu_xen_version(handle, version, changeset, &why), LU_KEXEC_OK);
    CU_ASSERT_STRING_EQUAL(version, "4.17.5-test");
    CU_ASSERT_EQUAL(strlen(changeset), sizeof(xen_changeset_info_t) - 1);
    CU_ASSERT_EQUAL(lu_xen_cmdline(handle, line, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(strlen(line), LU_CMDLINE_MAX - 1);
    xen.answer = 2;
    CU_ASSERT_EQUAL(lu_xen_build_id(handle, id, &why), LU_KEXEC_OK);
    CU_ASSERT_STRING_EQUAL(id, "01ab");
    xen.error = ENODATA;
    CU_ASSERT_EQUAL(lu_xen_build_id(handle, id, &why), LU_KEXEC_OK);
    CU_ASSERT_STRING_EQUAL(id, "");

    fresh();
    xen.answer = ~(1u << XENFEAT_auto_translated_physmap);
    CU_ASSERT_EQUAL(lu_xen_translated(handle, &translated, &why), LU_KEXEC_OK);
    CU_ASSERT_FALSE(translated);
    xen.answer = 1u << XENFEAT_auto_translated_physmap;
    CU_ASSERT_EQUAL(lu_xen_translated(handle, &translated, &why), LU_KEXEC_OK);
    CU_ASSERT_TRUE(translated);
}

static void map(void)
{
    struct lu_memory_range *map;
    unsigned int nr;

    fresh();
    CU_ASSERT_EQUAL_FATAL(lu_xen_memory_map(handle, &map, &nr, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(xen.cmd, XENMEM_machine_memory_map);
    CU_ASSERT_EQUAL_FATAL(nr, 2);
    CU_ASSERT_EQUAL(map[1].addr, 0x100000);
    CU_ASSERT_EQUAL(map[1].size, 0x700000);
    free(map);
    xen.error = EPERM;
    CU_ASSERT_EQUAL(lu_xen_memory_map(handle, &map, &nr, &why), LU_KEXEC_HYPERCALL);
    CU_ASSERT_EQUAL(why.errnum, EPERM);
    CU_ASSERT_PTR_NULL(map);
}

static void image(void)
{
    struct lu_plan plan = {
        .segment =
            {
                [LU_PLAN_BOOT] = {"boot", "information", 12, 0x1000, 0x2000, 0},
                [LU_PLAN_XEN] = {"xen", "image", 6, 0x200000, 0x3000, 0},
            },
        .entry = 0x1000,
        .mbi = 0x1040,
        .xen_entry = 0x200000,
    };
    bool loaded = false;

    fresh();
    CU_ASSERT_EQUAL(lu_xen_load(handle, &plan, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(xen.cmd, KEXEC_CMD_kexec_load);
    CU_ASSERT_EQUAL(xen.load.type, KEXEC_TYPE_LIVE_UPDATE);
    CU_ASSERT_EQUAL(xen.load.arch, 3); /* EM_386 */
    CU_ASSERT_EQUAL(xen.load.entry_maddr, 0x1000);
    CU_ASSERT_EQUAL_FATAL(xen.load.nr_segments, LU_PLAN_NR);
    for (unsigned int i = 0; i < LU_PLAN_NR; i++) {
        CU_ASSERT_EQUAL(xen.segment[i].buf_size, plan.segment[i].buf_size);
        CU_ASSERT_EQUAL(xen.segment[i].dest_maddr, plan.segment[i].dest);
        CU_ASSERT_EQUAL(xen.segment[i].dest_size, plan.segment[i].dest_size);
        CU_ASSERT(!memcmp(xen.bytes[i], plan.segment[i].buf, plan.segment[i].buf_size));
    }
    xen.error = EADDRNOTAVAIL;
    CU_ASSERT_EQUAL(lu_xen_load(handle, &plan, &why), LU_KEXEC_HYPERCALL);
    CU_ASSERT_EQUAL(why.errnum, EADDRNOTAVAIL);
    CU_ASSERT_EQUAL(lu_xen_unload(handle, &why), LU_KEXEC_HYPERCALL);

    fresh();
    CU_ASSERT_EQUAL(lu_xen_unload(handle, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(xen.cmd, KEXEC_CMD_kexec_unload);
    CU_ASSERT_EQUAL(xen.type, KEXEC_TYPE_LIVE_UPDATE);
    xen.answer = 1;
    CU_ASSERT_EQUAL(lu_xen_crash_loaded(handle, &loaded, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(xen.type, KEXEC_TYPE_CRASH);
    CU_ASSERT_TRUE(loaded);
}

static void sub_commands(void)
{
    static const struct {
        uint32_t op;
        const char *text;
    } with_buffer[] = {{XEN_LIVEUPDATE_read, "stream"},
                       {XEN_LIVEUPDATE_check, "refusals"},
                       {XEN_LIVEUPDATE_inventory, "domains"}};
    struct xen_liveupdate op = {.op = XEN_LIVEUPDATE_query};
    char buf[16];

    fresh();
    CU_ASSERT_EQUAL(lu_xen_liveupdate(handle, &op, NULL, 0, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(xen.cmd, KEXEC_CMD_liveupdate);
    CU_ASSERT_EQUAL(op.u.query.generation, 7);
    for (unsigned int i = 0; i < 3; i++) {
        op = (struct xen_liveupdate){.op = with_buffer[i].op};
        memset(buf, 0, sizeof(buf));
        CU_ASSERT_EQUAL(lu_xen_liveupdate(handle, &op, buf, sizeof(buf), &why), LU_KEXEC_OK);
        CU_ASSERT_STRING_EQUAL(buf, with_buffer[i].text);
    }

    xen.error = EBUSY;
    op.op = XEN_LIVEUPDATE_read;
    strcpy(buf, "before");
    CU_ASSERT_EQUAL(lu_xen_liveupdate(handle, &op, buf, sizeof(buf), &why), LU_KEXEC_HYPERCALL);
    CU_ASSERT_EQUAL(why.errnum, EBUSY);
    CU_ASSERT_STRING_EQUAL(buf, "before");
    CU_ASSERT_EQUAL(xen.buffers, 0);
}

int main(void)
{
    CU_TestInfo tests[] = {
        {"no way to make hypercalls", opening},
        {"what Xen says of itself", facts},
        {"memory map", map},
        {"image", image},
        {"sub-commands", sub_commands},
        CU_TEST_INFO_NULL,
    };
    CU_SuiteInfo suites[] = {
        {"hypercalls", start, stop, NULL, NULL, tests},
        CU_SUITE_INFO_NULL,
    };

    return run_suites(suites);
}
