/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: address rows come back as they were written, and nothing else is an address. Method: one row of each family,
 * then one byte after the other is spoilt.
 */
#include "api/haul_abi.h"
#include "base/descriptor.h"
#include "controlplane/model/address.h"
#include "unit.h"

static struct haul_address address_four(void)
{
	struct haul_address address = { .transport = HAUL_TRANSPORT_UDP,
					.family = 4,
					.port = 4791 };

	address.ip[0] = 10;
	address.ip[3] = 9;
	return address;
}

static void address_rows__come_back(void **state)
{
	struct haul_address in[2] = { address_four(), address_four() },
			    out[HAUL_DESCRIPTOR_ADDRESSES_MAX];
	char rows[ADDRESS_ROWS_BYTES];
	unsigned int count = 0;
	struct text text = { rows, 0 };

	(void)state;
	in[1].family = 6;
	in[1].ip[15] = 1;
	text.length = address_rows_format(in, 2, rows);
	assert_int_equal(text.length, 2 * ADDRESS_ROW_BYTES);
	assert_true(address_rows_parse(text, out, &count));
	assert_int_equal(count, 2);
	assert_memory_equal(in, out, sizeof(in));
}

static void address_rows__refuse_every_spoilt_byte(void **state)
{
	struct haul_address in = address_four(), out[HAUL_DESCRIPTOR_ADDRESSES_MAX];
	char rows[ADDRESS_ROWS_BYTES];
	unsigned int count = 0;
	struct text text = { rows, 0 };

	(void)state;
	text.length = address_rows_format(&in, 1, rows);
	for (size_t i = 0; i < text.length; i++) {
		char good = rows[i];

		rows[i] = 'X';
		assert_false(address_rows_parse(text, out, &count));
		rows[i] = good;
	}
	assert_true(address_rows_parse(text, out, &count));
	text.length--;
	assert_false(address_rows_parse(text, out, &count));
	text.length = 0;
	assert_false(address_rows_parse(text, out, &count));
}

static void address_is_valid__knows_families_and_transports(void **state)
{
	struct haul_address address = address_four();

	(void)state;
	assert_true(address_is_valid(&address));
	address.ip[4] = 1;
	assert_false(address_is_valid(&address));
	address.family = 6;
	assert_true(address_is_valid(&address));
	address.family = 5;
	assert_false(address_is_valid(&address));
	address.family = 6;
	address.reserved = 1;
	assert_false(address_is_valid(&address));
	address.reserved = 0;
	address.transport = HAUL_TRANSPORT_TCP + 1;
	assert_false(address_is_valid(&address));
}

static void address_words__read_well(void **state)
{
	struct haul_address address = address_four();
	char words[ADDRESS_WORDS_BYTES];

	(void)state;
	address_words(&address, words);
	assert_string_equal(words, "udp 10.0.0.9:4791");
	memset(address.ip, 0, sizeof(address.ip));
	address.ip[15] = 1;
	address.family = 6;
	address_words(&address, words);
	assert_string_equal(words, "udp [::1]:4791");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(address_is_valid__knows_families_and_transports),
		cmocka_unit_test(address_rows__come_back),
		cmocka_unit_test(address_rows__refuse_every_spoilt_byte),
		cmocka_unit_test(address_words__read_well),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
