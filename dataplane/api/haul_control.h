/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Messages between haul-dataplane and haul-controlplane on the control socket, and the layout of a
 * descriptor.
 *
 * The control plane listens; the dataplane connects, says HELLO, and connects again, with a growing pause,
 * whenever the socket breaks. On every HELLO it then publishes all its segments again, and opens again what it
 * has open, so that either daemon may restart alone. Requests may be outstanding in any number up to
 * HAUL_CONTROL_REQUESTS_MAX; answers come in any order.
 *
 * Descriptors travel as sealed memfds in both directions: the dataplane sends one with SEGMENT_PUBLISH (the
 * version field then is the least that may be given), the control plane one with the answer to SEGMENT_OPEN.
 */
#ifndef HAUL_CONTROL_H
#define HAUL_CONTROL_H

#include "haul_frame.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HAUL_CONTROL_VERSION 1u

/** Requests that may be outstanding on one control socket. */
#define HAUL_CONTROL_REQUESTS_MAX 1024u

enum haul_control_type {
	HAUL_CONTROL_HELLO = 1,      /**< dataplane: who I am; answered at once */
	HAUL_CONTROL_NODE_STATE = 2, /**< control plane, unasked: the node's standing in Redis */
	HAUL_CONTROL_SEGMENT_PUBLISH = 3, /**< dataplane: with a descriptor memfd */
	HAUL_CONTROL_SEGMENT_ERASE = 4,   /**< dataplane */
	HAUL_CONTROL_SEGMENT_OPEN = 5,    /**< dataplane: the answer brings a descriptor memfd */
	HAUL_CONTROL_SEGMENT_CLOSE = 6,   /**< dataplane: no more VERSION for it; not answered */
	HAUL_CONTROL_VERSION_SEEN =
		7,             /**< control plane, unasked: the latest version of an open segment */
	HAUL_CONTROL_PING = 8, /**< control plane; answered when loop and workers have gone round */
	HAUL_CONTROL_TABLE =
		9, /**< control plane: asks for a listing; answered with a memfd of rows */
};

/** The most buffers and addresses of one descriptor. */
#define HAUL_DESCRIPTOR_BUFFERS_MAX   65536u
#define HAUL_DESCRIPTOR_ADDRESSES_MAX 16u

#define HAUL_DESCRIPTOR_MAGIC   0x5345444c554148ull /* "HAULDES" */
#define HAUL_DESCRIPTOR_VERSION 2u

/** Of a segment, and of a right to it; docs/protocol.md, Grants. */
#define HAUL_KEY_BYTES 16u

/** Where a node can be reached by one transport. */
struct haul_address {
	uint8_t transport; /**< enum haul_transport of haul_abi.h */
	uint8_t family;    /**< 4 or 6 */
	uint16_t port;     /**< UDP or TCP port, host order */
	uint32_t reserved; /**< zero, checked */
	uint8_t ip[16];    /**< network order; IPv4 in the first four bytes, the rest zero */
};

/**
 * Of a published buffer. One that is being registered is in no descriptor, and neither is one that is gone:
 * absent -> ACTIVE -> DRAINING -> absent (controlplane/model/buffer.h has the table).
 */
enum haul_buffer_state {
	HAUL_BUFFER_ACTIVE = 1,   /**< takes operations */
	HAUL_BUFFER_DRAINING = 2, /**< takes no new ones; those that its owner has opened go on */
};

struct haul_descriptor_buffer {
	uint64_t offset; /**< of its first byte in the segment */
	uint64_t length; /**< bytes, not zero */
	uint64_t
		region; /**< 48-bit handle in the owner's table: slot in the low 24 bits, generation above; 0 = divided into extents */
	uint32_t rights; /**< HAUL_RIGHT_* that anybody may be granted */
	uint32_t state;  /**< enum haul_buffer_state */
};

/**
 * What a node publishes of a segment: this header, then `buffer_count` buffers in ascending, disjoint
 * order of offset, then `address_count` addresses; nothing behind them.
 */
