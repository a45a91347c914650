/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The words for haul's error and reason numbers, for libhaul and both daemons. Any thread; the
 * texts are static.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

/** The sentence of an error, given as a value of enum haul_error or negated; never NULL. */
const char *error_text(int error);

/** The error's name as in HAUL_<name>, in capitals; never NULL. */
const char *error_name(int error);

/** The sentence of a completion's reason; never NULL. */
const char *reason_text(unsigned int reason);

/**
 * The C library's sentence for a negative or positive errno value; safe in any thread, unlike
 * strerror.
 */
const char *errno_text(int error);

#endif
