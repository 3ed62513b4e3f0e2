/* SPDX-License-Identifier: GPL-2.0-only */
/* Live update: EFI (arch/x86/liveupdate/efi.c). */
#ifndef __ASM_X86_LIVEUPDATE_EFI_H__
#define __ASM_X86_LIVEUPDATE_EFI_H__

#include <xen/liveupdate.h>

/*
 * efi_init_memory(): a live-update boot is told the revision of the table of boot
 * services and whether their memory is mapped; any other boot's are remembered.
 */
#ifdef CONFIG_LIVEUPDATE
void liveupdate_efi_init(uint32_t *revision, bool *map_bs);
#else
static inline void liveupdate_efi_init(uint32_t *revision, bool *map_bs) {}
#endif

/* Source: machine address of the ACPI root pointer that EFI firmware told, or 0. */
paddr_t liveupdate_rsdp(void);
/* Source, past the point of no return. */
void liveupdate_efi_prepare_jump(void);
/* Target, as soon as liveupdate_stream can be read. */
void liveupdate_efi_adopt(void);

#endif /* __ASM_X86_LIVEUPDATE_EFI_H__ */
