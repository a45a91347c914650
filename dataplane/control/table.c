/* SPDX-License-Identifier: BSD-3-Clause */
/* Listings; what workers write is read as it stands, each number for itself. */
#include "control/table.h"

#include "api/haul_control.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memfd.h"
#include "control/node.h"
#include "control/rings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows of one listing: every peer on every transport and worker of a large node. */
#define TABLE_ROWS_MAX 4096u
_Static_assert(WORKERS_MAX <= TABLE_ROWS_MAX, "there is a row for every worker");

/* A rail is what it is, but that its endpoint may be past all that. */
static const char *table_rail_state(const struct endpoint *endpoint, const struct rail *rail)
{
	if (__atomic_load_n(&endpoint->state, __ATOMIC_RELAXED) == ENDPOINT_GONE)
		return endpoint_state_text(ENDPOINT_GONE);
	return rail_stage_text(__atomic_load_n(&rail->stage, __ATOMIC_RELAXED));
}

/* A worker's clock may be ahead of this thread's by a little. */
static uint64_t table_since_ms(const struct rail *rail)
{
	uint64_t since_us = __atomic_load_n(&rail->since_us, __ATOMIC_RELAXED);
	uint64_t now_us = clock_now_us();

	return now_us > since_us ? (now_us - since_us) / 1000 : 0;
}

static void table_fill_peer(const struct node *node, const struct worker *worker,
			    const struct endpoint *endpoint, uint32_t index,
			    struct haul_peer_row *row)
{
	const struct engine *engine = &node->engine;
	const struct transport_ops *ops = engine->ops[endpoint->transport];
	const struct peer *peer = &engine->peers.peers[endpoint->peer];
	const struct rail *rail = &endpoint->rails[index];
	uint32_t number = endpoint_number(endpoint->peer, endpoint->transport);
	struct transport_peer whom = connector_peer(node, endpoint->peer);
	struct rail_stats stats = { 0 };

	whom.way = index;
	ops->describe_way(engine->transports[endpoint->transport], &whom, row->way);
	ops->stats(worker->transports[endpoint->transport], rail_number(number, index), &stats);
	memcpy(row->node, peer->node, sizeof(row->node));
	strncpy(row->transport, ops->name, sizeof(row->transport) - 1);
	strncpy(row->state, table_rail_state(endpoint, rail), sizeof(row->state) - 1);
	row->incarnation = peer->incarnation;
	row->rail = index;
	row->since_ms = table_since_ms(rail);
	row->segments = peer->references;
	row->rtt_us = stats.rtt_us;
	row->bytes_out = stats.bytes_out;
	row->bytes_in = stats.bytes_in;
	row->retransmissions = stats.retransmissions;
	row->mtu_bytes = stats.mtu_bytes;
	row->window_packets = stats.window_packets;
	row->rtt_target_us = stats.rtt_target_us;
	if (stats.congestion_name != NULL)
		strncpy(row->congestion_control, stats.congestion_name,
			sizeof(row->congestion_control) - 1);
}

/* The rails of an endpoint that were ever asked for; returns how many. */
static uint32_t table_rails(const struct node *node, const struct worker *worker,
			    const struct endpoint *endpoint, struct haul_peer_row *rows,
			    uint32_t max)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < ENGINE_RAILS_MAX && count < max; i++) {
		if (__atomic_load_n(&endpoint->rails[i].stage, __ATOMIC_RELAXED) != RAIL_STAGE_IDLE)
			table_fill_peer(node, worker, endpoint, i, &rows[count++]);
	}
	return count;
}

static uint32_t table_peers(struct node *node, struct haul_peer_row *rows)
{
	const struct engine *engine = &node->engine;
	uint32_t count = 0;

	for (uint32_t i = 0; i < engine->options.worker_count; i++) {
		for (uint32_t j = 0; j < ENGINE_ENDPOINTS_MAX; j++) {
			const struct endpoint *endpoint = &engine->workers[i]->endpoints[j];

			if (__atomic_load_n(&endpoint->state, __ATOMIC_RELAXED) == ENDPOINT_IDLE ||
			    engine->peers.peers[endpoint->peer].references == 0)
				continue;
			count += table_rails(node, engine->workers[i], endpoint, &rows[count],
					     TABLE_ROWS_MAX - count);
		}
	}
	return count;
}

static uint32_t table_transports(struct node *node, struct haul_transport_row *rows)
{
	const struct engine *engine = &node->engine;
	uint32_t count = 0;

	for (uint32_t i = 0; i < engine->order_count; i++) {
		uint32_t id = engine->order[i];

		count += engine->ops[id]->describe(engine->transports[id], &rows[count],
						   TABLE_ROWS_MAX - count);
	}
	return count;
}

static void table_fill_notices(const struct notices *notices, struct haul_channel_row *row)
{
	row->notified = atomic_load_explicit(&notices->delivered, memory_order_relaxed);
	row->unread = notices_unread(notices);
	row->refused = atomic_load_explicit(&notices->refused, memory_order_relaxed);
}

