/* SPDX-License-Identifier: BSD-3-Clause */
/* The ways to a peer; way.h says what they are. */
#include "drivers/udp/way.h"

#include "base/check.h"

#include <string.h>

/* So far apart are the ports of two attempts: no factor of UDP_SOURCE_PORTS, so that all have their turn. */
#define WAY_ATTEMPT_STEP 37u

/* And those of two workers: more than a peer has rails. */
#define WAY_WORKER_STEP 4u

_Static_assert(UDP_SOURCE_PORTS % WAY_ATTEMPT_STEP != 0, "attempts reach every port");

static bool way_is_on_link(const struct port *port, const struct haul_address *address)
{
	struct frame_ip ip = { .family = address->family };

	if (address->transport != HAUL_TRANSPORT_UDP)
		return false;
	memcpy(ip.bytes, address->ip, sizeof(ip.bytes));
	return port_reaches(port, &ip);
}

/* The peer's addresses that a port uses; returns how many. */
static uint32_t way_addresses(const struct port *port, const struct transport_peer *peer,
			      const struct haul_address **addresses_out)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < peer->address_count; i++) {
		const struct haul_address *address = &peer->addresses[i];

		if (way_is_on_link(port, address) &&
		    (count == 0 || address->family == addresses_out[0]->family))
			addresses_out[count++] = address;
	}
	return count;
}

/* The way of a port in one turn; false when it has had all its addresses. `rank` is its place among those that reach. */
static bool way_in_turn(const struct way_ports *ports, uint32_t port,
			const struct transport_peer *peer, uint32_t turn, uint32_t *rank,
			struct way *way_out)
{
	const struct haul_address *addresses[HAUL_DESCRIPTOR_ADDRESSES_MAX];
	uint32_t count = way_addresses(&ports->ports[port], peer, addresses);

	if (count == 0)
		return false;
	*way_out = (struct way){ .port = port, .address = addresses[(turn + *rank) % count] };
	++*rank;
	return turn < count;
}

bool way_find(const struct way_ports *ports, const struct transport_peer *peer, uint32_t index,
	      struct way *way_out)
{
	for (uint32_t again = 0; again < ports->connections; again++) {
		for (uint32_t turn = 0; turn < HAUL_DESCRIPTOR_ADDRESSES_MAX; turn++) {
			uint32_t rank = 0;

			for (uint32_t port = 0; port < ports->count; port++) {
				if (way_in_turn(ports, port, peer, turn, &rank, way_out) &&
				    index-- == 0)
					return true;
			}
		}
	}
	return false;
}

uint32_t way_count(const struct way_ports *ports, const struct transport_peer *peer, uint32_t max)
{
	uint32_t count = 0;
	struct way way;

	while (count < max && way_find(ports, peer, count, &way))
		count++;
	return count;
}

uint16_t way_source_port(uint16_t udp_port, uint32_t worker, uint32_t index, uint32_t attempt)
{
	uint32_t offset = worker * WAY_WORKER_STEP + index + attempt * WAY_ATTEMPT_STEP;

	return (uint16_t)(udp_port + 1 + offset % UDP_SOURCE_PORTS);
}
