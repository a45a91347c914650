/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The transitions of the data set: one Lua script each, embedded at build time, loaded when the connection comes up
 * and called by digest. There is no other way to write.
 */
#ifndef REDIS_SCRIPTS_H
#define REDIS_SCRIPTS_H

#include "controlplane/model/text.h"
#include "controlplane/redis/connection.h"

/** In the order of the scripts in meson.build. */
enum script {
	SCRIPT_DATASET_OPEN,
	SCRIPT_NODE_BEAT,
	SCRIPT_NODE_LEAVE,
	SCRIPT_NODE_LIST,
	SCRIPT_NODE_PUBLISH,
	SCRIPT_SEGMENT_ERASE,
	SCRIPT_SEGMENT_GET,
	SCRIPT_SEGMENT_LIST,
	SCRIPT_SEGMENT_PUBLISH,
	SCRIPT_SEGMENT_VERSIONS,
	SCRIPT_COUNT,
};

struct script_source {
	const char *name;
	const char *source;
};

/** What embed.py made. */
extern const struct script_source script_sources[SCRIPT_COUNT];

/** The most arguments of one call. */
#define SCRIPT_ARGUMENTS_MAX 300u

enum script_outcome {
	SCRIPT_ANSWERED,    /**< the texts are what the script answered: a word first */
	SCRIPT_UNREACHABLE, /**< Redis was lost before it answered; the script may have run or not */
	SCRIPT_REFUSED,     /**< Redis answered with an error; texts[0] is its sentence */
	SCRIPT_MALFORMED,   /**< the answer is not a flat array of strings */
};

struct script_answer {
	enum script_outcome outcome;
	unsigned int count;
	const struct text *texts; /**< live until the function returns */
};

typedef void script_fn(void *arg, const struct script_answer *answer);

struct scripts;

/** Returns 0 or -ENOMEM. The connection must outlive it. */
int scripts_create(struct connection *connection, const char *prefix, struct scripts **out);

/** Free it; the connection must have been destroyed, so that no call is under way. NULL is allowed. */
void scripts_destroy(struct scripts *scripts);

/** Load all scripts into the server; to be called when the connection has become READY. */
void scripts_load(struct scripts *scripts);

/**
 * Call a script. Returns 0: fn is called exactly once, later. Returns -HAUL_UNAVAILABLE: fn is not called. A server that
 * has forgotten the script is given its source.
 */
int script_call(struct scripts *scripts, enum script script, const struct text *arguments,
		unsigned int count, script_fn *fn, void *arg);

#endif
