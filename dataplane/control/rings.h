/* SPDX-License-Identifier: BSD-3-Clause */
/** The shared memory and the two ways to wake each other of one channel: made for a client, mapped here and there. */
#ifndef CONTROL_RINGS_H
#define CONTROL_RINGS_H

#include "control/quiesce.h"
#include "engine/channel.h"

#include <stdint.h>

struct client;

/** A channel with what the control thread keeps of it. */
struct rings {
	struct channel channel;
	struct client *client; /**< whose it is; its struct outlives this one's service */
	struct quiesce_action quiesce;
	uint64_t bytes;     /**< of the mapping */
	int memory_fd;      /**< -1 once it has been sent */
	int client_wake_fd; /**< the client's end of channel.wake_fd; -1 once it has been sent */
	uint32_t fault_id;  /**< guard of the mapping */
};

/**
 * Make rings of `entries` submissions (a power of two), as many notifications and twice as many completions. Returns 0
 * or -errno. The caller frees with rings_destroy.
 */
int rings_create(uint32_t number, uint32_t entries, uint32_t timeout_ms, struct rings **rings_out);

/** The client has its descriptors: close what only it needs. The mapping stays. */
void rings_close_sent(struct rings *rings);

/**
 * NULL and half-built are allowed. No worker may serve it any more, be asleep on its doorbell, or still hold a region
 * whose notifications went here: all of them have passed a quiescent point since.
 */
void rings_destroy(struct rings *rings);

#endif
