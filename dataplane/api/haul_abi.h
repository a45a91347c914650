/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The shared memory of one channel: a header, a submission ring, a completion ring and a notification ring
 * in one sealed memfd that the daemon creates and both sides map.
 *
 *   0        4096          + 64 x entries  + 32 x completions  + 128 x notifications
 *   +--------+-------------+---------------+-------------------+
 *   | header | submissions | completions   | notifications     |
 *   +--------+-------------+---------------+-------------------+
 *
 * The first two rings are single producer, single consumer; into the third all workers of the daemon write, so
 * each of its slots says by itself when it is whole. Indexes run freely over 32 bits and are masked at use, so
 * that full and empty differ. Each index stands on a cache line of its own. The daemon believes nothing
 * that it reads here: it keeps its own copy of what it owns, bounds the client's indexes before use, and
 * copies an entry once before it validates it. Everything is in host order; the daemon is on this host.
 *
 * Who writes what is said field by field. docs/rings.md has every byte with pictures.
 */
#ifndef HAUL_ABI_H
#define HAUL_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The layout's version; both sides refuse another. */
#define HAUL_ABI_VERSION 3u

/** "HAULRING" as a little-endian word. */
#define HAUL_ABI_MAGIC 0x474e49524c554148ull

/** Bounds of a ring's size in entries; sizes are powers of two. */
#define HAUL_RING_ENTRIES_MIN 2u
#define HAUL_RING_ENTRIES_MAX 4096u

/** Batches that one channel may have open at a time; batch ids are 1 to this. */
#define HAUL_BATCHES_MAX 255u

/**
 * Completions that batches without their last entry leave to others: with so many fewer open batches than completions, an
 * entry that would open another one is refused with HAUL_BUSY. Two for one more entry, so that what closes a batch can
 * always be submitted, and one for a cancellation.
 */
#define HAUL_COMPLETIONS_KEPT 3u

/** The longest operation in bytes: bounded so that progress is seen and a slice map stays small. */
#define HAUL_OPERATION_BYTES_MAX (1u << 30)

/** Offsets of a segment are below this: they have 48 bits in an entry. */
#define HAUL_SPACE_BYTES_MAX (UINT64_C(1) << 48)

/** In a wish for a buffer: wherever there is room in its segment. */
#define HAUL_OFFSET_ANY UINT64_MAX

/** A 48-bit little-endian number, so that an entry's four region and offset fields fit 24 bytes. */
struct haul_u48 {
	uint16_t word[3]; /**< least significant first */
};

static inline uint64_t haul_u48_get(struct haul_u48 number)
{
	return (uint64_t)number.word[0] | (uint64_t)number.word[1] << 16 |
	       (uint64_t)number.word[2] << 32;
}

static inline struct haul_u48 haul_u48_make(uint64_t value)
{
	struct haul_u48 number;

	number.word[0] = (uint16_t)value;
	number.word[1] = (uint16_t)(value >> 16);
	number.word[2] = (uint16_t)(value >> 32);
	return number;
}

/** What an entry asks for. The object store's numbers are reserved and refused with HAUL_INVALID. */
enum haul_opcode {
	HAUL_OP_NOP = 0,    /**< completes at once; measures the rings */
	HAUL_OP_WRITE = 1,  /**< local region -> remote region */
	HAUL_OP_READ = 2,   /**< remote region -> local region */
	HAUL_OP_CANCEL = 3, /**< ends operations of this channel: enum haul_match */
	HAUL_OP_BUFFER_REMOVE =
		4, /**< local_region is the buffer's; the other fields are zero, checked */
	HAUL_OP_EXTENT_PUBLISH =
		5, /**< local_region is a divided buffer's, local_offset and value (its bytes) the extent's place */
	HAUL_OP_EXTENT_RETIRE =
		6,        /**< local_region is the extent's; the other fields as of BUFFER_REMOVE */
	HAUL_OP_PUT = 16, /**< reserved */
	HAUL_OP_GET = 17, /**< reserved */
	HAUL_OP_REMOVE = 18, /**< reserved */
	HAUL_OP_EXISTS = 19, /**< reserved */
};

/**
 * What a CANCEL entry is for: stands in its tag, and value says which. All its other fields but opcode and user_data are
 * zero, checked. It matches operations whose entries stand before it in the ring and that have not completed.
 */
enum haul_match {
	HAUL_MATCH_USER_DATA = 1, /**< all with this user_data, members of batches too */
	HAUL_MATCH_BATCH = 2,     /**< members of this batch; it is not closed by that */
	HAUL_MATCH_ALL = 3,       /**< every one of the channel; value is zero */
};

