/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: questions and answers about addresses are written as ARP and neighbour discovery have them and read back the same;
 * what is short, odd or impossible is refused, without a byte read beyond its end.
 * Method: each kind made and parsed; one field changed for each rule; every truncation in a heap block of that size.
 */
#include "drivers/udp/lookup.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>

static const uint8_t mac_a[FRAME_MAC_BYTES] = { 2, 0, 0, 0, 0, 0xa };
static const uint8_t mac_b[FRAME_MAC_BYTES] = { 2, 0, 0, 0, 0, 0xb };

static const struct frame_ip ip4_a = { 4, { 10, 0, 0, 1 } };
static const struct frame_ip ip4_b = { 4, { 10, 0, 0, 0xff } };
static const struct frame_ip ip6_a = { 6, { 0xfd, [14] = 0xaa, 0xbb } };
static const struct frame_ip ip6_b = { 6, { 0xfd, [13] = 0x11, 0x22, 0x33 } };

static struct lookup from_a(const struct frame_ip *sender, const struct frame_ip *target,
			    bool is_answer)
{
	struct lookup lookup = { .is_answer = is_answer, .sender = *sender, .target = *target };

	memcpy(lookup.sender_mac, mac_a, sizeof(mac_a));
	if (is_answer)
		memcpy(lookup.target_mac, mac_b, sizeof(mac_b));
	return lookup;
}

static void lookup_parse__takes_what_make_made(void **state)
{
	static const struct frame_ip *const ends[][2] = { { &ip4_a, &ip4_b }, { &ip6_a, &ip6_b } };
	uint8_t frame[LOOKUP_FRAME_BYTES_MAX];
	struct lookup back;

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct lookup lookup = from_a(ends[i / 2][0], ends[i / 2][1], i % 2 == 1);
		uint32_t bytes = lookup_make(&lookup, frame);

		assert_true(bytes >= FRAME_BYTES_MIN && bytes <= sizeof(frame));
		assert_true(lookup_parse(frame, bytes, &back));
		assert_int_equal(back.is_answer, lookup.is_answer);
		assert_memory_equal(&back.sender, &lookup.sender, sizeof(back.sender));
		assert_memory_equal(&back.target, &lookup.target, sizeof(back.target));
		assert_memory_equal(back.sender_mac, mac_a, sizeof(mac_a));
	}
}

static void lookup_make__asks_the_group_of_the_address(void **state)
{
	static const uint8_t mac[] = { 0x33, 0x33, 0xff, 0x11, 0x22, 0x33 };
	static const uint8_t group[] = { 0xff, 2, 0, 0, 0,    0,    0,    0,
					 0,    0, 0, 1, 0xff, 0x11, 0x22, 0x33 };
	struct lookup lookup = from_a(&ip6_a, &ip6_b, false);
	uint8_t frame[LOOKUP_FRAME_BYTES_MAX];

	(void)state;
	assert_int_equal(lookup_make(&lookup, frame), 86);
	assert_memory_equal(frame, mac, sizeof(mac));
	assert_memory_equal(frame + 38, group, sizeof(group));
	assert_int_equal(frame[21], 255); /* hops */
	assert_int_equal(frame[54], 135);
	assert_int_equal(frame[78], 1); /* the source's MAC follows */
}

static void lookup_make__announces_to_all_nodes(void **state)
{
	static const uint8_t mac[] = { 0x33, 0x33, 0, 0, 0, 1 };
	static const struct frame_ip nobody = { .family = 6 };
	struct lookup lookup = from_a(&ip6_a, &nobody, true);
	uint8_t frame[LOOKUP_FRAME_BYTES_MAX];
	struct lookup back;

	(void)state;
	lookup_make(&lookup, frame);
	assert_memory_equal(frame, mac, sizeof(mac));
	assert_int_equal(frame[58], 0x20); /* override, not solicited */
	assert_true(lookup_parse(frame, 86, &back));
	assert_true(back.is_final);
	assert_true(lookup_is_nobody(&back.target));
	frame[58] |= 0x40; /* solicited, but to a group */
	assert_false(lookup_parse(frame, 86, &back));
}

