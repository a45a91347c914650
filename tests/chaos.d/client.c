/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client of the chaos test; tests/chaos starts it.
 *
 *   chaos_client run MAP CLIENT SOCKET    own two arenas, use all; until the map's phase says that it is over
 *   chaos_client poison MAP               before all else: poison in every slot
 *   chaos_client release MAP CLIENT       after its death: take its locks from it
 *   chaos_client audit MAP                nothing is under way any more: look at every slot
 *   chaos_client names                    bytes of the map, where the counts are, how many memories each client has and
 *                                         the bytes of each, the names of the counts
 *   chaos_client counters FILE            a daemon's counters: group.name value
 *
 * MAP is the descriptor of the map; those of the arenas follow it. A client that starts finishes what its former life has
 * left: the conductor starts it when nothing of that can land any more.
 */
#include "api/haul.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/counters.h"
#include "base/error.h"
#include "tests/chaos.d/work.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CLIENT_CALL_MS 1200u
#define CLIENT_BEAT_US 20000u

/* A daemon that has closed the attachment is gone soon, and then the conductor says so. */
#define CLIENT_GONE_US 20000000u

struct client {
	struct chaos chaos;
	struct work work;
	struct parts parts;
	const char *socket;
	struct haul_memory memory[CHAOS_ARENAS];
	bool is_made[CHAOS_ARENAS];
	uint64_t make_us[CHAOS_ARENAS]; /* not before */
	uint64_t attached_us;
	uint64_t remove_us; /* the next removal */
	uint64_t rest_us;   /* the last look at slots that rest */
};

static struct client client;

static void client_say(const char *what, int error, const char *reason)
{
	printf("%" PRIu64 " %s: %s: %s\n", clock_now_us(), what, error_name(-error), reason);
	(void)fflush(stdout);
}

static bool client_is_over(void)
{
	return atomic_load(&client.chaos.map->phase) != 0;
}

static uint64_t client_pause_us(uint64_t average_ms)
{
	return average_ms * 500 + chaos_below(&client.chaos, average_ms * 1000);
}

static void client_make(uint32_t arena)
{
	uint32_t number = client.chaos.client;
	struct haul_segment_options options = {
		.bytes = arena == CHAOS_BUFFERS ? 0 : CHAOS_ARENA_BYTES,
		.space_bytes = CHAOS_ARENA_BYTES,
		.readers = "*",
		.writers = "*",
		.is_given = arena != CHAOS_BUFFERS,
		.fd = client.chaos.fds[number][arena][0],
		.is_private = arena == CHAOS_PRIVATE,
		.is_divided = arena == CHAOS_EXTENTS,
	};
	char name[32];
	int error;

	if (client.is_made[arena] || clock_now_us() < client.make_us[arena])
		return;
	(void)snprintf(name, sizeof(name), "chaos/%u/%u", number, arena);
	options.name = name;
	error = haul_segment_create(client.work.haul, &options, &client.memory[arena]);
	if (error != 0) {
		client_say("create", error, haul_reason(client.work.haul));
		chaos_count(&client.chaos, COUNT_refused);
		client.make_us[arena] = clock_now_us() + 300000;
		return;
	}
	client.is_made[arena] = true;
	client.work.memory = client.memory[CHAOS_PRIVATE];
	if (arena == CHAOS_BUFFERS || arena == CHAOS_EXTENTS)
		parts_begin(&client.parts, arena, &client.memory[arena]);
	chaos_count(&client.chaos, COUNT_creations);
}

/* Take an arena away from everybody; from then on nothing of anybody lands there. */
static bool client_remove(uint32_t arena)
{
	int error = haul_segment_destroy(client.work.haul, &client.memory[arena]);

	if (error != 0 && error != -HAUL_NOT_FOUND) {
		if (error != -HAUL_DISCONNECTED)
			client_say("destroy", error, haul_reason(client.work.haul));
		chaos_count(&client.chaos, COUNT_refused);
		/* It may go after all: nothing in it comes or goes until the next call knows. */
		if (error == -HAUL_TIMEOUT)
			client.parts.is_made[arena] = false;
		return false;
	}
	slot_take_arena(&client.chaos, client.chaos.client, arena, "when its segment was removed");
	parts_end(&client.parts, arena);
	chaos_count(&client.chaos, COUNT_removals);
	client.is_made[arena] = false;
	client.make_us[arena] =
		clock_now_us() +
		chaos_below(&client.chaos, client.chaos.map->conduct.gone_ms * 1000);
	return true;
}

static void client_attach(void)
{
	struct haul_options options = { .socket_path = client.socket,
					.timeout_ms = CLIENT_CALL_MS };
	char name[32];
	int error;

	(void)snprintf(name, sizeof(name), "chaos/%u", client.chaos.client);
	options.name = name;
	client.attached_us = clock_now_us();
	error = haul_attach(&options, &client.work.haul);
	if (error != 0) {
		usleep(50000);
		return;
	}
	client.parts.haul = client.work.haul;
	chaos_count(&client.chaos, COUNT_attachments);
	memset(client.make_us, 0, sizeof(client.make_us));
}

