/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A node for benchmarks: a real worker with its engine and its udp transport on a port, one client's rings and
 * one piece of registered memory. No control thread and no control plane: the benchmark plays both, and turns the worker
 * from whatever thread it likes. Two of them, joined by perf_node_join, live in one process.
 *
 * What fails ends the process: a benchmark has nobody to tell.
 */
#ifndef PERF_NODE_H
#define PERF_NODE_H

#include "base/ring.h"
#include "drivers/udp/conf.h"
#include "drivers/udp/counters.h"
#include "engine/worker.h"

#include <stdbool.h>
#include <stdint.h>

struct perf_node_options {
	uint32_t mtu_bytes;
	uint32_t memory_bytes;   /**< registered on each node */
	uint32_t window_packets; /**< 0 = the default */
	uint32_t payload_crc;    /**< enum udp_crc */
	uint32_t virtio;         /**< the node on virtio-user, the other is on vhost; 0 = rings */
	bool is_copied;          /**< payload never goes by reference */
};

struct perf_node {
	char name[HAUL_NAME_BYTES];
	uint32_t number; /**< 1 or 2 */
	struct engine engine;
	struct worker *worker;
	struct worker *workers[1];
	struct udp_conf conf;
	struct transport *transport;
	struct channel *channel;
	uint8_t *memory;
	uint64_t region; /**< handle of all of it */
	uint32_t remote; /**< handle of the other node's */
	uint64_t bytes;
	uint64_t counters[WORKER_COUNTER_COUNT];
	uint64_t region_counters[REGION_COUNTER_COUNT];
	uint64_t udp_counters[UDP_COUNTER_COUNT];
	uint64_t *blocks[1];
};

/** Make two nodes on a pair of rings, each with the other's memory open, and connect the first to the second. */
void perf_node_join(struct perf_node *a, struct perf_node *b,
		    const struct perf_node_options *options);

/** One round of its worker at the time that it is. */
void perf_node_turn(struct perf_node *node);

/** What a control thread does: connects what its worker asks for. */
void perf_node_control(struct perf_node *node);

/** Submit a WRITE or READ between the same offsets of both memories; false when the ring is full. */
bool perf_node_submit(struct perf_node *node, enum haul_opcode opcode, uint64_t offset,
		      uint32_t length);

/** Take completions; returns how many. One that is not HAUL_OK ends the process. */
uint32_t perf_node_reap(struct perf_node *node);

/** A processor for this thread alone, as far as the kernel lets it: false when there is none of that number. */
bool perf_pin(uint32_t cpu);

#endif
