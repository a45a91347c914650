#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: two nodes with two ports each share what is large between both, and one that is cut, in one direction or both,
# for a moment or until its connection is given up, costs no operation: each is done within the time that doubt and
# freshness take, with the right bytes; and a port that comes back takes work again. Method: two nodes in network
# namespaces on a bridge, net_af_packet; an application writes and reads what it wrote, and the longest operation is
# measured. The bridge is told to lose frames, so that neither node's own link tells of it.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
e2e_need ip
e2e_need bridge
e2e_need tc

# What doubt (8 ms, and 4 ms to be sure) and freshness (125 ms) take, the time of an operation, and as much again for a
# machine that has more to do than cores.
LONGEST_MS=500
OPERATION_BYTES=4194304

cluster_net_begin 1500 2>"$CLUSTER_DIR/netns.txt" || {
	echo "SKIP: no network namespaces: $(tail -n 1 "$CLUSTER_DIR/netns.txt")"
	exit 77
}

# node NAME NUMBER
node() {
	cluster_net_join "$1"
	cluster_net_plug "$1" 2
	cluster_node "$1" "udp = { ports = (
		{ name = \"wire\"; device = \"net_af_packet0,iface=wire\"; address = \"10.77.0.$2/24\"; required = true; },
		{ name = \"wire2\"; device = \"net_af_packet1,iface=wire2\"; address = \"10.77.1.$2/24\"; required = true; } ); };"
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
	[ "$(rail "$1" state)" = "$2" ]
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

cluster_redis_start
node a 1
node b 2
own b there 33554432

echo "- both ports share"
HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$PROBE" loop there 110 30000 $OPERATION_BYTES >"$CLUSTER_DIR/loop.out" 2>&1 &
loop=$!
E2E_PIDS+=("$loop")
cluster_wait 20 "the first rail" is_in_state 0 up
cluster_wait 20 "the second rail" is_in_state 1 up
moves 0
moves 1

sever 2 doubtful port-b2
sever 2 doubtful port-a2
sever 2 doubtful port-a2 port-b2
sever 8 'connecting|paused' port-a2 port-b2

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
