/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Proofs of grants on their way between the halves: a worker does no cryptography. What a worker's rudp wants to be proven
 * or checked goes to control over one ring, and what has become of it comes back over the other, as many as UDP_PROOFS at
 * a time; beyond that rudp keeps what it wants and asks again.
 */
#ifndef DRIVERS_UDP_PROOF_H
#define DRIVERS_UDP_PROOF_H

#include "rudp/rudp.h"

#include <stdbool.h>
#include <stdint.h>

struct transport;
struct transport_worker;

/** Proofs of one worker that control has: an application that opens many segments has a few under way. */
#define UDP_PROOFS 256u

struct udp_proof {
	uint64_t local_id; /**< of the connection; tells it from a later one with the same handle */
	uint64_t remote_id;              /**< of the connection */
	uint64_t incarnation;            /**< the peer's */
	uint32_t connection;             /**< rudp's handle */
	uint32_t segment;                /**< its number at the target */
	uint32_t serial;                 /**< rudp's, comes back */
	uint32_t remote;                 /**< to be made: engine's index of the segment */
	uint8_t slot;                    /**< rudp's, comes back */
	uint8_t rights;                  /**< HAUL_RIGHT_* */
	bool is_own;                     /**< to be made; else to be checked */
	uint8_t status;                  /**< answer: enum haul_error */
	uint8_t proof[RUDP_PROOF_BYTES]; /**< to be checked, or the answer */
};

/** rudp's callbacks `prove` and `check`. Worker. */
bool udp_proof_make(void *context, const struct rudp_grant *grant);
bool udp_proof_check(void *context, const struct rudp_grant *grant);
/** Hand rudp what has come back. Worker. */
void udp_proofs_take(struct transport_worker *worker);
/** Make and check what workers have asked for; true when there is more. Control thread. */
bool udp_proofs_answer(struct transport *transport);

#endif
