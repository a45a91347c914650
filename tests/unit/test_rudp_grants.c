/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an operation names what its opener was granted and nothing else, whatever becomes of the frames that say so.
 * Method: two ends joined by hand, whose proofs the test makes and checks; then both sides' slots alone, over a wire that
 * loses, doubles and turns round, with far more grants than slots.
 */
#include "api/haul_error.h"
#include "base/check.h"
#include "rudp/grants.h"
#include "rudp_ends.h"
#include "unit.h"

#include <errno.h>

#define SEGMENT 7u
#define RIGHTS  2u
#define TAG     99u

static const uint8_t proof[RUDP_PROOF_BYTES] = { 1, 2, 3, 4 };

static int find(uint32_t segment, uint8_t rights, uint8_t *slot_out)
{
	return rudp_grant_find(ends[0].connection, now_us, segment, rights, TAG, slot_out);
}

/* The initiator's proof is asked for, made, and arrives; the target is asked to check it. */
static void claim(void)
{
	unsigned checks = ends[1].checks;

	rudp_grants_ask(ends[0].rudp);
	rudp_grant_made(ends[0].connection, now_us, ends[0].grant.slot, ends[0].grant.serial,
			HAUL_OK, proof);
	settle();
	rudp_grants_ask(ends[1].rudp);
	assert_int_equal(ends[1].checks, checks + 1);
}

static void answer(int status)
{
	rudp_grant_checked(ends[1].connection, ends[1].grant.slot, ends[1].grant.serial, status);
	settle();
}

static void write_by(uint8_t slot)
{
	struct rudp_operation_request request = {
		.kind = RUDP_WRITE, .length = 10, .region = 5, .grant = slot
	};
	uint32_t id;

	assert_int_equal(rudp_submit(ends[0].connection, now_us, &request, &id), 0);
	settle();
}

static void rudp_grant_find__waits_for_the_answer(void **state)
{
	uint8_t slot = 0;

	(void)state;
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), -EAGAIN);
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), -EAGAIN);
	claim();
	assert_int_equal(ends[0].proves, 1);
	assert_int_equal(ends[0].grant.segment, SEGMENT);
	assert_int_equal(ends[0].grant.rights, RIGHTS);
	assert_int_equal(ends[0].grant.tag, TAG);
	assert_int_equal(ends[1].grant.segment, SEGMENT);
	assert_int_equal(ends[1].grant.rights, RIGHTS);
	assert_memory_equal(ends[1].grant.proof, proof, sizeof(proof));
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), -EAGAIN);
	answer(HAUL_OK);
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), 0);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_GRANTS_GIVEN], 1);
	assert_int_equal(ends[0].proves, 1);
}

static void rudp_grant_find__another_right_is_another_grant(void **state)
{
	uint8_t one = 0, two = 0;

	(void)state;
	find(SEGMENT, 1, &one);
	claim();
	answer(HAUL_OK);
	assert_int_equal(find(SEGMENT, 1, &one), 0);
	assert_int_equal(find(SEGMENT, 3, &two), -EAGAIN);
	claim();
	answer(HAUL_OK);
	assert_int_equal(find(SEGMENT, 3, &two), 0);
	assert_int_not_equal(one, two);
	write_by(one);
	assert_int_equal(ends[1].placement.right.rights, 1);
	write_by(two);
	assert_int_equal(ends[1].placement.right.rights, 3);
}

static void rudp_submit__names_what_was_granted(void **state)
{
	uint8_t slot = 0;

	(void)state;
	write_by(slot);
	assert_int_equal(ends[1].placement.right.segment, 0);
	assert_int_equal(ends[1].placement.right.rights, 0);
	find(SEGMENT, RIGHTS, &slot);
	claim();
	/* Claimed is not granted. */
	write_by(ends[0].grant.slot);
	assert_int_equal(ends[1].placement.right.segment, 0);
	answer(HAUL_OK);
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), 0);
	write_by(slot);
	assert_int_equal(ends[1].placement.right.segment, SEGMENT);
	assert_int_equal(ends[1].placement.right.rights, RIGHTS);
	write_by((uint8_t)(slot + 1));
	assert_int_equal(ends[1].placement.right.segment, 0);
}

static void rudp_grant_find__tells_a_refusal_for_a_while(void **state)
{
	uint8_t slot = 0;

	(void)state;
	find(SEGMENT, RIGHTS, &slot);
	claim();
	answer(HAUL_DENIED);
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), HAUL_DENIED);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_GRANTS_REFUSED], 1);
	write_by(ends[0].grant.slot);
	assert_int_equal(ends[1].placement.right.segment, 0);
	now_us += GRANTS_REFUSED_US;
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), -EAGAIN);
	claim();
	answer(HAUL_OK);
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), 0);
}

