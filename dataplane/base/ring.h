/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * All memory ordering of haul's rings, and an in-process queue built on it.
 *
 * A ring has one producer and one consumer. The producer writes an element, then publishes it with
 * ring_store_release(tail); the consumer reads the tail with ring_load_acquire, so it sees the
 * element, and hands the slot back with ring_store_release(head), which the producer reads with
 * ring_load_acquire before it writes the slot again. Indexes run freely over 32 bits and are masked
 * at use, so that full and empty differ.
 *
 * Sleeping needs more, since release and acquire let a load pass an older store to another address:
 *
 *     producer                           consumer
 *     ring_store_release(tail)           ring_store_relaxed(sleeps, 1)
 *     ring_full_fence()                  ring_full_fence()
 *     if ring_load_relaxed(sleeps)       if ring_load_acquire(tail) moved
 *         wake it                            do not sleep
 *
 * With both fences at least one of the two sees the other's store; without either, both may miss it
 * and the consumer sleeps on a full ring. tests/unit/test_ring.c hangs, and fails, when one is
 * taken out.
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_CACHE_LINE 64

/** See the other side's index and everything it wrote before. */
static inline uint32_t ring_load_acquire(const uint32_t *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

/** Publish an index and everything written before it. */
static inline void ring_store_release(uint32_t *index, uint32_t value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/** Read a word that orders nothing: one's own index, or a flag behind a full fence. */
static inline uint32_t ring_load_relaxed(const uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_RELAXED);
}

/** Write a word that orders nothing: a flag before a full fence. */
static inline void ring_store_relaxed(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/**
 * Every load and store before it happens before every one after it, stores before loads included.
 */
static inline void ring_full_fence(void)
{
#ifdef __SANITIZE_THREAD__
	/*
	 * ThreadSanitizer does not know fences; a locked operation orders the same on the machine.
	 */
	static uint32_t word;

	__atomic_fetch_add(&word, 0, __ATOMIC_SEQ_CST);
#else
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

/** Tell the processor that this is a spin loop. */
static inline void ring_pause(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#endif
}

/**
 * A bounded queue of fixed-size elements between two threads of one process. The two sides share no
 * written cache line but the indexes, and each keeps a copy of the other's so that it loads it only
 * when it seems stuck.
 */
struct spsc {
	uint8_t *elements;      /**< capacity x element_bytes; both read, set once */
	uint32_t element_bytes; /**< size of one element; both read, set once */
	uint32_t mask;          /**< capacity - 1; both read, set once */
	uint8_t padding_shared[RING_CACHE_LINE];
	uint32_t tail;        /**< producer writes, consumer reads: elements pushed */
	uint32_t head_cached; /**< producer only: head as last seen */
	uint8_t padding_producer[RING_CACHE_LINE];
	uint32_t head;        /**< consumer writes, producer reads: elements popped */
	uint32_t tail_cached; /**< consumer only: tail as last seen */
	uint8_t padding_consumer[RING_CACHE_LINE];
};

/** Make an empty queue; capacity is a power of two. Returns 0, -EINVAL or -ENOMEM. */
int spsc_init(struct spsc *spsc, uint32_t element_bytes, uint32_t capacity);

/**
 * Free it, with what is in it; neither side may be using it. A zeroed or half-built one is allowed.
 */
void spsc_destroy(struct spsc *spsc);

/** Producer: copy one element in; false when full. */
bool spsc_push(struct spsc *spsc, const void *element);

/** Consumer: copy the oldest element out; false when empty. */
bool spsc_pop(struct spsc *spsc, void *element_out);

/** Elements inside, as seen from either side; exact only when the other one rests. */
uint32_t spsc_count(const struct spsc *spsc);

#endif
