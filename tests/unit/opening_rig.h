/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A whole node whose one client owns the segment "target", and private memory to move from and to; the control plane
 * is played by the test, which sends the descriptor that the node itself published, or spoilt ones.
 */
#ifndef OPENING_RIG_H
#define OPENING_RIG_H

#include "node_rig.h"

#define BYTES (1u << 20)
#define BOTH  (HAUL_RIGHT_READ | HAUL_RIGHT_WRITE)

extern struct node_rig *rig;
extern struct node_client client;
extern uint8_t *target; /**< the segment "target", as its owner sees it */
extern uint8_t *source; /**< private memory of the same client */
extern uint64_t source_region;
extern struct haul_descriptor *descriptor; /**< of the target, as it was published */

/** A client with a published segment and private memory; and their end. */
int opening_setup(void **state);
int opening_teardown(void **state);

/** The descriptor as it stands now, as a control plane sends it: a memfd. */
int descriptor_send(void);

/** Open the target; its handle. */
enum haul_error open_target(uint32_t rights, uint32_t *handle_out);

/** Move bytes between the same offset of source and target. */
struct haul_completion transfer(uint8_t opcode, uint32_t handle, uint64_t offset, uint32_t length);

/** The same for a page from the start, and how it must end. */
void expect_transfer(uint8_t opcode, uint32_t handle, enum haul_error status,
		     enum haul_reason reason);

/** Close a handle; `reserved` should be 0. */
enum haul_error close_with(uint32_t handle, uint32_t reserved);

/** Close a handle. */
enum haul_error close_handle(uint32_t handle);

/** The control plane tells a version of the target. */
void tell_version(uint64_t version, uint64_t incarnation);

/** Answer the node's next refresh. */
void answer_refresh(enum haul_error status, bool has_descriptor);

/** Is no opening and no peer left? */
bool is_bare(void);

#endif
