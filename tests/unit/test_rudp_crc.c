/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: on a connection that has agreed on a checksum nothing of a damaged packet is believed: nothing is placed, nothing
 * completes, nobody is heard, and what was lost that way comes again. Method: two ends joined by hand (rudp_ends.h); each
 * kind of packet with each of its bits turned over, cut short, and without the checksum.
 */
#include "base/crc32c.h"
#include "rudp/conn.h"
#include "rudp/wire.h"
#include "rudp_ends.h"
#include "unit.h"

#define CRC_CASE(name) cmocka_unit_test_setup_teardown(name, setup_crc, teardown_crc)

static int setup_crc(void **state)
{
	ends_capabilities = RUDP_CAN_CRC | RUDP_WANTS_CRC;
	return setup(state);
}

static int teardown_crc(void **state)
{
	ends_capabilities = 0;
	return teardown(state);
}

/* Gives a packet with each of its bits turned over, but those that name the connection; none is taken. */
static void give_damaged(unsigned to, const struct packet *packet)
{
	const uint64_t *counters = ends[to].counters;
	uint64_t refused = counters[RUDP_COUNTER_CRC_BAD] + counters[RUDP_COUNTER_CRC_MISSING] +
			   counters[RUDP_COUNTER_MALFORMED];
	uint64_t expected = refused;

	for (size_t bit = 0; bit < packet->bytes * 8; bit++) {
		struct packet bad = *packet;

		if (bit / 8 >= 4 && bit / 8 < 12)
			continue;
		bad.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		if (rudp_packet_kind(bad.data, bad.bytes) != RUDP_PACKET_CONNECTION)
			continue;
		assert_int_not_equal(give(to, &bad), RUDP_RECEIVE_TAKEN);
		expected++;
	}
	refused = counters[RUDP_COUNTER_CRC_BAD] + counters[RUDP_COUNTER_CRC_MISSING] +
		  counters[RUDP_COUNTER_MALFORMED];
	assert_int_equal(refused, expected);
	for (size_t bytes = WIRE_CONTROL_BYTES_MIN; bytes < packet->bytes; bytes += 7) {
		struct packet bad = *packet;

		bad.bytes = bytes;
		assert_int_not_equal(give(to, &bad), RUDP_RECEIVE_TAKEN);
	}
	assert_true(counters[RUDP_COUNTER_CRC_BAD] > 0);
}

static void crc__stands_behind_the_header(void **state)
{
	struct packet packet;

	(void)state;
	submit(RUDP_WRITE, 100);
	packet = take(0);
	assert_int_equal(packet.bytes, WIRE_DATA_HEADER_BYTES + WIRE_CRC_BYTES + 100);
	assert_int_equal(packet.data[1], WIRE_FLAG_ONLY | WIRE_FLAG_CRC);
	assert_int_equal(packet.data[36], 's');
	assert_int_equal(wire_u32_read(packet.data + 32),
			 crc32c(crc32c(0, packet.data + 36, 100), packet.data, 32));
	give(1, &packet);
	assert_int_equal(ends[1].bytes, 100);
	packet = take(1);
	assert_int_equal(packet.data[0], WIRE_CONTROL);
	assert_int_equal(packet.data[1] & WIRE_FLAG_CRC, WIRE_FLAG_CRC);
	give(0, &packet);
	assert_int_equal(ends[0].done, 1);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_CRC_CONNECTIONS], 1);
}

static void crc__leaves_no_packet_larger(void **state)
{
	struct packet packet;

	(void)state;
	assert_int_equal(ends[0].connection->payload_max, PAYLOAD - WIRE_CRC_BYTES);
	submit(RUDP_WRITE, 3 * PAYLOAD);
	packet = take(0);
	assert_int_equal(packet.bytes, DATAGRAM);
	give(1, &packet);
	settle();
	assert_int_equal(ends[1].bytes, 3 * PAYLOAD);
	assert_int_equal(ends[0].done, 1);
}

/* A placed byte, wherever the damage is, and the write that comes again. */
static void crc__damaged_write(void **state)
{
	struct packet packet;

	(void)state;
	submit(RUDP_WRITE, 100);
	packet = take(0);
	give_damaged(1, &packet);
	assert_int_equal(ends[1].placed, 0);
	assert_int_equal(take(1).bytes, 0);
	for (int i = 0; i < 100 && ends[0].done == 0; i++) {
		pass(1000);
		settle();
	}
	assert_int_equal(ends[0].completion.status, 0);
	assert_int_equal(ends[1].placed, 1);
	assert_int_equal(ends[1].bytes, 100);
}

