/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The bare wire: what a pair of ports carries when there is no protocol at all.
 *
 * Two processes, as two daemons are, each with one port of the udp transport's own (drivers/udp/port.c: the same queues,
 * packet buffers and kind of memory) and one thread on a processor of its own. One copies payload out of memory that is
 * larger than the last-level cache into packets, the other copies it out of them into such memory, with the same hints
 * to the processor that haul gives; frames are what haul's are. The ratio of haul's own figure to this one is what its
 * protocol, its engine and its rings cost.
 *
 *     wire                                                   virtio-user and vhost
 *     wire --device-a net_af_packet0,iface=x --netns-a A --device-b net_af_packet0,iface=x --netns-b B
 *
 * Each round measures both directions and prints a line for each:
 *
 *     from=a mtu=1500 gbps=8.51 mpps=5.93 share_a=1.000 share_b=0.998 switches=1 is_disturbed=0
 *
 * A share is how much of its processor a side had; a round in which one had less than 0.98 of it, or ran elsewhere than
 * it should, is disturbed: it says more about the machine.
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/copy.h"
#include "base/log.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/frame.h"
#include "drivers/udp/opener.h"
#include "drivers/udp/port.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* Several times the last-level cache, so that each copy is cold. */
#define WIRE_MEMORY_BYTES (256u << 20)

/* What haul puts before the payload: rudp's header, behind those of Ethernet, IPv4 and UDP. */
#define WIRE_RUDP_BYTES 32u

/* Where datagrams begin in haul's packet buffers (drivers/udp/send.c), so that payloads stand on cache lines. */
#define WIRE_DATAGRAM_AT 160u

#define WIRE_UDP_PORT 7471u

/* Two processes that wait for each other's port. */
#define WIRE_READY_US UINT64_C(20000000)

/* Below this share of its processor a side was disturbed. */
#define WIRE_SHARE_MIN 0.98

/* Rounds of the loop between two looks at what the kernel did to it. */
#define WIRE_LOOK_TURNS 1024u

#define WIRE_SIDES 2u

struct wire_options {
	struct udp_port_conf ports[WIRE_SIDES];
	const char *netns[WIRE_SIDES]; /* NULL = this one */
	uint32_t cpus[WIRE_SIDES];
	uint32_t mtu_bytes;
	uint32_t rounds;
	uint32_t duration_ms;
	uint32_t packets;
	uint32_t huge_pages;
	char path[SOCKET_PATH_BYTES];
};

/* What a side tells while it runs. */
struct wire_report {
	_Atomic uint32_t is_ready; /* its port is up and linked */
	_Atomic uint64_t cpu_ns;
	_Atomic uint64_t switches;    /* taken off its processor */
	_Atomic uint32_t is_astray;   /* seen on another processor than its own */
	_Atomic uint64_t packets;     /* received in this round */
	_Atomic uint64_t bytes;       /* payload of them */
	uint8_t mac[FRAME_MAC_BYTES]; /* set before is_ready */
};

struct wire_shared {
	struct wire_report reports[WIRE_SIDES];
	_Atomic uint32_t round; /* that both shall be in: odd = a sends, 0 = nobody yet */
	_Atomic uint32_t is_ending;
};

struct wire {
	const struct wire_options *options;
	struct wire_shared *shared;
	uint32_t side;
	struct port port;
	struct frame_template template;
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
	if (wire->at + 2 * wire->payload_bytes > WIRE_MEMORY_BYTES)
		wire->at = 0;
	return here;
}

/* Bytes of memory behind a payload that stands in it. */
static uint64_t wire_beyond(const struct wire *wire, const uint8_t *payload)
{
	return WIRE_MEMORY_BYTES - (uint64_t)(payload - wire->memory) - wire->payload_bytes;
}

static void wire_fill(struct wire *wire, struct rte_mbuf *mbuf)
{
	uint8_t *datagram = (uint8_t *)mbuf->buf_addr + WIRE_DATAGRAM_AT;
	uint32_t bytes = WIRE_RUDP_BYTES + wire->payload_bytes;
	const uint8_t *source = wire_next(wire);

	memset(datagram, 0, WIRE_RUDP_BYTES);
	copy_from(datagram + WIRE_RUDP_BYTES, source, wire->payload_bytes,
		  wire_beyond(wire, source));
	frame_finish(&wire->template, datagram, bytes);
	mbuf->data_off = (uint16_t)(WIRE_DATAGRAM_AT - wire->template.header_bytes);
	mbuf->data_len = (uint16_t)(wire->template.header_bytes + bytes);
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
	uint32_t header = wire->template.header_bytes + WIRE_RUDP_BYTES;
	uint16_t count = rte_eth_rx_burst(wire->port.id, 0, mbufs, PORT_BURST);

	if (count > 0)
		rte_prefetch0(rte_pktmbuf_mtod(mbufs[0], void *));
	for (uint16_t i = 0; i < count; i++) {
		uint8_t *target;

		if (i + 1 < count)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + 1], void *));
		if (mbufs[i]->data_len != header + wire->payload_bytes)
			continue;
		target = wire_next(wire);
		copy_into(target, rte_pktmbuf_mtod(mbufs[i], uint8_t *) + header,
			  wire->payload_bytes, wire_beyond(wire, target));
		*bytes += wire->payload_bytes;
	}
	rte_pktmbuf_free_bulk(mbufs, count);
	return count;
}

