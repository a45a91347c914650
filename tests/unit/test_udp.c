/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: two udp transports move bytes both ways, end what is refused or cancelled, and come back together after one of
 * them was restarted; each outcome is told once, and no packet buffer is lost.
 * Method: both in this process, over a pair of net_ring ports, each with a piece of memory for an engine; one thread
 * gives them turns until something is so, or too much time has passed.
 */
#include "base/clock.h"
#include "drivers/udp/control.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/udp.h"
#include "udp_node.h"
#include "unit.h"

#include <rte_eth_ring.h>
#include <rte_ring.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_BYTES (4u << 20)
#define SLICE_BYTES  (1u << 20)
#define RING_PACKETS 1024u
#define PATIENCE_US  UINT64_C(10000000)

static struct udp_node a;
static struct udp_node b;

/* Two ports, one's transmit ring the other's receive ring. */
static int set_up_eal(void **state)
{
	struct eal_options options = { .node = "test-udp",
				       .memory_mb = 160,
				       .huge_pages = UDP_HUGE_PAGES_OFF };
	struct rte_ring *to_a;
	struct rte_ring *to_b;

	(void)state;
	if (eal_start(&options) != 0)
		return -1;
	to_a = rte_ring_create("to_a", RING_PACKETS, 0, 0);
	to_b = rte_ring_create("to_b", RING_PACKETS, 0, 0);
	if (to_a == NULL || to_b == NULL)
		return -1;
	return rte_eth_from_rings("a", &to_a, 1, &to_b, 1, 0) < 0 ||
	       rte_eth_from_rings("b", &to_b, 1, &to_a, 1, 0) < 0;
}

static int tear_down_eal(void **state)
{
	(void)state;
	eal_stop();
	return 0;
}

static void fill(uint8_t *memory, uint32_t seed)
{
	uint32_t value = seed * 2654435761u + 1;

	for (uint32_t i = 0; i < MEMORY_BYTES; i++) {
		value = value * 1664525u + 1013904223u;
		memory[i] = (uint8_t)(value >> 24);
	}
}

static bool is_port(struct udp_node *node, const char *state)
{
	struct haul_transport_row row;

	udp_ops.describe(node->transport, &row, 1);
	return strcmp(row.state, state) == 0;
}

static bool is_port_up(struct udp_node *node)
{
	return is_port(node, "up");
}

static int set_up(void **state)
{
	uint64_t end_us = clock_now_us() + PATIENCE_US;

	(void)state;
	udp_node_init(&a, "a", "net_ring_a", "10.0.0.1/24");
	udp_node_init(&b, "b", "net_ring_b", "10.0.0.2/24");
	a.worker.memory = malloc(MEMORY_BYTES);
	b.worker.memory = malloc(MEMORY_BYTES);
	a.worker.bytes = MEMORY_BYTES;
	b.worker.bytes = MEMORY_BYTES;
	fill(a.worker.memory, 1);
	fill(b.worker.memory, 2);
	if (udp_node_open(&a, 0xa) != 0 || udp_node_open(&b, 0xb) != 0)
		return -1;
	while (!is_port_up(&a) || !is_port_up(&b)) {
		udp_node_turn(&a);
		udp_node_turn(&b);
		if (clock_now_us() > end_us)
			return -1;
	}
	return 0;
}

/* What is still in the rings goes back to its pool before that is gone. */
static void drain(void)
{
	for (int i = 0; i < 20; i++) {
		udp_ops.poll(a.half, clock_now_us(), 1024);
		udp_ops.poll(b.half, clock_now_us(), 1024);
	}
}

static int tear_down(void **state)
{
	(void)state;
	drain();
	udp_node_close(&a);
	udp_node_close(&b);
	free(a.worker.memory);
	free(b.worker.memory);
	return 0;
}

static void turn(void)
{
	udp_node_turn(&a);
	udp_node_turn(&b);
}

