/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: what the files of the core share with each other.  Resources
 * need liveupdate.h only.
 */
#ifndef __XEN_LIVEUPDATE_CORE_H__
#define __XEN_LIVEUPDATE_CORE_H__

#include <xen/kexec.h>
#include <xen/liveupdate.h>
#include <xen/numa.h>
#include <xen/mm.h>
#include <public/liveupdate.h>

struct e820map;
struct page_info;

#ifdef CONFIG_LIVEUPDATE

#include <xen-liveupdate/handover.h>

/* --- Hooks of the boot path, in the order in which they run (boot.c) --- */

/* Right after the command line is parsed: is this a live update? */
void liveupdate_early_init(const char *loader);
/* Cold boot: take the region out of @map, as soon as its place is known. */
void liveupdate_reserve(struct e820map *map);
void liveupdate_reserve_late(struct e820map *map);
/* Cold boot: bytes still to be placed; and their place below @end in [s, e). */
uint64_t liveupdate_wanted_size(void);
uint64_t liveupdate_place_region(uint64_t s, uint64_t e, uint64_t end);
/* The image's left-overs stay out of the heap. */
bool liveupdate_keep_image(void);
/* Target: clips [ps, pe) to what the boot allocator may have; false: nothing. */
bool liveupdate_boot_pages(paddr_t *ps, paddr_t *pe);
/* With the direct map complete: check the stream, learn what is free. */
void liveupdate_adopt(void);
/* Target: frames [s, e) that the boot allocator must not pass on. */
void liveupdate_boot_end(unsigned long *s, unsigned long *e);
/* A 2 MiB part of the M2P: the source's, or a new one on a cold boot. */
struct page_info *liveupdate_m2p_page(unsigned long index, bool compat,
                                      unsigned int memflags);

/* --- The reserved region (arch/x86/liveupdate/boot.c) --- */

struct liveupdate_region {
    paddr_t start;              /* 0: none */
    uint64_t size;              /* bytes, all slots together */
    unsigned int nr_slots;
    unsigned int generation;    /* live updates since the host booted */
    unsigned long busy;         /* slots that the running Xen uses, as a bitmap */
};
extern struct liveupdate_region liveupdate_region;

/* The slot for the next target.  @in_place: nothing of the running Xen is in it. */
int liveupdate_next_slot(paddr_t *start, uint64_t *size, bool *in_place);

/* What a part of this Xen's own boot took; 0: it is not over yet. */
extern int64_t liveupdate_boot_ns;
/* Target: time that the last phases of the source and the boot took. */
struct liveupdate_report;
void liveupdate_source_stamps(struct liveupdate_report *rep, s_time_t now);
/* Frames [s, e) are not to be used, as the command line or the platform has it. */
void liveupdate_note_bad_pages(unsigned long s, unsigned long e);
bool liveupdate_bad_page(unsigned long mfn);

/* Whether any part of [s, e) belongs to the region. */
bool liveupdate_in_region(paddr_t s, paddr_t e);

/* --- Memory that no domain has (arch/x86/liveupdate/free.c) --- */

/* What a target has to have before the source's memory becomes its own. */
struct liveupdate_needs {
    unsigned int domains, vcpus, cpus;
    uint64_t frames;            /* p2m pools, grant tables, event channels */
};
uint64_t liveupdate_frames_to_start(const struct liveupdate_needs *n);

/* Runs of free memory by their size: only so many are of use to a boot. */
struct liveupdate_pieces {
    struct {
        unsigned long nr;       /* runs of 2^i .. 2^(i + 1) - 1 frames */
        uint64_t frames;        /* all together */
        unsigned long large;    /* 2 MiB pages in them */
    } size[BITS_PER_LONG];
};
void liveupdate_count_piece(struct liveupdate_pieces *p, unsigned long mfn,
                            unsigned long nr);
/* Refuses if they are not enough for @frames to start with. */
int liveupdate_enough_pieces(const struct liveupdate_pieces *p,
                             uint64_t frames);
