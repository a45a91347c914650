/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Connections that have data and have to wait a little: a wheel of 64 slots of a microsecond each, since a
 * packet's time on a fast wire is less than base/wheel's tick. What has to wait longer is found in the last
 * slot, looks at the clock and waits again. One worker's thread; O(1).
 */
#ifndef RUDP_PACER_H
#define RUDP_PACER_H

#include "rudp/list.h"

#include <stdint.h>

#define PACER_SLOTS 64u

struct pacer {
	uint64_t at_us;    /**< every slot up to this time is empty */
	uint64_t occupied; /**< bit s: slot s may have links; times modulo PACER_SLOTS */
	struct list_link slots[PACER_SLOTS];
};

void pacer_init(struct pacer *pacer, uint64_t now_us);
/** Keeps a link until a time; one that is kept already stays where it is. */
void pacer_hold(struct pacer *pacer, struct list_link *link, uint64_t now_us, uint64_t until_us);
/** Takes a link whose time has come, NULL when there is none. */
struct list_link *pacer_take(struct pacer *pacer, uint64_t now_us);
/** When pacer_take has something, perhaps; UINT64_MAX = nothing is kept. */
uint64_t pacer_next_us(const struct pacer *pacer);

#endif
