/* SPDX-License-Identifier: BSD-3-Clause */
/* Memory that clients own; memory.h has the picture of its life. */
#include "control/memory.h"

#include "api/haul_control.h"
#include "base/auth.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/names.h"
#include "control/node.h"
#include "control/rings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* How long to leave a record that could not be erased before it is tried again. */
#define MEMORY_ERASE_PAUSE_US 1000000u

/* Flags of a SEGMENT_CREATE. */
#define MEMORY_FLAGS (HAUL_SEGMENT_PRIVATE | HAUL_SEGMENT_GIVEN | HAUL_SEGMENT_READ_ONLY)

/* The legal transitions, one bit a target state. */
static const uint8_t memory_transitions[MEMORY_STATE_COUNT] = {
	[MEMORY_MAKING] = 1 << MEMORY_PUBLISHING | 1 << MEMORY_ACTIVE | 1 << MEMORY_RETIRING,
	[MEMORY_PUBLISHING] = 1 << MEMORY_ACTIVE | 1 << MEMORY_RETIRING,
	[MEMORY_ACTIVE] = 1 << MEMORY_ERASING | 1 << MEMORY_RETIRING,
	[MEMORY_ERASING] = 1 << MEMORY_ACTIVE | 1 << MEMORY_RETIRING,
};

static void memory_set_state(struct memory *memory, enum memory_state state)
{
	BUG_ON((memory_transitions[memory->state] & 1u << state) == 0);
	memory->state = state;
}

static int memory_ask_erasure(struct memory *memory);

/* The last step: nothing names it any more. */
static void memory_free(struct memory *memory)
{
	struct client *client = memory->client;

	TAILQ_REMOVE(&memory->node->memories, memory, link);
	client->segments--;
	client->bytes -= memory->pages.bytes;
	free(memory);
	client_release(client);
}

/* Long lane: give the pages back, which takes time for many. */
static void memory_run_free(struct job *job)
{
	struct memory *memory = CONTAINER_OF(job, struct memory, job);

	pages_free(&memory->pages);
}

/* Retired, and something it waited for has come: erase the record that is left, then go. */
static void memory_settle(struct memory *memory)
{
	if (!memory->is_freed || memory->asked > 0)
		return;
	if (!memory->is_published)
		memory_free(memory);
	else if (memory_ask_erasure(memory) != 0)
		memory->erase_at_us = clock_now_us() + MEMORY_ERASE_PAUSE_US;
}

static void memory_freed(struct job *job)
{
	struct memory *memory = CONTAINER_OF(job, struct memory, job);
	struct haul_attach_plain_answer message = { 0 };

	memory->is_freed = true;
	if (memory->is_wanted)
		client_answer(memory->client, HAUL_OK, &message, sizeof(message), NULL, 0);
	memory->is_wanted = false;
	memory_settle(memory);
}

/* Every worker has gone round since the region was retired. */
static void memory_quiesced(struct quiesce_action *action)
{
	struct memory *memory = CONTAINER_OF(action, struct memory, quiesce);

	if (memory->region != REGION_NONE)
		region_release(&memory->node->engine.regions, memory->region);
	memory->region = REGION_NONE;
	fault_range_remove(memory->fault_id);
	memory->fault_id = FAULT_NONE;
	memory->job.run = memory_run_free;
	memory->job.done = memory_freed;
	job_submit(&memory->node->lane_long, &memory->job);
}

/* Refuse it at once, and free it when the workers have gone round. */
static void memory_retire(struct memory *memory)
{
	memory_set_state(memory, MEMORY_RETIRING);
	if (memory->region != REGION_NONE)
		region_retire(&memory->node->engine.regions, memory->region);
	quiesce_call(&memory->node->quiesce, &memory->quiesce, memory_quiesced);
}

