/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The command line that both daemons share.
 */
#include "conf/load.h"

#include <getopt.h>
#include <stdio.h>

static void help_print(const struct conf_program *program)
{
	printf("Usage: %s [OPTION]...\n%s\n\n"
	       "  --config FILE     read FILE instead of %s\n"
	       "  --check-config    read the file, say whether it is right, and leave\n"
	       "  --print-defaults  print a commented file with every key and its default\n"
	       "  --version         print the version\n"
	       "  --help            print this\n",
	       program->name, program->sentence, program->default_path);
	if (program->flag != NULL)
		printf("  --%-15s %s\n", program->flag->name, program->flag->sentence);
}

/* Load the file; say what is wrong, and what is right when that was the question. */
static int file_use(const struct conf_program *program, const char *path, bool is_checked_only)
{
	char error[CONF_ERROR_BYTES];

	if (conf_load(path, program->sections, program->section_count, error) != 0) {
		fprintf(stderr, "%s: %s\n", program->name, error);
		return 1;
	}
	if (!is_checked_only)
		return CONF_MAIN_RUN;
	printf("%s: good\n", path);
	return 0;
}

int conf_main(int argc, char **argv, const struct conf_program *program)
{
	const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check-config", no_argument, NULL, 'k' },
		{ "print-defaults", no_argument, NULL, 'p' },
		{ "version", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ program->flag == NULL ? NULL : program->flag->name, no_argument, NULL, 'f' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = program->default_path;
	bool is_checked_only = false;
	int option;

	/* Called before there is any other thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'k':
			is_checked_only = true;
			break;
		case 'p':
			conf_print(stdout, program->sections, program->section_count);
			return 0;
		case 'f':
			if (program->flag != NULL)
				*program->flag->is_set_out = true;
			break;
		case 'v':
			printf("%s %s\n", program->name, program->version);
			return 0;
		case 'h':
			help_print(program);
			return 0;
		default:
			return 2;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: %s: not an option; see --help\n", program->name, argv[optind]);
		return 2;
	}
	return file_use(program, path, is_checked_only);
}
