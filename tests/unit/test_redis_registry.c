/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: every transition of the data set does what its script promises, and answers that differ are told apart. Method:
 * the real registry and its scripts against a private redis-server on a Unix socket; each call is waited for by running
 * the loop. Also the states of the connection, since they can only be seen with a server behind it.
 */
#include "api/haul_error.h"
#include "base/check.h"
#include "base/clock.h"
#include "controlplane/model/node.h"
#include "controlplane/model/segment.h"
#include "controlplane/redis/registry.h"
#include "descriptors.h"
#include "redis_server.h"
#include "unit.h"

#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>

/* How long anything may take, however loaded the machine. */
#define PATIENCE_US UINT64_C(20000000)

static struct redis_server server;
static struct event_base *base;
static struct registry *registry;
static unsigned int ready_count, lost_count, gap_count, new_epoch_count, event_count;
static struct streams_event last_event;

/* The answer of the last call. */
static bool is_answered;
static int answer_error;
static enum registry_word answer_word;
static char answer_reason[HAUL_REASON_BYTES];
static uint64_t answer_number;
static struct text answer_texts[64];
static char answer_bytes[8192];
static unsigned int answer_count;

static const struct haul_address address = {
	.transport = HAUL_TRANSPORT_UDP, .family = 4, .port = 1, .ip = { 10 }
};

static void on_ready(void *arg, bool epoch_is_new)
{
	(void)arg;
	ready_count++;
	new_epoch_count += epoch_is_new ? 1 : 0;
}

static void on_lost(void *arg)
{
	(void)arg;
	lost_count++;
}

static void on_event(void *arg, const struct streams_event *event)
{
	(void)arg;
	event_count++;
	last_event = *event;
}

static void on_gap(void *arg)
{
	(void)arg;
	gap_count++;
}

static void on_answer(void *arg, const struct registry_answer *answer)
{
	size_t used = 0;

	(void)arg;
	is_answered = true;
	answer_error = answer->error;
	answer_word = answer->word;
	memcpy(answer_reason, answer->reason, sizeof(answer_reason));
	answer_count = answer->count < 64 ? answer->count : 64;
	for (unsigned int i = 0; i < answer_count; i++) {
		if (used + answer->texts[i].length > sizeof(answer_bytes))
			break;
		memcpy(answer_bytes + used, answer->texts[i].bytes, answer->texts[i].length);
		answer_texts[i].bytes = answer_bytes + used;
		answer_texts[i].length = answer->texts[i].length;
		used += answer->texts[i].length;
	}
	answer_number = 0;
	if (answer->count > 0)
		(void)text_number(answer->texts[0], &answer_number);
}

static void loop_once(void)
{
	struct timeval slice = { 0, 10000 };

	(void)event_base_loopexit(base, &slice);
	(void)event_base_dispatch(base);
}

/* Run the loop until *value is at least wanted. */
static void loop_until(const unsigned int *value, unsigned int wanted)
{
	uint64_t end = clock_now_us() + PATIENCE_US;

	while (*value < wanted) {
		assert_true(clock_now_us() < end);
		loop_once();
	}
}

static void loop_until_answered(int error)
{
	uint64_t end = clock_now_us() + PATIENCE_US;

	assert_int_equal(error, 0);
	while (!is_answered) {
		assert_true(clock_now_us() < end);
		loop_once();
	}
	is_answered = false;
}

static void registry_make(unsigned int timeout_ms)
{
	struct registry_conf conf = { { server.socket, "", 0, "", timeout_ms, 10, 50, false },
				      "test",
				      1000 };
	struct registry_events events = { on_ready, on_lost, on_event, on_gap, NULL };

	ready_count = lost_count = gap_count = new_epoch_count = event_count = 0;
	is_answered = false;
	assert_int_equal(registry_create(base, &conf, &events, &registry), 0);
}

static int start(void **state)
{
	(void)state;
	redis_server_prepare(&server);
	redis_server_start(&server, NULL, NULL);
	base = event_base_new();
	registry_make(5000);
	loop_until(&ready_count, 1);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	registry_destroy(registry);
	event_base_free(base);
	redis_server_remove(&server);
	return 0;
}

/* Publish node "a"; the answer's number is its term. */
static void node_publish(uint64_t incarnation, uint64_t term, const char *host, bool is_replacing)
{
	struct registry_writer writer = { "a", incarnation, term };
	struct registry_claim claim = { host, &address, 1, is_replacing, 0, 0 };

	loop_until_answered(registry_node_publish(registry, &writer, &claim, on_answer, NULL));
}

