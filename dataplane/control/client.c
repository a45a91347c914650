/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients and their attach sockets; client.h says how they live and die. */
#include "control/client.h"

#include "api/haul_abi.h"
#include "base/check.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/names.h"
#include "base/seqpacket.h"
#include "control/node.h"
#include "control/opening.h"
#include "control/rings.h"
#include "control/segment.h"

#include <errno.h>
#include <event2/event.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* Clients accepted in one event. */
#define CLIENT_ACCEPT_BUDGET 16

/* Connections that may be open beside channels: they have not said HELLO yet. */
#define CLIENT_STRANGERS_MAX 64u

/* And those of one user, so that no user takes them all. */
#define CLIENT_STRANGERS_OF_USER_MAX 16u

void client_answer(struct client *client, enum haul_error status, void *message, size_t length,
		   const int *fds, unsigned int fd_count)
{
	struct haul_frame *frame = message;

	if (client->fd < 0)
		return; /* it died while it waited */
	BUG_ON(!client->is_waiting);
	client->is_waiting = false;
	frame_fill(frame, HAUL_ATTACH_VERSION, client->request_type | HAUL_FRAME_ANSWER,
		   (uint32_t)length, client->request);
	frame->status = (uint32_t)status;
	if (seqpacket_send(client->fd, message, length, fds, fd_count) != 0)
		client_end(client, HAUL_DISCONNECTED, "the attach socket does not take an answer");
}

void client_refuse(struct client *client, enum haul_error status, const char *format, ...)
{
	struct haul_attach_plain_answer message = { 0 };
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message.answer.reason, sizeof(message.answer.reason), format, arguments);
	va_end(arguments);
	log_debug("attach", "client %u: refused: %s", client->number, message.answer.reason);
	refusal_count(&client->node->refusals, status, client->name, message.answer.reason);
	client_answer(client, status, &message, sizeof(message), NULL, 0);
}

void client_release(struct client *client)
{
	BUG_ON(client->pending == 0);
	if (--client->pending > 0)
		return;
	BUG_ON(client->fd >= 0);
	TAILQ_REMOVE(&client->node->clients.list, client, link);
	free(client);
}

/* Take the channel away from its worker; client_channel_gone goes on. */
static void client_close_channel(struct client *client, enum haul_error error, const char *reason)
{
	struct worker_command command = { .kind = WORKER_CHANNEL_CLOSE,
					  .channel = &client->rings->channel,
					  .error = error,
					  .reason = reason };
	bool pushed;

	pushed = worker_command(client->rings->channel.worker, &command);
	BUG_ON(!pushed);
}

void client_end(struct client *client, enum haul_error error, const char *reason)
{
	if (client->fd < 0)
		return;
	log_debug("attach", "client %u: ends: %s", client->number, reason);
	event_free(client->readable);
	client->readable = NULL;
	close(client->fd);
	client->fd = -1;
	segment_abandon_all(client);
	if (client->rings != NULL)
		client_close_channel(client, error, reason);
	client_release(client);
}

/* Rings for the client, served by a worker from now on. Returns 0 or -errno. */
static int client_make_channel(struct client *client, uint32_t entries)
{
	struct node *node = client->node;
	struct worker *worker = balance_pick(&node->balance);
	struct worker_command command = { .kind = WORKER_CHANNEL_ADD };
	/* An edge for each ring of the bell: who would read the counter could be made to wait for one. */
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	bool pushed;
	int error;

	if (worker == NULL)
		return -EBUSY;
	error = rings_create(client->number, entries, node->conf->operation_timeout_ms,
			     &client->rings);
	if (error != 0)
		return error;
	event.data.fd = client->rings->channel.doorbell_fd;
	if (epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, event.data.fd, &event) != 0) {
		error = -errno;
		rings_destroy(client->rings);
		client->rings = NULL;
		return error;
	}
	client->rings->client = client;
	client->rings->channel.worker = worker;
	balance_add(&node->balance, worker);
	node->clients.channels++;
	client->pending++;
	command.channel = &client->rings->channel;
	pushed = worker_command(worker, &command);
	BUG_ON(!pushed);
	return 0;
}

