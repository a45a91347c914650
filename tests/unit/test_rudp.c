/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: the promises of rudp.h, one at a time: what completes when, what is refused, what a fence waits for, when a
 * connection is doubtful and when it ends.
 * Method: two ends joined by hand under a virtual clock; the test decides which packet arrives, when, and how often.
 * What chance does to all of it is the simulator's.
 */
#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "base/check.h"
#include "rudp/conn.h"
#include "rudp/rudp.h"
#include "rudp_ends.h"
#include "unit.h"

#include <errno.h>

static void rudp_create__limits(void **state)
{
	struct rudp *rudp;
	struct rudp_config config = config_make(0);

	(void)state;
	config.operations = 7;
	assert_int_equal(rudp_create(&config, &rudp), -EINVAL);
	config = config_make(0);
	config.packets = 2 * RUDP_PACKETS_MAX;
	assert_int_equal(rudp_create(&config, &rudp), -EINVAL);
	config = config_make(0);
	config.datagram_bytes = RUDP_DATAGRAM_BYTES_MIN - 1;
	assert_int_equal(rudp_create(&config, &rudp), -EINVAL);
	config = config_make(0);
	config.connections_max = 0;
	assert_int_equal(rudp_create(&config, &rudp), -EINVAL);
	rudp_destroy(NULL);
}

static void rudp_connection_add__limits_and_handles(void **state)
{
	struct rudp_params params = params_make(0);
	struct rudp_connection *connection;
	uint32_t handle = rudp_connection_handle(ends[0].connection);

	(void)state;
	assert_ptr_equal(rudp_connection_find(ends[0].rudp, handle), ends[0].connection);
	assert_ptr_equal(rudp_connection_user(ends[0].connection), &ends[0]);
	assert_int_equal(rudp_connection_add(ends[0].rudp, now_us, &params, NULL, &connection),
			 -EEXIST);
	params.local_id++;
	params.remote_id++;
	params.operations = 2 * OPERATIONS;
	assert_int_equal(rudp_connection_add(ends[0].rudp, now_us, &params, NULL, &connection),
			 -EINVAL);
	params.operations = OPERATIONS;
	assert_int_equal(rudp_connection_add(ends[0].rudp, now_us, &params, NULL, &connection), 0);
	params.local_id++;
	params.remote_id++;
	assert_int_equal(rudp_connection_add(ends[0].rudp, now_us, &params, NULL, &connection),
			 -ENOSPC);
	rudp_connection_close(ends[0].connection, now_us);
	rudp_connection_close(ends[0].connection, now_us);
	settle();
	pass(1000);
	assert_int_equal(ends[0].state, RUDP_GONE);
	assert_null(rudp_connection_find(ends[0].rudp, handle));
	assert_int_equal(rudp_connection_add(ends[0].rudp, now_us, &params, NULL, &connection), 0);
	assert_int_not_equal(rudp_connection_handle(connection), handle);
	assert_null(rudp_connection_find(ends[0].rudp, handle));
}

static void rudp_submit__one_packet(void **state)
{
	(void)state;
	submit(RUDP_WRITE, 64);
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_OK);
	assert_int_equal(ends[0].completion.bytes, 64);
	assert_true(ends[0].completion.cookie == 42);
	assert_int_equal(ends[1].placed, 1);
	assert_int_equal(ends[1].placement.flags, RUDP_PLACE_FIRST | RUDP_PLACE_ONLY);
	assert_true(ends[1].placement.region == 0xabc && ends[1].placement.offset == 0x100);
	/* The packet's tick was the target's of now: good until the end of the fourth after it. */
	assert_true(ends[1].placement.not_after_us ==
		    (START_US / RUDP_TICK_US + 5) * RUDP_TICK_US - 1);
	assert_int_equal(ends[1].opened + ends[1].closed, 0);
}

static void rudp_submit__many_packets(void **state)
{
	(void)state;
	submit(RUDP_WRITE, 10 * PAYLOAD + 1);
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[1].placed, 11);
	assert_int_equal(ends[1].bytes, 10 * PAYLOAD + 1);
	assert_int_equal(ends[1].opened, 1);
	assert_int_equal(ends[1].closed, 0);
	/* The target hears that it was all within a millisecond and a tick of the wheel. */
	pass(1100);
	settle();
	assert_int_equal(ends[1].closed, 1);
}

