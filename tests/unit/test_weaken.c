/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: only what a text names is taken out, and a text that is not understood takes nothing out.
 * Method: texts; a release build has no such text, and there every check stays.
 */
#include "base/weaken.h"
#include "unit.h"

static bool has_any(void)
{
	return weaken_has(WEAKEN_GENERATION) || weaken_has(WEAKEN_FENCE) ||
	       weaken_has(WEAKEN_FRESHNESS) || weaken_has(WEAKEN_GRANT);
}

static void weaken_has__nothing_by_itself(void **state)
{
	(void)state;
	assert_false(has_any());
}

#ifdef HAUL_DEBUG
static void weaken_parse__takes_out_what_is_named(void **state)
{
	(void)state;
	assert_int_equal(weaken_parse("fence"), 0);
	assert_true(weaken_has(WEAKEN_FENCE));
	assert_false(weaken_has(WEAKEN_GENERATION) || weaken_has(WEAKEN_FRESHNESS));
	assert_int_equal(weaken_parse("freshness,generation"), 0);
	assert_false(weaken_has(WEAKEN_FENCE));
	assert_true(weaken_has(WEAKEN_GENERATION) && weaken_has(WEAKEN_FRESHNESS));
	assert_int_equal(weaken_parse(""), 0);
	assert_false(has_any());
	assert_int_equal(weaken_parse(NULL), 0);
	assert_false(has_any());
}

static void weaken_parse__refuses_what_it_does_not_know(void **state)
{
	(void)state;
	assert_int_equal(weaken_parse("fenc"), -1);
	assert_int_equal(weaken_parse("fences"), -1);
	assert_int_equal(weaken_parse("fence,,freshness"), -1);
	assert_int_equal(weaken_parse("fence freshness"), -1);
	assert_false(has_any());
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weaken_has__nothing_by_itself),
#ifdef HAUL_DEBUG
		cmocka_unit_test(weaken_parse__takes_out_what_is_named),
		cmocka_unit_test(weaken_parse__refuses_what_it_does_not_know),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
