/* SPDX-License-Identifier: BSD-3-Clause */
/* What a port is made of, and its link; port.h says what it is, opener.c when what in here is done. */
#include "drivers/udp/port.h"

#include "base/check.h"
#include "base/log.h"
#include "drivers/udp/device.h"
#include "drivers/udp/packets.h"
#include "drivers/udp/queues.h"

#include <rte_dev.h>
#include <rte_errno.h>

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

/* Descriptors of a queue where the device does not prefer another number. */
#define PORT_DESCRIPTORS 512

/* A link that is down for so long is taken for one that needs the device to be opened again, where that helps. */
#define PORT_RELINK_US UINT64_C(1000000)

static void port_fail(struct port *port, const char *what, int error)
{
	snprintf(port->reason, sizeof(port->reason), "%s: %s", what, rte_strerror(abs(error)));
}

uint64_t port_memory_bytes(const struct udp_port_conf *conf, uint32_t packets)
{
	uint64_t one = sizeof(struct rte_mbuf) + device_room_bytes(conf) +
		       UINT64_C(2) * RTE_CACHE_LINE_SIZE; /* the pool's own header, and colouring */

	return one * packets;
}

bool port_waits_for_peer(const struct port *port)
{
	struct sockaddr_un address;

	return device_server_path(port->conf, &address);
}

/*
 * PMDs have poor words for an interface that is not there or down, and that of AF_XDP uses freed memory after it has failed
 * on one that is down: so they are not asked.
 */
static int port_find_interface(struct port *port)
{
	char name[UDP_DEVICE_BYTES];
	uint32_t index;
	int error;

	if (!device_interface(port->conf, name))
		return 0;
	index = if_nametoindex(name);
	if (index == 0) {
		port_fail(port, "there is no interface of that name", errno);
		return -ENODEV;
	}
	error = interface_open(&port->interface, index);
	if (error == 0 && device_is_made_by(port->conf, DEVICE_AF_XDP) &&
	    interface_state(&port->interface) <= INTERFACE_DOWN)
		error = -ENETDOWN;
	if (error != 0)
		port_fail(port, "its interface", error);
	return error;
}

static int port_attach(struct port *port)
{
	const struct udp_port_conf *conf = port->conf;
	char name[UDP_DEVICE_BYTES];
	int error;

	device_name(conf, name);
	if (rte_eth_dev_get_port_by_name(name, &port->id) == 0) {
		port->is_adopted = true;
		return 0;
	}
	if (device_is_pci(conf) && !device_pci_check(conf, port->reason, sizeof(port->reason)))
		return -ENODEV;
	device_remove_stale_socket(conf);
	if (device_is_virtual(conf)) {
		char options[UDP_DEVICE_BYTES];

		device_options(conf, options);
		queues_append_option(conf, port->queues, options);
		error = rte_eal_hotplug_add("vdev", name, options);
	} else {
		error = rte_dev_probe(conf->device);
	}
	if (error != 0) {
		port_fail(port, "the device cannot be attached", error);
		return error;
	}
	error = rte_eth_dev_get_port_by_name(name, &port->id);
	if (error != 0)
		port_fail(port, "the device is no ethernet port", error);
	return error;
}

/* Who makes and checks the UDP checksum; the offloads to ask for go into *conf. */
static void port_choose_checksum(struct port *port, const struct rte_eth_dev_info *info,
				 struct rte_eth_conf *conf)
{
	enum udp_checksum policy = (enum udp_checksum)port->conf->checksum;
	bool is_memory = device_is_memory_wire(port->conf, info->driver_name);

	port->is_memory = is_memory;
	port->sum = FRAME_SUM_NONE;
	port->tx_flags = 0;
	port->is_sum_needed = policy == UDP_CHECKSUM_ALWAYS;
	if (policy == UDP_CHECKSUM_NEVER || (policy == UDP_CHECKSUM_AUTO && is_memory))
		return;
	/*
	 * The ports of memory wires "offload" by leaving it out, which is not what was asked for; and the port of a wire
	 * that damages frames would sum up the damage.
	 */
	if (is_memory || port->conf->impair[0] != '\0' ||
	    (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) == 0) {
		port->sum = FRAME_SUM_WHOLE;
		return;
	}
	port->sum = FRAME_SUM_PSEUDO;
	port->tx_flags = RTE_MBUF_F_TX_UDP_CKSUM;
	conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	conf->rxmode.offloads |= info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
}

