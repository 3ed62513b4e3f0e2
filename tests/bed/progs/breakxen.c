/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * breakxen KIND IN OUT: copies a Xen image with one thing broken, so that a live update has to
 * refuse it for exactly that.
 *
 *   multiboot2   no multiboot2 header
 *   relocatable  the header does not allow relocation
 *   note         no live-update note: a Xen built without it
 *   stranger     neither note nor Xen's banner: another multiboot2 kernel
 *   format-old   a note that reads only older streams than the running Xen writes
 *   format-new   a note that reads only newer ones
 *   slot         a note that asks for a slot of 1 GiB
 *   silent       a note that does not say what this Xen is built with
 *   lacks=BITS   a note that has none of these bits of that
 *   has=BITS     a note that has all of them
 */
#define _GNU_SOURCE /* memmem() */
#include "common.h"

/* Multiboot2 Specification version 2.0, section 3.1; as in kexec/multiboot2.h. */
#define MB2_MAGIC           "\xd6\x50\x52\xe8"
#define MB2_SEARCH          32768u
#define MB2_HEADER          16u
#define MB2_TAG_RELOCATABLE 10u
#define MB2_TAG_OPTIONAL    1u
#define TAG_UNKNOWN         0x7fffu

/* The head of the note: lengths of its name and of what follows, type, name. Xen has the name elsewhere, too. */
#define NOTE_HEAD "\x0e\0\0\0\x70\0\0\0\1\0\0\0XenLiveUpdate"
#define NOTE_NAME 12u
#define NOTE_DESC 28u
#define BANNER    "Xen version %d.%d%s"

/* struct lu_note of format/include/xen-liveupdate/handover.h, which a test must not follow blindly. */
struct note {
    uint16_t format, format_oldest;
    uint32_t flags;
    uint64_t slot_min;
};

static uint8_t *image;
static size_t size;

static _Noreturn void fail(const char *what, const char *name)
{
    fprintf(stderr, "breakxen: %s: %s\n", what, name);
    exit(1);
}

/* The only place of these bytes, or the first below @limit. */
static uint8_t *find(const char *bytes, size_t n, size_t limit)
{
    uint8_t *p = memmem(image, limit < size ? limit : size, bytes, n);

    if (!p)
        fail("not found in the image", bytes);

    return p;
}

static void break_relocatable(void)
{
    uint8_t *header = find(MB2_MAGIC, 4, MB2_SEARCH);
    uint32_t length;

    memcpy(&length, header + 8, sizeof(length));
    for (uint32_t at = MB2_HEADER; at + 8 <= length;) {
        struct {
            uint16_t type, flags;
            uint32_t size;
        } tag;

        memcpy(&tag, header + at, sizeof(tag));
        if (tag.type == MB2_TAG_RELOCATABLE) {
            tag.type = TAG_UNKNOWN;
            tag.flags = MB2_TAG_OPTIONAL;
            memcpy(header + at, &tag, sizeof(tag));
            return;
        }
        at += tag.size ? (tag.size + 7) & ~7u : length;
    }
    fail("not found in the image", "the tag that allows relocation");
}

static void break_note(const char *kind)
{
    uint8_t *head = find(NOTE_HEAD, sizeof(NOTE_HEAD), size);
    uint8_t *desc = head + NOTE_DESC;
    struct note note;

    memcpy(&note, desc, sizeof(note));
    if (!strcmp(kind, "format-old"))
        note.format_oldest = --note.format;
    else if (!strcmp(kind, "format-new"))
        note.format_oldest = ++note.format;
    else if (!strcmp(kind, "slot"))
        note.slot_min = 1u << 30;
    else if (!strcmp(kind, "silent"))
        note.flags = 0;
    else if (!strncmp(kind, "lacks=", 6))
        note.flags &= ~strtoul(kind + 6, NULL, 0);
    else if (!strncmp(kind, "has=", 4))
        note.flags |= strtoul(kind + 4, NULL, 0);
    else
        head[NOTE_NAME] = '-';
    memcpy(desc, &note, sizeof(note));
}

static void break_it(const char *kind)
{
    static const char *const notes[] = {"note",       "stranger", "format-old",
                                        "format-new", "slot",     "silent"};

    if (!strcmp(kind, "multiboot2")) {
        memset(find(MB2_MAGIC, 4, MB2_SEARCH), 0, 4);
        return;
    }
    if (!strcmp(kind, "relocatable")) {
        break_relocatable();
        return;
    }
    if (!strncmp(kind, "lacks=", 6) || !strncmp(kind, "has=", 4)) {
        break_note(kind);
        return;
    }
    if (!strcmp(kind, "stranger"))
        memset(find(BANNER, sizeof(BANNER) - 1, size), '-', sizeof(BANNER) - 1);
    for (size_t i = 0; i < sizeof(notes) / sizeof(notes[0]); i++)
        if (!strcmp(kind, notes[i])) {
            break_note(kind);
            return;
        }
    fail("no such kind", kind);
}

static void read_image(const char *path)
{
    FILE *f = fopen(path, "rb");
    long end;

    if (!f || fseek(f, 0, SEEK_END) || (end = ftell(f)) < 0)
        fail("cannot be read", path);
    rewind(f);
    size = end;
    image = malloc(size + 1);
    if (!image || fread(image, 1, size, f) != size)
        fail("cannot be read", path);
    fclose(f);
}

int main(int argc, char **argv)
{
    FILE *f;

    if (argc != 4)
        fail("usage", "breakxen KIND IN OUT");

    read_image(argv[2]);
    break_it(argv[1]);

    f = fopen(argv[3], "wb");
    if (!f || fwrite(image, 1, size, f) != size || fclose(f))
        fail("cannot be written", argv[3]);

    return 0;
}
