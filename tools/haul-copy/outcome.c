/* SPDX-License-Identifier: BSD-3-Clause */
/* Figures of transfers and digests, for people and for programs. */
#include "outcome.h"

#include "base/check.h"

#include <stdio.h>
#include <string.h>

static const char *outcome_transport(unsigned int transport)
{
	static const char *const texts[] = { "none", "local", "udp", "rdma", "tcp" };

	return transport < ARRAY_SIZE(texts) ? texts[transport] : "unknown";
}

static double outcome_seconds(const struct transfer_result *result)
{
	return (double)result->time_us / 1e6;
}

static double outcome_gb_per_s(const struct transfer_result *result)
{
	return result->time_us > 0 ? (double)result->bytes / (double)result->time_us / 1e3 : 0;
}

static void outcome_print_line(const struct outcome_transfer *transfer)
{
	const struct transfer_result *result = &transfer->result;
	const struct outcome_packets *packets = &transfer->packets;

	printf("%-5s %12lu bytes  %8.3f s  %7.3f GB/s  p50 %6u us  p99 %6u us  over %s",
	       transfer->label, (unsigned long)result->bytes, outcome_seconds(result),
	       outcome_gb_per_s(result), result->p50_us, result->p99_us,
	       outcome_transport(result->transport));
	if (packets->sent > 0)
		printf("  %lu packets out, %lu in, %lu retransmitted", (unsigned long)packets->sent,
		       (unsigned long)packets->received, (unsigned long)packets->retransmitted);
	printf("\n");
	fflush(stdout);
}

void outcome_add(struct outcome *outcome, const struct outcome_transfer *transfer)
{
	BUG_ON(outcome->transfer_count == OUTCOME_TRANSFERS_MAX);
	outcome->transfers[outcome->transfer_count++] = *transfer;
	if (!outcome->is_json)
		outcome_print_line(transfer);
}

static void outcome_print_digest(const uint8_t digest[AUTH_DIGEST_BYTES])
{
	for (unsigned int i = 0; i < AUTH_DIGEST_BYTES; i++)
		printf("%02x", digest[i]);
}

bool outcome_compare(struct outcome *outcome, const char *path)
{
	const char *const names[2] = { path, "read back" };
	bool is_equal = auth_equal(outcome->digests[0], outcome->digests[1], AUTH_DIGEST_BYTES);

	outcome->has_digests = true;
	for (unsigned int i = 0; i < 2 && !outcome->is_json; i++) {
		printf("sha256 ");
		outcome_print_digest(outcome->digests[i]);
		printf("  %s\n", names[i]);
	}
	if (!is_equal)
		fprintf(stderr, "haul-copy: the digests differ\n");
	else if (!outcome->is_json)
		printf("the digests are equal\n");
	return is_equal;
}

static void outcome_print_transfer(const struct outcome_transfer *transfer)
{
	const struct transfer_result *result = &transfer->result;
	const struct outcome_packets *packets = &transfer->packets;

	printf("{\"op\": \"%s\", \"bytes\": %lu, \"seconds\": %.6f, \"gb_per_s\": %.6f, ",
	       transfer->label, (unsigned long)result->bytes, outcome_seconds(result),
	       outcome_gb_per_s(result));
	printf("\"operations\": %lu, \"p50_us\": %u, \"p99_us\": %u, \"transport\": \"%s\", ",
	       (unsigned long)result->operations, result->p50_us, result->p99_us,
	       outcome_transport(result->transport));
	printf("\"packets_sent\": %lu, \"packets_received\": %lu, \"retransmitted\": %lu}",
	       (unsigned long)packets->sent, (unsigned long)packets->received,
	       (unsigned long)packets->retransmitted);
}

void outcome_end(const struct outcome *outcome, int exit_status)
{
	if (!outcome->is_json)
		return;
	printf("{\"exit_status\": %d, \"transfers\": [", exit_status);
	for (unsigned int i = 0; i < outcome->transfer_count; i++) {
		if (i > 0)
			printf(", ");
		outcome_print_transfer(&outcome->transfers[i]);
	}
	printf("]");
	for (unsigned int i = 0; i < 2 && outcome->has_digests; i++) {
		printf(", \"%s\": \"", i == 0 ? "sha256" : "sha256_read_back");
		outcome_print_digest(outcome->digests[i]);
		printf("\"");
	}
	printf("}\n");
}
