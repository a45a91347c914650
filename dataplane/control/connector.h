/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The control thread's side of workers and transports: it takes the workers' requests, has the drivers connect
 * rails, and runs the drivers' control halves by their descriptors and times.
 */
#ifndef CONTROL_CONNECTOR_H
#define CONTROL_CONNECTOR_H

#include "base/limits.h"
#include "engine/transport.h"

#include <stdint.h>

struct event;
struct node;

struct connector {
	struct node *node;
	struct event *requests[WORKERS_MAX];   /**< of each worker's request_fd */
	struct event *drivers[TRANSPORTS_MAX]; /**< of each driver's control_fd, where it has one */
	struct event *timer;                   /**< the drivers' next time */
};

/** Begin. Returns 0 or -ENOMEM. */
int connector_start(struct node *node);
void connector_stop(struct node *node);

/** A peer as drivers know it. */
struct transport_peer connector_peer(const struct node *node, uint32_t index);

/** Count the ways to a peer, when it has just been met: no worker sees it yet. */
void connector_count_ways(struct node *node, uint32_t index);

#endif
