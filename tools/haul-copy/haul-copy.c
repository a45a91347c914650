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
#define COPY_PIECE_BYTES 65536u

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
	"BYTES may end in K, M or G. Times and rates are from the beginning of a transfer to its last completion. The\n"
	"file is read or written, and digests are made, meanwhile: memory is needed for depth times chunk, whatever its size.\n"
	"Exit status: 0 done, 1 something failed (stderr says what), 2 wrong usage, 3 digests differ.\n";

struct copy {
	struct haul *haul;
	const char *socket_path;
	const char *counters_path;
	uint32_t chunk_bytes;
	uint32_t depth;
	struct outcome outcome;
};

/* A file of this side: what is brought from it or put into it next stands at its offset. */
struct copy_file {
	int fd;
	const char *path;
	uint64_t bytes;             /* of a source */
	struct auth_sha256 *sha256; /* of what was brought; NULL = nobody asks */
};

struct copy_back {
	struct auth_sha256 *sha256; /* of what was read back */
	struct copy_file *file;     /* brought beside it; NULL = has been */
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

static int copy_open_source(struct copy_file *file, const char *path)
{
	struct stat status;

	file->path = path;
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd < 0 || fstat(file->fd, &status) != 0)
		return copy_fail_errno(path);
	file->bytes = (uint64_t)status.st_size;
	if (S_ISREG(status.st_mode) && file->bytes > 0)
		return 0;
	fprintf(stderr, "haul-copy: %s: must be a regular file that is not empty\n", path);
	return COPY_FAILED;
}

/* The next bytes of a file, for its digest too when that is made. 0, or -1 after a line on stderr. */
static int copy_load(void *context, void *bytes, uint32_t length)
{
	const struct copy_file *file = context;
	uint32_t done = 0;

	while (done < length) {
		ssize_t got = read(file->fd, (char *)bytes + done, length - done);

		if (got == 0)
			fprintf(stderr, "haul-copy: %s: has become shorter\n", file->path);
		else if (got < 0)
			copy_fail_errno(file->path);
		if (got <= 0)
			return -1;
		done += (uint32_t)got;
	}
	if (file->sha256 != NULL)
		auth_sha256_add(file->sha256, bytes, length);
	return 0;
}

static int copy_store(void *context, void *bytes, uint32_t length)
{
	const struct copy_file *file = context;
	uint32_t done = 0;

	while (done < length) {
		ssize_t written = write(file->fd, (const char *)bytes + done, length - done);

		if (written <= 0) {
			copy_fail_errno(file->path);
			return -1;
		}
		done += (uint32_t)written;
	}
	return 0;
}

