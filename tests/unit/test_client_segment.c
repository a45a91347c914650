/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: each call about segments sends what it was asked, returns what was answered, and leaves its out-parameter
 * alone when it fails; an answer that comes after the call was given up is undone and never taken for another's.
 * Method: the fake daemon shows the requests that it got, and misbehaves where told.
 */
#include "api/haul.h"
#include "fake_daemon.h"
#include "unit.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static struct fake_daemon fake;
static struct haul *haul;

static const struct haul_segment_options segment = { .name = "a/b", .bytes = 5000 };

static int setup(void **state)
{
	struct haul_options options = { .timeout_ms = 20000 };

	(void)state;
	fake_daemon_start(&fake);
	options.socket_path = fake.path;
	return haul_attach(&options, &haul);
}

/* With a time-out that the test means to reach. */
static int setup_hasty(void **state)
{
	struct haul_options options = { .timeout_ms = 60 };

	(void)state;
	fake_daemon_start(&fake);
	options.socket_path = fake.path;
	while (haul_attach(&options, &haul) == -HAUL_TIMEOUT)
		continue;
	return haul == NULL;
}

static int teardown(void **state)
{
	(void)state;
	haul_detach(haul);
	fake_daemon_stop(&fake);
	return 0;
}

static void haul_segment_create__and_destroy(void **state)
{
	struct haul_segment_options options = segment;
	struct haul_memory memory;
	uint8_t *bytes;

	(void)state;
	options.readers = "*";
	options.writers = "x,y";
	assert_int_equal(haul_segment_create(haul, &options, &memory), 0);
	assert_string_equal(fake.create.name, "a/b");
	assert_string_equal(fake.create.readers, "*");
	assert_string_equal(fake.create.writers, "x,y");
	assert_int_equal(fake.create.bytes, 5000);
	assert_int_equal(fake.create.flags, 0);
	assert_int_equal(memory.bytes, 8192);
	assert_int_equal(memory.page_bytes, 4096);
	assert_int_equal(memory.region, UINT64_C(0x123456789abc));
	assert_int_equal(memory.version, 5);
	bytes = memory.address;
	assert_int_equal((uintptr_t)bytes % 4096, 0);
	for (size_t i = 0; i < memory.bytes; i++)
		assert_int_equal(bytes[i], 0);
	bytes[8191] = 1;
	assert_int_equal(haul_segment_destroy(haul, &memory), 0);
	assert_int_equal(atomic_load(&fake.given_back), 7);
	assert_null(memory.address);
}

static void haul_segment_create__private(void **state)
{
	struct haul_segment_options options = { .bytes = 1, .is_private = 1 };
	struct haul_memory memory;

	(void)state;
	assert_int_equal(haul_segment_create(haul, &options, &memory), 0);
	assert_int_equal(fake.create.flags, HAUL_SEGMENT_PRIVATE);
	assert_string_equal(fake.create.name, "private");
	assert_int_equal(memory.version, 0);
}

/* Memory of the application's own is sent along, and neither mapped nor unmapped here. */
static void haul_segment_create__given(void **state)
{
	struct haul_segment_options options = {
		.name = "given", .bytes = 8192, .is_given = 1, .is_read_only = 1
	};
	struct haul_memory memory;
	struct stat status;
	char *mine;

	(void)state;
	options.fd = memfd_create("mine", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(options.fd, 8192), 0);
	assert_int_equal(fstat(options.fd, &status), 0);
	mine = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, options.fd, 0);
	assert_int_equal(haul_segment_create(haul, &options, &memory), 0);
	assert_int_equal(fake.create.flags, HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_READ_ONLY);
	assert_int_equal(atomic_load(&fake.given_inode), status.st_ino);
	assert_null(memory.address);
	assert_int_equal(memory.bytes, 8192);
	assert_int_equal(close(options.fd), 0);
	assert_int_equal(haul_segment_destroy(haul, &memory), 0);
	assert_int_equal(atomic_load(&fake.given_back), 7);
	mine[8191] = 1;
	munmap(mine, 8192);
	/* It is closed now: said here, before anything is asked. */
	assert_int_equal(haul_segment_create(haul, &options, &memory), -HAUL_INVALID);
	assert_non_null(strstr(haul_reason(haul), "is no descriptor"));
	assert_int_equal(atomic_load(&fake.requests[HAUL_ATTACH_SEGMENT_CREATE]), 1);
}

