/* SPDX-License-Identifier: BSD-3-Clause */
/* A sorted array: segments come and go seldom, and nearly always with the greatest number. */
#include "engine/keyring.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int keyring_init(struct keyring *keyring, uint32_t capacity)
{
	memset(keyring, 0, sizeof(*keyring));
	keyring->entries = calloc(capacity, sizeof(*keyring->entries));
	if (keyring->entries == NULL)
		return -ENOMEM;
	keyring->capacity = capacity;
	return 0;
}

void keyring_destroy(struct keyring *keyring)
{
	if (keyring->entries != NULL)
		explicit_bzero(keyring->entries, keyring->capacity * sizeof(*keyring->entries));
	free(keyring->entries);
	memset(keyring, 0, sizeof(*keyring));
}

/* The first entry whose number is not below. */
static uint32_t keyring_place(const struct keyring *keyring, uint32_t number)
{
	uint32_t low = 0;
	uint32_t high = keyring->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (keyring->entries[middle].number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void keyring_add(struct keyring *keyring, uint32_t number, const uint8_t key[HAUL_KEY_BYTES])
{
	uint32_t place = keyring_place(keyring, number);
	struct keyring_entry *entry = &keyring->entries[place];

	BUG_ON(number == 0 || keyring_is_full(keyring));
	BUG_ON(place < keyring->count && entry->number == number);
	memmove(entry + 1, entry, (keyring->count - place) * sizeof(*entry));
	keyring->count++;
	entry->number = number;
	memcpy(entry->key, key, sizeof(entry->key));
}

void keyring_remove(struct keyring *keyring, uint32_t number)
{
	uint32_t place = keyring_place(keyring, number);
	struct keyring_entry *entry = &keyring->entries[place];

	if (place == keyring->count || entry->number != number)
		return;
	keyring->count--;
	memmove(entry, entry + 1, (keyring->count - place) * sizeof(*entry));
	explicit_bzero(&keyring->entries[keyring->count], sizeof(*entry));
}

const uint8_t *keyring_find(const struct keyring *keyring, uint32_t number)
{
	uint32_t place = keyring_place(keyring, number);

	if (place == keyring->count || keyring->entries[place].number != number)
		return NULL;
	return keyring->entries[place].key;
}
