/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A flat table: a thousand nodes a beat are looked through in microseconds, and it needs no memory later. A slot of a
 * node that left or was not seen for long is taken by the next new one.
 */
#include "controlplane/model/liveness.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct liveness_slot {
	char name[HAUL_NAME_BYTES]; /* empty: free */
	uint64_t incarnation;
	uint64_t beat;
	uint64_t moved_us; /* when the beat was first seen at this value */
	uint64_t seen_us;  /* when Redis last told of it */
	bool has_moved;    /* seen to move, so that alive is more than a first sight */
	bool has_left;
};

struct liveness {
	uint64_t suspect_us;
	uint64_t dead_us; /* counted from the beat, so it includes suspect_us */
	struct liveness_slot slots[LIVENESS_NODES_MAX];
};

int liveness_create(unsigned int suspect_ms, unsigned int dead_ms, struct liveness **out)
{
	struct liveness *liveness = calloc(1, sizeof(*liveness));

	if (liveness == NULL)
		return -ENOMEM;
	liveness->suspect_us = (uint64_t)suspect_ms * 1000;
	liveness->dead_us = liveness->suspect_us + (uint64_t)dead_ms * 1000;
	*out = liveness;
	return 0;
}

void liveness_destroy(struct liveness *liveness)
{
	free(liveness);
}

void liveness_reset(struct liveness *liveness)
{
	memset(liveness->slots, 0, sizeof(liveness->slots));
}

static const struct liveness_slot *slot_find(const struct liveness *liveness, const char *name)
{
	for (unsigned int i = 0; i < LIVENESS_NODES_MAX; i++) {
		if (strcmp(liveness->slots[i].name, name) == 0)
			return &liveness->slots[i];
	}
	return NULL;
}

/* The node's slot, a free one, or one that nobody has told of for longer than a death takes. */
static struct liveness_slot *slot_take(struct liveness *liveness, const char *name, uint64_t now_us)
{
	struct liveness_slot *spare = NULL;

	for (unsigned int i = 0; i < LIVENESS_NODES_MAX; i++) {
		struct liveness_slot *slot = &liveness->slots[i];

		if (strcmp(slot->name, name) == 0)
			return slot;
		if (spare == NULL &&
		    (slot->name[0] == '\0' || now_us - slot->seen_us > liveness->dead_us))
			spare = slot;
	}
	if (spare != NULL)
		memset(spare, 0, sizeof(*spare));
	return spare;
}

void liveness_observe(struct liveness *liveness, const struct node_record *record, uint64_t now_us)
{
	struct liveness_slot *slot = slot_take(liveness, record->name, now_us);

	BUG_ON(record->name[0] == '\0');
	if (slot == NULL)
		return;
	slot->seen_us = now_us;
	slot->has_left = record->has_left;
	if (slot->name[0] != '\0' && slot->incarnation == record->incarnation &&
	    slot->beat == record->beat)
		return;
	slot->has_moved = slot->name[0] != '\0';
	memcpy(slot->name, record->name, sizeof(slot->name));
	slot->incarnation = record->incarnation;
	slot->beat = record->beat;
	slot->moved_us = now_us;
}

enum liveness_state liveness_state(const struct liveness *liveness, const char *node,
				   uint64_t incarnation, uint64_t now_us, uint64_t *still_ms_out)
{
	const struct liveness_slot *slot = slot_find(liveness, node);
	uint64_t still_us = 0;

	*still_ms_out = 0;
	if (slot == NULL || slot->incarnation != incarnation)
		return LIVENESS_UNKNOWN;
	if (slot->has_left)
		return LIVENESS_LEFT;
	still_us = now_us - slot->moved_us;
	*still_ms_out = still_us / 1000;
	if (still_us >= liveness->dead_us)
		return LIVENESS_DEAD;
	if (still_us >= liveness->suspect_us)
		return LIVENESS_SUSPECT;
	return slot->has_moved ? LIVENESS_ALIVE : LIVENESS_UNKNOWN;
}

const char *liveness_word(enum liveness_state state)
{
	static const char *const words[] = { "unknown", "alive", "suspect", "dead", "left" };

	BUG_ON((unsigned int)state >= ARRAY_SIZE(words));
	return words[state];
}