/* Turns until *word is value. */
static bool turn_until(const volatile uint32_t *word, uint32_t value)
{
	uint64_t end_us = clock_now_us() + PATIENCE_US;

	while (*word != value && clock_now_us() < end_us)
		turn();
	return *word == value;
}

static bool turn_until_rail(struct udp_node *node, enum rail_state state)
{
	return turn_until((const uint32_t *)&node->worker.rail, state);
}

static void connect_both(void)
{
	udp_node_connect(&a, "b", b.incarnation, "10.0.0.2");
	udp_node_connect(&b, "a", a.incarnation, "10.0.0.1");
	assert_true(turn_until_rail(&a, RAIL_UP));
	assert_true(turn_until_rail(&b, RAIL_UP));
}

static void post__writes(void **state)
{
	struct slice slices[4];

	(void)state;
	connect_both();
	for (uint32_t i = 0; i < 4; i++)
		assert_true(
			udp_node_post(&a, &slices[i], SLICE_WRITE, i * SLICE_BYTES, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 4));
	assert_int_equal(a.worker.refused, 0);
	assert_memory_equal(a.worker.memory, b.worker.memory, MEMORY_BYTES);
	assert_int_equal(a.counters[UDP_SLICES], 4);
	assert_int_equal(b.worker.placed, MEMORY_BYTES);
}

static void post__reads(void **state)
{
	struct slice slices[4];

	(void)state;
	connect_both();
	for (uint32_t i = 0; i < 4; i++)
		assert_true(
			udp_node_post(&a, &slices[i], SLICE_READ, i * SLICE_BYTES, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 4));
	assert_int_equal(a.worker.refused, 0);
	assert_memory_equal(a.worker.memory, b.worker.memory, MEMORY_BYTES);
}

static void post__moves_both_ways_at_once(void **state)
{
	uint8_t *was_a = malloc(MEMORY_BYTES);
	uint8_t *was_b = malloc(MEMORY_BYTES);
	struct slice slices[2];

	(void)state;
	memcpy(was_a, a.worker.memory, MEMORY_BYTES);
	memcpy(was_b, b.worker.memory, MEMORY_BYTES);
	connect_both();
	assert_true(udp_node_post(&a, &slices[0], SLICE_WRITE, 1, SLICE_BYTES + 11));
	assert_true(udp_node_post(&b, &slices[1], SLICE_WRITE, 2 * SLICE_BYTES, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 1));
	assert_true(turn_until(&b.worker.done, 1));
	memcpy(was_b + 1, was_a + 1, SLICE_BYTES + 11);
	memcpy(was_a + 2 * SLICE_BYTES, was_b + 2 * SLICE_BYTES, SLICE_BYTES);
	assert_memory_equal(was_a, a.worker.memory, MEMORY_BYTES);
	assert_memory_equal(was_b, b.worker.memory, MEMORY_BYTES);
	free(was_a);
	free(was_b);
}

static void post__ends_what_the_target_refuses(void **state)
{
	struct slice slice;

	(void)state;
	connect_both();
	assert_true(udp_node_post(&a, &slice, SLICE_WRITE, MEMORY_BYTES, 1));
	assert_true(turn_until(&a.worker.done, 1)); /* the source is out of range at home */
	assert_int_equal(a.worker.status, HAUL_RANGE);

	memset(&slice, 0, sizeof(slice));
	slice.local_region = UDP_NODE_REGION;
	slice.remote_region = UDP_NODE_STALE;
	slice.length = SLICE_BYTES;
	slice.kind = SLICE_WRITE;
	slice.rail = UDP_NODE_RAIL;
	udp_node_grant(&slice);
	assert_true(udp_node_post_slice(&a, &slice));
	assert_true(turn_until(&a.worker.done, 2));
	assert_int_equal(a.worker.status, HAUL_STALE);
	assert_int_equal(a.worker.reason, HAUL_REASON_REGION_GENERATION);

	slice.kind = SLICE_READ;
	assert_true(udp_node_post_slice(&a, &slice));
	assert_true(turn_until(&a.worker.done, 3));
	assert_int_equal(a.worker.status, HAUL_STALE);
	assert_int_equal(b.worker.placed, 0);
}

