/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by doctor. Files that cannot be read make a finding too: a container may hide them, and then nobody should
 * believe that all is well.
 */
#include "tools/haulctl/host.h"

#include "base/check.h"
#include "base/limits.h"
#include "base/memfd.h"
#include "tools/haulctl/units.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_PATH_BYTES 320u
#define HOST_LINE_BYTES 256u

/* The only huge pages that haul asks for. */
#define HOST_HUGE_PAGES "/sys/kernel/mm/hugepages/hugepages-2048kB/"

#define HOST_CLOCK "/sys/devices/system/clocksource/clocksource0/current_clocksource"

/* A segment needs memory; with less than this left the host swaps or kills. */
#define HOST_MEMORY_BYTES_MIN (UINT64_C(256) << 20)

/* The daemon, as the kernel names its process and every thread that has no name of its own: its workers. */
#define HOST_DATAPLANE "haul-dataplane"

struct host {
	const char *root;
	host_fn fn;
	void *argument;
};

/* What the running daemons have, all those that can be seen. */
struct host_daemons {
	unsigned int count;
	unsigned int workers;
	uint64_t locked_bytes; /* the least limit among them; UINT64_MAX = unlimited */
	bool has_limit;
};

const char *host_state_word(enum host_state state)
{
	static const char *const words[] = { "ok", "warn", "fail" };

	return (unsigned int)state < ARRAY_SIZE(words) ? words[state] : "fail";
}

/* The first line of a file that begins with a label, without both; false when there is none. */
__attribute__((format(printf, 4, 5))) static bool host_read(const struct host *host,
							    const char *label,
							    char line[HOST_LINE_BYTES],
							    const char *format, ...)
{
	char path[HOST_PATH_BYTES];
	size_t length = (size_t)snprintf(path, sizeof(path), "%s", host->root);
	bool is_found = false;
	va_list values;
	FILE *file;

	if (length >= sizeof(path))
		return false;
	va_start(values, format);
	(void)vsnprintf(path + length, sizeof(path) - length, format, values);
	va_end(values);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	while (!is_found && fgets(line, HOST_LINE_BYTES, file) != NULL)
		is_found = strncmp(line, label, strlen(label)) == 0;
	(void)fclose(file);
	if (!is_found)
		return false;
	memmove(line, line + strlen(label), strlen(line) - strlen(label) + 1);
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static void host_say(const struct host *host, const char *name, enum host_state state,
		     const char *detail, const char *advice)
{
	struct host_finding finding = { .name = name, .state = state };

	(void)snprintf(finding.detail, sizeof(finding.detail), "%.*s",
		       (int)sizeof(finding.detail) - 1, detail);
	if (state != HOST_OK)
		(void)snprintf(finding.advice, sizeof(finding.advice), "%.*s",
			       (int)sizeof(finding.advice) - 1, advice);
	host->fn(&finding, host->argument);
}

static void host_check_huge_pages(const struct host *host)
{
	char total[HOST_LINE_BYTES];
	char left[HOST_LINE_BYTES];
	char detail[2 * HOST_LINE_BYTES + 64];

	if (!host_read(host, "", total, HOST_HUGE_PAGES "nr_hugepages") ||
	    !host_read(host, "", left, HOST_HUGE_PAGES "free_hugepages")) {
		host_say(host, "huge pages", HOST_WARN,
			 "pages of 2 MiB cannot be seen here; ordinary pages serve instead",
			 "in a container: let it see /sys/kernel/mm/hugepages");
	} else if (strcmp(total, "0") == 0) {
		host_say(host, "huge pages", HOST_WARN,
			 "none are set aside; ordinary pages serve instead, with more misses in "
			 "the TLB",
			 "sysctl vm.nr_hugepages=N, N times 2 MiB for all segments and ports");
	} else {
		(void)snprintf(detail, sizeof(detail), "%s of %s pages of 2 MiB are free", left,
			       total);
		host_say(host, "huge pages", strcmp(left, "0") == 0 ? HOST_WARN : HOST_OK, detail,
			 "raise vm.nr_hugepages: what comes next gets ordinary pages");
	}
}

static void host_check_memory(const struct host *host)
{
	char line[HOST_LINE_BYTES];
	char detail[128];
	char size[UNITS_BYTES];
	uint64_t bytes;
	int fd = memfd_make("haulctl-doctor", PAGE_BYTES, 0);

	if (fd < 0) {
		host_say(
			host, "shared memory", HOST_FAIL, "sealed memfds cannot be made",
			"allow memfd_create and fcntl(F_ADD_SEALS): a seccomp filter forbids them");
		return;
	}
	(void)close(fd);
	if (!host_read(host, "MemAvailable:", line, "/proc/meminfo")) {
		host_say(host, "shared memory", HOST_WARN,
			 "sealed memfds can be made; how much memory there is cannot be seen",
			 "let haulctl read /proc/meminfo");
		return;
	}
	bytes = strtoull(line, NULL, 10) * 1024;
	(void)snprintf(detail, sizeof(detail), "sealed memfds can be made; %s of memory available",
		       units_of_bytes(bytes, size));
	host_say(host, "shared memory", bytes < HOST_MEMORY_BYTES_MIN ? HOST_WARN : HOST_OK, detail,
		 "segments are populated at once: free some memory, or lower the quotas");
}

static void host_check_clock(const struct host *host)
{
	/* Those that the kernel reads out without a system call. */
	static const char *const good[] = { "tsc", "kvm-clock", "hyperv_clocksource_tsc_page",
					    "arch_sys_counter" };
	char source[HOST_LINE_BYTES];
	enum host_state state = HOST_WARN;

	if (!host_read(host, "", source, HOST_CLOCK)) {
		host_say(host, "clock", HOST_WARN, "the kernel's clock source cannot be seen",
			 "in a container: let it see /sys/devices/system/clocksource");
		return;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(good); i++) {
		if (strcmp(source, good[i]) == 0)
			state = HOST_OK;
	}
	host_say(host, "clock", state, source,
		 "tsc: with others each look at the clock may be a system call, one every round");
}

/* One thread of a daemon: workers are those that have the process's name and are not its first. */
static bool host_is_worker(const struct host *host, const char *process, const char *thread)
{
	char name[HOST_LINE_BYTES];

	return strcmp(process, thread) != 0 &&
	       host_read(host, "", name, "/proc/%.16s/task/%.16s/comm", process, thread) &&
	       (strcmp(name, HOST_DATAPLANE) == 0 || strncmp(name, "haul-worker", 11) == 0);
}

static unsigned int host_count_workers(const struct host *host, const char *process)
{
	char path[HOST_PATH_BYTES];
	const struct dirent *entry;
	unsigned int count = 0;
	DIR *threads;

	(void)snprintf(path, sizeof(path), "%s/proc/%.16s/task", host->root, process);
	threads = opendir(path);
	if (threads == NULL)
		return 0;
	while ((entry = readdir(threads)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]))
			count += host_is_worker(host, process, entry->d_name) ? 1 : 0;
	}
	(void)closedir(threads);
	return count;
}