static void lookup_parse__answers_who_has_no_address_yet(void **state)
{
	struct lookup lookup = from_a(&ip6_a, &ip6_b, false);
	uint8_t frame[LOOKUP_FRAME_BYTES_MAX];
	struct lookup back;

	(void)state;
	lookup_make(&lookup, frame);
	memset(frame + 22, 0, 16);
	assert_false(lookup_parse(frame, 86, &back)); /* must not tell a MAC */
	frame[19] = 24;                               /* the option is gone */
	assert_true(lookup_parse(frame, 78, &back));
	assert_true(lookup_is_nobody(&back.sender));
	assert_memory_equal(back.sender_mac, mac_a, sizeof(mac_a));
}

static void lookup_parse__refuses_odd_discovery(void **state)
{
	static const struct {
		uint8_t offset;
		uint8_t value;
	} faults[] = {
		{ 13, 0 },    { 19, 23 }, { 19, 33 }, { 54, 134 },
		{ 62, 0xff }, { 79, 0 },  { 79, 2 },  { 80, 1 },
	};
	struct lookup lookup = from_a(&ip6_a, &ip6_b, true);
	uint8_t frame[LOOKUP_FRAME_BYTES_MAX];
	struct lookup back;

	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		lookup_make(&lookup, frame);
		assert_true(lookup_parse(frame, 86, &back));
		frame[faults[i].offset] = faults[i].value;
		assert_false(lookup_parse(frame, 86, &back));
	}
	lookup_make(&lookup, frame);
	frame[78] = 1; /* an answer without the target's MAC */
	assert_false(lookup_parse(frame, 86, &back));
}

static void lookup_parse__refuses_every_truncation(void **state)
{
	struct lookup six = from_a(&ip6_a, &ip6_b, true);
	struct lookup four = from_a(&ip4_a, &ip4_b, true);
	uint8_t frame[LOOKUP_FRAME_BYTES_MAX];
	struct lookup back;

	(void)state;
	for (size_t bytes = 0; bytes < 86; bytes++) {
		uint8_t *block = malloc(bytes + 1);

		lookup_make(&six, frame);
		memcpy(block + 1, frame, bytes);
		assert_false(lookup_parse(block + 1, bytes, &back));
		lookup_make(&four, frame);
		memcpy(block + 1, frame, bytes);
		assert_int_equal(lookup_parse(block + 1, bytes, &back), bytes >= 42);
		free(block);
	}
}

static void lookup_parse__refuses_odd_arp(void **state)
{
	static const uint8_t offsets[] = { 12, 15, 17, 18, 19, 20, 21 };
	struct lookup lookup = from_a(&ip4_a, &ip4_b, false);
	uint8_t good[LOOKUP_FRAME_BYTES_MAX];
	struct lookup back;

	(void)state;
	assert_int_equal(lookup_make(&lookup, good), FRAME_BYTES_MIN);
	assert_int_equal(good[0], 0xff); /* a question to everybody */
	for (size_t i = 0; i < sizeof(offsets); i++) {
		uint8_t frame[FRAME_BYTES_MIN];

		memcpy(frame, good, sizeof(frame));
		frame[offsets[i]] ^= 0x44;
		assert_false(lookup_parse(frame, sizeof(frame), &back));
	}
	good[22] |= 1; /* a group is no sender */
	assert_false(lookup_parse(good, FRAME_BYTES_MIN, &back));
	memset(good + 22, 0, FRAME_MAC_BYTES);
	assert_false(lookup_parse(good, FRAME_BYTES_MIN, &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lookup_parse__takes_what_make_made),
		cmocka_unit_test(lookup_make__asks_the_group_of_the_address),
		cmocka_unit_test(lookup_make__announces_to_all_nodes),
		cmocka_unit_test(lookup_parse__answers_who_has_no_address_yet),
		cmocka_unit_test(lookup_parse__refuses_odd_discovery),
		cmocka_unit_test(lookup_parse__refuses_every_truncation),
		cmocka_unit_test(lookup_parse__refuses_odd_arp),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
