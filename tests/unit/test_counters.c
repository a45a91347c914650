/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a reader sees what each writer wrote, and no file can lead it outside of what it mapped.
 * Method: write, read back through a second mapping; then the same file with every byte of its
 * directory damaged in turn, and cut short at every length.
 */
#include "base/counters.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PORT_COUNTERS(X)                                            \
	X(PORT_PACKETS, "packets", "packets", "taken from the NIC") \
	X(PORT_BYTES, "bytes", "bytes", "in those packets")         \
	X(PORT_SHORT, "short", "packets", "dropped: no room for a header")

enum port_counter {
	PORT_COUNTERS(COUNTER_ENUM) PORT_COUNTER_COUNT
};

static const struct counter_spec port_specs[] = { PORT_COUNTERS(COUNTER_SPEC) };
static const struct counter_spec worker_specs[] = { { "rounds", "rounds", "of the poll loop" } };

static const struct counter_group groups[] = {
	{ "port", port_specs, PORT_COUNTER_COUNT },
	{ "worker", worker_specs, 1 },
	{ "empty", NULL, 0 },
};

#define GROUPS  3u
#define THREADS 3u

static char directory[] = "/tmp/haul-test-XXXXXX";
static char path[64];

static int directory_make(void **state)
{
	(void)state;
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/counters", directory);
	return 0;
}

static int directory_remove(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static void value_print(const struct counter_value *value, void *argument)
{
	char *text = argument;
	size_t length = strlen(text);

	snprintf(text + length, 1024 - length, "%s.%s %" PRIu64 " %s; ", value->group, value->name,
		 value->value, value->unit);
}

static void counters_each__sums_over_threads(void **state)
{
	struct counters_view *view = NULL;
	struct counters *counters = NULL;
	char text[1024] = "";

	(void)state;
	assert_int_equal(counters_create(path, groups, GROUPS, THREADS, &counters), 0);
	for (unsigned int thread = 0; thread < THREADS; thread++) {
		counter_add(&counters_block(counters, 0, thread)[PORT_BYTES], 100 + thread);
		counters_block(counters, 1, thread)[0]++;
	}
	assert_int_equal(counters_open(path, &view), 0);
	assert_int_equal(counters_threads(view), THREADS);
	counters_each(view, value_print, text);
	assert_string_equal(text, "port.packets 0 packets; port.bytes 303 bytes; "
				  "port.short 0 packets; worker.rounds 3 rounds; ");
	/* The view is live. */
	counter_add(&counters_block(counters, 0, 1)[PORT_BYTES], 1000);
	text[0] = '\0';
	counters_each_of(view, 1, value_print, text);
	assert_string_equal(text, "port.packets 0 packets; port.bytes 1101 bytes; "
				  "port.short 0 packets; worker.rounds 1 rounds; ");
	counters_close(view);
	counters_destroy(counters);
	assert_int_equal(access(path, F_OK), -1);
}

static void counters_block__is_alone_on_its_lines(void **state)
{
	struct counters *counters = NULL;

	(void)state;
	assert_int_equal(counters_create(path, groups, GROUPS, THREADS, &counters), 0);
	for (unsigned int thread = 0; thread < THREADS; thread++) {
		assert_int_equal((uintptr_t)counters_block(counters, 0, thread) % 64, 0);
		assert_int_equal((uintptr_t)counters_block(counters, 1, thread) % 64, 0);
	}
	assert_true(counters_block(counters, 0, 1) - counters_block(counters, 0, 0) >= 8);
	counters_destroy(counters);
	counters_destroy(NULL);
}

static void counters_create__replaces_and_refuses(void **state)
{
	const struct counter_spec long_spec = {
		"a_name_that_is_far_too_long_for_the_field_it_goes_to", "", ""
	};
	const struct counter_group long_group = { "group", &long_spec, 1 };
	struct counters *counters = NULL;
	struct counters *again = NULL;

	(void)state;
	assert_int_equal(counters_create(path, groups, GROUPS, 0, &counters), -EINVAL);
	assert_int_equal(counters_create(path, groups, GROUPS, 1000, &counters), -EINVAL);
	assert_int_equal(counters_create(path, &long_group, 1, 1, &counters), -EINVAL);
	assert_int_equal(counters_create("/nonexistent/counters", groups, 1, 1, &counters),
			 -ENOENT);
	assert_null(counters);
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(counters_create(path, groups, GROUPS, 1, &counters), 0);
	assert_int_equal(counters_create(path, groups, GROUPS, 2, &again), 0);
	counters_destroy(counters);
	counters_destroy(again);
}

static void file_write(const uint8_t *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, length), length);
	close(fd);
}

/*
 * Open, and read all of it if it opens: the sanitizers and the kernel say whether that stayed
 * inside.
 */
static void file_try(void)
{
	struct counters_view *view = NULL;
	char text[1024] = "";

	if (counters_open(path, &view) == 0)
		counters_each(view, value_print, text);
	counters_close(view);
}

static void counters_open__damaged_files(void **state)
{
	struct counters *counters = NULL;
	uint8_t bytes[16384];
	ssize_t length;
	int fd;

	(void)state;
	assert_int_equal(counters_create(path, groups, GROUPS, THREADS, &counters), 0);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	length = read(fd, bytes, sizeof(bytes));
	assert_in_range(length, 1000, sizeof(bytes) - 1);
	close(fd);
	counters_destroy(counters);
	for (ssize_t i = 0; i < length; i++) {
		uint8_t saved = bytes[i];

		bytes[i] = (uint8_t)~saved;
		file_write(bytes, (size_t)length);
		file_try();
		bytes[i] = saved;
	}
	for (ssize_t cut = 0; cut < length; cut += 7) {
		struct counters_view *view = NULL;

		file_write(bytes, (size_t)cut);
		assert_int_equal(counters_open(path, &view), -EINVAL);
	}
}

static void counters_open__another_version(void **state)
{
	struct counters_view *view = NULL;
	struct counters *counters = NULL;
	uint32_t version = 99;
	int fd;

	(void)state;
	assert_int_equal(counters_create(path, groups, GROUPS, THREADS, &counters), 0);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, &version, sizeof(version), 8), sizeof(version));
	close(fd);
	assert_int_equal(counters_open(path, &view), -EPROTONOSUPPORT);
	counters_destroy(counters);
	assert_int_equal(counters_open(path, &view), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_each__sums_over_threads),
		cmocka_unit_test(counters_block__is_alone_on_its_lines),
		cmocka_unit_test(counters_create__replaces_and_refuses),
		cmocka_unit_test(counters_open__damaged_files),
		cmocka_unit_test(counters_open__another_version),
	};

	return cmocka_run_group_tests(tests, directory_make, directory_remove);
}
