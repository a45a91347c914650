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
	.source = { 4, { 10, 0, 0, 1 } },
	.target = { 4, { 10, 0, 0, 2 } },
	.source_port = 7471,
	.target_port = 7472,
};

static const struct frame_path path6 = {
	.source_mac = mac_a,
	.target_mac = mac_b,
	.source = { 6, { 0xfd, [15] = 1 } },
	.target = { 6, { 0xfd, [15] = 2 } },
	.source_port = 7471,
	.target_port = 7472,
};

static struct frame_self self_b(void)
{
	struct frame_self self = {
		.udp_port = 7472, .udp_port_count = 3, .address = 0x0a000002, .has_ipv6 = true
	};

	memcpy(self.address6, path6.target.bytes, sizeof(self.address6));
	memcpy(self.mac, mac_b, sizeof(mac_b));
	return self;
}

/* A frame with a payload of this many bytes; returns its bytes. */
static uint32_t make_on(const struct frame_path *on, uint8_t *frame, uint32_t bytes,
			enum frame_sum sum)
{
	uint8_t buffer[FRAME_TEMPLATE_BYTES + 1472];
	uint8_t *payload = buffer + FRAME_TEMPLATE_BYTES;
	struct frame_template template;
	struct frame_path with_sum = *on;

	with_sum.sum = sum;
	for (uint32_t i = 0; i < bytes; i++)
		payload[i] = (uint8_t)(i * 7 + 1);
	frame_template_make(&template, &with_sum);
	frame_finish(&template, payload, bytes);
	memcpy(frame, payload - template.header_bytes, template.header_bytes + bytes);
	return template.header_bytes + bytes;
}

