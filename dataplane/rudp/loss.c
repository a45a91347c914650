/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Integer versions of RFC 9002 section 5 and 6 and RFC 8985 section 6.2, scaled so that samples of a
 * few microseconds do not vanish in the division.
 */
#include "rudp/loss.h"

#include "base/check.h"

#include <string.h>

/* RFC 9002: the shift of a back-off that LOSS_PROBE_US_MAX bounds anyway. */
#define PROBE_SHIFT_MAX 10u
/* RFC 8985 grows by a quarter of the least RTT; beyond four RTTs a loss is no reordering. */
#define REORDER_QUARTERS_MAX 16u

void loss_init(struct loss *loss)
{
	memset(loss, 0, sizeof(*loss));
	loss->min_us = UINT32_MAX;
	loss->reorder_packets = LOSS_REORDER_PACKETS;
	loss->reorder_quarters = 1;
}

void loss_rtt_sample(struct loss *loss, uint32_t sample_us, uint32_t delay_us)
{
	uint32_t adjusted_us = MAX(sample_us, 1u);
	uint32_t deviation_us;

	loss->min_us = MIN(loss->min_us, adjusted_us);
	/* A host knows how long it was away, not when in that time a packet came. */
	adjusted_us =
		adjusted_us > delay_us ? MAX(adjusted_us - delay_us, loss->min_us) : loss->min_us;
	loss->latest_us = adjusted_us;
	if (loss->srtt_us8 == 0) {
		loss->srtt_us8 = adjusted_us * 8;
		loss->rttvar_us4 = adjusted_us * 2;
		return;
	}
	deviation_us = loss->srtt_us8 / 8 > adjusted_us ? loss->srtt_us8 / 8 - adjusted_us
							: adjusted_us - loss->srtt_us8 / 8;
	loss->rttvar_us4 += deviation_us - loss->rttvar_us4 / 4;
	loss->srtt_us8 += adjusted_us - loss->srtt_us8 / 8;
	loss->srtt_us8 = MAX(loss->srtt_us8, 1u);
}

void loss_spurious(struct loss *loss, uint32_t later, uint32_t packets_max)
{
	loss->calm_rounds = 0;
	loss->reorder_packets =
		MIN(MAX(loss->reorder_packets, later + 1), MAX(packets_max, LOSS_REORDER_PACKETS));
	loss->reorder_quarters = MIN(loss->reorder_quarters + 1, REORDER_QUARTERS_MAX);
}

void loss_round(struct loss *loss)
{
	if (++loss->calm_rounds < LOSS_CALM_ROUNDS)
		return;
	loss->calm_rounds = 0;
	loss->reorder_packets = MAX(loss->reorder_packets / 2, LOSS_REORDER_PACKETS);
	loss->reorder_quarters = MAX(loss->reorder_quarters / 2, 1u);
}

uint32_t loss_delay_us(const struct loss *loss)
{
	uint32_t rtt_us = MAX(loss_rtt_us(loss), loss->latest_us);
	uint32_t window_us;

	if (loss->srtt_us8 == 0)
		return rtt_us + rtt_us / 8;
	window_us = MAX(loss->min_us / 4 * loss->reorder_quarters, rtt_us / 8);
	return rtt_us + MAX(window_us, LOSS_DELAY_US_MIN);
}

uint32_t loss_probe_us(const struct loss *loss)
{
	uint32_t probe_us = loss_rtt_us(loss) + MAX(loss->rttvar_us4, LOSS_DELAY_US_MIN);

	if (loss->srtt_us8 == 0)
		probe_us = 2 * LOSS_RTT_INITIAL_US;
	probe_us = MAX(probe_us, LOSS_PROBE_US_MIN);
	if (probe_us >= LOSS_PROBE_US_MAX)
		return probe_us;
	return MIN(probe_us << MIN(loss->probes, PROBE_SHIFT_MAX), LOSS_PROBE_US_MAX);
}
