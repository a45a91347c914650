/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fixed window. A wire between two rings in one host has no queue that builds up unseen: what bounds the
 * flight there is the receiver's ring, and the window is chosen to fit it.
 */
#include "rudp/cc.h"

static void cc_fixed_init(struct cc *cc)
{
	(void)cc;
}

static void cc_fixed_acked(struct cc *cc, const struct cc_ack *ack)
{
	(void)cc;
	(void)ack;
}

static void cc_fixed_lost(struct cc *cc, uint32_t packets, uint64_t sent_us, uint64_t now_us)
{
	(void)cc;
	(void)packets;
	(void)sent_us;
	(void)now_us;
}

static void cc_fixed_marked(struct cc *cc, uint32_t packets, const struct cc_ack *ack)
{
	(void)cc;
	(void)packets;
	(void)ack;
}

static void cc_fixed_spurious(struct cc *cc, uint64_t now_us)
{
	(void)cc;
	(void)now_us;
}

static void cc_fixed_timeout(struct cc *cc, uint32_t probes, uint64_t now_us)
{
	(void)cc;
	(void)probes;
	(void)now_us;
}

const struct cc_ops cc_fixed = {
	.name = "fixed",
	.init = cc_fixed_init,
	.acked = cc_fixed_acked,
	.lost = cc_fixed_lost,
	.marked = cc_fixed_marked,
	.spurious = cc_fixed_spurious,
	.timeout = cc_fixed_timeout,
};
