/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An application that cancels at random and looks at both ends of every operation, for cancel_test.sh.
 *
 *   canceller INITIATOR TARGET SECONDS [PID [kill]]
 *
 * It attaches to the daemon at the socket INITIATOR, and to the one at TARGET, where it owns a segment in memory of its
 * own: so it sees what lands, and when. Operations and cancellations go on for SECONDS; with PID, the target's daemon,
 * that one is stopped and continued meanwhile, and with `kill` killed at the end. What has been cancelled is overwritten
 * with poison at once, at the end where it could land, and looked at again later.
 *
 * The last line has counts: `stale` are places where something landed after a completion, `wrong` anything else that must
 * not be, `late` cancellations that took longer than HAUL_CANCEL_MS and the grace. HAUL_SEED runs it again.
 */
#include "api/haul.h"
#include "base/check.h"
#include "base/clock.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SLOTS      48u
#define SLOT_BYTES (256u << 10)
#define BYTES      ((uint64_t)SLOTS * SLOT_BYTES)

/* How long after a completion its memory is looked at again: twice what may land by the target's clock. */
#define QUARANTINE_US 300000u

/* What a busy machine may add to a cancellation: scheduling of two daemons and this program on few processors. */
#define GRACE_US 1500000u

/* Set in the user_data of a cancellation. */
#define CANCEL_BIT (UINT64_C(1) << 63)

#define CANCELS 64u

enum slot_state {
	SLOT_FREE = 0,
	SLOT_BUSY = 1,       /* an operation is open on it */
	SLOT_QUARANTINE = 2, /* poisoned; nothing may change */
};

struct slot {
	enum slot_state state;
	uint64_t id; /* of the operation: its user_data, and what its bytes are made of */
	uint64_t until_us;
	uint32_t length;
	uint32_t batch;
	uint8_t poison;
	bool is_read;
};

struct cancel {
	uint64_t user_data; /* 0 = free */
	uint64_t began_us;
	uint64_t ids[SLOTS]; /* of what it matches; 0 = not this one */
};

static struct {
	struct haul *initiator;
	struct haul *owner;
	struct haul_memory memory;
	struct haul_remote remote;
	uint8_t *target;
	uint8_t *source;
	struct slot slots[SLOTS];
	struct cancel cancels[CANCELS];
	uint64_t seed;
	uint64_t number;
	uint64_t ok;
	uint64_t cancelled;
	uint64_t others;
	uint64_t cancels_done;
	uint64_t found;
	uint64_t stale;
	uint64_t wrong;
	uint64_t late;
	uint64_t longest_us;
	uint32_t open;
	pid_t pid;
	bool is_killed;
} run;

static uint64_t random_next(void)
{
	uint64_t z = run.seed += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static uint32_t below(uint32_t bound)
{
	return (uint32_t)(random_next() % bound);
}

static int fail(struct haul *haul, const char *what, int error)
{
	printf("FAILED: %s: %s: %s\n", what, haul_error_text(error), haul_reason(haul));
	return 1;
}

static void wrong(const char *what, uint64_t id)
{
	printf("wrong: %s: operation %" PRIu64 "\n", what, id);
	run.wrong++;
}

/* A byte of an operation's pattern; never that of a poison, which has the highest bit set. */
static uint8_t pattern(uint64_t id, uint32_t at)
{
	return (uint8_t)((id * 31 + at * 7 + (at >> 8) * 13) & 0x7f);
}

/* Where an operation's bytes land, and where they come from. */
static uint8_t *slot_end(const struct slot *slot, bool is_landing)
{
	uint64_t offset = (uint64_t)(slot - run.slots) * SLOT_BYTES;

	return (slot->is_read == is_landing ? run.source : run.target) + offset;
}

static void slot_poison(struct slot *slot)
{
	slot->poison = (uint8_t)(0x80 | random_next());
	memset(slot_end(slot, true), slot->poison, SLOT_BYTES);
}

/* Begin an operation on a free slot. False when there is no entry for it. */
static bool slot_begin(struct slot *slot, uint32_t batch, bool is_last)
{
	struct haul_entry *entry = haul_entry_next(run.initiator);
	uint64_t offset = (uint64_t)(slot - run.slots) * SLOT_BYTES;
	uint8_t *from;

	if (entry == NULL)
		return false;
	slot->state = SLOT_BUSY;
	slot->id = ++run.number;
	slot->is_read = below(3) == 0;
	slot->length = 1 + below(below(4) == 0 ? 4096 : SLOT_BYTES);
	slot->batch = batch;
	slot_poison(slot);
	from = slot_end(slot, false);
	for (uint32_t i = 0; i < slot->length; i++)
		from[i] = pattern(slot->id, i);
	if (slot->is_read)
		haul_prep_read(entry, &run.memory, offset, &run.remote, offset, slot->length);
	else
		haul_prep_write(entry, &run.memory, offset, &run.remote, offset, slot->length);
	if (batch != 0) {
		haul_prep_batch(entry, batch, is_last);
		entry->flags |= HAUL_ENTRY_BATCH_MEMBER;
	}
	entry->user_data = slot->id;
	entry->timeout_ms = 20000;
	run.open++;
	return true;
}

static struct slot *slot_free(void)
{
	for (uint32_t i = 0, at = below(SLOTS); i < SLOTS; i++, at = (at + 1) % SLOTS) {
		if (run.slots[at].state == SLOT_FREE)
			return &run.slots[at];
	}
	return NULL;
}

/* Is a batch of this id open? Its members end one by one. */
static bool batch_is_open(uint32_t batch)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (run.slots[i].state == SLOT_BUSY && run.slots[i].batch == batch)
			return true;
	}
	return false;
}

