# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Completion of haul-controlplane for bash: options, and files for --config. Sourced, or installed as
# share/bash-completion/completions/haul-controlplane.

_haul_controlplane() {
	local current=${COMP_WORDS[COMP_CWORD]} options='--config --check-config --print-defaults --version --help --replace'

	if [ "${COMP_WORDS[COMP_CWORD - 1]}" = --config ]; then
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
	else
		mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
	fi
}

complete -F _haul_controlplane haul-controlplane
