# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# What the tests that run whole programs share: a scratch directory, packages, the
# two tools (measure, gen), counted verdicts, and the plain-beside-Quire comparison.
#
# A case (one NAME.sh) sets
#     case_name   its name in the report
#     case_needs  words TOOL:PACKAGE, what it runs and the package that holds it
# and defines
#     case_prepare      writes the input into $work/in, once
#     case_work OUT     does the work through `step`, leaves all results in OUT
# then calls `case_main "$@"`.  Both functions see $quick (1: small sizes).
#
# Sourced by scripts that have set -euo pipefail.  Bash 5.

lib_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$lib_dir/../.." && pwd)

build=${BUILD:-$root/build}
quick=${QUICK:-0}
ratios=${RATIO:-50,25,10}
plain_only=0
keep=0

# Least --ram that a run accepts, and what a process may hold above --ram, in MiB.
ram_floor=8
ram_slack=16
# A step that hangs ends here; no verdict depends on how long one takes.
limit_s=${LIMIT:-1800}

nr_passed=0
nr_failed=0
nr_skipped=0

export LC_ALL=C

passed() { echo "PASS $*"; nr_passed=$((nr_passed + 1)); }
failed() { echo "FAIL $*"; nr_failed=$((nr_failed + 1)); }
skipped() { echo "SKIP $*"; nr_skipped=$((nr_skipped + 1)); }

# The closing line.  Exit status 1 with a failure, 77 (a skip, to meson) where
# nothing but skips happened.
finish() {
	echo "$nr_passed passed, $nr_failed failed, $nr_skipped skipped"
	((nr_failed == 0)) || exit 1
	((nr_passed > 0 || nr_skipped == 0)) || exit 77
	exit 0
}

usage() {
	echo "usage: $(basename "$0") [--build DIR] [--quick] [--ratio PERCENT,...]" \
		"[--plain] [--keep] $*" >&2
	exit 2
}

# Takes one common option off the front: sets `taken` to the number of words it
# used, 0 where the word is not one of them.
take_option() {
	taken=1
	case ${1:-} in
	--quick) quick=1 ;;
	--plain) plain_only=1 ;;
	--keep) keep=1 ;;
	--build) build=$(cd "$2" && pwd) && taken=2 ;;
	--ratio) ratios=$2 && taken=2 ;;
	*) taken=0 ;;
	esac
}

# Everything a test writes is in $work; $work/tmp is the TMPDIR of what it runs, so
# that a file left behind is seen.
make_work() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/quire-test.XXXXXX")
	trap clean_work EXIT
	trap 'exit 130' INT TERM HUP
	mkdir -p "$work/in" "$work/tmp" "$work/rec" "$work/bin"
	export TMPDIR=$work/tmp
	read -ra quire_options <<<"${QUIRE_RUN_OPTIONS:-}"
	quire=$build/quire
}

end_jobs() {
	local pid
	for pid in $(jobs -p); do
		kill "$pid" 2>/dev/null || true
	done
}

clean_work() {
	end_jobs
	if ((keep)); then
		echo "kept: $work"
	else
		rm -rf "$work"
	fi
}

# Sets $measure and $gen: from the build directory, or compiled here.
find_tools() {
	local tool
	for tool in measure gen; do
		local path=$build/tests/programs/$tool
		if [[ ! -x $path ]]; then
			path=$work/bin/$tool
			"${CC:-cc}" -std=c17 -O2 -o "$path" "$lib_dir/$tool.c"
		fi
		declare -g "$tool=$path"
	done
}

# find_program TOOL PACKAGE: true when TOOL can be run, installing PACKAGE if it must
# and may.  Leaves the reason in $missing otherwise.
find_program() {
	missing=
	command -v "$1" >/dev/null && return 0
	missing="$1 is missing (Debian package $2)"
	if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
		missing+=", and only root can install it"
		return 1
	fi
	local apt=(apt-get -qq -o DPkg::Lock::Timeout=300)
	if DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y \
		--no-install-recommends "$2" >"$work/apt.log" 2>&1 ||
		{ "${apt[@]}" update >"$work/apt.log" 2>&1 &&
			DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y \
				--no-install-recommends "$2" >"$work/apt.log" 2>&1; }; then
		hash -r
		command -v "$1" >/dev/null && missing= && return 0
	fi
	missing+=", and installing it failed: $(tail -n 1 "$work/apt.log")"
	return 1
}

# Debian's own interpreter rather than whatever comes first in PATH: a wrapper there
# may be a shell script, which would be measured in its place.
find_python() {
	python=/usr/bin/python3
	[[ -x $python ]] || python=$(python3 -c 'import sys; print(sys.executable)')
}

# True when `quire run` works here.  Otherwise $quire_reason says why not, and
# $quire_broken is 1 unless it is only a privilege that is missing.
quire_ready() {
	quire_reason=
	quire_broken=0
	if [[ ! -x $quire ]]; then
		quire_reason="there is no $quire"
		return 1
	fi
	local line status=0
	line=$("$quire" run --ram 64M -- true 2>&1) || status=$?
	((status == 0)) && return 0
	quire_reason="quire run answers $status: $line"
	((EUID == 0 || status != 125)) && quire_broken=1
	return 1
}

# The verdict where it does not work: a missing privilege is no failure of the case.
quire_missing() {
	if ((quire_broken)); then
		failed "$1: $quire_reason"
	else
		skipped "$1: $quire_reason"
	fi
}

# value RECORD NAME: one value out of a record of `measure`.
value() {
	local word
	for word in $(<"$1"); do
		[[ $word == "$2="* ]] && echo "${word#*=}" && return 0
	done
	return 1
}

