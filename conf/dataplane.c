/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of haul-dataplane's keys, and the two questions that its lists answer.
 */
#include "conf/dataplane.h"

#include "api/haul_abi.h"
#include "api/haul_control.h"
#include "base/check.h"
#include "base/log.h"

static const char *const log_levels[] = { "error", "warning", "info", "debug", NULL };
static const char *const idle_policies[] = { "poll", "adaptive", "interrupt", NULL };
static const char *const huge_page_choices[] = { "auto", "off", "require", NULL };

_Static_assert(ARRAY_SIZE(log_levels) == LOG_LEVEL_DEBUG + 2, "in the order of enum log_level");

/* Linux gives the highest uid to nobody: it means "leave it". */
#define UID_LARGEST ((int64_t)UINT32_MAX - 1)

/* A day: longer is a mistake. */
#define TIMEOUT_LARGEST_MS INT64_C(86400000)

/* An owner that waits longer than this for its memory would rather end. */
#define DRAIN_LARGEST_MS INT64_C(600000)

/* What all segments of a user may be at most: all the memory of the largest machines so far. */
#define SEGMENT_LARGEST (INT64_C(16) << 40)
/* A segment is made with one buffer, whose offsets have 40 bits on the wire; with room to round it up to huge pages. */
#define BUFFER_LARGEST ((INT64_C(1) << 40) - 2 * (INT64_C(2) << 20))

static const struct conf_key tenant_keys[] = {
	CONF_KEY_REQUIRED_I64(struct dataplane_tenant, uid, "uid", "1000", 0, UID_LARGEST, NULL,
			      "user id of the client's process"),
	CONF_KEY_REQUIRED(struct dataplane_tenant, tenant, "tenant", "research", conf_check_name,
			  "tenant that this user's segments belong to"),
};

static const struct conf_table tenant_table = CONF_TABLE("", tenant_keys, NULL);

static const struct conf_key quota_keys[] = {
	CONF_KEY_I64(struct dataplane_quota, uid, "uid", -1, -1, UID_LARGEST, NULL,
		     "user id; -1 = every user without a line of its own, each for itself"),
	CONF_KEY_U32(struct dataplane_quota, channels, "channels", 64, 0, CHANNELS_MAX, NULL,
		     "attachments of this user at a time"),
	CONF_KEY_U32(struct dataplane_quota, segments, "segments", 1024, 0, SEGMENTS_MAX, NULL,
		     "segments that this user may own"),
	CONF_KEY_U32(struct dataplane_quota, buffers, "buffers", 16384, 0,
		     HAUL_DESCRIPTOR_BUFFERS_MAX, NULL,
		     "buffers, and extents of them, of this user"),
	CONF_KEY_BYTES(struct dataplane_quota, bytes, "bytes", INT64_C(64) << 30, 0,
		       SEGMENT_LARGEST, "bytes", "memory of all segments of this user"),
};

static const struct conf_table quota_table = CONF_TABLE("", quota_keys, NULL);

