/* SPDX-License-Identifier: BSD-3-Clause */
/* The command line of haul-bench; every mistake is named with what would be right. */
#include "plan.h"

#include "base/check.h"
#include "load.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What --cold steps through when it is given no size: larger than the last-level caches that haul has met. */
#define PLAN_COLD_BYTES (UINT64_C(256) << 20)

#define PLAN_SECONDS_MAX 3600.0

const char plan_usage[] =
	"usage: haul-bench [OPTIONS] serve SEGMENT BYTES   own a segment until stdin ends, or TERM or INT\n"
	"       haul-bench [OPTIONS] run SEGMENT           measure against a segment, on any node\n"
	"       haul-bench [OPTIONS] --op nop run          measure the rings alone\n"
	"\n"
	"  --op LIST          write, read, mix, notify (writes that notify the owner), nop (default write)\n"
	"  --reads PERCENT    of a mix (default 50)\n"
	"  --size LIST        bytes of an operation: 4K,64K,1M or 4K..1M for all doublings (default 4K,64K,1M)\n"
	"  --depth LIST       operations under way at a time, 1 to 1024, of each thread (default 16)\n"
	"  --threads LIST     threads, 1 to 64, each with an attachment and memory of its own (default 1)\n"
	"  --duration SECONDS of a row (default 1)\n"
	"  --warm-up SECONDS  before it, not counted (default 0.2)\n"
	"  --cold[=BYTES]     step through so much memory on both sides (default 256M; use more than the cache\n"
	"                     holds); without it a row steps through depth x size bytes, which stay cached\n"
	"  --pause SECONDS    let all rest for so long between two rounds of depth operations\n"
	"  --verify           check every byte that moved, outside of what is timed\n"
	"  --timeout MS       of an operation (default: the daemon's operation_timeout_ms)\n"
	"  --socket PATH      the daemon's attach socket (default $HAUL_SOCKET, /run/haul/attach.sock)\n"
	"  --json FILE        the rows as JSON too, an array with an object a row; - for stdout, without the table\n"
	"  --help             this text\n"
	"\n"
	"Times are from a submission to the moment its completion is seen, so they hold the wait in the queue that the\n"
	"depth makes. Exit status: 0 done, 1 something failed (stderr says what), 2 wrong usage, 3 a byte was wrong.\n";

static const struct {
	const char *text;
	uint64_t kind;
} plan_kinds[] = {
	{ "write", HAUL_OP_WRITE }, { "read", HAUL_OP_READ }, { "mix", PLAN_MIX },
	{ "notify", PLAN_NOTIFY },  { "nop", HAUL_OP_NOP },
};

const char *plan_kind_text(uint64_t kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(plan_kinds); i++) {
		if (plan_kinds[i].kind == kind)
			return plan_kinds[i].text;
	}
	return "unknown";
}

/* Like plan_parse_bytes, for a part of a longer text; *end_out is behind it. */
static bool plan_parse_prefix(const char *text, uint64_t *bytes_out, const char **end_out)
{
	static const char units[] = "KMG";
	const char *unit;
	uint64_t number;
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtoull(text, &end, 10);
	unit = *end != 0 ? strchr(units, *end) : NULL;
	if (unit != NULL) {
		unsigned int shift = 10 * (unsigned int)(unit - units + 1);

		if (number > UINT64_MAX >> shift)
			return false;
		number <<= shift;
		end++;
	}
	*bytes_out = number;
	*end_out = end;
	return errno == 0;
}

bool plan_parse_bytes(const char *text, uint64_t *bytes_out)
{
	const char *end;
	uint64_t bytes;

	if (!plan_parse_prefix(text, &bytes, &end) || *end != 0)
		return false;
	*bytes_out = bytes;
	return true;
}

static bool plan_list_add(struct plan_list *list, uint64_t value, uint64_t max)
{
	if (value == 0 || value > max || list->count == PLAN_LIST_MAX)
		return false;
	list->values[list->count++] = value;
	return true;
}

/* One element: a number, or a sweep. */
static bool plan_parse_element(const char *text, uint64_t max, struct plan_list *list,
			       const char **end_out)
{
	uint64_t first;
	uint64_t last;

	if (!plan_parse_prefix(text, &first, end_out))
		return false;
	if (strncmp(*end_out, "..", 2) != 0)
		return plan_list_add(list, first, max);
	if (!plan_parse_prefix(*end_out + 2, &last, end_out) || last < first || last > max)
		return false;
	for (uint64_t value = first; value <= last; value *= 2) {
		if (!plan_list_add(list, value, max))
			return false;
	}
	return true;
}

bool plan_parse_list(const char *text, uint64_t max, struct plan_list *list_out)
{
	struct plan_list list = { .count = 0 };

	do {
		if (!plan_parse_element(text, max, &list, &text))
			return false;
	} while (*text++ == ',');
	if (text[-1] != 0)
		return false;
	*list_out = list;
	return true;
}

