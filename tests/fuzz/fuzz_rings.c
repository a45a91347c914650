/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: whatever a client writes into its rings (indexes, entries, handles, batches, completions), the worker neither
 * crashes nor reaches for memory that the client does not own or was not granted, completes each entry that it accepted
 * once, closes the channel with a reason when the rings themselves are broken, leaves the neighbour's channel alone, and
 * has all its pools back at the end. Method: an input is a script: bytes that say what happens next (entries, scribbles on
 * shared memory, rounds, answers of two transports that hold slices, time, versions). The engine rig has neither threads
 * nor a clock, so an input replays. Run under AddressSanitizer to see a touch beyond.
 *
 * With libFuzzer this is LLVMFuzzerTestOneInput alone; else main runs seeded random inputs for some seconds, longer with
 * HAUL_ALL=1:
 *
 *     fuzz_rings [--seconds N] [--seed S]
 */
#include "api/haul_attach.h"
#include "base/check.h"
#include "base/fault.h"
#include "base/ring.h"
#include "engine/region.h"
#include "engine_rig.h"
#include "unit.h"

#include <inttypes.h>
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Entries that one input may write: each has a user_data of its own, which says how it has to complete. */
#define ENTRIES_MAX 4096u

/* The neighbour's entries have numbers from here on. */
#define NEIGHBOUR_DATA UINT64_C(0x1000000)

/* Random steps of one run, and seconds of them; thrice as many with HAUL_ALL=1. */
#define SCRIPT_BYTES   6000u
#define SECONDS        3u
#define SECONDS_LONGER 20u

/* Regions of the remote segments: one that is granted whole, one to read, one to write, and one to the neighbour alone. */
enum grant {
	GRANT_BOTH,
	GRANT_READ,
	GRANT_WRITE,
	GRANT_SELF,
	GRANT_NEIGHBOUR,
	GRANTS
};

static const uint64_t grant_regions[GRANTS] = { 77, 78, 79, 80, 81 };

struct fuzz {
	const uint8_t *at;
	const uint8_t *end;
	struct rig *rig;
	struct channel *channel;   /* of the hostile client */
	struct channel *neighbour; /* of one who behaves */
	uint64_t neighbour_region;
	uint32_t handles[GRANTS];
	uint32_t neighbour_handle;
	uint64_t neighbour_sent;
	uint64_t neighbour_done;
	uint32_t completions_seen; /* of the hostile channel's, as the daemon counts them */
	uint32_t written;          /* entries written so far */
	uint64_t accepted;         /* as the channel last said */
	bool is_released; /* the control thread was told of the break, and ends the channel */
	uint8_t owed[ENTRIES_MAX]; /* by user_data: completions that are due, none or one */
	bool is_batched[ENTRIES_MAX];
	bool is_forbidden[ENTRIES_MAX]; /* names a segment that was not opened */
};

static uint32_t script(struct fuzz *fuzz, unsigned int bytes)
{
	uint32_t value = 0;

	while (bytes-- > 0)
		value = value << 8 | (fuzz->at < fuzz->end ? *fuzz->at++ : 0);
	return value;
}

/* A number that is more often near a bound than not. */
static uint32_t script_odd(struct fuzz *fuzz, uint32_t bound)
{
	uint32_t value = script(fuzz, 4);

	switch (script(fuzz, 1) % 6) {
	case 0:
		return 0;
	case 1:
		return bound;
	case 2:
		return bound + value % 3 - 1;
	case 3:
		return UINT32_MAX - value % 3;
	case 4:
		return bound == 0 ? 0 : value % bound;
	default:
		return value;
	}
}

/*
 * Every slice that a transport is given touches what its client owns here, and goes out under what was granted to it there.
 * A region that is no buffer of that segment may be an extent of it: the owner compares it with the grant that is named.
 */
