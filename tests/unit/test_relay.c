/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: packets come to the worker that they are for whatever queue they arrive on, and leave by a queue whoever sends
 * them; what does not fit into a relay is dropped and counted, and nothing is lost or doubled by that in the end.
 * Method: two nodes with several workers each in this process, over pairs of net_ring ports whose queues are joined
 * straight, crosswise, by a hash over UDP ports as a NIC would, or are only one; one thread gives turns, in a random
 * order. A relay alone is tried by two threads.
 */
#include "base/check.h"
#include "base/clock.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/relay.h"
#include "drivers/udp/udp.h"
#include "udp_node.h"
#include "unit.h"

#include <rte_eth_ring.h>
#include <rte_ring.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WORKERS      4u
#define SLICES       4u
#define SLICE_BYTES  (256u << 10)
#define MEMORY_BYTES (WORKERS * SLICES * SLICE_BYTES)
#define RING_PACKETS 1024u
#define PATIENCE_US  UINT64_C(10000000)
#define HANDED       200000u

/* How the queues of a pair of ports are joined: queue i of one is queue (i + turn) % queues of the other. */
static const struct wire {
	const char *name;
	uint32_t queues;
	uint32_t turn;
	bool is_hashed; /* the test moves each packet to the queue that its UDP ports give */
} wires[] = {
	{ "straight", 3, 0, false }, { "turned", 3, 1, false }, { "narrow", 1, 0, false },
	{ "some", 2, 0, false },     { "hashed", 3, 0, true },
};

static uint64_t seed;
static struct udp_node a;
static struct udp_node b;
static struct slice slices[WORKERS][SLICES];

static struct rte_ring *wire_ring(const struct wire *wire, const char *to, uint32_t queue)
{
	char name[RTE_RING_NAMESIZE];

	(void)snprintf(name, sizeof(name), "%s_to_%s%u", wire->name, to, queue);
	return rte_ring_create(name, RING_PACKETS, 0, 0);
}

/* The rings of the hashed wire: what each node sends into, and what each receives from. */
static struct rte_ring *hashed_out[2][WORKERS];
static struct rte_ring *hashed_in[2][WORKERS];

static int wire_make_hashed(const struct wire *wire)
{
	static const char *const names[2] = { "a", "b" };
	char name[16];

	for (uint32_t i = 0; i < 2; i++) {
		for (uint32_t j = 0; j < wire->queues; j++) {
			(void)snprintf(name, sizeof(name), "hash_out_%s", names[i]);
			hashed_out[i][j] = wire_ring(wire, name, j);
			hashed_in[i][j] = wire_ring(wire, names[i], j);
			if (hashed_out[i][j] == NULL || hashed_in[i][j] == NULL)
				return -1;
		}
		(void)snprintf(name, sizeof(name), "%s_%s", wire->name, names[i]);
		if (rte_eth_from_rings(name, hashed_in[i], wire->queues, hashed_out[i],
				       wire->queues, 0) < 0)
			return -1;
	}
	return 0;
}

/* Like a NIC's hash: of the UDP ports, and not the same in both directions. */
static uint32_t hashed_queue(const struct rte_mbuf *mbuf, uint32_t to)
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	uint32_t hash = (uint32_t)frame[34] << 24 | (uint32_t)frame[35] << 16 |
			(uint32_t)frame[36] << 8 | frame[37];

	return (hash * 2654435761u + to * 40503u) >> 16 & 0xffff;
}

static void hashed_move(void)
{
	struct rte_mbuf *mbuf;

	for (uint32_t i = 0; i < 2 * WORKERS; i++) {
		struct rte_ring *out = hashed_out[i % 2][i / 2];
		uint32_t to = 1 - i % 2;

		while (out != NULL && rte_ring_dequeue(out, (void **)&mbuf) == 0) {
			if (rte_ring_enqueue(hashed_in[to][hashed_queue(mbuf, to) % 3], mbuf) != 0)
				rte_pktmbuf_free(mbuf);
		}
	}
}

