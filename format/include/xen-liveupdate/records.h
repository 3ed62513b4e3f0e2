/* SPDX-License-Identifier: MIT */
/*
 * The records as C: for a record NAME/name
 *
 *   LU_REC_NAME                type number
 *   LU_REC_NAME_VERSION        version that this build writes
 *   struct lu_name             fixed part
 *   struct lu_name_entry       one entry (an empty structure: no entries)
 *
 * All of it expands from records.def; nothing here is typed twice.
 */
#ifndef XEN_LIVEUPDATE_RECORDS_H
#define XEN_LIVEUPDATE_RECORDS_H

#include "types.h"

/* Record flags. */
#define LU_MANDATORY 1u /* a reader that does not know it refuses the stream */
#define LU_OPTIONAL  0u /* a reader that does not know it skips it */

/* Classes of MEMMAP. */
enum lu_mem_class {
    LU_MEM_DOMAIN = 1,   /* owned by a domain */
    LU_MEM_KEPT = 2,     /* stays for the hardware or for all: M2P, region */
    LU_MEM_PRIVATE = 3,  /* the source's own: free once the target has resumed */
    LU_MEM_STREAM = 4,   /* the stream itself: free once the target has read it */
    LU_MEM_IO_TABLE = 5, /* holds an I/O page table for a domain */
    LU_MEM_OFFLINE = 6,  /* taken out of use; until somebody brings it back */
    LU_MEM_BROKEN = 7,   /* taken out of use for good, as it failed */
    LU_MEM_BAD = 8,      /* never in use: known to be bad when the host booted */
};

/* Types of FRAMES. */
enum lu_frame_type {
    LU_FRAME_TYPE_NONE = 0,
    LU_FRAME_TYPE_L1 = 1,
    LU_FRAME_TYPE_L2 = 2,
    LU_FRAME_TYPE_L3 = 3,
    LU_FRAME_TYPE_L4 = 4,
    LU_FRAME_TYPE_SEG_DESC = 5,
    LU_FRAME_TYPE_WRITABLE = 6,
};
#define LU_FRAME_TYPE(flags)    ((flags) >> 12)
#define LU_FRAME_SET_TYPE(type) ((type) << 12)
/* Flags of FRAMES. */
#define LU_FRAME_PINNED      0x0001u /* the guest pinned it to its type */
#define LU_FRAME_VALIDATED   0x0002u /* its content was checked for its type */
#define LU_FRAME_NONCOHERENT 0x0004u /* was mapped writable and non-coherent (XSA-402) */
#define LU_FRAME_ALLOCATED   0x0008u /* one of the references is the allocation's */
#define LU_FRAME_XENHEAP     0x0010u /* lent by Xen: shared_info, grant frames, M2P */
#define LU_FRAME_EXTRA       0x0020u /* does not count against max_pages */
#define LU_FRAME_PAGETABLE   0x0040u /* was ever used as a page table */
#define LU_FRAME_RO_M2P      0x0080u /* L4: maps the read-only M2P */
#define LU_FRAME_PARTIAL     0x0100u /* validated in part: see PARTIAL_TABLES */
#define LU_FRAME_OFFLINING   0x0200u /* LU_MEM_OFFLINE, or BROKEN, as soon as it is free */
#define LU_FRAME_BROKEN      0x0400u /* known to be bad; goes offline */
#define LU_FRAME_ALL         0x07ffu

/* Flags of TIME. */
#define LU_TIME_TSC_CONSTANT 0x0001u /* ticks at one rate whatever the CPU's frequency */
#define LU_TIME_TSC_NONSTOP  0x0002u /* goes on in every C state */
#define LU_TIME_TSC_RELIABLE 0x0004u /* in step on all CPUs: no warp was seen */
#define LU_TIME_TSC_READONLY 0x0008u /* writing it was tried, and does not work */
#define LU_TIME_IOAPIC_TIMER 0x0010u /* IRQ0 arrives through the IO-APIC as firmware says */

/* Scope: what domid and index of the record header mean. */
enum lu_scope {
    LU_SCOPE_HOST,   /* neither is used, both are 0 */
    LU_SCOPE_DOMAIN, /* domid; index is 0 */
    LU_SCOPE_VCPU,   /* domid; index is the vCPU */
};

/* clang-format off */

/* Type numbers and versions. */
#define LU_RECORD(NAME, name, type, version, flags, scope, doc) \
    LU_REC_##NAME = (type), LU_REC_##NAME##_VERSION = (version),
#define LU_FIELD(type, field, doc)
#define LU_ARRAY(type, field, n, doc)
#define LU_CHARS(field, n, doc)
#define LU_ENTRIES(NAME, name, doc)
#define LU_END(NAME, name)
enum lu_record_type {
#include "records.def"
};
#undef LU_RECORD
#undef LU_FIELD
#undef LU_ARRAY
#undef LU_CHARS
#undef LU_ENTRIES
#undef LU_END

/* Where each stands in lu_records[]. */
#define LU_RECORD(NAME, name, type, version, flags, scope, doc) LU_INDEX_##NAME,
#define LU_FIELD(type, field, doc)
#define LU_ARRAY(type, field, n, doc)
#define LU_CHARS(field, n, doc)
#define LU_ENTRIES(NAME, name, doc)
#define LU_END(NAME, name)
enum lu_record_index {
#include "records.def"
    LU_NR_RECORDS
};
#undef LU_RECORD
#undef LU_FIELD
#undef LU_ARRAY
#undef LU_CHARS
#undef LU_ENTRIES
#undef LU_END

/* Structures. */
#define LU_RECORD(NAME, name, type, version, flags, scope, doc) struct lu_##name {
#define LU_FIELD(type, field, doc) type field;
#define LU_ARRAY(type, field, n, doc) type field[n];
#define LU_CHARS(field, n, doc) char field[n];
#define LU_ENTRIES(NAME, name, doc) }; struct lu_##name##_entry {
#define LU_END(NAME, name) };
#include "records.def"
#undef LU_RECORD
#undef LU_FIELD
#undef LU_ARRAY
#undef LU_CHARS
#undef LU_ENTRIES
#undef LU_END

/* No implicit padding: the fields add up to the structure. */
#define LU_RECORD(NAME, name, type, version, flags, scope, doc) \
    enum { lu_##name##_sum = 0
#define LU_FIELD(type, field, doc) + sizeof(type)
#define LU_ARRAY(type, field, n, doc) + sizeof(type) * (n)
#define LU_CHARS(field, n, doc) + (n)
#define LU_ENTRIES(NAME, name, doc) , lu_##name##_entry_sum = 0
#define LU_END(NAME, name) }; \
    _Static_assert(sizeof(struct lu_##name) == lu_##name##_sum, #NAME " padded"); \
    _Static_assert(sizeof(struct lu_##name) % 8 == 0, #NAME " not 8-byte sized"); \
    _Static_assert(sizeof(struct lu_##name##_entry) == lu_##name##_entry_sum, \
                   #NAME " entry padded");
#include "records.def"
#undef LU_RECORD
#undef LU_FIELD
#undef LU_ARRAY
#undef LU_CHARS
#undef LU_ENTRIES
#undef LU_END

/* clang-format on */

#endif /* XEN_LIVEUPDATE_RECORDS_H */
