/* SPDX-License-Identifier: BSD-3-Clause */
/* haul-dataplane: reads its configuration, makes a node out of it and the drivers that are built in, and runs it. */
#include "base/check.h"
#include "base/log.h"
#include "base/weaken.h"
#include "conf/dataplane.h"
#include "conf/load.h"
#include "control/node.h"
#include "drivers/drivers.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#ifndef HAUL_VERSION_TEXT
#define HAUL_VERSION_TEXT "unknown"
#endif

static struct dataplane_conf main_conf;
static struct node main_node;
static struct node_driver main_drivers[TRANSPORTS_MAX];
static struct conf_section main_sections[1 + TRANSPORTS_MAX];

/* The daemon's own keys, then those of each driver that has some. Returns the number of sections. */
static unsigned int main_fill_sections(void)
{
	unsigned int count = 0;

	BUG_ON(drivers_count > TRANSPORTS_MAX);
	main_sections[count].table = &dataplane_conf_table;
	main_sections[count++].target = &main_conf;
	for (unsigned int i = 0; i < drivers_count; i++) {
		const struct transport_ops *ops = drivers_all[i];
		void *conf = NULL;

		if (ops->keys != NULL) {
			conf = calloc(1, ops->conf_bytes);
			BUG_ON(conf == NULL);
			main_sections[count].table = ops->keys;
			main_sections[count++].target = conf;
		}
		main_drivers[i].ops = ops;
		main_drivers[i].conf = conf;
	}
	return count;
}

static void main_free_drivers(void)
{
	for (unsigned int i = 0; i < drivers_count; i++)
		free((void *)(uintptr_t)main_drivers[i].conf);
}

/* Four descriptors a client until it has its own, and the usual soft limit is 1024. */
static void main_raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		log_warning("main", "the limit of descriptors cannot be raised: %s",
			    strerrordesc_np(errno));
}

#ifdef HAUL_DEBUG
/* Tests alone ask for it, and nobody should have it unaware. Returns false when it is not understood. */
static bool main_weaken(void)
{
	/* Called before there is any other thread. NOLINTNEXTLINE(concurrency-mt-unsafe) */
	const char *words = getenv("HAUL_WEAKEN");

	if (weaken_parse(words) != 0) {
		log_error("main",
			  "HAUL_WEAKEN=%s: generation, fence, freshness, grant are what there is",
			  words);
		return false;
	}
	if (weaken_bits != 0)
		log_warning("main", "HAUL_WEAKEN=%s: this daemon lets stale bytes through", words);
	return true;
}
#else
static bool main_weaken(void)
{
	return true;
}
#endif

int main(int argc, char **argv)
{
	const struct conf_program program = {
		.name = "haul-dataplane",
		.version = HAUL_VERSION_TEXT,
		.sentence = "moves bytes between the memories of machines",
		.default_path = "/etc/haul/dataplane.conf",
		.sections = main_sections,
		.section_count = main_fill_sections(),
	};
	int status = conf_main(argc, argv, &program);

	if (status == CONF_MAIN_RUN && !main_weaken())
		status = EXIT_FAILURE;
	if (status == CONF_MAIN_RUN) {
		signal(SIGPIPE, SIG_IGN);
		main_raise_descriptors();
		log_set_level((enum log_level)main_conf.log_level);
		status = EXIT_FAILURE;
		if (node_create(&main_node, &main_conf, main_drivers, drivers_count) == 0) {
			node_run(&main_node);
			status = EXIT_SUCCESS;
		}
		node_destroy(&main_node);
	}
	main_free_drivers();
	return status;
}
