#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: with several workers on both nodes every byte is right, clients are spread over the workers, packets come to the
# worker that they are for, and both nodes come back after they were killed; also with fewer queues than workers, and with
# more workers on one side than on the other. Method: two nodes on a wire with a queue a worker, several applications that
# write and verify at once, and the workers' counters.
# usage: workers_test.sh WORKERS-OF-A WORKERS-OF-B [QUEUES [WIRE [IDLE-POLICY]]]
# QUEUES is a number, or 0 for as many as there are workers; WIRE is vhost; memif, where nobody is killed: its driver does
# not bear that under load; or xdp: interfaces with one queue, in namespaces, nobody killed either.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
processors() { seq -s, 0 $(($1 - 1)); }
if [ "$(nproc)" -lt "$1" ] || [ "$(nproc)" -lt "$2" ]; then
	echo "SKIP: fewer processors than workers"
	exit 77
fi

# A port of this host that is free now, for the counters of each worker.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')

# worker_counters NAME: what NAME counts on each worker of a, one a line.
worker_counters() {
	curl -sf "http://127.0.0.1:$port/metrics" | sed -n "s/^haul_$1_total{.*worker=\"[0-9]*\"} //p"
}

# wire SIDE NUMBER: the lines of the node of that number.
wire() {
	local address=10.77.0.$2/24
	if [ "$CLUSTER_WIRE" = xdp ]; then
		echo "udp = { ports = ( { name = \"wire\"; device = \"net_af_xdp0,iface=wire\"; address = \"$address\"; } ); };"
		return
	fi
	cluster_wire "$1" "$address" | sed "s/\(device = \"[^\"]*\)/\1${QUEUES:+,queues=$QUEUES}/"
}

QUEUES=${3-0}
[ "$QUEUES" != 0 ] || QUEUES=
CLUSTER_WIRE=${4-vhost}
idle=${5-adaptive}
if [ "$CLUSTER_WIRE" = xdp ]; then
	cluster_net_begin 1500 2>"$CLUSTER_DIR/netns.txt" || {
		echo "SKIP: no network namespaces: $(tail -n 1 "$CLUSTER_DIR/netns.txt")"
		exit 77
	}
	cluster_net_join a
	cluster_net_join b
fi
cluster_redis_start
cluster_node a "idle_policy = \"$idle\"; workers = [ $(processors "$1") ]; $(wire server 1)"
cluster_node b "idle_policy = \"$idle\"; workers = [ $(processors "$2") ]; $(wire client 2)"
echo "http_address = \"127.0.0.1:$port\";" >>"$CLUSTER_DIR/a.control.conf"
cluster_node_start a
if [ "$CLUSTER_WIRE" = xdp ]; then
	cluster_wait 20 "the port of a" grep -qE 'port wire: (up|net_af_xdp)' "$CLUSTER_DIR/a.data.log"
	if grep -q 'port wire: .*its queues cannot be set up' "$CLUSTER_DIR/a.data.log"; then
		echo "SKIP: AF_XDP does not work here: $(grep -m 1 -o 'port wire: .*' "$CLUSTER_DIR/a.data.log")"
		exit 77
	fi
fi
cluster_node_start b

# One segment for each application: the probe verifies what it reads, and opens its segment again after a kill.
owners_begin() {
	OWNERS=()
	for i in 1 2 3 4; do
		own b "data$i" 1048576
		OWNERS+=("$OWNER")
	done
}

loops_begin() {
	LOOPS=()
	for i in 1 2 3 4; do
		HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$PROBE" loop "data$i" "$1" 3000 >"$CLUSTER_DIR/loop$i.out" 2>&1 &
		LOOPS+=($!)
	done
}

loops_end() {
	for pid in "${LOOPS[@]}"; do
		wait "$pid" || {
			cat "$CLUSTER_DIR"/loop*.out
			return 1
		}
	done
	expect ' wrong=0 overdue=0 ' cat "$CLUSTER_DIR"/loop*.out
}

owners_begin
loops_begin 4
loops_end
echo "- each worker has had some of the work"
if [ "$(worker_counters worker_operations_ok | grep -vcx 0)" -ne "$1" ]; then
	echo "FAILED: a worker of a had no work"
	worker_counters worker_operations_ok
	exit 1
