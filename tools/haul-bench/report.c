/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of figures; report.h says where they go. */
#include "report.h"

#include "base/check.h"
#include "plan.h"

#include <string.h>

static const char *report_transport(unsigned int transport)
{
	static const char *const texts[] = { "none", "local", "udp", "rdma", "tcp" };

	return transport < ARRAY_SIZE(texts) ? texts[transport] : "unknown";
}

/* The percentiles that are told: part of whole, and the names in the table and in JSON. */
static const struct {
	uint32_t part;
	uint32_t whole;
	const char *title;
	const char *key;
} report_percentiles[] = {
	{ 50, 100, "p50 us", "p50_us" },          { 90, 100, "p90 us", "p90_us" },
	{ 99, 100, "p99 us", "p99_us" },          { 999, 1000, "p99.9 us", "p999_us" },
	{ 9999, 10000, "p99.99 us", "p9999_us" },
};

/* What is computed from a result. */
struct report_figures {
	const char *kind;
	double seconds;
	double operations_per_s;
	double gb_per_s;
	double percentiles_us[ARRAY_SIZE(report_percentiles)];
	double max_us;
};

static uint64_t report_kind(const struct load_row *row)
{
	if (row->is_mix)
		return PLAN_MIX;
	return row->is_notifying ? PLAN_NOTIFY : (uint64_t)row->opcode;
}

static struct report_figures report_compute(const struct load_row *row,
					    const struct load_result *result)
{
	struct report_figures figures = {
		.kind = plan_kind_text(report_kind(row)),
		.seconds = (double)result->elapsed_ns / 1e9,
		.max_us = (double)result->times.max_ns / 1e3,
	};

	if (result->elapsed_ns > 0)
		figures.operations_per_s = (double)result->operations / figures.seconds;
	figures.gb_per_s = figures.operations_per_s * row->bytes / 1e9;
	for (size_t i = 0; i < ARRAY_SIZE(report_percentiles); i++) {
		figures.percentiles_us[i] =
			(double)histogram_percentile_ns(&result->times, report_percentiles[i].part,
							report_percentiles[i].whole) /
			1e3;
	}
	return figures;
}

bool report_begin(struct report *report, const char *json)
{
	*report = (struct report){ .is_table = json == NULL || strcmp(json, "-") != 0 };
	if (json != NULL) {
		report->json = report->is_table ? fopen(json, "w") : stdout;
		if (report->json == NULL) {
			fprintf(stderr, "haul-bench: %s cannot be written\n", json);
			return false;
		}
		fprintf(report->json, "[");
	}
	if (!report->is_table)
		return true;
	printf("%-5s %10s %5s %3s %4s %11s %8s", "op", "bytes", "depth", "thr", "mem", "ops/s",
	       "GB/s");
	for (size_t i = 0; i < ARRAY_SIZE(report_percentiles); i++)
		printf(" %9s", report_percentiles[i].title);
	printf(" %9s  %-9s %s\n", "max us", "transport", "check");
	return true;
}

static const char *report_check(const struct report_row *row, const struct load_result *result)
{
	if (!row->load->is_verified || row->row->bytes == 0)
		return "-";
	return result->wrong_at == UINT64_MAX ? "ok" : "WRONG";
}

static void report_table_row(const struct report_row *row, const struct load_result *result)
{
	struct report_figures figures = report_compute(row->row, result);

	printf("%-5s %10u %5u %3u %4s %11.0f %8.3f", figures.kind, row->row->bytes, row->row->depth,
	       row->threads, row->load->cold_bytes > 0 ? "cold" : "hot", figures.operations_per_s,
	       figures.gb_per_s);
	for (size_t i = 0; i < ARRAY_SIZE(report_percentiles); i++)
		printf(" %9.1f", figures.percentiles_us[i]);
	printf(" %9.1f  %-9s %s\n", figures.max_us, report_transport(result->transport),
	       report_check(row, result));
	fflush(stdout);
}

static void report_json_row(const struct report *report, const struct report_row *row,
			    const struct load_result *result)
{
	struct report_figures figures = report_compute(row->row, result);
	FILE *file = report->json;

	fprintf(file, "%s\n  {\"op\": \"%s\", \"bytes\": %u, \"depth\": %u, \"threads\": %u, ",
		report->has_rows ? "," : "", figures.kind, row->row->bytes, row->row->depth,
		row->threads);
	if (row->row->is_mix)
		fprintf(file, "\"reads_percent\": %u, ", row->row->reads_percent);
	fprintf(file, "\"span_bytes\": %llu, \"cold\": %s, \"pause_s\": %.6f, ",
		(unsigned long long)load_span(row->load, row->row) * row->threads,
		row->load->cold_bytes > 0 ? "true" : "false", (double)row->load->pause_ns / 1e9);
	fprintf(file,
		"\"operations\": %llu, \"seconds\": %.6f, \"ops_per_s\": %.1f, \"gb_per_s\": %.6f, ",
		(unsigned long long)result->operations, figures.seconds, figures.operations_per_s,
		figures.gb_per_s);
	for (size_t i = 0; i < ARRAY_SIZE(report_percentiles); i++) {
		fprintf(file, "\"%s\": %.3f, ", report_percentiles[i].key,
			figures.percentiles_us[i]);
	}
	fprintf(file, "\"max_us\": %.3f, \"transport\": \"%s\", \"check\": \"%s\"}", figures.max_us,
		report_transport(result->transport), report_check(row, result));
	fflush(file);
}

void report_add(struct report *report, const struct report_row *row,
		const struct load_result *result)
{
	if (report->is_table)
		report_table_row(row, result);
	if (report->json != NULL)
		report_json_row(report, row, result);
	report->has_rows = true;
	if (result->wrong_at != UINT64_MAX)
		fprintf(stderr, "haul-bench: the byte at offset %llu is wrong\n",
			(unsigned long long)result->wrong_at);
}

bool report_end(struct report *report)
{
	bool is_written = true;

	if (report->json != NULL)
		is_written = fprintf(report->json, "\n]\n") > 0 && fflush(report->json) == 0;
	if (report->json != NULL && report->json != stdout)
		is_written = fclose(report->json) == 0 && is_written;
	if (!is_written)
		fprintf(stderr, "haul-bench: the rows could not be written as JSON\n");
	report->json = NULL;
	return is_written;
}
