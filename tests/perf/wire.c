/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bare wire: what a pair of ports carries when there is no protocol at all.
 *
 * Two processes, each with one port of the udp transport's own (drivers/udp/port.c: the same queues and packet
 * buffers) on a processor of its own. One copies payload out of memory that is larger than the last-level cache into
 * packets, the other copies it out of them into such memory; frames have the size that haul's have. Each round takes
 * --seconds and prints one line; sides change with every direction. The ratio of haul's own figure to this one is what
 * its protocol, its engine and its rings cost.
 *
 *     wire --mtu 1500 --rounds 7 --seconds 1
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/frame.h"
#include "drivers/udp/port.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Several times the last-level cache, so that each copy is cold. */
#define WIRE_MEMORY_BYTES (256u << 20)

/* What haul puts before the payload: rudp's header, behind those of Ethernet, IPv4 and UDP. */
#define WIRE_RUDP_BYTES 32u

/* Two processes that wait for each other's port. */
#define WIRE_READY_US UINT64_C(20000000)

enum wire_side {
	WIRE_VIRTIO = 0,
	WIRE_VHOST = 1,
};

static const char *const wire_names[] = { "virtio-user", "vhost" };

struct wire_options {
	uint32_t mtu_bytes;
	uint32_t rounds;
	uint32_t seconds;
	uint32_t packets;
	uint32_t huge_pages;
	char path[SOCKET_PATH_BYTES];
};

/* Shared by the processes. */
struct wire_shared {
	_Atomic uint32_t ready;     /* sides whose port is up and linked */
	_Atomic uint32_t round;     /* the round that both shall be in; odd = virtio sends */
	_Atomic uint32_t is_ending; /* no more rounds */
	_Atomic uint64_t packets;   /* received in this round */
	_Atomic uint64_t bytes;     /* payload received in this round */
};

struct wire {
	const struct wire_options *options;
	struct wire_shared *shared;
	enum wire_side side;
	struct udp_port_conf conf;
	struct port port;
	uint8_t *memory;
	uint64_t at; /* where in memory the next payload stands */
	uint32_t payload_bytes;
	struct rte_mbuf *waiting[PORT_BURST]; /* made, and not yet taken by the port */
	uint32_t waiting_first;
	uint32_t waiting_count;
};

static uint8_t *wire_next(struct wire *wire)
{
	uint8_t *here = wire->memory + wire->at;

	wire->at += wire->payload_bytes;
	if (wire->at + wire->payload_bytes > WIRE_MEMORY_BYTES)
		wire->at = 0;
	return here;
}

static void wire_fill(struct wire *wire, struct rte_mbuf *mbuf)
{
	uint32_t header = FRAME_HEADER_BYTES + WIRE_RUDP_BYTES;
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

	memset(frame, 0xff, FRAME_MAC_BYTES);
	memcpy(frame + header, wire_next(wire), wire->payload_bytes);
	mbuf->data_len = (uint16_t)(header + wire->payload_bytes);
	mbuf->pkt_len = mbuf->data_len;
}

static void wire_send(struct wire *wire)
{
	uint16_t sent;

	if (wire->waiting_count == 0) {
		if (rte_pktmbuf_alloc_bulk(wire->port.pool, wire->waiting, PORT_BURST) != 0)
			return;
		for (uint32_t i = 0; i < PORT_BURST; i++)
			wire_fill(wire, wire->waiting[i]);
		wire->waiting_first = 0;
		wire->waiting_count = PORT_BURST;
	}
	sent = rte_eth_tx_burst(wire->port.id, 0, wire->waiting + wire->waiting_first,
				(uint16_t)wire->waiting_count);
	wire->waiting_first += sent;
	wire->waiting_count -= sent;
}

