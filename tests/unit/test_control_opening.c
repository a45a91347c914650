/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a handle reaches the segment that was opened, by the newest view, and nothing once that is gone; bytes really
 * move between clients' memories; openings, peers and their slots come back however many go at once.
 * Method: a whole node with the local transport; the control plane is played by the test and sends descriptors that the
 * node itself published, or spoilt ones.
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "opening_rig.h"
#include "unit.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define NAME_ROOM 16
#define MANY      8u /* clients that have everything open */

static void opening_open__moves_bytes_both_ways(void **state)
{
	struct haul_completion completion;
	uint32_t handle;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	completion = transfer(HAUL_OP_WRITE, handle, 0, BYTES);
	assert_int_equal(completion.status, HAUL_OK);
	assert_int_equal(completion.bytes, BYTES);
	assert_int_equal(completion.transport, HAUL_TRANSPORT_LOCAL);
	assert_int_equal(completion.attempts, 1);
	assert_memory_equal(target, source, BYTES);
	memset(source, 0, BYTES);
	completion = transfer(HAUL_OP_READ, handle, 4096, BYTES - 4096);
	assert_int_equal(completion.status, HAUL_OK);
	assert_memory_equal(source + 4096, target + 4096, BYTES - 4096);
	assert_int_equal(source[4095], 0);
	completion = transfer(HAUL_OP_READ, handle, BYTES - 1, 2);
	assert_int_equal(completion.status, HAUL_RANGE);
}

/* Another client notifies the owner, who sleeps: both are told, each on its own socket. */
static void opening_open__notifies_the_owner(void **state)
{
	struct haul_entry entry = { .opcode = HAUL_OP_WRITE,
				    .flags = HAUL_ENTRY_NOTIFY,
				    .remote_offset = haul_u48_make(77),
				    .tag = 5,
				    .value = 6 };
	const struct haul_notification *notification = client.notifications;
	struct node_client other;
	int fd = descriptor_send();
	char byte;

	(void)state;
	client_attach(rig, &other, 64);
	assert_int_equal(
		client_open(rig, &other, "target", HAUL_RIGHT_WRITE, fd, &entry.remote_segment),
		HAUL_OK);
	close(fd);
	ring_store_release(&client.header->client_sleeps.value, 1);
	client_submit(&other, &entry);
	assert_int_equal(client_reap(rig, &other).status, HAUL_OK);
	NODE_AWAIT(rig, recv(client.wake_fd, &byte, 1, MSG_DONTWAIT) == 1);
	assert_int_equal(ring_load_acquire(&notification->sequence), 1);
	assert_int_equal(notification->tag, 5);
	assert_int_equal(notification->value, 6);
	assert_int_equal(notification->offset, 77);
	assert_int_equal(notification->bytes, 0);
	assert_string_equal(notification->node, rig->conf.node);
	client_die(&other);
}

static void opening_open__grants_what_was_asked_for(void **state)
{
	uint32_t reader;
	uint32_t again;
	uint32_t writer;

	(void)state;
	assert_int_equal(open_target(HAUL_RIGHT_READ, &reader), HAUL_OK);
	assert_int_equal(open_target(HAUL_RIGHT_READ, &again), HAUL_OK);
	assert_int_equal(open_target(HAUL_RIGHT_WRITE, &writer), HAUL_OK);
	/* The same rights share an opening. */
	assert_int_equal(TAILQ_FIRST(&rig->node.openings)->references, 2);
	assert_int_equal(TAILQ_LAST(&rig->node.openings, opening_list)->references, 1);
	expect_transfer(HAUL_OP_READ, again, HAUL_OK, HAUL_REASON_NONE);
	expect_transfer(HAUL_OP_READ, reader, HAUL_OK, HAUL_REASON_NONE);
	expect_transfer(HAUL_OP_WRITE, reader, HAUL_DENIED, HAUL_REASON_REMOTE_RIGHT);
	expect_transfer(HAUL_OP_READ, writer, HAUL_DENIED, HAUL_REASON_REMOTE_RIGHT);
	expect_transfer(HAUL_OP_WRITE, writer, HAUL_OK, HAUL_REASON_NONE);
}

