/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: the local transport copies what a slice names, in steps, in order, through the region table; what is refused,
 * cancelled or disconnected ends once and lands no further byte.
 * Method: the driver's table with a host of the test's own over a small region table.
 */
#include "api/haul_attach.h"
#include "base/counters.h"
#include "base/fault.h"
#include "drivers/local/local.h"
#include "engine/region.h"
#include "unit.h"

#define BYTES  (1u << 20)
#define RAIL   6u
#define SLICES 64u

/* The number that all memory here is of. */
#define SEGMENT 9u

struct worker {
	struct region_table table;
	uint64_t counters[REGION_COUNTER_COUNT];
	uint64_t driver_counters[16];
	uint8_t *near;
	uint8_t *far;
	uint64_t near_region;
	uint64_t far_region;
	struct transport *transport;
	struct transport_worker *driver;
	struct slice slices[SLICES + 1];
	uint32_t done_count;
	struct slice *done[SLICES + 1];
	enum haul_error statuses[SLICES + 1];
	enum haul_reason reasons[SLICES + 1];
	uint32_t uses;
	uint32_t notified;
	struct transport_notice notice;
	enum haul_error notify_status;
	uint32_t news_count;
	enum rail_state news;
};

static void host_rail_state(struct worker *worker, uint32_t number, enum rail_state rail,
			    enum rail_cause cause)
{
	(void)cause;
	assert_int_equal(number, RAIL);
	worker->news_count++;
	worker->news = rail;
}

static void host_slice_done(struct worker *worker, struct slice *slice, enum haul_error status,
			    enum haul_reason reason)
{
	worker->done[worker->done_count] = slice;
	worker->statuses[worker->done_count] = status;
	worker->reasons[worker->done_count++] = reason;
}

static enum haul_error host_copy(struct worker *worker, const struct transport_access *target,
				 const struct transport_access *source, uint64_t *version_out)
{
	enum haul_error error =
		region_copy(&worker->table, worker->counters, target, source, version_out);

	if (error == HAUL_OK &&
	    (target->phase == TRANSPORT_FIRST || source->phase == TRANSPORT_FIRST))
		worker->uses++;
	return error;
}

static void host_closed(struct worker *worker, uint64_t region)
{
	assert_int_equal(region, worker->far_region);
	assert_true(worker->uses > 0);
	worker->uses--;
}

static enum haul_error host_notify(struct worker *worker, const struct transport_notice *notice,
				   struct transport_refusal *refusal_out)
{
	worker->notice = *notice;
	worker->notified++;
	if (worker->notify_status == HAUL_BUSY)
		refusal_out->reason = HAUL_REASON_NOTIFICATIONS_FULL;
	return worker->notify_status;
}

static void host_wake(const struct worker *worker)
{
	(void)worker;
}

static const struct transport_host host = {
	.rail_state = host_rail_state,
	.slice_done = host_slice_done,
	.copy = host_copy,
	.closed = host_closed,
	.notify = host_notify,
	.wake = host_wake,
};

static uint64_t add(struct worker *worker, uint8_t *memory, uint32_t rights)
{
	const struct region_spec spec = { .base = memory,
					  .length = BYTES,
					  .rights = rights,
					  .segment = SEGMENT,
					  .fault_id = FAULT_NONE };

	return region_add(&worker->table, &spec);
}

static int setup(void **state)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	uint64_t *counters;
	struct transport_setup transport_setup = { .node = "here",
						   .incarnation = 77,
						   .worker_count = 1,
						   .slices_max = SLICES,
						   .host = &host,
						   .workers = &worker,
						   .counters = &counters };

	assert_non_null(worker);
	counters = worker->driver_counters;
	worker->near = calloc(1, BYTES);
	worker->far = calloc(1, BYTES);
	assert_int_equal(region_table_init(&worker->table, 8), 0);
	worker->near_region = add(worker, worker->near, 0);
	worker->far_region = add(worker, worker->far, HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	assert_int_equal(local_ops.open(&transport_setup, &worker->transport), 0);
	worker->driver = local_ops.worker(worker->transport, 0);
	for (uint32_t i = 0; i < BYTES; i++)
		worker->near[i] = (uint8_t)(i * 7 + 1);
	*state = worker;
	return 0;
}

