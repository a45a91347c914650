/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Messages between a client and the dataplane on its attach socket.
 *
 * A client asks one thing at a time a socket; answers carry the request's number. Each answer begins
 * with struct haul_attach_answer: on a refusal the sentence in it says what, where and what would be
 * right, and the rest is zero. Closing the socket is the end of the client: its operations are cancelled,
 * its segments erased.
 */
#ifndef HAUL_ATTACH_H
#define HAUL_ATTACH_H

#include "haul_abi.h"
#include "haul_frame.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAUL_ATTACH_VERSION 1u

enum haul_attach_type {
	HAUL_ATTACH_HELLO = 1,           /**< first; the answer brings the channel's descriptors */
	HAUL_ATTACH_SEGMENT_CREATE = 2,  /**< the answer brings the memory's descriptor */
	HAUL_ATTACH_SEGMENT_DESTROY = 3, /**< answered when the memory is the client's own again */
	HAUL_ATTACH_SEGMENT_OPEN = 4,    /**< answered with a handle for entries */
	HAUL_ATTACH_SEGMENT_CLOSE = 5,   /**< the handle is refused from now on */
	HAUL_ATTACH_BUFFER_ADD = 6,      /**< answered like SEGMENT_CREATE */
	HAUL_ATTACH_BUFFER_REMOVE =
		7, /**< as the entry: answered when the memory is the client's own again */
	HAUL_ATTACH_EXTENT_PUBLISH =
		8, /**< of a divided buffer; answered with the extent's region */
	HAUL_ATTACH_EXTENT_RETIRE = 9, /**< answered when nothing touches it any more */
};

/** Rights, as asked for at open and as granted. */
#define HAUL_RIGHT_READ  0x1u
#define HAUL_RIGHT_WRITE 0x2u

/** Flags of a segment and its first buffer, and of a buffer that is added; all others must be zero. */
#define HAUL_SEGMENT_PRIVATE \
	0x1u /**< not published: source and target of this client's own entries only */
#define HAUL_SEGMENT_GIVEN \
	0x2u /**< the memory is the client's: the message brings its memfd, the answer none */
#define HAUL_SEGMENT_READ_ONLY \
	0x4u /**< nothing is written to it by way of the daemon, by anybody */

#define HAUL_SEGMENT_DIVIDED \
	0x8u /**< of a buffer: for others it consists of the extents that its owner publishes */

/** Room for a list of tenants, separated by commas; "*" is everybody. */
#define HAUL_GRANT_BYTES 256u

/** Begins the body of every answer. */
struct haul_attach_answer {
	char reason[HAUL_REASON_BYTES]; /**< zero-terminated; empty when the status is HAUL_OK */
};

struct haul_attach_hello {
	struct haul_frame frame;
	uint32_t abi_version; /**< HAUL_ABI_VERSION of the library */
	uint32_t
		entries; /**< wanted submission ring size, a power of two; 0 = the daemon's default */
	char name[HAUL_NAME_BYTES]; /**< of the application, for listings; may be empty */
};

/** Brings three descriptors: ring memory, doorbell (eventfd, client writes), wake-up (stream socket, daemon sends). */
struct haul_attach_hello_answer {
	struct haul_frame frame;
	struct haul_attach_answer answer;
	uint32_t abi_version;         /**< of the daemon */
	uint32_t entries;             /**< size of the submission ring */
	uint32_t completions;         /**< size of the completion ring */
	uint32_t notifications;       /**< size of the notification ring */
	uint32_t channel;             /**< number of the channel in this daemon, for listings */
	uint32_t reserved;            /**< zero */
	uint64_t incarnation;         /**< of the daemon */
	char node[HAUL_NAME_BYTES];   /**< the daemon's name */
	char tenant[HAUL_NAME_BYTES]; /**< what the daemon takes this client for */
};

