/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The instance: its memory, its connections, and the calls that begin and end operations. What becomes of
 * packets is in send.c, recv.c and ack.c.
 */
#include "rudp/rudp.h"

#include "api/haul_error.h"
#include "rudp/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Timers fired by one rudp_advance: one for each connection of a large node, several rounds else. */
#define ADVANCE_TIMERS_MAX 256u
#define CACHE_LINE_BYTES   64u

static bool config_is_valid(const struct rudp_config *config)
{
	return config->connections_max >= 1 && config->connections_max <= RUDP_CONNECTIONS_MAX &&
	       IS_POWER_OF_TWO(config->operations) && config->operations >= RUDP_OPERATIONS_MIN &&
	       config->operations <= RUDP_OPERATIONS_MAX && IS_POWER_OF_TWO(config->packets) &&
	       config->packets >= RUDP_PACKETS_MIN && config->packets <= RUDP_PACKETS_MAX &&
	       config->datagram_bytes >= RUDP_DATAGRAM_BYTES_MIN &&
	       config->datagram_bytes <= RUDP_DATAGRAM_BYTES_MAX && config->callbacks != NULL;
}

static void config_defaults(struct rudp_config *config)
{
	if (config->window_packets == 0)
		config->window_packets = RUDP_WINDOW_PACKETS;
	if (config->silence_us == 0)
		config->silence_us = RUDP_SILENCE_US;
	if (config->keepalive_us == 0)
		config->keepalive_us = RUDP_KEEPALIVE_US;
	if (config->cc == NULL)
		config->cc = &cc_fixed;
}

static size_t slot_bytes(const struct rudp_config *config)
{
	size_t bytes = sent_bytes(config->packets) + operations_bytes(config->operations) +
		       served_bytes(config->operations) + grants_bytes();

	return (bytes + CACHE_LINE_BYTES - 1) & ~(size_t)(CACHE_LINE_BYTES - 1);
}

static int rudp_allocate(struct rudp *rudp)
{
	uint32_t count = rudp->config.connections_max;

	rudp->memory_bytes = (uint32_t)slot_bytes(&rudp->config);
	rudp->connections = calloc(count, sizeof(*rudp->connections));
	rudp->memory = aligned_alloc(CACHE_LINE_BYTES, (size_t)count * rudp->memory_bytes);
	if (rudp->connections == NULL || rudp->memory == NULL ||
	    table_init(&rudp->local, count) != 0 || table_init(&rudp->remote, count) != 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		rudp->connections[i].rudp = rudp;
		rudp->connections[i].index = (uint16_t)i;
		rudp->connections[i].generation = 1;
		rudp->connections[i].memory = rudp->memory + (size_t)i * rudp->memory_bytes;
	}
	return 0;
}

int rudp_create(const struct rudp_config *config, struct rudp **out)
{
	struct rudp *rudp;

	if (!config_is_valid(config))
		return -EINVAL;
	rudp = calloc(1, sizeof(*rudp));
	if (rudp == NULL)
		return -ENOMEM;
	rudp->config = *config;
	config_defaults(&rudp->config);
	rudp->callbacks = *config->callbacks;
	rudp->context = config->context;
	rudp->counters = config->counters != NULL ? config->counters : rudp->counters_own;
	list_init(&rudp->ready);
	list_init(&rudp->asking);
	wheel_init(&rudp->wheel, config->now_us);
	pacer_init(&rudp->pacer, config->now_us);
	rudp->looked_us = config->now_us;
	if (rudp_allocate(rudp) != 0) {
		rudp_destroy(rudp);
		return -ENOMEM;
	}
	*out = rudp;
	return 0;
}

void rudp_destroy(struct rudp *rudp)
{
	if (rudp == NULL)
		return;
	table_destroy(&rudp->local);
	table_destroy(&rudp->remote);
	free(rudp->memory);
	free(rudp->connections);
	free(rudp);
}

static bool params_are_valid(const struct rudp *rudp, const struct rudp_params *params)
{
	const struct rudp_config *config = &rudp->config;

	return params->local_id != 0 && params->remote_id != 0 &&
	       params->local_id >> 56 == config->worker &&
	       params->datagram_bytes >= RUDP_DATAGRAM_BYTES_MIN &&
	       params->datagram_bytes <= config->datagram_bytes &&
	       IS_POWER_OF_TWO(params->operations) && params->operations >= RUDP_OPERATIONS_MIN &&
	       params->operations <= config->operations && IS_POWER_OF_TWO(params->packets) &&
	       params->packets >= RUDP_PACKETS_MIN && params->packets <= config->packets;
}

static struct rudp_connection *connection_slot(struct rudp *rudp)
{
	for (uint32_t i = 0; i < rudp->config.connections_max; i++) {
		if (rudp->connections[i].state == 0)
			return &rudp->connections[i];
	}
	return NULL;
}

