/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What a transport is: the operations table that each driver fills, and the table that the engine gives it
 * in return. This is the only list of a driver's functions; none is NULL.
 *
 * Threads. A driver has two halves. The control half runs on the dataplane's control thread and makes and ends
 * connections; what blocks in it (opening a port) runs as a long job before any worker starts. The worker half
 * (struct transport_worker, one a worker) moves bytes in the poll loop: no system call, allocation, lock or log.
 * The halves talk over the driver's own bounded rings.
 *
 * A connection is always made by its initiator, for one worker and one rail of the engine; a target only
 * serves. Two nodes that write to each other have two connections, so there is no simultaneous open to settle.
 */
#ifndef ENGINE_TRANSPORT_H
#define ENGINE_TRANSPORT_H

#include "api/haul_abi.h"
#include "api/haul_control.h"
#include "api/haul_error.h"
#include "engine/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conf_table;       /* conf/schema.h: the driver's keys */
struct counter_group;    /* base/counters.h: the driver's counters */
struct transport;        /* a driver's own: one a process */
struct transport_worker; /* a driver's own: one a worker */
struct worker;           /* engine/worker.h: opaque to drivers, handed back in every upcall */

/** The cluster's key, for HMAC-SHA-256. */
#define TRANSPORT_KEY_BYTES 32u

/** How a rail stands, as its driver tells the engine. */
enum rail_state {
	RAIL_DOWN = 0,     /**< no connection: slices may not be posted */
	RAIL_UP = 1,       /**< slices may be posted */
	RAIL_DOUBTFUL = 2, /**< unanswered probes: another rail is better, the last one is kept */
};

/** Why a rail went down, when the engine must act on it. */
enum rail_cause {
	RAIL_CAUSE_NONE = 0,
	RAIL_CAUSE_UNREACHABLE = 1, /**< nobody answered: try again after a pause */
	RAIL_CAUSE_SILENT = 2,      /**< the peer fell silent for peer_silence_ms */
	RAIL_CAUSE_RESTARTED =
		3, /**< the peer proved another incarnation: its segments are STALE */
	RAIL_CAUSE_REFUSED =
		4, /**< the peer refused: version, key or limit; the reason text says which */
	RAIL_CAUSE_CLOSED = 5, /**< ended on purpose */
};

/** Numbers of one rail, for listings. Written by its worker, read by anybody; each is one aligned word. */
struct rail_stats {
	uint64_t rtt_us;
	uint64_t bytes_out;
	uint64_t bytes_in;
	uint64_t retransmissions;
	uint64_t mtu_bytes;      /**< IP packets that the path is known to carry; 0 = not known */
	uint64_t window_packets; /**< of congestion control; 0 = the transport has none */
	uint64_t rtt_target_us;  /**< that it aims at; 0 = at none */
	const char *congestion_name; /**< its name, of static storage; NULL = none */
};

/** Which of its operation's touches one is. A region that drains takes no new operations, and lets the open ones go on. */
enum transport_phase {
	TRANSPORT_ONLY = 0, /**< the first and last: nothing of it is open afterwards */
	TRANSPORT_FIRST =
		1,          /**< after HAUL_OK the operation is open on the region until `closed` */
	TRANSPORT_NEXT = 2, /**< of an open one; also what the initiator does with its own side */
};

/** One touch of registered memory. */
struct transport_access {
	uint64_t region;       /**< 48-bit handle */
	uint64_t offset;       /**< bytes from the region's start */
	uint64_t not_after_us; /**< of clock_now_us(); UINT64_MAX = no bound */
	uint32_t length;       /**< bytes */
	bool is_remote;   /**< asked for by a peer: the region's rights and the next two count */
	uint8_t phase;    /**< enum transport_phase */
	uint8_t rights;   /**< is_remote: HAUL_RIGHT_* that the peer has proven for `segment` */
	uint32_t segment; /**< is_remote: number of the one that it has proven them for; 0 = none */
};

/** A notification that a peer, or this node itself, brings: the last thing of a WRITE whose bytes are all placed. */
struct transport_notice {
	struct transport_access access; /**< the range that was written; its length may be 0 */
	const char *node;               /**< the source's, proven; up to HAUL_NAME_BYTES */
	uint64_t incarnation;           /**< of it, proven */
	uint64_t number;                /**< slice.number */
	uint64_t value;                 /**< of the entry */
	uint32_t tag;                   /**< of the entry */
	uint32_t worker;                /**< of the source: whose number it is */
};

/** A right to a segment, as it is proven to the segment's owner. */
struct transport_grant {
	uint64_t incarnation; /**< of the owner */
	uint32_t segment;     /**< the owner's number of it */
	uint32_t remote;      /**< at the initiator: slice.remote; at the owner 0 */
	uint32_t rights;      /**< HAUL_RIGHT_* */
};

