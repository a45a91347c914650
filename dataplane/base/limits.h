/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Maxima that more than one folder must agree on. A limit of one file stands in that file. Each is
 * checked where the number comes in (configuration, a peer's hello, a client), so that what is
 * behind may rely on it.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/**
 * Workers of one dataplane: a connection id names its worker in one byte, and nobody has more NIC
 * cores.
 */
#define WORKERS_MAX 64u

/**
 * Channels of one dataplane: each costs a ring set of some 80 KiB and one slot in a worker's poll
 * list.
 */
#define CHANNELS_MAX 4096u

/** Segments that the clients of one dataplane may own together. */
#define SEGMENTS_MAX 65536u

/** Remote nodes that one dataplane may have open: the largest cluster meant is 1,000 nodes. */
#define PEERS_MAX 1024u

/** Ports of one transport: two NICs with two ports each, twice. */
#define PORTS_MAX 8u

/** Transports in drivers/drivers.c: enum haul_transport has four, with room to double. */
#define TRANSPORTS_MAX 8u

/** Lines of `tenants` and of `quotas` in a configuration file. */
#define TENANTS_MAX 64u
#define QUOTAS_MAX  64u

/** Room for the path of a Unix socket, its final zero included: sun_path's size on Linux. */
#define SOCKET_PATH_BYTES 108u

/** Room for a path in the configuration, its final zero included. */
#define CONF_PATH_BYTES 256u

/** The cluster's key: as wide as the digest it is used with. */
#define CLUSTER_KEY_BYTES 32u

/** What one huge page of the default size holds on the processors that haul runs on. */
#define HUGE_PAGE_BYTES (2u << 20)
#define PAGE_BYTES      4096u

#endif
