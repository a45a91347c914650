/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows and floors. 25 Gbit/s, 20 us of round trip, one bandwidth-delay product of buffer, MTU 1500; so the
 * buffer alone holds no more than 20 us. Rows named "deep" have sixteen times the buffer, where a queue is bounded by
 * congestion control or not at all; their floors are the same.
 *
 * Goodput of a `loss` row is compared with the loss-free run of the same seed, of a `stall` row with the run
 * under the fixed window and the same stalls. Jain's index is taken over the whole time of measuring.
 */
#include "bench.h"

#include "base/check.h"
#include "fabric.h"
#include "rudp/cc.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RATE_MBIT     25000u
#define ROUND_TRIP_US 20u
#define BDP_BYTES     (RATE_MBIT / 8 * ROUND_TRIP_US)
#define WARM_US       10000u
#define MEASURE_US    200000u
#define SMOKE_SHARE   5u /* of MEASURE_US */

/* Zero of a floor: there is none. */
struct row {
	const char *name;
	const char *sentence;
	struct fabric_config config; /* only what is particular to the row */
	const char *base_cc;         /* of the run to compare with; NULL = that of the bench */
	bool base_is_clean;          /* the run to compare with has no loss and no reordering */
	double ratio_floor;          /* of the goodput of the run to compare with */
	double share_floor;          /* of what the bottleneck can carry */
	double jain_floor;
	double queue_targets_max; /* p99 of the queueing delay, in targets of the algorithm */
};

#define SHALLOW BDP_BYTES
#define DEEP    (16 * BDP_BYTES)

static const struct row rows[] = {
	{ .name = "free",
	  .sentence = "one flow, nothing is lost",
	  .config = { .senders = 1, .buffer_bytes = SHALLOW },
	  .share_floor = 0.9 },
	{ .name = "loss-1e-4",
	  .sentence = "one packet in ten thousand is lost",
	  .config = { .senders = 1, .buffer_bytes = SHALLOW, .loss_ppm = 100 },
	  .base_is_clean = true,
	  .ratio_floor = 0.99 },
	{ .name = "loss-1e-3",
	  .sentence = "one in a thousand",
	  .config = { .senders = 1, .buffer_bytes = SHALLOW, .loss_ppm = 1000 },
	  .base_is_clean = true,
	  .ratio_floor = 0.97 },
	{ .name = "loss-1e-2",
	  .sentence = "one in a hundred",
	  .config = { .senders = 1, .buffer_bytes = SHALLOW, .loss_ppm = 10000 },
	  .base_is_clean = true,
	  .ratio_floor = 0.85 },
	{ .name = "loss-1e-2-reorder",
	  .sentence = "one in a hundred, and 5 % late by up to a round trip",
	  .config = { .senders = 1,
		      .buffer_bytes = SHALLOW,
		      .loss_ppm = 10000,
		      .reorder_ppm = 50000,
		      .reorder_us = ROUND_TRIP_US },
	  .base_is_clean = true,
	  .ratio_floor = 0.8 },
	{ .name = "flows-8",
	  .sentence = "8 flows that begin 200 us apart",
	  .config = { .senders = 8, .buffer_bytes = SHALLOW, .stagger_us = 200 },
	  .share_floor = 0.9,
	  .jain_floor = 0.95,
	  .queue_targets_max = 2 },
	{ .name = "flows-8-deep",
	  .sentence = "the same, deep buffer",
	  .config = { .senders = 8, .buffer_bytes = DEEP, .stagger_us = 200 },
	  .share_floor = 0.9,
	  .jain_floor = 0.95,
	  .queue_targets_max = 2 },
	{ .name = "incast-32",
	  .sentence = "32 senders that begin at once",
	  .config = { .senders = 32, .buffer_bytes = SHALLOW },
	  .share_floor = 0.9,
	  .jain_floor = 0.95,
	  .queue_targets_max = 2 },
	{ .name = "incast-32-deep",
	  .sentence = "the same, deep buffer",
	  .config = { .senders = 32, .buffer_bytes = DEEP },
	  .share_floor = 0.9,
	  .jain_floor = 0.95,
	  .queue_targets_max = 2 },
	{ .name = "flows-8-marked",
	  .sentence = "8 flows, and a switch that marks from a quarter of its buffer on",
	  .config = { .senders = 8,
		      .buffer_bytes = SHALLOW,
		      .stagger_us = 200,
		      .mark_bytes = SHALLOW / 4 },
	  .share_floor = 0.9,
	  .jain_floor = 0.95,
	  .queue_targets_max = 2 },
	{ .name = "incast-32-marked",
	  .sentence = "32 senders at once, and the same switch",
	  .config = { .senders = 32, .buffer_bytes = SHALLOW, .mark_bytes = SHALLOW / 4 },
	  .share_floor = 0.9,
	  .queue_targets_max = 2 },
	{ .name = "naps",
	  .sentence = "hosts sleep up to 500 us, each some 5 ms",
	  .config = { .senders = 1, .buffer_bytes = SHALLOW, .nap_us = 5000, .nap_length_us = 500 },
	  .base_cc = "fixed",
	  .ratio_floor = 0.95 },
	{ .name = "stalls",
	  .sentence = "and are taken off their cores for 10 ms, each some 50 ms",
	  .config = { .senders = 1,
		      .buffer_bytes = SHALLOW,
		      .nap_us = 5000,
		      .nap_length_us = 500,
		      .stall_us = 50000,
		      .stall_length_us = 10000 },
	  .base_cc = "fixed",
	  .ratio_floor = 0.95 },
	{ .name = "straight",
	  .sentence = "100 Gbit/s without a bottleneck: a wire that does not queue",
	  .config = { .senders = 1, .rate_mbit = 100000 },
	  .base_cc = "fixed",
	  .ratio_floor = 0.98 },
	{ .name = "straight-short",
	  .sentence = "the same, 4 us away",
	  .config = { .senders = 1, .rate_mbit = 100000, .round_trip_us = 4 },
	  .base_cc = "fixed",
	  .ratio_floor = 0.98 },
	{ .name = "straight-naps",
	  .sentence = "the same, hosts sleep up to 500 us, each some 5 ms",
	  .config = { .senders = 1,
		      .rate_mbit = 100000,
		      .round_trip_us = 4,
		      .nap_us = 5000,
		      .nap_length_us = 500 },
	  .base_cc = "fixed",
	  .ratio_floor = 0.98 },
	{ .name = "software",
	  .sentence = "hosts that need 300 ns a packet, 2 us apart: their cores are the bottleneck",
	  .config = { .senders = 1,
		      .rate_mbit = 100000,
		      .round_trip_us = 2,
		      .packet_ns = 300,
		      .ring_packets = 256 },
	  .base_cc = "fixed",
	  .ratio_floor = 0.98 },
	{ .name = "software-naps",
	  .sentence = "the same, and they sleep up to 500 us, each some 5 ms",
	  .config = { .senders = 1,
		      .rate_mbit = 100000,
		      .round_trip_us = 2,
		      .packet_ns = 300,
		      .ring_packets = 256,
		      .nap_us = 5000,
		      .nap_length_us = 500 },
	  .base_cc = "fixed",
	  .ratio_floor = 0.98 },
	{ .name = "far",
	  .sentence = "10 Gbit/s, 200 us, a buffer of one such product",
	  .config = { .senders = 1,
		      .rate_mbit = 10000,
		      .round_trip_us = 200,
		      .buffer_bytes = 250000 },
	  .share_floor = 0.9 },
};

