/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a path finds its route and its rest, or nothing. Method: each kind of path, and those that are nearly one.
 */
#include "controlplane/http/route.h"
#include "unit.h"

static void route_find__takes_whole_paths(void **state)
{
	const char *rest = NULL;

	(void)state;
	for (const struct route *route = routes; route->path != NULL; route++) {
		if (strcmp(route->path, "/v1/segments/") == 0)
			continue;
		assert_ptr_equal(route_find(route->path, &rest), route);
		assert_string_equal(rest, "");
	}
}

static void route_find__gives_the_rest_of_a_name(void **state)
{
	const char *rest = NULL;

	(void)state;
	assert_ptr_equal(route_find("/v1/segments/a/b", &rest)->fn, route_segment);
	assert_string_equal(rest, "a/b");
}

static void route_find__refuses_what_is_nearly_one(void **state)
{
	const char *const wrong[] = { "",           "v1/status",    "/v1",        "/v1/status/",
				      "/v1/statu",  "/v1/statuses", "/V1/status", "//v1/status",
				      "/healthz/x", "/v1/segments/" };
	const char *rest = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_null(route_find(wrong[i], &rest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(route_find__takes_whole_paths),
		cmocka_unit_test(route_find__gives_the_rest_of_a_name),
		cmocka_unit_test(route_find__refuses_what_is_nearly_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