static void rudp_submit__refuses(void **state)
{
	struct rudp_operation_request request = { .kind = RUDP_WRITE, .length = 1 };
	uint32_t id;

	(void)state;
	request.length = 0;
	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), -EINVAL);
	request.length = RUDP_OPERATION_BYTES_MAX + 1;
	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), -EINVAL);
	request.length = 2;
	request.offset = WIRE_U48_MAX;
	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), -EINVAL);
	request.offset = 0;
	request.region = WIRE_U48_MAX + 1;
	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), -EINVAL);
	request.region = 0;
	for (unsigned i = 0; i < OPERATIONS; i++)
		assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), 0);
	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), -EAGAIN);
	settle();
	assert_int_equal(ends[0].done, OPERATIONS);
	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), 0);
}

static void rudp_submit__read(void **state)
{
	(void)state;
	submit(RUDP_READ, 5 * PAYLOAD);
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_OK);
	assert_int_equal(ends[0].delivered, 5 * PAYLOAD);
	assert_int_equal(ends[1].opened, 1);
	assert_int_equal(ends[1].closed, 1);
}

static void place__refusal_ends_the_operation(void **state)
{
	(void)state;
	ends[1].place_status = HAUL_STALE;
	submit(RUDP_WRITE, 20 * PAYLOAD);
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_STALE);
	assert_int_equal(ends[0].completion.reason, HAUL_REASON_REGION_GENERATION);
	assert_true(ends[0].completion.version == 77);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_REFUSED], 1);
	assert_int_equal(ends[1].opened, ends[1].closed);
	ends[1].open_status = HAUL_DENIED;
	submit(RUDP_READ, 10);
	settle();
	assert_int_equal(ends[0].completion.status, HAUL_DENIED);
	assert_true(ends[0].completion.version == 78);
}

static void place__refusal_survives_its_loss(void **state)
{
	struct packet packet;

	(void)state;
	ends[1].place_status = HAUL_DENIED;
	submit(RUDP_WRITE, 10);
	packet = take(0);
	give(1, &packet);
	packet = take(1); /* the refusal is lost */
	assert_true(packet.bytes > 0);
	assert_int_equal(ends[0].done, 0);
	for (int i = 0; i < 50 && ends[0].done == 0; i++) {
		pass(1000);
		settle();
	}
	assert_int_equal(ends[0].completion.status, HAUL_DENIED);
	assert_int_equal(ends[1].placed, 0);
}

static void place__too_late_is_like_lost(void **state)
{
	(void)state;
	ends[1].place_status = HAUL_TIMEOUT;
	submit(RUDP_WRITE, 10);
	settle();
	assert_int_equal(ends[0].done, 0);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_STALE_TICK], 1);
	ends[1].place_status = 0;
	pass(3000);
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_OK);
}

static void source__failure_ends_the_operation(void **state)
{
	(void)state;
	ends[0].source_status = HAUL_FAULT;
	submit(RUDP_WRITE, 10);
	settle();
	assert_int_equal(ends[0].completion.status, HAUL_FAULT);
	ends[0].source_status = 0;
	ends[1].source_status = HAUL_STALE;
	submit(RUDP_READ, 10);
	settle();
	assert_int_equal(ends[0].completion.status, HAUL_STALE);
	assert_int_equal(ends[1].opened, ends[1].closed);
}

static void rudp_receive__a_copy_is_not_placed(void **state)
{
	struct packet packet;

	(void)state;
	submit(RUDP_WRITE, 10);
	packet = take(0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(give(1, &packet), RUDP_RECEIVE_TAKEN);
	assert_int_equal(ends[1].placed, 1);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_DUPLICATE], 2);
	settle();
	assert_int_equal(ends[0].done, 1);
}

static void rudp_receive__a_retransmission_is_not_placed_twice(void **state)
{
	struct packet first;
	struct packet again;

	(void)state;
	submit(RUDP_WRITE, 10);
	first = take(0);
	pass(3000);
	again = take(0);
	assert_true(again.bytes == first.bytes);
	assert_memory_not_equal(again.data + 12, first.data + 12, 8);
	give(1, &again);
	give(1, &first);
	assert_int_equal(ends[1].placed, 1);
	settle();
	assert_int_equal(ends[0].done, 1);
}