# The given percentage of a step's plain peak in whole MiB, not below the floor.
ram_of() {
	local peak
	peak=$(value "$work/rec/plain.$1" rss_kib)
	local ram=$((peak * $2 / 100 / 1024))
	echo $((ram > ram_floor ? ram : ram_floor))
}

# step LABEL COMMAND...: one measured command of a case, plain or under Quire as
# $mode says.  A label belongs to one command, the same in every mode.
step() {
	local label=$1 record=$work/rec/$mode.$1 prefix=() ram
	shift
	echo "$label" >>"$work/rec/$mode.steps"
	if [[ $mode == quire-* ]]; then
		ram=$(ram_of "$label" "${mode#quire-}")
		echo "$ram" >"$record.ram"
		prefix=("$quire" run --ram "${ram}M" "${quire_options[@]}" --)
	fi
	"$measure" -o "$record" -t "$limit_s" -- "${prefix[@]}" "$@"
}

# Runs the work once in the given mode and leaves its $status.  A failing command in it
# ends it; so this must not be called where bash passes over failures (if, ||).
run_mode() {
	mode=$1
	rm -rf "${work:?}/$mode" "$work/rec/$mode."*
	mkdir -p "$work/$mode"
	set +e
	(
		set -e
		trap end_jobs EXIT
		case_work "$work/$mode"
	) >"$work/rec/$mode.log" 2>&1
	status=$?
	set -e
}

seconds() { printf '%d.%d' $(($1 / 1000)) $(($1 % 1000 / 100)); }

# One line for each step, its plain run beside the one under Quire.
show_steps() {
	local label rec plain
	while read -r label; do
		rec=$work/rec/$1.$label
		plain=$work/rec/plain.$label
		[[ -f $rec && -f $plain ]] || continue
		printf '     %-14s plain %4d MiB %6s s' "$label" \
			$(($(value "$plain" rss_kib) / 1024)) \
			"$(seconds "$(value "$plain" wall_ms)")"
		if [[ -f $rec.ram ]]; then
			printf ' | --ram %3d MiB, peak %3d MiB %6s s' "$(<"$rec.ram")" \
				$(($(value "$rec" anon_kib) / 1024)) \
				"$(seconds "$(value "$rec" wall_ms)")"
		fi
		echo
	done <"$work/rec/$1.steps"
}

# What one record shows that must not be: one reason a line.  RAM is the bound in MiB
# that the run had, empty for a plain one.
record_faults() { # RECORD NAME RAM
	local left held
	if [[ ! -f $1 ]]; then
		echo "$2 left no record"
		return 0
	fi
	left=$(value "$1" left)
	((left == 0)) || echo "$2 left $left processes behind"
	[[ -n $3 ]] || return 0
	held=$(value "$1" anon_kib)
	((held <= ($3 + ram_slack) * 1024)) ||
		echo "$2 held $((held / 1024)) MiB with --ram $3 MiB"
}

# Files that a finished run left in its TMPDIR, which is emptied.
tmp_faults() {
	local left
	left=$(find "$work/tmp" -mindepth 1 | head -n 3)
	[[ -z $left ]] || echo "files left in TMPDIR: $left"
	rm -rf "${work:?}/tmp"
	mkdir -p "$work/tmp"
}

# What is wrong with a finished mode of a case, apart from its results.
run_faults() {
	local label ram
	while read -r label; do
		ram=
		[[ ! -f $work/rec/$1.$label.ram ]] || ram=$(<"$work/rec/$1.$label.ram")
		record_faults "$work/rec/$1.$label" "$label" "$ram"
	done <"$work/rec/$1.steps"
	tmp_faults
}

# verdict TITLE REASONS: passed when there are none.
verdict() {
	if [[ -z ${2//$'\n'/} ]]; then
		passed "$1"
	else
		failed "$1"
		sed -e '/^$/d' -e 's/^/     /' <<<"$2"
	fi
}

# judge MODE STATUS TITLE: the verdict over one run, against the plain one.
judge() {
	local faults
	faults=$(run_faults "$1")
	(($2 == 0)) || faults+=$'\n'"a command exited $2: $(tail -n 3 "$work/rec/$1.log")"
	if (($2 == 0)) && ! diff -rq "$work/plain" "$work/$1" >"$work/rec/diff"; then
		faults+=$'\n'"the results differ: $(head -n 3 "$work/rec/diff")"
	fi
	show_steps "$1"
	verdict "$3" "$faults"
	rm -rf "${work:?}/$1"
}

# Two plain runs must agree, or a comparison with a third would show nothing.
check_plain_twice() {
	local status
	run_mode again
	judge again "$status" "$case_name, plain twice"
}

check_ratios() {
	local ratio status
	for ratio in ${ratios//,/ }; do
		if [[ -n $quire_reason ]]; then
			quire_missing "$case_name at $ratio %"
			continue
		fi
		run_mode "quire-$ratio"
		judge "quire-$ratio" "$status" "$case_name at $ratio %"
	done
}

case_main() {
	local need status
	while (($# > 0)); do
		take_option "$@"
		((taken > 0)) || usage
		shift "$taken"
	done
	make_work
	find_tools
	for need in $case_needs; do
		if ! find_program "${need%%:*}" "${need#*:}"; then
			skipped "$case_name: $missing"
			finish
		fi
	done
	find_python
	case_prepare
	run_mode plain
	if ((status != 0)); then
		failed "$case_name, plain: exit $status: $(tail -n 3 "$work/rec/plain.log")"
		finish
	fi
	if ((plain_only)); then
		check_plain_twice
	else
		quire_ready || true
		check_ratios
	fi
	finish
}
