/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The in-process queue of ring.h: control thread to worker, worker to worker, worker to job lane.
 * Memory is taken once at init; push and pop are a copy and at most two atomic accesses, without a
 * system call.
 */
#include "base/ring.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int spsc_init(struct spsc *spsc, uint32_t element_bytes, uint32_t capacity)
{
	memset(spsc, 0, sizeof(*spsc));
	if (element_bytes == 0 || !IS_POWER_OF_TWO(capacity) || capacity > (1u << 31))
		return -EINVAL;
	spsc->elements = calloc(capacity, element_bytes);
	if (spsc->elements == NULL)
		return -ENOMEM;
	spsc->element_bytes = element_bytes;
	spsc->mask = capacity - 1;
	return 0;
}

void spsc_destroy(struct spsc *spsc)
{
	if (spsc == NULL)
		return;
	free(spsc->elements);
	spsc->elements = NULL;
}

static uint8_t *spsc_slot(const struct spsc *spsc, uint32_t index)
{
	return spsc->elements + (size_t)(index & spsc->mask) * spsc->element_bytes;
}

bool spsc_push(struct spsc *spsc, const void *element)
{
	uint32_t tail = ring_load_relaxed(&spsc->tail);

	ASSERT(tail - spsc->head_cached <= spsc->mask + 1);
	if (tail - spsc->head_cached > spsc->mask) {
		/* Orders the consumer's reads of the slot before our write to it. */
		spsc->head_cached = ring_load_acquire(&spsc->head);
		if (tail - spsc->head_cached > spsc->mask)
			return false;
	}
	memcpy(spsc_slot(spsc, tail), element, spsc->element_bytes);
	/* Orders the element before the index that shows it. */
	ring_store_release(&spsc->tail, tail + 1);
	return true;
}

bool spsc_pop(struct spsc *spsc, void *element_out)
{
	uint32_t head = ring_load_relaxed(&spsc->head);

	if (head == spsc->tail_cached) {
		/* Orders the index before our read of the element it shows. */
		spsc->tail_cached = ring_load_acquire(&spsc->tail);
		if (head == spsc->tail_cached)
			return false;
	}
	memcpy(element_out, spsc_slot(spsc, head), spsc->element_bytes);
	/* Orders our read of the slot before the producer's next write to it. */
	ring_store_release(&spsc->head, head + 1);
	return true;
}

uint32_t spsc_count(const struct spsc *spsc)
{
	uint32_t head = ring_load_acquire(&spsc->head);
	uint32_t count = ring_load_acquire(&spsc->tail) - head;

	return MIN(count, spsc->mask + 1);
}