static int port_make_pool(struct port *port)
{
	int error;

	if (port->pool != NULL)
		return 0; /* what has not come back from the last time does so in its own time */
	port->pool = packets_make(port->conf, port->pool_packets, rte_eth_dev_socket_id(port->id));
	if (port->pool == NULL) {
		error = rte_errno;
		port_fail(port, "no memory for its packet buffers", error);
		return -error;
	}
	if (!device_maps_pool(port->conf) || packets_are_gapless(port->pool))
		return 0;
	rte_mempool_free(port->pool);
	port->pool = NULL;
	port_fail(port, "no memory in one piece for its packet buffers", ENOMEM);
	return -ENOMEM;
}

static int port_set_up_queues(struct port *port, const struct rte_eth_dev_info *info,
			      uint64_t tx_offloads)
{
	struct rte_eth_txconf tx = info->default_txconf;
	uint16_t rx_descriptors = PORT_DESCRIPTORS;
	uint16_t tx_descriptors = PORT_DESCRIPTORS;
	int error;

	error = rte_eth_dev_adjust_nb_rx_tx_desc(port->id, &rx_descriptors, &tx_descriptors);
	tx.offloads = tx_offloads;
	for (uint16_t i = 0; error == 0 && i < port->queues; i++) {
		int socket = rte_eth_dev_socket_id(port->id);

		error = rte_eth_rx_queue_setup(port->id, i, rx_descriptors, (unsigned int)socket,
					       NULL, port->pool);
		if (error == 0)
			error = rte_eth_tx_queue_setup(port->id, i, tx_descriptors,
						       (unsigned int)socket, &tx);
	}
	if (error != 0)
		port_fail(port, "its queues cannot be set up", error);
	return error;
}

/* A port on an interface of the kernel: what is larger than that one's MTU would never leave. */
static bool port_is_wider(const struct port *port)
{
	uint32_t mtu_bytes = interface_mtu_bytes(&port->interface);

	return mtu_bytes != 0 && mtu_bytes < port->conf->mtu_bytes;
}

static int port_configure(struct port *port, struct rte_eth_dev_info *info,
			  struct rte_eth_conf *conf)
{
	uint16_t queues;
	int error;

	error = rte_eth_dev_info_get(port->id, info);
	if (error != 0) {
		port_fail(port, "it does not tell what it can", error);
		return error;
	}
	queues = (uint16_t)queues_offered(info, port->queues);
	if (queues < port->queues && port->conf->queues != 0) {
		port_fail(port, "it has fewer queues than configured", E2BIG);
		return -E2BIG;
	}
	port->queues = queues;
	if (port_is_wider(port)) {
		port_fail(port, "the interface has a lesser MTU", EMSGSIZE);
		return -EMSGSIZE;
	}
	if (device_tells_mtu(port->conf))
		conf->rxmode.mtu = port->conf->mtu_bytes;
	conf->intr_conf.lsc = (*info->dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
	queues_spread(info, queues, conf);
	port_choose_checksum(port, info, conf);
	if (port->is_bell_wanted)
		port->bell.kind = bell_kind_of(port->conf, info->driver_name);
	conf->intr_conf.rxq = port->bell.kind == BELL_DEVICE;
	error = rte_eth_dev_configure(port->id, queues, queues, conf);
	if (error != 0 && conf->intr_conf.rxq) {
		/* Drivers of NICs refuse receive interrupts that they do not have. */
		conf->intr_conf.rxq = 0;
		port->bell.kind = BELL_NONE;
		error = rte_eth_dev_configure(port->id, queues, queues, conf);
	}
	if (error != 0)
		port_fail(port, "it refuses this MTU or number of queues", error);
	return error;
}

/* A device without a MAC (net_ring) gets a local one, made of the end of its address. */
static void port_choose_mac(struct port *port, const struct rte_ether_addr *mac)
{
	const struct port_address *addresses = port->addresses;

	memcpy(port->mac, mac->addr_bytes, FRAME_MAC_BYTES);
	if (!rte_is_zero_ether_addr(mac))
		return;
	port->mac[0] = RTE_ETHER_LOCAL_ADMIN_ADDR;
	memcpy(port->mac + 2,
	       addresses[PORT_IPV4].ip.family != 0 ? addresses[PORT_IPV4].ip.bytes
						   : addresses[PORT_IPV6].ip.bytes + 12,
	       4);
}

/* ethdev tells, on a thread of its own: the control thread looks. */
static int port_on_event(uint16_t id, enum rte_eth_event_type type, void *argument, void *result)
{
	struct port *port = argument;

	(void)id;
	(void)result;
	if (type == RTE_ETH_EVENT_INTR_RMV)
		atomic_store_explicit(&port->is_removed, true, memory_order_release);
	atomic_store_explicit(&port->has_event, true, memory_order_release);
	eventfd_write(port->event_fd, 1);
	return 0;
}

static void port_listen(struct port *port)
{
	rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_RMV, port_on_event, port);
	rte_eth_dev_callback_register(port->id, RTE_ETH_EVENT_INTR_LSC, port_on_event, port);
}

