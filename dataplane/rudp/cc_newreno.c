/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NewReno as RFC 9002 writes it down in section 7 and appendix B, in packets: doubles each round until the first
 * loss, then grows by a packet a round and halves once for all losses of a round. What a probe time-out says is
 * left to the losses that follow it: persistent congestion is when packets are lost that were sent before a
 * second unanswered probe. Losses that turn out to be spurious are undone, as RFC 4015 does for TCP.
 */
#include "base/check.h"
#include "rudp/cc.h"

#include <assert.h>

/* RFC 9002: to begin with, and never less than. */
#define NEWRENO_WINDOW_INITIAL 10u
#define NEWRENO_WINDOW_MIN     2u

struct newreno {
	uint64_t recovery_us; /* losses of packets sent up to then have been answered */
	uint64_t timeout_us;  /* last unanswered probe but one or later; 0 = none */
	uint32_t threshold;   /* window at which doubling ends */
	uint32_t acked;       /* since the window last grew by one */
	uint32_t lost;        /* of the round that was answered last, without the spurious */
	uint32_t before;      /* window before that answer */
	uint32_t before_threshold;
};

static_assert(sizeof(struct newreno) <= sizeof(((struct cc *)0)->words), "fits");

static struct newreno *newreno_of(struct cc *cc)
{
	return (struct newreno *)cc->words;
}

static void newreno_init(struct cc *cc)
{
	cc->window_packets = MIN(NEWRENO_WINDOW_INITIAL, cc->packets_max);
	newreno_of(cc)->threshold = UINT32_MAX;
}

static void newreno_acked(struct cc *cc, const struct cc_ack *ack)
{
	struct newreno *newreno = newreno_of(cc);

	/* Not while the window is not used, nor for what was sent before it was halved. */
	if (ack->in_flight + ack->packets < cc->window_packets ||
	    (ack->sent_us != 0 && ack->sent_us <= newreno->recovery_us))
		return;
	if (cc->window_packets < newreno->threshold) {
		cc->window_packets = MIN(cc->window_packets + ack->packets, cc->packets_max);
		return;
	}
	newreno->acked += ack->packets;
	if (newreno->acked < cc->window_packets)
		return;
	newreno->acked -= cc->window_packets;
	cc->window_packets = MIN(cc->window_packets + 1, cc->packets_max);
}

static void newreno_lost(struct cc *cc, uint32_t packets, uint64_t sent_us, uint64_t now_us)
{
	struct newreno *newreno = newreno_of(cc);

	if (sent_us <= newreno->recovery_us) {
		newreno->lost += packets;
		return;
	}
	newreno->before = cc->window_packets;
	newreno->before_threshold = newreno->threshold;
	newreno->lost = packets;
	newreno->acked = 0;
	newreno->recovery_us = now_us;
	cc->window_packets = MAX(cc->window_packets / 2, NEWRENO_WINDOW_MIN);
	newreno->threshold = cc->window_packets;
	if (sent_us < newreno->timeout_us)
		cc->window_packets = NEWRENO_WINDOW_MIN;
	newreno->timeout_us = 0;
}

/* A mark is one event for all losses and marks of its round trip, as in RFC 9002, 7.1: nothing was lost, so nothing is undone. */
static void newreno_marked(struct cc *cc, uint32_t packets, const struct cc_ack *ack)
{
	(void)packets;
	if (ack->sent_us != 0 && ack->sent_us > newreno_of(cc)->recovery_us)
		newreno_lost(cc, 0, ack->sent_us, ack->now_us);
}

static void newreno_spurious(struct cc *cc, uint64_t now_us)
{
	struct newreno *newreno = newreno_of(cc);

	(void)now_us;
	if (newreno->lost == 0 || --newreno->lost > 0)
		return;
	cc->window_packets = MAX(cc->window_packets, newreno->before);
	newreno->threshold = MAX(newreno->threshold, newreno->before_threshold);
}

static void newreno_timeout(struct cc *cc, uint32_t probes, uint64_t now_us)
{
	(void)probes;
	newreno_of(cc)->timeout_us = now_us;
}

const struct cc_ops cc_newreno = {
	.name = "newreno",
	.is_marked = true,
	.init = newreno_init,
	.acked = newreno_acked,
	.lost = newreno_lost,
	.marked = newreno_marked,
	.spurious = newreno_spurious,
	.timeout = newreno_timeout,
};
