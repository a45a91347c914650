/* SPDX-License-Identifier: BSD-3-Clause */
/* EAL's start and end; eal.h says what it is. */
#include "drivers/udp/eal.h"

#include "base/check.h"
#include "base/log.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_version.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EAL_ARGS_OWN_MAX  16u
#define EAL_ARG_BYTES_MAX 256u

/* The pages that EAL is given; others (1 GiB) are for those who reserve them for something. */
#define EAL_HUGE_PAGES_FREE "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"
#define EAL_HUGE_PAGE_MB    2u

/* EAL keeps pointers to its arguments, so they live as long as the process; process-wide as EAL itself is. */
static struct {
	char text[EAL_ARGS_OWN_MAX + UDP_EAL_ARGS_MAX][EAL_ARG_BYTES_MAX];
	char *vector[EAL_ARGS_OWN_MAX + UDP_EAL_ARGS_MAX + 1];
	int count;
	uint32_t holders;
	bool is_started;
	bool has_huge_pages;
	FILE *log;
	pthread_key_t thread_key; /* its destructor takes a thread out of EAL again */
} eal;

static _Thread_local bool eal_thread_is_in;
static _Thread_local bool eal_is_hushed;

static void eal_arg(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void eal_arg(const char *format, ...)
{
	va_list values;

	BUG_ON((size_t)eal.count >= ARRAY_SIZE(eal.text));
	va_start(values, format);
	vsnprintf(eal.text[eal.count], EAL_ARG_BYTES_MAX, format, values);
	va_end(values);
	eal.vector[eal.count] = eal.text[eal.count];
	eal.count++;
}

static uint64_t eal_free_huge_mb(void)
{
	FILE *file = fopen(EAL_HUGE_PAGES_FREE, "re");
	char line[32];
	uint64_t pages = 0;

	if (file == NULL)
		return 0;
	if (fgets(line, sizeof(line), file) != NULL)
		pages = strtoull(line, NULL, 10);
	fclose(file);
	return pages * EAL_HUGE_PAGE_MB;
}

/* What EAL writes becomes lines of our log; DPDK has its own rate of words, so they are details. */
static ssize_t eal_log_write(void *cookie, const char *text, size_t bytes)
{
	uint32_t level = rte_log_cur_msg_loglevel();
	int length = (int)bytes;

	(void)cookie;
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
		length--;
	if (length == 0)
		return (ssize_t)bytes;
	if (level <= RTE_LOG_ERR && !eal_is_hushed)
		log_warning("dpdk", "%.*s", length, text);
	else
		log_debug("dpdk", "%.*s", length, text);
	return (ssize_t)bytes;
}

static void eal_log_open(void)
{
	cookie_io_functions_t functions = { .write = eal_log_write };

	eal.log = fopencookie(NULL, "w", functions);
	if (eal.log == NULL)
		return;
	setlinebuf(eal.log);
	rte_openlog_stream(eal.log);
}

/* All processors of this thread, as EAL's one lcore floats over them: the control thread is not bound to any. */
static void eal_arg_lcores(void)
{
	char list[EAL_ARG_BYTES_MAX];
	size_t length = 0;
	cpu_set_t set;
	int first = -1;

	if (sched_getaffinity(0, sizeof(set), &set) != 0) {
		eal_arg("--lcores=0");
		return;
	}
	for (int cpu = 0; cpu <= CPU_SETSIZE; cpu++) {
		bool is_in = cpu < CPU_SETSIZE && CPU_ISSET((unsigned int)cpu, &set);

		if (is_in && first < 0)
			first = cpu;
		if (is_in || first < 0)
			continue;
		length += (size_t)snprintf(list + length, sizeof(list) - length, "%s%d-%d",
					   length > 0 ? "," : "", first, cpu - 1);
		BUG_ON(length >= sizeof(list));
		first = -1;
	}
	eal_arg("--lcores=0@(%s)", list);
}

static bool eal_arg_is_given(const struct eal_options *options, const char *prefix)
{
	for (uint32_t i = 0; i < options->arg_count; i++) {
		if (strncmp(options->args[i], prefix, strlen(prefix)) == 0)
			return true;
	}
	return false;
}

/*
 * Ports attach their devices by themselves, one at a time. EAL takes all that there are when it is told of none, so it is
 * told of one that no host has for a port: the root of the bus.
 */
static void eal_arg_pci(const struct eal_options *options)
{
	if (eal_arg_is_given(options, "-a") || eal_arg_is_given(options, "--allow"))
		return;
	if (options->has_pci)
		eal_arg("-a0000:00:00.0");
	else
		eal_arg("--no-pci");
}

static void eal_args(const struct eal_options *options)
{
	eal.count = 0;
	eal_arg("haul-dataplane");
	eal_arg_lcores();
	eal_arg("--iova-mode=va"); /* the default, PA, needs rights that a daemon need not have */
	eal_arg("--no-telemetry"); /* haul's counters are read from their file */
	eal_arg("--file-prefix=haul-%s", options->node);
	eal_arg("-m");
	eal_arg("%u", options->memory_mb);
	if (eal.has_huge_pages) {
		/* No file in hugetlbfs, so nothing to leave behind; one descriptor, since a vhost-user peer
		 * takes few. */
		eal_arg("--in-memory");
		eal_arg("--single-file-segments");
	} else {
		/* EAL refuses --in-memory here; this is what it would mean. */
		eal_arg("--no-huge");
		eal_arg("--no-shconf");
	}
	eal_arg_pci(options);
	if (!eal_arg_is_given(options, "--log-level"))
		eal_arg("--log-level=*:notice");
	for (uint32_t i = 0; i < options->arg_count; i++)
		eal_arg("%s", options->args[i]);
}

static int eal_choose_pages(const struct eal_options *options)
{
	uint64_t free_mb = eal_free_huge_mb();

	eal.has_huge_pages =
		options->huge_pages != UDP_HUGE_PAGES_OFF && free_mb >= options->memory_mb;
	if (options->huge_pages == UDP_HUGE_PAGES_REQUIRE && !eal.has_huge_pages) {
		log_error("udp", "huge pages: %u MiB are required, %llu MiB are free",
			  options->memory_mb, (unsigned long long)free_mb);
		return -ENOMEM;
	}
	return 0;
}

static void eal_thread_leave(void *value)
{
	(void)value;
	rte_thread_unregister();
}

int eal_start(const struct eal_options *options)
{
	cpu_set_t affinity;
	int error;

	if (eal.holders > 0) {
		eal.holders++;
		return 0;
	}
	if (eal.is_started)
		return -EALREADY;
	error = eal_choose_pages(options);
	if (error != 0)
		return error;
	error = pthread_key_create(&eal.thread_key, eal_thread_leave);
	if (error != 0)
		return -error;
	signal(SIGPIPE, SIG_IGN); /* PMDs write to sockets whose peers may be gone */
	eal_log_open();
	eal_args(options);
	sched_getaffinity(0, sizeof(affinity), &affinity);
	if (rte_eal_init(eal.count, eal.vector) < 0) {
		log_error("udp", "dpdk: cannot start with %u MiB of %s pages: %s",
			  options->memory_mb, eal.has_huge_pages ? "huge" : "ordinary",
			  rte_strerror(rte_errno));
		return -EIO;
	}
	sched_setaffinity(0, sizeof(affinity), &affinity);
	/* Nothing is kept there without a shared configuration, so it does not outlive a kill either. */
	rmdir(rte_eal_get_runtime_dir());
	eal.is_started = true;
	eal.holders = 1;
	log_info("udp", "dpdk: %s, %u MiB of %s pages", rte_version(), options->memory_mb,
		 eal.has_huge_pages ? "huge" : "ordinary");
	return 0;
}

void eal_stop(void)
{
	BUG_ON(eal.holders == 0);
	if (--eal.holders == 0)
		rte_eal_cleanup();
}

void eal_hush(bool is_hushed)
{
	eal_is_hushed = is_hushed;
}

bool eal_has_huge_pages(void)
{
	return eal.has_huge_pages;
}

void eal_thread_enter(void)
{
	if (LIKELY(eal_thread_is_in))
		return;
	eal_thread_is_in = true;
	if (rte_lcore_id() != LCORE_ID_ANY)
		return; /* EAL's own main thread, in tests */
	/* A thread without a number works too, without its cache of packet buffers. */
	if (rte_thread_register() == 0)
		pthread_setspecific(eal.thread_key, &eal);
}
