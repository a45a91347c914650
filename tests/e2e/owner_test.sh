#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: an application that dies takes its segment with it at once: operations on it end with STALE, nothing lands in its
# memory any more, the record is erased, and another application may own the name. An application that dies in the middle
# of its own transfers leaves nothing behind. Method: two nodes on a wire, applications killed under load.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server

cluster_redis_start
cluster_node a "$(cluster_wire server 10.77.0.1/24)"
cluster_node b "$(cluster_wire client 10.77.0.2/24)"
cluster_node_start a
cluster_node_start b
own b data 1048576

probe a loop data 8 3000 >"$CLUSTER_DIR/loop.out" 2>&1 &
loop=$!
sleep 1
for round in 1 2 3; do
	echo "- the owner is killed, another takes the name: $round"
	disown_segment "$OWNER"
	cluster_wait 5 "the end of the segment" bash -c "! HAUL_SOCKET='$CLUSTER_DIR/b.attach.sock' '$PROBE' open data read"
	own b data 1048576
	sleep 0.5
done
wait "$loop" || {
	cat "$CLUSTER_DIR/loop.out"
	exit 1
}
expect '^LOOP OK=[0-9]+ .*STALE=[0-9]+.* wrong=0 overdue=0' cat "$CLUSTER_DIR/loop.out"

echo "- initiators are killed in the middle of their transfers"
for round in 1 2 3; do
	# Not through probe(), whose process would be a shell around the application.
	HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$PROBE" loop data 30 >/dev/null 2>&1 &
	initiator=$!
	sleep 0.7
	disown_segment "$initiator"
done
# Only the head of the table is left.
cluster_wait 5 "the end of every channel on a" \
	bash -c "[ \"\$('$HAULCTL' --socket '$CLUSTER_DIR/a.http.sock' channel list | wc -l)\" -eq 1 ]"
expect '^OK: ' probe a write data 0 65536
