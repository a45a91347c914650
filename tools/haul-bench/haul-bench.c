/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haul-bench: measures operations of each kind, size and depth against a segment of any node, on this one as well
 * (transport `local`). One thread, one attachment; every figure is of what an application sees.
 */
#include "base/check.h"
#include "load.h"
#include "plan.h"
#include "report.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

/* Exit status, as the usage says. */
#define BENCH_FAILED 1
#define BENCH_USAGE  2
#define BENCH_WRONG  3

/* The submission ring: deep rows must fit twice over, since completions take two places each in the worst case. */
#define BENCH_ENTRIES 2048u

_Static_assert(BENCH_ENTRIES >= 2 * LOAD_DEPTH_MAX, "the deepest row fits the rings");

struct bench {
	const struct plan *plan;
	struct load load;
	struct haul *haul;
	struct haul_memory memory;
	struct haul_remote remote;
};

static int bench_fail(const struct bench *bench, const char *what, int error)
{
	fprintf(stderr, "haul-bench: %s: %s: %s\n", what, haul_error_text(error),
		haul_reason(bench->haul));
	return BENCH_FAILED;
}

/* Call fn for each row of the plan until one does not return 0. */
static int bench_each_row(struct bench *bench,
			  int (*fn)(struct bench *bench, const struct load_row *row))
{
	const struct plan *plan = bench->plan;
	int status = 0;

	for (uint32_t o = 0; o < plan->opcodes.count && status == 0; o++) {
		struct load_row row = { .opcode = (enum haul_opcode)plan->opcodes.values[o] };
		/* A NOP has no size: one row for each depth. */
		uint32_t sizes = row.opcode == HAUL_OP_NOP ? 1 : plan->sizes.count;

		for (uint32_t i = 0; i < sizes * plan->depths.count && status == 0; i++) {
			row.bytes = row.opcode == HAUL_OP_NOP
					    ? 0
					    : (uint32_t)plan->sizes.values[i / plan->depths.count];
			row.depth = (uint32_t)plan->depths.values[i % plan->depths.count];
			status = fn(bench, &row);
		}
	}
	return status;
}

/* The largest row decides how much memory both sides need; gathered in bench->memory.bytes before it is made. */
static int bench_measure_row(struct bench *bench, const struct load_row *row)
{
	bench->memory.bytes = MAX(bench->memory.bytes, load_span(&bench->load, row));
	return 0;
}

static int bench_open(struct bench *bench, uint64_t bytes)
{
	const char *name = bench->plan->segment;
	int error = haul_segment_open(bench->haul, name, HAUL_READ | HAUL_WRITE, &bench->remote);

	if (error != 0)
		return bench_fail(bench, name, error);
	if (bench->remote.bytes >= bytes)
		return 0;
	fprintf(stderr, "haul-bench: %s has %llu bytes, the largest row needs %llu\n", name,
		(unsigned long long)bench->remote.bytes, (unsigned long long)bytes);
	return BENCH_FAILED;
}

static int bench_prepare(struct bench *bench)
{
	struct haul_segment_options options = { .name = "haul-bench", .is_private = 1 };
	int error;

	bench_each_row(bench, bench_measure_row);
	options.bytes = bench->memory.bytes;
	if (options.bytes == 0)
		return 0; /* NOPs alone */
	error = haul_segment_create(bench->haul, &options, &bench->memory);
	if (error != 0)
		return bench_fail(bench, "memory for the operations", error);
	/* Private pages that were never written would all be one page of zeros to a cache. */
	memset(bench->memory.address, 0x6b, bench->memory.bytes);
	return bench_open(bench, options.bytes);
}

static int bench_run_row(struct bench *bench, const struct load_row *row)
{
	static struct load_result result;
	int error = load_run(&bench->load, row, &result);

	if (error != 0)
		return BENCH_FAILED;
	report_row(bench->plan->is_json, &bench->load, row, &result);
	return result.wrong_at == UINT64_MAX ? 0 : BENCH_WRONG;
}

static int bench_run(struct bench *bench)
{
	const struct plan *plan = bench->plan;
	int status;

	bench->load = (struct load){
		.haul = bench->haul,
		.memory = &bench->memory,
		.remote = &bench->remote,
		.duration_ns = plan->duration_ns,
		.warm_up_ns = plan->warm_up_ns,
		.cold_bytes = plan->cold_bytes,
		.timeout_ms = plan->timeout_ms,
		.pattern_seed = (uint64_t)getpid(),
		.is_verified = plan->is_verified,
	};
	status = bench_prepare(bench);
	if (status != 0)
		return status;
	report_begin(plan->is_json);
	status = bench_each_row(bench, bench_run_row);
	report_end(plan->is_json);
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

static int bench_serve(struct bench *bench)
{
	struct haul_segment_options options = { .name = bench->plan->segment,
						.bytes = bench->plan->bytes,
						.readers = "*",
						.writers = "*" };
	int error = haul_segment_create(bench->haul, &options, &bench->memory);

	if (error != 0)
		return bench_fail(bench, options.name, error);
	printf("READY %s on node %s: %zu bytes in pages of %u\n", options.name,
	       haul_node(bench->haul), bench->memory.bytes, bench->memory.page_bytes);
	fflush(stdout);
	return bench_wait_for_end();
}

int main(int argc, char **argv)
{
	static struct plan plan;
	struct bench bench = { .plan = &plan };
	struct haul_options options = { .name = "haul-bench", .entries = BENCH_ENTRIES };
	int error;
	int status;

	if (!plan_parse(&plan, argc, argv))
		return BENCH_USAGE;
	if (plan.is_help)
		return fputs(plan_usage, stdout) < 0 ? BENCH_FAILED : 0;
	options.socket_path = plan.socket_path;
	error = haul_attach(&options, &bench.haul);
	if (error != 0)
		return bench_fail(&bench, "attach", error);
	status = strcmp(plan.command, "serve") == 0 ? bench_serve(&bench) : bench_run(&bench);
	haul_detach(bench.haul);
	return status;
}
