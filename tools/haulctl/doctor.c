/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl doctor: each check looks at one thing and says what would be right. A host may be checked without a control
 * plane: then only what needs none is looked at, and its absence fails.
 */
#include "base/check.h"
#include "tools/haulctl/command.h"
#include "tools/haulctl/sheet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Locked memory that queue pairs and huge segments need at least. */
#define DOCTOR_MEMLOCK_BYTES (UINT64_C(64) << 20)

/* The largest MTU that moves 9000 bytes a frame; smaller ones cost packets. */
#define DOCTOR_MTU_BYTES 9000u

struct doctor {
	const struct command_line *line;
	json_t *checks; /* array of {check, state, found, advice} */
	json_t *status; /* /v1/status, or NULL */
	unsigned int failed;
	int status_exit; /* of asking for it */
};

enum verdict {
	VERDICT_OK,
	VERDICT_WARN,
	VERDICT_FAIL,
};

static const char *const verdict_words[] = { "ok", "warn", "fail" };

static void judge(struct doctor *doctor, const char *check, enum verdict verdict, const char *found,
		  const char *advice)
{
	json_t *row = json_object();

	(void)json_object_set_new(row, "check", json_string(check));
	(void)json_object_set_new(row, "state", json_string(verdict_words[verdict]));
	(void)json_object_set_new(row, "found", json_string(found));
	(void)json_object_set_new(row, "advice", json_string(verdict == VERDICT_OK ? "" : advice));
	(void)json_array_append_new(doctor->checks, row);
	doctor->failed += verdict == VERDICT_FAIL ? 1 : 0;
}

/* The first line of a file; false when it cannot be read. */
static bool line_read(const char *path, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	bool is_read = file != NULL && fgets(out, (int)size, file) != NULL;

	if (file != NULL)
		(void)fclose(file);
	if (is_read)
		out[strcspn(out, "\n")] = '\0';
	return is_read;
}

/* The text behind a label that begins a line; false when there is none. */
static bool field_read(const char *path, const char *label, char *out, size_t size)
{
	FILE *file = fopen(path, "re");
	bool is_found = false;

	if (file == NULL)
		return false;
	while (!is_found && fgets(out, (int)size, file) != NULL) {
		if (strncmp(out, label, strlen(label)) != 0)
			continue;
		is_found = true;
		memmove(out, out + strlen(label), strlen(out + strlen(label)) + 1);
		memmove(out, out + strspn(out, " \t"), strlen(out + strspn(out, " \t")) + 1);
		out[strcspn(out, "\n")] = '\0';
	}
	(void)fclose(file);
	return is_found;
}

static void control_socket_check(struct doctor *doctor)
{
	struct request_answer answer;

	if (request_get(doctor->line->socket, "/v1/status", &answer)) {
		doctor->status = answer.body;
		judge(doctor, "control plane", VERDICT_OK, "answers", "");
		return;
	}
	doctor->status_exit = answer.status == 0 ? EXIT_UNREACHABLE : EXIT_FAILED;
	judge(doctor, "control plane", VERDICT_FAIL, answer.reason,
	      "start haul-controlplane, or name its http_socket with --socket");
	request_free(&answer);
}

static void redis_check(struct doctor *doctor)
{
	const json_t *redis = json_object_get(doctor->status, "redis");

	if (member_is_true(redis, "ready"))
		judge(doctor, "redis", VERDICT_OK, "answers", "");
	else
		judge(doctor, "redis", VERDICT_FAIL, member_text(redis, "reason"),
		      "transfers go on, but nothing new can be published or opened");
}

static void dataplane_check(struct doctor *doctor)
{
	const json_t *dataplane = json_object_get(doctor->status, "dataplane");

	if (!member_is_true(dataplane, "connected")) {
		judge(doctor, "dataplane", VERDICT_FAIL, "not connected",
		      "start haul-dataplane with the same control_socket");
	} else if (!member_is_true(dataplane, "answering")) {
		judge(doctor, "dataplane", VERDICT_FAIL, "does not answer",
		      "its loop or a worker hangs, or the host is overloaded");
	} else {
		judge(doctor, "dataplane", VERDICT_OK, "answers", "");
	}
}

static void node_check(struct doctor *doctor)
{
	const json_t *node = json_object_get(doctor->status, "node");

	if (strcmp(member_text(node, "state"), "published") == 0)
		judge(doctor, "node", VERDICT_OK, "published", "");
	else
		judge(doctor, "node", VERDICT_FAIL, member_text(node, "reason"),
		      "a name is one dataplane's; the holder must leave, or stand still until it is dead");
}

static void cluster_check(struct doctor *doctor)
{
	struct request_answer answer;
	const json_t *node = NULL;
	size_t index = 0;
	unsigned int silent = 0;
	char found[64];

	if (!request_get(doctor->line->socket, "/v1/nodes", &answer)) {
		request_free(&answer);
		return;
	}
	json_array_foreach(json_object_get(answer.body, "nodes"), index, node)
	{
		const char *state = member_text(node, "state");

		silent += strcmp(state, "suspect") == 0 || strcmp(state, "dead") == 0 ? 1 : 0;
	}
	(void)snprintf(found, sizeof(found), "%zu nodes, %u of them silent",
		       json_array_size(json_object_get(answer.body, "nodes")), silent);
	judge(doctor, "cluster", silent > 0 ? VERDICT_WARN : VERDICT_OK, found,
	      "haulctl node list names them");
	request_free(&answer);
}

