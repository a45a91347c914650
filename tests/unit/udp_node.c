/* SPDX-License-Identifier: BSD-3-Clause */
/* A node with the udp transport alone; udp_node.h says what it is. */
#include "udp_node.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "drivers/udp/udp.h"
#include "rudp/rudp_counters.h"
#include "unit.h"

#include <arpa/inet.h>
#include <string.h>

#define RAILS  8u
#define SLICES 64u

#define NODES_MAX   8u
#define PATIENCE_US UINT64_C(5000000)

static void node_rail_state(struct worker *worker, uint32_t rail, enum rail_state state,
			    enum rail_cause cause)
{
	if (rail != UDP_NODE_RAIL) {
		worker->other_rail = state;
		worker->other_cause = cause;
		return;
	}
	worker->rail = state;
	worker->cause = cause;
	worker->rail_news++;
}

static void node_slice_done(struct worker *worker, struct slice *slice, enum haul_error status,
			    enum haul_reason reason)
{
	(void)slice;
	worker->done++;
	if (status == HAUL_OK)
		return;
	worker->refused++;
	worker->status = status;
	worker->reason = reason;
}

static enum haul_error node_check(const struct worker *worker,
				  const struct transport_access *access)
{
	if (access->region != UDP_NODE_REGION ||
	    (worker->is_draining && access->phase != TRANSPORT_NEXT))
		return HAUL_STALE;
	if (access->is_remote &&
	    (access->segment != UDP_NODE_SEGMENT || access->rights != UDP_NODE_RIGHTS))
		return HAUL_DENIED;
	if (access->offset + access->length > worker->bytes)
		return HAUL_RANGE;
	return clock_now_us() > access->not_after_us ? HAUL_TIMEOUT : HAUL_OK;
}

static void node_use(struct worker *worker)
{
	worker->uses++;
	worker->uses_most = MAX(worker->uses_most, worker->uses);
}

static enum haul_error node_open(struct worker *worker, const struct transport_access *access,
				 uint64_t *version_out)
{
	enum haul_error error = node_check(worker, access);

	assert_int_equal(access->phase, TRANSPORT_FIRST);
	if (error == HAUL_OK)
		node_use(worker);
	else
		*version_out = UDP_NODE_VERSION;
	return error;
}

static void node_closed(struct worker *worker, uint64_t region)
{
	assert_int_equal(region, UDP_NODE_REGION);
	assert_true(worker->uses > 0);
	worker->uses--;
}

static enum haul_error node_place(struct worker *worker, const struct transport_access *access,
				  const void *payload, uint64_t *version_out)
{
	enum haul_error error = node_check(worker, access);

	if (error == HAUL_STALE)
		*version_out = UDP_NODE_VERSION;
	if (worker->is_deaf && error == HAUL_OK)
		return HAUL_TIMEOUT;
	if (error == HAUL_OK) {
		memcpy(worker->memory + access->offset, payload, access->length);
		worker->placed += access->length;
		if (access->phase == TRANSPORT_FIRST)
			node_use(worker);
	}
	return error;
}

static enum haul_error node_source(struct worker *worker, const struct transport_access *access,
				   void *destination, uint64_t *version_out)
{
	enum haul_error error = node_check(worker, access);

	(void)version_out;
	if (error == HAUL_OK)
		memcpy(destination, worker->memory + access->offset, access->length);
	return error;
}

static enum haul_error node_lend(struct worker *worker, const struct transport_access *access,
				 const void **bytes_out, uint64_t *version_out)
{
	enum haul_error error = node_check(worker, access);

	(void)version_out;
	if (error == HAUL_OK && worker->is_stingy)
		error = HAUL_STALE;
	if (error == HAUL_OK)
		*bytes_out = worker->memory + access->offset;
	return error;
}

static bool node_is_sound(struct worker *worker, uint64_t region)
{
	(void)region;
	return !worker->is_guarded || !fault_poisoned(worker->fault_id);
}

static enum haul_error node_copy(struct worker *worker, const struct transport_access *target,
				 const struct transport_access *source, uint64_t *version_out)
{
	(void)worker;
	(void)target;
	(void)source;
	(void)version_out;
	return HAUL_INVALID;
}

static enum haul_error node_notify(struct worker *worker, const struct transport_notice *notice,
				   struct transport_refusal *refusal_out)
{
	enum haul_error error = node_check(worker, &notice->access);

