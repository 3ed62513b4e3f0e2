/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The manifest: what the host has that an update must leave there.
 *
 * Domains come from Xen, their names from xenstore, devices from dom0's kernel.
 * Taken before an update and after it; whatever was there before has to be there
 * after it, in the same state.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <xenstore.h>

#include <xen-liveupdate/stream.h>

#include "record.h"

/* ---- host ---- */

/* The first line of a file, "" if there is none; 0 or an errno. */
static int read_line(const char *path, char *text, size_t size)
{
    FILE *f = fopen(path, "r");
    int rc = 0;

    text[0] = '\0';
    if (!f)
        return errno == ENOENT ? 0 : errno;
    if (!fgets(text, size, f)) {
        rc = ferror(f) ? errno : 0;
        text[0] = '\0';
    }
    text[strcspn(text, "\n")] = '\0';
    fclose(f);

    return rc;
}

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static int take_host(Lu__Manifest *m, const struct xenlu_status *s, const struct xenlu_result *r,
                     const struct xenlu_inventory *inv, struct record_why *why)
{
    Lu__Host *h = record_alloc(sizeof(*h));
    struct utsname name;
    char text[64];
    int rc;

    lu__host__init(h);
    m->host = h;
    /* Without it the next boot could not be told from this one. */
    rc = read_line(BOOT_ID, text, sizeof(text));
    if (rc)
        return record_fail(why, rc, BOOT_ID ": %s", strerror(rc));
    h->boot_id = record_text(text);
    h->version = record_text(s->version);
    h->changeset = record_text(s->changeset);
    h->build_id = record_text(s->build_id);
    h->generation = s->generation;
    h->attempts = r->attempts;
    h->cpus = inv->nr_cpus;
    h->total_pages = inv->total_pages;
    h->free_pages = inv->free_pages;
    h->needed_pages = inv->needed_pages;
    h->kernel = record_text(uname(&name) ? "" : name.release);
    h->boot_ns = inv->boot_ns;
    h->crash_kernel = s->crash_loaded;

    return 0;
}

/* ---- domains ---- */

/* Who asks only the socket of xenstored never waits for one that is not there. */
static char *domain_name(struct xs_handle *xs, uint32_t domid)
{
    char path[64], *name = NULL, *text;

    snprintf(path, sizeof(path), "/local/domain/%u/name", domid);
    if (xs)
        name = xs_read(xs, XBT_NULL, path, NULL);
    text = record_text(name ? name : "");
    free(name);

    return text;
}

uint32_t manifest_digest(const Lu__Domain *d)
{
    uint64_t facts[] = {d->domid, d->vcpus, d->max_pages, d->hvm};
    uint32_t crc = lu_crc32c(0, facts, sizeof(facts));

    return lu_crc32c(crc, d->handle.data, d->handle.len);
}

static Lu__Domain *take_domain(const struct xenlu_domain *from, struct xs_handle *xs)
{
    Lu__Domain *d = record_alloc(sizeof(*d));

    lu__domain__init(d);
    d->domid = from->domid;
    d->handle.len = sizeof(from->handle);
    d->handle.data = record_alloc(sizeof(from->handle));
    memcpy(d->handle.data, from->handle, sizeof(from->handle));
    d->name = domain_name(xs, from->domid);
    d->vcpus = from->nr_vcpus;
    d->online = from->nr_online;
    d->pages = from->pages;
    d->max_pages = from->max_pages;
    d->hvm = from->flags & XENLU_DOMAIN_HVM;
    d->paused = from->flags & XENLU_DOMAIN_PAUSED;
    d->shutdown = from->flags & XENLU_DOMAIN_SHUTDOWN;
    d->dying = from->flags & XENLU_DOMAIN_DYING;
    d->ended = from->flags & XENLU_DOMAIN_ENDED;
    d->digest = manifest_digest(d);

    return d;
}

static void take_domains(Lu__Manifest *m, const struct xenlu_domain *list, uint32_t nr)
{
    struct xs_handle *xs = xs_open(XS_OPEN_SOCKETONLY);

    m->domains = record_alloc(nr * sizeof(*m->domains) + 1);
    m->n_domains = nr;
    for (uint32_t i = 0; i < nr; i++) {
        m->domains[i] = take_domain(&list[i], xs);
        m->digest = lu_crc32c(m->digest, &m->domains[i]->digest, sizeof(m->domains[i]->digest));
    }
    if (xs)
        xs_close(xs);
}