static void check_slice(const struct fuzz *fuzz, const struct slice *slice)
{
	const struct rig *rig = fuzz->rig;
	bool is_neighbour = slice->operation->channel == fuzz->neighbour;
	uint64_t own = is_neighbour ? fuzz->neighbour_region : rig->region;
	uint64_t length = slice->kind == SLICE_NOTIFY ? slice->written : slice->length;
	uint64_t bytes = REGION_BYTES_MAX;
	enum grant grant = slice->remote;

	BUG_ON(grant >= GRANTS);
	BUG_ON((grant == GRANT_NEIGHBOUR) != is_neighbour);
	BUG_ON(slice->remote_region == REGION_NONE);
	if (slice->remote_region == grant_regions[grant])
		bytes = RIG_BYTES;
	BUG_ON(slice->remote_offset > bytes || length > bytes - slice->remote_offset);
	BUG_ON(grant == GRANT_READ && slice->kind != SLICE_READ);
	BUG_ON(grant == GRANT_WRITE && slice->kind == SLICE_READ);
	if (slice->kind == SLICE_NOTIFY)
		return;
	BUG_ON(slice->local_region != own);
	BUG_ON(slice->local_offset > RIG_BYTES || length > RIG_BYTES - slice->local_offset);
}

static void check_slices(const struct fuzz *fuzz, const struct transport_worker *fake)
{
	for (uint32_t i = 0; i < fake->held_count; i++)
		check_slice(fuzz, fake->held[i]);
}

/* Completions that were written since the last look, from where the worker wrote them. */
static void check_completions(struct fuzz *fuzz)
{
	const struct channel *channel = fuzz->channel;

	for (; fuzz->completions_seen != channel->completion_tail; fuzz->completions_seen++) {
		const struct haul_completion *completion =
			&channel->completions[fuzz->completions_seen &
					      (channel->completions_count - 1)];

		BUG_ON(completion->status >= HAUL_ERROR_COUNT);
		BUG_ON(completion->reason >= HAUL_REASON_COUNT);
		if (completion->batch != 0 || completion->user_data == 0)
			continue; /* an aggregate: of its last entry, which may have one of its own too */
		BUG_ON(completion->user_data >= fuzz->written);
		if (fuzz->is_batched[completion->user_data])
			continue;
		BUG_ON(fuzz->is_forbidden[completion->user_data] && completion->status == HAUL_OK);
		BUG_ON(fuzz->owed[completion->user_data] != 1);
		fuzz->owed[completion->user_data] = 0;
	}
}

static bool is_forbidden(const struct fuzz *fuzz, const struct haul_entry *entry)
{
	unsigned int grant = 0;

	while (grant < GRANT_NEIGHBOUR && fuzz->handles[grant] != entry->remote_segment)
		grant++;
	return grant == GRANT_NEIGHBOUR &&
	       (entry->opcode == HAUL_OP_WRITE || entry->opcode == HAUL_OP_READ);
}

/* Which entries a round is going to see: the next ones, as they are now. The worker says how many it took. */
static void note_accepted(struct fuzz *fuzz, const struct haul_entry *entries, uint32_t head)
{
	struct channel *channel = fuzz->channel;

	for (; fuzz->accepted < channel->accepted; fuzz->accepted++, head++) {
		const struct haul_entry *entry = &entries[head & (channel->entries_count - 1)];

		/* An entry may be taken again, when the ring goes round: as long as it is open it is not followed. */
		fuzz->is_batched[entry->user_data] =
			entry->batch != 0 || fuzz->owed[entry->user_data] != 0;
		fuzz->owed[entry->user_data] = 1;
		fuzz->is_forbidden[entry->user_data] = is_forbidden(fuzz, entry);
	}
}

static void expect_reason(const struct channel *channel)
{
	BUG_ON(channel->header->state != HAUL_CHANNEL_CLOSED);
	BUG_ON(channel->header->error == HAUL_OK || channel->header->error >= HAUL_ERROR_COUNT);
	BUG_ON(channel->header->reason[0] == '\0' ||
	       memchr(channel->header->reason, 0, sizeof(channel->header->reason)) == NULL);
}

static void send_close(struct fuzz *fuzz, struct channel *channel)
{
	const struct worker_command command = { .kind = WORKER_CHANNEL_CLOSE,
						.channel = channel,
						.error = HAUL_DISCONNECTED,
						.reason = "the run ends" };
	bool pushed = worker_command(fuzz->rig->worker, &command);

	BUG_ON(!pushed);
}

