/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Anonymous memory that is passed over a socket: rings, segments and descriptors. Whoever maps what
 * another process made first checks the seals, since a file that can shrink turns every later
 * access into SIGBUS.
 */
#ifndef BASE_MEMFD_H
#define BASE_MEMFD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Flags of memfd_make. */
#define MEMFD_HUGE 0x1u /**< of 2 MiB pages; bytes must be a multiple of them */

/** Flags of memfd_map, and the first one of memfd_populate. */
#define MEMFD_READ_ONLY 0x1u
#define MEMFD_POPULATE  0x2u /**< touch every page now, so that no later access faults or runs out */

/**
 * Make zeroed memory that can neither shrink nor grow. Returns its descriptor, or -errno; -ENOMEM
 * also when there are not enough huge pages (known for certain only once the memory is populated).
 */
int memfd_make(const char *name, uint64_t bytes, unsigned int flags);

/** Make a copy of a buffer that nobody can change any more. Returns its descriptor or -errno. */
int memfd_from_bytes(const char *name, const void *bytes, size_t length);

/**
 * Check memory that a peer sent: a memfd of 1 to bytes_max bytes, sealed against shrinking and
 * growing. Returns 0 and the size; -EINVAL when it is no memfd or lacks a seal, -EFBIG when the
 * size is wrong, or another -errno.
 */
int memfd_check(int fd, uint64_t bytes_max, uint64_t *bytes_out);

/**
 * Copy the whole of a memfd that a peer made with memfd_from_bytes (so it must also be sealed
 * against writing) into memory of our own, freed by the caller. Returns 0 or -errno as memfd_check.
 */
int memfd_to_bytes(int fd, uint64_t bytes_max, void **bytes_out, size_t *length_out);

/** What a memfd of somebody else is. */
struct memfd_facts {
	uint64_t bytes;
	uint32_t page_bytes; /**< of its pages: hugetlbfs has large ones */
	bool keeps_size;     /**< sealed against shrinking: what is mapped stays */
	bool can_read;       /**< the descriptor may be mapped for reading */
	bool can_write;      /**< and for writing, by its mode and its seals */
};

/**
 * Look at memory that an application has made. Never blocks: no other kind of file is looked at further than to see that
 * it has no seals. Returns 0, -EINVAL when it is no memfd, or another -errno.
 */
int memfd_look(int fd, struct memfd_facts *facts_out);

/**
 * Have pages behind a mapping of a memfd, so that no later access to them runs out. Returns 0; -ENOMEM, -EFAULT or
 * -EHWPOISON when they are not to be had; -EINVAL before Linux 5.14.
 */
int memfd_populate(void *address, uint64_t bytes, unsigned int flags);

/** Map the whole memory, shared. Returns 0 or -errno. */
int memfd_map(int fd, uint64_t bytes, unsigned int flags, void **address_out);

/** Unmap it; NULL is allowed. */
void memfd_unmap(void *address, uint64_t bytes);

#endif
