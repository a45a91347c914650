/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads that run a row side by side; crew.h says what each has. */
#include "crew.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The submission ring: deep rows must fit twice over, since completions take two places each in the worst case. */
#define CREW_ENTRIES 2048u

_Static_assert(CREW_ENTRIES >= 2 * LOAD_DEPTH_MAX, "the deepest row fits the rings");

static int crew_fail(const struct crew_member *member, const char *what, int error)
{
	fprintf(stderr, "haul-bench: %s: %s: %s\n", what, haul_error_text(error),
		haul_reason(member->haul));
	return error;
}

static void crew_begin(void *context)
{
	struct crew *crew = context;

	pthread_barrier_wait(&crew->barrier);
}

static void crew_fill(struct crew *crew, struct crew_member *member)
{
	const struct plan *plan = crew->plan;

	member->crew = crew;
	member->load = (struct load){
		.haul = member->haul,
		.memory = &member->memory,
		.remote = &member->remote,
		.duration_ns = plan->duration_ns,
		.warm_up_ns = plan->warm_up_ns,
		.cold_bytes = plan->cold_bytes,
		.pause_ns = plan->pause_ns,
		.timeout_ms = plan->timeout_ms,
		.pattern_seed = (uint64_t)getpid() << 32 | (uint64_t)(member - crew->members) << 16,
		.is_verified = plan->is_verified,
		.begin = crew_begin,
		.context = crew,
	};
}

int crew_attach(struct crew *crew, const struct plan *plan, uint32_t count)
{
	struct haul_options options = { .name = "haul-bench",
					.entries = CREW_ENTRIES,
					.socket_path = plan->socket_path };

	*crew = (struct crew){ .plan = plan, .members = calloc(count, sizeof(*crew->members)) };
	if (crew->members == NULL) {
		fprintf(stderr, "haul-bench: no memory for %u threads\n", count);
		return -HAUL_SYSTEM;
	}
	crew->count = count;
	for (uint32_t i = 0; i < count; i++) {
		struct crew_member *member = &crew->members[i];
		int error = haul_attach(&options, &member->haul);

		if (error != 0)
			return crew_fail(member, "attach", error);
		crew_fill(crew, member);
	}
	return 0;
}

static int crew_open(struct crew_member *member, uint64_t bytes, uint64_t base)
{
	const char *name = member->crew->plan->segment;
	uint64_t wanted = member->crew->count * bytes;
	int error = haul_segment_open(member->haul, name, HAUL_READ | HAUL_WRITE, &member->remote);

	if (error != 0)
		return crew_fail(member, name, error);
	member->load.remote_base = base;
	if (member->remote.bytes >= wanted)
		return 0;
	fprintf(stderr, "haul-bench: %s has %llu bytes, the largest row needs %llu\n", name,
		(unsigned long long)member->remote.bytes, (unsigned long long)wanted);
	return -HAUL_RANGE;
}

int crew_prepare(struct crew *crew, uint64_t bytes)
{
	struct haul_segment_options options = { .name = "haul-bench",
						.bytes = bytes,
						.is_private = 1 };
	int error = 0;

	for (uint32_t i = 0; i < crew->count && error == 0; i++) {
		struct crew_member *member = &crew->members[i];

		error = haul_segment_create(member->haul, &options, &member->memory);
		if (error != 0)
			return crew_fail(member, "memory for the operations", error);
		/* Private pages that were never written would all be one page of zeros to a cache. */
		memset(member->memory.address, 0x6b, member->memory.bytes);
		error = crew_open(member, bytes, i * bytes);
	}
	return error;
}

static void *crew_main(void *argument)
{
	struct crew_member *member = argument;

	/* Another pattern for each row: what an earlier one left does not pass for this one's. */
	member->load.pattern_seed++;
	member->error = load_run(&member->load, member->crew->row, &member->result);
	return NULL;
}

int crew_run(struct crew *crew, const struct load_row *row, uint32_t threads,
	     struct load_result *result_out)
{
	int error = 0;

	crew->row = row;
	if (pthread_barrier_init(&crew->barrier, NULL, threads) != 0)
		return -HAUL_SYSTEM;
	for (uint32_t i = 0; i < threads; i++) {
		struct crew_member *member = &crew->members[i];

		if (pthread_create(&member->thread, NULL, crew_main, member) != 0) {
			/* The others wait at the barrier and could not be told. */
			fprintf(stderr, "haul-bench: no thread\n");
			exit(EXIT_FAILURE);
		}
	}
	memset(result_out, 0, sizeof(*result_out));
	result_out->wrong_at = UINT64_MAX;
	for (uint32_t i = 0; i < threads; i++) {
		struct crew_member *member = &crew->members[i];

		pthread_join(member->thread, NULL);
		load_merge(result_out, &member->result);
		error = error != 0 ? error : member->error;
	}
	pthread_barrier_destroy(&crew->barrier);
	return error;
}

void crew_end(struct crew *crew)
{
	for (uint32_t i = 0; i < crew->count; i++)
		haul_detach(crew->members[i].haul);
	free(crew->members);
	crew->members = NULL;
}