static void client_rings_quiesced(struct quiesce_action *action)
{
	rings_destroy(CONTAINER_OF(action, struct rings, quiesce));
}

/*
 * No worker serves the channel any more: free what it was. The worker may be asleep with the doorbell among its events,
 * so the descriptors are closed when it has gone round.
 */
static void client_free_channel(struct client *client)
{
	struct rings *rings = client->rings;
	struct worker *worker = rings->channel.worker;

	epoll_ctl(worker->epoll_fd, EPOLL_CTL_DEL, rings->channel.doorbell_fd, NULL);
	balance_remove(&client->node->balance, worker);
	client->node->clients.channels--;
	opening_drop_all(client);
	client->rings = NULL;
	quiesce_call(&client->node->quiesce, &rings->quiesce, client_rings_quiesced);
	client_release(client);
}

static struct client *client_of_channel(const struct node *node, const struct channel *channel)
{
	struct client *client;

	TAILQ_FOREACH(client, &node->clients.list, link)
	{
		if (client->rings != NULL && &client->rings->channel == channel)
			return client;
	}
	return NULL;
}

void client_channel_gone(struct node *node, const struct worker_request *request)
{
	struct client *client = client_of_channel(node, request->channel);

	BUG_ON(client == NULL);
	client_free_channel(client);
}

void client_channel_bad(struct node *node, const struct worker_request *request)
{
	struct client *client = client_of_channel(node, request->channel);

	if (client == NULL || client->fd < 0)
		return;
	log_warning("attach", "client %u (%s, pid %d): its channel is closed: %s", client->number,
		    client->name, client->pid, request->reason);
	client_end(client, HAUL_INVALID, "the client broke its rings");
}

static void client_answer_hello(struct client *client)
{
	const struct node *node = client->node;
	struct rings *rings = client->rings;
	const struct channel *channel = &rings->channel;
	struct haul_attach_hello_answer message = { 0 };
	int fds[3] = { rings->memory_fd, channel->doorbell_fd, rings->client_wake_fd };

	message.abi_version = HAUL_ABI_VERSION;
	message.entries = channel->entries_count;
	message.completions = channel->completions_count;
	message.notifications = channel->notices.count;
	message.channel = client->number;
	message.incarnation = node->engine.options.incarnation;
	memcpy(message.node, node->conf->node, sizeof(message.node));
	memcpy(message.tenant, client->tenant, strlen(client->tenant));
	client_answer(client, HAUL_OK, &message, sizeof(message), fds, 3);
	rings_close_sent(rings);
}

/* What is wrong with a HELLO; the refusal has been answered when it is not HAUL_OK. */
static enum haul_error client_check_hello(struct client *client,
					  const struct haul_attach_hello *message)
{
	struct dataplane_quota quota;
	uint32_t channels = 0;
	struct client *other;

	dataplane_conf_quota(client->node->conf, client->uid, &quota);
	TAILQ_FOREACH(other, &client->node->clients.list, link)
	channels += other->rings != NULL && other->uid == client->uid;
	if (client->rings != NULL)
		client_refuse(client, HAUL_INVALID, "this socket has a channel already");
	else if (message->abi_version != HAUL_ABI_VERSION) {
		client_refuse(client, HAUL_VERSION,
			      "the library's ring layout is version %u, the daemon's is %u",
			      message->abi_version, HAUL_ABI_VERSION);
	} else if (message->entries != 0 && (!IS_POWER_OF_TWO(message->entries) ||
					     message->entries < HAUL_RING_ENTRIES_MIN ||
					     message->entries > HAUL_RING_ENTRIES_MAX)) {
		client_refuse(client, HAUL_INVALID,
			      "%u entries: a ring has a power of two from %u to %u",
			      message->entries, HAUL_RING_ENTRIES_MIN, HAUL_RING_ENTRIES_MAX);
	} else if (memchr(message->name, 0, sizeof(message->name)) == NULL) {
		client_refuse(client, HAUL_INVALID, "the application's name has no end");
	} else if (channels >= quota.channels) {
		client_refuse(client, HAUL_QUOTA,
			      "uid %u has %u channels and asks for 1 more; it may have %u",
			      client->uid, channels, quota.channels);
	} else if (client->node->clients.channels >= client->node->conf->channels_max) {
		client_refuse(client, HAUL_BUSY, "all %u channels of this daemon are in use",
			      client->node->conf->channels_max);
	} else {
		return HAUL_OK;
	}
	return HAUL_INVALID;
}

