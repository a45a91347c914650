/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reading and writing rudp's bytes. Pure functions; the parsers are fed by the fuzzer and by whoever can
 * reach the port, so each checks length before it reads and every reserved bit it passes.
 */
#include "rudp/wire.h"

#include "base/check.h"
#include "base/crc32c.h"

#include <assert.h>
#include <string.h>

#define ACK_FIXED_BYTES  12u
#define ACK_RANGE_BYTES  4u
#define ACK_COUNTS       0x80u
#define ACK_COUNTS_BYTES 8u
#define DONE_FIXED_BYTES 8u
#define AGE_MASK         (WIRE_AGE_LIMIT - 1u)
#define OPERATION_MASK   ((1u << WIRE_OPERATION_BITS) - 1u)
#define PIECE_FLAGS      (WIRE_FLAG_PIECE | WIRE_PIECE_MASK | WIRE_FLAG_LAST)

static_assert(WIRE_OPERATION_BITS + 12u == 32u && WIRE_AGE_LIMIT == 1u << 12,
	      "operation and age share 32 bits");

/* A piece is not the only packet of its operation, and never its chunk's first transmission: its age is not zero. */
static bool piece_flags_are_sound(const uint8_t *packet, const struct wire_header *header)
{
	return (header->type == WIRE_WRITE || header->type == WIRE_READ_DATA) &&
	       (header->flags & WIRE_FLAG_PIECE) != 0 &&
	       (header->flags & ~(PIECE_FLAGS | WIRE_FLAG_CRC)) == 0 &&
	       (wire_u32_read(packet + 16) & AGE_MASK) != 0;
}

bool wire_header_parse(const uint8_t *packet, size_t bytes, struct wire_header *out)
{
	static const uint8_t bytes_min[] = {
		[WIRE_WRITE] = WIRE_DATA_HEADER_BYTES + 1,
		[WIRE_READ_DATA] = WIRE_DATA_HEADER_BYTES + 1,
		[WIRE_CONTROL] = WIRE_CONTROL_BYTES_MIN,
		[WIRE_RESET] = WIRE_RESET_BYTES,
	};
	static const uint8_t flags_known[] = {
		[WIRE_WRITE] = WIRE_FLAG_ONLY | WIRE_FLAG_NOTIFY | WIRE_FLAG_CRC,
		[WIRE_READ_DATA] = WIRE_FLAG_CRC,
		[WIRE_CONTROL] = WIRE_FLAG_NUMBERED | WIRE_FLAG_CRC,
		[WIRE_RESET] = 0,
	};

	if (bytes < WIRE_HEADER_BYTES)
		return false;
	out->type = packet[0];
	out->flags = packet[1];
	if (out->type < WIRE_WRITE || out->type > WIRE_RESET)
		return false;
	if (bytes < bytes_min[out->type])
		return false;
	/* Data has a byte at least behind it, too; the least control packet is longer anyway. */
	if ((out->flags & WIRE_FLAG_CRC) != 0 && out->type <= WIRE_READ_DATA &&
	    bytes < WIRE_DATA_HEADER_BYTES + WIRE_CRC_BYTES + 1)
		return false;
	if (UNLIKELY((out->flags & ~flags_known[out->type]) != 0) &&
	    !piece_flags_are_sound(packet, out))
		return false;
	out->tick = wire_u16_read(packet + 2);
	out->connection = wire_u64_read(packet + 4);
	out->number = wire_u32_read(packet + 12);
	return true;
}

static size_t crc_at(const uint8_t *packet)
{
	return packet[0] == WIRE_CONTROL ? WIRE_HEADER_BYTES : WIRE_DATA_HEADER_BYTES;
}

uint32_t wire_crc(const uint8_t *packet, size_t bytes)
{
	size_t at = crc_at(packet);
	size_t behind = at + WIRE_CRC_BYTES;

	ASSERT(bytes >= behind);
	return crc32c(crc32c(0, packet + behind, bytes - behind), packet, at);
}

void wire_crc_write(uint8_t *packet, size_t bytes)
{
	wire_u32_write(packet + crc_at(packet), wire_crc(packet, bytes));
}

bool wire_crc_is_good(const uint8_t *packet, size_t bytes)
{
	return wire_u32_read(packet + crc_at(packet)) == wire_crc(packet, bytes);
}

