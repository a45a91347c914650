/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: listings show what the control plane says, whatever is missing in it, and errors become the right exit status.
 * Method: commands run against a server of the test; what they print is compared whole.
 */
#include "haulctl_rig.h"

static void list_nodes__table(void **state)
{
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(
		rig_run_body(&haulctl, list_nodes, NULL,
			     "{\"nodes\": [{\"name\": \"a\", \"incarnation\": \"17\", \"term\": 3,"
			     " \"state\": \"alive\", \"beat_age_ms\": 120, \"self\": true,"
			     " \"segments\": 2, \"addresses\": [\"udp 10.0.0.1:7471\"]},"
			     " {\"name\": \"b\"}, 5]}"),
		HAULCTL_DONE);
	assert_string_equal(
		rig_text,
		"NAME  STATE  SELF    BEAT  TERM  SEGMENTS  INCARNATION  ADDRESSES\n"
		"a     alive  yes   120 ms     3         2  17           udp 10.0.0.1:7471\n"
		"b     -      -          -     -         -  -            -\n"
		"-     -      -          -     -         -  -            -\n");
}

static void list_nodes__json(void **state)
{
	struct haulctl haulctl = { .is_json = true };

	(void)state;
	assert_int_equal(
		rig_run_body(&haulctl, list_nodes, NULL, "{\"nodes\":[],\"new\":\"\\u001b[2J\"}"),
		HAULCTL_DONE);
	assert_string_equal(rig_text, "{\n  \"nodes\": [],\n  \"new\": \"\\u001B[2J\"\n}\n");
}

static void list_workers__table(void **state)
{
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(
		rig_run_body(
			&haulctl, list_workers, NULL,
			"{\"workers\": [{\"worker\": \"0\", \"processor\": \"any\","
			" \"load_permille\": \"713\", \"channels\": \"12\"},"
			" {\"worker\": \"1\", \"processor\": \"3\", \"load_permille\": \"0\"}]}"),
		HAULCTL_DONE);
	assert_string_equal(rig_text, "WORKER  PROCESSOR    LOAD  CHANNELS\n"
				      "     0  any        71.3 %        12\n"
				      "     1  3           0.0 %         -\n");
}

static void list_peers__refused(void **state)
{
	const struct http_answer answers[] = {
		{ NULL, "HTTP/1.1 503 Service Unavailable\r\n\r\n"
			"{\"error\": \"UNAVAILABLE\", \"reason\": \"the dataplane is not there\"}" }
	};
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(rig_run(&haulctl, list_peers, NULL, answers), HAULCTL_FAILED);
	assert_string_equal(rig_text, "");
}

static void list_peers__no_json(void **state)
{
	static const char *const bodies[] = { "<html>", "[1]", "{\"a\": 1, \"a\": 2}", "" };
	struct haulctl haulctl = { 0 };

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(rig_run_body(&haulctl, list_peers, NULL, bodies[i]),
				 HAULCTL_FAILED);
}

static void list_peers__unreachable(void **state)
{
	struct haulctl haulctl = { .socket_path = "/nonexistent", .timeout_us = 1000000 };

	(void)state;
	assert_int_equal(list_peers(&haulctl, NULL), HAULCTL_UNREACHABLE);
}

static void segment_show__found(void **state)
{
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(
		rig_run_body(
			&haulctl, segment_show, "models/kv",
			"{\"name\": \"models/kv\", \"node\": \"b\", \"version\": \"3\","
			" \"bytes\": \"1048576\", \"readers\": \"*\", \"writers\": \"\","
			" \"buffers\": [{\"offset\": \"0\", \"length\": \"1048576\","
			" \"region\": \"01\", \"rights\": \"read,write\", \"state\": \"active\"}]}"),
		HAULCTL_DONE);
	assert_string_equal(rig_text, "name         models/kv\n"
				      "node         b\n"
				      "addresses    -\n"
				      "incarnation  -\n"
				      "version      3\n"
				      "size         1.0 MiB\n"
				      "tenant       -\n"
				      "readers      *\n"
				      "writers      -\n"
				      "\n"
				      "OFFSET     SIZE  REGION  RIGHTS      STATE\n"
				      "     0  1.0 MiB  01      read,write  active\n");
}

static void segment_show__not_found(void **state)
{
	const struct http_answer answers[] = {
		{ "/v1/segments/none", "HTTP/1.1 404 Not Found\r\n\r\n"
				       "{\"error\": \"NOT_FOUND\", \"reason\": \"no\\u0007\"}" },
		{ NULL, NULL }
	};
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(rig_run(&haulctl, segment_show, "none", answers), HAULCTL_NOT_FOUND);
	assert_int_equal(rig_run(&haulctl, segment_show, "no name", answers), HAULCTL_USAGE);
	assert_int_equal(rig_run(&haulctl, segment_show, "", answers), HAULCTL_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(list_nodes__table),   cmocka_unit_test(list_nodes__json),
		cmocka_unit_test(list_workers__table), cmocka_unit_test(list_peers__refused),
		cmocka_unit_test(list_peers__no_json), cmocka_unit_test(list_peers__unreachable),
		cmocka_unit_test(segment_show__found), cmocka_unit_test(segment_show__not_found),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(rig_text);
	return failed;
}
