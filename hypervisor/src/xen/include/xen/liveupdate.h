/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: the interface between its core and the resources.
 *
 * The source walks the table of resources three times: check() while domains
 * run, quiesce() and save() while they are paused.  The target walks it twice:
 * plan() builds everything in the target's own memory and may fail; commit()
 * writes to what the guests and the hardware see and cannot fail.  resume()
 * runs last, right before the domains are unpaused.
 *
 * Each pass goes through the resources in the table's order and, within one
 * resource, through the domains in ascending order of domid.
 */
#ifndef __XEN_LIVEUPDATE_H__
#define __XEN_LIVEUPDATE_H__

#include <xen/types.h>
#include <xen/lib.h>
#include <xen/mm-frame.h>
#include <xen/time.h>

struct cpupool;
struct domain;
struct lu_writer;
struct scheduler;
struct vcpu;
struct xen_domctl;

enum liveupdate_phase {
    LU_PHASE_idle,
    LU_PHASE_stage,
    LU_PHASE_check,
    LU_PHASE_quiesce,
    LU_PHASE_save,
    LU_PHASE_verify,
    LU_PHASE_collect,
    LU_PHASE_jump,
    LU_PHASE_adopt,
    LU_PHASE_plan,
    LU_PHASE_commit,
    LU_PHASE_resume,
    LU_PHASE_settle,
    LU_PHASE_nr
};

#ifdef CONFIG_LIVEUPDATE

#include <xen-liveupdate/stream.h>

/*
 * One resource.  A host resource is called once, with d == NULL; a domain
 * resource once for each domain.  Callbacks that have nothing to do are NULL.
 * All return 0 or -errno; a refusal is explained with liveupdate_refuse().
 */
struct liveupdate_resource {
    const char *name;
    bool host;

    /*
     * Source.  Domains run.  No side effects.  What takes long gives the CPU back
     * in between, see liveupdate_slice_over().
     */
    int (*check)(struct domain *d);
    /* Source.  Domains are paused; last chance to drain or give up (-EBUSY). */
    int (*quiesce)(struct domain *d);
    /*
     * Source.  Domains are paused.  Tell, by liveupdate_xen_ref(), of every
     * reference that Xen's own objects hold on the domain's frames and that
     * plan() will take again by itself.  Runs for all before any save().
     */
    void (*refs)(struct domain *d);
    /* Source.  Domains are paused.  Write the records. */
    int (*save)(struct lu_writer *w, struct domain *d);

    /*
     * Target.  The records are in liveupdate_stream, checked.  d exists once
     * the "domain" resource has run.
     */
    int (*plan)(struct domain *d);
    void (*commit)(struct domain *d);
    void (*resume)(struct domain *d);
};

extern const struct liveupdate_resource *const liveupdate_resources[];

/* The resources, in alphabetical order; liveupdate/table.c has the order that counts. */
extern const struct liveupdate_resource liveupdate_res_area;
extern const struct liveupdate_resource liveupdate_res_console;
extern const struct liveupdate_resource liveupdate_res_cpu_policy;
extern const struct liveupdate_resource liveupdate_res_cpupool;
extern const struct liveupdate_resource liveupdate_res_domain;
extern const struct liveupdate_resource liveupdate_res_efi;
extern const struct liveupdate_resource liveupdate_res_evtchn;
extern const struct liveupdate_resource liveupdate_res_evtchn_fifo;
extern const struct liveupdate_resource liveupdate_res_features;
extern const struct liveupdate_resource liveupdate_res_frames;
extern const struct liveupdate_resource liveupdate_res_grant;
extern const struct liveupdate_resource liveupdate_res_host;
extern const struct liveupdate_resource liveupdate_res_hvm;
extern const struct liveupdate_resource liveupdate_res_io_tables;
extern const struct liveupdate_resource liveupdate_res_iommu;
extern const struct liveupdate_resource liveupdate_res_ioreq;
extern const struct liveupdate_resource liveupdate_res_memmap;
extern const struct liveupdate_resource liveupdate_res_p2m;
extern const struct liveupdate_resource liveupdate_res_passthrough;
extern const struct liveupdate_resource liveupdate_res_pci;
extern const struct liveupdate_resource liveupdate_res_permissions;
extern const struct liveupdate_resource liveupdate_res_pirq;
extern const struct liveupdate_resource liveupdate_res_platform;
extern const struct liveupdate_resource liveupdate_res_power;
extern const struct liveupdate_resource liveupdate_res_sched;
extern const struct liveupdate_resource liveupdate_res_target;
extern const struct liveupdate_resource liveupdate_res_time;
extern const struct liveupdate_resource liveupdate_res_timer;
extern const struct liveupdate_resource liveupdate_res_vcpu;

