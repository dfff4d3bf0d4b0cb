#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Real programs in less memory than they want: each case plain, then under
# `quire run` at a part of the peak resident memory that the plain run showed.  The
# results must be the same to the byte, and no process may hold more anonymous memory
# than --ram + 16 MiB at any time.
#
#     tests/programs/run.sh [--quick] [--ratio 50,25,10] [--only NAME]...
#
# --plain runs each case twice without Quire, --build DIR names the build directory,
# --keep leaves the files.  QUIRE_RUN_OPTIONS holds more options for `quire run`,
# LIMIT the seconds after which a hung step is ended.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

cases=(python3 sqlite3 sort xz zstd gcc redis node perl)
only=()
pass_on=()

while (($# > 0)); do
	if [[ $1 == --only ]]; then
		only+=("$2")
		shift 2
		continue
	fi
	take_option "$@"
	((taken > 0)) || usage "[--only NAME]..."
	pass_on+=("${@:1:taken}")
	shift "$taken"
done
((${#only[@]} == 0)) || cases=("${only[@]}")

log=$(mktemp "${TMPDIR:-/tmp}/quire-programs.XXXXXX")
trap 'rm -f "$log"' EXIT

# Adds the closing line of one case to the sums; a case that ends without one failed.
add_closing_line() { # NAME
	local line
	line=$(tail -n 1 "$log")
	if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed,\ ([0-9]+)\ skipped$ ]]; then
		nr_passed=$((nr_passed + BASH_REMATCH[1]))
		nr_failed=$((nr_failed + BASH_REMATCH[2]))
		nr_skipped=$((nr_skipped + BASH_REMATCH[3]))
	else
		failed "$1: ended without a verdict: $line"
	fi
}

for name in "${cases[@]}"; do
	[[ -x $lib_dir/$name.sh ]] || {
		echo "run.sh: no case named $name" >&2
		exit 2
	}
	bash "$lib_dir/$name.sh" "${pass_on[@]}" 2>&1 | tee "$log" |
		grep --line-buffered -v '^[0-9]* passed, [0-9]* failed, [0-9]* skipped$' || true
	add_closing_line "$name"
done
finish
