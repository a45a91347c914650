/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a touch reaches memory only through a handle that is exactly current, with the right, inside its range, in
 * time; everything else is refused, counted, and leaves every byte as it was.
 * Method: a small table over an array with guard bytes on both sides; a file that shrinks for faults.
 */
#include "api/haul_attach.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/fault.h"
#include "base/limits.h"
#include "engine/region.h"
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

#define BYTES   64u
#define GUARD   16u
#define OWNER   7u
#define SEGMENT 3u

struct fixture {
	struct region_table table;
	uint64_t counters[REGION_COUNTER_COUNT];
	uint8_t memory[GUARD + BYTES + GUARD];
	uint64_t handle;
};

static uint64_t fixture_add(struct fixture *fixture, uint32_t rights)
{
	struct region_spec spec = { .base = fixture->memory + GUARD,
				    .length = BYTES,
				    .owner = OWNER,
				    .rights = rights,
				    .segment = SEGMENT,
				    .fault_id = FAULT_NONE };

	return region_add(&fixture->table, &spec);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	assert_int_equal(region_table_init(&fixture->table, 4), 0);
	memset(fixture->memory, 0xee, sizeof(fixture->memory));
	fixture->handle = fixture_add(fixture, HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	*state = fixture;
	return 0;
}

/* Whatever a case did: no byte outside the region has changed. */
static int teardown(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t i = 0; i < GUARD; i++) {
		assert_int_equal(fixture->memory[i], 0xee);
		assert_int_equal(fixture->memory[GUARD + BYTES + i], 0xee);
	}
	region_table_destroy(&fixture->table);
	free(fixture);
	return 0;
}

static struct transport_access access_of(uint64_t region, uint64_t offset, uint32_t length)
{
	struct transport_access access = { .region = region,
					   .offset = offset,
					   .length = length,
					   .not_after_us = UINT64_MAX,
					   .is_remote = true,
					   .segment = SEGMENT,
					   .rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE };

	return access;
}

static enum haul_error place(struct fixture *fixture, const struct transport_access *access)
{
	static const uint8_t payload[BYTES + 1] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	uint64_t version = 0;

	return region_place(&fixture->table, fixture->counters, access, payload, &version);
}

static void region_add__gives_slots_until_none_is_left(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(region_slot(fixture->handle), 0);
	assert_int_equal(region_generation(fixture->handle), 1);
	for (uint32_t i = 1; i < 4; i++)
		assert_int_equal(fixture_add(fixture, 0), region_handle(i, 1));
	assert_int_equal(fixture_add(fixture, 0), REGION_NONE);
}

static void region_release__gives_the_slot_another_generation(void **state)
{
	struct fixture *fixture = *state;
	uint64_t old = fixture->handle;
	struct transport_access access = access_of(old, 0, 8);

	region_retire(&fixture->table, old);
	assert_int_equal(place(fixture, &access), HAUL_STALE);
	region_release(&fixture->table, old);
	assert_int_equal(fixture_add(fixture, HAUL_RIGHT_WRITE), region_handle(0, 2));
	/* The slot is in use again, and the old name still reaches nothing. */
	assert_int_equal(place(fixture, &access), HAUL_STALE);
	assert_int_equal(fixture->memory[GUARD], 0xee);
	access.region = region_handle(0, 2);
	assert_int_equal(place(fixture, &access), HAUL_OK);
	assert_int_equal(fixture->memory[GUARD], 1);
	assert_int_equal(fixture->counters[REGION_REFUSED_STALE], 2);
}

/* Two tables, as of two daemons one after the other, do not give out the same handles. */
static void region_table_seed__begins_at_another_generation(void **state)
{
	struct fixture *fixture = *state;
	struct region_table table;
	uint64_t handle;

	assert_int_equal(region_table_init(&table, 4), 0);
	region_table_seed(&table, 1000);
	handle = region_add(&table, &fixture->table.regions[0].spec);
	assert_int_equal(region_slot(handle), region_slot(fixture->handle));
	assert_int_equal(region_generation(handle), 1001);
	assert_true(region_is_there(&table, handle));
	assert_false(region_is_there(&table, fixture->handle));
	region_table_destroy(&table);
	assert_int_equal(region_table_init(&table, 4), 0);
	region_table_seed(&table, UINT32_MAX);
	handle = region_add(&table, &fixture->table.regions[0].spec);
	assert_in_range(region_generation(handle), 1, REGION_GENERATION_MAX / 2);
	region_table_destroy(&table);
}

