/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by the registry (commands) and by streams (the blocking read), on the loop's thread. Owns the hiredis context
 * and, for each command under way, a struct command with its timer. Bounds: one attempt at a time, each step of it
 * within timeout_ms, pauses between backoff_min_ms and backoff_max_ms.
 */
#include "controlplane/redis/connection.h"

#include "api/haul_error.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/model/text.h"
#include "controlplane/redis/adapter.h"

#include <hiredis/async.h>
#include <hiredis/hiredis.h>

#include <arpa/inet.h>
#include <errno.h>
#include <event2/event.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Texts of one command; the longest is segment_versions with a batch of names. */
#define COMMAND_TEXTS_MAX 512u

#define PASSWORD_BYTES 512u

struct command {
	struct connection *connection;
	struct event *timer;
	connection_reply_fn *fn;
	void *arg;
};

struct connection {
	struct event_base *base;
	struct connection_events events;
	enum connection_state state;
	redisAsyncContext *context; /* NULL while PAUSING */
	struct adapter_guard guard; /* of the context */
	struct event *timer;        /* PAUSING: next attempt; CONNECTING, CHECKING: patience */
	char name[CONNECTION_NAME_BYTES];
	char socket[CONNECTION_NAME_BYTES]; /* empty = TCP */
	char address[INET6_ADDRSTRLEN];
	char password[PASSWORD_BYTES]; /* empty = none */
	char run_id[CONNECTION_RUN_ID_BYTES];
	char cause[HAUL_REASON_BYTES]; /* why it is not READY, e.g. "does not answer" */
	uint16_t port;
	unsigned int timeout_ms;
	unsigned int backoff_min_ms;
	unsigned int backoff_max_ms;
	unsigned int backoff_ms; /* of the next pause, before its jitter */
	uint64_t since_us;       /* when it was READY last, or created */
	bool is_warned;          /* the warning about the append-only file is given once */
	bool is_told;            /* the present outage has been logged */
	bool is_refused; /* the last attempt came as far as a server, which was not good enough */
	bool is_closing;
	bool is_quiet;
};

static void command_free(struct command *command)
{
	if (command->timer != NULL)
		event_free(command->timer);
	free(command);
}

static void timer_arm(struct event *timer, unsigned int ms)
{
	struct timeval after = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	(void)evtimer_add(timer, &after);
}

/* Half of the pause is random, so that the nodes of a cluster do not come back in step. */
static unsigned int pause_take(struct connection *connection)
{
	unsigned int pause = connection->backoff_ms;
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)clock_now_ns();
	connection->backoff_ms = MIN(2 * pause, connection->backoff_max_ms);
	return pause / 2 + random % (pause / 2 + 1);
}

/*
 * The context is gone or about to go: pause, then try again. With a context still there it is freed, which answers the
 * commands under way with NULL; then the owner hears of it.
 */
static void connection_lose(struct connection *connection, const char *cause)
{
	redisAsyncContext *context = connection->context;
	bool was_ready = connection->state == CONNECTION_READY;

	if (connection->state == CONNECTION_PAUSING)
		return;
	if (was_ready)
		connection->since_us = clock_now_us();
	connection->state = CONNECTION_PAUSING;
	connection->context = NULL;
	(void)snprintf(connection->cause, sizeof(connection->cause), "%s", cause);
	if (!connection->is_told && !connection->is_closing && !connection->is_quiet) {
		log_warning("redis", "%s: %s", connection->name, cause);
		connection->is_told = true;
	}
	if (context != NULL) {
		context->data = NULL;
		redisAsyncFree(context);
	}
	if (connection->is_closing)
		return;
	timer_arm(connection->timer, pause_take(connection));
	if (was_ready)
		connection->events.lost(connection->events.arg);
}

static void command_timed_out(evutil_socket_t fd, short what, void *arg)
{
	struct command *command = arg;

	(void)fd;
	(void)what;
	connection_lose(command->connection, "does not answer");
}

static void command_answered(redisAsyncContext *context, void *reply, void *arg)
{
	struct command *command = arg;
	connection_reply_fn *fn = command->fn;
	void *fn_arg = command->arg;

	(void)context;
	command->connection->guard.pending--;
	command_free(command);
	fn(fn_arg, reply);
}

