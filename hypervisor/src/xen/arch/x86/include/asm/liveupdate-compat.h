/* SPDX-License-Identifier: GPL-2.0-only */
/* Live update: what differs from one release of Xen to another on x86. */
#ifndef __ASM_X86_LIVEUPDATE_COMPAT_H__
#define __ASM_X86_LIVEUPDATE_COMPAT_H__

#include <xen/irq.h>
#include <xen/liveupdate-compat.h>

#if LIVEUPDATE_XEN >= 420
#include <asm/bootinfo.h>
#include <asm/trampoline.h>
#endif
#include <asm/setup.h>

#if LIVEUPDATE_XEN >= 420
#include <asm/genapic.h>
#include <asm/irq-vectors.h>
#else
#include <asm/mach-generic/mach_apic.h>
#include <irq_vectors.h>
#endif

/* @size bytes at @start, until liveupdate_bootstrap_unmap(). */
#if LIVEUPDATE_XEN >= 420
static inline void *liveupdate_bootstrap_map(paddr_t start, size_t size)
{
    const struct boot_module bm = { .start = start, .size = size };

    return bootstrap_map_bm(&bm);
}
#define liveupdate_bootstrap_unmap() bootstrap_unmap()
#else
static inline void *liveupdate_bootstrap_map(paddr_t start, size_t size)
{
    const module_t mod = { .mod_start = PFN_DOWN(start), .mod_end = size };

    return bootstrap_map(&mod);
}
#define liveupdate_bootstrap_unmap() bootstrap_map(NULL)
#endif

#include <public/arch-x86/cpuid.h>
#if LIVEUPDATE_XEN < 418
#define XEN_CPUID_TSC_MODE_ALWAYS_EMULATE TSC_MODE_ALWAYS_EMULATE
#endif

#if LIVEUPDATE_XEN < 419
#define APIC_DM_MASK APIC_MODE_MASK
#endif

/* A page of shadow page tables; no domain that is carried has any. */
#if LIVEUPDATE_XEN >= 418
#define PGC_page_table 0UL
#endif

/* The pool of page tables that Xen makes for a domain. */
#if LIVEUPDATE_XEN >= 418
#define liveupdate_pool(d) (&(d)->arch.paging)
#else
#define liveupdate_pool(d) (&(d)->arch.paging.hap)
#endif

#if LIVEUPDATE_XEN < 419
#define xstate_uncompressed_size(xcr0) xstate_ctxt_size(xcr0)
#endif

/* I/O ports that a PV guest's bitmap is about. */
#if LIVEUPDATE_XEN < 419
#define iobmp_nr iobmp_limit
#endif

#if LIVEUPDATE_XEN >= 418
#define liveupdate_find_cap(pdev, cap) pci_find_cap_offset((pdev)->sbdf, cap)
#else
#define liveupdate_find_cap(pdev, cap) \
    pci_find_cap_offset((pdev)->seg, (pdev)->bus, PCI_SLOT((pdev)->devfn), \
                        PCI_FUNC((pdev)->devfn), cap)
#endif

/* Sizes of the BARs of virtual functions; a virtual function has none itself. */
#if LIVEUPDATE_XEN >= 419
#define LIVEUPDATE_VF_RLEN physfn.vf_rlen
#define liveupdate_has_vf_rlen(pdev) (!(pdev)->info.is_virtfn)
#else
#define LIVEUPDATE_VF_RLEN vf_rlen
#define liveupdate_has_vf_rlen(pdev) true
#endif

/* An IOMMU that Xen emulates for a domain; nothing ever made one. */
#if LIVEUPDATE_XEN >= 419
#define liveupdate_has_guest_iommu(d) ((void)(d), false)
#else
#define liveupdate_has_guest_iommu(d) (dom_iommu(d)->arch.amd.g_iommu)
#endif

