/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Memory that clients own: a segment with its one buffer, from the job that populates it to the one that frees it.
 *
 *   MAKING --job--> PUBLISHING --link--> ACTIVE --> ERASING --> RETIRING --> gone
 *      |                 |                  |                      ^
 *      +-- failed -------+------------------+--- client died ------+
 *
 * Private memory skips PUBLISHING and ERASING. What a dead client leaves behind in Redis is erased when the control
 * plane answers; the region is refused at once.
 */
#ifndef CONTROL_MEMORY_H
#define CONTROL_MEMORY_H

#include "api/haul_attach.h"
#include "api/haul_control.h"
#include "control/job.h"
#include "control/pages.h"
#include "control/quiesce.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct client;
struct node;

enum memory_state {
	MEMORY_MAKING = 1,     /**< a job makes and populates it */
	MEMORY_PUBLISHING = 2, /**< the region is there, Redis is asked */
	MEMORY_ACTIVE = 3,     /**< takes operations */
	MEMORY_ERASING = 4,    /**< Redis is asked to erase it, on the client's wish */
	MEMORY_RETIRING = 5,   /**< refused; waits for the workers, then a job frees it */
	MEMORY_STATE_COUNT,
};

struct memory {
	TAILQ_ENTRY(memory) link;
	struct node *node;
	struct client *client; /**< owner; its struct outlives this one */
	struct job job;
	struct quiesce_action quiesce;
	enum memory_state state;
	uint32_t number; /**< for SEGMENT_DESTROY, and of grants: never used again */
	bool is_private;
	bool is_published;    /**< Redis may have a record of it */
	bool is_wanted;       /**< the client waits for the answer to its SEGMENT_DESTROY */
	bool is_freed;        /**< its pages are gone; only the record may be left */
	uint64_t erase_at_us; /**< not before that is its record erased again */
	uint32_t asked;       /**< requests to the control plane that name this struct */
	struct pages pages;   /**< the job's while one is under way */
	uint32_t fault_id;
	uint64_t region;             /**< REGION_NONE = not added */
	uint64_t version;            /**< as last published */
	uint8_t key[HAUL_KEY_BYTES]; /**< of the segment: goes into its record and nowhere else */
	char name[HAUL_NAME_BYTES];
	char readers[HAUL_GRANT_BYTES];
	char writers[HAUL_GRANT_BYTES];
};

TAILQ_HEAD(memory_list, memory);

/**
 * SEGMENT_CREATE and SEGMENT_DESTROY of a client; both answer it, now or later. *given is the memory that comes with
 * HAUL_SEGMENT_GIVEN, else -1; when it is taken over, -1 is left there.
 */
void memory_create(struct client *client, const struct haul_attach_segment_create *message,
		   int *given);
void memory_destroy(struct client *client, const struct haul_attach_segment_destroy *message);

/** The client is gone: refuse its regions at once and free them in time. */
void memory_abandon_all(struct client *client);

/** The control plane is there again: publish what is active, erase what is not. */
void memory_republish(struct node *node);

/** Ask again, now and then, to erase what dead clients left behind in Redis. */
void memory_erase_left_behind(struct node *node);

/** The node is going: free what still waits for the control plane. */
void memory_free_all(struct node *node);

/** Some range was poisoned: end the clients that own such memory. */
void memory_check_faults(struct node *node);

#endif
