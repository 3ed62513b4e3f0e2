/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: hooks of what the hardware domain tells of power states
 * (arch/x86/liveupdate/power.c).
 */
#ifndef __ASM_X86_LIVEUPDATE_POWER_H__
#define __ASM_X86_LIVEUPDATE_POWER_H__

#include <xen/guest_access.h>
#include <xen/liveupdate.h>
#include <public/platform.h>

#ifdef CONFIG_LIVEUPDATE

/* XENPF_set_processor_pminfo succeeded. */
void liveupdate_note_pminfo(const struct xenpf_set_processor_pminfo *info);

/* State @i, or the first @nr, from the hardware domain or the stream. */
int liveupdate_copy_cx(struct xen_processor_cx *to,
                       XEN_GUEST_HANDLE(xen_processor_cx_t) from,
                       unsigned int i);
int liveupdate_copy_px(struct xen_processor_px *to,
                       XEN_GUEST_HANDLE(xen_processor_px_t) from,
                       unsigned int nr);

#else /* !CONFIG_LIVEUPDATE */

static inline void liveupdate_note_pminfo(
    const struct xenpf_set_processor_pminfo *info) {}
#define liveupdate_copy_cx(to, from, i)  copy_from_guest_offset(to, from, i, 1)
#define liveupdate_copy_px(to, from, nr) copy_from_guest(to, from, nr)

#endif

#endif /* __ASM_X86_LIVEUPDATE_POWER_H__ */
