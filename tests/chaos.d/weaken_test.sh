#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-3-Clause
# Goal: no release can be told to take a check out, and a debug build says so when it was, and refuses what it does not know.
# Method: weaken_test.sh BUILDTYPE: the word in the program, and a daemon that would start with it.
set -euo pipefail
daemon=${HAUL_BUILD:?set HAUL_BUILD to the build folder}/dataplane/haul-dataplane

if [ "$1" = release ]; then
	! grep -q HAUL_WEAKEN "$daemon" || { echo "FAILED: a release knows HAUL_WEAKEN"; exit 1; }
	echo "ok: a release has no such word"
	exit 0
fi
grep -q HAUL_WEAKEN "$daemon" || { echo "FAILED: this build does not know HAUL_WEAKEN"; exit 1; }
folder=$(mktemp -d "${TMPDIR:-/tmp}/haul-weaken.XXXXXX")
trap 'rm -rf "$folder"' EXIT
(umask 077 && od -An -N32 -tx1 /dev/urandom | tr -d ' \n' >"$folder/key")
cat >"$folder/conf" <<-END
	node = "a"; run_directory = "$folder"; attach_socket = "$folder/attach.sock"; counters_file = "$folder/counters";
	control_socket = "$folder/control.sock"; cluster_key_file = "$folder/key"; transports = [ "local" ];
END

# said WEAKEN PATTERN STATUS: a daemon that is ended soon says it, and ends with that status.
said() {
	local status=0
	HAUL_WEAKEN=$1 timeout 3 "$daemon" --config "$folder/conf" >"$folder/log" 2>&1 || status=$?
	if ! grep -q -- "$2" "$folder/log" || [ "$status" != "$3" ]; then
		echo "FAILED: HAUL_WEAKEN=$1: status $status, $(cat "$folder/log")"
		exit 1
	fi
	echo "ok: HAUL_WEAKEN=$1: $(grep -m 1 -- "$2" "$folder/log")"
}

said fence,generation "this daemon lets stale bytes through" 124
said nothing "generation, fence, freshness, grant are what there is" 1
