/* SPDX-License-Identifier: BSD-3-Clause */
/* What monitoring reads; metrics.h has the format. Made anew for each request, on the loop's thread. */
#include "controlplane/http/metrics.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/counters.h"
#include "conf/controlplane.h"
#include "controlplane/http/reply.h"
#include "controlplane/http/stats.h"
#include "controlplane/link/link.h"

#include <errno.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Room for a name with its group. */
#define METRIC_NAME_BYTES 192u

struct metrics {
	struct evbuffer *out;
	char node[HAUL_NAME_BYTES];
	uint64_t **workers; /* values of each worker's counters, in the order of the file */
	unsigned int worker_count;
	unsigned int at; /* counter that is being written, or read */
	int error;
};

/* HELP has two escapes and a label a third one. */
static int metrics_add_escaped(struct evbuffer *out, const char *text, bool is_label)
{
	int error = 0;

	for (; *text != '\0' && error == 0; text++) {
		if (*text == '\n')
			error = evbuffer_add(out, "\\n", 2);
		else if (*text == '\\' || (is_label && *text == '"'))
			error = evbuffer_add_printf(out, "\\%c", *text) < 0 ? -1 : 0;
		else
			error = evbuffer_add(out, text, 1);
	}
	return error == 0 ? 0 : -ENOMEM;
}

int metrics_add_label(struct evbuffer *out, const char *name, const char *value)
{
	int error = evbuffer_add_printf(out, "%s=\"", name) < 0 ? -ENOMEM : 0;

	if (error == 0)
		error = metrics_add_escaped(out, value, true);
	if (error == 0 && evbuffer_add(out, "\"", 1) != 0)
		error = -ENOMEM;
	return error;
}

static void metrics_note(struct metrics *metrics, bool is_bad)
{
	if (is_bad && metrics->error == 0)
		metrics->error = -ENOMEM;
}

static void metrics_head(struct metrics *metrics, const char *name, const char *type,
			 const char *meaning)
{
	metrics_note(metrics, evbuffer_add_printf(metrics->out, "# HELP %s ", name) < 0);
	metrics_note(metrics, metrics_add_escaped(metrics->out, meaning, false) != 0);
	metrics_note(metrics,
		     evbuffer_add_printf(metrics->out, "\n# TYPE %s %s\n", name, type) < 0);
}

/* One line; the worker is left out when it is negative. */
static void metrics_line(struct metrics *metrics, const char *name, int worker, uint64_t value)
{
	metrics_note(metrics, evbuffer_add_printf(metrics->out, "%s{", name) < 0);
	metrics_note(metrics, metrics_add_label(metrics->out, "node", metrics->node) != 0);
	if (worker >= 0)
		metrics_note(metrics,
			     evbuffer_add_printf(metrics->out, ",worker=\"%d\"", worker) < 0);
	metrics_note(metrics, evbuffer_add_printf(metrics->out, "} %" PRIu64 "\n", value) < 0);
}

static void metrics_counter_head(struct metrics *metrics, const struct counter_value *value,
				 char name_out[METRIC_NAME_BYTES])
{
	char meaning[2 * HAUL_REASON_BYTES];

	(void)snprintf(name_out, METRIC_NAME_BYTES, "haul_%s_%s_total", value->group, value->name);
	(void)snprintf(meaning, sizeof(meaning), "%s %s", value->unit, value->meaning);
	metrics_head(metrics, name_out, "counter", meaning);
}

static void metrics_own(const struct counter_value *value, void *argument)
{
	struct metrics *metrics = argument;
	char name[METRIC_NAME_BYTES];

	metrics_counter_head(metrics, value, name);
	metrics_line(metrics, name, -1, value->value);
}

static void metrics_of_dataplane(const struct counter_value *value, void *argument)
{
	struct metrics *metrics = argument;
	char name[METRIC_NAME_BYTES];

	metrics_counter_head(metrics, value, name);
	for (unsigned int i = 0; i < metrics->worker_count; i++)
		metrics_line(metrics, name, (int)i, metrics->workers[i][metrics->at]);
	metrics->at++;
}

static void metrics_count(const struct counter_value *value, void *argument)
{
	(void)value;
	++*(unsigned int *)argument;
}

/* The numbers move while they are read: each worker's are read once, into its array. */
struct metrics_take {
	uint64_t *values;
	unsigned int at;
};

static void metrics_take(const struct counter_value *value, void *argument)
{
	struct metrics_take *take = argument;

	take->values[take->at++] = value->value;
}

static int metrics_take_workers(struct metrics *metrics, const struct counters_view *view)
{
	unsigned int count = 0;

	counters_each(view, metrics_count, &count);
	metrics->worker_count = counters_threads(view);
	metrics->workers = calloc(metrics->worker_count, sizeof(*metrics->workers));
	for (unsigned int i = 0; metrics->workers != NULL && i < metrics->worker_count; i++) {
		struct metrics_take take = { .values = calloc(count, sizeof(*take.values)) };

		metrics->workers[i] = take.values;
		if (take.values == NULL)
			return -ENOMEM;
		counters_each_of(view, i, metrics_take, &take);
	}
	return metrics->workers == NULL ? -ENOMEM : 0;
}