static int wire_make(const struct wire *wire)
{
	struct rte_ring *to_a[WORKERS];
	struct rte_ring *to_b[WORKERS];
	struct rte_ring *turned[WORKERS];
	char name[32];

	if (wire->is_hashed)
		return wire_make_hashed(wire);

	for (uint32_t i = 0; i < wire->queues; i++) {
		to_a[i] = wire_ring(wire, "a", i);
		to_b[i] = wire_ring(wire, "b", i);
		if (to_a[i] == NULL || to_b[i] == NULL)
			return -1;
	}
	for (uint32_t i = 0; i < wire->queues; i++)
		turned[i] = to_b[(i + wire->turn) % wire->queues];
	(void)snprintf(name, sizeof(name), "%s_a", wire->name);
	if (rte_eth_from_rings(name, to_a, wire->queues, turned, wire->queues, 0) < 0)
		return -1;
	for (uint32_t i = 0; i < wire->queues; i++)
		turned[i] = to_a[(i + wire->turn) % wire->queues];
	(void)snprintf(name, sizeof(name), "%s_b", wire->name);
	return rte_eth_from_rings(name, to_b, wire->queues, turned, wire->queues, 0) < 0;
}

static int set_up_eal(void **state)
{
	struct eal_options options = { .node = "test-relay",
				       .memory_mb = 192,
				       .huge_pages = UDP_HUGE_PAGES_OFF };

	(void)state;
	seed = unit_seed();
	if (eal_start(&options) != 0)
		return -1;
	for (uint32_t i = 0; i < ARRAY_SIZE(wires); i++) {
		if (wire_make(&wires[i]) != 0)
			return -1;
	}
	return 0;
}

static int tear_down_eal(void **state)
{
	(void)state;
	eal_stop();
	return 0;
}

/* One round of somebody, at random: everybody meets everybody in every order. */
static void turn(void)
{
	struct udp_node *node = unit_random_below(&seed, 2) == 0 ? &a : &b;

	hashed_move();
	if (unit_random_below(&seed, 4) == 0)
		udp_ops.control(node->transport, clock_now_us());
	else
		udp_node_turn_one(node, (uint32_t)unit_random_below(&seed, node->worker_count));
}

static bool is_port_up(struct udp_node *node)
{
	struct haul_transport_row row;

	udp_ops.describe(node->transport, &row, 1);
	return strcmp(row.state, "up") == 0;
}

#define TURN_UNTIL(condition)                                        \
	do {                                                         \
		uint64_t turn_end_us = clock_now_us() + PATIENCE_US; \
		while (!(condition)) {                               \
			assert_true(clock_now_us() < turn_end_us);   \
			turn();                                      \
		}                                                    \
	} while (0)

static void node_make(struct udp_node *node, const char *name, const struct wire *wire,
		      uint32_t workers)
{
	bool is_a = name[0] == 'a';
	char device[64];

	(void)snprintf(device, sizeof(device), "net_ring_%s_%s", wire->name, name);
	udp_node_init(node, name, device, is_a ? "10.0.0.1/24" : "10.0.0.2/24");
	node->worker_count = workers;
	node->conf.congestion = UDP_CONGESTION_FIXED;
	node->conf.window_packets = 2 * RELAY_PACKETS;
	for (uint32_t i = 0; i < workers; i++) {
		node->each[i].memory = i == 0 ? malloc(MEMORY_BYTES) : node->each[0].memory;
		node->each[i].bytes = MEMORY_BYTES;
	}
	for (uint32_t i = 0; i < MEMORY_BYTES; i++)
		node->each[0].memory[i] = (uint8_t)unit_random(&seed);
	assert_int_equal(udp_node_open(node, is_a ? 0xa : 0xb), 0);
}

static void nodes_make(const struct wire *wire, uint32_t workers_a, uint32_t workers_b)
{
	node_make(&a, "a", wire, workers_a);
	node_make(&b, "b", wire, workers_b);
	TURN_UNTIL(is_port_up(&a) && is_port_up(&b));
}

