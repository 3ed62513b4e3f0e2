/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: instructions under emulation.  Included at the end of
 * hvm/emulate.c where struct hvm_mmio_cache is private to it; see
 * asm/liveupdate-compat.h.
 */

#include <asm/liveupdate-compat.h>

bool liveupdate_mmio_cached(const struct hvm_mmio_cache *cache)
{
    return cache->size;
}
