/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The worker half of the udp transport: one rudp, and one queue of each port that it serves.
 *
 * Everything in here is called by its worker, but for init and destroy, which the control thread calls while no
 * worker runs. rudp's callbacks do not go straight up into the engine: what has ended waits in two lists until the call
 * into rudp is over, since the engine may answer by cancelling another slice, which rudp does not allow inside of one.
 */
#ifndef DRIVERS_UDP_WORKER_H
#define DRIVERS_UDP_WORKER_H

#include "base/pool.h"
#include "base/ring.h"
#include "drivers/udp/message.h"
#include "drivers/udp/port.h"
#include "drivers/udp/proof.h"
#include "drivers/udp/reference.h"
#include "drivers/udp/relay.h"
#include "engine/transport.h"
#include "rudp/rudp.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

/** Connections of one worker, from here and from peers: all the rails of 256 peers, both ways. */
#define UDP_CONNECTIONS_MAX 2048u

/** After this time without a packet taken, a port's waiting packets are dropped: its peer is gone. */
#define UDP_BLOCKED_US UINT64_C(50000)

/**
 * Where the payload of a data packet begins in its buffer: on a cache line, with room for all headers before it and for the
 * header that a virtio port puts in front of those.
 */
#define UDP_PAYLOAD_AT 192u

/** Echo requests that a worker answers in a second; more is a flood. */
#define UDP_ECHOES_PER_S 1000u

/** Resets that a worker passes on in a second, since no connection of its own is meant: as many as a peer sends. */
#define UDP_RESETS_PER_S 1000u

/** So many of something in a second. */
struct udp_limit {
	uint64_t second_us; /**< when the second began */
	uint32_t count;     /**< in that second */
};

/** A worker's way through a port: the queue pair that is its own, or that of another worker. */
struct udp_queue {
	struct port *port;  /**< NULL = it is not up */
	struct spsc *owner; /**< to the worker whose queue it is (relay.h); NULL = this one's */
	uint16_t number;    /**< of the port's queues */
	struct frame_self self;
	uint32_t spare_count;    /**< packet buffers taken from the pool in advance */
	uint32_t waiting_first;  /**< of `waiting`: the first that the port has not taken */
	uint32_t waiting_count;  /**< packets in `waiting` from there on */
	uint64_t blocked_us;     /**< since when the port has taken nothing; 0 = it takes */
	uint64_t packets_in;     /**< worker writes, listings read */
	uint64_t packets_out;    /**< likewise */
	struct impair *impair;   /**< a bad wire before the port; NULL = none */
	struct bell_watch watch; /**< what wakes this worker when it sleeps */
	struct rte_mbuf *spare[PORT_BURST];
	struct rte_mbuf *waiting[PORT_BURST];
};

/** A connection: what rudp does not know of it. */
struct udp_connection {
	struct rudp_connection *rudp;
	struct udp_queue *queue;
	struct frame_template template;
	uint32_t port;                    /**< index */
	struct frame_ip address;          /**< the peer's */
	uint32_t capacity;                /**< largest payload of UDP that the port carries to it */
	uint32_t datagram_at;             /**< where datagrams begin in a packet buffer */
	uint64_t tx_flags;                /**< RTE_MBUF_F_TX_*; 0 = none */
	uint32_t rail;                    /**< engine's, or UDP_NO_RAIL */
	uint8_t state;                    /**< enum rudp_state, as last reported */
	uint8_t reason;                   /**< enum rudp_end_reason */
	uint8_t reference;                /**< enum reference_state */
	uint16_t reference_bytes;         /**< TRIED, PROVEN: of the datagram that was tried */
	bool has_news;                    /**< in the list of those whose state has changed */
	TAILQ_ENTRY(udp_connection) link; /**< all of the worker's */
	TAILQ_ENTRY(udp_connection) news;
};

TAILQ_HEAD(udp_connection_list, udp_connection);

_Static_assert(WORKERS_MAX <= 64, "a bit set has one for each worker");

struct transport_worker {
	struct worker *engine; /**< for upcalls */
	const struct transport_host *host;
	struct rudp *rudp;
	uint64_t *counters;
	uint64_t now_us;         /**< of this poll or flush */
	uint64_t stats_us;       /**< when the rails' numbers were copied last */
	struct udp_limit echoes; /**< answered */
	struct udp_limit resets; /**< passed on */
	uint32_t number;
	uint32_t worker_count;
	uint32_t rails_max;
	uint32_t port_count;
	uint32_t ports_seen; /**< bit set of ports whose queue is in use */
	atomic_uint
		ports_held; /**< the same, for control to see that a queue has been given back */
	bool has_events;    /**< told to control at the end of the round */
	uint16_t udp_port;  /**< of this node, host order */
	int event_fd;       /**< wakes the control thread; the transport's */

