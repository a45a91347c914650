/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * EAL, DPDK's environment: process-wide, started once, by the first udp transport.
 *
 * EAL's memory comes from free huge pages when there are enough, else from ordinary ones; huge pages that others
 * hold are never taken, and none are left behind. Its log lines become lines of base/log.h. The threads that use
 * ports are the engine's: each registers itself, once, before its first packet.
 */
#ifndef DRIVERS_UDP_EAL_H
#define DRIVERS_UDP_EAL_H

#include "drivers/udp/conf.h"

#include <stdbool.h>
#include <stdint.h>

struct eal_options {
	const char *node;   /**< makes this process's names unique */
	uint32_t memory_mb; /**< MiB to take */
	enum udp_huge_pages huge_pages;
	bool has_pci; /**< devices of the bus will be asked for; none is touched before */
	const char (*args)[UDP_EAL_ARG_BYTES]; /**< further arguments */
	uint32_t arg_count;
};

/**
 * Start EAL, or hold on to the one that runs. Returns 0, or -errno after logging why; -EALREADY when it was
 * stopped before: EAL cannot be started twice in one process. Control thread.
 */
int eal_start(const struct eal_options *options);

/** Let go; the last one ends EAL. */
void eal_stop(void);

/** From now on, what EAL calls an error on the calling thread is a detail. */
void eal_hush(bool is_hushed);

/** Does EAL's memory consist of huge pages? */
bool eal_has_huge_pages(void);

/** Make the calling thread one that may use ports: cheap when it is one already. Any thread, EAL running. */
void eal_thread_enter(void);

#endif
