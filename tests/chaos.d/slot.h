/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The bytes of a slot: each says who wrote it, with which operation and where, or of which poison it is; what may be
 * there, and a report about what may not.
 */
#ifndef CHAOS_SLOT_H
#define CHAOS_SLOT_H

#include "tests/chaos.d/map.h"

/** What a slot may hold. */
enum slot_holds {
	SLOT_POISON, /**< nothing but its poison */
	SLOT_PART,   /**< and in the operation's range any bytes of the operation */
	SLOT_WHOLE,  /**< and in the operation's range all of them */
};

/** A slot's place, for reports and for its memory. */
struct slot_place {
	uint32_t client;
	uint32_t arena;
	uint32_t slot;
};

struct chaos_slot *slot_at(const struct chaos *chaos, struct slot_place place);
uint8_t *slot_memory(const struct chaos *chaos, struct slot_place place);

/** Fill a slot with new poison. Under its lock. */
void slot_poison(struct chaos *chaos, struct slot_place place);

/** Write the operation's bytes into its range. Under its lock. */
void slot_fill(const struct chaos *chaos, struct slot_place place);

/**
 * Is in the slot what may be there? Else it is reported and counted: as `stale` when bytes are there that must not be, as
 * `wrong` when bytes are missing. Under its lock.
 */
bool slot_check(struct chaos *chaos, struct slot_place place, enum slot_holds holds,
		const char *when);

/** The operation on it is over: check, poison, and let it rest. Under its lock. */
void slot_end(struct chaos *chaos, struct slot_place place, enum slot_holds holds, uint32_t status,
	      const char *when);

/** A client has an arena's memory back: from now on nothing may land there. */
void slot_take_arena(struct chaos *chaos, uint32_t client, uint32_t arena, const char *when);

/** Likewise of a part of one. */
void slot_take_part(struct chaos *chaos, uint32_t client, uint32_t arena, uint32_t part,
		    const char *when);

/** Look at slots that rest, of one arena; those whose time is over are free. With is_all at all that are not in use. */
void slot_look(struct chaos *chaos, uint32_t client, uint32_t arena, bool is_all, const char *when);

#endif
