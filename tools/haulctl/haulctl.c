/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl: asks a node's control plane over HTTP on its Unix socket, and prints tables or JSON. Changes nothing.
 */
#include "tools/haulctl/haulctl.h"

#include "base/check.h"
#include "base/error.h"
#include "tools/haulctl/table.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define HAULCTL_SOCKET "/run/haul/http.sock"

/* Redis has a second for an answer, and a listing asks it a few times. */
#define HAULCTL_TIMEOUT_US 10000000u

/* Bounds of --timeout, --interval and --count. */
#define HAULCTL_SECONDS_MIN 0.1
#define HAULCTL_SECONDS_MAX 86400.0
#define HAULCTL_COUNT_MAX   1000000u

struct haulctl_command {
	const char *noun;
	const char *verb;     /* NULL = the noun alone */
	const char *argument; /* as in the usage; in brackets = may be left out; NULL = none */
	const char *sentence; /* for the list */
	const char *help;     /* for its own --help */
	haulctl_fn *run;
};

static const struct haulctl_command haulctl_commands[] = {
	{ "status", NULL, NULL, "this node and the cluster around it",
	  "Prints the cluster, this node and what Redis knows of it, its dataplane, its Redis, and all nodes.\n",
	  status_run },
	{ "node", "list", NULL, "all nodes, and who of them is alive",
	  "STATE is what this control plane sees: alive (its beat moves), suspect and dead (it stands still,\n"
	  "BEAT says for how long), left (it was stopped in order), unknown (not watched for long enough).\n"
	  "TERM grows with each start of the node, INCARNATION names one.\n",
	  list_nodes },
	{ "segment", "list", NULL, "all segments",
	  "VERSION grows with each change of a segment. INCARNATION is that of the node that owns it.\n",
	  list_segments },
	{ "segment", "show", "NAME", "one segment with its buffers, and what is open of it here",
	  "Readers and writers are tenants; * stands for all of them, and - for the owning tenant alone. A buffer that drains\n"
	  "takes no new operations; one without a region is divided into extents. Below: what this node has open of it, as in\n"
	  "opening list.\n",
	  segment_show },
	{ "peer", "list", NULL, "nodes that this node's dataplane is connected with",
	  "One line a rail: WAY is a port of this node and the peer's address. A doubtful rail carries nothing new while\n"
	  "another is up, a paused one is tried again. RTT is smoothed, and - until it has been measured; RETRANSMITTED counts packets.\n",
	  list_peers },
	{ "peer", "show", "NODE", "one node: its record, its rails, what is open of it here",
	  "The record is that of Redis; the rails and what is open are this node's dataplane's, as in peer list and\n"
	  "opening list.\n",
	  peer_show },
	{ "opening", "list", NULL,
	  "segments of other nodes that applications of this one have open",
	  "CACHED is the version of the descriptor that is used, SEEN the latest that was heard of. STATE: current; stale (SEEN\n"
	  "is another one: no new work is posted until its descriptor is here); refreshing (it has been asked for); retired (the\n"
	  "segment or its owner's incarnation is gone: operations end with STALE). SINCE is how long, FAILED counts refreshes\n"
	  "that brought nothing; --json has them by kind.\n",
	  list_openings },
	{ "transport", "list", NULL, "transports of this node's dataplane, and their devices",
	  "One line a device.\n", list_transports },
	{ "channel", "list", NULL, "applications attached to this node's dataplane",
	  "One line a channel: OPERATIONS were taken since it was attached, OPEN are not completed yet.\n",
	  list_channels },
	{ "worker", "list", NULL, "workers of this node's dataplane",
	  "LOAD is the share of its time that a worker has work, for its own channels or for peers, over the last second. A\n"
	  "new channel goes to the least loaded one; where loads are close, to the one with the fewest.\n",
	  list_workers },
	{ "stats", NULL, "[GROUP]", "counters of both daemons",
	  "Prints the counters that are not 0, of one group or of all.\n"
	  "\n"
	  "  --interval SECONDS  print again and again what has moved, with its rate\n"
	  "  --count N           end after N intervals\n"
	  "  --all               also counters that are 0 or have not moved\n",
	  stats_run },
	{ "top", NULL, NULL, "a live screen of what moves",
	  "Workers, channels, peers and ports of this node with their rates, until q or Ctrl-C. BUSY is the share of\n"
	  "time that a worker's rounds with work took; MEAN is what an operation of a channel took on average.\n"
	  "\n"
	  "  --interval SECONDS  between two looks (default 1)\n"
	  "  --count N           end after N of them\n"
	  "  --once              one, as plain text; plain text is also what no terminal gets\n",
	  top_run },
	{ "trace", NULL, NULL, "the dataplane's last transitions",
	  "One line a transition of a buffer, a segment, an opening, an endpoint, a rail or the node: when, which thread, of what,\n"
	  "from where to where, and why. Read out of shared memory, also after the dataplane was killed.\n"
	  "\n"
	  "  --follow            go on with what comes, until Ctrl-C\n"
	  "  --peer NODE         only what is about this node\n"
	  "  --segment NAME      only what is about this segment\n"
	  "  --file PATH         this file (default: counters_file of the control plane, and .trace)\n",
	  trace_run },
	{ "doctor", NULL, NULL, "checks of this node and its host",
	  "One line a check: ok, warn (it works, but worse than it could) or fail, what was found, and below it what\n"
	  "would be right. The exit status is 1 when a check fails.\n",
	  doctor_run },
};

