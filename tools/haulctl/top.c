/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haulctl top: looks again and again, and shows what moved in between: on a live screen, or as plain text where there is
 * none or with --once. A control plane that does not answer is shown and asked again; only without a screen it is an error.
 */
#include "base/check.h"
#include "base/clock.h"
#include "tools/haulctl/ask.h"
#include "tools/haulctl/field.h"
#include "tools/haulctl/haulctl.h"
#include "tools/haulctl/screen.h"
#include "tools/haulctl/traffic.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TOP_INTERVAL_US UINT64_C(1000000)

/* Between the first two looks of a live screen. */
#define TOP_FIRST_US UINT64_C(250000)

struct top {
	const struct haulctl *haulctl;
	struct traffic_look before;
	char reason[ASK_REASON_BYTES]; /* why the last look was not whole */
	bool is_live;
};

/* Look at all there is. Returns HAULCTL_DONE when the counters came, which are there even without a dataplane. */
static int top_look(struct top *top, struct traffic_look *look_out)
{
	char reason[ASK_REASON_BYTES];
	int status = ask_quietly(top->haulctl, "/v1/stats", &look_out->stats, top->reason);

	if (status != HAULCTL_DONE)
		return status;
	top->reason[0] = '\0';
	if (ask_quietly(top->haulctl, "/v1/channels", &look_out->channels, reason) !=
		    HAULCTL_DONE ||
	    ask_quietly(top->haulctl, "/v1/peers", &look_out->peers, reason) != HAULCTL_DONE ||
	    ask_quietly(top->haulctl, "/v1/transports", &look_out->transports, reason) !=
		    HAULCTL_DONE)
		memcpy(top->reason, reason, sizeof(reason));
	look_out->at_us = clock_now_us();
	return HAULCTL_DONE;
}

static void top_head(const struct top *top, FILE *file, double seconds)
{
	time_t now = time(NULL);
	struct tm local;
	char text[32];

	(void)strftime(text, sizeof(text), "%H:%M:%S", localtime_r(&now, &local));
	fprintf(file, "haul %s, over %.1f s%s%s%s\n\n", text, seconds,
		top->is_live ? ", q leaves" : "", top->reason[0] != '\0' ? "; " : "", top->reason);
}

static int top_print(const struct top *top, const json_t *traffic, FILE *file, unsigned int width)
{
	top_head(top, file, json_number_value(json_object_get(traffic, "seconds")));
	return traffic_print(traffic, file, width) == 0 ? HAULCTL_DONE : HAULCTL_FAILED;
}

static int top_draw(const struct top *top, const json_t *traffic)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);
	int status = HAULCTL_FAILED;

	if (file == NULL)
		return HAULCTL_FAILED;
	if (traffic != NULL)
		status = top_print(top, traffic, file, screen_width());
	else
		top_head(top, file, 0);
	if (fclose(file) == 0)
		screen_show(text);
	free(text);
	return status;
}

static int top_show(const struct top *top, const json_t *traffic)
{
	const struct haulctl *haulctl = top->haulctl;
	int status;

	if (top->is_live)
		return top_draw(top, traffic);
	status = haulctl->is_json ? ask_print(haulctl, traffic)
				  : top_print(top, traffic, haulctl->out, haulctl->width);
	return fflush(haulctl->out) == 0 ? status : HAULCTL_FAILED;
}

/* Look, show what moved since, and keep the look for the next time. */
static int top_round(struct top *top)
{
	struct traffic_look look = { 0 };
	int status = top_look(top, &look);
	json_t *traffic = NULL;

	if (status != HAULCTL_DONE) {
		if (top->is_live)
			(void)top_draw(top, NULL);
		return status;
	}
	if (top->before.stats != NULL) {
		traffic = traffic_between(&top->before, &look);
		status = top_show(top, traffic);
		json_decref(traffic);
	}
	traffic_release(&top->before);
	top->before = look;
	return status;
}

static bool top_wait(const struct top *top, uint64_t time_us)
{
	const struct timespec pause = { .tv_sec = (time_t)(time_us / 1000000),
					.tv_nsec = (long)(time_us % 1000000) * 1000 };

	if (top->is_live)
		return screen_wait(time_us);
	(void)nanosleep(&pause, NULL);
	return false;
}

static int top_repeat(struct top *top, uint64_t interval_us, unsigned int count)
{
	int status = top_round(top);

	for (unsigned int round = 1; top->is_live || status == HAULCTL_DONE; round++) {
		/* The first look has nothing before it: a screen is not left empty for long. */
		if (top_wait(top, round == 1 && top->is_live ? MIN(interval_us, TOP_FIRST_US)
							     : interval_us))
			return HAULCTL_DONE;
		if (round > 1 && !top->is_live && !top->haulctl->is_json)
			fputc('\n', top->haulctl->out);
		status = top_round(top);
		if (round == count)
			break;
	}
	return status;
}

int top_run(const struct haulctl *haulctl, char **arguments)
{
	uint64_t interval_us = haulctl->interval_us > 0 ? haulctl->interval_us : TOP_INTERVAL_US;
	struct top top = { .haulctl = haulctl };
	int status;

	(void)arguments;
	top.is_live = !haulctl->is_once && !haulctl->is_json && haulctl->out == stdout &&
		      screen_is_there() && screen_begin();
	status = top_repeat(&top, interval_us, haulctl->is_once ? 1 : haulctl->count);
	if (top.is_live)
		screen_end();
	if (status != HAULCTL_DONE && top.reason[0] != '\0')
		fprintf(stderr, "haulctl: top: %s\n", top.reason);
	traffic_release(&top.before);
	return status;
}