/* Whether data is in entry @i of the cache of an instruction under emulation (4.19: from 4.19.2 on). */
#if LIVEUPDATE_XEN >= 419
struct hvm_mmio_cache;
bool liveupdate_mmio_cached(const struct hvm_mmio_cache *cache);
#define liveupdate_has_mmio_data(hvio, i) \
    liveupdate_mmio_cached((hvio)->mmio_cache[i])
#else
#define liveupdate_has_mmio_data(hvio, i) ((hvio)->mmio_cache[i].size)
#endif

/* When a channel of the emulated PIT was stopped by its gate, and how long before. */
#if LIVEUPDATE_XEN >= 418
#define liveupdate_pit_stop_time(pit, i) ((pit)->count_stop_time[i])
#define liveupdate_pit_stopped(pit, i)   ((pit)->stopped_time[i])
#define liveupdate_set_pit_stop(pit, i, time, stopped) \
    ((pit)->count_stop_time[i] = (time), (pit)->stopped_time[i] = (stopped))
#else
#define liveupdate_pit_stop_time(pit, i) ((pit)->count_load_time[i])
#define liveupdate_pit_stopped(pit, i)   0
#define liveupdate_set_pit_stop(pit, i, time, stopped) ((void)(time))
#endif

/* What a handler of HVM save records does not check any more when it loads one. */
#if LIVEUPDATE_XEN >= 419
#define liveupdate_hvm_check(handler, d, h) \
    ((handler)->check ? (handler)->check(d, h) : 0)
#else
#define liveupdate_hvm_check(handler, d, h) ((void)(h), 0)
#endif

/* Bytes that other releases have of a local APIC behind what this one has: pending_esr. */
#if LIVEUPDATE_XEN >= 418
#define LU_PENDING_ESR 0U
#else
#define LU_PENDING_ESR 8U
#endif

/* Where each vCPU's struct vcpu_info is, if not in shared_info. */
#if LIVEUPDATE_XEN >= 418
#define liveupdate_info_mfn(v) \
    ((v)->vcpu_info_area.pg ? page_to_mfn((v)->vcpu_info_area.pg) : INVALID_MFN)
#define liveupdate_info_map(v) ((v)->vcpu_info_area.map)
#define liveupdate_set_info(v, m, p) \
    ((v)->vcpu_info_area = (struct guest_area){ \
         .pg = mfn_to_page(m), .map = (p) })
#else
#define liveupdate_info_mfn(v) ((v)->vcpu_info_mfn)
#define liveupdate_info_map(v) ((void *)(v)->vcpu_info)
#define liveupdate_set_info(v, m, p) \
    ((v)->vcpu_info = (p), (v)->vcpu_info_mfn = (m))
#endif

/* Areas of runstate and time that a guest named by physical address. NULL: cannot be. */
#if LIVEUPDATE_XEN >= 418
#define liveupdate_runstate_area(v) (&(v)->runstate_guest_area)
#define liveupdate_time_area(v)     (&(v)->arch.time_guest_area)
#define liveupdate_runstate_32(v)   ((v)->runstate_guest_area_compat)
#define liveupdate_set_runstate_32(v, is32) \
    ((v)->runstate_guest_area_compat = (is32))
#else
struct guest_area {
    struct page_info *pg;
    void *map;
};
#define liveupdate_runstate_area(v) ((void)(v), (struct guest_area *)NULL)
#define liveupdate_time_area(v)     ((void)(v), (struct guest_area *)NULL)
#define liveupdate_runstate_32(v)   ((void)(v), false)
#define liveupdate_set_runstate_32(v, is32) ((void)(is32))
#endif

/* The x87 part of XCR0. */
#if LIVEUPDATE_XEN >= 419
#define LIVEUPDATE_XCR0_X87 X86_XCR0_X87
#else
#define LIVEUPDATE_XCR0_X87 X86_XCR0_FP
#endif

#endif /* __ASM_X86_LIVEUPDATE_COMPAT_H__ */
