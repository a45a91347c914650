/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: memory that an application gives is used when nothing that it does can take it away under the daemon, refused
 * with a sentence else, counted, and the application's alone again afterwards.
 * Method: a whole node and a client of the test, which makes memfds of all sorts.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/limits.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "control/pages.h"
#include "node_rig.h"
#include "unit.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES 65536u

static struct node_rig *rig;
static struct node_client client;

static int setup(void **state)
{
	(void)state;
	rig = node_rig_make();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	node_rig_stop(rig);
	return 0;
}

/* A memfd of the test's own: an application's. */
static int give_memfd(uint64_t bytes, unsigned int flags, int seals)
{
	int fd = memfd_create("application", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	if (seals != 0)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

/* Ask for a segment of given memory. */
static void give(const char *name, uint64_t bytes, uint32_t flags, int fd,
		 union node_message *answer_out)
{
	struct haul_attach_segment_create message = { .bytes = bytes, .flags = flags };
	int fds[4];
	unsigned int fd_count;

	(void)snprintf(message.name, sizeof(message.name), "%s", name);
	frame_fill(&message.frame, HAUL_ATTACH_VERSION, HAUL_ATTACH_SEGMENT_CREATE, sizeof(message),
		   ++client.request);
	assert_int_equal(seqpacket_send(client.fd, &message, sizeof(message), &fd, fd >= 0), 0);
	assert_true(client_receive(rig, client.fd, answer_out, fds, &fd_count) > 0);
	assert_int_equal(fd_count, 0);
}

/* Given and refused; the descriptor is the caller's to forget. */
static void expect_not_taken(uint64_t bytes, uint32_t flags, int fd, const char *words)
{
	union node_message answer;

	give("given", bytes, flags | HAUL_SEGMENT_PRIVATE, fd, &answer);
	if (fd >= 0)
		close(fd);
	assert_int_equal(answer.frame.status, HAUL_INVALID);
	if (strstr(answer.plain.answer.reason, words) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", answer.plain.answer.reason, words);
	assert_true(TAILQ_EMPTY(&rig->node.segments));
	assert_int_equal(TAILQ_FIRST(&rig->node.clients.list)->bytes, 0);
}

/* The same memory opened again, for reading alone. */
static int reopen(int fd, int flags)
{
	char path[64];
	int again;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	assert_true(again >= 0);
	close(fd);
	return again;
}

static void pages_check_given__takes_no_memory_that_may_vanish(void **state)
{
	const uint32_t given = HAUL_SEGMENT_GIVEN;
	int fd;

	(void)state;
	node_rig_start(rig);
	client_attach(rig, &client, 8);
	expect_not_taken(BYTES, given, give_memfd(BYTES, 0, 0), "F_SEAL_SHRINK");
	expect_not_taken(BYTES, given, give_memfd(BYTES, 0, F_SEAL_GROW), "F_SEAL_SHRINK");
	expect_not_taken(BYTES, given, open("/dev/zero", O_RDWR | O_CLOEXEC), "no memfd");
	expect_not_taken(BYTES, given, open("/dev", O_RDONLY | O_CLOEXEC), "no memfd");
	expect_not_taken(BYTES, given, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), "no memfd");
	expect_not_taken(BYTES, given, dup(client.fd), "no memfd");
	expect_not_taken(BYTES, given, open("/dev/zero", O_PATH | O_CLOEXEC), "no memfd");
	expect_not_taken(BYTES + 4096, given, give_memfd(BYTES, 0, F_SEAL_SHRINK),
			 "69632 bytes of a memfd of 65536");
	expect_not_taken(BYTES - 1, given, give_memfd(BYTES, 0, F_SEAL_SHRINK),
			 "multiple of its pages of 4096");
	expect_not_taken(BYTES, given, give_memfd(BYTES, 0, F_SEAL_SHRINK | F_SEAL_WRITE),
			 "not sealed against writing");
	expect_not_taken(BYTES, given, give_memfd(BYTES, 0, F_SEAL_SHRINK | F_SEAL_FUTURE_WRITE),
			 "not sealed against writing");
	fd = reopen(give_memfd(BYTES, 0, F_SEAL_SHRINK), O_RDONLY);
	expect_not_taken(BYTES, given, fd, "reading and writing");
	fd = reopen(give_memfd(BYTES, 0, F_SEAL_SHRINK), O_WRONLY);
	expect_not_taken(BYTES, given, fd, "open for reading");
	fd = reopen(give_memfd(BYTES, 0, F_SEAL_SHRINK), O_WRONLY);
	expect_not_taken(BYTES, given | HAUL_SEGMENT_READ_ONLY, fd, "open for reading");
	/* Said and not done. */
	expect_not_taken(BYTES, given, -1, "no descriptor came");
	client_die(&client);
}

static void pages_map__uses_the_clients_own(void **state)
{
	int fd = give_memfd(2 * BYTES, 0, F_SEAL_SHRINK); /* more than is given, and it may grow */
	uint8_t *mine = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	const struct buffer *buffer;
	union node_message answer;
	uint8_t *theirs;

	(void)state;
	assert_ptr_not_equal(mine, MAP_FAILED);
	memset(mine, 0x61, BYTES);
	node_rig_start(rig);
	client_attach(rig, &client, 8);
	give("given", BYTES, HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_PRIVATE, fd, &answer);
	assert_int_equal(answer.frame.status, HAUL_OK);
	assert_int_equal(answer.create.bytes, BYTES);
	assert_int_equal(answer.create.page_bytes, 4096);
	assert_int_equal(TAILQ_FIRST(&rig->node.clients.list)->bytes, BYTES);
	buffer = TAILQ_FIRST(&TAILQ_FIRST(&rig->node.segments)->buffers);
	assert_int_equal(buffer->pages.fd, -1);
	theirs = buffer->pages.address;
	assert_int_equal(theirs[BYTES - 1], 0x61);
	theirs[0] = 0x62;
	assert_int_equal(mine[0], 0x62);
	/* What is destroyed is the daemon's mapping. */
	assert_int_equal(client_destroy(rig, &client, answer.create.segment, 0), HAUL_OK);
	assert_int_equal(msync(theirs, 4096, MS_ASYNC), -1);
	assert_int_equal(mine[0], 0x62);
	assert_int_equal(mine[BYTES - 1], 0x61);
	/* It can be given again. */
	give("given", BYTES, HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_PRIVATE, fd, &answer);
	assert_int_equal(answer.frame.status, HAUL_OK);
	close(fd);
	client_die(&client);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
	assert_int_equal(mine[0], 0x62);
	munmap(mine, BYTES);
}

/* Sealed against writing, or opened for reading alone: such memory can be read from, and is mapped so. */
static void pages_map__read_only_memory_as_such(void **state)
{
	union node_message answer;
	union node_message request;
	const struct haul_descriptor *descriptor;
	void *bytes = NULL;
	size_t length;
	int fd = give_memfd(BYTES, 0, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	struct haul_attach_segment_create message = { .bytes = BYTES,
						      .flags = HAUL_SEGMENT_GIVEN |
							       HAUL_SEGMENT_READ_ONLY,
						      .name = "weights" };
	void *address;

	(void)state;
	control_listen(rig);
	node_rig_start(rig);
	control_greet(rig);
	client_attach(rig, &client, 8);
	frame_fill(&message.frame, HAUL_ATTACH_VERSION, HAUL_ATTACH_SEGMENT_CREATE, sizeof(message),
		   ++client.request);
	assert_int_equal(seqpacket_send(client.fd, &message, sizeof(message), &fd, 1), 0);
	close(fd);
	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, &request, &fd);
	assert_int_equal(memfd_to_bytes(fd, DESCRIPTOR_BYTES_MAX, &bytes, &length), 0);
	close(fd);
	descriptor = bytes;
	assert_int_equal(descriptor_buffers(descriptor)->rights, HAUL_RIGHT_READ);
	free(bytes);
	control_answer(rig, &request, HAUL_OK, -1);
	assert_true(client_receive(rig, client.fd, &answer, (int[4]){ 0 }, &(unsigned int){ 0 }) >
		    0);
	assert_int_equal(answer.frame.status, HAUL_OK);
	assert_false(region_is_writable(&rig->node.engine.regions, answer.create.region));
	address = TAILQ_FIRST(&TAILQ_FIRST(&rig->node.segments)->buffers)->pages.address;
	assert_int_equal(((volatile uint8_t *)address)[0], 0);
	assert_int_equal(mprotect(address, BYTES, PROT_READ | PROT_WRITE), -1);
	client_die(&client);
}

/* Huge pages, when the machine has some; a descriptor for them can be had in any case. */
static void pages_map__huge_ones(void **state)
{
	const uint64_t huge = HUGE_PAGE_BYTES;
	union node_message answer;
	int fd = give_memfd(huge, MFD_HUGETLB, F_SEAL_SHRINK);
	void *probe = mmap(NULL, huge, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	(void)state;
	node_rig_start(rig);
	client_attach(rig, &client, 8);
	if (probe == MAP_FAILED) {
		/* None are to be had: that is told, and nothing is kept. */
		give("given", huge, HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_PRIVATE, fd, &answer);
		assert_int_equal(answer.frame.status, HAUL_SYSTEM);
		close(fd);
		NODE_AWAIT(rig, TAILQ_EMPTY(&rig->node.segments));
		client_die(&client);
		return;
	}
	give("given", 4096, HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_PRIVATE, fd, &answer);
	assert_int_equal(answer.frame.status, HAUL_INVALID);
	assert_non_null(strstr(answer.plain.answer.reason, "pages of 2097152"));
	give("given", huge, HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_PRIVATE, fd, &answer);
	assert_int_equal(answer.frame.status, HAUL_OK);
	assert_int_equal(answer.create.page_bytes, huge);
	close(fd);
	munmap(probe, huge);
	client_die(&client);
}

static void pages_map__counts_for_the_quota(void **state)
{
	union node_message answer;
	int fd = give_memfd(BYTES, 0, F_SEAL_SHRINK);

	(void)state;
	rig->conf.quota_count = 1;
	rig->conf.quotas[0] = (struct dataplane_quota){
		.uid = -1, .channels = 9, .segments = 9, .buffers = 9, .bytes = BYTES + 4096
	};
	node_rig_start(rig);
	client_attach(rig, &client, 8);
	for (int i = 0; i < 2; i++) {
		give("given", BYTES, HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_PRIVATE, fd, &answer);
		assert_int_equal(answer.frame.status, i == 0 ? HAUL_OK : HAUL_QUOTA);
	}
	close(fd);
	client_die(&client);
}

/* The client goes while its memory is populated, step by step: no step follows, and all is given back. */
static void pages_populate__ends_with_its_client(void **state)
{
	const uint64_t bytes = 8 * PAGES_STEP_BYTES;
	int fd = give_memfd(bytes, 0, F_SEAL_SHRINK);
	struct haul_attach_segment_create message = {
		.bytes = bytes, .flags = HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_PRIVATE, .name = "given"
	};
	struct stat status;

	(void)state;
	node_rig_start(rig);
	client_attach(rig, &client, 8);
	frame_fill(&message.frame, HAUL_ATTACH_VERSION, HAUL_ATTACH_SEGMENT_CREATE, sizeof(message),
		   ++client.request);
	assert_int_equal(seqpacket_send(client.fd, &message, sizeof(message), &fd, 1), 0);
	NODE_AWAIT(rig, fstat(fd, &status) == 0 && status.st_blocks > 0);
	client_die(&client);
	NODE_AWAIT(rig, node_rig_is_empty(rig));
	assert_int_equal(fstat(fd, &status), 0);
	assert_true((uint64_t)status.st_blocks * 512 < bytes);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(pages_check_given__takes_no_memory_that_may_vanish),
		CASE(pages_map__uses_the_clients_own),
		CASE(pages_map__read_only_memory_as_such),
		CASE(pages_map__huge_ones),
		CASE(pages_map__counts_for_the_quota),
		CASE(pages_populate__ends_with_its_client),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
