/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Multiboot2 information for the target.
 *
 * Xen copies command line, names, modules and memory map to the end of its
 * trampoline below 1 MiB (mbi2_reloc() in arch/x86/boot/reloc.c) without looking
 * whether they fit, and keeps two pages free for them (MBI_SPACE_MIN).
 */

#include <string.h>

#include "lu-kexec.h"
#include "multiboot2.h"

/*
 * Xen drops the first word of a line that does not come from GRUB 2
 * (cmdline_cook() in arch/x86/setup.c).
 */
#define IMAGE_NAME "xen "

/* Of the two pages: what is left after the fixed parts of Multiboot(1)'s structures. */
#define COPY_ROOM (2 * LU_PAGE_SIZE - 512)
/* Bytes of one entry of Multiboot(1)'s memory map. */
#define MMAP_COPY_SIZE 24u

/* Xen's trampoline, with what it copies there and a stack, is that large and ends below LOW_MEMORY. */
#define TRAMPOLINE 0x10000u
#define LOW_MEMORY 0xa0000u
/* An end below this is none to Xen: it goes by the BIOS data area alone. */
#define LOW_MEMORY_MIN 0x40000u
#define HIGH_MEMORY    0x100000u

struct writer {
    uint8_t *buf;
    size_t size, used;
    bool full;
};

static void put(struct writer *w, const void *data, size_t len)
{
    if (w->full || len > w->size - w->used) {
        w->full = true;
        return;
    }
    memcpy(w->buf + w->used, data, len);
    w->used += len;
}

static void put32(struct writer *w, uint32_t value)
{
    put(w, &value, sizeof(value));
}

static void put64(struct writer *w, uint64_t value)
{
    put(w, &value, sizeof(value));
}

/* Opens a tag: @len bytes will follow its head. */
static void put_tag(struct writer *w, uint32_t type, size_t len)
{
    static const uint8_t zero[MB2_TAG_ALIGN];

    put(w, zero, -w->used & (MB2_TAG_ALIGN - 1));
    put32(w, type);
    put32(w, 2 * sizeof(uint32_t) + len);
}

static void put_string(struct writer *w, uint32_t type, const char *prefix, const char *s)
{
    put_tag(w, type, strlen(prefix) + strlen(s) + 1);
    put(w, prefix, strlen(prefix));
    put(w, s, strlen(s) + 1);
}

/* Adjacent ranges of one type are one range: Xen's room for the map is small. */
static bool follows(const struct lu_memory_range *a, const struct lu_memory_range *b)
{
    return a->type == b->type && a->addr + a->size == b->addr;
}

static unsigned int map_entries(const struct lu_boot_info *info)
{
    unsigned int nr = 0;

    for (unsigned int i = 0; i < info->nr_map; i++)
        nr += !i || !follows(&info->map[i - 1], &info->map[i]);

    return nr;
}

static void put_map(struct writer *w, const struct lu_boot_info *info)
{
    unsigned int i, j;

    put_tag(w, MB2_TAG_MMAP, 2 * sizeof(uint32_t) + map_entries(info) * 24ul);
    put32(w, 24); /* bytes of an entry */
    put32(w, 0);  /* their version */
    for (i = 0; i < info->nr_map; i = j) {
        uint64_t size = info->map[i].size;

        for (j = i + 1; j < info->nr_map && follows(&info->map[j - 1], &info->map[j]); j++)
            size += info->map[j].size;
        put64(w, info->map[i].addr);
        put64(w, size);
        put32(w, info->map[i].type);
        put32(w, 0);
    }
}

/*
 * Where the RAM ends below which Xen shall put its trampoline.  It takes the smaller of this and what the
 * BIOS data area says (arch/x86/boot/head.S), and what is below, whatever that is.  So this is the highest
 * that has room; EFI firmware may keep pieces of the first 640 KiB.
 */
static uint32_t low_memory(const struct lu_boot_info *info)
{
    uint64_t end = 0;

    for (unsigned int i = 0; i < info->nr_map; i++) {
        const struct lu_memory_range *e = &info->map[i];
        uint64_t e_end = e->addr + e->size;

        if (e_end > LOW_MEMORY)
            e_end = LOW_MEMORY;
        e_end &= -(uint64_t)LU_PAGE_SIZE;
        if (e->type == LU_MEMORY_RAM && e->addr < e_end && e_end - e->addr >= TRAMPOLINE &&
            e_end > end)
            end = e_end;
    }

    return end;
}

/* In KiB: the end of what Xen's trampoline may have, and the size of RAM at 1 MiB. */
static void put_meminfo(struct writer *w, const struct lu_boot_info *info)
{
    uint64_t upper = 0;

    for (unsigned int i = 0; i < info->nr_map; i++) {
        const struct lu_memory_range *e = &info->map[i];

        if (e->type == LU_MEMORY_RAM && e->addr <= HIGH_MEMORY && e->addr + e->size > HIGH_MEMORY)
            upper = (e->addr + e->size - HIGH_MEMORY) >> 10;
    }

    put_tag(w, MB2_TAG_MEMINFO, 2 * sizeof(uint32_t));
    put32(w, low_memory(info) >> 10);
    put32(w, upper < UINT32_MAX ? upper : UINT32_MAX);
}

static void put_module(struct writer *w, const struct lu_boot_info *info)
{
    put_tag(w, MB2_TAG_MODULE, 2 * sizeof(uint32_t) + sizeof(LU_MODULE_RESUME));
    put32(w, info->module_start);
    put32(w, info->module_end);
    put(w, LU_MODULE_RESUME, sizeof(LU_MODULE_RESUME));
}

enum lu_kexec_error lu_mbi_build(void *buf, size_t size, const struct lu_boot_info *info,
                                 size_t *used, struct lu_kexec_why *why)
{
    struct writer w = {.buf = buf, .size = size};
    size_t copied = strlen(info->cmdline) + map_entries(info) * MMAP_COPY_SIZE;
    uint32_t total;

    if (copied > COPY_ROOM)
        return lu_kexec_complain(why, LU_KEXEC_MEMORY_MAP,
                                 "the memory map (%u ranges) and the command line need %zu bytes; "
                                 "Xen has room for %u",
                                 map_entries(info), copied, COPY_ROOM);
    if (low_memory(info) < LOW_MEMORY_MIN)
        return lu_kexec_complain(
            why, LU_KEXEC_MEMORY_MAP,
            "there is no piece of RAM of %u KiB that ends between %u and %u KiB, "
            "where Xen's boot begins",
            TRAMPOLINE >> 10, LOW_MEMORY_MIN >> 10, LOW_MEMORY >> 10);

    put32(&w, 0); /* total size: known at the end */
    put32(&w, 0);
    put_string(&w, MB2_TAG_CMDLINE, IMAGE_NAME, info->cmdline);
    put_string(&w, MB2_TAG_LOADER, "", LU_LOADER_NAME);
    put_meminfo(&w, info);
    put_map(&w, info);
    put_module(&w, info);
    put_tag(&w, MB2_TAG_END, 0);
    if (w.full)
        return lu_kexec_complain(why, LU_KEXEC_DOES_NOT_FIT,
                                 "the boot information does not fit %zu bytes", size);

    total = w.used;
    memcpy(buf, &total, sizeof(total));
    *used = w.used;

    return LU_KEXEC_OK;
}
