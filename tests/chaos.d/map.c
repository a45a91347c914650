/* SPDX-License-Identifier: BSD-3-Clause */
/* The map of the chaos test; map.h says what is in it. */
#include "tests/chaos.d/map.h"

#include "base/check.h"

#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>

/* Its memories one after the other, in a place that has room for all. */
static int chaos_map_arena(struct chaos *chaos, uint32_t client, uint32_t arena, int fd)
{
	uint32_t count = chaos_memories(arena);
	size_t bytes = CHAOS_ARENA_BYTES / count;
	uint8_t *memory =
		mmap(NULL, CHAOS_ARENA_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	chaos->memory[client][arena] = memory;
	for (uint32_t i = 0; i < count; i++) {
		const void *piece = mmap(memory + i * bytes, bytes, PROT_READ | PROT_WRITE,
					 MAP_SHARED | MAP_FIXED, fd + (int)i, 0);

		if (piece == MAP_FAILED)
			return -1;
		chaos->fds[client][arena][i] = fd + (int)i;
	}
	return 0;
}

int chaos_attach(struct chaos *chaos, int map_fd, uint32_t client)
{
	void *map =
		mmap(NULL, sizeof(struct chaos_map), PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
	int fd = map_fd + 1;

	if (map == MAP_FAILED)
		return -1;
	chaos->map = map;
	chaos->client = client;
	if (chaos->map->clients > CHAOS_CLIENTS_MAX || client >= chaos->map->clients)
		return -1;
	for (uint32_t i = 0; i < chaos->map->clients; i++) {
		for (uint32_t j = 0; j < CHAOS_ARENAS; j++) {
			if (chaos_map_arena(chaos, i, j, fd) != 0)
				return -1;
			fd += (int)chaos_memories(j);
		}
	}
	return 0;
}

/* SplitMix64, as in the simulator. */
uint64_t chaos_random(struct chaos *chaos)
{
	uint64_t mixed = chaos->random += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

uint64_t chaos_below(struct chaos *chaos, uint64_t bound)
{
	return bound == 0 ? 0 : chaos_random(chaos) % bound;
}

bool chaos_chance(struct chaos *chaos, uint64_t ppm)
{
	return chaos_below(chaos, 1000000) < ppm;
}

bool chaos_stood_still(const struct chaos *chaos, uint64_t since_us)
{
	const struct chaos_node *node = &chaos->map->node[chaos_node_of(chaos, chaos->client)];
	uint64_t stopped_us = atomic_load(&node->stopped_us);
	uint64_t continued_us = atomic_load(&node->continued_us);

	return stopped_us > continued_us ||
	       (continued_us != 0 && continued_us + CHAOS_GRACE_US > since_us);
}

void chaos_lock(struct chaos *chaos, struct chaos_slot *slot)
{
	uint32_t nobody = 0;

	while (!atomic_compare_exchange_weak_explicit(&slot->lock, &nobody, chaos->client + 1,
						      memory_order_acquire, memory_order_relaxed)) {
		nobody = 0;
		sched_yield();
	}
}

void chaos_unlock(struct chaos_slot *slot)
{
	atomic_store_explicit(&slot->lock, 0, memory_order_release);
}