static int teardown(void **state)
{
	struct worker *worker = *state;

	assert_int_equal(worker->uses, 0);
	local_ops.close(worker->transport);
	region_table_destroy(&worker->table);
	free(worker->near);
	free(worker->far);
	free(worker);
	return 0;
}

static struct slice *slice_make(struct worker *worker, uint32_t index, uint64_t offset,
				uint32_t length)
{
	struct slice *slice = &worker->slices[index];

	memset(slice, 0xaa, sizeof(*slice)); /* what the pool's last user left */
	slice->local_region = worker->near_region;
	slice->local_offset = offset;
	slice->remote_region = worker->far_region;
	slice->segment = SEGMENT;
	slice->rights = HAUL_RIGHT_READ | HAUL_RIGHT_WRITE;
	slice->remote_offset = offset;
	slice->length = length;
	slice->kind = SLICE_WRITE;
	slice->rail = RAIL;
	return slice;
}

static void post(struct worker *worker, struct slice *slice)
{
	assert_int_equal(local_ops.post(worker->driver, RAIL, &slice, 1), 1);
}

static uint32_t poll_once(struct worker *worker)
{
	return local_ops.poll(worker->driver, 1, 256);
}

static void local_poll__copies_in_steps_and_in_order(void **state)
{
	struct worker *worker = *state;
	uint32_t polls = 0;

	post(worker, slice_make(worker, 0, 10, 600000));
	post(worker, slice_make(worker, 1, 600010, 5));
	assert_int_equal(local_ops.next_deadline_us(worker->driver), 0);
	while (worker->done_count == 0) {
		assert_int_equal(poll_once(worker), ++polls == 3 ? 2 : 1);
		assert_true(polls <= 3);
	}
	assert_int_equal(polls, 3);
	assert_int_equal(worker->done_count, 2);
	assert_ptr_equal(worker->done[0], &worker->slices[0]);
	assert_ptr_equal(worker->done[1], &worker->slices[1]);
	assert_memory_equal(worker->far + 10, worker->near + 10, 600005);
	assert_int_equal(worker->far[9], 0);
	assert_int_equal(worker->far[600015], 0);
	assert_int_equal(poll_once(worker), 0);
	assert_int_equal(local_ops.next_deadline_us(worker->driver), UINT64_MAX);
}

static void local_poll__copies_many_small_slices_at_once(void **state)
{
	struct worker *worker = *state;

	for (uint32_t i = 0; i < 40; i++)
		post(worker, slice_make(worker, i, i * 64, 64));
	assert_int_equal(local_ops.poll(worker->driver, 1, 30), 30);
	assert_int_equal(worker->done_count, 30);
	assert_int_equal(poll_once(worker), 10);
	assert_memory_equal(worker->far, worker->near, 40 * 64);
}

static void local_poll__notifies_behind_the_bytes(void **state)
{
	struct worker *worker = *state;
	struct slice *slice = slice_make(worker, 1, 10, SLICE_NOTIFY_BYTES);

	slice->kind = SLICE_NOTIFY;
	slice->number = 5;
	slice->value = 6;
	slice->tag = 7;
	slice->written = 600000;
	post(worker, slice_make(worker, 0, 10, 600000));
	post(worker, slice);
	while (worker->done_count == 0) {
		assert_int_equal(worker->notified, 0);
		poll_once(worker);
	}
	assert_int_equal(worker->notified, 1);
	assert_int_equal(worker->statuses[1], HAUL_OK);
	assert_string_equal(worker->notice.node, "here");
	assert_int_equal(worker->notice.incarnation, 77);
	assert_int_equal(worker->notice.number, 5);
	assert_int_equal(worker->notice.value, 6);
	assert_int_equal(worker->notice.tag, 7);
	assert_int_equal(worker->notice.access.region, worker->far_region);
	assert_int_equal(worker->notice.access.offset, 10);
	assert_int_equal(worker->notice.access.length, 600000);
	assert_true(worker->notice.access.is_remote);
}