static void nodes_free(void)
{
	for (uint32_t i = 0; i < 400; i++) { /* what is still in the rings goes back to its pool */
		turn();
	}
	udp_node_close(&a);
	udp_node_close(&b);
	free(a.each[0].memory);
	free(b.each[0].memory);
}

static void connect_workers(struct udp_node *node, const struct udp_node *peer)
{
	for (uint32_t i = 0; i < node->worker_count; i++)
		udp_node_connect_one(node, i, peer);
	for (uint32_t i = 0; i < node->worker_count; i++)
		TURN_UNTIL(node->each[i].rail == RAIL_UP);
}

static uint64_t sum(const struct udp_node *node, enum udp_counter counter)
{
	uint64_t total = 0;

	for (uint32_t i = 0; i < node->worker_count; i++)
		total += node->counters_each[i][counter];
	return total;
}

static bool is_done(const struct udp_node *node, uint32_t count)
{
	for (uint32_t i = 0; i < node->worker_count; i++) {
		if (node->each[i].done != count)
			return false;
	}
	return true;
}

/* Every worker of a writes or reads a part of its own; then both memories are the same there. */
static void post_all(enum slice_kind kind)
{
	for (uint32_t i = 0; i < a.worker_count; i++) {
		for (uint32_t j = 0; j < SLICES; j++)
			assert_true(udp_node_post_one(&a, i, &slices[i][j], kind,
						      (i * SLICES + j) * SLICE_BYTES, SLICE_BYTES));
	}
}

static void await_all(void)
{
	TURN_UNTIL(is_done(&a, SLICES));
	for (uint32_t i = 0; i < a.worker_count; i++) {
		assert_int_equal(a.each[i].refused, 0);
		a.each[i].done = 0;
	}
	assert_memory_equal(a.each[0].memory, b.each[0].memory,
			    a.worker_count * SLICES * SLICE_BYTES);
}

static void move(enum slice_kind kind)
{
	post_all(kind);
	await_all();
}

static void refill(struct udp_node *node)
{
	for (uint32_t i = 0; i < MEMORY_BYTES; i++)
		node->each[0].memory[i] = (uint8_t)unit_random(&seed);
}

static void move_both(void)
{
	move(SLICE_WRITE);
	refill(&b);
	move(SLICE_READ);
}

static uint64_t relayed(void)
{
	return sum(&a, UDP_WRONG_WORKER_OUT) + sum(&b, UDP_WRONG_WORKER_OUT) +
	       sum(&a, UDP_OUT_RELAYED) + sum(&b, UDP_OUT_RELAYED);
}

/* Where the sender's queue is the receiver's, every connection is right from the first packet on. */
static void steer__needs_no_relay_when_queues_are_joined(void **state)
{
	(void)state;
	nodes_make(&wires[0], 3, 3);
	connect_workers(&a, &b);
	connect_workers(&b, &a);
	move_both();
	assert_int_equal(relayed(), 0);
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(b.counters_each[i][UDP_CONNECTIONS], 2);
	nodes_free();
}

/* Where a hash decides, a UDP port is found for each connection; nothing is left behind by those that were tried. */
static void steer__finds_a_udp_port_when_a_hash_decides(void **state)
{
	(void)state;
	udp_node_round = turn; /* which moves the packets, too */
	nodes_make(&wires[4], 3, 3);
	connect_workers(&a, &b);
	connect_workers(&b, &a);
	assert_true(sum(&a, UDP_STEER_MISSED) + sum(&b, UDP_STEER_MISSED) == 0);
	assert_true(sum(&a, UDP_STEER_AGAIN) + sum(&b, UDP_STEER_AGAIN) > 0);
	assert_int_equal(sum(&a, UDP_CONNECTIONS), 6);
	assert_int_equal(sum(&b, UDP_CONNECTIONS), 6);
	move_both();
	assert_int_equal(relayed(), 0);
	udp_node_round = NULL;
	nodes_free();
}

