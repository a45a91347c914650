/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: every timer fires once, never early, at most a tick late when the wheel is turned in time,
 * whatever is armed and cancelled in between; wheel_next_us never lies behind a deadline. Method:
 * the edges of slots, levels and span by hand; then random arms, cancels and advances against a
 * model that is an array of deadlines, with steps from one tick to hours.
 */
#include "base/check.h"
#include "base/wheel.h"
#include "unit.h"

#include <string.h>

#define TICK_US  64u
#define TIMERS   200u
#define ROUNDS   20000u
#define NO_LIMIT UINT32_MAX
#define ONE_HOUR UINT64_C(3600000000)

struct probe {
	struct timer timer;
	uint64_t deadline_us; /* the model: UINT64_MAX = not armed */
	uint64_t fired_us;
	unsigned int fired;
};

static void probe_fire(struct timer *timer, uint64_t now_us)
{
	struct probe *probe = CONTAINER_OF(timer, struct probe, timer);

	assert_false(timer_is_armed(timer));
	assert_true(now_us >= probe->deadline_us);
	probe->deadline_us = UINT64_MAX;
	probe->fired_us = now_us;
	probe->fired++;
}

static void probe_arm(struct wheel *wheel, struct probe *probe, uint64_t deadline_us)
{
	probe->timer.fire = probe_fire;
	probe->deadline_us = deadline_us;
	wheel_arm(wheel, &probe->timer, deadline_us);
}

static void wheel_init__is_empty(void **state)
{
	struct wheel wheel;

	(void)state;
	wheel_init(&wheel, 12345);
	assert_int_equal(wheel_next_us(&wheel), UINT64_MAX);
	assert_int_equal(wheel_advance(&wheel, ONE_HOUR * 100, NO_LIMIT), 0);
	assert_int_equal(wheel.armed, 0);
}

static void wheel_arm__in_the_past_fires_at_once(void **state)
{
	struct probe probe = { .fired = 0 };
	struct wheel wheel;

	(void)state;
	wheel_init(&wheel, ONE_HOUR);
	probe_arm(&wheel, &probe, 5);
	assert_true(timer_is_armed(&probe.timer));
	assert_true(wheel_next_us(&wheel) <= ONE_HOUR);
	assert_int_equal(wheel_advance(&wheel, ONE_HOUR, NO_LIMIT), 1);
	assert_int_equal(probe.fired, 1);
}

/* Each deadline at the edge of a slot or a level: not before it, and within a tick after it. */
static void wheel_advance__edges_of_levels(void **state)
{
	const uint64_t distances[] = { 1,
				       63,
				       64,
				       65,
				       64 * 63,
				       64 * 64 - 1,
				       64 * 64,
				       64 * 64 + 1,
				       UINT64_C(1) << 18,
				       (UINT64_C(1) << 24) + 64,
				       ONE_HOUR,
				       (UINT64_C(1) << 36) - 64,
				       UINT64_C(1) << 36,
				       (UINT64_C(1) << 36) + 1,
				       UINT64_C(1) << 40 };
	const uint64_t starts[] = { 0, 63, 64, 4095, 123456789, UINT64_C(1) << 36 };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_SIZE(starts); i++) {
		for (unsigned int j = 0; j < ARRAY_SIZE(distances); j++) {
			uint64_t deadline_us = starts[i] + distances[j];
			struct probe probe = { .fired = 0 };
			struct wheel wheel;

			wheel_init(&wheel, starts[i]);
			probe_arm(&wheel, &probe, deadline_us);
			assert_int_equal(wheel_advance(&wheel, deadline_us - 1, NO_LIMIT), 0);
			assert_true(wheel_next_us(&wheel) <= deadline_us + TICK_US);
			assert_int_equal(wheel_advance(&wheel, deadline_us + TICK_US - 1, NO_LIMIT),
					 1);
			assert_int_equal(wheel_next_us(&wheel), UINT64_MAX);
		}
	}
}

static void wheel_arm__never_is_never(void **state)
{
	struct probe probe = { .fired = 0 };
	struct wheel wheel;

	(void)state;
	wheel_init(&wheel, 0);
	probe_arm(&wheel, &probe, UINT64_MAX);
	for (uint64_t now_us = 0; now_us < 1000 * ONE_HOUR; now_us += 7 * ONE_HOUR)
		assert_int_equal(wheel_advance(&wheel, now_us, NO_LIMIT), 0);
	wheel_cancel(&wheel, &probe.timer);
	assert_int_equal(wheel_next_us(&wheel), UINT64_MAX);
}

