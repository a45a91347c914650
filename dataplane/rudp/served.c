/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The target's table. Claiming an id is O(1) but for the marks it moves, which is amortised one step
 * an id; a DONE frame costs a step for each bit that is set.
 */
#include "rudp/served.h"

#include "base/check.h"
#include "base/seq.h"

#include <string.h>

size_t served_bytes(uint32_t size)
{
	return size * sizeof(struct served);
}

void served_init(struct served_table *table, void *memory, uint32_t size, served_closed_fn closed)
{
	ASSERT(IS_POWER_OF_TWO(size) && size <= RUDP_OPERATIONS_MAX);
	memset(table, 0, sizeof(*table));
	memset(memory, 0, served_bytes(size));
	table->slots = memory;
	table->mask = size - 1;
	table->closed = closed;
	list_init(&table->reading);
	list_init(&table->refusing);
	/* No slot may look like a known id. */
	for (uint32_t i = 0; i < size; i++) {
		table->slots[i].id = i - size;
		table->slots[i].state = SERVED_OVER;
	}
}

static bool served_is_open(const struct served *served)
{
	return served->state == SERVED_WRITING || served->state == SERVED_READING;
}

static void served_leave(struct served_table *table, struct served *served, uint8_t state)
{
	bool was_open = served_is_open(served);

	list_remove(&served->link);
	served->state = state;
	if (!was_open)
		return;
	table->open--;
	table->closed(table, served);
}

void served_over(struct served_table *table, struct served *served)
{
	served_leave(table, served, SERVED_OVER);
}

/* Everything before the mark is over; slots that still say otherwise are closed. */
static void low_water_raise(struct served_table *table, uint32_t mark)
{
	uint32_t steps;

	if (!seq32_before(table->low_water, mark))
		return;
	steps = MIN(mark - table->low_water, table->mask + 1);
	for (uint32_t id = mark - steps; id != mark; id++) {
		struct served *served = &table->slots[id & table->mask];

		if (seq32_before(served->id, mark) && served->state != SERVED_OVER)
			served_over(table, served);
	}
	table->low_water = mark;
	if (seq32_before(table->next, mark))
		table->next = mark;
}

struct served *served_claim(struct served_table *table, uint32_t id)
{
	struct served *served = &table->slots[id & table->mask];

	if (LIKELY(served->id == id))
		return seq32_before(id, table->low_water) ? NULL : served;
	if (seq32_before(id, table->low_water))
		return NULL;
	if (!seq32_before(id, table->next)) {
		table->next = id + 1;
		low_water_raise(table, table->next - (table->mask + 1));
	}
	ASSERT(served->state == SERVED_OVER);
	served->id = id;
	served->state = SERVED_NEW;
	served->said = 0;
	return served;
}

struct served *served_find(const struct served_table *table, uint32_t id)
{
	struct served *served = &table->slots[id & table->mask];

	return served->id == id ? served : NULL;
}

void served_open(struct served_table *table, struct served *served, enum served_state state)
{
	ASSERT(served->state == SERVED_NEW);
	ASSERT(state == SERVED_WRITING || state == SERVED_READING);
	served->state = (uint8_t)state;
	table->open++;
	if (state == SERVED_READING)
		list_append(&table->reading, &served->link);
}

void served_refuse(struct served_table *table, struct served *served, uint8_t status,
		   uint16_t reason, uint64_t version)
{
	ASSERT(served->state != SERVED_OVER);
	served_leave(table, served, SERVED_REFUSED);
	served->said = 0;
	served->status = status;
	served->reason = reason;
	served->version = version;
	list_append(&table->refusing, &served->link);
}

void served_done(struct served_table *table, const struct wire_done *done)
{
	low_water_raise(table, done->low_water);
	for (uint32_t word = 0; word < done->words; word++) {
		for (uint32_t bits = done->bits[word]; bits != 0; bits &= bits - 1) {
			uint32_t bit = (uint32_t)__builtin_ctz(bits);
			struct served *served =
				served_claim(table, done->low_water + word * 32 + bit);

			if (served != NULL)
				served_over(table, served);
		}
	}
}

void served_end(struct served_table *table)
{
	for (uint32_t i = 0; i <= table->mask; i++)
		served_over(table, &table->slots[i]);
}
