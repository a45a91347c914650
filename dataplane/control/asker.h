/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Who waits for the end of what he asked for: a client's message on its attach socket, or an errand of its channel's
 * worker. Each is told once. Control thread.
 */
#ifndef CONTROL_ASKER_H
#define CONTROL_ASKER_H

#include "api/haul_abi.h"
#include "api/haul_error.h"

#include <stdint.h>

struct client;
struct errand;
struct node;
struct worker_request;

struct asker {
	struct client *client; /**< NULL = nobody waits */
	struct errand *errand; /**< NULL = its attach socket */
};

/** It was done; `result` is for who asked for something. The asker is nobody from then on. */
void asker_tell(struct asker *asker, uint64_t result);

/** It was not: a sentence for a socket, a reason for a completion. */
void asker_refuse(struct asker *asker, enum haul_error status, enum haul_reason reason,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

/** The client has ended: an errand is finished, so that its channel can be freed; a socket is nobody's. */
void asker_forget(struct asker *asker);

/** A worker asks for an errand to be carried out. */
void asker_obey(struct node *node, const struct worker_request *request);

#endif
