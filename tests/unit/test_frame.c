/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: what frame_finish writes frame_parse reads, and every frame that is short, odd, damaged or for somebody else
 * gets the verdict that its counter stands for, without a byte read beyond its end.
 * Method: one good frame, and a change of one field for each verdict; every truncation of it in a heap block of exactly
 * that size (so that ASan sees an overrun); every single bit flipped. Checksums are compared with RFC 1071 done slowly.
 */
#include "drivers/udp/frame.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#define PAYLOAD_BYTES 37u
#define FRAME_BYTES   (FRAME_HEADER_BYTES + PAYLOAD_BYTES)

static const uint8_t mac_a[FRAME_MAC_BYTES] = { 2, 0, 0, 0, 0, 0xa };
static const uint8_t mac_b[FRAME_MAC_BYTES] = { 2, 0, 0, 0, 0, 0xb };

static const struct frame_path path = {
	.source_mac = mac_a,
	.target_mac = mac_b,
	.source = 0x0a000001,
	.target = 0x0a000002,
	.source_port = 7471,
	.target_port = 7472,
};

static struct frame_self self_b(void)
{
	struct frame_self self = { .udp_port = 7472, .address = 0x0a000002 };

	memcpy(self.mac, mac_b, sizeof(mac_b));
	return self;
}

static void make(uint8_t *frame, uint32_t bytes, enum frame_sum sum)
{
	struct frame_template template;

	for (uint32_t i = 0; i < bytes; i++)
		frame[FRAME_HEADER_BYTES + i] = (uint8_t)(i * 7 + 1);
	frame_template_make(&template, &path);
	frame_finish(&template, frame, bytes, sum);
}

static uint32_t slow_sum(const uint8_t *bytes, size_t length)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < length; i++)
		sum += i % 2 == 0 ? (uint32_t)bytes[i] << 8 : bytes[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static enum frame_verdict parse(const uint8_t *frame, size_t bytes)
{
	struct frame_self self = self_b();
	struct frame_datagram datagram;

	return frame_parse(&self, frame, bytes, &datagram);
}

/* Put the right IPv4 checksum into a frame whose header was changed. */
static void mend(uint8_t *frame)
{
	uint32_t sum;

	frame[24] = 0;
	frame[25] = 0;
	sum = ~slow_sum(frame + 14, 20);
	frame[24] = (uint8_t)(sum >> 8);
	frame[25] = (uint8_t)sum;
}

static void frame_parse__takes_what_finish_made(void **state)
{
	static const enum frame_sum sums[] = { FRAME_SUM_NONE, FRAME_SUM_WHOLE };
	struct frame_self self = self_b();

	(void)state;
	for (uint32_t bytes = 0; bytes < 1473; bytes += 91) {
		for (size_t i = 0; i < 2; i++) {
			struct frame_datagram datagram;
			uint8_t frame[FRAME_HEADER_BYTES + 1472];

			make(frame, bytes, sums[i]);
			assert_int_equal(
				frame_parse(&self, frame, FRAME_HEADER_BYTES + bytes, &datagram),
				FRAME_UDP);
			assert_ptr_equal(datagram.payload, frame + FRAME_HEADER_BYTES);
			assert_int_equal(datagram.bytes, bytes);
			assert_int_equal(datagram.source, path.source);
			assert_int_equal(datagram.source_port, path.source_port);
		}
	}
}

static void frame_parse__ignores_padding(void **state)
{
	uint8_t frame[FRAME_BYTES_MIN] = { 0 };
	struct frame_self self = self_b();
	struct frame_datagram datagram;

	(void)state;
	make(frame, 3, FRAME_SUM_WHOLE);
	assert_int_equal(frame_parse(&self, frame, sizeof(frame), &datagram), FRAME_UDP);
	assert_int_equal(datagram.bytes, 3);
}

static void frame_parse__refuses_every_truncation(void **state)
{
	uint8_t whole[FRAME_BYTES];

	(void)state;
	make(whole, PAYLOAD_BYTES, FRAME_SUM_WHOLE);
	for (size_t bytes = 0; bytes < sizeof(whole); bytes++) {
		uint8_t *frame = malloc(bytes + 1);
		enum frame_verdict verdict;

		memcpy(frame + 1, whole, bytes);
		verdict = parse(frame + 1, bytes);
		assert_true(verdict == FRAME_SHORT || verdict == FRAME_IP_HEADER);
		free(frame);
	}
}

static void frame_parse__notices_every_flipped_bit(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < FRAME_BYTES * 8; bit++) {
		uint8_t frame[FRAME_BYTES];

		if (bit / 8 >= 6 && bit / 8 < 12)
			continue; /* the sender's MAC is nobody's business */
		make(frame, PAYLOAD_BYTES, FRAME_SUM_WHOLE);
		frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(parse(frame, sizeof(frame)), FRAME_UDP);
	}
}

