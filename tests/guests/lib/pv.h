/* SPDX-License-Identifier: GPL-2.0-only */
/* What only PV guests have: machine frames, page tables that Xen watches over. */
#ifndef GUEST_PV_H
#define GUEST_PV_H

#include "guest.h"

#define PTE_PRESENT  0x001UL
#define PTE_WRITE    0x002UL
#define PTE_USER     0x004UL
#define PTE_ACCESSED 0x020UL
#define PTE_DIRTY    0x040UL
/* Kernel and processes of a 64-bit PV guest run in the same ring. */
#define PTE_RO    (PTE_PRESENT | PTE_USER | PTE_ACCESSED)
#define PTE_RW    (PTE_RO | PTE_WRITE | PTE_DIRTY)
#define PTE_TABLE PTE_RW
/* Xen adds this one, to entries of pages that the guest's kernel may use. */
#define PTE_GLOBAL   0x100UL
#define PTE_MFN(pte) ((pte) >> 12 & 0xffffffffffUL)

extern struct start_info *start_info;

static inline uint64_t make_pte(unsigned long mfn, unsigned long flags)
{
    return (uint64_t)mfn << 12 | flags;
}

void *virt_of_mfn(unsigned long mfn); /* of a frame of this domain */
void set_mfn_of(void *p, unsigned long mfn);

/* The L4 table in use. */
uint64_t *top_table(void);
/* The table of a level (4 to 1) that an address goes through, or NULL. */
uint64_t *table_of(const void *p, unsigned int level);
unsigned int table_index(const void *p, unsigned int level);
uint64_t pte_of(const void *p);

long set_pte(void *p, uint64_t pte); /* update_va_mapping() */
long mmu_update(void *entry, uint64_t value);
long mmuext(unsigned int cmd, unsigned long mfn);
long pin_table(unsigned int level, const void *table);
long unpin_table(const void *table);
/* Makes a page read-only where it is mapped one to one, as page tables must be, or writable. */
long make_readonly(void *page);
long make_writable(void *page);
/* Gives a page back to Xen and gets another one in its place; did the old one really leave the domain? */
bool renew_page(void *page);
/* Gives an address range page tables down to L1, made of the pages that are handed over. */
void add_tables(void *p, unsigned long nr_pages, void *pages, unsigned int nr_tables);

#endif
