/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Congestion control behind a table: how many numbered packets a connection may have in flight, and how
 * far apart they go. An algorithm sees what was acknowledged and lost, and sets window and pace; loss
 * recovery, probes and acknowledgements are none of its business. One worker's thread.
 */
#ifndef RUDP_CC_H
#define RUDP_CC_H

#include <stdbool.h>
#include <stdint.h>

struct cc;

/** What one acknowledgement has told. */
struct cc_ack {
	uint64_t now_us;
	uint64_t sent_us;   /**< when the packet that gave the sample was sent; 0 = no sample */
	uint32_t packets;   /**< newly acknowledged */
	uint32_t in_flight; /**< before this acknowledgement */
	uint32_t rtt_us;    /**< sample without the delays of both hosts; 0 = none with this one */
	uint32_t srtt_us;   /**< smoothed, this sample included */
};

/** One algorithm. No entry is NULL. */
struct cc_ops {
	const char *name; /**< as in the configuration */
	bool is_marked;   /**< its packets are sent as ECN-capable: it answers to marks */
	/** window_packets and packets_max are set to the connection's bound; the rest is zero. */
	void (*init)(struct cc *cc);
	void (*acked)(struct cc *cc, const struct cc_ack *ack);
	/** packets were declared lost; the newest of them was sent at sent_us. */
	void (*lost)(struct cc *cc, uint32_t packets, uint64_t sent_us, uint64_t now_us);
	/** So many of the packets of an acknowledgement, which was told to `acked` before, were marked on their way. */
	void (*marked)(struct cc *cc, uint32_t packets, const struct cc_ack *ack);
	/** A packet declared lost has been acknowledged after all. */
	void (*spurious)(struct cc *cc, uint64_t now_us);
	/** So many probes in a row are unanswered, two or more; nothing was declared lost. */
	void (*timeout)(struct cc *cc, uint32_t probes, uint64_t now_us);
};

/** A connection's state; algorithms share the words. */
struct cc {
	const struct cc_ops *ops;
	uint32_t window_packets; /**< numbered packets that may be in flight, at least 1 */
	uint32_t packets_max;    /**< the window never exceeds it */
	uint32_t pace_ns;        /**< time between two data packets; 0 = no pacing */
	uint32_t target_us;      /**< round-trip time that it aims at; 0 = it does not */
	uint64_t words[10];      /**< the algorithm's own */
};

/** As many packets as configured, always: for wires that do not queue, and hosts that must not be overrun. */
extern const struct cc_ops cc_fixed;

/** Swift: holds the delay of the path at a target. */
extern const struct cc_ops cc_swift;
/** NewReno as in RFC 9002: halves at a loss; to compare with. */
extern const struct cc_ops cc_newreno;

/** Sets packets_max; a window that is at its bound, or beyond the new one, goes to the new one. */
void cc_bound(struct cc *cc, uint32_t packets_max);

/** The algorithm of a name, NULL when there is none. */
const struct cc_ops *cc_find(const char *name);
/** All names, NULL behind the last. */
const char *cc_name(unsigned index);

#endif