static uint32_t batches_due; /* bit: the batch's own completion has not come */

static void begin_some(void)
{
	uint32_t batch = below(4) == 0 ? 1 + below(8) : 0;
	uint32_t count = batch != 0 ? 3 : 1 + below(6);

	if (batch != 0 && (batch_is_open(batch) || (batches_due & 1u << batch) != 0))
		return;
	for (uint32_t i = 0; i < count; i++) {
		struct slot *slot = slot_free();

		if (slot == NULL || !slot_begin(slot, batch, true))
			return;
		if (batch != 0) {
			/* Closed by its first member, so that nothing is left open when there is no room for others. */
			batches_due |= 1u << batch;
			return;
		}
	}
}

static bool cancel_matches(const struct slot *slot, enum haul_match match, uint64_t which)
{
	if (slot->state != SLOT_BUSY)
		return false;
	if (match == HAUL_MATCH_USER_DATA)
		return slot->id == which;
	return match == HAUL_MATCH_ALL || slot->batch == which;
}

static void cancel_some(enum haul_match match)
{
	struct cancel *cancel = NULL;
	uint64_t which = 0;

	for (uint32_t i = 0; i < CANCELS && cancel == NULL; i++)
		cancel = run.cancels[i].user_data == 0 ? &run.cancels[i] : NULL;
	for (uint32_t i = 0; i < SLOTS && match == HAUL_MATCH_USER_DATA; i++) {
		which = run.slots[below(SLOTS)].id;
		if (run.slots[below(SLOTS)].state == SLOT_BUSY)
			break;
	}
	if (match == HAUL_MATCH_BATCH)
		which = 1 + below(8);
	if (cancel == NULL ||
	    haul_cancel(run.initiator, match, which, CANCEL_BIT | ++run.number) != 0)
		return;
	memset(cancel, 0, sizeof(*cancel));
	cancel->user_data = CANCEL_BIT | run.number;
	cancel->began_us = clock_now_us();
	for (uint32_t i = 0; i < SLOTS; i++) {
		if (cancel_matches(&run.slots[i], match, which))
			cancel->ids[i] = run.slots[i].id;
	}
}

/* It has completed, so nothing of what it matched is open. */
static void cancel_ended(const struct haul_completion *completion)
{
	struct cancel *cancel = run.cancels;
	uint64_t time_us;
	uint32_t matched = 0;

	while (cancel < run.cancels + CANCELS && cancel->user_data != completion->user_data)
		cancel++;
	if (cancel == run.cancels + CANCELS) {
		wrong("a cancellation that was not asked for", completion->user_data);
		return;
	}
	for (uint32_t i = 0; i < SLOTS; i++) {
		matched += cancel->ids[i] != 0;
		if (cancel->ids[i] != 0 && run.slots[i].state == SLOT_BUSY &&
		    run.slots[i].id == cancel->ids[i])
			wrong("open after its cancellation has completed", cancel->ids[i]);
	}
	if (completion->members > matched ||
	    completion->status != (completion->members > 0 ? HAUL_OK : HAUL_NOT_FOUND))
		wrong("a cancellation found what was not there", completion->members);
	time_us = clock_now_us() - cancel->began_us;
	run.longest_us = MAX(run.longest_us, time_us);
	run.late += time_us > HAUL_CANCEL_MS * 1000 + GRACE_US;
	run.found += completion->members;
	run.cancels_done++;
	cancel->user_data = 0;
}

