#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: whatever a client does to its rings, its memory or its socket costs that client its channel at most, and nobody
# else anything. Method: one case after another against one node, while a well-behaved client writes and verifies all
# the time; after each case the daemon is asked to move something more.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
HOSTILE=$CLUSTER_BUILD/tests/e2e/hostile

cluster_redis_start
cluster_node a 'transports = [ "local" ]; attach_mode = "0666";'
cluster_node_start a
chmod 755 "$CLUSTER_DIR"
own a victim 4194304
own a quiet 1048576
probe a loop quiet 15 5000 >"$CLUSTER_DIR/loop.out" 2>&1 &
loop=$!
export HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock
daemon=$(cluster_pid a.data)

for case in ${HOSTILE_CASES:-tail head header garbage batches flip cancels errands holes given ring-hole notified flood block-wake \
	block-doorbell messages impatient strangers}; do
	expect '^OK: ' "$HOSTILE" "$case"
	kill -0 "$daemon" || { echo "FAILED: $case ended the daemon"; exit 1; }
	expect '^OK: ' timeout 10 "$PROBE" write victim 0 65536
done

# Four of the cases break the rings themselves.
broken=$(counter a worker channels_broken)
[ "$broken" -ge 4 ] || { echo "FAILED: channels_broken is $broken"; exit 1; }
wait "$loop" || true
expect ' wrong=0 overdue=0 ' cat "$CLUSTER_DIR/loop.out"
expect '^LOOP OK=[0-9]+ attached=1 opened=1 ' cat "$CLUSTER_DIR/loop.out"