static void region_release__retires_a_slot_that_is_used_up(void **state)
{
	struct fixture *fixture = *state;
	uint64_t last;

	region_retire(&fixture->table, fixture->handle);
	fixture->table.regions[0].generation_next = REGION_GENERATION_MAX;
	last = region_handle(0, REGION_GENERATION_MAX);
	region_release(&fixture->table, last);
	assert_int_equal(fixture->table.free_count, 0);
	assert_int_equal(region_slot(fixture_add(fixture, 0)), 1);
}

/* What is open on a region that drains goes on; nothing else does, neither for a peer nor for the owner's own entries. */
static void region_drain__lets_only_the_open_go_on(void **state)
{
	struct fixture *fixture = *state;
	struct transport_access access = access_of(fixture->handle, 0, 8);
	const uint8_t payload[8] = { 1 };
	struct notices *notices;
	uint64_t version = 0;

	region_set_version(&fixture->table, fixture->handle, 9);
	region_drain(&fixture->table, fixture->handle);
	region_drain(&fixture->table, fixture->handle); /* twice is once */
	for (unsigned int phase = TRANSPORT_ONLY; phase <= TRANSPORT_NEXT; phase++) {
		enum haul_error expected = phase == TRANSPORT_NEXT ? HAUL_OK : HAUL_STALE;

		access.phase = (uint8_t)phase;
		version = 0;
		assert_int_equal(region_place(&fixture->table, fixture->counters, &access, payload,
					      &version),
				 expected);
		assert_int_equal(version, expected == HAUL_OK ? 0 : 9);
		assert_int_equal(fixture->memory[GUARD], expected == HAUL_OK ? 1 : 0xee);
	}
	access.phase = TRANSPORT_FIRST;
	version = 0;
	assert_int_equal(region_open(&fixture->table, fixture->counters, &access, &version),
			 HAUL_STALE);
	assert_int_equal(version, 9);
	assert_int_equal(region_find_notices(&fixture->table, fixture->counters, &access, &version,
					     &notices),
			 HAUL_STALE);
	assert_int_equal(region_check_local(&fixture->table, fixture->handle, OWNER, 0, 8),
			 HAUL_STALE);
	assert_false(region_is_writable(&fixture->table, fixture->handle));
	assert_true(region_is_there(&fixture->table, fixture->handle));
	region_retire(&fixture->table, fixture->handle);
	access.phase = TRANSPORT_NEXT;
	assert_int_equal(place(fixture, &access), HAUL_STALE);
	assert_false(region_is_there(&fixture->table, fixture->handle));
}

static void region_open__checks_as_a_source_does(void **state)
{
	struct fixture *fixture = *state;
	uint64_t other = fixture_add(fixture, HAUL_RIGHT_WRITE);
	struct transport_access access = access_of(fixture->handle, 0, BYTES);
	uint64_t version = 0;

	access.phase = TRANSPORT_FIRST;
	assert_int_equal(region_open(&fixture->table, fixture->counters, &access, &version),
			 HAUL_OK);
	access.offset = 1;
	assert_int_equal(region_open(&fixture->table, fixture->counters, &access, &version),
			 HAUL_RANGE);
	access = access_of(other, 0, 1);
	assert_int_equal(region_open(&fixture->table, fixture->counters, &access, &version),
			 HAUL_DENIED);
	access.region = region_handle(0, 2);
	assert_int_equal(region_open(&fixture->table, fixture->counters, &access, &version),
			 HAUL_STALE);
}

static void region_find__refuses_handles_that_cannot_be(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t handles[] = {
		0,
		REGION_NONE,
		region_handle(0, 0),
		region_handle(0, 2),
		region_handle(1, 1), /* never given out */
		region_handle(4, 1), /* behind the table */
		region_handle(0xffffff, 1),
		region_handle(0, REGION_GENERATION_MAX),
		fixture->handle | UINT64_C(1) << 48,
		UINT64_MAX,
	};

	for (size_t i = 0; i < sizeof(handles) / sizeof(handles[0]); i++) {
		struct transport_access access = access_of(handles[i], 0, 1);

		assert_int_equal(place(fixture, &access), HAUL_STALE);
		assert_int_equal(region_check_local(&fixture->table, handles[i], OWNER, 0, 1),
				 HAUL_STALE);
	}
}

