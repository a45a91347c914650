/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: every object goes out once, comes back, and keeps its number.
 * Method: drain and refill; indexes against addresses; refused sizes.
 */
#include "base/pool.h"
#include "unit.h"

#include <errno.h>
#include <string.h>

static void pool_init__refuses(void **state)
{
	struct pool pool;

	(void)state;
	assert_int_equal(pool_init(&pool, 0, 4), -EINVAL);
	assert_int_equal(pool_init(&pool, 8, 0), -EINVAL);
	assert_int_equal(pool_init(&pool, UINT32_MAX, 1), -EINVAL);
	pool_destroy(&pool);
	pool_destroy(NULL);
}

static void pool_get__until_empty_and_back(void **state)
{
	void *objects[5];
	struct pool pool;

	(void)state;
	assert_int_equal(pool_init(&pool, 40, 5), 0);
	assert_int_equal(pool_free_count(&pool), 5);
	for (int i = 0; i < 5; i++) {
		objects[i] = pool_get(&pool);
		assert_non_null(objects[i]);
		memset(objects[i], i, 40);
	}
	assert_null(pool_get(&pool));
	for (int i = 0; i < 5; i++) {
		const uint8_t *bytes = objects[i];

		assert_int_equal(bytes[0], i);
		assert_int_equal(bytes[39], i);
		pool_put(&pool, objects[i]);
	}
	assert_int_equal(pool_free_count(&pool), 5);
	/* What came back last is still warm and goes out first, as it was left. */
	assert_ptr_equal(pool_get(&pool), objects[4]);
	assert_int_equal(*(const uint8_t *)objects[4], 4);
	pool_destroy(&pool);
}

static void pool_index__is_the_inverse_of_at(void **state)
{
	struct pool pool;

	(void)state;
	assert_int_equal(pool_init(&pool, 100, 7), 0);
	for (uint32_t i = 0; i < 7; i++) {
		assert_int_equal(pool_index(&pool, pool_at(&pool, i)), i);
		assert_int_equal((uintptr_t)pool_at(&pool, i) % 64, 0);
	}
	pool_destroy(&pool);
}

static void pool_owns__only_starts_of_objects(void **state)
{
	struct pool pool;
	char outside;

	(void)state;
	assert_int_equal(pool_init(&pool, 64, 2), 0);
	assert_true(pool_owns(&pool, pool_at(&pool, 1)));
	assert_false(pool_owns(&pool, (char *)pool_at(&pool, 1) + 1));
	assert_false(pool_owns(&pool, (char *)pool_at(&pool, 1) + 64));
	assert_false(pool_owns(&pool, &outside));
	assert_false(pool_owns(&pool, NULL));
	pool_destroy(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pool_init__refuses),
		cmocka_unit_test(pool_get__until_empty_and_back),
		cmocka_unit_test(pool_index__is_the_inverse_of_at),
		cmocka_unit_test(pool_owns__only_starts_of_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