static void rudp_receive__old_ticks_are_dropped(void **state)
{
	struct packet packet;

	(void)state;
	submit(RUDP_WRITE, 10);
	packet = take(0);
	now_us = (START_US / RUDP_TICK_US + 5) * RUDP_TICK_US;
	give(1, &packet);
	assert_int_equal(ends[1].placed, 0);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_STALE_TICK], 1);
	/* One microsecond earlier it was good. */
	now_us--;
	give(1, &packet);
	assert_int_equal(ends[1].placed, 1);
}

static void rudp_transmit__asks_for_a_fresh_tick(void **state)
{
	struct packet packet;

	(void)state;
	now_us += 60000;
	submit(RUDP_WRITE, 10);
	packet = take(0);
	assert_int_equal(packet.data[0], WIRE_CONTROL);
	assert_int_equal(take(0).bytes, 0);
	give(1, &packet);
	packet = take(1);
	give(0, &packet);
	packet = take(0);
	assert_int_equal(packet.data[0], WIRE_WRITE);
	assert_int_equal(wire_u16_read(packet.data + 2), (uint16_t)(now_us / RUDP_TICK_US));
}

static void rudp_cancel__unsent_is_done_at_once(void **state)
{
	uint32_t id = submit(RUDP_WRITE, 10);

	(void)state;
	assert_int_equal(rudp_write_fence_us(ends[0].connection, id), 0);
	assert_int_equal(rudp_cancel(ends[0].connection, now_us, id, HAUL_CANCELLED, 0), 0);
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_CANCELLED);
	assert_int_equal(rudp_cancel(ends[0].connection, now_us, id, HAUL_CANCELLED, 0), -ENOENT);
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[1].placed, 0);
}

static void rudp_cancel__waits_for_the_fence(void **state)
{
	uint32_t id = submit(RUDP_WRITE, 10);
	struct packet late = take(0);
	struct packet fence;

	(void)state;
	assert_int_equal(rudp_cancel(ends[0].connection, now_us, id, HAUL_TIMEOUT, 13), 0);
	assert_int_equal(ends[0].done, 0);
	fence = take(0);
	assert_true(fence.bytes > 0);
	give(1, &fence);
	assert_int_equal(ends[0].done, 0);
	settle();
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].completion.status, HAUL_TIMEOUT);
	assert_int_equal(ends[0].completion.reason, 13);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_FENCED_BY_PEER], 1);
	give(1, &late);
	assert_int_equal(ends[1].placed, 0);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_OPERATION_OVER], 1);
}

static void rudp_cancel__ends_by_freshness(void **state)
{
	uint32_t id = submit(RUDP_WRITE, 10);
	struct packet late = take(0);
	uint64_t fence_us = rudp_write_fence_us(ends[0].connection, id);

	(void)state;
	/* The tick was learnt when the connection began. */
	assert_true(fence_us == START_US + FENCE_US);
	rudp_cancel(ends[0].connection, now_us, id, HAUL_CANCELLED, 0);
	pass_black(fence_us - now_us - 1);
	assert_int_equal(ends[0].done, 0);
	pass_black(200);
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_FENCED_BY_TIME], 1);
	give(1, &late);
	assert_int_equal(ends[1].placed, 0);
}

static void rudp_cancel__read_is_done_at_once(void **state)
{
	uint32_t id = submit(RUDP_READ, 10 * PAYLOAD);
	struct packet packet = take(0);

	(void)state;
	give(1, &packet);
	packet = take(1);
	while (packet.data[0] != WIRE_READ_DATA)
		packet = take(1);
	assert_int_equal(rudp_cancel(ends[0].connection, now_us, id, HAUL_CANCELLED, 0), 0);
	assert_int_equal(ends[0].done, 1);
	give(0, &packet);
	assert_int_equal(ends[0].delivered, 0);
	pass(1100);
	settle();
	assert_int_equal(ends[1].closed, 1);
}

