#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: what completion offers is what a program takes. Method: the options and commands of each --help beside what the
# completion gives for a lone "--" and for nothing, with every command before it.
set -euo pipefail

top=$(cd "$(dirname "$0")/../.." && pwd)
build=${HAUL_BUILD:?set HAUL_BUILD to the build folder}

# help_options PROGRAM [COMMAND]: options that stand at the start of a line.
help_options() {
	"$@" --help | grep -oE '^ +--[a-z-]+' | tr -d ' ' | sort -u
}

# offered WORD...: what is offered for the last of the words.
offered() {
	local COMPREPLY=() COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
	"_${1//-/_}"
	printf '%s\n' "${COMPREPLY[@]}" | sort -u
}

# same WHAT WANTED GOT
same() {
	if [ "$2" != "$3" ]; then
		printf 'FAILED: %s\n' "$1"
		diff <(echo "$2") <(echo "$3") | sed 's/^</  not offered: /; s/^>/  not taken:   /'
		exit 1
	fi
	printf 'ok: %s: %s\n' "$1" "$(wc -w <<<"$2")"
}

# commands PROGRAM: the first words of the lines of its usage that have one, two blanks before it or its own name.
commands() {
	case $1 in
	haulctl) "$build/tools/haulctl" --help | sed -n '/^usage/,/^  --/p' | grep -oE '^  [a-z]+' | tr -d ' ' | sort -u ;;
	haul-bench | haul-copy)
		"$build/tools/$1" --help | sed -n '1,/^$/p' | grep -oE "(\[OPTIONS\]|--op nop) [a-z]+" | awk '{ print $NF }' | sort -u
		;;
	esac
}

for tool in haulctl haul-bench haul-copy haul-dataplane haul-controlplane; do
	# shellcheck source=/dev/null
	. "$top/tools/completion/$tool.bash"
	case $tool in
	haul-dataplane | haul-controlplane) program=$build/${tool#haul-}/$tool ;;
	*) program=$build/tools/$tool ;;
	esac
	same "options of $tool" "$(help_options "$program")" "$(offered "$tool" --)"
	[ -z "$(commands "$tool")" ] || same "commands of $tool" "$(commands "$tool")" "$(offered "$tool" '')"
done

# haulctl's commands have options of their own beside the general ones.
general=$(help_options "$build/tools/haulctl")
for words in 'status' 'node list' 'segment list' 'segment show' 'peer list' 'peer show' 'opening list' 'transport list' 'channel list' 'worker list' 'stats' 'top' 'trace' 'doctor'; do
	read -ra command <<<"$words"
	wanted=$(help_options "$build/tools/haulctl" "${command[@]}")
	same "options of haulctl $words" "$(sort -u <<<"$general"$'\n'"$wanted" | sed '/^$/d')" "$(offered haulctl "${command[@]}" --)"
done
