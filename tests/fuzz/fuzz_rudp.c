/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: no packet, and no series of packets, crashes rudp or its handshake, opens what is never closed, or makes it send
 * without end.
 * Method: an input is a script: bytes that say what happens next (a packet, time, a transmission), so that the fuzzer
 * reaches states. Packets are taken raw, or built with the right ids and the script's fields, so that they get past the
 * first checks. With libFuzzer this is LLVMFuzzerTestOneInput alone; else main runs seeded random scripts and the
 * files that are named:
 *
 *     fuzz_rudp [--seconds N] [--seed S] [FILE...]
 */
#include "api/haul_error.h"
#include "base/check.h"
#include "rudp/cc.h"
#include "rudp/handshake.h"
#include "rudp/handshake_wire.h"
#include "rudp/rudp.h"
#include "rudp/wire.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define LOCAL_ID       UINT64_C(0x0100000000000001)
#define REMOTE_ID      UINT64_C(0x0200000000000002)
#define NUMBER         1000u
#define DATAGRAM_BYTES 1472u
/* A transmission ends after the window's packets at the latest. */
#define TRANSMIT_MAX (2 * RUDP_PACKETS_DEFAULT)

struct fuzz {
	struct rudp *rudp;
	struct rudp_connection *connection; /* NULL once gone */
	struct handshake *handshake;
	struct rudp_address address;
	uint64_t now_us;
	uint64_t seed;
	int64_t open;      /* operations of the peer that rudp says are open */
	uint32_t pending;  /* own operations */
	uint32_t number;   /* next number of packets that are built */
	bool has_crc;      /* packets carry a checksum */
	const uint8_t *at; /* of the script */
	const uint8_t *end;
	struct rudp_grant made;
	struct rudp_grant checked;
};

static uint32_t script(struct fuzz *fuzz, unsigned bytes)
{
	uint32_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | (fuzz->at < fuzz->end ? *fuzz->at++ : 0);
	return value;
}

static int fuzz_status(uint32_t dice)
{
	return dice % 16 < 12 ? 0 : (int)(dice % 16) - 10;
}

static int fuzz_place(void *context, struct rudp_placement *placement)
{
	struct fuzz *fuzz = context;
	int status = fuzz_status(script(fuzz, 1));
	volatile uint8_t last = ((const uint8_t *)placement->payload)[placement->length - 1];

	(void)last;
	if (status == 0 &&
	    (placement->flags & (RUDP_PLACE_FIRST | RUDP_PLACE_ONLY)) == RUDP_PLACE_FIRST)
		fuzz->open++;
	return status;
}

static int fuzz_notify(void *context, struct rudp_notification *notification)
{
	BUG_ON(notification->notice.number == 0 || notification->notice.number >> 63 != 0 ||
	       notification->notice.written > RUDP_OPERATION_BYTES_MAX ||
	       notification->offset > WIRE_U48_MAX);
	return fuzz_status(script(context, 1));
}

static int fuzz_open(void *context, struct rudp_opening *opening)
{
	struct fuzz *fuzz = context;
	int status = fuzz_status(script(fuzz, 1));

	BUG_ON(opening->length == 0 || opening->offset + opening->length > WIRE_U48_MAX + 1);
	if (status == 0)
		fuzz->open++;
	return status;
}

static void fuzz_closed(void *context, struct rudp_connection *connection, uint64_t region)
{
	struct fuzz *fuzz = context;

	(void)connection;
	(void)region;
	fuzz->open--;
	BUG_ON(fuzz->open < 0);
}

static int fuzz_source(void *context, struct rudp_source *source)
{
	if (source->kind == RUDP_NOTIFY)
		source->notice.number = 1;
	else
		memset(source->destination, 'x', source->length);
	return fuzz_status(script(context, 1));
}

static int fuzz_deliver(void *context, uint64_t cookie, uint32_t offset, const void *payload,
			uint32_t length)
{
	volatile uint8_t last = ((const uint8_t *)payload)[length - 1];

	(void)last;
	BUG_ON(offset + (uint64_t)length > cookie);
	return fuzz_status(script(context, 1));
}

static void fuzz_done(void *context, const struct rudp_completion *completion)
{
	struct fuzz *fuzz = context;

	BUG_ON(fuzz->pending == 0 || completion->bytes > completion->cookie);
	fuzz->pending--;
}

static void fuzz_state(void *context, struct rudp_connection *connection, enum rudp_state state,
		       enum rudp_end_reason reason)
{
	struct fuzz *fuzz = context;

