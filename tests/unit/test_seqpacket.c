/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: messages and descriptors arrive as sent, whatever is over is closed, and no frame that lies
 * gets past. Method: a socket pair for the messages, with the test playing a hostile sender by
 * sendmsg itself where seqpacket_send would refuse; the number of open descriptors is the same
 * after each refusal as before.
 */
#include "api/haul_error.h"
#include "api/haul_frame.h"
#include "base/seqpacket.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int pair[2];

static int pair_make(void **state)
{
	(void)state;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair);
}

static int pair_close(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	return 0;
}

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

/* Send count copies of standard error, with a message of length bytes, past all checks. */
static void hostile_send(size_t length, unsigned int count)
{
	char control[CMSG_SPACE(64 * sizeof(int))] = { 0 };
	char bytes[8192] = { 0 };
	struct iovec part = { .iov_base = bytes, .iov_len = length };
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(count * sizeof(int));
	for (unsigned int i = 0; i < count; i++) {
		int fd = STDERR_FILENO;

		memcpy(CMSG_DATA(header) + i * sizeof(int), &fd, sizeof(fd));
	}
	assert_int_equal(sendmsg(pair[0], &message, 0), length);
}

static void seqpacket_send__with_descriptors(void **state)
{
	const int fds[2] = { STDIN_FILENO, STDERR_FILENO };
	unsigned int before = fds_open();
	unsigned int count = 9;
	char bytes[16];
	int fds_got[2];

	(void)state;
	assert_int_equal(seqpacket_send(pair[0], "hello", 5, fds, 2), 0);
	assert_int_equal(seqpacket_receive(pair[1], bytes, sizeof(bytes), fds_got, 2, &count), 5);
	assert_memory_equal(bytes, "hello", 5);
	assert_int_equal(count, 2);
	assert_int_equal(fcntl(fds_got[0], F_GETFD), FD_CLOEXEC);
	seqpacket_close_fds(fds_got, count);
	assert_int_equal(fds_open(), before);
}

static void seqpacket_receive__nothing_and_the_end(void **state)
{
	unsigned int count = 9;
	char bytes[16];

	(void)state;
	assert_int_equal(seqpacket_receive(pair[1], bytes, sizeof(bytes), NULL, 0, &count),
			 -EAGAIN);
	assert_int_equal(count, 0);
	shutdown(pair[0], SHUT_WR);
	assert_int_equal(seqpacket_receive(pair[1], bytes, sizeof(bytes), NULL, 0, &count), 0);
	shutdown(pair[1], SHUT_RDWR);
	assert_int_equal(seqpacket_send(pair[0], "x", 1, NULL, 0), -EPIPE);
}

static void seqpacket_send__peer_does_not_read(void **state)
{
	char bytes[1024] = { 0 };
	int error = 0;

	(void)state;
	for (int i = 0; i < 10000 && error == 0; i++)
		error = seqpacket_send(pair[0], bytes, sizeof(bytes), NULL, 0);
	assert_int_equal(error, -EAGAIN);
}

static void seqpacket_receive__truncated(void **state)
{
	unsigned int before = fds_open();
	unsigned int count = 9;
	char bytes[16];
	int fds[4];

	(void)state;
	hostile_send(17, 2);
	assert_int_equal(seqpacket_receive(pair[1], bytes, sizeof(bytes), fds, 4, &count),
			 -EMSGSIZE);
	assert_int_equal(count, 0);
	assert_int_equal(fds_open(), before);
}

static void seqpacket_receive__too_many_descriptors(void **state)
{
	const unsigned int numbers[] = { 1, 4, 5, 6, 64 };
	unsigned int before = fds_open();
	char bytes[16];

	(void)state;
	for (int i = 0; i < 5; i++) {
		unsigned int fd_max = numbers[i] == 1 ? 0 : 3;
		unsigned int count = 9;
		int fds[4];

		hostile_send(8, numbers[i]);
		assert_int_equal(
			seqpacket_receive(pair[1], bytes, sizeof(bytes), fds, fd_max, &count),
			-E2BIG);
		assert_int_equal(count, 0);
		assert_int_equal(fds_open(), before);
	}
}

static void seqpacket_receive__descriptors_without_a_message(void **state)
{
	unsigned int before = fds_open();
	unsigned int count = 9;
	char bytes[16];
	int fds[4];

	(void)state;
	hostile_send(0, 2);
	assert_true(seqpacket_receive(pair[1], bytes, sizeof(bytes), fds, 4, &count) < 0);
	assert_int_equal(fds_open(), before);
}