static void memory_answer_create(struct memory *memory)
{
	struct haul_attach_segment_create_answer message = { 0 };

	message.bytes = memory->pages.bytes;
	message.region = memory->region;
	message.version = memory->version;
	message.segment = memory->number;
	message.page_bytes = memory->pages.page_bytes;
	client_answer(memory->client, HAUL_OK, &message, sizeof(message), &memory->pages.fd,
		      memory->pages.is_given ? 0 : 1);
	/* The client has it, and we have the mapping. */
	close(memory->pages.fd);
	memory->pages.fd = -1;
}

/* What peers may be granted. */
static uint32_t memory_rights(const struct memory *memory)
{
	return memory->pages.is_read_only ? HAUL_RIGHT_READ : HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
}

/* A memfd with the descriptor of a segment, as it stands now; or -errno. */
static int memory_describe(struct memory *memory)
{
	struct node *node = memory->node;

	struct {
		struct haul_descriptor header;
		struct haul_descriptor_buffer buffer;
		struct haul_address addresses[HAUL_DESCRIPTOR_ADDRESSES_MAX];
	} descriptor;

	memset(&descriptor, 0, sizeof(descriptor));
	descriptor.header.magic = HAUL_DESCRIPTOR_MAGIC;
	descriptor.header.version = HAUL_DESCRIPTOR_VERSION;
	descriptor.header.buffer_count = 1;
	descriptor.header.address_count = node_addresses(node, descriptor.addresses);
	descriptor.header.incarnation = node->engine.options.incarnation;
	descriptor.header.metadata_version = memory->version;
	descriptor.header.bytes = memory->pages.bytes;
	descriptor.header.number = memory->number;
	memcpy(descriptor.header.key, memory->key, sizeof(memory->key));
	memcpy(descriptor.header.segment, memory->name, sizeof(memory->name));
	memcpy(descriptor.header.node, node->conf->node, sizeof(node->conf->node));
	memcpy(descriptor.header.tenant, memory->client->tenant, strlen(memory->client->tenant));
	memcpy(descriptor.header.readers, memory->readers, sizeof(memory->readers));
	memcpy(descriptor.header.writers, memory->writers, sizeof(memory->writers));
	descriptor.buffer.length = memory->pages.bytes;
	descriptor.buffer.region = memory->region;
	descriptor.buffer.rights = memory_rights(memory);
	descriptor.buffer.state = HAUL_BUFFER_ACTIVE;
	return memfd_from_bytes("haul-descriptor", &descriptor,
				descriptor_bytes(1, descriptor.header.address_count));
}

/* The outcome of a publication that a client waits for. */
static void memory_created(struct memory *memory, const struct link_answer *answer)
{
	if (answer->status == HAUL_OK) {
		memory_set_state(memory, MEMORY_ACTIVE);
		memory_answer_create(memory);
		return;
	}
	/* First of all, since a client that takes no answer is ended at once, with all that it has and is not retired. */
	memory_retire(memory);
	client_refuse(memory->client, answer->status, "%s", answer->reason);
}

static void memory_published(void *argument, const struct link_answer *answer)
{
	struct memory *memory = argument;

	memory->asked--;
	if (answer->fd >= 0)
		close(answer->fd);
	if (answer->status == HAUL_OK) {
		memory->version = answer->version;
		if (memory->region != REGION_NONE)
			region_set_version(&memory->node->engine.regions, memory->region,
					   answer->version);
	}
	/*
	 * A first publication that was refused leaves no record: the name may be another's. One without an answer may have
	 * left one.
	 */
	if (answer->status != HAUL_OK && answer->status != HAUL_UNAVAILABLE && memory->version == 0)
		memory->is_published = false;
	if (memory->state == MEMORY_PUBLISHING)
		memory_created(memory, answer);
	else if (memory->state == MEMORY_RETIRING)
		memory_settle(memory);
	else if (answer->status != HAUL_OK)
		log_warning("memory", "segment %s: not published again: %s", memory->name,
			    answer->reason);
}