/* Publish segment "s" of node "a" with so many buffers; the answer's number is its version. */
static void segment_publish(uint64_t incarnation, uint64_t term, uint32_t buffers, uint64_t least)
{
	struct haul_descriptor *descriptor = descriptor_make("s", buffers);

	descriptor->incarnation = incarnation;
	descriptor->metadata_version = least;
	loop_until_answered(
		registry_segment_publish(registry, term, descriptor, true, on_answer, NULL));
	free(descriptor);
}

static void segment_erase(uint64_t incarnation, uint64_t term)
{
	struct registry_writer writer = { "a", incarnation, term };

	loop_until_answered(registry_segment_erase(registry, &writer, "s", on_answer, NULL));
}

static void segment_get(const char *name)
{
	loop_until_answered(registry_segment_get(registry, name, on_answer, NULL));
}

static void node_publish__is_idempotent(void **state)
{
	(void)state;
	node_publish(1, 0, "host", false);
	assert_int_equal(answer_error, 0);
	assert_int_equal(answer_number, 1);
	loop_until(&event_count, 1);
	node_publish(1, 1, "host", false);
	assert_int_equal(answer_error, 0);
	assert_int_equal(answer_number, 1);
	node_publish(1, 0, "host", false);
	assert_int_equal(answer_number, 1);
	segment_publish(1, 1, 1, 0);
	loop_until(&event_count, 2);
	assert_int_equal(last_event.kind, STREAMS_PUBLISH);
	assert_int_equal(gap_count, 0);
}

static void node_publish__refuses_another_host_while_the_beat_moves(void **state)
{
	struct registry_writer holder = { "a", 1, 1 }, claimant = { "a", 2, 0 };
	struct registry_claim claim = { "other", &address, 1, false, 1, 7 };

	(void)state;
	node_publish(1, 0, "host", false);
	loop_until_answered(registry_node_beat(registry, &holder, 8, on_answer, NULL));
	assert_int_equal(answer_error, 0);
	node_publish(2, 0, "other", false);
	assert_int_equal(answer_error, -HAUL_EXISTS);
	assert_int_equal(answer_word, REGISTRY_TAKEN);
	/* The beat that was seen has moved since. */
	loop_until_answered(registry_node_publish(registry, &claimant, &claim, on_answer, NULL));
	assert_int_equal(answer_word, REGISTRY_TAKEN);
	claim.still_beat = 8;
	loop_until_answered(registry_node_publish(registry, &claimant, &claim, on_answer, NULL));
	assert_int_equal(answer_error, 0);
	assert_int_equal(answer_number, 2);
	/* Whoever was replaced stays so. */
	node_publish(1, 1, "host", false);
	assert_int_equal(answer_word, REGISTRY_REPLACED);
	loop_until_answered(registry_node_beat(registry, &holder, 9, on_answer, NULL));
	assert_int_equal(answer_error, -HAUL_STALE);
	segment_publish(1, 1, 1, 0);
	assert_int_equal(answer_error, -HAUL_STALE);
}

static void node_publish__takes_over_by_word_of_the_operator(void **state)
{
	(void)state;
	node_publish(1, 0, "host", false);
	node_publish(2, 0, "other", true);
	assert_int_equal(answer_error, 0);
	assert_int_equal(answer_number, 2);
	/* The higher term keeps the name. */
	node_publish(1, 3, "host", false);
	assert_int_equal(answer_error, 0);
	assert_int_equal(answer_number, 3);
}

static void node_publish__retires_the_old_incarnations_segments(void **state)
{
	uint64_t version = 0;

	(void)state;
	node_publish(1, 0, "host", false);
	segment_publish(1, 1, 1, 0);
	version = answer_number;
	node_publish(2, 0, "host", false);
	assert_int_equal(answer_number, 2);
	assert_true(answer_count == 2 && text_is(answer_texts[1], "1"));
	segment_get("s");
	assert_int_equal(answer_error, -HAUL_NOT_FOUND);
	segment_publish(2, 2, 1, 0);
	assert_true(answer_number > version);
}

static void node_leave__frees_the_name_and_the_segments(void **state)
{
	struct registry_writer writer = { "a", 1, 1 };

	(void)state;
	node_publish(1, 0, "host", false);
	segment_publish(1, 1, 1, 0);
	loop_until_answered(registry_node_leave(registry, &writer, on_answer, NULL));
	assert_int_equal(answer_error, 0);
	segment_get("s");
	assert_int_equal(answer_error, -HAUL_NOT_FOUND);
	segment_publish(1, 1, 1, 0);
	assert_int_equal(answer_word, REGISTRY_NONODE);
	node_publish(2, 0, "other", false);
	assert_int_equal(answer_error, 0);
	assert_int_equal(answer_number, 2);
}

