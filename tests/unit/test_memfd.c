/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: what haul makes can neither shrink nor grow, a frozen copy cannot change, and what a peer
 * sends is only taken with its seals and within its size. Method: each seal against the call it
 * forbids; files that lack a seal, are no memfd, are empty or too large.
 */
#include "base/memfd.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void memfd_make__is_sealed_and_zero(void **state)
{
	void *address = NULL;
	int fd = memfd_make("test", 8192, 0);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(ftruncate(fd, 16384), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
	assert_int_equal(memfd_map(fd, 8192, MEMFD_POPULATE, &address), 0);
	assert_int_equal(((const uint8_t *)address)[8191], 0);
	((uint8_t *)address)[8191] = 7;
	memfd_unmap(address, 8192);
	memfd_unmap(NULL, 8192);
	close(fd);
}

static void memfd_make__refuses(void **state)
{
	(void)state;
	assert_int_equal(memfd_make("test", 0, 0), -EINVAL);
	assert_int_equal(memfd_make("test", 100, 0), -EINVAL);
	assert_int_equal(memfd_make("test", 4096, MEMFD_HUGE), -EINVAL);
	assert_int_equal(memfd_make("test", UINT64_MAX & ~UINT64_C(4095), 0), -EINVAL);
}

static void memfd_check__what_was_made(void **state)
{
	uint64_t bytes = 0;
	int fd = memfd_make("test", 8192, 0);

	(void)state;
	assert_int_equal(memfd_check(fd, 8192, &bytes), 0);
	assert_int_equal(bytes, 8192);
	assert_int_equal(memfd_check(fd, 8191, &bytes), -EFBIG);
	close(fd);
}

static void memfd_check__refuses_without_seals(void **state)
{
	uint64_t bytes = 0;
	int fd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(memfd_check(fd, 4096, &bytes), -EINVAL);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	assert_int_equal(memfd_check(fd, 4096, &bytes), -EINVAL);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), 0);
	assert_int_equal(memfd_check(fd, 4096, &bytes), 0);
	assert_int_equal(memfd_check(null_fd, 4096, &bytes), -EINVAL);
	assert_int_equal(memfd_check(-1, 4096, &bytes), -EINVAL);
	close(fd);
	close(null_fd);
}

static void memfd_look__sees_mode_and_seals(void **state)
{
	struct memfd_facts facts;
	int fd = memfd_create("test", MFD_ALLOW_SEALING | MFD_CLOEXEC);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	void *address;

	(void)state;
	assert_int_equal(ftruncate(fd, 8193), 0);
	assert_int_equal(memfd_look(fd, &facts), 0);
	assert_int_equal(facts.bytes, 8193);
	assert_int_equal(facts.page_bytes, 4096);
	assert_false(facts.keeps_size);
	assert_true(facts.can_read && facts.can_write);
	assert_int_equal(memfd_map(fd, 8192, 0, &address), 0);
	assert_int_equal(memfd_populate(address, 8192, 0), 0);
	memfd_unmap(address, 8192);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_WRITE), 0);
	assert_int_equal(memfd_look(fd, &facts), 0);
	assert_true(facts.keeps_size && facts.can_read);
	assert_false(facts.can_write);
	assert_int_equal(memfd_map(fd, 8192, MEMFD_READ_ONLY, &address), 0);
	assert_int_equal(memfd_populate(address, 8192, MEMFD_READ_ONLY), 0);
	memfd_unmap(address, 8192);
	assert_int_equal(memfd_look(null_fd, &facts), -EINVAL);
	assert_int_equal(memfd_look(-1, &facts), -EINVAL);
	close(null_fd);
	close(fd);
}

static void memfd_from_bytes__comes_back_the_same(void **state)
{
	const char text[] = "a descriptor";
	void *bytes = NULL;
	size_t length = 0;
	int fd = memfd_from_bytes("test", text, sizeof(text));

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(errno, EPERM);
	/* The position of the file belongs to the sender as well; it must not matter. */
	assert_int_equal(lseek(fd, 5, SEEK_SET), 5);
	assert_int_equal(memfd_to_bytes(fd, 64, &bytes, &length), 0);
	assert_int_equal(length, sizeof(text));
	assert_memory_equal(bytes, text, sizeof(text));
	free(bytes);
	assert_int_equal(memfd_to_bytes(fd, 4, &bytes, &length), -EFBIG);
	close(fd);
}

static void memfd_to_bytes__refuses_what_may_change(void **state)
{
	void *bytes = NULL;
	size_t length = 0;
	int fd = memfd_make("test", 4096, 0);
	int empty_fd = memfd_from_bytes("test", "", 0);

	(void)state;
	assert_int_equal(memfd_to_bytes(fd, 8192, &bytes, &length), -EINVAL);
	assert_int_equal(memfd_to_bytes(empty_fd, 8192, &bytes, &length), -EFBIG);
	assert_null(bytes);
	close(fd);
	close(empty_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memfd_make__is_sealed_and_zero),
		cmocka_unit_test(memfd_make__refuses),
		cmocka_unit_test(memfd_check__what_was_made),
		cmocka_unit_test(memfd_check__refuses_without_seals),
		cmocka_unit_test(memfd_look__sees_mode_and_seals),
		cmocka_unit_test(memfd_from_bytes__comes_back_the_same),
		cmocka_unit_test(memfd_to_bytes__refuses_what_may_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
