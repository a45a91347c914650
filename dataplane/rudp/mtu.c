/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The search of RFC 8899, over sizes that paths have instead of over all: a probe that is lost costs a round trip, and what
 * lies between two of these is seldom a path's.
 */
#include "rudp/mtu.h"

#include "base/check.h"
#include "rudp/rudp_types.h"

#include <string.h>

/* IP packets: tunnels, clouds and overlays below Ethernet's 1500, wireless, and the same below jumbo frames. */
static const uint16_t common_mtus[] = { 1280, 1400, 1420, 1450, 1460, 1476, 1492,
					1500, 2304, 4352, 8500, 8896, 8950, 9000 };

#define HEADER_BYTES_IPV4 28u
#define HEADER_BYTES_IPV6 48u

static void mtu_try(struct mtu *mtu, uint16_t bytes)
{
	mtu->probe_bytes = bytes;
	mtu->lost = 0;
	mtu->is_due = bytes != 0;
}

/* From what is known to pass: first everything, and then anew by halves. */
static void mtu_search(struct mtu *mtu)
{
	mtu->failed_bytes = (uint16_t)(mtu->limit_bytes + 1);
	mtu->raise_us = UINT64_MAX;
	mtu->rounds = 0;
	mtu_try(mtu, mtu->limit_bytes > mtu->datagram_bytes ? mtu->limit_bytes : 0);
}

void mtu_init(struct mtu *mtu, uint16_t limit_bytes, uint8_t family)
{
	memset(mtu, 0, sizeof(*mtu));
	mtu->header_bytes = family == 6 ? HEADER_BYTES_IPV6 : HEADER_BYTES_IPV4;
	mtu->limit_bytes = limit_bytes;
	mtu->datagram_bytes = MIN(limit_bytes, (uint16_t)RUDP_DATAGRAM_BYTES_MIN);
	mtu_search(mtu);
}

/* The one in the middle of the sizes that may pass; 0 = there is none. */
static uint16_t mtu_middle(const struct mtu *mtu)
{
	uint16_t fitting[ARRAY_SIZE(common_mtus)];
	uint32_t count = 0;

	for (uint32_t i = 0; i < ARRAY_SIZE(common_mtus); i++) {
		uint16_t bytes = (uint16_t)(common_mtus[i] - mtu->header_bytes);

		if (bytes > mtu->datagram_bytes && bytes < mtu->failed_bytes)
			fitting[count++] = bytes;
	}
	return count > 0 ? fitting[count / 2] : 0;
}

static void mtu_go_on(struct mtu *mtu, uint64_t now_us)
{
	mtu_try(mtu, mtu_middle(mtu));
	if (mtu->probe_bytes == 0 && mtu->datagram_bytes < mtu->limit_bytes)
		mtu->raise_us = now_us + MTU_RAISE_US;
}

void mtu_acked(struct mtu *mtu, uint16_t bytes, uint64_t now_us)
{
	/* Of a search before a black hole: that path is gone. */
	if (bytes != mtu->probe_bytes)
		return;
	mtu->datagram_bytes = bytes;
	mtu_go_on(mtu, now_us);
}

void mtu_lost(struct mtu *mtu, uint16_t bytes, uint64_t now_us)
{
	if (bytes != mtu->probe_bytes)
		return;
	mtu->lost++;
	mtu->is_due = true;
	if (mtu->lost < MTU_PROBES)
		return;
	mtu->failed_bytes = bytes;
	mtu_go_on(mtu, now_us);
}

void mtu_raise(struct mtu *mtu)
{
	mtu_search(mtu);
}

bool mtu_suspect(struct mtu *mtu, uint64_t sent_us, uint64_t now_us)
{
	if (sent_us < mtu->suspect_us)
		return false;
	mtu->suspect_us = now_us;
	if (++mtu->rounds < MTU_BLACK_ROUNDS)
		return false;
	mtu->datagram_bytes = MIN(mtu->limit_bytes, (uint16_t)RUDP_DATAGRAM_BYTES_MIN);
	mtu_search(mtu);
	return true;
}