/* Begin a slice of a to b, until b has opened it. */
static void begin(struct slice *slice, enum slice_kind kind)
{
	assert_true(udp_node_post(&a, slice, kind, 0, MEMORY_BYTES));
	assert_true(turn_until(&b.worker.uses, 1));
}

/* What b has opened before its region drains goes on to its end; what comes later is refused; nothing stays open. */
static void post__goes_on_where_a_region_drains(void **state)
{
	const enum slice_kind kinds[] = { SLICE_WRITE, SLICE_READ };
	struct slice slices[2];

	(void)state;
	connect_both();
	for (uint32_t i = 0; i < 2; i++) {
		begin(&slices[0], kinds[i]);
		b.worker.is_draining = true;
		assert_true(udp_node_post(&a, &slices[1], kinds[i], 0, SLICE_BYTES));
		assert_true(turn_until(&a.worker.done, 2 * i + 2));
		assert_int_equal(a.worker.refused, i + 1);
		assert_int_equal(a.worker.status, HAUL_STALE);
		assert_int_equal(slices[1].version, UDP_NODE_VERSION); /* for the engine's retry */
		assert_memory_equal(a.worker.memory, b.worker.memory, MEMORY_BYTES);
		assert_true(turn_until(&b.worker.uses, 0));
		assert_int_equal(b.worker.uses_most, 1);
		b.worker.is_draining = false;
	}
}

/* Cancelled, or its connection ended, in the middle: it is not open at its target for long. */
static void cancel__closes_it_at_the_target(void **state)
{
	const enum slice_kind kinds[] = { SLICE_WRITE, SLICE_READ };
	struct slice slice;

	(void)state;
	for (uint32_t i = 0; i < 2; i++) {
		connect_both();
		begin(&slice, kinds[i]);
		udp_ops.cancel(a.half, &slice, HAUL_CANCELLED, HAUL_REASON_NONE);
		assert_true(turn_until(&b.worker.uses, 0));
		assert_true(turn_until(&a.worker.done, 2 * i + 1));
		begin(&slice, kinds[i]);
		udp_ops.disconnect(a.transport, 0, UDP_NODE_RAIL);
		assert_true(turn_until_rail(&a, RAIL_DOWN));
		assert_true(turn_until(&b.worker.uses, 0));
		assert_int_equal(a.worker.done, 2 * i + 2);
		udp_ops.disconnect(b.transport, 0, UDP_NODE_RAIL);
		assert_true(turn_until_rail(&b, RAIL_DOWN));
	}
}

static struct slice notify_make(uint64_t region)
{
	return (struct slice){ .kind = SLICE_NOTIFY,
			       .length = SLICE_NOTIFY_BYTES,
			       .remote_region = region,
			       .remote_offset = 33,
			       .number = (UINT64_C(1) << 62) + 5,
			       .value = UINT64_MAX - 6,
			       .tag = 0x80000007,
			       .written = 1000,
			       .segment = UDP_NODE_SEGMENT,
			       .remote = UDP_NODE_REMOTE,
			       .rights = UDP_NODE_RIGHTS,
			       .rail = UDP_NODE_RAIL };
}

static void post__notifies(void **state)
{
	struct slice slice = notify_make(UDP_NODE_REGION);

	(void)state;
	connect_both();
	assert_true(udp_node_post_slice(&a, &slice));
	assert_true(turn_until(&a.worker.done, 1));
	assert_int_equal(a.worker.refused, 0);
	assert_int_equal(b.worker.notified, 1);
	assert_string_equal(b.worker.notice_node, "a");
	assert_int_equal(b.worker.notice.incarnation, a.incarnation);
	assert_int_equal(b.worker.notice.number, slice.number);
	assert_int_equal(b.worker.notice.value, slice.value);
	assert_int_equal(b.worker.notice.tag, slice.tag);
	assert_int_equal(b.worker.notice.worker, 0);
	assert_int_equal(b.worker.notice.access.region, UDP_NODE_REGION);
	assert_int_equal(b.worker.notice.access.offset, 33);
	assert_int_equal(b.worker.notice.access.length, 1000);
	assert_true(b.worker.notice.access.is_remote);
	assert_int_equal(b.worker.placed, 0);
}

