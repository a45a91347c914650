/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a number gives the key that was added with it, for as long as it is there. Method: random additions and removals
 * beside a plain table of what should be there.
 */
#include "engine/keyring.h"
#include "unit.h"

#define NUMBERS 64u

static void key_make(uint32_t number, uint8_t key[HAUL_KEY_BYTES])
{
	for (unsigned int i = 0; i < HAUL_KEY_BYTES; i++)
		key[i] = (uint8_t)(number * 31 + i);
}

static void keyring_find__has_what_was_added(void **state)
{
	uint64_t seed = unit_seed();
	bool is_there[NUMBERS + 1] = { false };
	uint8_t key[HAUL_KEY_BYTES];
	struct keyring keyring;

	(void)state;
	assert_int_equal(keyring_init(&keyring, NUMBERS), 0);
	assert_null(keyring_find(&keyring, 1));
	for (unsigned int round = 0; round < 5000; round++) {
		uint32_t number = 1 + (uint32_t)unit_random_below(&seed, NUMBERS);

		key_make(number, key);
		if (is_there[number])
			keyring_remove(&keyring, number);
		else
			keyring_add(&keyring, number, key);
		is_there[number] = !is_there[number];
		for (uint32_t i = 1; i <= NUMBERS; i++) {
			const uint8_t *found = keyring_find(&keyring, i);

			assert_int_equal(found != NULL, is_there[i]);
			key_make(i, key);
			if (found != NULL)
				assert_memory_equal(found, key, sizeof(key));
		}
	}
	keyring_destroy(&keyring);
}

static void keyring_remove__what_is_not_there(void **state)
{
	struct keyring keyring;
	uint8_t key[HAUL_KEY_BYTES];

	(void)state;
	assert_int_equal(keyring_init(&keyring, NUMBERS), 0);
	keyring_remove(&keyring, 5);
	key_make(7, key);
	keyring_add(&keyring, 7, key);
	keyring_remove(&keyring, 5);
	keyring_remove(&keyring, 9);
	assert_non_null(keyring_find(&keyring, 7));
	keyring_destroy(&keyring);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keyring_find__has_what_was_added),
		cmocka_unit_test(keyring_remove__what_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