	const struct udp_conf *conf;
	const atomic_uint *ports_up; /**< transport's bit set of ports that may be used */
	struct port *ports;          /**< transport's, port_count of them */
	struct slice *done_head;     /**< ended, and the engine not told yet; linked by next */
	struct slice *done_tail;
	struct udp_connection_list news;
	struct udp_connection_list connections;
	struct udp_connection **rails; /**< rails_max; NULL = no connection */
	struct rail_stats *stats;      /**< rails_max; worker writes, listings read */
	struct pool pool;              /**< struct udp_connection */
	struct relay *relays;          /**< transport's, of all workers; NULL = one worker */
	struct worker *const *engines; /**< of all workers, to wake them */
	uint64_t relayed; /**< bit set: workers that were given something in this round */
	/** Buffers of each port that this worker has put into relays, and done with out of relays; control reads. */
	atomic_ullong relayed_out[PORTS_MAX];
	atomic_ullong relayed_done[PORTS_MAX];
	struct udp_queue queues[PORTS_MAX];
	/** By the first worker's queue, for connections whose peer does not answer by this worker's. */
	struct udp_queue detours[PORTS_MAX];
	struct reference reference;               /**< payload that ports read where it stands */
	uint8_t nowhere[RUDP_DATAGRAM_BYTES_MAX]; /**< where packets are made that no port takes */

	struct spsc commands; /**< struct udp_command, from control */
	struct spsc frames;   /**< struct udp_frame, from control */
	struct spsc events;   /**< struct udp_event, to control */
	struct spsc results;  /**< struct udp_result, to control */
	struct spsc proofs;   /**< struct udp_proof, to control */
	struct spsc proven;   /**< struct udp_proof, from control */
	uint32_t proofs_out;  /**< that control has, or has answered; UDP_PROOFS at most */
};

/** What a worker half is made with. */
struct udp_worker_setup {
	const struct transport_setup *setup;
	const struct udp_conf *conf;
	const atomic_uint *ports_up;
	struct port *ports;
	struct relay *relays;    /**< NULL = one worker */
	uint32_t datagram_bytes; /**< largest UDP payload that every port carries */
	uint32_t number;
	int event_fd;
};

/** 0 or -errno; a half-made one is for udp_worker_destroy too. */
int udp_worker_init(struct transport_worker *worker, const struct udp_worker_setup *setup);
void udp_worker_destroy(struct transport_worker *worker);

/* The worker's part of the operations table. */
uint32_t udp_worker_post(struct transport_worker *worker, uint32_t rail, struct slice **slices,
			 uint32_t count);
uint32_t udp_worker_poll(struct transport_worker *worker, uint64_t now_us, uint32_t budget);
uint32_t udp_worker_flush(struct transport_worker *worker, uint64_t now_us, uint32_t budget);
void udp_worker_cancel(struct transport_worker *worker, struct slice *slice, enum haul_error status,
		       enum haul_reason reason);
void udp_worker_stats(struct transport_worker *worker, uint32_t rail, struct rail_stats *stats_out);
bool udp_worker_arm(struct transport_worker *worker, int epoll_fd);
void udp_worker_disarm(struct transport_worker *worker);
uint64_t udp_worker_next_deadline_us(struct transport_worker *worker);

/* Between the files of the worker half. */

/** The relays that this worker reads and writes; only where there are any. */
static inline struct relay *udp_relay_from(const struct transport_worker *worker, uint32_t from)
{
	return relay_of(worker->relays, worker->worker_count, from, worker->number);
}

static inline struct relay *udp_relay_to(const struct transport_worker *worker, uint32_t to)
{
	return relay_of(worker->relays, worker->worker_count, worker->number, to);
}

/** One more or, behind a failed push, one less; only this worker writes it. */
static inline void udp_relayed_add(atomic_ullong *count, int64_t change)
{
	uint64_t now = atomic_load_explicit(count, memory_order_relaxed);

	/* Release: what was done with the buffer comes before. */
	atomic_store_explicit(count, now + (uint64_t)change, memory_order_release);
}

/** Note that another worker was given something; it is woken by udp_wake_relayed at the end of the phase. worker.c */
static inline void udp_note_relayed(struct transport_worker *worker, uint32_t to)
{
	worker->relayed |= UINT64_C(1) << to;
}

void udp_wake_relayed(struct transport_worker *worker);
/** A packet buffer, from those taken in advance; NULL when the pool is empty. send.c */
struct rte_mbuf *udp_queue_buffer(struct transport_worker *worker, struct udp_queue *queue);
/** Receive on every queue; returns packets. receive.c */
uint32_t udp_receive_all(struct transport_worker *worker, uint32_t budget);
/** Send what control and rudp have; returns packets. send.c */
uint32_t udp_send_all(struct transport_worker *worker, uint32_t budget);
/** Answer an echo request, within a limit. send.c */
void udp_send_echo(struct transport_worker *worker, struct udp_queue *queue, const uint8_t *frame,
		   uint32_t bytes);
/** May it be done once more in this second? worker.c */
bool udp_limit_take(struct udp_limit *limit, uint64_t now_us, uint32_t most);
/** Give back the packet buffers of a queue. send.c */
void udp_queue_empty(struct udp_queue *queue);
/** When a packet is due that a bad wire keeps back; UINT64_MAX = there is none, as always in a release. send.c */
uint64_t udp_queue_late_us(const struct udp_queue *queue);
/** Tell the engine of a slice's end when no call into rudp is open. callbacks.c */
void udp_end_slice(struct transport_worker *worker, struct slice *slice, uint16_t status,
		   uint16_t reason);
/** What rudp calls. callbacks.c */
extern const struct rudp_callbacks udp_callbacks;

#endif
