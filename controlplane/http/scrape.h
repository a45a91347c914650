/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * HTTP on a TCP address, for monitoring on other hosts: GET and HEAD of /metrics and /healthz, and nothing else.
 *
 * It is open to whoever reaches the address, so it is a small server of its own, with bounds that the Unix socket's does
 * not need: connections at a time, bytes of a request, and a time for all of it that bytes which trickle in do not
 * prolong. One request a connection. Loop's thread.
 */
#ifndef HTTP_SCRAPE_H
#define HTTP_SCRAPE_H

struct controlplane_conf;
struct event_base;
struct http_scene;
struct scrape;

/** Connections at a time; one more ends the oldest. */
#define SCRAPE_CONNECTIONS_MAX 16u

/** From the beginning of a connection to its end. */
#define SCRAPE_TIMEOUT_S 5

/** The request's line and headers. */
#define SCRAPE_REQUEST_BYTES_MAX 4096u

/** Listen at `address` (IPV4:PORT or [IPV6]:PORT). Returns 0 or -errno; what is wrong has been logged. */
int scrape_create(struct event_base *base, const char *address, struct http_scene *scene,
		  struct scrape **out);
/** NULL is allowed. */
void scrape_destroy(struct scrape *scrape);

#endif
