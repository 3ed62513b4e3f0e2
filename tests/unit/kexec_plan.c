/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goes where: the slot, the segments, the multiboot2 information.
 */

#include "kexec_test.h"

#define MIB (1u << 20)

static const struct lu_memory_range map[] = {
    {0, 0x9fc00, 1},
    {0x9fc00, 0x400, 2},
    {0xf0000, 0x10000, 2},
    {0x100000, 0x700000, 1},
    {0x800000, 0xbf7e0000ull - 0x800000, 1},
    {0xbf7e0000, 0x20000, 2},
    {0xfffc0000, 0x40000, 2},
    {0x100000000, 0x40000000, 1},
};
#define NR_MAP (sizeof(map) / sizeof(map[0]))

/* ---- does it suit ---- */

static void target(struct lu_target *t)
{
    struct image image;
    struct lu_kexec_why why;

    image_good(&image);
    CU_ASSERT_EQUAL_FATAL(parse(&image, t, &why), LU_KEXEC_OK);
}

static void formats(void)
{
    static const struct {
        uint16_t oldest, format, writes;
        enum lu_kexec_error error;
    } cases[] = {
        {1, 1, 1, LU_KEXEC_OK},
        {1, 2, 1, LU_KEXEC_OK},
        {1, 2, 2, LU_KEXEC_OK},
        {2, 3, 1, LU_KEXEC_FORMAT_TOO_NEW},
        {1, 1, 2, LU_KEXEC_FORMAT_TOO_OLD},
    };
    struct lu_kexec_why why;
    struct lu_target t;

    target(&t);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lu_place place = place_good;

        t.note.format = cases[i].format;
        t.note.format_oldest = cases[i].oldest;
        place.format = cases[i].writes;
        CU_ASSERT_EQUAL(lu_target_suits(&t, &place, &why), cases[i].error);
    }
}

static void regions(void)
{
    struct lu_place place = place_good;
    struct lu_kexec_why why;
    struct lu_target t;

    target(&t);
    /* Image up to 6 MiB (its end rounded up), and 16 MiB as the note says. */
    CU_ASSERT_EQUAL(lu_target_footprint(&t), 22 * MIB);

    place.nr_slots = 0;
    place.slot_size = place.region_size = 0;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place, &why), LU_KEXEC_NO_REGION);

    place = place_good;
    place.slot_size = 22 * MIB;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place, &why), LU_KEXEC_OK);
    place.slot_size = 20 * MIB;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place, &why), LU_KEXEC_REGION_TOO_SMALL);
    CU_ASSERT_EQUAL(why.size_needed, 44 * MIB);
    CU_ASSERT_PTR_NOT_NULL(strstr(why.text, "liveupdate=44M"));

    place = place_good;
    place.slot_start += 0x1000;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place, &why), LU_KEXEC_DOES_NOT_FIT);
    place.slot_start = 0xff000000;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place, &why), LU_KEXEC_DOES_NOT_FIT);
    /* The last one below 4 GiB. */
    place.slot_start = 0x100000000 - place.slot_size;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place, &why), LU_KEXEC_OK);
    place.slot_start += 2 * MIB;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place, &why), LU_KEXEC_DOES_NOT_FIT);

    /* Image and what the note asks for are rounded up each. */
    t.note.slot_min = 2 * MIB + 1;
    CU_ASSERT_EQUAL(lu_target_footprint(&t), 10 * MIB);
    /* Sums that would wrap. */
    for (uint64_t min = UINT64_MAX; min > 1ull << 32; min -= min / 3) {
        t.note.slot_min = min;
        CU_ASSERT_EQUAL(lu_target_suits(&t, &place_good, &why), LU_KEXEC_DOES_NOT_FIT);
        CU_ASSERT_EQUAL(why.size_needed, 0);
    }
    t.note.slot_min = 1ull << 32;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place_good, &why), LU_KEXEC_REGION_TOO_SMALL);
    CU_ASSERT_EQUAL(why.size_needed, 2 * ((1ull << 32) + 6 * MIB));
    target(&t);

    t.reloc_max = 0x3fffffff;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place_good, &why), LU_KEXEC_DOES_NOT_FIT);
    target(&t);
    t.reloc_min = 0x50000000;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place_good, &why), LU_KEXEC_DOES_NOT_FIT);
    target(&t);
    t.reloc_align = 0x80000000;
    CU_ASSERT_EQUAL(lu_target_suits(&t, &place_good, &why), LU_KEXEC_DOES_NOT_FIT);
}

/* ---- segments ---- */

