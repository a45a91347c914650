/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an address of a port is taken only as an address with its prefix, and only one that a port can have; the table
 * refuses two ports of one name, and stands in the shipped file.
 * Method: strings, good and odd, given to the functions that the loader calls.
 */
#include "drivers/udp/conf.h"
#include "rudp/cc.h"
#include "unit.h"

static void udp_conf_address__reads_address_and_prefix(void **state)
{
	struct frame_ip ip;
	uint32_t prefix;

	(void)state;
	assert_true(udp_conf_address("10.1.2.3/24", 4, &ip, &prefix));
	assert_int_equal(ip.family, 4);
	assert_memory_equal(ip.bytes, "\x0a\x01\x02\x03\0\0\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(prefix, 24);
	assert_true(udp_conf_address("192.168.255.255/32", 4, &ip, &prefix));
	assert_int_equal(prefix, 32);
	assert_true(udp_conf_address("fd12::3/128", 6, &ip, &prefix));
	assert_int_equal(ip.family, 6);
	assert_memory_equal(ip.bytes, "\xfd\x12\0\0\0\0\0\0\0\0\0\0\0\0\0\x03", 16);
	assert_int_equal(prefix, 128);
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
	static const char *const texts6[] = {
		"",       "fd00::1",    "fd00::1/0",  "fd00::1/129",        "::/64",
		"::1/64", "fe80::1/64", "ff02::1/64", "::ffff:10.0.0.1/96", "10.0.0.1/24",
	};
	struct frame_ip ip;
	uint32_t prefix;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(udp_conf_address(texts[i], 4, &ip, &prefix));
	for (size_t i = 0; i < sizeof(texts6) / sizeof(texts6[0]); i++)
		assert_false(udp_conf_address(texts6[i], 6, &ip, &prefix));
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

static void udp_conf_cc__by_name_or_wire(void **state)
{
	struct udp_conf conf;

	(void)state;
	conf_defaults(&udp_conf_table, &conf);
	assert_ptr_equal(udp_conf_cc(&conf, true), &cc_fixed);
	assert_ptr_equal(udp_conf_cc(&conf, false), &cc_swift);
	conf.congestion = UDP_CONGESTION_NEWRENO;
	assert_ptr_equal(udp_conf_cc(&conf, true), &cc_newreno);
	assert_ptr_equal(udp_conf_cc(&conf, false), &cc_newreno);
	conf.congestion = UDP_CONGESTION_FIXED;
	assert_ptr_equal(udp_conf_cc(&conf, false), &cc_fixed);
	conf.congestion = UDP_CONGESTION_SWIFT;
	assert_ptr_equal(udp_conf_cc(&conf, true), &cc_swift);
}

static const struct conf_table *port_table(void)
{
	for (unsigned int i = 0; i < udp_conf_table.key_count; i++) {
		if (strcmp(udp_conf_table.keys[i].path, "ports") == 0)
			return udp_conf_table.keys[i].element;
	}
	return NULL;
}

static void udp_conf_table__refuses_damage_that_nobody_would_see(void **state)
{
	static struct udp_conf conf;
	struct udp_port_conf *port = &conf.ports[0];

	(void)state;
	assert_non_null(port_table());
	conf_defaults(&udp_conf_table, &conf);
	conf_defaults(port_table(), port);
	conf.port_count = 1;
	assert_non_null(port_table()->check(port)); /* no address */
	strcpy(port->address, "10.0.0.1/24");
	assert_null(port_table()->check(port));
	assert_null(udp_conf_table.check(&conf));
	strcpy(port->impair, "drop=1,corrupt=1");
	assert_non_null(udp_conf_table.check(&conf));
	port->checksum = UDP_CHECKSUM_ALWAYS;
	assert_null(udp_conf_table.check(&conf));
	port->checksum = UDP_CHECKSUM_NEVER;
	assert_non_null(udp_conf_table.check(&conf));
	conf.payload_crc = UDP_CRC_ALWAYS;
	assert_null(udp_conf_table.check(&conf));
}

/* A line of the shipped file's group; without its sign. */
static const char *without_sign(char *line)
{
	assert_int_equal(line[0], '#');
	return line + (line[1] == ' ' ? 2 : 1);
}

/* So that a build without this transport reads it too. */
static void udp_conf_table__stands_in_the_shipped_file_as_comments(void **state)
{
	struct conf_section section = { &udp_conf_table, NULL };
	FILE *shipped = fopen(CONF_DIRECTORY "/dataplane.conf", "r");
	FILE *printed = tmpfile();
	char expected[1024];
	char line[1024];

	(void)state;
	assert_non_null(shipped);
	assert_non_null(printed);
	conf_print(printed, &section, 1);
	rewind(printed);
	do {
		assert_non_null(fgets(line, sizeof(line), shipped));
	} while (strcmp(line, "# udp = {\n") != 0);
	do {
		assert_non_null(fgets(expected, sizeof(expected), printed));
	} while (strcmp(expected, "udp = {\n") != 0);
	do {
		assert_string_equal(without_sign(line), expected);
		assert_int_equal(fgets(expected, sizeof(expected), printed) == NULL,
				 fgets(line, sizeof(line), shipped) == NULL);
	} while (!feof(printed));
	fclose(shipped);
	fclose(printed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(udp_conf_address__reads_address_and_prefix),
		cmocka_unit_test(udp_conf_address__refuses_what_is_none),
		cmocka_unit_test(udp_conf_table__refuses_a_name_twice),
		cmocka_unit_test(udp_conf_table__stands_in_the_shipped_file_as_comments),
		cmocka_unit_test(udp_conf_table__refuses_damage_that_nobody_would_see),
		cmocka_unit_test(udp_conf_cc__by_name_or_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
