/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: interrupts that arrive while nobody listens.
 *
 * From the moment at which the source turns interrupts off until the target has
 * told the devices its own vectors, an interrupt ends in the request register
 * (IRR) of some local APIC, under a vector of the source.  None may be lost:
 * the driver in the domain would wait for it for ever.
 *
 *  - Source, with the records: which vector of which CPU belongs to which
 *    interrupt of a domain (VECTORS), and empty bitmaps (PENDING).  A vector
 *    that an interrupt is being moved away from is still in the CPU's table.
 *  - Source, past the point of no return: interrupts are steered to the CPU
 *    that jumps as far as it has vectors, as its IRR survives the jump; then
 *    each CPU puts its IRR into the stream, before an INIT IPI clears it (Intel
 *    SDM vol. 3, "Local APIC State After an INIT Reset").
 *  - Target: what the boot CPU still has in its IRR, and each vector that any
 *    CPU receives until the domains go on, is noted.
 *  - Target, resume(): vectors are translated back to the source's interrupts;
 *    arch/x86/liveupdate/irq.c gives those to the domains once more.
 *
 * An interrupt too many does no harm: drivers of shared lines are used to it.
 * Vectors are therefore noted without asking whose they are.
 */

#include <xen/cpumask.h>
#include <xen/init.h>
#include <xen/irq.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/percpu.h>
#include <xen/xmalloc.h>

#include <asm/apic.h>
#include <asm/liveupdate-compat.h>
#include <asm/liveupdate-irq.h>

/* A stream that claims more interrupts than this is not believed. */
#define MAX_SOURCE_IRQS (1u << 20)

/* Vectors that arrived since this Xen was started, per CPU. */
static DEFINE_PER_CPU(vmask_t, noted);

/*
 * Source.  The pointers lead into the stream, which is sealed only after the
 * last of them has been used.
 */
static DEFINE_PER_CPU(struct lu_pending_entry *, slot);
static struct lu_vectors_entry *vectors;
static unsigned int vectors_room;

/* The interrupt that @vector of @cpu stands for; 0: none, or none of a domain. */
static unsigned int guest_irq(unsigned int cpu, unsigned int vector)
{
    int irq = per_cpu(vector_irq, cpu)[vector];

    return irq > 0 && (irq_to_desc(irq)->status & IRQ_GUEST) ? irq : 0;
}

/* Entries of VECTORS: those in use, and those that steer() may add. */
static unsigned int count_vectors(void)
{
    const cpumask_t *mask = vector_allocation_cpumask(smp_processor_id());
    unsigned int cpu, vector, irq, nr = 0;

    for_each_online_cpu ( cpu )
        for ( vector = FIRST_DYNAMIC_VECTOR; vector <= LAST_DYNAMIC_VECTOR;
              vector++ )
            nr += !!guest_irq(cpu, vector);

    for ( irq = 0; irq < nr_irqs; irq++ )
    {
        const struct irq_desc *desc = irq_to_desc(irq);

        if ( (desc->status & IRQ_GUEST) &&
             !cpumask_test_cpu(smp_processor_id(), desc->arch.cpu_mask) )
            nr += cpumask_weight(mask) + 1;
    }

    return nr;
}

static void fill_vectors(void)
{
    unsigned int cpu, vector, irq, nr = 0;

    for_each_online_cpu ( cpu )
    {
        struct lu_pending_entry *p = per_cpu(slot, cpu);

        p->first = nr;
        for ( vector = FIRST_DYNAMIC_VECTOR; vector <= LAST_DYNAMIC_VECTOR;
              vector++ )
        {
            irq = guest_irq(cpu, vector);
            if ( !irq )
                continue;

            if ( nr == vectors_room )
            {
                ASSERT_UNREACHABLE();
                break;
            }

            vectors[nr++] = (struct lu_vectors_entry){
                .irq = irq,
                .vector = vector,
            };
        }
        p->nr = nr - p->first;
    }

    memset(&vectors[nr], 0, (vectors_room - nr) * sizeof(*vectors));
}

int liveupdate_pending_reserve(struct lu_writer *w)
{
    unsigned int cpu;
    struct lu_vectors *v = lu_record_begin(w, LU_REC_VECTORS, 0, 0);

    if ( !v )
        return -ENOSPC;

    v->nr_irqs = nr_irqs;
    /* One that stays empty: a table of no entries would have no address. */
    vectors_room = count_vectors() + 1;
    vectors = lu_record_entries(w, vectors_room);
    if ( !vectors )
        return -ENOSPC;
    lu_record_end(w);

    if ( !lu_record_begin(w, LU_REC_PENDING, 0, 0) )
        return -ENOSPC;

    for_each_online_cpu ( cpu )
    {
        struct lu_pending_entry *p = lu_record_entries(w, 1);

        if ( !p )
            return -ENOSPC;

        p->apic_id = cpu_physical_id(cpu);
        per_cpu(slot, cpu) = p;
    }
    lu_record_end(w);

    fill_vectors();

    return 0;
}

/*
 * To this CPU alone, with the descriptor locked.  Not by fixup_irqs(): where each
 * CPU has vectors of its own that moves nothing from a CPU that is online, and one
 * that is held still is.
 */
