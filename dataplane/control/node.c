/* SPDX-License-Identifier: BSD-3-Clause */
/* The node: how its parts are made, run and ended. node.h says what belongs to it. */
#include "control/node.h"

#include "base/auth.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/trace.h"
#include "control/table.h"
#include "engine/doze.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* How often ranges are looked at for faults, workers for their load, and left-over records for their erasure. */
#define NODE_HOUSEKEEPING_US 20000

/* How long a stop may wait for operations to end and for Redis to hear of it. */
#define NODE_STOP_MS 2000

/* Where the kernel tells which boot this is. */
#define NODE_BOOT_ID "/proc/sys/kernel/random/boot_id"

uint32_t node_addresses(struct node *node, struct haul_address addresses[])
{
	const struct engine *engine = &node->engine;
	uint32_t count = 0;

	for (uint32_t i = 0; i < engine->order_count; i++) {
		uint32_t id = engine->order[i];

		count += engine->ops[id]->addresses(engine->transports[id], &addresses[count],
						    HAUL_DESCRIPTOR_ADDRESSES_MAX - count);
	}
	return count;
}

void node_command_all(struct node *node, const struct worker_command *command)
{
	for (uint32_t i = 0; i < node->engine.options.worker_count; i++) {
		bool pushed = worker_command(node->engine.workers[i], command);

		BUG_ON(!pushed);
	}
}

static void node_on_connected(void *context)
{
	struct node *node = context;

	segment_publish_all(node);
	segment_tend(node);
	opening_refresh_all(node);
}

static void node_on_version_seen(void *context, const struct haul_control_version_seen *message)
{
	opening_version_seen(context, message);
}

/* A ping stands for "loop and every worker have gone round": it is answered when they have. */
struct node_ping {
	struct quiesce_action quiesce;
	struct node *node;
	uint32_t request;
};

static void node_answer_ping(struct quiesce_action *action)
{
	struct node_ping *ping = CONTAINER_OF(action, struct node_ping, quiesce);

	link_answer_ping(&ping->node->link, ping->request);
	free(ping);
}

static void node_on_ping(void *context, uint32_t request)
{
	struct node *node = context;
	struct node_ping *ping = malloc(sizeof(*ping));

	if (ping == NULL)
		return; /* silence is what a sick node tells */
	ping->node = node;
	ping->request = request;
	quiesce_call(&node->quiesce, &ping->quiesce, node_answer_ping);
}

static int node_on_table(void *context, uint32_t table, uint32_t *rows_out, uint32_t *row_bytes_out)
{
	return table_make(context, table, rows_out, row_bytes_out);
}

static const struct link_events node_link_events = {
	.connected = node_on_connected,
	.version_seen = node_on_version_seen,
	.ping = node_on_ping,
	.table = node_on_table,
};

static void node_on_signal(int fd, short what, void *argument)
{
	struct node *node = argument;

	(void)what;
	log_info("node", "%s: stops on signal %d", node->conf->node, fd);
	event_base_loopbreak(node->base);
}

static void node_on_housekeeping(int fd, short what, void *argument)
{
	struct node *node = argument;
	uint64_t faults = fault_count();

	(void)fd;
	(void)what;
	if (faults != node->faults_seen) {
		node->faults_seen = faults;
		segment_check_faults(node);
		client_check_faults(node);
	}
	balance_read(&node->balance, clock_now_us());
	client_listen_again(node);
	if (node->link.is_greeted)
		segment_tend(node);
}

static int node_make_events(struct node *node)
{
	const struct timeval interval = { .tv_usec = NODE_HOUSEKEEPING_US };

	node->base = event_base_new();
	if (node->base == NULL)
		return -ENOMEM;
	node->stop_term = evsignal_new(node->base, SIGTERM, node_on_signal, node);
	node->stop_int = evsignal_new(node->base, SIGINT, node_on_signal, node);
	node->housekeeping = event_new(node->base, -1, EV_PERSIST, node_on_housekeeping, node);
	if (node->stop_term == NULL || node->stop_int == NULL || node->housekeeping == NULL)
		return -ENOMEM;
	event_add(node->stop_term, NULL);
	event_add(node->stop_int, NULL);
	event_add(node->housekeeping, &interval);
	return 0;
}

