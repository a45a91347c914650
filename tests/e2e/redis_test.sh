#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: Redis may be absent at the start, be paused, killed and come back empty: control requests fail in a bounded time
# with a sentence, transfers between open segments are unharmed, and afterwards everything is published again. Method: one
# node with `local`, a probe that writes and verifies all the while, and Redis treated badly.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server

cluster_node a 'transports = [ "local" ];'
cluster_node_start a

echo "- Redis is absent at the start"
SECONDS=0
expect '^UNAVAILABLE: .*redis' probe a open data read
[ $SECONDS -le 10 ] || {
	echo "FAILED: an open without Redis took $SECONDS s"
	exit 1
}
cluster_redis_start
cluster_wait 10 "the node in Redis" grep -q 'node: published' "$CLUSTER_DIR/a.data.log"
own a data 1048576
probe a loop data 14 5000 >"$CLUSTER_DIR/loop.out" 2>&1 &
loop=$!
sleep 1

echo "- Redis is paused"
kill -STOP "$(cluster_pid redis)"
sleep 1
SECONDS=0
expect '^UNAVAILABLE: ' probe a open data read
[ $SECONDS -le 10 ] || {
	echo "FAILED: an open with a paused Redis took $SECONDS s"
	exit 1
}
kill -CONT "$(cluster_pid redis)"
cluster_wait 10 "an open after the pause" probe a open data read

echo "- Redis is killed and comes back empty"
cluster_kill redis
rm -rf "$CLUSTER_DIR"/appendonlydir "$CLUSTER_DIR"/dump.rdb
expect '^UNAVAILABLE: ' probe a open data read
cluster_redis_start
cluster_wait 15 "the segment in the empty Redis" probe a open data read

wait "$loop" || {
	cat "$CLUSTER_DIR/loop.out"
	exit 1
}
expect '^LOOP OK=[0-9]+ attached=1 opened=1 wrong=0 overdue=0' cat "$CLUSTER_DIR/loop.out"
