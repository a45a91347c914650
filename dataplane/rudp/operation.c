/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The initiator's table. All steps are O(1), moving the low-water mark amortised.
 */
#include "rudp/operation.h"

#include "base/check.h"
#include "base/seq.h"

#include <assert.h>
#include <string.h>

static_assert(RUDP_OPERATIONS_MAX <= WIRE_DONE_WORDS_MAX * 32, "a DONE frame names every open id");

static size_t over_words(uint32_t size)
{
	return (size + 63) / 64;
}

size_t operations_bytes(uint32_t size)
{
	return over_words(size) * sizeof(uint64_t) + size * sizeof(struct operation);
}

void operations_init(struct operations *operations, void *memory, uint32_t size)
{
	ASSERT(IS_POWER_OF_TWO(size) && size <= RUDP_OPERATIONS_MAX);
	memset(operations, 0, sizeof(*operations));
	memset(memory, 0, operations_bytes(size));
	operations->over = memory;
	operations->slots = (struct operation *)(operations->over + over_words(size));
	operations->mask = size - 1;
	list_init(&operations->sending);
	list_init(&operations->requesting);
}

static bool over_test(const struct operations *operations, uint32_t id)
{
	uint32_t slot = id & operations->mask;

	return (operations->over[slot / 64] >> slot % 64 & 1) != 0;
}

static void over_set(struct operations *operations, uint32_t id, bool is_over)
{
	uint32_t slot = id & operations->mask;

	if (is_over)
		operations->over[slot / 64] |= UINT64_C(1) << slot % 64;
	else
		operations->over[slot / 64] &= ~(UINT64_C(1) << slot % 64);
}

struct operation *operation_begin(struct operations *operations,
				  const struct rudp_operation_request *request)
{
	struct operation *operation = &operations->slots[operations->next & operations->mask];

	if (operation->state != OPERATION_FREE ||
	    operations->next - operations->low_water > operations->mask)
		return NULL;
	operation->cookie = request->cookie;
	operation->region = request->region;
	operation->offset = request->offset;
	operation->fence_base_us = 0;
	operation->id = operations->next;
	operation->length = request->kind == RUDP_NOTIFY ? WIRE_NOTICE_BYTES : request->length;
	operation->sent = 0;
	operation->settled = 0;
	operation->kind = (uint8_t)request->kind;
	operation->grant = request->grant;
	operation->state = OPERATION_ACTIVE;
	operation->said = 0;
	list_append(request->kind == RUDP_READ ? &operations->requesting : &operations->sending,
		    &operation->link);
	operations->next++;
	operations->open++;
	return operation;
}

void operation_over(struct operations *operations, struct operation *operation)
{
	ASSERT(operation->state == OPERATION_ACTIVE);
	ASSERT(!seq32_before(operation->id, operations->low_water));
	list_remove(&operation->link);
	over_set(operations, operation->id, true);
	while (operations->low_water != operations->next &&
	       over_test(operations, operations->low_water))
		over_set(operations, operations->low_water++, false);
}

void operation_free(struct operations *operations, struct operation *operation)
{
	ASSERT(operation->state != OPERATION_FREE);
	ASSERT(!list_has(&operation->link));
	operation->state = OPERATION_FREE;
	operations->open--;
}

void operations_done(const struct operations *operations, struct wire_done *out)
{
	uint32_t open = operations->next - operations->low_water;

	out->low_water = operations->low_water;
	out->words = 0;
	memset(out->bits, 0, sizeof(out->bits));
	for (uint32_t i = 0; i < open; i++) {
		if (!over_test(operations, operations->low_water + i))
			continue;
		out->bits[i / 32] |= 1u << i % 32;
		out->words = i / 32 + 1;
	}
}
