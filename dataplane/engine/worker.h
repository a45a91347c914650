/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A worker: one thread in a poll loop that owns channels, their operations, and its half of every transport.
 *
 * Workers share next to nothing with one another (notifier.h and notices.h say what). What they share with the control thread is read-only to them (region
 * table, peers, remote views) or a bounded ring: commands come in, requests go out. The control thread replaces what
 * is shared and frees the old after worker_quiesce says that every worker has gone round.
 */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "base/pool.h"
#include "base/ring.h"
#include "base/wheel.h"
#include "engine/channel.h"
#include "engine/endpoint.h"
#include "engine/keyring.h"
#include "engine/limits.h"
#include "engine/notifier.h"
#include "engine/notify.h"
#include "engine/numbers.h"
#include "engine/peer.h"
#include "engine/region.h"
#include "engine/remote.h"
#include "engine/transport.h"
#include "engine/uses.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** What a worker does when a round found no work. */
enum idle_policy {
	IDLE_POLL = 0,     /**< go round again at once */
	IDLE_ADAPTIVE = 1, /**< poll for idle_spin_us, then sleep for growing times */
	IDLE_INTERRUPT =
		2, /**< poll for idle_spin_us, then sleep until something comes (engine/doze.h) */
};

struct engine_options {
	uint32_t worker_count;
	uint32_t operation_timeout_ms; /**< of entries that give none */
	enum idle_policy idle_policy;
	uint32_t idle_spin_us; /**< how long without work before the first sleep; not for poll */
	uint32_t idle_sleep_max_us; /**< adaptive: the longest sleep */
	uint64_t doze_max_us;       /**< interrupt: the longest sleep */
	uint64_t incarnation;       /**< of this node */
};

/** What the workers of a node share: read-only to them while they run. */
struct engine {
	struct engine_options options;
	struct region_table regions;
	struct peer_table peers;
	struct remote_table remotes;
	struct keyring keyring;          /**< control thread only */
	struct notifier_table notifiers; /**< the one thing that workers share among each other */
	const struct transport_ops
		*ops[ENGINE_TRANSPORTS]; /**< by enum haul_transport; NULL = not opened */
	struct transport *transports[ENGINE_TRANSPORTS];
	uint8_t order
		[ENGINE_TRANSPORTS]; /**< which to prefer: enum haul_transport, order_count of them */
	uint32_t order_count;
	struct worker **workers;
	struct trace *trace; /**< where transitions are recorded; NULL = nowhere */
};

enum worker_command_kind {
	WORKER_CHANNEL_ADD = 1,   /**< serve this channel, whose `worker` it is */
	WORKER_CHANNEL_CLOSE = 2, /**< end it; a CHANNEL_GONE request answers */
	WORKER_PEER_FORGET = 3,   /**< the peer's slot is given up; a PEER_FORGOTTEN answers */
};

/** Control thread -> worker. */
struct worker_command {
	enum worker_command_kind kind;
	uint32_t index; /**< peer */
	struct channel *channel;
	enum haul_error error; /**< for CHANNEL_CLOSE */
	const char *reason;    /**< static text, for CHANNEL_CLOSE */
};

enum worker_request_kind {
	WORKER_CONNECT = 1,      /**< connect this rail */
	WORKER_CHANNEL_BAD = 2,  /**< the client broke its rings: end it */
	WORKER_CHANNEL_GONE = 3, /**< closed and idle: free it */
	WORKER_REMOTE_STALE = 4, /**< a target refused as stale: fetch the descriptor */
	WORKER_PEER_RESTARTED =
		5, /**< a peer proved another incarnation: fetch all of its descriptors */
	WORKER_DISCONNECT = 6,       /**< end what this rail has, its peer is given up */
	WORKER_PEER_FORGOTTEN = 7,   /**< no endpoint of this peer is left here */
	WORKER_PEER_UNREACHABLE = 8, /**< no rail to this peer could be had: is it elsewhere now? */
	WORKER_ERRAND = 9,           /**< carry out this errand of the channel */
};

/** Worker -> control thread. */
struct worker_request {
	enum worker_request_kind kind;
	uint32_t worker;
	uint32_t index; /**< rail, remote, peer or errand */
	struct channel *channel;
	const char *reason; /**< static text, for CHANNEL_BAD */
};

/** Counters of a worker, written by it. */
enum worker_counter {
	WORKER_ROUNDS,
	WORKER_SLEEPS,
	WORKER_BUSY_US,
	WORKER_SLEPT_US,
	WORKER_ENTRIES,
	WORKER_ENTRIES_REFUSED,
	WORKER_OPERATIONS_OK,
	WORKER_OPERATIONS_FAILED,
	WORKER_OPERATIONS_TIMEOUT,
	WORKER_OPERATIONS_STALE,
	WORKER_OPERATIONS_CANCELLED,
	WORKER_CANCELS,
	WORKER_ERRANDS,
	WORKER_SLICES_POSTED,
	WORKER_SLICES_RETURNED,
	WORKER_POOL_EMPTY,
	WORKER_WAKEUPS,
	WORKER_CHANNELS_BROKEN,
	WORKER_NOTIFICATIONS,
	WORKER_NOTIFICATIONS_AGAIN,
	WORKER_NOTIFICATIONS_BUSY,
	WORKER_NOTIFY_PAUSES,
	WORKER_STALE_RETRIES,
	WORKER_COUNTER_COUNT,
};

