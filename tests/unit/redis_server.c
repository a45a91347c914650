/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server is a child that the kernel kills when the test dies (PR_SET_PDEATHSIG).
 */
#include "redis_server.h"

#include "unit.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* Attempts to reach a server that is starting, 10 ms apart. */
#define START_ATTEMPTS 1000

bool redis_server_exists(void)
{
	if (access("/usr/bin/redis-server", X_OK) == 0)
		return true;
	(void)fprintf(stderr, "skipped: redis-server is not installed (Debian: redis-server)\n");
	return false;
}

void redis_server_prepare(struct redis_server *server)
{
	memset(server, 0, sizeof(*server));
	(void)snprintf(server->directory, sizeof(server->directory), "/tmp/haul-redis-XXXXXX");
	assert_non_null(mkdtemp(server->directory));
	(void)snprintf(server->socket, sizeof(server->socket), "%s/socket", server->directory);
}

static int server_connect(const struct redis_server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->socket);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

void redis_server_start(struct redis_server *server, const char *option, const char *value)
{
	pid_t parent = getpid();

	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		(void)freopen("/dev/null", "w", stdout);
		(void)execl("/usr/bin/redis-server", "redis-server", "--port", "0", "--unixsocket",
			    server->socket, "--dir", server->directory, "--save", "", option, value,
			    (char *)NULL);
		_exit(1);
	}
	for (int i = 0; i < START_ATTEMPTS; i++) {
		int fd = server_connect(server);

		if (fd >= 0) {
			(void)close(fd);
			return;
		}
		(void)usleep(10000);
	}
	fail_msg("redis-server does not start");
}

void redis_server_kill(struct redis_server *server)
{
	if (server->pid == 0)
		return;
	(void)kill(server->pid, SIGKILL);
	(void)waitpid(server->pid, NULL, 0);
	server->pid = 0;
	(void)unlink(server->socket);
}

void redis_server_signal(const struct redis_server *server, int signal)
{
	assert_int_equal(kill(server->pid, signal), 0);
}

const char *redis_server_ask(const struct redis_server *server, const char *command)
{
	static char answer[4096];
	int fd = server_connect(server);
	size_t used = 0;

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "%s\r\n", command) > 0);
	while (used < sizeof(answer) - 1) {
		ssize_t got = read(fd, answer + used, sizeof(answer) - 1 - used);

		assert_true(got > 0);
		used += (size_t)got;
		answer[used] = '\0';
		/* A bulk string has its length on a first line of its own. */
		if (answer[0] != '$' || answer[1] == '-'
			    ? strchr(answer, '\n') != NULL
			    : strchr(strchr(answer, '\n'), '\0')[-1] == '\n')
			break;
	}
	(void)close(fd);
	return answer;
}

void redis_server_remove(struct redis_server *server)
{
	redis_server_kill(server);
	(void)unlink(server->socket);
	(void)rmdir(server->directory);
}