static void rudp_grant_made__what_cannot_be_proven_ends(void **state)
{
	uint8_t slot = 0;

	(void)state;
	assert_int_equal(find(0, RIGHTS, &slot), HAUL_DENIED);
	find(SEGMENT, RIGHTS, &slot);
	rudp_grants_ask(ends[0].rudp);
	rudp_grant_made(ends[0].connection, now_us, ends[0].grant.slot, ends[0].grant.serial,
			HAUL_STALE, NULL);
	settle();
	assert_int_equal(ends[1].counters[RUDP_COUNTER_GRANTS_CLAIMED], 0);
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), HAUL_STALE);
}

/* What one tag's owner closed meanwhile another has open: neither who waits nor who comes later is told STALE. */
static void rudp_grant_made__a_closed_tag_fails_no_other(void **state)
{
	struct rudp_connection *connection = ends[0].connection;
	uint8_t slot = 0;

	(void)state;
	find(SEGMENT, RIGHTS, &slot);
	rudp_grants_ask(ends[0].rudp);
	assert_int_equal(ends[0].grant.tag, TAG);
	assert_int_equal(rudp_grant_find(connection, now_us, SEGMENT, RIGHTS, TAG + 1, &slot),
			 -EAGAIN);
	rudp_grant_made(connection, now_us, ends[0].grant.slot, ends[0].grant.serial, HAUL_STALE,
			NULL);
	rudp_grants_ask(ends[0].rudp);
	assert_int_equal(ends[0].proves, 2);
	assert_int_equal(ends[0].grant.tag, TAG + 1);
	rudp_grant_made(connection, now_us, ends[0].grant.slot, ends[0].grant.serial, HAUL_STALE,
			NULL);
	assert_int_equal(rudp_grant_find(connection, now_us, SEGMENT, RIGHTS, TAG + 1, &slot),
			 HAUL_STALE);
	assert_int_equal(rudp_grant_find(connection, now_us, SEGMENT, RIGHTS, TAG + 2, &slot),
			 -EAGAIN);
	claim();
	assert_int_equal(ends[0].grant.tag, TAG + 2);
	answer(HAUL_OK);
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), 0);
}

/* A status that has operations tried again, and one that there is not: neither is believed. */
static void rudp_receive__takes_no_other_status_of_a_grant(void **state)
{
	uint8_t slot = 0;

	(void)state;
	find(SEGMENT, RIGHTS, &slot);
	claim();
	answer(HAUL_NO_PATH);
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), -EAGAIN);
	assert_true(ends[0].counters[RUDP_COUNTER_MALFORMED] > 0);
}

static void rudp_grants_ask__comes_again_when_there_is_no_room(void **state)
{
	uint8_t slot = 0;

	(void)state;
	ends[0].is_full = ends[1].is_full = true;
	find(SEGMENT, RIGHTS, &slot);
	rudp_grants_ask(ends[0].rudp);
	rudp_grants_ask(ends[0].rudp);
	assert_int_equal(ends[0].proves, 0);
	assert_int_equal(ends[0].counters[RUDP_COUNTER_GRANTS_DELAYED], 2);
	ends[0].is_full = false;
	rudp_grants_ask(ends[0].rudp);
	rudp_grant_made(ends[0].connection, now_us, ends[0].grant.slot, ends[0].grant.serial,
			HAUL_OK, proof);
	settle();
	rudp_grants_ask(ends[1].rudp);
	assert_int_equal(ends[1].checks, 0);
	ends[1].is_full = false;
	rudp_grants_ask(ends[1].rudp);
	assert_int_equal(ends[1].checks, 1);
	answer(HAUL_OK);
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), 0);
}

/* Both frames are lost, twice each; time alone brings them again. */
static void rudp_transmit__says_lost_grants_again(void **state)
{
	uint8_t slot = 0;

	(void)state;
	find(SEGMENT, RIGHTS, &slot);
	rudp_grants_ask(ends[0].rudp);
	rudp_grant_made(ends[0].connection, now_us, ends[0].grant.slot, ends[0].grant.serial,
			HAUL_OK, proof);
	pass_black(20000);
	assert_int_equal(ends[1].counters[RUDP_COUNTER_GRANTS_CLAIMED], 0);
	for (unsigned i = 0; i < 100 && ends[1].checks == 0; i++) {
		pass(10000);
		settle();
		rudp_grants_ask(ends[1].rudp);
	}
	assert_int_equal(ends[1].checks, 1);
	rudp_grant_checked(ends[1].connection, ends[1].grant.slot, ends[1].grant.serial, HAUL_OK);
	pass_black(20000);
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), -EAGAIN);
	for (unsigned i = 0; i < 100 && find(SEGMENT, RIGHTS, &slot) != 0; i++) {
		pass(10000);
		settle();
	}
	assert_int_equal(find(SEGMENT, RIGHTS, &slot), 0);
	assert_int_equal(ends[1].checks, 1);
}