bool wire_data_parse(const uint8_t *packet, const struct wire_header *header, struct wire_data *out)
{
	uint32_t operation = wire_u32_read(packet + 16);

	out->operation = operation >> 12;
	out->age = operation & AGE_MASK;
	out->region = wire_u48_read(packet + 20);
	out->grant = packet[26];
	out->offset = wire_u48_read(packet + 26) & WIRE_OFFSET_MAX;
	return header->type == WIRE_WRITE || (out->region | out->grant) == 0;
}

void wire_header_write(uint8_t *packet, const struct wire_header *header)
{
	packet[0] = header->type;
	packet[1] = header->flags;
	wire_u16_write(packet + 2, header->tick);
	wire_u64_write(packet + 4, header->connection);
	wire_u32_write(packet + 12, header->number);
}

void wire_data_write(uint8_t *packet, const struct wire_data *data)
{
	ASSERT(data->age < WIRE_AGE_LIMIT);
	ASSERT(data->offset <= WIRE_OFFSET_MAX && data->region <= WIRE_U48_MAX);
	wire_u32_write(packet + 16, (data->operation & OPERATION_MASK) << 12 | data->age);
	wire_u48_write(packet + 20, data->region);
	wire_place_write(packet + 26, data->grant, data->offset);
}

static bool is_zero(const uint8_t *in, size_t room)
{
	for (size_t i = 0; i < room; i++) {
		if (in[i] != 0)
			return false;
	}
	return true;
}

/* number 8, value 8, tag 4, written 4, worker 1, zero 7. */
bool wire_notice_parse(const uint8_t *payload, size_t bytes, struct rudp_notice *out)
{
	if (bytes != WIRE_NOTICE_BYTES || !is_zero(payload + 25, WIRE_NOTICE_BYTES - 25))
		return false;
	out->number = wire_u64_read(payload);
	out->value = wire_u64_read(payload + 8);
	out->tag = wire_u32_read(payload + 16);
	out->written = wire_u32_read(payload + 20);
	out->worker = payload[24];
	return out->number != 0 && out->number >> 63 == 0 &&
	       out->written <= RUDP_OPERATION_BYTES_MAX;
}

void wire_notice_write(uint8_t *payload, const struct rudp_notice *notice)
{
	wire_u64_write(payload, notice->number);
	wire_u64_write(payload + 8, notice->value);
	wire_u32_write(payload + 16, notice->tag);
	wire_u32_write(payload + 20, notice->written);
	wire_u64_write(payload + 24, (uint64_t)notice->worker << 56);
}

/*
 * type 1, ranges below the topmost 1, delay 2, largest 4, below it 2, zero 2, with ACK_COUNTS {ECT(0) 4, CE 4}, then
 * {gap 2, count 2}.
 */
static int ack_parse(const uint8_t *in, size_t room, struct wire_ack *out)
{
	size_t bytes;
	uint32_t first;

	if (room < ACK_FIXED_BYTES || (in[1] & ~ACK_COUNTS) >= WIRE_RANGES_MAX)
		return -1;
	out->count = (in[1] & ~ACK_COUNTS) + 1u;
	out->has_counts = (in[1] & ACK_COUNTS) != 0;
	bytes = ACK_FIXED_BYTES + (out->count - 1) * (size_t)ACK_RANGE_BYTES +
		(out->has_counts ? ACK_COUNTS_BYTES : 0u);
	if (room < bytes || wire_u16_read(in + 10) != 0)
		return -1;
	out->delay_us = wire_u16_read(in + 2);
	out->ranges[0].last = wire_u32_read(in + 4);
	out->ranges[0].first = first = out->ranges[0].last - wire_u16_read(in + 8);
	in += ACK_FIXED_BYTES;
	if (out->has_counts) {
		out->ect0 = wire_u32_read(in);
		out->ce = wire_u32_read(in + 4);
		in += ACK_COUNTS_BYTES;
	}
	for (uint32_t i = 1; i < out->count; i++, in += ACK_RANGE_BYTES) {
		uint16_t gap = wire_u16_read(in);
		uint16_t count = wire_u16_read(in + 2);

		if (gap == 0 || count == 0)
			return -1;
		out->ranges[i].last = first - gap - 1;
		out->ranges[i].first = first = out->ranges[i].last - (count - 1u);
	}
	return (int)bytes;
}

/* type 1, zero 1, zero 2. */
static int ping_parse(const uint8_t *in, size_t room)
{
	if (room < WIRE_PING_BYTES || in[1] != 0 || wire_u16_read(in + 2) != 0)
		return -1;
	return (int)WIRE_PING_BYTES;
}