static void opening_open__is_refused_with_a_sentence(void **state)
{
	struct haul_attach_segment_open message = { .rights = 0, .name = "target" };
	union node_message answer;

	(void)state;
	client_ask(rig, &client, HAUL_ATTACH_SEGMENT_OPEN, &message, sizeof(message), &answer);
	assert_int_equal(answer.frame.status, HAUL_INVALID);
	message.rights = 4;
	client_ask(rig, &client, HAUL_ATTACH_SEGMENT_OPEN, &message, sizeof(message), &answer);
	assert_int_equal(answer.frame.status, HAUL_INVALID);
	message.rights = HAUL_RIGHT_READ;
	memset(message.name, 'x', sizeof(message.name));
	client_ask(rig, &client, HAUL_ATTACH_SEGMENT_OPEN, &message, sizeof(message), &answer);
	assert_int_equal(answer.frame.status, HAUL_INVALID);
	rig->node.link.request_ms = 50;
	control_hang_up(rig);
	(void)snprintf(message.name, sizeof(message.name), "target");
	client_ask(rig, &client, HAUL_ATTACH_SEGMENT_OPEN, &message, sizeof(message), &answer);
	assert_int_equal(answer.frame.status, HAUL_UNAVAILABLE);
}

/* What the control plane sends is checked like everything else. */
static void opening_open__believes_no_descriptor_unseen(void **state)
{
	uint32_t handle;
	int fd;

	(void)state;
	assert_int_equal(client_open(rig, &client, "target", BOTH, -1, &handle), HAUL_INTERNAL);
	assert_int_equal(
		client_open(rig, &client, "another", BOTH, fd = descriptor_send(), &handle),
		HAUL_INTERNAL);
	close(fd);
	descriptor->magic++;
	assert_int_equal(open_target(BOTH, &handle), HAUL_INTERNAL);
	descriptor->magic--;
	descriptor->buffer_count = HAUL_DESCRIPTOR_BUFFERS_MAX;
	assert_int_equal(open_target(BOTH, &handle), HAUL_INTERNAL);
	descriptor->buffer_count = 1;
	fd = memfd_make("not frozen", 4096, 0);
	assert_int_equal(client_open(rig, &client, "target", BOTH, fd, &handle), HAUL_INTERNAL);
	close(fd);
	assert_true(is_bare());
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
}

static void opening_open__has_so_many_handles(void **state)
{
	uint32_t handles[ENGINE_HANDLES_MAX];
	uint32_t more;

	(void)state;
	for (uint32_t i = 0; i < ENGINE_HANDLES_MAX; i++)
		assert_int_equal(open_target(BOTH, &handles[i]), HAUL_OK);
	assert_int_equal(open_target(BOTH, &more), HAUL_QUOTA);
	assert_int_equal(close_handle(handles[17]), HAUL_OK);
	assert_int_equal(open_target(BOTH, &more), HAUL_OK);
	assert_int_not_equal(more, handles[17]);
	expect_transfer(HAUL_OP_WRITE, handles[17], HAUL_NOT_FOUND, HAUL_REASON_REMOTE_SEGMENT);
	expect_transfer(HAUL_OP_WRITE, more, HAUL_OK, HAUL_REASON_NONE);
}

static void opening_close__refuses_the_handle_from_then_on(void **state)
{
	union node_message message;
	uint32_t handle;
	int fd;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	assert_int_equal(close_handle(handle + (1u << 16)), HAUL_NOT_FOUND);
	assert_int_equal(close_handle(handle + 1), HAUL_NOT_FOUND);
	assert_int_equal(close_handle(0), HAUL_NOT_FOUND);
	assert_int_equal(close_with(handle, 1), HAUL_INVALID);
	assert_int_equal(close_handle(UINT32_MAX), HAUL_NOT_FOUND);
	assert_int_equal(close_handle(handle), HAUL_OK);
	control_expect(rig, HAUL_CONTROL_SEGMENT_CLOSE, &message, &fd);
	assert_string_equal(message.segment.segment, "target");
	assert_int_equal(close_handle(handle), HAUL_NOT_FOUND);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_NOT_FOUND, HAUL_REASON_REMOTE_SEGMENT);
	NODE_AWAIT(rig, is_bare());
}