static uint32_t wire_receive(struct wire *wire, uint64_t *bytes)
{
	struct rte_mbuf *mbufs[PORT_BURST];
	uint32_t header = FRAME_HEADER_BYTES + WIRE_RUDP_BYTES;
	uint16_t count = rte_eth_rx_burst(wire->port.id, 0, mbufs, PORT_BURST);

	for (uint16_t i = 0; i < count; i++) {
		if (i + 1 < count)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + 1], void *));
		if (mbufs[i]->data_len == header + wire->payload_bytes) {
			memcpy(wire_next(wire), rte_pktmbuf_mtod(mbufs[i], uint8_t *) + header,
			       wire->payload_bytes);
			*bytes += wire->payload_bytes;
		}
	}
	rte_pktmbuf_free_bulk(mbufs, count);
	return count;
}

/* One side's part of a round, until the next begins. */
static void wire_round(struct wire *wire, uint32_t round)
{
	bool is_sender = (round & 1) == (wire->side == WIRE_VIRTIO ? 1 : 0);
	uint64_t bytes = 0;
	uint64_t packets = 0;

	while (atomic_load(&wire->shared->round) == round) {
		if (is_sender) {
			wire_send(wire);
			continue;
		}
		packets += wire_receive(wire, &bytes);
		atomic_store_explicit(&wire->shared->packets, packets, memory_order_relaxed);
		atomic_store_explicit(&wire->shared->bytes, bytes, memory_order_relaxed);
	}
}

static int wire_open(struct wire *wire)
{
	const struct wire_options *options = wire->options;
	struct eal_options eal = { .node = wire_names[wire->side],
				   .huge_pages = options->huge_pages };
	uint64_t start_us = clock_now_us();
	char reason[OPENER_REASON_BYTES];

	snprintf(wire->conf.name, sizeof(wire->conf.name), "%s", wire_names[wire->side]);
	snprintf(wire->conf.address, sizeof(wire->conf.address), "10.0.0.%d/24",
		 (int)wire->side + 1);
	snprintf(wire->conf.device, sizeof(wire->conf.device),
		 wire->side == WIRE_VIRTIO ? "net_virtio_user0,path=%s,server=1,queues=1"
					   : "net_vhost0,iface=%s,client=1,queues=1",
		 options->path);
	wire->conf.mtu_bytes = options->mtu_bytes;
	wire->conf.queues = 1;
	eal.memory_mb =
		64 + (uint32_t)(port_memory_bytes(&wire->conf, options->packets) * 5 / 4 >> 20);
	if (eal_start(&eal) != 0 || port_open(&wire->port, &wire->conf, options->packets, -1) != 0)
		return -EIO;
	eal_thread_enter();
	while (port_state(&wire->port) != PORT_UP ||
	       !port_look_at_link(&wire->port, clock_now_us())) {
		if (opener_failures(&wire->port, reason) > 0) {
			log_error("wire", "%s: %s", wire->conf.name, reason);
			return -EIO;
		}
		if (clock_now_us() > start_us + WIRE_READY_US)
			return -ETIMEDOUT;
		usleep(1000);
	}
	return 0;
}