static void steer(struct irq_desc *desc)
{
    unsigned int cpu = smp_processor_id();
    int *irq = &per_cpu(vector_irq, cpu)[desc->arch.vector];

    /*
     * A message may be written in two steps, with address and vector of two
     * moments in between.
     */
    if ( *irq < 0 )
        *irq = desc->irq;

    /*
     * One that is being moved already would be left where it is.  Nobody will
     * clean up: what it was moved from stays in the tables of CPUs, but for a
     * source whose target comes back (liveupdate_finish_moves()).
     */
    desc->arch.move_in_progress = 0;
    desc->arch.move_cleanup_count = 0;

    if ( desc->handler->disable )
        desc->handler->disable(desc);
    desc->handler->set_affinity(desc, cpumask_of(cpu));
    if ( desc->handler->enable )
        desc->handler->enable(desc);
}

void liveupdate_pending_steer(void)
{
    unsigned int irq;

    ASSERT(!local_irq_is_enabled());

    for ( irq = 0; irq < nr_irqs; irq++ )
    {
        struct irq_desc *desc = irq_to_desc(irq);

        spin_lock(&desc->lock);
        if ( (desc->status & IRQ_GUEST) && desc->handler->set_affinity &&
             !cpumask_equal(desc->arch.cpu_mask,
                            cpumask_of(smp_processor_id())) )
            steer(desc);
        spin_unlock(&desc->lock);
    }

    fill_vectors();
}

void liveupdate_pending_fill(unsigned int cpu)
{
    struct lu_pending_entry *p = per_cpu(slot, cpu);
    unsigned int i;

    ASSERT(!local_irq_is_enabled());
    ASSERT(cpu == smp_processor_id());

    if ( !cpu_has_apic )
        return;

    for ( i = 0; i < ARRAY_SIZE(p->irr); i++ )
    {
        p->irr[i] = apic_read(APIC_IRR + i * 0x10);
        p->isr[i] = apic_read(APIC_ISR + i * 0x10);
    }
    p->collected = 1;
}

/*
 * Target.
 */

/* The source's interrupts that fired, as a bitmap; NULL: cannot be told. */
static unsigned long *fired;
static unsigned int nr_fired;

unsigned int liveupdate_nr_reinjected, liveupdate_nr_spurious;

void liveupdate_note_vector_slow(unsigned int vector)
{
    __set_bit(vector, this_cpu(noted)._bits);
}

bool liveupdate_stray_slow(int irq)
{
    const struct irq_desc *desc = irq_to_desc(irq);

    /* Its type is private to i8259.c. */
    if ( strcmp(desc->handler->typename, "XT-PIC") ||
         !apic_isr_read(desc->arch.vector) )
        return false;

    ack_APIC_irq();

    return true;
}

/* Before the boot CPU's local APIC is set up: the source has left it enabled. */
void liveupdate_note_irr(void)
{
    unsigned int vector;

    if ( !liveupdate_restoring )
        return;

    liveupdate_back_apic();
    for ( vector = FIRST_DYNAMIC_VECTOR; vector <= LAST_DYNAMIC_VECTOR;
          vector++ )
        if ( apic_irr_read(vector) )
            liveupdate_note_vector_slow(vector);
}

int liveupdate_pending_plan(void)
{
    const struct lu_record *r;
    struct lu_vectors v;

    r = lu_record_find(&liveupdate_stream, NULL, LU_REC_VECTORS, LU_ANY_DOMID);
    if ( !r )
        return liveupdate_refuse(NULL, -ENODATA, "no vectors");

    LU_FIXED(r, &v);
    if ( v.nr_irqs > MAX_SOURCE_IRQS )
        return liveupdate_refuse(NULL, -EINVAL, "%u interrupts are too many",
                                 v.nr_irqs);

    nr_fired = v.nr_irqs;
    fired = xzalloc_array(unsigned long, BITS_TO_LONGS(nr_fired));

    return fired ? 0 : -ENOMEM;
}

/* All vectors that reached the CPU with this @apic_id, under either Xen. */
static void cpu_vectors(const struct lu_pending_entry *p, vmask_t *mask)
{
    unsigned int cpu, vector;

    bitmap_zero(mask->_bits, X86_NR_VECTORS);

    if ( p->collected )
        for ( vector = 0; vector < X86_NR_VECTORS; vector++ )
            if ( p->irr[vector / 32] & (1u << (vector % 32)) )
                __set_bit(vector, mask->_bits);

    for_each_online_cpu ( cpu )
        if ( cpu_physical_id(cpu) == p->apic_id )
            bitmap_or(mask->_bits, mask->_bits, per_cpu(noted, cpu)._bits,
                      X86_NR_VECTORS);
}

static void translate(void)
{
    const struct lu_stream *s = &liveupdate_stream;
    const struct lu_record *rv, *rp;
    struct lu_vectors_entry v;
    struct lu_pending_entry p;
    unsigned int i, j;
    vmask_t mask;

    rv = lu_record_find(s, NULL, LU_REC_VECTORS, LU_ANY_DOMID);
    rp = lu_record_find(s, NULL, LU_REC_PENDING, LU_ANY_DOMID);

    for ( i = 0; rp && i < rp->nr; i++ )
    {
        LU_ENTRY(rp, i, &p);
        cpu_vectors(&p, &mask);

        for ( j = p.first; j < rv->nr && j - p.first < p.nr; j++ )
        {
            LU_ENTRY(rv, j, &v);
            if ( v.vector < X86_NR_VECTORS && v.irq < nr_fired &&
                 test_bit(v.vector, mask._bits) )
                __set_bit(v.irq, fired);
        }
    }
}

bool liveupdate_pending_irq(unsigned int irq)
{
    static bool translated;

    if ( !fired )
        return false;

    /* Late: what arrives in the meantime counts as well. */
    if ( !translated )
    {
        translate();
        translated = true;
    }

    return irq < nr_fired && test_bit(irq, fired);
}
