/* SPDX-License-Identifier: BSD-3-Clause */
/* A worker without a thread; engine_rig.h says what it does. */
#include "engine_rig.h"

#include "api/haul_attach.h"
#include "base/fault.h"
#include "base/limits.h"
#include "base/ring.h"
#include "unit.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static uint32_t fake_post(struct transport_worker *fake, uint32_t rail, struct slice **slices,
			  uint32_t count)
{
	uint32_t taken = 0;

	if ((fake->refuses & 1u << rail % ENGINE_RAILS_MAX) != 0)
		return 0;
	while (taken < count && fake->accept > 0) {
		struct slice *slice = slices[taken++];

		assert_in_range(slice->length, 1, ENGINE_SLICE_BYTES_MAX);
		assert_int_equal(slice->rail, rail);
		slice->driver[0] = fake->held_count;
		fake->held[fake->held_count++] = slice;
		fake->last = slice;
		fake->accept--;
		fake->posted++;
	}
	return taken;
}

void rig_finish(struct transport_worker *fake, struct slice *slice, enum haul_error status,
		enum haul_reason reason)
{
	uint32_t at = (uint32_t)slice->driver[0];

	assert_ptr_equal(fake->held[at], slice);
	fake->held[at] = fake->held[--fake->held_count];
	fake->held[at]->driver[0] = at;
	worker_host.slice_done(fake->worker, slice, status, reason);
}

static void fake_cancel(struct transport_worker *fake, struct slice *slice, enum haul_error status,
			enum haul_reason reason)
{
	assert_ptr_equal(fake->held[slice->driver[0]], slice);
	fake->cancelled++;
	if (!fake->is_cancel_slow)
		rig_finish(fake, slice, status, reason);
}

static uint32_t fake_poll(struct transport_worker *fake, uint64_t now_us, uint32_t budget)
{
	uint32_t arrivals = atomic_exchange(&fake->arrivals, 0);

	(void)now_us;
	(void)budget;
	__atomic_fetch_add(&fake->found, arrivals, __ATOMIC_RELAXED);
	return arrivals;
}

static uint32_t fake_flush(struct transport_worker *fake, uint64_t now_us, uint32_t budget)
{
	(void)fake;
	(void)now_us;
	(void)budget;
	return 0;
}

static bool fake_arm(struct transport_worker *fake, int epoll_fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };

	if (fake->arrival_fd < 0)
		return false;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fake->arrival_fd, &event) != 0)
		assert_int_equal(errno, EEXIST);
	atomic_store(&fake->is_armed, true);
	return true;
}

static void fake_disarm(struct transport_worker *fake)
{
	atomic_store(&fake->is_armed, false);
}

static uint64_t fake_next_deadline_us(struct transport_worker *fake)
{
	(void)fake;
	return UINT64_MAX;
}

static const struct transport_ops fake_udp_ops = {
	.name = "udp",
	.id = HAUL_TRANSPORT_UDP,
	.post = fake_post,
	.poll = fake_poll,
	.flush = fake_flush,
	.cancel = fake_cancel,
	.arm = fake_arm,
	.disarm = fake_disarm,
	.next_deadline_us = fake_next_deadline_us,
};

static const struct transport_ops fake_local_ops = {
	.name = "local",
	.id = HAUL_TRANSPORT_LOCAL,
	.capabilities = TRANSPORT_SAME_NODE,
	.post = fake_post,
	.poll = fake_poll,
	.flush = fake_flush,
	.cancel = fake_cancel,
	.arm = fake_arm,
	.disarm = fake_disarm,
	.next_deadline_us = fake_next_deadline_us,
};

static void rig_add_fake(struct rig *rig, struct transport_worker *fake,
			 const struct transport_ops *ops)
{
	fake->worker = rig->worker;
	fake->accept = UINT32_MAX;
	fake->arrival_fd = -1;
	rig->engine.ops[ops->id] = ops;
	rig->engine.order[rig->engine.order_count++] = ops->id;
	rig->worker->transports[ops->id] = fake;
}

struct rig *rig_create(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->wake_fd = -1;
	rig->engine.options.worker_count = 1;
	rig->engine.options.incarnation = RIG_INCARNATION;
	assert_int_equal(region_table_init(&rig->engine.regions, 256), 0);
	assert_int_equal(notifier_table_init(&rig->engine.notifiers), 0);
	rig->engine.workers = &rig->worker;
	assert_int_equal(
		worker_create(&rig->engine, 0, rig->counters, rig->region_counters, &rig->worker),
		0);
	rig->now_us = rig->worker->now_us;
	rig_add_fake(rig, &rig->local, &fake_local_ops);
	rig_add_fake(rig, &rig->udp, &fake_udp_ops);
	return rig;
}

