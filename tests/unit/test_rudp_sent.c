/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: numbers are in exactly one state, counts agree with bits, searching finds the first set bit in any range.
 * Method: by hand at the wrap of the ring and of 32 bits; the search against a walk.
 */
#include "rudp/sent.h"
#include "unit.h"

#define PACKETS 256u
#define FIRST   (UINT32_MAX - 10)

static void sent_add__flies_until_it_lands(void **state)
{
	struct sent sent;
	void *memory = aligned_alloc(64, (sent_bytes(PACKETS) + 63) & ~63u);

	(void)state;
	assert_non_null(memory);
	sent_init(&sent, memory, PACKETS, FIRST);
	assert_int_equal(sent_span(&sent), 0);
	for (uint32_t i = 0; i < PACKETS; i++)
		assert_int_equal(sent_add(&sent, 77)->sent_us, 77);
	assert_int_equal(sent_span(&sent), PACKETS);
	assert_int_equal(sent.in_flight, PACKETS);
	assert_true(sent_is_flying(&sent, FIRST));
	assert_false(sent_is_flying(&sent, FIRST - 1));
	assert_false(sent_is_flying(&sent, FIRST + PACKETS));
	sent_land(&sent, FIRST);
	assert_false(sent_is_flying(&sent, FIRST));
	sent_retire(&sent);
	assert_int_equal(sent_span(&sent), PACKETS - 1);
	free(memory);
}

static void sent_lose__remembers_until_the_record_is_used_again(void **state)
{
	struct sent sent;
	void *memory = aligned_alloc(64, (sent_bytes(PACKETS) + 63) & ~63u);

	(void)state;
	assert_non_null(memory);
	sent_init(&sent, memory, PACKETS, FIRST);
	sent_add(&sent, 0);
	sent_lose(&sent, FIRST);
	assert_int_equal(sent.lost_count, 1);
	assert_int_equal(sent.in_flight, 0);
	sent_again_set(&sent, FIRST);
	sent_again_set(&sent, FIRST);
	assert_int_equal(sent.again_count, 1);
	sent_again_clear(&sent, FIRST);
	sent_again_clear(&sent, FIRST);
	assert_int_equal(sent.again_count, 0);
	sent_retire(&sent);
	assert_int_equal(sent.lost_count, 1);
	for (uint32_t i = 0; i < PACKETS; i++)
		sent_add(&sent, 0);
	assert_int_equal(sent.lost_count, 0);
	free(memory);
}

static void sent_find__against_a_walk(void **state)
{
	struct sent sent;
	void *memory = aligned_alloc(64, (sent_bytes(PACKETS) + 63) & ~63u);
	uint64_t seed = unit_seed();

	(void)state;
	assert_non_null(memory);
	for (int round = 0; round < 2000; round++) {
		uint32_t density = 1 + (uint32_t)unit_random_below(&seed, 60);
		uint32_t from;
		uint32_t to;
		uint32_t expected;

		sent_init(&sent, memory, PACKETS, FIRST + (uint32_t)round);
		for (uint32_t i = 0; i < PACKETS; i++)
			sent_add(&sent, 0);
		for (uint32_t i = sent.tail; i != sent.next; i++) {
			if (unit_random_below(&seed, density) != 0)
				sent_land(&sent, i);
		}
		from = sent.tail + (uint32_t)unit_random_below(&seed, PACKETS);
		to = from + (uint32_t)unit_random_below(&seed, sent.next - from + 1);
		for (expected = from; expected != to && !sent_is_flying(&sent, expected);)
			expected++;
		assert_int_equal(sent_find(&sent, sent.flight, from, to), expected);
	}
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sent_add__flies_until_it_lands),
		cmocka_unit_test(sent_lose__remembers_until_the_record_is_used_again),
		cmocka_unit_test(sent_find__against_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