/* Nothing when the dataplane does not run: haul_dataplane_up says so. */
static void metrics_dataplane(struct metrics *metrics, const char *path)
{
	struct counters_view *view = NULL;

	if (counters_open(path, &view) == 0) {
		metrics_note(metrics, metrics_take_workers(metrics, view) != 0);
		if (metrics->error == 0)
			counters_each(view, metrics_of_dataplane, metrics);
		for (unsigned int i = 0; metrics->workers != NULL && i < metrics->worker_count; i++)
			free(metrics->workers[i]);
		free(metrics->workers);
	}
	counters_close(view);
}

static bool metrics_is_redis_ready(const struct link_status *status)
{
	return strcmp(status->redis_word, "ready") == 0;
}

static void metrics_gauge(struct metrics *metrics, const char *name, const char *meaning,
			  uint64_t value)
{
	metrics_head(metrics, name, "gauge", meaning);
	metrics_line(metrics, name, -1, value);
}

static void metrics_states(struct metrics *metrics, const struct link_status *status)
{
	metrics_gauge(metrics, "haul_dataplane_up", "1 = the dataplane answers",
		      status->is_answering);
	metrics_gauge(metrics, "haul_redis_up", "1 = Redis answers and takes what is published",
		      metrics_is_redis_ready(status));
	metrics_gauge(metrics, "haul_node_published", "1 = this node is in Redis, and its own",
		      status->standing == STANDING_PUBLISHED);
	metrics_gauge(metrics, "haul_segments", "segments of this node", status->published);
	metrics_gauge(metrics, "haul_segments_doubtful",
		      "segments that are not known to be in Redis as wanted", status->doubtful);
	metrics_gauge(metrics, "haul_segments_open", "segments that this node has open",
		      status->watched);
	metrics_gauge(metrics, "haul_requests_open", "requests of the dataplane without an answer",
		      status->requests);
}

static void metrics_info(struct metrics *metrics, const char *cluster)
{
	struct evbuffer *out = metrics->out;

	metrics_head(metrics, "haul_info", "gauge", "1, with what this control plane is");
	metrics_note(metrics, evbuffer_add(out, "haul_info{", strlen("haul_info{")) != 0);
	metrics_note(metrics, metrics_add_label(out, "node", metrics->node) != 0);
	metrics_note(metrics, evbuffer_add(out, ",", 1) != 0);
	metrics_note(metrics, metrics_add_label(out, "cluster", cluster) != 0);
	metrics_note(metrics, evbuffer_add(out, ",", 1) != 0);
	metrics_note(metrics, metrics_add_label(out, "version", HAUL_VERSION_TEXT) != 0);
	metrics_note(metrics, evbuffer_add(out, "} 1\n", 4) != 0);
}

int metrics_make(const struct http_scene *scene, struct evbuffer *out)
{
	struct metrics metrics = { .out = out };
	struct link_status status;

	link_status(scene->link, &status);
	memcpy(metrics.node, status.node, sizeof(metrics.node));
	metrics.node[sizeof(metrics.node) - 1] = '\0';
	metrics_info(&metrics, scene->conf->cluster);
	metrics_states(&metrics, &status);
	stats_each(scene, metrics_own, &metrics);
	metrics_dataplane(&metrics, scene->conf->counters_file);
	return metrics.error;
}

json_t *metrics_health(const struct http_scene *scene, bool *is_ok_out)
{
	json_t *body = json_object();
	const char *reason = NULL;
	struct link_status status;

	link_status(scene->link, &status);
	if (!status.is_answering) {
		reason = status.has_dataplane ? "the dataplane does not answer"
					      : "there is no dataplane";
	} else if (!metrics_is_redis_ready(&status)) {
		reason = status.redis_reason[0] != '\0' ? status.redis_reason
							: "redis does not answer";
	} else if (status.standing != STANDING_PUBLISHED) {
		reason = status.standing_reason;
	}
	*is_ok_out = reason == NULL;
	(void)json_object_set_new(body, "ok", json_boolean(reason == NULL));
	(void)json_object_set_new(body, "dataplane", json_boolean(status.is_answering));
	(void)json_object_set_new(body, "redis", json_boolean(metrics_is_redis_ready(&status)));
	(void)json_object_set_new(body, "node",
				  json_boolean(status.standing == STANDING_PUBLISHED));
	if (reason != NULL) {
		(void)json_object_set_new(body, "error", json_string("UNAVAILABLE"));
		(void)json_object_set_new(body, "reason", json_bytes(reason, HAUL_REASON_BYTES));
	}
	return body;
}
