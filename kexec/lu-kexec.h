/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Staging the target of a live update.
 *
 * A target is a Xen as it comes out of Xen's build: a 32-bit multiboot2 ELF,
 * maybe packed by gzip.  Staging it means
 *
 *   lu_file_read()        the file, unpacked
 *   lu_target_parse()     what it says about itself
 *   lu_target_suits()     can it follow the Xen that runs, in its slot
 *   lu_cmdline_derive()   its command line
 *   lu_plan_make()        what goes where in the slot
 *   lu_xen_load()         all of it to Xen, through the kexec hypercall
 *
 * Everything but lu_xen_*() is computation on what it is given and works on any
 * machine.  Functions return LU_KEXEC_OK or what is wrong, and then also fill
 * *why; no function prints.
 */
#ifndef LU_KEXEC_H
#define LU_KEXEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen-liveupdate/stream.h>
#include <xen-liveupdate/handover.h>

#define LU_PAGE_SIZE 4096u
/* Xen's image starts this far above its base address (XEN_IMG_OFFSET). */
#define LU_IMAGE_OFFSET 0x200000u
/* Xen keeps that much of its command line, NUL included (xen_commandline_t). */
#define LU_CMDLINE_MAX 1024u

/* A build id as hexadecimal digits, NUL included. */
#define LU_BUILD_ID_TEXT 65u

enum lu_kexec_error {
    LU_KEXEC_OK = 0,
    LU_KEXEC_NO_MEMORY,
    LU_KEXEC_FILE,        /* the file cannot be read; errnum says why */
    LU_KEXEC_BAD_ARCHIVE, /* gzip'ed, but not soundly */
    LU_KEXEC_TRUNCATED,   /* the file ends before its content does */
    LU_KEXEC_NOT_ELF,
    LU_KEXEC_BAD_ELF, /* ELF headers that contradict each other */
    LU_KEXEC_NOT_XEN,
    LU_KEXEC_NOT_MULTIBOOT2,
    LU_KEXEC_NOT_RELOCATABLE,
    LU_KEXEC_NO_NOTE,        /* a Xen, but built without live update */
    LU_KEXEC_FORMAT_TOO_OLD, /* cannot read what the running Xen writes: too old */
    LU_KEXEC_FORMAT_TOO_NEW, /* ... does not read that old a stream any more */
    LU_KEXEC_NO_REGION,
    LU_KEXEC_REGION_TOO_SMALL, /* size_needed says what would do */
    LU_KEXEC_DOES_NOT_FIT,     /* the target refuses the slot's address, or fills 2 MiB too many */
    LU_KEXEC_CMDLINE_OPTION,   /* an option that a live update must not change */
    LU_KEXEC_CMDLINE_LENGTH,
    LU_KEXEC_MEMORY_MAP, /* the memory map does not fit where Xen puts it */
    LU_KEXEC_NO_XEN,     /* no way to make hypercalls */
    LU_KEXEC_HYPERCALL,  /* Xen said no; errnum says why */
};

/* "not-elf" and the like: for programs, never changes. */
const char *lu_kexec_error_name(enum lu_kexec_error error);

struct lu_kexec_why {
    enum lu_kexec_error error;
    int errnum;           /* LU_KEXEC_FILE, _NO_XEN, _HYPERCALL: errno; else 0 */
    uint64_t size_needed; /* LU_KEXEC_REGION_TOO_SMALL: bytes of a whole region */
    char text[384];       /* one sentence, without a full stop */
};

