/* SPDX-License-Identifier: BSD-3-Clause */
/** The udp transport's keys, in the group `udp` of dataplane.conf, and the struct that they fill. */
#ifndef DRIVERS_UDP_CONF_H
#define DRIVERS_UDP_CONF_H

#include "api/haul_frame.h"
#include "base/limits.h"
#include "conf/schema.h"
#include "drivers/udp/frame.h"
#include "drivers/udp/impair.h"

#include <stdbool.h>
#include <stdint.h>

/** The longest EAL device string, its final zero included: a name, a socket's path and some options. */
#define UDP_DEVICE_BYTES 256u
/** The longest IPv6 address with "/128" and its final zero. */
#define UDP_ADDRESS_BYTES 52u
/** Further arguments of EAL, and the longest of them. */
#define UDP_EAL_ARGS_MAX  16u
#define UDP_EAL_ARG_BYTES 128u
/** Where rudp listens unless told otherwise. */
#define UDP_PORT_DEFAULT 7471
/**
 * UDP ports from which connections begin: so many, right behind the one that a node listens on. Enough that with a
 * queue for each of 16 workers one of them leads to any given worker of a target (the chance that none does is 1e-7).
 */
#define UDP_SOURCE_PORTS 256u
/** The highest UDP port to listen on: the others are behind it. */
#define UDP_PORT_MOST (UINT16_MAX - UDP_SOURCE_PORTS)
/** Connections of each pair of a port and a peer's address: more than a peer has rails would never be made. */
#define UDP_PAIR_CONNECTIONS_MAX 4

enum udp_checksum {
	UDP_CHECKSUM_AUTO = 0, /**< where a wire could corrupt: by the port if it can, else here */
	UDP_CHECKSUM_ALWAYS = 1, /**< as auto, on every wire; datagrams without one are refused */
	UDP_CHECKSUM_NEVER = 2,  /**< none is sent; one that is received is still verified */
};

enum udp_huge_pages {
	UDP_HUGE_PAGES_AUTO = 0, /**< when enough are free */
	UDP_HUGE_PAGES_OFF = 1,
	UDP_HUGE_PAGES_REQUIRE = 2, /**< do not start without */
};

enum udp_congestion {
	UDP_CONGESTION_AUTO = 0, /**< by the wire */
	UDP_CONGESTION_FIXED = 1,
	UDP_CONGESTION_NEWRENO = 2,
	UDP_CONGESTION_SWIFT = 3,
};

enum udp_crc {
	UDP_CRC_AUTO = 0,   /**< where neither the wire nor the UDP checksum would see damage */
	UDP_CRC_ALWAYS = 1, /**< wanted on every connection */
	UDP_CRC_NEVER = 2,  /**< not even when the peer wants it */
};

enum udp_by_reference {
	UDP_BY_REFERENCE_AUTO = 0,
	UDP_BY_REFERENCE_NEVER = 1,
};

struct udp_port_conf {
	char name[HAUL_NAME_BYTES];
	char device[UDP_DEVICE_BYTES];
	char address[UDP_ADDRESS_BYTES];  /**< IPv4; empty = none */
	char address6[UDP_ADDRESS_BYTES]; /**< IPv6; empty = none */
	uint32_t mtu_bytes;
	uint32_t checksum; /**< enum udp_checksum */
	uint32_t vlan;     /**< 0 = none */
	uint32_t queues;   /**< 0 = one a worker, as far as the device has them */
	bool is_required;
	char impair[IMPAIR_TEXT_BYTES]; /**< empty = none, as always in a release */
};

struct udp_conf {
	struct udp_port_conf ports[PORTS_MAX];
	uint32_t port_count;
	uint32_t mempool_packets;
	uint32_t memory_mb;  /**< 0 = as much as the ports need */
	uint32_t huge_pages; /**< enum udp_huge_pages */
	uint32_t udp_port;
	uint32_t connections; /**< for each pair of a port and a peer's address */
	uint32_t window_packets;
	uint32_t congestion;   /**< enum udp_congestion */
	uint32_t payload_crc;  /**< enum udp_crc */
	uint32_t by_reference; /**< enum udp_by_reference */
	uint32_t peer_silence_ms;
	char eal_args[UDP_EAL_ARGS_MAX][UDP_EAL_ARG_BYTES];
	uint32_t eal_arg_count;
};

struct cc_ops; /* rudp/cc.h */

extern const struct conf_table udp_conf_table;

/** What a connection over a port has. */
const struct cc_ops *udp_conf_cc(const struct udp_conf *conf, bool is_memory_wire);

/** Read "10.0.0.1/24" or "fd00::1/64" of a family, 4 or 6; false when it is none, or none that a port can have. */
bool udp_conf_address(const char *text, uint8_t family, struct frame_ip *ip_out,
		      uint32_t *prefix_out);

#endif
