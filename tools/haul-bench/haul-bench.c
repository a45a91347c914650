/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haul-bench: measures operations of each kind, size, depth and number of threads against a segment of any node, on this
 * one as well (transport `local`). Every figure is of what an application sees.
 */
#include "base/check.h"
#include "crew.h"
#include "plan.h"
#include "report.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Exit status, as the usage says. */
#define BENCH_FAILED 1
#define BENCH_USAGE  2
#define BENCH_WRONG  3

/* How long an owner waits for a notification before it looks whether it is to end. */
#define BENCH_READ_US 100000u

struct bench {
	const struct plan *plan;
	struct crew crew;
	struct report report;
	uint64_t bytes; /* that the largest row needs for each thread */
};

typedef int (*bench_row_fn)(struct bench *bench, const struct load_row *row, uint32_t threads);

/* Call fn for each size, depth and number of threads of a kind until one does not return 0. */
static int bench_each_size(struct bench *bench, uint64_t kind, bench_row_fn fn)
{
	const struct plan *plan = bench->plan;
	bool is_opcode = kind != PLAN_MIX && kind != PLAN_NOTIFY;
	struct load_row row = { .opcode = is_opcode ? (enum haul_opcode)kind : HAUL_OP_WRITE,
				.is_mix = kind == PLAN_MIX,
				.is_notifying = kind == PLAN_NOTIFY,
				.reads_percent = plan->reads_percent };
	/* A NOP has no size: one row for each depth. */
	uint32_t sizes = kind == HAUL_OP_NOP ? 1 : plan->sizes.count;
	uint32_t rows = sizes * plan->depths.count * plan->threads.count;
	int status = 0;

	for (uint32_t i = 0; i < rows && status == 0; i++) {
		uint32_t depths = i / plan->threads.count;

		if (kind != HAUL_OP_NOP)
			row.bytes = (uint32_t)plan->sizes.values[depths / plan->depths.count];
		row.depth = (uint32_t)plan->depths.values[depths % plan->depths.count];
		status = fn(bench, &row, (uint32_t)plan->threads.values[i % plan->threads.count]);
	}
	return status;
}

static int bench_each_row(struct bench *bench, bench_row_fn fn)
{
	int status = 0;

	for (uint32_t i = 0; i < bench->plan->kinds.count && status == 0; i++)
		status = bench_each_size(bench, bench->plan->kinds.values[i], fn);
	return status;
}

/* The largest row decides how much memory both sides need. */
static int bench_measure_row(struct bench *bench, const struct load_row *row, uint32_t threads)
{
	const struct load load = { .cold_bytes = bench->plan->cold_bytes };

	(void)threads;
	bench->bytes = MAX(bench->bytes, load_span(&load, row));
	return 0;
}

static int bench_run_row(struct bench *bench, const struct load_row *row, uint32_t threads)
{
	static struct load_result result;
	struct report_row told = { .load = &bench->crew.members[0].load,
				   .row = row,
				   .threads = threads };

	if (crew_run(&bench->crew, row, threads, &result) != 0)
		return BENCH_FAILED;
	report_add(&bench->report, &told, &result);
	return result.wrong_at == UINT64_MAX ? 0 : BENCH_WRONG;
}

static uint32_t bench_threads(const struct plan *plan)
{
	uint64_t most = 1;

	for (uint32_t i = 0; i < plan->threads.count; i++)
		most = MAX(most, plan->threads.values[i]);
	return (uint32_t)most;
}

static int bench_measure(struct bench *bench)
{
	int status = crew_attach(&bench->crew, bench->plan, bench_threads(bench->plan));

	bench_each_row(bench, bench_measure_row);
	if (status == 0 && bench->bytes > 0) /* else NOPs alone */
		status = crew_prepare(&bench->crew, bench->bytes);
	if (status != 0 || !report_begin(&bench->report, bench->plan->json))
		return BENCH_FAILED;
	status = bench_each_row(bench, bench_run_row);
	return report_end(&bench->report) || status != 0 ? status : BENCH_FAILED;
}

static int bench_run(const struct plan *plan)
{
	struct bench bench = { .plan = plan };
	int status = bench_measure(&bench);

	crew_end(&bench.crew);
	return status;
}

/* Wait for the end of stdin, or TERM or INT. */
static int bench_wait_for_end(void)
{
	struct pollfd poll_fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN },
				      { .events = POLLIN } };
	char byte;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	poll_fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (poll_fds[1].fd < 0) {
		perror("haul-bench: signalfd");
		return BENCH_FAILED;
	}
	while (poll(poll_fds, 2, -1) >= 0 || errno == EINTR) {
		if (poll_fds[1].revents != 0)
			break;
		if (poll_fds[0].revents != 0 && read(STDIN_FILENO, &byte, 1) <= 0)
			break;
	}
	close(poll_fds[1].fd);
	return 0;
}

/* What reads an owner's notifications, so that those who measure are not held up by a full ring. */
struct bench_reader {
	struct haul *haul; /* this thread's alone while it runs */
	pthread_t thread;
	atomic_bool is_over;
};

static void *bench_read(void *argument)
{
	struct bench_reader *reader = argument;
	const struct haul_notification *notifications;
	const struct haul_completion *completions;
	int count = 0;

	while (count >= 0 && !atomic_load(&reader->is_over)) {
		count = haul_notifications_peek(reader->haul, &notifications);
		if (count > 0)
			haul_notifications_seen(reader->haul, (unsigned int)count);
		else if (count == 0)
			count = haul_wait(reader->haul, BENCH_READ_US, &completions);
	}
	return NULL;
}

/* Own the segment until the end. */
static int bench_stay(struct haul *haul)
{
	struct bench_reader reader = { .haul = haul };
	int status;

	if (pthread_create(&reader.thread, NULL, bench_read, &reader) != 0) {
		fprintf(stderr, "haul-bench: no thread can be made\n");
		return BENCH_FAILED;
	}
	status = bench_wait_for_end();
	atomic_store(&reader.is_over, true);
	pthread_join(reader.thread, NULL);
	return status;
}

static int bench_own(const struct plan *plan, struct haul *haul)
{
	struct haul_segment_options options = {
		.name = plan->segment, .bytes = plan->bytes, .readers = "*", .writers = "*"
	};
	struct haul_memory memory;
	int error = haul_segment_create(haul, &options, &memory);

	if (error != 0) {
		fprintf(stderr, "haul-bench: %s: %s: %s\n", options.name, haul_error_text(error),
			haul_reason(haul));
		return BENCH_FAILED;
	}
	printf("READY %s on node %s: %zu bytes in pages of %u\n", options.name, haul_node(haul),
	       memory.bytes, memory.page_bytes);
	fflush(stdout);
	return bench_stay(haul);
}

static int bench_serve(const struct plan *plan)
{
	struct crew crew;
	int status = BENCH_FAILED;

	if (crew_attach(&crew, plan, 1) == 0)
		status = bench_own(plan, crew.members[0].haul);
	crew_end(&crew);
	return status;
}

int main(int argc, char **argv)
{
	static struct plan plan;

	if (!plan_parse(&plan, argc, argv))
		return BENCH_USAGE;
	if (plan.is_help)
		return fputs(plan_usage, stdout) < 0 ? BENCH_FAILED : 0;
	return strcmp(plan.command, "serve") == 0 ? bench_serve(&plan) : bench_run(&plan);
}
