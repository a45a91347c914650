/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of haul-controlplane's keys.
 */
#include "conf/controlplane.h"

#include "base/check.h"
#include "base/log.h"

static const char *const log_levels[] = { "error", "warning", "info", "debug", NULL };

_Static_assert(ARRAY_SIZE(log_levels) == LOG_LEVEL_DEBUG + 2, "in the order of enum log_level");

/* An hour: times of beats and back-off beyond it are mistakes. */
#define TIME_LARGEST_MS INT64_C(3600000)

static const struct conf_key controlplane_keys[] = {
	CONF_KEY_STRING(struct controlplane_conf, cluster, "cluster", "default", conf_check_name,
			"name of the cluster: nodes of one name in one Redis see each other"),
	CONF_KEY_STRING(struct controlplane_conf, control_socket, "control_socket",
			"/run/haul/control.sock", conf_check_path,
			"socket that the dataplane connects to"),
	CONF_KEY_MODE(struct controlplane_conf, control_mode, "control_mode", "0600",
		      "file mode of control_socket"),
	CONF_KEY_STRING(struct controlplane_conf, http_socket, "http_socket", "/run/haul/http.sock",
			conf_check_path, "socket for haulctl and other HTTP clients"),
	CONF_KEY_MODE(struct controlplane_conf, http_mode, "http_mode", "0660",
		      "file mode of http_socket: who may ask"),
	CONF_KEY_STRING(
		struct controlplane_conf, http_address, "http_address", "",
		conf_check_address_or_none,
		"TCP address of /metrics and /healthz, such as 127.0.0.1:9464; empty = none"),
	CONF_KEY_STRING(struct controlplane_conf, counters_file, "counters_file",
			"/run/haul/counters.dataplane", conf_check_path,
			"the dataplane's counters_file, which /v1/stats shows"),
	CONF_KEY_WORD(struct controlplane_conf, log_level, "log_level", "info", log_levels,
		      "least weighty line that is logged"),
	CONF_KEY_STRING(struct controlplane_conf, redis.socket, "redis.socket", "",
			conf_check_path_or_none,
			"Unix socket of the Redis server; empty = host and port"),
	CONF_KEY_STRING(struct controlplane_conf, redis.host, "redis.host", "127.0.0.1", NULL,
			"name or address of the Redis server"),
	CONF_KEY_U32(struct controlplane_conf, redis.port, "redis.port", 6379, 1, 65535, NULL,
		     "its TCP port"),
	CONF_KEY_STRING(struct controlplane_conf, redis.password_file, "redis.password_file", "",
			conf_check_path_or_none,
			"file whose first line is the password; empty = none"),
	CONF_KEY_U32(struct controlplane_conf, redis.timeout_ms, "redis.timeout_ms", 1000, 10,
		     TIME_LARGEST_MS, "milliseconds", "time for connecting, and for each command"),
	CONF_KEY_U32(struct controlplane_conf, redis.backoff_min_ms, "redis.backoff_min_ms", 100, 1,
		     TIME_LARGEST_MS, "milliseconds",
		     "first pause after a lost connection; each further one is twice as long"),
	CONF_KEY_U32(struct controlplane_conf, redis.backoff_max_ms, "redis.backoff_max_ms", 5000,
		     1, TIME_LARGEST_MS, "milliseconds", "longest such pause"),
	CONF_KEY_U32(struct controlplane_conf, beat_ms, "beat_ms", 500, 10, TIME_LARGEST_MS,
		     "milliseconds", "time between two beats of this node"),
	CONF_KEY_U32(struct controlplane_conf, suspect_ms, "suspect_ms", 2000, 20, TIME_LARGEST_MS,
		     "milliseconds", "a node whose beat stood still for so long is suspect"),
	CONF_KEY_U32(struct controlplane_conf, dead_ms, "dead_ms", 5000, 20, TIME_LARGEST_MS,
		     "milliseconds",
		     "a suspect node whose beat stood still for so long more is dead"),
	CONF_KEY_U32(struct controlplane_conf, reconcile_ms, "reconcile_ms", 3000, 100,
		     TIME_LARGEST_MS, "milliseconds",
		     "time between two comparisons with all records"),
	CONF_KEY_U32(struct controlplane_conf, events_max, "events_max", 65536, 16, 1 << 24,
		     "events", "length of the event stream; who falls behind further reconciles"),
};

static const char *controlplane_check(const void *value)
{
	const struct controlplane_conf *conf = value;

	if (conf->suspect_ms < 2 * conf->beat_ms)
		return "suspect_ms: less than two times beat_ms, so every node would be suspect";
	if (conf->redis.backoff_max_ms < conf->redis.backoff_min_ms)
		return "redis.backoff_max_ms: less than redis.backoff_min_ms";
	if (conf->redis.socket[0] == '\0' && conf->redis.host[0] == '\0')
		return "redis.host: empty, and so is redis.socket; one of them is needed";
	return NULL;
}

const struct conf_table controlplane_conf_table =
	CONF_TABLE("", controlplane_keys, controlplane_check);
