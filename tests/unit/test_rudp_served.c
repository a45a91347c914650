/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: what is over stays over, opened and closed balance, memory is the table and no more.
 * Method: by hand; then random claims, openings and DONE frames against counts.
 */
#include "rudp/served.h"
#include "unit.h"

#define SIZE 8u

static unsigned closed_count;

static void count_closed(struct served_table *table, struct served *served)
{
	(void)table;
	(void)served;
	closed_count++;
}

static void table_make(struct served_table *table, void **memory)
{
	*memory = malloc(served_bytes(SIZE));
	assert_non_null(*memory);
	served_init(table, *memory, SIZE, count_closed);
	closed_count = 0;
}

static void served_claim__an_id_ends_the_one_a_table_before(void **state)
{
	struct served_table table;
	struct served *served;
	void *memory;

	(void)state;
	table_make(&table, &memory);
	served = served_claim(&table, 0);
	assert_non_null(served);
	assert_int_equal(served->state, SERVED_NEW);
	served_open(&table, served, SERVED_WRITING);
	assert_ptr_equal(served_claim(&table, 0), served);
	assert_int_equal(table.open, 1);
	assert_non_null(served_claim(&table, SIZE - 1));
	assert_int_equal(closed_count, 0);
	assert_non_null(served_claim(&table, SIZE));
	assert_int_equal(closed_count, 1);
	assert_int_equal(table.open, 0);
	assert_null(served_claim(&table, 0));
	/* Far ahead: all before is over. */
	served_open(&table, served_claim(&table, 3), SERVED_READING);
	assert_non_null(served_claim(&table, 100000));
	assert_int_equal(closed_count, 2);
	assert_null(served_claim(&table, 100000 - SIZE));
	assert_non_null(served_claim(&table, 100000 - SIZE + 1));
	free(memory);
}

static void served_done__fences_what_was_never_seen(void **state)
{
	struct served_table table;
	struct wire_done done = { .low_water = 2, .words = 1, .bits = { 1u << 2 } };
	void *memory;

	(void)state;
	table_make(&table, &memory);
	served_open(&table, served_claim(&table, 1), SERVED_WRITING);
	served_done(&table, &done);
	assert_int_equal(closed_count, 1);
	assert_null(served_claim(&table, 1));
	assert_int_equal(served_claim(&table, 2)->state, SERVED_NEW);
	assert_int_equal(served_claim(&table, 4)->state, SERVED_OVER);
	/* Older news changes nothing. */
	done.low_water = 0;
	done.words = 0;
	served_done(&table, &done);
	assert_int_equal(served_claim(&table, 4)->state, SERVED_OVER);
	assert_null(served_claim(&table, 1));
	free(memory);
}

static void served_refuse__closes_and_queues(void **state)
{
	struct served_table table;
	struct served *served;
	void *memory;

	(void)state;
	table_make(&table, &memory);
	served = served_claim(&table, 0);
	served_open(&table, served, SERVED_READING);
	assert_false(list_is_empty(&table.reading));
	served_refuse(&table, served, 6, 10, 99);
	assert_int_equal(closed_count, 1);
	assert_true(list_is_empty(&table.reading));
	assert_false(list_is_empty(&table.refusing));
	served_over(&table, served);
	assert_true(list_is_empty(&table.refusing));
	assert_int_equal(closed_count, 1);
	free(memory);
}

static void served_claim__balance(void **state)
{
	struct served_table table;
	uint64_t seed = unit_seed();
	unsigned opened = 0;
	uint32_t newest = UINT32_MAX - 500;
	struct wire_done start = { .low_water = UINT32_MAX - 500 };
	void *memory;

	(void)state;
	table_make(&table, &memory);
	/* Ids wrap after half an hour of small operations. */
	table.low_water = table.next = start.low_water;
	for (int i = 0; i < 5000; i++) {
		uint32_t id = newest + (uint32_t)unit_random_below(&seed, 2 * SIZE) - SIZE;
		struct served *served = served_claim(&table, id);

		if ((int32_t)(id - newest) > 0)
			newest = id;
		assert_int_equal(served == NULL, (int32_t)(id - table.low_water) < 0);
		if (served != NULL && served->state == SERVED_NEW) {
			served_open(&table, served, SERVED_WRITING);
			opened++;
		}
		if (unit_random_below(&seed, 10) == 0) {
			struct wire_done done = { .low_water = newest - 2 };

			served_done(&table, &done);
		}
		assert_int_equal(opened - closed_count, table.open);
		assert_true(table.open <= SIZE);
	}
	served_end(&table);
	assert_int_equal(opened, closed_count);
	free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(served_claim__an_id_ends_the_one_a_table_before),
		cmocka_unit_test(served_done__fences_what_was_never_seen),
		cmocka_unit_test(served_refuse__closes_and_queues),
		cmocka_unit_test(served_claim__balance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
