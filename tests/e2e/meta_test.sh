#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: the rows "meta" of the acceptance matrix with real daemons: what is known of a segment survives whatever the store
# does, and nothing of what has gone is ever used. Method: two nodes on a wire and a Redis of their own; a probe on a
# writes, reads and verifies all the while, and one thing after another is done to the record of its segment or to its
# owner; buffers of one go while they are read. Orders of events that only a test can make are in test_control_refresh.c and test_engine_target.c.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
REMOVER=$CLUSTER_BUILD/tests/e2e/remover

RECORD="haul:{$CLUSTER_NAME}:segment:data"

redis() {
	redis-cli -s "$CLUSTER_DIR/redis.sock" "$@"
}

fail() {
	echo "FAILED: $*"
	exit 1
}

# grown NAME... OLD: have these counters of openings on a grown together since?
grown() {
	local old=${*: -1} sum=0 name value
	for name in "${@:1:$#-1}"; do
		value=$(counter a opening "$name") || value=0
		sum=$((sum + ${value:-0})) # nothing, while its control plane starts
	done
	[ $sum -gt "$old" ]
}

# Segments that were retired on a, whatever for: its owner's successor erases what the other had, and whoever hears of the
# new incarnation first, by the record, an event or a packet, retires them.
RETIRED=(replaced erased purged)

retired() {
	echo $(($(counter a opening replaced) + $(counter a opening erased) + $(counter a opening purged)))
}

# loop SECONDS: a probe that verifies what it moves, on a. Sets LOOP.
loop() {
	HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$PROBE" loop data "$1" 5000 >"$CLUSTER_DIR/loop.out" 2>&1 &
	LOOP=$!
	E2E_PIDS+=("$LOOP")
}

# loop_end PATTERN...: it has ended well, and its line matches each.
loop_end() {
	kill -TERM "$LOOP" 2>/dev/null || true
	wait "$LOOP" || fail "the loop: $(cat "$CLUSTER_DIR/loop.out")"
	expect ' wrong=0 overdue=0 ' cat "$CLUSTER_DIR/loop.out"
	for pattern in "$@"; do
		expect "$pattern" cat "$CLUSTER_DIR/loop.out"
	done
}

# Have a ask for all that it has open, though no version has moved: its control plane comes back.
ask_again() {
	cluster_kill a.control
	cluster_control_start a
}

# untouched: operations went on all the while, by what was known.
untouched() {
	loop_end '^LOOP OK=[0-9]+ attached=1 opened=1 '
}

meta_unreachable_below_threshold() {
	local unreachable absent
	unreachable=$(counter a opening unreachable)
	absent=$(counter a opening absent)
	loop 30
	sleep 1
	kill -STOP "$(cluster_pid redis)"
	ask_again
	sleep 7
	kill -CONT "$(cluster_pid redis)"
	cluster_wait 20 "an unreachable store that was counted" grown unreachable "$unreachable"
	[ "$(counter a opening absent)" = "$absent" ] || fail "unreachable was taken for absent"
	untouched
}

# spoil WORDS...: after this command Redis has a record that is none, which is no reason to forget the good one.
spoil() {
	local malformed
	malformed=$(counter a opening malformed)
	redis COPY "$RECORD" good REPLACE >/dev/null
	loop 30
	sleep 1
	kill -STOP "$(cluster_pid b.control)" # or it would write it anew
	redis "$@" >/dev/null
	ask_again
	cluster_wait 20 "a malformed descriptor that was counted" grown malformed "$malformed"
	sleep 1
	redis COPY good "$RECORD" REPLACE >/dev/null
	kill -CONT "$(cluster_pid b.control)"
	untouched
	cluster_wait 20 "the segment to open again" probe a open data read
}

meta_malformed_on_refresh() {
	spoil HSET "$RECORD" buffers 'no such thing'
}

meta_null_or_empty_descriptor() {
	spoil HSET "$RECORD" bytes ''
	spoil HDEL "$RECORD" buffers
}

meta_restart_same_name_address_and_keys() {
	local before
	before=$(retired)
	loop 40
	sleep 1
	cluster_kill b.data
	disown_segment "$OWNER"
	cluster_data_start b
	own b data 1048576
	cluster_wait 20 "the old incarnation's segment to be retired" grown "${RETIRED[@]}" "$before"
	sleep 3
	loop_end ' STALE=[0-9]+ ' ' opened=[2-9]'
	expect '^OK: ' probe a write data 0 65536
}

