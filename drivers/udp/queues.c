/* SPDX-License-Identifier: BSD-3-Clause */
/* Queues of a port; queues.h says whose they are. */
#include "drivers/udp/queues.h"

#include "base/check.h"
#include "drivers/udp/device.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* How each virtual device is told. Others (net_ring, net_memif, PCI) have the queues that they are configured with. */
static const struct {
	const char *driver;
	const char *option;
} queues_options[] = {
	{ "net_vhost", "queues=" },
	{ DEVICE_VIRTIO_USER, "queues=" },
	{ DEVICE_AF_PACKET, "qpairs=" },
	{ DEVICE_AF_XDP, "queue_count=" },
};

/* What may be hashed: UDP's ports too, since that is what tells connections apart. */
#define QUEUES_RSS_UDP \
	(RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV6_UDP | RTE_ETH_RSS_IPV6_UDP_EX)

uint32_t queues_wanted(const struct udp_port_conf *conf, uint32_t workers)
{
	uint32_t most = MAX(workers, 1u);

	return conf->queues == 0 ? most : MIN(conf->queues, most);
}

/* Queues of a kernel's interface, "rx-0" and so on in its folder: so many of those wanted, and at least 1. */
static uint32_t queues_of_interface(const char *name, uint32_t wanted)
{
	char path[PATH_MAX];
	uint32_t count = 0;

	while (count < wanted) {
		snprintf(path, sizeof(path), "/sys/class/net/%s/queues/rx-%u", name, count);
		if (access(path, F_OK) != 0)
			break;
		count++;
	}
	return MAX(count, 1u);
}

/* AF_XDP binds to queues that the interface has; one that is configured is not second-guessed. */
static uint32_t queues_of_xdp(const struct udp_port_conf *conf, uint32_t wanted)
{
	const char *at = strstr(conf->device, ",iface=");
	char name[UDP_DEVICE_BYTES];
	size_t length;

	if (conf->queues != 0 || at == NULL || strstr(conf->device, ",start_queue=") != NULL)
		return wanted;
	at += strlen(",iface=");
	length = strcspn(at, ",");
	memcpy(name, at, length);
	name[length] = '\0';
	return queues_of_interface(name, wanted);
}

void queues_append_option(const struct udp_port_conf *conf, uint32_t wanted,
			  char options[UDP_DEVICE_BYTES])
{
	size_t length = strlen(options);

	for (size_t i = 0; i < ARRAY_SIZE(queues_options); i++) {
		if (!device_is_made_by(conf, queues_options[i].driver))
			continue;
		if (device_is_made_by(conf, DEVICE_AF_XDP))
			wanted = queues_of_xdp(conf, wanted);
		if (wanted > 1 && strstr(options, queues_options[i].option) == NULL)
			snprintf(options + length, UDP_DEVICE_BYTES - length, "%s%s%u",
				 length > 0 ? "," : "", queues_options[i].option, wanted);
	}
}

uint32_t queues_offered(const struct rte_eth_dev_info *info, uint32_t wanted)
{
	uint32_t most = MIN(info->max_rx_queues, info->max_tx_queues);

	return MAX(MIN(wanted, most), 1u);
}

void queues_spread(const struct rte_eth_dev_info *info, uint32_t queues, struct rte_eth_conf *conf)
{
	uint64_t offered = info->flow_type_rss_offloads;
	uint64_t hash = offered & QUEUES_RSS_UDP;

	if (hash == 0)
		hash = offered & RTE_ETH_RSS_IP;
	if (queues < 2 || hash == 0)
		return;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = hash;
}