static void client_hello(struct client *client, const struct haul_attach_hello *message)
{
	uint32_t entries = message->entries;
	int error;

	if (client_check_hello(client, message) != HAUL_OK)
		return;
	memcpy(client->name, message->name, sizeof(client->name));
	for (char *at = client->name; *at != 0; at++) {
		if (*at < ' ' || *at > '~')
			*at = '?'; /* it goes into logs and listings */
	}
	error = client_make_channel(client,
				    entries != 0 ? entries : client->node->conf->channel_entries);
	if (error != 0) {
		client_refuse(client, error == -EBUSY ? HAUL_BUSY : HAUL_SYSTEM,
			      "a channel cannot be made: %s", strerrordesc_np(-error));
		return;
	}
	log_info("attach", "client %u (%s, pid %d, uid %u, tenant %s): attached", client->number,
		 client->name, client->pid, client->uid, client->tenant);
	client_answer_hello(client);
}

/* The least a request of each type must have; 0 = no request. */
static size_t client_request_bytes(uint16_t type)
{
	switch (type) {
	case HAUL_ATTACH_HELLO:
		return sizeof(struct haul_attach_hello);
	case HAUL_ATTACH_SEGMENT_CREATE:
		return sizeof(struct haul_attach_segment_create);
	case HAUL_ATTACH_SEGMENT_DESTROY:
		return sizeof(struct haul_attach_segment_destroy);
	case HAUL_ATTACH_SEGMENT_OPEN:
		return sizeof(struct haul_attach_segment_open);
	case HAUL_ATTACH_SEGMENT_CLOSE:
		return sizeof(struct haul_attach_segment_close);
	case HAUL_ATTACH_BUFFER_ADD:
		return sizeof(struct haul_attach_buffer_add);
	case HAUL_ATTACH_BUFFER_REMOVE:
	case HAUL_ATTACH_EXTENT_RETIRE:
		return sizeof(struct haul_attach_buffer_remove);
	case HAUL_ATTACH_EXTENT_PUBLISH:
		return sizeof(struct haul_attach_extent_publish);
	default:
		return 0;
	}
}

/* Is this a message that brings a descriptor? */
static bool client_gives(const void *bytes, size_t length)
{
	const struct haul_attach_segment_create *created = bytes;
	const struct haul_attach_buffer_add *added = bytes;

	if (length == sizeof(*created) && created->frame.type == HAUL_ATTACH_SEGMENT_CREATE)
		return (created->flags & HAUL_SEGMENT_GIVEN) != 0;
	return length == sizeof(*added) && added->frame.type == HAUL_ATTACH_BUFFER_ADD &&
	       (added->flags & HAUL_SEGMENT_GIVEN) != 0;
}

/* EXTENT_PUBLISH, or what names a region alone. */
static void client_change_memory(struct client *client, const void *bytes)
{
	const struct haul_attach_extent_publish *publish = bytes;
	struct asker asker = { .client = client };

	if (publish->frame.type == HAUL_ATTACH_EXTENT_PUBLISH)
		extent_publish(&asker, publish->region, publish->offset, publish->bytes);
	else if (publish->frame.type == HAUL_ATTACH_EXTENT_RETIRE)
		extent_retire(&asker, publish->region);
	else
		buffer_remove(&asker, publish->region);
}

