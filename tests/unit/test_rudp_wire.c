/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: what is written is read back, and nothing malformed gets through or makes the parser read beyond its packet.
 * Method: golden bytes of a data header and of each frame (they are the format: docs/protocol.md), round trips of
 * random values, every truncation, and random bytes in buffers of exactly their length.
 */
#include "base/crc32c.h"
#include "rudp/wire.h"
#include "unit.h"

static void wire_header_parse__golden(void **state)
{
	static const uint8_t golden[33] = {
		0x01, 0x01, 0x12, 0x34, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7,
		0xa8, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xcd, 0xe0, 0x07, 0x01, 0x02,
		0x03, 0x04, 0x05, 0x06, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 'x',
	};
	uint8_t written[33] = { 0 };
	struct wire_header header;
	struct wire_data data;

	(void)state;
	assert_true(wire_header_parse(golden, sizeof(golden), &header));
	assert_int_equal(header.type, WIRE_WRITE);
	assert_int_equal(header.flags, WIRE_FLAG_ONLY);
	assert_int_equal(header.tick, 0x1234);
	assert_true(header.connection == 0xa1a2a3a4a5a6a7a8);
	assert_int_equal(header.number, 0xdeadbeef);
	assert_true(wire_data_parse(golden, &header, &data));
	assert_int_equal(data.operation, 0xabcde);
	assert_int_equal(data.age, 7);
	assert_true(data.region == 0x010203040506);
	assert_int_equal(data.grant, 0x11);
	assert_true(data.offset == 0x1213141516);
	wire_header_write(written, &header);
	wire_data_write(written, &data);
	written[32] = 'x';
	assert_memory_equal(written, golden, sizeof(golden));
}

static void wire_header_parse__refuses(void **state)
{
	uint8_t packet[64] = { WIRE_WRITE };
	struct wire_header header;
	struct wire_data data;

	(void)state;
	assert_false(wire_header_parse(packet, 15, &header));
	assert_false(wire_header_parse(packet, 32, &header)); /* no payload */
	packet[0] = 0;
	assert_false(wire_header_parse(packet, 64, &header));
	packet[0] = WIRE_RESET + 1;
	assert_false(wire_header_parse(packet, 64, &header));
	packet[0] = WIRE_WRITE;
	packet[1] = 0x10;
	assert_false(wire_header_parse(packet, 64, &header));
	packet[1] = WIRE_FLAG_CRC; /* and no payload behind it */
	assert_false(wire_header_parse(packet, 36, &header));
	assert_true(wire_header_parse(packet, 37, &header));
	packet[0] = WIRE_READ_DATA;
	packet[1] = 0x01;
	assert_false(wire_header_parse(packet, 64, &header));
	packet[0] = WIRE_RESET;
	packet[1] = WIRE_FLAG_CRC; /* it has a token */
	assert_false(wire_header_parse(packet, 32, &header));
	packet[0] = WIRE_READ_DATA;
	packet[1] = 0;
	packet[25] = 1; /* READ data names no region */
	assert_true(wire_header_parse(packet, 64, &header));
	assert_false(wire_data_parse(packet, &header, &data));
	packet[25] = 0;
	assert_true(wire_data_parse(packet, &header, &data));
	packet[26] = 1; /* nor a grant */
	assert_false(wire_data_parse(packet, &header, &data));
}

/* The sum of RFC 3720's polynomial over what is behind it and then the header; both kinds of headers. */
static void wire_crc__golden(void **state)
{
	static const char behind[] = "123456789";
	uint8_t data[WIRE_DATA_HEADER_BYTES + WIRE_CRC_BYTES + 9] = { WIRE_WRITE, WIRE_FLAG_CRC };
	uint8_t control[WIRE_CONTROL_BYTES_MIN] = { WIRE_CONTROL, WIRE_FLAG_CRC };
	uint8_t all[64] = { 0 };

	(void)state;
	memcpy(data + 36, behind, 9);
	wire_crc_write(data, sizeof(data));
	memcpy(all, behind, 9);
	memcpy(all + 9, data, 32);
	assert_int_equal(wire_u32_read(data + 32), crc32c_portable(0, all, 9 + 32));
	assert_true(wire_crc_is_good(data, sizeof(data)));
	memcpy(control + 20, behind, 9);
	wire_crc_write(control, sizeof(control));
	memcpy(all, control + 20, 12);
	memcpy(all + 12, control, 16);
	assert_int_equal(wire_u32_read(control + 16), crc32c_portable(0, all, 12 + 16));
	assert_true(wire_crc_is_good(control, sizeof(control)));
	assert_false(wire_crc_is_good(control, sizeof(control) - 1));
}

