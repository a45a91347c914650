# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# A cluster on one host, for tools/quickstart and the end-to-end tests: a private Redis on a Unix socket and nodes, each a
# haul-dataplane and a haul-controlplane with sockets of their own. Sourced; set CLUSTER_BUILD to a build folder first.
#
#   cluster_begin DIR             make DIR the cluster's folder
#   cluster_redis_start           start Redis
#   cluster_node NAME [LINES]     write a node's configuration; LINES are further lines for its dataplane.conf
#   cluster_control_start NAME    start its control plane      cluster_data_start NAME   start its dataplane
#   cluster_net_begin [MTU]       make a bridge in a namespace of the cluster's own; fails where that cannot be had
#   cluster_net_join NAME         a namespace for NAME with an interface, wire, on the bridge; node NAME's dataplane runs there
#   cluster_net_plug NAME [N]     make that interface again, after it was deleted; with N, another one: wireN, port-NAMEN
#   cluster_net_exec NAME WORDS   run a command in that namespace; NAME may be bridge, where NAME's other end is port-NAME
#   cluster_stop PROCESS          end one (redis, a.control, a.data): TERM, then KILL after 5 s
#   cluster_kill PROCESS          end one by KILL
#   cluster_end                   end all of it
#
# Every process is ended by its own pid, kept in DIR/PROCESS.pid; its log is DIR/PROCESS.log. Namespaces are called haul-PID-NAME
# after the script's pid, and cluster_end removes them.

CLUSTER_NETS=()

cluster_begin() {
	CLUSTER_DIR=$1
	mkdir -p "$CLUSTER_DIR"
	chmod 700 "$CLUSTER_DIR"
	(umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$CLUSTER_DIR/cluster.key")
}

cluster_pid() {
	cat "$CLUSTER_DIR/$1.pid" 2>/dev/null
}

cluster_is_running() {
	local pid
	pid=$(cluster_pid "$1") && kill -0 "$pid" 2>/dev/null
}

# cluster_spawn PROCESS COMMAND...
cluster_spawn() {
	local process=$1
	shift
	"$@" >>"$CLUSTER_DIR/$process.log" 2>&1 </dev/null &
	echo $! >"$CLUSTER_DIR/$process.pid"
}

# cluster_wait SECONDS WHAT COMMAND...: until COMMAND succeeds; says WHAT did not come otherwise.
cluster_wait() {
	local tries=$(($1 * 20)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		if [ $((tries -= 1)) -le 0 ]; then
			echo "waited in vain for $what; the logs are in $CLUSTER_DIR" >&2
			return 1
		fi
		sleep 0.05
	done
}

cluster_redis_answers() {
	[ "$(redis-cli -s "$CLUSTER_DIR/redis.sock" ping)" = PONG ]
}

cluster_redis_start() {
	cluster_spawn redis redis-server --port 0 --unixsocket "$CLUSTER_DIR/redis.sock" \
		--dir "$CLUSTER_DIR" --save '' --appendonly yes --appendfsync everysec
	cluster_wait 10 "Redis" cluster_redis_answers
}

cluster_node() {
	local name=$1 lines=${2-}
	cat >"$CLUSTER_DIR/$name.data.conf" <<-END
		node = "$name";
		run_directory = "$CLUSTER_DIR";
		attach_socket = "$CLUSTER_DIR/$name.attach.sock";
		control_socket = "$CLUSTER_DIR/$name.control.sock";
		counters_file = "$CLUSTER_DIR/$name.counters";
		cluster_key_file = "$CLUSTER_DIR/cluster.key";
		$lines
	END
	cat >"$CLUSTER_DIR/$name.control.conf" <<-END
		cluster = "${CLUSTER_NAME-quickstart}";
		control_socket = "$CLUSTER_DIR/$name.control.sock";
		http_socket = "$CLUSTER_DIR/$name.http.sock";
		counters_file = "$CLUSTER_DIR/$name.counters";
		redis = { socket = "$CLUSTER_DIR/redis.sock"; };
	END
}

# The lines of a node that is joined to one other node by a wire: cluster_wire SIDE ADDRESS [MTU [KEYS]], SIDE is server or
# client, KEYS are further keys of the port. CLUSTER_WIRE is vhost or memif. With vhost both sides survive the other's death:
# virtio-user listens and vhost connects again.
cluster_wire() {
	local side=$1 address=$2 mtu=${3-1500} keys=${4-} device socket=$CLUSTER_DIR/wire.sock
	case ${CLUSTER_WIRE-vhost}.$side in
	vhost.server) device="net_virtio_user0,path=$socket,server=1,queue_size=1024" ;;
	vhost.client) device="net_vhost0,iface=$socket,client=1" ;;
	memif.*) device="net_memif0,role=$side,socket=$socket,socket-abstract=no" ;;
	esac
	echo "udp = { ports = ( { name = \"wire\"; device = \"$device\"; address = \"$address\"; mtu = $mtu; $keys } ); };"
}

