/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: all ways give the checksum of RFC 3720, for every length, alignment and split.
 * Method: its vectors, then random bytes through all ways.
 */
#include "base/crc32c.h"
#include "unit.h"

#include <string.h>

static void crc32c__vectors(void **state)
{
	uint8_t bytes[32];

	(void)state;
	memset(bytes, 0, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x8a9136aa);
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(crc32c(0, bytes, sizeof(bytes)), 0x62a8ab43);
	assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c_portable(0, "123456789", 9), 0xe3069283);
	assert_int_equal(crc32c(0, NULL, 0), 0);
}

static void crc32c__same_as_portable(void **state)
{
	uint64_t seed = unit_seed();
	uint8_t bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)unit_random(&seed);
	for (size_t start = 0; start < 9; start++) {
		for (size_t length = 0; start + length <= sizeof(bytes); length++) {
			assert_int_equal(crc32c(0, bytes + start, length),
					 crc32c_portable(0, bytes + start, length));
		}
	}
}

/* Lengths on both sides of where a further strand, a longer one and a further round begin, each way. */
static void crc32c__long_ones(void **state)
{
	static uint8_t bytes[10000];
	uint64_t seed = unit_seed();

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)unit_random(&seed);
	for (size_t length = 180; length <= sizeof(bytes) - 8;
	     length += 1 + (size_t)(unit_random(&seed) % 40)) {
		size_t start = (size_t)(unit_random(&seed) % 8);
		uint32_t before = (uint32_t)unit_random(&seed);

		assert_int_equal(crc32c(before, bytes + start, length),
				 crc32c_portable(before, bytes + start, length));
		assert_int_equal(crc32c_narrow(before, bytes + start, length),
				 crc32c_portable(before, bytes + start, length));
	}
}

static void crc32c__in_two_parts(void **state)
{
	uint8_t bytes[100];

	(void)state;
	memset(bytes, 0x5a, sizeof(bytes));
	for (size_t cut = 0; cut <= sizeof(bytes); cut++) {
		uint32_t first = crc32c(0, bytes, cut);

		assert_int_equal(crc32c(first, bytes + cut, sizeof(bytes) - cut),
				 crc32c(0, bytes, sizeof(bytes)));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(crc32c__vectors),
		cmocka_unit_test(crc32c__same_as_portable),
		cmocka_unit_test(crc32c__long_ones),
		cmocka_unit_test(crc32c__in_two_parts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