meta_peers_port_changes() {
	loop 40
	sleep 1
	cluster_kill b.data
	disown_segment "$OWNER"
	sed -i 's/udp = {/udp = { udp_port = 7999;/' "$CLUSTER_DIR/b.data.conf"
	cluster_data_start b
	own b data 1048576
	sleep 4
	loop_end ' opened=[2-9]'
	expect '^OK: ' probe a write data 0 65536
}

# remover WORDS...: a program that has both ends and removes a buffer. Its line must have no count wrong.
remover() {
	timeout 120 "$REMOVER" "$CLUSTER_DIR/a.attach.sock" "$CLUSTER_DIR/b.attach.sock" "$@" >"$CLUSTER_DIR/remover.out" 2>&1 ||
		fail "remover $1: $(tail -n 5 "$CLUSTER_DIR/remover.out")"
	expect "^REMOVED $1 ok=[1-9][0-9]* .*removed=[1-9][0-9]* .* open=0 stale=0 wrong=0$" cat "$CLUSTER_DIR/remover.out"
}

# of_b WORDS...: what haulctl says on the owner's node.
of_b() {
	"$HAULCTL" --socket "$CLUSTER_DIR/b.http.sock" "$@"
}

# The phases of a removal in their order, as the store and the owner's trace have them: the program sees to the rest.
meta_dereg_while_reads_in_flight() {
	local pid row='^ +0 +4\.0 MiB +[0-9a-f]+ +read,write +draining$'
	mkfifo "$CLUSTER_DIR/go"
	remover reads "$(cluster_pid a.data)" <>"$CLUSTER_DIR/go" &
	pid=$!
	cluster_wait 60 "reads under way when their buffer is to go" grep -q '^PENDING' "$CLUSTER_DIR/remover.out"
	expect "$row" of_b segment show removed # told first, and there while they are under way
	echo >"$CLUSTER_DIR/go"
	wait "$pid" || fail "the removal under reads"
	of_b trace --segment removed | grep -E ' buffer .* (draining|gone): ' >"$CLUSTER_DIR/removed.trace"
	expect ': active -> draining: its removal is published$' tail -n 20 "$CLUSTER_DIR/removed.trace"
	expect ': draining -> gone: drain ended: nothing uses it any more$' tail -n 20 "$CLUSTER_DIR/removed.trace"
	echo "- a removal that cannot be published leaves the buffer as it is"
	remover unavailable "$(cluster_pid b.control)"
	remover unavailable "$(cluster_pid redis)"
}

# An owner that is killed while its memory is written and read.
meta_owner_dies_while_reads_in_flight() {
	loop 40
	sleep 1
	disown_segment "$OWNER"
	sleep 1
	own b data 1048576
	sleep 2
	loop_end ' STALE=[0-9]+ ' ' opened=[2-9]'
}

meta_absent_twice() {
	local before
	before=$(retired)
	loop 40
	sleep 1
	kill -STOP "$(cluster_pid b.control)"
	redis DEL "$RECORD" >/dev/null
	ask_again
	cluster_wait 20 "the segment to be retired" grown "${RETIRED[@]}" "$before"
	expect '^NOT_FOUND: ' probe a open data read
	kill -CONT "$(cluster_pid b.control)"
	cluster_wait 30 "the segment to be published again" probe a open data read
	sleep 2
	loop_end ' opened=[2-9]'
}

cluster_redis_start
cluster_node a "$(cluster_wire server 10.77.0.1/24)"
cluster_node b "$(cluster_wire client 10.77.0.2/24)"
# What is under way when a buffer goes is to end of itself.
echo 'drain_grace_ms = 20000;' >>"$CLUSTER_DIR/b.data.conf"
cluster_node_start a
cluster_node_start b
own b data 1048576
for row in unreachable_below_threshold malformed_on_refresh null_or_empty_descriptor \
	restart_same_name_address_and_keys dereg_while_reads_in_flight owner_dies_while_reads_in_flight absent_twice \
	peers_port_changes; do
	case "${1-$row}" in
	"$row")
		echo "- $row"
		"meta_$row"
		;;
	esac
done
if ! cluster_is_running a.data || ! cluster_is_running b.data; then
	fail "a daemon is gone"
fi