static void region_check_local__wants_owner_and_range(void **state)
{
	struct fixture *fixture = *state;
	const struct region_table *table = &fixture->table;

	assert_int_equal(region_check_local(table, fixture->handle, OWNER, 0, BYTES), HAUL_OK);
	assert_int_equal(region_check_local(table, fixture->handle, OWNER, BYTES, 0), HAUL_OK);
	assert_int_equal(region_check_local(table, fixture->handle, OWNER + 1, 0, 1), HAUL_DENIED);
	assert_int_equal(region_check_local(table, fixture->handle, OWNER, 1, BYTES), HAUL_RANGE);
	assert_int_equal(region_check_local(table, fixture->handle, OWNER, BYTES + 1, 0),
			 HAUL_RANGE);
}

static void region_place__refuses_ranges_that_wrap(void **state)
{
	struct fixture *fixture = *state;

	const struct {
		uint64_t offset;
		uint32_t length;
	} ranges[] = {
		{ 0, BYTES + 1 },
		{ 1, BYTES },
		{ BYTES, 1 },
		{ BYTES + 1, 0 },
		{ UINT64_MAX, 1 },
		{ UINT64_MAX, UINT32_MAX },
		{ 0, UINT32_MAX },
		{ UINT64_MAX - BYTES, BYTES },
		{ UINT64_C(1) << 63, 1 },
	};

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		struct transport_access access =
			access_of(fixture->handle, ranges[i].offset, ranges[i].length);

		assert_int_equal(place(fixture, &access), HAUL_RANGE);
	}
	assert_int_equal(fixture->counters[REGION_REFUSED_RANGE], 9);
	assert_int_equal(fixture->counters[REGION_BYTES_PLACED], 0);
}

static void region_place__wants_the_right_of_peers_only(void **state)
{
	struct fixture *fixture = *state;
	uint64_t readable = fixture_add(fixture, HAUL_RIGHT_READ);
	uint64_t private = fixture_add(fixture, 0);
	struct transport_access access = access_of(readable, 0, 8);
	uint8_t bytes[8];
	uint64_t version;

	assert_int_equal(place(fixture, &access), HAUL_DENIED);
	assert_int_equal(
		region_source(&fixture->table, fixture->counters, &access, bytes, &version),
		HAUL_OK);
	assert_int_equal(bytes[0], 0xee);
	access.region = private;
	assert_int_equal(
		region_source(&fixture->table, fixture->counters, &access, bytes, &version),
		HAUL_DENIED);
	access.is_remote = false; /* the initiator's own side */
	assert_int_equal(place(fixture, &access), HAUL_OK);
	assert_int_equal(fixture->counters[REGION_REFUSED_DENIED], 2);
}

/* Its pages are mapped for reading: a single byte placed would end the daemon. */
static void region_place__wants_what_the_peer_has_proven(void **state)
{
	struct fixture *fixture = *state;
	struct transport_access access = access_of(fixture->handle, 0, 8);
	uint8_t bytes[8];
	uint64_t version;

	access.segment = SEGMENT + 1;
	assert_int_equal(place(fixture, &access), HAUL_DENIED);
	access.segment = 0;
	assert_int_equal(place(fixture, &access), HAUL_DENIED);
	assert_int_equal(fixture->counters[REGION_REFUSED_UNPROVEN], 2);
	access.segment = SEGMENT;
	access.rights = HAUL_RIGHT_READ;
	assert_int_equal(place(fixture, &access), HAUL_DENIED);
	assert_int_equal(fixture->counters[REGION_REFUSED_DENIED], 1);
	assert_int_equal(
		region_source(&fixture->table, fixture->counters, &access, bytes, &version),
		HAUL_OK);
	access.rights = HAUL_RIGHT_WRITE;
	assert_int_equal(
		region_source(&fixture->table, fixture->counters, &access, bytes, &version),
		HAUL_DENIED);
	assert_int_equal(fixture->memory[GUARD], 0xee);
	assert_int_equal(place(fixture, &access), HAUL_OK);
	/* The node's own side proves nothing to itself. */
	access.is_remote = false;
	access.segment = access.rights = 0;
	assert_int_equal(place(fixture, &access), HAUL_OK);
}

