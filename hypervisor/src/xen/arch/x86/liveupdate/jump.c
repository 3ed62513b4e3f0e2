/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: holding CPUs, parking them, and the jump.
 *
 * This is not the path of an ordinary kexec: smp_send_stop() ends in
 * fixup_irqs(), disable_IO_APIC() and disable_local_APIC(), which throw away
 * what is pending and change the APIC's mode.  Here every CPU is first held in
 * a loop with interrupts off (and can still be let go); then each one notes its
 * pending interrupts and halts, and the boot CPU jumps with its local APIC as
 * it is: what arrives from now on stays latched there.
 */

#include <xen/acpi.h>
#include <xen/cpumask.h>
#include <xen/delay.h>
#include <xen/domain_page.h>
#include <xen/irq.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/smp.h>
#include <xen/spinlock.h>
#include <xen/tasklet.h>
#include <xen/version.h>
#include <xen/watchdog.h>

#include <asm/hvm/support.h>
#include <asm/liveupdate-irq.h>
#include <asm/processor.h>
#include <asm/setup.h>

#include <xen-liveupdate/stream.h>

#define HOLD_TIMEOUT MILLISECS(1000)

static enum { RELEASED, HELD, PARKED } command;
static atomic_t nr_held, nr_parked;

/*
 * In a tasklet, that is by the idle vCPU and outside of any lock: the CPU that
 * saves takes some of them.
 */
static void cf_check hold(void *unused)
{
    local_irq_disable();
    atomic_inc(&nr_held);

    while ( read_atomic(&command) == HELD )
        cpu_relax();

    if ( read_atomic(&command) == PARKED )
    {
        liveupdate_pending_fill(smp_processor_id());
        /* A CPU in VMX operation does not take INIT. */
        hvm_cpu_down();
        atomic_inc(&nr_parked);
        for ( ; ; )
            halt();
    }

    atomic_dec(&nr_held);
    local_irq_enable();
}

static DEFINE_PER_CPU(struct tasklet, hold_tasklet);

int liveupdate_hold_cpus(void)
{
    unsigned int cpu, others = num_online_cpus() - 1;
    s_time_t deadline = NOW() + HOLD_TIMEOUT;

    ASSERT(!smp_processor_id());

    write_atomic(&command, HELD);
    atomic_set(&nr_held, 0);
    atomic_set(&nr_parked, 0);
    smp_wmb();

    for_each_online_cpu ( cpu )
    {
        struct tasklet *t = &per_cpu(hold_tasklet, cpu);

        if ( !cpu )
            continue;
        tasklet_init(t, hold, NULL);
        tasklet_schedule_on_cpu(t, cpu);
    }

    while ( atomic_read(&nr_held) != others )
    {
        if ( NOW() > deadline )
        {
            write_atomic(&command, RELEASED);
            for_each_online_cpu ( cpu )
                if ( cpu )
                    tasklet_kill(&per_cpu(hold_tasklet, cpu));
            return -ETIMEDOUT;
        }
        cpu_relax();
    }

    /* No CPU will take a tick for a while. */
    watchdog_disable();
    local_irq_disable();
    /* Locks are taken with interrupts off from here on, by this CPU alone. */
    spin_debug_disable();

    return 0;
}

void liveupdate_release_cpus(void)
{
    write_atomic(&command, RELEASED);
    while ( atomic_read(&nr_held) )
        cpu_relax();

    spin_debug_enable();
    local_irq_enable();
    watchdog_enable();
}

void liveupdate_park_cpus(void)
{
    unsigned int others = num_online_cpus() - 1;

    liveupdate_pending_steer();

    write_atomic(&command, PARKED);
    while ( atomic_read(&nr_parked) != others )
        cpu_relax();

    liveupdate_pending_fill(smp_processor_id());
}

void noreturn liveupdate_jump(struct kexec_image *image,
                              const struct lu_extent *extents,
                              unsigned int nr_extents, uint64_t stream_len)
{
    const struct liveupdate_report *rep = &liveupdate_report;
    const struct lu_stream_header *hdr = mfn_to_virt(extents[0].mfn);
    struct lu_handover *h;
    paddr_t start;
    uint64_t size;
    bool in_place;

    if ( liveupdate_next_slot(&start, &size, &in_place) )
        BUG();

    h = maddr_to_virt(start);
    memset(h, 0, PAGE_SIZE);
    *h = (struct lu_handover){
        .magic = LU_HANDOVER_MAGIC,
        .format = LU_FORMAT_VERSION,
        .nr_extents = nr_extents,
        .stream_len = stream_len,
        .stream_crc = hdr->header_crc,
        .generation = liveupdate_region.generation + 1,
        .slot_start = start,
        .slot_size = size,
        .region_start = liveupdate_region.start,
        .region_size = liveupdate_region.size,
        .nr_slots = liveupdate_region.nr_slots,
        .save_start = rep->phase_start[LU_PHASE_save],
        .verify_start = rep->phase_start[LU_PHASE_verify],
        .collect_start = rep->phase_start[LU_PHASE_collect],
    };
    memcpy(h->extent, extents, nr_extents * sizeof(*extents));

    /* Xen hides the DMAR table from dom0; its successor wants to see it. */
    acpi_dmar_reinstate();
    hvm_cpu_down();

    h->jump_start = NOW();
    h->crc = lu_crc32c(0, h, sizeof(*h));

    kexecing = true;
    machine_kexec(image);
    BUG();
}
