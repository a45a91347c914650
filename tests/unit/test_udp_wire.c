/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: net_virtio_user (server) and net_vhost (client) carry the udp transport between two processes without huge
 * pages, and either may be killed and started again: the other one stays, and data moves again.
 * Method: a node a process, forked before EAL starts; each node's memory is shared with this test, which asks for
 * copies, kills with SIGKILL, starts anew and compares the bytes.
 */
#include "base/clock.h"
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

#define MEMORY_BYTES (2u << 20)
#define SLICE_BYTES  (1u << 20)
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
	uint8_t memory[MEMORY_BYTES];
};

static struct board *boards;
static pid_t pids[2];
static unsigned long incarnation_next = 1;
static uint32_t mtu_bytes = 1500;
static char path[64];

static const char *const names[] = { "virtio", "vhost" };
static const char *const addresses[] = { "10.0.0.1", "10.0.0.2" };

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
		while (node->worker.done != done)
			udp_node_turn(node);
	} while (node->worker.refused != refused);
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
	node.worker.memory = board->memory;
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

static void copy_from(enum side side, uint64_t seed)
{
	struct board *board = &boards[side];
	const struct board *other = &boards[side == VIRTIO ? VHOST : VIRTIO];

	for (uint32_t i = 0; i < MEMORY_BYTES; i++)
		board->memory[i] = (uint8_t)unit_random(&seed);
	atomic_fetch_add(&board->asked, 1);
	for (uint64_t end_us = clock_now_us() + PATIENCE_US;
	     atomic_load(&board->done) != atomic_load(&board->asked);) {
		assert_true(clock_now_us() < end_us);
		usleep(1000);
	}
	assert_memory_equal(board->memory, other->memory, MEMORY_BYTES);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(wire__carries_both_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wire__carries_jumbo_frames, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wire__survives_a_kill_of_either, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wire__ends_while_it_waits_for_a_peer, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
