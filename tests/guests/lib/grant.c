/* SPDX-License-Identifier: GPL-2.0-only */
/* Grants, as far as all kinds of guests have them in common. */
#include "internal.h"

/* One operation: the hypercall's error, or the operation's status. */
#define grant_op(name, op) (hypercall(grant_table_op, GNTTABOP_##name, (op), 1) ?: (op)->status)

long set_grant_version(unsigned int version)
{
    struct gnttab_set_version op = {.version = version};
    long rc = hypercall(grant_table_op, GNTTABOP_set_version, &op, 1);

    return rc ?: (op.version == version ? 0 : -1);
}

int map_grant(void *p, unsigned int domid, unsigned int ref, unsigned int flags,
              grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = {.host_addr = (uintptr_t)p,
                                      .flags = flags,
                                      .ref = ref,
                                      .dom = domid};
    int rc = grant_op(map_grant_ref, &op);

    *handle = op.handle;
    return rc;
}

int unmap_grant(void *p, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = {.host_addr = (uintptr_t)p, .handle = handle};

    return grant_op(unmap_grant_ref, &op);
}

int copy_grant(unsigned int ref, unsigned int offset, void *to, unsigned int bytes)
{
    struct gnttab_copy op = {
        .source = {.u.ref = ref, .domid = DOMID_SELF, .offset = offset},
        .dest = {.u.gmfn = gfn_of(to), .domid = DOMID_SELF, .offset = (uintptr_t)to & ~PAGE_MASK},
        .len = bytes,
        .flags = GNTCOPY_source_gref,
    };

    return grant_op(copy, &op);
}
