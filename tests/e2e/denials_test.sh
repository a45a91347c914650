#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: what a user may not do, or names wrongly, is refused with a sentence. Method: one node, `local` only, one probe
# for each refusal.
# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "$0")/e2e.sh"
e2e_need redis-server

cluster_redis_start
cluster_node a 'transports = [ "local" ]; default_tenant = "users"; segment_bytes_max = "64M"; attach_mode = "0666";
	tenants = ( { uid = 12345; tenant = "guests"; } );'
cluster_node_start a
chmod 755 "$CLUSTER_DIR"
own a open/all 1000000
own a open/readers 65536 users nobody
own a closed 65536 nobody nobody

# The probe as another user, who is another tenant.
guest() {
	local node=$1
	shift
	HAUL_SOCKET=$CLUSTER_DIR/$node.attach.sock PROBE_UID=12345 "$PROBE" "$@"
}

expect '^OK node a version 1 bytes 1003520' probe a open open/all both
expect '^OK: ' probe a write open/all 0 65536
expect '^OK: ' probe a read open/all 938000 65520
expect '^NOT_FOUND: .*nothing/there' probe a open nothing/there read
expect '^INVALID: .*name' probe a open 'no spaces' read
expect '^RANGE: ' probe a write open/all 1003500 65536
expect '^RANGE: ' probe a read open/all 99999999999 1
expect '^INVALID: .*length' probe a read open/all 0 0
expect '^EXISTS: .*open/all' probe a create open/all 4096
expect '^INVALID: .*67108864' probe a create too/large 67108865
expect '^DISCONNECTED: .*no daemon listens' probe nowhere open open/all read
expect '^OK node a' guest a open open/all both
expect '^DENIED: .*closed.*guests' guest a open closed read
expect '^DENIED: .*closed' guest a write closed 0 1
