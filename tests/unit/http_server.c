/* SPDX-License-Identifier: BSD-3-Clause */
/* One connection after another, each with one request; the thread ends when the pipe is closed. */
#include "http_server.h"

#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(pthread_t) == sizeof(unsigned long), "a thread's handle fits");

/* Wait for a descriptor or for the end. False at the end. */
static bool http_wait(const struct http_server *server, int fd)
{
	struct pollfd pollers[2] = { { .fd = server->stop[0], .events = POLLIN },
				     { .fd = fd, .events = POLLIN } };

	return poll(pollers, 2, -1) > 0 && pollers[0].revents == 0;
}

static bool http_matches(const char *request, const char *target)
{
	size_t length = strlen(target);

	return strncmp(request, "GET ", 4) == 0 && strncmp(request + 4, target, length) == 0 &&
	       request[4 + length] == ' ';
}

/* The first answer to this target that was not given yet, or its last one. */
static const char *http_find(struct http_server *server, const char *request)
{
	const struct http_answer *answers = server->answers;
	unsigned int found = 0;
	unsigned int i;

	for (i = 0; answers[i].target != NULL; i++) {
		if (!http_matches(request, answers[i].target))
			continue;
		found = i + 1;
		if ((server->given & 1u << i) == 0)
			break;
	}
	if (found == 0)
		return answers[i].bytes;
	server->given |= 1u << (found - 1);
	return answers[found - 1].bytes;
}

static void http_serve(struct http_server *server, int fd)
{
	char request[4096] = "";
	size_t length = 0;
	const char *bytes;

	while (strstr(request, "\r\n\r\n") == NULL && http_wait(server, fd)) {
		ssize_t got = recv(fd, request + length, sizeof(request) - 1 - length, 0);

		if (got <= 0)
			return;
		length += (size_t)got;
	}
	if (server->manner == HTTP_SILENT) {
		(void)http_wait(server, -1);
		return;
	}
	bytes = http_find(server, request);
	for (size_t left = bytes != NULL ? strlen(bytes) : 0; left > 0;) {
		ssize_t sent =
			send(fd, bytes, server->manner == HTTP_BYTEWISE ? 1 : left, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes += sent;
		left -= (size_t)sent;
	}
}

static void *http_main(void *argument)
{
	struct http_server *server = argument;

	while (http_wait(server, server->listener)) {
		int fd = accept(server->listener, NULL, NULL);

		if (fd < 0)
			break;
		http_serve(server, fd);
		close(fd);
	}
	return NULL;
}

void http_server_start(struct http_server *server, const struct http_answer *answers,
		       enum http_manner manner)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	pthread_t thread;

	memset(server, 0, sizeof(*server));
	server->answers = answers;
	server->manner = manner;
	strcpy(server->directory, "/tmp/haul-http.XXXXXX");
	assert_non_null(mkdtemp(server->directory));
	snprintf(server->path, sizeof(server->path), "%s/sock", server->directory);
	strcpy(address.sun_path, server->path);
	assert_int_equal(pipe(server->stop), 0);
	server->listener = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_true(server->listener >= 0);
	assert_int_equal(bind(server->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server->listener, 8), 0);
	assert_int_equal(pthread_create(&thread, NULL, http_main, server), 0);
	server->thread = thread;
}

void http_server_stop(struct http_server *server)
{
	close(server->stop[1]);
	pthread_join(server->thread, NULL);
	close(server->stop[0]);
	close(server->listener);
	unlink(server->path);
	rmdir(server->directory);
}

char *http_good(const char *body)
{
	char *text;

	assert_true(asprintf(&text, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s",
			     strlen(body), body) > 0);
	return text;
}
