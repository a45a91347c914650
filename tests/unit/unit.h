/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * cmocka and what must stand before it, in an order that a formatter may not change.
 */
#ifndef TESTS_UNIT_H
#define TESTS_UNIT_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
/* clang-format on */

#endif