static void check_segments(const struct lu_plan *plan, const struct lu_place *place)
{
    for (unsigned int i = 0; i < LU_PLAN_NR; i++) {
        const struct lu_segment *s = &plan->segment[i];

        CU_ASSERT_EQUAL((s->dest | s->dest_size) % LU_PAGE_SIZE, 0);
        CU_ASSERT(s->dest >= place->slot_start + LU_PAGE_SIZE);
        CU_ASSERT(s->dest + s->dest_size <= place->slot_start + place->slot_size);
        CU_ASSERT(s->buf_size <= s->dest_size);
        for (unsigned int j = 0; j < i; j++)
            CU_ASSERT(s->dest >= plan->segment[j].dest + plan->segment[j].dest_size ||
                      s->dest + s->dest_size <= plan->segment[j].dest);
    }
}

static uint32_t crc_of_all(const struct lu_segment *s)
{
    uint8_t *all = calloc(1, s->dest_size);
    uint32_t crc;

    memcpy(all, s->buf, s->buf_size);
    crc = lu_crc32c(0, all, s->dest_size);
    free(all);

    return crc;
}

static void segments(void)
{
    struct lu_place place = place_good;
    const struct lu_segment *boot, *xen;
    struct lu_kexec_why why;
    struct lu_target t;
    struct lu_plan plan;
    struct image image;
    struct lu_file file = {image.bytes, sizeof(image.bytes)};
    uint8_t stub[] = {0xfa, 0xfc, 0xbb, 0,    0,    0,    0,    0xb9, 0,   0,
                      0,    0,    0xb8, 0x89, 0x62, 0xd7, 0x36, 0xff, 0xe1};

    image_good(&image);
    CU_ASSERT_EQUAL_FATAL(parse(&image, &t, &why), LU_KEXEC_OK);
    place.slot_start += place.slot_size;
    CU_ASSERT_EQUAL_FATAL(lu_plan_make(&plan, &file, &t, &place, "a=b", map, NR_MAP, &why),
                          LU_KEXEC_OK);
    check_segments(&plan, &place);

    boot = &plan.segment[LU_PLAN_BOOT];
    xen = &plan.segment[LU_PLAN_XEN];
    CU_ASSERT_EQUAL(xen->dest, place.slot_start + LU_IMAGE_OFFSET);
    CU_ASSERT_EQUAL(xen->dest_size, IMAGE_MEM);
    CU_ASSERT_EQUAL(xen->buf_size, IMAGE_FILE);
    CU_ASSERT(!memcmp(xen->buf, image.bytes + AT_BODY, IMAGE_FILE));
    CU_ASSERT_EQUAL(xen->crc, crc_of_all(xen));
    CU_ASSERT_EQUAL(boot->crc, crc_of_all(boot));

    CU_ASSERT_EQUAL(plan.entry, boot->dest);
    CU_ASSERT_EQUAL(plan.xen_entry, place.slot_start + IMAGE_PADDR);
    CU_ASSERT_EQUAL(plan.mbi % 8, 0);
    CU_ASSERT(plan.mbi >= plan.entry + sizeof(stub) && plan.mbi < boot->dest + boot->buf_size);
    memcpy(stub + 3, (uint32_t[]){plan.mbi}, 4);
    memcpy(stub + 8, (uint32_t[]){plan.xen_entry}, 4);
    CU_ASSERT(!memcmp(boot->buf, stub, sizeof(stub)));

    lu_plan_free(&plan);
}

/* Several loads with a gap: the gap is zero, all of it one segment. */
static void several_loads(void)
{
    struct lu_kexec_why why;
    struct lu_target t;
    struct lu_plan plan;
    struct image image;
    struct lu_file file = {image.bytes, sizeof(image.bytes)};
    const uint8_t *buf;

    target(&t);
    image_good(&image);
    t.nr_loads = 2;
    t.load[0].filesz = t.load[0].memsz = 256;
    t.load[1].offset = AT_BODY + 256;
    t.load[1].filesz = 100;
    t.load[1].paddr = IMAGE_PADDR + 0x1010;
    t.load[1].memsz = 0x5000;
    t.data_end = IMAGE_PADDR + 0x1010 + 100;
    t.end = IMAGE_PADDR + 0x7000;

    CU_ASSERT_EQUAL_FATAL(lu_plan_make(&plan, &file, &t, &place_good, "", map, NR_MAP, &why),
                          LU_KEXEC_OK);
    check_segments(&plan, &place_good);
    buf = plan.segment[LU_PLAN_XEN].buf;
    CU_ASSERT(!memcmp(buf, image.bytes + AT_BODY, 256));
    CU_ASSERT(!memcmp(buf + 0x1010, image.bytes + AT_BODY + 256, 100));
    for (unsigned int i = 256; i < 0x1010; i++)
        CU_ASSERT_EQUAL(buf[i], 0);
    lu_plan_free(&plan);
}

