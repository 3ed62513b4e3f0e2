/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a Xen is built with, and what is not there any more under one that is built with less.
 */

#include <stdio.h>
#include <stdlib.h>

#include "internal.h"

_Static_assert(XENLU_FEATURES_KNOWN == LU_HAS_KNOWN, "features");

#define LU_FEATURE(bit, option, name, use) [bit] = {name, use},
static const struct {
    const char *name, *use;
} features[] = {
#include <xen-liveupdate/features.def>
};
#undef LU_FEATURE

#define NR_FEATURES (sizeof(features) / sizeof(features[0]))

const char *xenlu_feature_name(unsigned int bit)
{
    return bit < NR_FEATURES ? features[bit].name : NULL;
}

const char *xenlu_feature_use(unsigned int bit)
{
    return bit < NR_FEATURES ? features[bit].use : NULL;
}

uint32_t features_lost(uint32_t running, uint32_t target)
{
    if (!(running & target & XENLU_FEATURES_KNOWN))
        return 0;

    return running & ~target & ((1u << NR_FEATURES) - 1);
}

void features_text(char *text, size_t size, const char *separator, uint32_t set)
{
    size_t n = 0;

    text[0] = '\0';
    for (unsigned int i = 0; i < NR_FEATURES && n < size; i++)
        if (set & (1u << i))
            n += snprintf(text + n, size - n, "%s%s", n ? separator : "", features[i].name);
}

void xenlu_set_without(struct xenlu *lu, uint32_t features)
{
    lu->without = features;
}

enum xenlu_code target_accept_loss(const struct xenlu *lu, const struct xenlu_target *t,
                                   struct xenlu_error *err)
{
    uint32_t lost = t->lost & ~lu->without;
    char names[320], list[320], advice[256];

    if (!lost)
        return XENLU_OK;
    features_text(names, sizeof(names), ", ", lost);
    features_text(list, sizeof(list), ",", t->lost);
    snprintf(advice, sizeof(advice), "take a target with it, or say --without %.200s", list);

    return xenlu_fail(err, XENLU_FEATURES_LOST, 0, advice,
                      "the target is built without what the running Xen has: %s", names);
}

/* Whoever needs what is lost, and whatever else Xen has against it: that cannot be accepted. */
static enum xenlu_code refuse_needed(struct xenlu *lu, const struct xenlu_target *t,
                                     struct xenlu_error *err)
{
    struct xenlu_refusal *list;
    unsigned int nr, found = 0, first = 0;
    char who[128] = "the host", more[32] = "";
    Lu__Manifest *m;
    struct record_why why;
    enum xenlu_code code = xenlu_check_features(lu, t->features, &list, sizeof(*list), &nr, err);

    if (code)
        return code;
    for (unsigned int i = nr; i-- > 0;)
        if (!strcmp(list[i].resource, RESOURCE_TARGET)) {
            first = i;
            found++;
        }
    if (found) {
        uint32_t domid = list[first].domid;

        if (domid != XENLU_NO_DOMAIN)
            snprintf(who, sizeof(who), "domain %u", domid);
        if (domid != XENLU_NO_DOMAIN && !manifest_take(lu, &m, &why)) {
            manifest_name(m, domid, who, sizeof(who));
            lu__manifest__free_unpacked(m, NULL);
        }
        if (found > 1)
            snprintf(more, sizeof(more), ", and %u more", found - 1);
        code = xenlu_fail(err, XENLU_REFUSED, list[first].errnum,
                          "xen-liveupdate check TARGET lists all that stands in the way",
                          "%s: %s%s", who, list[first].reason, more);
        if (err)
            err->domid = domid;
    }
    free(list);

    return code;
}

void release_of(char *text, size_t size, const char *version)
{
    size_t n = strcspn(version, ".");

    if (version[n])
        n += 1 + strspn(version + n + 1, "0123456789");
    snprintf(text, size, "%.*s", (int)n, version);
}

/*
 * xl, xenstored and xenconsoled speak an interface that each release of Xen changes.  A target that answers those of
 * this release has a feature for it (tools-4-17); one that does not say what it is built with is taken to have not.
 */
static enum xenlu_code target_accept_release(struct xenlu *lu, const struct xenlu_target *t,
                                             struct xenlu_error *err)
{
    char version[64], changeset[64], running[32], target[32];
    struct lu_kexec_why why;

    if ((t->features & XENLU_FEATURES_KNOWN) || (lu->without & XENLU_WITHOUT_TOOLS))
        return XENLU_OK;
    if (lu_xen_version(lu->xen, version, changeset, &why))
        return xenlu_fail_kexec(err, &why);
    release_of(running, sizeof(running), version);
    release_of(target, sizeof(target), t->version);
    if (!strcmp(running, target))
        return XENLU_OK;

    return xenlu_fail(err, XENLU_FEATURES_LOST, 0,
                      "say --without tools if no tool is needed any more",
                      "the target is Xen %.40s, another release than %.40s: xl, xenstored and the "
                      "guests' consoles would not go on",
                      t->version, version);
}

enum xenlu_code target_accept(struct xenlu *lu, const struct xenlu_target *t,
                              struct xenlu_error *err)
{
    enum xenlu_code code = target_accept_release(lu, t, err);

    if (!code)
        code = refuse_needed(lu, t, err);

    return code ? code : target_accept_loss(lu, t, err);
}