static void post__notify_is_refused(void **state)
{
	struct slice slice = notify_make(UDP_NODE_REGION);

	(void)state;
	connect_both();
	b.worker.is_full = true;
	assert_true(udp_node_post_slice(&a, &slice));
	assert_true(turn_until(&a.worker.done, 1));
	assert_int_equal(a.worker.status, HAUL_BUSY);
	assert_int_equal(a.worker.reason, HAUL_REASON_NOTIFICATIONS_FULL);
	slice.remote_region = UDP_NODE_STALE;
	assert_true(udp_node_post_slice(&a, &slice));
	assert_true(turn_until(&a.worker.done, 2));
	assert_int_equal(a.worker.status, HAUL_STALE);
	assert_int_equal(a.worker.reason, HAUL_REASON_REGION_GENERATION);
	assert_int_equal(b.worker.notified, 0);
}

static void post__takes_nothing_without_a_connection(void **state)
{
	struct slice slice;

	(void)state;
	assert_false(udp_node_post(&a, &slice, SLICE_WRITE, 0, 1));
}

static void cancel__ends_a_slice_once_and_nothing_lands_after(void **state)
{
	struct slice slice;
	uint64_t placed;

	(void)state;
	connect_both();
	b.worker.is_deaf = true; /* so that it stays under way */
	assert_true(udp_node_post(&a, &slice, SLICE_WRITE, 0, SLICE_BYTES));
	for (int i = 0; i < 5; i++)
		turn();
	assert_int_equal(a.worker.done, 0);
	udp_ops.cancel(a.half, &slice, HAUL_TIMEOUT, HAUL_REASON_PEER_SILENT);
	assert_true(turn_until(&a.worker.done, 1));
	assert_int_equal(a.worker.status, HAUL_TIMEOUT);
	b.worker.is_deaf = false;
	placed = b.worker.placed;
	for (int i = 0; i < 100; i++)
		turn();
	assert_int_equal(a.worker.done, 1);
	assert_int_equal(b.worker.placed, placed);
}

static void disconnect__ends_slices_then_tells_once(void **state)
{
	struct slice slice;

	(void)state;
	connect_both();
	b.worker.is_deaf = true;
	assert_true(udp_node_post(&a, &slice, SLICE_WRITE, 0, SLICE_BYTES));
	turn();
	udp_ops.disconnect(a.transport, 0, UDP_NODE_RAIL);
	assert_true(turn_until_rail(&a, RAIL_DOWN));
	assert_int_equal(a.worker.cause, RAIL_CAUSE_CLOSED);
	assert_int_equal(a.worker.done, 1);
	assert_int_equal(a.worker.rail_news, 2);
	b.worker.is_deaf = false;
	udp_node_connect(&a, "b", b.incarnation, "10.0.0.2");
	assert_true(turn_until_rail(&a, RAIL_UP));
	assert_true(udp_node_post(&a, &slice, SLICE_WRITE, 0, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 2));
	assert_memory_equal(a.worker.memory, b.worker.memory, SLICE_BYTES);
}

