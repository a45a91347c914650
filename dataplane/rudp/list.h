/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A circular doubly linked list whose links live inside what is listed. A link that is on no list has
 * next == NULL, so removal is harmless when repeated.
 */
#ifndef RUDP_LIST_H
#define RUDP_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list_link {
	struct list_link *next; /**< NULL while on no list */
	struct list_link *previous;
};

static inline void list_init(struct list_link *head)
{
	head->next = head;
	head->previous = head;
}

static inline bool list_is_empty(const struct list_link *head)
{
	return head->next == head;
}

static inline bool list_has(const struct list_link *link)
{
	return link->next != NULL;
}

static inline void list_remove(struct list_link *link)
{
	if (link->next == NULL)
		return;
	link->next->previous = link->previous;
	link->previous->next = link->next;
	link->next = NULL;
}

/** Appends; a link that is on the list already stays where it is. */
static inline void list_append(struct list_link *head, struct list_link *link)
{
	if (link->next != NULL)
		return;
	link->previous = head->previous;
	link->next = head;
	head->previous->next = link;
	head->previous = link;
}

#endif
