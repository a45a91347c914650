/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An address is what a peer will send packets to, so both what the own dataplane says and what Redis says of others
 * passes the same check.
 */
#include "controlplane/model/address.h"

#include "api/haul_abi.h"
#include "base/check.h"
#include "base/descriptor.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* "TT FF PPPP " stands before the 32 digits of the address. */
#define ADDRESS_IP_COLUMN 11u

size_t address_rows_format(const struct haul_address *addresses, unsigned int count,
			   char out[ADDRESS_ROWS_BYTES])
{
	size_t used = 0;

	BUG_ON(count > HAUL_DESCRIPTOR_ADDRESSES_MAX);
	out[0] = '\0';
	for (unsigned int i = 0; i < count; i++) {
		const struct haul_address *address = &addresses[i];

		used += (size_t)snprintf(out + used, ADDRESS_ROWS_BYTES - used, "%02x %02x %04x ",
					 address->transport, address->family, address->port);
		for (unsigned int byte = 0; byte < sizeof(address->ip); byte++) {
			used += (size_t)snprintf(out + used, ADDRESS_ROWS_BYTES - used, "%02x",
						 address->ip[byte]);
		}
		used += (size_t)snprintf(out + used, ADDRESS_ROWS_BYTES - used, "\n");
	}
	return used;
}

static bool address_row_parse(const char *row, struct haul_address *out)
{
	uint64_t transport, family, port, byte;

	memset(out, 0, sizeof(*out));
	if (row[2] != ' ' || row[5] != ' ' || row[10] != ' ' || row[ADDRESS_ROW_BYTES - 1] != '\n')
		return false;
	if (!text_hexadecimal(row, 2, &transport) || !text_hexadecimal(row + 3, 2, &family) ||
	    !text_hexadecimal(row + 6, 4, &port))
		return false;
	for (unsigned int i = 0; i < sizeof(out->ip); i++) {
		if (!text_hexadecimal(row + ADDRESS_IP_COLUMN + 2 * (size_t)i, 2, &byte))
			return false;
		out->ip[i] = (uint8_t)byte;
	}
	out->transport = (uint8_t)transport;
	out->family = (uint8_t)family;
	out->port = (uint16_t)port;
	return address_is_valid(out);
}

bool address_rows_parse(struct text rows, struct haul_address *addresses_out,
			unsigned int *count_out)
{
	size_t count = rows.length / ADDRESS_ROW_BYTES;

	if (rows.length % ADDRESS_ROW_BYTES != 0 || count == 0 ||
	    count > HAUL_DESCRIPTOR_ADDRESSES_MAX)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (!address_row_parse(rows.bytes + i * ADDRESS_ROW_BYTES, &addresses_out[i]))
			return false;
	}
	*count_out = (unsigned int)count;
	return true;
}

const char *address_transport_word(unsigned int transport)
{
	static const char *const words[] = { "none", "local", "udp", "rdma", "tcp" };

	return transport < ARRAY_SIZE(words) ? words[transport] : words[0];
}

void address_words(const struct haul_address *address, char out[ADDRESS_WORDS_BYTES])
{
	char ip[INET6_ADDRSTRLEN] = "?";
	bool is_six = address->family == 6;

	(void)inet_ntop(is_six ? AF_INET6 : AF_INET, address->ip, ip, sizeof(ip));
	(void)snprintf(out, ADDRESS_WORDS_BYTES, is_six ? "%s [%s]:%u" : "%s %s:%u",
		       address_transport_word(address->transport), ip, address->port);
}
