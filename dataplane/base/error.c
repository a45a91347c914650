/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tables made from the X-macros of haul_error.h and haul_abi.h, and the one mapping from errno.
 */
#include "base/error.h"

#include "api/haul_abi.h"
#include "api/haul_error.h"
#include "base/check.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

static const char *const error_texts[] = {
#define ERROR_TEXT(name, value, text) [value] = (text),
	HAUL_ERRORS(ERROR_TEXT)
#undef ERROR_TEXT
};

static const char *const error_names[] = {
#define ERROR_NAME(name, value, text) [value] = #name,
	HAUL_ERRORS(ERROR_NAME)
#undef ERROR_NAME
};

static const char *const reason_texts[] = {
#define REASON_TEXT(name, value, text) [value] = (text),
	HAUL_REASONS(REASON_TEXT)
#undef REASON_TEXT
};

_Static_assert(ARRAY_SIZE(error_texts) == HAUL_ERROR_COUNT, "each error has a text");
_Static_assert(ARRAY_SIZE(reason_texts) == HAUL_REASON_COUNT, "each reason has a text");

/* The index of an error given with either sign, or HAUL_ERROR_COUNT for none. */
static unsigned int error_index(int error)
{
	unsigned int index = error < 0 ? 0u - (unsigned int)error : (unsigned int)error;

	return MIN(index, (unsigned int)HAUL_ERROR_COUNT);
}

const char *error_text(int error)
{
	unsigned int index = error_index(error);

	return index < HAUL_ERROR_COUNT ? error_texts[index] : "an error of another version";
}

const char *error_name(int error)
{
	unsigned int index = error_index(error);

	return index < HAUL_ERROR_COUNT ? error_names[index] : "UNKNOWN";
}

const char *reason_text(unsigned int reason)
{
	return reason < HAUL_REASON_COUNT ? reason_texts[reason] : "a reason of another version";
}

static int errno_positive(int error)
{
	return error < 0 && error != INT_MIN ? -error : error;
}

const char *errno_text(int error)
{
	const char *text = strerrordesc_np(errno_positive(error));

	return text != NULL ? text : "unknown error";
}
