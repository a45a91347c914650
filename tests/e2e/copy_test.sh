#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: a file goes from an application on a into a segment on b and comes back the same, over rudp on a real wire,
# and haulctl sees the cluster. Method: quickstart's own path with a small file.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server

cluster_redis_start
cluster_node a "$(cluster_wire server 10.77.0.1/24)"
cluster_node b "$(cluster_wire client 10.77.0.2/24)"
cluster_node_start a
cluster_node_start b
own b target 33554432
head -c 33000000 /dev/urandom >"$CLUSTER_DIR/file"
export HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock
expect 'the digests are equal' "$COPY" roundtrip "$CLUSTER_DIR/file" target
expect 'over udp' "$COPY" put "$CLUSTER_DIR/file" target
expect 'over udp' "$COPY" get target "$CLUSTER_DIR/back" 33000000
cmp "$CLUSTER_DIR/file" "$CLUSTER_DIR/back"
expect 'target' "$HAULCTL" --socket "$CLUSTER_DIR/a.http.sock" segment list
probe a loop target 3 >"$CLUSTER_DIR/loop.out" 2>&1 &
loop=$!
cluster_wait 3 "the peer b in a's list" bash -c "'$HAULCTL' --socket '$CLUSTER_DIR/a.http.sock' peer list | grep -qE '^b .*udp.* up'"
wait "$loop"
expect ' wrong=0 overdue=0 ' cat "$CLUSTER_DIR/loop.out"
