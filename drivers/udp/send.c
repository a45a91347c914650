/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way out: rudp writes each packet right into a packet buffer, behind the room for its headers, and bursts of them
 * go to the ports. A port that takes less than there is keeps the rest waiting, and rudp is not asked for more; only
 * when it has taken nothing for a while (its peer is gone) are packets dropped, as any wire would.
 */
#include "base/check.h"
#include "drivers/udp/counters.h"
#include "drivers/udp/worker.h"

#include <string.h>

#define UDP_VIRTIO_ROOM 16u

_Static_assert(UDP_PAYLOAD_AT % 64 == 0, "payloads are aligned");
_Static_assert(UDP_PAYLOAD_AT - RUDP_DATA_HEADER_BYTES - RUDP_CRC_BYTES >=
		       FRAME_TEMPLATE_BYTES + UDP_VIRTIO_ROOM,
	       "headers have room");
_Static_assert(UDP_PAYLOAD_AT - RUDP_DATA_HEADER_BYTES - FRAME_HEADER_BYTES <= RTE_PKTMBUF_HEADROOM,
	       "no frame is shorter of room than its port says");

/* To the worker that has the queue; what its ring does not take waits, as for a port. */
static uint32_t udp_queue_relay(struct transport_worker *worker, const struct udp_queue *queue,
				struct rte_mbuf **mbufs, uint32_t count)
{
	struct relay_frame frame = { .port = queue->port->index };
	uint32_t taken = 0;

	while (taken < count) {
		frame.mbuf = mbufs[taken];
		udp_relayed_add(&worker->relayed_out[frame.port],
				1); /* before anybody can be done with it */
		if (!spsc_push(queue->owner, &frame)) {
			udp_relayed_add(&worker->relayed_out[frame.port], -1);
			break;
		}
		taken++;
	}
	if (taken > 0)
		udp_note_relayed(worker, queue->number); /* queue i is worker i's */
	counter_add(&worker->counters[UDP_OUT_RELAYED], taken);
	return taken;
}

static inline uint32_t udp_queue_transmit(struct transport_worker *worker, struct udp_queue *queue,
					  struct rte_mbuf **mbufs, uint32_t count)
{
	uint16_t sent;

	if (UNLIKELY(queue->owner != NULL))
		return udp_queue_relay(worker, queue, mbufs, count);
	sent = rte_eth_tx_burst(queue->port->id, queue->number, mbufs, (uint16_t)count);
	queue->packets_out += sent;
	counter_add(&worker->counters[UDP_OUT_FRAMES], sent);
	return sent;
}

#ifdef HAUL_DEBUG
/* What a bad wire lets through by now. */
static void udp_queue_let_through(struct transport_worker *worker, struct udp_queue *queue)
{
	struct rte_mbuf *mbufs[PORT_BURST];
	uint32_t count;
	uint32_t sent;

	if (queue->impair == NULL || queue->port == NULL || queue->owner != NULL)
		return;
	do {
		count = impair_give(queue->impair, mbufs, PORT_BURST, worker->now_us);
		sent = count == 0 ? 0 : udp_queue_transmit(worker, queue, mbufs, count);
		impair_take_back(queue->impair, mbufs + sent, count - sent);
	} while (count == PORT_BURST && sent == count);
}
#endif

/* To the port, or to the bad wire before it; returns how many were taken. */
static inline uint32_t udp_queue_burst(struct transport_worker *worker, struct udp_queue *queue,
				       struct rte_mbuf **mbufs, uint32_t count)
{
#ifdef HAUL_DEBUG
	if (UNLIKELY(queue->impair != NULL && queue->owner == NULL)) {
		count = impair_take(queue->impair, mbufs, count, worker->now_us);
		udp_queue_let_through(worker, queue);
		return count;
	}
#endif
	return udp_queue_transmit(worker, queue, mbufs, count);
}

uint64_t udp_queue_late_us(const struct udp_queue *queue)
{
#ifdef HAUL_DEBUG
	if (queue->impair != NULL)
		return impair_due_us(queue->impair);
#endif
	(void)queue;
	return UINT64_MAX;
}

