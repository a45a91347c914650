/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Remote segments that clients have open, as the control thread sees them: an opening is one slot of the engine's
 * table, shared by every handle on the same segment and incarnation for the same tenant and rights, and refreshed by
 * these when its version moves. So what is granted to one no more is taken from that one, and from nobody else.
 *
 * A refresh that fails, or brings something malformed, never replaces a good view; two absences in a row, another
 * incarnation, or a version of 0 retire it, and with it the operations on it.
 */
#ifndef CONTROL_OPENING_H
#define CONTROL_OPENING_H

#include "api/haul_attach.h"
#include "api/haul_control.h"
#include "api/haul_error.h"
#include "control/quiesce.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct client;
struct event;
struct node;

/** Absences in a row after which a segment counts as gone. */
#define OPENING_ABSENCES_MAX 2u

/** The pause between two refreshes of one segment: no storm when a peer is down. */
#define OPENING_REFRESH_MS 50u

/** What people are told of an opening. */
enum opening_state {
	OPENING_CURRENT,    /**< nothing newer is known of */
	OPENING_STALE,      /**< a newer version is: no new work is posted */
	OPENING_REFRESHING, /**< the descriptor has been asked for */
	OPENING_RETIRED,    /**< gone: every operation on it ends with STALE */
};

/** Why a refresh brought nothing. */
enum opening_failure {
	OPENING_ABSENT,      /**< there is no record */
	OPENING_UNREACHABLE, /**< Redis or the control plane does not answer */
	OPENING_MALFORMED,   /**< what came is no descriptor */
	OPENING_DENIED,      /**< any other refusal: the tenant is granted it no more */
	OPENING_FAILURE_COUNT,
};

struct opening {
	TAILQ_ENTRY(opening) link;
	struct node *node;
	struct quiesce_action quiesce;
	struct event *timer; /**< the next refresh */
	uint32_t remote;     /**< index in the engine's table */
	uint32_t references; /**< handles, and one for a refresh that is under way */
	uint32_t absences;   /**< in a row */
	bool is_refreshing;  /**< an answer is on its way */
	bool is_refresh_due; /**< another refresh is wanted after it */
	bool is_retired;
	uint64_t incarnation;
	uint32_t number;                          /**< of the segment, by its owner */
	uint64_t refreshed_at_us;                 /**< when the last refresh was asked for */
	uint64_t since_us;                        /**< when it came into its state */
	uint64_t refreshes;                       /**< asked for */
	uint64_t failures[OPENING_FAILURE_COUNT]; /**< of the refreshes */
	enum opening_state state;                 /**< as it was when it changed last */
	enum haul_error failure; /**< of the last refresh that failed; HAUL_OK = none did */
	uint32_t rights;         /**< of its handles, for refreshes, as is the tenant */
	char tenant[HAUL_NAME_BYTES];
	char name[HAUL_NAME_BYTES];
};

TAILQ_HEAD(opening_list, opening);

/** The word of a state. */
const char *opening_state_text(enum opening_state state);

/** SEGMENT_OPEN and SEGMENT_CLOSE of a client; both answer it, now or later. */
void opening_open(struct client *client, const struct haul_attach_segment_open *message);
void opening_close(struct client *client, const struct haul_attach_segment_close *message);

/** The client's channel is gone: drop all its handles. */
void opening_drop_all(struct client *client);

/** The control plane tells a version. */
void opening_version_seen(struct node *node, const struct haul_control_version_seen *message);

/** A worker was refused as stale: look again. */
void opening_refresh_remote(struct node *node, uint32_t remote);

/** A peer has proven another incarnation: everything open of this one is gone. */
void opening_retire_peer(struct node *node, uint32_t peer);

/** The control plane is there again: look at everything that is open. */
void opening_refresh_all(struct node *node);

#endif