static int command_send(struct connection *connection, const struct text *texts, unsigned int count,
			unsigned int wait_ms, connection_reply_fn *fn, void *arg)
{
	const char *arguments[COMMAND_TEXTS_MAX];
	size_t lengths[COMMAND_TEXTS_MAX];
	struct command *command = calloc(1, sizeof(*command));

	BUG_ON(count == 0 || count > COMMAND_TEXTS_MAX);
	if (command == NULL)
		return -HAUL_UNAVAILABLE;
	command->connection = connection;
	command->fn = fn;
	command->arg = arg;
	command->timer = evtimer_new(connection->base, command_timed_out, command);
	for (unsigned int i = 0; i < count; i++) {
		arguments[i] = texts[i].bytes;
		lengths[i] = texts[i].length;
	}
	if (command->timer == NULL ||
	    redisAsyncCommandArgv(connection->context, command_answered, command, (int)count,
				  arguments, lengths) != REDIS_OK) {
		command_free(command);
		return -HAUL_UNAVAILABLE;
	}
	connection->guard.pending++;
	timer_arm(command->timer, connection->timeout_ms + wait_ms);
	return 0;
}

/* Find "name:value" in what INFO answers, and copy the value; false when it is not there or too long. */
static bool info_field(const redisReply *reply, const char *name, char *out, size_t size)
{
	const char *at = reply->str;
	size_t length = strlen(name);

	while (at != NULL) {
		if (strncmp(at, name, length) == 0 && at[length] == ':') {
			size_t value = strcspn(at + length + 1, "\r\n");
			struct text text = { at + length + 1, value };

			return text_copy(text, out, size);
		}
		at = strchr(at, '\n');
		if (at != NULL)
			at++;
	}
	return false;
}

/* What INFO tells: is this a server that may hold what is true? NULL when it is, else why not. */
static const char *server_refusal(struct connection *connection, const redisReply *reply,
				  char reason[HAUL_REASON_BYTES])
{
	char role[16], policy[32], append_only[8];

	if (reply->type != REDIS_REPLY_STRING ||
	    !info_field(reply, "run_id", connection->run_id, sizeof(connection->run_id)) ||
	    !info_field(reply, "role", role, sizeof(role)) ||
	    !info_field(reply, "maxmemory_policy", policy, sizeof(policy)) ||
	    !info_field(reply, "aof_enabled", append_only, sizeof(append_only)))
		return "its answer to INFO is not that of a Redis server";
	if (strcmp(role, "master") != 0) {
		(void)snprintf(reason, HAUL_REASON_BYTES, "is a %s; haul needs the primary", role);
		return reason;
	}
	if (strcmp(policy, "noeviction") != 0) {
		(void)snprintf(
			reason, HAUL_REASON_BYTES,
			"has maxmemory-policy %s, which may evict haul's records; set noeviction",
			policy);
		return reason;
	}
	if (strcmp(append_only, "1") != 0 && !connection->is_warned && !connection->is_quiet) {
		log_warning("redis",
			    "%s: appendonly is off: a crash of the server loses records "
			    "until their owners publish them again",
			    connection->name);
		connection->is_warned = true;
	}
	return NULL;
}

static void info_answered(void *arg, const redisReply *reply)
{
	struct connection *connection = arg;
	char reason[HAUL_REASON_BYTES];
	const char *refusal = NULL;

	if (reply == NULL || connection->state != CONNECTION_CHECKING)
		return;
	refusal = server_refusal(connection, reply, reason);
	if (refusal != NULL) {
		connection->is_refused = true;
		connection_lose(connection, refusal);
		return;
	}
	(void)evtimer_del(connection->timer);
	connection->is_refused = false;
	connection->state = CONNECTION_READY;
	connection->events.ready(connection->events.arg);
}

static void check_answered(void *arg, const redisReply *reply)
{
	struct connection *connection = arg;
	char reason[HAUL_REASON_BYTES];

	if (reply == NULL || connection->state != CONNECTION_CHECKING ||
	    reply->type == REDIS_REPLY_STATUS)
		return;
	connection->is_refused = true;
	(void)snprintf(reason, sizeof(reason), "refuses: %.150s",
		       reply->type == REDIS_REPLY_ERROR ? reply->str : "not the answer expected");
	connection_lose(connection, reason);
}