/*
 * This Xen was started by a live update (a valid handover page was found).
 * Set from early boot on, for good.
 */
extern bool liveupdate_boot;
/* From early boot of a live update until the domains have been unpaused. */
extern bool liveupdate_restoring;

/* Target: the checked stream.  Valid while liveupdate_restoring. */
extern struct lu_stream liveupdate_stream;

/*
 * Note why the resource at hand refuses, or failed.  The text goes to the
 * result together with phase, resource and domain.  Returns @rc, so that
 *     return liveupdate_refuse(d, -EOPNOTSUPP, "vPCI is in use");
 */
int liveupdate_refuse(const struct domain *d, int rc, const char *fmt, ...)
    __attribute__ ((format (printf, 3, 4)));

/*
 * One reason: refuse with it if it holds, and go on, so that a check tells of
 * all at once.  The function's rc keeps the first.
 */
#define REFUSE_IF(d, cond, err, fmt, args...)                   \
    do {                                                        \
        if ( cond )                                             \
        {                                                       \
            int rc_ = liveupdate_refuse(d, err, fmt, ##args);   \
                                                                \
            rc = rc ?: rc_;                                     \
        }                                                       \
    } while ( false )

/*
 * Source, in check(): is it time to give the CPU back?  @work: how much has been
 * done since the last question, a frame, port or the like counting one.  If so the
 * callback notes where it is in *liveupdate_position(), which is 0 when it begins,
 * and returns -ERESTART, before it has refused anything.  It is called again
 * unless the domain is gone by then.  Never with domains paused.
 */
bool liveupdate_slice_over(unsigned int work);
unsigned long *liveupdate_position(void);

/* See refs() above: @refs general and @typerefs type references on @mfn. */
void liveupdate_xen_ref(mfn_t mfn, unsigned int refs, unsigned int typerefs);
/*
 * Target, in plan(): takes one reference of each kind, which refs() has told of,
 * on a writable page of @d, and maps it.  @use says what for, should that fail.
 */
int liveupdate_map_page(struct domain *d, uint64_t mfn, const char *use,
                        void **virt);

/* Whose is a device that pci_add_device() finds without an owner? */
struct domain *liveupdate_pci_owner(void);

/* --- boot hooks of the target (common/liveupdate/core.c) --- */

/* In place of create_dom0(): rebuild every domain, return the hardware domain. */
struct domain *liveupdate_restore(void);
/* In place of unpausing dom0. */
void liveupdate_resume_domains(void);

#else /* !CONFIG_LIVEUPDATE */

#define liveupdate_boot false
#define liveupdate_restoring false
#define liveupdate_pci_owner() hardware_domain

#endif

/*
 * --- time (arch/x86/liveupdate/time.c, common/liveupdate/wallclock.c) ---
 *
 * Also declared without CONFIG_LIVEUPDATE: calls are behind liveupdate_boot.
 */
/* Target, as soon as liveupdate_stream can be read: NOW() goes on from here. */
void liveupdate_time_seed(void);
void liveupdate_time_prepare(void);
uint64_t liveupdate_tsc_hz(void);
void liveupdate_wallclock_get(uint64_t *sec, uint32_t *nsec);
void liveupdate_wallclock_set(uint64_t sec, uint32_t nsec);
#ifdef CONFIG_LIVEUPDATE
void liveupdate_time_start(uint64_t hz);
void liveupdate_time_pair(void);
unsigned long liveupdate_apic_hz(void);
void liveupdate_apic_measured(unsigned long hz);
bool liveupdate_timer_irq_works(void);
bool liveupdate_keep_tsc_adjust(void);
void liveupdate_ap_udelay(unsigned int usecs);
#else
static inline void liveupdate_time_start(uint64_t hz) {}
static inline void liveupdate_time_pair(void) {}
static inline unsigned long liveupdate_apic_hz(void) { return 0; }
static inline void liveupdate_apic_measured(unsigned long hz) {}
static inline bool liveupdate_timer_irq_works(void) { return false; }
static inline bool liveupdate_keep_tsc_adjust(void) { return false; }
#define liveupdate_ap_udelay(usecs) udelay(usecs)
#endif

/* --- physical CPUs (common/liveupdate/host.c) --- */

/* Target: was it offline in the source?  Calls are behind liveupdate_boot. */
bool liveupdate_cpu_offline(unsigned int cpu);

/* --- tools of another release (common/liveupdate/tools.c) --- */

/*
 * do_domctl(): makes of @op, of a version that is answered, one of this Xen's; and,
 * when it is done, one of that version again.
 */
#ifdef CONFIG_LIVEUPDATE
int liveupdate_domctl(struct xen_domctl *op);
void liveupdate_domctl_done(struct xen_domctl *op);
#else
#define liveupdate_domctl(op) \
    ((op)->interface_version == XEN_DOMCTL_INTERFACE_VERSION ? 0 : -EACCES)
static inline void liveupdate_domctl_done(struct xen_domctl *op) {}
#endif
/* LU_HAS_TOOLS_*: whose tools are answered; on the target: what the source says. */
uint32_t liveupdate_tools(void);
void liveupdate_set_tools(uint32_t tools);

/* --- cpupools and their schedulers (common/liveupdate/{cpupool,sched}.c) --- */

#ifdef CONFIG_LIVEUPDATE
bool liveupdate_scheduler_carried(const struct scheduler *s);
/* Refuses if the target lacks the scheduler of a cpupool. */
int liveupdate_cpupools_suit(void);
int liveupdate_scheduler_get(const struct scheduler *s,
                             struct lu_cpupools_entry *e);
int liveupdate_scheduler_set(const struct scheduler *s,
                             const struct lu_cpupools_entry *e);
#endif
/* Target, when CPUs are put into cpupools.  Calls are behind liveupdate_restoring. */
void liveupdate_create_cpupools(void);
struct cpupool *liveupdate_cpupool(unsigned int cpu);

/* --- HVM and PVH domains (arch/x86/liveupdate/) --- */

/* HVM save records: all, into the open record; those of types first to last. */
int liveupdate_hvm_save(struct lu_writer *w, struct domain *d);
int liveupdate_hvm_load(struct domain *d, const void *data, uint32_t len,
                        unsigned int first, unsigned int last);
int liveupdate_cacheattr_save(struct lu_writer *w, const struct domain *d);
int liveupdate_cacheattr_plan(struct domain *d);
int liveupdate_msixtbl_save(struct lu_writer *w, const struct domain *d);
int liveupdate_msixtbl_plan(struct domain *d);
int liveupdate_restore_pit(struct domain *d);
void liveupdate_viridian_refs(const struct domain *d);
int liveupdate_viridian_save(struct lu_writer *w, const struct domain *d);
int liveupdate_viridian_plan(struct domain *d);
void liveupdate_viridian_go_on(struct domain *d);

/* --- grant tables (common/liveupdate/grant_table.c) --- */

/* What @d was created with; "unlimited" has become a number by then. */
void liveupdate_grant_limits(const struct domain *d,
                             unsigned int *max_grant_frames,
                             unsigned int *max_maptrack_frames,
                             unsigned int *max_version);
/*
 * Adds the bytes that the grants (@part 0) and mappings (1) of @d take in the
 * stream; it may run.  In slices: @position is where it is.
 */
int liveupdate_grant_estimate(const struct domain *d, unsigned int part,
                              unsigned long *position, uint64_t *bytes);
/*
 * Frames that a target allocates for a table of @nr_frames frames, which stay
 * where they are, and for handles; and for what @d has of both.
 */
uint64_t liveupdate_grant_frames(unsigned int nr_frames, uint64_t nr_handles);
uint64_t liveupdate_grant_frames_of(const struct domain *d);

/*
 * --- console (drivers/char/liveupdate/console.c) ---
 *
 * Between hold and release nothing reaches serial line or screen; it is in the
 * ring, and goes out some time after the release.  A crash ends a hold at once.
 */
#ifdef CONFIG_LIVEUPDATE
void liveupdate_console_hold(void);
void liveupdate_console_release(void);
bool liveupdate_console_held(void);
void liveupdate_console_flush(void);
void liveupdate_console_init(void);
/* The end of the ring; returns how much. */
unsigned int liveupdate_console_tail(char *buf, unsigned int len);
/* Target, panic(): back to the source, which is told why, if there is a way. */
void liveupdate_go_back(const char *fmt, va_list args);
bool liveupdate_can_go_back(void);
#else
static inline void liveupdate_go_back(const char *fmt, va_list args) {}
static inline void liveupdate_console_init(void) {}
static inline bool liveupdate_console_held(void) { return false; }
static inline void liveupdate_console_flush(void) {}
#endif

/*
 * What the test target does better than the source, standing for a security
 * fix: guests are not told the hypervisor's changeset any more.
 */
#define LIVEUPDATE_TEST_FIX(d) \
    (IS_ENABLED(CONFIG_LIVEUPDATE_TEST_TARGET) && !is_control_domain(d))

#endif /* __XEN_LIVEUPDATE_H__ */
