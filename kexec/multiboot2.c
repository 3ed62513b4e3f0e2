/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The multiboot2 header of a target: that there is one, that it asks for nothing
 * we do not give, and where the image may be loaded.
 */

#include <string.h>

#include "lu-kexec.h"
#include "multiboot2.h"

struct header {
    uint32_t magic;
    uint32_t arch;
    uint32_t length;   /* tags included */
    uint32_t checksum; /* all four add up to 0 */
};

struct header_tag {
    uint16_t type;
    uint16_t flags;
    uint32_t size; /* this included; the next one is aligned to 8 */
};

struct header_relocatable {
    struct header_tag tag;
    uint32_t min, max, align;
    uint32_t preference;
};

struct header_entry {
    struct header_tag tag;
    uint32_t entry;
};

/* The header's offset in the file, or @size. */
static size_t find_header(const uint8_t *data, size_t size, struct header *h)
{
    size_t end = size < MB2_HEADER_SEARCH ? size : MB2_HEADER_SEARCH;

    for (size_t at = 0; at + sizeof(*h) <= end; at += MB2_HEADER_ALIGN) {
        memcpy(h, data + at, sizeof(*h));
        if (h->magic == MB2_HEADER_MAGIC && h->magic + h->arch + h->length + h->checksum == 0)
            return at;
    }

    return size;
}

/* One tag; @data holds tag->size bytes of it. */
static enum lu_kexec_error header_tag(struct lu_target *target, const struct header_tag *tag,
                                      const uint8_t *data, bool *relocatable,
                                      struct lu_kexec_why *why)
{
    struct header_relocatable reloc;
    struct header_entry entry;

    switch (tag->type) {
    case MB2_HEADER_TAG_RELOCATABLE:
        if (tag->size < sizeof(reloc))
            return lu_kexec_complain(why, LU_KEXEC_NOT_RELOCATABLE,
                                     "the multiboot2 tag that allows relocation is cut short");
        memcpy(&reloc, data, sizeof(reloc));
        target->reloc_min = reloc.min;
        target->reloc_max = reloc.max;
        target->reloc_align = reloc.align;
        *relocatable = true;
        return LU_KEXEC_OK;

    case MB2_HEADER_TAG_ENTRY:
        if (tag->size < sizeof(entry.tag) + sizeof(entry.entry))
            return lu_kexec_complain(why, LU_KEXEC_NOT_MULTIBOOT2,
                                     "the multiboot2 entry tag is cut short");
        memcpy(&entry, data, sizeof(entry));
        target->entry = entry.entry;
        return LU_KEXEC_OK;

    /* Given: memory map and sizes, the module on a page of its own. */
    case MB2_HEADER_TAG_INFORMATION:
    case MB2_HEADER_TAG_MODULE_ALIGN:
    /* Wishes for a console, and the ways in from EFI: not this way. */
    case MB2_HEADER_TAG_CONSOLE:
    case MB2_HEADER_TAG_FRAMEBUFFER:
    case MB2_HEADER_TAG_EFI_BS:
    case MB2_HEADER_TAG_ENTRY_EFI32:
    case MB2_HEADER_TAG_ENTRY_EFI64: return LU_KEXEC_OK;

    default:
        if (tag->flags & MB2_HEADER_TAG_FLAG_OPTIONAL)
            return LU_KEXEC_OK;
        return lu_kexec_complain(why, LU_KEXEC_NOT_MULTIBOOT2,
                                 "its multiboot2 header demands feature %u, which a live update "
                                 "does not offer",
                                 tag->type);
    }
}

enum lu_kexec_error lu_multiboot2_header(struct lu_target *target, const uint8_t *data, size_t size,
                                         struct lu_kexec_why *why)
{
    struct header h;
    struct header_tag tag;
    size_t at = find_header(data, size, &h), end;
    bool relocatable = false, ended = false;

    if (at == size || h.arch != MB2_ARCH_I386)
        return lu_kexec_complain(why, LU_KEXEC_NOT_MULTIBOOT2,
                                 "no multiboot2 header in its first %u KiB",
                                 MB2_HEADER_SEARCH >> 10);
    if (h.length < sizeof(h) || h.length > size - at)
        return lu_kexec_complain(why, LU_KEXEC_NOT_MULTIBOOT2,
                                 "its multiboot2 header has an impossible length (%u)", h.length);

    end = at + h.length;
    for (at += sizeof(h); !ended && end - at >= sizeof(tag);) {
        size_t step;
        enum lu_kexec_error error;

        memcpy(&tag, data + at, sizeof(tag));
        if (tag.size < sizeof(tag) || tag.size > end - at)
            break;
        ended = tag.type == MB2_HEADER_TAG_END;
        if (!ended) {
            error = header_tag(target, &tag, data + at, &relocatable, why);
            if (error)
                return error;
        }
        step = ((size_t)tag.size + MB2_HEADER_ALIGN - 1) & ~(size_t)(MB2_HEADER_ALIGN - 1);
        at = step < end - at ? at + step : end;
    }

    if (!ended)
        return lu_kexec_complain(why, LU_KEXEC_NOT_MULTIBOOT2,
                                 "the tags of its multiboot2 header do not end");
    if (!relocatable)
        return lu_kexec_complain(why, LU_KEXEC_NOT_RELOCATABLE,
                                 "its multiboot2 header does not allow relocation, so it can only "
                                 "run where it was linked");

    return LU_KEXEC_OK;
}