/* type 1, zero 1, zero 2, operation 4, region 6, grant 1, offset 5, length 4. */
static int read_parse(const uint8_t *in, size_t room, struct wire_read *out)
{
	if (room < WIRE_READ_BYTES || in[1] != 0 || wire_u16_read(in + 2) != 0)
		return -1;
	out->operation = wire_u32_read(in + 4);
	out->region = wire_u48_read(in + 8);
	out->grant = in[14];
	out->offset = wire_u48_read(in + 14) & WIRE_OFFSET_MAX;
	out->length = wire_u32_read(in + 20);
	return (int)WIRE_READ_BYTES;
}

/* type 1, status 1, reason 2, operation 4, version 8. */
static int refuse_parse(const uint8_t *in, size_t room, struct wire_refuse *out)
{
	if (room < WIRE_REFUSE_BYTES)
		return -1;
	out->status = in[1];
	out->reason = wire_u16_read(in + 2);
	out->operation = wire_u32_read(in + 4);
	out->version = wire_u64_read(in + 8);
	return (int)WIRE_REFUSE_BYTES;
}

/* type 1, slot 1, rights 1, zero 1, serial 4, segment 4, proof 16. */
static int grant_parse(const uint8_t *in, size_t room, struct wire_grant *out)
{
	if (room < WIRE_GRANT_BYTES || in[3] != 0)
		return -1;
	out->slot = in[1];
	out->rights = in[2];
	out->serial = wire_u32_read(in + 4);
	out->segment = wire_u32_read(in + 8);
	memcpy(out->proof, in + 12, sizeof(out->proof));
	return out->segment != 0 && out->rights >= 1 && out->rights <= 3 ? (int)WIRE_GRANT_BYTES
									 : -1;
}

/* type 1, slot 1, status 1, zero 1, serial 4. */
static int granted_parse(const uint8_t *in, size_t room, struct wire_granted *out)
{
	if (room < WIRE_GRANTED_BYTES || in[3] != 0)
		return -1;
	out->slot = in[1];
	out->status = in[2];
	out->serial = wire_u32_read(in + 4);
	return (int)WIRE_GRANTED_BYTES;
}

/* type 1, words 1, zero 2, low-water mark 4, then words of 4. */
static int done_parse(const uint8_t *in, size_t room, struct wire_done *out)
{
	size_t bytes;

	if (room < DONE_FIXED_BYTES || in[1] > WIRE_DONE_WORDS_MAX || wire_u16_read(in + 2) != 0)
		return -1;
	bytes = DONE_FIXED_BYTES + in[1] * sizeof(uint32_t);
	if (room < bytes)
		return -1;
	out->words = in[1];
	out->low_water = wire_u32_read(in + 4);
	for (uint32_t i = 0; i < out->words; i++)
		out->bits[i] = wire_u32_read(in + DONE_FIXED_BYTES + i * sizeof(uint32_t));
	return (int)bytes;
}

int wire_frame_parse(const uint8_t **cursor, const uint8_t *end, struct wire_frame *out)
{
	const uint8_t *in = *cursor;
	size_t room = (size_t)(end - in);
	int bytes = -1;

	if (room == 0)
		return 0;
	out->type = in[0];
	switch (in[0]) {
	case WIRE_FRAME_PAD:
		*cursor = end;
		return is_zero(in, room) ? 0 : -1;
	case WIRE_FRAME_ACK:
		bytes = ack_parse(in, room, &out->ack);
		break;
	case WIRE_FRAME_PING:
		bytes = ping_parse(in, room);
		break;
	case WIRE_FRAME_READ:
		bytes = read_parse(in, room, &out->read);
		break;
	case WIRE_FRAME_REFUSE:
		bytes = refuse_parse(in, room, &out->refuse);
		break;
	case WIRE_FRAME_DONE:
		bytes = done_parse(in, room, &out->done);
		break;
	case WIRE_FRAME_GRANT:
		bytes = grant_parse(in, room, &out->grant);
		break;
	case WIRE_FRAME_GRANTED:
		bytes = granted_parse(in, room, &out->granted);
		break;
	default:
		break;
	}
	if (bytes < 0)
		return -1;
	*cursor = in + bytes;
	return 1;
}

