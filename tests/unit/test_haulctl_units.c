/* SPDX-License-Identifier: BSD-3-Clause */
/* Goal: numbers are short, have the right unit, and never print as 1000.0 of one. Method: values at the edges. */
#include "tools/haulctl/units.h"
#include "unit.h"

static char text[UNITS_BYTES];

static void units_of_bytes__edges(void **state)
{
	(void)state;
	assert_string_equal(units_of_bytes(0, text), "0 B");
	assert_string_equal(units_of_bytes(1023, text), "1023 B");
	assert_string_equal(units_of_bytes(1024, text), "1.0 KiB");
	assert_string_equal(units_of_bytes(1048575, text), "1.0 MiB");
	assert_string_equal(units_of_bytes(UINT64_C(3) << 29, text), "1.5 GiB");
	assert_string_equal(units_of_bytes(UINT64_MAX, text), "16.0 EiB");
}

static void units_of_ms__edges(void **state)
{
	(void)state;
	assert_string_equal(units_of_ms(0, text), "0 ms");
	assert_string_equal(units_of_ms(999, text), "999 ms");
	assert_string_equal(units_of_ms(1200, text), "1.2 s");
	assert_string_equal(units_of_ms(59999, text), "1.0 min");
	assert_string_equal(units_of_ms(3600000, text), "1.0 h");
	assert_string_equal(units_of_ms(47 * 3600000, text), "47.0 h");
	assert_string_equal(units_of_ms(UINT64_C(48) * 3600000, text), "2.0 d");
}

static void units_of_us__edges(void **state)
{
	(void)state;
	assert_string_equal(units_of_us(85, text), "85 us");
	assert_string_equal(units_of_us(1200, text), "1.2 ms");
	assert_string_equal(units_of_us(999999, text), "1.0 s");
	assert_string_equal(units_of_us(90000000, text), "1.5 min");
}

static void units_of_rate__edges(void **state)
{
	(void)state;
	assert_string_equal(units_of_rate(0, "packets", text), "0");
	assert_string_equal(units_of_rate(0.5, "packets", text), "0.5");
	assert_string_equal(units_of_rate(999.99, "packets", text), "1.0 k");
	assert_string_equal(units_of_rate(2.5e6, "packets", text), "2.5 M");
	assert_string_equal(units_of_rate(1048576, "bytes", text), "1.0 MiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_of_bytes__edges),
		cmocka_unit_test(units_of_ms__edges),
		cmocka_unit_test(units_of_us__edges),
		cmocka_unit_test(units_of_rate__edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
