/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an action runs when every worker has gone round since it was asked for, not before, in order, and once.
 * Method: a worker without a thread that the test declares to have one, so that the test makes its rounds.
 */
#include "base/check.h"
#include "base/clock.h"
#include "control/quiesce.h"
#include "engine_rig.h"
#include "unit.h"

#include <event2/event.h>
#include <unistd.h>

struct noted {
	struct quiesce_action action;
	struct quiesce *quiesce;
	int ran_as;
	struct noted *next;
};

static int runs;

static void noted_run(struct quiesce_action *action)
{
	struct noted *noted = CONTAINER_OF(action, struct noted, action);

	noted->ran_as = ++runs;
	if (noted->next != NULL)
		quiesce_call(noted->quiesce, &noted->next->action, noted_run);
}

/* Let the timer fire some times. */
static void turn(struct event_base *base)
{
	for (int i = 0; i < 5; i++) {
		usleep(1000);
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
}

static void quiesce_call__waits_for_a_whole_round(void **state)
{
	struct rig *rig = rig_create();
	struct event_base *base = event_base_new();
	struct noted noted[3] = { 0 };
	struct quiesce quiesce;

	(void)state;
	runs = 0;
	rig->worker->is_started = true;
	assert_int_equal(quiesce_init(&quiesce, base, &rig->engine), 0);
	quiesce_call(&quiesce, &noted[0].action, noted_run);
	turn(base);
	assert_int_equal(runs, 0);
	rig_round(rig, 1);
	quiesce_call(&quiesce, &noted[1].action, noted_run);
	turn(base);
	assert_int_equal(runs, 0);
	rig_round(rig, 1);
	turn(base);
	assert_int_equal(noted[0].ran_as, 1);
	assert_int_equal(noted[1].ran_as, 0);
	rig_round(rig, 1);
	turn(base);
	assert_int_equal(noted[1].ran_as, 2);
	turn(base);
	assert_int_equal(runs, 2);
	rig->worker->is_started = false;
	quiesce_destroy(&quiesce);
	event_base_free(base);
	rig_destroy(rig);
}

static void quiesce_destroy__runs_what_is_left_and_what_that_asks_for(void **state)
{
	struct rig *rig = rig_create();
	struct event_base *base = event_base_new();
	struct noted noted[3] = { 0 };
	struct quiesce quiesce;

	(void)state;
	runs = 0;
	assert_int_equal(quiesce_init(&quiesce, base, &rig->engine), 0);
	noted[0].quiesce = &quiesce;
	noted[0].next = &noted[2];
	quiesce_call(&quiesce, &noted[0].action, noted_run);
	quiesce_call(&quiesce, &noted[1].action, noted_run);
	quiesce_destroy(&quiesce);
	assert_int_equal(noted[0].ran_as, 1);
	assert_int_equal(noted[1].ran_as, 2);
	assert_int_equal(noted[2].ran_as, 3);
	quiesce_destroy(&quiesce);
	event_base_free(base);
	rig_destroy(rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiesce_call__waits_for_a_whole_round),
		cmocka_unit_test(quiesce_destroy__runs_what_is_left_and_what_that_asks_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