/* All of a slot is new but what belongs to the slot itself. */
static void connection_clear(struct rudp_connection *connection)
{
	struct rudp *rudp = connection->rudp;
	void *memory = connection->memory;
	uint16_t index = connection->index;
	uint16_t generation = connection->generation;

	memset(connection, 0, sizeof(*connection));
	connection->rudp = rudp;
	connection->memory = memory;
	connection->index = index;
	connection->generation = generation;
}

int rudp_connection_add(struct rudp *rudp, uint64_t now_us, const struct rudp_params *params,
			void *user, struct rudp_connection **out)
{
	struct rudp_connection *connection = connection_slot(rudp);

	if (!params_are_valid(rudp, params))
		return -EINVAL;
	if (connection == NULL)
		return -ENOSPC;
	if (table_add(&rudp->local, params->local_id, connection) != 0)
		return -EEXIST;
	if (table_add(&rudp->remote, params->remote_id, connection) != 0) {
		table_remove(&rudp->local, params->local_id);
		return -EEXIST;
	}
	connection_clear(connection);
	connection->params = *params;
	connection->user = user;
	conn_init(connection, now_us);
	rudp->connection_count++;
	*out = connection;
	return 0;
}

void rudp_connection_close(struct rudp_connection *connection, uint64_t now_us)
{
	if (connection->state < RUDP_ENDED)
		conn_end(connection, RUDP_END_CLOSED, now_us);
}

uint32_t rudp_connection_handle(const struct rudp_connection *connection)
{
	return (uint32_t)connection->generation << 16 | connection->index;
}

struct rudp_connection *rudp_connection_find(struct rudp *rudp, uint32_t handle)
{
	uint32_t index = handle & 0xffff;
	struct rudp_connection *connection;

	if (index >= rudp->config.connections_max)
		return NULL;
	connection = &rudp->connections[index];
	return connection->state != 0 && connection->generation == handle >> 16 ? connection : NULL;
}

bool rudp_connection_is_marked(const struct rudp_connection *connection)
{
	return connection->ecn.is_on;
}

void *rudp_connection_user(const struct rudp_connection *connection)
{
	return connection->user;
}

const struct rudp_params *rudp_connection_params(const struct rudp_connection *connection)
{
	return &connection->params;
}

enum rudp_state rudp_connection_state(const struct rudp_connection *connection)
{
	return (enum rudp_state)connection->state;
}

uint32_t rudp_connection_datagram_bytes(const struct rudp_connection *connection)
{
	return connection->mtu.datagram_bytes;
}

bool rudp_connection_is_summed(const struct rudp_connection *connection)
{
	return connection->crc_bytes != 0;
}

void rudp_connection_stats(const struct rudp_connection *connection, struct rudp_stats *out)
{
	const struct loss *loss = &connection->loss;

	out->rtt_us = loss->srtt_us8 / 8;
	out->rtt_min_us = loss->min_us != UINT32_MAX ? loss->min_us : 0;
	out->mtu_bytes = connection->mtu.datagram_bytes + connection->mtu.header_bytes;
	out->rtt_target_us = connection->cc.target_us;
	out->window_packets = connection->cc.window_packets;
	out->in_flight = connection->sent.in_flight;
	out->operations = connection->operations.open;
	out->served = connection->served.open;
	out->packets_sent = connection->packets_sent;
	out->packets_lost = connection->packets_lost;
	out->packets_again = connection->packets_again;
	out->packets_spurious = connection->packets_spurious;
	out->congestion_name = connection->cc.ops->name;
}

static bool request_is_valid(const struct rudp_operation_request *request)
{
	if (request->region > WIRE_U48_MAX || request->offset > WIRE_OFFSET_MAX)
		return false;
	if (request->kind == RUDP_NOTIFY)
		return request->length == 0;
	return (request->kind == RUDP_WRITE || request->kind == RUDP_READ) && request->length > 0 &&
	       request->length <= RUDP_OPERATION_BYTES_MAX &&
	       request->length - 1 <= WIRE_OFFSET_MAX - request->offset;
}

int rudp_submit(struct rudp_connection *connection, uint64_t now_us,
		const struct rudp_operation_request *request, uint32_t *operation_out)
{
	struct operation *operation;

	if (UNLIKELY(connection->state >= RUDP_ENDED))
		return -ENOTCONN;
	if (UNLIKELY(connection->state == RUDP_OPENING))
		return -EAGAIN;
	if (!request_is_valid(request))
		return -EINVAL;
	operation = operation_begin(&connection->operations, request);
	if (operation == NULL) {
		rudp_count(connection->rudp, RUDP_COUNTER_BACKPRESSURE);
		return -EAGAIN;
	}
	grants_use(&connection->grants, request->grant, now_us);
	rudp_count(connection->rudp, RUDP_COUNTER_OPERATIONS);
	conn_wake(connection);
	*operation_out = operation->id;
	return 0;
}