/*
 * One group for the loop, one for regions, one a driver; a block of each for every worker. Last those of the control
 * thread, which has the first worker's block.
 */
static int node_make_counters(struct node *node)
{
	struct counter_group groups[5 + TRANSPORTS_MAX] = { worker_counters, region_counters };
	int error;

	for (uint32_t i = 0; i < node->driver_count; i++)
		groups[2 + i] = *node->drivers[i].ops->counters;
	groups[2 + node->driver_count] = opening_counters;
	groups[3 + node->driver_count] = refusal_counters;
	groups[4 + node->driver_count] = drain_counters;
	error = counters_create(node->conf->counters_file, groups, 5 + node->driver_count,
				node->engine.options.worker_count, &node->counters);
	if (error != 0) {
		log_error("node", "counters file %s: cannot be made: %s", node->conf->counters_file,
			  strerrordesc_np(-error));
		return error;
	}
	node->opening_counters = counters_block(node->counters, 2 + node->driver_count, 0);
	node->refusals.counters = counters_block(node->counters, 3 + node->driver_count, 0);
	node->drains.counters = counters_block(node->counters, 4 + node->driver_count, 0);
	return 0;
}

/* Beside the counters: one ring a worker, and the control thread's, which is this one. */
static int node_make_trace(struct node *node)
{
	const uint32_t workers = node->engine.options.worker_count;
	char path[CONF_PATH_BYTES + sizeof(TRACE_SUFFIX)];
	int error;

	(void)snprintf(path, sizeof(path), "%s" TRACE_SUFFIX, node->conf->counters_file);
	error = trace_create(path, workers + 1, &node->engine.trace);
	if (error != 0) {
		log_error("node", "trace file %s: cannot be made: %s", path,
			  strerrordesc_np(-error));
		return error;
	}
	trace_bind(node->engine.trace, workers);
	return 0;
}

static int node_make_workers(struct node *node)
{
	struct engine *engine = &node->engine;
	int error = region_table_init(&engine->regions, ENGINE_REGIONS_MAX);
	uint32_t random;

	auth_random(&random, sizeof(random));
	if (error == 0)
		region_table_seed(&engine->regions, random);
	if (error == 0)
		error = keyring_init(&engine->keyring, SEGMENTS_MAX);
	if (error == 0)
		error = notifier_table_init(&engine->notifiers);
	engine->workers = calloc(engine->options.worker_count, sizeof(struct worker *));
	if (engine->workers == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < engine->options.worker_count && error == 0; i++)
		error = worker_create(engine, i, counters_block(node->counters, 0, i),
				      counters_block(node->counters, 1, i), &engine->workers[i]);
	balance_init(&node->balance, engine, clock_now_us());
	return error;
}

/* The order that the configuration wants; an unknown name is an error that lists what is built in. */
static const struct node_driver *node_find_driver(const struct node *node, const char *name,
						  uint32_t *index_out)
{
	for (uint32_t i = 0; i < node->driver_count; i++) {
		if (strcmp(node->drivers[i].ops->name, name) == 0) {
			*index_out = i;
			return &node->drivers[i];
		}
	}
	log_error("node", "transport \"%s\": not built in; there are:", name);
	for (uint32_t i = 0; i < node->driver_count; i++)
		log_error("node", "transport \"%s\"", node->drivers[i].ops->name);
	return NULL;
}

