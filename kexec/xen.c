/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The running Xen, by hypercalls whose interface is stable: xen_version,
 * memory_op and kexec_op.  One handle works before and after an update.
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

#define EM_386 3

struct lu_xen {
    xencall_handle *call;
};

/* libxencall would print what it cannot open; the caller gets told instead. */
static void log_nothing(struct xentoollog_logger *logger, xentoollog_level level, int errnoval,
                        const char *context, const char *format, va_list al)
{
    (void)logger, (void)level, (void)errnoval, (void)context, (void)format, (void)al;
}

static void no_progress(struct xentoollog_logger *logger, const char *context,
                        const char *doing_what, int percent, unsigned long done,
                        unsigned long total)
{
    (void)logger, (void)context, (void)doing_what, (void)percent, (void)done, (void)total;
}

static void destroy_nothing(struct xentoollog_logger *logger)
{
    (void)logger;
}

static struct xentoollog_logger quiet = {
    .vmessage = log_nothing,
    .progress = no_progress,
    .destroy = destroy_nothing,
};

enum lu_kexec_error lu_xen_open(struct lu_xen **xen, struct lu_kexec_why *why)
{
    int errnum;

    *xen = calloc(1, sizeof(**xen));
    if (!*xen)
        return lu_kexec_complain(why, LU_KEXEC_NO_MEMORY, "no memory");

    (*xen)->call = xencall_open(&quiet, XENCALL_OPENFLAG_NON_REENTRANT);
    if ((*xen)->call)
        return LU_KEXEC_OK;

    errnum = errno;
    free(*xen);
    *xen = NULL;
    lu_kexec_complain(why, LU_KEXEC_NO_XEN, "no hypercalls from here: %s", strerror(errnum));
    why->errnum = errnum;

    return LU_KEXEC_NO_XEN;
}

void lu_xen_close(struct lu_xen *xen)
{
    if (!xen)
        return;
    xencall_close(xen->call);
    free(xen);
}

static enum lu_kexec_error hypercall_error(struct lu_kexec_why *why, const char *what)
{
    int errnum = errno;

    lu_kexec_complain(why, LU_KEXEC_HYPERCALL, "%s: %s", what, strerror(errnum));
    why->errnum = errnum;

    return LU_KEXEC_HYPERCALL;
}

/* Memory that Xen can read and write; zeroed. */
static void *hyper_alloc(struct lu_xen *xen, size_t size, struct lu_kexec_why *why)
{
    void *p = xencall_alloc_buffer(xen->call, size ? size : 1);

    if (p)
        memset(p, 0, size);
    else
        lu_kexec_complain(why, LU_KEXEC_NO_MEMORY, "no memory for %zu bytes of a hypercall", size);

    return p;
}

static void hyper_free(struct lu_xen *xen, void *p)
{
    if (p)
        xencall_free_buffer(xen->call, p);
}

/*
 * op(cmd, arg): the shape of all hypercalls used here.  @arg goes in and out.
 * Returns what the hypercall does, -1 on error; *why is filled then.
 */
static long hypercall2(struct lu_xen *xen, unsigned int op, unsigned int cmd, void *arg,
                       size_t size, const char *what, struct lu_kexec_why *why)
{
    void *buf = hyper_alloc(xen, size, why);
    long rc;

    if (!buf)
        return -1;
    memcpy(buf, arg, size);
    rc = xencall2(xen->call, op, cmd, (uintptr_t)buf);
    if (rc < 0)
        hypercall_error(why, what);
    else
        memcpy(arg, buf, size);
    hyper_free(xen, buf);

    return rc;
}

/* ---- facts ---- */

enum lu_kexec_error lu_xen_version(struct lu_xen *xen, char version[64], char changeset[64],
                                   struct lu_kexec_why *why)
{
    static const char what[] = "Xen does not tell its version";
    xen_changeset_info_t set = "";
    xen_extraversion_t extra = "";
    int number = xencall2(xen->call, __HYPERVISOR_xen_version, XENVER_version, 0);

