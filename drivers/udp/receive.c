/* SPDX-License-Identifier: BSD-3-Clause */
/* The way in: bursts from the ports, through frame_parse, to rudp or to the control half. */
#include "base/check.h"
#include "drivers/udp/counters.h"
#include "drivers/udp/worker.h"

#include <string.h>

/*
 * Packets taken from a port in one round, however large the budget: acknowledgements go out after it, and a sender whose
 * window is four times this never waits for a whole window to be worked through. Also what stays in a core's own cache.
 */
#define UDP_RECEIVE_PACKETS 64u

/* Hand something to the control thread. Copies no more than it holds; a full ring drops and counts. */
static void udp_tell_control(struct transport_worker *worker, struct udp_event *event,
			     const uint8_t *data)
{
	if (data != NULL)
		memcpy(event->data, data, event->bytes);
	if (!spsc_push(&worker->events, event))
		counter_add(&worker->counters[UDP_DROP_CONTROL], 1);
	worker->has_events = true;
}

/* Hand a packet over to another worker, who frees it; false: it stays here, to be freed. */
static bool udp_relay(struct transport_worker *worker, uint32_t to,
		      const struct relay_packet *packet)
{
	/* Nothing of a port that is gone is passed on: its packet buffers are waited for. */
	if (worker->queues[packet->port].port == NULL)
		return false;
	udp_relayed_add(&worker->relayed_out[packet->port],
			1); /* before anybody can be done with it */
	if (!spsc_push(&udp_relay_to(worker, to)->received, packet)) {
		udp_relayed_add(&worker->relayed_out[packet->port], -1);
		counter_add(&worker->counters[UDP_DROP_RELAY], 1);
		return false;
	}
	udp_note_relayed(worker, to);
	counter_add(&worker->counters[UDP_WRONG_WORKER_OUT], 1);
	return true;
}

static void udp_receive_lookup(struct transport_worker *worker, const struct udp_queue *queue,
			       const uint8_t *frame, uint32_t bytes)
{
	struct udp_event event = { .kind = UDP_EVENT_LOOKUP, .port = queue->port->index };
	const uint32_t macs_bytes = 2 * FRAME_MAC_BYTES;
	uint32_t tag_bytes = queue->self.vlan == 0 ? 0 : FRAME_TAG_BYTES;

	/* Without its tag. What follows is padding, or options that are longer than those that are known. */
	memcpy(event.data, frame, macs_bytes);
	frame += macs_bytes + tag_bytes;
	event.bytes = MIN(bytes - tag_bytes, LOOKUP_FRAME_BYTES_MAX);
	memcpy(event.data + macs_bytes, frame, event.bytes - macs_bytes);
	udp_tell_control(worker, &event, NULL);
}

static void udp_receive_handshake(struct transport_worker *worker,
				  const struct rudp_address *address,
				  const struct relay_packet *packet)
{
	const struct frame_datagram *datagram = &packet->datagram;
	struct udp_event event = { .kind = UDP_EVENT_HANDSHAKE,
				   .port = packet->port,
				   .bytes = datagram->bytes,
				   .address = *address };

	if (datagram->bytes > sizeof(event.data))
		counter_add(&worker->counters[UDP_DROP_INVALID], 1);
	else if (datagram->target_port != worker->udp_port &&
		 handshake_is_question(datagram->payload))
		counter_add(&worker->counters[UDP_DROP_UNASKED], 1);
	else
		udp_tell_control(worker, &event, datagram->payload);
}

static void udp_receive_connection(struct transport_worker *worker,
				   const struct rudp_address *address,
				   const struct relay_packet *packet)
{
	const struct frame_datagram *datagram = &packet->datagram;

	if (UNLIKELY(rudp_receive_marked(worker->rudp, worker->now_us, address, datagram->payload,
					 datagram->bytes, datagram->ecn) == RUDP_RECEIVE_UNKNOWN)) {
		struct udp_event event = { .kind = UDP_EVENT_UNKNOWN,
					   .port = packet->port,
					   .bytes = datagram->bytes,
					   .address = *address };

		event.connection = rudp_packet_connection(datagram->payload);
		udp_tell_control(worker, &event, NULL);
	}
}

/* A reset names an id of its sender, which does not tell whose connection is meant: it goes round once. */
static bool udp_receive_reset(struct transport_worker *worker, const struct rudp_address *address,
			      struct relay_packet *packet)
{
	const struct frame_datagram *datagram = &packet->datagram;

	if (rudp_receive(worker->rudp, worker->now_us, address, datagram->payload,
			 datagram->bytes) != RUDP_RECEIVE_ELSEWHERE ||
	    ++packet->hops >= worker->worker_count ||
	    !udp_limit_take(&worker->resets, worker->now_us, UDP_RESETS_PER_S))
		return false;
	return udp_relay(worker, (worker->number + 1) % worker->worker_count, packet);
}

