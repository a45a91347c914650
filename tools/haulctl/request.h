/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One GET over a Unix socket: connects, asks, reads the whole answer, closes. Blocks, until a deadline.
 */
#ifndef HAULCTL_REQUEST_H
#define HAULCTL_REQUEST_H

#include <stddef.h>
#include <stdint.h>

struct response;

/** Room for the sentence that says what went wrong. */
#define REQUEST_REASON_BYTES 256u

enum request_result {
	REQUEST_ANSWERED,
	REQUEST_UNREACHABLE, /**< nobody there, not allowed in, or no answer in time */
	REQUEST_BROKEN,      /**< what came is no answer */
};

struct request {
	const char *socket_path;
	const char *target;  /**< path of the resource; has been encoded */
	uint64_t timeout_us; /**< for all of it */
	size_t body_max;     /**< bytes; at most RESPONSE_BODY_BYTES_MAX */
};

/**
 * Ask, and fill the response, whatever its status; the caller frees it in every case. When it is not answered, reason
 * says why and what would be right, without a full stop.
 */
enum request_result request_get(const struct request *request, struct response *response,
				char reason[REQUEST_REASON_BYTES]);

#endif
