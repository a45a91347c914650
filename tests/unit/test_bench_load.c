/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a row keeps its depth, counts what it should, and its check sees one wrong byte.
 * Method: the fake daemon completes everything and moves nothing, so a check passes only where both sides are the same
 * memory already; bytes are bent by hand.
 */
#include "fake_daemon.h"
#include "tools/haul-bench/load.h"
#include "tools/haul-bench/pattern.h"
#include "unit.h"

static struct fake_daemon fake;
static struct haul *haul;
static struct haul_memory memory;
static struct haul_remote remote;
static struct load load;
static struct load_result result;

static int setup(void **state)
{
	struct haul_segment_options segment = { .bytes = 1 << 20, .is_private = 1 };
	struct haul_options options = { .timeout_ms = 20000, .entries = 256 };

	(void)state;
	fake_daemon_start(&fake);
	options.socket_path = fake.path;
	if (haul_attach(&options, &haul) != 0 ||
	    haul_segment_create(haul, &segment, &memory) != 0 ||
	    haul_segment_open(haul, "far", HAUL_READ | HAUL_WRITE, &remote) != 0)
		return -1;
	load = (struct load){ .haul = haul,
			      .memory = &memory,
			      .remote = &remote,
			      .duration_ns = 20000000,
			      .warm_up_ns = 1000000 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	haul_detach(haul);
	fake_daemon_stop(&fake);
	return 0;
}

static void load_span__hot_and_cold(void **state)
{
	struct load_row row = { .opcode = HAUL_OP_WRITE, .bytes = 3000, .depth = 4 };

	(void)state;
	assert_int_equal(load_span(&load, &row), 12000);
	load.cold_bytes = 10000;
	assert_int_equal(load_span(&load, &row), 12000);
	load.cold_bytes = 100000;
	assert_int_equal(load_span(&load, &row), 99000);
	row.bytes = 0;
	assert_int_equal(load_span(&load, &row), 0);
}

static void load_run__counts(void **state)
{
	struct load_row row = { .opcode = HAUL_OP_WRITE, .bytes = 4096, .depth = 64 };

	(void)state;
	assert_int_equal(load_run(&load, &row, &result), 0);
	assert_true(result.operations > 0);
	assert_int_equal(result.times.total, result.operations);
	assert_true(result.elapsed_ns > 0);
	assert_int_equal(result.wrong_at, UINT64_MAX);
	assert_int_equal(haul_open_operations(haul), 0);
}

static void load_run__nop(void **state)
{
	struct load_row row = { .opcode = HAUL_OP_NOP, .depth = 200 };

	(void)state;
	load.remote = NULL;
	assert_int_equal(load_run(&load, &row, &result), 0);
	assert_true(result.operations > 0);
}

static void load_run__check_sees_that_nothing_moved(void **state)
{
	struct load_row row = { .opcode = HAUL_OP_WRITE, .bytes = 100, .depth = 3 };

	(void)state;
	load.is_verified = true;
	assert_int_equal(load_run(&load, &row, &result), 0);
	assert_int_not_equal(result.wrong_at, UINT64_MAX);
	row.opcode = HAUL_OP_READ;
	assert_int_equal(load_run(&load, &row, &result), 0);
	assert_int_not_equal(result.wrong_at, UINT64_MAX);
}

static void load_run__daemon_dies(void **state)
{
	struct load_row row = { .opcode = HAUL_OP_WRITE, .bytes = 4096, .depth = 4 };

	(void)state;
	fake_daemon_kill(&fake);
	assert_int_equal(load_run(&load, &row, &result), -HAUL_DISCONNECTED);
}

static void pattern_check__each_byte(void **state)
{
	uint8_t bytes[61];

	(void)state;
	pattern_fill(bytes, sizeof(bytes), 7);
	assert_int_equal(pattern_check(bytes, sizeof(bytes), 7), UINT64_MAX);
	assert_int_not_equal(pattern_check(bytes, sizeof(bytes), 8), UINT64_MAX);
	for (uint64_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] ^= 0x10;
		assert_int_equal(pattern_check(bytes, sizeof(bytes), 7), i);
		bytes[i] ^= 0x10;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(load_span__hot_and_cold, setup, teardown),
		cmocka_unit_test_setup_teardown(load_run__counts, setup, teardown),
		cmocka_unit_test_setup_teardown(load_run__nop, setup, teardown),
		cmocka_unit_test_setup_teardown(load_run__check_sees_that_nothing_moved, setup,
						teardown),
		cmocka_unit_test_setup_teardown(load_run__daemon_dies, setup, teardown),
		cmocka_unit_test(pattern_check__each_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