static void node_list__gives_records(void **state)
{
	struct node_record record;

	(void)state;
	node_publish(1, 0, "host", false);
	loop_until_answered(registry_node_list(registry, "0", on_answer, NULL));
	assert_int_equal(answer_error, 0);
	assert_int_equal(answer_count, 1 + NODE_LIST_FIELD_COUNT);
	assert_int_equal(node_parse(answer_texts + 1, &record, answer_reason), 0);
	assert_string_equal(record.name, "a");
}

static void segment_publish__bumps_what_changed_and_nothing_else(void **state)
{
	(void)state;
	node_publish(0xa1a1, 0, "host", false);
	segment_publish(0xa1a1, 1, 1, 0);
	assert_int_equal(answer_number, 1);
	segment_publish(0xa1a1, 1, 1, 0);
	assert_int_equal(answer_number, 1);
	segment_publish(0xa1a1, 1, 2, 0);
	assert_int_equal(answer_number, 2);
	segment_publish(0xa1a1, 1, 2, 10);
	assert_int_equal(answer_number, 10);
	segment_publish(0xa1a1, 1, 3, 5);
	assert_int_equal(answer_number, 11);
	loop_until(&event_count, 5);
	assert_int_equal(last_event.version, 11);
}

/* Publish a descriptor of incarnation 1 as a change of a version; the answer's number is the new one. */
static void change_publish(struct haul_descriptor *descriptor, uint64_t version)
{
	descriptor->incarnation = 1;
	descriptor->metadata_version = version;
	loop_until_answered(
		registry_segment_publish(registry, 1, descriptor, true, on_answer, NULL));
}

/* How many events the stream has. */
static uint64_t stream_length(void)
{
	return strtoull(redis_server_ask(&server, "XLEN haul:{test}:events") + 1, NULL, 10);
}

static void segment_publish__bumps_and_tells_with_each_state(void **state)
{
	struct haul_descriptor *descriptor = descriptor_make("s", 3),
			       *fewer = descriptor_make("s", 2);
	uint64_t events;

	(void)state;
	node_publish(1, 0, "host", false);
	change_publish(descriptor, 0);
	assert_int_equal(answer_number, 1);
	events = stream_length();
	buffers_of(descriptor)[2].state = HAUL_BUFFER_DRAINING;
	change_publish(descriptor, 1);
	assert_int_equal(answer_number, 2);
	assert_int_equal(stream_length(), events + 1);
	change_publish(descriptor, 2);
	assert_int_equal(answer_number, 2);
	assert_int_equal(stream_length(), events + 1);
	change_publish(fewer, 2);
	assert_int_equal(answer_number, 3);
	assert_int_equal(stream_length(), events + 2);
	free(descriptor);
	free(fewer);
}

static void segment_publish__refuses_illegal_transitions(void **state)
{
	struct haul_descriptor *known = descriptor_make("s", 3), *next = descriptor_make("s", 2);
	uint64_t events;

	(void)state;
	node_publish(1, 0, "host", false);
	change_publish(known, 0);
	events = stream_length();
	change_publish(next, 1);
	assert_int_equal(answer_error, -HAUL_INVALID);
	assert_int_equal(answer_word, REGISTRY_ILLEGAL);
	assert_string_equal(answer_reason,
			    "segment s: the buffer 000001000002 vanishes without draining");
	buffers_of(known)[1].length--;
	change_publish(known, 1);
	assert_string_equal(answer_reason, "segment s: region 000001000001 changes its place, "
					   "length or rights");
	buffers_of(known)[1].length++;
	buffers_of(known)[1].state = HAUL_BUFFER_DRAINING;
	change_publish(known, 1);
	assert_int_equal(answer_number, 2);
	buffers_of(known)[1].state = HAUL_BUFFER_ACTIVE;
	change_publish(known, 2);
	assert_non_null(strstr(answer_reason, "goes from state 02 to 01"));
	/* A refusal bumps nothing and tells nobody. */
	assert_int_equal(stream_length(), events + 1);
	segment_get("s");
	assert_true(text_is(answer_texts[SEGMENT_VERSION], "00000000000000000002"));
	free(known);
	free(next);
}