/* Give the port what waits; true when nothing does any more. */
static bool udp_queue_push(struct transport_worker *worker, struct udp_queue *queue)
{
	uint32_t count = queue->waiting_count;
	uint32_t sent;

	if (count == 0)
		return true;
	sent = udp_queue_burst(worker, queue, queue->waiting + queue->waiting_first, count);
	if (LIKELY(sent == count)) {
		queue->waiting_first = 0;
		queue->waiting_count = 0;
		queue->blocked_us = 0;
		return true;
	}
	queue->waiting_first += sent;
	queue->waiting_count -= sent;
	counter_add(&worker->counters[UDP_OUT_PAUSED], 1);
	if (sent > 0 || queue->blocked_us == 0)
		queue->blocked_us = worker->now_us;
	if (worker->now_us - queue->blocked_us < UDP_BLOCKED_US)
		return false;
	/* blocked_us stays: until the port takes something, each packet gets one try. */
	rte_pktmbuf_free_bulk(queue->waiting + queue->waiting_first, queue->waiting_count);
	counter_add(&worker->counters[UDP_OUT_BLOCKED], queue->waiting_count);
	queue->waiting_first = 0;
	queue->waiting_count = 0;
	return true;
}

/* Is there room for one more packet, after a push if need be? */
static inline bool udp_queue_has_room(struct transport_worker *worker, struct udp_queue *queue)
{
	if (LIKELY(queue->waiting_first + queue->waiting_count < PORT_BURST))
		return true;
	return udp_queue_push(worker, queue);
}

struct rte_mbuf *udp_queue_buffer(struct transport_worker *worker, struct udp_queue *queue)
{
	if (UNLIKELY(queue->spare_count == 0)) {
		if (rte_pktmbuf_alloc_bulk(queue->port->pool, queue->spare, PORT_BURST) != 0) {
			counter_add(&worker->counters[UDP_OUT_NO_BUFFER], 1);
			return NULL;
		}
		queue->spare_count = PORT_BURST;
	}
	return queue->spare[--queue->spare_count];
}

static inline void udp_queue_add(struct udp_queue *queue, struct rte_mbuf *mbuf, uint32_t at,
				 uint32_t bytes)
{
	mbuf->data_off = (uint16_t)at;
	mbuf->data_len = (uint16_t)bytes;
	mbuf->pkt_len = bytes;
	queue->waiting[queue->waiting_first + queue->waiting_count++] = mbuf;
}

void udp_queue_empty(struct udp_queue *queue)
{
	rte_pktmbuf_free_bulk(queue->spare, queue->spare_count);
	rte_pktmbuf_free_bulk(queue->waiting + queue->waiting_first, queue->waiting_count);
	queue->spare_count = 0;
	queue->waiting_first = 0;
	queue->waiting_count = 0;
	queue->blocked_us = 0;
#ifdef HAUL_DEBUG
	if (queue->impair != NULL)
		impair_empty(queue->impair);
#endif
}

void udp_send_echo(struct transport_worker *worker, struct udp_queue *queue, const uint8_t *frame,
		   uint32_t bytes)
{
	struct rte_mbuf *mbuf;

	if (bytes > queue->port->frame_bytes ||
	    !udp_limit_take(&worker->echoes, worker->now_us, UDP_ECHOES_PER_S) ||
	    !udp_queue_has_room(worker, queue))
		return;
	mbuf = udp_queue_buffer(worker, queue);
	if (mbuf == NULL)
		return;
	bytes = frame_echo_make(frame, (uint8_t *)mbuf->buf_addr + RTE_PKTMBUF_HEADROOM);
	udp_queue_add(queue, mbuf, RTE_PKTMBUF_HEADROOM, bytes);
	counter_add(&worker->counters[UDP_OUT_ECHO], 1);
}

/* Frames that the control thread has made. */
static uint32_t udp_send_frames(struct transport_worker *worker)
{
	struct udp_frame frame;
	uint32_t work = 0;

	while (work < PORT_BURST && spsc_pop(&worker->frames, &frame)) {
		struct udp_queue *queue = &worker->queues[frame.port];
		struct rte_mbuf *mbuf;

		work++;
		if (queue->port == NULL || !udp_queue_has_room(worker, queue)) {
			counter_add(&worker->counters[UDP_OUT_BLOCKED], 1);
			continue;
		}
		mbuf = udp_queue_buffer(worker, queue);
		if (mbuf == NULL)
			continue;
		memcpy((uint8_t *)mbuf->buf_addr + RTE_PKTMBUF_HEADROOM, frame.data, frame.bytes);
		udp_queue_add(queue, mbuf, RTE_PKTMBUF_HEADROOM, frame.bytes);
	}
	return work;
}

/* The port is gone: what rudp has to send gets lost, as on any wire that is cut, and rudp acts on that. */
static int udp_send_nowhere(struct transport_worker *worker,
			    const struct udp_connection *connection)
{
	if (rudp_transmit(connection->rudp, worker->now_us, NULL, worker->nowhere,
			  sizeof(worker->nowhere)) == 0)
		return 0;
	counter_add(&worker->counters[UDP_OUT_GONE], 1);
	return 1;
}

