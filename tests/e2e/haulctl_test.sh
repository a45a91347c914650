#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: haulctl shows what is there, leaves with the status that it documents, and its completion knows the names. Method:
# two nodes on one Redis, `local` only; every command, then with one part after another taken away.
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server

# leaves STATUS COMMAND...: the exit status is this one.
leaves() {
	local wanted=$1 status=0
	shift
	"$@" >"$CLUSTER_DIR/out" 2>&1 || status=$?
	if [ $status -ne "$wanted" ]; then
		printf 'FAILED: %s\n  wanted: status %s\n  got:    status %s, %s\n' "$*" "$wanted" "$status" \
			"$(cat "$CLUSTER_DIR/out")"
		return 1
	fi
	printf 'ok: %s -> status %s\n' "$*" "$status"
}

# same WHAT WANTED GOT
same() {
	if [ "$2" != "$3" ]; then
		printf 'FAILED: %s\n  wanted: %s\n  got:    %s\n' "$1" "$2" "$3"
		return 1
	fi
	printf 'ok: %s -> %s\n' "$1" "$3"
}

# json EXPRESSION-ON-v COMMAND...: what the expression makes of the JSON that haulctl prints.
json() {
	haulctl --json "${@:2}" | python3 -c "import json, sys; v = json.load(sys.stdin); print($1)"
}

haulctl() {
	HAUL_HTTP=$CLUSTER_DIR/a.http.sock "$HAULCTL" "$@"
}

cluster_redis_start
for name in a b; do
	cluster_node $name 'transports = [ "local" ];'
	cluster_node_start $name
done
both_alive() {
	haulctl --json node list | grep -c '"state": "alive"' | grep -qx 2
}
cluster_wait 10 "both nodes to be seen alive" both_alive
own a models/kv 1048576
own b other 65536

echo "- everything is there"
expect '^node +a, published' haulctl status
expect '^redis +ready' haulctl status
expect '^b +alive' haulctl status
expect '^a +alive .* local ' haulctl node list
expect '^models/kv +a +1\.0 MiB +1 ' haulctl segment list
expect '^other +b +64\.0 KiB ' haulctl segment list
expect '^ +0 +1\.0 MiB .* read,write +active' haulctl segment show models/kv
expect '^owner +alive' haulctl segment show models/kv
expect '^nothing of it is open on this node' haulctl segment show models/kv
expect '^local ' haulctl transport list
expect '^ +1 +probe +default ' haulctl channel list
expect '^ +0 +any +[0-9.]+ % +1$' haulctl worker list
expect '^NODE +TRANSPORT +RAIL +WAY +STATE' haulctl peer list
HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$PROBE" loop models/kv 600 >"$CLUSTER_DIR/loop.log" 2>&1 &
LOOP=$!
E2E_PIDS+=("$LOOP")
is_open() {
	haulctl --json opening list | grep -q '"models/kv"'
}
cluster_wait 20 "an application to have a segment open" is_open
expect '^models/kv +a +default +read,write +1 +1 +current ' haulctl opening list
expect '^default +read,write +1 +1 +current .* 1 +0 +0 +- ' haulctl segment show models/kv
expect '^models/kv +default +read,write +1 +1 +current ' haulctl peer show a
expect '^a +local +0 .* up ' haulctl peer show a
expect '^state +alive' haulctl peer show b
expect '^no rail leads there' haulctl peer show b
expect 'control +node +a: unknown -> published$' haulctl trace
expect 'control +opening +models/kv of a version 1: none -> current: opened$' haulctl trace
expect 'control +buffer +models/kv region [0-9a-f]{12}: registering -> active: registered and published$' haulctl trace --segment models/kv
expect 'worker 0 +rail +a rail 0: connecting -> up: connected, or heard again$' haulctl trace --peer a
same 'a trace of nobody' '' "$(haulctl trace --peer nobody)"
same 'a trace as JSON' 'opening none current' "$(haulctl --json trace --segment models/kv | python3 -c 'import json, sys
rows = [json.loads(line) for line in sys.stdin]
print(*next((r["kind"], r["from"], r["to"]) for r in rows if r["kind"] == "opening"))')"
"$HAULCTL" --socket "$CLUSTER_DIR/a.http.sock" trace --follow >"$CLUSTER_DIR/follow.log" &
FOLLOWER=$!
E2E_PIDS+=("$FOLLOWER")
disown_segment "$LOOP"
cluster_wait 20 "the trace to tell of the end" grep -qE 'opening +models/kv of a version 1: current -> retired: nobody has it open' "$CLUSTER_DIR/follow.log"
disown_segment "$FOLLOWER"
expect '^worker +rounds +[0-9]+ +rounds' haulctl stats
expect '^worker +rounds +[0-9]+ +[0-9.]+( k| M)? +rounds' haulctl stats worker --interval 0.3 --count 1
expect '^worker +entries_refused +0' haulctl stats --all worker
expect '^ok +redis' haulctl doctor
expect ', 0 fail$' haulctl doctor