static const char haulctl_options[] =
	"  --socket PATH       the control plane's http_socket (default $HAUL_HTTP, " HAULCTL_SOCKET
	")\n"
	"  --json              print JSON; numbers of 64 bits are strings in it\n"
	"  --timeout SECONDS   for an answer (default 10)\n"
	"  --help              this text; with a command, what it prints\n"
	"  --version           the version\n"
	"\n"
	"Exit status: 0 done, 1 failed (stderr says why) or a check of doctor did, 2 wrong usage,\n"
	"3 the control plane cannot be reached, 4 there is nothing of that name.\n";

static void haulctl_print_name(const struct haulctl_command *command, FILE *file, int width)
{
	int length = fprintf(file, "%s%s%s%s%s", command->noun, command->verb != NULL ? " " : "",
			     command->verb != NULL ? command->verb : "",
			     command->argument != NULL ? " " : "",
			     command->argument != NULL ? command->argument : "");

	fprintf(file, "%*s", MAX(0, width - length), "");
}

static void haulctl_help(FILE *file)
{
	fputs("usage: haulctl [OPTIONS] COMMAND\n\n", file);
	for (unsigned int i = 0; i < ARRAY_SIZE(haulctl_commands); i++) {
		fputs("  ", file);
		haulctl_print_name(&haulctl_commands[i], file, 20);
		fprintf(file, "%s\n", haulctl_commands[i].sentence);
	}
	fprintf(file, "\n%s", haulctl_options);
}

static void haulctl_help_command(const struct haulctl_command *command)
{
	fputs("usage: haulctl [OPTIONS] ", stdout);
	haulctl_print_name(command, stdout, 0);
	printf("\n\n%s: %s.\n%s\n%s", command->noun, command->sentence, command->help,
	       haulctl_options);
}

static int haulctl_wrong(const char *what, const char *why)
{
	fputs("haulctl: ", stderr);
	table_print_text(stderr, what);
	fprintf(stderr, ": %s; see haulctl --help\n", why);
	return HAULCTL_USAGE;
}

/* The command that the words begin with; *used_out is how many of them name it. */
static const struct haulctl_command *haulctl_find(char **words, int count, int *used_out)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(haulctl_commands); i++) {
		const struct haulctl_command *command = &haulctl_commands[i];

		if (count < 1 || strcmp(words[0], command->noun) != 0)
			continue;
		*used_out = command->verb == NULL ? 1 : 2;
		if (command->verb == NULL || (count > 1 && strcmp(words[1], command->verb) == 0))
			return command;
	}
	return NULL;
}

/* Why no command begins with these words. */
static int haulctl_unknown(char **words, int count)
{
	char verbs[64] = "";

	if (count == 0) {
		haulctl_help(stderr);
		return HAULCTL_USAGE;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(haulctl_commands); i++) {
		const struct haulctl_command *command = &haulctl_commands[i];
		size_t length = strlen(verbs);

		if (strcmp(words[0], command->noun) != 0 || command->verb == NULL)
			continue;
		(void)snprintf(verbs + length, sizeof(verbs) - length, "%s \"%s %s\"",
			       length > 0 ? " and" : "there is", command->noun, command->verb);
	}
	return haulctl_wrong(words[0], verbs[0] != '\0' ? verbs : "no such command");
}

