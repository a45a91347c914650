/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The bytes of rudp's packets: the only file, with wire.c, that knows where a field stands. Everything is
 * in network order. What is parsed here has been checked for form (lengths, reserved bits, counts), never for
 * meaning. docs/protocol.md draws each picture.
 *
 *      0       1       2               4
 *     +-------+-------+---------------+-------------------------------+
 *     | type  | flags | tick          | connection (8)                |
 *     +-------+-------+---------------+-------------------------------+ 12
 *     | packet number |
 *     +---------------+ 16                     ... a control packet's frames, or of a data packet:
 *     | operation (20 bits), age (12 bits) |
 *     +------------------------------------+ 20
 *     | region (6) | grant, offset (5)     |
 *     +------------------------------------+ 32  payload
 *
 * With CRC in the flags 4 bytes of it stand between that and the frames or the payload.
 */
#ifndef RUDP_WIRE_H
#define RUDP_WIRE_H

#include "rudp/rudp_types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** First byte of every packet. Handshake types have the top bit, see handshake_wire.h. */
enum wire_type {
	WIRE_WRITE = 0x01,     /**< initiator -> target: bytes for a region */
	WIRE_READ_DATA = 0x02, /**< target -> initiator: bytes of a READ */
	WIRE_CONTROL = 0x03,   /**< frames */
	WIRE_RESET = 0x04,     /**< a token in place of a connection's state */
	WIRE_HANDSHAKE = 0x80, /**< this bit: for the control thread */
};

/** Flags; all others are zero and checked. */
#define WIRE_FLAG_ONLY     0x01u /**< WRITE: the packet is the whole operation */
#define WIRE_FLAG_NOTIFY   0x02u /**< WRITE, with ONLY: the payload is a notice, not for memory */
#define WIRE_FLAG_NUMBERED 0x01u /**< CONTROL: in the number space, to be acknowledged */
#define WIRE_FLAG_CRC      0x04u /**< all but RESET: a checksum of the packet is in it */
/** WRITE and READ DATA: a piece of a chunk; without it the other bits are zero. */
#define WIRE_FLAG_PIECE  0x08u
#define WIRE_PIECE_MASK  0x70u /**< which one */
#define WIRE_PIECE_SHIFT 4u
#define WIRE_FLAG_LAST   0x80u /**< the chunk has none behind it */

#define WIRE_HEADER_BYTES      16u
#define WIRE_DATA_HEADER_BYTES 32u
#define WIRE_RESET_BYTES       32u
#define WIRE_CRC_BYTES         4u
/** Number of a reset: what its sender means. */
#define WIRE_RESET_UNKNOWN 0u /**< the connection is not known here: this process is a new one */
#define WIRE_RESET_CLOSED  1u /**< the connection was closed */
/** Control packets are padded to this, so that a reset is never longer than its cause. */
#define WIRE_CONTROL_BYTES_MIN 32u

/** Bits of an operation's id in a data packet; receivers widen it. */
#define WIRE_OPERATION_BITS 20u
/** One more than the largest age: also the most packet numbers that may be unsettled. */
#define WIRE_AGE_LIMIT 4096u
/** Regions have 48 bits, offsets 40. */
#define WIRE_U48_MAX    ((UINT64_C(1) << 48) - 1)
#define WIRE_OFFSET_MAX ((UINT64_C(1) << 40) - 1)

struct wire_header {
	uint64_t connection; /**< the receiver's id; of a RESET the sender's */
	uint32_t number;     /**< packet number; of an unnumbered control packet any */
	uint16_t tick;       /**< WRITE: latest learnt of the target; others: the sender's own */
	uint8_t type;        /**< enum wire_type */
	uint8_t flags;       /**< WIRE_FLAG_* */
};

struct wire_data {
	uint64_t region;    /**< WRITE: handle at the target; READ_DATA: 0 */
	uint64_t offset;    /**< WRITE: in the region; READ_DATA: from the operation's start */
	uint32_t operation; /**< low WIRE_OPERATION_BITS of the id */
	uint32_t age;       /**< number - age = the number of the chunk's first transmission */
	uint8_t grant;      /**< WRITE: slot of what the initiator was granted; READ_DATA: 0 */
};

/** First byte of a frame. */
enum wire_frame_type {
	WIRE_FRAME_PAD = 0,     /**< zeros to the packet's end */
	WIRE_FRAME_ACK = 1,     /**< numbers that were received and settled */
	WIRE_FRAME_PING = 2,    /**< asks for an acknowledgement */
	WIRE_FRAME_READ = 3,    /**< begins a READ */
	WIRE_FRAME_REFUSE = 4,  /**< ends an operation of the receiver */
	WIRE_FRAME_DONE = 5,    /**< operations of the sender that are over */
	WIRE_FRAME_GRANT = 6,   /**< what the sender may do with a segment, and the proof */
	WIRE_FRAME_GRANTED = 7, /**< the answer to that */
};

#define WIRE_NOTICE_BYTES   32u /**< the payload of a NOTIFY */
#define WIRE_RANGES_MAX     32u /**< in an ACK, the topmost included */
#define WIRE_DONE_WORDS_MAX 32u /**< 32 x 32 = RUDP_OPERATIONS_MAX */
#define WIRE_PING_BYTES     4u
#define WIRE_READ_BYTES     24u
#define WIRE_REFUSE_BYTES   16u
#define WIRE_GRANT_BYTES    28u
#define WIRE_GRANTED_BYTES  8u

/** Numbers first to last, both included. */
struct wire_range {
	uint32_t first;
	uint32_t last;
};