/* Source: the same of the finished stream. */
int liveupdate_verify_memory(const struct lu_stream *s);

/*
 * What the source's frame table tells of the update to come (memmap.c), domains
 * run: bytes of the stream, free memory.  In slices: -ERESTART until it is complete.
 */
struct liveupdate_outlook {
    enum { LU_LOOK_begin, LU_LOOK_frames, LU_LOOK_domains, LU_LOOK_done } at;
    uint64_t stream;            /* bytes */
    struct liveupdate_pieces free;
    /* Frames: in e820, next, and the run that it is in. */
    unsigned int ram;
    unsigned long mfn, start;
    unsigned int class;         /* LU_MEM_*, 0: free */
    domid_t run_domid;
    /* Domains: the next, and how far it is; see liveupdate_position(). */
    unsigned int domid;
    unsigned int part;
    unsigned long position;
};
int liveupdate_look_out(struct liveupdate_outlook *o);
/* Frames that a target is expected to need, its stream included. */
uint64_t liveupdate_frames_needed(const struct liveupdate_outlook *o);

/* --- Work in slices, domains run (common/liveupdate/slice.c) --- */

#define LIVEUPDATE_SLICE MILLISECS(1)

struct liveupdate_job {
    const char *what;           /* for the log */
    s_time_t began;             /* the slice at hand */
    unsigned int work;          /* since the clock was looked at */
    /* The check: next resource, domain; the first refusal. */
    unsigned int resource, domid;
    int rc;
    unsigned long position;     /* within a callback, see liveupdate_position() */
    struct liveupdate_outlook outlook;
    /* The image: segment, bytes, CRC up to there. */
    unsigned int segment;
    uint64_t offset;
    uint32_t crc;
    /* How well it was cut: the longest slice, and the resource at its end. */
    s_time_t longest;
    const char *longest_at;
};
void liveupdate_job_init(struct liveupdate_job *job, const char *what);
/* Debug builds: Xen's log tells how well it was cut, if none before took longer. */
void liveupdate_job_done(const struct liveupdate_job *job);
void liveupdate_slices_done(const char *what, s_time_t longest, const char *at);
void liveupdate_slice_begin(struct liveupdate_job *job);
void liveupdate_slice_end(void);
/* After a step that took who knows how long. */
bool liveupdate_step_over(void);
/* The one whose slice this is. */
struct liveupdate_job *liveupdate_job(void);
/* The first domain from @domid on. */
struct domain *liveupdate_domain_from(unsigned int domid);

/* Target: give the boot allocator what frame table and heap begin with. */
void liveupdate_feed_boot_allocator(void);
/* Target: with one CPU, give each node's heap its first memory. */
void liveupdate_start_node_heaps(void);
/* Target: memory is still being handed to the heap. */
bool liveupdate_settling(void);
void liveupdate_start_settle(void);

/* xen/common/page_alloc.c: give frames to the heap at run time, to be scrubbed. */
void liveupdate_init_heap(mfn_t mfn, unsigned long nr);
bool liveupdate_has_heap(nodeid_t node);
void liveupdate_scrub_heap(void);
void liveupdate_offline_page(struct page_info *pg, bool broken);

/* --- Staged image (common/liveupdate/op.c) --- */

int liveupdate_image_check(const xen_kexec_segment_t *segs, unsigned int nr,
                           paddr_t entry);
bool liveupdate_segment_in_place(const xen_kexec_segment_t *seg);
/* Is the running Xen left as it is when @image is started? */
bool liveupdate_image_in_place(const struct kexec_image *image);
int liveupdate_image_loaded(const struct kexec_image *image);
/* In slices: did anything alter the image since it was staged? */
int liveupdate_image_verify(const struct kexec_image *image,
                            struct liveupdate_job *job);
/*
 * A PVH hardware domain gets of the kexec hypercall no more than what tells it
 * why it cannot be carried: -EOPNOTSUPP for any other command.
 */
