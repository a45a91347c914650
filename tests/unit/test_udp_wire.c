/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: net_virtio_user (server) and net_vhost (client) carry the udp transport between two processes without huge
 * pages, and either may be killed and started again: the other one stays, and data moves again.
 * Method: a node a process, forked before EAL starts; each node's memory is shared with this test, which asks for
 * copies, kills with SIGKILL, starts anew and compares the bytes. Payload goes by reference from vhost: to memory that is
 * taken away, too, and to a port that does not take it.
 */
#include "base/clock.h"
#include "base/fault.h"
#include "drivers/udp/worker.h"
#include "udp_node.h"
#include "unit.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define MEMORY_BYTES (4u << 20)
#define SLICE_BYTES  (2u << 20)
#define PACKET_BYTES 8192u
#define PATIENCE_US  UINT64_C(20000000)

enum side {
	VIRTIO = 0,
	VHOST = 1,
};

/* One node's part of the memory that all processes share. */
struct board {
	atomic_uint is_open;      /* the transport is open */
	atomic_uint asked;        /* test: copies asked for */
	atomic_uint done;         /* node: copies done */
	atomic_ulong incarnation; /* of the node that runs */
	atomic_uint faults;       /* node: slices that ended with FAULT */
	atomic_ulong referred;    /* node: packets whose payload went by reference */
	atomic_ulong unreferred;  /* node: of those, copied after all */
	atomic_uint to_refuse;    /* test: loans that the node is to be refused */
	atomic_uint spares_most;  /* node: packet buffers it had in advance after one, at most */
	uint8_t memory[MEMORY_BYTES];
};

static struct board *boards;
static pid_t pids[2];
static unsigned long incarnation_next = 1;
static uint32_t mtu_bytes = 1500;
static uint32_t by_reference = UDP_BY_REFERENCE_AUTO;
static uint32_t window_packets = 256;
static int file = -1; /* of the memory of nodes that start; -1 = the board's */
static char path[64];

static const char *const names[] = { "virtio", "vhost" };
static const char *const addresses[] = { "10.0.0.1", "10.0.0.2" };

static void node_tell(const struct udp_node *node, struct board *board)
{
	atomic_store(&board->referred, node->counters[UDP_OUT_BY_REFERENCE]);
	atomic_store(&board->unreferred, node->counters[UDP_OUT_UNREFERRED]);
	atomic_store(&board->faults, node->worker.status == HAUL_FAULT ? node->worker.refused : 0);
}

/* One copy of the node's memory into its peer's, over as many connections as it takes. */
static void node_copy(struct udp_node *node, enum side side)
{
	enum side other = side == VIRTIO ? VHOST : VIRTIO;
	struct slice slices[2];
	uint32_t refused;

	do {
		uint32_t done = node->worker.done;

		if (node->worker.rail == RAIL_DOWN) {
			uint32_t news = node->worker.rail_news;

			udp_node_connect(node, names[other],
					 atomic_load(&boards[other].incarnation), addresses[other]);
			while (node->worker.rail_news == news)
				udp_node_turn(node);
		}
		refused = node->worker.refused;
		for (uint32_t i = 0; i < 2; i++) {
			if (!udp_node_post(node, &slices[i], SLICE_WRITE, i * SLICE_BYTES,
					   SLICE_BYTES)) {
				refused = UINT32_MAX; /* not up: again */
				break;
			}
			done++;
		}
		while (node->worker.done != done) {
			udp_node_turn(node);
			node_tell(node, &boards[side]);
		}
		node_tell(node, &boards[side]);
		if (node->worker.status == HAUL_FAULT)
			break;
	} while (node->worker.refused != refused);
}

/* One slice of one packet. */
static void node_write(struct udp_node *node)
{
	uint32_t done = node->worker.done;
	struct slice slice;

	if (!udp_node_post(node, &slice, SLICE_WRITE, 0, PACKET_BYTES))
		return;
	while (node->worker.done == done)
		udp_node_turn(node);
}

/* Loans that are refused when so and so many packet buffers are left: a packet goes between two, so it is one less each. */
static void node_meet_refusals(struct udp_node *node, struct board *board)
{
	const struct udp_queue *queue = &node->half->queues[0];

	for (uint32_t left = atomic_load(&board->to_refuse); left > 0; left--) {
		node_write(node);
		node->worker.is_stingy = true;
		node_write(node);
		node->worker.is_stingy = false;
		if (queue->spare_count > atomic_load(&board->spares_most))
			atomic_store(&board->spares_most, queue->spare_count);
	}
	atomic_store(&board->to_refuse, 0);
}

/* Memory that the test can take away, guarded as a segment's is. */
static void node_take_file(struct udp_node *node)
{
	node->worker.memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (node->worker.memory == MAP_FAILED || fault_init() != 0 ||
	    fault_range_add(node->worker.memory, MEMORY_BYTES, 4096, &node->worker.fault_id) != 0)
		_exit(1);
	node->worker.is_guarded = true;
}

