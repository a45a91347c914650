/* SPDX-License-Identifier: BSD-3-Clause */
/* One way to a peer on a transport; rail.h has the picture. Called by its worker alone. */
#include "engine/rail.h"

#include "base/check.h"

/* What a rail is taken for before it is measured: 1 GB/s. Only the proportion between rails matters. */
#define RAIL_COST_PS 1000u
/* Costs beyond this, 60 kB/s, are all the same; so a rank never overflows. */
#define RAIL_COST_MAX_PS (1u << 24)
/* A slice with less before it says more of the path's delay than of its rate. */
#define RAIL_SAMPLE_BYTES (UINT64_C(256) * 1024)
/* A new sample counts for a quarter: one late slice does not turn the picture. */
#define RAIL_SAMPLE_SHIFT 2
/* A measure this old is worth less: the rail gets another chance, down to what one core copies, 10 GB/s. */
#define RAIL_SAMPLE_OLD_US UINT64_C(1000000)
#define RAIL_COST_OLD_PS   100u
/* So long must a rail be up for its blame to halve. */
#define RAIL_FADE_US UINT64_C(1000000)

#define PS_PER_US UINT64_C(1000000)

/* The upper bits of a rank, from best to worst. Below them stands a time, shorter than 2^60 ps. */
#define RAIL_RANK_UP       UINT64_C(0)
#define RAIL_RANK_TRIAL    (UINT64_C(1) << 60)
#define RAIL_RANK_DOUBTFUL (UINT64_C(2) << 60)
#define RAIL_RANK_NONE     UINT64_MAX
#define RAIL_TIME_MAX_PS   (RAIL_RANK_TRIAL - 1)

const char *rail_stage_text(unsigned int stage)
{
	static const char *const texts[RAIL_STAGE_COUNT] = {
		[RAIL_STAGE_IDLE] = "idle",     [RAIL_STAGE_CONNECTING] = "connecting",
		[RAIL_STAGE_UP] = "up",         [RAIL_STAGE_DOUBTFUL] = "doubtful",
		[RAIL_STAGE_PAUSED] = "paused", [RAIL_STAGE_CLOSING] = "closing",
	};

	return stage < RAIL_STAGE_COUNT ? texts[stage] : "unknown";
}

/* The legal transitions, one bit a target stage. rail_init brings CLOSING, and what has no connection, back to IDLE. */
static const uint8_t rail_transitions[RAIL_STAGE_COUNT] = {
	[RAIL_STAGE_IDLE] = 1 << RAIL_STAGE_CONNECTING,
	[RAIL_STAGE_CONNECTING] =
		1 << RAIL_STAGE_UP | 1 << RAIL_STAGE_PAUSED | 1 << RAIL_STAGE_CLOSING,
	[RAIL_STAGE_UP] =
		1 << RAIL_STAGE_DOUBTFUL | 1 << RAIL_STAGE_PAUSED | 1 << RAIL_STAGE_CLOSING,
	[RAIL_STAGE_DOUBTFUL] =
		1 << RAIL_STAGE_UP | 1 << RAIL_STAGE_PAUSED | 1 << RAIL_STAGE_CLOSING,
	[RAIL_STAGE_PAUSED] = 1 << RAIL_STAGE_CONNECTING | 1 << RAIL_STAGE_UP,
};

static void rail_set_stage(struct rail *rail, enum rail_stage stage, uint64_t now_us)
{
	BUG_ON((rail_transitions[rail->stage] & 1u << stage) == 0);
	/* The control thread reads both for listings, each for itself. */
	__atomic_store_n(&rail->stage, (uint8_t)stage, __ATOMIC_RELAXED);
	__atomic_store_n(&rail->since_us, now_us, __ATOMIC_RELAXED);
}

void rail_init(struct rail *rail)
{
	rail->cost_ps = RAIL_COST_PS;
	rail->sampled_us = 0;
	rail->retry_at_us = 0;
	rail->since_us = 0;
	rail->pause_us = 0;
	rail->blame_us = 0;
	rail->stage = RAIL_STAGE_IDLE;
	rail->is_on_trial = false;
}

/* All was well from since_us on: for each second of that what it was blamed for before counts by half. */
static void rail_forgive(struct rail *rail, uint64_t now_us)
{
	uint64_t halvings = (now_us - rail->since_us) / RAIL_FADE_US;

	rail->blame_us = halvings < 32 ? rail->blame_us >> halvings : 0;
}

/* Twice the time, within bounds. */
static uint32_t rail_grow(uint32_t time_us)
{
	return MIN(MAX(time_us * 2, ENGINE_RETRY_MIN_US), ENGINE_RETRY_MAX_US);
}

