/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an identity inside the window is settled if and only if it was set; outside of it nothing is taken.
 * Method: the edges by hand, over the wrap of 32 bits.
 */
#include "rudp/window.h"
#include "unit.h"

#define FIRST (UINT32_MAX - 100)

static void window_init__nothing_before_the_first(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, FIRST);
	assert_true(window_cover(&window, FIRST));
	assert_false(window_test(&window, FIRST));
	assert_false(window_is_old(&window, FIRST - 1));
	assert_true(window_test(&window, FIRST - 1));
}

static void window_cover__moves(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, FIRST);
	for (uint32_t number = FIRST; number != FIRST + 3 * WIRE_AGE_LIMIT; number++) {
		assert_true(window_cover(&window, number));
		assert_false(window_test(&window, number));
		window_set(&window, number);
		assert_true(window_test(&window, number));
	}
	assert_false(window_is_old(&window, window.next - WIRE_AGE_LIMIT));
	assert_true(window_is_old(&window, window.next - WIRE_AGE_LIMIT - 1));
	assert_true(window_cover(&window, window.next - WIRE_AGE_LIMIT));
	assert_false(window_cover(&window, window.next - WIRE_AGE_LIMIT - 1));
}

static void window_cover__jumps(void **state)
{
	struct window window;

	(void)state;
	window_init(&window, FIRST);
	assert_true(window_cover(&window, FIRST + WIRE_AGE_LIMIT - 1));
	assert_false(window_test(&window, FIRST));
	assert_false(window_test(&window, FIRST + WIRE_AGE_LIMIT - 1));
	/* No honest sender has so many numbers unsettled. */
	assert_false(window_cover(&window, window.next + WIRE_AGE_LIMIT));
	assert_false(window_cover(&window, window.next + (1u << 30)));
	assert_int_equal(window.next, FIRST + WIRE_AGE_LIMIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(window_init__nothing_before_the_first),
		cmocka_unit_test(window_cover__moves),
		cmocka_unit_test(window_cover__jumps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
