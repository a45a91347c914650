/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: whatever applications send on the attach socket and whatever a control plane says on the control socket, with
 * whatever descriptors, a node neither crashes nor reads beyond a message, serves a client that behaves throughout, and has
 * closed every descriptor and freed everything in the end. Method: an input is a script: bytes that say what happens next
 * (clients come and go; messages of each type, most of them nearly right, some damaged, cut or drawn out; answers of a
 * control plane of the same sort, with descriptors that are right, damaged or no descriptors at all). The node is whole;
 * the script turns its event loop. Run under AddressSanitizer to see a touch beyond.
 *
 * With libFuzzer this is LLVMFuzzerTestOneInput alone; else main runs seeded random inputs for some seconds, longer with
 * HAUL_ALL=1:
 *
 *     fuzz_messages [--seconds N] [--seed S]
 */
#include "base/check.h"
#include "base/clock.h"
#include "base/memfd.h"
#include "base/seqpacket.h"
#include "node_rig.h"
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Clients of the script at a time, beside the one that behaves. */
#define CLIENTS 4u

/* Names and numbers are few, so that what one message makes another one names. */
#define NAMES   4u
#define NUMBERS 6u

/* Random bytes of one run, and seconds of them; longer with HAUL_ALL=1. */
#define SCRIPT_BYTES   4000u
#define SECONDS        3u
#define SECONDS_LONGER 20u

/* The longest descriptor that is kept to be sent back, damaged or not. */
#define DESCRIPTOR_BYTES_MAX 65536u

/* Any request of an application, or word of a control plane. */
union message {
	struct haul_frame frame;
	struct haul_attach_hello hello;
	struct haul_attach_segment_create create;
	struct haul_attach_buffer_add add;
	struct haul_attach_segment_destroy destroy;
	struct haul_attach_segment_open open;
	struct haul_attach_segment_close close;
	struct haul_control_answer answer;
	struct haul_control_node_state state;
	struct haul_control_version_seen seen;
	struct haul_control_table table;
	uint8_t bytes[HAUL_FRAME_BYTES_MAX + 16];
};

struct fuzz {
	const uint8_t *at;
	const uint8_t *end;
	struct node_rig *rig;
	struct node_client neighbour;
	bool is_waiting[CLIENTS]; /* has asked, and not been answered */
	int clients[CLIENTS];     /* -1 = none */
	struct haul_frame asked;  /* what the node last asked the control plane */
	void *descriptor;         /* the last one it published; NULL = none so far */
	size_t descriptor_bytes;
};

static uint32_t script(struct fuzz *fuzz, unsigned int bytes)
{
	uint32_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | (fuzz->at < fuzz->end ? *fuzz->at++ : 0);
	return value;
}

static uint32_t script_below(struct fuzz *fuzz, uint32_t bound)
{
	return script(fuzz, 2) % bound;
}

/* Sizes that are small, none, odd, or beyond everything. */
static uint64_t script_size(struct fuzz *fuzz)
{
	switch (script_below(fuzz, 6)) {
	case 0:
		return 0;
	case 1:
		return script(fuzz, 2);
	case 2:
		return UINT64_MAX - script(fuzz, 1);
	default:
		return UINT64_C(4096) << script_below(fuzz, 6);
	}
}

static void script_name(struct fuzz *fuzz, char name[HAUL_NAME_BYTES])
{
	(void)snprintf(name, HAUL_NAME_BYTES, "s%u", script_below(fuzz, NAMES));
}

