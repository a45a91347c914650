/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The commands of haulctl: what each takes from the command line, and what its exit status means.
 */
#ifndef HAULCTL_COMMAND_H
#define HAULCTL_COMMAND_H

#include "tools/haulctl/request.h"

#include <stdint.h>

/** Exit statuses; --help prints them. */
enum exit_status {
	EXIT_GOOD = 0,
	EXIT_FAILED =
		1,      /**< the control plane answered with an error, or a check of doctor fails */
	EXIT_USAGE = 2, /**< the command line is wrong */
	EXIT_UNREACHABLE = 3, /**< nobody answers on the socket */
	EXIT_ABSENT = 4,      /**< there is nothing of that name */
	EXIT_UNAVAILABLE =
		5, /**< the control plane answers, but its Redis or its dataplane does not */
};

/** What the command line said. */
struct command_line {
	const char *socket;
	bool is_json;
	bool is_all;             /**< stats: also counters that are zero */
	unsigned int interval_s; /**< stats: 0 = once */
	unsigned int count;      /**< stats: how often with an interval; 0 = for ever */
	const char *argument;    /**< NAME of segment show; else NULL */
};

struct command {
	const char *words;    /**< "segment show" */
	const char *argument; /**< "NAME", or NULL when it takes none */
	const char *sentence; /**< for the list */
	const char *help;     /**< for its own --help: what it prints */
	int (*run)(const struct command_line *line);
};

/** The only list of them, ended by words of NULL. */
extern const struct command commands[];

/** GET a path; on an error tell why on stderr and set the exit status. The body is the caller's. NULL on an error. */
json_t *command_get(const struct command_line *line, const char *path, int *status_out);

/** Print a body as JSON. */
void command_print(const json_t *body);

/** Members of an object; "" and 0 when they are not there or of another type. Numbers of 64 bits are strings. */
const char *member_text(const json_t *object, const char *name);
uint64_t member_number(const json_t *object, const char *name);
bool member_is_true(const json_t *object, const char *name);

int command_status(const struct command_line *line);
int command_node_list(const struct command_line *line);
int command_segment_list(const struct command_line *line);
int command_segment_show(const struct command_line *line);
int command_peer_list(const struct command_line *line);
int command_transport_list(const struct command_line *line);
int command_channel_list(const struct command_line *line);
int command_stats(const struct command_line *line);
int command_doctor(const struct command_line *line);

#endif
