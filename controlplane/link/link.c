/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Created by main, on the loop's thread. Owns everything below it in the picture of link.h. Dataplane messages are
 * checked here once, copied where they outlive the call, and handed to the module that they concern.
 */
#include "controlplane/link/link.h"

#include "api/haul_attach.h"
#include "api/haul_error.h"
#include "base/check.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/names.h"
#include "base/seqpacket.h"
#include "conf/controlplane.h"
#include "controlplane/link/observer.h"
#include "controlplane/link/publication.h"
#include "controlplane/link/reconcile.h"
#include "controlplane/link/sweep.h"
#include "controlplane/link/watch.h"
#include "controlplane/model/buffer.h"
#include "controlplane/model/liveness.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Beats that may pass without an answer to a PING before the dataplane counts as not answering. */
#define LINK_PING_SILENT_MAX 2u

/* One PING is under way at a time; after so many silent beats another one is tried. */
#define LINK_PING_AGAIN 10u

struct link {
	const struct controlplane_conf *conf;
	struct event_base *base;
	struct registry *registry;
	struct liveness *liveness;
	struct standing *standing;
	struct publications *publications;
	struct watches *watches;
	struct requests *requests;
	struct listings *listings;
	struct reconcile *reconcile;
	struct observer *observer;
	struct sweep *sweep;
	struct door *door;
	struct event *ping;
	struct event *leave;     /* an orderly end is under way: its timer */
	void (*left)(void *arg); /* NULL: no end is under way */
	void *left_arg;
	bool is_leave_sent;
	uint64_t incarnation; /* of the dataplane that said HELLO last */
	uint32_t ping_id;
	unsigned int pings_silent; /* beats since the last answer */
	struct link_stats stats;
};

static void timer_arm(struct event *timer, unsigned int ms)
{
	struct timeval after = { ms / 1000, (suseconds_t)(ms % 1000) * 1000 };

	(void)evtimer_add(timer, &after);
}

/* Tell the dataplane how its node stands. */
static void node_state_send(struct link *link)
{
	struct haul_control_node_state message = { 0 };
	enum standing_state state = standing_state(link->standing);

	frame_fill(&message.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_NODE_STATE, sizeof(message),
		   0);
	message.state = HAUL_NODE_UNKNOWN;
	if (state == STANDING_PUBLISHED)
		message.state = HAUL_NODE_PUBLISHED;
	else if (state == STANDING_REFUSED)
		message.state = HAUL_NODE_REFUSED;
	standing_reason(link->standing, message.reason);
	(void)door_send(link->door, &message, -1, true);
}

/* What is in doubt can be written, and what waits can be asked. */
static void work_go_on(struct link *link)
{
	if (standing_state(link->standing) == STANDING_PUBLISHED)
		publications_pump(link->publications, standing_writer(link->standing));
	requests_pump(link->requests);
}

static void standing_changed(void *arg)
{
	struct link *link = arg;

	node_state_send(link);
	work_go_on(link);
}

static void registry_became_ready(void *arg, bool epoch_is_new)
{
	struct link *link = arg;

	liveness_reset(link->liveness);
	if (epoch_is_new) {
		log_warning("link",
			    "redis has another data set than before: "
			    "publishing the node and %u segments again",
			    publications_count(link->publications));
		publications_doubt_all(link->publications);
		requests_epoch_is_new(link->requests);
	}
	standing_registry_ready(link->standing);
	reconcile_now(link->reconcile);
	requests_pump(link->requests);
}

static void registry_became_lost(void *arg)
{
	struct link *link = arg;

	liveness_reset(link->liveness);
	standing_registry_lost(link->standing);
}

static void registry_event(void *arg, const struct streams_event *event)
{
	struct link *link = arg;
	uint64_t epoch = registry_epoch(link->registry);

	link->stats.events++;
	if (event->kind == STREAMS_PUBLISH) {
		watches_report(link->watches, event->name, event->incarnation, event->version,
			       epoch);
	} else if (event->kind == STREAMS_ERASE) {
		watches_erased(link->watches, event->name, event->version, epoch);
	} else if (event->kind == STREAMS_NODE && event->incarnation != link->incarnation &&
		   strcmp(event->name, standing_writer(link->standing)->node) == 0) {
		standing_doubt(link->standing);
	}
}