    if (number < 0)
        return hypercall_error(why, what);
    if (hypercall2(xen, __HYPERVISOR_xen_version, XENVER_extraversion, extra, sizeof(extra), what,
                   why) < 0 ||
        hypercall2(xen, __HYPERVISOR_xen_version, XENVER_changeset, set, sizeof(set), what, why) <
            0)
        return why->error;

    snprintf(version, 64, "%d.%d%.*s", number >> 16, number & 0xffff, (int)sizeof(extra), extra);
    snprintf(changeset, 64, "%.*s", (int)sizeof(set) - 1, set);

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_cmdline(struct lu_xen *xen, char cmdline[LU_CMDLINE_MAX],
                                   struct lu_kexec_why *why)
{
    _Static_assert(sizeof(xen_commandline_t) == LU_CMDLINE_MAX, "Xen's command line");

    if (hypercall2(xen, __HYPERVISOR_xen_version, XENVER_commandline, cmdline, LU_CMDLINE_MAX,
                   "Xen does not tell its command line", why) < 0)
        return why->error;
    cmdline[LU_CMDLINE_MAX - 1] = '\0';

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_build_id(struct lu_xen *xen, char build_id[LU_BUILD_ID_TEXT],
                                    struct lu_kexec_why *why)
{
    enum { MAX_LEN = 64 };
    size_t size = sizeof(xen_build_id_t) + MAX_LEN;
    xen_build_id_t *id = hyper_alloc(xen, size, why);
    long rc;

    build_id[0] = '\0';
    if (!id)
        return why->error;
    id->len = MAX_LEN;
    rc = xencall2(xen->call, __HYPERVISOR_xen_version, XENVER_build_id, (uintptr_t)id);
    if (rc > 0)
        lu_build_id_text(build_id, id->buf, rc < MAX_LEN ? rc : MAX_LEN);
    hyper_free(xen, id);

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_translated(struct lu_xen *xen, bool *translated,
                                      struct lu_kexec_why *why)
{
    struct xen_feature_info info = {.submap_idx = 0};

    if (hypercall2(xen, __HYPERVISOR_xen_version, XENVER_get_features, &info, sizeof(info),
                   "Xen does not tell its features", why) < 0)
        return why->error;
    *translated = info.submap & (1u << XENFEAT_auto_translated_physmap);

    return LU_KEXEC_OK;
}

/* Xen refuses a buffer that is too small without saying what would do. */
#define MAP_ENTRIES_MAX 4096u

enum lu_kexec_error lu_xen_memory_map(struct lu_xen *xen, struct lu_memory_range **map,
                                      unsigned int *nr, struct lu_kexec_why *why)
{
    size_t size = MAP_ENTRIES_MAX * sizeof(**map);
    struct xen_memory_map arg = {.nr_entries = MAP_ENTRIES_MAX};
    enum lu_kexec_error error = LU_KEXEC_OK;
    void *buf = hyper_alloc(xen, size, why);

    *map = NULL;
    if (!buf)
        return why->error;

    set_xen_guest_handle(arg.buffer, buf);
    if (hypercall2(xen, __HYPERVISOR_memory_op, XENMEM_machine_memory_map, &arg, sizeof(arg),
                   "Xen does not tell the memory map", why) < 0) {
        error = why->error;
    } else {
        *nr = arg.nr_entries;
        *map = malloc((*nr + 1) * sizeof(**map));
        if (*map)
            memcpy(*map, buf, *nr * sizeof(**map));
        else
            error = lu_kexec_complain(why, LU_KEXEC_NO_MEMORY, "no memory for the memory map");
    }
    hyper_free(xen, buf);

    return error;
}

/* ---- the staged image ---- */

enum lu_kexec_error lu_xen_load(struct lu_xen *xen, const struct lu_plan *plan,
                                struct lu_kexec_why *why)
{
    xen_kexec_segment_t *segments = hyper_alloc(xen, LU_PLAN_NR * sizeof(*segments), why);
    xen_kexec_load_t load = {
        .type = KEXEC_TYPE_LIVE_UPDATE,
        .arch = EM_386,
        .nr_segments = LU_PLAN_NR,
        .entry_maddr = plan->entry,
    };
    void *bufs[LU_PLAN_NR] = {0};
    enum lu_kexec_error error = LU_KEXEC_OK;

