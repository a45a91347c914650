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

static void load_run__mixes_both_halves(void **state)
{
	struct load_row row = { .is_mix = true, .reads_percent = 25, .bytes = 100, .depth = 8 };
	const uint8_t *bytes = memory.address;

	(void)state;
	assert_int_equal(load_span(&load, &row), 1600);
	load.pattern_seed = 1;
	load.is_verified = true;
	assert_int_equal(load_run(&load, &row, &result), 0);
	assert_true(result.operations > 0);
	/* Nothing moves here: it is the half that was read into that is wrong, which is looked at first. */
	assert_int_equal(result.wrong_at, 800);
	assert_int_equal(bytes[800], 0);
	row.reads_percent = 0;
	assert_int_equal(load_run(&load, &row, &result), 0);
	assert_int_equal(result.wrong_at, 0);
}

static void load_run__rests_between_rounds(void **state)
{
	struct load_row row = { .opcode = HAUL_OP_NOP, .depth = 3 };

	(void)state;
	load.remote = NULL;
	load.warm_up_ns = 0;
	load.pause_ns = 1000000;
	assert_int_equal(load_run(&load, &row, &result), 0);
	/* 20 ms hold at most 20 pauses of 1 ms, and so 21 rounds of three. */
	assert_in_range(result.operations, 1, 63);
}

static uint32_t begun;

static void count_begin(void *context)
{
	assert_ptr_equal(context, &load);
	begun++;
}

static void load_run__begins_once_also_when_it_fails(void **state)
{
	struct load_row row = { .opcode = HAUL_OP_READ, .bytes = 4096, .depth = 4 };

	(void)state;
	begun = 0;
	load.begin = count_begin;
	load.context = &load;
	load.is_verified = true;
	assert_int_equal(load_run(&load, &row, &result), 0);
	assert_int_equal(begun, 1);
	fake_daemon_kill(&fake);
	assert_int_equal(load_run(&load, &row, &result), -HAUL_DISCONNECTED);
	assert_int_equal(begun, 2);
}

static void load_merge__adds_up(void **state)
{
	static struct load_result other = {
		.operations = 5, .elapsed_ns = 70, .wrong_at = 12, .transport = HAUL_TRANSPORT_UDP
	};

	(void)state;
	result = (struct load_result){ .operations = 3, .elapsed_ns = 90, .wrong_at = UINT64_MAX };
	load_merge(&result, &other);
	assert_int_equal(result.operations, 8);
	assert_int_equal(result.elapsed_ns, 90);
	assert_int_equal(result.wrong_at, 12);
	assert_int_equal(result.transport, HAUL_TRANSPORT_UDP);
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
		cmocka_unit_test_setup_teardown(load_run__mixes_both_halves, setup, teardown),
		cmocka_unit_test_setup_teardown(load_run__rests_between_rounds, setup, teardown),
		cmocka_unit_test_setup_teardown(load_run__begins_once_also_when_it_fails, setup,
						teardown),
		cmocka_unit_test(load_merge__adds_up),
		cmocka_unit_test_setup_teardown(load_run__daemon_dies, setup, teardown),
		cmocka_unit_test(pattern_check__each_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
