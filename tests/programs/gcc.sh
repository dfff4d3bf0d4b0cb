#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# gcc -O2 on a large generated C file: a tree of processes, each one bounded.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case_name=gcc
case_needs=gcc:gcc

case_prepare() {
	"$gen" source $((quick ? 100 : 600)) >"$work/in/source.c"
}

case_work() {
	cd "$work/in"
	step compile gcc -std=c17 -O2 -c source.c -o "$1/source.o"
	step pipe gcc -std=c17 -O1 -g -pipe -c source.c -o "$1/debug.o"
}

case_main "$@"