/* ---- devices ---- */

uint32_t manifest_back_end_domid(const char *name)
{
    const char *dash = strchr(name, '-');

    return dash ? strtoul(dash + 1, NULL, 10) : 0;
}

/* What is gone meanwhile has nothing to say; what cannot be read is not taken for that. */
static int take_device(Lu__Manifest *m, const char *bus, const char *name)
{
    char path[PATH_MAX], target[PATH_MAX], state[64];
    Lu__Device *d = record_alloc(sizeof(*d));
    ssize_t n;
    int rc;

    lu__device__init(d);
    m->devices[m->n_devices++] = d;
    d->bus = record_text(bus);
    d->name = record_text(name);
    if (strcmp(bus, "pci"))
        d->domid = manifest_back_end_domid(name);

    snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/driver", bus, name);
    n = readlink(path, target, sizeof(target) - 1);
    if (n < 0 && errno != ENOENT)
        return errno;
    target[n > 0 ? n : 0] = '\0';
    d->driver = record_text(strrchr(target, '/') ? strrchr(target, '/') + 1 : "");

    snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s/state", bus, name);
    rc = read_line(path, state, sizeof(state));
    d->state = record_text(state);

    return rc == ENODEV ? 0 : rc;
}

/* A host without that bus has none of its devices. */
static int take_devices(Lu__Manifest *m, const char *bus, struct record_why *why)
{
    char path[PATH_MAX];
    struct dirent **names;
    int nr, rc = 0;

    snprintf(path, sizeof(path), "/sys/bus/%s/devices", bus);
    nr = scandir(path, &names, NULL, alphasort);
    if (nr < 0)
        return errno == ENOENT ? 0 : record_fail(why, errno, "%s: %s", path, strerror(errno));

    m->devices = realloc(m->devices, (m->n_devices + nr) * sizeof(*m->devices) + 1);
    if (!m->devices)
        abort();
    for (int i = 0; i < nr; i++) {
        if (!rc && names[i]->d_name[0] != '.') {
            rc = take_device(m, bus, names[i]->d_name);
            if (rc)
                record_fail(why, rc, "%s/%s: %s", path, names[i]->d_name, strerror(rc));
        }
        free(names[i]);
    }
    free(names);

    return rc;
}

int manifest_take(struct xenlu *lu, Lu__Manifest **manifest, struct record_why *why)
{
    struct xenlu_inventory inv;
    struct xenlu_domain *list;
    struct xenlu_status status;
    struct xenlu_result result;
    struct xenlu_error err;
    Lu__Manifest *m;
    int rc;

    *manifest = NULL;
    if (xenlu_get_status(lu, &status, sizeof(status), &err) ||
        xenlu_get_result(lu, &result, sizeof(result), &err) ||
        xenlu_get_inventory(lu, &inv, sizeof(inv), &list, sizeof(*list), &err))
        return record_fail(why, err.errnum ? err.errnum : EIO, "%s", err.message);

    m = record_alloc(sizeof(*m));
    lu__manifest__init(m);
    m->time_ns = record_now();
    rc = take_host(m, &status, &result, &inv, why);
    take_domains(m, list, inv.nr_domains);
    if (!rc)
        rc = take_devices(m, "pci", why);
    if (!rc)
        rc = take_devices(m, "xen-backend", why);
    free(list);
    if (rc)
        lu__manifest__free_unpacked(m, NULL);
    else
        *manifest = m;

    return rc;
}

/* ---- comparison ---- */

static void add_text(char ***list, size_t *nr, const char *text)
{
    *list = realloc(*list, (*nr + 1) * sizeof(**list));
    if (!*list)
        abort();
    (*list)[(*nr)++] = record_text(text);
}

