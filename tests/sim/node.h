/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One simulated node: rudp on a worker, its handshake, the fake engine, and the application that keeps
 * operations under way.
 */
#ifndef SIM_NODE_H
#define SIM_NODE_H

#include "memory.h"
#include "proofs.h"
#include "rudp/cc.h"
#include "rudp/handshake.h"
#include "rudp/rudp.h"
#include "rudp/rudp_counters.h"
#include "scenario.h"

struct node {
	const struct scenario *scenario;
	struct random *random;
	const uint64_t *now_us;
	uint32_t index;
	uint64_t incarnation;
	struct rudp_address address;
	const struct cc_ops *cc; /**< NULL = rudp's default */
	struct rudp *rudp;
	struct rudp_connection *connection; /**< NULL = none; also while it ends */
	struct handshake *handshake;
	bool is_connecting;
	bool has_crc; /**< wants a checksum; set before node_init for all scenarios, by it for those that have it */
	bool is_blind;             /**< sabotage: none of them has it */
	uint64_t peer_incarnation; /**< as last learnt; 0 = not yet */
	struct memory memory;
	struct proofs proofs;
	bool is_hasty;                 /**< test hook: operations do not wait for their grant */
	struct link *link;             /**< to the other node */
	struct link_packet inbox[512]; /**< arrived, not taken in yet: the port's ring */
	uint32_t inbox_count;
	uint64_t paused_until_us;
	uint64_t think_until_us;
	uint64_t next_pause_us;
	uint64_t next_retire_us;
	uint64_t next_restart_us;
	uint64_t next_close_us;
	uint64_t wake_us; /**< next thing the application wants to do */
	uint64_t counters[RUDP_COUNTER_COUNT];
	uint64_t handshake_counters[HANDSHAKE_COUNTER_COUNT];
	uint64_t ended;    /**< connections that ended */
	uint64_t failures; /**< attempts that failed */
	/** Test hooks, before and after each packet that is taken in; NULL = none. */
	void (*tamper)(uint8_t *data, size_t bytes, uint64_t now_us);
	void (*sabotage)(struct node *node);
};

void node_init(struct node *node, const struct scenario *scenario, struct node *peer);
void node_destroy(struct node *node);
/** Takes packets in, advances, works, and sends. */
void node_poll(struct node *node, struct node *peer);
/** When it wants to be polled without a packet. */
uint64_t node_next_us(const struct node *node);
/** All its operations have been submitted and have ended. */
bool node_is_done(const struct node *node);
/** After the run: pools at their level, what the scenario expects. */
void node_check(struct node *node);

#endif
