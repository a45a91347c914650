/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * libhaul: move bytes between this process's memory and named memory elsewhere.
 *
 * The habit is io_uring's: take an entry, prepare it, submit, look for completions, mark them seen. An
 * attachment (struct haul) is one channel of the local haul-dataplane.
 *
 * Threads: an attachment belongs to one thread at a time; a process may have many. No call takes a lock or
 * blocks, but those that say so. Nothing here survives fork(): the child must attach anew, and must not touch
 * the parent's attachment (calls there return -HAUL_INVALID).
 *
 * Errors: 0 or a count on success, a negated enum haul_error otherwise; haul_reason() has the sentence. Beside the
 * errors that a call names, INTERNAL tells that the daemon's answer cannot be understood; the attachment is then over.
 *
 * TIMEOUT of a call that makes something (a segment, a buffer, an extent, a handle) leaves open whether it comes to be: if
 * it does, others may use it, memory given for it included, until the next blocking call takes it back before anything
 * else. That call ends with UNAVAILABLE or BUSY, and has done nothing of its own, while Redis cannot be told of it.
 */
#ifndef HAUL_H
#define HAUL_H

#include "haul_abi.h"
#include "haul_error.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One attachment to a daemon: a channel with its rings. Made by haul_attach, freed by haul_detach. */
struct haul;

/** How to attach; all zero is a good choice. */
struct haul_options {
	const char *
		socket_path; /**< the daemon's attach socket; NULL = $HAUL_SOCKET, else /run/haul/attach.sock */
	const char *name;    /**< of the application, for listings; NULL = the program's own */
	uint32_t entries;    /**< submission ring size, a power of two; 0 = the daemon's default */
	uint32_t timeout_ms; /**< of each blocking call below; 0 = 10,000 */
};

/** Memory of this process that the daemon may move, mapped and registered. */
struct haul_memory {
	void *address; /**< start, page aligned; NULL for given memory: the caller maps it */
	size_t bytes; /**< mapped size, at least what was asked for; 0 = a segment without a buffer */
	uint64_t region;     /**< for the local side of entries; 0 = none */
	uint64_t version;    /**< metadata_version that was published; 0 for private memory */
	uint64_t offset;     /**< of its first byte in the segment */
	uint32_t segment;    /**< number for haul_segment_destroy and haul_buffer_add */
	uint32_t page_bytes; /**< size of the pages behind it */
};

/** A segment of some node, opened. */
struct haul_remote {
	uint64_t bytes;       /**< size of the segment */
	uint64_t version;     /**< metadata_version at opening */
	uint64_t incarnation; /**< of the owner's daemon */
	uint32_t handle;      /**< for the remote side of entries */
	uint32_t rights;      /**< HAUL_READ, HAUL_WRITE as asked for */
	char node[64];        /**< the owner's name */
};

/** Rights for haul_segment_open. */
#define HAUL_READ  0x1u
#define HAUL_WRITE 0x2u

/**
 * How long a cancelled operation may still be open, in milliseconds: 125 until nothing of a WRITE can land by the target's
 * clock (docs/protocol.md), and what the daemon needs to go round.
 */
#define HAUL_CANCEL_MS 150u

/** What to create; all zero but name and bytes is a good choice. */
struct haul_segment_options {
	const char *name; /**< unique in the cluster, 1 to 63 of [A-Za-z0-9._:/-] */
	/**
	 * Of its first buffer, at offset 0: rounded up to pages (those of 2 MiB when it is as large as one); of given
	 * memory a multiple of its pages. 0 = it begins without a buffer: then space_bytes is needed.
	 */
	size_t bytes;
	uint64_t
		space_bytes; /**< of its offset space, at most 2^48: where buffers may come to be; 0 = bytes */
	int is_private; /**< 1 = not published: for this attachment's own entries */
	int is_read_only; /**< 1 = nothing is written to it through haul: not by others, nor by a READ */
	/**
	 * 1 = the memory is the application's own, the first `bytes` of the memfd behind `fd`: memfd_create with
	 * MFD_ALLOW_SEALING, MFD_HUGETLB too if wanted, then F_ADD_SEALS with F_SEAL_SHRINK at least. fd must be open for
	 * reading and writing, or is_read_only be set.
	 */
	int is_given;
	int fd; /**< stays the caller's, who may close it after the call; not looked at without is_given */
	int is_divided; /**< of its first buffer: see haul_buffer_options */
	/** Tenants that may read beside the owner's own, which always may: separated by commas; "*" all; NULL none. */
	const char *readers;
	const char *writers; /**< tenants that may write, likewise */
};

