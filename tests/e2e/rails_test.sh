#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: two nodes with two ports each share what is large between both, and one that is cut, in one direction or both,
# for a moment or until its connection is given up, costs no operation: each is done within the time that doubt and
# freshness take, with the right bytes; and a port that comes back takes work again. Method: an application writes and
# reads what it wrote, and the longest operation is measured. rails_test.sh bridge [FAMILY]: two nodes in network namespaces
# on a bridge, net_af_packet, IPv4 or IPv6; the bridge is told to lose frames, so that neither node's own link tells of it.
# rails_test.sh vhost: two nodes on two wires of virtio-user and vhost, with two connections on each; one of the wires has
# holes (the ports' key `impair`).
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
kind=${1-bridge}
family=${2-4}

# What doubt (8 ms, and 4 ms to be sure) and freshness (125 ms) take, the time of an operation, and as much again for a
# machine that has more to do than cores.
LONGEST_MS=500
OPERATION_BYTES=4194304

bridge_begin() {
	e2e_need ip
	e2e_need bridge
	e2e_need tc
	cluster_net_begin 1500 2>"$CLUSTER_DIR/netns.txt" || {
		echo "SKIP: no network namespaces: $(tail -n 1 "$CLUSTER_DIR/netns.txt")"
		exit 77
	}
}

# address WIRE NUMBER: the keys of a port's address.
address() {
	if [ "$family" = 4 ]; then
		echo "address = \"10.77.$1.$2/24\";"
	else
		echo "address = \"\"; address6 = \"fd77:$1::$2/64\";"
	fi
}

# bridge_node NAME NUMBER
bridge_node() {
	cluster_net_join "$1"
	cluster_net_plug "$1" 2
	cluster_node "$1" "udp = { ports = (
		{ name = \"wire\"; device = \"net_af_packet0,iface=wire\"; $(address 1 "$2") required = true; },
		{ name = \"wire2\"; device = \"net_af_packet1,iface=wire2\"; $(address 2 "$2") required = true; } ); };"
	cluster_node_start "$1"
}

# Frames of either side are lost for 2.5 of 6 s, at moments of its own; after 1.5 s of silence connections are given up.
HOLES='hole_every_ms=6000,hole_ms=2500'

# vhost_node NAME NUMBER DEVICE OPTIONS: a side of both wires.
vhost_node() {
	cluster_node "$1" "udp = { connections = 2; peer_silence_ms = 1500; ports = (
		{ name = \"wire\"; device = \"$3$CLUSTER_DIR/wire.sock$4\"; $(address 1 "$2") },
		{ name = \"wire2\"; device = \"${3/0,/1,}$CLUSTER_DIR/wire2.sock$4\"; $(address 2 "$2") impair = \"$HOLES\"; } ); };"
	if ! "$CLUSTER_BUILD/dataplane/haul-dataplane" --check-config --config "$CLUSTER_DIR/$1.data.conf" >"$CLUSTER_DIR/check.txt" 2>&1; then
		expect 'this is a release build, which impairs nothing' cat "$CLUSTER_DIR/check.txt"
		echo "SKIP: $(cat "$CLUSTER_DIR/check.txt")"
		exit 77
	fi
	cluster_node_start "$1"
}

# rail INDEX KEY: what node a lists of its rail to b.
rail() {
	"$HAULCTL" --socket "$CLUSTER_DIR/a.http.sock" --json peer list |
		python3 -c 'import json, sys
for peer in json.load(sys.stdin)["peers"]:
    if peer["node"] == "b" and peer["rail"] == sys.argv[1]:
        print(peer[sys.argv[2]])' "$1" "$2"
}

is_in_state() {
	grep -qxE -- "$2" <<<"$(rail "$1" state)"
}

# moves INDEX: bytes go out on that rail, now or soon.
moves() {
	local before
	before=$(rail "$1" bytes_out)
	cluster_wait 20 "rail $1 to take work" has_moved "$1" "$before"
	echo "ok: rail $1 takes work"
}

has_moved() {
	[ "$(rail "$1" bytes_out)" -gt "$(($2 + OPERATION_BYTES))" ]
}

# lose PORT: the bridge loses what it should send out of a port; find_again PORT: no more.
lose() {
	cluster_net_exec bridge tc qdisc add dev "$1" root pfifo limit 0
}

find_again() {
	cluster_net_exec bridge tc qdisc delete dev "$1" root
}

# sever SECONDS STATE PORT...: frames to these ports are lost for a while; by its end a's second rail is in that state.
sever() {
	local seconds=$1 state=$2 port
	shift 2
	echo "- $* lost for $seconds s"
	for port in "$@"; do
		lose "$port"
	done
	sleep "$seconds"
	expect "^($state)$" rail 1 state
	moves 0
	for port in "$@"; do
		find_again "$port"
	done
	cluster_wait 20 "rail 1 to be up" is_in_state 1 up
	moves 1
}

# await STATE RAIL...: each is in that state, now or soon.
await() {
	local state=$1 index
	shift
	for index in "$@"; do
		cluster_wait 20 "rail $index to be $state" is_in_state "$index" "$state"
	done
}

load_begin() {
	HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$PROBE" loop there 110 30000 $OPERATION_BYTES >"$CLUSTER_DIR/loop.out" 2>&1 &
	loop=$!
	E2E_PIDS+=("$loop")
}

bridge_run() {
	bridge_node a 1
	bridge_node b 2
	own b there 33554432
	echo "- both ports share"
	load_begin
	await up 0 1
	moves 0
	moves 1
	if [ "$family" = 4 ]; then
		sever 2 doubtful port-b2
		sever 2 doubtful port-a2
	fi
	sever 2 doubtful port-a2 port-b2
	sever 8 'connecting|paused' port-a2 port-b2
}

vhost_run() {
	local round index
	vhost_node a 1 net_virtio_user0,path= ,server=1,queue_size=1024
	vhost_node b 2 net_vhost0,iface= ,client=1
	own b there 33554432
	echo "- all connections of both wires share"
	load_begin
	await up 0 1 2 3
	expect '^wire2 ' rail 1 way
	expect '^wire2 ' rail 3 way
	for index in 0 1 2 3; do
		moves $index
	done
	for round in 1 ${HAUL_ALL:+2 3}; do
		echo "- hole $round"
		await doubtful 1
		moves 0
		moves 2
		await 'connecting|paused' 1 3
		moves 0
		moves 2
		await up 1 3
		moves 1
		moves 3
	done
}

cluster_redis_start
[ "$kind" != bridge ] || bridge_begin
"${kind}_run"

kill -TERM "$loop"
wait "$loop" || {
	cat "$CLUSTER_DIR/loop.out"
	exit 1
}
expect '^LOOP OK=[0-9]+ attached=1 opened=1 wrong=0 overdue=0' cat "$CLUSTER_DIR/loop.out"
longest=$(grep -o 'longest_ms=[0-9]*' "$CLUSTER_DIR/loop.out" | cut -d= -f2)
[ "$longest" -le "$LONGEST_MS" ] || {
	echo "FAILED: an operation took $longest ms, more than $LONGEST_MS"
	exit 1
}