void rig_destroy(struct rig *rig)
{
	assert_int_equal(pool_free_count(&rig->worker->operations), ENGINE_OPERATIONS_MAX);
	assert_int_equal(pool_free_count(&rig->worker->slices), ENGINE_SLICES_MAX);
	assert_int_equal(rig->worker->wheel.armed, 0);
	assert_int_equal(uses_sum(&rig->worker->uses), 0);
	worker_destroy(rig->worker);
	region_table_destroy(&rig->engine.regions);
	notifier_table_destroy(&rig->engine.notifiers);
	for (uint32_t i = 0; i < rig->remotes; i++)
		free(atomic_load(&rig->engine.remotes.remotes[i].view));
	if (rig->wake_fd >= 0)
		close(rig->wake_fd);
	free(rig->memory);
	free(rig);
}

struct channel *rig_add_channel(struct rig *rig, uint32_t number, uint32_t entries)
{
	struct worker_command command = { .kind = WORKER_CHANNEL_ADD };
	struct channel *channel = calloc(1, sizeof(*channel));
	struct haul_notification *notifications;
	int pair[2];

	assert_non_null(channel);
	channel->header = aligned_alloc(PAGE_BYTES, sizeof(*channel->header));
	channel->entries = calloc(entries, sizeof(*channel->entries));
	channel->completions = calloc((size_t)entries * 2, sizeof(*channel->completions));
	notifications = calloc(entries, sizeof(*notifications));
	assert_true(channel->header != NULL && channel->entries != NULL &&
		    channel->completions != NULL && notifications != NULL);
	notices_init(&channel->notices, channel->header, notifications, entries);
	memset(channel->header, 0, sizeof(*channel->header));
	channel->header->state = HAUL_CHANNEL_OPEN;
	channel->entries_count = entries;
	channel->completions_count = entries * 2;
	channel->number = number;
	channel->timeout_ms = 1000;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	channel->wake_fd = channel->notices.wake_fd = pair[0];
	if (rig->wake_fd >= 0)
		close(rig->wake_fd);
	rig->wake_fd = pair[1];
	channel->doorbell_fd = eventfd(0, EFD_NONBLOCK);
	TAILQ_INIT(&channel->operations);
	channel->worker = rig->worker;
	command.channel = channel;
	assert_true(worker_command(rig->worker, &command));
	rig_round(rig, 1);
	return channel;
}

void rig_free_channel(struct channel *channel)
{
	close(channel->wake_fd);
	close(channel->doorbell_fd);
	free(channel->header);
	free(channel->entries);
	free(channel->completions);
	free(channel->notices.slots);
	free(channel);
}

void rig_set_view(struct rig *rig, uint32_t index, uint64_t version, uint64_t region,
		  uint64_t bytes)
{
	struct remote *remote = &rig->engine.remotes.remotes[index];

	struct {
		struct haul_descriptor header;
		struct haul_descriptor_buffer buffer;
	} descriptor = { 0 };

	descriptor.header.buffer_count = 1;
	descriptor.header.metadata_version = version;
	descriptor.header.incarnation = rig->engine.peers.peers[remote->peer].incarnation;
	descriptor.header.bytes = bytes;
	descriptor.header.number = RIG_SEGMENT;
	descriptor.header.rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
	descriptor.buffer.length = bytes;
	descriptor.buffer.region = region;
	descriptor.buffer.rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
	descriptor.buffer.state = HAUL_BUFFER_ACTIVE;
	free(atomic_load(&remote->view));
	atomic_store(&remote->view, remote_view_make(&descriptor.header, remote->peer));
	atomic_store(&remote->version_seen, version);
}

uint32_t rig_add_remote(struct rig *rig, bool is_self, uint64_t region, uint64_t bytes)
{
	uint32_t index = rig->remotes++;
	struct remote *remote = &rig->engine.remotes.remotes[index];
	struct peer *peer = &rig->engine.peers.peers[rig->peers];

	(void)snprintf(peer->node, sizeof(peer->node), "peer%u", rig->peers);
	peer->is_self = is_self;
	peer->references = 1;
	peer->incarnation = is_self ? RIG_INCARNATION : RIG_INCARNATION + 1 + rig->peers;
	remote->peer = rig->peers++;
	rig_set_view(rig, index, 1, region, bytes);
	atomic_store(&remote->state, REMOTE_OPEN);
	return index;
}

uint32_t rig_open_handle(struct channel *channel, uint32_t index, uint32_t remote, uint32_t rights)
{
	struct channel_handle *handle = &channel->handles[index];

	handle->generation++;
	atomic_store(&handle->word, channel_handle_word(remote, rights, handle->generation));
	return channel_handle_make(index, handle->generation);
}

uint32_t rig_rail(uint32_t peer, uint32_t transport, uint32_t index)
{
	return rail_number(endpoint_number(peer, transport), index);
}

void rig_connect(struct rig *rig, uint32_t peer, uint32_t transport)
{
	endpoint_pick(rig->worker, peer, rig->now_us);
	worker_host.rail_state(rig->worker, rig_rail(peer, transport, 0), RAIL_UP, RAIL_CAUSE_NONE);
}

struct rig *rig_create_ready(struct channel **channel_out)
{
	struct rig *rig = rig_create();
	struct channel *channel = rig_add_channel(rig, 1, 64);
	struct region_spec spec = {
		.length = RIG_BYTES, .owner = 1, .segment = RIG_SEGMENT, .fault_id = FAULT_NONE
	};
	struct worker_request request;

