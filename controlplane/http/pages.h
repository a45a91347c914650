/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * All pages of a listing of Redis, gathered into one body: {"nodes": rows} or {"segments": rows}, sorted by name.
 */
#ifndef HTTP_PAGES_H
#define HTTP_PAGES_H

#include "controlplane/http/reply.h"
#include "controlplane/model/text.h"

/** Rows of one listing; what is beyond is cut, and the body says so. */
#define PAGES_ROWS_MAX 10000u

struct registry_answer;

/** What is listed. */
struct pages_kind {
	const char *key;     /**< of the rows in the body */
	unsigned int fields; /**< texts of a row */
	/** Ask for the page at a cursor; as the registry's calls. */
	int (*ask)(struct http_scene *scene, const char *cursor,
		   void (*fn)(void *arg, const struct registry_answer *answer), void *arg);
	/** A row with its "name", or NULL when the record is malformed. */
	json_t *(*row)(const struct http_scene *scene, const struct text *fields);
};

/** The body, whose reference the function takes; or NULL with an error (negative) and its reason. */
typedef void pages_fn(void *arg, json_t *body, int error, const char *reason);

/** Gather. fn is called exactly once, perhaps before this returns. */
void pages_gather(struct http_scene *scene, const struct pages_kind *kind, pages_fn *fn, void *arg);

extern const struct pages_kind pages_of_nodes;
extern const struct pages_kind pages_of_segments;

#endif
