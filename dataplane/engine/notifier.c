/* SPDX-License-Identifier: BSD-3-Clause */
/* Who has notified here; notifier.h says how it stays exactly once. */
#include "engine/notifier.h"

#include "base/check.h"
#include "engine/numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* In a word: an attempt is at it. Numbers do not reach this bit. */
#define NOTIFIER_CLAIMED NUMBERS_MAX

/* Entries looked at for one notifier. */
#define NOTIFIER_PROBES 64u

/*
 * So far above a number can another one of the same incarnation be, in a word that both may use. What is farther away
 * belongs to another incarnation, whose numbers begin at another random place.
 */
#define NOTIFIER_SPREAD (UINT64_C(1) << 32)

_Static_assert(IS_POWER_OF_TWO(ENGINE_NOTIFIERS_MAX), "the hash is masked");

int notifier_table_init(struct notifier_table *table)
{
	table->notifiers = calloc(ENGINE_NOTIFIERS_MAX, sizeof(*table->notifiers));
	return table->notifiers == NULL ? -ENOMEM : 0;
}

void notifier_table_destroy(struct notifier_table *table)
{
	free(table->notifiers);
	table->notifiers = NULL;
}

/* FNV-1a over the node's name and the worker. */
static uint32_t notifier_hash(const struct transport_notice *notice)
{
	uint32_t hash = UINT32_C(2166136261);

	for (size_t i = 0; i < HAUL_NAME_BYTES && notice->node[i] != 0; i++)
		hash = (hash ^ (uint8_t)notice->node[i]) * UINT32_C(16777619);
	hash = (hash ^ notice->worker) * UINT32_C(16777619);
	return hash ^ hash >> 16;
}

static bool notifier_is(const struct notifier *notifier, const struct transport_notice *notice)
{
	return notifier->worker == notice->worker &&
	       strncmp(notifier->node, notice->node, sizeof(notifier->node)) == 0;
}

/* Move the entry into CHANGING; false when somebody else was faster. */
static bool notifier_change(struct notifier *notifier, uint32_t from)
{
	return atomic_compare_exchange_strong_explicit(&notifier->state, &from, NOTIFIER_CHANGING,
						       memory_order_acquire, memory_order_relaxed);
}

/* Orders what was written while CHANGING before the state, against notifier_find. */
static void notifier_changed(struct notifier *notifier)
{
	atomic_store_explicit(&notifier->state, NOTIFIER_READY, memory_order_release);
}

/*
 * The entry of a notice's node and worker, which is READY, or the FREE one where it would be made. CHANGING: one on the
 * way is being made or changed, and nobody can tell yet. NULL: there is none, and no room.
 */
static struct notifier *notifier_find(struct notifier_table *table,
				      const struct transport_notice *notice,
				      enum notifier_state *state_out)
{
	uint32_t hash = notifier_hash(notice);

	for (uint32_t i = 0; i < NOTIFIER_PROBES; i++) {
		struct notifier *notifier =
			&table->notifiers[(hash + i) & (ENGINE_NOTIFIERS_MAX - 1)];

		/* Orders the state before the node's name. */
		*state_out = (enum notifier_state)atomic_load_explicit(&notifier->state,
								       memory_order_acquire);
		if (*state_out != NOTIFIER_READY || notifier_is(notifier, notice))
			return notifier;
	}
	return NULL;
}

/* Make an entry of a free one. */
static bool notifier_make(struct notifier *notifier, const struct transport_notice *notice)
{
	if (!notifier_change(notifier, NOTIFIER_FREE))
		return false;
	notifier->worker = notice->worker;
	strncpy(notifier->node, notice->node, sizeof(notifier->node) - 1);
	atomic_store_explicit(&notifier->incarnation, notice->incarnation, memory_order_relaxed);
	notifier_changed(notifier);
	return true;
}

