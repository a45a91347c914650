/* SPDX-License-Identifier: BSD-3-Clause */
/* Which checks are taken out; weaken.h says for whom. */
#include "base/weaken.h"

#ifdef HAUL_DEBUG

#include <string.h>

static const char *const weaken_words[] = {
	[WEAKEN_GENERATION] = "generation",
	[WEAKEN_FENCE] = "fence",
	[WEAKEN_FRESHNESS] = "freshness",
	[WEAKEN_GRANT] = "grant",
};

uint32_t weaken_bits;

static uint32_t weaken_bit(const char *word, size_t length)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(weaken_words); i++) {
		if (strlen(weaken_words[i]) == length &&
		    strncmp(weaken_words[i], word, length) == 0)
			return 1u << i;
	}
	return 0;
}

int weaken_parse(const char *text)
{
	uint32_t bits = 0;

	while (text != NULL && text[0] != '\0') {
		size_t length = strcspn(text, ",");
		uint32_t bit = weaken_bit(text, length);

		if (bit == 0)
			return -1;
		bits |= bit;
		text += length + (text[length] == ',');
	}
	weaken_bits = bits;
	return 0;
}

#endif
