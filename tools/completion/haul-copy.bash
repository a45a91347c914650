# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Completion of haul-copy for bash: commands, options, files, and the segments that the control plane knows. Sourced, or
# installed as share/bash-completion/completions/haul-copy.

_haul_copy() {
	local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} word i
	local words=() choices=()

	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--socket | --chunk | --depth | --counters) i=$((i + 1)) ;;
		-*) ;;
		*) words+=("$word") ;;
		esac
	done
	case $previous in
	--socket | --counters)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	--chunk | --depth) return ;;
	esac
	case "$current:${words[*]}" in
	-*) choices=('--socket --chunk --depth --counters --json --help') ;;
	*:) choices=('serve put get verify roundtrip') ;;
	*:put | *:verify | *:roundtrip | *:'get '*)
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
		;;
	*:get | *:'put '* | *:'verify '* | *:'roundtrip '*)
		mapfile -t choices < <(haulctl --timeout 1 segment list 2>/dev/null | awk 'NR > 1 { print $1 }')
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "${choices[*]}" -- "$current")
}

complete -F _haul_copy haul-copy
