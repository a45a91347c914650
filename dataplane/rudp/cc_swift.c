/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Swift (Kumar et al., SIGCOMM 2020), for hosts that are software. The window follows the delay of the path: below
 * a target it grows by a constant a round trip, above it shrinks in proportion to the excess, at most once a
 * round trip and at most by half. The target is a base plus a part that grows with 1/sqrt(window): many flows have
 * small windows each, and need a longer queue to share; a smaller one has a higher target, which makes them equal.
 *
 * What differs from the paper, and why:
 * - A round decides once, by the least of its samples. A worker's rounds, its peer's, and the port's batches add
 *   some microseconds to any one sample; a queue shows in all of them.
 * - Hosts' delay is taken off before (loss.h). What remains of a single stall, a hypervisor's for example, is a round
 *   far above the target; only a second such round in a row counts.
 * - The base is absolute (so that a late-comer, who has never seen the empty path, has no other target than the
 *   others), but never less than the least round-trip time and a little queue: hops are not known here. When the path
 *   grows longer, the delay stays above the target even with the least window; then that delay is the new base.
 * - Losses are no sign of congestion while the delay says that there is none, unless they are many: then a buffer
 *   overflows that is smaller than the target. Buffers of shared switches are larger, and optics, NIC rings and
 *   wires lose some in any case.
 * - Marks (ECN) are a switch's own word for a queue that Swift may not see yet: a round with marks does not grow, and cuts
 *   as DCTCP (Alizadeh et al., SIGCOMM 2010) does, by half the smoothed share of marked packets, or by the delay if
 *   that is more. The paper has no marks; its largest cut for any one of them would halve for a single packet's.
 * - Doubling at first, until the delay leaves the minimum: 16 packets would need a millisecond to fill a 25 Gbit/s
 *   path otherwise.
 * - After some rounds without any queue it grows by an eighth a round, as Timely's hyperactive increase does in its
 *   way: whoever shared the path has left.
 * - Above one packet it paces only while the path is congested; below one the window is a pace, as in the paper.
 * - A time-out alone does nothing: schedulers take peers off their cores for 10 ms as a matter of course. When packets
 *   sent before it are then lost, and SWIFT_PROBES_RESET probes went unanswered, the window begins anew (the
 *   paper's RETX_RESET_THRESHOLD).
 */
#include "base/check.h"
#include "rudp/cc.h"

#include <assert.h>
#include <stdbool.h>

/* Windows have 16 bits of fraction. */
#define SWIFT_ONE 65536u
/* Target of a large window: the round trip of a switch or two and of polling hosts, with room for a little queue. */
#define SWIFT_TARGET_US 30u
/* On longer paths: so much queue beside the least round-trip time. A worker's round is as long. */
#define SWIFT_QUEUE_US 10u
/* The flow-scaling part is between 0 from a window of SWIFT_SCALE_WINDOW_MAX on, and this from ..._MIN down. */
#define SWIFT_SCALE_US         20u
#define SWIFT_SCALE_WINDOW_MIN (SWIFT_ONE / 4)
#define SWIFT_SCALE_WINDOW_MAX (64 * SWIFT_ONE)
/* One by the square roots of these. */
#define SWIFT_SCALE_MOST  (2 * SWIFT_ONE)
#define SWIFT_SCALE_LEAST (SWIFT_ONE / 8)
/* Growth a round trip: 32 senders together are 8 packets. Of windows below two, an eighth at most. */
#define SWIFT_INCREASE       (SWIFT_ONE / 4)
#define SWIFT_INCREASE_SHARE 8u
/* After so many rounds without a queue the growth is that share of the window: others have left. */
#define SWIFT_CALM_ROUNDS 5u
/* The paper's beta, in eighths, is 0.8; this is 0.75. */
#define SWIFT_DECREASE_EIGHTHS 6u
/* RFC 9002's initial window of ten, rounded to what a burst of a worker is half of. */
#define SWIFT_WINDOW_INITIAL (16 * SWIFT_ONE)
/* A packet in 16 round trips: 1000 senders to one still fit a 100 kB buffer. */
#define SWIFT_WINDOW_MIN (SWIFT_ONE / 16)
/* So many targets are a stall, unless the next round says the same. */
#define SWIFT_STALL_TARGETS 4u
/* Samples in a row that end the doubling: one may be late. */
#define SWIFT_HIGH_SAMPLES 3u
/* DCTCP's gain: the share of marked packets is smoothed over so many rounds. */
#define SWIFT_MARKS_SHARE 16u
/* Losses are counted over so many packets, and are too many from one in SWIFT_LOSS_SHARE on. */
#define SWIFT_LOSS_PACKETS 64u
#define SWIFT_LOSS_SHARE   12u
/* Rounds with the least window after which a delay is the path's own. */
#define SWIFT_BASE_ROUNDS 16u
/* The paper's: unanswered retransmissions until the window begins anew. Here some 30 ms. */
#define SWIFT_PROBES_RESET 5u

struct swift {
	uint64_t round_us;     /* a sample of a packet sent from then on ends the round */
	uint64_t timeout_us;   /* last unanswered probe but one or later */
	uint32_t window;       /* packets, SWIFT_ONE each */
	uint32_t before;       /* window before it was cut for losses */
	uint32_t base_us;      /* least sample, or what was found later; UINT32_MAX = none */
	uint32_t round_rtt_us; /* least sample of the round; UINT32_MAX = none */
	uint32_t acked;        /* packets of the count of losses */
	uint32_t lost;
	uint32_t cut_lost;    /* losses that cut the window, without the spurious */
	uint32_t round_acked; /* packets of the round ... */
	uint32_t round_marks; /* ... and those that were marked */
	uint32_t marks;       /* the smoothed share of these, SWIFT_ONE = all */
	uint16_t base_rounds; /* above the target with the least window */
	uint8_t timeouts;     /* unanswered probes at timeout_us; 0 = answered for */
	uint8_t high_samples;
	uint8_t calm_rounds; /* in a row without a queue */
	bool is_starting;    /* doubling */
	bool is_used;        /* the round has filled the window */
	bool was_above;      /* the round before was above the target */
};

static_assert(sizeof(struct swift) <= sizeof(((struct cc *)0)->words), "fits");

static struct swift *swift_of(struct cc *cc)
{
	return (struct swift *)cc->words;
}

static uint32_t root(uint64_t value)
{
	uint64_t result = 0;

	for (uint64_t bit = UINT64_C(1) << 62; bit != 0; bit >>= 2) {
		if (value >= result + bit) {
			value -= result + bit;
			result = result / 2 + bit;
		} else {
			result /= 2;
		}
	}
	return (uint32_t)result;
}

/* 1/sqrt(window in packets), SWIFT_ONE each. */
static uint32_t inverse_root(uint32_t window)
{
	return root((UINT64_C(1) << 48) / window);
}

static uint32_t swift_target_us(const struct swift *swift)
{
	uint32_t window = MAX(swift->window, SWIFT_SCALE_WINDOW_MIN);
	uint32_t scale_us = 0;

	if (window < SWIFT_SCALE_WINDOW_MAX) {
		scale_us = (inverse_root(window) - SWIFT_SCALE_LEAST) * SWIFT_SCALE_US /
			   (SWIFT_SCALE_MOST - SWIFT_SCALE_LEAST);
	}
	return MAX(SWIFT_TARGET_US, swift->base_us + SWIFT_QUEUE_US) + scale_us;
}

static void swift_set(struct cc *cc, uint32_t window)
{
	struct swift *swift = swift_of(cc);

	window = MAX(window, SWIFT_WINDOW_MIN);
	swift->window = (uint32_t)MIN((uint64_t)window, (uint64_t)cc->packets_max * SWIFT_ONE);
	cc->window_packets = MAX(swift->window / SWIFT_ONE, 1u);
}

static void swift_init(struct cc *cc)
{
	struct swift *swift = swift_of(cc);

	swift->base_us = UINT32_MAX;
	swift->round_rtt_us = UINT32_MAX;
	swift->is_starting = true;
	swift->marks = SWIFT_ONE;
	swift_set(cc, SWIFT_WINDOW_INITIAL);
}

/* No queue to speak of. */
static bool swift_is_calm(const struct swift *swift, uint32_t rtt_us)
{
	return rtt_us <= MAX(swift->base_us, SWIFT_TARGET_US - SWIFT_QUEUE_US) + SWIFT_QUEUE_US / 2;
}

/* Doubling, as long as samples stay near the least. */
static void swift_start(struct cc *cc, const struct cc_ack *ack)
{
	struct swift *swift = swift_of(cc);

	if (!swift_is_calm(swift, ack->rtt_us))
		swift->high_samples++;
	else if (ack->rtt_us != 0)
		swift->high_samples = 0;
	if (swift->high_samples >= SWIFT_HIGH_SAMPLES)
		swift->is_starting = false;
	else if (ack->in_flight >= cc->window_packets / 2)
		swift_set(cc, swift->window + ack->packets * SWIFT_ONE);
}

static void swift_increase(struct cc *cc, uint32_t rtt_us)
{
	struct swift *swift = swift_of(cc);
	uint32_t share = swift->window / SWIFT_INCREASE_SHARE;

	if (!swift_is_calm(swift, rtt_us))
		swift->calm_rounds = 0;
	else if (swift->calm_rounds < SWIFT_CALM_ROUNDS)
		swift->calm_rounds++;
	if (swift->is_starting || !swift->is_used)
		return;
	if (swift->calm_rounds == SWIFT_CALM_ROUNDS)
		swift_set(cc, swift->window + MAX(SWIFT_INCREASE, share));
	else
		swift_set(cc, swift->window + MIN(SWIFT_INCREASE, share));
}

static void swift_decrease(struct cc *cc, uint32_t rtt_us, uint32_t target_us)
{
	struct swift *swift = swift_of(cc);
	uint64_t cut = (uint64_t)swift->window * SWIFT_DECREASE_EIGHTHS * (rtt_us - target_us) /
		       (8 * (uint64_t)rtt_us);

	swift->is_starting = false;
	swift->calm_rounds = 0;
	swift_set(cc, swift->window - (uint32_t)MIN(cut, (uint64_t)swift->window / 2));
	if (swift->window > SWIFT_WINDOW_MIN) {
		swift->base_rounds = 0;
	} else if (++swift->base_rounds >= SWIFT_BASE_ROUNDS) {
		swift->base_us = rtt_us;
		swift->base_rounds = 0;
	}
}

/* Many losses without delay: a buffer that is smaller than the target. */
static void swift_count_losses(struct cc *cc, bool is_cut)
{
	struct swift *swift = swift_of(cc);
	uint32_t packets = swift->acked + swift->lost;

	if (packets < SWIFT_LOSS_PACKETS)
		return;
	if (swift->lost * SWIFT_LOSS_SHARE >= packets && !is_cut) {
		swift->before = swift->window;
		swift->cut_lost = swift->lost;
		swift->is_starting = false;
		swift_set(cc, swift->window / 2);
	}
	swift->acked = 0;
	swift->lost = 0;
}

static void swift_pace(struct cc *cc, const struct cc_ack *ack, uint32_t target_us)
{
	const struct swift *swift = swift_of(cc);
	uint64_t pace_ns = (uint64_t)ack->srtt_us * 1000 * SWIFT_ONE / swift->window;

	if (swift->window < SWIFT_ONE)
		cc->pace_ns = (uint32_t)pace_ns;
	else if (swift->round_rtt_us + SWIFT_QUEUE_US / 2 >= target_us)
		cc->pace_ns = (uint32_t)(pace_ns * 4 / 5);
	else
		cc->pace_ns = 0;
}

/* As DCTCP: by half the share of marked packets, of the window that the round began with; the delay may have cut more. */
static void swift_answer_marks(struct cc *cc, uint32_t window)
{
	struct swift *swift = swift_of(cc);
	uint64_t cut;

	if (swift->round_acked > 0) {
		uint32_t share =
			(uint32_t)((uint64_t)swift->round_marks * SWIFT_ONE / swift->round_acked);

		swift->marks -= swift->marks / SWIFT_MARKS_SHARE;
		swift->marks += MIN(share, SWIFT_ONE) / SWIFT_MARKS_SHARE;
	}
	if (swift->round_marks > 0) {
		cut = (uint64_t)window * swift->marks / (UINT64_C(2) * SWIFT_ONE);
		swift->is_starting = false;
		swift->calm_rounds = 0;
		swift_set(cc, MIN(swift->window, window - (uint32_t)cut));
	}
	swift->round_acked = 0;
	swift->round_marks = 0;
}

/* The least delay of a round decides. */
static void swift_round(struct cc *cc, const struct cc_ack *ack)
{
	struct swift *swift = swift_of(cc);
	uint32_t rtt_us = swift->round_rtt_us;
	uint32_t target_us = swift_target_us(swift);
	bool is_above = rtt_us > target_us;
	bool is_stall = rtt_us > SWIFT_STALL_TARGETS * target_us && !swift->was_above;
	uint32_t window = swift->window;

	if (is_above && !is_stall)
		swift_decrease(cc, rtt_us, target_us);
	else if (!is_above && swift->round_marks == 0)
		swift_increase(cc, rtt_us);
	swift_answer_marks(cc, window);
	swift_count_losses(cc, is_above && !is_stall);
	swift_pace(cc, ack, target_us);
	cc->target_us = target_us;
	swift->was_above = is_above;
	swift->is_used = false;
	swift->round_rtt_us = UINT32_MAX;
	swift->round_us = ack->now_us;
}

static void swift_acked(struct cc *cc, const struct cc_ack *ack)
{
	struct swift *swift = swift_of(cc);

	swift->acked += ack->packets;
	swift->round_acked += ack->packets;
	swift->is_used |= ack->in_flight >= cc->window_packets;
	if (ack->rtt_us != 0) {
		swift->base_us = MIN(swift->base_us, ack->rtt_us);
		swift->round_rtt_us = MIN(swift->round_rtt_us, ack->rtt_us);
	}
	if (swift->is_starting)
		swift_start(cc, ack);
	if (ack->sent_us >= swift->round_us && swift->round_rtt_us != UINT32_MAX)
		swift_round(cc, ack);
}

static void swift_lost(struct cc *cc, uint32_t packets, uint64_t sent_us, uint64_t now_us)
{
	struct swift *swift = swift_of(cc);

	(void)now_us;
	swift->lost += packets;
	if (sent_us > swift->timeout_us)
		return;
	if (swift->timeouts >= SWIFT_PROBES_RESET) {
		swift_set(cc, SWIFT_ONE);
		swift->is_starting = true;
		swift->high_samples = 0;
		swift->acked = 0;
		swift->lost = 0;
	}
	swift->timeouts = 0;
}

/* The round's end answers, as to delay. A mark in the beginning ends the doubling at once. */
static void swift_marked(struct cc *cc, uint32_t packets, const struct cc_ack *ack)
{
	struct swift *swift = swift_of(cc);

	(void)ack;
	swift->round_marks += packets;
	swift->is_starting = false;
}

static void swift_spurious(struct cc *cc, uint64_t now_us)
{
	struct swift *swift = swift_of(cc);

	(void)now_us;
	swift->lost -= swift->lost > 0;
	if (swift->cut_lost == 0 || --swift->cut_lost > 0)
		return;
	swift_set(cc, MAX(swift->window, swift->before));
}

static void swift_timeout(struct cc *cc, uint32_t probes, uint64_t now_us)
{
	struct swift *swift = swift_of(cc);

	swift->timeouts = (uint8_t)MIN(probes, SWIFT_PROBES_RESET);
	swift->timeout_us = now_us;
}

const struct cc_ops cc_swift = {
	.name = "swift",
	.is_marked = true,
	.init = swift_init,
	.acked = swift_acked,
	.lost = swift_lost,
	.marked = swift_marked,
	.spurious = swift_spurious,
	.timeout = swift_timeout,
};
