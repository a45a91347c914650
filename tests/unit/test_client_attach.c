/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: haul_attach either gives a channel whose every size was checked, or an error with a sentence that says what
 * was wrong, and leaves nothing open; a forked child can neither use nor harm its parent's attachment.
 * Method: the fake daemon misbehaves in each way once; open descriptors are counted before and after.
 */
#include "api/haul.h"
#include "fake_daemon.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static struct fake_daemon fake;

static int setup(void **state)
{
	(void)state;
	fake_daemon_start(&fake);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_daemon_stop(&fake);
	return 0;
}

static struct haul_options options_make(void)
{
	return (struct haul_options){ .socket_path = fake.path, .timeout_ms = 20000 };
}

static void haul_attach__and_detach(void **state)
{
	struct haul_options options = options_make();
	struct haul *haul = NULL;

	(void)state;
	options.name = "an application";
	options.entries = 16;
	assert_int_equal(haul_attach(&options, &haul), 0);
	assert_string_equal(haul_node(haul), "fake-node");
	assert_string_equal(fake.hello.name, "an application");
	assert_int_equal(fake.hello.entries, 16);
	assert_int_equal(fake.hello.abi_version, HAUL_ABI_VERSION);
	assert_string_equal(haul_reason(haul), "");
	haul_detach(haul);
	haul_detach(NULL);
}

static void haul_attach__by_environment(void **state)
{
	struct haul *haul = NULL;

	(void)state;
	setenv("HAUL_SOCKET", fake.path, 1);
	assert_int_equal(haul_attach(NULL, &haul), 0);
	unsetenv("HAUL_SOCKET");
	assert_string_equal(fake.hello.name, program_invocation_short_name);
	assert_int_equal(fake.hello.entries, 0);
	haul_detach(haul);
}

static void haul_attach__nobody_listens(void **state)
{
	struct haul_options options = { .socket_path = "/nowhere/at-all" };
	struct haul *haul = (struct haul *)&options;

	(void)state;
	assert_int_equal(haul_attach(&options, &haul), -HAUL_DISCONNECTED);
	assert_null(haul);
	assert_non_null(strstr(haul_reason(NULL), "/nowhere/at-all"));
	fake_daemon_kill(&fake);
	options.socket_path = fake.path;
	assert_int_equal(haul_attach(&options, &haul), -HAUL_DISCONNECTED);
}

static void haul_attach__impossible_path(void **state)
{
	struct haul_options options = { .socket_path = "" };
	struct haul *haul;
	char path[200];

	(void)state;
	assert_int_equal(haul_attach(&options, &haul), -HAUL_INVALID);
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = 0;
	options.socket_path = path;
	assert_int_equal(haul_attach(&options, &haul), -HAUL_INVALID);
	assert_non_null(strstr(haul_reason(NULL), "xxx"));
}

/* A listener that never accepts: the second connection finds its backlog full. */
static void haul_attach__full_backlog(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct haul_options options = { .socket_path = address.sun_path, .timeout_ms = 50 };
	int listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct haul *haul;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%.90s.full", fake.path);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 0), 0);
	assert_int_equal(haul_attach(&options, &haul), -HAUL_TIMEOUT);
	assert_non_null(strstr(haul_reason(NULL), "did not answer within 50 ms"));
	assert_int_equal(haul_attach(&options, &haul), -HAUL_TIMEOUT);
	close(listener);
	unlink(address.sun_path);
}

static const struct {
	const char *words; /* in the sentence */
	enum fake_trouble trouble;
	enum haul_error error;
} troubles[] = {
	{ "the fake daemon says no", FAKE_REFUSAL, HAUL_DENIED },
	{ "quota", FAKE_MUTE_REFUSAL, HAUL_QUOTA },
	{ "status", FAKE_STATUS, HAUL_INTERNAL },
	{ "closed the attach socket", FAKE_CLOSE, HAUL_DISCONNECTED },
	{ "magic", FAKE_MAGIC, HAUL_INTERNAL },
	{ "version 7 of the protocol, this one version 1", FAKE_FRAME_VERSION, HAUL_VERSION },
	{ "reserved", FAKE_RESERVED, HAUL_INTERNAL },
	{ "its frame says", FAKE_LENGTH, HAUL_INTERNAL },
	{ "not asked", FAKE_OTHER_REQUEST, HAUL_INTERNAL },
	{ "not asked", FAKE_OTHER_TYPE, HAUL_INTERNAL },
	{ "too short", FAKE_SHORT, HAUL_INTERNAL },
	{ "another size", FAKE_CUT, HAUL_INTERNAL },
	{ "longer", FAKE_TOO_LONG, HAUL_INTERNAL },
	{ "number of descriptors", FAKE_FD_MISSING, HAUL_INTERNAL },
	{ "number of descriptors", FAKE_FD_MORE, HAUL_INTERNAL },
	{ "sealed", FAKE_MEMORY_PLAIN, HAUL_INTERNAL },
	{ "another size", FAKE_MEMORY_SMALL, HAUL_INTERNAL },
	{ "layout is version 7, the library's is 3", FAKE_ABI_VERSION, HAUL_VERSION },
	{ "3 entries", FAKE_ENTRIES, HAUL_INTERNAL },
	{ "completions", FAKE_COMPLETIONS, HAUL_INTERNAL },
	{ "magic", FAKE_HEADER_MAGIC, HAUL_INTERNAL },
	{ "notifications", FAKE_NOTIFICATIONS, HAUL_INTERNAL },
	{ "memory is of version 4, the library's is 3", FAKE_HEADER_VERSION, HAUL_VERSION },
	{ "other sizes", FAKE_HEADER_ENTRIES, HAUL_INTERNAL },
	{ "other sizes", FAKE_HEADER_NOTICES, HAUL_INTERNAL },
	{ "reserved bytes", FAKE_HEADER_RESERVED, HAUL_INTERNAL },
	{ "no event descriptor", FAKE_NO_EVENT, HAUL_INTERNAL },
	{ "no socket", FAKE_NO_SOCKET, HAUL_INTERNAL },
};