expect '^WORKER +BUSY +ASLEEP' haulctl top --once --interval 0.2
expect '^memory +local +up' haulctl top --interval 0.2 --count 2
leaves 2 haulctl top --all
leaves 2 haulctl status --once
leaves 2 haulctl status --follow
leaves 4 haulctl trace --file "$CLUSTER_DIR/none"
leaves 1 haulctl trace --file "$CLUSTER_DIR/redis.log"

echo "- as JSON"
same 'top' '0 True' "$(json 'str(v["workers"][0]["worker"]) + " " + str(0 <= v["workers"][0]["busy"] <= 1 and v["seconds"] >= 0.2)' top --once --interval 0.2)"
same 'segment show' '1048576 0' "$(json 'v["bytes"] + " " + v["buffers"][0]["offset"]' segment show models/kv)"
same 'node list' 'a b' "$(json '" ".join(n["name"] for n in v["nodes"])' node list)"
same 'stats region' region "$(json '" ".join({c["group"] for c in v["counters"]})' stats region)"
same 'doctor' True "$(json 'all(c["state"] in ("ok", "warn") for c in v["checks"])' doctor)"

echo "- exit statuses"
leaves 0 haulctl status
leaves 2 haulctl
leaves 2 haulctl node
leaves 2 haulctl segment show
leaves 2 haulctl peer show
leaves 4 haulctl peer show nobody
leaves 2 haulctl status --all
leaves 2 haulctl --nonsense
leaves 2 haulctl segment show 'no name'
leaves 4 haulctl segment show nothing/there
leaves 4 haulctl stats nothing
leaves 3 haulctl --socket "$CLUSTER_DIR/none" peer show a
leaves 3 haulctl --socket "$CLUSTER_DIR/none" status
leaves 3 haulctl --socket "$CLUSTER_DIR/a.attach.sock" status
leaves 1 haulctl --socket "$CLUSTER_DIR/none" doctor
leaves 0 haulctl --help
leaves 0 haulctl segment show --help

echo "- completion"
PATH=$(dirname "$HAULCTL"):$PATH
# complete_last WORDS...: what completes the last word.
complete_last() {
	bash -c '. "$1"; shift; COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _haulctl; echo "${COMPREPLY[*]}"' _ \
		"$E2E_TOP/tools/completion/haulctl.bash" "$@"
}
same 'a command' 'status segment stats' "$(complete_last haulctl s)"
same 'a verb' 'list show' "$(complete_last haulctl segment '')"
same 'an option of stats' --interval "$(complete_last haulctl stats --int)"
same 'a node' a "$(complete_last haulctl --socket "$CLUSTER_DIR/a.http.sock" peer show a)"
same 'a segment' models/kv "$(complete_last haulctl --socket "$CLUSTER_DIR/a.http.sock" segment show m)"

echo "- without a dataplane, without Redis, without a control plane"
cluster_kill a.data
no_dataplane() {
	haulctl status | grep -q 'not connected'
}
cluster_wait 10 "the control plane to miss its dataplane" no_dataplane
# It was killed, so what led to that can still be read.
expect 'control +node +a: unknown -> published$' haulctl trace
leaves 1 haulctl peer list
leaves 0 haulctl peer show b
leaves 1 haulctl doctor
cluster_kill redis
leaves 1 haulctl segment list
leaves 0 haulctl status
expect "^nodes: unknown" haulctl status
expect "^redis +(down|connecting), unix:.*: ." haulctl status
cluster_kill a.control
leaves 3 haulctl status
expect 'nobody listens; start haul-controlplane' haulctl status