/* Fills *why and returns @error. */
enum lu_kexec_error lu_kexec_complain(struct lu_kexec_why *why, enum lu_kexec_error error,
                                      const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* ---- the file (file.c) ---- */

struct lu_file {
    uint8_t *data; /* unpacked; owned, see lu_file_free() */
    size_t size;
};

enum lu_kexec_error lu_file_read(struct lu_file *file, const char *path, struct lu_kexec_why *why);
void lu_file_free(struct lu_file *file);

/* ---- what a target says about itself (elf.c, multiboot2.c) ---- */

#define LU_MAX_LOADS 16

struct lu_target {
    struct {
        uint32_t offset, filesz; /* bytes in the file */
        uint32_t paddr, memsz;   /* where they belong, before relocation */
    } load[LU_MAX_LOADS];
    unsigned int nr_loads;
    uint32_t start;    /* first address of the image, a whole page */
    uint32_t data_end; /* end of what comes from the file */
    uint32_t end;      /* end of the image, BSS included, a whole page */
    uint32_t entry;
    uint32_t reloc_min, reloc_max, reloc_align; /* multiboot2: where it may be loaded */
    struct lu_note note;                        /* its texts are terminated and printable */
    char build_id[LU_BUILD_ID_TEXT];            /* in hexadecimal digits, "": none */
};

/* @data stays the caller's and is not needed any more by *target. */
enum lu_kexec_error lu_target_parse(struct lu_target *target, const void *data, size_t size,
                                    struct lu_kexec_why *why);

/* The multiboot2 header alone: part of lu_target_parse(). */
enum lu_kexec_error lu_multiboot2_header(struct lu_target *target, const uint8_t *data, size_t size,
                                         struct lu_kexec_why *why);

/* ---- where it goes ---- */

/* What the running Xen says: XEN_LIVEUPDATE_query. */
struct lu_place {
    uint64_t region_start, region_size;
    uint64_t slot_start, slot_size;
    uint32_t nr_slots; /* 0: no region */
    uint16_t format;   /* of the stream that the running Xen writes */
};

/* Bytes that a slot must have for @target. */
uint64_t lu_target_footprint(const struct lu_target *target);

enum lu_kexec_error lu_target_suits(const struct lu_target *target, const struct lu_place *place,
                                    struct lu_kexec_why *why);

/* ---- the command line (cmdline.c) ---- */

/*
 * The target's command line: the @source's, told where its slot is, and the
 * options of @append (may be NULL).  A domain must not see a difference, so only
 * options that are known to be without effect on domains may be appended.
 */
enum lu_kexec_error lu_cmdline_derive(char out[LU_CMDLINE_MAX], const char *source,
                                      const char *append, const struct lu_place *place,
                                      struct lu_kexec_why *why);

/* ---- multiboot2 information (mbi.c) ---- */

/* As XENMEM_machine_memory_map has it, and as int 15h, e820 has it. */
struct lu_memory_range {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
} __attribute__((packed));

#define LU_MEMORY_RAM 1u

struct lu_boot_info {
    const char *cmdline;
    const struct lu_memory_range *map;
    unsigned int nr_map;
    uint32_t module_start; /* the handover page */
    uint32_t module_end;
};

/*
 * Writes the information for @info to @buf, which the target sees at an address
 * that is a multiple of 8.  *used: bytes written.
 */
enum lu_kexec_error lu_mbi_build(void *buf, size_t size, const struct lu_boot_info *info,
                                 size_t *used, struct lu_kexec_why *why);

/* ---- the plan (plan.c) ---- */

struct lu_segment {
    const char *name;
    void *buf; /* owned by the plan; buf_size bytes, the rest is zero */
    size_t buf_size;
    uint64_t dest;      /* machine address, a whole page */
    uint64_t dest_size; /* bytes, whole pages */
    uint32_t crc;       /* CRC-32C of all dest_size bytes */
};

/*
 *   slot_start            handover page: written by Xen at the jump, in no segment
 *            + 4 KiB      "boot": entry stub, multiboot2 information
 *            + 2 MiB      "xen": the image with its BSS
 *   slot_end
 */
#define LU_PLAN_BOOT 0
#define LU_PLAN_XEN  1
#define LU_PLAN_NR   2

struct lu_plan {
    struct lu_segment segment[LU_PLAN_NR];
    uint64_t entry;     /* machine address of the stub */
    uint64_t mbi;       /* machine address of the multiboot2 information */
    uint64_t xen_entry; /* machine address of Xen's own entry */
};

/* What is written as hexadecimal digits; too long a @data is cut. */
void lu_build_id_text(char text[LU_BUILD_ID_TEXT], const uint8_t *data, size_t size);

/* @target has to suit @place. */
enum lu_kexec_error lu_plan_make(struct lu_plan *plan, const struct lu_file *file,
                                 const struct lu_target *target, const struct lu_place *place,
                                 const char *cmdline, const struct lu_memory_range *map,
                                 unsigned int nr_map, struct lu_kexec_why *why);
void lu_plan_free(struct lu_plan *plan);

/* ---- the running Xen (xen.c) ---- */

struct lu_xen;
struct xen_liveupdate;

enum lu_kexec_error lu_xen_open(struct lu_xen **xen, struct lu_kexec_why *why);
void lu_xen_close(struct lu_xen *xen);

/* "4.17.5-lu-source"; the changeset. */
enum lu_kexec_error lu_xen_version(struct lu_xen *xen, char version[64], char changeset[64],
                                   struct lu_kexec_why *why);
enum lu_kexec_error lu_xen_cmdline(struct lu_xen *xen, char cmdline[LU_CMDLINE_MAX],
                                   struct lu_kexec_why *why);
/* In hexadecimal digits; "" if Xen was built without one. */
enum lu_kexec_error lu_xen_build_id(struct lu_xen *xen, char build_id[LU_BUILD_ID_TEXT],
                                    struct lu_kexec_why *why);
/* Is this domain PVH (or HVM)? Such a one is not told the memory map. */
enum lu_kexec_error lu_xen_translated(struct lu_xen *xen, bool *translated,
                                      struct lu_kexec_why *why);
/* *map is the caller's to free(). */
enum lu_kexec_error lu_xen_memory_map(struct lu_xen *xen, struct lu_memory_range **map,
                                      unsigned int *nr, struct lu_kexec_why *why);

enum lu_kexec_error lu_xen_load(struct lu_xen *xen, const struct lu_plan *plan,
                                struct lu_kexec_why *why);
/* Unloads the staged target; no error if there is none. */
enum lu_kexec_error lu_xen_unload(struct lu_xen *xen, struct lu_kexec_why *why);
/* Is a crash kernel loaded? */
enum lu_kexec_error lu_xen_crash_loaded(struct lu_xen *xen, bool *loaded, struct lu_kexec_why *why);

/*
 * One sub-command of the kexec hypercall.  *op goes in and out.  @buf: what its
 * handle (the field "buf") shall point to, copied in and out; NULL if the
 * sub-command has none.
 */
enum lu_kexec_error lu_xen_liveupdate(struct lu_xen *xen, struct xen_liveupdate *op, void *buf,
                                      size_t size, struct lu_kexec_why *why);

#endif /* LU_KEXEC_H */
