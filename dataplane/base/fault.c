/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A fixed table that the handler scans from its start to the highest slot ever used. A slot is
 * published by storing its base last, with release, and taken back by storing 0; between the two
 * its other fields stand still. The scan is linear since a fault is the end of a client: it happens
 * once, and costs that client its channel.
 *
 * A page of 4096 bytes is replaced by a page of normal memory; a huge page by a hole of its size
 * filled with normal memory, since the pool of huge pages is what has just run dry.
 */
#include "base/fault.h"

#include "base/check.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

struct fault_range {
	uintptr_t base;      /* 0 = free; stored last, with release */
	size_t length;       /* bytes */
	uint32_t page_bytes; /* of the mapping */
	uint32_t poisoned;   /* 1 = a page was replaced; written by the handler */
};

static struct fault_range fault_ranges[FAULT_RANGES_MAX];
static uint32_t fault_ranges_used; /* slots at or above it were never used */
static uint64_t fault_total;

static struct fault_range *range_find(uintptr_t address)
{
	uint32_t used = __atomic_load_n(&fault_ranges_used, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < used; i++) {
		struct fault_range *range = &fault_ranges[i];
		uintptr_t base = __atomic_load_n(&range->base, __ATOMIC_ACQUIRE);

		if (base != 0 && address >= base && address - base < range->length)
			return range;
	}
	return NULL;
}

/* Put a zero page where the address lies. Only calls that are safe in a signal handler. */
static bool page_replace(const struct fault_range *range, uintptr_t address)
{
	uintptr_t page = address & ~((uintptr_t)range->page_bytes - 1);
	void *mapped = mmap((void *)page, range->page_bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);

	/* cppcheck-suppress memleak ; it replaces a part of a mapping that its owner unmaps */
	return mapped != MAP_FAILED;
}

/* An address we do not know: die as if there were no handler, at the same instruction. */
static void default_restore(const siginfo_t *information)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = SIG_DFL;
	sigaction(SIGBUS, &action, NULL);
	if (information->si_code <= 0)
		raise(SIGBUS); /* sent by a process, so no instruction would raise it again */
}

static void fault_handle(int number, siginfo_t *information, void *context)
{
	int errno_saved = errno;
	uintptr_t address = (uintptr_t)information->si_addr;
	struct fault_range *range = information->si_code > 0 ? range_find(address) : NULL;

	(void)number;
	(void)context;
	if (range == NULL) {
		default_restore(information);
		errno = errno_saved;
		return;
	}
	/* Before the page is there: who reads a zero from it also finds the mark. */
	__atomic_store_n(&range->poisoned, 1, __ATOMIC_RELEASE);
	__atomic_fetch_add(&fault_total, 1, __ATOMIC_RELEASE);
	if (!page_replace(range, address))
		default_restore(information);
	errno = errno_saved;
}

int fault_init(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	sigemptyset(&action.sa_mask);
	action.sa_sigaction = fault_handle;
	action.sa_flags = SA_SIGINFO | SA_RESTART;
	return sigaction(SIGBUS, &action, NULL) == 0 ? 0 : -errno;
}

static uint32_t slot_find(void)
{
	for (uint32_t i = 0; i < fault_ranges_used; i++) {
		if (fault_ranges[i].base == 0)
			return i;
	}
	return fault_ranges_used;
}

int fault_range_add(const void *base, size_t length, uint32_t page_bytes, uint32_t *id_out)
{
	struct fault_range *range;
	uint32_t slot;

	if (base == NULL || length == 0 || !IS_POWER_OF_TWO(page_bytes) ||
	    (uintptr_t)base % page_bytes != 0 || length % page_bytes != 0)
		return -EINVAL;
	slot = slot_find();
	if (slot == FAULT_RANGES_MAX)
		return -ENOSPC;
	range = &fault_ranges[slot];
	range->length = length;
	range->page_bytes = page_bytes;
	__atomic_store_n(&range->poisoned, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&range->base, (uintptr_t)base, __ATOMIC_RELEASE);
	if (slot == fault_ranges_used)
		__atomic_store_n(&fault_ranges_used, slot + 1, __ATOMIC_RELEASE);
	*id_out = slot;
	return 0;
}

void fault_range_remove(uint32_t id)
{
	if (id == FAULT_NONE)
		return;
	BUG_ON(id >= fault_ranges_used || fault_ranges[id].base == 0);
	__atomic_store_n(&fault_ranges[id].base, 0, __ATOMIC_RELEASE);
}

bool fault_poisoned(uint32_t id)
{
	BUG_ON(id >= FAULT_RANGES_MAX);
	return __atomic_load_n(&fault_ranges[id].poisoned, __ATOMIC_ACQUIRE) != 0;
}

uint64_t fault_count(void)
{
	return __atomic_load_n(&fault_total, __ATOMIC_ACQUIRE);
}
