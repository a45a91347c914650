#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: either daemon of either side may be killed and started again. Operations bound to the old incarnation end with
# STALE or wait, opening again works, nothing hangs, nothing that is read is wrong. Method: two nodes on a wire, a probe
# that writes and verifies all the while on a, and one kill after another.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server

cluster_redis_start
cluster_node a "$(cluster_wire server 10.77.0.1/24)"
cluster_node b "$(cluster_wire client 10.77.0.2/24)"
cluster_node_start a
cluster_node_start b
own b data 1048576

probe a loop data 25 3000 >"$CLUSTER_DIR/loop.out" 2>&1 &
loop=$!
sleep 2

echo "- the target's control plane"
cluster_kill b.control
sleep 1
cluster_control_start b
sleep 1

echo "- the initiator's control plane"
cluster_kill a.control
sleep 1
cluster_control_start a
sleep 1

echo "- the target's dataplane, and its application"
cluster_kill b.data
disown_segment "$OWNER"
cluster_data_start b
own b data 1048576
sleep 4

echo "- the initiator's dataplane"
cluster_kill a.data
cluster_data_start a

wait "$loop" || {
	cat "$CLUSTER_DIR/loop.out"
	exit 1
}
expect '^LOOP OK=[0-9]+ .*STALE=[0-9]+ ' cat "$CLUSTER_DIR/loop.out"
expect 'attached=2 ' cat "$CLUSTER_DIR/loop.out"
expect ' wrong=0 overdue=0 ' cat "$CLUSTER_DIR/loop.out"
expect '^OK: ' probe a write data 0 65536
