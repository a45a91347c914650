/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The control socket's door: listens, checks who says HELLO, and lets one dataplane in at a time. Its messages are
 * passed on; everybody else hears why not.
 */
#ifndef LINK_DOOR_H
#define LINK_DOOR_H

#include "api/haul_control.h"

#include <stdbool.h>
#include <sys/types.h>

struct door;
struct event_base;

struct door_events {
	/** A dataplane was let in; the message has been checked, and answered. */
	void (*entered)(void *arg, const struct haul_control_hello *hello);
	/** A frame of the dataplane; its body is not checked beyond its length. fd (or -1) is taken over. */
	void (*message)(void *arg, const struct haul_frame *frame, int fd);
	/** The dataplane is gone. */
	void (*left)(void *arg);
	/** Everything that waited has been sent. */
	void (*drained)(void *arg);
	void *arg;
};

struct door_stats {
	uint64_t hellos;    /**< dataplanes let in */
	uint64_t refused;   /**< HELLOs refused */
	uint64_t malformed; /**< messages refused */
};

/** Listen at a path with a file mode. Returns 0 or -errno; what is wrong has been logged. */
int door_create(struct event_base *base, const char *path, mode_t mode,
		const struct door_events *events, struct door **out);
void door_destroy(struct door *door);

bool door_has_dataplane(const struct door *door);

/** Its process, or 0. */
pid_t door_pid(const struct door *door);

/** Send to the dataplane, as session_send; -ENOTCONN when there is none. */
int door_send(struct door *door, const void *message, int fd, bool may_wait);

/** Answer a message of the dataplane with an error and a sentence; counted as malformed. */
void door_refuse(struct door *door, const struct haul_frame *frame, int error, const char *reason);

const struct door_stats *door_stats(const struct door *door);

#endif
