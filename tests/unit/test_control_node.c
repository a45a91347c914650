/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a node is made whole or says why not and leaves nothing; it answers pings when its workers go round, lists what
 * there is, serves until a signal and then ends in bounded time.
 * Method: node_create with one thing wrong at a time; a control plane played by the test.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "control/table.h"
#include "node_rig.h"
#include "unit.h"

#include <event2/event.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

static struct node_rig *rig;

static int setup(void **state)
{
	(void)state;
	rig = node_rig_make();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_rig_stop(rig);
	return 0;
}

static void expect_failure(void)
{
	log_set_level((enum log_level) - 1);
	assert_int_not_equal(node_create(&rig->node, &rig->conf, &rig->driver, 1), 0);
}

static void node_create__wants_a_key(void **state)
{
	(void)state;
	unlink(rig->conf.cluster_key_file);
	expect_failure();
}

static void node_create__wants_transports_that_are_built_in(void **state)
{
	(void)state;
	(void)snprintf(rig->conf.transports[0], sizeof(rig->conf.transports[0]), "pigeon");
	expect_failure();
}

static void node_create__wants_each_transport_once(void **state)
{
	(void)state;
	(void)snprintf(rig->conf.transports[1], sizeof(rig->conf.transports[1]), "local");
	rig->conf.transport_count = 2;
	expect_failure();
}

static void node_create__wants_its_sockets_place(void **state)
{
	(void)state;
	(void)snprintf(rig->conf.attach_socket, sizeof(rig->conf.attach_socket), "/nowhere/at/all");
	expect_failure();
}

static void node_create__wants_its_counters_place(void **state)
{
	(void)state;
	(void)snprintf(rig->conf.counters_file, sizeof(rig->conf.counters_file), "/nowhere/at/all");
	expect_failure();
}

static void node_create__wants_processors_that_there_are(void **state)
{
	(void)state;
	rig->conf.workers[0] = 0;
	rig->conf.workers[1] = 1000;
	rig->conf.worker_count = 2;
	expect_failure();
}

static void node_ping__is_answered_when_workers_have_gone_round(void **state)
{
	union node_message message;
	struct haul_frame ping;
	uint64_t rounds;
	int fd;

	(void)state;
	control_listen(rig);
	node_rig_start(rig);
	control_greet(rig);
	node_rig_rest(rig, 20000); /* the worker sleeps now */
	rounds = atomic_load(&rig->node.engine.workers[0]->rounds);
	frame_fill(&ping, HAUL_CONTROL_VERSION, HAUL_CONTROL_PING, sizeof(ping), 99);
	assert_int_equal(seqpacket_send(rig->control, &ping, sizeof(ping), NULL, 0), 0);
	control_expect(rig, HAUL_CONTROL_PING | HAUL_FRAME_ANSWER, &message, &fd);
	assert_int_equal(message.frame.request, 99);
	assert_true(atomic_load(&rig->node.engine.workers[0]->rounds) >= rounds + 2);
	/* One that is still waiting when the node stops. */
	assert_int_equal(seqpacket_send(rig->control, &ping, sizeof(ping), NULL, 0), 0);
	event_base_loop(rig->node.base, EVLOOP_NONBLOCK);
}

/* The rows of one table; freed by the caller. */
static void *table_of(enum haul_table table, uint32_t count, uint32_t row_bytes)
{
	uint32_t rows = 0;
	uint32_t bytes = 0;
	void *copy = NULL;
	size_t length = 0;
	int fd = table_make(&rig->node, table, &rows, &bytes);

	assert_true(fd >= 0);
	assert_int_equal(rows, count);
	assert_int_equal(bytes, row_bytes);
	if (count > 0) {
		assert_int_equal(memfd_to_bytes(fd, 1 << 20, &copy, &length), 0);
		assert_int_equal(length, rows * bytes);
	}
	close(fd);
	return copy;
}

static void table_make__lists_what_there_is(void **state)
{
	struct node_client client;
	struct haul_entry nop = { .opcode = HAUL_OP_NOP };
	struct haul_channel_row *channel;
	struct haul_transport_row *transport;
	struct haul_worker_row *worker;
	uint32_t rows;
	uint32_t bytes;

	(void)state;
	node_rig_start(rig);
	table_of(HAUL_TABLE_PEERS, 0, sizeof(struct haul_peer_row));
	table_of(HAUL_TABLE_OPENINGS, 0, sizeof(struct haul_opening_row));
	worker = table_of(HAUL_TABLE_WORKERS, 1, sizeof(*worker));
	assert_int_equal(worker->channels, 0);
	assert_string_equal(worker->processor, "any");
	free(worker);
	table_of(HAUL_TABLE_CHANNELS, 0, sizeof(struct haul_channel_row));
	client_attach(rig, &client, 8);
	client_submit(&client, &nop);
	client_reap(rig, &client);
	channel = table_of(HAUL_TABLE_CHANNELS, 1, sizeof(*channel));
	assert_string_equal(channel->name, "test");
	assert_string_equal(channel->tenant, "default");
	assert_int_equal(channel->process, getpid());
	assert_int_equal(channel->operations, 1);
	assert_int_equal(channel->open, 0);
	free(channel);
	transport = table_of(HAUL_TABLE_TRANSPORTS, 1, sizeof(*transport));
	assert_string_equal(transport->transport, "local");
	free(transport);
	assert_int_equal(table_make(&rig->node, (enum haul_table)9, &rows, &bytes), -HAUL_INVALID);
	client_die(&client);
}