/* A request that an application might send; returns its length. */
static size_t request_make(struct fuzz *fuzz, union message *message, uint16_t type)
{
	switch (type) {
	case HAUL_ATTACH_HELLO:
		message->hello.abi_version = HAUL_ABI_VERSION;
		message->hello.entries = script_below(fuzz, 16) == 0 ? script(fuzz, 4) : 8;
		return sizeof(message->hello);
	case HAUL_ATTACH_SEGMENT_CREATE:
		message->create.bytes = UINT64_C(4096) << script_below(fuzz, 4);
		if (script_below(fuzz, 4) == 0)
			message->create.bytes = script_size(fuzz);
		if (script_below(fuzz, 4) == 0)
			message->create.space_bytes = script_size(fuzz);
		message->create.flags = script_below(fuzz, 2) * HAUL_SEGMENT_PRIVATE;
		if (script_below(fuzz, 4) == 0)
			message->create.flags = script_below(fuzz, 16);
		script_name(fuzz, message->create.name);
		if ((message->create.flags & HAUL_SEGMENT_PRIVATE) == 0)
			memcpy(message->create.readers, "*", 1);
		return sizeof(message->create);
	case HAUL_ATTACH_SEGMENT_DESTROY:
		message->destroy.segment = script_below(fuzz, NUMBERS);
		return sizeof(message->destroy);
	case HAUL_ATTACH_SEGMENT_OPEN:
		message->open.rights = script_below(fuzz, 8) == 0 ? script(fuzz, 4) : 1;
		script_name(fuzz, message->open.name);
		return sizeof(message->open);
	case HAUL_ATTACH_SEGMENT_CLOSE:
		message->close.handle = script_below(fuzz, NUMBERS) | script_below(fuzz, 3) << 16;
		return sizeof(message->close);
	default:
		message->add.bytes = script_size(fuzz);
		message->add.offset = script_below(fuzz, 2) == 0 ? UINT64_MAX : script_size(fuzz);
		message->add.segment = script_below(fuzz, NUMBERS);
		message->add.flags = script_below(fuzz, 8);
		return sizeof(message->add);
	}
}

/* What a control plane might say: mostly the answer to what it was asked last. */
static size_t word_make(struct fuzz *fuzz, union message *message, uint16_t type)
{
	switch (type) {
	case HAUL_CONTROL_NODE_STATE:
		message->state.state = script_below(fuzz, 4);
		return sizeof(message->state);
	case HAUL_CONTROL_VERSION_SEEN:
		message->seen.version = script_below(fuzz, 4);
		message->seen.incarnation = script_below(fuzz, 3);
		script_name(fuzz, message->seen.segment);
		return sizeof(message->seen);
	case HAUL_CONTROL_PING:
		return sizeof(message->frame);
	case HAUL_CONTROL_TABLE:
		message->table.table = script_below(fuzz, 7);
		return sizeof(message->table);
	default:
		message->answer.version =
			script_below(fuzz, 3) == 0 ? script(fuzz, 1) : ++fuzz->rig->version;
		return sizeof(message->answer);
	}
}

/* One in eight messages is damaged in some bytes, one in sixteen has another length than its frame says. */
static size_t message_damage(struct fuzz *fuzz, union message *message, size_t length)
{
	if (script_below(fuzz, 8) == 0) {
		for (uint32_t i = script_below(fuzz, 4); i > 0; i--)
			message->bytes[script_below(fuzz, (uint32_t)length)] =
				(uint8_t)script(fuzz, 1);
	}
	switch (script_below(fuzz, 32)) {
	case 0:
		return 1 + script_below(fuzz, (uint32_t)length);
	case 1:
		return length + script_below(fuzz, (uint32_t)(sizeof(message->bytes) - length));
	default:
		return length;
	}
}

/* The descriptor that was published last, perhaps with bytes changed. */
static int descriptor_make(struct fuzz *fuzz)
{
	uint8_t *copy;
	int fd;

	if (fuzz->descriptor == NULL)
		return memfd_from_bytes("nothing", "", 0);
	copy = malloc(fuzz->descriptor_bytes);
	BUG_ON(copy == NULL);
	memcpy(copy, fuzz->descriptor, fuzz->descriptor_bytes);
	for (uint32_t i = script_below(fuzz, 3); i > 0; i--)
		copy[script_below(fuzz, (uint32_t)fuzz->descriptor_bytes)] =
			(uint8_t)script(fuzz, 1);
	fd = memfd_from_bytes("descriptor", copy, fuzz->descriptor_bytes);
	free(copy);
	return fd;
}

/* A descriptor to send along, -1 for none; the caller closes it. */
static int fd_make(struct fuzz *fuzz)
{
	switch (script_below(fuzz, 4)) {
	case 0:
		return descriptor_make(fuzz);
	case 1:
		return eventfd(0, EFD_CLOEXEC);
	case 2:
		return memfd_make("memory", UINT64_C(4096) * (1 + script_below(fuzz, 3)), 0);
	default:
		return -1;
	}
}

static void send_it(struct fuzz *fuzz, int to, union message *message, size_t length, int fd)
{
	length = message_damage(fuzz, message, length);
	(void)seqpacket_send(to, message, length, &fd, fd >= 0);
	if (fd >= 0)
		close(fd);
}