static void host_look_at(const struct host *host, const char *process, struct host_daemons *daemons)
{
	char line[HOST_LINE_BYTES];
	uint64_t bytes;

	if (!host_read(host, "", line, "/proc/%.16s/comm", process) ||
	    strcmp(line, HOST_DATAPLANE) != 0)
		return;
	daemons->count++;
	daemons->workers += host_count_workers(host, process);
	if (!host_read(host, "Max locked memory", line, "/proc/%.16s/limits", process))
		return;
	bytes = strstr(line, "unlimited") != NULL ? UINT64_MAX : strtoull(line, NULL, 10);
	if (!daemons->has_limit || bytes < daemons->locked_bytes)
		daemons->locked_bytes = bytes;
	daemons->has_limit = true;
}

static void host_find_daemons(const struct host *host, struct host_daemons *daemons)
{
	char path[HOST_PATH_BYTES];
	const struct dirent *entry;
	DIR *processes;

	(void)snprintf(path, sizeof(path), "%s/proc", host->root);
	processes = opendir(path);
	if (processes == NULL)
		return;
	while ((entry = readdir(processes)) != NULL) {
		if (isdigit((unsigned char)entry->d_name[0]))
			host_look_at(host, entry->d_name, daemons);
	}
	(void)closedir(processes);
}

static void host_check_locked(const struct host *host, const struct host_daemons *daemons)
{
	char detail[128];
	char size[UNITS_BYTES];

	if (!daemons->has_limit) {
		host_say(host, "locked memory", HOST_WARN,
			 "no haul-dataplane can be seen here, so its limit is unknown",
			 "start it, or run haulctl where its process can be seen");
	} else if (daemons->locked_bytes == UINT64_MAX) {
		host_say(host, "locked memory", HOST_OK, "haul-dataplane may lock all it needs",
			 "");
	} else {
		(void)snprintf(detail, sizeof(detail), "haul-dataplane may lock %s",
			       units_of_bytes(daemons->locked_bytes, size));
		host_say(host, "locked memory", HOST_WARN, detail,
			 "LimitMEMLOCK=infinity in its unit: NICs that register memory need it");
	}
}

/* "0-3,8": how many processors that names. */
static unsigned int host_count_list(const char *list)
{
	unsigned int count = 0;
	char *end;

	while (isdigit((unsigned char)*list)) {
		unsigned long first = strtoul(list, &end, 10);
		unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;

		count += last >= first ? (unsigned int)(last - first) + 1 : 0;
		list = *end == ',' ? end + 1 : end;
	}
	return count;
}

static void host_check_processors(const struct host *host, const struct host_daemons *daemons)
{
	char list[HOST_LINE_BYTES];
	char detail[128];
	unsigned int processors;

	if (!host_read(host, "", list, "/sys/devices/system/cpu/online")) {
		host_say(host, "processors", HOST_WARN, "processors cannot be seen here",
			 "in a container: let it see /sys/devices/system/cpu");
		return;
	}
	processors = host_count_list(list);
	(void)snprintf(detail, sizeof(detail), "%u online, %u used by workers of haul-dataplane",
		       processors, daemons->workers);
	host_say(host, "processors",
		 daemons->count > 0 && daemons->workers >= processors ? HOST_WARN : HOST_OK, detail,
		 "fewer workers than processors: applications and the kernel need some, and a "
		 "worker that is descheduled looks like a slow network");
}

void host_check(const char *root, host_fn fn, void *argument)
{
	const struct host host = { .root = root, .fn = fn, .argument = argument };
	struct host_daemons daemons = { 0 };

	host_find_daemons(&host, &daemons);
	host_check_processors(&host, &daemons);
	host_check_locked(&host, &daemons);
	host_check_huge_pages(&host);
	host_check_memory(&host);
	host_check_clock(&host);
}
