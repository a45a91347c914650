/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memfds and their seals. Cold paths only: control thread, jobs, client library, control plane.
 */
#include "base/memfd.h"

#include "base/check.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* memfd_create's way to ask for pages of 2^21 bytes; the C library's header lacks it. */
#define HUGE_PAGE_FLAG (21u << 26)

#define SEALS_SIZE   (F_SEAL_SHRINK | F_SEAL_GROW)
#define SEALS_FROZEN (SEALS_SIZE | F_SEAL_WRITE)

/* Close the descriptor and say what went wrong before. */
static int close_with(int fd, int error)
{
	close(fd);
	return error;
}

int memfd_make(const char *name, uint64_t bytes, unsigned int flags)
{
	unsigned int create_flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	uint64_t page_bytes = PAGE_BYTES;
	int fd;

	if ((flags & MEMFD_HUGE) != 0) {
		create_flags |= MFD_HUGETLB | HUGE_PAGE_FLAG;
		page_bytes = HUGE_PAGE_BYTES;
	}
	if (bytes == 0 || bytes > INT64_MAX || bytes % page_bytes != 0)
		return -EINVAL;
	fd = memfd_create(name, create_flags);
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)bytes) != 0)
		return close_with(fd, -errno);
	if (fcntl(fd, F_ADD_SEALS, SEALS_SIZE | F_SEAL_SEAL) != 0)
		return close_with(fd, -errno);
	return fd;
}

static int bytes_write(int fd, const uint8_t *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(fd, bytes, length);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? -errno : -EIO;
		bytes += written;
		length -= (size_t)written;
	}
	return 0;
}

int memfd_from_bytes(const char *name, const void *bytes, size_t length)
{
	int fd;
	int error;

	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	error = bytes_write(fd, bytes, length);
	if (error != 0)
		return close_with(fd, error);
	if (fcntl(fd, F_ADD_SEALS, SEALS_FROZEN | F_SEAL_SEAL) != 0)
		return close_with(fd, -errno);
	return fd;
}

static int seals_check(int fd, int seals_wanted, uint64_t bytes_max, uint64_t *bytes_out)
{
	struct stat status;
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals < 0 || (seals & seals_wanted) != seals_wanted)
		return -EINVAL;
	if (fstat(fd, &status) != 0)
		return -errno;
	if (status.st_size <= 0 || (uint64_t)status.st_size > bytes_max)
		return -EFBIG;
	*bytes_out = (uint64_t)status.st_size;
	return 0;
}

int memfd_check(int fd, uint64_t bytes_max, uint64_t *bytes_out)
{
	return seals_check(fd, SEALS_SIZE, bytes_max, bytes_out);
}

/* By offset, since the file position is shared with whoever sent the descriptor. */
static int bytes_read(int fd, uint8_t *bytes, size_t length)
{
	size_t at = 0;

	while (at < length) {
		ssize_t got = pread(fd, bytes + at, length - at, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		at += (size_t)got;
	}
	return 0;
}

int memfd_to_bytes(int fd, uint64_t bytes_max, void **bytes_out, size_t *length_out)
{
	uint64_t length = 0;
	uint8_t *bytes;
	int error;

	error = seals_check(fd, SEALS_FROZEN, bytes_max, &length);
	if (error != 0)
		return error;
	ASSERT(length > 0);
	bytes = malloc(length);
	if (bytes == NULL)
		return -ENOMEM;
	error = bytes_read(fd, bytes, length);
	if (error != 0) {
		free(bytes);
		return error;
	}
	*bytes_out = bytes;
	*length_out = length;
	return 0;
}

int memfd_look(int fd, struct memfd_facts *facts_out)
{
	struct stat status;
	struct statfs filesystem;
	int seals = fcntl(fd, F_GET_SEALS);
	int flags = fcntl(fd, F_GETFL);

	if (seals < 0 || flags < 0)
		return -EINVAL;
	if (fstat(fd, &status) != 0 || fstatfs(fd, &filesystem) != 0)
		return -errno;
	if (!S_ISREG(status.st_mode) || status.st_size < 0)
		return -EINVAL;
	*facts_out = (struct memfd_facts){
		.bytes = (uint64_t)status.st_size,
		.page_bytes = filesystem.f_type == HUGETLBFS_MAGIC ? (uint32_t)filesystem.f_bsize
								   : PAGE_BYTES,
		.keeps_size = (seals & F_SEAL_SHRINK) != 0,
		.can_read = (flags & O_ACCMODE) != O_WRONLY,
		.can_write = (flags & O_ACCMODE) == O_RDWR &&
			     (seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) == 0,
	};
	return 0;
}

int memfd_populate(void *address, uint64_t bytes, unsigned int flags)
{
	int advice = (flags & MEMFD_READ_ONLY) != 0 ? MADV_POPULATE_READ : MADV_POPULATE_WRITE;

	return madvise(address, bytes, advice) == 0 ? 0 : -errno;
}

int memfd_map(int fd, uint64_t bytes, unsigned int flags, void **address_out)
{
	int protection = PROT_READ | ((flags & MEMFD_READ_ONLY) != 0 ? 0 : PROT_WRITE);
	int map_flags = MAP_SHARED | ((flags & MEMFD_POPULATE) != 0 ? MAP_POPULATE : 0);
	void *address = mmap(NULL, bytes, protection, map_flags, fd, 0);

	if (address == MAP_FAILED)
		return -errno;
	*address_out = address;
	return 0;
}

void memfd_unmap(void *address, uint64_t bytes)
{
	if (address != NULL)
		BUG_ON(munmap(address, bytes) != 0);
}
