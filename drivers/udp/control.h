/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The control half of the udp transport: what makes connections, on the control thread, never blocking.
 *
 * It owns the handshakes and the tables of neighbours, watches ports come up and links come and go, and sends through the
 * workers, since every queue of a port is one worker's. Each rail has at most one attempt under way.
 */
#ifndef DRIVERS_UDP_CONTROL_H
#define DRIVERS_UDP_CONTROL_H

#include "base/log.h"
#include "drivers/udp/conf.h"
#include "drivers/udp/neighbour.h"
#include "drivers/udp/port.h"
#include "drivers/udp/way.h"
#include "drivers/udp/worker.h"
#include "engine/transport.h"
#include "rudp/handshake.h"

#include <stdatomic.h>
#include <stdint.h>

/** A rail that is being connected, or whose end the worker has not been told yet. */
struct udp_attempt {
	uint64_t number; /**< the handshake's; 0 = none is under way */
	uint32_t tries;  /**< to connect it, ever: each takes another UDP port */
	enum udp_command_kind
		due; /**< did not fit into the worker's ring: again at the next tick; 0 = none */
	enum rail_cause cause; /**< of that */
	uint32_t way;          /**< to the peer, of this attempt */
	uint32_t probes;       /**< UDP ports tried by this attempt since the first */
};

struct transport {
	struct transport_setup setup;
	const struct udp_conf *conf;
	bool has_eal;
	struct port ports[PORTS_MAX];
	/** By enum port_family; NULL until the port is up, and where it has no such address. */
	struct neighbours *neighbours[PORTS_MAX][PORT_FAMILIES];
	atomic_uint ports_up; /**< bit set: control writes (release), workers read (acquire) */
	struct handshake *handshake;
	struct udp_attempt *attempts; /**< worker * rails_max + rail */
	uint32_t tellings_due;        /**< attempts with something due */
	uint32_t worker_next;         /**< where the next connection from a peer goes */
	uint64_t ports_us;            /**< when ports were looked at last */
	uint64_t *counters;           /**< block 0, where those of this half stand */
	int event_fd;
	struct log_limit limit; /**< for lines that a peer can cause */
	struct relay *relays;   /**< of all workers; NULL = one worker */
	uint32_t worker_count;
	struct transport_worker workers[];
};

/** Callbacks of the handshakes; `context` is the transport. */
extern const struct handshake_callbacks udp_handshake_callbacks;

/** The operations of the table that this half has. */
struct way_ports udp_control_ways(const struct transport *transport);
uint32_t udp_control_rails(struct transport *transport, const struct transport_peer *peer,
			   uint32_t max);
void udp_control_connect(struct transport *transport, uint32_t worker, uint32_t rail,
			 const struct transport_peer *peer);
void udp_control_disconnect(struct transport *transport, uint32_t worker, uint32_t rail);
uint64_t udp_control(struct transport *transport, uint64_t now_us);

/** Have a worker look at what is there for it, if it sleeps. */
void udp_control_wake(const struct transport *transport, uint32_t worker);

/** The link learns where a port's addresses are: somebody else may have had them before. */
void udp_control_announce(struct transport *transport, const struct port *port);

/* ports.c */

/** Look at what has become of the ports. */
void udp_ports_look(struct transport *transport, uint64_t now_us);
/** Is there something to look at, that should not wait for the next time? */
bool udp_ports_have_news(const struct transport *transport);
/** For listings: "up" and the like. */
const char *udp_port_text(const struct port *port);

#endif
