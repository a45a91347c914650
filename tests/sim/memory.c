/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The all-knowing engine. Contents are made and compared on the fly, a word of eight bytes at a time.
 */
#include "memory.h"

#include "api/haul_abi.h"
#include "api/haul_error.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_VERSION 4711u
/* Freshness, and some. */
#define ORPHAN_US 150000u

void memory_violation(struct memory *memory, const char *what, uint64_t uid)
{
	if (memory->violations++ == 0)
		snprintf(memory->violation, sizeof(memory->violation),
			 "%s (operation %" PRIu64 " at %" PRIu64 " us)", what, uid,
			 *memory->now_us);
}

static uint8_t pattern_byte(uint64_t key, uint64_t offset)
{
	return (uint8_t)(random_mix(key * UINT64_C(0x9e3779b97f4a7c15) + offset / 8) >>
			 offset % 8 * 8);
}

static void pattern_fill(uint64_t key, uint64_t offset, uint8_t *out, uint32_t length)
{
	while (length > 0 && offset % 8 != 0) {
		*out++ = pattern_byte(key, offset++);
		length--;
	}
	for (; length >= 8; length -= 8, offset += 8, out += 8) {
		uint64_t word = random_mix(key * UINT64_C(0x9e3779b97f4a7c15) + offset / 8);

		memcpy(out, &word, 8);
	}
	while (length-- > 0)
		*out++ = pattern_byte(key, offset++);
}

static bool pattern_matches(uint64_t key, uint64_t offset, const uint8_t *in, uint32_t length)
{
	uint8_t expected[16384];

	if (length > sizeof(expected))
		return false;
	pattern_fill(key, offset, expected, length);
	return memcmp(expected, in, length) == 0;
}

static uint64_t region_handle(const struct memory *memory, uint32_t region)
{
	return (uint64_t)region << 24 | (memory->regions[region].generation & 0xffffff);
}

/* The check of the target: generation and range. */
static int region_check(struct memory *memory, uint64_t handle, uint64_t offset, uint64_t length,
			uint16_t *reason, uint64_t *version)
{
	uint32_t index = (uint32_t)(handle >> 24);

	if (index >= MEMORY_REGIONS)
		return HAUL_DENIED;
	if (!memory->is_unguarded && handle != region_handle(memory, index)) {
		*reason = HAUL_REASON_REGION_GENERATION;
		*version = MEMORY_VERSION;
		return HAUL_STALE;
	}
	if (offset >= MEMORY_REGION_BYTES || length > MEMORY_REGION_BYTES - offset)
		return HAUL_RANGE;
	return HAUL_OK;
}

/* Everything there is to know about bytes that are about to land. */
static void place_check(struct memory *memory, const struct rudp_placement *placement)
{
	uint32_t index = (uint32_t)(placement->region >> 24);
	struct memory_slot *slot =
		&memory->regions[index].slots[placement->offset / MEMORY_SLOT_BYTES];
	struct memory_operation *live = slot->live;

	if (placement->region != region_handle(memory, index)) {
		memory_violation(memory, "stale byte: write into a retired region",
				 live != NULL ? live->uid : 0);
		return;
	}
	if (live == NULL || live->region != placement->region) {
		memory_violation(memory, "stale byte: write after its operation has ended", 0);
		return;
	}
	if (placement->offset < live->offset ||
	    placement->offset + placement->length > live->offset + live->length) {
		memory_violation(memory, "byte outside of its operation", live->uid);
		return;
	}
	if (!pattern_matches(live->uid, placement->offset - live->offset, placement->payload,
			     placement->length)) {
		memory_violation(memory, "stale byte: content of another operation", live->uid);
		return;
	}
	live->landed += placement->length;
	if (live->landed > live->length)
		memory_violation(memory, "byte placed twice", live->uid);
}

/* Has the initiator proven what it does here? Whoever waits for its grant is never refused by a target. */
static bool right_check(struct memory *memory, const struct rudp_right *right, uint64_t region,
			uint32_t needed)
{
	return memory->is_lenient ||
	       (right->segment == memory_segment(region) && (right->rights & needed) != 0);
}

