/* SPDX-License-Identifier: BSD-3-Clause */
/* The least loaded worker; balance.h says what load is. */
#include "control/balance.h"

#include "base/check.h"

#include <string.h>

/*
 * Over which time loads are smoothed. Applications work in bursts: what the last milliseconds were like says little of
 * a channel that lives for hours; and what was a minute ago is over.
 */
#define BALANCE_MEMORY_US 1000000u

/*
 * What a channel that was just given may come to: enough that those who attach one after the other are spread before
 * any of them has sent a byte, little enough that a busy worker stays busier than an idle one that has just been given a few.
 */
#define BALANCE_EXPECTED (BALANCE_WHOLE / 8)

/* And all of them together, however fast they come and go: as if every channel had just been given. */
#define BALANCE_EXPECTED_MAX (ENGINE_CHANNELS_MAX * BALANCE_EXPECTED)

/* Loads this close are the same: what moves on a node at rest, heartbeats and probes, is far below. */
#define BALANCE_CLOSE (BALANCE_WHOLE / 20)

void balance_init(struct balance *balance, const struct engine *engine, uint64_t now_us)
{
	memset(balance, 0, sizeof(*balance));
	balance->engine = engine;
	balance->read_at_us = now_us;
}

/* Go from one value towards another, as far as the time that has passed goes towards the memory's length. */
static uint32_t balance_smooth(uint32_t from, uint32_t to, uint64_t passed_us)
{
	uint64_t sum = (uint64_t)from * BALANCE_MEMORY_US + (uint64_t)to * passed_us;

	return (uint32_t)(sum / (BALANCE_MEMORY_US + passed_us));
}

static void balance_read_worker(struct balance_worker *known, const struct worker *worker,
				uint64_t passed_us)
{
	uint64_t busy_us = __atomic_load_n(&worker->counters[WORKER_BUSY_US], __ATOMIC_RELAXED);
	/* A round is counted when it has ended, so a long one may bring more than the time that has passed. */
	uint64_t grown_us = MIN(busy_us - known->busy_us, passed_us);

	known->busy_us = busy_us;
	known->load = balance_smooth(known->load, (uint32_t)(grown_us * BALANCE_WHOLE / passed_us),
				     passed_us);
	known->expected = balance_smooth(known->expected, 0, passed_us);
}

void balance_read(struct balance *balance, uint64_t now_us)
{
	/* Far longer than the memory is as good as for ever, and keeps the numbers small. */
	uint64_t passed_us = MIN(now_us - balance->read_at_us, 1000ull * BALANCE_MEMORY_US);

	if (now_us <= balance->read_at_us)
		return;
	balance->read_at_us = now_us;
	for (uint32_t i = 0; i < balance->engine->options.worker_count; i++)
		balance_read_worker(&balance->workers[i], balance->engine->workers[i], passed_us);
}

static uint32_t balance_weight(const struct balance_worker *known)
{
	return known->load + known->expected;
}

static bool balance_has_room(const struct balance_worker *known)
{
	return known->channels < ENGINE_CHANNELS_MAX;
}

/* Both are close to the least loaded one: which is better? */
static bool balance_is_better(const struct balance_worker *one, const struct balance_worker *other)
{
	if (one->channels != other->channels)
		return one->channels < other->channels;
	return balance_weight(one) < balance_weight(other);
}

struct worker *balance_pick(const struct balance *balance)
{
	const struct balance_worker *best = NULL;
	uint32_t least = UINT32_MAX;

	for (uint32_t i = 0; i < balance->engine->options.worker_count; i++) {
		if (balance_has_room(&balance->workers[i]))
			least = MIN(least, balance_weight(&balance->workers[i]));
	}
	for (uint32_t i = 0; i < balance->engine->options.worker_count; i++) {
		const struct balance_worker *known = &balance->workers[i];

		if (balance_has_room(known) && balance_weight(known) - least <= BALANCE_CLOSE &&
		    (best == NULL || balance_is_better(known, best)))
			best = known;
	}
	return best == NULL ? NULL : balance->engine->workers[best - balance->workers];
}

void balance_add(struct balance *balance, const struct worker *worker)
{
	struct balance_worker *known = &balance->workers[worker->number];

	known->channels++;
	known->expected = MIN(known->expected + BALANCE_EXPECTED, BALANCE_EXPECTED_MAX);
}

void balance_remove(struct balance *balance, const struct worker *worker)
{
	struct balance_worker *known = &balance->workers[worker->number];

	BUG_ON(known->channels == 0);
	known->channels--;
}
