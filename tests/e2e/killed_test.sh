#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: a client that is killed leaves nothing behind. An owner's segment is gone for others, whose operations end, and
# its memory goes back; an initiator's operations are cancelled and its channel freed. Method: kill -9 of either while
# hundreds of megabytes are under way over a wire.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
BENCH=$CLUSTER_BUILD/tools/haul-bench

# shared_kib PROCESS: shared memory that the process has mapped and touched.
shared_kib() {
	awk '/^RssShmem:/ { print $2 }' "/proc/$(cluster_pid "$1")/status"
}

# status_is NODE NAME VALUE: a number of haulctl's status.
status_is() {
	local found
	found=$("$HAULCTL" --socket "$CLUSTER_DIR/$1.http.sock" --json status |
		python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1]))' "$2")
	[ "$found" = "$3" ]
}

below() {
	[ "$(shared_kib "$1")" -lt "$2" ]
}

cluster_redis_start
cluster_node a "$(cluster_wire server 10.77.0.1/24)"
cluster_node b "$(cluster_wire client 10.77.0.2/24)"
cluster_node_start a
cluster_node_start b

echo "- the owner is killed, under load"
before=$(shared_kib b.data)
own b data 268435456
[ "$(shared_kib b.data)" -gt $((before + 250000)) ] || { echo "FAILED: no memory was taken"; exit 1; }
probe a loop data 8 5000 >"$CLUSTER_DIR/loop.out" 2>&1 &
loop=$!
sleep 1
disown_segment "$OWNER"
cluster_wait 10 "b to give its memory back" below b.data $((before + 10000))
cluster_wait 10 "b to forget the segment" status_is b segments 0
expect '^NOT_FOUND: ' probe a open data read
own b data 1048576
wait "$loop" || true
expect '^LOOP OK=[0-9]+ .*STALE=[0-9]+ .* wrong=0 overdue=0 ' cat "$CLUSTER_DIR/loop.out"

echo "- initiators are killed, with operations under way"
own b large 67108864
before=$(shared_kib a.data)
for _ in 1 2 3; do
	HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$BENCH" --size 1M --depth 64 --duration 30 run large >/dev/null 2>&1 &
	bench=$!
	sleep 0.7
	kill -KILL $bench
	wait $bench 2>/dev/null || true
done
cluster_wait 10 "a to free the channels" status_is a channels 0
cluster_wait 10 "a to give the memory back" below a.data $((before + 10000))
expect '^OK: ' probe a write large 0 262144
expect '^OK: ' probe a read large 66977792 131072

echo "- an owner that is stopped serves on, and is killed then"
own a left/behind 65536
cluster_wait 10 "the segment" status_is a segments 1
kill -STOP "$OWNER"
expect '^OK: ' probe b write left/behind 0 4096
disown_segment "$OWNER"
cluster_wait 10 "a to forget the segment" status_is a segments 0