/** Flags of an entry; all others must be zero. */
#define HAUL_ENTRY_BATCH_LAST   0x01u /**< the last member of its batch: no entry follows it there */
#define HAUL_ENTRY_BATCH_MEMBER 0x02u /**< a member that also wants a completion of its own */
#define HAUL_ENTRY_NOTIFY       0x04u /**< WRITE only: a notification follows its last byte */
#define HAUL_ENTRY_RETRY_STALE \
	0x08u /**< once, go to what has taken the place of the buffer meanwhile */

/** Submission entry, 64 bytes. Written by the client, copied once by the daemon. */
struct haul_entry {
	uint8_t opcode;               /**< enum haul_opcode */
	uint8_t flags;                /**< HAUL_ENTRY_* */
	uint16_t reserved;            /**< zero, checked */
	uint32_t batch;               /**< 1 to HAUL_BATCHES_MAX, or 0 for none */
	uint64_t user_data;           /**< comes back in the completion, never looked at */
	struct haul_u48 local_region; /**< region handle of the client's own memory */
	struct haul_u48 local_offset; /**< bytes from that region's start */
	struct haul_u48
		remote_region; /**< region handle at the target, 0 = resolve by the descriptor */
	struct haul_u48
		remote_offset; /**< bytes from the segment's start, or the region's if one is named */
	uint32_t length; /**< bytes, 1 to HAUL_OPERATION_BYTES_MAX; 0 for NOP, and with NOTIFY */
	uint32_t remote_segment; /**< handle from opening the segment */
	uint32_t
		timeout_ms; /**< from the moment the daemon takes the entry; 0 = the daemon's default */
	uint32_t tag;       /**< NOTIFY: of the notification; CANCEL: enum haul_match; others: 0 */
	uint64_t value;     /**< NOTIFY: likewise; CANCEL: what to match; others: 0, checked */
};

/** Completion entry, 32 bytes. Written by the daemon. */
struct haul_completion {
	uint64_t user_data; /**< of the entry, or of the batch's last entry */
	uint64_t
		bytes; /**< placed (WRITE) or read (READ); for a batch the sum over its members; EXTENT_PUBLISH: its region */
	uint32_t batch;    /**< of a batch's aggregate: its id; 0 otherwise */
	uint16_t status;   /**< enum haul_error; for a batch the worst of its members */
	uint16_t reason;   /**< finer cause: enum haul_reason */
	uint8_t transport; /**< enum haul_transport that finished it; 0 when none did */
	uint8_t attempts;  /**< transports tried, 0 when it never reached one */
	uint16_t members;  /**< aggregate: members that completed; CANCEL: operations found */
	uint32_t time_us;  /**< from taking the entry to this completion */
};

/**
 * A notification, 128 bytes, two cache lines: somebody's WRITE with HAUL_ENTRY_NOTIFY has placed all its bytes. Written
 * by whichever worker of the daemon took it, into the ring of the channel that owns the memory. A slot is whole, and the
 * client's, when its sequence is its position + 1; positions count up from 0 over 32 bits, slot = position & (size - 1).
 */
struct haul_notification {
	uint32_t sequence;    /**< daemon, last and with release: position + 1; 0 = never written */
	uint32_t tag;         /**< of the entry */
	uint64_t value;       /**< of the entry */
	uint64_t region;      /**< the memory that was written to, as haul_memory.region names it */
	uint64_t offset;      /**< of the WRITE, bytes from the start of that memory */
	uint32_t bytes;       /**< its length; 0 = a notification alone */
	uint32_t reserved;    /**< zero */
	uint64_t incarnation; /**< of the source's daemon */
	uint64_t zero[2];     /**< zero */
	char node[64];        /**< the source's node, a zero-terminated name */
};

/** Which transport finished an operation. The order is the order of drivers/drivers.c. */
enum haul_transport {
	HAUL_TRANSPORT_NONE = 0,
	HAUL_TRANSPORT_LOCAL = 1,
	HAUL_TRANSPORT_UDP = 2,
	HAUL_TRANSPORT_RDMA = 3,
	HAUL_TRANSPORT_TCP = 4,
};

