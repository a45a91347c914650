/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a uid gets the tenant and the quota of its own line, else of the line for everyone, else
 * the daemon's. Method: the questions on structs made by hand.
 */
#include "conf/dataplane.h"
#include "unit.h"

#include <string.h>

static void dataplane_conf_workers__at_least_one(void **state)
{
	struct dataplane_conf conf;

	(void)state;
	conf_defaults(&dataplane_conf_table, &conf);
	assert_int_equal(conf.worker_count, 0);
	assert_int_equal(dataplane_conf_workers(&conf), 1);
	conf.worker_count = 3;
	assert_int_equal(dataplane_conf_workers(&conf), 3);
}

static void dataplane_conf_tenant__own_line_or_default(void **state)
{
	struct dataplane_conf conf;

	(void)state;
	conf_defaults(&dataplane_conf_table, &conf);
	conf.tenant_count = 1;
	conf.tenants[0] = (struct dataplane_tenant){ .uid = 1000, .tenant = "research" };
	assert_string_equal(dataplane_conf_tenant(&conf, 1000), "research");
	assert_string_equal(dataplane_conf_tenant(&conf, 1001), "default");
}

static void dataplane_conf_quota__own_line_everyone_or_all(void **state)
{
	struct dataplane_quota quota;
	struct dataplane_conf conf;

	(void)state;
	conf_defaults(&dataplane_conf_table, &conf);
	dataplane_conf_quota(&conf, 5, &quota);
	assert_int_equal(quota.uid, 5);
	assert_int_equal(quota.channels, conf.channels_max);
	assert_int_equal(quota.bytes, UINT64_MAX);
	conf.quota_count = 2;
	conf.quotas[0] = (struct dataplane_quota){ .uid = -1, .channels = 1 };
	conf.quotas[1] = (struct dataplane_quota){ .uid = 5, .channels = 9 };
	dataplane_conf_quota(&conf, 5, &quota);
	assert_int_equal(quota.channels, 9);
	dataplane_conf_quota(&conf, 6, &quota);
	assert_int_equal(quota.channels, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dataplane_conf_workers__at_least_one),
		cmocka_unit_test(dataplane_conf_tenant__own_line_or_default),
		cmocka_unit_test(dataplane_conf_quota__own_line_everyone_or_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
