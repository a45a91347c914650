/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * /v1/doctor: what this control plane can judge of its node. The host is haulctl's to look at.
 */
#include "base/counters.h"
#include "conf/controlplane.h"
#include "controlplane/http/reply.h"
#include "controlplane/http/route.h"
#include "controlplane/link/link.h"

#include <string.h>

enum verdict {
	VERDICT_OK,
	VERDICT_WARN,
	VERDICT_FAIL,
};

/* advice says what would be right; it is left out when all is well. */
static void judge(json_t *checks, const char *name, enum verdict verdict, const char *detail,
		  const char *advice)
{
	static const char *const words[] = { "ok", "warn", "fail" };
	json_t *check = json_object();

	(void)json_object_set_new(check, "name", json_string(name));
	(void)json_object_set_new(check, "state", json_string(words[verdict]));
	(void)json_object_set_new(check, "detail", json_bytes(detail, HAUL_REASON_BYTES));
	(void)json_object_set_new(check, "advice",
				  json_string(verdict == VERDICT_OK ? "" : advice));
	(void)json_array_append_new(checks, check);
}

static void redis_judge(json_t *checks, const struct link_status *status)
{
	bool is_ready = strcmp(status->redis_word, "ready") == 0;

	judge(checks, "redis", is_ready ? VERDICT_OK : VERDICT_FAIL,
	      is_ready ? status->redis_address : status->redis_reason,
	      "transfers go on; nothing new can be published or opened until it answers");
}

static void dataplane_judge(json_t *checks, const struct link_status *status)
{
	if (!status->has_dataplane) {
		judge(checks, "dataplane", VERDICT_FAIL, "not connected",
		      "start haul-dataplane with the same control_socket");
	} else if (!status->is_answering) {
		judge(checks, "dataplane", VERDICT_FAIL, "does not answer",
		      "its loop or one of its workers hangs, or the host is overloaded");
	} else {
		judge(checks, "dataplane", VERDICT_OK, "answers", "");
	}
}

static void node_judge(json_t *checks, const struct link_status *status)
{
	bool is_published = status->standing == STANDING_PUBLISHED;

	judge(checks, "node", is_published ? VERDICT_OK : VERDICT_FAIL,
	      is_published ? "published" : status->standing_reason,
	      "a name is one dataplane's: its holder must leave, or be silent until it is dead");
	if (is_published && status->doubtful > 0) {
		judge(checks, "segments", VERDICT_WARN, "some are not in Redis as they should be",
		      "they are being written; if this stays, the log says why");
	}
}

static void counters_judge(json_t *checks, const char *path)
{
	struct counters_view *view = NULL;
	int error = counters_open(path, &view);

	counters_close(view);
	judge(checks, "counters", error == 0 ? VERDICT_OK : VERDICT_WARN,
	      error == 0 ? path : strerrordesc_np(-error),
	      "counters_file must be the one that the dataplane's configuration names");
}

void route_doctor(struct reply *reply, const char *rest)
{
	const struct http_scene *scene = reply_scene(reply);
	struct link_status status;
	json_t *body = json_object(), *checks = json_array();

	(void)rest;
	link_status(scene->link, &status);
	redis_judge(checks, &status);
	dataplane_judge(checks, &status);
	node_judge(checks, &status);
	counters_judge(checks, scene->conf->counters_file);
	(void)json_object_set_new(body, "checks", checks);
	reply_json(reply, 200, body);
}
