/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * rudp: one worker's end of the reliable datagram transport, sans-IO.
 *
 * Packets and the time go in, packets and deadlines come out. There is no clock, no system call and, after
 * rudp_create, no allocation in here. Everything of one struct rudp belongs to one thread; the callbacks
 * are made on it, from inside the calls below. A callback may submit operations; it must not cancel
 * any, nor close a connection.
 *
 * The worker's round:
 *
 *     for each packet of a receive burst:  rudp_receive
 *     rudp_advance                         timers
 *     while ((connection = rudp_next_to_send(rudp, now)) != NULL && there are packet buffers)
 *             rudp_transmit                until it returns 0, then the next connection
 *     sleep no longer than rudp_next_deadline_us
 *
 * So a burst is acknowledged once. Times are microseconds of CLOCK_MONOTONIC, 64 bits. The bytes of a
 * packet here are those of the UDP payload. docs/protocol.md has every one of them, and says why
 * nothing lands twice or late.
 */
#ifndef RUDP_RUDP_H
#define RUDP_RUDP_H

#include "rudp/rudp_types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rudp;
struct rudp_connection;

/** What arrived for a region of this node: WRITE data at its target. */
struct rudp_placement {
	struct rudp_connection *connection;
	uint64_t region;         /**< 48 bits, opaque here: slot and generation */
	uint64_t offset;         /**< bytes from the region's start, 48 bits */
	const void *payload;     /**< in the packet; valid during the call */
	uint32_t length;         /**< bytes, never 0 */
	uint32_t operation;      /**< id of the initiator, for records */
	uint32_t flags;          /**< RUDP_PLACE_* */
	struct rudp_right right; /**< what its initiator was granted, of the slot that it names */
	uint16_t reason;         /**< out, with a refusal: enum haul_reason, 0 before */
	uint64_t not_after_us;   /**< freshness: nothing may be placed once the clock is beyond */
	uint64_t version; /**< out, with HAUL_STALE: the segment's current version, 0 before */
};

/** The operation's first packet: a region that takes no new operations refuses it. */
#define RUDP_PLACE_FIRST 0x1u
/** The operation's only packet: it is never counted as open, `closed` is not called for it. */
#define RUDP_PLACE_ONLY 0x2u

/** A notification for whoever owns a region of this node. */
struct rudp_notification {
	struct rudp_connection *connection;
	uint64_t region;           /**< 48 bits */
	uint64_t offset;           /**< where the WRITE began, from the region's start, 48 bits */
	uint64_t not_after_us;     /**< freshness: not to be delivered once the clock is beyond */
	uint64_t version;          /**< out, with HAUL_STALE, 0 before */
	uint32_t operation;        /**< id of the initiator, for records */
	uint16_t reason;           /**< out, with a refusal, 0 before */
	struct rudp_right right;   /**< what its initiator was granted, of the slot that it names */
	struct rudp_notice notice; /**< what it says */
};

/** What a data packet needs: the initiator's bytes of a WRITE, the target's bytes of a READ. */
struct rudp_source {
	struct rudp_connection *connection;
	enum rudp_kind kind;     /**< whose bytes: WRITE and NOTIFY = `cookie`, READ = `region` */
	uint32_t length;         /**< bytes wanted */
	uint64_t cookie;         /**< WRITE: of the operation; READ: 0 */
	uint64_t region;         /**< READ: the region that is read; WRITE: 0 */
	uint64_t offset;         /**< WRITE: from the operation's start; READ: from the region's */
	void *packet;            /**< token given to rudp_transmit */
	void *destination;       /**< right behind the header in the packet's buffer */
	struct rudp_right right; /**< READ: what its initiator was granted; WRITE: zeros */
	uint16_t reason;         /**< out, with a refusal: enum haul_reason, 0 before */
	uint64_t version;        /**< out, with HAUL_STALE: the current version, 0 before */
	struct rudp_notice notice; /**< out, NOTIFY: instead of bytes at destination */
};

