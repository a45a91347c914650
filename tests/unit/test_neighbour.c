/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an address that is asked for is asked for on the link, within its limits, and what is heard is believed only
 * from those it concerns; no flood makes the table or the answers grow.
 * Method: questions and answers as structs, a clock that is a number.
 */
#include "drivers/udp/neighbour.h"
#include "unit.h"

#include <string.h>

#define SELF 0x0a000001u
#define PEER 0x0a000002u
#define NOW  UINT64_C(100000000)

static const uint8_t mac_self[FRAME_MAC_BYTES] = { 2, 0, 0, 0, 0, 1 };
static const uint8_t mac_peer[FRAME_MAC_BYTES] = { 2, 0, 0, 0, 0, 2 };
static const uint8_t mac_late[FRAME_MAC_BYTES] = { 2, 0, 0, 0, 0, 3 };

static struct neighbours table;

static struct frame_ip ip_of(uint32_t address)
{
	struct frame_ip ip = { .family = 4 };

	for (int i = 0; i < 4; i++)
		ip.bytes[i] = (uint8_t)(address >> (24 - 8 * i));
	return ip;
}

#define AT(address)                                                            \
	(&(struct frame_ip){ 4,                                                \
			     { (address) >> 24 & 0xff, (address) >> 16 & 0xff, \
			       (address) >> 8 & 0xff, (address)&0xff } })

static int set_up(void **state)
{
	(void)state;
	neighbours_init(&table, AT(SELF), mac_self);
	return 0;
}

static struct lookup arp_from(uint32_t sender, const uint8_t *mac, uint32_t target, bool is_answer)
{
	struct lookup arp = { .is_answer = is_answer,
			      .is_final = true,
			      .sender = ip_of(sender),
			      .target = ip_of(target) };

	memcpy(arp.sender_mac, mac, FRAME_MAC_BYTES);
	return arp;
}

static enum neighbour_news hear(const struct lookup *arp, uint64_t now_us, bool *is_due)
{
	struct neighbour *learnt;
	struct lookup answer;

	return neighbours_receive(&table, arp, now_us, &learnt, &answer, is_due);
}

static void neighbours_find__asks_and_learns(void **state)
{
	struct lookup answer = arp_from(PEER, mac_peer, SELF, true);
	struct lookup question;
	bool is_due;

	(void)state;
	assert_false(neighbours_question(&table, NOW, &question));
	assert_null(neighbours_find(&table, AT(PEER), NOW));
	assert_true(neighbours_question(&table, NOW, &question));
	assert_memory_equal(&question.target, AT(PEER), sizeof(struct frame_ip));
	assert_memory_equal(&question.sender, AT(SELF), sizeof(struct frame_ip));
	assert_memory_equal(question.sender_mac, mac_self, FRAME_MAC_BYTES);
	assert_int_equal(hear(&answer, NOW + 5, &is_due), NEIGHBOUR_LEARNT);
	assert_false(is_due);
	assert_memory_equal(neighbours_find(&table, AT(PEER), NOW + 6), mac_peer, FRAME_MAC_BYTES);
	assert_int_equal(hear(&answer, NOW + 7, &is_due), NEIGHBOUR_NOTHING);
}

static void neighbours_question__asks_once_a_second_and_gives_up(void **state)
{
	struct lookup question;
	uint64_t now = NOW;

	(void)state;
	neighbours_find(&table, AT(PEER), now);
	for (uint32_t i = 0; i < NEIGHBOUR_QUESTIONS; i++) {
		assert_true(neighbours_question(&table, now, &question));
		assert_false(neighbours_question(&table, now, &question));
		assert_false(neighbours_question(&table, now + NEIGHBOUR_ASK_US - 1, &question));
		now += NEIGHBOUR_ASK_US;
	}
	assert_int_equal(table.count, 1);
	assert_false(neighbours_question(&table, now, &question));
	assert_int_equal(table.count, 0);
}

