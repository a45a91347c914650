/* SPDX-License-Identifier: BSD-3-Clause */
/* The server of /metrics and /healthz on TCP; scrape.h says why it is one of its own. */
#include "controlplane/http/scrape.h"

#include "base/check.h"
#include "base/log.h"
#include "controlplane/http/metrics.h"
#include "controlplane/http/reply.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define SCRAPE_BACKLOG 16

/* The end of a request's headers; what follows is not read. */
#define SCRAPE_HEADERS_END "\r\n\r\n"

struct visitor {
	TAILQ_ENTRY(visitor) link;
	struct scrape *scrape;
	struct bufferevent *bufferevent;
	struct event *timer;
	bool is_answered;
};

struct scrape {
	struct event_base *base;
	struct http_scene *scene;
	struct evconnlistener *listener;
	TAILQ_HEAD(, visitor) visitors; /* oldest first */
	unsigned int count;
};

/* An answer that is being made. */
struct answer {
	int status;
	const char *type;
	struct evbuffer *body;
};

static void visitor_end(struct visitor *visitor)
{
	struct scrape *scrape = visitor->scrape;

	TAILQ_REMOVE(&scrape->visitors, visitor, link);
	scrape->count--;
	if (visitor->timer != NULL)
		event_free(visitor->timer);
	if (visitor->bufferevent != NULL)
		bufferevent_free(visitor->bufferevent);
	free(visitor);
}

static const char *status_text(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 431:
		return "Request Header Fields Too Large";
	case 503:
		return "Service Unavailable";
	default:
		return "Internal Server Error";
	}
}

static void answer_json(struct answer *answer, int status, json_t *body)
{
	char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);

	json_decref(body);
	answer->status = text == NULL ? 500 : status;
	answer->type = "application/json";
	if (text != NULL)
		(void)evbuffer_add_printf(answer->body, "%s\n", text);
	free(text);
}

static void answer_refuse(struct answer *answer, int status, const char *error, const char *reason)
{
	answer_json(answer, status, json_pack("{s:s, s:s}", "error", error, "reason", reason));
}

static void answer_metrics(struct answer *answer, const struct http_scene *scene)
{
	if (metrics_make(scene, answer->body) != 0) {
		(void)evbuffer_drain(answer->body, evbuffer_get_length(answer->body));
		answer_refuse(answer, 500, "SYSTEM", "no memory");
		return;
	}
	answer->status = 200;
	answer->type = METRICS_CONTENT_TYPE;
}

static void answer_health(struct answer *answer, const struct http_scene *scene)
{
	bool is_ok = false;
	json_t *body = metrics_health(scene, &is_ok);

	answer_json(answer, is_ok ? 200 : 503, body);
}

/* METHOD SP PATH SP HTTP/1.x, as RFC 9112 has it; the query of a path is not looked at. */
static bool line_parse(char *line, const char **method_out, const char **path_out)
{
	char *path = strchr(line, ' ');
	char *version = path == NULL ? NULL : strchr(path + 1, ' ');

	if (version == NULL || path == line || strncmp(version, " HTTP/1.", 8) != 0 ||
	    strlen(version) != 9)
		return false;
	*path++ = '\0';
	*version = '\0';
	path[strcspn(path, "?")] = '\0';
	*method_out = line;
	*path_out = path;
	return true;
}

static void answer_line(struct answer *answer, char *line, const struct http_scene *scene,
			bool *is_head_out)
{
	const char *method = NULL, *path = NULL;

	if (!line_parse(line, &method, &path)) {
		answer_refuse(answer, 400, "INVALID", "this is no request of HTTP/1.1");
		return;
	}
	*is_head_out = strcmp(method, "HEAD") == 0;
	if (strcmp(path, "/metrics") != 0 && strcmp(path, "/healthz") != 0)
		answer_refuse(answer, 404, "NOT_FOUND", "there are /metrics and /healthz");
	else if (strcmp(method, "GET") != 0 && !*is_head_out)
		answer_refuse(answer, 405, "METHOD", "only GET and HEAD are answered");
	else if (strcmp(path, "/metrics") == 0)
		answer_metrics(answer, scene);
	else
		answer_health(answer, scene);
}