/* A message as it would be looked at, in memory of exactly its length. */
static void do_check(struct fuzz *fuzz)
{
	size_t length = script_below(fuzz, 64);
	uint8_t *exact = malloc(length + (length == 0));
	char reason[HAUL_REASON_BYTES];
	union message message = { 0 };

	BUG_ON(exact == NULL);
	frame_fill(&message.frame, HAUL_ATTACH_VERSION, (uint16_t)script(fuzz, 1), (uint32_t)length,
		   1);
	(void)message_damage(fuzz, &message, sizeof(message.frame));
	memcpy(exact, &message, length);
	if (frame_check(exact, length, HAUL_ATTACH_VERSION, sizeof(struct haul_frame), reason) == 0)
		BUG_ON(length < sizeof(struct haul_frame));
	else
		BUG_ON(memchr(reason, 0, sizeof(reason)) == NULL || reason[0] == 0);
	free(exact);
}

static void client_begin(struct fuzz *fuzz, uint32_t index)
{
	union message message = { 0 };
	size_t length = request_make(fuzz, &message, HAUL_ATTACH_HELLO);

	fuzz->clients[index] = client_connect(fuzz->rig);
	fuzz->is_waiting[index] = true;
	frame_fill(&message.frame, HAUL_ATTACH_VERSION, HAUL_ATTACH_HELLO, (uint32_t)length, 1);
	send_it(fuzz, fuzz->clients[index], &message, length, -1);
}

static void client_finish(struct fuzz *fuzz, uint32_t index)
{
	if (fuzz->clients[index] >= 0)
		close(fuzz->clients[index]);
	fuzz->clients[index] = -1;
}

/* Whoever asks for a second thing before the answer to the first is ended, so that is rare. */
static void do_request(struct fuzz *fuzz)
{
	uint32_t index = script_below(fuzz, CLIENTS);
	uint16_t type = (uint16_t)(2 + script_below(fuzz, 5));
	union message message = { 0 };
	bool is_given;
	size_t length;

	if (fuzz->clients[index] < 0) {
		client_begin(fuzz, index);
		return;
	}
	if (fuzz->is_waiting[index] && script_below(fuzz, 32) != 0)
		return;
	if (script_below(fuzz, 32) == 0)
		type = (uint16_t)script_below(fuzz, 64);
	length = request_make(fuzz, &message, type);
	is_given = type == HAUL_ATTACH_SEGMENT_CREATE &&
		   (message.create.flags & HAUL_SEGMENT_GIVEN) != 0;
	frame_fill(&message.frame, HAUL_ATTACH_VERSION, type, (uint32_t)length, script(fuzz, 1));
	/* So is who sends a descriptor unasked. */
	send_it(fuzz, fuzz->clients[index], &message, length,
		is_given || script_below(fuzz, 32) == 0 ? fd_make(fuzz) : -1);
	fuzz->is_waiting[index] = true;
}

/* Take the answers that have come; a client that was ended is gone. */
static void client_hear(struct fuzz *fuzz, uint32_t index)
{
	union node_message message;
	unsigned int fd_count;
	ssize_t length;
	int fds[4];

	while ((length = seqpacket_receive(fuzz->clients[index], &message, sizeof(message), fds, 4,
					   &fd_count)) > 0) {
		seqpacket_close_fds(fds, fd_count);
		fuzz->is_waiting[index] = false;
	}
	if (length != -EAGAIN)
		client_finish(fuzz, index);
}

/* Hear what the node has to say to its control plane; what it publishes is kept. */
static void control_hear(struct fuzz *fuzz)
{
	union node_message message;
	unsigned int fd_count;
	size_t length;
	void *bytes;
	int fd;

	while (seqpacket_receive(fuzz->rig->control, &message, sizeof(message), &fd, 1,
				 &fd_count) >= (ssize_t)sizeof(message.frame)) {
		fuzz->asked = message.frame;
		if (fd_count == 1 &&
		    memfd_to_bytes(fd, DESCRIPTOR_BYTES_MAX, &bytes, &length) == 0) {
			free(fuzz->descriptor);
			fuzz->descriptor = bytes;
			fuzz->descriptor_bytes = length;
		}
		seqpacket_close_fds(&fd, fd_count);
	}
}