static int node_open_driver(struct node *node, const struct node_driver *driver, uint32_t index)
{
	struct engine *engine = &node->engine;
	uint32_t id = driver->ops->id;
	struct transport_setup setup = {
		.node = node->conf->node,
		.incarnation = engine->options.incarnation,
		.cluster_key = node->cluster_key,
		.conf = driver->conf,
		.worker_count = engine->options.worker_count,
		.is_armed = engine->options.idle_policy != IDLE_POLL,
		.rails_max = ENGINE_RAIL_NUMBERS,
		.slices_max = ENGINE_SLICES_MAX,
		.host = &worker_host,
		.workers = engine->workers,
		.counters = node->driver_counters[index],
	};
	int error;

	for (uint32_t i = 0; i < setup.worker_count; i++)
		node->driver_counters[index][i] = counters_block(node->counters, 2 + index, i);
	error = driver->ops->open(&setup, &engine->transports[id]);
	if (error != 0) {
		log_error("node", "transport %s: cannot be opened: %s", driver->ops->name,
			  strerrordesc_np(-error));
		return error;
	}
	engine->ops[id] = driver->ops;
	engine->order[engine->order_count++] = (uint8_t)id;
	for (uint32_t i = 0; i < setup.worker_count; i++)
		engine->workers[i]->transports[id] = driver->ops->worker(engine->transports[id], i);
	return 0;
}

static int node_open_drivers(struct node *node)
{
	for (uint32_t i = 0; i < node->conf->transport_count; i++) {
		const struct node_driver *driver;
		uint32_t index;
		int error;

		driver = node_find_driver(node, node->conf->transports[i], &index);
		if (driver == NULL)
			return -EINVAL;
		if (node->engine.ops[driver->ops->id] != NULL) {
			log_error("node", "transport \"%s\": named twice", driver->ops->name);
			return -EINVAL;
		}
		error = node_open_driver(node, driver, index);
		if (error != 0)
			return error;
	}
	return 0;
}

static int node_start_workers(struct node *node)
{
	for (uint32_t i = 0; i < node->engine.options.worker_count; i++) {
		int cpu = node->conf->worker_count > 0 ? (int)node->conf->workers[i] : -1;
		int error = worker_start(node->engine.workers[i], cpu);

		if (error != 0) {
			log_error("node", "worker %u on processor %d: cannot start: %s", i, cpu,
				  strerrordesc_np(-error));
			return error;
		}
	}
	return 0;
}

/* Which boot of the host this is: the same one may take its node's name back at once. */
static void node_boot_id(char out[HAUL_NAME_BYTES])
{
	int fd = open(NODE_BOOT_ID, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, out, HAUL_NAME_BYTES - 1);

	if (fd >= 0)
		close(fd);
	if (length <= 0)
		length = 0;
	out[length] = 0;
	out[strcspn(out, "\n")] = 0;
}

static int node_open_link(struct node *node)
{
	struct haul_control_hello hello = { 0 };

	hello.incarnation = node->engine.options.incarnation;
	hello.address_count = node_addresses(node, hello.addresses);
	memcpy(hello.node, node->conf->node, sizeof(hello.node));
	node_boot_id(hello.host);
	return link_open(&node->link, node->base, node->conf->control_socket, &hello,
			 &node_link_events, node);
}

static void node_set_options(struct node *node)
{
	struct engine_options *options = &node->engine.options;
	const struct dataplane_conf *conf = node->conf;

	options->worker_count = dataplane_conf_workers(conf);
	options->operation_timeout_ms = conf->operation_timeout_ms;
	options->idle_policy = (enum idle_policy)conf->idle_policy;
	options->idle_spin_us = conf->idle_spin_us;
	options->idle_sleep_max_us = conf->idle_sleep_max_us;
	options->doze_max_us = DOZE_US_MAX;
	auth_random(&options->incarnation, sizeof(options->incarnation));
	options->incarnation |= 1; /* never 0, which means none */
}

/* What needs no thread but this one. */
static int node_prepare(struct node *node)
{
	int error = auth_key_load(node->conf->cluster_key_file, node->cluster_key);

	if (error != 0) {
		log_error("node", "cluster key %s: cannot be loaded: %s",
			  node->conf->cluster_key_file, strerrordesc_np(-error));
		return error;
	}
	error = fault_init();
	if (error == 0)
		error = node_make_events(node);
	if (error == 0)
		error = quiesce_init(&node->quiesce, node->base, &node->engine);
	if (error == 0)
		error = drains_init(node);
	if (error == 0)
		error = segment_prepare(node);
	if (error == 0)
		error = job_lane_start(&node->lane_long, node->base, "haul-long");
	if (error == 0)
		error = node_make_counters(node);
	if (error == 0)
		error = node_make_trace(node);
	return error;
}

