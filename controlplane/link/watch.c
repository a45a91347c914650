/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by request (open, close) and link (events, reconciliation). Pure state but for the tell function.
 */
#include "controlplane/link/watch.h"

#include "base/check.h"

#include <errno.h>
#include <stdlib.h>

/* Looks at the records that must miss a segment before it counts as gone. */
#define WATCH_ABSENCES_MAX 2u

struct watch {
	struct nametable_entry entry;
	uint64_t incarnation; /* of its owner; 0 = gone */
	uint64_t version;     /* latest seen */
	uint64_t epoch;       /* of the data set that it was seen in */
	uint64_t told_incarnation;
	uint64_t told_version; /* what the dataplane knows */
	unsigned int asking;   /* opens under way */
	unsigned int absences; /* in a row */
	bool is_open;
	bool is_seen; /* version is of a report, not yet nothing */
};

struct watches {
	watch_tell_fn *tell;
	void *arg;
	struct nametable table;
	bool has_untold;
};

int watches_create(watch_tell_fn *tell, void *arg, struct watches **out)
{
	struct watches *watches = calloc(1, sizeof(*watches));

	if (watches == NULL)
		return -ENOMEM;
	watches->tell = tell;
	watches->arg = arg;
	*out = watches;
	return 0;
}

static struct watch *watch_find(const struct watches *watches, const char *segment)
{
	struct nametable_entry *entry = nametable_find(&watches->table, segment);

	return entry == NULL ? NULL : CONTAINER_OF(entry, struct watch, entry);
}

static void watch_remove(struct watches *watches, struct watch *watch)
{
	nametable_remove(&watches->table, &watch->entry);
	free(watch);
}

static void entry_remove(struct nametable_entry *entry, void *arg)
{
	watch_remove(arg, CONTAINER_OF(entry, struct watch, entry));
}

void watches_clear(struct watches *watches)
{
	nametable_each(&watches->table, entry_remove, watches);
	watches->has_untold = false;
}

void watches_destroy(struct watches *watches)
{
	if (watches == NULL)
		return;
	watches_clear(watches);
	free(watches);
}

void watches_ask(struct watches *watches, const char *segment)
{
	struct watch *watch = watch_find(watches, segment);

	if (watch == NULL) {
		watch = calloc(1, sizeof(*watch));
		if (watch == NULL)
			return;
		nametable_add(&watches->table, &watch->entry, segment);
	}
	watch->asking++;
}

/* Tell the dataplane if there is news; what cannot be told now is told by watches_flush. */
static void watch_tell(struct watches *watches, struct watch *watch)
{
	if (!watch->is_open || !watch->is_seen ||
	    (watch->told_version == watch->version &&
	     watch->told_incarnation == watch->incarnation))
		return;
	if (watches->tell(watches->arg, watch->entry.name, watch->incarnation,
			  watch->incarnation == 0 ? 0 : watch->version) != 0) {
		watches->has_untold = true;
		return;
	}
	watch->told_version = watch->version;
	watch->told_incarnation = watch->incarnation;
}

static void watch_see(struct watch *watch, uint64_t incarnation, uint64_t version, uint64_t epoch)
{
	bool is_later = !watch->is_seen || version > watch->version || epoch != watch->epoch;

	/* The same version of an incarnation after an absence: it was no erasure. */
	if (!is_later && !(version == watch->version && watch->incarnation == 0))
		return;
	watch->incarnation = incarnation;
	watch->version = version;
	watch->epoch = epoch;
	watch->is_seen = true;
}

void watches_opened(struct watches *watches, const char *segment, uint64_t incarnation,
		    uint64_t version, uint64_t epoch)
{
	struct watch *watch = watch_find(watches, segment);

	if (watch == NULL)
		return;
	watch->asking -= watch->asking > 0 ? 1 : 0;
	watch->is_open = true;
	watch->absences = 0;
	watch->told_incarnation = incarnation;
	watch->told_version = version;
	watch_see(watch, incarnation, version, epoch);
	watch_tell(watches, watch);
}

void watches_failed(struct watches *watches, const char *segment)
{
	struct watch *watch = watch_find(watches, segment);

	if (watch == NULL)
		return;
	watch->asking -= watch->asking > 0 ? 1 : 0;
	if (watch->asking == 0 && !watch->is_open)
		watch_remove(watches, watch);
}

void watches_close(struct watches *watches, const char *segment)
{
	struct watch *watch = watch_find(watches, segment);

	if (watch == NULL)
		return;
	watch->is_open = false;
	if (watch->asking == 0)
		watch_remove(watches, watch);
}

void watches_report(struct watches *watches, const char *segment, uint64_t incarnation,
		    uint64_t version, uint64_t epoch)
{
	struct watch *watch = watch_find(watches, segment);

	if (watch == NULL)
		return;
	watch->absences = 0;
	watch_see(watch, incarnation, version, epoch);
	watch_tell(watches, watch);
}

void watches_erased(struct watches *watches, const char *segment, uint64_t version, uint64_t epoch)
{
	struct watch *watch = watch_find(watches, segment);

	if (watch == NULL)
		return;
	watch_see(watch, 0, version, epoch);
	watch_tell(watches, watch);
}

void watches_absent(struct watches *watches, const char *segment)
{
	struct watch *watch = watch_find(watches, segment);

	if (watch == NULL || ++watch->absences < WATCH_ABSENCES_MAX || !watch->is_seen)
		return;
	watch->incarnation = 0;
	watch_tell(watches, watch);
}

static void entry_flush(struct nametable_entry *entry, void *arg)
{
	watch_tell(arg, CONTAINER_OF(entry, struct watch, entry));
}

void watches_flush(struct watches *watches)
{
	if (!watches->has_untold)
		return;
	watches->has_untold = false;
	nametable_each(&watches->table, entry_flush, watches);
}

unsigned int watches_count(const struct watches *watches)
{
	return watches->table.count;
}

void watches_each(struct watches *watches, void (*fn)(struct nametable_entry *entry, void *arg),
		  void *arg)
{
	nametable_each(&watches->table, fn, arg);
}