/* One side's slots, in memory of its own. */
struct side {
	struct grants grants;
	void *memory;
};

static void side_make(struct side *side)
{
	side->memory = malloc(grants_bytes());
	grants_init(&side->grants, side->memory);
}

/* Bring one of an initiator's grants to GRANTED by hand. */
static void side_grant(struct side *side, uint32_t segment, uint64_t at_us)
{
	struct rudp_grant grant;
	struct wire_granted granted = { 0 };
	uint8_t slot, bytes[WIRE_GRANT_BYTES];
	uint32_t cursor = 0;
	bool is_own;

	assert_int_equal(grants_find(&side->grants, at_us, segment, 1, 0, &slot), -EAGAIN);
	assert_true(grants_take_wanted(&side->grants, &cursor, &grant, &is_own) && is_own);
	grants_made(&side->grants, at_us, grant.slot, grant.serial, HAUL_OK, proof);
	assert_int_equal(grants_write(&side->grants, 1, bytes, sizeof(bytes)), sizeof(bytes));
	granted.slot = grant.slot;
	granted.serial = grant.serial;
	grants_answered(&side->grants, at_us, &granted);
	assert_int_equal(grants_find(&side->grants, at_us, segment, 1, 0, &slot), 0);
}

static void grants_find__takes_the_slot_that_was_idle_longest(void **state)
{
	struct side side;
	uint8_t slot, first, second;

	(void)state;
	side_make(&side);
	for (uint32_t i = 1; i <= RUDP_GRANTS; i++)
		side_grant(&side, i, i);
	assert_int_equal(grants_find(&side.grants, 1000, 1, 1, 0, &first), 0);
	assert_int_equal(grants_find(&side.grants, 1000, 2, 1, 0, &second), 0);
	grants_use(&side.grants, first, 1000);
	side_grant(&side, 1000, 1001);
	/* Not the first, which is named by an operation, but the one after it. */
	assert_int_equal(grants_find(&side.grants, 1002, 1000, 1, 0, &slot), 0);
	assert_int_equal(slot, second);
	assert_int_equal(grants_find(&side.grants, 1002, 1, 1, 0, &slot), 0);
	assert_int_equal(slot, first);
	for (uint32_t i = 0; i < RUDP_GRANTS; i++)
		grants_use(&side.grants, (uint8_t)i, 2000 + i);
	assert_int_equal(grants_find(&side.grants, 3000, 2000, 1, 0, &slot), -EAGAIN);
	assert_int_equal(side.grants.wanted, 0);
	grants_leave(&side.grants, 77);
	side_grant(&side, 2000, 3000);
	assert_int_equal(grants_find(&side.grants, 3000, 2000, 1, 0, &slot), 0);
	assert_int_equal(slot, 77);
	free(side.memory);
}

static void grants_claimed__a_late_claim_changes_nothing(void **state)
{
	struct wire_grant early = { .slot = 3, .serial = UINT32_MAX, .segment = 1, .rights = 1 };
	struct wire_grant late = { .slot = 3, .serial = 0, .segment = 2, .rights = 2 };
	struct rudp_grant grant;
	struct side side;
	uint32_t cursor = 0;
	bool is_own;

	(void)state;
	side_make(&side);
	grants_claimed(&side.grants, &late);
	grants_claimed(&side.grants, &early);
	grants_claimed(&side.grants, &late);
	assert_true(grants_take_wanted(&side.grants, &cursor, &grant, &is_own) && !is_own);
	assert_int_equal(grant.segment, 2);
	grants_checked(&side.grants, 3, grant.serial, HAUL_OK);
	grants_claimed(&side.grants, &early);
	grants_claimed(&side.grants, &late);
	assert_int_equal(side.grants.held[3].segment, 2);
	assert_int_equal(side.grants.wanted, 0);
	/* What was granted is void as soon as another claim has come, and an answer to the old one is nobody's. */
	late.serial++;
	late.segment = 4;
	grants_claimed(&side.grants, &late);
	assert_int_equal(side.grants.held[3].segment, 0);
	grants_checked(&side.grants, 3, grant.serial, HAUL_OK);
	assert_int_equal(side.grants.held[3].segment, 0);
	free(side.memory);
}

/* Frames on the way, in no order. */
#define FRAMES 64u

/* With three rights each they are some more than there are slots. */
#define SEGMENTS (RUDP_GRANTS * 2 / 5)

struct wire_bag {
	struct wire_frame frames[FRAMES];
	uint32_t count;
};

