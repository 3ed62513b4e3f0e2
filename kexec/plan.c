/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goes where in the slot, and whether it fits.
 *
 * The image is moved by slot_start, so that Xen's base address (xen_phys_start)
 * is the slot's.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lu-kexec.h"

#define MIB        (1u << 20)
#define SLOT_ALIGN (2u * MIB)
/* Paging is off when the target starts, and it is a 32-bit image. */
#define ADDRESS_LIMIT (1ull << 32)
/* The stub stands first, the information behind it. */
#define MBI_OFFSET 64u
/* Room for stub and information, between the handover page and the image. */
#define BOOT_ROOM (64u << 10)
_Static_assert(BOOT_ROOM <= LU_IMAGE_OFFSET - LU_PAGE_SIZE, "boot segment");

extern const uint8_t lu_entry32[], lu_entry32_mbi[], lu_entry32_xen[], lu_entry32_end[];

static uint64_t round_up(uint64_t n, uint64_t align)
{
    return (n + align - 1) / align * align;
}

uint64_t lu_target_footprint(const struct lu_target *target)
{
    return round_up(round_up(target->end, SLOT_ALIGN) + target->note.slot_min, SLOT_ALIGN);
}

static enum lu_kexec_error check_format(const struct lu_target *t, const struct lu_place *place,
                                        struct lu_kexec_why *why)
{
    if (t->note.format < place->format)
        return lu_kexec_complain(why, LU_KEXEC_FORMAT_TOO_OLD,
                                 "the target (%s) is too old: it reads streams of format %u to %u, "
                                 "and the running Xen writes format %u",
                                 t->note.version, t->note.format_oldest, t->note.format,
                                 place->format);
    if (t->note.format_oldest > place->format)
        return lu_kexec_complain(why, LU_KEXEC_FORMAT_TOO_NEW,
                                 "the target (%s) is too new: it reads streams of format %u to %u, "
                                 "and the running Xen writes format %u; update in smaller steps",
                                 t->note.version, t->note.format_oldest, t->note.format,
                                 place->format);

    return LU_KEXEC_OK;
}

static enum lu_kexec_error check_size(const struct lu_target *t, const struct lu_place *place,
                                      struct lu_kexec_why *why)
{
    uint64_t need = lu_target_footprint(t);
    uint32_t slots = place->nr_slots;

    if (need <= place->slot_size)
        return LU_KEXEC_OK;

    lu_kexec_complain(why, LU_KEXEC_REGION_TOO_SMALL,
                      "the reserved region is too small: the target needs a slot of %" PRIu64
                      " MiB and has %" PRIu64 " MiB; boot with liveupdate=%" PRIu64 "M%s",
                      need / MIB, place->slot_size / MIB, need * slots / MIB,
                      slots == 2 ? "" : " and the same number of slots");
    why->size_needed = need * slots;

    return LU_KEXEC_REGION_TOO_SMALL;
}

/* The multiboot2 header has its own say about the address. */
static enum lu_kexec_error check_address(const struct lu_target *t, const struct lu_place *place,
                                         struct lu_kexec_why *why)
{
    uint64_t start = place->slot_start + t->start, end = place->slot_start + t->end;

    if ((place->slot_start | place->slot_size) % SLOT_ALIGN ||
        place->slot_start + place->slot_size > ADDRESS_LIMIT)
        return lu_kexec_complain(why, LU_KEXEC_DOES_NOT_FIT,
                                 "the slot [%#" PRIx64 ", %#" PRIx64
                                 ") is not in whole 2 MiB pages below 4 GiB",
                                 place->slot_start, place->slot_start + place->slot_size);
    if (start < t->reloc_min || end - 1 > t->reloc_max ||
        (t->reloc_align && place->slot_start % t->reloc_align))
        return lu_kexec_complain(why, LU_KEXEC_DOES_NOT_FIT,
                                 "the target does not fit [%#" PRIx64 ", %#" PRIx64
                                 "): it wants to be loaded between %#x and %#x, aligned to %#x",
                                 start, end, t->reloc_min, t->reloc_max, t->reloc_align);

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_target_suits(const struct lu_target *target, const struct lu_place *place,
                                    struct lu_kexec_why *why)
{
    enum lu_kexec_error error = check_format(target, place, why);

    if (error)
        return error;
    /* Sums with what no slot can have would wrap. */
    if (target->note.slot_min > ADDRESS_LIMIT)
        return lu_kexec_complain(why, LU_KEXEC_DOES_NOT_FIT,
                                 "the target asks for a slot of %" PRIu64
                                 " MiB, more than there is below 4 GiB",
                                 target->note.slot_min / MIB);
    if (!place->nr_slots || !place->slot_size)
        return lu_kexec_complain(why, LU_KEXEC_NO_REGION,
                                 "the running Xen has reserved no memory for a live update; boot "
                                 "it with liveupdate=%" PRIu64 "M",
                                 2 * lu_target_footprint(target) / MIB);
    error = check_size(target, place, why);
    if (error)
        return error;