static int memory_place(void *context, struct rudp_placement *placement)
{
	struct memory *memory = context;
	struct memory_region *region;
	uint64_t clock_us = *memory->now_us;
	int status = region_check(memory, placement->region, placement->offset, placement->length,
				  &placement->reason, &placement->version);

	if (!right_check(memory, &placement->right, placement->region, MEMORY_MAY_WRITE))
		memory_violation(memory, "stale byte: written without its grant",
				 placement->region);
	if (status != HAUL_OK)
		return status;
	region = &memory->regions[placement->region >> 24];
	if (region->is_draining && (placement->flags & RUDP_PLACE_FIRST) != 0)
		return HAUL_STALE;
	if (random_chance(memory->random, memory->stall_ppm))
		clock_us += random_below(memory->random, 200000);
	if (clock_us > placement->not_after_us) {
		memory->stalls++;
		return HAUL_TIMEOUT;
	}
	if (!memory->is_lenient)
		place_check(memory, placement);
	if ((placement->flags & (RUDP_PLACE_FIRST | RUDP_PLACE_ONLY)) == RUDP_PLACE_FIRST)
		region->open++;
	return HAUL_OK;
}

static int memory_open(void *context, struct rudp_opening *opening)
{
	struct memory *memory = context;
	struct memory_region *region;
	int status = region_check(memory, opening->region, opening->offset, opening->length,
				  &opening->reason, &opening->version);

	/* One that is over at its initiator may name a slot that is another's by now. */
	if (!right_check(memory, &opening->right, opening->region, MEMORY_MAY_READ))
		return HAUL_DENIED;
	if (status != HAUL_OK)
		return status;
	region = &memory->regions[opening->region >> 24];
	if (region->is_draining)
		return HAUL_STALE;
	region->open++;
	return HAUL_OK;
}

static void memory_closed(void *context, struct rudp_connection *connection, uint64_t region)
{
	struct memory *memory = context;

	(void)connection;
	if (--memory->regions[region >> 24].open < 0)
		memory_violation(memory, "closed more often than opened", 0);
}

/* The peer's operation whose notification has that number. */
static struct memory_operation *notified_find(struct memory *memory, uint64_t number)
{
	for (uint32_t i = 0; i < MEMORY_OPERATIONS; i++) {
		struct memory_operation *operation = &memory->peer->operations[i];

		if (operation->uid != 0 && operation->kind == RUDP_NOTIFY &&
		    operation->number == number)
			return operation;
	}
	return NULL;
}

/* Everything there is to know about a notification that is delivered. */
static void notify_check(struct memory *memory, const struct rudp_notification *notification)
{
	const struct rudp_notice *notice = &notification->notice;
	struct memory_operation *operation = notified_find(memory, notice->number);

	memory->notified++;
	if (memory->is_lenient)
		return;
	if (operation == NULL) {
		memory_violation(memory, "stale byte: notified after its operation has ended",
				 notice->value);
		return;
	}
	if (++operation->notified > 1)
		memory_violation(memory, "notified twice", operation->uid);
	if (operation->landed != operation->length)
		memory_violation(memory, "notified before its bytes", operation->uid);
	if (notice->value != operation->uid || notice->tag != (uint32_t)operation->uid * 3 ||
	    notice->written != operation->length || notification->region != operation->region ||
	    notification->offset != operation->offset)
		memory_violation(memory, "notified with another's fields", operation->uid);
}

