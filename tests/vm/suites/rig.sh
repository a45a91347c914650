#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: the guest is what the suites of RDMA take it for. Method: two hosts with a wire between them; reliable queue
# pairs of libibverbs' own example exchange messages over it, from namespace to namespace; the wire loses packets and
# they arrive; nothing that is written here reaches the machine outside.
set -euo pipefail
# shellcheck source=tests/vm/hosts.sh
. "$(dirname "${BASH_SOURCE[0]}")/../hosts.sh"

# pingpong SECONDS COUNT BYTES [lossy]: from host_a to host_b and back. The client has had every message when it ends; the
# other end may then wait for the acknowledgement of its last one for ever, if the wire has lost it.
pingpong() {
	local server status=0
	timeout "$1" ip netns exec host_b ibv_rc_pingpong -e -d rxe_b -g "$(vm_gid rxe_b)" -n "$2" -s "$3" >/run/server.log 2>&1 &
	server=$!
	until ip netns exec host_b ss -Hltn 'sport = :18515' | grep -q .; do
		kill -0 $server || break
	done
	timeout "$1" ip netns exec host_a ibv_rc_pingpong -e -d rxe_a -g "$(vm_gid rxe_a)" -n "$2" -s "$3" 10.8.0.2 \
		>/run/client.log 2>&1 || status=$?
	if [ "${4:-}" = lossy ]; then
		kill $server 2>/dev/null || true
		wait $server || true
	else
		wait $server || status=$?
	fi
	tail -n 1 /run/client.log
	return $status
}

packets() {
	cat /sys/class/net/wire_a/statistics/tx_packets
}

vm_hosts
ibv_devices | tee "$HAUL_SHARE/devices"
before=$(packets)
pingpong 30 200 4096
after=$(packets)
[ $((after - before)) -ge 200 ] || { echo "FAILED: $((after - before)) packets crossed the wire"; exit 1; }
echo "ok: queue pairs of two hosts, $((after - before)) packets on the wire"

tc qdisc add dev wire_a root netem loss 2% seed 1 2>/dev/null || tc qdisc add dev wire_a root netem loss 2%
pingpong 60 200 4096 lossy
lost=$(tc -s qdisc show dev wire_a | sed -n 's/.*(dropped \([0-9]*\).*/\1/p')
[ "$lost" -ge 1 ] || { echo "FAILED: the wire lost nothing"; exit 1; }
echo "ok: $lost packets were lost, and every message arrived"

touch "$HAUL_BUILD/written-in-the-guest"
echo "ok: the suite ends"
