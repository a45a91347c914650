/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Addresses of a node: their check, their rows in Redis and their words for people.
 *
 * A row is of fixed width: "TT FF PPPP IP32\n", all hexadecimal: transport, family, port and the 16 bytes of the
 * address.
 */
#ifndef MODEL_ADDRESS_H
#define MODEL_ADDRESS_H

#include "api/haul_control.h"
#include "controlplane/model/text.h"

/** Bytes of one row. */
#define ADDRESS_ROW_BYTES 44u

/** Room for the rows of a node's addresses, with a final zero. */
#define ADDRESS_ROWS_BYTES (HAUL_DESCRIPTOR_ADDRESSES_MAX * ADDRESS_ROW_BYTES + 1)

/** Room for the words of one address, e.g. "udp 10.0.0.1:4791". */
#define ADDRESS_WORDS_BYTES 80u

/** Format count addresses as rows; returns the bytes written, without the final zero. */
size_t address_rows_format(const struct haul_address *addresses, unsigned int count,
			   char out[ADDRESS_ROWS_BYTES]);

/** Parse 1 to HAUL_DESCRIPTOR_ADDRESSES_MAX rows; false when anything is wrong with any of them. */
bool address_rows_parse(struct text rows, struct haul_address *addresses_out,
			unsigned int *count_out);

/** The word of a transport; "none" for what is not known. */
const char *address_transport_word(unsigned int transport);

/** An address in words. */
void address_words(const struct haul_address *address, char out[ADDRESS_WORDS_BYTES]);

#endif