/* Two connections of one pair of ports: each has its own UDP port, its own slices and its own end. */
static void connect__goes_several_ways(void **state)
{
	struct slice slices[4];
	struct rail_stats stats[2];
	char way[HAUL_WAY_BYTES];

	(void)state;
	a.conf.connections = 2;
	udp_node_connect_way(&a, "b", b.incarnation, "10.0.0.2", 0);
	udp_node_connect_way(&a, "b", b.incarnation, "10.0.0.2", 1);
	assert_true(turn_until_rail(&a, RAIL_UP));
	assert_true(turn_until((const uint32_t *)&a.worker.other_rail, RAIL_UP));
	for (uint32_t i = 0; i < 4; i++) {
		a.way = i % 2;
		assert_true(udp_node_post(&a, &slices[i], i < 2 ? SLICE_WRITE : SLICE_READ,
					  i * SLICE_BYTES, SLICE_BYTES));
	}
	assert_true(turn_until(&a.worker.done, 4));
	assert_int_equal(a.worker.refused, 0);
	assert_memory_equal(a.worker.memory, b.worker.memory, MEMORY_BYTES);
	for (uint32_t i = 0; i < 2; i++) {
		udp_ops.stats(a.half, UDP_NODE_RAIL + i, &stats[i]);
		/* What was sent again, on a busy machine, counts again. */
		assert_in_range(stats[i].bytes_out, SLICE_BYTES, 2 * SLICE_BYTES);
		assert_int_equal(stats[i].bytes_in, SLICE_BYTES);
	}

	udp_node_describe_way(&a, "10.0.0.2", 1, way);
	assert_string_equal(way, "a 10.0.0.2");
	udp_node_describe_way(&a, "10.0.0.2", 2, way);
	assert_string_equal(way, "none");

	/* One ends, with what it has; the other goes on. */
	b.worker.is_deaf = true;
	for (uint32_t i = 0; i < 2; i++) {
		a.way = i;
		assert_true(
			udp_node_post(&a, &slices[i], SLICE_WRITE, i * SLICE_BYTES, SLICE_BYTES));
	}
	turn();
	udp_ops.disconnect(a.transport, 0, UDP_NODE_RAIL + 1);
	assert_true(turn_until((const uint32_t *)&a.worker.other_rail, RAIL_DOWN));
	assert_int_equal(a.worker.other_cause, RAIL_CAUSE_CLOSED);
	assert_int_equal(a.worker.done, 5);
	assert_int_not_equal(a.worker.rail, RAIL_DOWN); /* doubtful, after 8 ms that b is deaf */
	a.way = 1;
	assert_false(udp_node_post(&a, &slices[2], SLICE_WRITE, 0, 1));
	b.worker.is_deaf = false;
	assert_true(turn_until(&a.worker.done, 6));
	assert_int_equal(a.worker.refused, 1);
	assert_memory_equal(a.worker.memory, b.worker.memory, SLICE_BYTES);
}

static void connect__fails_when_nobody_is_there(void **state)
{
	(void)state;
	a.worker.rail = RAIL_UP;
	udp_node_connect(&a, "c", 0xc, "10.0.0.77");
	assert_true(turn_until_rail(&a, RAIL_DOWN));
	assert_int_equal(a.worker.cause, RAIL_CAUSE_UNREACHABLE);
	assert_true(a.counters[UDP_LOOKUP_QUESTIONS] >= 1);
	a.worker.rail = RAIL_UP;
	udp_node_connect(&a, "c", 0xc, "192.168.1.1"); /* no port's link */
	assert_true(turn_until_rail(&a, RAIL_DOWN));
}

/* Ports from which connections begin lead to those alone: nobody can begin one there. */
static void connect__fails_on_a_port_that_connections_come_from(void **state)
{
	(void)state;
	a.worker.rail = RAIL_UP;
	a.peer_port = UDP_NODE_PORT + 1;
	udp_node_connect(&a, "b", b.incarnation, "10.0.0.2");
	assert_true(turn_until_rail(&a, RAIL_DOWN));
	assert_int_equal(a.worker.cause, RAIL_CAUSE_UNREACHABLE);
	assert_true(b.counters[UDP_DROP_UNASKED] >= 1);
	a.peer_port = UDP_NODE_PORT + 1 + UDP_SOURCE_PORTS;
	a.worker.rail = RAIL_UP;
	udp_node_connect(&a, "b", b.incarnation, "10.0.0.2");
	assert_true(turn_until_rail(&a, RAIL_DOWN));
	assert_true(b.counters[UDP_DROP_PORT] >= 1);
}

