/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The ways to a peer: which rail goes from which port to which of its addresses, and from which UDP port.
 *
 * They follow from the configuration and from the addresses that the peer publishes, not from what is up, so that a
 * rail's number means the same way for as long as both nodes run. Nothing in here is kept. Control thread.
 */
#ifndef DRIVERS_UDP_WAY_H
#define DRIVERS_UDP_WAY_H

#include "drivers/udp/port.h"
#include "engine/transport.h"

#include <stdbool.h>
#include <stdint.h>

struct way {
	uint32_t port;                      /**< index of this node's */
	const struct haul_address *address; /**< of the peer's */
};

/** This node's side. */
struct way_ports {
	const struct port *ports;
	uint32_t count;
	uint32_t connections; /**< for each pair of port and address */
};

/**
 * Way `index` to a peer. A port uses one family to a peer: that of the first of its addresses that is on the port's
 * link. First each port is paired with one address, as different ones as there are, then with the next, and when all
 * pairs have had their turn they have another, up to ports->connections times. False when there are not so many.
 */
bool way_find(const struct way_ports *ports, const struct transport_peer *peer, uint32_t index,
	      struct way *way_out);

/** How many ways there are, at most `max`. */
uint32_t way_count(const struct way_ports *ports, const struct transport_peer *peer, uint32_t max);

/**
 * The UDP port from which a connection is made: another one for each of a worker's rails to a peer, and for each
 * attempt, since a switch that spreads flows may have put the last one on a path that is bad.
 */
uint16_t way_source_port(uint16_t udp_port, uint32_t worker, uint32_t index, uint32_t attempt);

#endif
