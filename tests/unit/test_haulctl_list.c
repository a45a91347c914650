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
				      "owner        -\n"
				      "\n"
				      "OFFSET     SIZE  REGION  RIGHTS      STATE\n"
				      "     0  1.0 MiB  01      read,write  active\n"
				      "\n"
				      "nothing of it is open on this node\n");
}

static const char openings_body[] =
	"{\"openings\": [{\"segment\": \"kv\", \"node\": \"b\", \"incarnation\": \"b1\","
	" \"tenant\": \"guest\", \"rights\": \"read\", \"version_cached\": \"3\","
	" \"version_seen\": \"4\", \"state\": \"refreshing\", \"since_ms\": \"12\","
	" \"handles\": \"2\", \"refreshes\": \"7\", \"failed\": \"1\","
	" \"last_failure\": \"UNAVAILABLE\"},"
	" {\"segment\": \"other\", \"node\": \"c\", \"state\": \"current\"}]}";

/* A segment, and what is open of it here: the rows of others are left out. */
static void segment_show__tells_what_is_open_here(void **state)
{
	char *record = http_good("{\"name\": \"kv\", \"buffers\": [{\"offset\": \"0\","
				 " \"length\": \"4096\", \"region\": null, \"rights\": \"read\","
				 " \"state\": \"draining\"}], \"owner\": {\"state\": \"alive\"}}");
	char *openings = http_good(openings_body);
	const struct http_answer answers[] = { { "/v1/segments/kv", record },
					       { "/v1/openings", openings },
					       { NULL, NULL } };
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(rig_run(&haulctl, segment_show, "kv", answers), HAULCTL_DONE);
	assert_non_null(strstr(rig_text, "owner        alive\n"));
	assert_non_null(strstr(rig_text, "     0  4.0 KiB  -       read    draining\n"));
	assert_non_null(strstr(
		rig_text,
		"\nopen on this node:\n"
		"TENANT  RIGHTS  CACHED  SEEN  STATE       SINCE  HANDLES  REFRESHES  FAILED  LAST FAILURE"
		"  NODE  INCARNATION\n"
		"guest   read         3     4  refreshing  12 ms        2          7       1  UNAVAILABLE "
		"  b     b1\n"));
	assert_null(strstr(rig_text, "current"));
	free(record);
	free(openings);
}

/* Its record is gone, and it is open here all the same. */
static void segment_show__tells_what_is_open_without_a_record(void **state)
{
	char *openings = http_good(openings_body);
	const struct http_answer answers[] = {
		{ "/v1/segments/kv", "HTTP/1.1 404 Not Found\r\n\r\n{\"error\": \"NOT_FOUND\"}" },
		{ "/v1/openings", openings },
		{ NULL, NULL }
	};
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(rig_run(&haulctl, segment_show, "kv", answers), HAULCTL_NOT_FOUND);
	assert_non_null(strstr(rig_text, "refreshing"));
	haulctl.is_json = true;
	assert_int_equal(rig_run(&haulctl, segment_show, "kv", answers), HAULCTL_NOT_FOUND);
	assert_non_null(strstr(rig_text, "\"version_seen\": \"4\""));
	free(openings);
}

static void peer_show__puts_record_rails_and_openings_together(void **state)
{
	char *index = http_good("{}");
	char *peers = http_good("{\"peers\": [{\"node\": \"b\", \"transport\": \"udp\","
				" \"rail\": \"0\", \"state\": \"doubtful\", \"since_ms\": \"40\"},"
				" {\"node\": \"c\", \"state\": \"up\"}]}");
	char *openings = http_good(openings_body);
	char *nodes =
		http_good("{\"nodes\": [{\"name\": \"a\"}, {\"name\": \"b\","
			  " \"state\": \"suspect\", \"term\": \"2\", \"incarnation\": \"b1\"}]}");
	const struct http_answer answers[] = { { "/", index },
					       { "/v1/peers", peers },
					       { "/v1/openings", openings },
					       { "/v1/nodes", nodes },
					       { NULL, NULL } };
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(rig_run(&haulctl, peer_show, "b", answers), HAULCTL_DONE);
	assert_non_null(strstr(rig_text, "node         b\nstate        suspect\n"));
	assert_non_null(strstr(rig_text, "doubtful  40 ms"));
	assert_non_null(strstr(rig_text, "kv       guest   read         3     4  refreshing"));
	assert_null(strstr(rig_text, "up"));
	assert_int_equal(rig_run(&haulctl, peer_show, "d", answers), HAULCTL_NOT_FOUND);
	assert_int_equal(rig_run(&haulctl, peer_show, "no name", answers), HAULCTL_USAGE);
	haulctl.is_json = true;
	assert_int_equal(rig_run(&haulctl, peer_show, "b", answers), HAULCTL_DONE);
	assert_non_null(strstr(rig_text, "\"term\": \"2\""));
	free(index);
	free(peers);
	free(openings);
	free(nodes);
}

/* Without Redis there is no record; what is here is shown all the same. */
static void peer_show__does_without_redis(void **state)
{
	char *index = http_good("{}"), *peers = http_good("{\"peers\": []}");
	char *openings = http_good(openings_body);
	const struct http_answer answers[] = { { "/", index },
					       { "/v1/peers", peers },
					       { "/v1/openings", openings },
					       { "/v1/nodes", "HTTP/1.1 503 no\r\n\r\n{}" },
					       { NULL, NULL } };
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(rig_run(&haulctl, peer_show, "b", answers), HAULCTL_DONE);
	assert_non_null(strstr(rig_text, "no rail leads there"));
	assert_non_null(strstr(rig_text, "refreshing"));
	free(index);
	free(peers);
	free(openings);
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
		cmocka_unit_test(list_nodes__table),
		cmocka_unit_test(list_nodes__json),
		cmocka_unit_test(list_workers__table),
		cmocka_unit_test(list_peers__refused),
		cmocka_unit_test(list_peers__no_json),
		cmocka_unit_test(list_peers__unreachable),
		cmocka_unit_test(segment_show__found),
		cmocka_unit_test(segment_show__not_found),
		cmocka_unit_test(segment_show__tells_what_is_open_here),
		cmocka_unit_test(segment_show__tells_what_is_open_without_a_record),
		cmocka_unit_test(peer_show__puts_record_rails_and_openings_together),
		cmocka_unit_test(peer_show__does_without_redis),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(rig_text);
	return failed;
}