/* The control thread, as far as this needs one. */
/* The control thread carries it out, well or not. */
static void finish_errand(struct fuzz *fuzz, const struct worker_request *request)
{
	struct errand *errand = &request->channel->errands.errands[request->index];

	BUG_ON(request->index >= ENGINE_ERRANDS_MAX);
	if (script(fuzz, 1) % 2 == 0)
		errand_finish(request->channel, errand, HAUL_OK, HAUL_REASON_NONE, 0);
	else
		errand_finish(request->channel, errand, HAUL_NOT_FOUND, HAUL_REASON_LOCAL_REGION,
			      0);
}

static void take_requests(struct fuzz *fuzz)
{
	struct worker_request request;

	while (rig_request(fuzz->rig, &request)) {
		if (request.kind == WORKER_ERRAND)
			finish_errand(fuzz, &request);
		if (request.kind != WORKER_CHANNEL_BAD)
			continue;
		BUG_ON(request.channel != fuzz->channel || request.reason == NULL);
		BUG_ON(fuzz->is_released);
		fuzz->is_released = true;
		send_close(fuzz, fuzz->channel);
	}
}

/* Indexes that no client has that follows the rules; that of completions is looked at when there is an entry to take. */
static bool is_ring_broken(const struct channel *channel)
{
	const struct haul_channel_header *header = channel->header;
	uint32_t pending = header->submission_tail.value - channel->submission_head;
	uint32_t unseen = channel->completion_tail - header->completion_head.value;
	/* A head that is ahead by no more than what errands will have completed before it is looked at may come true. */
	uint32_t coming = atomic_load(&channel->errands.done) - channel->errands.seen;

	return pending > channel->entries_count ||
	       (pending > 0 && unseen > channel->completions_count && 0 - unseen > coming);
}

static void do_round(struct fuzz *fuzz, uint64_t step_us)
{
	struct channel *channel = fuzz->channel;
	struct haul_entry entries[64];
	uint32_t head = channel->submission_head;
	bool was_closing = channel->is_closing;
	bool is_broken = is_ring_broken(channel);

	BUG_ON(channel->entries_count > ARRAY_SIZE(entries));
	memcpy(entries, channel->entries, channel->entries_count * sizeof(entries[0]));
	for (uint32_t i = 0; i < channel->entries_count; i++)
		entries[i].user_data %= ENTRIES_MAX;
	rig_round(fuzz->rig, step_us);
	note_accepted(fuzz, entries, head);
	BUG_ON(is_broken && !channel->is_closing);
	if (channel->is_closing && !was_closing)
		expect_reason(channel);
	check_completions(fuzz);
	check_slices(fuzz, &fuzz->rig->udp);
	check_slices(fuzz, &fuzz->rig->local);
	take_requests(fuzz);
}

static struct haul_entry make_entry(struct fuzz *fuzz)
{
	static const uint8_t opcodes[] = { HAUL_OP_WRITE,         HAUL_OP_READ,
					   HAUL_OP_NOP,           HAUL_OP_CANCEL,
					   HAUL_OP_BUFFER_REMOVE, HAUL_OP_EXTENT_PUBLISH,
					   HAUL_OP_EXTENT_RETIRE };
	struct haul_entry entry = {
		.opcode = opcodes[script(fuzz, 1) % ARRAY_SIZE(opcodes)],
		.local_region = haul_u48_make(fuzz->rig->region),
		.local_offset = haul_u48_make(script_odd(fuzz, RIG_BYTES)),
		.remote_offset = haul_u48_make(script_odd(fuzz, RIG_BYTES)),
		.length = script_odd(fuzz, RIG_BYTES),
		.remote_segment = fuzz->handles[script(fuzz, 1) % (GRANTS - 1)],
		.batch = script(fuzz, 1) % 4 == 0 ? script(fuzz, 1) % 5 : 0,
		.flags = script(fuzz, 1) % 4 == 0 ? (uint8_t)script(fuzz, 1) % 8 : 0,
		.timeout_ms = script(fuzz, 1) % 8,
	};