/* hiredis still works on the context behind this call, so a failure here is left to the connection's timer. */
static void checks_send(struct connection *connection)
{
	struct text auth[] = { text_of("AUTH"), text_of(connection->password) };
	struct text ping[] = { text_of("PING") };
	struct text info[] = { text_of("INFO") };
	int error = 0;

	connection->state = CONNECTION_CHECKING;
	if (connection->password[0] != '\0')
		error = command_send(connection, auth, 2, 0, check_answered, connection);
	if (error == 0)
		error = command_send(connection, ping, 1, 0, check_answered, connection);
	if (error == 0)
		(void)command_send(connection, info, 1, 0, info_answered, connection);
}

/* hiredis frees the context behind this call when the status is an error. */
static void context_connected(const redisAsyncContext *context, int status)
{
	struct connection *connection = context->data;
	char reason[HAUL_REASON_BYTES];

	if (connection == NULL)
		return;
	if (status == REDIS_OK) {
		checks_send(connection);
		return;
	}
	connection->context = NULL;
	connection->is_refused = false;
	(void)snprintf(reason, sizeof(reason), "cannot be reached: %.120s", context->c.errstr);
	connection_lose(connection, reason);
}

static void context_disconnected(const redisAsyncContext *context, int status)
{
	struct connection *connection = context->data;
	char reason[HAUL_REASON_BYTES];

	(void)status;
	if (connection == NULL)
		return;
	connection->context = NULL;
	if (connection->guard.is_babbling) {
		connection->is_refused = true;
		(void)snprintf(reason, sizeof(reason), "answers what nobody has asked for");
	} else {
		(void)snprintf(reason, sizeof(reason), "has closed the connection: %.120s",
			       context->c.errstr[0] != '\0' ? context->c.errstr : "without a word");
	}
	connection_lose(connection, reason);
}

static void connection_attempt(struct connection *connection)
{
	redisAsyncContext *context = NULL;
	char reason[HAUL_REASON_BYTES];

	connection->state = CONNECTION_CONNECTING;
	if (connection->socket[0] != '\0')
		context = redisAsyncConnectUnix(connection->socket);
	else
		context = redisAsyncConnect(connection->address, connection->port);
	if (context == NULL || context->err != 0) {
		connection->is_refused = false;
		(void)snprintf(reason, sizeof(reason), "cannot be reached: %.120s",
			       context == NULL ? "no memory" : context->c.errstr);
		if (context != NULL)
			redisAsyncFree(context);
		connection_lose(connection, reason);
		return;
	}
	context->data = connection;
	connection->context = context;
	memset(&connection->guard, 0, sizeof(connection->guard));
	if (adapter_attach(context, connection->base, &connection->guard) != 0) {
		connection_lose(connection, "no memory");
		return;
	}
	(void)redisAsyncSetConnectCallback(context, context_connected);
	(void)redisAsyncSetDisconnectCallback(context, context_disconnected);
	timer_arm(connection->timer, connection->timeout_ms);
}

static void timer_fired(evutil_socket_t fd, short what, void *arg)
{
	struct connection *connection = arg;

	(void)fd;
	(void)what;
	if (connection->state == CONNECTION_PAUSING)
		connection_attempt(connection);
	else if (connection->state != CONNECTION_READY)
		connection_lose(connection, "does not answer");
}

static int password_read(const char *path, char password[PASSWORD_BYTES])
{
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		int error = errno;

		log_error("redis", "password file %s: %s", path, strerrordesc_np(error));
		return -error;
	}
	if (fgets(password, PASSWORD_BYTES, file) == NULL)
		password[0] = '\0';
	(void)fclose(file);
	password[strcspn(password, "\r\n")] = '\0';
	if (password[0] != '\0')
		return 0;
	log_error("redis", "password file %s: its first line must be the password", path);
	return -EINVAL;
}