static void local_poll__notify_is_refused(void **state)
{
	struct worker *worker = *state;
	struct slice *slice = slice_make(worker, 0, 0, SLICE_NOTIFY_BYTES);

	slice->kind = SLICE_NOTIFY;
	worker->notify_status = HAUL_BUSY;
	post(worker, slice);
	assert_int_equal(poll_once(worker), 1);
	assert_int_equal(worker->statuses[0], HAUL_BUSY);
	assert_int_equal(worker->reasons[0], HAUL_REASON_NOTIFICATIONS_FULL);
	worker->notify_status = HAUL_STALE;
	post(worker, slice);
	assert_int_equal(poll_once(worker), 1);
	assert_int_equal(worker->reasons[1], HAUL_REASON_REGION_GENERATION);
}

static void local_poll__reads_the_other_way(void **state)
{
	struct worker *worker = *state;
	struct slice *slice = slice_make(worker, 0, 0, 64);

	memset(worker->far, 0x42, 64);
	slice->kind = SLICE_READ;
	post(worker, slice);
	poll_once(worker);
	assert_int_equal(worker->statuses[0], HAUL_OK);
	assert_int_equal(worker->near[0], 0x42);
	assert_int_equal(worker->near[64], (uint8_t)(64 * 7 + 1));
}

static void local_poll__says_why_it_was_refused(void **state)
{
	struct worker *worker = *state;
	struct slice *slice;

	slice = slice_make(worker, 0, 0, 64);
	slice->remote_region += 1u << 24;
	post(worker, slice);
	slice = slice_make(worker, 1, 0, 64);
	slice->remote_offset = BYTES;
	post(worker, slice);
	slice = slice_make(worker, 2, 0, 64);
	slice->remote_region = worker->near_region; /* private: a peer may not */
	post(worker, slice);
	post(worker, slice_make(worker, 3, 0, 64));
	slice = slice_make(worker, 4, 0, 64);
	slice->segment++; /* a region of another segment than its opener was granted */
	post(worker, slice);
	slice = slice_make(worker, 5, 0, 64);
	slice->rights = HAUL_RIGHT_READ;
	post(worker, slice);
	assert_int_equal(poll_once(worker), 6);
	assert_int_equal(worker->statuses[4], HAUL_DENIED);
	assert_int_equal(worker->statuses[5], HAUL_DENIED);
	assert_int_equal(worker->statuses[0], HAUL_STALE);
	assert_int_equal(worker->reasons[0], HAUL_REASON_REGION_GENERATION);
	assert_int_equal(worker->statuses[1], HAUL_RANGE);
	assert_int_equal(worker->reasons[1], HAUL_REASON_REMOTE_RANGE);
	assert_int_equal(worker->statuses[2], HAUL_DENIED);
	assert_int_equal(worker->reasons[2], HAUL_REASON_REMOTE_RIGHT);
	assert_int_equal(worker->statuses[3], HAUL_OK);
	assert_int_equal(worker->driver_counters[1], 5);
}

/* A region that goes in the middle of a slice ends it, and no later byte lands. */
static void local_poll__looks_the_region_up_at_each_step(void **state)
{
	struct worker *worker = *state;

	post(worker, slice_make(worker, 0, 0, BYTES));
	poll_once(worker);
	region_retire(&worker->table, worker->far_region);
	poll_once(worker);
	assert_int_equal(worker->statuses[0], HAUL_STALE);
	assert_int_equal(worker->far[256 * 1024 - 1], worker->near[256 * 1024 - 1]);
	assert_int_equal(worker->far[256 * 1024], 0);
}