	rig->memory = calloc(1, RIG_BYTES);
	assert_non_null(rig->memory);
	spec.base = rig->memory;
	rig->region = region_add(&rig->engine.regions, &spec);
	assert_int_equal(rig_add_remote(rig, false, 77, RIG_BYTES), RIG_REMOTE);
	rig->handle = rig_open_handle(channel, 0, RIG_REMOTE, HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	rig_connect(rig, RIG_PEER, HAUL_TRANSPORT_UDP);
	while (rig_request(rig, &request))
		;
	*channel_out = channel;
	return rig;
}

void rig_destroy_ready(struct rig *rig, struct channel *channel)
{
	struct worker_command command = { .kind = WORKER_CHANNEL_CLOSE,
					  .channel = channel,
					  .error = HAUL_DISCONNECTED,
					  .reason = "the test ends" };

	assert_true(worker_command(rig->worker, &command));
	rig_round(rig, 1);
	rig_drain(&rig->udp, HAUL_CANCELLED);
	rig_drain(&rig->local, HAUL_CANCELLED);
	rig_round(rig, 1);
	assert_int_equal(rig->worker->channel_count, 0);
	rig_free_channel(channel);
	rig_destroy(rig);
}

uint32_t rig_round(struct rig *rig, uint64_t step_us)
{
	uint32_t work = worker_round(rig->worker, rig->now_us);

	rig->now_us += step_us;
	return work;
}

void rig_submit(struct channel *channel, const struct haul_entry *entry)
{
	uint32_t tail = channel->header->submission_tail.value;

	assert_true(tail - ring_load_acquire(&channel->header->submission_head.value) <
		    channel->entries_count);
	channel->entries[tail & (channel->entries_count - 1)] = *entry;
	ring_store_release(&channel->header->submission_tail.value, tail + 1);
}

bool rig_reap(struct channel *channel, struct haul_completion *completion_out)
{
	uint32_t head = channel->header->completion_head.value;

	if (head == ring_load_acquire(&channel->header->completion_tail.value))
		return false;
	*completion_out = channel->completions[head & (channel->completions_count - 1)];
	ring_store_release(&channel->header->completion_head.value, head + 1);
	return true;
}

struct haul_entry rig_write(const struct rig *rig, uint64_t user_data, uint32_t length)
{
	struct haul_entry entry = {
		.opcode = HAUL_OP_WRITE,
		.user_data = user_data,
		.local_region = haul_u48_make(rig->region),
		.length = length,
		.remote_segment = rig->handle,
	};

	return entry;
}

uint32_t rig_held_on(const struct transport_worker *fake, uint32_t index)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < fake->held_count; i++)
		count += fake->held[i]->rail % ENGINE_RAILS_MAX == index;
	return count;
}

uint32_t rig_drain(struct transport_worker *fake, enum haul_error status)
{
	uint32_t count = 0;

	for (; fake->held_count > 0; count++)
		rig_finish(fake, fake->held[0], status, HAUL_REASON_NONE);
	return count;
}

bool rig_request(struct rig *rig, struct worker_request *request_out)
{
	return spsc_pop(&rig->worker->requests, request_out);
}

struct worker_request rig_expect_request(struct rig *rig, enum worker_request_kind kind)
{
	struct worker_request request = { 0 };

	while (rig_request(rig, &request)) {
		if (request.kind == kind)
			return request;
	}
	fail_msg("the worker made no request of kind %d", (int)kind);
	return request;
}

int rig_fixture_make(void **state)
{
	struct rig_fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	fixture->rig = rig_create_ready(&fixture->channel);
	*state = fixture;
	return 0;
}

int rig_fixture_free(void **state)
{
	struct rig_fixture *fixture = *state;

	rig_destroy_ready(fixture->rig, fixture->channel);
	free(fixture);
	return 0;
}

void rig_put(struct rig_fixture *fixture, const struct haul_entry *entry)
{
	rig_submit(fixture->channel, entry);
	rig_round(fixture->rig, 1);
}

struct haul_completion rig_reap_one(struct rig_fixture *fixture)
{
	struct haul_completion completion = { 0 };

	assert_true(rig_reap(fixture->channel, &completion));
	rig_reap_none(fixture);
	return completion;
}

void rig_reap_none(struct rig_fixture *fixture)
{
	struct haul_completion completion;

	assert_false(rig_reap(fixture->channel, &completion));
}

void rig_expect(struct rig_fixture *fixture, enum haul_error status, enum haul_reason reason)
{
	struct haul_completion completion = rig_reap_one(fixture);

	assert_int_equal(completion.status, status);
	assert_int_equal(completion.reason, reason);
}

void rig_refused(struct rig_fixture *fixture, const struct haul_entry *entry,
		 enum haul_error status, enum haul_reason reason)
{
	uint64_t before = fixture->rig->counters[WORKER_ENTRIES_REFUSED];

	rig_put(fixture, entry);
	rig_expect(fixture, status, reason);
	assert_int_equal(fixture->rig->counters[WORKER_ENTRIES_REFUSED], before + 1);
	assert_int_equal(fixture->rig->udp.held_count, 0);
}
