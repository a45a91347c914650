/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A port: one ethdev with its packet buffers, from a line of configuration.
 *
 *   OPENING -> UP            its thread has attached, configured and started it
 *         \--> FAILED        why is logged; tried again, after pauses that grow
 *   FAILED -> UP
 *   UP -> GONE               the control thread has found that it cannot live (port_loss): workers give its queues back,
 *                            then its thread closes it, and opens it again
 *   GONE -> UP
 *
 * What may block (attaching waits for as long as its peer is away, for net_virtio_user as server) runs on a thread of the
 * port's own (opener.h). The worker and the control thread see the outcome in `state`, and what was written before it.
 * From UP on a queue belongs to one worker, and everything else to the control thread; when it is GONE and no worker has
 * it any more, it is its own thread's again. The packet buffers stay: they come back from wherever they are.
 *
 * A link that is down is no loss: the PMDs handle a peer that disappears and comes back without a word from here, but for
 * those that device_must_relink names.
 */
#ifndef DRIVERS_UDP_PORT_H
#define DRIVERS_UDP_PORT_H

#include "drivers/udp/bell.h"
#include "drivers/udp/conf.h"
#include "drivers/udp/frame.h"
#include "drivers/udp/interface.h"
#include "drivers/udp/opener.h"

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Packets in one burst: DPDK's vector paths are made for it. */
#define PORT_BURST 32u

/** Where the addresses of a port stand. */
enum port_family {
	PORT_IPV4 = 0,
	PORT_IPV6 = 1,
	PORT_FAMILIES = 2,
};

struct port_address {
	struct frame_ip ip; /**< family 0 = none */
	uint32_t prefix;    /**< bits that all addresses of the link have in common */
};

enum port_state {
	PORT_OPENING = 0,
	PORT_UP = 1,
	PORT_FAILED = 2, /**< never was up */
	PORT_GONE = 3,   /**< was */
};

struct port {
	const struct udp_port_conf *conf;
	atomic_uint
		state; /**< enum port_state; its thread or control writes (release), all read (acquire) */
	struct opener opener;
	char reason[OPENER_REASON_BYTES]; /**< its thread: why the attempt has failed */
	uint32_t index;                   /**< in the transport; its owner's to set */
	uint32_t worker_count;  /**< of the transport, who may have a queue; its owner's to set */
	bool is_bell_wanted;    /**< its owner's to set: workers may sleep until it wakes them */
	int event_fd;           /**< written when there is something to look at */
	atomic_bool has_event;  /**< there is; who looks clears it */
	atomic_bool is_removed; /**< the device says that it is */
	uint32_t pool_packets;  /**< packet buffers to make */
	bool is_adopted;        /**< somebody else made the device: it is only stopped at the end */
	bool has_link;          /**< control: link as last seen */
	bool is_draining;       /**< control: gone, and workers have it yet */
	uint64_t linked_us;     /**< control: when there was a link last, or the port came up */
	uint32_t failures_told; /**< control: attempts that have been counted */
	char told
		[OPENER_REASON_BYTES]; /**< control: why the last one failed whose reason was logged */

	/* Set before UP, read-only then. */
	struct interface interface; /**< of the kernel, that the port stands on */
	uint16_t id;                /**< ethdev's number */
	uint32_t queues;            /**< in use: queue i is worker i's; never more than workers */
	struct bell bell;           /**< kind NONE when not wanted, or when the device has none */
	struct rte_mempool *pool;   /**< all packet buffers, to send and to receive */
	uint32_t frame_bytes;       /**< largest frame: the MTU and the headers before it */
	struct port_address addresses[PORT_FAMILIES]; /**< set by port_open */
	uint8_t mac[FRAME_MAC_BYTES];
	enum frame_sum sum; /**< how to send UDP checksums */
	uint64_t tx_flags;  /**< RTE_MBUF_F_TX_* that go with it; 0 = none */
	bool is_sum_needed; /**< datagrams without a checksum are refused */
	bool is_memory; /**< the wire is memory of this host: nothing on it queues or corrupts */
};

/** Bytes of memory that a port's buffers take, for EAL's size. */
uint64_t port_memory_bytes(const struct udp_port_conf *conf, uint32_t packets);

/**
 * Begin to open a port, all zero but for its index and the number of workers, each of whom adds pool_packets to its pool; the outcome appears in its state, and event_fd is written then.
 * Returns 0 or -errno. Control thread.
 */
int port_open(struct port *port, const struct udp_port_conf *conf, uint32_t pool_packets,
	      int event_fd);

/** End it, whatever state it is in, and free its buffers. No worker may use it any more. */
void port_close(struct port *port);

static inline enum port_state port_state(const struct port *port)
{
	return (enum port_state)atomic_load_explicit(&port->state, memory_order_acquire);
}

/** Does it wait for its peer while it opens, perhaps for long? */
bool port_waits_for_peer(const struct port *port);

static inline enum port_family port_family_of(const struct frame_ip *ip)
{
	return ip->family == 6 ? PORT_IPV6 : PORT_IPV4;
}

/** Is an address on the port's link? */
bool port_reaches(const struct port *port, const struct frame_ip *ip);

/** May frames of a family be damaged on its wire, and nobody would see? Of a port that is UP. */
bool port_is_blind(const struct port *port, enum port_family family);

/** Is there a peer on the link? Of a port that is UP. Control thread; does not block. */
bool port_look_at_link(struct port *port, uint64_t now_us);

/** Why there is no link, in a few words. Control thread. */
const char *port_link_text(const struct port *port);

/** Why the port cannot live any more, or NULL. Of a port that is UP. Control thread; does not block. */
const char *port_loss(const struct port *port, uint64_t now_us);

/** UP -> GONE. Control thread; then workers give the queues back, and opener_reopen may be called. */
void port_leave(struct port *port);

/* Its own thread's. */

/** Attach, configure and start it. 0, or -errno with the reason, and port_take_down has to be called. */
int port_bring_up(struct port *port);
/** Stop it, and undo whatever has been done. */
void port_take_down(struct port *port);
/** Tell what an attempt has come to. */
void port_tell(struct port *port, bool is_open);

#endif