static const struct conf_key dataplane_keys[] = {
	CONF_KEY_REQUIRED(struct dataplane_conf, node, "node", "node-a", conf_check_name,
			  "name of this node, unique in the cluster"),
	CONF_KEY_STRING(struct dataplane_conf, run_directory, "run_directory", "/run/haul",
			conf_check_path, "directory for what lives as long as the daemon"),
	CONF_KEY_STRING(struct dataplane_conf, attach_socket, "attach_socket",
			"/run/haul/attach.sock", conf_check_path,
			"socket that applications attach to"),
	CONF_KEY_MODE(struct dataplane_conf, attach_mode, "attach_mode", "0660",
		      "file mode of attach_socket: who may attach"),
	CONF_KEY_STRING(struct dataplane_conf, control_socket, "control_socket",
			"/run/haul/control.sock", conf_check_path,
			"socket of the control plane, as in its own file"),
	CONF_KEY_REQUIRED(
		struct dataplane_conf, cluster_key_file, "cluster_key_file",
		"/etc/haul/cluster.key", conf_check_path,
		"file with the cluster's key, 64 hexadecimal digits, the same on all nodes"),
	CONF_KEY_STRING(struct dataplane_conf, counters_file, "counters_file",
			"/run/haul/counters.dataplane", conf_check_path,
			"file of shared memory that holds the counters"),
	CONF_KEY_WORD(struct dataplane_conf, log_level, "log_level", "info", log_levels,
		      "least weighty line that is logged"),
	CONF_KEY_U32_LIST(struct dataplane_conf, workers, worker_count, "workers", 0, 1023,
			  "processors to run workers on, one each; empty = one worker, not pinned"),
	CONF_KEY_WORD(
		struct dataplane_conf, idle_policy, "idle_policy", "adaptive", idle_policies,
		"an idle worker polls, sleeps longer and longer, or sleeps until something comes"),
	CONF_KEY_U32(struct dataplane_conf, idle_spin_us, "idle_spin_us", 50, 0, 1000000,
		     "microseconds", "idle time before a worker's first sleep (not for poll)"),
	CONF_KEY_U32(struct dataplane_conf, idle_sleep_max_us, "idle_sleep_max_us", 500, 1, 1000,
		     "microseconds",
		     "longest sleep of an idle worker that nothing could wake (adaptive)"),
	CONF_KEY_U32(struct dataplane_conf, operation_timeout_ms, "operation_timeout_ms", 30000, 1,
		     TIMEOUT_LARGEST_MS, "milliseconds",
		     "deadline of an operation that names none"),
	CONF_KEY_U32(struct dataplane_conf, channels_max, "channels_max", 256, 1, CHANNELS_MAX,
		     NULL, "attachments of all clients at a time"),
	CONF_KEY_NUMBER(CONF_U32, struct dataplane_conf, channel_entries, "channel_entries", 256,
			HAUL_RING_ENTRIES_MIN, HAUL_RING_ENTRIES_MAX, "entries",
			"submission ring of a client that names no size"),
	CONF_KEY_U32(struct dataplane_conf, segments_max, "segments_max", 4096, 1, SEGMENTS_MAX,
		     NULL, "segments of all clients at a time"),
	CONF_KEY_BYTES(struct dataplane_conf, segment_bytes_max, "segment_bytes_max",
		       INT64_C(64) << 30, PAGE_BYTES, BUFFER_LARGEST, "bytes",
		       "largest single segment"),
	CONF_KEY_U32(struct dataplane_conf, drain_grace_ms, "drain_grace_ms", 2000, 1,
		     DRAIN_LARGEST_MS, "milliseconds",
		     "how long operations under way hold up the removal of their buffer"),
	CONF_KEY_WORD(
		struct dataplane_conf, huge_pages, "huge_pages", "auto", huge_page_choices,
		"huge pages for segments: when there are free ones, never, or refuse without"),
	CONF_KEY_STRING_LIST(struct dataplane_conf, transports, transport_count, "transports",
			     "local,udp", NULL, "transports to use, best first"),
	CONF_KEY_STRING(struct dataplane_conf, default_tenant, "default_tenant", "default",
			conf_check_name, "tenant of a user without a line in tenants"),
	CONF_KEY_GROUP_LIST(struct dataplane_conf, tenants, tenant_count, "tenants", &tenant_table,
			    "which local user belongs to which tenant"),
	CONF_KEY_GROUP_LIST(struct dataplane_conf, quotas, quota_count, "quotas", &quota_table,
			    "what all clients of one user may hold; without a line: all there is"),
};

static const char *dataplane_check(const void *value)
{
	const struct dataplane_conf *conf = value;

	if (!IS_POWER_OF_TWO(conf->channel_entries))
		return "channel_entries: not a power of two";
	if (conf->transport_count == 0)
		return "transports: empty, at least one is needed";
	for (uint32_t i = 1; i < conf->worker_count; i++) {
		for (uint32_t j = 0; j < i; j++) {
			if (conf->workers[i] == conf->workers[j])
				return "workers: a processor is named twice";
		}
	}
	return NULL;
}

const struct conf_table dataplane_conf_table = CONF_TABLE("", dataplane_keys, dataplane_check);

unsigned int dataplane_conf_workers(const struct dataplane_conf *conf)
{
	return MAX(conf->worker_count, 1u);
}

const char *dataplane_conf_tenant(const struct dataplane_conf *conf, uid_t uid)
{
	for (uint32_t i = 0; i < conf->tenant_count; i++) {
		if (conf->tenants[i].uid == (int64_t)uid)
			return conf->tenants[i].tenant;
	}
	return conf->default_tenant;
}

void dataplane_conf_quota(const struct dataplane_conf *conf, uid_t uid,
			  struct dataplane_quota *quota_out)
{
	const struct dataplane_quota *everyone = NULL;

	*quota_out = (struct dataplane_quota){ .uid = (int64_t)uid,
					       .channels = conf->channels_max,
					       .segments = conf->segments_max,
					       .buffers = UINT32_MAX,
					       .bytes = UINT64_MAX };
	for (uint32_t i = 0; i < conf->quota_count; i++) {
		if (conf->quotas[i].uid == (int64_t)uid) {
			*quota_out = conf->quotas[i];
			return;
		}
		if (conf->quotas[i].uid == -1)
			everyone = &conf->quotas[i];
	}
	if (everyone != NULL)
		*quota_out = *everyone;
}
