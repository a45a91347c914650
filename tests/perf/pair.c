/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a packet costs: two whole workers with their engines and udp transports on one thread, over a pair of net_ring
 * ports, so that there is no wire in the figure. One writes 1 MiB after the other into the other's memory. Beside it, in
 * turn, stands what the two copies of the same bytes take alone: what cannot be saved. Times are the thread's own processor
 * time, which another load on the machine does not change much, and ticks of the time-stamp counter for so long. With
 * --wire vhost or virtio the ports are virtio-user and vhost, and that is where a WRITE goes: three copies, or two with
 * payload by reference (never with --copied). What daemons do in parallel then stands in one sum.
 *
 * Each round is one line, with numbers only but for the names of its columns' values:
 *
 *     ns=230.1 copy_ns=164.2 ticks=598.3 copy_ticks=427.0 beyond_ticks=171.3 packets=745654 again=0
 */
#include "base/check.h"
#include "base/clock.h"
#include "drivers/udp/frame.h"
#include "perf_node.h"
#include "rudp/rudp_types.h"

#include <rte_cycles.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Several times the last-level cache, so that each copy is cold. */
#define PAIR_MEMORY_BYTES (256u << 20)
#define PAIR_BYTES        (1u << 20)
#define PAIR_DEPTH        16u
#define PAIR_BUFFERS      256u
#define PAIR_BUFFER_BYTES 9216u

struct pair_options {
	struct perf_node_options node;
	uint32_t mib;
	uint32_t rounds;
	enum haul_opcode opcode;
};

static struct perf_node a;
static struct perf_node b;

static uint64_t pair_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t pair_packets(void)
{
	return a.udp_counters[UDP_RUDP_DATA_SENT] + b.udp_counters[UDP_RUDP_DATA_SENT];
}

/* Keep some operations under way until all bytes have been moved; returns the time that it took. */
static uint64_t pair_move(const struct pair_options *options)
{
	static uint64_t offset;
	uint64_t start_ns = pair_cpu_ns();
	uint32_t submitted = 0;
	uint32_t done = 0;

	while (done < options->mib) {
		while (submitted < options->mib && submitted - done < PAIR_DEPTH) {
			perf_node_submit(&a, options->opcode, offset, PAIR_BYTES);
			submitted++;
			offset = (offset + PAIR_BYTES) % options->node.memory_bytes;
		}
		perf_node_turn(&a);
		perf_node_turn(&b);
		done += perf_node_reap(&a);
	}
	return pair_cpu_ns() - start_ns;
}

/* The same bytes, the same sizes, copied into a buffer and out of it. */
static uint64_t pair_copy(const struct pair_options *options, uint64_t packets)
{
	static uint8_t buffers[PAIR_BUFFERS][PAIR_BUFFER_BYTES];
	static uint64_t offset;
	uint32_t bytes = options->node.mtu_bytes - FRAME_IP_UDP_BYTES - RUDP_DATA_HEADER_BYTES;
	uint64_t start_ns = pair_cpu_ns();

	for (uint64_t i = 0; i < packets; i++) {
		memcpy(buffers[i % PAIR_BUFFERS], a.memory + offset, bytes);
		memcpy(b.memory + offset, buffers[i % PAIR_BUFFERS], bytes);
		offset += bytes;
		if (offset + bytes > options->node.memory_bytes)
			offset = 0;
	}
	return pair_cpu_ns() - start_ns;
}

static void pair_round(const struct pair_options *options)
{
	double ticks_per_ns = (double)rte_get_tsc_hz() / 1e9;
	uint64_t again = a.udp_counters[UDP_RUDP_RETRANSMITTED];
	uint64_t packets = pair_packets();
	double ns = (double)pair_move(options);
	double copy_ns;

	packets = pair_packets() - packets;
	again = a.udp_counters[UDP_RUDP_RETRANSMITTED] - again;
	copy_ns = (double)pair_copy(options, packets) / (double)packets;
	ns /= (double)packets;
	printf("ns=%.1f copy_ns=%.1f ticks=%.1f copy_ticks=%.1f beyond_ticks=%.1f packets=%llu "
	       "again=%llu\n",
	       ns, copy_ns, ns * ticks_per_ns, copy_ns * ticks_per_ns,
	       (ns - copy_ns) * ticks_per_ns, (unsigned long long)packets,
	       (unsigned long long)again);
	fflush(stdout);
}

static bool pair_option(struct pair_options *options, int option, const char *value)
{
	switch (option) {
	case 'm':
		options->node.mtu_bytes = (uint32_t)strtoul(value, NULL, 10);
		return options->node.mtu_bytes >= 576 && options->node.mtu_bytes <= 9000;
	case 'n':
		options->mib = (uint32_t)strtoul(value, NULL, 10);
		return options->mib > 0;
	case 'r':
		options->rounds = (uint32_t)strtoul(value, NULL, 10);
		return true;
	case 'k':
		options->opcode = strcmp(value, "read") == 0 ? HAUL_OP_READ : HAUL_OP_WRITE;
		return true;
	case 'w':
		options->node.virtio = strcmp(value, "vhost") == 0    ? 1
				       : strcmp(value, "virtio") == 0 ? 2
								      : 0;
		return options->node.virtio != 0 || strcmp(value, "ring") == 0;
	case 'x':
		options->node.is_copied = true;
		return true;
	case 'c':
		options->node.payload_crc =
			strcmp(value, "always") == 0 ? UDP_CRC_ALWAYS : UDP_CRC_NEVER;
		return true;
	case 'h':
		options->node.memory_bytes = PAIR_BYTES * 2;
		return true;
	default:
		return false;
	}
}

static bool pair_options_parse(int argc, char **argv, struct pair_options *options)
{
	static const struct option table[] = { { "mtu", required_argument, NULL, 'm' },
					       { "mib", required_argument, NULL, 'n' },
					       { "rounds", required_argument, NULL, 'r' },
					       { "kind", required_argument, NULL, 'k' },
					       { "wire", required_argument, NULL, 'w' },
					       { "crc", required_argument, NULL, 'c' },
					       { "copied", no_argument, NULL, 'x' },
					       { "hot", no_argument, NULL, 'h' },
					       { NULL, 0, NULL, 0 } };
	int option;

	*options = (struct pair_options){ .node = { .mtu_bytes = 1500,
						    .memory_bytes = PAIR_MEMORY_BYTES },
					  .mib = 1024,
					  .rounds = 7,
					  .opcode = HAUL_OP_WRITE };
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) { /* NOLINT */
		if (!pair_option(options, option, optarg))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct pair_options options;
	struct pair_options warm_up;

	if (!pair_options_parse(argc, argv, &options)) {
		fprintf(stderr, "usage: pair [--mtu N] [--mib N] [--rounds N] [--kind write|read] "
				"[--hot]\n"
				"            [--wire ring|vhost|virtio] [--copied] [--crc "
				"always|never]\n");
		return 2;
	}
	perf_node_join(&a, &b, &options.node);
	warm_up = options;
	warm_up.mib = MIN(256, options.mib);
	pair_move(&warm_up);
	for (uint32_t round = 0; round < options.rounds; round++)
		pair_round(&options);
	return 0;
}
