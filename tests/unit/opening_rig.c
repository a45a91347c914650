/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole node with a segment to open; opening_rig.h says what it is. */
#include "opening_rig.h"

#include "base/descriptor.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "unit.h"

#include <sys/mman.h>
#include <unistd.h>

struct node_rig *rig;
struct node_client client;
uint8_t *target;
uint8_t *source;
uint64_t source_region;
struct haul_descriptor *descriptor;
static size_t descriptor_length;

/* A client with a published segment and private memory. */
int opening_setup(void **state)
{
	uint32_t segment;
	void *bytes = NULL;
	int fd;

	(void)state;
	rig = node_rig_make();
	control_listen(rig);
	node_rig_start(rig);
	control_greet(rig);
	client_attach(rig, &client, 64);
	target = client_publish(rig, &client, "target", BYTES, &fd, &segment);
	source = client_create_private(rig, &client, BYTES, &source_region, &segment);
	assert_int_equal(memfd_to_bytes(fd, DESCRIPTOR_BYTES_MAX, &bytes, &descriptor_length), 0);
	close(fd);
	descriptor = bytes;
	descriptor->metadata_version = rig->version;
	for (uint32_t i = 0; i < BYTES; i++)
		source[i] = (uint8_t)(i * 31 + 7);
	return 0;
}

int opening_teardown(void **state)
{
	(void)state;
	munmap(target, BYTES);
	munmap(source, BYTES);
	client_die(&client);
	free(descriptor);
	node_rig_stop(rig);
	return 0;
}

int descriptor_send(void)
{
	int fd = memfd_from_bytes("descriptor", descriptor, descriptor_length);

	assert_true(fd >= 0);
	return fd;
}

enum haul_error open_target(uint32_t rights, uint32_t *handle_out)
{
	int fd = descriptor_send();
	enum haul_error status = client_open(rig, &client, "target", rights, fd, handle_out);

	close(fd);
	return status;
}

struct haul_completion transfer(uint8_t opcode, uint32_t handle, uint64_t offset, uint32_t length)
{
	struct haul_entry entry = { .opcode = opcode,
				    .user_data = offset,
				    .local_region = haul_u48_make(source_region),
				    .local_offset = haul_u48_make(offset),
				    .remote_offset = haul_u48_make(offset),
				    .length = length,
				    .remote_segment = handle };
	struct haul_completion completion;

	client_submit(&client, &entry);
	completion = client_reap(rig, &client);
	assert_int_equal(completion.user_data, offset);
	return completion;
}

void expect_transfer(uint8_t opcode, uint32_t handle, enum haul_error status,
		     enum haul_reason reason)
{
	struct haul_completion completion = transfer(opcode, handle, 0, 4096);

	assert_int_equal(completion.status, status);
	assert_int_equal(completion.reason, reason);
}

enum haul_error close_with(uint32_t handle, uint32_t reserved)
{
	struct haul_attach_segment_close message = { .handle = handle, .reserved = reserved };
	union node_message answer;

	client_ask(rig, &client, HAUL_ATTACH_SEGMENT_CLOSE, &message, sizeof(message), &answer);
	return (enum haul_error)answer.frame.status;
}

enum haul_error close_handle(uint32_t handle)
{
	return close_with(handle, 0);
}

void tell_version(uint64_t version, uint64_t incarnation)
{
	struct haul_control_version_seen message = { .version = version,
						     .incarnation = incarnation,
						     .segment = "target" };

	frame_fill(&message.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_VERSION_SEEN, sizeof(message),
		   0);
	assert_int_equal(seqpacket_send(rig->control, &message, sizeof(message), NULL, 0), 0);
}

void answer_refresh(enum haul_error status, bool has_descriptor)
{
	union node_message request;
	int fd;

	control_expect(rig, HAUL_CONTROL_SEGMENT_OPEN, &request, &fd);
	fd = has_descriptor ? descriptor_send() : -1;
	control_answer(rig, &request, status, fd);
	if (fd >= 0)
		close(fd);
}

bool is_bare(void)
{
	for (uint32_t i = 0; i < ENGINE_PEERS_MAX; i++) {
		if (rig->node.engine.peers.peers[i].references +
			    rig->node.engine.peers.peers[i].forgetting >
		    0)
			return false;
	}
	return TAILQ_EMPTY(&rig->node.openings) && STAILQ_EMPTY(&rig->node.quiesce.waiting);
}