fi
if [ "$1" -eq "$2" ] && [ -z "$QUEUES" ]; then
	echo "- and nothing was handed over: a's queues are b's"
	expect '^0 0 0$' echo "$(counter a udp wrong_worker_out) $(counter b udp wrong_worker_out) $(counter a udp out_relayed)"
elif [ "$1" -gt 1 ]; then
	echo "- one worker has sent by the queue of the other"
	[ "$(counter a udp out_relayed)" -gt 0 ]
fi

# worker_load: one line a worker of a: its load in thousandths.
worker_load() {
	"$HAULCTL" --socket "$CLUSTER_DIR/a.http.sock" --json worker list |
		python3 -c 'import json, sys
for worker in json.load(sys.stdin)["workers"]:
    print(worker["load_permille"])'
}

# worker_of NAME: the workers of a that serve the channels of that name.
worker_of() {
	"$HAULCTL" --socket "$CLUSTER_DIR/a.http.sock" --json channel list |
		python3 -c 'import json, sys
print(*(channel["worker"] for channel in json.load(sys.stdin)["channels"] if channel["name"] == sys.argv[1]))' "$1"
}

has_channel() {
	[ -n "$(worker_of "$1")" ]
}

# Far more to do on one than a channel is expected to bring, and the other has forgotten what it had.
is_lopsided() {
	local loads
	mapfile -t loads < <(worker_load)
	[ "${loads[$busy]}" -gt 400 ] && [ "${loads[1 - busy]}" -lt 50 ]
}

if [ "$1" -eq 2 ]; then
	echo "- who comes while one worker is busy is served by the other, also when that has more channels then"
	own a here 16777216
	HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$CLUSTER_BUILD/tools/haul-bench" --size 1048576 --depth 16 --duration 60 run here \
		>"$CLUSTER_DIR/bench.out" 2>&1 &
	bench=$!
	E2E_PIDS+=("$bench")
	cluster_wait 20 "haul-bench" has_channel haul-bench
	busy=$(worker_of haul-bench)
	cluster_wait 20 "worker $busy to be the busy one" is_lopsided
	for i in 1 2; do
		own a "idle$i" 4096
	done
	expect "$((1 - busy)) $((1 - busy))\$" worker_of probe
	kill -KILL "$bench"
	wait "$bench" 2>/dev/null || true
fi

# Data goes one way here, so packet buffers that one worker takes are given back by the other, until each has been in use.
if [ "$CLUSTER_WIRE" = xdp ]; then
	echo "- both workers write on and on, and nothing of it is late"
	benches=()
	for i in 1 2; do
		own b "bulk$i" 1048576
		HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock timeout 30 "$CLUSTER_BUILD/tools/haul-bench" --size 65536 --depth 4 \
			--duration 4 run "bulk$i" >"$CLUSTER_DIR/bulk$i.out" 2>&1 &
		benches+=("$!")
		E2E_PIDS+=("$!")
	done
	for pid in "${benches[@]}"; do
		wait "$pid" || {
			cat "$CLUSTER_DIR"/bulk*.out
			exit 1
		}
	done
	loops_begin 2
	loops_end
	exit 0
fi

if [ "$CLUSTER_WIRE" = memif ]; then
	loops_begin 4
	loops_end
	exit 0
fi

# All four applications are attached to a.
has_loops() {
	[ "$(worker_of probe | wc -w)" -ge 4 ]
}

loops_begin 120
sleep 2
echo "- the target's dataplane, and its applications"
cluster_kill b.data
for pid in "${OWNERS[@]}"; do
	disown_segment "$pid"
done
cluster_data_start b
owners_begin
sleep 3
echo "- the initiator's dataplane"
cluster_kill a.data
cluster_data_start a
cluster_wait 20 "the applications of a" has_loops
kill -TERM "${LOOPS[@]}"
loops_end
[ "$(grep -c ' attached=2 ' <(cat "$CLUSTER_DIR"/loop*.out))" -eq 4 ]
expect '^OK: ' probe a write data1 0 65536
