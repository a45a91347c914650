/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * HTTP on a Unix socket, for haulctl, curl --unix-socket and monitoring on the host. Reads only: GET and HEAD. Beside it,
 * where http_address is set, /metrics and /healthz on TCP (scrape.h).
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

struct controlplane_conf;
struct event_base;
struct link;
struct server;

/** Bounds of a request, and of those open at a time. */
#define SERVER_HEADERS_BYTES_MAX 8192
#define SERVER_BODY_BYTES_MAX    4096
#define SERVER_REQUESTS_MAX      64u
#define SERVER_TIMEOUT_S         10

/** Listen. Returns 0 or -errno; what is wrong has been logged. The link must outlive its open requests only. */
int server_create(struct event_base *base, const struct controlplane_conf *conf, struct link *link,
		  struct server **out);

/** The link must have been destroyed before, so that no request is open. NULL is allowed. */
void server_destroy(struct server *server);

#endif
