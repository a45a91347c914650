/* SPDX-License-Identifier: BSD-3-Clause */
/* Remote nodes by name and incarnation; peer.h says who may do what on which thread. */
#include "engine/peer.h"

#include "base/check.h"

#include <string.h>

static bool peer_matches(const struct peer *peer, const struct haul_descriptor *descriptor)
{
	return peer->references > 0 && peer->incarnation == descriptor->incarnation &&
	       strncmp(peer->node, descriptor->node, sizeof(peer->node)) == 0;
}

static uint32_t peer_find(const struct peer_table *table, const struct haul_descriptor *descriptor)
{
	uint32_t free = ENGINE_PEERS_MAX;

	for (uint32_t i = 0; i < ENGINE_PEERS_MAX; i++) {
		if (peer_matches(&table->peers[i], descriptor))
			return i;
		if (free == ENGINE_PEERS_MAX && table->peers[i].references == 0 &&
		    table->peers[i].forgetting == 0)
			free = i;
	}
	return free;
}

uint32_t peer_take(struct peer_table *table, const struct haul_descriptor *descriptor,
		   const struct haul_address *addresses, uint64_t self_incarnation, uint64_t now_us)
{
	uint32_t index = peer_find(table, descriptor);
	struct peer *peer;

	if (index == ENGINE_PEERS_MAX)
		return index;
	peer = &table->peers[index];
	if (peer->references == 0) {
		memset(peer, 0, sizeof(*peer));
		memcpy(peer->node, descriptor->node, sizeof(peer->node));
		peer->incarnation = descriptor->incarnation;
		peer->is_self = descriptor->incarnation == self_incarnation;
		peer->since_us = now_us;
	}
	BUG_ON(descriptor->address_count > HAUL_DESCRIPTOR_ADDRESSES_MAX);
	memcpy(peer->addresses, addresses, descriptor->address_count * sizeof(*addresses));
	peer->address_count = descriptor->address_count;
	peer->references++;
	return index;
}

bool peer_move(struct peer_table *table, uint32_t index, const struct haul_address *addresses,
	       uint32_t address_count)
{
	struct peer *peer = &table->peers[index];

	BUG_ON(address_count > HAUL_DESCRIPTOR_ADDRESSES_MAX);
	if (address_count == peer->address_count &&
	    memcmp(peer->addresses, addresses, address_count * sizeof(*addresses)) == 0)
		return false;
	memcpy(peer->addresses, addresses, address_count * sizeof(*addresses));
	peer->address_count = address_count;
	return true;
}

bool peer_drop(struct peer_table *table, uint32_t index, uint32_t worker_count)
{
	struct peer *peer = &table->peers[index];

	BUG_ON(index >= ENGINE_PEERS_MAX || peer->references == 0);
	if (--peer->references > 0)
		return false;
	peer->forgetting = worker_count;
	return true;
}

void peer_forgotten(struct peer_table *table, uint32_t index)
{
	struct peer *peer = &table->peers[index];

	BUG_ON(index >= ENGINE_PEERS_MAX || peer->forgetting == 0);
	peer->forgetting--;
}