/* What was published and not believed is taken back by whoever says what it believes. */
static void segment_publish__writes_again_what_is_believed(void **state)
{
	struct haul_descriptor *believed = descriptor_make("s", 2), *lost = descriptor_make("s", 2);

	(void)state;
	node_publish(1, 0, "host", false);
	change_publish(believed, 0);
	buffers_of(lost)[0].state = HAUL_BUFFER_DRAINING;
	change_publish(lost, 1);
	assert_int_equal(answer_number, 2);
	believed->metadata_version = 2;
	loop_until_answered(
		registry_segment_publish(registry, 1, believed, false, on_answer, NULL));
	assert_int_equal(answer_number, 3);
	/* So may a change that knows of another version than the one that stands there. */
	change_publish(lost, 3);
	assert_int_equal(answer_number, 4);
	change_publish(believed, 3);
	assert_int_equal(answer_number, 5);
	free(believed);
	free(lost);
}

/* One buffer of many: the rows in common are skipped, whatever stands before and behind. */
static void segment_publish__looks_at_the_rows_that_differ(void **state)
{
	const uint32_t count = HAUL_DESCRIPTOR_BUFFERS_MAX;
	struct haul_descriptor *descriptor = descriptor_make("s", count);
	struct haul_descriptor_buffer *buffers = buffers_of(descriptor);
	const uint32_t places[] = { 0, 1, 63, 64, 65, count / 2, count - 1 };

	(void)state;
	node_publish(1, 0, "host", false);
	change_publish(descriptor, 0);
	assert_int_equal(answer_number, 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(places); i++) {
		uint64_t version = answer_number;

		buffers[places[i]].state = HAUL_BUFFER_DRAINING;
		change_publish(descriptor, version);
		assert_int_equal(answer_number, version + 1);
		buffers[places[i]].state = HAUL_BUFFER_ACTIVE;
		change_publish(descriptor, version + 1);
		assert_int_equal(answer_word, REGISTRY_ILLEGAL);
		buffers[places[i]].state = HAUL_BUFFER_DRAINING;
		change_publish(descriptor, version + 1);
		assert_int_equal(answer_number, version + 1);
	}
	free(descriptor);
}

static void segment_publish__carries_digits_over(void **state)
{
	(void)state;
	node_publish(1, 0, "host", false);
	segment_publish(1, 1, 1, UINT64_C(8999999999999999999));
	assert_int_equal(answer_number, UINT64_C(8999999999999999999));
	segment_publish(1, 1, 2, 0);
	assert_int_equal(answer_number, UINT64_C(9000000000000000000));
}

static void segment_publish__refuses_another_nodes_name(void **state)
{
	struct haul_descriptor *descriptor = descriptor_make("s", 1);
	struct registry_writer writer = { "b", 7, 0 };
	struct registry_claim claim = { "host", &address, 1, false, 0, 0 };

	(void)state;
	node_publish(1, 0, "host", false);
	segment_publish(1, 1, 1, 0);
	loop_until_answered(registry_node_publish(registry, &writer, &claim, on_answer, NULL));
	descriptor->incarnation = 7;
	(void)snprintf(descriptor->node, sizeof(descriptor->node), "b");
	loop_until_answered(
		registry_segment_publish(registry, 1, descriptor, true, on_answer, NULL));
	assert_int_equal(answer_error, -HAUL_EXISTS);
	assert_string_equal(answer_reason, "segment s belongs to node a");
	writer.term = 1;
	loop_until_answered(registry_segment_erase(registry, &writer, "s", on_answer, NULL));
	assert_int_equal(answer_word, REGISTRY_OWNED);
	free(descriptor);
}

static void segment_erase__lets_versions_only_grow(void **state)
{
	(void)state;
	node_publish(1, 0, "host", false);
	segment_publish(1, 1, 1, 40);
	segment_erase(1, 1);
	assert_int_equal(answer_number, 41);
	segment_erase(1, 1);
	assert_int_equal(answer_error, -HAUL_NOT_FOUND);
	segment_publish(1, 1, 1, 0);
	assert_int_equal(answer_number, 42);
}

static void segment_get__gives_the_descriptor(void **state)
{
	struct haul_descriptor *in = descriptor_make("s", 2), *out = NULL;
	size_t length = 0;

	(void)state;
	node_publish(0xa1a1, 0, "host", false);
	segment_publish(0xa1a1, 1, 2, 0);
	segment_get("s");
	assert_int_equal(answer_error, 0);
	assert_int_equal(answer_count, SEGMENT_FIELD_COUNT + NODE_FIELD_COUNT);
	assert_int_equal(segment_parse(answer_texts, &out, &length, answer_reason), 0);
	in->metadata_version = 1;
	assert_memory_equal(in, out, length);
	free(in);
	free(out);
	segment_get("nothing");
	assert_int_equal(answer_error, -HAUL_NOT_FOUND);
}

