/* SPDX-License-Identifier: BSD-3-Clause */
/** What came of a command of haul-copy: lines as they come, or one JSON object at the end. */
#ifndef OUTCOME_H
#define OUTCOME_H

#include "base/auth.h"
#include "transfer.h"

#include <stdbool.h>
#include <stdint.h>

/** A write and a read are the most that a command does. */
#define OUTCOME_TRANSFERS_MAX 2u

/** What the daemon counted over all its transports. */
struct outcome_packets {
	uint64_t sent;
	uint64_t received;
	uint64_t retransmitted;
};

struct outcome_transfer {
	const char *label; /**< "write" or "read" */
	struct transfer_result result;
	struct outcome_packets packets; /**< while it ran; all zero when they are not known */
};

struct outcome {
	bool is_json;
	struct outcome_transfer transfers[OUTCOME_TRANSFERS_MAX];
	unsigned int transfer_count;
	uint8_t digests[2][AUTH_DIGEST_BYTES]; /**< of the file, and of what was read back */
	bool has_digests;
};

/** Note a transfer, and print its line. */
void outcome_add(struct outcome *outcome, const struct outcome_transfer *transfer);

/** Note both digests, print them, and say whether they are equal. */
bool outcome_compare(struct outcome *outcome, const char *path);

/** Print the object, when it is wanted. */
void outcome_end(const struct outcome *outcome, int exit_status);

#endif
