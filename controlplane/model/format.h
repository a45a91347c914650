/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The version of all records, events and scripts of the data set in Redis. It is one number, since the scripts change
 * together with what they write.
 */
#ifndef MODEL_FORMAT_H
#define MODEL_FORMAT_H

#include "controlplane/model/text.h"

/** The number that stands in field `format`; common.lua has the same. */
#define FORMAT_VERSION "2"

/** The words for two versions that differ: what of it, that found and that wanted. */
void format_reason(const char *what, struct text found, char *reason);

/** Returns 0, or -HAUL_VERSION with both versions in reason (HAUL_REASON_BYTES), or -HAUL_CORRUPT when there is none. */
int format_check(struct text found, const char *what, char *reason);

#endif