static void seqpacket_listen__mode_peer_and_dead_sockets(void **state)
{
	char directory[] = "/tmp/haul-test-XXXXXX";
	struct seqpacket_peer peer;
	struct stat status;
	char path[64];
	int listener;
	int client;
	int server;

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/socket", directory);
	assert_int_equal(seqpacket_connect(path, 0), -ENOENT);
	listener = seqpacket_listen(path, 0640);
	assert_true(listener >= 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
	assert_int_equal(seqpacket_listen(path, 0640), -EADDRINUSE);
	/* The refused one connected, to see whether anybody is there. */
	close(seqpacket_accept(listener));
	assert_int_equal(seqpacket_accept(listener), -EAGAIN);
	client = seqpacket_connect(path, SEQPACKET_NONBLOCK);
	assert_true(client >= 0);
	server = seqpacket_accept(listener);
	assert_true(server >= 0);
	assert_int_equal(seqpacket_peer_get(server, &peer), 0);
	assert_int_equal(peer.pid, getpid());
	assert_int_equal(peer.uid, getuid());
	close(server);
	close(client);
	close(listener);
	/* The file is still there, but nobody listens. */
	assert_int_equal(seqpacket_connect(path, 0), -ECONNREFUSED);
	listener = seqpacket_listen(path, 0600);
	assert_true(listener >= 0);
	close(listener);
	unlink(path);
	rmdir(directory);
}

static void seqpacket_listen__refuses_paths(void **state)
{
	char path[200];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(seqpacket_listen(path, 0600), -ENAMETOOLONG);
	assert_int_equal(seqpacket_listen("", 0600), -EINVAL);
	assert_int_equal(seqpacket_listen("/dev/null", 0600), -EEXIST);
}

static void frame_check__good(void **state)
{
	char reason[HAUL_REASON_BYTES] = "";
	struct haul_frame frame;

	(void)state;
	frame_fill(&frame, 3, 5, sizeof(frame), 77);
	assert_int_equal(frame.request, 77);
	assert_int_equal(frame_check(&frame, sizeof(frame), 3, sizeof(frame), reason), 0);
}

static void frame_check__hostile(void **state)
{
	char reason[HAUL_REASON_BYTES] = "";
	struct haul_frame frame;

	(void)state;
	frame_fill(&frame, 3, 5, sizeof(frame), 0);
	for (size_t received = 0; received < sizeof(frame); received++)
		assert_int_equal(frame_check(&frame, received, 3, 0, reason), -HAUL_INVALID);
	assert_int_equal(frame_check(&frame, sizeof(frame) + 8, 3, 0, reason), -HAUL_INVALID);
	assert_int_equal(frame_check(&frame, sizeof(frame), 3, 100, reason), -HAUL_INVALID);
	frame.reserved = 1;
	assert_int_equal(frame_check(&frame, sizeof(frame), 3, 0, reason), -HAUL_INVALID);
	assert_non_null(strstr(reason, "reserved"));
	frame.reserved = 0;
	frame.length = UINT32_MAX;
	assert_int_equal(frame_check(&frame, sizeof(frame), 3, 0, reason), -HAUL_INVALID);
	frame.magic = 0;
	assert_int_equal(frame_check(&frame, sizeof(frame), 3, 0, reason), -HAUL_INVALID);
	assert_non_null(strstr(reason, "magic"));
}

static void frame_check__another_version_names_both(void **state)
{
	char reason[HAUL_REASON_BYTES] = "";
	struct haul_frame frame;

	(void)state;
	frame_fill(&frame, 41, 5, sizeof(frame), 0);
	assert_int_equal(frame_check(&frame, sizeof(frame), 7, 0, reason), -HAUL_VERSION);
	assert_non_null(strstr(reason, "version 41"));
	assert_non_null(strstr(reason, "version 7"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(seqpacket_send__with_descriptors, pair_make,
						pair_close),
		cmocka_unit_test_setup_teardown(seqpacket_receive__nothing_and_the_end, pair_make,
						pair_close),
		cmocka_unit_test_setup_teardown(seqpacket_send__peer_does_not_read, pair_make,
						pair_close),
		cmocka_unit_test_setup_teardown(seqpacket_receive__truncated, pair_make,
						pair_close),
		cmocka_unit_test_setup_teardown(seqpacket_receive__too_many_descriptors, pair_make,
						pair_close),
		cmocka_unit_test_setup_teardown(seqpacket_receive__descriptors_without_a_message,
						pair_make, pair_close),
		cmocka_unit_test(seqpacket_listen__mode_peer_and_dead_sockets),
		cmocka_unit_test(seqpacket_listen__refuses_paths),
		cmocka_unit_test(frame_check__good),
		cmocka_unit_test(frame_check__hostile),
		cmocka_unit_test(frame_check__another_version_names_both),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