/* The bytes of an operation that ended with OK, or of one of which any part may be there. */
static bool slot_is_right(const struct slot *slot, bool is_whole)
{
	const uint8_t *landed = slot_end(slot, true);

	for (uint32_t i = 0; i < slot->length; i++) {
		if (landed[i] != pattern(slot->id, i) && (is_whole || landed[i] != slot->poison))
			return false;
	}
	for (uint32_t i = slot->length; i < SLOT_BYTES; i++) {
		if (landed[i] != slot->poison)
			return false;
	}
	return true;
}

static void slot_ended(const struct haul_completion *completion)
{
	struct slot *slot = run.slots;

	while (slot < run.slots + SLOTS &&
	       (slot->state != SLOT_BUSY || slot->id != completion->user_data))
		slot++;
	if (slot == run.slots + SLOTS) {
		wrong("completed twice, or never begun", completion->user_data);
		return;
	}
	run.open--;
	run.ok += completion->status == HAUL_OK;
	run.cancelled += completion->status == HAUL_CANCELLED;
	run.others += completion->status != HAUL_OK && completion->status != HAUL_CANCELLED;
	if (!slot_is_right(slot, completion->status == HAUL_OK))
		wrong("its bytes are not what they can be", slot->id);
	slot_poison(slot);
	slot->state = SLOT_QUARANTINE;
	slot->until_us = clock_now_us() + QUARANTINE_US;
	/* Of those that are done some are enough. */
	if (completion->status == HAUL_OK && below(20) != 0)
		slot->state = SLOT_FREE;
}

static void reap(uint64_t timeout_us)
{
	const struct haul_completion *completions;
	int count = haul_wait(run.initiator, timeout_us, &completions);

	for (int i = 0; i < count; i++) {
		if (completions[i].batch != 0)
			batches_due &= ~(1u << completions[i].batch);
		else if ((completions[i].user_data & CANCEL_BIT) != 0)
			cancel_ended(&completions[i]);
		else
			slot_ended(&completions[i]);
	}
	if (count > 0)
		haul_seen(run.initiator, (unsigned int)count);
	if (count < 0)
		wrong("the channel is gone", (uint64_t)-count);
}

/* Look again at what was poisoned. */
static void release(uint64_t now_us)
{
	for (uint32_t i = 0; i < SLOTS; i++) {
		struct slot *slot = &run.slots[i];
		const uint8_t *landed = slot_end(slot, true);

		if (slot->state != SLOT_QUARANTINE || slot->until_us > now_us)
			continue;
		if (landed[0] != slot->poison || memcmp(landed, landed + 1, SLOT_BYTES - 1) != 0) {
			printf("stale: operation %" PRIu64 "\n", slot->id);
			run.stale++;
		}
		slot->state = SLOT_FREE;
	}
}

/* Everything is cancelled and comes back, within the time of a cancellation. */
static void cancel_all(void)
{
	uint64_t until_us = clock_now_us() + HAUL_CANCEL_MS * 1000 + 2 * GRACE_US;

	cancel_some(HAUL_MATCH_ALL);
	haul_submit(run.initiator);
	while (haul_open_operations(run.initiator) > 0 && clock_now_us() < until_us &&
	       run.wrong == 0)
		reap(10000);
	if (haul_open_operations(run.initiator) > 0)
		wrong("open though all was cancelled", run.open);
}

/* As much as there is room for is under way, some of it just begun. */
static void begin_all(void)
{
	uint64_t until_us = clock_now_us() + QUARANTINE_US;

	while (clock_now_us() < until_us) {
		reap(1000);
		release(clock_now_us());
	}
	for (int i = 0; i < 40; i++)
		begin_some();
	haul_submit(run.initiator);
	usleep(below(2000));
}