static void wire_notice_parse__golden(void **state)
{
	static const uint8_t golden[WIRE_NOTICE_BYTES] = {
		0x41, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0xf1, 0xf2, 0xf3,
		0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xa1, 0xa2, 0xa3, 0xa4, 0x00, 0x01,
		0x02, 0x03, 0x09, 0,    0,    0,    0,    0,    0,    0,
	};
	uint8_t written[WIRE_NOTICE_BYTES];
	struct rudp_notice notice;

	(void)state;
	assert_true(wire_notice_parse(golden, sizeof(golden), &notice));
	assert_true(notice.number == 0x4102030405060708);
	assert_true(notice.value == 0xf1f2f3f4f5f6f7f8);
	assert_int_equal(notice.tag, 0xa1a2a3a4);
	assert_int_equal(notice.written, 0x10203);
	assert_int_equal(notice.worker, 9);
	wire_notice_write(written, &notice);
	assert_memory_equal(written, golden, sizeof(golden));
}

static void wire_notice_parse__refuses(void **state)
{
	uint8_t payload[WIRE_NOTICE_BYTES + 1] = { 0 };
	struct rudp_notice notice;

	(void)state;
	assert_false(wire_notice_parse(payload, WIRE_NOTICE_BYTES, &notice)); /* number 0 */
	payload[7] = 1;
	assert_true(wire_notice_parse(payload, WIRE_NOTICE_BYTES, &notice));
	assert_false(wire_notice_parse(payload, WIRE_NOTICE_BYTES - 1, &notice));
	assert_false(wire_notice_parse(payload, WIRE_NOTICE_BYTES + 1, &notice));
	for (size_t i = 25; i < WIRE_NOTICE_BYTES; i++) {
		payload[i] = 1;
		assert_false(wire_notice_parse(payload, WIRE_NOTICE_BYTES, &notice));
		payload[i] = 0;
	}
	payload[20] = 0x40; /* exactly the longest */
	assert_true(wire_notice_parse(payload, WIRE_NOTICE_BYTES, &notice));
	payload[23] = 1;
	assert_false(wire_notice_parse(payload, WIRE_NOTICE_BYTES, &notice));
	payload[20] = payload[23] = 0;
	payload[0] = 0x80;
	assert_false(wire_notice_parse(payload, WIRE_NOTICE_BYTES, &notice));
}

static void wire_operation_expand__nearest(void **state)
{
	(void)state;
	assert_int_equal(wire_operation_expand(0, 0xfffff), 0xffffffff);
	assert_int_equal(wire_operation_expand(0xfffff, 0), 0x100000);
	assert_int_equal(wire_operation_expand(0x12345678, 0x45670), 0x12345670);
	assert_int_equal(wire_operation_expand(0xffffffff, 1), 1);
}

/* A piece names itself in the high bits of the flags, and is never a chunk's first transmission. */
static void wire_header_parse__pieces(void **state)
{
	uint8_t packet[64] = { WIRE_WRITE, WIRE_FLAG_PIECE | 5 << WIRE_PIECE_SHIFT };
	struct wire_header header;

	(void)state;
	assert_false(wire_header_parse(packet, 64, &header));
	packet[19] = 1; /* age */
	assert_true(wire_header_parse(packet, 64, &header));
	assert_int_equal(wire_piece(header.flags), 5);
	packet[1] |= WIRE_FLAG_LAST;
	assert_true(wire_header_parse(packet, 64, &header));
	assert_int_equal(wire_piece(header.flags), 5);
	packet[1] |= WIRE_FLAG_ONLY;
	assert_false(wire_header_parse(packet, 64, &header));
	packet[1] = WIRE_FLAG_LAST;
	assert_false(wire_header_parse(packet, 64, &header));
	packet[1] = WIRE_FLAG_PIECE;
	packet[0] = WIRE_READ_DATA;
	assert_true(wire_header_parse(packet, 64, &header));
	packet[0] = WIRE_CONTROL;
	assert_false(wire_header_parse(packet, 64, &header));
}