/** A READ that a peer asks of this node. */
struct rudp_opening {
	struct rudp_connection *connection;
	uint64_t region;         /**< 48 bits */
	uint64_t offset;         /**< from the region's start */
	uint32_t length;         /**< bytes, never 0 */
	uint32_t operation;      /**< id of the initiator, for records */
	struct rudp_right right; /**< what its initiator was granted, of the slot that it names */
	uint16_t reason;         /**< out, with a refusal, 0 before */
	uint64_t version;        /**< out, with HAUL_STALE, 0 before */
};

/** A proof that is to be made by an initiator, or to be checked by a target. */
struct rudp_grant {
	struct rudp_connection *connection;
	uint32_t segment;                /**< its number at the target */
	uint32_t serial;                 /**< comes back with the answer */
	uint32_t tag;                    /**< initiator: as given to rudp_grant_find */
	uint8_t slot;                    /**< comes back with the answer */
	uint8_t rights;                  /**< 1 to 3 */
	uint8_t proof[RUDP_PROOF_BYTES]; /**< target: what is to be checked */
};

/** The end of an operation of this node. */
struct rudp_completion {
	struct rudp_connection *connection;
	uint64_t cookie; /**< of the request */
	uint32_t
		bytes; /**< placed (WRITE) or delivered (READ); whole length with HAUL_OK; NOTIFY: 0 */
	uint16_t status;     /**< enum haul_error */
	uint16_t reason;     /**< enum haul_reason */
	uint64_t version;    /**< with HAUL_STALE from the target: its current version, else 0 */
	enum rudp_kind kind; /**< of the request */
};

/** Calls out of rudp; none but `unmark`, `prove` and `check` may be NULL. Statuses are positive enum haul_error, 0 = HAUL_OK. */
struct rudp_callbacks {
	/**
	 * Target: checks generation, right and range, then the clock against not_after_us, copies once.
	 * Returns 0, HAUL_STALE, HAUL_DENIED, HAUL_RANGE or HAUL_FAULT, which end the operation at its
	 * initiator; HAUL_TIMEOUT when the clock was beyond not_after_us (dropped like a lost
	 * packet). After 0 with FIRST and without ONLY the operation is open until `closed`.
	 */
	int (*place)(void *context, struct rudp_placement *placement);
	/** Target: a READ begins; checks as `place` does. After 0 it is open until `closed`. */
	int (*open)(void *context, struct rudp_opening *opening);
	/**
	 * Target: checks as `place` does, and delivers the notification unless an earlier attempt has. Returns 0 when it is
	 * delivered, what `place` returns, or HAUL_BUSY. Comes once for an operation; another operation may bring the same
	 * number later.
	 */
	int (*notify)(void *context, struct rudp_notification *notification);
	/** Target: an operation that was open on the region is over; nothing of it follows. */
	void (*closed)(void *context, struct rudp_connection *connection, uint64_t region);
	/**
	 * Either: fills destination, or for a NOTIFY the notice. Called again for a retransmission. Returns 0 or the status that
	 * ends the operation; for a READ the checks of `place` are made each time.
	 */
	int (*source)(void *context, struct rudp_source *source);
	/** Initiator: bytes of a READ, each exactly once. Returns 0 or HAUL_FAULT. */
	int (*deliver)(void *context, uint64_t cookie, uint32_t offset, const void *payload,
		       uint32_t length);
	/** Initiator: exactly once for each accepted operation. After it no byte of it lands. */
	void (*done)(void *context, const struct rudp_completion *completion);
	/** After RUDP_GONE the connection's pointer is dead; its user pointer may be freed. */
	void (*state)(void *context, struct rudp_connection *connection, enum rudp_state state,
		      enum rudp_end_reason reason);
	/**
	 * Begin to make a proof, or to check one; rudp_grant_made and rudp_grant_checked answer, later. Called by
	 * rudp_grants_ask alone. Returns true, or false when there is no room: it is asked again. NULL: nothing can be
	 * proven, nor is anything granted.
	 */
	bool (*prove)(void *context, const struct rudp_grant *grant);
	bool (*check)(void *context, const struct rudp_grant *grant);
	/** Its packets are not to be sent as ECN-capable any more: rudp_connection_is_marked has become false. */
	void (*unmark)(void *context, struct rudp_connection *connection);
};

