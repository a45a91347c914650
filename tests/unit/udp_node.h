/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A node with the udp transport alone, for tests: in place of the engine stands a piece of memory, which is
 * region UDP_NODE_REGION for everybody, and a record of what the driver has told.
 */
#ifndef TESTS_UNIT_UDP_NODE_H
#define TESTS_UNIT_UDP_NODE_H

#include "drivers/udp/conf.h"
#include "drivers/udp/counters.h"
#include "engine/transport.h"

#include <stdbool.h>
#include <stdint.h>

#define UDP_NODE_REGION  UINT64_C(0x000001000007)
#define UDP_NODE_STALE   UINT64_C(0x000002000007) /* another generation */
#define UDP_NODE_VERSION 12                       /* told with STALE */
#define UDP_NODE_RAIL    3u
#define UDP_NODE_PORT    7471
/* What its slices name. */
#define UDP_NODE_SEGMENT 5u
#define UDP_NODE_REMOTE  6u
#define UDP_NODE_RIGHTS  3u
/* Workers that a node may have. Most tests have one, and name it without an index. */
#define UDP_NODE_WORKERS 4u

/* The engine's worker, as this test has it. */
struct worker {
	uint8_t *memory;
	uint64_t bytes;
	enum rail_state rail;       /**< last told */
	enum rail_cause cause;      /**< of that */
	uint32_t rail_news;         /**< times told */
	enum rail_state other_rail; /**< last told of another rail than UDP_NODE_RAIL */
	enum rail_cause other_cause;
	uint32_t done;          /**< slices ended */
	uint32_t refused;       /**< of them, not with HAUL_OK */
	enum haul_error status; /**< of the last that was refused */
	enum haul_reason reason;
	uint64_t placed;                /**< bytes */
	uint32_t uses;                  /**< operations open as their target */
	uint32_t uses_most;             /**< at a time */
	bool is_draining;               /**< refuses new operations */
	struct transport_notice notice; /**< delivered last */
	char notice_node[HAUL_NAME_BYTES];
	uint32_t notified;  /**< times */
	bool is_full;       /**< refuses notifications as if the owner's ring were full */
	bool is_deaf;       /**< place refuses as too late: nothing lands */
	bool is_stingy;     /**< lends nothing */
	bool has_other_key; /**< than those have who come with a proof */
	bool is_guarded;    /**< memory is a range of base/fault */
	uint32_t fault_id;  /**< of that */
};

struct udp_node {
	struct udp_conf conf;
	uint32_t worker_count; /**< 1 unless set before it is opened */

	union {
		struct worker worker;
		struct worker each[UDP_NODE_WORKERS];
	};
	struct worker *workers[UDP_NODE_WORKERS];

	union {
		uint64_t counters[UDP_COUNTER_COUNT];
		uint64_t counters_each[UDP_NODE_WORKERS][UDP_COUNTER_COUNT];
	};

	uint64_t *blocks[UDP_NODE_WORKERS];
	uint8_t key[TRANSPORT_KEY_BYTES];
	char name[HAUL_NAME_BYTES];
	uint64_t incarnation;
	uint16_t peer_port; /**< that it connects to */
	uint32_t way;       /**< that slices are posted on: the rail's number is so much higher */
	struct transport *transport;

	union {
		struct transport_worker *half;
		struct transport_worker *halves[UDP_NODE_WORKERS];
	};
};

/** Fill in a node's configuration: one port with this device and address. */
void udp_node_init(struct udp_node *node, const char *name, const char *device,
		   const char *address);

/** Open and close its transport; 0 or -errno. */
int udp_node_open(struct udp_node *node, uint64_t incarnation);
void udp_node_close(struct udp_node *node);

/** One round of its control thread and of its workers. */
void udp_node_turn(struct udp_node *node);

/** One round of its first worker alone, or of one of them. */
void udp_node_turn_worker(struct udp_node *node);
void udp_node_turn_one(struct udp_node *node, uint32_t worker);

/** Begin to connect a rail to a peer's only port, on the way of that number: UDP_NODE_RAIL + way. */
void udp_node_connect_way(struct udp_node *node, const char *name, uint64_t incarnation,
			  const char *address, uint32_t way);

/** What it says of a way to a peer at that address. */
void udp_node_describe_way(struct udp_node *node, const char *address, uint32_t way,
			   char *text_out);

/** Begin to connect its first worker's rail to a peer's only port, or that of one of its workers. */
void udp_node_connect(struct udp_node *node, const char *name, uint64_t incarnation,
		      const char *address);
void udp_node_connect_one(struct udp_node *node, uint32_t worker, const struct udp_node *peer);

/** What is called while something has to wait for a grant; NULL = every open node has a turn. */
extern void (*udp_node_round)(void);

/** Name what the nodes here are granted. */
void udp_node_grant(struct slice *slice);

/** Post a slice that the caller has made, when its grant has been proven, on the first worker; all nodes go round till then. */
bool udp_node_post_slice(struct udp_node *node, struct slice *slice);

/** Post a slice from or to the same offset of both nodes' memory; false when it was not taken. */
bool udp_node_post(struct udp_node *node, struct slice *slice, enum slice_kind kind,
		   uint64_t offset, uint32_t length);
bool udp_node_post_one(struct udp_node *node, uint32_t worker, struct slice *slice,
		       enum slice_kind kind, uint64_t offset, uint32_t length);

#endif