_Noreturn static void node_main(enum side side, unsigned long incarnation)
{
	static struct udp_node node;
	struct board *board = &boards[side];
	char address[32];
	char device[128];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	snprintf(address, sizeof(address), "%s/24", addresses[side]);
	snprintf(device, sizeof(device),
		 side == VIRTIO ? "net_virtio_user0,path=%s,server=1,queues=1"
				: "net_vhost0,iface=%s,client=1,queues=1",
		 path);
	udp_node_init(&node, names[side], device, address);
	node.conf.ports[0].mtu_bytes = mtu_bytes;
	node.conf.by_reference = by_reference;
	node.conf.window_packets = window_packets;
	node.worker.memory = board->memory;
	if (file >= 0)
		node_take_file(&node);
	node.worker.bytes = MEMORY_BYTES;
	if (udp_node_open(&node, incarnation) != 0)
		_exit(1);
	atomic_store(&board->incarnation, incarnation);
	atomic_store(&board->is_open, 1);
	for (;;) {
		unsigned int asked = atomic_load(&board->asked);

		udp_node_turn(&node);
		if (asked == UINT32_MAX)
			break;
		node_meet_refusals(&node, board);
		if (atomic_load(&board->done) == asked)
			continue;
		node_copy(&node, side);
		atomic_store(&board->done, asked);
	}
	udp_node_close(&node);
	_exit(0);
}

static void start(enum side side)
{
	unsigned long incarnation = incarnation_next++;

	atomic_store(&boards[side].is_open, 0);
	atomic_store(&boards[side].asked, atomic_load(&boards[side].done));
	pids[side] = fork();
	if (pids[side] == 0)
		node_main(side, incarnation);
	assert_true(pids[side] > 0);
	for (uint64_t end_us = clock_now_us() + PATIENCE_US;
	     atomic_load(&boards[side].is_open) == 0;) {
		assert_true(clock_now_us() < end_us);
		usleep(1000);
	}
}

static void kill_hard(enum side side)
{
	kill(pids[side], SIGKILL);
	waitpid(pids[side], NULL, 0);
	pids[side] = 0;
}

static void await_copy(enum side side)
{
	const struct board *board = &boards[side];

	for (uint64_t end_us = clock_now_us() + PATIENCE_US;
	     atomic_load(&board->done) != atomic_load(&board->asked);) {
		assert_true(clock_now_us() < end_us);
		usleep(1000);
	}
}

static void ask_copy(enum side side, uint64_t seed)
{
	struct board *board = &boards[side];

	for (uint32_t i = 0; i < MEMORY_BYTES; i++)
		board->memory[i] = (uint8_t)unit_random(&seed);
	atomic_fetch_add(&board->asked, 1);
}

static void copy_from(enum side side, uint64_t seed)
{
	ask_copy(side, seed);
	await_copy(side);
	assert_memory_equal(boards[side].memory, boards[side == VIRTIO ? VHOST : VIRTIO].memory,
			    MEMORY_BYTES);
}

/* The first copies may be over before the trial of the connection is. */
static void copy_until_referred(uint64_t seed)
{
	uint64_t end_us = clock_now_us() + PATIENCE_US;

	while (atomic_load(&boards[VHOST].referred) == 0) {
		assert_true(clock_now_us() < end_us);
		copy_from(VHOST, seed++);
	}
}

