/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The keys of this node's own segments, by their numbers: what peers' proofs are checked with.
 *
 * A key is here while its segment takes operations; who comes with a proof later is told that it is STALE. Control thread
 * alone, and made once with its final size.
 */
#ifndef ENGINE_KEYRING_H
#define ENGINE_KEYRING_H

#include "api/haul_control.h"

#include <stdbool.h>
#include <stdint.h>

struct keyring_entry {
	uint32_t number; /**< of the segment */
	uint8_t key[HAUL_KEY_BYTES];
};

struct keyring {
	struct keyring_entry *entries; /**< ascending by number */
	uint32_t count;
	uint32_t capacity;
};

/** Room for so many segments. Returns 0 or -ENOMEM. */
int keyring_init(struct keyring *keyring, uint32_t capacity);
void keyring_destroy(struct keyring *keyring);

static inline bool keyring_is_full(const struct keyring *keyring)
{
	return keyring->count == keyring->capacity;
}

/** Numbers may come in any order, and each once. There must be room. */
void keyring_add(struct keyring *keyring, uint32_t number, const uint8_t key[HAUL_KEY_BYTES]);
/** Take one away; one that is not there is no error. */
void keyring_remove(struct keyring *keyring, uint32_t number);
/** The key of a segment; NULL when there is none of that number. */
const uint8_t *keyring_find(const struct keyring *keyring, uint32_t number);

#endif
