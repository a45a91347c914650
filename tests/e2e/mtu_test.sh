#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: hosts with jumbo frames find out what the path between them carries, also when that becomes less under load, and no
# byte is lost over it. Method: two nodes with MTU 9000 in network namespaces on two bridges; the link between these comes to
# carry 1500 while they talk.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
e2e_need ip

cluster_net_begin 9000 2>"$CLUSTER_DIR/netns.txt" || {
	echo "SKIP: no network namespaces: $(tail -n 1 "$CLUSTER_DIR/netns.txt")"
	exit 77
}

# node NAME NUMBER
node() {
	cluster_node "$1" "udp = { ports = ( { name = \"wire\"; device = \"net_af_packet0,iface=wire\"; address = \"10.78.0.$2/24\"; mtu = 9000; required = true; } ); };"
	cluster_node_start "$1"
}

# carry BYTES: the bridges drop what is larger and has to go to the other one. Nothing is dropped at a host's own interface,
# where the kernel's ring of AF_PACKET would try it for ever.
carry() {
	cluster_net_exec bridge ip link set near mtu "$1"
	cluster_net_exec bridge ip link set far mtu "$1"
}

# mtu NODE: what it has found for its connection.
mtu() {
	"$HAULCTL" --socket "$CLUSTER_DIR/$1.http.sock" --json peer list |
		python3 -c 'import json, sys
print(*sorted({p["mtu_bytes"] for p in json.load(sys.stdin)["peers"] if p["transport"] == "udp"}))'
}

cluster_redis_start
cluster_net_exec bridge ip link add other type bridge stp_state 0 mcast_snooping 0
cluster_net_exec bridge ip link set other mtu 9000 addrgenmode none up
cluster_net_exec bridge ip link add near mtu 9000 type veth peer name far mtu 9000
cluster_net_exec bridge ip link set near addrgenmode none master bridge up
cluster_net_exec bridge ip link set far addrgenmode none master other up
cluster_net_join b
cluster_net_exec bridge ip link set port-b master other
cluster_net_join a
node a 1
node b 2
own a of-a 8388608
own b load 8388608
own b of-b 8388608
head -c 8000000 /dev/urandom >"$CLUSTER_DIR/file"
roundtrip() {
	expect 'the digests are equal' env HAUL_SOCKET="$CLUSTER_DIR/$1.attach.sock" "$COPY" roundtrip "$CLUSTER_DIR/file" "$2"
}

echo "- a direct path that comes to carry less while it is used"
roundtrip a of-b
HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$CLUSTER_BUILD/tools/haul-bench" --op write,read --size 256K --duration 4 \
	--verify run load >"$CLUSTER_DIR/load.out" 2>&1 &
load=$!
sleep 1.5 # in the middle of the writes; the reads come after
expect '^9000$' mtu a
carry 1500
sleep 2
expect '^1500$' mtu a
expect '^[1-9]' counter a udp rudp_black_holes
roundtrip a of-b
wait "$load" || {
	cat "$CLUSTER_DIR/load.out"
	exit 1
}

echo "- a path that carries less from the start"
roundtrip b of-a
