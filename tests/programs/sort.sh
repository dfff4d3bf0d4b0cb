#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# GNU sort of 300 MB with a buffer that holds it: one large block, sequential passes.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case_name=sort
case_needs=sort:coreutils

case_prepare() {
	"$gen" lines $((quick ? 12000000 : 300000000)) >"$work/in/lines"
}

case_work() {
	step sort sort --buffer-size=700M --parallel=2 -T "$work/tmp" \
		-o "$1/sorted" "$work/in/lines"
	step by-record sort --buffer-size=700M -t $'\t' -k3,3 -k2,2r --parallel=2 \
		-T "$work/tmp" -o "$1/by-record" "$work/in/lines"
}

case_main "$@"
