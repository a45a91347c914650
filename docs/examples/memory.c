/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory of the application's own as a segment: it is made and filled before haul knows of it, others read and write the
 * same pages without a copy, and it is there when the segment is gone.
 *
 *     cc memory.c $(pkg-config --cflags --libs haul) -o memory && HAUL_SOCKET=/run/haul/attach.sock ./memory
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <haul/haul.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A multiple of the pages that the memory has. */
#define BYTES 65536u

/* Two seconds: an operation ends by its own deadline anyway. */
#define WAIT_US 2000000u

static int fail(struct haul *haul, const char *what, int error)
{
	fprintf(stderr, "memory: %s: %s: %s\n", what, haul_error_text(error), haul_reason(haul));
	return 1;
}

/* A memfd that can be given: sealed, so that it cannot shrink under whoever maps it. Returns -1 on an error. */
static int make_memory(char **bytes_out)
{
	int fd = memfd_create("weights", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *address;

	if (fd < 0 || ftruncate(fd, BYTES) != 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0)
		return -1;
	address = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED)
		return -1;
	*bytes_out = address;
	return fd;
}

/* Write into the segment by its name, as any node could. Returns 0 or 1. */
static int write_to_it(struct haul *haul)
{
	const struct haul_segment_options options = { .bytes = 4096, .is_private = 1 };
	const struct haul_completion *completion;
	struct haul_memory source;
	struct haul_remote remote;
	int error;

	if ((error = haul_segment_create(haul, &options, &source)) != 0)
		return fail(haul, "create memory", error);
	if ((error = haul_segment_open(haul, "examples/memory", HAUL_WRITE, &remote)) != 0)
		return fail(haul, "open examples/memory", error);
	strcpy(source.address, "written by haul");
	haul_prep_write(haul_entry_next(haul), &source, 0, &remote, 4096, 16);
	haul_submit(haul);
	if ((error = haul_wait(haul, WAIT_US, &completion)) <= 0)
		return fail(haul, "WRITE", error < 0 ? error : HAUL_TIMEOUT);
	error = completion->status;
	haul_seen(haul, 1);
	return error != HAUL_OK ? fail(haul, "WRITE", error) : 0;
}

static int memory(struct haul *haul)
{
	struct haul_segment_options options = { .name = "examples/memory",
						.bytes = BYTES,
						.is_given = 1 };
	struct haul_memory segment;
	char *bytes;
	int error;

	options.fd = make_memory(&bytes);
	if (options.fd < 0) {
		perror("memory: memfd");
		return 1;
	}
	strcpy(bytes, "filled before");
	error = haul_segment_create(haul, &options, &segment);
	close(options.fd); /* the daemon has its own */
	if (error != 0)
		return fail(haul, "create examples/memory", error);
	if (write_to_it(haul) != 0)
		return 1;
	if ((error = haul_segment_destroy(haul, &segment)) != 0)
		return fail(haul, "destroy", error);
	/* The segment is gone, and nothing lands any more. The memory is here. */
	printf("%s, %s\n", bytes, bytes + 4096);
	return munmap(bytes, BYTES) != 0;
}

int main(void)
{
	struct haul *haul;
	int error = haul_attach(NULL, &haul);
	int status;

	if (error != 0)
		return fail(NULL, "attach", error);
	status = memory(haul);
	haul_detach(haul);
	return status;
}
