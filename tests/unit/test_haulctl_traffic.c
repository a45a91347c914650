/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: rates are what counters grew by over the time, of the same row; what begins anew counts from zero; and tables say
 * so in units that people read. Method: two looks by hand, the object and the text compared.
 */
#include "tools/haulctl/traffic.h"
#include "unit.h"

#include <jansson.h>

static struct traffic_look look(uint64_t at_us, const char *stats, const char *channels,
				const char *peers, const char *transports)
{
	struct traffic_look made = {
		.stats = json_loads(stats, 0, NULL),
		.channels = json_loads(channels, 0, NULL),
		.peers = json_loads(peers, 0, NULL),
		.transports = json_loads(transports, 0, NULL),
		.at_us = at_us,
	};

	return made;
}

static json_t *traffic;

static int setup(void **state)
{
	struct traffic_look before = look(
		1000000,
		"{\"workers\": [{\"worker\": 0, \"rounds\": \"100\", \"busy_us\": \"0\", \"slept_us\": \"0\"}],"
		" \"counters\": [{\"group\": \"udp\", \"name\": \"drop_vlan\", \"value\": \"5\"},"
		" {\"group\": \"worker\", \"name\": \"rounds\", \"value\": \"100\"}]}",
		"{\"channels\": [{\"channel\": \"1\", \"operations\": \"10\", \"open\": \"10\", \"bytes\": \"0\","
		" \"time_us\": \"0\"}, {\"channel\": \"2\", \"operations\": \"900\", \"open\": \"0\"}]}",
		"{\"peers\": [{\"node\": \"b\", \"transport\": \"udp\", \"rail\": \"1\", \"bytes_out\": \"7\"},"
		" {\"node\": \"b\", \"transport\": \"udp\", \"rail\": \"0\", \"bytes_out\": \"1048576\","
		" \"state\": \"up\"}]}",
		"{\"transports\": [{\"device\": \"wire\", \"packets_in\": \"500\"}]}");
	struct traffic_look after = look(
		3000000,
		"{\"workers\": [{\"worker\": 0, \"rounds\": \"2100\", \"busy_us\": \"500000\","
		" \"slept_us\": \"9000000\"}],"
		" \"counters\": [{\"group\": \"udp\", \"name\": \"drop_vlan\", \"value\": \"9\"},"
		" {\"group\": \"worker\", \"name\": \"rounds\", \"value\": \"2100\"}]}",
		"{\"channels\": [{\"channel\": \"1\", \"operations\": \"20\", \"open\": \"0\","
		" \"bytes\": \"4096\", \"time_us\": \"500\"}, {\"channel\": \"3\", \"operations\": \"6\","
		" \"open\": \"0\"}]}",
		"{\"peers\": [{\"node\": \"b\", \"transport\": \"udp\", \"rail\": \"0\", \"bytes_out\": \"3145728\","
		" \"rtt_us\": \"85\", \"state\": \"doubtful\"}]}",
		"{\"transports\": [{\"device\": \"wire\", \"packets_in\": \"40\"}]}");

	(void)state;
	traffic = traffic_between(&before, &after);
	traffic_release(&before);
	traffic_release(&after);
	return traffic == NULL;
}

static int teardown(void **state)
{
	(void)state;
	json_decref(traffic);
	return 0;
}

static double number(const char *rows, size_t index, const char *key)
{
	const json_t *row = json_array_get(json_object_get(traffic, rows), index);
	const json_t *member = json_object_get(row, key);

	assert_true(json_is_number(member));
	return json_number_value(member);
}

static void is_near(double found, double wanted)
{
	assert_true(found > wanted - 1e-6 && found < wanted + 1e-6);
}

static void traffic_between__rates(void **state)
{
	(void)state;
	is_near(json_number_value(json_object_get(traffic, "seconds")), 2);
	is_near(number("workers", 0, "rounds_per_s"), 1000);
	is_near(number("workers", 0, "busy"), 0.25);
	is_near(number("workers", 0, "asleep"), 1); /* a sleep that began before */
	is_near(number("channels", 0, "operations_per_s"), 5);
	is_near(number("channels", 0, "bytes_per_s"), 2048);
	is_near(number("channels", 0, "mean_us"),
		25); /* twenty ended: ten of before, ten new ones */
	is_near(number("peers", 0, "rtt_us"), 85);
}

static void traffic_between__rows_by_their_names(void **state)
{
	(void)state;
	/* Rail 0 stood second before, and was up. */
	is_near(number("peers", 0, "bytes_out_per_s"), 1048576);
	assert_int_equal(json_array_size(json_object_get(traffic, "peers")), 1);
	/* A channel of another number is another channel. */
	is_near(number("channels", 1, "operations_per_s"), 3);
}

static void traffic_between__begins_anew(void **state)
{
	(void)state;
	is_near(number("transports", 0, "packets_in_per_s"), 20);
}

static void traffic_between__tells_of_problems_alone(void **state)
{
	(void)state;
	assert_int_equal(json_array_size(json_object_get(traffic, "problems")), 1);
	is_near(number("problems", 0, "per_s"), 2);
}

static void traffic_between__without_answers(void **state)
{
	const struct traffic_look nothing = { 0 };
	json_t *empty = traffic_between(&nothing, &nothing);

	(void)state;
	assert_non_null(empty);
	assert_int_equal(json_array_size(json_object_get(empty, "workers")), 0);
	assert_int_equal(traffic_print(empty, stdout, 80), 0);
	json_decref(empty);
}

static void traffic_print__tables(void **state)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	(void)state;
	assert_int_equal(traffic_print(traffic, file, 0), 0);
	fclose(file);
	assert_string_equal(
		text, "WORKER    BUSY   ASLEEP  ROUNDS/S  SLEEPS/S  OPERATIONS/S  FAILED/S\n"
		      "0       25.0 %  100.0 %     1.0 k         0             0         0\n"
		      "\n"
		      "CHANNEL  NAME  OPERATIONS/S  BYTES/S   MEAN  OPEN\n"
		      "1        -              5.0  2.0 KiB  25 us     0\n"
		      "3        -              3.0      0 B      -     0\n"
		      "\n"
		      "PEER  TRANSPORT  RAIL  STATE       RTT    OUT/S  IN/S  RETRANSMITTED/S\n"
		      "b     udp        0     doubtful  85 us  1.0 MiB   0 B                0\n"
		      "\n"
		      "PORT  TRANSPORT  STATE  PACKETS OUT/S  PACKETS IN/S\n"
		      "wire  -          -                  0          20.0\n"
		      "\n"
		      "GROUP  COUNTER    RATE/S\n"
		      "udp    drop_vlan     2.0\n");
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(traffic_between__rates),
		CASE(traffic_between__rows_by_their_names),
		CASE(traffic_between__begins_anew),
		CASE(traffic_between__tells_of_problems_alone),
		CASE(traffic_between__without_answers),
		CASE(traffic_print__tables),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
