/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The simulated wire: one direction of a path, with everything that happens to packets, and the queue of
 * packets on their way, ordered by arrival. Times are virtual microseconds.
 */
#ifndef SIM_LINK_H
#define SIM_LINK_H

#include "random.h"

#include <stddef.h>
#include <stdint.h>

/** What one direction does to packets. Zero of a field turns it off. */
struct link_config {
	uint32_t delay_us;       /**< of every packet */
	uint32_t jitter_us;      /**< up to so much more, without reordering on its own */
	uint32_t loss_ppm;       /**< independent */
	uint32_t burst_ppm;      /**< Gilbert-Elliott: a burst begins */
	uint32_t burst_end_ppm;  /**< and ends, at each packet; inside nine of ten are lost */
	uint32_t duplicate_ppm;  /**< a copy arrives up to duplicate_us later */
	uint32_t duplicate_us;   /**< 0 = jitter only */
	uint32_t reorder_ppm;    /**< delayed by up to reorder_us more */
	uint32_t reorder_us;     /**< for reorder_ppm */
	uint32_t corrupt_ppm;    /**< some bits flip and the checksum catches it: dropped */
	uint32_t garbage_ppm;    /**< some bits flip and nothing catches it: delivered */
	uint32_t late_ppm;       /**< held back by up to late_us: seconds in some switch */
	uint32_t late_us;        /**< for late_ppm */
	uint32_t bytes_per_us;   /**< bandwidth; 0 = infinite */
	uint32_t queue_packets;  /**< waiting for bandwidth; more are dropped */
	uint32_t mark_packets;   /**< ECN-capable ones behind so many are marked; 0 = none is */
	uint32_t bleaches;       /**< 1 = takes the marks away, and the capability */
	uint32_t carries_bytes;  /**< larger datagrams are dropped; 0 = none is too large */
	uint32_t shrunk_bytes;   /**< the same, in each other period of shrink_us; 0 = as before */
	uint32_t shrink_us;      /**< the first period is at full size; 0 = shrunk for good ... */
	uint64_t shrink_from_us; /**< ... from then on */
	uint64_t black_from_us;  /**< black hole from then */
	uint64_t black_until_us; /**< to then */
};

struct link_counts {
	uint64_t sent;
	uint64_t dropped;
	uint64_t delivered;
};

struct link_packet {
	uint64_t at_us;    /**< arrival */
	uint64_t sequence; /**< tells two of one time apart */
	uint32_t to;       /**< node */
	uint32_t bytes;
	uint8_t ecn;   /**< the two bits of the IP header */
	uint8_t *data; /**< freed by whoever takes the packet */
};

/** All packets on their way, a heap. */
struct link_queue {
	struct link_packet *packets;
	uint32_t count;
	uint32_t capacity;
	uint64_t sequence;
};

struct link {
	struct link_config config;
	struct link_counts counts;
	struct random *random;
	struct link_queue *queue;
	uint64_t busy_until_us8; /**< when the last queued byte has left, in eighths */
	uint64_t last_us;        /**< arrival of the last packet in order */
	uint32_t to;
	bool in_burst;
};

void link_send(struct link *link, uint64_t now_us, const uint8_t *data, size_t bytes, uint8_t ecn);
/** Arrival of the next packet, UINT64_MAX = none. */
uint64_t link_queue_next_us(const struct link_queue *queue);
/** Takes the next packet; there is one. */
struct link_packet link_queue_take(struct link_queue *queue);
void link_queue_destroy(struct link_queue *queue);

#endif
