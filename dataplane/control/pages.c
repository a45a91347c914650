/* SPDX-License-Identifier: BSD-3-Clause */
/* The pages behind a segment; pages.h says who takes them, and where. */
#include "control/pages.h"

#include "api/haul_frame.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/memfd.h"
#include "conf/dataplane.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

/* What is wrong with a client's memfd; NULL = nothing that can be said without its size. */
static const char *pages_wrong(const struct memfd_facts *facts, bool is_read_only)
{
	if (!facts->keeps_size)
		return "it must be sealed with F_SEAL_SHRINK, so that what is mapped stays";
	if (!facts->can_read)
		return "it must be open for reading";
	if (!facts->can_write && !is_read_only)
		return "it must be open for reading and writing and not sealed against writing, "
		       "or the segment read-only";
	return NULL;
}

enum haul_error pages_check_given(int fd, uint64_t bytes, bool is_read_only,
				  uint32_t *page_bytes_out, char *reason)
{
	struct memfd_facts facts;
	const char *wrong;

	if (memfd_look(fd, &facts) != 0) {
		snprintf(reason, HAUL_REASON_BYTES,
			 "its descriptor is no memfd: F_GET_SEALS says nothing of it");
		return HAUL_INVALID;
	}
	wrong = pages_wrong(&facts, is_read_only);
	if (wrong != NULL) {
		snprintf(reason, HAUL_REASON_BYTES, "%s", wrong);
		return HAUL_INVALID;
	}
	if (bytes > facts.bytes || bytes % facts.page_bytes != 0) {
		snprintf(
			reason, HAUL_REASON_BYTES,
			"%lu bytes of a memfd of %lu: a multiple of its pages of %u that lies in it",
			(unsigned long)bytes, (unsigned long)facts.bytes, facts.page_bytes);
		return HAUL_INVALID;
	}
	*page_bytes_out = facts.page_bytes;
	return HAUL_OK;
}

static unsigned int pages_flags(const struct pages *pages)
{
	return pages->is_read_only ? MEMFD_READ_ONLY : 0;
}

/* Make and map pages of one size. Returns 0 or -errno, and nothing is left behind. */
static int pages_make(struct pages *pages, uint32_t page_bytes)
{
	int error;

	pages->fd = memfd_make("haul-segment", pages->bytes,
			       page_bytes == HUGE_PAGE_BYTES ? MEMFD_HUGE : 0);
	if (pages->fd < 0)
		return pages->fd;
	error = memfd_map(pages->fd, pages->bytes, pages_flags(pages), &pages->address);
	if (error != 0) {
		close(pages->fd);
		pages->fd = -1;
		return error;
	}
	pages->page_bytes = page_bytes;
	return 0;
}

void pages_map(struct pages *pages, uint32_t huge_pages)
{
	bool is_huge = huge_pages != CONF_HUGE_OFF && pages->bytes % HUGE_PAGE_BYTES == 0;

	if (pages->is_given) {
		pages->error =
			memfd_map(pages->fd, pages->bytes, pages_flags(pages), &pages->address);
		return;
	}
	pages->error = is_huge ? pages_make(pages, HUGE_PAGE_BYTES) : -ENOMEM;
	if (pages->error != 0 && huge_pages != CONF_HUGE_REQUIRE)
		pages->error = pages_make(pages, PAGE_BYTES);
}

void pages_populate(struct pages *pages)
{
	uint64_t step = MIN(pages->bytes - pages->populated,
			    MAX(PAGES_STEP_BYTES, (uint64_t)pages->page_bytes));
	char *address = (char *)pages->address + pages->populated;

	pages->error = memfd_populate(address, step, pages_flags(pages));
	if (pages->error != 0)
		return;
	/* Memory that is swapped out would make a worker wait; where it may not be locked it is used all the same. */
	if (mlock(address, step) != 0)
		pages->is_unlocked = true;
	pages->populated += step;
}

bool pages_are_done(const struct pages *pages)
{
	return pages->error != 0 || pages->populated == pages->bytes;
}

void pages_free(struct pages *pages)
{
	memfd_unmap(pages->address, pages->bytes);
	if (pages->fd >= 0)
		close(pages->fd);
	pages->address = NULL;
	pages->fd = -1;
}
