/* SPDX-License-Identifier: BSD-3-Clause */
/* The udp transport's operations table, its life and its listings; udp.h names the other files. */
#include "drivers/udp/udp.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "drivers/udp/conf.h"
#include "drivers/udp/control.h"
#include "drivers/udp/counters.h"
#include "drivers/udp/device.h"
#include "drivers/udp/eal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* What EAL, the PMDs and the rings of ports take beside the packet buffers. */
#define UDP_MEMORY_EXTRA_MB 48u

/* How long opening waits for ports that are required; one that waits for its peer is not waited for. */
#define UDP_REQUIRED_US  UINT64_C(3000000)
#define UDP_OPEN_STEP_NS 5000000

#define UDP_SPEC_RUDP(id, name, unit, meaning)      { "rudp_" name, (unit), (meaning) },
#define UDP_SPEC_HANDSHAKE(id, name, unit, meaning) { "handshake_" name, (unit), (meaning) },

static const struct counter_spec udp_specs[] = {
	UDP_VERDICT_COUNTERS(COUNTER_SPEC) UDP_WORKER_COUNTERS(COUNTER_SPEC)
		UDP_IMPAIR_COUNTERS(COUNTER_SPEC) UDP_CONTROL_COUNTERS(COUNTER_SPEC)
			RUDP_COUNTERS(UDP_SPEC_RUDP) HANDSHAKE_COUNTERS(UDP_SPEC_HANDSHAKE)
};

const struct counter_group udp_counters = { "udp", udp_specs, UDP_COUNTER_COUNT };

static void udp_close(struct transport *transport)
{
	if (transport == NULL)
		return;
	for (uint32_t i = 0; i < transport->worker_count; i++)
		udp_worker_destroy(&transport->workers[i]);
	relays_free(transport->relays, transport->setup.worker_count);
	handshake_destroy(transport->handshake);
	for (uint32_t i = 0; i < PORTS_MAX; i++) {
		port_close(&transport->ports[i]);
		for (uint32_t j = 0; j < PORT_FAMILIES; j++)
			free(transport->neighbours[i][j]);
	}
	free(transport->attempts);
	if (transport->event_fd >= 0)
		close(transport->event_fd);
	if (transport->has_eal)
		eal_stop();
	free(transport);
}

static uint32_t udp_memory_mb(const struct udp_conf *conf, uint32_t worker_count)
{
	uint64_t bytes = 0;

	if (conf->memory_mb != 0)
		return conf->memory_mb;
	for (uint32_t i = 0; i < conf->port_count; i++)
		bytes += port_memory_bytes(&conf->ports[i], conf->mempool_packets * worker_count);
	return UDP_MEMORY_EXTRA_MB + (uint32_t)(bytes >> 20) * 9 / 8;
}

static int udp_open_eal(struct transport *transport)
{
	const struct udp_conf *conf = transport->conf;
	struct eal_options options = {
		.node = transport->setup.node,
		.memory_mb = udp_memory_mb(conf, transport->setup.worker_count),
		.huge_pages = (enum udp_huge_pages)conf->huge_pages,
		.args = conf->eal_args,
		.arg_count = conf->eal_arg_count,
	};
	int error;

	for (uint32_t i = 0; i < conf->port_count; i++)
		options.has_pci |= device_is_pci(&conf->ports[i]);
	error = eal_start(&options);
	transport->has_eal = error == 0;
	return error;
}

/* Ports open side by side, each on a thread of its own. */
static int udp_open_ports(struct transport *transport)
{
	const struct udp_conf *conf = transport->conf;

	for (uint32_t i = 0; i < conf->port_count; i++) {
		int error;

		transport->ports[i].index = i;
		transport->ports[i].worker_count = transport->setup.worker_count;
		transport->ports[i].is_bell_wanted = transport->setup.is_armed;
		error = port_open(&transport->ports[i], &conf->ports[i], conf->mempool_packets,
				  transport->event_fd);
		if (error != 0)
			return error;
	}
	return 0;
}

static bool udp_is_required_open(const struct transport *transport)
{
	for (uint32_t i = 0; i < transport->conf->port_count; i++) {
		const struct port *port = &transport->ports[i];

		if (port->conf->is_required && port_state(port) == PORT_OPENING &&
		    !port_waits_for_peer(port))
			return false;
	}
	return true;
}