static void memory_publish(struct memory *memory)
{
	struct haul_control_segment message = { .version = memory->version };
	struct link_answer failed = { .status = HAUL_SYSTEM, .fd = -1 };
	int fd = memory_describe(memory);
	int error;

	memory->asked++;
	if (fd < 0) {
		failed.reason = "no memory for the segment's descriptor";
		memory_published(memory, &failed);
		return;
	}
	memcpy(message.segment, memory->name, sizeof(message.segment));
	memory->is_published = true;
	error = link_ask(&memory->node->link, HAUL_CONTROL_SEGMENT_PUBLISH, &message, fd,
			 memory_published, memory);
	if (error != 0) {
		failed.status = (enum haul_error) - error;
		failed.reason = "too many control requests are open";
		memory_published(memory, &failed);
	}
}

/* Is there nothing more to be done about the record? */
static bool memory_is_erased(const struct memory *memory, enum haul_error status)
{
	/* STALE: a newer incarnation has retired it already. */
	if (status == HAUL_OK || status == HAUL_NOT_FOUND || status == HAUL_STALE)
		return true;
	/* For a dead client's any refusal is the last word; only what was not tried is tried again. */
	return memory->state == MEMORY_RETIRING && status != HAUL_UNAVAILABLE &&
	       status != HAUL_BUSY && status != HAUL_SYSTEM && status != HAUL_INTERNAL;
}

/* The outcome of an erasure that a client waits for. */
static void memory_erase_answered(struct memory *memory, const struct link_answer *answer)
{
	if (!memory->is_published) {
		memory_retire(memory);
		return;
	}
	memory->is_wanted = false;
	memory_set_state(memory, MEMORY_ACTIVE);
	client_refuse(memory->client, answer->status, "segment %s stays as it was: %.100s",
		      memory->name, answer->reason);
}

static void memory_erased(void *argument, const struct link_answer *answer)
{
	struct memory *memory = argument;

	memory->asked--;
	if (answer->fd >= 0)
		close(answer->fd);
	if (memory_is_erased(memory, answer->status))
		memory->is_published = false;
	memory->erase_at_us = clock_now_us() + MEMORY_ERASE_PAUSE_US;
	if (memory->state == MEMORY_ERASING)
		memory_erase_answered(memory, answer);
	else if (!memory->is_published)
		memory_settle(memory); /* otherwise memory_erase_left_behind asks again */
}

/* Returns 0, or -HAUL_BUSY. */
static int memory_ask_erasure(struct memory *memory)
{
	struct haul_control_segment message = { .version = memory->version };
	int error;

	memcpy(message.segment, memory->name, sizeof(message.segment));
	error = link_ask(&memory->node->link, HAUL_CONTROL_SEGMENT_ERASE, &message, -1,
			 memory_erased, memory);
	if (error == 0)
		memory->asked++;
	return error;
}

/* Long lane: the memory, and its first pages; memory_made asks for the others. */
static void memory_run_make(struct job *job)
{
	struct memory *memory = CONTAINER_OF(job, struct memory, job);

	pages_map(&memory->pages, memory->node->conf->huge_pages);
	if (memory->pages.error == 0)
		pages_populate(&memory->pages);
}

static void memory_run_populate(struct job *job)
{
	pages_populate(&CONTAINER_OF(job, struct memory, job)->pages);
}

/* Guard what a job has made, here, where all ranges are added and removed. */
static void memory_guard(struct memory *memory)
{
	if (memory->pages.error == 0)
		memory->pages.error = fault_range_add(memory->pages.address, memory->pages.bytes,
						      memory->pages.page_bytes, &memory->fault_id);
}

static bool memory_register(struct memory *memory)
{
	struct region_spec spec = {
		.base = memory->pages.address,
		.length = memory->pages.bytes,
		.owner = memory->client->number,
		.rights = memory->is_private ? 0 : memory_rights(memory),
		.is_read_only = memory->pages.is_read_only,
		.segment = memory->number,
		.fault_id = memory->fault_id,
		.notices = &memory->client->rings->channel.notices,
	};

	memory->region = region_add(&memory->node->engine.regions, &spec);
	return memory->region != REGION_NONE;
}

