#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The main job, shown: a program runs plain, then under Quire with a quarter of the
# memory that it took.  Ends with 0 only where both printed the same and no process
# held more anonymous memory than --ram + 16 MiB.
#
#     demo/demo.sh BUILD_DIR
#
# DEMO_FUNCTIONS sets the size of the file that gcc compiles (400: some 290 MiB).
set -euo pipefail
. "$(dirname "$0")/../tests/programs/lib.sh"

(($# == 1)) || {
	echo "usage: demo/demo.sh BUILD_DIR" >&2
	exit 2
}
build=$(cd "$1" && pwd)
functions=${DEMO_FUNCTIONS:-400}
share=4
bold='' dim='' off=''
if [[ -t 1 ]]; then
	bold=$'\e[1m' dim=$'\e[2m' off=$'\e[0m'
fi

stop() {
	echo "demo: $*" >&2
	exit 1
}

# row LABEL RECORD: what one run took.
row() {
	printf '  %-26s %6d MiB %10d MiB %9s s\n' "$1" $(($(value "$2" rss_kib) / 1024)) \
		$(($(value "$2" anon_kib) / 1024)) "$(seconds "$(value "$2" wall_ms)")"
}

run() { # NAME PREFIX...: the program measured, its results in $work/NAME.out
	local name=$1
	shift
	"$measure" -o "$work/rec/$name" -t "$limit_s" -- "$@" "${program[@]}" \
		>"$work/$name.out" 2>"$work/$name.err" ||
		stop "the $name run failed: $(tail -n 5 "$work/$name.err")"
}

make_work
find_tools
find_program gcc gcc || stop "$missing"
quire_ready || stop "$quire_reason"
"$gen" source "$functions" >"$work/in/source.c"
program=(gcc -std=c17 -O2 -S -o - "$work/in/source.c")

echo "${bold}Quire: a program in a quarter of the memory that it wants$off"
echo "  gcc -O2 compiles a generated file of $(wc -l <"$work/in/source.c") lines, plain and then under quire run."
echo "  This takes less than a minute."
echo
printf '%s  %-26s %10s %14s %11s%s\n' "$dim" "" "resident" "anonymous" "time" "$off"

run plain
row "plain" "$work/rec/plain"
ram=$(($(value "$work/rec/plain" rss_kib) / 1024 / share))
((ram >= ram_floor)) || ram=$ram_floor
run quire "$quire" run --ram "${ram}M" --stats "${quire_options[@]}" --
row "quire run --ram ${ram}M" "$work/rec/quire"
echo

faults=$(record_faults "$work/rec/quire" "the program" "$ram"; tmp_faults)
if cmp -s "$work/plain.out" "$work/quire.out"; then
	sum=$(sha256sum <"$work/quire.out")
	echo "  results: ${bold}equal$off, $(wc -l <"$work/quire.out") lines, SHA-256 ${sum:0:16}..."
else
	faults+=$'\n'"the results differ: $(diff "$work/plain.out" "$work/quire.out" | head -n 3)"
fi
echo
echo "${dim}  What Quire reports of its run (--stats):$off"
sed 's/^/    /' "$work/quire.err"
[[ -z ${faults//$'\n'/} ]] || stop "$faults"
