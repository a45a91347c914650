/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a streaming copy copies exactly what memcpy copies. Method: every alignment of both sides around a cache line and
 * lengths around the rounds, with guard bytes on both sides of the target.
 */
#include "base/copy.h"
#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ROOM (COPY_STREAM_BYTES_MIN + 8192)

static uint8_t source_room[ROOM];
static uint8_t target_room[ROOM];

static void check_copy(size_t source_at, size_t target_at, size_t bytes)
{
	memset(target_room, 0xee, sizeof(target_room));
	copy_stream(target_room + target_at, source_room + source_at, bytes);
	assert_memory_equal(target_room + target_at, source_room + source_at, bytes);
	for (size_t i = 0; i < target_at; i++)
		assert_int_equal(target_room[i], 0xee);
	for (size_t i = target_at + bytes; i < sizeof(target_room); i++)
		assert_int_equal(target_room[i], 0xee);
}

static void copy_stream__copies_at_every_alignment(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(source_room); i++)
		source_room[i] = (uint8_t)(i * 31 + i / 256);
	for (size_t target_at = 0; target_at < 65; target_at++)
		check_copy((target_at * 7) % 64, target_at, COPY_STREAM_BYTES_MIN + target_at);
}

static void copy_stream__copies_every_length(void **state)
{
	(void)state;
	check_copy(0, 3, 0);
	check_copy(0, 3, 1);
	for (size_t extra = 0; extra < 260; extra++)
		check_copy(1, 5, COPY_STREAM_BYTES_MIN - 2 + extra);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_stream__copies_at_every_alignment),
		cmocka_unit_test(copy_stream__copies_every_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
