/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: frames for the heap at run time.  Included by page_alloc.c.
 *
 * What the source kept to itself is nobody's business: all of it counts as
 * dirty, whatever the scrubbing policy, and is scrubbed before it is used.
 */

#include <xen/liveupdate-core.h>

/*
 * What was free in the source is as its last owner left it, whatever bootscrub=
 * says of memory that comes from firmware: it is scrubbed before it is handed
 * out.  Not in the boot, which is part of the pause.
 */
void __init liveupdate_scrub_heap(void)
{
    opt_bootscrub = BOOTSCRUB_IDLE;
}

void liveupdate_init_heap(mfn_t mfn, unsigned long nr)
{
    struct page_info *pg = mfn_to_page(mfn);

    spin_lock(&heap_lock);
    first_valid_mfn = mfn_min(mfn, first_valid_mfn);
    spin_unlock(&heap_lock);

    while ( nr )
    {
        unsigned int nid = page_to_nid(pg);
        bool bad = liveupdate_bad_page(mfn_x(page_to_mfn(pg)));
        unsigned long n = 1;

        while ( n < nr && page_to_nid(pg + n) == nid &&
                liveupdate_bad_page(mfn_x(page_to_mfn(pg + n))) == bad )
            n++;
        /* As init_boot_pages() has it. */
        if ( !bad )
            _init_heap_pages(pg, n, true);
        pg += n;
        nr -= n;
    }
}

/*
 * Whatever is free may have been written to behind the back of this Xen: all of
 * it is scrubbed once more.  With interrupts off and all other CPUs held.
 */
void liveupdate_dirty_heap(void)
{
    unsigned int node, zone, order;
    struct page_info *pg;

    spin_lock(&heap_lock);
    for_each_online_node ( node )
        for ( zone = 0; avail[node] && zone < NR_ZONES; zone++ )
            for ( order = 0; order <= MAX_ORDER; order++ )
            {
                PAGE_LIST_HEAD(list);

                page_list_move(&list, &heap(node, zone, order));
                while ( (pg = page_list_remove_head(&list)) )
                {
                    unsigned int i;

                    for ( i = 0; i < (1U << order); i++ )
                        if ( !test_and_set_bit(_PGC_need_scrub,
                                               &pg[i].count_info) )
                            node_need_scrub[node]++;
                    page_list_add_scrub(pg, node, zone, order, 0);
                }
            }
    spin_unlock(&heap_lock);
}

bool liveupdate_has_heap(nodeid_t node)
{
    return avail[node];
}

/* A frame that is nobody's: as offline_page() leaves one that was free. */
void liveupdate_offline_page(struct page_info *pg, bool broken)
{
    spin_lock(&heap_lock);
    pg->count_info = PGC_state_offlined | (broken ? PGC_broken : 0);
    page_list_add_tail(pg, broken ? &page_broken_list : &page_offlined_list);
    spin_unlock(&heap_lock);
}
