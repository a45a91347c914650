/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completions out: peek, wait, seen.
 *
 * A wait polls the ring for a moment, since a completion often is only microseconds away and a sleep costs more than
 * that; then it sleeps on the wake-up socket, and on the attach socket too, which tells of a dead daemon. The moment
 * adapts: it doubles when it paid and halves when the sleep came all the same, so that on a machine with few processors
 * a client that waits long does not take them from the daemon that it waits for.
 *
 * Notifications have a ring of their own (notification.c); a wait looks at it too, and ends once for each.
 *
 * The end: completions that the daemon wrote are always handed out first; only on an empty ring does a closed
 * channel or a dead daemon become -HAUL_DISCONNECTED.
 */
#include "base/clock.h"
#include "base/error.h"
#include "client/attachment.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* The moment's bounds: below the least a sleep is cheaper to begin with, above the most a core is burnt. */
#define REAP_SPIN_NS_MIN 1000u
#define REAP_SPIN_NS_MAX 50000u

/* Looks at the ring between two looks at the clock, which costs as much as some of them. */
#define REAP_SPIN_LOOKS 16

/* Wake-ups taken at once: more than one is there only when this side stayed awake after all. */
#define REAP_WAKEUPS 64

/* Empty peeks in a row, after which one asks the kernel whether the daemon lives: some 0.3 us in 1,000 peeks. */
#define REAP_PEEKS_UNASKED 1024u

/* Completions that can be seen now; a tail that cannot be is the end of the channel. */
static int reap_count(struct haul *haul)
{
	/* Acquire: completions up to the tail were written before it. */
	uint32_t tail = ring_load_acquire(&haul->header->completion_tail.value);
	uint32_t count = tail - haul->completion_head;

	if (LIKELY(count <= haul->completions_count))
		return (int)count;
	return client_give_up(
		haul, HAUL_DISCONNECTED,
		"completion_tail lies outside the ring: the daemon is not to be trusted");
}

/* Hand out `count` completions, as far as they follow one another in memory. */
static int reap_give(struct haul *haul, int count, const struct haul_completion **completions_out)
{
	uint32_t index = haul->completion_head & (haul->completions_count - 1);

	haul->empty_peeks = 0;
	haul->peeked = MIN((uint32_t)count, haul->completions_count - index);
	*completions_out = &haul->completions[index];
	return (int)haul->peeked;
}

/* One look, in which the end of the channel counts as something. */
int reap_look(struct haul *haul)
{
	bool is_over;
	int count = reap_count(haul);

	if (count != 0)
		return count;
	/* Acquire: what the daemon completed before it closed the channel is seen by the second count. */
	is_over = haul->is_gone || ring_load_acquire(&haul->header->state) != HAUL_CHANNEL_OPEN;
	if (!is_over)
		return 0;
	count = reap_count(haul);
	return count != 0 ? count : client_disconnected(haul);
}

/* As reap_look, and asks the kernel whether the daemon still lives. */
static int reap_look_hard(struct haul *haul)
{
	if (!haul->is_gone && !ask_is_connected(haul))
		haul->is_gone = true;
	return reap_look(haul);
}

int reap_look_again(struct haul *haul)
{
	return ++haul->empty_peeks % REAP_PEEKS_UNASKED == 0 ? reap_look_hard(haul) : 0;
}

int haul_peek(struct haul *haul, const struct haul_completion **completions_out)
{
	int count;

	if (!client_is_alive(haul))
		return -HAUL_INVALID;
	haul->peeked = 0;
	count = reap_look(haul);
	if (count == 0)
		count = reap_look_again(haul);
	return count > 0 ? reap_give(haul, count, completions_out) : count;
}

/* As reap_look; a notification that nobody was told of ends the wait too. */
static int reap_look_at_both(struct haul *haul, bool *is_notified_out)
{
	int count = reap_look(haul);

	if (count == 0)
		*is_notified_out = notification_is_new(haul);
	return count;
}

/* Poll the rings for the moment, or until the deadline if that is earlier. Returns as reap_look_at_both. */
static int reap_spin(struct haul *haul, uint64_t now_ns, uint64_t deadline_ns,
		     bool *is_notified_out)
{
	uint64_t end_ns = MIN(now_ns + haul->spin_ns, deadline_ns);

	do {
		for (int i = 0; i < REAP_SPIN_LOOKS; i++) {
			int count = reap_look_at_both(haul, is_notified_out);

			if (count != 0 || *is_notified_out) {
				haul->spin_ns = MIN(haul->spin_ns * 2, REAP_SPIN_NS_MAX);
				return count;
			}
			ring_pause();
		}
	} while (clock_now_ns() < end_ns);
	haul->spin_ns = MAX(haul->spin_ns / 2, REAP_SPIN_NS_MIN);
	return 0;
}