static void memory_made(struct job *job)
{
	struct memory *memory = CONTAINER_OF(job, struct memory, job);

	if (memory->client->fd >= 0 && !pages_are_done(&memory->pages)) {
		/* Behind what else waits in the lane. */
		memory->job.run = memory_run_populate;
		job_submit(&memory->node->lane_long, &memory->job);
		return;
	}
	memory_guard(memory);
	if (memory->pages.error == 0 && memory->pages.is_unlocked) {
		log_limited(&memory->node->lock_limit, LOG_LEVEL_WARNING, "memory",
			    "segment %s: %lu bytes cannot be locked: raise LimitMEMLOCK, or they "
			    "may be swapped out",
			    memory->name, (unsigned long)memory->pages.bytes);
	}
	if (memory->client->fd < 0) {
		memory_retire(memory);
	} else if (memory->pages.error != 0) {
		client_refuse(memory->client, HAUL_SYSTEM, "segment %s: %lu bytes of memory: %s%s",
			      memory->name, (unsigned long)memory->pages.bytes,
			      strerrordesc_np(-memory->pages.error),
			      memory->node->conf->huge_pages == CONF_HUGE_REQUIRE
				      ? "; huge_pages is \"require\" and there are not enough"
				      : "");
		memory_retire(memory);
	} else if (!memory_register(memory)) {
		memory_retire(memory);
		client_refuse(memory->client, HAUL_BUSY, "all %u regions of this daemon are in use",
			      ENGINE_REGIONS_MAX);
	} else if (memory->is_private) {
		memory_set_state(memory, MEMORY_ACTIVE);
		memory_answer_create(memory);
	} else {
		memory_set_state(memory, MEMORY_PUBLISHING);
		memory_publish(memory);
	}
}

/* Is the name in use here? Another node's use of it is for Redis to say. */
static bool memory_name_is_taken(const struct node *node, const char *name)
{
	const struct memory *memory;

	TAILQ_FOREACH(memory, &node->memories, link)
	{
		if (!memory->is_private && strcmp(memory->name, name) == 0)
			return true;
	}
	return false;
}

/* What clients hold now: those of the uid, and all of them. */
struct memory_usage {
	uint32_t segments;
	uint32_t segments_all;
	uint64_t bytes;
};

static struct memory_usage memory_usage(const struct client *client)
{
	struct memory_usage usage = { 0 };
	const struct client *other;

	TAILQ_FOREACH(other, &client->node->clients.list, link)
	{
		usage.segments_all += other->segments;
		if (other->uid != client->uid)
			continue;
		usage.segments += other->segments;
		usage.bytes += other->bytes;
	}
	return usage;
}

/*
 * Large segments are rounded up to huge pages, so that they may get them; all are when nothing else will do. What is given
 * is as large as it is.
 */
static uint64_t memory_round(const struct dataplane_conf *conf,
			     const struct haul_attach_segment_create *message)
{
	bool is_huge = message->bytes >= HUGE_PAGE_BYTES || conf->huge_pages == CONF_HUGE_REQUIRE;
	uint64_t page_bytes = is_huge ? HUGE_PAGE_BYTES : PAGE_BYTES;

	if ((message->flags & HAUL_SEGMENT_GIVEN) != 0)
		return message->bytes;
	return (message->bytes + page_bytes - 1) / page_bytes * page_bytes;
}

/* Would it be more than the user, or the daemon, may have? Then the refusal has been answered. */
static bool memory_is_too_much(struct client *client,
			       const struct haul_attach_segment_create *message)
{
	const struct dataplane_conf *conf = client->node->conf;
	struct memory_usage usage = memory_usage(client);
	uint64_t bytes = memory_round(conf, message);
	struct dataplane_quota quota;

	dataplane_conf_quota(conf, client->uid, &quota);
	if (usage.segments >= quota.segments || bytes > quota.bytes ||
	    usage.bytes > quota.bytes - bytes) {
		client_refuse(
			client, HAUL_QUOTA,
			"uid %u has %u segments with %lu bytes and asks for 1 more with %lu; it "
			"may have %u with %lu",
			client->uid, usage.segments, (unsigned long)usage.bytes,
			(unsigned long)bytes, quota.segments, (unsigned long)quota.bytes);
		return true;
	}
	if (client->node->memory_number == UINT32_MAX) {
		client_refuse(
			client, HAUL_BUSY,
			"this daemon has made 2^32 segments and has no number left for another: "
			"start it anew");
		return true;
	}
	if (usage.segments_all >= conf->segments_max) {
		client_refuse(client, HAUL_BUSY, "all %u segments of this daemon are in use",
			      conf->segments_max);
		return true;
	}
	return false;
}

