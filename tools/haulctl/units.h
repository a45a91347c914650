/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Numbers as people read them. Each function writes at most UNITS_BYTES and returns its buffer.
 */
#ifndef HAULCTL_UNITS_H
#define HAULCTL_UNITS_H

#include <stdint.h>

/** Room for any of them. */
#define UNITS_BYTES 32u

/** "512 B", "1.5 GiB": powers of 1024. */
char *units_of_bytes(uint64_t bytes, char text[UNITS_BYTES]);

/** "120 ms", "1.2 s", "3.5 min", "7.0 h", "12.3 d". */
char *units_of_ms(uint64_t time_ms, char text[UNITS_BYTES]);

/** "85 us", and from a thousand on as units_of_ms with one digit more: "1.2 ms". */
char *units_of_us(uint64_t time_us, char text[UNITS_BYTES]);

/** "0", "12.5", "3.4 k", "1.2 M": powers of 1000; with unit "bytes" as "1.5 GiB". */
char *units_of_rate(double per_second, const char *unit, char text[UNITS_BYTES]);

#endif