/* *fd is -1, or the descriptor that came along; who takes it sets it to -1. */
static void client_dispatch(struct client *client, const struct haul_frame *frame, int *fd)
{
	const void *message = frame;

	if (client_gives(frame, frame->length) && *fd < 0) {
		client_refuse(client, HAUL_INVALID,
			      "the memory is said to be given, but no descriptor came");
		return;
	}
	if (client->rings == NULL && frame->type != HAUL_ATTACH_HELLO) {
		client_refuse(client, HAUL_INVALID, "the first message must be HELLO, not type %u",
			      frame->type);
		return;
	}
	switch (frame->type) {
	case HAUL_ATTACH_HELLO:
		client_hello(client, message);
		break;
	case HAUL_ATTACH_SEGMENT_CREATE:
		segment_create(client, message, fd);
		break;
	case HAUL_ATTACH_SEGMENT_DESTROY:
		segment_destroy(client, message);
		break;
	case HAUL_ATTACH_BUFFER_ADD:
		segment_add(client, message, fd);
		break;
	case HAUL_ATTACH_BUFFER_REMOVE:
	case HAUL_ATTACH_EXTENT_PUBLISH:
	case HAUL_ATTACH_EXTENT_RETIRE:
		client_change_memory(client, message);
		break;
	case HAUL_ATTACH_SEGMENT_OPEN:
		opening_open(client, message);
		break;
	default:
		opening_close(client, message);
		break;
	}
}

/* A request as it was received: what is wrong with it is answered, and not fatal where it can be. */
static void client_request(struct client *client, const void *bytes, size_t length, int *fd)
{
	const struct haul_frame *frame = bytes;
	char reason[HAUL_REASON_BYTES];
	int error;

	if (client->is_waiting) {
		client_end(client, HAUL_INVALID, "a second request before the answer to the first");
		return;
	}
	error = frame_check(bytes, length, HAUL_ATTACH_VERSION, sizeof(*frame), reason);
	client->is_waiting = true;
	client->request = length >= sizeof(*frame) ? frame->request : 0;
	client->request_type = length >= sizeof(*frame) ? frame->type & (HAUL_FRAME_ANSWER - 1) : 0;
	if (error != 0)
		client_refuse(client, (enum haul_error)abs(error), "%s", reason);
	else if (client_request_bytes(frame->type) != length) {
		client_refuse(client, HAUL_INVALID, "a message of type %u has %zu bytes, not %zu",
			      frame->type, client_request_bytes(frame->type), length);
	} else {
		client_dispatch(client, frame, fd);
	}
}

static void client_on_readable(int fd, short what, void *argument)
{
	struct client *client = argument;

	union {
		struct haul_frame frame;
		uint8_t bytes[HAUL_FRAME_BYTES_MAX];
	} message;

	unsigned int fd_count = 0;
	ssize_t length;
	int given = -1;

	(void)what;
	length = seqpacket_receive(fd, &message, sizeof(message), &given, 1, &fd_count);
	if (length == -EAGAIN)
		return;
	if (length <= 0)
		client_end(client, HAUL_DISCONNECTED, "its socket was closed");
	else if (given >= 0 && !client_gives(&message, (size_t)length))
		client_end(client, HAUL_INVALID, "it sent a descriptor that nobody asked for");
	else
		client_request(client, &message, (size_t)length, &given);
	if (given >= 0)
		close(given);
}

/* May one more of this user connect? What is left of clients that have ended does not count: Redis may hold it long. */
static bool client_has_room(const struct node *node, uid_t uid)
{
	const struct client *client;
	struct dataplane_quota quota;
	uint32_t all = 0;
	uint32_t own = 0;

	TAILQ_FOREACH(client, &node->clients.list, link)
	{
		all += client->fd >= 0;
		own += client->fd >= 0 && client->uid == uid;
	}
	dataplane_conf_quota(node->conf, uid, &quota);
	return all < node->conf->channels_max + CLIENT_STRANGERS_MAX &&
	       own < quota.channels + CLIENT_STRANGERS_OF_USER_MAX;
}

/* A struct for a connection, or NULL when it must be turned away. */
static struct client *client_make(struct node *node, int fd)
{
	struct seqpacket_peer peer;
	struct client *client;