size_t wire_ack_write(uint8_t *out, size_t room, const struct wire_ack *ack)
{
	size_t bytes = ACK_FIXED_BYTES + (ack->count - 1u) * (size_t)ACK_RANGE_BYTES +
		       (ack->has_counts ? ACK_COUNTS_BYTES : 0u);
	uint32_t first = ack->ranges[0].first;

	ASSERT(ack->count >= 1 && ack->count <= WIRE_RANGES_MAX);
	if (room < bytes)
		return 0;
	out[0] = WIRE_FRAME_ACK;
	out[1] = (uint8_t)((ack->count - 1) | (ack->has_counts ? ACK_COUNTS : 0u));
	wire_u16_write(out + 2, (uint16_t)MIN(ack->delay_us, (uint32_t)UINT16_MAX));
	wire_u32_write(out + 4, ack->ranges[0].last);
	wire_u16_write(out + 8, (uint16_t)(ack->ranges[0].last - first));
	wire_u16_write(out + 10, 0);
	out += ACK_FIXED_BYTES;
	if (ack->has_counts) {
		wire_u32_write(out, ack->ect0);
		wire_u32_write(out + 4, ack->ce);
		out += ACK_COUNTS_BYTES;
	}
	for (uint32_t i = 1; i < ack->count; i++, out += ACK_RANGE_BYTES) {
		const struct wire_range *range = &ack->ranges[i];

		wire_u16_write(out, (uint16_t)(first - range->last - 1));
		wire_u16_write(out + 2, (uint16_t)(range->last - range->first + 1));
		first = range->first;
	}
	return bytes;
}

size_t wire_ping_write(uint8_t *out, size_t room)
{
	if (room < WIRE_PING_BYTES)
		return 0;
	wire_u32_write(out, (uint32_t)WIRE_FRAME_PING << 24);
	return WIRE_PING_BYTES;
}

size_t wire_read_write(uint8_t *out, size_t room, const struct wire_read *read)
{
	if (room < WIRE_READ_BYTES)
		return 0;
	wire_u32_write(out, (uint32_t)WIRE_FRAME_READ << 24);
	wire_u32_write(out + 4, read->operation);
	wire_u48_write(out + 8, read->region);
	wire_place_write(out + 14, read->grant, read->offset);
	wire_u32_write(out + 20, read->length);
	return WIRE_READ_BYTES;
}

size_t wire_refuse_write(uint8_t *out, size_t room, const struct wire_refuse *refuse)
{
	if (room < WIRE_REFUSE_BYTES)
		return 0;
	out[0] = WIRE_FRAME_REFUSE;
	out[1] = refuse->status;
	wire_u16_write(out + 2, refuse->reason);
	wire_u32_write(out + 4, refuse->operation);
	wire_u64_write(out + 8, refuse->version);
	return WIRE_REFUSE_BYTES;
}

size_t wire_done_write(uint8_t *out, size_t room, const struct wire_done *done)
{
	size_t bytes = DONE_FIXED_BYTES + done->words * sizeof(uint32_t);

	ASSERT(done->words <= WIRE_DONE_WORDS_MAX);
	if (room < bytes)
		return 0;
	out[0] = WIRE_FRAME_DONE;
	out[1] = (uint8_t)done->words;
	wire_u16_write(out + 2, 0);
	wire_u32_write(out + 4, done->low_water);
	for (uint32_t i = 0; i < done->words; i++)
		wire_u32_write(out + DONE_FIXED_BYTES + i * sizeof(uint32_t), done->bits[i]);
	return bytes;
}

size_t wire_grant_write(uint8_t *out, size_t room, const struct wire_grant *grant)
{
	if (room < WIRE_GRANT_BYTES)
		return 0;
	out[0] = WIRE_FRAME_GRANT;
	out[1] = grant->slot;
	out[2] = grant->rights;
	out[3] = 0;
	wire_u32_write(out + 4, grant->serial);
	wire_u32_write(out + 8, grant->segment);
	memcpy(out + 12, grant->proof, sizeof(grant->proof));
	return WIRE_GRANT_BYTES;
}

size_t wire_granted_write(uint8_t *out, size_t room, const struct wire_granted *granted)
{
	if (room < WIRE_GRANTED_BYTES)
		return 0;
	out[0] = WIRE_FRAME_GRANTED;
	out[1] = granted->slot;
	out[2] = granted->status;
	out[3] = 0;
	wire_u32_write(out + 4, granted->serial);
	return WIRE_GRANTED_BYTES;
}