cluster_net_make() {
	ip netns add "haul-$$-$1" || return
	CLUSTER_NETS+=("haul-$$-$1")
	cluster_net_exec "$1" ip link set lo up
}

cluster_net_exec() {
	ip netns exec "haul-$$-$1" "${@:2}"
}

# Frames that nobody asked for would disturb who counts them: the kernel gets no address of its own choice.
cluster_net_begin() {
	CLUSTER_MTU=${1-1500}
	cluster_net_make bridge &&
		cluster_net_exec bridge ip link add bridge type bridge stp_state 0 mcast_snooping 0 &&
		cluster_net_exec bridge ip link set bridge mtu "$CLUSTER_MTU" addrgenmode none up
}

cluster_net_join() {
	cluster_net_make "$1" && cluster_net_plug "$1"
}

cluster_net_plug() {
	local port=port-$1${2-} wire=wire${2-}
	cluster_net_exec bridge ip link add "$port" mtu "$CLUSTER_MTU" type veth \
		peer name "$wire" netns "haul-$$-$1" mtu "$CLUSTER_MTU" &&
		cluster_net_exec bridge ip link set "$port" addrgenmode none master bridge up &&
		cluster_net_exec "$1" ip link set "$wire" addrgenmode none up
}

cluster_net_end() {
	local name
	for name in "${CLUSTER_NETS[@]}"; do
		ip netns delete "$name"
	done
	CLUSTER_NETS=()
}

# The words to put in front of node NAME's dataplane.
cluster_net_prefix() {
	case " ${CLUSTER_NETS[*]} " in
	*" haul-$$-$1 "*) echo ip netns exec "haul-$$-$1" ;;
	esac
}

cluster_control_start() {
	cluster_spawn "$1.control" "$CLUSTER_BUILD/controlplane/haul-controlplane" \
		--config "$CLUSTER_DIR/$1.control.conf"
	cluster_wait 10 "the control plane of $1" test -S "$CLUSTER_DIR/$1.http.sock"
}

cluster_data_start() {
	local prefix
	read -ra prefix <<<"$(cluster_net_prefix "$1")"
	rm -f "$CLUSTER_DIR/$1.attach.sock"
	cluster_spawn "$1.data" "${prefix[@]}" "$CLUSTER_BUILD/dataplane/haul-dataplane" \
		--config "$CLUSTER_DIR/$1.data.conf"
	cluster_wait 20 "the dataplane of $1" test -S "$CLUSTER_DIR/$1.attach.sock"
}

cluster_node_start() {
	cluster_control_start "$1" && cluster_data_start "$1"
}

cluster_kill() {
	local pid
	pid=$(cluster_pid "$1") || return 0
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
	rm -f "$CLUSTER_DIR/$1.pid"
}

cluster_stop() {
	local pid tries=100
	pid=$(cluster_pid "$1") || return 0
	kill -CONT "$pid" 2>/dev/null || true
	kill -TERM "$pid" 2>/dev/null || true
	while kill -0 "$pid" 2>/dev/null && [ $((tries -= 1)) -gt 0 ]; do
		sleep 0.05
	done
	cluster_kill "$1"
}

cluster_end() {
	local file
	for file in "$CLUSTER_DIR"/*.data.pid "$CLUSTER_DIR"/*.control.pid "$CLUSTER_DIR"/*.pid; do
		[ ! -e "$file" ] || cluster_stop "$(basename "$file" .pid)"
	done
	cluster_net_end
}
