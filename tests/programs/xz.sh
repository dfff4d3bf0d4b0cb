#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# xz -9 -T2 of 100 MB and back.  The small variant has a small dictionary, and with
# it blocks so small that both threads have one.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case_name=xz
case_needs=xz:xz-utils

case_prepare() {
	"$gen" mixed $((quick ? 12000000 : 100000000)) >"$work/in/data"
}

case_work() {
	local level=(-9)
	((quick)) && level=(--lzma2=preset=9,dict=2MiB)
	step compress xz "${level[@]}" -T2 -c "$work/in/data" >"$1/data.xz"
	step expand xz -d -T2 -c "$1/data.xz" >"$1/data"
	cmp "$1/data" "$work/in/data"
}

case_main "$@"
