/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Buffers of segments: memory, from the job that populates it to the one that gives it back.
 *
 *   REGISTERING --job, publication--> ACTIVE --> GONE --quiescent point, job--> freed
 *        |                                        ^
 *        +------------ failed, client died -------+
 *
 * The row of a buffer is in the descriptor from the publication that its segment waits for until it is gone. Everything
 * here is the control thread's; the pages are the job's while one is under way.
 */
#ifndef CONTROL_BUFFER_H
#define CONTROL_BUFFER_H

#include "api/haul_control.h"
#include "control/job.h"
#include "control/pages.h"
#include "control/quiesce.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct link_answer;
struct segment;

enum buffer_state {
	BUFFER_REGISTERING = 1, /**< a job makes and populates it, then its row is published */
	BUFFER_ACTIVE = 2,      /**< takes operations */
	BUFFER_GONE = 3,        /**< refused; waits for the workers, then a job frees it */
	BUFFER_STATE_COUNT,
};

struct buffer {
	TAILQ_ENTRY(buffer) link; /**< of its segment */
	struct segment *segment;
	struct job job;
	struct quiesce_action quiesce;
	enum buffer_state state;
	bool is_untold;    /**< its last change waits for a publication */
	bool is_described; /**< the publication under way tells of that change */
	bool is_freed;     /**< its pages are gone */
	uint64_t offset;   /**< in the segment */
	struct pages pages;
	uint32_t fault_id;
	uint64_t region; /**< REGION_NONE = not added */
};

TAILQ_HEAD(buffer_list, buffer);

/** What a buffer is to be. */
struct buffer_spec {
	uint64_t offset;
	uint64_t bytes; /**< as buffer_round has it */
	bool is_given;
	bool is_read_only;
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

/** Its segment goes. */
void buffer_abandon(struct buffer *buffer);

/** Has its memory been taken away? */
bool buffer_is_poisoned(const struct buffer *buffer);

#endif