/* What the far side had opened before it drains goes on to its end, in both directions; what comes later is refused. */
static void local_poll__goes_on_with_what_a_draining_region_had_open(void **state)
{
	struct worker *worker = *state;

	const enum slice_kind kinds[] = { SLICE_WRITE, SLICE_READ };

	for (uint32_t i = 0; i < 2; i++) {
		struct slice *slice = slice_make(worker, 0, 0, BYTES);

		worker->done_count = 0;
		slice->kind = (uint8_t)kinds[i];
		post(worker, slice);
		post(worker, slice_make(worker, 1, 0, 64));
		poll_once(worker);
		assert_int_equal(worker->uses, 1);
		region_drain(&worker->table, worker->far_region);
		while (worker->done_count < 2)
			poll_once(worker);
		assert_int_equal(worker->statuses[0], HAUL_OK);
		assert_int_equal(worker->statuses[1], HAUL_STALE);
		assert_int_equal(worker->uses, 0);
		region_retire(&worker->table, worker->far_region);
		region_release(&worker->table, worker->far_region);
		worker->far_region = add(worker, worker->far, HAUL_RIGHT_READ | HAUL_RIGHT_WRITE);
	}
	assert_memory_equal(worker->far, worker->near, BYTES);
}

/* Refused, cancelled or disconnected in the middle: the use ends with the slice. */
static void local_done__ends_the_use(void **state)
{
	struct worker *worker = *state;

	post(worker, slice_make(worker, 0, 0, BYTES));
	poll_once(worker);
	assert_int_equal(worker->uses, 1);
	local_ops.cancel(worker->driver, &worker->slices[0], HAUL_CANCELLED, HAUL_REASON_NONE);
	assert_int_equal(worker->uses, 0);
	post(worker, slice_make(worker, 0, 0, BYTES));
	poll_once(worker);
	local_ops.disconnect(worker->transport, 0, RAIL);
	poll_once(worker);
	assert_int_equal(worker->done_count, 2);
	assert_int_equal(worker->uses, 0);
	post(worker, slice_make(worker, 0, 0, BYTES));
	poll_once(worker);
	assert_int_equal(worker->uses, 1);
	region_set_version(&worker->table, worker->far_region, 31);
	region_retire(&worker->table, worker->far_region);
	poll_once(worker);
	assert_int_equal(worker->statuses[2], HAUL_STALE);
	assert_int_equal(worker->slices[0].version, 31);
	assert_int_equal(worker->uses, 0);
}

static void local_post__takes_no_more_than_it_was_given_room_for(void **state)
{
	struct worker *worker = *state;
	struct slice *slices[SLICES + 1];

	for (uint32_t i = 0; i <= SLICES; i++)
		slices[i] = slice_make(worker, i, i, 1);
	assert_int_equal(local_ops.post(worker->driver, RAIL, slices, SLICES + 1), SLICES);
	poll_once(worker);
	assert_int_equal(worker->done_count, SLICES);
	assert_int_equal(local_ops.post(worker->driver, RAIL, &slices[SLICES], 1), 1);
}

