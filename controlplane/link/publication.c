/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by request (what the dataplane asks) and link (what Redis lost). Owns the copies of descriptors. Each entry
 * that changes while its script is under way gets a new serial, so that the script's answer does not settle it.
 */
#include "controlplane/link/publication.h"

#include "api/haul_error.h"
#include "base/check.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct publication {
	struct nametable_entry entry;
	TAILQ_ENTRY(publication) doubt;     /* while is_doubtful */
	struct haul_descriptor *descriptor; /* NULL: to be erased */
	uint64_t serial;                    /* of the last change of what is wanted */
	bool is_doubtful;
	bool is_sent;      /* out of the list of the doubtful, since it is being written */
	bool is_confirmed; /* published since the dataplane's last hello */
};

TAILQ_HEAD(publication_list, publication);

struct publications {
	struct registry *registry;
	struct nametable table;
	struct publication_list doubtful;
	uint64_t serial;
	unsigned int doubtful_count;
	unsigned int busy;             /* scripts under way */
	struct registry_writer writer; /* of the last pump */
	char node[HAUL_NAME_BYTES];
	struct log_limit limit;
};

/* A script under way. */
struct errand {
	struct publications *publications;
	uint64_t serial;
	char segment[HAUL_NAME_BYTES];
};

int publications_create(struct registry *registry, struct publications **out)
{
	struct publications *publications = calloc(1, sizeof(*publications));

	if (publications == NULL)
		return -ENOMEM;
	publications->registry = registry;
	TAILQ_INIT(&publications->doubtful);
	*out = publications;
	return 0;
}

static struct publication *publication_find(const struct publications *publications,
					    const char *segment)
{
	struct nametable_entry *entry = nametable_find(&publications->table, segment);

	return entry == NULL ? NULL : CONTAINER_OF(entry, struct publication, entry);
}

static void doubt_set(struct publications *publications, struct publication *publication,
		      bool is_doubtful)
{
	if (publication->is_doubtful == is_doubtful)
		return;
	publication->is_doubtful = is_doubtful;
	if (is_doubtful) {
		TAILQ_INSERT_TAIL(&publications->doubtful, publication, doubt);
		publications->doubtful_count++;
	} else {
		TAILQ_REMOVE(&publications->doubtful, publication, doubt);
		publications->doubtful_count--;
	}
}

static void publication_remove(struct publications *publications, struct publication *publication)
{
	doubt_set(publications, publication, false);
	nametable_remove(&publications->table, &publication->entry);
	free(publication->descriptor);
	free(publication);
}

static void entry_remove(struct nametable_entry *entry, void *arg)
{
	publication_remove(arg, CONTAINER_OF(entry, struct publication, entry));
}

void publications_clear(struct publications *publications)
{
	nametable_each(&publications->table, entry_remove, publications);
}

void publications_destroy(struct publications *publications)
{
	if (publications == NULL)
		return;
	publications_clear(publications);
	free(publications);
}

/* The entry of that name; made, in doubt and unwanted, when there is none. NULL without memory. */
static struct publication *publication_get(struct publications *publications, const char *segment)
{
	struct publication *publication = publication_find(publications, segment);

	if (publication == NULL) {
		publication = calloc(1, sizeof(*publication));
		if (publication == NULL)
			return NULL;
		nametable_add(&publications->table, &publication->entry, segment);
	}
	publication->serial = ++publications->serial;
	publication->is_sent = false;
	return publication;
}

int publications_set(struct publications *publications, const struct haul_descriptor *descriptor,
		     size_t length, uint64_t version)
{
	struct haul_descriptor *copy = malloc(length);
	struct publication *publication = NULL;

	if (copy != NULL)
		publication = publication_get(publications, descriptor->segment);
	if (publication == NULL) {
		free(copy);
		return -ENOMEM;
	}
	memcpy(copy, descriptor, length);
	copy->metadata_version = version;
	free(publication->descriptor);
	publication->descriptor = copy;
	publication->is_confirmed = true;
	doubt_set(publications, publication, false);
	return 0;
}

void publications_forget(struct publications *publications, const char *segment)
{
	struct publication *publication = publication_find(publications, segment);

	if (publication != NULL)
		publication_remove(publications, publication);
}

void publications_unwant(struct publications *publications, const char *segment)
{
	struct publication *publication = publication_get(publications, segment);

	if (publication == NULL)
		return;
	free(publication->descriptor);
	publication->descriptor = NULL;
	doubt_set(publications, publication, true);
}

void publications_doubt(struct publications *publications, const char *segment)
{
	struct publication *publication = publication_get(publications, segment);

	if (publication != NULL)
		doubt_set(publications, publication, true);
}

static void entry_doubt(struct nametable_entry *entry, void *arg)
{
	doubt_set(arg, CONTAINER_OF(entry, struct publication, entry), true);
}

void publications_doubt_all(struct publications *publications)
{
	nametable_each(&publications->table, entry_doubt, publications);
}

