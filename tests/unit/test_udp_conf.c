/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an address of a port is taken only as an address with its prefix, and only one that a port can have; the table
 * refuses two ports of one name.
 * Method: strings, good and odd, given to the functions that the loader calls.
 */
#include "drivers/udp/conf.h"
#include "unit.h"

static void udp_conf_address__reads_address_and_prefix(void **state)
{
	uint32_t address;
	uint32_t mask;

	(void)state;
	assert_true(udp_conf_address("10.1.2.3/24", &address, &mask));
	assert_int_equal(address, 0x0a010203);
	assert_int_equal(mask, 0xffffff00);
	assert_true(udp_conf_address("192.168.255.255/32", &address, &mask));
	assert_int_equal(mask, 0xffffffff);
	assert_true(udp_conf_address("10.0.0.1/1", &address, &mask));
	assert_int_equal(mask, 0x80000000);
}

static void udp_conf_address__refuses_what_is_none(void **state)
{
	static const char *const texts[] = {
		"",
		"10.0.0.1",
		"10.0.0.1/",
		"10.0.0.1/0",
		"10.0.0.1/33",
		"10.0.0.1/-",
		"10.0.0.1/+8",
		"10.0.0.1/8x",
		"10.0.0/8",
		"10.0.0.256/8",
		"/8",
		"::1/64",
		"0.0.0.0/8",
		"127.0.0.1/8",
		"224.0.0.1/8",
		"255.255.255.255/32",
		"10.0.0.1/8 and much more than an address",
	};
	uint32_t address;
	uint32_t mask;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(udp_conf_address(texts[i], &address, &mask));
}

static void udp_conf_table__refuses_a_name_twice(void **state)
{
	static struct udp_conf conf;

	(void)state;
	conf_defaults(&udp_conf_table, &conf);
	assert_int_equal(conf.port_count, 0);
	assert_int_equal(conf.udp_port, UDP_PORT_DEFAULT);
	assert_null(udp_conf_table.check(&conf));
	conf.port_count = 2;
	strcpy(conf.ports[0].name, "wire");
	strcpy(conf.ports[1].name, "wires");
	assert_null(udp_conf_table.check(&conf));
	strcpy(conf.ports[1].name, "wire");
	assert_non_null(udp_conf_table.check(&conf));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_conf_address__reads_address_and_prefix),
		cmocka_unit_test(udp_conf_address__refuses_what_is_none),
		cmocka_unit_test(udp_conf_table__refuses_a_name_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