	if (script(fuzz, 1) % 8 == 0) /* as after a close, or the neighbour's */
		entry.remote_segment += script(fuzz, 1) % 2 == 0 ? 0x10000u : 1;
	if (entry.opcode == HAUL_OP_NOP)
		entry = (struct haul_entry){ .batch = entry.batch, .flags = entry.flags & 3 };
	if (entry.opcode == HAUL_OP_CANCEL)
		entry = (struct haul_entry){ .opcode = HAUL_OP_CANCEL,
					     .tag = 1 + script(fuzz, 1) % 3,
					     .value = script(fuzz, 2) % ENTRIES_MAX };
	if (errand_is_one(&entry))
		entry = (struct haul_entry){ .opcode = entry.opcode,
					     .local_region = entry.local_region,
					     .batch = entry.batch,
					     .flags = entry.flags & 3 };
	if ((entry.flags & HAUL_ENTRY_NOTIFY) != 0)
		entry.tag = script(fuzz, 1);
	return entry;
}

/* Any of the bytes but the number by which it is known here. */
static void damage_entry(struct fuzz *fuzz, struct haul_entry *entry)
{
	uint8_t *bytes = (uint8_t *)entry;
	uint32_t at = script(fuzz, 1) % sizeof(*entry);

	if (at < offsetof(struct haul_entry, user_data) ||
	    at >= offsetof(struct haul_entry, user_data) + sizeof(entry->user_data))
		bytes[at] = (uint8_t)script(fuzz, 1);
}

static void do_entries(struct fuzz *fuzz)
{
	struct channel *channel = fuzz->channel;
	uint32_t tail = channel->header->submission_tail.value;

	for (uint32_t count = script(fuzz, 1) % 8; count > 0; count--) {
		struct haul_entry entry = make_entry(fuzz);

		if (fuzz->written == ENTRIES_MAX)
			break;
		for (uint32_t i = script(fuzz, 1) % 16; i > 13; i--)
			damage_entry(fuzz, &entry);
		entry.user_data = fuzz->written++;
		channel->entries[tail++ & (channel->entries_count - 1)] = entry;
	}
	/* Often beyond what there is room for, as a client that does not look. */
	if (script(fuzz, 1) % 16 == 0 || tail - channel->submission_head <= channel->entries_count)
		ring_store_release(&channel->header->submission_tail.value, tail);
}

static void do_scribble(struct fuzz *fuzz)
{
	struct channel *channel = fuzz->channel;
	uint8_t *header = (uint8_t *)channel->header;
	uint32_t at = script(fuzz, 2);
	uint8_t byte = (uint8_t)script(fuzz, 1);

	switch (script(fuzz, 1) % 4) {
	case 0:
		header[at % sizeof(*channel->header)] = byte;
		break;
	case 1:
		/* Its own number stays: everything else in the ring is the client's to spoil. */
		damage_entry(fuzz, &channel->entries[at % channel->entries_count]);
		break;
	case 2:
		((uint8_t *)channel->completions)[at % (channel->completions_count *
							sizeof(*channel->completions))] = byte;
		break;
	default:
		((uint8_t *)channel->notices
			 .slots)[at % (channel->entries_count * sizeof(*channel->notices.slots))] =
			byte;
		break;
	}
}

static void do_index(struct fuzz *fuzz)
{
	struct channel *channel = fuzz->channel;
	struct haul_channel_header *header = channel->header;

	switch (script(fuzz, 1) % 8) {
	case 0:
		header->submission_tail.value =
			channel->submission_head + script_odd(fuzz, channel->entries_count);
		break;
	case 1:
		header->completion_head.value =
			channel->completion_tail - script_odd(fuzz, channel->completions_count);
		break;
	case 2:
		header->notification_head.value = script_odd(fuzz, channel->entries_count);
		break;
	case 3:
		header->client_sleeps.value = script(fuzz, 4);
		break;
	default:
		header->completion_head.value =
			channel->completion_tail; /* it reaps, as it should */
		break;
	}
}

