# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Two hosts with RDMA in one guest: `. hosts.sh` and call vm_hosts.
#
#        wire_a (10.9.0.1) ---- veth ---- wire_b (10.9.0.2)      in the first network namespace: rxe of Linux 6.1 works
#             rxe_a                            rxe_b             in no other. What crosses it are real packets: netem on
#                                                                wire_a loses them.
#        processes in the namespaces host_a and host_b see both devices ("netns shared"), and reach each other by
#        link_a (10.8.0.1) ---- veth ---- link_b (10.8.0.2).

vm_wire() {
	local end
	sysctl -qw net.core.netdev_max_backlog=20000 # a veth drops what a long message does not fit into
	ip link set lo up
	ip link add wire_a type veth peer name wire_b
	for end in wire_a wire_b; do
		sysctl -qw "net.ipv4.conf.$end.accept_local=1" "net.ipv4.conf.$end.rp_filter=0"
		ip link set "$end" mtu 4200 up
	done
	sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.all.arp_ignore=1
	ip addr add 10.9.0.1/24 dev wire_a
	ip addr add 10.9.0.2/24 dev wire_b
	rdma link add rxe_a type rxe netdev wire_a
	rdma link add rxe_b type rxe netdev wire_b
}

vm_namespaces() {
	local host
	ip netns add host_a
	ip netns add host_b
	ip link add link_a netns host_a type veth peer name link_b netns host_b
	ip -n host_a addr add 10.8.0.1/24 dev link_a
	ip -n host_b addr add 10.8.0.2/24 dev link_b
	for host in a b; do
		ip -n host_$host link set lo up
		ip -n host_$host link set link_$host up
	done
}

# vm_gid DEVICE: the index of its address among the GIDs that route (the link-local one comes first).
vm_gid() {
	grep -il '0000:0000:0000:0000:0000:ffff' /sys/class/infiniband/"$1"/ports/1/gids/* | head -n 1 | xargs basename
}

vm_hosts() {
	modprobe -a veth rdma_rxe ib_uverbs
	vm_wire
	vm_namespaces
}
