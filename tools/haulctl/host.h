/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What a host must have for haul to run well, looked at through /proc and /sys. One check, one finding.
 */
#ifndef HAULCTL_HOST_H
#define HAULCTL_HOST_H

enum host_state {
	HOST_OK,
	HOST_WARN, /**< it works, but worse than it could */
	HOST_FAIL, /**< it does not work */
};

struct host_finding {
	const char *name;
	enum host_state state;
	char detail[256]; /**< what was found */
	char advice[256]; /**< what would be right; empty when ok */
};

typedef void (*host_fn)(const struct host_finding *finding, void *argument);

/** Look at everything, under a root folder: "" for this host, another for a test. */
void host_check(const char *root, host_fn fn, void *argument);

/** "ok", "warn", "fail". */
const char *host_state_word(enum host_state state);

#endif
