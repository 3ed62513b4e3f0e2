/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The target's ELF: what is loaded where, and the live-update note.
 *
 * Xen's build ends in a 32-bit ELF with one PT_LOAD and one PT_NOTE inside of it
 * (arch/x86/boot/mkelf32.c); several PT_LOADs are read as well.
 *
 * With libelf it would be as long: but for the ends of headers and notes it leaves to its caller
 * what is checked here, and its pointers into a file that is in memory need not be aligned.
 */

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "lu-kexec.h"

/* Every Xen prints this line; it tells a Xen that lacks the note from a stranger. */
static const char banner[] = "Xen version %d.%d%s";

static const char *elf_kind(const uint8_t *ident)
{
    return ident[EI_CLASS] == ELFCLASS64 ? "a 64-bit ELF file" : "an ELF file for another machine";
}

/* The ELF header; says what the file is instead, if it is no 32-bit ELF for x86. */
static enum lu_kexec_error elf_header(Elf32_Ehdr *eh, const uint8_t *data, size_t size,
                                      struct lu_kexec_why *why)
{
    if (size < SELFMAG || memcmp(data, ELFMAG, SELFMAG)) {
        if (size && size < SELFMAG && !memcmp(data, ELFMAG, size))
            return lu_kexec_complain(why, LU_KEXEC_TRUNCATED,
                                     "the file is truncated: it has only %zu bytes", size);
        return lu_kexec_complain(why, LU_KEXEC_NOT_ELF, "not an ELF file%s",
                                 size >= 2 && !memcmp(data, "MZ", 2)
                                     ? " but an EFI or Linux boot image: take Xen's \"xen\" or "
                                       "\"xen.gz\", not \"xen.efi\""
                                     : "");
    }
    if (size < sizeof(*eh))
        return lu_kexec_complain(why, LU_KEXEC_TRUNCATED,
                                 "the file is truncated: it has only %zu bytes", size);

    memcpy(eh, data, sizeof(*eh));
    if (eh->e_ident[EI_CLASS] != ELFCLASS32 || eh->e_ident[EI_DATA] != ELFDATA2LSB ||
        eh->e_machine != EM_386)
        return lu_kexec_complain(why, LU_KEXEC_NOT_XEN,
                                 "not a bootable Xen but %s: take the 32-bit \"xen\" or \"xen.gz\" "
                                 "of Xen's build, not \"xen-syms\"",
                                 elf_kind(eh->e_ident));
    if (eh->e_type != ET_EXEC || eh->e_phentsize != sizeof(Elf32_Phdr) || !eh->e_phnum)
        return lu_kexec_complain(why, LU_KEXEC_NOT_XEN,
                                 "not a bootable Xen: an ELF file that cannot be loaded");
    if (eh->e_phoff > size || eh->e_phnum > (size - eh->e_phoff) / sizeof(Elf32_Phdr))
        return lu_kexec_complain(
            why, LU_KEXEC_TRUNCATED,
            "the file is truncated: program headers up to byte %llu, %zu bytes",
            eh->e_phoff + eh->e_phnum * (unsigned long long)eh->e_phentsize, size);

    return LU_KEXEC_OK;
}

static enum lu_kexec_error add_load(struct lu_target *t, const Elf32_Phdr *ph,
                                    struct lu_kexec_why *why)
{
    uint64_t end = (uint64_t)ph->p_paddr + ph->p_memsz;

    if (!ph->p_memsz)
        return LU_KEXEC_OK;
    if (ph->p_filesz > ph->p_memsz || end > UINT32_MAX - LU_PAGE_SIZE)
        return lu_kexec_complain(why, LU_KEXEC_BAD_ELF,
                                 "a segment at %#x has impossible sizes: %u bytes in the file, %u "
                                 "in memory",
                                 ph->p_paddr, ph->p_filesz, ph->p_memsz);
    if (t->nr_loads == LU_MAX_LOADS)
        return lu_kexec_complain(why, LU_KEXEC_BAD_ELF, "more than %u segments to load",
                                 LU_MAX_LOADS);

    for (unsigned int i = 0; i < t->nr_loads; i++)
        if (ph->p_paddr < (uint64_t)t->load[i].paddr + t->load[i].memsz && end > t->load[i].paddr)
            return lu_kexec_complain(why, LU_KEXEC_BAD_ELF, "segments at %#x and %#x overlap",
                                     t->load[i].paddr, ph->p_paddr);

    t->load[t->nr_loads].offset = ph->p_offset;
    t->load[t->nr_loads].filesz = ph->p_filesz;
    t->load[t->nr_loads].paddr = ph->p_paddr;
    t->load[t->nr_loads].memsz = ph->p_memsz;
    t->nr_loads++;

    if (t->nr_loads == 1 || ph->p_paddr < t->start)
        t->start = ph->p_paddr & ~(LU_PAGE_SIZE - 1);
    if (ph->p_filesz && ph->p_paddr + ph->p_filesz > t->data_end)
        t->data_end = ph->p_paddr + ph->p_filesz;
    if (end > t->end)
        t->end = ((uint32_t)end + LU_PAGE_SIZE - 1) & ~(LU_PAGE_SIZE - 1);