/* As the engine does: a number is executed once, whatever became of the region since. */
static int notify_execute(struct memory *memory, const struct rudp_notification *notification,
			  const struct transport_notice *notice)
{
	struct notifier_claim claim;

	switch (notifier_begin(&memory->notifiers, notice, &claim)) {
	case NOTIFIER_NEW:
		break;
	case NOTIFIER_DONE:
		memory->again++;
		return HAUL_OK;
	case NOTIFIER_OVER:
		return HAUL_STALE;
	case NOTIFIER_BUSY:
	case NOTIFIER_FULL:
	default:
		return HAUL_BUSY;
	}
	if (random_chance(memory->random, memory->busy_ppm)) {
		notifier_end(&claim, false);
		return HAUL_BUSY;
	}
	notify_check(memory, notification);
	notifier_end(&claim, !memory->is_forgetful);
	return HAUL_OK;
}

static int memory_notify(void *context, struct rudp_notification *notification)
{
	struct memory *memory = context;
	const struct rudp_params *params = rudp_connection_params(notification->connection);
	struct transport_notice notice = {
		.node = params->name,
		.incarnation = params->incarnation,
		.number = notification->notice.number,
		.worker = notification->notice.worker,
	};
	uint64_t clock_us = *memory->now_us;
	int status = region_check(memory, notification->region, notification->offset,
				  notification->notice.written, &notification->reason,
				  &notification->version);

	if (!right_check(memory, &notification->right, notification->region, MEMORY_MAY_WRITE))
		memory_violation(memory, "stale byte: notified without its grant",
				 notification->region);
	if (random_chance(memory->random, memory->stall_ppm))
		clock_us += random_below(memory->random, 200000);
	if (clock_us > notification->not_after_us) {
		memory->stalls++;
		return HAUL_TIMEOUT;
	}
	if (status == HAUL_OK)
		return notify_execute(memory, notification, &notice);
	return notifier_has(&memory->notifiers, &notice) ? HAUL_OK : status;
}

static struct memory_operation *memory_find(struct memory *memory, uint64_t uid)
{
	for (uint32_t i = 0; i < MEMORY_OPERATIONS; i++) {
		if (uid != 0 && memory->operations[i].uid == uid)
			return &memory->operations[i];
	}
	return NULL;
}

static int memory_source(void *context, struct rudp_source *source)
{
	struct memory *memory = context;
	int status;

	if (source->kind == RUDP_NOTIFY) {
		const struct memory_operation *operation = memory_find(memory, source->cookie);

		source->notice = (struct rudp_notice){ .number = operation->number,
						       .value = operation->uid,
						       .tag = (uint32_t)operation->uid * 3,
						       .written = operation->length };
		return HAUL_OK;
	}
	if (source->kind == RUDP_WRITE) {
		if (random_chance(memory->random, memory->fault_ppm))
			return HAUL_FAULT;
		if (memory_find(memory, source->cookie) == NULL)
			memory_violation(memory, "source of an operation that has ended",
					 source->cookie);
		pattern_fill(source->cookie, source->offset, source->destination, source->length);
		return HAUL_OK;
	}
	if (!right_check(memory, &source->right, source->region, MEMORY_MAY_READ))
		return HAUL_DENIED;
	status = region_check(memory, source->region, source->offset, source->length,
			      &source->reason, &source->version);
	if (status != HAUL_OK)
		return status;
	/* What is read is a function of the generation that stands there now. */
	pattern_fill(region_handle(memory, (uint32_t)(source->region >> 24)), source->offset,
		     source->destination, source->length);
	return HAUL_OK;
}

static int memory_deliver(void *context, uint64_t cookie, uint32_t offset, const void *payload,
			  uint32_t length)
{
	struct memory *memory = context;
	struct memory_operation *operation = memory_find(memory, cookie);

	if (random_chance(memory->random, memory->fault_ppm))
		return HAUL_FAULT;
	if (memory->is_lenient)
		return HAUL_OK;
	if (operation == NULL || operation->kind != RUDP_READ) {
		memory_violation(memory, "stale byte: read data after its operation has ended",
				 cookie);
		return HAUL_OK;
	}
	if ((uint64_t)offset + length > operation->length)
		memory_violation(memory, "byte outside of its operation", cookie);
	if (!pattern_matches(operation->region, operation->offset + offset, payload, length))
		memory_violation(memory, "stale byte: read from another generation", cookie);
	operation->landed += length;
	if (operation->landed > operation->length)
		memory_violation(memory, "byte delivered twice", cookie);
	return HAUL_OK;
}

