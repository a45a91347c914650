/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an operation costs: two nodes over a pair of net_ring ports, a thread each, each on a processor of its own. The
 * first thread is the client too: it submits, turns its node's worker, and reaps. Small WRITEs with many under way, then
 * one at a time. Each round is one line:
 *
 *     rate=2345678 p50_us=2.31 p99_us=4.05 max_us=80.2 switches=0
 *
 * `switches` counts how often the kernel took a processor away from one of the two: a round with many says more about the
 * machine than about haul.
 */
#include "base/check.h"
#include "base/clock.h"
#include "perf_node.h"

#include <getopt.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define OPS_MEMORY_BYTES (4u << 20)

struct ops_options {
	struct perf_node_options node;
	uint32_t rounds;
	uint32_t count;      /* operations with many under way */
	uint32_t bytes;      /* of each */
	uint32_t depth;      /* how many */
	uint32_t once_count; /* operations one at a time */
	uint32_t once_bytes;
	bool is_together; /* both nodes on the first thread */
};

static struct perf_node a;
static struct perf_node b;
static atomic_bool ops_is_ending;
static atomic_ullong ops_switches; /* of the second thread */

static uint64_t ops_own_switches(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return (uint64_t)usage.ru_nivcsw;
}

static void *ops_target(void *argument)
{
	uint32_t turns = 0;

	(void)argument;
	perf_pin(1);
	while (!atomic_load_explicit(&ops_is_ending, memory_order_relaxed)) {
		perf_node_turn(&b);
		if (++turns % 4096 == 0)
			atomic_store_explicit(&ops_switches, ops_own_switches(),
					      memory_order_relaxed);
	}
	return NULL;
}

static inline void ops_turn(const struct ops_options *options)
{
	perf_node_turn(&a);
	if (options->is_together)
		perf_node_turn(&b);
}

static double ops_rate(const struct ops_options *options)
{
	uint64_t start_ns = clock_now_ns();
	uint32_t submitted = 0;
	uint32_t done = 0;

	while (done < options->count) {
		while (submitted < options->count && submitted - done < options->depth &&
		       perf_node_submit(&a, HAUL_OP_WRITE,
					(uint64_t)submitted * options->bytes % OPS_MEMORY_BYTES,
					options->bytes))
			submitted++;
		ops_turn(options);
		done += perf_node_reap(&a);
	}
	return (double)options->count * 1e9 / (double)(clock_now_ns() - start_ns);
}

static int ops_compare(const void *left, const void *right)
{
	uint32_t first = *(const uint32_t *)left;
	uint32_t second = *(const uint32_t *)right;

	return (first > second) - (first < second);
}

/* Times in nanoseconds of operations one at a time, sorted. */
static void ops_once(const struct ops_options *options, uint32_t *times_ns)
{
	for (uint32_t i = 0; i < options->once_count; i++) {
		uint64_t start_ns = clock_now_ns();

		perf_node_submit(&a, HAUL_OP_WRITE, i * UINT64_C(64) % OPS_MEMORY_BYTES,
				 options->once_bytes);
		do
			ops_turn(options);
		while (perf_node_reap(&a) == 0);
		times_ns[i] = (uint32_t)MIN(clock_now_ns() - start_ns, (uint64_t)UINT32_MAX);
	}
	qsort(times_ns, options->once_count, sizeof(*times_ns), ops_compare);
}

static void ops_round(const struct ops_options *options, uint32_t *times_ns)
{
	uint32_t last = options->once_count - 1;
	uint64_t switches = ops_own_switches() + atomic_load(&ops_switches);
	double rate = ops_rate(options);

	ops_once(options, times_ns);
	switches = ops_own_switches() + atomic_load(&ops_switches) - switches;
	printf("rate=%.0f p50_us=%.2f p99_us=%.2f max_us=%.2f switches=%llu\n", rate,
	       times_ns[last / 2] / 1e3, times_ns[(uint64_t)last * 99 / 100] / 1e3,
	       times_ns[last] / 1e3, (unsigned long long)switches);
	fflush(stdout);
}

static bool ops_option(struct ops_options *options, int option, const char *value)
{
	uint32_t number = value != NULL ? (uint32_t)strtoul(value, NULL, 10) : 0;

	switch (option) {
	case 'r':
		options->rounds = number;
		return true;
	case 'c':
		options->count = number;
		return number > 0;
	case 'd':
		options->depth = number;
		return number > 0;
	case 'b':
		options->bytes = number;
		return number > 0 && number <= 65536;
	case 't':
		options->is_together = true;
		return true;
	default:
		return false;
	}
}

static bool ops_options_parse(int argc, char **argv, struct ops_options *options)
{
	static const struct option table[] = { { "rounds", required_argument, NULL, 'r' },
					       { "count", required_argument, NULL, 'c' },
					       { "depth", required_argument, NULL, 'd' },
					       { "bytes", required_argument, NULL, 'b' },
					       { "together", no_argument, NULL, 't' },
					       { NULL, 0, NULL, 0 } };
	int option;

	*options = (struct ops_options){
		.node = { .mtu_bytes = 1500, .memory_bytes = OPS_MEMORY_BYTES },
		.rounds = 7,
		.count = 1000000,
		.bytes = 64,
		.depth = 256,
		.once_count = 100000,
		.once_bytes = 8,
	};
	while ((option = getopt_long(argc, argv, "", table, NULL)) != -1) { /* NOLINT */
		if (!ops_option(options, option, optarg))
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	struct ops_options options;
	pthread_t target;
	uint32_t *times_ns;

	if (!ops_options_parse(argc, argv, &options)) {
		fprintf(stderr, "usage: ops [--rounds N] [--count N] [--depth N] [--bytes N] "
				"[--together]\n");
		return 2;
	}
	perf_node_join(&a, &b, &options.node);
	times_ns = perf_pin(0) ? calloc(options.once_count, sizeof(*times_ns)) : NULL;
	if (times_ns == NULL)
		return 1;
	if (!options.is_together && pthread_create(&target, NULL, ops_target, NULL) != 0) {
		free(times_ns);
		return 1;
	}
	ops_rate(&options);
	for (uint32_t round = 0; round < options.rounds; round++)
		ops_round(&options, times_ns);
	atomic_store(&ops_is_ending, true);
	if (!options.is_together)
		pthread_join(target, NULL);
	free(times_ns);
	return 0;
}
