/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update, debug builds: a finished stream is altered before it is handed
 * over, and sealed again, so that a target can be given what no source writes.
 *
 * The reasons in plan() are tested with it (tests/e2e/altered.txt).
 */

#include <xen/errno.h>
#include <xen/lib.h>
#include <xen/liveupdate-core.h>
#include <xen/string.h>

#ifndef NDEBUG

static struct xen_liveupdate_alter asked[8];
static unsigned int nr_asked, nr_made;

static struct lu_record *find(const struct lu_stream *s,
                              const struct xen_liveupdate_alter *a)
{
    return (struct lu_record *)lu_record_find_vcpu(s, a->record, a->domid,
                                                   a->index);
}

/* Closes up over @r: the stream becomes shorter. */
static void remove(struct lu_stream *s, struct lu_record *r)
{
    struct lu_stream_header *hdr = (void *)s->buf;
    uint64_t len = sizeof(*r) + r->length;
    const uint8_t *behind = (const uint8_t *)r + len;

    memmove(r, behind, s->buf + s->length - behind);
    s->length -= len;
    hdr->length = s->length;
    hdr->nr_records--;
}

static bool set(struct lu_record *r, const struct xen_liveupdate_alter *a)
{
    uint64_t room = r->fixed_len;
    uint8_t *part = (uint8_t *)(r + 1);

    if ( a->entry == XEN_LIVEUPDATE_ALTER_HEADER )
    {
        room = sizeof(*r);
        part = (uint8_t *)r;
    }
    else if ( a->entry != XEN_LIVEUPDATE_ALTER_FIXED )
    {
        if ( a->entry >= r->nr )
            return false;
        room = r->entry_len;
        part += r->fixed_len + (uint64_t)a->entry * r->entry_len;
    }

    if ( a->offset > room || a->size > room - a->offset )
        return false;
    memcpy(part + a->offset, &a->value, a->size);

    return true;
}

uint64_t liveupdate_alter_stream(void *buf, uint64_t len)
{
    struct lu_stream s = { .buf = buf, .length = len };
    unsigned int i;

    for ( i = 0; i < nr_asked; i++ )
    {
        const struct xen_liveupdate_alter *a = &asked[i];
        struct lu_record *r = find(&s, a);

        if ( !r )
            continue;
        if ( a->entry == XEN_LIVEUPDATE_ALTER_REMOVE )
            remove(&s, r);
        else if ( !set(r, a) )
            continue;
        nr_made++;
    }
    nr_asked = 0;

    return s.length;
}

#endif /* !NDEBUG */

int liveupdate_op_alter(struct xen_liveupdate_alter *a)
{
#ifndef NDEBUG
    a->made = nr_made;

    if ( !a->record )
    {
        nr_asked = nr_made = 0;
        return 0;
    }
    if ( a->size > sizeof(a->value) )
        return -EINVAL;
    if ( nr_asked == ARRAY_SIZE(asked) )
        return -ENOSPC;
    asked[nr_asked++] = *a;

    return 0;
#else
    return -EOPNOTSUPP;
#endif
}