static void segment_get__tells_the_malformed_from_the_absent(void **state)
{
	(void)state;
	node_publish(1, 0, "host", false);
	(void)redis_server_ask(&server, "SET haul:{test}:segment:s junk");
	segment_get("s");
	assert_int_equal(answer_error, -HAUL_CORRUPT);
	(void)redis_server_ask(&server, "DEL haul:{test}:segment:s");
	(void)redis_server_ask(&server, "HSET haul:{test}:segment:s format 2");
	segment_get("s");
	assert_int_equal(answer_error, -HAUL_CORRUPT);
	(void)redis_server_ask(&server, "HSET haul:{test}:segment:s format 9");
	segment_get("s");
	assert_int_equal(answer_error, -HAUL_VERSION);
	assert_non_null(strstr(answer_reason, "format 9"));
	assert_non_null(strstr(answer_reason, "speaks 2"));
}

static void segment_versions__tells_states_apart(void **state)
{
	const char *const names[] = { "s", "t", "u" };

	(void)state;
	node_publish(1, 0, "host", false);
	segment_publish(1, 1, 1, 0);
	(void)redis_server_ask(&server, "SET haul:{test}:segment:u junk");
	loop_until_answered(registry_segment_versions(registry, names, 3, on_answer, NULL));
	assert_int_equal(answer_count, 9);
	assert_true(text_is(answer_texts[0], "present"));
	assert_true(text_is(answer_texts[1], "0000000000000001"));
	assert_true(text_is(answer_texts[2], "00000000000000000001"));
	assert_true(text_is(answer_texts[3], "absent"));
	assert_true(text_is(answer_texts[6], "malformed"));
}

static void dataset__is_opened_anew_when_it_vanishes(void **state)
{
	uint64_t epoch = registry_epoch(registry);

	(void)state;
	node_publish(1, 0, "host", false);
	segment_publish(1, 1, 1, 6);
	(void)redis_server_ask(&server, "FLUSHALL");
	segment_get("s");
	assert_int_equal(answer_error, -HAUL_UNAVAILABLE);
	loop_until(&new_epoch_count, 1);
	assert_int_not_equal(registry_epoch(registry), epoch);
	node_publish(1, 1, "host", false);
	segment_publish(1, 1, 1, 6);
	assert_int_equal(answer_number, 6);
}

static void dataset__unconfirmed_records_are_not_believed(void **state)
{
	(void)state;
	node_publish(1, 0, "host", false);
	segment_publish(1, 1, 1, 0);
	(void)redis_server_ask(&server, "HSET haul:{test}:dataset epoch 00000000000000ff");
	segment_get("s");
	assert_int_equal(answer_error, -HAUL_UNAVAILABLE);
	loop_until(&new_epoch_count, 1);
	segment_get("s");
	assert_int_equal(answer_word, REGISTRY_UNCONFIRMED);
	node_publish(1, 1, "host", false);
	segment_publish(1, 1, 1, 0);
	assert_int_equal(answer_number, 1);
	segment_get("s");
	assert_int_equal(answer_error, 0);
}

static void dataset__of_another_format_is_refused(void **state)
{
	char reason[HAUL_REASON_BYTES];

	(void)state;
	(void)redis_server_ask(&server, "HSET haul:{test}:dataset format 3");
	segment_get("s");
	assert_int_equal(answer_error, -HAUL_VERSION);
	assert_non_null(strstr(answer_reason, "format 3"));
	registry_destroy(registry);
	registry_make(5000);
	for (int i = 0; i < 20; i++)
		loop_once();
	assert_int_equal(ready_count, 0);
	registry_reason(registry, reason);
	assert_non_null(strstr(reason, "format 3"));
}

static void script_call__survives_a_flush_of_the_scripts(void **state)
{
	(void)state;
	(void)redis_server_ask(&server, "SCRIPT FLUSH");
	node_publish(1, 0, "host", false);
	assert_int_equal(answer_error, 0);
}

static void streams__report_a_gap(void **state)
{
	(void)state;
	(void)redis_server_ask(&server, "HSET haul:{test}:dataset sequence 100");
	node_publish(1, 0, "host", false);
	loop_until(&gap_count, 1);
	segment_publish(1, 1, 1, 0);
	loop_until(&event_count, 2);
	assert_int_equal(gap_count, 1);
}

