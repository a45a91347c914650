/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What every command of haulctl is given, and the commands. Each asks the control plane, prints to `out`, says errors
 * on standard error, and returns the exit status of the program.
 */
#ifndef HAULCTL_HAULCTL_H
#define HAULCTL_HAULCTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/** Exit statuses; scripts rely on them, so they never change. */
enum haulctl_status {
	HAULCTL_DONE = 0,
	HAULCTL_FAILED = 1,      /**< an error was answered, or a check of doctor failed */
	HAULCTL_USAGE = 2,       /**< the command line is wrong */
	HAULCTL_UNREACHABLE = 3, /**< the control plane does not answer */
	HAULCTL_NOT_FOUND = 4,   /**< there is nothing of the name that was given */
};

struct haulctl {
	FILE *out;
	const char *socket_path; /**< the control plane's http_socket */
	uint64_t timeout_us;     /**< of one question */
	uint64_t interval_us;    /**< of stats and top; 0 = once, or top's own */
	unsigned int count;      /**< of intervals; 0 = until interrupted */
	unsigned int width;      /**< of the terminal; 0 = none */
	bool is_json;            /**< print JSON instead of tables */
	bool is_all;             /**< stats: also counters that are 0 */
	bool is_once;            /**< top: one interval, as plain text */
	bool is_following;       /**< trace: go on until interrupted */
	const char *peer;        /**< trace: only records of this node; NULL = of all */
	const char *segment;     /**< trace: only of this segment; NULL = of all */
	const char *file;        /**< trace: this file; NULL = the control plane says which */
};

/** A command; arguments ends with NULL. */
typedef int haulctl_fn(const struct haulctl *haulctl, char **arguments);

haulctl_fn status_run;
haulctl_fn list_nodes;
haulctl_fn list_segments;
haulctl_fn list_peers;
haulctl_fn list_transports;
haulctl_fn list_channels;
haulctl_fn list_workers;
haulctl_fn list_openings;
haulctl_fn peer_show;
haulctl_fn segment_show;
haulctl_fn stats_run;
haulctl_fn top_run;
haulctl_fn doctor_run;
haulctl_fn trace_run;

#endif