/* What the kernel did to this thread meanwhile. */
static void wire_look(const struct wire *wire)
{
	struct wire_report *report = &wire->shared->reports[wire->side];
	struct timespec cpu;
	struct rusage usage;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
	getrusage(RUSAGE_THREAD, &usage);
	atomic_store(&report->cpu_ns,
		     (uint64_t)cpu.tv_sec * CLOCK_NS_PER_S + (uint64_t)cpu.tv_nsec);
	atomic_store(&report->switches, (uint64_t)usage.ru_nivcsw);
	if (sched_getcpu() != (int)wire->options->cpus[wire->side])
		atomic_store(&report->is_astray, 1);
}

/* One side's part of a round, until the next begins. */
static void wire_round(struct wire *wire, uint32_t round)
{
	struct wire_report *report = &wire->shared->reports[wire->side];
	bool is_sender = (round & 1) == (wire->side == 0 ? 1 : 0);
	uint64_t bytes = 0;
	uint64_t packets = 0;
	uint32_t turns = 0;

	while (atomic_load_explicit(&wire->shared->round, memory_order_relaxed) == round) {
		if (++turns % WIRE_LOOK_TURNS == 0)
			wire_look(wire);
		if (is_sender && round > 0) {
			wire_send(wire);
			continue;
		}
		packets += wire_receive(wire, &bytes);
		atomic_store_explicit(&report->packets, packets, memory_order_relaxed);
		atomic_store_explicit(&report->bytes, bytes, memory_order_relaxed);
	}
}

static int wire_enter(const char *netns)
{
	char path[64];
	int error = 0;
	int fd;

	if (netns == NULL)
		return 0;
	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) != 0)
		error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static bool wire_has_link(struct wire *wire)
{
	uint64_t end_us = clock_now_us() + WIRE_READY_US;
	char reason[OPENER_REASON_BYTES];

	while (port_state(&wire->port) != PORT_UP ||
	       !port_look_at_link(&wire->port, clock_now_us())) {
		if (opener_failures(&wire->port, reason) > 0) {
			log_error("wire", "%s: %s", wire->port.conf->name, reason);
			return false;
		}
		if (clock_now_us() > end_us) {
			log_error("wire", "%s: no link", wire->port.conf->name);
			return false;
		}
		usleep(1000);
	}
	return true;
}

static int wire_open(struct wire *wire)
{
	const struct wire_options *options = wire->options;
	const struct udp_port_conf *conf = &options->ports[wire->side];
	struct eal_options eal = { .node = conf->name, .huge_pages = options->huge_pages };
	int error = wire_enter(options->netns[wire->side]);

	wire->port.worker_count = 1;
	eal.memory_mb = 64 + (uint32_t)(port_memory_bytes(conf, options->packets) * 5 / 4 >> 20);
	if (error == 0)
		error = eal_start(&eal);
	if (error == 0)
		error = port_open(&wire->port, conf, options->packets, -1);
	if (error != 0)
		return error;
	eal_thread_enter();
	return wire_has_link(wire) ? 0 : -EIO;
}

static void wire_address(struct wire *wire)
{
	const struct wire_report *other = &wire->shared->reports[1 - wire->side];
	struct frame_path path = { .source_mac = wire->port.mac,
				   .target_mac = other->mac,
				   .source = wire->port.addresses[PORT_IPV4].ip,
				   .target = wire->port.addresses[PORT_IPV4].ip,
				   .source_port = WIRE_UDP_PORT,
				   .target_port = WIRE_UDP_PORT,
				   .sum = wire->port.sum };

	path.target.bytes[3] = (uint8_t)(2 - wire->side);
	frame_template_make(&wire->template, &path);
}