static void region_place__leaves_read_only_memory_alone(void **state)
{
	struct fixture *fixture = *state;
	struct region *region = &fixture->table.regions[region_slot(fixture->handle)];
	struct transport_access access = access_of(fixture->handle, 0, 8);
	struct transport_access target = access_of(fixture->handle, 16, 8);
	uint8_t bytes[8];
	uint64_t version;

	region->spec.rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
	assert_true(region_is_writable(&fixture->table, fixture->handle));
	region->spec.is_read_only = true;
	assert_false(region_is_writable(&fixture->table, fixture->handle));
	assert_false(region_is_writable(&fixture->table, region_handle(0, 7)));
	for (int i = 0; i < 2; i++) {
		access.is_remote = target.is_remote = i == 0;
		assert_int_equal(place(fixture, &access), HAUL_DENIED);
		assert_int_equal(
			region_copy(&fixture->table, fixture->counters, &target, &access, &version),
			HAUL_DENIED);
		assert_int_equal(
			region_source(&fixture->table, fixture->counters, &access, bytes, &version),
			HAUL_OK);
	}
	assert_int_equal(fixture->counters[REGION_REFUSED_DENIED], 4);
	region->spec.is_read_only = false;
	assert_int_equal(place(fixture, &access), HAUL_OK);
}

static void region_place__tells_the_version_with_a_refusal(void **state)
{
	struct fixture *fixture = *state;
	struct transport_access access = access_of(fixture->handle, 0, 8);
	uint64_t version = 0;

	region_set_version(&fixture->table, fixture->handle, 42);
	region_retire(&fixture->table, fixture->handle);
	assert_int_equal(
		region_place(&fixture->table, fixture->counters, &access, &version, &version),
		HAUL_STALE);
	assert_int_equal(version, 42);
	access.region = region_handle(0xffffff, 1);
	assert_int_equal(
		region_place(&fixture->table, fixture->counters, &access, &version, &version),
		HAUL_STALE);
	assert_int_equal(version, 0);
}

static void region_place__refuses_what_comes_late(void **state)
{
	struct fixture *fixture = *state;
	struct transport_access access = access_of(fixture->handle, 0, 8);

	access.not_after_us = clock_now_us() - 1;
	assert_int_equal(place(fixture, &access), HAUL_TIMEOUT);
	assert_int_equal(fixture->memory[GUARD], 0xee);
	assert_int_equal(fixture->counters[REGION_REFUSED_LATE], 1);
	access.not_after_us = clock_now_us() + 60 * 1000 * 1000;
	assert_int_equal(place(fixture, &access), HAUL_OK);
	assert_int_equal(fixture->counters[REGION_BYTES_PLACED], 8);
}

static void region_copy__checks_both_sides(void **state)
{
	struct fixture *fixture = *state;
	struct transport_access target = access_of(fixture->handle, 0, 8);
	struct transport_access source = access_of(fixture->handle, 4, 8);
	uint64_t version;

	memcpy(fixture->memory + GUARD, "0123456789abcdef", 16);
	assert_int_equal(
		region_copy(&fixture->table, fixture->counters, &target, &source, &version),
		HAUL_OK);
	assert_memory_equal(fixture->memory + GUARD, "456789ab89abcdef", 16);
	source.offset = BYTES;
	assert_int_equal(
		region_copy(&fixture->table, fixture->counters, &target, &source, &version),
		HAUL_RANGE);
	source.offset = 0;
	target.region = region_handle(3, 1);
	assert_int_equal(
		region_copy(&fixture->table, fixture->counters, &target, &source, &version),
		HAUL_STALE);
	assert_int_equal(fixture->counters[REGION_BYTES_PLACED], 8);
	assert_int_equal(fixture->counters[REGION_BYTES_SOURCED], 8);
}

static void region_touch__of_vanished_memory_is_a_fault(void **state)
{
	struct fixture *fixture = *state;
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct region_spec spec = { .length = PAGE_BYTES,
				    .owner = OWNER,
				    .segment = SEGMENT,
				    .rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE };
	struct transport_access access;
	uint8_t bytes[8] = { 0 };
	uint64_t version;

	assert_int_equal(fault_init(), 0);
	assert_int_equal(ftruncate(fd, PAGE_BYTES), 0);
	spec.base = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(fault_range_add(spec.base, PAGE_BYTES, PAGE_BYTES, &spec.fault_id), 0);
	access = access_of(region_add(&fixture->table, &spec), 0, 8);
	assert_int_equal(place(fixture, &access), HAUL_OK);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(
		region_source(&fixture->table, fixture->counters, &access, bytes, &version),
		HAUL_FAULT);
	assert_int_equal(place(fixture, &access), HAUL_FAULT);
	assert_int_equal(fixture->counters[REGION_FAULTS], 2);
	region_retire(&fixture->table, access.region);
	fault_range_remove(spec.fault_id);
	munmap(spec.base, PAGE_BYTES);
	close(fd);
}

