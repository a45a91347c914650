#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: a WRITE with a notification tells the owner of the memory exactly once, after its bytes; an owner that reads slowly
# slows its writers and nobody else; whoever is killed, nothing is told twice and nothing hangs. Method: two nodes over
# virtio-user and vhost, an owner that verifies every byte when it is told of it and counts every value, and writers on
# both nodes; then a bad wire, and one kill after another.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
NOTIFY=$CLUSTER_BUILD/tests/e2e/notify

# notify NODE WORDS...: a writer on a node.
notify() {
	HAUL_SOCKET=$CLUSTER_DIR/$1.attach.sock timeout 100 "$NOTIFY" "${@:2}"
}

# owner NODE NAME [PAUSE_US]: an owner, until owner_ends. Sets OWNER and OWNER_LOG.
owner() {
	OWNER_LOG=$CLUSTER_DIR/owner.$RANDOM.log
	HAUL_SOCKET=$CLUSTER_DIR/$1.attach.sock "$NOTIFY" owner "${@:2}" >"$OWNER_LOG" 2>&1 &
	OWNER=$!
	E2E_PIDS+=("$OWNER")
	cluster_wait 30 "the segment $2 on $1" grep -q READY "$OWNER_LOG"
}

# owner_ends PATTERN: let it read what is left, and look at its last line.
owner_ends() {
	kill -TERM "$OWNER" 2>/dev/null || true
	wait "$OWNER" || true
	expect "$1" tail -n 1 "$OWNER_LOG"
}

more_than() {
	[ "$1" -gt "$2" ] || {
		echo "FAILED: $3 is $1"
		exit 1
	}
}

cluster_redis_start
cluster_node a "$(cluster_wire server 10.77.0.1/24)"
cluster_node b "$(cluster_wire client 10.77.0.2/24)"
cluster_node_start a
cluster_node_start b

echo "- 100,000 from the other node, and as many from this one at the same time"
owner b data
notify b write data 1 0 100000 >"$CLUSTER_DIR/local.out" 2>&1 &
local_writer=$!
expect '^WRITER OK=100000 end=OK' notify a write data 0 0 100000
wait $local_writer || true
expect '^WRITER OK=100000 end=OK' cat "$CLUSTER_DIR/local.out"
owner_ends '^OWNER seen=200000 doubled=0 wrong=0'

echo "- an owner that reads slowly: nothing fails before its deadline"
owner b slow 150
expect '^WRITER OK=6000 end=OK' notify a write slow 0 0 6000
owner_ends '^OWNER seen=6000 doubled=0 wrong=0'
more_than "$(counter a worker notify_pauses)" 0 "notify_pauses of a"
more_than "$(counter b worker notifications_busy)" 0 "notifications_busy of b"

echo "- an owner that does not read: the deadline says so, and others go on"
own b deaf 2097152
owner b other
notify a write other 0 0 60000 >"$CLUSTER_DIR/other.out" 2>&1 &
other=$!
expect '^WRITER OK=256 TIMEOUT=64 end=OK reason=the target.s notification ring was full' notify a write deaf 0 0 320 500
wait $other || true
expect '^WRITER OK=60000 end=OK' cat "$CLUSTER_DIR/other.out"
owner_ends '^OWNER seen=60000 doubled=0 wrong=0'

echo "- writers are killed"
owner b data
for first in 0 100000 200000; do
	HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$NOTIFY" write data 0 $first 100000 >/dev/null 2>&1 &
	writer=$!
	sleep 0.5
	disown_segment $writer
done
expect '^WRITER OK=1000 end=OK' notify a write data 0 300000 1000
owner_ends '^OWNER seen=[0-9]{4,} doubled=0 wrong=0'

echo "- the owner is killed, then the target's daemon, then the initiator's"
owner b data
notify a write data 0 0 1000000 3000 12 >"$CLUSTER_DIR/mend.out" 2>&1 &
writer=$!
sleep 1
disown_segment "$OWNER"
owner b data
sleep 1
cluster_kill b.data
owner_ends '^OWNER seen=[0-9]+ doubled=0 wrong=0'
cluster_data_start b
owner b data
sleep 2
cluster_kill a.data
cluster_data_start a
wait $writer || {
	cat "$CLUSTER_DIR/mend.out"
	exit 1
}
expect '^WRITER OK=[0-9]+ .*STALE=[0-9]+.* end=OK' cat "$CLUSTER_DIR/mend.out"
expect '^WRITER OK=1000 end=OK' notify a write data 1 0 1000
owner_ends '^OWNER seen=[0-9]{4,} doubled=0 wrong=0'

# A release has no bad wires.
if ! "$CLUSTER_BUILD/dataplane/haul-dataplane" --check-config --config /dev/stdin >/dev/null 2>&1 <<-END; then
	node = "a";
	cluster_key_file = "$CLUSTER_DIR/cluster.key";
	udp = { ports = ( { name = "wire"; device = "net_ring0"; address = "10.79.0.1/24"; impair = "drop=1"; } ); };
END
	exit 0
fi
seed=${HAUL_SEED-$RANDOM}
echo "HAUL_SEED=$seed"
for process in b.data b.control a.data a.control; do
	cluster_stop $process
done

# impaired SIDE ADDRESS SEED: a wire that is dead now and then for longer than its connections live, and loses all the time.
impaired() {
	cluster_wire "$1" "$2" 1500 "impair = \"seed=$3,drop=5000,duplicate=5000,hole_every_ms=700,hole_ms=300\";" |
		sed 's/udp = {/udp = { peer_silence_ms = 150; connections = 2;/'
}

echo "- connections end under notifications, which another attempt tells once all the same"
cluster_node a "$(impaired server 10.77.0.1/24 "$seed")"
cluster_node b "$(impaired client 10.77.0.2/24 $((seed + 1)))"
cluster_node_start a
cluster_node_start b
owner b data
# A fast machine is done between two holes: again, until the wire has had its say.
told=0
for _ in {1..20}; do
	expect '^WRITER OK=30000 end=OK' notify a write data 0 $told 30000
	told=$((told + 30000))
	silent=$(counter a udp rudp_silent)
	again=$(counter b worker notifications_again)
	[ "$silent" -eq 0 ] || [ "$again" -eq 0 ] || break
done
owner_ends "^OWNER seen=$told doubled=0 wrong=0"
more_than "$silent" 0 "rudp_silent of a"
more_than "$again" 0 "notifications_again of b"
