/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * A small fabric for measurements: hosts around one switch, of which one receives and all others send to it. So
 * the receiver's port of the switch is the bottleneck, with a buffer of its own that drops what does not fit:
 *
 *     sender 0 --100 Gbit/s--\            queue
 *     sender 1 --------------- switch ---[|||||]--25 Gbit/s-- receiver
 *     sender n --------------/       \<---- acknowledgements ----/
 *
 * Time is virtual and counted in picoseconds, since a packet takes less than a microsecond here. Hosts poll each
 * microsecond, as a worker does, so that a few packets are taken in and acknowledged at a time. Contents are not
 * looked at; that is the correctness scenarios' work.
 */
#ifndef SIM_FABRIC_H
#define SIM_FABRIC_H

#include <stdint.h>

#define FABRIC_SENDERS_MAX 64u

struct fabric_config {
	const char *cc;           /**< name for cc_find */
	uint64_t seed;            /**< everything follows from it */
	uint32_t senders;         /**< 1 to FABRIC_SENDERS_MAX, one connection each */
	uint32_t stagger_us;      /**< each sender begins so much later than the one before */
	uint32_t warm_us;         /**< virtual time until measuring begins */
	uint32_t measure_us;      /**< and how long it takes */
	uint32_t buffer_bytes;    /**< of the bottleneck, wire bytes; 0 = no limit */
	uint32_t mark_bytes;      /**< ECN-capable packets behind so many are marked; 0 = none is */
	uint32_t rate_mbit;       /**< of the bottleneck */
	uint32_t round_trip_us;   /**< of the empty fabric, without hosts and serialisation */
	uint32_t loss_ppm;        /**< of each packet, in both directions */
	uint32_t reorder_ppm;     /**< of each packet: up to reorder_us late */
	uint32_t reorder_us;      /**< for reorder_ppm */
	uint32_t packet_ns;       /**< a packet costs its host so much time, each way; 0 = none */
	uint32_t ring_packets;    /**< what waits for a host, at most 1024; 0 = that */
	uint32_t nap_us;          /**< a host sleeps about this often ... */
	uint32_t nap_length_us;   /**< ... for up to so long; 0 = never */
	uint32_t stall_us;        /**< a host is taken off its core about this often ... */
	uint32_t stall_length_us; /**< ... for so long; 0 = never */
};

struct fabric_result {
	uint64_t bytes[FABRIC_SENDERS_MAX]; /**< payload placed while measuring, a sender */
	double goodput_bits;                /**< payload a second, all senders */
	double share;                       /**< of the payload that the bottleneck can carry */
	double jain;                        /**< Jain's index of bytes; 1 = all the same */
	double queue_p50_us;                /**< waiting time in the bottleneck's buffer */
	double queue_p99_us;
	double queue_max_us;
	double dropped;   /**< share of data packets that found the buffer full */
	double again;     /**< share of data packets that were retransmissions */
	double spurious;  /**< share of data packets declared lost that were not */
	double target_us; /**< mean queueing delay that the algorithm aims at; 0 = none */
	double window;    /**< mean window at the end, packets */
};

/** One run. Aborts when memory is short. */
void fabric_run(const struct fabric_config *config, struct fabric_result *out);

#endif
