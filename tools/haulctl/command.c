/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of commands, and what they all need.
 */
#include "tools/haulctl/command.h"

#include <stdio.h>
#include <stdlib.h>

const struct command commands[] = {
	{ "status", NULL, "this node and the cluster around it",
	  "Prints the cluster, this node's standing in Redis, its dataplane, Redis, its segments,\n"
	  "and a table of all nodes.",
	  command_status },
	{ "node list", NULL, "all nodes, and who of them is alive",
	  "STATE is what this control plane sees: alive (its beat moves), suspect and dead (it stands\n"
	  "still, SINCE says how long), left (it shut down in order), unknown (not watched for long enough).",
	  command_node_list },
	{ "segment list", NULL, "all segments",
	  "VERSION grows with every published change. An empty list of readers or writers stands for the\n"
	  "owning tenant alone, * for everybody.",
	  command_segment_list },
	{ "segment show", "NAME", "one segment with its buffers",
	  "Prints the record of the segment, its owner, and a table of its buffers.",
	  command_segment_show },
	{ "peer list", NULL, "peers of this node's dataplane",
	  "One line an endpoint: what was sent and received, how often sent again, and the round trip.",
	  command_peer_list },
	{ "transport list", NULL, "transports of this node's dataplane, and their devices",
	  "One line a device.", command_transport_list },
	{ "channel list", NULL, "clients of this node's dataplane",
	  "One line a channel: whose it is, operations taken, and those not completed yet.",
	  command_channel_list },
	{ "stats", NULL, "counters of both planes",
	  "Prints the counters that are not zero, or all with --all. With --interval S every S seconds\n"
	  "those that have changed, with their rate a second; --count N ends after N times.",
	  command_stats },
	{ "doctor", NULL, "check this host and this node",
	  "One line a check: ok, warn or fail, what was found, and what would be right. Exit status 1 when\n"
	  "a check fails.",
	  command_doctor },
	{ NULL, NULL, NULL, NULL, NULL },
};

static int status_of(const struct request_answer *answer)
{
	switch (answer->status) {
	case 0:
		return EXIT_UNREACHABLE;
	case 404:
		return EXIT_ABSENT;
	case 503:
		return EXIT_UNAVAILABLE;
	default:
		return EXIT_FAILED;
	}
}

json_t *command_get(const struct command_line *line, const char *path, int *status_out)
{
	struct request_answer answer;

	if (request_get(line->socket, path, &answer))
		return answer.body;
	*status_out = status_of(&answer);
	(void)fprintf(stderr, "haulctl: %s%s\n", answer.reason,
		      answer.status == 0
			      ? " (is haul-controlplane running? --socket names its http_socket)"
			      : "");
	if (line->is_json && answer.body != NULL)
		command_print(answer.body);
	request_free(&answer);
	return NULL;
}

void command_print(const json_t *body)
{
	(void)json_dumpf(body, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}

const char *member_text(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text == NULL ? "" : text;
}

uint64_t member_number(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	if (json_is_integer(value))
		return (uint64_t)json_integer_value(value);
	return strtoull(member_text(object, name), NULL, 10);
}

bool member_is_true(const json_t *object, const char *name)
{
	return json_is_true(json_object_get(object, name));
}
