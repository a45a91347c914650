#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: a wrong configuration is an error that names file, line, key and what is allowed; a port that cannot be opened and
# pages that are not there are told. Method: the daemons themselves, one mistake at a time.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"

data() {
	printf '%s\n' "$@" >"$CLUSTER_DIR/wrong.conf"
	timeout 20 "$CLUSTER_BUILD/dataplane/haul-dataplane" --config "$CLUSTER_DIR/wrong.conf" --check-config
}

control() {
	printf '%s\n' "$@" >"$CLUSTER_DIR/wrong.conf"
	timeout 20 "$CLUSTER_BUILD/controlplane/haul-controlplane" --config "$CLUSTER_DIR/wrong.conf" --check-config
}

# Starts for real and gives it a second: for what is found out only then.
run() {
	cluster_node wrong "$1"
	timeout 5 "$CLUSTER_BUILD/dataplane/haul-dataplane" --config "$CLUSTER_DIR/wrong.data.conf"
}

expect 'wrong.conf:2: nodde: unknown key; known here: node' data 'node = "a";' 'nodde = "b";'
expect 'wrong.conf:1: node: not a string' data 'node = 7;'
expect 'wrong.conf:2: idle_sleep_max_us: out of range; allowed: an integer from 1 to 1000' \
	data 'node = "a";' 'idle_sleep_max_us = 100000;'
expect 'wrong.conf.*: node' data 'log_level = "info";'
expect 'wrong.conf:2' data 'node = "a";' 'this is no configuration'
expect 'wrong.conf:1: redis.timeout_ms: ' control 'redis = { timeout_ms = "soon"; };'
expect 'missing.conf' "$CLUSTER_BUILD/dataplane/haul-dataplane" --config "$CLUSTER_DIR/missing.conf"
expect '^idle_policy = "adaptive";' "$CLUSTER_BUILD/dataplane/haul-dataplane" --print-defaults
expect 'transport "carrier-pigeon": not built in' run 'transports = [ "carrier-pigeon" ];'
mv "$CLUSTER_DIR/cluster.key" "$CLUSTER_DIR/hidden.key"
expect 'cluster.key: cannot be loaded: No such file' run 'transports = [ "local" ];'
mv "$CLUSTER_DIR/hidden.key" "$CLUSTER_DIR/cluster.key"

chmod 644 "$CLUSTER_DIR/cluster.key"
expect 'cluster.key: cannot be loaded: Operation not permitted' run 'transports = [ "local" ];'
chmod 600 "$CLUSTER_DIR/cluster.key"

if [ "${HAUL_DPDK-yes}" = yes ]; then
	nothing='name = "nothing"; device = "net_nothing0"; address = "10.77.0.1/24";'
	expect 'port nothing: it is required' run "udp = { ports = ( { $nothing required = true; } ); };"
	expect 'port nothing: net_nothing0: the device cannot be attached' run "udp = { ports = ( { $nothing } ); };"
	expect 'stops on signal' run "udp = { ports = ( { $nothing } ); };" # it has served without the port
	# More than any machine here has set aside, so that the case is the same with and without huge pages.
	expect 'huge pages: [0-9]+ MiB are required, [0-9]+ MiB are free' run 'udp = { huge_pages = "require"; memory_mb = 1048576; ports = ( { name = "wire"; device = "net_null0"; address = "10.77.0.1/24"; } ); };'
fi
