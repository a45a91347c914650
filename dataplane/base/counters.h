/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Named counters in a file of shared memory, which any tool reads without asking the process.
 *
 * A module declares its counters as one X-macro table, which gives the enum, the specs and the
 * documents:
 *
 *     #define PORT_COUNTERS(X)                                                     \
 *             X(PORT_PACKETS_IN, "packets_in", "packets", "taken from the NIC")    \
 *             X(PORT_SHORT, "short", "packets", "dropped: too short for a header")
 *     enum port_counter { PORT_COUNTERS(COUNTER_ENUM) PORT_COUNTER_COUNT };
 *     static const struct counter_spec port_specs[] = { PORT_COUNTERS(COUNTER_SPEC) };
 *
 * Each group has one block a thread, and that thread alone writes it; who reads sums over the
 * threads. The file describes itself and appears under its name only when it is complete.
 */
#ifndef BASE_COUNTERS_H
#define BASE_COUNTERS_H

#include <stdint.h>

#define COUNTER_ENUM(id, name, unit, meaning) id,
#define COUNTER_SPEC(id, name, unit, meaning) { (name), (unit), (meaning) },

/** Bounds of a file; a reader refuses more. */
#define COUNTERS_GROUPS_MAX  64u
#define COUNTERS_SPECS_MAX   256u /**< of one group */
#define COUNTERS_THREADS_MAX 128u

struct counter_spec {
	const char *name;    /**< lower case with underscores, unique in its group */
	const char *unit;    /**< plural: "packets", "bytes", "us" */
	const char *meaning; /**< one sentence */
};

struct counter_group {
	const char *name; /**< the module's noun */
	const struct counter_spec *specs;
	unsigned int count; /**< of specs */
};

struct counters;
struct counters_view;

/**
 * Make the file, replacing one that is there, with all counters 0. Groups and specs are copied.
 * Returns 0, -EINVAL when a bound or a name's length is exceeded, or -errno.
 */
int counters_create(const char *path, const struct counter_group *groups, unsigned int group_count,
		    unsigned int thread_count, struct counters **out);

/**
 * The block of a group for a thread: an array indexed by the module's enum. Valid until
 * counters_destroy.
 */
uint64_t *counters_block(struct counters *counters, unsigned int group, unsigned int thread);

/** Remove the file and free the rest; NULL is allowed. */
void counters_destroy(struct counters *counters);

/** Count: for the one thread that owns the block; a reader never sees half a number. */
static inline void counter_add(uint64_t *counter, uint64_t amount)
{
	__atomic_store_n(counter, *counter + amount, __ATOMIC_RELAXED);
}

/** One counter as a reader sees it; the strings live until counters_close. */
struct counter_value {
	const char *group;
	const char *name;
	const char *unit;
	const char *meaning;
	uint64_t value; /**< summed over the threads, or of the one thread asked for */
};

typedef void (*counters_fn)(const struct counter_value *value, void *argument);

/**
 * Map another process's file for reading. Returns 0; -EINVAL when it is no counters file or does
 * not add up; -EPROTONOSUPPORT for another version; or -errno.
 */
int counters_open(const char *path, struct counters_view **out);

/** Threads that the file has blocks for. */
unsigned int counters_threads(const struct counters_view *view);

/** Call fn for each counter, in the order of the groups, with the sum over the threads. */
void counters_each(const struct counters_view *view, counters_fn fn, void *argument);

/** The same for one thread's blocks. */
void counters_each_of(const struct counters_view *view, unsigned int thread, counters_fn fn,
		      void *argument);

/** Unmap and free; NULL is allowed. */
void counters_close(struct counters_view *view);

#endif