static struct {
	const char *cc;
	const char *json;
	uint64_t seed;
	bool has_floors;
	bool is_smoke;
} options = { .cc = "swift", .seed = 1 };

struct outcome {
	struct fabric_result result;
	double ratio; /* 0 = nothing to compare with */
};

static void row_run(const struct row *row, struct outcome *out)
{
	struct fabric_config config = row->config;
	struct fabric_result base;

	config.cc = options.cc;
	config.seed = options.seed;
	if (config.rate_mbit == 0)
		config.rate_mbit = RATE_MBIT;
	if (config.round_trip_us == 0)
		config.round_trip_us = ROUND_TRIP_US;
	config.warm_us = WARM_US;
	config.measure_us = options.is_smoke ? MEASURE_US / SMOKE_SHARE : MEASURE_US;
	fabric_run(&config, &out->result);
	out->ratio = 0;
	if (!row->base_is_clean && row->base_cc == NULL)
		return;
	if (row->base_cc != NULL)
		config.cc = row->base_cc;
	if (row->base_is_clean)
		config.loss_ppm = config.reorder_ppm = 0;
	fabric_run(&config, &base);
	out->ratio = base.goodput_bits > 0 ? out->result.goodput_bits / base.goodput_bits : 0;
}

/* True when `value` is not below its floor; says so when it is. */
static bool floor_holds(const struct row *row, const char *what, double value, double least)
{
	if (options.is_smoke)
		least /= 2;
	if (value >= least)
		return true;
	printf("BELOW ITS FLOOR %s: %s is %.3f, floor %.3f\n", row->name, what, value, least);
	return false;
}

