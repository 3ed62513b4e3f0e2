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
                                    size_t size, struct xenlu_domain **domains, size_t domain_size,
                                    struct xenlu_error *err)
{
    struct xenlu_inventory inv = {0};
    struct xen_liveupdate_domain *list;
    struct xen_liveupdate op;
    enum xenlu_code code = ask(lu, &op, &list, err);
    char *to = NULL;

    if (!code) {
        to = calloc(op.u.inventory.nr + 1, domain_size);
        if (!to)
            code = xenlu_fail(err, XENLU_NO_MEMORY, ENOMEM, "", "no memory");
    }
    if (!code)
        inv = (struct xenlu_inventory){
            .nr_domains = op.u.inventory.nr,
            .nr_cpus = op.u.inventory.nr_cpus,
            .total_pages = op.u.inventory.total_pages,
            .free_pages = op.u.inventory.free_pages,
            .needed_pages = op.u.inventory.needed_pages,
            .boot_ns = op.u.inventory.boot_ns,
        };
    for (uint32_t i = 0; i < inv.nr_domains; i++) {
        struct xenlu_domain d = {
            .domid = list[i].domid,
            .flags = list[i].flags,
            .nr_vcpus = list[i].nr_vcpus,
            .nr_online = list[i].nr_online,
            .pages = list[i].tot_pages,
            .max_pages = list[i].max_pages,
        };

        memcpy(d.handle, list[i].handle, sizeof(d.handle));
        xenlu_give(to + i * domain_size, domain_size, &d, sizeof(d));
    }
    free(list);
    xenlu_give(inventory, size, &inv, sizeof(inv));
    *domains = (struct xenlu_domain *)to;

    return code;
}