struct wire_ack {
	uint32_t count;    /**< ranges, 1 to WIRE_RANGES_MAX */
	uint32_t delay_us; /**< since the largest came, saturates at 65535 */
	uint32_t ect0;     /**< with has_counts: numbers ever acknowledged that came as ECT(0) */
	uint32_t ce;       /**< likewise, with a mark */
	bool has_counts;   /**< the frame has them */
	struct wire_range ranges[WIRE_RANGES_MAX]; /**< the topmost first */
};

struct wire_read {
	uint64_t region;
	uint64_t offset;
	uint32_t operation;
	uint32_t length;
	uint8_t grant;
};

struct wire_refuse {
	uint64_t version;
	uint32_t operation;
	uint16_t reason;
	uint8_t status;
};

struct wire_done {
	uint32_t low_water; /**< ids before it are over */
	uint32_t words;     /**< of bits that are used */
	/** Bit i of word w: id low_water + 32 w + i is over. */
	uint32_t bits[WIRE_DONE_WORDS_MAX];
};

struct wire_grant {
	uint32_t serial;
	uint32_t segment; /**< not 0 */
	uint8_t slot;
	uint8_t rights; /**< 1 to 3 */
	uint8_t proof[RUDP_PROOF_BYTES];
};

struct wire_granted {
	uint32_t serial;
	uint8_t slot;
	uint8_t status; /**< 0 = granted */
};

struct wire_frame {
	enum wire_frame_type type;

	union {
		struct wire_ack ack;
		struct wire_read read;
		struct wire_refuse refuse;
		struct wire_done done;
		struct wire_grant grant;
		struct wire_granted granted;
	};
};

/** The number of the piece that a packet carries. */
static inline uint32_t wire_piece(uint8_t flags)
{
	return (flags & WIRE_PIECE_MASK) >> WIRE_PIECE_SHIFT;
}

/**
 * The CRC-32C of a packet with WIRE_FLAG_CRC, of all bytes but its own: of what is behind it, and then of the header before
 * it. What is behind it may so be summed up before all of the header is known.
 */
uint32_t wire_crc(const uint8_t *packet, size_t bytes);
void wire_crc_write(uint8_t *packet, size_t bytes);
bool wire_crc_is_good(const uint8_t *packet, size_t bytes);

/** Checks type, flags and least length. */
bool wire_header_parse(const uint8_t *packet, size_t bytes, struct wire_header *out);
/** For a packet of which wire_header_parse has said that it is WRITE or READ_DATA. */
bool wire_data_parse(const uint8_t *packet, const struct wire_header *header,
		     struct wire_data *out);
void wire_header_write(uint8_t *packet, const struct wire_header *header);
void wire_data_write(uint8_t *packet, const struct wire_data *data);
/** The payload of a packet with NOTIFY; writing it takes WIRE_NOTICE_BYTES. */
bool wire_notice_parse(const uint8_t *payload, size_t bytes, struct rudp_notice *out);
void wire_notice_write(uint8_t *payload, const struct rudp_notice *notice);

/**
 * The next frame at *cursor, which moves behind it. Returns 1, 0 at the end, -1 when the rest breaks
 * the format.
 */
int wire_frame_parse(const uint8_t **cursor, const uint8_t *end, struct wire_frame *out);

/** Each writes a frame and returns its bytes, 0 when it does not fit. */
size_t wire_ack_write(uint8_t *out, size_t room, const struct wire_ack *ack);
size_t wire_ping_write(uint8_t *out, size_t room);
size_t wire_read_write(uint8_t *out, size_t room, const struct wire_read *read);
size_t wire_refuse_write(uint8_t *out, size_t room, const struct wire_refuse *refuse);
size_t wire_done_write(uint8_t *out, size_t room, const struct wire_done *done);
size_t wire_grant_write(uint8_t *out, size_t room, const struct wire_grant *grant);
size_t wire_granted_write(uint8_t *out, size_t room, const struct wire_granted *granted);

/** The id nearest to expected whose low bits are low. */
static inline uint32_t wire_operation_expand(uint32_t expected, uint32_t low)
{
	const unsigned shift = 32u - WIRE_OPERATION_BITS;
	int32_t distance = (int32_t)((low - expected) << shift) >> shift;

	return expected + (uint32_t)distance;
}

static inline void wire_u16_write(uint8_t *out, uint16_t value)
{
	out[0] = (uint8_t)(value >> 8);
	out[1] = (uint8_t)value;
}

static inline void wire_u32_write(uint8_t *out, uint32_t value)
{
	value = __builtin_bswap32(value);
	__builtin_memcpy(out, &value, sizeof(value));
}

static inline void wire_u64_write(uint8_t *out, uint64_t value)
{
	value = __builtin_bswap64(value);
	__builtin_memcpy(out, &value, sizeof(value));
}

static inline void wire_u48_write(uint8_t *out, uint64_t value)
{
	wire_u16_write(out, (uint16_t)(value >> 32));
	wire_u32_write(out + 2, (uint32_t)value);
}

/** A slot of grants, and an offset behind it. */
static inline void wire_place_write(uint8_t *out, uint8_t grant, uint64_t offset)
{
	wire_u48_write(out, (uint64_t)grant << 40 | offset);
}

static inline uint16_t wire_u16_read(const uint8_t *in)
{
	return (uint16_t)(in[0] << 8 | in[1]);
}

static inline uint32_t wire_u32_read(const uint8_t *in)
{
	uint32_t value;

	__builtin_memcpy(&value, in, sizeof(value));
	return __builtin_bswap32(value);
}

static inline uint64_t wire_u64_read(const uint8_t *in)
{
	uint64_t value;

	__builtin_memcpy(&value, in, sizeof(value));
	return __builtin_bswap64(value);
}

static inline uint64_t wire_u48_read(const uint8_t *in)
{
	return (uint64_t)wire_u16_read(in) << 32 | wire_u32_read(in + 2);
}

#endif
