/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /v1/peers, /v1/transports, /v1/channels, /v1/workers and /v1/openings: tables of the dataplane, asked for anew each time.
 */
#include "controlplane/http/reply.h"
#include "controlplane/http/route.h"
#include "controlplane/link/link.h"

static json_t *peer_make(const struct haul_peer_row *row)
{
	json_t *peer = json_object();

	(void)json_object_set_new(peer, "node", json_bytes(row->node, sizeof(row->node)));
	(void)json_object_set_new(peer, "transport",
				  json_bytes(row->transport, sizeof(row->transport)));
	(void)json_object_set_new(peer, "rail", json_u64(row->rail));
	(void)json_object_set_new(peer, "way", json_bytes(row->way, sizeof(row->way)));
	(void)json_object_set_new(peer, "state", json_bytes(row->state, sizeof(row->state)));
	(void)json_object_set_new(peer, "incarnation", json_identity(row->incarnation));
	(void)json_object_set_new(peer, "since_ms", json_u64(row->since_ms));
	(void)json_object_set_new(peer, "rtt_us", json_u64(row->rtt_us));
	(void)json_object_set_new(peer, "segments", json_u64(row->segments));
	(void)json_object_set_new(peer, "bytes_out", json_u64(row->bytes_out));
	(void)json_object_set_new(peer, "bytes_in", json_u64(row->bytes_in));
	(void)json_object_set_new(peer, "retransmissions", json_u64(row->retransmissions));
	(void)json_object_set_new(
		peer, "congestion_control",
		json_bytes(row->congestion_control, sizeof(row->congestion_control)));
	(void)json_object_set_new(peer, "mtu_bytes", json_u64(row->mtu_bytes));
	(void)json_object_set_new(peer, "window_packets", json_u64(row->window_packets));
	(void)json_object_set_new(peer, "rtt_target_us", json_u64(row->rtt_target_us));
	return peer;
}

static json_t *transport_make(const struct haul_transport_row *row)
{
	json_t *transport = json_object();

	(void)json_object_set_new(transport, "transport",
				  json_bytes(row->transport, sizeof(row->transport)));
	(void)json_object_set_new(transport, "device",
				  json_bytes(row->device, sizeof(row->device)));
	(void)json_object_set_new(transport, "state", json_bytes(row->state, sizeof(row->state)));
	(void)json_object_set_new(transport, "address",
				  json_bytes(row->address, sizeof(row->address)));
	(void)json_object_set_new(transport, "mtu_bytes", json_u64(row->mtu_bytes));
	(void)json_object_set_new(transport, "packets_out", json_u64(row->packets_out));
	(void)json_object_set_new(transport, "packets_in", json_u64(row->packets_in));
	return transport;
}

static json_t *channel_make(const struct haul_channel_row *row)
{
	json_t *channel = json_object();

	(void)json_object_set_new(channel, "channel", json_u64(row->channel));
	(void)json_object_set_new(channel, "name", json_bytes(row->name, sizeof(row->name)));
	(void)json_object_set_new(channel, "tenant", json_bytes(row->tenant, sizeof(row->tenant)));
	(void)json_object_set_new(channel, "process", json_u64(row->process));
	(void)json_object_set_new(channel, "operations", json_u64(row->operations));
	(void)json_object_set_new(channel, "open", json_u64(row->open));
	(void)json_object_set_new(channel, "bytes", json_u64(row->bytes));
	(void)json_object_set_new(channel, "time_us", json_u64(row->time_us));
	(void)json_object_set_new(channel, "notified", json_u64(row->notified));
	(void)json_object_set_new(channel, "unread", json_u64(row->unread));
	(void)json_object_set_new(channel, "refused", json_u64(row->refused));
	(void)json_object_set_new(channel, "worker", json_u64(row->worker));
	return channel;
}

static json_t *worker_make(const struct haul_worker_row *row)
{
	json_t *worker = json_object();

	(void)json_object_set_new(worker, "worker", json_u64(row->worker));
	(void)json_object_set_new(worker, "processor",
				  json_bytes(row->processor, sizeof(row->processor)));
	(void)json_object_set_new(worker, "load_permille", json_u64(row->load_permille));
	(void)json_object_set_new(worker, "channels", json_u64(row->channels));
	return worker;
}

