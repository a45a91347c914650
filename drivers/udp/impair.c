/* SPDX-License-Identifier: BSD-3-Clause */
/* A bad wire; impair.h says what it does. */
#include "drivers/udp/impair.h"

#include "base/check.h"
#include "base/counters.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Frames that are late at a time: 1024 of 9000 bytes on a wire of 25 Gbit/s are 3 ms, and most tests' pools are not larger. */
#define IMPAIR_HELD_MAX 1024u

/* Of these the late ones, which stay for seconds, leave room for all others. */
#define IMPAIR_LATE_MAX 512u

#define IMPAIR_REORDER_US 300u
#define IMPAIR_LATE_MS    3000u
#define IMPAIR_PPM        1000000u

struct impair_held {
	uint64_t due_us;
	uint64_t order; /* of those due at once, the first that came */
	struct rte_mbuf *mbuf;
	bool is_late; /* a copy, that nobody waits for */
};

struct impair {
	struct impair_options options;
	uint64_t *counters; /* enum impair_counter */
	uint64_t random;
	uint64_t order;
	uint64_t hole_us; /* when the first hole begins; 0 = not known yet */
	uint32_t held_count;
	uint32_t late_count;                      /* of those held */
	bool is_bad;                              /* a bad time */
	struct impair_held held[IMPAIR_HELD_MAX]; /* a heap, the first due on top */
};

struct impair_key {
	const char *name;
	size_t offset;
	uint32_t most;
};

#define IMPAIR_KEY(name_, most_)                                      \
	{                                                             \
#name_, offsetof(struct impair_options, name_), most_ \
	}

static const struct impair_key impair_keys[] = {
	IMPAIR_KEY(seed, UINT32_MAX),        IMPAIR_KEY(drop, IMPAIR_PPM),
	IMPAIR_KEY(duplicate, IMPAIR_PPM),   IMPAIR_KEY(reorder, IMPAIR_PPM),
	IMPAIR_KEY(reorder_us, 1000000),     IMPAIR_KEY(corrupt, IMPAIR_PPM),
	IMPAIR_KEY(delay_us, 1000000),       IMPAIR_KEY(jitter_us, 1000000),
	IMPAIR_KEY(burst_enter, IMPAIR_PPM), IMPAIR_KEY(burst_leave, IMPAIR_PPM),
	IMPAIR_KEY(burst_drop, IMPAIR_PPM),  IMPAIR_KEY(hole_every_ms, 3600000),
	IMPAIR_KEY(hole_ms, 3600000),        IMPAIR_KEY(late, IMPAIR_PPM),
	IMPAIR_KEY(late_ms, 60000),
};

static const char *impair_parse_one(const char *text, size_t length, struct impair_options *options)
{
	for (size_t i = 0; i < ARRAY_SIZE(impair_keys); i++) {
		const struct impair_key *key = &impair_keys[i];
		size_t name_length = strlen(key->name);
		unsigned long long value;
		uint32_t word;
		char *end;

		if (length <= name_length + 1 || strncmp(text, key->name, name_length) != 0 ||
		    text[name_length] != '=')
			continue;
		text += name_length + 1;
		value = strtoull(text, &end, 10);
		if (text[0] < '0' || text[0] > '9' || end != text + length - name_length - 1)
			return "not a number";
		if (value > key->most)
			return "a number is too large: chances are in millionths";
		word = (uint32_t)value;
		memcpy((char *)options + key->offset, &word, sizeof(word));
		return NULL;
	}
	return "unknown key; known are seed, drop, duplicate, reorder, reorder_us, corrupt, delay_us, "
	       "jitter_us, burst_enter, burst_leave, burst_drop, hole_every_ms, hole_ms, late, late_ms";
}