static void frame_parse__names_each_fault(void **state)
{
	static const struct {
		uint8_t offset;
		uint8_t value;
		enum frame_verdict verdict;
	} faults[] = {
		{ 0, 4, FRAME_FOREIGN_MAC },   { 12, 0x86, FRAME_ETHERTYPE },
		{ 14, 0x46, FRAME_IP_HEADER }, { 14, 0x65, FRAME_IP_HEADER },
		{ 17, 27, FRAME_IP_HEADER },   { 16, 1, FRAME_IP_HEADER },
		{ 20, 0x20, FRAME_FRAGMENT },  { 21, 1, FRAME_FRAGMENT },
		{ 23, 6, FRAME_PROTOCOL },     { 33, 9, FRAME_FOREIGN_IP },
		{ 39, 7, FRAME_UDP_LENGTH },   { 38, 1, FRAME_UDP_LENGTH },
		{ 37, 1, FRAME_FOREIGN_PORT }, { 60, 0xff, FRAME_UDP_SUM },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		uint8_t frame[FRAME_BYTES];

		make(frame, PAYLOAD_BYTES, FRAME_SUM_WHOLE);
		frame[faults[i].offset] = faults[i].value;
		mend(frame);
		assert_int_equal(parse(frame, sizeof(frame)), faults[i].verdict);
	}
}

static void frame_parse__knows_broadcasts_and_arp(void **state)
{
	uint8_t frame[FRAME_BYTES];

	(void)state;
	make(frame, PAYLOAD_BYTES, FRAME_SUM_NONE);
	memset(frame, 0xff, FRAME_MAC_BYTES);
	assert_int_equal(parse(frame, sizeof(frame)), FRAME_FOREIGN_IP);
	frame[13] = 6;
	assert_int_equal(parse(frame, sizeof(frame)), FRAME_ARP);
}

static void frame_parse__obeys_the_checksum_policy(void **state)
{
	struct frame_self self = self_b();
	struct frame_datagram datagram;
	uint8_t frame[FRAME_BYTES];

	(void)state;
	make(frame, PAYLOAD_BYTES, FRAME_SUM_NONE);
	self.is_sum_needed = true;
	assert_int_equal(frame_parse(&self, frame, sizeof(frame), &datagram), FRAME_UDP_NO_SUM);
	make(frame, PAYLOAD_BYTES, FRAME_SUM_WHOLE);
	assert_int_equal(frame_parse(&self, frame, sizeof(frame), &datagram), FRAME_UDP);
	frame[FRAME_BYTES - 1] ^= 1;
	assert_int_equal(frame_parse(&self, frame, sizeof(frame), &datagram), FRAME_UDP_SUM);
	self.is_sum_known = true; /* the port has looked */
	assert_int_equal(frame_parse(&self, frame, sizeof(frame), &datagram), FRAME_UDP);
}

/* A good echo request of a to b. */
static void make_echo(uint8_t *frame, uint32_t payload)
{
	uint32_t sum;

	make(frame, payload, FRAME_SUM_NONE);
	frame[23] = 1;
	mend(frame);
	memset(frame + 34, 0, 8);
	frame[34] = 8;
	frame[39] = 77; /* identifier */
	sum = ~slow_sum(frame + 34, 8 + payload);
	frame[36] = (uint8_t)(sum >> 8);
	frame[37] = (uint8_t)sum;
}

static void frame_echo_make__answers_a_request(void **state)
{
	uint8_t frame[FRAME_BYTES];
	uint8_t answer[FRAME_BYTES];

	(void)state;
	make_echo(frame, PAYLOAD_BYTES);
	assert_int_equal(parse(frame, sizeof(frame)), FRAME_ECHO);
	assert_int_equal(frame_echo_make(frame, answer), FRAME_BYTES);
	assert_memory_equal(answer, mac_a, sizeof(mac_a));
	assert_memory_equal(answer + 6, mac_b, sizeof(mac_b));
	assert_memory_equal(answer + 26, frame + 30, 4);
	assert_memory_equal(answer + 30, frame + 26, 4);
	assert_int_equal(answer[34], 0);
	assert_int_equal(answer[39], 77);
	assert_int_equal(slow_sum(answer + 14, 20), 0xffff);
	assert_int_equal(slow_sum(answer + 34, 8 + PAYLOAD_BYTES), 0xffff);
	assert_memory_equal(answer + 42, frame + 42, PAYLOAD_BYTES);
}

static void frame_echo_make__pads_a_short_answer(void **state)
{
	uint8_t frame[FRAME_BYTES];
	uint8_t answer[FRAME_BYTES_MIN];

	(void)state;
	memset(answer, 0xee, sizeof(answer));
	make_echo(frame, 3);
	assert_int_equal(frame_echo_make(frame, answer), FRAME_BYTES_MIN);
	for (uint32_t i = FRAME_HEADER_BYTES + 3; i < FRAME_BYTES_MIN; i++)
		assert_int_equal(answer[i], 0);
}

