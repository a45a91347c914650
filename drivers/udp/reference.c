/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets that refer to memory; reference.h says when, and for how long. */
#include "drivers/udp/reference.h"

#include "base/check.h"
#include "drivers/udp/counters.h"
#include "drivers/udp/device.h"
#include "drivers/udp/worker.h"

#include <string.h>

/* Nobody lends for the last time: the worker's own count stays. */
static void reference_free(void *bytes, void *context)
{
	(void)bytes;
	(void)context;
	BUG_ON(true);
}

void reference_init(struct reference *reference)
{
	reference->shared.free_cb = reference_free;
	rte_mbuf_ext_refcnt_set(&reference->shared, 1);
}

void reference_begin(const struct transport_worker *worker, struct udp_connection *connection)
{
	const struct port *port = connection->queue->port;

	connection->reference = REFERENCE_NEVER;
	if (worker->conf->by_reference == UDP_BY_REFERENCE_NEVER ||
	    connection->capacity < REFERENCE_BYTES_MIN || !device_reads_at_once(port->conf) ||
	    port->sum == FRAME_SUM_WHOLE || port->conf->impair[0] != '\0' ||
	    rudp_connection_is_summed(connection->rudp))
		return;
	connection->reference = REFERENCE_UNTRIED;
}

bool reference_may_lend(const struct rudp_source *source)
{
	const struct udp_connection *connection = rudp_connection_user(source->connection);

	return connection->reference == REFERENCE_PROVEN && source->kind == RUDP_WRITE &&
	       source->length >= REFERENCE_BYTES_MIN && source->packet != NULL &&
	       connection->queue->owner == NULL;
}

static void reference_attach(struct transport_worker *worker, struct rte_mbuf *mbuf,
			     const void *bytes, uint32_t length)
{
	struct rte_mbuf_ext_shared_info *shared = &worker->reference.shared;

	rte_mbuf_ext_refcnt_update(shared, 1);
	/* It is only read from. */
	rte_pktmbuf_attach_extbuf(mbuf, (void *)(uintptr_t)bytes, (rte_iova_t)(uintptr_t)bytes,
				  (uint16_t)length, shared);
	mbuf->data_off = 0;
	mbuf->data_len = (uint16_t)length;
	mbuf->pkt_len = length;
}

static void reference_fail(struct transport_worker *worker, struct udp_connection *connection)
{
	connection->reference = REFERENCE_NEVER;
	counter_add(&worker->counters[UDP_REFERENCES_FAILED], 1);
}

enum haul_error reference_lend(struct transport_worker *worker, struct rudp_source *source,
			       const struct transport_access *access)
{
	struct udp_connection *connection = rudp_connection_user(source->connection);
	struct udp_queue *queue = connection->queue;
	struct rte_mbuf *mbuf = NULL;
	enum haul_error error;
	const void *bytes;

	/* Large packets do not get through any more, and these might be why. */
	if (UNLIKELY(rudp_connection_datagram_bytes(connection->rudp) <
		     connection->reference_bytes))
		reference_fail(worker, connection);
	else
		mbuf = udp_queue_buffer(worker, queue);
	if (UNLIKELY(mbuf == NULL))
		return worker->host->source(worker->engine, access, source->destination,
					    &source->version);
	error = worker->host->lend(worker->engine, access, &bytes, &source->version);
	if (UNLIKELY(error != HAUL_OK)) {
		/* Not to the spares: they may have been filled up for it, and the packet's own buffer comes back to them. */
		rte_pktmbuf_free(mbuf);
		return error;
	}
	reference_attach(worker, mbuf, bytes, source->length);
	worker->reference.lent = mbuf;
	worker->reference.has_lent = true;
	counter_add(&worker->counters[UDP_OUT_BY_REFERENCE], 1);
	return HAUL_OK;
}

void reference_chain(struct transport_worker *worker, struct rte_mbuf *mbuf)
{
	struct rte_mbuf *lent = worker->reference.lent;

	worker->reference.lent = NULL;
	mbuf->data_len = (uint16_t)(mbuf->data_len - lent->data_len);
	mbuf->nb_segs = 2;
	mbuf->next = lent;
}

void reference_drop(struct transport_worker *worker)
{
	rte_pktmbuf_free(worker->reference.lent);
	worker->reference.lent = NULL;
}

/* The whole datagram, so that nothing of it would be there if the port took its own memory alone. */
static void reference_try(struct transport_worker *worker, struct udp_connection *connection,
			  struct rte_mbuf *mbuf, uint32_t bytes)
{
	uint8_t *datagram = rte_pktmbuf_mtod(mbuf, uint8_t *) + mbuf->data_len - bytes;
	struct rte_mbuf *tail;

	/* The trial of another connection may still wait in this round. */
	for (uint32_t i = 0; i < worker->port_count; i++)
		reference_copy_rest(worker, &worker->queues[i]);
	tail = udp_queue_buffer(worker, connection->queue);
	if (tail == NULL)
		return;
	memcpy(worker->reference.trial, datagram, bytes);
	memset(datagram, 0, bytes);
	reference_attach(worker, tail, worker->reference.trial, bytes);
	worker->reference.lent = tail;
	reference_chain(worker, mbuf);
	connection->reference = REFERENCE_TRIED;
	connection->reference_bytes = (uint16_t)bytes;
}

void reference_look(struct transport_worker *worker, struct udp_connection *connection,
		    struct rte_mbuf *mbuf, uint32_t bytes)
{
	uint32_t known_bytes = rudp_connection_datagram_bytes(connection->rudp);
	bool is_probe = bytes > known_bytes;

	if (connection->reference == REFERENCE_UNTRIED) {
		if (is_probe && connection->queue->owner == NULL)
			reference_try(worker, connection, mbuf, bytes);
	} else if (known_bytes >= connection->reference_bytes) {
		connection->reference = REFERENCE_PROVEN;
		counter_add(&worker->counters[UDP_REFERENCES_PROVEN], 1);
	} else if (is_probe) {
		reference_fail(worker, connection); /* the trial got lost */
	}
}

static void reference_copy(struct rte_mbuf *mbuf)
{
	struct rte_mbuf *lent = mbuf->next;

	memcpy(rte_pktmbuf_mtod_offset(mbuf, uint8_t *, mbuf->data_len),
	       rte_pktmbuf_mtod(lent, const uint8_t *), lent->data_len);
	mbuf->data_len = (uint16_t)(mbuf->data_len + lent->data_len);
	mbuf->nb_segs = 1;
	mbuf->next = NULL;
	rte_pktmbuf_free_seg(lent);
}

void reference_copy_rest(struct transport_worker *worker, const struct udp_queue *queue)
{
	for (uint32_t i = 0; i < queue->waiting_count; i++) {
		struct rte_mbuf *mbuf = queue->waiting[queue->waiting_first + i];

		if (mbuf->nb_segs == 1)
			continue;
		reference_copy(mbuf);
		counter_add(&worker->counters[UDP_OUT_UNREFERRED], 1);
	}
}