static void haul_segment_create__texts_that_do_not_fit(void **state)
{
	struct haul_segment_options options = segment;
	struct haul_memory memory;
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[HAUL_NAME_BYTES] = 0;
	options.name = name;
	assert_int_equal(haul_segment_create(haul, &options, &memory), -HAUL_INVALID);
	assert_non_null(strstr(haul_reason(haul), "64 bytes, 63 fit"));
	options.name = "s";
	name[HAUL_NAME_BYTES] = 'n';
	name[HAUL_GRANT_BYTES] = 0;
	options.writers = name;
	assert_int_equal(haul_segment_create(haul, &options, &memory), -HAUL_INVALID);
	assert_non_null(strstr(haul_reason(haul), "writers"));
	assert_int_equal(atomic_load(&fake.requests[HAUL_ATTACH_SEGMENT_CREATE]), 0);
}

static void haul_segment_create__refused(void **state)
{
	struct haul_memory memory;
	struct haul_memory before;

	(void)state;
	memset(&memory, 0x5a, sizeof(memory));
	before = memory;
	fake_daemon_trouble(&fake, FAKE_REFUSAL, HAUL_ATTACH_SEGMENT_CREATE);
	assert_int_equal(haul_segment_create(haul, &segment, &memory), -HAUL_DENIED);
	assert_string_equal(haul_reason(haul), "the fake daemon says no");
	assert_memory_equal(&memory, &before, sizeof(memory));
}

/* Memory that cannot be trusted is not mapped, and given back with the next call. */
static void haul_segment_create__bad_memory(void **state)
{
	struct haul_memory memory;

	(void)state;
	fake_daemon_trouble(&fake, FAKE_MEMORY_PLAIN, HAUL_ATTACH_SEGMENT_CREATE);
	assert_int_equal(haul_segment_create(haul, &segment, &memory), -HAUL_SYSTEM);
	assert_non_null(strstr(haul_reason(haul), "cannot be mapped"));
	fake_daemon_trouble(&fake, FAKE_MEMORY_SMALL, HAUL_ATTACH_SEGMENT_CREATE);
	assert_int_equal(haul_segment_create(haul, &segment, &memory), -HAUL_SYSTEM);
	assert_int_equal(atomic_load(&fake.requests[HAUL_ATTACH_SEGMENT_DESTROY]), 1);
	assert_int_equal(haul_segment_create(haul, &segment, &memory), 0);
	assert_int_equal(atomic_load(&fake.requests[HAUL_ATTACH_SEGMENT_DESTROY]), 2);
}

static void haul_segment_create__late(void **state)
{
	struct haul_memory memory;
	struct haul_remote remote;

	(void)state;
	fake_daemon_trouble(&fake, FAKE_SILENCE, HAUL_ATTACH_SEGMENT_CREATE);
	assert_int_equal(haul_segment_create(haul, &segment, &memory), -HAUL_TIMEOUT);
	assert_non_null(strstr(haul_reason(haul), "60 ms"));
	/* Still silent: the next call may not even ask, since one request is open. */
	assert_int_equal(haul_segment_open(haul, "far", HAUL_READ, &remote), -HAUL_TIMEOUT);
	assert_int_equal(atomic_load(&fake.requests[HAUL_ATTACH_SEGMENT_OPEN]), 0);
	fake_daemon_speak(&fake);
	while (haul_segment_open(haul, "far", HAUL_READ, &remote) == -HAUL_TIMEOUT)
		continue;
	assert_string_equal(remote.node, "far-node");
	assert_int_equal(atomic_load(&fake.requests[HAUL_ATTACH_SEGMENT_DESTROY]), 1);
	assert_int_equal(atomic_load(&fake.given_back), 7);
}