static void frame_parse__takes_no_other_icmp(void **state)
{
	static const struct {
		uint8_t offset;
		uint8_t value;
		enum frame_verdict verdict;
	} faults[] = {
		{ 34, 0, FRAME_PROTOCOL },     { 34, 3, FRAME_PROTOCOL },
		{ 35, 1, FRAME_PROTOCOL },     { 50, 0, FRAME_ICMP_SUM },
		{ 26, 224, FRAME_FOREIGN_IP }, { 26, 255, FRAME_FOREIGN_IP },
		{ 26, 0, FRAME_FOREIGN_IP },   { 26, 127, FRAME_FOREIGN_IP },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		uint8_t frame[FRAME_BYTES];

		make_echo(frame, PAYLOAD_BYTES);
		frame[faults[i].offset] = faults[i].value;
		mend(frame);
		assert_int_equal(parse(frame, sizeof(frame)), faults[i].verdict);
	}
}

static void frame_finish__sends_the_other_zero(void **state)
{
	struct frame_template template;
	uint8_t frame[FRAME_HEADER_BYTES + 2];
	uint32_t sum;

	(void)state;
	/* A payload that makes the sum of everything else come out as zero. */
	memset(frame + FRAME_HEADER_BYTES, 0, 2);
	frame_template_make(&template, &path);
	frame_finish(&template, frame, 2, FRAME_SUM_WHOLE);
	memcpy(frame + FRAME_HEADER_BYTES, frame + 40, 2);
	frame_finish(&template, frame, 2, FRAME_SUM_WHOLE);
	sum = (uint32_t)frame[40] << 8 | frame[41];
	assert_int_equal(sum, 0xffff);
	assert_int_equal(parse(frame, sizeof(frame)), FRAME_UDP);
}

static void frame_finish__gives_a_port_the_pseudo_header(void **state)
{
	uint8_t frame[FRAME_BYTES];
	uint8_t pseudo[12] = { 10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0, PAYLOAD_BYTES + 8 };
	uint32_t sum;

	(void)state;
	make(frame, PAYLOAD_BYTES, FRAME_SUM_PSEUDO);
	sum = (uint32_t)frame[40] << 8 | frame[41];
	assert_int_equal(sum, slow_sum(pseudo, sizeof(pseudo)));
}

static void frame_arp_parse__takes_what_make_made(void **state)
{
	struct frame_arp arp = { .is_answer = true, .sender = 1, .target = 0x0a0000ff };
	uint8_t frame[FRAME_BYTES_MIN];
	struct frame_arp back;

	(void)state;
	memcpy(arp.sender_mac, mac_a, sizeof(mac_a));
	memcpy(arp.target_mac, mac_b, sizeof(mac_b));
	frame_arp_make(&arp, frame);
	assert_memory_equal(frame, mac_b, sizeof(mac_b));
	assert_true(frame_arp_parse(frame, sizeof(frame), &back));
	assert_true(back.is_answer);
	assert_int_equal(back.sender, arp.sender);
	assert_int_equal(back.target, arp.target);
	assert_memory_equal(back.sender_mac, mac_a, sizeof(mac_a));
	assert_memory_equal(back.target_mac, mac_b, sizeof(mac_b));
}

static void frame_arp_parse__refuses_odd_packets(void **state)
{
	static const uint8_t offsets[] = { 12, 15, 17, 18, 19, 20, 21 };
	struct frame_arp arp = { .sender = 1, .target = 2 };
	uint8_t good[FRAME_BYTES_MIN];
	struct frame_arp back;

	(void)state;
	memcpy(arp.sender_mac, mac_a, sizeof(mac_a));
	frame_arp_make(&arp, good);
	assert_int_equal(good[0], 0xff); /* a question to everybody */
	assert_true(frame_arp_parse(good, sizeof(good), &back));
	assert_false(frame_arp_parse(good, 41, &back));
	for (size_t i = 0; i < sizeof(offsets); i++) {
		uint8_t frame[FRAME_BYTES_MIN];

		memcpy(frame, good, sizeof(frame));
		frame[offsets[i]] ^= 0x44;
		assert_false(frame_arp_parse(frame, sizeof(frame), &back));
	}
	good[22] |= 1; /* a group is no sender */
	assert_false(frame_arp_parse(good, sizeof(good), &back));
	memset(good + 22, 0, FRAME_MAC_BYTES);
	assert_false(frame_arp_parse(good, sizeof(good), &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_parse__takes_what_finish_made),
		cmocka_unit_test(frame_parse__ignores_padding),
		cmocka_unit_test(frame_parse__refuses_every_truncation),
		cmocka_unit_test(frame_parse__notices_every_flipped_bit),
		cmocka_unit_test(frame_parse__names_each_fault),
		cmocka_unit_test(frame_parse__knows_broadcasts_and_arp),
		cmocka_unit_test(frame_parse__obeys_the_checksum_policy),
		cmocka_unit_test(frame_echo_make__answers_a_request),
		cmocka_unit_test(frame_echo_make__pads_a_short_answer),
		cmocka_unit_test(frame_parse__takes_no_other_icmp),
		cmocka_unit_test(frame_finish__sends_the_other_zero),
		cmocka_unit_test(frame_finish__gives_a_port_the_pseudo_header),
		cmocka_unit_test(frame_arp_parse__takes_what_make_made),
		cmocka_unit_test(frame_arp_parse__refuses_odd_packets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
