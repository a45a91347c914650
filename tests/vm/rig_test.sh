#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: a guest runs a suite, brings back its status and its files, and leaves nothing else; one that fails, panics or
# hangs is told apart. Method: the suite `rig`, then scripts that end in each way.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${HAUL_BUILD:?set HAUL_BUILD to the build folder}
folder=$(mktemp -d "${TMPDIR:-/tmp}/haul-vm.XXXXXX")
trap 'rm -rf "$folder"' EXIT

status=0
"$here/run" rig 150 || status=$?
[ $status = 0 ] || exit $status
grep -q rxe_b "$build/vm/rig/devices" || { echo "FAILED: the file did not come back"; exit 1; }
[ ! -e "$build/written-in-the-guest" ] || { echo "FAILED: the guest wrote to this machine"; exit 1; }

# ends WANTED SECONDS WORDS: a script of these words ends so.
ends() {
	local status=0
	printf '%s\n' "$3" >"$folder/main"
	"$here/boot" "$folder/main" "$folder" "$2" >"$folder/log" 2>&1 || status=$?
	[ $status = "$1" ] || {
		echo "FAILED: '$3' ended with $status, not $1"
		cat "$folder/log"
		exit 1
	}
	echo "ok: '$3' ends with $1"
}

ends 7 60 'exit 7'
ends 126 60 'echo c >/proc/sysrq-trigger; sleep 60'
ends 126 6 'sleep 60'