/* As a segment's memory is: shared, and there from the start. */
static bool wire_memory(struct wire *wire)
{
	void *memory = mmap(NULL, WIRE_MEMORY_BYTES, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (memory == MAP_FAILED)
		return false;
	wire->memory = memory;
	memset(memory, (int)wire->side + 1, WIRE_MEMORY_BYTES);
	return true;
}

static bool wire_pin(const struct wire *wire)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(wire->options->cpus[wire->side], &set);
	return sched_setaffinity(0, sizeof(set), &set) == 0;
}

/* Ready, and then until the other is: the first packet needs the other's MAC. */
static void wire_meet(struct wire *wire)
{
	struct wire_shared *shared = wire->shared;

	memcpy(shared->reports[wire->side].mac, wire->port.mac, FRAME_MAC_BYTES);
	atomic_store(&shared->reports[wire->side].is_ready, 1);
	while (atomic_load(&shared->reports[1 - wire->side].is_ready) == 0 &&
	       atomic_load(&shared->is_ending) == 0)
		usleep(1000);
	wire_address(wire);
}

static int wire_side(const struct wire_options *options, struct wire_shared *shared, uint32_t side)
{
	struct wire wire = { .options = options, .shared = shared, .side = side };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wire.payload_bytes = options->mtu_bytes - FRAME_IP_UDP_BYTES - WIRE_RUDP_BYTES;
	if (wire_open(&wire) != 0 || !wire_memory(&wire) || !wire_pin(&wire))
		return EXIT_FAILURE;
	wire_meet(&wire);
	while (atomic_load(&shared->is_ending) == 0)
		wire_round(&wire, atomic_load(&shared->round));
	rte_pktmbuf_free_bulk(wire.waiting + wire.waiting_first, wire.waiting_count);
	port_close(&wire.port);
	eal_stop();
	return EXIT_SUCCESS;
}

static bool wire_wait_ready(struct wire_shared *shared)
{
	uint64_t end_us = clock_now_us() + WIRE_READY_US;

	for (uint32_t side = 0; side < WIRE_SIDES; side++) {
		while (atomic_load(&shared->reports[side].is_ready) == 0) {
			int status;

			if (clock_now_us() > end_us || waitpid(-1, &status, WNOHANG) != 0)
				return false;
			usleep(1000);
		}
	}
	return true;
}

/* What both sides have told up to now. */
struct wire_sample {
	uint64_t ns;
	uint64_t cpu_ns[WIRE_SIDES];
	uint64_t switches;
	uint64_t bytes;
	uint64_t packets;
};

static struct wire_sample wire_sample(struct wire_shared *shared, uint32_t receiver)
{
	struct wire_sample sample = { .ns = clock_now_ns() };

	for (uint32_t side = 0; side < WIRE_SIDES; side++) {
		sample.cpu_ns[side] = atomic_load(&shared->reports[side].cpu_ns);
		sample.switches += atomic_load(&shared->reports[side].switches);
	}
	sample.bytes = atomic_load(&shared->reports[receiver].bytes);
	sample.packets = atomic_load(&shared->reports[receiver].packets);
	return sample;
}

static void wire_print(const struct wire_options *options, struct wire_shared *shared,
		       const struct wire_sample *from, const struct wire_sample *to,
		       uint32_t sender)
{
	double ns = (double)(to->ns - from->ns);
	double shares[WIRE_SIDES];
	bool is_disturbed = false;

	for (uint32_t side = 0; side < WIRE_SIDES; side++) {
		shares[side] = (double)(to->cpu_ns[side] - from->cpu_ns[side]) / ns;
		is_disturbed |= shares[side] < WIRE_SHARE_MIN ||
				atomic_exchange(&shared->reports[side].is_astray, 0) != 0;
	}
	printf("from=%c mtu=%u gbps=%.3f mpps=%.3f share_a=%.3f share_b=%.3f switches=%llu "
	       "is_disturbed=%d\n",
	       'a' + (int)sender, options->mtu_bytes, (double)(to->bytes - from->bytes) / ns,
	       (double)(to->packets - from->packets) / ns * 1e3, shares[0], shares[1],
	       (unsigned long long)(to->switches - from->switches), is_disturbed);
	fflush(stdout);
}

static void wire_measure(const struct wire_options *options, struct wire_shared *shared)
{
	for (uint32_t round = 1; round <= 2 * options->rounds; round++) {
		uint32_t sender = 1 - (round & 1);
		struct wire_sample from;
		struct wire_sample to;

		atomic_store(&shared->round, round);
		usleep(200000); /* warm-up, and the last packets of the round before */
		from = wire_sample(shared, 1 - sender);
		usleep(options->duration_ms * 1000);
		to = wire_sample(shared, 1 - sender);
		wire_print(options, shared, &from, &to, sender);
	}
}