/* What was read back goes into its digest; so do as many bytes of the file, unless they have before. */
static int copy_take_back(void *context, void *bytes, uint32_t length)
{
	static char piece[COPY_PIECE_BYTES];
	struct copy_back *back = context;

	auth_sha256_add(back->sha256, bytes, length);
	while (back->file != NULL && length > 0) {
		uint32_t most = MIN(length, COPY_PIECE_BYTES);

		if (copy_load(back->file, piece, most) != 0)
			return -1;
		length -= most;
	}
	return 0;
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

/* One direction through memory of its own, which has seen none of these bytes, with its line of figures. */
static int copy_move(struct copy *copy, const struct haul_remote *remote, uint64_t bytes,
		     int (*handle)(void *context, void *bytes, uint32_t length), void *context)
{
	bool is_read = handle != copy_load;
	struct haul_memory memory;
	struct transfer transfer = {
		.haul = copy->haul,
		.memory = &memory,
		.remote = remote,
		.bytes = bytes,
		.chunk_bytes = copy->chunk_bytes,
		.depth = copy->depth,
		.is_read = is_read,
		.is_shown = isatty(STDERR_FILENO) == 1,
		.label = is_read ? "read" : "write",
		.handle = handle,
		.context = context,
	};
	struct outcome_packets before = copy_count_packets(copy);
	struct outcome_transfer moved = { .label = transfer.label };
	int error;

	if (copy_make_memory(copy, is_read ? "haul-copy/target" : "haul-copy/source",
			     transfer_ring_bytes(bytes, copy->chunk_bytes, copy->depth),
			     &memory) != 0)
		return COPY_FAILED;
	error = transfer_run(&transfer, &moved.result);
	moved.packets = copy_count_packets(copy);
	moved.packets.sent -= before.sent;
	moved.packets.received -= before.received;
	moved.packets.retransmitted -= before.retransmitted;
	outcome_add(&copy->outcome, &moved);
	return error == 0 ? 0 : COPY_FAILED;
}

static int copy_put(struct copy *copy, char **arguments)
{
	struct copy_file source = { 0 };
	struct haul_remote remote;

	if (copy_open_source(&source, arguments[0]) != 0 ||
	    copy_open(copy, arguments[1], HAUL_WRITE, source.bytes, &remote) != 0)
		return COPY_FAILED;
	return copy_move(copy, &remote, source.bytes, copy_load, &source);
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
	struct copy_file target = { .path = arguments[1] };
	struct haul_remote remote;
	int status;

	if (bytes == 0)
		return COPY_USAGE;
	if (copy_open(copy, arguments[0], HAUL_READ, bytes, &remote) != 0)
		return COPY_FAILED;
	if (arguments[2] == NULL)
		bytes = remote.bytes;
	target.fd = open(target.path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (target.fd < 0)
		return copy_fail_errno(target.path);
	status = copy_move(copy, &remote, bytes, copy_store, &target);
	if (status != 0)
		fprintf(stderr, "haul-copy: %s: is not whole\n", target.path);
	return close(target.fd) == 0 ? status : copy_fail_errno(target.path);
}

static int copy_begin_digest(struct auth_sha256 **sha256)
{
	return auth_sha256_begin(sha256) == 0 ? 0 : copy_fail_errno("sha256");
}

/* Read back, and compare. The file's digest is made of what is read from it now, or was when it was written. */
static int copy_check(struct copy *copy, struct copy_file *file, const struct haul_remote *remote,
		      bool is_read_again)
{
	struct copy_back back = { .file = is_read_again ? file : NULL };
	struct outcome *outcome = &copy->outcome;
	int status;

	if (copy_begin_digest(&back.sha256) != 0)
		return COPY_FAILED;
	status = copy_move(copy, remote, file->bytes, copy_take_back, &back);
	if (auth_sha256_end(back.sha256, outcome->digests[1]) != 0 ||
	    auth_sha256_end(file->sha256, outcome->digests[0]) != 0)
		return copy_fail_errno("sha256");
	if (status != 0)
		return status;
	return outcome_compare(outcome, file->path) ? 0 : COPY_DIFFER;
}

static int copy_verify(struct copy *copy, char **arguments)
{
	struct copy_file file = { 0 };
	struct haul_remote remote;

	if (copy_open_source(&file, arguments[0]) != 0 ||
	    copy_open(copy, arguments[1], HAUL_READ, file.bytes, &remote) != 0 ||
	    copy_begin_digest(&file.sha256) != 0)
		return COPY_FAILED;
	return copy_check(copy, &file, &remote, true);
}

static int copy_roundtrip(struct copy *copy, char **arguments)
{
	struct copy_file file = { 0 };
	struct haul_remote remote;

	if (copy_open_source(&file, arguments[0]) != 0 ||
	    copy_open(copy, arguments[1], HAUL_READ | HAUL_WRITE, file.bytes, &remote) != 0 ||
	    copy_begin_digest(&file.sha256) != 0 ||
	    copy_move(copy, &remote, file.bytes, copy_load, &file) != 0)
		return COPY_FAILED;
	return copy_check(copy, &file, &remote, false);
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