/* The peer has one queue, so that only the first of this node's leads to it. */
static void steer__leaves_a_queue_that_leads_nowhere(void **state)
{
	(void)state;
	nodes_make(&wires[3], 2, 1);
	connect_workers(&a, &b);
	move_both();
	assert_true(a.counters_each[1][UDP_OUT_RELAYED] > 0);
	assert_int_equal(b.counters_each[0][UDP_CONNECTIONS], 2);
	nodes_free();
}

static void relay__carries_what_came_to_the_wrong_worker(void **state)
{
	(void)state;
	nodes_make(&wires[1], 3, 3);
	connect_workers(&a, &b);
	move_both();
	assert_true(sum(&a, UDP_STEER_MISSED) > 0); /* no UDP port helps here */
	assert_true(sum(&a, UDP_WRONG_WORKER_OUT) > 0);
	assert_int_equal(sum(&a, UDP_WRONG_WORKER_IN), sum(&a, UDP_WRONG_WORKER_OUT));
	assert_int_equal(sum(&b, UDP_WRONG_WORKER_IN), sum(&b, UDP_WRONG_WORKER_OUT));
	nodes_free();
}

static void relay__serves_workers_without_a_queue(void **state)
{
	(void)state;
	nodes_make(&wires[2], 2, 3);
	connect_workers(&a, &b);
	move_both();
	assert_true(a.counters_each[1][UDP_OUT_RELAYED] > 0);
	assert_true(a.counters_each[1][UDP_WRONG_WORKER_IN] > 0);
	assert_int_equal(a.counters_each[1][UDP_OUT_FRAMES], 0);
	assert_int_equal(a.counters_each[1][UDP_IN_DATAGRAMS], 0);
	nodes_free();
}

static void relay__serves_some_workers_without_a_queue(void **state)
{
	(void)state;
	nodes_make(&wires[3], 3, 2);
	connect_workers(&a, &b);
	move_both();
	assert_int_equal(a.counters_each[0][UDP_OUT_RELAYED], 0);
	assert_int_equal(a.counters_each[1][UDP_OUT_RELAYED], 0);
	assert_true(a.counters_each[2][UDP_OUT_RELAYED] > 0);
	nodes_free();
}

/* A worker that hardly comes round: what is for it does not fit any more, and is sent again when it does. */
static void relay__drops_and_counts_what_does_not_fit(void **state)
{
	(void)state;
	nodes_make(
		&wires[2], 4,
		2); /* two of the connections are worker 1's, with a window of a ring's half each */
	connect_workers(&a, &b);
	assert_true(b.counters_each[1][UDP_CONNECTIONS] >= 2);
	post_all(SLICE_WRITE);
	for (uint64_t end_us = clock_now_us() + PATIENCE_US; sum(&b, UDP_DROP_RELAY) == 0;) {
		assert_true(clock_now_us() < end_us);
		for (uint32_t i = 0; i < a.worker_count; i++)
			udp_node_turn_one(&a, i);
		udp_node_turn_one(&b, 0);
		if (unit_random_below(&seed, 500) == 0) /* it has to say what its clock is */
			udp_node_turn_one(&b, 1);
	}
	await_all();
	nodes_free();
}

/* A daemon that was started again with fewer workers: packets for one that is gone are answered, not only dropped. */
static void relay__answers_for_a_worker_that_there_is_not(void **state)
{
	(void)state;
	nodes_make(&wires[2], 1, 3);
	connect_workers(&a, &b);
	while (b.counters_each[2][UDP_CONNECTIONS] == 0) {
		udp_ops.disconnect(a.transport, 0, UDP_NODE_RAIL);
		TURN_UNTIL(a.each[0].rail == RAIL_DOWN);
		connect_workers(&a, &b);
	}
	udp_node_close(&b);
	b.worker_count = 1;
	assert_int_equal(udp_node_open(&b, 0xbb), 0);
	TURN_UNTIL(is_port_up(&b));
	/* Its grant has to be proven first, and that is answered by the reset already. */
	assert_false(udp_node_post(&a, &slices[0][0], SLICE_WRITE, 0, SLICE_BYTES));
	TURN_UNTIL(a.each[0].rail == RAIL_DOWN);
	assert_int_equal(a.each[0].cause, RAIL_CAUSE_UNREACHABLE);
	assert_true(a.counters_each[0][UDP_RUDP_RESETS] > 0);
	nodes_free();
}