/** What buffer to add; all zero but bytes is one at offset 0. */
struct haul_buffer_options {
	uint64_t
		offset; /**< of its first byte in the segment; HAUL_OFFSET_ANY = the first place that is free */
	size_t bytes; /**< rounded up as for a segment; of given memory a multiple of its pages */
	int is_read_only; /**< as for a segment */
	/**
	 * 1 = for others it consists of extents, which haul_extent_publish makes of it, and cannot be reached by an offset
	 * in the segment. `region` of its memory is then for this attachment's own side of entries alone.
	 */
	int is_divided;
	int is_given; /**< as for a segment */
	int fd;       /**< likewise */
};

/**
 * Attach to the local daemon. Blocks up to timeout_ms. The caller owns *haul_out.
 * Errors: DISCONNECTED (no daemon listens there), VERSION, DENIED, QUOTA, BUSY (no channel free), INVALID,
 * TIMEOUT, SYSTEM. On an error *haul_out is NULL; haul_reason(NULL) has the sentence, for this thread.
 */
int haul_attach(const struct haul_options *options, struct haul **haul_out);

/**
 * Detach: operations in flight are cancelled, segments erased, memory unmapped; pointers into it die.
 * NULL is allowed. In a forked child it frees the child's copy only.
 */
void haul_detach(struct haul *haul);

/** The short text of an error, given as it was returned (negated) or as a completion's status. Static. */
const char *haul_error_text(int error);

/** The short text of a completion's reason. Static. */
const char *haul_reason_text(unsigned int reason);

/**
 * One sentence on the last refusal: what, where and what would be right. Valid until the next call on the same
 * attachment; with NULL that of this thread's last failed haul_attach.
 */
const char *haul_reason(const struct haul *haul);

/** Name of the node this attachment's daemon serves. Valid until haul_detach. */
const char *haul_node(const struct haul *haul);

/**
 * Create a segment: the daemon makes the memory, registers it, and publishes it unless it is private. Blocks up
 * to timeout_ms. The memory is zero. It stays mapped until haul_segment_destroy or haul_detach.
 *
 * Given memory (is_given) is neither mapped nor unmapped in this process, and keeps its contents: it was the
 * application's before and is after. The daemon maps the same pages until haul_segment_destroy has returned, or the
 * attachment has ended and the last operation on it. Pages that were never touched are taken by the daemon, within its
 * limits of memory (its cgroup); those that the application has touched before count against the application's. All of
 * it counts for the user's quota. Holes punched into it are filled with zeros, or end the attachment with FAULT.
 *
 * Errors: INVALID (also of given memory: no memfd, not sealed, too small, not writable; haul_reason says which), EXISTS
 * (the name is taken), QUOTA, BUSY (the daemon's own bounds), UNAVAILABLE (nothing was published, nothing is kept), STALE
 * (a later daemon has this node's name), VERSION and CORRUPT (of the record in Redis), TIMEOUT, DISCONNECTED, SYSTEM (out
 * of memory). *memory_out is untouched on an error.
 */
int haul_segment_create(struct haul *haul, const struct haul_segment_options *options,
			struct haul_memory *memory_out);

/**
 * Add a buffer to a segment of this attachment, while others use it: the daemon makes the memory or takes what is given,
 * registers it, and publishes it unless the segment is private. Others reach it by its offset in the segment as soon as
 * the call has returned; an operation lies inside one buffer. Blocks up to timeout_ms. The memory is as that of
 * haul_segment_create, and goes with its segment.
 *
 * Errors: NOT_FOUND (this attachment has no such segment), EXISTS (it overlaps another buffer; haul_reason says which),
 * RANGE (it does not lie inside the offset space, or there is no room), and those of haul_segment_create, which
 * leave the segment as it was. *memory_out is untouched on an error.
 */
int haul_buffer_add(struct haul *haul, uint32_t segment, const struct haul_buffer_options *options,
		    struct haul_memory *memory_out);

/**
 * Publish an extent of a divided buffer: [offset, offset + bytes) of it. Its handle may be told to others, who have the
 * segment open and name it in their entries (haul_prep_extent); it is good until it is retired, and never again after
 * that. No other node is asked or told, so it takes microseconds; in a ring it is haul_prep_extent_publish, whose
 * completion has the handle in `bytes`. Blocks up to timeout_ms.
 * Errors: NOT_FOUND (no divided buffer of this attachment), RANGE, EXISTS (it overlaps another extent, which may still be
 * retiring), QUOTA, BUSY, TIMEOUT, DISCONNECTED. *extent_out is untouched on an error.
 */