static bool row_holds(const struct row *row, const struct outcome *outcome)
{
	const struct fabric_result *result = &outcome->result;
	bool holds =
		floor_holds(row, "goodput against the other run", outcome->ratio, row->ratio_floor);

	holds &= floor_holds(row, "share of the bottleneck", result->share, row->share_floor);
	holds &= floor_holds(row, "Jain's index", result->jain, row->jain_floor);
	/* Turned round, so that a floor is a floor. */
	if (row->queue_targets_max != 0 && result->target_us != 0) {
		holds &= floor_holds(row, "target by p99 of the queueing delay",
				     result->target_us / result->queue_p99_us,
				     1 / row->queue_targets_max);
	}
	return holds;
}

static void row_print(const struct row *row, const struct outcome *outcome)
{
	const struct fabric_result *result = &outcome->result;

	printf("%-18s %8.2f %6.1f ", row->name, result->goodput_bits / 1e9, 100 * result->share);
	if (outcome->ratio != 0)
		printf("%6.1f", 100 * outcome->ratio);
	else
		printf("%6s", "");
	printf(" %6.3f %7.1f %7.1f %7.1f %7.1f %7.3f %7.3f %7.3f %7.1f\n", result->jain,
	       result->queue_p50_us, result->queue_p99_us, result->queue_max_us, result->target_us,
	       100 * result->dropped, 100 * result->again, 100 * result->spurious, result->window);
}

static void row_json(FILE *file, const struct row *row, const struct outcome *outcome, bool is_last)
{
	const struct fabric_result *result = &outcome->result;

	fprintf(file,
		"    { \"row\": \"%s\", \"goodput_bits\": %.0f, \"share\": %.4f, \"ratio\": %.4f,\n"
		"      \"jain\": %.4f, \"queue_p50_us\": %.1f, \"queue_p99_us\": %.1f,\n"
		"      \"queue_max_us\": %.1f, \"target_us\": %.1f, \"dropped\": %.6f,\n"
		"      \"again\": %.6f, \"spurious\": %.6f, \"window_packets\": %.1f }%s\n",
		row->name, result->goodput_bits, result->share, outcome->ratio, result->jain,
		result->queue_p50_us, result->queue_p99_us, result->queue_max_us, result->target_us,
		result->dropped, result->again, result->spurious, result->window,
		is_last ? "" : ",");
}

/* False when the file could not be written. */
static bool json_write(const struct outcome *outcomes)
{
	FILE *file = strcmp(options.json, "-") == 0 ? stdout : fopen(options.json, "w");

	if (file == NULL)
		return false;
	fprintf(file, "{ \"cc\": \"%s\", \"seed\": %" PRIu64 ", \"rows\": [\n", options.cc,
		options.seed);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		row_json(file, &rows[i], &outcomes[i], i + 1 == ARRAY_SIZE(rows));
	fprintf(file, "  ] }\n");
	return file == stdout ? fflush(file) == 0 : fclose(file) == 0;
}

static int usage(void)
{
	fprintf(stderr, "usage: sim --bench [--cc NAME] [--seed S] [--json FILE] [--floors | "
			"--smoke]\n\nRows:\n");
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		fprintf(stderr, "  %-18s %s\n", rows[i].name, rows[i].sentence);
	return 2;
}

static bool options_parse(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--floors") == 0 || strcmp(argv[i], "--smoke") == 0) {
			options.has_floors = true;
			options.is_smoke |= argv[i][2] == 's';
			continue;
		}
		if (value == NULL)
			return false;
		if (strcmp(argv[i], "--cc") == 0)
			options.cc = value;
		else if (strcmp(argv[i], "--seed") == 0)
			options.seed = strtoull(value, NULL, 10);
		else if (strcmp(argv[i], "--json") == 0)
			options.json = value;
		else
			return false;
		i++;
	}
	return cc_find(options.cc) != NULL;
}

int bench_main(int argc, char **argv)
{
	struct outcome outcomes[ARRAY_SIZE(rows)];
	bool holds = true;

	if (!options_parse(argc, argv))
		return usage();
	printf("%s, %u Mbit/s, %u us, buffer %u bytes, seed %" PRIu64 "\n", options.cc, RATE_MBIT,
	       ROUND_TRIP_US, BDP_BYTES, options.seed);
	printf("%-18s %8s %6s %6s %6s %7s %7s %7s %7s %7s %7s %7s %7s\n", "row", "Gbit/s", "%wire",
	       "%base", "Jain", "q50us", "q99us", "qmaxus", "target", "%drop", "%again", "%spur",
	       "window");
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		row_run(&rows[i], &outcomes[i]);
		row_print(&rows[i], &outcomes[i]);
		fflush(stdout);
	}
	for (unsigned i = 0; options.has_floors && i < ARRAY_SIZE(rows); i++)
		holds &= row_holds(&rows[i], &outcomes[i]);
	if (options.json != NULL && !json_write(outcomes)) {
		fprintf(stderr, "sim: %s could not be written\n", options.json);
		return 1;
	}
	return holds ? 0 : 1;
}
