#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: /metrics and /healthz on TCP say what haulctl says, in the format that they promise, and nobody who reaches the
# address can ask for more or keep others out. Method: a strict reader of the format, refused and slow requests, and each
# part taken away in turn. Without the key nothing listens.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server

# A port of this host that is free now; the daemon says so when it is not any more.
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
address=127.0.0.1:$port
scrape() {
	PYTHONPATH=$E2E_TOP/tests/e2e PYTHONDONTWRITEBYTECODE=1 timeout 60 python3 "$E2E_TOP/tests/e2e/metrics_test.py" "$1" "$address" "${@:2}"
}
is_healthy() {
	scrape health 200 '' ''
}

cluster_redis_start
cluster_node a 'transports = [ "local" ]; workers = [ 0, 1 ];'
cluster_control_start a
[ -z "$(ss -Hltnp "sport = :$port" 2>/dev/null)" ] || { echo "FAILED: it listens without being told to"; exit 1; }
cluster_stop a.control
echo "http_address = \"$address\";" >>"$CLUSTER_DIR/a.control.conf"
cluster_control_start a
scrape health 503 dataplane 'there is no dataplane'
cluster_data_start a
cluster_wait 20 "health" is_healthy
own a "target" 65536
HAUL_SOCKET=$CLUSTER_DIR/a.attach.sock "$CLUSTER_BUILD/tools/haul-bench" --duration 0.2 --size 4K --depth 4 run target >"$CLUSTER_DIR/bench.out"
scrape values "$HAULCTL" "$CLUSTER_DIR/a.http.sock"
scrape refusals
scrape loris

cluster_stop redis
cluster_wait 20 "Redis to be missed" scrape health 503 redis ''
scrape health 503 redis 'redis'
cluster_redis_start
cluster_wait 20 "health" is_healthy
kill -STOP "$(cluster_pid a.data)"
cluster_wait 30 "the dataplane to be missed" scrape health 503 dataplane 'does not answer'
kill -CONT "$(cluster_pid a.data)"
cluster_wait 20 "health" is_healthy