static unsigned int fds_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

/* The fake daemon lets go of a client only when it notices; a good attach after it proves that it did. */
static void attach_once(void)
{
	struct haul_options options = options_make();
	struct haul *haul;

	assert_int_equal(haul_attach(&options, &haul), 0);
	haul_detach(haul);
}

static void haul_attach__each_trouble(void **state)
{
	struct haul_options options = options_make();

	(void)state;
	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		struct haul *haul = NULL;

		fake_daemon_trouble(&fake, troubles[i].trouble, HAUL_ATTACH_HELLO);
		assert_int_equal(haul_attach(&options, &haul), -(int)troubles[i].error);
		assert_null(haul);
		if (strstr(haul_reason(NULL), troubles[i].words) == NULL)
			fail_msg("trouble %zu: \"%s\" lacks \"%s\"", i, haul_reason(NULL),
				 troubles[i].words);
		attach_once();
	}
}

static void haul_attach__leaves_nothing_open(void **state)
{
	struct haul_options options = options_make();
	struct haul *haul;
	unsigned int before;

	(void)state;
	before = fds_open();
	for (size_t i = 0; i < sizeof(troubles) / sizeof(troubles[0]); i++) {
		fake_daemon_trouble(&fake, troubles[i].trouble, HAUL_ATTACH_HELLO);
		haul_attach(&options, &haul);
	}
	attach_once();
	fake_daemon_kill(&fake);
	/* All that is left of the fake daemon is its command descriptor: the listener is gone. */
	assert_int_equal(fds_open(), before - 1);
}

static void haul_attach__news_are_skipped(void **state)
{
	struct haul_options options = options_make();
	struct haul *haul;

	(void)state;
	fake_daemon_trouble(&fake, FAKE_UNASKED, HAUL_ATTACH_HELLO);
	assert_int_equal(haul_attach(&options, &haul), 0);
	haul_detach(haul);
}

static void haul_attach__times_out(void **state)
{
	struct haul_options options = { .socket_path = fake.path, .timeout_ms = 30 };
	struct haul *haul;

	(void)state;
	fake_daemon_trouble(&fake, FAKE_SILENCE, HAUL_ATTACH_HELLO);
	assert_int_equal(haul_attach(&options, &haul), -HAUL_TIMEOUT);
}

/* What every call answers in a forked child; 0 when all do, else the line. */
static int child_try(struct haul *haul)
{
	struct haul_segment_options segment = { .name = "s", .bytes = 4096 };
	const struct haul_completion *completions;
	struct haul_memory memory = { 0 };
	struct haul_remote remote = { 0 };

	if (haul_segment_create(haul, &segment, &memory) != -HAUL_INVALID ||
	    haul_segment_destroy(haul, &memory) != -HAUL_INVALID)
		return __LINE__;
	if (haul_segment_open(haul, "s", HAUL_READ, &remote) != -HAUL_INVALID ||
	    haul_segment_close(haul, &remote) != -HAUL_INVALID)
		return __LINE__;
	if (haul_entry_next(haul) != NULL || haul_submit(haul) != -HAUL_INVALID ||
	    haul_cancel(haul, HAUL_MATCH_ALL, 0, 0) != -HAUL_INVALID)
		return __LINE__;
	if (haul_peek(haul, &completions) != -HAUL_INVALID ||
	    haul_wait(haul, 0, &completions) != -HAUL_INVALID)
		return __LINE__;
	haul_seen(haul, 1);
	haul_detach(haul);
	return 0;
}

static void haul_attach__in_a_child(void **state)
{
	struct haul_options options = options_make();
	const struct haul_completion *completions;
	struct haul *haul;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(haul_attach(&options, &haul), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(child_try(haul) == 0 ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* The parent's goes on as if nothing had been. */
	assert_non_null(haul_entry_next(haul));
	assert_int_equal(haul_submit(haul), 1);
	assert_int_equal(haul_wait(haul, UINT64_MAX, &completions), 1);
	haul_seen(haul, 1);
	haul_detach(haul);
}

/* A child that lives on holds copies of the descriptors; the daemon must see the end all the same. */
static void haul_detach__with_a_child_alive(void **state)
{
	struct haul_options options = options_make();
	struct haul *haul;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(haul_attach(&options, &haul), 0);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		for (;;)
			pause();
	}
	haul_detach(haul);
	/* The fake daemon takes one client at a time, so this works only when the first one ended. */
	assert_int_equal(haul_attach(&options, &haul), 0);
	haul_detach(haul);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(haul_attach__and_detach, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_attach__by_environment, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_attach__nobody_listens, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_attach__impossible_path, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_attach__full_backlog, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_attach__each_trouble, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_attach__leaves_nothing_open, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_attach__news_are_skipped, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_attach__times_out, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_attach__in_a_child, setup, teardown),
		cmocka_unit_test_setup_teardown(haul_detach__with_a_child_alive, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
