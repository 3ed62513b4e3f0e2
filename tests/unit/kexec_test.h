/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unit tests of kexec/: a small synthetic Xen, and the suites.
 */
#ifndef KEXEC_TEST_H
#define KEXEC_TEST_H

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lu-kexec.h"
#include "suite.h"

/*
 * The smallest file that passes as a target: ELF header, PT_LOAD, PT_NOTE, a
 * multiboot2 header and the note within the loaded part, as in Xen's own.
 */
#define IMAGE_SIZE  1024u
#define IMAGE_FILE  512u /* bytes loaded, at file offset 512 */
#define IMAGE_MEM   0x3c8000u
#define IMAGE_PADDR 0x200000u

struct image {
    uint8_t bytes[IMAGE_SIZE];
};

/* Where things are, for tests that spoil them. */
#define AT_LOAD   52
#define AT_NOTE   84
#define AT_BODY   512
#define AT_MB2    (AT_BODY + 16)
#define AT_LUNOTE (AT_BODY + 256)
#define AT_BANNER (AT_BODY + 448)

void image_good(struct image *image);
Elf32_Ehdr *image_ehdr(struct image *image);
Elf32_Phdr *image_load(struct image *image);
Elf32_Phdr *image_note_header(struct image *image);
struct lu_note *image_note(struct image *image);
/* The multiboot2 header as words, and its checksum made right again. */
uint32_t *image_mb2(struct image *image);
void image_mb2_seal(struct image *image);
/* The offset of a tag in the multiboot2 header. */
uint8_t *image_mb2_tag(struct image *image, uint16_t type);

/* Two slots of 32 MiB at 1 GiB; the first one is next. */
extern const struct lu_place place_good;

enum lu_kexec_error parse(const struct image *image, struct lu_target *target,
                          struct lu_kexec_why *why);

extern CU_TestInfo elf_tests[], plan_tests[], cmdline_tests[];

#endif /* KEXEC_TEST_H */
