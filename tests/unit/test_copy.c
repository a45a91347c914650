/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: each kind of copy copies exactly what memcpy copies. Method: every alignment of both sides around a cache line and
 * lengths around the rounds, with guard bytes on both sides of the target, and any number of bytes beyond.
 */
#include "base/copy.h"
#include "unit.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ROOM (COPY_STREAM_BYTES_MIN + 8192)

static uint8_t source_room[ROOM];
static uint8_t target_room[ROOM];

static void fill_source(void)
{
	for (size_t i = 0; i < sizeof(source_room); i++)
		source_room[i] = (uint8_t)(i * 31 + i / 256);
}

static void check_copied(size_t source_at, size_t target_at, size_t bytes)
{
	assert_memory_equal(target_room + target_at, source_room + source_at, bytes);
	for (size_t i = 0; i < target_at; i++)
		assert_int_equal(target_room[i], 0xee);
	for (size_t i = target_at + bytes; i < sizeof(target_room); i++)
		assert_int_equal(target_room[i], 0xee);
}

static void check_copy(size_t source_at, size_t target_at, size_t bytes)
{
	memset(target_room, 0xee, sizeof(target_room));
	copy_stream(target_room + target_at, source_room + source_at, bytes);
	check_copied(source_at, target_at, bytes);
}

static void check_ahead(size_t source_at, size_t target_at, size_t bytes, size_t beyond)
{
	memset(target_room, 0xee, sizeof(target_room));
	copy_from(target_room + target_at, source_room + source_at, bytes, beyond);
	check_copied(source_at, target_at, bytes);
	memset(target_room, 0xee, sizeof(target_room));
	copy_into(target_room + target_at, source_room + source_at, bytes, beyond);
	check_copied(source_at, target_at, bytes);
}

static void copy_stream__copies_at_every_alignment(void **state)
{
	(void)state;
	fill_source();
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

static void copy_ahead__copies_at_every_alignment(void **state)
{
	(void)state;
	fill_source();
	for (size_t target_at = 0; target_at < 65; target_at++)
		check_ahead((target_at * 7) % 64, target_at, 8940 + target_at, target_at * 100);
}

static void copy_ahead__copies_every_length(void **state)
{
	(void)state;
	fill_source();
	for (size_t bytes = 0; bytes < 460; bytes++)
		check_ahead(1, 5, bytes, COPY_AHEAD_BYTES - 200);
}

/* Whatever there is beyond: memory is asked for, and neither read nor written. */
static void copy_ahead__touches_nothing_beyond(void **state)
{
	const size_t room = 4 * 4096;
	uint8_t *memory =
		mmap(NULL, 2 * room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(memory != MAP_FAILED);
	assert_int_equal(mprotect(memory + room, room, PROT_NONE), 0);
	fill_source();
	for (size_t bytes = 1; bytes <= room; bytes += 211) {
		copy_into(memory + room - bytes, source_room, bytes, room);
		assert_memory_equal(memory + room - bytes, source_room, bytes);
		copy_from(target_room, memory + room - bytes, bytes, room);
		assert_memory_equal(target_room, source_room, bytes);
	}
	munmap(memory, 2 * room);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(copy_stream__copies_at_every_alignment),
		cmocka_unit_test(copy_stream__copies_every_length),
		cmocka_unit_test(copy_ahead__copies_at_every_alignment),
		cmocka_unit_test(copy_ahead__copies_every_length),
		cmocka_unit_test(copy_ahead__touches_nothing_beyond),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
