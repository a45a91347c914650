/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and closing of ports; port.h says what they are. */
#include "drivers/udp/port.h"

#include "base/check.h"
#include "base/log.h"
#include "drivers/udp/device.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/queues.h"

#include <rte_dev.h>
#include <rte_errno.h>

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Descriptors of a queue where the device does not prefer another number. */
#define PORT_DESCRIPTORS 512

/* Packet buffers kept by each thread in front of the pool: several bursts of both directions. */
#define PORT_CACHE_PACKETS 256u

/* How long to wait between two knocks at a device that waits for its peer, when it is to end. */
#define PORT_KNOCK_NS 20000000

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
	/* The ports of memory wires "offload" by leaving it out, which is not what was asked for. */
	if (is_memory || (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_UDP_CKSUM) == 0) {
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
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "haul_port_%u", port->id);
	port->pool = rte_pktmbuf_pool_create(name, port->pool_packets, PORT_CACHE_PACKETS, 0,
					     device_room_bytes(port->conf),
					     rte_eth_dev_socket_id(port->id));
	if (port->pool != NULL)
		return 0;
	port_fail(port, "no memory for its packet buffers", rte_errno);
	return -rte_errno;
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
static int port_check_interface(struct port *port, const struct rte_eth_dev_info *info)
{
	struct ifreq request = { 0 };
	int error = 0;
	int fd;

	if (info->if_index == 0 || if_indextoname(info->if_index, request.ifr_name) == NULL)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFMTU, &request) == 0 &&
	    (uint32_t)request.ifr_mtu < port->conf->mtu_bytes) {
		error = -EMSGSIZE;
		port_fail(port, "the interface has a lesser MTU", error);
	}
	close(fd);
	return error;
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
	error = port_check_interface(port, info);
	if (error != 0)
		return error;
	/* The PMD of AF_PACKET says that it carries 1500 bytes, but carries what its slots hold. */
	if (!device_is_made_by(port->conf, DEVICE_AF_PACKET))
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
	/* Discovery goes to groups; a port that cannot be told so takes them anyway, or has no filter. */
	if (port->addresses[PORT_IPV6].ip.family != 0 && rte_eth_allmulticast_enable(port->id) != 0)
		log_debug("udp", "port %s: does not filter groups", port->conf->name);
	port->frame_bytes = port->conf->mtu_bytes + FRAME_ETHERNET_BYTES +
			    (port->conf->vlan == 0 ? 0 : FRAME_TAG_BYTES);
	return 0;
}

static void *port_main(void *argument)
{
	struct port *port = argument;
	int error = port_attach(port);

	if (error == 0)
		error = port_start(port);
	/* Release: everything written above is seen by who sees the state. */
	atomic_store_explicit(&port->state, error == 0 ? PORT_UP : PORT_FAILED,
			      memory_order_release);
	eventfd_write(port->event_fd, 1);
	return NULL;
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
	error = pthread_create(&port->thread, NULL, port_main, port);
	if (error != 0) {
		log_error("udp", "port %s: no thread to open it", conf->name);
		return -error;
	}
	port->has_thread = true;
	return 0;
}

/*
 * A device that waits for its peer waits in accept(). Knocking there and leaving makes it go on, and fail, since
 * nobody talks to it then. The PMD leaves the socket behind that it had made.
 */
static void port_end_thread(struct port *port)
{
	const struct timespec pause = { .tv_nsec = PORT_KNOCK_NS };
	struct sockaddr_un address;
	bool is_server = device_server_path(port->conf, &address);
	bool is_woken = false;

	if (!port->has_thread)
		return;
	while (port_state(port) == PORT_OPENING) {
		if (is_server && device_knock(&address) == 0)
			is_woken = true;
		nanosleep(&pause, NULL);
	}
	pthread_join(port->thread, NULL);
	port->has_thread = false;
	if (is_woken && port_state(port) == PORT_FAILED)
		unlink(address.sun_path);
}

void port_close(struct port *port)
{
	if (port->conf == NULL)
		return;
	port_end_thread(port);
	if (port->id != RTE_MAX_ETHPORTS && rte_eth_dev_is_valid_port(port->id)) {
		struct rte_eth_dev_info info;
		int error = rte_eth_dev_info_get(port->id, &info);

		bell_close(&port->bell);
		rte_eth_dev_stop(port->id);
		if (!port->is_adopted && error == 0) {
			rte_eth_dev_close(port->id);
			rte_dev_remove(info.device);
		}
	}
	rte_mempool_free(port->pool);
	port->conf = NULL;
}

bool port_has_link(const struct port *port)
{
	struct rte_eth_link link;

	if (port_state(port) != PORT_UP || rte_eth_link_get_nowait(port->id, &link) != 0)
		return false;
	return link.link_status == RTE_ETH_LINK_UP;
}
