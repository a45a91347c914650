#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: on a wire that loses, doubles, delays, reorders and damages frames, bytes arrive whole or not at all, and
# operations succeed; a wire that is dead for a second now and then costs time. Method: two nodes over
# virtio-user and vhost, each with a bad wire in its own transmit path (the port's key `impair`), under WRITEs and READs whose data
# is verified; HAUL_SEED repeats the chances.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
seed=${HAUL_SEED-$RANDOM}
echo "HAUL_SEED=$seed"

# wire SIDE ADDRESS SEED FAULTS: a node's lines. Damage is seen by UDP's checksum, or with CRC=always by haul's own alone.
wire() {
	local checksum=always
	[ -z "${CRC-}" ] || checksum=never
	cluster_wire "$1" "$2" 1500 "checksum = \"$checksum\"; impair = \"seed=$3,$4\";" |
		sed "s/udp = {/& ${CRC+payload_crc = \"$CRC\";}/"
}

# nodes FAULTS: start both.
nodes() {
	cluster_node a "$(wire server 10.79.0.1/24 "$seed" "$1")"
	cluster_node b "$(wire client 10.79.0.2/24 "$((seed + 1))" "$1")"
	cluster_node_start a
	cluster_node_start b
	own b target 8388608
}

nodes_stop() {
	for process in b.data b.control a.data a.control; do
		cluster_stop $process
	done
}

# are_counted NAME...: counters of a that must not be 0.
are_counted() {
	for name in "$@"; do
		[ "$(counter a udp "$name")" -gt 0 ] || {
			echo "FAILED: $name of a is 0"
			exit 1
		}
	done
}

# A release has no such key's values.
if ! "$CLUSTER_BUILD/dataplane/haul-dataplane" --check-config --config /dev/stdin >"$CLUSTER_DIR/check.txt" 2>&1 <<-END; then
	node = "a";
	cluster_key_file = "$CLUSTER_DIR/cluster.key";
	udp = { ports = ( { name = "wire"; device = "net_ring0"; address = "10.79.0.1/24"; impair = "drop=1"; } ); };
END
	expect 'this is a release build, which impairs nothing' cat "$CLUSTER_DIR/check.txt"
	echo "SKIP: $(cat "$CLUSTER_DIR/check.txt")"
	exit 77
fi

cluster_redis_start
head -c 8000000 /dev/urandom >"$CLUSTER_DIR/file"

echo "- a bit of everything"
nodes "drop=20000,duplicate=10000,reorder=50000,corrupt=5000,jitter_us=20"
HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock expect 'the digests are equal' "$COPY" roundtrip "$CLUSTER_DIR/file" target
probe a loop target 5 30000 >"$CLUSTER_DIR/loop.out" 2>&1
expect '^LOOP OK=[0-9]+ attached=1 opened=1 wrong=0 overdue=0' cat "$CLUSTER_DIR/loop.out"
are_counted impair_dropped impair_duplicated impair_delayed impair_corrupted drop_udp_sum rudp_retransmitted
[ "$(counter a udp rudp_crc_connections)" = 0 ] || {
	echo "FAILED: a wire in memory got a checksum that nobody asked for"
	exit 1
}

echo "- damage, with no checksum but that of each packet"
nodes_stop
CRC=always nodes "drop=5000,reorder=20000,corrupt=20000"
HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock expect 'the digests are equal' "$COPY" roundtrip "$CLUSTER_DIR/file" target
probe a loop target 5 30000 >"$CLUSTER_DIR/loop.out" 2>&1
expect '^LOOP OK=[0-9]+ attached=1 opened=1 wrong=0 overdue=0' cat "$CLUSTER_DIR/loop.out"
are_counted impair_corrupted rudp_crc_connections rudp_crc_bad rudp_retransmitted

echo "- losses in bursts, and nothing at all for 300 ms every second"
nodes_stop
nodes "burst_enter=2000,burst_leave=100000,hole_every_ms=1000,hole_ms=300"
HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock expect 'the digests are equal' "$COPY" roundtrip "$CLUSTER_DIR/file" target
probe a loop target 5 30000 >"$CLUSTER_DIR/loop.out" 2>&1
expect '^LOOP OK=[0-9]+ attached=1 opened=1 wrong=0 overdue=0' cat "$CLUSTER_DIR/loop.out"
