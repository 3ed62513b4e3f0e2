/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: the wall clock.  Part of common/time.c.
 *
 * Xen keeps the UTC time at system time 0, set when the host booted and by
 * dom0 ever since.  It travels with the time resource: reading the RTC instead
 * would take up to a second, and undo what dom0 (NTP, leap seconds) has set.
 * The copies in the domains' shared_info pages stay with these pages.
 */

#include <xen/liveupdate.h>

void liveupdate_wallclock_get(uint64_t *sec, uint32_t *nsec)
{
    spin_lock(&wc_lock);
    *sec = wc_sec;
    *nsec = wc_nsec;
    spin_unlock(&wc_lock);
}

void __init liveupdate_wallclock_set(uint64_t sec, uint32_t nsec)
{
    spin_lock(&wc_lock);
    wc_sec = sec;
    wc_nsec = nsec;
    spin_unlock(&wc_lock);
}