    return LU_KEXEC_OK;
}

/* Notes are rounded up to 4 bytes each, name and description separately. */
static uint64_t note_round(uint64_t n)
{
    return (n + 3) & ~(uint64_t)3;
}

void lu_build_id_text(char text[LU_BUILD_ID_TEXT], const uint8_t *data, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < size && 2 * i + 2 < LU_BUILD_ID_TEXT; i++)
        sprintf(text + 2 * i, "%02x", data[i]);
}

/* A text of the file, as it may be shown on a terminal. */
static void make_printable(char *text, size_t size)
{
    text[size - 1] = '\0';
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

/* Looks for the note, and for the build id, among the @size bytes of notes at @data. */
static bool find_note(struct lu_target *t, const uint8_t *data, size_t size)
{
    bool found = false;
    Elf32_Nhdr nh;
    uint64_t at = 0;

    while (at + sizeof(nh) <= size) {
        uint64_t name = at + sizeof(nh), desc;

        memcpy(&nh, data + at, sizeof(nh));
        desc = name + note_round(nh.n_namesz);
        if (desc + nh.n_descsz > size)
            break;

        if (nh.n_type == LU_NOTE_TYPE && nh.n_namesz == sizeof(LU_NOTE_NAME) &&
            !memcmp(data + name, LU_NOTE_NAME, sizeof(LU_NOTE_NAME)) &&
            nh.n_descsz >= sizeof(t->note)) {
            memcpy(&t->note, data + desc, sizeof(t->note));
            make_printable(t->note.version, sizeof(t->note.version));
            make_printable(t->note.changeset, sizeof(t->note.changeset));
            found = true;
        } else if (nh.n_type == NT_GNU_BUILD_ID && nh.n_namesz == sizeof(ELF_NOTE_GNU) &&
                   !memcmp(data + name, ELF_NOTE_GNU, sizeof(ELF_NOTE_GNU))) {
            lu_build_id_text(t->build_id, data + desc, nh.n_descsz);
        }
        at = desc + note_round(nh.n_descsz);
    }

    return found;
}

/* Goes through the program headers: loads, then the note. */
static enum lu_kexec_error program_headers(struct lu_target *t, const Elf32_Ehdr *eh,
                                           const uint8_t *data, size_t size, bool *noted,
                                           struct lu_kexec_why *why)
{
    enum lu_kexec_error error = LU_KEXEC_OK;

    for (unsigned int i = 0; !error && i < eh->e_phnum; i++) {
        Elf32_Phdr ph;

        memcpy(&ph, data + eh->e_phoff + i * sizeof(ph), sizeof(ph));
        if (ph.p_type != PT_LOAD && ph.p_type != PT_NOTE)
            continue;
        if (ph.p_offset > size || ph.p_filesz > size - ph.p_offset)
            return lu_kexec_complain(why, LU_KEXEC_TRUNCATED,
                                     "the file is truncated: it needs %llu bytes and has %zu",
                                     (unsigned long long)ph.p_offset + ph.p_filesz, size);
        if (ph.p_type == PT_LOAD)
            error = add_load(t, &ph, why);
        else
            *noted |= find_note(t, data + ph.p_offset, ph.p_filesz);
    }

    return error;
}

static bool has_banner(const uint8_t *data, size_t size)
{
    return memmem(data, size, banner, sizeof(banner) - 1);
}

static bool entry_loaded(const struct lu_target *t)
{
    for (unsigned int i = 0; i < t->nr_loads; i++)
        if (t->entry >= t->load[i].paddr && t->entry - t->load[i].paddr < t->load[i].filesz)
            return true;

    return false;
}

enum lu_kexec_error lu_target_parse(struct lu_target *target, const void *data, size_t size,
                                    struct lu_kexec_why *why)
{
    enum lu_kexec_error error;
    bool noted = false;
    Elf32_Ehdr eh;

    *target = (struct lu_target){0};

    error = elf_header(&eh, data, size, why);
    if (error)
        return error;
    target->entry = eh.e_entry;

    error = program_headers(target, &eh, data, size, &noted, why);
    if (!error)
        error = lu_multiboot2_header(target, data, size, why);
    if (error)
        return error;

    if (!noted && !has_banner(data, size))
        return lu_kexec_complain(why, LU_KEXEC_NOT_XEN, "a multiboot2 image, but not one of Xen");
    if (!noted)
        return lu_kexec_complain(why, LU_KEXEC_NO_NOTE,
                                 "this Xen was built without live update (no ELF note "
                                 "\"" LU_NOTE_NAME "\")");
    if (!target->nr_loads || !entry_loaded(target))
        return lu_kexec_complain(why, LU_KEXEC_BAD_ELF, "its entry point %#x is not loaded",
                                 target->entry);
    if (target->start < LU_IMAGE_OFFSET)
        return lu_kexec_complain(why, LU_KEXEC_BAD_ELF,
                                 "its image starts at %#x, below the %u MiB that every Xen leaves "
                                 "free",
                                 target->start, LU_IMAGE_OFFSET >> 20);

    return LU_KEXEC_OK;
}