	(void)connection;
	(void)reason;
	if (state != RUDP_GONE)
		return;
	BUG_ON(fuzz->open != 0 || fuzz->pending != 0);
	fuzz->connection = NULL;
}

/* Proofs are made and checked when the script says so; until then the last one waits. */
static bool fuzz_prove(void *context, const struct rudp_grant *grant)
{
	struct fuzz *fuzz = context;

	if (grant->serial % 4 == 0)
		return false;
	fuzz->made = *grant;
	return true;
}

static bool fuzz_check(void *context, const struct rudp_grant *grant)
{
	struct fuzz *fuzz = context;

	if (grant->serial % 4 == 1)
		return false;
	fuzz->checked = *grant;
	return true;
}

static const struct rudp_callbacks callbacks = {
	.place = fuzz_place,
	.notify = fuzz_notify,
	.open = fuzz_open,
	.closed = fuzz_closed,
	.source = fuzz_source,
	.deliver = fuzz_deliver,
	.done = fuzz_done,
	.state = fuzz_state,
	.prove = fuzz_prove,
	.check = fuzz_check,
};

static void fuzz_random(void *context, void *out, size_t bytes)
{
	struct fuzz *fuzz = context;

	for (uint8_t *at = out; bytes > 0; bytes--)
		*at++ = (uint8_t)(fuzz->seed++ * 73);
}

static void fuzz_established(void *context, void *user, const struct rudp_params *params)
{
	(void)context;
	(void)user;
	(void)params;
	/* Nobody here knows the key. */
	BUG_ON(true);
}

static void fuzz_failed(void *context, void *user, const struct handshake_report *report)
{
	(void)context;
	(void)user;
	BUG_ON(report->failure != HANDSHAKE_TIMEOUT && report->failure != HANDSHAKE_KEY);
}

static int fuzz_choose(void *context, const struct rudp_address *address)
{
	(void)context;
	(void)address;
	return 1;
}

static int fuzz_accept(void *context, const struct rudp_params *params)
{
	(void)context;
	(void)params;
	BUG_ON(true);
	return -EPERM;
}

static const struct handshake_callbacks handshake_callbacks = {
	.random = fuzz_random,
	.established = fuzz_established,
	.failed = fuzz_failed,
	.choose = fuzz_choose,
	.accept = fuzz_accept,
};

static void fuzz_create(struct fuzz *fuzz)
{
	struct rudp_config config = {
		.connections_max = 2,
		.operations = 16,
		.packets = RUDP_PACKETS_MIN,
		.datagram_bytes = DATAGRAM_BYTES,
		.worker = 1,
		.now_us = fuzz->now_us,
		.cc = cc_find(cc_name(script(fuzz, 1) % 3)),
		.callbacks = &callbacks,
		.context = fuzz,
	};
	struct rudp_params params = {
		.local_id = LOCAL_ID,
		.remote_id = REMOTE_ID,
		.address = fuzz->address,
		.packet_number_local = NUMBER,
		.packet_number_remote = NUMBER,
		.datagram_bytes = DATAGRAM_BYTES,
		.operations = 16,
		.packets = RUDP_PACKETS_MIN,
		.initiator = 1,
	};
	struct handshake_config handshake = {
		.key = "not in any script",
		.name = "fuzz",
		.incarnation = 1,
		.datagram_bytes = DATAGRAM_BYTES,
		.operations = 16,
		.packets = RUDP_PACKETS_MIN,
		.accepted_max = 4,
		.callbacks = &handshake_callbacks,
		.context = fuzz,
	};
	struct handshake_target target = {
		.address = fuzz->address,
		.worker = 1,
		.deadline_us = fuzz->now_us + 1000000,
	};
	uint64_t attempt;

	fuzz->has_crc = script(fuzz, 1) % 2 == 0;
	if (fuzz->has_crc)
		params.capabilities = RUDP_CAN_CRC | RUDP_WANTS_CRC;
	BUG_ON(rudp_create(&config, &fuzz->rudp) != 0);
	BUG_ON(rudp_connection_add(fuzz->rudp, fuzz->now_us, &params, NULL, &fuzz->connection) !=
	       0);
	BUG_ON(handshake_create(&handshake, fuzz->now_us, &fuzz->handshake) != 0);
	BUG_ON(handshake_connect(fuzz->handshake, fuzz->now_us, &target, &attempt) != 0);
}