static void do_answers(struct fuzz *fuzz)
{
	static const enum haul_error statuses[] = { HAUL_OK,    HAUL_OK,      HAUL_NO_PATH,
						    HAUL_STALE, HAUL_TIMEOUT, HAUL_FAULT,
						    HAUL_BUSY,  HAUL_DENIED };
	struct transport_worker *fake =
		script(fuzz, 1) % 4 == 0 ? &fuzz->rig->local : &fuzz->rig->udp;

	for (uint32_t count = script(fuzz, 1) % 32; count > 0 && fake->held_count > 0; count--) {
		struct slice *slice = fake->held[script(fuzz, 2) % fake->held_count];

		rig_finish(fake, slice, statuses[script(fuzz, 1) % ARRAY_SIZE(statuses)],
			   HAUL_REASON_NONE);
	}
	check_completions(fuzz);
}

static void do_pressure(struct fuzz *fuzz)
{
	struct rig *rig = fuzz->rig;

	rig->udp.accept = script(fuzz, 1) % 2 == 0 ? UINT32_MAX : script(fuzz, 1) % 4;
	rig->local.accept = script(fuzz, 1) % 2 == 0 ? UINT32_MAX : script(fuzz, 1) % 4;
	rig->udp.is_cancel_slow = script(fuzz, 1) % 4 == 0;
}

static void do_version(struct fuzz *fuzz)
{
	struct remote *remote = &fuzz->rig->engine.remotes.remotes[GRANT_BOTH];
	uint64_t seen = atomic_load(&remote->version_seen);

	if (script(fuzz, 1) % 2 == 0)
		atomic_store(&remote->version_seen, seen + 1); /* what starts now waits */
	else
		rig_set_view(fuzz->rig, GRANT_BOTH, seen, grant_regions[GRANT_BOTH], RIG_BYTES);
}

/* One who behaves: it gets what it asks for, whatever the other one does. */
static void do_neighbour(struct fuzz *fuzz)
{
	struct channel *channel = fuzz->neighbour;
	struct haul_entry entry = { .opcode = HAUL_OP_WRITE,
				    .user_data = NEIGHBOUR_DATA + fuzz->neighbour_sent,
				    .local_region = haul_u48_make(fuzz->neighbour_region),
				    .length = 1 + script(fuzz, 2),
				    .remote_segment = fuzz->neighbour_handle };
	struct haul_completion completion;

	while (rig_reap(channel, &completion)) {
		uint64_t number = completion.user_data - NEIGHBOUR_DATA;

		BUG_ON(number >= fuzz->neighbour_sent || completion.batch != 0);
		fuzz->neighbour_done++;
	}
	BUG_ON(channel->is_closing || channel->header->state != HAUL_CHANNEL_OPEN);
	if (fuzz->neighbour_sent - fuzz->neighbour_done < channel->entries_count / 2) {
		rig_submit(channel, &entry);
		fuzz->neighbour_sent++;
	}
}

static void do_step(struct fuzz *fuzz)
{
	switch (script(fuzz, 1) % 16) {
	case 0:
	case 1:
	case 2:
		do_entries(fuzz);
		break;
	case 3:
		do_scribble(fuzz);
		break;
	case 4:
	case 5:
		do_index(fuzz);
		break;
	case 6:
	case 7:
		do_answers(fuzz);
		break;
	case 8:
		do_pressure(fuzz);
		break;
	case 9:
		do_version(fuzz);
		break;
	case 10:
		do_neighbour(fuzz);
		break;
	case 11:
		do_round(fuzz, script(fuzz, 1) % 4 == 0 ? script(fuzz, 2) : 10);
		break;
	default:
		do_round(fuzz, 1);
		break;
	}
}

static void fuzz_begin(struct fuzz *fuzz)
{
	struct region_spec spec = { .length = RIG_BYTES, .owner = 2, .fault_id = FAULT_NONE };
	static const uint32_t rights[GRANTS] = { HAUL_RIGHT_READ | HAUL_RIGHT_WRITE,
						 HAUL_RIGHT_READ, HAUL_RIGHT_WRITE,
						 HAUL_RIGHT_READ | HAUL_RIGHT_WRITE,
						 HAUL_RIGHT_READ | HAUL_RIGHT_WRITE };
	struct rig *rig = rig_create_ready(&fuzz->channel);

	fuzz->rig = rig;
	fuzz->handles[GRANT_BOTH] = rig->handle;
	fuzz->neighbour = rig_add_channel(rig, 2, 16);
	spec.base = rig->memory;
	fuzz->neighbour_region = region_add(&rig->engine.regions, &spec);
	for (uint32_t i = GRANT_READ; i < GRANTS; i++) {
		uint32_t remote = rig_add_remote(rig, i == GRANT_SELF, grant_regions[i], RIG_BYTES);
		struct channel *channel = i == GRANT_NEIGHBOUR ? fuzz->neighbour : fuzz->channel;

		BUG_ON(remote != i);
		fuzz->handles[i] = rig_open_handle(channel, i, remote, rights[i]);
		rig_connect(rig, i, i == GRANT_SELF ? HAUL_TRANSPORT_LOCAL : HAUL_TRANSPORT_UDP);
	}
	fuzz->neighbour_handle = fuzz->handles[GRANT_NEIGHBOUR];
	take_requests(fuzz);
}

