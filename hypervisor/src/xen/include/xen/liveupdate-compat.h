/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: what differs from one release of Xen to another.  Here, and in
 * asm/liveupdate-compat.h, and nowhere else: the rest of the code is written for
 * the newest release that it is built for.
 */
#ifndef __XEN_LIVEUPDATE_COMPAT_H__
#define __XEN_LIVEUPDATE_COMPAT_H__

#include <xen/compile.h>

/* 4.17 is 417. */
#define LIVEUPDATE_XEN (XEN_VERSION * 100 + XEN_SUBVERSION)

#if LIVEUPDATE_XEN >= 419
#include <xen/bug.h>
#else
#include <xen/lib.h>
#endif

#if LIVEUPDATE_XEN < 418
#define mfn_to_nid(mfn) phys_to_nid(mfn_to_maddr(mfn))
#define page_to_nid(pg) mfn_to_nid(page_to_mfn(pg))
#endif

/* Recursive locks became a type of their own. */
#if LIVEUPDATE_XEN < 419
#define rspin_is_locked(lock)   spin_is_locked(lock)
#define nrspin_lock_irq(lock)   spin_lock_irq(lock)
#define nrspin_unlock_irq(lock) spin_unlock_irq(lock)
#endif

/* By any CPU: what Xen has for this knows of a recursive lock that this CPU holds. */
#define liveupdate_rspin_is_held(lock) \
    ((lock)->tickets.head != (lock)->tickets.tail)

/* Xenstore tells domains by it. */
#if LIVEUPDATE_XEN >= 420
#define liveupdate_unique_id(d) ((d)->unique_id)
#define liveupdate_set_unique_id(d, id) ((d)->unique_id = (id) ?: (d)->unique_id)
#else
#define liveupdate_unique_id(d) 0
#define liveupdate_set_unique_id(d, id) ((void)(id))
#endif

/* Whose frame a grant is of: of a domain that is further away, if transitive. */
#if LIVEUPDATE_XEN >= 418
#define liveupdate_grant_src(act)       ((act)->src_domid)
#define liveupdate_set_grant_src(act, d) ((act)->src_domid = (d)->domain_id)
#else
#define liveupdate_grant_src(act)       ((act)->trans_domain->domain_id)
#define liveupdate_set_grant_src(act, d) ((act)->trans_domain = (d))
#endif

#endif /* __XEN_LIVEUPDATE_COMPAT_H__ */
