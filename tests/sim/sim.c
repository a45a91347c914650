/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator: two nodes, two links, a virtual clock. Everything follows from the seed.
 *
 *     sim [--seeds N] [--seed S] [--scenario NAME] [--cc NAME] [--crc] [--sabotage WHAT]
 *         [--list] [--verbose]
 *     sim --bench ...    the performance mode, see bench.h
 *
 * Runs each scenario with seeds 1 to N, or one seed; a failure prints the command that replays it. Exit
 * code 0 = no violation, 1 = violations, 2 = usage. With --sabotage a protection is taken out, and
 * the exit code is 0 when stale bytes or bytes placed twice were found, 1 when not: that shows that the
 * checks can fail, and that the protection is needed.
 */
#include "base/check.h"
#include "bench.h"
#include "node.h"
#include "rudp/conn.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* No run takes longer than this in virtual time, and none stands still in it. */
#define RUN_US_MAX    120000000u
#define ROUNDS_AT_MAX 100000u
/* After the work: late packets must have nothing to land in. */
#define AFTERMATH_US 8500000u

struct sim {
	uint64_t now_us;
	uint64_t uid_next;
	struct random random;
	struct link_queue queue;
	struct link links[2];
	struct node nodes[2];
};

static struct {
	uint64_t seeds;
	uint64_t seed;        /* 0 = 1 to seeds */
	const char *scenario; /* NULL = all */
	const char *cc;       /* congestion control; NULL = the default */
	const char *sabotage; /* empty = none */
	bool has_crc;         /* packets carry a checksum in all scenarios */
	bool is_verbose;
	bool is_list;
} options = { .seeds = 10, .sabotage = "" };

/* First violations of runs that are of the kind haul exists to prevent. */
static uint64_t stale_count;

/* Everything looks new: chunks that come twice are placed twice. */
static void sabotage_window(struct node *node)
{
	if (node->connection != NULL && node->connection->state < RUDP_ENDED)
		memset(node->connection->window.bits, 0, sizeof(node->connection->window.bits));
}

/* No piece of a chunk is remembered: late transmissions of the whole chunk, and copies of pieces, look new. */
static void sabotage_pieces(struct node *node)
{
	if (node->connection != NULL && node->connection->state < RUDP_ENDED)
		memset(&node->connection->pieces, 0, sizeof(node->connection->pieces));
}

/* DONE says nothing, and is acknowledged: neither fence nor low-water mark holds. */
static void sabotage_fence(uint8_t *data, size_t bytes, uint64_t now_us)
{
	const uint8_t *cursor = data + WIRE_HEADER_BYTES;
	const uint8_t *end = data + bytes;
	struct wire_frame frame;

	(void)now_us;
	if (bytes < WIRE_CONTROL_BYTES_MIN || data[0] != WIRE_CONTROL)
		return;
	for (const uint8_t *at = cursor; wire_frame_parse(&cursor, end, &frame) > 0; at = cursor) {
		if (frame.type != WIRE_FRAME_DONE)
			continue;
		/* In place: the frame keeps its length, its mark and its bits are zero. */
		memset(data + (at - data) + 4, 0, (size_t)(cursor - at) - 4);
	}
}

/* Every WRITE packet arrives with the target's tick of now. */
static void sabotage_freshness(uint8_t *data, size_t bytes, uint64_t now_us)
{
	if (bytes > WIRE_DATA_HEADER_BYTES && data[0] == WIRE_WRITE)
		wire_u16_write(data + 2, (uint16_t)(now_us / RUDP_TICK_US));
}

/* Marks and the capability stay, but who sends does not hear of them. */
static void sabotage_marks(struct node *node)
{
	if (node->connection != NULL && node->connection->state < RUDP_ENDED) {
		node->connection->ecn.seen[ECN_ECT0] += node->connection->ecn.seen[ECN_CE];
		node->connection->ecn.seen[ECN_CE] = 0;
	}
}

static void sim_sabotage(struct sim *sim)
{
	for (uint32_t i = 0; i < 2; i++) {
		if (strcmp(options.sabotage, "window") == 0)
			sim->nodes[i].sabotage = sabotage_window;
		else if (strcmp(options.sabotage, "pieces") == 0)
			sim->nodes[i].sabotage = sabotage_pieces;
		else if (strcmp(options.sabotage, "marks") == 0)
			sim->nodes[i].sabotage = sabotage_marks;
		else if (strcmp(options.sabotage, "fence") == 0)
			sim->nodes[i].tamper = sabotage_fence;
		else if (strcmp(options.sabotage, "freshness") == 0)
			sim->nodes[i].tamper = sabotage_freshness;
		else if (strcmp(options.sabotage, "generation") == 0)
			sim->nodes[i].memory.is_unguarded = true;
		else if (strcmp(options.sabotage, "grant") == 0)
			sim->nodes[i].is_hasty = true;
		else if (strcmp(options.sabotage, "notifier") == 0)
			sim->nodes[i].memory.is_forgetful = true;
	}
}

