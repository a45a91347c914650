/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a line has the promised shape, cannot be forged or overlong, and repetition is told of but
 * not printed. Method: standard error is a pipe while a case runs, and what came out of it is
 * looked at.
 */
#include "base/log.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static int stderr_saved;
static int pipe_fds[2];

static int capture_start(void **state)
{
	(void)state;
	log_set_level(LOG_LEVEL_INFO);
	stderr_saved = dup(STDERR_FILENO);
	if (pipe2(pipe_fds, O_NONBLOCK) != 0)
		return -1;
	return dup2(pipe_fds[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static int capture_end(void **state)
{
	(void)state;
	dup2(stderr_saved, STDERR_FILENO);
	close(stderr_saved);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	return 0;
}

/* What was logged since the last call, as a string. */
static const char *captured(void)
{
	static char text[16384];
	ssize_t length = read(pipe_fds[0], text, sizeof(text) - 1);

	text[length > 0 ? length : 0] = '\0';
	return text;
}

static unsigned int lines_of(const char *text)
{
	unsigned int count = 0;

	for (; *text != '\0'; text++)
		count += *text == '\n';
	return count;
}

static void log_info__shape(void **state)
{
	const char *text;

	(void)state;
	errno = ENOENT;
	log_info("area", "port %d: opened", 3);
	assert_int_equal(errno, ENOENT);
	text = captured();
	assert_string_equal(text + strlen("2000-01-01T00:00:00.000Z"),
			    " info area: port 3: opened\n");
	assert_int_equal(text[10], 'T');
}

static void log_debug__below_the_level(void **state)
{
	(void)state;
	log_debug("area", "not seen");
	assert_string_equal(captured(), "");
	log_set_level(LOG_LEVEL_DEBUG);
	log_debug("area", "seen");
	assert_int_equal(lines_of(captured()), 1);
	log_set_level(LOG_LEVEL_ERROR);
	log_warning("area", "not seen");
	assert_string_equal(captured(), "");
}

static void log_error__no_forged_or_endless_line(void **state)
{
	char text[4000];

	(void)state;
	log_error("area", "said %s", "a\nerror b: forged");
	assert_int_equal(lines_of(captured()), 1);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_error("area", "%s", text);
	assert_int_equal(strlen(captured()), LOG_LINE_BYTES - 1);
}

static void log_limited__tells_what_it_kept_back(void **state)
{
	struct log_limit limit = { 0 };
	unsigned int lines;

	(void)state;
	for (int i = 0; i < 1000; i++)
		log_limited(&limit, LOG_LEVEL_WARNING, "area", "again %d", i);
	lines = lines_of(captured());
	/*
	 * A second may have ended meanwhile, which lets as many more pass, and a line about the
	 * rest.
	 */
	assert_in_range(lines, LOG_LIMIT_LINES, 3 * (LOG_LIMIT_LINES + 1));
	assert_true(limit.squashed > 0);
	limit.squashed = 7;
	limit.second = 0;
	log_limited(&limit, LOG_LEVEL_WARNING, "area", "at last");
	assert_non_null(strstr(captured(), "area: 7 similar lines were kept back\n"));
	assert_int_equal(limit.squashed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(log_info__shape, capture_start, capture_end),
		cmocka_unit_test_setup_teardown(log_debug__below_the_level, capture_start,
						capture_end),
		cmocka_unit_test_setup_teardown(log_error__no_forged_or_endless_line, capture_start,
						capture_end),
		cmocka_unit_test_setup_teardown(log_limited__tells_what_it_kept_back, capture_start,
						capture_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
