/* SPDX-License-Identifier: GPL-2.0-only */
/* For a test of what only HVM and PVH guests have: it is not built as a PV guest. */
#ifndef GUEST_PVH_H
#define GUEST_PVH_H

#include "guest.h"

/* Frame @nr of the grant table, at a frame of this guest. */
long map_grant_frame(unsigned int nr, unsigned long gfn);

#endif
