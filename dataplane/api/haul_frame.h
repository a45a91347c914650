/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The frame that every message on a haul SOCK_SEQPACKET socket begins with, between client and
 * dataplane (haul_attach.h) and between the two daemons (haul_control.h).
 *
 * One packet is one message: header, then the fixed struct that `type` names. All integers are in host
 * order, since both ends are on one host. The receiver checks magic, version, type, length and that
 * reserved bytes are zero before it looks at the body; another version is refused with HAUL_VERSION and a
 * reason that names both.
 */
#ifndef HAUL_FRAME_H
#define HAUL_FRAME_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/** "HAUL" read as a little-endian word: tells a frame from anything else that found the socket. */
#define HAUL_FRAME_MAGIC 0x4c554148u

/** Set in `type` of an answer; the rest of the type is that of the request. */
#define HAUL_FRAME_ANSWER 0x8000u

/** The longest message, header and body, in bytes; what is larger travels in a memfd. */
#define HAUL_FRAME_BYTES_MAX 4096u

/** The most descriptors that one message carries. */
#define HAUL_FRAME_FDS_MAX 4u

/** Room for one sentence of explanation, its final zero included. */
#define HAUL_REASON_BYTES 192u

/** Room for the name of a node, segment or tenant, its final zero included. */
#define HAUL_NAME_BYTES 64u

struct haul_frame {
	uint32_t magic; /**< HAUL_FRAME_MAGIC */
	uint16_t
		version; /**< of the protocol on this socket: HAUL_ATTACH_VERSION or HAUL_CONTROL_VERSION */
	uint16_t type;   /**< message type; answers have HAUL_FRAME_ANSWER set */
	uint32_t length; /**< bytes of the whole message, this header included */
	uint32_t
		request; /**< chosen by who asks, copied into the answer; 0 in what nobody asked for */
	uint32_t status;   /**< enum haul_error in an answer; 0 elsewhere */
	uint32_t reserved; /**< zero, checked */
};

#ifdef __cplusplus
}
#endif

#endif