static int haulctl_run(const struct haulctl *haulctl, char **words, int count, bool is_help)
{
	int used = 0;
	const struct haulctl_command *command = haulctl_find(words, count, &used);
	int most;

	if (is_help && count == 0) {
		haulctl_help(stdout);
		return HAULCTL_DONE;
	}
	if (command == NULL)
		return haulctl_unknown(words, count);
	if (is_help) {
		haulctl_help_command(command);
		return HAULCTL_DONE;
	}
	most = used + (command->argument != NULL ? 1 : 0);
	if (count > most)
		return haulctl_wrong(words[most], "one word too many");
	if (command->argument != NULL && command->argument[0] != '[' && count < most)
		return haulctl_wrong(command->noun, "a name is missing");
	if (command->run != stats_run && command->run != top_run &&
	    (haulctl->interval_us > 0 || haulctl->count > 0))
		return haulctl_wrong(command->noun,
				     "--interval and --count are for stats and top alone");
	if (command->run != stats_run && haulctl->is_all)
		return haulctl_wrong(command->noun, "--all is for stats alone");
	if (command->run != top_run && haulctl->is_once)
		return haulctl_wrong(command->noun, "--once is for top alone");
	if (command->run != trace_run && (haulctl->is_following || haulctl->peer != NULL ||
					  haulctl->segment != NULL || haulctl->file != NULL))
		return haulctl_wrong(command->noun,
				     "--follow, --peer, --segment and --file are for trace alone");
	if (command->run == stats_run && haulctl->count > 0 && haulctl->interval_us == 0)
		return haulctl_wrong("--count", "goes with --interval");
	return command->run(haulctl, words + used);
}

static bool haulctl_parse_seconds(const char *text, uint64_t *time_us_out)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != '\0' ||
	    !(seconds >= HAULCTL_SECONDS_MIN && seconds <= HAULCTL_SECONDS_MAX)) {
		haulctl_wrong(text, "seconds from 0.1 to 86400 are wanted");
		return false;
	}
	*time_us_out = (uint64_t)(seconds * 1e6);
	return true;
}

static bool haulctl_parse_count(const char *text, unsigned int *count_out)
{
	char *end;
	unsigned long count = strtoul(text, &end, 10);

	if (*text < '0' || *text > '9' || *end != '\0' || count == 0 || count > HAULCTL_COUNT_MAX) {
		haulctl_wrong(text, "a number from 1 to 1000000 is wanted");
		return false;
	}
	*count_out = (unsigned int)count;
	return true;
}

/* What the options say. Returns false when one is wrong, which has been said. */
static bool haulctl_parse(struct haulctl *haulctl, int argc, char **argv, int *wanted_out)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' },
		{ "timeout", required_argument, NULL, 't' },
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'n' },
		{ "all", no_argument, NULL, 'a' },
		{ "once", no_argument, NULL, 'o' },
		{ "follow", no_argument, NULL, 'f' },
		{ "peer", required_argument, NULL, 'p' },
		{ "segment", required_argument, NULL, 'g' },
		{ "file", required_argument, NULL, 'F' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	bool is_good = true;
	int option;

	while (is_good && (option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (option == 's')
			haulctl->socket_path = optarg;
		else if (option == 'j')
			haulctl->is_json = true;
		else if (option == 't')
			is_good = haulctl_parse_seconds(optarg, &haulctl->timeout_us);
		else if (option == 'i')
			is_good = haulctl_parse_seconds(optarg, &haulctl->interval_us);
		else if (option == 'n')
			is_good = haulctl_parse_count(optarg, &haulctl->count);
		else if (option == 'a')
			haulctl->is_all = true;
		else if (option == 'o')
			haulctl->is_once = true;
		else if (option == 'f')
			haulctl->is_following = true;
		else if (option == 'p')
			haulctl->peer = optarg;
		else if (option == 'g')
			haulctl->segment = optarg;
		else if (option == 'F')
			haulctl->file = optarg;
		else if (option == 'h' || option == 'v')
			*wanted_out = option;
		else
			is_good = false;
	}
	return is_good;
}

static unsigned int haulctl_width(void)
{
	struct winsize size;

	if (isatty(STDOUT_FILENO) != 1 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
		return 0;
	return size.ws_col;
}

int main(int argc, char **argv)
{
	const char *socket_path = getenv("HAUL_HTTP");
	struct haulctl haulctl = { .out = stdout, .timeout_us = HAULCTL_TIMEOUT_US };
	int wanted = 0;
	int status;

	haulctl.socket_path =
		socket_path != NULL && *socket_path != '\0' ? socket_path : HAULCTL_SOCKET;
	haulctl.width = haulctl_width();
	if (!haulctl_parse(&haulctl, argc, argv, &wanted))
		return HAULCTL_USAGE;
	if (wanted == 'v') {
		printf("haulctl %s\n", HAUL_VERSION_TEXT);
		return HAULCTL_DONE;
	}
	status = haulctl_run(&haulctl, argv + optind, argc - optind, wanted == 'h');
	if (fflush(stdout) != 0 || ferror(stdout) != 0) {
		fprintf(stderr, "haulctl: standard output: %s\n", errno_text(errno));
		return HAULCTL_FAILED;
	}
	return status;
}
