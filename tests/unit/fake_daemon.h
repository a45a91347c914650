/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A dataplane for tests of libhaul: a thread that listens on an attach socket of its own, speaks haul_attach.h, and
 * serves the rings of one client at a time by completing every entry at once. It can be told to misbehave in one
 * named way at the next request of one type.
 *
 * What the test reads of it (the counts) is written by the thread before it answers.
 */
#ifndef FAKE_DAEMON_H
#define FAKE_DAEMON_H

#include "api/haul_abi.h"
#include "api/haul_attach.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/** One way to misbehave. */
enum fake_trouble {
	FAKE_NONE,
	/* Any request. */
	FAKE_SILENCE,       /**< no answer until fake_daemon_speak */
	FAKE_REFUSAL,       /**< HAUL_DENIED with a sentence */
	FAKE_MUTE_REFUSAL,  /**< HAUL_QUOTA without one */
	FAKE_UNAVAILABLE,   /**< that status */
	FAKE_STATUS,        /**< a status that does not exist */
	FAKE_CLOSE,         /**< the socket is closed instead of an answer */
	FAKE_MAGIC,         /**< frame: another magic */
	FAKE_FRAME_VERSION, /**< frame: another version */
	FAKE_RESERVED,      /**< frame: reserved bytes set */
	FAKE_LENGTH,        /**< frame: a length that is not the message's */
	FAKE_OTHER_REQUEST, /**< the answer to another request */
	FAKE_OTHER_TYPE,    /**< the answer to another type */
	FAKE_SHORT,         /**< the frame alone */
	FAKE_CUT,           /**< the last byte is missing */
	FAKE_TOO_LONG,      /**< longer than any message */
	FAKE_UNASKED,       /**< something that nobody asked for comes before the answer */
	FAKE_FD_MISSING,    /**< no descriptors */
	FAKE_FD_MORE,       /**< one descriptor too many */
	FAKE_MEMORY_PLAIN,  /**< memory: not sealed */
	FAKE_MEMORY_SMALL,  /**< memory: a page less than promised */
	/* HELLO. */
	FAKE_ABI_VERSION,     /**< answer: another version of the layout */
	FAKE_ENTRIES,         /**< answer: three entries */
	FAKE_COMPLETIONS,     /**< answer: a completion ring without end */
	FAKE_NOTIFICATIONS,   /**< answer: three notifications */
	FAKE_HEADER_MAGIC,    /**< header: another magic */
	FAKE_HEADER_VERSION,  /**< header: another version */
	FAKE_HEADER_ENTRIES,  /**< header: other sizes than the answer */
	FAKE_HEADER_NOTICES,  /**< header: another size of that ring than the answer */
	FAKE_HEADER_RESERVED, /**< header: a reserved byte that is not zero */
	FAKE_NO_EVENT,        /**< the doorbell is a file */
	FAKE_NO_SOCKET,       /**< the wake-up is a file */
};

#define FAKE_TYPES (HAUL_ATTACH_EXTENT_RETIRE + 1u)

struct fake_batch {
	uint64_t bytes;
	uint16_t members;
	uint16_t status;
};

struct fake_daemon {
	char path[108];
	pthread_t thread;
	int listener;
	int client;     /**< accepted socket, -1 = none */
	int command_fd; /**< eventfd: look at the wishes below */

	/* Wishes of the test. */
	atomic_bool is_stopping;
	atomic_bool is_speaking;       /**< send the answer that was held back */
	atomic_bool is_closing;        /**< close the channel with a sentence */
	atomic_ullong given_inode;     /**< of the memory that came with a SEGMENT_CREATE */
	atomic_bool is_holding;        /**< take entries, but complete none */
	atomic_bool is_blind;          /**< do not even look at the rings */
	atomic_uint notify;            /**< notifications to deliver in all */
	atomic_uint trouble;           /**< enum fake_trouble */
	atomic_uint trouble_type;      /**< request that it applies to */
	atomic_uint entries_default;   /**< ring size when the client names none */
	atomic_uint completion_factor; /**< completions for each entry */
	atomic_uint start_index;       /**< of all four indexes of the next channel */
	atomic_uint doze;   /**< longest random delay before it falls asleep, in turns of a loop */
	atomic_uint dawdle; /**< longest random delay before it completes an entry */

	/* What happened. */
	atomic_uint requests[FAKE_TYPES]; /**< by type */
	atomic_uint doorbells;            /**< times the doorbell had been rung */
	atomic_uint wakeups;              /**< times the client was woken */
	atomic_uint given_back;           /**< number in the last DESTROY or CLOSE */
	struct haul_attach_hello hello;
	struct haul_attach_segment_create create;
	struct haul_attach_buffer_add add;
	struct haul_attach_extent_publish publish;
	atomic_ullong removed; /**< region of the last BUFFER_REMOVE or EXTENT_RETIRE */
	struct haul_attach_segment_open open;

	/* The channel, the thread's alone: a test looks at the client's side of it. */
	struct haul_channel_header *header;
	struct haul_entry *entries;
	struct haul_completion *completions;
	struct haul_notification *notifications;
	uint64_t ring_bytes;
	uint32_t entries_count;
	uint32_t completions_count;
	uint32_t head;
	uint32_t tail;
	uint32_t notified; /**< notifications written */
	uint64_t seed;     /**< of the delays */
	int memory_fd;
	int doorbell_fd;
	int wake_fd;
	int client_wake_fd;
	struct fake_batch batches[HAUL_BATCHES_MAX + 1];
	uint32_t unclosed;                  /**< batches whose last entry has not come */
	uint8_t held[HAUL_FRAME_BYTES_MAX]; /**< answer held back */
	uint32_t held_bytes;
	int held_fd; /**< its descriptor, -1 = none */
};

/** Start; the socket is in a fresh directory under $TMPDIR or /tmp. */
void fake_daemon_start(struct fake_daemon *fake);

/** Die as a killed process does: everything is closed, nothing is said. Stop may follow. */
void fake_daemon_kill(struct fake_daemon *fake);

/** Stop and remove everything. */
void fake_daemon_stop(struct fake_daemon *fake);

/** Misbehave at the next request of the type. */
void fake_daemon_trouble(struct fake_daemon *fake, enum fake_trouble trouble, uint16_t type);

/** Send the answer that FAKE_SILENCE held back. */
void fake_daemon_speak(struct fake_daemon *fake);

/** Deliver so many notifications more: their values count up from 0, their tags are three times that. */
void fake_daemon_notify(struct fake_daemon *fake, uint32_t count);

/** Close the channel with "entries of the test are not liked", as the engine does for a broken ring. */
void fake_daemon_close_channel(struct fake_daemon *fake);

/** Look at the wishes again. */
void fake_daemon_poke(struct fake_daemon *fake);

#endif
