/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a packet costs: two rudp ends in one process and one thread, packets handed over by pointer in bursts
 * of 32, nothing copied or compared. So the figure is send + receive + its share of acknowledgements,
 * of both ends, and no more.
 *
 *     rudp-cost [SECONDS [CONGESTION-CONTROL [ROUNDS]]]
 *
 * ROUNDS end a row before its time is over: the same work each time, for counting instructions.
 */
#include "base/check.h"
#include "base/clock.h"
#include "blank.h"
#include "rudp/cc.h"
#include "rudp/rudp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BURST         32u
#define DATAGRAM      1472u
#define DATAGRAM_ROOM 2048u

struct end {
	struct rudp *rudp;
	struct rudp_connection *connection;
	struct rudp_address address;
	uint64_t done;
	uint8_t packets[BURST][DATAGRAM_ROOM];
	size_t bytes[BURST];
};

static int cost_place(void *context, struct rudp_placement *placement)
{
	(void)context;
	(void)placement;
	return 0;
}

static void cost_done(void *context, const struct rudp_completion *completion)
{
	struct end *end = context;

	BUG_ON(completion->status != 0);
	end->done++;
}

static void cost_state(void *context, struct rudp_connection *connection, enum rudp_state state,
		       enum rudp_end_reason reason)
{
	(void)context;
	(void)connection;
	(void)state;
	(void)reason;
}

static const struct rudp_callbacks callbacks = {
	.place = cost_place,
	.notify = blank_notify,
	.open = blank_open,
	.closed = blank_closed,
	.source = blank_source,
	.deliver = blank_deliver,
	.done = cost_done,
	.state = cost_state,
};

static void ends_create(struct end *ends, const struct cc_ops *cc)
{
	for (unsigned i = 0; i < 2; i++) {
		struct rudp_config config = {
			.connections_max = 4,
			.operations = RUDP_OPERATIONS_DEFAULT,
			.packets = RUDP_PACKETS_DEFAULT,
			.datagram_bytes = DATAGRAM,
			.worker = (uint8_t)i,
			.now_us = clock_now_us(),
			.cc = cc,
			.callbacks = &callbacks,
			.context = &ends[i],
		};
		struct rudp_params params = {
			.local_id = (uint64_t)i << 56 | 0x123456 | i,
			.remote_id = (uint64_t)!i << 56 | 0x123456 | !i,
			.datagram_bytes = DATAGRAM,
			.operations = RUDP_OPERATIONS_DEFAULT,
			.packets = RUDP_PACKETS_DEFAULT,
			.initiator = i == 0,
		};

		ends[i].address.family = 4;
		ends[i].address.port = (uint16_t)i;
		params.address = ends[i].address;
		params.address.port = !i;
		BUG_ON(rudp_create(&config, &ends[i].rudp) != 0);
		BUG_ON(rudp_connection_add(ends[i].rudp, clock_now_us(), &params, NULL,
					   &ends[i].connection) != 0);
	}
}

/* One burst from one end to the other; returns its packets. */
static unsigned burst(struct end *from, struct end *to, uint64_t now_us)
{
	struct rudp_connection *connection;
	unsigned count = 0;

	while (count < BURST && (connection = rudp_next_to_send(from->rudp, now_us)) != NULL) {
		while (count < BURST &&
		       (from->bytes[count] = rudp_transmit(
				connection, now_us, NULL, from->packets[count], DATAGRAM_ROOM)) > 0)
			count++;
	}
	for (unsigned i = 0; i < count; i++)
		rudp_receive(to->rudp, now_us, &from->address, from->packets[i], from->bytes[i]);
	return count;
}

static void measure(struct end *ends, uint32_t length, double seconds, uint64_t rounds)
{
	uint64_t start_ns = clock_now_ns();
	uint64_t end_ns = start_ns + (uint64_t)(seconds * 1e9);
	uint64_t done = ends[0].done;
	uint64_t packets = 0;
	uint64_t data = 0;
	uint64_t now_ns;
	struct rudp_stats before;
	struct rudp_stats after;

	rudp_connection_stats(ends[0].connection, &before);
	while ((now_ns = clock_now_ns()) < end_ns && rounds-- > 0) {
		struct rudp_operation_request request = { .kind = RUDP_WRITE, .length = length };
		uint64_t now_us = now_ns / CLOCK_NS_PER_US;
		uint32_t id;

		for (unsigned i = 0; i < BURST; i++) {
			if (rudp_submit(ends[0].connection, now_us, &request, &id) != 0)
				break;
		}
		packets += burst(&ends[0], &ends[1], now_us);
		packets += burst(&ends[1], &ends[0], now_us);
		rudp_advance(ends[0].rudp, now_us);
		rudp_advance(ends[1].rudp, now_us);
	}
	rudp_connection_stats(ends[0].connection, &after);
	data = after.packets_sent - before.packets_sent;
	done = ends[0].done - done;
	printf("WRITE of %7u bytes: %6.1f ns a data packet, %6.1f ns an operation "
	       "(%.2f M packets/s, %.2f M operations/s, %.3f acknowledgements a packet, lost %lu)\n",
	       length, (double)(now_ns - start_ns) / (double)data,
	       (double)(now_ns - start_ns) / (double)(done ? done : 1),
	       (double)data * 1e3 / (double)(now_ns - start_ns),
	       (double)done * 1e3 / (double)(now_ns - start_ns),
	       (double)(packets - data) / (double)data,
	       (unsigned long)(after.packets_lost - before.packets_lost));
}

int main(int argc, char **argv)
{
	static struct end ends[2];
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 1.0;
	const struct cc_ops *cc = argc > 2 ? cc_find(argv[2]) : &cc_fixed;
	uint64_t rounds = argc > 3 ? strtoull(argv[3], NULL, 10) : UINT64_MAX;

	if (cc == NULL) {
		fprintf(stderr, "rudp-cost: there is no congestion control %s\n", argv[2]);
		return 2;
	}
	ends_create(ends, cc);
	measure(ends, 64, seconds, rounds);
	measure(ends, 1440, seconds, rounds);
	measure(ends, 1u << 16, seconds, rounds);
	measure(ends, 1u << 20, seconds, rounds);
	for (unsigned i = 0; i < 2; i++)
		rudp_destroy(ends[i].rudp);
	return 0;
}