static bool wire_number(uint32_t *number_out, const char *text, uint32_t least, uint32_t most)
{
	*number_out = (uint32_t)strtoul(text, NULL, 10);
	return *number_out >= least && *number_out <= most;
}

static bool wire_option(struct wire_options *options, int option, const char *value)
{
	switch (option) {
	case 'm':
		return wire_number(&options->mtu_bytes, value, 576, 9000);
	case 'r':
		return wire_number(&options->rounds, value, 1, 1000);
	case 'd':
		return wire_number(&options->duration_ms, value, 10, 60000);
	case 'p':
		return wire_number(&options->packets, value, 1024, 1u << 20);
	case 'c':
		return sscanf(value, "%u,%u", &options->cpus[0], &options->cpus[1]) ==
		       2; /* NOLINT */
	case 'n':
		options->huge_pages = UDP_HUGE_PAGES_OFF;
		return true;
	case 'A':
	case 'B':
		snprintf(options->ports[option - 'A'].device, UDP_DEVICE_BYTES, "%s", value);
		return true;
	case 'X':
	case 'Y':
		options->netns[option - 'X'] = value;
		return true;
	default:
		return false;
	}
}

/* Ports as a cluster on one host has them (tools/cluster.sh). */
static void wire_defaults(struct wire_options *options)
{
	struct udp_conf conf;

	conf_defaults(&udp_conf_table, &conf);
	*options = (struct wire_options){ .mtu_bytes = 1500,
					  .rounds = 7,
					  .duration_ms = 1000,
					  .packets = conf.mempool_packets,
					  .cpus = { 0, 1 } };
	snprintf(options->path, sizeof(options->path), "/tmp/bare-wire-%d.sock", (int)getpid());
	snprintf(options->ports[0].device, UDP_DEVICE_BYTES,
		 "net_virtio_user0,path=%s,server=1,queue_size=1024", options->path);
	snprintf(options->ports[1].device, UDP_DEVICE_BYTES, "net_vhost0,iface=%s,client=1",
		 options->path);
}

static bool wire_options_parse(int argc, char **argv, struct wire_options *options)
{
	static const struct option table[] = { { "mtu", required_argument, NULL, 'm' },
					       { "rounds", required_argument, NULL, 'r' },
					       { "duration-ms", required_argument, NULL, 'd' },
					       { "packets", required_argument, NULL, 'p' },
					       { "cpus", required_argument, NULL, 'c' },
					       { "no-huge", no_argument, NULL, 'n' },
					       { "device-a", required_argument, NULL, 'A' },
					       { "device-b", required_argument, NULL, 'B' },
					       { "netns-a", required_argument, NULL, 'X' },
					       { "netns-b", required_argument, NULL, 'Y' },
					       { NULL, 0, NULL, 0 } };
	int option;

	wire_defaults(options);
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) { /* NOLINT */
		if (!wire_option(options, option, optarg))
			return false;
	}
	for (uint32_t side = 0; side < WIRE_SIDES; side++) {
		struct udp_port_conf *conf = &options->ports[side];

		snprintf(conf->name, sizeof(conf->name), "wire-%c", 'a' + (int)side);
		snprintf(conf->address, sizeof(conf->address), "10.0.0.%u/24", side + 1);
		conf->mtu_bytes = options->mtu_bytes;
		conf->queues = 1;
	}
	return true;
}

static void wire_end(struct wire_shared *shared, const pid_t *pids, bool is_good)
{
	atomic_store(&shared->is_ending, 1);
	atomic_fetch_add(&shared->round, 1);
	for (uint32_t side = 0; side < WIRE_SIDES; side++) {
		if (!is_good && pids[side] > 0)
			kill(pids[side], SIGKILL);
		if (pids[side] > 0)
			waitpid(pids[side], NULL, 0);
	}
}

int main(int argc, char **argv)
{
	struct wire_options options;
	struct wire_shared *shared;
	pid_t pids[WIRE_SIDES];
	bool is_good;

	if (!wire_options_parse(argc, argv, &options)) {
		fprintf(stderr,
			"usage: wire [--mtu N] [--rounds N] [--duration-ms N] [--packets N] "
			"[--cpus A,B] [--no-huge]\n"
			"            [--device-a DEVICE --device-b DEVICE] [--netns-a NAME] "
			"[--netns-b NAME]\n");
		return 2;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	for (uint32_t side = 0; side < WIRE_SIDES; side++) {
		pids[side] = fork();
		if (pids[side] == 0)
			_exit(wire_side(&options, shared, side));
	}
	is_good = wire_wait_ready(shared);
	if (is_good)
		wire_measure(&options, shared);
	wire_end(shared, pids, is_good);
	unlink(options.path);
	return is_good ? 0 : 1;
}
