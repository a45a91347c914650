/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What the processes of the chaos test share: one map of expectations, and all memory that haul moves bytes in.
 *
 * Every client maps every arena, its own and those of others, so that who begins an operation also sees where it lands.
 * A slot is a part of an arena that at most one operation uses. Its `state` says what may be in it:
 *
 *     FREE, QUARANTINE   poison, every byte: nothing may land, whoever once wrote there
 *     BUSY               poison, and between start and start + length bytes of the operation `id`
 *     BUSY, taken        poison alone again: its owner has the memory back, though the operation has not ended
 *
 * All of it is read and written under the slot's lock, memory included, but for what haul itself moves. The conductor
 * makes the map, writes the fields that are its own, reads the counts, and takes locks away from clients that it kills.
 */
#ifndef CHAOS_MAP_H
#define CHAOS_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CHAOS_NODES_MAX   4u
#define CHAOS_CLIENTS_MAX 12u
#define CHAOS_ARENAS \
	4u /* of each client: the last one is private, the local side of its operations */
#define CHAOS_BUFFERS     1u /* this one has a buffer for each part; any other is one buffer */
#define CHAOS_EXTENTS     2u /* this one is divided, and each part an extent of it */
#define CHAOS_PRIVATE     (CHAOS_ARENAS - 1)
#define CHAOS_PARTS       4u  /* of an arena: what may come and go by itself */
#define CHAOS_SLOTS       32u /* of each arena */
#define CHAOS_SLOT_BYTES  65536u
#define CHAOS_ARENA_BYTES ((uint64_t)CHAOS_SLOTS * CHAOS_SLOT_BYTES)
#define CHAOS_PART_SLOTS  (CHAOS_SLOTS / CHAOS_PARTS)
#define CHAOS_EVENT_BYTES 128u

/* What a busy machine may add to a deadline when no daemon was stopped. */
#define CHAOS_GRACE_US 12000000u

/* X(name): what is counted; the conductor sums it over the clients and reads the names from `chaos_client names`. */
#define CHAOS_COUNTS(X) \
	X(tried)        \
	X(ok)           \
	X(cancelled)    \
	X(timeout)      \
	X(stale_status) \
	X(no_path)      \
	X(disconnected) \
	X(busy)         \
	X(otherwise)    \
	X(lost)         \
	X(cancels)      \
	X(batches)      \
	X(removals)     \
	X(creations)    \
	X(buffers_gone) \
	X(extents_gone) \
	X(stayed)       \
	X(additions)    \
	X(openings)     \
	X(attachments)  \
	X(refused)      \
	X(checked)      \
	X(stale)        \
	X(stalled)      \
	X(missing)      \
	X(doubled)      \
	X(wrong)        \
	X(late)

enum chaos_count {
#define CHAOS_COUNT_ENUM(name) COUNT_##name,
	CHAOS_COUNTS(CHAOS_COUNT_ENUM)
#undef CHAOS_COUNT_ENUM
	CHAOS_COUNT_COUNT,
};

enum chaos_slot_state {
	SLOT_FREE = 0,
	SLOT_BUSY = 1,
	SLOT_QUARANTINE = 2, /* FREE from until_us on */
};

struct chaos_slot {
	_Atomic uint32_t lock; /* number of the client that has it + 1; 0 = nobody */
	uint32_t state;        /* enum chaos_slot_state */
	uint32_t client;       /* whose operation it is, or was */
	uint32_t start;
	uint32_t length;
	uint32_t is_read;
	uint32_t is_taken; /* BUSY: nothing of the operation may land, or be read, here any more */
	uint32_t status;   /* of the last operation that ended */
	uint32_t other
		[3]; /* of a private slot: client, arena and slot of the operation's far side */
	uint32_t reserved;
	uint64_t id;         /* of the operation, or of the last one */
	uint64_t poison;     /* what the poison is made of */
	uint64_t until_us;   /* QUARANTINE */
	uint64_t changed_us; /* when the state was last changed */
};

enum chaos_part_state {
	PART_GONE = 0,   /* its owner has the memory: nothing may land */
	PART_COMING = 1, /* likewise, and nobody begins an operation there */
	PART_THERE = 2,
};

/* A part of an arena that comes and goes while the arena's segment lives. */
struct chaos_part {
	_Atomic uint64_t state;  /* enum chaos_part_state; by the owner */
	_Atomic uint64_t life;   /* goes up each time its owner has the memory back */
	_Atomic uint64_t extent; /* handle of the extent that it is THERE as, by the owner */
	uint64_t reserved[5];
};