/* What is wrong with a request; the refusal has been answered when it is not HAUL_OK. */
static enum haul_error memory_check(struct client *client,
				    const struct haul_attach_segment_create *message)
{
	const struct dataplane_conf *conf = client->node->conf;

	if (message->reserved != 0 || (message->flags & ~MEMORY_FLAGS) != 0) {
		client_refuse(client, HAUL_INVALID, "flags 0x%x and reserved 0x%x: unknown bits",
			      message->flags, message->reserved);
	} else if (!name_is_valid(message->name, sizeof(message->name))) {
		client_refuse(client, HAUL_INVALID, "the segment's name is not " NAMES_ALLOWED);
	} else if (!name_list_is_valid(message->readers, sizeof(message->readers)) ||
		   !name_list_is_valid(message->writers, sizeof(message->writers))) {
		client_refuse(client, HAUL_INVALID,
			      "segment %s: readers and writers are tenants separated by commas, "
			      "or \"*\"",
			      message->name);
	} else if (message->bytes == 0 || message->bytes > conf->segment_bytes_max) {
		client_refuse(client, HAUL_INVALID, "segment %s: %lu bytes; 1 to %lu are allowed",
			      message->name, (unsigned long)message->bytes,
			      (unsigned long)conf->segment_bytes_max);
	} else if ((message->flags & HAUL_SEGMENT_PRIVATE) == 0 &&
		   memory_name_is_taken(client->node, message->name)) {
		client_refuse(client, HAUL_EXISTS, "segment %s: this node has one of that name",
			      message->name);
	} else if (!memory_is_too_much(client, message)) {
		return HAUL_OK;
	}
	return HAUL_INVALID;
}

/* The struct for a request that has been checked; NULL when there is no memory for it. */
static struct memory *memory_make(struct client *client,
				  const struct haul_attach_segment_create *message)
{
	struct node *node = client->node;
	struct memory *memory = calloc(1, sizeof(*memory));

	if (memory == NULL)
		return NULL;
	memory->node = node;
	memory->client = client;
	memory->state = MEMORY_MAKING;
	memory->number = ++node->memory_number;
	auth_random(memory->key, sizeof(memory->key));
	memory->is_private = (message->flags & HAUL_SEGMENT_PRIVATE) != 0;
	memory->fault_id = FAULT_NONE;
	memory->pages.fd = -1;
	memory->pages.bytes = memory_round(node->conf, message);
	memory->pages.is_given = (message->flags & HAUL_SEGMENT_GIVEN) != 0;
	memory->pages.is_read_only = (message->flags & HAUL_SEGMENT_READ_ONLY) != 0;
	memcpy(memory->name, message->name, sizeof(memory->name));
	memcpy(memory->readers, message->readers, sizeof(memory->readers));
	memcpy(memory->writers, message->writers, sizeof(memory->writers));
	return memory;
}

/* Is the memory that came fit to be used? Then it is the segment's; else the refusal has been answered. */
static bool memory_take_given(struct memory *memory, int *given)
{
	char reason[HAUL_REASON_BYTES];
	enum haul_error error;

	error = pages_check_given(*given, memory->pages.bytes, memory->pages.is_read_only,
				  &memory->pages.page_bytes, reason);
	if (error != HAUL_OK) {
		client_refuse(memory->client, error, "segment %s: the memory given: %.120s",
			      memory->name, reason);
		return false;
	}
	memory->pages.fd = *given;
	*given = -1;
	return true;
}

