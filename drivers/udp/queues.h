/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The queues of a port: how many it gets, how its device is told, and what spreads packets over them.
 *
 * Queue i is worker i's, so more queues than workers would only lose what arrives on them. A port with fewer serves the
 * workers beyond by relays (relay.h). On a wire to one peer (net_ring, vhost) the sender's queue is the receiver's; on
 * all others a hash over addresses and ports chooses one at the receiver.
 */
#ifndef DRIVERS_UDP_QUEUES_H
#define DRIVERS_UDP_QUEUES_H

#include "drivers/udp/conf.h"

#include <rte_ethdev.h>

#include <stddef.h>
#include <stdint.h>

/** Queues to ask for: as configured, else one a worker; never more than workers. */
uint32_t queues_wanted(const struct udp_port_conf *conf, uint32_t workers);

/** Append what makes a virtual device with that many queues, ",queues=2" for example, unless its string says it already. */
void queues_append_option(const struct udp_port_conf *conf, uint32_t wanted,
			  char options[UDP_DEVICE_BYTES]);

/** What a device offers of them, at least 1. */
uint32_t queues_offered(const struct rte_eth_dev_info *info, uint32_t wanted);

/** Ask the device to spread UDP over its queues, if it can be asked. */
void queues_spread(const struct rte_eth_dev_info *info, uint32_t queues, struct rte_eth_conf *conf);

#endif