static int wire_side(const struct wire_options *options, struct wire_shared *shared,
		     enum wire_side side)
{
	struct wire wire = { .options = options, .shared = shared, .side = side };
	uint32_t round = 0;
	void *memory;
	cpu_set_t set;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (wire_open(&wire) != 0)
		return 1;
	CPU_ZERO(&set);
	CPU_SET((unsigned int)side % (unsigned int)sysconf(_SC_NPROCESSORS_ONLN), &set);
	sched_setaffinity(0, sizeof(set), &set);
	wire.payload_bytes = options->mtu_bytes - FRAME_IP_UDP_BYTES - WIRE_RUDP_BYTES;
	memory = mmap(NULL, WIRE_MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		      -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	wire.memory = memory;
	memset(wire.memory, (int)side + 1, WIRE_MEMORY_BYTES);
	atomic_fetch_add(&shared->ready, 1);
	while (atomic_load(&shared->is_ending) == 0) {
		wire_round(&wire, round);
		round = atomic_load(&shared->round);
	}
	rte_pktmbuf_free_bulk(wire.waiting + wire.waiting_first, wire.waiting_count);
	port_close(&wire.port);
	eal_stop();
	return 0;
}

static bool wire_wait_ready(struct wire_shared *shared)
{
	uint64_t start_us = clock_now_us();

	while (atomic_load(&shared->ready) < 2) {
		int status;

		if (clock_now_us() > start_us + WIRE_READY_US || waitpid(-1, &status, WNOHANG) != 0)
			return false;
		usleep(1000);
	}
	return true;
}

static void wire_measure(const struct wire_options *options, struct wire_shared *shared)
{
	for (uint32_t round = 1; round <= 2 * options->rounds; round++) {
		uint64_t start_ns;
		uint64_t bytes;
		uint64_t packets;
		double seconds;

		atomic_store(&shared->round, round);
		usleep(100000); /* warm-up, and the last packets of the round before */
		start_ns = clock_now_ns();
		bytes = atomic_load(&shared->bytes);
		packets = atomic_load(&shared->packets);
		usleep(options->seconds * 1000000);
		bytes = atomic_load(&shared->bytes) - bytes;
		packets = atomic_load(&shared->packets) - packets;
		seconds = (double)(clock_now_ns() - start_ns) / 1e9;
		printf("%s -> %s  mtu %u  round %u  %.3f GB/s  %.3f Mpps\n",
		       wire_names[(round & 1) == 0], wire_names[(round & 1) == 1],
		       options->mtu_bytes, (round + 1) / 2, (double)bytes / seconds / 1e9,
		       (double)packets / seconds / 1e6);
		fflush(stdout);
	}
}

static bool wire_options_parse(int argc, char **argv, struct wire_options *options)
{
	static const struct option table[] = { { "mtu", required_argument, NULL, 'm' },
					       { "rounds", required_argument, NULL, 'r' },
					       { "seconds", required_argument, NULL, 's' },
					       { "packets", required_argument, NULL, 'p' },
					       { "no-huge", no_argument, NULL, 'n' },
					       { NULL, 0, NULL, 0 } };
	int option;

	*options = (struct wire_options){
		.mtu_bytes = 1500, .rounds = 7, .seconds = 1, .packets = 4096
	};
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) { /* NOLINT */
		uint32_t value = optarg != NULL ? (uint32_t)strtoul(optarg, NULL, 10) : 0;

		if (option == 'm')
			options->mtu_bytes = value;
		else if (option == 'r')
			options->rounds = value;
		else if (option == 's')
			options->seconds = value;
		else if (option == 'p')
			options->packets = value;
		else if (option == 'n')
			options->huge_pages = UDP_HUGE_PAGES_OFF;
		else
			return false;
	}
	return options->mtu_bytes >= 576 && options->mtu_bytes <= 9000 && options->seconds > 0;
}

int main(int argc, char **argv)
{
	struct wire_options options;
	struct wire_shared *shared;
	pid_t pids[2];
	bool is_good;

	if (!wire_options_parse(argc, argv, &options)) {
		fprintf(stderr, "usage: wire [--mtu N] [--rounds N] [--seconds N] [--packets N] "
				"[--no-huge]\n");
		return 2;
	}
	snprintf(options.path, sizeof(options.path), "/tmp/haul-wire-%d.sock", (int)getpid());
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	for (int side = 0; side < 2; side++) {
		pids[side] = fork();
		if (pids[side] == 0)
			_exit(wire_side(&options, shared, (enum wire_side)side));
	}
	is_good = wire_wait_ready(shared);
	if (is_good)
		wire_measure(&options, shared);
	atomic_store(&shared->is_ending, 1);
	atomic_store(&shared->round, 2 * options.rounds + 1);
	for (int side = 0; side < 2; side++) {
		if (!is_good && pids[side] > 0)
			kill(pids[side], SIGKILL);
		if (pids[side] > 0)
			waitpid(pids[side], NULL, 0);
	}
	unlink(options.path);
	return is_good ? 0 : 1;
}