/* A copy of exactly its length, so that a sanitizer sees a read behind it. */
static void fuzz_receive(struct fuzz *fuzz, const uint8_t *packet, size_t bytes)
{
	uint8_t *copy = malloc(bytes + 1);

	BUG_ON(copy == NULL);
	memcpy(copy + 1, packet, bytes);
	switch (rudp_packet_kind(copy + 1, bytes)) {
	case RUDP_PACKET_HANDSHAKE:
		handshake_receive(fuzz->handshake, fuzz->now_us, &fuzz->address, copy + 1, bytes);
		break;
	case RUDP_PACKET_CONNECTION:
	case RUDP_PACKET_RESET:
		if (rudp_receive_marked(fuzz->rudp, fuzz->now_us, &fuzz->address, copy + 1, bytes,
					(uint8_t)(bytes & 3)) == RUDP_RECEIVE_UNKNOWN)
			handshake_reset(fuzz->handshake, fuzz->now_us, &fuzz->address,
					rudp_packet_connection(copy + 1), bytes);
		break;
	case RUDP_PACKET_INVALID:
		break;
	}
	free(copy);
}

/* Frames whose fields come from the script; raw bytes seldom make one. Returns their bytes. */
static size_t fuzz_frame(struct fuzz *fuzz, uint8_t *out, size_t room)
{
	struct wire_ack ack = { .count = 1 + script(fuzz, 1) % 4,
				.has_counts = script(fuzz, 1) % 2 == 0,
				.ect0 = script(fuzz, 1),
				.ce = script(fuzz, 1) };
	struct wire_done done = { .low_water = script(fuzz, 1) % 40, .words = script(fuzz, 1) % 3 };
	struct wire_refuse refuse = { .operation = script(fuzz, 1) % 40,
				      .status = script(fuzz, 1) % 24 };
	struct wire_read read = { .operation = script(fuzz, 1) % 40, .length = script(fuzz, 2) };
	struct wire_grant grant = { .slot = script(fuzz, 1) % 4,
				    .serial = script(fuzz, 1) % 8,
				    .segment = script(fuzz, 1) % 4,
				    .rights = script(fuzz, 1) % 5 };
	struct wire_granted granted = { .slot = grant.slot,
					.serial = grant.serial,
					.status = script(fuzz, 1) % 24 };
	uint32_t at = NUMBER + script(fuzz, 1) % 64;

	for (uint32_t i = 0; i < ack.count; i++) {
		ack.ranges[i].last = at;
		at -= script(fuzz, 1) % 8;
		ack.ranges[i].first = at;
		at -= 2 + script(fuzz, 1) % 4;
	}
	for (uint32_t i = 0; i < done.words; i++)
		done.bits[i] = script(fuzz, 4);
	switch (script(fuzz, 1) % 8) {
	case 3:
		return wire_grant_write(out, room, &grant);
	case 4:
		return wire_granted_write(out, room, &granted);
	case 0:
		return wire_done_write(out, room, &done);
	case 1:
		return wire_refuse_write(out, room, &refuse);
	case 2:
		return wire_read_write(out, room, &read);
	default:
		return wire_ack_write(out, room, &ack);
	}
}

/* The payload of a notification, now and then a byte too long or with a field that must not be. Returns its bytes. */
static size_t fuzz_notice(struct fuzz *fuzz, uint8_t *payload)
{
	struct rudp_notice notice = { .number = script(fuzz, 1),
				      .value = script(fuzz, 2),
				      .written = script(fuzz, 4),
				      .worker = (uint8_t)script(fuzz, 1) };
	uint32_t dice = script(fuzz, 1);

	wire_notice_write(payload, &notice);
	if (dice % 4 == 0)
		payload[dice / 4 % WIRE_NOTICE_BYTES] ^= (uint8_t)script(fuzz, 1);
	return WIRE_NOTICE_BYTES + (dice % 16 == 1);
}

/* Puts a checksum in, seldom a wrong one, seldom none where there should be one or the other way round. Returns the bytes. */
static size_t fuzz_crc(struct fuzz *fuzz, uint8_t *packet, size_t bytes)
{
	size_t at = packet[0] == WIRE_CONTROL ? WIRE_HEADER_BYTES : WIRE_DATA_HEADER_BYTES;
	uint32_t dice = script(fuzz, 1);

	if (fuzz->has_crc == (dice % 32 == 0))
		return bytes;
	memmove(packet + at + WIRE_CRC_BYTES, packet + at, bytes - at);
	packet[1] |= WIRE_FLAG_CRC;
	wire_crc_write(packet, bytes + WIRE_CRC_BYTES);
	packet[at] ^= dice % 32 == 1;
	return bytes + WIRE_CRC_BYTES;
}

