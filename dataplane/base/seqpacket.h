/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Unix sockets of type SOCK_SEQPACKET with descriptors on board, and the check of the frame that
 * every message begins with. One packet is one message, so there is nothing to reassemble and
 * nothing to resynchronise.
 *
 * Every descriptor that arrives and is not handed to the caller is closed here. Cold paths only.
 */
#ifndef BASE_SEQPACKET_H
#define BASE_SEQPACKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct haul_frame;

/** Connections that may wait for an accept. */
#define SEQPACKET_BACKLOG 64

/** Flags of seqpacket_connect. */
#define SEQPACKET_NONBLOCK 0x1u

/** Who is at the other end, by the kernel's word at the moment of connecting. */
struct seqpacket_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
};

/**
 * Listen at a path with the given file mode, non-blocking. A dead socket left there is replaced.
 * Returns the descriptor, -EADDRINUSE when somebody listens there, -ENAMETOOLONG, -EEXIST (not a
 * socket) or another -errno.
 */
int seqpacket_listen(const char *path, mode_t mode);

/**
 * Take one connection, non-blocking. Returns the descriptor, -EAGAIN when none waits, or another
 * -errno.
 */
int seqpacket_accept(int listener);

/**
 * Connect to a path. Returns the descriptor; -ENOENT or -ECONNREFUSED when nobody listens; or
 * another -errno.
 */
int seqpacket_connect(const char *path, unsigned int flags);

/**
 * Send one message with fd_count descriptors (at most HAUL_FRAME_FDS_MAX; they stay the caller's).
 * Returns 0; -EAGAIN when the peer does not read; -EPIPE when it is gone; or another -errno. Raises
 * no signal.
 */
int seqpacket_send(int fd, const void *bytes, size_t length, const int *fds, unsigned int fd_count);

/**
 * Receive one message into capacity bytes, and up to fd_max descriptors (close-on-exec, the
 * caller's from then on). Returns its length; 0 at the end of the connection (an empty message
 * counts as one); -EAGAIN; -EMSGSIZE when it was longer than capacity, -E2BIG when it brought too
 * many descriptors (in both cases all are closed); -errno. *fd_count_out is always set.
 */
ssize_t seqpacket_receive(int fd, void *bytes, size_t capacity, int *fds_out, unsigned int fd_max,
			  unsigned int *fd_count_out);

/** Close descriptors that a message brought and nobody wants. */
void seqpacket_close_fds(const int *fds, unsigned int fd_count);

/** Who is at the other end. Returns 0 or -errno. */
int seqpacket_peer_get(int fd, struct seqpacket_peer *peer_out);

/** Fill a frame: magic, version, type, length and request; the rest is zero. */
void frame_fill(struct haul_frame *frame, uint16_t version, uint16_t type, uint32_t length,
		uint32_t request);

/**
 * Check what arrived before anything else looks at it: received bytes at message, magic, version,
 * length, reserved, and that at least bytes_min are there. Returns 0, or -HAUL_INVALID or
 * -HAUL_VERSION with a sentence in reason (HAUL_REASON_BYTES).
 */
int frame_check(const void *message, size_t received, uint16_t version, size_t bytes_min,
		char *reason);

#endif
