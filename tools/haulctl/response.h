/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Reads one HTTP/1.x response out of bytes that come in any pieces. No I/O: request.c feeds it from a socket, tests and
 * fuzzers from memory. Nothing that comes is believed: every length has a bound, and whatever two readers could
 * understand in two ways is refused.
 */
#ifndef HAULCTL_RESPONSE_H
#define HAULCTL_RESPONSE_H

#include <stddef.h>
#include <stdint.h>

/** The status line, a header, a chunk's size: each is one line. evhttp's own headers take some 200 bytes in all. */
#define RESPONSE_LINE_BYTES_MAX 1024u

/** All lines before the body, and those behind a chunked one. */
#define RESPONSE_HEADER_BYTES_MAX 16384u

/** Ten thousand segments, the most that a listing has, take some 4 MiB. */
#define RESPONSE_BODY_BYTES_MAX (32u << 20)

enum response_state {
	RESPONSE_STATUS,  /**< the status line is awaited */
	RESPONSE_HEADERS, /**< a header, or the empty line behind them */
	RESPONSE_LENGTH,  /**< a body of `left` more bytes */
	RESPONSE_TO_END,  /**< a body that ends with the connection */
	RESPONSE_SIZE,    /**< a chunk's size */
	RESPONSE_CHUNK,   /**< `left` more bytes of a chunk */
	RESPONSE_GAP,     /**< the empty line behind a chunk */
	RESPONSE_TRAILER, /**< a header behind the last chunk, or the empty line that ends all */
	RESPONSE_DONE,
	RESPONSE_REFUSED, /**< reason says why */
};

struct response {
	enum response_state state;
	unsigned int status; /**< 200 to 599, once the status line was read */
	char *body;          /**< ends with a zero that body_bytes does not count; NULL = empty */
	size_t body_bytes;
	const char *reason; /**< why it was refused: a phrase; NULL = it was not */

	size_t body_room; /**< of body */
	size_t body_max;  /**< a longer one is refused */
	uint64_t left;    /**< of the body or chunk that is being read */
	uint64_t length;  /**< Content-Length, when there is one */
	unsigned int has_length : 1;
	unsigned int is_chunked : 1;
	size_t header_bytes; /**< of all lines so far */
	size_t line_bytes;
	char line[RESPONSE_LINE_BYTES_MAX];
};

/** Begin to read. body_max is at most RESPONSE_BODY_BYTES_MAX. */
void response_init(struct response *response, size_t body_max);

/** Take bytes in. What follows the response's end is not looked at. Returns the state. */
enum response_state response_feed(struct response *response, const char *bytes, size_t length);

/** Say that no more will come. Returns RESPONSE_DONE, or RESPONSE_REFUSED when something is missing. */
enum response_state response_end(struct response *response);

/** Free the body. */
void response_free(struct response *response);

#endif
