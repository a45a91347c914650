/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Called by the routes on the loop's thread. Rows are collected under their names, since a page may bring a name twice,
 * as SSCAN has it.
 */
#include "controlplane/http/pages.h"

#include "api/haul_error.h"
#include "controlplane/link/link.h"

#include <stdlib.h>
#include <string.h>

/* Room for a cursor of SSCAN. */
#define PAGES_CURSOR_BYTES 24u

struct pages {
	struct http_scene *scene;
	const struct pages_kind *kind;
	pages_fn *fn;
	void *arg;
	char cursor[PAGES_CURSOR_BYTES];
	json_t *rows;           /* object: name -> row */
	unsigned int malformed; /* records that could not be parsed */
};

static void page_ask(struct pages *pages);

static int name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The rows of an object as an array, by name. */
static json_t *rows_sort(json_t *rows)
{
	size_t count = json_object_size(rows), at = 0;
	const char **names = calloc(count + 1, sizeof(*names));
	json_t *array = json_array();
	const char *name = NULL;
	json_t *row = NULL;

	if (names == NULL)
		return array;
	json_object_foreach(rows, name, row) names[at++] = name;
	qsort(names, count, sizeof(*names), name_compare);
	for (size_t i = 0; i < count; i++)
		(void)json_array_append(array, json_object_get(rows, names[i]));
	free(names);
	return array;
}

static void pages_end(struct pages *pages, bool is_cut)
{
	json_t *body = json_object();

	(void)json_object_set_new(body, pages->kind->key, rows_sort(pages->rows));
	(void)json_object_set_new(body, "truncated", json_boolean(is_cut));
	(void)json_object_set_new(body, "malformed", json_integer(pages->malformed));
	pages->fn(pages->arg, body, 0, "");
	json_decref(pages->rows);
	free(pages);
}

static void pages_fail(struct pages *pages, int error, const char *reason)
{
	pages->fn(pages->arg, NULL, error, reason);
	json_decref(pages->rows);
	free(pages);
}

static void page_answered(void *arg, const struct registry_answer *answer)
{
	struct pages *pages = arg;

	if (answer->error != 0) {
		pages_fail(pages, answer->error, answer->reason);
		return;
	}
	if (answer->count % pages->kind->fields != 1 ||
	    !text_copy(answer->texts[0], pages->cursor, sizeof(pages->cursor))) {
		pages_fail(pages, -HAUL_CORRUPT, "the script's answer is malformed");
		return;
	}
	for (unsigned int at = 1; at < answer->count; at += pages->kind->fields) {
		json_t *row = pages->kind->row(pages->scene, answer->texts + at);
		const char *name = json_string_value(json_object_get(row, "name"));

		pages->malformed += row == NULL ? 1 : 0;
		if (row != NULL)
			(void)json_object_set_new(pages->rows, name, row);
	}
	if (strcmp(pages->cursor, "0") == 0)
		pages_end(pages, false);
	else if (json_object_size(pages->rows) >= PAGES_ROWS_MAX)
		pages_end(pages, true);
	else
		page_ask(pages);
}

static void page_ask(struct pages *pages)
{
	char reason[HAUL_REASON_BYTES];

	if (pages->kind->ask(pages->scene, pages->cursor, page_answered, pages) == 0)
		return;
	registry_reason(link_registry(pages->scene->link), reason);
	pages_fail(pages, -HAUL_UNAVAILABLE, reason);
}

void pages_gather(struct http_scene *scene, const struct pages_kind *kind, pages_fn *fn, void *arg)
{
	struct pages *pages = calloc(1, sizeof(*pages));

	if (pages == NULL) {
		fn(arg, NULL, -HAUL_SYSTEM, "no memory");
		return;
	}
	pages->scene = scene;
	pages->kind = kind;
	pages->fn = fn;
	pages->arg = arg;
	pages->cursor[0] = '0';
	pages->rows = json_object();
	page_ask(pages);
}