const char *impair_parse(const char *text, struct impair_options *options_out)
{
	memset(options_out, 0, sizeof(*options_out));
	while (text[0] != '\0') {
		size_t length = strcspn(text, ",");
		const char *wrong = impair_parse_one(text, length, options_out);

		if (wrong != NULL)
			return wrong;
		text += length + (text[length] == ',');
	}
	if (options_out->reorder_us == 0)
		options_out->reorder_us = IMPAIR_REORDER_US;
	if (options_out->late_ms == 0)
		options_out->late_ms = IMPAIR_LATE_MS;
	if (options_out->burst_drop == 0)
		options_out->burst_drop = IMPAIR_PPM;
	return options_out->hole_ms > options_out->hole_every_ms
		       ? "hole_ms is larger than hole_every_ms"
		       : NULL;
}

struct impair *impair_create(const struct impair_options *options, uint32_t number,
			     uint64_t *counters)
{
	struct impair *impair = calloc(1, sizeof(*impair));

	if (impair == NULL)
		return NULL;
	impair->options = *options;
	impair->counters = counters;
	impair->random = (uint64_t)options->seed << 32 | number;
	return impair;
}

void impair_empty(struct impair *impair)
{
	while (impair->held_count > 0)
		rte_pktmbuf_free(impair->held[--impair->held_count].mbuf);
	impair->late_count = 0;
}

void impair_destroy(struct impair *impair)
{
	if (impair != NULL)
		impair_empty(impair);
	free(impair);
}

/* SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014. */
static uint64_t impair_random(struct impair *impair)
{
	uint64_t mixed = impair->random += UINT64_C(0x9e3779b97f4a7c15);

	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

static bool impair_chance(struct impair *impair, uint32_t ppm)
{
	return ppm != 0 && impair_random(impair) % IMPAIR_PPM < ppm;
}

static bool impair_is_before(const struct impair_held *a, const struct impair_held *b)
{
	return a->due_us < b->due_us || (a->due_us == b->due_us && a->order < b->order);
}

static void impair_push(struct impair *impair, struct rte_mbuf *mbuf, uint64_t due_us, bool is_late)
{
	struct impair_held held = {
		.due_us = due_us, .order = impair->order++, .mbuf = mbuf, .is_late = is_late
	};
	uint32_t at = impair->held_count++;

	impair->late_count += is_late;

	while (at > 0) {
		uint32_t above = (at - 1) / 2;

		if (!impair_is_before(&held, &impair->held[above]))
			break;
		impair->held[at] = impair->held[above];
		at = above;
	}
	impair->held[at] = held;
}

static struct rte_mbuf *impair_pop(struct impair *impair)
{
	struct rte_mbuf *mbuf = impair->held[0].mbuf;
	bool is_late = impair->held[0].is_late;
	struct impair_held last = impair->held[--impair->held_count];
	uint32_t count = impair->held_count;
	uint32_t at = 0;

	for (uint32_t child = 1; child < count; child = 2 * at + 1) {
		if (child + 1 < count &&
		    impair_is_before(&impair->held[child + 1], &impair->held[child]))
			child++;
		if (!impair_is_before(&impair->held[child], &last))
			break;
		impair->held[at] = impair->held[child];
		at = child;
	}
	impair->held[at] = last;
	impair->late_count -= is_late;
	return mbuf;
}

static bool impair_is_hole(struct impair *impair, uint64_t now_us)
{
	uint64_t every_us = UINT64_C(1000) * impair->options.hole_every_ms;

	if (every_us == 0)
		return false;
	/* The first one begins after a whole interval, so that there is something to lose. */
	if (impair->hole_us == 0)
		impair->hole_us = now_us + every_us;
	return now_us >= impair->hole_us &&
	       (now_us - impair->hole_us) % every_us < UINT64_C(1000) * impair->options.hole_ms;
}

static bool impair_drops(struct impair *impair, uint64_t now_us)
{
	const struct impair_options *options = &impair->options;

	if (impair_chance(impair, impair->is_bad ? options->burst_leave : options->burst_enter))
		impair->is_bad = !impair->is_bad;
	return impair_is_hole(impair, now_us) || impair_chance(impair, options->drop) ||
	       (impair->is_bad && impair_chance(impair, options->burst_drop));
}

static void impair_corrupt(struct impair *impair, struct rte_mbuf *mbuf)
{
	uint64_t bit = impair_random(impair) % (UINT64_C(8) * mbuf->data_len);

	rte_pktmbuf_mtod(mbuf, uint8_t *)[bit / 8] ^= (uint8_t)(1u << bit % 8);
	counter_add(&impair->counters[IMPAIR_CORRUPTED], 1);
}

static uint64_t impair_when(struct impair *impair, uint64_t now_us)
{
	const struct impair_options *options = &impair->options;
	uint64_t due_us = now_us + options->delay_us;

	if (options->jitter_us != 0)
		due_us += impair_random(impair) % options->jitter_us;
	if (impair_chance(impair, options->reorder))
		due_us += options->reorder_us;
	counter_add(&impair->counters[IMPAIR_DELAYED], due_us > now_us);
	return due_us;
}

/*
 * A frame that a wire has kept for seconds is no frame of its sender any more, who may have been told that its buffer is
 * free: it is a copy. Its twin, sent again meanwhile or not, may have come long before. False: it is not late.
 */
static bool impair_takes_late(struct impair *impair, struct rte_mbuf *mbuf, uint64_t now_us)
{
	const struct impair_options *options = &impair->options;
	struct rte_mbuf *copy;

	if (!impair_chance(impair, options->late) || impair->late_count >= IMPAIR_LATE_MAX)
		return false;
	copy = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
	if (copy == NULL)
		return false;
	impair_push(impair, copy,
		    now_us + impair_random(impair) % (UINT64_C(1000) * options->late_ms), true);
	counter_add(&impair->counters[IMPAIR_DELAYED], 1);
	return true;
}

static void impair_take_one(struct impair *impair, struct rte_mbuf *mbuf, uint64_t now_us)
{
	struct rte_mbuf *twin = NULL;

	if (impair_drops(impair, now_us)) {
		rte_pktmbuf_free(mbuf);
		counter_add(&impair->counters[IMPAIR_DROPPED], 1);
		return;
	}
	if (impair_takes_late(impair, mbuf, now_us)) {
		rte_pktmbuf_free(mbuf);
		return;
	}
	/* Before it is damaged: of two, at most one is. */
	if (impair_chance(impair, impair->options.duplicate))
		twin = rte_pktmbuf_copy(mbuf, mbuf->pool, 0, UINT32_MAX);
	if (impair_chance(impair, impair->options.corrupt))
		impair_corrupt(impair, mbuf);
	impair_push(impair, mbuf, impair_when(impair, now_us), false);
	if (twin != NULL) {
		counter_add(&impair->counters[IMPAIR_DUPLICATED], 1);
		impair_push(impair, twin, impair_when(impair, now_us), false);
	}
}

uint32_t impair_take(struct impair *impair, struct rte_mbuf *const *mbufs, uint32_t count,
		     uint64_t now_us)
{
	uint32_t taken = 0;

	while (taken < count && impair->held_count + 2 <= IMPAIR_HELD_MAX)
		impair_take_one(impair, mbufs[taken++], now_us);
	return taken;
}

uint32_t impair_give(struct impair *impair, struct rte_mbuf **mbufs_out, uint32_t count,
		     uint64_t now_us)
{
	uint32_t given = 0;

	while (given < count && impair_due_us(impair) <= now_us)
		mbufs_out[given++] = impair_pop(impair);
	return given;
}

void impair_take_back(struct impair *impair, struct rte_mbuf *const *mbufs, uint32_t count)
{
	BUG_ON(impair->held_count + count > IMPAIR_HELD_MAX); /* they came from here */
	for (uint32_t i = 0; i < count; i++)
		impair_push(impair, mbufs[i], 0, false);
}

uint64_t impair_due_us(const struct impair *impair)
{
	return impair->held_count > 0 ? impair->held[0].due_us : UINT64_MAX;
}
