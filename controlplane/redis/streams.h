/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The follower of the event stream: a connection of its own, since XREAD blocks it.
 *
 * Events carry the data set's epoch and a sequence number. What does not continue where the last one ended, and every
 * reconnection, is told as a gap: the owner then compares everything with the records. Events are hints that come
 * fast; the records are what is true.
 */
#ifndef REDIS_STREAMS_H
#define REDIS_STREAMS_H

#include "controlplane/redis/connection.h"

/** Room for an entry's id, "MILLISECONDS-COUNTER". */
#define STREAMS_ENTRY_ID_BYTES 48u

enum streams_kind {
	STREAMS_PUBLISH, /**< a segment was written */
	STREAMS_ERASE,   /**< a segment was taken away */
	STREAMS_NODE,    /**< a node took its name or left; version is its term */
	STREAMS_EPOCH,   /**< the data set has a new epoch */
};

struct streams_event {
	enum streams_kind kind;
	char name[HAUL_NAME_BYTES]; /**< of the segment or node; empty for STREAMS_EPOCH */
	uint64_t incarnation;       /**< of the node it is about */
	uint64_t version;
};

struct streams_events {
	void (*event)(void *arg, const struct streams_event *event);
	void (*gap)(void *arg, const char *why);
	void *arg;
};

struct streams;

/** Returns 0 or -errno. */
int streams_create(struct event_base *base, const struct connection_conf *conf, const char *prefix,
		   const struct streams_events *events, struct streams **out);
void streams_destroy(struct streams *streams);

/** Follow from behind this entry of the stream; what comes next must be sequence + 1 of this epoch. */
void streams_follow(struct streams *streams, const char *entry_id, uint64_t epoch,
		    uint64_t sequence);

#endif