static int set_up(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/haul-test-udp-wire-%d.sock", (int)getpid());
	boards = mmap(NULL, 2 * sizeof(*boards), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	return boards == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (int side = 0; side < 2; side++) {
		if (pids[side] > 0)
			kill_hard((enum side)side);
	}
	munmap(boards, 2 * sizeof(*boards));
	unlink(path);
	return 0;
}

static void wire__carries_both_ways(void **state)
{
	(void)state;
	start(VIRTIO);
	start(VHOST);
	copy_from(VIRTIO, 1);
	copy_from(VHOST, 2);
}

static void wire__carries_jumbo_frames(void **state)
{
	(void)state;
	mtu_bytes = 9000;
	start(VHOST); /* in the other order, too */
	start(VIRTIO);
	copy_from(VIRTIO, 1);
	copy_from(VHOST, 2);
	mtu_bytes = 1500;
}

static void wire__survives_a_kill_of_either(void **state)
{
	(void)state;
	start(VIRTIO);
	start(VHOST);
	copy_from(VIRTIO, 1);
	for (int round = 0; round < 2; round++) {
		kill_hard(VHOST);
		start(VHOST);
		copy_from(VIRTIO, 3);
		copy_from(VHOST, 4);
		kill_hard(VIRTIO);
		start(VIRTIO);
		copy_from(VHOST, 5);
		copy_from(VIRTIO, 6);
	}
}

static void wire__ends_while_it_waits_for_a_peer(void **state)
{
	int status;

	(void)state;
	start(VIRTIO);
	usleep(200000);
	atomic_store(&boards[VIRTIO].asked, UINT32_MAX);
	for (uint64_t end_us = clock_now_us() + PATIENCE_US;
	     waitpid(pids[VIRTIO], &status, WNOHANG) == 0;) {
		assert_true(clock_now_us() < end_us);
		usleep(1000);
	}
	pids[VIRTIO] = 0;
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(access(path, F_OK), -1);
}

/* vhost has read a packet when its burst returns; virtio-user shows its peer EAL's memory alone. */
static void wire__refers_from_vhost_alone(void **state)
{
	(void)state;
	mtu_bytes = 9000;
	start(VIRTIO);
	start(VHOST);
	copy_until_referred(11);
	copy_from(VHOST, 12);
	copy_from(VIRTIO, 13);
	copy_from(VIRTIO, 14);
	assert_int_equal(atomic_load(&boards[VIRTIO].referred), 0);
	mtu_bytes = 1500;
}

static void wire__copies_small_packets(void **state)
{
	(void)state;
	start(VIRTIO);
	start(VHOST);
	for (uint32_t i = 0; i < 5; i++)
		copy_from(VHOST, i);
	assert_int_equal(atomic_load(&boards[VHOST].referred), 0);
}

static void wire__refers_to_nothing_when_told_so(void **state)
{
	(void)state;
	mtu_bytes = 9000;
	by_reference = UDP_BY_REFERENCE_NEVER;
	start(VIRTIO);
	start(VHOST);
	for (uint32_t i = 0; i < 5; i++)
		copy_from(VHOST, i);
	assert_int_equal(atomic_load(&boards[VHOST].referred), 0);
	by_reference = UDP_BY_REFERENCE_AUTO;
	mtu_bytes = 1500;
}

/* One copy that begins while nobody takes packets from the port, for some milliseconds. */
static void copy_past_a_stop(uint64_t seed)
{
	struct board *board = &boards[VHOST];

	ask_copy(VHOST, seed); /* what is asked next finds a connection that has just been heard */
	await_copy(VHOST);
	kill(pids[VIRTIO], SIGSTOP);
	atomic_fetch_add(&board->asked, 1);
	for (uint32_t i = 0; i < 100 && atomic_load(&board->unreferred) == 0; i++)
		usleep(1000);
	kill(pids[VIRTIO], SIGCONT);
	await_copy(VHOST);
	assert_memory_equal(board->memory, boards[VIRTIO].memory, MEMORY_BYTES);
}

/* What still waits for the port when a round ends is copied, and goes when the port takes it. */
static void wire__copies_what_the_port_does_not_take(void **state)
{
	uint64_t end_us = clock_now_us() + PATIENCE_US;
	uint64_t seed = 31;

	(void)state;
	mtu_bytes = 9000;
	window_packets = 1024; /* four times what the port's ring takes */
	start(VIRTIO);
	start(VHOST);
	window_packets = 256;
	copy_until_referred(21);
	/* Data goes only for 50 ms after the peer was heard: a busy machine may need more than one stop. */
	while (atomic_load(&boards[VHOST].unreferred) == 0) {
		assert_true(clock_now_us() < end_us);
		copy_past_a_stop(seed++);
	}
	mtu_bytes = 1500;
}

/* Memory that is gone when the port reads it: the node lives, and says that the bytes were none. */
static void wire__tells_of_memory_taken_away(void **state)
{
	uint64_t end_us = clock_now_us() + PATIENCE_US;

	(void)state;
	mtu_bytes = 9000;
	start(VIRTIO);
	file = memfd_create("taken-away", MFD_CLOEXEC);
	assert_true(file >= 0);
	assert_int_equal(ftruncate(file, MEMORY_BYTES), 0);
	start(VHOST);
	while (atomic_load(&boards[VHOST].referred) == 0) {
		assert_true(clock_now_us() < end_us);
		ask_copy(VHOST, 1);
		await_copy(VHOST);
	}
	assert_int_equal(atomic_load(&boards[VHOST].faults), 0);
	assert_int_equal(ftruncate(file, 0), 0);
	ask_copy(VHOST, 2);
	await_copy(VHOST);
	assert_true(atomic_load(&boards[VHOST].faults) > 0);
	close(file);
	file = -1;
	mtu_bytes = 1500;
}

/* A loan that is refused leaves the packet buffers as they were, whatever their number is. */
static void wire__keeps_its_buffers_when_loans_are_refused(void **state)
{
	struct board *board = &boards[VHOST];
	uint64_t end_us = clock_now_us() + PATIENCE_US;

	(void)state;
	mtu_bytes = 9000;
	start(VIRTIO);
	start(VHOST);
	copy_until_referred(41);
	atomic_store(&board->to_refuse, 4 * PORT_BURST);
	while (atomic_load(&board->to_refuse) > 0) {
		assert_true(clock_now_us() < end_us);
		usleep(1000);
	}
	assert_in_range(atomic_load(&board->spares_most), 1, PORT_BURST);
	copy_from(VHOST, 42);
	mtu_bytes = 1500;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wire__carries_both_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wire__carries_jumbo_frames, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wire__survives_a_kill_of_either, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wire__refers_from_vhost_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wire__copies_small_packets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wire__refers_to_nothing_when_told_so, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(wire__copies_what_the_port_does_not_take, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(wire__tells_of_memory_taken_away, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(wire__keeps_its_buffers_when_loans_are_refused,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(wire__ends_while_it_waits_for_a_peer, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