	if (error != HAUL_OK)
		return error;
	if (worker->is_full) {
		refusal_out->reason = HAUL_REASON_NOTIFICATIONS_FULL;
		return HAUL_BUSY;
	}
	worker->notice = *notice;
	snprintf(worker->notice_node, sizeof(worker->notice_node), "%s", notice->node);
	worker->notified++;
	return HAUL_OK;
}

/* Of one key both ends know; the target of a test may have lost it. */
static enum haul_error node_remote_key(const struct worker *worker,
				       const struct transport_grant *grant, uint8_t *key_out)
{
	(void)worker;
	assert_int_equal(grant->remote, UDP_NODE_REMOTE);
	assert_int_equal(grant->rights, UDP_NODE_RIGHTS);
	memset(key_out, 0x77, HAUL_KEY_BYTES);
	return grant->segment == UDP_NODE_SEGMENT ? HAUL_OK : HAUL_STALE;
}

static enum haul_error node_own_key(const struct worker *worker,
				    const struct transport_grant *grant, uint8_t *key_out)
{
	if (grant->segment != UDP_NODE_SEGMENT)
		return HAUL_STALE;
	memset(key_out, worker->has_other_key ? 0x78 : 0x77, HAUL_KEY_BYTES);
	return HAUL_OK;
}

static void node_wake(const struct worker *worker)
{
	(void)worker;
}

static const struct transport_host node_host = {
	.rail_state = node_rail_state,
	.slice_done = node_slice_done,
	.place = node_place,
	.open = node_open,
	.closed = node_closed,
	.source = node_source,
	.lend = node_lend,
	.is_sound = node_is_sound,
	.copy = node_copy,
	.notify = node_notify,
	.remote_key = node_remote_key,
	.own_key = node_own_key,
	.wake = node_wake,
};

/* Those that are open: what one of them posts may have to wait for another. */
static struct udp_node *node_open_ones[NODES_MAX];

void udp_node_init(struct udp_node *node, const char *name, const char *device, const char *address)
{
	struct udp_port_conf *port = &node->conf.ports[0];

	memset(node, 0, sizeof(*node));
	conf_defaults(&udp_conf_table, &node->conf);
	node->conf.port_count = 1;
	node->conf.huge_pages = UDP_HUGE_PAGES_OFF;
	node->conf.mempool_packets = 2048;
	strcpy(port->name, name);
	strcpy(port->device, device);
	strcpy(port->address, address);
	port->mtu_bytes = 1500;
	node->worker_count = 1;
	strcpy(node->name, name);
	node->peer_port = UDP_NODE_PORT;
	memset(node->key, 0x5a, sizeof(node->key));
}

int udp_node_open(struct udp_node *node, uint64_t incarnation)
{
	struct transport_setup setup = {
		.node = node->name,
		.incarnation = incarnation,
		.cluster_key = node->key,
		.conf = &node->conf,
		.worker_count = node->worker_count,
		.rails_max = RAILS,
		.slices_max = SLICES,
		.host = &node_host,
		.workers = node->workers,
		.counters = node->blocks,
	};
	int error;

	node->incarnation = incarnation;
	for (uint32_t i = 0; i < node->worker_count; i++) {
		node->workers[i] = &node->each[i];
		node->blocks[i] = node->counters_each[i];
	}
	error = udp_ops.open(&setup, &node->transport);
	for (uint32_t i = 0; error == 0 && i < node->worker_count; i++)
		node->halves[i] = udp_ops.worker(node->transport, i);
	for (uint32_t i = 0; error == 0 && i < NODES_MAX; i++) {
		if (node_open_ones[i] == NULL) {
			node_open_ones[i] = node;
			break;
		}
	}
	return error;
}

void udp_node_close(struct udp_node *node)
{
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (node_open_ones[i] == node)
			node_open_ones[i] = NULL;
	}
	udp_ops.close(node->transport);
	node->transport = NULL;
}

void udp_node_turn(struct udp_node *node)
{
	udp_ops.control(node->transport, clock_now_us());
	for (uint32_t i = 0; i < node->worker_count; i++)
		udp_node_turn_one(node, i);
}

void udp_node_turn_one(struct udp_node *node, uint32_t worker)
{
	uint64_t now_us = clock_now_us();

	udp_ops.poll(node->halves[worker], now_us, 256);
	udp_ops.flush(node->halves[worker], now_us, 256);
}