int haul_extent_publish(struct haul *haul, const struct haul_memory *memory, uint64_t offset,
			uint64_t bytes, uint64_t *extent_out);

/**
 * Retire an extent: new operations on it are refused with STALE, those under way end or are cut off, as with
 * haul_buffer_remove, and once it has returned 0 no byte of it moves, whatever handle is named. In a ring it is
 * haul_prep_extent_retire. Blocks up to timeout_ms; when that passes first, it is retired all the same.
 * Errors: NOT_FOUND, STALE (it is being retired already), TIMEOUT, DISCONNECTED.
 */
int haul_extent_retire(struct haul *haul, uint64_t extent);

/**
 * Remove a buffer of this attachment from its segment. It takes an entry, which the next haul_submit submits, as
 * haul_prep_buffer_remove does with one of haul_entry_next; *memory stays the caller's. The removal completes once, with
 * user_data, and never sooner than it is true:
 *
 * OK: others know that the buffer is gone, every operation on it has ended, and the memory is the application's own: no
 * byte of any operation lands in it or is read from it any more. It stays mapped until haul_buffer_unmap.
 *
 * Anything else: the buffer is as it was, and goes on taking operations. UNAVAILABLE and BUSY with
 * HAUL_REASON_NOT_PUBLISHED (Redis could not be told), NOT_FOUND (this attachment has no such buffer), STALE with
 * HAUL_REASON_BUFFER_GONE (it is being removed already).
 *
 * Meanwhile new operations on it are refused with STALE, those of this attachment too, from the moment when Redis has
 * been told; those under way go on, and hold the removal up: milliseconds, or the daemon's drain_grace_ms when a peer does
 * not end its own, which are then refused as well. It has no deadline of its own and cannot be cancelled. 64 such entries
 * of an attachment may be under way; another one waits in the ring and holds those behind it up.
 *
 * Returns 0. Errors: BUSY (no entry, or no room for the completion: submit, reap, try again); INVALID in a forked child.
 */
int haul_buffer_remove(struct haul *haul, const struct haul_memory *memory, uint64_t user_data);

/**
 * Unmap the memory of a buffer after its removal has completed with OK; pointers into it die, and *memory is zero. What
 * was given is only forgotten. Who does not call it has the memory until haul_segment_destroy or haul_detach.
 * Errors: NOT_FOUND (this attachment has no such buffer).
 */
int haul_buffer_unmap(struct haul *haul, struct haul_memory *memory);

/**
 * Take a segment back, with all its buffers, as haul_buffer_remove does with one: new operations on it are refused with
 * STALE, those under way end, then the memory is unmapped, and *memory, which may be that of any of its buffers, is zero.
 * Blocks up to timeout_ms.
 * Errors: NOT_FOUND, BUSY and UNAVAILABLE (it stays as it was), TIMEOUT, DISCONNECTED.
 */
int haul_segment_destroy(struct haul *haul, struct haul_memory *memory);

/**
 * Open a segment of any node for HAUL_READ, HAUL_WRITE or both. Blocks up to timeout_ms.
 * Errors: NOT_FOUND, DENIED, UNAVAILABLE, QUOTA (too many open), BUSY (too many requests are open), INVALID, VERSION
 * and CORRUPT (of the record in Redis), TIMEOUT, DISCONNECTED, SYSTEM.
 * *remote_out is untouched on an error.
 */
int haul_segment_open(struct haul *haul, const char *name, unsigned int rights,
		      struct haul_remote *remote_out);

/** Close it: entries that name the handle are refused from now on. Errors: NOT_FOUND, TIMEOUT, DISCONNECTED. */
int haul_segment_close(struct haul *haul, struct haul_remote *remote);

/**
 * Take the next free entry, all zero, owned by the caller until haul_submit. NULL when the submission ring is full
 * or when so many completions are due that more might not fit: submit, reap, then try again. An entry that was taken
 * is submitted by the next haul_submit: prepare each (a zero entry is a NOP).
 */
struct haul_entry *haul_entry_next(struct haul *haul);

/** Prepare a NOP: completes as soon as the worker sees it. */
static inline void haul_prep_nop(struct haul_entry *entry)
{
	entry->opcode = HAUL_OP_NOP;
}

/** One side of an operation: where its bytes begin in this process. */
static inline void haul_prep_local(struct haul_entry *entry, const struct haul_memory *memory,
				   uint64_t offset, uint32_t length)
{
	entry->local_region = haul_u48_make(memory->region);
	entry->local_offset = haul_u48_make(offset);
	entry->length = length;
}