/** One worker's limits and surroundings. */
struct rudp_config {
	uint32_t connections_max; /**< 1 to RUDP_CONNECTIONS_MAX */
	uint32_t operations;      /**< open at a time, a connection and direction; power of two */
	uint32_t packets;         /**< sent and not settled, a connection; power of two */
	uint32_t datagram_bytes;  /**< largest UDP payload the port carries: MTU - 28 or - 48 */
	uint32_t window_packets; /**< the fixed window, the others' most; 0 = RUDP_WINDOW_PACKETS */
	uint32_t silence_us;     /**< peer_silence_ms: then a connection ends; 0 = default */
	uint32_t keepalive_us;   /**< idle time before a ping; 0 = default */
	uint8_t worker;          /**< top byte of the local connection ids */
	uint64_t now_us;         /**< the clock at creation */
	uint64_t *counters;      /**< RUDP_COUNTER_COUNT words that only this thread writes */
	const struct cc_ops *cc; /**< of connections that name none; NULL = the fixed window */
	const struct rudp_callbacks *callbacks;
	void *context; /**< first argument of the callbacks */
};

/** An operation to begin. */
struct rudp_operation_request {
	enum rudp_kind kind;
	uint32_t length; /**< bytes, 1 to RUDP_OPERATION_BYTES_MAX; NOTIFY: 0 */
	uint64_t region; /**< at the target, 48 bits */
	uint64_t offset; /**< in that region, below RUDP_REGION_BYTES_MAX like its end */
	uint64_t cookie; /**< comes back in source, deliver and done */
	uint8_t grant;   /**< slot, of rudp_grant_find; 0 where nobody asks for one */
};

/** Returns 0, -EINVAL for limits out of range, -ENOMEM. All memory is taken here. */
int rudp_create(const struct rudp_config *config, struct rudp **out);
/** Ends without callbacks or packets. Accepts NULL. */
void rudp_destroy(struct rudp *rudp);

/**
 * A connection from a finished handshake; `user` is the owner's and never looked at. On the
 * initiator's side it is ESTABLISHED at once; on the responder's it is OPENING, and `state` reports
 * ESTABLISHED with the first packet.
 * Returns 0, -ENOSPC (connections_max), -EEXIST (local id in use), -EINVAL (limits, worker number).
 */
int rudp_connection_add(struct rudp *rudp, uint64_t now_us, const struct rudp_params *params,
			void *user, struct rudp_connection **out);
/**
 * Ends it: the peer is told, operations end (WRITEs when nothing of them can land any more), then
 * RUDP_GONE is reported. Closing what has ended is no error.
 */
void rudp_connection_close(struct rudp_connection *connection, uint64_t now_us);
/** Index (stable, below connections_max) in the low 16 bits, generation above. */
uint32_t rudp_connection_handle(const struct rudp_connection *connection);
/** The connection of a handle, NULL when it is gone. */
struct rudp_connection *rudp_connection_find(struct rudp *rudp, uint32_t handle);
/** Are its packets to be sent as ECT(0)? Until `unmark` says otherwise. */
bool rudp_connection_is_marked(const struct rudp_connection *connection);
/** The largest datagram that its path is known to carry: acknowledgements have said so. */
uint32_t rudp_connection_datagram_bytes(const struct rudp_connection *connection);
/** Are its packets summed up before they go? Else `source` may bring the bytes of a WRITE in another way than `destination`. */
bool rudp_connection_is_summed(const struct rudp_connection *connection);
void *rudp_connection_user(const struct rudp_connection *connection);
const struct rudp_params *rudp_connection_params(const struct rudp_connection *connection);
enum rudp_state rudp_connection_state(const struct rudp_connection *connection);
void rudp_connection_stats(const struct rudp_connection *connection, struct rudp_stats *out);

/**
 * Returns 0 and the operation's id, -EAGAIN (back-pressure: all ids are in use, or OPENING; try
 * again after a done), -ENOTCONN (the connection has ended), -EINVAL (kind or length).
 */