/* It cannot be given back yet: it is not forgotten, or it would stay for ever, and nobody know of it. */
static void haul_segment_create__late_and_stays(void **state)
{
	struct haul_memory memory;
	struct haul_remote remote;
	int error;

	(void)state;
	fake_daemon_trouble(&fake, FAKE_SILENCE, HAUL_ATTACH_SEGMENT_CREATE);
	assert_int_equal(haul_segment_create(haul, &segment, &memory), -HAUL_TIMEOUT);
	fake_daemon_trouble(&fake, FAKE_UNAVAILABLE, HAUL_ATTACH_SEGMENT_DESTROY); /* once */
	fake_daemon_speak(&fake);
	do {
		error = haul_segment_open(haul, "far", HAUL_READ, &remote);
	} while (error == -HAUL_TIMEOUT || error == -HAUL_UNAVAILABLE);
	assert_int_equal(error, 0);
	assert_int_equal(atomic_load(&fake.requests[HAUL_ATTACH_SEGMENT_DESTROY]), 2);
	assert_int_equal(atomic_load(&fake.given_back), 7);
}

static void haul_segment_open__late(void **state)
{
	struct haul_remote remote;

	(void)state;
	fake_daemon_trouble(&fake, FAKE_SILENCE, HAUL_ATTACH_SEGMENT_OPEN);
	assert_int_equal(haul_segment_open(haul, "far", HAUL_READ, &remote), -HAUL_TIMEOUT);
	fake_daemon_speak(&fake);
	while (haul_segment_open(haul, "far", HAUL_READ, &remote) == -HAUL_TIMEOUT)
		continue;
	assert_true(atomic_load(&fake.requests[HAUL_ATTACH_SEGMENT_CLOSE]) >= 1);
	assert_int_equal(atomic_load(&fake.given_back), 0x10001);
}

/* A wait on the rings meets the late answer first: it must not take it for the daemon's end. */
static void haul_segment_open__late_during_a_wait(void **state)
{
	const struct haul_completion *completions;
	struct haul_remote remote;

	(void)state;
	fake_daemon_trouble(&fake, FAKE_SILENCE, HAUL_ATTACH_SEGMENT_OPEN);
	assert_int_equal(haul_segment_open(haul, "far", HAUL_READ, &remote), -HAUL_TIMEOUT);
	fake_daemon_speak(&fake);
	assert_int_equal(haul_wait(haul, 100000, &completions), 0);
	while (haul_segment_open(haul, "far", HAUL_READ, &remote) == -HAUL_TIMEOUT)
		continue;
	assert_true(atomic_load(&fake.requests[HAUL_ATTACH_SEGMENT_CLOSE]) >= 1);
}

static void haul_segment_destroy__late(void **state)
{
	struct haul_memory memory;

	(void)state;
	while (haul_segment_create(haul, &segment, &memory) == -HAUL_TIMEOUT)
		continue;
	fake_daemon_trouble(&fake, FAKE_SILENCE, HAUL_ATTACH_SEGMENT_DESTROY);
	assert_int_equal(haul_segment_destroy(haul, &memory), -HAUL_TIMEOUT);
	assert_non_null(memory.address);
	fake_daemon_speak(&fake);
	while (haul_segment_destroy(haul, &memory) == -HAUL_TIMEOUT)
		continue;
	assert_null(memory.address);
}

static void haul_segment_destroy__not_owned(void **state)
{
	struct haul_memory memory = { .segment = 99 };

	(void)state;
	assert_int_equal(haul_segment_destroy(haul, &memory), -HAUL_NOT_FOUND);
	assert_non_null(strstr(haul_reason(haul), "99"));
}

