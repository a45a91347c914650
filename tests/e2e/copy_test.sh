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
"$COPY" get target "$CLUSTER_DIR/whole" >/dev/null
[ "$(stat -c %s "$CLUSTER_DIR/whole")" = 33554432 ]
expect 'the digests are equal' "$COPY" verify "$CLUSTER_DIR/file" target
"$COPY" --json --depth 4 --chunk 256K --counters "$CLUSTER_DIR/a.counters" roundtrip "$CLUSTER_DIR/file" target |
	python3 -c 'import json, sys
outcome = json.load(sys.stdin)
write, read = outcome["transfers"]
assert outcome["exit_status"] == 0 and outcome["sha256"] == outcome["sha256_read_back"], outcome
assert write["op"] == "write" and read["op"] == "read" and write["bytes"] == read["bytes"] == 33000000, outcome
assert write["operations"] == 126 and write["packets_sent"] > 20000 and read["packets_received"] > 20000, outcome'
# Memory is needed for what is under way, however large the file.
python3 - "$COPY" --depth 4 --chunk 256K roundtrip "$CLUSTER_DIR/file" target <<-'END'
	import resource, subprocess, sys
	subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
	peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
	assert peak < 25000, "a copy of 33 MB took %d KiB of memory" % peak
END
status=0
"$COPY" get target /dev/full >/dev/null 2>"$CLUSTER_DIR/full.txt" || status=$?
expect '/dev/full: is not whole' cat "$CLUSTER_DIR/full.txt"
[ $status = 1 ] || { echo "FAILED: a read that cannot be stored ends with $status, not 1"; exit 1; }
# Of all sizes, the last byte included.
for bytes in 1 1048575 1048576 1048577 16777217; do
	head -c $bytes "$CLUSTER_DIR/file" >"$CLUSTER_DIR/part"
	"$COPY" roundtrip "$CLUSTER_DIR/part" target >/dev/null
	"$COPY" get target "$CLUSTER_DIR/back" $bytes >/dev/null
	cmp "$CLUSTER_DIR/part" "$CLUSTER_DIR/back"
done
"$COPY" put "$CLUSTER_DIR/file" target >/dev/null
cp "$CLUSTER_DIR/file" "$CLUSTER_DIR/other"
printf 'xyz' | dd of="$CLUSTER_DIR/other" bs=1 seek=16000000 conv=notrunc status=none
status=0
"$COPY" verify "$CLUSTER_DIR/other" target || status=$?
[ $status = 3 ] || { echo "FAILED: digests that differ end with $status, not 3"; exit 1; }
expect 'a number is wanted' "$COPY" get target "$CLUSTER_DIR/back" 12Q
expect 'target' "$HAULCTL" --socket "$CLUSTER_DIR/a.http.sock" segment list
probe a loop target 3 >"$CLUSTER_DIR/loop.out" 2>&1 &
loop=$!
cluster_wait 3 "the peer b in a's list" bash -c "'$HAULCTL' --socket '$CLUSTER_DIR/a.http.sock' peer list | grep -qE '^b .*udp.* up'"
wait "$loop"
expect ' wrong=0 overdue=0 ' cat "$CLUSTER_DIR/loop.out"