int rudp_cancel(struct rudp_connection *connection, uint64_t now_us, uint32_t operation_id,
		uint16_t status, uint16_t reason)
{
	struct operation *operation = operation_find(&connection->operations, operation_id);

	if (operation == NULL || operation->state != OPERATION_ACTIVE)
		return -ENOENT;
	conn_abort(connection, operation, status, reason, now_us);
	return 0;
}

uint64_t rudp_write_fence_us(const struct rudp_connection *connection, uint32_t operation_id)
{
	const struct operation *operation = operation_find(&connection->operations, operation_id);

	if (operation == NULL || operation->fence_base_us == 0)
		return 0;
	return operation_fence_us(operation);
}

int rudp_grant_find(struct rudp_connection *connection, uint64_t now_us, uint32_t segment,
		    uint8_t rights, uint32_t tag, uint8_t *slot_out)
{
	int status;

	if (UNLIKELY(connection->state >= RUDP_ENDED))
		return -ENOTCONN;
	status = grants_find(&connection->grants, now_us, segment, rights, tag, slot_out);
	if (UNLIKELY(connection->grants.wanted > 0))
		list_append(&connection->rudp->asking, &connection->asking);
	return status;
}

void rudp_grant_made(struct rudp_connection *connection, uint64_t now_us, uint8_t slot,
		     uint32_t serial, int status, const uint8_t proof[RUDP_PROOF_BYTES])
{
	if (status != HAUL_OK)
		rudp_count(connection->rudp, RUDP_COUNTER_GRANTS_UNPROVEN);
	grants_made(&connection->grants, now_us, slot, serial, status, proof);
	if (connection->state >= RUDP_ENDED)
		return;
	if (UNLIKELY(connection->grants.wanted > 0))
		list_append(&connection->rudp->asking, &connection->asking);
	conn_wake(connection);
}

void rudp_grant_checked(struct rudp_connection *connection, uint8_t slot, uint32_t serial,
			int status)
{
	rudp_count(connection->rudp,
		   status == HAUL_OK ? RUDP_COUNTER_GRANTS_GIVEN : RUDP_COUNTER_GRANTS_REFUSED);
	grants_checked(&connection->grants, slot, serial, status);
	if (connection->state < RUDP_ENDED)
		conn_wake(connection);
}

/* One proof; false when there is no room for it now. */
static bool grant_ask(struct rudp *rudp, const struct rudp_grant *grant, bool is_own)
{
	const struct rudp_callbacks *callbacks = &rudp->callbacks;

	if (is_own && callbacks->prove != NULL)
		return callbacks->prove(rudp->context, grant);
	if (!is_own && callbacks->check != NULL)
		return callbacks->check(rudp->context, grant);
	if (is_own) {
		rudp_grant_made(grant->connection, rudp->looked_us, grant->slot, grant->serial,
				HAUL_DENIED, NULL);
	} else {
		rudp_grant_checked(grant->connection, grant->slot, grant->serial, HAUL_DENIED);
	}
	return true;
}

/* All of one connection's; false when there is no room for another now. */
static bool grants_ask(struct rudp_connection *connection)
{
	struct rudp_grant grant = { .connection = connection };
	uint32_t cursor = 0;
	bool is_own;

	while (grants_take_wanted(&connection->grants, &cursor, &grant, &is_own)) {
		if (grant_ask(connection->rudp, &grant, is_own))
			continue;
		grants_put_back(&connection->grants, grant.slot, is_own);
		rudp_count(connection->rudp, RUDP_COUNTER_GRANTS_DELAYED);
		return false;
	}
	return true;
}

RARELY static void grants_ask_all(struct rudp *rudp)
{
	while (!list_is_empty(&rudp->asking)) {
		struct list_link *link = rudp->asking.next;

		if (!grants_ask(CONTAINER_OF(link, struct rudp_connection, asking)))
			return;
		list_remove(link);
	}
}

/* In each round of a worker, nearly always for nothing. */
void rudp_grants_ask(struct rudp *rudp)
{
	if (UNLIKELY(!list_is_empty(&rudp->asking)))
		grants_ask_all(rudp);
}

struct rudp_connection *rudp_next_to_send(struct rudp *rudp, uint64_t now_us)
{
	struct list_link *link;

	rudp->looked_us = now_us;
	while ((link = pacer_take(&rudp->pacer, now_us)) != NULL)
		list_append(&rudp->ready,
			    &CONTAINER_OF(link, struct rudp_connection, paced)->ready);
	link = rudp->ready.next;
	if (list_is_empty(&rudp->ready))
		return NULL;
	/* To the back: the next call gives another one its turn. */
	list_remove(link);
	list_append(&rudp->ready, link);
	return CONTAINER_OF(link, struct rudp_connection, ready);
}

uint64_t rudp_next_deadline_us(const struct rudp *rudp)
{
	return MIN(wheel_next_us(&rudp->wheel), pacer_next_us(&rudp->pacer));
}

unsigned rudp_advance(struct rudp *rudp, uint64_t now_us)
{
	rudp->looked_us = now_us;
	return wheel_advance(&rudp->wheel, now_us, ADVANCE_TIMERS_MAX);
}
