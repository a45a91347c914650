/* SPDX-License-Identifier: BSD-3-Clause */
/* Where an operation's remote side lies; target.h says when it is looked at. */
#include "engine/target.h"

#include "base/check.h"
#include "engine/operation.h"
#include "engine/worker.h"

static const struct remote *target_remote(const struct operation *operation)
{
	return &operation->worker->engine->remotes.remotes[operation->remote];
}

bool target_is_current(const struct operation *operation)
{
#ifdef HAUL_MEASURE_WITHOUT_VERSIONS /* docs/performance.md has what the comparison costs */
	return operation->version != 0;
#endif
	/* Orders the number before what is read by it, against opening_hear. */
	return atomic_load_explicit(&target_remote(operation)->version_seen,
				    memory_order_acquire) == operation->version;
}

/* The view to go by; NULL with STALE when the segment is gone, with UNAVAILABLE when a newer one is to come. */
static const struct remote_view *target_view(const struct operation *operation,
					     enum haul_error *error_out)
{
	const struct remote *remote = target_remote(operation);
	const struct remote_view *view;

	*error_out = HAUL_STALE;
	if (atomic_load_explicit(&remote->state, memory_order_acquire) != REMOTE_OPEN)
		return NULL;
	*error_out = HAUL_UNAVAILABLE;
	view = atomic_load_explicit(&remote->view, memory_order_acquire);
	if (view->version != atomic_load_explicit(&remote->version_seen, memory_order_acquire))
		return NULL;
	*error_out = HAUL_OK;
	return view;
}

/* Where the entry's range lies by a view. */
static enum haul_error target_find(const struct operation *operation,
				   const struct remote_view *view, struct remote_range *range_out)
{
	if (operation->entry_region != REGION_NONE)
		return remote_resolve_region(view, operation->entry_region, operation->entry_offset,
					     operation->length, range_out);
	return remote_resolve(view, operation->entry_offset, operation->length, range_out);
}

static void target_set(struct operation *operation, const struct remote_view *view,
		       const struct remote_range *range)
{
	operation->remote_region = range->region;
	operation->remote_offset = range->offset;
	operation->incarnation = view->incarnation;
	operation->peer = view->peer;
	operation->segment = view->segment;
	operation->rights = (uint8_t)view->rights;
	operation->version = view->version;
}

enum haul_error target_resolve(struct operation *operation, enum haul_reason *reason_out)
{
	struct remote_range range;
	enum haul_error error;
	const struct remote_view *view = target_view(operation, &error);

	*reason_out = HAUL_REASON_SEGMENT_RETIRED;
	if (view == NULL)
		return error;
	error = target_find(operation, view, &range);
	if (error == HAUL_OK) {
		target_set(operation, view, &range);
		return HAUL_OK;
	}
	*reason_out = HAUL_REASON_BUFFER_GONE;
	if (error == HAUL_STALE || operation->remote_region != REGION_NONE)
		return HAUL_STALE; /* it was there when the operation began */
	*reason_out = HAUL_REASON_REMOTE_RANGE;
	return error;
}

void target_note_refusal(struct operation *operation, uint64_t version)
{
	operation->refused_version = version;
	operation->refused_region = operation->remote_region;
	operation->refresh_asked =
		atomic_load_explicit(&target_remote(operation)->asked, memory_order_relaxed);
}

bool target_has_moved(const struct operation *operation, uint64_t version)
{
	enum haul_error error;
	const struct remote_view *view = target_view(operation, &error);

	return view != NULL && view->version > operation->version && view->version >= version;
}

enum haul_error target_resolve_again(struct operation *operation, enum haul_reason *reason_out)
{
	const struct remote *remote = target_remote(operation);
	/* Orders the answer before the view that it brought, against opening_refreshed. */
	uint32_t answered = atomic_load_explicit(&remote->answered, memory_order_acquire);
	struct remote_range range;
	enum haul_error error;
	const struct remote_view *view = target_view(operation, &error);

	*reason_out = HAUL_REASON_SEGMENT_RETIRED;
	if (view == NULL)
		return error;
	if (!target_has_moved(operation, operation->refused_version) &&
	    (int32_t)(answered - operation->refresh_asked) <= 0)
		return HAUL_UNAVAILABLE;
	*reason_out = HAUL_REASON_REGION_GENERATION;
	if (view->incarnation != operation->incarnation ||
	    target_find(operation, view, &range) != HAUL_OK ||
	    range.region == operation->refused_region)
		return HAUL_STALE;
	target_set(operation, view, &range);
	return HAUL_OK;
}
