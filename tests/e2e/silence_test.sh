#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: every operation ends by its deadline, also when its target falls silent in the middle, and the connection goes on
# when the target does. Method: two nodes on a wire; the target's dataplane is stopped and continued under load.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server

cluster_redis_start
cluster_node a "$(cluster_wire server 10.77.0.1/24)"
cluster_node b "$(cluster_wire client 10.77.0.2/24)"
cluster_node_start a
cluster_node_start b
own b data 1048576
expect '^OK: ' probe a write data 0 65536

probe a loop data 12 700 >"$CLUSTER_DIR/loop.out" 2>&1 &
loop=$!
sleep 1
echo "- stopped for 3 s: operations end with TIMEOUT"
kill -STOP "$(cluster_pid b.data)"
sleep 3
kill -CONT "$(cluster_pid b.data)"
sleep 1
echo "- stopped for 7 s: the connection is given up, and made again"
kill -STOP "$(cluster_pid b.data)"
sleep 7
kill -CONT "$(cluster_pid b.data)"
wait "$loop" || {
	cat "$CLUSTER_DIR/loop.out"
	exit 1
}
expect '^LOOP OK=[0-9]+ TIMEOUT=[0-9]+ attached=1 opened=1 wrong=0 overdue=0' cat "$CLUSTER_DIR/loop.out"
expect '^OK: ' probe a write data 0 65536
