/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The data set in Redis as the rest of the control plane sees it: one call a transition, one answer a call.
 *
 * The registry is ready once a server has been checked, its scripts are loaded and the data set's epoch is known; it
 * leaves that state when the server is lost or the data set is another one, and comes back by itself. Absent (-HAUL_
 * NOT_FOUND), unreachable (-HAUL_UNAVAILABLE) and malformed (-HAUL_CORRUPT) are never mixed. One loop, one thread.
 */
#ifndef REDIS_REGISTRY_H
#define REDIS_REGISTRY_H

#include "api/haul_control.h"
#include "controlplane/model/text.h"
#include "controlplane/redis/connection.h"
#include "controlplane/redis/streams.h"

struct registry_conf {
	struct connection_conf connection;
	const char *cluster;     /**< a name; part of every key */
	unsigned int events_max; /**< length to which the event stream is trimmed */
};

/** Called from the loop. */
struct registry_events {
	/** Usable from now on. Not the first time, epoch_is_new says that the data set is another than before. */
	void (*ready)(void *arg, bool epoch_is_new);
	void (*lost)(void *arg);
	/** Something has changed; only while ready. */
	void (*event)(void *arg, const struct streams_event *event);
	/** Events may be missing: look at the records. Only while ready. */
	void (*gap)(void *arg);
	void *arg;
};

/** The first word of an answer. */
enum registry_word {
	REGISTRY_NONE, /**< there was no answer, or none that can be understood */
	REGISTRY_OK,
	REGISTRY_ABSENT,
	REGISTRY_EPOCH,
	REGISTRY_FORMAT,
	REGISTRY_ILLEGAL,
	REGISTRY_MALFORMED,
	REGISTRY_NODATASET,
	REGISTRY_NONODE,
	REGISTRY_OWNED,
	REGISTRY_REPLACED,
	REGISTRY_TAKEN,
	REGISTRY_UNCONFIRMED,
	REGISTRY_WORD_COUNT,
};

struct registry_answer {
	int error;                      /**< 0, or a negative enum haul_error */
	bool is_passing;                /**< the same call may succeed a little later */
	enum registry_word word;        /**< of the script */
	unsigned int count;             /**< texts behind the word */
	const struct text *texts;       /**< live until the function returns */
	char reason[HAUL_REASON_BYTES]; /**< with an error: what, where, and what would be right */
};

typedef void registry_fn(void *arg, const struct registry_answer *answer);

/** Who writes: the incarnation that holds a node's name. */
struct registry_writer {
	const char *node;
	uint64_t incarnation;
	uint64_t term;
};

/** What a node says of itself, and of the holder of its name that it has watched standing still. */
struct registry_claim {
	const char *host;
	const struct haul_address *addresses;
	unsigned int address_count;
	bool is_replacing;          /**< the operator says so */
	uint64_t still_incarnation; /**< 0 = none was watched */
	uint64_t still_beat;
};

/** Names of one registry_segment_versions. */
#define REGISTRY_VERSIONS_MAX 256u

struct registry;

/** Returns 0 or -errno; what is wrong has been logged. */
int registry_create(struct event_base *base, const struct registry_conf *conf,
		    const struct registry_events *events, struct registry **out);

/** Calls under way are answered as unreachable; nothing is called afterwards. NULL is allowed. */
void registry_destroy(struct registry *registry);

bool registry_is_ready(const struct registry *registry);
uint64_t registry_epoch(const struct registry *registry);

/** "ready"; "connecting" (also while the data set is being opened); "refused" (such a server is not used); "down". */
const char *registry_state_word(const struct registry *registry);

/** Where the server is: "unix:PATH" or "tcp:HOST:PORT". */
const char *registry_address(const struct registry *registry);

/** Why it is not ready. */
void registry_reason(const struct registry *registry, char reason[HAUL_REASON_BYTES]);

/** The sentence for a call that has not been answered for so long. */
void registry_silence(const struct registry *registry, uint64_t silent_us,
		      char reason[HAUL_REASON_BYTES]);

/*
 * The transitions, each as its script says. They return 0 when fn will be called, exactly once and later, or
 * -HAUL_UNAVAILABLE when it will not.
 */
int registry_node_publish(struct registry *registry, const struct registry_writer *writer,
			  const struct registry_claim *claim, registry_fn *fn, void *arg);
int registry_node_beat(struct registry *registry, const struct registry_writer *writer,
		       uint64_t beat, registry_fn *fn, void *arg);
int registry_node_leave(struct registry *registry, const struct registry_writer *writer,
			registry_fn *fn, void *arg);
int registry_node_list(struct registry *registry, const char *cursor, registry_fn *fn, void *arg);

/**
 * The writer's node and incarnation are those of the descriptor, whose version is the least to give. A change moves what
 * its owner knows to be in Redis, and each buffer as it may; otherwise what its owner believes is written again.
 */
int registry_segment_publish(struct registry *registry, uint64_t term,
			     const struct haul_descriptor *descriptor, bool is_change,
			     registry_fn *fn, void *arg);
int registry_segment_erase(struct registry *registry, const struct registry_writer *writer,
			   const char *segment, registry_fn *fn, void *arg);
int registry_segment_get(struct registry *registry, const char *segment, registry_fn *fn,
			 void *arg);
int registry_segment_versions(struct registry *registry, const char *const *names,
			      unsigned int count, registry_fn *fn, void *arg);

/** node is a name, or "" for all. */
int registry_segment_list(struct registry *registry, const char *cursor, const char *node,
			  registry_fn *fn, void *arg);

#endif
