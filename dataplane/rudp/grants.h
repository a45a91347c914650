/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What a connection's initiator has been granted at its target, on both sides; docs/protocol.md, Grants, has the rules.
 *
 *     initiator    WANTED -prove-> PROVING -> DUE -GRANT-> SAID -> GRANTED
 *                     \               \                       \-> REFUSED, for a while
 *     target       WANTED -check-> CHECKING -> DUE -GRANTED-> SAID
 *
 * Either end of a connection may be both, since it may have operations of both sides. The initiator chooses the slots: it
 * gives one to another grant only when no operation names it, the one that was used the longest ago. So a slot means one
 * thing for as long as anything that names it can be on the way and still be of an open operation; the serial of each
 * claim tells the target which of two is the later.
 *
 * Whoever makes and checks proofs is behind two callbacks (rudp.h), which may be slow and may refuse to take more now.
 */
#ifndef RUDP_GRANTS_H
#define RUDP_GRANTS_H

#include "rudp/rudp.h"
#include "rudp/wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How long a refusal stands before the same grant is tried again: who is refused asks ten times a second at most. */
#define GRANTS_REFUSED_US 100000u

enum grants_state {
	GRANTS_FREE = 0,    /**< nothing is known of it */
	GRANTS_WANTED = 1,  /**< a proof is to be made, or to be checked */
	GRANTS_WORKED = 2,  /**< it is being made, or checked */
	GRANTS_DUE = 3,     /**< its frame is to be sent */
	GRANTS_SAID = 4,    /**< it was; the initiator waits for the answer */
	GRANTS_GRANTED = 5, /**< initiator: operations may name it */
	GRANTS_REFUSED = 6, /**< initiator: operations end with `status` */
};

/** A slot as the initiator has it. */
struct grants_own {
	uint64_t used_us; /**< when it was last named; REFUSED: since when */
	uint32_t segment; /**< number at the target; 0 = FREE */
	uint32_t serial;  /**< of its claim */
	uint32_t tag;     /**< the owner's, to find the key by */
	uint32_t asked;   /**< the tag that the last proof was to be made by */
	uint32_t number;  /**< SAID: of the packet */
	uint32_t uses;    /**< operations that name it */
	uint8_t rights;
	uint8_t state;  /**< enum grants_state */
	uint8_t status; /**< REFUSED: enum haul_error */
	bool is_unmade; /**< REFUSED: since there was no proof by `asked`; else by the target */
	uint8_t proof[RUDP_PROOF_BYTES];
};

/** A slot as the target has it, but for what each packet is compared with. */
struct grants_peer {
	uint32_t segment; /**< claimed */
	uint32_t serial;  /**< of the claim */
	uint32_t number;  /**< SAID: of the packet */
	uint8_t rights;   /**< claimed */
	uint8_t state;    /**< enum grants_state */
	uint8_t status;   /**< DUE, SAID: enum haul_error, 0 = granted */
	uint8_t proof[RUDP_PROOF_BYTES];
};

struct grants {
	struct rudp_right *held;  /**< RUDP_GRANTS: what is granted to the peer; zeros = nothing */
	struct grants_own *own;   /**< RUDP_GRANTS */
	struct grants_peer *peer; /**< RUDP_GRANTS */
	uint32_t used;            /**< slots of `own` that were ever given out, the first ones */
	uint32_t last;            /**< slot of `own` that was found last */
	uint32_t serial;          /**< of the last claim */
	uint32_t wanted;          /**< slots on both sides that are WANTED */
	uint32_t due;             /**< slots on both sides that are DUE */
};

/** Bytes of memory that grants_init divides up. */
size_t grants_bytes(void);
void grants_init(struct grants *grants, void *memory);

/**
 * Initiator: the slot of a grant. Returns 0, -EAGAIN while it is being proven (`wanted` may have grown) or all slots are
 * named by operations, or the status that it was refused with.
 */
int grants_find(struct grants *grants, uint64_t now_us, uint32_t segment, uint8_t rights,
		uint32_t tag, uint8_t *slot_out);
/** An operation begins or ends to name a slot. */
void grants_use(struct grants *grants, uint8_t slot, uint64_t now_us);
void grants_leave(struct grants *grants, uint8_t slot);
/** Initiator: the proof was made, or with a status cannot be. */
void grants_made(struct grants *grants, uint64_t now_us, uint8_t slot, uint32_t serial, int status,
		 const uint8_t *proof);
/** Initiator: the target's answer. */
void grants_answered(struct grants *grants, uint64_t now_us, const struct wire_granted *answer);

/** Target: a claim has come. What was granted for its slot before is void from here on. */
void grants_claimed(struct grants *grants, const struct wire_grant *claim);
/** Target: its proof is good (HAUL_OK) or not. */
void grants_checked(struct grants *grants, uint8_t slot, uint32_t serial, int status);

/**
 * The next slot that is WANTED, from *cursor on, on the initiator's side or the target's; it is WORKED then, or put back.
 * False when there is none.
 */
bool grants_take_wanted(struct grants *grants, uint32_t *cursor, struct rudp_grant *out,
			bool *is_own_out);
void grants_put_back(struct grants *grants, uint8_t slot, bool is_own);

/** Write frames that are due into a packet with that number; returns the bytes. */
size_t grants_write(struct grants *grants, uint32_t number, uint8_t *out, size_t room);
/** A packet with such frames is lost: they are due again. True when there was any. */
bool grants_resay(struct grants *grants, uint32_t number);

#endif