static void bag_put(struct wire_bag *bag, uint64_t *seed, const uint8_t *bytes, size_t length)
{
	const uint8_t *cursor = bytes;
	struct wire_frame frame;

	while (wire_frame_parse(&cursor, bytes + length, &frame) > 0) {
		/* Full: something on the way is lost, as it may be. */
		uint32_t at = bag->count < FRAMES ? bag->count++
						  : (uint32_t)unit_random_below(seed, FRAMES);

		bag->frames[at] = frame;
	}
}

static void bag_give(struct wire_bag *bag, uint64_t *seed, struct grants *to, uint64_t at_us)
{
	uint32_t at;

	if (bag->count == 0)
		return;
	at = (uint32_t)unit_random_below(seed, bag->count);
	if (unit_random_below(seed, 4) != 0) { /* else it is lost */
		if (bag->frames[at].type == WIRE_FRAME_GRANT)
			grants_claimed(to, &bag->frames[at].grant);
		else
			grants_answered(to, at_us, &bag->frames[at].granted);
	}
	if (unit_random_below(seed, 3) != 0) /* else it comes again */
		bag->frames[at] = bag->frames[--bag->count];
}

static void work(struct grants *grants, uint64_t *seed, uint64_t at_us)
{
	struct rudp_grant grant;
	uint32_t cursor = 0;
	bool is_own;

	while (grants_take_wanted(grants, &cursor, &grant, &is_own)) {
		if (unit_random_below(seed, 4) == 0) {
			grants_put_back(grants, grant.slot, is_own);
			return;
		}
		if (is_own)
			grants_made(grants, at_us, grant.slot, grant.serial, HAUL_OK, proof);
		else
			grants_checked(grants, grant.slot, grant.serial,
				       grant.segment % 5 == 0 ? HAUL_DENIED : HAUL_OK);
	}
}

/* What an initiator may name, its target has granted, and exactly that. */
static void grants__agree_whatever_the_wire_does(void **state)
{
	uint64_t seed = unit_seed();
	struct wire_bag there = { .count = 0 }, back = { .count = 0 };
	struct side initiator, target;
	uint8_t bytes[512];
	unsigned granted = 0, refused = 0;

	(void)state;
	side_make(&initiator);
	side_make(&target);
	for (uint32_t i = 1; i < 200000; i++) {
		uint32_t segment = 1 + (uint32_t)unit_random_below(&seed, SEGMENTS);
		uint8_t rights = (uint8_t)(1 + unit_random_below(&seed, 3));
		uint8_t slot;
		int status;

		status = grants_find(&initiator.grants, i, segment, rights, 0, &slot);
		if (status == 0) {
			granted++;
			assert_int_equal(target.grants.held[slot].segment, segment);
			assert_int_equal(target.grants.held[slot].rights, rights);
			grants_use(&initiator.grants, slot, i);
			grants_leave(&initiator.grants, slot);
		} else if (status > 0) {
			refused++;
			assert_int_equal(segment % 5, 0);
		}
		work(&initiator.grants, &seed, i);
		work(&target.grants, &seed, i);
		bag_put(&there, &seed, bytes,
			grants_write(&initiator.grants, i, bytes, sizeof(bytes)));
		bag_put(&back, &seed, bytes, grants_write(&target.grants, i, bytes, sizeof(bytes)));
		for (unsigned j = 0; j < 4; j++) {
			bag_give(&there, &seed, &target.grants, i);
			bag_give(&back, &seed, &initiator.grants, i);
		}
		/* Some packet is called lost, whether it is or not. */
		slot = (uint8_t)unit_random(&seed);
		grants_resay(&initiator.grants, initiator.grants.own[slot].number);
		grants_resay(&target.grants, target.grants.peer[slot].number);
	}
	assert_true(granted > 1000 && refused > 1000);
	free(initiator.memory);
	free(target.memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(rudp_grant_find__waits_for_the_answer),
		CASE(rudp_grant_find__another_right_is_another_grant),
		CASE(rudp_submit__names_what_was_granted),
		CASE(rudp_grant_find__tells_a_refusal_for_a_while),
		CASE(rudp_grant_made__what_cannot_be_proven_ends),
		CASE(rudp_grant_made__a_closed_tag_fails_no_other),
		CASE(rudp_receive__takes_no_other_status_of_a_grant),
		CASE(rudp_grants_ask__comes_again_when_there_is_no_room),
		CASE(rudp_transmit__says_lost_grants_again),
		cmocka_unit_test(grants_find__takes_the_slot_that_was_idle_longest),
		cmocka_unit_test(grants_claimed__a_late_claim_changes_nothing),
		cmocka_unit_test(grants__agree_whatever_the_wire_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
