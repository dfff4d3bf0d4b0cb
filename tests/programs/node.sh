#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Node: maps, arrays and buffers under a moving garbage collector with helper threads.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case_name=node
case_needs=node:nodejs

case_prepare() { :; }

case_work() {
	step structures node --max-old-space-size=2048 "$lib_dir/structures.js" \
		$((quick ? 80000 : 1200000)) >"$1/out"
}

case_main "$@"