/* A packet that gets past the first checks, with the script's bytes behind its header. */
static void fuzz_build(struct fuzz *fuzz)
{
	uint8_t packet[DATAGRAM_BYTES] = { 0 };
	uint32_t dice = script(fuzz, 1);
	struct wire_header header = {
		.type = (uint8_t)(WIRE_WRITE + dice % 3),
		.flags = dice >> 2 & 1,
		.tick = (uint16_t)(fuzz->now_us / RUDP_TICK_US),
		.connection = LOCAL_ID,
		.number = fuzz->number,
	};
	struct wire_data data = {
		.operation = script(fuzz, 1) % 40,
		.age = (dice >> 3) % 8 == 0 ? script(fuzz, 1) : 0,
	};
	size_t bytes = WIRE_DATA_HEADER_BYTES + 1 + script(fuzz, 1) % 64;

	if (header.type == WIRE_READ_DATA)
		header.flags = 0;
	if (header.type == WIRE_WRITE && (dice >> 3 & 1) != 0)
		header.flags |= WIRE_FLAG_NOTIFY;
	fuzz->number += (dice >> 6) == 3 ? script(fuzz, 2) : 1;
	if (header.type != WIRE_CONTROL && data.age > 0 && dice % 5 == 0)
		header.flags = (uint8_t)(WIRE_FLAG_PIECE | (script(fuzz, 1) << WIRE_PIECE_SHIFT));
	wire_header_write(packet, &header);
	if (header.type == WIRE_CONTROL && dice >= 128) {
		bytes = WIRE_HEADER_BYTES;
		bytes += fuzz_frame(fuzz, packet + bytes, 200);
		bytes += fuzz_frame(fuzz, packet + bytes, 200);
		bytes = MAX(bytes, (size_t)WIRE_CONTROL_BYTES_MIN);
	} else if (header.type == WIRE_CONTROL) {
		for (size_t i = WIRE_HEADER_BYTES; i < bytes; i++)
			packet[i] = (uint8_t)script(fuzz, 1);
	} else {
		data.region = header.type == WIRE_WRITE ? dice : 0;
		data.offset = script(fuzz, 1);
		wire_data_write(packet, &data);
		if ((header.flags & WIRE_FLAG_NOTIFY) != 0)
			bytes = WIRE_DATA_HEADER_BYTES +
				fuzz_notice(fuzz, packet + WIRE_DATA_HEADER_BYTES);
	}
	bytes = fuzz_crc(fuzz, packet, bytes);
	fuzz_receive(fuzz, packet, bytes);
}

static void fuzz_raw(struct fuzz *fuzz)
{
	size_t bytes = script(fuzz, 1) * 2;

	if (bytes > (size_t)(fuzz->end - fuzz->at))
		bytes = (size_t)(fuzz->end - fuzz->at);
	fuzz->at += bytes;
	fuzz_receive(fuzz, fuzz->at - bytes, bytes);
}

static void fuzz_transmit(struct fuzz *fuzz)
{
	uint8_t buffer[DATAGRAM_BYTES];
	struct rudp_connection *connection;
	struct rudp_address address;
	unsigned count = 0;

	while ((connection = rudp_next_to_send(fuzz->rudp, fuzz->now_us)) != NULL) {
		while (rudp_transmit(connection, fuzz->now_us, NULL, buffer, sizeof(buffer)) > 0)
			BUG_ON(++count > TRANSMIT_MAX);
	}
	while (handshake_transmit(fuzz->handshake, fuzz->now_us, &address, buffer, sizeof(buffer)) >
	       0)
		BUG_ON(++count > TRANSMIT_MAX);
}

/* The cookie is the length, so that the callbacks can check against it. */
static void fuzz_submit(struct fuzz *fuzz)
{
	struct rudp_operation_request request = {
		.kind = (enum rudp_kind)(RUDP_WRITE + script(fuzz, 1) % 3),
		.length = 1 + script(fuzz, 2),
		.grant = script(fuzz, 1) % 4,
	};
	uint32_t id;

	if (request.kind == RUDP_NOTIFY)
		request.length = 0;
	request.cookie = request.length;
	if (fuzz->connection != NULL &&
	    rudp_submit(fuzz->connection, fuzz->now_us, &request, &id) == 0)
		fuzz->pending++;
}