	if (seqpacket_peer_get(fd, &peer) != 0 || !client_has_room(node, peer.uid))
		return NULL;
	client = calloc(1, sizeof(*client));
	if (client == NULL)
		return NULL;
	client->node = node;
	client->fd = fd;
	client->uid = peer.uid;
	client->pid = peer.pid;
	client->tenant = dataplane_conf_tenant(node->conf, peer.uid);
	client->number = ++node->clients.next_number;
	client->pending = 1;
	client->readable =
		event_new(node->base, fd, EV_READ | EV_PERSIST, client_on_readable, client);
	if (client->readable == NULL || event_add(client->readable, NULL) != 0) {
		if (client->readable != NULL)
			event_free(client->readable);
		free(client);
		return NULL;
	}
	return client;
}

/*
 * Accepting failed. When it is not for want of clients, descriptors are short, and whoever waits would turn the loop
 * without end: the listener rests until client_listen_again.
 */
static void client_rest(struct node *node, int error)
{
	if (error == -EAGAIN)
		return;
	log_limited(&node->clients.limit, LOG_LEVEL_WARNING, "attach", "cannot accept: %s",
		    strerrordesc_np(-error));
	event_del(node->clients.acceptable);
}

void client_listen_again(struct node *node)
{
	if (node->clients.acceptable != NULL)
		event_add(node->clients.acceptable, NULL);
}

static void client_on_acceptable(int fd, short what, void *argument)
{
	struct node *node = argument;

	(void)what;
	for (int i = 0; i < CLIENT_ACCEPT_BUDGET; i++) {
		int accepted = seqpacket_accept(fd);
		struct client *client;

		if (accepted < 0) {
			client_rest(node, accepted);
			return;
		}
		client = client_make(node, accepted);
		if (client == NULL) {
			log_limited(&node->clients.limit, LOG_LEVEL_WARNING, "attach",
				    "a client was turned away: too many are connected");
			close(accepted);
			continue;
		}
		TAILQ_INSERT_TAIL(&node->clients.list, client, link);
	}
}

int client_listen(struct node *node)
{
	struct client_table *clients = &node->clients;

	clients->listener = seqpacket_listen(node->conf->attach_socket, node->conf->attach_mode);
	if (clients->listener < 0) {
		log_error("attach", "attach socket %s: cannot listen: %s",
			  node->conf->attach_socket, strerrordesc_np(-clients->listener));
		return clients->listener;
	}
	clients->acceptable = event_new(node->base, clients->listener, EV_READ | EV_PERSIST,
					client_on_acceptable, node);
	if (clients->acceptable == NULL || event_add(clients->acceptable, NULL) != 0)
		return -ENOMEM;
	return 0;
}

void client_stop(struct node *node)
{
	struct client_table *clients = &node->clients;
	struct client *client = TAILQ_FIRST(&clients->list);

	if (clients->acceptable != NULL)
		event_free(clients->acceptable);
	clients->acceptable = NULL;
	if (clients->listener >= 0) {
		close(clients->listener);
		unlink(node->conf->attach_socket);
	}
	clients->listener = -1;
	while (client != NULL) {
		struct client *next = TAILQ_NEXT(client, link);

		client_end(client, HAUL_DISCONNECTED, "the daemon stops");
		client = next;
	}
}

void client_free_channels(struct node *node)
{
	struct client *client = TAILQ_FIRST(&node->clients.list);

	while (client != NULL) {
		struct client *next = TAILQ_NEXT(client, link);

		if (client->rings != NULL)
			client_free_channel(client);
		client = next;
	}
}

void client_check_faults(struct node *node)
{
	struct client *client = TAILQ_FIRST(&node->clients.list);

	while (client != NULL) {
		struct client *next = TAILQ_NEXT(client, link);

		if (client->fd >= 0 && client->rings != NULL &&
		    fault_poisoned(client->rings->fault_id)) {
			log_warning("attach", "client %u (%s, pid %d): took its rings away",
				    client->number, client->name, client->pid);
			client_end(client, HAUL_FAULT, "the client took its rings away");
		}
		client = next;
	}
}