    if (!segments)
        return why->error;
    set_xen_guest_handle(load.segments.h, segments);

    for (unsigned int i = 0; i < LU_PLAN_NR && !error; i++) {
        const struct lu_segment *s = &plan->segment[i];

        bufs[i] = hyper_alloc(xen, s->buf_size, why);
        if (!bufs[i]) {
            error = why->error;
            break;
        }
        memcpy(bufs[i], s->buf, s->buf_size);
        set_xen_guest_handle(segments[i].buf.h, bufs[i]);
        segments[i].buf_size = s->buf_size;
        segments[i].dest_maddr = s->dest;
        segments[i].dest_size = s->dest_size;
    }

    if (!error && hypercall2(xen, __HYPERVISOR_kexec_op, KEXEC_CMD_kexec_load, &load, sizeof(load),
                             "Xen did not take the image", why) < 0)
        error = why->error;

    for (unsigned int i = 0; i < LU_PLAN_NR; i++)
        hyper_free(xen, bufs[i]);
    hyper_free(xen, segments);

    return error;
}

enum lu_kexec_error lu_xen_unload(struct lu_xen *xen, struct lu_kexec_why *why)
{
    xen_kexec_unload_t arg = {.type = KEXEC_TYPE_LIVE_UPDATE};

    if (hypercall2(xen, __HYPERVISOR_kexec_op, KEXEC_CMD_kexec_unload, &arg, sizeof(arg),
                   "Xen did not drop the image", why) < 0)
        return why->error;

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_crash_loaded(struct lu_xen *xen, bool *loaded, struct lu_kexec_why *why)
{
    xen_kexec_status_t arg = {.type = KEXEC_TYPE_CRASH};
    long rc = hypercall2(xen, __HYPERVISOR_kexec_op, KEXEC_CMD_kexec_status, &arg, sizeof(arg),
                         "Xen does not tell about the crash kernel", why);

    if (rc < 0)
        return why->error;
    *loaded = rc;

    return LU_KEXEC_OK;
}

/* ---- sub-commands ---- */

/* The handle of the sub-commands that have one. */
static void set_handle(struct xen_liveupdate *op, void *p)
{
    if (op->op == XEN_LIVEUPDATE_check)
        set_xen_guest_handle(op->u.check.buf.h, p);
    else if (op->op == XEN_LIVEUPDATE_read)
        set_xen_guest_handle(op->u.read.buf.h, p);
    else if (op->op == XEN_LIVEUPDATE_inventory)
        set_xen_guest_handle(op->u.inventory.buf.h, p);
}

enum lu_kexec_error lu_xen_liveupdate(struct lu_xen *xen, struct xen_liveupdate *op, void *buf,
                                      size_t size, struct lu_kexec_why *why)
{
    enum lu_kexec_error error = LU_KEXEC_OK;
    void *hyper = NULL;

    if (buf) {
        hyper = hyper_alloc(xen, size, why);
        if (!hyper)
            return why->error;
        set_handle(op, hyper);
    }

    if (hypercall2(xen, __HYPERVISOR_kexec_op, KEXEC_CMD_liveupdate, op, sizeof(*op), "Xen refused",
                   why) < 0)
        error = why->error;
    else if (buf)
        memcpy(buf, hyper, size);
    hyper_free(xen, hyper);

    return error;
}
