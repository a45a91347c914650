/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haul-copy: moves a file into a segment of any node, or back, and says how fast. It is also the example of a whole
 * application: attach, own a segment or open one, keep operations under way, look at every completion.
 */
#include "base/auth.h"
#include "base/check.h"
#include "base/counters.h"
#include "outcome.h"
#include "transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

/* Exit status: 0 done, 1 something failed, 2 wrong usage, 3 the digests differ. */
#define COPY_FAILED 1
#define COPY_USAGE  2
#define COPY_DIFFER 3

#define COPY_CHUNK_BYTES (1u << 20)
#define COPY_DEPTH       16u
#define COPY_DEPTH_MAX   256u

static const char copy_usage[] =
	"usage: haul-copy [OPTIONS] serve SEGMENT BYTES       own a segment until stdin ends, or TERM or INT\n"
	"       haul-copy [OPTIONS] put FILE SEGMENT          write a file into a segment\n"
	"       haul-copy [OPTIONS] get SEGMENT FILE [BYTES]  read a segment, or its first bytes, into a file\n"
	"       haul-copy [OPTIONS] verify FILE SEGMENT       read a segment and compare its digest with the file's\n"
	"       haul-copy [OPTIONS] roundtrip FILE SEGMENT    put, then verify\n"
	"\n"
	"  --socket PATH     the daemon's attach socket (default $HAUL_SOCKET, /run/haul/attach.sock)\n"
	"  --chunk BYTES     of one operation (default 1M)\n"
	"  --depth N         operations under way at a time, 1 to 256 (default 16)\n"
	"  --counters FILE   the daemon's counters file: prints packets and retransmissions\n"
	"  --json            one object instead of lines\n"
	"  --help            this text\n"
	"\n"
	"BYTES may end in K, M or G. Times and rates are of the transfers alone, from the first submission to the last\n"
	"completion: the file is read before and digests are made after.\n"
	"Exit status: 0 done, 1 something failed (stderr says what), 2 wrong usage, 3 digests differ.\n";

struct copy {
	struct haul *haul;
	const char *socket_path;
	const char *counters_path;
	uint32_t chunk_bytes;
	uint32_t depth;
	struct outcome outcome;
};

static int copy_fail(const struct copy *copy, const char *what, int error)
{
	fprintf(stderr, "haul-copy: %s: %s: %s\n", what, haul_error_text(error),
		haul_reason(copy->haul));
	return COPY_FAILED;
}

static int copy_fail_errno(const char *what)
{
	fprintf(stderr, "haul-copy: %s: %s\n", what, strerrordesc_np(errno));
	return COPY_FAILED;
}

static void copy_add_counter(const struct counter_value *value, void *argument)
{
	struct outcome_packets *packets = argument;

	if (strcmp(value->name, "rudp_packets_sent") == 0)
		packets->sent += value->value;
	if (strcmp(value->name, "rudp_packets_received") == 0)
		packets->received += value->value;
	if (strcmp(value->name, "rudp_retransmitted") == 0)
		packets->retransmitted += value->value;
}

static struct outcome_packets copy_count_packets(const struct copy *copy)
{
	struct outcome_packets packets = { 0 };
	struct counters_view *view;

	if (copy->counters_path == NULL || counters_open(copy->counters_path, &view) != 0)
		return packets;
	counters_each(view, copy_add_counter, &packets);
	counters_close(view);
	return packets;
}

static int copy_attach(struct copy *copy)
{
	struct haul_options options = { .socket_path = copy->socket_path, .name = "haul-copy" };
	int error = haul_attach(&options, &copy->haul);

	return error == 0 ? 0 : copy_fail(copy, "attach", error);
}

/* Memory for the near side of a copy. */
static int copy_make_memory(struct copy *copy, const char *name, uint64_t bytes,
			    struct haul_memory *memory_out)
{
	struct haul_segment_options options = { .name = name, .bytes = bytes, .is_private = 1 };
	int error = haul_segment_create(copy->haul, &options, memory_out);

	return error == 0 ? 0 : copy_fail(copy, "memory for the file", error);
}

/* Read a whole file into memory of haul; sets its size. */
static int copy_load(struct copy *copy, const char *path, struct haul_memory *memory_out,
		     uint64_t *bytes_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	uint64_t done = 0;

	if (fd < 0 || fstat(fd, &status) != 0)
		return copy_fail_errno(path);
	if (!S_ISREG(status.st_mode) || status.st_size == 0) {
		fprintf(stderr, "haul-copy: %s: must be a regular file that is not empty\n", path);
		close(fd);
		return COPY_FAILED;
	}
	if (copy_make_memory(copy, "haul-copy/source", (uint64_t)status.st_size, memory_out) != 0) {
		close(fd);
		return COPY_FAILED;
	}
	while (done < (uint64_t)status.st_size) {
		ssize_t length =
			read(fd, (char *)memory_out->address + done, (size_t)status.st_size - done);

		if (length <= 0) {
			copy_fail_errno(path);
			close(fd);
			return COPY_FAILED;
		}
		done += (uint64_t)length;
	}
	close(fd);
	*bytes_out = done;
	return 0;
}