int liveupdate_kexec_allowed(unsigned long cmd);
int liveupdate_op(XEN_GUEST_HANDLE_PARAM(void) uarg);
int liveupdate_get_range(xen_kexec_range_t *range);
/* xen/common/kexec.c: the staged image, or NULL; it is staged no more. */
struct kexec_image *kexec_liveupdate_image(void);
void kexec_liveupdate_unstage(void);

/* --- The update itself (common/liveupdate/core.c) --- */

/* In slices: one of the passes; see liveupdate.h for the order. */
int liveupdate_check_some(struct liveupdate_job *job);

/* Schedule an update to @image, or a rehearsal (NULL).  -EBUSY: one is under way. */
int liveupdate_execute(struct kexec_image *image);
/* Take back what has not begun. */
int liveupdate_abort(void);
bool liveupdate_busy(void);

extern const void *liveupdate_stream_buf;      /* for XEN_LIVEUPDATE_read */
extern uint64_t liveupdate_stream_len;

/* --- What became of it (common/liveupdate/report.c) --- */

struct liveupdate_report {
    unsigned int state;         /* XEN_LIVEUPDATE_STATE_* */
    bool returned;              /* by the target, after the jump */
    enum liveupdate_phase phase;
    const struct liveupdate_resource *resource;
    domid_t domid;              /* DOMID_INVALID: none */
    int error;                  /* -errno */
    unsigned int attempts;
    s_time_t phase_start[LU_PHASE_nr];
    s_time_t phase_ns[LU_PHASE_nr];     /* -1: not entered */
    s_time_t pause_start;
    s_time_t pause_ns;
    uint64_t stream_bytes, nr_records;
    unsigned int nr_domains, nr_vcpus;
    char reason[192];
    char from[64];
};
extern struct liveupdate_report liveupdate_report;

void liveupdate_report_reset(void);
void liveupdate_phase_begin(enum liveupdate_phase phase);
void liveupdate_phase_end(void);
/* Where the walk is: what liveupdate_refuse() and failures are attributed to. */
void liveupdate_at(const struct liveupdate_resource *res, domid_t domid);
const char *liveupdate_where(void);
void liveupdate_get_result(struct xen_liveupdate_result *r);

/*
 * All refusals of a check, for the tools.  NULL (the default): only the first
 * is kept, in the report.
 */
struct liveupdate_refusals {
    struct xen_liveupdate_refusal *list;
    unsigned int room, nr;
};
extern struct liveupdate_refusals *liveupdate_refusals;
int liveupdate_fail(const struct domain *d, int rc);

/* Fault injection, debug builds: one point, (phase, resource). */
extern struct liveupdate_fault {
    enum liveupdate_phase phase;
    unsigned int resource;
    unsigned int hit;
    bool hang;                  /* instead of panic(), at a step of the boot */
} liveupdate_fault;
bool liveupdate_fault_exists(const struct liveupdate_resource *res,
                             enum liveupdate_phase phase);

/*
 * Debug builds: alterations of the stream, as the tools ask for them and before
 * it is sealed; returns its new length (alter.c).
 */
int liveupdate_op_alter(struct xen_liveupdate_alter *a);
#ifndef NDEBUG
uint64_t liveupdate_alter_stream(void *buf, uint64_t len);
#else
static inline uint64_t liveupdate_alter_stream(void *buf, uint64_t len)
{
    return len;
}
#endif

/* --- What a target is built with: LU_HAS_* (target.c) --- */

/* This Xen itself. */
extern const uint32_t liveupdate_features;
/* Source: @image has been loaded, and its loader's buffers are still there. */
void liveupdate_target_loaded(const struct kexec_image *image);
/* Source: the staged target; 0: there is none, or its note does not say. */
uint32_t liveupdate_staged_features(void);
/* Source: those of another target, which a check is asked for; NULL (the default). */
extern const uint32_t *liveupdate_asked_features;
/* Source: is it known to be built without @feature? */
bool liveupdate_target_lacks(uint32_t feature);

