/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Who is alive, as one observer sees it: for each node the beat that was seen last and since when it stands still.
 *
 * Time is the observer's own monotonic clock, and counts only while Redis has answered all the while: whoever owns the
 * table resets it after any outage, since a Redis that paused would otherwise declare the whole cluster dead. The
 * verdicts decide listings and whether a name may be taken; they bump nothing.
 */
#ifndef MODEL_LIVENESS_H
#define MODEL_LIVENESS_H

#include "controlplane/model/node.h"

/** Nodes that are observed; what is beyond is listed as unknown. */
#define LIVENESS_NODES_MAX 1024u

enum liveness_state {
	LIVENESS_UNKNOWN, /**< not observed long enough to say */
	LIVENESS_ALIVE,   /**< its beat moved lately */
	LIVENESS_SUSPECT, /**< its beat stands still since suspect_ms */
	LIVENESS_DEAD,    /**< and since dead_ms more */
	LIVENESS_LEFT,    /**< it shut down in order */
};

struct liveness;

/** Returns 0 or -ENOMEM. */
int liveness_create(unsigned int suspect_ms, unsigned int dead_ms, struct liveness **out);
void liveness_destroy(struct liveness *liveness);

/** Forget when beats were seen: Redis did not answer for a while. */
void liveness_reset(struct liveness *liveness);

/** Take note of a record that Redis has just answered with. */
void liveness_observe(struct liveness *liveness, const struct node_record *record, uint64_t now_us);

/** What is to be said of this incarnation of a node, and since when its beat stands still. */
enum liveness_state liveness_state(const struct liveness *liveness, const char *node,
				   uint64_t incarnation, uint64_t now_us, uint64_t *still_ms_out);

/** The word of a state. */
const char *liveness_word(enum liveness_state state);

#endif
