/* SPDX-License-Identifier: BSD-3-Clause */
/* Nodes for benchmarks; perf_node.h says what they have. */
#include "perf_node.h"

#include "api/haul_attach.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/grant.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/udp.h"

#include <rte_eth_ring.h>
#include <rte_ring.h>

#include <arpa/inet.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

/* Of the vhost wire, with the process's number. */
#define PERF_SOCKET "/tmp/pair-%d.sock"

#define PERF_RING_PACKETS 1024u
#define PERF_POOL_PACKETS 4096u
#define PERF_ENTRIES      512u
#define PERF_REGIONS      16u
#define PERF_CONNECT_US   UINT64_C(60000000) /* for callgrind, which takes fifty times as long */

/* The one client of each node. */
#define PERF_CLIENT 1u

/* The one segment of each node. */
#define PERF_SEGMENT 1u
static const uint8_t perf_segment_key[HAUL_KEY_BYTES] = { 1, 2, 3 };

static const uint8_t perf_key[TRANSPORT_KEY_BYTES] = { 0x5a };

static void perf_check(bool is_good, const char *what)
{
	if (is_good)
		return;
	fprintf(stderr, "benchmark: %s\n", what);
	exit(EXIT_FAILURE);
}

bool perf_pin(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

static void perf_eal(void)
{
	struct eal_options eal = { .node = "perf",
				   .memory_mb = 256,
				   .huge_pages = UDP_HUGE_PAGES_AUTO };

	perf_check(eal_start(&eal) == 0, "DPDK cannot start");
}

static void perf_rings(void)
{
	struct rte_ring *to_a;
	struct rte_ring *to_b;

	to_a = rte_ring_create("to_a", PERF_RING_PACKETS, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	to_b = rte_ring_create("to_b", PERF_RING_PACKETS, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	perf_check(to_a != NULL && to_b != NULL, "no memory for rings");
	perf_check(rte_eth_from_rings("a", &to_a, 1, &to_b, 1, 0) >= 0 &&
			   rte_eth_from_rings("b", &to_b, 1, &to_a, 1, 0) >= 0,
		   "no ports on rings");
}

/* As tools/cluster.sh has them: virtio-user listens, and vhost comes. */
static void perf_device(const struct perf_node *node, const struct perf_node_options *options,
			char device_out[UDP_DEVICE_BYTES])
{
	int process = (int)getpid();

	if (options->virtio == 0)
		snprintf(device_out, UDP_DEVICE_BYTES, "net_ring_%s", node->name);
	else if (node->number == options->virtio)
		snprintf(device_out, UDP_DEVICE_BYTES,
			 "net_virtio_user0,path=" PERF_SOCKET ",server=1,queue_size=1024", process);
	else
		snprintf(device_out, UDP_DEVICE_BYTES, "net_vhost0,iface=" PERF_SOCKET ",client=1",
			 process);
}

static void perf_transport(struct perf_node *node, const struct perf_node_options *options)
{
	struct udp_port_conf *port = &node->conf.ports[0];
	struct transport_setup setup = {
		.node = node->name,
		.incarnation = node->number,
		.cluster_key = perf_key,
		.conf = &node->conf,
		.worker_count = 1,
		.rails_max = ENGINE_RAIL_NUMBERS,
		.slices_max = ENGINE_SLICES_MAX,
		.host = &worker_host,
		.workers = node->workers,
		.counters = node->blocks,
	};

	conf_defaults(&udp_conf_table, &node->conf);
	node->conf.port_count = 1;
	node->conf.huge_pages = UDP_HUGE_PAGES_AUTO;
	node->conf.mempool_packets = PERF_POOL_PACKETS;
	node->conf.payload_crc = options->payload_crc;
	node->conf.by_reference =
		options->is_copied ? UDP_BY_REFERENCE_NEVER : UDP_BY_REFERENCE_AUTO;
	if (options->window_packets > 0)
		node->conf.window_packets = options->window_packets;
	snprintf(port->name, sizeof(port->name), "%s", node->name);
	perf_device(node, options, port->device);
	snprintf(port->address, sizeof(port->address), "10.0.0.%u/24", node->number);
	port->mtu_bytes = options->mtu_bytes;
	port->queues = 1;
	perf_check(udp_ops.open(&setup, &node->transport) == 0, "the transport does not open");
	node->engine.ops[HAUL_TRANSPORT_UDP] = &udp_ops;
	node->engine.transports[HAUL_TRANSPORT_UDP] = node->transport;
	node->engine.order[node->engine.order_count++] = HAUL_TRANSPORT_UDP;
	node->worker->transports[HAUL_TRANSPORT_UDP] = udp_ops.worker(node->transport, 0);
}

static void perf_memory(struct perf_node *node, uint64_t bytes)
{
	struct region_spec spec = { .length = bytes,
				    .owner = PERF_CLIENT,
				    .rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE,
				    .segment = PERF_SEGMENT,
				    .fault_id = FAULT_NONE };

	/* As a segment's memory is: shared, and there from the start. */
	node->bytes = bytes;
	node->memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	perf_check(node->memory != MAP_FAILED, "no memory");
	memset(node->memory, (int)node->number, bytes);
	spec.base = node->memory;
	perf_check(keyring_init(&node->engine.keyring, 1) == 0, "no keyring");
	keyring_add(&node->engine.keyring, PERF_SEGMENT, perf_segment_key);
	node->region = region_add(&node->engine.regions, &spec);
	perf_check(node->region != REGION_NONE, "no region");
}

static void perf_channel(struct perf_node *node)
{
	struct worker_command command = { .kind = WORKER_CHANNEL_ADD };
	struct channel *channel = calloc(1, sizeof(*channel));

	perf_check(channel != NULL, "no channel");
	channel->header = aligned_alloc(PAGE_BYTES, sizeof(*channel->header));
	channel->entries = aligned_alloc(PAGE_BYTES, PERF_ENTRIES * sizeof(*channel->entries));
	channel->completions =
		aligned_alloc(PAGE_BYTES, 2 * PERF_ENTRIES * sizeof(*channel->completions));
	perf_check(channel->header != NULL && channel->entries != NULL &&
			   channel->completions != NULL,
		   "no rings");
	memset(channel->header, 0, sizeof(*channel->header));
	channel->header->state = HAUL_CHANNEL_OPEN;
	channel->entries_count = PERF_ENTRIES;
	channel->completions_count = 2 * PERF_ENTRIES;
	channel->number = PERF_CLIENT;
	channel->timeout_ms = 30000;
	channel->wake_fd = -1;
	channel->doorbell_fd = -1;
	TAILQ_INIT(&channel->operations);
	channel->worker = node->worker;
	command.channel = node->channel = channel;
	perf_check(worker_command(node->worker, &command), "no room for a command");
}

static void perf_node_make(struct perf_node *node, uint32_t number,
			   const struct perf_node_options *options)
{
	memset(node, 0, sizeof(*node));
	node->number = number;
	snprintf(node->name, sizeof(node->name), "%c", 'a' + (int)number - 1);
	node->engine.options.worker_count = 1;
	node->engine.options.idle_policy = IDLE_POLL;
	node->engine.options.incarnation = number;
	node->engine.workers = node->workers;
	node->blocks[0] = node->udp_counters;
	perf_check(region_table_init(&node->engine.regions, PERF_REGIONS) == 0, "no regions");
	perf_check(worker_create(&node->engine, 0, node->counters, node->region_counters,
				 &node->worker) == 0,
		   "no worker");
	node->workers[0] = node->worker;
	perf_transport(node, options);
	perf_memory(node, options->memory_bytes);
	perf_channel(node);
}

/* What an opened segment is: a peer, a view of its one buffer, and a handle. */
static void perf_node_see(struct perf_node *node, const struct perf_node *other)
{
	struct remote *remote = &node->engine.remotes.remotes[0];
	struct peer *peer = &node->engine.peers.peers[0];
	struct channel_handle *handle = &node->channel->handles[0];

	struct {
		struct haul_descriptor header;
		struct haul_descriptor_buffer buffer;
	} descriptor = { 0 };

	snprintf(peer->node, sizeof(peer->node), "%s", other->name);
	peer->incarnation = other->number;
	peer->references = 1;
	peer->ways[HAUL_TRANSPORT_UDP] = 1;
	peer->address_count =
		udp_ops.addresses(other->transport, peer->addresses, HAUL_DESCRIPTOR_ADDRESSES_MAX);
	descriptor.header.buffer_count = 1;
	descriptor.header.metadata_version = 1;
	descriptor.header.incarnation = other->number;
	descriptor.header.bytes = other->bytes;
	descriptor.header.number = PERF_SEGMENT;
	descriptor.header.rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
	grant_key_derive(perf_segment_key, descriptor.header.rights, descriptor.header.key);
	descriptor.buffer.length = other->bytes;
	descriptor.buffer.region = other->region;
	descriptor.buffer.rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
	descriptor.buffer.state = HAUL_BUFFER_ACTIVE;
	atomic_store(&remote->view, remote_view_make(&descriptor.header, 0));
	atomic_store(&remote->version_seen, 1);
	atomic_store(&remote->state, REMOTE_OPEN);
	handle->generation = 1;
	atomic_store(&handle->word, channel_handle_word(0, HAUL_RIGHT_READ | HAUL_RIGHT_WRITE, 1));
	node->remote = channel_handle_make(0, 1);
}

void perf_node_turn(struct perf_node *node)
{
	worker_round(node->worker, clock_sync_us());
}

void perf_node_control(struct perf_node *node)
{
	struct worker_request request;

	while (spsc_pop(&node->worker->requests, &request)) {
		const struct peer *peer = &node->engine.peers.peers[0];
		struct transport_peer whom = { .node = peer->node,
					       .incarnation = peer->incarnation,
					       .addresses = peer->addresses,
					       .address_count = peer->address_count,
					       .way = request.index % ENGINE_RAILS_MAX };

		if (request.kind == WORKER_CONNECT)
			udp_ops.connect(node->transport, 0, request.index, &whom);
	}
	udp_ops.control(node->transport, clock_now_us());
}

bool perf_node_submit(struct perf_node *node, enum haul_opcode opcode, uint64_t offset,
		      uint32_t length)
{
	struct haul_channel_header *header = node->channel->header;
	uint32_t tail = header->submission_tail.value;
	struct haul_entry *entry = &node->channel->entries[tail & (PERF_ENTRIES - 1)];

	if (tail - ring_load_acquire(&header->submission_head.value) >= PERF_ENTRIES)
		return false;
	*entry = (struct haul_entry){
		.opcode = (uint8_t)opcode,
		.user_data = offset,
		.local_region = haul_u48_make(node->region),
		.local_offset = haul_u48_make(offset),
		.remote_offset = haul_u48_make(offset),
		.length = length,
		.remote_segment = node->remote,
	};
	ring_store_release(&header->submission_tail.value, tail + 1);
	return true;
}

uint32_t perf_node_reap(struct perf_node *node)
{
	struct haul_channel_header *header = node->channel->header;
	uint32_t tail = ring_load_acquire(&header->completion_tail.value);
	uint32_t head = header->completion_head.value;
	uint32_t count = tail - head;

	for (; head != tail; head++)
		perf_check(node->channel->completions[head & (2 * PERF_ENTRIES - 1)].status ==
				   HAUL_OK,
			   "an operation failed");
	if (count > 0)
		ring_store_release(&header->completion_head.value, head);
	return count;
}

void perf_node_join(struct perf_node *a, struct perf_node *b,
		    const struct perf_node_options *options)
{
	uint64_t end_us = clock_now_us() + PERF_CONNECT_US;
	char path[sizeof(PERF_SOCKET) + 16];

	perf_eal();
	if (options->virtio == 0)
		perf_rings();
	perf_node_make(a, 1, options);
	perf_node_make(b, 2, options);
	perf_node_see(a, b);
	perf_node_see(b, a);
	perf_check(perf_node_submit(a, HAUL_OP_WRITE, 0, 1), "the ring is full");
	while (perf_node_reap(a) == 0) {
		perf_check(clock_now_us() < end_us, "the nodes do not connect");
		perf_node_turn(a);
		perf_node_turn(b);
		perf_node_control(a);
		perf_node_control(b);
	}
	/* Who is connected needs the name no more. */
	snprintf(path, sizeof(path), PERF_SOCKET, (int)getpid());
	unlink(path);
}