static int copy_store(const char *path, const void *bytes, uint64_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	uint64_t done = 0;

	if (fd < 0)
		return copy_fail_errno(path);
	while (done < length) {
		ssize_t written = write(fd, (const char *)bytes + done, length - done);

		if (written <= 0) {
			copy_fail_errno(path);
			close(fd);
			return COPY_FAILED;
		}
		done += (uint64_t)written;
	}
	return close(fd) == 0 ? 0 : copy_fail_errno(path);
}

static int copy_open(struct copy *copy, const char *segment, unsigned int rights, uint64_t bytes,
		     struct haul_remote *remote_out)
{
	int error = haul_segment_open(copy->haul, segment, rights, remote_out);

	if (error != 0)
		return copy_fail(copy, segment, error);
	if (bytes <= remote_out->bytes)
		return 0;
	fprintf(stderr, "haul-copy: %s: has %lu bytes, the file %lu\n", segment,
		(unsigned long)remote_out->bytes, (unsigned long)bytes);
	return COPY_FAILED;
}

/* One direction, with its line of figures. */
static int copy_move(struct copy *copy, const struct haul_memory *memory,
		     const struct haul_remote *remote, uint64_t bytes, bool is_read)
{
	struct transfer transfer = {
		.haul = copy->haul,
		.memory = memory,
		.remote = remote,
		.bytes = bytes,
		.chunk_bytes = copy->chunk_bytes,
		.depth = copy->depth,
		.is_read = is_read,
		.is_shown = isatty(STDERR_FILENO) == 1,
		.label = is_read ? "read" : "write",
	};
	struct outcome_packets before = copy_count_packets(copy);
	struct outcome_transfer moved = { .label = transfer.label };
	int error = transfer_run(&transfer, &moved.result);

	moved.packets = copy_count_packets(copy);
	moved.packets.sent -= before.sent;
	moved.packets.received -= before.received;
	moved.packets.retransmitted -= before.retransmitted;
	outcome_add(&copy->outcome, &moved);
	return error == 0 ? 0 : COPY_FAILED;
}

static int copy_put(struct copy *copy, char **arguments)
{
	struct haul_memory source;
	struct haul_remote remote;
	uint64_t bytes;

	if (copy_load(copy, arguments[0], &source, &bytes) != 0 ||
	    copy_open(copy, arguments[1], HAUL_WRITE, bytes, &remote) != 0)
		return COPY_FAILED;
	return copy_move(copy, &source, &remote, bytes, false);
}

/* A number of bytes with K, M or G behind it; 0, after a line on stderr, when it is none. */
static uint64_t copy_bytes(const char *text)
{
	static const char units[] = "KMG";
	uint64_t bytes;
	char *end;

	errno = 0;
	bytes = strtoull(text, &end, 10);
	if (*end != 0 && strchr(units, *end) != NULL) {
		unsigned int shift = 10 * (unsigned int)(strchr(units, *end) - units + 1);

		end++;
		bytes = bytes <= UINT64_MAX >> shift ? bytes << shift : 0;
	}
	if (*text < '0' || *text > '9' || *end != 0 || errno != 0)
		bytes = 0;
	if (bytes == 0)
		fprintf(stderr, "haul-copy: \"%s\": a number is wanted, such as 1048576 or 64M\n",
			text);
	return bytes;
}

static int copy_get(struct copy *copy, char **arguments)
{
	uint64_t bytes = arguments[2] != NULL ? copy_bytes(arguments[2]) : 1;
	struct haul_memory target;
	struct haul_remote remote;

	if (bytes == 0)
		return COPY_USAGE;
	if (copy_open(copy, arguments[0], HAUL_READ, bytes, &remote) != 0)
		return COPY_FAILED;
	if (arguments[2] == NULL)
		bytes = remote.bytes;
	if (copy_make_memory(copy, "haul-copy/target", bytes, &target) != 0 ||
	    copy_move(copy, &target, &remote, bytes, true) != 0)
		return COPY_FAILED;
	return copy_store(arguments[1], target.address, bytes);
}

/* Read back into memory that has seen none of these bytes, and compare. */
static int copy_check(struct copy *copy, const char *path, const struct haul_memory *source,
		      const struct haul_remote *remote, uint64_t bytes)
{
	struct outcome *outcome = &copy->outcome;
	struct haul_memory target;

	if (copy_make_memory(copy, "haul-copy/target", bytes, &target) != 0 ||
	    copy_move(copy, &target, remote, bytes, true) != 0)
		return COPY_FAILED;
	if (auth_sha256(source->address, bytes, outcome->digests[0]) != 0 ||
	    auth_sha256(target.address, bytes, outcome->digests[1]) != 0)
		return copy_fail_errno("sha256");
	return outcome_compare(outcome, path) ? 0 : COPY_DIFFER;
}

