/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A server for tests of haulctl: answers GETs on a Unix socket with the very bytes that the test gives, good or not.
 */
#ifndef HTTP_SERVER_FAKE_H
#define HTTP_SERVER_FAKE_H

#include <stddef.h>

enum http_manner {
	HTTP_AT_ONCE,
	HTTP_BYTEWISE, /**< one byte a send */
	HTTP_SILENT,   /**< accept, and never answer */
};

struct http_answer {
	/** NULL ends the list, and answers whatever else is asked. Several of one target are given in turn. */
	const char *target;
	const char *bytes; /**< NULL = close without a byte */
};

struct http_server {
	char directory[64];
	char path[80]; /**< of its socket */
	const struct http_answer *answers;
	enum http_manner manner;
	int listener;
	int stop[2];        /* a pipe that is closed to end the thread */
	unsigned int given; /* a bit for each answer */
	unsigned long thread;
};

/** Serve on a thread until stopped. */
void http_server_start(struct http_server *server, const struct http_answer *answers,
		       enum http_manner manner);
void http_server_stop(struct http_server *server);

/** "HTTP/1.1 200 OK" with Content-Length around a body; freed by the caller. */
char *http_good(const char *body);

#endif
