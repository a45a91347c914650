/* SPDX-License-Identifier: BSD-3-Clause */
/** Numbers in network order and the Internet checksum (RFC 1071), for the files that read and write headers. */
#ifndef DRIVERS_UDP_OCTETS_H
#define DRIVERS_UDP_OCTETS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static inline uint32_t get32(const uint8_t *bytes)
{
	return (uint32_t)get16(bytes) << 16 | get16(bytes + 2);
}

static inline void put16(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

static inline void put32(uint8_t *bytes, uint32_t value)
{
	put16(bytes, value >> 16);
	put16(bytes + 2, value);
}

/**
 * One's complement sum of big-endian words. It is made of 32-bit words in the machine's order, which the compiler turns
 * into vectors, and swapped once at the end.
 */
static inline uint32_t octets_sum(const uint8_t *bytes, size_t length)
{
	uint64_t sum = 0;
	uint32_t word = 0;

	for (; length >= sizeof(word); length -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		sum += word;
	}
	word = 0;
	memcpy(&word, bytes, length);
	sum += word;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return __builtin_bswap16((uint16_t)sum);
#else
	return (uint32_t)sum;
#endif
}

/** A sum of such sums as one word: 0xffff over bytes whose checksum is right. */
static inline uint16_t octets_fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

#endif
