/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One HTTP GET over a Unix socket, blocking and bounded in time and size. As much of HTTP as the control plane
 * speaks to a client that closes after one answer; a library would be larger than this.
 */
#ifndef HAULCTL_REQUEST_H
#define HAULCTL_REQUEST_H

#include <jansson.h>
#include <stdbool.h>

/** The longest answer: a segment of 65,536 buffers is some 9 MiB. */
#define REQUEST_BYTES_MAX (64u << 20)

/** The longest wait for a whole answer. */
#define REQUEST_TIMEOUT_S 10

/** Room for a sentence. */
#define REQUEST_REASON_BYTES 512u

struct request_answer {
	int status;   /**< of HTTP; 0 = the control plane could not be reached or made no sense */
	json_t *body; /**< the caller's; NULL with status 0 */
	char reason[REQUEST_REASON_BYTES]; /**< without success: what is wrong */
};

/** GET a path. Returns true when the status is 200; the answer is to be freed in any case. */
bool request_get(const char *socket_path, const char *path, struct request_answer *answer);
void request_free(struct request_answer *answer);

/** Write a name so that it can stand in a path; out has room for three times its length and a zero. */
void request_escape(const char *name, char *out);

#endif
