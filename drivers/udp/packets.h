/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The packet buffers of a port, one pool for both directions and all workers.
 *
 * A pool belongs to its port; buffers are taken and given back by any thread.
 */
#ifndef DRIVERS_UDP_PACKETS_H
#define DRIVERS_UDP_PACKETS_H

#include "drivers/udp/conf.h"

#include <rte_mempool.h>

#include <stdbool.h>
#include <stdint.h>

/** Make one as the port's device wants it, of memory near that socket. NULL: see rte_errno. Not on a worker. */
struct rte_mempool *packets_make(const struct udp_port_conf *conf, uint32_t packets, int socket);

/**
 * Does one buffer follow the other from the pool's first byte to the last? Only then does the kernel know all of them of
 * a PMD that gives it so many times the size of one (device_maps_pool).
 */
bool packets_are_gapless(struct rte_mempool *pool);

#endif
