/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: buffers are asked for as the daemon expects it, mapped where they are to be, and leave nothing behind when they
 * cannot be had.
 * Method: a fake daemon that answers, or misbehaves.
 */
#include "api/haul.h"
#include "base/check.h"
#include "fake_daemon.h"
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

static struct fake_daemon fake;
static struct haul *haul;

static int setup(void **state)
{
	struct haul_options options = { .timeout_ms = 5000 };

	(void)state;
	fake_daemon_start(&fake);
	options.socket_path = fake.path;
	return haul_attach(&options, &haul);
}

static int teardown(void **state)
{
	(void)state;
	haul_detach(haul);
	fake_daemon_stop(&fake);
	return 0;
}

static void haul_buffer_add__maps_what_the_daemon_made(void **state)
{
	const struct haul_buffer_options options = { .offset = HAUL_OFFSET_ANY, .bytes = 5000 };
	struct haul_memory memory;

	(void)state;
	assert_int_equal(haul_buffer_add(haul, 7, &options, &memory), 0);
	assert_int_equal(fake.add.segment, 7);
	assert_int_equal(fake.add.offset, HAUL_OFFSET_ANY);
	assert_int_equal(fake.add.bytes, 5000);
	assert_int_equal(fake.add.flags, 0);
	assert_int_equal(memory.bytes, 8192);
	assert_int_equal(memory.offset, 12288);
	assert_int_equal(memory.segment, 7);
	assert_int_equal(memory.version, 6);
	((uint8_t *)memory.address)[8191] = 1;
}

/* All buffers of a segment are unmapped with it, whichever is named. */
static void haul_buffer_add__goes_with_its_segment(void **state)
{
	const struct haul_segment_options segment = { .name = "s",
						      .bytes = 4096,
						      .space_bytes = 65536 };
	const struct haul_buffer_options options = { .offset = 8192, .bytes = 4096 };
	struct haul_memory memories[2];
	void *addresses[2];

	(void)state;
	assert_int_equal(haul_segment_create(haul, &segment, &memories[0]), 0);
	assert_int_equal(fake.create.space_bytes, 65536);
	assert_int_equal(haul_buffer_add(haul, memories[0].segment, &options, &memories[1]), 0);
	for (int i = 0; i < 2; i++)
		addresses[i] = memories[i].address;
	assert_int_equal(haul_segment_destroy(haul, &memories[1]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(msync(addresses[i], 4096, MS_ASYNC), -1);
	assert_int_equal(haul_segment_destroy(haul, &memories[0]), -HAUL_NOT_FOUND);
}

static void haul_buffer_add__given_is_sent_along(void **state)
{
	struct haul_buffer_options options = { .bytes = 4096, .is_given = 1, .is_read_only = 1 };
	struct haul_memory memory;

	(void)state;
	options.fd = memfd_create("mine", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(options.fd, 4096), 0);
	assert_int_equal(haul_buffer_add(haul, 7, &options, &memory), 0);
	assert_int_equal(fake.add.flags, HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_READ_ONLY);
	assert_null(memory.address);
	close(options.fd);
	assert_int_equal(haul_buffer_add(haul, 7, &options, &memory), -HAUL_INVALID);
	assert_non_null(strstr(haul_reason(haul), "is no descriptor"));
}

static void haul_buffer_add__refused(void **state)
{
	const struct haul_buffer_options options = { .bytes = 4096 };
	struct haul_memory memory = { .bytes = 17 };

	(void)state;
	atomic_store(&fake.trouble_type, HAUL_ATTACH_BUFFER_ADD);
	atomic_store(&fake.trouble, FAKE_REFUSAL);
	assert_int_equal(haul_buffer_add(haul, 7, &options, &memory), -HAUL_DENIED);
	assert_string_equal(haul_reason(haul), "the fake daemon says no");
	assert_int_equal(memory.bytes, 17);
}

/* A daemon that answers too late has added it all the same: the next call gives it back. */
static void haul_buffer_add__late(void **state)
{
	const struct haul_buffer_options options = { .bytes = 4096 };
	struct haul_memory memory;

	(void)state;
	haul_detach(haul);
	assert_int_equal(
		haul_attach(&(struct haul_options){ .socket_path = fake.path, .timeout_ms = 50 },
			    &haul),
		0);
	atomic_store(&fake.trouble_type, HAUL_ATTACH_BUFFER_ADD);
	atomic_store(&fake.trouble, FAKE_SILENCE);
	assert_int_equal(haul_buffer_add(haul, 7, &options, &memory), -HAUL_TIMEOUT);
	fake_daemon_speak(&fake);
	while (haul_buffer_add(haul, 7, &options, &memory) == -HAUL_TIMEOUT)
		continue;
	assert_int_equal(atomic_load(&fake.removed), UINT64_C(0x123456789abd));
}

static void haul_buffer_unmap__of_what_is_there(void **state)
{
	const struct haul_buffer_options options = { .bytes = 4096 };
	struct haul_memory memory;
	void *address;

	(void)state;
	assert_int_equal(haul_buffer_add(haul, 7, &options, &memory), 0);
	address = memory.address;
	assert_int_equal(msync(address, 4096, MS_ASYNC), 0);
	assert_int_equal(haul_buffer_unmap(haul, &memory), 0);
	assert_int_equal(msync(address, 4096, MS_ASYNC), -1);
	assert_null(memory.address);
	assert_int_equal(haul_buffer_unmap(haul, &memory), -HAUL_NOT_FOUND);
}

static void haul_extent_publish__and_retire(void **state)
{
	const struct haul_memory memory = { .region = 77 };
	uint64_t extent = 5;

	(void)state;
	assert_int_equal(haul_extent_publish(haul, &memory, 4096, UINT64_C(1) << 33, &extent), 0);
	assert_int_equal(fake.publish.region, 77);
	assert_int_equal(fake.publish.offset, 4096);
	assert_int_equal(fake.publish.bytes, UINT64_C(1) << 33);
	assert_int_equal(extent, UINT64_C(0x123456789abe));
	assert_int_equal(haul_extent_retire(haul, extent), 0);
	assert_int_equal(atomic_load(&fake.removed), extent);
	atomic_store(&fake.trouble_type, HAUL_ATTACH_EXTENT_PUBLISH);
	atomic_store(&fake.trouble, FAKE_REFUSAL);
	extent = 5;
	assert_int_equal(haul_extent_publish(haul, &memory, 0, 1, &extent), -HAUL_DENIED);
	assert_int_equal(extent, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(haul_buffer_add__maps_what_the_daemon_made),
		CASE(haul_buffer_add__goes_with_its_segment),
		CASE(haul_buffer_add__given_is_sent_along),
		CASE(haul_buffer_add__refused),
		CASE(haul_buffer_add__late),
		CASE(haul_buffer_unmap__of_what_is_there),
		CASE(haul_extent_publish__and_retire),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
