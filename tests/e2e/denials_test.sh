#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: what a user may not do, or names wrongly, is refused with a sentence, and what a node was not granted is refused by
# the node that owns it. Method: one node, `local` only, one probe for each refusal; then two nodes, of which one is made
# believe in a wrong key, so that it knows all but that.
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

echo "- two nodes, of two tenants"
CLUSTER_WIRE=memif
cluster_node b "$(cluster_wire client 10.81.0.2/24 1500)"
cluster_node_start b
cluster_node c "$(cluster_wire server 10.81.0.1/24 1500) default_tenant = \"guests\";"
cluster_node_start c
own b far/open 65536
own b far/closed 65536 nobody nobody
own b far/hidden 65536

redis() {
	redis-cli -s "$CLUSTER_DIR/redis.sock" "$@"
}

# grants NAME: of node b so far.
grants() {
	counter b udp "rudp_grants_$1"
}

expect '^OK: ' probe c write far/open 0 4096
expect '^OK: ' probe c read far/open 0 4096
expect '^DENIED: .*far/closed' probe c read far/closed 0 4096
[ "$(grants given)" -ge 1 ]
[ "$(grants refused)" -eq 0 ]

echo "- a region of a segment that was not granted, named as one of another that was"
# touch NODE WORDS...: the probe names the region of far/closed.
touch_closed() {
	local record
	record=$(redis --scan --pattern '*:segment:far/closed')
	PROBE_REGION=$(redis hget "$record" buffers | awk '{ print $3 }') probe "$@"
}
before=$(counter b region refused_unproven)
expect '^DENIED: ' touch_closed c write far/open 0 4096
expect '^DENIED: ' touch_closed c read far/open 0 4096
[ "$(counter b region refused_unproven)" -gt "$before" ]
# On the owner's own node, where there is no connection.
expect '^DENIED: ' touch_closed b read far/open 0 4096

echo "- a node that knows all but the key"
record=$(redis --scan --pattern '*:segment:far/hidden')
key=$(redis hget "$record" key)
[ ${#key} -eq 32 ]
redis hset "$record" key 000102030405060708090a0b0c0d0e0f >/dev/null
expect '^DENIED: .*grant' probe c write far/hidden 0 4096
sleep 0.2 # a refusal stands for 100 ms
expect '^DENIED: .*grant' probe c read far/hidden 0 4096
[ "$(grants refused)" -ge 2 ]
redis hset "$record" key "$key" >/dev/null
sleep 0.2
expect '^OK: ' probe c read far/hidden 0 4096
# None of the keys is shown.
for words in "segment list" "segment show far/hidden" "peer list" "status" "stats"; do
	for node in b c; do
		# shellcheck disable=SC2086
		"$HAULCTL" --socket "$CLUSTER_DIR/$node.http.sock" --json $words >>"$CLUSTER_DIR/shown.json"
	done
done
grep -q far/hidden "$CLUSTER_DIR/shown.json"
if grep -l "$key" "$CLUSTER_DIR"/*.log "$CLUSTER_DIR/shown.json"; then
	echo "FAILED: a key is shown"
	exit 1
fi