/* Its dataplane is gone: when it really is, and its packets are, everything here is over. */
static void client_disconnected(int error)
{
	struct chaos *chaos = &client.chaos;
	struct chaos_node *node = &chaos->map->node[chaos_node_of(chaos, chaos->client)];
	uint64_t until_us = clock_now_us() + CLIENT_GONE_US;
	uint64_t fresh_us;

	if (error != -HAUL_DISCONNECTED) {
		client_say("WRONG: haul_wait", error, haul_reason(client.work.haul));
		chaos_count(chaos, COUNT_wrong);
	}
	client_say("disconnected", error, haul_reason(client.work.haul));
	while (atomic_load(&node->ended_us) <= client.attached_us && clock_now_us() < until_us)
		usleep(5000);
	if (atomic_load(&node->ended_us) <= client.attached_us) {
		client_say("WRONG: disconnected by a daemon that lives", error,
			   haul_reason(client.work.haul));
		chaos_count(chaos, COUNT_wrong);
	}
	haul_detach(client.work.haul);
	client.work.haul = NULL;
	fresh_us = atomic_load(&node->ended_us) + HAUL_CANCEL_MS * 1000;
	while (clock_now_us() < fresh_us)
		usleep(1000);
	work_end_all(&client.work, "when its daemon was gone");
	work_forget_handles(&client.work);
	for (uint32_t arena = 0; arena < CHAOS_PRIVATE; arena++) {
		slot_take_arena(chaos, chaos->client, arena, "when its daemon was gone");
		parts_end(&client.parts, arena);
	}
	memset(client.is_made, 0, sizeof(client.is_made));
}

static void client_look(void)
{
	uint64_t now_us = clock_now_us();

	atomic_store(&client.chaos.map->beat_us[client.chaos.client], now_us);
	if (now_us < client.rest_us + CLIENT_BEAT_US)
		return;
	client.rest_us = now_us;
	for (uint32_t arena = 0; arena < CHAOS_ARENAS; arena++)
		slot_look(&client.chaos, client.chaos.client, arena, false, "while it rested");
	work_watch(&client.work);
	parts_watch(&client.parts);
}

static void client_maybe_remove(void)
{
	const struct chaos_conduct *conduct = &client.chaos.map->conduct;
	uint32_t arena;

	if (conduct->remove_ms == 0 || clock_now_us() < client.remove_us)
		return;
	arena = (uint32_t)chaos_below(&client.chaos, CHAOS_PRIVATE);
	if (client.is_made[arena] && !parts_is_leaving(&client.parts, arena))
		client_remove(arena);
	client.remove_us = clock_now_us() + client_pause_us(conduct->remove_ms);
}

static void client_maybe_cancel(void)
{
	if (!chaos_chance(&client.chaos, client.chaos.map->conduct.cancel_ppm))
		return;
	work_cancel(&client.work, chaos_chance(&client.chaos, 200000)
					  ? HAUL_MATCH_ALL
					  : (enum haul_match)(1 + chaos_below(&client.chaos, 2)));
}

/* Returns 0, or why the attachment is over. */
static int client_round(void)
{
	uint64_t pause_us = 1 + chaos_below(&client.chaos, client.chaos.map->conduct.pause_us);
	int count;

	for (uint32_t arena = 0; arena < CHAOS_ARENAS; arena++)
		client_make(arena);
	if (client.is_made[CHAOS_PRIVATE] && !client_is_over()) {
		work_begin(&client.work);
		client_maybe_cancel();
		client_maybe_remove();
		parts_round(&client.parts);
	}
	count = haul_submit(client.work.haul);
	if (count >= 0)
		count = work_reap(&client.work, pause_us);
	client_look();
	return MIN(count, 0);
}

/* Everything ends by itself, or by its deadline; then the arenas go. */
static void client_finish(void)
{
	uint64_t until_us =
		clock_now_us() + client.chaos.map->conduct.timeout_ms * 1000 + CLIENT_GONE_US;
	int error = 0;

	while (client.work.open + client.parts.open > 0 && error == 0 && clock_now_us() < until_us)
		error = client_round();
	if (error != 0)
		return;
	for (uint32_t arena = 0; arena < CHAOS_PRIVATE; arena++) {
		while (client.is_made[arena] && !client_remove(arena) && clock_now_us() < until_us)
			usleep(100000);
	}
	haul_detach(client.work.haul);
	client.work.haul = NULL;
}

