/* SPDX-License-Identifier: BSD-3-Clause */
/* Making and freeing of relays; relay.h says what they are for. */
#include "drivers/udp/relay.h"

#include <errno.h>
#include <stdlib.h>

static int relay_make(struct relay *relay)
{
	int error = spsc_init(&relay->received, sizeof(struct relay_packet), RELAY_PACKETS);

	if (error == 0)
		error = spsc_init(&relay->to_send, sizeof(struct relay_frame), RELAY_PACKETS);
	return error;
}

int relays_make(uint32_t worker_count, struct relay **relays_out)
{
	struct relay *relays;
	int error = 0;

	*relays_out = NULL;
	if (worker_count < 2)
		return 0;
	relays = calloc((size_t)worker_count * worker_count, sizeof(*relays));
	if (relays == NULL)
		return -ENOMEM;
	*relays_out = relays;
	for (uint32_t from = 0; from < worker_count && error == 0; from++) {
		for (uint32_t to = 0; to < worker_count && error == 0; to++) {
			if (from != to)
				error = relay_make(relay_of(relays, worker_count, from, to));
		}
	}
	return error;
}

static void relay_free(struct relay *relay)
{
	struct relay_packet packet;
	struct relay_frame frame;

	while (relay->received.elements != NULL && spsc_pop(&relay->received, &packet))
		rte_pktmbuf_free(packet.mbuf);
	while (relay->to_send.elements != NULL && spsc_pop(&relay->to_send, &frame))
		rte_pktmbuf_free(frame.mbuf);
	rte_pktmbuf_free(relay->held.mbuf);
	spsc_destroy(&relay->received);
	spsc_destroy(&relay->to_send);
}

void relays_free(struct relay *relays, uint32_t worker_count)
{
	if (relays == NULL)
		return;
	for (uint32_t i = 0; i < worker_count * worker_count; i++)
		relay_free(&relays[i]);
	free(relays);
}