static void entry_unconfirm(struct nametable_entry *entry, void *arg)
{
	(void)arg;
	CONTAINER_OF(entry, struct publication, entry)->is_confirmed = false;
}

void publications_unconfirm(struct publications *publications)
{
	nametable_each(&publications->table, entry_unconfirm, NULL);
}

struct sweep {
	struct publications *publications;
	unsigned int count;
};

static void entry_sweep(struct nametable_entry *entry, void *arg)
{
	struct sweep *sweep = arg;
	struct publication *publication = CONTAINER_OF(entry, struct publication, entry);

	if (publication->is_confirmed || publication->descriptor == NULL)
		return;
	publications_unwant(sweep->publications, entry->name);
	sweep->count++;
}

unsigned int publications_sweep(struct publications *publications)
{
	struct sweep sweep = { publications, 0 };

	nametable_each(&publications->table, entry_sweep, &sweep);
	return sweep.count;
}

void publications_compare(struct publications *publications, const char *segment,
			  uint64_t incarnation, uint64_t version)
{
	struct publication *publication = publication_find(publications, segment);

	if (publication == NULL || publication->descriptor == NULL)
		return;
	if (publication->descriptor->incarnation != incarnation ||
	    publication->descriptor->metadata_version != version)
		doubt_set(publications, publication, true);
}

static void errand_settle(struct publications *publications, const struct errand *errand,
			  const struct registry_answer *answer)
{
	struct publication *publication = publication_find(publications, errand->segment);
	uint64_t version = 0;

	if (publication == NULL || publication->serial != errand->serial)
		return;
	publication->is_sent = false;
	if (publication->descriptor == NULL &&
	    (answer->error == 0 || answer->error == -HAUL_NOT_FOUND ||
	     answer->word == REGISTRY_OWNED)) {
		publication_remove(publications, publication);
		return;
	}
	if (answer->error == 0 && answer->count == 1 && text_number(answer->texts[0], &version)) {
		publication->descriptor->metadata_version = version;
		doubt_set(publications, publication, false);
		return;
	}
	if (!answer->is_passing)
		log_limited(&publications->limit, LOG_LEVEL_WARNING, "link",
			    "segment %s: not published again: %s", errand->segment, answer->reason);
	doubt_set(publications, publication, true);
}

static void errand_answered(void *arg, const struct registry_answer *answer)
{
	struct errand *errand = arg;
	struct publications *publications = errand->publications;

	publications->busy--;
	errand_settle(publications, errand, answer);
	free(errand);
	if (answer->error == 0)
		publications_pump(publications, &publications->writer);
}

/* Send the script for the first in doubt. False when nothing could be sent. */
static bool errand_send(struct publications *publications, struct publication *publication)
{
	struct errand *errand = malloc(sizeof(*errand));
	int error = -ENOMEM;

	if (errand == NULL)
		return false;
	errand->publications = publications;
	errand->serial = publication->serial;
	memcpy(errand->segment, publication->entry.name, sizeof(errand->segment));
	if (publication->descriptor != NULL) {
		error = registry_segment_publish(publications->registry, publications->writer.term,
						 publication->descriptor, false, errand_answered,
						 errand);
	} else {
		error = registry_segment_erase(publications->registry, &publications->writer,
					       errand->segment, errand_answered, errand);
	}
	if (error != 0) {
		free(errand);
		return false;
	}
	/* Out of the list while the script is under way; the answer puts it back if it must. */
	doubt_set(publications, publication, false);
	publication->is_sent = true;
	publications->busy++;
	return true;
}

void publications_pump(struct publications *publications, const struct registry_writer *writer)
{
	struct publication *first = NULL;

	if (writer != &publications->writer) {
		publications->writer = *writer;
		(void)snprintf(publications->node, sizeof(publications->node), "%s", writer->node);
		publications->writer.node = publications->node;
	}
	while (publications->busy < PUBLICATIONS_BUSY_MAX &&
	       (first = TAILQ_FIRST(&publications->doubtful)) != NULL) {
		if (!errand_send(publications, first))
			return;
	}
}

const struct haul_descriptor *publications_known(const struct publications *publications,
						 const char *segment)
{
	const struct publication *publication = publication_find(publications, segment);

	if (publication == NULL || publication->is_doubtful || publication->is_sent)
		return NULL;
	return publication->descriptor;
}

bool publications_has(const struct publications *publications, const char *segment)
{
	const struct publication *publication = publication_find(publications, segment);

	return publication != NULL && publication->descriptor != NULL;
}

unsigned int publications_count(const struct publications *publications)
{
	return publications->table.count;
}

unsigned int publications_doubtful(const struct publications *publications)
{
	return publications->doubtful_count + publications->busy;
}

void publications_each(struct publications *publications,
		       void (*fn)(struct nametable_entry *entry, void *arg), void *arg)
{
	nametable_each(&publications->table, fn, arg);
}
