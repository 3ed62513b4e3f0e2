/* SPDX-License-Identifier: MIT */
/*
 * Live update: sub-commands of the kexec hypercall.
 *
 * The interface is stable: an existing command, structure or number never
 * changes (a structure may grow by what an older Xen leaves 0), so that one
 * process can talk to the Xen before and after an update.
 * All of it is for the hardware domain only (-EPERM otherwise).
 */
#ifndef __XEN_PUBLIC_LIVEUPDATE_H__
#define __XEN_PUBLIC_LIVEUPDATE_H__

#include "kexec.h"

/* Image type for KEXEC_CMD_kexec_load, _unload, _status and KEXEC_CMD_kexec. */
#ifndef KEXEC_TYPE_LIVE_UPDATE
#define KEXEC_TYPE_LIVE_UPDATE 2
#endif
/* KEXEC_CMD_kexec_get_range: the slot that the next target goes into. */
#ifndef KEXEC_RANGE_MA_LIVEUPDATE
#define KEXEC_RANGE_MA_LIVEUPDATE 7
#endif

#define KEXEC_CMD_liveupdate 16

/* One sub-command; the argument of KEXEC_CMD_liveupdate. */
struct xen_liveupdate {
    uint32_t op;                    /* IN: XEN_LIVEUPDATE_* */
    uint32_t flags;                 /* IN: must be 0 unless said otherwise */
    union {
        struct xen_liveupdate_query {
            uint32_t caps;          /* OUT: XEN_LIVEUPDATE_CAP_* */
            uint16_t format;        /* OUT: stream format written */
            uint16_t format_oldest; /* OUT: oldest stream format read */
            uint32_t generation;    /* OUT: live updates since the host booted */
            uint32_t nr_slots;      /* OUT: 0: no region was reserved */
            uint64_t region_start;  /* OUT: machine address of all slots */
            uint64_t region_size;   /* OUT: bytes */
            uint64_t slot_start;    /* OUT: where the next target goes */
            uint64_t slot_size;     /* OUT: bytes */
            uint32_t staged;        /* OUT: 1 if an image is loaded */
            uint32_t phase;         /* OUT: XEN_LIVEUPDATE_PHASE_* of an update under way */
            uint32_t nr_resources;  /* OUT: entries of the resource table */
            uint32_t pad;
            uint32_t features;      /* OUT: what this Xen is built with, as in a target's note; 0: unknown */
            uint32_t staged_features; /* OUT: the same of the staged target */
        } query;
        struct xen_liveupdate_check {
            union {
                XEN_GUEST_HANDLE(void) h;
                uint64_t pad;
            } buf;                  /* OUT: struct xen_liveupdate_refusal[] */
            uint32_t nr;            /* IN: room; OUT: refusals found (may exceed the room) */
            uint32_t features;      /* IN: with XEN_LIVEUPDATE_CHECK_TARGET, flags of the target's note */
            uint64_t ticket;        /* IN: 0; Xen's own while the hypercall is continued; OUT: 0 */
        } check;
        struct xen_liveupdate_result {
            uint32_t generation;    /* OUT: the Xen that answers */
            int32_t error;          /* OUT: 0, or errno (positive) of the last attempt */
            uint32_t state;         /* OUT: XEN_LIVEUPDATE_STATE_* */
            uint32_t phase;         /* OUT: where it failed: XEN_LIVEUPDATE_PHASE_* */
            uint32_t domid;         /* OUT: XEN_LIVEUPDATE_NO_DOMAIN if none */
            uint32_t attempts;      /* OUT: attempts of this Xen, failed and rehearsed ones included */
            uint64_t stream_bytes;  /* OUT */
            uint64_t nr_records;    /* OUT */
            int64_t phase_ns[16];   /* OUT: time spent in each phase, -1: not entered */
            int64_t pause_ns;       /* OUT: first vCPU stopped until first vCPU runs, -1: none */
            uint64_t nr_events;     /* OUT: interrupts collected and re-injected */
            uint32_t nr_domains;    /* OUT */
            uint32_t nr_vcpus;      /* OUT */
            char resource[32];      /* OUT: name of the resource that failed */
            char reason[192];       /* OUT: why, in words */
            char from[64];          /* OUT: version of the source, "" if none */
            char to[64];            /* OUT: version of the Xen that answers */
            uint64_t nr_spurious;   /* OUT: interrupts injected on suspicion */
        } result;
        struct xen_liveupdate_read {
            uint64_t offset;        /* IN: bytes into the stream */
            uint64_t length;        /* IN: room; OUT: bytes copied, 0 at the end */
            uint64_t total;         /* OUT: length of the stream */
            union {
                XEN_GUEST_HANDLE(void) h;
                uint64_t pad;
            } buf;                  /* OUT */
        } read;
        struct xen_liveupdate_fault {
            uint32_t phase;         /* IN: XEN_LIVEUPDATE_PHASE_*; 0: none any more; _FAULT_HANG */
            uint32_t resource;      /* IN: index in the table */
            uint32_t hit;           /* OUT: how often the previous point was hit */
            uint32_t exists;        /* OUT: 1: this point can be hit */
            char name[32];          /* OUT: name of the resource */
        } fault;
        struct xen_liveupdate_inventory {
            union {
                XEN_GUEST_HANDLE(void) h;
                uint64_t pad;
            } buf;                  /* OUT: struct xen_liveupdate_domain[] */
            uint32_t nr;            /* IN: room; OUT: domains that exist (may exceed the room) */
            uint32_t nr_cpus;       /* OUT: physical CPUs online */
            uint64_t total_pages;   /* OUT: of 4 KiB: the host's RAM */
            uint64_t free_pages;    /* OUT */
            uint64_t needed_pages;  /* OUT: free pages that an update asks for; 0: one is under way */
            int64_t boot_ns;        /* OUT: a part of this Xen's boot that the next one has, too */
            uint64_t ticket;        /* IN: 0; Xen's own while the hypercall is continued; OUT: 0 */
        } inventory;
        struct xen_liveupdate_alter {
            uint32_t record;        /* IN: type of the record; 0: none any more */
            uint16_t domid;         /* IN: its domain, 0 for the host */
            uint16_t index;         /* IN: its vCPU, or 0 */
            uint32_t entry;         /* IN: entry, or XEN_LIVEUPDATE_ALTER_* */
            uint32_t offset;        /* IN: bytes into that part */
            uint32_t size;          /* IN: bytes to set, up to 8 */
            uint32_t made;          /* OUT: alterations that were made of those asked for */
            uint64_t value;         /* IN: what to set, little endian */
        } alter;
        uint8_t pad[1024];
    } u;
};
typedef struct xen_liveupdate xen_liveupdate_t;
DEFINE_XEN_GUEST_HANDLE(xen_liveupdate_t);