struct haul_descriptor {
	uint64_t magic;         /**< HAUL_DESCRIPTOR_MAGIC */
	uint32_t version;       /**< HAUL_DESCRIPTOR_VERSION */
	uint32_t buffer_count;  /**< 0 to HAUL_DESCRIPTOR_BUFFERS_MAX */
	uint32_t address_count; /**< 1 to HAUL_DESCRIPTOR_ADDRESSES_MAX */
	uint32_t rights;      /**< in an open answer: HAUL_RIGHT_* granted; zero in a publication */
	uint64_t incarnation; /**< of the owner */
	uint64_t metadata_version; /**< this descriptor is valid for exactly this version */
	uint64_t bytes;            /**< of the segment's offset space */
	uint32_t
		number; /**< of the segment, by its owner; not 0, never used again in an incarnation */
	uint32_t reserved; /**< zero, checked */
	/** In a publication the segment's; in an open answer that of `rights`. Not zero; never shown to anybody else. */
	uint8_t key[HAUL_KEY_BYTES];
	char segment[HAUL_NAME_BYTES];
	char node[HAUL_NAME_BYTES];   /**< the owner */
	char tenant[HAUL_NAME_BYTES]; /**< the owning tenant */
	char readers
		[256]; /**< tenants, separated by commas, "*" for all; empty in an open answer */
	char writers[256]; /**< as readers */
};

struct haul_control_hello {
	struct haul_frame frame;
	uint64_t incarnation;
	uint32_t address_count;
	uint32_t reserved;
	char node[HAUL_NAME_BYTES];
	char host
		[HAUL_NAME_BYTES]; /**< boot id of the host: the same one may take its name back at once */
	struct haul_address addresses[HAUL_DESCRIPTOR_ADDRESSES_MAX];
};

/** The answer to HELLO, SEGMENT_ERASE and to what could not be understood. */
struct haul_control_answer {
	struct haul_frame frame;
	uint64_t
		version; /**< metadata_version after a SEGMENT_PUBLISH or SEGMENT_ERASE; 0 otherwise */
	char reason[HAUL_REASON_BYTES];
};

/** What Redis knows of this dataplane's node. */
enum haul_node_state {
	HAUL_NODE_UNKNOWN = 0,   /**< Redis has not answered yet, or does not now */
	HAUL_NODE_PUBLISHED = 1, /**< the record names this incarnation */
	HAUL_NODE_REFUSED = 2,   /**< another incarnation holds the name */
};

struct haul_control_node_state {
	struct haul_frame frame;
	uint32_t state; /**< enum haul_node_state */
	uint32_t reserved;
	char reason[HAUL_REASON_BYTES]; /**< why not published */
};

/** SEGMENT_PUBLISH (with a memfd), SEGMENT_ERASE, SEGMENT_CLOSE. */
struct haul_control_segment {
	struct haul_frame frame;
	uint64_t
		version; /**< the least version to give; the script takes the greater of this and its own + 1 */
	char segment[HAUL_NAME_BYTES];
};

struct haul_control_open {
	struct haul_frame frame;
	uint32_t rights; /**< HAUL_RIGHT_* wanted */
	uint32_t reserved;
	char segment[HAUL_NAME_BYTES];
	char tenant[HAUL_NAME_BYTES]; /**< whom the rights are for */
};

struct haul_control_version_seen {
	struct haul_frame frame;
	uint64_t version;     /**< 0 = the segment is gone */
	uint64_t incarnation; /**< of its owner; 0 = the segment is gone */
	char segment[HAUL_NAME_BYTES];
};

/** What a TABLE request lists; the answer's memfd holds rows of the struct named here, back to back. */
enum haul_table {
	HAUL_TABLE_PEERS = 1,      /**< struct haul_peer_row */
	HAUL_TABLE_TRANSPORTS = 2, /**< struct haul_transport_row */
	HAUL_TABLE_CHANNELS = 3,   /**< struct haul_channel_row */
	HAUL_TABLE_WORKERS = 4,    /**< struct haul_worker_row */
	HAUL_TABLE_OPENINGS = 5,   /**< struct haul_opening_row */
};