static void rudp_packet_kind__routes(void **state)
{
	uint8_t packet[64] = { WIRE_WRITE, 0, 0, 0, 7 };

	(void)state;
	assert_int_equal(rudp_packet_kind(packet, 15), RUDP_PACKET_INVALID);
	assert_int_equal(rudp_packet_kind(packet, 64), RUDP_PACKET_CONNECTION);
	assert_int_equal(rudp_packet_worker(packet), 7);
	assert_true(rudp_packet_connection(packet) == UINT64_C(7) << 56);
	packet[0] = WIRE_RESET;
	assert_int_equal(rudp_packet_kind(packet, 64), RUDP_PACKET_RESET);
	packet[0] = 0x81;
	assert_int_equal(rudp_packet_kind(packet, 64), RUDP_PACKET_HANDSHAKE);
	packet[0] = 0;
	assert_int_equal(rudp_packet_kind(packet, 64), RUDP_PACKET_INVALID);
}

static void rudp_next_to_send__takes_turns(void **state)
{
	struct rudp_params params = params_make(0);
	struct rudp_connection *second;

	(void)state;
	params.local_id++;
	params.remote_id++;
	assert_int_equal(rudp_connection_add(ends[0].rudp, now_us, &params, NULL, &second), 0);
	submit(RUDP_WRITE, 10);
	assert_ptr_equal(rudp_next_to_send(ends[0].rudp, now_us), second);
	assert_ptr_equal(rudp_next_to_send(ends[0].rudp, now_us), ends[0].connection);
	assert_ptr_equal(rudp_next_to_send(ends[0].rudp, now_us), second);
}

static enum rudp_receive acknowledge(const struct wire_ack *ack)
{
	struct packet packet = { .bytes = WIRE_HEADER_BYTES };
	struct wire_header header = {
		.type = WIRE_CONTROL,
		.connection = ends[0].connection->params.local_id,
	};

	wire_header_write(packet.data, &header);
	packet.bytes += wire_ack_write(packet.data + packet.bytes, DATAGRAM - packet.bytes, ack);
	packet.bytes = MAX(packet.bytes, (size_t)WIRE_CONTROL_BYTES_MIN);
	return give(0, &packet);
}

static void rudp_receive__acknowledgements_from_anywhere(void **state)
{
	struct sent *sent = &ends[0].connection->sent;
	struct wire_ack ack = { .count = 2 };

	(void)state;
	submit(RUDP_WRITE, 10 * PAYLOAD);
	while (take(0).bytes > 0) {}
	/* Up to half the number space below: neither in flight nor ever lost. */
	for (uint32_t distance = 1; distance < 40; distance++) {
		for (uint32_t half = 0; half < 2; half++) {
			ack.ranges[0].last =
				sent->tail - distance - half * (UINT32_C(1) << 31) + half * 20;
			ack.ranges[0].first = ack.ranges[0].last;
			ack.ranges[1].last = ack.ranges[0].last - 2;
			ack.ranges[1].first = ack.ranges[1].last - 60000;
			acknowledge(&ack);
			assert_int_equal(sent->in_flight, 10);
		}
	}
	assert_int_equal(ends[0].done, 0);
	/* What was never sent. */
	ack.count = 1;
	ack.ranges[0].last = sent->next;
	ack.ranges[0].first = sent->tail;
	assert_int_equal(acknowledge(&ack), RUDP_RECEIVE_MALFORMED);
	ack.ranges[0].last = sent->next - 1;
	assert_int_equal(acknowledge(&ack), RUDP_RECEIVE_TAKEN);
	assert_int_equal(ends[0].done, 1);
}

/* Packets that an end sends now, all of them lost. */
static unsigned take_all(unsigned i)
{
	unsigned count = 0;

	while (take(i).bytes > 0)
		count++;
	return count;
}

static void rudp_transmit__paces(void **state)
{
	(void)state;
	ends[0].connection->cc.pace_ns = 10000;
	submit(RUDP_WRITE, 10 * PAYLOAD);
	assert_int_equal(take_all(0), 1);
	/* What it may catch up with counts from then on. */
	assert_true(rudp_next_deadline_us(ends[0].rudp) <= now_us + 6);
	now_us += 5;
	assert_int_equal(take_all(0), 0);
	now_us += 1;
	assert_int_equal(take_all(0), 1);
	now_us += 10;
	assert_int_equal(take_all(0), 1);
	now_us += 9;
	assert_int_equal(take_all(0), 0);
	ends[0].connection->cc.pace_ns = 0;
	now_us += 1;
	assert_int_equal(take_all(0), 7);
}