/** What a refusal says beside its status; both are zero before the call. */
struct transport_refusal {
	uint64_t version;        /**< with STALE: the segment's current version, 0 if unknown */
	enum haul_reason reason; /**< finer cause; 0 = the status' own */
};

/**
 * What the engine gives to drivers. All but the last three are called on the worker that owns the rail or serves the
 * connection, from within poll, flush or cancel.
 */
struct transport_host {
	/** A rail changed. After RAIL_DOWN every slice posted on it has been or will be done. */
	void (*rail_state)(struct worker *worker, uint32_t rail, enum rail_state state,
			   enum rail_cause cause);

	/**
	 * A slice has ended, exactly once; from here on no byte of it lands any more. The status is HAUL_OK only
	 * when each of its bytes has been placed. With HAUL_STALE slice.version is what the target has told. The slice is the
	 * engine's again.
	 */
	void (*slice_done)(struct worker *worker, struct slice *slice, enum haul_error status,
			   enum haul_reason reason);

	/**
	 * Target, and initiator of a READ: put `length` bytes into a region, if it is of that generation, has the
	 * right and the range, and the clock has not passed not_after_us (UINT64_MAX: no bound). Copies once.
	 * Returns HAUL_OK, HAUL_STALE (*version_out: the segment's current version, 0 if unknown), HAUL_RANGE,
	 * HAUL_DENIED, HAUL_FAULT, or HAUL_TIMEOUT (too late: nothing was touched).
	 */
	enum haul_error (*place)(struct worker *worker, const struct transport_access *access,
				 const void *payload, uint64_t *version_out);

	/** Target: a READ begins. Checks as source does, but for the clock; after HAUL_OK it is open until `closed`. */
	enum haul_error (*open)(struct worker *worker, const struct transport_access *access,
				uint64_t *version_out);

	/** Target: an operation that was open on the region has ended; nothing of it touches the region any more. */
	void (*closed)(struct worker *worker, uint64_t region);

	/** The other way: fill `destination` from a region. Returns as place does. */
	enum haul_error (*source)(struct worker *worker, const struct transport_access *access,
				  void *destination, uint64_t *version_out);

	/**
	 * As source, but only tell where the bytes stand. They stand there until the end of the call of poll or flush in which
	 * this was asked, and no longer. Memory that its owner takes away meanwhile reads as zeros: who has sent what was lent
	 * asks is_sound before it says that the operation has ended well.
	 */
	enum haul_error (*lend)(struct worker *worker, const struct transport_access *access,
				const void **bytes_out, uint64_t *version_out);

	/** Has nothing of a region been taken away, up to now? */
	bool (*is_sound)(struct worker *worker, uint64_t region);

	/** Both at once, between two regions of this node; what place or source would refuse it refuses. */
	enum haul_error (*copy)(struct worker *worker, const struct transport_access *target,
				const struct transport_access *source, uint64_t *version_out);

	/**
	 * Target: deliver a notification, once for its source and number however often this is called. Returns HAUL_OK
	 * when it is delivered, now or by an earlier attempt, HAUL_BUSY when there is no room now, and all that place
	 * returns. After all but HAUL_OK it was not delivered by this call.
	 */
	enum haul_error (*notify)(struct worker *worker, const struct transport_notice *notice,
				  struct transport_refusal *refusal_out);

	/**
	 * Control thread: the key that proves a right at the owner, HAUL_KEY_BYTES. Returns HAUL_OK, or HAUL_STALE when the
	 * segment is open here no more.
	 */
	enum haul_error (*remote_key)(const struct worker *worker,
				      const struct transport_grant *grant, uint8_t *key_out);

	/**
	 * Control thread: the key by which a peer must prove a right to a segment of this node. Returns HAUL_OK, HAUL_STALE
	 * when there is no such segment, or HAUL_SYSTEM.
	 */
	enum haul_error (*own_key)(const struct worker *worker, const struct transport_grant *grant,
				   uint8_t *key_out);

	/** Any thread: the driver has left something for its half on this worker, which may be asleep. */
	void (*wake)(const struct worker *worker);
};

/** What a driver is opened with; all of it outlives the driver. */
struct transport_setup {
	const char *node;
	uint64_t incarnation;
	const uint8_t *cluster_key; /**< TRANSPORT_KEY_BYTES */
	const void *conf;           /**< the struct that the driver's own keys were loaded into */
	uint32_t worker_count;
	bool is_armed; /**< workers may sleep without a bound: arm is going to be called */
	uint32_t
		rails_max; /**< numbers of rails given to connect are below this, for each worker */
	uint32_t slices_max; /**< slices that one worker may have posted at a time */
	const struct transport_host *host;
	struct worker *const *workers; /**< worker_count of them, for the upcalls */
	uint64_t *const *counters;     /**< one block a worker, of ops->counters */
};