static void lose(Lu__End *end, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void lose(Lu__End *end, const char *fmt, ...)
{
    char text[256];
    va_list args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    add_text(&end->missing, &end->n_missing, text);
}

static const Lu__Domain *find_domain(const Lu__Manifest *m, uint32_t domid)
{
    for (size_t i = 0; i < m->n_domains; i++)
        if (m->domains[i]->domid == domid)
            return m->domains[i];

    return NULL;
}

static const Lu__Device *find_device(const Lu__Manifest *m, const Lu__Device *as)
{
    for (size_t i = 0; i < m->n_devices; i++)
        if (!strcmp(m->devices[i]->bus, as->bus) && !strcmp(m->devices[i]->name, as->name))
            return m->devices[i];

    return NULL;
}

void manifest_name(const Lu__Manifest *m, uint32_t domid, char *text, size_t size)
{
    const Lu__Domain *d = find_domain(m, domid);

    if (d && d->name[0])
        snprintf(text, size, "domain %u (%s)", domid, d->name);
    else
        snprintf(text, size, "domain %u", domid);
}

uint64_t manifest_pages(const Lu__Manifest *m)
{
    uint64_t pages = 0;

    for (size_t i = 0; i < m->n_domains; i++)
        pages += m->domains[i]->pages;

    return pages;
}

static void compare_domain(const Lu__Manifest *before, const Lu__Domain *b, const Lu__Domain *a,
                           Lu__End *l)
{
    char who[128];

    manifest_name(before, b->domid, who, sizeof(who));
    if (!a)
        return lose(l, "%s is gone", who);
    if (a->handle.len != b->handle.len || memcmp(a->handle.data, b->handle.data, b->handle.len))
        return lose(l, "%s is another one: its UUID differs", who);
    /* One that was being built has neither at first. */
    if (b->vcpus && a->vcpus != b->vcpus)
        lose(l, "%s has %u vCPUs in place of %u", who, a->vcpus, b->vcpus);
    if (b->max_pages && a->max_pages != b->max_pages)
        lose(l, "%s may have %llu pages in place of %llu", who, (unsigned long long)a->max_pages,
             (unsigned long long)b->max_pages);
    if (a->hvm != b->hvm)
        lose(l, "%s is of another type", who);
    if (a->dying && !b->dying)
        lose(l, "%s is being destroyed", who);
    if (a->shutdown && !b->shutdown)
        lose(l, "%s has shut down or crashed", who);
}

static void compare_device(const Lu__Device *b, const Lu__Device *a, Lu__End *l)
{
    char who[128];

    snprintf(who, sizeof(who), "domain %u: %s device %.64s", b->domid, b->bus, b->name);
    if (!a)
        lose(l, "%s is gone", who);
    else if (strcmp(a->driver, b->driver))
        lose(l, "%s has driver \"%s\" in place of \"%s\"", who, a->driver, b->driver);
    else if (!strcmp(b->state, "Connected") && strcmp(a->state, b->state))
        lose(l, "%s is no longer connected (%s)", who, a->state);
}

/* What a domain that has shut down by itself had is not missing either. */
static bool has_left(const Lu__Manifest *before, const Lu__Manifest *after, uint32_t domid,
                     const struct domids *ended)
{
    const Lu__Domain *b = find_domain(before, domid), *a = find_domain(after, domid);

    if (!b || b->shutdown || b->dying)
        return false;
    if (a)
        return a->ended && !memcmp(a->handle.data, b->handle.data, b->handle.len);
    for (size_t i = 0; i < ended->nr; i++)
        if (ended->domid[i] == domid)
            return true;

    return false;
}

void manifest_compare(const Lu__Manifest *before, const Lu__Manifest *after,
                      const struct domids *ended, Lu__End *end)
{
    char who[128], text[160];

    if (strcmp(before->host->boot_id, after->host->boot_id))
        lose(end, "domain 0 was booted anew");
    for (size_t i = 0; i < before->n_domains; i++) {
        uint32_t domid = before->domains[i]->domid;

        if (has_left(before, after, domid, ended)) {
            manifest_name(before, domid, who, sizeof(who));
            snprintf(text, sizeof(text), "%s has shut down by itself", who);
            add_text(&end->left, &end->n_left, text);
        } else {
            compare_domain(before, before->domains[i], find_domain(after, domid), end);
        }
    }
    for (size_t i = 0; i < before->n_devices; i++)
        if (!has_left(before, after, before->devices[i]->domid, ended))
            compare_device(before->devices[i], find_device(after, before->devices[i]), end);
}

void manifest_note_ended(const struct xenlu_domain *list, uint32_t nr, struct domids *ended)
{
    for (uint32_t i = 0; i < nr; i++) {
        size_t at = 0;

        while (at < ended->nr && ended->domid[at] != list[i].domid)
            at++;
        if (!(list[i].flags & XENLU_DOMAIN_ENDED) || at < ended->nr)
            continue;
        ended->domid = realloc(ended->domid, (at + 1) * sizeof(*ended->domid));
        if (!ended->domid)
            abort();
        ended->domid[at] = list[i].domid;
        ended->nr++;
    }
}
