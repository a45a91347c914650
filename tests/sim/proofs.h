/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The simulated control thread: makes and checks proofs of grants, each after a while, and refuses more when it has many.
 */
#ifndef SIM_PROOFS_H
#define SIM_PROOFS_H

#include "random.h"
#include "rudp/rudp.h"

#include <stdbool.h>
#include <stdint.h>

/** Few, so that there are often too many. */
#define PROOFS_MAX 3u

struct proof {
	struct rudp_grant grant;
	uint64_t due_us;
	uint64_t local_id;   /**< of the connection */
	uint32_t connection; /**< handle; it may have gone meanwhile */
	bool is_own;         /**< to be made; else to be checked */
};

struct proofs {
	struct proof proofs[PROOFS_MAX];
	uint32_t count;
};

/** Takes one up; false when there are too many. */
bool proofs_begin(struct proofs *proofs, struct random *random, uint64_t now_us,
		  const struct rudp_grant *grant, bool is_own);
/** Ends those that are due; `incarnation` is this node's. */
void proofs_advance(struct proofs *proofs, struct rudp *rudp, uint64_t incarnation,
		    uint64_t now_us);
/** When the next one is due. */
uint64_t proofs_next_us(const struct proofs *proofs);

#endif