static void slot_release(struct memory *memory, struct memory_operation *operation)
{
	uint32_t region = (uint32_t)(operation->region >> 24);
	struct memory_slot *slot =
		&memory->peer->regions[region].slots[operation->offset / MEMORY_SLOT_BYTES];

	if (operation->kind != RUDP_READ && slot->live == operation)
		slot->live = NULL;
}

/* Wait before the (next) attempt at the notification. */
static void memory_wait(struct memory *memory, struct memory_operation *operation, uint64_t us)
{
	operation->kind = RUDP_NOTIFY;
	operation->is_waiting = true;
	operation->attempt_us = *memory->now_us + us;
}

/* Is there more to do for an operation of which rudp has ended something? */
static bool memory_goes_on(struct memory *memory, struct memory_operation *operation,
			   uint16_t status)
{
	if (!operation->notifies || operation->ending_us != 0)
		return false;
	if (operation->kind == RUDP_WRITE && status == HAUL_OK) {
		memory_wait(memory, operation, 0);
		return true;
	}
	if (operation->kind != RUDP_NOTIFY)
		return false;
	/* No room, or the connection has ended under it: the next attempt tells whether this one was executed. */
	if (status != HAUL_BUSY && status != HAUL_NO_PATH && status != HAUL_CANCELLED)
		return false;
	memory_wait(memory, operation, 1 + random_below(memory->random, 1000));
	return true;
}

/* What must be true of an operation that ends well. */
static void memory_check_done(struct memory *memory, const struct memory_operation *operation,
			      const struct rudp_completion *completion)
{
	if (completion->kind == RUDP_NOTIFY) {
		if (operation->notified != 1)
			memory_violation(memory, "completed without its notification",
					 operation->uid);
		return;
	}
	memory->bytes += operation->length;
	if (operation->landed != operation->length || completion->bytes != operation->length)
		memory_violation(memory, "completed with bytes missing", operation->uid);
}

static void memory_done(void *context, const struct rudp_completion *completion)
{
	struct memory *memory = context;
	struct memory_operation *operation = memory_find(memory, completion->cookie);

	if (operation == NULL) {
		memory_violation(memory, "completed twice", completion->cookie);
		return;
	}
	if (completion->status == HAUL_OK && !memory->is_lenient)
		memory_check_done(memory, operation, completion);
	if (!memory->is_lenient && completion->status == HAUL_STALE && completion->reason != 0 &&
	    completion->version != MEMORY_VERSION)
		memory_violation(memory, "refusal without the version", operation->uid);
	if (!memory->is_lenient && completion->status == HAUL_DENIED)
		memory_violation(memory, "stale byte: denied what was granted", operation->uid);
	if (!memory_goes_on(memory, operation, completion->status))
		memory_end(memory, operation, completion->status);
}

static void memory_state(void *context, struct rudp_connection *connection, enum rudp_state state,
			 enum rudp_end_reason reason)
{
	(void)context;
	(void)connection;
	(void)state;
	(void)reason;
}

const struct rudp_callbacks memory_callbacks = {
	.place = memory_place,
	.notify = memory_notify,
	.open = memory_open,
	.closed = memory_closed,
	.source = memory_source,
	.deliver = memory_deliver,
	.done = memory_done,
	.state = memory_state,
};

void memory_init(struct memory *memory, struct memory *peer, struct random *random)
{
	memset(memory, 0, sizeof(*memory));
	memory->peer = peer;
	memory->random = random;
	for (uint32_t i = 0; i < MEMORY_REGIONS; i++)
		memory->regions[i].generation = 1;
	if (notifier_table_init(&memory->notifiers) != 0)
		abort();
}

