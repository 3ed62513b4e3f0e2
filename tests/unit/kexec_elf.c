/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files that are no target: each kind is refused by its own name.  None of them
 * is trusted: sanitizers watch.
 */

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "kexec_test.h"

static void good(void)
{
    struct image image;
    struct lu_target t;
    struct lu_kexec_why why;

    image_good(&image);
    CU_ASSERT_EQUAL_FATAL(parse(&image, &t, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(t.start, IMAGE_PADDR);
    CU_ASSERT_EQUAL(t.data_end, IMAGE_PADDR + IMAGE_FILE);
    CU_ASSERT_EQUAL(t.end, IMAGE_PADDR + IMAGE_MEM);
    CU_ASSERT_EQUAL(t.entry, IMAGE_PADDR);
    CU_ASSERT_EQUAL(t.reloc_min, IMAGE_PADDR);
    CU_ASSERT_EQUAL(t.reloc_max, 0xffffffff);
    CU_ASSERT_EQUAL(t.reloc_align, 0x200000);
    CU_ASSERT_STRING_EQUAL(t.note.version, "4.17.5-test");
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place_good, &why), LU_KEXEC_OK);
}

static const struct lu_memory_range memory = {0, 0x100000000, LU_MEMORY_RAM};

/* The multiboot2 header's word on the entry point is the last one. */
static void entry_by_tag(void)
{
    struct image image;
    struct lu_target t;
    struct lu_kexec_why why;

    image_good(&image);
    memcpy(image_mb2_tag(&image, 1), (uint32_t[]){3, 12, IMAGE_PADDR + 64}, 12);
    CU_ASSERT_EQUAL(parse(&image, &t, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(t.entry, IMAGE_PADDR + 64);
}

/* A header that is there twice, in any order, or further behind: all are read. */
#define MANY_AT IMAGE_SIZE
struct many {
    struct image image;
    Elf32_Phdr header[LU_MAX_LOADS + 2];
};

/* The note, and @nr loads of a page each, from @first on, the highest first. */
static void many_loads(struct many *m, unsigned int nr)
{
    image_good(&m->image);
    m->header[0] = *image_note_header(&m->image);
    for (unsigned int i = 0; i < nr; i++) {
        m->header[1 + i] = *image_load(&m->image);
        m->header[1 + i].p_paddr = IMAGE_PADDR + (nr - 1 - i) * LU_PAGE_SIZE;
        m->header[1 + i].p_memsz = LU_PAGE_SIZE;
    }
    image_ehdr(&m->image)->e_phoff = MANY_AT;
    image_ehdr(&m->image)->e_phnum = 1 + nr;
}

static void several_segments(void)
{
    struct lu_kexec_why why;
    struct lu_target t;
    struct lu_plan plan;
    struct many m = {0};
    struct lu_file file = {(uint8_t *)&m, sizeof(m)};

    /* They touch, which is not to overlap. */
    many_loads(&m, LU_MAX_LOADS);
    CU_ASSERT_EQUAL(lu_target_parse(&t, &m, sizeof(m), &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(t.nr_loads, LU_MAX_LOADS);
    many_loads(&m, LU_MAX_LOADS + 1);
    CU_ASSERT_EQUAL(lu_target_parse(&t, &m, sizeof(m), &why), LU_KEXEC_BAD_ELF);

    /* Not in order: the ends are those of the outermost, wherever they stand. */
    many_loads(&m, 3);
    m.header[1].p_paddr = IMAGE_PADDR + 0x4000;
    m.header[1].p_filesz = 16;
    m.header[1].p_memsz = 0x1001;
    CU_ASSERT_EQUAL_FATAL(lu_target_parse(&t, &m, sizeof(m), &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(t.start, IMAGE_PADDR);
    CU_ASSERT_EQUAL(t.data_end, IMAGE_PADDR + 0x4010);
    CU_ASSERT_EQUAL(t.end, IMAGE_PADDR + 0x6000);
    CU_ASSERT_EQUAL_FATAL(lu_plan_make(&plan, &file, &t, &place_good, "", &memory, 1, &why),
                          LU_KEXEC_OK);
    CU_ASSERT_EQUAL(plan.segment[LU_PLAN_XEN].dest, place_good.slot_start + IMAGE_PADDR);
    CU_ASSERT_EQUAL(plan.segment[LU_PLAN_XEN].buf_size, 0x4010);
    CU_ASSERT(
        !memcmp((uint8_t *)plan.segment[LU_PLAN_XEN].buf + 0x4000, m.image.bytes + AT_BODY, 16));
    CU_ASSERT(!memcmp(plan.segment[LU_PLAN_XEN].buf, m.image.bytes + AT_BODY, IMAGE_FILE));
    lu_plan_free(&plan);
}

static void build_id(void)
{
    struct image image;
    struct lu_target t;
    struct lu_kexec_why why;
    uint8_t bytes[40];
    char *text = malloc(LU_BUILD_ID_TEXT);

    image_good(&image);
    for (unsigned int i = 0; i < 20; i++)
        image.bytes[AT_LUNOTE + 16 + i] = 0xa0 + i;
    CU_ASSERT_EQUAL_FATAL(parse(&image, &t, &why), LU_KEXEC_OK);
    CU_ASSERT_STRING_EQUAL(t.build_id, "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3");

    memset(bytes, 0xab, sizeof(bytes));
    lu_build_id_text(text, bytes, sizeof(bytes));
    CU_ASSERT_EQUAL(strlen(text), LU_BUILD_ID_TEXT - 1);
    lu_build_id_text(text, bytes, 0);
    CU_ASSERT_STRING_EQUAL(text, "");
    free(text);
}

/* What a file says of itself goes to the terminal. */
static void texts(void)
{
    struct image image;
    struct lu_target t;
    struct lu_kexec_why why;

    image_good(&image);
    memset(image_note(&image)->version, 'v', sizeof(t.note.version));
    memset(image_note(&image)->changeset, 'c', sizeof(t.note.changeset));
    CU_ASSERT_EQUAL_FATAL(parse(&image, &t, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(strlen(t.note.version), sizeof(t.note.version) - 1);
    CU_ASSERT_EQUAL(strlen(t.note.changeset), sizeof(t.note.changeset) - 1);

    strcpy(image_note(&image)->version, "4.17\033[2J\x9b\x7f\n~ ");
    strcpy(image_note(&image)->changeset, "\r\xff");
    CU_ASSERT_EQUAL_FATAL(parse(&image, &t, &why), LU_KEXEC_OK);
    CU_ASSERT_STRING_EQUAL(t.note.version, "4.17?[2J???~ ");
    CU_ASSERT_STRING_EQUAL(t.note.changeset, "??");
}

/* Whatever it says it is built with comes as it is; an older one has 0 there. */
static void features(void)
{
    struct image image;
    struct lu_target t;
    struct lu_kexec_why why;

    image_good(&image);
    CU_ASSERT_EQUAL_FATAL(parse(&image, &t, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(t.note.flags, 0);
    memcpy(image_note(&image), "\1\0\1\0\x0b\0\0\x80", 8);
    CU_ASSERT_EQUAL_FATAL(parse(&image, &t, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(t.note.flags, LU_HAS_KNOWN | LU_HAS_SHADOW_PAGING | LU_HAS_PV32 | LU_HAS_PV);
    CU_ASSERT_EQUAL(t.note.format, 1);
    image_note(&image)->flags = UINT32_MAX;
    CU_ASSERT_EQUAL_FATAL(parse(&image, &t, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(t.note.flags, UINT32_MAX);
}

/* A wish that may be ignored is ignored; so is where the header stands. */
static void optional_wish(void)
{
    struct image image, moved;
    struct lu_target t;
    struct lu_kexec_why why;

    image_good(&image);
    memcpy(image_mb2_tag(&image, 6), (uint16_t[]){77, 1}, 4);
    CU_ASSERT_EQUAL(parse(&image, &t, &why), LU_KEXEC_OK);

    image_good(&image);
    moved = image;
    memset(moved.bytes + AT_MB2, 0, 80);
    memcpy(moved.bytes + AT_MB2 + 8, image.bytes + AT_MB2, 80);
    CU_ASSERT_EQUAL(parse(&moved, &t, &why), LU_KEXEC_OK);
}

static void errors(void)
{
    struct lu_kexec_why why = {.errnum = 5, .size_needed = 7};

    CU_ASSERT_EQUAL(lu_kexec_complain(&why, LU_KEXEC_NOT_ELF, "%d", 3), LU_KEXEC_NOT_ELF);
    CU_ASSERT_EQUAL(why.error, LU_KEXEC_NOT_ELF);
    CU_ASSERT_EQUAL(why.errnum, 0);
    CU_ASSERT_EQUAL(why.size_needed, 0);
    CU_ASSERT_STRING_EQUAL(why.text, "3");
    CU_ASSERT_STRING_EQUAL(lu_kexec_error_name(LU_KEXEC_OK), "ok");
    CU_ASSERT_STRING_EQUAL(lu_kexec_error_name(LU_KEXEC_HYPERCALL), "hypercall");
    CU_ASSERT_STRING_EQUAL(lu_kexec_error_name(LU_KEXEC_HYPERCALL + 1), "unknown");
}

/* ---- one thing wrong at a time ---- */

static void no_magic(struct image *i)
{
    i->bytes[1] = 'e';
}

static void efi(struct image *i)
{
    memcpy(i->bytes, "MZ", 2);
}

static void class64(struct image *i)
{
    image_ehdr(i)->e_ident[EI_CLASS] = ELFCLASS64;
}

static void big_endian(struct image *i)
{
    image_ehdr(i)->e_ident[EI_DATA] = ELFDATA2MSB;
}

static void other_machine(struct image *i)
{
    image_ehdr(i)->e_machine = EM_ARM;
}

static void object_file(struct image *i)
{
    image_ehdr(i)->e_type = ET_REL;
}

static void no_headers(struct image *i)
{
    image_ehdr(i)->e_phnum = 0;
}

static void headers_outside(struct image *i)
{
    image_ehdr(i)->e_phoff = 0xfffffff0;
}

static void too_many_headers(struct image *i)
{
    image_ehdr(i)->e_phnum = 0xffff;
}

static void load_outside(struct image *i)
{
    image_load(i)->p_offset = 0xffffff00;
}

static void load_too_long(struct image *i)
{
    image_load(i)->p_filesz = IMAGE_FILE + 1;
}

static void file_exceeds_memory(struct image *i)
{
    image_load(i)->p_memsz = IMAGE_FILE - 1;
}

static void wraps_around(struct image *i)
{
    image_load(i)->p_memsz = 0xfff00000;
}

static void overlapping(struct image *i)
{
    *image_note_header(i) = *image_load(i);
    image_note_header(i)->p_paddr += IMAGE_MEM - 1;
}

static void too_low(struct image *i)
{
    image_load(i)->p_paddr = 0x100000;
    image_ehdr(i)->e_entry = 0x100000;
}

static void entry_outside(struct image *i)
{
    image_ehdr(i)->e_entry = IMAGE_PADDR + IMAGE_FILE;
}

/* The information tag becomes one for an entry point. */
static void entry_tag(struct image *i, uint32_t entry)
{
    memcpy(image_mb2_tag(i, 1), (uint32_t[]){3, 12, entry}, 12);
}

static void entry_in_tag_outside(struct image *i)
{
    entry_tag(i, 0x1000);
}

static void entry_tag_cut_short(struct image *i)
{
    entry_tag(i, IMAGE_PADDR);
    memcpy(image_mb2_tag(i, 3) + 4, (uint32_t[]){8}, 4);
}

static void no_multiboot2(struct image *i)
{
    image_mb2(i)[0]++;
}

static void bad_checksum(struct image *i)
{
    image_mb2(i)[3]++;
}

static void other_arch(struct image *i)
{
    image_mb2(i)[1] = 4;
    image_mb2_seal(i);
}

static void header_too_long(struct image *i)
{
    image_mb2(i)[2] = 0x10000;
    image_mb2_seal(i);
}

static void header_too_short(struct image *i)
{
    image_mb2(i)[2] = 8;
    image_mb2_seal(i);
}

static void tags_without_end(struct image *i)
{
    image_mb2(i)[2] -= 8;
    image_mb2_seal(i);
}

static void tag_of_no_size(struct image *i)
{
    memset(image_mb2_tag(i, 1) + 4, 0, 4);
}

static void tag_too_long(struct image *i)
{
    memset(image_mb2_tag(i, 1) + 4, 0xff, 4);
}

static void demands_unknown(struct image *i)
{
    *(uint16_t *)image_mb2_tag(i, 6) = 77;
}

static void not_relocatable(struct image *i)
{
    memcpy(image_mb2_tag(i, 10), (uint32_t[]){4 | 1 << 16}, 4);
}

static void relocation_cut_short(struct image *i)
{
    memcpy(image_mb2_tag(i, 10) + 4, (uint32_t[]){16}, 4);
}

static void not_xen(struct image *i)
{
    image_note_header(i)->p_type = PT_NULL;
    memset(i->bytes + AT_BANNER, 0, 16);
}

static void no_note(struct image *i)
{
    image_note_header(i)->p_type = PT_NULL;
}

static void foreign_note(struct image *i)
{
    i->bytes[AT_LUNOTE + 36 + sizeof(Elf32_Nhdr)] = 'x';
}

static void note_cut_short(struct image *i)
{
    image_note_header(i)->p_filesz -= 4;
}

static void note_name_too_long(struct image *i)
{
    memset(i->bytes + AT_LUNOTE, 0xff, 4);
}

static const struct {
    const char *name;
    void (*spoil)(struct image *i);
    enum lu_kexec_error error;
} bad[] = {
#define BAD(f, e) \
    {             \
#f, f, e  \
    }
    BAD(no_magic, LU_KEXEC_NOT_ELF),
    BAD(efi, LU_KEXEC_NOT_ELF),
    BAD(class64, LU_KEXEC_NOT_XEN),
    BAD(big_endian, LU_KEXEC_NOT_XEN),
    BAD(other_machine, LU_KEXEC_NOT_XEN),
    BAD(object_file, LU_KEXEC_NOT_XEN),
    BAD(no_headers, LU_KEXEC_NOT_XEN),
    BAD(headers_outside, LU_KEXEC_TRUNCATED),
    BAD(too_many_headers, LU_KEXEC_TRUNCATED),
    BAD(load_outside, LU_KEXEC_TRUNCATED),
    BAD(load_too_long, LU_KEXEC_TRUNCATED),
    BAD(file_exceeds_memory, LU_KEXEC_BAD_ELF),
    BAD(wraps_around, LU_KEXEC_BAD_ELF),
    BAD(overlapping, LU_KEXEC_BAD_ELF),
    BAD(too_low, LU_KEXEC_BAD_ELF),
    BAD(entry_outside, LU_KEXEC_BAD_ELF),
    BAD(no_multiboot2, LU_KEXEC_NOT_MULTIBOOT2),
    BAD(bad_checksum, LU_KEXEC_NOT_MULTIBOOT2),
    BAD(other_arch, LU_KEXEC_NOT_MULTIBOOT2),
    BAD(header_too_long, LU_KEXEC_NOT_MULTIBOOT2),
    BAD(header_too_short, LU_KEXEC_NOT_MULTIBOOT2),
    BAD(tags_without_end, LU_KEXEC_NOT_MULTIBOOT2),
    BAD(tag_of_no_size, LU_KEXEC_NOT_MULTIBOOT2),
    BAD(tag_too_long, LU_KEXEC_NOT_MULTIBOOT2),
    BAD(demands_unknown, LU_KEXEC_NOT_MULTIBOOT2),
    BAD(not_relocatable, LU_KEXEC_NOT_RELOCATABLE),
    BAD(relocation_cut_short, LU_KEXEC_NOT_RELOCATABLE),
    BAD(entry_in_tag_outside, LU_KEXEC_BAD_ELF),
    BAD(entry_tag_cut_short, LU_KEXEC_NOT_MULTIBOOT2),
    BAD(not_xen, LU_KEXEC_NOT_XEN),
    BAD(no_note, LU_KEXEC_NO_NOTE),
    BAD(foreign_note, LU_KEXEC_NO_NOTE),
    BAD(note_cut_short, LU_KEXEC_NO_NOTE),
    BAD(note_name_too_long, LU_KEXEC_NO_NOTE),
};

static void each_wrong_thing(void)
{
    for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
        struct image image;
        struct lu_target t;
        struct lu_kexec_why why = {0};
        enum lu_kexec_error error;

        image_good(&image);
        bad[n].spoil(&image);
        error = parse(&image, &t, &why);
        if (error != bad[n].error)
            printf("\n    %s: %s instead of %s (%s)", bad[n].name, lu_kexec_error_name(error),
                   lu_kexec_error_name(bad[n].error), why.text);
        CU_ASSERT_EQUAL(error, bad[n].error);
        CU_ASSERT_EQUAL(why.error, error);
        CU_ASSERT(why.text[0]);
    }
}

/* ---- any other file ---- */

/* A copy of exactly @size bytes, so that reading behind them is noticed. */
static enum lu_kexec_error parse_exactly(const void *data, size_t size)
{
    struct lu_target t;
    struct lu_kexec_why why;
    enum lu_kexec_error error;
    void *copy = malloc(size ? size : 1);

    memcpy(copy, data, size);
    error = lu_target_parse(&t, copy, size, &why);
    free(copy);

    return error;
}

static void every_truncation(void)
{
    struct image image;

    image_good(&image);
    CU_ASSERT_EQUAL(parse_exactly(image.bytes, 0), LU_KEXEC_NOT_ELF);
    for (size_t size = 1; size < IMAGE_SIZE; size++)
        CU_ASSERT_EQUAL(parse_exactly(image.bytes, size), LU_KEXEC_TRUNCATED);
    CU_ASSERT_EQUAL(parse_exactly(image.bytes, IMAGE_SIZE), LU_KEXEC_OK);
}

/* Whatever a byte is: what is accepted can be laid out without harm. */
static void every_byte(void)
{
    static const uint8_t values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct image image;
    unsigned int accepted = 0;

    for (size_t at = 0; at < IMAGE_SIZE; at++)
        for (size_t v = 0; v < sizeof(values); v++) {
            struct lu_target t;
            struct lu_kexec_why why;
            struct lu_file file = {image.bytes, sizeof(image.bytes)};
            struct lu_plan plan;

            image_good(&image);
            image_load(&image)->p_memsz = 0x8000;
            image.bytes[at] = values[v];
            if (parse(&image, &t, &why) || lu_target_suits(&t, &place_good, &why))
                continue;
            CU_ASSERT_EQUAL_FATAL(lu_plan_make(&plan, &file, &t, &place_good, "", &memory, 1, &why),
                                  LU_KEXEC_OK);
            lu_plan_free(&plan);
            accepted++;
        }
    CU_ASSERT(accepted > 0);
}

/* ---- archives ---- */

static size_t gzip(const void *data, size_t size, uint8_t *out, size_t room)
{
    z_stream z = {.next_in = (Bytef *)data, .avail_in = size, .next_out = out, .avail_out = room};

    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    CU_ASSERT_EQUAL_FATAL(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);

    return z.total_out;
}

/* A file with these bytes, which is nowhere but in memory. */
static enum lu_kexec_error unpack(struct lu_file *file, const void *data, size_t size,
                                  struct lu_kexec_why *why)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);
    enum lu_kexec_error error;
    char path[32];

    CU_ASSERT_EQUAL_FATAL(write(fd, data, size), (ssize_t)size);
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    error = lu_file_read(file, path, why);
    close(fd);

    return error;
}

static void archives(void)
{
    uint8_t packed[4096];
    struct image image;
    struct lu_file file;
    struct lu_kexec_why why;
    size_t size;

    image_good(&image);
    size = gzip(image.bytes, IMAGE_SIZE, packed, sizeof(packed));

    CU_ASSERT_EQUAL_FATAL(unpack(&file, packed, size, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(file.size, IMAGE_SIZE);
    CU_ASSERT(!memcmp(file.data, image.bytes, IMAGE_SIZE));
    lu_file_free(&file);

    /* Several in one, as pigz and cat make them, and what is no archive behind it. */
    memcpy(packed + size, packed, size);
    memcpy(packed + 2 * size, "garbage", 7);
    CU_ASSERT_EQUAL_FATAL(unpack(&file, packed, 2 * size + 7, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(file.size, 2 * IMAGE_SIZE);
    CU_ASSERT(!memcmp(file.data + IMAGE_SIZE, image.bytes, IMAGE_SIZE));
    lu_file_free(&file);
    CU_ASSERT_EQUAL(unpack(&file, packed, 2 * size - 1, &why), LU_KEXEC_TRUNCATED);
    CU_ASSERT_PTR_NULL(file.data);

    for (size_t n = 2; n < size; n++)
        CU_ASSERT_EQUAL(unpack(&file, packed, n, &why), LU_KEXEC_TRUNCATED);

    /* The checksum at the end is right no more. */
    packed[size - 5] ^= 1;
    CU_ASSERT_EQUAL(unpack(&file, packed, size, &why), LU_KEXEC_BAD_ARCHIVE);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "is damaged: "));
}

/* No Xen is that large, however small it is when packed. */
static void large_archive(void)
{
    static uint8_t zero[1 << 20], packed[4 << 20];
    z_stream z = {.next_out = packed, .avail_out = sizeof(packed)};
    struct lu_kexec_why why;
    struct lu_file file;

    deflateInit2(&z, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    for (unsigned int i = 0; i < 257; i++) {
        z.next_in = zero;
        z.avail_in = sizeof(zero);
        CU_ASSERT_EQUAL_FATAL(deflate(&z, i < 256 ? Z_NO_FLUSH : Z_FINISH),
                              i < 256 ? Z_OK : Z_STREAM_END);
    }
    CU_ASSERT_EQUAL(unpack(&file, packed, z.total_out, &why), LU_KEXEC_BAD_ARCHIVE);
    CU_ASSERT_PTR_NULL(file.data);
    deflateEnd(&z);
}

/* ---- files ---- */

static void files(void)
{
    struct lu_file file;
    struct lu_kexec_why why;
    struct image image;
    uint8_t packed[2048];
    size_t size;
    char path[] = "/tmp/lu-kexec-test-XXXXXX";
    int fd = mkstemp(path);

    CU_ASSERT_FATAL(fd >= 0);
    image_good(&image);
    CU_ASSERT_EQUAL_FATAL(write(fd, image.bytes, IMAGE_SIZE), IMAGE_SIZE);
    close(fd);

    CU_ASSERT_EQUAL_FATAL(lu_file_read(&file, path, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(file.size, IMAGE_SIZE);
    lu_file_free(&file);

    /* Packed; and nothing stays open. */
    fd = open(path, O_WRONLY | O_TRUNC);
    size = gzip(image.bytes, IMAGE_SIZE, packed, sizeof(packed));
    CU_ASSERT_EQUAL_FATAL(write(fd, packed, size), (ssize_t)size);
    close(fd);
    CU_ASSERT_EQUAL_FATAL(lu_file_read(&file, path, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(file.size, IMAGE_SIZE);
    CU_ASSERT(!memcmp(file.data, image.bytes, IMAGE_SIZE));
    lu_file_free(&file);
    CU_ASSERT_EQUAL(open("/dev/null", O_RDONLY), fd);
    close(fd);
    CU_ASSERT_EQUAL_FATAL(truncate(path, size - 1), 0);
    CU_ASSERT_EQUAL(lu_file_read(&file, path, &why), LU_KEXEC_TRUNCATED);
    unlink(path);

    CU_ASSERT_EQUAL(lu_file_read(&file, path, &why), LU_KEXEC_FILE);
    CU_ASSERT_EQUAL(why.errnum, ENOENT);
    CU_ASSERT_EQUAL(lu_file_read(&file, "/", &why), LU_KEXEC_FILE);
    CU_ASSERT_EQUAL(why.errnum, EISDIR);
    CU_ASSERT_EQUAL(lu_file_read(&file, "/dev/zero", &why), LU_KEXEC_NOT_ELF);
}

CU_TestInfo elf_tests[] = {
    {"a good target", good},
    {"entry point by tag", entry_by_tag},
    {"several segments", several_segments},
    {"build id", build_id},
    {"texts", texts},
    {"what it is built with", features},
    {"optional wishes", optional_wish},
    {"errors", errors},
    {"each wrong thing has its own name", each_wrong_thing},
    {"truncated at every byte", every_truncation},
    {"every byte spoilt", every_byte},
    {"gzip archives", archives},
    {"a large archive", large_archive},
    {"files", files},
    CU_TEST_INFO_NULL,
};
