/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A Xen for unit tests: see fake_xen.h.
 */

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "fake_xen.h"
#include "lu-kexec.h"

struct fake_xen *fake_xen;

/* Sub-commands that each stage of an attempt lasts. */
#define STAGE_CALLS 6

void fake_reset(uint32_t nr)
{
    if (!fake_xen)
        fake_xen =
            mmap(NULL, sizeof(fake), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (fake_xen == MAP_FAILED)
        abort();
    memset(fake_xen, 0, sizeof(fake));
    strcpy(fake.version, "4.17.5-old");
    strcpy(fake.next_version, "4.17.6-new");
    strcpy(fake.build_id, "0123abcd");
    fake.free_pages = 100000;
    fake.needed_pages = 30000;
    fake.nr_domains = nr;
    fake.nr_cpus = 2;
    fake.query.caps = XEN_LIVEUPDATE_CAP_REHEARSE | XEN_LIVEUPDATE_CAP_TARGET;
    fake.query.features = FAKE_FEATURES;
    fake.query.format = 1;
    fake.query.format_oldest = 1;
    fake.query.nr_slots = 2;
    fake.query.region_start = 0x40000000;
    fake.query.region_size = 64u << 20;
    fake.query.slot_start = 0x42000000;
    fake.query.slot_size = 32u << 20;
    fake.query.nr_resources = 3;
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

void fake_refuse(uint32_t domid, int error, const char *resource, const char *reason)
{
    struct xen_liveupdate_refusal *r = &fake.refusal[fake.nr_refusals++];

    r->domid = domid;
    r->error = error;
    snprintf(r->resource, sizeof(r->resource), "%s", resource);
    snprintf(r->reason, sizeof(r->reason), "%s", reason);
}

enum lu_kexec_error lu_xen_open(struct lu_xen **xen, struct lu_kexec_why *why)
{
    if (fake.open_error) {
        lu_kexec_complain(why, LU_KEXEC_NO_XEN, "no hypercalls from here");
        why->errnum = fake.open_error;
        return LU_KEXEC_NO_XEN;
    }
    *xen = (struct lu_xen *)fake_xen;

    return LU_KEXEC_OK;
}

void lu_xen_close(struct lu_xen *xen)
{
    (void)xen;
}

/* What the test has for a hypercall that is no live update's. */
static enum lu_kexec_error called(struct lu_kexec_why *why)
{
    int error = fake.on_call ? fake.on_call() : 0;

    if (!error)
        return LU_KEXEC_OK;
    lu_kexec_complain(why, LU_KEXEC_HYPERCALL, "Xen refused: %s", strerror(error));
    why->errnum = error;

    return LU_KEXEC_HYPERCALL;
}

enum lu_kexec_error lu_xen_version(struct lu_xen *xen, char version[64], char changeset[64],
                                   struct lu_kexec_why *why)
{
    (void)xen;
    if (called(why))
        return LU_KEXEC_HYPERCALL;
    snprintf(version, 64, "%s", fake.version);
    snprintf(changeset, 64, "set-%.50s", fake.version);

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_cmdline(struct lu_xen *xen, char cmdline[LU_CMDLINE_MAX],
                                   struct lu_kexec_why *why)
{
    (void)xen;
    if (called(why))
        return LU_KEXEC_HYPERCALL;
    strcpy(cmdline, "liveupdate=64M");

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_translated(struct lu_xen *xen, bool *translated,
                                      struct lu_kexec_why *why)
{
    (void)xen;
    if (called(why))
        return LU_KEXEC_HYPERCALL;
    *translated = fake.pvh_dom0;

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_build_id(struct lu_xen *xen, char build_id[LU_BUILD_ID_TEXT],
                                    struct lu_kexec_why *why)
{
    (void)xen;
    if (called(why))
        return LU_KEXEC_HYPERCALL;
    strcpy(build_id, fake.build_id);

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_memory_map(struct lu_xen *xen, struct lu_memory_range **map,
                                      unsigned int *nr, struct lu_kexec_why *why)
{
    (void)xen;
    if (called(why))
        return LU_KEXEC_HYPERCALL;
    *map = calloc(2, sizeof(**map));
    (*map)[0] = (struct lu_memory_range){0, 0x9f000, LU_MEMORY_RAM};
    (*map)[1] = (struct lu_memory_range){0x100000, 0xbff00000, LU_MEMORY_RAM};
    *nr = 2;

    return LU_KEXEC_OK;
}

/* What the notes in the image say; returns the features. */
static uint32_t read_image(const struct lu_segment *s)
{
    static const Elf32_Nhdr gnu = {sizeof(ELF_NOTE_GNU), 20, NT_GNU_BUILD_ID};
    const uint8_t *name = memmem(s->buf, s->buf_size, LU_NOTE_NAME, sizeof(LU_NOTE_NAME));
    const uint8_t *id = memmem(s->buf, s->buf_size, &gnu, sizeof(gnu));
    struct lu_note note;

    if (!name)
        return 0;
    memcpy(&note, name + ((sizeof(LU_NOTE_NAME) + 3) & ~3u), sizeof(note));
    snprintf(fake.staged_version, sizeof(fake.staged_version), "%.63s", note.version);
    if (id)
        lu_build_id_text(fake.staged_build_id, id + sizeof(gnu) + sizeof(ELF_NOTE_GNU),
                         gnu.n_descsz);

    return note.flags;
}

enum lu_kexec_error lu_xen_load(struct lu_xen *xen, const struct lu_plan *plan,
                                struct lu_kexec_why *why)
{
    uint32_t features;

    (void)xen;
    if (called(why))
        return LU_KEXEC_HYPERCALL;
    features = read_image(&plan->segment[LU_PLAN_XEN]);
    if (fake.query.caps & XEN_LIVEUPDATE_CAP_TARGET)
        fake.query.staged_features = features;
    fake.loads++;
    fake.query.staged = 1;
    if (fake.on_load)
        fake.on_load();

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_unload(struct lu_xen *xen, struct lu_kexec_why *why)
{
    (void)xen;
    if (called(why))
        return LU_KEXEC_HYPERCALL;
    fake.unloads++;
    fake.query.staged = fake.query.staged_features = 0;

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_xen_crash_loaded(struct lu_xen *xen, bool *loaded, struct lu_kexec_why *why)
{
    (void)xen;
    if (called(why))
        return LU_KEXEC_HYPERCALL;
    *loaded = fake.crash_loaded;

    return LU_KEXEC_OK;
}

/* ---- an attempt ---- */

static void outcome(bool rehearsal)
{
    struct xen_liveupdate_result *r = &fake.result;

    r->attempts++;
    for (int i = 0; i < 16; i++)
        r->phase_ns[i] = -1;
    r->phase_ns[XEN_LIVEUPDATE_PHASE_save] = 10000000;
    r->stream_bytes = 4096;
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
    } else if (fake.returns) {
        r->state = XEN_LIVEUPDATE_STATE_returned;
        r->error = ENOMEM;
        r->phase = XEN_LIVEUPDATE_PHASE_plan;
        r->domid = 1;
        strcpy(r->resource, "p2m");
        strcpy(r->reason, "the target has had enough");
        r->pause_ns = 52000000;
        fake.staged_build_id[0] = fake.staged_version[0] = '\0';
        fake.query.staged = fake.query.staged_features = 0;
    } else {
        fake.query.generation++;
        r->generation++;
        r->attempts = 0;
        r->state = XEN_LIVEUPDATE_STATE_done;
        r->pause_ns = 31000000;
        r->phase_ns[XEN_LIVEUPDATE_PHASE_plan] = 9000000;
        strcpy(r->from, fake.version);
        strcpy(fake.version, fake.next_version);
        strcpy(r->to, fake.version);
        if (fake.staged_build_id[0])
            strcpy(fake.build_id, fake.staged_build_id);
        fake.staged_build_id[0] = fake.staged_version[0] = '\0';
        fake.query.features = fake.query.staged_features;
        fake.query.staged = fake.query.staged_features = 0;
        fake.crash_loaded = false;
    }
}

static void enter(enum fake_stage stage)
{
    static const uint32_t phases[] = {
        [FAKE_IDLE] = XEN_LIVEUPDATE_PHASE_idle,     [FAKE_SCHEDULED] = XEN_LIVEUPDATE_PHASE_stage,
        [FAKE_CHECK] = XEN_LIVEUPDATE_PHASE_check,   [FAKE_SAVE] = XEN_LIVEUPDATE_PHASE_save,
        [FAKE_SETTLE] = XEN_LIVEUPDATE_PHASE_settle,
    };

    fake.stage = stage;
    fake.asked = 0;
    fake.query.phase = phases[stage];
    if (stage == FAKE_SCHEDULED)
        fake.result.state = XEN_LIVEUPDATE_STATE_scheduled;
    if (stage == FAKE_CHECK || stage == FAKE_SAVE)
        fake.result.state = XEN_LIVEUPDATE_STATE_running;
    if (fake.on_stage)
        fake.on_stage(stage);
}

/* Somebody has looked. */
static void go_on(void)
{
    bool rehearsal = fake.op == XEN_LIVEUPDATE_rehearse;

    if (fake.stage == FAKE_IDLE || fake.stage == fake.stuck || ++fake.asked < STAGE_CALLS)
        return;
    if (fake.stage == FAKE_SAVE)
        outcome(rehearsal);
    if (fake.stage == FAKE_SETTLE ||
        (fake.stage == FAKE_SAVE && (rehearsal || fake.fails || fake.returns)))
        enter(FAKE_IDLE);
    else
        enter(fake.stage + 1);
}

static int attempt(uint32_t op)
{
    if (op == XEN_LIVEUPDATE_execute && !fake.query.nr_slots)
        return ENODEV;
    if (fake.stage != FAKE_IDLE)
        return EBUSY;
    if (op == XEN_LIVEUPDATE_execute && !fake.query.staged)
        return ENOENT;
    fake.op = op;
    enter(FAKE_SCHEDULED);

    return 0;
}

static int take_back(void)
{
    if (fake.stage == FAKE_CHECK || fake.stage == FAKE_SAVE)
        return EBUSY;
    if (fake.stage != FAKE_SCHEDULED)
        return ENOENT;
    fake.result.state = XEN_LIVEUPDATE_STATE_failed;
    fake.result.error = EINTR;
    fake.result.attempts++;
    strcpy(fake.result.reason, "taken back before it began");
    enter(FAKE_IDLE);

    return 0;
}

/* ---- sub-commands ---- */

/* @flags of the sub-command: for which target. */
static int check(struct xen_liveupdate_check *c, uint32_t flags, void *buf)
{
    bool told = flags & XEN_LIVEUPDATE_CHECK_TARGET;
    uint32_t has = told ? c->features : fake.query.staged_features;
    uint32_t nr = fake.nr_refusals, room;

    if (told && !(fake.query.caps & XEN_LIVEUPDATE_CAP_TARGET))
        return EINVAL;
    if ((has & LU_HAS_KNOWN) && (fake.needs & ~has))
        fake_refuse(fake.needs_domid, EOPNOTSUPP, "target", "the target is built without its need");
    room = c->nr < fake.nr_refusals ? c->nr : fake.nr_refusals;
    memcpy(buf, fake.refusal, room * sizeof(fake.refusal[0]));
    c->nr = fake.nr_refusals;
    fake.nr_refusals = nr;

    return 0;
}

static int read_stream(struct xen_liveupdate_read *r, void *buf)
{
    if (!fake.stream_len)
        return ENODATA;
    if (r->offset > fake.stream_len)
        return EINVAL;
    if (r->length > fake.stream_len - r->offset)
        r->length = fake.stream_len - r->offset;
    r->total = fake.stream_len;
    memcpy(buf, fake.stream + r->offset, r->length);

    return 0;
}

/* Only saving can fail, settling of the last resource, and a step of the target's boot, where it can hang, too. */
static int set_fault(struct xen_liveupdate_fault *f)
{
    static const char *const names[] = {"one", "two", "three"};

    if (!(fake.query.caps & XEN_LIVEUPDATE_CAP_FAULT))
        return EOPNOTSUPP;
    f->hit = fake.fault_hits;
    fake.fault_phase = fake.fault_resource = 0;
    if (!f->phase)
        return 0;
    if (f->resource >= fake.query.nr_resources)
        return ENOENT;
    strcpy(f->name, names[f->resource]);
    f->exists = f->phase == XEN_LIVEUPDATE_PHASE_save     ? f->resource != 0
                : f->phase == XEN_LIVEUPDATE_PHASE_settle ? f->resource == 2
                : (f->phase & ~XEN_LIVEUPDATE_FAULT_HANG) == XEN_LIVEUPDATE_PHASE_adopt
                    ? f->resource == 1
                    : 0;
    if (f->exists) {
        fake.fault_phase = f->phase;
        fake.fault_resource = f->resource;
    }

    return 0;
}

static void inventory(struct xen_liveupdate_inventory *i, void *buf)
{
    uint32_t room = i->nr;

    memcpy(buf, fake.domain,
           (room < fake.nr_domains ? room : fake.nr_domains) * sizeof(fake.domain[0]));
    i->nr = fake.nr_domains;
    i->nr_cpus = fake.nr_cpus;
    i->total_pages = 786432;
    i->boot_ns = fake.boot_ns;
    i->free_pages = fake.free_pages;
    i->needed_pages = fake.needed_pages;
}

static int run(struct xen_liveupdate *op, void *buf)
{
    if (fake.error && op->op == (uint32_t)fake.fail_op)
        return fake.error;

    switch (op->op) {
    case XEN_LIVEUPDATE_query: op->u.query = fake.query; return 0;
    case XEN_LIVEUPDATE_result: op->u.result = fake.result; return 0;
    case XEN_LIVEUPDATE_check: return check(&op->u.check, op->flags, buf);
    case XEN_LIVEUPDATE_inventory: inventory(&op->u.inventory, buf); return 0;
    case XEN_LIVEUPDATE_execute:
    case XEN_LIVEUPDATE_rehearse: return attempt(op->op);
    case XEN_LIVEUPDATE_abort: return take_back();
    case XEN_LIVEUPDATE_read: return read_stream(&op->u.read, buf);
    case XEN_LIVEUPDATE_fault: return set_fault(&op->u.fault);
    default: return EOPNOTSUPP;
    }
}

enum lu_kexec_error lu_xen_liveupdate(struct lu_xen *xen, struct xen_liveupdate *op, void *buf,
                                      size_t size, struct lu_kexec_why *why)
{
    int error;

    (void)xen, (void)size;
    go_on();
    fake.calls[op->op]++;
    error = fake.on_call ? fake.on_call() : 0;
    if (!error)
        error = run(op, buf);
    if (!error)
        return LU_KEXEC_OK;
    lu_kexec_complain(why, LU_KEXEC_HYPERCALL, "Xen refused: %s", strerror(error));
    why->errnum = error;

    return LU_KEXEC_HYPERCALL;
}
