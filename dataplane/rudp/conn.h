/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * One connection, as the files of this folder see it.
 *
 *     recv.c   packets in: places, delivers, tells ack.c what was acknowledged
 *     ack.c    acknowledgements and losses of what was sent
 *     send.c   packets out: control first, then what was lost, then what is new
 *     timer.c  probes, fences by time, silence, keep-alive
 *     conn.c   birth, states, the end of operations, death
 *
 * Owned by the worker's thread, like everything in here. The order of the fields follows a packet's
 * way, so that one touches few cache lines.
 */
#ifndef RUDP_CONN_H
#define RUDP_CONN_H

#include "base/check.h"
#include "base/wheel.h"
#include "rudp/cc.h"
#include "rudp/ecn.h"
#include "rudp/grants.h"
#include "rudp/list.h"
#include "rudp/loss.h"
#include "rudp/mtu.h"
#include "rudp/operation.h"
#include "rudp/pacer.h"
#include "rudp/piece.h"
#include "rudp/ranges.h"
#include "rudp/rudp.h"
#include "rudp/rudp_counters.h"
#include "rudp/sent.h"
#include "rudp/served.h"
#include "rudp/table.h"
#include "rudp/window.h"

/** A tick this old is refreshed before WRITE data goes out: two of the four ticks are left for the way. */
#define CONN_TICK_FRESH_US (UINT64_C(2) * RUDP_TICK_US)
/** DONE may wait this long for company: only drains wait for it, and they take milliseconds anyway. */
#define CONN_DONE_DELAY_US 1000u
/** Doubtful: probes, and time without an acknowledgement. Schedulers take 10 ms as a matter of course. */
#define CONN_DOUBT_PROBES 2u
#define CONN_DOUBT_US     8000u
/** Who waits for the data of a READ, and has nothing unacknowledged, pings after so much silence. */
#define CONN_LISTEN_US 8000u
/** How long an ended connection waits for the driver to take its last packet. */
#define CONN_LINGER_US 200000u
#define CONN_NS_PER_US UINT64_C(1000)
/** So much late may paced packets catch up: workers come round each few microseconds, and no more in a burst. */
#define CONN_PACE_CREDIT_NS 4000u
/** A worker that was away for longer was descheduled or asleep; what it finds may have waited all that time. */
#define CONN_AWAY_US 16u
/** Packets of one WRITE or READ in a row before the next one has its turn. */
#define CONN_QUANTUM 16u

struct rudp_connection {
	struct list_link ready;  /**< of rudp.ready: wants to send */
	struct list_link paced;  /**< of rudp.pacer: has data whose time has not come */
	struct list_link asking; /**< of rudp.asking: has proofs to be made or checked */
	struct rudp *rudp;
	void *user;
	uint8_t state;          /**< enum rudp_state, 0 = the slot is free */
	uint8_t reason;         /**< enum rudp_end_reason */
	bool ack_pending;       /**< an ACK frame is owed */
	bool ping_pending;      /**< a PING frame is to be sent */
	bool probe_pending;     /**< one data packet may go beyond the window */
	bool done_urgent;       /**< DONE must go now, somebody waits for its acknowledgement */
	bool close_pending;     /**< ENDED: the peer has not been told */
	bool tick_known;        /**< tick is valid */
	bool read_turn;         /**< READ data goes next, if there is any */
	bool done_said;         /**< done_number is valid */
	bool ping_said;         /**< ping_number is valid */
	uint16_t tick;          /**< latest learnt of the peer */
	uint16_t quantum;       /**< packets left of the turn */
	uint16_t payload_max;   /**< of a data packet; set from mtu */
	uint8_t crc_flag;       /**< WIRE_FLAG_CRC or 0, in all packets */
	uint8_t crc_bytes;      /**< that it takes behind each header */
	uint16_t index;         /**< of this slot */
	uint16_t generation;    /**< of this slot, for handles */
	uint32_t largest_acked; /**< highest number acknowledged, below sent.next */
	uint32_t done_number;   /**< newest packet with DONE */
	uint32_t ping_number;   /**< newest packet with PING */
	uint32_t ack_number;    /**< number for the next unnumbered packet */
	uint64_t tick_us;       /**< when tick was learnt */
	uint64_t heard_us;      /**< last valid packet */
	uint64_t waiting_us;    /**< since when something is unacknowledged without progress */
	uint64_t last_sent_us;  /**< last numbered packet */
	uint64_t pace_next_ns;  /**< the next data packet goes then, if it is paced */
	uint64_t largest_us;    /**< when the highest number of the peer came, at the earliest */
	uint64_t done_due_us;   /**< DONE must be said by then; UINT64_MAX = nothing to say */
	uint64_t loss_due_us;   /**< then the time threshold strikes; UINT64_MAX = none */
	uint64_t deadline_us;   /**< what `timer` is armed for; UINT64_MAX = not armed */
	uint64_t ended_us;      /**< when it ended */
	struct sent sent;
	struct loss loss;
	struct cc cc;
	struct operations operations;
	struct served_table served;
	struct grants grants;
	struct timer timer;
	uint64_t packets_sent;     /**< for rudp_connection_stats */
	uint64_t packets_lost;     /**< for rudp_connection_stats */
	uint64_t packets_again;    /**< for rudp_connection_stats */
	uint64_t packets_spurious; /**< for rudp_connection_stats */
	struct mtu mtu;
	struct ecn ecn;
	struct ranges ranges;
	struct window window;
	struct pieces pieces;
	struct rudp_params params;
	void *memory; /**< of sent, operations, served and grants; the slot's for good */
};