static json_t *opening_make(const struct haul_opening_row *row)
{
	static const char *const rights[] = { "none", "read", "write", "read,write" };
	json_t *opening = json_object();

	(void)json_object_set_new(opening, "segment",
				  json_bytes(row->segment, sizeof(row->segment)));
	(void)json_object_set_new(opening, "node", json_bytes(row->node, sizeof(row->node)));
	(void)json_object_set_new(opening, "incarnation", json_identity(row->incarnation));
	(void)json_object_set_new(opening, "tenant", json_bytes(row->tenant, sizeof(row->tenant)));
	(void)json_object_set_new(opening, "rights", json_string(rights[row->rights & 3]));
	(void)json_object_set_new(opening, "version_cached", json_u64(row->version_cached));
	(void)json_object_set_new(opening, "version_seen", json_u64(row->version_seen));
	(void)json_object_set_new(opening, "state", json_bytes(row->state, sizeof(row->state)));
	(void)json_object_set_new(opening, "since_ms", json_u64(row->since_ms));
	(void)json_object_set_new(opening, "handles", json_u64(row->handles));
	(void)json_object_set_new(opening, "refreshes", json_u64(row->refreshes));
	(void)json_object_set_new(
		opening, "failed",
		json_u64(row->absent + row->unreachable + row->malformed + row->denied));
	(void)json_object_set_new(opening, "absent", json_u64(row->absent));
	(void)json_object_set_new(opening, "unreachable", json_u64(row->unreachable));
	(void)json_object_set_new(opening, "malformed", json_u64(row->malformed));
	(void)json_object_set_new(opening, "denied", json_u64(row->denied));
	(void)json_object_set_new(opening, "last_failure",
				  json_bytes(row->failure, sizeof(row->failure)));
	return opening;
}

static void rows_send(struct reply *reply, const char *name, json_t *rows)
{
	json_t *body = json_object();

	(void)json_object_set_new(body, name, rows);
	reply_json(reply, 200, body);
}

static void peers_answered(void *arg, int error, const void *rows, unsigned int count,
			   const char *reason)
{
	const struct haul_peer_row *row = rows;
	json_t *array = json_array();

	for (unsigned int i = 0; i < count; i++)
		(void)json_array_append_new(array, peer_make(&row[i]));
	if (error == 0) {
		rows_send(arg, "peers", array);
		return;
	}
	json_decref(array);
	reply_error(arg, error, reason);
}

static void transports_answered(void *arg, int error, const void *rows, unsigned int count,
				const char *reason)
{
	const struct haul_transport_row *row = rows;
	json_t *array = json_array();

	for (unsigned int i = 0; i < count; i++)
		(void)json_array_append_new(array, transport_make(&row[i]));
	if (error == 0) {
		rows_send(arg, "transports", array);
		return;
	}
	json_decref(array);
	reply_error(arg, error, reason);
}

static void channels_answered(void *arg, int error, const void *rows, unsigned int count,
			      const char *reason)
{
	const struct haul_channel_row *row = rows;
	json_t *array = json_array();

	for (unsigned int i = 0; i < count; i++)
		(void)json_array_append_new(array, channel_make(&row[i]));
	if (error == 0) {
		rows_send(arg, "channels", array);
		return;
	}
	json_decref(array);
	reply_error(arg, error, reason);
}

static void workers_answered(void *arg, int error, const void *rows, unsigned int count,
			     const char *reason)
{
	const struct haul_worker_row *row = rows;
	json_t *array = json_array();

	for (unsigned int i = 0; i < count; i++)
		(void)json_array_append_new(array, worker_make(&row[i]));
	if (error == 0) {
		rows_send(arg, "workers", array);
		return;
	}
	json_decref(array);
	reply_error(arg, error, reason);
}

static void openings_answered(void *arg, int error, const void *rows, unsigned int count,
			      const char *reason)
{
	const struct haul_opening_row *row = rows;
	json_t *array = json_array();

	for (unsigned int i = 0; i < count; i++)
		(void)json_array_append_new(array, opening_make(&row[i]));
	if (error == 0) {
		rows_send(arg, "openings", array);
		return;
	}
	json_decref(array);
	reply_error(arg, error, reason);
}

void route_peers(struct reply *reply, const char *rest)
{
	(void)rest;
	listings_ask(link_listings(reply_scene(reply)->link), HAUL_TABLE_PEERS, peers_answered,
		     reply);
}

void route_transports(struct reply *reply, const char *rest)
{
	(void)rest;
	listings_ask(link_listings(reply_scene(reply)->link), HAUL_TABLE_TRANSPORTS,
		     transports_answered, reply);
}

void route_channels(struct reply *reply, const char *rest)
{
	(void)rest;
	listings_ask(link_listings(reply_scene(reply)->link), HAUL_TABLE_CHANNELS,
		     channels_answered, reply);
}

void route_workers(struct reply *reply, const char *rest)
{
	(void)rest;
	listings_ask(link_listings(reply_scene(reply)->link), HAUL_TABLE_WORKERS, workers_answered,
		     reply);
}

void route_openings(struct reply *reply, const char *rest)
{
	(void)rest;
	listings_ask(link_listings(reply_scene(reply)->link), HAUL_TABLE_OPENINGS,
		     openings_answered, reply);
}