/* What is not made takes no memory, which the sanitizer sees. */
static void no_plan(void)
{
    struct lu_memory_range many[512];
    struct lu_kexec_why why;
    struct lu_target t;
    struct lu_plan plan;
    struct image image;
    struct lu_file file = {image.bytes, sizeof(image.bytes)};

    target(&t);
    image_good(&image);
    for (unsigned int i = 0; i < 512; i++)
        many[i] = (struct lu_memory_range){i * 0x10000ull, 0x1000, 1};
    CU_ASSERT_EQUAL(lu_plan_make(&plan, &file, &t, &place_good, "", many, 512, &why),
                    LU_KEXEC_MEMORY_MAP);
    for (unsigned int i = 0; i < LU_PLAN_NR; i++)
        CU_ASSERT_PTR_NULL(plan.segment[i].buf);
}

/* ---- multiboot2 information ---- */

/* The way Xen walks it (arch/x86/boot/reloc.c). */
static const uint8_t *find_tag(const uint8_t *mbi, uint32_t type, uint32_t *size)
{
    uint32_t total, at = 8, t;

    memcpy(&total, mbi, sizeof(total));
    while (at < total) {
        memcpy(&t, mbi + at, 4);
        memcpy(size, mbi + at + 4, 4);
        CU_ASSERT_FATAL(*size >= 8 && *size <= total - at);
        if (t == type)
            return mbi + at;
        CU_ASSERT_FATAL(t != 0);
        at = (at + *size + 7) & ~7u;
    }

    return NULL;
}

static uint32_t word(const uint8_t *tag, unsigned int at)
{
    uint32_t v;

    memcpy(&v, tag + at, sizeof(v));

    return v;
}