static void neighbours_question__asks_again_when_an_entry_ages(void **state)
{
	struct lookup answer = arp_from(PEER, mac_peer, SELF, true);
	struct lookup question;
	bool is_due;

	(void)state;
	neighbours_find(&table, AT(PEER), NOW);
	hear(&answer, NOW, &is_due);
	assert_false(neighbours_question(&table, NOW + NEIGHBOUR_FRESH_US - 1, &question));
	assert_true(neighbours_question(&table, NOW + NEIGHBOUR_FRESH_US, &question));
	assert_non_null(neighbours_find(&table, AT(PEER), NOW + NEIGHBOUR_FRESH_US));
	hear(&answer, NOW + NEIGHBOUR_FRESH_US + 9, &is_due);
	assert_false(neighbours_question(&table, NOW + 2 * NEIGHBOUR_FRESH_US, &question));
}

static void neighbours_doubt__asks_early(void **state)
{
	struct lookup answer = arp_from(PEER, mac_peer, SELF, true);
	struct lookup question;
	bool is_due;

	(void)state;
	neighbours_find(&table, AT(PEER), NOW);
	hear(&answer, NOW, &is_due);
	neighbours_doubt(&table, AT(PEER), NOW + 10);
	assert_false(neighbours_question(&table, NOW + 10, &question));
	neighbours_doubt(&table, AT(PEER), NOW + NEIGHBOUR_ASK_US + 1);
	assert_true(neighbours_question(&table, NOW + NEIGHBOUR_ASK_US + 1, &question));
}

static void neighbours_receive__answers_who_asks_for_this_port(void **state)
{
	struct lookup question = arp_from(PEER, mac_peer, SELF, false);
	struct neighbour *learnt;
	struct lookup answer;
	bool is_due;

	(void)state;
	assert_int_equal(neighbours_receive(&table, &question, NOW, &learnt, &answer, &is_due),
			 NEIGHBOUR_LEARNT);
	assert_true(is_due);
	assert_true(answer.is_answer);
	assert_memory_equal(&answer.sender, AT(SELF), sizeof(struct frame_ip));
	assert_memory_equal(&answer.target, AT(PEER), sizeof(struct frame_ip));
	assert_memory_equal(answer.sender_mac, mac_self, FRAME_MAC_BYTES);
	assert_memory_equal(answer.target_mac, mac_peer, FRAME_MAC_BYTES);
	assert_memory_equal(neighbours_find(&table, AT(PEER), NOW), mac_peer, FRAME_MAC_BYTES);
}

static void neighbours_receive__makes_no_entry_for_others_talk(void **state)
{
	struct lookup other = arp_from(PEER, mac_peer, PEER + 1, false);
	struct lookup unasked = arp_from(PEER, mac_peer, SELF, true);
	struct lookup probe = arp_from(0, mac_peer, SELF, false);
	bool is_due;

	(void)state;
	assert_int_equal(hear(&other, NOW, &is_due), NEIGHBOUR_NOTHING);
	assert_false(is_due);
	assert_int_equal(hear(&unasked, NOW, &is_due), NEIGHBOUR_NOTHING);
	assert_int_equal(hear(&probe, NOW, &is_due), NEIGHBOUR_NOTHING);
	assert_true(is_due); /* so that a newcomer sees the address is taken */
	assert_int_equal(table.count, 0);
}

static void neighbours_receive__follows_an_announcement(void **state)
{
	struct lookup answer = arp_from(PEER, mac_peer, SELF, true);
	struct lookup announcement = arp_from(PEER, mac_late, PEER, false);
	bool is_due;

	(void)state;
	neighbours_find(&table, AT(PEER), NOW);
	hear(&answer, NOW, &is_due);
	assert_int_equal(hear(&announcement, NOW + 1, &is_due), NEIGHBOUR_LEARNT);
	assert_memory_equal(neighbours_find(&table, AT(PEER), NOW), mac_late, FRAME_MAC_BYTES);
}

static void neighbours_receive__keeps_what_is_known_for_an_answer_that_is_not_final(void **state)
{
	struct lookup answer = arp_from(PEER, mac_peer, SELF, true);
	struct lookup other = arp_from(PEER, mac_late, SELF, true);
	bool is_due;

	(void)state;
	neighbours_find(&table, AT(PEER), NOW);
	answer.is_final = false;
	other.is_final = false;
	assert_int_equal(hear(&answer, NOW, &is_due), NEIGHBOUR_LEARNT);
	assert_int_equal(hear(&other, NOW + 1, &is_due), NEIGHBOUR_NOTHING);
	assert_memory_equal(neighbours_find(&table, AT(PEER), NOW), mac_peer, FRAME_MAC_BYTES);
}