static void crc__damaged_acknowledgement(void **state)
{
	struct packet packet;

	(void)state;
	submit(RUDP_WRITE, 100);
	packet = take(0);
	give(1, &packet);
	packet = take(1);
	assert_int_equal(packet.data[0], WIRE_CONTROL);
	give_damaged(0, &packet);
	assert_int_equal(ends[0].done, 0);
	give(0, &packet);
	assert_int_equal(ends[0].done, 1);
}

static void crc__damaged_read(void **state)
{
	struct packet packet;

	(void)state;
	submit(RUDP_READ, 100);
	packet = take(0);
	give_damaged(1, &packet);
	assert_int_equal(ends[1].opened, 0);
	give(1, &packet);
	while ((packet = take(1)).data[0] != WIRE_READ_DATA)
		assert_true(packet.bytes > 0);
	give_damaged(0, &packet);
	assert_int_equal(ends[0].delivered, 0);
	give(0, &packet);
	assert_int_equal(ends[0].delivered, 100);
	assert_int_equal(ends[0].done, 1);
}

static void crc__damaged_notification(void **state)
{
	struct rudp_operation_request request = { .kind = RUDP_NOTIFY, .region = 0xabc };
	struct packet packet;
	uint32_t id;

	(void)state;
	ends[0].notice = (struct rudp_notice){ .number = 7, .value = 8, .tag = 9, .written = 10 };
	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), 0);
	packet = take(0);
	assert_int_equal(packet.data[1], WIRE_FLAG_ONLY | WIRE_FLAG_NOTIFY | WIRE_FLAG_CRC);
	give_damaged(1, &packet);
	assert_int_equal(ends[1].notified, 0);
	give(1, &packet);
	assert_int_equal(ends[1].notified, 1);
	assert_true(ends[1].notification.notice.value == 8);
}

/* Who strips the checksum, with its flag, gets nothing through. */
static void crc__missing(void **state)
{
	struct packet packet;

	(void)state;
	submit(RUDP_WRITE, 100);
	packet = take(0);
	packet.data[1] &= (uint8_t)~WIRE_FLAG_CRC;
	memmove(packet.data + 32, packet.data + 36, 100);
	packet.bytes -= 4;
	assert_int_equal(give(1, &packet), RUDP_RECEIVE_DAMAGED);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_CRC_MISSING], 1);
	assert_int_equal(ends[1].placed, 0);
}

/* Where none was agreed on there is none. */
static void crc__not_agreed_on(void **state)
{
	struct packet packet;

	(void)state;
	submit(RUDP_WRITE, 100);
	packet = take(0);
	assert_int_equal(packet.data[1], WIRE_FLAG_ONLY);
	packet.data[1] |= WIRE_FLAG_CRC;
	wire_crc_write(packet.data, packet.bytes);
	assert_int_equal(give(1, &packet), RUDP_RECEIVE_MALFORMED);
	assert_int_equal(ends[1].placed, 0);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_MALFORMED], 1);
}

/* What comes again is read, and summed up, again: a source that has changed in between is no damage. */
static void crc__source_changes_between(void **state)
{
	(void)state;
	ends[0].source_byte = 'a';
	submit(RUDP_WRITE, 100);
	assert_true(take(0).bytes > 0); /* lost */
	ends[0].source_byte = 'b';
	for (int i = 0; i < 100 && ends[0].done == 0; i++) {
		pass(1000);
		settle();
	}
	assert_int_equal(ends[0].completion.status, 0);
	assert_int_equal(ends[1].placed_byte, 'b');
	assert_int_equal(ends[1].counters[RUDP_COUNTER_CRC_BAD], 0);
}

/* A path that damages everything is silence: the connection is doubtful, and ends as any that is not heard. */
static void crc__damage_is_silence(void **state)
{
	(void)state;
	submit(RUDP_WRITE, 100);
	for (uint64_t ms = 0; ms < 6000 && ends[0].state != RUDP_ENDED; ms++) {
		for (unsigned i = 0; i < 2; i++) {
			struct packet packet;

			while ((packet = take(i)).bytes > 0) {
				packet.data[packet.bytes - 1] ^= 0x40;
				give(!i, &packet);
			}
		}
		pass(1000);
		if (ms == 30)
			assert_int_equal(ends[0].state, RUDP_DOUBTFUL);
	}
	assert_int_equal(ends[0].state, RUDP_ENDED);
	assert_int_equal(ends[0].reason, RUDP_END_SILENCE);
	assert_int_equal(ends[1].placed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CRC_CASE(crc__stands_behind_the_header),
		CRC_CASE(crc__leaves_no_packet_larger),
		CRC_CASE(crc__damaged_write),
		CRC_CASE(crc__damaged_acknowledgement),
		CRC_CASE(crc__damaged_read),
		CRC_CASE(crc__damaged_notification),
		CRC_CASE(crc__missing),
		CASE(crc__not_agreed_on),
		CRC_CASE(crc__source_changes_between),
		CRC_CASE(crc__damage_is_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