static void port_listen_no_more(struct port *port)
{
	static const enum rte_eth_event_type types[] = { RTE_ETH_EVENT_INTR_RMV,
							 RTE_ETH_EVENT_INTR_LSC };

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		/* It does not go while it runs, which is not for long. */
		while (rte_eth_dev_callback_unregister(port->id, types[i], port_on_event, port) ==
		       -EAGAIN)
			sched_yield();
	}
}

static int port_start(struct port *port)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;
	struct rte_ether_addr mac;
	int error;

	error = port_configure(port, &info, &conf);
	if (error == 0)
		error = port_make_pool(port);
	if (error == 0)
		error = port_set_up_queues(port, &info, conf.txmode.offloads);
	if (error != 0)
		return error;
	error = rte_eth_dev_start(port->id);
	if (error == 0)
		error = rte_eth_macaddr_get(port->id, &mac);
	if (error != 0) {
		port_fail(port, "it cannot be started", error);
		return error;
	}
	port_choose_mac(port, &mac);
	error = bell_open(&port->bell, port->id);
	if (error != 0)
		log_warning("udp", "port %s: cannot see its peer come: %s", port->conf->name,
			    rte_strerror(-error));
	port_listen(port);
	/* Discovery goes to groups; a port that cannot be told so takes them anyway, or has no filter. */
	if (port->addresses[PORT_IPV6].ip.family != 0 && rte_eth_allmulticast_enable(port->id) != 0)
		log_debug("udp", "port %s: does not filter groups", port->conf->name);
	port->frame_bytes = port->conf->mtu_bytes + FRAME_ETHERNET_BYTES +
			    (port->conf->vlan == 0 ? 0 : FRAME_TAG_BYTES);
	return 0;
}

int port_bring_up(struct port *port)
{
	int error;

	port->reason[0] = '\0';
	port->queues = queues_wanted(port->conf, port->worker_count);
	atomic_store_explicit(&port->is_removed, false, memory_order_relaxed);
	error = port_find_interface(port);
	if (error == 0)
		error = port_attach(port);
	return error == 0 ? port_start(port) : error;
}

void port_take_down(struct port *port)
{
	struct rte_eth_dev_info info;

	interface_close(&port->interface);
	bell_close(&port->bell);
	if (port->id == RTE_MAX_ETHPORTS || !rte_eth_dev_is_valid_port(port->id))
		return;
	port_listen_no_more(port);
	rte_eth_dev_stop(port->id);
	if (!port->is_adopted && rte_eth_dev_info_get(port->id, &info) == 0) {
		rte_eth_dev_close(port->id);
		rte_dev_remove(info.device);
	}
	port->id = RTE_MAX_ETHPORTS;
	if (device_keeps_buffers(port->conf)) {
		/* No worker has any, and the rest is lost: another pool the next time. */
		rte_mempool_free(port->pool);
		port->pool = NULL;
	}
}