/** X(name, value, sentence): what exactly ended an operation; 0 adds nothing to the status. */
#define HAUL_REASONS(X)                                                                        \
	X(NONE, 0, "no more to say")                                                           \
	X(OPCODE, 1, "the entry's opcode is not known or not built")                           \
	X(FLAGS, 2, "the entry has flags or reserved bytes that must be zero")                 \
	X(LOCAL_REGION, 3, "the local region is not one of this client's")                     \
	X(LOCAL_RANGE, 4, "the local range does not lie inside its region")                    \
	X(REMOTE_SEGMENT, 5, "the remote segment is not open on this channel")                 \
	X(REMOTE_RANGE, 6, "the remote range does not lie inside one buffer of the segment")   \
	X(REMOTE_RIGHT, 7, "the segment was not opened with this right")                       \
	X(LENGTH, 8, "the length is zero or above the maximum")                                \
	X(BATCH, 9, "the batch id is out of range or the batch is closed")                     \
	X(REGION_GENERATION, 10, "the target's region has another generation: it was retired") \
	X(INCARNATION, 11, "the target's daemon has restarted or was replaced")                \
	X(SEGMENT_RETIRED, 12, "the segment was erased or published anew")                     \
	X(PEER_SILENT, 13, "the target did not answer until the deadline")                     \
	X(PEER_REFUSED, 14, "the target refused the connection")                               \
	X(MEMORY_POISONED, 15, "the segment's memory was taken away by its owner")             \
	X(POOL, 16, "the worker's pool of operations is empty")                                \
	X(CLIENT_GONE, 17, "the client detached or died")                                      \
	X(NOT_RESOLVED, 18, "the peer's address could not be resolved")                        \
	X(NOTIFICATIONS_FULL, 19, "the target's notification ring was full")                   \
	X(NOTIFIERS_FULL, 20, "the target has no room to remember one more notifier")          \
	X(BATCHES, 21, "more batches are open than the completion ring can promise")           \
	X(LOCAL_RIGHT, 22, "the local region is read-only")                                    \
	X(BUFFER_GONE, 23, "the buffer at that range was removed, or is being removed")        \
	X(UNPROVEN, 24, "the target knows of no grant for the segment that was named")         \
	X(NOT_PUBLISHED, 25, "it could not be published, and all stays as it was")

enum haul_reason {
#define HAUL_REASON_ENUM(name, value, text) HAUL_REASON_##name = (value),
	HAUL_REASONS(HAUL_REASON_ENUM)
#undef HAUL_REASON_ENUM
};

/** The number of reasons; every value below it is defined. */
#define HAUL_REASON_COUNT 26

/** State of a channel in its header. */
enum haul_channel_state {
	HAUL_CHANNEL_OPEN = 1,   /**< served by a worker */
	HAUL_CHANNEL_CLOSED = 2, /**< the daemon closed it; error and reason say why */
};

#define HAUL_CACHE_LINE 64

/** One index, alone on its cache line. */
struct haul_index {
	uint32_t value; /**< free-running; mask it with entries - 1 at use */
	uint8_t padding[HAUL_CACHE_LINE - 4];
};

/** The first page of a channel's memory. */
struct haul_channel_header {
	uint64_t magic;       /**< daemon, once: HAUL_ABI_MAGIC */
	uint32_t version;     /**< daemon, once: HAUL_ABI_VERSION */
	uint32_t entries;     /**< daemon, once: size of the submission ring */
	uint32_t completions; /**< daemon, once: size of the completion ring */
	uint32_t state;       /**< daemon: enum haul_channel_state; client reads with acquire */
	uint32_t error;       /**< daemon: enum haul_error that closed the channel; 0 while open */
	uint32_t notifications; /**< daemon, once: size of the notification ring */
	uint32_t reserved[8];   /**< zero */
	uint8_t reason[192]; /**< daemon, before it sets state: why, a zero-terminated sentence */

	struct haul_index submission_tail; /**< client: entries made visible (release) */
	struct haul_index submission_head; /**< daemon: entries taken (release) */
	struct haul_index completion_tail; /**< daemon: completions made visible (release) */
	struct haul_index completion_head; /**< client: completions seen (release) */
	struct haul_index
		daemon_sleeps; /**< daemon: 1 = write the doorbell after moving submission_tail */
	struct haul_index
		client_sleeps; /**< client: 1 = send a wake-up after adding to either of its rings */
	struct haul_index notification_head; /**< client: notifications seen (release) */
	uint8_t padding[4096 - 256 - 7 * HAUL_CACHE_LINE];
};

#ifdef __cplusplus
static_assert(sizeof(struct haul_entry) == 64, "an entry is one cache line");
static_assert(sizeof(struct haul_completion) == 32, "two completions a cache line");
static_assert(sizeof(struct haul_notification) == 128, "a notification is two cache lines");
static_assert(sizeof(struct haul_channel_header) == 4096, "the header is one page");
#else
_Static_assert(sizeof(struct haul_entry) == 64, "an entry is one cache line");
_Static_assert(sizeof(struct haul_completion) == 32, "two completions a cache line");
_Static_assert(sizeof(struct haul_notification) == 128, "a notification is two cache lines");
_Static_assert(sizeof(struct haul_channel_header) == 4096, "the header is one page");
#endif

#ifdef __cplusplus
}
#endif

#endif
