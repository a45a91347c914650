/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The control plane's end of the control socket, and the middle of the process: it owns the registry and everything
 * that follows from it, and serves one dataplane.
 *
 *                 control socket                    Redis
 *    dataplane ---- door -----+               +--- registry
 *                             +---- link -----+
 *     HTTP ------ listing ----+       |
 *                                     +-- standing     the node's name
 *                                     +-- publication  segments of the own dataplane
 *                                     +-- watch        segments it has open
 *                                     +-- request      what it asks
 *                                     +-- reconcile, sweep, observer
 *
 * A dataplane that says HELLO is answered at once, whatever Redis does; NODE_STATE follows when there is news. A second
 * dataplane is refused, unless the first is gone.
 */
#ifndef LINK_LINK_H
#define LINK_LINK_H

#include "controlplane/link/door.h"
#include "controlplane/link/listing.h"
#include "controlplane/link/request.h"
#include "controlplane/link/standing.h"

#include <sys/types.h>

struct controlplane_conf;
struct event_base;
struct link;
struct liveness;

/** A picture of one moment, for /v1/status. */
struct link_status {
	bool has_dataplane;
	bool is_answering; /**< the dataplane answers its PINGs in time */
	pid_t pid;         /**< of the dataplane; 0 = none */
	char node[HAUL_NAME_BYTES];
	uint64_t incarnation;
	uint64_t term;
	enum standing_state standing;
	char standing_reason[HAUL_REASON_BYTES];
	const char *redis_word;    /**< as registry_state_word */
	const char *redis_address; /**< as registry_address */
	char redis_reason[HAUL_REASON_BYTES];
	uint64_t epoch;
	unsigned int published; /**< segments of the own dataplane */
	unsigned int doubtful;  /**< of them, not known to be in Redis as wanted */
	unsigned int watched;   /**< segments that it has open */
	unsigned int requests;  /**< not answered yet */
	uint64_t reconciled;    /**< rounds */
};

/** What is counted beside the door and the requests. */
struct link_stats {
	uint64_t versions_seen; /**< VERSION_SEEN sent */
	uint64_t pings;         /**< sent */
	uint64_t pongs;         /**< answered */
	uint64_t events;        /**< of the stream */
	uint64_t gaps;          /**< in it */
	uint64_t illegal; /**< publications refused: a buffer's states do not follow each other */
};

/** Listen and connect. Returns 0 or -errno; what is wrong has been logged. */
int link_create(struct event_base *base, const struct controlplane_conf *conf, struct link **out);
void link_destroy(struct link *link);

/** Take the node's name from whoever holds it, once (standing_replace). Before the loop runs. */
void link_replace(struct link *link);

struct registry *link_registry(struct link *link);
struct liveness *link_liveness(struct link *link);
struct listings *link_listings(struct link *link);
void link_status(struct link *link, struct link_status *status);
const struct link_stats *link_stats(const struct link *link);
const struct door_stats *link_door_stats(const struct link *link);
const struct requests_stats *link_requests_stats(const struct link *link);

/**
 * An orderly end: when the dataplane is gone, or goes within LINK_LEAVE_MS, its node leaves; done is called once,
 * within twice that time. While the dataplane lives its node stays, since this control plane may only be restarting.
 */
void link_leave(struct link *link, void (*done)(void *arg), void *arg);

/** How long an end waits for the dataplane to end too, and then for Redis. */
#define LINK_LEAVE_MS 1000u

#endif