void rail_begin(struct rail *rail, uint64_t now_us)
{
	rail_set_stage(rail, RAIL_STAGE_CONNECTING, now_us);
}

void rail_up(struct rail *rail, uint64_t now_us)
{
	bool is_moment =
		rail->stage == RAIL_STAGE_DOUBTFUL && now_us - rail->since_us < ENGINE_LEAVE_US;

	if (rail->stage == RAIL_STAGE_UP)
		return;
	/* A doubt that ends before slices leave is what a scheduler does to a peer, no fault of the rail's. */
	if (!is_moment) {
		if (rail->stage == RAIL_STAGE_DOUBTFUL)
			rail->blame_us = rail_grow(rail->blame_us);
		rail->is_on_trial = rail->blame_us != 0;
		rail->retry_at_us = now_us + rail->blame_us;
	}
	rail->pause_us = 0;
	rail_set_stage(rail, RAIL_STAGE_UP, now_us);
}

void rail_doubt(struct rail *rail, uint64_t now_us)
{
	if (rail->stage != RAIL_STAGE_UP)
		return;
	rail_forgive(rail, now_us);
	rail_set_stage(rail, RAIL_STAGE_DOUBTFUL, now_us);
}

void rail_pause(struct rail *rail, uint64_t now_us)
{
	if (rail->stage == RAIL_STAGE_PAUSED)
		return;
	if (rail->stage == RAIL_STAGE_UP)
		rail_forgive(rail, now_us);
	if (rail_takes(rail)) /* what never was there is not to blame */
		rail->blame_us = rail_grow(rail->blame_us);
	rail->pause_us = rail_grow(rail->pause_us);
	rail->retry_at_us = now_us + rail->pause_us;
	rail_set_stage(rail, RAIL_STAGE_PAUSED, now_us);
}

void rail_close(struct rail *rail, uint64_t now_us)
{
	rail_set_stage(rail, RAIL_STAGE_CLOSING, now_us);
}

/* What a byte took, from the time of a slice that had enough before it in the same rail. */
static void rail_sample(struct rail *rail, const struct slice *slice, uint64_t now_us)
{
	uint64_t cost_ps = (now_us - slice->posted_us) * PS_PER_US / slice->ahead_bytes;
	int64_t change = (int64_t)MIN(cost_ps, RAIL_COST_MAX_PS) - (int64_t)rail->cost_ps;

	rail->cost_ps = (uint32_t)((int64_t)rail->cost_ps + change / (1 << RAIL_SAMPLE_SHIFT));
	rail->cost_ps = MAX(rail->cost_ps, 1u);
	rail->sampled_us = now_us;
}

void rail_give(struct rail *rail, const struct slice *slice, bool is_placed, uint64_t now_us)
{
	ASSERT(rail->slices > 0 && rail->bytes >= slice->length);
	rail->slices--;
	rail->bytes -= slice->length;
	if (!is_placed)
		return;
	/* A slice from before the trial proves nothing. */
	if (UNLIKELY(rail->is_on_trial) && slice->posted_us >= rail->retry_at_us)
		rail->is_on_trial = false;
	if (slice->ahead_bytes >= RAIL_SAMPLE_BYTES)
		rail_sample(rail, slice, now_us);
}

/* When the slice would be done on this rail, behind how good the rail is; the least is the best. */
static uint64_t rail_rank(struct rail *rail, uint32_t length, uint64_t now_us)
{
	uint64_t time_ps;

	if (now_us - rail->sampled_us >= RAIL_SAMPLE_OLD_US) {
		if (rail->cost_ps > RAIL_COST_OLD_PS)
			rail->cost_ps = MAX(rail->cost_ps / 2, RAIL_COST_OLD_PS);
		rail->sampled_us = now_us;
	}
	time_ps = MIN((rail->bytes + length) * rail->cost_ps, RAIL_TIME_MAX_PS);
	if (rail->stage == RAIL_STAGE_DOUBTFUL)
		return RAIL_RANK_DOUBTFUL + time_ps;
	if (rail->is_on_trial && (now_us < rail->retry_at_us || rail->slices > 0))
		return RAIL_RANK_TRIAL + time_ps;
	return RAIL_RANK_UP + time_ps;
}

uint32_t rail_pick_of(struct rail *rails, uint32_t count, uint32_t refused, uint32_t length,
		      uint64_t now_us)
{
	uint64_t best_rank = RAIL_RANK_NONE;
	uint32_t best = ENGINE_RAILS_MAX;

	for (uint32_t i = 0; i < count; i++) {
		uint64_t rank;

		if ((refused & 1u << i) != 0 || !rail_takes(&rails[i]))
			continue;
		rank = rail_rank(&rails[i], length, now_us);
		if (rank < best_rank) {
			best_rank = rank;
			best = i;
		}
	}
	return best;
}
