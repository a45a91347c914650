/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * From a libconfig file to structs, by the tables of schema.h. At start, on the main thread.
 */
#ifndef CONF_LOAD_H
#define CONF_LOAD_H

#include "conf/schema.h"

/** Room for an error of conf_load. */
#define CONF_ERROR_BYTES 1024u

/**
 * Set all defaults, then what the file says. Nothing is ignored: an unknown key, a wrong type, a
 * value out of range and a required key that is missing are refused. Returns 0, or -EINVAL
 * (-ENOENT, -EACCES, ... when the file cannot be opened) with `file:line: key: why, what is
 * allowed` in error.
 */
int conf_load(const char *path, const struct conf_section *sections, unsigned int section_count,
	      char error[CONF_ERROR_BYTES]);

/** An option of one daemon alone, without a value. */
struct conf_flag {
	const char *name;     /**< without the dashes */
	const char *sentence; /**< for --help */
	bool *is_set_out;
};

/** What a daemon tells conf_main of itself. */
struct conf_program {
	const char *name;         /**< "haul-dataplane" */
	const char *version;      /**< for --version */
	const char *sentence;     /**< what it is, for --help */
	const char *default_path; /**< of the file, when --config does not name one */
	const struct conf_section *sections;
	unsigned int section_count;
	const struct conf_flag *flag; /**< NULL = none */
};

/** What conf_main returns when the daemon shall run; anything else is main's exit status. */
#define CONF_MAIN_RUN (-1)

/**
 * Read a daemon's command line: --config FILE, --check-config, --print-defaults, --version, --help, and its own flag.
 * Loads the file into the sections and returns CONF_MAIN_RUN, or prints what was asked for, or what
 * is wrong, and returns an exit status: 0, 1 (the file is wrong) or 2 (the command line is).
 */
int conf_main(int argc, char **argv, const struct conf_program *program);

#endif
