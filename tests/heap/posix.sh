#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# posix.sh LIBRARY PROGRAM - the C library's malloc and Quire's give the same answers.
set -euo pipefail

library=$1
program=$2

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

"$program" >"$dir/plain"
LD_PRELOAD=$library "$program" >"$dir/quire"
diff "$dir/plain" "$dir/quire"