/* What a worker counts of a channel, as it stands. */
static uint64_t table_number(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static uint32_t table_channels(struct node *node, struct haul_channel_row *rows)
{
	const struct client *client;
	uint32_t count = 0;

	TAILQ_FOREACH(client, &node->clients.list, link)
	{
		struct haul_channel_row *row = &rows[count];

		if (client->rings == NULL || count == TABLE_ROWS_MAX)
			continue;
		row->channel = client->number;
		memcpy(row->name, client->name, sizeof(row->name));
		memcpy(row->tenant, client->tenant, strlen(client->tenant));
		row->process = (uint64_t)client->pid;
		row->operations = table_number(&client->rings->channel.accepted);
		row->open = row->operations - table_number(&client->rings->channel.completed);
		row->bytes = table_number(&client->rings->channel.bytes);
		row->time_us = table_number(&client->rings->channel.time_us);
		row->worker = client->rings->channel.worker->number;
		table_fill_notices(&client->rings->channel.notices, row);
		count++;
	}
	return count;
}

static uint32_t table_workers(struct node *node, struct haul_worker_row *rows)
{
	uint32_t count = node->engine.options.worker_count;

	for (uint32_t i = 0; i < count; i++) {
		const struct balance_worker *known = &node->balance.workers[i];
		struct haul_worker_row *row = &rows[i];

		row->worker = i;
		row->channels = known->channels;
		row->load_permille = known->load / (BALANCE_WHOLE / 1000);
		if (node->conf->worker_count > 0) {
			(void)snprintf(row->processor, sizeof(row->processor), "%u",
				       node->conf->workers[i]);
		} else {
			memcpy(row->processor, "any", sizeof("any"));
		}
	}
	return count;
}

static void table_fill_opening(const struct node *node, const struct opening *opening,
			       struct haul_opening_row *row)
{
	const struct remote *remote = &node->engine.remotes.remotes[opening->remote];
	const struct remote_view *view = atomic_load_explicit(&remote->view, memory_order_relaxed);

	memcpy(row->segment, opening->name, sizeof(row->segment));
	memcpy(row->node, opening->owner, sizeof(row->node));
	memcpy(row->tenant, opening->tenant, sizeof(row->tenant));
	strncpy(row->state, opening_state_text(opening->state), sizeof(row->state) - 1);
	if (opening->failure != HAUL_OK)
		strncpy(row->failure, error_name((int)opening->failure), sizeof(row->failure) - 1);
	row->incarnation = opening->incarnation;
	row->rights = opening->rights;
	row->version_cached = view->version;
	row->version_seen = atomic_load_explicit(&remote->version_seen, memory_order_relaxed);
	row->since_ms = (clock_now_us() - opening->since_us) / 1000;
	row->handles = opening->references - (opening->is_refreshing ? 1 : 0);
	row->refreshes = opening->refreshes;
	row->absent = opening->failures[OPENING_ABSENT];
	row->unreachable = opening->failures[OPENING_UNREACHABLE];
	row->malformed = opening->failures[OPENING_MALFORMED];
	row->denied = opening->failures[OPENING_DENIED];
}

/* Those that handles name; what only waits for a quiescent point is nobody's any more. */
static uint32_t table_openings(struct node *node, struct haul_opening_row *rows)
{
	const struct opening *opening;
	uint32_t count = 0;

	TAILQ_FOREACH(opening, &node->openings, link)
	{
		if (opening->references > 0 && count < TABLE_ROWS_MAX)
			table_fill_opening(node, opening, &rows[count++]);
	}
	return count;
}

int table_make(struct node *node, uint32_t table, uint32_t *rows_out, uint32_t *row_bytes_out)
{
	union {
		struct haul_peer_row peer;
		struct haul_transport_row transport;
		struct haul_channel_row channel;
		struct haul_worker_row worker;
		struct haul_opening_row opening;
	} *rows = calloc(TABLE_ROWS_MAX, sizeof(*rows));

	int fd;

	if (rows == NULL)
		return -HAUL_SYSTEM;
	switch (table) {
	case HAUL_TABLE_PEERS:
		*rows_out = table_peers(node, &rows->peer);
		*row_bytes_out = sizeof(rows->peer);
		break;
	case HAUL_TABLE_TRANSPORTS:
		*rows_out = table_transports(node, &rows->transport);
		*row_bytes_out = sizeof(rows->transport);
		break;
	case HAUL_TABLE_CHANNELS:
		*rows_out = table_channels(node, &rows->channel);
		*row_bytes_out = sizeof(rows->channel);
		break;
	case HAUL_TABLE_OPENINGS:
		*rows_out = table_openings(node, &rows->opening);
		*row_bytes_out = sizeof(rows->opening);
		break;
	case HAUL_TABLE_WORKERS:
		*rows_out = table_workers(node, &rows->worker);
		*row_bytes_out = sizeof(rows->worker);
		break;
	default:
		free(rows);
		return -HAUL_INVALID;
	}
	fd = memfd_from_bytes("haul-table", rows, (size_t)*rows_out * *row_bytes_out);
	free(rows);
	return fd < 0 ? -HAUL_SYSTEM : fd;
}