/* While another client opens the segment its versions are still wanted. */
static void opening_close__does_not_end_the_versions_of_who_opens(void **state)
{
	struct haul_attach_segment_open wish = { .rights = BOTH, .name = "target" };
	struct node_client other;
	union node_message message;
	int fds[4];
	unsigned int fd_count;
	uint32_t handle;
	int fd;

	(void)state;
	client_attach(rig, &other, 8);
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	client_send(other.fd, HAUL_ATTACH_SEGMENT_OPEN, &wish, sizeof(wish), 1);
	control_expect(rig, HAUL_CONTROL_SEGMENT_OPEN, &message, &fd);
	assert_int_equal(close_handle(handle), HAUL_OK);
	fd = descriptor_send();
	control_answer(rig, &message, HAUL_OK, fd);
	close(fd);
	assert_true(client_receive(rig, other.fd, &message, fds, &fd_count) > 0);
	assert_int_equal(message.frame.status, HAUL_OK);
	/* Nothing was said of closing. */
	node_rig_rest(rig, 3000);
	assert_int_equal(
		seqpacket_receive(rig->control, &message, sizeof(message), fds, 1, &fd_count),
		-EAGAIN);
	client_die(&other);
}

/* The control plane follows the name until then, and would for ever. */
static void opening_close__of_what_is_gone_is_told_too(void **state)
{
	union node_message message;
	uint32_t handle;
	int fd;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	tell_version(0, 0);
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.openings)->is_retired);
	assert_int_equal(close_handle(handle), HAUL_OK);
	control_expect(rig, HAUL_CONTROL_SEGMENT_CLOSE, &message, &fd);
	assert_string_equal(((struct haul_control_segment *)&message)->segment, "target");
}

/* It is closed while somebody else opens it, who is refused then. */
static void opening_close__is_told_when_who_opens_is_refused(void **state)
{
	struct haul_attach_segment_open wish = { .rights = BOTH, .name = "target" };
	struct node_client other;
	union node_message message;
	uint32_t handle;
	int fd;

	(void)state;
	client_attach(rig, &other, 8);
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	client_send(other.fd, HAUL_ATTACH_SEGMENT_OPEN, &wish, sizeof(wish), 1);
	control_expect(rig, HAUL_CONTROL_SEGMENT_OPEN, &message, &fd);
	assert_int_equal(close_handle(handle), HAUL_OK);
	control_answer(rig, &message, HAUL_UNAVAILABLE, -1);
	control_expect(rig, HAUL_CONTROL_SEGMENT_CLOSE, &message, &fd);
	client_die(&other);
}

static void opening_version__newer_is_fetched_before_anything_is_posted(void **state)
{
	uint32_t handle;
	struct haul_completion completion;
	struct haul_entry entry;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_OK, HAUL_REASON_NONE);
	tell_version(descriptor->metadata_version + 5, descriptor->incarnation);
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.openings)->is_refreshing);
	assert_int_equal(TAILQ_FIRST(&rig->node.openings)->state, OPENING_REFRESHING);
	entry = (struct haul_entry){ .opcode = HAUL_OP_WRITE,
				     .local_region = haul_u48_make(source_region),
				     .remote_segment = handle,
				     .length = 16 };
	client_submit(&client, &entry);
	node_rig_rest(rig, 20000);
	assert_int_equal(client.header->completion_tail.value, 1);
	descriptor->metadata_version += 5;
	answer_refresh(HAUL_OK, true);
	completion = client_reap(rig, &client);
	assert_int_equal(completion.status, HAUL_OK);
	/* An older one, or nonsense, replaces nothing. */
	tell_version(descriptor->metadata_version + 1, descriptor->incarnation);
	descriptor->metadata_version--;
	answer_refresh(HAUL_OK, true);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_OK, HAUL_REASON_NONE);
	assert_int_equal(TAILQ_FIRST(&rig->node.openings)->state, OPENING_CURRENT);
	assert_int_equal(TAILQ_FIRST(&rig->node.openings)->refreshes, 2);
}

