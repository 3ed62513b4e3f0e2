/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A Xen for unit tests: see fake_xen.h.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_xen.h"
#include "lu-kexec.h"

struct fake_xen fake;

void fake_reset(uint32_t nr)
{
    fake = (struct fake_xen){.version = "4.17.5-old", .nr_domains = nr};
    fake.query.caps = XEN_LIVEUPDATE_CAP_REHEARSE;
    fake.query.format = 1;
    fake.query.format_oldest = 1;
    fake.query.nr_slots = 2;
    fake.query.staged = 1;
    fake.result.pause_ns = -1;
    fake.result.domid = XEN_LIVEUPDATE_NO_DOMAIN;
    for (uint32_t i = 0; i < nr; i++) {
        fake.domain[i] = (struct xen_liveupdate_domain){.domid = i,
                                                        .nr_vcpus = 1 + i % 4,
                                                        .tot_pages = 32768,
                                                        .max_pages = 32768};
        memset(fake.domain[i].handle, i, sizeof(fake.domain[i].handle));
    }
}

enum lu_kexec_error lu_xen_open(struct lu_xen **xen, struct lu_kexec_why *why)
{
    (void)why;
    *xen = (struct lu_xen *)&fake;

    return LU_KEXEC_OK;
}

void lu_xen_close(struct lu_xen *xen)
{
    (void)xen;
}

enum lu_kexec_error lu_xen_version(struct lu_xen *xen, char version[64], char changeset[64],
                                   struct lu_kexec_why *why)
{
    (void)xen, (void)why;
    snprintf(version, 64, "%s", fake.version);
    snprintf(changeset, 64, "set-%.50s", fake.version);

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_cmdline(struct lu_xen *xen, char cmdline[LU_CMDLINE_MAX],
                                   struct lu_kexec_why *why)
{
    (void)xen, (void)why;
    strcpy(cmdline, "liveupdate=64M");

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_translated(struct lu_xen *xen, bool *translated,
                                      struct lu_kexec_why *why)
{
    (void)xen, (void)why;
    *translated = fake.pvh_dom0;

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_build_id(struct lu_xen *xen, char build_id[LU_BUILD_ID_TEXT],
                                    struct lu_kexec_why *why)
{
    (void)xen, (void)why;
    strcpy(build_id, "0123abcd");

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_memory_map(struct lu_xen *xen, struct lu_memory_range **map,
                                      unsigned int *nr, struct lu_kexec_why *why)
{
    (void)xen, (void)why;
    *map = calloc(1, sizeof(**map));
    *nr = 0;

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_load(struct lu_xen *xen, const struct lu_plan *plan,
                                struct lu_kexec_why *why)
{
    (void)xen, (void)plan, (void)why;
    fake.query.staged = 1;

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_unload(struct lu_xen *xen, struct lu_kexec_why *why)
{
    (void)xen, (void)why;
    fake.query.staged = 0;

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_crash_loaded(struct lu_xen *xen, bool *loaded, struct lu_kexec_why *why)
{
    (void)xen, (void)why;
    *loaded = false;

    return LU_KEXEC_OK;
}

/* ---- sub-commands ---- */

static void attempt(bool rehearsal)
{
    struct xen_liveupdate_result *r = &fake.result;

    r->attempts++;
    for (int i = 0; i < 16; i++)
        r->phase_ns[i] = -1;
    r->phase_ns[XEN_LIVEUPDATE_PHASE_save] = 10000000;
    if (fake.fails) {
        r->state = XEN_LIVEUPDATE_STATE_failed;
        r->error = EINVAL;
        r->phase = XEN_LIVEUPDATE_PHASE_save;
        r->domid = 1;
        strcpy(r->resource, "grant");
        strcpy(r->reason, "for a test");
    } else if (rehearsal) {
        r->state = XEN_LIVEUPDATE_STATE_rehearsed;
        r->pause_ns = 11000000;
    } else {
        fake.query.generation++;
        r->generation++;
        r->attempts = 0;
        r->state = XEN_LIVEUPDATE_STATE_done;
        r->pause_ns = 31000000;
        r->phase_ns[XEN_LIVEUPDATE_PHASE_plan] = 9000000;
        strcpy(r->from, fake.version);
        strcpy(fake.version, "4.17.6-new");
        strcpy(r->to, fake.version);
        fake.query.staged = 0;
        if (fake.on_execute)
            fake.on_execute();
    }
}

static void inventory(struct xen_liveupdate_inventory *i, void *buf)
{
    uint32_t room = i->nr;

    memcpy(buf, fake.domain,
           (room < fake.nr_domains ? room : fake.nr_domains) * sizeof(fake.domain[0]));
    i->nr = fake.nr_domains;
    i->nr_cpus = 2;
    i->total_pages = 786432;
    i->boot_ns = fake.boot_ns;
    i->free_pages = 100000;
    i->needed_pages = 30000;
}

enum lu_kexec_error lu_xen_liveupdate(struct lu_xen *xen, struct xen_liveupdate *op, void *buf,
                                      size_t size, struct lu_kexec_why *why)
{
    (void)xen, (void)size;
    if (fake.error && op->op == (uint32_t)fake.fail_op) {
        lu_kexec_complain(why, LU_KEXEC_HYPERCALL, "Xen refused: %s", strerror(fake.error));
        why->errnum = fake.error;
        return LU_KEXEC_HYPERCALL;
    }

    switch (op->op) {
    case XEN_LIVEUPDATE_query: op->u.query = fake.query; break;
    case XEN_LIVEUPDATE_result: op->u.result = fake.result; break;
    case XEN_LIVEUPDATE_check: op->u.check.nr = 0; break;
    case XEN_LIVEUPDATE_inventory: inventory(&op->u.inventory, buf); break;
    case XEN_LIVEUPDATE_execute: attempt(false); break;
    case XEN_LIVEUPDATE_rehearse: attempt(true); break;
    default: break;
    }

    return LU_KEXEC_OK;
}
