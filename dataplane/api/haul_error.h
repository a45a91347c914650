/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The one error vocabulary of haul.
 *
 * A call returns 0 or one of these values negated; a completion carries the value itself. The numbers
 * are part of the ring layout and of the control messages: append, never renumber.
 */
#ifndef HAUL_ERROR_H
#define HAUL_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/** X(name, value, sentence): the only list of errors; texts, documents and tests come from it. */
#define HAUL_ERRORS(X)                                                                       \
	X(OK, 0, "done")                                                                     \
	X(INVALID, 1, "the request is malformed")                                            \
	X(RANGE, 2, "offset and length do not lie inside what was named")                    \
	X(NOT_FOUND, 3, "there is nothing of that name")                                     \
	X(EXISTS, 4, "the name is taken")                                                    \
	X(DENIED, 5, "the right was not granted")                                            \
	X(STALE, 6, "what was named is gone or has been replaced; open it again")            \
	X(TIMEOUT, 7, "the deadline passed")                                                 \
	X(CANCELLED, 8, "cancelled on request")                                              \
	X(UNAVAILABLE, 9, "the control plane or its Redis does not answer; transfers go on") \
	X(DISCONNECTED, 10, "the daemon is gone; attach again")                              \
	X(FAULT, 11, "the memory of an operation vanished under it")                         \
	X(NO_PATH, 12, "no transport reaches the peer")                                      \
	X(BUSY, 13, "a bounded resource is in use; try again")                               \
	X(QUOTA, 14, "the user's quota is used up")                                          \
	X(VERSION, 15, "the two sides speak different versions of a format")                 \
	X(CORRUPT, 16, "the bytes do not match their checksum")                              \
	X(SYSTEM, 17, "a system call failed; the reason names it")                           \
	X(INTERNAL, 18, "a defect of haul; please report it")

enum haul_error {
#define HAUL_ERROR_ENUM(name, value, text) HAUL_##name = (value),
	HAUL_ERRORS(HAUL_ERROR_ENUM)
#undef HAUL_ERROR_ENUM
};

/** The number of errors; every value below it is defined. */
#define HAUL_ERROR_COUNT 19

#ifdef __cplusplus
}
#endif

#endif
