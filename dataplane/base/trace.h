/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The last transitions of a process (buffers, openings, endpoints, rails, its node), in a file of shared memory beside
 * the counters: who came from where to where, when, and why. Any tool reads it without asking the process, also when the
 * process was killed.
 *
 * Each thread that writes has a ring of TRACE_RECORDS records of its own, which it binds once; a thread without one
 * writes nothing. Writing waits for nobody: no system call, no lock, no allocation, some 100 ns; the oldest record goes.
 * It is for transitions, never for packets or operations. A reader keeps a position in each ring, sees the records of all
 * by their time, and is told how many it has missed. The file describes itself and appears under its name only when it
 * is complete.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

/** The file's name is the counters file's and this. */
#define TRACE_SUFFIX ".trace"

/** Records of one thread that are kept; a power of two. */
#define TRACE_RECORDS 1024u

/** Threads of one file. */
#define TRACE_THREADS_MAX 129u

/** Room for texts; longer ones are cut. */
#define TRACE_NAME_BYTES 64u
#define TRACE_WORD_BYTES 16u
#define TRACE_WHY_BYTES  64u

/** What a record is of, and what its number is then. */
enum trace_kind {
	TRACE_NONE = 0,
	TRACE_BUFFER = 1,   /**< of an own segment; its region's handle, 0 = none yet */
	TRACE_OPENING = 2,  /**< a segment of another node; the version that is used */
	TRACE_ENDPOINT = 3, /**< what leads to a peer by one transport; the transport */
	TRACE_RAIL = 4,     /**< one way of it; transport << 8 | rail */
	TRACE_NODE = 5,     /**< this node's own standing; 0 */
	TRACE_SEGMENT = 6,  /**< an own one; its number */
	TRACE_REFUSAL =
		7, /**< the first of each second and kind; how many there were since the last record */
	TRACE_KIND_COUNT,
};

/** One transition. Texts may be NULL, and are copied. */
struct trace_event {
	enum trace_kind kind;
	const char *segment;  /**< up to TRACE_NAME_BYTES, perhaps without a final zero */
	const char *node;     /**< the peer; likewise */
	uint64_t incarnation; /**< of the peer; 0 = none */
	uint64_t number;
	const char *from;
	const char *to;
	const char *why;
};

/** The same as a reader gets it; all texts end with zeros. */
struct trace_record {
	uint32_t kind;    /**< enum trace_kind, perhaps of a later version */
	uint32_t thread;  /**< workers from 0, then the control thread */
	uint64_t time_us; /**< of CLOCK_MONOTONIC */
	uint64_t incarnation;
	uint64_t number;
	char segment[TRACE_NAME_BYTES];
	char node[TRACE_NAME_BYTES];
	char from[TRACE_WORD_BYTES];
	char to[TRACE_WORD_BYTES];
	char why[TRACE_WHY_BYTES];
};

struct trace;
struct trace_view;

/** Make the file, replacing one that is there. The last of the threads is the control thread. Returns 0 or -errno. */
int trace_create(const char *path, unsigned int thread_count, struct trace **out);

/** Remove the file and free the rest; no thread may write any more. NULL is allowed. */
void trace_destroy(struct trace *trace);

/** What this thread writes goes to that ring from now on; NULL: nowhere. One thread a ring. */
void trace_bind(struct trace *trace, unsigned int thread);

/** Write a record. Any thread; without a ring it is lost. */
void trace_write(const struct trace_event *event);

/** A word for a kind; "unknown" for what is none. Static. */
const char *trace_kind_text(unsigned int kind);

/**
 * Map another process's file. Returns 0; -EINVAL when it is no such file or does not add up; -EPROTONOSUPPORT for
 * another version; or -errno.
 */
int trace_open(const char *path, struct trace_view **out);

/** Threads that the file has rings for. */
unsigned int trace_threads(const struct trace_view *view);

/** Microseconds of the wall clock at time_us 0. */
int64_t trace_wall_us(const struct trace_view *view);

/**
 * The next record by time, of those that are there now. False when there is none for the moment. *missed_out grows by
 * what was overwritten before it was read.
 */
bool trace_next(struct trace_view *view, struct trace_record *out, uint64_t *missed_out);

/** Unmap and free; NULL is allowed. */
void trace_close(struct trace_view *view);

#endif
