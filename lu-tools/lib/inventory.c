/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What there is to carry, as the running Xen tells it.
 */

#include <errno.h>
#include <stdlib.h>

#include "internal.h"

/* Domains that are asked for at first; asked again if there are more. */
#define DOMAINS_ROOM 64u

_Static_assert(XENLU_DOMAIN_HARDWARE == XEN_LIVEUPDATE_DOMAIN_HARDWARE, "flags");
_Static_assert(XENLU_DOMAIN_HVM == XEN_LIVEUPDATE_DOMAIN_HVM, "flags");
_Static_assert(XENLU_DOMAIN_PAUSED == XEN_LIVEUPDATE_DOMAIN_PAUSED, "flags");
_Static_assert(XENLU_DOMAIN_SHUTDOWN == XEN_LIVEUPDATE_DOMAIN_SHUTDOWN, "flags");
_Static_assert(XENLU_DOMAIN_DYING == XEN_LIVEUPDATE_DOMAIN_DYING, "flags");
_Static_assert(XENLU_DOMAIN_ENDED == XEN_LIVEUPDATE_DOMAIN_ENDED, "flags");

/* As many domains as there are, though more may come while one asks. */
static enum xenlu_code ask(struct xenlu *lu, struct xen_liveupdate *op,
                           struct xen_liveupdate_domain **list, struct xenlu_error *err)
{
    uint32_t room = DOMAINS_ROOM;
    struct xenlu_error own;
    enum xenlu_code code;

    for (;;) {
        *list = calloc(room, sizeof(**list));
        if (!*list)
            return xenlu_fail(err, XENLU_NO_MEMORY, ENOMEM, "", "no memory");
        *op = (struct xen_liveupdate){.op = XEN_LIVEUPDATE_inventory, .u.inventory.nr = room};
        code = xenlu_op(lu, op, *list, room * sizeof(**list), &own);
        if (!code && op->u.inventory.nr <= room)
            return XENLU_OK;
        free(*list);
        *list = NULL;
        if (code)
            break;
        room = op->u.inventory.nr + DOMAINS_ROOM;
    }

    if (code == XENLU_SYSTEM && (own.errnum == EOPNOTSUPP || own.errnum == EINVAL))
        return xenlu_fail(err, XENLU_UNSUPPORTED, own.errnum, "update to a newer build first",
                          "the running Xen does not list what there is to carry");
    if (err)
        *err = own;

    return code;
}

enum xenlu_code xenlu_get_inventory(struct xenlu *lu, struct xenlu_inventory *inventory,
                                    struct xenlu_domain **domains, struct xenlu_error *err)
{
    struct xen_liveupdate_domain *list;
    struct xen_liveupdate op;
    enum xenlu_code code = ask(lu, &op, &list, err);

    *inventory = (struct xenlu_inventory){0};
    *domains = NULL;
    if (code)
        return code;

    inventory->nr_domains = op.u.inventory.nr;
    inventory->nr_cpus = op.u.inventory.nr_cpus;
    inventory->total_pages = op.u.inventory.total_pages;
    inventory->free_pages = op.u.inventory.free_pages;
    inventory->needed_pages = op.u.inventory.needed_pages;
    inventory->boot_ns = op.u.inventory.boot_ns;

    *domains = calloc(inventory->nr_domains + 1, sizeof(**domains));
    if (!*domains) {
        free(list);
        return xenlu_fail(err, XENLU_NO_MEMORY, ENOMEM, "", "no memory");
    }
    for (uint32_t i = 0; i < inventory->nr_domains; i++) {
        struct xenlu_domain *d = &(*domains)[i];

        d->domid = list[i].domid;
        d->flags = list[i].flags;
        d->nr_vcpus = list[i].nr_vcpus;
        d->nr_online = list[i].nr_online;
        d->pages = list[i].tot_pages;
        d->max_pages = list[i].max_pages;
        memcpy(d->handle, list[i].handle, sizeof(d->handle));
    }
    free(list);

    return XENLU_OK;
}
