/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a defect ends the process and names its place; what is only odd is counted.
 * Method: the ends happen in children whose standard error is a pipe.
 */
#include "base/check.h"
#include "unit.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Run fn in a child, put what it says into text, and return the signal that ended it. */
static int child_run(void (*fn)(void), char *text, size_t size)
{
	const struct rlimit no_core = { 0, 0 };
	int status = 0;
	int fds[2];
	ssize_t length;
	pid_t child;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(fds[1], STDERR_FILENO);
		fn();
		_exit(0);
	}
	close(fds[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	length = read(fds[0], text, size - 1);
	text[length > 0 ? length : 0] = '\0';
	close(fds[0]);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void child_has_a_defect(void)
{
	volatile int number = 3;

	BUG_ON(number == 4);
#line 1234 "a_file.c"
	BUG_ON(number == 3);
}

static void bug_on__names_its_place(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(child_run(child_has_a_defect, text, sizeof(text)), SIGABRT);
	assert_non_null(strstr(text, "defect: a_file.c:1234: number == 3\n"));
}

static void child_asserts(void)
{
	volatile int number = 3;

	ASSERT(number == 4);
}

static void assert__in_all_builds_but_a_release(void **state)
{
	char text[256];
	int expected = 0;

#ifdef HAUL_DEBUG
	expected = SIGABRT;
#endif
	(void)state;
	assert_int_equal(child_run(child_asserts, text, sizeof(text)), expected);
}

static void count_if__counts_what_holds(void **state)
{
	uint64_t counter = 7;

	(void)state;
	assert_true(COUNT_IF(counter == 7, &counter));
	assert_false(COUNT_IF(counter == 7, &counter));
	assert_int_equal(counter, 8);
}

static void container_of__is_the_inverse_of_a_member(void **state)
{
	struct outer {
		int first;
		int second;
	} outer;

	(void)state;
	assert_ptr_equal(CONTAINER_OF(&outer.second, struct outer, second), &outer);
	assert_true(IS_POWER_OF_TWO(64u));
	assert_false(IS_POWER_OF_TWO(0u));
	assert_false(IS_POWER_OF_TWO(96u));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bug_on__names_its_place),
		cmocka_unit_test(assert__in_all_builds_but_a_release),
		cmocka_unit_test(count_if__counts_what_holds),
		cmocka_unit_test(container_of__is_the_inverse_of_a_member),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
