/* SPDX-License-Identifier: BSD-3-Clause */
/* Notifications that come in; notify.h says where they go. */
#include "engine/notify.h"

#include "base/check.h"
#include "engine/notices.h"
#include "engine/notifier.h"
#include "engine/worker.h"

#include <string.h>

/* The client is woken when the round ends: a burst of notifications wakes it once. */
static void notify_note(struct worker *worker, struct notices *notices)
{
	struct notify *notify = &worker->notify;

	for (uint32_t i = notify->count; i > 0; i--) {
		if (notify->rings[i - 1] == notices)
			return;
	}
	if (notify->count < NOTIFY_RINGS)
		notify->rings[notify->count++] = notices;
	else
		notices_wake(notices);
}

void notify_wake_all(struct worker *worker)
{
	struct notify *notify = &worker->notify;

	for (uint32_t i = 0; i < notify->count; i++)
		worker->counters[WORKER_WAKEUPS] += notices_wake(notify->rings[i]);
	notify->count = 0;
}

static enum haul_error notify_push(struct worker *worker, const struct transport_notice *notice,
				   struct notices *notices)
{
	struct haul_notification notification = {
		.tag = notice->tag,
		.value = notice->value,
		.region = notice->access.region,
		.offset = notice->access.offset,
		.bytes = notice->access.length,
		.incarnation = notice->incarnation,
	};
	enum haul_error error;

	strncpy(notification.node, notice->node, sizeof(notification.node) - 1);
	error = notices_push(notices, &notification);
	if (error == HAUL_OK)
		notify_note(worker, notices);
	return error;
}

static enum haul_error notify_busy(struct worker *worker, struct transport_refusal *refusal_out,
				   enum haul_reason reason)
{
	worker->counters[WORKER_NOTIFICATIONS_BUSY]++;
	refusal_out->reason = reason;
	return HAUL_BUSY;
}

/* It is to be delivered, if the ring has room. */
static enum haul_error notify_new(struct worker *worker, const struct transport_notice *notice,
				  struct notices *notices, const struct notifier_claim *claim,
				  struct transport_refusal *refusal_out)
{
	enum haul_error error = notify_push(worker, notice, notices);

	notifier_end(claim, error == HAUL_OK);
	if (error != HAUL_OK)
		return notify_busy(worker, refusal_out, HAUL_REASON_NOTIFICATIONS_FULL);
	region_note_stall(&notice->access, worker->region_counters);
	worker->counters[WORKER_NOTIFICATIONS]++;
	return HAUL_OK;
}

enum haul_error notify_deliver(struct worker *worker, const struct transport_notice *notice,
			       struct transport_refusal *refusal_out)
{
	struct engine *engine = worker->engine;
	struct notifier_claim claim;
	struct notices *notices;
	enum haul_error error;

	error = region_find_notices(&engine->regions, worker->region_counters, &notice->access,
				    &refusal_out->version, &notices);
	if (UNLIKELY(error != HAUL_OK)) {
		/* An earlier attempt may have delivered it, before the region was taken away. */
		if (error == HAUL_TIMEOUT || !notifier_has(&engine->notifiers, notice))
			return error;
		worker->counters[WORKER_NOTIFICATIONS_AGAIN]++;
		return HAUL_OK;
	}
	switch (notifier_begin(&engine->notifiers, notice, &claim)) {
	case NOTIFIER_NEW:
		return notify_new(worker, notice, notices, &claim, refusal_out);
	case NOTIFIER_DONE:
		worker->counters[WORKER_NOTIFICATIONS_AGAIN]++;
		return HAUL_OK;
	case NOTIFIER_FULL:
		return notify_busy(worker, refusal_out, HAUL_REASON_NOTIFIERS_FULL);
	case NOTIFIER_OVER:
		refusal_out->reason = HAUL_REASON_INCARNATION;
		return HAUL_STALE;
	case NOTIFIER_BUSY:
	default:
		return notify_busy(worker, refusal_out, HAUL_REASON_NONE);
	}
}
