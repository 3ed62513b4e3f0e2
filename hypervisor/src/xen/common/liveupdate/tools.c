/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: tools of another release than this Xen's.
 *
 * What runs in the control domains goes on over an update: xenstored, which looks
 * at each domain whenever one dies, xenconsoled, the xl that waits for the end of
 * its domain.  Their domctls are those of the release that they were built for;
 * were these refused, xenstored would take all domains for dead, and drop what it
 * has of them.  So the version of the source, and those that it answered itself,
 * are answered on, besides this Xen's own.
 *
 * From 4.17 to 4.20 (public/domctl.h, versions 0x15 to 0x17) two differ for x86:
 * createdomain got altp2m_opts, in the middle (4.19); getdomaininfo of a domain
 * that does not exist was answered with the next one that does (up to 4.17).
 * Sysctls have one version in all of these, as have platform operations.
 *
 * Carried: nothing; HOST has which releases these are ("host").
 */

#include <xen/errno.h>
#include <xen/lib.h>
#include <xen/liveupdate-compat.h>
#include <xen/liveupdate-core.h>
#include <xen/rcupdate.h>
#include <xen/sched.h>
#include <xen/string.h>

#include <public/domctl.h>

#define VERSION_4_17 0x15U
#define VERSION_4_18 0x16U
#define VERSION_4_20 0x17U /* and 4.19 */

#define LU_HAS_TOOLS \
    (LU_HAS_TOOLS_4_17 | LU_HAS_TOOLS_4_18 | LU_HAS_TOOLS_4_20)

/* Where createdomain has, or would have, altp2m_opts. */
#define ALTP2M_SIZE sizeof(uint32_t)
#define ALTP2M_AT                                           \
    (offsetof(struct xen_domctl_createdomain, vmtrace_size) - \
     (has_altp2m(XEN_DOMCTL_INTERFACE_VERSION) ? ALTP2M_SIZE : 0))
#define BEHIND_ALTP2M                          \
    (sizeof(struct xen_domctl_createdomain) - \
     offsetof(struct xen_domctl_createdomain, vmtrace_size))

static uint32_t tools_of(uint32_t version)
{
    switch ( version )
    {
    case VERSION_4_17: return LU_HAS_TOOLS_4_17;
    case VERSION_4_18: return LU_HAS_TOOLS_4_18;
    case VERSION_4_20: return LU_HAS_TOOLS_4_20;
    default: return 0;
    }
}

/* Those of the Xens that this one came after. */
static uint32_t __ro_after_init older_tools;

uint32_t liveupdate_tools(void)
{
    return older_tools | tools_of(XEN_DOMCTL_INTERFACE_VERSION);
}

void __init liveupdate_set_tools(uint32_t tools)
{
    BUILD_BUG_ON(XEN_DOMCTL_INTERFACE_VERSION < VERSION_4_17 ||
                 XEN_DOMCTL_INTERFACE_VERSION > VERSION_4_20);

    older_tools = tools & liveupdate_features & LU_HAS_TOOLS;
}

static bool has_altp2m(uint32_t version)
{
    return version >= VERSION_4_20;
}

/* From the layout of version @from to that of @to. */
static int convert_createdomain(struct xen_domctl *op, uint32_t from, uint32_t to)
{
    char *opts = (char *)&op->u.createdomain + ALTP2M_AT;

    BUILD_BUG_ON(sizeof(struct xen_domctl_createdomain) + ALTP2M_SIZE >
                 sizeof(op->u));

    if ( has_altp2m(to) && !has_altp2m(from) )
    {
        memmove(opts + ALTP2M_SIZE, opts, BEHIND_ALTP2M);
        memset(opts, 0, ALTP2M_SIZE);
    }
    else if ( has_altp2m(from) && !has_altp2m(to) )
    {
        uint32_t wanted;

        memcpy(&wanted, opts, sizeof(wanted));
        if ( wanted )
            return -EOPNOTSUPP;
        memmove(opts, opts + ALTP2M_SIZE, BEHIND_ALTP2M);
    }

    return 0;
}

/* Either the one that was asked for, or the next one, as @op->interface_version has it. */
static int convert_getdomaininfo(struct xen_domctl *op)
{
    const struct domain *d;
    int rc = -ESRCH;

    rcu_read_lock(&domlist_read_lock);
    for_each_domain ( d )
        if ( d->domain_id >= op->domain )
        {
            if ( d->domain_id == op->domain ||
                 op->interface_version == VERSION_4_17 )
            {
                op->domain = d->domain_id;
                rc = 0;
            }
            break;
        }
    rcu_read_unlock(&domlist_read_lock);

    return rc;
}

int liveupdate_domctl(struct xen_domctl *op)
{
    if ( op->interface_version == XEN_DOMCTL_INTERFACE_VERSION )
        return 0;
    if ( !(liveupdate_tools() & tools_of(op->interface_version)) )
        return -EACCES;

    switch ( op->cmd )
    {
    case XEN_DOMCTL_createdomain:
        return convert_createdomain(op, op->interface_version,
                                    XEN_DOMCTL_INTERFACE_VERSION);

    case XEN_DOMCTL_getdomaininfo:
        return convert_getdomaininfo(op);
    }

    return 0;
}

void liveupdate_domctl_done(struct xen_domctl *op)
{
    if ( op->interface_version != XEN_DOMCTL_INTERFACE_VERSION &&
         op->cmd == XEN_DOMCTL_createdomain &&
         convert_createdomain(op, XEN_DOMCTL_INTERFACE_VERSION,
                              op->interface_version) )
        ASSERT_UNREACHABLE();
}
