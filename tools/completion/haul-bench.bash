# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Completion of haul-bench for bash: commands, options, and the segments that the control plane knows. Sourced, or installed
# as share/bash-completion/completions/haul-bench.

_haul_bench() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word i
	local words=() choices=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--op | --reads | --size | --depth | --threads | --duration | --warm-up | --pause | --timeout | --socket | --json)
			i=$((i + 1))
			;;
		-*) ;;
		*) words+=("$word") ;;
		esac
	done
	case $previous in
	--socket | --json)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--op)
		mapfile -t COMPREPLY < <(compgen -W 'write read mix notify nop' -- "$current")
		return
		;;
	--reads | --size | --depth | --threads | --duration | --warm-up | --pause | --timeout) return ;;
	esac
	case "$current:${words[*]}" in
	-*) choices=('--op --reads --size --depth --threads --duration --warm-up --cold --pause --verify' \
		'--timeout --socket --json --help') ;;
	*:) choices=('serve run') ;;
	*:run) mapfile -t choices < <(haulctl --timeout 1 segment list 2>/dev/null | awk 'NR > 1 { print $1 }') ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "${choices[*]}" -- "$current")
}

complete -F _haul_bench haul-bench