/* Another incarnation of the node: what the one before did is of no more use. */
static bool notifier_replace(struct notifier *notifier, const struct transport_notice *notice)
{
	uint64_t before;

	if (!notifier_change(notifier, NOTIFIER_READY))
		return false;
	before = atomic_load_explicit(&notifier->incarnation, memory_order_relaxed);
	if (before != notice->incarnation) {
		atomic_store_explicit(&notifier->gone, before, memory_order_relaxed);
		for (uint32_t i = 0; i < ENGINE_NOTIFY_WINDOW; i++)
			atomic_store_explicit(&notifier->executed[i], 0, memory_order_relaxed);
		atomic_store_explicit(&notifier->incarnation, notice->incarnation,
				      memory_order_relaxed);
	}
	notifier_changed(notifier);
	return true;
}

/* Is the entry that was found for this incarnation? Makes it so when it is free, or when this is a later one. */
static enum notifier_verdict notifier_admit(struct notifier *notifier, enum notifier_state state,
					    const struct transport_notice *notice)
{
	if (UNLIKELY(state == NOTIFIER_CHANGING))
		return NOTIFIER_BUSY;
	if (UNLIKELY(state == NOTIFIER_FREE))
		return notifier_make(notifier, notice) ? NOTIFIER_NEW : NOTIFIER_BUSY;
	if (LIKELY(atomic_load_explicit(&notifier->incarnation, memory_order_relaxed) ==
		   notice->incarnation))
		return NOTIFIER_NEW;
	if (atomic_load_explicit(&notifier->gone, memory_order_relaxed) == notice->incarnation)
		return NOTIFIER_OVER;
	return notifier_replace(notifier, notice) ? NOTIFIER_NEW : NOTIFIER_BUSY;
}

/* Claim the word of a number. */
static enum notifier_verdict notifier_claim(struct notifier *notifier, uint64_t number,
					    struct notifier_claim *claim_out)
{
	_Atomic uint64_t *word = &notifier->executed[number % ENGINE_NOTIFY_WINDOW];
	/* Orders an earlier attempt's delivery before what follows here. */
	uint64_t before = atomic_load_explicit(word, memory_order_acquire);

	if ((before & NOTIFIER_CLAIMED) != 0)
		return NOTIFIER_BUSY;
	if (before == number)
		return NOTIFIER_DONE;
	if (before > number && before - number < NOTIFIER_SPREAD)
		return NOTIFIER_OVER;
	claim_out->word = word;
	claim_out->before = before;
	claim_out->number = number;
	return atomic_compare_exchange_strong_explicit(word, &before, number | NOTIFIER_CLAIMED,
						       memory_order_acquire, memory_order_relaxed)
		       ? NOTIFIER_NEW
		       : NOTIFIER_BUSY;
}

enum notifier_verdict notifier_begin(struct notifier_table *table,
				     const struct transport_notice *notice,
				     struct notifier_claim *claim_out)
{
	enum notifier_state state;
	struct notifier *notifier = notifier_find(table, notice, &state);
	enum notifier_verdict verdict;

	if (notifier == NULL)
		return NOTIFIER_FULL;
	verdict = notifier_admit(notifier, state, notice);
	return verdict == NOTIFIER_NEW ? notifier_claim(notifier, notice->number, claim_out)
				       : verdict;
}

void notifier_end(const struct notifier_claim *claim, bool is_delivered)
{
	uint64_t claimed = claim->number | NOTIFIER_CLAIMED;

	/* Orders the delivery before the word. A word that a later incarnation has cleared meanwhile stays its own. */
	atomic_compare_exchange_strong_explicit(claim->word, &claimed,
						is_delivered ? claim->number : claim->before,
						memory_order_release, memory_order_relaxed);
}

bool notifier_has(struct notifier_table *table, const struct transport_notice *notice)
{
	enum notifier_state state;
	struct notifier *notifier = notifier_find(table, notice, &state);
	_Atomic uint64_t *word;

	if (notifier == NULL || state != NOTIFIER_READY ||
	    atomic_load_explicit(&notifier->incarnation, memory_order_relaxed) !=
		    notice->incarnation)
		return false;
	word = &notifier->executed[notice->number % ENGINE_NOTIFY_WINDOW];
	return atomic_load_explicit(word, memory_order_acquire) == notice->number;
}
