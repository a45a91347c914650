/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Remote segments that clients have open, as the control thread sees them: an opening is one slot of the engine's
 * table, shared by every handle on the same segment and incarnation for the same tenant and rights, and refreshed by
 * these when its version moves. So what is granted to one no more is taken from that one, and from nobody else.
 *
 * A refresh that fails, or brings something malformed, never replaces a good view; two absences in a row, another
 * incarnation, or a version of 0 retire it, and with it the operations on it. What is retired lets go of its peer as soon
 * as no worker uses it any more, whatever handles there still are: the last one to go takes the rails along.
 */
#ifndef CONTROL_OPENING_H
#define CONTROL_OPENING_H

#include "api/haul_attach.h"
#include "api/haul_control.h"
#include "api/haul_error.h"
#include "control/link.h"
#include "control/pace.h"
#include "control/quiesce.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct client;
struct counter_group;
struct event;
struct node;

/** Absences in a row after which a segment counts as gone. */
#define OPENING_ABSENCES_MAX 2u

/** What has come of openings and their refreshes; written by the control thread. */
enum opening_counter {
	OPENING_COUNTER_REFRESHES,
	OPENING_COUNTER_REFRESHED,
	OPENING_COUNTER_UNCHANGED,
	OPENING_COUNTER_ABSENT,
	OPENING_COUNTER_UNREACHABLE,
	OPENING_COUNTER_MALFORMED,
	OPENING_COUNTER_COALESCED,
	OPENING_COUNTER_PURGED,
	OPENING_COUNTER_REPLACED,
	OPENING_COUNTER_ERASED,
	OPENING_COUNTER_DENIED,
	OPENING_COUNTER_SEEKS,
	OPENING_COUNTER_SEEKS_SPARED,
	OPENING_COUNTER_MOVES,
	OPENING_COUNTER_COUNT,
};

extern const struct counter_group opening_counters;

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
	struct quiesce_action quiesce;      /**< of its end */
	struct quiesce_action quiesce_peer; /**< of its retirement */
	struct pace pace;                   /**< of its refreshes */
	struct event *timer;                /**< the next one */
	uint32_t remote;                    /**< index in the engine's table */
	uint32_t references;                /**< handles, and one for a refresh that is under way */
	uint32_t absences;                  /**< in a row */
	bool is_refreshing;                 /**< an answer is on its way */
	bool is_refresh_due;                /**< another refresh is wanted after it */
	bool is_retired;
	uint64_t incarnation;
	uint32_t number;                          /**< of the segment, by its owner */
	uint64_t version_heard;                   /**< the last one that was told */
	uint64_t since_us;                        /**< when it came into its state */
	uint64_t refreshes;                       /**< asked for */
	uint64_t failures[OPENING_FAILURE_COUNT]; /**< of the refreshes */
	enum opening_state state;                 /**< as it was when it changed last */
	enum haul_error failure; /**< of the last refresh that failed; HAUL_OK = none did */
	uint32_t rights;         /**< of its handles, for refreshes, as is the tenant */
	char tenant[HAUL_NAME_BYTES];
	char owner[HAUL_NAME_BYTES]; /**< its node */
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

/* Between opening.c and refresh.c. */

/** Its slot of the engine's table. */
struct remote *opening_remote(const struct opening *opening);

/** Its view; NULL = it is over. */
struct remote_view *opening_view(const struct opening *opening);

/** Count one more. */
void opening_count(const struct opening *opening, enum opening_counter counter);

/** Note a change of its state, for listings and the trace; `why` is a few words. */
void opening_note(struct opening *opening, const char *why);

/** Every operation on it ends with STALE; handles stay until their clients close them. Once; the reason is counted. */
void opening_retire_for(struct opening *opening, enum opening_counter counter, const char *why);

/** One handle or refresh less; the last one closes the segment. */
void opening_unref(struct opening *opening);

/** Swap in a newer view of the same incarnation. Returns 0 or -HAUL_SYSTEM; then the old one stays. */
int opening_swap_view(struct opening *opening, const struct haul_descriptor *descriptor);

/** A descriptor came: it is news for all that share its name. */
void opening_tell(struct node *node, const struct haul_descriptor *descriptor);

/** Read the descriptor an answer brought into memory of the caller's and check it. NULL with a reason otherwise. */
struct haul_descriptor *opening_read(const struct link_answer *answer, const char *name,
				     uint32_t rights, char reason[HAUL_REASON_BYTES]);

/** Ask the control plane for a descriptor; 0 or -HAUL_BUSY. */
int opening_ask(struct node *node, const char *name, const char *tenant, uint32_t rights,
		link_answer_fn answer, void *argument);

/** What a descriptor is of, if not of what was opened: another incarnation, or another segment; NULL = the same. */
const char *opening_other(const struct opening *opening, const struct haul_descriptor *descriptor);

#endif
