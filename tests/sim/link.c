/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fate of a packet, in the order in which it would meet it: black hole, queue and bandwidth, loss, corruption,
 * delay, reordering, duplication.
 */
#include "link.h"

#include "rudp/ecn.h"

#include <stdlib.h>
#include <string.h>

/* Queues are bytes, and told in packets of this size: a small packet finds as much room as a large one. */
#define LINK_PACKET_BYTES UINT64_C(1500)

static bool packet_before(const struct link_packet *a, const struct link_packet *b)
{
	if (a->at_us != b->at_us)
		return a->at_us < b->at_us;
	return a->sequence < b->sequence;
}

static void packet_swap(struct link_packet *a, struct link_packet *b)
{
	struct link_packet kept = *a;

	*a = *b;
	*b = kept;
}

static void queue_put(struct link_queue *queue, struct link_packet packet)
{
	uint32_t at = queue->count++;

	if (queue->count > queue->capacity) {
		queue->capacity = queue->capacity != 0 ? queue->capacity * 2 : 1024;
		queue->packets = realloc(queue->packets, queue->capacity * sizeof(*queue->packets));
		if (queue->packets == NULL)
			abort();
	}
	packet.sequence = queue->sequence++;
	queue->packets[at] = packet;
	while (at > 0 && packet_before(&queue->packets[at], &queue->packets[(at - 1) / 2])) {
		packet_swap(&queue->packets[at], &queue->packets[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
}

uint64_t link_queue_next_us(const struct link_queue *queue)
{
	return queue->count > 0 ? queue->packets[0].at_us : UINT64_MAX;
}

struct link_packet link_queue_take(struct link_queue *queue)
{
	struct link_packet first = queue->packets[0];
	uint32_t at = 0;

	queue->packets[0] = queue->packets[--queue->count];
	for (;;) {
		uint32_t least = at;

		for (uint32_t child = 2 * at + 1; child <= 2 * at + 2; child++) {
			if (child < queue->count &&
			    packet_before(&queue->packets[child], &queue->packets[least]))
				least = child;
		}
		if (least == at)
			return first;
		packet_swap(&queue->packets[at], &queue->packets[least]);
		at = least;
	}
}

void link_queue_destroy(struct link_queue *queue)
{
	while (queue->count > 0)
		free(queue->packets[--queue->count].data);
	free(queue->packets);
	memset(queue, 0, sizeof(*queue));
}

static void link_deliver(struct link *link, struct link_packet packet, const uint8_t *data,
			 bool is_garbled)
{
	size_t bytes = packet.bytes;

	packet.data = malloc(bytes);
	if (packet.data == NULL)
		abort();
	memcpy(packet.data, data, bytes);
	for (uint64_t flips = is_garbled ? 1 + random_below(link->random, 4) : 0; flips > 0;
	     flips--) {
		uint64_t bit = random_below(link->random, bytes * 8);

		/* Half of the flips hit the header, where they do most. */
		if (random_chance(link->random, 500000))
			bit %= 32 * 8;
		packet.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	if (is_garbled && random_chance(link->random, 200000))
		packet.bytes = (uint32_t)random_below(link->random, bytes);
	link->counts.delivered++;
	queue_put(link->queue, packet);
}

/* When the last byte has left; UINT64_MAX = the queue is full. A long queue marks. */
static uint64_t link_departure_us(struct link *link, uint64_t now_us, size_t bytes, uint8_t *ecn)
{
	uint64_t start_us8 = now_us * 8;

	if (link->config.bytes_per_us == 0)
		return now_us;
	if (link->busy_until_us8 > start_us8) {
		uint64_t queued =
			(link->busy_until_us8 - start_us8) * link->config.bytes_per_us / 8;

		if (link->config.queue_packets != 0 &&
		    queued >= link->config.queue_packets * LINK_PACKET_BYTES)
			return UINT64_MAX;
		if (link->config.mark_packets != 0 && *ecn != ECN_NOT_ECT &&
		    queued >= link->config.mark_packets * LINK_PACKET_BYTES)
			*ecn = ECN_CE;
		start_us8 = link->busy_until_us8;
	}
	link->busy_until_us8 = start_us8 + bytes * 8 / link->config.bytes_per_us;
	return link->busy_until_us8 / 8;
}

/* Does the path carry a datagram of that size now? */
static bool link_carries(const struct link *link, uint64_t now_us, size_t bytes)
{
	const struct link_config *config = &link->config;
	bool is_shrunk = config->shrink_us != 0
				 ? (now_us - config->shrink_from_us) / config->shrink_us % 2 == 1
				 : now_us >= config->shrink_from_us;
	uint32_t most = config->shrunk_bytes != 0 && is_shrunk ? config->shrunk_bytes
							       : config->carries_bytes;

	return most == 0 || bytes <= most;
}

static bool link_loses(struct link *link, uint64_t now_us)
{
	const struct link_config *config = &link->config;

	if (now_us >= config->black_from_us && now_us < config->black_until_us)
		return true;
	if (!link->in_burst)
		link->in_burst = random_chance(link->random, config->burst_ppm);
	else if (random_chance(link->random, config->burst_end_ppm))
		link->in_burst = false;
	if (link->in_burst && random_chance(link->random, 900000))
		return true;
	return random_chance(link->random, config->loss_ppm) ||
	       random_chance(link->random, config->corrupt_ppm);
}

void link_send(struct link *link, uint64_t now_us, const uint8_t *data, size_t bytes, uint8_t ecn)
{
	const struct link_config *config = &link->config;
	uint64_t at_us = link_departure_us(link, now_us, bytes, &ecn);
	struct link_packet packet = { .to = link->to, .bytes = (uint32_t)bytes };

	link->counts.sent++;
	if (at_us == UINT64_MAX || !link_carries(link, now_us, bytes) || link_loses(link, now_us)) {
		link->counts.dropped++;
		return;
	}
	packet.ecn = config->bleaches != 0 ? ECN_NOT_ECT : ecn;
	at_us += config->delay_us;
	if (config->jitter_us != 0)
		at_us += random_below(link->random, config->jitter_us + 1);
	at_us = link->last_us > at_us ? link->last_us : at_us;
	link->last_us = at_us;
	if (random_chance(link->random, config->reorder_ppm))
		at_us += 1 + random_below(link->random, config->reorder_us);
	if (random_chance(link->random, config->late_ppm))
		at_us += random_below(link->random, config->late_us);
	packet.at_us = at_us;
	link_deliver(link, packet, data, random_chance(link->random, config->garbage_ppm));
	if (!random_chance(link->random, config->duplicate_ppm))
		return;
	packet.at_us += random_below(link->random, config->duplicate_us + 1);
	link_deliver(link, packet, data, false);
}