static void wheel_cancel__twice_and_while_due(void **state)
{
	struct probe probes[2] = { { .fired = 0 }, { .fired = 0 } };
	struct wheel wheel;

	(void)state;
	wheel_init(&wheel, 0);
	timer_init(&probes[0].timer, probe_fire);
	wheel_cancel(&wheel, &probes[0].timer);
	probe_arm(&wheel, &probes[0], 640);
	probe_arm(&wheel, &probes[1], 640);
	assert_int_equal(wheel_advance(&wheel, 640, 1), 1);
	assert_int_equal(probes[0].fired, 1);
	wheel_cancel(&wheel, &probes[1].timer);
	wheel_cancel(&wheel, &probes[1].timer);
	assert_int_equal(wheel_advance(&wheel, 640, NO_LIMIT), 0);
	assert_int_equal(wheel.armed, 0);
}

static void wheel_advance__keeps_to_its_budget(void **state)
{
	struct probe probes[10];
	struct wheel wheel;

	(void)state;
	memset(probes, 0, sizeof(probes));
	wheel_init(&wheel, 0);
	for (unsigned int i = 0; i < 10; i++)
		probe_arm(&wheel, &probes[i], 100 + i * 1000);
	assert_int_equal(wheel_advance(&wheel, ONE_HOUR, 4), 4);
	assert_int_equal(wheel_advance(&wheel, ONE_HOUR, 4), 4);
	assert_int_equal(wheel_advance(&wheel, ONE_HOUR, 0), 0);
	assert_int_equal(wheel_advance(&wheel, ONE_HOUR, 4), 2);
	assert_int_equal(wheel_next_us(&wheel), UINT64_MAX);
}

static struct wheel *periodic_wheel;

static void periodic_fire(struct timer *timer, uint64_t now_us)
{
	struct probe *probe = CONTAINER_OF(timer, struct probe, timer);

	probe->fired++;
	wheel_arm(periodic_wheel, timer, now_us + 1000);
}

static void wheel_advance__timer_arms_itself(void **state)
{
	struct probe probe = { .fired = 0 };
	struct wheel wheel;

	(void)state;
	periodic_wheel = &wheel;
	wheel_init(&wheel, 0);
	timer_init(&probe.timer, periodic_fire);
	wheel_arm(&wheel, &probe.timer, 1000);
	for (uint64_t now_us = 0; now_us <= 1000 * 1000; now_us += TICK_US)
		wheel_advance(&wheel, now_us, NO_LIMIT);
	assert_in_range(probe.fired, 900, 1000);
	wheel_cancel(&wheel, &probe.timer);
}

static uint64_t random_span(uint64_t *seed)
{
	return unit_random(seed) >> (24 + unit_random_below(seed, 40));
}

/*
 * What the model says after an advance to now: all that is a tick overdue has fired, nothing armed
 * is lost.
 */
static void model_check(const struct probe *probes, const struct wheel *wheel, uint64_t now_us)
{
	uint64_t earliest_us = UINT64_MAX;
	uint32_t armed = 0;

	for (unsigned int i = 0; i < TIMERS; i++) {
		if (probes[i].deadline_us == UINT64_MAX)
			continue;
		armed++;
		earliest_us = MIN(earliest_us, probes[i].deadline_us);
		assert_true(timer_is_armed(&probes[i].timer));
	}
	assert_int_equal(wheel->armed, armed);
	if (armed == 0)
		return;
	assert_true(earliest_us + TICK_US > now_us);
	assert_true(wheel_next_us(wheel) < earliest_us + TICK_US);
}

static void wheel__random_against_a_model(void **state)
{
	static struct probe probes[TIMERS];
	struct wheel wheel;
	uint64_t seed = unit_seed();
	uint64_t now_us = random_span(&seed);

	(void)state;
	wheel_init(&wheel, now_us);
	for (unsigned int i = 0; i < TIMERS; i++)
		probes[i].deadline_us = UINT64_MAX;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < 4; i++) {
			struct probe *probe = &probes[unit_random_below(&seed, TIMERS)];

			if (unit_random_below(&seed, 4) == 0) {
				wheel_cancel(&wheel, &probe->timer);
				probe->deadline_us = UINT64_MAX;
			} else {
				probe_arm(&wheel, probe, now_us + random_span(&seed));
			}
		}
		/*
		 * As a worker does: often a little, sometimes just to the next deadline, seldom
		 * far.
		 */
		if (unit_random_below(&seed, 4) == 0 && wheel_next_us(&wheel) != UINT64_MAX)
			now_us = MAX(now_us, wheel_next_us(&wheel));
		else
			now_us += random_span(&seed) >> unit_random_below(&seed, 16);
		while (wheel_advance(&wheel, now_us, 16) == 16)
			;
		model_check(probes, &wheel, now_us);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wheel_init__is_empty),
		cmocka_unit_test(wheel_arm__in_the_past_fires_at_once),
		cmocka_unit_test(wheel_advance__edges_of_levels),
		cmocka_unit_test(wheel_arm__never_is_never),
		cmocka_unit_test(wheel_cancel__twice_and_while_due),
		cmocka_unit_test(wheel_advance__keeps_to_its_budget),
		cmocka_unit_test(wheel_advance__timer_arms_itself),
		cmocka_unit_test(wheel__random_against_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