static void client_run(void)
{
	while (!client_is_over()) {
		int error = 0;

		if (client.work.haul == NULL)
			client_attach();
		else
			error = client_round();
		if (error != 0)
			client_disconnected(error);
		if (client.work.haul == NULL)
			client_look();
	}
	if (client.work.haul != NULL)
		client_finish();
}

static int client_begin(int map, uint32_t number, const char *socket)
{
	client.socket = socket;
	if (chaos_attach(&client.chaos, map, number) != 0)
		return 1;
	client.chaos.random = client.chaos.map->seed * 1000003 + number * UINT64_C(7919) +
			      atomic_load(&client.chaos.map->number[number]);
	client.work.chaos = &client.chaos;
	client.parts.chaos = &client.chaos;
	client.work.parts = &client.parts;
	for (uint32_t arena = 0; arena < CHAOS_PRIVATE; arena++)
		slot_take_arena(&client.chaos, number, arena, "after its owner's death");
	work_end_all(&client.work, "after its client's death");
	client.remove_us = clock_now_us() + client_pause_us(client.chaos.map->conduct.remove_ms);
	client_run();
	return 0;
}

static int client_poison(int map)
{
	struct chaos *chaos = &client.chaos;
	struct slot_place place = { 0 };

	if (chaos_attach(chaos, map, 0) != 0)
		return 1;
	chaos->random = chaos->map->seed;
	for (; place.client < chaos->map->clients; place.client++) {
		for (place.arena = 0; place.arena < CHAOS_ARENAS; place.arena++) {
			for (place.slot = 0; place.slot < CHAOS_SLOTS; place.slot++)
				slot_poison(chaos, place);
		}
	}
	return 0;
}

/* A slot that it had locked is half written; whatever it was about to do, nothing of an operation may land there now. */
static int client_release(int map, uint32_t number)
{
	struct chaos *chaos = &client.chaos;
	struct slot_place place = { 0 };

	if (chaos_attach(chaos, map, number) != 0)
		return 1;
	chaos->random = clock_now_us();
	for (; place.client < chaos->map->clients; place.client++) {
		for (place.arena = 0; place.arena < CHAOS_ARENAS; place.arena++) {
			for (place.slot = 0; place.slot < CHAOS_SLOTS; place.slot++) {
				struct chaos_slot *slot = slot_at(chaos, place);

				if (atomic_load(&slot->lock) != number + 1)
					continue;
				slot_poison(chaos, place);
				slot->is_taken = slot->state == SLOT_BUSY;
				chaos_unlock(slot);
			}
		}
	}
	return 0;
}

static int client_audit(int map)
{
	struct chaos *chaos = &client.chaos;

	if (chaos_attach(chaos, map, 0) != 0)
		return 1;
	chaos->random = clock_now_us();
	for (uint32_t i = 0; i < chaos->map->clients; i++) {
		for (uint32_t arena = 0; arena < CHAOS_ARENAS; arena++)
			slot_look(chaos, i, arena, true, "at the end");
	}
	return 0;
}

static int client_names(void)
{
	static const char *const names[] = {
#define CLIENT_NAME(name) #name,
		CHAOS_COUNTS(CLIENT_NAME)
#undef CLIENT_NAME
	};

	uint32_t memories = 0;

	for (uint32_t arena = 0; arena < CHAOS_ARENAS; arena++)
		memories += chaos_memories(arena);
	printf("%zu %zu %u\n", sizeof(struct chaos_map), offsetof(struct chaos_map, counts),
	       memories);
	for (uint32_t arena = 0; arena < CHAOS_ARENAS; arena++) {
		for (uint32_t i = 0; i < chaos_memories(arena); i++)
			printf("%llu\n",
			       (unsigned long long)CHAOS_ARENA_BYTES / chaos_memories(arena));
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		printf("%s\n", names[i]);
	return 0;
}

static void client_print_counter(const struct counter_value *value, void *argument)
{
	(void)argument;
	printf("%s.%s %" PRIu64 "\n", value->group, value->name, value->value);
}

static int client_counters(const char *path)
{
	struct counters_view *view;

	if (counters_open(path, &view) != 0)
		return 1;
	counters_each(view, client_print_counter, NULL);
	counters_close(view);
	return 0;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	int map = argc > 2 ? (int)strtol(argv[2], NULL, 10) : -1;
	uint32_t number = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;

	if (strcmp(word, "run") == 0 && argc == 5)
		return client_begin(map, number, argv[4]);
	if (strcmp(word, "poison") == 0 && argc == 3)
		return client_poison(map);
	if (strcmp(word, "release") == 0 && argc == 4)
		return client_release(map, number);
	if (strcmp(word, "audit") == 0 && argc == 3)
		return client_audit(map);
	if (strcmp(word, "names") == 0)
		return client_names();
	if (strcmp(word, "counters") == 0 && argc == 3)
		return client_counters(argv[2]);
	fprintf(stderr, "chaos_client: see the head of client.c for its commands\n");
	return 2;
}