static void registry_gap(void *arg)
{
	struct link *link = arg;

	link->stats.gaps++;
	reconcile_now(link->reconcile);
}

static void record_found(void *arg, const char *segment, enum reconcile_state state,
			 uint64_t incarnation, uint64_t version)
{
	struct link *link = arg;

	if (state == RECONCILE_PRESENT) {
		watches_report(link->watches, segment, incarnation, version,
			       registry_epoch(link->registry));
		publications_compare(link->publications, segment, incarnation, version);
	} else if (state == RECONCILE_ABSENT) {
		if (!requests_is_settling(link->requests))
			watches_absent(link->watches, segment);
		publications_compare(link->publications, segment, 0, 0);
	}
}

static void round_done(void *arg)
{
	work_go_on(arg);
}

static int version_tell(void *arg, const char *segment, uint64_t incarnation, uint64_t version)
{
	struct link *link = arg;
	struct haul_control_version_seen message = { .version = version,
						     .incarnation = incarnation };
	int error = 0;

	frame_fill(&message.frame, HAUL_CONTROL_VERSION, HAUL_CONTROL_VERSION_SEEN, sizeof(message),
		   0);
	(void)snprintf(message.segment, sizeof(message.segment), "%s", segment);
	error = door_send(link->door, &message, -1, false);
	if (error == 0)
		link->stats.versions_seen++;
	return error;
}

static void answer_tell(void *arg, const struct haul_control_answer *answer, int fd)
{
	struct link *link = arg;

	(void)door_send(link->door, answer, fd, true);
}

static int table_ask(void *arg, const struct haul_control_table *message)
{
	struct link *link = arg;

	return door_send(link->door, message, -1, true);
}

static void dataplane_entered(void *arg, const struct haul_control_hello *hello)
{
	struct link *link = arg;

	if (hello->incarnation != link->incarnation)
		publications_clear(link->publications);
	else
		publications_unconfirm(link->publications);
	link->incarnation = hello->incarnation;
	link->pings_silent = 0;
	standing_begin(link->standing, hello);
	sweep_begin(link->sweep);
	node_state_send(link);
	timer_arm(link->ping, 0);
}

static void leave_go_on(struct link *link);

static void dataplane_left(void *arg)
{
	struct link *link = arg;

	(void)evtimer_del(link->ping);
	sweep_end(link->sweep);
	requests_drop(link->requests);
	listings_drop(link->listings);
	watches_clear(link->watches);
	standing_end(link->standing);
	if (link->left != NULL)
		leave_go_on(link);
}

static void dataplane_drained(void *arg)
{
	struct link *link = arg;

	watches_flush(link->watches);
}

/* Take a descriptor out of the memfd that came with a SEGMENT_PUBLISH. Returns 0 or an error with its reason. */
static int descriptor_take(struct link *link, const struct haul_control_segment *message, int fd,
			   struct haul_descriptor **out, size_t *length_out, char *reason)
{
	struct haul_descriptor *descriptor = NULL;
	void *bytes = NULL;
	int error = fd < 0 ? -EBADF : memfd_to_bytes(fd, DESCRIPTOR_BYTES_MAX, &bytes, length_out);

	if (error != 0) {
		(void)snprintf(reason, HAUL_REASON_BYTES, "the descriptor's memfd: %s",
			       strerrordesc_np(-error));
		return -HAUL_INVALID;
	}
	descriptor = bytes;
	error = descriptor_check(bytes, *length_out, reason);
	if (error == 0 &&
	    (strcmp(descriptor->segment, message->segment) != 0 ||
	     strcmp(descriptor->node, standing_writer(link->standing)->node) != 0 ||
	     descriptor->incarnation != link->incarnation || descriptor->rights != 0)) {
		(void)snprintf(reason, HAUL_REASON_BYTES,
			       "the descriptor names another segment, node or incarnation than the "
			       "message and the HELLO, or has rights");
		error = -HAUL_INVALID;
	}
	if (error == 0)
		*out = descriptor;
	else
		free(bytes);
	return error;
}

/*
 * May this descriptor follow the one that Redis is known to hold? A dataplane that takes memory away before it has said
 * so is in error, and nothing of it may be published. Only when that is the very version that the dataplane knows: an
 * answer that came too late for it was not believed, and it takes back what it was about.
 */