void udp_node_turn_worker(struct udp_node *node)
{
	udp_node_turn_one(node, 0);
}

/* The peer of that name, whose only port is `where`. */
static struct transport_peer udp_node_peer(const struct udp_node *node, const char *name,
					   const char *address, struct haul_address *where)
{
	*where = (struct haul_address){ .transport = HAUL_TRANSPORT_UDP,
					.family = 4,
					.port = node->peer_port };
	inet_pton(AF_INET, address, where->ip);
	return (struct transport_peer){ .node = name, .addresses = where, .address_count = 1 };
}

void udp_node_connect_way(struct udp_node *node, const char *name, uint64_t incarnation,
			  const char *address, uint32_t way)
{
	struct haul_address where;
	struct transport_peer peer = udp_node_peer(node, name, address, &where);

	peer.incarnation = incarnation;
	peer.way = way;
	udp_ops.connect(node->transport, 0, UDP_NODE_RAIL + way, &peer);
}

void udp_node_describe_way(struct udp_node *node, const char *address, uint32_t way, char *text_out)
{
	struct haul_address where;
	struct transport_peer peer = udp_node_peer(node, "", address, &where);

	peer.way = way;
	udp_ops.describe_way(node->transport, &peer, text_out);
}

void udp_node_connect(struct udp_node *node, const char *name, uint64_t incarnation,
		      const char *address)
{
	udp_node_connect_way(node, name, incarnation, address, 0);
}

void udp_node_connect_one(struct udp_node *node, uint32_t worker, const struct udp_node *peer)
{
	char address[UDP_ADDRESS_BYTES];
	struct haul_address where;
	struct transport_peer whom;

	strcpy(address, peer->conf.ports[0].address);
	address[strcspn(address, "/")] = '\0';
	whom = udp_node_peer(node, peer->name, address, &where);
	whom.incarnation = peer->incarnation;
	udp_ops.connect(node->transport, worker, UDP_NODE_RAIL, &whom);
}

void (*udp_node_round)(void);

static void node_round(void)
{
	if (udp_node_round != NULL) {
		udp_node_round();
		return;
	}
	for (uint32_t i = 0; i < NODES_MAX; i++) {
		if (node_open_ones[i] != NULL)
			udp_node_turn(node_open_ones[i]);
	}
}

/* Post it; while the rail takes nothing since the grant is being proven, all nodes go round. */
static bool node_post(struct udp_node *node, uint32_t worker, struct slice *slice)
{
	const struct worker *engine = node->workers[worker];
	uint64_t *full = &node->counters_each[worker][UDP_RUDP_FIRST + RUDP_COUNTER_BACKPRESSURE];
	uint64_t until_us = clock_now_us() + PATIENCE_US;

	while (clock_now_us() < until_us) {
		uint64_t before = *full;

		if (udp_ops.post(node->halves[worker], slice->rail, &slice, 1) == 1)
			return true;
		if (*full != before ||
		    (slice->rail == UDP_NODE_RAIL ? engine->rail : engine->other_rail) != RAIL_UP)
			return false;
		node_round();
	}
	return false;
}

void udp_node_grant(struct slice *slice)
{
	slice->segment = UDP_NODE_SEGMENT;
	slice->remote = UDP_NODE_REMOTE;
	slice->rights = UDP_NODE_RIGHTS;
}

bool udp_node_post_slice(struct udp_node *node, struct slice *slice)
{
	return node_post(node, 0, slice);
}

bool udp_node_post(struct udp_node *node, struct slice *slice, enum slice_kind kind,
		   uint64_t offset, uint32_t length)
{
	return udp_node_post_one(node, 0, slice, kind, offset, length);
}

bool udp_node_post_one(struct udp_node *node, uint32_t worker, struct slice *slice,
		       enum slice_kind kind, uint64_t offset, uint32_t length)
{
	memset(slice, 0, sizeof(*slice));
	slice->local_region = UDP_NODE_REGION;
	slice->remote_region = UDP_NODE_REGION;
	slice->local_offset = offset;
	slice->remote_offset = offset;
	slice->length = length;
	slice->kind = (uint8_t)kind;
	slice->rail = (uint16_t)(UDP_NODE_RAIL + node->way);
	udp_node_grant(slice);
	return node_post(node, worker, slice);
}
