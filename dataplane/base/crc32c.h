/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * CRC-32C (Castagnoli), with the processor's instructions where there are any. Any thread.
 */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/** The checksum of bytes that follow those whose checksum is seed; 0 to begin with. */
uint32_t crc32c(uint32_t seed, const void *bytes, size_t length);

/** The same without registers of 64 bytes: the way where the processor has only the instruction for the sum. */
uint32_t crc32c_narrow(uint32_t seed, const void *bytes, size_t length);

/** The same without any: the reference, and the way on other processors. */
uint32_t crc32c_portable(uint32_t seed, const void *bytes, size_t length);

#endif
