#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: buffers, and extents of one, come and go under the writes of a peer, and no byte lands in one that was removed: under load, when the
# owner is killed in the middle, when Redis stands still (then it stays ACTIVE and usable), and when the peer hangs (then it
# takes drain_grace_ms). Method: two nodes on a wire, and an application that owns both ends and sees what lands.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
REMOVER=$CLUSTER_BUILD/tests/e2e/remover
GRACE_MS=2000 # the default of drain_grace_ms

# remover WORDS...: run it, and want no count to be wrong.
remover() {
	timeout 60 "$REMOVER" "$CLUSTER_DIR/a.attach.sock" "$CLUSTER_DIR/b.attach.sock" "$@" \
		>"$CLUSTER_DIR/remover.out" 2>&1 || {
		tail -n 20 "$CLUSTER_DIR/remover.out"
		return 1
	}
	expect "^REMOVED $1 ok=[1-9][0-9]* .*removed=[1-9][0-9]* .* open=0 stale=0 wrong=0$" \
		grep REMOVED "$CLUSTER_DIR/remover.out"
	grep REMOVED "$CLUSTER_DIR/remover.out"
}

# figure NAME: a number of the last run.
figure() {
	sed -n "s/.* $1=\([0-9]*\).*/\1/p" "$CLUSTER_DIR/remover.out"
}

cluster_redis_start
cluster_node a "$(cluster_wire server 10.77.0.1/24)"
cluster_node b "$(cluster_wire client 10.77.0.2/24)"
cluster_node_start a
cluster_node_start b

echo "- buffers come and go under load"
remover churn 6
[ "$(figure refused)" -gt 0 ] || { echo "FAILED: no write met a buffer that leaves"; exit 1; }

echo "- extents come and go under load"
remover extents 4
[ "$(figure refused)" -gt 0 ] || { echo "FAILED: no write met an extent that leaves"; exit 1; }

echo "- the owner is killed in the middle"
for round in 1 2 3; do
	"$REMOVER" "$CLUSTER_DIR/a.attach.sock" "$CLUSTER_DIR/b.attach.sock" churn 30 >/dev/null 2>&1 &
	owner=$!
	sleep "1.$round"
	disown_segment "$owner"
	cluster_wait 10 "the end of the segment" \
		bash -c "! HAUL_SOCKET='$CLUSTER_DIR/b.attach.sock' '$PROBE' open removed read"
done
# Only the head of the table is left.
cluster_wait 10 "the end of every channel on b" \
	bash -c "[ \"\$('$HAULCTL' --socket '$CLUSTER_DIR/b.http.sock' channel list | wc -l)\" -eq 1 ]"

echo "- a peer hangs in the middle of its writes"
remover hung "$(cluster_pid a.data)"
[ "$(figure max_us)" -le $((GRACE_MS * 1000 + 1500000)) ] || { echo "FAILED: longer than the grace time"; exit 1; }

echo "- Redis stands still while a buffer is to go"
remover unavailable "$(cluster_pid redis)"
