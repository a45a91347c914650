/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: whatever a dataplane sends on the control socket, a session of the control plane hands on whole frames alone, with
 * at most the one descriptor that came along, ends at the first thing that is none, and leaves no descriptor open. Method:
 * a session on a socket pair whose other end plays the input: frames that are right, damaged, cut or drawn out, with
 * none, one or more descriptors; the callee answers, or destroys the session within its event. Run under AddressSanitizer.
 *
 * With libFuzzer this is LLVMFuzzerTestOneInput alone; else main runs seeded random inputs for some seconds:
 *
 *     fuzz_session [--seconds N] [--seed S]
 */
#include "base/check.h"
#include "base/log.h"
#include "base/seqpacket.h"
#include "controlplane/link/session.h"

#include <dirent.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct fuzz {
	const uint8_t *at;
	const uint8_t *end;
	struct session *session;
	bool is_ended; /* nothing more may be handed on */
};

static uint32_t script(struct fuzz *fuzz, unsigned int bytes)
{
	uint32_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | (fuzz->at < fuzz->end ? *fuzz->at++ : 0);
	return value;
}

static void end_it(struct fuzz *fuzz)
{
	session_destroy(fuzz->session);
	fuzz->session = NULL;
	fuzz->is_ended = true;
}

static void on_message(void *arg, struct session *session, const struct haul_frame *frame, int fd)
{
	struct fuzz *fuzz = arg;
	struct haul_control_answer answer = { 0 };

	BUG_ON(fuzz->is_ended);
	BUG_ON(frame->magic != HAUL_FRAME_MAGIC || frame->version != HAUL_CONTROL_VERSION ||
	       frame->reserved != 0);
	BUG_ON(frame->length < sizeof(*frame) || frame->length > HAUL_FRAME_BYTES_MAX);
	if (fd >= 0) {
		BUG_ON(fcntl(fd, F_GETFD) != FD_CLOEXEC);
		close(fd);
	}
	if (frame->type % 16 == 15) {
		end_it(fuzz);
		return;
	}
	frame_fill(&answer.frame, HAUL_CONTROL_VERSION, frame->type | HAUL_FRAME_ANSWER,
		   sizeof(answer), frame->request);
	(void)session_send(session, &answer, -1, (frame->type & 1) != 0);
}

static void on_closed(void *arg, struct session *session)
{
	struct fuzz *fuzz = arg;

	(void)session;
	BUG_ON(fuzz->is_ended);
	end_it(fuzz);
}

static void on_drained(void *arg, struct session *session)
{
	const struct fuzz *fuzz = arg;

	(void)session;
	BUG_ON(fuzz->is_ended);
}

/* One packet: most are frames, some of them damaged. */
static void play(struct fuzz *fuzz, int to)
{
	static union {
		struct haul_frame frame;
		uint8_t bytes[HAUL_FRAME_BYTES_MAX + 64];
	} message;

	size_t length = sizeof(message.frame) + script(fuzz, 1) * 16;
	uint32_t damage = script(fuzz, 1);
	int fds[2] = { -1, -1 };
	unsigned int fd_count = script(fuzz, 1) % 32;

	fd_count = fd_count > 2 ? 0 : fd_count;
	for (unsigned int i = 0; i < fd_count; i++)
		fds[i] = eventfd(0, 0);
	memset(&message, 0, sizeof(message));
	frame_fill(&message.frame, HAUL_CONTROL_VERSION, (uint16_t)script(fuzz, 1),
		   (uint32_t)length, script(fuzz, 2));
	if (damage % 16 == 0)
		message.bytes[script(fuzz, 1) % sizeof(message.frame)] = (uint8_t)script(fuzz, 1);
	if (damage % 16 == 1)
		length = 1 + script(fuzz, 2) % sizeof(message.bytes);
	(void)seqpacket_send(to, &message, length, fds, fd_count);
	seqpacket_close_fds(fds, fd_count);
}

/* Read the answers now and then: a peer that reads nothing fills the session's queue. */
static void hear(int socket)
{
	uint8_t bytes[HAUL_FRAME_BYTES_MAX];

	while (recv(socket, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static int descriptors(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	BUG_ON(directory == NULL);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz fuzz = { .at = data, .end = data + bytes };
	const struct session_events events = { on_message, on_closed, on_drained, &fuzz };
	int before = descriptors();
	struct event_base *base = event_base_new();
	int pair[2];
	int error;

	BUG_ON(base == NULL ||
	       socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0);
	error = session_create(base, pair[0], &events, &fuzz.session);
	BUG_ON(error != 0);
	while (fuzz.at < fuzz.end && !fuzz.is_ended) {
		uint32_t step = script(&fuzz, 1) % 8;

		if (step == 0)
			hear(pair[1]);
		else if (step == 1)
			event_base_loop(base, EVLOOP_NONBLOCK);
		else
			play(&fuzz, pair[1]);
	}
	close(pair[1]);
	event_base_loop(base, EVLOOP_NONBLOCK);
	session_destroy(fuzz.session);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_free(base);
	BUG_ON(descriptors() != before);
	return 0;
}

#ifndef FUZZ_LIBFUZZER

static uint64_t mix(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL), runs = 0;
	time_t end = time(NULL) + 5;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			end = time(NULL) + (time_t)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 10);
	}
	printf("HAUL_SEED=%" PRIu64 "\n", seed);
	(void)fflush(stdout);
	log_set_level(LOG_LEVEL_ERROR);
	for (; time(NULL) < end; runs++) {
		uint8_t input[1024];

		for (size_t i = 0; i < sizeof(input); i++)
			input[i] = (uint8_t)mix(&seed);
		(void)LLVMFuzzerTestOneInput(input, 1 + mix(&seed) % sizeof(input));
	}
	printf("%" PRIu64 " inputs\n", runs);
	return 0;
}

#endif
