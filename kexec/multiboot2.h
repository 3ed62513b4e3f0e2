/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Multiboot2 as far as a live update uses it: "Multiboot2 Specification version
 * 2.0", sections 3.1 (header) and 3.6 (information); Xen's side is
 * arch/x86/boot/head.S and arch/x86/boot/reloc.c.
 */
#ifndef LU_MULTIBOOT2_H
#define LU_MULTIBOOT2_H

/* Header, in the image. */
#define MB2_HEADER_MAGIC  0xe85250d6u
#define MB2_HEADER_SEARCH 32768u
#define MB2_HEADER_ALIGN  8u
#define MB2_ARCH_I386     0u

#define MB2_HEADER_TAG_END           0
#define MB2_HEADER_TAG_INFORMATION   1
#define MB2_HEADER_TAG_ADDRESS       2
#define MB2_HEADER_TAG_ENTRY         3
#define MB2_HEADER_TAG_CONSOLE       4
#define MB2_HEADER_TAG_FRAMEBUFFER   5
#define MB2_HEADER_TAG_MODULE_ALIGN  6
#define MB2_HEADER_TAG_EFI_BS        7
#define MB2_HEADER_TAG_ENTRY_EFI32   8
#define MB2_HEADER_TAG_ENTRY_EFI64   9
#define MB2_HEADER_TAG_RELOCATABLE   10
#define MB2_HEADER_TAG_FLAG_OPTIONAL 1u

/* What the entry point finds: this in EAX, the information's address in EBX. */
#define MB2_BOOT_MAGIC 0x36d76289

/* Information, in memory. */
#define MB2_TAG_ALIGN 8u

#define MB2_TAG_END     0
#define MB2_TAG_CMDLINE 1
#define MB2_TAG_LOADER  2
#define MB2_TAG_MODULE  3
#define MB2_TAG_MEMINFO 4
#define MB2_TAG_MMAP    6

#endif /* LU_MULTIBOOT2_H */