/** Whom to connect to. */
struct transport_peer {
	const char *node;
	uint64_t incarnation;                 /**< the one that is meant; another must refuse */
	const struct haul_address *addresses; /**< of all transports; the driver picks its own */
	uint32_t address_count;
	uint32_t
		way; /**< for connect and describe_way: which of those that `rails` has counted, from 0 */
};

/** The peer is this very node: the driver copies within the process. */
#define TRANSPORT_SAME_NODE 0x1u

struct transport_ops {
	const char *name;
	uint8_t id;                           /**< enum haul_transport */
	uint32_t capabilities;                /**< TRANSPORT_* */
	const struct conf_table *keys;        /**< configuration; NULL when it has none */
	size_t conf_bytes;                    /**< of the struct that keys fill; 0 when none */
	const struct counter_group *counters; /**< for each worker */

	/* Life. Control thread before the workers start, and after they have stopped; open may block. */

	/** 0, or -errno after logging why; a driver without anything configured opens and reaches nobody. */
	int (*open)(const struct transport_setup *setup, struct transport **transport_out);
	void (*close)(struct transport *transport);
	struct transport_worker *(*worker)(struct transport *transport, uint32_t index);

	/* Control thread, never blocking. */

	/** Addresses to publish; returns how many of `max` were filled. */
	uint32_t (*addresses)(struct transport *transport, struct haul_address *addresses_out,
			      uint32_t max);
	/**
	 * How many ways to a peer there are, up or not: as many rails are kept to it, at most `max`. What a number means stays
	 * the same for a peer's incarnation. Called before its first connect; 0 is taken for 1, which connect then refuses.
	 */
	uint32_t (*rails)(struct transport *transport, const struct transport_peer *peer,
			  uint32_t max);
	/** Where a way to a peer leads, for listings, in at most HAUL_WAY_BYTES; peer->way names it. */
	void (*describe_way)(struct transport *transport, const struct transport_peer *peer,
			     char *text_out);
	/**
	 * Begin to connect a rail of a worker. Ends in one rail_state there: UP, or DOWN with another cause than
	 * CLOSED. Not called again before that, nor while there is a connection.
	 */
	void (*connect)(struct transport *transport, uint32_t worker, uint32_t rail,
			const struct transport_peer *peer);
	/**
	 * End whatever the rail has; slices are done first, then one rail_state DOWN with CLOSED. When nothing is there
	 * any more, which the worker has been told, that may be left out.
	 */
	void (*disconnect)(struct transport *transport, uint32_t worker, uint32_t rail);
	/** Handshakes, timers and what the workers left to do; returns the time of its next call at the latest. */
	uint64_t (*control)(struct transport *transport, uint64_t now_us);
	/** A file descriptor that becomes readable when control has work; -1 = call it by time only. */
	int (*control_fd)(struct transport *transport);
	/** Rows for listings; returns how many of `max` were filled. */
	uint32_t (*describe)(struct transport *transport, struct haul_transport_row *rows_out,
			     uint32_t max);

	/* Worker, in the poll loop. */

	/** Post slices on a rail that is up; returns how many were taken, short = back-pressure. */
	uint32_t (*post)(struct transport_worker *worker, uint32_t rail, struct slice **slices,
			 uint32_t count);
	/** Receive, complete, advance timers; returns the work done. */
	uint32_t (*poll)(struct transport_worker *worker, uint64_t now_us, uint32_t budget);
	/** Transmit what is due; returns the work done. */
	uint32_t (*flush)(struct transport_worker *worker, uint64_t now_us, uint32_t budget);
	/**
	 * End a slice early; slice_done comes once nothing of it can land (at once, or after its fence). One that is ending
	 * already may be asked for again: nothing changes.
	 */
	void (*cancel)(struct transport_worker *worker, struct slice *slice, enum haul_error status,
		       enum haul_reason reason);
	/** Numbers of a rail; callable from the control thread. */
	void (*stats)(struct transport_worker *worker, uint32_t rail, struct rail_stats *stats_out);
	/**
	 * Before a sleep that has no bound but a deadline: have whatever arrives from now on make a descriptor of that
	 * epoll set readable, edge-triggered; poll is called once more before the sleep. False when something that may arrive
	 * cannot do so: the worker sleeps for short times then. Part of the idle wait, so system calls are allowed.
	 */
	bool (*arm)(struct transport_worker *worker, int epoll_fd);
	/** After it, also after an arm that was refused: nobody needs to be woken any more. */
	void (*disarm)(struct transport_worker *worker);
	/** When poll or flush must be called again at the latest; UINT64_MAX = not by time. */
	uint64_t (*next_deadline_us)(struct transport_worker *worker);
};

#endif