static int lifecycle_check(struct link *link, const struct haul_descriptor *descriptor,
			   uint64_t version, char *reason)
{
	const struct haul_descriptor *known =
		publications_known(link->publications, descriptor->segment);
	int error;

	if (known == NULL || known->incarnation != descriptor->incarnation ||
	    known->metadata_version != version)
		return 0;
	error = buffer_sets_check(
		(struct buffer_set){ descriptor_buffers(known), known->buffer_count },
		(struct buffer_set){ descriptor_buffers(descriptor), descriptor->buffer_count },
		reason);
	if (error == -HAUL_INVALID)
		link->stats.illegal++;
	if (error == -ENOMEM) {
		(void)snprintf(reason, HAUL_REASON_BYTES, "no memory to compare the buffers");
		return -HAUL_SYSTEM;
	}
	return error;
}

static void publish_take(struct link *link, const struct haul_frame *frame, int fd)
{
	const struct haul_control_segment *message = (const void *)frame;
	struct haul_descriptor *descriptor = NULL;
	size_t length = 0;
	char reason[HAUL_REASON_BYTES];
	int error = descriptor_take(link, message, fd, &descriptor, &length, reason);

	if (error == 0)
		error = lifecycle_check(link, descriptor, message->version, reason);
	if (error == 0) {
		requests_publish(link->requests, message, descriptor, length);
		return;
	}
	free(descriptor);
	door_refuse(link->door, frame, error, reason);
}

static void open_take(struct link *link, const struct haul_frame *frame)
{
	const struct haul_control_open *message = (const void *)frame;

	if (message->reserved != 0 || message->rights == 0 ||
	    (message->rights & ~(HAUL_RIGHT_READ | HAUL_RIGHT_WRITE)) != 0) {
		door_refuse(link->door, frame, -HAUL_INVALID,
			    "no rights, rights that are not known, or reserved bytes not zero");
	} else if (!name_is_valid(message->segment, sizeof(message->segment)) ||
		   !name_is_valid(message->tenant, sizeof(message->tenant))) {
		door_refuse(link->door, frame, -HAUL_INVALID,
			    "the name of the segment or the tenant is not " NAMES_ALLOWED);
	} else {
		requests_open(link->requests, message);
	}
}

static void ping_answered(struct link *link, const struct haul_frame *frame)
{
	if (frame->request != link->ping_id)
		return;
	link->pings_silent = 0;
	link->stats.pongs++;
	standing_pulse(link->standing);
}

/* The length of a message that a dataplane may send; 0 = it may not. */
static size_t message_bytes(uint16_t type)
{
	switch (type) {
	case HAUL_CONTROL_SEGMENT_PUBLISH:
	case HAUL_CONTROL_SEGMENT_ERASE:
	case HAUL_CONTROL_SEGMENT_CLOSE:
		return sizeof(struct haul_control_segment);
	case HAUL_CONTROL_SEGMENT_OPEN:
		return sizeof(struct haul_control_open);
	case HAUL_CONTROL_PING | HAUL_FRAME_ANSWER:
		return sizeof(struct haul_frame);
	case HAUL_CONTROL_TABLE | HAUL_FRAME_ANSWER:
		return sizeof(struct haul_control_table_answer);
	default:
		return 0;
	}
}

/* NULL, or what is wrong with a message's length, type or segment. */
static const char *message_check(const struct haul_frame *frame)
{
	const struct haul_control_segment *message = (const void *)frame;
	size_t due = message_bytes(frame->type);

	if (due == 0)
		return "its type is not known, or not for a dataplane to send";
	if (frame->length != due)
		return "it has another length than its type";
	if (due == sizeof(*message) && !name_is_valid(message->segment, sizeof(message->segment)))
		return "the segment's name is not " NAMES_ALLOWED;
	return NULL;
}

