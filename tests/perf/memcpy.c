/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One core's cold memcpy: what every copy of haul is measured against. Copies chunks from one buffer to another, both
 * larger than the last-level cache, populated, in order; prints the best of nothing, just GB/s of one pass over them.
 *
 *   memcpy [MiB of a buffer] [KiB of a chunk]
 */
#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static char *memcpy_buffer(size_t bytes, int value)
{
	void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (address == MAP_FAILED) {
		perror("mmap");
		exit(EXIT_FAILURE);
	}
	memset(address, value, bytes);
	return address;
}

int main(int argc, char **argv)
{
	size_t bytes = (argc > 1 ? strtoul(argv[1], NULL, 0) : 256) << 20;
	size_t chunk = (argc > 2 ? strtoul(argv[2], NULL, 0) : 1024) << 10;
	char *source = memcpy_buffer(bytes, 1);
	char *target = memcpy_buffer(bytes, 2);
	uint64_t start_ns = clock_now_ns();

	for (size_t offset = 0; offset + chunk <= bytes; offset += chunk)
		memcpy(target + offset, source + offset, chunk);
	printf("%.3f\n", (double)bytes / (double)(clock_now_ns() - start_ns));
	return target[bytes / 2] == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
