#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: haul-bench measures and checks what moves, and says so when it cannot. Method: one node with `local`; short rows,
# since it is the tool that is tested and not the speed.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server
BENCH=$CLUSTER_BUILD/tools/haul-bench

cluster_redis_start
cluster_node a 'transports = [ "local" ];'
cluster_node_start a
export HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock
"$BENCH" serve target 16M <&"$E2E_HOLD" >"$CLUSTER_DIR/serve.log" &
E2E_PIDS+=($!)
cluster_wait 10 "the target" grep -q 'READY target on node a: 16777216 bytes' "$CLUSTER_DIR/serve.log"

short=(--duration 0.1 --warm-up 0.02)
expect '^nop +0 +8 +1 .* none +-$' "$BENCH" "${short[@]}" --op nop --depth 8 run
expect '^write +100 +3 +1 +hot .* local +ok$' "$BENCH" "${short[@]}" --size 100 --depth 3 --verify run target
expect '^read +1048576 +16 +1 +hot .* local +ok$' "$BENCH" "${short[@]}" --op read --size 1M --verify run target
expect '^write +65536 +4 +1 +cold .* local +ok$' "$BENCH" "${short[@]}" --size 64K --depth 4 --cold=10M --verify run target

expect '^mix +8192 +8 +3 +hot .* local +ok$' "$BENCH" "${short[@]}" --op mix --reads 30 --size 8K --depth 8 --threads 3 --verify run target

# Its owner reads them, or a ring of 256 would hold up all that follow.
expect '^notify +64 +16 +2 +hot .* local +ok$' "$BENCH" "${short[@]}" --op notify --size 64 --threads 2 --verify run target
expect 'haul-bench .* [0-9]{4,} +[0-9]+ +[0-9]+ +[0-9]+ *$' "$HAULCTL" --socket "$CLUSTER_DIR/a.http.sock" channel list

# As a file beside the table, and in its place.
expect '^write .* ok$' "$BENCH" "${short[@]}" --size 4K --verify --json "$CLUSTER_DIR/rows.json" run target
"$BENCH" "${short[@]}" --op write,mix,nop --size 4K..16K --depth 1,8 --threads 1,2 --verify --json - run target >"$CLUSTER_DIR/more.json"
python3 - "$CLUSTER_DIR/rows.json" "$CLUSTER_DIR/more.json" <<'END'
import json, sys
one, rows = (json.load(open(name, encoding='utf-8')) for name in sys.argv[1:])
assert len(one) == 1, one
assert len(rows) == 2 * 3 * 2 * 2 + 2 * 2, len(rows)
for row in one + rows:
    assert row['operations'] > 0 and row['seconds'] > 0 and row['ops_per_s'] > 0, row
    times = [row[key] for key in ('p50_us', 'p90_us', 'p99_us', 'p999_us', 'p9999_us', 'max_us')]
    assert times == sorted(times), row
    assert row['check'] == ('-' if row['op'] == 'nop' else 'ok'), row
    assert row.get('reads_percent') == (50 if row['op'] == 'mix' else None), row
assert {row['threads'] for row in rows} == {1, 2}
END

expect 'NOT_FOUND|nothing of that name' "$BENCH" "${short[@]}" run no/such/segment
expect 'has 16777216 bytes, the largest row needs 33554432' "$BENCH" "${short[@]}" --size 2M run target
expect 'has 16777216 bytes, the largest row needs 25165824' "$BENCH" "${short[@]}" --size 512K --threads 3 run target
expect 'cannot be written' "$BENCH" --op nop --json /nowhere/rows.json run
expect 'no daemon listens' env HAUL_SOCKET=/nowhere "$BENCH" --op nop run
status=0
"$BENCH" --size 3G run target 2>/dev/null || status=$?
[ $status = 2 ] || { echo "FAILED: wrong usage ends with $status, not 2"; exit 1; }
