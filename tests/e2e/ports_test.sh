#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: a port that goes away and comes back costs time and nothing else: a link that goes down is said so with its cause,
# an interface that is deleted and made again is opened again, one that comes late is found, transfers that are
# patient do not notice, and each change is one line of the log. Method: two nodes in network namespaces on a
# bridge, ports on the kernel's interfaces, which are set down, unplugged and deleted under load: ports_test.sh DEVICE, which is
# net_af_packet or net_af_xdp.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
e2e_need ip
device=${1-net_af_packet}

cluster_net_begin 1500 2>"$CLUSTER_DIR/netns.txt" || {
	echo "SKIP: no network namespaces: $(tail -n 1 "$CLUSTER_DIR/netns.txt")"
	exit 77
}

node() {
	cluster_net_join "$1"
	cluster_node "$1" "udp = { ports = ( { name = \"wire\"; device = \"${device}0,iface=wire\"; address = \"10.78.0.$2/24\"; } ); };"
	[ "$1" = a ] || cluster_net_exec "$1" ip link delete wire
	cluster_node_start "$1"
}

# said NODE TIMES PATTERN: so many lines of its log match, now or soon.
said() {
	cluster_wait 20 "$2 times '$3' from $1" said_now "$@"
	echo "ok: $1 says '$3'"
}

said_now() {
	[ "$(grep -cE -- "$3" "$CLUSTER_DIR/$1.data.log")" = "$2" ]
}

# listed NODE STATE: so is the port in the listing, now or soon.
listed() {
	cluster_wait 20 "the port of $1 to be $2" listed_now "$@"
	echo "ok: $1 lists '$2'"
}

listed_now() {
	"$HAULCTL" --socket "$CLUSTER_DIR/$1.http.sock" transport list | grep -E "^udp +wire +$2 "
}

cluster_redis_start
node a 1
if [ "$device" = net_af_xdp ] && grep -q 'port wire: net_af_xdp' "$CLUSTER_DIR/a.data.log"; then
	echo "SKIP: AF_XDP does not work here: $(grep -m 1 -o 'port wire: .*' "$CLUSTER_DIR/a.data.log")"
	exit 77
fi
node b 2

echo "- an interface that comes late"
said b 1 'error udp: port wire: .*there is no interface of that name.*; trying on'
listed b failed
cluster_net_plug b
said b 1 'info udp: port wire: up: 10.78.0.2/24'
listed b 'up(, polled)?'
own b patient 1048576
own b other 1048576
probe a loop patient 14 30000 >"$CLUSTER_DIR/patient.out" 2>&1 &
patient=$!
E2E_PIDS+=("$patient")
expect '^OK: ' probe a write other 0 65536

echo "- an interface that is set down"
cluster_net_exec b ip link set wire down
said b 1 'warning udp: port wire: link down: the interface is set down'
said a 0 'link down' # its own end is plugged into the bridge
listed b 'no link'
cluster_net_exec b ip link set wire up
said b 2 'info udp: port wire: link up'
listed b 'up(, polled)?'

echo "- an interface that loses its carrier"
cluster_net_exec bridge ip link set port-b down
said b 1 'warning udp: port wire: link down: no carrier'
cluster_net_exec bridge ip link set port-b up
said b 3 'info udp: port wire: link up'

echo "- an interface that is deleted and made again"
cluster_net_exec b ip link delete wire
said b 1 'warning udp: port wire: gone: the interface was deleted'
listed b gone
said b 2 'error udp: port wire: .*; trying on'
sleep 1
cluster_net_plug b
said b 2 'info udp: port wire: up: 10.78.0.2/24'
said b 4 'info udp: port wire: link up'
listed b 'up(, polled)?'
expect '^OK: ' probe a write other 0 65536
expect '^OK: ' probe a read other 0 65536

echo "- who was patient has not noticed"
wait "$patient" || {
	cat "$CLUSTER_DIR/patient.out"
	exit 1
}
expect '^LOOP OK=[0-9]+ attached=1 opened=1 wrong=0 overdue=0' cat "$CLUSTER_DIR/patient.out"
[ "$(counter b udp ports_up)" = 2 ] && [ "$(counter b udp ports_gone)" = 1 ]
[ "$(counter b udp links_down)" = 2 ] && [ "$(counter b udp ports_failed)" -ge 2 ]
