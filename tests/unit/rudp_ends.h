/* SPDX-License-Identifier: BSD-3-Clause */
/** Two ends of rudp joined by hand under a virtual clock; the test decides which packet arrives, when, and how often. */
#ifndef RUDP_ENDS_H
#define RUDP_ENDS_H

#include "rudp/rudp.h"
#include "rudp/rudp_counters.h"

#include <stdint.h>

#define START_US   UINT64_C(1000000000)
#define DATAGRAM   1472u
#define PAYLOAD    (DATAGRAM - RUDP_DATA_HEADER_BYTES)
#define OPERATIONS 8u
#define FENCE_US   (125000 + 25 + 1)

struct end {
	struct rudp *rudp;
	struct rudp_connection *connection;
	struct rudp_address address;
	uint64_t counters[RUDP_COUNTER_COUNT];
	/* What the callbacks answer. */
	int place_status;
	int open_status;
	int source_status;
	int notify_status;
	int source_byte; /* all that a source has; 0 = 's' */
	struct rudp_notice notice;
	bool is_full; /* no proof is taken now */
	/* What they have seen. */
	unsigned placed;
	uint8_t placed_byte; /* first of the last payload */
	unsigned notified;
	unsigned opened;
	unsigned closed;
	unsigned delivered;
	unsigned done;
	uint64_t bytes;
	struct rudp_placement placement;
	struct rudp_notification notification;
	struct rudp_completion completion;
	unsigned proves;
	unsigned checks;
	struct rudp_grant grant; /* the last that was to be proven or checked */
	enum rudp_state state;
	enum rudp_end_reason reason;
};

struct packet {
	size_t bytes;
	uint8_t data[DATAGRAM];
};

extern struct end ends[2];
extern uint64_t now_us;
/** What both have agreed on, from the next setup on. */
extern uint32_t ends_capabilities;

/** A case with both ends made and joined before it. */
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/** For cmocka: both ends made and joined, and destroyed. */
int setup(void **state);
int teardown(void **state);

/** What an end is created and joined with. */
struct rudp_config config_make(unsigned i);
struct rudp_params params_make(unsigned i);

/** The next packet of an end; 0 bytes = it has nothing to send. */
struct packet take(unsigned i);
enum rudp_receive give(unsigned to, const struct packet *packet);

/** Back and forth until both are silent. */
void settle(void);

/** Time passes; in the black what anybody sends is lost. */
void pass(uint64_t us);
void pass_black(uint64_t us);

/** An operation of end 0; returns its id. */
uint32_t submit(enum rudp_kind kind, uint32_t length);

#endif
