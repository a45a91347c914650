#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: nodes on several hosts reach each other over a real link, each in all directions, and a host that is cut off for
# a while costs time and never data; a port answers a ping; every frame
# that a node sends is one of docs/protocol.md. Method: three nodes in network namespaces of their own on a bridge, ports on the
# kernel's interfaces: netns_test.sh DEVICE MTU FAMILY VLAN WORKERS, DEVICE is net_af_packet
# or net_af_xdp, FAMILY is 4 or 6, VLAN is 0 for none, WORKERS are processors, a worker and a queue on each.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
e2e_need ip
device=${1-net_af_packet}
mtu=${2-1500}
family=${3-4}
vlan=${4-0}
workers=${5-}
if [ -n "$workers" ] && [ "$(nproc)" -le "${workers##* }" ]; then
	echo "SKIP: fewer processors than workers"
	exit 77
fi
if [ "$family" = 4 ]; then
	net=10.77.0. bits=24 ip_bytes=20
else
	net=fd77:: bits=64 ip_bytes=40
fi

cluster_net_begin "$mtu" 2>"$CLUSTER_DIR/netns.txt" || {
	echo "SKIP: no network namespaces: $(tail -n 1 "$CLUSTER_DIR/netns.txt")"
	exit 77
}

# node NAME NUMBER. A has no UDP checksums where it may, so that its connections have their own; those of b and c do not.
node() {
	local address="address = \"$net$2/$bits\";"
	[ "$1$family" != a4 ] || address+=" checksum = \"never\";"
	[ "$family" = 4 ] || address="address = \"\"; address6 = \"$net$2/$bits\";"
	cluster_net_join "$1"
	cluster_node "$1" "workers = [ $workers ]; udp = { ports = ( { name = \"wire\"; device = \"${device}0,iface=wire\"; $address vlan = $vlan; mtu = $mtu; required = true; } ); };"
	cluster_node_start "$1" && return
	if [ "$device" = net_af_xdp ] && grep -q 'port wire: net_af_xdp' "$CLUSTER_DIR/$1.data.log"; then
		echo "SKIP: AF_XDP does not work here: $(grep -m 1 -o 'port wire: .*' "$CLUSTER_DIR/$1.data.log")"
		exit 77
	fi
	return 1
}

# The sniffer has its own socket before the first node's port comes up.
read -ra prefix <<<"$(cluster_net_prefix bridge)"
"${prefix[@]}" "$E2E_TOP/tests/e2e/sniffer.py" "$vlan" port-a port-b port-c >"$CLUSTER_DIR/sniffer.out" 2>&1 &
sniffer=$!
E2E_PIDS+=("$sniffer")
cluster_wait 10 "the sniffer" grep -q READY "$CLUSTER_DIR/sniffer.out"

cluster_redis_start
node a 1
node b 2
node c 3
for name in a b c; do
	own "$name" "of-$name" 8388608
done

echo "- everybody copies to everybody"
head -c 8000000 /dev/urandom >"$CLUSTER_DIR/file"
for from in a b c; do
	for to in a b c; do
		[ "$from" = "$to" ] && continue
		export HAUL_SOCKET=$CLUSTER_DIR/$from.attach.sock
		expect 'the digests are equal' "$COPY" roundtrip "$CLUSTER_DIR/file" "of-$to"
	done
done

if [ "$family" = 4 ]; then
	echo "- packets from and to a carry checksums, those of b and c alone do not"
	crc_connections() { counter "$1" udp rudp_crc_connections; }
	[ "$(crc_connections a)" -gt 0 ] || {
		echo "FAILED: no connection of a has a checksum"
		exit 1
	}
	are_a_s_alone() { [ $(($(crc_connections b) + $(crc_connections c))) = "$(crc_connections a)" ]; }
	cluster_wait 10 "as many connections with checksums at a as at b and c" are_a_s_alone
	expect '^0 0 0$' echo "$(counter a udp rudp_crc_bad) $(counter b udp rudp_crc_bad) $(counter c udp rudp_crc_bad)"
fi

if [ -n "$workers" ]; then
	echo "- and to the right worker: the kernel spreads by UDP ports, and one was found for each connection"
	for name in a b c; do
		expect '^0 0$' echo "$(counter $name udp steer_missed) $(counter $name udp wrong_worker_out)"
	done
fi

echo "- a host that has nothing to do with it pings"
cluster_net_join host
interface=wire
[ "$family" = 4 ] || cluster_net_exec host ip link set wire addrgenmode eui64 down
cluster_net_exec host ip link set wire up
if [ "$vlan" != 0 ]; then
	cluster_net_exec host ip address add "${net}8/$bits" dev wire
	expect '^0 of 1 answered' cluster_net_exec host "$E2E_TOP/tests/e2e/ping.py" "${net}2" 8 1
	cluster_net_exec host ip address delete "${net}8/$bits" dev wire
	if cluster_net_exec host ip link add link wire name tagged type vlan id "$vlan" 2>/dev/null; then
		cluster_net_exec host ip link set tagged up
		interface=tagged
	else
		echo "- this kernel has no VLANs: pings with a tag are left out"
		interface=
	fi
fi
[ -z "$interface" ] || cluster_net_exec host ip address add "${net}9/$bits" dev "$interface"
[ "$family" = 4 ] || sleep 2.5 # until the kernel has made sure that nobody else has the address
for bytes in 0 56 $((mtu - ip_bytes - 8)); do
	[ -n "$interface" ] || break
	expect '^5 of 5 answered' cluster_net_exec host "$E2E_TOP/tests/e2e/ping.py" "${net}2" $bytes 5
done

# cut SECONDS NAMESPACE INTERFACE: the link is down for a while.
cut() {
	echo "- $3 of $2 is down for $1 s"
	cluster_net_exec "$2" ip link set "$3" down
	sleep "$1"
	cluster_net_exec "$2" ip link set "$3" up
	sleep 1.5
}

echo "- links go down under load"
probe a loop of-b 18 700 >"$CLUSTER_DIR/loop.out" 2>&1 &
loop=$!
own b patient 1048576
probe c loop patient 18 30000 >"$CLUSTER_DIR/patient.out" 2>&1 &
patient=$!
sleep 1
cut 2 bridge port-b
cut 2 b wire
cut 6.5 b wire
for pid in $loop $patient; do
	wait "$pid" || {
		cat "$CLUSTER_DIR"/{loop,patient}.out
		exit 1
	}
done
expect '^LOOP OK=[0-9]+ TIMEOUT=[0-9]+ attached=1 opened=1 wrong=0 overdue=0' cat "$CLUSTER_DIR/loop.out"
expect '^LOOP OK=[0-9]+ attached=1 opened=1 wrong=0 overdue=0' cat "$CLUSTER_DIR/patient.out"
expect '^OK: ' probe a write of-b 0 65536
expect '^OK: ' probe b read of-c 0 65536

echo "- every frame was seen, and was one of the protocol"
kill -TERM "$sniffer"
wait "$sniffer" || {
	cat "$CLUSTER_DIR/sniffer.out"
	exit 1
}
expect '^SNIFFED wrong=0 missed=0 .*CONNECT=[0-9]+ .*WRITE=[0-9]+' grep SNIFFED "$CLUSTER_DIR/sniffer.out"
[ "$family" != 4 ] || expect ' CRC=[1-9][0-9]* ' grep SNIFFED "$CLUSTER_DIR/sniffer.out"
