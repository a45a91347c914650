#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: a node with another cluster's key gets no connection and no byte, and the operation ends by its deadline with a
# status that says so, and the counter tells of it. Method: two nodes on a wire, the second with a key of its own.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server

cluster_redis_start
cluster_node a "$(cluster_wire server 10.77.0.1/24)"
cluster_node b "$(cluster_wire client 10.77.0.2/24)"
(umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$CLUSTER_DIR/other.key")
sed -i "s|/cluster[.]key|/other.key|" "$CLUSTER_DIR/b.data.conf"
cluster_node_start a
cluster_node_start b
own b data 1048576
SECONDS=0
expect '^(NO_PATH|TIMEOUT): ' probe a write data 0 65536 3000
[ $SECONDS -le 8 ] || {
	echo "FAILED: it took $SECONDS s"
	exit 1
}
refused=$(counter b udp handshake_bad_proof)
[ "$refused" -ge 1 ] || { echo "FAILED: handshake_bad_proof is $refused"; exit 1; }
[ "$(counter b udp rudp_bytes_placed)" = 0 ] || { echo "FAILED: bytes were placed"; exit 1; }
echo "ok: handshake_bad_proof is $refused, and no byte was placed"