static void sim_init(struct sim *sim, const struct scenario *scenario, uint64_t seed)
{
	memset(sim, 0, sizeof(*sim));
	/* Mixed, since neighbouring states give the same stream shifted. */
	sim->random.state = random_mix(seed ^ UINT64_C(0x6a09e667f3bcc908));
	/* Not at zero, and anywhere within a tick. */
	sim->now_us = 1000000000 + random_below(&sim->random, UINT64_C(10) * RUDP_TICK_US);
	for (uint32_t i = 0; i < 2; i++) {
		struct link *link = &sim->links[i];

		link->config = i == 0 ? scenario->to : scenario->fro;
		link->config.shrink_from_us += sim->now_us;
		if (link->config.black_until_us != 0) {
			link->config.black_from_us += sim->now_us;
			link->config.black_until_us += sim->now_us;
		}
		link->random = &sim->random;
		link->queue = &sim->queue;
		link->to = !i;
		sim->nodes[i].link = link;
		sim->nodes[i].index = i;
		sim->nodes[i].random = &sim->random;
		sim->nodes[i].now_us = &sim->now_us;
	}
	for (uint32_t i = 0; i < 2; i++) {
		const char *cc = scenario->cc != NULL ? scenario->cc : options.cc;

		sim->nodes[i].cc = cc != NULL ? cc_find(cc) : NULL;
		sim->nodes[i].has_crc = options.has_crc;
		sim->nodes[i].is_blind = strcmp(options.sabotage, "checksum") == 0;
		node_init(&sim->nodes[i], scenario, &sim->nodes[!i]);
		sim->nodes[i].memory.uid_next = &sim->uid_next;
	}
	sim_sabotage(sim);
}

/* Packets that have arrived go to the nodes; a full or paused node's ring drops. */
static void sim_arrivals(struct sim *sim)
{
	while (link_queue_next_us(&sim->queue) <= sim->now_us) {
		struct link_packet packet = link_queue_take(&sim->queue);
		struct node *node = &sim->nodes[packet.to];

		if (node->inbox_count == ARRAY_SIZE(node->inbox))
			node_poll(node, &sim->nodes[!packet.to]);
		if (node->inbox_count == ARRAY_SIZE(node->inbox)) {
			free(packet.data);
			continue;
		}
		node->inbox[node->inbox_count++] = packet;
	}
}

/* Runs until both are done, or until the time. Returns false when it stands still. */
static bool sim_run(struct sim *sim, uint64_t until_us, bool stops_when_done)
{
	uint64_t last_us = sim->now_us;
	uint32_t rounds = 0;

	while (sim->now_us < until_us) {
		uint64_t next_us;

		sim_arrivals(sim);
		for (uint32_t i = 0; i < 2; i++)
			node_poll(&sim->nodes[i], &sim->nodes[!i]);
		if (stops_when_done && node_is_done(&sim->nodes[0]) && node_is_done(&sim->nodes[1]))
			return true;
		next_us = MIN(node_next_us(&sim->nodes[0]), node_next_us(&sim->nodes[1]));
		next_us = MIN(next_us, link_queue_next_us(&sim->queue));
		sim->now_us = MIN(MAX(sim->now_us, next_us), until_us);
		rounds = sim->now_us == last_us ? rounds + 1 : 0;
		last_us = sim->now_us;
		if (rounds > ROUNDS_AT_MAX)
			return false;
	}
	return !stops_when_done;
}

static void sim_print(const struct sim *sim, const struct scenario *scenario, uint64_t seed)
{
	static const char *const names[] = {
#define SIM_COUNTER_NAME(name, text, unit, meaning) text,
		RUDP_COUNTERS(SIM_COUNTER_NAME)
#undef SIM_COUNTER_NAME
	};

	printf("%s seed %" PRIu64 ": %" PRIu64 " us\n", scenario->name, seed,
	       sim->now_us - 1000000000);
	for (uint32_t i = 0; i < 2; i++) {
		const struct node *node = &sim->nodes[i];

		printf("  node %u: submitted %" PRIu64 " completed %" PRIu64 " status", i,
		       node->memory.submitted, node->memory.completed);
		for (uint32_t status = 0; status < 32; status++) {
			if (node->memory.by_status[status] != 0)
				printf(" %u:%" PRIu64, status, node->memory.by_status[status]);
		}
		printf("\n   ");
		for (uint32_t counter = 0; counter < RUDP_COUNTER_COUNT; counter++) {
			if (node->counters[counter] != 0)
				printf(" %s %" PRIu64, names[counter], node->counters[counter]);
		}
		printf("\n");
	}
}

