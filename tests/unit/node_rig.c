/* SPDX-License-Identifier: BSD-3-Clause */
/* A whole node and everybody around it; node_rig.h says how it is turned. */
#include "node_rig.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "base/memfd.h"
#include "base/ring.h"
#include "base/seqpacket.h"
#include "drivers/local/local.h"
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int fds_count(void)
{
	DIR *directory = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(directory);
	while (readdir(directory) != NULL)
		count++;
	closedir(directory);
	return count;
}

static void rig_path(const struct node_rig *rig, char *path, size_t size, const char *name)
{
	(void)snprintf(path, size, "%s/%s", rig->directory, name);
}

static void rig_write_key(const struct node_rig *rig)
{
	int fd = open(rig->conf.cluster_key_file, O_WRONLY | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	for (int i = 0; i < 64; i++)
		assert_int_equal(write(fd, "7", 1), 1);
	close(fd);
}

struct node_rig *node_rig_make(void)
{
	struct node_rig *rig = calloc(1, sizeof(*rig));
	struct dataplane_conf *conf = &rig->conf;

	assert_non_null(rig);
	rig->fds_before = fds_count();
	(void)snprintf(rig->directory, sizeof(rig->directory), "/tmp/haul-unit-XXXXXX");
	assert_non_null(mkdtemp(rig->directory));
	conf_defaults(&dataplane_conf_table, conf);
	(void)snprintf(conf->node, sizeof(conf->node), "a");
	rig_path(rig, conf->attach_socket, sizeof(conf->attach_socket), "attach");
	rig_path(rig, conf->control_socket, sizeof(conf->control_socket), "control");
	rig_path(rig, conf->cluster_key_file, sizeof(conf->cluster_key_file), "key");
	rig_path(rig, conf->counters_file, sizeof(conf->counters_file), "counters");
	conf->huge_pages = CONF_HUGE_OFF;
	conf->transport_count = 1;
	(void)snprintf(conf->transports[0], sizeof(conf->transports[0]), "local");
	rig->driver.ops = &local_ops;
	rig->listener = -1;
	rig->control = -1;
	rig_write_key(rig);
	log_set_level(LOG_LEVEL_ERROR);
	return rig;
}

void node_rig_start(struct node_rig *rig)
{
	assert_int_equal(node_create(&rig->node, &rig->conf, &rig->driver, 1), 0);
}

static void control_close(struct node_rig *rig)
{
	control_hang_up(rig);
	if (rig->listener >= 0)
		close(rig->listener);
	if (rig->listener >= 0)
		unlink(rig->conf.control_socket);
	rig->listener = -1;
}

void node_rig_stop(struct node_rig *rig)
{
	node_destroy(&rig->node);
	control_close(rig);
	unlink(rig->conf.cluster_key_file);
	/* Empty: the node has removed its socket and its counters. */
	assert_int_equal(rmdir(rig->directory), 0);
	assert_int_equal(fds_count(), rig->fds_before);
	free(rig);
}

void node_rig_turn(struct node_rig *rig)
{
	event_base_loop(rig->node.base, EVLOOP_NONBLOCK);
	usleep(20);
}

bool node_rig_is_empty(const struct node_rig *rig)
{
	return TAILQ_EMPTY(&rig->node.clients.list) && TAILQ_EMPTY(&rig->node.segments) &&
	       STAILQ_EMPTY(&rig->node.quiesce.waiting);
}

void node_rig_rest(struct node_rig *rig, uint64_t rest_us)
{
	uint64_t until_us = clock_now_us() + rest_us;

	while (clock_now_us() < until_us)
		node_rig_turn(rig);
}

void control_listen(struct node_rig *rig)
{
	rig->listener = seqpacket_listen(rig->conf.control_socket, 0600);
	assert_true(rig->listener >= 0);
}

void control_hang_up(struct node_rig *rig)
{
	if (rig->control >= 0)
		close(rig->control);
	rig->control = -1;
}

void control_greet(struct node_rig *rig)
{
	union node_message message;
	int fd;

	NODE_AWAIT(rig, (rig->control = seqpacket_accept(rig->listener)) >= 0);
	control_expect(rig, HAUL_CONTROL_HELLO, &message, &fd);
	assert_string_equal(message.control_hello.node, "a");
	control_answer(rig, &message, HAUL_OK, -1);
	NODE_AWAIT(rig, rig->node.link.is_greeted);
}

void control_expect(struct node_rig *rig, uint16_t type, union node_message *message_out,
		    int *fd_out)
{
	unsigned int fd_count = 0;

	for (;;) {
		ssize_t length;

		*fd_out = -1;
		NODE_AWAIT(rig, (length = seqpacket_receive(rig->control, message_out,
							    sizeof(*message_out), fd_out, 1,
							    &fd_count)) != -EAGAIN);
		assert_true(length >= (ssize_t)sizeof(struct haul_frame));
		if (message_out->frame.type == type)
			return;
		if (fd_count > 0)
			close(*fd_out);
	}
}

/* A descriptor with the rights that were asked for, as a control plane grants them. What is none is left alone. */
static int control_grant(int fd, uint32_t rights)
{
	struct haul_descriptor *descriptor;
	void *bytes = NULL;
	size_t length;
	int granted;

	if (memfd_to_bytes(fd, DESCRIPTOR_BYTES_MAX, &bytes, &length) != 0 ||
	    length < sizeof(*descriptor)) {
		free(bytes);
		return dup(fd);
	}
	descriptor = bytes;
	descriptor->rights = rights;
	granted = memfd_from_bytes("descriptor", bytes, length);
	free(bytes);
	assert_true(granted >= 0);
	return granted;
}

void control_answer(struct node_rig *rig, const union node_message *request, enum haul_error status,
		    int fd)
{
	struct haul_control_answer answer = { .version = ++rig->version };
	bool is_open = request->frame.type == HAUL_CONTROL_SEGMENT_OPEN && fd >= 0;

	if (is_open)
		fd = control_grant(fd, request->control_open.rights);
	frame_fill(&answer.frame, HAUL_CONTROL_VERSION,
		   (uint16_t)(request->frame.type | HAUL_FRAME_ANSWER), sizeof(answer),
		   request->frame.request);
	answer.frame.status = (uint32_t)status;
	if (status != HAUL_OK)
		(void)snprintf(answer.reason, sizeof(answer.reason), "said the test");
	assert_int_equal(
		seqpacket_send(rig->control, &answer, sizeof(answer), &fd, fd >= 0 ? 1 : 0), 0);
	if (is_open)
		close(fd);
}

int client_connect(struct node_rig *rig)
{
	int fd = seqpacket_connect(rig->conf.attach_socket, SEQPACKET_NONBLOCK);

	assert_true(fd >= 0);
	return fd;
}

void client_send(int fd, uint16_t type, void *message, size_t length, uint32_t request)
{
	frame_fill(message, HAUL_ATTACH_VERSION, type, (uint32_t)length, request);
	assert_int_equal(seqpacket_send(fd, message, length, NULL, 0), 0);
}

size_t client_receive(struct node_rig *rig, int fd, union node_message *message_out, int fds[4],
		      unsigned int *fd_count_out)
{
	ssize_t length;

	NODE_AWAIT(rig, (length = seqpacket_receive(fd, message_out, sizeof(*message_out), fds, 4,
						    fd_count_out)) != -EAGAIN);
	assert_true(length >= 0 || length == -ECONNRESET);
	return length > 0 ? (size_t)length : 0;
}

void client_attach(struct node_rig *rig, struct node_client *client, uint32_t entries)
{
	struct haul_attach_hello hello = { .abi_version = HAUL_ABI_VERSION, .entries = entries };
	union node_message answer;
	int fds[4];
	unsigned int fd_count;

	memset(client, 0, sizeof(*client));
	client->fd = client_connect(rig);
	(void)snprintf(hello.name, sizeof(hello.name), "test");
	client_send(client->fd, HAUL_ATTACH_HELLO, &hello, sizeof(hello), ++client->request);
	assert_int_equal(client_receive(rig, client->fd, &answer, fds, &fd_count),
			 sizeof(answer.hello));
	assert_int_equal(answer.frame.status, HAUL_OK);
	assert_int_equal(fd_count, 3);
	client->memory_fd = fds[0];
	client->doorbell_fd = fds[1];
	client->wake_fd = fds[2];
	client->entries_count = answer.hello.entries;
	client->completions_count = answer.hello.completions;
	client->bytes = sizeof(struct haul_channel_header) +
			client->entries_count * sizeof(struct haul_entry) +
			client->completions_count * sizeof(struct haul_completion) +
			answer.hello.notifications * sizeof(struct haul_notification);
	client->header =
		mmap(NULL, client->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, client->memory_fd, 0);
	assert_ptr_not_equal(client->header, MAP_FAILED);
	client->entries = (struct haul_entry *)(void *)(client->header + 1);
	client->completions =
		(struct haul_completion *)(void *)(client->entries + client->entries_count);
	client->notifications = (struct haul_notification *)(void *)(client->completions +
								     client->completions_count);
	assert_int_equal(client->header->magic, HAUL_ABI_MAGIC);
	assert_int_equal(client->header->state, HAUL_CHANNEL_OPEN);
}

void client_die(struct node_client *client)
{
	close(client->fd);
	close(client->memory_fd);
	close(client->doorbell_fd);
	close(client->wake_fd);
	munmap(client->header, client->bytes);
}

void client_ask(struct node_rig *rig, struct node_client *client, uint16_t type, void *message,
		size_t length, union node_message *answer_out)
{
	int fds[4];
	unsigned int fd_count;

	client_send(client->fd, type, message, length, ++client->request);
	assert_true(client_receive(rig, client->fd, answer_out, fds, &fd_count) > 0);
	assert_int_equal(fd_count, 0);
	assert_int_equal(answer_out->frame.type, type | HAUL_FRAME_ANSWER);
	assert_int_equal(answer_out->frame.request, client->request);
}

void client_create_send(struct node_client *client, const char *name, uint64_t bytes,
			uint32_t flags)
{
	struct haul_attach_segment_create message = { .bytes = bytes, .flags = flags };

	(void)snprintf(message.name, sizeof(message.name), "%s", name);
	client_send(client->fd, HAUL_ATTACH_SEGMENT_CREATE, &message, sizeof(message),
		    ++client->request);
}

enum haul_error client_create_finish(struct node_rig *rig, struct node_client *client,
				     union node_message *answer_out, void **address_out)
{
	int fds[4];
	unsigned int fd_count;

	assert_true(client_receive(rig, client->fd, answer_out, fds, &fd_count) > 0);
	assert_int_equal(answer_out->frame.request, client->request);
	assert_int_equal(fd_count, answer_out->frame.status == HAUL_OK ? 1 : 0);
	if (fd_count == 0)
		return (enum haul_error)answer_out->frame.status;
	*address_out =
		mmap(NULL, answer_out->create.bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
	assert_ptr_not_equal(*address_out, MAP_FAILED);
	close(fds[0]);
	return HAUL_OK;
}

void *client_create_private(struct node_rig *rig, struct node_client *client, uint64_t bytes,
			    uint64_t *region_out, uint32_t *segment_out)
{
	union node_message answer;
	void *address = NULL;

	client_create_send(client, "private", bytes, HAUL_SEGMENT_PRIVATE);
	assert_int_equal(client_create_finish(rig, client, &answer, &address), HAUL_OK);
	*region_out = answer.create.region;
	*segment_out = answer.create.segment;
	return address;
}

enum haul_error client_destroy(struct node_rig *rig, struct node_client *client, uint32_t segment,
			       uint32_t reserved)
{
	struct haul_attach_segment_destroy message = { .segment = segment, .reserved = reserved };
	union node_message answer;

	client_ask(rig, client, HAUL_ATTACH_SEGMENT_DESTROY, &message, sizeof(message), &answer);
	return (enum haul_error)answer.frame.status;
}

void *client_publish(struct node_rig *rig, struct node_client *client, const char *name,
		     uint64_t bytes, int *descriptor_out, uint32_t *segment_out)
{
	union node_message message;
	void *address = NULL;

	client_create_send(client, name, bytes, 0);
	control_expect(rig, HAUL_CONTROL_SEGMENT_PUBLISH, &message, descriptor_out);
	assert_string_equal(message.segment.segment, name);
	assert_true(*descriptor_out >= 0);
	control_answer(rig, &message, HAUL_OK, -1);
	assert_int_equal(client_create_finish(rig, client, &message, &address), HAUL_OK);
	assert_int_equal(message.create.version, rig->version);
	*segment_out = message.create.segment;
	return address;
}

enum haul_error client_open(struct node_rig *rig, struct node_client *client, const char *name,
			    uint32_t rights, int descriptor, uint32_t *handle_out)
{
	struct haul_attach_segment_open message = { .rights = rights };
	union node_message request;
	int fds[4];
	unsigned int fd_count;

	(void)snprintf(message.name, sizeof(message.name), "%s", name);
	client_send(client->fd, HAUL_ATTACH_SEGMENT_OPEN, &message, sizeof(message),
		    ++client->request);
	control_expect(rig, HAUL_CONTROL_SEGMENT_OPEN, &request, &fds[0]);
	assert_string_equal(request.control_open.segment, name);
	control_answer(rig, &request, HAUL_OK, descriptor);
	assert_true(client_receive(rig, client->fd, &request, fds, &fd_count) > 0);
	*handle_out = request.frame.status == HAUL_OK ? request.open.handle : 0;
	return (enum haul_error)request.frame.status;
}

void client_submit(struct node_client *client, const struct haul_entry *entry)
{
	uint32_t tail = client->header->submission_tail.value;

	client->entries[tail & (client->entries_count - 1)] = *entry;
	ring_store_release(&client->header->submission_tail.value, tail + 1);
	ring_full_fence();
	if (ring_load_relaxed(&client->header->daemon_sleeps.value) != 0)
		eventfd_write(client->doorbell_fd, 1);
}

struct haul_completion client_reap(struct node_rig *rig, struct node_client *client)
{
	uint32_t head = client->header->completion_head.value;
	struct haul_completion completion;

	NODE_AWAIT(rig, ring_load_acquire(&client->header->completion_tail.value) != head);
	completion = client->completions[head & (client->completions_count - 1)];
	ring_store_release(&client->header->completion_head.value, head + 1);
	return completion;
}
