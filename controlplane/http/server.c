/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Created by main, on the loop's thread. evhttp does the protocol; this file gives it a Unix socket, bounds and routes.
 */
#include "controlplane/http/server.h"

#include "base/clock.h"
#include "base/log.h"
#include "conf/controlplane.h"
#include "controlplane/http/reply.h"
#include "controlplane/http/route.h"
#include "controlplane/http/scrape.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVER_BACKLOG 64

struct server {
	struct evhttp *http;
	struct http_scene scene;
	struct scrape *scrape; /* NULL = not configured */
	char path[SOCKET_PATH_BYTES];
};

static void request_take(struct evhttp_request *request, void *arg)
{
	struct server *server = arg;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *encoded = uri == NULL ? NULL : evhttp_uri_get_path(uri);
	char *path = evhttp_uridecode(encoded == NULL || *encoded == '\0' ? "/" : encoded, 0, NULL);
	struct reply *reply = reply_begin(&server->scene, request);
	enum evhttp_cmd_type method = evhttp_request_get_command(request);
	const struct route *route = NULL;
	const char *rest = NULL;

	if (reply != NULL && path != NULL)
		route = route_find(path, &rest);
	if (reply == NULL)
		goto free_path;
	if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD)
		reply_refuse(reply, HTTP_BADMETHOD, "METHOD", "only GET and HEAD are answered");
	else if (server->scene.open > SERVER_REQUESTS_MAX)
		reply_refuse(reply, HTTP_SERVUNAVAIL, "BUSY", "too many requests are open");
	else if (route == NULL) {
		reply_refuse(reply, HTTP_NOTFOUND, "NOT_FOUND",
			     "there is no such path; GET / lists those there are");
	} else {
		route->fn(reply, rest);
	}
free_path:
	free(path);
}

/* Returns a listening socket or -errno. A socket left by a dead process is replaced; a living one is not. */
static int socket_listen(const char *path, mode_t mode)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = 0;

	if (fd < 0)
		return -errno;
	memcpy(address.sun_path, path, strnlen(path, sizeof(address.sun_path) - 1));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		(void)close(fd);
		return -EADDRINUSE;
	}
	if (errno == ECONNREFUSED)
		(void)unlink(path);
	/* Nobody may connect before the mode is right: no backlog until then. */
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 || chmod(path, mode) != 0 ||
	    listen(fd, SERVER_BACKLOG) != 0) {
		error = -errno;
		(void)close(fd);
		return error;
	}
	return fd;
}

static int http_make(struct event_base *base, struct server *server, int fd)
{
	struct evconnlistener *listener = NULL;

	server->http = evhttp_new(base);
	if (server->http == NULL)
		return -ENOMEM;
	listener = evconnlistener_new(base, NULL, NULL,
				      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (listener == NULL)
		return -ENOMEM;
	if (evhttp_bind_listener(server->http, listener) == NULL) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	evhttp_set_max_headers_size(server->http, SERVER_HEADERS_BYTES_MAX);
	evhttp_set_max_body_size(server->http, SERVER_BODY_BYTES_MAX);
	evhttp_set_timeout(server->http, SERVER_TIMEOUT_S);
	/* All methods come to the one callback, so that the answer is ours. */
	evhttp_set_allowed_methods(
		server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD | EVHTTP_REQ_POST | EVHTTP_REQ_PUT |
				      EVHTTP_REQ_DELETE | EVHTTP_REQ_PATCH | EVHTTP_REQ_OPTIONS);
	evhttp_set_gencb(server->http, request_take, server);
	return 0;
}

int server_create(struct event_base *base, const struct controlplane_conf *conf, struct link *link,
		  struct server **out)
{
	struct server *server = calloc(1, sizeof(*server));
	int fd = -1, error = 0;

	if (server == NULL)
		return -ENOMEM;
	server->scene.conf = conf;
	server->scene.link = link;
	server->scene.started_us = clock_now_us();
	fd = socket_listen(conf->http_socket, conf->http_mode);
	if (fd < 0) {
		log_error("http", "socket %s: %s", conf->http_socket, strerrordesc_np(-fd));
		free(server);
		return fd;
	}
	memcpy(server->path, conf->http_socket, sizeof(server->path));
	error = http_make(base, server, fd);
	if (error != 0)
		(void)close(fd);
	else if (conf->http_address[0] != '\0')
		error = scrape_create(base, conf->http_address, &server->scene, &server->scrape);
	if (error != 0) {
		server_destroy(server);
		return error;
	}
	*out = server;
	return 0;
}

void server_destroy(struct server *server)
{
	if (server == NULL)
		return;
	scrape_destroy(server->scrape);
	if (server->http != NULL)
		evhttp_free(server->http);
	(void)unlink(server->path);
	free(server);
}
