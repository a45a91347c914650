/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Listings of the dataplane (peers, transports, channels, openings), asked for over the control socket on behalf of HTTP. Each
 * question is answered once, within a bounded time.
 */
#ifndef LINK_LISTING_H
#define LINK_LISTING_H

#include "api/haul_control.h"

#include <stddef.h>

struct event_base;
struct listings;

/** Questions that may be open. */
#define LISTINGS_MAX 64u

/** Bytes of one table's rows. */
#define LISTING_BYTES_MAX (16u << 20)

/** rows of row_bytes each, live until the function returns; with an error (negative) none, and why in reason. */
typedef void listing_fn(void *arg, int error, const void *rows, unsigned int row_count,
			const char *reason);

struct listings_conf {
	struct event_base *base;
	unsigned int timeout_ms;
	/** Send a question; returns 0, or another value when there is no dataplane. */
	int (*ask)(void *arg, const struct haul_control_table *message);
	void *arg;
};

/** Returns 0 or -ENOMEM. */
int listings_create(const struct listings_conf *conf, struct listings **out);

/** What is open is answered with an error. NULL is allowed. */
void listings_destroy(struct listings *listings);

/** Ask. fn is called exactly once, perhaps before this returns. */
void listings_ask(struct listings *listings, enum haul_table table, listing_fn *fn, void *arg);

/** The dataplane has answered: fd is the rows' memfd or -1, taken over. */
void listings_answer(struct listings *listings, const struct haul_frame *frame, int fd);

/** The dataplane is gone. */
void listings_drop(struct listings *listings);

#endif