static bool plan_parse_kinds(const char *text, struct plan_list *list_out)
{
	struct plan_list list = { .count = 0 };

	for (;;) {
		size_t length = strcspn(text, ",");
		size_t i = 0;

		while (i < ARRAY_SIZE(plan_kinds) &&
		       (strlen(plan_kinds[i].text) != length ||
			memcmp(plan_kinds[i].text, text, length) != 0))
			i++;
		if (i == ARRAY_SIZE(plan_kinds) || list.count == PLAN_LIST_MAX)
			return false;
		list.values[list.count++] = plan_kinds[i].kind;
		if (text[length] == 0)
			break;
		text += length + 1;
	}
	*list_out = list;
	return true;
}

static bool plan_parse_seconds(const char *text, uint64_t *ns_out)
{
	char *end;
	double seconds = strtod(text, &end);

	if (end == text || *end != 0 || !(seconds >= 0 && seconds <= PLAN_SECONDS_MAX))
		return false;
	*ns_out = (uint64_t)(seconds * 1e9);
	return true;
}

static bool plan_parse_number(const char *text, uint32_t max, uint32_t *number_out)
{
	uint64_t number;

	if (!plan_parse_bytes(text, &number) || number > max)
		return false;
	*number_out = (uint32_t)number;
	return true;
}

/* Options by their letter; the letters are for this file alone. */
static const struct option plan_options[] = {
	{ "op", required_argument, NULL, 'o' },
	{ "size", required_argument, NULL, 's' },
	{ "depth", required_argument, NULL, 'd' },
	{ "duration", required_argument, NULL, 't' },
	{ "warm-up", required_argument, NULL, 'w' },
	{ "cold", optional_argument, NULL, 'c' },
	{ "verify", no_argument, NULL, 'v' },
	{ "timeout", required_argument, NULL, 'T' },
	{ "socket", required_argument, NULL, 'S' },
	{ "json", required_argument, NULL, 'j' },
	{ "reads", required_argument, NULL, 'r' },
	{ "threads", required_argument, NULL, 'n' },
	{ "pause", required_argument, NULL, 'p' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Returns false when the option's text is wrong, or there is no such option. */
static bool plan_take(struct plan *plan, int option, const char *text)
{
	switch (option) {
	case 'o':
		return plan_parse_kinds(text, &plan->kinds);
	case 'r':
		return plan_parse_number(text, 100, &plan->reads_percent);
	case 'n':
		return plan_parse_list(text, PLAN_THREADS_MAX, &plan->threads);
	case 'p':
		return plan_parse_seconds(text, &plan->pause_ns);
	case 's':
		return plan_parse_list(text, HAUL_OPERATION_BYTES_MAX, &plan->sizes);
	case 'd':
		return plan_parse_list(text, LOAD_DEPTH_MAX, &plan->depths);
	case 't':
		return plan_parse_seconds(text, &plan->duration_ns);
	case 'w':
		return plan_parse_seconds(text, &plan->warm_up_ns);
	case 'c':
		plan->cold_bytes = PLAN_COLD_BYTES;
		return text == NULL || plan_parse_bytes(text, &plan->cold_bytes);
	case 'T':
		return plan_parse_number(text, UINT32_MAX, &plan->timeout_ms);
	case 'S':
		plan->socket_path = text;
		return true;
	case 'v':
		plan->is_verified = true;
		return true;
	case 'j':
		plan->json = text;
		return true;
	default:
		plan->is_help = option == 'h';
		return plan->is_help;
	}
}

static bool plan_is_nop_only(const struct plan *plan)
{
	for (uint32_t i = 0; i < plan->kinds.count; i++) {
		if (plan->kinds.values[i] != HAUL_OP_NOP)
			return false;
	}
	return true;
}

static bool plan_take_words(struct plan *plan, int count, char **words)
{
	if (count == 3 && strcmp(words[0], "serve") == 0) {
		plan->command = words[0];
		plan->segment = words[1];
		if (plan_parse_bytes(words[2], &plan->bytes) && plan->bytes > 0)
			return true;
		fprintf(stderr,
			"haul-bench: \"%s\": a number of bytes is wanted, such as 1048576 or 256M\n",
			words[2]);
		return false;
	}
	if ((count == 2 || (count == 1 && plan_is_nop_only(plan))) &&
	    strcmp(words[0], "run") == 0) {
		plan->command = words[0];
		plan->segment = count == 2 ? words[1] : NULL;
		return true;
	}
	fprintf(stderr, "haul-bench: serve SEGMENT BYTES or run SEGMENT is wanted; see --help\n");
	return false;
}

bool plan_parse(struct plan *plan, int argc, char **argv)
{
	int option;
	int index = 0;

	*plan = (struct plan){
		.kinds = { .values = { HAUL_OP_WRITE }, .count = 1 },
		.sizes = { .values = { 4 << 10, 64 << 10, 1 << 20 }, .count = 3 },
		.depths = { .values = { 16 }, .count = 1 },
		.threads = { .values = { 1 }, .count = 1 },
		.reads_percent = 50,
		.duration_ns = 1000000000,
		.warm_up_ns = 200000000,
	};
	while ((option = getopt_long(argc, argv, "", plan_options, &index)) != -1) {
		if (plan_take(plan, option, optarg))
			continue;
		if (option != '?') /* then getopt has said it */
			fprintf(stderr, "haul-bench: --%s: \"%s\" is no value for it; see --help\n",
				plan_options[index].name, optarg);
		return false;
	}
	return plan->is_help || plan_take_words(plan, argc - optind, argv + optind);
}
