/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: ranges never overlap, each is found by what it covers, and free room is found where there is some.
 * Method: cases at the edges, and random takes and gives against a plain map of bytes.
 */
#include "base/check.h"
#include "control/space.h"
#include "unit.h"

#include <stdbool.h>

#define BYTES 64u

static void take(struct space *space, uint64_t offset, uint64_t bytes, void *holder)
{
	const struct space_range range = { .offset = offset, .bytes = bytes, .holder = holder };
	void *before;

	assert_int_equal(space_take(space, &range, &before), 0);
}

static void space_overlap__finds_the_first_that_shares_a_byte(void **state)
{
	struct space space = { .bytes = 100 };
	char holders[2];

	(void)state;
	assert_null(space_overlap(&space, 0, 100));
	take(&space, 10, 10, &holders[0]);
	take(&space, 20, 10, &holders[1]);
	assert_null(space_overlap(&space, 0, 10));
	assert_null(space_overlap(&space, 30, 70));
	assert_ptr_equal(space_overlap(&space, 0, 11)->holder, &holders[0]);
	assert_ptr_equal(space_overlap(&space, 0, 100)->holder, &holders[0]);
	assert_ptr_equal(space_overlap(&space, 19, 1)->holder, &holders[0]);
	assert_ptr_equal(space_overlap(&space, 20, 1)->holder, &holders[1]);
	assert_ptr_equal(space_overlap(&space, 29, 71)->holder, &holders[1]);
	space_give(&space, 10);
	assert_null(space_overlap(&space, 0, 20));
	space_give(&space, 20);
	space_destroy(&space);
}

static void space_find__lowest_that_is_large_enough(void **state)
{
	struct space space = { .bytes = 64 };

	(void)state;
	assert_int_equal(space_find(&space, 64, 8), 0);
	assert_int_equal(space_find(&space, 65, 8), SPACE_NOWHERE);
	take(&space, 0, 9, NULL);
	take(&space, 32, 8, NULL);
	assert_int_equal(space_find(&space, 16, 8), 16);
	assert_int_equal(space_find(&space, 17, 8), 40);
	assert_int_equal(space_find(&space, 17, 1), 9);
	assert_int_equal(space_find(&space, 25, 8), SPACE_NOWHERE);
	take(&space, 40, 24, NULL);
	assert_int_equal(space_find(&space, 17, 8), SPACE_NOWHERE);
	space_give(&space, 0);
	space_give(&space, 32);
	space_give(&space, 40);
	space_destroy(&space);
}

static void space_take__tells_the_one_before(void **state)
{
	struct space space = { .bytes = 64 };
	struct space_range range = { .offset = 20, .bytes = 4 };
	char holder;
	void *before = &space;

	(void)state;
	assert_int_equal(space_take(&space, &range, &before), 0);
	assert_null(before);
	take(&space, 8, 4, &holder);
	range.offset = 16;
	assert_int_equal(space_take(&space, &range, &before), 0);
	assert_ptr_equal(before, &holder);
	space_give(&space, 8);
	space_give(&space, 16);
	space_give(&space, 20);
	space_destroy(&space);
}

static bool is_free(const uint32_t *map, uint64_t offset, uint64_t bytes)
{
	for (uint64_t i = offset; i < offset + bytes; i++) {
		if (map[i] != 0)
			return false;
	}
	return true;
}

/* The lowest free place by the map. */
static uint64_t map_find(const uint32_t *map, uint64_t bytes)
{
	for (uint64_t offset = 0; offset + bytes <= BYTES; offset++) {
		if (is_free(map, offset, bytes))
			return offset;
	}
	return SPACE_NOWHERE;
}

static void space__as_a_map_of_bytes(void **state)
{
	uint64_t seed = unit_seed();
	struct space space = { .bytes = BYTES };
	uint32_t map[BYTES] = { 0 };

	(void)state;
	for (int step = 0; step < 20000; step++) {
		uint64_t offset = unit_random(&seed) % BYTES;
		uint64_t bytes = 1 + unit_random(&seed) % MIN(BYTES - offset, 12u);

		assert_int_equal(space_find(&space, bytes, 1), map_find(map, bytes));
		assert_int_equal(space_overlap(&space, offset, bytes) == NULL,
				 is_free(map, offset, bytes));
		if (is_free(map, offset, bytes)) {
			take(&space, offset, bytes, NULL);
			for (uint64_t i = offset; i < offset + bytes; i++)
				map[i] = (uint32_t)offset + 1;
		} else if (unit_random(&seed) % 2 == 0 && map[offset] != 0) {
			uint32_t owner = map[offset];

			space_give(&space, owner - 1);
			for (uint64_t i = 0; i < BYTES; i++)
				map[i] = map[i] == owner ? 0 : map[i];
		}
	}
	while (space.count > 0)
		space_give(&space, space.ranges[0].offset);
	space_destroy(&space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(space_overlap__finds_the_first_that_shares_a_byte),
		cmocka_unit_test(space_find__lowest_that_is_large_enough),
		cmocka_unit_test(space_take__tells_the_one_before),
		cmocka_unit_test(space__as_a_map_of_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
