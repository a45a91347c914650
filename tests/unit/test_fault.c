/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: memory that vanishes costs its owner the range and nobody the process; what is not ours
 * still kills. Method: a file that is shrunk under its mapping gives real faults, from several
 * threads, on both sides of a copy. The deaths happen in children. Holes: in normal pages they fill
 * with zeroes, without any fault; in huge pages, when the machine has one free, with the pool dry
 * they fault.
 */
#include "base/fault.h"
#include "base/memfd.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGES 16u
#define BYTES (PAGES * PAGE_BYTES)

/* In every case anew: cmocka puts its own handler in place before each. */
static void handler_install(void)
{
	assert_int_equal(fault_init(), 0);
}

/* Memory with a file behind it that we may shrink, as no client of haul can. */
static uint8_t *shrinkable_map(int *fd_out)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	void *address = NULL;

	handler_install();
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, BYTES), 0);
	assert_int_equal(memfd_map(fd, BYTES, 0, &address), 0);
	memset(address, 0xaa, BYTES);
	*fd_out = fd;
	return address;
}

static void fault__copy_goes_on_with_zeroes(void **state)
{
	static uint8_t copy[BYTES];
	uint64_t count = fault_count();
	uint32_t id = FAULT_NONE;
	int fd;
	uint8_t *memory = shrinkable_map(&fd);

	(void)state;
	assert_int_equal(fault_range_add(memory, BYTES, PAGE_BYTES, &id), 0);
	assert_false(fault_poisoned(id));
	assert_int_equal(ftruncate(fd, BYTES / 2), 0);
	memcpy(copy, memory, BYTES);
	assert_true(fault_poisoned(id));
	assert_int_equal(fault_count() - count, PAGES / 2);
	assert_int_equal(copy[BYTES / 2 - 1], 0xaa);
	assert_int_equal(copy[BYTES / 2], 0);
	assert_int_equal(copy[BYTES - 1], 0);
	/* And as a target: the bytes go into a page that nobody else sees. */
	memset(memory, 0x55, BYTES);
	fault_range_remove(id);
	munmap(memory, BYTES);
	close(fd);
}

static void fault__other_ranges_stay_clean(void **state)
{
	uint32_t ids[2];
	int fds[2];
	uint8_t *first = shrinkable_map(&fds[0]);
	uint8_t *second = shrinkable_map(&fds[1]);

	(void)state;
	assert_int_equal(fault_range_add(first, BYTES, PAGE_BYTES, &ids[0]), 0);
	assert_int_equal(fault_range_add(second, BYTES, PAGE_BYTES, &ids[1]), 0);
	assert_int_equal(ftruncate(fds[1], 0), 0);
	assert_int_equal(((volatile uint8_t *)second)[5], 0);
	assert_int_equal(((volatile uint8_t *)first)[5], 0xaa);
	assert_false(fault_poisoned(ids[0]));
	assert_true(fault_poisoned(ids[1]));
	fault_range_remove(ids[0]);
	fault_range_remove(ids[1]);
	/* A slot that is used again begins clean. */
	assert_int_equal(fault_range_add(second, BYTES, PAGE_BYTES, &ids[1]), 0);
	assert_false(fault_poisoned(ids[1]));
	fault_range_remove(ids[1]);
	munmap(first, BYTES);
	munmap(second, BYTES);
	close(fds[0]);
	close(fds[1]);
}

/* The handler of one thread may replace the page that another reads: a race by design. */
__attribute__((no_sanitize("thread"))) static void *pages_touch(void *argument)
{
	volatile uint8_t *memory = argument;

	for (unsigned int page = 0; page < PAGES; page++) {
		if (memory[page * PAGE_BYTES] != 0)
			return argument;
	}
	return NULL;
}

static void fault__several_threads_at_once(void **state)
{
	pthread_t threads[4];
	uint32_t id = FAULT_NONE;
	int fd;
	uint8_t *memory = shrinkable_map(&fd);

	(void)state;
	assert_int_equal(fault_range_add(memory, BYTES, PAGE_BYTES, &id), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, pages_touch, memory), 0);
	for (int i = 0; i < 4; i++) {
		void *failed = NULL;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_true(fault_poisoned(id));
	fault_range_remove(id);
	munmap(memory, BYTES);
	close(fd);
}