/* Required ports that fail at once end the daemon's start. */
static int udp_await_required(struct transport *transport)
{
	const struct timespec step = { .tv_nsec = UDP_OPEN_STEP_NS };
	uint64_t end_us = clock_now_us() + UDP_REQUIRED_US;

	while (!udp_is_required_open(transport) && clock_now_us() < end_us)
		nanosleep(&step, NULL);
	udp_ports_look(transport, clock_now_us());
	for (uint32_t i = 0; i < transport->conf->port_count; i++) {
		const struct port *port = &transport->ports[i];

		if (port->conf->is_required && port_state(port) == PORT_FAILED) {
			log_error("udp", "port %s: it is required", port->conf->name);
			return -ENODEV;
		}
	}
	return 0;
}

/* The largest UDP payload that every port carries: a connection may move from one to another. */
static uint32_t udp_datagram_bytes(const struct udp_conf *conf)
{
	uint32_t mtu_bytes = UINT16_MAX;

	for (uint32_t i = 0; i < conf->port_count; i++)
		mtu_bytes = MIN(mtu_bytes, conf->ports[i].mtu_bytes);
	return MIN(mtu_bytes - FRAME_IP_UDP_BYTES, RUDP_DATAGRAM_BYTES_MAX);
}

static int udp_open_handshake(struct transport *transport)
{
	struct handshake_config config = {
		.incarnation = transport->setup.incarnation,
		.datagram_bytes = (uint16_t)udp_datagram_bytes(transport->conf),
		.operations = RUDP_OPERATIONS_DEFAULT,
		.packets = RUDP_PACKETS_DEFAULT,
		.counters = transport->counters + UDP_HANDSHAKE_FIRST,
		.callbacks = &udp_handshake_callbacks,
		.context = transport,
	};

	memcpy(config.key, transport->setup.cluster_key, sizeof(config.key));
	strncpy(config.name, transport->setup.node, sizeof(config.name) - 1);
	return handshake_create(&config, clock_now_us(), &transport->handshake);
}

static int udp_open_workers(struct transport *transport)
{
	struct udp_worker_setup setup = {
		.setup = &transport->setup,
		.conf = transport->conf,
		.ports_up = &transport->ports_up,
		.ports = transport->ports,
		.relays = transport->relays,
		.datagram_bytes = udp_datagram_bytes(transport->conf),
		.event_fd = transport->event_fd,
	};

	for (uint32_t i = 0; i < transport->setup.worker_count; i++) {
		int error;

		setup.number = i;
		transport->worker_count = i + 1; /* closing takes a half-made one down too */
		error = udp_worker_init(&transport->workers[i], &setup);
		if (error != 0)
			return error;
	}
	return 0;
}

static int udp_open_parts(struct transport *transport)
{
	const struct transport_setup *setup = &transport->setup;
	int error;

	transport->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (transport->event_fd < 0)
		return -errno;
	transport->attempts = calloc((size_t)setup->worker_count * setup->rails_max,
				     sizeof(*transport->attempts));
	if (transport->attempts == NULL)
		return -ENOMEM;
	error = relays_make(setup->worker_count, &transport->relays);
	if (error == 0)
		error = udp_open_workers(transport);
	if (error == 0)
		error = udp_open_handshake(transport);
	if (error == 0 && transport->conf->port_count > 0)
		error = udp_open_eal(transport);
	if (error == 0)
		error = udp_open_ports(transport);
	if (error == 0)
		error = udp_await_required(transport);
	return error;
}

static int udp_open(const struct transport_setup *setup, struct transport **transport_out)
{
	struct transport *transport;
	int error;

	transport =
		calloc(1, sizeof(*transport) + setup->worker_count * sizeof(transport->workers[0]));
	if (transport == NULL)
		return -ENOMEM;
	transport->setup = *setup;
	transport->conf = setup->conf;
	transport->counters = setup->counters[0];
	transport->event_fd = -1;
	error = udp_open_parts(transport);
	if (error != 0) {
		log_error("udp", "cannot open: %s", strerrordesc_np(-error));
		udp_close(transport);
		return error;
	}
	*transport_out = transport;
	return 0;
}