/* Names are resolved once, before the loop runs: getaddrinfo blocks. */
static int host_resolve(struct connection *connection, const char *host)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int error = getaddrinfo(host, NULL, &hints, &found);

	if (error == 0)
		error = getnameinfo(found->ai_addr, found->ai_addrlen, connection->address,
				    sizeof(connection->address), NULL, 0, NI_NUMERICHOST);
	if (found != NULL)
		freeaddrinfo(found);
	if (error == 0)
		return 0;
	log_error("redis", "host %s: %s", host, gai_strerror(error));
	return -EINVAL;
}

static int place_set(struct connection *connection, const struct connection_conf *conf)
{
	if (strlen(conf->socket) >= sizeof(connection->socket) - 8)
		return -ENAMETOOLONG;
	(void)snprintf(connection->socket, sizeof(connection->socket), "%s", conf->socket);
	if (conf->socket[0] != '\0') {
		(void)snprintf(connection->name, sizeof(connection->name), "unix:%.150s",
			       conf->socket);
		return 0;
	}
	connection->port = conf->port;
	(void)snprintf(connection->name, sizeof(connection->name), "tcp:%.140s:%u", conf->host,
		       conf->port);
	return host_resolve(connection, conf->host);
}

int connection_create(struct event_base *base, const struct connection_conf *conf,
		      const struct connection_events *events, struct connection **out)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int error = -ENOMEM;

	if (connection == NULL)
		return -ENOMEM;
	connection->base = base;
	connection->events = *events;
	connection->is_quiet = conf->is_quiet;
	connection->timeout_ms = conf->timeout_ms;
	connection->backoff_min_ms = conf->backoff_min_ms;
	connection->backoff_max_ms = conf->backoff_max_ms;
	connection->backoff_ms = conf->backoff_min_ms;
	connection->since_us = clock_now_us();
	(void)snprintf(connection->cause, sizeof(connection->cause), "has not answered yet");
	connection->timer = evtimer_new(base, timer_fired, connection);
	if (connection->timer == NULL)
		goto destroy;
	error = place_set(connection, conf);
	if (error == 0 && conf->password_file[0] != '\0')
		error = password_read(conf->password_file, connection->password);
	if (error != 0)
		goto destroy;
	timer_arm(connection->timer, 0);
	*out = connection;
	return 0;
destroy:
	connection_destroy(connection);
	return error;
}

void connection_destroy(struct connection *connection)
{
	if (connection == NULL)
		return;
	connection->is_closing = true;
	connection_lose(connection, "closed");
	if (connection->timer != NULL)
		event_free(connection->timer);
	explicit_bzero(connection->password, sizeof(connection->password));
	free(connection);
}

enum connection_state connection_state(const struct connection *connection)
{
	return connection->state;
}

const char *connection_name(const struct connection *connection)
{
	return connection->name;
}

bool connection_is_refused(const struct connection *connection)
{
	return connection->is_refused;
}

const char *connection_run_id(const struct connection *connection)
{
	return connection->run_id;
}

void connection_reason(const struct connection *connection, char reason[HAUL_REASON_BYTES])
{
	double since_s = (double)(clock_now_us() - connection->since_us) / 1e6;

	reason[0] = '\0';
	if (connection->state == CONNECTION_READY)
		return;
	(void)snprintf(reason, HAUL_REASON_BYTES, "redis at %.64s %.100s since %.1f s",
		       connection->name, connection->cause, since_s);
}

void connection_silence(const struct connection *connection, uint64_t silent_us,
			char reason[HAUL_REASON_BYTES])
{
	(void)snprintf(reason, HAUL_REASON_BYTES, "redis at %.64s does not answer since %.1f s",
		       connection->name, (double)silent_us / 1e6);
}

int connection_command(struct connection *connection, const struct text *texts, unsigned int count,
		       unsigned int wait_ms, connection_reply_fn *fn, void *arg)
{
	if (connection->state != CONNECTION_READY)
		return -HAUL_UNAVAILABLE;
	return command_send(connection, texts, count, wait_ms, fn, arg);
}

void connection_trust(struct connection *connection)
{
	connection->backoff_ms = connection->backoff_min_ms;
	connection->is_told = false;
}

void connection_distrust(struct connection *connection, const char *why)
{
	connection->is_refused = true;
	connection_lose(connection, why);
}
