/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: what has not moved is left out, rates are those of the interval, and a daemon that was started anew makes no
 * rate of 2^64. Method: a server whose counters differ from answer to answer.
 */
#include "haulctl_rig.h"

#include <jansson.h>

#define COUNTER(group, name, unit, value)                                      \
	"{\"group\": \"" group "\", \"name\": \"" name "\", \"unit\": \"" unit \
	"\", \"meaning\": \"what it is\", \"value\": \"" value "\"}"

#define STATS(rounds, bytes)                                                               \
	"{\"counters\": [" COUNTER("worker", "rounds", "rounds", rounds) ", " COUNTER(     \
		"region", "bytes_placed", "bytes", bytes) ", " COUNTER("region", "faults", \
								       "touches", "0") "]}"

static void stats_run__once(void **state)
{
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(rig_run_body(&haulctl, stats_run, NULL, STATS("12", "1536")),
			 HAULCTL_DONE);
	assert_string_equal(rig_text, "GROUP   NAME            VALUE  UNIT    MEANING\n"
				      "worker  rounds             12  rounds  what it is\n"
				      "region  bytes_placed  1.5 KiB  bytes   what it is\n"
				      "1 more are 0; --all shows them\n");
}

static void stats_run__group(void **state)
{
	struct haulctl haulctl = { .is_all = true };

	(void)state;
	assert_int_equal(rig_run_body(&haulctl, stats_run, "region", STATS("12", "0")),
			 HAULCTL_DONE);
	assert_string_equal(rig_text, "GROUP   NAME          VALUE  UNIT     MEANING\n"
				      "region  bytes_placed    0 B  bytes    what it is\n"
				      "region  faults            0  touches  what it is\n");
	assert_int_equal(rig_run_body(&haulctl, stats_run, "none", STATS("12", "0")),
			 HAULCTL_NOT_FOUND);
}

/* Three answers in turn; the third is that of a daemon that was started anew. */
static int run_series(struct haulctl *haulctl)
{
	char *first = http_good(STATS("100", "1000"));
	char *second = http_good(STATS("300", "1000"));
	char *third = http_good(STATS("50", "1000"));
	const struct http_answer answers[] = { { "/v1/stats", first },
					       { "/v1/stats", second },
					       { "/v1/stats", third },
					       { NULL, NULL } };
	int status = rig_run(haulctl, stats_run, NULL, answers);

	free(first);
	free(second);
	free(third);
	return status;
}

static void stats_run__rates(void **state)
{
	struct haulctl haulctl = { .interval_us = 100000, .count = 2 };

	(void)state;
	assert_int_equal(run_series(&haulctl), HAULCTL_DONE);
	assert_non_null(strstr(rig_text, "RATE/S"));
	assert_non_null(strstr(rig_text, "worker  rounds    300"));
	assert_non_null(strstr(rig_text, "worker  rounds     50"));
	assert_non_null(strstr(rig_text, "2 more have not moved"));
	assert_null(strstr(rig_text, "bytes_placed"));
	assert_null(strstr(rig_text, " E  "));
}

static void stats_run__rates_in_json(void **state)
{
	struct haulctl haulctl = { .interval_us = 100000, .count = 2, .is_json = true };
	json_t *body;
	const json_t *rate;
	double seconds;

	(void)state;
	assert_int_equal(run_series(&haulctl), HAULCTL_DONE);
	body = json_loads(rig_text, JSON_DISABLE_EOF_CHECK, NULL);
	seconds = json_number_value(json_object_get(body, "seconds"));
	assert_true(seconds >= 0.1);
	rate = json_object_get(json_array_get(json_object_get(body, "counters"), 0), "per_second");
	assert_true(json_number_value(rate) * seconds > 199.9);
	assert_true(json_number_value(rate) * seconds < 200.1);
	json_decref(body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stats_run__once),
		cmocka_unit_test(stats_run__group),
		cmocka_unit_test(stats_run__rates),
		cmocka_unit_test(stats_run__rates_in_json),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(rig_text);
	return failed;
}
