/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The socket does not block; every wait is a poll with what is left until the deadline, so that a server that gives a
 * byte now and then does not hold us for longer than one that gives none.
 */
#include "tools/haulctl/request.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "tools/haulctl/response.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_BYTES_MAX  512u
#define REQUEST_READ_BYTES 16384u

/* A full backlog cannot be polled for: how long until it is tried again. */
#define REQUEST_RETRY_NS 10000000l

static void request_say(char *reason, const char *sentence)
{
	(void)snprintf(reason, REQUEST_REASON_BYTES, "%s", sentence);
}

/* What an error of connect means to the one who typed the command. */
static void request_say_connect(char *reason, int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
		request_say(reason, "there is no such socket; is haul-controlplane running, and is "
				    "this its http_socket? (--socket or $HAUL_HTTP names another)");
		break;
	case ECONNREFUSED:
		request_say(reason, "nobody listens; start haul-controlplane");
		break;
	case EACCES:
	case EPERM:
		request_say(reason, "not allowed; the socket's group and http_mode in "
				    "controlplane.conf say who may ask");
		break;
	case EPROTOTYPE:
		request_say(reason, "this is another kind of socket; haulctl wants "
				    "http_socket of controlplane.conf");
		break;
	default:
		(void)snprintf(reason, REQUEST_REASON_BYTES, "cannot connect: %s",
			       errno_text(error));
	}
}

static void request_say_timeout(const struct request *request, char *reason)
{
	(void)snprintf(reason, REQUEST_REASON_BYTES,
		       "no answer within %.1f s; see haul-controlplane's log",
		       (double)request->timeout_us / 1e6);
}

/* Wait until the socket is ready. Returns false when the deadline has passed. */
static bool request_wait(int fd, short events, uint64_t deadline_us)
{
	struct pollfd poller = { .fd = fd, .events = events };
	uint64_t now_us = clock_now_us();
	int count = 0;

	while (count <= 0 && now_us < deadline_us) {
		count = poll(&poller, 1, (int)((deadline_us - now_us + 999) / 1000));
		if (count < 0 && errno != EINTR)
			return false;
		now_us = clock_now_us();
	}
	return count > 0;
}

/* Returns a connected socket, or -1 with the reason. */
static int request_connect(const struct request *request, uint64_t deadline_us, char *reason)
{
	const struct timespec retry = { .tv_nsec = REQUEST_RETRY_NS };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int error = 0;
	int fd;

	if (strlen(request->socket_path) >= sizeof(address.sun_path)) {
		(void)snprintf(reason, REQUEST_REASON_BYTES,
			       "a socket's path has at most %zu bytes",
			       sizeof(address.sun_path) - 1);
		return -1;
	}
	memcpy(address.sun_path, request->socket_path, strlen(request->socket_path));
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		request_say_connect(reason, errno);
		return -1;
	}
	do {
		error = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? 0 : errno;
		if (error == EAGAIN)
			(void)nanosleep(&retry, NULL);
	} while ((error == EAGAIN || error == EINTR) && clock_now_us() < deadline_us);
	if (error == 0)
		return fd;
	if (error == EAGAIN || error == EINTR)
		request_say_timeout(request, reason);
	else
		request_say_connect(reason, error);
	(void)close(fd);
	return -1;
}

static enum request_result request_send(const struct request *request, int fd, uint64_t deadline_us,
					char *reason)
{
	char text[REQUEST_BYTES_MAX];
	int length = snprintf(text, sizeof(text),
			      "GET %s HTTP/1.1\r\nHost: haul\r\nAccept: application/json\r\n"
			      "Connection: close\r\n\r\n",
			      request->target);
	size_t done = 0;

	BUG_ON(length < 0 || (size_t)length >= sizeof(text));
	while (done < (size_t)length) {
		ssize_t sent = send(fd, text + done, (size_t)length - done, MSG_NOSIGNAL);

		if (sent > 0) {
			done += (size_t)sent;
		} else if (errno == EAGAIN || errno == EINTR) {
			if (!request_wait(fd, POLLOUT, deadline_us)) {
				request_say_timeout(request, reason);
				return REQUEST_UNREACHABLE;
			}
		} else {
			/* It may have answered before it closed; what it says is better than EPIPE. */
			return REQUEST_ANSWERED;
		}
	}
	return REQUEST_ANSWERED;
}

static enum request_result request_receive(const struct request *request, int fd,
					   uint64_t deadline_us, struct response *response,
					   char *reason)
{
	static char bytes[REQUEST_READ_BYTES];
	enum response_state state = response->state;

	while (state < RESPONSE_DONE) {
		ssize_t length = recv(fd, bytes, sizeof(bytes), 0);

		if (length > 0) {
			state = response_feed(response, bytes, (size_t)length);
		} else if (length == 0 || errno == ECONNRESET) {
			state = response_end(response);
		} else if (errno != EAGAIN && errno != EINTR) {
			(void)snprintf(reason, REQUEST_REASON_BYTES, "cannot read the answer: %s",
				       errno_text(errno));
			return REQUEST_UNREACHABLE;
		}
		if (state < RESPONSE_DONE && !request_wait(fd, POLLIN, deadline_us)) {
			request_say_timeout(request, reason);
			return REQUEST_UNREACHABLE;
		}
	}
	if (state == RESPONSE_DONE)
		return REQUEST_ANSWERED;
	(void)snprintf(reason, REQUEST_REASON_BYTES,
		       "the answer is not usable: %s; is this haul-controlplane's http_socket?",
		       response->reason);
	return REQUEST_BROKEN;
}

enum request_result request_get(const struct request *request, struct response *response,
				char reason[REQUEST_REASON_BYTES])
{
	uint64_t deadline_us = clock_now_us() + request->timeout_us;
	enum request_result result;
	int fd;

	response_init(response, request->body_max);
	reason[0] = '\0';
	fd = request_connect(request, deadline_us, reason);
	if (fd < 0)
		return REQUEST_UNREACHABLE;
	result = request_send(request, fd, deadline_us, reason);
	if (result == REQUEST_ANSWERED)
		result = request_receive(request, fd, deadline_us, response, reason);
	(void)close(fd);
	return result;
}
