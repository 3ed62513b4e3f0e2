/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: what CPUID and the MSRs that describe the CPU tell a domain.
 *
 * The policy crosses as leaves and MSRs, as the toolstack would see them.  The
 * target starts from an empty policy, not from its default one, so that nothing
 * appears that the guest has not seen before, and takes over what was there to
 * the bit: a guest reads CPUID once and relies on it for good.
 *
 * What a target cannot offer it must refuse.  recalculate_cpuid_policy() clamps
 * a policy to what is possible here; if a feature does not survive that, the
 * update fails, else the policy is put back as it was.
 *
 * Carried: CPUID leaves and MSRs as the domain sees them, to the bit.
 */

#include <xen/liveupdate.h>
#include <xen/sched.h>
#include <xen/xmalloc.h>

#include <asm/cpu-policy.h>
#include <asm/cpuid.h>
#include <asm/domain.h>
#include <asm/msr-index.h>

#include <public/arch-x86/xen.h>

#define EXTD 0x80000000U

/*
 * Xen's own leaves are made up by cpuid_hypervisor_leaves().  Only their limits
 * are part of the policy, in EAX of their first leaf.
 */
#define XEN_LEAVES_0 0x40000000U
#define XEN_LEAVES_1 0x40000100U

#define NA XEN_CPUID_NO_SUBLEAF

/* Where a policy keeps a leaf, NULL: nowhere. */
static struct cpuid_leaf *find_leaf(struct cpu_policy *p, uint32_t leaf,
                                    uint32_t subleaf)
{
#define AT(array, i) ((i) < ARRAY_SIZE(array) ? &(array)[i] : NULL)
    switch ( leaf )
    {
    case 0x4: return AT(p->cache.raw, subleaf);
    case 0x7: return AT(p->feat.raw, subleaf);
    case 0xb: return AT(p->topo.raw, subleaf);
    case 0xd: return AT(p->xstate.raw, subleaf);
    }

    if ( subleaf != NA )
        return NULL;

    return leaf < EXTD ? AT(p->basic.raw, leaf) : AT(p->extd.raw, leaf - EXTD);
#undef AT
}

static int save_leaf(struct lu_writer *w, uint32_t leaf, uint32_t subleaf,
                     const struct cpuid_leaf *l)
{
    struct lu_cpuid_entry *e;

    if ( !(l->a | l->b | l->c | l->d) )
        return 0;

    e = lu_record_entries(w, 1);
    if ( !e )
        return -ENOSPC;

    *e = (struct lu_cpuid_entry){
        .leaf = leaf, .subleaf = subleaf,
        .a = l->a, .b = l->b, .c = l->c, .d = l->d,
    };

    return 0;
}

static int save_leaves(struct lu_writer *w, struct cpu_policy *p, uint32_t first)
{
    const struct cpuid_leaf *l;
    uint32_t leaf, subleaf;
    int rc = 0;

    for ( leaf = first; !rc; leaf++ )
    {
        if ( (l = find_leaf(p, leaf, NA)) != NULL )
            rc = save_leaf(w, leaf, NA, l);
        else if ( find_leaf(p, leaf, 0) )
            for ( subleaf = 0;
                  !rc && (l = find_leaf(p, leaf, subleaf)) != NULL; subleaf++ )
                rc = save_leaf(w, leaf, subleaf, l);
        else
            break;
    }

    return rc;
}

static int save_msr(struct lu_writer *w, uint32_t index, uint64_t value)
{
    struct lu_policy_msrs_entry *e;

    if ( !value )
        return 0;

    e = lu_record_entries(w, 1);
    if ( !e )
        return -ENOSPC;

    e->index = index;
    e->value = value;

    return 0;
}

static int cf_check cpu_policy_save(struct lu_writer *w, struct domain *d)
{
    struct cpu_policy *p = d->arch.cpu_policy;
    int rc;

    if ( !lu_record_begin(w, LU_REC_CPUID, d->domain_id, 0) )
        return -ENOSPC;
    rc = save_leaves(w, p, 0) ?:
         save_leaf(w, XEN_LEAVES_0, NA, &(struct cpuid_leaf){ p->hv_limit }) ?:
         save_leaf(w, XEN_LEAVES_1, NA, &(struct cpuid_leaf){ p->hv2_limit }) ?:
         save_leaves(w, p, EXTD);
    if ( rc )
        return rc;
    lu_record_end(w);

    if ( !lu_record_begin(w, LU_REC_POLICY_MSRS, d->domain_id, 0) )
        return -ENOSPC;
    rc = save_msr(w, MSR_INTEL_PLATFORM_INFO, p->platform_info.raw) ?:
         save_msr(w, MSR_ARCH_CAPABILITIES, p->arch_caps.raw);
    if ( rc )
        return rc;
    lu_record_end(w);

    return 0;
}

