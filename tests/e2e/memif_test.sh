#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: net_memif carries the transport between two daemons of ours, with data whole in both directions and with large frames,
# and either side that is killed and started again finds the other one. Method: a node a side, kill -9 of each while
# nothing is under way: the PMD of DPDK 22.11 unmaps the rings under the worker's hands when its peer ends under load.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
CLUSTER_WIRE=memif

said() {
	cluster_wait 20 "'$2' from $1" grep -qE -- "$2" "$CLUSTER_DIR/$1.data.log"
	echo "ok: $1 says '$2'"
}

# both_ways SEGMENT: a copies there and back.
both_ways() {
	HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock expect 'the digests are equal' "$COPY" roundtrip "$CLUSTER_DIR/file" "$1"
}

cluster_redis_start
head -c 8000000 /dev/urandom >"$CLUSTER_DIR/file"

echo "- the server comes late"
cluster_node b "$(cluster_wire client 10.80.0.2/24 9000)"
cluster_node_start b
said b 'port wire: .*cannot be started.*; trying on'
cluster_node a "$(cluster_wire server 10.80.0.1/24 9000)"
cluster_node_start a
said b 'port wire: link up'
own b first 8388608
both_ways first
probe a loop first 3 30000 >"$CLUSTER_DIR/loop.out" 2>&1
expect '^LOOP OK=[0-9]+ attached=1 opened=1 wrong=0 overdue=0' cat "$CLUSTER_DIR/loop.out"

echo "- the client is killed"
cluster_kill b.data
said a 'port wire: link down: no peer'
cluster_data_start b
own b second 8388608
both_ways second

echo "- the server is killed"
cluster_kill a.data
said b 'port wire: link down: no peer'
said b 'port wire: gone: its peer has ended'
cluster_data_start a
cluster_wait 20 "the port of b" "$HAULCTL" --socket "$CLUSTER_DIR/b.http.sock" transport list
both_ways second