static void region_lend__tells_where_bytes_stand(void **state)
{
	struct fixture *fixture = *state;
	uint8_t memory[64];
	struct region_spec spec = {
		.base = memory, .length = sizeof(memory), .owner = OWNER, .fault_id = FAULT_NONE
	};
	struct transport_access access =
		access_of(region_add(&fixture->table, &spec), 8, sizeof(memory) - 8);
	const void *bytes = NULL;
	uint64_t version;

	access.is_remote = false;
	assert_int_equal(region_lend(&fixture->table, fixture->counters, &access, &bytes, &version),
			 HAUL_OK);
	assert_ptr_equal(bytes, memory + 8);
	assert_int_equal(fixture->counters[REGION_BYTES_SOURCED], sizeof(memory) - 8);
	assert_true(region_is_sound(&fixture->table, access.region));
	access.offset++;
	assert_int_equal(region_lend(&fixture->table, fixture->counters, &access, &bytes, &version),
			 HAUL_RANGE);
	access.offset--;
	access.not_after_us = 1;
	assert_int_equal(region_lend(&fixture->table, fixture->counters, &access, &bytes, &version),
			 HAUL_TIMEOUT);
	region_retire(&fixture->table, access.region);
	assert_int_equal(region_lend(&fixture->table, fixture->counters, &access, &bytes, &version),
			 HAUL_STALE);
	assert_int_equal(fixture->counters[REGION_BYTES_SOURCED], sizeof(memory) - 8);
}

/* Who was lent memory meets the fault by itself, and is told of it afterwards; from then on nothing is lent. */
static void region_is_sound__not_when_a_page_was_replaced(void **state)
{
	struct fixture *fixture = *state;
	int fd = memfd_create("test", MFD_CLOEXEC);
	struct region_spec spec = { .length = PAGE_BYTES, .owner = OWNER };
	struct transport_access access;
	const void *bytes = NULL;
	uint64_t version;

	assert_int_equal(fault_init(), 0);
	assert_int_equal(ftruncate(fd, PAGE_BYTES), 0);
	spec.base = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(fault_range_add(spec.base, PAGE_BYTES, PAGE_BYTES, &spec.fault_id), 0);
	access = access_of(region_add(&fixture->table, &spec), 0, 8);
	access.is_remote = false;
	assert_int_equal(region_lend(&fixture->table, fixture->counters, &access, &bytes, &version),
			 HAUL_OK);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_true(region_is_sound(&fixture->table, access.region));
	assert_int_equal(*(const volatile uint8_t *)bytes, 0);
	assert_false(region_is_sound(&fixture->table, access.region));
	assert_int_equal(region_lend(&fixture->table, fixture->counters, &access, &bytes, &version),
			 HAUL_FAULT);
	region_retire(&fixture->table, access.region);
	fault_range_remove(spec.fault_id);
	munmap(spec.base, PAGE_BYTES);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(region_add__gives_slots_until_none_is_left),
		CASE(region_release__gives_the_slot_another_generation),
		CASE(region_table_seed__begins_at_another_generation),
		CASE(region_release__retires_a_slot_that_is_used_up),
		CASE(region_drain__lets_only_the_open_go_on),
		CASE(region_open__checks_as_a_source_does),
		CASE(region_find__refuses_handles_that_cannot_be),
		CASE(region_check_local__wants_owner_and_range),
		CASE(region_place__refuses_ranges_that_wrap),
		CASE(region_place__wants_the_right_of_peers_only),
		CASE(region_place__wants_what_the_peer_has_proven),
		CASE(region_place__leaves_read_only_memory_alone),
		CASE(region_place__tells_the_version_with_a_refusal),
		CASE(region_place__refuses_what_comes_late),
		CASE(region_copy__checks_both_sides),
		CASE(region_touch__of_vanished_memory_is_a_fault),
		CASE(region_lend__tells_where_bytes_stand),
		CASE(region_is_sound__not_when_a_page_was_replaced),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