static void opening_version__none_retires(void **state)
{
	uint32_t handle;
	uint32_t again;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	tell_version(0, 0);
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.openings)->is_retired);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
	/* Opening again works beside it. */
	assert_int_equal(open_target(BOTH, &again), HAUL_OK);
	expect_transfer(HAUL_OP_WRITE, again, HAUL_OK, HAUL_REASON_NONE);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
	assert_int_equal(close_handle(handle), HAUL_OK);
	expect_transfer(HAUL_OP_WRITE, again, HAUL_OK, HAUL_REASON_NONE);
}

static void opening_version__of_another_incarnation_retires(void **state)
{
	uint32_t handle;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	tell_version(descriptor->metadata_version, descriptor->incarnation + 1);
	NODE_AWAIT(rig, TAILQ_FIRST(&rig->node.openings)->is_retired);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
}

static void opening_open__does_not_share_with_what_had_the_name(void **state)
{
	uint32_t handle;
	uint32_t again;

	(void)state;
	descriptor->number++;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	descriptor->number--; /* that of the memory which is there */
	assert_int_equal(open_target(BOTH, &again), HAUL_OK);
	expect_transfer(HAUL_OP_WRITE, again, HAUL_OK, HAUL_REASON_NONE);
	expect_transfer(HAUL_OP_WRITE, handle, HAUL_STALE, HAUL_REASON_SEGMENT_RETIRED);
}

/* A newer descriptor for one is news for the others of its name: the control plane does not tell it again. */
static void opening_open__tells_the_others_of_its_name(void **state)
{
	uint32_t reader;
	uint32_t writer;

	(void)state;
	assert_int_equal(open_target(HAUL_RIGHT_READ, &reader), HAUL_OK);
	descriptor->metadata_version += 3;
	assert_int_equal(open_target(HAUL_RIGHT_WRITE, &writer), HAUL_OK);
	answer_refresh(HAUL_OK, true);
	expect_transfer(HAUL_OP_READ, reader, HAUL_OK, HAUL_REASON_NONE);
	assert_int_equal(atomic_load(&rig->node.engine.remotes
					      .remotes[TAILQ_FIRST(&rig->node.openings)->remote]
					      .version_seen),
			 descriptor->metadata_version);
}

/* Each time the last handle goes the peer is forgotten, and its slot used again. */
static void opening_peer__is_met_again_and_again(void **state)
{
	uint32_t handle;

	(void)state;
	for (int i = 0; i < 20; i++) {
		assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
		expect_transfer(HAUL_OP_WRITE, handle, HAUL_OK, HAUL_REASON_NONE);
		assert_int_equal(close_handle(handle), HAUL_OK);
		if (i % 2 == 0)
			NODE_AWAIT(rig, is_bare());
	}
	NODE_AWAIT(rig, is_bare());
}

/* Thousands of segments go at once, more than a worker's ring of commands has room for. */
static void opening_drop_all__of_many_clients_at_once(void **state)
{
	static struct node_client clients[MANY];
	uint32_t handle;

	(void)state;
	for (uint32_t i = 0; i < MANY; i++) {
		client_attach(rig, &clients[i], 2);
		for (uint32_t j = 0; j < ENGINE_HANDLES_MAX; j++) {
			char name[NAME_ROOM];
			int fd;

			(void)snprintf(name, sizeof(name), "s%u.%u", i, j);
			memset(descriptor->segment, 0, sizeof(descriptor->segment));
			memcpy(descriptor->segment, name, strlen(name));
			fd = descriptor_send();
			assert_int_equal(client_open(rig, &clients[i], name, BOTH, fd, &handle),
					 HAUL_OK);
			close(fd);
		}
	}
	for (uint32_t i = 0; i < MANY; i++)
		client_die(&clients[i]);
	NODE_AWAIT(rig, is_bare());
}