int rudp_submit(struct rudp_connection *connection, uint64_t now_us,
		const struct rudp_operation_request *request, uint32_t *operation_out);
/**
 * Ends an operation with `status`. A READ is done inside this call. A WRITE or NOTIFY of which something was
 * sent is done when the target has acknowledged the fence, or at rudp_write_fence_us.
 * Returns 0, -ENOENT when there is no such operation or it is ending already.
 */
int rudp_cancel(struct rudp_connection *connection, uint64_t now_us, uint32_t operation_id,
		uint16_t status, uint16_t reason);
/** The time from which on nothing sent so far of a WRITE or NOTIFY can land; 0 = nothing was sent, or done. */
uint64_t rudp_write_fence_us(const struct rudp_connection *connection, uint32_t operation_id);

/**
 * The slot to name in operations on a segment of the peer, for a right that was granted. The first call begins to prove it
 * and so do those after another grant has taken the slot. Returns 0; -EAGAIN: not yet, try again when something has come
 * in; -ENOTCONN; or, positive, the status with which it was refused just now. `tag` is given to `prove`.
 */
int rudp_grant_find(struct rudp_connection *connection, uint64_t now_us, uint32_t segment,
		    uint8_t rights, uint32_t tag, uint8_t *slot_out);
/** `prove` has ended: with HAUL_OK and the proof, or with the status that operations are to end with. */
void rudp_grant_made(struct rudp_connection *connection, uint64_t now_us, uint8_t slot,
		     uint32_t serial, int status, const uint8_t proof[RUDP_PROOF_BYTES]);
/** `check` has ended: HAUL_OK, HAUL_DENIED or HAUL_STALE, which the initiator is told. */
void rudp_grant_checked(struct rudp_connection *connection, uint8_t slot, uint32_t serial,
			int status);
/** Calls `prove` and `check` for what is wanted; once a round. */
void rudp_grants_ask(struct rudp *rudp);

/** Which thread a datagram is for; looks at the first bytes only. */
enum rudp_packet_kind rudp_packet_kind(const void *packet, size_t bytes);
/** The worker that a RUDP_PACKET_CONNECTION belongs to. */
uint8_t rudp_packet_worker(const void *packet);
/** The connection id a RUDP_PACKET_CONNECTION is sent to, for handshake_reset. */
uint64_t rudp_packet_connection(const void *packet);

/**
 * Takes in a packet of the kinds CONNECTION and RESET. The packet is only read, and free afterwards.
 * `ecn` is the two bits of its IP header, as there. RUDP_RECEIVE_UNKNOWN asks for a reset: hand {address, id} to the control thread, rate limited.
 */
enum rudp_receive rudp_receive_marked(struct rudp *rudp, uint64_t now_us,
				      const struct rudp_address *address, const void *packet,
				      size_t bytes, uint8_t ecn);

/** The same for a packet of which the IP header is not known. */
static inline enum rudp_receive rudp_receive(struct rudp *rudp, uint64_t now_us,
					     const struct rudp_address *address, const void *packet,
					     size_t bytes)
{
	return rudp_receive_marked(rudp, now_us, address, packet, bytes, 0);
}
/**
 * A connection that wants to send, the longest waiting first; NULL = none. Called in each round: the time since
 * the last call of this, or of rudp_advance, tells how long the packets of the next round may have waited for this
 * worker. One that was woken by its port calls rudp_advance before it receives.
 */
struct rudp_connection *rudp_next_to_send(struct rudp *rudp, uint64_t now_us);
/**
 * Builds the next packet in buffer, of at least the params' datagram_bytes. Returns its bytes, 0 =
 * nothing to send now; the connection then leaves the list of rudp_next_to_send.
 */
size_t rudp_transmit(struct rudp_connection *connection, uint64_t now_us, void *packet_token,
		     void *buffer, size_t capacity);
/** When rudp_advance has something to do; UINT64_MAX = never. */
uint64_t rudp_next_deadline_us(const struct rudp *rudp);
/** Runs due timers; returns how many. Behind rudp_receive, at least when a deadline has come. */
unsigned rudp_advance(struct rudp *rudp, uint64_t now_us);

#endif