/* The time until the deadline for ppoll; NULL = without an end. */
static const struct timespec *reap_remaining(uint64_t deadline_ns, struct timespec *time)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t remaining_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;

	if (deadline_ns == UINT64_MAX)
		return NULL;
	time->tv_sec = (time_t)(remaining_ns / CLOCK_NS_PER_S);
	time->tv_nsec = (long)(remaining_ns % CLOCK_NS_PER_S);
	return time;
}

/* Take the bytes that woke us, so that they do not wake us again. */
static void reap_empty(struct haul *haul)
{
	uint8_t bytes[REAP_WAKEUPS];

	while (recv(haul->wake_fd, bytes, sizeof(bytes), MSG_DONTWAIT) == sizeof(bytes))
		continue;
}

/* Sleep until the daemon wakes us, dies, or the deadline. Returns as reap_look_at_both, or -HAUL_SYSTEM. */
static int reap_sleep(struct haul *haul, uint64_t deadline_ns, bool *is_notified_out)
{
	struct pollfd poll_fds[2] = { { .fd = haul->wake_fd, .events = POLLIN },
				      { .fd = haul->socket_fd, .events = POLLIN } };
	struct timespec time;
	int error = 0;
	int count;

	ring_store_relaxed(&haul->header->client_sleeps.value, 1);
	/* Orders the flag's store before the last look, against the fence between what was added and the flag. */
	client_fence(CLIENT_FENCE_REAP);
	count = reap_look_at_both(haul, is_notified_out);
	if (count == 0 && !*is_notified_out &&
	    ppoll(poll_fds, 2, reap_remaining(deadline_ns, &time), NULL) < 0)
		error = errno;
	ring_store_relaxed(&haul->header->client_sleeps.value, 0);
	if (count != 0 || *is_notified_out)
		return count;
	if (error != 0 && error != EINTR)
		return client_fail(haul, HAUL_SYSTEM, "ppoll: %s", errno_text(error));
	if (error == 0 && poll_fds[0].revents != 0)
		reap_empty(haul);
	if (error == 0 && poll_fds[1].revents != 0)
		return reap_look_hard(haul);
	return reap_look_at_both(haul, is_notified_out);
}

static uint64_t reap_deadline_ns(uint64_t now_ns, uint64_t timeout_us)
{
	if (timeout_us >= (UINT64_MAX - now_ns) / CLOCK_NS_PER_US)
		return UINT64_MAX;
	return now_ns + timeout_us * CLOCK_NS_PER_US;
}

int haul_wait(struct haul *haul, uint64_t timeout_us,
	      const struct haul_completion **completions_out)
{
	bool is_notified = false;
	uint64_t now_ns;
	uint64_t deadline_ns;
	int count;

	count = haul_peek(haul, completions_out);
	if (count != 0 || timeout_us == 0)
		return count;
	now_ns = clock_now_ns();
	deadline_ns = reap_deadline_ns(now_ns, timeout_us);
	count = reap_spin(haul, now_ns, deadline_ns, &is_notified);
	while (count == 0 && !is_notified && clock_now_ns() < deadline_ns)
		count = reap_sleep(haul, deadline_ns, &is_notified);
	return count > 0 ? reap_give(haul, count, completions_out) : count;
}

void haul_seen(struct haul *haul, unsigned int count)
{
	if (!client_is_alive(haul))
		return;
	count = MIN(count, haul->peeked);
	for (unsigned int i = 0; i < count; i++) {
		uint32_t index = (haul->completion_head + i) & (haul->completions_count - 1);
		uint32_t batch = haul->completions[index].batch;

		if (batch != 0 && batch <= HAUL_BATCHES_MAX)
			haul->batches[batch] = BATCH_FREE;
	}
	haul->peeked -= count;
	haul->due -= MIN(count, haul->due);
	haul->completion_head += count;
	/* Orders our reads of the completions before the daemon's next writes to their slots. */
	ring_store_release(&haul->header->completion_head.value, haul->completion_head);
}