extern const struct counter_group worker_counters;

struct worker {
	struct engine *engine;
	uint32_t number;
	pthread_t thread;
	bool is_started;       /**< control only */
	atomic_bool stop;      /**< control: wo, worker: ro */
	atomic_bool is_asleep; /**< worker: wo, all: ro; it must be woken (worker_wake) */
	int wake_fd; /**< eventfd, written to wake it; in epoll_fd, edge-triggered, never read */
	atomic_ullong rounds; /**< worker: wo, control: ro; one more at each quiescent point */

	struct spsc commands; /**< struct worker_command, control -> worker */
	struct spsc requests; /**< struct worker_request, worker -> control */
	int request_fd;       /**< eventfd: requests are there; written at most once a round */
	bool is_request_due;
	uint64_t leave_at_us; /**< when slices are to leave doubtful rails; UINT64_MAX = none are */

	uint64_t *counters;        /**< block of worker_counters */
	uint64_t *region_counters; /**< block of region_counters */
	struct uses uses;          /**< of this node's regions */

	/* The loop's own. */
	uint64_t now_us;
	struct wheel wheel;
	struct pool operations;
	struct pool slices;
	uint32_t operations_promised;             /**< of the channels' shares, what is not taken */
	uint32_t operations_bare;                 /**< open operations that hold no slice */
	struct numbers numbers[ENGINE_PEERS_MAX]; /**< of notifications, by peer */
	uint64_t numbers_floor;                   /**< no number before it was given out */
	struct notify notify;
	struct operation_list parked;
	struct endpoint_list ready;
	struct endpoint *endpoints; /**< ENGINE_ENDPOINTS_MAX */
	struct transport_worker *transports[ENGINE_TRANSPORTS];
	struct channel *channels[ENGINE_CHANNELS_MAX];
	uint32_t channel_count;
	uint32_t retirements;  /**< of remote segments, as last looked at */
	uint64_t parked_at_us; /**< when the parked were looked at last */
	uint64_t tend_at_us;   /**< when missing rails are looked for again */
	uint32_t tend_next;    /**< the first endpoint that this begins with */
	uint64_t busy_at_us;   /**< when a round last found work */
	uint32_t sleep_us;     /**< the last sleep's length */
	int epoll_fd;          /**< doorbells and transports' descriptors, for the idle wait */
};

/** The upcalls that drivers get (engine/transport.h). */
extern const struct transport_host worker_host;

/** Make a worker with all its memory; counters are blocks of the groups named above. 0 or -errno. */
int worker_create(struct engine *engine, uint32_t number, uint64_t *counters,
		  uint64_t *region_counters_block, struct worker **worker_out);
void worker_destroy(struct worker *worker);

/**
 * Operations under way that name a region of this node, over all workers: as their target, or as the local side of an
 * entry. Control thread; region_drain says when 0 is final.
 */
uint64_t engine_region_uses(const struct engine *engine, uint64_t handle);

/** Start and stop its thread. Control thread. */
int worker_start(struct worker *worker, int cpu);
void worker_stop(struct worker *worker);

/**
 * Have a worker look at what was left for it, if it sleeps; else it is looking. Whoever puts something
 * into a ring of a worker calls this afterwards. Any thread.
 */
void worker_wake(const struct worker *worker);

/** One round of the loop at the given time; returns the work done. For tests, which have neither thread nor clock. */
uint32_t worker_round(struct worker *worker, uint64_t now_us);

/** Hand a command to a worker. False when its ring is full: try again later. Control thread. */
bool worker_command(struct worker *worker, const struct worker_command *command);

/**
 * Ask the control thread. The ring has room for everything that can be asked at a time; REMOTE_STALE, which may come once
 * an operation, and PEER_UNREACHABLE are dropped when many requests wait already. Worker.
 */
void worker_ask(struct worker *worker, const struct worker_request *request);

/** A mark of where a worker is: worker_has_passed is true once it has been at a quiescent point since. */
uint64_t worker_mark(const struct worker *worker);
bool worker_has_passed(const struct worker *worker, uint64_t mark);

/* Between worker.c and doze.c. */

/** When something is due by time: the wheel's next timer or a transport's; UINT64_MAX = nothing. */
uint64_t worker_next_deadline_us(struct worker *worker);

/** A sleep has ended that began with this round. */
void worker_count_sleep(struct worker *worker);

/** Tell clients whether to ring their doorbells: 1 = yes. */
void worker_show_sleep(struct worker *worker, uint32_t value);

#endif
