/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * HTTP/1.0 without keep-alive: the answer ends where the connection does, so there are no chunks and no lengths to
 * believe in.
 */
#include "tools/haulctl/request.h"

#include "base/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct buffer {
	char *bytes;
	size_t used;
	size_t room;
};

static bool fail(struct request_answer *answer, const char *what, const char *why)
{
	answer->status = 0;
	(void)snprintf(answer->reason, sizeof(answer->reason), "%s: %s", what, why);
	return false;
}

static int socket_connect(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = -1;

	if (strlen(path) >= sizeof(address.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

/* Milliseconds until the deadline, at least 0. */
static int left_ms(uint64_t deadline_us)
{
	uint64_t now_us = clock_now_us();

	return now_us >= deadline_us ? 0 : (int)((deadline_us - now_us) / 1000) + 1;
}

/* Make room for more bytes and a final zero. False when the answer is too long, or there is no memory. */
static bool buffer_grow(struct buffer *buffer)
{
	size_t room = buffer->room == 0 ? 65536 : 2 * buffer->room;
	char *bytes = NULL;

	if (buffer->bytes != NULL && buffer->room - buffer->used >= 2)
		return true;
	if (room <= REQUEST_BYTES_MAX)
		bytes = realloc(buffer->bytes, room);
	if (bytes == NULL)
		return false;
	buffer->bytes = bytes;
	buffer->room = room;
	return true;
}

/* Read up to the end of the connection. NULL, or what is wrong. */
static const char *answer_read(int fd, struct buffer *buffer)
{
	uint64_t deadline_us = clock_now_us() + REQUEST_TIMEOUT_S * UINT64_C(1000000);
	ssize_t got = 1;

	while (got != 0) {
		struct pollfd readable = { .fd = fd, .events = POLLIN };

		if (!buffer_grow(buffer))
			return "the answer is too long";
		if (poll(&readable, 1, left_ms(deadline_us)) == 0)
			return "no whole answer within 10 s";
		got = read(fd, buffer->bytes + buffer->used, buffer->room - buffer->used - 1);
		if (got < 0 && errno != EINTR)
			return strerrordesc_np(errno);
		buffer->used += got > 0 ? (size_t)got : 0;
		buffer->bytes[buffer->used] = '\0';
	}
	return NULL;
}

/* Take the status line and the body apart. */
static bool answer_parse(const struct buffer *buffer, struct request_answer *answer)
{
	const char *body = buffer->bytes == NULL ? NULL : strstr(buffer->bytes, "\r\n\r\n");
	json_error_t error;
	char *end = NULL;

	if (body == NULL || strncmp(buffer->bytes, "HTTP/1.", 7) != 0 || buffer->bytes[8] != ' ')
		return fail(answer, "the control plane", "its answer is not HTTP");
	answer->status = (int)strtol(buffer->bytes + 9, &end, 10);
	body += 4;
	answer->body = json_loads(body, 0, &error);
	if (answer->body == NULL || answer->status < 100)
		return fail(answer, "the control plane", "its answer is not JSON");
	if (answer->status == 200)
		return true;
	(void)snprintf(answer->reason, sizeof(answer->reason), "%s",
		       json_is_string(json_object_get(answer->body, "reason"))
			       ? json_string_value(json_object_get(answer->body, "reason"))
			       : "no reason given");
	return false;
}

bool request_get(const char *socket_path, const char *path, struct request_answer *answer)
{
	struct buffer buffer = { 0 };
	const char *wrong = NULL;
	bool is_good = false;
	int fd = socket_connect(socket_path);

	memset(answer, 0, sizeof(*answer));
	if (fd < 0)
		return fail(answer, socket_path, strerrordesc_np(errno));
	if (dprintf(fd, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path) < 0)
		wrong = strerrordesc_np(errno);
	else
		wrong = answer_read(fd, &buffer);
	if (wrong != NULL)
		is_good = fail(answer, socket_path, wrong);
	else
		is_good = answer_parse(&buffer, answer);
	free(buffer.bytes);
	(void)close(fd);
	return is_good;
}

void request_free(struct request_answer *answer)
{
	json_decref(answer->body);
	answer->body = NULL;
}

void request_escape(const char *name, char *out)
{
	static const char digits[] = "0123456789ABCDEF";

	for (; *name != '\0'; name++) {
		unsigned char byte = (unsigned char)*name;

		if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
		    (byte >= '0' && byte <= '9') || strchr("._:/-", byte) != NULL) {
			*out++ = (char)byte;
			continue;
		}
		*out++ = '%';
		*out++ = digits[byte >> 4];
		*out++ = digits[byte & 15];
	}
	*out = '\0';
}
