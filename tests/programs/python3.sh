#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Python: a few million objects, built, sorted, hashed and dropped.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case_name=python3
case_needs=python3:python3

case_prepare() { :; }

case_work() {
	PYTHONHASHSEED=0 step objects "$python" -I "$lib_dir/objects.py" \
		$((quick ? 60000 : 1000000)) >"$1/out"
}

case_main "$@"