int node_create(struct node *node, const struct dataplane_conf *conf,
		const struct node_driver *drivers, uint32_t driver_count)
{
	int error;

	BUG_ON(driver_count > TRANSPORTS_MAX);
	memset(node, 0, sizeof(*node));
	node->conf = conf;
	node->drivers = drivers;
	node->driver_count = driver_count;
	node->clients.listener = -1;
	node->lane_long.done_fd = -1;
	TAILQ_INIT(&node->clients.list);
	TAILQ_INIT(&node->segments);
	TAILQ_INIT(&node->segments_over);
	TAILQ_INIT(&node->buffers_over);
	TAILQ_INIT(&node->openings);
	node_set_options(node);
	error = node_prepare(node);
	if (error == 0)
		error = node_make_workers(node);
	if (error == 0)
		error = node_open_drivers(node);
	if (error == 0)
		error = node_start_workers(node);
	if (error == 0)
		error = connector_start(node);
	if (error == 0)
		error = node_open_link(node);
	if (error == 0)
		error = client_listen(node);
	return error;
}

/* Is there a client whose operations are not back, or whose records a control plane can still erase? */
static bool node_has_clients(const struct node *node)
{
	const struct client *client;

	TAILQ_FOREACH(client, &node->clients.list, link)
	{
		if (client->rings != NULL || node->link.is_greeted)
			return true;
	}
	return false;
}

/* Let clients end, operations come back and records be erased, for a bounded time. */
static void node_wind_down(struct node *node)
{
	uint64_t until_us = clock_now_us() + NODE_STOP_MS * 1000ull;

	client_stop(node);
	while (node_has_clients(node) && clock_now_us() < until_us)
		event_base_loop(node->base, EVLOOP_ONCE);
}

void node_run(struct node *node)
{
	log_info("node", "%s: serves on %s", node->conf->node, node->conf->attach_socket);
	event_base_dispatch(node->base);
	node_wind_down(node);
}

/* Workers first, since they call into the drivers. */
static void node_stop_engine(struct node *node)
{
	struct engine *engine = &node->engine;

	for (uint32_t i = 0; engine->workers != NULL && i < engine->options.worker_count; i++) {
		if (engine->workers[i] != NULL)
			worker_stop(engine->workers[i]);
	}
	for (uint32_t i = 0; i < engine->order_count; i++)
		engine->ops[engine->order[i]]->close(engine->transports[engine->order[i]]);
	engine->order_count = 0;
}

static void node_free_engine(struct node *node)
{
	struct engine *engine = &node->engine;

	for (uint32_t i = 0; engine->workers != NULL && i < engine->options.worker_count; i++)
		worker_destroy(engine->workers[i]);
	free(engine->workers);
	engine->workers = NULL;
	region_table_destroy(&engine->regions);
	keyring_destroy(&engine->keyring);
	notifier_table_destroy(&engine->notifiers);
}

void node_destroy(struct node *node)
{
	client_stop(node);
	connector_stop(node);
	node_stop_engine(node);
	/* From here on nothing is asked any more, jobs run within their call, and every worker has passed. */
	link_close(&node->link);
	job_lane_stop(&node->lane_long);
	client_free_channels(node);
	drains_destroy(node);
	quiesce_destroy(&node->quiesce);
	segment_free_all(node);
	BUG_ON(!TAILQ_EMPTY(&node->clients.list) || !TAILQ_EMPTY(&node->openings));
	node_free_engine(node);
	trace_destroy(node->engine.trace);
	node->engine.trace = NULL;
	counters_destroy(node->counters);
	if (node->stop_term != NULL)
		event_free(node->stop_term);
	if (node->stop_int != NULL)
		event_free(node->stop_int);
	if (node->housekeeping != NULL)
		event_free(node->housekeeping);
	if (node->base != NULL)
		event_base_free(node->base);
}
