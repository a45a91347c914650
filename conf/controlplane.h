/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What haul-controlplane is configured with. Filled once at start, constant from then on.
 */
#ifndef CONF_CONTROLPLANE_H
#define CONF_CONTROLPLANE_H

#include "api/haul_frame.h"
#include "base/limits.h"
#include "conf/schema.h"

#include <stdint.h>

/** Room for a host name or address. */
#define CONF_HOST_BYTES 256u

/** Room for an IPv6 address in brackets with a port. */
#define CONF_ADDRESS_BYTES 64u

struct controlplane_redis_conf {
	char socket[SOCKET_PATH_BYTES]; /**< Unix socket; empty = host and port */
	char host[CONF_HOST_BYTES];
	uint32_t port;
	char password_file[CONF_PATH_BYTES]; /**< its first line; empty = no password */
	uint32_t timeout_ms;                 /**< of connecting and of each command */
	uint32_t backoff_min_ms; /**< first pause after a lost connection, then twice that, ... */
	uint32_t backoff_max_ms;
};

struct controlplane_conf {
	char cluster[HAUL_NAME_BYTES]; /**< all keys begin with haul:{cluster}: */
	char control_socket[SOCKET_PATH_BYTES];
	uint32_t control_mode; /**< of the control socket's file */
	char http_socket[SOCKET_PATH_BYTES];
	char http_address
		[CONF_ADDRESS_BYTES]; /**< TCP address of /metrics and /healthz; empty = none */
	uint32_t http_mode;           /**< of the HTTP socket's file */
	char counters_file[CONF_PATH_BYTES]; /**< of the dataplane; read, never written */
	uint32_t log_level;                  /**< enum log_level */
	struct controlplane_redis_conf redis;
	uint32_t beat_ms;      /**< between two beats of the own node */
	uint32_t suspect_ms;   /**< a beat that stood still for so long: SUSPECT */
	uint32_t dead_ms;      /**< for so long after that: DEAD */
	uint32_t reconcile_ms; /**< between two looks at all records */
	uint32_t events_max;   /**< length of the event stream */
};

/** The keys of struct controlplane_conf. */
extern const struct conf_table controlplane_conf_table;

#endif