static void information(void)
{
    const struct lu_boot_info info = {
        .cmdline = "console=com1 loglvl=all",
        .map = map,
        .nr_map = NR_MAP,
        .module_start = 0x40000000,
        .module_end = 0x40001000,
    };
    uint8_t mbi[4096] __attribute__((aligned(8)));
    struct lu_kexec_why why;
    const uint8_t *tag;
    uint64_t merged[3];
    uint32_t size;
    size_t used;

    CU_ASSERT_EQUAL_FATAL(lu_mbi_build(mbi, sizeof(mbi), &info, &used, &why), LU_KEXEC_OK);
    CU_ASSERT_EQUAL(word(mbi, 0), used);

    tag = find_tag(mbi, 1, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tag);
    /* Xen drops the first word. */
    CU_ASSERT_STRING_EQUAL(tag + 8, "xen console=com1 loglvl=all");
    tag = find_tag(mbi, 2, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tag);
    CU_ASSERT_STRING_EQUAL(tag + 8, "xen-liveupdate");
    CU_ASSERT_PTR_NULL(strstr((const char *)tag + 8, "GRUB "));

    tag = find_tag(mbi, 3, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tag);
    CU_ASSERT_EQUAL(word(tag, 8), 0x40000000);
    CU_ASSERT_EQUAL(word(tag, 12), 0x40001000);
    CU_ASSERT_STRING_EQUAL(tag + 16, LU_MODULE_RESUME);

    tag = find_tag(mbi, 4, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tag);
    CU_ASSERT_EQUAL(word(tag, 8), 636);
    CU_ASSERT_EQUAL(word(tag, 12), 0x700000 >> 10);

    tag = find_tag(mbi, 6, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tag);
    CU_ASSERT_EQUAL(word(tag, 8), 24);
    /* 1 MiB up and 8 MiB up are one range. */
    CU_ASSERT_EQUAL((size - 16) / 24, NR_MAP - 1);
    memcpy(merged, tag + 16 + 3 * 24, sizeof(merged));
    CU_ASSERT_EQUAL(merged[0], 0x100000);
    CU_ASSERT_EQUAL(merged[1], 0xbf7e0000ull - 0x100000);
    CU_ASSERT_EQUAL(merged[2], 1);

    tag = find_tag(mbi, 0, &size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(tag);
    CU_ASSERT_EQUAL(size, 8);
    CU_ASSERT_EQUAL(tag + 8 - mbi, used);

    /* No room, at any size: told, and not a byte behind the end. */
    for (size_t room = 0; room < used; room++) {
        uint8_t *exact = malloc(room ? room : 1);

        CU_ASSERT_EQUAL(lu_mbi_build(exact, room, &info, &used, &why), LU_KEXEC_DOES_NOT_FIT);
        free(exact);
    }
}

/* Xen copies the map to a place of two pages, and looks not. */
static void large_map(void)
{
    struct lu_memory_range many[512];
    struct lu_boot_info info = {.cmdline = "", .map = many, .nr_map = 512};
    static uint8_t mbi[65536] __attribute__((aligned(8)));
    struct lu_kexec_why why;
    char line[900];
    size_t used;

    for (unsigned int i = 0; i < 512; i++)
        many[i] = (struct lu_memory_range){0x90000 + i * 0x10000ull, i ? 0x1000 : 0x10000, 1};
    CU_ASSERT_EQUAL(lu_mbi_build(mbi, sizeof(mbi), &info, &used, &why), LU_KEXEC_MEMORY_MAP);
    info.nr_map = 300;
    CU_ASSERT_EQUAL(lu_mbi_build(mbi, sizeof(mbi), &info, &used, &why), LU_KEXEC_OK);

    /* The command line goes to the same place. */
    memset(line, 'a', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    info.cmdline = line;
    CU_ASSERT_EQUAL(lu_mbi_build(mbi, sizeof(mbi), &info, &used, &why), LU_KEXEC_MEMORY_MAP);
    info.nr_map = 280;
    CU_ASSERT_EQUAL(lu_mbi_build(mbi, sizeof(mbi), &info, &used, &why), LU_KEXEC_OK);
    info.cmdline = "";

    /* Adjacent ones count once. */
    info.nr_map = 512;
    for (unsigned int i = 0; i < 512; i++)
        many[i].size = 0x10000;
    CU_ASSERT_EQUAL(lu_mbi_build(mbi, sizeof(mbi), &info, &used, &why), LU_KEXEC_OK);
}

/* Xen's boot gets the highest 64 KiB of RAM below 640 KiB: whole, or none is staged. */
static void low_memory(void)
{
    static const struct {
        struct lu_memory_range map[4];
        uint32_t lower, upper; /* KiB; lower 0: refused */
    } cases[] = {
        {{{0, 0x100000000, 1}}, 640, (0x100000000 - 0x100000) >> 10},
        {{{0, 0x9fc00, 1}, {0x9fc00, 0x60400, 2}, {0x100000, 0x100000, 1}}, 636, 1024},
        /* EFI firmware keeps pieces. */
        {{{0, 0x58000, 1}, {0x58000, 0x1000, 4}, {0x59000, 0x45000, 1}, {0x9e000, 0x2000, 2}},
         632,
         0},
        {{{0, 0x58000, 1}, {0x58000, 0x40000, 4}, {0x98000, 0x8000, 1}}, 352, 0},
        {{{0, 0x8f000, 2}, {0x8f000, 0x10fff, 1}}, 636, 0},
        {{{0, 0x90000, 2}, {0x90000, 0xffff, 1}}, 0, 0},
        {{{0, 0x80000, 2}, {0x80000, 0x1000, 1}, {0x200000, 0x1000, 1}}, 0, 0},
        /* Xen heeds no less than 256 KiB. */
        {{{0, 0x40000, 1}}, 256, 0},
        {{{0, 0x3f000, 1}}, 0, 0},
    };
    uint8_t mbi[4096] __attribute__((aligned(8)));
    struct lu_kexec_why why;
    const uint8_t *tag;
    uint32_t size;
    size_t used;

    for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lu_boot_info info = {.cmdline = "", .map = cases[i].map, .nr_map = 4};
        enum lu_kexec_error error = lu_mbi_build(mbi, sizeof(mbi), &info, &used, &why);

        CU_ASSERT_EQUAL(error, cases[i].lower ? LU_KEXEC_OK : LU_KEXEC_MEMORY_MAP);
        if (error)
            continue;
        tag = find_tag(mbi, 4, &size);
        CU_ASSERT_PTR_NOT_NULL_FATAL(tag);
        CU_ASSERT_EQUAL(word(tag, 8), cases[i].lower);
        CU_ASSERT_EQUAL(word(tag, 12), cases[i].upper);
    }
}

CU_TestInfo plan_tests[] = {
    {"stream formats", formats}, {"regions", regions},
    {"segments", segments},      {"several loads", several_loads},
    {"no plan", no_plan},        {"multiboot2 information", information},
    {"low memory", low_memory},  {"a large memory map", large_map},
    CU_TEST_INFO_NULL,
};
