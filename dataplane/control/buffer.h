/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Buffers of segments: memory, from the job that populates it to the one that gives it back.
 *
 *   REGISTERING --job, publication--> ACTIVE --publication--> DRAINING --drain--> GONE --publication, job--> freed
 *        |                               |                       ^                 ^
 *        |                               +----- client died -----+                 |
 *        +------------ failed, client died ----------------------------------------+
 *
 * Its row is in the descriptor from the publication that makes it ACTIVE until the one that is told when it is GONE. A
 * removal whose publication fails leaves it ACTIVE. A drain (control/drain.h) begins when peers can know of it; when the
 * client has died at once, since then the whole record goes. What Redis answers to the last publication changes nothing:
 * nobody can touch the memory any more, so the client has it back.
 *
 * Everything here is the control thread's; the pages are the job's while one is under way.
 */
#ifndef CONTROL_BUFFER_H
#define CONTROL_BUFFER_H

#include "api/haul_control.h"
#include "control/asker.h"
#include "control/drain.h"
#include "control/extent.h"
#include "control/job.h"
#include "control/pages.h"
#include "control/space.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct client;
struct link_answer;
struct region_spec;
struct segment;

enum buffer_state {
	BUFFER_NONE = 0,        /**< not asked for yet */
	BUFFER_REGISTERING = 1, /**< a job makes and populates it, then its row is published */
	BUFFER_ACTIVE = 2,      /**< takes operations */
	BUFFER_DRAINING = 3,    /**< takes no new ones; those under way end */
	BUFFER_GONE = 4,        /**< nothing touches it; its row and its pages go */
	BUFFER_STATE_COUNT,
};

struct buffer {
	TAILQ_ENTRY(buffer) link; /**< of its segment */
	TAILQ_ENTRY(buffer) over; /**< for the reaper */
	struct segment *segment;
	struct job job;
	struct drain drain;
	enum buffer_state state;
	bool is_untold;     /**< its last change waits for a publication */
	bool is_described;  /**< the publication under way tells of that change */
	bool is_freed;      /**< its pages are gone */
	bool is_over;       /**< the reaper has it */
	bool is_leaving;    /**< ACTIVE, and DRAINING is to be published */
	struct asker asker; /**< who waits for its removal */
	uint64_t offset;    /**< in the segment */
	struct pages pages;
	uint32_t fault_id;
	uint64_t region; /**< REGION_NONE = not added; of a divided one its owner's alone */
	bool is_divided; /**< for others it consists of its extents */
	bool is_drained; /**< but for extents that may be left */
	struct extent_list extents;
	struct space space; /**< of the extents */
};

TAILQ_HEAD(buffer_list, buffer);

/** What a buffer is to be. */
struct buffer_spec {
	uint64_t offset;
	uint64_t bytes; /**< as buffer_round has it */
	bool is_given;
	bool is_read_only;
	bool is_divided;
};

/** Large ones are rounded up to huge pages, so that they may get them; all are when nothing else will do. */
uint64_t buffer_round(uint64_t bytes, bool is_given, uint32_t huge_pages);

/**
 * Make a buffer of a segment and begin to register it; the segment's client is answered when it is ACTIVE, or refused.
 * *given is the memory, else -1; when it is taken over, -1 is left there. False when the refusal has been answered.
 */
bool buffer_make(struct segment *segment, const struct buffer_spec *spec, int *given);

/** Its row as it is to be published. False when it has none. */
bool buffer_describe(struct buffer *buffer, struct haul_descriptor_buffer *row_out);

/** The outcome of a publication that told of its last change. */
void buffer_told(struct buffer *buffer, const struct link_answer *answer);

/** Remove the buffer with that region of a client, who is told in any case. */
void buffer_remove(struct asker *asker, uint64_t region);

/** The buffer of a client with that region; NULL = it has none. */
struct buffer *buffer_find(const struct client *client, uint64_t region);

/** One of its extents is gone. */
void buffer_extent_gone(struct buffer *buffer);

/** What peers may be granted. */
uint32_t buffer_rights(const struct buffer *buffer);

/** What a region of its own is: its owner's alone. */
void buffer_fill_spec(const struct buffer *buffer, struct region_spec *spec_out);

/** Its segment has another version. */
void buffer_note_version(const struct buffer *buffer, uint64_t version);

/** Its segment wants it gone, and publishes that. */
void buffer_leave(struct buffer *buffer);

/** Its segment goes, unpublished: it drains, or goes at once. */
void buffer_abandon(struct buffer *buffer);

/** Its client has ended: it is told nothing any more. */
void buffer_forget(struct buffer *buffer);

/** It is over: free it. The node's reaper. */
void buffer_reap(struct buffer *buffer);

/** Has its memory been taken away? */
bool buffer_is_poisoned(const struct buffer *buffer);

#endif
