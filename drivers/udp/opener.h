/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The thread of a port that does what may block: it opens the port, tries again when that fails, and closes it and opens
 * it again when the control thread has found it gone. Pauses between attempts grow from a quarter of a second to
 * eight; the first attempt after a loss is made at once.
 */
#ifndef DRIVERS_UDP_OPENER_H
#define DRIVERS_UDP_OPENER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct port;

/** Room for why a port could not be opened. */
#define OPENER_REASON_BYTES 192u

enum opener_wish {
	OPENER_GO_ON = 0,  /**< wait, or try again */
	OPENER_REOPEN = 1, /**< close what is open, and begin anew */
	OPENER_END = 2,    /**< close what is open, and end */
};

struct opener {
	pthread_t thread;
	bool has_thread; /**< control: it is to be joined */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	enum opener_wish wish;            /**< lock */
	bool is_open;                     /**< lock; what the last attempt came to */
	uint32_t failures;                /**< lock; attempts that failed since it was open last */
	char reason[OPENER_REASON_BYTES]; /**< lock; of the last of them */
	atomic_bool has_ended;            /**< the thread does not touch the port any more */
};

/** Begin to open. 0 or -errno. This and all below: control thread, never waiting but for end. */
int opener_start(struct port *port);

/** The port is gone, and no worker has a queue of it any more. */
void opener_reopen(struct port *port);

/** End the thread, and close the port; waits for an attempt that is under way. */
void opener_end(struct port *port);

/** How many attempts have failed since it was open last, and why the last one did. */
uint32_t opener_failures(struct port *port, char reason_out[OPENER_REASON_BYTES]);

#endif