/* Ask rudp for one packet of a connection. 1 = added, 0 = it has none now, -1 = there is no room for it. */
static inline int udp_send_packet(struct transport_worker *worker,
				  struct udp_connection *connection)
{
	struct udp_queue *queue = connection->queue;
	const struct frame_template *template = &connection->template;
	struct rte_mbuf *mbuf;
	uint8_t *datagram;
	size_t bytes;

	if (UNLIKELY(queue->port == NULL))
		return udp_send_nowhere(worker, connection);
	if (!udp_queue_has_room(worker, queue))
		return -1;
	mbuf = udp_queue_buffer(worker, queue);
	if (UNLIKELY(mbuf == NULL))
		return -1;
	datagram = (uint8_t *)mbuf->buf_addr + connection->datagram_at;
	bytes = rudp_transmit(connection->rudp, worker->now_us, mbuf, datagram,
			      connection->capacity);
	if (UNLIKELY(bytes == 0 || !template->is_resolved)) {
		queue->spare[queue->spare_count++] = mbuf;
		reference_drop(worker);
		if (bytes > 0)
			counter_add(&worker->counters[UDP_OUT_UNRESOLVED], 1);
		return bytes > 0;
	}
	frame_finish(template, datagram, (uint32_t)bytes);
	udp_queue_add(queue, mbuf, connection->datagram_at - template->header_bytes,
		      template->header_bytes + (uint32_t)bytes);
	if (worker->reference.lent != NULL)
		reference_chain(worker, mbuf);
	else if (UNLIKELY(connection->reference >= REFERENCE_UNTRIED))
		reference_look(worker, connection, mbuf, (uint32_t)bytes);
	if (UNLIKELY(connection->tx_flags != 0)) {
		mbuf->ol_flags |= connection->tx_flags;
		mbuf->l3_len = template->family == 4 ? FRAME_IPV4_BYTES : FRAME_IPV6_BYTES;
		mbuf->l2_len = template->header_bytes - FRAME_UDP_BYTES - mbuf->l3_len;
	}
	return 1;
}

/* What one worker without a queue has to send by a queue of this one; what finds no room is held until it does. */
static uint32_t udp_send_relay(struct transport_worker *worker, struct relay *relay)
{
	uint32_t work = 0;

	while (work < RELAY_BURST) {
		struct relay_frame *frame = &relay->held;
		struct udp_queue *queue;

		if (frame->mbuf == NULL && !spsc_pop(&relay->to_send, frame))
			break;
		queue = &worker->queues[frame->port];
		if (queue->port == NULL) {
			rte_pktmbuf_free(frame->mbuf);
			counter_add(&worker->counters[UDP_OUT_GONE], 1);
		} else if (udp_queue_has_room(worker, queue)) {
			queue->waiting[queue->waiting_first + queue->waiting_count++] = frame->mbuf;
		} else {
			break;
		}
		frame->mbuf = NULL;
		udp_relayed_add(&worker->relayed_done[frame->port], 1);
		work++;
	}
	return work;
}

static uint32_t udp_send_relayed(struct transport_worker *worker)
{
	uint32_t work = 0;

	for (uint32_t i = 0; i < worker->worker_count; i++) {
		if (i != worker->number)
			work += udp_send_relay(worker, udp_relay_from(worker, i));
	}
	return work;
}

uint32_t udp_send_all(struct transport_worker *worker, uint32_t budget)
{
	uint32_t work = udp_send_frames(worker);
	struct rudp_connection *rudp;
	int added = 0;

	if (worker->relays != NULL)
		work += udp_send_relayed(worker);
	while (work < budget && added >= 0 &&
	       (rudp = rudp_next_to_send(worker->rudp, worker->now_us)) != NULL) {
		struct udp_connection *connection = rudp_connection_user(rudp);

		do {
			added = udp_send_packet(worker, connection);
			work += added > 0;
		} while (added > 0 && work < budget);
	}
	for (uint32_t i = 0; i < worker->port_count; i++) {
		udp_queue_push(worker, &worker->queues[i]);
		udp_queue_push(worker, &worker->detours[i]);
		/* Memory that was lent stands where it does until this round ends. */
		reference_copy_rest(worker, &worker->queues[i]);
#ifdef HAUL_DEBUG
		udp_queue_let_through(worker, &worker->queues[i]);
#endif
	}
	udp_wake_relayed(worker);
	return work;
}