static int copy_verify(struct copy *copy, char **arguments)
{
	struct haul_memory source;
	struct haul_remote remote;
	uint64_t bytes;

	if (copy_load(copy, arguments[0], &source, &bytes) != 0 ||
	    copy_open(copy, arguments[1], HAUL_READ, bytes, &remote) != 0)
		return COPY_FAILED;
	return copy_check(copy, arguments[0], &source, &remote, bytes);
}

static int copy_roundtrip(struct copy *copy, char **arguments)
{
	struct haul_memory source;
	struct haul_remote remote;
	uint64_t bytes;

	if (copy_load(copy, arguments[0], &source, &bytes) != 0 ||
	    copy_open(copy, arguments[1], HAUL_READ | HAUL_WRITE, bytes, &remote) != 0 ||
	    copy_move(copy, &source, &remote, bytes, false) != 0)
		return COPY_FAILED;
	return copy_check(copy, arguments[0], &source, &remote, bytes);
}

/* Wait for the end of stdin, or TERM or INT. */
static int copy_wait_for_end(void)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
	char byte;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fds[1].fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fds[1].fd < 0)
		return copy_fail_errno("signalfd");
	while (poll(fds, 2, -1) >= 0 || errno == EINTR) {
		if (fds[1].revents != 0)
			break;
		if (fds[0].revents != 0 && read(STDIN_FILENO, &byte, 1) <= 0)
			break;
	}
	close(fds[1].fd);
	return 0;
}

static int copy_serve(struct copy *copy, char **arguments)
{
	struct haul_segment_options options = { .name = arguments[0],
						.bytes = copy_bytes(arguments[1]),
						.readers = "*",
						.writers = "*" };
	struct haul_memory memory;
	int error;

	if (options.bytes == 0)
		return COPY_USAGE;
	error = haul_segment_create(copy->haul, &options, &memory);
	if (error != 0)
		return copy_fail(copy, arguments[0], error);
	printf("READY %s on node %s: %zu bytes in pages of %u, version %lu\n", arguments[0],
	       haul_node(copy->haul), memory.bytes, memory.page_bytes,
	       (unsigned long)memory.version);
	fflush(stdout);
	return copy_wait_for_end();
}

struct copy_command {
	const char *name;
	int least; /* arguments */
	int most;
	int (*run)(struct copy *copy, char **arguments);
};

static const struct copy_command copy_commands[] = {
	{ "serve", 2, 2, copy_serve },
	{ "put", 2, 2, copy_put },
	{ "get", 2, 3, copy_get },
	{ "verify", 2, 2, copy_verify },
	{ "roundtrip", 2, 2, copy_roundtrip },
};

static const struct copy_command *copy_find(int argc, char **argv)
{
	for (unsigned int i = 0; argc > 0 && i < ARRAY_SIZE(copy_commands); i++) {
		if (strcmp(copy_commands[i].name, argv[0]) == 0 &&
		    argc - 1 >= copy_commands[i].least && argc - 1 <= copy_commands[i].most)
			return &copy_commands[i];
	}
	return NULL;
}

static bool copy_parse_number(const char *text, uint32_t max, uint32_t *number_out)
{
	uint64_t number = copy_bytes(text);

	if (number > max)
		fprintf(stderr, "haul-copy: \"%s\": at most %u is allowed\n", text, max);
	*number_out = (uint32_t)number;
	return number > 0 && number <= max;
}

/* Returns -1 to go on, or the exit status. */
static int copy_parse(struct copy *copy, int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "chunk", required_argument, NULL, 'c' },
		{ "depth", required_argument, NULL, 'd' },
		{ "counters", required_argument, NULL, 'C' },
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		bool is_good = true;

		if (option == 's') {
			copy->socket_path = optarg;
		} else if (option == 'j') {
			copy->outcome.is_json = true;
		} else if (option == 'c') {
			is_good = copy_parse_number(optarg, HAUL_OPERATION_BYTES_MAX,
						    &copy->chunk_bytes);
		} else if (option == 'd') {
			is_good = copy_parse_number(optarg, COPY_DEPTH_MAX, &copy->depth);
		} else if (option == 'C') {
			copy->counters_path = optarg;
		} else if (option == 'h') {
			return fputs(copy_usage, stdout) < 0 ? COPY_FAILED : 0;
		} else {
			is_good = false;
		}
		if (!is_good)
			return COPY_USAGE;
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct copy copy = { .chunk_bytes = COPY_CHUNK_BYTES, .depth = COPY_DEPTH };
	const struct copy_command *command;
	int status = copy_parse(&copy, argc, argv);

	if (status >= 0)
		return status;
	command = copy_find(argc - optind, argv + optind);
	if (command == NULL) {
		fputs(copy_usage, stderr);
		return COPY_USAGE;
	}
	status = copy_attach(&copy);
	if (status == 0)
		status = command->run(&copy, argv + optind + 1);
	outcome_end(&copy.outcome, status);
	haul_detach(copy.haul);
	return status;
}
