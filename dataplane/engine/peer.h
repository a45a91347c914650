/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Remote nodes. A peer is a node's name together with one incarnation: the same name with another incarnation is
 * another peer, so that nothing kept for the old one is ever used for the new.
 *
 * Threads: the control thread makes and frees peers; workers read `is_self`, `ways` and `incarnation` of peers that a
 * remote segment names, and those stand until every worker has passed a quiescent point after their release.
 */
#ifndef ENGINE_PEER_H
#define ENGINE_PEER_H

#include "api/haul_control.h"
#include "engine/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct peer {
	char node[HAUL_NAME_BYTES];
	uint64_t incarnation;
	uint64_t since_us;      /**< control only: when it was met */
	uint32_t references;    /**< control only: remote segments of it */
	uint32_t forgetting;    /**< control only: workers that may still have something for it */
	uint32_t address_count; /**< control only */
	bool is_self;           /**< this very node and incarnation */
	uint8_t ways
		[ENGINE_TRANSPORTS]; /**< rails there can be; written before workers see the peer */
	struct haul_address addresses[HAUL_DESCRIPTOR_ADDRESSES_MAX]; /**< control only */
};

struct peer_table {
	struct peer peers[ENGINE_PEERS_MAX];
};

/**
 * The peer a descriptor names, with one more reference; made when it is not known yet. Addresses are refreshed
 * from the descriptor. Returns its index, or ENGINE_PEERS_MAX when the table is full. Control thread.
 */
uint32_t peer_take(struct peer_table *table, const struct haul_descriptor *descriptor,
		   const struct haul_address *addresses, uint64_t self_incarnation,
		   uint64_t now_us);

/**
 * Drop one reference; true when it was the last. Then the slot is kept until each of worker_count workers has said by
 * peer_forgotten that no endpoint of it is left, so that no rail to the old peer is ever taken for one to the next.
 */
bool peer_drop(struct peer_table *table, uint32_t index, uint32_t worker_count);

/**
 * Where the peer is now, by a newer descriptor of the same incarnation; true when that differs from what was known. What is
 * connected stays; the next connection goes there. Control thread.
 */
bool peer_move(struct peer_table *table, uint32_t index, const struct haul_address *addresses,
	       uint32_t address_count);

/** One more worker has forgotten the peer. */
void peer_forgotten(struct peer_table *table, uint32_t index);

#endif