static void table_make__lists_peers_that_were_used(void **state)
{
	struct node_client client;
	struct haul_entry entry = { .opcode = HAUL_OP_WRITE, .length = 4096 };
	struct haul_peer_row *peer;
	struct haul_opening_row *opening;
	uint64_t region;
	uint32_t segment;
	uint32_t handle;
	void *memory;
	void *published;
	void *bytes;
	size_t length;
	int fd;

	(void)state;
	control_listen(rig);
	node_rig_start(rig);
	control_greet(rig);
	client_attach(rig, &client, 8);
	published = client_publish(rig, &client, "s", 4096, &fd, &segment);
	memory = client_create_private(rig, &client, 4096, &region, &segment);
	assert_int_equal(memfd_to_bytes(fd, 1 << 20, &bytes, &length), 0);
	free(bytes);
	assert_int_equal(client_open(rig, &client, "s", HAUL_RIGHT_WRITE, fd, &handle), HAUL_OK);
	close(fd);
	entry.local_region = haul_u48_make(region);
	entry.remote_segment = handle;
	client_submit(&client, &entry);
	assert_int_equal(client_reap(rig, &client).status, HAUL_OK);
	peer = table_of(HAUL_TABLE_PEERS, 1, sizeof(*peer));
	assert_string_equal(peer->node, "a");
	assert_string_equal(peer->transport, "local");
	assert_string_equal(peer->state, "up");
	assert_int_equal(peer->segments, 1);
	assert_int_equal(peer->bytes_out, 4096);
	free(peer);
	opening = table_of(HAUL_TABLE_OPENINGS, 1, sizeof(*opening));
	assert_string_equal(opening->segment, "s");
	assert_string_equal(opening->node, "a");
	assert_string_equal(opening->state, "current");
	assert_int_equal(opening->rights, HAUL_RIGHT_WRITE);
	assert_int_equal(opening->version_cached, opening->version_seen);
	assert_int_equal(opening->handles, 1);
	free(opening);
	munmap(memory, 4096);
	munmap(published, 4096);
	client_die(&client);
}

static void node_run__ends_on_a_signal(void **state)
{
	struct node_client clients[2];
	uint64_t began_us;

	(void)state;
	node_rig_start(rig);
	client_attach(rig, &clients[0], 8);
	client_attach(rig, &clients[1], 8);
	began_us = clock_now_us();
	/* The signal waits until the loop looks. */
	kill(getpid(), SIGTERM);
	node_run(&rig->node);
	assert_true(clock_now_us() - began_us < 10 * 1000 * 1000);
	assert_int_equal(clients[0].header->state, HAUL_CHANNEL_CLOSED);
	assert_int_equal(rig->node.clients.channels, 0);
	client_die(&clients[0]);
	client_die(&clients[1]);
}

static void node_run__spreads_clients_over_workers(void **state)
{
	struct node_client clients[3];
	const struct balance *balance = &rig->node.balance;
	struct haul_channel_row *channel;
	struct haul_worker_row *worker;

	(void)state;
	rig->conf.workers[0] = 0;
	rig->conf.workers[1] = (uint32_t)(sysconf(_SC_NPROCESSORS_ONLN) > 1);
	rig->conf.worker_count = 2;
	node_rig_start(rig);
	for (int i = 0; i < 3; i++)
		client_attach(rig, &clients[i], 8);
	worker = table_of(HAUL_TABLE_WORKERS, 2, sizeof(*worker));
	channel = table_of(HAUL_TABLE_CHANNELS, 3, sizeof(*channel));
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(channel[i].worker, i % 2);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(worker[i].worker, i);
		assert_int_equal(worker[i].channels, 2 - i);
		assert_int_equal(atoi(worker[i].processor), rig->conf.workers[i]);
	}
	free(worker);
	free(channel);
	assert_int_equal(balance->workers[0].channels, 2);
	assert_int_equal(balance->workers[1].channels, 1);
	for (int i = 0; i < 3; i++)
		client_die(&clients[i]);
	NODE_AWAIT(rig, rig->node.clients.channels == 0);
	assert_int_equal(balance->workers[0].channels, 0);
	assert_int_equal(balance->workers[1].channels, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(node_create__wants_a_key),
		CASE(node_create__wants_transports_that_are_built_in),
		CASE(node_create__wants_each_transport_once),
		CASE(node_create__wants_its_sockets_place),
		CASE(node_create__wants_its_counters_place),
		CASE(node_create__wants_processors_that_there_are),
		CASE(node_ping__is_answered_when_workers_have_gone_round),
		CASE(table_make__lists_what_there_is),
		CASE(table_make__lists_peers_that_were_used),
		CASE(node_run__ends_on_a_signal),
		CASE(node_run__spreads_clients_over_workers),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