static void connect__fails_with_another_key(void **state)
{
	(void)state;
	drain();
	udp_node_close(&b);
	b.key[0] ^= 1;
	assert_int_equal(udp_node_open(&b, 0xb), 0);
	a.worker.rail = RAIL_UP;
	udp_node_connect(&a, "b", 0xb, "10.0.0.2");
	assert_true(turn_until_rail(&a, RAIL_DOWN));
	assert_int_equal(a.worker.cause, RAIL_CAUSE_REFUSED);
}

/* Both nodes anew, with these policies and this wire from a; then bytes both ways, that must be right. */
static void check_with_crc(uint32_t crc_a, uint32_t crc_b, const char *impair, bool is_agreed)
{
	struct slice slices[2];

	drain();
	udp_node_close(&a);
	udp_node_close(&b);
	memset(a.counters, 0, sizeof(a.counters));
	memset(b.counters, 0, sizeof(b.counters));
	a.conf.payload_crc = crc_a;
	b.conf.payload_crc = crc_b;
	strcpy(a.conf.ports[0].impair, impair);
	assert_int_equal(udp_node_open(&a, 0xa), 0);
	assert_int_equal(udp_node_open(&b, 0xb), 0);
	a.worker.rail = b.worker.rail = RAIL_DOWN;
	a.worker.done = 0;
	while (!is_port_up(&a) || !is_port_up(&b))
		turn();
	connect_both();
	assert_true(udp_node_post(&a, &slices[0], SLICE_WRITE, 0, SLICE_BYTES));
	assert_true(udp_node_post(&a, &slices[1], SLICE_READ, SLICE_BYTES, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 2));
	assert_int_equal(a.worker.refused, 0);
	assert_memory_equal(a.worker.memory, b.worker.memory, 2 * SLICE_BYTES);
	assert_int_equal(a.counters[UDP_RUDP_CRC_CONNECTIONS], is_agreed ? 2 : 0);
	assert_int_equal(b.counters[UDP_RUDP_CRC_CONNECTIONS], is_agreed ? 2 : 0);
}

static void connect__agrees_on_a_checksum(void **state)
{
	(void)state;
	check_with_crc(UDP_CRC_AUTO, UDP_CRC_AUTO, "", false);
	check_with_crc(UDP_CRC_ALWAYS, UDP_CRC_AUTO, "", true);
	check_with_crc(UDP_CRC_AUTO, UDP_CRC_ALWAYS, "", true);
	check_with_crc(UDP_CRC_ALWAYS, UDP_CRC_NEVER, "", false);
}

#ifdef HAUL_DEBUG
/* There is no checksum of UDP on this wire, which is memory. */
static void post__sees_damage_by_the_checksum(void **state)
{
	(void)state;
	check_with_crc(UDP_CRC_ALWAYS, UDP_CRC_ALWAYS, "seed=1,corrupt=100000", true);
	assert_true(b.counters[UDP_RUDP_CRC_BAD] > 0);
	assert_true(a.counters[UDP_RUDP_RETRANSMITTED] > 0);
}
#endif

static void port_is_blind__where_nobody_sees_damage(void **state)
{
	struct port memory = { .is_memory = true, .sum = FRAME_SUM_NONE };
	struct port summed = { .sum = FRAME_SUM_WHOLE };
	struct port offloaded = { .sum = FRAME_SUM_PSEUDO };
	struct port bare = { .sum = FRAME_SUM_NONE };

	(void)state;
	assert_false(port_is_blind(&memory, PORT_IPV4));
	assert_false(port_is_blind(&summed, PORT_IPV4));
	assert_false(port_is_blind(&offloaded, PORT_IPV4));
	assert_true(port_is_blind(&bare, PORT_IPV4));
	assert_false(port_is_blind(&bare, PORT_IPV6));
}