static void rudp_transmit__paced_controls_go_at_once(void **state)
{
	struct packet packet;

	(void)state;
	ends[0].connection->cc.pace_ns = 100000;
	submit(RUDP_WRITE, 4 * PAYLOAD);
	packet = take(0);
	assert_int_equal(packet.data[0], WIRE_WRITE);
	assert_int_equal(take_all(0), 0);
	ends[0].connection->ping_pending = true;
	conn_wake(ends[0].connection);
	assert_int_equal(take(0).data[0], WIRE_CONTROL);
	assert_int_equal(take_all(0), 0);
	/* It ends while it waits. */
	rudp_connection_close(ends[0].connection, now_us);
	assert_int_equal(take(0).data[0], WIRE_RESET);
	now_us += 200;
	assert_int_equal(take_all(0), 0);
}

/* A packet waits for `us` until an end looks at it, or its answer until the other does. */
static uint32_t round_trip_us(uint64_t there_us, uint64_t back_us)
{
	struct packet packet;

	submit(RUDP_WRITE, 10);
	packet = take(0);
	now_us += there_us;
	give(1, &packet);
	rudp_advance(ends[0].rudp, now_us);
	rudp_advance(ends[1].rudp, now_us);
	packet = take(1);
	now_us += back_us;
	give(0, &packet);
	rudp_advance(ends[0].rudp, now_us);
	rudp_advance(ends[1].rudp, now_us);
	return ends[0].connection->loss.latest_us;
}

/* Timers are run when one is due, so only sending tells of a round. */
static void rudp_receive__a_host_was_there(void **state)
{
	struct packet packet;

	(void)state;
	now_us += 600;
	submit(RUDP_WRITE, 10);
	packet = take(0);
	for (int i = 0; i < 100; i++, now_us++) {
		assert_int_equal(take(0).bytes, 0);
		assert_int_equal(take(1).bytes, 0);
	}
	give(1, &packet);
	packet = take(1);
	for (int i = 0; i < 100; i++, now_us++)
		assert_int_equal(take(0).bytes, 0);
	give(0, &packet);
	assert_int_equal(ends[0].connection->loss.latest_us, 200);
}

static void rudp_receive__a_host_was_away(void **state)
{
	(void)state;
	rudp_advance(ends[0].rudp, now_us);
	rudp_advance(ends[1].rudp, now_us);
	assert_int_equal(round_trip_us(10, 2), 12);
	assert_in_range(round_trip_us(500, 2), 1, 2);
	assert_in_range(round_trip_us(10, 500), 1, 10);
	assert_in_range(round_trip_us(10000, 10000), 1, 2);
	assert_int_equal(round_trip_us(10, 2), 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rudp_create__limits),
		CASE(rudp_connection_add__limits_and_handles),
		CASE(rudp_submit__one_packet),
		CASE(rudp_submit__many_packets),
		CASE(rudp_submit__refuses),
		CASE(rudp_submit__read),
		CASE(place__refusal_ends_the_operation),
		CASE(place__refusal_survives_its_loss),
		CASE(place__too_late_is_like_lost),
		CASE(source__failure_ends_the_operation),
		CASE(rudp_receive__a_copy_is_not_placed),
		CASE(rudp_receive__a_retransmission_is_not_placed_twice),
		CASE(rudp_receive__old_ticks_are_dropped),
		CASE(rudp_transmit__asks_for_a_fresh_tick),
		CASE(rudp_cancel__unsent_is_done_at_once),
		CASE(rudp_cancel__waits_for_the_fence),
		CASE(rudp_cancel__ends_by_freshness),
		CASE(rudp_cancel__read_is_done_at_once),
		CASE(rudp_packet_kind__routes),
		CASE(rudp_next_to_send__takes_turns),
		CASE(rudp_receive__acknowledgements_from_anywhere),
		CASE(rudp_transmit__paces),
		CASE(rudp_transmit__paced_controls_go_at_once),
		CASE(rudp_receive__a_host_was_there),
		CASE(rudp_receive__a_host_was_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