struct chaos_arena {
	_Atomic uint64_t life; /* goes up each time its owner has the memory back */
	uint64_t reserved[7];
	struct chaos_part parts[CHAOS_PARTS];
	struct chaos_slot slots[CHAOS_SLOTS];
};

struct chaos_node {
	_Atomic uint64_t stopped_us; /* conductor: its dataplane was last stopped; 0 = never */
	_Atomic uint64_t
		continued_us;      /* conductor: and continued; before stopped_us = stands still */
	_Atomic uint64_t ended_us; /* conductor: a dataplane of it was last seen to have ended */
	_Atomic uint64_t stalled; /* clients: late bytes that may be of a copy the stop came into */
	uint64_t reserved[4];
};

/* How the clients work; by the conductor, before they start. */
struct chaos_conduct {
	uint64_t depth;          /* operations of a client under way */
	uint64_t bytes_max;      /* of an operation */
	uint64_t pause_us;       /* between two rounds of a client, at most */
	uint64_t remove_ms;      /* between two removals of a client, on average; 0 = none */
	uint64_t cancel_ppm;     /* of the rounds: something is cancelled */
	uint64_t timeout_ms;     /* the longest deadline of an operation */
	uint64_t read_ppm;       /* of the operations */
	uint64_t quarantine_ms;  /* the longest */
	uint64_t keep_stale_ppm; /* of the operations that end STALE: the handle is used again */
	uint64_t remote_only;    /* 1 = nobody uses arenas of the own node */
	uint64_t gone_ms;        /* a removed segment is away, at most */
	uint64_t part_ms; /* between two removals of a client's parts, on average; 0 = none */
	uint64_t reserved[4];
};

struct chaos_map {
	_Atomic uint64_t phase; /* conductor: 0 = go on, 1 = come to an end */
	uint64_t seed;
	uint64_t clients;
	uint64_t nodes;
	char event[CHAOS_EVENT_BYTES]; /* conductor: the last event, for reports */
	struct chaos_conduct conduct;
	struct chaos_node node[CHAOS_NODES_MAX];
	_Atomic uint64_t beat_us[CHAOS_CLIENTS_MAX]; /* clients: when each last went round */
	_Atomic uint64_t
		number[CHAOS_CLIENTS_MAX]; /* clients: the last operation, over all lives */
	uint64_t counts[CHAOS_CLIENTS_MAX][CHAOS_COUNT_COUNT];
	struct chaos_arena arenas[CHAOS_CLIENTS_MAX][CHAOS_ARENAS];
};

/* The conductor knows these places by their numbers. */
_Static_assert(offsetof(struct chaos_map, event) == 32, "");
_Static_assert(offsetof(struct chaos_map, conduct) == 160, "");
_Static_assert(offsetof(struct chaos_map, node) == 288, "");
_Static_assert(offsetof(struct chaos_map, beat_us) == 544, "");

/** What this process has mapped. */
struct chaos {
	struct chaos_map *map;
	uint32_t client;
	uint64_t random;
	uint8_t *memory[CHAOS_CLIENTS_MAX][CHAOS_ARENAS];
	int fds[CHAOS_CLIENTS_MAX][CHAOS_ARENAS][CHAOS_PARTS];
};

/** Bytes of operation ids: client above, number below; they leave 13 bits for a word's place and one for poison. */
#define CHAOS_NUMBER_BITS 44u

/** Map what the conductor has made: the map's descriptor, and behind it those of all arenas. Returns 0 or -1. */
int chaos_attach(struct chaos *chaos, int map_fd, uint32_t client);

uint64_t chaos_random(struct chaos *chaos);
uint64_t chaos_below(struct chaos *chaos, uint64_t bound);
bool chaos_chance(struct chaos *chaos, uint64_t ppm);

static inline void chaos_count(struct chaos *chaos, enum chaos_count count)
{
	chaos->map->counts[chaos->client][count]++;
}

/** Which of the nodes a client is on. */
static inline uint32_t chaos_node_of(const struct chaos *chaos, uint32_t client)
{
	return client % (uint32_t)chaos->map->nodes;
}

/** Of how many memories an arena consists, one after the other. */
static inline uint32_t chaos_memories(uint32_t arena)
{
	return arena == CHAOS_BUFFERS ? CHAOS_PARTS : 1;
}

/** Has this client's own dataplane stood still since then? What it owes may be late by that. */
bool chaos_stood_still(const struct chaos *chaos, uint64_t since_us);

/** Take a slot's lock; waits for who has it, who never keeps it over a call of haul. */
void chaos_lock(struct chaos *chaos, struct chaos_slot *slot);
void chaos_unlock(struct chaos_slot *slot);

#endif