static void fault_range_add__refuses(void **state)
{
	uint32_t id = FAULT_NONE;
	uint8_t *memory = mmap(NULL, BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_int_equal(fault_range_add(memory + 1, BYTES, PAGE_BYTES, &id), -EINVAL);
	assert_int_equal(fault_range_add(memory, BYTES - 1, PAGE_BYTES, &id), -EINVAL);
	assert_int_equal(fault_range_add(memory, 0, PAGE_BYTES, &id), -EINVAL);
	assert_int_equal(fault_range_add(NULL, BYTES, PAGE_BYTES, &id), -EINVAL);
	assert_int_equal(fault_range_add(memory, BYTES, 3000, &id), -EINVAL);
	assert_int_equal(id, FAULT_NONE);
	fault_range_remove(FAULT_NONE);
	munmap(memory, BYTES);
}

/* The signal that ends a child which runs fn, 0 when it ends by itself. */
static int child_signal(void (*fn)(void))
{
	const struct rlimit no_core = { 0, 0 };
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void child_touches_unknown_memory(void)
{
	int fd;
	volatile uint8_t *memory = shrinkable_map(&fd);

	if (ftruncate(fd, 0) == 0)
		memory[0] = 1;
}

static void child_touches_removed_range(void)
{
	uint32_t id = FAULT_NONE;
	int fd;
	volatile uint8_t *memory = shrinkable_map(&fd);

	if (fault_range_add((const void *)(uintptr_t)memory, BYTES, PAGE_BYTES, &id) != 0)
		return;
	fault_range_remove(id);
	if (ftruncate(fd, 0) == 0)
		memory[0] = 1;
}

static void child_sends_itself_the_signal(void)
{
	handler_install();
	kill(getpid(), SIGBUS);
}

static void fault__what_is_not_ours_still_kills(void **state)
{
	(void)state;
	assert_int_equal(child_signal(child_touches_unknown_memory), SIGBUS);
	assert_int_equal(child_signal(child_touches_removed_range), SIGBUS);
	assert_int_equal(child_signal(child_sends_itself_the_signal), SIGBUS);
}

static void fault__hole_in_normal_pages(void **state)
{
	uint32_t id = FAULT_NONE;
	void *address = NULL;
	volatile uint8_t *memory;
	int fd = memfd_make("test", BYTES, 0);

	(void)state;
	handler_install();
	assert_int_equal(memfd_map(fd, BYTES, MEMFD_POPULATE, &address), 0);
	memory = address;
	memory[0] = 7;
	assert_int_equal(fault_range_add(address, BYTES, PAGE_BYTES, &id), 0);
	/* The seals forbid a smaller file, but not a hole in it. */
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE_BYTES),
			 0);
	assert_int_equal(memory[0], 0);
	assert_false(fault_poisoned(id));
	fault_range_remove(id);
	memfd_unmap(address, BYTES);
	close(fd);
}

/* A hole in huge pages whose page somebody else has taken meanwhile. */
static void fault__hole_in_huge_pages(void **state)
{
	uint32_t id = FAULT_NONE;
	void *address = NULL;
	volatile uint8_t *memory;
	uint64_t count = fault_count();
	int fd = memfd_make("test", HUGE_PAGE_BYTES, MEMFD_HUGE);

	(void)state;
	handler_install();
	if (fd < 0 || memfd_map(fd, HUGE_PAGE_BYTES, MEMFD_POPULATE, &address) != 0) {
		printf("no free huge page: skipped\n");
		if (fd >= 0)
			close(fd);
		skip();
	}
	memory = address;
	assert_int_equal(fault_range_add(address, HUGE_PAGE_BYTES, HUGE_PAGE_BYTES, &id), 0);
	assert_int_equal(
		fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, HUGE_PAGE_BYTES), 0);
	memory[HUGE_PAGE_BYTES - 1] = 3;
	assert_int_equal(memory[HUGE_PAGE_BYTES - 1], 3);
	/* With pages left in the pool the kernel fills the hole itself. */
	assert_int_equal(fault_poisoned(id), fault_count() != count);
	fault_range_remove(id);
	memfd_unmap(address, HUGE_PAGE_BYTES);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fault__copy_goes_on_with_zeroes),
		cmocka_unit_test(fault__other_ranges_stay_clean),
		cmocka_unit_test(fault__several_threads_at_once),
		cmocka_unit_test(fault_range_add__refuses),
		cmocka_unit_test(fault__what_is_not_ours_still_kills),
		cmocka_unit_test(fault__hole_in_normal_pages),
		cmocka_unit_test(fault__hole_in_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