    return check_address(target, place, why);
}

/* CRC-32C of the segment as it will lie in memory. */
static uint32_t segment_crc(const struct lu_segment *s)
{
    static const uint8_t zero[LU_PAGE_SIZE];
    uint32_t crc = lu_crc32c(0, s->buf, s->buf_size);
    uint64_t left = s->dest_size - s->buf_size;

    for (uint64_t n; left; left -= n) {
        n = left < sizeof(zero) ? left : sizeof(zero);
        crc = lu_crc32c(crc, zero, n);
    }

    return crc;
}

/* One segment for the image, whatever its PT_LOADs are: gaps and BSS are zero. */
static enum lu_kexec_error plan_xen(struct lu_plan *plan, const struct lu_file *file,
                                    const struct lu_target *t, const struct lu_place *place,
                                    struct lu_kexec_why *why)
{
    struct lu_segment *s = &plan->segment[LU_PLAN_XEN];

    s->name = "xen";
    s->buf_size = t->data_end - t->start;
    s->dest = place->slot_start + t->start;
    s->dest_size = t->end - t->start;
    s->buf = calloc(1, s->buf_size);
    if (!s->buf)
        return lu_kexec_complain(why, LU_KEXEC_NO_MEMORY, "no memory for %zu bytes of the image",
                                 s->buf_size);

    for (unsigned int i = 0; i < t->nr_loads; i++)
        memcpy((uint8_t *)s->buf + (t->load[i].paddr - t->start), file->data + t->load[i].offset,
               t->load[i].filesz);
    plan->xen_entry = place->slot_start + t->entry;

    return LU_KEXEC_OK;
}

static void patch32(uint8_t *code, const uint8_t *where, uint64_t value)
{
    uint32_t v = value;

    memcpy(code + (where - lu_entry32), &v, sizeof(v));
}

static enum lu_kexec_error plan_boot(struct lu_plan *plan, const struct lu_place *place,
                                     const struct lu_boot_info *info, struct lu_kexec_why *why)
{
    struct lu_segment *s = &plan->segment[LU_PLAN_BOOT];
    enum lu_kexec_error error;
    size_t used = 0;

    s->name = "boot";
    s->dest = place->slot_start + LU_PAGE_SIZE;
    s->buf = calloc(1, BOOT_ROOM);
    if (!s->buf)
        return lu_kexec_complain(why, LU_KEXEC_NO_MEMORY, "no memory for the boot information");

    error = lu_mbi_build((uint8_t *)s->buf + MBI_OFFSET, BOOT_ROOM - MBI_OFFSET, info, &used, why);
    if (error)
        return error;

    plan->entry = s->dest;
    plan->mbi = s->dest + MBI_OFFSET;
    memcpy(s->buf, lu_entry32, lu_entry32_end - lu_entry32);
    patch32(s->buf, lu_entry32_mbi, plan->mbi);
    patch32(s->buf, lu_entry32_xen, plan->xen_entry);

    s->buf_size = MBI_OFFSET + used;
    s->dest_size = round_up(s->buf_size, LU_PAGE_SIZE);

    return LU_KEXEC_OK;
}

enum lu_kexec_error lu_plan_make(struct lu_plan *plan, const struct lu_file *file,
                                 const struct lu_target *target, const struct lu_place *place,
                                 const char *cmdline, const struct lu_memory_range *map,
                                 unsigned int nr_map, struct lu_kexec_why *why)
{
    const struct lu_boot_info info = {
        .cmdline = cmdline,
        .map = map,
        .nr_map = nr_map,
        .module_start = place->slot_start,
        .module_end = place->slot_start + LU_PAGE_SIZE,
    };
    enum lu_kexec_error error;

    *plan = (struct lu_plan){0};
    error = plan_xen(plan, file, target, place, why);
    if (!error)
        error = plan_boot(plan, place, &info, why);
    if (error) {
        lu_plan_free(plan);
        return error;
    }

    for (unsigned int i = 0; i < LU_PLAN_NR; i++)
        plan->segment[i].crc = segment_crc(&plan->segment[i]);

    return LU_KEXEC_OK;
}

void lu_plan_free(struct lu_plan *plan)
{
    for (unsigned int i = 0; i < LU_PLAN_NR; i++)
        free(plan->segment[i].buf);
    *plan = (struct lu_plan){0};
}