static void do_control(struct fuzz *fuzz)
{
	static const uint16_t unasked[] = { HAUL_CONTROL_NODE_STATE, HAUL_CONTROL_VERSION_SEEN,
					    HAUL_CONTROL_PING, HAUL_CONTROL_TABLE };
	union message message = { 0 };
	bool is_answer = script_below(fuzz, 4) != 0;
	uint16_t type = is_answer ? fuzz->asked.type | HAUL_FRAME_ANSWER
				  : unasked[script_below(fuzz, ARRAY_SIZE(unasked))];
	uint32_t status = script_below(fuzz, 4) == 0 ? script_below(fuzz, 20) : 0;
	size_t length = word_make(fuzz, &message, type);

	if (fuzz->rig->control < 0)
		fuzz->rig->control = seqpacket_accept(fuzz->rig->listener);
	if (fuzz->rig->control < 0) {
		fuzz->rig->control = -1;
		return;
	}
	control_hear(fuzz);
	if (is_answer)
		type = fuzz->asked.type | HAUL_FRAME_ANSWER;
	frame_fill(&message.frame, HAUL_CONTROL_VERSION, type, (uint32_t)length,
		   is_answer ? fuzz->asked.request : script(fuzz, 1));
	message.frame.status = is_answer ? status : 0;
	send_it(fuzz, fuzz->rig->control, &message, length,
		type == (HAUL_CONTROL_SEGMENT_OPEN | HAUL_FRAME_ANSWER) ? descriptor_make(fuzz)
		: script_below(fuzz, 16) == 0                           ? fd_make(fuzz)
									: -1);
}

/* The one that behaves is served, whatever goes on. */
static void do_neighbour(struct fuzz *fuzz)
{
	struct haul_entry nop = { .opcode = HAUL_OP_NOP, .user_data = script(fuzz, 2) };

	client_submit(&fuzz->neighbour, &nop);
	assert_int_equal(client_reap(fuzz->rig, &fuzz->neighbour).user_data, nop.user_data);
}

static void do_step(struct fuzz *fuzz)
{
	uint32_t step = script_below(fuzz, 32);

	switch (step) {
	case 0:
		client_finish(fuzz, script_below(fuzz, CLIENTS));
		break;
	case 1:
		do_neighbour(fuzz);
		break;
	case 2:
		if (script_below(fuzz, 8) == 0)
			control_hang_up(fuzz->rig);
		break;
	case 3:
		do_check(fuzz);
		break;
	default:
		if (step < 15)
			do_control(fuzz);
		else
			do_request(fuzz);
		break;
	}
	for (uint32_t i = script_below(fuzz, 4); i > 0; i--)
		node_rig_turn(fuzz->rig);
	for (uint32_t i = 0; i < CLIENTS; i++) {
		if (fuzz->clients[i] >= 0)
			client_hear(fuzz, i);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz fuzz = { .at = data, .end = data + bytes };

	fuzz.rig = node_rig_make();
	fuzz.rig->conf.quota_count = 1;
	fuzz.rig->conf.quotas[0] = (struct dataplane_quota){
		.uid = -1, .channels = 16, .segments = 8, .buffers = 16, .bytes = 1 << 20
	};
	control_listen(fuzz.rig);
	node_rig_start(fuzz.rig);
	client_attach(fuzz.rig, &fuzz.neighbour, 8);
	for (uint32_t i = 0; i < CLIENTS; i++)
		fuzz.clients[i] = -1;
	while (fuzz.at < fuzz.end)
		do_step(&fuzz);
	do_neighbour(&fuzz);
	client_die(&fuzz.neighbour);
	for (uint32_t i = 0; i < CLIENTS; i++)
		client_finish(&fuzz, i);
	free(fuzz.descriptor);
	node_rig_stop(fuzz.rig); /* looks at descriptors and files */
	return 0;
}

#ifndef FUZZ_LIBFUZZER

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL), runs = 0;
	time_t end = time(NULL) + (getenv("HAUL_ALL") != NULL ? SECONDS_LONGER : SECONDS);
	static uint8_t input[SCRIPT_BYTES];

	if (getenv("HAUL_SEED") != NULL)
		seed = strtoull(getenv("HAUL_SEED"), NULL, 0);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			end = time(NULL) + (time_t)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 0);
	}
	for (; time(NULL) < end; runs++) {
		uint64_t state = seed + runs;

		printf("HAUL_SEED=%" PRIu64 "\n", seed + runs);
		(void)fflush(stdout);
		for (size_t i = 0; i < sizeof(input); i++)
			input[i] = (uint8_t)unit_random(&state);
		(void)LLVMFuzzerTestOneInput(input, 1 + unit_random_below(&state, sizeof(input)));
	}
	printf("%" PRIu64 " inputs\n", runs);
	return 0;
}

#endif