/** The other side: where they begin in the remote segment. */
static inline void haul_prep_remote(struct haul_entry *entry, const struct haul_remote *remote,
				    uint64_t offset)
{
	entry->remote_segment = remote->handle;
	entry->remote_offset = haul_u48_make(offset);
}

/** Prepare a WRITE of length bytes: memory + local_offset -> remote + remote_offset. */
static inline void haul_prep_write(struct haul_entry *entry, const struct haul_memory *memory,
				   uint64_t local_offset, const struct haul_remote *remote,
				   uint64_t remote_offset, uint32_t length)
{
	entry->opcode = HAUL_OP_WRITE;
	haul_prep_local(entry, memory, local_offset, length);
	haul_prep_remote(entry, remote, remote_offset);
}

/** Prepare a READ of length bytes: remote + remote_offset -> memory + local_offset. */
static inline void haul_prep_read(struct haul_entry *entry, const struct haul_memory *memory,
				  uint64_t local_offset, const struct haul_remote *remote,
				  uint64_t remote_offset, uint32_t length)
{
	entry->opcode = HAUL_OP_READ;
	haul_prep_local(entry, memory, local_offset, length);
	haul_prep_remote(entry, remote, remote_offset);
}

/**
 * Have a prepared WRITE notify: when its last byte has been placed, and before it completes, the application that owns
 * the memory finds a notification with tag and value, which nobody else looks at. Exactly one for a WRITE that completes
 * with OK; for one that does not, none or one, and none after its completion. While the owner's ring is full the WRITE
 * waits, at most until its deadline (TIMEOUT with HAUL_REASON_NOTIFICATIONS_FULL).
 */
static inline void haul_prep_notify(struct haul_entry *entry, uint32_t tag, uint64_t value)
{
	entry->flags |= HAUL_ENTRY_NOTIFY;
	entry->tag = tag;
	entry->value = value;
}

/**
 * Have a prepared READ or WRITE begin again when its target refuses it as STALE: once, from its first byte, when nothing
 * of the first try can land any more, and only if by a newer descriptor another buffer of the same segment and
 * incarnation has the range. Without it, or when it is refused again, it ends with STALE. For those to whom the offset
 * means the same whatever buffer stands there.
 */
static inline void haul_prep_retry_stale(struct haul_entry *entry)
{
	entry->flags |= HAUL_ENTRY_RETRY_STALE;
}

/** Prepare a notification alone: a WRITE of no bytes at remote + remote_offset. Needs no memory on this side. */
static inline void haul_prep_notification(struct haul_entry *entry,
					  const struct haul_remote *remote, uint64_t remote_offset,
					  uint32_t tag, uint64_t value)
{
	entry->opcode = HAUL_OP_WRITE;
	haul_prep_remote(entry, remote, remote_offset);
	haul_prep_notify(entry, tag, value);
}

/**
 * Make the entry a member of a batch: its members complete once, together, with the worst status and the sum of
 * bytes, when all have ended and one with is_last has been submitted. batch is 1 to HAUL_BATCHES_MAX, chosen by the
 * caller, free again after its completion.
 */
static inline void haul_prep_batch(struct haul_entry *entry, uint32_t batch, int is_last)
{
	entry->batch = batch;
	if (is_last)
		entry->flags |= HAUL_ENTRY_BATCH_LAST;
}

/** Prepare the removal of a buffer: see haul_buffer_remove. It may be a member of a batch. */
static inline void haul_prep_buffer_remove(struct haul_entry *entry,
					   const struct haul_memory *memory)
{
	entry->opcode = HAUL_OP_BUFFER_REMOVE;
	entry->local_region = haul_u48_make(memory->region);
}

/** Prepare the publication of an extent: see haul_extent_publish. Not in a batch; its handle is the completion's bytes. */
static inline void haul_prep_extent_publish(struct haul_entry *entry,
					    const struct haul_memory *memory, uint64_t offset,
					    uint64_t bytes)
{
	entry->opcode = HAUL_OP_EXTENT_PUBLISH;
	entry->local_region = haul_u48_make(memory->region);
	entry->local_offset = haul_u48_make(offset);
	entry->value = bytes;
}

/** Prepare the retirement of an extent: see haul_extent_retire. It may be a member of a batch. */
static inline void haul_prep_extent_retire(struct haul_entry *entry, uint64_t extent)
{
	entry->opcode = HAUL_OP_EXTENT_RETIRE;
	entry->local_region = haul_u48_make(extent);
}

/** Have a prepared READ or WRITE go to an extent of the segment: its remote offset is then from the extent's start. */
static inline void haul_prep_extent(struct haul_entry *entry, uint64_t extent)
{
	entry->remote_region = haul_u48_make(extent);
}