/** With HAUL_SEGMENT_GIVEN it brings one descriptor: a memfd, sealed against shrinking. */
struct haul_attach_segment_create {
	struct haul_frame frame;
	/** Of its first buffer, at offset 0: rounded up to pages by the daemon; given: a multiple of its pages; 0 = none. */
	uint64_t bytes;
	uint64_t space_bytes; /**< of the offset space; 0 = those of the first buffer */
	uint32_t flags;       /**< HAUL_SEGMENT_* */
	uint32_t reserved;
	char name[HAUL_NAME_BYTES]; /**< unique in the cluster; for a private one a label only */
	/** Tenants that may read beside the owner's own, which always may; empty = none. */
	char readers[HAUL_GRANT_BYTES];
	char writers[HAUL_GRANT_BYTES]; /**< tenants that may write, likewise */
};

/** Without HAUL_SEGMENT_PRIVATE. With HAUL_SEGMENT_GIVEN it brings one descriptor, as SEGMENT_CREATE does. */
struct haul_attach_buffer_add {
	struct haul_frame frame;
	uint64_t bytes;   /**< as in SEGMENT_CREATE, not zero */
	uint64_t offset;  /**< in the segment; HAUL_OFFSET_ANY = the first that is free */
	uint32_t segment; /**< from the create answer */
	uint32_t flags;   /**< HAUL_SEGMENT_GIVEN, HAUL_SEGMENT_READ_ONLY, HAUL_SEGMENT_DIVIDED */
};

/** BUFFER_REMOVE and EXTENT_RETIRE. */
struct haul_attach_buffer_remove {
	struct haul_frame frame;
	uint64_t region; /**< from the answer that it came with */
};

struct haul_attach_extent_publish {
	struct haul_frame frame;
	uint64_t region; /**< of the divided buffer */
	uint64_t offset; /**< from its start */
	uint64_t bytes;  /**< not zero */
};

struct haul_attach_extent_answer {
	struct haul_frame frame;
	struct haul_attach_answer answer;
	uint64_t extent; /**< 48-bit handle: for remote_region of whom it is told to */
};

/**
 * The answer to SEGMENT_CREATE and BUFFER_ADD. Brings one descriptor, unless the memory was given or there is none: the
 * memory, sealed against shrinking and growing.
 */
struct haul_attach_segment_create_answer {
	struct haul_frame frame;
	struct haul_attach_answer answer;
	uint64_t bytes;   /**< mapped size; 0 = the segment was created without a buffer */
	uint64_t region;  /**< 48-bit handle of the buffer, for local_region of entries; 0 = none */
	uint64_t version; /**< metadata_version published; 0 for a private segment */
	uint64_t offset;  /**< of the buffer's first byte in the segment */
	uint32_t segment; /**< number for SEGMENT_DESTROY */
	uint32_t page_bytes; /**< of the memory behind it: 4096 or the huge page's size */
};

struct haul_attach_segment_destroy {
	struct haul_frame frame;
	uint32_t segment; /**< from the create answer */
	uint32_t reserved;
};

struct haul_attach_segment_open {
	struct haul_frame frame;
	uint32_t rights; /**< HAUL_RIGHT_* wanted, at least one */
	uint32_t reserved;
	char name[HAUL_NAME_BYTES];
};

struct haul_attach_segment_open_answer {
	struct haul_frame frame;
	struct haul_attach_answer answer;
	uint64_t bytes;       /**< size of the segment */
	uint64_t version;     /**< metadata_version of the descriptor that was opened */
	uint64_t incarnation; /**< of the owner */
	uint32_t handle;      /**< for remote_segment of entries and SEGMENT_CLOSE; never 0 */
	uint32_t reserved;
	char node[HAUL_NAME_BYTES]; /**< of the owner */
};

struct haul_attach_segment_close {
	struct haul_frame frame;
	uint32_t handle; /**< from the open answer */
	uint32_t reserved;
};

/** The answer to SEGMENT_DESTROY, SEGMENT_CLOSE, BUFFER_REMOVE and EXTENT_RETIRE, and to anything that could not be understood. */
struct haul_attach_plain_answer {
	struct haul_frame frame;
	struct haul_attach_answer answer;
};

#ifdef __cplusplus
}
#endif

#endif
