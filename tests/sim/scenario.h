/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * What a run does: the wire, the work, and what may happen to it. One table, scenario.c.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include "link.h"

/** What must be true at the end, beside the properties that always hold. */
#define SCENARIO_ALL_OK     0x01u  /**< every operation ended with HAUL_OK */
#define SCENARIO_NO_LOSS    0x02u  /**< nothing was declared lost or sent again */
#define SCENARIO_REFUSES    0x04u  /**< some operation ended with HAUL_STALE */
#define SCENARIO_STALE_TICK 0x08u  /**< some packet was dropped for its tick */
#define SCENARIO_LENIENT    0x10u  /**< contents are not compared: the wire changes them unseen */
#define SCENARIO_PIECES     0x20u  /**< some chunk went in pieces */
#define SCENARIO_NOTIFIES   0x40u  /**< some notification was delivered */
#define SCENARIO_NONE_LOST  0x80u  /**< nothing was declared lost; probes may have been sent */
#define SCENARIO_MARKS      0x100u /**< packets of each node were marked */
#define SCENARIO_UNMARKED   0x200u /**< each node found that marks do not come through */
#define SCENARIO_DAMAGES    0x400u /**< each node found packets damaged */

struct scenario {
	const char *name;
	const char *sentence;     /**< what it shows */
	struct link_config to;    /**< node 0 to node 1 */
	struct link_config fro;   /**< node 1 to node 0 */
	uint32_t operations;      /**< of each node */
	uint32_t depth;           /**< open at a time, of each node */
	uint32_t length_max;      /**< bytes; 0 = a mix up to a slot */
	uint32_t read_ppm;        /**< share of READs */
	uint32_t notify_ppm;      /**< share of WRITEs that notify */
	uint32_t busy_ppm;        /**< share of notifications that find no room, and come again */
	uint32_t datagram_bytes;  /**< 0 = 1472 */
	uint32_t timeout_us;      /**< deadline of an operation; 0 = 10 s */
	uint32_t cancel_ppm;      /**< share of operations cancelled within cancel_us */
	uint32_t cancel_us;       /**< for cancel_ppm */
	uint32_t retire_us;       /**< a region is retired about this often; 0 = never */
	uint32_t stale_ppm;       /**< share of operations that name a retired region */
	uint32_t stall_ppm;       /**< share of placements that find the clock far ahead */
	uint32_t fault_ppm;       /**< share of sources and deliveries that find no memory */
	uint32_t pause_us;        /**< a node stands still about this often ... */
	uint32_t pause_length_us; /**< ... for up to so long */
	uint32_t restart_us;      /**< a node restarts about this often */
	uint32_t close_us;        /**< a node closes its connection about this often */
	uint32_t think_us;        /**< idle time between operations, up to */
	uint32_t has_crc;         /**< 1 = packets carry a checksum */
	uint32_t mtu_bytes;       /**< that both ends have found at the end; 0 = any */
	const char *cc;           /**< whatever the command line says; NULL = as that says */
	uint32_t expects;         /**< SCENARIO_* */
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

#endif