/* All comes to its end: what is held is answered, what waits goes on, and both channels are given back. */
static void fuzz_end(struct fuzz *fuzz)
{
	struct rig *rig = fuzz->rig;

	rig->udp.is_cancel_slow = false;
	rig->udp.accept = rig->local.accept = UINT32_MAX;
	for (uint32_t i = 0; fuzz->neighbour_done < fuzz->neighbour_sent; i++) {
		struct haul_completion completion;

		BUG_ON(i == 100000);
		rig_drain(&rig->udp, HAUL_OK);
		rig_drain(&rig->local, HAUL_OK);
		do_round(fuzz, 1000);
		while (rig_reap(fuzz->neighbour, &completion))
			fuzz->neighbour_done++;
	}
	if (!fuzz->is_released)
		send_close(fuzz, fuzz->channel);
	send_close(fuzz, fuzz->neighbour);
	fuzz->is_released = true;
	for (uint32_t i = 0; i < 3; i++) {
		rig_round(rig, 1);
		rig_drain(&rig->udp, HAUL_CANCELLED);
		rig_drain(&rig->local, HAUL_CANCELLED);
	}
	BUG_ON(rig->worker->channel_count != 0);
	BUG_ON(fuzz->channel->accepted != fuzz->channel->completed);
	BUG_ON(fuzz->channel->reserved != 0 && fuzz->channel->batches_unclosed == 0);
	BUG_ON(fuzz->neighbour->accepted != fuzz->neighbour_sent ||
	       fuzz->neighbour->completed != fuzz->neighbour_sent);
	rig_free_channel(fuzz->channel);
	rig_free_channel(fuzz->neighbour);
	rig_destroy(rig); /* looks at the pools and the wheel */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct fuzz fuzz;

	memset(&fuzz, 0, sizeof(fuzz));
	fuzz.at = data;
	fuzz.end = data + bytes;
	fuzz.written =
		1; /* slots that were never written have user_data 0, which is not followed */
	fuzz_begin(&fuzz);
	while (fuzz.at < fuzz.end)
		do_step(&fuzz);
	fuzz_end(&fuzz);
	return 0;
}

#ifndef FUZZ_LIBFUZZER

int main(int argc, char **argv)
{
	uint64_t seed = (uint64_t)time(NULL), runs = 0;
	time_t end = time(NULL) + (getenv("HAUL_ALL") != NULL ? SECONDS_LONGER : SECONDS);
	static uint8_t input[SCRIPT_BYTES];

	if (getenv("HAUL_SEED") != NULL)
		seed = strtoull(getenv("HAUL_SEED"), NULL, 0);
	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seconds") == 0)
			end = time(NULL) + (time_t)strtoul(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--seed") == 0)
			seed = strtoull(argv[i + 1], NULL, 0);
	}
	for (; time(NULL) < end; runs++) {
		uint64_t state = seed + runs;

		/* Each run has a seed of its own, so the last line's begins not far before what failed. */
		if (runs % 100 == 0) {
			printf("HAUL_SEED=%" PRIu64 "\n", seed + runs);
			(void)fflush(stdout);
		}
		for (size_t i = 0; i < sizeof(input); i++)
			input[i] = (uint8_t)unit_random(&state);
		(void)LLVMFuzzerTestOneInput(input, 1 + unit_random_below(&state, sizeof(input)));
	}
	printf("%" PRIu64 " inputs\n", runs);
	return 0;
}

#endif