static void fuzz_grant(struct fuzz *fuzz)
{
	uint32_t dice = script(fuzz, 1);
	struct rudp_grant *grant = dice % 2 == 0 ? &fuzz->made : &fuzz->checked;
	int status = dice / 8 % 3 == 0 ? HAUL_DENIED : HAUL_OK;
	uint8_t slot;

	if (fuzz->connection == NULL)
		return;
	rudp_grant_find(fuzz->connection, fuzz->now_us, dice % 5, 1 + dice % 3, 0, &slot);
	rudp_grants_ask(fuzz->rudp);
	if (dice % 2 == 0)
		rudp_grant_made(fuzz->connection, fuzz->now_us, grant->slot, grant->serial, status,
				grant->proof);
	else
		rudp_grant_checked(fuzz->connection, grant->slot, grant->serial, status);
}

static void fuzz_pass(struct fuzz *fuzz, uint64_t us)
{
	fuzz->now_us += us;
	for (int i = 0; i < 100 && rudp_advance(fuzz->rudp, fuzz->now_us) > 0; i++) {}
	handshake_advance(fuzz->handshake, fuzz->now_us);
}

static void fuzz_step(struct fuzz *fuzz)
{
	switch (script(fuzz, 1) % 9) {
	case 8:
		fuzz_grant(fuzz);
		break;
	case 0:
		fuzz_raw(fuzz);
		break;
	case 1:
		fuzz_pass(fuzz, script(fuzz, 1) * UINT64_C(64));
		break;
	case 2:
		fuzz_submit(fuzz);
		break;
	case 3:
		fuzz_transmit(fuzz);
		break;
	case 4:
		if (fuzz->connection != NULL)
			rudp_cancel(fuzz->connection, fuzz->now_us, script(fuzz, 1) % 32, 8, 0);
		break;
	default:
		fuzz_build(fuzz);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct fuzz fuzz = {
		.now_us = 1000000000,
		.number = NUMBER,
		.address = { .family = 4, .port = 7 },
		.at = data,
		.end = data + bytes,
	};

	fuzz_create(&fuzz);
	while (fuzz.at < fuzz.end)
		fuzz_step(&fuzz);
	if (fuzz.connection != NULL)
		rudp_connection_close(fuzz.connection, fuzz.now_us);
	/* Everything ends, also with nobody at the other end. */
	for (int i = 0; i < 20 && fuzz.connection != NULL; i++)
		fuzz_pass(&fuzz, 20000);
	BUG_ON(fuzz.connection != NULL || fuzz.open != 0 || fuzz.pending != 0);
	rudp_destroy(fuzz.rudp);
	handshake_destroy(fuzz.handshake);
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

/* What runs now, for whoever sees it crash. */
static uint64_t seed_now;

static void fuzz_crashed(int number)
{
	char text[64];
	int bytes =
		snprintf(text, sizeof(text), "replay: fuzz_rudp --seed %" PRIu64 "\n", seed_now);

	if (write(STDERR_FILENO, text, (size_t)bytes) < 0)
		_exit(2);
	signal(number, SIG_DFL);
	raise(number);
}

static int fuzz_file(const char *path)
{
	static uint8_t input[1 << 16];
	FILE *file = fopen(path, "rb");
	size_t bytes;

	if (file == NULL) {
		perror(path);
		return 1;
	}
	bytes = fread(input, 1, sizeof(input), file);
	fclose(file);
	return LLVMFuzzerTestOneInput(input, bytes);
}

/* One random script; small values are as likely as large ones, so that frames and ids get hit. */
static void fuzz_random_script(uint64_t seed)
{
	static uint8_t input[4096];
	size_t bytes;

	seed_now = seed;
	bytes = 1 + mix(&seed) % sizeof(input);
	for (size_t i = 0; i < bytes; i++) {
		uint64_t dice = mix(&seed);

		input[i] = (uint8_t)(dice >> 8) >> (dice % 3 == 0 ? 0 : dice % 3 == 1 ? 5 : 3);
	}
	LLVMFuzzerTestOneInput(input, bytes);
}

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL) << 20;
	time_t seconds = 5;
	time_t end;
	uint64_t runs = 0;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc)
			seconds = (time_t)strtoul(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
			/* That one script, and no other. */
			return fuzz_random_script(strtoull(argv[++i], NULL, 10)), 0;
		else
			return fuzz_file(argv[i]);
	}
	signal(SIGABRT, fuzz_crashed);
	signal(SIGSEGV, fuzz_crashed);
	end = time(NULL) + seconds;
	while (time(NULL) < end) {
		for (int i = 0; i < 100; i++, runs++)
			fuzz_random_script(seed + runs);
	}
	printf("%" PRIu64 " scripts from seed %" PRIu64 "\n", runs, seed);
	return 0;
}

#endif
