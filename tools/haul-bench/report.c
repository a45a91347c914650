/* SPDX-License-Identifier: BSD-3-Clause */
/* Rows of figures; a row is written when it is done, so that a long run can be watched. */
#include "report.h"

#include "base/check.h"
#include "plan.h"

#include <stdio.h>

static bool report_has_rows;

static const char *report_transport(unsigned int transport)
{
	static const char *const texts[] = { "none", "local", "udp", "rdma", "tcp" };

	return transport < ARRAY_SIZE(texts) ? texts[transport] : "unknown";
}

/* What is computed from a result. */
struct report_figures {
	double seconds;
	double operations_per_s;
	double gb_per_s;
	double p50_us;
	double p99_us;
	double p999_us;
	double max_us;
};

static struct report_figures report_compute(const struct load_row *row,
					    const struct load_result *result)
{
	struct report_figures figures = { .seconds = (double)result->elapsed_ns / 1e9 };
	const struct histogram *times = &result->times;

	if (result->elapsed_ns > 0)
		figures.operations_per_s = (double)result->operations / figures.seconds;
	figures.gb_per_s = figures.operations_per_s * row->bytes / 1e9;
	figures.p50_us = (double)histogram_percentile_ns(times, 50, 100) / 1e3;
	figures.p99_us = (double)histogram_percentile_ns(times, 99, 100) / 1e3;
	figures.p999_us = (double)histogram_percentile_ns(times, 999, 1000) / 1e3;
	figures.max_us = (double)times->max_ns / 1e3;
	return figures;
}

void report_begin(bool is_json)
{
	report_has_rows = false;
	if (is_json)
		printf("[");
	else {
		printf("%-5s %10s %5s %5s %11s %8s %9s %9s %9s %9s  %-9s %s\n", "op", "bytes",
		       "depth", "mem", "ops/s", "GB/s", "p50 us", "p99 us", "p99.9 us", "max us",
		       "transport", "check");
	}
}

static const char *report_check(const struct load *load, const struct load_row *row,
				const struct load_result *result)
{
	if (!load->is_verified || row->opcode == HAUL_OP_NOP)
		return "-";
	return result->wrong_at == UINT64_MAX ? "ok" : "WRONG";
}

static void report_table_row(const struct load *load, const struct load_row *row,
			     const struct load_result *result)
{
	struct report_figures figures = report_compute(row, result);

	printf("%-5s %10u %5u %5s %11.0f %8.3f %9.1f %9.1f %9.1f %9.1f  %-9s %s\n",
	       plan_opcode_text(row->opcode), row->bytes, row->depth,
	       load->cold_bytes > 0 ? "cold" : "hot", figures.operations_per_s, figures.gb_per_s,
	       figures.p50_us, figures.p99_us, figures.p999_us, figures.max_us,
	       report_transport(result->transport), report_check(load, row, result));
}

static void report_json_row(const struct load *load, const struct load_row *row,
			    const struct load_result *result)
{
	struct report_figures figures = report_compute(row, result);

	printf("%s\n  {\"op\": \"%s\", \"bytes\": %u, \"depth\": %u, \"span_bytes\": %llu, \"cold\": %s, ",
	       report_has_rows ? "," : "", plan_opcode_text(row->opcode), row->bytes, row->depth,
	       (unsigned long long)load_span(load, row), load->cold_bytes > 0 ? "true" : "false");
	printf("\"operations\": %llu, \"seconds\": %.6f, \"ops_per_s\": %.1f, \"gb_per_s\": %.6f, ",
	       (unsigned long long)result->operations, figures.seconds, figures.operations_per_s,
	       figures.gb_per_s);
	printf("\"p50_us\": %.3f, \"p99_us\": %.3f, \"p999_us\": %.3f, \"max_us\": %.3f, ",
	       figures.p50_us, figures.p99_us, figures.p999_us, figures.max_us);
	printf("\"transport\": \"%s\", \"check\": \"%s\"}", report_transport(result->transport),
	       report_check(load, row, result));
}

void report_row(bool is_json, const struct load *load, const struct load_row *row,
		const struct load_result *result)
{
	if (is_json)
		report_json_row(load, row, result);
	else
		report_table_row(load, row, result);
	report_has_rows = true;
	fflush(stdout);
	if (result->wrong_at != UINT64_MAX)
		fprintf(stderr, "haul-bench: the byte at offset %llu is wrong\n",
			(unsigned long long)result->wrong_at);
}

void report_end(bool is_json)
{
	if (is_json)
		printf("\n]\n");
}