/* --- Holding CPUs, and the jump (arch/x86/liveupdate/jump.c) --- */

/* Keep every other CPU in a loop with interrupts off; this one as well. */
int liveupdate_hold_cpus(void);
void liveupdate_release_cpus(void);
/* Collect pending interrupts, park the others. */
void liveupdate_park_cpus(void);
/* Returns if the target came back: -errno, refused. */
int liveupdate_jump(struct kexec_image *image, const struct lu_extent *extents,
                    unsigned int nr_extents, uint64_t stream_len);
/* Put the CPU into wait-for-SIPI; all that are offline, or all others. */
void liveupdate_stop_cpu(uint32_t apic_id);
void liveupdate_stop_cpus(bool held_too);
/* Ready this CPU for whoever boots next: no NMIs, VMX, SVM, MSRs as after a reset. */
void liveupdate_leave_cpu(void);
/* The target came back: so do the others, or are started. */
void liveupdate_recall_cpus(void);
/* Machine check banks of this CPU that can raise an interrupt of their own. */
unsigned int liveupdate_nr_cmci_banks(void);

/* --- The way back from a target that refuses (arch/x86/liveupdate/back.c) --- */

struct liveupdate_context;

/* Source, domains run: is there a way back from @image? */
void liveupdate_back_prepare(const struct kexec_image *image);
bool liveupdate_back_offered(void);
/* Source: the memory for it is given back. */
void liveupdate_back_forget(void);
/*
 * Source, this CPU: by which APIC id the target knows it is noted, and what it comes
 * back to is returned, NULL: there is no way; its registers.
 */
struct liveupdate_context *liveupdate_back_note_cpu(void);
void liveupdate_back_save_cpu(void);
void liveupdate_back_restore_cpu(void);
/* Source, of another, in wait-for-SIPI: it goes to where it comes back to. */
void liveupdate_back_start_cpu(unsigned int cpu);
/* Source, the host: before the jump; after it, with what the target has said. */
paddr_t liveupdate_back_save(void);
int liveupdate_back_restore(const struct lu_handover *h);

/*
 * Target: how far its boot has come, by name (back.c).  Debug builds: fails there
 * if that was asked for.
 */
enum liveupdate_step {
    LU_STEP_handover,           /* the handover page was read */
    LU_STEP_memory,             /* the slot is the boot allocator's */
    LU_STEP_stream,             /* direct map complete, stream not yet opened */
    LU_STEP_adopted,            /* stream accepted */
    LU_STEP_heap,               /* frame table and first heap out of free memory */
    LU_STEP_m2p,                /* machine-to-physical table of the source mapped */
    LU_STEP_time,               /* platform timer and PIT */
    LU_STEP_apic,               /* local APIC; I/O APICs and 8259A before it */
    LU_STEP_unit,               /* an IOMMU has changed over, others not */
    LU_STEP_cpus,               /* before the other CPUs are started */
    LU_STEP_start,              /* one of them does not get out of its trampoline */
    LU_STEP_ap,                 /* one of them, before it is online */
    LU_STEP_drivers,            /* after them, and all initcalls */
    LU_STEP_nr
};
extern const char *const liveupdate_step_names[];
/* Source: does a target of this host's get there? */
bool liveupdate_step_exists(unsigned int step);
void liveupdate_step(enum liveupdate_step step);

/* Target: what the handover page says of it; is there a way; not any more. */
void liveupdate_back_learn(const struct lu_handover *h);
void liveupdate_back_apic(void);
void liveupdate_take_over(void);

/*
 * A target that hangs (arch/x86/liveupdate/hang.c).  Source: the jump; a parked CPU;
 * the target came back, and NMIs come again.  Target: what the handover page says;
 * it commits.
 */
