/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * haul-copy: moves a file into a segment of any node, or back, and says how fast. It is also the example of a whole
 * application: attach, own a segment or open one, keep operations under way, look at every completion.
 */
#include "base/auth.h"
#include "base/check.h"
#include "base/counters.h"
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
	"usage: haul-copy [OPTIONS] serve SEGMENT BYTES     own a segment until stdin ends\n"
	"       haul-copy [OPTIONS] put FILE SEGMENT        write a file into a segment\n"
	"       haul-copy [OPTIONS] get SEGMENT FILE BYTES  read a segment into a file\n"
	"       haul-copy [OPTIONS] roundtrip FILE SEGMENT  write, read back, compare digests\n"
	"\n"
	"  --socket PATH     the daemon's attach socket (default $HAUL_SOCKET, /run/haul/attach.sock)\n"
	"  --chunk BYTES     of one operation (default 1048576)\n"
	"  --depth N         operations under way at a time, 1 to 256 (default 16)\n"
	"  --counters FILE   the daemon's counters file: prints packets and retransmissions\n"
	"  --help            this text\n"
	"\n"
	"Exit status: 0 done, 1 something failed (stderr says what), 2 wrong usage, 3 digests differ.\n";

struct copy {
	struct haul *haul;
	const char *socket_path;
	const char *counters_path;
	uint32_t chunk_bytes;
	uint32_t depth;
};

/* What the daemon has sent so far, over all transports. */
struct copy_packets {
	uint64_t sent;
	uint64_t received;
	uint64_t retransmitted;
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
	struct copy_packets *packets = argument;

	if (strcmp(value->name, "rudp_packets_sent") == 0)
		packets->sent += value->value;
	if (strcmp(value->name, "rudp_packets_received") == 0)
		packets->received += value->value;
	if (strcmp(value->name, "rudp_retransmitted") == 0)
		packets->retransmitted += value->value;
}

static struct copy_packets copy_count_packets(const struct copy *copy)
{
	struct copy_packets packets = { 0 };
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

static const char *copy_transport_text(unsigned int transport)
{
	static const char *const texts[] = { "none", "local", "udp", "rdma", "tcp" };

	return transport < ARRAY_SIZE(texts) ? texts[transport] : "unknown";
}

static void copy_report(const char *what, const struct transfer_result *result,
			const struct copy_packets *before, const struct copy_packets *after)
{
	double seconds = (double)result->time_us / 1e6;

	printf("%-5s %12lu bytes  %8.3f s  %7.3f GB/s  p50 %6u us  p99 %6u us  over %s", what,
	       (unsigned long)result->bytes, seconds,
	       seconds > 0 ? (double)result->bytes / seconds / 1e9 : 0, result->p50_us,
	       result->p99_us, copy_transport_text(result->transport));
	if (after->sent > before->sent) {
		printf("  %lu packets out, %lu in, %lu retransmitted",
		       (unsigned long)(after->sent - before->sent),
		       (unsigned long)(after->received - before->received),
		       (unsigned long)(after->retransmitted - before->retransmitted));
	}
	printf("\n");
	fflush(stdout);
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
	struct copy_packets before = copy_count_packets(copy);
	struct copy_packets after;
	struct transfer_result result = { 0 };
	int error = transfer_run(&transfer, &result);

	after = copy_count_packets(copy);
	copy_report(transfer.label, &result, &before, &after);
	return error == 0 ? 0 : COPY_FAILED;
}

static void copy_print_digest(const char *what, const uint8_t digest[AUTH_DIGEST_BYTES])
{
	printf("sha256 ");
	for (unsigned int i = 0; i < AUTH_DIGEST_BYTES; i++)
		printf("%02x", digest[i]);
	printf("  %s\n", what);
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

static int copy_get(struct copy *copy, char **arguments)
{
	uint64_t bytes = strtoull(arguments[2], NULL, 0);
	struct haul_memory target;
	struct haul_remote remote;

	if (bytes == 0 || copy_open(copy, arguments[0], HAUL_READ, bytes, &remote) != 0 ||
	    copy_make_memory(copy, "haul-copy/target", bytes, &target) != 0 ||
	    copy_move(copy, &target, &remote, bytes, true) != 0)
		return COPY_FAILED;
	return copy_store(arguments[1], target.address, bytes);
}

static int copy_roundtrip(struct copy *copy, char **arguments)
{
	uint8_t digests[2][AUTH_DIGEST_BYTES];
	struct haul_memory source;
	struct haul_memory target;
	struct haul_remote remote;
	uint64_t bytes;

	if (copy_load(copy, arguments[0], &source, &bytes) != 0 ||
	    copy_make_memory(copy, "haul-copy/target", bytes, &target) != 0 ||
	    copy_open(copy, arguments[1], HAUL_READ | HAUL_WRITE, bytes, &remote) != 0 ||
	    copy_move(copy, &source, &remote, bytes, false) != 0 ||
	    copy_move(copy, &target, &remote, bytes, true) != 0)
		return COPY_FAILED;
	if (auth_sha256(source.address, bytes, digests[0]) != 0 ||
	    auth_sha256(target.address, bytes, digests[1]) != 0)
		return copy_fail_errno("sha256");
	copy_print_digest(arguments[0], digests[0]);
	copy_print_digest("read back", digests[1]);
	if (!auth_equal(digests[0], digests[1], AUTH_DIGEST_BYTES)) {
		fprintf(stderr, "haul-copy: the digests differ\n");
		return COPY_DIFFER;
	}
	printf("the digests are equal\n");
	return 0;
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
						.bytes = strtoull(arguments[1], NULL, 0),
						.readers = "*",
						.writers = "*" };
	struct haul_memory memory;
	int error = haul_segment_create(copy->haul, &options, &memory);

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
	int arguments;
	int (*run)(struct copy *copy, char **arguments);
};

static const struct copy_command copy_commands[] = {
	{ "serve", 2, copy_serve },
	{ "put", 2, copy_put },
	{ "get", 3, copy_get },
	{ "roundtrip", 2, copy_roundtrip },
};

static const struct copy_command *copy_find(int argc, char **argv)
{
	for (unsigned int i = 0; argc > 0 && i < ARRAY_SIZE(copy_commands); i++) {
		if (strcmp(copy_commands[i].name, argv[0]) == 0 &&
		    copy_commands[i].arguments == argc - 1)
			return &copy_commands[i];
	}
	return NULL;
}

static bool copy_parse_number(const char *text, uint32_t max, uint32_t *number_out)
{
	char *end;
	unsigned long number = strtoul(text, &end, 0);

	if (*text == 0 || *end != 0 || number == 0 || number > max) {
		fprintf(stderr, "haul-copy: \"%s\": a number from 1 to %u is wanted\n", text, max);
		return false;
	}
	*number_out = (uint32_t)number;
	return true;
}

/* Returns -1 to go on, or the exit status. */
static int copy_parse(struct copy *copy, int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "chunk", required_argument, NULL, 'c' },
		{ "depth", required_argument, NULL, 'd' },
		{ "counters", required_argument, NULL, 'C' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		bool is_good = true;

		if (option == 's')
			copy->socket_path = optarg;
		else if (option == 'c') {
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
	haul_detach(copy.haul);
	return status;
}
