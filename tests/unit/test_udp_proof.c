/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an operation goes out when its right has been proven to the target, and ends with a sentence when it cannot be.
 * Method: two transports in this process, over a pair of net_ring ports, whose engines know keys as the case wants it; one
 * thread gives them turns.
 */
#include "base/clock.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/udp.h"
#include "udp_node.h"
#include "unit.h"

#include <rte_eth_ring.h>
#include <rte_ring.h>

#include <stdlib.h>
#include <string.h>

#define MEMORY_BYTES (1u << 20)
#define SLICE_BYTES  (64u << 10)
#define RING_PACKETS 1024u
#define PATIENCE_US  UINT64_C(10000000)

static struct udp_node a;
static struct udp_node b;

/* Two ports, one's transmit ring the other's receive ring. */
static int set_up_eal(void **state)
{
	struct eal_options options = { .node = "test-udp-proof",
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

static bool is_port_up(struct udp_node *node)
{
	struct haul_transport_row row;

	udp_ops.describe(node->transport, &row, 1);
	return strcmp(row.state, "up") == 0;
}

static int set_up(void **state)
{
	uint64_t end_us = clock_now_us() + PATIENCE_US;

	(void)state;
	udp_node_init(&a, "a", "net_ring_a", "10.0.0.1/24");
	udp_node_init(&b, "b", "net_ring_b", "10.0.0.2/24");
	a.worker.memory = calloc(1, MEMORY_BYTES);
	b.worker.memory = calloc(1, MEMORY_BYTES);
	a.worker.bytes = MEMORY_BYTES;
	b.worker.bytes = MEMORY_BYTES;
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

/* Once a connection and segment; what is posted before that waits, and is no attempt. */
static void post__waits_until_the_right_is_proven(void **state)
{
	struct slice slices[2];

	(void)state;
	connect_both();
	assert_int_equal(a.counters[UDP_RUDP_GRANTS_GIVEN], 0);
	assert_true(udp_node_post(&a, &slices[0], SLICE_WRITE, 0, SLICE_BYTES));
	assert_int_equal(b.counters[UDP_RUDP_GRANTS_GIVEN], 1);
	assert_true(udp_node_post(&a, &slices[1], SLICE_WRITE, 0, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 2));
	assert_int_equal(a.worker.refused, 0);
	assert_int_equal(b.counters[UDP_RUDP_GRANTS_CLAIMED], 1);
	/* The other way is another connection, with grants of its own. */
	assert_true(udp_node_post(&b, &slices[0], SLICE_READ, 0, SLICE_BYTES));
	assert_true(turn_until(&b.worker.done, 1));
	assert_int_equal(a.counters[UDP_RUDP_GRANTS_GIVEN], 1);
}

static void post__is_denied_without_the_key(void **state)
{
	struct slice slice;

	(void)state;
	connect_both();
	b.worker.has_other_key = true;
	assert_true(udp_node_post(&a, &slice, SLICE_WRITE, 0, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 1));
	assert_int_equal(a.worker.status, HAUL_DENIED);
	assert_int_equal(a.worker.reason, HAUL_REASON_UNPROVEN);
	assert_int_equal(b.counters[UDP_RUDP_GRANTS_REFUSED], 1);
	/* For a while it is not even tried. */
	assert_true(udp_node_post(&a, &slice, SLICE_READ, 0, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 2));
	assert_int_equal(a.worker.status, HAUL_DENIED);
	assert_int_equal(b.worker.placed, 0);
}

static void post__is_stale_when_the_segment_is_gone(void **state)
{
	struct slice slice;

	(void)state;
	connect_both();
	assert_true(udp_node_post(&a, &slice, SLICE_WRITE, 0, SLICE_BYTES));
	assert_true(turn_until(&a.worker.done, 1));
	slice.segment++;
	assert_true(udp_node_post_slice(&a, &slice));
	assert_true(turn_until(&a.worker.done, 2));
	assert_int_equal(a.worker.status, HAUL_STALE);
	assert_int_equal(a.worker.reason, HAUL_REASON_SEGMENT_RETIRED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(post__waits_until_the_right_is_proven, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(post__is_denied_without_the_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(post__is_stale_when_the_segment_is_gone, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, set_up_eal, tear_down_eal);
}
