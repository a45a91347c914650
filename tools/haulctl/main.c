/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl: asks a node's control plane over HTTP on its Unix socket, and prints tables or JSON. Changes nothing.
 */
#include "tools/haulctl/command.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_SOCKET "/run/haul/http.sock"

/* Bounds of --interval and --count. */
#define NUMBER_MAX 1000000

static const struct option long_options[] = {
	{ "socket", required_argument, NULL, 's' }, { "json", no_argument, NULL, 'j' },
	{ "all", no_argument, NULL, 'a' },          { "interval", required_argument, NULL, 'i' },
	{ "count", required_argument, NULL, 'c' },  { "help", no_argument, NULL, 'h' },
	{ "version", no_argument, NULL, 'v' },      { NULL, 0, NULL, 0 },
};

static void help_print(void)
{
	printf("Usage: haulctl [OPTION]... COMMAND\n"
	       "Ask the control plane of a haul node.\n\n");
	for (const struct command *command = commands; command->words != NULL; command++)
		printf("  %-14s %-5s %s\n", command->words,
		       command->argument == NULL ? "" : command->argument, command->sentence);
	printf("\n  --socket PATH  http_socket of the control plane (default: " DEFAULT_SOCKET ")\n"
	       "  --json         print JSON; numbers of 64 bits are strings in it\n"
	       "  --all          stats: also counters that are zero\n"
	       "  --interval S   stats: every S seconds, with rates\n"
	       "  --count N      stats: end after N times\n"
	       "  --version      print the version\n"
	       "  --help         print this, or with a command what it prints\n\n"
	       "Exit status: 0 good, 1 failed (or a check of doctor does), 2 wrong command line,\n"
	       "3 the control plane cannot be reached, 4 there is nothing of that name,\n"
	       "5 its Redis or its dataplane does not answer.\n");
}

static void command_help_print(const struct command *command)
{
	printf("Usage: haulctl [OPTION]... %s%s%s\n%s.\n\n%s\n", command->words,
	       command->argument == NULL ? "" : " ",
	       command->argument == NULL ? "" : command->argument, command->sentence,
	       command->help);
}

static int usage(const char *what, const char *why)
{
	(void)fprintf(stderr, "haulctl: %s: %s; see haulctl --help\n", what, why);
	return EXIT_USAGE;
}

static bool number_parse(const char *text, unsigned int *out)
{
	char *end = NULL;
	long value = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || value < 1 || value > NUMBER_MAX)
		return false;
	*out = (unsigned int)value;
	return true;
}

/* The command whose words begin the rest of the command line; *used_out says how many words it has. */
static const struct command *command_find(char **words, int count, int *used_out)
{
	for (const struct command *command = commands; command->words != NULL; command++) {
		size_t first = strcspn(command->words, " ");
		const char *second =
			command->words[first] == ' ' ? command->words + first + 1 : NULL;

		if (count < 1 || strlen(words[0]) != first ||
		    strncmp(words[0], command->words, first) != 0)
			continue;
		*used_out = second == NULL ? 1 : 2;
		if (second == NULL || (count > 1 && strcmp(words[1], second) == 0))
			return command;
	}
	return NULL;
}

static int command_run(struct command_line *line, char **words, int count, bool is_help)
{
	int used = 0;
	const struct command *command = command_find(words, count, &used);

	if (command == NULL && is_help && count == 0) {
		help_print();
		return EXIT_GOOD;
	}
	if (command == NULL)
		return usage(count == 0 ? "a command is needed" : words[count > 1 ? 1 : 0],
			     count == 0 ? "none was given" : "not a command");
	if (is_help) {
		command_help_print(command);
		return EXIT_GOOD;
	}
	if (command->argument != NULL && count <= used)
		return usage(command->words, "its argument is missing");
	if (command->argument != NULL)
		line->argument = words[used++];
	if (count > used)
		return usage(words[used], "one argument too many");
	return command->run(line);
}

int main(int argc, char **argv)
{
	struct command_line line = { .socket = DEFAULT_SOCKET };
	bool is_help = false;
	int option = 0;

	/* There is only this thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while ((option = getopt_long(argc, argv, "hj", long_options, NULL)) != -1) {
		switch (option) {
		case 's':
			line.socket = optarg;
			break;
		case 'j':
			line.is_json = true;
			break;
		case 'a':
			line.is_all = true;
			break;
		case 'i':
			if (!number_parse(optarg, &line.interval_s))
				return usage("--interval",
					     "seconds, from 1 to 1000000, are needed");
			break;
		case 'c':
			if (!number_parse(optarg, &line.count))
				return usage("--count", "a number from 1 to 1000000 is needed");
			break;
		case 'v':
			printf("haulctl %s\n", HAUL_VERSION_TEXT);
			return EXIT_GOOD;
		case 'h':
			is_help = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return command_run(&line, argv + optind, argc - optind, is_help);
}
