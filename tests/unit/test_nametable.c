/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: things are found by name, and only those. Method: more entries than chains, removed in another order, also from
 * within an iteration.
 */
#include "controlplane/link/nametable.h"
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#define ENTRIES 20000u

static struct nametable_entry entries[ENTRIES];

static int make(void **state)
{
	char name[HAUL_NAME_BYTES];
	struct nametable *table = calloc(1, sizeof(*table));

	for (unsigned int i = 0; i < ENTRIES; i++) {
		(void)snprintf(name, sizeof(name), "segment/%u", i);
		nametable_add(table, &entries[i], name);
	}
	*state = table;
	return 0;
}

static int unmake(void **state)
{
	free(*state);
	return 0;
}

static void nametable_find__finds_each_and_nothing_else(void **state)
{
	struct nametable *table = *state;
	char name[HAUL_NAME_BYTES];

	assert_int_equal(table->count, ENTRIES);
	for (unsigned int i = 0; i < ENTRIES; i++) {
		(void)snprintf(name, sizeof(name), "segment/%u", i);
		assert_ptr_equal(nametable_find(table, name), &entries[i]);
	}
	assert_null(nametable_find(table, "segment"));
	assert_null(nametable_find(table, ""));
}

static void nametable_remove__takes_out_one(void **state)
{
	struct nametable *table = *state;

	for (unsigned int i = 1; i < ENTRIES; i += 2)
		nametable_remove(table, &entries[i]);
	assert_int_equal(table->count, ENTRIES / 2);
	assert_ptr_equal(nametable_find(table, "segment/0"), &entries[0]);
	assert_null(nametable_find(table, "segment/1"));
	assert_ptr_equal(nametable_find(table, "segment/2"), &entries[2]);
}

static void entry_remove(struct nametable_entry *entry, void *arg)
{
	nametable_remove(arg, entry);
}

static void nametable_each__lets_the_entry_go(void **state)
{
	struct nametable *table = *state;

	nametable_each(table, entry_remove, table);
	assert_int_equal(table->count, 0);
	assert_null(nametable_find(table, "segment/0"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nametable_find__finds_each_and_nothing_else, make,
						unmake),
		cmocka_unit_test_setup_teardown(nametable_remove__takes_out_one, make, unmake),
		cmocka_unit_test_setup_teardown(nametable_each__lets_the_entry_go, make, unmake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
