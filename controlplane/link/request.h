/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Requests of the dataplane about segments, from the frame to the answer.
 *
 *   WAITING --Redis is there, the node is published--> ASKED --answer--> answered, gone
 *      ^                                                 |
 *      +-------------- lost, passing --------------------+
 *
 * Every request is answered once, within timeout_ms: when Redis has not answered by then with UNAVAILABLE and a
 * sentence that says since when. A publication that ends so may have happened or not; it is left in doubt, so that
 * Redis ends with what the dataplane believes.
 */
#ifndef LINK_REQUEST_H
#define LINK_REQUEST_H

#include "api/haul_control.h"

#include <stdbool.h>
#include <stddef.h>

struct event_base;
struct publications;
struct registry;
struct requests;
struct standing;
struct watches;

struct requests_conf {
	struct event_base *base;
	struct registry *registry;
	struct standing *standing;
	struct publications *publications;
	struct watches *watches;
	unsigned int timeout_ms;
	unsigned int settle_ms; /**< after a new epoch, for so long what is absent may still come */
	/** Send an answer to the dataplane; fd is -1 or a descriptor's memfd, which stays the caller's. */
	void (*answer)(void *arg, const struct haul_control_answer *answer, int fd);
	void *arg;
};

/** What is counted; /v1/stats shows it. */
struct requests_stats {
	uint64_t published;   /**< SEGMENT_PUBLISH answered with OK */
	uint64_t erased;      /**< SEGMENT_ERASE answered with OK */
	uint64_t opened;      /**< SEGMENT_OPEN answered with a descriptor */
	uint64_t denied;      /**< SEGMENT_OPEN refused for want of a right */
	uint64_t unavailable; /**< any, ended by its deadline */
	uint64_t absent;      /**< ERASE or OPEN of what there is not */
	uint64_t taken;       /**< PUBLISH or ERASE of another node's segment */
	uint64_t replaced;  /**< PUBLISH or ERASE of a node that another incarnation has replaced */
	uint64_t illegal;   /**< PUBLISH whose buffers skip a state, by the script's word */
	uint64_t malformed; /**< any, whose record is malformed or of another format */
	uint64_t busy;      /**< any, beyond HAUL_CONTROL_REQUESTS_MAX */
	uint64_t refused;   /**< any, ended with another error */
};

/** Returns 0 or -ENOMEM. */
int requests_create(const struct requests_conf *conf, struct requests **out);
void requests_destroy(struct requests *requests);

/**
 * Take a request. The frame's length has been checked against its struct. publish takes a checked descriptor
 * (allocated, taken over in any case).
 */
void requests_publish(struct requests *requests, const struct haul_control_segment *message,
		      struct haul_descriptor *descriptor, size_t length);
void requests_erase(struct requests *requests, const struct haul_control_segment *message);
void requests_open(struct requests *requests, const struct haul_control_open *message);

/** Redis has come or the node's standing has changed: go on with whatever waits. */
void requests_pump(struct requests *requests);

/** The data set is another one than before: what is absent may be published again by its owner. */
void requests_epoch_is_new(struct requests *requests);

/** True for settle_ms after that. */
bool requests_is_settling(const struct requests *requests);

/** The dataplane is gone: nobody waits for the answers. */
void requests_drop(struct requests *requests);

const struct requests_stats *requests_stats(const struct requests *requests);

/** Requests that are not answered yet. */
unsigned int requests_open_count(const struct requests *requests);

#endif
