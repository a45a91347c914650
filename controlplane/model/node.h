/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The record of a node in Redis. The order of the fields is the order in which the scripts give them.
 */
#ifndef MODEL_NODE_H
#define MODEL_NODE_H

#include "api/haul_control.h"
#include "controlplane/model/text.h"

enum node_field {
	NODE_FORMAT,
	NODE_NAME,
	NODE_INCARNATION,
	NODE_TERM,
	NODE_HOST,
	NODE_BEAT,
	NODE_STATE,
	NODE_ADDRESSES,
	NODE_FIELD_COUNT,
};

/** A row of a listing: the record, then the number of the node's segments. */
#define NODE_LIST_FIELD_COUNT (NODE_FIELD_COUNT + 1u)
#define NODE_SEGMENTS         NODE_FIELD_COUNT

struct node_record {
	char name[HAUL_NAME_BYTES];
	char host[HAUL_NAME_BYTES]; /**< boot id of its host */
	uint64_t incarnation;       /**< of the dataplane that holds the name */
	uint64_t term;              /**< raised by each replacement */
	uint64_t beat;              /**< counts while the dataplane answers */
	bool has_left; /**< it shut down in order; the record only remembers the term */
	unsigned int address_count;
	struct haul_address addresses[HAUL_DESCRIPTOR_ADDRESSES_MAX];
};

/**
 * Parse a record. Returns 0; -HAUL_VERSION when it is of another format; -HAUL_CORRUPT when it is malformed, with the
 * field in reason (HAUL_REASON_BYTES).
 */
int node_parse(const struct text fields[NODE_FIELD_COUNT], struct node_record *out, char *reason);

#endif