uint64_t liveupdate_hang_begin(void);
void liveupdate_hang_watch(void);
void liveupdate_hang_end(void);
void liveupdate_hang_settled(void);
void liveupdate_hang_learn(const struct lu_handover *h);
void liveupdate_hang_over(void);

/* What the parts of Xen that a target's boot has set up for itself put back. */
void liveupdate_restore_timers(void);
void liveupdate_delay_watchdogs(void);
void liveupdate_forget_eois(void);
void liveupdate_finish_moves(void);
void liveupdate_suspect_irqs(void);
void liveupdate_dirty_heap(void);

/* --- Memory (arch/x86/liveupdate/{memmap,frames,p2m}.c) --- */

/*
 * Frames of @d's p2m pool.  Adds the bytes that its extents take, it may run; in
 * slices: @position is where it is.
 */
unsigned long liveupdate_p2m_pool(const struct domain *d);
int liveupdate_p2m_estimate(struct domain *d, unsigned long *position,
                            uint64_t *bytes);
/* The page that stands in for the local APIC's registers (VMX), or NULL. */
const struct page_info *liveupdate_apic_page(const struct domain *d);

/* The stream's own frames, for the memory map. */
extern mfn_t liveupdate_stream_mfn;
extern unsigned long liveupdate_stream_nr;

/* Sorted references of Xen's own objects; see liveupdate_xen_ref(). */
struct liveupdate_ref {
    unsigned long mfn;
    unsigned int refs, typerefs;
};
int liveupdate_refs_alloc(void);
void liveupdate_refs_free(void);
void liveupdate_refs_reset(void);
int liveupdate_refs_sort(void);
/* References on @mfn, NULL if none; to be called with ascending mfns. */
const struct liveupdate_ref *liveupdate_refs_next(unsigned long mfn,
                                                  unsigned int *cursor);

#else /* !CONFIG_LIVEUPDATE: what the hooks need */

static inline void liveupdate_early_init(const char *loader) {}
static inline void liveupdate_reserve(struct e820map *map) {}
static inline void liveupdate_reserve_late(struct e820map *map) {}
static inline uint64_t liveupdate_wanted_size(void) { return 0; }
static inline uint64_t liveupdate_place_region(uint64_t s, uint64_t e,
                                               uint64_t end) { return e; }
static inline bool liveupdate_keep_image(void) { return false; }
static inline bool liveupdate_boot_pages(paddr_t *ps, paddr_t *pe)
{
    return true;
}
static inline void liveupdate_note_bad_pages(unsigned long s, unsigned long e) {}
static inline void liveupdate_adopt(void) {}
static inline void liveupdate_boot_end(unsigned long *s, unsigned long *e) {}
#define liveupdate_m2p_page(index, compat, memflags) \
    alloc_domheap_pages(NULL, PAGETABLE_ORDER, memflags)
static inline struct domain *liveupdate_restore(void) { return NULL; }
static inline void liveupdate_resume_domains(void) {}

static inline bool liveupdate_busy(void) { return false; }
static inline int liveupdate_execute(struct kexec_image *image)
{
    return -EOPNOTSUPP;
}
static inline int liveupdate_kexec_allowed(unsigned long cmd)
{
    return 0;
}
static inline int liveupdate_op(XEN_GUEST_HANDLE_PARAM(void) uarg)
{
    return -EOPNOTSUPP;
}
static inline int liveupdate_get_range(xen_kexec_range_t *range)
{
    return -EINVAL;
}
static inline int liveupdate_image_check(const xen_kexec_segment_t *segs,
                                         unsigned int nr, paddr_t entry)
{
    return -EOPNOTSUPP;
}
static inline bool liveupdate_segment_in_place(const xen_kexec_segment_t *seg)
{
    return false;
}
static inline int liveupdate_image_loaded(const struct kexec_image *image)
{
    return 0;
}

#endif /* CONFIG_LIVEUPDATE */

#endif /* __XEN_LIVEUPDATE_CORE_H__ */