static void streams__bear_a_malformed_event(void **state)
{
	(void)state;
	(void)redis_server_ask(&server, "XADD haul:{test}:events * x y");
	loop_until(&gap_count, 1);
	node_publish(1, 0, "host", false);
	loop_until(&event_count, 1);
}

static void connection__comes_back_after_the_server_was_killed(void **state)
{
	char reason[HAUL_REASON_BYTES];

	(void)state;
	redis_server_kill(&server);
	loop_until(&lost_count, 1);
	registry_reason(registry, reason);
	assert_non_null(strstr(reason, "redis at unix:"));
	assert_int_equal(registry_segment_get(registry, "s", on_answer, NULL), -HAUL_UNAVAILABLE);
	redis_server_start(&server, NULL, NULL);
	loop_until(&ready_count, 2);
	assert_int_equal(new_epoch_count, 1);
}

static void connection__bounds_the_wait_for_a_paused_server(void **state)
{
	uint64_t begin = 0;

	(void)state;
	registry_destroy(registry);
	registry_make(300);
	loop_until(&ready_count, 1);
	redis_server_signal(&server, SIGSTOP);
	begin = clock_now_us();
	segment_get("s");
	assert_int_equal(answer_error, -HAUL_UNAVAILABLE);
	assert_non_null(strstr(answer_reason, "does not answer since"));
	assert_true(clock_now_us() - begin >= 250000);
	redis_server_signal(&server, SIGCONT);
	loop_until(&ready_count, 2);
	assert_int_equal(new_epoch_count, 0);
	node_publish(1, 0, "host", false);
	assert_int_equal(answer_error, 0);
}

static void connection__refuses_a_server_that_may_evict(void **state)
{
	char reason[HAUL_REASON_BYTES];

	(void)state;
	(void)redis_server_ask(&server, "CONFIG SET maxmemory-policy allkeys-lru");
	registry_destroy(registry);
	registry_make(5000);
	for (int i = 0; i < 20; i++)
		loop_once();
	assert_int_equal(ready_count, 0);
	registry_reason(registry, reason);
	assert_non_null(strstr(reason, "allkeys-lru"));
	assert_non_null(strstr(reason, "noeviction"));
	(void)redis_server_ask(&server, "CONFIG SET maxmemory-policy noeviction");
	loop_until(&ready_count, 1);
}

#define REDIS_TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REDIS_TEST(node_publish__is_idempotent),
		REDIS_TEST(node_publish__refuses_another_host_while_the_beat_moves),
		REDIS_TEST(node_publish__takes_over_by_word_of_the_operator),
		REDIS_TEST(node_publish__retires_the_old_incarnations_segments),
		REDIS_TEST(node_leave__frees_the_name_and_the_segments),
		REDIS_TEST(node_list__gives_records),
		REDIS_TEST(segment_publish__bumps_what_changed_and_nothing_else),
		REDIS_TEST(segment_publish__bumps_and_tells_with_each_state),
		REDIS_TEST(segment_publish__refuses_illegal_transitions),
		REDIS_TEST(segment_publish__writes_again_what_is_believed),
		REDIS_TEST(segment_publish__looks_at_the_rows_that_differ),
		REDIS_TEST(segment_publish__carries_digits_over),
		REDIS_TEST(segment_publish__refuses_another_nodes_name),
		REDIS_TEST(segment_erase__lets_versions_only_grow),
		REDIS_TEST(segment_get__gives_the_descriptor),
		REDIS_TEST(segment_get__tells_the_malformed_from_the_absent),
		REDIS_TEST(segment_versions__tells_states_apart),
		REDIS_TEST(dataset__is_opened_anew_when_it_vanishes),
		REDIS_TEST(dataset__unconfirmed_records_are_not_believed),
		REDIS_TEST(dataset__of_another_format_is_refused),
		REDIS_TEST(script_call__survives_a_flush_of_the_scripts),
		REDIS_TEST(streams__report_a_gap),
		REDIS_TEST(streams__bear_a_malformed_event),
		REDIS_TEST(connection__comes_back_after_the_server_was_killed),
		REDIS_TEST(connection__bounds_the_wait_for_a_paused_server),
		REDIS_TEST(connection__refuses_a_server_that_may_evict),
	};

	if (!redis_server_exists())
		return 77;
	/* As in haul-controlplane: a server may go while something is being sent to it. */
	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
