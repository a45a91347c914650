/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What haul-dataplane is configured with, drivers aside (each has a table and a struct of its own).
 * Filled once at start, constant from then on, read by any thread.
 */
#ifndef CONF_DATAPLANE_H
#define CONF_DATAPLANE_H

#include "api/haul_frame.h"
#include "base/limits.h"
#include "conf/schema.h"

#include <stdint.h>
#include <sys/types.h>

enum conf_idle_policy {
	CONF_IDLE_POLL = 0,      /**< never sleep */
	CONF_IDLE_ADAPTIVE = 1,  /**< poll, then pause, then short sleeps */
	CONF_IDLE_INTERRUPT = 2, /**< poll, then sleep until something comes */
};

enum conf_huge_pages {
	CONF_HUGE_AUTO = 0,    /**< when there are free ones, else normal pages */
	CONF_HUGE_OFF = 1,     /**< never */
	CONF_HUGE_REQUIRE = 2, /**< or refuse */
};

/** Room for the name of a transport. */
#define CONF_TRANSPORT_BYTES 16u

/** A line of `tenants`. */
struct dataplane_tenant {
	int64_t uid;
	char tenant[HAUL_NAME_BYTES];
};

/** A line of `quotas`: what all clients of one uid may hold together. */
struct dataplane_quota {
	int64_t uid; /**< -1 = every uid that has no line of its own, each for itself */
	uint32_t channels;
	uint32_t segments;
	uint32_t buffers;
	uint64_t bytes; /**< of segments */
};

struct dataplane_conf {
	char node[HAUL_NAME_BYTES];
	char run_directory[CONF_PATH_BYTES];
	char attach_socket[SOCKET_PATH_BYTES];
	uint32_t attach_mode; /**< of the attach socket's file */
	char control_socket[SOCKET_PATH_BYTES];
	char cluster_key_file[CONF_PATH_BYTES];
	char counters_file[CONF_PATH_BYTES];
	uint32_t log_level;            /**< enum log_level */
	uint32_t workers[WORKERS_MAX]; /**< processors to pin to, one worker each */
	uint32_t worker_count;      /**< 0 = one worker, not pinned; see dataplane_conf_workers */
	uint32_t idle_policy;       /**< enum conf_idle_policy */
	uint32_t idle_spin_us;      /**< idle for so long before the first sleep */
	uint32_t idle_sleep_max_us; /**< longest sleep of a worker */
	uint32_t operation_timeout_ms; /**< of an entry that names none */
	uint32_t channels_max;         /**< of all clients */
	uint32_t channel_entries;      /**< submission ring size when the client names none */
	uint32_t segments_max;         /**< of all clients */
	uint64_t segment_bytes_max;    /**< of one segment */
	uint32_t drain_grace_ms;       /**< what operations on a buffer that is removed may take */
	uint32_t huge_pages;           /**< enum conf_huge_pages, for segments */
	char transports[TRANSPORTS_MAX][CONF_TRANSPORT_BYTES]; /**< best first */
	uint32_t transport_count;
	char default_tenant[HAUL_NAME_BYTES]; /**< of a uid without a line in tenants */
	struct dataplane_tenant tenants[TENANTS_MAX];
	uint32_t tenant_count;
	struct dataplane_quota quotas[QUOTAS_MAX];
	uint32_t quota_count;
};

/** The keys of struct dataplane_conf. */
extern const struct conf_table dataplane_conf_table;

/** Number of workers, at least 1. */
unsigned int dataplane_conf_workers(const struct dataplane_conf *conf);

/** The tenant of a uid. */
const char *dataplane_conf_tenant(const struct dataplane_conf *conf, uid_t uid);

/** What clients of a uid may hold: its own line, else that of -1, else the daemon's maxima. */
void dataplane_conf_quota(const struct dataplane_conf *conf, uid_t uid,
			  struct dataplane_quota *quota_out);

#endif