/* True: the packet has been handed over, with its buffer. */
static bool udp_receive_datagram(struct transport_worker *worker, struct relay_packet *packet)
{
	const struct frame_datagram *datagram = &packet->datagram;
	struct rudp_address address = { .family = datagram->family,
					.link = (uint8_t)packet->port,
					.port = datagram->source_port,
					.local_port = datagram->target_port,
					.queue = (uint8_t)packet->queue };
	uint32_t owner;

	if (LIKELY(datagram->family == 4))
		memcpy(address.ip, datagram->source, 4);
	else
		memcpy(address.ip, datagram->source, sizeof(address.ip));
	switch (rudp_packet_kind(datagram->payload, datagram->bytes)) {
	case RUDP_PACKET_CONNECTION:
		owner = rudp_packet_worker(datagram->payload);
		/* Of a worker that there is not: of an earlier daemon's, and answered as unknown. */
		if (UNLIKELY(owner != worker->number && owner < worker->worker_count))
			return udp_relay(worker, owner, packet);
		udp_receive_connection(worker, &address, packet);
		break;
	case RUDP_PACKET_RESET:
		return udp_receive_reset(worker, &address, packet);
	case RUDP_PACKET_HANDSHAKE:
		udp_receive_handshake(worker, &address, packet);
		break;
	default:
		counter_add(&worker->counters[UDP_DROP_INVALID], 1);
		break;
	}
	return false;
}

/* True: the frame has been handed over, with its buffer. */
static bool udp_receive_frame(struct transport_worker *worker, struct udp_queue *queue,
			      struct rte_mbuf *mbuf)
{
	struct relay_packet packet = { .mbuf = mbuf,
				       .port = (uint16_t)queue->port->index,
				       .queue = queue->number };
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	uint64_t sum = mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK;
	enum frame_verdict verdict;

	if (UNLIKELY(mbuf->nb_segs != 1)) {
		counter_add(&worker->counters[UDP_DROP_CHAINED], 1);
		return false;
	}
	/* A port that says "bad" may be wrong about the odd packet: then it is computed here. */
	queue->self.is_sum_known = sum == RTE_MBUF_F_RX_L4_CKSUM_GOOD;
	verdict = frame_parse(&queue->self, frame, mbuf->data_len, &packet.datagram);
	counter_add(&worker->counters[verdict], 1);
	if (LIKELY(verdict == FRAME_UDP))
		return udp_receive_datagram(worker, &packet);
	if (verdict == FRAME_LOOKUP)
		udp_receive_lookup(worker, queue, frame, mbuf->data_len);
	else if (verdict == FRAME_ECHO)
		udp_send_echo(worker, queue, frame, mbuf->data_len);
	return false;
}

static uint32_t udp_receive_burst(struct transport_worker *worker, struct udp_queue *queue)
{
	struct rte_mbuf *mbufs[PORT_BURST];
	uint16_t count = rte_eth_rx_burst(queue->port->id, queue->number, mbufs, PORT_BURST);

	if (count == 0)
		return 0;
	rte_prefetch0(rte_pktmbuf_mtod(mbufs[0], void *));
	for (uint16_t i = 0; i < count; i++) {
		if (i + 1 < count)
			rte_prefetch0(rte_pktmbuf_mtod(mbufs[i + 1], void *));
		if (UNLIKELY(udp_receive_frame(worker, queue, mbufs[i])))
			mbufs[i] = NULL; /* another worker's now */
	}
	rte_pktmbuf_free_bulk(mbufs, count);
	queue->packets_in += count;
	return count;
}

/* What other workers have received for this one. */
static uint32_t udp_receive_relayed(struct transport_worker *worker)
{
	struct relay_packet packet;
	uint32_t work = 0;

	for (uint32_t i = 0; i < worker->worker_count; i++) {
		struct relay *relay = udp_relay_from(worker, i);

		if (i == worker->number)
			continue;
		for (uint32_t j = 0; j < RELAY_BURST && spsc_pop(&relay->received, &packet); j++) {
			if (!udp_receive_datagram(worker, &packet))
				rte_pktmbuf_free(packet.mbuf);
			udp_relayed_add(&worker->relayed_done[packet.port], 1);
			counter_add(&worker->counters[UDP_WRONG_WORKER_IN], 1);
			work++;
		}
	}
	return work;
}

uint32_t udp_receive_all(struct transport_worker *worker, uint32_t budget)
{
	uint32_t most = MIN(budget, UDP_RECEIVE_PACKETS);
	uint32_t work = 0;

	for (uint32_t i = 0; i < worker->port_count; i++) {
		struct udp_queue *queue = &worker->queues[i];
		uint32_t received = 0;
		uint32_t count;

		if (queue->port == NULL || queue->owner != NULL)
			continue;
		do {
			count = udp_receive_burst(worker, queue);
			received += count;
		} while (count == PORT_BURST && received < most);
		work += received;
	}
	if (worker->relays != NULL) {
		work += udp_receive_relayed(worker);
		udp_wake_relayed(worker);
	}
	return work;
}