static void make(uint8_t *frame, uint32_t bytes, enum frame_sum sum)
{
	make_on(&path, frame, bytes, sum);
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
			assert_int_equal(datagram.family, 4);
			assert_memory_equal(datagram.source, path.source.bytes, 4);
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

static void frame_parse__takes_a_range_of_ports(void **state)
{
	struct frame_self self = self_b();
	struct frame_datagram datagram;
	uint8_t frame[FRAME_BYTES];

	(void)state;
	for (uint16_t port = 7470; port < 7478; port++) {
		bool is_mine = port >= 7472 && port < 7475;

		make(frame, PAYLOAD_BYTES, FRAME_SUM_NONE);
		frame[36] = (uint8_t)(port >> 8);
		frame[37] = (uint8_t)port;
		assert_int_equal(frame_parse(&self, frame, sizeof(frame), &datagram),
				 is_mine ? FRAME_UDP : FRAME_FOREIGN_PORT);
		if (is_mine)
			assert_int_equal(datagram.target_port, port);
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
	assert_int_equal(parse(frame, sizeof(frame)), FRAME_LOOKUP);
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

#define FRAME6_HEADER_BYTES (FRAME_HEADER_BYTES + FRAME_IPV6_MORE_BYTES)
#define FRAME6_BYTES        (FRAME6_HEADER_BYTES + PAYLOAD_BYTES)

static void frame_parse__takes_ipv6(void **state)
{
	static const enum frame_sum sums[] = { FRAME_SUM_NONE, FRAME_SUM_WHOLE };
	struct frame_self self = self_b();

	(void)state;
	for (uint32_t bytes = 0; bytes < 1453; bytes += 91) {
		for (size_t i = 0; i < 2; i++) {
			uint8_t frame[FRAME6_HEADER_BYTES + 1452];
			struct frame_datagram datagram;
			uint32_t all = make_on(&path6, frame, bytes, sums[i]);

			assert_int_equal(all, FRAME6_HEADER_BYTES + bytes);
			assert_int_equal(frame_parse(&self, frame, all, &datagram), FRAME_UDP);
			assert_int_equal(datagram.bytes, bytes);
			assert_int_equal(datagram.family, 6);
			assert_memory_equal(datagram.source, path6.source.bytes, 16);
			/* There is a checksum whatever the policy is. */
			assert_int_not_equal(frame[60] << 8 | frame[61], 0);
		}
	}
}

static void frame_parse__notices_every_flipped_bit_of_ipv6(void **state)
{
	(void)state;
	for (size_t bit = 0; bit < FRAME6_BYTES * 8; bit++) {
		size_t at = bit / 8;
		uint8_t frame[FRAME6_BYTES];

		/* Neither the sender's MAC nor class, flow and hops are anybody's business here. */
		if ((at >= 6 && at < 12) || (at == 14 && bit % 8 < 4) || (at > 14 && at < 18) ||
		    at == 21)
			continue;
		make_on(&path6, frame, PAYLOAD_BYTES, FRAME_SUM_WHOLE);
		frame[at] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(parse(frame, sizeof(frame)), FRAME_UDP);
	}
}

static void frame_parse__names_each_fault_of_ipv6(void **state)
{
	static const struct {
		uint8_t offset;
		uint8_t value;
		enum frame_verdict verdict;
	} faults[] = {
		{ 0, 4, FRAME_FOREIGN_MAC },   { 0, 0x33, FRAME_FOREIGN_MAC },
		{ 14, 0x40, FRAME_IP_HEADER }, { 18, 1, FRAME_IP_HEADER },
		{ 19, 7, FRAME_IP_HEADER },    { 20, 44, FRAME_FRAGMENT },
		{ 20, 6, FRAME_PROTOCOL },     { 20, 0, FRAME_PROTOCOL },
		{ 20, 58, FRAME_ICMP_SUM },    { 53, 9, FRAME_FOREIGN_IP },
		{ 59, 7, FRAME_UDP_LENGTH },   { 58, 1, FRAME_UDP_LENGTH },
		{ 57, 1, FRAME_FOREIGN_PORT }, { 80, 0xff, FRAME_UDP_SUM },
	};
	struct frame_self self = self_b();
	struct frame_datagram datagram;
	uint8_t frame[FRAME6_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		make_on(&path6, frame, PAYLOAD_BYTES, FRAME_SUM_WHOLE);
		frame[faults[i].offset] = faults[i].value;
		assert_int_equal(parse(frame, sizeof(frame)), faults[i].verdict);
	}
	make_on(&path6, frame, PAYLOAD_BYTES, FRAME_SUM_WHOLE);
	frame[60] = 0;
	frame[61] = 0;
	assert_int_equal(parse(frame, sizeof(frame)), FRAME_UDP_NO_SUM);
	self.has_ipv6 = false;
	assert_int_equal(frame_parse(&self, frame, sizeof(frame), &datagram), FRAME_ETHERTYPE);
	for (size_t bytes = 0; bytes < sizeof(frame); bytes++)
		assert_int_not_equal(parse(frame, bytes), FRAME_UDP);
}

static void put_icmp6_sum(uint8_t *frame, uint32_t bytes)
{
	uint8_t all[40 + 200] = { 0 };
	uint32_t sum;

	frame[56] = 0;
	frame[57] = 0;
	memcpy(all, frame + 22, 32);
	all[35] = (uint8_t)bytes;
	all[39] = 58;
	memcpy(all + 40, frame + 54, bytes);
	sum = ~slow_sum(all, 40 + bytes);
	frame[56] = (uint8_t)(sum >> 8);
	frame[57] = (uint8_t)sum;
}

static void frame_echo_make__answers_ipv6(void **state)
{
	uint8_t frame[FRAME6_BYTES];
	uint8_t answer[FRAME6_BYTES];
	uint8_t sum[2];

	(void)state;
	make_on(&path6, frame, PAYLOAD_BYTES, FRAME_SUM_WHOLE);
	frame[20] = 58;
	memset(frame + 54, 0, 8);
	frame[54] = 128;
	frame[59] = 77; /* identifier */
	put_icmp6_sum(frame, 8 + PAYLOAD_BYTES);
	assert_int_equal(parse(frame, sizeof(frame)), FRAME_ECHO);
	assert_int_equal(frame_echo_make(frame, answer), FRAME6_BYTES);
	assert_memory_equal(answer, mac_a, sizeof(mac_a));
	assert_memory_equal(answer + 22, path6.target.bytes, 16);
	assert_memory_equal(answer + 38, path6.source.bytes, 16);
	assert_int_equal(answer[54], 129);
	assert_int_equal(answer[59], 77);
	memcpy(sum, answer + 56, 2);
	put_icmp6_sum(answer, 8 + PAYLOAD_BYTES);
	assert_memory_equal(answer + 56, sum, 2);
	frame[22] = 0xff; /* a group is not answered */
	put_icmp6_sum(frame, 8 + PAYLOAD_BYTES);
	assert_int_equal(parse(frame, sizeof(frame)), FRAME_FOREIGN_IP);
}

static void frame_parse__wants_the_tag_of_its_port(void **state)
{
	static const struct frame_path *const paths[] = { &path, &path6 };
	struct frame_self self = self_b();
	struct frame_datagram datagram;
	uint8_t tagged[FRAME6_BYTES + FRAME_TAG_BYTES];
	uint8_t plain[FRAME6_BYTES + FRAME_TAG_BYTES];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct frame_path on = *paths[i];
		uint32_t plain_bytes = make_on(&on, plain, PAYLOAD_BYTES, FRAME_SUM_WHOLE);
		uint32_t bytes;

		on.vlan = 0x765;
		bytes = make_on(&on, tagged, PAYLOAD_BYTES, FRAME_SUM_WHOLE);
		self.vlan = 0x765;
		assert_int_equal(frame_parse(&self, tagged, bytes, &datagram), FRAME_UDP);
		assert_int_equal(datagram.bytes, PAYLOAD_BYTES);
		assert_int_equal(frame_parse(&self, plain, plain_bytes, &datagram), FRAME_VLAN);
		assert_int_equal(frame_parse(&self, tagged, 17, &datagram), FRAME_SHORT);
		assert_int_equal(frame_tag(plain, plain_bytes, 0x765), bytes);
		assert_memory_equal(plain, tagged, bytes);
		tagged[14] |= 0xa0; /* priority is somebody else's business */
		assert_int_equal(frame_parse(&self, tagged, bytes, &datagram), FRAME_UDP);
		tagged[15] ^= 1;
		assert_int_equal(frame_parse(&self, tagged, bytes, &datagram), FRAME_VLAN);
		self.vlan = 0;
		assert_int_equal(frame_parse(&self, plain, bytes, &datagram), FRAME_VLAN);
	}
}

static void frame_echo_make__keeps_the_tag(void **state)
{
	uint8_t frame[FRAME_BYTES + FRAME_TAG_BYTES];
	uint8_t answer[FRAME_BYTES + FRAME_TAG_BYTES];

	(void)state;
	make_echo(frame, PAYLOAD_BYTES);
	frame_tag(frame, FRAME_BYTES, 9);
	assert_int_equal(frame_echo_make(frame, answer), sizeof(answer));
	assert_memory_equal(answer + 12, frame + 12, 6);
	assert_memory_equal(answer + 30, frame + 34, 4);
	assert_int_equal(answer[38], 0);
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
	uint8_t buffer[FRAME_TEMPLATE_BYTES + 2] = { 0 };
	uint8_t *payload = buffer + FRAME_TEMPLATE_BYTES;
	uint8_t *frame = payload - FRAME_HEADER_BYTES;
	struct frame_template template;
	struct frame_path summed = path;

	(void)state;
	/* A payload that makes the sum of everything else come out as zero. */
	summed.sum = FRAME_SUM_WHOLE;
	frame_template_make(&template, &summed);
	frame_finish(&template, payload, 2);
	memcpy(payload, frame + 40, 2);
	frame_finish(&template, payload, 2);
	assert_int_equal(frame[40] << 8 | frame[41], 0xffff);
	assert_int_equal(parse(frame, FRAME_HEADER_BYTES + 2), FRAME_UDP);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_parse__takes_what_finish_made),
		cmocka_unit_test(frame_parse__ignores_padding),
		cmocka_unit_test(frame_parse__refuses_every_truncation),
		cmocka_unit_test(frame_parse__notices_every_flipped_bit),
		cmocka_unit_test(frame_parse__names_each_fault),
		cmocka_unit_test(frame_parse__takes_a_range_of_ports),
		cmocka_unit_test(frame_parse__knows_broadcasts_and_arp),
		cmocka_unit_test(frame_parse__obeys_the_checksum_policy),
		cmocka_unit_test(frame_echo_make__answers_a_request),
		cmocka_unit_test(frame_echo_make__pads_a_short_answer),
		cmocka_unit_test(frame_parse__wants_the_tag_of_its_port),
		cmocka_unit_test(frame_echo_make__keeps_the_tag),
		cmocka_unit_test(frame_parse__takes_no_other_icmp),
		cmocka_unit_test(frame_parse__takes_ipv6),
		cmocka_unit_test(frame_parse__notices_every_flipped_bit_of_ipv6),
		cmocka_unit_test(frame_parse__names_each_fault_of_ipv6),
		cmocka_unit_test(frame_echo_make__answers_ipv6),
		cmocka_unit_test(frame_finish__sends_the_other_zero),
		cmocka_unit_test(frame_finish__gives_a_port_the_pseudo_header),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