static void dataplane_message(void *arg, const struct haul_frame *frame, int fd)
{
	struct link *link = arg;
	const char *wrong = message_check(frame);

	if (wrong != NULL) {
		door_refuse(link->door, frame, -HAUL_INVALID, wrong);
	} else if (frame->type == (HAUL_CONTROL_TABLE | HAUL_FRAME_ANSWER)) {
		listings_answer(link->listings, frame, fd);
		return;
	} else if (frame->type == HAUL_CONTROL_SEGMENT_PUBLISH) {
		publish_take(link, frame, fd);
	} else if (frame->type == HAUL_CONTROL_SEGMENT_ERASE) {
		requests_erase(link->requests, (const void *)frame);
	} else if (frame->type == HAUL_CONTROL_SEGMENT_OPEN) {
		open_take(link, frame);
	} else if (frame->type == HAUL_CONTROL_SEGMENT_CLOSE) {
		watches_close(link->watches,
			      ((const struct haul_control_segment *)(const void *)frame)->segment);
	} else {
		ping_answered(link, frame);
	}
	if (fd >= 0)
		(void)close(fd);
}

static void ping_fired(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;
	struct haul_frame message;

	(void)fd;
	(void)what;
	timer_arm(link->ping, link->conf->beat_ms);
	if (link->pings_silent++ % LINK_PING_AGAIN != 0)
		return;
	link->ping_id = link->ping_id == UINT32_MAX ? 1 : link->ping_id + 1;
	link->stats.pings++;
	frame_fill(&message, HAUL_CONTROL_VERSION, HAUL_CONTROL_PING, sizeof(message),
		   link->ping_id);
	(void)door_send(link->door, &message, -1, true);
}

static void leave_done(struct link *link)
{
	void (*left)(void *arg) = link->left;

	(void)evtimer_del(link->leave);
	link->left = NULL;
	if (left != NULL)
		left(link->left_arg);
}

static void leave_answered(void *arg, const struct registry_answer *answer)
{
	struct link *link = arg;

	if (answer->error == 0) {
		log_info("node", "%s: left; its segments are retired",
			 standing_writer(link->standing)->node);
	} else {
		log_warning("node", "%s: could not leave: %s",
			    standing_writer(link->standing)->node, answer->reason);
	}
	leave_done(link);
}

/* The dataplane is gone: give the name back. */
static void leave_go_on(struct link *link)
{
	if (link->is_leave_sent)
		return;
	link->is_leave_sent = true;
	timer_arm(link->leave, LINK_LEAVE_MS);
	if (standing_leave(link->standing, leave_answered, link) != 0)
		leave_done(link);
}

static void leave_fired(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd;
	(void)what;
	if (!link->is_leave_sent)
		log_info("node", "%s: its dataplane still runs, so the node stays",
			 standing_writer(link->standing)->node);
	leave_done(link);
}

void link_leave(struct link *link, void (*done)(void *arg), void *arg)
{
	if (link->left != NULL)
		return;
	link->left = done;
	link->left_arg = arg;
	if (!door_has_dataplane(link->door))
		leave_go_on(link);
	else
		timer_arm(link->leave, LINK_LEAVE_MS);
}

static int registry_make(struct link *link)
{
	const struct controlplane_conf *conf = link->conf;
	struct registry_conf registry_conf = {
		.connection = {
			.socket = conf->redis.socket,
			.host = conf->redis.host,
			.port = (uint16_t)conf->redis.port,
			.password_file = conf->redis.password_file,
			.timeout_ms = conf->redis.timeout_ms,
			.backoff_min_ms = conf->redis.backoff_min_ms,
			.backoff_max_ms = conf->redis.backoff_max_ms,
		},
		.cluster = conf->cluster,
		.events_max = conf->events_max,
	};
	struct registry_events events = { registry_became_ready, registry_became_lost,
					  registry_event, registry_gap, link };

	return registry_create(link->base, &registry_conf, &events, &link->registry);
}

static int reconcile_make(struct link *link)
{
	struct reconcile_conf conf = { link->base, link->registry, link->publications,
				       link->watches, link->conf->reconcile_ms };
	struct reconcile_events events = { record_found, round_done, link };

	return reconcile_create(&conf, &events, &link->reconcile);
}

/* What follows from the registry, in the order of what needs what. */
static int modules_make(struct link *link)
{
	const struct controlplane_conf *conf = link->conf;
	struct standing_events standing_events = { standing_changed, link };
	struct listings_conf listings_conf = { link->base, conf->redis.timeout_ms, table_ask,
					       link };
	int error = liveness_create(conf->suspect_ms, conf->dead_ms, &link->liveness);

	if (error == 0)
		error = standing_create(link->base, link->registry, link->liveness, conf->beat_ms,
					&standing_events, &link->standing);
	if (error == 0)
		error = publications_create(link->registry, &link->publications);
	if (error == 0)
		error = watches_create(version_tell, link, &link->watches);
	if (error == 0)
		error = listings_create(&listings_conf, &link->listings);
	if (error == 0)
		error = reconcile_make(link);
	if (error == 0)
		error = observer_create(link->base, link->registry, link->liveness, conf->beat_ms,
					&link->observer);
	if (error == 0)
		error = sweep_create(link->base, link->registry, link->standing, link->publications,
				     &link->sweep);
	return error;
}

