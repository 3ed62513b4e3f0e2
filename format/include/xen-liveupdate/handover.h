/* SPDX-License-Identifier: MIT */
/*
 * The handover page: the first page of the target's slot, written by the source
 * just before the jump.  It is the only thing that the target reads before it
 * has mapped the RAM above 4 GiB, and says where the stream's frames are.
 *
 * Our own loader also adds a multiboot2 module whose body is this very page;
 * stock kexec-tools does not, so the page is what counts.
 */
#ifndef XEN_LIVEUPDATE_HANDOVER_H
#define XEN_LIVEUPDATE_HANDOVER_H

#include "types.h"

#define LU_HANDOVER_MAGIC   0x444e48554c4e4558ULL /* the bytes "XENLUHND" */
#define LU_HANDOVER_EXTENTS 64

/*
 * How the loader names itself in the multiboot2 information (tag 2).  A page of
 * RAM alone does not make a live update: whoever had it before could have left
 * anything there.  Stock kexec-tools is known by the other prefix.
 */
#define LU_LOADER_NAME  "xen-liveupdate"
#define LU_LOADER_KEXEC "kexec "

/* Command line tags of the multiboot2 module. */
#define LU_MODULE_RESUME "xen-liveupdate=resume"

struct lu_extent {
    uint64_t mfn;
    uint64_t nr; /* frames */
};

struct lu_handover {
    uint64_t magic;
    uint16_t format; /* LU_FORMAT_VERSION of the stream */
    uint16_t nr_extents;
    uint32_t crc;          /* CRC-32C of the page, this field as 0 */
    uint64_t stream_len;   /* bytes; fills the extents in order */
    uint32_t stream_crc;   /* header_crc of the stream: ties the two together */
    uint32_t generation;   /* of the target: updates since the host booted */
    uint64_t slot_start;   /* machine address of the target's slot */
    uint64_t slot_size;    /* bytes */
    uint64_t region_start; /* all slots: none of it may ever enter the heap */
    uint64_t region_size;
    uint32_t nr_slots;
    uint32_t flags;
    int64_t save_start;    /* system time of the source, ns: first record */
    int64_t verify_start;  /* the stream is complete */
    int64_t collect_start; /* point of no return */
    int64_t jump_start;    /* all other CPUs are parked */
    struct lu_extent extent[LU_HANDOVER_EXTENTS];
    uint64_t rsdp; /* machine address of the ACPI root pointer, 0: found by scanning */
    /*
     * The way back: machine address of the source's code, below 4 GiB; 0: there is none.  Entered in 64-bit mode by each
     * CPU that the target runs on, with the first 4 GiB mapped one to one, no feature of CR4 but PAE, outside of VMX
     * and SVM, interrupts and NMIs off, and the CPU's local APIC id in EDI.
     */
    uint64_t way_back;
    /* Debug builds: refuse on purpose in this phase, 0: do not; with LU_FAULT_HANG: hang there. */
    uint32_t fault_phase;
    uint32_t fault_point; /* there: index of the resource, or of the step */
    /* TSC from which on an NMI means that the target has taken too long, 0: there is none. */
    uint64_t deadline;
};
#define LU_FAULT_HANG 0x80000000u

/* What the target has to say when it goes back.  In the handover page, LU_RETURN_OFFSET bytes into it. */
#define LU_RETURN_OFFSET 2048
#define LU_RETURN_MAGIC  0x4e5554524c4e4558ULL /* the bytes "XENLRTUN" */

struct lu_return {
    uint64_t magic;
    uint32_t phase; /* XEN_LIVEUPDATE_PHASE_* */
    uint32_t error; /* errno, positive */
    uint32_t domid; /* XEN_LIVEUPDATE_NO_DOMAIN: the host */
    uint32_t log_len;
    char resource[32]; /* name; "": of none */
    char reason[192];
    char log[1792]; /* the end of what the target has printed, log_len bytes */
};
_Static_assert(sizeof(struct lu_handover) <= LU_RETURN_OFFSET, "handover page overflows");
_Static_assert(LU_RETURN_OFFSET + sizeof(struct lu_return) <= 4096, "struct lu_return overflows");

/*
 * ELF note of a Xen that can be the target of a live update.
 * Name "XenLiveUpdate", type LU_NOTE_TYPE, in a PT_NOTE segment.
 */
#define LU_NOTE_NAME "XenLiveUpdate"
#define LU_NOTE_TYPE 1u

struct lu_note {
    uint16_t format;        /* stream format that this Xen writes */
    uint16_t format_oldest; /* oldest that it reads */
    uint32_t flags;         /* LU_HAS_*: what it is built with; 0: it does not say */
    uint64_t slot_min;      /* bytes that a slot must have besides the image */
    char version[32];       /* "4.17.5-lu-target" */
    char changeset[64];
};

/* The other bits count.  A Xen that is older than they are has 0, which does not mean "nothing". */
#define LU_HAS_KNOWN 0x80000000u

#define LU_FEATURE(bit, option, name, use) LU_HAS_##option = 1 << bit,
enum lu_has {
#include "features.def"
};
#undef LU_FEATURE

#endif /* XEN_LIVEUPDATE_HANDOVER_H */