static void mtu_check(struct doctor *doctor)
{
	struct request_answer answer;
	const json_t *transport = NULL;
	size_t index = 0;

	if (!request_get(doctor->line->socket, "/v1/transports", &answer)) {
		judge(doctor, "transports", VERDICT_WARN, answer.reason,
		      "the dataplane lists them");
		request_free(&answer);
		return;
	}
	json_array_foreach(json_object_get(answer.body, "transports"), index, transport)
	{
		uint64_t mtu_bytes = member_number(transport, "mtu_bytes");
		char check[96], found[96];

		if (mtu_bytes == 0)
			continue;
		(void)snprintf(check, sizeof(check), "mtu of %.60s",
			       member_text(transport, "device"));
		(void)snprintf(found, sizeof(found), "%" PRIu64 " bytes, %.32s", mtu_bytes,
			       member_text(transport, "state"));
		judge(doctor, check, mtu_bytes < DOCTOR_MTU_BYTES ? VERDICT_WARN : VERDICT_OK,
		      found, "9000 where every switch on the way takes it: a sixth of the packets");
	}
	request_free(&answer);
}

static void counters_check(struct doctor *doctor)
{
	struct request_answer answer;

	if (request_get(doctor->line->socket, "/v1/stats", &answer)) {
		const char *reason = member_text(answer.body, "dataplane_reason");

		judge(doctor, "counters", *reason != '\0' ? VERDICT_WARN : VERDICT_OK,
		      *reason != '\0' ? reason : "readable",
		      "counters_file of controlplane.conf must be that of dataplane.conf");
	}
	request_free(&answer);
}

static void huge_pages_check(struct doctor *doctor)
{
	char total[64] = "", left[64] = "", found[160];
	bool is_known = field_read("/proc/meminfo", "HugePages_Total:", total, sizeof(total)) &&
			field_read("/proc/meminfo", "HugePages_Free:", left, sizeof(left));

	(void)snprintf(found, sizeof(found), "%s of %s free", left, total);
	if (!is_known || strtoull(total, NULL, 10) == 0) {
		judge(doctor, "huge pages", VERDICT_WARN, "none",
		      "works without, a quarter slower; sysctl vm.nr_hugepages=1024 sets 2 GiB aside");
	} else {
		judge(doctor, "huge pages", VERDICT_OK, found, "");
	}
}

/* Of the dataplane if its process may be looked at, else of this process, which shares a login's default. */
static void memlock_check(struct doctor *doctor)
{
	uint64_t process = member_number(json_object_get(doctor->status, "dataplane"), "process");
	char path[64], limit[128] = "", found[96];
	bool is_enough = false;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/limits", process);
	if ((process == 0 || !field_read(path, "Max locked memory", limit, sizeof(limit))) &&
	    !field_read("/proc/self/limits", "Max locked memory", limit, sizeof(limit)))
		return;
	limit[strcspn(limit, " ")] = '\0';
	is_enough = strcmp(limit, "unlimited") == 0 ||
		    strtoull(limit, NULL, 10) >= DOCTOR_MEMLOCK_BYTES;
	(void)snprintf(found, sizeof(found), "%.40s%s", limit,
		       strcmp(limit, "unlimited") == 0 ? "" : " bytes");
	judge(doctor, "locked memory", is_enough ? VERDICT_OK : VERDICT_WARN, found,
	      "LimitMEMLOCK=infinity in the unit, or ulimit -l unlimited");
}

static void clock_check(struct doctor *doctor)
{
	char source[64] = "";

	if (!line_read("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
		       sizeof(source)))
		return;
	judge(doctor, "clock source",
	      strcmp(source, "tsc") == 0 || strcmp(source, "kvm-clock") == 0 ? VERDICT_OK
									     : VERDICT_WARN,
	      source, "tsc: others cost a system call each time a worker asks for the time");
}

static int doctor_print(const struct doctor *doctor)
{
	struct sheet *sheet = sheet_make("STATE CHECK FOUND ADVICE");
	const json_t *row = NULL;
	size_t index = 0;

	if (sheet == NULL)
		return EXIT_FAILED;
	json_array_foreach(doctor->checks, index, row)
	{
		sheet_row(sheet);
		sheet_text(sheet, member_text(row, "state"));
		sheet_text(sheet, member_text(row, "check"));
		sheet_text(sheet, member_text(row, "found"));
		sheet_text(sheet, member_text(row, "advice"));
	}
	sheet_print(sheet, "nothing was checked");
	sheet_free(sheet);
	return doctor->failed > 0 ? EXIT_FAILED : EXIT_GOOD;
}

int command_doctor(const struct command_line *line)
{
	struct doctor doctor = { .line = line, .checks = json_array() };
	int status = EXIT_GOOD;

	control_socket_check(&doctor);
	if (doctor.status != NULL) {
		redis_check(&doctor);
		dataplane_check(&doctor);
		node_check(&doctor);
		cluster_check(&doctor);
		mtu_check(&doctor);
		counters_check(&doctor);
	}
	huge_pages_check(&doctor);
	memlock_check(&doctor);
	clock_check(&doctor);
	if (line->is_json)
		command_print(doctor.checks);
	else
		status = doctor_print(&doctor);
	if (doctor.failed > 0)
		status = doctor.status == NULL ? doctor.status_exit : EXIT_FAILED;
	json_decref(doctor.checks);
	json_decref(doctor.status);
	return status;
}
