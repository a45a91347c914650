# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# What every end-to-end test begins with: `. e2e.sh NAME`. Gives a cluster folder that is removed at the end, whatever
# happens, with every process of it ended; and a few words to compare things with. HAUL_BUILD is the build folder.
set -euo pipefail

E2E_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CLUSTER_BUILD=${HAUL_BUILD:?set HAUL_BUILD to the build folder}
CLUSTER_NAME=e2e
# shellcheck source=tools/cluster.sh
. "$E2E_TOP/tools/cluster.sh"

PROBE=$CLUSTER_BUILD/tests/e2e/probe
HAULCTL=$CLUSTER_BUILD/tools/haulctl
COPY=$CLUSTER_BUILD/tools/haul-copy

e2e_need() {
	command -v "$1" >/dev/null || {
		echo "SKIP: $1 is not installed"
		exit 77
	}
}

e2e_finish() {
	local status=$? pid
	for pid in "${E2E_PIDS[@]}"; do
		# Not TERM: a test may have stopped it.
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	cluster_end
	if [ $status -ne 0 ] && [ $status -ne 77 ]; then
		echo "--- logs"
		tail -n 15 "$CLUSTER_DIR"/*.log
	fi
	rm -rf "$CLUSTER_DIR"
}

E2E_PIDS=()
cluster_begin "$(mktemp -d "${TMPDIR:-/tmp}/haul-e2e.XXXXXX")"
trap e2e_finish EXIT

# A standard input that neither brings anything nor ends, for applications that live until they are killed.
mkfifo "$CLUSTER_DIR/hold"
exec {E2E_HOLD}<>"$CLUSTER_DIR/hold"

# probe NODE WORDS...: run the probe as an application on a node.
probe() {
	HAUL_SOCKET=$CLUSTER_DIR/$1.attach.sock "$PROBE" "${@:2}"
}

# own NODE NAME BYTES [READERS [WRITERS]]: an application on the node owns a segment until the test ends. Sets OWNER.
own() {
	local log=$CLUSTER_DIR/own.$RANDOM.log
	HAUL_SOCKET=$CLUSTER_DIR/$1.attach.sock "$PROBE" create "${@:2}" <&"$E2E_HOLD" >"$log" 2>&1 &
	OWNER=$!
	E2E_PIDS+=("$OWNER")
	cluster_wait 30 "the segment $2 on $1" grep -q READY "$log"
}

disown_segment() {
	kill -KILL "$1" 2>/dev/null || true
	wait "$1" 2>/dev/null || true
}

# expect PATTERN COMMAND...: the command's output has a line that matches, whatever its exit status.
expect() {
	local pattern=$1 output
	shift
	output=$("$@" 2>&1) || true
	if ! grep -qE -- "$pattern" <<<"$output"; then
		printf 'FAILED: %s\n  wanted: %s\n  got:    %s\n' "$*" "$pattern" "$output"
		return 1
	fi
	printf 'ok: %s -> %s\n' "${*:1:4}" "$(head -n 1 <<<"$output")"
}

# counter NODE GROUP NAME: the value now.
counter() {
	"$HAULCTL" --socket "$CLUSTER_DIR/$1.http.sock" --json stats |
		python3 -c 'import json, sys
stats = json.load(sys.stdin)
print(next((c["value"] for c in stats["counters"] if c["group"] == sys.argv[1] and c["name"] == sys.argv[2]), 0))' "$2" "$3"
}