/* A reset names no worker: it finds the connection of each one. */
static void relay__takes_a_reset_round(void **state)
{
	(void)state;
	nodes_make(&wires[2], 3, 1);
	connect_workers(&a, &b);
	udp_node_close(&b);
	assert_int_equal(udp_node_open(&b, 0xbb), 0);
	TURN_UNTIL(is_port_up(&b));
	for (uint32_t i = 0; i < 3; i++) {
		if (a.each[i].rail != RAIL_DOWN) /* it may have pinged meanwhile */
			assert_false(udp_node_post_one(&a, i, &slices[i][0], SLICE_WRITE, 0,
						       SLICE_BYTES));
		TURN_UNTIL(a.each[i].rail == RAIL_DOWN);
		assert_int_equal(a.counters_each[i][UDP_RUDP_RESETS], 1);
	}
	nodes_free();
}

static struct relay *thread_relays;
static struct rte_mbuf *thread_mbufs;

static void *hand_over(void *argument)
{
	struct relay *relay = relay_of(thread_relays, 2, 0, 1);

	(void)argument;
	for (uint32_t i = 0; i < HANDED; i++) {
		struct relay_packet packet = { .mbuf = &thread_mbufs[i % (2 * RELAY_PACKETS)],
					       .hops = i };

		packet.mbuf->pkt_len = i;
		while (!spsc_push(&relay->received, &packet))
			ring_pause();
	}
	return NULL;
}

static void relay__is_safe_between_two_threads(void **state)
{
	struct relay_packet packet;
	pthread_t thread;
	uint32_t taken = 0;

	(void)state;
	thread_mbufs = calloc((size_t)2 * RELAY_PACKETS, sizeof(*thread_mbufs));
	assert_int_equal(relays_make(2, &thread_relays), 0);
	assert_int_equal(pthread_create(&thread, NULL, hand_over, NULL), 0);
	for (uint64_t end_us = clock_now_us() + PATIENCE_US; taken < HANDED;) {
		if (!spsc_pop(&relay_of(thread_relays, 2, 0, 1)->received, &packet)) {
			assert_true(clock_now_us() < end_us);
			continue;
		}
		assert_int_equal(packet.hops, taken);
		assert_int_equal(packet.mbuf->pkt_len, taken);
		taken++;
	}
	pthread_join(thread, NULL);
	relays_free(thread_relays, 2);
	free(thread_mbufs);
}

static void relays_make__makes_none_for_one_worker(void **state)
{
	struct relay *relays = (struct relay *)&wires;

	(void)state;
	assert_int_equal(relays_make(1, &relays), 0);
	assert_null(relays);
	relays_free(relays, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(relays_make__makes_none_for_one_worker),
		cmocka_unit_test(relay__is_safe_between_two_threads),
		cmocka_unit_test(steer__needs_no_relay_when_queues_are_joined),
		cmocka_unit_test(steer__finds_a_udp_port_when_a_hash_decides),
		cmocka_unit_test(steer__leaves_a_queue_that_leads_nowhere),
		cmocka_unit_test(relay__carries_what_came_to_the_wrong_worker),
		cmocka_unit_test(relay__serves_workers_without_a_queue),
		cmocka_unit_test(relay__serves_some_workers_without_a_queue),
		cmocka_unit_test(relay__drops_and_counts_what_does_not_fit),
		cmocka_unit_test(relay__answers_for_a_worker_that_there_is_not),
		cmocka_unit_test(relay__takes_a_reset_round),
	};

	return cmocka_run_group_tests(tests, set_up_eal, tear_down_eal);
}