static void answer_send(const struct answer *answer, struct visitor *visitor, bool is_head)
{
	struct evbuffer *out = bufferevent_get_output(visitor->bufferevent);

	if (answer->status >= 400)
		visitor->scrape->scene->refused++;
	(void)evbuffer_add_printf(out,
				  "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n%s"
				  "Cache-Control: no-store\r\nConnection: close\r\n\r\n",
				  answer->status, status_text(answer->status), answer->type,
				  evbuffer_get_length(answer->body),
				  answer->status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (!is_head)
		(void)evbuffer_add_buffer(out, answer->body);
}

/* The request is whole, or as long as it may be: answer it, and read no more. `line` is NULL when it is too long. */
static void visitor_answer(struct visitor *visitor, char *line)
{
	struct answer answer = { .status = 500, .body = evbuffer_new() };
	bool is_head = false;

	visitor->is_answered = true;
	visitor->scrape->scene->requests++;
	if (answer.body == NULL) {
		visitor_end(visitor);
		return;
	}
	if (line == NULL)
		answer_refuse(&answer, 431, "INVALID", "the request is too long");
	else
		answer_line(&answer, line, visitor->scrape->scene, &is_head);
	answer_send(&answer, visitor, is_head);
	evbuffer_free(answer.body);
	/* Sent, the write callback ends the connection. */
	(void)bufferevent_disable(visitor->bufferevent, EV_READ);
}

static void visitor_read(struct bufferevent *bufferevent, void *argument)
{
	struct visitor *visitor = argument;
	struct evbuffer *in = bufferevent_get_input(bufferevent);
	size_t bytes = evbuffer_get_length(in);
	struct evbuffer_ptr end =
		evbuffer_search(in, SCRAPE_HEADERS_END, strlen(SCRAPE_HEADERS_END), NULL);
	char *line = NULL;

	if (visitor->is_answered || (end.pos < 0 && bytes < SCRAPE_REQUEST_BYTES_MAX))
		return;
	if (end.pos >= 0)
		line = evbuffer_readln(in, NULL, EVBUFFER_EOL_CRLF_STRICT);
	visitor_answer(visitor, line);
	free(line);
}

static void visitor_written(struct bufferevent *bufferevent, void *argument)
{
	struct visitor *visitor = argument;

	(void)bufferevent;
	if (visitor->is_answered)
		visitor_end(visitor);
}

static void visitor_event(struct bufferevent *bufferevent, short what, void *argument)
{
	(void)bufferevent;
	(void)what;
	visitor_end(argument); /* it left, or the connection broke */
}

static void visitor_late(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	visitor_end(argument);
}

static bool visitor_prepare(struct visitor *visitor, evutil_socket_t fd)
{
	const struct timeval limit = { .tv_sec = SCRAPE_TIMEOUT_S };
	struct event_base *base = visitor->scrape->base;

	visitor->bufferevent = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (visitor->bufferevent == NULL) {
		(void)evutil_closesocket(fd);
		return false;
	}
	visitor->timer = evtimer_new(base, visitor_late, visitor);
	if (visitor->timer == NULL || event_add(visitor->timer, &limit) != 0)
		return false;
	bufferevent_setcb(visitor->bufferevent, visitor_read, visitor_written, visitor_event,
			  visitor);
	bufferevent_setwatermark(visitor->bufferevent, EV_READ, 0, SCRAPE_REQUEST_BYTES_MAX);
	return bufferevent_enable(visitor->bufferevent, EV_READ | EV_WRITE) == 0;
}

static void scrape_accept(struct evconnlistener *listener, evutil_socket_t fd,
			  struct sockaddr *address, int length, void *argument)
{
	struct scrape *scrape = argument;
	struct visitor *visitor = calloc(1, sizeof(*visitor));

	(void)listener;
	(void)address;
	(void)length;
	if (visitor == NULL) {
		(void)evutil_closesocket(fd);
		return;
	}
	/* Who asks properly is answered at once, so the oldest is the one that dawdles. */
	if (scrape->count >= SCRAPE_CONNECTIONS_MAX)
		visitor_end(TAILQ_FIRST(&scrape->visitors));
	visitor->scrape = scrape;
	TAILQ_INSERT_TAIL(&scrape->visitors, visitor, link);
	scrape->count++;
	if (!visitor_prepare(visitor, fd))
		visitor_end(visitor);
}

int scrape_create(struct event_base *base, const char *address, struct http_scene *scene,
		  struct scrape **out)
{
	struct scrape *scrape = calloc(1, sizeof(*scrape));
	struct sockaddr_storage storage = { 0 };
	int length = sizeof(storage);
	int error;

	if (scrape == NULL)
		return -ENOMEM;
	scrape->base = base;
	scrape->scene = scene;
	TAILQ_INIT(&scrape->visitors);
	errno = EINVAL; /* what the parser leaves alone */
	if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&storage, &length) == 0) {
		scrape->listener = evconnlistener_new_bind(
			base, scrape_accept, scrape,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
			SCRAPE_BACKLOG, (struct sockaddr *)&storage, length);
	}
	if (scrape->listener == NULL) {
		error = -errno;
		log_error("http", "address %s: cannot listen: %s", address, strerrordesc_np(errno));
		free(scrape);
		return error;
	}
	log_info("http", "/metrics and /healthz at %s", address);
	*out = scrape;
	return 0;
}

void scrape_destroy(struct scrape *scrape)
{
	if (scrape == NULL)
		return;
	while (!TAILQ_EMPTY(&scrape->visitors))
		visitor_end(TAILQ_FIRST(&scrape->visitors));
	evconnlistener_free(scrape->listener);
	free(scrape);
}