static int requests_make(struct link *link)
{
	struct requests_conf conf = {
		.base = link->base,
		.registry = link->registry,
		.standing = link->standing,
		.publications = link->publications,
		.watches = link->watches,
		.timeout_ms = link->conf->redis.timeout_ms,
		.settle_ms = link->conf->suspect_ms + link->conf->dead_ms,
		.answer = answer_tell,
		.arg = link,
	};

	return requests_create(&conf, &link->requests);
}

int link_create(struct event_base *base, const struct controlplane_conf *conf, struct link **out)
{
	struct link *link = calloc(1, sizeof(*link));
	struct door_events events = { dataplane_entered, dataplane_message, dataplane_left,
				      dataplane_drained, link };
	int error = 0;

	if (link == NULL)
		return -ENOMEM;
	link->base = base;
	link->conf = conf;
	link->ping = evtimer_new(base, ping_fired, link);
	link->leave = evtimer_new(base, leave_fired, link);
	if (link->ping == NULL || link->leave == NULL)
		error = -ENOMEM;
	if (error == 0)
		error = registry_make(link);
	if (error == 0)
		error = modules_make(link);
	if (error == 0)
		error = requests_make(link);
	if (error == 0)
		error = door_create(base, conf->control_socket, conf->control_mode, &events,
				    &link->door);
	if (error != 0) {
		link_destroy(link);
		return error;
	}
	*out = link;
	return 0;
}

void link_destroy(struct link *link)
{
	if (link == NULL)
		return;
	/* First of all what calls back into the rest: its open calls are answered here. */
	link->left = NULL;
	registry_destroy(link->registry);
	door_destroy(link->door);
	sweep_destroy(link->sweep);
	observer_destroy(link->observer);
	reconcile_destroy(link->reconcile);
	listings_destroy(link->listings);
	requests_destroy(link->requests);
	watches_destroy(link->watches);
	publications_destroy(link->publications);
	standing_destroy(link->standing);
	liveness_destroy(link->liveness);
	if (link->leave != NULL)
		event_free(link->leave);
	if (link->ping != NULL)
		event_free(link->ping);
	free(link);
}

void link_replace(struct link *link)
{
	standing_replace(link->standing);
}

struct registry *link_registry(struct link *link)
{
	return link->registry;
}

struct liveness *link_liveness(struct link *link)
{
	return link->liveness;
}

struct listings *link_listings(struct link *link)
{
	return link->listings;
}

void link_status(struct link *link, struct link_status *status)
{
	const struct registry_writer *writer = standing_writer(link->standing);

	memset(status, 0, sizeof(*status));
	status->has_dataplane = door_has_dataplane(link->door);
	status->is_answering = status->has_dataplane && link->pings_silent < LINK_PING_SILENT_MAX;
	status->pid = door_pid(link->door);
	(void)snprintf(status->node, sizeof(status->node), "%s", writer->node);
	status->incarnation = writer->incarnation;
	status->term = writer->term;
	status->standing = standing_state(link->standing);
	standing_reason(link->standing, status->standing_reason);
	status->redis_word = registry_state_word(link->registry);
	status->redis_address = registry_address(link->registry);
	registry_reason(link->registry, status->redis_reason);
	status->epoch = registry_epoch(link->registry);
	status->published = publications_count(link->publications);
	status->doubtful = publications_doubtful(link->publications);
	status->watched = watches_count(link->watches);
	status->requests = requests_open_count(link->requests);
	status->reconciled = reconcile_rounds(link->reconcile);
}

const struct link_stats *link_stats(const struct link *link)
{
	return &link->stats;
}

const struct door_stats *link_door_stats(const struct link *link)
{
	return door_stats(link->door);
}

const struct requests_stats *link_requests_stats(const struct link *link)
{
	return requests_stats(link->requests);
}
