/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A worker without a thread, with two transports that do as they are told and channels whose client is the test.
 *
 * Time is the rig's own: it moves only when a test says so. "udp" reaches peers, "local" reaches this node. A fake
 * holds the slices that it was given until the test, or rig_drain, has it finish them.
 */
#ifndef ENGINE_RIG_H
#define ENGINE_RIG_H

#include "engine/worker.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** Bytes of each registered range of the rig. */
#define RIG_BYTES (4u << 20)

/** The peer and the remote segment that rig_open_remote makes first. */
#define RIG_PEER   0u
#define RIG_REMOTE 0u

/** Who the rig itself is, and who its peers are: RIG_INCARNATION + 1 + index. */
#define RIG_INCARNATION UINT64_C(0x1000)

/* The number of every remote segment, and of those of this node. */
#define RIG_SEGMENT 7u

/** What a fake transport knows; driver[0] of a slice is its place in `held`. */
struct transport_worker {
	struct worker *worker;
	struct slice *held[ENGINE_SLICES_MAX];
	uint32_t held_count;
	uint32_t accept;  /**< slices that post still takes */
	uint32_t refuses; /**< bit set: rails, by their index, on which it takes none */
	uint64_t posted;  /**< slices taken in all */
	uint64_t cancelled;
	bool is_cancel_slow; /**< cancelled slices stay held, as behind a fence */
	struct slice *last;  /**< taken last */
	int arrival_fd;      /**< eventfd that arm watches; -1 = nothing that comes wakes */
	atomic_bool is_armed;
	atomic_uint arrivals; /**< what poll has not found yet; a test adds */
	uint64_t found;       /**< arrivals that poll has found */
};

struct rig {
	struct engine engine;
	struct worker *worker;
	struct transport_worker udp;
	struct transport_worker local;
	uint64_t now_us;
	uint64_t counters[WORKER_COUNTER_COUNT];
	uint64_t region_counters[REGION_COUNTER_COUNT];
	uint8_t *memory;  /**< RIG_BYTES, behind `region` */
	uint64_t region;  /**< local memory of channel 1 */
	uint32_t handle;  /**< of the first remote segment on channel 1, with both rights */
	uint32_t remotes; /**< remote segments made */
	uint32_t peers;   /**< peers made */
	int wake_fd;      /**< the client's end of the last channel's wake-up */
};

/** Both transports, one worker, no channel. Freed by rig_destroy, which checks that pools are full and regions unused. */
struct rig *rig_create(void);
void rig_destroy(struct rig *rig);

/** A channel served by the worker; freed by rig_free_channel once the worker has given it back. */
struct channel *rig_add_channel(struct rig *rig, uint32_t number, uint32_t entries);
void rig_free_channel(struct channel *channel);

/** A rig with channel 1, its memory, and a remote segment of RIG_BYTES on another node, connected. */
struct rig *rig_create_ready(struct channel **channel_out);

/** End channel 1, have everything come back, free all. */
void rig_destroy_ready(struct rig *rig, struct channel *channel);

/** A remote segment of one buffer on a peer of its own (is_self: on this node); returns its index. */
uint32_t rig_add_remote(struct rig *rig, bool is_self, uint64_t region, uint64_t bytes);

/** A view for a remote, as a descriptor of that version would make; swapped in, the old one freed. */
void rig_set_view(struct rig *rig, uint32_t remote, uint64_t version, uint64_t region,
		  uint64_t bytes);

/** Let a channel use a remote; returns the handle. */
uint32_t rig_open_handle(struct channel *channel, uint32_t index, uint32_t remote, uint32_t rights);

/** The number of a peer's rail on a transport. */
uint32_t rig_rail(uint32_t peer, uint32_t transport, uint32_t index);

/** Bring the peer's first rail on a transport up, as if it had been asked for. */
void rig_connect(struct rig *rig, uint32_t peer, uint32_t transport);

/** One round at the rig's time, then the time moves on by step_us. */
uint32_t rig_round(struct rig *rig, uint64_t step_us);

/** Write an entry into the ring and show it. */
void rig_submit(struct channel *channel, const struct haul_entry *entry);

/** The next completion; false when there is none. */
bool rig_reap(struct channel *channel, struct haul_completion *completion_out);

/** A WRITE of channel 1's memory to the first remote segment. */
struct haul_entry rig_write(const struct rig *rig, uint64_t user_data, uint32_t length);

/** The fake is done with a slice: it forgets it, and tells the engine. */
void rig_finish(struct transport_worker *fake, struct slice *slice, enum haul_error status,
		enum haul_reason reason);

/** How many slices a fake holds that were posted on rails of that index. */
uint32_t rig_held_on(const struct transport_worker *fake, uint32_t index);

/** Finish what a fake holds; returns how many. */
uint32_t rig_drain(struct transport_worker *fake, enum haul_error status);

/** What most tests of entries begin with: setup and teardown of a case, whose state is this. */
struct rig_fixture {
	struct rig *rig;
	struct channel *channel; /**< 1, of rig_create_ready */
};

int rig_fixture_make(void **state);
int rig_fixture_free(void **state);

/** Write an entry into the channel's ring, and one round. */
void rig_put(struct rig_fixture *fixture, const struct haul_entry *entry);

/** The one completion there is, and there is none; with its status and reason. */
struct haul_completion rig_reap_one(struct rig_fixture *fixture);
void rig_reap_none(struct rig_fixture *fixture);
void rig_expect(struct rig_fixture *fixture, enum haul_error status, enum haul_reason reason);

/** The entry is refused so, counted, and no transport has heard of it. */
void rig_refused(struct rig_fixture *fixture, const struct haul_entry *entry,
		 enum haul_error status, enum haul_reason reason);

/** The next request of the worker; false when there is none. */
bool rig_request(struct rig *rig, struct worker_request *request_out);

/** Take requests until one of that kind; fails the test when there is none. */
struct worker_request rig_expect_request(struct rig *rig, enum worker_request_kind kind);

#endif
