/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The node: everything of one dataplane but EAL and the SIGBUS ranges, which belong to the process.
 *
 * Made and run on the control thread, which is the process's main thread. It never blocks: what does is a job.
 */
#ifndef CONTROL_NODE_H
#define CONTROL_NODE_H

#include "base/counters.h"
#include "base/log.h"
#include "conf/dataplane.h"
#include "control/balance.h"
#include "control/client.h"
#include "control/connector.h"
#include "control/drain.h"
#include "control/job.h"
#include "control/link.h"
#include "control/opening.h"
#include "control/quiesce.h"
#include "control/refusal.h"
#include "control/segment.h"
#include "engine/worker.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct event;
struct event_base;

/** A transport that is built in, and the struct its configuration was loaded into. */
struct node_driver {
	const struct transport_ops *ops;
	const void *conf;
};

struct node {
	const struct dataplane_conf *conf;
	const struct node_driver *drivers;
	uint32_t driver_count;

	struct event_base *base;
	struct event *stop_term;
	struct event *stop_int;
	struct event *housekeeping;
	struct job_lane lane_long;
	struct quiesce quiesce;
	struct drains drains;
	struct event *
		reaper; /**< frees buffers and segments that are over, with nothing else under way */
	struct link link;
	struct connector connector;
	struct counters *counters;
	struct engine engine;
	struct balance balance;
	uint64_t *driver_counters[TRANSPORTS_MAX][WORKERS_MAX];
	uint8_t cluster_key[CLUSTER_KEY_BYTES];
	uint64_t faults_seen;           /**< fault_count at the last look */
	struct log_limit lock_limit;    /**< of complaints about memory that cannot be locked */
	struct log_limit publish_limit; /**< of complaints about records that cannot be written */
	uint32_t segment_number;        /**< the last one given out */

	struct client_table clients;
	struct segment_list segments;
	struct segment_list segments_over; /**< for the reaper, as the next */
	struct buffer_list buffers_over;
	struct buffer **buffers; /**< by the slots of their regions; NULL = it has none */
	struct extent **extents; /**< likewise */
	struct opening_list openings;
	uint64_t *opening_counters;
	struct refusals refusals;
	struct pace peer_paces[ENGINE_PEERS_MAX]; /**< of opening_seek_peer */
};

/**
 * Make a node and start its workers, sockets and link. Returns 0, or -errno after logging what failed. node_destroy
 * is right in either case.
 */
int node_create(struct node *node, const struct dataplane_conf *conf,
		const struct node_driver *drivers, uint32_t driver_count);

/** Serve until SIGTERM or SIGINT. */
void node_run(struct node *node);

/** End clients, workers and transports, in this order. A half-built node is allowed. */
void node_destroy(struct node *node);

/** The addresses of every transport, for HELLO and descriptors; returns their number. */
uint32_t node_addresses(struct node *node, struct haul_address addresses[]);

/** Send a command to every worker; a full ring is a defect, since what is under way is bounded (ENGINE_COMMANDS). */
void node_command_all(struct node *node, const struct worker_command *command);

#endif
