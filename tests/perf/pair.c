/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a packet costs: two udp transports in one process and on one thread, over a pair of net_ring ports, so that
 * there is no wire in the figure. One writes slices of 1 MiB into the other's memory. Times are the thread's own
 * processor time, which another load on the machine does not change much; beside them stands what the two copies of the
 * same bytes take alone.
 *
 *     pair --mtu 1500 --mib 2048 --kind write
 */
#include "base/clock.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/udp.h"
#include "unit/udp_node.h"

#include <rte_eth_ring.h>
#include <rte_ring.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

/* Several times the last-level cache, so that each copy is cold. */
#define PAIR_MEMORY_BYTES (256u << 20)
#define PAIR_SLICE_BYTES  (1u << 20)
#define PAIR_SLICES       16u
#define PAIR_RING_PACKETS 1024u
#define PAIR_PACKETS      4096u

struct pair_options {
	uint32_t mtu_bytes;
	uint32_t mib;
	enum slice_kind kind;
	uint32_t memory_bytes;
};

static struct udp_node a;
static struct udp_node b;

static uint64_t pair_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void pair_turn(void)
{
	udp_node_turn(&a);
	udp_node_turn(&b);
}

static int pair_open(const struct pair_options *options)
{
	struct eal_options eal = { .node = "pair",
				   .memory_mb = 256,
				   .huge_pages = UDP_HUGE_PAGES_AUTO };
	struct rte_ring *to_a;
	struct rte_ring *to_b;
	struct udp_node *nodes[] = { &a, &b };

	if (eal_start(&eal) != 0)
		return -1;
	to_a = rte_ring_create("to_a", PAIR_RING_PACKETS, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	to_b = rte_ring_create("to_b", PAIR_RING_PACKETS, 0, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (to_a == NULL || to_b == NULL || rte_eth_from_rings("a", &to_a, 1, &to_b, 1, 0) < 0 ||
	    rte_eth_from_rings("b", &to_b, 1, &to_a, 1, 0) < 0)
		return -1;
	udp_node_init(&a, "a", "net_ring_a", "10.0.0.1/24");
	udp_node_init(&b, "b", "net_ring_b", "10.0.0.2/24");
	for (int i = 0; i < 2; i++) {
		nodes[i]->conf.ports[0].mtu_bytes = options->mtu_bytes;
		nodes[i]->conf.mempool_packets = PAIR_PACKETS;
		nodes[i]->worker.bytes = options->memory_bytes;
		nodes[i]->worker.memory = mmap(NULL, options->memory_bytes, PROT_READ | PROT_WRITE,
					       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
		if (nodes[i]->worker.memory == MAP_FAILED ||
		    udp_node_open(nodes[i], (uint64_t)i + 1) != 0)
			return -1;
		memset(nodes[i]->worker.memory, i + 1, options->memory_bytes);
	}
	return 0;
}

static void pair_connect(void)
{
	while (a.worker.rail != RAIL_UP) {
		uint32_t news = a.worker.rail_news;

		udp_node_connect(&a, "b", b.incarnation, "10.0.0.2");
		while (a.worker.rail_news == news)
			pair_turn();
	}
}

/* Keep some slices under way until all bytes have been moved. */
static void pair_move(const struct pair_options *options)
{
	static struct slice slices[PAIR_SLICES];
	uint32_t first = a.worker.done;
	uint32_t posted = first;
	uint64_t offset = 0;

	while (a.worker.done - first < options->mib) {
		while (posted - first < options->mib && posted - a.worker.done < PAIR_SLICES &&
		       udp_node_post(&a, &slices[posted % PAIR_SLICES], options->kind, offset,
				     PAIR_SLICE_BYTES)) {
			posted++;
			offset = (offset + PAIR_SLICE_BYTES) % options->memory_bytes;
		}
		/* The control threads have nothing to do, and would have a processor of their own. */
		udp_node_turn_worker(&a);
		udp_node_turn_worker(&b);
	}
}

/* The same bytes, the same sizes, copied into a buffer and out of it: what cannot be saved. */
static uint64_t pair_copy_ns(const struct pair_options *options, uint32_t payload_bytes)
{
	static uint8_t buffers[256][9216];
	uint64_t packets = ((uint64_t)options->mib << 20) / payload_bytes;
	uint64_t start_ns = pair_cpu_ns();
	uint64_t offset = 0;

	for (uint64_t i = 0; i < packets; i++) {
		memcpy(buffers[i % 256], a.worker.memory + offset, payload_bytes);
		memcpy(b.worker.memory + offset, buffers[i % 256], payload_bytes);
		offset += payload_bytes;
		if (offset + payload_bytes > options->memory_bytes)
			offset = 0;
	}
	return (pair_cpu_ns() - start_ns) / packets;
}

static bool pair_options_parse(int argc, char **argv, struct pair_options *options)
{
	static const struct option table[] = { { "mtu", required_argument, NULL, 'm' },
					       { "mib", required_argument, NULL, 'n' },
					       { "kind", required_argument, NULL, 'k' },
					       { "hot", no_argument, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int option;

	*options = (struct pair_options){ .mtu_bytes = 1500,
					  .mib = 2048,
					  .kind = SLICE_WRITE,
					  .memory_bytes = PAIR_MEMORY_BYTES };
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) { /* NOLINT */
		if (option == 'm')
			options->mtu_bytes = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'n')
			options->mib = (uint32_t)strtoul(optarg, NULL, 10);
		else if (option == 'k')
			options->kind = strcmp(optarg, "read") == 0 ? SLICE_READ : SLICE_WRITE;
		else if (option == 'h')
			options->memory_bytes = PAIR_SLICE_BYTES * 2;
		else
			return false;
	}
	return options->mib > 0;
}

int main(int argc, char **argv)
{
	struct pair_options options;
	uint64_t start_ns;
	uint64_t packets;
	uint64_t cpu_ns;
	uint64_t copy_ns;

	if (!pair_options_parse(argc, argv, &options)) {
		fprintf(stderr, "usage: pair [--mtu N] [--mib N] [--kind write|read] [--hot]\n");
		return 2;
	}
	if (pair_open(&options) != 0)
		return 1;
	pair_connect();
	packets = a.counters[UDP_RUDP_DATA_SENT] + b.counters[UDP_RUDP_DATA_SENT];
	start_ns = pair_cpu_ns();
	pair_move(&options);
	cpu_ns = pair_cpu_ns() - start_ns;
	packets = a.counters[UDP_RUDP_DATA_SENT] + b.counters[UDP_RUDP_DATA_SENT] - packets;
	copy_ns = pair_copy_ns(&options,
			       options.mtu_bytes - FRAME_IP_UDP_BYTES - RUDP_DATA_HEADER_BYTES);
	printf("mtu %u  %.3f GB/s  %llu ns a packet, %llu of it the copies  "
	       "%llu packets, %llu sent again, %llu control\n",
	       options.mtu_bytes, (double)options.mib * (1 << 20) / (double)cpu_ns,
	       (unsigned long long)(cpu_ns / packets), (unsigned long long)copy_ns,
	       (unsigned long long)packets,
	       (unsigned long long)(a.counters[UDP_RUDP_RETRANSMITTED] +
				    b.counters[UDP_RUDP_RETRANSMITTED]),
	       (unsigned long long)(a.counters[UDP_RUDP_CONTROL_SENT] +
				    b.counters[UDP_RUDP_CONTROL_SENT]));
	return a.worker.refused == 0 ? 0 : 1;
}
