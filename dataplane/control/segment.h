/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Segments of this node's clients: a name, grants, a flat offset space, and the buffers in it (control/buffer.h).
 *
 *   MAKING --link--> OPEN <--> CLOSING
 *      |               |          |
 *      +---------------+----------+--> RETIRING --> gone
 *
 * A segment is published as a whole, by one descriptor for each version. At most one publication is under way; what
 * changes meanwhile makes the segment dirty and goes with the next, all of it together. A buffer is told what became of
 * the publication that told of its last change.
 *
 * Private segments are never published: for them every change is told at once. What a dead client leaves behind in
 * Redis is erased when the control plane answers.
 */
#ifndef CONTROL_SEGMENT_H
#define CONTROL_SEGMENT_H

#include "api/haul_attach.h"
#include "api/haul_control.h"
#include "control/buffer.h"
#include "control/space.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct client;
struct node;

enum segment_state {
	SEGMENT_MAKING = 1,   /**< it waits for its first publication */
	SEGMENT_OPEN = 2,     /**< published, or private */
	SEGMENT_CLOSING = 3,  /**< Redis is told that all of it drains, on the client's wish */
	SEGMENT_RETIRING = 4, /**< its buffers go, and its record */
	SEGMENT_STATE_COUNT,
};

struct segment {
	TAILQ_ENTRY(segment) link;
	struct node *node;
	struct client *client; /**< owner; its struct outlives this one */
	enum segment_state state;
	uint32_t number; /**< for SEGMENT_DESTROY, and of grants: never used again */
	bool is_private;
	bool is_published;  /**< Redis may have a record of it */
	bool is_publishing; /**< a publication is under way */
	bool is_described;  /**< it began after its last change of state */
	bool is_dirty;      /**< something has changed that it does not tell */
	bool is_behind;     /**< the record may be another than the segment: it is written again */
	bool is_erasing;    /**< Redis is asked to erase it */
	bool is_wanted;     /**< the client waits for the answer to its SEGMENT_DESTROY */
	bool is_over;       /**< the reaper has it */
	uint64_t erase_at_us;   /**< not before that is its record erased again */
	uint64_t publish_at_us; /**< not before that is a record that is behind written again */
	uint64_t version;       /**< as last published */
	uint8_t key[HAUL_KEY_BYTES]; /**< of the segment: goes into its record and nowhere else */
	struct buffer_list buffers;  /**< ascending by their offsets */
	struct space space;          /**< and what of the offset space they hold */
	uint32_t buffer_count;
	char name[HAUL_NAME_BYTES];
	char readers[HAUL_GRANT_BYTES];
	char writers[HAUL_GRANT_BYTES];
};

TAILQ_HEAD(segment_list, segment);

/** What the node keeps of segments and buffers. Returns 0 or -ENOMEM. */
int segment_prepare(struct node *node);

/**
 * SEGMENT_CREATE and SEGMENT_DESTROY of a client; both answer it, now or later. *given is the memory that comes with
 * HAUL_SEGMENT_GIVEN, else -1; when it is taken over, -1 is left there.
 */
void segment_create(struct client *client, const struct haul_attach_segment_create *message,
		    int *given);
void segment_destroy(struct client *client, const struct haul_attach_segment_destroy *message);

/** BUFFER_ADD of a client, likewise. */
void segment_add(struct client *client, const struct haul_attach_buffer_add *message, int *given);

/** The client is gone: its regions take no new operation, and all is freed in time. */
void segment_abandon_all(struct client *client);

/** The control plane is there again: publish what is open. */
void segment_publish_all(struct node *node);

/** Ask again, now and then, to erase what dead clients left behind in Redis, and to write what could not be. */
void segment_tend(struct node *node);

/** The node is gone but for its memory: free what is left. */
void segment_free_all(struct node *node);

/** Some range was poisoned: end the clients that own such memory. */
void segment_check_faults(struct node *node);

/* What buffers tell. */

/** Something of it is to be published: buffers that are untold are told the outcome. */
void segment_change(struct segment *segment);

/** The buffer could not be made or published, and retires. */
void segment_buffer_failed(struct segment *segment);

/** A buffer is gone. */
void segment_settle(struct segment *segment);

#endif
