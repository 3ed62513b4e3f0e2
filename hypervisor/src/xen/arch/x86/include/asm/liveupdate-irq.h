/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: interrupts.  What the files under arch/x86/liveupdate that deal
 * with them share, and the hooks of irq.c, apic.c and platform_hypercall.c.
 */
#ifndef __ASM_X86_LIVEUPDATE_IRQ_H__
#define __ASM_X86_LIVEUPDATE_IRQ_H__

#include <xen/liveupdate.h>

struct irq_desc;

#ifdef CONFIG_LIVEUPDATE

struct lu_pirqs_entry;
struct IO_APIC_route_entry;

/* --- What arrives while nobody listens (pending.c) --- */

/* Source, save(): room for what only the last moments will tell. */
int liveupdate_pending_reserve(struct lu_writer *w);
/*
 * Source, past the point of no return, interrupts off, in this order: the
 * jumping CPU steers to itself what it has vectors for; each other CPU (before
 * it is parked), then the jumping CPU, fills in what has reached it.
 */
void liveupdate_pending_steer(void);
void liveupdate_pending_fill(unsigned int cpu);

/* Target. */
int liveupdate_pending_plan(void);
/* Did the source's @irq fire since the source stopped listening? */
bool liveupdate_pending_irq(unsigned int irq);

void liveupdate_note_irr(void);
void liveupdate_note_vector_slow(unsigned int vector);

/* Any interrupt of a boot that restores: its vector may be the source's. */
static inline void liveupdate_note_vector(unsigned int vector)
{
    if ( unlikely(liveupdate_restoring) )
        liveupdate_note_vector_slow(vector);
}

bool liveupdate_stray_slow(int irq);

/*
 * The source's routing entries are in force until the I/O APIC is set up, and
 * both Xens are likely to use the same vectors: such an interrupt is not one of
 * the 8259A.  Acknowledges it where it came from; true: nothing else to do.
 */
static inline bool liveupdate_stray(int irq)
{
    return unlikely(liveupdate_restoring) && irq >= 0 &&
           liveupdate_stray_slow(irq);
}

/* Interrupts given to domains once more, and on suspicion; for the result. */
extern unsigned int liveupdate_nr_reinjected, liveupdate_nr_spurious;

/* --- Physical interrupts of domains (irq.c) --- */

/* Until commit() an interrupt of a domain is only remembered. */
bool liveupdate_irq_held(struct irq_desc *desc);

/* --- MSI (msi.c) --- */

/* Source: the MSI part of @e.  0, or the reason why it cannot be told. */
const char *liveupdate_msi_describe(const struct domain *d,
                                    const struct irq_desc *desc,
                                    struct lu_pirqs_entry *e);
/* Target, plan(): what pci_enable_msi() does, without touching the device. */
int liveupdate_msi_adopt(struct domain *d, struct irq_desc *desc,
                         const struct lu_pirqs_entry *e);
/* Target, commit(), in this order, with the descriptor locked. */
void liveupdate_msi_program(struct irq_desc *desc);
void liveupdate_msi_unmask(struct irq_desc *desc,
                           const struct lu_pirqs_entry *e);

/* --- GSIs (gsi.c) --- */

int liveupdate_gsi_save(struct lu_writer *w);
int liveupdate_gsi_plan(void);
/* io_apic.c: the first routing entry of @irq.  False: not connected. */
bool liveupdate_read_rte(unsigned int irq, struct IO_APIC_route_entry *rte);
/* mpparse.c: has the hardware domain set the GSI up? */
bool liveupdate_gsi_programmed(unsigned int gsi);

#else /* !CONFIG_LIVEUPDATE */

static inline void liveupdate_note_irr(void) {}
static inline void liveupdate_note_vector(unsigned int vector) {}
static inline bool liveupdate_stray(int irq) { return false; }
static inline bool liveupdate_irq_held(struct irq_desc *desc) { return false; }

#endif

#endif /* __ASM_X86_LIVEUPDATE_IRQ_H__ */
