/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by server and the routes on the loop's thread. libevent keeps a request whose connection has closed until it
 * is answered, so a late answer finds it.
 */
#include "controlplane/http/reply.h"

#include "api/haul_error.h"
#include "base/error.h"
#include "base/log.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The longest of the strings made here; names have 64 bytes, reasons 192. */
#define JSON_STRING_BYTES 512u

struct reply {
	struct http_scene *scene;
	struct evhttp_request *request;
};

struct reply *reply_begin(struct http_scene *scene, struct evhttp_request *request)
{
	struct reply *reply = malloc(sizeof(*reply));

	scene->requests++;
	if (reply == NULL) {
		evhttp_send_error(request, HTTP_SERVUNAVAIL, NULL);
		return NULL;
	}
	reply->scene = scene;
	reply->request = request;
	scene->open++;
	return reply;
}

struct http_scene *reply_scene(const struct reply *reply)
{
	return reply->scene;
}

void reply_json(struct reply *reply, int status, json_t *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(reply->request);
	struct evbuffer *buffer = evhttp_request_get_output_buffer(reply->request);
	char *text = body == NULL ? NULL : json_dumps(body, JSON_COMPACT);

	json_decref(body);
	if (text == NULL)
		status = HTTP_INTERNAL;
	(void)evhttp_add_header(headers, "Content-Type", "application/json");
	(void)evhttp_add_header(headers, "Cache-Control", "no-store");
	if (text != NULL)
		(void)evbuffer_add_printf(buffer, "%s\n", text);
	free(text);
	if (status >= 400)
		reply->scene->refused++;
	evhttp_send_reply(reply->request, status, NULL, NULL);
	reply->scene->open--;
	free(reply);
}

void reply_refuse(struct reply *reply, int status, const char *error, const char *reason)
{
	json_t *body = json_object();

	(void)json_object_set_new(body, "error", json_string(error));
	(void)json_object_set_new(body, "reason", json_bytes(reason, strlen(reason)));
	reply_json(reply, status, body);
}

static int http_status(int error)
{
	switch (abs(error)) {
	case HAUL_NOT_FOUND:
		return HTTP_NOTFOUND;
	case HAUL_INVALID:
		return HTTP_BADREQUEST;
	case HAUL_UNAVAILABLE:
	case HAUL_BUSY:
		return HTTP_SERVUNAVAIL;
	default:
		return HTTP_INTERNAL;
	}
}

void reply_error(struct reply *reply, int error, const char *reason)
{
	reply_refuse(reply, http_status(error), error_name(error),
		     reason[0] != '\0' ? reason : error_text(error));
}

json_t *json_u64(uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	return json_string(text);
}

json_t *json_identity(uint64_t value)
{
	char text[24];

	(void)snprintf(text, sizeof(text), "%016" PRIx64, value);
	return json_string(text);
}

json_t *json_bytes(const char *bytes, size_t size)
{
	char text[JSON_STRING_BYTES];
	size_t length = strnlen(bytes, size < sizeof(text) ? size : sizeof(text) - 1);

	for (size_t i = 0; i < length; i++)
		text[i] = (char)(bytes[i] >= ' ' && bytes[i] <= '~' ? bytes[i] : '?');
	return json_stringn(text, length);
}