void memory_create(struct client *client, const struct haul_attach_segment_create *message,
		   int *given)
{
	struct node *node = client->node;
	struct memory *memory;

	if (memory_check(client, message) != HAUL_OK)
		return;
	memory = memory_make(client, message);
	if (memory == NULL) {
		client_refuse(client, HAUL_SYSTEM, "segment %s: out of memory", message->name);
		return;
	}
	if (memory->pages.is_given && !memory_take_given(memory, given)) {
		free(memory);
		return;
	}
	TAILQ_INSERT_TAIL(&node->memories, memory, link);
	client->pending++;
	client->segments++;
	client->bytes += memory->pages.bytes;
	memory->job.run = memory_run_make;
	memory->job.done = memory_made;
	job_submit(&node->lane_long, &memory->job);
}

static struct memory *memory_find(struct client *client, uint32_t number)
{
	struct memory *memory;

	TAILQ_FOREACH(memory, &client->node->memories, link)
	{
		if (memory->client == client && memory->number == number)
			return memory;
	}
	return NULL;
}

void memory_destroy(struct client *client, const struct haul_attach_segment_destroy *message)
{
	struct memory *memory = memory_find(client, message->segment);

	if (message->reserved != 0) {
		client_refuse(client, HAUL_INVALID,
			      "segment number %u: reserved bytes are not zero", message->segment);
		return;
	}
	if (memory == NULL || memory->state != MEMORY_ACTIVE) {
		client_refuse(client, HAUL_NOT_FOUND, "this client owns no segment number %u",
			      message->segment);
		return;
	}
	if (memory->is_private) {
		memory->is_wanted = true;
		memory_retire(memory);
	} else if (memory_ask_erasure(memory) == 0) {
		memory->is_wanted = true;
		memory_set_state(memory, MEMORY_ERASING);
	} else {
		client_refuse(client, HAUL_BUSY, "segment %s: too many control requests are open",
			      memory->name);
	}
}

void memory_abandon_all(struct client *client)
{
	struct memory *memory;
	struct memory *next;

	for (memory = TAILQ_FIRST(&client->node->memories); memory != NULL; memory = next) {
		next = TAILQ_NEXT(memory, link);
		/* One that is being made is retired when its job is done; one in PUBLISHING or ERASING now. */
		if (memory->client == client && memory->state != MEMORY_MAKING &&
		    memory->state != MEMORY_RETIRING)
			memory_retire(memory);
	}
}

void memory_republish(struct node *node)
{
	struct memory *memory;

	TAILQ_FOREACH(memory, &node->memories, link)
	{
		if (memory->state == MEMORY_ACTIVE && !memory->is_private && memory->asked == 0)
			memory_publish(memory);
	}
}

void memory_erase_left_behind(struct node *node)
{
	uint64_t now_us = clock_now_us();
	struct memory *memory;
	struct memory *next;

	for (memory = TAILQ_FIRST(&node->memories); memory != NULL; memory = next) {
		next = TAILQ_NEXT(memory, link);
		if (memory->state == MEMORY_RETIRING && memory->erase_at_us <= now_us)
			memory_settle(memory);
	}
}

void memory_free_all(struct node *node)
{
	struct memory *memory;
	struct memory *next;

	for (memory = TAILQ_FIRST(&node->memories); memory != NULL; memory = next) {
		next = TAILQ_NEXT(memory, link);
		BUG_ON(!memory->is_freed || memory->asked > 0);
		memory_free(memory);
	}
}

void memory_check_faults(struct node *node)
{
	struct memory *memory;
	struct memory *next;

	for (memory = TAILQ_FIRST(&node->memories); memory != NULL; memory = next) {
		next = TAILQ_NEXT(memory, link);
		if (memory->fault_id == FAULT_NONE || !fault_poisoned(memory->fault_id) ||
		    memory->client->fd < 0)
			continue;
		log_warning("memory", "segment %s: client %u took its memory away; it is ended",
			    memory->name, memory->client->number);
		client_end(memory->client, HAUL_FAULT, "the client took memory of a segment away");
	}
}