static void wire_frame_parse__golden(void **state)
{
	static const uint8_t golden[] = {
		4, 6, 0,    10,   0, 0,  1,  0,  0,  0,  0,  0,  0, 0, 0, 9, /* REFUSE */
		1, 1, 0x01, 0x00, 0, 0,  0,  9,  0,  2,  0,  0,  0, 1, 0, 3, /* ACK 9-7, 5-3 */
		2, 0, 0,    0,                                               /* PING */
		5, 1, 0,    0,    0, 0,  0,  5,  0,  0,  0,  6,              /* DONE 5, 6 and 7 */
		6, 9, 2,    0,    0, 0,  0,  4,  0,  0,  1,  1,  1, 2, 3, 4, /* GRANT */
		5, 6, 7,    8,    9, 10, 11, 12, 13, 14, 15, 16,             /* its proof's rest */
		7, 9, 5,    0,    0, 0,  0,  4,                              /* GRANTED */
		3, 0, 0,    0,    0, 0,  0,  8,  1,  2,  3,  4,  5, 6, 7, 0, /* READ */
		0, 0, 0,    2,    0, 0,  4,  0,  0,  0,  0,                  /* its rest, padding */
	};
	const uint8_t *cursor = golden;
	const uint8_t *end = golden + sizeof(golden);
	struct wire_frame frame;

	(void)state;
	assert_int_equal(wire_frame_parse(&cursor, end, &frame), 1);
	assert_int_equal(frame.type, WIRE_FRAME_REFUSE);
	assert_int_equal(frame.refuse.status, 6);
	assert_int_equal(frame.refuse.reason, 10);
	assert_int_equal(frame.refuse.operation, 256);
	assert_true(frame.refuse.version == 9);
	assert_int_equal(wire_frame_parse(&cursor, end, &frame), 1);
	assert_int_equal(frame.type, WIRE_FRAME_ACK);
	assert_int_equal(frame.ack.count, 2);
	assert_int_equal(frame.ack.delay_us, 256);
	assert_int_equal(frame.ack.ranges[0].last, 9);
	assert_int_equal(frame.ack.ranges[0].first, 7);
	assert_int_equal(frame.ack.ranges[1].last, 5);
	assert_int_equal(frame.ack.ranges[1].first, 3);
	assert_int_equal(wire_frame_parse(&cursor, end, &frame), 1);
	assert_int_equal(frame.type, WIRE_FRAME_PING);
	assert_int_equal(wire_frame_parse(&cursor, end, &frame), 1);
	assert_int_equal(frame.type, WIRE_FRAME_DONE);
	assert_int_equal(frame.done.low_water, 5);
	assert_int_equal(frame.done.words, 1);
	assert_int_equal(frame.done.bits[0], 6);
	assert_int_equal(wire_frame_parse(&cursor, end, &frame), 1);
	assert_int_equal(frame.type, WIRE_FRAME_GRANT);
	assert_int_equal(frame.grant.slot, 9);
	assert_int_equal(frame.grant.rights, 2);
	assert_int_equal(frame.grant.serial, 4);
	assert_int_equal(frame.grant.segment, 257);
	for (unsigned int i = 0; i < RUDP_PROOF_BYTES; i++)
		assert_int_equal(frame.grant.proof[i], i + 1);
	assert_int_equal(wire_frame_parse(&cursor, end, &frame), 1);
	assert_int_equal(frame.type, WIRE_FRAME_GRANTED);
	assert_int_equal(frame.granted.slot, 9);
	assert_int_equal(frame.granted.status, 5);
	assert_int_equal(frame.granted.serial, 4);
	assert_int_equal(wire_frame_parse(&cursor, end, &frame), 1);
	assert_int_equal(frame.type, WIRE_FRAME_READ);
	assert_int_equal(frame.read.grant, 7);
	assert_int_equal(frame.read.operation, 8);
	assert_true(frame.read.region == 0x010203040506);
	assert_true(frame.read.offset == 2);
	assert_int_equal(frame.read.length, 1024);
	assert_int_equal(wire_frame_parse(&cursor, end, &frame), 0);
	assert_ptr_equal(cursor, end);
}

