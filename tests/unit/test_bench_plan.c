/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a command line means what its help says, and a wrong one is refused before anything is measured.
 * Method: lines in, plans out.
 */
#include "tools/haul-bench/plan.h"
#include "unit.h"

#include <getopt.h>

static struct plan plan;

/* Parse a line of words separated by blanks. */
static bool parse(const char *line)
{
	static char text[256];
	char *words[32] = { "haul-bench" };
	char *rest = text;
	int count = 1;

	snprintf(text, sizeof(text), "%s", line);
	while ((words[count] = strsep(&rest, " ")) != NULL)
		count++;
	optind = 0; /* getopt starts anew */
	return plan_parse(&plan, count, words);
}

static void plan_parse_bytes__units(void **state)
{
	uint64_t bytes = 0;

	(void)state;
	assert_true(plan_parse_bytes("0", &bytes));
	assert_int_equal(bytes, 0);
	assert_true(plan_parse_bytes("4K", &bytes));
	assert_int_equal(bytes, 4096);
	assert_true(plan_parse_bytes("3G", &bytes));
	assert_int_equal(bytes, UINT64_C(3) << 30);
	bytes = 5;
	assert_false(plan_parse_bytes("", &bytes));
	assert_false(plan_parse_bytes("K", &bytes));
	assert_false(plan_parse_bytes("-1", &bytes));
	assert_false(plan_parse_bytes("1T", &bytes));
	assert_false(plan_parse_bytes("1KK", &bytes));
	assert_false(plan_parse_bytes("99999999999999999999", &bytes));
	assert_false(plan_parse_bytes("18446744073709551615K", &bytes));
	assert_int_equal(bytes, 5);
}

static void plan_parse_list__numbers_and_sweeps(void **state)
{
	struct plan_list list = { .count = 0 };

	(void)state;
	assert_true(plan_parse_list("8,4K..16K,1M", 1 << 30, &list));
	assert_int_equal(list.count, 5);
	assert_int_equal(list.values[0], 8);
	assert_int_equal(list.values[1], 4096);
	assert_int_equal(list.values[3], 16384);
	assert_int_equal(list.values[4], 1 << 20);
	assert_false(plan_parse_list("", 100, &list));
	assert_false(plan_parse_list("1,", 100, &list));
	assert_false(plan_parse_list("1..", 100, &list));
	assert_false(plan_parse_list("8..4", 100, &list));
	assert_false(plan_parse_list("0", 100, &list));
	assert_false(plan_parse_list("0..4", 100, &list));
	assert_false(plan_parse_list("101", 100, &list));
	assert_false(plan_parse_list("4;5", 100, &list));
	assert_int_equal(list.count, 5);
}

static void plan_parse__defaults(void **state)
{
	(void)state;
	assert_true(parse("run some/segment"));
	assert_string_equal(plan.command, "run");
	assert_string_equal(plan.segment, "some/segment");
	assert_int_equal(plan.kinds.count, 1);
	assert_int_equal(plan.kinds.values[0], HAUL_OP_WRITE);
	assert_int_equal(plan.sizes.count, 3);
	assert_int_equal(plan.depths.values[0], 16);
	assert_int_equal(plan.threads.values[0], 1);
	assert_int_equal(plan.reads_percent, 50);
	assert_int_equal(plan.cold_bytes, 0);
	assert_int_equal(plan.pause_ns, 0);
	assert_null(plan.json);
	assert_false(plan.is_verified || plan.is_help);
}

static void plan_parse__everything(void **state)
{
	(void)state;
	assert_true(parse(
		"--op write,mix,nop,notify --size 1K --depth 1,2 --duration 0.5 --warm-up 0 --cold=64M "
		"--threads 1..4 --reads 30 --pause 0.01 --verify --timeout 200 --socket /s --json - run x"));
	assert_int_equal(plan.kinds.count, 4);
	assert_int_equal(plan.kinds.values[1], PLAN_MIX);
	assert_int_equal(plan.kinds.values[2], HAUL_OP_NOP);
	assert_int_equal(plan.kinds.values[3], PLAN_NOTIFY);
	assert_string_equal(plan_kind_text(PLAN_MIX), "mix");
	assert_string_equal(plan_kind_text(PLAN_NOTIFY), "notify");
	assert_int_equal(plan.threads.count, 3);
	assert_int_equal(plan.reads_percent, 30);
	assert_int_equal(plan.pause_ns, 10000000);
	assert_int_equal(plan.duration_ns, 500000000);
	assert_int_equal(plan.warm_up_ns, 0);
	assert_int_equal(plan.cold_bytes, 64 << 20);
	assert_int_equal(plan.timeout_ms, 200);
	assert_string_equal(plan.socket_path, "/s");
	assert_string_equal(plan.json, "-");
	assert_true(plan.is_verified);
	assert_true(parse("--cold run x"));
	assert_int_equal(plan.cold_bytes, 256 << 20);
}

static void plan_parse__commands(void **state)
{
	(void)state;
	assert_true(parse("serve x 64M"));
	assert_int_equal(plan.bytes, 64 << 20);
	assert_true(parse("--op nop run"));
	assert_null(plan.segment);
	assert_true(parse("--help"));
	assert_true(plan.is_help);
	assert_false(parse("run"));
	assert_false(parse("serve x"));
	assert_false(parse("serve x 0"));
	assert_false(parse("serve x y"));
	assert_false(parse("walk x"));
	assert_false(parse("run x y"));
}

static void plan_parse__wrong_options(void **state)
{
	(void)state;
	assert_false(parse("--op copy run x"));
	assert_false(parse("--op write, run x"));
	assert_false(parse("--size 2G run x"));
	assert_false(parse("--depth 1025 run x"));
	assert_false(parse("--duration soon run x"));
	assert_false(parse("--duration -1 run x"));
	assert_false(parse("--duration nan run x"));
	assert_false(parse("--timeout 5000000000 run x"));
	assert_false(parse("--cold=x run x"));
	assert_false(parse("--reads 101 run x"));
	assert_false(parse("--threads 65 run x"));
	assert_false(parse("--threads 0 run x"));
	assert_false(parse("--pause -1 run x"));
	assert_false(parse("--nonsense run x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plan_parse_bytes__units),
		cmocka_unit_test(plan_parse_list__numbers_and_sweeps),
		cmocka_unit_test(plan_parse__defaults),
		cmocka_unit_test(plan_parse__everything),
		cmocka_unit_test(plan_parse__commands),
		cmocka_unit_test(plan_parse__wrong_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
