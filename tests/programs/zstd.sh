#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# zstd -19 --long=27 -T2 of 100 MB and back: two threads that share one window.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case_name=zstd
case_needs=zstd:zstd

case_prepare() {
	"$gen" mixed $((quick ? 8000000 : 100000000)) >"$work/in/data"
}

case_work() {
	step compress zstd -q -19 --long=27 -T2 -c "$work/in/data" >"$1/data.zst"
	step expand zstd -q -d --long=27 -c "$1/data.zst" >"$1/data"
	cmp "$1/data" "$work/in/data"
}

case_main "$@"
