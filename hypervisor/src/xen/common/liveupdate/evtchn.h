/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live update: what event_channel.c needs to know of FIFO event channels.  How
 * a port remembers its last queue is private to xen/common/event_fifo.c.
 */
#ifndef __LIVEUPDATE_EVTCHN_H__
#define __LIVEUPDATE_EVTCHN_H__

#include <xen/types.h>

struct domain;
struct evtchn;

/* The queue that @chn was linked to last, as vCPU and priority; 0, 0: none. */
void liveupdate_fifo_get_lastq(const struct evtchn *chn, uint16_t *vcpu_id,
                               uint8_t *priority);
/* -EINVAL: @d has no such queue. */
int liveupdate_fifo_set_lastq(const struct domain *d, struct evtchn *chn,
                              uint16_t vcpu_id, uint8_t priority);

#endif /* __LIVEUPDATE_EVTCHN_H__ */
