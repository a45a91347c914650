/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: one slot for a name and incarnation, shared by its references, and never for another peer before every
 * worker has forgotten the old one.
 * Method: a table filled by descriptors of made-up nodes.
 */
#include "descriptors.h"
#include "engine/peer.h"
#include "unit.h"

#define SELF 0x5e1f

static struct peer_table *table;

static int setup(void **state)
{
	(void)state;
	table = calloc(1, sizeof(*table));
	return table == NULL;
}

static int teardown(void **state)
{
	(void)state;
	free(table);
	return 0;
}

static uint32_t take(const char *node, uint64_t incarnation)
{
	struct haul_descriptor *descriptor = descriptor_make("segment", 1);
	uint32_t index;

	memset(descriptor->node, 0, sizeof(descriptor->node));
	(void)snprintf(descriptor->node, sizeof(descriptor->node), "%s", node);
	descriptor->incarnation = incarnation;
	index = peer_take(table, descriptor, addresses_of(descriptor), SELF, 1000);
	free(descriptor);
	return index;
}

static void peer_take__shares_a_slot(void **state)
{
	(void)state;
	assert_int_equal(take("a", 1), 0);
	assert_int_equal(take("a", 1), 0);
	assert_int_equal(table->peers[0].references, 2);
	assert_int_equal(table->peers[0].address_count, 1);
	assert_int_equal(table->peers[0].addresses[0].port, 4791);
	assert_int_equal(table->peers[0].since_us, 1000);
	assert_false(table->peers[0].is_self);
}

static void peer_take__tells_incarnations_and_names_apart(void **state)
{
	(void)state;
	assert_int_equal(take("a", 1), 0);
	assert_int_equal(take("a", 2), 1);
	assert_int_equal(take("b", 1), 2);
	assert_int_equal(take("b", SELF), 3);
	assert_true(table->peers[3].is_self);
}

static void peer_take__says_when_the_table_is_full(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < ENGINE_PEERS_MAX; i++)
		assert_int_equal(take("a", 1 + i), i);
	assert_int_equal(take("a", 1 + ENGINE_PEERS_MAX), ENGINE_PEERS_MAX);
	assert_int_equal(take("a", 3), 2);
}

static void peer_drop__keeps_the_slot_until_workers_have_forgotten(void **state)
{
	(void)state;
	assert_int_equal(take("a", 1), 0);
	assert_int_equal(take("a", 1), 0);
	assert_false(peer_drop(table, 0, 2));
	assert_true(peer_drop(table, 0, 2));
	/* Met again at once: in another slot, since rails of the old one may still be there. */
	assert_int_equal(take("a", 1), 1);
	assert_int_equal(take("b", 1), 2);
	peer_forgotten(table, 0);
	assert_int_equal(take("c", 1), 3);
	peer_forgotten(table, 0);
	assert_int_equal(take("d", 1), 0);
	assert_string_equal(table->peers[0].node, "d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		CASE(peer_take__shares_a_slot),
		CASE(peer_take__tells_incarnations_and_names_apart),
		CASE(peer_take__says_when_the_table_is_full),
		CASE(peer_drop__keeps_the_slot_until_workers_have_forgotten),
#undef CASE
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