static void haul_segment_destroy__refused(void **state)
{
	struct haul_memory memory;

	(void)state;
	assert_int_equal(haul_segment_create(haul, &segment, &memory), 0);
	fake_daemon_trouble(&fake, FAKE_REFUSAL, HAUL_ATTACH_SEGMENT_DESTROY);
	assert_int_equal(haul_segment_destroy(haul, &memory), -HAUL_DENIED);
	*(uint8_t *)memory.address = 1; /* still mapped */
}

static void haul_segment_open__and_close(void **state)
{
	struct haul_remote remote;

	(void)state;
	assert_int_equal(haul_segment_open(haul, "far", HAUL_READ | HAUL_WRITE, &remote), 0);
	assert_string_equal(fake.open.name, "far");
	assert_int_equal(fake.open.rights, HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	assert_int_equal(remote.bytes, 1 << 20);
	assert_int_equal(remote.version, 9);
	assert_int_equal(remote.incarnation, 0xabcd);
	assert_int_equal(remote.handle, 0x10001);
	assert_int_equal(remote.rights, HAUL_READ | HAUL_WRITE);
	assert_string_equal(remote.node, "far-node");
	assert_int_equal(haul_segment_close(haul, &remote), 0);
	assert_int_equal(atomic_load(&fake.given_back), 0x10001);
	assert_int_equal(remote.handle, 0);
}

static void haul_segment_open__refused(void **state)
{
	struct haul_remote remote = { .handle = 3 };

	(void)state;
	fake_daemon_trouble(&fake, FAKE_REFUSAL, HAUL_ATTACH_SEGMENT_OPEN);
	assert_int_equal(haul_segment_open(haul, "far", HAUL_READ, &remote), -HAUL_DENIED);
	assert_int_equal(remote.handle, 3);
}

/* One answer that cannot be understood, and the whole attachment is over, with the same sentence from then on. */
static void haul_segment_open__broken_answer(void **state)
{
	const struct haul_completion *completions;
	struct haul_remote remote;

	(void)state;
	fake_daemon_trouble(&fake, FAKE_CUT, HAUL_ATTACH_SEGMENT_OPEN);
	assert_int_equal(haul_segment_open(haul, "far", HAUL_READ, &remote), -HAUL_INTERNAL);
	assert_int_equal(haul_segment_open(haul, "far", HAUL_READ, &remote), -HAUL_DISCONNECTED);
	assert_non_null(strstr(haul_reason(haul), "another size"));
	assert_int_equal(haul_submit(haul), -HAUL_DISCONNECTED);
	assert_int_equal(haul_wait(haul, UINT64_MAX, &completions), -HAUL_DISCONNECTED);
	assert_non_null(strstr(haul_reason(haul), "another size"));
}

static void haul_segment_open__daemon_dies(void **state)
{
	struct haul_remote remote;

	(void)state;
	fake_daemon_trouble(&fake, FAKE_CLOSE, HAUL_ATTACH_SEGMENT_OPEN);
	assert_int_equal(haul_segment_open(haul, "far", HAUL_READ, &remote), -HAUL_DISCONNECTED);
	assert_int_equal(haul_segment_open(haul, "far", HAUL_READ, &remote), -HAUL_DISCONNECTED);
	assert_non_null(strstr(haul_reason(haul), "stopped or was killed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(haul_segment_create__and_destroy, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_create__private, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_create__given, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_create__texts_that_do_not_fit, setup,
						teardown),
		cmocka_unit_test_setup_teardown(haul_segment_create__refused, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_create__bad_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_create__late, setup_hasty, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_create__late_and_stays, setup_hasty,
						teardown),
		cmocka_unit_test_setup_teardown(haul_segment_open__late, setup_hasty, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_open__late_during_a_wait, setup_hasty,
						teardown),
		cmocka_unit_test_setup_teardown(haul_segment_destroy__late, setup_hasty, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_destroy__not_owned, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_destroy__refused, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_open__and_close, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_open__refused, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_open__broken_answer, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_segment_open__daemon_dies, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
