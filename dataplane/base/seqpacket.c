/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets between processes of one host: client and dataplane, dataplane and control plane. Whoever
 * is at the other end is not believed: sizes, counts and frames are checked here once for all
 * users.
 */
#include "base/seqpacket.h"

#include "api/haul_error.h"
#include "api/haul_frame.h"
#include "base/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * Room in the control buffer for more descriptors than any message may bring, so that one too many
 * is seen. The kernel fills the buffer up to its last byte, alignment included, so the room must
 * need none.
 */
#define FDS_ROOM (HAUL_FRAME_FDS_MAX + 2u)

_Static_assert(CMSG_SPACE(FDS_ROOM * sizeof(int)) == CMSG_LEN(FDS_ROOM * sizeof(int)),
	       "no more than FDS_ROOM descriptors fit the control buffer");

union control_buffer {
	struct cmsghdr header; /* for its alignment */
	uint8_t bytes[CMSG_SPACE(FDS_ROOM * sizeof(int))];
};

static int address_fill(const char *path, struct sockaddr_un *address)
{
	size_t length = strlen(path);

	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	if (length == 0)
		return -EINVAL;
	if (length >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	memcpy(address->sun_path, path, length);
	return 0;
}

/* Close the descriptor and say what went wrong before. */
static int close_with(int fd, int error)
{
	close(fd);
	return error;
}

int seqpacket_connect(const char *path, unsigned int flags)
{
	struct sockaddr_un address;
	int type = SOCK_SEQPACKET | SOCK_CLOEXEC;
	int error = address_fill(path, &address);
	int fd;

	if (error != 0)
		return error;
	if ((flags & SEQPACKET_NONBLOCK) != 0)
		type |= SOCK_NONBLOCK;
	fd = socket(AF_UNIX, type, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return close_with(fd, -errno);
	return fd;
}

/* Remove a socket file that nobody listens at any more. Returns 0 when the path is free now. */
static int path_clear(const char *path)
{
	struct stat status;
	int fd;

	if (lstat(path, &status) != 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -EEXIST;
	fd = seqpacket_connect(path, SEQPACKET_NONBLOCK);
	if (fd >= 0)
		return close_with(fd, -EADDRINUSE);
	if (fd != -ECONNREFUSED)
		return -EADDRINUSE;
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

int seqpacket_listen(const char *path, mode_t mode)
{
	struct sockaddr_un address;
	int error = address_fill(path, &address);
	int fd;

	if (error == 0)
		error = path_clear(path);
	if (error != 0)
		return error;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return close_with(fd, -errno);
	/*
	 * Nobody can connect before listen, so the mode is in force from the first connection on.
	 */
	if (chmod(path, mode) != 0 || listen(fd, SEQPACKET_BACKLOG) != 0) {
		error = -errno;
		unlink(path);
		return close_with(fd, error);
	}
	return fd;
}

int seqpacket_accept(int listener)
{
	int fd;

	do {
		/* cppcheck-suppress nullPointer ; the address is not wanted */
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	} while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
	return fd < 0 ? -errno : fd;
}

int seqpacket_send(int fd, const void *bytes, size_t length, const int *fds, unsigned int fd_count)
{
	struct iovec part = { .iov_base = (void *)(uintptr_t)bytes, .iov_len = length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	union control_buffer control;
	ssize_t sent;

	BUG_ON(fd_count > HAUL_FRAME_FDS_MAX || length == 0);
	if (fd_count > 0) {
		struct cmsghdr *header;

		memset(&control, 0, sizeof(control));
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(header), fds, fd_count * sizeof(int));
	}
	do {
		sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	} while (sent < 0 && errno == EINTR);
	return sent < 0 ? -errno : 0;
}

void seqpacket_close_fds(const int *fds, unsigned int fd_count)
{
	for (unsigned int i = 0; i < fd_count; i++)
		close(fds[i]);
}

/* Copy the descriptors of a received message to fds, room for FDS_ROOM. Returns their number. */
static unsigned int fds_take(struct msghdr *message, int *fds)
{
	unsigned int count = 0;
	struct cmsghdr *header;

	for (header = CMSG_FIRSTHDR(message); header != NULL;
	     header = CMSG_NXTHDR(message, header)) {
		size_t bytes = header->cmsg_len - CMSG_LEN(0);

		if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
			continue;
		BUG_ON(count + bytes / sizeof(int) > FDS_ROOM);
		memcpy(fds + count, CMSG_DATA(header), bytes);
		count += (unsigned int)(bytes / sizeof(int));
	}
	return count;
}

ssize_t seqpacket_receive(int fd, void *bytes, size_t capacity, int *fds_out, unsigned int fd_max,
			  unsigned int *fd_count_out)
{
	struct iovec part = { .iov_base = bytes, .iov_len = capacity };
	union control_buffer control;
	struct msghdr message = { .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	int fds[FDS_ROOM];
	unsigned int count;
	ssize_t received;

	*fd_count_out = 0;
	do {
		received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	} while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;
	count = fds_take(&message, fds);
	if (count > fd_max || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ||
	    (received == 0 && count > 0)) {
		seqpacket_close_fds(fds, count);
		return (message.msg_flags & MSG_TRUNC) != 0 ? -EMSGSIZE : -E2BIG;
	}
	if (count > 0)
		memcpy(fds_out, fds, count * sizeof(int));
	*fd_count_out = count;
	return received;
}

int seqpacket_peer_get(int fd, struct seqpacket_peer *peer_out)
{
	struct ucred credentials;
	socklen_t length = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0)
		return -errno;
	peer_out->pid = credentials.pid;
	peer_out->uid = credentials.uid;
	peer_out->gid = credentials.gid;
	return 0;
}

void frame_fill(struct haul_frame *frame, uint16_t version, uint16_t type, uint32_t length,
		uint32_t request)
{
	memset(frame, 0, sizeof(*frame));
	frame->magic = HAUL_FRAME_MAGIC;
	frame->version = version;
	frame->type = type;
	frame->length = length;
	frame->request = request;
}

int frame_check(const void *message, size_t received, uint16_t version, size_t bytes_min,
		char *reason)
{
	struct haul_frame frame;

	if (received < sizeof(frame)) {
		snprintf(reason, HAUL_REASON_BYTES,
			 "a message of %zu bytes has no room for a frame", received);
		return -HAUL_INVALID;
	}
	memcpy(&frame, message, sizeof(frame));
	if (frame.magic != HAUL_FRAME_MAGIC) {
		snprintf(reason, HAUL_REASON_BYTES,
			 "a message begins with 0x%08x instead of haul's magic", frame.magic);
		return -HAUL_INVALID;
	}
	if (frame.version != version) {
		snprintf(reason, HAUL_REASON_BYTES,
			 "the other side speaks version %u of the protocol, this one version %u",
			 frame.version, version);
		return -HAUL_VERSION;
	}
	if (frame.length != received || received < bytes_min || frame.reserved != 0) {
		snprintf(
			reason, HAUL_REASON_BYTES,
			"message type 0x%04x: %zu bytes came, its frame says %u, at least %zu are due%s",
			frame.type, received, frame.length, bytes_min,
			frame.reserved != 0 ? "; reserved bytes are not zero" : "");
		return -HAUL_INVALID;
	}
	return 0;
}
