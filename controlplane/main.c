/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haul-controlplane: one process, one thread, one libevent loop. It keeps what is true of its node in Redis, and tells
 * its dataplane and whoever asks over HTTP.
 */
#include "base/log.h"
#include "conf/controlplane.h"
#include "conf/load.h"
#include "controlplane/http/server.h"
#include "controlplane/link/link.h"

#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>

struct process {
	struct event_base *base;
	struct link *link;
	struct server *server;
	struct event *signals[2];
	bool is_ending;
};

static void process_end(void *arg)
{
	struct process *process = arg;

	(void)event_base_loopbreak(process->base);
}

/* The first signal asks for an orderly end, which is bounded; a second one does not wait for it. */
static void signal_came(evutil_socket_t number, short what, void *arg)
{
	struct process *process = arg;

	(void)number;
	(void)what;
	if (process->is_ending) {
		process_end(process);
		return;
	}
	process->is_ending = true;
	log_info("main", "ending");
	link_leave(process->link, process_end, process);
}

static bool process_begin(struct process *process, const struct controlplane_conf *conf)
{
	static const int numbers[] = { SIGTERM, SIGINT };

	process->base = event_base_new();
	if (process->base == NULL) {
		log_error("main", "no event loop");
		return false;
	}
	for (unsigned int i = 0; i < 2; i++) {
		process->signals[i] = evsignal_new(process->base, numbers[i], signal_came, process);
		if (process->signals[i] == NULL || evsignal_add(process->signals[i], NULL) != 0)
			return false;
	}
	return link_create(process->base, conf, &process->link) == 0 &&
	       server_create(process->base, conf, process->link, &process->server) == 0;
}

static void process_free(struct process *process)
{
	link_destroy(process->link);
	server_destroy(process->server);
	for (unsigned int i = 0; i < 2; i++) {
		if (process->signals[i] != NULL)
			event_free(process->signals[i]);
	}
	if (process->base != NULL)
		event_base_free(process->base);
	libevent_global_shutdown();
}

int main(int argc, char **argv)
{
	static struct controlplane_conf conf;
	static bool is_replacing;
	const struct conf_flag replace = {
		.name = "replace",
		.sentence = "take the node's name from another host that holds it, dead or not",
		.is_set_out = &is_replacing,
	};
	struct conf_section sections[] = { { &controlplane_conf_table, &conf } };
	struct conf_program program = {
		.name = "haul-controlplane",
		.version = HAUL_VERSION_TEXT,
		.sentence =
			"Keep what is true of a haul node in Redis, for its dataplane and haulctl.",
		.default_path = "/etc/haul/controlplane.conf",
		.sections = sections,
		.section_count = 1,
		.flag = &replace,
	};
	struct process process = { 0 };
	int status = conf_main(argc, argv, &program);

	if (status != CONF_MAIN_RUN)
		return status;
	log_set_level((enum log_level)conf.log_level);
	(void)signal(SIGPIPE, SIG_IGN);
	status = EXIT_FAILURE;
	if (process_begin(&process, &conf)) {
		log_info("main", "haul-controlplane %s, cluster %s", HAUL_VERSION_TEXT,
			 conf.cluster);
		if (is_replacing)
			link_replace(process.link);
		status = event_base_dispatch(process.base) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	process_free(&process);
	return status;
}