static void connect__comes_back_after_a_restart_of_the_peer(void **state)
{
	uint8_t *memory = b.worker.memory;
	struct slice slice;

	(void)state;
	connect_both();
	assert_true(udp_node_post(&a, &slice, SLICE_WRITE, 0, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 1));
	drain();
	udp_node_close(&b);
	memset(&b.worker, 0, sizeof(b.worker));
	b.worker.memory = memory;
	b.worker.bytes = MEMORY_BYTES;
	assert_int_equal(udp_node_open(&b, 0xbb), 0);

	/* What is posted on the old connection comes back: the new one's node does not know it. */
	assert_true(udp_node_post(&a, &slice, SLICE_WRITE, 0, SLICE_BYTES));
	assert_true(turn_until_rail(&a, RAIL_DOWN));
	assert_true(turn_until(&a.worker.done, 2));
	assert_int_equal(a.worker.refused, 1);
	assert_int_equal(b.worker.placed, 0);

	/* The old incarnation is refused with proof. */
	a.worker.rail = RAIL_UP;
	udp_node_connect(&a, "b", 0xb, "10.0.0.2");
	assert_true(turn_until_rail(&a, RAIL_DOWN));
	assert_int_equal(a.worker.cause, RAIL_CAUSE_RESTARTED);

	udp_node_connect(&a, "b", 0xbb, "10.0.0.2");
	assert_true(turn_until_rail(&a, RAIL_UP));
	assert_true(udp_node_post(&a, &slice, SLICE_WRITE, 0, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 2));
	assert_memory_equal(a.worker.memory, b.worker.memory, SLICE_BYTES);
}

/* Until the port is said to be so. */
static bool turn_until_port(struct udp_node *node, const char *state)
{
	uint64_t end_us = clock_now_us() + PATIENCE_US;

	while (!is_port(node, state) && clock_now_us() < end_us)
		turn();
	return is_port(node, state);
}

static void control__opens_a_port_again_that_is_gone(void **state)
{
	struct port *port = &a.transport->ports[0];
	uint32_t buffers = port->pool_packets;
	struct slice slices[4];

	(void)state;
	connect_both();
	for (uint32_t i = 0; i < 4; i++)
		assert_true(
			udp_node_post(&a, &slices[i], SLICE_WRITE, i * SLICE_BYTES, SLICE_BYTES));
	for (int i = 0; i < 5; i++)
		turn();
	atomic_store(&port->is_removed, true);
	assert_true(turn_until_port(&a, "gone"));
	assert_true(turn_until_port(&a, "up"));
	assert_int_equal(a.counters[UDP_PORTS_GONE], 1);
	assert_int_equal(a.counters[UDP_PORTS_UP], 2);
	assert_true(turn_until(&a.worker.done, 4));
	assert_int_equal(a.worker.refused, 0); /* by the same connection, which is still there */
	assert_memory_equal(a.worker.memory, b.worker.memory, MEMORY_BYTES);
	assert_int_equal(a.counters[UDP_CONNECTIONS], 2);
	for (int i = 0; i < 100; i++)
		turn();
	drain();
	/* All are there again, but those that the worker, and the cache of its thread, keep. */
	assert_int_equal(rte_mempool_avail_count(port->pool) + a.half->queues[0].spare_count,
			 buffers);
}

static void control__does_not_close_a_port_that_a_worker_has(void **state)
{
	struct port *port = &a.transport->ports[0];

	(void)state;
	connect_both();
	atomic_store(&port->is_removed, true);
	for (int i = 0; i < 20; i++) {
		udp_ops.control(a.transport, clock_now_us());
		usleep(5000);
	}
	assert_int_equal(port_state(port), PORT_GONE);
	assert_true(port->is_draining);
	assert_true(rte_eth_dev_is_valid_port(port->id));
	udp_node_turn_worker(&a);
	assert_null(a.half->queues[0].port);
	assert_true(turn_until_port(&a, "up"));
}