/* First, last and one in between, in every order: the queue stays whole. */
static void local_cancel__takes_a_slice_out_wherever_it_stands(void **state)
{
	static const uint8_t orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					      { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct worker *worker = *state;

	for (uint32_t i = 0; i < 6; i++) {
		worker->done_count = 0;
		for (uint32_t j = 0; j < 3; j++)
			post(worker, slice_make(worker, j, j * 64, 64));
		for (uint32_t j = 0; j < 2; j++) {
			local_ops.cancel(worker->driver, &worker->slices[orders[i][j]],
					 HAUL_TIMEOUT, HAUL_REASON_PEER_SILENT);
			assert_ptr_equal(worker->done[j], &worker->slices[orders[i][j]]);
			assert_int_equal(worker->statuses[j], HAUL_TIMEOUT);
		}
		post(worker, slice_make(worker, 3, 256, 64));
		assert_int_equal(poll_once(worker), 2);
		assert_ptr_equal(worker->done[2], &worker->slices[orders[i][2]]);
		assert_ptr_equal(worker->done[3], &worker->slices[3]);
		assert_int_equal(worker->done_count, 4);
	}
}

static void local_cancel__lands_nothing_afterwards(void **state)
{
	struct worker *worker = *state;

	post(worker, slice_make(worker, 0, 0, BYTES));
	poll_once(worker);
	local_ops.cancel(worker->driver, &worker->slices[0], HAUL_CANCELLED, HAUL_REASON_NONE);
	memset(worker->far, 0xcc, BYTES);
	assert_int_equal(poll_once(worker), 0);
	for (uint32_t i = 0; i < BYTES; i++)
		assert_int_equal(worker->far[i], 0xcc);
}

static void local_disconnect__ends_its_endpoints_slices_first(void **state)
{
	struct worker *worker = *state;
	struct slice *other = slice_make(worker, 1, 64, 64);

	local_ops.connect(worker->transport, 0, RAIL, NULL);
	assert_int_equal(worker->news_count, 0);
	poll_once(worker);
	assert_int_equal(worker->news, RAIL_UP);
	post(worker, slice_make(worker, 0, 0, 64));
	other->rail = RAIL + 5;
	post(worker, other);
	local_ops.disconnect(worker->transport, 0, RAIL);
	poll_once(worker);
	assert_int_equal(worker->news, RAIL_DOWN);
	assert_int_equal(worker->news_count, 2);
	assert_ptr_equal(worker->done[0], &worker->slices[0]);
	assert_int_equal(worker->statuses[0], HAUL_NO_PATH);
	assert_ptr_equal(worker->done[1], other);
	assert_int_equal(worker->statuses[1], HAUL_OK);
}

static void local_ops__has_every_function(void **state)
{
	struct worker *worker = *state;
	struct haul_address addresses[2];
	struct haul_transport_row rows[2];
	struct rail_stats stats;

	assert_int_equal(local_ops.addresses(worker->transport, addresses, 2), 1);
	assert_int_equal(local_ops.addresses(worker->transport, addresses, 0), 0);
	assert_int_equal(addresses[0].transport, HAUL_TRANSPORT_LOCAL);
	assert_int_equal(local_ops.describe(worker->transport, rows, 2), 1);
	assert_int_equal(local_ops.describe(worker->transport, rows, 0), 0);
	assert_string_equal(rows[0].transport, "local");
	assert_int_equal(local_ops.control(worker->transport, 1), UINT64_MAX);
	assert_int_equal(local_ops.control_fd(worker->transport), -1);
	assert_true(local_ops.arm(worker->driver, -1));
	local_ops.disarm(worker->driver);
	assert_int_equal(local_ops.flush(worker->driver, 1, 1), 0);
	post(worker, slice_make(worker, 0, 0, 64));
	poll_once(worker);
	local_ops.stats(worker->driver, RAIL, &stats);
	assert_int_equal(stats.bytes_out, 64);
	local_ops.close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(local_poll__copies_in_steps_and_in_order),
		CASE(local_poll__copies_many_small_slices_at_once),
		CASE(local_poll__notifies_behind_the_bytes),
		CASE(local_poll__notify_is_refused),
		CASE(local_poll__reads_the_other_way),
		CASE(local_poll__says_why_it_was_refused),
		CASE(local_poll__looks_the_region_up_at_each_step),
		CASE(local_poll__goes_on_with_what_a_draining_region_had_open),
		CASE(local_done__ends_the_use),
		CASE(local_post__takes_no_more_than_it_was_given_room_for),
		CASE(local_cancel__takes_a_slice_out_wherever_it_stands),
		CASE(local_cancel__lands_nothing_afterwards),
		CASE(local_disconnect__ends_its_endpoints_slices_first),
		CASE(local_ops__has_every_function),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
