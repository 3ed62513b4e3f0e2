/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: what a target is built without, and who could not do without it;
 * and what it must not be built with, as the source has nothing for that.
 *
 * The target's note has a bit for each option of its build that matters to
 * domains (struct lu_note).  The note is part of the image, and is looked for
 * there when the image is loaded: so it cannot be that of another one, whoever
 * has loaded it.  A target whose note does not say what it is built with is
 * refused nothing.
 *
 * The check runs again once the domains are paused: one that needs what the
 * target lacks may have been created in between.
 *
 * Carried: nothing. These are refusals only.
 */

#include <xen/efi.h>
#include <xen/errno.h>
#include <xen/guest_access.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/mm.h>
#include <xen/sched.h>

#include <asm/paging.h>
#include <asm/pv/domain.h>

/*
 * What this Xen is built with.
 */

#define LU_FEATURE(bit, option, name, use) \
    | (IS_ENABLED(CONFIG_##option) ? LU_HAS_##option : 0)
const uint32_t liveupdate_features = LU_HAS_KNOWN
#include <xen-liveupdate/features.def>
;
#undef LU_FEATURE

/*
 * The staged target's note.
 */

/* An ELF note up to its description, which is a struct lu_note. */
struct note_head {
    uint32_t name_size, size, type;
    char name[ROUNDUP(sizeof(LU_NOTE_NAME), 4)];
};
#define NOTE_SIZE (sizeof(struct note_head) + sizeof(struct lu_note))

static uint32_t staged_features;

/*
 * Field by field: a head as a whole, to be compared with, would be taken for a
 * note in the image of this very file.
 */
static bool is_note(const struct note_head *head)
{
    return head->name_size == sizeof(LU_NOTE_NAME) &&
           head->type == LU_NOTE_TYPE && head->size >= sizeof(struct lu_note) &&
           !memcmp(head->name, LU_NOTE_NAME, sizeof(LU_NOTE_NAME));
}

/* In pieces that overlap, so that one of them has the note as a whole. */
static uint32_t find_features(const xen_kexec_segment_t *seg)
{
    uint32_t buf[256];
    struct lu_note note;
    unsigned long at;
    unsigned int i, n;

    for ( at = 0; at + NOTE_SIZE <= seg->buf_size;
          at += sizeof(buf) - ROUNDUP(NOTE_SIZE, sizeof(*buf)) )
    {
        n = min(sizeof(buf), seg->buf_size - at);
        if ( copy_from_guest_offset((void *)buf, seg->buf.h, at, n) )
            break;

        for ( i = 0; i * sizeof(*buf) + NOTE_SIZE <= n; i++ )
            if ( is_note((const void *)&buf[i]) )
            {
                memcpy(&note, (const char *)&buf[i] + sizeof(struct note_head),
                       sizeof(note));
                return note.flags;
            }
    }

    return 0;
}

/* From what the loader gives: in memory an image may lie in single pages. */
void liveupdate_target_loaded(const struct kexec_image *image)
{
    unsigned int i;

    staged_features = 0;
    for ( i = 0; i < image->nr_segments && !staged_features; i++ )
        if ( !guest_handle_is_null(image->segments[i].buf.h) )
            staged_features = find_features(&image->segments[i]);
}

uint32_t liveupdate_staged_features(void)
{
    return kexec_liveupdate_image() ? staged_features : 0;
}

/*
 * Who needs what it lacks.
 */

const uint32_t *liveupdate_asked_features;

static uint32_t target_features(void)
{
    return liveupdate_asked_features ? *liveupdate_asked_features
                                     : liveupdate_staged_features();
}

bool liveupdate_target_lacks(uint32_t feature)
{
    uint32_t has = target_features();

    return (has & LU_HAS_KNOWN) && !(has & feature);
}

/* Is there one to ask about? */
static bool is_target(void)
{
    return liveupdate_asked_features || kexec_liveupdate_image();
}

static bool target_has(uint32_t feature)
{
    uint32_t has = target_features();

    return (has & LU_HAS_KNOWN) && (has & feature);
}

static int check_domain(const struct domain *d)
{
    int rc = 0;

    REFUSE_IF(d, is_pv_domain(d) && liveupdate_target_lacks(LU_HAS_PV),
              -EOPNOTSUPP, "is a PV domain, the target is built without PV");
    REFUSE_IF(d, is_pv_32bit_domain(d) && liveupdate_target_lacks(LU_HAS_PV32),
              -EOPNOTSUPP,
              "is a 32-bit PV domain, the target is built without PV32");
    REFUSE_IF(d, is_hvm_domain(d) && liveupdate_target_lacks(LU_HAS_HVM),
              -EOPNOTSUPP,
              "is an HVM or PVH domain, the target is built without HVM");
    REFUSE_IF(d, paging_mode_shadow(d) &&
                 liveupdate_target_lacks(LU_HAS_SHADOW_PAGING),
              -EOPNOTSUPP,
              "has shadow page tables, the target is built without SHADOW_PAGING");

    return rc;
}

static int cf_check target_check(struct domain *unused)
{
    const struct domain *d;
    int rc = liveupdate_cpupools_suit();

    REFUSE_IF(NULL, max_page > (1UL << 32) &&
                    liveupdate_target_lacks(LU_HAS_BIGMEM),
              -EOPNOTSUPP,
              "the host has memory above 16 TiB, the target is built without BIGMEM");
    /* One that does not say what it is built with is older than EFI here. */
    REFUSE_IF(NULL, efi_enabled(EFI_BOOT) && is_target() &&
                    !(target_features() & LU_HAS_EFI),
              -EOPNOTSUPP,
              "the host was booted by EFI, the target is built without EFI");
    /* The target takes over all of the M2P that there is, and makes none of it. */
    REFUSE_IF(NULL, opt_pv32 && liveupdate_target_lacks(LU_HAS_PV32),
              -EOPNOTSUPP,
              "this Xen has an M2P for 32-bit PV domains, the target is built without PV32");
    REFUSE_IF(NULL, !IS_ENABLED(CONFIG_PV32) && target_has(LU_HAS_PV32),
              -EOPNOTSUPP,
              "the target is built with PV32, this Xen is not and has no M2P for it");
    for_each_domain ( d )
        rc = check_domain(d) ?: rc;

    return rc;
}

const struct liveupdate_resource liveupdate_res_target = {
    .name = "target",
    .host = true,
    .check = target_check,
    .quiesce = target_check,
};