/* The target stands still: what was sent can be neither acknowledged nor fenced. */
static void stop_target(void)
{
	begin_all();
	kill(run.pid, SIGSTOP);
	for (int i = 0; i < 20; i++)
		begin_some();
	haul_submit(run.initiator);
	usleep(below(20000));
	cancel_all();
	kill(run.pid, SIGCONT);
	/* What it has in its queues it looks at now: that has to be too late. */
	for (uint32_t i = 0; i < SLOTS; i++)
		run.slots[i].until_us = clock_now_us() + QUARANTINE_US;
}

static void go(uint64_t until_us)
{
	uint64_t stop_us = clock_now_us() + 300000;
	uint64_t now_us;

	while ((now_us = clock_now_us()) < until_us && run.wrong == 0) {
		begin_some();
		if (below(4) == 0)
			cancel_some((enum haul_match)(1 + below(3)));
		haul_submit(run.initiator);
		reap(below(200));
		release(now_us);
		if (run.pid != 0 && now_us > stop_us) {
			stop_target();
			stop_us = clock_now_us() + 400000;
		}
	}
	if (run.is_killed) {
		begin_all();
		kill(run.pid, SIGKILL);
	}
	cancel_all();
	usleep(2 * QUARANTINE_US);
	release(clock_now_us());
}

static int begin_owner(const char *path)
{
	struct haul_options options = { .name = "canceller/owner", .socket_path = path };
	struct haul_segment_options segment = {
		.name = "cancelled", .bytes = BYTES, .readers = "*", .writers = "*", .is_given = 1
	};
	struct haul_memory memory;
	int error = haul_attach(&options, &run.owner);

	if (error != 0)
		return fail(NULL, path, error);
	segment.fd = memfd_create("cancelled", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (segment.fd < 0 || ftruncate(segment.fd, BYTES) != 0 ||
	    fcntl(segment.fd, F_ADD_SEALS, F_SEAL_SHRINK) != 0)
		return fail(NULL, "memfd", 0);
	run.target = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, segment.fd, 0);
	error = haul_segment_create(run.owner, &segment, &memory);
	close(segment.fd);
	return error != 0 ? fail(run.owner, "segment", error) : 0;
}

static int begin_initiator(const char *path)
{
	struct haul_options options = { .name = "canceller", .socket_path = path };
	struct haul_segment_options memory = { .bytes = BYTES, .is_private = 1 };
	int error = haul_attach(&options, &run.initiator);

	if (error != 0)
		return fail(NULL, path, error);
	error = haul_segment_create(run.initiator, &memory, &run.memory);
	if (error == 0)
		error = haul_segment_open(run.initiator, "cancelled", HAUL_READ | HAUL_WRITE,
					  &run.remote);
	run.source = run.memory.address;
	return error != 0 ? fail(run.initiator, "cancelled", error) : 0;
}

int main(int argc, char **argv)
{
	const char *seed = getenv("HAUL_SEED");

	if (argc < 4)
		return 2;
	run.seed = seed != NULL ? strtoull(seed, NULL, 0) : clock_now_us();
	printf("HAUL_SEED=%" PRIu64 "\n", run.seed);
	run.pid = argc > 4 ? (pid_t)strtol(argv[4], NULL, 10) : 0;
	run.is_killed = argc > 5;
	if (begin_owner(argv[2]) != 0 || begin_initiator(argv[1]) != 0)
		return 1;
	go(clock_now_us() + strtoull(argv[3], NULL, 0) * 1000000);
	printf("CANCELLED ok=%" PRIu64 " cancelled=%" PRIu64 " others=%" PRIu64 " cancels=%" PRIu64
	       " found=%" PRIu64 " longest_ms=%" PRIu64 " open=%u stale=%" PRIu64 " wrong=%" PRIu64
	       " late=%" PRIu64 "\n",
	       run.ok, run.cancelled, run.others, run.cancels_done, run.found,
	       run.longest_us / 1000, haul_open_operations(run.initiator), run.stale, run.wrong,
	       run.late);
	haul_detach(run.initiator);
	haul_detach(run.owner);
	return run.wrong > 0 || run.late > 0 || run.ok == 0 || run.cancelled == 0;
}