/* Facts about the Xen that runs. */
#define XEN_LIVEUPDATE_query      0
/*
 * Can every resource of every domain be carried, to the staged target if there is
 * one?  Domains go on.
 */
#define XEN_LIVEUPDATE_check      1
/* Flag (CAP_TARGET): to the target that is told of, instead of the staged one. */
#define XEN_LIVEUPDATE_CHECK_TARGET (1u << 0)
/* Everything but the jump: pauses, saves, verifies, goes on.  Needs no image. */
#define XEN_LIVEUPDATE_rehearse   2
/*
 * Update to the staged image.  Returns 0 once it is scheduled; what became of
 * it is told by XEN_LIVEUPDATE_result.  -ENOENT: nothing staged; -EBUSY: one
 * is under way; -ENODEV: no region.
 */
#define XEN_LIVEUPDATE_execute    3
/* Take back a scheduled update.  -ENOENT: none; -EBUSY: too late. */
#define XEN_LIVEUPDATE_abort      4
/* What became of the last attempt. */
#define XEN_LIVEUPDATE_result     5
/* The stream that the last rehearsal wrote, or that this Xen was started with. */
#define XEN_LIVEUPDATE_read       6
/* Debug builds: fail once at (phase, resource).  -EOPNOTSUPP in release builds. */
#define XEN_LIVEUPDATE_fault      7
/* With the phase, at a step of the target's boot: it does not fail, but hangs there. */
#define XEN_LIVEUPDATE_FAULT_HANG (1u << 31)
/* What there is to carry, so that it can be compared afterwards.  Any Xen tells the same. */
#define XEN_LIVEUPDATE_inventory  8

