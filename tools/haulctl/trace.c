/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl trace: the dataplane's last transitions, out of its file of shared memory. Asks neither daemon but for where
 * the file is, so it also tells what led to the end of one that was killed.
 */
#include "base/trace.h"

#include "base/error.h"
#include "tools/haulctl/ask.h"
#include "tools/haulctl/field.h"
#include "tools/haulctl/haulctl.h"
#include "tools/haulctl/table.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* Where it is when nobody says otherwise: the default of counters_file, and the suffix. */
#define TRACE_FILE "/run/haul/counters.dataplane" TRACE_SUFFIX

/* How long --follow rests when there is nothing new. */
#define TRACE_REST_NS 100000000l

static bool trace_is_wanted(const struct haulctl *haulctl, const struct trace_record *record)
{
	if (haulctl->peer != NULL && strcmp(record->node, haulctl->peer) != 0)
		return false;
	return haulctl->segment == NULL || strcmp(record->segment, haulctl->segment) == 0;
}

/* "2026-11-21T15:04:05.123456Z" */
static void trace_time(int64_t wall_us, char *out, size_t size)
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm date;
	size_t length;

	(void)gmtime_r(&seconds, &date);
	length = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &date);
	(void)snprintf(out + length, size - length, ".%06dZ", (int)(wall_us % 1000000));
}

static void trace_thread(const struct trace_view *view, uint32_t thread, char *out, size_t size)
{
	if (thread + 1 == trace_threads(view))
		(void)snprintf(out, size, "control");
	else
		(void)snprintf(out, size, "worker %" PRIu32, thread);
}

/* What the number of a record means, in words; empty = nothing that is worth a word. */
static void trace_number(const struct trace_record *record, char *out, size_t size)
{
	out[0] = '\0';
	if (record->kind == TRACE_BUFFER)
		(void)snprintf(out, size, " region %012" PRIx64, record->number);
	else if (record->kind == TRACE_OPENING)
		(void)snprintf(out, size, " version %" PRIu64, record->number);
	else if (record->kind == TRACE_RAIL)
		(void)snprintf(out, size, " rail %" PRIu64, record->number & 0xff);
	else if (record->kind == TRACE_REFUSAL)
		(void)snprintf(out, size, " times %" PRIu64, record->number);
}

static void trace_print_line(const struct haulctl *haulctl, const struct trace_view *view,
			     const struct trace_record *record)
{
	char when[40], thread[24], number[48];

	trace_time(trace_wall_us(view) + (int64_t)record->time_us, when, sizeof(when));
	trace_thread(view, record->thread, thread, sizeof(thread));
	trace_number(record, number, sizeof(number));
	fprintf(haulctl->out, "%s  %-9s  %-8s  ", when, thread, trace_kind_text(record->kind));
	table_print_text(haulctl->out, record->segment);
	if (record->segment[0] != '\0' && record->node[0] != '\0')
		fputs(" of ", haulctl->out);
	table_print_text(haulctl->out, record->node);
	fprintf(haulctl->out, "%s: ", number);
	table_print_text(haulctl->out, record->from);
	fputs(" -> ", haulctl->out);
	table_print_text(haulctl->out, record->to);
	if (record->why[0] != '\0')
		fputs(": ", haulctl->out);
	table_print_text(haulctl->out, record->why);
	fputc('\n', haulctl->out);
}

/* One object a line. */
static void trace_print_json(const struct haulctl *haulctl, const struct trace_view *view,
			     const struct trace_record *record)
{
	char when[40], thread[24];
	json_t *object;

	trace_time(trace_wall_us(view) + (int64_t)record->time_us, when, sizeof(when));
	trace_thread(view, record->thread, thread, sizeof(thread));
	object = json_pack("{s:s, s:o, s:s, s:s, s:s, s:s, s:o, s:o, s:s, s:s, s:s}", "time", when,
			   "time_us", json_sprintf("%" PRIu64, record->time_us), "thread", thread,
			   "kind", trace_kind_text(record->kind), "segment", record->segment,
			   "node", record->node, "incarnation",
			   json_sprintf("%016" PRIx64, record->incarnation), "number",
			   json_sprintf("%" PRIu64, record->number), "from", record->from, "to",
			   record->to, "why", record->why);
	if (object == NULL)
		return; /* texts that are no UTF-8 are not ours */
	(void)json_dumpf(object, haulctl->out,
			 JSON_COMPACT | JSON_ENSURE_ASCII | JSON_PRESERVE_ORDER);
	fputc('\n', haulctl->out);
	json_decref(object);
}

/* Print what there is. */
static void trace_print(const struct haulctl *haulctl, struct trace_view *view)
{
	struct trace_record record;
	uint64_t missed = 0;

	while (trace_next(view, &record, &missed)) {
		if (!trace_is_wanted(haulctl, &record))
			continue;
		if (haulctl->is_json)
			trace_print_json(haulctl, view, &record);
		else
			trace_print_line(haulctl, view, &record);
	}
	(void)fflush(haulctl->out);
	if (missed > 0 && haulctl->is_following)
		fprintf(stderr, "haulctl: trace: %" PRIu64 " records were overwritten\n", missed);
}

/* Is the file still the one that is open? A dataplane that starts makes another. */
static bool trace_is_same(const char *path, const struct stat *known)
{
	struct stat status;

	return stat(path, &status) != 0 ||
	       (status.st_ino == known->st_ino && status.st_dev == known->st_dev);
}

static int trace_show(const struct haulctl *haulctl, const char *path)
{
	const struct timespec rest = { .tv_nsec = TRACE_REST_NS };
	struct trace_view *view = NULL;
	struct stat known = { 0 };
	int error;

	do {
		(void)stat(path, &known);
		error = trace_open(path, &view);
		if (error != 0)
			break;
		do {
			trace_print(haulctl, view);
			if (haulctl->is_following)
				(void)nanosleep(&rest, NULL);
		} while (haulctl->is_following && ferror(haulctl->out) == 0 &&
			 trace_is_same(path, &known));
		trace_close(view);
	} while (haulctl->is_following && ferror(haulctl->out) == 0);
	if (error == 0)
		return HAULCTL_DONE;
	fprintf(stderr, "haulctl: trace file %s: %s\n", path,
		error == -EPROTONOSUPPORT ? "it is of another version of haul"
		: error == -EINVAL        ? "it is no trace file"
					  : errno_text(error));
	return error == -ENOENT ? HAULCTL_NOT_FOUND : HAULCTL_FAILED;
}

int trace_run(const struct haulctl *haulctl, char **arguments)
{
	char path[FIELD_TEXT_BYTES] = TRACE_FILE;
	char reason[ASK_REASON_BYTES];
	json_t *body = NULL;

	(void)arguments;
	if (haulctl->file != NULL)
		return trace_show(haulctl, haulctl->file);
	/* Only the control plane knows the configuration; without it there is the default. */
	if (ask_quietly(haulctl, "/v1/status", &body, reason) == HAULCTL_DONE &&
	    field_string(body, "trace_file")[0] != '\0')
		(void)snprintf(path, sizeof(path), "%s", field_string(body, "trace_file"));
	json_decref(body);
	return trace_show(haulctl, path);
}