static void sim_report(struct sim *sim, const struct scenario *scenario, uint64_t seed)
{
	for (uint32_t i = 0; i < 2; i++) {
		const struct memory *memory = &sim->nodes[i].memory;

		if (memory->violations == 0)
			continue;
		stale_count += strstr(memory->violation, "stale byte") != NULL ||
			       strstr(memory->violation, "twice") != NULL ||
			       strstr(memory->violation, "lost where") != NULL;
		printf("FAILED %s seed %" PRIu64 " node %u: %s\n"
		       "  replay: sim --scenario %s --seed %" PRIu64 "%s%s%s%s%s\n",
		       scenario->name, seed, i, memory->violation, scenario->name, seed,
		       options.cc != NULL ? " --cc " : "", options.cc != NULL ? options.cc : "",
		       options.has_crc ? " --crc" : "", *options.sabotage ? " --sabotage " : "",
		       options.sabotage);
	}
}

/* One run; true when nothing was violated. */
static bool sim_case(const struct scenario *scenario, uint64_t seed)
{
	static struct sim sim;
	bool has_ended;
	bool is_good;

	sim_init(&sim, scenario, seed);
	has_ended = sim_run(&sim, sim.now_us + RUN_US_MAX, true);
	/* Copies and delayed packets of all that is over arrive now. */
	if (!has_ended || !sim_run(&sim, sim.now_us + AFTERMATH_US, false))
		memory_violation(&sim.nodes[0].memory, "the run did not end", 0);
	if (options.is_verbose)
		sim_print(&sim, scenario, seed);
	for (uint32_t i = 0; i < 2; i++)
		node_check(&sim.nodes[i]);
	sim_report(&sim, scenario, seed);
	is_good = sim.nodes[0].memory.violations + sim.nodes[1].memory.violations == 0;
	for (uint32_t i = 0; i < 2; i++)
		node_destroy(&sim.nodes[i]);
	link_queue_destroy(&sim.queue);
	return is_good;
}

static int usage(void)
{
	fprintf(stderr,
		"usage: sim [--seeds N] [--seed S] [--scenario NAME] [--cc NAME] [--crc]\n"
		"           [--sabotage window|pieces|marks|fence|freshness|generation|notifier|checksum|grant]\n"
		"           [--list] [--verbose]\n");
	return 2;
}

static int list(void)
{
	for (unsigned i = 0; i < scenario_count; i++)
		printf("%-20s %s\n", scenarios[i].name, scenarios[i].sentence);
	return 0;
}

/* False when an option is unknown or lacks its value. */
static bool options_parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--list") == 0 || strcmp(argv[i], "--verbose") == 0) {
			options.is_list |= argv[i][2] == 'l';
			options.is_verbose |= argv[i][2] == 'v';
			continue;
		}
		if (strcmp(argv[i], "--crc") == 0) {
			options.has_crc = true;
			continue;
		}
		if (value == NULL)
			return false;
		if (strcmp(argv[i], "--seeds") == 0)
			options.seeds = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			options.seed = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--scenario") == 0)
			options.scenario = value;
		else if (strcmp(argv[i], "--cc") == 0)
			options.cc = value;
		else if (strcmp(argv[i], "--sabotage") == 0)
			options.sabotage = value;
		else
			return false;
		i++;
	}
	return options.cc == NULL || cc_find(options.cc) != NULL;
}

int main(int argc, char **argv)
{
	uint64_t runs = 0;
	uint64_t bad = 0;

	if (argc > 1 && strcmp(argv[1], "--bench") == 0)
		return bench_main(argc - 2, argv + 2);
	if (!options_parse(argc, argv))
		return usage();
	if (options.is_list)
		return list();
	for (unsigned i = 0; i < scenario_count; i++) {
		uint64_t first = options.seed != 0 ? options.seed : 1;
		uint64_t last = options.seed != 0 ? options.seed : options.seeds;

		if (options.scenario != NULL && strcmp(options.scenario, scenarios[i].name) != 0)
			continue;
		for (uint64_t seed = first; seed <= last; seed++, runs++)
			bad += !sim_case(&scenarios[i], seed);
	}
	if (runs == 0)
		return usage();
	printf("%" PRIu64 " runs, %" PRIu64 " with violations\n", runs, bad);
	if (*options.sabotage)
		return stale_count > 0 ? 0 : 1;
	return bad > 0;
}
