#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: what is cancelled ends once, in time, and nothing of it lands afterwards: under load, while the target stands still,
# and when it is killed. Method: two nodes on a wire, and an application that owns both ends and sees what lands.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
CANCELLER=$CLUSTER_BUILD/tests/e2e/canceller
SEGMENT_BYTES=12582912 # canceller's BYTES

# status_is NODE NAME VALUE: a number of haulctl's status.
status_is() {
	local found
	found=$("$HAULCTL" --socket "$CLUSTER_DIR/$1.http.sock" --json status |
		python3 -c 'import json, sys; print(json.load(sys.stdin).get(sys.argv[1]))' "$2")
	[ "$found" = "$3" ]
}

# mapped PROCESS: bytes of memory called "cancelled" that it has mapped.
mapped() {
	python3 - "/proc/$(cluster_pid "$1")/maps" <<-'END'
		import sys
		lines = [line.split()[0].split("-") for line in open(sys.argv[1]) if "memfd:cancelled" in line]
		print(sum(int(end, 16) - int(start, 16) for start, end in lines))
	END
}

# canceller WORDS...: run it, and want every count in order.
canceller() {
	timeout 60 "$CANCELLER" "$CLUSTER_DIR/a.attach.sock" "$@" >"$CLUSTER_DIR/canceller.out" 2>&1 || {
		tail -n 20 "$CLUSTER_DIR/canceller.out"
		return 1
	}
	expect '^CANCELLED ok=[1-9][0-9]* cancelled=[1-9][0-9]* .* open=0 stale=[0-9]+ wrong=0 late=0$' \
		grep CANCELLED "$CLUSTER_DIR/canceller.out"
}

# A copy that has begun is finished: only a target that was stopped in the middle of one places anything late, and says so.
stale_is_told() {
	local stale told
	stale=$(sed -n 's/.* stale=\([0-9]*\) .*/\1/p' "$CLUSTER_DIR/canceller.out")
	told=$(counter b region placed_after_stall)
	[ "$stale" -le "$told" ] || { echo "FAILED: $stale stale, $told told"; cat "$CLUSTER_DIR/canceller.out"; exit 1; }
}

cluster_redis_start
cluster_node a "$(cluster_wire server 10.77.0.1/24)"
cluster_node b "$(cluster_wire client 10.77.0.2/24)"
cluster_node_start a
cluster_node_start b

echo "- under load, over the wire"
canceller "$CLUSTER_DIR/b.attach.sock" 5 &
running=$!
cluster_wait 10 "b to know the segment" status_is b segments 1
[ "$(mapped b.data)" -eq $SEGMENT_BYTES ] || { echo "FAILED: b has mapped $(mapped b.data) bytes"; exit 1; }
wait $running
stale_is_told
expect ' stale=0 ' grep CANCELLED "$CLUSTER_DIR/canceller.out"
cluster_wait 10 "b to forget the segment" status_is b segments 0
[ "$(mapped b.data)" -eq 0 ] || { echo "FAILED: b still has $(mapped b.data) bytes mapped"; exit 1; }

echo "- within one node"
canceller "$CLUSTER_DIR/a.attach.sock" 3
expect ' stale=0 ' grep CANCELLED "$CLUSTER_DIR/canceller.out"

echo "- while the target stands still, again and again"
canceller "$CLUSTER_DIR/b.attach.sock" 8 "$(cluster_pid b.data)"
stale_is_told

echo "- and when it is killed"
canceller "$CLUSTER_DIR/b.attach.sock" 2 "$(cluster_pid b.data)" kill
stale_is_told # it is stopped here too, and what it has counted outlives it

echo "- everything is back where it was"
cluster_wait 10 "a to free the channels" status_is a channels 0
[ "$(counter a worker channels_broken)" -eq 0 ]
[ "$(counter a worker cancels)" -gt 100 ]
cluster_kill b.data
cluster_data_start b
canceller "$CLUSTER_DIR/b.attach.sock" 2
