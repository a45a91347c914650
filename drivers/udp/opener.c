/* SPDX-License-Identifier: BSD-3-Clause */
/* The thread that opens a port; opener.h says what it does. */
#include "drivers/udp/opener.h"

#include "base/check.h"
#include "base/log.h"
#include "drivers/udp/device.h"
#include "drivers/udp/eal.h"
#include "drivers/udp/port.h"

#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* Between attempts: soon enough for a person who waits, and no load when it goes on for days. */
#define OPENER_PAUSE_FIRST_MS 250u
#define OPENER_PAUSE_LAST_MS  8000u

/* How long to wait between two knocks at a device that waits for its peer, when it is to end. */
#define OPENER_KNOCK_NS 20000000

/*
 * EAL's list of devices has no lock of its own. Who waits for its peer in there would keep all others waiting; those
 * devices go without.
 */
static pthread_mutex_t opener_eal_lock = PTHREAD_MUTEX_INITIALIZER;

static bool opener_try(struct port *port)
{
	bool is_alone = !port_waits_for_peer(port);
	int error;

	if (is_alone)
		pthread_mutex_lock(&opener_eal_lock);
	error = port_bring_up(port);
	if (error != 0)
		port_take_down(port);
	if (is_alone)
		pthread_mutex_unlock(&opener_eal_lock);
	return error == 0;
}

static void opener_close(struct port *port)
{
	pthread_mutex_lock(&opener_eal_lock);
	port_take_down(port);
	pthread_mutex_unlock(&opener_eal_lock);
}

static void opener_tell(struct port *port, bool is_open)
{
	struct opener *opener = &port->opener;

	pthread_mutex_lock(&opener->lock);
	opener->is_open = is_open;
	opener->failures = is_open ? 0 : opener->failures + 1;
	memcpy(opener->reason, port->reason, sizeof(opener->reason));
	pthread_mutex_unlock(&opener->lock);
	port_tell(port, is_open);
}

/* Until something is wished, or a failed attempt is old enough. */
static enum opener_wish opener_wait(struct opener *opener, uint32_t pause_ms)
{
	enum opener_wish wish;
	struct timespec end;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += pause_ms / 1000;
	end.tv_nsec += (long)(pause_ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&opener->lock);
	while (opener->wish == OPENER_GO_ON && error == 0) {
		if (opener->is_open)
			error = pthread_cond_wait(&opener->wake, &opener->lock);
		else
			error = pthread_cond_timedwait(&opener->wake, &opener->lock, &end);
	}
	wish = opener->wish;
	if (wish != OPENER_END)
		opener->wish = OPENER_GO_ON;
	pthread_mutex_unlock(&opener->lock);
	return wish;
}

static void *opener_main(void *argument)
{
	struct port *port = argument;
	uint32_t pause_ms = OPENER_PAUSE_FIRST_MS;
	enum opener_wish wish;

	do {
		bool is_open = opener_try(port);

		/* What the PMD has to say about further attempts is the same, and nobody's news. */
		eal_hush(!is_open);
		opener_tell(port, is_open);
		wish = opener_wait(&port->opener, pause_ms);
		pause_ms =
			is_open ? OPENER_PAUSE_FIRST_MS : MIN(2 * pause_ms, OPENER_PAUSE_LAST_MS);
		if (is_open)
			opener_close(port);
	} while (wish != OPENER_END);
	atomic_store_explicit(&port->opener.has_ended, true, memory_order_release);
	return NULL;
}

int opener_start(struct port *port)
{
	struct opener *opener = &port->opener;
	pthread_condattr_t attributes;
	int error;

	pthread_mutex_init(&opener->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&opener->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	error = pthread_create(&opener->thread, NULL, opener_main, port);
	opener->has_thread = error == 0;
	return -error;
}

static void opener_wish(struct opener *opener, enum opener_wish wish)
{
	pthread_mutex_lock(&opener->lock);
	opener->wish = wish;
	pthread_cond_signal(&opener->wake);
	pthread_mutex_unlock(&opener->lock);
}

void opener_reopen(struct port *port)
{
	opener_wish(&port->opener, OPENER_REOPEN);
}

/*
 * A device that waits for its peer waits in accept(). Knocking there and leaving makes it go on, and fail, since
 * nobody talks to it then. The PMD leaves the socket behind that it had made.
 */
void opener_end(struct port *port)
{
	const struct timespec pause = { .tv_nsec = OPENER_KNOCK_NS };
	struct opener *opener = &port->opener;
	struct sockaddr_un address;
	bool is_server = device_server_path(port->conf, &address);
	bool is_woken = false;

	if (!opener->has_thread)
		return;
	opener_wish(opener, OPENER_END);
	while (is_server && !atomic_load_explicit(&opener->has_ended, memory_order_acquire)) {
		is_woken |= port_state(port) != PORT_UP && device_knock(&address) == 0;
		nanosleep(&pause, NULL);
	}
	pthread_join(opener->thread, NULL);
	opener->has_thread = false;
	if (is_woken)
		unlink(address.sun_path);
}

uint32_t opener_failures(struct port *port, char reason_out[OPENER_REASON_BYTES])
{
	uint32_t failures;

	pthread_mutex_lock(&port->opener.lock);
	failures = port->opener.failures;
	memcpy(reason_out, port->opener.reason, OPENER_REASON_BYTES);
	pthread_mutex_unlock(&port->opener.lock);
	return failures;
}