static void wire_frame_parse__refuses(void **state)
{
	static const uint8_t bad[][28] = {
		{ 1, 1, 0, 0, 0, 0, 0, 9, 0, 2, 0, 0, 0, 0, 0, 3 }, /* a gap of none */
		{ 1, 1, 0, 0, 0, 0, 0, 9, 0, 2, 0, 0, 0, 1, 0, 0 }, /* a range of none */
		{ 1, 0, 0, 0, 0, 0, 0, 9, 0, 2, 0, 1 },             /* reserved */
		{ 1, 32 },                                          /* too many ranges */
		{ 2, 0, 0, 1 },                                     /* reserved */
		{ 3, 1 },                                           /* reserved */
		{ 5, 33 },                                          /* too many words */
		{ 5, 6 },                                           /* words beyond the end */
		{ 6, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 1 },             /* reserved */
		{ 6, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1 },             /* no right */
		{ 6, 0, 4, 0, 0, 0, 0, 1, 0, 0, 0, 1 },             /* a right that is not known */
		{ 6, 0, 3, 0, 0, 0, 0, 1 },                         /* no segment */
		{ 7, 0, 0, 1 },                                     /* reserved */
		{ 8 },                                              /* unknown */
		{ 0, 0, 1 },                                        /* padding that is none */
	};
	struct wire_frame frame;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		const uint8_t *cursor = bad[i];

		assert_int_equal(wire_frame_parse(&cursor, bad[i] + sizeof(bad[i]), &frame), -1);
	}
}

static void wire_ack_write__round_trip(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (int round = 0; round < 2000; round++) {
		struct wire_ack ack = { .count = 1 + (uint32_t)unit_random_below(&seed,
										 WIRE_RANGES_MAX) };
		uint32_t at = (uint32_t)unit_random(&seed);
		uint8_t bytes[256];
		const uint8_t *cursor = bytes;
		struct wire_frame frame;
		size_t length;

		ack.delay_us = (uint32_t)unit_random_below(&seed, 65536);
		for (uint32_t i = 0; i < ack.count; i++) {
			ack.ranges[i].last = at;
			at -= (uint32_t)unit_random_below(&seed, 1000);
			ack.ranges[i].first = at;
			at -= 2 + (uint32_t)unit_random_below(&seed, 1000);
		}
		length = wire_ack_write(bytes, sizeof(bytes), &ack);
		assert_true(length > 0);
		assert_int_equal(wire_ack_write(bytes, length - 1, &ack), 0);
		assert_int_equal(wire_frame_parse(&cursor, bytes + length, &frame), 1);
		assert_ptr_equal(cursor, bytes + length);
		assert_int_equal(frame.ack.count, ack.count);
		assert_int_equal(frame.ack.delay_us, ack.delay_us);
		assert_memory_equal(frame.ack.ranges, ack.ranges,
				    ack.count * sizeof(ack.ranges[0]));
	}
}

static void wire_frame_parse__random_bytes(void **state)
{
	uint64_t seed = unit_seed();

	(void)state;
	for (int round = 0; round < 20000; round++) {
		size_t bytes = (size_t)unit_random_below(&seed, 100);
		uint8_t *packet = malloc(bytes + 1); /* so that a sanitizer sees the end */
		const uint8_t *cursor = packet;
		struct wire_frame frame;
		int steps = 0;

		assert_non_null(packet);
		for (size_t i = 0; i < bytes; i++)
			packet[i] = (uint8_t)(unit_random(&seed) % (i % 4 == 0 ? 7 : 256));
		while (wire_frame_parse(&cursor, packet + bytes, &frame) > 0) {
			assert_true(cursor <= packet + bytes);
			assert_true(++steps <= 100);
		}
		free(packet);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wire_header_parse__golden),
		cmocka_unit_test(wire_header_parse__refuses),
		cmocka_unit_test(wire_crc__golden),
		cmocka_unit_test(wire_notice_parse__golden),
		cmocka_unit_test(wire_notice_parse__refuses),
		cmocka_unit_test(wire_operation_expand__nearest),
		cmocka_unit_test(wire_header_parse__pieces),
		cmocka_unit_test(wire_frame_parse__golden),
		cmocka_unit_test(wire_frame_parse__refuses),
		cmocka_unit_test(wire_ack_write__round_trip),
		cmocka_unit_test(wire_frame_parse__random_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
