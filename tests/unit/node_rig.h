/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A whole node with the local transport, its clients and its control plane played by the test.
 *
 * Everything of the test runs on one thread, which also turns the node's event loop whenever it waits for something;
 * the node's worker and its job lane are real threads. Every wait is bounded.
 */
#ifndef NODE_RIG_H
#define NODE_RIG_H

#include "api/haul_abi.h"
#include "api/haul_attach.h"
#include "api/haul_control.h"
#include "control/node.h"

#include <stdbool.h>
#include <stdint.h>

struct node_rig {
	char directory[64];
	struct dataplane_conf conf;
	struct node_driver driver;
	struct node node;
	int listener;     /**< of the control plane; -1 = there is none */
	int control;      /**< the node's connection to it; -1 = none */
	uint64_t version; /**< the last one given */
	int fds_before;   /**< descriptors of the process before the node was made */
};

/** Any message of either socket. */
union node_message {
	struct haul_frame frame;
	struct haul_attach_hello_answer hello;
	struct haul_attach_segment_create_answer create;
	struct haul_attach_segment_open_answer open;
	struct haul_attach_plain_answer plain;
	struct haul_control_hello control_hello;
	struct haul_control_segment segment;
	struct haul_control_open control_open;
	struct haul_control_table_answer table;
	uint8_t bytes[HAUL_FRAME_BYTES_MAX];
};

/** One client of the node. */
struct node_client {
	int fd;
	int memory_fd;
	int doorbell_fd;
	int wake_fd;
	uint32_t request;
	struct haul_channel_header *header;
	struct haul_entry *entries;
	struct haul_completion *completions;
	struct haul_notification *notifications;
	uint32_t entries_count;
	uint32_t completions_count;
	size_t bytes;
};

/** Directory, key and configuration; then change what a test wants different, and start it. */
struct node_rig *node_rig_make(void);
void node_rig_start(struct node_rig *rig);

/** Stop the node; check that it left nothing behind: descriptors, files. */
void node_rig_stop(struct node_rig *rig);

/** Turn the event loop once, without waiting for anything. */
void node_rig_turn(struct node_rig *rig);

/** Turn the event loop until the condition holds; fails the test after some seconds. */
#define NODE_AWAIT(rig, condition)                                          \
	do {                                                                \
		uint64_t node_until_us = clock_now_us() + 20 * 1000 * 1000; \
		while (!(condition)) {                                      \
			assert_true(clock_now_us() < node_until_us);        \
			node_rig_turn(rig);                                 \
		}                                                           \
	} while (0)

/** Nothing is left of any client: no connection, no memory, nothing that waits for workers. */
bool node_rig_is_empty(const struct node_rig *rig);

/** Turn the event loop for so long. */
void node_rig_rest(struct node_rig *rig, uint64_t rest_us);

/** Play a control plane: listen; then take the node's connection and answer its HELLO. */
void control_listen(struct node_rig *rig);
void control_greet(struct node_rig *rig);
void control_hang_up(struct node_rig *rig);

/** The node's next message of a type, others being skipped; *fd_out is -1 or the test's to close. */
void control_expect(struct node_rig *rig, uint16_t type, union node_message *message_out,
		    int *fd_out);

/** Answer a request; fd (or -1) stays the caller's. */
void control_answer(struct node_rig *rig, const union node_message *request, enum haul_error status,
		    int fd);

/** Connect; the socket only. */
int client_connect(struct node_rig *rig);

/** Send a message; its frame is filled here. */
void client_send(int fd, uint16_t type, void *message, size_t length, uint32_t request);

/** The next message; returns its length, 0 when the node closed the socket. Descriptors are counted in *fd_count_out. */
size_t client_receive(struct node_rig *rig, int fd, union node_message *message_out, int fds[4],
		      unsigned int *fd_count_out);

/** Attach with rings of that size; checks the answer. */
void client_attach(struct node_rig *rig, struct node_client *client, uint32_t entries);

/** Close the sockets and unmap: as if it had died. */
void client_die(struct node_client *client);

/** Ask and await the answer, which must not bring descriptors. */
void client_ask(struct node_rig *rig, struct node_client *client, uint16_t type, void *message,
		size_t length, union node_message *answer_out);

/** A segment: send the request; await its answer, map it. Returns its status. */
void client_create_send(struct node_client *client, const char *name, uint64_t bytes,
			uint32_t flags);
enum haul_error client_create_finish(struct node_rig *rig, struct node_client *client,
				     union node_message *answer_out, void **address_out);

/** Create a private segment. */
void *client_create_private(struct node_rig *rig, struct node_client *client, uint64_t bytes,
			    uint64_t *region_out, uint32_t *segment_out);

/** Destroy one; returns the answer's status. `reserved` should be 0. */
enum haul_error client_destroy(struct node_rig *rig, struct node_client *client, uint32_t segment,
			       uint32_t reserved);

/** Create a published one; the fake control plane says yes. The descriptor is the caller's: a memfd. */
void *client_publish(struct node_rig *rig, struct node_client *client, const char *name,
		     uint64_t bytes, int *descriptor_out, uint32_t *segment_out);

/** Open a segment by a descriptor that the fake control plane sends; returns the status and the handle. */
enum haul_error client_open(struct node_rig *rig, struct node_client *client, const char *name,
			    uint32_t rights, int descriptor, uint32_t *handle_out);

/** Submit one entry and ring the bell; await one completion. */
void client_submit(struct node_client *client, const struct haul_entry *entry);
struct haul_completion client_reap(struct node_rig *rig, struct node_client *client);

/** Open descriptors of this process. */
int fds_count(void);

#endif