/* A free slot of the region for a WRITE, MEMORY_SLOTS when there is none. */
static uint32_t slot_pick(struct memory *memory, struct memory_region *region)
{
	uint32_t start = (uint32_t)random_below(memory->random, MEMORY_SLOTS);

	for (uint32_t i = 0; i < MEMORY_SLOTS; i++) {
		if (region->slots[(start + i) % MEMORY_SLOTS].live == NULL)
			return (start + i) % MEMORY_SLOTS;
	}
	return MEMORY_SLOTS;
}

struct memory_operation *memory_begin(struct memory *memory, enum rudp_kind kind, uint32_t length,
				      bool wants_stale)
{
	uint32_t index = (uint32_t)random_below(memory->random, MEMORY_REGIONS);
	struct memory_region *region = &memory->peer->regions[index];
	uint32_t slot = slot_pick(memory, region);
	struct memory_operation *operation = NULL;

	for (uint32_t i = 0; i < MEMORY_OPERATIONS && operation == NULL; i++) {
		if (memory->operations[i].uid == 0)
			operation = &memory->operations[i];
	}
	if (operation == NULL || slot == MEMORY_SLOTS)
		return NULL;
	memset(operation, 0, sizeof(*operation));
	operation->uid = ++*memory->uid_next;
	operation->kind = kind;
	operation->length = length;
	operation->cancel_us = UINT64_MAX;
	operation->region = region_handle(memory->peer, index) - (wants_stale ? 1 : 0);
	operation->offset = slot * (uint64_t)MEMORY_SLOT_BYTES +
			    random_below(memory->random, MEMORY_SLOT_BYTES - length + 1);
	if (kind == RUDP_WRITE)
		region->slots[slot].live = operation;
	memory->open++;
	memory->submitted++;
	memory->stale_submitted += wants_stale;
	return operation;
}

struct rudp_operation_request memory_request(const struct memory_operation *operation)
{
	return (struct rudp_operation_request){
		.kind = operation->kind,
		.length = operation->kind == RUDP_NOTIFY ? 0 : operation->length,
		.region = operation->region,
		.offset = operation->offset,
		.cookie = operation->uid,
	};
}

void memory_end(struct memory *memory, struct memory_operation *operation, uint16_t status)
{
	memory->completed++;
	memory->by_status[status % 32]++;
	memory_abandon(memory, operation);
}

bool memory_take_number(struct memory *memory, struct memory_operation *operation)
{
	if (operation->number == 0)
		operation->number = numbers_take(&memory->numbers, &memory->numbers_floor);
	return operation->number != 0;
}

void memory_abandon(struct memory *memory, struct memory_operation *operation)
{
	if (operation->number != 0 && !operation->is_orphan)
		numbers_close(&memory->numbers, operation->number);
	slot_release(memory, operation);
	operation->uid = 0;
	memory->open--;
}

void memory_retire(struct memory *memory, uint32_t region)
{
	memory->regions[region].generation++;
	memory->regions[region].is_draining = false;
}

void memory_restart(struct memory *memory)
{
	for (uint32_t i = 0; i < MEMORY_REGIONS; i++) {
		memory_retire(memory, i);
		memory->regions[i].open = 0;
	}
	numbers_forget(&memory->numbers);
	notifier_table_destroy(&memory->notifiers);
	if (notifier_table_init(&memory->notifiers) != 0)
		abort();
	for (uint32_t i = 0; i < MEMORY_OPERATIONS; i++) {
		if (memory->operations[i].uid == 0 || memory->operations[i].is_orphan)
			continue;
		memory->operations[i].is_orphan = true;
		memory->operations[i].ending_us = *memory->now_us;
		memory->completed++;
	}
}

void memory_reap(struct memory *memory)
{
	for (uint32_t i = 0; i < MEMORY_OPERATIONS; i++) {
		struct memory_operation *operation = &memory->operations[i];

		if (operation->uid != 0 && operation->is_orphan &&
		    *memory->now_us > operation->ending_us + ORPHAN_US)
			memory_abandon(memory, operation);
	}
}