static struct transport_worker *udp_worker(struct transport *transport, uint32_t index)
{
	BUG_ON(index >= transport->worker_count);
	return &transport->workers[index];
}

/* Also of ports that are not up yet: their peer may be what they wait for. */
static uint32_t udp_addresses(struct transport *transport, struct haul_address *addresses_out,
			      uint32_t max)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < transport->conf->port_count * PORT_FAMILIES && count < max; i++) {
		const struct port *port = &transport->ports[i / PORT_FAMILIES];
		const struct frame_ip *ip = &port->addresses[i % PORT_FAMILIES].ip;
		struct haul_address *address = &addresses_out[count];

		if (ip->family == 0)
			continue;
		*address = (struct haul_address){
			.transport = HAUL_TRANSPORT_UDP,
			.family = ip->family,
			.port = (uint16_t)transport->conf->udp_port,
		};
		memcpy(address->ip, ip->bytes, sizeof(address->ip));
		count++;
	}
	return count;
}

static int udp_control_fd(struct transport *transport)
{
	return transport->event_fd;
}

/* Both if there is room for them; IPv4 goes first, as it does to peers. */
static void udp_describe_addresses(const struct udp_port_conf *conf, char *text_out, size_t size)
{
	size_t first = strlen(conf->address);
	size_t second = strlen(conf->address6);

	BUG_ON(size < UDP_ADDRESS_BYTES);
	memcpy(text_out, conf->address, first + 1);
	if (second == 0 || first + second + 2 > size)
		return;
	if (first > 0)
		text_out[first++] = ' ';
	memcpy(text_out + first, conf->address6, second + 1);
}

static uint32_t udp_describe(struct transport *transport, struct haul_transport_row *rows_out,
			     uint32_t max)
{
	uint32_t count = MIN(transport->conf->port_count, max);

	for (uint32_t i = 0; i < count; i++) {
		const struct port *port = &transport->ports[i];
		struct haul_transport_row *row = &rows_out[i];

		memset(row, 0, sizeof(*row));
		snprintf(row->transport, sizeof(row->transport), "udp");
		snprintf(row->device, sizeof(row->device), "%s", port->conf->name);
		snprintf(row->state, sizeof(row->state), "%s", udp_port_text(port));
		udp_describe_addresses(port->conf, row->address, sizeof(row->address));
		row->mtu_bytes = port->conf->mtu_bytes;
		for (uint32_t j = 0; j < transport->worker_count; j++) {
			row->packets_in += transport->workers[j].queues[i].packets_in;
			row->packets_out += transport->workers[j].queues[i].packets_out;
		}
	}
	return count;
}

static void udp_describe_way(struct transport *transport, const struct transport_peer *peer,
			     char *text_out)
{
	char address[INET6_ADDRSTRLEN] = "";
	struct way_ports ports = udp_control_ways(transport);
	struct way way;

	if (!way_find(&ports, peer, peer->way, &way)) {
		memcpy(text_out, "none", sizeof("none"));
		return;
	}
	inet_ntop(way.address->family == 6 ? AF_INET6 : AF_INET, way.address->ip, address,
		  sizeof(address));
	snprintf(text_out, HAUL_WAY_BYTES, "%s %s", transport->conf->ports[way.port].name, address);
}

const struct transport_ops udp_ops = {
	.name = "udp",
	.id = HAUL_TRANSPORT_UDP,
	.keys = &udp_conf_table,
	.conf_bytes = sizeof(struct udp_conf),
	.counters = &udp_counters,
	.open = udp_open,
	.close = udp_close,
	.worker = udp_worker,
	.addresses = udp_addresses,
	.rails = udp_control_rails,
	.describe_way = udp_describe_way,
	.connect = udp_control_connect,
	.disconnect = udp_control_disconnect,
	.control = udp_control,
	.control_fd = udp_control_fd,
	.describe = udp_describe,
	.post = udp_worker_post,
	.poll = udp_worker_poll,
	.flush = udp_worker_flush,
	.cancel = udp_worker_cancel,
	.stats = udp_worker_stats,
	.arm = udp_worker_arm,
	.disarm = udp_worker_disarm,
	.next_deadline_us = udp_worker_next_deadline_us,
};