void port_tell(struct port *port, bool is_open)
{
	/* Release: everything written before is seen by who sees the state. */
	if (is_open)
		atomic_store_explicit(&port->state, PORT_UP, memory_order_release);
	else if (port_state(port) == PORT_OPENING)
		atomic_store_explicit(&port->state, PORT_FAILED, memory_order_release);
	atomic_store_explicit(&port->has_event, true, memory_order_release);
	eventfd_write(port->event_fd, 1);
}

static bool port_read_address(struct port *port, enum port_family family, const char *text)
{
	struct port_address *address = &port->addresses[family];

	if (text[0] == '\0' ||
	    udp_conf_address(text, family == PORT_IPV4 ? 4 : 6, &address->ip, &address->prefix))
		return true;
	log_error("udp", "port %s: address %s is not valid", port->conf->name, text);
	return false;
}

bool port_reaches(const struct port *port, const struct frame_ip *ip)
{
	const struct port_address *own = &port->addresses[port_family_of(ip)];
	uint32_t whole = own->prefix / 8;
	uint8_t rest = (uint8_t)(0xff00u >> own->prefix % 8);

	if (own->ip.family == 0 || own->ip.family != ip->family ||
	    memcmp(own->ip.bytes, ip->bytes, whole) != 0)
		return false;
	return rest == 0 || ((own->ip.bytes[whole] ^ ip->bytes[whole]) & rest) == 0;
}

int port_open(struct port *port, const struct udp_port_conf *conf, uint32_t pool_packets,
	      int event_fd)
{
	int error;

	port->conf = conf;
	port->event_fd = event_fd;
	port->id = RTE_MAX_ETHPORTS;
	port->pool_packets = pool_packets * MAX(port->worker_count, 1u);
	port->queues = queues_wanted(conf, port->worker_count);
	if (!port_read_address(port, PORT_IPV4, conf->address) ||
	    !port_read_address(port, PORT_IPV6, conf->address6))
		return -EINVAL;
	error = opener_start(port);
	if (error != 0)
		log_error("udp", "port %s: no thread to open it", conf->name);
	return error;
}

void port_close(struct port *port)
{
	if (port->conf == NULL)
		return;
	opener_end(port);
	rte_mempool_free(port->pool);
	port->conf = NULL;
}

bool port_is_blind(const struct port *port, enum port_family family)
{
	/* Memory does not need it, a checksum of UDP sees what a link's own has not, and IPv6 is never without. */
	return !port->is_memory && port->sum == FRAME_SUM_NONE && family == PORT_IPV4;
}

bool port_look_at_link(struct port *port, uint64_t now_us)
{
	struct rte_eth_link link;

	if (port->interface.index != 0)
		port->has_link = interface_state(&port->interface) == INTERFACE_UP;
	else
		port->has_link = rte_eth_link_get_nowait(port->id, &link) == 0 &&
				 link.link_status == RTE_ETH_LINK_UP;
	if (port->has_link)
		port->linked_us = now_us;
	return port->has_link;
}

const char *port_link_text(const struct port *port)
{
	if (port->interface.index == 0)
		return "no peer";
	return interface_state(&port->interface) == INTERFACE_DOWN ? "the interface is set down"
								   : "no carrier";
}

const char *port_loss(const struct port *port, uint64_t now_us)
{
	if (atomic_load_explicit(&port->is_removed, memory_order_acquire))
		return "the device was removed";
	if (port->interface.index != 0 && interface_state(&port->interface) == INTERFACE_GONE)
		return "the interface was deleted";
	if (device_must_relink(port->conf) && now_us - port->linked_us > PORT_RELINK_US)
		return "its peer has ended";
	return NULL;
}

void port_leave(struct port *port)
{
	atomic_store_explicit(&port->state, PORT_GONE, memory_order_release);
	port->has_link = false;
}
