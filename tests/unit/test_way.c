/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: every pair of a port and an address of a peer on its link has a way, the most different ones first; each rail
 * and each attempt has a UDP port of its own within the range.
 * Method: made-up ports and peers; nothing is opened.
 */
#include "base/check.h"
#include "drivers/udp/conf.h"
#include "drivers/udp/way.h"
#include "unit.h"

#include <arpa/inet.h>

#define ADDRESSES 6

static struct port ports[PORTS_MAX];
static struct haul_address addresses[ADDRESSES];
static struct way_ports mine;
static struct transport_peer peer;

static int set_up(void **state)
{
	(void)state;
	memset(ports, 0, sizeof(ports));
	memset(addresses, 0, sizeof(addresses));
	mine = (struct way_ports){ .ports = ports, .connections = 1 };
	peer = (struct transport_peer){ .node = "b", .addresses = addresses };
	return 0;
}

static void add_port(const char *address, const char *address6)
{
	struct port *port = &ports[mine.count++];

	if (address != NULL)
		assert_true(udp_conf_address(address, 4, &port->addresses[PORT_IPV4].ip,
					     &port->addresses[PORT_IPV4].prefix));
	if (address6 != NULL)
		assert_true(udp_conf_address(address6, 6, &port->addresses[PORT_IPV6].ip,
					     &port->addresses[PORT_IPV6].prefix));
}

static void add_address(const char *text)
{
	struct haul_address *address = &addresses[peer.address_count++];

	address->transport = HAUL_TRANSPORT_UDP;
	address->family = strchr(text, ':') != NULL ? 6 : 4;
	assert_int_equal(inet_pton(address->family == 6 ? AF_INET6 : AF_INET, text, address->ip),
			 1);
}

/* Ways as "port-address" by index, separated by spaces. */
static const char *ways(void)
{
	static char text[256];
	struct way way;
	size_t at = 0;

	text[0] = '\0';
	for (uint32_t i = 0; way_find(&mine, &peer, i, &way); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, i == 0 ? "%u-%u" : " %u-%u",
				       way.port, (uint32_t)(way.address - addresses));
	return text;
}

static void way_find__one_pair(void **state)
{
	struct way way;

	(void)state;
	assert_string_equal(ways(), ""); /* neither ports nor addresses */
	add_port("10.0.0.1/24", NULL);
	assert_string_equal(ways(), "");
	add_address("10.0.1.2"); /* on no port's link */
	assert_string_equal(ways(), "");
	add_address("10.0.0.2");
	assert_string_equal(ways(), "0-1");
	assert_false(way_find(&mine, &peer, UINT32_MAX, &way));
	assert_int_equal(way_count(&mine, &peer, 4), 1);
	addresses[1].transport = HAUL_TRANSPORT_TCP;
	assert_string_equal(ways(), "");
}

static void way_find__each_with_each_and_the_different_first(void **state)
{
	(void)state;
	add_port("10.0.0.1/24", NULL);
	add_port("10.0.0.3/24", NULL);
	add_address("10.0.0.2");
	add_address("10.0.0.4");
	assert_string_equal(ways(), "0-0 1-1 0-1 1-0");
	add_address("10.0.0.6");
	assert_string_equal(ways(), "0-0 1-1 0-1 1-2 0-2 1-0");
	assert_int_equal(way_count(&mine, &peer, 4), 4);
}

static void way_find__by_links(void **state)
{
	(void)state;
	add_port("10.0.0.1/24", NULL);
	add_port("10.0.7.1/24", NULL); /* leads nowhere */
	add_port("10.0.1.1/24", NULL);
	add_address("10.0.1.2");
	add_address("10.0.0.2");
	assert_string_equal(ways(), "0-1 2-0");
}

static void way_find__more_ports_at_one_end(void **state)
{
	(void)state;
	add_port("10.0.0.1/24", NULL);
	add_address("10.0.0.2");
	add_address("10.0.0.4");
	assert_string_equal(ways(), "0-0 0-1");
	add_port("10.0.0.3/24", NULL);
	peer.address_count = 1;
	assert_string_equal(ways(), "0-0 1-0");
}

/* A second family is no other way: it is the same ports and wires. */
static void way_find__one_family_a_port(void **state)
{
	(void)state;
	add_port("10.0.0.1/24", "fd00::1/64");
	add_port(NULL, "fd00::3/64");
	add_address("10.0.0.2");
	add_address("fd00::2");
	add_address("fd00::4");
	assert_string_equal(ways(), "0-0 1-2 1-1");
	addresses[0] = addresses[2]; /* a peer that names IPv6 first */
	assert_string_equal(ways(), "0-0 1-1 0-1 1-2 0-2 1-0");
}

static void way_find__connections_come_after_the_pairs(void **state)
{
	(void)state;
	add_port("10.0.0.1/24", NULL);
	add_port("10.0.1.1/24", NULL);
	add_address("10.0.0.2");
	add_address("10.0.1.2");
	mine.connections = 2;
	assert_string_equal(ways(), "0-0 1-1 0-0 1-1");
	mine.connections = UDP_PAIR_CONNECTIONS_MAX;
	assert_int_equal(way_count(&mine, &peer, 4), 4);
	assert_int_equal(way_count(&mine, &peer, 100), 8);
}

static void way_source_port__is_in_the_range_and_changes(void **state)
{
	uint32_t seen = 0;
	uint8_t taken[UDP_SOURCE_PORTS] = { 0 };

	(void)state;
	for (uint32_t attempt = 0; attempt < UDP_SOURCE_PORTS; attempt++) {
		uint16_t port = way_source_port(7471, 0, 0, attempt);

		assert_in_range(port, 7472, 7471 + UDP_SOURCE_PORTS);
		seen += taken[port - 7472]++ == 0;
	}
	assert_int_equal(seen, UDP_SOURCE_PORTS);
	assert_in_range(way_source_port(UDP_PORT_MOST, 63, 3, UINT32_MAX), UDP_PORT_MOST + 1,
			UINT16_MAX);
	memset(taken, 0, sizeof(taken));
	for (uint32_t i = 0; i < 64; i++) {
		uint16_t port = way_source_port(7471, i / 4, i % 4, 0);

		assert_int_equal(taken[port - 7472]++, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup(name, set_up)
		CASE(way_find__one_pair),
		CASE(way_find__each_with_each_and_the_different_first),
		CASE(way_find__by_links),
		CASE(way_find__more_ports_at_one_end),
		CASE(way_find__one_family_a_port),
		CASE(way_find__connections_come_after_the_pairs),
		CASE(way_source_port__is_in_the_range_and_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
