/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One HTTP request on its way to its answer. It may be answered at once or later; either way exactly once. A client
 * that has gone meanwhile makes no difference to whoever answers.
 *
 * Answers are JSON. Numbers of 64 bits are strings in it, since JSON's readers have doubles or signed ones; identities
 * are strings of 16 hexadecimal digits. An error is {"error": NAME, "reason": SENTENCE}.
 */
#ifndef HTTP_REPLY_H
#define HTTP_REPLY_H

#include <jansson.h>
#include <stdint.h>

struct link;
struct controlplane_conf;
struct evhttp_request;
struct reply;

/** What every route may look at. */
struct http_scene {
	const struct controlplane_conf *conf;
	struct link *link;
	uint64_t started_us;
	unsigned int open; /**< requests not answered yet */
	uint64_t requests; /**< requests taken */
	uint64_t refused;  /**< of them, answered with an error */
};

/** Begin an answer. NULL without memory: then the request has been answered. */
struct reply *reply_begin(struct http_scene *scene, struct evhttp_request *request);

/** The scene that it was begun with. */
struct http_scene *reply_scene(const struct reply *reply);

/** Answer with a status and a body, whose reference is taken; NULL (no memory) becomes an error. Ends the reply. */
void reply_json(struct reply *reply, int status, json_t *body);

/** Answer with an error: a positive or negative enum haul_error, whose HTTP status follows from it. Ends the reply. */
void reply_error(struct reply *reply, int error, const char *reason);

/** Answer with an error that is HTTP's alone. Ends the reply. */
void reply_refuse(struct reply *reply, int status, const char *error, const char *reason);

/** JSON strings of a 64-bit number and of an identity. */
json_t *json_u64(uint64_t value);
json_t *json_identity(uint64_t value);

/** A string that may lack its final zero, or hold bytes that are no UTF-8: those become question marks. */
json_t *json_bytes(const char *bytes, size_t size);

#endif