struct haul_control_table {
	struct haul_frame frame;
	uint32_t table; /**< enum haul_table */
	uint32_t reserved;
};

struct haul_control_table_answer {
	struct haul_frame frame;
	uint32_t rows;
	uint32_t row_bytes;
	char reason[HAUL_REASON_BYTES];
};

/** A port's name, a space, and an address of either family with its final zero, rounded up. */
#define HAUL_WAY_BYTES 112u

/** One for each worker, peer, transport and rail. */
struct haul_peer_row {
	char node[HAUL_NAME_BYTES];
	char transport[16];
	char state[16]; /**< of the rail, a word */
	uint64_t incarnation;
	uint64_t rail;     /**< which of the ways to the peer over this transport, from 0 */
	uint64_t since_ms; /**< how long in this state */
	uint64_t rtt_us;   /**< smoothed; 0 = not measured */
	uint64_t segments; /**< of this peer that are open here */
	uint64_t bytes_out;
	uint64_t bytes_in;
	uint64_t retransmissions;
	uint64_t mtu_bytes;          /**< IP packets that the path carries; 0 = not known */
	uint64_t window_packets;     /**< that may be on the way; 0 = no bound by packets */
	uint64_t rtt_target_us;      /**< that congestion control aims at; 0 = at none */
	char congestion_control[16]; /**< its name; empty = none */
	char way[HAUL_WAY_BYTES]; /**< where the rail leads: a port of this node, the peer's address */
};

/** One for each remote segment that clients have open, for each tenant and rights. */
struct haul_opening_row {
	char segment[HAUL_NAME_BYTES];
	char node[HAUL_NAME_BYTES];   /**< its owner */
	char tenant[HAUL_NAME_BYTES]; /**< of whoever has it open */
	char state
		[16]; /**< current, stale (a newer version is known of), refreshing (it is asked for), retired */
	char failure
		[16]; /**< of the last refresh that failed, its error's name; empty = none did */
	uint64_t incarnation;    /**< of the owner */
	uint64_t rights;         /**< HAUL_RIGHT_* */
	uint64_t version_cached; /**< of the descriptor that is used */
	uint64_t version_seen;   /**< the latest that was heard of; the same while it is current */
	uint64_t since_ms;       /**< how long in this state */
	uint64_t handles;        /**< of channels */
	uint64_t refreshes;      /**< asked for since it was opened */
	uint64_t absent;         /**< of them, that found no record */
	uint64_t unreachable;    /**< of them, that were not answered by Redis */
	uint64_t malformed;      /**< of them, that brought no descriptor, or one that is none */
	uint64_t denied;         /**< of them, that were refused for any other reason */
};

struct haul_transport_row {
	char transport[16];
	char device[HAUL_NAME_BYTES];
	char state[16];
	char address[64];
	uint64_t mtu_bytes;
	uint64_t packets_out;
	uint64_t packets_in;
};

struct haul_channel_row {
	uint64_t channel;
	char name[HAUL_NAME_BYTES];
	char tenant[HAUL_NAME_BYTES];
	uint64_t process;    /**< pid at attach */
	uint64_t operations; /**< accepted since attach */
	uint64_t open;       /**< not completed yet */
	uint64_t bytes;      /**< of those that were completed */
	uint64_t time_us;    /**< that these took together */
	uint64_t notified;   /**< notifications delivered to it since attach */
	uint64_t unread;     /**< of those, not read yet, by its own account */
	uint64_t refused;    /**< notifications that found its ring full; they come again */
	uint64_t worker;     /**< that serves it */
};

struct haul_worker_row {
	uint64_t worker;
	uint64_t channels; /**< that it serves */
	uint64_t
		load_permille; /**< of its time, for work of any kind; smoothed over about a second */
	char processor[16];    /**< that it is pinned to, or "any" */
};

#ifdef __cplusplus
}
#endif

#endif