/*
 * Debug builds: alter one place of the stream that the next update hands over;
 * up to 8 times.  -EOPNOTSUPP in release builds, -ENOSPC: too many.
 */
#define XEN_LIVEUPDATE_alter      9
#define XEN_LIVEUPDATE_ALTER_FIXED  (~0u)   /* in the record's fixed part */
#define XEN_LIVEUPDATE_ALTER_HEADER (~1u)   /* in its header */
#define XEN_LIVEUPDATE_ALTER_REMOVE (~2u)   /* the record goes */

#define XEN_LIVEUPDATE_CAP_REHEARSE  (1u << 0)
#define XEN_LIVEUPDATE_CAP_FAULT     (1u << 1)
#define XEN_LIVEUPDATE_CAP_TARGET    (1u << 2)

#define XEN_LIVEUPDATE_NO_DOMAIN     0xffffffffu

#define XEN_LIVEUPDATE_PHASE_idle     0
#define XEN_LIVEUPDATE_PHASE_stage    1
#define XEN_LIVEUPDATE_PHASE_check    2
#define XEN_LIVEUPDATE_PHASE_quiesce  3
#define XEN_LIVEUPDATE_PHASE_save     4
#define XEN_LIVEUPDATE_PHASE_verify   5
#define XEN_LIVEUPDATE_PHASE_collect  6
#define XEN_LIVEUPDATE_PHASE_jump     7
#define XEN_LIVEUPDATE_PHASE_adopt    8
#define XEN_LIVEUPDATE_PHASE_plan     9
#define XEN_LIVEUPDATE_PHASE_commit  10
#define XEN_LIVEUPDATE_PHASE_resume  11
#define XEN_LIVEUPDATE_PHASE_settle  12

#define XEN_LIVEUPDATE_STATE_none       0  /* no attempt yet */
#define XEN_LIVEUPDATE_STATE_scheduled  1
#define XEN_LIVEUPDATE_STATE_running    2
#define XEN_LIVEUPDATE_STATE_failed     3  /* host as it was; see error, phase, reason */
#define XEN_LIVEUPDATE_STATE_rehearsed  4
#define XEN_LIVEUPDATE_STATE_done       5  /* this Xen was started by a live update */
#define XEN_LIVEUPDATE_STATE_returned   6  /* the target refused and came back; host as it was, nothing staged */

struct xen_liveupdate_refusal {
    uint32_t domid;                 /* XEN_LIVEUPDATE_NO_DOMAIN: the host */
    int32_t error;                  /* errno, positive */
    char resource[32];
    char reason[192];
};
typedef struct xen_liveupdate_refusal xen_liveupdate_refusal_t;
DEFINE_XEN_GUEST_HANDLE(xen_liveupdate_refusal_t);

struct xen_liveupdate_domain {
    uint32_t domid;
    uint32_t flags;                 /* XEN_LIVEUPDATE_DOMAIN_* */
    uint32_t nr_vcpus;
    uint32_t nr_online;             /* vCPUs that are not down */
    uint64_t tot_pages;             /* of 4 KiB */
    uint64_t max_pages;
    uint8_t handle[16];             /* UUID */
    uint64_t pad[2];
};
typedef struct xen_liveupdate_domain xen_liveupdate_domain_t;
DEFINE_XEN_GUEST_HANDLE(xen_liveupdate_domain_t);

#define XEN_LIVEUPDATE_DOMAIN_HARDWARE  (1u << 0)
#define XEN_LIVEUPDATE_DOMAIN_HVM       (1u << 1)
#define XEN_LIVEUPDATE_DOMAIN_PAUSED    (1u << 2)  /* by the toolstack */
#define XEN_LIVEUPDATE_DOMAIN_SHUTDOWN  (1u << 3)
#define XEN_LIVEUPDATE_DOMAIN_DYING     (1u << 4)
#define XEN_LIVEUPDATE_DOMAIN_ENDED     (1u << 5)  /* shut down, and it has not crashed */

#endif /* __XEN_PUBLIC_LIVEUPDATE_H__ */