static void control__tries_a_port_again_that_failed(void **state)
{
	struct port *port;
	struct udp_node c;

	(void)state;
	udp_node_init(&c, "c", "net_nothing0", "10.0.0.3/24");
	assert_int_equal(udp_node_open(&c, 0xc), 0);
	port = &c.transport->ports[0];
	for (uint64_t end_us = clock_now_us() + PATIENCE_US;
	     c.counters[UDP_PORTS_FAILED] < 2 && clock_now_us() < end_us;)
		udp_node_turn(&c);
	assert_int_equal(c.counters[UDP_PORTS_FAILED], 2);
	assert_string_equal(port->told, "the device cannot be attached: Bad address");
	udp_node_close(&c);
}

static void addresses__names_each_port(void **state)
{
	struct haul_address addresses[4];
	struct haul_transport_row row;

	(void)state;
	assert_int_equal(udp_ops.addresses(a.transport, addresses, 4), 1);
	assert_int_equal(addresses[0].port, UDP_NODE_PORT);
	assert_int_equal(addresses[0].ip[3], 1);
	turn();
	assert_int_equal(udp_ops.describe(a.transport, &row, 1), 1);
	assert_string_equal(row.device, "a");
	assert_int_equal(row.mtu_bytes, 1500);
}

static void open__goes_on_without_a_port_that_fails(void **state)
{
	struct haul_transport_row row;
	struct udp_node c;

	(void)state;
	udp_node_init(&c, "c", "net_nothing0", "10.0.0.3/24");
	assert_int_equal(udp_node_open(&c, 0xc), 0);
	for (uint64_t end_us = clock_now_us() + PATIENCE_US; clock_now_us() < end_us;) {
		udp_node_turn(&c);
		udp_ops.describe(c.transport, &row, 1);
		if (strcmp(row.state, "opening") != 0)
			break;
	}
	assert_string_equal(row.state, "failed");
	udp_node_close(&c);
	c.conf.ports[0].is_required = true;
	assert_int_not_equal(udp_node_open(&c, 0xc), 0);
}

static void open__works_without_ports(void **state)
{
	struct udp_node c;

	(void)state;
	udp_node_init(&c, "c", "", "");
	c.conf.port_count = 0;
	assert_int_equal(udp_node_open(&c, 0xc), 0);
	udp_node_turn(&c);
	c.worker.rail = RAIL_UP;
	udp_node_connect(&c, "b", 0xb, "10.0.0.2");
	udp_node_turn(&c);
	assert_int_equal(c.worker.rail, RAIL_DOWN);
	udp_node_close(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(post__writes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(post__reads, set_up, tear_down),
		cmocka_unit_test_setup_teardown(post__moves_both_ways_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(post__ends_what_the_target_refuses, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(post__goes_on_where_a_region_drains, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(cancel__closes_it_at_the_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(post__notifies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(post__notify_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(post__takes_nothing_without_a_connection, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(cancel__ends_a_slice_once_and_nothing_lands_after,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(disconnect__ends_slices_then_tells_once, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(connect__goes_several_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(connect__fails_when_nobody_is_there, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(connect__fails_on_a_port_that_connections_come_from,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(connect__fails_with_another_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(connect__agrees_on_a_checksum, set_up, tear_down),
#ifdef HAUL_DEBUG
		cmocka_unit_test_setup_teardown(post__sees_damage_by_the_checksum, set_up,
						tear_down),
#endif
		cmocka_unit_test(port_is_blind__where_nobody_sees_damage),
		cmocka_unit_test_setup_teardown(connect__comes_back_after_a_restart_of_the_peer,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(control__opens_a_port_again_that_is_gone, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(control__does_not_close_a_port_that_a_worker_has,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(control__tries_a_port_again_that_failed, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(addresses__names_each_port, set_up, tear_down),
		cmocka_unit_test_setup_teardown(open__goes_on_without_a_port_that_fails, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(open__works_without_ports, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, set_up_eal, tear_down_eal);
}
