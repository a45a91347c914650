/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Round-trip time, and when a packet counts as lost: RFC 9002 with the reordering window of RFC 8985, in
 * microseconds. Pure arithmetic; who sends what again is ack.c's.
 *
 * A packet is lost when a later one has been acknowledged and either reorder_packets later ones
 * have been sent, or it was sent more than loss_delay_us ago. Both bounds grow when a loss turns out to
 * be spurious and shrink back after LOSS_CALM_ROUNDS losses that were none. A probe time-out declares
 * nothing lost: peers are taken off their cores for 10 ms as a matter of course.
 */
#ifndef RUDP_LOSS_H
#define RUDP_LOSS_H

#include <stdint.h>

/** Before the first sample: more than any data centre's, so that the first probe is no storm. */
#define LOSS_RTT_INITIAL_US 1000u
/** A peer sleeps for up to 500 us by default and its thread may be scheduled late; below this a probe says nothing. */
#define LOSS_PROBE_US_MIN 1000u
/** Probes back off up to here, so that a path that comes back is noticed soon. */
#define LOSS_PROBE_US_MAX 100000u
/** RFC 9002's packet threshold. */
#define LOSS_REORDER_PACKETS 3u
/** Half the wheel's resolution: a finer bound could not be kept. */
#define LOSS_DELAY_US_MIN 32u
/** RFC 8985: recoveries without a spurious loss until the window shrinks. */
#define LOSS_CALM_ROUNDS 16u

struct loss {
	uint32_t srtt_us8;         /**< smoothed RTT x 8; 0 = no sample yet */
	uint32_t rttvar_us4;       /**< its mean deviation x 4 */
	uint32_t latest_us;        /**< last sample */
	uint32_t min_us;           /**< least sample; UINT32_MAX = none */
	uint32_t reorder_packets;  /**< packet threshold, adapted */
	uint32_t reorder_quarters; /**< time threshold in quarters of min_us, adapted */
	uint32_t calm_rounds;      /**< losses since the last spurious one */
	uint32_t probes;           /**< probe time-outs since the last acknowledgement */
};

void loss_init(struct loss *loss);
/** A sample; the delay of the hosts, at most, is taken off, but never below the least sample. */
void loss_rtt_sample(struct loss *loss, uint32_t sample_us, uint32_t delay_us);
/** A packet was declared lost that `later` packets had overtaken when it was acknowledged. */
void loss_spurious(struct loss *loss, uint32_t later, uint32_t packets_max);
/** Packets were declared lost: counts towards calm. */
void loss_round(struct loss *loss);
/** Age from which a packet is lost once a later one is acknowledged. */
uint32_t loss_delay_us(const struct loss *loss);
/** Time from the last numbered packet to the next probe, backed off. */
uint32_t loss_probe_us(const struct loss *loss);

/** Smoothed RTT, or the initial guess. */
static inline uint32_t loss_rtt_us(const struct loss *loss)
{
	return loss->srtt_us8 != 0 ? loss->srtt_us8 / 8 : LOSS_RTT_INITIAL_US;
}

#endif