static int read_leaves(struct domain *d, struct cpu_policy *p)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_CPUID, d->domain_id);
    unsigned int i;

    if ( !r )
        return liveupdate_refuse(d, -ENODATA, "no CPUID leaves");

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_cpuid_entry e;
        struct cpuid_leaf *l;

        LU_ENTRY(r, i, &e);

        if ( e.leaf == XEN_LEAVES_0 || e.leaf == XEN_LEAVES_1 )
        {
            *(e.leaf == XEN_LEAVES_0 ? &p->hv_limit : &p->hv2_limit) = e.a;
            continue;
        }

        l = find_leaf(p, e.leaf, e.subleaf);
        if ( !l )
            return liveupdate_refuse(d, -EOPNOTSUPP,
                                     "CPUID leaf %#x, subleaf %#x is not known here",
                                     e.leaf, e.subleaf);
        *l = (struct cpuid_leaf){ e.a, e.b, e.c, e.d };
    }

    return 0;
}

static int read_msrs(struct domain *d, struct cpu_policy *p)
{
    const struct lu_record *r = lu_record_find(&liveupdate_stream, NULL,
                                               LU_REC_POLICY_MSRS, d->domain_id);
    unsigned int i;

    if ( !r )
        return liveupdate_refuse(d, -ENODATA, "no MSRs of the CPU policy");

    for ( i = 0; i < r->nr; i++ )
    {
        struct lu_policy_msrs_entry e;

        LU_ENTRY(r, i, &e);

        if ( e.index == MSR_INTEL_PLATFORM_INFO && e.value == (uint32_t)e.value )
            p->platform_info.raw = e.value;
        else if ( e.index == MSR_ARCH_CAPABILITIES )
            p->arch_caps.raw = e.value;
        else
            return liveupdate_refuse(d, -EOPNOTSUPP,
                                     "MSR %#x = %#"PRIx64" is not known here",
                                     e.index, e.value);
    }

    return 0;
}

/* Can this Xen on this machine offer d what @want says? */
static int audit(struct domain *d, const struct cpu_policy *want)
{
    struct cpu_policy_errors err = INIT_CPU_POLICY_ERRORS;
    uint32_t wanted[FEATURESET_NR_ENTRIES], possible[FEATURESET_NR_ENTRIES];
    unsigned int i;

    if ( x86_cpu_policies_are_compatible(is_hvm_domain(d) ? &hvm_max_cpu_policy
                                                          : &pv_max_cpu_policy,
                                         want, &err) )
        return liveupdate_refuse(d, -EINVAL,
                                 "CPUID leaf %#x, subleaf %#x or MSR %#x cannot be offered",
                                 err.leaf, err.subleaf, err.msr);

    *d->arch.cpu_policy = *want;
    recalculate_cpuid_policy(d);

    x86_cpu_policy_to_featureset(want, wanted);
    x86_cpu_policy_to_featureset(d->arch.cpu_policy, possible);
    for ( i = 0; i < FEATURESET_NR_ENTRIES; i++ )
        if ( wanted[i] & ~possible[i] )
            return liveupdate_refuse(d, -EINVAL,
                                     "CPU features %#x of featureset word %u cannot be offered",
                                     wanted[i] & ~possible[i], i);

    return 0;
}

static int cf_check cpu_policy_plan(struct domain *d)
{
    struct cpu_policy *want = xzalloc(struct cpu_policy);
    int rc;

    if ( !want )
        return -ENOMEM;

    rc = read_leaves(d, want) ?: read_msrs(d, want);
    if ( rc )
        goto out;
    x86_cpu_policy_recalc_synth(want);

    rc = audit(d, want);
    if ( rc )
        goto out;

    *d->arch.cpu_policy = *want;
    domain_cpu_policy_changed(d);

 out:
    xfree(want);

    return rc;
}

const struct liveupdate_resource liveupdate_res_cpu_policy = {
    .name = "cpu_policy",
    .save = cpu_policy_save,
    .plan = cpu_policy_plan,
};