struct rudp {
	struct rudp_callbacks callbacks;
	void *context;
	uint64_t *counters;
	struct list_link ready;              /**< connections that want to send */
	struct list_link asking;             /**< connections with grants that are WANTED */
	struct table local;                  /**< by the id in packets from peers */
	struct table remote;                 /**< by the id in packets to peers: resets name it */
	struct rudp_connection *connections; /**< connections_max slots */
	uint8_t *memory;                     /**< memory_bytes for each slot */
	uint32_t memory_bytes;
	uint32_t connection_count; /**< slots in use */
	struct rudp_config config;
	uint64_t looked_us; /**< end of the last round: what is found in the next came later */
	struct wheel wheel;
	struct pacer pacer;
	uint64_t counters_own[RUDP_COUNTER_COUNT]; /**< when the owner gave none */
};

static inline void rudp_count(struct rudp *rudp, enum rudp_counter counter)
{
	rudp->counters[counter]++;
}

/** How long what is found now may have waited for this worker; 0 when it was attentive. */
static inline uint32_t rudp_away_us(const struct rudp *rudp, uint64_t now_us)
{
	uint64_t away_us = now_us - rudp->looked_us;

	return LIKELY(away_us < CONN_AWAY_US) ? 0 : (uint32_t)MIN(away_us, (uint64_t)UINT16_MAX);
}

/** Before the payload of each data packet. */
static inline uint32_t conn_data_header_bytes(const struct rudp_connection *connection)
{
	return WIRE_DATA_HEADER_BYTES + connection->crc_bytes;
}

/* conn.c */

void conn_init(struct rudp_connection *connection, uint64_t now_us);
/** Puts it on the list of those that want to send. */
void conn_wake(struct rudp_connection *connection);
/** Fires the timer at the deadline or before. */
void conn_arm(struct rudp_connection *connection, uint64_t deadline_us);
void conn_state_set(struct rudp_connection *connection, enum rudp_state state);
/** Stops everything; operations end, WRITEs that were sent after freshness. */
void conn_end(struct rudp_connection *connection, enum rudp_end_reason reason, uint64_t now_us);
/** Reports an operation's end, and frees it. */
void conn_finish(struct rudp_connection *connection, struct operation *operation, uint16_t status,
		 uint16_t reason, uint64_t version);
/** Ends an ACTIVE operation: at once, or by a fence when something of it may still land. */
void conn_abort(struct rudp_connection *connection, struct operation *operation, uint16_t status,
		uint16_t reason, uint64_t now_us);
/** Data packets are as large as the path is known to carry, from now on. */
void conn_payload_set(struct rudp_connection *connection);
/** Packets are not marked as ECN-capable any more. */
void conn_unmark(struct rudp_connection *connection);
/** DONE has news. */
void conn_done_due(struct rudp_connection *connection, uint64_t now_us);

/** This node's tick. */
static inline uint16_t conn_tick(uint64_t now_us)
{
	return (uint16_t)(now_us / RUDP_TICK_US);
}

static inline bool conn_tick_is_fresh(const struct rudp_connection *connection, uint64_t now_us)
{
	return connection->tick_known && now_us - connection->tick_us < CONN_TICK_FRESH_US;
}

/* ack.c */

/** Takes in an ACK frame; false when it acknowledges what was never sent. */
bool ack_receive(struct rudp_connection *connection, const struct wire_ack *ack, uint64_t now_us);
/** Declares lost what a later acknowledgement and the time say. */
void ack_detect_loss(struct rudp_connection *connection, uint64_t now_us);
/** What a control packet carried has to be said again; true when there was anything. */
bool ack_resay(struct rudp_connection *connection, uint32_t number, uint8_t flags);
/** True when the chunk of an origin is of no more use. */
bool ack_is_moot(const struct rudp_connection *connection, const struct sent_packet *origin);
/** Moves sent.tail over what is settled. */
void ack_retire(struct rudp_connection *connection);

/* timer.c */

void timer_fire_connection(struct timer *timer, uint64_t now_us);

/* recv.c is behind rudp_receive, send.c behind rudp_transmit. */

#endif
