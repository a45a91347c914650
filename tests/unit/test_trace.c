/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a reader sees what each thread wrote, whole, in the order of time and in each ring's order, and is told how many
 * it missed; the writer never waits for it; no file leads a reader outside of what it mapped. Method: write and read back
 * through a second mapping; a writer that never stops beside a reader, whose every record carries what makes it whole; the
 * file with each byte of its header damaged, and cut short.
 */
#include "base/check.h"
#include "base/trace.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

/* Records that the racing writer writes at least. */
#define RACE_RECORDS (TRACE_RECORDS * 64u)

static char directory[] = "/tmp/test-trace-XXXXXX";
static char path[64];
static struct trace *trace;

static int start(void **state)
{
	(void)state;
	memcpy(directory, "/tmp/test-trace-XXXXXX", sizeof(directory));
	if (mkdtemp(directory) == NULL)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/trace", directory);
	return trace_create(path, 2, &trace);
}

static int stop(void **state)
{
	(void)state;
	trace_destroy(trace);
	return rmdir(directory);
}

static void write_number(uint64_t number)
{
	struct trace_event event = { .kind = TRACE_RAIL,
				     .segment = "s",
				     .node = "b",
				     .incarnation = ~number,
				     .number = number,
				     .from = "up",
				     .to = "doubtful",
				     .why = "probes are not answered" };

	trace_write(&event);
}

static void trace_next__gives_what_was_written(void **state)
{
	struct trace_view *view = NULL;
	struct trace_record record;
	uint64_t missed = 0;

	(void)state;
	assert_int_equal(trace_open(path, &view), 0);
	assert_int_equal(trace_threads(view), 2);
	assert_false(trace_next(view, &record, &missed));
	trace_bind(trace, 1);
	write_number(7);
	assert_true(trace_next(view, &record, &missed));
	assert_int_equal(record.kind, TRACE_RAIL);
	assert_int_equal(record.thread, 1);
	assert_int_equal(record.number, 7);
	assert_string_equal(record.segment, "s");
	assert_string_equal(record.node, "b");
	assert_string_equal(record.from, "up");
	assert_string_equal(record.to, "doubtful");
	assert_string_equal(record.why, "probes are not answered");
	assert_false(trace_next(view, &record, &missed));
	assert_int_equal(missed, 0);
	trace_close(view);
}

static void trace_next__takes_all_rings_by_time(void **state)
{
	struct trace_view *view = NULL;
	struct trace_record record;
	uint64_t missed = 0, last_us = 0;

	(void)state;
	for (uint64_t i = 0; i < 100; i++) {
		trace_bind(trace, i % 3 == 0);
		write_number(i);
	}
	assert_int_equal(trace_open(path, &view), 0);
	for (uint64_t i = 0; i < 100; i++) {
		assert_true(trace_next(view, &record, &missed));
		assert_true(record.time_us >= last_us);
		last_us = record.time_us;
	}
	assert_false(trace_next(view, &record, &missed));
	trace_close(view);
}

static void trace_next__says_what_was_overwritten(void **state)
{
	struct trace_view *view = NULL;
	struct trace_record record;
	uint64_t missed = 0;

	(void)state;
	assert_int_equal(trace_open(path, &view), 0);
	trace_bind(trace, 0);
	for (uint64_t i = 0; i < TRACE_RECORDS + 10; i++)
		write_number(i);
	for (uint64_t i = 10; i < TRACE_RECORDS + 10; i++) {
		assert_true(trace_next(view, &record, &missed));
		assert_int_equal(record.number, i);
	}
	assert_int_equal(missed, 10);
	assert_false(trace_next(view, &record, &missed));
	trace_close(view);
}

static void trace_write__cuts_what_is_long_and_bears_what_is_missing(void **state)
{
	static const char unended[TRACE_NAME_BYTES] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	const struct trace_event event = { .kind = TRACE_OPENING,
					   .segment = unended,
					   .to = "a word that is far too long" };
	struct trace_view *view = NULL;
	struct trace_record record;
	uint64_t missed = 0;

	(void)state;
	trace_bind(NULL, 0);
	trace_write(&event);
	trace_bind(trace, 0);
	trace_write(&event);
	assert_int_equal(trace_open(path, &view), 0);
	assert_true(trace_next(view, &record, &missed));
	assert_int_equal(strlen(record.segment), TRACE_NAME_BYTES - 1);
	assert_string_equal(record.to, "a word that is ");
	assert_string_equal(record.from, "");
	assert_string_equal(record.why, "");
	assert_false(trace_next(view, &record, &missed));
	trace_close(view);
}

static _Atomic bool is_read;

static void *race_write(void *arg)
{
	(void)arg;
	trace_bind(trace, 0);
	for (uint64_t i = 0; i < RACE_RECORDS || !atomic_load(&is_read); i++)
		write_number(i);
	return NULL;
}

/* Numbers only grow, what is between them was missed, and no record is made of two. */
static void trace_next__beside_a_writer_gives_whole_records(void **state)
{
	struct trace_view *view = NULL;
	struct trace_record record;
	uint64_t missed = 0, next = 0;
	pthread_t writer;

	(void)state;
	atomic_store(&is_read, false);
	assert_int_equal(trace_open(path, &view), 0);
	assert_int_equal(pthread_create(&writer, NULL, race_write, NULL), 0);
	for (unsigned int i = 0; i < RACE_RECORDS / 4;) {
		if (!trace_next(view, &record, &missed))
			continue;
		assert_int_equal(record.incarnation, ~record.number);
		assert_true(record.number >= next);
		next = record.number + 1;
		assert_int_equal(next, i + 1 + missed);
		i++;
	}
	atomic_store(&is_read, true);
	pthread_join(writer, NULL);
	trace_close(view);
}

static void trace_open__refuses_damaged_files(void **state)
{
	struct trace_view *view = NULL;
	struct stat status;
	int fd = open(path, O_RDWR);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	/* All but the wall clock, which may be anything. */
	for (off_t at = 0; at < 32; at++) {
		uint8_t good, bad;

		assert_int_equal(pread(fd, &good, 1, at), 1);
		bad = good ^ 0x41;
		assert_int_equal(pwrite(fd, &bad, 1, at), 1);
		assert_true(trace_open(path, &view) < 0);
		assert_int_equal(pwrite(fd, &good, 1, at), 1);
	}
	assert_int_equal(ftruncate(fd, status.st_size - 1), 0);
	assert_int_equal(trace_open(path, &view), -EINVAL);
	assert_int_equal(ftruncate(fd, 10), 0);
	assert_int_equal(trace_open(path, &view), -EINVAL);
	/* Again as it was: its owner still has it mapped. */
	assert_int_equal(ftruncate(fd, status.st_size), 0);
	close(fd);
	assert_int_equal(trace_open("/nonexistent", &view), -ENOENT);
}

static void trace_kind_text__has_a_word_for_each(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < TRACE_KIND_COUNT; i++)
		assert_string_not_equal(trace_kind_text(i), "unknown");
	assert_string_equal(trace_kind_text(TRACE_KIND_COUNT), "unknown");
}

#define TRACE_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TRACE_TEST(trace_next__gives_what_was_written),
		TRACE_TEST(trace_next__takes_all_rings_by_time),
		TRACE_TEST(trace_next__says_what_was_overwritten),
		TRACE_TEST(trace_write__cuts_what_is_long_and_bears_what_is_missing),
		TRACE_TEST(trace_next__beside_a_writer_gives_whole_records),
		TRACE_TEST(trace_open__refuses_damaged_files),
		cmocka_unit_test(trace_kind_text__has_a_word_for_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
