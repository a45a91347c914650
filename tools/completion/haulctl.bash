# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Completion of haulctl for bash: commands, options, and names that the control plane knows. Sourced, or installed as
# share/bash-completion/completions/haulctl, where bash finds it by the command's name.

# The first column of a listing, asked with the socket that stands on the command line.
_haulctl_names() {
	haulctl "${_haulctl_socket[@]}" --timeout 1 "$@" 2>/dev/null | awk 'NR > 1 { print $1 }' | sort -u
}

_haulctl() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word i
	local words=() choices=() _haulctl_socket=()
	local options='--socket --json --timeout --help --version'

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--socket)
			_haulctl_socket=(--socket "${COMP_WORDS[i + 1]}")
			i=$((i + 1))
			;;
		--timeout | --interval | --count | --peer | --segment | --file) i=$((i + 1)) ;;
		-*) ;;
		*) words+=("$word") ;;
		esac
	done
	case $previous in
	--peer)
		mapfile -t COMPREPLY < <(compgen -W "$(_haulctl_names node list)" -- "$current")
		return
		;;
	--segment)
		mapfile -t COMPREPLY < <(compgen -W "$(_haulctl_names segment list)" -- "$current")
		return
		;;
	--socket | --file)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--timeout | --interval | --count) return ;;
	esac
	case ${words[0]-} in
	stats) options+=' --interval --count --all' ;;
	top) options+=' --interval --count --once' ;;
	trace) options+=' --follow --peer --segment --file' ;;
	esac
	case "$current:${words[*]}" in
	-*) choices=("$options") ;;
	*:) choices=('status node segment peer opening transport channel worker stats top trace doctor') ;;
	*:segment | *:peer) choices=('list show') ;;
	*:node | *:opening | *:transport | *:channel | *:worker) choices=('list') ;;
	*:'segment show') mapfile -t choices < <(_haulctl_names segment list) ;;
	*:'peer show') mapfile -t choices < <(_haulctl_names node list) ;;
	*:stats) mapfile -t choices < <(_haulctl_names stats --all) ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "${choices[*]}" -- "$current")
}

complete -F _haulctl haulctl
