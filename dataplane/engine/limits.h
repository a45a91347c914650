/* SPDX-License-Identifier: BSD-3-Clause */
/** Every bound of the engine, with its reason. Sizes of tables are fixed at start. */
#ifndef ENGINE_LIMITS_H
#define ENGINE_LIMITS_H

/** Regions of one node: buffers of all its clients. 2^16 x 64 B = 4 MiB, made once. */
#define ENGINE_REGIONS_MAX 65536u

/** Peers one node talks to at a time. */
#define ENGINE_PEERS_MAX 256u

/** Remote segments open at a time over all channels. */
#define ENGINE_REMOTES_MAX 4096u

/** Transports there is a number for, NONE included (enum haul_transport). */
#define ENGINE_TRANSPORTS 5u

/** Endpoints of a worker: one for each peer and transport. */
#define ENGINE_ENDPOINTS_MAX (ENGINE_PEERS_MAX * ENGINE_TRANSPORTS)

/** Rails of an endpoint: two ports at each end, each with each. */
#define ENGINE_RAILS_MAX 4u

/** Numbers of rails on a worker are below this; slices keep them in 16 bits. */
#define ENGINE_RAIL_NUMBERS (ENGINE_ENDPOINTS_MAX * ENGINE_RAILS_MAX)

/** Channels of one worker. */
#define ENGINE_CHANNELS_MAX 256u

/** Remote segments one channel may have open. */
#define ENGINE_HANDLES_MAX 256u

/** Operations open on one worker, over all its channels; beyond it entries stay in their rings. */
#define ENGINE_OPERATIONS_MAX 8192u

/** Of those, what each channel gets in any case: no client can take the operations of all others. */
#define ENGINE_OPERATIONS_SHARE (ENGINE_OPERATIONS_MAX / ENGINE_CHANNELS_MAX)

/** Cancellations of one channel that wait for what they matched; beyond it entries stay in their ring. */
#define ENGINE_CANCELS_MAX 128u

/**
 * Errands of one channel for the control thread under way; beyond it entries stay in their ring. Each is one request in
 * ENGINE_REQUESTS.
 */
#define ENGINE_ERRANDS_MAX 64u

/** Slices posted at a time by one worker: one for each operation in any case, and as many again to share. */
#define ENGINE_SLICES_MAX (2 * ENGINE_OPERATIONS_MAX)

/**
 * The longest slice in bytes. Large enough that its bookkeeping is nothing beside its copy, small enough that
 * several connections share an operation and that a copy on the local transport stays a step of the loop.
 */
#define ENGINE_SLICE_BYTES_MAX (1u << 20)

/** Slices that one operation may have posted at a time, so that a huge one leaves room for others. */
#define ENGINE_OPERATION_SLICES_MAX 16u

/** Entries taken from one channel in one round, so that no channel starves another. */
#define ENGINE_CHANNEL_BUDGET 32u

/** Operations driven on one endpoint in one round. */
#define ENGINE_ENDPOINT_BUDGET 64u

/** What a transport may do in one round: packets received, or packets sent. */
#define ENGINE_TRANSPORT_BUDGET 256u

/**
 * Commands to a worker, a power of two. There is room for all that can be under way: the beginning and the end of each
 * channel, and one word on each peer. A round takes all of them, so that a quiescent point says that they are obeyed.
 */
#define ENGINE_COMMANDS 1024u

/**
 * Requests of a worker to the control thread, a power of two: room for all that can be under way (each channel's two,
 * each rail's two, each endpoint's one, each peer's one, each errand's one) and, below ENGINE_REQUESTS_STALE, for news that may get lost.
 */
#define ENGINE_REQUESTS       32768u
#define ENGINE_REQUESTS_STALE 1024u

/** A pause before an unreachable peer is tried again: grows by doubling between these. */
#define ENGINE_RETRY_MIN_US 10000u
#define ENGINE_RETRY_MAX_US 1000000u

/**
 * So long after a rail has become doubtful slices leave it for one that is up. When it is the peer that is off its core,
 * its other rails become doubtful too before that, and nothing is gained by leaving.
 */
#define ENGINE_LEAVE_US 4000u

/** How often rails that are missing are asked for though nobody has anything to post. */
#define ENGINE_TEND_INTERVAL_US 1000000u

/** Endpoints looked at for that at a time, and how often, so that each has its turn in that interval. */
#define ENGINE_TEND_BUDGET  16u
#define ENGINE_TEND_STEP_US (ENGINE_TEND_INTERVAL_US / (ENGINE_ENDPOINTS_MAX / ENGINE_TEND_BUDGET))

/** Slices are no longer than this where several rails are up, so that they share what is large. */
#define ENGINE_SLICE_BYTES_SHARED (256u * 1024u)

/**
 * Notifications that one worker may have under way to one peer, a power of two: more than a rail takes operations would
 * only wait there, and a target keeps a word for each, notifier and worker.
 */
#define ENGINE_NOTIFY_WINDOW 256u

/**
 * Workers of other nodes that a node remembers as notifiers, a power of two: four workers on each of the peers that it
 * can have. 2 KiB each, taken up as they come.
 */
#define ENGINE_NOTIFIERS_MAX 1024u

/**
 * A pause before a target whose notification ring was full is asked again: grows by doubling between these. The least
 * is a few round trips, the most what a reader that has fallen behind may lose in throughput.
 */
#define ENGINE_NOTIFY_PAUSE_MIN_US 100u
#define ENGINE_NOTIFY_PAUSE_MAX_US 10000u

/** How often operations that wait for a newer descriptor look again. */
#define ENGINE_PARKED_INTERVAL_US 200u

#endif
