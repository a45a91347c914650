/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Every packet that is sent, refused or dropped is counted here: one table, from which the enum, the
 * counter file and the documents come. Written by the worker's thread alone.
 */
#ifndef RUDP_RUDP_COUNTERS_H
#define RUDP_RUDP_COUNTERS_H

/** X(NAME, "name", "unit", "sentence") */
#define RUDP_COUNTERS(X)                                                                           \
	X(PACKETS_SENT, "packets_sent", "packets", "sent, of every type")                          \
	X(PACKETS_RECEIVED, "packets_received", "packets", "received, of every type")              \
	X(DATA_SENT, "data_sent", "packets", "data packets sent, retransmissions included")        \
	X(DATA_PLACED, "data_placed", "packets", "data packets placed or delivered")               \
	X(BYTES_PLACED, "bytes_placed", "bytes", "payload placed or delivered")                    \
	X(NOTIFIED, "notified", "packets", "notifications of peers delivered")                     \
	X(CONTROL_SENT, "control_sent", "packets",                                                 \
	  "control packets sent, acknowledgements mostly")                                         \
	X(RETRANSMITTED, "retransmitted", "packets", "data sent again after a loss")               \
	X(PROBES, "probes", "packets", "sent because nothing was heard for a probe time-out")      \
	X(LOST, "lost", "packets", "declared lost by packet or time threshold")                    \
	X(SPURIOUS, "spurious", "packets", "declared lost, and acknowledged later")                \
	X(MTU_PROBES, "mtu_probes", "packets", "sent to find out what the path carries")           \
	X(MTU_PROBES_LOST, "mtu_probes_lost", "packets", "of those, lost: the path carries less")  \
	X(BLACK_HOLES, "black_holes", "times", "a path carried less than before")                  \
	X(PIECES, "pieces", "packets", "of chunks that were cut after that, sent")                 \
	X(ECN_MARKED, "ecn_marked", "packets", "of this node, that met a queue and were marked")   \
	X(ECN_FAILED, "ecn_failed", "connections", "whose path does not leave marks alone")        \
	X(DUPLICATE, "duplicate", "packets", "received, whose content had been placed before")     \
	X(TOO_OLD, "too_old", "packets", "received, with a number below the window")               \
	X(STALE_TICK, "stale_tick", "packets", "write data dropped, older than four ticks")        \
	X(TICK_ASKED, "tick_asked", "packets", "pings sent to learn a tick before data may go")    \
	X(OPERATION_OVER, "operation_over", "packets",                                             \
	  "received for a finished or fenced operation")                                           \
	X(REFUSED, "refused", "operations", "of peers, that this node refused")                    \
	X(MALFORMED, "malformed", "packets", "received, that break the format")                    \
	X(CRC_CONNECTIONS, "crc_connections", "connections",                                       \
	  "begun, whose packets carry a checksum")                                                 \
	X(CRC_BAD, "crc_bad", "packets", "received damaged: dropped, and sent again as if lost")   \
	X(CRC_MISSING, "crc_missing", "packets", "received without the checksum agreed on")        \
	X(UNKNOWN_CONNECTION, "unknown_connection", "packets", "received for no connection")       \
	X(FOREIGN_ADDRESS, "foreign_address", "packets", "received from another address")          \
	X(FORGED_RESET, "forged_reset", "packets", "resets without a valid token")                 \
	X(RESETS, "resets", "connections", "ended by a proven reset or close")                     \
	X(SILENT, "silent", "connections", "ended by silence")                                     \
	X(DOUBTFUL, "doubtful", "times", "connections became doubtful")                            \
	X(OPERATIONS, "operations", "operations", "of this node, begun")                           \
	X(OPERATIONS_DONE, "operations_done", "operations", "of this node, ended in any way")      \
	X(FENCED_BY_PEER, "fenced_by_peer", "operations", "writes ended by an acknowledged fence") \
	X(FENCED_BY_TIME, "fenced_by_time", "operations", "writes ended by the freshness bound")   \
	X(BACKPRESSURE, "backpressure", "operations", "submissions refused for want of an id")     \
	X(GRANTS_CLAIMED, "grants_claimed", "grants", "that peers asked to be checked")            \
	X(GRANTS_GIVEN, "grants_given", "grants", "of peers, whose proof was good")                \
	X(GRANTS_REFUSED, "grants_refused", "grants",                                              \
	  "of peers, refused: a proof without the key, or a segment that is not there")            \
	X(GRANTS_UNPROVEN, "grants_unproven", "grants",                                            \
	  "of this node that could not be proven, since the segment is open no more")              \
	X(GRANTS_DELAYED, "grants_delayed", "times",                                               \
	  "a proof had to wait, since too many were being made or checked")

enum rudp_counter {
#define RUDP_COUNTER_ENUM(name, text, unit, meaning) RUDP_COUNTER_##name,
	RUDP_COUNTERS(RUDP_COUNTER_ENUM)
#undef RUDP_COUNTER_ENUM
	RUDP_COUNTER_COUNT
};

#endif
