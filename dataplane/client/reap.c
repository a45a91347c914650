/* SPDX-License-Identifier: BSD-3-Clause */
/* The completion side: look, wait, and hand back. */
#include "base/check.h"
#include "base/clock.h"
#include "base/ring.h"
#include "client/client.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>

/*
 * How long haul_wait polls before it sleeps. A round trip over a wire takes some 10 us, and going to sleep and being
 * woken as much again; on a machine with no core to spare a longer spin would take the worker's time.
 */
#define REAP_SPIN_US 20u

/* Looks at the ring between two looks at the clock. */
#define REAP_SPIN_LOOKS 32

HAUL_PUBLIC int haul_peek(struct haul *haul, const struct haul_completion **completions_out)
{
	uint32_t tail = ring_load_acquire(&haul->header->completion_tail.value);
	uint32_t index = haul->seen & (haul->completions_count - 1);
	uint32_t count = tail - haul->seen;
	int error;

	if (count > 0) {
		*completions_out = &haul->completions[index];
		return (int)MIN(count, haul->completions_count - index);
	}
	error = client_check_channel(haul);
	if (error == 0)
		return 0;
	/* The channel was closed after the look: what it completed before that is still there. */
	if (ring_load_acquire(&haul->header->completion_tail.value) != haul->seen)
		return haul_peek(haul, completions_out);
	return error;
}

/* Look for a short while without a system call. Returns what peek does. */
static int reap_spin(struct haul *haul, uint64_t until_us,
		     const struct haul_completion **completions_out)
{
	int count = 0;

	do {
		for (int i = 0; i < REAP_SPIN_LOOKS && count == 0; i++) {
			count = haul_peek(haul, completions_out);
			ring_pause();
		}
	} while (count == 0 && clock_now_us() < until_us);
	return count;
}

/* Is the daemon gone? The attach socket tells, since an eventfd does not. */
static void reap_check_socket(struct haul *haul, short events)
{
	if ((events & (POLLHUP | POLLERR)) == 0)
		return;
	haul->is_broken = true;
	client_fail(haul, HAUL_DISCONNECTED, "the daemon is gone; attach again");
}

/* Sleep until the worker wakes us, the daemon dies or the time has passed. Returns 0 or -HAUL_SYSTEM. */
static int reap_sleep(struct haul *haul, uint64_t left_us)
{
	struct pollfd fds[2] = { { .fd = haul->wake_fd, .events = POLLIN },
				 { .fd = haul->socket_fd, .events = POLLRDHUP } };
	struct timespec timeout = { .tv_sec = (time_t)(left_us / 1000000),
				    .tv_nsec = (long)(left_us % 1000000 * 1000) };
	int count;

	count = ppoll(fds, 2, left_us == UINT64_MAX ? NULL : &timeout, NULL);
	if (count < 0 && errno != EINTR)
		return client_fail(haul, HAUL_SYSTEM,
				   "the completion ring cannot be waited for: %s",
				   strerrordesc_np(errno));
	if (count > 0) {
		eventfd_t value;

		if ((fds[0].revents & POLLIN) != 0)
			eventfd_read(haul->wake_fd, &value);
		reap_check_socket(haul, (short)(fds[1].revents |
						((fds[1].revents & POLLRDHUP) != 0 ? POLLHUP : 0)));
	}
	return 0;
}

/* One sleep with the flag up, unless something came between the last look and the flag. */
static int reap_sleep_flagged(struct haul *haul, uint64_t left_us)
{
	struct haul_channel_header *header = haul->header;
	int error = 0;

	ring_store_relaxed(&header->client_sleeps.value, 1);
	/* Orders the flag before the last look at the ring, against the fence in channel_wake. */
	ring_full_fence();
	if (ring_load_acquire(&header->completion_tail.value) == haul->seen &&
	    ring_load_acquire(&header->state) != HAUL_CHANNEL_CLOSED)
		error = reap_sleep(haul, left_us);
	ring_store_relaxed(&header->client_sleeps.value, 0);
	return error;
}

HAUL_PUBLIC int haul_wait(struct haul *haul, uint64_t timeout_us,
			  const struct haul_completion **completions_out)
{
	uint64_t start_us;
	uint64_t spent_us = 0;
	int count;

	if (!client_is_own(haul))
		return client_fail(haul, HAUL_INVALID, "this attachment is the parent process's");
	count = haul_peek(haul, completions_out);
	if (count != 0 || timeout_us == 0)
		return count;
	start_us = clock_now_us();
	count = reap_spin(haul, start_us + MIN(timeout_us, REAP_SPIN_US), completions_out);
	while (count == 0) {
		int error;

		spent_us = clock_now_us() - start_us;
		if (spent_us >= timeout_us)
			return 0;
		error = reap_sleep_flagged(haul, timeout_us == UINT64_MAX ? UINT64_MAX
									  : timeout_us - spent_us);
		if (error != 0)
			return error;
		count = haul_peek(haul, completions_out);
	}
	return count;
}

HAUL_PUBLIC void haul_seen(struct haul *haul, unsigned int count)
{
	haul->seen += count;
	haul->promised -= MIN(count, haul->promised);
	/* Orders the application's reads before the slots may be written again. */
	ring_store_release(&haul->header->completion_head.value, haul->seen);
}

HAUL_PUBLIC unsigned int haul_open_operations(const struct haul *haul)
{
	return haul->promised;
}