/* The client goes while its wish is on its way, and while its handles have operations. */
static void opening_death__at_every_moment(void **state)
{
	struct haul_attach_segment_open wish = { .rights = BOTH, .name = "target" };
	struct node_client other;
	union node_message message;
	uint32_t handle;
	int unused;
	int fd;

	(void)state;
	client_attach(rig, &other, 8);
	client_send(other.fd, HAUL_ATTACH_SEGMENT_OPEN, &wish, sizeof(wish), 1);
	control_expect(rig, HAUL_CONTROL_SEGMENT_OPEN, &message, &fd);
	client_die(&other);
	node_rig_rest(rig, 3000);
	fd = descriptor_send();
	control_answer(rig, &message, HAUL_OK, fd);
	NODE_AWAIT(rig, rig->node.clients.channels == 1);
	/* Nobody has it open, and the control plane would follow it. */
	control_expect(rig, HAUL_CONTROL_SEGMENT_CLOSE, &message, &unused);
	for (int i = 0; i < 10; i++) {
		struct haul_entry entry = { .opcode = HAUL_OP_READ, .length = BYTES };
		uint64_t region;
		uint32_t segment;
		void *memory;

		client_attach(rig, &other, 8);
		memory = client_create_private(rig, &other, BYTES, &region, &segment);
		assert_int_equal(client_open(rig, &other, "target", BOTH, fd, &handle), HAUL_OK);
		entry.local_region = haul_u48_make(region);
		entry.remote_segment = handle;
		for (int j = 0; j < 8; j++)
			client_submit(&other, &entry);
		munmap(memory, BYTES);
		client_die(&other);
	}
	close(fd);
	NODE_AWAIT(rig, is_bare() && rig->node.clients.channels == 1);
}

/* Teardown stops the node in the middle of all this. */
static void opening_stop__with_everything_under_way(void **state)
{
	struct haul_attach_segment_open wish = { .rights = BOTH, .name = "another" };
	struct haul_entry entry = { .opcode = HAUL_OP_READ, .length = BYTES };
	uint32_t handle;

	(void)state;
	assert_int_equal(open_target(BOTH, &handle), HAUL_OK);
	entry.local_region = haul_u48_make(source_region);
	entry.remote_segment = handle;
	for (int i = 0; i < 60; i++)
		client_submit(&client, &entry);
	tell_version(descriptor->metadata_version + 1, descriptor->incarnation);
	client_send(client.fd, HAUL_ATTACH_SEGMENT_OPEN, &wish, sizeof(wish), 1);
	node_rig_turn(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, opening_setup, opening_teardown)
		CASE(opening_open__moves_bytes_both_ways),
		CASE(opening_open__notifies_the_owner),
		CASE(opening_open__grants_what_was_asked_for),
		CASE(opening_open__is_refused_with_a_sentence),
		CASE(opening_open__believes_no_descriptor_unseen),
		CASE(opening_open__has_so_many_handles),
		CASE(opening_close__refuses_the_handle_from_then_on),
		CASE(opening_close__does_not_end_the_versions_of_who_opens),
		CASE(opening_close__of_what_is_gone_is_told_too),
		CASE(opening_close__is_told_when_who_opens_is_refused),
		CASE(opening_version__newer_is_fetched_before_anything_is_posted),
		CASE(opening_version__none_retires),
		CASE(opening_version__of_another_incarnation_retires),
		CASE(opening_open__does_not_share_with_what_had_the_name),
		CASE(opening_open__tells_the_others_of_its_name),
		CASE(opening_peer__is_met_again_and_again),
		CASE(opening_drop_all__of_many_clients_at_once),
		CASE(opening_death__at_every_moment),
		CASE(opening_stop__with_everything_under_way),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
