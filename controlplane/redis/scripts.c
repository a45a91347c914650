/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by the registry alone. A call is sent as EVALSHA; when the server answers NOSCRIPT (somebody has flushed its
 * scripts) the same call goes out again as EVAL with the source, for which the arguments are kept. Everything that a
 * server can answer ends in one of four outcomes.
 */
#include "controlplane/redis/scripts.h"

#include "api/haul_error.h"
#include "base/check.h"
#include "base/log.h"

#include <hiredis/hiredis.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A digest has 40 hexadecimal digits. */
#define DIGEST_BYTES 41u

struct scripts {
	struct connection *connection;
	char digests[SCRIPT_COUNT][DIGEST_BYTES]; /* empty: not loaded */
	char prefix[96];
};

/* A call under way, with a copy of its arguments. */
struct call {
	struct scripts *scripts;
	enum script script;
	bool is_by_source; /* the second attempt */
	script_fn *fn;
	void *arg;
	unsigned int count;
	struct text arguments[]; /* then their bytes */
};

/* One SCRIPT LOAD under way. */
struct load {
	struct scripts *scripts;
	enum script script;
};

int scripts_create(struct connection *connection, const char *prefix, struct scripts **out)
{
	struct scripts *scripts = calloc(1, sizeof(*scripts));

	if (scripts == NULL)
		return -ENOMEM;
	BUG_ON(strlen(prefix) >= sizeof(scripts->prefix));
	scripts->connection = connection;
	(void)snprintf(scripts->prefix, sizeof(scripts->prefix), "%s", prefix);
	*out = scripts;
	return 0;
}

void scripts_destroy(struct scripts *scripts)
{
	free(scripts);
}

static void load_answered(void *arg, const redisReply *reply)
{
	struct load *load = arg;

	if (reply != NULL && reply->type == REDIS_REPLY_STRING && reply->len == DIGEST_BYTES - 1)
		memcpy(load->scripts->digests[load->script], reply->str, DIGEST_BYTES - 1);
	else if (reply != NULL) {
		log_error("redis", "script %s: not loaded: %.200s",
			  script_sources[load->script].name,
			  reply->str != NULL ? reply->str : "strange answer");
	}
	free(load);
}

void scripts_load(struct scripts *scripts)
{
	memset(scripts->digests, 0, sizeof(scripts->digests));
	for (unsigned int i = 0; i < SCRIPT_COUNT; i++) {
		struct load *load = malloc(sizeof(*load));
		struct text texts[] = { text_of("SCRIPT"), text_of("LOAD"),
					text_of(script_sources[i].source) };

		if (load == NULL)
			return;
		load->scripts = scripts;
		load->script = (enum script)i;
		if (connection_command(scripts->connection, texts, ARRAY_SIZE(texts), 0,
				       load_answered, load) != 0)
			free(load);
	}
}

static void call_answer(struct call *call, enum script_outcome outcome, const struct text *texts,
			unsigned int count)
{
	struct script_answer answer = { outcome, count, texts };

	call->fn(call->arg, &answer);
	free(call);
}

static int call_send(struct call *call);

static void array_answered(struct call *call, const redisReply *reply)
{
	struct text *texts = NULL;

	if (reply->elements == 0)
		goto malformed;
	texts = calloc(reply->elements, sizeof(*texts));
	if (texts == NULL)
		goto malformed;
	for (size_t i = 0; i < reply->elements; i++) {
		if (reply->element[i]->type != REDIS_REPLY_STRING)
			goto malformed;
		texts[i].bytes = reply->element[i]->str;
		texts[i].length = (size_t)reply->element[i]->len;
	}
	call_answer(call, SCRIPT_ANSWERED, texts, (unsigned int)reply->elements);
	free(texts);
	return;
malformed:
	free(texts);
	call_answer(call, SCRIPT_MALFORMED, NULL, 0);
}

static void call_answered(void *arg, const redisReply *reply)
{
	struct call *call = arg;
	struct text sentence;

	if (reply == NULL) {
		call_answer(call, SCRIPT_UNREACHABLE, NULL, 0);
		return;
	}
	if (reply->type == REDIS_REPLY_ARRAY) {
		array_answered(call, reply);
		return;
	}
	if (reply->type != REDIS_REPLY_ERROR) {
		call_answer(call, SCRIPT_MALFORMED, NULL, 0);
		return;
	}
	if (!call->is_by_source && strncmp(reply->str, "NOSCRIPT", 8) == 0) {
		call->is_by_source = true;
		if (call_send(call) != 0)
			call_answer(call, SCRIPT_UNREACHABLE, NULL, 0);
		return;
	}
	sentence = text_of(reply->str);
	call_answer(call, SCRIPT_REFUSED, &sentence, 1);
}

static int call_send(struct call *call)
{
	struct text texts[SCRIPT_ARGUMENTS_MAX + 4];
	const char *digest = call->scripts->digests[call->script];

	if (digest[0] == '\0')
		call->is_by_source = true;
	texts[0] = text_of(call->is_by_source ? "EVAL" : "EVALSHA");
	texts[1] = text_of(call->is_by_source ? script_sources[call->script].source : digest);
	texts[2] = text_of("1");
	texts[3] = text_of(call->scripts->prefix);
	memcpy(texts + 4, call->arguments, call->count * sizeof(texts[0]));
	return connection_command(call->scripts->connection, texts, call->count + 4, 0,
				  call_answered, call);
}

static struct call *call_make(const struct text *arguments, unsigned int count)
{
	struct call *call = NULL;
	size_t bytes = 0;
	char *at = NULL;

	for (unsigned int i = 0; i < count; i++)
		bytes += arguments[i].length;
	call = malloc(sizeof(*call) + count * sizeof(*arguments) + bytes);
	if (call == NULL)
		return NULL;
	memset(call, 0, sizeof(*call));
	call->count = count;
	at = (char *)(call->arguments + count);
	for (unsigned int i = 0; i < count; i++) {
		memcpy(at, arguments[i].bytes, arguments[i].length);
		call->arguments[i] = (struct text){ at, arguments[i].length };
		at += arguments[i].length;
	}
	return call;
}

int script_call(struct scripts *scripts, enum script script, const struct text *arguments,
		unsigned int count, script_fn *fn, void *arg)
{
	struct call *call = NULL;

	BUG_ON(count > SCRIPT_ARGUMENTS_MAX);
	if (connection_state(scripts->connection) != CONNECTION_READY)
		return -HAUL_UNAVAILABLE;
	call = call_make(arguments, count);
	if (call == NULL)
		return -HAUL_UNAVAILABLE;
	call->scripts = scripts;
	call->script = script;
	call->fn = fn;
	call->arg = arg;
	if (call_send(call) == 0)
		return 0;
	free(call);
	return -HAUL_UNAVAILABLE;
}
