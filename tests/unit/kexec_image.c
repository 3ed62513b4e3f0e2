/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The synthetic target.
 */

#include "kexec_test.h"

const struct lu_place place_good = {
    .region_start = 0x40000000,
    .region_size = 64u << 20,
    .slot_start = 0x40000000,
    .slot_size = 32u << 20,
    .nr_slots = 2,
    .format = LU_FORMAT_VERSION,
};

/*
 * Magic, i386, length, checksum; tags: information, module alignment,
 * relocatable, end.  Each is a multiple of 8 bytes: no padding.
 */
static const uint32_t mb2_header[] = {
    0xe85250d6,   0,  80,          0,          1,        16, 4, 6, 6, 8,
    10 | 1 << 16, 24, IMAGE_PADDR, 0xffffffff, 0x200000, 2,  0, 8,
};

Elf32_Ehdr *image_ehdr(struct image *image)
{
    return (Elf32_Ehdr *)image->bytes;
}

Elf32_Phdr *image_load(struct image *image)
{
    return (Elf32_Phdr *)(image->bytes + AT_LOAD);
}

Elf32_Phdr *image_note_header(struct image *image)
{
    return (Elf32_Phdr *)(image->bytes + AT_NOTE);
}

uint32_t *image_mb2(struct image *image)
{
    return (uint32_t *)(image->bytes + AT_MB2);
}

void image_mb2_seal(struct image *image)
{
    uint32_t *h = image_mb2(image);

    h[3] = -(h[0] + h[1] + h[2]);
}

uint8_t *image_mb2_tag(struct image *image, uint16_t type)
{
    uint8_t *p = image->bytes + AT_MB2 + 16;
    uint32_t size;

    while (*(uint16_t *)p != type) {
        memcpy(&size, p + 4, sizeof(size));
        p += size;
    }

    return p;
}

/* A note of a stranger stands before ours, as the build ID does in Xen. */
static size_t write_notes(uint8_t *p)
{
    static const Elf32_Nhdr gnu = {4, 20, 3};
    static const Elf32_Nhdr lu = {sizeof(LU_NOTE_NAME), sizeof(struct lu_note), LU_NOTE_TYPE};
    static const struct lu_note note = {
        .format = LU_FORMAT_VERSION,
        .format_oldest = LU_FORMAT_OLDEST,
        .slot_min = 16u << 20,
        .version = "4.17.5-test",
        .changeset = "none",
    };
    uint8_t *start = p;

    memcpy(p, &gnu, sizeof(gnu));
    memcpy(p + sizeof(gnu), "GNU", 4);
    p += sizeof(gnu) + 4 + 20;

    memcpy(p, &lu, sizeof(lu));
    p += sizeof(lu);
    memcpy(p, LU_NOTE_NAME, sizeof(LU_NOTE_NAME));
    p += (sizeof(LU_NOTE_NAME) + 3) & ~3u;
    memcpy(p, &note, sizeof(note));

    return p + sizeof(note) - start;
}

struct lu_note *image_note(struct image *image)
{
    return (struct lu_note *)(image->bytes + AT_LUNOTE + 36 + sizeof(Elf32_Nhdr) +
                              ((sizeof(LU_NOTE_NAME) + 3) & ~3u));
}

void image_good(struct image *image)
{
    Elf32_Ehdr eh = {
        .e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_386,
        .e_version = EV_CURRENT,
        .e_entry = IMAGE_PADDR,
        .e_phoff = AT_LOAD,
        .e_ehsize = sizeof(eh),
        .e_phentsize = sizeof(Elf32_Phdr),
        .e_phnum = 2,
    };
    Elf32_Phdr load = {
        .p_type = PT_LOAD,
        .p_offset = AT_BODY,
        .p_vaddr = IMAGE_PADDR,
        .p_paddr = IMAGE_PADDR,
        .p_filesz = IMAGE_FILE,
        .p_memsz = IMAGE_MEM,
    };
    Elf32_Phdr note = {.p_type = PT_NOTE, .p_offset = AT_LUNOTE};

    memset(image, 0, sizeof(*image));
    memset(image->bytes + AT_BODY, 0x90, IMAGE_FILE);
    memcpy(image->bytes + AT_MB2, mb2_header, sizeof(mb2_header));
    image_mb2(image)[2] = sizeof(mb2_header);
    image_mb2_seal(image);
    memset(image->bytes + AT_LUNOTE, 0, 192);
    note.p_filesz = note.p_memsz = write_notes(image->bytes + AT_LUNOTE);
    strcpy((char *)image->bytes + AT_BANNER, "Xen version %d.%d%s (%s@%s)");

    memcpy(image->bytes, &eh, sizeof(eh));
    memcpy(image->bytes + AT_LOAD, &load, sizeof(load));
    memcpy(image->bytes + AT_NOTE, &note, sizeof(note));
}

enum lu_kexec_error parse(const struct image *image, struct lu_target *target,
                          struct lu_kexec_why *why)
{
    return lu_target_parse(target, image->bytes, sizeof(image->bytes), why);
}