static void neighbours_announce__suits_the_family(void **state)
{
	static const struct frame_ip self6 = { 6, { 0xfd, [15] = 1 } };
	struct lookup announcement;

	(void)state;
	neighbours_announce(&table, &announcement);
	assert_false(announcement.is_answer);
	assert_memory_equal(&announcement.target, AT(SELF), sizeof(struct frame_ip));
	neighbours_init(&table, &self6, mac_self);
	neighbours_announce(&table, &announcement);
	assert_true(announcement.is_answer);
	assert_memory_equal(&announcement.sender, &self6, sizeof(self6));
	assert_true(lookup_is_nobody(&announcement.target));
}

static void neighbours_receive__sees_a_conflict(void **state)
{
	struct lookup rival = arp_from(SELF, mac_peer, SELF, false);
	struct lookup echo = arp_from(SELF, mac_self, SELF, false);
	bool is_due;

	(void)state;
	assert_int_equal(hear(&rival, NOW, &is_due), NEIGHBOUR_CONFLICT);
	assert_int_equal(hear(&echo, NOW, &is_due), NEIGHBOUR_NOTHING);
}

static void neighbours_receive__bounds_answers_and_entries(void **state)
{
	uint32_t answers = 0;
	bool is_due;

	(void)state;
	for (uint32_t i = 0; i < 4 * NEIGHBOURS_MAX; i++) {
		struct lookup question = arp_from(PEER + i, mac_peer, SELF, false);

		hear(&question, NOW + i, &is_due);
		answers += is_due;
	}
	assert_int_equal(answers, NEIGHBOUR_ANSWERS_PER_S);
	assert_int_equal(table.count, NEIGHBOURS_MAX);
	/* The last one is there, the first has made room. */
	assert_non_null(neighbours_find(&table, AT(PEER + 4 * NEIGHBOURS_MAX - 1), NOW));
}

static void neighbours_hold__keeps_one_frame(void **state)
{
	struct lookup answer = arp_from(PEER, mac_peer, SELF, true);
	uint8_t frame[NEIGHBOUR_FRAME_BYTES + 1] = { 1 };
	struct lookup unused;
	struct neighbour *learnt;
	bool is_due;

	(void)state;
	assert_false(neighbours_hold(&table, AT(PEER), frame, 10));
	neighbours_find(&table, AT(PEER), NOW);
	assert_false(neighbours_hold(&table, AT(PEER), frame, sizeof(frame)));
	assert_true(neighbours_hold(&table, AT(PEER), frame, 10));
	frame[0] = 2;
	assert_true(neighbours_hold(&table, AT(PEER), frame, 20));
	neighbours_receive(&table, &answer, NOW, &learnt, &unused, &is_due);
	assert_int_equal(learnt->held_bytes, 20);
	assert_int_equal(learnt->held[0], 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(neighbours_find__asks_and_learns, set_up),
		cmocka_unit_test_setup(neighbours_question__asks_once_a_second_and_gives_up,
				       set_up),
		cmocka_unit_test_setup(neighbours_question__asks_again_when_an_entry_ages, set_up),
		cmocka_unit_test_setup(neighbours_doubt__asks_early, set_up),
		cmocka_unit_test_setup(neighbours_receive__answers_who_asks_for_this_port, set_up),
		cmocka_unit_test_setup(neighbours_receive__makes_no_entry_for_others_talk, set_up),
		cmocka_unit_test_setup(neighbours_receive__follows_an_announcement, set_up),
		cmocka_unit_test_setup(
			neighbours_receive__keeps_what_is_known_for_an_answer_that_is_not_final,
			set_up),
		cmocka_unit_test_setup(neighbours_announce__suits_the_family, set_up),
		cmocka_unit_test_setup(neighbours_receive__sees_a_conflict, set_up),
		cmocka_unit_test_setup(neighbours_receive__bounds_answers_and_entries, set_up),
		cmocka_unit_test_setup(neighbours_hold__keeps_one_frame, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