/** Prepare a cancellation: see haul_cancel, which needs no entry of haul_entry_next. */
static inline void haul_prep_cancel(struct haul_entry *entry, enum haul_match match, uint64_t which)
{
	entry->opcode = HAUL_OP_CANCEL;
	entry->tag = match;
	entry->value = which;
}

/**
 * Cancel operations of this attachment that were taken before this call and have not completed: with HAUL_MATCH_USER_DATA
 * every one of the user_data `which`, with HAUL_MATCH_BATCH the members of the batch `which`, with HAUL_MATCH_ALL all
 * (which = 0). It takes an entry, which the next haul_submit submits; there is room for its completion also when
 * haul_entry_next gives none for want of room, unless the last entry brings two (the first of a batch with BATCH_MEMBER).
 *
 * Each operation that is found completes once as ever, with HAUL_CANCELLED, or with its own status if that was decided
 * first. After its completion no byte of it lands or is read any more, whether its target can be asked or not. `bytes`
 * is what is known to have been placed; more may have been. A batch is not closed by this: its completion comes when its
 * last entry was taken and all have ended, with CANCELLED as the worst status unless one ended worse.
 *
 * The cancellation itself completes once, with `user_data`, after all that it found: HAUL_OK and their number in
 * `members`, or HAUL_NOT_FOUND and 0. Cancellations of an attachment complete in their order. Entries behind it are not
 * looked at, nor is another cancellation.
 *
 * The time it takes: a READ, a transfer within this node and whatever has not been sent end in the round in which the
 * daemon takes the entry; a WRITE that has been sent over a network ends when its target says that nothing more of it
 * lands, or by the clock after HAUL_CANCEL_MS at the latest, also when the target is dead. Entries are taken in their
 * order: one that waits for the daemon's pool of operations (8192 a worker) holds those behind it up.
 *
 * Returns 0. Errors: BUSY (the ring is full, or the completion of another cancellation has the last room: submit, reap,
 * try again); INVALID in a forked child.
 */
int haul_cancel(struct haul *haul, enum haul_match match, uint64_t which, uint64_t user_data);

/**
 * Make every entry taken since the last call visible to the daemon, and wake it if it sleeps. Returns their
 * number. The daemon copies each entry; the memory that it names must stay as it is (WRITE) or unread (READ) until
 * the completion. Errors: DISCONNECTED (the channel is closed; haul_reason says why; nothing was submitted).
 */
int haul_submit(struct haul *haul);

/**
 * Completions that are there: sets *completions_out to the first and returns how many follow one another in memory
 * (0 when none). They stay valid until haul_seen. Errors: DISCONNECTED once the daemon is gone and all that
 * it completed has been seen.
 */
int haul_peek(struct haul *haul, const struct haul_completion **completions_out);

/**
 * As haul_peek, but waits up to timeout_us for the first: it polls the ring for a moment, then sleeps. 0 waits not
 * at all, UINT64_MAX without an end. Returns 0 when the time has passed, and also, before that, when a notification has
 * come that neither this call nor haul_notifications_peek has told of yet: each notification ends one wait at most, so
 * who has no use for them waits again, and who has looks with haul_notifications_peek after each 0. Errors:
 * DISCONNECTED (also while asleep, when the daemon dies), SYSTEM.
 */
int haul_wait(struct haul *haul, uint64_t timeout_us,
	      const struct haul_completion **completions_out);

/** Hand back the first `count` completions of the last peek or wait; their slots may be written again. */
void haul_seen(struct haul *haul, unsigned int count);

/**
 * Notifications of what others have written into this attachment's memory: sets *notifications_out to the first and
 * returns how many follow one another in memory (0 when none), in the order in which they were delivered. All bytes of
 * their WRITEs are there to be read. They stay valid until haul_notifications_seen; until then they take up room, and
 * while the ring is full senders wait. Errors: DISCONNECTED once the daemon is gone and all have been seen.
 */
int haul_notifications_peek(struct haul *haul, const struct haul_notification **notifications_out);

/** Hand back the first `count` notifications of the last peek; their slots may be written again. */
void haul_notifications_seen(struct haul *haul, unsigned int count);

/**
 * Completions that are due: of what was submitted and not yet seen, one for each entry outside a batch, one for each
 * member that asked for its own (HAUL_ENTRY_BATCH_MEMBER), and one for each batch.
 */
unsigned int haul_open_operations(const struct haul *haul);

#ifdef __cplusplus
}
#endif

#endif
